//! What no output may take the place of.

use std::path::{Path, PathBuf};

use super::sources::{configured, of_paths};
use crate::adapters::files::{FileSource, same_file};
use crate::adapters::owners::is_owners;
use crate::cli::{CliError, Context};
use crate::config::StoreUrl;

/// What a ledger has beside its file.
const BESIDE: [&str; 5] = ["", "-wal", "-shm", "-journal", ".paid-requests"];

/// Refuses to write over the ledger, the settings or a file that is read: the paths that are given, else those of the settings.
pub fn spare(ctx: &Context<'_>, path: &Path, given: &[String]) -> Result<(), CliError> {
    let refuse = |what: &str| {
        Err(CliError::usage(format!("`{}` is {what}", path.display()))
            .hint("nothing was read, and nothing written over it; name another file"))
    };
    if let Ok(StoreUrl::Sqlite(ledger)) = ctx.config.store_url() {
        let beside = |ending: &&str| {
            let mut name = ledger.clone().into_os_string();
            name.push(ending);
            same_file(&PathBuf::from(name), path)
        };
        if BESIDE.iter().any(beside) {
            return refuse("the ledger, or a part of it");
        }
    }
    // What is not there yet is read by nobody, and a device keeps nothing.
    if !path.is_file() {
        return Ok(());
    }
    let config = &ctx.config;
    let books = config.price_books.iter().map(|book| config.resolve(&book.path));
    if config
        .file
        .iter()
        .cloned()
        .chain(books)
        .any(|kept| same_file(&kept, path))
        || is_policy(ctx, path)
    {
        return refuse("a part of the settings");
    }
    let mut channels = config.channels.iter().filter_map(|channel| channel.path.as_ref());
    if channels.any(|kept| same_file(&config.resolve(kept), path)) {
        return refuse("where a channel keeps what was told");
    }
    let sources = match given {
        [] => configured(ctx),
        given => of_paths(ctx, given),
    };
    // What is wrong with the settings is told by whoever goes by them.
    match sources.is_ok_and(|sources| sources.iter().any(|source: &FileSource| source.reads(path))) {
        true => refuse("one of the files that are read"),
        false => Ok(()),
    }
}

/// Whether this is a file that the owner wrote into the folder of policies.
fn is_policy(ctx: &Context<'_>, path: &Path) -> bool {
    let inside = |path: &Path, folder: &Path| Some(path.canonicalize().ok()?.starts_with(folder.canonicalize().ok()?));
    is_owners(path) && inside(path, &ctx.config.policies_dir()).unwrap_or(false)
}
