//! Turns recorded spend into FOCUS charges: by hour or day, dimensions, meter and price, adding up to the sums exactly.
//!
//! Calls whose detail is kept and whose stored charge the books still explain become a charge per line of their receipts.
//! Whatever the sums hold beyond them (expired detail, charges by another book, free allowances) is one charge a day.

mod bills;
mod meters;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::TimeDelta;
use rust_decimal::Decimal;

use crate::domain::charge::{Charge, Outcome};
use crate::domain::contract::{Agreed, Terms};
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::focus::FocusCharge;
use crate::domain::money::{Currency, MoneyError, add_exact, mul_bounded, mul_exact};
use crate::domain::period::{Hour, Period};
use crate::domain::price::{Books, Quote};
use crate::domain::spend::{Basis, Sums, metered_key};
use crate::domain::usage::{Bucket, UsageEvent};
use crate::ports::{Ledger, StoreError};

pub use bills::billed;
use meters::{consumed_of, meter, unit_of, used};

/// The span of one charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// An hour.
    Hour,
    /// A UTC day.
    Day,
}

/// The meter of what the sums hold beyond the receipts.
const NO_RECEIPTS: &str = "use without receipts";

/// Span, dimensions, meter, rate × factor, per, rule, entry.
type LineKey = (Hour, Dimensions, String, Decimal, u32, String, String);

/// Quantity and calls.
type Line = (Decimal, i64);

/// Span, dimensions, meter, reason.
type UnpricedKey = (Hour, Dimensions, String, &'static str);

/// Quantity, calls, what they may cost.
type UnpricedLine = (Decimal, i64, Decimal);

#[derive(Default)]
struct Gathered {
    lines: BTreeMap<LineKey, Line>,
    /// What unpriced calls used, by meter and reason, with what they may cost: said once per call.
    unpriced: BTreeMap<UnpricedKey, UnpricedLine>,
    /// What the lines hold, by day and dimensions.
    detailed: BTreeMap<(Hour, Dimensions), Held>,
}

/// What rows or receipts hold. Of calls without a price: tokens, calls, and what they may cost at most.
#[derive(Clone, Copy, Default)]
struct Held {
    cost: Decimal,
    tokens: i128,
    calls: i64,
    unpriced: (i128, i64, Decimal),
}

impl Held {
    fn add(&mut self, other: &Held) -> Result<(), MoneyError> {
        let (tokens, calls, worst) = other.unpriced;
        *self = Held {
            cost: add_exact(self.cost, other.cost)?,
            tokens: self.tokens + other.tokens,
            calls: self.calls + other.calls,
            unpriced: (
                self.unpriced.0 + tokens,
                self.unpriced.1 + calls,
                add_exact(self.unpriced.2, worst)?,
            ),
        };
        Ok(())
    }

    /// What it holds beyond something else.
    fn beyond(&self, other: &Held) -> Result<Held, MoneyError> {
        let (tokens, calls, worst) = other.unpriced;
        let mut rest = *self;
        rest.add(&Held {
            cost: -other.cost,
            tokens: -other.tokens,
            calls: -other.calls,
            unpriced: (-tokens, -calls, -worst),
        })?;
        Ok(rest)
    }
}

/// The charges of a period, in order of time, dimensions and meter.
pub fn focus_charges(
    ledger: &mut dyn Ledger,
    books: &Books,
    terms: &Terms,
    period: Period,
    grain: Grain,
) -> Result<Vec<FocusCharge>, StoreError> {
    let mut gathered = Gathered::default();
    let mut failed: Option<MoneyError> = None;
    ledger.events(period, &mut |event, charge| {
        failed = failed
            .take()
            .or_else(|| gathered.call(books, event, charge, grain).err());
        ControlFlow::Continue(())
    })?;
    type Rows = BTreeMap<(Hour, Dimensions, Currency), Held>;
    let (mut sums_of, mut flat): (Rows, Rows) = (Rows::new(), Rows::new());
    ledger.spend(period, &mut |key, sums: &Sums| {
        if key.basis != Basis::Metered {
            return;
        }
        let bought = key.dimensions.get(Dimension::Category).as_str() == "Purchase";
        let span = if bought && grain == Grain::Hour {
            key.hour
        } else {
            key.hour.day()
        };
        let rows = if bought { &mut flat } else { &mut sums_of };
        let slot = rows.entry((span, key.dimensions, key.currency)).or_default();
        let added = slot.add(&Held {
            cost: sums.cost,
            tokens: sums.tokens.total(),
            calls: sums.events,
            unpriced: (sums.unpriced_tokens, sums.unpriced_events, sums.unpriced_worst_case),
        });
        failed = failed.take().or(added.err());
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let lines = gathered.lines.iter();
    let mut charges = lines
        .map(|(key, line)| of_line(terms, key, *line, grain))
        .collect::<Result<Vec<_>, _>>()?;
    for (key, tokens) in &gathered.unpriced {
        charges.push(of_unpriced(key, *tokens, grain));
    }
    for ((day, dimensions, currency), all) in sums_of {
        let known = gathered.detailed.get(&(day, dimensions)).copied().unwrap_or_default();
        let rest = all.beyond(&known)?;
        let (tokens, calls, worst) = rest.unpriced;
        if calls > 0 {
            let key = (
                day,
                dimensions,
                NO_RECEIPTS.to_owned(),
                "the detail of its calls is no longer kept",
            );
            let tokens = Decimal::try_from_i128_with_scale(tokens, 0).map_err(|_| MoneyError::Overflow)?;
            let row = of_unpriced(&key, (tokens, calls, worst), Grain::Day);
            charges.push(FocusCharge {
                consumed: Some((tokens, "Tokens")),
                unit: "Tokens".to_owned(),
                currency,
                ..row
            });
        }
        let (tokens, calls) = (rest.tokens - tokens.max(0), rest.calls - calls.max(0));
        if !rest.cost.is_zero() || tokens != 0 || calls != 0 {
            charges.push(of_rest(terms, day, dimensions, currency, (rest.cost, tokens, calls))?);
        }
    }
    for ((span, dimensions, currency), all) in flat {
        charges.push(of_flat(span, dimensions, currency, all.cost, grain));
    }
    charges.sort_by(|a, b| {
        (a.period, a.dimensions, &a.meter, &a.entry, a.list).cmp(&(b.period, b.dimensions, &b.meter, &b.entry, b.list))
    });
    Ok(charges)
}

fn span(hour: Hour, grain: Grain) -> Hour {
    if grain == Grain::Hour { hour } else { hour.day() }
}

fn period_of(start: Hour, grain: Grain) -> Period {
    let hours = if grain == Grain::Hour { 1 } else { 24 };
    Period::new(start.start(), start.start() + TimeDelta::hours(hours))
}

impl Gathered {
    fn call(&mut self, books: &Books, event: &UsageEvent, charge: &Charge, grain: Grain) -> Result<(), MoneyError> {
        let key = metered_key(event);
        let start = span(key.hour, grain);
        match charge.outcome {
            Outcome::Priced(_) => {
                let quote = books.quote(event);
                if quote.charge != *charge {
                    return Ok(());
                }
                self.lines(&quote, event, (start, key.dimensions))?;
            }
            Outcome::Unpriced(reason) => {
                let mut worst = charge.worst_case;
                for (name, count) in used(event) {
                    let slot = self
                        .unpriced
                        .entry((start, key.dimensions, name, reason.text()))
                        .or_default();
                    slot.0 = add_exact(slot.0, count)?;
                    slot.2 = add_exact(slot.2, std::mem::take(&mut worst))?;
                    slot.1 += 1;
                }
            }
        }
        let known = self.detailed.entry((key.hour.day(), key.dimensions)).or_default();
        let tokens = i128::from(event.tokens.total());
        let unpriced = match charge.outcome {
            Outcome::Priced(_) => (0, 0, Decimal::ZERO),
            Outcome::Unpriced(_) => (tokens, 1, charge.worst_case),
        };
        known.add(&Held {
            cost: charge.cost,
            tokens,
            calls: 1,
            unpriced,
        })
    }

    fn lines(&mut self, quote: &Quote, event: &UsageEvent, at: (Hour, Dimensions)) -> Result<(), MoneyError> {
        let (start, dimensions) = at;
        let from = if quote.valid_from.is_empty() {
            "always"
        } else {
            quote.valid_from.as_str()
        };
        let entry = format!("{}/{}/{}@{from}", quote.book, quote.provider, quote.entry);
        let mut add = |what: &str, (rate, per): (Decimal, u32), rule: &str, quantity: Decimal| {
            let (rule, entry) = (rule.to_owned(), entry.clone());
            let key = (start, dimensions, meter(what), rate, per, rule, entry);
            let slot = self.lines.entry(key).or_default();
            slot.0 = add_exact(slot.0, quantity)?;
            slot.1 += 1;
            Ok::<_, MoneyError>(())
        };
        for line in &quote.lines {
            let rate = mul_exact(line.rate, line.factor)?.normalize();
            add(&line.what, (rate, line.per), &line.rule, line.quantity)?;
        }
        for (bucket, count) in event.tokens.iter().filter(|(_, count)| *count > 0) {
            // Reasoning that has a price of its own is output, too.
            let of_bucket = |what: &str| what == bucket.name() || (bucket == Bucket::Output && what == "reasoning");
            let lines = quote.lines.iter().filter(|line| of_bucket(&line.what));
            let charged = lines.map(|line| line.quantity).try_fold(Decimal::ZERO, add_exact)?;
            let rest = add_exact(Decimal::from(count), -charged)?;
            // Where units are paid for alone, tokens cost nothing.
            if rest > Decimal::ZERO {
                add(bucket.name(), (Decimal::ZERO, 1_000_000), "not charged", rest)?;
            }
        }
        Ok(())
    }
}

fn of_line(terms: &Terms, key: &LineKey, (count, calls): Line, grain: Grain) -> Result<FocusCharge, MoneyError> {
    let (start, dimensions, meter, rate, per, rule, entry) = key;
    let consumed_unit = unit_of(meter);
    let unit = match consumed_unit {
        "Tokens" => format!("{per} Tokens"),
        "Requests" if *per != 1 && consumed_of(meter).is_none() => format!("{per} Requests"),
        one => one.to_owned(),
    };
    let share = Decimal::ONE
        .checked_div(Decimal::from(*per))
        .ok_or(MoneyError::Overflow)?;
    let quantity = mul_exact(count, share)?.normalize();
    let list = mul_bounded(*rate, quantity)?.normalize();
    let at = start.start();
    let of_cost = terms.agreed(dimensions, at, list)?;
    let of_price = terms.agreed(dimensions, at, *rate)?;
    Ok(FocusCharge {
        period: period_of(*start, grain),
        dimensions: *dimensions,
        currency: Currency::USD,
        meter: meter.clone(),
        description: format!("{meter} of {}, {rule}", dimensions.get(Dimension::Model)),
        consumed: Some((count, consumed_unit)),
        quantity,
        unit,
        list_unit_price: Some(*rate),
        contracted_unit_price: Some(of_price.contracted),
        list,
        contracted: of_cost.contracted,
        effective: of_cost.effective,
        committed: is_committed(&of_cost),
        entry: entry.clone(),
        unpriced: None,
        calls,
    })
}

fn of_unpriced(
    (start, dimensions, meter, reason): &UnpricedKey,
    (count, calls, worst): UnpricedLine,
    grain: Grain,
) -> FocusCharge {
    FocusCharge {
        period: period_of(*start, grain),
        dimensions: *dimensions,
        currency: Currency::USD,
        meter: meter.clone(),
        description: format!("{meter} of {}: no price, {reason}", dimensions.get(Dimension::Model)),
        consumed: Some((count, unit_of(meter))),
        quantity: count,
        unit: unit_of(meter).to_owned(),
        list_unit_price: None,
        contracted_unit_price: None,
        list: Decimal::ZERO,
        contracted: Decimal::ZERO,
        effective: Decimal::ZERO,
        committed: false,
        entry: String::new(),
        unpriced: Some(worst),
        calls,
    }
}

/// Whether a commitment pays for it.
fn is_committed(agreed: &Agreed) -> bool {
    agreed.effective.is_zero() && !agreed.contracted.is_zero()
}

/// What the sums hold beyond the receipts.
fn of_rest(
    terms: &Terms,
    day: Hour,
    dimensions: Dimensions,
    currency: Currency,
    (cost, tokens, calls): (Decimal, i128, i64),
) -> Result<FocusCharge, MoneyError> {
    let agreed = terms.agreed(&dimensions, day.start(), cost)?;
    let sign = if cost.is_sign_negative() {
        -Decimal::ONE
    } else {
        Decimal::ONE
    };
    let tokens = Decimal::try_from_i128_with_scale(tokens, 0).map_err(|_| MoneyError::Overflow)?;
    Ok(FocusCharge {
        period: period_of(day, Grain::Day),
        dimensions,
        currency,
        meter: NO_RECEIPTS.to_owned(),
        description: if calls == 0 {
            "free allowances of the day".to_owned()
        } else {
            format!(
                "{calls} {} whose receipts are no longer kept or are by another price book, and free allowances",
                if calls == 1 { "call" } else { "calls" }
            )
        },
        consumed: Some((tokens, "Tokens")),
        quantity: sign,
        unit: "Days".to_owned(),
        list_unit_price: Some(cost.abs()),
        contracted_unit_price: Some(agreed.contracted.abs()),
        list: cost,
        contracted: agreed.contracted,
        effective: agreed.effective,
        committed: is_committed(&agreed),
        entry: String::new(),
        unpriced: None,
        calls,
    })
}

fn of_flat(span: Hour, dimensions: Dimensions, currency: Currency, cost: Decimal, grain: Grain) -> FocusCharge {
    let service = dimensions.get(Dimension::Service);
    FocusCharge {
        period: period_of(span, grain),
        dimensions,
        currency,
        meter: "capacity".to_owned(),
        description: format!("flat cost of {service}"),
        consumed: None,
        quantity: Decimal::ONE,
        unit: if grain == Grain::Hour { "Hours" } else { "Days" }.to_owned(),
        list_unit_price: Some(cost),
        contracted_unit_price: Some(cost),
        list: cost,
        contracted: cost,
        effective: cost,
        committed: false,
        // An amount per month has another price per day in each month.
        entry: format!("commitment/{service}@{}", span.start().format("%Y-%m")),
        unpriced: None,
        calls: 0,
    }
}
