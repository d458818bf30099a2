//! Who a plain record is that has no identity of its own.

use crate::domain::usage::EventId;

use super::super::line::Output;
use super::super::value::Value;
use super::{Key, Record, name};

/// The identity of a record that has none of its own: its content, whatever the order and spacing of its keys.
pub(super) fn content_id(record: &Record<'_>, out: &mut Output) -> EventId {
    out.warnings
        .push("records without `id` are told apart by their content");
    let mut text = String::new();
    for (key, value) in record.each().filter(|(key, _)| *key != name(Key::id)) {
        let value = match value {
            Value::Null | Value::Other => continue,
            Value::Text(text) => text.to_owned(),
            Value::Whole(n) => n.to_string(),
            Value::Negative(n) => n.to_string(),
            Value::Float(n) => n.to_string(),
            Value::Bool(b) => b.to_string(),
        };
        text.push_str(&format!("{key}:{}:{value};", value.len()));
    }
    EventId::of(&[b"plain-content", text.as_bytes()])
}
