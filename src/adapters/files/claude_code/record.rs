//! The fields of a Claude Code line that matter, read by a scan or, where a line is unusual, by the general parser.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::line::Fault;
use super::super::scalar::Scalar;
use super::super::scan::{self, Forms, Keys, Want};

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
    #[serde(borrow, default, rename = "costUSD")]
    pub cost: Option<&'a RawValue>,
    #[serde(borrow, default)]
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
    #[serde(borrow, default)]
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
    #[serde(borrow, default)]
    pub cache_creation: Option<Creation<'a>>,
    #[serde(borrow, default)]
    pub output_tokens_details: Option<Details<'a>>,
    #[serde(borrow, default)]
    pub service_tier: Scalar<'a>,
    #[serde(borrow, default)]
    pub speed: Scalar<'a>,
    #[serde(borrow, default)]
    pub inference_geo: Scalar<'a>,
    #[serde(borrow, default)]
    pub server_tool_use: Option<Tools<'a>>,
    #[serde(borrow, default)]
    pub iterations: Option<&'a RawValue>,
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
    #[serde(borrow, default)]
    pub message: Option<Line<'a>>,
}

/// Where the scan puts the values.
#[derive(Clone, Copy)]
enum Slot {
    Type,
    Timestamp,
    SessionId,
    Uuid,
    RequestId,
    Cwd,
    IsSidechain,
    IsApiErrorMessage,
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
    Iterations,
    Written5m,
    Written1h,
    Thinking,
    WebSearches,
    WebFetches,
    CodeExecutions,
    Count,
}

type Values<'a> = [Scalar<'a>; Slot::Count as usize];

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

impl<'a> Line<'a> {
    /// The line, if it is of a form that is known.
    pub fn scan_known(text: &'a str, forms: &mut Forms) -> Option<Self> {
        let mut values: Values<'a> = std::array::from_fn(|_| Scalar::Null);
        forms.read(text, &mut values)?;
        Self::of(values)
    }

    /// The line from a scan; `None` when the general parser has to read it.
    pub fn scan(text: &'a str, forms: &mut Forms) -> Option<Self> {
        let mut values: Values<'a> = std::array::from_fn(|_| Scalar::Null);
        scan::walk_record(text, &LINE, forms, &mut values)?;
        Self::of(values)
    }

    fn of(mut values: Values<'a>) -> Option<Self> {
        let mut value = |slot: Slot| values.get_mut(slot as usize).map(std::mem::take).unwrap_or_default();
        let (cost, iterations) = (value(Slot::Cost), value(Slot::Iterations));
        let usage = Usage {
            input_tokens: value(Slot::Input),
            output_tokens: value(Slot::Output),
            cache_creation_input_tokens: value(Slot::Written),
            cache_read_input_tokens: value(Slot::Read),
            cache_creation: Some(Creation {
                ephemeral_5m_input_tokens: value(Slot::Written5m),
                ephemeral_1h_input_tokens: value(Slot::Written1h),
            }),
            output_tokens_details: Some(Details {
                thinking_tokens: value(Slot::Thinking),
            }),
            service_tier: value(Slot::ServiceTier),
            speed: value(Slot::Speed),
            inference_geo: value(Slot::InferenceGeo),
            server_tool_use: Some(Tools {
                web_search_requests: value(Slot::WebSearches),
                web_fetch_requests: value(Slot::WebFetches),
                code_execution_requests: value(Slot::CodeExecutions),
            }),
            iterations: raw(&iterations)?,
            ..Usage::default()
        };
        Some(Line {
            r#type: value(Slot::Type),
            timestamp: value(Slot::Timestamp),
            session_id: value(Slot::SessionId),
            uuid: value(Slot::Uuid),
            request_id: value(Slot::RequestId),
            cwd: value(Slot::Cwd),
            is_sidechain: value(Slot::IsSidechain),
            is_api_error_message: value(Slot::IsApiErrorMessage),
            cost: raw(&cost)?,
            message: Some(Message {
                id: value(Slot::Id),
                model: value(Slot::Model),
                stop_reason: value(Slot::StopReason),
                usage: Some(usage),
            }),
            data: None,
        })
    }

    /// The line from the general parser.
    pub fn parse(text: &'a str) -> Result<Self, Fault> {
        serde_json::from_str(text).map_err(|e| Fault::json(&e))
    }
}

fn raw<'a>(value: &Scalar<'a>) -> Option<Option<&'a RawValue>> {
    if let Scalar::Text(Cow::Borrowed(text)) = value {
        serde_json::from_str(text).ok().map(Some)
    } else {
        Some(None)
    }
}
