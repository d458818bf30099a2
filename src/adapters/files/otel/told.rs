//! What emitters tell of cached tokens in an attribute of text, where their spans have no attributes of their own for it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::counts::{Counts, Input};
use super::super::gemini;
use super::super::langfuse;
use super::super::line::{Fault, Output};
use super::super::litellm;
use super::super::media;
use super::super::scalar::Scalar;
use super::super::usage::{Shape, Usage};
use super::attributes::Attributes;
use super::frameworks::of_gemini;
use super::texts::of_usage;

/// What the Vercel AI SDK hands over of the provider's answer.
#[derive(Deserialize)]
struct OfProvider<'a> {
    #[serde(borrow, default)]
    anthropic: Option<Answer<'a>>,
    #[serde(borrow, default)]
    bedrock: Option<Answer<'a>>,
    #[serde(borrow, default)]
    google: Option<Answer<'a>>,
    #[serde(borrow, default)]
    vertex: Option<Answer<'a>>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "usageMetadata")]
    usage_metadata: Option<&'a RawValue>,
}

impl<'a> OfProvider<'a> {
    /// Claude's own usage, and that of Gemini.
    fn whole(&self) -> Result<Option<(Counts, Input)>, Fault> {
        if let Some(usage) = self.anthropic.as_ref().and_then(|answer| answer.usage)
            && let Ok(usage) = serde_json::from_str::<Usage<'_>>(usage.get())
            && usage.shape() == Some(Shape::Messages)
        {
            return Ok(Some((usage.counts(Shape::Messages, false)?, Input::Excludes)));
        }
        let answers = [&self.google, &self.vertex];
        if let Some(usage) = answers.into_iter().flatten().find_map(|answer| answer.usage_metadata)
            && let Ok(usage) = serde_json::from_str::<gemini::Metadata<'_>>(usage.get())
            && usage.is_usage()
        {
            return Ok(Some((usage.counts()?, Input::Includes)));
        }
        Ok(None)
    }

    /// What Bedrock wrote to the cache: of its usage nothing else is handed over.
    fn written(&self) -> Result<u64, Fault> {
        let usage = self.bedrock.as_ref().and_then(|answer| answer.usage);
        let usage = usage.and_then(|usage| serde_json::from_str::<Usage<'a>>(usage.get()).ok());
        usage.map_or(Ok(0), |usage| Ok(usage.counts(Shape::Converse, false)?.write_5m))
    }
}

/// LangChain's usage, as LangSmith exports it.
#[derive(Deserialize)]
struct OfLangchain<'a> {
    #[serde(borrow, default)]
    input_token_details: Option<Details<'a>>,
    #[serde(borrow, default)]
    output_token_details: Option<Details<'a>>,
}

#[derive(Deserialize, Default)]
struct Details<'a> {
    // The tier stands in the names of keys.
    #[serde(borrow, default, alias = "flex_cache_read", alias = "priority_cache_read")]
    cache_read: Scalar<'a>,
    #[serde(borrow, default, alias = "flex_cache_creation", alias = "priority_cache_creation")]
    cache_creation: Scalar<'a>,
    #[serde(borrow, default)]
    flex: Scalar<'a>,
    #[serde(borrow, default)]
    priority: Scalar<'a>,
    #[serde(borrow, default)]
    ephemeral_5m_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    ephemeral_1h_input_tokens: Scalar<'a>,
    #[serde(borrow, default, alias = "flex_reasoning", alias = "priority_reasoning")]
    reasoning: Scalar<'a>,
    #[serde(borrow, default)]
    audio: Scalar<'a>,
}

/// A text that is cut tells nothing.
const CUT: &str = "usage in attributes of text that is cut: what was cached is charged as uncached";

impl Attributes<'_> {
    /// The tier that LangChain's usage names, as LangSmith or Langfuse have it; empty where none.
    pub(super) fn told_tier(&self) -> &'static str {
        if self.usage_metadata.is_null() && self.observation_usage.is_null() {
            return "";
        }
        let details: Option<OfLangchain<'_>> = serde_json::from_str(self.usage_metadata.str()).ok();
        let details = details.and_then(|usage| usage.input_token_details).unwrap_or_default();
        match (details.flex.is_null(), details.priority.is_null()) {
            (false, _) => "flex",
            (true, false) => "priority",
            (true, true) => langfuse::tier_of(self.observation_usage.str()),
        }
    }

    /// The counts with what is told of them in a text, and what the input count contains; nothing where no text tells.
    pub(super) fn told(
        &self,
        provider: &str,
        plain: &Counts,
        out: &mut Output,
    ) -> Result<Option<(Counts, Input)>, Fault> {
        let named = [&self.input, &self.output, &self.old_input, &self.old_output];
        if named.into_iter().all(Scalar::is_null) && !self.observation_usage.is_null() {
            if let Some(whole) = of_usage(self.whole(), provider)? {
                return Ok(Some(whole));
            }
            let openai = matches!(provider, "openai" | "azure");
            let told = langfuse::of_span(self.observation_usage.str(), openai, out)?;
            return Ok(told.map(|counts| (counts, counts.by_evidence())));
        }
        if !self.raw_usage.is_null()
            && let Some(whole) = match of_usage(self.raw_usage.str(), provider)? {
                None => of_gemini(self.raw_usage.str())?,
                whole => whole,
            }
        {
            return Ok(Some(whole));
        }
        // The provider's own words are the whole of it.
        let metadata: Option<OfProvider<'_>> = serde_json::from_str(self.provider_metadata.str()).ok();
        if let Some(metadata) = metadata {
            if let Some(whole) = metadata.whole()? {
                return Ok(Some(whole));
            }
            let written = metadata.written()?;
            if written > 0 && self.uncached.is_null() {
                // The SDK hands over the input as Bedrock told it, and makes a total of that.
                let counts = Counts {
                    write_5m: written,
                    total: 0,
                    ..*plain
                };
                return Ok(Some((counts, Input::Excludes)));
            }
        }
        let attributes = [
            &self.read,
            &self.sdk_read,
            &self.written,
            &self.written_1h,
            &self.uncached,
        ];
        let (litellm, langchain) = (self.object(), self.usage_metadata.str());
        if attributes.iter().any(|count| !count.is_null()) {
            // Of what the attributes tell the object tells the parts.
            let counts = match litellm.is_empty() || !self.uncached.is_null() {
                true => None,
                false => litellm::of_python(litellm, provider, plain)?,
            };
            let counts = counts.filter(|counts| counts.cached() == plain.cached() && counts.read == plain.read);
            return Ok(counts.map(|counts| (counts, Input::Includes)));
        }
        let counts = if !litellm.is_empty() {
            litellm::of_python(litellm, provider, plain)?
        } else if langchain.is_empty() {
            return Ok(None);
        } else {
            of_langchain(langchain, provider, plain)?
        };
        if counts.is_none() {
            out.warnings.push(CUT);
        }
        Ok(counts.map(|counts| (counts, Input::Includes)))
    }
}

fn of_langchain(text: &str, provider: &str, plain: &Counts) -> Result<Option<Counts>, Fault> {
    let Ok(usage) = serde_json::from_str::<OfLangchain<'_>>(text) else {
        return Ok(None);
    };
    let input = usage.input_token_details.unwrap_or_default();
    let count = |value: &Scalar<'_>, field: &str| value.count(&format!("usage_metadata.input_token_details.{field}"));
    let five = count(&input.ephemeral_5m_input_tokens, "ephemeral_5m_input_tokens")?;
    let hour = count(&input.ephemeral_1h_input_tokens, "ephemeral_1h_input_tokens")?;
    // Nothing where its parts are told.
    let written = count(&input.cache_creation, "cache_creation")?;
    let rest = written.max(five.saturating_add(hour)) - hour;
    let openai = matches!(provider, "openai" | "azure");
    let output = usage.output_token_details.unwrap_or_default();
    Ok(Some(Counts {
        read: count(&input.cache_read, "cache_read")?,
        write_5m: if openai { 0 } else { rest },
        write_1h: hour,
        write_30m: if openai { rest } else { 0 },
        reasoning: output
            .reasoning
            .count("usage_metadata.output_token_details.reasoning")?,
        media: media::audio(&input.audio, &output.audio, &Scalar::Null)?,
        ..*plain
    }))
}
