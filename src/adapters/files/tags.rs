//! Dimensions from the key and value pairs that callers attach to their calls.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, UsageEvent};

use super::line::{Context, Fault};
use super::litellm::json_text;
use super::scalar::Scalar;

/// The dimension that a key of a caller's own names, if any.
pub(super) fn dimension(key: &str) -> Option<Dimension> {
    Some(match key {
        "team" | "team_id" | "team_name" => Dimension::Team,
        "agent" | "agent_name" | "app" | "application" => Dimension::Agent,
        "workflow" | "workflow_name" => Dimension::Workflow,
        "user" | "user_id" | "userId" => Dimension::User,
        "project" | "project_id" | "project_name" => Dimension::Project,
        "account" | "account_id" => Dimension::Account,
        _ => return None,
    })
}

/// Sets the dimension that `key` names, where it is still empty. A value that is no text is passed over: the map is the
/// caller's own and may hold anything.
pub(super) fn set(event: &mut UsageEvent, key: &str, value: &Scalar<'_>, context: &mut Context) -> Result<(), Fault> {
    if let Some(dimension) = dimension(key)
        && event.dimensions.get(dimension).is_empty()
        && matches!(value, Scalar::Text(_) | Scalar::Whole(_))
    {
        event.dimensions.set(dimension, context.label(value, key)?);
    }
    Ok(())
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
    for (key, value) in &map {
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
