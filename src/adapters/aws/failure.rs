//! What AWS can answer instead of an answer, sorted into few kinds, in words that say what to do.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use thiserror::Error;

use crate::domain::screen::shown;

/// The kinds of failure that a caller may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// AWS asked to slow down and kept asking until the retries were used up.
    Throttled,
    /// AWS failed on its side (5xx).
    Unavailable,
    /// No answer within the time allowed, or the connection broke.
    Unreachable,
    /// The credentials have expired.
    Expired,
    /// There are no credentials, or AWS does not know them.
    Credentials,
    /// The credentials do not allow the call.
    Denied,
    /// What was asked for does not exist.
    Missing,
    /// A condition of a write did not hold.
    Condition,
    /// Anything else that AWS refuses.
    Refused,
}

/// A call to AWS that failed for good. Its text never holds a credential.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{words}")]
pub struct Failure {
    /// Which kind.
    pub kind: Kind,
    /// Whether the call may have been carried out all the same: the answer was lost, not the request.
    pub ambiguous: bool,
    words: String,
}

/// What a signature that AWS calls too old or too new says.
const CLOCK: &str = "this machine's clock is off";

/// What is said of a bucket that is in another region than the one that was asked.
pub const ELSEWHERE: &str = "the bucket is in";

/// What is said of a statement that there was no time to wait for.
pub const TOO_LONG: &str = "the statement took too long and was stopped";

/// What is said of an account that the settings do not allow.
pub const NOT_ALLOWED: &str = "is not in `aws.allowed_accounts`";

/// What is said where there are none.
pub const NO_CREDENTIALS: &str = "no credentials were found";

/// In place of a code where an answer has none.
pub const NO_CODE: &str = "no code";

/// What is said of an answer that denies access and says no more.
const NO_REASON: &str = "403 without a reason";

/// Characters of AWS's own message that are kept.
const MESSAGE_LIMIT: usize = 300;

impl Failure {
    /// A failure with words of our own.
    #[must_use]
    pub fn new(kind: Kind, words: impl Into<String>) -> Self {
        Failure {
            kind,
            ambiguous: false,
            words: words.into(),
        }
    }

    /// Sorts the error of the call `action` (such as `dynamodb:GetItem`).
    pub fn of<E>(action: &str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        if let Some(refused) = role_refused(error) {
            return refused;
        }
        let (kind, ambiguous, words) = match error {
            SdkError::TimeoutError(_) => (Kind::Unreachable, true, "no answer in time, after retries".to_owned()),
            SdkError::DispatchFailure(inner) if inner.is_timeout() => {
                (Kind::Unreachable, true, "no answer in time, after retries".to_owned())
            }
            SdkError::DispatchFailure(inner) if inner.is_io() => {
                (Kind::Unreachable, true, "no connection, after retries".to_owned())
            }
            SdkError::DispatchFailure(inner) => {
                let cause = inner.as_connector_error().map_or_else(String::new, |e| chain(e));
                match credentials(&cause) {
                    found if found.0 == Kind::Credentials => found,
                    _ if inner.is_other() => (
                        Kind::Unreachable,
                        true,
                        "the connection broke off, after retries".to_owned(),
                    ),
                    other => other,
                }
            }
            SdkError::ResponseError(_) => (
                Kind::Unreachable,
                true,
                "the answer broke off or is not what this service answers".to_owned(),
            ),
            SdkError::ServiceError(inner) => {
                let status = inner.raw().status().as_u16();
                let code = inner.err().code().unwrap_or(NO_CODE);
                let message = inner.err().message().unwrap_or_default();
                service(code, message, status)
            }
            SdkError::ConstructionFailure(_) | _ => credentials(&chain(error)),
        };
        Failure {
            kind,
            ambiguous,
            words: format!("{action}: {words}"),
        }
    }

    /// Sorts what came of the search for the credentials of the call `action`: a role that cannot be taken is none that is missing.
    #[must_use]
    pub fn of_search(action: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        role_refused(error).unwrap_or_else(|| Failure::new(Kind::Credentials, format!("{action}: {NO_CREDENTIALS}")))
    }

    /// Sorts an answer that is no success, of the call `action`.
    #[must_use]
    pub fn answered(action: &str, code: &str, message: &str, status: u16) -> Self {
        let (kind, ambiguous, words) = service(code, message, status);
        Failure {
            kind,
            ambiguous,
            words: format!("{action}: {words}"),
        }
    }

    /// The same, of what it is about.
    #[must_use]
    pub fn about(self, what: &str) -> Self {
        Failure {
            words: format!("{what}: {}", self.words),
            ..self
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.kind {
            Kind::Throttled => {
                "the next run goes on where this one stopped; raise the limits of the service if it repeats"
            }
            Kind::Unreachable if self.words.contains(TOO_LONG) => {
                "raise `limits.time_budget_seconds`, in the function its timeout too, or name fewer `products` or months"
            }
            Kind::Unavailable | Kind::Unreachable if self.is_of_secret() => {
                "the next run asks again; what runs without a way to the internet needs an endpoint for Secrets Manager"
            }
            Kind::Unavailable | Kind::Unreachable => "the next run goes on where this one stopped",
            Kind::Expired => "renew the credentials and run again",
            Kind::Credentials if self.words.contains(CLOCK) => "set the clock of this machine, by NTP for instance",
            Kind::Credentials => "set AWS_PROFILE, or the access key in the environment, or run with a role",
            Kind::Denied if self.words.contains(NOT_ALLOWED) => {
                "name it in `aws.allowed_accounts`, or take another `role` or other credentials"
            }
            Kind::Denied if self.words.contains(NO_REASON) => {
                "`finops aws permissions` lists the actions that each part needs; the policy of an endpoint, or a proxy, may deny it, too"
            }
            Kind::Denied => "`finops aws permissions` lists the actions that each part needs",
            Kind::Missing if self.is_of_secret() => {
                "check its name, and the region: a secret of another region is named by its ARN"
            }
            Kind::Missing if self.words.starts_with("s3:GetObject") => {
                "it has gone since it was listed; the next run looks again"
            }
            Kind::Missing if self.words.starts_with("s3:") => "check the name of the bucket",
            Kind::Missing => "check namespace, environment and region; terraform creates the resources",
            Kind::Condition => "run it again: it decides anew on what is true now",
            Kind::Refused if self.words.contains("`aws.paid_requests_per_") => {
                "raise that cap, or `aws.refresh_hours`; a month's is full again on the 1st"
            }
            Kind::Refused if self.words.contains("COLUMN_NOT_FOUND") => {
                "a table without the column `product` needs `product_name = \"\"`, one without columns `…_net_…` needs `net = false`, one without savings plans and reservations `amortized = false`"
            }
            Kind::Refused if self.words.contains("Bytes scanned limit") => {
                "raise the limit of the workgroup on bytes that a query may scan, or name fewer `products` or months"
            }
            Kind::Refused if self.words.contains("InvalidObjectState") => {
                "it is archived: restore it, or have it stay where it can be read"
            }
            Kind::Refused if self.words.contains(ELSEWHERE) => "give the source that `region`",
            Kind::Refused if self.is_of_secret() => "check the secret in Secrets Manager",
            Kind::Refused if self.words.contains("`max_scan_gb`") => "raise it, or name fewer `products` or months",
            Kind::Refused => "check the settings of this service",
        }
    }

    fn is_of_secret(&self) -> bool {
        self.words.starts_with("the secret `")
    }
}

/// A role that may not be taken shows inside the search for credentials, below any call made with it.
fn role_refused(error: &dyn std::error::Error) -> Option<Failure> {
    let mut at = error.source();
    while let Some(inner) = at {
        if let Some(refused) = inner.downcast_ref::<SdkError<AssumeRoleError>>() {
            return Some(Failure::of("sts:AssumeRole", refused));
        }
        at = inner.source();
    }
    None
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    clean(&text)
}

fn clean(text: &str) -> String {
    shown(text, ' ').chars().take(MESSAGE_LIMIT).collect()
}

/// A failure before the request left: most often the search for credentials.
fn credentials(cause: &str) -> (Kind, bool, String) {
    if cause.contains("credential") || cause.contains("Credential") || cause.contains("identity") {
        return (Kind::Credentials, false, NO_CREDENTIALS.to_owned());
    }
    (Kind::Refused, false, format!("the request could not be made: {cause}"))
}

fn service(code: &str, message: &str, status: u16) -> (Kind, bool, String) {
    let message = clean(message);
    // DynamoDB and S3 say the same of a key as SNS, with another end.
    match code
        .strip_suffix("Exception")
        .filter(|c| c.starts_with("KMS"))
        .unwrap_or(code)
    {
        "KMSThrottling" => {
            return (
                Kind::Throttled,
                false,
                format!("the key is throttled after retries ({code})"),
            );
        }
        "KMSAccessDenied" | "KMSDisabled" | "KMSInvalidState" | "KMSNotFound" | "KMSOptInRequired" => {
            return (
                Kind::Denied,
                false,
                format!("the encryption key cannot be used ({code}): {message}"),
            );
        }
        _ => {}
    }
    if code == "RequestTimeTooSkewed" || (code.starts_with("InvalidSignature") && message.contains("Signature expired"))
    {
        return (Kind::Credentials, false, format!("{CLOCK} ({code}): {message}"));
    }
    match code {
        // The last two are reasons why a transaction is cancelled.
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "LimitExceededException"
        | "SlowDown"
        | "ThrottlingError"
        | "ProvisionedThroughputExceeded" => (Kind::Throttled, false, format!("throttled after retries ({code})")),
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            (Kind::Expired, false, "the credentials have expired".to_owned())
        }
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId"
        | "AuthFailure"
        | "MissingAuthenticationToken"
        | "IncompleteSignature" => (
            Kind::Credentials,
            false,
            format!("the credentials are not accepted ({code})"),
        ),
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "UnauthorizedOperation"
        | "NotAuthorized" => (Kind::Denied, false, format!("access denied: {message}")),
        "ResourceNotFoundException"
        | "NotFoundException"
        | "NotFound"
        | "NotFoundFault"
        | "NoSuchBucket"
        | "NoSuchKey" => (Kind::Missing, false, format!("it does not exist: {message}")),
        "ConditionalCheckFailedException" => (Kind::Condition, false, "a condition did not hold".to_owned()),
        // Empty, or a page of what stands before the service.
        NO_CODE if status == 403 => {
            let reason = if message.is_empty() { NO_REASON } else { &message };
            (Kind::Denied, false, format!("access denied: {reason}"))
        }
        _ if status == 429 => (Kind::Throttled, false, format!("throttled after retries ({code})")),
        _ if status >= 500 => (
            Kind::Unavailable,
            true,
            format!("AWS answered {status} ({code}), after retries"),
        ),
        _ => (
            Kind::Refused,
            false,
            format!("refused with {status} ({code}): {message}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_into_kinds_that_say_what_to_do() {
        for (code, status, kind) in [
            ("ThrottlingException", 400, Kind::Throttled),
            ("TooManyRequests", 429, Kind::Throttled),
            ("ExpiredTokenException", 400, Kind::Expired),
            ("UnrecognizedClientException", 400, Kind::Credentials),
            ("AccessDeniedException", 400, Kind::Denied),
            (NO_CODE, 403, Kind::Denied),
            // An object that is archived.
            ("InvalidObjectState", 403, Kind::Refused),
            (NO_CODE, 400, Kind::Refused),
            ("ResourceNotFoundException", 400, Kind::Missing),
            ("KMSAccessDenied", 400, Kind::Denied),
            ("KMSAccessDeniedException", 400, Kind::Denied),
            ("KMSDisabled", 400, Kind::Denied),
            ("KMSThrottling", 400, Kind::Throttled),
            ("InternalServerError", 500, Kind::Unavailable),
            ("ValidationException", 400, Kind::Refused),
        ] {
            assert_eq!(service(code, "", status).0, kind, "{code}");
        }
        assert!(
            service("InternalServerError", "", 503).1,
            "a 5xx may come after the write"
        );
        let column = Failure::new(
            Kind::Refused,
            "the statement failed: COLUMN_NOT_FOUND: line 1:8: product",
        );
        assert!(column.hint().contains("`product_name = \"\"`"));
        let skewed = Failure::answered(
            "sts:GetCallerIdentity",
            "InvalidSignatureException",
            "Signature expired: now",
            403,
        );
        assert!(
            skewed.to_string().contains("clock is off") && skewed.hint().contains("clock"),
            "{skewed}"
        );
    }
}
