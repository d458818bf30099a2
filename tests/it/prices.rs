//! Prices: the hand-written truth table, names, receipts, and the book formats.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of tests may fail as loudly as a test"
)]

use std::path::Path;

use chrono::{DateTime, Utc};
use finops::adapters::prices::{BookPricer, load};
use finops::domain::charge::Outcome;
use finops::domain::dimension::Dimension;
use finops::domain::price::Quote;
use finops::domain::usage::{Bucket, EventId, Requests, Tokens, UsageEvent};
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

#[test]
fn the_shared_truth_table_comes_out() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/pricing-cases-dev.csv");
    let file = if file.exists() {
        file
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/pricing-cases-dev.csv")
    };
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
    ("2026-08-31", "anthropic", "claude-sonnet-5", "", [M, 0, 0, 0, 0, 0, 0], "2"),
    ("2026-09-01", "anthropic", "claude-sonnet-5", "", [M, 0, 0, 0, 0, 0, 0], "3"),
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
    ("2026-10-20", "bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "0.25"),
    ("2026-10-20", "bedrock", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "", [M, 0, M, 0, 0, 0, 0], "0.06"),
    ("2026-10-20", "bedrock", "bedrock/us-east-1/amazon.nova-micro-v1:0", "", [M, 0, 0, 0, 0, 0, 0], "0.035"),
    ("2026-10-20", "bedrock", "openai.gpt-5.6-sol", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.44"),
    // Vertex, Azure, OpenRouter, Groq, DeepSeek.
    ("2026-10-20", "vertex_ai", "claude-sonnet-4-5@20250929", "", [M / 10, 0, 0, 0, 0, 0, 0], "0.3"),
    ("2026-10-20", "vertex", "claude-sonnet-4-5@20250929", "geo=us-east5", [M / 10, 0, 0, 0, 0, 0, 0], "0.33"),
    ("2026-10-20", "vertex", "gemini-2.5-flash", "", [M, 0, 0, 0, 0, 0, 0], "0.3"),
    ("2026-10-20", "azure", "azure/eu/gpt-5-2025-08-07", "", [M, 0, 0, 0, 0, 0, 0], "1.375"),
    ("2026-10-20", "azure", "gpt-4o-2024-08-06", "", [M, 0, 0, 0, 0, 0, 0], "2.5"),
    ("2026-10-20", "openrouter", "anthropic/claude-sonnet-4:free", "", [1000, 0, 0, 0, 0, 0, 0], "0"),
    ("2026-10-20", "groq", "llama-3.3-70b-versatile", "", [M, 0, 0, 0, 0, 0, 0], "0.59"),
    ("2026-10-20T12:00:00Z", "deepseek", "deepseek-chat", "", [M, 0, 0, 0, 0, 0, 0], "0.27"),
    ("2026-10-20T16:30:00Z", "deepseek", "deepseek-chat", "", [M, 0, 0, 0, 0, 0, 0], "0.135"),
    ("2026-10-20T00:29:59Z", "deepseek", "deepseek-chat", "", [M, 0, 0, 0, 0, 0, 0], "0.135"),
    // A dated snapshot with its own price; fine-tunes; spellings.
    ("2026-10-20", "openai", "gpt-4o-2024-05-13", "", [M, M, 0, 0, 0, 0, 0], "10"),
    ("2026-10-20", "openai", "ft:gpt-4o-2024-08-06:org::id", "tier=batch", [M, 0, 0, 0, 0, 0, 0], "1.875"),
    ("2026-10-20", "anthropic", "claude-4.5-sonnet", "", [1000, 0, 0, 0, 0, 0, 0], "0.003"),
    ("2026-10-20", "anthropic", "Claude-3-5-Sonnet-Latest", "", [1000, 0, 0, 0, 0, 0, 0], "0.003"),
    ("2026-10-20", "anthropic", "anthropic/claude-opus-4.8", "", [1000, 0, 0, 0, 0, 0, 0], "0.005"),
    ("2026-10-20", "openai", "gpt-5-2025-08-07", "", [M, 0, 0, 0, 0, 0, 0], "1.25"),
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
        color: false,
        interactive: false,
        width: 100,
        verbosity: 1,
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
}
