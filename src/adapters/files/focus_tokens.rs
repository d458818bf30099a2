//! Model and tokens of a bill's row, where its columns say: what makes a bill comparable with metered calls.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

#[cfg(feature = "parquet")]
use super::amount::Amount;
use super::focus::Row;
use crate::domain::money::{mul_exact, parse_decimal};
use crate::domain::spend::TokenSums;
use crate::domain::usage::{Bucket, MAX_TOKENS};

/// Columns that name a model; FOCUS has none, so that they are extensions.
const MODEL: [&str; 3] = ["x_Model", "x_model", "x_ModelId"];

/// Columns whose text tells the kind of token.
pub(super) const KIND: [&str; 5] = ["x_TokenType", "SkuMeter", "x_UsageType", "ChargeDescription", "SkuId"];

/// The model, or nothing.
pub(super) fn model<'a>(row: &Row<'a>) -> &'a str {
    MODEL
        .into_iter()
        .map(|column| row.get(column))
        .find(|text| !text.is_empty())
        .unwrap_or("")
}

/// Quantities and their units, the first that counts tokens first.
pub(super) const COUNTED: [(&str, &str); 2] =
    [("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit")];

/// Columns that [`tokens`] reads and [`counts`] does not.
pub(super) const READ: [&str; 7] = [
    "ConsumedQuantity",
    "PricingQuantity",
    "x_TokenType",
    "SkuMeter",
    "x_UsageType",
    "ChargeDescription",
    "SkuId",
];

/// Whether the row may count tokens, by its category and units alone.
pub(super) fn counts(row: &Row<'_>) -> bool {
    let counted = || COUNTED.into_iter().any(|(_, unit)| scale(row.get(unit)).is_some());
    row.get("ChargeCategory").eq_ignore_ascii_case("usage") && counted()
}

/// The tokens that the row charges; none where it does not count tokens or does not say which.
pub(super) fn tokens(row: &Row<'_>) -> TokenSums {
    let mut sums = TokenSums::default();
    if !row.get("ChargeCategory").eq_ignore_ascii_case("usage") {
        return sums;
    }
    let counted = COUNTED
        .into_iter()
        .find_map(|(quantity, unit)| count(row.get(quantity), scale(row.get(unit))?));
    if let (Some(count), Some(bucket)) = (counted, KIND.into_iter().find_map(|column| bucket(row.get(column)))) {
        sums.set(bucket, count);
    }
    sums
}

/// How many tokens a unit is.
pub(super) fn scale(unit: &str) -> Option<u32> {
    let unit = unit.to_lowercase();
    let number = unit.strip_suffix("tokens").or_else(|| unit.strip_suffix("token"))?;
    Some(match number.trim() {
        "" => 1,
        "1k" | "k" | "1000" | "1,000" | "thousand" => 1_000,
        "1m" | "m" | "1000000" | "1,000,000" | "million" => 1_000_000,
        _ => return None,
    })
}

/// The tokens of a quantity of units that are so many each; none where that is no whole number.
pub(super) fn count(quantity: &str, scale: u32) -> Option<i128> {
    count_of(parse_decimal(quantity).ok()?, scale)
}

/// The same.
pub(super) fn count_of(quantity: Decimal, scale: u32) -> Option<i128> {
    let whole = mul_exact(quantity, Decimal::from(scale)).ok()?.normalize();
    let sane = whole.scale() == 0 && whole.abs() <= Decimal::from(MAX_TOKENS);
    whole.to_i128().filter(|_| sane)
}

/// The same of an amount.
#[cfg(feature = "parquet")]
pub(super) fn count_short(quantity: Amount, scale: u32) -> Option<i128> {
    let (digits, ten) = (i128::from(quantity.digits()), 10_i128.checked_pow(quantity.scale())?);
    let product = digits.checked_mul(i128::from(scale))?;
    let (whole, rest) = match (i64::try_from(product), i64::try_from(ten)) {
        (Ok(product), Ok(ten)) => (i128::from(product / ten), i128::from(product % ten)),
        _ => (product / ten, product % ten),
    };
    (rest == 0 && whole.unsigned_abs() <= u128::from(MAX_TOKENS)).then_some(whole)
}

/// The kind of token that a text names.
pub(super) fn bucket(text: &str) -> Option<Bucket> {
    let text = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let answered = has(&["output", "completion", "response", " out ", "outp"]);
    match () {
        () if has(&["audio"]) => return Some(if answered { Bucket::AudioOut } else { Bucket::AudioIn }),
        () if has(&["image in", "image out", "image token", "image input", "image output"]) => {
            return Some(if answered { Bucket::ImageOut } else { Bucket::ImageIn });
        }
        () if has(&["video"]) => return Some(Bucket::VideoIn),
        () => {}
    }
    if has(&["cchd"]) {
        return Some(Bucket::CacheRead);
    }
    if has(&["cache"]) {
        return if has(&["write", "creation"]) {
            Some(match () {
                () if has(&["1h", "1 hour", "one hour"]) => Bucket::CacheWrite1h,
                () if has(&["12h", "12 hour"]) => Bucket::CacheWrite12h,
                () if has(&["30m", "30 minute"]) => Bucket::CacheWrite30m,
                () => Bucket::CacheWrite5m,
            })
        } else {
            has(&["read", "hit", "cached"]).then_some(Bucket::CacheRead)
        };
    }
    if answered {
        return Some(Bucket::Output);
    }
    has(&["input", "prompt", " inp ", "-inp-"]).then_some(Bucket::InputUncached)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "parquet")]
    proptest::proptest! {
        #[test]
        fn a_short_quantity_counts_as_its_decimal(
            digits in proptest::prelude::any::<i64>(), few in 0_u32..63, zeros in 0_u32..6, decimals in 0_u32..20, scale in 0_usize..3,
        ) {
            let digits = (digits >> few) / 10_i64.pow(zeros) * 10_i64.pow(zeros);
            let scale = [1, 1_000, 1_000_000][scale];
            let amount = Amount::new(digits, decimals).unwrap();
            proptest::prop_assert_eq!(count_short(amount, scale), count_of(amount.into(), scale));
        }
    }

    #[test]
    fn kinds_and_units_are_told_from_their_names() {
        for (text, expected) in [
            ("USE1-Claude4.5Sonnet-input-tokens", Some(Bucket::InputUncached)),
            ("gpt-5 Cached Input Tokens", Some(Bucket::CacheRead)),
            ("claude cache write 1h", Some(Bucket::CacheWrite1h)),
            ("cache_write_5m", Some(Bucket::CacheWrite5m)),
            ("Output Tokens", Some(Bucket::Output)),
            ("audio in tokens", Some(Bucket::AudioIn)),
            ("audio out tokens", Some(Bucket::AudioOut)),
            ("GPT image output tokens", Some(Bucket::ImageOut)),
            ("video in tokens", Some(Bucket::VideoIn)),
            ("gpt 4o 0806 Inp glbl Tokens", Some(Bucket::InputUncached)),
            ("gpt 4o 0806 Outp glbl Tokens", Some(Bucket::Output)),
            ("gpt-4o-0806-Batch-Inp-glbl", Some(Bucket::InputUncached)),
            ("gpt 4.1 cchd Inp glbl Tokens", Some(Bucket::CacheRead)),
            ("Web search", None),
        ] {
            assert_eq!(bucket(text), expected, "{text}");
        }
        assert_eq!(count("1.5", 1_000), Some(1500));
        assert_eq!(count("0.0000005", 1_000_000), None, "no half token");
        assert_eq!(count("7", scale("Tokens").unwrap()), Some(7));
        assert_eq!(scale("Requests"), None);
    }
}
