//! Searches and other tools of a call that are charged by their number.

use std::collections::HashSet;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::usage::{Requests, UsageEvent};

use super::line::Fault;
use super::object;
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

/// What Perplexity charges searches for: a call of a model of its own once, deep research each query, and its interface for agents, where models
/// of others answer, each call of a tool.
pub(super) fn of_perplexity(text: &str, event: &mut UsageEvent) -> Result<(), Fault> {
    #[derive(Deserialize, Default)]
    struct Searched<'a> {
        #[serde(borrow, default)]
        num_search_queries: Scalar<'a>,
        #[serde(borrow, default, deserialize_with = "object::one")]
        tool_calls_details: Option<ByTool<'a>>,
    }
    #[derive(Deserialize, Default)]
    struct ByTool<'a> {
        #[serde(borrow, default, deserialize_with = "object::one")]
        web_search: Option<Invoked<'a>>,
        /// Its other name.
        #[serde(borrow, default, deserialize_with = "object::one")]
        search_web: Option<Invoked<'a>>,
        #[serde(borrow, default, deserialize_with = "object::one")]
        fetch_url: Option<Invoked<'a>>,
    }
    #[derive(Deserialize)]
    struct Invoked<'a> {
        #[serde(borrow, default)]
        invocation: Scalar<'a>,
    }
    #[derive(Deserialize, Default)]
    struct Outer<'a> {
        #[serde(borrow, default)]
        object: Scalar<'a>,
        #[serde(borrow, default)]
        usage: Option<Searched<'a>>,
    }
    let model = event.model().as_str();
    if model.starts_with("sonar") && !model.contains("deep-research") {
        event.requests.web_searches = 1;
        return Ok(());
    }
    let outer: Outer<'_> = serde_json::from_str(text).unwrap_or_default();
    // The interface for agents searches when told to, and has a model of the same name.
    let for_agents = outer.object.str() == "response";
    let usage = outer.usage.unwrap_or_default();
    let Some(tools) = usage.tool_calls_details else {
        let other = model.contains("sonar") && !model.contains("deep-research") && !for_agents;
        event.requests.web_searches = match other {
            true => 1,
            false => usage.num_search_queries.small("num_search_queries")?,
        };
        return Ok(());
    };
    let count = |tool: Option<Invoked<'_>>| tool.map_or(Ok(0), |tool| tool.invocation.small("tool_calls_details"));
    event.requests.web_searches = count(tools.web_search)?.max(count(tools.search_web)?);
    event.requests.web_fetches = count(tools.fetch_url)?;
    Ok(())
}

/// What xAI tells of its own tools, by their kind.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct XaiTools<'a> {
    #[serde(borrow)]
    web_search_calls: Scalar<'a>,
    #[serde(borrow)]
    x_search_calls: Scalar<'a>,
    #[serde(borrow)]
    code_interpreter_calls: Scalar<'a>,
    #[serde(borrow)]
    file_search_calls: Scalar<'a>,
    #[serde(borrow)]
    document_search_calls: Scalar<'a>,
}

/// What of a usage object only xAI tells.
pub(super) struct OfXai<'u, 'a> {
    /// `num_sources_used`
    pub sources: &'u Scalar<'a>,
    /// `num_server_side_tools_used`
    pub used: &'u Scalar<'a>,
    /// `server_side_tool_usage_details`
    pub tools: Option<&'u XaiTools<'a>>,
    /// `cost_in_usd_ticks`
    pub ticks: &'u Scalar<'a>,
}

/// What xAI tells in the usage of an answer.
pub(super) fn of_xai(text: &str, event: &mut UsageEvent) -> Result<(), Fault> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Used<'a> {
        #[serde(borrow)]
        num_sources_used: Scalar<'a>,
        #[serde(borrow)]
        num_server_side_tools_used: Scalar<'a>,
        #[serde(borrow, deserialize_with = "object::one")]
        server_side_tool_usage_details: Option<XaiTools<'a>>,
        #[serde(borrow)]
        cost_in_usd_ticks: Scalar<'a>,
    }
    #[derive(Deserialize, Default)]
    struct Outer<'a> {
        #[serde(borrow, default)]
        usage: Option<Used<'a>>,
    }
    let outer: Outer<'_> = serde_json::from_str(text).unwrap_or_default();
    let Some(used) = outer.usage else { return Ok(()) };
    let told = OfXai {
        sources: &used.num_sources_used,
        used: &used.num_server_side_tools_used,
        tools: used.server_side_tool_usage_details.as_ref(),
        ticks: &used.cost_in_usd_ticks,
    };
    count_xai(&told, event)
}

/// Counts the calls of xAI's own tools, which it counts better than the output items do, before these (or where it does not name them) the
/// sources of a live search; and what all of it cost, in ticks of which a USD has 10,000,000,000.
pub(super) fn count_xai(xai: &OfXai<'_, '_>, event: &mut UsageEvent) -> Result<(), Fault> {
    let requests = &mut event.requests;
    if let Some(tools) = xai.tools {
        for (count, told) in [
            (
                &mut requests.web_searches,
                [&tools.web_search_calls, &tools.x_search_calls],
            ),
            (
                &mut requests.code_executions,
                [&tools.code_interpreter_calls, &Scalar::Null],
            ),
            (
                &mut requests.file_searches,
                [&tools.file_search_calls, &tools.document_search_calls],
            ),
        ] {
            if told.iter().any(|told| !told.is_null()) {
                let [one, other] = told.map(|told| told.small("server_side_tool_usage_details"));
                *count = one?.saturating_add(other?);
            }
        }
    } else if *requests == Requests::default() {
        requests.web_searches = match xai.sources.small("num_sources_used")? {
            0 => xai.used.small("num_server_side_tools_used")?,
            sources => sources,
        };
    }
    let ticks = xai.ticks.count("cost_in_usd_ticks")?;
    if ticks > 0 && event.reported_cost.is_none() {
        event.reported_cost = Some((Decimal::from(ticks) * TICK).normalize());
    }
    Ok(())
}

/// What a tick of xAI's is, in USD.
const TICK: Decimal = Decimal::from_parts(1, 0, 0, false, 10);

/// What is told of pictures that the answer itself says nothing of.
pub(super) const DRAWN: &str =
    "pictures that a tool made are not charged: the tokens of its model are not in the usage";

/// Calls of OpenAI's built-in tools stand among the output items. Opening a page that was found, or looking into it, costs nothing. Answers
/// whether there is a picture that a tool made, whose model does not tell its tokens in the usage.
pub(super) fn of_items(output: Option<&RawValue>, requests: &mut Requests) -> bool {
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
        return false;
    };
    let mut drawn = false;
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
            kind => {
                drawn |= kind == "image_generation_call";
                continue;
            }
        };
        *count = count.saturating_add(1);
    }
    drawn
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
        assert!(!of_items(Some(&items), &mut requests));
        assert_eq!((requests.code_executions, requests.file_searches), (4, 1));
    }
}
