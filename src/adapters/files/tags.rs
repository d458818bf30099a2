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

/// The same for a tag of a bill, whose key may have capitals, and one of these fronts of its cloud's.
pub(super) fn named_of_bill(key: &str, fronts: &[&str]) -> Option<(Dimension, u8)> {
    let key = key.to_lowercase();
    let of = |key: &str| named(if key == "userid" { "userId" } else { key });
    // `user_id` is a key as well as an `id` behind a front.
    let behind = || fronts.iter().find_map(|front| of(key.strip_prefix(front)?));
    of(&key).or_else(behind)
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

/// The identity of a call by the id of its response. Ids that are known to be unique at their provider share one name space,
/// since other logs of the same call carry them too; others have a name space of their own.
pub(super) fn response_identity(space: &str, id: &str) -> EventId {
    let unique = ["msg_", "chatcmpl-", "resp_", "gen-"].iter().any(|p| id.starts_with(p));
    let space = if unique { "response" } else { space };
    EventId::of(&[space.as_bytes(), id.as_bytes()])
}

/// The identity of a record that has no id: its content, whatever the order and spacing of its keys.
pub(super) fn content_identity(space: &str, text: &str) -> EventId {
    let canonical = serde_json::from_str::<serde_json::Value>(text).map(|value| value.to_string());
    let content = canonical.as_deref().unwrap_or(text);
    EventId::of(&[space.as_bytes(), b"content", content.as_bytes()])
}
