//! The fields of a Claude Code line that matter, read by a scan or, where a line is unusual, by the general parser.

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::line::Fault;
use super::super::object;
use super::super::scalar::{Scalar, reported};
use super::super::scan::{self, Forms, Keys, Want};
use super::super::value::Value;

/// One line.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line<'a> {
    #[serde(borrow, default)]
    pub r#type: Scalar<'a>,
    #[serde(borrow, default)]
    pub timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    pub session_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub uuid: Scalar<'a>,
    #[serde(borrow, default)]
    pub request_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub cwd: Scalar<'a>,
    #[serde(borrow, default)]
    pub is_sidechain: Scalar<'a>,
    #[serde(borrow, default)]
    pub is_api_error_message: Scalar<'a>,
    /// The kind of subagent that asked.
    #[serde(borrow, default)]
    pub attribution_agent: Scalar<'a>,
    #[serde(borrow, default, rename = "costUSD")]
    pub cost: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub message: Option<Message<'a>>,
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
}

/// The response in it.
#[derive(Default, Deserialize)]
pub struct Message<'a> {
    #[serde(borrow, default)]
    pub id: Scalar<'a>,
    #[serde(borrow, default)]
    pub model: Scalar<'a>,
    #[serde(borrow, default)]
    pub stop_reason: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub usage: Option<Usage<'a>>,
}

/// Its usage, and the usage of an iteration.
#[derive(Default, Deserialize)]
pub struct Usage<'a> {
    #[serde(borrow, default)]
    pub input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub cache_creation_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub cache_read_input_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub cache_creation: Option<Creation<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub output_tokens_details: Option<Details<'a>>,
    #[serde(borrow, default)]
    pub service_tier: Scalar<'a>,
    #[serde(borrow, default)]
    pub speed: Scalar<'a>,
    #[serde(borrow, default)]
    pub inference_geo: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub server_tool_use: Option<Tools<'a>>,
    #[serde(borrow, default)]
    pub iterations: Option<&'a RawValue>,
    /// What OpenRouter says that it cost.
    #[serde(borrow, default)]
    cost: Option<&'a RawValue>,
    // Of an iteration only.
    #[serde(borrow, default)]
    pub r#type: Scalar<'a>,
    #[serde(borrow, default)]
    pub model: Scalar<'a>,
}

/// Cache writes by time to live.
#[derive(Default, Deserialize)]
pub struct Creation<'a> {
    #[serde(borrow, default)]
    pub ephemeral_5m_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub ephemeral_1h_input_tokens: Scalar<'a>,
}

/// Parts of the output.
#[derive(Default, Deserialize)]
pub struct Details<'a> {
    #[serde(borrow, default)]
    pub thinking_tokens: Scalar<'a>,
}

/// Server tools.
#[derive(Default, Deserialize)]
pub struct Tools<'a> {
    #[serde(borrow, default)]
    pub web_search_requests: Scalar<'a>,
    #[serde(borrow, default)]
    pub web_fetch_requests: Scalar<'a>,
    #[serde(borrow, default)]
    pub code_execution_requests: Scalar<'a>,
}

/// A `progress` line carries the line of a subagent one level down.
#[derive(Default, Deserialize)]
pub struct Wrapper<'a> {
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub message: Option<Line<'a>>,
}

/// The values that matter.
#[derive(Clone, Copy)]
pub enum Slot {
    Type,
    Timestamp,
    SessionId,
    Uuid,
    RequestId,
    Cwd,
    IsSidechain,
    IsApiErrorMessage,
    Agent,
    /// As JSON text.
    Cost,
    Id,
    Model,
    StopReason,
    Input,
    Output,
    Written,
    Read,
    ServiceTier,
    Speed,
    InferenceGeo,
    /// As JSON text.
    Iterations,
    Written5m,
    Written1h,
    Thinking,
    WebSearches,
    WebFetches,
    CodeExecutions,
    Count,
}

/// The values of one line, whoever read it.
#[derive(Clone, Copy)]
pub struct Values<'a>([Value<'a>; Slot::Count as usize]);

impl Default for Values<'_> {
    fn default() -> Self {
        Values([Value::Null; Slot::Count as usize])
    }
}

impl<'a> AsMut<[Value<'a>]> for Values<'a> {
    fn as_mut(&mut self) -> &mut [Value<'a>] {
        &mut self.0
    }
}

impl<'a> Values<'a> {
    /// One value.
    #[inline]
    pub fn get(&self, slot: Slot) -> Value<'a> {
        self.0.get(slot as usize).copied().unwrap_or_default()
    }

    /// Sets one value.
    pub fn set(&mut self, slot: Slot, value: Value<'a>) {
        if let Some(place) = self.0.get_mut(slot as usize) {
            *place = value;
        }
    }

    /// Reads a line of a form that is known.
    pub fn scan_known(&mut self, text: &'a str, forms: &mut Forms) -> Option<()> {
        forms.read(text, &mut self.0)
    }

    /// Reads a line; `None` when the general parser has to do it.
    pub fn scan(&mut self, text: &'a str, forms: &mut Forms) -> Option<()> {
        scan::walk_record(text, &LINE, forms, &mut self.0)
    }
}

const fn slot(slot: Slot) -> Want {
    Want::Slot(slot as u8)
}

static LINE: Keys = Keys {
    wanted: &[
        ("type", slot(Slot::Type)),
        ("timestamp", slot(Slot::Timestamp)),
        ("sessionId", slot(Slot::SessionId)),
        ("uuid", slot(Slot::Uuid)),
        ("requestId", slot(Slot::RequestId)),
        ("cwd", slot(Slot::Cwd)),
        ("isSidechain", slot(Slot::IsSidechain)),
        ("isApiErrorMessage", slot(Slot::IsApiErrorMessage)),
        ("attributionAgent", slot(Slot::Agent)),
        ("costUSD", Want::Raw(Slot::Cost as u8)),
        ("message", Want::Object(&MESSAGE)),
        // A wrapped line is rare.
        ("data", Want::Leave),
    ],
    others: |_| true,
};
static MESSAGE: Keys = Keys {
    wanted: &[
        ("id", slot(Slot::Id)),
        ("model", slot(Slot::Model)),
        ("stop_reason", slot(Slot::StopReason)),
        ("usage", Want::Object(&USAGE)),
    ],
    others: |_| true,
};
static USAGE: Keys = Keys {
    wanted: &[
        ("input_tokens", slot(Slot::Input)),
        ("output_tokens", slot(Slot::Output)),
        ("cache_creation_input_tokens", slot(Slot::Written)),
        ("cache_read_input_tokens", slot(Slot::Read)),
        ("service_tier", slot(Slot::ServiceTier)),
        ("speed", slot(Slot::Speed)),
        ("inference_geo", slot(Slot::InferenceGeo)),
        ("iterations", Want::Raw(Slot::Iterations as u8)),
        ("cache_creation", Want::Object(&CREATION)),
        ("output_tokens_details", Want::Object(&DETAILS)),
        ("server_tool_use", Want::Object(&TOOLS)),
    ],
    others: |_| true,
};
static CREATION: Keys = Keys {
    wanted: &[
        ("ephemeral_5m_input_tokens", slot(Slot::Written5m)),
        ("ephemeral_1h_input_tokens", slot(Slot::Written1h)),
    ],
    others: |_| true,
};
static DETAILS: Keys = Keys {
    wanted: &[("thinking_tokens", slot(Slot::Thinking))],
    others: |_| true,
};
static TOOLS: Keys = Keys {
    wanted: &[
        ("web_search_requests", slot(Slot::WebSearches)),
        ("web_fetch_requests", slot(Slot::WebFetches)),
        ("code_execution_requests", slot(Slot::CodeExecutions)),
    ],
    others: |_| true,
};

/// What the usage of a line says that the call cost.
#[cold]
pub fn told_cost(text: &str) -> Result<Option<Decimal>, Fault> {
    let usage = Line::parse(text)?.message.and_then(|message| message.usage);
    reported(
        usage.and_then(|usage| usage.cost).map(RawValue::get),
        "message.usage.cost",
    )
}

impl<'a> Line<'a> {
    /// The line from the general parser.
    pub fn parse(text: &'a str) -> Result<Self, Fault> {
        serde_json::from_str(text).map_err(|e| Fault::json(&e))
    }

    /// Its values and those of its message.
    pub fn values(&self) -> Values<'_> {
        let message = self.message.as_ref();
        let mut values = message
            .and_then(|m| m.usage.as_ref())
            .map(Usage::values)
            .unwrap_or_default();
        for (slot, value) in [
            (Slot::Type, &self.r#type),
            (Slot::Timestamp, &self.timestamp),
            (Slot::SessionId, &self.session_id),
            (Slot::Uuid, &self.uuid),
            (Slot::RequestId, &self.request_id),
            (Slot::Cwd, &self.cwd),
            (Slot::IsSidechain, &self.is_sidechain),
            (Slot::IsApiErrorMessage, &self.is_api_error_message),
            (Slot::Agent, &self.attribution_agent),
        ] {
            values.set(slot, value.into());
        }
        values.set(Slot::Cost, self.cost.map_or(Value::Null, |raw| Value::Text(raw.get())));
        values.set(Slot::Model, Value::Null);
        if let Some(message) = message {
            values.set(Slot::Id, (&message.id).into());
            values.set(Slot::Model, (&message.model).into());
            values.set(Slot::StopReason, (&message.stop_reason).into());
        }
        values
    }
}

impl Usage<'_> {
    /// Its values, and the model if it names one.
    pub fn values(&self) -> Values<'_> {
        let mut values = Values::default();
        for (slot, value) in [
            (Slot::Input, &self.input_tokens),
            (Slot::Output, &self.output_tokens),
            (Slot::Written, &self.cache_creation_input_tokens),
            (Slot::Read, &self.cache_read_input_tokens),
            (Slot::ServiceTier, &self.service_tier),
            (Slot::Speed, &self.speed),
            (Slot::InferenceGeo, &self.inference_geo),
            (Slot::Model, &self.model),
        ] {
            values.set(slot, value.into());
        }
        if let Some(split) = &self.cache_creation {
            values.set(Slot::Written5m, (&split.ephemeral_5m_input_tokens).into());
            values.set(Slot::Written1h, (&split.ephemeral_1h_input_tokens).into());
        }
        if let Some(details) = &self.output_tokens_details {
            values.set(Slot::Thinking, (&details.thinking_tokens).into());
        }
        if let Some(tools) = &self.server_tool_use {
            values.set(Slot::WebSearches, (&tools.web_search_requests).into());
            values.set(Slot::WebFetches, (&tools.web_fetch_requests).into());
            values.set(Slot::CodeExecutions, (&tools.code_execution_requests).into());
        }
        values.set(
            Slot::Iterations,
            self.iterations.map_or(Value::Null, |raw| Value::Text(raw.get())),
        );
        values
    }
}
