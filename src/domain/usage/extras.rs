//! What few calls have and prices may count: seconds, pictures, pages, characters, and how much a web search reads.
//!
//! A call keeps it as one interned text, so that a call without any of it carries four bytes of nothing. Amounts that are billed
//! (whole or tenth seconds, pictures by size) are few, so that the texts are too.

use std::fmt;

use rust_decimal::Decimal;

use super::Label;
use crate::domain::money::parse_decimal;

/// What is counted, and in what.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unit {
    /// Seconds of audio heard: transcription.
    AudioInSecond,
    /// Seconds of audio answered.
    AudioOutSecond,
    /// Pictures in the prompt.
    ImageIn,
    /// Pictures made, by size and quality: `1024x1024/hd`.
    ImageOut,
    /// Pages read by optical character recognition.
    Page,
    /// Characters turned into speech.
    CharacterIn,
    /// Searches in which documents were ranked anew.
    RankQuery,
    /// Answers grounded in a map.
    MapQuery,
    /// Seconds of video in the prompt.
    VideoInSecond,
    /// Seconds of video made, by resolution: `720p`.
    VideoOutSecond,
}

impl Unit {
    /// All of them.
    pub const ALL: [Unit; 10] = [
        Unit::AudioInSecond,
        Unit::AudioOutSecond,
        Unit::ImageIn,
        Unit::ImageOut,
        Unit::Page,
        Unit::CharacterIn,
        Unit::RankQuery,
        Unit::MapQuery,
        Unit::VideoInSecond,
        Unit::VideoOutSecond,
    ];

    /// The name in price books and receipts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Unit::AudioInSecond => "audio_in_second",
            Unit::AudioOutSecond => "audio_out_second",
            Unit::ImageIn => "images_in",
            Unit::ImageOut => "images_out",
            Unit::Page => "page",
            Unit::CharacterIn => "character_in",
            Unit::RankQuery => "rank_query",
            Unit::MapQuery => "map_query",
            Unit::VideoInSecond => "video_in_second",
            Unit::VideoOutSecond => "video_out_second",
        }
    }

    /// The unit of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Unit> {
        Unit::ALL.into_iter().find(|u| u.name() == name)
    }
}

/// A unit and the variant that its price may depend on; an empty variant is none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnitKey {
    /// What is counted.
    pub unit: Unit,
    /// `720p`, `1024x1024`, `1024x1024/hd`; in lower case.
    pub variant: String,
}

impl UnitKey {
    /// A unit without a variant, or with one; what cannot stand in a variant is left out of it.
    #[must_use]
    pub fn new(unit: Unit, variant: &str) -> Self {
        let kept = |c: &char| c.is_ascii_alphanumeric() || "/.-_".contains(*c);
        UnitKey {
            unit,
            variant: variant.to_lowercase().chars().filter(kept).take(40).collect(),
        }
    }

    /// Reads `images_out` or `images_out:1024x1024/hd`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, variant) = text.split_once(':').unwrap_or((text, ""));
        let key = UnitKey::new(Unit::of(name)?, variant);
        (key.variant == variant.to_lowercase()).then_some(key)
    }
}

impl fmt::Display for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.unit.name())?;
        if self.variant.is_empty() {
            return Ok(());
        }
        write!(f, ":{}", self.variant)
    }
}

/// What decides the fee of a web search beside the model: how much it reads, or that an older tool searched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SearchContext {
    /// Little.
    Low,
    /// What providers take where nothing is asked for.
    Medium,
    /// Much.
    High,
    /// OpenAI's `web_search_preview`, whose fee is another one at any size.
    Preview,
}

impl SearchContext {
    /// All of them, the sizes by rising size.
    pub const ALL: [SearchContext; 4] = [
        SearchContext::Low,
        SearchContext::Medium,
        SearchContext::High,
        SearchContext::Preview,
    ];

    /// The name in logs and price books.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SearchContext::Low => "low",
            SearchContext::Medium => "medium",
            SearchContext::High => "high",
            SearchContext::Preview => "preview",
        }
    }

    /// The size of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<SearchContext> {
        SearchContext::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// The rare quantities of one call.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Extras {
    units: Vec<(UnitKey, Decimal)>,
    /// Size of the search context, where it is not medium.
    pub search_context: Option<SearchContext>,
    /// The longest prompt of those that the call sums up, to its thousand: so few texts are kept, and thresholds are whole thousands.
    pub longest_prompt: Option<u64>,
}

/// The largest amount one record may claim: a year of seconds, a long book of characters. Beyond it the record is absurd.
pub const MAX_UNITS: u32 = 1_000_000_000;

/// Its name where a call keeps it.
const LONGEST_PROMPT: &str = "longest_prompt";

/// Decimals that an amount may have.
const MAX_DECIMALS: u32 = 9;

impl Extras {
    /// Adds an amount. One that is negative, absurd or finer than a billionth is refused; zero adds nothing.
    #[must_use]
    pub fn add(&mut self, key: UnitKey, amount: Decimal) -> bool {
        let amount = amount.normalize();
        if amount.is_sign_negative() && !amount.is_zero()
            || amount > Decimal::from(MAX_UNITS)
            || amount.scale() > MAX_DECIMALS
        {
            return false;
        }
        if amount.is_zero() {
            return true;
        }
        match self.units.iter_mut().find(|(known, _)| *known == key) {
            // Both are far below what a decimal holds.
            Some((_, sum)) => *sum += amount,
            None => self.units.push((key, amount)),
        }
        self.units.sort();
        true
    }

    /// The amounts, by unit and variant.
    #[must_use]
    pub fn units(&self) -> &[(UnitKey, Decimal)] {
        &self.units
    }

    /// The most of each that either of two calls tells, as they keep it.
    #[must_use]
    pub fn most(one: Label, other: Label) -> Label {
        if one == other || other.is_empty() {
            return one;
        }
        if one.is_empty() {
            return other;
        }
        let (mut all, more) = (Extras::of(one), Extras::of(other));
        for (key, amount) in more.units {
            match all.units.iter_mut().find(|(known, _)| *known == key) {
                Some((_, most)) => *most = amount.max(*most),
                None => all.units.push((key, amount)),
            }
        }
        all.units.sort();
        all.search_context = all.search_context.max(more.search_context);
        all.longest_prompt = all.longest_prompt.max(more.longest_prompt);
        all.label().unwrap_or(one.max(other))
    }

    /// As a call keeps it; empty where there is nothing. More than a name may hold is refused.
    #[must_use]
    pub fn label(&self) -> Option<Label> {
        let context = self.search_context.filter(|c| *c != SearchContext::Medium);
        let mut parts: Vec<String> = self
            .units
            .iter()
            .map(|(key, amount)| format!("{key}={amount}"))
            .collect();
        parts.extend(context.map(|c| format!("search_context={}", c.name())));
        parts.extend(self.longest_prompt.map(|n| format!("{LONGEST_PROMPT}={n}")));
        let text = parts.join(" ");
        (text.len() <= crate::domain::label::MAX_LABEL_BYTES).then(|| Label::new(&text))
    }

    /// Reads what a person or program wrote in the form that a call keeps: `images_out:1024x1024=2 search_context=high`. Nothing where
    /// a part is no amount of a unit.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut extras = Extras::default();
        for part in text.split_ascii_whitespace() {
            let (name, value) = part.split_once('=')?;
            if name == "search_context" {
                extras.search_context = Some(SearchContext::of(value)?);
            } else if !extras.add(UnitKey::parse(name)?, parse_decimal(value).ok()?) {
                return None;
            }
        }
        Some(extras)
    }

    /// What a call keeps, read back; parts that are not understood are nothing.
    #[must_use]
    pub fn of(label: Label) -> Self {
        let mut extras = Extras::default();
        for (name, value) in label.as_str().split(' ').filter_map(|part| part.split_once('=')) {
            if name == "search_context" {
                extras.search_context = SearchContext::of(value);
            } else if name == LONGEST_PROMPT {
                extras.longest_prompt = value.parse().ok();
            } else if let (Some(key), Ok(amount)) = (UnitKey::parse(name), parse_decimal(value)) {
                let _ = extras.add(key, amount);
            }
        }
        extras
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_keeps_them_as_one_text_and_absurd_ones_not_at_all() {
        let mut extras = Extras::default();
        let amount = |text: &str| parse_decimal(text).unwrap();
        assert!(extras.add(UnitKey::new(Unit::VideoOutSecond, "720P"), amount("8")));
        assert!(extras.add(UnitKey::new(Unit::AudioInSecond, ""), amount("12.50")));
        assert!(extras.add(UnitKey::new(Unit::AudioInSecond, ""), amount("0.25")));
        assert!(extras.add(UnitKey::new(Unit::Page, ""), Decimal::ZERO));
        for wrong in ["-1", "1000000001", "0.0000000001"] {
            assert!(!extras.add(UnitKey::new(Unit::Page, ""), amount(wrong)), "{wrong}");
        }
        extras.search_context = Some(SearchContext::High);
        extras.longest_prompt = Some(110_500);
        let label = extras.label().unwrap();
        assert_eq!(
            label.as_str(),
            "audio_in_second=12.75 video_out_second:720p=8 search_context=high longest_prompt=110500"
        );
        assert_eq!(Extras::of(label), extras);
        assert!(Extras::default().label().unwrap().is_empty());
        assert_eq!(UnitKey::new(Unit::ImageOut, "a b=c:d").variant, "abcd");
        assert_eq!(UnitKey::parse("images_out:a=b"), None);
    }
}
