//! What a reconciliation says below its tables.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use crate::cli::CliError;
use crate::cli::text::{clean, count, money};
use crate::domain::money::{Currency, Money};
use crate::engine::reconcile::{Reconciliation, Totals};
use crate::engine::told_twice::{ToldTwice, first_of};

/// What the figures mean, in words.
pub(super) fn closing(found: &Reconciliation, total: &Totals, twice: &[ToldTwice]) -> Result<String, CliError> {
    let usd = |amount: Decimal| money(Money::new(amount, Currency::USD));
    let seen = match total.metered_percent() {
        Some(percent) if percent > Decimal::ONE_HUNDRED => {
            format!("Metered is {} % of what is billed", percent.normalize())
        }
        Some(percent) => format!("Metering has seen {} % of what is billed", percent.normalize()),
        None if total.charged > Decimal::ZERO => {
            "How much of what is billed metering has seen cannot be told".to_owned()
        }
        None => "Nothing is billed yet".to_owned(),
    };
    let mut text = format!("\nbilled less metered: {}. {seen}.\n", usd(total.gap.total()?));
    for line in more_than_billed(found, twice) {
        let _ = writeln!(text, "{line}");
    }
    if total.unpriced > 0 {
        let _ = writeln!(
            text,
            "metered calls without a price: {}, at most {} more; `finops price missing` says what to write, and until then the price gap holds them where they are billed",
            count(total.unpriced),
            usd(total.worst_case)
        );
    }
    if total.reported.calls > 0 {
        let _ = writeln!(
            text,
            "calls with a cost of their own: {}, {} in all where {} was computed",
            count(total.reported.calls),
            usd(total.reported.cost),
            usd(total.reported.computed)
        );
    }
    if !total.reported.expired.is_zero() {
        let _ = writeln!(
            text,
            "of calls whose detail has expired the sources told {}, which is not compared",
            usd(total.reported.expired)
        );
    }
    if !total.other.is_zero() {
        let _ = writeln!(
            text,
            "taxes and purchases, {}, are no use of models and not compared",
            usd(total.other)
        );
    }
    text += &super::others(found);
    text += &crate::cli::reported::late(found);
    for name in &found.by_month {
        let _ = writeln!(
            text,
            "{} bills whole months or weeks: those are compared that the period has all of",
            clean(name.as_str())
        );
    }
    for (name, totals) in found.providers.iter().filter(|(_, t)| t.through.is_none()) {
        let _ = writeln!(
            text,
            "{} has no bill{} in this time: all its {} count as lag",
            clean(name.as_str()),
            match (found.other_currencies.contains_key(name), found.of_else.contains(name)) {
                (true, _) => " in dollars",
                (false, true) => " of models",
                (false, false) => "",
            },
            usd(totals.metered)
        );
    }
    Ok(text)
}

/// Why metering may have more than the bill, and how that is told.
pub(super) fn more_than_billed(found: &Reconciliation, twice: &[ToldTwice]) -> Vec<String> {
    let mut lines = first_of(twice, ToldTwice::note);
    let has_more = |totals: &Totals| {
        totals
            .metered_percent()
            .is_some_and(|percent| percent > Decimal::ONE_HUNDRED)
    };
    if found.providers.values().any(has_more) {
        lines.push(BELOW_ZERO.to_owned());
    }
    lines.iter().map(|line| clean(line)).collect()
}

/// What the sign of a gap says.
const BELOW_ZERO: &str = "a gap below zero is what metering has more than the bill: of tokens in token_gap, of their price in price_gap, and of both in \
    price_gap where the bill counts no tokens";
