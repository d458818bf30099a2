//! The attributes of a span that matter, under the names that conventions and emitters have for them, and what they say of its role.

use rust_decimal::Decimal;

use super::super::counts::{Counts, Input};
use super::super::langfuse;
use super::super::line::{Fault, Output};
use super::super::media;
use super::super::scalar::{Scalar, reported};
use super::super::thoughts::Thoughts;

macro_rules! attributes {
    ($($(#[doc = $doc:literal])* $field:ident: $($key:literal)|+;)*) => {
        /// The attributes that matter.
        #[derive(Default)]
        pub(in super::super) struct Attributes<'a> {
            $($(#[doc = $doc])* pub(super) $field: Scalar<'a>,)*
            /// Under which of its names each was given.
            names: Names,
            /// Whether any was given.
            given: bool,
        }

        #[derive(Default)]
        struct Names {
            $($field: u8,)*
        }

        impl<'a> Attributes<'a> {
            /// Where an attribute is kept that matters, unless a name is known that comes before this one.
            pub fn slot(&mut self, key: &str) -> Option<Slot<'_, 'a>> {
                match key {
                    $($($key)|+ => {
                        let name = place(key, &[$($key),+]);
                        if !is_blank(&self.$field) && self.names.$field <= name {
                            return None;
                        }
                        self.given = true;
                        Some(Slot { value: &mut self.$field, known: &mut self.names.$field, name })
                    })*
                    _ => None,
                }
            }
        }
    };
}

/// Which of several names it is.
fn place(name: &str, names: &[&str]) -> u8 {
    let at = names.iter().position(|one| *one == name);
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

/// Where an attribute is kept.
pub(in super::super) struct Slot<'s, 'a> {
    value: &'s mut Scalar<'a>,
    known: &'s mut u8,
    name: u8,
}

impl<'a> Slot<'_, 'a> {
    /// Keeps what is given under a name. Of several names the first one of the list counts that has a value, in whatever order they come.
    pub fn give(self, value: Scalar<'a>) {
        if !is_blank(&value) || self.value.is_null() {
            (*self.value, *self.known) = (value, self.name);
        }
    }
}

/// Whether nothing was given, or a text in which nothing stands: what a variable of the environment gives that is not set.
fn is_blank(value: &Scalar<'_>) -> bool {
    match value {
        Scalar::Null => true,
        Scalar::Text(text) => text.trim().is_empty(),
        Scalar::Whole(_) | Scalar::Negative(_) | Scalar::Float(_) | Scalar::Bool(_) | Scalar::Other => false,
    }
}

attributes! {
    operation: "gen_ai.operation.name";
    /// What the Vercel AI SDK calls the operation.
    step: "ai.operationId";
    /// What OpenInference calls the operation.
    kind: "openinference.span.kind";
    /// The operation of emitters that follow no convention, LiteLLM's own word for it too.
    request_type: "llm.request.type";
    provider: "gen_ai.provider.name" | "llm.provider" | "ai.model.provider";
    /// The name before version 1.37 of the conventions.
    system: "gen_ai.system" | "llm.system";
    /// What Cloudflare's gateway calls the provider.
    cloudflare: "gen_ai.model.provider";
    request_model: "gen_ai.request.model" | "llm.request.model" | "llm.model_name" | "embedding.model_name"
        | "ai.model.id" | "langfuse.observation.model.name";
    response_model: "gen_ai.response.model" | "llm.response.model" | "ai.response.model";
    response_id: "gen_ai.response.id" | "ai.response.id";
    aws_request: "aws.request_id";
    conversation: "gen_ai.conversation.id" | "session.id";
    agent: "gen_ai.agent.name" | "agent";
    service: "service.name";
    workflow: "gen_ai.workflow.name" | "workflow" | "workflow.name";
    team: "team" | "team.name" | "service.team" | "trace.metadata.team" | "gen_ai.team_name" | "bifrost.team.name";
    user: "user.id" | "enduser.id" | "user";
    project: "project" | "project.name" | "trace.metadata.project";
    /// The key of a gateway's that was asked with.
    key_name: "trace.metadata.openrouter.api_key_name" | "gen_ai.virtual_key_name" | "bifrost.virtual_key.name";
    account: "cloud.account.id" | "account";
    asked_tier: "openai.request.service_tier" | "gen_ai.openai.request.service_tier" | "gen_ai.request.service_tier";
    tier: "openai.response.service_tier" | "gen_ai.openai.response.service_tier" | "gen_ai.response.service_tier"
        | "anthropic.response.service_tier";
    /// What LiteLLM computes the cost by.
    cost_tier: "gen_ai.cost.service_tier";
    cost_place: "gen_ai.cost.vertex_location" | "gen_ai.cost.data_residency";
    /// Whom LiteLLM asked for what: `openai/whisper-1`.
    provider_model: "litellm.provider.model";
    /// What was asked for beside the prompt, and what OpenInference has of the answer.
    parameters: "llm.invocation_parameters" | "langfuse.observation.model.parameters";
    answer: "output.value";
    /// The host that was asked.
    server: "server.address";
    error: "error.type";
    /// What Traceloop's decorators mark.
    marked: "traceloop.span.kind";
    tool: "gen_ai.tool.name" | "tool.name" | "mcp.method.name";
    input: "gen_ai.usage.input_tokens";
    output: "gen_ai.usage.output_tokens";
    old_input: "gen_ai.usage.prompt_tokens" | "llm.usage.prompt_tokens" | "llm.token_count.prompt" | "gen_ai.response.prompt_tokens"
        | "ai.usage.inputTokens" | "ai.usage.promptTokens" | "ai.usage.tokens";
    old_output: "gen_ai.usage.completion_tokens" | "llm.usage.completion_tokens" | "llm.token_count.completion"
        | "gen_ai.response.completion_tokens" | "ai.usage.outputTokens" | "ai.usage.completionTokens";
    /// What the Vercel AI SDK says of cached tokens: a part of the input since its version 6, which tells the rest of it too.
    sdk_read: "ai.usage.cachedInputTokens" | "ai.usage.inputTokenDetails.cacheReadTokens";
    uncached: "ai.usage.inputTokenDetails.noCacheTokens";
    read: "gen_ai.usage.cache_read.input_tokens" | "gen_ai.usage.cache_read_input_tokens" | "gen_ai.usage.input_tokens.cached"
        | "llm.token_count.prompt_details.cache_read" | "gen_ai.usage.details.cache_read_tokens"
        | "gen_ai.usage.details.cached_tokens" | "gen_ai.usage.details.cache_read_input_tokens"
        | "gen_ai.usage.details.cached_content_tokens" | "gen_ai.usage.prompt_token_details.cached_read_tokens";
    written: "gen_ai.usage.cache_creation.input_tokens" | "gen_ai.usage.cache_creation_input_tokens"
        | "gen_ai.usage.cache_write.input_tokens" | "gen_ai.usage.cache_write_input_tokens"
        | "llm.token_count.prompt_details.cache_write" | "gen_ai.usage.details.cache_write_tokens"
        | "gen_ai.usage.details.cache_creation_input_tokens" | "ai.usage.inputTokenDetails.cacheWriteTokens"
        | "gen_ai.usage.input_tokens.cache_write" | "gen_ai.usage.prompt_token_details.cached_write_tokens";
    /// The parts of what was written, by how long it stays.
    written_5m: "anthropic.usage.cache_creation.ephemeral_5m_input_tokens" | "gen_ai.usage.details.ephemeral_5m_input_tokens"
        | "gen_ai.usage.cache_creation.5m_input_tokens" | "gen_ai.usage.input_tokens.cache_write_5m"
        | "gen_ai.usage.prompt_token_details.cached_write_tokens_5m";
    written_1h: "anthropic.usage.cache_creation.ephemeral_1h_input_tokens" | "gen_ai.usage.details.ephemeral_1h_input_tokens"
        | "gen_ai.usage.cache_creation.1h_input_tokens" | "gen_ai.usage.input_tokens.cache_write_1h"
        | "gen_ai.usage.prompt_token_details.cached_write_tokens_1h";
    reasoning: "gen_ai.usage.reasoning.output_tokens" | "gen_ai.usage.output_tokens.reasoning" | "gen_ai.usage.reasoning_tokens"
        | "llm.token_count.completion_details.reasoning" | "gen_ai.usage.details.reasoning_tokens" | "ai.usage.reasoningTokens"
        | "ai.usage.outputTokenDetails.reasoningTokens" | "codex.usage.reasoning_output_tokens"
        | "gen_ai.usage.completion_token_details.reasoning_tokens";
    /// What of the input and the output is audio, and what of the former was read from the cache.
    audio_in: "llm.token_count.prompt_details.audio" | "gen_ai.usage.details.input_audio_tokens"
        | "gen_ai.usage.details.audio_prompt_tokens" | "gen_ai.usage.audio_input_tokens"
        | "gen_ai.usage.input_tokens.audio" | "gen_ai.usage.prompt_token_details.audio_tokens";
    audio_out: "llm.token_count.completion_details.audio" | "gen_ai.usage.details.output_audio_tokens"
        | "gen_ai.usage.details.audio_candidates_tokens" | "gen_ai.usage.audio_output_tokens"
        | "gen_ai.usage.completion_token_details.audio_tokens";
    audio_read: "gen_ai.usage.details.cache_audio_read_tokens" | "gen_ai.usage.details.audio_cache_tokens";
    /// LiteLLM's usage as Python writes it, with what its spans have no attributes for.
    usage_object: "metadata.usage_object";
    /// Where its spans of OpenInference have that.
    metadata: "metadata";
    /// The provider's own usage, as Logfire writes it.
    raw_usage: "gen_ai.usage.raw";
    /// LangChain's usage, where LangSmith exports it.
    usage_metadata: "langsmith.metadata.usage_metadata";
    /// The provider's own words, where the Vercel AI SDK hands them over.
    provider_metadata: "ai.response.providerMetadata";
    /// What Langfuse's SDK says of an observation: its kind, its usage and its cost, as maps in a text.
    observation: "langfuse.observation.type";
    observation_usage: "langfuse.observation.usage_details";
    observation_cost: "langfuse.observation.cost_details";
    /// What LiteLLM, Pydantic AI, OpenInference and gateways say that it cost, in USD.
    cost: "gen_ai.cost.total_cost" | "operation.cost" | "llm.cost.total" | "gen_ai.usage.total_cost" | "gen_ai.usage.cost"
        | "gen_ai.usage.cost_usd";
    /// What Claude Code traces, in words of its own.
    claude_span: "span.type";
    claude_input: "input_tokens";
    claude_output: "output_tokens";
    claude_read: "cache_read_tokens";
    claude_written: "cache_creation_tokens";
    speed: "speed";
    stop: "stop_reason";
    /// What Codex traces: which part of it does, and what it asks.
    target: "target";
    own_model: "model";
    codex_total: "codex.usage.total_tokens";
    /// What MLflow traces, its texts as JSON: what a span is, whom it asked, what that used and what it answered.
    mlflow_type: "mlflow.spanType";
    mlflow_model: "mlflow.llm.model";
    mlflow_provider: "mlflow.llm.provider";
    mlflow_usage: "mlflow.chat.tokenUsage";
    mlflow_answer: "mlflow.spanOutputs";
    /// What Genkit traces: what an action is, its name and what came of it.
    genkit_type: "genkit:metadata:subtype";
    genkit_name: "genkit:name";
    genkit_output: "genkit:output";
    /// What Logfire has of a call of OpenAI's agents.
    own_usage: "usage";
    own_answer: "response";
    /// What ADK tells of agents alone.
    agent_description: "gen_ai.agent.description";
    total: "gen_ai.usage.total_tokens" | "llm.usage.total_tokens" | "llm.token_count.total" | "ai.usage.totalTokens";
}

/// What a span does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Calls a model.
    Call,
    /// Repeats what the calls below it used.
    Agent,
    /// An operation that nobody here has heard of, which says what it used: a call, unless calls lie below it.
    Unknown,
    /// Does something for a model, such as running a tool: what it says of tokens is another span's.
    Tool,
    /// Anything else.
    Other,
}

/// The first of two that is given.
pub(super) fn or<'s, 'a>(own: &'s Scalar<'a>, other: &'s Scalar<'a>) -> &'s Scalar<'a> {
    if is_blank(own) && !other.is_null() { other } else { own }
}

/// The first of two that is a name, which is text or a number: the call counts, whatever else was given for one.
pub(super) fn name<'s, 'a>(own: &'s Scalar<'a>, other: &'s Scalar<'a>) -> &'s Scalar<'a> {
    let names = [own, other].into_iter();
    let mut names = names.filter(|name| match name {
        Scalar::Text(_) => !is_blank(name),
        Scalar::Whole(_) | Scalar::Negative(_) => true,
        Scalar::Null | Scalar::Float(_) | Scalar::Bool(_) | Scalar::Other => false,
    });
    names.next().unwrap_or(&Scalar::Null)
}

impl Attributes<'_> {
    /// Forgets what was given.
    pub fn clear(&mut self) {
        if self.given {
            *self = Attributes::default();
        }
    }

    /// What the span does, told by the name of its operation and whether it says what it used.
    pub fn role(&self) -> Role {
        let names = [
            &self.operation,
            &self.step,
            &self.kind,
            &self.request_type,
            &self.observation,
        ];
        let named = names.into_iter().map(Scalar::str).find(|name| !name.is_empty());
        let gen_ai = !(self.provider.is_null() && self.system.is_null());
        match named.unwrap_or("") {
            "chat" | "text_completion" | "generate_content" | "embeddings" | "completion" | "embedding" => Role::Call,
            // Semantic Kernel, OpenInference.
            "chat.completions" | "text.completions" | "LLM" | "EMBEDDING" => Role::Call,
            // Langfuse.
            "generation" => Role::Call,
            // LiteLLM's types of calls, the leading letter of the asynchronous ones included.
            "acompletion"
            | "atext_completion"
            | "aembedding"
            | "responses"
            | "aresponses"
            | "anthropic_messages"
            | "agenerate_content"
            | "generate_content_stream"
            | "agenerate_content_stream" => Role::Call,
            // Its calls that use seconds, pages and the like.
            "transcription" | "atranscription" | "speech" | "aspeech" | "rerank" | "arerank" | "ocr" | "aocr"
            | "image_generation" | "aimage_generation"
                if !self.provider_model.is_null() || !self.object().is_empty() =>
            {
                Role::Call
            }
            "invoke_agent" | "invoke_workflow" | "AGENT" | "CHAIN" if self.has_usage() => Role::Agent,
            // The Vercel AI SDK: the innermost of its steps ask the provider.
            step if step.starts_with("ai.")
                && [".doGenerate", ".doStream", ".doEmbed"]
                    .iter()
                    .any(|end| step.ends_with(end)) =>
            {
                Role::Call
            }
            "execute_tool" | "ai.toolCall" | "create_agent" | "retrieval" | "TOOL" | "RETRIEVER" | "RERANKER"
            | "GUARDRAIL" | "EVALUATOR" | "PROMPT"
                if self.has_usage() =>
            {
                Role::Tool
            }
            // Emitters of the first conventions named no operation.
            "" if self.has_usage() && gen_ai => Role::Call,
            _ if self.has_usage() => Role::Unknown,
            _ => Role::Other,
        }
    }

    /// Whether it is an agent or a tool: what these ask is not what was asked above them.
    pub fn is_apart(&self) -> bool {
        let names = [&self.operation, &self.step, &self.kind];
        let apart = [
            "execute_tool",
            "ai.toolCall",
            "TOOL",
            "RETRIEVER",
            "retrieval",
            "invoke_agent",
            "create_agent",
            "AGENT",
            "invoke_workflow",
        ];
        let marked = matches!(self.marked.str(), "tool" | "agent");
        marked || !self.tool.is_null() || names.iter().any(|name| apart.contains(&name.str()))
    }

    /// Whether it says what it used.
    pub fn has_usage(&self) -> bool {
        let counts = [&self.input, &self.output, &self.old_input, &self.old_output];
        counts.iter().any(|count| !count.is_null())
            || (!self.observation_usage.is_null() && langfuse::tells(self.observation_usage.str()))
    }

    /// What it used, and what its input count contains by the conventions or, where they say otherwise, by its emitter.
    pub fn counts(&self, provider: &str, out: &mut Output) -> Result<(Counts, Input), Fault> {
        let five = self
            .written_5m
            .count("anthropic.usage.cache_creation.ephemeral_5m_input_tokens")?;
        let hour = self
            .written_1h
            .count("anthropic.usage.cache_creation.ephemeral_1h_input_tokens")?;
        let written = self.written.count("gen_ai.usage.cache_creation.input_tokens")?;
        let rest = written.max(five.saturating_add(hour)) - hour;
        let openai = matches!(provider, "openai" | "azure");
        let mut counts = Counts {
            input: or(&self.input, &self.old_input).count("gen_ai.usage.input_tokens")?,
            read: or(&self.read, &self.sdk_read).count("gen_ai.usage.cache_read.input_tokens")?,
            write_5m: if openai { 0 } else { rest },
            write_1h: hour,
            write_30m: if openai { rest } else { 0 },
            output: or(&self.output, &self.old_output).count("gen_ai.usage.output_tokens")?,
            reasoning: self.reasoning.count("gen_ai.usage.reasoning.output_tokens")?,
            media: media::audio(&self.audio_in, &self.audio_out, &self.audio_read)?,
            total: self.total.count("gen_ai.usage.total_tokens")?,
            ..Counts::default()
        };
        // An emitter that tells what Gemini answered and not what it thought tells that by the total alone.
        if self.is_gemini(provider) {
            counts.thoughts = Thoughts::Rest;
        }
        if let Some(told) = self.told(provider, &counts, out)? {
            return Ok(told);
        }
        if !self.uncached.is_null() {
            counts.input = self.uncached.count("ai.usage.inputTokenDetails.noCacheTokens")?;
            return Ok((counts, Input::Excludes));
        }
        let claude = matches!(provider, "anthropic" | "bedrock") || self.models().any(|model| model.contains("claude"));
        if claude && !self.sdk_read.is_null() {
            // Before version 6 the SDK handed over what Claude said, and made a total of that.
            counts.total = 0;
            return Ok((counts, Input::Excludes));
        }
        Ok((counts, Input::Includes))
    }

    /// Whether Gemini was asked, of Google.
    pub fn is_gemini(&self, provider: &str) -> bool {
        matches!(provider, "google" | "vertex") && self.models().any(|model| model.contains("gemini"))
    }

    /// What the emitter says that it cost. One that says no amount says nothing.
    pub fn reported_cost(&self) -> Option<Decimal> {
        let text = match &self.cost {
            Scalar::Text(text) => text.to_string(),
            Scalar::Whole(dollars) => dollars.to_string(),
            // The digits that its emitter wrote or meant, and no calculation.
            Scalar::Float(dollars) => dollars.to_string(),
            Scalar::Null => return langfuse::cost_of(self.observation_cost.str()).ok().flatten(),
            Scalar::Negative(_) | Scalar::Bool(_) | Scalar::Other => return None,
        };
        reported(Some(&text), "cost").ok().flatten()
    }

    /// The names of the model, that of the answer first.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let names = [&self.response_model, &self.request_model];
        names.into_iter().map(Scalar::str).filter(|name| !name.is_empty())
    }
}
