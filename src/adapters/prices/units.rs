//! Prices by second, picture, page and the like, and by how much a search reads: in our own format and in LiteLLM's keys.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};

use super::json::{Raw, TOO_MUCH, scaled};
use crate::domain::money::parse_decimal;
use crate::domain::price::{Price, Rates, UnitRate};
use crate::domain::usage::{Bucket, SearchContext, Unit, UnitKey};

/// An amount as text (`"0.25"`) or a whole number.
#[derive(Clone, Copy)]
pub(super) struct Amount(pub(super) Decimal);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Whole(u32),
            Text(String),
            Float(f64),
        }
        let amount = match Either::deserialize(deserializer)? {
            Either::Whole(whole) => Decimal::from(whole),
            Either::Text(text) => parse_decimal(&text).map_err(serde::de::Error::custom)?,
            Either::Float(float) => {
                let message = format!("write the amount `{float}` in quotes, so that it is read exactly");
                return Err(serde::de::Error::custom(message));
            }
        };
        if amount.is_sign_negative() && !amount.is_zero() {
            return Err(serde::de::Error::custom(format!("the amount `{amount}` is negative")));
        }
        if amount >= Decimal::from(TOO_MUCH) {
            let message = format!("the amount `{amount}` is no price: amounts are below {TOO_MUCH}");
            return Err(serde::de::Error::custom(message));
        }
        Ok(Amount(amount))
    }
}

/// `audio_in_second = "0.0001"`, or a table with `rate`, `least` and `step`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum UnitFile {
    /// With the rounding of the provider.
    Rounded(Rounded),
    /// USD for one.
    Plain(Amount),
}

/// A rate and how amounts are rounded before it applies.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rounded {
    rate: Amount,
    least: Option<Amount>,
    step: Option<Amount>,
}

/// USD per thousand searches by how much they read, and of an older tool.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sizes {
    low: Option<Amount>,
    medium: Option<Amount>,
    high: Option<Amount>,
    preview: Option<Amount>,
}

impl Sizes {
    /// What counts where nothing is said.
    pub(super) fn medium(self) -> Option<Decimal> {
        self.medium.map(|a| a.0)
    }

    pub(super) fn by_size(self) -> BTreeMap<SearchContext, Decimal> {
        let all = SearchContext::ALL
            .into_iter()
            .zip([self.low, self.medium, self.high, self.preview]);
        all.filter_map(|(size, amount)| Some((size, amount?.0))).collect()
    }
}

/// The rates by unit; a name that is none is an error.
pub(super) fn units(file: BTreeMap<String, UnitFile>) -> Result<BTreeMap<UnitKey, UnitRate>, String> {
    let mut all = BTreeMap::new();
    for (name, value) in file {
        let key = UnitKey::parse(&name).ok_or_else(|| {
            let known: Vec<&str> = Unit::ALL.into_iter().map(Unit::name).collect();
            format!(
                "`{name}` is no unit; there are {}, each with `:variant` behind it",
                known.join(", ")
            )
        })?;
        let zero = |amount: Option<Amount>| amount.map_or(Decimal::ZERO, |a| a.0);
        let rate = match value {
            UnitFile::Plain(rate) => UnitRate {
                rate: rate.0,
                ..UnitRate::default()
            },
            UnitFile::Rounded(r) => UnitRate {
                rate: r.rate.0,
                least: zero(r.least),
                step: zero(r.step),
            },
        };
        // What a line may come to has to fit: amounts have up to nine decimals.
        if rate.rate.normalize().scale() > 18 || rate.least.normalize().scale() > 9 || rate.step.normalize().scale() > 9
        {
            return Err(format!(
                "`{name}` has more than 18 decimals, or its rounding more than 9"
            ));
        }
        all.insert(key, rate);
    }
    Ok(all)
}

/// LiteLLM's key of a unit: whether it is of the prompt, and the tier. Keys that are the same fee by another name come later
/// and count only where the first is absent.
fn litellm_key(name: &str) -> Option<(UnitKey, bool, Option<&'static str>)> {
    let (rest, tier) = match name.strip_suffix("_batches") {
        Some(head) => (head, Some("batch")),
        None => (name, None),
    };
    let of = |unit, variant: &str| UnitKey::new(unit, variant);
    if let Some(variant) = rest.strip_prefix("output_cost_per_second_") {
        return Some((of(Unit::VideoOutSecond, variant), false, tier));
    }
    let (unit, prompt) = match rest {
        "input_cost_per_second" | "input_cost_per_audio_per_second" => (Unit::AudioInSecond, true),
        "output_cost_per_video_per_second" => (Unit::VideoOutSecond, false),
        "input_cost_per_video_per_second" => (Unit::VideoInSecond, true),
        "input_cost_per_image" => (Unit::ImageIn, true),
        "output_cost_per_image" => (Unit::ImageOut, false),
        "input_cost_per_character" => (Unit::CharacterIn, true),
        "ocr_cost_per_page" => (Unit::Page, true),
        "google_maps_grounding_cost_per_query" => (Unit::MapQuery, true),
        _ => return None,
    };
    Some((of(unit, ""), prompt, tier))
}

/// Adds what an entry of LiteLLM's map charges by unit. Where it has a rate of tokens for the same side of a call the tokens are
/// what is paid, and the other figure is the same price said otherwise.
pub(super) fn litellm(fields: &Raw, mode: &str, price: &mut Price) {
    let paid = |bucket| price.rates.get(bucket).is_some_and(|rate: Decimal| !rate.is_zero());
    let (by_prompt, by_answer) = (
        paid(Bucket::InputUncached),
        paid(Bucket::Output) || paid(Bucket::ImageOut) || paid(Bucket::AudioOut),
    );
    for (name, raw) in fields {
        let known = match (mode, name.as_str()) {
            // A picture that is made has its price under either name; a film by the second under the general one.
            ("image_generation" | "image_edit", "input_cost_per_image") => {
                Some((UnitKey::new(Unit::ImageOut, ""), false, None))
            }
            ("video_generation", "output_cost_per_second") => {
                Some((UnitKey::new(Unit::VideoOutSecond, ""), false, None))
            }
            ("audio_speech", "output_cost_per_second") => Some((UnitKey::new(Unit::AudioOutSecond, ""), false, None)),
            ("rerank", "input_cost_per_query") => Some((UnitKey::new(Unit::RankQuery, ""), true, None)),
            // Of a chat it is the price of an hour of a machine, not of a call.
            ("chat" | "completion" | "embedding", "input_cost_per_second") => None,
            _ => litellm_key(name),
        };
        let (Some((key, prompt, tier)), Some(rate)) = (known, scaled(raw, 1)) else {
            continue;
        };
        let by_tokens = if prompt { by_prompt } else { by_answer };
        if rate.is_zero() || (by_tokens && key.unit != Unit::MapQuery) {
            continue;
        }
        let rate = UnitRate {
            rate,
            ..UnitRate::default()
        };
        match tier {
            Some(tier) => price.tiers.entry(tier.to_owned()).or_default().units.insert(key, rate),
            None => price.units.insert(key, rate),
        };
    }
    // Zeros for tokens beside a price by the piece say what is not paid; they do not say that a call without a piece is free.
    let sold = price.units.keys().any(|key| key.unit != Unit::MapQuery);
    let tiers = || {
        price
            .tiers
            .values()
            .flat_map(|t| std::iter::once(&t.rates).chain(t.above.iter().map(|a| &a.rates)))
    };
    let mut all = std::iter::once(&price.rates)
        .chain(price.above.iter().map(|a| &a.rates))
        .chain(tiers());
    let nothing = |rates: &Rates| {
        rates
            .reasoning
            .into_iter()
            .chain(rates.iter().map(|(_, rate)| rate))
            .all(|rate| rate.is_zero())
    };
    if sold && all.all(nothing) {
        (price.rates, price.above) = (Rates::default(), Vec::new());
        for tier in price.tiers.values_mut() {
            (tier.rates, tier.above) = (Rates::default(), Vec::new());
        }
    }
}
