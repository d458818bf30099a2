//! Usage objects in camel case: Bedrock's Converse, and the Vercel AI SDK, whose input includes cached tokens, but for Claude and on
//! Bedrock before its version 6: there it hands over what these count.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::usage::MAX_TOKENS;

use super::super::counts::Counts;
use super::super::line::Fault;
use super::super::scalar::Scalar;
use super::{Shape, Usage, first};

/// What OpenAI's agents in JavaScript tell of one request, in the provider's own names or in theirs.
#[derive(Deserialize, Default)]
struct Part<'a> {
    #[serde(borrow, default, alias = "cachedTokens")]
    cached_tokens: Scalar<'a>,
    #[serde(borrow, default, alias = "reasoningTokens")]
    reasoning_tokens: Scalar<'a>,
}

/// The parts of all requests, or of one; none of what is neither.
fn parts(raw: Option<&RawValue>) -> Vec<Part<'_>> {
    let text = raw.map_or("", RawValue::get);
    match text.starts_with('{') {
        true => serde_json::from_str(text).map(|part| vec![part]),
        false => serde_json::from_str(text),
    }
    .unwrap_or_default()
}

fn sum<'a>(parts: &[Part<'a>], of: fn(&Part<'a>) -> Result<u64, Fault>) -> Result<u64, Fault> {
    parts
        .iter()
        .try_fold(0_u64, |sum, part| Ok(sum.saturating_add(of(part)?)))
}

#[derive(Deserialize)]
pub(super) struct CacheDetail<'a> {
    #[serde(borrow, default, rename = "inputTokens")]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    ttl: Scalar<'a>,
}

/// What the SDK tells of the input, since its version 6.
#[derive(Deserialize, Default)]
pub(super) struct Input<'a> {
    #[serde(borrow, default, rename = "cacheReadTokens")]
    read: Scalar<'a>,
    #[serde(borrow, default, rename = "cacheWriteTokens")]
    written: Scalar<'a>,
}

/// The same of the output.
#[derive(Deserialize, Default)]
pub(super) struct Output<'a> {
    #[serde(borrow, default, rename = "reasoningTokens")]
    reasoning: Scalar<'a>,
}

impl Usage<'_> {
    /// Which of both it is: Converse has none of the SDK's own names.
    pub(super) fn in_camel_case(&self) -> Shape {
        let own = !(self.sdk_read.is_null() && self.sdk_reasoning.is_null());
        let own = own || self.js_input.is_some() || self.js_output.is_some();
        match own || self.sdk_input.is_some() || self.sdk_output.is_some() {
            true => Shape::Sdk,
            false => Shape::Converse,
        }
    }

    /// Whether it may be that of Claude's agents, or Claude's own in camel case, though it names caches: Converse tells a total, too.
    pub fn may_be_claudes(&self) -> bool {
        let written = [
            &self.converse_write,
            &self.converse_write_count,
            &self.converse_read_count,
        ];
        !self.agents_write.is_null()
            || (self.converse_total.is_null()
                && self.converse_details.is_none()
                && written.into_iter().all(Scalar::is_null))
    }

    /// Whether it has names that only Converse gives.
    pub fn names_caches_as_converse(&self) -> bool {
        let names = [
            &self.converse_read,
            &self.converse_write,
            &self.converse_read_count,
            &self.converse_write_count,
        ];
        self.converse_details.is_some() || names.into_iter().any(|name| !name.is_null())
    }

    pub(super) fn sdk(&self, openai: bool) -> Result<Counts, Fault> {
        let (input, output) = (Input::default(), Output::default());
        let input = self.sdk_input.as_ref().unwrap_or(&input);
        let output = self.sdk_output.as_ref().unwrap_or(&output);
        let written = first(&[
            (&input.written, "inputTokenDetails.cacheWriteTokens"),
            (&self.converse_write, "cacheWriteInputTokens"),
        ])?;
        let cached = sum(&parts(self.js_input), |part| part.cached_tokens.count("cached_tokens"))?;
        let thought = sum(&parts(self.js_output), |part| {
            part.reasoning_tokens.count("reasoning_tokens")
        })?;
        Ok(Counts {
            input: self.converse_input.count("inputTokens")?,
            read: first(&[
                (&input.read, "inputTokenDetails.cacheReadTokens"),
                (&self.sdk_read, "cachedInputTokens"),
                (&self.converse_read, "cacheReadInputTokens"),
                (&Scalar::Whole(cached), "inputTokensDetails"),
            ])?,
            write_5m: if openai { 0 } else { written },
            write_30m: if openai { written } else { 0 },
            output: self.converse_output.count("outputTokens")?,
            reasoning: first(&[
                (&output.reasoning, "outputTokenDetails.reasoningTokens"),
                (&self.sdk_reasoning, "reasoningTokens"),
                (&Scalar::Whole(thought), "outputTokensDetails"),
            ])?,
            total: self.converse_total.count("totalTokens")?,
            ..Counts::default()
        })
    }

    /// The SDK makes a total of input and output, whatever the input holds: it proves nothing.
    pub(super) fn sdk_of_claude(&self) -> Result<Counts, Fault> {
        Ok(Counts {
            total: 0,
            ..self.sdk(false)?
        })
    }

    pub(super) fn converse(&self) -> Result<Counts, Fault> {
        let written = first(&[
            (&self.converse_write, "cacheWriteInputTokens"),
            (&self.converse_write_count, "cacheWriteInputTokenCount"),
            (&self.agents_write, "cacheCreationInputTokens"),
        ])?;
        let (five, hour) = self.converse_split()?;
        Ok(Counts {
            input: self.converse_input.count("inputTokens")?,
            read: first(&[
                (&self.converse_read, "cacheReadInputTokens"),
                (&self.converse_read_count, "cacheReadInputTokenCount"),
            ])?,
            write_5m: five + written.saturating_sub(five + hour),
            write_1h: hour,
            output: self.converse_output.count("outputTokens")?,
            total: self.converse_total.count("totalTokens")?,
            ..Counts::default()
        })
    }

    fn converse_split(&self) -> Result<(u64, u64), Fault> {
        let (mut five, mut hour) = (0, 0);
        for detail in self.converse_details.iter().flatten() {
            let count = detail.input_tokens.count("cacheDetails.inputTokens")?;
            match detail.ttl.str() {
                "1h" => hour += count,
                _ => five += count,
            }
            // Any number of entries may follow.
            if five.max(hour) > MAX_TOKENS {
                return Err(Fault::field("cacheDetails", "more tokens than any call has"));
            }
        }
        Ok((five, hour))
    }

    /// The total that Converse tells; 0 where it is no usage of Converse.
    pub fn converse_total(&self) -> Result<u64, Fault> {
        self.converse_total.count("totalTokens")
    }

    /// How the cache writes divide into five minutes and one hour, as far as the object says.
    pub fn split(&self) -> Result<(u64, u64), Fault> {
        match &self.cache_creation {
            Some(split) => {
                let mut counts = Counts::default();
                split.read(&mut counts)?;
                Ok((counts.write_5m, counts.write_1h))
            }
            None => self.converse_split(),
        }
    }
}
