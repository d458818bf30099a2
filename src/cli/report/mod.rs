//! `finops report`.

pub mod html;
mod look;
pub mod period;
pub mod records;
mod sparks;
pub mod table;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::args::day;
use super::record::KindArg;
use super::{CliError, Context, Exit, Format, text, wire};
use crate::config::time_zone;
use crate::domain::budget::Scope;
use crate::domain::dimension::Dimension;
use crate::domain::money::{Currency, Money};
use crate::domain::period::{Calendar, Hour, Period};
use crate::domain::spend::Basis;
use crate::engine::report::{Axis, AxisValue, Filter, Report, ReportQuery, Section, report};
use crate::engine::told_twice::{ToldTwice, first_of, told_twice};
use crate::engine::view::fill::Fill;
use crate::ports::Ledger;

/// The arguments of `finops report`.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// What rows are summed by: hour, day, week (its Monday), month, and provider, model, service, account, team, agent,
    /// workflow, user, project, source, tier, category, and session as long as the detail of calls is kept
    #[arg(long, value_name = "AXIS,…", value_delimiter = ',', default_value = "model")]
    pub by: Vec<Axis>,
    /// First day [default: the first of this month, or 30 days before the last spend if this month has none]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub from: Option<NaiveDate>,
    /// The day after the last one: the end is outside [default: the end of this month]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub to: Option<NaiveDate>,
    /// Where the figures come from: from usage and prices, from the bill, or from the bill amortised
    #[arg(long, value_enum, default_value = "metered")]
    pub basis: BasisArg,
    /// Only this spend: `team=search`, `model=claude-*`; several of one dimension: any of them
    #[arg(long = "where", value_name = "DIMENSION=PATTERN", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
    /// Show this many names, the others as one row
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub top: Option<u32>,
    /// Whose days, weeks and months: an IANA time zone. Spend is kept by the hour: where midnight is at half past one, it counts to the day
    /// in which it began; what is older than `[store] detail_days` is kept by the UTC day. What bills say counts by UTC days
    /// [default: `[report] time_zone`, else UTC]
    #[arg(long, value_name = "ZONE", value_parser = time_zone)]
    pub zone: Option<Tz>,
    /// The last so many days, today included
    #[arg(long, value_name = "DAYS", conflicts_with_all = ["from", "to"], value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub last: Option<u32>,
    /// Only calls and costs, no tokens: of bills they are then not read, which takes half of the time
    #[arg(long)]
    pub costs_only: bool,
    /// Report what these files, folders or globs hold instead of the ledger, and record nothing; `-` is standard input. Of a FOCUS
    /// bill only the columns are read that the report needs
    #[arg(long, value_name = "PATH", num_args = 1.., value_hint = clap::ValueHint::AnyPath)]
    pub files: Vec<String>,
    /// The format of these files [default: told record by record]
    #[arg(long, value_enum, value_name = "KIND", requires = "files")]
    pub source: Option<KindArg>,
}

/// A basis on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum BasisArg {
    /// Computed from usage and prices
    Metered,
    /// What the invoice says
    Billed,
    /// Amortised, after discounts
    Effective,
    /// Billed, and metered where the bill is late, scaled by how the two compared last
    BilledFilled,
}

impl From<BasisArg> for Basis {
    fn from(arg: BasisArg) -> Basis {
        match arg {
            BasisArg::Metered => Basis::Metered,
            BasisArg::Billed => Basis::Billed,
            BasisArg::Effective => Basis::Effective,
            BasisArg::BilledFilled => Basis::BilledFilled,
        }
    }
}

/// Whose days the report counts by: those of bills are UTC days.
fn zone(ctx: &Context<'_>, args: &ReportArgs) -> Result<Tz, CliError> {
    match (args.zone, args.basis) {
        (Some(zone), _) => Ok(zone),
        (None, BasisArg::Metered) => ctx.config.report.zone().map_err(CliError::usage),
        (None, _) => Ok(Tz::UTC),
    }
}

impl ReportArgs {
    /// What figures with late bills are of, where these are asked for.
    fn filled(&self) -> Option<Scope> {
        let mut scope = Scope::default();
        for filter in &self.filters {
            let patterns = scope.0.entry(filter.dimension).or_default();
            patterns.push(filter.pattern.clone());
        }
        (self.basis == BasisArg::BilledFilled).then_some(scope)
    }
}

/// The first day that is asked for, and the one after the last.
fn days(ctx: &Context<'_>, args: &ReportArgs, zone: Tz) -> (Option<NaiveDate>, Option<NaiveDate>) {
    let Some(last) = args.last else {
        return (args.from, args.to);
    };
    let today = ctx.now.with_timezone(&zone).date_naive();
    let first = today.checked_sub_days(Days::new(u64::from(last.saturating_sub(1))));
    (first, today.succ_opt())
}

/// Shows what was spent.
pub fn run(ctx: &mut Context<'_>, args: &ReportArgs) -> Result<Exit, CliError> {
    if let Some(zone) = args.zone.filter(|zone| *zone != Tz::UTC)
        && args.basis != BasisArg::Metered
    {
        let problem = format!("bills count by UTC days, not by those of {zone}");
        return Err(CliError::usage(problem).hint("leave `--zone` out, or report `--basis metered`"));
    }
    if args.by.contains(&Axis::Session) && args.basis != BasisArg::Metered {
        return Err(CliError::usage("bills know no sessions").hint("report them with `--basis metered`"));
    }
    let look::Looked {
        mut ledger,
        exit,
        in_days,
    } = match args.files.is_empty() {
        true => look::Looked {
            ledger: wire::filled_to_read(ctx, args.filled())?,
            exit: Exit::Fine,
            in_days: false,
        },
        false => look::look(ctx, args)?,
    };
    let zone = zone(ctx, args)?;
    let span = ledger.span()?;
    let span = if in_days { span.map(look::in_whole_days) } else { span };
    let asked = days(ctx, args, zone);
    let query = |(period, previous): (Period, Period)| ReportQuery {
        by: distinct(&args.by),
        period,
        previous,
        is_late: matches!(args.basis, BasisArg::Billed | BasisArg::Effective) && period.contains(ctx.now),
        basis: args.basis.into(),
        filters: args.filters.clone(),
        top: args.top.and_then(|top| usize::try_from(top).ok()),
        zone,
        tokens: !args.costs_only,
    };
    let chosen = period::chosen(asked, zone, ctx.now, span)?;
    let mut report = report(ledger.as_mut(), query(chosen))?;
    // The month that other bases have spend in may have none of this one: bills are late.
    if asked == (None, None)
        && report.sections.iter().all(|section| section.rows.is_empty())
        && let Some(of_basis) = span
            .map(|span| spent(ledger.as_mut(), span, args.basis.into()))
            .transpose()?
            .flatten()
    {
        let chosen = match args.basis {
            BasisArg::Metered => period::chosen(asked, zone, ctx.now, Some(of_basis))?,
            BasisArg::Billed | BasisArg::Effective | BasisArg::BilledFilled => {
                let last = Calendar::Month.around(of_basis.end - TimeDelta::seconds(1), zone);
                (last, period::before(last, zone, ctx.now))
            }
        };
        report = crate::engine::report::report(ledger.as_mut(), query(chosen))?;
    }
    let period = report.query.period;
    if let Some(scope) = args.filled() {
        let fill = Fill::read(ledger.as_mut(), period.start, ctx.now)?;
        report.estimates = fill.notes(&fill.providers(), &scope, Currency::USD);
        report.estimates.extend(fill.untold_notes(&scope));
    }
    if args.basis == BasisArg::Metered {
        let pairs = told_twice(ledger.as_mut(), wire::TELLS, period, &args.filters, &[])?;
        report.notes = first_of(&pairs, ToldTwice::note);
    }
    let is_empty = ctx.verbosity > 0 && report.sections.iter().all(|section| section.rows.is_empty());
    let came_to_nothing = match span {
        Some(span) if is_empty && args.files.is_empty() => !holds(ledger.as_mut(), span)?,
        _ => false,
    };
    // A pager may hold the output for hours, and writers' log would grow meanwhile.
    drop(ledger);
    write(ctx, &report).map_err(|error| error.after(exit))?;
    // Rows alone have no place for it.
    if matches!(ctx.format, Format::Csv | Format::Jsonl) && ctx.verbosity > 0 {
        for note in &report.estimates {
            let _ = writeln!(ctx.err, "estimate: {}", text::clean(note));
        }
        for note in &report.notes {
            let _ = writeln!(ctx.err, "note: {}", text::clean(note));
        }
    }
    if ctx.verbosity > 0
        && let Some(told) = without_detail(&report, ctx.config.store.detail_days)
    {
        let _ = writeln!(ctx.err, "hint: {told}");
    }
    if ctx.verbosity > 0
        && args.files.is_empty()
        && let Some(told) = by_days(&report, span, ctx.now, ctx.config.store.detail_days)
    {
        let _ = writeln!(ctx.err, "hint: {told}");
    }
    // A title says it; who reads rows alone would take them for those of this month.
    if ctx.verbosity > 0 && !is_empty && asked == (None, None) && args.files.is_empty() {
        let month = Calendar::Month.around(ctx.now, zone);
        let day = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
        if period != month {
            let (first, last) = (day(period.start), day(period.end - TimeDelta::seconds(1)));
            let _ = writeln!(
                ctx.err,
                "hint: this month has no such spend so far: these figures are of {first} to {last}; `--from` chooses"
            );
        }
    }
    if is_empty {
        let hint = match span {
            None if args.files.is_empty() => {
                "the ledger is empty; `finops record PATH` or `finops run` fills it".to_owned()
            }
            None if exit == Exit::Fine => "the files hold no spend".to_owned(),
            // What is left of a bill that was taken back is rows of nothing.
            Some(_) if came_to_nothing => {
                "what was recorded came to nothing since, as where a bill was taken back".to_owned()
            }
            None => "no spend could be read from the files".to_owned(),
            Some(span) => format!("there is spend from {span}; `--from`, `--to`, `--basis` and `--where` choose"),
        };
        let _ = writeln!(ctx.err, "hint: {hint}");
        if let Some(told) = args.filters.iter().find_map(Filter::taken_as_it_stands) {
            let _ = writeln!(ctx.err, "hint: {told}");
        }
    }
    Ok(exit)
}

/// From when to when there is spend of a basis.
fn spent(ledger: &mut dyn Ledger, span: Period, basis: Basis) -> Result<Option<Period>, CliError> {
    let mut hours: Option<(Hour, Hour)> = None;
    ledger.spend_by(span, &[], &mut |key, sums| {
        if key.basis == basis && !sums.is_empty() {
            let (first, last) = hours.unwrap_or((key.hour, key.hour));
            hours = Some((first.min(key.hour), last.max(key.hour)));
        }
    })?;
    Ok(hours.map(|(first, last)| Period::new(first.start(), last.start() + TimeDelta::hours(1))))
}

/// Whether the ledger has more than rows of nothing.
fn holds(ledger: &mut dyn Ledger, span: Period) -> Result<bool, CliError> {
    let mut any = false;
    ledger.spend(span, &mut |_, sums| any |= !sums.is_empty())?;
    Ok(any)
}

/// Writes a report in the chosen format.
pub fn write(ctx: &mut Context<'_>, report: &Report) -> Result<(), CliError> {
    let look = table::Look {
        room: ctx.room,
        unicode: text::unicode_locale(),
        color: ctx.color,
        now: ctx.now,
    };
    match ctx.format {
        Format::Table => write!(ctx.out, "{}", table::draw(report, look))?,
        Format::Html => write!(ctx.out, "{}", html::draw(report, look))?,
        Format::Json => writeln!(ctx.out, "{:#}", records::document(report))?,
        Format::Jsonl => {
            for row in records::rows(report) {
                writeln!(ctx.out, "{row}")?;
            }
        }
        Format::Csv => ctx.out.write_all(&records::csv(report)?)?,
        Format::Markdown => write!(ctx.out, "{}", records::markdown(report))?,
    }
    Ok(())
}

/// How much of a report by session belongs to no session, since its calls are no longer kept.
fn without_detail(report: &Report, days: u32) -> Option<String> {
    let section = report
        .sections
        .iter()
        .find(|section| section.currency == Currency::USD)?;
    let rows = section.rows.iter().filter(|row| row.key.contains(&AxisValue::NoDetail));
    let (calls, cost) = rows.fold((0, Decimal::ZERO), |(calls, cost), row| {
        (calls + row.sums.events, cost + row.sums.cost)
    });
    let of = text::money(Money::new(section.total.sums.cost, section.currency));
    (calls != 0).then(|| {
        format!(
            "`{}` is {}, {} of {of}, whose sessions are no longer known: the detail of calls is kept for {days} days (`[store] detail_days`)",
            AxisValue::NO_DETAIL,
            text::counted(calls.unsigned_abs(), "call"),
            text::money(Money::new(cost, section.currency)),
        )
    })
}

/// What a report by hours, or by the days of a zone, cannot tell of days whose hours are no longer kept.
fn by_days(report: &Report, span: Option<Period>, now: DateTime<Utc>, days: u32) -> Option<String> {
    let query = &report.query;
    let hours = query.by.contains(&Axis::Hour);
    if query.basis != Basis::Metered || !(hours || query.zone != Tz::UTC) {
        return None;
    }
    let kept = Hour::of(now - TimeDelta::days(i64::from(days))).day().start();
    let (shown, there) = (query.period, span?);
    (shown.start.max(there.start) < kept.min(shown.end)).then(|| {
        let what = match hours {
            true => format!("each of these days stands at one hour of it, {:02}:00", Hour::FOLDED),
            false => format!("these days count as UTC days, not as those of {}", query.zone),
        };
        let day = kept.date_naive();
        format!("`finops run` keeps spend before {day} by the UTC day (`[store] detail_days` is {days}); where it has summed days up, {what}")
    })
}

fn distinct(by: &[Axis]) -> Vec<Axis> {
    let mut out: Vec<Axis> = Vec::new();
    for axis in by {
        if !out.contains(axis) {
            out.push(*axis);
        }
    }
    out
}

/// What stands for a team, and for any other value, that nothing is known of.
const UNKNOWN: [&str; 2] = ["(no team)", "(not given)"];

/// A value as people read it. A name that looks like what stands for none is in quotation marks.
fn shown_name(axis: Axis, section: &Section, value: &AxisValue) -> String {
    let [no_team, not_given] = UNKNOWN;
    match (axis, value) {
        (Axis::Of(Dimension::Team), AxisValue::Name(name)) if name.is_empty() => no_team.to_owned(),
        (_, AxisValue::Name(name)) if name.is_empty() => not_given.to_owned(),
        (_, AxisValue::Name(name)) if UNKNOWN.contains(&name.as_str()) || name.as_str() == AxisValue::NO_DETAIL => {
            format!("\"{name}\"")
        }
        (_, value) => text::clean(&section.value(value)),
    }
}
