//! Buckets of which an answer tells a part: OpenAI cuts the first one where its question begins, and the last one where it was asked. What is
//! told from its beginning on is known by the whole bucket, which later answers tell; the rest of one is beside that, and is part of the whole.

use chrono::{DateTime, Utc};

use crate::domain::period::Period;
use crate::domain::usage::Rank;

use super::super::scalar::Scalar;

/// The widths that can be asked for, in seconds.
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What is known of the buckets of an answer.
#[derive(Default)]
pub(super) struct Cuts {
    /// The width that was asked for, as far as the buckets so far tell it.
    width: i64,
    /// Whether the answer begins within a bucket. Who asks so once does it every day, and has each day whole and in part.
    begins_within: bool,
}

/// How much of its bucket a period is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    /// From its beginning on.
    Begun,
    /// Up to its end.
    Rest,
    /// Of another width, or out of the middle.
    Other,
}

/// A bucket as it is told.
pub(super) struct Told<'a> {
    /// What it is known by.
    start: Scalar<'a>,
    end: Scalar<'a>,
    /// The time that is told.
    pub period: Period,
    part: Part,
    is_daily: bool,
    /// Whether there may be a rest of it that other answers tell.
    has_rest: bool,
}

impl Cuts {
    /// Of an answer to a question about days.
    pub fn of_days() -> Self {
        Cuts {
            width: DAY,
            begins_within: false,
        }
    }

    /// Takes note of a bucket that is so long.
    pub fn note(&mut self, period: Period) {
        let told = seconds(period);
        let width = [MINUTE, HOUR].into_iter().find(|width| told <= *width).unwrap_or(DAY);
        self.width = self.width.max(width);
    }

    /// What a bucket is known by. One whose times are no seconds of the epoch is known by what it tells.
    pub fn told<'a>(&mut self, start: &Scalar<'a>, end: &Scalar<'a>, period: Period) -> Told<'a> {
        let from = period.start.timestamp();
        let width = self.width.max(MINUTE);
        let begin = from - from.rem_euclid(width);
        let until = begin + width;
        let to = from + seconds(period);
        let part = match () {
            () if to > until || !is_epoch(start, from) || !is_epoch(end, to) => Part::Other,
            () if from == begin && to == until => Part::All,
            () if from == begin => Part::Begun,
            () if to == until => Part::Rest,
            () => Part::Other,
        };
        self.begins_within |= part == Part::Rest;
        let (known_start, known_end) = match part {
            Part::All | Part::Other => (start.clone(), end.clone()),
            Part::Begun => (start.clone(), as_told(end, until)),
            Part::Rest => (as_told(start, begin), end.clone()),
        };
        Told {
            start: known_start,
            end: known_end,
            period,
            part,
            is_daily: width == DAY,
            has_rest: self.begins_within,
        }
    }
}

fn seconds(period: Period) -> i64 {
    period.length().num_seconds()
}

/// Whether a value is these seconds, as a number or as a text.
fn is_epoch(value: &Scalar<'_>, seconds: i64) -> bool {
    match value {
        Scalar::Whole(told) => i64::try_from(*told) == Ok(seconds),
        Scalar::Text(told) => *told == seconds.to_string(),
        Scalar::Null | Scalar::Negative(_) | Scalar::Float(_) | Scalar::Bool(_) | Scalar::Other => false,
    }
}

/// Seconds in the form of a value.
fn as_told(like: &Scalar<'_>, seconds: i64) -> Scalar<'static> {
    match like {
        Scalar::Text(_) => Scalar::Text(seconds.to_string().into()),
        Scalar::Null | Scalar::Whole(_) | Scalar::Negative(_) | Scalar::Float(_) | Scalar::Bool(_) | Scalar::Other => {
            Scalar::Whole(seconds.unsigned_abs())
        }
    }
}

/// The name space of results of buckets, and of those of the rest of one.
const SPACE: &str = "openai-usage";
const REST: &str = "openai-usage, the rest of a bucket";

/// What a result is known by beside what it is grouped by.
pub(super) struct Known<'t, 'a> {
    pub space: &'static str,
    pub start: &'t Scalar<'a>,
    pub end: &'t Scalar<'a>,
}

impl<'a> Told<'a> {
    /// Whether it is a day, at least from its beginning on.
    pub fn is_of_day(&self) -> bool {
        self.is_daily && matches!(self.part, Part::All | Part::Begun)
    }

    /// What its results are known by.
    pub fn known(&self) -> Known<'_, 'a> {
        Known {
            space: if self.part == Part::Rest { REST } else { SPACE },
            start: &self.start,
            end: &self.end,
        }
    }

    /// What else is in its saved results: of a whole bucket the rest of it; of a part what it was known by before parts had the identity of
    /// their bucket. Nothing of that counts beside them.
    pub fn holds<'t>(&'t self, start: &'t Scalar<'a>, end: &'t Scalar<'a>) -> Option<Known<'t, 'a>> {
        match self.part {
            Part::All if self.has_rest => Some(Known {
                space: REST,
                ..self.known()
            }),
            Part::Begun | Part::Rest => Some(Known {
                space: SPACE,
                start,
                end,
            }),
            Part::All | Part::Other => None,
        }
    }

    /// The standing of a saved result: what tells more of a bucket stands above what tells less of it, whichever file is newer.
    pub fn rank(&self, rank: &mut Rank, answered: Option<DateTime<Utc>>) {
        let Period { start, end } = self.period;
        match self.part {
            Part::All | Part::Other => {}
            Part::Begun => {
                rank.at = answered.map_or(end, |at| at.min(end));
                rank.line = 0;
            }
            Part::Rest => {
                rank.at = end + (end - start);
                rank.line = answered.map_or(0, |at| at.timestamp().unsigned_abs());
            }
        }
    }
}
