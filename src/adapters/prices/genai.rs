//! genai-prices' list, version 2: providers with models that describe their names by match clauses; USD per million.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::json::{Raw, decimal, object};
use super::keep_half_an_hour;
use crate::domain::price::{Above, Book, Clause, Entry, Hours, Price, Rates, Tier, provider_key};
use crate::domain::usage::Bucket;

#[derive(Deserialize)]
struct Provider {
    id: String,
    #[serde(default)]
    pricing_urls: Vec<String>,
    models: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    #[serde(rename = "match")]
    clause: Value,
    prices: Box<RawValue>,
    #[serde(default)]
    price_variants: Vec<Variant>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Constraint {
    start_date: Option<NaiveDate>,
    start_time: Option<String>,
    end_time: Option<String>,
}

#[derive(Deserialize)]
struct Conditional {
    constraint: Option<Constraint>,
    prices: Raw,
}

#[derive(Deserialize)]
struct Variant {
    when: BTreeMap<String, String>,
    prices: Raw,
}

/// Reads the document; models that are not understood are skipped and counted.
pub(super) fn parse(name: &str, document: &str) -> Result<(Book, BTreeMap<&'static str, u64>), String> {
    let providers: Vec<Provider> =
        serde_json::from_str(document).map_err(|e| format!("not a genai-prices list: {e}"))?;
    if providers.is_empty() {
        return Err("not a genai-prices list: it names no provider".to_owned());
    }
    let mut book = Book::new(name, "");
    let mut skipped = BTreeMap::new();
    for provider in providers {
        let source = provider.pricing_urls.first().cloned().unwrap_or_default();
        for raw in &provider.models {
            match entry(raw, &source) {
                Ok(mut entry) => {
                    keep_half_an_hour(&provider_key(&provider.id), &mut entry);
                    // Gemini costs the same on Vertex, and the list has one provider for both.
                    if provider.id == "google" {
                        book.add("vertex", entry.clone());
                    }
                    book.add(&provider_key(&provider.id), entry);
                }
                Err(what) => *skipped.entry(what).or_insert(0) += 1,
            }
        }
    }
    Ok((book, skipped))
}

fn entry(raw: &RawValue, source: &str) -> Result<Entry, &'static str> {
    let model: Model = serde_json::from_str(raw.get()).map_err(|_| "models that are not understood")?;
    let clause = clause(&model.clause).ok_or("models with a match clause that is not understood")?;
    let list: Vec<Conditional> = if model.prices.get().trim_start().starts_with('[') {
        serde_json::from_str(model.prices.get()).map_err(|_| "models with prices that are not understood")?
    } else {
        let prices = object(&model.prices).ok_or("models with prices that are not understood")?;
        vec![Conditional {
            constraint: None,
            prices,
        }]
    };
    let mut prices = Vec::new();
    for conditional in &list {
        let mut one = price(&conditional.prices).ok_or("models with prices that are not understood")?;
        if let Some(constraint) = &conditional.constraint {
            one.from = constraint.start_date;
            one.hours = hours(constraint).ok_or("models with hours that are not understood")?;
        }
        model.price_variants.iter().for_each(|v| variant(&mut one, v));
        prices.push(one);
    }
    // The price before a dated one ends where that begins.
    let mut next: Option<NaiveDate> = None;
    for one in prices.iter_mut().rev().filter(|p| p.hours.is_none()) {
        one.to = next;
        next = one.from.or(next);
    }
    if prices.iter().all(|p| p.rates.is_empty()) {
        return Err("models without token rates");
    }
    Ok(Entry {
        id: model.id,
        aliases: Vec::new(),
        clause: Some(clause),
        prices,
        source: source.to_owned(),
        checked: String::new(),
    })
}

fn clause(value: &Value) -> Option<Clause> {
    let (kind, inner) = value.as_object()?.iter().next()?;
    let text = || inner.as_str().map(str::to_lowercase);
    let list = || inner.as_array()?.iter().map(clause).collect::<Option<Vec<_>>>();
    Some(match kind.as_str() {
        "equals" => Clause::Equals(text()?),
        "starts_with" => Clause::StartsWith(text()?),
        "ends_with" => Clause::EndsWith(text()?),
        "contains" => Clause::Contains(text()?),
        "regex" => Clause::Regex(
            regex_lite::RegexBuilder::new(inner.as_str()?)
                .case_insensitive(true)
                .build()
                .ok()?,
        ),
        "or" => Clause::Or(list()?),
        "and" => Clause::And(list()?),
        _ => return None,
    })
}

/// No hours given and hours that cannot be read are not the same.
fn hours(constraint: &Constraint) -> Option<Option<Hours>> {
    let (Some(from), Some(to)) = (&constraint.start_time, &constraint.end_time) else {
        return Some(None);
    };
    let time = |t: &str| NaiveTime::parse_from_str(t.trim_end_matches('Z'), "%H:%M:%S").ok();
    let (from, to) = (time(from)?, time(to)?);
    Some(Some(Hours {
        from,
        to,
        zone: Tz::UTC,
        weekdays: Vec::new(),
        weekday_zone: Tz::UTC,
    }))
}

const KEYS: [(&str, Bucket); 11] = [
    ("input_mtok", Bucket::InputUncached),
    ("cache_read_mtok", Bucket::CacheRead),
    ("cache_write_mtok", Bucket::CacheWrite5m),
    ("cache_write_5m_mtok", Bucket::CacheWrite5m),
    ("cache_write_1h_mtok", Bucket::CacheWrite1h),
    ("output_mtok", Bucket::Output),
    ("input_audio_mtok", Bucket::AudioIn),
    ("output_audio_mtok", Bucket::AudioOut),
    ("input_image_mtok", Bucket::ImageIn),
    ("output_image_mtok", Bucket::ImageOut),
    ("input_video_mtok", Bucket::VideoIn),
];

#[derive(Deserialize)]
struct Tiered {
    base: Box<RawValue>,
    tiers: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    start: Box<RawValue>,
    price: Box<RawValue>,
}

/// A plain number, or a base with prices for prompts beyond a size.
fn amount(raw: &RawValue) -> Option<(Decimal, Vec<(u64, Decimal)>)> {
    if let Some(plain) = decimal(raw) {
        return Some((plain, Vec::new()));
    }
    let tiered: Tiered = serde_json::from_str(raw.get()).ok()?;
    let steps = tiered
        .tiers
        .iter()
        .map(|s| Some((decimal(&s.start)?.to_u64()?, decimal(&s.price)?)));
    Some((decimal(&tiered.base)?, steps.collect::<Option<Vec<_>>>()?))
}

fn price(raw: &Raw) -> Option<Price> {
    let mut price = Price::default();
    for (key, bucket) in KEYS {
        let Some(found) = raw.get(key) else { continue };
        let (base, steps) = amount(found)?;
        price.rates.set(bucket, base);
        for (start, rate) in steps {
            let at = price.above.partition_point(|a| a.prompt < start);
            if price.above.get(at).is_none_or(|a| a.prompt != start) {
                price.above.insert(
                    at,
                    Above {
                        prompt: start,
                        inclusive: false,
                        rates: Rates::default(),
                    },
                );
            }
            if let Some(above) = price.above.get_mut(at) {
                above.rates.set(bucket, rate);
            }
        }
    }
    price.rates.reasoning = raw.get("output_reasoning_mtok").and_then(|r| decimal(r));
    let fee = |key: &str| raw.get(key).and_then(|r| decimal(r));
    price.fees.web_search = fee("web_searches_kcount");
    price.fees.code_execution = fee("code_executions_kcount");
    price.fees.request = fee("requests_kcount");
    Some(price)
}

/// A variant's rates become a tier's. Their dates tell when they were added to the list, not since when they hold.
fn variant(price: &mut Price, variant: &Variant) {
    let Some(own) = self::price(&variant.prices) else {
        return;
    };
    let when = |key: &str| variant.when.get(key).map(|v| v.to_lowercase());
    if let Some(tier) = when("processing").or_else(|| when("service_tier")) {
        price.tiers.insert(
            tier,
            Tier {
                factor: None,
                rates: own.rates,
                above: own.above,
                ..Tier::default()
            },
        );
    } else if let Some(speed) = when("speed") {
        // A speed multiplies everything; other shapes of it are not known.
        let mut ratios = own
            .rates
            .iter()
            .map(|(b, rate)| price.rates.get(b).and_then(|base| rate.checked_div(base)));
        if let Some(Some(first)) = ratios.next()
            && ratios.all(|r| r == Some(first))
        {
            price.speeds.insert(speed, first);
        }
    }
}
