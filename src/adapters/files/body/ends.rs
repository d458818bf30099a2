//! Whether an answer has ended, or more of it follows.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::scalar::Scalar;
use super::super::usage::Shape;
use super::record::Record;

impl Record<'_> {
    /// Why Anthropic's model stopped; empty where it has not, or nothing is said.
    pub fn stop_reason(&self) -> &str {
        self.stop_reason.as_ref().map_or("", Scalar::str)
    }

    /// Whether it says itself that more of the same answer follows: a part of a stream that names no reason for its end. Where no such
    /// reason could stand, nobody knows.
    pub fn goes_on(&self) -> bool {
        let begun = self.kind.str() == "message" && self.stop_reason.as_ref().is_some_and(Scalar::is_null);
        let part = matches!(self.object.str(), "chat.completion.chunk" | "text_completion");
        let parts = [self.choices.filter(|_| part), self.candidates];
        begun || parts.into_iter().any(|answers| ended(answers) == Some(false)) || self.goes_on_at_alibaba()
    }

    /// Whether it is the end of an answer of Anthropic's or Gemini's.
    pub fn is_end(&self) -> bool {
        (self.kind.str() == "message" && !self.stop_reason().is_empty()) || ended(self.candidates) == Some(true)
    }

    /// Whether a response without usage is of one that was asked a model, as far as is known.
    pub fn may_have_used(&self) -> bool {
        let told = ["queued", "in_progress", "completed", "incomplete", "cancelled"];
        told.contains(&self.status.str())
    }

    /// The id of an answer of Alibaba's own interface, of a stream that of all its parts; empty where it is no such answer.
    pub fn id_at_alibaba(&self) -> &str {
        let is_answer = self.answer_at_alibaba().is_some();
        if is_answer { self.request_id.str() } else { "" }
    }

    /// Whether it is a part of a stream of such an answer. Each has the usage so far.
    fn goes_on_at_alibaba(&self) -> bool {
        #[derive(Deserialize)]
        struct Answer<'a> {
            #[serde(borrow, default)]
            finish_reason: Scalar<'a>,
            #[serde(borrow, default)]
            choices: Option<&'a RawValue>,
        }
        let answer = self.answer_at_alibaba();
        let answer = answer.and_then(|raw| serde_json::from_str::<Answer<'_>>(raw.get()).ok());
        answer.is_some_and(|answer| !ended(answer.choices).unwrap_or_else(|| is_reason(&answer.finish_reason)))
    }

    fn answer_at_alibaba(&self) -> Option<&RawValue> {
        let output = self.output.filter(|raw| raw.get().starts_with('{'))?;
        let known = || memchr::memmem::find(output.get().as_bytes(), b"\"finish_reason\"").is_some();
        let named = !self.request_id.str().is_empty();
        (named && self.shape() == Some(Shape::Responses) && known()).then_some(output)
    }
}

/// Whether it names why an answer ended. Alibaba writes the word for none, Google's older SDK a number.
fn is_reason(told: &Scalar<'_>) -> bool {
    !(told.is_null() || matches!(told, Scalar::Whole(0)) || told.str() == "null")
}

/// Whether one of the answers names the reason for its end; nothing where there is none.
fn ended(answers: Option<&RawValue>) -> Option<bool> {
    #[derive(Deserialize)]
    struct One<'a> {
        #[serde(borrow, default, alias = "finishReason")]
        finish_reason: Scalar<'a>,
    }
    let all: Vec<One<'_>> = serde_json::from_str(answers?.get()).ok()?;
    (!all.is_empty()).then(|| all.iter().any(|one| is_reason(&one.finish_reason)))
}
