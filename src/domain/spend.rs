//! Spend: charges summed by hour and dimensions. What budgets, forecasts and reports read.

use std::hash::Hasher;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::charge::{Charge, Outcome};
use super::dimension::{Dimension, Dimensions};
use super::label::Label;
use super::money::{Currency, MoneyError, add_exact, add_most, bounded};
use super::period::Hour;
use super::usage::{Bucket, Requests, Tokens, UsageEvent};

mod bill;
mod rows;

pub use bill::{Bill, Former, KnownBill};
pub use rows::{HourRows, SpendRow, SpendRows};

/// Where a figure comes from. Two bases are alternative views of the same spend and are never mixed in one sum.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Basis {
    /// Computed from usage and the price book, minutes after the call.
    #[default]
    Metered,
    /// `BilledCost` of the provider's bill: what the invoice will say.
    Billed,
    /// `EffectiveCost` of the bill: amortised, after discounts.
    Effective,
    /// Billed, and behind what is billed metered spend, scaled by how the two compared last. Computed when read, never stored.
    #[serde(rename = "billed, metered where late")]
    BilledFilled,
}

impl Basis {
    /// All of them; the position is what stores keep.
    pub const ALL: [Basis; 4] = [Basis::Metered, Basis::Billed, Basis::Effective, Basis::BilledFilled];

    /// The name in reports, policies and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Basis::Metered => "metered",
            Basis::Billed => "billed",
            Basis::Effective => "effective",
            Basis::BilledFilled => "billed, metered where late",
        }
    }
}

/// What a row of spend is summed by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SpendKey {
    /// The hour of the charge; the first hour of the UTC day for rows whose hourly detail has expired.
    pub hour: Hour,
    /// Where the figure comes from.
    pub basis: Basis,
    /// Currency of the cost.
    pub currency: Currency,
    /// Values of all dimensions.
    pub dimensions: Dimensions,
}

/// Sums of tokens per bucket, wide enough for any number of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TokenSums {
    buckets: [i128; Bucket::ALL.len()],
    /// Part of output.
    pub reasoning: i128,
}

impl TokenSums {
    /// The sum of one bucket.
    #[must_use]
    pub fn get(&self, bucket: Bucket) -> i128 {
        self.buckets.get(bucket as usize).copied().unwrap_or(0)
    }

    /// Sets the sum of one bucket.
    pub fn set(&mut self, bucket: Bucket, sum: i128) {
        if let Some(slot) = self.buckets.get_mut(bucket as usize) {
            *slot = sum;
        }
    }

    /// All buckets together; reasoning is inside output.
    #[must_use]
    pub fn total(&self) -> i128 {
        self.buckets.iter().sum()
    }

    fn add(&mut self, other: &TokenSums) {
        for (slot, more) in self.buckets.iter_mut().zip(other.buckets) {
            *slot += more;
        }
        self.reasoning += other.reasoning;
    }

    fn subtract(&mut self, other: &TokenSums) {
        for (slot, less) in self.buckets.iter_mut().zip(other.buckets) {
            *slot -= less;
        }
        self.reasoning -= other.reasoning;
    }
}

impl From<&Tokens> for TokenSums {
    fn from(tokens: &Tokens) -> Self {
        let mut sums = TokenSums {
            reasoning: i128::from(tokens.reasoning),
            ..TokenSums::default()
        };
        tokens.iter().for_each(|(bucket, n)| sums.set(bucket, i128::from(n)));
        sums
    }
}

/// The measures of one row of spend. Sums are exact; taking away what was added gives back what was there before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sums {
    /// Usage events (metered) or bill rows (billed).
    pub events: i64,
    /// Tokens, of priced and unpriced events.
    pub tokens: TokenSums,
    /// Web searches, fetches, code executions, file searches.
    pub requests: [i64; 4],
    /// Cost of the priced events, in the key's currency.
    pub cost: Decimal,
    /// What the sources themselves say it cost, where they say so.
    pub reported_cost: Decimal,
    /// Events that have no honest price.
    pub unpriced_events: i64,
    /// Their tokens.
    pub unpriced_tokens: i128,
    /// The most that the unpriced events may cost.
    pub unpriced_worst_case: Decimal,
}

impl Sums {
    /// The measures of one charged event; of one that was taken back there are none.
    #[must_use]
    pub fn of(event: &UsageEvent, charge: &Charge) -> Self {
        let Requests {
            web_searches,
            web_fetches,
            code_executions,
            file_searches,
        } = event.requests;
        if event.is_taken_back() {
            return Sums::default();
        }
        let unpriced = matches!(charge.outcome, Outcome::Unpriced(_));
        Sums {
            events: 1,
            tokens: TokenSums::from(&event.tokens),
            requests: [web_searches, web_fetches, code_executions, file_searches].map(i64::from),
            cost: charge.cost,
            reported_cost: event.reported_cost.unwrap_or_default(),
            unpriced_events: i64::from(unpriced),
            unpriced_tokens: if unpriced { i128::from(event.tokens.total()) } else { 0 },
            unpriced_worst_case: if unpriced { charge.worst_case } else { Decimal::ZERO },
        }
    }

    /// Adds one charged event: the same as adding [`Sums::of`] it, without building that first.
    pub fn add_event(&mut self, event: &UsageEvent, charge: &Charge) -> Result<(), MoneyError> {
        if event.requests != Requests::default()
            || event.reported_cost.is_some()
            || matches!(charge.outcome, Outcome::Unpriced(_))
            || event.is_taken_back()
        {
            return self.add(&Sums::of(event, charge));
        }
        self.cost = add_exact(self.cost, bounded(charge.cost))?;
        self.events += 1;
        for (slot, (_, count)) in self.tokens.buckets.iter_mut().zip(event.tokens.iter()) {
            if count > 0 {
                *slot += i128::from(count);
            }
        }
        self.tokens.reasoning += i128::from(event.tokens.reasoning);
        Ok(())
    }

    /// Adds another row's measures.
    pub fn add(&mut self, other: &Sums) -> Result<(), MoneyError> {
        self.combine(other, 1)
    }

    /// Takes another row's measures away.
    pub fn subtract(&mut self, other: &Sums) -> Result<(), MoneyError> {
        self.combine(other, -1)
    }

    fn combine(&mut self, other: &Sums, sign: i64) -> Result<(), MoneyError> {
        let of = |amount: Decimal| bounded(if sign < 0 { -amount } else { amount });
        self.cost = add_exact(self.cost, of(other.cost))?;
        self.reported_cost = add_exact(self.reported_cost, of(other.reported_cost))?;
        self.unpriced_worst_case = add_most(self.unpriced_worst_case, of(other.unpriced_worst_case))?;
        self.events += sign * other.events;
        // Multiplied by a sign, so many wide numbers would take longer than all else here.
        match sign {
            ..0 => self.tokens.subtract(&other.tokens),
            _ => self.tokens.add(&other.tokens),
        }
        for (slot, more) in self.requests.iter_mut().zip(other.requests) {
            *slot += sign * more;
        }
        self.unpriced_events += sign * other.unpriced_events;
        self.unpriced_tokens += i128::from(sign) * other.unpriced_tokens;
        Ok(())
    }

    /// The same, no amount finer than [`bounded`] leaves it: those that were recorded before there was a bound may be.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for amount in [&mut self.cost, &mut self.reported_cost, &mut self.unpriced_worst_case] {
            *amount = bounded(*amount);
        }
        self
    }

    /// Whether nothing is left in it, so that the row can go.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events == 0
            && self.tokens == TokenSums::default()
            && self.requests == [0; 4]
            && self.cost.is_zero()
            && self.reported_cost.is_zero()
            && self.unpriced_events == 0
            && self.unpriced_tokens == 0
            && self.unpriced_worst_case.is_zero()
    }
}

/// The key under which a metered event is summed.
#[must_use]
pub fn metered_key(event: &UsageEvent) -> SpendKey {
    SpendKey {
        hour: Hour::of(event.at),
        basis: Basis::Metered,
        currency: Currency::USD,
        dimensions: metered_dimensions(&event.dimensions),
    }
}

/// The dimensions of that key.
#[must_use]
pub fn metered_dimensions(of_event: &Dimensions) -> Dimensions {
    let mut dimensions = *of_event;
    if dimensions.get(Dimension::Category).is_empty() {
        dimensions.set(Dimension::Category, usage_category());
    }
    dimensions
}

/// Hashes [`metered_dimensions`] without making them.
#[inline]
pub fn hash_metered<H: Hasher>(of_event: &Dimensions, state: &mut H) {
    of_event.hash_or(Dimension::Category, usage_category(), state);
}

/// FOCUS `ChargeCategory` of metered spend.
#[must_use]
pub fn usage_category() -> Label {
    static USAGE: std::sync::OnceLock<Label> = std::sync::OnceLock::new();
    *USAGE.get_or_init(|| Label::new("Usage"))
}

/// [`Restatement::bill`] of days that calls priced anew have changed.
pub const REPRICED: &str = "reprice";

/// A recorded bill or price changed: what an already recorded day cost before and costs now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restatement {
    /// When the change was seen.
    pub seen_at: chrono::DateTime<chrono::Utc>,
    /// [`Bill::identity`], or [`REPRICED`].
    pub bill: String,
    /// First hour of the UTC day that changed.
    pub day: Hour,
    /// Basis of both figures.
    pub basis: Basis,
    /// Currency of both figures.
    pub currency: Currency,
    /// The day's cost before.
    pub old: Decimal,
    /// The day's cost now.
    pub new: Decimal,
}

/// What a new version of a bill changes on days that an old version had: one entry per day, basis and currency whose cost
/// differs. A day that is new in the bill is no restatement, but one that came to nothing by the last of what was `told` so far and
/// has cost again.
pub fn restatements(
    bill: &Bill,
    before: impl IntoIterator<Item = (SpendKey, Sums)>,
    told: &[Restatement],
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Vec<Restatement>, MoneyError> {
    type Days = std::collections::BTreeMap<(Hour, Basis, Currency), Decimal>;
    fn days(rows: impl Iterator<Item = (SpendKey, Sums)>) -> Result<Days, MoneyError> {
        let mut days = Days::new();
        for (key, sums) in rows {
            let slot = days.entry((key.hour.day(), key.basis, key.currency)).or_default();
            *slot = add_exact(*slot, sums.cost)?;
        }
        Ok(days)
    }
    let new = days(bill.rows.iter())?;
    let mut old = days(before.into_iter())?;
    let mut last = Days::new();
    for told in told.iter().filter(|told| told.bill == bill.identity) {
        last.insert((told.day, told.basis, told.currency), told.new);
    }
    for (day, _) in last
        .into_iter()
        .filter(|(day, cost)| cost.is_zero() && new.contains_key(day))
    {
        old.entry(day).or_default();
    }
    Ok(old
        .into_iter()
        .map(|((day, basis, currency), old)| Restatement {
            seen_at: now,
            bill: bill.identity.clone(),
            day,
            basis,
            currency,
            old,
            new: new.get(&(day, basis, currency)).copied().unwrap_or_default(),
        })
        .filter(|r| r.old != r.new && bill.settled_before.is_none_or(|open| r.day < open))
        .collect())
}
