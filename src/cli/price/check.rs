//! `finops price check`: what a person should look at before a book prices anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{guess, load, put, put_rows, unusable, warn};
use crate::adapters::prices;
use crate::cli::{CliError, Context, Exit, Format};
use crate::domain::price::{Book, Entry, Parts};

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
        other_maps(&old, &new, &mut findings);
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
    if findings.is_empty() && ctx.format == Format::Table {
        put(ctx, "no findings\n")?;
    } else {
        put_rows(ctx, &header, &findings, "findings")?;
    }
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
        for (what, before, after) in changes(was, is, day) {
            let zero = |d: Option<Decimal>| d.is_some_and(|d| d.is_zero());
            let kind = match (before, after) {
                (Some(_), None) => "vanished",
                _ if zero(after) && !zero(before) => "newly zero",
                _ => "changed",
            };
            findings.push(finding(kind, provider, name, &what, before, after));
        }
    }
}

/// Maps of which a version has others than the other one.
fn other_maps(old: &Book, new: &Book, findings: &mut Vec<Vec<String>>) {
    let (was, is) = (maps(old), maps(new));
    let all: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    for key in all {
        let (before, after) = (was.get(key), is.get(key));
        if before == after {
            continue;
        }
        let kind = if after.is_none() { "vanished" } else { "changed" };
        let (provider, name, account) = key;
        let what = match *account {
            "" => "map".to_owned(),
            account => format!("map of account {account}"),
        };
        let [before, after] = [before, after].map(|to| to.cloned().unwrap_or_default());
        findings.push(vec![
            kind.to_owned(),
            (*provider).to_owned(),
            (*name).to_owned(),
            what,
            before,
            after,
        ]);
    }
}

/// What names lead to, by provider, name and account; of two maps of one name the first.
fn maps(book: &Book) -> BTreeMap<(&str, &str, &str), String> {
    let mut all = BTreeMap::new();
    for map in book.maps() {
        let to = match (map.free, map.as_provider.as_str()) {
            (true, _) => "free".to_owned(),
            (false, "") => map.model.clone(),
            (false, provider) => format!("{} as sold by {provider}", map.model),
        };
        let key = (map.provider.as_str(), map.name.as_str(), map.account.as_str());
        all.entry(key).or_insert(to);
    }
    all
}

type Difference = (String, Option<Decimal>, Option<Decimal>);

/// What differs at any time, each once; of another time than today, from when on.
fn changes(a: &Entry, b: &Entry, today: NaiveDate) -> Vec<Difference> {
    let mut days: BTreeSet<NaiveDate> = a.turns().chain(b.turns()).collect();
    days.insert(NaiveDate::MIN);
    let last = days.range(..=today).next_back().copied();
    let mut all: Vec<Difference> = Vec::new();
    let mut seen: BTreeSet<Difference> = BTreeSet::new();
    // Today's first, in their own words.
    let others = days.iter().copied().filter(|day| Some(*day) != last);
    for day in last.into_iter().chain(others) {
        for difference in differences(&a.parts_on(day), &b.parts_on(day)) {
            if !seen.insert(difference.clone()) {
                continue;
            }
            let (what, before, after) = difference;
            let when = match day {
                _ if Some(day) == last => String::new(),
                NaiveDate::MIN => days.iter().nth(1).map_or(String::new(), |end| format!(" before {end}")),
                day => format!(" from {day}"),
            };
            all.push((what + &when, before, after));
        }
    }
    all
}

fn disagreements(trusted: &Book, ours: &Named<'_>, other: &Book, day: NaiveDate, findings: &mut Vec<Vec<String>>) {
    let kind = format!("{} disagrees with {}", other.name, trusted.name);
    for ((provider, name), theirs) in by_name(other) {
        if let Some(mine) = ours.get(&(provider.clone(), name.clone())) {
            for (bucket, before, after) in differences(&mine.paid_on(day), &theirs.paid_on(day)) {
                if before.is_some() && after.is_some() {
                    findings.push(finding(&kind, &provider, &name, &bucket, before, after));
                }
            }
        }
    }
}

fn differences(before: &Parts, after: &Parts) -> Vec<Difference> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let pairs = names
        .into_iter()
        .map(|name| (name.clone(), before.get(name).copied(), after.get(name).copied()));
    pairs.filter(|(_, before, after)| before != after).collect()
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
