//! What emitters tell in attributes of text beside counts: usage as the provider or a gateway wrote it, and tiers.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::label::Label;
use crate::domain::usage::UsageEvent;

use super::super::counts::{Counts, Input};
use super::super::extras::{self, LookedUp, Seconds};
use super::super::line::{Context, Fault, Output};
use super::super::scalar::Scalar;
use super::super::thoughts::Thoughts;
use super::super::usage::Usage;
use super::super::{litellm, object, seller};
use super::attributes::{Attributes, name};

/// LiteLLM's metadata, where a span of OpenInference has it as JSON.
#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    usage_object: Option<&'a RawValue>,
}

/// What LiteLLM counts beside tokens.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Beside<'a> {
    #[serde(borrow, deserialize_with = "object::one")]
    prompt_tokens_details: Option<Prompt<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Prompt<'a> {
    #[serde(borrow)]
    web_search_requests: Scalar<'a>,
    #[serde(borrow)]
    google_maps_grounding_requests: Scalar<'a>,
}

/// A text that names a tier.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Tiered<'a> {
    #[serde(borrow)]
    service_tier: Scalar<'a>,
    /// Only an answer has it: what a model writes is no answer of its provider.
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// What the Vercel AI SDK hands over of OpenAI's answer.
#[derive(Deserialize, Default)]
#[serde(default)]
struct OfProvider<'a> {
    #[serde(borrow, deserialize_with = "object::one")]
    openai: Option<Served<'a>>,
    #[serde(borrow, deserialize_with = "object::one")]
    azure: Option<Served<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Served<'a> {
    #[serde(borrow, rename = "serviceTier")]
    service_tier: Scalar<'a>,
}

/// LiteLLM writes a call on the span that is active, the later one over those before.
const OVERWRITTEN: &str = "calls that LiteLLM tells on a span of another tracer, where each is written over the one before: set USE_OTEL_LITELLM_REQUEST_SPAN=true";

/// Whether a text of a map holds other maps, as providers write usage and Langfuse does not.
fn is_nested(text: &str) -> bool {
    text.trim_start().get(1..).is_some_and(|rest| rest.contains('{'))
}

/// The counts of usage as a provider told it, and what its input contains; nothing where it is of no known shape.
pub(super) fn of_usage(text: &str, provider: &str) -> Result<Option<(Counts, Input)>, Fault> {
    let Ok(usage) = serde_json::from_str::<Usage<'_>>(text) else {
        return Ok(None);
    };
    let claude = matches!(provider, "anthropic" | "bedrock" | "vertex");
    let Some(shape) = usage.shape_of(claude) else {
        return Ok(None);
    };
    let counts = usage.counts(shape, matches!(provider, "openai" | "azure"))?;
    let thoughts = Thoughts::of(provider, false);
    Ok(Some((Counts { thoughts, ..counts }, shape.input())))
}

/// The first name of several that a text holds.
fn tier(told: &Scalar<'_>) -> Option<String> {
    Some(told.str().to_owned()).filter(|name| !name.is_empty())
}

impl Attributes<'_> {
    /// LiteLLM's usage object, as Python or as JSON writes it; empty where there is none.
    pub(super) fn object(&self) -> &str {
        if !self.usage_object.is_null() || !self.metadata.str().contains("\"usage_object\"") {
            return self.usage_object.str();
        }
        let metadata: Option<Metadata<'_>> = serde_json::from_str(self.metadata.str()).ok();
        metadata
            .and_then(|metadata| metadata.usage_object)
            .map_or("", RawValue::get)
    }

    /// Usage as the provider told it; empty where none.
    pub(super) fn whole(&self) -> &str {
        match self.observation_usage.str() {
            usage if is_nested(usage) => usage,
            _ => self.raw_usage.str(),
        }
    }

    /// All of this as JSON.
    fn usage_text(&self) -> Option<Cow<'_, str>> {
        let (whole, object) = (self.whole(), self.object());
        match (whole.is_empty(), object.is_empty()) {
            (false, _) => Some(Cow::Borrowed(whole)),
            (true, false) => Some(Cow::Owned(litellm::json(object))),
            (true, true) => None,
        }
    }

    /// Whom LiteLLM asked, as it says before the model.
    pub(super) fn gateway(&self) -> &str {
        let front = self.provider_model.str().split_once('/').map_or("", |(front, _)| front);
        seller::told(front)
    }

    /// The tier that was answered, else the one that was asked for.
    pub(super) fn service_tier(&self) -> Scalar<'_> {
        let told = || {
            let usage = self.usage_text();
            let usage: Tiered<'_> = usage.as_deref().and_then(read).unwrap_or_default();
            let metadata: OfProvider<'_> = read(self.provider_metadata.str()).unwrap_or_default();
            let served = metadata.openai.or(metadata.azure).unwrap_or_default();
            let answer = match self.kind.str() {
                "LLM" => self.answer.str(),
                _ => "",
            };
            let answer: Option<Tiered<'_>> = Some(answer)
                .filter(|text| text.contains("\"service_tier\""))
                .and_then(read);
            let answer = answer.filter(|answer| answer.usage.is_some()).unwrap_or_default();
            let told = [
                &usage.service_tier,
                &self.cost_tier,
                &served.service_tier,
                &answer.service_tier,
            ];
            told.into_iter().find_map(tier)
        };
        let asked = || {
            let parameters = Some(self.parameters.str()).filter(|text| text.contains("\"service_tier\""));
            let parameters: Option<Tiered<'_>> = parameters.and_then(read);
            // Others tell what may be, not what was.
            tier(&parameters?.service_tier).filter(|tier| matches!(tier.as_str(), "flex" | "priority"))
        };
        match self.told_tier() {
            "" if self.tier.is_null() => {}
            tier if self.tier.is_null() => return Scalar::Text(tier.into()),
            _ => return name(&self.tier, &Scalar::Null).clone(),
        }
        let names = told().map(|tier| Scalar::Text(tier.into()));
        let names =
            names.or_else(|| Some(name(&self.asked_tier, &Scalar::Null).clone()).filter(|name| !name.is_null()));
        let names = names.or_else(|| asked().map(|tier| Scalar::Text(tier.into())));
        names.unwrap_or(Scalar::Null)
    }

    /// Tells that calls before this one are lost, where they may be.
    pub(super) fn tell_overwritten(&self, scope: &str, out: &mut Output) {
        if !self.provider_model.is_null() && !self.usage_object.is_null() && !matches!(scope, "" | "litellm") {
            out.warnings.push(OVERWRITTEN);
        }
    }

    /// Quantities that are no tokens, of a call that used none.
    pub(super) fn quantities(&self) -> Result<Label, Fault> {
        match self.usage_text() {
            Some(usage) => extras::of(&format!("{{\"usage\":{usage}}}"), Seconds::Heard),
            None => Ok(Label::EMPTY),
        }
    }

    /// Adds what a text tells beside counts: searches and what else is counted, where it was answered and how fast.
    pub(super) fn tell_beside(&self, event: &mut UsageEvent, context: &mut Context) -> Result<(), Fault> {
        let place = self.cost_place.str().to_ascii_lowercase();
        let place = match event.provider().as_str() {
            "openai" if matches!(place.as_str(), "us" | "eu") => place.as_str(),
            "vertex" if place != "global" => place.as_str(),
            _ => "",
        };
        if !place.is_empty() {
            event.geo = context.label(&Scalar::Text(place.into()), "gen_ai.cost")?;
        }
        let Some(text) = self.usage_text() else {
            return Ok(());
        };
        let Some(usage) = read::<Usage<'_>>(&text) else {
            return Ok(());
        };
        event.requests = usage.requests()?;
        let beside: Beside<'_> = read(&text).unwrap_or_default();
        let beside = beside.prompt_tokens_details.unwrap_or_default();
        let looked_up = LookedUp {
            queries: beside.web_search_requests.small("web_search_requests")?,
            maps: beside
                .google_maps_grounding_requests
                .small("google_maps_grounding_requests")?
                > 0,
        };
        if event.requests.web_searches == 0 {
            event.requests.web_searches = looked_up.queries;
        }
        let provider = event.provider().as_str();
        if !matches!(provider, "openai" | "vertex") && !matches!(usage.inference_geo.str(), "global" | "not_available")
        {
            let geo = context.label(&usage.inference_geo, "usage.inference_geo")?;
            event.geo = if geo.is_empty() { event.geo } else { geo };
        }
        if usage.speed.str() != "standard" {
            event.speed = context.label(&usage.speed, "usage.speed")?;
        }
        extras::search_and_units(&format!("{{\"usage\":{text}}}"), provider, event)?;
        if looked_up.maps && event.extras.is_empty() {
            event.extras = looked_up.extras();
        }
        Ok(())
    }
}

fn read<'t, T: Deserialize<'t>>(text: &'t str) -> Option<T> {
    serde_json::from_str(text).ok()
}
