//! The built-in book against LiteLLM's map, where that lies beside the tree: what a call costs beyond a size, in a tier, from a cache, at
//! a speed and in a place. Both are asked for quotes; what they say of the same tokens must be the same, but for the exceptions below.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use finops::adapters::prices::{BookKind, BookSpec, built_in, read};
use finops::domain::charge::{Outcome, UnpricedReason};
use finops::domain::dimension::Dimension;
use finops::domain::glob::glob_matches;
use finops::domain::price::{Books, Entry, Price, Quote};
use finops::domain::usage::{Bucket, EventId, Tokens, UsageEvent};
use rust_decimal::Decimal;

const PROMPT: [Bucket; 9] = [
    Bucket::InputUncached,
    Bucket::CacheRead,
    Bucket::CacheWrite5m,
    Bucket::CacheWrite30m,
    Bucket::CacheWrite1h,
    Bucket::CacheWrite12h,
    Bucket::AudioIn,
    Bucket::ImageIn,
    Bucket::VideoIn,
];

/// What is asked of a model.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    tier: String,
    speed: String,
    place: String,
    /// Tokens of the whole prompt; none: few.
    prompt: Option<u64>,
    search: bool,
}

impl Question {
    fn said(&self) -> String {
        let parts = [
            ("tier ", self.tier.clone()),
            ("speed ", self.speed.clone()),
            ("place ", self.place.clone()),
            ("prompt ", self.prompt.map(|p| p.to_string()).unwrap_or_default()),
            ("searches", if self.search { " 1".to_owned() } else { String::new() }),
        ];
        let said: Vec<String> = parts
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}{value}"))
            .collect();
        if said.is_empty() {
            "plain".to_owned()
        } else {
            said.join(", ")
        }
    }

    /// In a book that takes Bedrock's bare names as in-region, unlike the map, `global.` stands for them.
    fn call_ours(&self, provider: &str, model: &str, buckets: &[Bucket], reasoning: bool) -> UsageEvent {
        let claude = model.starts_with("anthropic.claude-") && !model.ends_with("-mythos-preview");
        let disputed = claude || model.starts_with("amazon.nova-2-lite");
        let name = if disputed {
            format!("global.{model}")
        } else {
            model.to_owned()
        };
        self.call(provider, &name, buckets, reasoning)
    }

    fn call(&self, provider: &str, model: &str, buckets: &[Bucket], reasoning: bool) -> UsageEvent {
        let at: DateTime<Utc> = "2026-11-18T12:00:00Z".parse().unwrap();
        let mut event = UsageEvent::new(EventId([7; 16]), at, provider.into(), model.into());
        event.tokens = Tokens::default();
        for bucket in buckets {
            event.tokens.set(*bucket, 100);
        }
        if let Some(prompt) = self.prompt {
            let others = buckets
                .iter()
                .filter(|b| PROMPT.contains(b) && **b != Bucket::InputUncached);
            event
                .tokens
                .set(Bucket::InputUncached, prompt - 100 * others.count() as u64);
        }
        event.tokens.reasoning = if reasoning { 30 } else { 0 };
        event.requests.web_searches = u32::from(self.search);
        event.dimensions.set(Dimension::Tier, self.tier.as_str().into());
        event.speed = self.speed.as_str().into();
        event.geo = self.place.as_str().into();
        event
    }
}

/// USD per million tokens, or per thousand searches, after factors.
fn rates(quote: &Quote) -> BTreeMap<String, Decimal> {
    quote
        .lines
        .iter()
        .map(|l| (l.what.clone(), (l.rate * l.factor).normalize()))
        .collect()
}

/// All that one of the two books tells apart for this model.
fn questions(theirs: &Price, ours: &Price) -> BTreeSet<Question> {
    let mut all = BTreeSet::from([Question::default()]);
    let tiers = std::iter::once("").chain(theirs.tiers.keys().map(String::as_str));
    for tier in tiers {
        let own = |price: &Price| -> Vec<u64> {
            let above = price
                .above
                .iter()
                .chain(price.tiers.get(tier).into_iter().flat_map(|t| &t.above));
            above.map(|a| a.prompt).collect()
        };
        let sizes: BTreeSet<u64> = own(theirs)
            .into_iter()
            .chain(own(ours))
            .flat_map(|n| [n, n + 1])
            .collect();
        for prompt in std::iter::once(None).chain(sizes.into_iter().map(Some)) {
            let tier = tier.to_owned();
            all.insert(Question {
                tier,
                prompt,
                ..Question::default()
            });
        }
    }
    for speed in theirs.speeds.keys().chain(ours.speeds.keys()) {
        all.insert(Question {
            speed: speed.clone(),
            ..Question::default()
        });
    }
    for place in theirs.geographies.keys() {
        let place = if place == "*" { "europe-west4" } else { place }.to_owned();
        all.insert(Question {
            place,
            ..Question::default()
        });
    }
    if theirs.fees.web_search.is_some() {
        all.insert(Question {
            search: true,
            ..Question::default()
        });
    }
    all
}

/// `model | question | bucket | ours | theirs`
fn compare(ours: &Books, theirs: &Books, provider: &str, entry: &Entry, own: &Entry) -> Vec<String> {
    let day: NaiveDate = "2026-11-18".parse().unwrap();
    let (Some(price), Some(own_price)) = (entry.on(day), own.on(day)) else {
        return Vec::new();
    };
    // What is sold by the piece has no tokens to compare.
    if !price.units.is_empty() && price.rates.iter().all(|(_, rate)| rate.is_zero()) {
        return Vec::new();
    }
    let mut found: Vec<String> = Vec::new();
    let mut plain = BTreeSet::new();
    let buckets: Vec<Bucket> = price.rates.iter().map(|(bucket, _)| bucket).collect();
    // What costs nothing need not have a rate: the output of embeddings.
    let free: Vec<&str> = price
        .rates
        .iter()
        .filter(|(_, rate)| rate.is_zero())
        .map(|(b, _)| b.name())
        .collect();
    let reasoning = price.rates.reasoning.is_some() && buckets.contains(&Bucket::Output);
    for question in questions(price, own_price) {
        let mut differ = |buckets: &[Bucket]| -> Result<(), UnpricedReason> {
            let call = question.call(provider, &entry.id, buckets, reasoning);
            let told = theirs.quote(&call);
            if !told.charge.is_priced() {
                return Ok(());
            }
            assert_eq!(told.entry, entry.id, "the map's own name leads to its entry");
            let quote = ours.quote(&question.call_ours(provider, &entry.id, buckets, reasoning));
            if let Outcome::Unpriced(reason) = quote.charge.outcome {
                return Err(reason);
            }
            let (mine, told) = (rates(&quote), rates(&told));
            for what in mine.keys().chain(told.keys()).collect::<BTreeSet<_>>() {
                // Reasoning that has no rate of its own is output.
                let rate = |of: &BTreeMap<String, Decimal>| {
                    let output = of.get("output").filter(|_| what == "reasoning");
                    of.get(what).or(output).map_or("none".to_owned(), Decimal::to_string)
                };
                let (mine, told) = (rate(&mine), rate(&told));
                // What differs in itself need not be told again for each tier and size, and a search changes nothing else.
                let pair = (what.clone(), mine.clone(), told.clone());
                let seen = plain.contains(&pair) || (question.search && what != "web_search");
                if question == Question::default() {
                    plain.insert(pair);
                }
                if mine != told && !seen {
                    found.push(format!("{} | {} | {what} | {mine} | {told}", entry.id, question.said()));
                }
            }
            Ok(())
        };
        if differ(&buckets).is_err() {
            // Which of them it is that has no price.
            let mut lacking = Vec::new();
            for bucket in buckets.iter().filter(|b| **b != Bucket::InputUncached) {
                if let Err(reason) = differ(&[Bucket::InputUncached, *bucket]) {
                    lacking.push((bucket.name(), reason));
                }
            }
            if lacking.len() + 1 >= buckets.len()
                && let Err(reason) = differ(&[Bucket::InputUncached])
            {
                lacking = vec![("all", reason)];
            }
            for (what, reason) in lacking {
                if free.contains(&what) {
                    continue;
                }
                found.push(format!(
                    "{} | {} | {what} | {reason:?} | priced",
                    entry.id,
                    question.said()
                ));
            }
        }
    }
    found
}

#[test]
fn what_the_shared_map_tells_of_a_model_the_built_in_book_tells_too() {
    let path = super::prices::shared("pricebooks/litellm-1.109.1-model_prices_and_context_window.json");
    if !path.exists() {
        println!("skipped: no shared price books");
        return;
    }
    let spec = BookSpec {
        name: "map".to_owned(),
        kind: BookKind::Litellm,
        path,
    };
    let map = read(&spec, &mut Vec::new()).unwrap();
    let (ours, theirs) = (Books::new(vec![built_in()]), Books::new(vec![map.clone()]));
    let book = built_in();
    let own: BTreeMap<(&str, &str), &Entry> = book
        .entries()
        .into_iter()
        .map(|(provider, entry)| ((provider, entry.id.as_str()), entry))
        .collect();
    let (mut models, mut found) = (0, Vec::new());
    for (provider, entry) in map.entries() {
        let plain = Question::default().call_ours(provider, &entry.id, &[Bucket::InputUncached], false);
        let quote = ours.quote(&plain);
        let Some(own) = own.get(&(quote.provider.as_str(), quote.entry.as_str())) else {
            continue;
        };
        models += 1;
        found.extend(compare(&ours, &theirs, provider, entry, own));
    }
    assert!(models > 1000, "{models}");
    let excused = |(model, asked, _): &(&str, &str, &str), line: &str| {
        let (of, rest) = line.split_once(" | ").unwrap_or_default();
        glob_matches(model, of) && glob_matches(asked, rest)
    };
    let left: Vec<_> = found
        .iter()
        .filter(|line| !EXCEPTIONS.iter().any(|e| excused(e, line)))
        .collect();
    left.iter().for_each(|line| println!("{line}"));
    let idle: Vec<_> = EXCEPTIONS
        .iter()
        .filter(|e| !found.iter().any(|line| excused(e, line)))
        .collect();
    assert!(idle.is_empty(), "exceptions that nothing needs: {idle:#?}");
    assert!(left.is_empty(), "{} differences in {models} models", left.len());
}

/// Model, `question | bucket | ours | theirs`, why; with `*` and `?`. Each must still be needed.
#[rustfmt::skip]
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    // Dates, which the map does not have.
    ("*claude-sonnet-4-5*", "*prompt 200001 | *", "no end of the long-context price is known"),
    ("*deepseek-chat", "plain | *", "priced by the time of day"),
    ("*deepseek-reasoner", "plain | *", "priced by the time of day"),
    ("mistral/mistral-large-4*", "plain | *", "cut on 2026-10-29, as the other book has it"),
    // Tiers that the map has for some kinds of tokens only.
    ("*claude-*", "tier batch* | cache_* | *", "the discount is on what is written to and read from the cache too"),
    ("*claude-haiku-5-5*", "tier batch, prompt 100001 | *", "the discount is on large prompts too"),
    ("*gemini-*", "tier * | reasoning | *", "reasoning is output, also in a tier"),
    ("*gemini-*", "tier * | audio_in | 0.75 | 1.5", "audio is priced as text there, also in a tier"),
    ("*gemini-robotics-er-2-preview", "tier * | audio_in | 0.5 | 1", "audio is priced as text there, also in a tier"),
    ("*gemini-4-argon*", "tier flex | audio_in | *", "audio is priced as text there, also in a tier"),
    ("*gemini-3.1-flash-lite*", "tier flex | audio_in | 0.25 | 0.5", "another row of the map has the half"),
    ("gemini/gemini-*-image*", "tier batch | image_out | *", "half, as the other book and other rows of the map have it"),
    ("gpt-image-*", "tier batch | image_out | *", "half, as the other book has it"),
    ("gpt-5.5-pro*", "tier flex, prompt 272001 | *", "half at every size, as in batches"),
    ("gpt-5.6", "tier batch* | cache_write_12h | *", "another name of gpt-5.6-sol, which has the half"),
    ("azure_ai/gpt-5.5*", "tier priority* | *", "2.5 times, as in the map's row of azure"),
    ("xai/grok-*", "* | image_in | *", "pictures are text there, at every size and in batches"),
    ("bedrock_mantle/us-gov-*/openai.gpt-5.4", "prompt 272001 | *", "the threshold is that of the model's other rows"),
    // Rounding.
    ("*gpt-5.4*", "tier * | cache_read | 0.1* | 0.1*", "half of 0.25 is not 0.13"),
    ("o4-mini*", "tier flex | cache_read | 0.1375 | 0.138", "rounded"),
    ("gpt-image-1*", "tier batch | cache_read | 0.625 | 0.63", "rounded"),
    ("*gemini-*flash-lite*", "tier * | cache_read | 0.015 | 0.0?", "half of 0.03"),
    ("*gemini-*flash-lite*", "tier priority | cache_read | 0.054 | 0.05", "rounded"),
    ("gemini/gemini-3.5-flash", "tier flex | cache_read | 0.075 | 0.08", "rounded"),
    ("azure/*gpt-4.1*", "tier priority | cache_read | 0.9625 | 0.963", "rounded"),
    ("azure/*gpt-4.1-mini*", "tier priority | cache_read | 0.1925 | 0.193", "rounded"),
    ("chatgpt-image-latest", "tier batch | cache_read | 0.625 | 0.63", "rounded"),
    ("groq/openai/gpt-oss-safeguard-20b", "plain | cache_read | 0.0375 | 0.037", "rounded"),
    ("azure/*/gpt-4o-mini*", "* | *put* | 0.0825 | 0.083", "half of 0.165 is not 0.083"),
    ("azure/*/gpt-4o-mini*", "plain | cache_read | 0.0825 | 0.083", "half of 0.165 is not 0.083"),
    // Slips.
    ("azure/*/gpt-4o-mini*", "tier batch | output | 0.33 | 0.66", "half, as the input and the model elsewhere"),
    ("azure/gpt-5.5*", "tier flex* | *", "half, as what the map has of it and as in batches"),
    ("azure/gpt-5.4*", "tier flex* | cache_read | 0.125 | 0.25", "half, as beyond the threshold and as in batches"),
    ("vertex_ai/claude-opus-5-5*", "tier batch | *put* | *", "the rates of Opus 5, while batches are half"),
    ("ft:gpt-4o-2024-08-06", "tier batch | *", "2.225 and 12.5 beside 3.75 and 15"),
    ("ft:gpt-4.1-2025-04-14", "tier batch | cache_read | 0.375 | 0.5", "the standard rate of the model that was tuned"),
    ("ft:gpt-4o-2024-11-20", "plain | cache_write_* | NoRate | *", "other fine-tunes have 1.875 for reads"),
    ("bedrock/us-gov-east-1/meta.llama3-8b*", "plain | output | 0.6 | 2.65", "the input rate of the model of 70b"),
    ("anthropic.claude-3-7-sonnet-20240620*", "plain | *", "no such model; its price is that of a Region"),
    // The next version of the map has it otherwise.
    ("azure/gpt-6-astra*", "tier flex* | *", "half at every size"),
    ("*gemini-*pro*", "tier flex, prompt 200001 | *put* | *", "half at every size"),
    ("bedrock_mantle/us-gov-west-1/openai.gpt-5*", "plain | *", "1.32 times the list"),
    ("bedrock_mantle/us-gov-west-1/openai.gpt-5.6*", "prompt 272001 | *", "1.32 times the list"),
    ("bedrock/us-gov-east-1/amazon.titan-embed-text-v2:0", "plain | *", "0.03"),
    // The other book has it otherwise.
    ("perplexity/sonar", "*", "the model for agents, since the chat interface ended"),
    ("claude-sonnet-4-5-20250929-v1:0", "*", "a name without a place is in the Region, as the other book has it"),
    ("vertex_ai/claude-3-5-haiku*", "plain | *", "0.8 and 4, as its maker has it"),
    ("azure_ai/Phi-*", "plain | *", "the other book's prices"),
    ("*gpt-4o*-transcribe*", "plain | audio_in | *", "audio is dearer than text, as the other book and Azure have it"),
    ("*gpt-4o-mini-tts*", "plain | output | 12 | 10", "as the other book and Azure have it"),
    ("gemini-exp-1206", "*", "free in another row of the map"),
    // Fees.
    ("gpt-4*", "searches 1 | web_search | 10 | 25", "that of the older tool, as the other book and OpenAI's page have it"),
    ("azure_ai/gpt-6*", "searches 1 | web_search | 14 | 10", "the fee of the map's rows of azure"),
];
