//! `finops run`.

use super::record::{document, exit, progress, summary, talk};
use super::{CliError, Context, Exit, Format, alert, budget, report, text, wire};
use crate::adapters::clock::SystemClock;
use crate::domain::money::Money;
use crate::domain::period::Calendar;
use crate::domain::spend::Basis;
use crate::engine::cycle::{Cycle, Parts, cycle};
use crate::engine::evaluate::text::figures;
use crate::engine::report::{Report, ReportQuery, report as sum};
use crate::ports::{Ledger, Retention};

/// The arguments of `finops run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Exit with 1 when something is so
    #[arg(long, value_enum, value_name = "WHAT")]
    pub fail_on: Option<FailOn>,
    /// Exit with 1 when a call has no price
    #[arg(long)]
    pub strict: bool,
}

/// What makes a run end with findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// An alert that fires
    Firing,
}

/// Collects, records, evaluates, moves alerts and tells.
pub fn run(ctx: &mut Context<'_>, args: &RunArgs) -> Result<Exit, CliError> {
    if matches!(ctx.format, Format::Csv | Format::Markdown | Format::Html) {
        return Err(CliError::usage("`finops run` has no such format").hint("use `--format json` or `jsonl`"));
    }
    let budgets = wire::budgets(ctx)?;
    let channels = wire::channels(ctx)?;
    let names = wire::channel_names(ctx);
    let mut sources = wire::sources(ctx, None)?;
    let pricer = wire::pricer(ctx)?;
    let mut ledger = wire::ledger_for(ctx, &budgets)?;
    let mut alerts = wire::alerts(ctx)?;
    let bar = progress::Bar::new(ctx.interactive);
    let done = cycle(
        Parts {
            sources: &mut sources,
            pricer: pricer.as_ref(),
            ledger: ledger.as_mut(),
            alerts: alerts.as_mut(),
            budgets: &budgets,
            watch: &wire::watch(ctx)?,
            channels: &channels,
            channel_names: &names,
            clock: &SystemClock,
            limits: wire::delivery(ctx),
            time_budget: wire::time_budget(ctx),
            retention: Retention {
                detail_days: ctx.config.store.detail_days,
            },
            observer: &mut |read| bar.advance(read),
        },
        ctx.now,
    );
    bar.finish();
    let done = done?;
    talk(ctx, &done.collection, true);
    let told = alert::told(ctx, &done.delivery)?;
    let month = this_month(ctx, ledger.as_mut())?;
    tell(ctx, &done, &month)?;
    let mut code = exit(&done.collection, args.strict).max(told);
    if args.fail_on == Some(FailOn::Firing) && !done.evaluation.active.is_empty() && code == Exit::Fine {
        code = Exit::Findings;
    }
    Ok(code)
}

fn this_month(ctx: &Context<'_>, ledger: &mut dyn Ledger) -> Result<Report, CliError> {
    let period = Calendar::Month.around(ctx.now, chrono_tz::Tz::UTC);
    let query = ReportQuery {
        by: Vec::new(),
        period,
        previous: report::period::before(period, chrono_tz::Tz::UTC, ctx.now),
        basis: Basis::Metered,
        filters: Vec::new(),
        top: None,
        zone: chrono_tz::Tz::UTC,
    };
    Ok(sum(ledger, query)?)
}

fn tell(ctx: &mut Context<'_>, done: &Cycle, month: &Report) -> Result<(), CliError> {
    let collection = &done.collection;
    match ctx.format {
        Format::Json | Format::Jsonl => {
            let whole = serde_json::json!({
                "schema_version": 1,
                "collected": document(collection),
                "month": report::records::document(month),
                "budgets": done.evaluation.statuses.iter().map(figures).collect::<Vec<_>>(),
                "alerts": {
                    "changed": done.evaluation.changed.iter().map(|(alert, _)| alert).collect::<Vec<_>>(),
                    "active": done.evaluation.active,
                },
                "delivery": {
                    "delivered": done.delivery.delivered,
                    "waiting": done.delivery.waiting,
                    "late": done.delivery.late,
                    "failed": done.delivery.failed,
                },
            });
            if ctx.format == Format::Json {
                writeln!(ctx.out, "{whole:#}")?;
            } else {
                writeln!(ctx.out, "{whole}")?;
            }
        }
        Format::Table | Format::Csv | Format::Markdown | Format::Html => {
            writeln!(ctx.out, "{}", summary(collection))?;
            for section in &month.sections {
                let cost = text::money(Money::new(section.total.sums.cost, section.currency));
                let change = text::percent_change(section.total.previous.cost, section.total.sums.cost);
                let trend = if change.is_empty() || change == "new" {
                    String::new()
                } else {
                    format!(" ({change} against last month)")
                };
                writeln!(ctx.out, "this month: {cost} metered{trend}")?;
                if let Some(line) = report::table::unpriced(section) {
                    writeln!(ctx.out, "{line}")?;
                }
            }
            for status in &done.evaluation.statuses {
                writeln!(ctx.out, "{}", budget::line(ctx, status))?;
            }
            let (alerts, delivery) = (&done.evaluation, &done.delivery);
            writeln!(
                ctx.out,
                "alerts: {} active, {} changed; messages: {} delivered, {} waiting",
                alerts.active.len(),
                alerts.changed.len(),
                delivery.delivered,
                delivery.waiting
            )?;
        }
    }
    Ok(())
}
