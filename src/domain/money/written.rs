//! Numbers as they are written, of any length: what a decimal does not hold is cut here, where it is known how much that is.

use rust_decimal::Decimal;

use super::FINEST;

/// The digits of a number without zeros at either end, and how many of them stand behind the point.
pub(super) struct Written {
    negative: bool,
    digits: Vec<u8>,
    scale: i64,
}

impl Written {
    /// The number of a text; none if it is none.
    pub fn of(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent_of(exponent)?),
            None => (text, 0),
        };
        let (negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let all = || whole.bytes().chain(fraction.bytes());
        if all().next().is_none() || !all().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut digits: Vec<u8> = all().skip_while(|byte| *byte == b'0').map(|byte| byte - b'0').collect();
        let mut scale = i64::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        while digits.last() == Some(&0) {
            digits.pop();
            scale -= 1;
        }
        Some(Written {
            negative,
            digits,
            scale,
        })
    }

    /// The number, if a decimal holds it.
    pub fn exact(&self) -> Option<Decimal> {
        if self.digits.is_empty() {
            return Some(Decimal::ZERO);
        }
        let zeros = u32::try_from(self.scale.min(0).unsigned_abs()).ok()?;
        let digits = whole(&self.digits)?.checked_mul(10_i128.checked_pow(zeros)?)?;
        let scale = u32::try_from(self.scale.max(0)).ok()?;
        Decimal::try_from_i128_with_scale(self.signed(digits), scale).ok()
    }

    /// The number rounded half to even at [`FINEST`] digits behind the point, and what is left out by that, as far as a decimal tells.
    pub fn rounded(&self) -> Option<(Decimal, Decimal)> {
        let Ok(cut) = usize::try_from(self.scale - i64::from(FINEST)) else {
            return Some((self.exact()?, Decimal::ZERO));
        };
        let kept = self.digits.len().saturating_sub(cut);
        let (front, rest) = self.digits.split_at_checked(kept)?;
        let down = whole(front)?;
        // Zeros behind the point that are cut, too, before the first digit.
        let zeros = cut - rest.len();
        let half = match (zeros, rest) {
            (0, [5]) => down % 2 == 1,
            (0, [first, ..]) => *first >= 5,
            _ => false,
        };
        let digits = down + i128::from(half);
        let shown = (Decimal::MAX_SCALE - FINEST) as usize;
        let mut left = vec![0; zeros.min(shown)];
        left.extend(rest);
        left.resize(shown, 0);
        let ten = 10_i128.checked_pow(Decimal::MAX_SCALE - FINEST)?;
        let left = whole(&left)? - if half { ten } else { 0 };
        let amount = Decimal::try_from_i128_with_scale(self.signed(digits), FINEST).ok()?;
        let left = Decimal::try_from_i128_with_scale(self.signed(left), Decimal::MAX_SCALE).ok()?;
        Some((amount, left))
    }

    fn signed(&self, digits: i128) -> i128 {
        if self.negative { -digits } else { digits }
    }
}

/// Exponents beyond this are of numbers that are nothing, or too large, whatever their digits are.
const FAR: i64 = 1 << 40;

fn exponent_of(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let exponent = digits.parse().unwrap_or(FAR).min(FAR);
    Some(if negative { -exponent } else { exponent })
}

/// The number of so many digits; none where there are too many.
fn whole(digits: &[u8]) -> Option<i128> {
    digits.iter().try_fold(0_i128, |number, digit| {
        number.checked_mul(10)?.checked_add(i128::from(*digit))
    })
}
