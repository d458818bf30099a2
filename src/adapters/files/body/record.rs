//! The fields of bodies and of their envelopes that matter, of whichever provider.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::usage::{Bucket, Tokens};

use super::super::gemini::Metadata;
use super::super::scalar::Scalar;
use super::super::usage::{Shape, Usage};

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
    #[serde(borrow, default)]
    pub service_tier: Scalar<'a>,
    #[serde(borrow, default, rename = "serviceTier")]
    pub bedrock_tier: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub user: Scalar<'a>,
    #[serde(borrow, default)]
    pub metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub usage: Option<Usage<'a>>,
    /// Of Anthropic.
    #[serde(borrow, default)]
    pub stop_reason: Scalar<'a>,
    #[serde(borrow, default, rename = "usageMetadata")]
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
    /// Of OpenAI's shape.
    #[serde(borrow, default)]
    pub choices: Option<&'a RawValue>,
    /// Where Cohere's older answers and its embeddings keep their usage.
    #[serde(borrow, default)]
    pub meta: Option<Usage<'a>>,
    #[serde(borrow, default)]
    pub output: Option<&'a RawValue>,
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
        record.usage = record.usage.or(record.meta.take());
        // Others have maps of this name, too.
        let python = record.python_usage.take().filter(|_| record.usage_metadata.is_none());
        let python: Option<Metadata<'a>> = python.and_then(|python| serde_json::from_str(python.get()).ok());
        // And ids of this name, by which their bodies are not told apart.
        if record.shape().is_some() || !python.as_ref().is_some_and(Metadata::is_usage) {
            record.python_id = Scalar::Null;
        }
        record.usage_metadata = record.usage_metadata.or(python);
        Ok(record)
    }

    /// The name of the model; nothing where it has none.
    pub fn model(&self) -> &Scalar<'a> {
        [&self.model, &self.model_version, &self.python_model, &self.model_id]
            .into_iter()
            .find(|model| !model.is_null())
            .unwrap_or(&Scalar::Null)
    }

    /// The shape of its usage; nothing where it has none.
    pub fn shape(&self) -> Option<Shape> {
        let model = self.model().str();
        let claude = model.is_empty() || model.to_ascii_lowercase().contains("claude");
        self.usage.as_ref()?.shape_of(claude || self.kind.str() == "message")
    }

    /// Whether it was declined before anything was answered.
    pub fn is_refused(&self, shape: Shape, tokens: &Tokens) -> bool {
        shape == Shape::Messages && self.stop_reason.str() == "refusal" && tokens.get(Bucket::Output) == 0
    }

    /// What it is an envelope of.
    pub fn envelope(&self) -> Option<&'a RawValue> {
        let object = |raw: &&'a RawValue| raw.get().starts_with('{');
        [self.response, self.body, self.result, self.message, self.model_output]
            .into_iter()
            .flatten()
            .find(object)
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

    /// Whether it is a chat completion itself, not only what someone kept of it.
    pub fn is_answer(&self) -> bool {
        self.object.str().starts_with("chat.completion")
    }

    /// Whether it is a part of a stream that is not at its end: some tell the usage so far in each. What has no answers in it comes last.
    pub fn goes_on(&self) -> bool {
        let answers = match (self.object.str(), self.candidates) {
            ("chat.completion.chunk" | "text_completion", _) => self.choices,
            (_, candidates) => candidates,
        };
        let answers: Option<Vec<Answer<'_>>> = answers.and_then(|raw| serde_json::from_str(raw.get()).ok());
        answers.is_some_and(|answers| !answers.is_empty() && answers.iter().all(|answer| answer.ended.is_null()))
    }

    /// Whether it is an answer of Claude's or Gemini's to its end.
    pub fn is_ended(&self) -> bool {
        let claude = self.kind.str() == "message" && !self.stop_reason.is_null();
        claude || (self.usage_metadata.is_some() && self.candidates.is_some() && !self.goes_on())
    }

    /// Whether the call failed.
    pub fn failed(&self) -> bool {
        // Vertex AI's status is the reason of a failure, else empty.
        let refused = !self.processed_time.is_null() && !self.status.str().is_empty();
        self.error.is_some_and(|e| e.get() != "null") || self.status.str() == "failed" || refused
    }
}

/// One of the answers that a body holds.
#[derive(Deserialize)]
struct Answer<'a> {
    /// Why nothing follows.
    #[serde(borrow, default, alias = "finishReason", rename = "finish_reason")]
    ended: Scalar<'a>,
}
