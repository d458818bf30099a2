//! Azure API Management gateway logs of language model calls. The prompt count includes cached tokens and does not say how many, so that
//! what is computed from it is an upper bound. Identity is the correlation id: long messages are spread over rows, counts belong to the call.

use serde::Deserialize;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{Bucket, EventId, UsageEvent};

use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::scalar::Scalar;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Row<'a> {
    #[serde(borrow, alias = "time", alias = "timeGenerated", alias = "TimeGenerated [UTC]")]
    time_generated: Scalar<'a>,
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
    #[serde(borrow, alias = "sequenceNumber")]
    sequence_number: Scalar<'a>,
    #[serde(borrow, alias = "subscriptionId", alias = "ApimSubscriptionId")]
    subscription_id: Scalar<'a>,
}

/// A row in the envelope of a diagnostic setting.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    time: Scalar<'a>,
    #[serde(borrow, default, rename = "correlationId")]
    correlation_id: Scalar<'a>,
    #[serde(borrow, default)]
    properties: Option<Row<'a>>,
}

/// Reads gateway logs.
pub(super) struct Apim;

impl LineFormat for Apim {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        let row = match envelope.properties {
            Some(row) => Row {
                time_generated: some(row.time_generated, envelope.time),
                correlation_id: some(row.correlation_id, envelope.correlation_id),
                ..row
            },
            None => serde_json::from_str(text).map_err(|e| Fault::json(&e))?,
        };
        observe(&row, number, context, out)
    }
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
    let at = context.time(&row.time_generated, "TimeGenerated", out)?;
    // A deployment's name is no model: the user's map says what it stands for, else the call has no price.
    let model = match row.model_name.str() {
        "" => &row.deployment_name,
        _ => &row.model_name,
    };
    let model = context.label(model, "ModelName")?;
    let mut event = UsageEvent::new(id, at, context.labels.get("azure"), model);
    event.rank.line = number;
    event.tokens.set(Bucket::InputUncached, input);
    event.tokens.set(Bucket::Output, output);
    let deployment = context.label(&row.deployment_name, "DeploymentName")?;
    event.dimensions.set(Dimension::Agent, deployment);
    let account = context.label(&row.subscription_id, "SubscriptionId")?;
    event.dimensions.set(Dimension::Account, account);
    out.warnings
        .push("input without a cache split is charged as uncached: an upper bound (Azure API Management)");
    out.events.push(event);
    Ok(())
}
