//! Short decimals from binary floating-point numbers, by integers alone.

use super::super::amount::Amount;

/// Digits of which any number is told apart from every other: two decimals of no more never mean the same number.
const DIGITS: u32 = 15;
/// Digits behind the point that are tried, and ten to the power of each: first as many as bills have at most, as a rule.
const SCALES: [(u32, u64); 7] = [
    (12, 10_u64.pow(12)),
    (DIGITS, 10_u64.pow(DIGITS)),
    (10, 10_u64.pow(10)),
    (8, 10_u64.pow(8)),
    (6, 10_u64.pow(6)),
    (4, 10_u64.pow(4)),
    (2, 10_u64.pow(2)),
];
/// Above all numbers of so many digits.
const MOST: u128 = 10_u128.pow(DIGITS);
/// The same.
pub(super) const MOST_OF_DOUBLE: u64 = 10_u64.pow(DIGITS);
const FRACTION: u64 = (1 << 52) - 1;

/// The decimal of up to 15 digits that means this very number, which is then also its shortest text; none if that has more.
pub(super) fn short(bits: u64) -> Option<Amount> {
    if bits << 1 == 0 {
        return Amount::new(0, 0);
    }
    SCALES
        .into_iter()
        .find_map(|(scale, ten)| Amount::new(short_at(bits, ten)?, scale))
}

/// Its digits, the last of which counts the `ten`th parts of one, a power of ten of no more than 15 zeros.
#[inline]
pub(super) fn short_at(bits: u64, ten: u64) -> Option<i64> {
    let (exponent, fraction) = ((bits >> 52) as u32 & 0x7ff, bits & FRACTION);
    // The number is `whole` divided by two to the power of `down`; very large and very small ones are left to the text.
    let whole = fraction | (FRACTION + 1);
    let down = 1075_u32.wrapping_sub(exponent);
    if !(1..=100).contains(&down) {
        return (bits << 1 == 0).then_some(0);
    }
    let ten = u128::from(ten);
    // Less than 53 and 50 bits; half of one is added, so that what is cut off rounds.
    let (product, half) = (u128::from(whole) * ten, 1_u128 << (down - 1));
    let digits = (product + half) >> down;
    let off = (digits << down).abs_diff(product);
    // Nearer to this number than to its neighbours; the one below a power of two is at half the distance.
    let near = if fraction == 0 { 4 * off < ten } else { 2 * off < ten };
    let few = near && digits < MOST;
    let digits = digits as i64;
    few.then_some(if bits >> 63 == 1 { digits.wrapping_neg() } else { digits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::parse_decimal;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    fn check(number: f64) -> Option<Amount> {
        let amount = short(number.to_bits());
        if let Some(amount) = amount {
            assert_eq!(
                Decimal::from(amount),
                parse_decimal(&number.to_string()).unwrap(),
                "{number:?}"
            );
        }
        amount
    }

    proptest! {
        #[test]
        fn what_it_tells_is_the_shortest_text(any in any::<f64>(), digits in -999_999_999_999_i64..999_999_999_999, scale in 0_u32..13) {
            check(any);
            let text = Decimal::new(digits, scale).to_string();
            let amount = check(text.parse().unwrap());
            prop_assert!(amount.is_some(), "{}", text);
        }

        #[test]
        fn neighbours_are_never_taken_for_it(digits in 1_i64..99_999_999_999_999, scale in 0_u32..15, step in 0_u64..4) {
            let number: f64 = Decimal::new(digits, scale).to_string().parse().unwrap();
            check(f64::from_bits(number.to_bits() + step));
        }
    }

    proptest! {
        #[test]
        fn digits_of_any_scale_are_those_of_the_shortest_text(
            any in any::<u64>(), digits in -999_999_999_999_999_i64..1_000_000_000_000_000, scale in 0_u32..16, step in -3_i64..4, exponent in 900_u64..1_100,
        ) {
            let number: f64 = Decimal::new(digits, scale).to_string().parse().unwrap();
            let power = exponent << 52;
            // Decimals and their neighbours, powers of two and theirs, and anything.
            for bits in [number.to_bits().wrapping_add_signed(step), power.wrapping_add_signed(step), any] {
                for zeros in 0..=DIGITS {
                    let Some(digits) = short_at(bits, 10_u64.pow(zeros)) else { continue };
                    let text = f64::from_bits(bits).to_string();
                    prop_assert_eq!(Decimal::new(digits, zeros), parse_decimal(&text).unwrap(), "{}", text);
                }
            }
            if step == 0 {
                prop_assert_eq!(short_at(number.to_bits(), 10_u64.pow(scale)), Some(digits));
            }
        }
    }

    #[test]
    fn usual_costs_are_short() {
        for number in [
            0.0,
            -0.0,
            0.1,
            0.25,
            1.0,
            -12.5,
            0.000_000_1,
            1_234.567_89,
            1_024.0,
            0.5,
        ] {
            assert!(check(number).is_some(), "{number}");
        }
        for number in [f64::NAN, f64::INFINITY, 1e300, 5e-324, 0.1 + 0.2] {
            assert!(short(number.to_bits()).is_none(), "{number}");
        }
    }
}
