//! The time that a question which is paid for rests after it has failed: what was paid for in vain is not paid for again at once.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::domain::usage::EventId;
use crate::ports::{Checkpoint, Checkpoints, SourceError};

use super::failure::{Failure, Kind};

/// The checkpoint of a question that failed.
pub const FAILED: &str = "failed";

/// What a question is known by: with other settings it is another one, which does not rest.
pub struct Question {
    digest: String,
    /// Seconds that it may take.
    seconds: u64,
}

impl Question {
    /// Of everything of the settings that decides what is answered, and of the time that a run has for it.
    pub fn of(settings: &str, time: Duration) -> Self {
        let EventId([a, b, c, d, e, f, g, h, ..]) = EventId::of(&[b"question", settings.as_bytes()]);
        Question {
            digest: format!("{:016x}", u64::from_be_bytes([a, b, c, d, e, f, g, h])),
            seconds: time.as_secs(),
        }
    }

    /// Whether it has a good deal more time than when it had so much. What the deadline of a function leaves differs a little each time.
    fn has_more_than(&self, seconds: u64) -> bool {
        self.seconds >= seconds.saturating_add(seconds / 4).saturating_add(1)
    }
}

/// Whether a question that failed so has to rest. What a person mends, such as a right that is missing, is asked again at the next run.
pub fn is_due(failure: &Failure) -> bool {
    match failure.kind {
        Kind::Denied | Kind::Credentials | Kind::Expired | Kind::Missing => false,
        Kind::Throttled | Kind::Unavailable | Kind::Unreachable | Kind::Condition | Kind::Refused => true,
    }
}

/// That a question failed now.
pub fn failed(now: DateTime<Utc>, question: &Question, cause: &str) -> Checkpoint {
    let Question { digest, seconds } = question;
    Checkpoint(format!("{} {digest}/{seconds} {cause}", now.to_rfc3339()).into_bytes())
}

/// Why a question is not asked now: it failed after it was answered last, and half of the time between two answers has not passed since.
pub fn rests(
    known: &Checkpoints,
    answered: Option<DateTime<Utc>>,
    refresh: TimeDelta,
    now: DateTime<Utc>,
    question: &Question,
    what: String,
) -> Option<SourceError> {
    let text = std::str::from_utf8(&known.get(FAILED)?.0).ok()?;
    let (at, asked) = text.split_once(' ')?;
    let (had, cause) = asked.strip_prefix(question.digest.as_str())?.split_once(' ')?;
    // Earlier builds did not keep it.
    let had: Option<u64> = had.strip_prefix('/').and_then(|seconds| seconds.parse().ok());
    if had.is_some_and(|seconds| question.has_more_than(seconds)) {
        return None;
    }
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
    fn a_question_rests_unless_it_is_another_one_or_has_more_time() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let asked = |settings: &str, seconds| Question::of(settings, Duration::from_secs(seconds));
        let rests_after = |failed: Checkpoint, question: &Question| {
            let known = Checkpoints::from([(FAILED.to_owned(), failed)]);
            let (refresh, now) = (TimeDelta::hours(8), at("2026-11-10T13:00:00Z"));
            rests(&known, None, refresh, now, question, "a table".to_owned()).map(|error| error.to_string())
        };
        let first = at("2026-11-10T12:00:00Z");
        let kept = failed(first, &asked("a", 217), "no time");
        let told = rests_after(kept.clone(), &asked("a", 217)).unwrap();
        assert!(told.ends_with("since the last question failed: no time"), "{told}");
        // What is left of a function's time differs a little.
        assert!(rests_after(kept.clone(), &asked("a", 218)).is_some());
        assert!(rests_after(kept.clone(), &asked("a", 30)).is_some());
        assert!(rests_after(kept.clone(), &asked("a", 430)).is_none());
        assert!(rests_after(kept, &asked("b", 217)).is_none());
        let Question { digest, .. } = asked("a", 3);
        let earlier = Checkpoint(format!("{} {digest} no time", first.to_rfc3339()).into_bytes());
        assert!(rests_after(earlier, &asked("a", 430)).is_some());
    }

    #[test]
    fn what_a_person_mends_does_not_rest() {
        let due = |kind| is_due(&Failure::new(kind, "x"));
        assert_eq!(
            [Kind::Denied, Kind::Expired, Kind::Unavailable, Kind::Refused].map(due),
            [false, false, true, true]
        );
    }
}
