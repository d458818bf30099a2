//! `finops explain`.

mod place;
mod show;

use std::time::Duration;

use chrono::TimeDelta;

use super::price::{Moment, asked, receipt};
use super::{CliError, Context, Exit, price, wire};
use crate::adapters::clock::SystemClock;
use crate::domain::dimension::Dimension;
use crate::domain::period::{Hour, Period};
use crate::engine::explain::{FindError, TopQuery, explain, find, locate, top};
use crate::engine::report::Filter;
use crate::ports::Clock;

/// The arguments of `finops explain`.
#[derive(Debug, clap::Args)]
#[command(override_usage = "finops explain [OPTIONS] <EVENT_ID>\n       finops explain [OPTIONS] --top <N>")]
pub struct ExplainArgs {
    /// The call: its id, or its first 4 digits or more
    #[arg(value_name = "EVENT_ID", required_unless_present = "top", conflicts_with = "top")]
    pub id: Option<String>,
    /// For how long its record is looked for in the files that its source was read from; 0: not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 10, conflicts_with = "top")]
    pub search_seconds: u64,
    /// List the most expensive calls instead, with their ids
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub top: Option<u32>,
    /// With --top: only calls without a price, by what they may cost at most
    #[arg(long, requires = "top")]
    pub unpriced: bool,
    /// With --top: only these calls: `team=search`, `model=claude-*`
    #[arg(long = "where", value_name = "DIMENSION=PATTERN", value_parser = Filter::parse, requires = "top")]
    pub filters: Vec<Filter>,
    /// With --top: calls from this day (of `[report] time_zone`, else UTC) or RFC 3339 time on
    #[arg(long, value_name = "DATE", value_parser = Moment::parse, requires = "top")]
    pub from: Option<Moment>,
    /// With --top: calls before this day or RFC 3339 time
    #[arg(long, value_name = "DATE", value_parser = Moment::parse, requires = "top")]
    pub to: Option<Moment>,
}

/// Explains a call, or lists calls.
pub fn run(ctx: &mut Context<'_>, args: &ExplainArgs) -> Result<Exit, CliError> {
    let budgets = match &args.id {
        Some(_) => wire::budgets(ctx)?,
        None => Vec::new(),
    };
    let mut ledger = wire::ledger_to_read_for(ctx, &budgets)?;
    let Some(id) = &args.id else {
        let query = TopQuery {
            period: asked(ctx, args.from, args.to)?,
            filters: args.filters.clone(),
            unpriced: args.unpriced,
            count: args.top.and_then(|n| usize::try_from(n).ok()).unwrap_or(1),
        };
        let calls = top(ledger.as_mut(), &query)?;
        let expired = expired(ctx, ledger.span()?, query.period);
        // A pager may hold the output for hours, and writers' log would grow meanwhile.
        drop(ledger);
        if ctx.verbosity > 0 {
            let none = match args.unpriced {
                true => "no such call; `finops report` shows what is recorded",
                false => {
                    "no such call with a price; `--unpriced` lists those without one, and `finops report` shows what is recorded"
                }
            };
            let told = expired.or_else(|| calls.is_empty().then(|| none.to_owned()));
            if let Some(told) = told {
                let _ = writeln!(ctx.err, "hint: {told}");
            }
        }
        return show::list(ctx, &calls, args.unpriced);
    };
    let call = find(ledger.as_mut(), id).map_err(unfound)?;
    let books = price::load(ctx)?;
    let explanation = explain(ledger.as_mut(), books.books(), &budgets, call)?;
    // Files are searched, and the output is read, for as long as it takes.
    ledger.hold(false)?;
    let agreed = receipt::agreed(&wire::terms(ctx)?, &explanation.event, &explanation.quote)?;
    let located = match Duration::from_secs(args.search_seconds) {
        Duration::ZERO => None,
        most => {
            let mut finder = wire::finder(ctx, explanation.event.dimensions.get(Dimension::Source))?;
            let until = SystemClock.elapsed().saturating_add(most);
            let enough = || SystemClock.elapsed() >= until;
            Some(locate(ledger.as_mut(), &mut finder, &explanation.event, &enough)?)
        }
    };
    show::explanation(ctx, &explanation, &agreed, located.as_ref())
}

/// That calls of a period are no longer kept one by one, where that may be so.
fn expired(ctx: &Context<'_>, span: Option<Period>, asked: Period) -> Option<String> {
    let days = ctx.config.store.detail_days;
    let kept = Hour::of(ctx.now - TimeDelta::days(i64::from(days))).day().start();
    let first = span?.start.max(asked.start);
    (first < kept.min(asked.end)).then(|| {
        let day = kept.date_naive();
        format!(
            "single calls are kept for {days} days (`[store] detail_days`): those before {day} may be missing here; `finops report` has their sums"
        )
    })
}

fn unfound(error: FindError) -> CliError {
    let message = error.to_string();
    match error {
        FindError::Store(error) => error.into(),
        FindError::NotAnId { .. } | FindError::Unknown { .. } => {
            CliError::usage(message).hint("`finops explain --top 10` lists calls with their ids")
        }
        FindError::Ambiguous { .. } => CliError::usage(message).hint("give more digits"),
    }
}
