//! `finops price check`: what a person should look at before a book prices anything.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{guess, load, put_rows, unusable, warn};
use crate::adapters::prices;
use crate::cli::{CliError, Context, Exit};
use crate::domain::price::{Book, Entry};
use crate::domain::usage::Bucket;

/// What to compare. Without files: the configured books with each other, today.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The version in use
    #[arg(long, requires = "new")]
    old: Option<PathBuf>,
    /// The version that may replace it
    #[arg(long, requires = "old")]
    new: Option<PathBuf>,
}

pub(super) fn run(ctx: &mut Context<'_>, args: &CheckArgs) -> Result<Exit, CliError> {
    let day = ctx.now.date_naive();
    let mut findings = Vec::new();
    if let (Some(old), Some(new)) = (&args.old, &args.new) {
        let mut warnings = Vec::new();
        let old = prices::read(&guess("old", old)?, &mut warnings).map_err(unusable)?;
        let new = prices::read(&guess("new", new)?, &mut warnings).map_err(unusable)?;
        warn(ctx, &warnings);
        versions(&by_name(&old), &by_name(&new), day, &mut findings);
    } else {
        let pricer = load(ctx)?;
        warn(ctx, pricer.warnings());
        let books = pricer.books().books();
        for (at, trusted) in books.iter().enumerate() {
            let ours = by_name(trusted);
            for other in books.iter().skip(at + 1) {
                disagreements(trusted, &ours, other, day, &mut findings);
            }
        }
    }
    let header = ["finding", "provider", "model", "bucket", "before", "after"];
    put_rows(ctx, &header, &findings, "findings")?;
    Ok(if findings.is_empty() {
        Exit::Fine
    } else {
        Exit::Findings
    })
}

type Named<'a> = BTreeMap<(String, String), &'a Entry>;

fn by_name(book: &Book) -> Named<'_> {
    let mut named = BTreeMap::new();
    for (provider, entry) in book.entries() {
        for name in std::iter::once(&entry.id).chain(&entry.aliases) {
            named.entry((provider.to_owned(), name.to_lowercase())).or_insert(entry);
        }
    }
    named
}

fn versions(old: &Named<'_>, new: &Named<'_>, day: NaiveDate, findings: &mut Vec<Vec<String>>) {
    for ((provider, name), was) in old {
        let Some(is) = new.get(&(provider.clone(), name.clone())) else {
            findings.push(finding("vanished", provider, name, "", None, None));
            continue;
        };
        for (bucket, before, after) in differences(was, is, day) {
            let zero = |d: Option<Decimal>| d.is_some_and(|d| d.is_zero());
            let kind = if zero(after) && !zero(before) {
                "newly zero"
            } else {
                "changed"
            };
            findings.push(finding(kind, provider, name, bucket, before, after));
        }
    }
}

fn disagreements(trusted: &Book, ours: &Named<'_>, other: &Book, day: NaiveDate, findings: &mut Vec<Vec<String>>) {
    let kind = format!("{} disagrees with {}", other.name, trusted.name);
    for ((provider, name), theirs) in by_name(other) {
        if let Some(mine) = ours.get(&(provider.clone(), name.clone())) {
            for (bucket, before, after) in differences(mine, theirs, day) {
                if before.is_some() && after.is_some() {
                    findings.push(finding(&kind, &provider, &name, bucket, before, after));
                }
            }
        }
    }
}

fn differences(a: &Entry, b: &Entry, day: NaiveDate) -> Vec<(&'static str, Option<Decimal>, Option<Decimal>)> {
    let rate = |entry: &Entry, bucket| entry.on(day).and_then(|p| p.rates.get(bucket));
    Bucket::ALL
        .into_iter()
        .map(|bucket| (bucket.name(), rate(a, bucket), rate(b, bucket)))
        .filter(|(_, before, after)| before != after)
        .collect()
}

fn finding(
    kind: &str,
    provider: &str,
    name: &str,
    bucket: &str,
    before: Option<Decimal>,
    after: Option<Decimal>,
) -> Vec<String> {
    let text = |rate: Option<Decimal>| rate.map(|r| r.normalize().to_string()).unwrap_or_default();
    [kind, provider, name, bucket]
        .into_iter()
        .map(str::to_owned)
        .chain([text(before), text(after)])
        .collect()
}
