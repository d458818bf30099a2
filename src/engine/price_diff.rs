//! What changed prices do to one user: the usage of a month at the prices of then and of now.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::report::{Filter, selects};
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::Period;
use crate::domain::price::{Books, Quote};
use crate::domain::usage::UsageEvent;
use crate::ports::{Ledger, StoreError};

/// Prices as of a day.
#[derive(Clone, Copy)]
pub struct AsOf<'a> {
    /// The books.
    pub books: &'a Books,
    /// The UTC day whose prices are taken; the time of day stays that of the call.
    pub day: NaiveDate,
}

/// One line of all receipts together: what, rate, per, factor, rule.
pub type LineKey = (String, Decimal, u32, Decimal, String);

/// One side of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Cost of the priced calls.
    pub cost: Decimal,
    /// Calls without a price.
    pub unpriced: i64,
    /// The entries that priced them.
    pub entries: BTreeMap<String, i64>,
    /// The lines of all receipts, quantities and amounts added up.
    pub lines: BTreeMap<LineKey, (Decimal, Decimal)>,
}

/// A model whose calls cost something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelDiff {
    /// Its calls in the period.
    pub calls: i64,
    /// Their tokens.
    pub tokens: i128,
    /// At the prices of then.
    pub old: Side,
    /// At the prices of now.
    pub new: Side,
}

impl ModelDiff {
    /// Whether anything differs.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.old.cost != self.new.cost || self.old.unpriced != self.new.unpriced
    }
}

/// Compares all calls of a period, by provider and model.
pub fn price_diff(
    ledger: &mut dyn Ledger,
    period: Period,
    filters: &[Filter],
    old: AsOf<'_>,
    new: AsOf<'_>,
) -> Result<BTreeMap<(Label, Label), ModelDiff>, StoreError> {
    let mut models: BTreeMap<(Label, Label), ModelDiff> = BTreeMap::new();
    let mut failed: Option<MoneyError> = None;
    ledger.events(period, &mut |event, _| {
        if selects(filters, &event.dimensions) {
            let model = models.entry((event.provider(), event.model())).or_default();
            model.calls += 1;
            model.tokens += i128::from(event.tokens.total());
            let both = add(&mut model.old, event, old).and_then(|()| add(&mut model.new, event, new));
            failed = failed.take().or(both.err());
        }
        if failed.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(models),
    }
}

fn add(side: &mut Side, event: &UsageEvent, as_of: AsOf<'_>) -> Result<(), MoneyError> {
    let mut moved = *event;
    moved.at = as_of.day.and_time(event.at.time()).and_utc();
    let quote: Quote = as_of.books.quote(&moved);
    if !quote.charge.is_priced() {
        side.unpriced += 1;
        return Ok(());
    }
    side.cost = add_exact(side.cost, quote.charge.cost)?;
    let from = if quote.valid_from.is_empty() {
        "always"
    } else {
        quote.valid_from.as_str()
    };
    let entry = format!("{}/{}/{}@{from}", quote.book, quote.provider, quote.entry);
    *side.entries.entry(entry).or_default() += 1;
    for line in quote.lines {
        let key = (line.what, line.rate, line.per, line.factor, line.rule);
        let slot = side.lines.entry(key).or_default();
        slot.0 = add_exact(slot.0, line.quantity)?;
        slot.1 = add_exact(slot.1, line.amount)?;
    }
    Ok(())
}
