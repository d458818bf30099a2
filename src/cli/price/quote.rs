//! `finops price quote`.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::advice::astray;
use super::{instant, load, put, receipt, shown, warn};
use crate::cli::{CliError, Context, Exit, Format, wire};
use crate::domain::contract::Agreed;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::parse_decimal;
use crate::domain::price::Quote;
use crate::domain::usage::{
    Bucket, EventId, Extras, MAX_TOKENS, MAX_UNITS, Requests, SearchContext, Tokens, Unit, UnitKey, UsageEvent,
};

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
    /// Output, reasoning included: tokens, not the file that `--output` names elsewhere
    #[arg(long, default_value_t = 0, value_parser = count())]
    output: u64,
    /// The part of output that was reasoning
    #[arg(long, default_value_t = 0, value_parser = count())]
    reasoning: u64,
    /// Audio in the prompt
    #[arg(long, default_value_t = 0, value_parser = count())]
    audio_in: u64,
    /// Audio answered
    #[arg(long, default_value_t = 0, value_parser = count())]
    audio_out: u64,
    /// Images in the prompt
    #[arg(long, default_value_t = 0, value_parser = count())]
    image_in: u64,
    /// Images answered
    #[arg(long, default_value_t = 0, value_parser = count())]
    image_out: u64,
    /// Video in the prompt
    #[arg(long, default_value_t = 0, value_parser = count())]
    video_in: u64,
    /// Server-side web searches
    #[arg(long, default_value_t = 0)]
    web_search: u32,
    /// Calls of file search
    #[arg(long, default_value_t = 0)]
    file_search: u32,
    /// Code executions: at OpenAI each begins a container, at Anthropic it is one of a run's length
    #[arg(long, default_value_t = 0)]
    code_execution: u32,
    /// What is priced by one: `audio_in_second=12.5`, `images_out:1024x1024/hd=2`, `page=3`; again for more
    #[arg(long = "unit", value_name = "UNIT=AMOUNT")]
    units: Vec<String>,
    /// How much each web search reads: low, medium, high; or preview, OpenAI's older tool
    #[arg(long, value_parser = ["low", "medium", "high", "preview"])]
    search_context: Option<String>,
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
            .with(Bucket::Output, self.output)
            .with(Bucket::AudioIn, self.audio_in)
            .with(Bucket::AudioOut, self.audio_out)
            .with(Bucket::ImageIn, self.image_in)
            .with(Bucket::ImageOut, self.image_out)
            .with(Bucket::VideoIn, self.video_in);
        event.tokens.reasoning = self.reasoning;
        event.requests = Requests {
            web_searches: self.web_search,
            file_searches: self.file_search,
            code_executions: self.code_execution,
            ..Requests::default()
        };
        event.dimensions.set(Dimension::Tier, self.tier.as_str().into());
        event.speed = self.speed.as_str().into();
        event.geo = self.geo.as_str().into();
        event.extras = self.extras()?;
        Ok(event)
    }

    fn extras(&self) -> Result<Label, CliError> {
        let mut extras = Extras::default();
        extras.search_context = self.search_context.as_deref().and_then(SearchContext::of);
        for text in &self.units {
            let (name, amount) = text
                .split_once('=')
                .ok_or_else(|| CliError::usage(format!("`{text}` is not `UNIT=AMOUNT`")))?;
            let known: Vec<&str> = Unit::ALL.into_iter().map(Unit::name).collect();
            let key = UnitKey::parse(name)
                .ok_or_else(|| CliError::usage(format!("`{name}` is no unit; there are {}", known.join(", "))))?;
            let amount = parse_decimal(amount).map_err(|e| CliError::usage(format!("`{text}`: {e}")))?;
            if !extras.add(key, amount) {
                return Err(CliError::usage(format!(
                    "`{text}`: an amount is from 0 to {MAX_UNITS} with at most 9 decimals"
                )));
            }
        }
        extras.label().ok_or_else(|| CliError::usage("too many units"))
    }
}

pub(super) fn run(ctx: &mut Context<'_>, args: &QuoteArgs) -> Result<Exit, CliError> {
    let event = args.event(ctx.now)?;
    let pricer = load(ctx)?;
    warn(ctx, pricer.warnings());
    let quote = pricer.books().quote(&event);
    let agreed = receipt::agreed(&wire::terms(ctx)?, &event, &quote)?;
    let text = match ctx.format {
        Format::Json => format!("{:#}\n", document(args, &event, &quote, &agreed)),
        Format::Jsonl => format!("{}\n", document(args, &event, &quote, &agreed)),
        Format::Table | Format::Csv | Format::Markdown | Format::Html => {
            let map = pricer.books().mapped(&args.provider, &args.model);
            let lost = map.filter(|map| !pricer.books().knows(map));
            let note = lost.map_or(String::new(), |map| {
                format!("note     {}\n", shown(&astray(&map.model)))
            });
            return show(ctx, args, &event, &quote, &agreed, &note);
        }
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

fn document(args: &QuoteArgs, event: &UsageEvent, quote: &Quote, agreed: &Agreed) -> Value {
    let mut document = receipt::document(quote);
    receipt::add_agreed(&mut document, quote, agreed);
    if let Some(object) = document.as_object_mut() {
        object.insert("schema_version".to_owned(), 1.into());
        let call = json!({
            "provider": args.provider, "model": args.model, "at": event.at.to_rfc3339(),
            "tier": args.tier, "speed": args.speed, "geo": args.geo, "units": event.extras.as_str(),
        });
        object.insert("call".to_owned(), call);
    }
    document
}

fn show(
    ctx: &mut Context<'_>,
    args: &QuoteArgs,
    event: &UsageEvent,
    quote: &Quote,
    agreed: &Agreed,
    note: &str,
) -> Result<Exit, CliError> {
    if ctx.format != Format::Table {
        super::put_rows(ctx, &receipt::HEADER, &receipt::rows(quote), "receipt")?;
        return Ok(exit(quote));
    }
    let text = format!(
        "{} {} at {}\n{}{note}{}",
        shown(&args.provider),
        shown(&args.model),
        event.at.format("%Y-%m-%d %H:%M UTC"),
        receipt::text(quote),
        receipt::agreed_text(quote, agreed)
    );
    put(ctx, &text)?;
    Ok(exit(quote))
}
