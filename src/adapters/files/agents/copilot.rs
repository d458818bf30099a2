//! Session files of GitHub Copilot CLI (`events.jsonl`). Input includes cached tokens; thoughts are within the output. Identity is the
//! response id that the provider gave. What a call costs at GitHub is told in its own requests, not in money.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, UsageEvent};

use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::object;
use super::super::scalar::Scalar;
use super::{seller, without_tokens, written};

/// Reads the lines of one session.
#[derive(Default)]
pub(in super::super) struct Copilot {
    session: String,
    folder: String,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begin<'a> {
    #[serde(borrow, default)]
    session_id: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    context: Option<Place<'a>>,
}

#[derive(Deserialize)]
struct Place<'a> {
    #[serde(borrow, default)]
    cwd: Scalar<'a>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage: Option<Used<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used<'a> {
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default)]
    is_byok: Scalar<'a>,
    #[serde(borrow, default)]
    model_provider: Scalar<'a>,
    #[serde(borrow, default)]
    provider_type: Scalar<'a>,
    #[serde(borrow, default)]
    api_call_id: Scalar<'a>,
    #[serde(borrow, default)]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_read_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_write_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    reasoning_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    accounting: Option<Accounting<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accounting<'a> {
    #[serde(borrow, default)]
    source_session_id: Scalar<'a>,
}

impl Used<'_> {
    /// Who is paid: GitHub, unless the key is the user's own.
    fn seller(&self) -> &str {
        let model = self.model.str();
        match (self.model_provider.str(), self.provider_type.str()) {
            _ if !self.is_byok.is_true() => "github-copilot",
            (_, "azure") => "azure",
            // The kind of interface says nothing then.
            ("other", _) => seller("", model),
            (provider, _) => seller(provider, model),
        }
    }
}

impl LineFormat for Copilot {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let line: Line<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        let Some(data) = line.data.map(RawValue::get).filter(|data| data.starts_with('{')) else {
            return Ok(());
        };
        match line.r#type.str() {
            "session.start" | "session.resume" => {
                let begin: Begin<'_> = serde_json::from_str(data).map_err(|e| Fault::json(&e))?;
                if !begin.session_id.is_null() {
                    begin.session_id.str().clone_into(&mut self.session);
                }
                if let Some(place) = begin.context {
                    place.cwd.str().clone_into(&mut self.folder);
                }
                Ok(())
            }
            "session.usage_record" => {
                let record: Record<'_> = serde_json::from_str(data).map_err(|e| Fault::json(&e))?;
                match &record.usage {
                    Some(used) => self.call(&line, used, number, context, out),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn save(&self) -> String {
        serde_json::to_string(&(&self.session, &self.folder)).unwrap_or_default()
    }

    fn load(&mut self, state: &str) {
        (self.session, self.folder) = serde_json::from_str(state).unwrap_or_default();
    }
}

impl Copilot {
    fn call(
        &self,
        line: &Line<'_>,
        used: &Used<'_>,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let at = context.time(&line.timestamp, "timestamp", out)?;
        let id = match used.api_call_id.str() {
            "" if line.id.str().is_empty() => return Err(Fault::field("id", "missing")),
            "" => EventId::of(&[b"copilot-cli", line.id.str().as_bytes()]),
            id => context.response(id.as_bytes()),
        };
        let model = context.label(&used.model, "data.usage.model")?;
        let provider = context.labels.get(used.seller());
        let count = |value: &Scalar<'_>, field: &str| value.count(&format!("data.usage.{field}"));
        let counts = Counts {
            input: count(&used.input_tokens, "inputTokens")?,
            read: count(&used.cache_read_tokens, "cacheReadTokens")?,
            output: count(&used.output_tokens, "outputTokens")?,
            reasoning: count(&used.reasoning_tokens, "reasoningTokens")?,
            ..written(provider.as_str(), count(&used.cache_write_tokens, "cacheWriteTokens")?)
        };
        let mut event = UsageEvent::new(id, at, provider, model);
        event.tokens = counts.tokens(Input::Includes, "Copilot CLI", out);
        if event.tokens.total() == 0 {
            without_tokens(id, false, out);
            return Ok(());
        }
        event.rank.line = number;
        let session = used.accounting.as_ref().map(|accounting| &accounting.source_session_id);
        event.session = match session.filter(|session| !session.is_null()) {
            Some(session) => context.label(session, "data.usage.accounting.sourceSessionId")?,
            None => context.label(&Scalar::Text(self.session.as_str().into()), "data.sessionId")?,
        };
        let project = context.label(&Scalar::Text(self.folder.as_str().into()), "cwd")?;
        event.dimensions.set(Dimension::Project, project);
        out.events.push(event);
        Ok(())
    }
}
