//! Reports of files, without a ledger of the user's: they are read into one that ends with the report.

use super::ReportArgs;
use crate::adapters::files::Asked;
use crate::cli::record::{self, progress};
use crate::cli::{CliError, Context, Exit, wire};
use crate::config::SourceConfig;
use crate::domain::spend::Basis;
use crate::engine::collect::collect;
use crate::engine::report::wanted;
use crate::ports::Ledger;

/// What the files hold, and how reading them ended: as it does when they are recorded.
pub fn look(ctx: &mut Context<'_>, args: &ReportArgs) -> Result<(Box<dyn Ledger>, Exit), CliError> {
    let given = SourceConfig {
        name: "files".to_owned(),
        kind: args.source.map(|kind| kind.0),
        paths: args.files.clone(),
        ..SourceConfig::default()
    };
    let basis = Basis::from(args.basis);
    let asked = Asked {
        dimensions: wanted(&args.by, &args.filters),
        // A bill has no metered rows; one of its costs then only tells which hours there are.
        basis: Some(match basis {
            Basis::Effective => Basis::Effective,
            Basis::Metered | Basis::Billed | Basis::BilledFilled => Basis::Billed,
        }),
    };
    let (source, mut ledger) = wire::look(ctx, &given, asked, basis == Basis::BilledFilled)?;
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
    record::talk(ctx, &collection, true);
    Ok((ledger, record::exit(&collection, false)))
}
