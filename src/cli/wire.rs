//! Builds adapters from the configuration.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;

use super::{CliError, Context};
use crate::adapters::files::{FileFormat, FileSource, FileSourceOptions, discover};
use crate::adapters::memory::MemoryLedger;
use crate::adapters::sqlite::SqliteLedger;
use crate::config::{SourceConfig, SourceKind, StoreUrl};
use crate::domain::label::Label;
use crate::ports::{Ledger, Pricer, UsageSource};

/// The ledger that the settings name.
pub fn ledger(ctx: &Context<'_>) -> Result<Box<dyn Ledger>, CliError> {
    Ok(match ctx.config.store_url()? {
        StoreUrl::Memory => Box::new(MemoryLedger::new()),
        StoreUrl::Sqlite(path) => {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder).map_err(|cause| {
                    CliError::incomplete(format!("cannot create the folder `{}`: {cause}", folder.display()))
                        .hint("`--store sqlite:PATH` uses another place")
                })?;
            }
            Box::new(SqliteLedger::open(&path)?)
        }
    })
}

/// The price books: `policies/prices` over the built-in one over the configured ones.
pub fn pricer(ctx: &Context<'_>) -> Result<Box<dyn Pricer>, CliError> {
    Ok(Box::new(super::price::load(ctx)?))
}

/// The sources of the settings, or these instead. Paths of the settings start from their folder, these from the current one.
pub fn sources(ctx: &Context<'_>, instead: Option<&[SourceConfig]>) -> Result<Vec<Box<dyn UsageSource>>, CliError> {
    let sources = match instead {
        Some(given) => files(ctx, given, Path::new("")),
        None => configured(ctx),
    };
    Ok(sources
        .into_iter()
        .map(|source| Box::new(source) as Box<dyn UsageSource>)
        .collect())
}

/// The file sources of the settings: Claude Code's logs at their usual place where none is named.
pub fn configured(ctx: &Context<'_>) -> Vec<FileSource> {
    if ctx.config.sources.is_empty() {
        let usual = SourceConfig {
            name: "claude-code".to_owned(),
            kind: Some(SourceKind::ClaudeCode),
            paths: Vec::new(),
            defaults: std::collections::BTreeMap::new(),
        };
        return files(ctx, &[usual], &ctx.config.base);
    }
    files(ctx, &ctx.config.sources, &ctx.config.base)
}

fn files(ctx: &Context<'_>, sources: &[SourceConfig], base: &Path) -> Vec<FileSource> {
    let env = |name: &str| std::env::var(name).ok();
    let build = |source: &SourceConfig| {
        let given = source.paths.iter().map(|path| place(path, base, &env));
        let paths: Vec<PathBuf> = match source.kind {
            _ if !source.paths.is_empty() => given.collect(),
            Some(SourceKind::ClaudeCode) => discover::claude_folders(&env),
            Some(SourceKind::Codex) => discover::codex_folders(&env),
            Some(SourceKind::Litellm | SourceKind::Plain | SourceKind::Focus) | None => Vec::new(),
        };
        FileSource::new(FileSourceOptions {
            name: Label::new(&source.name),
            format: source.kind.map(format),
            paths,
            must_exist: !source.paths.is_empty(),
            defaults: source
                .defaults
                .iter()
                .map(|(dimension, value)| (*dimension, Label::new(value)))
                .collect(),
            latest: ctx.now + CLOCK_SKEW,
        })
    };
    sources.iter().map(build).collect()
}

/// How far the clock of a machine that writes logs may be ahead before its records count as absurd.
const CLOCK_SKEW: TimeDelta = TimeDelta::days(1);

fn format(kind: SourceKind) -> FileFormat {
    match kind {
        SourceKind::ClaudeCode => FileFormat::ClaudeCode,
        SourceKind::Codex => FileFormat::Codex,
        SourceKind::Litellm => FileFormat::Litellm,
        SourceKind::Plain => FileFormat::Plain,
        SourceKind::Focus => FileFormat::Focus,
    }
}

fn place(path: &str, base: &Path, env: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    if path == "-" {
        return PathBuf::from(path);
    }
    base.join(discover::home(path, env))
}
