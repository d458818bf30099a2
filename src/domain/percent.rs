//! A change in percent, as reports and alerts tell it.

use rust_decimal::{Decimal, RoundingStrategy};

/// The change from `before` to `after` in percent, rounded half away from zero: `+12 %`, `-3 %`, `new`, or nothing where both are zero.
#[must_use]
pub fn percent_change(before: Decimal, after: Decimal) -> String {
    if before.is_zero() {
        return if after.is_zero() {
            String::new()
        } else {
            "new".to_owned()
        };
    }
    let change = (after - before)
        .checked_mul(Decimal::ONE_HUNDRED)
        .and_then(|change| change.checked_div(before.abs()));
    match change {
        Some(change) if change.abs() < Decimal::from(10_000) => {
            let rounded = change.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
            let sign = if rounded > Decimal::ZERO { "+" } else { "" };
            format!("{sign}{} %", rounded.normalize())
        }
        Some(change) if change.is_sign_negative() => "<-9999 %".to_owned(),
        _ => ">+9999 %".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_whole_percent_with_their_sign() {
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        for (before, after, told) in [
            ("100", "112.4", "+12 %"),
            ("72", "81", "+13 %"),
            ("72", "63", "-13 %"),
            ("100", "99.9", "0 %"),
            ("-10", "-5", "+50 %"),
            ("0", "1", "new"),
            ("0", "0", ""),
            ("0.0001", "99999", ">+9999 %"),
        ] {
            assert_eq!(percent_change(d(before), d(after)), told, "{before} to {after}");
        }
    }
}
