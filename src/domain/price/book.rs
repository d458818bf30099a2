//! What a price book says: entries per provider, each with prices that hold for a time.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::clause::Clause;
use super::provider::provider_key;
use super::seller::{bare, is_apart};
use super::shelf::{Reader, Shelves};
use super::units::UnitRate;
use crate::domain::glob::glob_matches;
use crate::domain::period::{Calendar, Period};
use crate::domain::usage::{Bucket, SearchContext, UnitKey};

/// Rates in USD per million tokens; a rate that the book does not give is absent, which is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    buckets: [Option<Decimal>; Bucket::ALL.len()],
    /// Of the reasoning part of output, only where it differs from output.
    pub reasoning: Option<Decimal>,
}

impl Rates {
    /// The rate of one bucket.
    #[must_use]
    pub fn get(&self, bucket: Bucket) -> Option<Decimal> {
        self.buckets.get(bucket as usize).copied().flatten()
    }

    /// Sets the rate of one bucket.
    pub fn set(&mut self, bucket: Bucket, rate: Decimal) {
        if let Some(slot) = self.buckets.get_mut(bucket as usize) {
            *slot = Some(rate);
        }
    }

    /// Whether no rate is given at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reasoning.is_none() && self.buckets.iter().all(Option::is_none)
    }

    /// Bucket and rate pairs that are given.
    pub fn iter(&self) -> impl Iterator<Item = (Bucket, Decimal)> + '_ {
        Bucket::ALL
            .into_iter()
            .filter_map(|b| self.get(b).map(|rate| (b, rate)))
    }
}

/// Rates for prompts beyond a size; they replace the base rates of the whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Above {
    /// Tokens of the whole prompt.
    pub prompt: u64,
    /// Whether a prompt of exactly that size is above already (xAI).
    pub inclusive: bool,
    /// The rates; one that is absent stays as below.
    pub rates: Rates,
}

impl Above {
    /// Whether a prompt of this size pays these rates.
    #[must_use]
    pub fn covers(&self, prompt: u64) -> bool {
        prompt > self.prompt || (self.inclusive && prompt == self.prompt)
    }
}

/// What a service tier changes: a factor on every rate, or rates of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tier {
    /// On every token rate, thresholds included.
    pub factor: Option<Decimal>,
    /// Own rates; one that is absent falls back to the standard rate, and the receipt says so.
    pub rates: Rates,
    /// Own rates above thresholds.
    pub above: Vec<Above>,
    /// Own rates of units; one that is absent has the factor on the standard rate.
    pub units: BTreeMap<UnitKey, UnitRate>,
}

/// A part of every day that may wrap midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// First instant.
    pub from: NaiveTime,
    /// First instant no longer in it. Equal to `from`: the whole day.
    pub to: NaiveTime,
    /// The zone of both.
    pub zone: Tz,
    /// ISO weekdays (Monday is 1), of the instant itself, not of the window's beginning; empty: all.
    pub weekdays: Vec<u32>,
    /// The zone whose weekday counts.
    pub weekday_zone: Tz,
}

impl Hours {
    /// Whether an instant lies within.
    #[must_use]
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        let weekday = || at.with_timezone(&self.weekday_zone).weekday().number_from_monday();
        let time = at.with_timezone(&self.zone).time();
        (self.weekdays.is_empty() || self.weekdays.contains(&weekday()))
            && if self.from < self.to {
                self.from <= time && time < self.to
            } else {
                self.from <= time || time < self.to
            }
    }
}

/// Uses that cost nothing, shared by a group of models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How many.
    pub count: u64,
    /// In how long.
    pub per: AllowancePeriod,
    /// Models of the same group share it.
    pub group: String,
}

/// How long an allowance lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AllowancePeriod {
    /// A UTC day.
    Day,
    /// A UTC calendar month.
    Month,
}

impl AllowancePeriod {
    /// The name in books and receipts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            AllowancePeriod::Day => "day",
            AllowancePeriod::Month => "month",
        }
    }

    /// The day or month around an instant.
    #[must_use]
    pub fn around(self, at: DateTime<Utc>) -> Period {
        let calendar = match self {
            AllowancePeriod::Day => Calendar::Day,
            AllowancePeriod::Month => Calendar::Month,
        };
        calendar.around(at, Tz::UTC)
    }
}

/// Fees by count, in USD per thousand; one that the book does not give is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    /// Web searches.
    pub web_search: Option<Decimal>,
    /// Where they depend on how much a search reads; a size that is absent costs as `web_search`.
    pub search_context: BTreeMap<SearchContext, Decimal>,
    /// Web searches that cost nothing.
    pub free_searches: Option<Allowance>,
    /// File searches.
    pub file_search: Option<Decimal>,
    /// Code executions.
    pub code_execution: Option<Decimal>,
    /// The call itself.
    pub request: Option<Decimal>,
}

/// What a model costs for a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// First UTC day; none: always.
    pub from: Option<NaiveDate>,
    /// First UTC day on which it no longer holds.
    pub to: Option<NaiveDate>,
    /// The day on which the book's keeper learnt of it; none: as long as the book exists. Not when it holds: when it was known.
    pub known_from: Option<NaiveDate>,
    /// Only at these hours.
    pub hours: Option<Hours>,
    /// The standard rates.
    pub rates: Rates,
    /// Rates for large prompts, by rising threshold.
    pub above: Vec<Above>,
    /// By tier: `batch`, `flex`, `priority`, …
    pub tiers: BTreeMap<String, Tier>,
    /// Factors on the token cost by speed: `fast`.
    pub speeds: BTreeMap<String, Decimal>,
    /// Factors on the token cost by geography. `*` is any other one that is named, the empty name none named.
    pub geographies: BTreeMap<String, Decimal>,
    /// Rates of seconds, pictures, pages and the like.
    pub units: BTreeMap<UnitKey, UnitRate>,
    /// Fees by count.
    pub fees: Fees,
    /// Audio in the prompt is priced as text where it has no rate of its own.
    pub audio_as_text: bool,
    /// The least that a call costs, USD.
    pub minimum: Option<Decimal>,
    /// Said on receipts.
    pub note: String,
}

impl Price {
    /// Whether it holds on that day.
    #[must_use]
    pub fn holds_on(&self, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day < to)
    }
}

/// A model in a book.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Its key in the book.
    pub id: String,
    /// Other exact names.
    pub aliases: Vec<String>,
    /// How names are matched beyond the exact ones.
    pub clause: Option<Clause>,
    /// Tried from the last to the first.
    pub prices: Vec<Price>,
    /// Where the provider publishes them.
    pub source: String,
    /// As of when they were gathered; not that anyone has compared them with the source since.
    pub checked: String,
}

impl Entry {
    /// The prices of that day in the order in which they are tried: those of some hours, then the one for all others.
    pub fn all_on(&self, day: NaiveDate) -> impl Iterator<Item = &Price> {
        let mut over = false;
        self.prices.iter().rev().filter(move |p| {
            let wanted = !over && p.holds_on(day);
            over |= wanted && p.hours.is_none();
            wanted
        })
    }

    /// The price of most hours of that day; none when the book has none.
    #[must_use]
    pub fn on(&self, day: NaiveDate) -> Option<&Price> {
        self.all_on(day).last()
    }
}

/// A name that only its owner can explain, and the model it stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameMap {
    /// Provider of the call; empty: any.
    pub provider: String,
    /// Account of the call, `*` and `?` allowed; empty: any.
    pub account: String,
    /// The name in the logs, `*` and `?` allowed.
    pub name: String,
    /// The model's name in a book.
    pub model: String,
    /// The provider under which the model is priced; empty: that of the call.
    pub as_provider: String,
    /// Nothing is charged for it: it runs on the owner's machines.
    pub free: bool,
}

impl NameMap {
    /// Whether it is the name of a model, which gateways write behind the provider. What is sold apart from its namesakes is meant by none
    /// of their names; `front` is what such a seller has before them (`azure_ai/`).
    fn names(&self, provider: &str, front: &str, model: &str) -> bool {
        let (name, short) = (self.name.to_lowercase(), bare(provider, model));
        let whole = match front {
            _ if is_apart(model) => model.to_owned(),
            "" if provider.is_empty() => String::new(),
            "" => format!("{provider}/{short}"),
            front => format!("{front}{short}"),
        };
        let behind = || is_apart(&name) == is_apart(&whole) && glob_matches(bare(provider, &name), short);
        let told = |as_told: &str| glob_matches(&name, as_told);
        told(model) || told(short) || told(&whole) || behind()
    }

    /// Whether it can be the name of a model at all. There may be thousands of maps and of names: without a pattern they end alike, whatever
    /// stands before a model.
    fn may_name(&self, model: &str) -> bool {
        fn last(name: &str) -> &str {
            name.rsplit('/').next().unwrap_or(name)
        }
        let (own, other) = (last(&self.name), last(model));
        self.name.contains(['*', '?']) || own.eq_ignore_ascii_case(other) || !(own.is_ascii() && other.is_ascii())
    }

    /// Whether a call is meant; `provider` in its one spelling, `front` of those that sell apart under it.
    pub(super) fn covers(&self, provider: &str, front: &str, account: &str, model: &str) -> bool {
        self.may_name(model)
            && (self.provider.is_empty() || provider_key(&self.provider) == provider)
            && (self.account.is_empty() || glob_matches(&self.account, account))
            && self.names(provider, front, &model.to_lowercase())
    }
}

/// One price book.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// In receipts.
    pub name: String,
    /// Of the book's content.
    pub version: String,
    /// An overlay adds to the next book: where it has no price on a date, the next one is asked.
    pub overlay: bool,
    pub(super) shelves: Shelves,
    pub(super) maps: Vec<NameMap>,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Book {
            name: name.to_owned(),
            version: version.to_owned(),
            ..Book::default()
        }
    }

    /// Adds an entry under a provider. A name that is taken keeps its first entry, but an id comes before aliases; false if that made this
    /// one unreachable.
    pub fn add(&mut self, provider: &str, entry: Entry) -> bool {
        self.shelves.add(provider, entry)
    }

    /// Adds the entries of a provider as a text that `reader` understands; each is read when it is first asked for. No provider has two texts,
    /// nor entries beside its text.
    pub fn add_text(&mut self, provider: &'static str, text: &'static str, reader: Reader) {
        self.shelves.add_text(provider, text, reader);
    }

    /// Adds a name of the owner's.
    pub fn map(&mut self, map: NameMap) {
        self.maps.push(map);
    }

    /// The book as it was known on a day: without what was learnt later. A price that a later one ends has no end there.
    #[must_use]
    pub fn known_on(&self, day: NaiveDate) -> Book {
        let mut book = self.clone();
        for entry in book.shelves.entries_mut() {
            let known = |p: &Price| p.known_from.is_none_or(|from| from <= day);
            let (kept, later): (Vec<Price>, Vec<Price>) = entry.prices.drain(..).partition(known);
            entry.prices = kept;
            for gone in later {
                for price in entry.prices.iter_mut().filter(|p| p.to.is_some() && p.to == gone.from) {
                    price.to = gone.to;
                }
            }
        }
        book
    }

    /// Every entry with its provider, sorted by both.
    #[must_use]
    pub fn entries(&self) -> Vec<(&str, &Entry)> {
        let mut all: Vec<(&str, &Entry)> = self
            .shelves
            .iter()
            .flat_map(|(p, s)| s.entries.iter().map(move |e| (p, e)))
            .collect();
        all.sort_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::NameMap;

    #[test]
    fn a_map_that_may_not_name_a_model_names_none() {
        let texts = [
            "gpt",
            "openai/GPT",
            "x/gpt",
            "xgpt",
            "?pt*",
            "converse/gpt",
            "a/b/gpt",
            "Ğpt",
            "ğpt",
            "/",
        ];
        for (name, model) in texts.iter().flat_map(|name| texts.map(|model| (*name, model))) {
            let mut map = NameMap::default();
            name.clone_into(&mut map.name);
            for provider in ["", "openai", "azure", "bedrock"] {
                let named = map.names(provider, "", &model.to_lowercase());
                assert_eq!(map.covers(provider, "", "", model), named, "{name} {provider} {model}");
            }
        }
    }
}
