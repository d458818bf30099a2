//! A channel to an SNS topic: one message, spoken in the form that each kind of subscriber reads.
//!
//! Mail gets plain text, queues and functions the whole document as JSON, HTTPS the custom notification of Amazon Q in chat
//! applications, with one thread per alert. Attributes serve filter policies.

mod message;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sns::Client;
use aws_sdk_sns::error::ProvideErrorMetadata as _;
use aws_sdk_sns::types::MessageAttributeValue;

use super::client::Aws;
use super::failure::{Failure, Kind};
use super::permissions::Permission;
use crate::domain::notification::Notification;
use crate::ports::{DeliveryError, Notifier, Receipt, Retry};
use message::{attributes, body, subject};

/// What the channel calls.
pub const PERMISSION: Permission = Permission {
    sid: "AlertTopic",
    actions: &["sns:Publish"],
};

/// A channel to a topic.
pub struct Sns {
    name: String,
    aws: Aws,
    client: Client,
    topic: String,
}

impl Sns {
    /// A channel to the topic with this ARN.
    pub fn new(name: String, aws: Aws, topic: &str) -> Result<Self, String> {
        if !topic.starts_with("arn:") || topic.split(':').count() != 6 || topic.split(':').nth(2) != Some("sns") {
            return Err(format!("`{topic}` is not the ARN of a topic"));
        }
        let client = Client::new(aws.config());
        Ok(Sns {
            name,
            aws,
            client,
            topic: topic.to_owned(),
        })
    }
}

/// Whether what SNS refuses is one message, and not all of them: a parameter that is not the topic.
fn of_message(code: Option<&str>, words: &str) -> bool {
    matches!(
        code,
        Some("InvalidParameter" | "InvalidParameterValue" | "ParameterValueInvalid")
    ) && !words.contains("TopicArn")
}

/// `code` is what the service called it, if it answered at all.
fn refused(failure: &Failure, code: Option<&str>) -> DeliveryError {
    let retry = match failure.kind {
        Kind::Throttled | Kind::Unavailable | Kind::Unreachable => Retry::Backoff,
        // It is about what was sent; the next message may be fine.
        Kind::Refused if of_message(code, &failure.to_string()) => Retry::Refused,
        Kind::Refused | Kind::Expired | Kind::Credentials | Kind::Denied | Kind::Missing | Kind::Condition => {
            Retry::Never
        }
    };
    DeliveryError {
        message: failure.to_string(),
        retry,
    }
}

impl Notifier for Sns {
    fn channel(&self) -> &str {
        &self.name
    }

    fn deliver(&self, message: &Notification, timeout: Duration) -> Result<Receipt, DeliveryError> {
        let values = attributes(message).into_iter().map(|(name, value)| {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build();
            value.map(|value| (name.to_owned(), value))
        });
        let values: HashMap<_, _> = values.collect::<Result<_, _>>().map_err(|e| DeliveryError {
            message: e.to_string(),
            retry: Retry::Refused,
        })?;
        let mut request = self
            .client
            .publish()
            .topic_arn(&self.topic)
            .subject(subject(message))
            .message_structure("json")
            .message(body(message))
            .set_message_attributes(Some(values));
        if self.topic.ends_with(".fifo") {
            request = request
                .message_group_id(&message.alert_id)
                .message_deduplication_id(&message.id);
        }
        let answer = self
            .aws
            .wait(async { tokio::time::timeout(timeout, request.send()).await });
        match answer {
            Err(_) => Err(DeliveryError {
                message: "sns:Publish: no answer in time".to_owned(),
                retry: Retry::Backoff,
            }),
            Ok(Err(error)) => Err(refused(&Failure::of("sns:Publish", &error), error.code())),
            Ok(Ok(accepted)) => Ok(Receipt {
                answer: format!("sns {}", accepted.message_id.unwrap_or_default()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_message_that_sns_cannot_take_is_set_aside() {
        for (code, message, retry) in [
            ("KMSDisabled", "key is disabled", Retry::Never),
            ("KMSAccessDenied", "not authorized to perform kms:Decrypt", Retry::Never),
            ("KMSThrottling", "slow down", Retry::Backoff),
            ("InvalidSecurity", "not over HTTPS", Retry::Never),
            ("InvalidParameter", "Invalid parameter: TopicArn", Retry::Never),
            (
                "InvalidParameter",
                "Invalid parameter: Message too long",
                Retry::Refused,
            ),
            ("InvalidParameter", "Invalid parameter: Subject", Retry::Refused),
        ] {
            let failure = Failure::answered("sns:Publish", code, message, 400);
            assert_eq!(refused(&failure, Some(code)).retry, retry, "{code} {message}");
        }
    }
}
