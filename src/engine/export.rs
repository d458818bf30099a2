//! Turns recorded spend into FOCUS charges: by hour or day, dimensions, meter and price, adding up to the sums exactly.
//!
//! Calls whose detail is kept and whose stored charge the books still explain become a charge per line of their receipts.
//! Whatever the sums hold beyond them (expired detail, charges by another book, free allowances) is one charge a day.

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
use crate::domain::usage::{Bucket, Extras, Unit, UnitKey, UsageEvent};
use crate::ports::{Ledger, StoreError};

/// The span of one charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// An hour.
    Hour,
    /// A UTC day.
    Day,
}

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
    /// What the lines hold, by day and dimensions: cost, tokens, calls.
    detailed: BTreeMap<(Hour, Dimensions), (Decimal, i128, i64)>,
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
    type Rows = BTreeMap<(Hour, Dimensions, Currency), (Decimal, i128, i64)>;
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
        slot.1 += sums.tokens.total();
        slot.2 += sums.events;
        match add_exact(slot.0, sums.cost) {
            Ok(sum) => slot.0 = sum,
            Err(error) => failed = Some(error),
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let mut charges = Vec::new();
    for (key, line) in &gathered.lines {
        charges.push(of_line(terms, key, *line, grain)?);
    }
    for (key, tokens) in &gathered.unpriced {
        charges.push(of_unpriced(key, *tokens, grain));
    }
    for ((day, dimensions, currency), (cost, tokens, calls)) in sums_of {
        let known = gathered.detailed.get(&(day, dimensions)).copied().unwrap_or_default();
        let rest = add_exact(cost, -known.0)?;
        let (tokens, calls) = (tokens - known.1, calls - known.2);
        if !rest.is_zero() || tokens != 0 || calls != 0 {
            charges.push(of_rest(terms, day, dimensions, currency, (rest, tokens, calls))?);
        }
    }
    for ((span, dimensions, currency), (cost, _, _)) in flat {
        charges.push(of_flat(span, dimensions, currency, cost, grain));
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
    let length = if grain == Grain::Hour {
        TimeDelta::hours(1)
    } else {
        TimeDelta::days(1)
    };
    Period::new(start.start(), start.start() + length)
}

/// `cache_write_5m` is metered as `cache write 5m tokens`.
fn meter(what: &str) -> String {
    if UnitKey::parse(what).is_some() {
        return what.to_owned();
    }
    match what {
        "web_search" => "web searches".to_owned(),
        "file_search" => "file searches".to_owned(),
        "code_execution" => "code executions".to_owned(),
        "request" => "requests".to_owned(),
        "minimum" => "minimum of a call".to_owned(),
        "input_uncached" => "input tokens".to_owned(),
        "reasoning" => "reasoning output tokens".to_owned(),
        bucket => format!("{} tokens", bucket.replace('_', " ")),
    }
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
        *known = (
            add_exact(known.0, charge.cost)?,
            known.1 + i128::from(event.tokens.total()),
            known.2 + 1,
        );
        Ok(())
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

/// What a call used, by meter: never nothing, since a call that tells no quantity is one request.
fn used(event: &UsageEvent) -> Vec<(String, Decimal)> {
    let tokens = event.tokens.iter().filter(|(_, count)| *count > 0);
    let mut used: Vec<(String, Decimal)> = tokens
        .map(|(bucket, count)| (meter(bucket.name()), Decimal::from(count)))
        .collect();
    let extras = Extras::of(event.extras);
    used.extend(extras.units().iter().map(|(key, amount)| (key.to_string(), *amount)));
    let requests = &event.requests;
    for (what, count) in [
        ("web_search", requests.web_searches),
        ("file_search", requests.file_searches),
        ("code_execution", requests.code_executions),
    ] {
        if count > 0 {
            used.push((meter(what), Decimal::from(count)));
        }
    }
    if used.is_empty() {
        used.push((meter("request"), Decimal::ONE));
    }
    used
}

/// The FOCUS unit of what a meter counts.
fn unit_of(meter: &str) -> &'static str {
    let counted = if meter.ends_with("tokens") {
        "Tokens"
    } else {
        "Requests"
    };
    consumed_of(meter).unwrap_or(counted)
}

/// The FOCUS unit of what is priced by one: seconds, pictures, pages.
fn consumed_of(meter: &str) -> Option<&'static str> {
    Some(match UnitKey::parse(meter)?.unit {
        Unit::AudioInSecond | Unit::AudioOutSecond | Unit::VideoInSecond | Unit::VideoOutSecond => "Seconds",
        Unit::ImageIn | Unit::ImageOut => "Images",
        Unit::Page => "Pages",
        Unit::CharacterIn => "Characters",
        Unit::RankQuery | Unit::MapQuery => "Requests",
    })
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
        meter: "use without receipts".to_owned(),
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
