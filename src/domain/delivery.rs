//! How an attempt to deliver a message can end, and what waits to be delivered.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::notification::Notification;

/// Refusals at which a message is set aside.
const REFUSALS: u32 = 3;

/// The least age of a message at the last of them: what refuses it may be mended within a day.
const LEAST_AGE: TimeDelta = TimeDelta::days(1);

/// The longest time that a channel may ask to be left alone.
pub const LONGEST_REST: Duration = Duration::from_secs(86_400);

/// Proof that a channel accepted a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What the channel answered: a status, a message id of its own.
    pub answer: String,
}

/// A channel did not accept a message.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{message}")]
pub struct DeliveryError {
    /// Why, without secrets.
    pub message: String,
    /// Whether and when trying again makes sense.
    pub retry: Retry,
}

/// Whether and when trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Soon, with backoff.
    Backoff,
    /// Not before this time has passed (`Retry-After`).
    After(Duration),
    /// Not this message as it is; the channel may take others. It stays and is tried again at the next run.
    Refused,
    /// Nothing without a change of configuration; the message stays and is tried again at the next run.
    Never,
}

impl DeliveryError {
    /// Until when the channel asked to be left alone, if it did, at most [`LONGEST_REST`].
    fn not_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.retry {
            Retry::After(rest) => now.checked_add_signed(TimeDelta::from_std(rest.min(LONGEST_REST)).ok()?),
            Retry::Backoff | Retry::Refused | Retry::Never => None,
        }
    }
}

/// A message that no channel has accepted yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// The message, as decided.
    pub message: Notification,
    /// Failed attempts so far, over all runs.
    pub attempts: u32,
    /// Those of them at which the channel refused the message for good, as far as they count: only a day after it was decided
    /// there is a last one.
    pub refused: u32,
    /// Until when the channel asked, at the last attempt, to be left alone.
    pub not_before: Option<DateTime<Utc>>,
    /// Why the last attempt failed; empty before the first.
    pub reason: String,
}

impl Pending {
    /// A message that was not tried yet.
    #[must_use]
    pub fn new(message: Notification) -> Self {
        Pending {
            message,
            attempts: 0,
            refused: 0,
            not_before: None,
            reason: String::new(),
        }
    }

    /// The same after one more failure.
    #[must_use]
    pub fn failed(mut self, error: &DeliveryError, at: DateTime<Utc>) -> Self {
        self.attempts = self.attempts.saturating_add(1);
        let last = self.refused.saturating_add(1) >= REFUSALS;
        let old = at.signed_duration_since(self.message.decided_at) >= LEAST_AGE;
        if error.retry == Retry::Refused && (old || !last) {
            self.refused = self.refused.saturating_add(1);
        }
        self.not_before = error.not_before(at);
        self.reason.clone_from(&error.message);
        self
    }

    /// Whether it is set aside: refused for good again and again, for a day at least. It stays, and is tried again only when
    /// someone asks for it.
    #[must_use]
    pub fn is_set_aside(&self) -> bool {
        self.refused >= REFUSALS
    }

    /// Until when its channel wants to be left alone. A time further away than a channel may ask for is that of a clock which
    /// was set back meanwhile.
    #[must_use]
    pub fn rests_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let longest = TimeDelta::from_std(LONGEST_REST).unwrap_or_default();
        let rest = |until: &DateTime<Utc>| until.signed_duration_since(now);
        self.not_before
            .filter(|until| rest(until) > TimeDelta::zero() && rest(until) <= longest)
    }
}
