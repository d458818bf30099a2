//! What the tools used that OpenAI runs beside a model, as far as its usage does not hold it: pictures, of which another model's tokens are
//! told, and searches.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, Requests, Tokens, UsageEvent};

use super::line::{Context, Fault, Output};
use super::object;
use super::scalar::Scalar;
use super::searches;
use super::usage::{Shape, Usage};

/// Where an answer may tell it.
#[derive(Clone, Copy)]
pub(super) struct Hosted<'a> {
    /// The items that were answered.
    pub output: Option<&'a RawValue>,
    /// `tool_usage`
    pub used: Option<&'a RawValue>,
    /// `svg_usage` beside pictures.
    pub drawn: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Used<'a> {
    #[serde(borrow, default, deserialize_with = "object::one")]
    image_gen: Option<Usage<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    web_search: Option<Searched<'a>>,
}

#[derive(Deserialize)]
struct Searched<'a> {
    #[serde(borrow, default)]
    num_requests: Scalar<'a>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    svg_usage: Option<Usage<'a>>,
}

impl Hosted<'_> {
    /// Counts searches, the billable ones where these are told, and makes calls of their own of what models used that drew.
    pub fn read(
        self,
        text: &str,
        parent: &mut UsageEvent,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let drawn = searches::of_items(self.output, &mut parent.requests);
        if self.used.is_none() && self.drawn.is_none() && !drawn {
            return Ok(());
        }
        let used: Used<'_> = self.used.and_then(|raw| parsed(raw.get())).unwrap_or_default();
        if let Some(searched) = used.web_search.filter(|searched| !searched.num_requests.is_null()) {
            parent.requests.web_searches = searched.num_requests.small("tool_usage.web_search.num_requests")?;
        }
        let pictures = tokens(used.image_gen.as_ref(), out)?;
        if pictures.total() > 0 {
            let model = context.labels.get(&model_that_draws(text));
            out.events.push(call(parent, "pictures", model, pictures));
        }
        let outlined: Option<Usage<'_>> = self.drawn.and_then(|raw| parsed(raw.get()));
        let items: Vec<Item<'_>> = self
            .output
            .filter(|_| drawn)
            .and_then(|raw| parsed(raw.get()))
            .unwrap_or_default();
        let mut untold = false;
        let of_items = items
            .iter()
            .filter(|item| item.kind.str() == "image_generation_call")
            .map(|item| item.svg_usage.as_ref());
        for (n, usage) in outlined.as_ref().map(Some).into_iter().chain(of_items).enumerate() {
            let Some(usage) = usage else {
                untold = true;
                continue;
            };
            let model = context.label(&usage.model, "svg_usage.model")?;
            let tokens = tokens(Some(usage), out)?;
            out.events.push(call(parent, &n.to_string(), model, tokens));
        }
        if untold && pictures.total() == 0 {
            out.warnings.push(searches::DRAWN);
        }
        Ok(())
    }
}

fn parsed<'t, T: Deserialize<'t>>(text: &'t str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn tokens(usage: Option<&Usage<'_>>, out: &mut Output) -> Result<Tokens, Fault> {
    usage.map_or_else(
        || Ok(Tokens::default()),
        |usage| usage.tokens(Shape::Responses, true, out),
    )
}

/// The model that the request had draw pictures, as the answer repeats it; empty where it does not.
fn model_that_draws(text: &str) -> String {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, default, deserialize_with = "object::list")]
        tools: Option<Vec<Tool<'a>>>,
    }
    #[derive(Deserialize)]
    struct Tool<'a> {
        #[serde(borrow, default, rename = "type")]
        kind: Scalar<'a>,
        #[serde(borrow, default)]
        model: Scalar<'a>,
    }
    let answer: Option<Answer<'_>> = parsed(text);
    let tools = answer.and_then(|answer| answer.tools).unwrap_or_default();
    let draws = |tool: &&Tool<'_>| tool.kind.str() == "image_generation" && !tool.model.is_null();
    tools.iter().find(draws).map_or("", |tool| tool.model.str()).to_owned()
}

/// What another model used for a call. It is not said that the tier of the call holds for it, too, but in batches.
fn call(parent: &UsageEvent, place: &str, model: Label, tokens: Tokens) -> UsageEvent {
    let mut event = *parent;
    event.id = EventId::of(&[&parent.id.0, b"hosted", place.as_bytes()]);
    event.dimensions.set(Dimension::Model, model);
    if event.tier().as_str() != "batch" {
        event.dimensions.set(Dimension::Tier, Label::EMPTY);
    }
    event.tokens = tokens;
    event.requests = Requests::default();
    event.extras = Label::EMPTY;
    event.reported_cost = None;
    event
}
