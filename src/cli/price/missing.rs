//! `finops price missing`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::advice::{Advisor, is_curable, lacks_provider};
use super::{Moment, asked, load, put, put_fitted, shown};
use crate::cli::{CliError, Context, Exit, Format, wire};
use crate::domain::charge::UnpricedReason;
use crate::domain::money::add_most;
use crate::engine::missing::{Missing, missing};
use crate::engine::report::Filter;

/// Which calls.
#[derive(Debug, clap::Args)]
pub struct MissingArgs {
    /// Calls from this day (of `[report] time_zone`, else UTC) or RFC 3339 time on [default: all]
    #[arg(long, value_name = "DATE", value_parser = Moment::parse)]
    from: Option<Moment>,
    /// Calls before this day or RFC 3339 time
    #[arg(long, value_name = "DATE", value_parser = Moment::parse)]
    to: Option<Moment>,
    /// Only these calls: `team=search`, `model=claude-*`
    #[arg(long = "where", value_name = "DIMENSION=PATTERN", value_parser = Filter::parse)]
    filters: Vec<Filter>,
}

pub(super) fn run(ctx: &mut Context<'_>, args: &MissingArgs) -> Result<Exit, CliError> {
    let period = asked(ctx, args.from, args.to)?;
    let is_all = args.from.is_none() && args.to.is_none() && args.filters.is_empty();
    let pricer = load(ctx)?;
    let found = missing(wire::ledger_to_read(ctx)?.as_mut(), &pricer, period, &args.filters)?;
    let folder = wire::policies(&ctx.config)?.join("prices");
    let settings = ctx.config.file.clone().unwrap_or_else(|| "finops.toml".into());
    let advisor = Advisor::of(&found, folder, settings, pricer.books());
    match ctx.format {
        Format::Json => {
            let rows: Vec<Value> = found.iter().map(|m| object(m, &advisor)).collect();
            put(ctx, &format!("{:#}\n", json!({ "schema_version": 1, "missing": rows })))?;
        }
        Format::Jsonl => {
            let rows: String = found.iter().map(|m| format!("{}\n", object(m, &advisor))).collect();
            put(ctx, &rows)?;
        }
        Format::Table if found.is_empty() && is_all => put(ctx, "every call has a price\n")?,
        Format::Table if found.is_empty() => put(ctx, "no call that was asked for is without a price\n")?,
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
                let text = help(&found, &advisor)?;
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

fn object(m: &Missing, advisor: &Advisor) -> Value {
    let advice = advisor.advice(m);
    json!({
        "provider": m.provider.as_str(), "model": m.model.as_str(), "reason": m.reason, "text": reason(m),
        "calls": m.calls, "tokens": m.tokens.to_string(), "worst_case_usd": m.worst_case.normalize().to_string(),
        "first": m.first, "last": m.last, "priced_now": m.priced_now,
        "file": advice.file, "snippet": advice.snippet.map(|snippet| advice.head + &snippet), "advice": advice.say,
    })
}

/// The total, and what to write.
fn help(found: &[Missing], advisor: &Advisor) -> Result<String, CliError> {
    let mut worst = rust_decimal::Decimal::ZERO;
    for m in found {
        worst = add_most(worst, m.worst_case)?;
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
    let (mut told, mut files, mut written) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let lacking: Vec<&Missing> = found.iter().filter(|m| m.priced_now < m.calls).collect();
    for m in &lacking {
        let advice = advisor.advice(m);
        let provider = match lacks_provider(m) {
            true => "(no provider)".to_owned(),
            false => shown(m.provider.as_str()),
        };
        let name = format!("{provider} {}", shown(m.model.as_str()));
        if !told.insert((name.clone(), advice.file.clone(), advice.snippet.clone())) {
            continue;
        }
        // What is to be written for several reasons is written once.
        let same = lacking
            .iter()
            .filter(|other| (other.provider, other.model) == (m.provider, m.model));
        let mut reasons = BTreeSet::new();
        for other in same.map(|other| advisor.advice(other)) {
            let one = advice.snippet.is_some() && other.file == advice.file && other.snippet == advice.snippet;
            if (one || other.say == advice.say) && reasons.insert(other.say.clone()) {
                let _ = writeln!(
                    text,
                    "{}# {name}: {}",
                    if reasons.len() == 1 { "\n" } else { "" },
                    other.say
                );
            }
        }
        if let Some(snippet) = &advice.snippet {
            let file = advice.file.as_deref().unwrap_or_default();
            // One entry is for all spellings of a provider and a model.
            if !written.insert((file.to_owned(), snippet.clone())) {
                let _ = writeln!(text, "# the same entry as above");
                continue;
            }
            // Once for each file.
            let head = if files.insert(file.to_owned()) {
                advice.head.as_str()
            } else {
                ""
            };
            if let Some(there) = advice.there {
                let _ = writeln!(text, "# {there}");
            }
            let _ = write!(text, "# in {file}:\n{head}{snippet}");
        }
    }
    let curable = lacking.iter().filter(|m| m.reason.is_some_and(is_curable));
    if let Some(first) = curable.map(|m| m.first).min() {
        let _ = writeln!(
            text,
            "\nthen `finops reprice --from {}` prices what is recorded",
            first.format("%Y-%m-%d")
        );
    }
    Ok(text)
}
