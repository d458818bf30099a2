//! Deliveries of one bill that lie beside each other: folders of runs, each of which holds the billing period anew. The newest counts.

use std::collections::HashMap;
use std::path::PathBuf;

use rust_decimal::Decimal;

use super::slots::Slots;
use super::{Common, Dimensions, Hour};
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
fn names_a_run(name: &str) -> bool {
    let parts: Vec<&str> = name.split(['-', 'T', '_']).collect();
    let coded = |part: &&str| part.len() >= 4 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let figures = name.bytes().filter(u8::is_ascii_digit).count();
    // `20261101-20261130` is a billing period.
    let period = parts.len() == 2
        && parts
            .iter()
            .all(|part| part.len() == 8 && part.bytes().all(|b| b.is_ascii_digit()));
    !period && figures >= 4 && parts.iter().filter(|part| coded(part)).count() >= 2 && name.len() >= 13
}

/// What is done with the deliveries of one bill.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All are parts of it.
    Parts,
    /// These places in the list count, in its order; the others were delivered before. Told where no manifest says so.
    Newest(Vec<usize>, Option<String>),
    /// All are added up, though some of it is in two of them.
    Doubtful(String),
}

type Costs = HashMap<(Hour, Currency, Dimensions), Decimal>;

/// Decides on the deliveries of one bill, each with the numbers of its sums.
pub(super) fn choose(
    of: &[(&Delivery, &[u32])],
    (common, slots): (&[Common], &Slots),
    basis: Basis,
    whose: &str,
) -> Verdict {
    let parent = |delivery: &Delivery| delivery.folder.parent().map(PathBuf::from);
    let (mut gone, mut told, mut doubt) = (vec![false; of.len()], None, None);
    let costs: Vec<Costs> = of
        .iter()
        .map(|(_, numbers)| costs(numbers, common, slots, basis))
        .collect();
    let mut order: Vec<usize> = (0..of.len()).collect();
    order.sort_by_key(|at| of.get(*at).map(|(delivery, _)| delivery.age()));
    order.reverse();
    // The newest first: what it or one that counts beside it holds was delivered before.
    let mut kept: Vec<usize> = Vec::new();
    let pairs = |at: usize, with: &[usize]| -> Vec<(usize, usize, usize)> {
        let own = of.get(at).and_then(|(delivery, _)| parent(delivery));
        let beside = with
            .iter()
            .filter(|other| of.get(**other).and_then(|(d, _)| parent(d)) == own);
        let shared = beside.filter_map(|other| {
            let (shared, equal) = shared(costs.get(at)?, costs.get(*other)?);
            (shared > 0).then_some((*other, shared, equal))
        });
        shared.collect()
    };
    let least = |a: usize, b: usize| {
        costs
            .get(a)
            .map_or(0, Costs::len)
            .min(costs.get(b).map_or(0, Costs::len))
    };
    let is_run = |at: usize| of.get(at).is_some_and(|(delivery, _)| delivery.is_run());
    // One pair that holds the same shows what its folder is made of.
    let mut proven: Vec<Option<PathBuf>> = Vec::new();
    for (place, at) in order.iter().enumerate() {
        let newer = order.get(..place).unwrap_or_default();
        let same = pairs(*at, newer).into_iter();
        let mut sure =
            same.filter(|(other, _, equal)| (is_run(*at) && is_run(*other)) || equal * 2 > least(*at, *other));
        if sure.next().is_some() {
            proven.extend(of.get(*at).map(|(delivery, _)| parent(delivery)));
        }
    }
    for at in order {
        let Some((delivery, _)) = of.get(at) else { continue };
        let before = pairs(at, &kept);
        match before.first() {
            None => kept.push(at),
            Some((newest, ..)) if proven.contains(&parent(delivery)) => {
                if let Some(slot) = gone.get_mut(at) {
                    *slot = true;
                }
                let newest = of.get(*newest).map(|(newest, _)| *newest);
                if let Some(newest) = newest.filter(|newest| newest.submitted == 0 || delivery.submitted == 0) {
                    told.get_or_insert_with(|| {
                        format!(
                            "several folders hold {whose}; the newest counts, `{}`, and not what was delivered before, as in `{}`",
                            newest.folder.display(),
                            delivery.folder.display()
                        )
                    });
                }
            }
            Some((other, ..)) => {
                let other = of.get(*other).map(|(other, _)| other.folder.display().to_string());
                doubt = other.map(|other| {
                    format!(
                        "`{}` and `{other}` both hold days of {whose} and are added up; where one is a delivery of the other, move the \
                         older one away",
                        delivery.folder.display()
                    )
                });
                kept.push(at);
            }
        }
    }
    match (gone.contains(&true), doubt) {
        (true, _) => {
            let kept = gone.iter().enumerate().filter(|(_, gone)| !**gone);
            Verdict::Newest(kept.map(|(at, _)| at).collect(), told)
        }
        (false, Some(doubt)) => Verdict::Doubtful(doubt),
        (false, None) => Verdict::Parts,
    }
}

fn costs(numbers: &[u32], common: &[Common], slots: &Slots, basis: Basis) -> Costs {
    let mut all = Costs::new();
    for slot in numbers.iter().filter_map(|number| slots.get(*number)) {
        if let Some(common) = common.get(slot.place.0 as usize) {
            let key = (slot.hour, common.currency, common.dimensions);
            all.insert(key, slots.sums(slot, basis).cost);
        }
    }
    all
}

/// How many sums are in both, and of how many the cost is the same.
fn shared(a: &Costs, b: &Costs) -> (usize, usize) {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let both = few.iter().filter_map(|(key, cost)| Some((cost, many.get(key)?)));
    both.fold((0, 0), |(shared, equal), (a, b)| {
        (shared + 1, equal + usize::from(a == b))
    })
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
            "BILLING_PERIOD=2026-11",
            "november",
        ] {
            assert!(!names_a_run(other), "{other}");
        }
    }
}
