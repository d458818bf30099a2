//! Bills being put together: rows of a provider's bill, summed per billing account and period, and buckets of cost that replace each other.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::dimension::Dimensions;
use crate::domain::label::Label;
use crate::domain::money::Currency;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, Bill, SpendKey, Sums, TokenSums};

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

/// Where a bucket was read: the later one counts.
pub(super) type Order = (Option<DateTime<Utc>>, u64);

type BucketKey = (&'static str, DateTime<Utc>, DateTime<Utc>);

type Rows = HashMap<SpendKey, Sums>;

/// One bill being read: its period and its sums.
struct Draft {
    period: Period,
    rows: Rows,
}

/// The bills of one source. All files of a source are read before any bill is told, since a bill may be spread over several.
#[derive(Default)]
pub(super) struct Bills {
    drafts: BTreeMap<(String, DateTime<Utc>), Draft>,
    buckets: BTreeMap<BucketKey, (Order, CostBucket)>,
}

impl Bills {
    /// Adds one row to the bill of an account and period.
    pub fn add(&mut self, account: String, period: Period, row: &BillRow) -> Result<(), Fault> {
        let draft = self.drafts.entry((account, period.start)).or_insert_with(|| Draft {
            period,
            rows: HashMap::new(),
        });
        draft.period.end = draft.period.end.max(period.end);
        add_row(&mut draft.rows, row)
    }

    /// Takes a bucket, unless a later one of its period is known.
    pub fn bucket(&mut self, bucket: CostBucket, order: Order) {
        let key = (bucket.account, bucket.period.start, bucket.period.end);
        if let Some((known, whole)) = self.buckets.get_mut(&key).filter(|_| bucket.continues)
            && known.0 == order.0
            && known.1 < order.1
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

    /// The bills, complete, in order of account and period; and what could not be added up.
    pub fn finish(self, source: Label) -> (Vec<Bill>, Vec<Fault>) {
        let mut faults = Vec::new();
        let drafts = self.drafts.into_iter().map(|((account, start), draft)| {
            let identity = format!("{source}/{account}/{}", start.format("%Y-%m-%d"));
            bill(identity, draft.period, draft.rows)
        });
        let buckets = self.buckets.into_values().map(|(_, bucket)| {
            of_bucket(&bucket, source).unwrap_or_else(|fault| {
                faults.push(fault);
                bill(identity(&bucket, source), bucket.period, Rows::new())
            })
        });
        let bills = drafts.chain(buckets).collect();
        (bills, faults)
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
        rows,
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
