//! What was received so far, and what is told of it while more comes in.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::{DateTime, TimeDelta, Utc};

use super::super::text::{clean, counted};
use crate::adapters::ingest::Refused;
use crate::domain::money::add_exact;
use crate::engine::collect::Collection;

/// A kind of warning is told at once, and after that so often at most.
const AGAIN: TimeDelta = TimeDelta::hours(1);

/// Kinds of warnings told apart: emitters are named by strangers.
const KINDS: usize = 200;

/// Kinds beyond that.
const OTHERS: &str = "other warnings";

/// What calls without a price are told as.
const UNPRICED: &str = "calls without a price, which `finops price missing` names";

/// Rejected records beyond those that a request's rejections name.
const FURTHER: &str = "rejected: further records of the same requests";

/// A kind of warning.
struct Told {
    /// The words in which it was met first.
    about: String,
    /// When it was told last.
    at: DateTime<Utc>,
    /// Times that it occurred since.
    since: u64,
}

impl Told {
    /// Whether it was told just now. What was told ahead of now was told by a clock that was wrong.
    fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        (TimeDelta::zero()..AGAIN).contains(&now.signed_duration_since(self.at))
    }
}

/// Sums up what requests brought.
#[derive(Default)]
pub(super) struct Received {
    /// The sums.
    pub total: Collection,
    told: BTreeMap<String, Told>,
}

impl Received {
    /// Adds what one batch of requests brought, and tells what is new or was not told for long.
    pub fn add(&mut self, one: &Collection, now: DateTime<Utc>, err: &mut dyn Write) -> io::Result<()> {
        let (sum, new) = (&mut self.total.recorded, &one.recorded);
        sum.recorded += new.recorded;
        sum.known += new.known;
        sum.duplicates += new.duplicates;
        sum.unpriced += new.unpriced;
        sum.cost = add_exact(sum.cost, new.cost).unwrap_or(sum.cost);
        self.total.rejected += one.rejected;
        self.total.bills += one.bills;
        for (kind, count) in &one.excluded {
            *self.total.excluded.entry(kind).or_default() += count;
        }
        let unpriced = (UNPRICED, new.unpriced);
        let warnings = one.warnings.iter().map(|(about, times)| (about.as_str(), *times));
        for (about, times) in warnings.chain([unpriced]).filter(|(_, times)| *times > 0) {
            self.warn(about, about, times, now, err)?;
        }
        for rejection in &one.first_rejections {
            let about = match &rejection.field {
                Some(field) => format!("rejected: `{field}`: {}", rejection.reason),
                None => format!("rejected: {}", rejection.reason),
            };
            // Numbers and ids are those of one record.
            let words = about.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
            let kind: String = words
                .filter(|word| !word.contains(|c: char| c.is_ascii_digit()))
                .collect();
            self.warn(&kind, &about, 1, now, err)?;
        }
        let further = one.rejected.saturating_sub(one.first_rejections.len() as u64);
        if further > 0 {
            self.warn(FURTHER, FURTHER, further, now, err)?;
        }
        Ok(())
    }

    /// Adds requests that were refused, and tells what is new or was not told for long.
    pub fn refused(&mut self, refused: &[Refused], now: DateTime<Utc>, err: &mut dyn Write) -> io::Result<()> {
        for one in refused {
            let at = match one.path.as_str() {
                "" => String::new(),
                path => format!(" at `{path}`"),
            };
            let about = format!("requests refused with {}{at}: {}", one.status, one.reason);
            self.warn(&about, &about, one.times, now, err)?;
        }
        Ok(())
    }

    /// Tells how often that occurred which was told an hour ago.
    pub fn passes(&mut self, now: DateTime<Utc>, err: &mut dyn Write) -> io::Result<()> {
        for told in self.told.values_mut().filter(|told| told.since > 0) {
            if !told.is_fresh(now) {
                told.at = now;
                say(&told.about, std::mem::take(&mut told.since), err)?;
            }
        }
        Ok(())
    }

    /// Tells something of a kind, in these words where it is the first.
    fn warn(&mut self, kind: &str, about: &str, times: u64, now: DateTime<Utc>, err: &mut dyn Write) -> io::Result<()> {
        let known = self.told.len() < KINDS || self.told.contains_key(kind);
        let (kind, about) = if known { (kind, about) } else { (OTHERS, OTHERS) };
        match self.told.get_mut(kind) {
            Some(told) if told.is_fresh(now) => {
                told.since += times;
                Ok(())
            }
            Some(told) => {
                let since = std::mem::take(&mut told.since) + times;
                told.at = now;
                say(&told.about, since, err)
            }
            None => {
                let about = about.to_owned();
                say(&about, times, err)?;
                self.told.insert(
                    kind.to_owned(),
                    Told {
                        about,
                        at: now,
                        since: 0,
                    },
                );
                Ok(())
            }
        }
    }

    /// Tells what was not told yet.
    pub fn end(&self, err: &mut dyn Write) -> io::Result<()> {
        for told in self.told.values().filter(|told| told.since > 0) {
            say(&told.about, told.since, err)?;
        }
        Ok(())
    }
}

fn say(about: &str, times: u64, err: &mut dyn Write) -> io::Result<()> {
    writeln!(err, "warning: {} ({})", clean(about), counted(times, "time"))?;
    err.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Rejection;

    #[test]
    fn a_kind_of_warning_is_told_at_once_then_hourly_and_at_the_end() {
        let mut received = Received::default();
        let mut err = Vec::new();
        let mut one = Collection::default();
        one.warnings.insert("gap".to_owned(), 2);
        one.recorded.unpriced = 1;
        for minute in [0, 1, 30, 61, 62] {
            let now = DateTime::from_timestamp(1_790_000_000 + 60 * minute, 0).unwrap();
            received.add(&one, now, &mut err).unwrap();
            one.recorded.unpriced = 0;
        }
        // Nothing comes any more, and then a clock is set back.
        for minute in [120, 121, 200] {
            let now = DateTime::from_timestamp(1_790_000_000 + 60 * minute, 0).unwrap();
            received.passes(now, &mut err).unwrap();
        }
        for minute in [130, 100, 101] {
            let now = DateTime::from_timestamp(1_790_000_000 + 60 * minute, 0).unwrap();
            received.add(&one, now, &mut err).unwrap();
        }
        received.end(&mut err).unwrap();
        let told = String::from_utf8(err).unwrap();
        let unpriced = format!("warning: {UNPRICED} (1 time)");
        let expected = [
            "warning: gap (2 times)",
            &unpriced,
            "warning: gap (6 times)",
            // At 121 minutes.
            "warning: gap (2 times)",
            // At 100 minutes, by a clock that was set back, with those of minute 130.
            "warning: gap (4 times)",
            "warning: gap (2 times)",
        ];
        assert_eq!(told.lines().collect::<Vec<_>>(), expected);
        assert_eq!(received.total.recorded.unpriced, 1);
        let mut err = Vec::new();
        let mut spans = Collection::default();
        for id in ["b7ad6b7169203331", "00f067aa0ba902b7"] {
            spans.first_rejections.push(Rejection {
                file: "request".to_owned(),
                line: 1,
                field: None,
                reason: format!("not a time, in span `{id}`"),
                raw: Vec::new(),
            });
        }
        spans.rejected = 2;
        received.add(&spans, DateTime::UNIX_EPOCH, &mut err).unwrap();
        received.end(&mut err).unwrap();
        let told = String::from_utf8(err).unwrap();
        let of_first = "warning: rejected: not a time, in span `b7ad6b7169203331` (1 time)";
        assert_eq!(told.lines().filter(|line| *line == of_first).count(), 2, "{told}");
        for n in 0..2 * KINDS {
            let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
            received.warn(&n.to_string(), "", 1, now, &mut io::sink()).unwrap();
        }
        assert_eq!(received.told.len(), KINDS + 1);
    }
}
