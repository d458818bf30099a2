//! Prices: the hand-written truth table, names, receipts, and the book formats.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of tests may fail as loudly as a test"
)]

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};
use finops::adapters::prices::{BookKind, BookPricer, BookSpec, load, load_with};
use finops::domain::charge::{Charge, MOST, Outcome, UnpricedReason};
use finops::domain::dimension::Dimension;
use finops::domain::price::{Book, Books, Entry, NameMap, Price, Quote, Tier};
use finops::domain::usage::{Bucket, EventId, Extras, Requests, SearchContext, Tokens, Unit, UnitKey, UsageEvent};
use rust_decimal::Decimal;

/// uncached, cache read, write 5m, write 1h, output, reasoning, searches
type Counts = [u64; 7];

fn call(at: &str, provider: &str, model: &str, options: &str, n: Counts) -> UsageEvent {
    let text = if at.len() == 10 {
        format!("{at}T12:00:00Z")
    } else {
        at.to_owned()
    };
    let at: DateTime<Utc> = text.parse().unwrap();
    let mut event = UsageEvent::new(EventId([7; 16]), at, provider.into(), model.into());
    event.tokens = Tokens::default()
        .with(Bucket::InputUncached, n[0])
        .with(Bucket::CacheRead, n[1])
        .with(Bucket::CacheWrite5m, n[2])
        .with(Bucket::CacheWrite1h, n[3])
        .with(Bucket::Output, n[4]);
    event.tokens.reasoning = n[5];
    event.requests = Requests {
        web_searches: u32::try_from(n[6]).unwrap(),
        ..Requests::default()
    };
    for pair in options.split(',').filter(|p| !p.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap();
        match key {
            "tier" => event.dimensions.set(Dimension::Tier, value.into()),
            "speed" => event.speed = value.into(),
            _ => event.geo = value.into(),
        }
    }
    event
}

fn pricer() -> BookPricer {
    load(None, &[]).unwrap()
}

fn outcome(quote: &Quote) -> String {
    match quote.charge.outcome {
        Outcome::Priced(_) => quote.charge.cost.normalize().to_string(),
        Outcome::Unpriced(reason) => format!("{reason:?}"),
    }
}

/// Data that lies beside the checkout, where it does.
pub fn shared(name: &str) -> std::path::PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = root.join("../shared/data").join(name);
    if beside.exists() {
        beside
    } else {
        root.join("../../shared/data").join(name)
    }
}

#[test]
fn the_shared_truth_table_comes_out() {
    let file = shared("pricing-cases-dev.csv");
    let Ok(mut rows) = csv::Reader::from_path(&file) else {
        println!("skipped: no shared truth table");
        return;
    };
    let pricer = pricer();
    let (mut all, mut missed) = (0, 0);
    for row in rows.records() {
        let row = row.unwrap();
        let number = |i: usize| row[i].parse::<u64>().unwrap();
        let options = if row[5].is_empty() {
            String::new()
        } else {
            let map: std::collections::BTreeMap<String, String> = serde_json::from_str(&row[5]).unwrap();
            map.into_iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<Vec<_>>()
                .join(",")
        };
        let counts = [
            number(6),
            number(7),
            number(8),
            number(9),
            number(10),
            number(11),
            number(12),
        ];
        let quote = pricer.books().quote(&call(&row[2], &row[3], &row[4], &options, counts));
        let fine = match row[13].parse::<Decimal>() {
            Ok(truth) => quote.charge.is_priced() && quote.charge.cost == truth,
            Err(_) => !quote.charge.is_priced(),
        };
        all += 1;
        if !fine {
            missed += 1;
            println!(
                "{}: {} instead of {} ({} {})",
                &row[0],
                outcome(&quote),
                &row[13],
                quote.entry,
                quote.matched_by
            );
        }
    }
    assert_eq!(missed, 0, "of {all} cases");
}

/// (at, provider, model, options, counts, price or the reason that there is none)
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Counts,
    &'static str,
);

const M: u64 = 1_000_000;

/// Worked out by hand from published prices.
#[rustfmt::skip]
const CASES: &[Case] = &[
    // One rate per bucket, thresholds over the whole prompt and for the whole request.
    ("2026-10-20", "anthropic", "claude-sonnet-4-5", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.3"),
    ("2026-10-20", "anthropic", "claude-sonnet-4-5", "", [200_000, 0, 0, 0, 0, 0, 0], "0.6"),
    // As Claude Code is asked for a context of a million tokens.
    ("2026-10-20", "anthropic", "claude-sonnet-4-6[1m]", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.3"),
    ("2026-10-20", "anthropic", "claude-sonnet-4-5-20250929[1m]", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.3"),
    ("2026-10-20", "anthropic", "claude-sonnet-4-5", "", [1, 200_000, 0, 0, 1000, 0, 0], "0.142506"),
    ("2026-03-12", "anthropic", "claude-opus-4-6", "", [250_000, 0, 0, 0, 0, 0, 0], "2.5"),
    ("2026-03-13", "anthropic", "claude-opus-4-6", "", [250_000, 0, 0, 0, 0, 0, 0], "1.25"),
    ("2026-10-20", "google", "gemini-2.5-pro", "", [200_001, 0, 0, 0, 1000, 0, 0], "0.5150025"),
    ("2026-10-20", "google", "models/gemini-2.5-pro", "", [200_000, 0, 0, 0, 1000, 0, 0], "0.26"),
    // Dates.
    ("2025-06-09", "openai", "o3", "", [M, 0, 0, 0, 0, 0, 0], "10"),
    ("2025-06-10", "openai", "o3", "", [M, 0, 0, 0, 0, 0, 0], "2"),
    ("2026-08-21", "openai", "gpt-5.6-sol", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.4"),
    ("2026-07-29", "openai", "gpt-5.6-luna", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.1"),
    // Sellers whose own days no book has.
    ("2026-07-29", "azure", "gpt-5.6-luna", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.1"),
    ("2026-08-01", "azure", "gpt-5.6-luna", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.02"),
    ("2026-07-31", "azure", "eu/gpt-5.6-luna-2026-07-09", "", [M / 10, 0, 0, 0, M / 10, 0, 0], "0.77"),
    ("2026-08-31", "azure", "gpt-5.6-sol", "", [M / 10, 0, 0, 0, M / 10, 0, 0], "3.5"),
    ("2026-09-01", "azure", "gpt-5.6", "", [M / 10, 0, 0, 0, M / 10, 0, 0], "2.4"),
    ("2026-07-29", "azure", "us/gpt-5.6-terra", "", [M, 0, 0, 0, 0, 0, 0], "5.5"),
    ("2026-08-20", "azure", "gpt-5.6", "geo=eu,tier=priority", [M / 10, 0, 0, 0, M / 10, 0, 0], "7.7"),
    ("2025-06-09", "azure", "o3", "", [M, 0, 0, 0, M, 0, 0], "50"),
    ("2025-06-09", "azure", "eu/o3-2025-04-16", "tier=batch", [M, 0, 0, 0, 0, 0, 0], "5.5"),
    ("2025-06-10", "azure", "us/o3", "", [M, 0, 0, 0, 0, 0, 0], "2.2"),
    ("2026-03-12", "azure_ai", "claude-sonnet-4-6", "", [250_000, 0, 0, 0, 0, 0, 0], "1.5"),
    ("2026-03-13", "azure_ai", "claude-sonnet-4-6", "", [250_000, 0, 0, 0, 0, 0, 0], "0.75"),
    ("2026-03-12", "azure_ai", "claude-opus-4-7", "", [250_000, 0, 0, 0, 0, 0, 0], "1.25"),
    ("2026-03-12", "openrouter", "anthropic/claude-opus-4.6", "", [250_000, 0, 0, 0, 0, 0, 0], "2.5"),
    ("2025-06-09", "openrouter", "openai/o3", "", [M, 0, 0, 0, 0, 0, 0], "10"),
    ("2026-04-29", "vertex", "xai/grok-4.20-reasoning", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.2"),
    // Before its second snapshot a family was its first one.
    ("2024-08-05", "openai", "gpt-4o", "", [M, 0, 0, 0, 0, 0, 0], "5"),
    ("2024-08-06", "openai", "gpt-4o", "", [M, 0, 0, 0, 0, 0, 0], "2.5"),
    ("2026-08-31", "anthropic", "claude-sonnet-5", "", [M, 0, 0, 0, 0, 0, 0], "2"),
    ("2026-09-01", "anthropic", "claude-sonnet-5", "", [M, 0, 0, 0, 0, 0, 0], "2"),
    ("2026-11-20", "bedrock", "us.anthropic.claude-sonnet-5", "", [M, 0, 0, 0, 0, 0, 0], "2.2"),
    ("2026-11-20", "vertex", "claude-sonnet-5@default", "tier=batch", [M, M, 0, M, 0, 0, 0], "3.1"),
    ("2026-11-20", "azure_ai", "claude-sonnet-5", "", [0, 0, 0, 0, M, 0, 0], "10"),
    ("2026-11-20", "openrouter", "anthropic/claude-sonnet-5", "", [M, 0, 0, 0, 0, 0, 0], "2"),
    ("2026-05-14", "xai", "grok-code-fast-1", "", [M, M, 0, 0, M, 0, 0], "1.72"),
    ("2026-05-15", "xai", "grok-code-fast-1", "", [M, 0, 0, 0, 0, 0, 0], "2"),
    ("2026-04-29", "xai", "grok-4.20-0309-reasoning", "", [200_000, 0, 0, 0, 0, 0, 0], "0.8"),
    ("2026-04-30", "xai", "grok-4.20-0309-reasoning", "", [200_000, 0, 0, 0, 0, 0, 0], "0.5"),
    ("2026-01-15", "mistral", "mistral-medium-3", "", [M, M, 0, 0, M, 0, 0], "2.44"),
    ("2026-11-20", "mistral", "mistral-medium-3", "", [M, 0, 0, 0, 0, 0, 0], "1.5"),
    ("2026-06-15", "mistral", "mistral-medium-latest", "", [M, 0, 0, 0, 0, 0, 0], "0.4"),
    ("2026-06-16", "mistral", "mistral-medium-latest", "tier=batch", [M, 0, 0, 0, 0, 0, 0], "0.75"),
    ("2026-06-15", "mistral", "mistral-medium-latest", "tier=batch", [M, 0, 0, 0, 0, 0, 0], "UnknownTier"),
    ("2026-11-20", "mistral", "mistral-medium-2508", "", [M, 0, 0, 0, M, 0, 0], "2.4"),
    ("2026-10-19", "mistral", "mistral-large-4-0", "", [M, 0, 0, 0, M, 0, 0], "2.77"),
    ("2026-10-20", "mistral", "mistral-large-4", "", [M, 0, 0, 0, M, 0, 0], "5.54"),
    ("2026-10-29", "mistral", "mistral-large-4", "tier=batch", [M, M, 0, 0, M, 0, 0], "1.435"),
    ("2025-12-01", "mistral", "mistral-large-latest", "", [M, 0, 0, 0, 0, 0, 0], "2"),
    ("2025-12-02", "mistral", "mistral-large-latest", "", [M, 0, 0, 0, 0, 0, 0], "0.5"),
    ("2026-08-10", "mistral", "voxtral-small-latest", "", [0, 0, 0, 0, M, 0, 0], "0.3"),
    ("2026-11-30", "google", "gemini-4-argon", "", [M, M, 0, 0, 0, 0, 0], "2.1"),
    ("2026-12-01", "vertex", "gemini-4-argon", "geo=global,tier=priority", [M, M, 0, 0, 0, 0, 0], "7.56"),
    ("2027-01-01", "google", "gemini-3.8-flash-tts", "tier=batch", [M, 0, 0, 0, M, 0, 0], "9.5"),
    // Rates that a book rounds are those that they were rounded from.
    ("2026-11-20", "google", "gemini-3.5-flash-lite", "tier=flex", [0, M, 0, 0, 0, 0, 0], "0.015"),
    ("2026-11-20", "vertex", "gemini-flash-lite-latest", "tier=batch", [0, M, 0, 0, 0, 0, 0], "0.015"),
    ("2026-11-20", "google", "gemini-flash-lite-latest", "tier=priority", [0, M, 0, 0, 0, 0, 0], "0.054"),
    ("2026-11-20", "google", "gemini-3.5-flash", "tier=flex", [0, M, 0, 0, 0, 0, 0], "0.075"),
    ("2026-11-20", "azure", "eu/gpt-4.1", "tier=priority", [0, M, 0, 0, 0, 0, 0], "0.9625"),
    // A batch takes nothing off what is read from the cache where the maker says that both do not add up.
    ("2026-11-20", "groq", "openai/gpt-oss-120b", "tier=batch", [M, M, 0, 0, M, 0, 0], "0.45"),
    ("2026-11-20", "openai", "gpt-5.4", "", [10, 0, 0, 0, 0, 0, 10], "0.100025"),
    // Tiers, speed, geography; all at once.
    ("2026-10-20", "anthropic", "claude-opus-4-7", "speed=fast", [M, 0, 0, 0, 0, 0, 0], "30"),
    ("2026-10-20", "anthropic", "claude-opus-4-8", "speed=fast,geo=us,tier=batch", [M, 0, 0, 0, 0, 0, 0], "5.5"),
    ("2026-10-20", "openai", "gpt-5", "tier=priority", [M, 0, 0, 0, 0, 0, 0], "2.5"),
    ("2026-10-20", "openai", "gpt-5.4", "tier=flex", [0, M / 10, 0, 0, 0, 0, 0], "0.0125"),
    ("2026-10-20", "openai", "gpt-4o", "tier=batch", [M, 0, 0, 0, 0, 0, 0], "1.25"),
    ("2026-10-20", "openai", "gpt-5", "tier=platinum", [M, 0, 0, 0, 0, 0, 0], "UnknownTier"),
    ("2026-10-20", "anthropic", "claude-haiku-4-5", "speed=fast", [M, 0, 0, 0, 0, 0, 0], "UnknownTier"),
    // Bedrock: the geography is part of the name.
    ("2026-10-20", "aws.bedrock", "eu.anthropic.claude-haiku-4-5-20251001-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "1.1"),
    ("2026-10-20", "bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "", [1000, 0, 0, 0, 0, 0, 0], "0.0033"),
    // How Claude Code is asked for a long context.
    ("2026-10-20", "bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0[1m]", "", [1000, 0, 0, 0, 0, 0, 0], "0.0033"),
    ("2026-10-20", "bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0[1m]", "", [1000, 0, 0, 0, 0, 0, 0], "0.003"),
    ("2026-10-20", "openrouter", "anthropic/claude-sonnet-4.5[1m]", "", [1000, 0, 0, 0, 0, 0, 0], "0.003"),
    ("2026-10-20", "bedrock", "us.amazon.nova-lite-v1:0[1m]", "", [1000, 0, 0, 0, 0, 0, 0], "UnknownModel"),
    ("2026-10-20", "bedrock", "claude-sonnet-4-5-20250929", "", [1000, 0, 0, 0, 0, 0, 0], "0.0033"),
    // Names of a family of one snapshot.
    ("2025-10-01", "openai", "gpt-4o-mini-realtime-preview", "", [M, M, 0, 0, 0, 0, 0], "0.9"),
    ("2025-10-01", "openai", "gpt-4o-mini-audio-preview", "", [M, 0, 0, 0, M, 0, 0], "0.75"),
    // The maker is left away.
    ("2026-10-20", "bedrock", "claude-sonnet-4-5-20250929-v1:0", "", [1000, 0, 0, 0, 0, 0, 0], "0.0033"),
    ("2026-10-20", "bedrock", "nova-lite-v1:0", "", [M, 0, M, 0, 0, 0, 0], "0.06"),
    ("2026-10-20", "bedrock_mantle", "openai.gpt-5.6-sol", "", [1000, 0, 0, 0, 1000, 0, 0], "0.0264"),
    ("2026-10-20", "bedrock_mantle", "gpt-5.6-sol", "", [1000, 0, 0, 0, 1000, 0, 0], "0.0264"),
    ("2026-10-20", "bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "0.25"),
    ("2026-10-20", "bedrock", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "", [M, 0, M, 0, 0, 0, 0], "0.06"),
    ("2026-10-20", "bedrock", "bedrock/us-east-1/amazon.nova-micro-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "0.035"),
    ("2026-10-20", "bedrock", "openai.gpt-5.6-sol", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.44"),
    ("2026-10-20", "bedrock", "us.openai.gpt-5.6-sol", "", [300_000, 0, 0, 0, 1000, 0, 0], "2.673"),
    ("2026-10-20", "bedrock", "global.openai.gpt-5.6-sol", "", [300_000, 0, 0, 0, 1000, 0, 0], "2.43"),
    ("2026-10-20", "bedrock", "global.openai.gpt-5.4", "", [1000, 0, 0, 0, 1000, 0, 0], "0.0175"),
    ("2026-10-20", "bedrock", "global.moonshotai.kimi-k3", "", [1000, 0, 0, 0, 1000, 0, 0], "0.018"),
    ("2026-10-20", "bedrock", "in.moonshotai.kimi-k3", "", [1000, 0, 0, 0, 1000, 0, 0], "0.0198"),
    ("2026-10-20", "bedrock", "us.openai.gpt-6-sol", "", [1000, 0, 0, 0, 1000, 0, 0], "0.0132"),
    ("2026-10-20", "bedrock", "global.openai.gpt-6-sol", "", [1000, 0, 0, 0, 1000, 0, 0], "0.012"),
    ("2026-10-20", "bedrock", "us.amazon.nova-lite-v1:0", "", [1000, 0, 0, 0, 1000, 0, 0], "0.0003"),
    ("2026-10-20", "bedrock", "eu.amazon.nova-lite-v1:0", "", [1000, 0, 0, 0, 1000, 0, 0], "0.00039"),
    ("2026-10-20", "bedrock", "eu.amazon.nova-micro-v1:0", "tier=batch", [2000, 0, 0, 0, 2000, 0, 0], "0.00023"),
    ("2026-10-20", "bedrock", "eu.amazon.nova-pro-v1:0", "", [1000, 0, 0, 0, 1000, 0, 0], "0.00525"),
    ("2026-10-20", "bedrock", "apac.amazon.nova-pro-v1:0", "", [1000, 0, 0, 0, 1000, 0, 0], "0.0042"),
    ("2026-10-20", "bedrock", "eu.amazon.nova-2-lite-v1:0", "", [1000, 0, 0, 0, 1000, 0, 0], "0.004026"),
    ("2026-10-20", "bedrock", "jp.amazon.nova-2-lite-v1:0", "", [1000, 0, 0, 0, 1000, 0, 0], "0.003707"),
    ("2026-10-20", "bedrock", "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "", [1000, 0, 0, 0, 1000, 0, 0], "0.0216"),
    ("2026-10-20", "bedrock", "bedrock/us-gov-west-1/amazon.nova-pro-v1:0", "", [1000, 0, 0, 0, 1000, 0, 0], "0.0048"),
    ("2026-10-20", "bedrock", "bedrock/eu-north-1/deepseek.v3.2", "", [1000, 0, 0, 0, 1000, 0, 0], "0.00296"),
    ("2026-10-20", "bedrock", "deepseek.v3.2", "", [1000, 0, 0, 0, 1000, 0, 0], "0.00247"),
    ("2026-10-20", "bedrock", "arn:aws:bedrock:ap-northeast-1::foundation-model/anthropic.claude-instant-v1", "", [M, 0, 0, 0, 0, 0, 0], "2.23"),
    ("2026-10-20", "bedrock", "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.titan-embed-text-v2:0", "", [M, 0, 0, 0, 0, 0, 0], "0.11"),
    // Vertex, Azure, OpenRouter, Groq, DeepSeek.
    ("2026-10-20", "vertex_ai", "claude-sonnet-4-5@20250929", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.3"),
    ("2026-10-20", "vertex", "claude-sonnet-4-5@20250929", "geo=us-east5", [M / 10, 0, 0, 0, 0, 0, 0], "0.33"),
    ("2026-10-20", "vertex", "gemini-2.5-flash", "", [M, 0, 0, 0, 0, 0, 0], "0.3"),
    // The whole name tells the location.
    ("2026-10-20", "vertex", "projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.33"),
    ("2026-10-20", "vertex", "projects/p/locations/eu/publishers/google/models/gemini-3.5-flash", "", [M, 0, 0, 0, 0, 0, 0], "1.65"),
    ("2026-10-20", "vertex", "projects/p/locations/global/publishers/anthropic/models/claude-sonnet-4-5@20250929", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.3"),
    ("2026-10-20", "vertex", "projects/p/locations/global/publishers/anthropic/models/claude-sonnet-4-5@20250929", "geo=us-east5", [M / 10, 0, 0, 0, 0, 0, 0], "0.3"),
    ("2026-10-20", "vertex", "projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash", "", [M, 0, 0, 0, 0, 0, 0], "0.3"),
    ("2026-10-20", "vertex_ai", "vertex_ai/projects/p/locations/us-central1/publishers/meta/models/llama-3.3-70b-instruct-maas", "tier=batch", [M, 0, 0, 0, 0, 0, 0], "0.36"),
    ("2026-10-20", "vertex", "openai/gpt-oss-120b-maas", "", [M, 0, 0, 0, M, 0, 0], "0.45"),
    ("2026-10-20", "vertex", "mistral-medium-3@001", "", [M, 0, 0, 0, M, 0, 0], "2.4"),
    ("2026-10-20", "vertex", "text-embedding-005", "", [M, 0, 0, 0, 0, 0, 0], "0.1"),
    ("2026-10-20", "vertex", "meta/llama-3.1-8b-instruct-maas", "", [M, 0, 0, 0, 0, 0, 0], "UnknownModel"),
    ("2026-10-20", "azure", "azure/eu/gpt-5-2025-08-07", "", [M, 0, 0, 0, 0, 0, 0], "1.375"),
    // A zone has entries of its own, for some snapshots of a family only.
    ("2026-11-20", "azure", "gpt-6-sol", "geo=eu", [1000, 0, 0, 0, 0, 0, 0], "0.0024"),
    ("2026-11-20", "azure", "azure/gpt-6-sol", "geo=EU", [1000, 0, 0, 0, 0, 0, 0], "0.0024"),
    ("2026-11-20", "azure", "gpt-5.1", "geo=us-gov", [M, 0, 0, 0, 0, 0, 0], "1.71875"),
    ("2026-11-20", "azure", "us-gov/gpt-5.1-2025-11-13", "", [M, 0, 0, 0, 0, 0, 0], "1.71875"),
    ("2026-11-20", "azure", "azure/us-gov/o3-mini-2025-01-31", "", [M, 0, 0, 0, 0, 0, 0], "1.513"),
    ("2026-11-20", "azure", "global-standard/gpt-4o-mini-2024-07-18", "", [M, 0, 0, 0, 0, 0, 0], "0.15"),
    ("2026-11-20", "azure", "gpt-4o-2024-05-13", "geo=eu", [M, 0, 0, 0, 0, 0, 0], "5.5"),
    ("2026-11-20", "azure", "gpt-6-sol", "geo=moon", [1000, 0, 0, 0, 0, 0, 0], "UnknownTier"),
    ("2026-10-20", "azure", "gpt-5-2025-08-07", "geo=eu", [M, 0, 0, 0, 0, 0, 0], "1.375"),
    ("2026-10-20", "azure", "gpt-4o-2024-08-06", "", [M, 0, 0, 0, 0, 0, 0], "2.5"),
    ("2026-10-20", "azure", "mistral-large-latest", "", [M, 0, 0, 0, 0, 0, 0], "8"),
    ("2026-10-20", "azure", "gpt-35-turbo-0125", "", [M, 0, 0, 0, 0, 0, 0], "0.5"),
    ("2026-10-20", "azure", "gpt-35-turbo-1106", "", [M, 0, 0, 0, 0, 0, 0], "1"),
    ("2026-10-20", "azure", "gpt-3.5-turbo-0613", "", [M, 0, 0, 0, 0, 0, 0], "1.5"),
    ("2026-10-20", "cohere", "command-r-plus", "", [M, 0, 0, 0, 0, 0, 0], "2.5"),
    ("2026-10-20", "cohere", "command", "", [M, 0, 0, 0, 0, 0, 0], "1"),
    ("2026-10-20", "deepseek", "deepseek-v3.2", "", [M, M, 0, 0, 0, 0, 0], "0.308"),
    ("2026-10-20", "azure_ai", "mistral-large-latest", "", [M, 0, 0, 0, M, 0, 0], "8"),
    ("2026-10-20", "azure.ai.inference", "gpt-4o-2024-08-06", "", [M, 0, 0, 0, 0, 0, 0], "2.5"),
    ("2026-10-20", "openrouter", "anthropic/claude-sonnet-4:free", "", [1000, 0, 0, 0, 0, 0, 0], "0"),
    ("2026-10-20", "groq", "llama-3.3-70b-versatile", "", [M, 0, 0, 0, 0, 0, 0], "0.59"),
    ("2026-10-20T12:00:00Z", "deepseek", "deepseek-chat", "", [M, 0, 0, 0, 0, 0, 0], "0.27"),
    ("2026-10-20T16:30:00Z", "deepseek", "deepseek-chat", "", [M, 0, 0, 0, 0, 0, 0], "0.135"),
    ("2026-10-20T00:29:59Z", "deepseek", "deepseek-chat", "", [M, 0, 0, 0, 0, 0, 0], "0.135"),
    // Friday 17:00 UTC is Saturday in Shanghai; Monday 02:00 UTC is a busy hour.
    ("2026-10-23T17:00:00Z", "deepseek", "deepseek-v4-pro", "", [M, 0, 0, 0, 0, 0, 0], "0.66"),
    ("2026-10-26T02:00:00Z", "deepseek", "deepseek-v4-pro", "", [M, 0, 0, 0, 0, 0, 0], "1.32"),
    ("2026-08-16T02:00:00Z", "deepseek", "deepseek-v4-pro", "", [M, 0, 0, 0, 0, 0, 0], "0.435"),
    ("2026-08-22T02:00:00Z", "deepseek", "deepseek-v4-pro", "", [M, 0, 0, 0, 0, 0, 0], "1.32"),
    ("2026-08-23T02:00:00Z", "deepseek", "deepseek-v4-pro", "", [M, 0, 0, 0, 0, 0, 0], "0.66"),
    ("2026-09-09T05:00:00Z", "deepseek", "deepseek-v4-flash", "", [M, 0, 0, 0, M, 0, 0], "0.88"),
    ("2026-09-10T05:00:00Z", "deepseek", "deepseek-v4-flash", "", [M, 0, 0, 0, M, 0, 0], "0.75"),
    // The same model at another provider; a threshold that includes its own size.
    ("2026-05-20", "vertex", "gemini-2.0-flash-001", "", [M, 0, 0, 0, 0, 0, 0], "0.15"),
    ("2026-05-20", "google", "gemini-2.0-flash-001", "", [M, 0, 0, 0, 0, 0, 0], "0.1"),
    ("2026-05-20", "xai", "grok-4", "", [127_999, 0, 0, 0, 0, 0, 0], "0.383997"),
    ("2026-05-20", "xai", "grok-4", "", [128_000, 0, 0, 0, 0, 0, 0], "0.768"),
    // A dated snapshot with its own price; fine-tunes; spellings.
    ("2026-10-20", "openai", "gpt-4o-2024-05-13", "", [M, M, 0, 0, 0, 0, 0], "10"),
    ("2026-10-20", "openai", "ft:gpt-4o-2024-08-06:org::id", "tier=batch", [M, 0, 0, 0, 0, 0, 0], "1.875"),
    ("2026-10-20", "anthropic", "claude-4.5-sonnet", "", [1000, 0, 0, 0, 0, 0, 0], "0.003"),
    ("2026-10-20", "anthropic", "Claude-3-5-Sonnet-Latest", "", [1000, 0, 0, 0, 0, 0, 0], "0.003"),
    ("2026-10-20", "anthropic", "anthropic/claude-opus-4.8", "", [1000, 0, 0, 0, 0, 0, 0], "0.005"),
    ("2026-10-20", "openai", "gpt-5-2025-08-07", "", [M, 0, 0, 0, 0, 0, 0], "1.25"),
    // Spellings of gateways and paths; what has a price in two public books that agree.
    ("2026-10-20", "vertex_ai", "claude-3-5-sonnet-v2@20241022", "", [1000, 0, 0, 0, 0, 0, 0], "0.003"),
    ("2026-10-20", "vertex", "projects/x/locations/us-central1/publishers/google/models/gemini-2.5-flash", "", [M, 0, 0, 0, 0, 0, 0], "0.3"),
    ("2026-10-20", "bedrock", "amazon.titan-embed-text-v1", "", [M, 0, 0, 0, 0, 0, 0], "0.1"),
    ("2026-10-20", "bedrock", "amazon.titan-embed-text-v2:0", "", [M, 0, 0, 0, 0, 0, 0], "0.02"),
    ("2026-10-20", "bedrock", "amazon.titan-embed-text-v3:0", "", [M, 0, 0, 0, 0, 0, 0], "UnknownModel"),
    ("2026-10-20", "gemini", "gemini-embedding-001", "tier=batch", [M, 0, 0, 0, 0, 0, 0], "0.075"),
    ("2026-10-20", "openai", "gpt-realtime-2025-08-28", "", [M, M, 0, 0, M, 0, 0], "20.4"),
    ("2026-10-20", "openai", "gpt-image-1", "", [M, 0, 0, 0, M, 0, 0], "45"),
    ("2026-10-20", "cohere_chat", "command-a-03-2025", "", [M, 0, 0, 0, M, 0, 0], "12.5"),
    ("2026-10-20", "cerebras", "cerebras/gpt-oss-120b", "", [M, 0, 0, 0, M, 0, 0], "1.1"),
    ("2026-10-20", "voyageai", "voyage-3.5", "", [M, 0, 0, 0, 0, 0, 0], "0.06"),
    ("2026-10-20", "moonshot", "kimi-k2.6", "", [M, M, 0, 0, 0, 0, 0], "1.11"),
    ("2026-10-20", "bedrock", "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/anthropic.claude:1", "", [M, 0, 0, 0, 0, 0, 0], "OpaqueName"),
    ("2026-10-20", "bedrock", "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:1", "", [M, 0, 0, 0, 0, 0, 0], "OpaqueName"),
    ("2026-10-20", "bedrock", "converse/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x1", "", [M, 0, 0, 0, 0, 0, 0], "OpaqueName"),
    ("2026-10-20", "bedrock", "bedrock/invoke/arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-micro-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "0.035"),
    ("2026-10-20", "bedrock", "bedrock/converse/arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "", [M, 0, M, 0, 0, 0, 0], "0.06"),
    ("2026-10-20", "bedrock", "converse/us.amazon.nova-micro-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "0.035"),
    // Qwen's ranges: the upper end of one belongs to it; the whole prompt decides, and the whole request pays.
    ("2026-10-20", "dashscope", "qwen-flash", "", [256_000, 0, 0, 0, 1000, 0, 0], "0.0132"),
    ("2026-10-20", "dashscope", "qwen-flash", "", [256_001, 0, 0, 0, 1000, 0, 0], "0.06600025"),
    ("2026-10-20", "dashscope", "qwen3-coder-plus", "", [30_000, 2000, 0, 0, 0, 0, 0], "0.0302"),
    ("2026-10-20", "dashscope", "qwen3-coder-plus", "", [30_000, 2001, 0, 0, 0, 0, 0], "0.05436018"),
    ("2026-10-20", "alibaba", "qwen/qwen3-max", "", [128_000, 0, 0, 0, 0, 0, 0], "0.3072"),
    ("2026-10-20", "qwen", "dashscope/qwen3-max", "", [128_001, 0, 0, 0, 0, 0, 0], "0.384003"),
    ("2026-10-20", "alibaba_cloud", "qwen-plus-latest", "", [0, 0, 0, 0, M, 400_000, 0], "2.32"),
    // Makers' own interfaces, under the names that gateways have for them; never at another seller's price.
    ("2026-10-20", "z-ai", "GLM-4.6", "", [M, M, M, 0, M, 0, 0], "2.91"),
    ("2026-10-20", "z.ai", "glm-4.5-flash", "", [M, 0, 0, 0, M, 0, 0], "0"),
    ("2026-10-20", "zhipuai", "glm-4.6", "", [M, 0, 0, 0, 0, 0, 0], "UnknownModel"),
    ("2026-10-20", "minimax", "minimax/minimax-m3", "", [512_000, 0, 0, 0, 0, 0, 0], "0.1536"),
    ("2026-10-20", "minimax", "MiniMax-M3", "", [512_001, 0, 0, 0, 0, 0, 0], "0.3072006"),
    ("2026-10-20", "fireworks_ai", "accounts/fireworks/models/kimi-k2p6", "", [M, M, 0, 0, M, 0, 0], "5.11"),
    ("2026-10-20", "fireworks", "fireworks_ai/kimi-k2p6", "tier=priority", [M, M, 0, 0, M, 0, 0], "7.72"),
    ("2026-10-20", "fireworks", "accounts/fireworks/models/deepseek-v4-flash-0731", "", [M, 0, 0, 0, 0, 0, 0], "UnknownModel"),
    ("2026-10-20", "together_ai", "meta-llama/Llama-4-Scout-17B-16E-Instruct", "", [M, 0, 0, 0, M, 0, 0], "0.77"),
    ("2026-10-20", "togetherai", "zai-org/GLM-5.2", "", [M, 0, 0, 0, 0, 0, 0], "UnknownModel"),
    ("2026-10-20", "perplexity", "sonar-deep-research", "", [M, 0, 0, 0, M, 500_000, 18], "7.59"),
    ("2026-10-20", "moonshot", "kimi-k3.1-pro", "", [M, M, M, M, 0, 0, 0], "8.2"),
    ("2026-10-20", "moonshot", "moonshot-v1-128k-vision-preview", "", [M, 0, 0, 0, M, 0, 0], "7"),
    ("2026-10-20", "openai", "gpt-4o-transcribe-diarize", "", [M, 0, 0, 0, M, 0, 0], "12.5"),
    ("2026-10-20", "openai", "gpt-image-2", "tier=batch", [M, M, 0, 0, M, 0, 0], "18.125"),
    ("2026-10-20", "openai", "omni-moderation-latest", "", [M, 0, 0, 0, 0, 0, 0], "0"),
    // Azure's embeddings are not at OpenAI's list price; what is sold as a model of Azure AI.
    ("2026-10-20", "azure", "text-embedding-3-large", "", [M, 0, 0, 0, 0, 0, 0], "0.143"),
    ("2026-10-20", "azure", "azure/eu/text-embedding-3-small", "", [M, 0, 0, 0, 0, 0, 0], "0.022"),
    ("2026-10-20", "azure_ai", "azure_ai/claude-opus-4-8", "", [M, 0, 0, 0, 0, 0, 10], "5.1"),
    ("2026-10-20", "azure_ai", "grok-4.6", "", [200_001, 0, 0, 0, 0, 0, 0], "0.800004"),
    // Geographies, tiers and thresholds on Bedrock.
    ("2026-10-20", "bedrock", "us.openai.gpt-6-astra", "", [M, 0, 0, 0, 0, 0, 0], "22"),
    ("2026-10-20", "bedrock", "global.openai.gpt-6-astra", "tier=ultrafast", [1000, 0, 0, 0, 0, 0, 0], "0.06"),
    ("2026-10-20", "bedrock", "global.xai.grok-4.7", "tier=priority", [M, M, 0, 0, 0, 0, 0], "4.375"),
    ("2026-10-20", "bedrock", "us-gov.xai.grok-4.6", "", [M, M, 0, 0, 0, 0, 0], "3.3"),
    ("2026-10-20", "bedrock", "us.zai.glm-5.3", "tier=batch", [M, 0, 0, 0, 0, 0, 0], "0.924"),
    ("2026-10-20", "bedrock", "bedrock/ap-northeast-1/moonshotai.kimi-k2-thinking", "", [M, 0, 0, 0, 0, 0, 0], "0.73"),
    ("2026-10-20", "bedrock", "anthropic.claude-v2:1", "", [M, 0, 0, 0, M, 0, 0], "32"),
    ("2026-10-20", "bedrock", "bedrock/claude_platform/claude-opus-4-8", "geo=us", [M, 0, 0, 0, 0, 0, 10], "5.6"),
    ("2026-10-20", "anthropic", "claude-haiku-5-5", "", [100_000, 0, 0, 0, 0, 0, 0], "0.01"),
    ("2026-10-20", "anthropic", "claude-haiku-5-5", "", [100_001, 0, 0, 0, 0, 0, 0], "0.0500005"),
    // Thresholds of the same model at each of its sellers.
    ("2026-11-18", "anthropic", "claude-haiku-5-5", "tier=batch", [50_001, 50_000, 0, 0, 1000, 0, 0], "0.01500025"),
    ("2026-11-18", "bedrock", "eu.anthropic.claude-haiku-5-5", "", [50_001, 50_000, 0, 0, 1000, 0, 0], "0.03300055"),
    ("2026-11-18", "vertex", "claude-haiku-5-5@default", "", [50_001, 50_000, 0, 0, 1000, 0, 0], "0.0300005"),
    ("2026-11-18", "bedrock", "us.openai.gpt-5.4", "", [100_001, 420_000, 0, 0, 2000, 0, 0], "0.8305055"),
    ("2026-11-18", "bedrock", "global.openai.gpt-5.5", "", [100_001, 420_000, 0, 0, 2000, 0, 0], "1.51001"),
    ("2026-11-18", "vertex", "gemini-3.6-flash", "geo=europe-west4", [1000, 0, 0, 0, 1000, 0, 0], "0.00495"),
    ("2027-01-01", "vertex", "gemini-3.7-flash", "geo=europe-west4", [1000, 0, 0, 0, 1000, 0, 0], "0.0099"),
    ("2026-11-18", "vertex", "gemini-3.1-flash-lite", "geo=global", [1000, 0, 0, 0, 1000, 0, 0], "0.00175"),
    // What is read from the cache has no discount in batches where no book gives one.
    ("2026-11-18", "openai", "o3", "tier=batch", [10_001, 5000, 0, 0, 301, 0, 0], "0.013705"),
    ("2025-06-09", "openai", "o3", "tier=batch", [1000, 1000, 0, 0, 0, 0, 0], "0.0075"),
    ("2026-11-18", "openai", "gpt-5", "tier=batch", [1000, 1000, 0, 0, 0, 0, 0], "0.0006875"),
    ("2026-11-18", "bedrock", "eu.amazon.nova-pro-v1:0", "tier=batch", [1000, 1000, 0, 0, 0, 0, 0], "0.0007875"),
    ("2026-11-18", "bedrock", "us.amazon.nova-pro-v1:0", "tier=flex", [1000, 1000, 0, 0, 0, 0, 0], "0.0005"),
    ("2026-11-18", "google", "gemini-3.6-flash", "tier=priority", [1000, 1000, 0, 0, 0, 0, 2], "0.029485"),
    ("2026-11-18", "vertex", "gemini-3-pro-image", "", [1000, 20_000, 0, 0, 10, 0, 0], "0.00612"),
    // Bedrock's mantle has prices of its own for some models, and so have some Regions.
    ("2026-11-18", "bedrock", "bedrock_mantle/openai.gpt-6-sol", "", [1000, 0, 0, 0, 1000, 0, 0], "0.0132"),
    ("2026-11-18", "bedrock_mantle", "openai.gpt-6-sol", "", [1000, 0, 0, 0, 1000, 0, 0], "0.0132"),
    ("2026-11-18", "bedrock-mantle", "openai.gpt-6-luna-2026-09-03", "", [272_001, 0, 0, 0, 0, 0, 0], "0.05984022"),
    ("2026-11-18", "bedrock_mantle", "anthropic.claude-haiku-4-5", "", [1000, 0, 0, 0, 1000, 0, 0], "0.006"),
    ("2026-11-18", "bedrock", "openai.gpt-6-sol", "", [1000, 0, 0, 0, 1000, 0, 0], "0.012"),
    ("2026-11-18", "bedrock", "bedrock/eu-west-2/qwen.qwen3-next-80b-a3b", "", [1000, 20_000, 0, 0, 1000, 0, 0], "0.00669"),
    ("2026-11-18", "bedrock", "bedrock/converse/sa-east-1/meta.llama3-8b-instruct-v1:0", "", [1000, 0, 0, 0, 1000, 0, 0], "0.00151"),
    // The place may stand beside the name, or in an ARN.
    ("2026-11-18", "bedrock", "qwen.qwen3-next-80b-a3b-v1:0", "geo=eu-west-2", [M, 0, 0, 0, 0, 0, 0], "0.23"),
    ("2026-11-18", "bedrock", "eu-west-2/qwen.qwen3-next-80b-a3b", "geo=EU-west-2", [M, 0, 0, 0, 0, 0, 0], "0.23"),
    ("2026-11-18", "bedrock", "arn:aws:bedrock:eu-west-2::foundation-model/qwen.qwen3-next-80b-a3b-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "0.23"),
    ("2026-11-18", "bedrock", "arn:aws:bedrock:us-gov-west-1::foundation-model/deepseek.r1-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "1.35"),
    ("2026-11-18", "bedrock", "arn:aws:bedrock:eu-west-2:1:inference-profile/us.amazon.nova-micro-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "0.035"),
    ("2026-11-18", "bedrock", "anthropic.claude-instant-v1", "geo=ap-northeast-1", [M, 0, 0, 0, 0, 0, 0], "2.23"),
    ("2026-11-18", "bedrock", "amazon.nova-micro-v1:0", "geo=eu", [M, 0, 0, 0, 0, 0, 0], "0.046"),
    ("2026-11-18", "bedrock", "us.amazon.nova-micro-v1:0", "geo=eu", [M, 0, 0, 0, 0, 0, 0], "0.035"),
    ("2026-11-18", "bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0", "geo=global", [M, 0, 0, 0, 0, 0, 0], "1"),
    ("2026-11-18", "openai", "ft:gpt-4o-2024-11-20:org::id", "", [0, 1000, 0, 0, 0, 0, 0], "0.001875"),
    // What a router takes is no price of the model that answers.
    ("2026-11-18", "azure", "model-router-2025-11-18", "", [M, 0, 0, 0, M, 0, 0], "UnknownModel"),
    ("2026-11-18", "azure_ai", "azure_ai/model_router", "", [0, 0, 0, 0, M, 0, 0], "UnknownModel"),
    // A retired model of OpenRouter's keeps the cache rates that its short name has; where no book has any, a cached token is input.
    ("2025-10-20", "openrouter", "anthropic/claude-3.7-sonnet:thinking", "", [0, M, M, 0, 0, 0, 0], "4.05"),
    ("2025-10-20", "openrouter", "google/gemini-2.0-flash-001", "", [M, M, M, 0, 0, 0, 0], "0.3083"),
    ("2025-10-20", "openrouter", "openai/o1-mini", "", [0, M, 0, 0, 0, 0, 0], "0.55"),
    ("2025-10-20", "openrouter", "anthropic/claude-3-haiku", "", [0, M, M, 0, 0, 0, 0], "0.33"),
    // xAI's models are the same with xAI before the name.
    ("2026-10-20", "xai", "x-ai/grok-4.5", "", [200_000, 0, 0, 0, 0, 0, 0], "0.8"),
    ("2026-10-20", "x-ai", "x-ai/grok-4.5-20260708", "", [0, 100_000, 0, 0, 0, 0, 0], "0.03"),
    ("2026-10-20", "xai", "grok-latest", "", [0, 100_000, 0, 0, 0, 0, 0], "0.03"),
    ("2026-10-20", "xai", "x-ai/grok-4.3", "tier=batch", [1000, 0, 0, 0, 0, 0, 0], "0.001"),
    ("2025-10-20", "google", "gemini-2.5-flash-preview-09-2025", "", [M, 0, 0, 0, 0, 0, 1], "0.335"),
    ("2025-10-20", "google", "gemini-2.5-flash-latest", "tier=flex", [M, 0, 0, 0, 0, 0, 0], "0.15"),
    // Words that say nothing of the place are none; `global` is one.
    ("2026-11-18", "bedrock", "anthropic.claude-opus-4-8", "geo=not_available", [M, 0, 0, 0, 0, 0, 0], "5.5"),
    ("2026-11-18", "bedrock", "anthropic.claude-opus-4-8", "geo=global", [M, 0, 0, 0, 0, 0, 0], "5"),
    ("2026-11-18", "anthropic", "claude-opus-4-8", "geo=not_available", [M, 0, 0, 0, 0, 0, 0], "5"),
    // Rates that a book leaves out of a tier, or rounds, where those beside them tell.
    ("2026-11-18", "azure", "gpt-5.5", "tier=flex", [M, 0, 0, 0, 0, 0, 0], "5"),
    ("2026-11-18", "azure", "gpt-5.5-2026-04-23", "tier=flex", [1000, 1000, 0, 0, 1000, 0, 0], "0.01775"),
    ("2026-11-18", "azure", "gpt-5.4", "tier=flex", [1000, 1000, 0, 0, 1000, 0, 0], "0.008875"),
    ("2026-11-18", "azure", "eu/gpt-4o-mini", "tier=batch", [M, 0, 0, 0, M, 0, 0], "0.4125"),
    ("2026-08-18", "openai", "ft:davinci-002:org::id", "", [M, 0, 0, 0, M, 0, 0], "24"),
    ("2026-08-18", "text-completion-openai", "davinci-002", "tier=batch", [M, 0, 0, 0, M, 0, 0], "2"),
    ("2025-10-20", "anthropic", "claude-haiku-3.5", "", [M, 0, 0, 0, 0, 0, 0], "0.8"),
    ("2025-10-20", "anthropic", "claude-haiku-3-20240307", "", [M, 0, 0, 0, 0, 0, 0], "0.25"),
    // GLM's cache rates; a launch offer that ended at midnight in China.
    ("2026-11-28", "zai", "glm-4.5", "", [M, M, 0, 0, M, 0, 0], "2.91"),
    ("2026-11-28", "z.ai", "GLM-4.5-Air", "", [0, M, 0, 0, 0, 0, 0], "0.03"),
    ("2026-09-01", "zai", "glm-5.3-flash", "", [M, M, 0, 0, M, 0, 0], "0.34"),
    ("2026-09-09T15:59:59Z", "zai", "glm-5.3-flash", "", [M, M, 0, 0, M, 0, 0], "0.34"),
    ("2026-09-09T16:00:00Z", "zai", "glm-5.3-flash", "", [M, M, 0, 0, M, 0, 0], "0.68"),
    ("2026-09-10T00:00:00Z", "zai", "glm-5.3-flash", "", [M, M, 0, 0, M, 0, 0], "0.68"),
    // A long prompt in flex.
    ("2026-11-28", "google", "gemini-2.5-pro", "tier=flex", [200_000, 0, 0, 0, 1000, 0, 0], "0.13"),
    ("2026-11-28", "google", "gemini-2.5-pro", "tier=flex", [201_000, 0, 0, 0, 1000, 0, 0], "0.25875"),
    ("2026-11-28", "vertex", "gemini-3.1-pro-preview", "tier=flex", [201_000, 0, 0, 0, 1000, 0, 0], "0.411"),
    ("2026-11-28", "google", "gemini-pro-latest", "tier=flex", [1000, 200_000, 0, 0, 0, 0, 0], "0.082"),
    // Perplexity's interface for agents has a model of the name of one that its chat interface had.
    ("2026-11-28", "perplexity", "perplexity/sonar", "", [100_000, 100_000, 0, 0, 10_000, 0, 1], "0.05875"),
    ("2026-11-28", "", "perplexity/sonar", "", [M, 0, 0, 0, 0, 0, 0], "0.25"),
    ("2026-09-26", "perplexity", "perplexity/sonar", "", [M, 0, 0, 0, 0, 0, 1], "1.008"),
    ("2026-11-28", "perplexity", "sonar", "", [M, 0, 0, 0, 0, 0, 1], "1.008"),
    // OpenRouter's thresholds, caches and dates.
    ("2026-08-01", "openrouter", "openai/gpt-5.4", "", [300_000, 0, 0, 0, 1000, 0, 0], "1.5225"),
    ("2026-11-28", "openrouter", "openai/gpt-5.4", "", [272_000, 0, 0, 0, 0, 0, 0], "0.68"),
    ("2026-11-28", "openrouter", "google/gemini-3.1-pro-preview", "", [300_000, 0, 0, 0, 1000, 0, 0], "1.218"),
    ("2026-08-01", "openrouter", "google/gemini-2.5-pro", "", [300_000, 0, 0, 0, 0, 0, 0], "0.75"),
    ("2026-11-28", "openrouter", "x-ai/grok-4.3", "", [200_001, 0, 0, 0, 0, 0, 0], "0.5000025"),
    ("2026-11-28", "openrouter", "openai/gpt-4o", "", [0, 100_000, 0, 0, 0, 0, 0], "0.125"),
    ("2026-08-01", "openrouter", "openai/gpt-5.1", "", [0, M, 0, 0, 0, 0, 0], "0.125"),
    ("2026-10-18", "openrouter", "openai/gpt-oss-120b", "", [M, 0, 0, 0, M, 0, 0], "0.219"),
    ("2026-10-19", "openrouter", "openai/gpt-oss-120b", "", [M, 0, 0, 0, M, 0, 0], "0.75"),
    ("2026-11-28", "openrouter", "openai/gpt-oss-120b", "", [M, 0, 0, 0, M, 0, 0], "0.6"),
    ("2026-11-28", "openrouter", "openai/gpt-oss-120b:free", "", [M, 0, 0, 0, M, 0, 0], "0"),
    ("2026-10-20", "openrouter", "moonshotai/kimi-k3", "", [M, 0, 0, 0, 0, 0, 0], "3"),
    ("2026-09-09T16:00:00Z", "openrouter", "z-ai/glm-5.3-flash", "", [M, 0, 0, 0, 0, 0, 0], "0.15"),
    ("2026-11-28", "openrouter", "anthropic/claude-opus-5.5", "", [M, M, M, 0, M, 0, 0], "29.2"),
    ("2026-11-28", "openrouter", "openai/gpt-6-sol:batch", "", [272_001, 0, 0, 0, 0, 0, 0], "0.544002"),
    // Its own names of models, as its answers and exports have them.
    ("2026-03-02", "openrouter", "anthropic/claude-4-sonnet-20250522", "", [1000, 0, 0, 0, 1000, 0, 0], "0.018"),
    ("2026-03-02", "openrouter", "anthropic/claude-4-opus-20250522", "", [1000, 0, 0, 0, 1000, 0, 0], "0.09"),
    ("2026-03-02", "openrouter", "anthropic/claude-3-7-sonnet-20250219", "", [1000, 0, 0, 0, 1000, 0, 0], "0.018"),
    // Its promotions, and what it took before its makers' cuts.
    ("2026-07-28", "openrouter", "openai/gpt-5.6-sol", "", [M / 10, 0, 0, 0, 1000, 0, 0], "0.53"),
    ("2026-08-22", "openrouter", "openai/gpt-5.6-sol-pro:batch", "", [M / 10, 0, 0, 0, 1000, 0, 0], "0.105"),
    ("2026-09-25", "openrouter", "openai/gpt-5.6-sol-20260709", "", [M / 10, 0, 0, 0, 1000, 0, 0], "0.21"),
    ("2026-09-26", "openrouter", "openai/gpt-5.6-sol", "", [300_000, 0, 0, 0, 1000, 0, 0], "2.43"),
    ("2026-07-22", "openrouter", "openai/gpt-5.6-terra", "", [M / 10, 0, 0, 0, 1000, 0, 0], "0.265"),
    ("2026-07-28", "openrouter", "openai/gpt-5.6-terra-pro", "", [M / 10, M / 10, 0, 0, 1000, 0, 0], "0.145"),
    ("2026-08-20", "openrouter", "openai/gpt-5.6-luna", "", [M / 10, 0, 0, 0, 1000, 0, 0], "0.0106"),
    ("2026-08-27", "openrouter", "google/gemini-3.7-flash", "", [M, M, 0, 0, M, 0, 0], "2.2875"),
    ("2026-07-13", "openrouter", "x-ai/grok-4.20-multi-agent", "", [M / 10, 0, 0, 0, M / 10, 0, 0], "0.375"),
    ("2026-04-29", "openrouter", "x-ai/grok-4.20", "", [300_000, 0, 0, 0, 1000, 0, 0], "1.212"),
    ("2026-07-28", "openrouter", "google/gemini-2.5-flash", "", [0, M, 0, 0, 0, 0, 0], "0.03"),
    ("2026-07-28", "openrouter", "google/gemini-2.5-pro", "", [0, M / 10, 0, 0, 0, 0, 0], "0.0125"),
    ("2025-11-06", "openrouter", "google/gemini-2.5-pro", "", [0, M / 10, 0, 0, 0, 0, 0], "0.031"),
    ("2026-10-20", "openrouter", "~moonshotai/kimi-latest", "", [M, M, 0, 0, M, 0, 0], "18.3"),
    ("2026-08-20", "openrouter", "~z-ai/glm-latest", "", [M, 0, 0, 0, M, 0, 0], "5.8"),
    // Gemini 3.6 Flash before its price was halved with the release of 3.7, and what priority costs when that ends.
    ("2026-07-28", "google", "gemini-3.6-flash", "", [M, M, 0, 0, M, 0, 0], "9.15"),
    ("2026-08-12", "vertex", "gemini-3.6-flash", "geo=europe-west4,tier=batch", [M, 0, 0, 0, M, 0, 0], "4.95"),
    ("2026-08-13", "google", "gemini-3.6-flash", "", [M, M, 0, 0, M, 0, 0], "4.575"),
    ("2026-08-13", "openrouter", "google/gemini-3.6-flash", "", [M, 0, 0, 0, M, 0, 0], "9"),
    ("2027-01-01", "vertex", "gemini-3.7-flash", "tier=priority", [M, M, 0, 0, M, 0, 0], "16.47"),
    // DeepSeek: the dear hours are none on Chinese public holidays; their price of August is twice that of the others.
    ("2026-10-01T02:00:00Z", "deepseek", "deepseek-v4-pro", "", [M, 0, 0, 0, M, 0, 0], "2.64"),
    ("2026-09-25T07:00:00Z", "deepseek", "deepseek-flash", "", [M, 0, 0, 0, M, 0, 0], "0.75"),
    ("2026-10-08T02:00:00Z", "deepseek", "deepseek-v4-flash", "", [M, 0, 0, 0, M, 0, 0], "1.5"),
    ("2026-09-01T02:00:00Z", "deepseek", "deepseek-v4-flash", "", [M, M, 0, 0, M, 0, 0], "1.774"),
    ("2026-09-01T02:00:00Z", "deepseek", "deepseek-v4-flash-vision-exp", "", [M, M, 0, 0, M, 0, 0], "1.774"),
    ("2026-08-16T15:59:59Z", "deepseek", "deepseek-v4-pro", "", [M, 0, 0, 0, M, 0, 0], "1.305"),
    ("2026-08-16T16:00:00Z", "deepseek", "deepseek-v4-pro", "", [M, 0, 0, 0, M, 0, 0], "2.64"),
    // Searches were free until November began in Beijing.
    ("2026-10-20T12:00:00Z", "deepseek", "deepseek-flash", "", [1000, 0, 0, 0, 0, 0, 1], "0.00015"),
    ("2026-10-31T16:00:00Z", "deepseek", "deepseek-v4-pro", "", [1000, 0, 0, 0, 0, 0, 1], "0.00141"),
    ("2026-11-20T02:00:00Z", "deepseek", "deepseek-flash", "", [1000, 0, 0, 0, 0, 0, 1], "0.00105"),
    // Groq's first prices of gpt-oss.
    ("2025-08-20", "groq", "openai/gpt-oss-20b", "", [M, 0, 0, 0, M, 0, 0], "0.6"),
    ("2025-10-20", "groq", "openai/gpt-oss-120b", "tier=batch", [M, 0, 0, 0, M, 0, 0], "0.45"),
    ("2025-10-21", "groq", "openai/gpt-oss-20b", "", [M, 0, 0, 0, M, 0, 0], "0.375"),
    // OpenAI's search of today costs the same with every model.
    ("2026-11-20", "openai", "gpt-4.1-mini", "", [0, 0, 0, 0, 0, 0, 1000], "10"),
    // A name without its maker has the price of its Region too; the mantle's own price comes first for it as well.
    ("2026-11-24", "bedrock", "eu-west-2/llama3-70b-instruct-v1:0", "", [M, 0, 0, 0, M, 0, 0], "8"),
    ("2026-11-24", "bedrock", "us-gov-west-1/gpt-5.4", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.33"),
    ("2026-11-24", "bedrock", "voxtral-mini-3b-2507", "geo=eu-west-2", [M, 0, 0, 0, 0, 0, 0], "0.06"),
    ("2026-11-24", "bedrock_mantle", "gpt-6-sol", "", [1000, 0, 0, 0, 1000, 0, 0], "0.0132"),
    // GovCloud, whose prices are no others' where the book has them.
    ("2026-11-28", "bedrock", "us-gov.xai.grok-4.7", "", [M, 0, 0, 0, 0, 0, 0], "2.64"),
    ("2026-11-28", "bedrock", "us-gov.anthropic.claude-3-7-sonnet-20250219-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "3.6"),
    ("2026-11-28", "bedrock", "bedrock/us-gov-west-1/anthropic.claude-3-haiku-20240307-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "0.3"),
    ("2026-11-28", "bedrock", "us.anthropic.claude-3-7-sonnet-20250219-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "3"),
    ("2026-11-28", "bedrock", "moonshotai.kimi-k3", "geo=us-gov-east-1,tier=batch", [M, 0, 0, 0, 0, 0, 0], "1.98"),
    ("2026-11-28", "bedrock_mantle", "us-gov-west-1/openai.gpt-5.6-terra", "tier=priority", [1000, 0, 0, 0, 1000, 0, 1], "0.05136"),
    ("2026-11-28", "bedrock_mantle", "us-gov-west-1/openai.gpt-5.4", "", [M, 0, 0, 0, 0, 0, 0], "6.6"),
    ("2026-11-28", "bedrock_mantle", "openai.gpt-6-sol", "", [1000, 0, 0, 0, 0, 0, 1], "0.0142"),
    // Models of autumn 2026.
    ("2026-11-28", "anthropic", "claude-mythos-5-2", "speed=fast", [M, M, 0, 0, M, 0, 0], "96.4"),
    ("2026-11-28", "bedrock", "global.anthropic.claude-fable-5-2", "", [M, M, 0, 0, 0, 0, 0], "8.2"),
    ("2026-11-28", "bedrock", "us.moonshotai.kimi-k3.1", "tier=priority", [M, 0, 0, 0, 0, 0, 0], "7.7"),
    ("2026-11-28", "openai", "gpt-6-cyber", "", [M, M, M, 0, M, 0, 0], "147"),
    ("2026-11-28", "google", "gemini-4-hydrogen", "tier=flex", [M, M, 0, 0, 0, 0, 0], "0.7875"),
    ("2026-11-28", "vertex", "gemini-4-hydrogen", "geo=europe-west4", [M, 0, 0, 0, 0, 0, 0], "1.65"),
    ("2026-11-28", "moonshot", "kimi-k3.1-pro-highspeed", "", [M, M, M, M, M, 0, 0], "36.2"),
    ("2026-11-28", "azure", "gpt-6-luna", "tier=flex", [300_000, 0, 0, 0, 0, 0, 0], "0.03"),
    ("2026-11-28", "azure", "us/gpt-6-luna", "tier=flex", [300_000, 0, 0, 0, 0, 0, 0], "UnknownTier"),
    ("2026-11-28", "azure", "us/gpt-realtime-2.1", "", [M, 0, 0, 0, 0, 0, 0], "4.4"),
    // GitHub Copilot by the token, however it is spelled, from the day that a book saw it.
    ("2026-11-28", "github-copilot", "gpt-5.4", "", [1000, 0, 0, 0, 100, 0, 0], "0.004"),
    ("2026-11-28", "github_copilot", "github_copilot/gpt-5.4", "", [300_000, 0, 0, 0, 0, 0, 0], "1.5"),
    ("2026-11-28", "GitHub Copilot", "claude-sonnet-5", "", [0, M, M, 0, 0, 0, 0], "2.7"),
    ("2026-11-28", "github-copilot", "gpt-4.1", "", [M, 0, 0, 0, 0, 0, 0], "0"),
    ("2026-09-02", "github-copilot", "gpt-5.4", "", [M, 0, 0, 0, 0, 0, 0], "NoPriceOnDate"),
    ("2026-12-01", "github-copilot", "gemini-4-argon", "", [M, 0, 0, 0, 0, 0, 0], "NoPriceOnDate"),
    // Never a sibling's, a substring's or another provider's price.
    ("2026-10-20", "openai", "gpt-99-turbo", "", [M, 0, 0, 0, 0, 0, 0], "UnknownModel"),
    ("2026-10-20", "openai", "gpt-4-turbo-ultra", "", [M, 0, 0, 0, 0, 0, 0], "UnknownModel"),
    ("2026-10-20", "anthropic", "claude-sonnet-4-5-20991231", "", [M, 0, 0, 0, 0, 0, 0], "UnknownModel"),
    ("2026-10-20", "openai", "claude-sonnet-4-5", "", [M, 0, 0, 0, 0, 0, 0], "UnknownModel"),
    ("2026-10-20", "bedrock", "us.anthropic.claude-opus-9-9-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "UnknownModel"),
    ("2026-10-20", "openai", "", "", [M, 0, 0, 0, 0, 0, 0], "ModelMissing"),
    ("2026-10-20", "openai", "gpt-5", "", [0, 0, 0, M, 0, 0, 0], "NoRate"),
    ("2026-10-20", "anthropic", "<synthetic>", "", [0, 0, 0, 0, 0, 0, 0], "0"),
    // The large example: exact beyond what a float holds.
    ("2026-10-20", "anthropic", "claude-sonnet-4-6", "", [9_007_199_254_740_993, 0, 0, 0, 0, 0, 0], "27021597764.222979"),
];

#[test]
fn our_own_truth_table_comes_out() {
    let pricer = pricer();
    let mut missed = 0;
    for (at, provider, model, options, counts, truth) in CASES {
        let quote = pricer.books().quote(&call(at, provider, model, options, *counts));
        if outcome(&quote) != *truth {
            missed += 1;
            println!(
                "{at} {provider} {model} {options}: {} instead of {truth} ({})",
                outcome(&quote),
                quote.matched_by
            );
        }
    }
    assert_eq!(missed, 0);
}

/// Whatever a call costs under its name, it costs no more than what an unknown name says that it costs at most: fees and factors included.
#[test]
fn at_most_is_at_most() {
    let pricer = pricer();
    let mut compared = 0;
    for (at, provider, model, options, counts, truth) in CASES {
        let searching = [&counts[..6], &[10]].concat().try_into().unwrap();
        for counts in [*counts, searching] {
            let mut known = call(at, provider, model, options, counts);
            // Only there is a fee for them; elsewhere they leave a call unpriced.
            known.requests.file_searches = u32::from(counts[6] > 0 && *provider == "openai");
            let cost = pricer.books().charge(&known);
            if !cost.is_priced() || model.starts_with('<') {
                continue;
            }
            let place = model.split_once('.').map_or("", |(place, _)| place);
            let name = if *provider == "bedrock" {
                format!("{place}.no.such")
            } else {
                "no-such".to_owned()
            };
            let unknown = pricer.books().charge(&UsageEvent {
                dimensions: call(at, provider, &name, options, counts).dimensions,
                ..known
            });
            assert!(!unknown.is_priced());
            assert!(
                unknown.worst_case >= cost.cost,
                "{provider} {model} {options}: {} {truth}",
                unknown.worst_case
            );
            compared += 1;
        }
    }
    assert!(compared > 80, "{compared}");
    // What an entry has no rate of its own for, and pays as its input.
    let book = finops::adapters::prices::built_in();
    for (provider, entry) in book.entries() {
        for bucket in [Bucket::CacheRead, Bucket::ImageIn, Bucket::VideoIn] {
            let mut known = call("2026-11-20", provider, &entry.id, "", [0; 7]);
            known.tokens.set(bucket, 100_000);
            let cost = pricer.books().charge(&known);
            let mut unknown = call("2026-11-20", provider, "no-such", "", [0; 7]);
            unknown.tokens = known.tokens;
            let most = pricer.books().charge(&unknown).worst_case;
            assert!(
                !cost.is_priced() || most >= cost.cost,
                "{provider} {} {bucket:?}: {most}",
                entry.id
            );
        }
    }
    let mut fast = call(
        "2026-10-20",
        "anthropic",
        "my-opus",
        "speed=fast,geo=us",
        [100, 0, 0, 0, 10, 0, 10],
    );
    let worst = |event: &UsageEvent| pricer.books().charge(event).worst_case;
    assert!(worst(&fast) > "0.1".parse().unwrap());
    let all = worst(&fast);
    (fast.speed, fast.geo) = ("".into(), "".into());
    assert!(all > worst(&fast));
    // What its record says that it cost is possible, with tokens or without.
    let mut told = call("2026-11-20", "anthropic", "no-such", "", [0; 7]);
    told.reported_cost = Some("3.75".parse().unwrap());
    assert_eq!(worst(&told), "3.75".parse().unwrap());
    told.tokens.set(Bucket::Output, 1);
    assert_eq!(worst(&told), "3.75".parse().unwrap());
}

#[test]
fn the_worst_case_knows_all_prices_and_is_never_nothing() {
    let worst = |text: &str, counts: Counts, change: &dyn Fn(&mut UsageEvent)| {
        let mut event = call("2026-11-20", "acme", "unknown", "", counts);
        change(&mut event);
        own(text).books().charge(&event).worst_case
    };
    let both = [M, 0, 0, 0, M, 0, 0];
    let ends = "[[entry]]\nmodel = \"a\"\n[[entry.price]]\nto = \"2027-01-01\"\nrates = { input = 100, output = 500 }\n[[entry.price]]\nfrom = \"2027-01-01\"\nrates = { input = 1, output = 5 }\n";
    assert_eq!(
        worst(ends, both, &|_| {}).to_string(),
        "600",
        "a cut that is announced hides no price"
    );
    let least =
        "[[entry]]\nmodel = \"a\"\n[[entry.price]]\nunits = { audio_in_second = { rate = \"0.0001\", least = 10 } }\n";
    let second = |event: &mut UsageEvent| {
        let mut extras = Extras::default();
        assert!(extras.add(UnitKey::new(Unit::AudioInSecond, ""), 1.into()));
        event.extras = extras.label().unwrap();
    };
    assert_eq!(worst(least, [0; 7], &second).to_string(), "0.001");
    let minimum = "[[entry]]\nmodel = \"a\"\n[[entry.price]]\nrates = { input = 1, output = 1 }\nminimum = \"0.05\"\n";
    assert_eq!(worst(minimum, [10, 0, 0, 0, 0, 0, 0], &|_| {}).to_string(), "0.05");
    // Thoughts may be dearer than what else is answered, or than what another model answers.
    let thinks = "[[entry]]\nmodel = \"a\"\n[[entry.price]]\nrates = { input = 1, output = 2, reasoning = 9 }\n";
    let thought = [0, 0, 0, 0, 3 * M, M, 0];
    assert_eq!(worst(thinks, thought, &|_| {}).to_string(), "13");
    let dearer = "[[entry]]\nmodel = \"b\"\n[[entry.price]]\nrates = { input = 1, output = 10 }\n";
    assert_eq!(worst(&format!("{thinks}{dearer}"), thought, &|_| {}).to_string(), "30");
    // Another kind, or prices of zero alone, say nothing of what a call may cost.
    for text in [
        "[[entry]]\nmodel = \"a\"\n[[entry.price]]\nrates = { input = \"0.02\" }\n",
        "[[entry]]\nmodel = \"a\"\n[[entry.price]]\nrates = { input = 0, output = 0 }\n",
        "[[entry]]\nmodel = \"a\"\n[[entry.price]]\nunits = { page = \"0.004\" }\n",
    ] {
        assert!(worst(text, [0, 0, 0, 0, M, 0, 0], &|_| {}) > 100.into(), "{text}");
    }
}

#[test]
fn an_own_price_of_some_hours_leaves_the_others_to_the_next_book() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| {
        std::fs::create_dir_all(folder.path().join("prices")).unwrap();
        std::fs::write(folder.path().join("prices/own.toml"), text).unwrap();
        load(Some(folder.path()), &[]).unwrap()
    };
    let hours = "hours = { from = \"22:00\", to = \"06:00\" }\n";
    let pricer = write(&format!(
        "providers = [\"openai\"]\n[[entry]]\nmodel = \"gpt-4o\"\n[[entry.price]]\n{hours}rates = {{ input = \"0.1\" }}\n"
    ));
    let at = |pricer: &BookPricer, provider, model, time, tier| {
        outcome(
            &pricer
                .books()
                .quote(&call(time, provider, model, tier, [M, 0, 0, 0, 0, 0, 0])),
        )
    };
    assert_eq!(at(&pricer, "openai", "gpt-4o", "2026-11-06T05:59:59Z", ""), "0.1");
    assert_eq!(at(&pricer, "openai", "gpt-4o", "2026-11-06T06:00:00Z", ""), "2.5");
    // What one price of the day lacks is no matter for the hours of another.
    let own = own(&format!(
        "[[entry]]\nmodel = \"a\"\n[[entry.price]]\nrates = {{ input = 10 }}\ntiers.batch = {{ factor = \"0.5\" }}\n[[entry.price]]\n{hours}rates = {{ input = 1 }}\n"
    ));
    assert_eq!(at(&own, "acme", "a", "2026-11-20T12:00:00Z", "tier=batch"), "5");
    assert_eq!(
        at(&own, "acme", "a", "2026-11-20T23:00:00Z", "tier=batch"),
        "UnknownTier"
    );
    // An own price of a family does not hold for a snapshot that the next book has at a price of its own.
    let pricer = write(
        "providers = [\"openai\"]\n[[entry]]\nmodel = \"gpt-4o\"\n[[entry.price]]\nrates = { input = 2, output = 8 }\n",
    );
    for (model, cost) in [("gpt-4o", "2"), ("gpt-4o-2024-05-13", "5"), ("gpt-4o-2024-08-06", "2")] {
        assert_eq!(
            at(&pricer, "openai", model, "2026-11-20T12:00:00Z", ""),
            cost,
            "{model}"
        );
    }
    // Where that book has both at the same rates and differs in further terms, or knows only one of them, it does.
    std::fs::write(
        folder.path().join("map.json"),
        r#"{"anthropic.claude-sonnet-4-5-20250929-v1:0":{"litellm_provider":"bedrock","mode":"chat","input_cost_per_token":9e-06,"output_cost_per_token":9e-06}}"#,
    )
    .unwrap();
    let reference = BookSpec {
        name: "map".to_owned(),
        kind: BookKind::Litellm,
        path: folder.path().join("map.json"),
    };
    for (provider, family, snapshot) in [
        ("azure", "gpt-4.1", "gpt-4.1-2025-04-14"),
        (
            "bedrock",
            "anthropic.claude-sonnet-4-5",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
    ] {
        write(&format!(
            "providers = [\"{provider}\"]\n[[entry]]\nmodel = \"{family}\"\n[[entry.price]]\nrates = {{ input = 1, output = 5 }}\n"
        ));
        let pricer = load(Some(folder.path()), std::slice::from_ref(&reference)).unwrap();
        assert_eq!(at(&pricer, provider, snapshot, "2026-11-20T12:00:00Z", ""), "1");
    }
}

#[test]
fn tools_that_have_a_fee_are_never_free() {
    let pricer = pricer();
    let quote = |provider: &str, model: &str, change: &dyn Fn(&mut UsageEvent)| {
        let mut event = call("2026-11-20", provider, model, "", [1000, 0, 0, 0, 0, 0, 0]);
        change(&mut event);
        pricer.books().quote(&event)
    };
    let map = |event: &mut UsageEvent| {
        let mut extras = Extras::default();
        assert!(extras.add(UnitKey::new(Unit::MapQuery, ""), 1.into()));
        event.extras = extras.label().unwrap();
    };
    assert_eq!(outcome(&quote("google", "gemini-2.5-flash", &map)), "0.0253");
    assert_eq!(
        outcome(&quote("vertex", "gemini-3.5-flash", &map)),
        outcome(&quote("google", "gemini-3.5-flash", &map))
    );
    let unknown = quote("openai", "gpt-5", &map);
    assert_eq!(outcome(&unknown), "NoRate");
    assert!(unknown.charge.worst_case >= "0.025".parse().unwrap());
    let run = |event: &mut UsageEvent| event.requests.code_executions = 1;
    let search = |event: &mut UsageEvent| event.requests.file_searches = 1;
    assert_eq!(outcome(&quote("openai", "gpt-5", &run)), "0.03125");
    assert_eq!(outcome(&quote("openai", "gpt-5", &search)), "0.00375");
    assert_eq!(outcome(&quote("azure", "gpt-5", &run)), "0.03425");
    assert_eq!(outcome(&quote("azure", "gpt-5", &search)), "NoRate");
    let claude = quote("anthropic", "claude-sonnet-4-6", &run);
    assert_eq!(outcome(&claude), "0.003");
    assert!(
        claude.notes.iter().any(|note| note.contains("hours of machines")),
        "{:?}",
        claude.notes
    );
    assert_eq!(outcome(&quote("xai", "grok-4", &run)), "NoRate");
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    price: finops::cli::price::PriceArgs,
}

/// Runs `finops price …` at noon of 2026-11-24; the exit code's name and what it wrote.
fn command(format: finops::cli::Format, line: &str) -> (String, String) {
    let line = <Line as clap::Parser>::try_parse_from(std::iter::once("price").chain(line.split(' '))).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut ctx = finops::cli::Context {
        config: finops::config::Config {
            policies: "none".into(),
            ..Default::default()
        },
        format,
        now: "2026-11-24T12:00:00Z".parse().unwrap(),
        begun: None,
        color: false,
        interactive: false,
        room: finops::cli::text::Room { width: 100, cut: true },
        verbosity: 1,
        tracer: Default::default(),
        out: &mut out,
        err: &mut err,
    };
    let exit = finops::cli::price::run(&mut ctx, &line.price).map_or_else(|e| e.message, |exit| format!("{exit:?}"));
    (exit, String::from_utf8(out).unwrap())
}

#[test]
fn a_quote_shows_its_receipt() {
    let line = "quote --provider bedrock --model us.anthropic.claude-haiku-4-5-20251001-v1:0 --input 1000 --output 10";
    let (exit, text) = command(finops::cli::Format::Table, line);
    assert_eq!(exit, "Fine");
    assert!(
        text.contains("0.001155") && text.contains("geography us") && text.contains("built-in"),
        "{text}"
    );
    let (exit, text) = command(finops::cli::Format::Json, line);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((exit.as_str(), &document["cost_usd"]), ("Fine", &"0.001155".into()));
    assert_eq!(document["receipt"][0]["amount_usd"], "0.0011");
}

/// A book of others tells no day on which its figures were gathered.
#[test]
fn a_receipt_says_as_of_when_only_where_the_book_does() {
    for (checked, line) in [
        ("", "source   https://a.example/prices\n"),
        (
            "checked = \"2026-11-24\"\n",
            "source   https://a.example/prices (figures as of 2026-11-24)\n",
        ),
    ] {
        let entry = "[[entry]]\nmodel = \"a\"\n[[entry.price]]\nrates = { input = 1 }\n";
        let pricer = own(&format!("source = \"https://a.example/prices\"\n{checked}{entry}"));
        let quote = pricer
            .books()
            .quote(&call("2026-11-20", "acme", "a", "", [1, 0, 0, 0, 0, 0, 0]));
        let text = finops::cli::price::receipt::text(&quote);
        assert!(text.ends_with(line), "{text}");
    }
}

#[test]
fn what_is_sold_by_the_piece_has_a_built_in_price() {
    for (line, cost) in [
        ("--provider cohere --model rerank-v3.5 --unit rank_query=3", "0.006"),
        (
            "--provider bedrock --model amazon.rerank-v1:0 --unit rank_query=3",
            "0.003",
        ),
        (
            "--provider azure_ai --model cohere-rerank-v4.0-pro --unit rank_query=2",
            "0.005",
        ),
        (
            "--provider minimax --model speech-2.6-hd --unit character_in=1234",
            "0.1234",
        ),
        (
            "--provider dashscope --model qwen-image-2.0 --unit images_out=3",
            "0.105",
        ),
        (
            "--provider google --model lyria-3.5 --input 100 --output 5000 --unit images_out=1",
            "0.08",
        ),
        (
            "--provider bedrock --model amazon.nova-2-multimodal-embeddings-v1:0 --input 1000 --unit images_in=2",
            "0.000255",
        ),
    ] {
        let (code, text) = command(finops::cli::Format::Json, &format!("quote {line}"));
        assert_eq!(code, "Fine", "{line}: {text}");
        let sum = text.lines().filter(|l| l.contains(cost)).count();
        assert!(sum > 0, "{line}: {text}");
    }
}

#[test]
fn a_call_without_a_price_is_a_finding() {
    let line = "quote --provider anthropic --model claude-opus-9-9 --input 1000 --at 2026-10-20";
    let (exit, text) = command(finops::cli::Format::Json, line);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(exit, "Findings");
    assert_eq!(
        (&document["priced"], &document["reason"]),
        (&false.into(), &"unknown_model".into())
    );
    assert!(document["cost_usd"].is_null());
}

#[test]
fn the_list_follows_the_date() {
    let row = |at: &str| {
        let (_, text) = command(finops::cli::Format::Csv, &format!("list --provider openai --at {at}"));
        text.lines().find(|l| l.starts_with("openai,o3,")).unwrap().to_owned()
    };
    assert!(row("2025-06-09").starts_with("openai,o3,10,2.5,"));
    assert!(row("2025-06-10").starts_with("openai,o3,2,0.5,"));
    // What calls pay beside and beyond the rates of tokens.
    for (provider, line, more) in [
        (
            "bedrock",
            "bedrock,anthropic.claude-opus-4-8,5,",
            ",\"(none) 1.1, * 1.1, global 1",
        ),
        (
            "anthropic",
            "anthropic,claude-opus-4-8,5,",
            ",built-in,fast 2,us 1.1,\"web_search 10, code_execution 0\",",
        ),
        ("openai", "openai,dall-e-3,", "images_out:1024x1024/hd 0.08"),
    ] {
        let (_, text) = command(finops::cli::Format::Csv, &format!("list --provider {provider}"));
        let row = text.lines().find(|l| l.starts_with(line)).unwrap_or_default();
        assert!(row.contains(more), "{line}: {row}");
    }
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/fixtures/prices")
        .join(name)
}

fn spec(name: &str, kind: BookKind, path: std::path::PathBuf) -> BookSpec {
    BookSpec {
        name: name.to_owned(),
        kind,
        path,
    }
}

fn costs(pricer: &BookPricer, at: &str, model: &str, options: &str, n: Counts) -> String {
    outcome(&pricer.books().quote(&call(at, "acme", model, options, n)))
}

#[test]
fn the_litellm_format_is_read() {
    let pricer = load(None, &[spec("lite", BookKind::Litellm, fixture("litellm.json"))]).unwrap();
    let day = "2026-10-20";
    let cost = |model, options, n| costs(&pricer, day, model, options, n);
    assert_eq!(cost("swift-1", "", [1000, 0, 0, 0, 100, 60, 0]), "0.0007");
    assert_eq!(cost("acme/swift-1", "", [0, 0, 1000, 1000, 0, 0, 0]), "0.001");
    assert_eq!(cost("swift-1", "", [128_001, 0, 0, 0, 0, 0, 0]), "0.0768006");
    assert_eq!(cost("swift-1", "tier=flex", [128_001, 0, 0, 0, 0, 0, 0]), "0.0256002");
    assert_eq!(cost("swift-1", "tier=flex", [1000, 0, 0, 0, 100, 0, 0]), "0.0004");
    assert_eq!(
        cost("swift-1", "speed=fast,geo=us", [1000, 0, 0, 0, 0, 0, 0]),
        "0.00066"
    );
    assert_eq!(cost("swift-1", "", [0, 0, 0, 0, 0, 0, 3]), "0.06");
    assert_eq!(cost("range-1", "", [256_000, 0, 0, 0, 0, 0, 0]), "0.0128");
    assert_eq!(cost("range-1", "", [256_001, 0, 0, 0, 1, 0, 0]), "0.06400225");
    // Its pictures have a price, and nobody counted them.
    assert_eq!(cost("painter", "", [1, 0, 0, 0, 0, 0, 0]), "UsageIncomplete");
    // 17:00 UTC on a Friday is Saturday in Shanghai.
    assert_eq!(
        costs(&pricer, "2026-10-23T17:00:00Z", "night-1", "", [1000, 0, 0, 0, 0, 0, 0]),
        "0.001"
    );
    assert_eq!(
        costs(&pricer, "2026-10-23T12:00:00Z", "night-1", "", [1000, 0, 0, 0, 0, 0, 0]),
        "0.002"
    );
    let edge = |n| {
        outcome(
            &pricer
                .books()
                .quote(&call(day, "xai", "edge-1", "", [n, 0, 0, 0, 0, 0, 0])),
        )
    };
    assert_eq!((edge(199_999).as_str(), edge(200_000).as_str()), ("0.199999", "0.4"));
    let routed = pricer
        .books()
        .quote(&call(day, "azure", "model-router", "", [1000, 0, 0, 0, 100, 0, 0]));
    assert_eq!(outcome(&routed), "UnknownModel", "the fee of the router alone");
    assert_eq!(pricer.warnings().len(), 4, "{:?}", pricer.warnings());
    let receipt = pricer
        .books()
        .quote(&call(day, "acme", "swift-1", "tier=flex", [1000, 0, 0, 0, 100, 0, 0]));
    assert!(receipt.lines[1].rule.contains("no own rate"), "{:?}", receipt.lines);
}

/// A key may begin with its provider and the rest be another one's name.
#[test]
fn an_exact_id_comes_before_what_another_key_is_also_called() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.json");
    let model = |key: &str, seller: &str, rate: &str| {
        format!(r#""{key}": {{"litellm_provider": "{seller}", "mode": "chat", "input_cost_per_token": {rate}}}"#)
    };
    let models = [
        model("bedrock_mantle/openai.gpt-9", "bedrock_mantle", "2.2e-06"),
        model("openai.gpt-9", "bedrock", "2e-06"),
        model("perplexity/perplexity/sonar", "perplexity", "2.5e-07"),
        model("perplexity/sonar", "perplexity", "1e-06"),
        model("novita/acme/x", "novita", "1e-06"),
        model("vercel_ai_gateway/acme/x", "vercel_ai_gateway", "3e-06"),
        model("opencode_go/x", "opencode_go", "4e-06"),
    ];
    std::fs::write(&path, format!("{{{}}}", models.join(","))).unwrap();
    let pricer = load(None, &[spec("map", BookKind::Litellm, path)]).unwrap();
    let book = pricer.books().books()[1].clone();
    let alone = finops::domain::price::Books::new(vec![book]);
    for (provider, model, entry, cost) in [
        ("bedrock", "openai.gpt-9", "openai.gpt-9", "2"),
        ("bedrock_mantle", "openai.gpt-9", "bedrock_mantle/openai.gpt-9", "2.2"),
        (
            "bedrock",
            "bedrock_mantle/openai.gpt-9",
            "bedrock_mantle/openai.gpt-9",
            "2.2",
        ),
        ("perplexity", "perplexity/sonar", "perplexity/sonar", "1"),
        ("perplexity", "sonar", "perplexity/sonar", "1"),
        ("novita-ai", "acme/x", "novita/acme/x", "1"),
        ("vercel", "acme/x", "vercel_ai_gateway/acme/x", "3"),
        ("opencode-go", "x", "opencode_go/x", "4"),
    ] {
        let quote = alone.quote(&call("2026-11-18", provider, model, "", [M, 0, 0, 0, 0, 0, 0]));
        assert_eq!(
            (quote.entry.as_str(), outcome(&quote).as_str()),
            (entry, cost),
            "{provider} {model}"
        );
    }
}

/// Coding agents write models.dev's names of sellers.
#[test]
fn sellers_are_found_as_agents_spell_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.json");
    let spelled = [
        ("github_copilot", "github-copilot", "3"),
        ("vercel_ai_gateway", "vercel", "4"),
        ("novita", "novita-ai", "5"),
        ("opencode_go", "opencode-go", "6"),
    ];
    let model = |(seller, _, rate): (&str, &str, &str)| {
        format!(
            r#""{seller}/swift-9": {{"litellm_provider": "{seller}", "mode": "chat", "input_cost_per_token": {rate}e-06}}"#
        )
    };
    std::fs::write(&path, format!("{{{}}}", spelled.map(model).join(","))).unwrap();
    let pricer = load(None, &[spec("map", BookKind::Litellm, path)]).unwrap();
    for (lite, agents, cost) in spelled {
        for seller in [lite, agents] {
            let call = call("2026-11-18", seller, "swift-9", "", [M, 0, 0, 0, 0, 0, 0]);
            assert_eq!(outcome(&pricer.books().quote(&call)), cost, "{seller}");
        }
    }
}

/// Zeros for the tokens of what is sold by the piece are no price; zeros alone are.
#[test]
fn zeros_for_tokens_beside_a_price_by_the_piece_are_no_price() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.json");
    let row = |key: &str, more: &str| {
        format!(
            r#""{key}": {{"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 0{more}}}"#
        )
    };
    let rows = [
        row("song", r#", "output_cost_per_image": 0.08"#),
        row("free", ""),
        row(
            "part",
            r#", "output_cost_per_image": 0.08, "cache_read_input_token_cost": 1e-06"#,
        ),
    ];
    std::fs::write(&path, format!("{{{}}}", rows.join(","))).unwrap();
    let pricer = load(None, &[spec("map", BookKind::Litellm, path)]).unwrap();
    let mut event = call("2026-11-18", "acme", "song", "", [100, 0, 0, 0, 5000, 0, 0]);
    assert_eq!(outcome(&pricer.books().quote(&event)), "UsageIncomplete");
    let mut one = Extras::default();
    assert!(one.add(UnitKey::new(Unit::ImageOut, ""), Decimal::ONE));
    event.extras = one.label().unwrap();
    assert_eq!(outcome(&pricer.books().quote(&event)), "0.08");
    for model in ["free", "part"] {
        let event = call("2026-11-18", "acme", model, "", [100, 0, 0, 0, 5000, 0, 0]);
        assert_eq!(outcome(&pricer.books().quote(&event)), "0", "{model}");
    }
}

/// In the place of a call, too, an own price of a family holds for its snapshots.
#[test]
fn a_zone_of_the_next_book_takes_nothing_from_an_own_price() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("prices")).unwrap();
    let text = "providers = [\"azure\"]\n[[entry]]\nmodel = \"gpt-4o\"\n[[entry.price]]\nrates = { input = 1 }\n";
    std::fs::write(folder.path().join("prices/own.toml"), text).unwrap();
    let own = load(Some(folder.path()), &[]).unwrap();
    for (model, place, cost) in [
        ("gpt-4o-2024-11-20", "eu", "1"),
        ("gpt-4o-2024-08-06", "", "1"),
        ("gpt-4o", "eu", "1"),
        ("gpt-4o-2024-05-13", "eu", "5.5"),
        ("gpt-4o-mini", "eu", "0.165"),
        // As the zone before the name has it.
        ("eu/gpt-4o-2024-11-20", "", "1"),
        ("azure/eu/gpt-4o", "", "1"),
        ("eu/gpt-4o-2024-05-13", "", "5.5"),
        ("eu/gpt-4o-mini", "", "0.165"),
    ] {
        let event = call(
            "2026-11-18",
            "azure",
            model,
            &format!("geo={place}"),
            [M, 0, 0, 0, 0, 0, 0],
        );
        assert_eq!(outcome(&own.books().quote(&event)), cost, "{model} {place}");
    }
}

/// Azure's answers name the snapshot, and records the zone beside it: what the snapshot costs there is what it costs with the zone before
/// its name.
#[test]
fn a_snapshot_costs_the_same_however_its_zone_is_told() {
    let pricer = pricer();
    let books = pricer.books();
    let mut ids: Vec<&str> = Vec::new();
    for (_, entry) in books.books()[0].entries().iter().filter(|(of, _)| *of == "azure") {
        ids.push(&entry.id);
        ids.extend(entry.aliases.iter().map(String::as_str));
    }
    let mut compared = 0;
    for zone in ["eu", "us"] {
        let of_zone = ids.iter().filter_map(|id| id.strip_prefix(zone)?.strip_prefix('/'));
        for family in of_zone {
            let of_family = |id: &&&str| {
                id.strip_prefix(family)
                    .is_some_and(|day| day.len() == 11 && day.starts_with("-20"))
            };
            for snapshot in ids.iter().filter(of_family) {
                for tier in ["", "batch", "flex", "priority"] {
                    let quote = |model: &str, geo: &str| {
                        let options = format!("tier={tier},geo={geo}");
                        let event = call("2026-11-20", "azure", model, &options, [1000, 0, 0, 0, 1000, 0, 0]);
                        outcome(&books.quote(&event))
                    };
                    let named = quote(&format!("{zone}/{snapshot}"), "");
                    assert_eq!(quote(snapshot, zone), named, "{snapshot} {zone} {tier}");
                    compared += usize::from(tier.is_empty() && named != "UnknownTier");
                }
            }
        }
    }
    assert!(compared > 40, "{compared}");
}

/// Where the public books contradict each other, receipts say so.
#[test]
fn a_disagreement_of_the_books_is_told() {
    let pricer = pricer();
    for (provider, model) in [
        ("google", "gemma-4-31b-it"),
        ("google", "gemma-4-26b-a4b-it"),
        ("vertex", "claude-3-5-haiku@20241022"),
        ("groq", "openai/gpt-oss-safeguard-20b"),
        ("mistral", "open-mistral-nemo"),
        ("xai", "grok-4.5"),
        ("google", "gemini-3.6-flash"),
        ("deepseek", "deepseek-chat"),
        ("deepseek", "deepseek-reasoner"),
    ] {
        let quote = pricer
            .books()
            .quote(&call("2026-06-18", provider, model, "", [1000, 0, 0, 0, 0, 0, 0]));
        let told = quote.notes.iter().any(|note| note.contains("book disagreement"));
        assert!(quote.charge.is_priced() && told, "{model}: {:?}", quote.notes);
    }
}

/// A price before a day that only another seller tells is said to be that.
#[test]
fn a_day_that_is_another_sellers_is_told_and_no_longer_than_it_matters() {
    let pricer = pricer();
    for (provider, model, said, last, next) in [
        ("azure", "o3", "are those of OpenAI", "2025-06-09", "2025-06-10"),
        (
            "azure",
            "gpt-5.6-sol",
            "that of OpenAI before its own",
            "2026-08-31",
            "2026-09-01",
        ),
        (
            "azure",
            "us/gpt-5.6-luna",
            "that of OpenAI before its own",
            "2026-07-31",
            "2026-08-01",
        ),
        (
            "openrouter",
            "openai/gpt-5.6-sol-pro",
            "are those of OpenAI",
            "2026-08-20",
            "2026-08-21",
        ),
        (
            "openrouter",
            "openai/gpt-5.6-terra",
            "by a promotion",
            "2026-08-20",
            "2026-09-26",
        ),
        (
            "deepseek",
            "deepseek-v4-flash",
            "public holiday",
            "2026-10-07",
            "2026-10-08",
        ),
        (
            "groq",
            "openai/gpt-oss-20b",
            "the day of the cut",
            "2025-10-20",
            "2025-10-21",
        ),
    ] {
        let told = |at: &str| {
            let event = call(at, provider, model, "", [1000, 0, 0, 0, 0, 0, 0]);
            let quote = pricer.books().quote(&event);
            quote.notes.iter().any(|note| note.contains(said))
        };
        assert!(told(last) && !told(next), "{provider} {model}");
    }
}

/// A model costs the same in a Region whether its maker stands before its name or not, and wherever the Region is told.
#[test]
fn a_region_has_its_price_with_and_without_the_maker() {
    let pricer = pricer();
    let mut compared = 0;
    for (_, entry) in pricer.books().books()[0]
        .entries()
        .iter()
        .filter(|(of, _)| *of == "bedrock")
    {
        let Some((region, (maker, model))) = entry
            .id
            .split_once('/')
            .and_then(|(region, name)| Some((region, name.split_once('.')?)))
            .filter(|(region, (_, model))| region.contains("-") && model.contains('-'))
        else {
            continue;
        };
        let quote = |model: &str, geo: &str| {
            let n = [1000, 0, 0, 0, 1000, 0, 0];
            pricer
                .books()
                .quote(&call("2026-11-24", "bedrock", model, &format!("geo={geo}"), n))
        };
        let whole = quote(&entry.id, "");
        for (name, geo) in [
            (format!("{region}/{model}"), ""),
            (format!("bedrock/converse/{region}/{model}-v1:0"), ""),
            (model.to_owned(), region),
            (format!("{maker}.{model}"), region),
        ] {
            let told = quote(&name, geo);
            assert_eq!(
                (outcome(&told), told.entry),
                (outcome(&whole), entry.id.clone()),
                "{name} {geo}"
            );
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn a_region_without_a_price_of_its_own_is_told() {
    let pricer = pricer();
    let told = |model: &str| {
        let quote = pricer
            .books()
            .quote(&call("2026-11-18", "bedrock", model, "", [1000, 0, 0, 0, 0, 0, 0]));
        assert!(quote.charge.is_priced(), "{model}");
        quote.notes.iter().any(|n| n.contains("no price of its own for"))
    };
    assert!(told("us-gov.deepseek.r1-v1:0"));
    assert!(told("us-gov.anthropic.claude-mythos-5-1"));
    assert!(!told("us-gov.xai.grok-4.7"));
    assert!(!told("eu.anthropic.claude-3-7-sonnet-20250219-v1:0"));
    assert!(told("bedrock/eu-west-2/deepseek.r1"));
    assert!(told("arn:aws:bedrock:eu-west-2::foundation-model/deepseek.r1-v1:0"));
    assert!(!told(
        "arn:aws:bedrock:eu-west-2::foundation-model/qwen.qwen3-next-80b-a3b"
    ));
    assert!(!told("bedrock/us-east-1/deepseek.r1"));
    assert!(!told("deepseek.r1"));
    assert!(!told("bedrock/eu-west-2/qwen.qwen3-next-80b-a3b"));
    assert!(!told("bedrock/eu-west-1/minimax.minimax-m2.1"));
    assert!(!told("bedrock/eu-west-1/anthropic.claude-haiku-4-5-20251001-v1:0"));
}

/// Logs name the Region of every call: a price that says nothing of it holds as it did without.
#[test]
fn a_region_that_a_price_says_nothing_of_leaves_no_call_without_one() {
    let own = own_of(
        "bedrock",
        "[[entry]]\nmodel = \"m.a\"\n[[entry.price]]\nrates = { input = 1 }\n[[entry]]\nmodel = \"m.b\"\n[[entry.price]]\nrates = { input = 1 }\ngeographies = { us = \"1.1\", eu-west-1 = 2 }\n",
    );
    for (model, region, cost) in [
        ("m.a-v1:0", "eu-west-2", "0.001"),
        ("m.b-v1:0", "eu-west-2", "0.001"),
        ("m.b-v1:0", "eu-west-1", "0.002"),
        ("us.m.b-v1:0", "eu-west-1", "0.0011"),
        ("m.b-v1:0", "jp", "UnknownTier"),
    ] {
        let event = call(
            "2026-11-18",
            "bedrock",
            model,
            &format!("geo={region}"),
            [1000, 0, 0, 0, 0, 0, 0],
        );
        assert_eq!(outcome(&own.books().quote(&event)), cost, "{model} {region}");
    }
}

#[test]
fn the_genai_format_is_read() {
    let pricer = load(None, &[spec("genai", BookKind::GenaiPrices, fixture("genai.json"))]).unwrap();
    let cost = |at, model, options, n| costs(&pricer, at, model, options, n);
    let thousand = [1000, 0, 0, 0, 0, 0, 0];
    assert_eq!(cost("2026-03-12", "calm-1-20260101", "", thousand), "0.003");
    assert_eq!(
        cost("2026-03-12", "calm-1", "", [200_001, 0, 0, 0, 0, 0, 0]),
        "1.200006"
    );
    assert_eq!(cost("2026-03-13", "Calm-One-7", "", thousand), "0.002");
    assert_eq!(cost("2026-03-13", "calm-1", "tier=batch", thousand), "0.001");
    assert_eq!(cost("2026-03-13", "calm-1", "speed=fast", thousand), "0.004");
    assert_eq!(cost("2026-03-13", "calm-1-5", "", thousand), "UnknownModel");
    assert_eq!(cost("2026-03-13T00:29:59Z", "night-2", "", thousand), "0.000135");
    assert_eq!(cost("2026-03-13T00:30:00Z", "night-2", "", thousand), "0.00027");
    assert_eq!(pricer.warnings().len(), 2, "{:?}", pricer.warnings());
}

#[test]
fn a_file_of_another_format_is_an_error() {
    for (kind, file) in [
        (BookKind::Litellm, "genai.json"),
        (BookKind::GenaiPrices, "litellm.json"),
        (BookKind::Finops, "litellm.json"),
        (BookKind::Litellm, "absent.json"),
    ] {
        let error = load(None, &[spec("book", kind, fixture(file))])
            .unwrap_err()
            .to_string();
        assert!(error.contains(file), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("prices")).unwrap();
    let path = folder.path().join("prices/a.toml");
    std::fs::write(
        &path,
        "providers = [\"x\"]\n[[entry]]\nmodel = \"m\"\nprice = [{ rates = { input = 0.25 } }]\n",
    )
    .unwrap();
    let error = load(Some(folder.path()), &[]).unwrap_err().to_string();
    assert!(error.contains("quotes") && error.contains("a.toml"), "{error}");
}

#[test]
fn the_owners_book_and_map_win() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("prices")).unwrap();
    std::fs::copy(fixture("own.toml"), folder.path().join("prices/own.toml")).unwrap();
    let pricer = load(Some(folder.path()), &[]).unwrap();
    let quote = |at: &str, provider: &str, model: &str| {
        pricer
            .books()
            .quote(&call(at, provider, model, "", [1000, 0, 0, 0, 0, 0, 0]))
    };
    let own = quote("2026-11-02", "anthropic", "claude-haiku-4-5-20251001");
    assert_eq!((outcome(&own).as_str(), own.book.as_str()), ("0.0009", "policies"));
    assert_eq!(own.matched_by, "family of the dated snapshot");
    let own = quote("2026-11-02", "anthropic", "claude-haiku-4.5");
    assert_eq!((outcome(&own).as_str(), own.book.as_str()), ("0.0009", "policies"));
    let before = quote("2026-10-31", "anthropic", "claude-haiku-4-5");
    assert_eq!((outcome(&before).as_str(), before.book.as_str()), ("0.001", "built-in"));
    let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x";
    let mapped = quote("2026-10-20", "bedrock", arn);
    assert_eq!(outcome(&mapped), "0.0033");
    assert!(mapped.matched_by.starts_with("own map"), "{}", mapped.matched_by);
    // Behind the words that LiteLLM writes before it.
    for front in ["bedrock/", "converse/", "invoke/", "bedrock/converse/"] {
        let name = format!("{front}{arn}");
        assert_eq!(outcome(&quote("2026-10-20", "bedrock", &name)), "0.0033", "{name}");
    }
    // With or without the provider, in the map as in the call.
    let named = |name: &str, provider: &str, model: &str| {
        let map = NameMap {
            name: name.to_owned(),
            model: "gpt-4o".to_owned(),
            as_provider: "openai".to_owned(),
            ..NameMap::default()
        };
        let pricer = load_with(None, vec![map], &[]).unwrap();
        let quote = pricer
            .books()
            .quote(&call("2026-10-20", provider, model, "", [1000, 0, 0, 0, 0, 0, 0]));
        quote.matched_by.starts_with("own map")
    };
    for (name, provider, model, holds) in [
        ("my-deploy", "azure", "azure/my-deploy", true),
        ("azure/my-deploy", "azure", "my-deploy", true),
        ("azure/my-deploy", "azure", "azure/my-deploy", true),
        ("my-*", "azure", "azure/my-deploy", true),
        ("azure/*", "azure", "my-deploy", true),
        ("azure/My-*", "azure", "my-deploy", true),
        ("*/my-*", "azure", "my-deploy", true),
        ("gemini/own-*", "google", "own-1", true),
        ("hosted_vllm/*", "hosted_vllm", "qwen2.5", true),
        (
            "fireworks_ai/accounts/acme/*",
            "fireworks_ai",
            "accounts/acme/models/x",
            true,
        ),
        ("bedrock/converse/arn:aws:bedrock:*-profile/x", "bedrock", arn, true),
        ("bedrock/converse/us.own-*", "bedrock", "us.own-1", true),
        ("bedrock/converse/us.own-1", "bedrock", "us.own-1", true),
        ("azure/*", "openai", "my-deploy", false),
        ("azure/your-*", "azure", "my-deploy", false),
        ("*/my-*", "", "my-deploy", false),
        ("my-deploy", "azure", "other/my-deploy", false),
        // Sold apart from its namesakes.
        ("azure_ai/my-*", "azure", "azure_ai/my-deploy", true),
        ("my-*", "azure", "azure_ai/my-deploy", true),
        ("azure/*", "azure", "azure_ai/my-deploy", false),
        ("azure_ai/*", "azure", "my-deploy", false),
        // So told beside the name.
        ("azure_ai/my-*", "azure_ai", "my-deploy", true),
        ("azure_ai/my-deploy", "azure.ai.inference", "my-deploy", true),
        ("azure_ai/my-deploy", "azure_ai", "azure_ai/my-deploy", true),
        ("my-*", "azure_ai", "my-deploy", true),
        ("*/my-*", "azure_ai", "my-deploy", true),
        ("azure/*", "azure_ai", "my-deploy", false),
        ("azure/my-deploy", "azure_ai", "my-deploy", false),
        ("bedrock_mantle/x", "bedrock_mantle", "x", true),
        ("bedrock/x", "bedrock_mantle", "x", false),
        ("bedrock_mantle/x", "bedrock", "x", false),
    ] {
        assert_eq!(named(name, provider, model), holds, "{name} {provider} {model}");
    }
    assert_eq!(
        outcome(&quote("2026-10-20", "bedrock", &format!("{arn}y"))),
        "OpaqueName"
    );
}

/// Records tell the provider beside the model, where a gateway wrote it before the name.
#[test]
fn an_own_price_of_a_name_with_its_provider_holds_without_it_and_before_the_public_one() {
    let folder = tempfile::tempdir().unwrap();
    let prices = folder.path().join("prices");
    std::fs::create_dir(&prices).unwrap();
    let own = |provider: &str, entries: &[(&str, &str)]| {
        let entries = entries.iter().map(|(model, rate)| {
            format!("[[entry]]\nmodel = \"{model}\"\n[[entry.price]]\nrates = {{ input = \"{rate}\" }}\n")
        });
        let text = format!("providers = [\"{provider}\"]\n{}", entries.collect::<String>());
        std::fs::write(prices.join(format!("{provider}.toml")), text).unwrap();
    };
    own(
        "openai",
        &[
            ("openai/gpt-5", "7"),
            ("openai/own-7b", "8"),
            ("openai/both", "9"),
            ("both", "10"),
        ],
    );
    own("azure", &[("azure/Own", "11"), ("azure/mistral-large-latest", "12")]);
    own("bedrock", &[("bedrock/converse/us.amazon.nova-lite-v1:0", "13")]);
    own("google", &[("gemini/gemini-2.5-flash", "14")]);
    own("litellm_proxy", &[("litellm_proxy/big", "15")]);
    let pricer = load(Some(folder.path()), &[]).unwrap();
    for (provider, model, cost) in [
        ("openai", "gpt-5", "0.007"),
        ("openai", "openai/gpt-5", "0.007"),
        ("openai", "gpt-5-2025-08-07", "0.007"),
        ("openai", "own-7b", "0.008"),
        // Each its own, where both are there.
        ("openai", "both", "0.01"),
        ("openai", "openai/both", "0.009"),
        ("openai", "gpt-5-mini", "0.00025"),
        ("azure", "own", "0.011"),
        ("azure", "mistral-large-latest", "0.012"),
        ("bedrock", "us.amazon.nova-lite-v1:0", "0.013"),
        ("google", "gemini-2.5-flash", "0.014"),
        ("vertex", "gemini-2.5-flash", "0.0003"),
        ("litellm_proxy", "big", "0.015"),
        ("groq", "own-7b", "UnknownModel"),
    ] {
        let event = call("2026-11-18", provider, model, "", [1000, 0, 0, 0, 0, 0, 0]);
        assert_eq!(outcome(&pricer.books().quote(&event)), cost, "{provider} {model}");
    }
    // Sold apart from its namesakes, at the public price.
    let event = call(
        "2026-11-18",
        "azure",
        "azure_ai/mistral-large-latest",
        "",
        [1000, 0, 0, 0, 0, 0, 0],
    );
    assert_eq!(pricer.books().quote(&event).book, "built-in");
}

#[test]
fn a_price_of_another_time_is_not_borrowed() {
    let dated = spec("dated", BookKind::Finops, fixture("dated.toml"));
    let lite = spec("lite", BookKind::Litellm, fixture("litellm.json"));
    let genai = spec("genai", BookKind::GenaiPrices, fixture("genai.json"));
    let thousand = [1000, 0, 0, 0, 0, 0, 0];
    let both = load(None, &[dated.clone(), lite]).unwrap();
    assert_eq!(costs(&both, "2026-11-02", "swift-1", "", thousand), "0.007");
    assert_eq!(costs(&both, "2026-10-02", "swift-1", "", thousand), "NoPriceOnDate");
    let unpriced = both
        .books()
        .charge(&call("2026-10-02", "acme", "swift-1", "", thousand));
    assert_eq!(
        unpriced.worst_case.to_string(),
        "0.009",
        "the highest current rate of the provider"
    );
    let both = load(None, &[dated, genai]).unwrap();
    assert_eq!(
        costs(&both, "2026-10-02", "calm-1", "", thousand),
        "0.002",
        "the second book dates its price"
    );
}

/// One book of a single file in this program's format.
fn own(text: &str) -> BookPricer {
    own_of("acme", text)
}

fn own_of(provider: &str, text: &str) -> BookPricer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    std::fs::write(&path, format!("providers = [\"{provider}\"]\n{text}")).unwrap();
    load(None, &[spec("own", BookKind::Finops, path)]).unwrap()
}

#[test]
fn hours_wrap_midnight_and_follow_their_zone() {
    let pricer = own(r#"
[[entry]]
model = "night"
[[entry.price]]
rates = { input = 2 }
[[entry.price]]
rates = { input = 1 }
hours = { from = "22:00", to = "06:00", zone = "America/New_York" }
[[entry]]
model = "weekend"
[[entry.price]]
rates = { input = 2 }
[[entry.price]]
rates = { input = 1 }
hours = { from = "00:00", to = "00:00", weekdays = [6, 7], weekday_zone = "Asia/Shanghai" }
"#);
    let million = [M, 0, 0, 0, 0, 0, 0];
    for (at, model, expected) in [
        // New York is 4 hours behind in summer, 5 in winter.
        ("2026-07-01T01:59:59Z", "night", "2"),
        ("2026-07-01T02:00:00Z", "night", "1"),
        ("2026-07-01T09:59:59Z", "night", "1"),
        ("2026-07-01T10:00:00Z", "night", "2"),
        ("2026-12-01T02:30:00Z", "night", "2"),
        ("2026-12-01T10:30:00Z", "night", "1"),
        // Friday 16:00 UTC is Saturday in Shanghai.
        ("2026-11-20T15:59:59Z", "weekend", "2"),
        ("2026-11-20T16:00:00Z", "weekend", "1"),
        ("2026-11-22T15:59:59Z", "weekend", "1"),
        ("2026-11-22T16:00:00Z", "weekend", "2"),
    ] {
        assert_eq!(costs(&pricer, at, model, "", million), expected, "{model} at {at}");
    }
}

#[test]
fn fees_and_minimums_are_lines_of_the_receipt() {
    let pricer = own(r#"
[[entry]]
model = "tools"
[[entry.price]]
rates = { input = 1 }
web_search_1000 = 10
file_search_1000 = "2.5"
request_1000 = 5
minimum = "0.02"
"#);
    let mut event = call("2026-11-20", "acme", "tools", "", [1000, 0, 0, 0, 0, 0, 2]);
    event.requests.file_searches = 4;
    let quote = pricer.books().quote(&event);
    let lines: Vec<String> = quote
        .lines
        .iter()
        .map(|l| format!("{} {} {}", l.what, l.quantity, l.amount))
        .collect();
    assert_eq!(
        lines,
        [
            "input_uncached 1000 0.001",
            "web_search 2 0.02",
            "file_search 4 0.01",
            "request 1 0.005"
        ]
    );
    assert_eq!(outcome(&quote), "0.036");
    let small = pricer
        .books()
        .quote(&call("2026-11-20", "acme", "tools", "", [1000, 0, 0, 0, 0, 0, 0]));
    let lines: Vec<String> = small.lines.iter().map(|l| format!("{} {}", l.what, l.amount)).collect();
    assert_eq!(lines, ["input_uncached 0.001", "request 0.005", "minimum 0.014"]);
    assert_eq!(outcome(&small), "0.02");
}

#[test]
fn a_search_costs_as_one_of_size_medium_where_no_size_is_told() {
    let pricer = own(
        "[[entry]]\nmodel = \"m\"\n[[entry.price]]\nrates = { input = 1 }\nweb_search_1000 = 10\nsearch_context_1000 = { low = 5, medium = 8 }\n",
    );
    let cost = |size: Option<SearchContext>| {
        let mut event = call("2026-11-20", "acme", "m", "", [0, 0, 0, 0, 0, 0, 1000]);
        let mut extras = Extras::default();
        extras.search_context = size;
        event.extras = extras.label().unwrap();
        outcome(&pricer.books().quote(&event))
    };
    assert_eq!(cost(None), "8");
    assert_eq!(cost(Some(SearchContext::Medium)), "8");
    assert_eq!(cost(Some(SearchContext::Low)), "5");
}

#[test]
fn what_openai_keeps_for_half_an_hour_has_the_books_rate_of_writes() {
    let written = |pricer: &BookPricer, provider: &str, model: &str| {
        let mut event = call("2026-11-20", provider, model, "", [0; 7]);
        event.tokens.set(Bucket::CacheWrite30m, M / 10);
        outcome(&pricer.books().quote(&event))
    };
    let folder = tempfile::tempdir().unwrap();
    let (lite, genai) = (folder.path().join("lite.json"), folder.path().join("genai.json"));
    let row = |provider: &str| {
        format!(
            r#"{{"litellm_provider":"{provider}","mode":"chat","input_cost_per_token":2e-06,"cache_creation_input_token_cost":2.5e-06,"output_cost_per_token":1e-05}}"#
        )
    };
    let rows = format!(
        r#"{{"gpt-7":{},"claude-x":{},"azure/claude-x":{}}}"#,
        row("openai"),
        row("anthropic"),
        row("azure_ai")
    );
    std::fs::write(&lite, rows).unwrap();
    let list = r#"[{"id":"aws","name":"AWS","api_pattern":"x","models":[{"id":"us.openai.gpt-8","match":{"equals":"us.openai.gpt-8"},"prices":{"input_mtok":2,"cache_write_mtok":2.5,"output_mtok":10}}]}]"#;
    std::fs::write(&genai, list).unwrap();
    let books = [
        spec("lite", BookKind::Litellm, lite),
        spec("genai", BookKind::GenaiPrices, genai),
    ];
    let pricer = load(None, &books).unwrap();
    for (provider, model, cost) in [
        ("bedrock", "us.openai.gpt-5.6-sol", "0.55"),
        ("bedrock_mantle", "openai.gpt-6-sol", "0.275"),
        ("bedrock", "moonshotai.kimi-k3", "0.4125"),
        ("bedrock", "us.anthropic.claude-sonnet-4-6", "NoRate"),
        ("openai", "gpt-7", "0.25"),
        ("bedrock", "us.openai.gpt-8", "0.25"),
        ("anthropic", "claude-x", "NoRate"),
        ("azure", "claude-x", "NoRate"),
    ] {
        assert_eq!(written(&pricer, provider, model), cost, "{provider} {model}");
    }
}

#[test]
fn a_map_leads_to_the_price_of_who_sells_it() {
    let map = |provider: &str, name: &str, model: &str, as_provider: &str| NameMap {
        provider: provider.into(),
        name: name.into(),
        model: model.into(),
        as_provider: as_provider.into(),
        ..NameMap::default()
    };
    let maps = vec![
        map("azure_ai", "mine", "mistral-large-latest", ""),
        map("", "other", "mistral-large-latest", "azure_ai"),
        map("", "older", "mistral-large-latest", "azure"),
        map("", "sol", "openai.gpt-6-sol", "bedrock_mantle"),
    ];
    let pricer = load_with(None, maps, &[]).unwrap();
    for (provider, model, cost) in [
        ("azure_ai", "mine", "2"),
        ("gateway", "other", "2"),
        ("azure_ai", "older", "8"),
        ("gateway", "sol", "4.4"),
    ] {
        let call = call("2026-11-20", provider, model, "", [M, 0, 0, 0, 0, 0, 0]);
        assert_eq!(outcome(&pricer.books().quote(&call)), cost, "{provider} {model}");
    }
}

#[test]
fn an_own_price_without_places_holds_in_all_of_them_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("prices")).unwrap();
    let cost = |provider: &str, places: &str, model: &str, options: &str| {
        let text = format!(
            "providers = [\"{provider}\"]\n[[entry]]\nmodel = \"{}claude-sonnet-4-6\"\n[[entry.price]]\nrates = {{ input = 1, output = 1 }}\n{places}",
            if provider == "bedrock" { "anthropic." } else { "" }
        );
        std::fs::write(folder.path().join("prices/own.toml"), text).unwrap();
        let pricer = load(Some(folder.path()), &[]).unwrap();
        let quote = pricer
            .books()
            .quote(&call("2026-11-20", provider, model, options, [M, 0, 0, 0, 0, 0, 0]));
        let told = quote.notes.iter().any(|n| n.contains("names no `geographies`"));
        (outcome(&quote), told)
    };
    for (provider, model, options, told) in [
        ("bedrock", "anthropic.claude-sonnet-4-6", "", false),
        ("bedrock", "global.anthropic.claude-sonnet-4-6", "", false),
        ("bedrock", "us.anthropic.claude-sonnet-4-6", "", true),
        ("anthropic", "claude-sonnet-4-6", "geo=us", true),
    ] {
        assert_eq!(
            cost(provider, "", model, options),
            ("1".to_owned(), told),
            "{model} {options}"
        );
    }
    // However the place is told: beside the name, before it, in an ARN. So it is on Azure, with and without the provider.
    for model in [
        "eu-west-2/anthropic.claude-sonnet-4-6",
        "arn:aws:bedrock:eu-west-2::foundation-model/anthropic.claude-sonnet-4-6",
    ] {
        assert_eq!(cost("bedrock", "", model, ""), ("1".to_owned(), true), "{model}");
    }
    for (provider, model, options) in [
        ("azure", "claude-sonnet-4-6", "geo=eu"),
        ("azure", "eu/claude-sonnet-4-6", ""),
        ("azure", "azure/US/claude-sonnet-4-6", ""),
        ("azure", "global-standard/claude-sonnet-4-6", ""),
    ] {
        assert_eq!(
            cost(provider, "", model, options),
            ("1".to_owned(), true),
            "{model} {options}"
        );
    }
    // Regions that it does not name are no others than those of a call without a place.
    let some = "geographies = { us = 2 }\n";
    for (model, options) in [
        ("anthropic.claude-sonnet-4-6", "geo=eu-west-2"),
        ("eu-west-2/anthropic.claude-sonnet-4-6", ""),
        (
            "arn:aws:bedrock:eu-west-2::foundation-model/anthropic.claude-sonnet-4-6",
            "",
        ),
    ] {
        assert_eq!(cost("bedrock", some, model, options).0, "1", "{model} {options}");
    }
    // Who names places means these.
    let places = "geographies = { eu = 2 }\n";
    assert_eq!(cost("bedrock", places, "eu.anthropic.claude-sonnet-4-6", "").0, "2");
    assert_eq!(cost("bedrock", places, "us.anthropic.claude-sonnet-4-6", "").0, "3.3");
}

#[test]
fn versions_of_a_book_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rates: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("providers = [\"acme\"]\n{rates}")).unwrap();
        path.display().to_string()
    };
    let entry = |model: &str, input: &str| {
        format!("[[entry]]\nmodel = \"{model}\"\nprice = [{{ rates = {{ input = \"{input}\" }} }}]\n")
    };
    let old = write(
        "old.toml",
        &(entry("a", "1") + &entry("b", "2") + &entry("c", "3") + &entry("d", "4")),
    );
    let new = write("new.toml", &(entry("a", "1") + &entry("b", "0") + &entry("c", "3.5")));
    let (exit, text) = command(finops::cli::Format::Csv, &format!("check --old {old} --new {new}"));
    assert_eq!(exit, "Findings");
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "newly zero,acme,b,input_uncached,2,0",
            "changed,acme,c,input_uncached,3,3.5",
            "vanished,acme,d,,,"
        ]
    );
    assert_eq!(
        command(finops::cli::Format::Csv, &format!("check --old {old} --new {old}")).0,
        "Fine"
    );
}

#[test]
fn all_amounts_of_two_versions_are_compared_at_all_times() {
    let folder = tempfile::tempdir().unwrap();
    let compare = |old: &str, new: &str| {
        let write = |name: &str, prices: &str| {
            let path = folder.path().join(name);
            let text = format!("providers = [\"acme\"]\n[[entry]]\nmodel = \"a\"\n[[entry.price]]\n{prices}");
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let line = format!(
            "check --old {} --new {}",
            write("old.toml", old),
            write("new.toml", new)
        );
        let (_, text) = command(finops::cli::Format::Csv, &line);
        let lines = text.lines().skip(1).map(|line| line.replace(",acme,a,", " "));
        lines.collect::<Vec<String>>()
    };
    let old = "rates = { input = 1, output = 5, reasoning = 5 }\nabove = [{ prompt = 200000, rates = { input = 2, output = 10 } }]\ntiers.batch = { factor = \"0.5\" }\nspeeds = { fast = 2 }\ngeographies = { us = \"1.1\" }\nweb_search_1000 = 10\nminimum = \"0.1\"\nunits = { page = \"0.004\" }\n";
    let mut new = old.to_owned();
    for (was, is) in [
        ("input = 2, output = 10", "input = 0, output = 10"),
        ("fast = 2", "fast = 9"),
        ("\"1.1\"", "\"11\""),
        ("_1000 = 10", "_1000 = 0"),
        ("minimum = \"0.1\"", "minimum = \"9\""),
        ("\"0.004\"", "\"0\""),
        ("reasoning = 5", "reasoning = 50"),
    ] {
        assert!(new.contains(was), "{was}");
        new = new.replace(was, is);
    }
    assert_eq!(
        compare(old, &new),
        [
            "newly zero > 200000 input_uncached,2,0",
            "newly zero batch > 200000 input_uncached,1,0",
            "changed batch reasoning,2.5,25",
            "changed geography us,1.1,11",
            "changed minimum,0.1,9",
            "newly zero page,0.004,0",
            "changed reasoning,5,50",
            "changed speed fast,2,9",
            "newly zero web_search,10,0",
        ]
    );
    assert_eq!(
        compare(old, &old.replace("\"0.5\"", "\"0\"")).len(),
        5,
        "all rates of the tier"
    );
    let two =
        "to = \"2026-11-01\"\nrates = { input = 9 }\n[[entry.price]]\nfrom = \"2026-11-01\"\nrates = { input = 1 }\n";
    assert_eq!(
        compare(two, "rates = { input = 1 }\n"),
        ["changed input_uncached before 2026-11-01,9,1"]
    );
    assert_eq!(
        compare("rates = { input = 1 }\n", &two.replace("2026-11-01", "2027-01-01")),
        ["changed input_uncached,1,9"]
    );
    let free =
        "rates = { input = 1 }\nweb_search_1000 = 1\nfree_searches = { count = 5, per = \"day\", group = \"g\" }\n";
    let hours = "rates = { input = 1 }\nhours = { from = \"16:30\", to = \"00:30\", zone = \"Asia/Shanghai\", weekdays = [6], weekday_offset_hours = 8 }\n";
    let map = "rates = { input = 1 }\n[[map]]\nname = \"depl\"\nmodel = \"a\"\n";
    let free_now = "changed free searches a month, shared by g,,1";
    for (old, was, is, findings) in [
        (free, "= 5", "= 6", &["changed free searches,5,6"][..]),
        (
            free,
            "day",
            "month",
            &["vanished free searches a day, shared by g,1,", free_now],
        ),
        (
            free,
            "\"g\"",
            "\"h\"",
            &[
                "vanished free searches a day, shared by g,1,",
                "changed free searches a day, shared by h,,1",
            ],
        ),
        (
            hours,
            "Shanghai",
            "Tokyo",
            &[
                "vanished 16:30-00:30 Asia/Shanghai on 6 Etc/GMT-8 input_uncached,1,",
                "changed 16:30-00:30 Asia/Tokyo on 6 Etc/GMT-8 input_uncached,,1",
            ],
        ),
        (
            hours,
            "_hours = 8",
            "_hours = 9",
            &[
                "vanished 16:30-00:30 Asia/Shanghai on 6 Etc/GMT-8 input_uncached,1,",
                "changed 16:30-00:30 Asia/Shanghai on 6 Etc/GMT-9 input_uncached,,1",
            ],
        ),
        (
            map,
            "depl",
            "depl2",
            &["vanished,,depl,map,a,", "changed,,depl2,map,,a"],
        ),
        (
            map,
            "\"depl\"\nmodel = \"a\"",
            "\"depl\"\nfree = true",
            &["changed,,depl,map,a,free"],
        ),
    ] {
        let found = compare(old, &old.replace(was, is));
        let found: BTreeSet<String> = found.into_iter().map(|line| line.replace('"', "")).collect();
        assert_eq!(
            found,
            findings.iter().map(|f| (*f).to_owned()).collect(),
            "{was} → {is}"
        );
    }
    let twice = folder.path().join("twice.toml");
    for text in [
        "rates = { input = 1 }\nabove = [{ prompt = 5, rates = { input = 2 } }, { prompt = 5, rates = { input = 3 } }]\n",
        "rates = { input = 1 }\n[[entry.price]]\nrates = { input = 2 }\n",
    ] {
        let text = format!("providers = [\"acme\"]\n[[entry]]\nmodel = \"a\"\n[[entry.price]]\n{text}");
        std::fs::write(&twice, text).unwrap();
        assert!(load(None, &[spec("own", BookKind::Finops, twice.clone())]).is_err());
    }
}

#[test]
fn the_shared_books_load_whole() {
    let lite = shared("pricebooks/litellm-1.109.1-model_prices_and_context_window.json");
    let genai = shared("pricebooks/genai-prices-v2-data-2026-08-21.json");
    if !lite.exists() {
        println!("skipped: no shared price books");
        return;
    }
    let specs = [
        spec("lite", BookKind::Litellm, lite),
        spec("genai", BookKind::GenaiPrices, genai),
    ];
    let pricer = load(None, &specs).unwrap();
    println!("{:?}", pricer.warnings());
    assert!(pricer.books().books()[1].entries().len() > 2000);
    assert!(pricer.books().books()[2].entries().len() > 1200);
}

proptest::proptest! {
    #[test]
    fn receipts_add_up_to_the_charge(
        counts in proptest::array::uniform5(0_u64..2_000_000),
        searches in 0_u64..50,
        model in proptest::sample::select(vec![
            ("anthropic", "claude-sonnet-4-5", ""),
            ("anthropic", "claude-opus-4-8", "geo=us,speed=fast,tier=batch"),
            ("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", ""),
            ("anthropic", "claude-sonnet-4-6", ""),
        ]),
    ) {
        thread_local!(static PRICER: BookPricer = pricer());
        let [a, b, c, d, e] = counts;
        let searches = if model.0 == "anthropic" { searches } else { 0 };
        let event = call("2026-10-20", model.0, model.1, model.2, [a, b, c, d, e, 0, searches]);
        let quote = PRICER.with(|p| p.books().quote(&event));
        proptest::prop_assert!(quote.charge.is_priced());
        let sum: Decimal = quote.lines.iter().map(|l| l.amount).sum();
        proptest::prop_assert_eq!(sum, quote.charge.cost);
        for line in &quote.lines {
            let back = line.quantity * line.rate * line.factor / Decimal::from(line.per);
            proptest::prop_assert_eq!(back, line.amount);
        }
    }
}

/// USD per million: input, output, cache read, 5-minute write, 1-hour write.
#[rustfmt::skip]
const RATES: &[(&str, &str, [&str; 5])] = &[
    ("anthropic", "claude-sonnet-4-5-20250929", ["3", "15", "0.3", "3.75", "6"]),
    ("anthropic", "claude-haiku-4-5-20251001", ["1", "5", "0.1", "1.25", "2"]),
    ("anthropic", "claude-opus-4-5-20251101", ["5", "25", "0.5", "6.25", "10"]),
    ("anthropic", "claude-sonnet-4-20250514", ["3", "15", "0.3", "3.75", "6"]),
    ("anthropic", "claude-opus-4-1-20250805", ["15", "75", "1.5", "18.75", "30"]),
    ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", ["3.3", "16.5", "0.33", "4.125", "6.6"]),
    ("bedrock", "global.anthropic.claude-haiku-4-5-20251001-v1:0", ["1", "5", "0.1", "1.25", "2"]),
    ("bedrock", "us.amazon.nova-lite-v1:0", ["0.06", "0.24", "0.015", "0", "0"]),
    ("openai", "gpt-5-2025-08-07", ["1.25", "10", "0.125", "-", "-"]),
    ("openai", "gpt-5-mini-2025-08-07", ["0.25", "2", "0.025", "-", "-"]),
    ("openai", "gpt-4o-2024-08-06", ["2.5", "10", "1.25", "-", "-"]),
    ("openai", "gpt-4.1-mini-2025-04-14", ["0.4", "1.6", "0.1", "-", "-"]),
    ("google", "gemini-2.5-pro", ["1.25", "10", "0.125", "-", "-"]),
    ("google", "gemini-2.5-flash", ["0.3", "2.5", "0.03", "-", "-"]),
];

#[test]
fn common_models_have_their_published_rates() {
    let pricer = pricer();
    for (provider, model, rates) in RATES {
        for (at, rate) in [0, 4, 1, 2, 3].into_iter().zip(rates) {
            let mut counts = [0; 7];
            counts[at] = 100_000;
            let quote = pricer.books().quote(&call("2026-10-20", provider, model, "", counts));
            let expected = rate
                .parse::<Decimal>()
                .map(|r| (r / Decimal::TEN).normalize().to_string());
            assert_eq!(
                outcome(&quote),
                expected.unwrap_or("NoRate".to_owned()),
                "{provider} {model} {at}"
            );
        }
    }
}

#[test]
fn audio_images_and_video_have_rates_of_their_own_or_none() {
    let pricer = own(r#"
[[entry]]
model = "hears"
[[entry.price]]
rates = { input = 1, output = 4, audio_in = 10, audio_out = 20 }
above = [{ prompt = 1000, rates = { input = 2, audio_in = 30 } }]
tiers.batch = { factor = "0.5" }
[[entry]]
model = "reads"
[[entry.price]]
rates = { input = 1, output = 4 }
[[entry]]
model = "listens"
[[entry.price]]
rates = { input = 1, output = 4 }
audio_as_text = true
"#);
    let cost = |model: &str, tier: &str, tokens: &[(Bucket, u64)]| {
        let mut event = call("2026-11-20", "acme", model, tier, [0; 7]);
        tokens
            .iter()
            .for_each(|(bucket, count)| event.tokens.set(*bucket, *count));
        let quote = pricer.books().quote(&event);
        let sum: Decimal = quote.lines.iter().map(|l| l.amount).sum();
        assert!(!quote.charge.is_priced() || sum == quote.charge.cost);
        outcome(&quote)
    };
    use Bucket::{AudioIn, AudioOut, ImageIn, ImageOut, InputUncached, VideoIn};
    assert_eq!(
        cost("hears", "", &[(AudioIn, 100), (AudioOut, 50), (InputUncached, 100)]),
        "0.0021"
    );
    assert_eq!(cost("hears", "tier=batch", &[(AudioIn, 100)]), "0.0005");
    // Audio is part of the prompt that decides the threshold, audio that is answered is not.
    assert_eq!(cost("hears", "", &[(AudioIn, 600), (InputUncached, 401)]), "0.018802");
    assert_eq!(cost("hears", "", &[(AudioOut, 5000), (InputUncached, 1000)]), "0.101");
    assert_eq!(cost("reads", "", &[(ImageIn, 300), (VideoIn, 700)]), "0.001", "as text");
    assert_eq!(cost("reads", "", &[(AudioIn, 1)]), "NoRate");
    assert_eq!(cost("reads", "", &[(ImageOut, 1)]), "NoRate");
    assert_eq!(cost("listens", "", &[(AudioIn, 1000)]), "0.001");
    let built_in = load(None, &[]).unwrap();
    let mut heard = call("2026-11-20", "google", "gemini-2.5-flash", "", [0; 7]);
    heard.tokens.set(AudioIn, 1_000_000);
    assert_eq!(outcome(&built_in.books().quote(&heard)), "1");
    for (provider, model, bucket, cost) in [
        ("google", "gemini-2.5-flash-native-audio-preview-12-2025", AudioIn, "3"),
        ("vertex", "gemini-live-2.5-flash-native-audio", AudioOut, "12"),
        ("google", "gemini-3.8-live", VideoIn, "1"),
        ("openai", "gpt-4o-mini-transcribe-2025-12-15", AudioIn, "3"),
        ("openai", "gpt-image-2-2026-04-21", ImageOut, "30"),
        ("azure", "us/gpt-4o-realtime-preview-2024-12-17", AudioOut, "88"),
        ("bedrock", "amazon.nova-2-5-sonic", AudioIn, "3"),
    ] {
        let mut event = call("2026-11-20", provider, model, "", [0; 7]);
        event.tokens.set(bucket, 1_000_000);
        assert_eq!(outcome(&built_in.books().quote(&event)), cost, "{provider} {model}");
    }
}

/// What Python prints of a third, times factors: rounded, never dropped.
#[test]
fn rates_and_factors_of_many_digits_are_rounded() {
    let close = |a: Decimal, b: &str| (a - b.parse::<Decimal>().unwrap()).abs() < Decimal::new(1, 9);
    for digits in [12, 14, 15, 18, 22, 23, 28_usize] {
        let (third, half) = ("3".repeat(digits), "5".repeat(digits.min(15)));
        let pricer = own(&format!(
            "[[entry]]\nmodel = \"m\"\n[[entry.price]]\nrates = {{ input = \"0.{third}\", output = \"1.{}7\" }}\ntiers.batch = {{ factor = \"0.5\" }}\ntiers.flex = {{ factor = \"1.{half}\" }}\nspeeds = {{ fast = \"1.5\" }}\ngeographies = {{ us = \"1.1\" }}\nweb_search_1000 = \"9.{}\"\nunits = {{ page = \"0.004\" }}\n",
            "6".repeat(digits - 1),
            "3".repeat(digits.min(27)),
        ));
        for (options, tokens) in [
            ("", "2"),
            ("tier=batch", "1"),
            ("tier=flex", "3.1111111111"),
            ("speed=fast", "3"),
            ("geo=us", "2.2"),
            ("tier=flex,speed=fast,geo=us", "5.1333333333"),
        ] {
            let counts = [M, 0, 0, 0, M, 0, 3000];
            let quote = pricer.books().quote(&call("2026-11-20", "acme", "m", options, counts));
            let cost = quote.charge.cost;
            assert!(quote.charge.is_priced(), "{digits} {options}: {}", outcome(&quote));
            assert!(close(cost - Decimal::from(28), tokens), "{digits} {options}: {cost}");
            assert_eq!(
                quote.lines.iter().map(|l| l.amount).sum::<Decimal>(),
                cost,
                "{digits} {options}"
            );
            let most = pricer.books().charge(&call("2026-11-20", "acme", "x", options, counts));
            assert!(
                !most.is_priced() && most.worst_case >= cost,
                "{digits} {options}: {most:?}"
            );
            assert!(most.worst_case < Decimal::from(34), "{digits} {options}: {most:?}");
        }
    }
    // What is out of range is no price of another tier, and what it costs at most can be added up.
    let batch = Tier {
        factor: Some(2.into()),
        ..Tier::default()
    };
    let mut price = Price {
        tiers: [("batch".to_owned(), batch)].into(),
        ..Price::default()
    };
    price.rates.set(Bucket::InputUncached, Decimal::MAX);
    let mut book = Book::new("own", "");
    let entry = Entry {
        id: "m".to_owned(),
        prices: vec![price],
        ..Entry::default()
    };
    assert!(book.add("acme", entry));
    let event = call("2026-11-20", "acme", "m", "tier=batch", [1, 0, 0, 0, 0, 0, 0]);
    let charge = Books::new(vec![book]).charge(&event);
    assert_eq!(charge, Charge::unpriced(UnpricedReason::OutOfRange, MOST));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    let text = "providers = [\"acme\"]\n[[entry]]\nmodel = \"m\"\n[[entry.price]]\nrates = { input = \"1e12\" }\n";
    std::fs::write(&path, text).unwrap();
    let error = load(None, &[spec("own", BookKind::Finops, path)])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("line 5") && error.contains("`1000000000000` is no price"),
        "{error}"
    );
}

#[test]
fn a_call_is_told_to_be_priced_by_the_price_of_its_hour() {
    let pricer = own(
        "[[entry]]\nmodel = \"m\"\n[[entry.price]]\nfrom = \"2026-11-04\"\nrates = { input = 2 }\n[[entry.price]]\nfrom = \"2026-11-05\"\nrates = { input = 1 }\nhours = { from = \"08:00\", to = \"20:00\" }\n",
    );
    for (at, from) in [
        ("2026-11-08T12:00:00Z", "2026-11-05"),
        ("2026-11-08T23:15:04Z", "2026-11-04"),
    ] {
        let quote = pricer.books().quote(&call(at, "acme", "m", "", [M, 0, 0, 0, 0, 0, 0]));
        let by = Outcome::Priced(format!("own/acme/m@{from}").as_str().into());
        assert_eq!((quote.charge.outcome, quote.valid_from.as_str()), (by, from));
    }
}
