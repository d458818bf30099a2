//! Answers as gateways and tools of observability keep them, in words of their own: Opik's spans, TensorZero's inferences and what Portkey
//! exports. Each is made into the body that the provider answered with, as far as it is told.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::super::line::Fault;
use super::super::scalar::{Scalar, reported};
use super::super::usage::{FLATTENED, Usage};
use super::super::{host, seller, tags};
use super::record::Record;

/// What a record is.
pub(super) enum Kept<'a> {
    /// A body, or an envelope that says all in the words of many.
    Itself,
    /// A call that is told so.
    Call(Call<'a>),
    /// What tells the sum of calls that are told beside it.
    Sum,
    /// A call that failed, by its id.
    Failed(String),
    /// One of whose usage nothing is told.
    Untold(String),
}

/// A body, as far as it is told.
#[derive(Serialize)]
struct Body<'a, U: Serialize> {
    id: &'a str,
    model: Option<&'a str>,
    provider: Option<&'a str>,
    created_at: Option<&'a RawValue>,
    service_tier: Option<&'a str>,
    metadata: Option<&'a RawValue>,
    usage: Option<U>,
    usage_metadata: Option<U>,
}

impl<U: Serialize> Body<'_, U> {
    fn call<'a>(&self, cost: Option<Decimal>, told: Option<&'static str>) -> Result<Kept<'a>, Fault> {
        let body = serde_json::to_string(self).map_err(|e| Fault::json(&e))?;
        Ok(Kept::Call(Call {
            body: Cow::Owned(body),
            around: false,
            cost,
            told,
        }))
    }
}

/// A call, made into a body.
pub(super) struct Call<'a> {
    pub body: Cow<'a, str>,
    /// Whether the record is an envelope around it.
    pub around: bool,
    /// What the record says it cost.
    pub cost: Option<Decimal>,
    /// What is to be told of it.
    pub told: Option<&'static str>,
}

/// What is told of sums.
pub(super) const SUM: &str =
    "spans and traces of Opik that are no calls of models have the sum of those that are, and are not added up";

/// What is told of calls whose answer Portkey did not keep.
const COUNTED_BY_PORTKEY: &str =
    "calls of which Portkey's export has no answer are charged by its counts, which do not say what was cached";

/// What a record is, by the words that it has.
pub(super) fn kept<'a>(record: &Record<'a>, text: &str) -> Result<Kept<'a>, Fault> {
    if record.usage.as_ref().is_some_and(|usage| usage.unknown.flattened) {
        of_opik(text)
    } else if !record.ai_org.str().is_empty() && !record.tells_usage() {
        of_portkey(record, text)
    } else if is_of_tensorzero(record) {
        of_tensorzero(text)
    } else {
        Ok(Kept::Itself)
    }
}

/// Whether an inference is told as TensorZero itself tells it: others who number theirs so say what was asked, and whom.
fn is_of_tensorzero(record: &Record<'_>) -> bool {
    let others = [record.id.str(), record.model().str(), record.provider.str()];
    !record.inference_id.str().is_empty() && record.usage.is_some() && others.iter().all(|name| name.is_empty())
}

#[derive(Deserialize)]
struct Span<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default, rename = "type")]
    kind: Scalar<'a>,
    #[serde(borrow, default)]
    start_time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default)]
    provider: Scalar<'a>,
    #[serde(borrow)]
    usage: BTreeMap<Cow<'a, str>, &'a RawValue>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    total_estimated_cost: Option<&'a RawValue>,
}

/// What Opik's SDK keeps of an answer: all but what it says.
#[derive(Deserialize, Default)]
struct Answer<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    service_tier: Scalar<'a>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

fn of_opik<'a>(text: &str) -> Result<Kept<'a>, Fault> {
    let span: Span<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
    let is_call = match span.kind.str() {
        "" => !span.model.str().is_empty(),
        kind => kind == "llm",
    };
    if !is_call {
        return Ok(Kept::Sum);
    }
    let answer: Answer<'_> = of(span.metadata).unwrap_or_default();
    let mut usage = whole(&span.usage);
    // Texts have no place among its counts.
    let own: Map<String, Value> = of(answer.usage).unwrap_or_default();
    usage.extend(own.into_iter().filter(|(_, value)| value.is_string()));
    // What its users write may be a customer's.
    let of_answer = tags::form_of_response(answer.id.str()).is_some_and(tags::is_given);
    let (usage, usage_metadata) = match usage.keys().any(|name| name.ends_with("_token_count")) {
        true => (None, Some(usage)),
        false => (Some(usage), None),
    };
    let cost = reported(span.total_estimated_cost.map(RawValue::get), "total_estimated_cost")?;
    Body {
        id: if of_answer { answer.id.str() } else { span.id.str() },
        model: text_of(span.model.str()),
        provider: text_of(seller_of(span.provider.str())),
        created_at: span.start_time,
        service_tier: text_of(answer.service_tier.str()),
        metadata: span.metadata,
        usage,
        usage_metadata,
    }
    .call(cost, None)
}

/// The provider's own object, out of the ways to its values; where there is none that is known, the counts that Opik makes for all.
fn whole(flat: &BTreeMap<Cow<'_, str>, &RawValue>) -> Map<String, Value> {
    let (mut own, mut plain) = (Map::new(), Map::new());
    for (name, raw) in flat {
        let Ok(value) = serde_json::from_str::<Value>(raw.get()) else {
            continue;
        };
        let Some(way) = name.strip_prefix(FLATTENED) else {
            plain.insert(name.to_string(), value);
            continue;
        };
        let mut place = Some(&mut own);
        let (ways, last) = way
            .rsplit_once('.')
            .map_or((None, way), |(ways, last)| (Some(ways), last));
        for part in ways.into_iter().flat_map(|ways| ways.split('.')).take(DEEPEST) {
            place = place.and_then(|object| object.entry(part).or_insert_with(|| Map::new().into()).as_object_mut());
        }
        if let Some(object) = place {
            object.insert(last.to_owned(), value);
        }
    }
    let text = Value::Object(own.clone()).to_string();
    let known = serde_json::from_str::<Usage<'_>>(&text).is_ok_and(|usage| usage.shape().is_some());
    match known || own.contains_key("prompt_token_count") {
        true => own,
        false => {
            plain.extend(own);
            plain
        }
    }
}

/// Objects in objects that a way leads through.
const DEEPEST: usize = 8;

/// Who sold a call, of whom Opik has the host where it is not the one that everybody has.
fn seller_of(provider: &str) -> &str {
    if !seller::known(provider).is_empty() || !(provider.contains('.') || provider.starts_with("localhost")) {
        return provider;
    }
    match host::seller(provider) {
        "" => provider
            .rsplit('.')
            .map(seller::known)
            .find(|name| !name.is_empty())
            .unwrap_or(""),
        seller => seller,
    }
}

/// An inference as TensorZero tells it itself. Of one that asked a model once the provider's own usage stands beside it.
fn of_tensorzero<'a>(text: &str) -> Result<Kept<'a>, Fault> {
    #[derive(Deserialize)]
    struct Inference<'a> {
        #[serde(borrow)]
        inference_id: Scalar<'a>,
        #[serde(borrow, default)]
        variant_name: Scalar<'a>,
        #[serde(borrow)]
        usage: BTreeMap<Cow<'a, str>, &'a RawValue>,
        #[serde(borrow, default)]
        raw_usage: Option<Vec<Asked<'a>>>,
        #[serde(borrow, default)]
        tags: Option<&'a RawValue>,
        #[serde(borrow, default)]
        timestamp: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Asked<'a> {
        #[serde(borrow, default)]
        provider_type: Scalar<'a>,
        #[serde(borrow, default)]
        data: Option<&'a RawValue>,
    }
    let mut inference: Inference<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
    let cost = inference.usage.remove("cost").map(RawValue::get);
    let named = shorthand(inference.variant_name.str());
    let mut provider = named.map_or("", |(provider, _)| provider);
    let mut own = BTreeMap::new();
    if let Some([asked]) = inference.raw_usage.as_deref() {
        let asked_of = seller_of_type(asked.provider_type.str());
        provider = if asked_of.is_empty() { provider } else { asked_of };
        let data = asked.data.map_or("", RawValue::get);
        if serde_json::from_str::<Usage<'_>>(data).is_ok_and(|usage| usage.shape().is_some()) {
            own = serde_json::from_str(data).unwrap_or_default();
        }
    }
    let cost = reported(cost, "usage.cost")?;
    Body {
        id: inference.inference_id.str(),
        model: named.map(|(_, model)| model),
        provider: text_of(provider),
        created_at: inference.timestamp,
        service_tier: None,
        metadata: inference.tags,
        usage: Some(if own.is_empty() { inference.usage } else { own }),
        usage_metadata: None,
    }
    .call(cost, None)
}

/// Seller and model of a name that TensorZero has for what it is not configured to ask: `anthropic::claude-sonnet-4-6`.
pub(super) fn shorthand(name: &str) -> Option<(&'static str, &str)> {
    let name = name.strip_prefix("tensorzero::model_name::").unwrap_or(name);
    let (provider, model) = name.split_once("::")?;
    let provider = seller_of_type(provider);
    (!provider.is_empty() && !model.is_empty()).then_some((provider, model))
}

/// The seller behind TensorZero's name for an interface.
fn seller_of_type(name: &str) -> &'static str {
    match name {
        "gcp_vertex_anthropic" | "gcp_vertex_gemini" => "vertex",
        "google_ai_studio_gemini" => "google",
        other => seller::known(other),
    }
}

/// A row of Portkey's, around an answer that was kept, or with nothing but its counts. It tells cents.
fn of_portkey<'a>(record: &Record<'a>, text: &str) -> Result<Kept<'a>, Fault> {
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(borrow, default)]
        id: Scalar<'a>,
        #[serde(borrow, default)]
        created_at: Option<&'a RawValue>,
        #[serde(borrow, default)]
        is_success: Scalar<'a>,
        #[serde(borrow, default)]
        response_status_code: Scalar<'a>,
        #[serde(borrow, default)]
        ai_org: Scalar<'a>,
        #[serde(borrow, default)]
        ai_model: Scalar<'a>,
        #[serde(borrow, default)]
        req_units: Scalar<'a>,
        #[serde(borrow, default)]
        res_units: Scalar<'a>,
        #[serde(borrow, default)]
        cost: Option<&'a RawValue>,
        #[serde(borrow, default)]
        cost_currency: Scalar<'a>,
        #[serde(borrow, default)]
        metadata: Option<&'a RawValue>,
    }
    let row: Row<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
    let cents = reported(row.cost.map(RawValue::get), "cost")?;
    let cost = cents.filter(|_| matches!(row.cost_currency.str(), "" | "USD" | "usd"));
    let cost = cost.and_then(|cents| cents.checked_mul(Decimal::new(1, 2)));
    // What it kept stands under one name.
    let answer = record.inner("");
    let tells = |answer: &Cow<'_, str>| Record::parse(answer).is_ok_and(|answer| answer.tells_usage());
    if let Some(answer) = answer.filter(tells) {
        return Ok(Kept::Call(Call {
            body: answer,
            around: true,
            cost,
            told: None,
        }));
    }
    let failed = matches!(row.is_success, Scalar::Whole(0) | Scalar::Bool(false))
        || matches!(row.response_status_code, Scalar::Whole(code) if code >= 400);
    if failed {
        return Ok(Kept::Failed(row.id.str().to_owned()));
    }
    let (asked, answered) = (row.req_units.count("req_units")?, row.res_units.count("res_units")?);
    if asked.saturating_add(answered) == 0 {
        return Ok(Kept::Untold(row.id.str().to_owned()));
    }
    Body {
        id: row.id.str(),
        model: text_of(row.ai_model.str()),
        provider: text_of(row.ai_org.str()),
        created_at: row.created_at,
        service_tier: None,
        metadata: row.metadata,
        usage: Some(json!({"prompt_tokens": asked, "completion_tokens": answered})),
        usage_metadata: None,
    }
    .call(cost, Some(COUNTED_BY_PORTKEY))
}

/// An object; nothing where it is none.
fn of<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    let raw = raw?.get();
    serde_json::from_str(raw).ok().filter(|_| raw.starts_with('{'))
}

/// A text; nothing where it is empty.
fn text_of(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
