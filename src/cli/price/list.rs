//! `finops price list`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{instant, load, put_rows, warn};
use crate::cli::{CliError, Context, Exit};
use crate::domain::price::{Fees, Hours, Price, provider_key};
use crate::domain::usage::Bucket;

/// Which prices to list.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only this provider's
    #[arg(long)]
    provider: Option<String>,
    /// The prices that held then: a date or an RFC 3339 time [default: now]
    #[arg(long, value_parser = instant)]
    at: Option<DateTime<Utc>>,
}

fn hours(hours: &Hours) -> String {
    let (from, to) = (hours.from.format("%H:%M"), hours.to.format("%H:%M"));
    let span = format!("{from}-{to} {}", hours.zone.name());
    let days: Vec<String> = hours.weekdays.iter().map(u32::to_string).collect();
    if days.is_empty() {
        span
    } else {
        format!("{span} weekdays {}", days.join(" "))
    }
}

/// Names with their amounts: `us 1.1, (none) 1.1`.
fn amounts<'n>(all: impl IntoIterator<Item = (&'n str, Decimal)>) -> String {
    let all = all.into_iter().map(|(name, amount)| {
        let name = if name.is_empty() { "(none)" } else { name };
        format!("{name} {}", amount.normalize())
    });
    all.collect::<Vec<_>>().join(", ")
}

/// Factors, unless none of them changes anything.
fn factors(all: &BTreeMap<String, Decimal>) -> String {
    let differ = all.values().any(|factor| *factor != Decimal::ONE);
    amounts(
        all.iter()
            .filter(|_| differ)
            .map(|(name, factor)| (name.as_str(), *factor)),
    )
}

/// USD per thousand, each size of a search's context apart.
fn fees(fees: &Fees) -> String {
    let flat = [
        ("web_search", fees.web_search),
        ("file_search", fees.file_search),
        ("code_execution", fees.code_execution),
        ("request", fees.request),
    ];
    let sizes = fees
        .search_context
        .iter()
        .map(|(size, fee)| (format!("web_search {}", size.name()), *fee));
    let flat = flat.into_iter().filter_map(|(name, fee)| Some((name.to_owned(), fee?)));
    let all: Vec<(String, Decimal)> = flat.chain(sizes).collect();
    amounts(all.iter().map(|(name, fee)| (name.as_str(), *fee)))
}

/// USD for one of what is sold by the piece.
fn units(price: &Price) -> String {
    let all: Vec<(String, Decimal)> = price
        .units
        .iter()
        .map(|(key, unit)| (key.to_string(), unit.rate))
        .collect();
    amounts(all.iter().map(|(name, rate)| (name.as_str(), *rate)))
}

pub(super) fn run(ctx: &mut Context<'_>, args: &ListArgs) -> Result<Exit, CliError> {
    let pricer = load(ctx)?;
    warn(ctx, pricer.warnings());
    let day = args.at.unwrap_or(ctx.now).date_naive();
    let only = args.provider.as_deref().map(provider_key);
    let books = pricer.books().books();
    let is_known = |only: &str| {
        books
            .iter()
            .any(|book| book.entries().iter().any(|(provider, _)| *provider == only))
    };
    if let Some(only) = only.as_deref().filter(|only| !is_known(only)) {
        return Err(CliError::usage(format!("no price book has prices of `{only}`"))
            .hint("`finops price list` lists those of all providers"));
    }
    let mut rows = Vec::new();
    for book in books {
        for (provider, entry) in book.entries() {
            if only.as_deref().is_some_and(|only| only != provider) {
                continue;
            }
            for price in entry.all_on(day) {
                let mut row = vec![provider.to_owned(), entry.id.clone()];
                row.extend(
                    [
                        Bucket::InputUncached,
                        Bucket::CacheRead,
                        Bucket::CacheWrite5m,
                        Bucket::CacheWrite1h,
                        Bucket::Output,
                    ]
                    .map(|b| {
                        price
                            .rates
                            .get(b)
                            .map(|r| r.normalize().to_string())
                            .unwrap_or_default()
                    }),
                );
                let media = Bucket::MEDIA.into_iter().filter_map(|b| Some((b, price.rates.get(b)?)));
                let media: Vec<String> = media.map(|(b, r)| format!("{} {}", b.name(), r.normalize())).collect();
                row.push(media.join(", "));
                row.push(price.tiers.keys().cloned().collect::<Vec<_>>().join(" "));
                row.push(
                    price
                        .above
                        .iter()
                        .map(|a| a.prompt.to_string())
                        .collect::<Vec<_>>()
                        .join(" "),
                );
                row.push(price.from.map(|d| d.to_string()).unwrap_or_default());
                row.push(price.to.map(|d| d.to_string()).unwrap_or_default());
                row.push(price.hours.as_ref().map(hours).unwrap_or_default());
                row.push(book.name.clone());
                row.push(factors(&price.speeds));
                row.push(factors(&price.geographies));
                row.push(fees(&price.fees));
                row.push(units(price));
                rows.push(row);
            }
        }
    }
    let header = [
        "provider",
        "model",
        "input",
        "cache_read",
        "cache_write_5m",
        "cache_write_1h",
        "output",
        "media",
        "tiers",
        "thresholds",
        "from",
        "to",
        "hours",
        "book",
        "speeds",
        "geographies",
        "fees",
        "units",
    ];
    put_rows(ctx, &header, &rows, "prices")?;
    Ok(Exit::Fine)
}
