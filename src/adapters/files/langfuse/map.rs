//! Langfuse's usage maps. Their keys are free: those that its server makes of OpenAI's details, and its SDKs of Anthropic's, Gemini's and
//! LangChain's, are known. They stand apart from `input` and `output` or are parts of them; the total tells which.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::domain::usage::{Bucket, MAX_TOKENS};

use super::super::counts::Counts;
use super::super::line::{Fault, Output};
use super::super::scalar::Scalar;

/// A usage map.
pub(in super::super) type Details<'a> = BTreeMap<Cow<'a, str>, Scalar<'a>>;

/// What a map says.
pub(in super::super) struct Told {
    /// The counts.
    pub counts: Counts,
    /// The service tier that its keys name; mostly none.
    pub tier: &'static str,
}

/// What is told of counts that nobody here knows, where no total says that they are parts of others.
const UNKNOWN: &str = "usage under keys that nobody here knows, which is not charged (Langfuse)";

#[derive(Default)]
struct Map {
    known: bool,
    input: u64,
    output: u64,
    total: u64,
    read: u64,
    /// Written to caches, as a whole and by how long it stays.
    written: u64,
    five: u64,
    hour: u64,
    reasoning: u64,
    /// In the order of [`Bucket::MEDIA`].
    media: [u64; Bucket::MEDIA.len()],
    /// Input and output of text, where modalities are told.
    texts: [u64; 2],
    /// Input and output of a tier that the SDK takes out of the whole.
    tiered: [u64; 2],
    /// What a tier has of a side that is told as a whole.
    again: u64,
    /// Input and output under other keys.
    others: [u64; 2],
    tier: &'static str,
}

impl Map {
    fn slot(&mut self, key: &str) -> Option<&mut u64> {
        Some(match key {
            "input" | "promptTokens" | "prompt_tokens" | "inputTokens" | "input_tokens" | "prompt" => &mut self.input,
            "output" | "completionTokens" | "completion_tokens" | "outputTokens" | "output_tokens" | "completion" => {
                &mut self.output
            }
            "total" | "totalTokens" | "total_tokens" => &mut self.total,
            "cache_read_input_tokens" | "cached_content_token_count" => &mut self.read,
            "thoughts_token_count" => &mut self.reasoning,
            key if key.starts_with("cache_creation") => self.write(key),
            key => {
                let (side, part) = match (key.strip_prefix("input_"), key.strip_prefix("output_")) {
                    (Some(part), _) => (0, part),
                    (None, Some(part)) => (1, part),
                    (None, None) => return None,
                };
                return self.part(side, part);
            }
        })
    }

    /// A part of the input (0) or the output (1).
    fn part(&mut self, side: usize, part: &str) -> Option<&mut u64> {
        for tier in ["flex", "priority"] {
            let Some(rest) = part.strip_prefix(tier) else { continue };
            if rest.is_empty() || rest.starts_with('_') {
                self.tier = tier;
            }
            match rest.strip_prefix('_') {
                // What is left of a side: at `priority` it stays a part of the whole.
                None if rest.is_empty() && tier == "priority" => return Some(&mut self.again),
                None if rest.is_empty() => return self.tiered.get_mut(side),
                Some(part) => return self.part_of(side, part),
                None => {}
            }
        }
        self.part_of(side, part)
    }

    fn part_of(&mut self, side: usize, part: &str) -> Option<&mut u64> {
        let medium = |name: &str| {
            let short = part.strip_prefix("modality_").map(str::to_ascii_lowercase);
            short.as_deref().unwrap_or(part.strip_suffix("_tokens").unwrap_or(part)) == name
        };
        if medium("text") {
            return self.texts.get_mut(side);
        }
        for (name, places) in [("audio", [0, 1]), ("image", [2, 3]), ("video", [4, 5])] {
            if let Some(place) = places.get(side).copied().filter(|_| medium(name)) {
                return self.media.get_mut(place);
            }
        }
        match (side, part) {
            (0, "cached_tokens" | "cache_read" | "cached") => Some(&mut self.read),
            (0, part)
                if ["cache_creation", "cache_write", "ephemeral"]
                    .iter()
                    .any(|w| part.starts_with(w)) =>
            {
                Some(self.write(part))
            }
            (1, part) if part.starts_with("reasoning") => Some(&mut self.reasoning),
            _ => None,
        }
    }

    fn write(&mut self, key: &str) -> &mut u64 {
        match () {
            () if key.contains("1h") => &mut self.hour,
            () if key.contains("5m") => &mut self.five,
            () => &mut self.written,
        }
    }

    fn take(&mut self, key: &str, value: &Scalar<'_>) -> Result<(), Fault> {
        // Gemini's cached tokens by modality.
        if key.starts_with("cached_modality_") {
            let field = format!("usageDetails.{key}");
            // Any number of them may follow.
            self.read = self.read.saturating_add(value.count(&field)?);
            if self.read > MAX_TOKENS {
                return Err(Fault::field(
                    &field,
                    "with those before it more tokens than any call has",
                ));
            }
            self.known = true;
            return Ok(());
        }
        let count = value.count(&format!("usageDetails.{key}"));
        if let Some(slot) = self.slot(key) {
            // The same number under two names: never both.
            *slot = (*slot).max(count?);
            self.known |= !value.is_null() && !key.starts_with("total");
            return Ok(());
        }
        // Each is a number of its own, or none.
        let side = usize::from(key.starts_with("output_"));
        let other = key.starts_with("input_") || key.starts_with("output_");
        if let Some(sum) = self.others.get_mut(side).filter(|_| other) {
            // Any number of them may follow: beyond what any total holds they are no part of it, however many they are.
            *sum = sum.saturating_add(count.unwrap_or_default()).min(MAX_TOKENS + 1);
        }
        Ok(())
    }

    fn says_nothing(&self) -> bool {
        let parts = [
            self.input,
            self.output,
            self.read,
            self.written,
            self.five,
            self.hour,
            self.reasoning,
        ];
        let rest = [self.texts, self.tiered, self.others];
        parts
            .iter()
            .chain(&self.media)
            .chain(rest.as_flattened())
            .all(|count| *count == 0)
    }

    fn counts(mut self, openai: bool, out: &mut Output) -> Counts {
        // What LangChain leaves for the tier holds what was written.
        let [left, answered] = self.tiered;
        self.input += left.saturating_sub(self.written);
        self.output += answered;
        // The whole write beside its parts.
        let rest = self.written.saturating_sub(self.hour).saturating_sub(self.five);
        let mut counts = Counts {
            input: self.input,
            output: self.output,
            read: self.read,
            write_5m: self.five + if openai { 0 } else { rest },
            write_1h: self.hour,
            write_30m: if openai { rest } else { 0 },
            reasoning: self.reasoning,
            media: self.media,
            total: self.total,
            ..Counts::default()
        };
        // Parts of the whole, as the provider told it.
        if self.tier == "priority" && counts.total == 0 {
            counts.total = counts.input + counts.output;
        }
        let [heard, said, seen, drawn, watched] = self.media;
        let [read, written] = self.texts;
        let (prompt, answer) = (heard + seen + watched + read, said + drawn + written);
        let [asked, told] = self.others;
        // Most take audio, images and modalities out of input and output, some the reasoning, too: what makes the total tells. Where
        // nothing does, the keys of a map are apart, and reasoning is the part of the output that it is for the providers.
        let makes_total = |(media, thought, other): (bool, bool, bool)| {
            let part = |whether: bool, count: u64| if whether { count } else { 0 };
            let parts = part(media, prompt + answer) + part(thought, self.reasoning) + part(other, asked + told);
            let plain = counts.input + counts.output + parts;
            counts.total > 0 && [plain, plain + counts.cached()].contains(&counts.total)
        };
        let both = [true, false];
        let ways = both.into_iter().flat_map(|other| {
            both.into_iter()
                .flat_map(move |media| both.into_iter().map(move |thought| (media, thought, other)))
        });
        let found = ways.into_iter().find(|way| makes_total(*way));
        let (media, thought, other) = found.unwrap_or((true, false, false));
        if media || prompt > counts.input || answer > counts.output {
            counts.input += prompt;
            counts.output += answer;
        }
        if thought || self.reasoning > counts.output {
            counts.output += self.reasoning;
        }
        if other {
            counts.input += asked;
            counts.output += told;
        } else if asked + told > 0 && found.is_none() {
            out.warnings.push(UNKNOWN);
        }
        counts
    }
}

/// What a usage map says; nothing where it has neither input nor output. `openai`: for how long an unsplit write stays.
pub(in super::super) fn read(details: &Details<'_>, openai: bool, out: &mut Output) -> Result<Option<Told>, Fault> {
    let mut map = Map::default();
    for (key, value) in details {
        map.take(key, value)?;
    }
    // What nobody knows counts where a total says how.
    let known = map.known || (map.total > 0 && map.others != [0, 0]);
    // A total of nothing is a gap, not a call of nothing.
    if !known || (map.total > 0 && map.says_nothing()) {
        return Ok(None);
    }
    let tier = map.tier;
    Ok(Some(Told {
        counts: map.counts(openai, out),
        tier,
    }))
}
