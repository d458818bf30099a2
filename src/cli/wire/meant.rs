//! What paths of a command line are read as: what the settings read too is read as they say.

use super::Context;
use super::sources::{named, of_paths};
use crate::config::{SourceConfig, SourceKind};

/// A source over these paths. Where one source of the settings alone reads all of them and names their columns, it is that source: without its
/// columns they could not be read.
#[must_use]
pub fn meant(ctx: &Context<'_>, paths: &[String], kind: Option<SourceKind>, name: Option<&str>) -> SourceConfig {
    let plain = SourceConfig {
        name: name.unwrap_or("files").to_owned(),
        kind,
        paths: paths.to_vec(),
        ..SourceConfig::default()
    };
    let says = |source: &&SourceConfig| {
        !source.columns.is_empty() && source.key.is_none() && !source.is_in_bucket() && !source.paths.is_empty()
    };
    if kind.is_some() || name.is_some() || !ctx.config.sources.iter().any(|source| says(&source)) {
        return plain;
    }
    // What is wrong with paths or settings is told by whoever reads them.
    let Some(files) = of_paths(ctx, paths).ok().and_then(|sources| sources.into_iter().next()) else {
        return plain;
    };
    let reads = |source: &&SourceConfig| named(ctx, source).is_ok_and(|source| source.reads_all_of(&files));
    let mut found = ctx.config.sources.iter().filter(says).filter(reads);
    let (Some(source), None) = (found.next(), found.next()) else {
        return plain;
    };
    SourceConfig {
        paths: paths.to_vec(),
        ..source.clone()
    }
}
