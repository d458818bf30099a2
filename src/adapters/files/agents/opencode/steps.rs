//! The ends of the steps of a message of opencode (`step-finish`), of which each was a call: parts of the message, in files beside it, in rows
//! of their own or exported with it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::super::object;
use super::super::super::scalar::{Scalar, reported};
use super::Used;

/// What the kind of such a part is called.
const KIND: &str = "step-finish";
/// Bytes of such a part at most: it holds no text.
pub(in super::super::super) const MOST_BYTES: u64 = 16 << 10;
/// Parts of a message that are looked at.
const MOST_PARTS: usize = 100_000;

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    tokens: Option<Used<'a>>,
    #[serde(borrow, default)]
    cost: Option<&'a RawValue>,
}

/// The end of a step.
pub(super) struct Step<'a> {
    pub used: Used<'a>,
    cost: Option<&'a RawValue>,
}

impl<'a> Step<'a> {
    /// The end of a step that a part is.
    pub fn of(part: &'a str) -> Option<Self> {
        let part: Part<'_> = part.contains(KIND).then(|| serde_json::from_str(part).ok()).flatten()?;
        let used = part.tokens.filter(|_| part.r#type.str() == KIND)?;
        Some(Step { used, cost: part.cost })
    }

    /// What it is said to have cost, as far as that can be read.
    pub fn cost(&self) -> Option<Decimal> {
        reported(self.cost.map(RawValue::get), "cost").ok().flatten()
    }
}

/// The ends of steps that lie beside the file of a message: `storage/message/SESSION/ID.json` has `storage/part/ID/*.json`.
pub(super) fn lie_beside(file: &Path, id: &str) -> Vec<String> {
    let mut above = file.ancestors().skip(2);
    let (Some(messages), Some(storage)) = (above.next(), above.next()) else {
        return Vec::new();
    };
    if id.is_empty() || id.contains(['/', '\\']) || !messages.ends_with("message") {
        return Vec::new();
    }
    // What cannot be read there is not known; the message counts all the same.
    let Ok(entries) = storage.join("part").join(id).read_dir() else {
        return Vec::new();
    };
    let mut parts: Vec<_> = entries.take(MOST_PARTS).flatten().map(|entry| entry.path()).collect();
    parts.sort();
    let texts = parts.iter().filter_map(|part| text(part));
    texts.filter(|part| part.contains(KIND)).collect()
}

/// The text of a small file.
fn text(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    let found = file.metadata().ok()?;
    if !found.is_file() || found.len() > MOST_BYTES {
        return None;
    }
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}
