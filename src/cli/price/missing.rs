//! `finops price missing`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{instant, load, put, put_fitted, shown};
use crate::cli::{CliError, Context, Exit, Format, wire};
use crate::domain::charge::UnpricedReason;
use crate::domain::money::add_exact;
use crate::domain::period::Period;
use crate::domain::usage::Bucket;
use crate::engine::explain::always;
use crate::engine::missing::{Missing, missing};
use crate::engine::report::Filter;

/// Which calls.
#[derive(Debug, clap::Args)]
pub struct MissingArgs {
    /// Calls from this date or RFC 3339 time on [default: all]
    #[arg(long, value_name = "DATE", value_parser = instant)]
    from: Option<DateTime<Utc>>,
    /// Calls before this date or RFC 3339 time
    #[arg(long, value_name = "DATE", value_parser = instant)]
    to: Option<DateTime<Utc>>,
    /// Only these calls: `team=search`, `model=claude-*`
    #[arg(long = "where", value_name = "DIMENSION=GLOB", value_parser = Filter::parse)]
    filters: Vec<Filter>,
}

pub(super) fn run(ctx: &mut Context<'_>, args: &MissingArgs) -> Result<Exit, CliError> {
    let all = always();
    let period = Period::new(args.from.unwrap_or(all.start), args.to.unwrap_or(all.end));
    let pricer = load(ctx)?;
    let found = missing(wire::ledger_to_read(ctx)?.as_mut(), &pricer, period, &args.filters)?;
    match ctx.format {
        Format::Json => {
            let rows: Vec<Value> = found.iter().map(object).collect();
            put(ctx, &format!("{:#}\n", json!({ "schema_version": 1, "missing": rows })))?;
        }
        Format::Jsonl => {
            let rows: String = found.iter().map(|m| format!("{}\n", object(m))).collect();
            put(ctx, &rows)?;
        }
        Format::Table if found.is_empty() => put(ctx, "every call has a price\n")?,
        Format::Table | Format::Csv | Format::Markdown | Format::Html => {
            let header = [
                "provider",
                "model",
                "reason",
                "calls",
                "tokens",
                "usd_at_most",
                "first",
                "last",
            ];
            let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
            put_fitted(ctx, &header, &rows, "missing")?;
            if ctx.format == Format::Table {
                let text = help(&found)?;
                put(ctx, &text)?;
            }
        }
    }
    Ok(if found.is_empty() { Exit::Fine } else { Exit::Findings })
}

fn reason(m: &Missing) -> &'static str {
    m.reason.map_or("detail expired", UnpricedReason::text)
}

fn cells(m: &Missing) -> Vec<String> {
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M").to_string();
    vec![
        m.provider.as_str().to_owned(),
        m.model.as_str().to_owned(),
        reason(m).to_owned(),
        m.calls.to_string(),
        m.tokens.to_string(),
        m.worst_case.normalize().to_string(),
        time(m.first),
        time(m.last),
    ]
}

fn object(m: &Missing) -> Value {
    let advice = advice(m);
    json!({
        "provider": m.provider.as_str(), "model": m.model.as_str(), "reason": m.reason, "text": reason(m),
        "calls": m.calls, "tokens": m.tokens.to_string(), "worst_case_usd": m.worst_case.normalize().to_string(),
        "first": m.first, "last": m.last, "priced_now": m.priced_now,
        "file": advice.file, "snippet": advice.snippet.as_ref().map(|snippet| advice.head(m) + snippet), "advice": advice.say,
    })
}

/// The total, and what to write.
fn help(found: &[Missing]) -> Result<String, CliError> {
    let mut worst = rust_decimal::Decimal::ZERO;
    for m in found {
        worst = add_exact(worst, m.worst_case)?;
    }
    let calls: i64 = found.iter().map(|m| m.calls).sum();
    let are = if calls == 1 { "call is" } else { "calls are" };
    let mut text = format!(
        "\n{calls} {are} unpriced: in no total, at most {} USD more\n",
        worst.normalize()
    );
    let now: i64 = found.iter().map(|m| m.priced_now).sum();
    if let Some(first) = found.iter().filter(|m| m.priced_now > 0).map(|m| m.first).min() {
        let has = if now == 1 { "has" } else { "have" };
        let _ = writeln!(
            text,
            "{now} of them {has} a price by now: `finops reprice --from {}` gives it to them",
            first.format("%Y-%m-%d")
        );
    }
    let (mut told, mut files) = (BTreeSet::new(), BTreeSet::new());
    for m in found.iter().filter(|m| m.priced_now < m.calls) {
        let advice = advice(m);
        let name = format!("{} {}", shown(m.provider.as_str()), shown(m.model.as_str()));
        if !told.insert((name.clone(), advice.snippet.clone())) {
            continue;
        }
        let _ = writeln!(text, "\n# {name}: {}", advice.say);
        if let Some(snippet) = &advice.snippet {
            let file = advice.file.as_deref().unwrap_or_default();
            // Once for each file.
            let head = if files.insert(file.to_owned()) {
                advice.head(m)
            } else {
                String::new()
            };
            let _ = write!(text, "# in {file}:\n{head}{snippet}");
        }
    }
    if let Some(first) = found.iter().filter(|m| m.reason.is_some()).map(|m| m.first).min() {
        let _ = writeln!(
            text,
            "\nthen `finops reprice --from {}` prices what is recorded",
            first.format("%Y-%m-%d")
        );
    }
    Ok(text)
}

struct Advice {
    say: &'static str,
    file: Option<String>,
    snippet: Option<String>,
}

impl Advice {
    /// What a file of prices begins with; nothing where the snippet is for the settings.
    fn head(&self, m: &Missing) -> String {
        let of_prices = self
            .file
            .as_ref()
            .is_some_and(|file| *file == overlay_file(m.provider.as_str()));
        if of_prices {
            overlay_head(m.provider.as_str())
        } else {
            String::new()
        }
    }
}

/// Text as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn map(m: &Missing) -> String {
    format!(
        "[[price_map]]\nprovider = {}\nname = {}\nmodel = \"\"     # the model's name in a price book: `finops price list`\n",
        quoted(m.provider.as_str()),
        quoted(m.model.as_str())
    )
}

/// The file of a provider's own prices: a file has the prices of one.
fn overlay_file(provider: &str) -> String {
    let name: String = provider
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    format!("policies/prices/own-{name}.toml")
}

/// The head of such a file, once, before its entries.
fn overlay_head(provider: &str) -> String {
    format!("providers = [{}]\n", quoted(provider))
}

/// The rates that such a model has: those of every model, those of Claude, and those of what its calls were made of.
fn rates(m: &Missing) -> String {
    let claude = m.model.as_str().to_ascii_lowercase().contains("claude");
    let always = [Bucket::InputUncached, Bucket::CacheRead, Bucket::Output];
    let has =
        |bucket: Bucket, used: bool| used || always.contains(&bucket) || (claude && bucket == Bucket::CacheWrite5m);
    let all = Bucket::ALL.into_iter().zip(m.kinds);
    let rates = all.filter(|&(bucket, used)| has(bucket, used)).map(|(bucket, _)| {
        let name = if bucket == Bucket::InputUncached {
            "input"
        } else {
            bucket.name()
        };
        format!("{name} = \"\"")
    });
    rates.collect::<Vec<_>>().join(", ")
}

fn overlay(m: &Missing, more: &str) -> String {
    format!(
        "[[entry]]\nmodel = {}\n[[entry.price]]\nfrom = {}\nrates = {{ {} }}     # USD per million tokens; leave out what does not exist\n{more}",
        quoted(m.model.as_str()),
        quoted(&m.first.format("%Y-%m-%d").to_string()),
        rates(m),
    )
}

fn advice(m: &Missing) -> Advice {
    let settings = || Some("finops.toml".to_owned());
    let overlay_file = || Some(overlay_file(m.provider.as_str()));
    let (say, file, snippet) = match m.reason {
        Some(UnpricedReason::UnknownModel) => (
            "no price book knows it; write its price, or map it: `[[price_map]]` with `model`, or `free = true` for your own machines",
            overlay_file(),
            Some(overlay(m, "")),
        ),
        Some(UnpricedReason::OpaqueName) => ("only you know which model it stands for", settings(), Some(map(m))),
        Some(UnpricedReason::NoPriceOnDate) => (
            "the books have no price for that time; write the one that held",
            overlay_file(),
            Some(overlay(m, "")),
        ),
        Some(UnpricedReason::UnknownTier) => (
            "the books have no rate for its tier, speed or geography; write it",
            overlay_file(),
            Some(overlay(
                m,
                "tiers.batch = { factor = \"0.5\" }     # or speeds = { fast = 2 }, geographies = { us = \"1.1\" }\n",
            )),
        ),
        Some(UnpricedReason::NoRate) => (
            "a kind of token, unit or request has no rate in the books; write all rates",
            overlay_file(),
            Some(overlay(
                m,
                "web_search_1000 = \"\"     # if it searches the web\nunits = {}     # if it is sold by the piece: { page = \"0.004\" }; `finops explain` names them\n",
            )),
        ),
        Some(UnpricedReason::ModelMissing) => (
            "its records name no model: set it at the source (`defaults` of the `[[source]]`)",
            None,
            None,
        ),
        Some(UnpricedReason::UsageIncomplete) => (
            "its records do not say all that is paid for (tokens read from the cache; seconds, pictures, pages): no price would be honest",
            None,
            None,
        ),
        Some(UnpricedReason::OutOfRange) => ("its counts are absurd: look at the record", None, None),
        None => (
            "the calls' detail has expired: their sums stay unpriced, whatever the books say",
            None,
            None,
        ),
    };
    Advice { say, file, snippet }
}
