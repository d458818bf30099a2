//! The fields of a Claude Code line that matter, read by a scan or, where a line is unusual, by the general parser.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::line::Fault;
use super::super::scalar::Scalar;
use super::super::scan::{Field, Keys, Scan, Shape};

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

impl<'a> Line<'a> {
    /// Reads a line.
    pub fn read(text: &'a str, shape: &mut Shape) -> Result<Self, Fault> {
        match scanned(text, shape) {
            Some(line) => Ok(line),
            None => serde_json::from_str(text).map_err(|e| Fault::json(&e)),
        }
    }
}

const LINE: Keys = Keys {
    object: 0,
    names: &[
        "type",
        "timestamp",
        "sessionId",
        "uuid",
        "requestId",
        "cwd",
        "isSidechain",
        "isApiErrorMessage",
        "message",
        "costUSD",
        "data",
    ],
};
const MESSAGE: Keys = Keys {
    object: 1,
    names: &["id", "model", "stop_reason", "usage"],
};
const USAGE: Keys = Keys {
    object: 2,
    names: &[
        "input_tokens",
        "output_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "service_tier",
        "speed",
        "inference_geo",
        "type",
        "model",
        "cache_creation",
        "output_tokens_details",
        "server_tool_use",
        "iterations",
    ],
};
const CREATION: Keys = Keys {
    object: 3,
    names: &["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"],
};
const DETAILS: Keys = Keys {
    object: 4,
    names: &["thinking_tokens"],
};
const TOOLS: Keys = Keys {
    object: 5,
    names: &["web_search_requests", "web_fetch_requests", "code_execution_requests"],
};

/// The line from a scan; `None` when the general parser has to read it.
fn scanned<'a>(text: &'a str, shape: &mut Shape) -> Option<Line<'a>> {
    let mut line = Line::default();
    Scan::record(text, shape, &LINE, |scan, field| {
        let slot = match field {
            0 => &mut line.r#type,
            1 => &mut line.timestamp,
            2 => &mut line.session_id,
            3 => &mut line.uuid,
            4 => &mut line.request_id,
            5 => &mut line.cwd,
            6 => &mut line.is_sidechain,
            7 => &mut line.is_api_error_message,
            8 => return inner(scan, &mut line.message, &MESSAGE, message),
            9 => return raw(scan, &mut line.cost),
            // A wrapped line is rare.
            10 => return None,
            _ => return scan.skip(),
        };
        set(scan, slot)
    })?;
    Some(line)
}

fn message<'a>(scan: &mut Scan<'a, '_>, message: &mut Message<'a>, field: Field) -> Option<()> {
    let slot = match field {
        0 => &mut message.id,
        1 => &mut message.model,
        2 => &mut message.stop_reason,
        3 => return inner(scan, &mut message.usage, &USAGE, usage),
        _ => return scan.skip(),
    };
    set(scan, slot)
}

fn usage<'a>(scan: &mut Scan<'a, '_>, usage: &mut Usage<'a>, field: Field) -> Option<()> {
    let slot = match field {
        0 => &mut usage.input_tokens,
        1 => &mut usage.output_tokens,
        2 => &mut usage.cache_creation_input_tokens,
        3 => &mut usage.cache_read_input_tokens,
        4 => &mut usage.service_tier,
        5 => &mut usage.speed,
        6 => &mut usage.inference_geo,
        7 => &mut usage.r#type,
        8 => &mut usage.model,
        9 => {
            return inner(
                scan,
                &mut usage.cache_creation,
                &CREATION,
                |scan, split, field| match field {
                    0 => set(scan, &mut split.ephemeral_5m_input_tokens),
                    1 => set(scan, &mut split.ephemeral_1h_input_tokens),
                    _ => scan.skip(),
                },
            );
        }
        10 => {
            return inner(
                scan,
                &mut usage.output_tokens_details,
                &DETAILS,
                |scan, details, field| match field {
                    0 => set(scan, &mut details.thinking_tokens),
                    _ => scan.skip(),
                },
            );
        }
        11 => {
            return inner(
                scan,
                &mut usage.server_tool_use,
                &TOOLS,
                |scan, tools, field| match field {
                    0 => set(scan, &mut tools.web_search_requests),
                    1 => set(scan, &mut tools.web_fetch_requests),
                    2 => set(scan, &mut tools.code_execution_requests),
                    _ => scan.skip(),
                },
            );
        }
        12 => return raw(scan, &mut usage.iterations),
        _ => return scan.skip(),
    };
    set(scan, slot)
}

/// Reads an inner object into its slot. As everywhere, a key given twice is the general parser's business.
fn inner<'a, 's, T: Default>(
    scan: &mut Scan<'a, 's>,
    slot: &mut Option<T>,
    keys: &Keys,
    member: impl Fn(&mut Scan<'a, 's>, &mut T, Field) -> Option<()>,
) -> Option<()> {
    if slot.is_some() {
        return None;
    }
    if scan.object_follows()? {
        let value = slot.insert(T::default());
        scan.object(keys, |scan, field| member(scan, value, field))?;
    }
    Some(())
}

fn set<'a>(scan: &mut Scan<'a, '_>, slot: &mut Scalar<'a>) -> Option<()> {
    if !slot.is_null() {
        return None;
    }
    *slot = scan.scalar()?;
    Some(())
}

/// A value kept as text.
fn raw<'a>(scan: &mut Scan<'a, '_>, slot: &mut Option<&'a RawValue>) -> Option<()> {
    if slot.is_some() {
        return None;
    }
    match scan.raw()? {
        "null" => {}
        text => *slot = Some(serde_json::from_str(text).ok()?),
    }
    Some(())
}
