//! Calls of two sources that look like the same ones: witnesses that share no id count each, and nobody sees it in a sum.

use std::collections::{BTreeMap, HashMap};

use rustc_hash::FxBuildHasher;

use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, Rank, UsageEvent};

/// Calls of each source that are looked at in one run.
const MOST: u64 = 100_000;
/// Seconds within which two witnesses tell one call: one says when it began, the other when it ended.
const NEAR: i64 = 600;
/// Tokens from which on two calls are rarely as large by chance.
const LARGE: u64 = 200;
/// Calls from which on it is no chance, and the part of the lesser source that they have to be.
const ENOUGH: u64 = 5;
const PART: u64 = 10;
/// How many calls that look alike outweigh one of a source that looks like another of its own.
const CHANCE: u64 = 3;

/// How large a call is, and about when it was made.
type Size = (u64, u64, i64);

/// A call that was met.
struct Known {
    id: EventId,
    source: Label,
    /// With whose it was compared last.
    last: Label,
    /// Whether a span told it. Which of two spans are one call is known by their traces.
    is_span: bool,
}

/// The calls met in this run.
#[derive(Default)]
pub(super) struct Alike {
    /// Of each size the first call.
    known: HashMap<Size, Known, FxBuildHasher>,
    /// How many of each source were looked at.
    looked_at: BTreeMap<Label, u64>,
    /// Calls of a source that are as large as others of its own: where these are many, it is no wonder that those of another are, too.
    repeated: BTreeMap<Label, u64>,
    /// Calls of two sources that look alike.
    pairs: BTreeMap<(Label, Label), u64>,
}

impl Alike {
    /// Looks at calls of a source.
    pub fn look(&mut self, source: Label, calls: &[UsageEvent]) {
        let looked_at = self.looked_at.entry(source).or_default();
        for call in calls {
            let (prompt, output) = (call.tokens.prompt(), call.tokens.get(Bucket::Output));
            // Sums are no calls, and small ones are alike by chance.
            if *looked_at >= MOST || call.rank.authority >= Rank::REPORT || output == 0 || prompt + output < LARGE {
                continue;
            }
            *looked_at += 1;
            let about = call.at.timestamp().div_euclid(NEAR);
            let is_span = [Rank::SPAN, Rank::SPAN_RAISED, Rank::SPAN_NOTHING].contains(&call.rank.authority);
            let mut met = false;
            for about in [about, about - 1, about + 1] {
                let Some(known) = self.known.get_mut(&(prompt, output, about)) else {
                    continue;
                };
                let is_own = known.source == source;
                if is_own && known.id != call.id && !met {
                    *self.repeated.entry(source).or_default() += 1;
                }
                met |= is_own;
                if !is_own && known.last != source && known.id != call.id && !(known.is_span && is_span) {
                    known.last = source;
                    met = true;
                    let pair = (source.min(known.source), source.max(known.source));
                    *self.pairs.entry(pair).or_default() += 1;
                    break;
                }
            }
            if !met {
                self.known.entry((prompt, output, about)).or_insert(Known {
                    id: call.id,
                    source,
                    last: source,
                    is_span,
                });
            }
        }
    }

    /// What is to be told, with how many calls it is about.
    pub fn told(&self) -> impl Iterator<Item = (String, u64)> {
        let of = |source: &Label| self.looked_at.get(source).copied().unwrap_or(0);
        let repeated = |source: &Label| self.repeated.get(source).copied().unwrap_or(0);
        let many = move |((one, other), calls): &(&(Label, Label), &u64)| {
            let by_chance = repeated(one).max(repeated(other)) * CHANCE >= **calls;
            **calls >= ENOUGH && **calls * PART >= of(one).min(of(other)) && !by_chance
        };
        self.pairs.iter().filter(many).map(|((one, other), calls)| {
            let about = format!(
                "calls of `{one}` and of `{other}` are as large as each other and of the same time, under ids that differ: where both tell the same \
                 calls, these count twice, and one of the two sources is to be taken out"
            );
            (about, *calls)
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::domain::usage::Tokens;

    fn call(n: u8, second: i64, input: u64) -> UsageEvent {
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_790_000_000 + second);
        let mut call = UsageEvent::new(EventId([n; 16]), at, "p".into(), "m".into());
        call.tokens = Tokens::default()
            .with(Bucket::InputUncached, input)
            .with(Bucket::Output, 90);
        call
    }

    fn told(of: &[(&str, Vec<UsageEvent>)]) -> Vec<u64> {
        let mut alike = Alike::default();
        for (source, calls) in of {
            alike.look((*source).into(), calls);
        }
        alike.told().map(|(_, calls)| calls).collect()
    }

    #[test]
    fn calls_of_two_sources_that_look_like_the_same_ones_are_told() {
        let log: Vec<_> = (0..20)
            .map(|n| call(n, i64::from(n) * 60, 1000 + u64::from(n)))
            .collect();
        let later = |id: u8, minutes: i64| -> Vec<_> {
            let again = log.iter().map(|e| UsageEvent {
                id: EventId([e.id.0[0] + id; 16]),
                at: e.at + TimeDelta::minutes(minutes),
                ..*e
            });
            again.collect()
        };
        assert_eq!(told(&[("a", log.clone()), ("b", later(100, 1))]), [20]);
        assert_eq!(
            told(&[("b", later(100, 1)), ("a", log.clone()), ("a", log.clone())]),
            [20]
        );
        let of_spans = |mut calls: Vec<UsageEvent>| {
            calls.iter_mut().for_each(|call| call.rank.authority = Rank::SPAN);
            calls
        };
        assert_eq!(told(&[("a", of_spans(log.clone())), ("b", later(100, 1))]), [20]);
        assert!(told(&[("a", of_spans(log.clone())), ("b", of_spans(later(100, 1)))]).is_empty());
        // One call under one name, calls of one source, of other hours, of other sizes, few among many, and those of a sum.
        assert!(told(&[("a", log.clone()), ("b", later(0, 1))]).is_empty());
        assert!(told(&[("a", log.clone()), ("a", later(100, 1))]).is_empty());
        assert!(told(&[("a", log.clone()), ("b", later(100, 60))]).is_empty());
        let others = (0..200).map(|n| call(n, 0, 5000 + u64::from(n)));
        let many: Vec<_> = later(100, 1).into_iter().take(9).chain(others).collect();
        let more: Vec<_> = log
            .iter()
            .copied()
            .chain((0..200).map(|n| call(n, 0, 9000 + u64::from(n))))
            .collect();
        assert!(told(&[("a", more), ("b", many)]).is_empty());
        // Few sizes, as of a classifier.
        let few = |id: u8| -> Vec<_> {
            (0..90)
                .map(|n| call(n + id, i64::from(n) * 20, 300 + u64::from(n) % 9))
                .collect()
        };
        assert!(told(&[("a", few(0)), ("b", few(100))]).is_empty());
        let mut sums = later(100, 1);
        sums.iter_mut().for_each(|sum| sum.rank.authority = Rank::REPORT);
        assert!(told(&[("a", log), ("b", sums)]).is_empty());
    }
}
