//! Builds the sources that the settings name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{cloud, env, secret, time_left};
use crate::adapters::admin::{Admin, AdminSource, AdminSourceOptions, Others, Shares};
use crate::adapters::clock::SystemClock;
use crate::adapters::files::{
    Asked, CLOCK_SKEW, Columns, FileFinder, FileFormat, FileSource, FileSourceOptions, ObjectSource, Spans,
};
use crate::adapters::secret::for_header;
use crate::adapters::sqlite::SqliteLedger;
use crate::adapters::traces::TracedSource;
use crate::cli::{CliError, Context};
use crate::config::{ColumnConfig, SourceConfig, SourceKind};
use crate::domain::budget::Scope;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::engine::cycle::time_for_reading;
use crate::engine::reprice::Given;
use crate::ports::{Clock, Ledger, UsageSource};

/// The sources of the settings, or these instead. Paths of the settings start from their folder, these from the current one.
pub fn sources(ctx: &Context<'_>, instead: Option<&[SourceConfig]>) -> Result<Vec<Box<dyn UsageSource>>, CliError> {
    let sources = match instead {
        Some(given) => files(ctx, given, Path::new(""))?,
        None => configured(ctx)?,
    };
    // A trace may lie in files and in a bucket.
    let of_buckets = || Spans::of(ctx.config.sources.iter().map(|source| source.name.as_str()));
    let spans = sources.first().map_or_else(of_buckets, FileSource::spans);
    let mut sources: Vec<Box<dyn UsageSource>> = sources
        .into_iter()
        .map(|source| Box::new(source) as Box<dyn UsageSource>)
        .collect();
    if instead.is_none() {
        for source in ctx.config.sources.iter().filter(|s| s.is_in_bucket()) {
            sources.extend(in_buckets(ctx, source, &spans)?);
        }
        if !ctx.config.cost_explorers.is_empty() {
            sources.extend(cloud::bills(ctx)?);
        }
        if !ctx.config.athenas.is_empty() {
            sources.extend(cloud::queries(ctx)?);
        }
        // What may have to be waited for comes last.
        let live_ones: Vec<&SourceConfig> = ctx.config.sources.iter().filter(|s| s.key.is_some()).collect();
        let count = u32::try_from(live_ones.len()).unwrap_or(u32::MAX);
        let shares = Shares::new(SystemClock.elapsed(), time_for_reading(time_left(ctx)), count);
        for (at, source) in live_ones.iter().enumerate() {
            let alike = live_ones
                .iter()
                .enumerate()
                .filter(|(_, other)| other.kind == source.kind);
            let others = match alike.map(|(other, _)| other).filter(|other| *other != at).min() {
                None => Others::None,
                Some(first) if first > at => Others::After,
                Some(_) => Others::Before,
            };
            sources.push(Box::new(live(ctx, source, others, shares.clone())?));
        }
    }
    if ctx.tracer.is_on() {
        let traced = |source| Box::new(TracedSource::new(source, ctx.tracer.clone())) as Box<dyn UsageSource>;
        sources = sources.into_iter().map(traced).collect();
    }
    Ok(sources)
}

/// A source over these paths from the current folder, and the ledger that it is read into, which is kept nowhere.
pub fn look(
    ctx: &Context<'_>,
    given: &SourceConfig,
    asked: Asked,
    fill: Option<Scope>,
) -> Result<(FileSource, Box<dyn Ledger>), CliError> {
    // What is agreed may depend on any dimension, and on both bases.
    let asked = match fill.is_none() && super::terms(ctx)?.is_empty() {
        true => asked,
        false => Asked::everything(),
    };
    let source = FileSource::new(FileSourceOptions {
        name: Label::new(&given.name),
        format: given.kind.map(format),
        paths: given.paths.clone(),
        base: std::path::PathBuf::new(),
        defaults: defaults(given),
        columns: columns(given)?,
        asked: Some(asked),
        latest: latest(ctx),
        env,
    });
    Ok((source, super::view(ctx, Box::new(SqliteLedger::temporary()?), fill)?))
}

/// Looks into the files of a source: as the settings read it, where they name it.
pub fn finder(ctx: &Context<'_>, source: Label) -> Result<FileFinder, CliError> {
    let named = ctx.config.sources.iter().find(|s| s.name == source.as_str());
    let given = named.cloned().unwrap_or_default();
    Ok(FileFinder::new(FileSourceOptions {
        name: source,
        format: given.kind.map(format),
        paths: Vec::new(),
        base: std::path::PathBuf::new(),
        defaults: Vec::new(),
        columns: columns(&given)?,
        asked: None,
        latest: latest(ctx),
        env,
    }))
}

/// A source that asks a provider's interface.
fn live(ctx: &Context<'_>, source: &SourceConfig, others: Others, time: Shares) -> Result<AdminSource, CliError> {
    let key = source.key.as_deref().unwrap_or_default();
    AdminSource::new(AdminSourceOptions {
        name: Label::new(&source.name),
        whose: match source.kind {
            Some(SourceKind::AnthropicAdmin) => Admin::Anthropic,
            Some(_) | None => Admin::Openai,
        },
        key: secret(ctx, key).and_then(|found| for_header(key, found)),
        url: source.url.clone().unwrap_or_default(),
        others,
        defaults: defaults(source),
        time,
        now: ctx.now,
        clock: Box::new(SystemClock),
    })
    .map_err(|cause| CliError::usage(format!("source `{}`: {cause}", source.name)).hint("give `url` an https address"))
}

fn defaults(source: &SourceConfig) -> Vec<(Dimension, Label)> {
    let defaults = source.defaults.iter();
    defaults
        .map(|(dimension, value)| (*dimension, Label::new(value)))
        .collect()
}

/// What the settings give to calls that do not say, by source.
#[must_use]
pub fn given(ctx: &Context<'_>) -> Given {
    let sources = ctx.config.sources.iter().filter(|source| !source.defaults.is_empty());
    Given(
        sources
            .map(|source| (Label::new(&source.name), defaults(source)))
            .collect(),
    )
}

/// The file sources of the settings. Where no source is named, and no bill that is asked for: the logs of coding agents at their usual
/// places, of those that are there.
pub fn configured(ctx: &Context<'_>) -> Result<Vec<FileSource>, CliError> {
    if ctx.config.names_no_source() {
        let usual = SourceKind::AT_USUAL_PLACES.map(|kind| SourceConfig {
            name: format(kind).name().to_owned(),
            kind: Some(kind),
            ..SourceConfig::default()
        });
        let mut sources = files(ctx, &usual, &ctx.config.base)?;
        if sources.iter().any(FileSource::is_used) {
            sources.retain(FileSource::is_used);
        }
        return Ok(sources);
    }
    let of_files = |source: &&SourceConfig| source.key.is_none() && !source.is_in_bucket();
    let of_files: Vec<SourceConfig> = ctx.config.sources.iter().filter(of_files).cloned().collect();
    let sources = files(ctx, &of_files, &ctx.config.base)?;
    Ok(sources.into_iter().map(FileSource::of_files_only).collect())
}

/// Where logs were looked for, where all sources are at their usual places and none of these holds a file.
pub fn looked_in(ctx: &Context<'_>) -> Result<Option<String>, CliError> {
    let config = &ctx.config;
    let sources = configured(ctx)?;
    let others =
        config.sources.len() > sources.len() || !config.cost_explorers.is_empty() || !config.athenas.is_empty();
    if others
        || sources
            .iter()
            .any(|source| source.places().is_empty() || source.has_files())
    {
        return Ok(None);
    }
    let places = sources.iter().flat_map(FileSource::places);
    let places: Vec<String> = places.map(|place| place.display().to_string()).collect();
    Ok(Some(places.join(", ")))
}

/// A source over these paths from the current folder.
pub fn of_paths(ctx: &Context<'_>, paths: &[String]) -> Result<Vec<FileSource>, CliError> {
    let given = SourceConfig {
        paths: paths.to_vec(),
        ..SourceConfig::default()
    };
    files(ctx, &[given], Path::new(""))
}

/// A source of files as the settings have it.
pub(super) fn named(ctx: &Context<'_>, source: &SourceConfig) -> Result<FileSource, CliError> {
    let mut built = files(ctx, std::slice::from_ref(source), &ctx.config.base)?;
    built.pop().ok_or_else(|| CliError::usage("no source"))
}

fn files(ctx: &Context<'_>, sources: &[SourceConfig], base: &Path) -> Result<Vec<FileSource>, CliError> {
    let latest = latest(ctx);
    let build = |source: &SourceConfig| {
        let (name, base) = (Label::new(&source.name), base.to_path_buf());
        let format = source.kind.map(format);
        let usual = format.filter(|_| source.paths.is_empty());
        let usual = usual.and_then(|format| FileSource::at_usual_place(format, name, base.clone(), latest, env));
        if let Some(usual) = usual {
            return Ok(usual.with_defaults(defaults(source)));
        }
        Ok(FileSource::new(FileSourceOptions {
            name,
            format,
            paths: source.paths.clone(),
            base,
            defaults: defaults(source),
            columns: columns(source)?,
            asked: None,
            latest,
            env,
        }))
    };
    let mut built = sources.iter().map(build).collect::<Result<Vec<_>, CliError>>()?;
    FileSource::acquaint(&mut built);
    Ok(built)
}

/// Records of a later time are absurd. `--now` may lie in the past, to look at an earlier state: what happened since is no less plausible.
pub(super) fn latest(ctx: &Context<'_>) -> DateTime<Utc> {
    ctx.now.max(SystemClock.now()) + CLOCK_SKEW
}

/// A source over objects: one for each bucket that its paths name.
fn in_buckets(ctx: &Context<'_>, source: &SourceConfig, spans: &Spans) -> Result<Vec<Box<dyn UsageSource>>, CliError> {
    let mut buckets = BTreeMap::<&str, Vec<String>>::new();
    for path in source.paths.iter().filter_map(|path| path.strip_prefix("s3://")) {
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        // A listing goes from folder to folder.
        let slash = if prefix.is_empty() || prefix.ends_with('/') {
            ""
        } else {
            "/"
        };
        buckets.entry(bucket).or_default().push(format!("{prefix}{slash}"));
    }
    let mut sources: Vec<Box<dyn UsageSource>> = Vec::new();
    for (bucket, prefixes) in buckets {
        let options = FileSourceOptions {
            name: Label::new(&source.name),
            format: source.kind.map(format),
            paths: Vec::new(),
            base: std::path::PathBuf::new(),
            defaults: defaults(source),
            columns: columns(source)?,
            asked: None,
            latest: latest(ctx),
            env,
        };
        let store = cloud::bucket(ctx, bucket, source.region.as_deref())?;
        let objects = ObjectSource::new(options, store, format!("s3://{bucket}"), prefixes, ctx.now);
        let objects = objects.map_err(|cause| {
            CliError::usage(format!("source `{}`: {cause}", source.name)).hint("copy bills to a folder and name that")
        })?;
        sources.push(Box::new(objects.with_spans(spans.clone())));
    }
    Ok(sources)
}

/// How the records of a source of foreign form are read.
fn columns(source: &SourceConfig) -> Result<Option<Arc<Columns>>, CliError> {
    if source.columns.is_empty() && source.values.is_empty() {
        return Ok(None);
    }
    let (mut columns, mut id) = (BTreeMap::new(), None);
    let mut wrong = None;
    for (field, column) in &source.columns {
        match column {
            ColumnConfig::One(column) => drop(columns.insert(field.clone(), column.clone())),
            ColumnConfig::Several(several) if field == "id" => id = Some(several),
            ColumnConfig::Several(_) => wrong = Some(format!("`{field}` is one column: only `id` may be several")),
        }
    }
    let built = match wrong {
        Some(wrong) => Err(wrong),
        None => Columns::new(&columns, &source.values, source.start),
    };
    let built = built.and_then(|built| match id {
        Some(id) => built.identified_by(id),
        None => Ok(built),
    });
    match built {
        Ok(columns) => Ok(Some(Arc::new(columns))),
        Err(cause) => Err(CliError::usage(format!("source `{}`: {cause}", source.name))
            .hint("docs/usage-format.md shows how foreign columns are named")),
    }
}

/// The format of a kind.
#[must_use]
pub fn format(kind: SourceKind) -> FileFormat {
    match kind {
        SourceKind::ClaudeCode => FileFormat::ClaudeCode,
        SourceKind::Codex => FileFormat::Codex,
        SourceKind::GeminiCli => FileFormat::GeminiCli,
        SourceKind::Pi => FileFormat::Pi,
        SourceKind::Opencode => FileFormat::Opencode,
        SourceKind::CopilotCli => FileFormat::CopilotCli,
        SourceKind::KimiCli => FileFormat::KimiCli,
        SourceKind::Goose => FileFormat::Goose,
        SourceKind::Crush => FileFormat::Crush,
        SourceKind::Cline => FileFormat::Cline,
        SourceKind::Amp => FileFormat::Amp,
        SourceKind::Droid => FileFormat::Droid,
        SourceKind::Litellm => FileFormat::Litellm,
        SourceKind::Plain => FileFormat::Plain,
        SourceKind::Focus => FileFormat::Focus,
        SourceKind::Otel => FileFormat::Otel,
        SourceKind::Bedrock => FileFormat::Bedrock,
        SourceKind::Body => FileFormat::Body,
        SourceKind::AzureApim => FileFormat::Apim,
        SourceKind::Langfuse => FileFormat::Langfuse,
        SourceKind::Helicone => FileFormat::Helicone,
        SourceKind::OpenaiAdmin => FileFormat::OpenaiAdmin,
        SourceKind::AnthropicAdmin => FileFormat::AnthropicAdmin,
        SourceKind::Cur => FileFormat::Cur,
        SourceKind::CostExplorer => FileFormat::CostExplorer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_that_need_no_paths_are_those_of_tools_with_a_usual_place() {
        for kind in SourceKind::ALL {
            let latest = DateTime::UNIX_EPOCH;
            let usual = FileSource::at_usual_place(format(kind), Label::new("s"), "/".into(), latest, |_| None);
            let listed = SourceKind::AT_USUAL_PLACES.contains(&kind);
            assert_eq!(usual.is_some(), listed, "{kind:?}");
        }
    }

    #[test]
    fn a_check_of_the_settings_knows_the_kinds_that_are_not_read_from_a_bucket() {
        for kind in SourceKind::ALL {
            let source = SourceConfig {
                name: "s".to_owned(),
                kind: Some(kind),
                paths: vec!["s3://b/logs/".to_owned()],
                ..SourceConfig::default()
            };
            let config = crate::config::Config {
                sources: vec![source],
                ..crate::config::Config::default()
            };
            let found = crate::config::check(&config);
            assert_eq!(!found.is_empty(), format(kind).is_bill(), "{kind:?}: {found:?}");
        }
    }
}
