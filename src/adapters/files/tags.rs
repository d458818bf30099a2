//! Dimensions from the key and value pairs that callers attach to their calls.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, UsageEvent};

use super::line::{Context, Fault};
use super::litellm::json_text;
use super::scalar::Scalar;

/// The dimension that a key of a caller's own names, if any, and the place of the key among those of that dimension: of several the
/// first counts, in calls and in bills. Names come before ids, which people do not read.
pub(super) fn named(key: &str) -> Option<(Dimension, u8)> {
    Some(match key {
        "team" => (Dimension::Team, 0),
        "team_name" => (Dimension::Team, 1),
        "team_id" => (Dimension::Team, 2),
        "agent" => (Dimension::Agent, 0),
        "agent_name" => (Dimension::Agent, 1),
        "app" => (Dimension::Agent, 2),
        "application" => (Dimension::Agent, 3),
        "workflow" => (Dimension::Workflow, 0),
        "workflow_name" => (Dimension::Workflow, 1),
        "user" => (Dimension::User, 0),
        "user_id" => (Dimension::User, 1),
        "userId" => (Dimension::User, 2),
        "project" => (Dimension::Project, 0),
        "project_name" => (Dimension::Project, 1),
        "project_id" => (Dimension::Project, 2),
        "account" => (Dimension::Account, 0),
        "account_id" => (Dimension::Account, 1),
        _ => return None,
    })
}

/// The same for a tag of a bill, whose key may have capitals, and one of these fronts of its cloud's. The account of a row is a column of its
/// own, which calls tell, too: no tag takes its place.
pub(super) fn named_of_bill(key: &str, fronts: &[&str]) -> Option<(Dimension, u8)> {
    let key = key.to_lowercase();
    let of = |key: &str| named(if key == "userid" { "userId" } else { key });
    // `user_id` is a key as well as an `id` behind a front.
    let behind = || fronts.iter().find_map(|front| of(key.strip_prefix(front)?));
    of(&key)
        .or_else(behind)
        .filter(|(dimension, _)| *dimension != Dimension::Account)
}

/// The dimension that a key of a caller's own names, if any.
pub(super) fn dimension(key: &str) -> Option<Dimension> {
    named(key).map(|(dimension, _)| dimension)
}

/// Of several values of one dimension that of the preferred key; of keys that are alike the first given.
pub(super) fn preferred<V>(mut given: Vec<((Dimension, u8), V)>) -> impl Iterator<Item = (Dimension, V)> {
    given.sort_by_key(|(named, _)| *named);
    given.dedup_by_key(|(named, _)| named.0);
    given.into_iter().map(|(named, value)| (named.0, value))
}

/// Sets the dimension that `key` names, where it is still empty. A value that is no text is passed over: the map is the
/// caller's own and may hold anything.
pub(super) fn set(event: &mut UsageEvent, key: &str, value: &Scalar<'_>, context: &mut Context) -> Result<(), Fault> {
    if let Some(dimension) = dimension(key)
        && event.dimensions.get(dimension).is_empty()
        && is_name(value)
    {
        event.dimensions.set(dimension, context.label(value, key)?);
    }
    Ok(())
}

fn is_name(value: &Scalar<'_>) -> bool {
    match value {
        Scalar::Text(text) => !text.is_empty(),
        Scalar::Whole(_) | Scalar::Negative(_) => true,
        Scalar::Null | Scalar::Float(_) | Scalar::Bool(_) | Scalar::Other => false,
    }
}

/// Sets the dimensions that a map names; something else than a map is passed over.
pub(super) fn set_all(event: &mut UsageEvent, map: Option<&RawValue>, context: &mut Context) -> Result<(), Fault> {
    let Some(map) = map.filter(|m| m.get().len() > 2) else {
        return Ok(());
    };
    // Tables hold maps as text.
    let Ok(Some(text)) = json_text(Some(map), "") else {
        return Ok(());
    };
    let Ok(map) = serde_json::from_str::<HashMap<Cow<'_, str>, Scalar<'_>>>(&text) else {
        return Ok(());
    };
    let given = map.iter().filter(|(_, value)| is_name(value));
    let given = given.filter_map(|(key, value)| Some((named(key)?, (key, value))));
    for (_, (key, value)) in preferred(given.collect()) {
        set(event, key, value, context)?;
    }
    Ok(())
}

/// The identity of a call by the id of its response. Ids that no other response has share one name space, since other logs of the same call
/// carry them too; others have a name space of their own.
pub(super) fn response_identity(space: &str, id: &str) -> EventId {
    match form_of_response(id) {
        Some(_) => shared_identity(id),
        None => EventId::of(&[space.as_bytes(), id.as_bytes()]),
    }
}

/// The same of an answer that Google may have given.
pub(super) fn google_identity(space: &str, id: &str) -> EventId {
    match form_of_response(id).or_else(|| form_of_google(id)) {
        Some(_) => shared_identity(id),
        None => EventId::of(&[space.as_bytes(), id.as_bytes()]),
    }
}

/// The same where ids made by chance are the own ones of whoever wrote the record: whether it is one of those that providers give alone.
#[inline]
pub(super) fn is_shared(id: &str) -> bool {
    // Most begin otherwise.
    let may_be = matches!(id.as_bytes().first(), Some(b'm' | b'c' | b'r' | b'g'));
    may_be && GIVEN.iter().any(|front| id.starts_with(front)) && form_of_response(id).is_some()
}

/// The identity of a call under an id that all of its witnesses have.
pub(super) fn shared_identity(id: &str) -> EventId {
    EventId::of(&[b"response", id.as_bytes()])
}

/// Ids that providers give, by what they begin with.
const GIVEN: [&str; 5] = ["msg_", "chatcmpl-", "cmpl-", "resp_", "gen-"];
/// Digits of what numbers the rows of a table, or was drawn among few.
const FEW_DIGITS: usize = 12;
/// Signs behind a provider's beginning that tell hardly anything apart.
const FEW_SIGNS: usize = 3;

/// Of which form the id of a response is that no other response has: the beginning that its provider gave it, or one of the forms of what is
/// made by chance. Nothing of numbers and of names that somebody chose.
pub(super) fn form_of_response(id: &str) -> Option<u8> {
    if let Some((place, _)) = (0_u8..).zip(GIVEN).find(|(_, front)| id.starts_with(front)) {
        return (!is_of_few(id)).then_some(place);
    }
    let mut digits = id.bytes().filter(|byte| *byte != b'-');
    let first = digits.next()?;
    match id.len() {
        // Where there is none, all digits are noughts.
        32 | 36 if digits.all(|byte| byte == first) => None,
        32 if id.bytes().all(|byte| byte.is_ascii_hexdigit()) => Some(b'h'),
        36 if is_uuid(id) => Some(b'u'),
        _ => None,
    }
}

/// The same of an id in the letters of base 64, as Google's are. Names that somebody chose may look like these elsewhere.
pub(super) fn form_of_google(id: &str) -> Option<u8> {
    let mixed = id.bytes().any(|byte| byte.is_ascii_uppercase()) && id.bytes().any(|byte| byte.is_ascii_lowercase());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ((20..=30).contains(&id.len()) && mixed && id.bytes().all(plain)).then_some(b'b')
}

/// Whether providers give ids of a form, so that two that differ are of two responses. What is made by chance may be made by two witnesses.
pub(super) fn is_given(form: u8) -> bool {
    usize::from(form) < GIVEN.len()
}

/// Whether an id is one that other records may have: the number of a row, or one drawn among few, as Ollama's `chatcmpl-417` is, if not always
/// the same.
pub(super) fn is_of_few(id: &str) -> bool {
    let front = GIVEN
        .into_iter()
        .find(|front| front.ends_with("cmpl-") && id.starts_with(front));
    let rest = front.and_then(|front| id.get(front.len()..));
    rest.is_some_and(|rest| rest.len() <= FEW_SIGNS) || is_number(rest.unwrap_or(id))
}

fn is_number(id: &str) -> bool {
    id.len() <= FEW_DIGITS && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// The identity of what AWS answered to a request, of which several logs tell the id.
pub(super) fn request_identity(id: &str) -> Option<EventId> {
    is_uuid(id).then(|| EventId::of(&[b"aws-request", id.as_bytes()]))
}

/// Whether an id is a UUID as it is usually written.
fn is_uuid(id: &str) -> bool {
    let fits = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    id.len() == 36 && id.bytes().enumerate().all(fits)
}

/// The identity of a record that has no id: its content, whatever the order and spacing of its keys.
pub(super) fn content_identity(space: &str, text: &str) -> EventId {
    let canonical = serde_json::from_str::<serde_json::Value>(text).map(|value| value.to_string());
    let content = canonical.as_deref().unwrap_or(text);
    EventId::of(&[space.as_bytes(), b"content", content.as_bytes()])
}
