//! Deliveries of one bill that lie beside each other: folders of runs, each of which holds the billing period anew. The newest counts.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use rust_decimal::Decimal;
use rustc_hash::FxBuildHasher;

use super::slots::Slots;
use super::{Common, Dimensions, Hour};
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::Currency;
use crate::domain::spend::Basis;

/// A folder in which a part or a delivery of bills may lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::adapters::files) struct Delivery {
    /// Where.
    pub folder: PathBuf,
    /// When it was made, as its manifest says, in nanoseconds; 0 where there is none.
    pub submitted: i64,
    /// When a file of it was changed last, in nanoseconds.
    pub changed: u64,
}

impl Delivery {
    /// Whether the folder is one of a run: its manifest says so, or its name is made for nobody to read.
    fn is_run(&self) -> bool {
        let name = self.folder.file_name().map(|name| name.to_string_lossy().into_owned());
        self.submitted != 0 || name.is_some_and(|name| names_a_run(&name))
    }

    fn age(&self) -> (i64, u64, &PathBuf) {
        (self.submitted, self.changed, &self.folder)
    }
}

/// Whether a name holds an identifier or an instant: eight digits of base 16 or more, with a figure among them, and others behind a dash
/// or a `T`.
pub(in crate::adapters::files) fn names_a_run(name: &str) -> bool {
    let parts: Vec<&str> = name.split(['-', 'T', '_']).collect();
    let coded = |part: &&str| part.len() >= 4 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let figures = name.bytes().filter(u8::is_ascii_digit).count();
    // `20261101-20261130` is a billing period.
    let period = parts.len() == 2
        && parts
            .iter()
            .all(|part| part.len() == 8 && part.bytes().all(|b| b.is_ascii_digit()));
    // `1111-2222-3333` is an account.
    let account = name.len() == 14
        && parts
            .iter()
            .all(|part| part.len() == 4 && part.bytes().all(|b| b.is_ascii_digit()));
    !period && !account && figures >= 4 && parts.iter().filter(|part| coded(part)).count() >= 2 && name.len() >= 13
}

/// What is done with the deliveries of one bill. Of those of one family it may be known which counts, and of those of another not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Those, by their place in the list, that were delivered before another one. All others are parts of the bill.
    pub gone: Vec<usize>,
    /// Which of a family counts, where no manifest says so; and which are added up, though some of the bill is in two of them.
    pub told: Vec<String>,
}

/// The sums that lie in more than one delivery, and which these are.
struct Both {
    /// Of each delivery the sums of it, by number, that others have too: the number of their key, and what it costs.
    of: Vec<Vec<(usize, Decimal)>>,
    /// Of each key the deliveries that were taken up so far, with what it costs there.
    taken: Vec<Vec<(usize, Decimal)>>,
    /// How many keys each delivery has at all.
    all: Vec<usize>,
    /// Shared keys with each delivery, and those of the same cost: of one question.
    counts: Vec<(usize, usize)>,
}

impl Both {
    /// `plain`: by what rows have of themselves, without the tags that are put on them later.
    fn of(of: &[(&Delivery, &[u32])], (common, slots): (&[Common], &Slots), basis: Basis, plain: bool) -> Self {
        // A place belongs to one delivery: what it has in common with those of others is told by a rank.
        let mut ranks: HashMap<(Currency, Dimensions), u32, FxBuildHasher> = HashMap::default();
        let mut places: HashMap<u32, u32, FxBuildHasher> = HashMap::default();
        let mut keys: Vec<(u32, Hour, usize, u32)> = Vec::with_capacity(of.iter().map(|(_, all)| all.len()).sum());
        for (at, (_, numbers)) in of.iter().enumerate() {
            for number in *numbers {
                let Some(slot) = slots.get(*number) else { continue };
                let Some(common) = common.get(slot.place.0 as usize) else {
                    continue;
                };
                let rank = *places.entry(slot.place.0).or_insert_with(|| {
                    let next = u32::try_from(ranks.len()).unwrap_or(u32::MAX);
                    let dimensions = if plain {
                        untagged(common.dimensions)
                    } else {
                        common.dimensions
                    };
                    *ranks.entry((common.currency, dimensions)).or_insert(next)
                });
                keys.push((rank, slot.hour, at, *number));
            }
        }
        keys.sort_unstable();
        if plain {
            keys.dedup_by(|a, b| (a.0, a.1, a.2) == (b.0, b.1, b.2));
        }
        let mut all = vec![0; of.len()];
        for (_, _, at, _) in &keys {
            if let Some(count) = all.get_mut(*at) {
                *count += 1;
            }
        }
        let mut both = Both {
            of: vec![Vec::new(); of.len()],
            taken: Vec::new(),
            all,
            counts: vec![(0, 0); of.len()],
        };
        for same in keys
            .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
            .filter(|same| same.len() > 1)
        {
            for (_, _, at, number) in same {
                let cost = slots.get(*number).map(|slot| slots.cost(slot, basis));
                if let (Some(list), Some(cost)) = (both.of.get_mut(*at), cost) {
                    list.push((both.taken.len(), cost));
                }
            }
            both.taken.push(Vec::new());
        }
        both
    }

    /// What a delivery has in common with those that were taken up: which of them, how many sums are in both, and of how many the cost is
    /// the same. In the order in which they were taken up.
    fn with(&mut self, at: usize) -> Vec<(usize, usize, usize)> {
        let mut met = Vec::new();
        for (key, cost) in self.of.get(at).into_iter().flatten() {
            for (other, known) in self.taken.get(*key).into_iter().flatten() {
                if let Some((shared, equal)) = self.counts.get_mut(*other) {
                    if *shared == 0 {
                        met.push(*other);
                    }
                    *shared += 1;
                    *equal += usize::from(cost == known);
                }
            }
        }
        let counted = met.into_iter().map(|other| {
            let (shared, equal) = self.counts.get_mut(other).map(std::mem::take).unwrap_or_default();
            (other, shared, equal)
        });
        counted.collect()
    }

    fn take(&mut self, at: usize) {
        for (key, cost) in self.of.get(at).into_iter().flatten() {
            if let Some(taken) = self.taken.get_mut(*key) {
                taken.push((at, *cost));
            }
        }
    }

    fn forget(&mut self) {
        self.taken.iter_mut().for_each(Vec::clear);
    }

    /// How many sums the smaller one of two has.
    fn least(&self, a: usize, b: usize) -> usize {
        let all = |at: usize| self.all.get(at).copied().unwrap_or_default();
        all(a).min(all(b))
    }
}

/// Decides on the deliveries of one bill, each with the numbers of its sums.
pub(super) fn choose(of: &[(&Delivery, &[u32])], sums: (&[Common], &Slots), basis: Basis, whose: &str) -> Verdict {
    // Only folders that lie beside each other are compared.
    let mut families: BTreeMap<Option<&Path>, Vec<usize>> = BTreeMap::new();
    for (at, (delivery, _)) in of.iter().enumerate() {
        families.entry(delivery.folder.parent()).or_default().push(at);
    }
    let mut verdict = Verdict::default();
    for mut family in families.into_values() {
        // The newest first: what it or one that counts beside it holds was delivered before.
        family.sort_by_key(|at| of.get(*at).map(|(delivery, _)| delivery.age()));
        family.reverse();
        let of: Vec<(usize, &Delivery, &[u32])> = family
            .iter()
            .filter_map(|at| of.get(*at).map(|(delivery, numbers)| (*at, *delivery, *numbers)))
            .collect();
        let members: Vec<(&Delivery, &[u32])> = of.iter().map(|(_, delivery, numbers)| (*delivery, *numbers)).collect();
        let mut both = Both::of(&members, sums, basis, false);
        if both.taken.is_empty() {
            continue;
        }
        // Only names of runs ask for it.
        let named = members.iter().filter(|(delivery, _)| delivery.is_run()).count() > 1;
        let mut plain = named.then(|| Both::of(&members, sums, basis, true));
        let proven = are_runs(&members, &mut both, plain.as_mut());
        both.forget();
        let (mut told, mut doubts) = (None, Vec::new());
        for (at, (place, delivery, _)) in of.iter().enumerate() {
            let before = both.with(at).into_iter().map(|(other, ..)| other).min();
            let other = before.and_then(|other| members.get(other)).map(|(other, _)| *other);
            match other {
                Some(newest) if proven => {
                    verdict.gone.push(*place);
                    if newest.submitted == 0 || delivery.submitted == 0 {
                        told.get_or_insert_with(|| {
                            format!(
                                "several folders hold {whose}; the newest counts, `{}`, and not what was delivered before, as in `{}`",
                                newest.folder.display(),
                                delivery.folder.display()
                            )
                        });
                    }
                    continue;
                }
                Some(other) => doubts.push((*delivery, other)),
                None => {}
            }
            both.take(at);
        }
        verdict.told.extend(told.into_iter().chain(doubt(&doubts, whose)));
    }
    verdict
}

/// What is told of folders that are added up, though days of one are in another.
fn doubt(doubts: &[(&Delivery, &Delivery)], whose: &str) -> Option<String> {
    let ((one, other), more) = doubts.split_first()?;
    let more = match more.len() {
        0 => String::new(),
        more => format!(", and so are {more} more of the folders beside them"),
    };
    Some(format!(
        "`{}` and `{}` both hold days of {whose} and are added up{more}; where one is a delivery of the other, move the older one away",
        one.folder.display(),
        other.folder.display()
    ))
}

/// Dimensions without those that tags tell: a provider puts these on rows that it has delivered before, too.
fn untagged(mut dimensions: Dimensions) -> Dimensions {
    for tag in [
        Dimension::Team,
        Dimension::Agent,
        Dimension::Workflow,
        Dimension::User,
        Dimension::Project,
    ] {
        dimensions.set(tag, Label::default());
    }
    dimensions
}

/// Whether folders beside each other are deliveries of the same rows: one pair shows what they are made of.
fn are_runs(of: &[(&Delivery, &[u32])], both: &mut Both, mut plain: Option<&mut Both>) -> bool {
    let delivery = |at: usize| of.get(at).map(|(delivery, _)| *delivery);
    for at in 0..of.len() {
        let alike = plain.as_mut().map(|plain| plain.with(at)).unwrap_or_default();
        let sure = both.with(at).into_iter().any(|(other, shared, equal)| {
            let (Some(one), Some(other_one)) = (delivery(at), delivery(other)) else {
                return false;
            };
            // A manifest knows. A name is made for runs, but also for accounts, which may have a row in common.
            let manifests = one.submitted != 0 && other_one.submitted != 0;
            let least = both.least(at, other);
            let run = || {
                let plain = plain.as_ref().map_or(0, |plain| plain.least(at, other));
                let mut alike = alike.iter().filter(|(known, ..)| *known == other);
                shared * 2 > least || alike.any(|(_, shared, _)| shared * 2 > plain)
            };
            manifests || equal * 2 > least || (one.is_run() && other_one.is_run() && run())
        });
        if sure {
            return true;
        }
        both.take(at);
        if let Some(plain) = plain.as_mut() {
            plain.take(at);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_runs_are_told_by_their_names() {
        for run in [
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "20261105T063012Z-0f8fad5b-d9cb-469f",
            "2026-11-05T06:30:12.000Z-0f8fad5b",
            "202611050630_0f8fad5b",
        ] {
            assert!(names_a_run(run), "{run}");
        }
        for other in [
            "20261101-20261130",
            "2026-11",
            "us-east-1",
            "team-a",
            "run1",
            "123456789012",
            "1234-5678-9012",
            "BILLING_PERIOD=2026-11",
            "november",
        ] {
            assert!(!names_a_run(other), "{other}");
        }
    }
}
