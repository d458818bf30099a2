//! The TOML format of price books: one file per provider, rates as text so that no float ever holds them.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use serde::Deserialize;

use super::PriceBookError;
use super::units::{self, Amount, Sizes, UnitFile};
use crate::domain::price::{
    Above, Allowance, AllowancePeriod, Book, Entry, Fees, Hours, NameMap, Price, Rates, Tier, provider_key,
};
use crate::domain::table::{optional, table};
use crate::domain::usage::Bucket;
use crate::domain::written::optional_day;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) providers: Vec<String>,
    #[serde(default)]
    version: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    checked: String,
    /// Of every price of the file that has none of its own.
    file_search_1000: Option<Amount>,
    /// The same.
    code_execution_1000: Option<Amount>,
    #[serde(default)]
    entry: Vec<EntryFile>,
    #[serde(default)]
    map: Vec<MapFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapFile {
    #[serde(default)]
    provider: String,
    #[serde(default)]
    account: String,
    name: String,
    #[serde(default)]
    model: String,
    #[serde(default)]
    as_provider: String,
    #[serde(default)]
    free: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryFile {
    model: String,
    #[serde(default)]
    aliases: Vec<String>,
    source: Option<String>,
    checked: Option<String>,
    price: Vec<PriceFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceFile {
    #[serde(default, deserialize_with = "optional_day")]
    from: Option<NaiveDate>,
    #[serde(default, deserialize_with = "optional_day")]
    to: Option<NaiveDate>,
    #[serde(default, deserialize_with = "optional_day")]
    known_from: Option<NaiveDate>,
    #[serde(default, deserialize_with = "optional")]
    hours: Option<HoursFile>,
    #[serde(default, deserialize_with = "table")]
    rates: RatesFile,
    #[serde(default)]
    above: Vec<AboveFile>,
    #[serde(default)]
    tiers: BTreeMap<String, TierFile>,
    #[serde(default)]
    speeds: BTreeMap<String, Amount>,
    #[serde(default)]
    geographies: BTreeMap<String, Amount>,
    #[serde(default)]
    units: BTreeMap<String, UnitFile>,
    web_search_1000: Option<Amount>,
    #[serde(default, deserialize_with = "optional")]
    search_context_1000: Option<Sizes>,
    #[serde(default, deserialize_with = "optional")]
    free_searches: Option<AllowanceFile>,
    file_search_1000: Option<Amount>,
    code_execution_1000: Option<Amount>,
    request_1000: Option<Amount>,
    minimum: Option<Amount>,
    #[serde(default)]
    audio_as_text: bool,
    #[serde(default)]
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoursFile {
    from: String,
    to: String,
    zone: Option<String>,
    #[serde(default)]
    weekdays: Vec<u32>,
    weekday_zone: Option<String>,
    weekday_offset_hours: Option<i8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowanceFile {
    count: u64,
    per: PerFile,
    group: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum PerFile {
    Day,
    Month,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RatesFile {
    input: Option<Amount>,
    cache_read: Option<Amount>,
    cache_write_5m: Option<Amount>,
    cache_write_30m: Option<Amount>,
    cache_write_1h: Option<Amount>,
    cache_write_12h: Option<Amount>,
    output: Option<Amount>,
    reasoning: Option<Amount>,
    audio_in: Option<Amount>,
    audio_out: Option<Amount>,
    image_in: Option<Amount>,
    image_out: Option<Amount>,
    video_in: Option<Amount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AboveFile {
    prompt: u64,
    #[serde(default)]
    inclusive: bool,
    #[serde(deserialize_with = "table")]
    rates: RatesFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TierFile {
    factor: Option<Amount>,
    #[serde(default, deserialize_with = "table")]
    rates: RatesFile,
    #[serde(default)]
    above: Vec<AboveFile>,
    #[serde(default)]
    units: BTreeMap<String, UnitFile>,
}

/// Adds one file's entries and maps to a book.
pub(super) fn read_into(text: &str, path: &str, book: &mut Book) -> Result<(), PriceBookError> {
    add(parse(text, path)?, path, book)
}

/// Reads what a file holds.
pub(super) fn parse(text: &str, path: &str) -> Result<File, PriceBookError> {
    toml::from_str(text).map_err(|e| PriceBookError::Format {
        path: path.to_owned(),
        cause: e.to_string().trim_end().to_owned(),
    })
}

/// Whether price books call a provider by another name than this one.
pub(super) fn is_other_spelling(provider: &str) -> bool {
    provider_key(provider) != provider.trim().to_lowercase()
}

/// Adds what a file holds.
pub(super) fn add(mut file: File, path: &str, book: &mut Book) -> Result<(), PriceBookError> {
    let wrong = |cause: String| PriceBookError::Format {
        path: path.to_owned(),
        cause,
    };
    file.providers.sort_by_key(|name| is_other_spelling(name));
    if file.providers.is_empty() && !file.entry.is_empty() {
        return Err(wrong("`providers` is missing".to_owned()));
    }
    if file.version > book.version {
        book.version.clone_from(&file.version);
    }
    for map in file.map {
        if map.free == map.model.is_empty() {
            book.map(NameMap {
                provider: map.provider,
                account: map.account,
                name: map.name,
                model: map.model,
                as_provider: map.as_provider,
                free: map.free,
            });
        } else {
            let name = map.name;
            return Err(wrong(format!("map `{name}`: give either `model` or `free = true`")));
        }
    }
    let (file_search, code_execution) = (file.file_search_1000, file.code_execution_1000);
    for entry in file.entry {
        let model = entry.model.as_str();
        let prices = entry.price.into_iter().map(|mut p| {
            p.file_search_1000 = p.file_search_1000.or(file_search);
            p.code_execution_1000 = p.code_execution_1000.or(code_execution);
            price(model, p)
        });
        let prices: Result<Vec<_>, _> = prices.collect();
        let prices = prices.and_then(|prices| always_once(&prices).map(|()| prices));
        let ready = Entry {
            prices: prices.map_err(|e| wrong(format!("entry `{}`: {e}", entry.model)))?,
            id: entry.model,
            aliases: entry.aliases,
            clause: None,
            source: entry.source.unwrap_or_else(|| file.source.clone()),
            checked: entry.checked.unwrap_or_else(|| file.checked.clone()),
        };
        for provider in &file.providers {
            // Who wrote prices for two spellings did so when these were two providers.
            if !book.add(&provider_key(provider), ready.clone()) && !is_other_spelling(provider) {
                return Err(wrong(format!("entry `{}` of `{provider}` is there already", ready.id)));
            }
        }
    }
    Ok(())
}

/// Of two prices without dates and hours only the last would ever hold.
fn always_once(prices: &[Price]) -> Result<(), String> {
    let always = |p: &&Price| p.from.is_none() && p.to.is_none() && p.known_from.is_none() && p.hours.is_none();
    match prices.iter().filter(always).count() {
        0 | 1 => Ok(()),
        n => Err(format!(
            "{n} prices without `from`, `to` or `hours`: only the last would ever hold"
        )),
    }
}

fn price(model: &str, file: PriceFile) -> Result<Price, String> {
    if let (Some(from), Some(to)) = (file.from, file.to)
        && from >= to
    {
        return Err(format!("`from` {from} is not before `to` {to}"));
    }
    let hours = file.hours.map(hours).transpose()?;
    let search_context = file.search_context_1000.unwrap_or_default();
    if file.web_search_1000.is_none() && !search_context.by_size().is_empty() && search_context.medium().is_none() {
        return Err("`search_context_1000` needs `medium`, which is what counts where a log names no size".to_owned());
    }
    let amounts = |map: BTreeMap<String, Amount>| map.into_iter().map(|(k, v)| (k.to_lowercase(), v.0)).collect();
    Ok(Price {
        from: file.from,
        to: file.to,
        known_from: file.known_from,
        hours,
        rates: rates(&file.rates),
        above: above(file.above)?,
        tiers: file
            .tiers
            .into_iter()
            .map(|(name, t)| {
                let tier = Tier {
                    factor: t.factor.map(|f| f.0),
                    rates: rates(&t.rates),
                    above: above(t.above)?,
                    units: units::units(t.units)?,
                };
                Ok((name.to_lowercase(), tier))
            })
            .collect::<Result<_, String>>()?,
        speeds: amounts(file.speeds),
        geographies: amounts(file.geographies),
        units: units::units(file.units)?,
        fees: Fees {
            // What a search costs where no size is named is what one of size medium costs.
            web_search: search_context.medium().or(file.web_search_1000.map(|a| a.0)),
            search_context: search_context.by_size(),
            free_searches: file.free_searches.map(|f| Allowance {
                count: f.count,
                per: match f.per {
                    PerFile::Day => AllowancePeriod::Day,
                    PerFile::Month => AllowancePeriod::Month,
                },
                group: f.group.unwrap_or_else(|| model.to_owned()),
            }),
            file_search: file.file_search_1000.map(|a| a.0),
            code_execution: file.code_execution_1000.map(|a| a.0),
            request: file.request_1000.map(|a| a.0),
        },
        minimum: file.minimum.map(|a| a.0),
        audio_as_text: file.audio_as_text,
        note: file.note,
    })
}

/// The zone of a fixed distance east of UTC. The names have the sign of POSIX: west counts as positive.
fn offset(hours: i8) -> String {
    format!("Etc/GMT{:+}", -i16::from(hours))
}

fn hours(file: HoursFile) -> Result<Hours, String> {
    let time = |text: &str| {
        NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| format!("`{text}` is not a time of day such as `00:30`"))
    };
    let zone = |text: &str| text.parse::<Tz>().map_err(|_| format!("`{text}` is not a time zone"));
    let own = file.zone.as_deref().map_or(Ok(Tz::UTC), zone)?;
    let weekday_zone = match (&file.weekday_zone, file.weekday_offset_hours) {
        (Some(name), _) => zone(name)?,
        (None, Some(hours)) => zone(&offset(hours))?,
        (None, None) => own,
    };
    if file.weekdays.iter().any(|day| !(1..=7).contains(day)) {
        return Err("a weekday is none of 1 (Monday) to 7 (Sunday)".to_owned());
    }
    Ok(Hours {
        from: time(&file.from)?,
        to: time(&file.to)?,
        zone: own,
        weekdays: file.weekdays,
        weekday_zone,
    })
}

fn above(list: Vec<AboveFile>) -> Result<Vec<Above>, String> {
    let mut all: Vec<Above> = list
        .into_iter()
        .map(|a| Above {
            prompt: a.prompt,
            inclusive: a.inclusive,
            rates: rates(&a.rates),
        })
        .collect();
    all.sort_by_key(|a| a.prompt);
    match all.windows(2).find(|w| matches!(w, [a, b] if a.prompt == b.prompt)) {
        Some([twice, ..]) => Err(format!("`above` has `prompt = {}` twice", twice.prompt)),
        _ => Ok(all),
    }
}

fn rates(file: &RatesFile) -> Rates {
    let mut rates = Rates::default();
    rates.reasoning = file.reasoning.map(|a| a.0);
    let pairs = [
        (Bucket::InputUncached, file.input),
        (Bucket::CacheRead, file.cache_read),
        (Bucket::CacheWrite5m, file.cache_write_5m),
        (Bucket::CacheWrite30m, file.cache_write_30m),
        (Bucket::CacheWrite1h, file.cache_write_1h),
        (Bucket::CacheWrite12h, file.cache_write_12h),
        (Bucket::Output, file.output),
        (Bucket::AudioIn, file.audio_in),
        (Bucket::AudioOut, file.audio_out),
        (Bucket::ImageIn, file.image_in),
        (Bucket::ImageOut, file.image_out),
        (Bucket::VideoIn, file.video_in),
    ];
    for (bucket, amount) in pairs {
        if let Some(amount) = amount {
            rates.set(bucket, amount.0);
        }
    }
    rates
}
