//! The time that a question which is paid for rests after it has failed: what was paid for in vain is not paid for again at once.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::domain::usage::EventId;
use crate::ports::{Checkpoint, Checkpoints, SourceError};

use super::failure::{Failure, Kind};

/// The checkpoint of a question that failed.
pub const FAILED: &str = "failed";

/// What a question is known by: with other settings it is another one, which does not rest.
pub fn digest(question: &str) -> String {
    let EventId([a, b, c, d, e, f, g, h, ..]) = EventId::of(&[b"question", question.as_bytes()]);
    format!("{:016x}", u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

/// Whether a question that failed so has to rest. What a person mends, such as a right that is missing, is asked again at the next run.
pub fn is_due(failure: &Failure) -> bool {
    match failure.kind {
        Kind::Denied | Kind::Credentials | Kind::Expired | Kind::Missing => false,
        Kind::Throttled | Kind::Unavailable | Kind::Unreachable | Kind::Condition | Kind::Refused => true,
    }
}

/// That a question failed now.
pub fn failed(now: DateTime<Utc>, digest: &str, cause: &str) -> Checkpoint {
    Checkpoint(format!("{} {digest} {cause}", now.to_rfc3339()).into_bytes())
}

/// Why a question is not asked now: it failed after it was answered last, and half of the time between two answers has not passed since.
pub fn rests(
    known: &Checkpoints,
    answered: Option<DateTime<Utc>>,
    refresh: TimeDelta,
    now: DateTime<Utc>,
    digest: &str,
    what: String,
) -> Option<SourceError> {
    let text = std::str::from_utf8(&known.get(FAILED)?.0).ok()?;
    let (at, asked) = text.split_once(' ')?;
    let cause = asked.strip_prefix(digest)?.trim_start();
    let at: DateTime<Utc> = at.parse().ok()?;
    let again = at + refresh / 2;
    let rests = answered.is_none_or(|answered| answered < at) && at <= now && now < again;
    rests.then(|| SourceError::Read {
        what,
        cause: format!(
            "not asked before {}, since the last question failed: {cause}",
            again.to_rfc3339_opts(SecondsFormat::Secs, true)
        ),
        hint: "each question is paid for: one that failed is asked again after half of `aws.refresh_hours`, and at once with other settings"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_mends_does_not_rest() {
        let due = |kind| is_due(&Failure::new(kind, "x"));
        assert_eq!(
            [Kind::Denied, Kind::Expired, Kind::Unavailable, Kind::Refused].map(due),
            [false, false, true, true]
        );
    }
}
