//! Reports of files, without a ledger of the user's: they are read into one that ends with the report.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{ReportArgs, days, period, zone};
use crate::adapters::files::{Asked, WholeDays};
use crate::cli::record::{self, progress};
use crate::cli::{CliError, Context, Exit, wire};
use crate::config::SourceConfig;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::Basis;
use crate::engine::collect::collect;
use crate::engine::report::{Axis, wanted};
use crate::ports::Ledger;

/// What the files hold.
pub struct Looked {
    /// Where it is for as long as the report takes.
    pub ledger: Box<dyn Ledger>,
    /// How reading ended.
    pub exit: Exit,
    /// Whether hours of a day may be told as that day.
    pub in_days: bool,
}

/// The days of which a report tells no part, whatever the files hold; none where it tells hours, or days of another zone.
fn whole_days(ctx: &Context<'_>, args: &ReportArgs) -> Result<Option<WholeDays>, CliError> {
    let zone = zone(ctx, args)?;
    let days = days(ctx, args, zone);
    let (period, previous) = period::chosen(days, zone, ctx.now, None)?;
    if zone != Tz::UTC || args.by.contains(&Axis::Hour) {
        return Ok(None);
    }
    let is_cut = |at: &DateTime<Utc>| Hour::of(*at).day().start() != *at;
    let cut = [period.start, period.end, previous.start, previous.end];
    let cut = cut.iter().filter(|at| is_cut(at));
    Ok(Some(WholeDays {
        // What is later may choose another period.
        before: (days == (None, None)).then(|| Hour::of(period.end)),
        except: cut.map(|at| Hour::of(*at).day()).collect(),
    }))
}

/// A span as far as it is known where days are told as a whole.
pub fn in_whole_days(span: Period) -> Period {
    let last = Hour::of(span.end - TimeDelta::seconds(1)).day();
    Period::new(Hour::of(span.start).day().start(), last.start() + TimeDelta::days(1))
}

/// What the files hold, and how reading them ended: as it does when they are recorded.
pub fn look(ctx: &mut Context<'_>, args: &ReportArgs) -> Result<Looked, CliError> {
    let given = SourceConfig {
        name: "files".to_owned(),
        kind: args.source.map(|kind| kind.0),
        paths: args.files.clone(),
        ..SourceConfig::default()
    };
    let (basis, days) = (Basis::from(args.basis), whole_days(ctx, args)?);
    let in_days = days.is_some();
    let asked = Asked {
        dimensions: wanted(&args.by, &args.filters),
        // A bill has no metered rows; one of its costs then only tells which hours there are.
        basis: Some(match basis {
            Basis::Effective => Basis::Effective,
            Basis::Metered | Basis::Billed | Basis::BilledFilled => Basis::Billed,
        }),
        days,
        tokens: !args.costs_only,
    };
    let (source, mut ledger) = wire::look(ctx, &given, asked, args.filled())?;
    let pricer = wire::pricer(ctx)?;
    let bar = progress::Bar::new(ctx.interactive);
    let collection = collect(
        &mut [Box::new(source)],
        ledger.as_mut(),
        pricer.as_ref(),
        ctx.now,
        &mut |read| bar.advance(read),
        None,
        &|| false,
    );
    bar.finish();
    let collection = collection?;
    record::talk(ctx, &collection, Some(record::REJECTS));
    let exit = record::exit(&collection, false);
    if exit != Exit::Fine && ctx.verbosity > 0 {
        let _ = writeln!(
            ctx.err,
            "warning: what is told above as not usable is missing from the report"
        );
    }
    Ok(Looked { ledger, exit, in_days })
}
