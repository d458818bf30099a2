//! Bills being put together: rows of a provider's bill, summed per billing account and period, and buckets of cost that replace each other.

mod slots;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use rustc_hash::FxBuildHasher;

use crate::domain::dimension::Dimensions;
use crate::domain::label::Label;
use crate::domain::money::Currency;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, Bill, SpendKey, SpendRows, Sums, TokenSums};

use slots::{HoursOfPlace, Slots};

use super::amount::Cost;
use super::asked::Asked;
use super::line::Fault;

/// One row of a bill.
#[derive(Clone, Debug)]
pub(crate) struct BillRow {
    /// When the charge began.
    pub at: DateTime<Utc>,
    /// The currency of both costs.
    pub currency: Currency,
    /// What it is summed by.
    pub dimensions: Dimensions,
    /// What the invoice will say.
    pub billed: Decimal,
    /// Amortised, after discounts.
    pub effective: Decimal,
    /// Tokens, where the bill counts them.
    pub tokens: TokenSums,
}

/// The costs of one period as a provider's cost interface tells them, complete: a later one of the same account and period replaces it.
#[derive(Clone, Debug)]
pub(crate) struct CostBucket {
    /// Whose.
    pub account: &'static str,
    /// The period.
    pub period: Period,
    /// Its rows.
    pub rows: Vec<BillRow>,
    /// Whether it is a further part of the bucket before it, of the same file.
    pub continues: bool,
}

/// When its file was changed, and how many were read before it: the later one counts.
type Order = (Option<DateTime<Utc>>, u64);

type BucketKey = (&'static str, DateTime<Utc>, DateTime<Utc>);

type Rows = HashMap<SpendKey, Sums>;

/// Rows of one bill, currency and dimensions, of all hours.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Place(u32);

/// What the rows of a place have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Common {
    bill: u32,
    currency: Currency,
    dimensions: Dimensions,
}

/// The bills of one source. All files of a source are read before any bill is told, since a bill may be spread over several.
#[derive(Default)]
pub(super) struct Bills {
    /// Billing account and start of the billing period.
    numbers: BTreeMap<(String, DateTime<Utc>), u32>,
    periods: Vec<Period>,
    places: HashMap<Common, Place, FxBuildHasher>,
    /// By place.
    common: Vec<Common>,
    /// By place.
    hours: Vec<HoursOfPlace>,
    /// Where rows of an hour are summed that came after those of later ones.
    late: HashMap<(Place, Hour), u32, FxBuildHasher>,
    slots: Slots,
    buckets: BTreeMap<BucketKey, (Order, CostBucket)>,
    /// Buckets that were read.
    buckets_read: u64,
    asked: Option<Asked>,
}

impl Bills {
    /// None yet, of which so much is asked.
    pub fn of(asked: Option<Asked>) -> Self {
        Bills {
            asked,
            ..Bills::default()
        }
    }

    /// The one basis of which sums are kept, or both.
    fn basis(&self) -> Option<Basis> {
        self.asked.as_ref().and_then(|asked| asked.basis)
    }

    /// The hour that rows of an hour are summed under.
    #[inline]
    pub fn hour(&self, hour: Hour) -> Hour {
        self.asked.as_ref().map_or(hour, |asked| asked.hour(hour))
    }

    /// Where rows of an account, period, currency and dimensions are summed.
    pub fn place(
        &mut self,
        account: &str,
        period: Period,
        currency: Currency,
        mut dimensions: Dimensions,
    ) -> Result<Place, Fault> {
        if let Some(asked) = &self.asked {
            asked.narrow(&mut dimensions);
        }
        let next = |length: usize| u32::try_from(length).map_err(|_| Fault::whole("more bills than can be told apart"));
        let key = (account.to_owned(), period.start);
        let bill = match self.numbers.get(&key) {
            Some(bill) => *bill,
            None => {
                let bill = next(self.periods.len())?;
                self.periods.push(period);
                self.numbers.insert(key, bill);
                bill
            }
        };
        if let Some(known) = self.periods.get_mut(bill as usize) {
            known.end = known.end.max(period.end);
        }
        let common = Common {
            bill,
            currency,
            dimensions,
        };
        if let Some(place) = self.places.get(&common) {
            return Ok(*place);
        }
        let place = Place(next(self.common.len())?);
        self.common.push(common);
        self.hours.push(HoursOfPlace::default());
        self.places.insert(common, place);
        Ok(place)
    }

    /// Adds one row to a place.
    #[inline]
    pub fn put(
        &mut self,
        place: Place,
        hour: Hour,
        billed: Cost,
        effective: Cost,
        tokens: Option<&TokenSums>,
    ) -> Result<(), Fault> {
        let slot = self.slot(place, hour)?;
        self.add(slot, billed, effective, 1)?;
        if let Some(tokens) = tokens {
            self.slots.count(slot, tokens);
        }
        Ok(())
    }

    /// Takes a bucket of a file that was changed then, unless a later one of its period is known.
    pub fn bucket(&mut self, bucket: CostBucket, changed: Option<DateTime<Utc>>) {
        self.buckets_read += 1;
        let order = (changed, self.buckets_read);
        let key = (bucket.account, bucket.period.start, bucket.period.end);
        if let Some((known, whole)) = self.buckets.get_mut(&key).filter(|_| bucket.continues)
            && known.0 == order.0
        {
            known.1 = order.1;
            whole.rows.extend(bucket.rows);
            return;
        }
        let known = self.buckets.get(&key).map(|(order, _)| *order);
        if known.is_none_or(|known| known <= order) {
            self.buckets.insert(key, (order, bucket));
        }
    }

    /// The bills, complete, in order of account and period, each built when it is asked for; and what could not be added up.
    pub fn finish(self, source: Label) -> (impl Iterator<Item = Bill>, Vec<Fault>) {
        let bases = match self.basis() {
            None => vec![Basis::Billed, Basis::Effective],
            Some(one) => vec![one],
        };
        let mut faults = Vec::new();
        let buckets: Vec<Bill> = self
            .buckets
            .into_values()
            .map(|(_, bucket)| {
                of_bucket(&bucket, source).unwrap_or_else(|fault| {
                    faults.push(fault);
                    bill(identity(&bucket, source), bucket.period, Rows::new())
                })
            })
            .collect();
        let (common, slots) = (self.common, self.slots);
        let mut by_bill = sorted(&common, &slots, self.periods.len());
        let numbers: Vec<((String, DateTime<Utc>), u32)> = self.numbers.into_iter().collect();
        let drafts = numbers.into_iter().filter_map(move |((account, start), number)| {
            let slots_of = by_bill.get_mut(number as usize).map(std::mem::take)?;
            Some(Bill {
                identity: format!("{source}/{account}/{}", start.format("%Y-%m-%d")),
                period: *self.periods.get(number as usize)?,
                rows: rows(&common, &slots, &slots_of, &bases),
                settled_before: None,
            })
        });
        (drafts.chain(buckets), faults)
    }
}

/// The slots of each bill, in order of hour, currency and dimensions.
fn sorted(common: &[Common], slots: &Slots, bills: usize) -> Vec<Vec<u32>> {
    let mut order: Vec<u32> = (0_u32..).take(common.len()).collect();
    // Names are compared once per place here, not once per row.
    order.sort_by_key(|place| common.get(*place as usize).copied());
    let mut ranks = vec![0_u32; order.len()];
    for (rank, place) in (0_u32..).zip(order) {
        if let Some(slot) = ranks.get_mut(place as usize) {
            *slot = rank;
        }
    }
    let mut by_bill: Vec<Vec<(i64, u32, u32)>> = vec![Vec::new(); bills];
    // A place whose first row did not fit has none.
    for (number, slot) in (0_u32..).zip(slots.iter()).filter(|(_, slot)| slot.rows > 0) {
        let place = slot.place.0 as usize;
        let (Some(common), Some(rank)) = (common.get(place), ranks.get(place)) else {
            continue;
        };
        if let Some(list) = by_bill.get_mut(common.bill as usize) {
            list.push((slot.hour.0, *rank, number));
        }
    }
    let lists = by_bill.into_iter().map(|mut list| {
        list.sort_unstable();
        list.into_iter().map(|(_, _, number)| number).collect()
    });
    lists.collect()
}

/// The rows of slots that stand in order: of each hour those of one basis before those of the other.
fn rows(common: &[Common], slots: &Slots, of: &[u32], bases: &[Basis]) -> SpendRows {
    let hour = |number: &u32| slots.get(*number).map(|slot| slot.hour);
    let mut rows = SpendRows::with_capacity(of.len() * bases.len());
    for same in of.chunk_by(|a, b| hour(a) == hour(b)) {
        for basis in bases.iter().copied() {
            for number in same {
                let Some(slot) = slots.get(*number) else { continue };
                let Some(common) = common.get(slot.place.0 as usize) else {
                    continue;
                };
                let key = SpendKey {
                    hour: slot.hour,
                    basis,
                    currency: common.currency,
                    dimensions: common.dimensions,
                };
                rows.push(&key, &slots.sums(slot, basis));
            }
        }
    }
    rows
}

/// The bill of one bucket.
pub(crate) fn of_bucket(bucket: &CostBucket, source: Label) -> Result<Bill, Fault> {
    let mut rows = Rows::new();
    for row in &bucket.rows {
        add_row(&mut rows, row)?;
    }
    Ok(bill(identity(bucket, source), bucket.period, rows))
}

fn identity(bucket: &CostBucket, source: Label) -> String {
    format!(
        "{source}/{}/{}",
        bucket.account,
        bucket.period.start.format("%Y-%m-%dT%H")
    )
}

fn bill(identity: String, period: Period, rows: Rows) -> Bill {
    let mut rows: Vec<(SpendKey, Sums)> = rows.into_iter().collect();
    rows.sort_by_key(|(key, _)| *key);
    Bill {
        identity,
        period,
        rows: rows.into_iter().collect(),
        settled_before: None,
    }
}

fn add_row(rows: &mut Rows, row: &BillRow) -> Result<(), Fault> {
    // Both bases or none: a row that does not fit leaves no half of itself behind.
    let mut sums = Vec::with_capacity(2);
    for (basis, cost) in [(Basis::Billed, row.billed), (Basis::Effective, row.effective)] {
        let key = SpendKey {
            hour: Hour::of(row.at),
            basis,
            currency: row.currency,
            dimensions: row.dimensions,
        };
        let mut sum = rows.get(&key).copied().unwrap_or_default();
        sum.add(&Sums {
            events: 1,
            cost,
            tokens: row.tokens,
            ..Sums::default()
        })
        .map_err(|e| Fault::field("BilledCost", e.to_string()))?;
        sums.push((key, sum));
    }
    rows.extend(sums);
    Ok(())
}
