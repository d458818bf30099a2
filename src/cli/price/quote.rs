//! `finops price quote`.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{instant, load, put, shown, table, warn};
use crate::cli::{CliError, Context, Exit, Format};
use crate::domain::charge::Outcome;
use crate::domain::dimension::Dimension;
use crate::domain::price::Quote;
use crate::domain::usage::{Bucket, EventId, MAX_TOKENS, Requests, Tokens, UsageEvent};

/// The call to price; counts are tokens.
#[derive(Debug, clap::Args)]
pub struct QuoteArgs {
    /// Who sells the call: anthropic, openai, bedrock, google, vertex, azure, …
    #[arg(long)]
    provider: String,
    /// The model as a log names it
    #[arg(long)]
    model: String,
    /// When the call was made: a date or an RFC 3339 time [default: now]
    #[arg(long, value_parser = instant)]
    at: Option<DateTime<Utc>>,
    /// Uncached input
    #[arg(long, default_value_t = 0, value_parser = count())]
    input: u64,
    /// Input read from the cache
    #[arg(long, default_value_t = 0, value_parser = count())]
    cache_read: u64,
    /// Input written to the cache for 5 minutes
    #[arg(long = "cache-write-5m", default_value_t = 0, value_parser = count())]
    cache_write_5m: u64,
    /// Input written to the cache for 30 minutes
    #[arg(long = "cache-write-30m", default_value_t = 0, value_parser = count())]
    cache_write_30m: u64,
    /// Input written to the cache for 1 hour
    #[arg(long = "cache-write-1h", default_value_t = 0, value_parser = count())]
    cache_write_1h: u64,
    /// Input written to the cache for 12 hours
    #[arg(long = "cache-write-12h", default_value_t = 0, value_parser = count())]
    cache_write_12h: u64,
    /// Output, reasoning included
    #[arg(long, default_value_t = 0, value_parser = count())]
    output: u64,
    /// The part of output that was reasoning
    #[arg(long, default_value_t = 0, value_parser = count())]
    reasoning: u64,
    /// Server-side web searches
    #[arg(long, default_value_t = 0)]
    web_search: u32,
    /// Service tier: batch, flex, priority, …
    #[arg(long, default_value = "")]
    tier: String,
    /// Speed: fast
    #[arg(long, default_value = "")]
    speed: String,
    /// Inference geography: us, …
    #[arg(long, default_value = "")]
    geo: String,
}

fn count() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(0..=MAX_TOKENS)
}

impl QuoteArgs {
    fn event(&self, now: DateTime<Utc>) -> Result<UsageEvent, CliError> {
        if self.reasoning > self.output {
            return Err(CliError::usage(
                "`--reasoning` is a part of `--output` and cannot exceed it",
            ));
        }
        let at = self.at.unwrap_or(now);
        let (provider, model) = (self.provider.as_str().into(), self.model.as_str().into());
        let mut event = UsageEvent::new(EventId::of(&[b"quote"]), at, provider, model);
        event.tokens = Tokens::default()
            .with(Bucket::InputUncached, self.input)
            .with(Bucket::CacheRead, self.cache_read)
            .with(Bucket::CacheWrite5m, self.cache_write_5m)
            .with(Bucket::CacheWrite30m, self.cache_write_30m)
            .with(Bucket::CacheWrite1h, self.cache_write_1h)
            .with(Bucket::CacheWrite12h, self.cache_write_12h)
            .with(Bucket::Output, self.output);
        event.tokens.reasoning = self.reasoning;
        event.requests = Requests {
            web_searches: self.web_search,
            ..Requests::default()
        };
        event.dimensions.set(Dimension::Tier, self.tier.as_str().into());
        event.speed = self.speed.as_str().into();
        event.geo = self.geo.as_str().into();
        Ok(event)
    }
}

pub(super) fn run(ctx: &mut Context<'_>, args: &QuoteArgs) -> Result<Exit, CliError> {
    let event = args.event(ctx.now)?;
    let pricer = load(ctx)?;
    warn(ctx, pricer.warnings());
    let quote = pricer.books().quote(&event);
    let text = match ctx.format {
        Format::Json => format!("{:#}\n", document(args, &event, &quote)),
        Format::Jsonl => format!("{}\n", document(args, &event, &quote)),
        Format::Table | Format::Csv | Format::Markdown => return receipt(ctx, args, &event, &quote),
    };
    put(ctx, &text)?;
    Ok(exit(&quote))
}

fn exit(quote: &Quote) -> Exit {
    if quote.charge.is_priced() {
        Exit::Fine
    } else {
        Exit::Findings
    }
}

fn document(args: &QuoteArgs, event: &UsageEvent, quote: &Quote) -> Value {
    let call = json!({
        "provider": args.provider, "model": args.model, "at": event.at.to_rfc3339(),
        "tier": args.tier, "speed": args.speed, "geo": args.geo,
    });
    if let Outcome::Unpriced(reason) = quote.charge.outcome {
        return json!({
            "schema_version": 1, "priced": false, "reason": reason, "text": reason.text(),
            "worst_case_usd": quote.charge.worst_case.normalize().to_string(), "call": call,
        });
    }
    let lines: Vec<Value> = quote
        .lines
        .iter()
        .map(|l| {
            json!({
                "what": l.what, "quantity": l.quantity, "rate_usd": l.rate.to_string(), "per": l.per,
                "factor": l.factor.normalize().to_string(), "amount_usd": l.amount.to_string(), "rule": l.rule,
            })
        })
        .collect();
    let factors: Vec<Value> = quote
        .factors
        .iter()
        .map(|(what, f)| json!({"what": what, "factor": f.normalize().to_string()}))
        .collect();
    json!({
        "schema_version": 1, "priced": true, "cost_usd": quote.charge.cost.normalize().to_string(),
        "receipt": lines, "factors": factors, "book": quote.book, "book_version": quote.version,
        "provider": quote.provider, "entry": quote.entry, "valid_from": none_if_empty(&quote.valid_from),
        "matched_by": quote.matched_by, "notes": quote.notes, "source": none_if_empty(&quote.source),
        "checked": none_if_empty(&quote.checked), "call": call,
    })
}

fn none_if_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn receipt(ctx: &mut Context<'_>, args: &QuoteArgs, event: &UsageEvent, quote: &Quote) -> Result<Exit, CliError> {
    let header = ["what", "quantity", "usd_rate", "per", "factor", "usd_amount", "rule"];
    let mut rows: Vec<Vec<String>> = quote
        .lines
        .iter()
        .map(|l| {
            let numbers = [
                l.quantity.to_string(),
                l.rate.to_string(),
                l.per.to_string(),
                l.factor.normalize().to_string(),
            ];
            let mut row = vec![l.what.clone()];
            row.extend(numbers);
            row.extend([l.amount.to_string(), l.rule.clone()]);
            row
        })
        .collect();
    if ctx.format != Format::Table {
        super::put_rows(ctx, &header, &rows, "receipt")?;
        return Ok(exit(quote));
    }
    let mut text = format!(
        "{} {} at {}\n",
        shown(&args.provider),
        shown(&args.model),
        event.at.format("%Y-%m-%d %H:%M UTC")
    );
    if let Outcome::Unpriced(reason) = quote.charge.outcome {
        let worst = quote.charge.worst_case.normalize();
        let _ = writeln!(
            text,
            "unpriced: {reason}; at most {worst} USD by the provider's highest rates"
        );
        put(ctx, &text)?;
        return Ok(Exit::Findings);
    }
    let total = quote.charge.cost.normalize().to_string();
    let blank = String::new;
    rows.push(vec![
        "total".to_owned(),
        blank(),
        blank(),
        blank(),
        blank(),
        total,
        "USD".to_owned(),
    ]);
    text.push_str(&table(&header, &rows));
    let since = if quote.valid_from.is_empty() {
        String::new()
    } else {
        format!(", valid from {}", quote.valid_from)
    };
    let _ = writeln!(
        text,
        "book     {} {}, entry {}/{}{since}",
        quote.book,
        quote.version,
        quote.provider,
        shown(&quote.entry)
    );
    let _ = writeln!(text, "matched  by {}", quote.matched_by);
    for (what, factor) in &quote.factors {
        let _ = writeln!(text, "factor   {} × {}", factor.normalize(), shown(what));
    }
    for note in &quote.notes {
        let _ = writeln!(text, "note     {}", shown(note));
    }
    if !quote.source.is_empty() {
        let _ = writeln!(
            text,
            "source   {} (figures as of {})",
            shown(&quote.source),
            shown(&quote.checked)
        );
    }
    put(ctx, &text)?;
    Ok(Exit::Fine)
}
