//! Numbers as people read them.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::domain::money::{Currency, Money};

/// Groups the integer digits of a plain number by thousands.
fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut out = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A count with thousands separators.
#[must_use]
pub fn count(number: impl ToString) -> String {
    grouped(&number.to_string())
}

/// So many of something whose plural ends in `s`: `1 file`, `2,000 files`.
#[must_use]
pub fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(number))
}

/// An amount: `$1,234.56`, `$0.0042`, `1,234.56 EUR`. Four decimals below one, two from there on.
#[must_use]
pub fn money(amount: Money) -> String {
    let small = amount.amount().abs() < Decimal::ONE && !amount.is_zero();
    money_to(amount, if small { 4 } else { 2 })
}

/// An amount with so many decimals, for columns that line up; `<$0.01` for what would be shown as nothing.
#[must_use]
pub fn money_to(amount: Money, places: u32) -> String {
    let value = amount.rounded(places);
    if value.is_zero() && !amount.is_zero() {
        let sign = if amount.amount().is_sign_negative() { ">-" } else { "<" };
        return with_currency(sign, &Decimal::new(1, places).to_string(), amount.currency());
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    with_currency(sign, &grouped(&value.abs().to_string()), amount.currency())
}

fn with_currency(sign: &str, digits: &str, currency: Currency) -> String {
    if currency == Currency::USD {
        format!("{sign}${digits}")
    } else {
        format!("{sign}{digits} {currency}")
    }
}

/// A token count in short: `812`, `12.3k`, `4.56M`, `7.89B`: three significant digits.
#[must_use]
pub fn tokens(number: i128) -> String {
    const UNITS: [(i128, &str); 4] = [
        (1_000_000_000_000, "T"),
        (1_000_000_000, "B"),
        (1_000_000, "M"),
        (1_000, "k"),
    ];
    let size = number.unsigned_abs();
    let unit = UNITS
        .into_iter()
        // 999,950 would round to 1000k: it belongs to the next unit.
        .find(|(unit, _)| size.saturating_mul(2_000) >= unit.unsigned_abs().saturating_mul(1_999));
    let Some((unit, letter)) = unit else {
        return number.to_string();
    };
    let value = Decimal::from_i128_with_scale(number.clamp(-SHOWN_LIMIT, SHOWN_LIMIT), 0) / Decimal::from(unit);
    let places = match value.abs() {
        v if v >= Decimal::from(100) => 0,
        v if v >= Decimal::TEN => 1,
        _ => 2,
    };
    let mut value = value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    value.rescale(places);
    format!("{}{letter}", grouped(&value.to_string()))
}

/// Beyond this a count is no longer a `Decimal`; no ledger holds as much.
const SHOWN_LIMIT: i128 = 1_000_000_000_000_000_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (amount, text) in [
            ("0", "$0.00"),
            ("1234567.891", "$1,234,567.89"),
            ("0.00421", "$0.0042"),
            ("0.00001", "<$0.0001"),
            ("-1234.5", "-$1,234.50"),
        ] {
            assert_eq!(money(Money::usd(amount).unwrap()), text);
        }
        for (number, text) in [
            (812, "812"),
            (1_000, "1.00k"),
            (12_345, "12.3k"),
            (999_900, "1.00M"),
            (123_456_789, "123M"),
            (-4_560_000, "-4.56M"),
        ] {
            assert_eq!(tokens(number), text);
        }
        assert_eq!(count(1_234_567), "1,234,567");
    }
}
