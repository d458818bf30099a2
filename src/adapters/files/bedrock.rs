//! Amazon Bedrock model invocation logs: files in S3 (gzip), CloudWatch exports and API answers that wrap them. The input count
//! excludes cached tokens; identity is account, region and request id; how cache writes divide by time to live stands in the body only.

mod answer;
mod request;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::price::region_of_answer;
use crate::domain::usage::{EventId, UsageEvent};

use super::counts::{Counts, Input};
use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::scalar::Scalar;
use super::{object, tags};

use self::answer::Body;
use self::request::Stay;

pub(super) use self::answer::{counts_of, speed_of};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Log<'a> {
    #[serde(borrow, default)]
    schema_type: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    account_id: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    identity: Option<Identity<'a>>,
    #[serde(borrow, default)]
    region: Scalar<'a>,
    #[serde(borrow, default)]
    request_id: Scalar<'a>,
    #[serde(borrow, default)]
    model_id: Scalar<'a>,
    #[serde(borrow, default)]
    request_metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error_code: Scalar<'a>,
    // Looked into where it is a record of the log: others have all kinds of things there.
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    // Wrappers.
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "@message")]
    at_message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    events: Option<Vec<Wrapped<'a>>>,
    #[serde(borrow, default)]
    log_events: Option<Vec<Wrapped<'a>>>,
}

#[derive(Deserialize)]
struct Identity<'a> {
    #[serde(borrow, default)]
    arn: Scalar<'a>,
}

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Side<'a> {
    #[serde(borrow)]
    input_token_count: Scalar<'a>,
    #[serde(borrow)]
    cache_read_input_token_count: Scalar<'a>,
    #[serde(borrow)]
    cache_write_input_token_count: Scalar<'a>,
    #[serde(borrow)]
    input_body_json: Option<&'a RawValue>,
    #[serde(borrow)]
    output_token_count: Scalar<'a>,
    #[serde(borrow)]
    output_body_json: Option<&'a RawValue>,
}

impl<'a> Side<'a> {
    fn of(raw: Option<&'a RawValue>, field: &str) -> Result<Self, Fault> {
        let Some(raw) = raw else { return Ok(Side::default()) };
        let side = object::one(&mut serde_json::Deserializer::from_str(raw.get()));
        side.map(Option::unwrap_or_default)
            .map_err(|e| Fault::field(field, format!("unexpected shape: {e}")))
    }
}

/// The record in a line of an export from CloudWatch Logs to S3, which puts a time before it.
pub(super) fn exported(text: &str) -> Option<&str> {
    let front = text.as_bytes().get(..LONGEST_TIME + 2).unwrap_or(text.as_bytes());
    if !front.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let at = front.windows(2).position(|two| two == b" {")?;
    text.get(at + 1..)
}

/// Bytes of a time at most.
const LONGEST_TIME: usize = 40;

/// Wrappers in wrappers that are opened.
const DEEPEST: u32 = 3;

/// Reads invocation logs.
pub(super) struct Bedrock;

impl LineFormat for Bedrock {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        one(exported(text).unwrap_or(text), number, DEEPEST, context, out)
    }
}

fn one(text: &str, number: u64, depth: u32, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
    let log: Log<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
    if log.schema_type.str() == "ModelInvocationLog" {
        return observe(&log, number, context, out);
    }
    let many = [log.events, log.log_events].into_iter().flatten().flatten();
    let wrapped = [log.message, log.at_message].into_iter().chain(many.map(|w| w.message));
    for message in wrapped.flatten().filter(|_| depth > 0) {
        // Other messages of the same log group are no concern of ours.
        let inner = match serde_json::from_str::<String>(message.get()) {
            Ok(inner) if inner.contains("ModelInvocationLog") => inner,
            Ok(_) => continue,
            Err(_) => message.get().to_owned(),
        };
        let before = out.events.len();
        if let Err(fault) = one(&inner, number, depth - 1, context, out) {
            out.events.truncate(before);
            out.faults.push(fault);
        }
    }
    Ok(())
}

fn observe(log: &Log<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
    let request = log.request_id.str();
    if request.is_empty() {
        return Err(Fault::field("requestId", "missing"));
    }
    let region = log.region.str();
    let (input, output) = (&Side::of(log.input, "input")?, &Side::of(log.output, "output")?);
    let counts = [&input.input_token_count, &output.output_token_count];
    let body = Body::of(output.output_body_json);
    let id = identity(log, &body, request);
    let counted = if counts.iter().any(|count| !count.is_null()) {
        Some(from_log(input, output, &body, log.model_id.str(), out)?)
    } else {
        body.counts(out)?
    };
    let Some(counts) = counted.filter(|c| c.input + c.output + c.read > 0 || log.error_code.is_null()) else {
        if log.error_code.is_null() {
            out.warnings.push(NO_USAGE);
            out.excluded_once.push(("calls_without_usage", id));
        } else {
            out.excluded_once.push(("failed_calls", id));
        }
        return Ok(());
    };
    let at = context.time(&log.timestamp, "timestamp", out)?;
    let model = context.label(&log.model_id, "modelId")?;
    let mut event = UsageEvent::new(id, at, context.labels.get("bedrock"), model);
    event.rank.line = number;
    event.geo = context.labels.get(region_of_answer(model.as_str(), region));
    event.tokens = counts.tokens(Input::Excludes, "Bedrock invocation log", out);
    event.dimensions.set(Dimension::Tier, body.tier(context)?);
    event.speed = context.labels.get(body.speed());
    tags::set_all(&mut event, log.request_metadata, context)?;
    event
        .dimensions
        .set(Dimension::Account, context.label(&log.account_id, "accountId")?);
    if let Some(identity) = log
        .identity
        .as_ref()
        .filter(|_| event.dimensions.get(Dimension::User).is_empty())
    {
        event
            .dimensions
            .set(Dimension::User, context.label(&identity.arn, "identity.arn")?);
    }
    out.tell_empty(&event);
    out.events.push(event);
    Ok(())
}

/// Who a call is: the message that answers it, where its id was logged, else the request. Other logs of the call tell one of them.
fn identity(log: &Log<'_>, body: &Body<'_>, request: &str) -> EventId {
    if let Some(message) = body.message() {
        return tags::response_identity("bedrock", &message);
    }
    tags::request_identity(request).unwrap_or_else(|| {
        let (account, region) = (log.account_id.str(), log.region.str());
        EventId::of(&[b"bedrock", account.as_bytes(), region.as_bytes(), request.as_bytes()])
    })
}

/// The counts of a log. What it leaves out the body may tell.
fn from_log(
    input: &Side<'_>,
    output: &Side<'_>,
    body: &Body<'_>,
    model: &str,
    out: &mut Output,
) -> Result<Counts, Fault> {
    let (read, written) = (
        &input.cache_read_input_token_count,
        &input.cache_write_input_token_count,
    );
    let uncounted = input.input_token_count.is_null() || output.output_token_count.is_null();
    let uncached = read.is_null() || written.is_null();
    let told = match uncounted || uncached && body.has_cache() {
        true => body.counts(out)?.unwrap_or_default(),
        false => Counts::default(),
    };
    let (whole_input, cached) = (told.input + told.cached(), told.cached());
    let written = match written.is_null() {
        true => told.write_5m + told.write_1h,
        false => written.count("input.cacheWriteInputTokenCount")?,
    };
    let hour = match written {
        0 => 0,
        _ => hour_of(written, body, input.input_body_json, model, out)?,
    };
    // What the split does not explain was written at the default time to live.
    let hour = hour.min(written);
    let read = match read.is_null() {
        true => told.read,
        false => read.count("input.cacheReadInputTokenCount")?,
    };
    let mut counts = Counts {
        input: input.input_token_count.count("input.inputTokenCount")?,
        read,
        write_5m: written - hour,
        write_1h: hour,
        output: output.output_token_count.count("output.outputTokenCount")?,
        ..Counts::default()
    };
    // A count of all input, of which the body takes the cached part out.
    if input.input_token_count.is_null() || (cached > 0 && uncached && counts.input == whole_input) {
        counts.input = told.input;
    }
    if output.output_token_count.is_null() {
        counts.output = told.output;
    }
    // A total that says otherwise is told.
    if counts.cached() > 0 && !uncounted {
        counts.total = body.total()?;
    }
    Ok(counts)
}

/// What is told of cache writes of which neither the answer nor the request says how long they stay.
const UNSPLIT: &str = "invocation logs without the body of the answer do not say how long what was written to the cache stays: charged as for 5 minutes";

/// How much of what was written to the cache was to stay for an hour. Where the answer lies elsewhere or was not kept, the request may tell.
fn hour_of(
    written: u64,
    body: &Body<'_>,
    request: Option<&RawValue>,
    model: &str,
    out: &mut Output,
) -> Result<u64, Fault> {
    if let Some((_, hour)) = body.split()? {
        return Ok(hour);
    }
    match request::stay(request) {
        Stay::Hour => return Ok(written),
        Stay::Minutes => {}
        // Amazon's own models keep nothing for longer.
        Stay::Unknown if model.contains("amazon.nova") => {}
        Stay::Unknown => out.warnings.push(UNSPLIT),
    }
    Ok(0)
}
