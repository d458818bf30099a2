//! `finops run`.

use super::record::{document, exit, progress, summary, talk};
use super::{CliError, Context, Exit, Format, report, text, wire};
use crate::domain::money::Money;
use crate::domain::period::Calendar;
use crate::domain::spend::Basis;
use crate::engine::collect::{Collection, collect};
use crate::engine::report::{Report, ReportQuery, report as sum};
use crate::ports::Ledger;

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
    if matches!(ctx.format, Format::Csv | Format::Markdown) {
        return Err(CliError::usage("`finops run` has no such format").hint("use `--format json` or `jsonl`"));
    }
    let mut sources = wire::sources(ctx, None)?;
    let pricer = wire::pricer(ctx)?;
    let mut ledger = wire::ledger(ctx)?;
    let bar = progress::Bar::new(ctx.interactive);
    let collection = collect(
        &mut sources,
        ledger.as_mut(),
        pricer.as_ref(),
        ctx.now,
        &mut |read| bar.advance(read),
        None,
    );
    bar.finish();
    let collection = collection?;
    talk(ctx, &collection, true);
    let month = this_month(ctx, ledger.as_mut())?;
    tell(ctx, &collection, &month)?;
    Ok(exit(&collection, args.strict))
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

fn tell(ctx: &mut Context<'_>, collection: &Collection, month: &Report) -> Result<(), CliError> {
    match ctx.format {
        Format::Json | Format::Jsonl => {
            let whole = serde_json::json!({
                "schema_version": 1,
                "collected": document(collection),
                "month": report::records::document(month),
            });
            if ctx.format == Format::Json {
                writeln!(ctx.out, "{whole:#}")?;
            } else {
                writeln!(ctx.out, "{whole}")?;
            }
        }
        Format::Table | Format::Csv | Format::Markdown => {
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
        }
    }
    Ok(())
}
