//! Azure API Management gateway logs of language model calls. The prompt count includes cached tokens and does not say how many, so that
//! what is computed from it is an upper bound. Identity is the correlation id: long messages are spread over rows, counts belong to the call.

use chrono::{DateTime, NaiveDateTime, Utc};
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, UsageEvent};

use super::counts::{Counts, Input};
use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::scalar::Scalar;
use super::{keys, page};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Row<'a> {
    #[serde(borrow, alias = "time", alias = "timeGenerated")]
    time_generated: Scalar<'a>,
    /// The portal's name for it.
    #[serde(borrow, rename = "TimeGenerated [UTC]")]
    time_in_utc: Scalar<'a>,
    #[serde(borrow, alias = "correlationId")]
    correlation_id: Scalar<'a>,
    #[serde(borrow, alias = "modelName")]
    model_name: Scalar<'a>,
    #[serde(borrow, alias = "deploymentName")]
    deployment_name: Scalar<'a>,
    #[serde(borrow, alias = "promptTokens")]
    prompt_tokens: Scalar<'a>,
    #[serde(borrow, alias = "completionTokens")]
    completion_tokens: Scalar<'a>,
    #[serde(borrow, alias = "totalTokens")]
    total_tokens: Scalar<'a>,
    #[serde(borrow, alias = "sequenceNumber")]
    sequence_number: Scalar<'a>,
    #[serde(borrow, alias = "subscriptionId", alias = "ApimSubscriptionId")]
    subscription_id: Scalar<'a>,
    /// Azure's own, which pays.
    #[serde(borrow, rename = "_SubscriptionId")]
    paid_by: Scalar<'a>,
    #[serde(borrow, rename = "_ResourceId", alias = "resourceId")]
    resource_id: Scalar<'a>,
}

impl Row<'_> {
    /// The subscription of Azure that pays, as Azure's bills write it.
    fn account(&self) -> Option<String> {
        let resource = self.resource_id.str().to_lowercase();
        let of_resource = resource.strip_prefix("/subscriptions/");
        let of_resource = of_resource.and_then(|rest| rest.split('/').next());
        let paid_by = Some(self.paid_by.str()).filter(|id| !id.is_empty()).or(of_resource)?;
        Some(format!("/subscriptions/{}", paid_by.to_lowercase()))
    }
}

/// A row in the envelope of a diagnostic setting.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    time: Scalar<'a>,
    #[serde(borrow, default, rename = "correlationId")]
    correlation_id: Scalar<'a>,
    #[serde(borrow, default)]
    category: Scalar<'a>,
    #[serde(borrow, default, rename = "resourceId")]
    resource_id: Scalar<'a>,
    #[serde(borrow, default)]
    properties: Option<&'a RawValue>,
    /// Several such rows, as event hubs get them.
    #[serde(borrow, default)]
    records: Option<&'a RawValue>,
}

/// The category of logs that tell of calls.
const CATEGORY: &str = "GatewayLlmLogs";

/// Whether these are the properties of a row. Events of analytics have counts in theirs, too.
pub(super) fn is_properties(value: &[u8]) -> bool {
    let value = keys::value(value);
    let has = |name: &[u8]| memmem::find(value, name).is_some();
    let names: [&[u8]; 3] = [b"eploymentName\"", b"odelName\"", b"orrelationId\""];
    has(b"romptTokens\"") && names.into_iter().any(has)
}

/// Reads gateway logs.
pub(super) struct Apim;

impl LineFormat for Apim {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        let Some(rows) = envelope.records.and_then(page::records) else {
            return one(text, envelope, number, context, out);
        };
        page::each("records", &rows, out, |text, out| {
            let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
            one(text, envelope, number, context, out)
        });
        Ok(())
    }
}

fn one(text: &str, envelope: Envelope<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
    let counts = || {
        envelope
            .properties
            .is_some_and(|row| row.get().contains("romptTokens\""))
    };
    if !matches!(envelope.category.str(), "" | CATEGORY) && !counts() {
        out.excluded.push("records_without_usage");
        return Ok(());
    }
    let text = envelope.properties.map_or(text, RawValue::get);
    let row: Row<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
    let row = Row {
        time_generated: some(row.time_generated, envelope.time),
        correlation_id: some(row.correlation_id, envelope.correlation_id),
        resource_id: some(row.resource_id, envelope.resource_id),
        ..row
    };
    observe(&row, number, context, out)
}

fn some<'a>(own: Scalar<'a>, other: Scalar<'a>) -> Scalar<'a> {
    if own.is_null() { other } else { own }
}

fn observe(row: &Row<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
    let call = row.correlation_id.str();
    if call.is_empty() {
        return Err(Fault::field("CorrelationId", "missing"));
    }
    let id = EventId::of(&[b"apim", call.as_bytes()]);
    let input = row.prompt_tokens.count("PromptTokens")?;
    let output = row.completion_tokens.count("CompletionTokens")?;
    if input + output == 0 {
        // The further rows of a long message repeat no counts.
        if row.sequence_number.count("SequenceNumber")? == 0 {
            out.warnings.push(NO_USAGE);
            out.excluded_once.push(("calls_without_usage", id));
        }
        return Ok(());
    }
    let at = time(row, context, out)?;
    // A deployment's name is no model: the user's map says what it stands for, else the call has no price.
    let model = match row.model_name.str() {
        "" => &row.deployment_name,
        _ => &row.model_name,
    };
    let model = context.label(model, "ModelName")?;
    let mut event = UsageEvent::new(id, at, context.labels.get("azure"), model);
    event.rank.line = number;
    let counts = Counts {
        input,
        output,
        total: row.total_tokens.count("TotalTokens")?,
        ..Counts::default()
    };
    event.tokens = counts.tokens(Input::Includes, "Azure API Management", out);
    let deployment = context.label(&row.deployment_name, "DeploymentName")?;
    event.dimensions.set(Dimension::Agent, deployment);
    let account = match row.account().filter(|_| row.subscription_id.str().is_empty()) {
        Some(account) => context.label(&Scalar::Text(account.into()), "_ResourceId")?,
        None => context.label(&row.subscription_id, "SubscriptionId")?,
    };
    event.dimensions.set(Dimension::Account, account);
    out.warnings
        .push("input without a cache split is charged as uncached: an upper bound (Azure API Management)");
    out.events.push(event);
    Ok(())
}

/// When it was, also as the portal writes it where its language is that of the United States. Others write the day before the month, and
/// no large letters behind the time.
fn time(row: &Row<'_>, context: &mut Context, out: &mut Output) -> Result<DateTime<Utc>, Fault> {
    let (given, zone) = match row.time_in_utc.is_null() {
        true => (&row.time_generated, ""),
        false => (&row.time_in_utc, "Z"),
    };
    let text = given.str();
    if !text.contains('/') {
        return context.time(given, "TimeGenerated", out);
    }
    let portal = NaiveDateTime::parse_from_str(text, "%m/%d/%Y, %I:%M:%S%.f %p").ok();
    let portal = portal.filter(|_| text.ends_with('M')).ok_or_else(|| {
        let reason = "not a time such as `2026-10-20T08:15:04Z`, or `10/20/2026, 8:15:04 AM` as the portal writes it in the language `English (United States)`";
        Fault::field("TimeGenerated", reason)
    })?;
    let text = format!("{}{zone}", portal.format("%Y-%m-%dT%H:%M:%S%.f"));
    context.time(&Scalar::Text(text.into()), "TimeGenerated", out)
}
