//! Which coding agents the settings leave unread, and where they keep their sessions.

use std::path::{Path, PathBuf};

use super::env;
use super::sources::{format, latest};
use crate::adapters::files::FileSource;
use crate::cli::Context;
use crate::config::SourceKind;
use crate::domain::label::Label;
use crate::engine::unread::Unread;

/// The sources of coding agents that would be read if the settings named none, and that they do not name. A source that may hold any record may
/// hold theirs.
#[must_use]
pub fn unread(ctx: &Context<'_>) -> Vec<Unread> {
    if ctx.config.names_no_source() || ctx.config.sources.iter().any(|source| source.kind.is_none()) {
        return Vec::new();
    }
    let config = &ctx.config;
    let files = config.sources.iter().map(|source| source.name.as_str());
    let explorers = config.cost_explorers.iter().map(|bill| bill.name.as_str());
    let athenas = config.athenas.iter().map(|bill| bill.name.as_str());
    // A source of another kind may have the name of one.
    let named: Vec<&str> = files.chain(explorers).chain(athenas).collect();
    let is_chosen = |kind: &SourceKind| config.sources.iter().any(|source| source.kind == Some(*kind));
    let usual = SourceKind::AT_USUAL_PLACES.into_iter();
    let kinds = usual.filter(|kind| !is_chosen(kind) && !named.contains(&format(*kind).name()));
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
