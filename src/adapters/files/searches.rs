//! Searches and other tools of a call that are charged by their number.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::usage::{Requests, UsageEvent};

use super::line::Fault;
use super::scalar::Scalar;

/// Counts the search of a call to a model that always searches and that nothing else counts; deep research tells how many it made.
pub(super) fn of_model(event: &mut UsageEvent) {
    let (provider, model) = (event.provider().as_str(), event.model().as_str());
    let always = match provider {
        "perplexity" => model.contains("sonar") && !model.contains("deep-research"),
        "openai" => model.contains("-search-preview") || model.contains("-search-api"),
        _ => false,
    };
    if always && event.requests.web_searches == 0 && event.tokens.total() > 0 {
        event.requests.web_searches = 1;
    }
}

/// What Perplexity charges searches for: a call once, deep research each query.
pub(super) fn of_perplexity(text: &str, model: &str) -> Result<u32, Fault> {
    #[derive(Deserialize, Default)]
    struct Searched<'a> {
        #[serde(borrow, default)]
        num_search_queries: Scalar<'a>,
    }
    #[derive(Deserialize, Default)]
    struct Outer<'a> {
        #[serde(borrow, default)]
        usage: Option<Searched<'a>>,
    }
    if !model.contains("deep-research") {
        return Ok(1);
    }
    let outer: Outer<'_> = serde_json::from_str(text).unwrap_or_default();
    let usage = outer.usage.unwrap_or_default();
    usage.num_search_queries.small("num_search_queries")
}

/// Calls of OpenAI's built-in tools stand among the output items. Opening a page that was found, or looking into it, costs nothing.
pub(super) fn of_items(output: Option<&RawValue>, requests: &mut Requests) {
    #[derive(Deserialize)]
    struct Item<'a> {
        #[serde(borrow, default, rename = "type")]
        kind: Scalar<'a>,
        #[serde(borrow, default)]
        action: Option<&'a RawValue>,
        #[serde(borrow, default)]
        container_id: Scalar<'a>,
    }
    #[derive(Deserialize, Default)]
    struct Action<'a> {
        #[serde(borrow, default, rename = "type")]
        kind: Scalar<'a>,
    }
    let looks = |action: Option<&RawValue>| {
        let action = action.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let action: Action<'_> = action.unwrap_or_default();
        matches!(action.kind.str(), "open_page" | "find_in_page")
    };
    let Some(text) = output.map(RawValue::get).filter(|t| t.contains("_call\"")) else {
        return;
    };
    let mut containers: HashSet<String> = HashSet::new();
    for item in serde_json::from_str::<Vec<Item<'_>>>(text).unwrap_or_default() {
        let count = match item.kind.str() {
            "web_search_call" if looks(item.action) => continue,
            // What is paid is the session in a container, however often code runs in it.
            "code_interpreter_call"
                if !item.container_id.str().is_empty() && !containers.insert(item.container_id.str().to_owned()) =>
            {
                continue;
            }
            "web_search_call" => &mut requests.web_searches,
            "file_search_call" => &mut requests.file_searches,
            "code_interpreter_call" => &mut requests.code_executions,
            _ => continue,
        };
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_runs_in_one_container_is_one_session() {
        let items = r#"[{"type":"code_interpreter_call","container_id":"c1"},{"type":"file_search_call"},{"type":"code_interpreter_call","container_id":"c1"},
            {"type":"code_interpreter_call","container_id":"c2"},{"type":"code_interpreter_call"},{"type":"code_interpreter_call"}]"#;
        let items = RawValue::from_string(items.to_owned()).unwrap();
        let mut requests = Requests::default();
        of_items(Some(&items), &mut requests);
        assert_eq!((requests.code_executions, requests.file_searches), (4, 1));
    }
}
