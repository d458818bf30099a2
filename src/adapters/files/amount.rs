//! Amounts of bills as digits and a scale: what millions of rows are summed by, exactly.

use std::num::NonZeroU32;

use rust_decimal::Decimal;

use crate::domain::money::{FINEST, MoneyError, add_exact};

/// An amount: `digits` times ten to the power of minus `scale`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Amount {
    digits: i64,
    /// One more than it is, so that "none" takes no room of its own.
    scale: NonZeroU32,
}

/// Digits that always fit.
const DIGITS: usize = 18;
/// Digits before the point of what is less than [`TOO_MUCH`].
const WHOLE: usize = 12;
/// No row of a bill costs so much, in whatever currency: a sum with it would have no room for the small ones.
pub(super) const TOO_MUCH: u64 = 10_u64.pow(WHOLE as u32);
/// Digits that a number of 64 bits has at most.
#[cfg(feature = "parquet")]
const DIGITS_OF_LONG: u32 = 19;

impl Amount {
    /// An amount of these digits; none if its scale is none that a decimal may have.
    pub fn new(digits: i64, scale: u32) -> Option<Self> {
        if scale > Decimal::MAX_SCALE {
            return None;
        }
        let scale = NonZeroU32::new(scale + 1)?;
        Some(Amount { digits, scale })
    }

    /// The amount of a text of the usual shape, `-12.3450`; what is none, longer or [`TOO_MUCH`] is for
    /// [`crate::domain::money::parse_decimal`].
    pub fn usual(text: &[u8]) -> Option<Self> {
        let (negative, number) = match text.split_first() {
            Some((b'-', rest)) => (true, rest),
            _ => (false, text),
        };
        if number.is_empty() || number.len() > DIGITS + 1 {
            return None;
        }
        let mut digits = 0_i64;
        let mut point = None;
        for (at, byte) in number.iter().enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                digits = digits.wrapping_mul(10).wrapping_add(i64::from(digit));
            } else if *byte == b'.' && point.is_none() {
                point = Some(at);
            } else {
                return None;
            }
        }
        let scale = match point {
            // Digits on both sides.
            Some(at) if (1..=WHOLE).contains(&at) && at + 1 < number.len() => number.len() - 1 - at,
            None if number.len() <= WHOLE => 0,
            Some(_) | None => return None,
        };
        Some(Amount {
            digits: if negative { -digits } else { digits },
            scale: NonZeroU32::new(u32::try_from(scale + 1).ok()?)?,
        })
    }

    /// The same of a text that may also have an exponent, `1.5e-07`, and no more digits behind the point than can be summed.
    #[inline]
    pub fn of_text(text: &[u8]) -> Option<Self> {
        Self::usual(text).or_else(|| Self::scientific(text).filter(|amount| amount.scale() <= FINEST))
    }

    fn scientific(text: &[u8]) -> Option<Self> {
        let at = memchr::memchr2(b'e', b'E', text)?;
        let amount = Self::usual(text.get(..at)?)?;
        let (down, exponent) = match text.get(at + 1..)? {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        if !(1..=2).contains(&exponent.len()) || !exponent.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let exponent = exponent.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        if down {
            return Amount::new(amount.digits, amount.scale() + exponent);
        }
        let up = exponent.saturating_sub(amount.scale());
        let digits = amount.digits.checked_mul(10_i64.checked_pow(up)?)?;
        Amount::new(digits, amount.scale().saturating_sub(exponent)).filter(|amount| amount.is_usual())
    }

    /// Whether it is less than [`TOO_MUCH`].
    pub fn is_usual(self) -> bool {
        let most = 10_u64
            .checked_pow(self.scale())
            .and_then(|ten| ten.checked_mul(TOO_MUCH));
        most.is_none_or(|most| self.digits.unsigned_abs() < most)
    }

    /// Its digits.
    pub fn digits(self) -> i64 {
        self.digits
    }

    /// How many of them stand behind the point.
    pub fn scale(self) -> u32 {
        self.scale.get() - 1
    }

    /// The sum of this and an amount.
    pub fn added_to(self, sum: Decimal) -> Result<Decimal, MoneyError> {
        let at_scale = |digits: i128, up: u32| digits.checked_mul(10_i128.checked_pow(up)?);
        let (scale, own, mine) = (sum.scale(), self.scale(), i128::from(self.digits));
        let both = if scale == own {
            Some((sum.mantissa(), mine))
        } else if scale > own {
            at_scale(mine, scale - own).map(|mine| (sum.mantissa(), mine))
        } else {
            at_scale(sum.mantissa(), own - scale).map(|sum| (sum, mine))
        };
        let exact = both.and_then(|(a, b)| {
            let digits = a.checked_add(b)?;
            Decimal::try_from_i128_with_scale(digits, scale.max(own)).ok()
        });
        exact.map_or_else(|| add_exact(sum, self.into()), Ok)
    }
}

/// A cost of a row: short, or any other exact one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cost {
    /// Of few digits.
    Short(Amount),
    /// Of any digits.
    Exact(Decimal),
}

impl Cost {
    /// The sum of this and an amount.
    pub fn added_to(self, sum: Decimal) -> Result<Decimal, MoneyError> {
        match self {
            Cost::Short(amount) => amount.added_to(sum),
            Cost::Exact(amount) => add_exact(sum, amount),
        }
    }
}

/// A sum of costs: short as long as it can be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Total {
    /// Of few digits.
    Short(Amount),
    /// Of any digits.
    Exact(Decimal),
}

impl Total {
    /// The sum of so many digits at a scale.
    pub fn short(digits: i64, scale: u8) -> Total {
        let scale = NonZeroU32::MIN.saturating_add(u32::from(scale));
        Total::Short(Amount { digits, scale })
    }

    /// Whether any amounts of this scale fit into this, as long as they come to less than the sum of so many digits.
    #[cfg(feature = "parquet")]
    pub fn has_room(self, scale: u32) -> bool {
        // A decimal has 28 digits, and 19 are those of amounts to come; sums of the same scale are those of 64 bits.
        let up = |by: u32| by + DIGITS_OF_LONG <= Decimal::MAX_SCALE;
        match self {
            Total::Short(sum) => sum.digits == 0 || up(sum.scale().abs_diff(scale)),
            Total::Exact(_) => false,
        }
    }

    /// The sum of this and a cost.
    #[inline]
    pub fn plus(self, cost: Cost) -> Result<Total, MoneyError> {
        if let (Total::Short(sum), Cost::Short(amount)) = (self, cost)
            && sum.scale == amount.scale
            && let Some(digits) = sum.digits.checked_add(amount.digits)
        {
            return Ok(Total::Short(Amount { digits, ..sum }));
        }
        let sum = cost.added_to(self.into())?;
        let short = i64::try_from(sum.mantissa()).ok();
        let short = short.and_then(|digits| {
            let scale = NonZeroU32::new(sum.scale() + 1)?;
            Some(Total::Short(Amount { digits, scale }))
        });
        Ok(short.unwrap_or(Total::Exact(sum)))
    }
}

impl From<Total> for Decimal {
    fn from(total: Total) -> Decimal {
        match total {
            Total::Short(amount) => amount.into(),
            Total::Exact(sum) => sum,
        }
    }
}

impl From<Amount> for Decimal {
    fn from(amount: Amount) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(amount.digits), amount.scale())
    }
}

/// Amounts that had more digits than can be summed.
#[derive(Default)]
pub(in crate::adapters) struct Rounded {
    count: u64,
    off: Decimal,
}

impl Rounded {
    /// Adds one that was rounded, by so much.
    pub fn add(&mut self, off: Decimal) {
        self.count += 1;
        self.off += off;
    }

    /// What is told of them, and of how many; nothing of none. From now on there were none.
    pub fn told(&mut self) -> Option<(String, u64)> {
        let Rounded { count, off } = std::mem::take(self);
        let off = off.normalize();
        let about = format!(
            "amounts of bills were rounded to {FINEST} digits behind the point; all together they were {off} more"
        );
        (count > 0).then_some((about, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::parse_decimal;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_means_what_the_parser_of_all_texts_says(text in "[-+]?[0-9]{0,12}[.]?[0-9]{0,12}|[-0-9.eE _]{0,8}") {
            if let Some(amount) = Amount::usual(text.as_bytes()) {
                prop_assert_eq!(parse_decimal(&text).unwrap(), Decimal::from(amount));
            }
        }

        #[test]
        fn a_text_with_an_exponent_means_what_the_parser_of_all_texts_says(text in "-?[0-9]{1,12}([.][0-9]{1,9})?[eE][-+]?[0-9]{1,3}") {
            if let Some(amount) = Amount::of_text(text.as_bytes()) {
                prop_assert_eq!(parse_decimal(&text).unwrap(), Decimal::from(amount), "{}", text);
            }
        }

        #[test]
        fn a_sum_is_that_of_decimals(
            a in any::<i128>(), down in 0_u32..127, s in 0_u32..28, b in any::<i64>(), t in 0_u32..28, few in 0_u32..63,
        ) {
            let Ok(sum) = Decimal::try_from_i128_with_scale(a >> down, s) else { return Ok(()) };
            let amount = Amount::new(b >> few, t).unwrap();
            let expected = add_exact(sum, Decimal::from(amount));
            let got = amount.added_to(sum);
            // Ours may be exact where dropping zeros was needed to tell so.
            if let Ok(expected) = expected {
                prop_assert_eq!(got.unwrap(), expected);
            } else if let Ok(got) = got {
                prop_assert_eq!(got.checked_sub(amount.into()), Some(sum));
            }
        }
    }

    proptest! {
        #[test]
        fn a_total_is_the_sum_of_decimals(
            costs in prop::collection::vec((any::<bool>(), any::<i64>(), 0_u32..63, 0_u32..8), 1..20),
        ) {
            let (mut total, mut sum) = (Total::short(0, 0), Decimal::ZERO);
            for (exact, digits, few, scale) in costs {
                let cost = Decimal::new(digits >> few, scale);
                let given = match exact {
                    true => Cost::Exact(cost),
                    false => Cost::Short(Amount::new(digits >> few, scale).unwrap()),
                };
                total = total.plus(given).unwrap();
                sum = add_exact(sum, cost).unwrap();
                prop_assert_eq!(Decimal::from(total), sum);
            }
        }
    }

    #[cfg(feature = "parquet")]
    proptest! {
        #[test]
        fn where_there_is_room_many_amounts_are_their_sum(
            start in any::<i64>(), down in 0_u32..63, s in 0_u32..28, t in 0_u32..28, amounts in prop::collection::vec(-(1_i64 << 50)..1 << 50, 1..40),
        ) {
            let before = Total::Short(Amount::new(start >> down, s).unwrap());
            prop_assume!(before.has_room(t));
            let mut one_by_one = before;
            for digits in &amounts {
                one_by_one = one_by_one.plus(Cost::Short(Amount::new(*digits, t).unwrap())).unwrap();
            }
            let at_once = before.plus(Cost::Short(Amount::new(amounts.iter().sum(), t).unwrap())).unwrap();
            prop_assert_eq!(Decimal::from(at_once), Decimal::from(one_by_one));
        }
    }

    #[test]
    fn usual_amounts_are_read_here() {
        for text in [
            "0",
            "12",
            "-0.0000080000",
            "-999999999999.999999",
            "123456789012",
            "12345678.0123456789",
        ] {
            assert_eq!(
                Amount::usual(text.as_bytes()).map(Decimal::from),
                parse_decimal(text).ok(),
                "{text}"
            );
        }
        for (text, expected) in [
            ("1.5e-07", "0.00000015"),
            ("4.0E-7", "0.0000004"),
            ("-12E2", "-1200"),
            ("1.25e1", "12.5"),
        ] {
            let amount = Amount::of_text(text.as_bytes());
            assert_eq!(amount.map(Decimal::from), parse_decimal(expected).ok(), "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "+1",
            "1e3",
            "NULL",
            "1.2.3",
            "1234567890123",
            "-1000000000000.0",
            "1234567890123456789",
            " 1",
        ] {
            assert_eq!(Amount::usual(text.as_bytes()), None, "{text}");
        }
        for text in ["1e12", "10E11", "-2.5e13"] {
            assert_eq!(Amount::of_text(text.as_bytes()), None, "{text}");
        }
    }
}
