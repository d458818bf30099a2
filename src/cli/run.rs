//! `finops run`.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::record::{REJECTS, document, exit, progress, say_unread, say_where, summary, talk};
use super::{CliError, Context, Exit, Format, alert, budget, price, report, text, wire};
use crate::adapters::clock::SystemClock;
use crate::domain::budget::Budget;
use crate::domain::money::Money;
use crate::domain::percent::percent_change;
use crate::domain::period::{Calendar, Period};
use crate::domain::signal::{FORECAST, Signals};
use crate::domain::spend::Basis;
use crate::engine::adopt;
use crate::engine::cycle::{Cycle, Parts, cycle};
use crate::engine::evaluate::text::figures;
use crate::engine::report::{Report, ReportQuery, report as sum};
use crate::engine::reprice;
use crate::engine::told_twice::{ToldTwice, first_of, told_twice};
use crate::engine::watch::{WatchPolicy, second_witness};
use crate::ports::{Clock as _, Ledger, Pricer, Retention};

/// The arguments of `finops run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Exit with 1 when something is so
    #[arg(long, value_enum, value_name = "WHAT")]
    pub fail_on: Option<FailOn>,
    /// Exit with 1 when a newly recorded call has no price, or when a price book of another version has lost one
    #[arg(long)]
    pub strict: bool,
}

/// What makes a run end with findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// An alert that fires, also one that is acknowledged
    Firing,
}

/// Collects, records, evaluates, moves alerts and tells.
pub fn run(ctx: &mut Context<'_>, args: &RunArgs) -> Result<Exit, CliError> {
    if matches!(ctx.format, Format::Csv | Format::Markdown | Format::Html) {
        return Err(CliError::usage("`finops run` has no such format").hint("use `--format json` or `jsonl`"));
    }
    ctx.begun = Some(SystemClock.elapsed());
    let budgets = wire::budgets(ctx)?;
    let channels = wire::channels(ctx)?;
    let names = wire::channel_names(ctx);
    let mut sources = wire::sources(ctx, None)?;
    let pricer = wire::pricer(ctx)?;
    let mut ledger = wire::ledger_for(ctx, &budgets)?;
    let lost = adopted(ctx, ledger.as_mut(), pricer.as_ref())?;
    let mut alerts = wire::alerts(ctx)?;
    wire::without_budgets(ctx, alerts.as_mut())?;
    let signals = wire::signals(ctx, ledger.as_mut(), pricer.as_ref())?;
    for unknown in signals.iter().flat_map(|s| &s.unknown) {
        writeln!(ctx.err, "error: AWS could not be asked for {unknown}")?;
    }
    let watch = WatchPolicy {
        signals: signals.clone(),
        ..wire::watch(ctx)?
    };
    let bar = progress::Bar::new(ctx.interactive);
    let done = cycle(
        Parts {
            sources: &mut sources,
            tells: wire::TELLS,
            pricer: pricer.as_ref(),
            ledger: ledger.as_mut(),
            alerts: alerts.as_mut(),
            budgets: &budgets,
            watch: &watch,
            channels: &channels,
            channel_names: &names,
            clock: &SystemClock,
            limits: wire::delivery(ctx),
            time_budget: wire::time_left(ctx),
            retention: Retention {
                detail_days: ctx.config.store.detail_days,
            },
            observer: &mut |read| bar.advance(read),
        },
        ctx.now,
    );
    bar.finish();
    let mut done = done?;
    done.collection.paid_requests += signals.iter().map(|s| s.paid_requests).sum::<u64>();
    talk(ctx, &done.collection, Some(REJECTS));
    say_where(ctx, &done.collection)?;
    say_unread(ctx, ledger.as_mut(), pricer.as_ref())?;
    let unknown = done.collection.unknown_costs;
    if unknown > 0 && ctx.verbosity > 0 {
        let parts = text::counted(unknown, "part");
        writeln!(
            ctx.err,
            "warning: {parts} of bills could not be read: what they cost is missing, and no alert on a bill is resolved until they can"
        )?;
    }
    lacking(ctx, ledger.as_mut())?;
    for (budget, told) in budgets.iter().filter_map(|b| Some((b, b.counts_no_calls()?))) {
        writeln!(ctx.err, "warning: budget `{}`: {told}", text::clean(&budget.name))?;
    }
    gone(ctx, &budgets, &done)?;
    if let Some(at) = done.evaluation.is_behind(ctx.now) {
        writeln!(
            ctx.err,
            "warning: alerts are known as of {}, this run is of {}: what fires stays as it is, and no reminder is sent. Where `--now` does not ask \
             for that, the clock is behind, or it was ahead: after a day of such runs they are believed",
            at.format("%Y-%m-%d %H:%M UTC"),
            ctx.now.format("%Y-%m-%d %H:%M UTC"),
        )?;
    }
    let told = alert::told(ctx, &done.delivery)?;
    let mut month = this_month(ctx, ledger.as_mut())?;
    if !done.told_twice.is_empty() {
        let pairs = told_twice(ledger.as_mut(), wire::TELLS, month.query.period, &[], &[])?;
        month.notes = first_of(&pairs, ToldTwice::note);
    }
    let mut code = exit(&done.collection, args.strict).max(told);
    if args.strict && lost && code == Exit::Fine {
        code = Exit::Findings;
    }
    if signals.iter().any(|s| !s.unknown.is_empty()) {
        code = code.max(Exit::Incomplete);
    }
    if args.fail_on == Some(FailOn::Firing) && !done.evaluation.active.is_empty() && code == Exit::Fine {
        code = Exit::Findings;
    }
    tell(ctx, &done, &month, &signals).map_err(|error| error.after(code))?;
    Ok(code)
}

/// Tells which price books are not those of the run before; whether one has lost a price or made it zero.
fn adopted(ctx: &mut Context<'_>, ledger: &mut dyn Ledger, pricer: &dyn Pricer) -> Result<bool, CliError> {
    let books = price::contents(&ctx.config)?;
    let mut lost = false;
    for book in adopt::adopted(ledger, pricer, &books, ctx.now)? {
        lost |= book.newly_zero > 0 || book.without_price > 0;
        writeln!(
            ctx.err,
            "warning: price book `{}` is not as in the run before. Of {} that it priced in the last {} days, {} would cost nothing now, {} would \
             have no price, {} would cost something else; {} USD in all. New calls are priced by it. `finops price check --old FILE --new FILE` \
             compares two versions",
            text::clean(&book.book),
            text::counted(book.calls.unsigned_abs(), "call"),
            adopt::DAYS,
            text::count(book.newly_zero),
            text::count(book.without_price),
            text::count(book.changed),
            book.difference.normalize()
        )?;
    }
    Ok(lost)
}

/// Tells which calls of this month were recorded before the settings gave to their source what they do: budgets and reports count them
/// without it.
fn lacking(ctx: &mut Context<'_>, ledger: &mut dyn Ledger) -> Result<(), CliError> {
    let zone = ctx.config.report.zone().map_err(CliError::usage)?;
    let kept = ctx.now - TimeDelta::days(i64::from(ctx.config.store.detail_days));
    let start = Calendar::Month.around(ctx.now, zone).start.max(kept);
    for found in reprice::lacking(ledger, &wire::given(ctx), Period::new(start, ctx.now))? {
        let dimensions: Vec<&str> = found.dimensions.iter().map(|dimension| dimension.name()).collect();
        writeln!(
            ctx.err,
            "warning: {} of this month of source `{}` {} what its `defaults` give now ({}), and {} without it. `finops reprice --from {}` \
             gives it to them",
            text::counted(found.calls.unsigned_abs(), "call"),
            text::clean(found.source.as_str()),
            if found.calls == 1 { "lacks" } else { "lack" },
            dimensions.join(", "),
            if found.calls == 1 { "counts" } else { "count" },
            found.first.start().format("%Y-%m-%d"),
        )?;
    }
    Ok(())
}

/// Tells which alerts are over since their budgets are not there, where other settings may have them: without `[store] url` all share a ledger.
fn gone(ctx: &mut Context<'_>, budgets: &[Budget], done: &Cycle) -> Result<(), CliError> {
    let changed = done.evaluation.changed.iter().map(|(alert, _)| alert);
    let over = changed.filter(|a| a.kind.starts_with("budget_") && !a.state.is_active() && a.period.end > ctx.now);
    let names: BTreeSet<&str> = over
        .map(|a| a.policy.as_str())
        .filter(|name| budgets.iter().all(|b| b.name != *name))
        .collect();
    let shared = ctx.config.file.is_some() && ctx.config.store.url.is_empty();
    if let (true, Some(file)) = (shared && !names.is_empty(), &ctx.config.file) {
        writeln!(
            ctx.err,
            "warning: alerts of `{}` are over, since {} has no such budget. If others have it, each needs a ledger of its own: without \
             `[store] url` all settings of a user share one",
            text::clean(&names.into_iter().collect::<Vec<_>>().join("`, `")),
            file.display(),
        )?;
    }
    Ok(())
}

fn this_month(ctx: &Context<'_>, ledger: &mut dyn Ledger) -> Result<Report, CliError> {
    let zone = ctx.config.report.zone().map_err(CliError::usage)?;
    let month = Calendar::Month.around(ctx.now, zone);
    let query = ReportQuery {
        by: Vec::new(),
        // Seen from an earlier instant (`--now`), what came after it is not yet spent.
        period: month.until(ctx.now),
        previous: report::period::before(month, zone, ctx.now),
        is_late: false,
        basis: Basis::Metered,
        filters: Vec::new(),
        top: None,
        zone,
        tokens: true,
    };
    Ok(sum(ledger, query)?)
}

fn tell(ctx: &mut Context<'_>, done: &Cycle, month: &Report, signals: &[Signals]) -> Result<(), CliError> {
    let collection = &done.collection;
    match ctx.format {
        Format::Json | Format::Jsonl => {
            let mut whole = serde_json::json!({
                "schema_version": 1,
                "collected": document(collection),
                "month": report::records::document(month),
                "budgets": done.evaluation.statuses.iter().map(figures).collect::<Vec<_>>(),
                "alerts": {
                    "changed": done.evaluation.changed.iter().map(|(alert, _)| alert::object(alert)).collect::<Vec<_>>(),
                    "active": done.evaluation.active.iter().map(alert::object).collect::<Vec<_>>(),
                },
                "delivery": {
                    "delivered": done.delivery.delivered,
                    "waiting": done.delivery.waiting,
                    "late": done.delivery.late,
                    "set_aside": done.delivery.set_aside,
                    "taken": done.delivery.taken,
                    "failed": done.delivery.failed,
                    "refused": done.delivery.refused,
                    "handed": done.delivery.handed,
                },
            });
            if !signals.is_empty()
                && let Some(fields) = whole.as_object_mut()
            {
                let both = signals.iter().flat_map(|s| second_witness(s, &done.evaluation.active));
                let both: Vec<String> = both.collect();
                fields.insert(
                    "aws".to_owned(),
                    serde_json::json!({ "signals": signals, "confirmed_budgets": both }),
                );
            }
            if ctx.format == Format::Json {
                writeln!(ctx.out, "{whole:#}")?;
            } else {
                writeln!(ctx.out, "{whole}")?;
            }
        }
        // Alerts of a channel that writes here are told already: from a job of cron these and errors are a mail, and no more.
        Format::Table | Format::Csv | Format::Markdown | Format::Html if ctx.verbosity == 0 => {}
        Format::Table | Format::Csv | Format::Markdown | Format::Html => {
            writeln!(ctx.out, "{}", summary(collection))?;
            for section in &month.sections {
                let cost = text::money(Money::new(section.total.sums.cost, section.currency));
                let change = percent_change(section.total.previous.cost, section.total.sums.cost);
                let tells = month.compares && section.total.is_comparable();
                let trend = if !tells || change.is_empty() || change == "new" {
                    String::new()
                } else {
                    format!(" ({change} against last month)")
                };
                writeln!(ctx.out, "this month: {cost} metered{trend}")?;
                if let Some(line) = report::table::unpriced(section) {
                    writeln!(ctx.out, "{line}")?;
                }
            }
            for note in &month.notes {
                writeln!(ctx.out, "  note: {}", text::clean(note))?;
            }
            for status in &done.evaluation.statuses {
                writeln!(ctx.out, "{}", budget::line(ctx, status))?;
                for note in &status.notes {
                    writeln!(ctx.out, "  note: {}", text::clean(note))?;
                }
            }
            for forecast in signals.iter().filter_map(|s| s.forecast.as_ref()) {
                let more = text::money(Money::new(forecast.mean, forecast.currency));
                writeln!(
                    ctx.out,
                    "AWS expects {more} more in account {} this month",
                    forecast.account
                )?;
            }
            let answered = |s: &&Signals| !s.is_unknown(FORECAST) && !s.off.iter().any(|part| part == FORECAST);
            for _ in signals.iter().filter(|s| s.forecast.is_none()).filter(answered) {
                writeln!(ctx.out, "AWS has no forecast yet")?;
            }
            for name in signals.iter().flat_map(|s| second_witness(s, &done.evaluation.active)) {
                writeln!(ctx.out, "AWS Budgets confirms: {} is spent", text::clean(&name))?;
            }
            let (alerts, delivery) = (&done.evaluation, &done.delivery);
            writeln!(
                ctx.out,
                "alerts: {} active, {} changed; messages: {} delivered, {} waiting{}",
                alerts.active.len(),
                alerts.changed.len(),
                delivery.delivered,
                delivery.waiting,
                match delivery.set_aside {
                    0 => String::new(),
                    aside => format!(", {aside} set aside"),
                }
            )?;
        }
    }
    Ok(())
}
