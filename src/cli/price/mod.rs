//! `finops price`: what a call costs, what the books say, and where they differ.

mod advice;
mod check;
mod diff;
mod list;
mod missing;
mod quote;
pub mod receipt;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use unicode_width::UnicodeWidthStr;

use super::text::{Align, Column, Cut, GAP, Room, csv_cell, cut, fitted, shorten, unicode_locale};
// Names come from files that anyone may write.
pub(super) use super::text::clean as shown;
use super::{CliError, Context, Exit, Format};
use crate::adapters::prices::{self, BookKind, BookPricer, BookSpec, PriceBookError};
use crate::config::{Config, PriceBookKind};
use crate::domain::period::{Period, midnight};
use crate::domain::plausible::plausible;
use crate::domain::price::{Book, Books, NameMap};
use crate::engine::explain::always;

/// The arguments of `finops price`.
#[derive(Debug, clap::Args)]
pub struct PriceArgs {
    #[command(subcommand)]
    command: PriceCommand,
}

#[derive(Debug, clap::Subcommand)]
enum PriceCommand {
    /// Price one call and show the receipt
    Quote(Box<quote::QuoteArgs>),
    /// List the prices that hold
    List(list::ListArgs),
    /// Show calls without a price, what they may cost, and what to write to price them
    Missing(missing::MissingArgs),
    /// Show what changed prices do to your usage, per month
    Diff(diff::DiffArgs),
    /// Find entries that vanished, became free, changed, or on which two books disagree
    Check(check::CheckArgs),
}

/// Runs `finops price`.
pub fn run(ctx: &mut Context<'_>, args: &PriceArgs) -> Result<Exit, CliError> {
    match &args.command {
        PriceCommand::Quote(args) => quote::run(ctx, args),
        PriceCommand::List(args) => list::run(ctx, args),
        PriceCommand::Missing(args) => missing::run(ctx, args),
        PriceCommand::Diff(args) => diff::run(ctx, args),
        PriceCommand::Check(args) => check::run(ctx, args),
    }
}

/// Loads the books that the settings name: `policies/prices` over the built-in book over the configured ones.
pub fn load(ctx: &Context<'_>) -> Result<BookPricer, CliError> {
    load_from(&ctx.config)
}

/// The same from settings.
pub fn load_from(config: &Config) -> Result<BookPricer, CliError> {
    let maps = config.price_maps.iter().map(NameMap::from).collect();
    let policies = super::wire::policies(config)?;
    prices::load_with(Some(&policies), maps, &configured(config)).map_err(unusable)
}

/// The configured books by name, each with a text that is another one when its content is.
pub fn contents(config: &Config) -> Result<Vec<(String, String)>, CliError> {
    let books = configured(config).into_iter().map(|spec| {
        let content = prices::content(&spec).map_err(unusable)?;
        Ok((spec.name, content))
    });
    books.collect()
}

fn configured(config: &Config) -> Vec<BookSpec> {
    let spec = |book: &crate::config::PriceBookConfig| BookSpec {
        name: book.name.clone(),
        kind: match book.kind {
            PriceBookKind::Finops => BookKind::Finops,
            PriceBookKind::Litellm => BookKind::Litellm,
            PriceBookKind::GenaiPrices => BookKind::GenaiPrices,
        },
        path: config.base.join(&book.path),
    };
    config.price_books.iter().map(spec).collect()
}

/// The books with this one before all others: a configured book by its name, or a file. A file in our own format stands for one of
/// `policies/prices`, and holds as those do, but for a version of what is built in.
pub fn load_first(ctx: &Context<'_>, book: &str) -> Result<Books, CliError> {
    let specs = configured(&ctx.config);
    let named = specs.into_iter().find(|spec| spec.name == book);
    let is_file = named.is_none();
    let spec = named.map_or_else(|| guess(book, Path::new(book)), Ok)?;
    let mut first = prices::read(&spec, &mut Vec::new()).map_err(unusable)?;
    first.overlay = is_file && spec.kind == BookKind::Finops && (is_own(ctx, &spec.path) || !is_version(&first));
    let others = load(ctx)?;
    let all = std::iter::once(first).chain(others.books().books().iter().cloned());
    Ok(Books::new(all.collect()))
}

/// Whether a file is one of `policies/prices`.
fn is_own(ctx: &Context<'_>, path: &Path) -> bool {
    let folder = ctx.config.policies_dir().join("prices").canonicalize();
    path.canonicalize()
        .is_ok_and(|path| folder.is_ok_and(|folder| path.starts_with(folder)))
}

/// Whether a book has half of the models that the built-in one has of a provider: another version of that, not a price of one's own.
fn is_version(book: &Book) -> bool {
    let own: BTreeSet<(&str, &str)> = book
        .entries()
        .iter()
        .map(|(of, entry)| (*of, entry.id.as_str()))
        .collect();
    let mut models: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let built_in = prices::built_in();
    let entries = built_in.entries();
    for (of, entry) in &entries {
        let (all, held) = models.entry(of).or_default();
        *all += 1;
        *held += usize::from(own.contains(&(*of, entry.id.as_str())));
    }
    models.values().any(|(all, held)| held * 2 >= *all)
}

/// The format of a file by its beginning: TOML by name, a JSON array is genai-prices, an object LiteLLM.
fn guess(name: &str, path: &Path) -> Result<BookSpec, CliError> {
    let kind = if path.is_dir() {
        BookKind::Finops
    } else {
        let text = std::fs::read_to_string(path).map_err(|cause| {
            CliError::usage(format!("cannot read price book `{}`: {cause}", path.display()))
                .hint("name a file, or a `[[price_book]]` of the settings")
        })?;
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("toml")) {
            BookKind::Finops
        } else if text.trim_start().starts_with('[') {
            BookKind::GenaiPrices
        } else {
            BookKind::Litellm
        }
    };
    Ok(BookSpec {
        name: name.to_owned(),
        kind,
        path: path.to_owned(),
    })
}

/// What to do about a price book that cannot be used.
pub const BOOKS_HINT: &str =
    "mend the file, or take it out; `The format` in docs/pricing/books.md says what a price book looks like";

fn unusable(error: PriceBookError) -> CliError {
    CliError::usage(error.to_string()).hint(BOOKS_HINT)
}

pub(super) fn warn(ctx: &mut Context<'_>, warnings: &[String]) {
    if ctx.verbosity > 0 {
        for warning in warnings {
            // Talk that cannot be shown is no reason to fail.
            let _ = writeln!(ctx.err, "warning: {warning}");
        }
    }
}

/// A day, taken at its first second, or an instant.
pub(super) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return plausible(day.and_time(NaiveTime::MIN).and_utc());
    }
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.with_timezone(&Utc))
        .map_err(|_| format!("`{text}` is neither a date such as 2026-10-20 nor an RFC 3339 time"))
        .and_then(plausible)
}

/// From or to when, as it was written: a day is one of whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Its first second, in some zone.
    Day(NaiveDate),
    /// Wherever.
    At(DateTime<Utc>),
}

impl Moment {
    /// A date, or an RFC 3339 time.
    pub fn parse(text: &str) -> Result<Self, String> {
        let at = instant(text)?;
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d");
        Ok(day.map_or(Moment::At(at), Moment::Day))
    }
}

/// What was asked for, by the days of `[report] time_zone`, as reports count.
pub fn asked(ctx: &Context<'_>, from: Option<Moment>, to: Option<Moment>) -> Result<Period, CliError> {
    let zone = ctx.config.report.zone().map_err(CliError::usage)?;
    let at = |moment: Moment| match moment {
        Moment::Day(day) => midnight(day, zone),
        Moment::At(at) => at,
    };
    let all = always();
    Ok(Period::new(from.map_or(all.start, at), to.map_or(all.end, at)))
}

pub(super) fn put(ctx: &mut Context<'_>, text: &str) -> Result<(), CliError> {
    ctx.out
        .write_all(text.as_bytes())
        .map_err(|cause| CliError::incomplete(format!("cannot write the output: {cause}")))
}

/// Rows in the format asked for; JSON is an array of objects of text.
pub(super) fn put_rows(
    ctx: &mut Context<'_>,
    header: &[&str],
    rows: &[Vec<String>],
    key: &str,
) -> Result<(), CliError> {
    put_within(ctx, header, rows, key, Room::ANY)
}

/// The same, as a table fitted into the terminal.
pub(super) fn put_fitted(
    ctx: &mut Context<'_>,
    header: &[&str],
    rows: &[Vec<String>],
    key: &str,
) -> Result<(), CliError> {
    put_within(ctx, header, rows, key, ctx.room)
}

fn put_within(
    ctx: &mut Context<'_>,
    header: &[&str],
    rows: &[Vec<String>],
    key: &str,
    room: Room,
) -> Result<(), CliError> {
    let object = |row: &Vec<String>| -> serde_json::Value {
        header
            .iter()
            .zip(row)
            .map(|(k, v)| ((*k).to_owned(), serde_json::Value::from(v.clone())))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let text = match ctx.format {
        Format::Json => {
            let all: Vec<serde_json::Value> = rows.iter().map(object).collect();
            format!("{:#}\n", serde_json::json!({ "schema_version": 1, key: all }))
        }
        Format::Jsonl => rows.iter().map(|row| format!("{}\n", object(row))).collect(),
        Format::Csv => csv_text(header, rows)?,
        Format::Markdown => {
            let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            let head = line(header.iter().map(|h| (*h).to_owned()).collect());
            let rule = line(header.iter().map(|_| "---".to_owned()).collect());
            let body = rows
                .iter()
                .map(|r| line(r.iter().map(|c| shown(c).replace('|', "\\|")).collect()));
            format!("{head}{rule}{}", body.collect::<String>())
        }
        Format::Table | Format::Html => table(header, rows, room),
    };
    put(ctx, &text)
}

fn csv_text(header: &[&str], rows: &[Vec<String>]) -> Result<String, CliError> {
    let failed = |cause: String| CliError::incomplete(format!("cannot write the output: {cause}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).map_err(|e| failed(e.to_string()))?;
    for row in rows {
        let cells = row.iter().map(|cell| csv_cell(cell));
        writer.write_record(cells).map_err(|e| failed(e.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|e| failed(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| failed(e.to_string()))
}

/// Which columns go first where there is no room, and which names may be cut: the first says what a row is about.
fn column(at: usize, name: &str, numbers: bool) -> Column {
    Column {
        header: name.to_owned(),
        align: if numbers { Align::Right } else { Align::Left },
        drop_order: match name {
            _ if at == 0 => 0,
            "priced_by" => 5,
            "first" | "last" => 4,
            "team" | "tokens" => 3,
            "at" => 2,
            "reason" => 1,
            _ => 0,
        },
        cut: if at > 0 && !numbers { Cut::Name } else { Cut::Never },
    }
}

/// Columns padded to their widest cell and fitted into the room that there is; numbers to the right.
pub(super) fn table(header: &[&str], rows: &[Vec<String>], room: Room) -> String {
    let number = |cell: &str| cell.chars().next().is_some_and(|c| c.is_ascii_digit());
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|c| shown(c)).collect()).collect();
    let columns: Vec<Column> = header
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let cells = || rows.iter().filter_map(move |row| row.get(at));
            let numbers = cells().any(|c| number(c)) && cells().all(|c| c.is_empty() || number(c));
            column(at, name, numbers)
        })
        .collect();
    let kept = fitted(&columns, &rows, room);
    let line = |row: &[String]| {
        let padded = kept.iter().map(|&(at, width)| {
            let cell = shorten(
                row.get(at).map_or("", String::as_str),
                width,
                unicode_locale(),
                cut(&columns, at),
            );
            let blank = " ".repeat(width.saturating_sub(cell.width()));
            match columns.get(at).map(|c| c.align) {
                Some(Align::Right) => blank + &cell,
                _ => cell + &blank,
            }
        });
        let padded: Vec<String> = padded.collect();
        format!("{}\n", padded.join(&" ".repeat(GAP)).trim_end())
    };
    let names: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    std::iter::once(&names).chain(&rows).map(|row| line(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_instants_are_read() {
        assert_eq!(instant("2026-10-20").unwrap().to_rfc3339(), "2026-10-20T00:00:00+00:00");
        assert_eq!(
            instant("2026-10-20T01:00:00+01:00").unwrap().to_rfc3339(),
            "2026-10-20T00:00:00+00:00"
        );
        assert!(instant("yesterday").is_err());
    }
}
