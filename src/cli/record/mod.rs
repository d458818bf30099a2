//! `finops record`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::json;

use super::text::{clean, count, counted, money};
use super::whole::Whole;
use super::{CliError, Context, Exit, Format, wire};
use crate::config::SourceKind;
use crate::domain::label::Label;
use crate::domain::money::{Currency, Money};
use crate::domain::reading::PAID_REQUEST;
use crate::engine::collect::{Collection, collect};
use crate::engine::told_twice::{ToldTwice, any_tells_sums, first_of, lately, told_twice};
use crate::engine::unread::newly_unread;
use crate::ports::{Ledger, Pricer, Rejection};

pub mod progress;

/// The arguments of `finops record`.
#[derive(Debug, clap::Args)]
pub struct RecordArgs {
    /// Files, folders or globs; `-` is standard input. None: the configured sources
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub paths: Vec<String>,
    /// The format [default: told record by record]
    #[arg(long, value_enum, value_name = "KIND", requires = "paths")]
    pub source: Option<KindArg>,
    /// The `source` dimension of what is read [default: the source of the settings that names its columns, else files]
    #[arg(long, requires = "paths", value_parser = super::args::source_name)]
    pub name: Option<String>,
    /// Exit with 1 when a newly recorded call has no price
    #[arg(long)]
    pub strict: bool,
    /// Keep rejected records in this file, one JSON object a line; also those that earlier runs rejected
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub rejects: Option<PathBuf>,
}

/// A source kind on the command line, spelled as in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindArg(pub SourceKind);

impl ValueEnum for KindArg {
    fn value_variants<'a>() -> &'a [Self] {
        static KINDS: std::sync::OnceLock<Vec<KindArg>> = std::sync::OnceLock::new();
        KINDS.get_or_init(|| SourceKind::ALL.map(KindArg).to_vec())
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(wire::format(self.0).name().into())
    }
}

/// Records what the paths, or the configured sources, hold.
pub fn run(ctx: &mut Context<'_>, args: &RecordArgs) -> Result<Exit, CliError> {
    if let Some(path) = &args.rejects {
        wire::spare(ctx, path, &args.paths)?;
    }
    let given = (!args.paths.is_empty()).then(|| {
        let kind = args.source.map(|kind| kind.0);
        [wire::meant(ctx, &args.paths, kind, args.name.as_deref())]
    });
    let mut sources = wire::sources(ctx, given.as_ref().map(<[_; 1]>::as_slice))?;
    let pricer = wire::pricer(ctx)?;
    let mut ledger = wire::ledger(ctx)?;
    let mut rejects = match &args.rejects {
        None => None,
        Some(path) => Some(Whole::create(path).map_err(|cause| {
            CliError::usage(format!("cannot write `{}`: {cause}", path.display()))
                .hint("rejected records would be kept there; nothing was read")
        })?),
    };
    let bar = progress::Bar::new(ctx.interactive);
    let collection = collect(
        &mut sources,
        ledger.as_mut(),
        pricer.as_ref(),
        ctx.now,
        &mut |read| bar.advance(read),
        rejects.as_mut().map(|file| file as &mut (dyn std::io::Write + Send)),
        &|| false,
    );
    bar.finish();
    if let (Some(file), Some(path)) = (rejects, &args.rejects) {
        file.finish().map_err(|cause| {
            CliError::incomplete(format!("cannot write `{}`: {cause}", path.display()))
                .hint("what could be read is recorded; the same command keeps all that is rejected when there is room")
        })?;
    }
    let mut collection = collection?;
    // Policies that cannot be read decide nothing.
    let budgets = wire::budgets(ctx).unwrap_or_default();
    let names = sources.iter().map(|source| source.name());
    let pairs = match any_tells_sums(ledger.as_mut(), wire::TELLS, names)? {
        true => told_twice(
            ledger.as_mut(),
            wire::TELLS,
            lately(collection.met, ctx.now),
            &[],
            &budgets,
        )?,
        false => Vec::new(),
    };
    let undecided = pairs.iter().filter(|pair| !pair.is_decided);
    let told = first_of(undecided, ToldTwice::advice);
    collection.warnings.extend(told.into_iter().map(|about| (about, 1)));
    talk(ctx, &collection, args.rejects.is_none().then_some(REJECTS));
    if args.paths.is_empty() {
        say_where(ctx, &collection)?;
        say_unread(ctx, ledger.as_mut(), pricer.as_ref())?;
    }
    match ctx.format {
        Format::Table => writeln!(ctx.out, "{}", summary(&collection))?,
        Format::Jsonl => writeln!(ctx.out, "{}", document(&collection))?,
        Format::Json => writeln!(ctx.out, "{:#}", document(&collection))?,
        Format::Csv | Format::Markdown | Format::Html => {
            return Err(CliError::usage("`finops record` has no such format").hint("use `--format json` or `jsonl`"));
        }
    }
    Ok(exit(&collection, args.strict))
}

/// How recording ended: what could not be read weighs more than what was refused, and that more than what has no price.
#[must_use]
pub fn exit(collection: &Collection, strict: bool) -> Exit {
    if !collection.failed_sources.is_empty() || !collection.left.is_empty() {
        Exit::Incomplete
    } else if collection.rejected > 0 {
        Exit::Usage
    } else if strict && collection.recorded.unpriced > 0 {
        Exit::Findings
    } else {
        Exit::Fine
    }
}

/// The outcome for programs.
#[must_use]
pub fn document(collection: &Collection) -> serde_json::Value {
    json!({
        "schema_version": 1,
        "files": collection.files,
        "lines": collection.lines,
        "events": collection.events(),
        "recorded": collection.recorded.recorded,
        "duplicates": collection.recorded.duplicates,
        "excluded": collection.excluded_total(),
        "excluded_by_kind": collection.excluded,
        "unpriced": collection.recorded.unpriced,
        "rejected": collection.rejected,
        "unknown_costs": collection.unknown_costs,
        "bills": collection.bills,
        "paid_requests": collection.paid_requests,
        "warnings": collection.warnings,
        "restatements": collection.restatements.len(),
        "cost_usd": collection.recorded.cost.normalize().to_string(),
        "left": collection.left.iter().map(|left| json!({
            "source": left.source.as_str(),
            "files": left.rest.map(|rest| rest.files),
            "bytes": left.rest.map(|rest| rest.bytes),
        })).collect::<Vec<_>>(),
        "failed_sources": collection.failed_sources.iter().map(|failed| failed.source.as_str()).collect::<Vec<_>>(),
    })
}

/// The outcome in one line for people.
#[must_use]
pub fn summary(collection: &Collection) -> String {
    let (lines, files) = (counted(collection.lines, "line"), counted(collection.files, "file"));
    sentence(collection, &format!("{lines} in {files}"))
}

/// The same with other words for what it is from.
#[must_use]
pub fn sentence(collection: &Collection, from: &str) -> String {
    let recorded = &collection.recorded;
    let new = counted(recorded.recorded, "new call");
    let bills = counted(collection.bills, "bill");
    // Whoever reads a bill alone is told of it alone.
    let only_bills = collection.bills > 0 && collection.events() == 0;
    let what = match only_bills {
        true => bills,
        // Better observations of calls that were known.
        false if recorded.recorded == 0 && !recorded.cost.is_zero() => {
            let sign = if recorded.cost.is_sign_positive() { "+" } else { "" };
            let change = money(Money::new(recorded.cost, Currency::USD));
            format!("{new}, known ones changed by {sign}{change}")
        }
        false => format!("{new}, {}", money(Money::new(recorded.cost, Currency::USD))),
    };
    let mut text = format!("recorded {what}, from {from}");
    // Each is told once, whatever its bill says of it: billed and effective cost.
    let days: BTreeSet<_> = collection.restatements.iter().map(|r| r.day).collect();
    let no_spend = format!("no spend ({})", kinds(&collection.excluded));
    for (number, what) in [
        (recorded.known, "known before"),
        // Those of known calls are told already.
        (recorded.duplicates.saturating_sub(recorded.known), "repeated"),
        (collection.excluded_total(), no_spend.as_str()),
        (recorded.unpriced, "unpriced"),
        (collection.rejected, "rejected"),
        (
            if only_bills { 0 } else { collection.bills },
            if collection.bills == 1 { "bill" } else { "bills" },
        ),
        (days.len() as u64, "restated days"),
    ] {
        if number > 0 {
            text.push_str(&format!("; {} {what}", count(number)));
        }
    }
    if collection.paid_requests > 0 {
        let cost = rust_decimal::Decimal::from(collection.paid_requests) * PAID_REQUEST;
        text.push_str(&format!(
            "; {} paid requests, {}",
            count(collection.paid_requests),
            money(Money::new(cost, Currency::USD))
        ));
    }
    text
}

/// What is no spend, by kind; how many of each where there are several.
fn kinds(excluded: &BTreeMap<&'static str, u64>) -> String {
    let told = excluded.iter().filter(|(_, number)| **number > 0);
    let told: Vec<String> = match excluded.len() {
        1 => told.map(|(kind, _)| (*kind).to_owned()).collect(),
        _ => told
            .map(|(kind, number)| format!("{} {kind}", count(*number)))
            .collect(),
    };
    told.join(", ")
}

/// Keeps everything that was rejected, and records nothing: who looks at what was refused of a bill does not want it to count once more.
pub const REJECTS: &str = "finops --store memory: record PATH --rejects FILE";

/// What to do about parts of an answer that was not read from a file.
const LIVE: &str = "live answers are not kept: usage is asked for again for seven days, costs until they are known; an answer that is saved \
    can be looked into with `finops --store memory: record PATH --rejects FILE`";

/// What to do about records of objects.
const OBJECTS: &str = "an object can be looked into once it is copied to this machine: `finops --store memory: record COPY --rejects FILE`";

/// Where it is wrong, with a colon behind; a file as a whole has no line.
fn place(rejection: &Rejection) -> String {
    match (rejection.file.as_str(), rejection.line) {
        ("", _) => String::new(),
        (file, 0) => format!("{file}: "),
        (file, line) => format!("{file}:{line}: "),
    }
}

/// Tells where logs were looked for, where there were none at all.
pub fn say_where(ctx: &mut Context<'_>, collection: &Collection) -> Result<(), CliError> {
    let nothing = collection.files == 0 && collection.failed_sources.is_empty();
    if nothing
        && ctx.verbosity > 0
        && let Some(places) = wire::looked_in(ctx)?
    {
        writeln!(ctx.err, "hint: no logs were found; looked in {places}")?;
    }
    Ok(())
}

/// Tells once that sessions which were recorded without settings are not read since there are some.
pub fn say_unread(ctx: &mut Context<'_>, ledger: &mut dyn Ledger, pricer: &dyn Pricer) -> Result<(), CliError> {
    if ctx.verbosity == 0 {
        return Ok(());
    }
    let names = newly_unread(ledger, pricer, &wire::unread(ctx), ctx.now)?;
    if let Some(first) = names.first() {
        let all: Vec<&str> = names.iter().copied().map(Label::as_str).collect();
        writeln!(
            ctx.err,
            "note: sessions of {} stay as they were recorded and are not read any more, since the settings name other sources alone; \
             `[[source]]` with `kind = \"{first}\"` reads those of {first} again",
            all.join(", "),
        )?;
    }
    Ok(())
}

/// Tells on `err` what went wrong, the first rejections one by one; `rejects` is the command that keeps all of them.
pub fn talk(ctx: &mut Context<'_>, collection: &Collection, rejects: Option<&str>) {
    if ctx.verbosity > 0 {
        for (about, times) in &collection.warnings {
            let _ = writeln!(ctx.err, "warning: {} ({})", clean(about), counted(*times, "time"));
        }
    }
    for rejection in &collection.first_rejections {
        let field = rejection
            .field
            .as_ref()
            .map_or_else(String::new, |field| format!("`{field}`: "));
        let text = format!("{}{field}{}", place(rejection), rejection.reason);
        let _ = writeln!(ctx.err, "rejected: {}", clean(&text));
    }
    let shown = u64::try_from(collection.first_rejections.len()).unwrap_or(u64::MAX);
    if collection.rejected > shown {
        let _ = writeln!(ctx.err, "rejected: {} more", count(collection.rejected - shown));
    }
    if let Some(command) = rejects.filter(|_| collection.rejected > 0 && ctx.verbosity > 0) {
        let shown = &collection.first_rejections;
        let from = |scheme: &str| {
            shown
                .iter()
                .filter(|rejection| rejection.file.starts_with(scheme))
                .count()
        };
        let (live, objects) = (from("https://") + from("http://"), from("s3://"));
        if live + objects < shown.len() {
            let _ = writeln!(ctx.err, "hint: `{command}` keeps all of them");
        }
        if live > 0 {
            let _ = writeln!(ctx.err, "hint: {LIVE}");
        }
        if objects > 0 {
            let _ = writeln!(ctx.err, "hint: {OBJECTS}");
        }
    }
    for left in &collection.left {
        let what = left.rest.map_or_else(
            || "it was not begun".to_owned(),
            |rest| match (rest.files, rest.bytes.div_ceil(1_000_000)) {
                (0, _) => "it was not read to its end".to_owned(),
                (files, megabytes) => format!("{}, {} MB", counted(files, "file"), count(megabytes)),
            },
        );
        let _ = writeln!(
            ctx.err,
            "warning: the time budget is used up; source `{}` goes on at the next run: {what}",
            left.source
        );
    }
    for failed in &collection.failed_sources {
        let _ = writeln!(ctx.err, "error: source `{}`: {}", failed.source, clean(&failed.message));
        let _ = writeln!(ctx.err, "hint: {}", failed.hint);
    }
}
