//! Which coding agents the settings leave unread, and where they keep their sessions.

use std::path::{Path, PathBuf};

use super::env;
use super::sources::{format, latest};
use crate::adapters::files::FileSource;
use crate::cli::Context;
use crate::config::{SourceConfig, SourceKind};
use crate::domain::label::Label;
use crate::engine::unread::Unread;

/// The sources of coding agents that would be read if the settings named none. Where they name one, or one that may hold any record, they are
/// chosen; where they name others alone, such as a bill, nothing says that sessions are left.
#[must_use]
pub fn unread(ctx: &Context<'_>) -> Vec<Unread> {
    let usual = SourceKind::AT_USUAL_PLACES;
    let is_chosen = |source: &SourceConfig| source.kind.is_none_or(|kind| usual.contains(&kind));
    if ctx.config.names_no_source() || ctx.config.sources.iter().any(is_chosen) {
        return Vec::new();
    }
    let config = &ctx.config;
    let files = config.sources.iter().map(|source| source.name.as_str());
    let explorers = config.cost_explorers.iter().map(|bill| bill.name.as_str());
    let athenas = config.athenas.iter().map(|bill| bill.name.as_str());
    // A source of another kind may have the name of one.
    let named: Vec<&str> = files.chain(explorers).chain(athenas).collect();
    let kinds = usual.into_iter().filter(|kind| !named.contains(&format(*kind).name()));
    kinds.map(|kind| of_agent(ctx, kind)).collect()
}

fn of_agent(ctx: &Context<'_>, kind: SourceKind) -> Unread {
    let format = format(kind);
    let name = Label::new(format.name());
    let source = FileSource::at_usual_place(format, name, ctx.config.base.clone(), latest(ctx), env);
    let places = source.iter().flat_map(FileSource::places);
    Unread {
        name,
        places: places.map(|place| folder(place)).collect(),
    }
}

/// What of a place stands before the names that may be any, as files in it are known by.
fn folder(place: &Path) -> PathBuf {
    let known = place.iter().take_while(|part| !part.to_string_lossy().contains('*'));
    let folder: PathBuf = known.collect();
    folder.canonicalize().unwrap_or(folder)
}
