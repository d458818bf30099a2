//! What a call is charged for beside its tokens, by number: as its usage tells it, else by the items of its answer.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::usage::{Extras, Requests, UsageEvent};

use super::super::line::{Fault, Output};
use super::super::scalar::reported;
use super::super::searches;
use super::row::{Breakdown, Row};
use super::usage::Usage;
use super::{json_text, of};

/// What is told where a row knows what tools cost and not how many there were.
const UNCOUNTED: &str =
    "tools of which a row tells the cost and not the number (`tool_usage_cost`) are not charged: coverage gap";

/// Counts searches, executions of code and the like.
pub(super) fn count(
    row: &Row<'_>,
    usage: Option<&Usage<'_>>,
    event: &mut UsageEvent,
    out: &mut Output,
) -> Result<(), Fault> {
    let provider = event.provider().as_str();
    if let Some(usage) = usage {
        let found = usage.looked_up()?;
        // The usage has the queries of Gemini, of which not each is charged.
        event.requests.web_searches = match provider {
            "google" | "vertex" => found.web_searches(event.model().as_str()),
            _ => found.queries,
        };
    }
    event.requests = event.requests.most(of_items(row, out));
    if let Some(usage) = usage.filter(|_| provider == "xai") {
        searches::count_xai(&usage.of_xai(), event)?;
    }
    searches::of_model(event);
    Ok(())
}

/// What the items of an answer of OpenAI's responses interface tell. Rows have none unless the gateway is told to keep answers.
fn of_items(row: &Row<'_>, out: &mut Output) -> Requests {
    #[derive(Deserialize, Default)]
    struct Answer<'a> {
        #[serde(borrow, default)]
        output: Option<&'a RawValue>,
    }
    let mut requests = Requests::default();
    let call = row.call_type.str();
    let may_have = |answer: &&RawValue| memmem::find(answer.get().as_bytes(), b"_call").is_some();
    let answer = row.response.filter(may_have);
    if answer.is_some() && (call.is_empty() || call.contains("responses")) {
        let text = json_text(answer, "response").unwrap_or_default();
        let answer: Answer<'_> = of(text.as_deref());
        if searches::of_items(answer.output, &mut requests) {
            out.warnings.push(searches::DRAWN);
        }
    }
    requests
}

/// Adds the map that an answer is grounded in, and says where all that is known of tools is what they cost.
pub(super) fn ground(
    usage: Option<&Usage<'_>>,
    cost: &Breakdown<'_>,
    event: &mut UsageEvent,
    out: &mut Output,
) -> Result<(), Fault> {
    if let Some(usage) = usage {
        event.extras = Extras::most(event.extras, usage.looked_up()?.extras());
    }
    let told = reported(cost.tool_usage_cost.map(RawValue::get), "tool_usage_cost");
    let counted = event.requests != Requests::default() || !Extras::of(event.extras).units().is_empty();
    if !counted && told.is_ok_and(|told| told.is_some()) {
        out.warnings.push(UNCOUNTED);
    }
    Ok(())
}
