//! Generic HTTP webhooks: JSON, signed, with an idempotency key.

use std::fmt::Write as _;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::http;
use crate::domain::notification::Notification;
use crate::ports::{DeliveryError, Notifier, Receipt, Retry};

/// A webhook of the user's own.
pub struct Webhook {
    name: String,
    url: SecretString,
    secret: Option<SecretString>,
}

impl Webhook {
    /// A channel to an address; `allowed` names the hosts that it may be at.
    pub fn new(
        name: String,
        url: SecretString,
        secret: Option<SecretString>,
        allowed: &[String],
    ) -> Result<Self, String> {
        http::check(&url, allowed)?;
        Ok(Webhook { name, url, secret })
    }
}

/// The signature of a body: hexadecimal HMAC-SHA256 over `timestamp.body`, so that neither can be exchanged.
#[must_use]
pub fn signature(secret: &SecretString, timestamp: &str, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        // HMAC takes keys of any length.
        return String::new();
    };
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    mac.finalize()
        .into_bytes()
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The document that webhooks and files get.
pub fn document(message: &Notification) -> Result<String, DeliveryError> {
    let mut document = serde_json::to_value(message).map_err(|e| DeliveryError {
        message: format!("the message cannot be written: {e}"),
        retry: Retry::Refused,
    })?;
    if let Some(map) = document.as_object_mut() {
        map.insert("schema_version".to_owned(), 1.into());
    }
    Ok(document.to_string())
}

impl Notifier for Webhook {
    fn channel(&self) -> &str {
        &self.name
    }

    fn deliver(&self, message: &Notification, timeout: Duration) -> Result<Receipt, DeliveryError> {
        let body = document(message)?;
        let decided = message.decided_at.timestamp().to_string();
        let signed = self
            .secret
            .as_ref()
            .map(|secret| format!("v1={}", signature(secret, &decided, &body)));
        let mut headers = vec![
            ("idempotency-key", message.id.as_str()),
            ("x-finops-message-id", &message.id),
            ("x-finops-timestamp", &decided),
        ];
        if let Some(signed) = &signed {
            headers.push(("x-finops-signature", signed));
        }
        http::post(&self.url, &headers, signed.as_deref().as_slice(), &body, timeout)
    }
}
