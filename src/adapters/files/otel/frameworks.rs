//! What frameworks tell of calls in words of their own (MLflow, Genkit, Logfire for OpenAI's agents), and which emitters mean something else by
//! the words of the conventions.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::counts::{Counts, Input};
use super::super::line::{Fault, Output};
use super::super::scalar::Scalar;
use super::super::{gemini, seller};
use super::attributes::{Attributes, or};

/// Instrumentations that hand over what Bedrock or Anthropic counted as input, which excludes what was cached. A total is of their own making.
const WITHOUT_CACHED: [&str; 4] = [
    "opentelemetry.instrumentation.botocore.bedrock-runtime",
    "opentelemetry.instrumentation.bedrock",
    "openlit.instrumentation.anthropic",
    "openlit.instrumentation.bedrock",
];

/// Hands over what Gemini counted as output, which excludes what was thought.
const WITHOUT_THOUGHTS: &str = "openlit.instrumentation.google_ai_studio";

/// Microsoft's framework hands over the input that its client was told, for whichever provider.
const OF_MICROSOFT: &str = "agent_framework";

const LOGFIRE_AGENTS: &str = "logfire.openai_agents";

/// OpenInference takes the span of an agent for that of the call.
const ON_AGENTS: &str = "calls that OpenInference's GoogleADKInstrumentor tells on the span of an agent, where each is written over the one before: leave it out, Google's ADK traces its calls itself";

/// The counts that a framework makes of usage, under the names of MLflow and of Genkit.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Counted<'a> {
    #[serde(borrow, alias = "inputTokens")]
    input_tokens: Scalar<'a>,
    #[serde(borrow, alias = "outputTokens")]
    output_tokens: Scalar<'a>,
    #[serde(borrow, alias = "totalTokens")]
    total_tokens: Scalar<'a>,
    #[serde(borrow, alias = "cachedContentTokens")]
    cache_read_input_tokens: Scalar<'a>,
    #[serde(borrow)]
    cache_creation_input_tokens: Scalar<'a>,
    #[serde(borrow)]
    cache_creation_input_tokens_above_1hr: Scalar<'a>,
    #[serde(borrow, rename = "thoughtsTokens")]
    thoughts: Scalar<'a>,
    /// Of an answer, where the framework counts nothing: an embedding.
    #[serde(borrow)]
    prompt_tokens: Scalar<'a>,
    #[serde(borrow)]
    completion_tokens: Scalar<'a>,
}

/// A provider's answer.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer<'a> {
    #[serde(borrow, alias = "responseId")]
    id: Scalar<'a>,
    #[serde(borrow, alias = "modelVersion")]
    model: Scalar<'a>,
    #[serde(borrow)]
    service_tier: Scalar<'a>,
    #[serde(borrow, alias = "usageMetadata", alias = "usage_metadata")]
    usage: Option<&'a RawValue>,
}

/// What Genkit writes of an answer: its own form, with the provider's within.
#[derive(Deserialize, Default)]
#[serde(default)]
struct OfGenkit<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    raw: Option<&'a RawValue>,
    #[serde(borrow)]
    custom: Option<&'a RawValue>,
}

/// The same value, kept apart from the text that it was read from.
fn own<'a>(value: &Scalar<'_>) -> Scalar<'a> {
    match value {
        Scalar::Null => Scalar::Null,
        Scalar::Text(text) => Scalar::Text(Cow::Owned(text.clone().into_owned())),
        Scalar::Whole(number) => Scalar::Whole(*number),
        Scalar::Negative(number) => Scalar::Negative(*number),
        Scalar::Float(number) => Scalar::Float(*number),
        Scalar::Bool(yes) => Scalar::Bool(*yes),
        Scalar::Other => Scalar::Other,
    }
}

/// Gives a value where none is.
fn give<'a>(slot: &mut Scalar<'a>, value: &Scalar<'_>) {
    if slot.is_null() {
        *slot = own(value);
    }
}

/// What an object in a text holds; nothing where it is none. A list would be taken for its fields in their order.
fn object<'t, T: Deserialize<'t>>(text: &'t str) -> Option<T> {
    Some(text)
        .filter(|text| text.trim_start().starts_with('{'))
        .and_then(|text| serde_json::from_str(text).ok())
}

/// A text that MLflow writes as JSON.
fn unquoted<'a>(text: &Scalar<'_>) -> Scalar<'a> {
    match serde_json::from_str::<String>(text.str()) {
        Ok(text) => Scalar::Text(text.into()),
        Err(_) => own(text),
    }
}

/// Gemini's counts; nothing where the text is no usage of its.
pub(super) fn of_gemini(text: &str) -> Result<Option<(Counts, Input)>, Fault> {
    match serde_json::from_str::<gemini::Metadata<'_>>(text) {
        Ok(usage) if usage.is_usage() => Ok(Some((usage.counts()?, Input::Includes))),
        Ok(_) | Err(_) => Ok(None),
    }
}

impl Attributes<'_> {
    /// Takes what frameworks tell in words of their own for what the conventions mean by it.
    pub(super) fn take_over_framework(&mut self, scope: &str) {
        if !self.mlflow_type.is_null() {
            self.take_over_mlflow();
        } else if !self.genkit_type.is_null() {
            self.take_over_genkit();
        } else if scope == LOGFIRE_AGENTS && self.has_usage() {
            let usage = std::mem::take(&mut self.own_usage);
            give(&mut self.raw_usage, &usage);
            let answer = std::mem::take(&mut self.own_answer);
            self.take_answer(answer.str());
        }
    }

    fn take_over_mlflow(&mut self) {
        let (kind, asks) = match unquoted(&self.mlflow_type).str() {
            "LLM" | "CHAT_MODEL" => ("LLM", true),
            "EMBEDDING" => ("EMBEDDING", true),
            "AGENT" => ("AGENT", false),
            "CHAIN" => ("CHAIN", false),
            "TOOL" => ("TOOL", false),
            "RETRIEVER" => ("RETRIEVER", false),
            _ => return,
        };
        let told = std::mem::take(&mut self.mlflow_usage);
        self.take_counts(told.str());
        if asks {
            let answer = std::mem::take(&mut self.mlflow_answer);
            self.take_answer(answer.str());
        }
        let (model, provider) = (unquoted(&self.mlflow_model), unquoted(&self.mlflow_provider));
        give(&mut self.request_model, &model);
        if self.system.is_null() {
            give(&mut self.provider, &provider);
        }
        self.user = unquoted(&self.user);
        // Any function may be marked as a model.
        if !asks || self.has_usage() || !model.is_null() {
            give(&mut self.kind, &Scalar::Text(kind.into()));
        }
    }

    fn take_over_genkit(&mut self) {
        let kind = match self.genkit_type.str() {
            "model" | "background-model" => "LLM",
            "embedder" => "EMBEDDING",
            "tool" => "TOOL",
            "retriever" => "RETRIEVER",
            _ => return,
        };
        give(&mut self.kind, &Scalar::Text(kind.into()));
        if !matches!(kind, "LLM" | "EMBEDDING") {
            return;
        }
        let name = std::mem::take(&mut self.genkit_name);
        let (plugin, model) = name.str().split_once('/').unwrap_or(("", name.str()));
        let seller = match plugin {
            "googleai" => "google",
            plugin if plugin.starts_with("vertex") => "vertex",
            plugin => plugin,
        };
        // A name of one's own says where requests go.
        if seller::is_known(seller) || seller::by_model(model).is_empty() {
            give(&mut self.provider, &Scalar::Text(seller.into()));
        }
        give(&mut self.request_model, &Scalar::Text(model.into()));
        let output = std::mem::take(&mut self.genkit_output);
        let output: OfGenkit<'_> = object(output.str()).unwrap_or_default();
        self.take_counts(output.usage.map_or("", RawValue::get));
        self.take_answer(output.raw.or(output.custom).map_or("", RawValue::get));
    }

    /// Takes the counts that a framework makes, where there are no others.
    fn take_counts(&mut self, text: &str) {
        let Some(counted) = object::<Counted<'_>>(text).filter(|_| !self.has_usage()) else {
            return;
        };
        self.input = own(or(&counted.input_tokens, &counted.prompt_tokens));
        self.output = own(or(&counted.output_tokens, &counted.completion_tokens));
        give(&mut self.total, &counted.total_tokens);
        give(&mut self.read, &counted.cache_read_input_tokens);
        give(&mut self.written, &counted.cache_creation_input_tokens);
        give(&mut self.written_1h, &counted.cache_creation_input_tokens_above_1hr);
        give(&mut self.reasoning, &counted.thoughts);
    }

    /// Takes what a provider's answer tells beside and of the counts.
    fn take_answer(&mut self, text: &str) {
        let Some(answer) = object::<Answer<'_>>(text) else {
            return;
        };
        let usage = answer.usage.map_or("", RawValue::get);
        // What a function returns need not be an answer.
        if !usage.starts_with('{') {
            return;
        }
        self.take_counts(usage);
        give(&mut self.raw_usage, &Scalar::Text(usage.into()));
        give(&mut self.response_id, &answer.id);
        give(&mut self.response_model, &answer.model);
        give(&mut self.tier, &answer.service_tier);
    }

    /// The counts, and what the input contains, as its emitter means it.
    pub(super) fn meant(&self, scope: &str, provider: &str, (mut counts, input): (Counts, Input)) -> (Counts, Input) {
        let claude = || self.models().any(|model| model.contains("claude"));
        let excludes = WITHOUT_CACHED.contains(&scope)
            // What OpenAI's client was told of Claude is in OpenAI's shape.
            || (scope == OF_MICROSOFT && (provider == "bedrock" || (provider != "openai" && claude())));
        if excludes {
            counts.total = 0;
            return (counts, Input::Excludes);
        }
        if scope == WITHOUT_THOUGHTS {
            counts.output = counts.output.saturating_add(counts.reasoning);
        }
        (counts, input)
    }

    /// Tells that calls before this one are lost, where they may be: only of an agent ADK tells a description.
    pub(super) fn tell_on_agent(&self, scope: &str, out: &mut Output) {
        if scope == "gcp.vertex.agent" && !self.agent_description.is_null() && self.kind.str() == "LLM" {
            out.warnings.push(ON_AGENTS);
        }
    }
}
