//! Bills being put together: rows of a provider's bill, summed per billing account and period, and buckets of cost that replace each other.

mod deliveries;
mod finish;
mod slots;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use rustc_hash::FxBuildHasher;

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::money::Currency;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, Bill, SpendKey, Sums, TokenSums};

pub(super) use deliveries::{Delivery, names_a_run};
pub(super) use finish::Told;
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

/// What tells one bill of a source from another. Two providers are never one bill, and a period is the same at whatever hour it begins.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct BillKey {
    account: String,
    start: NaiveDate,
    provider: Label,
}

impl BillKey {
    fn identity(&self, source: Label) -> String {
        let BillKey {
            account,
            start,
            provider,
        } = self;
        format!("{source}/{provider}/{account}/{}", start.format("%Y-%m-%d"))
    }

    /// The identity in ledgers of a time when the bills of two providers could be one.
    fn before(&self, source: Label) -> String {
        format!("{source}/{}/{}", self.account, self.start.format("%Y-%m-%d"))
    }

    /// For people.
    fn words(&self) -> String {
        let of = if self.account.is_empty() {
            "no account"
        } else {
            &self.account
        };
        format!("the bill of {} for {of} from {}", self.provider, self.start)
    }
}

/// The bills of one source. All files of a source are read before any bill is told, since a bill may be spread over several.
#[derive(Default)]
pub(super) struct Bills {
    /// With the delivery that it is a part of.
    numbers: BTreeMap<(BillKey, u32), u32>,
    /// Whether the last row of the file that is read has no line end, and whether it had one when the file was read before.
    pub cut: bool,
    pub ended_before: bool,
    /// Of which the rows are that come now; the first of them is no folder.
    delivery: u32,
    deliveries: Vec<Delivery>,
    /// Their numbers, counted from 1.
    folders: HashMap<PathBuf, u32>,
    /// Bills of the file that is read.
    touched: BTreeSet<BillKey>,
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

    /// Whether a column of a FOCUS bill is read for what is asked.
    pub fn needs(&self, column: &str) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.needs(column))
    }

    /// The hour that rows of an hour are summed under.
    #[inline]
    pub fn hour(&self, hour: Hour) -> Hour {
        self.asked.as_ref().map_or(hour, |asked| asked.hour(hour))
    }

    /// From now on rows are of a folder beside which there are others; none: of no delivery of its own.
    pub fn begin(&mut self, delivery: Option<&Delivery>) {
        self.delivery = delivery.map_or(0, |delivery| {
            if let Some(known) = self.folders.get(&delivery.folder) {
                return *known;
            }
            self.deliveries.push(delivery.clone());
            let number = u32::try_from(self.deliveries.len()).unwrap_or(u32::MAX);
            self.folders.insert(delivery.folder.clone(), number);
            number
        });
        self.touched.clear();
        (self.cut, self.ended_before) = (false, false);
    }

    /// Whether nothing of a bill was read.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.buckets.is_empty()
    }

    /// The identities of the bills that rows were of since the last beginning.
    pub fn told(&self, source: Label) -> Vec<String> {
        self.touched.iter().map(|key| key.identity(source)).collect()
    }

    /// Where rows of an account, period, currency and dimensions are summed.
    pub fn place(
        &mut self,
        account: &str,
        period: Period,
        currency: Currency,
        mut dimensions: Dimensions,
    ) -> Result<Place, Fault> {
        let provider = dimensions.get(Dimension::Provider);
        if let Some(asked) = &self.asked {
            asked.narrow(&mut dimensions);
        }
        let next = |length: usize| u32::try_from(length).map_err(|_| Fault::whole("more bills than can be told apart"));
        let key = BillKey {
            account: account.to_owned(),
            start: period.start.date_naive(),
            provider,
        };
        if !self.touched.contains(&key) {
            self.touched.insert(key.clone());
        }
        let key = (key, self.delivery);
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
        formerly: None,
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
