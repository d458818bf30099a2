//! `finops export`.

use chrono::NaiveDate;

use super::args::day;
use super::price::load;
use super::{CliError, Context, Exit, Format, text, wire};
use crate::adapters::focus_csv;
use crate::domain::money::Money;
use crate::domain::period::{Calendar, Period, midnight};
use crate::engine::export::{Grain, billed, focus_charges};

/// The arguments of `finops export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// As a FOCUS table of this version
    #[arg(long, value_name = "VERSION", value_parser = ["1.2"])]
    pub focus: String,
    /// First UTC day [default: the first of this month]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub from: Option<NaiveDate>,
    /// The day after the last one: the end is outside [default: the end of the month of --from]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub to: Option<NaiveDate>,
    /// The span of one row
    #[arg(long, value_enum, default_value = "day")]
    pub by: By,
}

/// The span of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// An hour
    Hour,
    /// A UTC day
    Day,
}

/// Writes spend as a table for other tools.
pub fn run(ctx: &mut Context<'_>, args: &ExportArgs) -> Result<Exit, CliError> {
    if !matches!(ctx.format, Format::Table | Format::Csv) {
        return Err(CliError::usage("`finops export` writes CSV only")
            .hint("leave `--format` out, and let the name of `--output` end in `.csv`"));
    }
    let month = |at| Calendar::Month.around(at, chrono_tz::Tz::UTC);
    let first = |day: NaiveDate| midnight(day, chrono_tz::Tz::UTC);
    let start = args.from.map_or_else(|| month(ctx.now).start, first);
    let end = args.to.map_or_else(|| month(start).end, first);
    if end <= start {
        return Err(CliError::usage("`--to` is not after `--from`")
            .hint("`--to` is the day after the last one: for November `--from 2026-11-01 --to 2026-12-01`"));
    }
    let (pricer, terms) = (load(ctx)?, wire::terms(ctx)?);
    let grain = if args.by == By::Hour { Grain::Hour } else { Grain::Day };
    let period = Period::new(start, end);
    let mut ledger = wire::ledger_to_read(ctx)?;
    let charges = focus_charges(ledger.as_mut(), pricer.books(), &terms, period, grain)?;
    let billed = billed(ledger.as_mut(), period)?;
    drop(ledger);
    let account = format!("{}-{}", ctx.config.namespace, ctx.config.environment);
    focus_csv::write(&charges, &account, ctx.out)
        .map_err(|cause| CliError::incomplete(format!("cannot write the output: {cause}")))?;
    let unpriced = charges.iter().filter(|c| c.unpriced.is_some()).count();
    if unpriced > 0 && ctx.verbosity > 0 {
        let _ = writeln!(
            ctx.err,
            "warning: {unpriced} rows have no price: their cost is written as 0, `x_Unpriced` marks them and \
             `x_UnpricedWorstCase` bounds them; `finops price missing` says what to write"
        );
    }
    if !billed.is_empty() && ctx.verbosity > 0 {
        let billed = billed
            .iter()
            .map(|(currency, sum)| text::money(Money::new(*sum, *currency)));
        let _ = writeln!(
            ctx.err,
            "warning: the table is of calls and flat costs: bills, which say {} for this time, are not in it; \
             `finops report --basis billed` and `--basis effective` have them",
            billed.collect::<Vec<_>>().join(" and ")
        );
    }
    Ok(Exit::Fine)
}
