//! What Bedrock's models answer, as far as its logs and its batches hold it: an object, or the chunks of a stream.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::label::Label;
use crate::domain::usage::Bucket;

use super::super::counts::Counts;
use super::super::line::{Context, Fault, Output};
use super::super::scalar::Scalar;
use super::super::usage::Usage;
use super::super::{object, tier};
use super::Side;

/// The latency of deployments that are optimised for it.
const OPTIMIZED: &str = "optimized";

/// The counts of an answer of a model that tells them outside a usage object, such as Meta's and Titan; nothing where it tells none.
pub(in super::super) fn counts_of(answer: &str, out: &mut Output) -> Result<Option<Counts>, Fault> {
    Body(answer).counts(out)
}

/// The speed of an answer of Converse's, as [`Body::speed`] has it.
pub(in super::super) fn speed_of(answer: &str) -> &'static str {
    Body(answer).speed()
}

/// The body of a call, or one chunk of it.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    message: Option<Carrier<'a>>,
    #[serde(borrow, default)]
    metadata: Option<Carrier<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage: Option<Usage<'a>>,
    #[serde(borrow, default, rename = "serviceTier")]
    tier: Option<&'a RawValue>,
    /// The same of OpenAI's models.
    #[serde(borrow, default)]
    service_tier: Scalar<'a>,
    #[serde(borrow, default, rename = "performanceConfig", deserialize_with = "object::one")]
    performance: Option<Performance<'a>>,
    // Of Meta's models, which have no usage object.
    #[serde(borrow, default)]
    prompt_token_count: Scalar<'a>,
    #[serde(borrow, default)]
    generation_token_count: Scalar<'a>,
    // Of Amazon's Titan, the second one in a stream.
    #[serde(borrow, default, rename = "inputTextTokenCount")]
    titan_input: Scalar<'a>,
    #[serde(borrow, default, rename = "totalOutputTextTokenCount")]
    titan_output: Scalar<'a>,
    #[serde(borrow, default)]
    results: Option<&'a RawValue>,
    /// At the end of a stream, in the words of the log.
    #[serde(
        borrow,
        default,
        rename = "amazon-bedrock-invocationMetrics",
        deserialize_with = "object::one"
    )]
    metrics: Option<Side<'a>>,
}

#[derive(Deserialize)]
struct Carrier<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage: Option<Usage<'a>>,
    #[serde(borrow, default, rename = "serviceTier")]
    tier: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "performanceConfig", deserialize_with = "object::one")]
    performance: Option<Performance<'a>>,
}

#[derive(Deserialize)]
struct Performance<'a> {
    #[serde(borrow, default)]
    latency: Scalar<'a>,
}

/// An answer of Titan's.
#[derive(Deserialize)]
struct Titan<'a> {
    #[serde(borrow, default, rename = "tokenCount")]
    token_count: Scalar<'a>,
}

impl Chunk<'_> {
    /// What Titan tells; nothing where it is none of Titan's.
    fn of_titan(&self) -> Result<Option<(u64, u64)>, Fault> {
        if self.titan_input.is_null() && self.titan_output.is_null() {
            return Ok(None);
        }
        let results = self.results.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let results: Vec<Titan<'_>> = results.unwrap_or_default();
        let mut output = self.titan_output.count("totalOutputTextTokenCount")?;
        for result in &results {
            output = output.saturating_add(result.token_count.count("results.tokenCount")?);
        }
        Ok(Some((self.titan_input.count("inputTextTokenCount")?, output)))
    }
}

/// A body that is parsed when it is needed: an object, or the chunks of a stream.
pub(super) struct Body<'a>(&'a str);

impl<'a> Body<'a> {
    pub fn of(raw: Option<&'a RawValue>) -> Self {
        Body(raw.map_or("", RawValue::get))
    }

    fn holds(&self, text: &str) -> bool {
        memmem::find(self.0.as_bytes(), text.as_bytes()).is_some()
    }

    fn chunks(&self) -> Vec<Chunk<'a>> {
        let text = self.0;
        // A body of an unknown shape tells nothing, which is no fault of the log.
        match text.as_bytes().first() {
            Some(b'[') => serde_json::from_str(text).unwrap_or_default(),
            Some(b'{') => serde_json::from_str(text).map(|chunk| vec![chunk]).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// The id of Claude's message, which is in the beginning of a stream.
    pub fn message(&self) -> Option<String> {
        if !self.holds("\"msg_") {
            return None;
        }
        let of = |chunk: Chunk<'a>| {
            let within = chunk.message.map(|carrier| carrier.id).unwrap_or_default();
            let mut ids = [within, chunk.id].into_iter();
            ids.find(|id| id.str().starts_with("msg_"))
                .map(|id| id.str().to_owned())
        };
        self.chunks().into_iter().find_map(of)
    }

    /// The tier that served the call; at the end of a stream. Most bodies name none, which is seen without parsing them.
    pub fn tier(&self, context: &mut Context) -> Result<Label, Fault> {
        if self.holds("\"serviceTier\"") {
            let of = |chunk: Chunk<'a>| chunk.tier.or(chunk.metadata.and_then(|carrier| carrier.tier));
            return tier::of_bedrock(self.chunks().into_iter().find_map(of), context);
        }
        // Answers of OpenAI's models have it beside their choices, those of Claude within the usage.
        if !(self.holds("\"service_tier\"") && self.holds("\"choices\"")) {
            return Ok(Label::EMPTY);
        }
        let mut named = self.chunks().into_iter().map(|chunk| chunk.service_tier);
        // The last of a stream.
        let named = named.rfind(|tier| !tier.is_null()).unwrap_or_default();
        tier::of(&named, "service_tier", context)
    }

    /// Empty, or a word that prices have to know: a call that a deployment optimised for latency served costs more than others.
    pub fn speed(&self) -> &'static str {
        let of = |chunk: Chunk<'a>| {
            let carried = chunk.metadata.and_then(|carrier| carrier.performance);
            chunk.performance.or(carried)
        };
        if !self.holds("\"performanceConfig\"") {
            return "";
        }
        let mut told = self.chunks().into_iter().filter_map(of);
        match told.any(|config| config.latency.str() == OPTIMIZED) {
            true => OPTIMIZED,
            false => "",
        }
    }

    /// Whether it may tell of a cache, which is seen without parsing it.
    pub fn has_cache(&self) -> bool {
        self.holds("cache")
    }

    /// The total that Converse tells, which is seen without parsing a body that tells none.
    pub fn total(&self) -> Result<u64, Fault> {
        if !self.holds("\"totalTokens\"") {
            return Ok(0);
        }
        let mut most = 0;
        for chunk in self.chunks() {
            let carried = chunk.metadata.and_then(|carrier| carrier.usage);
            for usage in carried.into_iter().chain(chunk.usage) {
                most = usage.converse_total()?.max(most);
            }
        }
        Ok(most)
    }

    /// How the cache writes divide into five minutes and one hour: by the first usage object that has an input side, that of the whole call or
    /// of the start of its stream. Nothing where no usage is in it.
    pub fn split(&self) -> Result<Option<(u64, u64)>, Fault> {
        let mut told = None;
        for chunk in self.chunks() {
            let carried = [chunk.message, chunk.metadata]
                .into_iter()
                .flatten()
                .filter_map(|c| c.usage);
            for usage in carried.chain(chunk.usage) {
                let split = usage.split()?;
                if split != (0, 0) {
                    return Ok(Some(split));
                }
                told = told.or(usage.shape().map(|_| split));
            }
        }
        Ok(told)
    }

    /// The counts of a call whose log has none: the start of a stream has the input, its end the output.
    pub fn counts(&self, out: &mut Output) -> Result<Option<Counts>, Fault> {
        let mut all: Option<Counts> = None;
        for chunk in self.chunks() {
            let titan = chunk.of_titan()?;
            let carried = [chunk.message, chunk.metadata]
                .into_iter()
                .flatten()
                .filter_map(|c| c.usage);
            for usage in carried.chain(chunk.usage) {
                let Some(shape) = usage.shape() else { continue };
                let tokens = usage.tokens(shape, false, out)?;
                let counts = all.get_or_insert_with(Counts::default);
                counts.input = counts.input.max(tokens.get(Bucket::InputUncached));
                counts.read = counts.read.max(tokens.get(Bucket::CacheRead));
                counts.write_5m = counts.write_5m.max(tokens.get(Bucket::CacheWrite5m));
                counts.write_1h = counts.write_1h.max(tokens.get(Bucket::CacheWrite1h));
                counts.output = counts.output.max(tokens.get(Bucket::Output));
            }
            if !(chunk.prompt_token_count.is_null() && chunk.generation_token_count.is_null()) {
                let counts = all.get_or_insert_with(Counts::default);
                counts.input = counts.input.max(chunk.prompt_token_count.count("prompt_token_count")?);
                counts.output = counts
                    .output
                    .max(chunk.generation_token_count.count("generation_token_count")?);
            }
            if let Some((input, output)) = titan {
                let counts = all.get_or_insert_with(Counts::default);
                counts.input = counts.input.max(input);
                counts.output = counts.output.max(output);
            }
            if let Some(metrics) = chunk.metrics {
                let counts = all.get_or_insert_with(Counts::default);
                counts.input = counts.input.max(metrics.input_token_count.count("inputTokenCount")?);
                counts.output = counts.output.max(metrics.output_token_count.count("outputTokenCount")?);
                let read = &metrics.cache_read_input_token_count;
                counts.read = counts.read.max(read.count("cacheReadInputTokenCount")?);
                let written = metrics
                    .cache_write_input_token_count
                    .count("cacheWriteInputTokenCount")?;
                counts.write_5m = counts.write_5m.max(written.saturating_sub(counts.write_1h));
            }
        }
        Ok(all)
    }
}
