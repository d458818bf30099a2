//! Model and tokens of a bill's row, where its columns say: what makes a bill comparable with metered calls.

#[cfg(feature = "parquet")]
use std::cmp::Ordering;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

#[cfg(feature = "parquet")]
use super::amount::Amount;
use super::focus::Row;
use super::line::Fault;
use crate::domain::money::{mul_exact, parse_amount};
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

/// The tokens that the row charges; none where it does not count tokens or does not say which. A quantity that cannot be read is a fault
/// where no other one counts them.
pub(super) fn tokens(row: &Row<'_>) -> Result<TokenSums, Fault> {
    let mut sums = TokenSums::default();
    if !row.get("ChargeCategory").eq_ignore_ascii_case("usage") {
        return Ok(sums);
    }
    let Some(bucket) = KIND.into_iter().find_map(|column| bucket(row.get(column))) else {
        return Ok(sums);
    };
    let mut fault = None;
    for (quantity, unit) in COUNTED {
        let text = row.get(quantity).trim();
        let Some(scale) = scale(row.get(unit)).filter(|_| !text.is_empty()) else {
            continue;
        };
        match count(text, scale) {
            Ok(count) => {
                sums.set(bucket, count);
                return Ok(sums);
            }
            Err(reason) => {
                fault.get_or_insert_with(|| Fault::usage(quantity, reason));
            }
        }
    }
    fault.map_or(Ok(sums), Err)
}

/// How many tokens a unit is.
pub(super) fn scale(unit: &str) -> Option<u32> {
    let unit = unit.to_lowercase();
    let number = unit.strip_suffix("tokens").or_else(|| unit.strip_suffix("token"))?;
    let number = number.trim();
    let digits = number.bytes().take_while(|b| b.is_ascii_digit() || *b == b',').count();
    let (digits, times) = number.split_at_checked(digits)?;
    let times: u32 = match times.trim() {
        "" => 1,
        "k" | "kilo" | "thousand" => 1_000,
        "m" | "mega" | "million" => 1_000_000,
        _ => return None,
    };
    let digits = match digits {
        "" => 1,
        digits => digits.replace(',', "").parse::<u32>().ok()?,
    };
    digits.checked_mul(times).filter(|scale| *scale > 0)
}

/// The tokens of a quantity of units that are so many each, to the nearest one: sums of doubles are not whole. What is wrong with it otherwise.
pub(super) fn count(quantity: &str, scale: u32) -> Result<i128, String> {
    let (quantity, _) = parse_amount(quantity).map_err(|e| e.to_string())?;
    count_of(quantity, scale).ok_or_else(|| TOO_MANY.to_owned())
}

/// What is told of more tokens than a count holds.
pub(super) const TOO_MANY: &str = "more tokens than can be counted";

/// The same; none where they are too many.
pub(super) fn count_of(quantity: Decimal, scale: u32) -> Option<i128> {
    let whole = mul_exact(quantity, Decimal::from(scale)).ok()?.round();
    let sane = whole.abs() <= Decimal::from(MAX_TOKENS);
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
    // The nearest one, the even one of two, as decimals are rounded.
    let up = match (rest.abs() * 2).cmp(&ten) {
        Ordering::Less => 0,
        Ordering::Equal => whole % 2,
        Ordering::Greater => 1,
    };
    let whole = if digits < 0 { whole - up.abs() } else { whole + up };
    (whole.unsigned_abs() <= u128::from(MAX_TOKENS)).then_some(whole)
}

/// How a text says that tokens came from no cache.
const UNCACHED: [&str; 9] = [
    "uncached",
    "un cached",
    "noncached",
    "non cached",
    "not cached",
    "no cache",
    "without cache",
    "without caching",
    "cache miss",
];

/// The kind of token that a text names.
pub(super) fn bucket(text: &str) -> Option<Bucket> {
    let text = text.to_lowercase();
    let spaced = text.replace(['_', '-'], " ");
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let asked = has(&["input", "prompt", " inp ", "-inp-"]);
    // Interfaces are called Chat Completions and Responses, whatever they are charged for.
    let named = ["completion token", "response token"]
        .iter()
        .any(|word| spaced.contains(word));
    let answered = has(&["output", " out ", "outp"]) || named || (!asked && has(&["completion", "response"]));
    match () {
        () if has(&["audio"]) => return Some(if answered { Bucket::AudioOut } else { Bucket::AudioIn }),
        () if has(&["image in", "image out", "image token", "image input", "image output"]) => {
            return Some(if answered { Bucket::ImageOut } else { Bucket::ImageIn });
        }
        () if has(&["video"]) => return Some(Bucket::VideoIn),
        () => {}
    }
    let is_uncached = UNCACHED.iter().any(|words| spaced.contains(words));
    if has(&["cchd"]) {
        return Some(Bucket::CacheRead);
    }
    if has(&["cache"]) && !is_uncached {
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
    asked.then_some(Bucket::InputUncached)
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
            ("uncached_input_tokens", Some(Bucket::InputUncached)),
            ("input_uncached_tokens", Some(Bucket::InputUncached)),
            ("Input (non-cached)", Some(Bucket::InputUncached)),
            ("not cached input tokens", Some(Bucket::InputUncached)),
            ("input_no_cache", Some(Bucket::InputUncached)),
            ("prompt_cache_miss_tokens", Some(Bucket::InputUncached)),
            ("prompt_cache_hit_tokens", Some(Bucket::CacheRead)),
            ("output tokens uncached", Some(Bucket::Output)),
            ("gpt-4o chat completions input tokens", Some(Bucket::InputUncached)),
            ("Responses API cached input tokens", Some(Bucket::CacheRead)),
            ("Responses API input tokens", Some(Bucket::InputUncached)),
            ("Responses API output tokens", Some(Bucket::Output)),
            ("prompt tokens of completions", Some(Bucket::InputUncached)),
            ("completion_tokens, prompts of more than 200k", Some(Bucket::Output)),
            ("completions", Some(Bucket::Output)),
        ] {
            assert_eq!(bucket(text), expected, "{text}");
        }
        assert_eq!(count("1.5", 1_000), Ok(1500));
        assert_eq!(count("7", scale("Tokens").unwrap()), Ok(7));
        for (quantity, tokens) in [
            ("1234.0010000000002", 1_234_001),
            ("0.30000000000000004", 300),
            ("-0.30000000000000004", -300),
            ("0.123456789012345678901234567890123", 123),
            ("0.0005", 0),
            ("0.0015", 2),
            ("-0.0015", -2),
        ] {
            assert_eq!(count(quantity, 1_000), Ok(tokens), "{quantity}");
        }
        for (unit, expected) in [
            ("1K tokens", Some(1_000)),
            ("K Tokens", Some(1_000)),
            ("1,000,000 Tokens", Some(1_000_000)),
            ("Million Tokens", Some(1_000_000)),
            ("100 Tokens", Some(100)),
            ("10M Tokens", Some(10_000_000)),
            ("Kilotokens", Some(1_000)),
            ("0 tokens", None),
            ("9999M tokens", None),
            ("Requests", None),
            ("1K", None),
        ] {
            assert_eq!(scale(unit), expected, "{unit}");
        }
    }
}
