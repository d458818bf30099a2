//! Who sold what a body tells.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::scalar::Scalar;
use super::super::usage::{Shape, Usage};
use super::super::{gemini, seller};
use super::record::Record;

/// Who sells the call: what the body says of itself (`azure`: what earlier parts of its stream said), else what its envelopes say, and then
/// what the name of the model tells, where the settings (`default`) name nobody who may sell it.
pub(super) fn provider<'r>(
    record: &'r Record<'_>,
    shape: Option<Shape>,
    model: &str,
    azure: bool,
    outer: &'r str,
    default: &'static str,
) -> &'r str {
    let usage = record.usage.as_ref();
    let by_model = seller::by_model(model);
    let (told, own_server) = (record.provider.str(), record.own_server());
    let on_bedrock = model.contains("anthropic.") || model.starts_with("arn:aws");
    if shape == Some(Shape::Cohere) && by_model != "bedrock" {
        "cohere"
    } else if on_bedrock || (shape == Some(Shape::Converse) && may_be_converse(record, by_model)) {
        "bedrock"
    } else if !seller::by_response(record.id.str()).is_empty() {
        seller::by_response(record.id.str())
    } else if matches!(by_model, "perplexity" | "vertex") {
        by_model
    } else if is_of_openrouter(record, model, by_model) {
        "openrouter"
    } else if told.is_empty() && by_model.is_empty() && usage.is_some_and(|usage| costs_of_perplexity(usage.cost)) {
        "perplexity"
    } else if azure || record.is_of_azure() {
        "azure"
    } else if record.x_groq.is_some() {
        "groq"
    } else if !own_server.is_empty() && (told.is_empty() || !seller::known(told).is_empty()) {
        own_server
    } else if !told.is_empty() {
        seller::told(told)
    } else if let Some(asked) = record.extra_fields.and_then(asked_by_bifrost) {
        asked
    } else if !outer.is_empty() {
        outer
    } else if model.is_empty() && usage.is_some_and(Usage::is_of_codex) {
        "openai"
    } else {
        seller::likely(by_model, model, default)
    }
}

/// Whom Bifrost asked.
fn asked_by_bifrost(extra: &RawValue) -> Option<&'static str> {
    #[derive(Deserialize)]
    struct Extra<'a> {
        #[serde(borrow)]
        provider: Scalar<'a>,
    }
    let extra = Some(extra.get()).filter(|raw| raw.starts_with('{'))?;
    let extra: Extra<'_> = serde_json::from_str(extra).ok()?;
    Some(seller::known(extra.provider.str())).filter(|asked| !asked.is_empty())
}

/// Whether usage in the form of Converse is Bedrock's: of a model that others sell only beside what Converse alone answers, since the Vercel
/// AI SDK writes the same where nothing was cached.
fn may_be_converse(record: &Record<'_>, by_model: &str) -> bool {
    let message = |raw: &RawValue| memchr::memmem::find(raw.get().as_bytes(), b"\"message\"").is_some();
    let claudes = |usage: &&Usage<'_>| matches!(by_model, "anthropic" | "vertex") && usage.may_be_claudes();
    let usage = record.usage.as_ref().filter(|usage| !claudes(usage));
    matches!(by_model, "" | "bedrock")
        || usage.is_some_and(Usage::names_caches_as_converse)
        || record.output.is_some_and(message)
}

/// Whether it is OpenRouter's: by its id, by a maker before the model together with the name of whom it asked (`Google AI Studio`, where logs
/// have `google`), or by the cost of what nobody else is known to sell under that name.
fn is_of_openrouter(record: &Record<'_>, model: &str, by_model: &str) -> bool {
    let told = record.provider.str();
    let asked = told.contains(|c: char| c.is_ascii_uppercase()) && (model.is_empty() || model.contains('/'));
    let cost = record.usage.as_ref().and_then(|usage| usage.cost);
    let charged = cost.is_some_and(|cost| !cost.get().starts_with('{'));
    record.id.str().starts_with("gen-") || asked || (charged && told.is_empty() && by_model.is_empty())
}

/// Whether a cost is in the form of Perplexity, whose agents name the maker before the model, too.
fn costs_of_perplexity(cost: Option<&RawValue>) -> bool {
    let total = |raw: &str| raw.starts_with('{') && raw.contains("\"total_cost\"");
    cost.is_some_and(|cost| total(cost.get()))
}

/// The tier that Vertex AI tells where it answers in OpenAI's shape.
pub(super) fn vertex_tier(record: &Record<'_>, text: &str) -> Option<String> {
    let may = record.usage.is_some() && record.model().str().starts_with("google/");
    // Others sell models of this name, too.
    let may = may && text.contains("\"extra_properties\"");
    may.then(|| gemini::tier_of_chat(text)).flatten()
}
