//! Exact money: a decimal amount in one currency. No float ever touches it; it is rounded at display only.

use std::fmt;
use std::ops::{Add, Neg, Sub};
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use written::Written;

mod bounded;
mod written;

pub use bounded::{FINEST, add_most, bounded, mul_bounded, mul_fine, parse_amount};

/// An ISO 4217 currency code, or a provider's own unit spelled in three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The US dollar, the currency of every AI price list.
    pub const USD: Currency = Currency(*b"USD");

    /// The three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        match *text.trim().to_ascii_uppercase().as_bytes() {
            [a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Currency([a, b, c])),
            _ => Err(MoneyError::Currency {
                text: text.chars().take(20).collect(),
            }),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What can go wrong with money.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum MoneyError {
    /// Two currencies in one sum.
    #[error("cannot add {left} and {right}: a sum has one currency")]
    Mixed {
        /// Currency of the sum.
        left: Currency,
        /// Currency of what was to be added.
        right: Currency,
    },
    /// The exact result needs more than 28 significant digits.
    #[error("amount out of range: the exact result has more than 28 digits")]
    Overflow,
    /// Text that is no decimal number.
    #[error("`{text}` is not a decimal number")]
    Amount {
        /// The start of the text.
        text: String,
    },
    /// Text that is no amount with its currency.
    #[error("`{text}` is no amount, write `{meant}`")]
    Written {
        /// The start of the text.
        text: String,
        /// What was probably meant, or what an amount looks like.
        meant: String,
    },
    /// Text that is no currency code.
    #[error("`{text}` is not a currency code of three letters")]
    Currency {
        /// The start of the text.
        text: String,
    },
}

/// An exact amount in one currency.
///
/// ```
/// use finops::domain::money::Money;
/// let a = Money::usd("0.000000003")?; // one cache-read token of the cheapest models
/// assert_eq!((a + a)?, Money::usd("0.000000006")?);
/// # Ok::<(), finops::domain::money::MoneyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

impl Money {
    /// An amount in a currency.
    #[must_use]
    pub fn new(amount: Decimal, currency: Currency) -> Self {
        Money { amount, currency }
    }

    /// Dollars from their decimal text, such as `"12.34"` or `"3e-07"`.
    pub fn usd(text: &str) -> Result<Self, MoneyError> {
        Ok(Money::new(parse_decimal(text)?, Currency::USD))
    }

    /// The amount.
    #[must_use]
    pub fn amount(&self) -> Decimal {
        self.amount
    }

    /// The currency.
    #[must_use]
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// Whether the amount is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.amount.is_zero()
    }

    /// Rounded half away from zero to `places` decimals, for display.
    #[must_use]
    pub fn rounded(&self, places: u32) -> Decimal {
        let mut value = self
            .amount
            .round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
        value.rescale(places);
        value
    }
}

impl Add for Money {
    type Output = Result<Money, MoneyError>;
    fn add(self, other: Money) -> Self::Output {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed {
                left: self.currency,
                right: other.currency,
            });
        }
        Ok(Money::new(add_exact(self.amount, other.amount)?, self.currency))
    }
}

impl Sub for Money {
    type Output = Result<Money, MoneyError>;
    fn sub(self, other: Money) -> Self::Output {
        self + -other
    }
}

impl Neg for Money {
    type Output = Money;
    fn neg(self) -> Money {
        Money::new(-self.amount, self.currency)
    }
}

impl fmt::Display for Money {
    /// Four decimals below a dollar (AI calls cost fractions of a cent), two from there on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = if self.amount.abs() < Decimal::ONE && !self.amount.is_zero() {
            4
        } else {
            2
        };
        write!(f, "{} {}", self.rounded(places), self.currency)
    }
}

/// Adds without rounding: `Decimal` drops digits silently when a sum needs more than its 96 bits, so the result's scale
/// is compared with what an exact sum needs.
#[inline]
pub fn add_exact(a: Decimal, b: Decimal) -> Result<Decimal, MoneyError> {
    // Amounts of one price have one scale: their digits are added as they are.
    if a.scale() == b.scale() && !a.is_sign_negative() && !b.is_sign_negative() {
        let digits = a.mantissa().unsigned_abs() + b.mantissa().unsigned_abs();
        if digits >> 96 == 0 {
            let (low, middle, high) = (digits as u32, (digits >> 32) as u32, (digits >> 64) as u32);
            return Ok(Decimal::from_parts(low, middle, high, false, a.scale()));
        }
    }
    add_any(a, b)
}

fn add_any(a: Decimal, b: Decimal) -> Result<Decimal, MoneyError> {
    if b.is_zero() {
        return Ok(a);
    }
    // What every sum begins with.
    if a.is_zero() && a.scale() == 0 {
        return Ok(b);
    }
    if a.scale() == b.scale()
        && let Some(digits) = a.mantissa().checked_add(b.mantissa())
        && let Ok(sum) = Decimal::try_from_i128_with_scale(digits, a.scale())
    {
        return Ok(sum);
    }
    let sum = a.checked_add(b).ok_or(MoneyError::Overflow)?;
    if sum.scale() < a.scale().max(b.scale()) && !sum.is_zero() && !a.is_zero() && !b.is_zero() {
        // Digits may have been dropped. They were not if taking one part away again gives the other.
        if sum.checked_sub(a) != Some(b) || sum.checked_sub(b) != Some(a) {
            return Err(MoneyError::Overflow);
        }
    }
    Ok(sum)
}

/// The exact sum of many amounts. Those of one scale are added as whole numbers.
#[derive(Default)]
pub(crate) struct Total {
    /// By scale, of which there are 29.
    digits: [i128; 29],
    others: Decimal,
}

impl Total {
    /// Adds an amount.
    #[inline]
    pub(crate) fn add(&mut self, amount: Decimal) -> Result<(), MoneyError> {
        let slot = self.digits.get_mut(amount.scale() as usize);
        match slot.and_then(|slot| Some((slot.checked_add(amount.mantissa())?, slot))) {
            Some((sum, slot)) => *slot = sum,
            None => self.others = add_exact(self.others, amount)?,
        }
        Ok(())
    }

    /// The sum.
    pub(crate) fn sum(&self) -> Result<Decimal, MoneyError> {
        let mut scales = (0..).zip(&self.digits).filter(|(_, digits)| **digits != 0);
        scales.try_fold(self.others, |sum, (scale, digits)| {
            let part = Decimal::try_from_i128_with_scale(*digits, scale).map_err(|_| MoneyError::Overflow)?;
            add_exact(sum, part)
        })
    }
}

/// Multiplies without rounding.
pub fn mul_exact(a: Decimal, b: Decimal) -> Result<Decimal, MoneyError> {
    let product = a.checked_mul(b).ok_or(MoneyError::Overflow)?;
    if product.scale() < a.scale() + b.scale() && !product.is_zero() {
        // A smaller scale is exact only if nothing but trailing zeros went away.
        let (x, y) = (a.normalize(), b.normalize());
        let product = x.checked_mul(y).ok_or(MoneyError::Overflow)?;
        if product.scale() < x.scale() + y.scale() {
            return Err(MoneyError::Overflow);
        }
        return Ok(product);
    }
    Ok(product)
}

/// A decimal from its text, exactly: plain (`0.15`) or scientific (`3e-07`) notation, sign allowed. Zeros at its end are no digits.
pub fn parse_decimal(text: &str) -> Result<Decimal, MoneyError> {
    let trimmed = text.trim();
    let parsed = if trimmed.contains(['e', 'E']) {
        Decimal::from_scientific(trimmed)
    } else {
        Decimal::from_str_exact(trimmed)
    };
    let parsed = parsed.ok().or_else(|| Written::of(trimmed)?.exact());
    parsed.ok_or_else(|| no_amount(trimmed))
}

fn no_amount(text: &str) -> MoneyError {
    MoneyError::Amount {
        text: text.chars().take(40).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_currencies_are_never_added() {
        let eur = Money::new(Decimal::ONE, "eur".parse().unwrap());
        let error = (Money::usd("1").unwrap() + eur).unwrap_err();
        assert_eq!(error.to_string(), "cannot add USD and EUR: a sum has one currency");
    }

    #[test]
    fn numbers_are_read_from_their_text_and_never_rounded() {
        assert_eq!(parse_decimal("3e-07").unwrap().to_string(), "0.0000003");
        assert_eq!(parse_decimal("0.0000003").unwrap().to_string(), "0.0000003");
        assert!(
            parse_decimal("0.00000000000000000000000000001").is_err(),
            "29 decimals would be rounded away"
        );
        assert!(parse_decimal("NaN").is_err());
        assert!(parse_decimal("").is_err());
    }

    #[test]
    fn zeros_are_no_digits() {
        for (text, expected) in [
            ("0.130243000000000000000000000000000000", "0.130243"),
            ("0E-6176", "0"),
            ("-0.000000000000000000000000000000000000000", "0"),
            ("0e+99999999999999999999", "0"),
            ("12.50000000000000000000000000000000E1", "125"),
            ("1.5E-27", "0.0000000000000000000000000015"),
        ] {
            let parsed = parse_decimal(text).map(|d| d.normalize().to_string());
            assert_eq!(parsed.as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "1e-29",
            "79228162514264337593543950336",
            "1e29",
            "1e",
            "e1",
            ".",
            "1.2.3",
            "--1",
            "1e1.5",
        ] {
            assert!(parse_decimal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_sum_that_would_lose_digits_is_an_error() {
        let big = Decimal::MAX;
        let tiny = parse_decimal("0.1").unwrap();
        assert_eq!(add_exact(big, tiny), Err(MoneyError::Overflow));
        assert_eq!(mul_exact(big, parse_decimal("1.1").unwrap()), Err(MoneyError::Overflow));
    }

    #[test]
    fn the_large_example_of_the_pricing_rules_is_exact() {
        let tokens = Decimal::from(9_007_199_254_740_993_u64);
        let rate = parse_decimal("0.000003").unwrap();
        assert_eq!(
            mul_exact(tokens, rate).unwrap().normalize().to_string(),
            "27021597764.222979"
        );
    }

    proptest! {
        #[test]
        fn sums_agree_with_scaled_integers(a in -1_000_000_000_000_i64..1_000_000_000_000, b in -1_000_000_000_000_i64..1_000_000_000_000) {
            let (x, y) = (Decimal::new(a, 12), Decimal::new(b, 12));
            let sum = add_exact(x, y).unwrap();
            prop_assert_eq!(sum, Decimal::from_i128_with_scale(i128::from(a) + i128::from(b), 12));
        }
    }
}
