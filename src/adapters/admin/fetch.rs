//! One page of an answer: asked for again where that helps, within the time that there is.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::adapters::http::{self, Kind};
use crate::ports::{Retry, SourceError};

use super::{Admin, AdminSource};

/// Attempts at one page.
const MAX_ATTEMPTS: u32 = 6;
/// The first wait before another attempt; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait that is not asked for by the provider.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Time for one answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Questions without an answer in time after which nothing more is asked: all of them are answered by one host.
pub(super) const MAX_TIMEOUTS: u32 = 2;

/// Why a question has no answer.
pub(super) enum Unanswered {
    /// It may be asked in another way.
    Refused(SourceError),
    /// The provider has no such question.
    Unknown(SourceError),
    /// The answer is too large for one page, or takes too long.
    TooMuch(SourceError),
    Failed(SourceError),
}

impl From<SourceError> for Unanswered {
    fn from(error: SourceError) -> Self {
        Unanswered::Failed(error)
    }
}

impl From<Unanswered> for SourceError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Refused(error)
            | Unanswered::Unknown(error)
            | Unanswered::TooMuch(error)
            | Unanswered::Failed(error) => error,
        }
    }
}

impl AdminSource {
    /// One page, with patience. Where there are smaller ones, one that is not answered in time is not asked for as it is again.
    pub(super) fn fetch(
        &self,
        (path, url): (&str, &str),
        further: Option<(&str, &str)>,
        key: &SecretString,
        has_smaller: bool,
        deadline: DateTime<Utc>,
    ) -> Result<String, Unanswered> {
        let secret = key.expose_secret();
        let bearer = format!("Bearer {secret}");
        let mut headers: Vec<(&str, &str)> = match self.options.whose {
            Admin::Openai => vec![("authorization", &bearer)],
            Admin::Anthropic => vec![("x-api-key", secret), ("anthropic-version", "2023-06-01")],
        };
        headers.extend(further);
        let mut wait = FIRST_WAIT;
        let (mut attempt, mut before) = (1, None::<String>);
        loop {
            let now = self.options.clock.now();
            let left = (deadline - now).to_std().unwrap_or_default();
            if left.is_zero() {
                let (cause, hint) = match before {
                    Some(failed) => (failed, "what was read before is kept; the next run goes on"),
                    None => (
                        "no time is left".to_owned(),
                        "the next run goes on; `limits.time_budget_seconds` gives more time",
                    ),
                };
                return Err(self.failure(path, cause, hint).into());
            }
            // Refusals like to quote what they refuse.
            let failed = match http::get(url, &headers, &[secret], TIMEOUT.min(left)) {
                Ok(text) => return Ok(text),
                Err(failed) => failed,
            };
            if failed.kind == Kind::TimedOut {
                self.timeouts.set(self.timeouts.get() + 1);
            }
            let own = http::jittered(wait, url, attempt, now);
            let (pause, asked) = match failed.retry {
                Retry::Refused | Retry::Never => {
                    let error = self.failure(path, failed.message, hint(failed.kind));
                    return Err(match failed.kind {
                        Kind::Answered(400) => Unanswered::Refused(error),
                        Kind::Answered(404) => Unanswered::Unknown(error),
                        Kind::TooLarge => Unanswered::TooMuch(error),
                        Kind::Answered(_) | Kind::TimedOut | Kind::NoHost | Kind::NoTls | Kind::Unsent => {
                            Unanswered::Failed(error)
                        }
                    });
                }
                // An answer that asks for no wait, or for a time that has passed, must not use up all attempts at once.
                Retry::After(asked) => (asked.max(own), format!(", which asks to wait {} s", asked.as_secs())),
                Retry::Backoff => (own, String::new()),
            };
            let is_slow = matches!(failed.kind, Kind::TimedOut | Kind::Answered(504));
            if attempt == MAX_ATTEMPTS || pause >= left || self.timeouts.get() >= MAX_TIMEOUTS {
                let hint = match failed.kind == Kind::NoHost {
                    true => hint(failed.kind),
                    false => "what was read before is kept; the next run goes on",
                };
                return Err(self.failure(path, failed.message + &asked, hint).into());
            }
            self.options.clock.sleep(pause);
            if is_slow && has_smaller {
                let hint = "the next run asks again";
                return Err(Unanswered::TooMuch(self.failure(path, failed.message, hint)));
            }
            before = Some(failed.message);
            wait = (wait * 2).min(LONGEST_WAIT);
            attempt += 1;
        }
    }
}

/// What to do about a failure for good.
fn hint(kind: Kind) -> &'static str {
    match kind {
        Kind::NoHost => "check the name in `url`, and whether this machine reaches its network and name server",
        Kind::NoTls => {
            "check `url`; only certificates of public authorities are trusted, so that a proxy that looks into TLS has to leave this \
            host out"
        }
        Kind::Answered(401 | 403) => {
            "usage and costs need an admin key of the organisation; check the variable that `key` names"
        }
        Kind::Answered(407) => {
            "a proxy in between wants to know who asks; put user and password into the proxy's address (`HTTPS_PROXY`)"
        }
        Kind::Answered(300..=399) => {
            "the address answers with a redirect, which is not followed; write the address that it leads to into `url`"
        }
        Kind::Answered(_) => "the provider does not know this question; check `url`",
        Kind::TooLarge | Kind::TimedOut | Kind::Unsent => {
            "the next run asks again; if the address is right, check what stands between this program and the provider"
        }
    }
}
