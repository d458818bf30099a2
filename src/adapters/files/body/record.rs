//! The fields of bodies and of their envelopes that matter, of whichever provider.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::usage::{Bucket, Tokens};

use super::super::detect;
use super::super::gemini::{self, Metadata};
use super::super::object;
use super::super::scalar::Scalar;
use super::super::seller;
use super::super::usage::{Shape, Usage, watched};
use super::marks;

/// A body, or an envelope around one.
#[derive(Deserialize, Default)]
pub(super) struct Record<'a> {
    #[serde(borrow, default)]
    pub id: Scalar<'a>,
    #[serde(borrow, default, rename = "responseId")]
    pub response_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub object: Scalar<'a>,
    /// Of Anthropic.
    #[serde(borrow, default, rename = "type")]
    pub kind: Scalar<'a>,
    #[serde(borrow, default)]
    pub status: Scalar<'a>,
    #[serde(borrow, default)]
    pub created: Scalar<'a>,
    #[serde(borrow, default)]
    pub created_at: Scalar<'a>,
    #[serde(borrow, default, rename = "createTime")]
    pub create_time: Scalar<'a>,
    #[serde(borrow, default)]
    pub timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    pub time: Scalar<'a>,
    #[serde(borrow, default)]
    pub ts: Scalar<'a>,
    /// Of Elastic, Logback and CloudWatch.
    #[serde(borrow, default, rename = "@timestamp")]
    pub at_timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    pub datetime: Scalar<'a>,
    #[serde(borrow, default)]
    pub date: Scalar<'a>,
    /// Of Claude's agents.
    #[serde(borrow, default)]
    pub processed_at: Scalar<'a>,
    // Of spans.
    #[serde(borrow, default)]
    pub start_time: Scalar<'a>,
    #[serde(borrow, default)]
    pub started_at: Scalar<'a>,
    /// What boto3 keeps of an answer.
    #[serde(borrow, default, rename = "ResponseMetadata")]
    pub aws: Option<&'a RawValue>,
    /// The same of Google's SDK.
    #[serde(borrow, default, rename = "sdk_http_response")]
    pub google: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub model: Scalar<'a>,
    #[serde(borrow, default, rename = "modelVersion")]
    pub model_version: Scalar<'a>,
    #[serde(borrow, default, rename = "modelId")]
    pub model_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub provider: Scalar<'a>,
    #[serde(borrow, default)]
    pub x_groq: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub prompt_filter_results: Option<&'a RawValue>,
    // Of llama.cpp's server.
    #[serde(borrow, default)]
    pub system_fingerprint: Scalar<'a>,
    #[serde(borrow, default)]
    pub timings: Option<&'a RawValue>,
    /// Of Bifrost.
    #[serde(borrow, default)]
    pub extra_fields: Option<&'a RawValue>,
    /// Who sold what Portkey logged.
    #[serde(borrow, default)]
    pub ai_org: Scalar<'a>,
    /// Of TensorZero.
    #[serde(borrow, default)]
    pub inference_id: Scalar<'a>,
    /// Azure's in responses.
    #[serde(borrow, default)]
    pub content_filters: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub service_tier: Scalar<'a>,
    #[serde(borrow, default, rename = "serviceTier")]
    pub bedrock_tier: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub user: Scalar<'a>,
    #[serde(borrow, default)]
    pub metadata: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "watched")]
    pub usage: Option<Usage<'a>>,
    // Of AutoGen, of whose answers some are told again from a cache.
    #[serde(borrow, default)]
    pub cached: Scalar<'a>,
    #[serde(borrow, default)]
    pub finish_reason: Scalar<'a>,
    /// Of Anthropic; null in the beginning of a stream.
    #[serde(borrow, default, deserialize_with = "object::given")]
    pub stop_reason: Option<Scalar<'a>>,
    #[serde(borrow, default, rename = "usageMetadata", deserialize_with = "object::one")]
    pub usage_metadata: Option<Metadata<'a>>,
    // As Google's SDK for Python writes its answers.
    #[serde(borrow, default, rename = "usage_metadata")]
    pub python_usage: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "response_id")]
    pub python_id: Scalar<'a>,
    #[serde(borrow, default, rename = "model_version")]
    pub python_model: Scalar<'a>,
    #[serde(borrow, default, rename = "create_time")]
    pub python_time: Scalar<'a>,
    #[serde(borrow, default)]
    pub candidates: Option<&'a RawValue>,
    /// Of OpenAI.
    #[serde(borrow, default)]
    pub choices: Option<&'a RawValue>,
    /// Where Cohere's older answers and its embeddings keep their usage. Others have all kinds of things there.
    #[serde(borrow, default)]
    pub meta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub output: Option<&'a RawValue>,
    // What OpenAI's tools used.
    #[serde(borrow, default)]
    pub tool_usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub svg_usage: Option<&'a RawValue>,
    // Of sessions of agents.
    #[serde(borrow, default)]
    pub agent: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub session: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub turn: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub model_usage: Option<&'a RawValue>,
    /// Of OpenAI's decisions.
    #[serde(borrow, default)]
    pub answers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
    // Envelopes.
    #[serde(borrow, default)]
    pub custom_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub body: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub interaction: Option<&'a RawValue>,
    // What people who log answers call them.
    #[serde(borrow, default)]
    pub completion: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub payload: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub request: Option<&'a RawValue>,
    // Ids that they give a call.
    #[serde(borrow, default)]
    pub request_id: Scalar<'a>,
    #[serde(borrow, default, rename = "requestId")]
    pub camel_request_id: Scalar<'a>,
    #[serde(borrow, default, rename = "recordId")]
    pub record_id: Scalar<'a>,
    // Of batches of Gemini, Vertex AI and Bedrock.
    #[serde(borrow, default)]
    pub key: Scalar<'a>,
    #[serde(borrow, default)]
    pub processed_time: Scalar<'a>,
    #[serde(borrow, default, rename = "modelOutput")]
    pub model_output: Option<&'a RawValue>,
}

impl<'a> Record<'a> {
    /// Reads one.
    pub fn parse(text: &'a str) -> serde_json::Result<Self> {
        let mut record: Record<'a> = serde_json::from_str(text)?;
        let is_object = |raw: &&RawValue| raw.get().starts_with('{');
        if let Some(meta) = record.meta.filter(is_object).filter(|_| record.usage.is_none()) {
            record.usage = Some(serde_json::from_str(meta.get())?);
        }
        if let Some(groq) = record.x_groq.filter(is_object).filter(|_| record.usage.is_none()) {
            record.usage = marks::usage_of_groq(groq)?;
        }
        if let Some(usage) = record.usage.as_mut().filter(|usage| usage.is_total_alone())
            && (record.object.str() == "list" || (record.object.is_null() && marks::ranks(text)))
        {
            // Embeddings and rankings.
            usage.has_no_output();
        }
        // Others have maps of this name, too.
        let python = record.python_usage.take().filter(|_| record.usage_metadata.is_none());
        let python = python.filter(is_object);
        let python: Option<Metadata<'a>> = python.and_then(|python| serde_json::from_str(python.get()).ok());
        // And ids of this name, by which their bodies are not told apart.
        if record.shape().is_some() || !python.as_ref().is_some_and(Metadata::is_usage) {
            record.python_id = Scalar::Null;
        }
        record.usage_metadata = record.usage_metadata.or(python);
        let interaction = record.usage.as_ref().is_some_and(Usage::is_of_interaction);
        if interaction || record.object.str() == "interaction" {
            record.usage = None;
            record.usage_metadata = gemini::of_interaction(text)?;
        }
        record.in_plain_names(text);
        record.in_its_places()
    }

    /// The name of the model; nothing where it has none.
    pub fn model(&self) -> &Scalar<'a> {
        [&self.model, &self.model_version, &self.python_model, &self.model_id]
            .into_iter()
            .find(|model| !model.is_null())
            .unwrap_or(&Scalar::Null)
    }

    /// The name of the model that was asked for, where the request stands beside the answer.
    pub fn asked(&self) -> Scalar<'a> {
        #[derive(Deserialize, Default)]
        struct Request<'a> {
            #[serde(borrow, default)]
            model: Scalar<'a>,
            #[serde(borrow, default, rename = "modelId")]
            model_id: Scalar<'a>,
        }
        let request = self.request.filter(|raw| raw.get().starts_with('{'));
        let request = request.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let request: Request<'a> = request.unwrap_or_default();
        match request.model.is_null() {
            true => request.model_id,
            false => request.model,
        }
    }

    /// The shape of its usage; nothing where it has none.
    pub fn shape(&self) -> Option<Shape> {
        self.shape_around("")
    }

    /// The same within an envelope that names this model. What Bedrock tells the Vercel AI SDK is as Claude's.
    pub fn shape_around(&self, outer: &str) -> Option<Shape> {
        let model = match self.model().is_null() {
            true => outer,
            false => self.model().str(),
        };
        let usage = self.usage.as_ref()?;
        let claude = model.is_empty() || model.to_ascii_lowercase().contains("claude");
        match usage.shape_of(claude || self.kind.str() == "message") {
            Some(Shape::Sdk) if seller::by_model(model) == "bedrock" => usage.shape_of(true),
            // OpenRouter's part of the SDK hands over what OpenRouter counts.
            Some(Shape::SdkOfClaude) if self.provider.str() == "openrouter" => usage.shape_of(false),
            None => usage.is_of_ticks().then_some(Shape::Responses),
            shape => shape,
        }
    }

    /// Whether it was declined before anything was answered.
    pub fn is_refused(&self, shape: Shape, tokens: &Tokens) -> bool {
        shape == Shape::Messages && self.stop_reason() == "refusal" && tokens.get(Bucket::Output) == 0
    }

    /// Whether it is OpenAI's record of a batch, with the sum of what its requests used so far.
    pub fn is_batch(&self) -> bool {
        self.object.str() == "batch"
    }

    /// Whether it is a step of a run of OpenAI's Assistants, which tells what all of them used.
    pub fn is_step(&self) -> bool {
        self.object.str() == "thread.run.step"
    }

    /// Whether it is a turn that `codex exec --json` printed.
    pub fn is_turn(&self) -> bool {
        self.kind.str() == "turn.completed"
    }

    /// What it, which is this text, is an envelope of.
    pub fn inner(&self, text: &'a str) -> Option<Cow<'a, str>> {
        let inner = [self.response, self.body, self.result, self.message];
        let inner = inner.into_iter().chain([self.model_output, self.interaction]);
        let inner = inner.flatten().map(RawValue::get).find(|raw| raw.starts_with('{'));
        let tells = |raw: &&str| memchr::memmem::find(raw.as_bytes(), b"usage").is_some();
        let told = inner.filter(tells).map(Cow::Borrowed);
        let logged = || self.logged().or_else(|| detect::logged(text));
        told.or_else(logged).or(inner.map(Cow::Borrowed))
    }

    /// What stands under a name that other things have, too, or as a text: if that is an answer itself.
    fn logged(&self) -> Option<Cow<'a, str>> {
        let known = [self.response, self.body, self.result, self.message];
        let others = [self.completion, self.data, self.payload, self.event, self.output];
        let raw = known.into_iter().chain(others).flatten().map(RawValue::get);
        raw.filter_map(|raw| detect::answer(raw.as_bytes())).next()
    }

    /// What tells it from others like it, of an envelope: an id or a time.
    pub fn is_named(&self) -> bool {
        let ids = [
            &self.id,
            &self.response_id,
            &self.custom_id,
            &self.key,
            &self.request_id,
            &self.camel_request_id,
            &self.record_id,
        ];
        let times = self.times().into_iter().chain(self.times_of_logs());
        let mut named = ids.into_iter().chain(times.map(|(time, _)| time));
        named.any(|one| !one.is_null())
    }

    /// Whether it is a line of a batch's output.
    pub fn of_batch(&self) -> bool {
        let gemini = self.response.is_some() && !(self.key.is_null() && self.processed_time.is_null());
        !self.custom_id.is_null() || self.model_output.is_some() || gemini
    }

    /// The cloud whose batches have such lines.
    pub fn cloud(&self) -> &'static str {
        match (self.model_output, self.processed_time.is_null()) {
            (Some(_), _) => "bedrock",
            (None, false) => "vertex",
            (None, true) => "",
        }
    }

    /// The id that it has itself; empty where it has none.
    pub fn own_id(&self) -> &str {
        let ids = [&self.id, &self.response_id, &self.python_id];
        let own = ids.into_iter().map(Scalar::str).find(|id| !id.is_empty());
        own.unwrap_or_else(|| self.id_at_alibaba())
    }

    /// Whether its id stands where Google's answers have theirs.
    pub fn is_of_google(&self) -> bool {
        self.id.str().is_empty() && !self.response_id.is_null()
    }

    /// The id of the request that AWS answered, where boto3's answer has it.
    pub fn aws_request(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Kept<'a> {
            #[serde(borrow, default, rename = "RequestId")]
            request: Scalar<'a>,
        }
        let kept: Kept<'_> = serde_json::from_str(self.aws?.get()).ok()?;
        Some(kept.request.str().to_owned())
    }

    /// Whether it tells usage itself.
    pub fn tells_usage(&self) -> bool {
        self.shape().is_some() || self.usage_metadata.as_ref().is_some_and(Metadata::is_usage)
    }

    /// Whether it is a chat completion itself, not only what someone kept of it.
    pub fn is_answer(&self) -> bool {
        self.object.str().starts_with("chat.completion")
    }

    /// Whether the call failed.
    pub fn failed(&self) -> bool {
        // Vertex AI's status is the reason of a failure, else empty.
        let refused = !self.processed_time.is_null() && !self.status.str().is_empty();
        self.error.is_some_and(|e| e.get() != "null") || self.status.str() == "failed" || refused
    }
}
