//! What to write so that calls without a price get one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::adapters::owners::is_owners;
use crate::cli::text::clean;
use crate::domain::charge::UnpricedReason;
use crate::domain::label::Label;
use crate::domain::price::{Books, provider_key};
use crate::domain::usage::Bucket;
use crate::engine::missing::{Missing, Needs, Term};

/// What is to be written for a model, whatever the reasons: a file has one entry for it.
struct Wanted {
    model: Label,
    first: DateTime<Utc>,
    needs: Needs,
}

/// Knows what to write for all calls without a price together.
pub(super) struct Advisor {
    wanted: BTreeMap<(String, String), Wanted>,
    /// Those of each provider's own prices that is there, by the provider in its one spelling.
    files: BTreeMap<String, String>,
    /// Files of other names that have an entry of a model.
    holders: BTreeMap<(String, String), String>,
    /// The files of prices that are there, with what is in them.
    there: BTreeMap<String, String>,
    /// Where they are.
    folder: PathBuf,
    /// The settings.
    settings: PathBuf,
    /// What a map takes them for that no book knows.
    astray: BTreeMap<(String, String), String>,
}

/// What to do about calls without a price.
pub(super) struct Advice {
    /// In words.
    pub say: Cow<'static, str>,
    /// Where to write something.
    pub file: Option<String>,
    /// What the file begins with; nothing where it is there already.
    pub head: String,
    /// What to write.
    pub snippet: Option<String>,
    /// What is there of it.
    pub there: Option<&'static str>,
}

impl Advisor {
    /// `folder` is where files of prices are.
    pub fn of(found: &[Missing], folder: PathBuf, settings: PathBuf, books: &Books) -> Self {
        let mut astray = BTreeMap::new();
        for m in found.iter().filter(|m| m.reason == Some(UnpricedReason::UnknownModel)) {
            let map = books.mapped(m.provider.as_str(), m.model.as_str());
            if let Some(map) = map.filter(|map| !books.knows(map)) {
                astray.insert(entry_of(m), map.model.clone());
            }
        }
        let mut wanted: BTreeMap<(String, String), Wanted> = BTreeMap::new();
        let (mut there, mut files) = (BTreeMap::new(), BTreeMap::new());
        for m in found.iter().filter(|m| m.reason.is_some_and(is_written)) {
            let slot = wanted.entry(entry_of(m)).or_insert_with(|| Wanted {
                model: m.model,
                first: m.first,
                needs: Needs::default(),
            });
            slot.first = slot.first.min(m.first);
            slot.needs.add(&m.needs);
            let provider = provider_key(m.provider.as_str());
            for name in [overlay_name(&provider), overlay_name(m.provider.as_str())] {
                if let Ok(text) = std::fs::read_to_string(folder.join(&name)) {
                    there.insert(name.clone(), text);
                    files.entry(provider.clone()).or_insert(name);
                }
            }
        }
        let holders = holders(&folder);
        Advisor {
            wanted,
            files,
            holders,
            there,
            folder,
            settings,
            astray,
        }
    }

    /// What to do about these.
    pub fn advice(&self, m: &Missing) -> Advice {
        let say = match m.reason {
            Some(UnpricedReason::UnknownModel) if lacks_provider(m) => {
                "its records name no provider: set it at the source (`defaults` of the `[[source]]`; without settings `finops init` writes those of all agents)"
            }
            Some(UnpricedReason::UnknownModel) => {
                "no price book knows it; write its price, or map it: `[[price_map]]` with `model`, or `free = true` for your own machines"
            }
            Some(UnpricedReason::OpaqueName) => "only you know which model it stands for",
            Some(UnpricedReason::NoPriceOnDate) => "the books have no price for that time; write the one that held",
            Some(UnpricedReason::UnknownTier) => {
                "the books have no rate for its tier, speed or geography; write all of its prices"
            }
            Some(UnpricedReason::NoRate) => {
                "a kind of token, unit or request has no rate in the books; write all of its prices"
            }
            Some(UnpricedReason::ModelMissing) => {
                "its records name no model: set it at the source (`defaults` of the `[[source]]`; without settings `finops init` writes those of all agents)"
            }
            Some(UnpricedReason::UsageIncomplete) => {
                "its records do not say all that is paid for (tokens read from the cache; seconds, pictures, pages): no price would be honest"
            }
            Some(UnpricedReason::OutOfRange) => "its counts are absurd: look at the record",
            None => "the calls' detail has expired: their sums stay unpriced, whatever the books say",
        };
        let mut advice = Advice {
            say: say.into(),
            file: None,
            head: String::new(),
            snippet: None,
            there: None,
        };
        let lost = self.astray.get(&entry_of(m));
        if let Some(target) = lost.filter(|_| m.reason == Some(UnpricedReason::UnknownModel)) {
            // An entry under the name of the log would not be asked.
            advice.say = astray(target).into();
            return advice;
        }
        if m.reason == Some(UnpricedReason::UnknownModel) && lacks_provider(m) {
            return advice;
        }
        if m.reason == Some(UnpricedReason::OpaqueName) {
            advice.file = Some(self.settings.display().to_string());
            advice.snippet = Some(map(m));
        }
        if let Some(wanted) = self
            .wanted
            .get(&entry_of(m))
            .filter(|_| m.reason.is_some_and(is_written))
        {
            let provider = provider_key(m.provider.as_str());
            let holder = self.holders.get(&entry_of(m));
            let file = holder.or_else(|| self.files.get(&provider)).cloned();
            let name = file.unwrap_or_else(|| overlay_name(&provider));
            let entry = format!("model = {}", quoted(m.model.as_str()).to_lowercase());
            let head = || format!("providers = [{}]\n", quoted(&provider));
            match self.there.get(&name) {
                _ if holder.is_some() => advice.there = Some(HAS_ENTRY),
                None => advice.head = head(),
                Some(text) if !text.lines().any(|line| line.trim_start().starts_with("providers")) => {
                    advice.there = Some("the file is there: put this at its top");
                    advice.head = head();
                }
                Some(text) if text.to_lowercase().contains(&entry) => {
                    advice.there = Some(HAS_ENTRY);
                }
                Some(_) => advice.there = Some("the file is there: add this to it"),
            }
            advice.file = Some(self.folder.join(name).display().to_string());
            advice.snippet = Some(overlay(m, wanted));
        }
        advice
    }
}

/// An entry may not stand twice, in whichever files.
const HAS_ENTRY: &str = "the file has an entry of this model: add to that one what it lacks of this";

/// The files of prices, by the entries that each has.
fn holders(folder: &Path) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file.path())
            .ok()
            .filter(|_| is_owners(&file.path()));
        let table = text
            .and_then(|text| text.parse::<toml::Table>().ok())
            .unwrap_or_default();
        let array = |table: &toml::Table, key: &str| {
            table
                .get(key)
                .and_then(toml::Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let models = array(&table, "entry");
        let models: Vec<&str> = models.iter().filter_map(|entry| entry.get("model")?.as_str()).collect();
        for provider in array(&table, "providers").iter().filter_map(toml::Value::as_str) {
            let key = |model: &&str| (provider_key(provider), model.to_lowercase());
            found.extend(models.iter().map(|model| (key(model), name.clone())));
        }
    }
    found
}

/// What is to be said of a map that leads nowhere.
pub(super) fn astray(target: &str) -> String {
    format!(
        "your map takes it for `{target}`, which no price book knows: mend the map (`finops price list` has the names), or write a price of that name"
    )
}

/// Whether nobody said whose model it is: a book of nobody's prices would be found, and be wrong for all that lack theirs.
pub(super) fn lacks_provider(m: &Missing) -> bool {
    m.provider.as_str().trim().is_empty()
}

/// The entry that prices these calls: a book knows a provider in any spelling and a model in any case.
fn entry_of(m: &Missing) -> (String, String) {
    (provider_key(m.provider.as_str()), m.model.as_str().to_lowercase())
}

/// Whether something that is written down helps, so that pricing anew gives a price.
pub(super) fn is_curable(reason: UnpricedReason) -> bool {
    is_written(reason) || matches!(reason, UnpricedReason::OpaqueName | UnpricedReason::ModelMissing)
}

/// Whether prices that are written down help.
fn is_written(reason: UnpricedReason) -> bool {
    matches!(
        reason,
        UnpricedReason::UnknownModel
            | UnpricedReason::NoPriceOnDate
            | UnpricedReason::UnknownTier
            | UnpricedReason::NoRate
    )
}

/// Text as a TOML string, in which what a terminal would obey is escaped.
fn quoted(text: &str) -> String {
    if clean(text) == text {
        return toml::Value::String(text.to_owned()).to_string();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        let shown = clean(c.encode_utf8(&mut [0; 4])).starts_with(c);
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if shown => quoted.push(c),
            c => quoted += &format!("\\u{:04X}", u32::from(c)),
        }
    }
    quoted + "\""
}

fn map(m: &Missing) -> String {
    format!(
        "[[price_map]]\nprovider = {}\nname = {}\nmodel = \"\"     # the model's name in a price book: `finops price list`\n",
        quoted(m.provider.as_str()),
        quoted(m.model.as_str())
    )
}

/// The file of a provider's own prices: a file has the prices of one.
fn overlay_name(provider: &str) -> String {
    let name = provider.chars().map(|c| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_lowercase(),
        false => '-',
    });
    format!("own-{}.toml", name.collect::<String>())
}

/// The rates that such a model has: those of every model, those of Claude, and those of what its calls were made of. None where
/// its calls have no tokens and are sold by the piece.
fn rates(m: &Missing, needs: &Needs) -> String {
    if !needs.kinds.contains(&true) && !needs.units.is_empty() {
        return String::new();
    }
    let claude = m.model.as_str().to_ascii_lowercase().contains("claude");
    let always = [Bucket::InputUncached, Bucket::CacheRead, Bucket::Output];
    let has =
        |bucket: Bucket, used: bool| used || always.contains(&bucket) || (claude && bucket == Bucket::CacheWrite5m);
    let all = Bucket::ALL.into_iter().zip(needs.kinds);
    let rates = all.filter(|&(bucket, used)| has(bucket, used)).map(|(bucket, _)| {
        let name = if bucket == Bucket::InputUncached {
            "input"
        } else {
            bucket.name()
        };
        format!("{name} = \"\"")
    });
    format!(
        "rates = {{ {} }}     # USD per million tokens; leave out what does not exist\n",
        rates.collect::<Vec<_>>().join(", ")
    )
}

fn overlay(m: &Missing, wanted: &Wanted) -> String {
    let needs = &wanted.needs;
    let mut text = format!(
        "[[entry]]\nmodel = {}\n[[entry.price]]\nfrom = {}\n{}",
        quoted(wanted.model.as_str()),
        quoted(&wanted.first.format("%Y-%m-%d").to_string()),
        rates(m, needs),
    );
    for (term, name) in &needs.terms {
        let name = quoted(name.as_str());
        text += &match term {
            Term::Tier => format!("tiers.{name} = {{ factor = \"\" }}     # or rates = {{ … }}\n"),
            Term::Speed => format!("speeds.{name} = \"\"     # a factor on the token cost\n"),
            Term::Geography => format!("geographies.{name} = \"\"     # a factor on the token cost\n"),
        };
    }
    let fees = ["web_search_1000", "file_search_1000", "code_execution_1000"];
    for (name, _) in fees.into_iter().zip(needs.fees).filter(|(_, due)| *due) {
        text += &format!("{name} = \"\"     # USD per thousand\n");
    }
    if !needs.units.is_empty() {
        let units = needs
            .units
            .iter()
            .map(|key| format!("{} = \"\"", quoted(&key.to_string())));
        text += &format!(
            "units = {{ {} }}     # USD for one\n",
            units.collect::<Vec<_>>().join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_written_names_the_model_and_commands_no_terminal() {
        for name in [
            "claude-9",
            "it's \"x\"",
            "a\u{9b}31mX",
            "\u{202e}evil\\\u{85}\"q\"",
            "a\u{1b}[0m\n\t\u{2028}é\u{61c}",
            "tag\u{e0001}",
        ] {
            let text = quoted(name);
            assert_eq!(clean(&text), text, "{name:?}");
            let table: toml::Table = format!("model = {text}").parse().unwrap();
            assert_eq!(table.get("model").and_then(toml::Value::as_str), Some(name));
        }
    }
}
