//! Amounts that can be summed: with so few digits behind the point that no sum of them has too many.

use rust_decimal::Decimal;

use super::written::Written;
use super::{MoneyError, add_exact, mul_exact, no_amount, parse_decimal};

/// Digits behind the point of what is summed, at most: ten are left before it, so that a sum never has more digits than a decimal.
pub const FINEST: u32 = 18;

/// An amount as it is summed: rounded half to even where it has more than [`FINEST`] digits behind the point.
#[inline]
#[must_use]
pub fn bounded(amount: Decimal) -> Decimal {
    if amount.scale() <= FINEST {
        return amount;
    }
    amount.round_dp(FINEST)
}

/// Multiplies to an amount that can be summed: exactly, but for what [`bounded`] takes away.
pub fn mul_bounded(a: Decimal, b: Decimal) -> Result<Decimal, MoneyError> {
    mul_fine(a, b).map(bounded)
}

/// Multiplies what is rounded later, such as rates: exactly where a decimal has the digits for it, else with more than [`FINEST`] behind
/// the point.
pub fn mul_fine(a: Decimal, b: Decimal) -> Result<Decimal, MoneyError> {
    mul_exact(a, b).or_else(|_| {
        let product = a.checked_mul(b).filter(|product| product.scale() > FINEST);
        product.ok_or(MoneyError::Overflow)
    })
}

/// Adds what something costs at most: exactly where a decimal has the digits for it, else without the finest of them. What nobody knows
/// exactly ends no sum.
pub fn add_most(a: Decimal, b: Decimal) -> Result<Decimal, MoneyError> {
    add_exact(a, b).or_else(|_| a.checked_add(b).ok_or(MoneyError::Overflow))
}

/// An amount of a bill from its text, as [`bounded`] makes it; and what was rounded away, where something was.
pub fn parse_amount(text: &str) -> Result<(Decimal, Option<Decimal>), MoneyError> {
    if let Ok(exact) = parse_decimal(text) {
        let amount = bounded(exact);
        let off = exact.checked_sub(amount).filter(|off| !off.is_zero());
        return Ok((amount, off));
    }
    let rounded = Written::of(text.trim()).and_then(|written| written.rounded());
    let (amount, off) = rounded.ok_or_else(|| no_amount(text.trim()))?;
    Ok((amount, Some(off)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_bills_are_rounded_half_to_even_and_by_how_much_is_told() {
        for (text, expected, off) in [
            ("1.25", "1.25", None),
            (
                "0.0000000000000000125",
                "0.000000000000000012",
                Some("0.0000000000000000005"),
            ),
            (
                "0.0000000000000000135",
                "0.000000000000000014",
                Some("-0.0000000000000000005"),
            ),
            (
                "-1.3877787807814457e-17",
                "-0.000000000000000014",
                Some("0.0000000000000000001222121922"),
            ),
            (
                "123456.780000000000000000049999999999",
                "123456.78",
                Some("0.0000000000000000000499999999"),
            ),
            ("1e-300", "0", Some("0")),
            (
                "0.99999999999999999999999999999999",
                "1",
                Some("-0.0000000000000000000000000001"),
            ),
        ] {
            let (amount, rounded) = parse_amount(text).unwrap();
            assert_eq!(amount.normalize().to_string(), expected, "{text}");
            assert_eq!(rounded.map(|d| d.normalize().to_string()).as_deref(), off, "{text}");
        }
        assert!(parse_amount("NaN").is_err());
        assert!(parse_amount("1e400").is_err());
        let rate = parse_decimal("0.000030833333333333").unwrap();
        let seconds = parse_decimal("100.123456789").unwrap();
        assert_eq!(mul_bounded(seconds, rate).unwrap().to_string(), "0.003087139917660800");
        assert_eq!(
            mul_bounded(Decimal::MAX, parse_decimal("1.1").unwrap()),
            Err(MoneyError::Overflow)
        );
    }
}
