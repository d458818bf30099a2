//! LiteLLM's price map: one object, a key per model, USD per single token. It has no dates, so that a price in it counts
//! as undated.

use std::collections::BTreeMap;

use chrono::NaiveTime;
use chrono_tz::Tz;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{Raw, decimal, object, scaled, text};
use super::{keep_half_an_hour, units};
use crate::domain::price::{Above, Allowance, AllowancePeriod, Book, Entry, Hours, Price, Rates, provider_key};
use crate::domain::usage::{Bucket, SearchContext};

const MILLION: u32 = 1_000_000;
const TIERS: [(&str, &str); 6] = [
    ("_batches", "batch"),
    ("_flex", "flex"),
    ("_priority", "priority"),
    ("_balanced", "balanced"),
    ("_ultrafast", "ultrafast"),
    ("_decisions", "decisions"),
];

/// What a rate is for; `None` is the reasoning part of output.
type Kind = Option<Bucket>;

/// Reads the document; entries that price no tokens are skipped and counted.
pub(super) fn parse(name: &str, document: &str) -> Result<(Book, BTreeMap<&'static str, u64>), String> {
    let all: Raw = serde_json::from_str(document).map_err(|e| format!("not a LiteLLM price map: {e}"))?;
    let mut book = Book::new(name, "");
    let mut skipped = BTreeMap::new();
    let mut models = 0_u64;
    let mut skip = |what| *skipped.entry(what).or_insert(0) += 1;
    for (key, raw) in all.iter().filter(|(key, _)| key.as_str() != "sample_spec") {
        let Some(fields) = object(raw) else {
            skip("entries that are not objects");
            continue;
        };
        let Some(seller) = fields.get("litellm_provider").and_then(|p| text(p)) else {
            skip("entries without a provider");
            continue;
        };
        models += 1;
        if is_router_fee(key) {
            skip("fees of a router, without the model that answers");
            continue;
        }
        let prices = prices(&fields, seller == "xai");
        if prices.iter().all(|p| p.rates.is_empty() && p.units.is_empty()) {
            skip("entries without rates that are understood");
            continue;
        }
        let provider = provider_of(&seller);
        let short = key.split_once('/').filter(|(head, _)| provider_key(head) == provider);
        let aliases = short.map(|(_, rest)| rest.to_owned()).into_iter().collect();
        let source = fields.get("source").and_then(|s| text(s)).unwrap_or_default();
        let mut entry = Entry {
            id: key.clone(),
            aliases,
            clause: None,
            prices,
            source,
            checked: String::new(),
        };
        keep_half_an_hour(&provider, &mut entry);
        book.add(&provider, entry);
    }
    if models == 0 {
        return Err("not a LiteLLM price map: no entry names a `litellm_provider`".to_owned());
    }
    Ok((book, skipped))
}

/// Whether an entry is what Azure's router takes beside the price of the model that it chooses: no price of a call.
fn is_router_fee(key: &str) -> bool {
    matches!(key.rsplit('/').next(), Some("model-router" | "model_router"))
}

fn provider_of(seller: &str) -> String {
    for (prefix, provider) in [("vertex_ai", "vertex"), ("bedrock", "bedrock"), ("azure", "azure")] {
        if seller.starts_with(prefix) {
            return provider.to_owned();
        }
    }
    provider_key(seller)
}

/// `<kind>[_above_1hr|_above_12hr][_above_<N>k_tokens][_<tier>]`
fn key(name: &str) -> Option<(Kind, Option<u64>, Option<&'static str>)> {
    let (mut rest, mut tier) = (name, None);
    for (suffix, word) in TIERS {
        if let Some(head) = rest.strip_suffix(suffix) {
            (rest, tier) = (head, Some(word));
            break;
        }
    }
    let mut above = None;
    if let Some((head, size)) = rest.strip_suffix("k_tokens").and_then(|r| r.rsplit_once("_above_")) {
        above = Some(size.parse::<u64>().ok()?.checked_mul(1000)?);
        rest = head;
    }
    let kind = match rest {
        "input_cost_per_token" => Some(Bucket::InputUncached),
        "output_cost_per_token" => Some(Bucket::Output),
        "cache_read_input_token_cost" | "explicit_cache_read_input_token_cost" | "input_cost_per_token_cache_hit" => {
            Some(Bucket::CacheRead)
        }
        "cache_creation_input_token_cost" => Some(Bucket::CacheWrite5m),
        "cache_creation_input_token_cost_above_1hr" => Some(Bucket::CacheWrite1h),
        "cache_creation_input_token_cost_above_12hr" => Some(Bucket::CacheWrite12h),
        "output_cost_per_reasoning_token" => None,
        "input_cost_per_audio_token" => Some(Bucket::AudioIn),
        "output_cost_per_audio_token" => Some(Bucket::AudioOut),
        "input_cost_per_image_token" => Some(Bucket::ImageIn),
        "output_cost_per_image_token" => Some(Bucket::ImageOut),
        "input_cost_per_video_token" => Some(Bucket::VideoIn),
        _ => return None,
    };
    Some((kind, above, tier))
}

fn set(rates: &mut Rates, kind: Kind, rate: Decimal) {
    match kind {
        Some(bucket) => rates.set(bucket, rate),
        None => rates.reasoning = Some(rate),
    }
}

fn set_above(list: &mut Vec<Above>, prompt: u64, inclusive: bool, kind: Kind, rate: Decimal) {
    let at = list.partition_point(|a| a.prompt < prompt);
    if list.get(at).is_none_or(|a| a.prompt != prompt) {
        let rates = Rates::default();
        list.insert(
            at,
            Above {
                prompt,
                inclusive,
                rates,
            },
        );
    }
    if let Some(above) = list.get_mut(at) {
        set(&mut above.rates, kind, rate);
    }
}

fn prices(fields: &Raw, inclusive: bool) -> Vec<Price> {
    let mut price = Price::default();
    for (name, raw) in fields {
        let (Some((kind, above, tier)), Some(rate)) = (key(name), scaled(raw, MILLION)) else {
            continue;
        };
        // Other names of the cache rate count only where it has none by its own name.
        let other = matches!(
            name.as_str(),
            "explicit_cache_read_input_token_cost" | "input_cost_per_token_cache_hit"
        );
        if other && fields.contains_key("cache_read_input_token_cost") {
            continue;
        }
        let (rates, list) = match tier {
            Some(tier) => {
                let own = price.tiers.entry(tier.to_owned()).or_default();
                (&mut own.rates, &mut own.above)
            }
            None => (&mut price.rates, &mut price.above),
        };
        match above {
            Some(prompt) => set_above(list, prompt, inclusive, kind, rate),
            None => set(rates, kind, rate),
        }
    }
    ranges(fields, &mut price);
    let mode = fields.get("mode").and_then(|m| text(m)).unwrap_or_default();
    units::litellm(fields, &mode, &mut price);
    factors(fields, &mut price);
    if let Some(costs) = fields.get("search_context_cost_per_query").and_then(|c| object(c)) {
        let size = |name: &str| costs.get(name).and_then(|c| scaled(c, 1000));
        let (low, medium, high) = (
            size("search_context_size_low"),
            size("search_context_size_medium"),
            size("search_context_size_high"),
        );
        price.fees.web_search = medium.or(low).or(high);
        if low != high {
            // Medium is what providers take where nothing is asked for.
            let sizes = SearchContext::ALL.into_iter().zip([low, medium, high]);
            price.fees.search_context = sizes.filter_map(|(size, rate)| Some((size, rate?))).collect();
        }
        price.fees.free_searches = allowance(fields);
    }
    price.fees.file_search = fields.get("file_search_cost_per_1k_calls").and_then(|c| decimal(c));
    price.fees.code_execution = fields
        .get("code_interpreter_cost_per_session")
        .and_then(|c| scaled(c, 1000));
    price.fees.request = fields.get("input_cost_per_request").and_then(|c| scaled(c, 1000));
    let off_peak = off_peak(fields, &price);
    std::iter::once(price).chain(off_peak).collect()
}

/// `search_free_requests`: `{"count": 1500, "period": "day", "shared_group": "…"}`.
fn allowance(fields: &Raw) -> Option<Allowance> {
    let free = fields.get("search_free_requests").and_then(|f| object(f))?;
    let per = match free.get("period").and_then(|p| text(p))?.as_str() {
        "day" => AllowancePeriod::Day,
        "month" => AllowancePeriod::Month,
        _ => return None,
    };
    Some(Allowance {
        count: free.get("count").and_then(|c| decimal(c))?.to_u64()?,
        per,
        group: free.get("shared_group").and_then(|g| text(g))?,
    })
}

/// `tiered_pricing`: the range `lo < n <= hi` is chosen once for the whole request.
fn ranges(fields: &Raw, price: &mut Price) {
    let list: Vec<Raw> = fields
        .get("tiered_pricing")
        .and_then(|t| serde_json::from_str(t.get()).ok())
        .unwrap_or_default();
    for range in list {
        let ends: Vec<Box<RawValue>> = range
            .get("range")
            .and_then(|r| serde_json::from_str(r.get()).ok())
            .unwrap_or_default();
        let Some(low) = ends.first().and_then(|e| decimal(e)).and_then(|e| e.to_u64()) else {
            continue;
        };
        for (name, raw) in &range {
            if let (Some((kind, None, None)), Some(rate)) = (key(name), scaled(raw, MILLION)) {
                if low == 0 {
                    set(&mut price.rates, kind, rate);
                } else {
                    set_above(&mut price.above, low, false, kind, rate);
                }
            }
        }
    }
}

fn factors(fields: &Raw, price: &mut Price) {
    for (name, raw) in fields
        .get("provider_specific_entry")
        .and_then(|p| object(p))
        .unwrap_or_default()
    {
        let Some(factor) = decimal(&raw) else { continue };
        match name.as_str() {
            "fast" => price.speeds.insert(name, factor),
            "us" | "eu" => price.geographies.insert(name, factor),
            _ => None,
        };
    }
    for geography in ["us", "eu"] {
        let name = format!("regional_processing_uplift_multiplier_{geography}");
        if let Some(factor) = fields.get(&name).and_then(|f| decimal(f)) {
            price.geographies.insert(geography.to_owned(), factor);
        }
    }
    if let Some(factor) = fields
        .get("regional_endpoint_uplift_multiplier")
        .and_then(|f| decimal(f))
    {
        price.geographies.insert("*".to_owned(), factor);
        price.geographies.insert("global".to_owned(), Decimal::ONE);
    }
}

#[derive(Deserialize)]
struct Window {
    hours_utc: OneOrMany,
    #[serde(default)]
    weekdays: Vec<u32>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// `off_peak_pricing`: a price per window over the base price.
fn off_peak(fields: &Raw, base: &Price) -> Vec<Price> {
    let Some(own) = fields.get("off_peak_pricing").and_then(|o| object(o)) else {
        return Vec::new();
    };
    let mut price = base.clone();
    for (name, raw) in &own {
        if let (Some((kind, None, None)), Some(rate)) = (key(name), scaled(raw, MILLION)) {
            set(&mut price.rates, kind, rate);
        }
    }
    // A zone that nobody knows must not move a weekday.
    let zone = own.get("weekday_timezone").and_then(|z| text(z));
    let Ok(weekday_zone) = zone.as_deref().map_or(Ok(Tz::UTC), str::parse) else {
        return Vec::new();
    };
    let windows: Vec<Window> = own
        .get("windows")
        .and_then(|w| serde_json::from_str(w.get()).ok())
        .unwrap_or_default();
    let mut all = Vec::new();
    for window in windows {
        let spans = match window.hours_utc {
            OneOrMany::One(span) => vec![span],
            OneOrMany::Many(spans) => spans,
        };
        for span in spans {
            let time = |t: &str| NaiveTime::parse_from_str(t.trim(), "%H:%M").ok();
            let Some((from, to)) = span.split_once('-').and_then(|(a, b)| Some((time(a)?, time(b)?))) else {
                continue;
            };
            let weekdays = window.weekdays.clone();
            all.push(Price {
                hours: Some(Hours {
                    from,
                    to,
                    zone: Tz::UTC,
                    weekdays,
                    weekday_zone,
                }),
                ..price.clone()
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_their_grammar() {
        let write = Some(Bucket::CacheWrite12h);
        assert_eq!(
            key("cache_creation_input_token_cost_above_12hr_above_272k_tokens_flex"),
            Some((write, Some(272_000), Some("flex")))
        );
        assert_eq!(
            key("input_cost_per_token"),
            Some((Some(Bucket::InputUncached), None, None))
        );
        assert_eq!(key("output_cost_per_reasoning_token"), Some((None, None, None)));
        assert_eq!(
            key("input_cost_per_audio_token_flex"),
            Some((Some(Bucket::AudioIn), None, Some("flex")))
        );
        assert_eq!(key("input_cost_per_audio_per_second"), None);
    }
}
