//! What changed prices do to one user: the usage of a month at the prices of then and of now.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::report::{Filter, selects_call};
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact, add_most, mul_bounded, mul_exact};
use crate::domain::period::Period;
use crate::domain::price::{Books, Quote, ReceiptLine};
use crate::domain::usage::UsageEvent;
use crate::engine::view::allowance::of_calls_as_of;
use crate::ports::{Ledger, StoreError};

/// Prices as of a day.
#[derive(Clone, Copy)]
pub struct AsOf<'a> {
    /// The books.
    pub books: &'a Books,
    /// The UTC day whose prices are taken; the time of day and the weekday stay those of the call.
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
    /// The most that they may cost.
    pub unpriced_worst_case: Decimal,
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
    // Which searches are free is told by the prices of a side, too.
    let free_then = of_calls_as_of(ledger, period, old.books, old.day)?;
    let free_now = of_calls_as_of(ledger, period, new.books, new.day)?;
    let mut failed: Option<MoneyError> = None;
    ledger.events(period, &mut |event, _| {
        if selects_call(filters, &event.dimensions) {
            let model = models.entry((event.provider(), event.model())).or_default();
            model.calls += 1;
            model.tokens += i128::from(event.tokens.total());
            let then = free_then.get(&event.id).map_or(0, |free| free.free);
            let now = free_now.get(&event.id).map_or(0, |free| free.free);
            let both = add(&mut model.old, event, then, old).and_then(|()| add(&mut model.new, event, now, new));
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

fn add(side: &mut Side, event: &UsageEvent, free: u64, as_of: AsOf<'_>) -> Result<(), MoneyError> {
    let mut quote: Quote = as_of.books.quote_as_of(event, as_of.day);
    if !quote.charge.is_priced() {
        side.unpriced += 1;
        side.unpriced_worst_case = add_most(side.unpriced_worst_case, quote.charge.worst_case)?;
        return Ok(());
    }
    side.cost = add_exact(side.cost, quote.charge.cost)?;
    if let Some(line) = free_line(&quote, free)? {
        side.cost = add_exact(side.cost, line.amount)?;
        quote.lines.push(line);
    }
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

/// What of the fee of searches is not due, where the entry that prices them has an allowance.
fn free_line(quote: &Quote, free: u64) -> Result<Option<ReceiptLine>, MoneyError> {
    let searched = quote.lines.iter().find(|line| line.what == "web_search");
    let (Some(line), Some(allowance)) = (searched.filter(|_| free > 0), &quote.allowance) else {
        return Ok(None);
    };
    let quantity = Decimal::from(free).min(line.quantity);
    let fee = mul_exact(quantity, mul_bounded(line.rate, Decimal::new(1, 3))?)?.normalize();
    Ok(Some(ReceiptLine {
        what: "free searches".to_owned(),
        quantity,
        rate: -line.rate,
        per: line.per,
        factor: line.factor,
        amount: -fee,
        rule: format!(
            "{} a {}, shared by {}",
            allowance.count,
            allowance.per.name(),
            allowance.group
        ),
    }))
}
