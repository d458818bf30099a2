//! Amazon Bedrock model invocation logs: files in S3 (gzip), CloudWatch exports and API answers that wrap them. The input count
//! excludes cached tokens; identity is account, region and request id; how cache writes divide by time to live stands in the body only.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::price::region_of_answer;
use crate::domain::usage::{Bucket, EventId, UsageEvent};

use super::counts::{Counts, Input};
use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::scalar::Scalar;
use super::usage::Usage;
use super::{object, tags, tier};

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

/// The body of a call, or one chunk of it.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    message: Option<Carrier<'a>>,
    #[serde(borrow, default)]
    metadata: Option<Carrier<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage: Option<Usage<'a>>,
    #[serde(borrow, default, rename = "serviceTier")]
    tier: Option<&'a RawValue>,
    // Of Meta's models, which have no usage object.
    #[serde(borrow, default)]
    prompt_token_count: Scalar<'a>,
    #[serde(borrow, default)]
    generation_token_count: Scalar<'a>,
    /// At the end of a stream, in the words of the log.
    #[serde(
        borrow,
        default,
        rename = "amazon-bedrock-invocationMetrics",
        deserialize_with = "object::one"
    )]
    metrics: Option<Side<'a>>,
}

#[derive(Deserialize)]
struct Carrier<'a> {
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage: Option<Usage<'a>>,
    #[serde(borrow, default, rename = "serviceTier")]
    tier: Option<&'a RawValue>,
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
    let (account, region) = (log.account_id.str(), log.region.str());
    let id = EventId::of(&[b"bedrock", account.as_bytes(), region.as_bytes(), request.as_bytes()]);
    let (input, output) = (&Side::of(log.input, "input")?, &Side::of(log.output, "output")?);
    let counts = [&input.input_token_count, &output.output_token_count];
    let body = Body::of(output.output_body_json);
    let counted = if counts.iter().any(|count| !count.is_null()) {
        Some(from_log(input, output, &body, out)?)
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
    event
        .dimensions
        .set(Dimension::Tier, tier::of_bedrock(body.tier(), context)?);
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

/// The counts of a log. What it leaves out the body may tell.
fn from_log(input: &Side<'_>, output: &Side<'_>, body: &Body<'_>, out: &mut Output) -> Result<Counts, Fault> {
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
    let (_, hour) = if written > 0 { body.split()? } else { (0, 0) };
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

/// A body that is parsed when it is needed: an object, or the chunks of a stream.
struct Body<'a>(Option<&'a RawValue>);

impl<'a> Body<'a> {
    fn of(raw: Option<&'a RawValue>) -> Self {
        Body(raw)
    }

    fn chunks(&self) -> Vec<Chunk<'a>> {
        let text = self.0.map_or("", RawValue::get);
        // A body of an unknown shape tells nothing, which is no fault of the log.
        match text.as_bytes().first() {
            Some(b'[') => serde_json::from_str(text).unwrap_or_default(),
            Some(b'{') => serde_json::from_str(text).map(|chunk| vec![chunk]).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// The tier that served the call; at the end of a stream. Most bodies name none, which is seen without parsing them.
    fn tier(&self) -> Option<&'a RawValue> {
        let text = self.0.map_or("", RawValue::get);
        memmem::find(text.as_bytes(), b"\"serviceTier\"")?;
        let of = |chunk: Chunk<'a>| chunk.tier.or(chunk.metadata.and_then(|carrier| carrier.tier));
        self.chunks().into_iter().find_map(of)
    }

    /// Whether it may tell of a cache, which is seen without parsing it.
    fn has_cache(&self) -> bool {
        let text = self.0.map_or("", RawValue::get);
        memmem::find(text.as_bytes(), b"cache").is_some()
    }

    /// The total that Converse tells, which is seen without parsing a body that tells none.
    fn total(&self) -> Result<u64, Fault> {
        let text = self.0.map_or("", RawValue::get);
        if memmem::find(text.as_bytes(), b"\"totalTokens\"").is_none() {
            return Ok(0);
        }
        let mut most = 0;
        for chunk in self.chunks() {
            let carried = chunk.metadata.and_then(|carrier| carrier.usage);
            for usage in carried.into_iter().chain(chunk.usage) {
                most = usage.converse_total()?.max(most);
            }
        }
        Ok(most)
    }

    /// The first usage object that has an input side: that of the whole call, or of the start of its stream.
    fn split(&self) -> Result<(u64, u64), Fault> {
        for chunk in self.chunks() {
            let carried = [chunk.message, chunk.metadata]
                .into_iter()
                .flatten()
                .filter_map(|c| c.usage);
            for usage in carried.chain(chunk.usage) {
                let split = usage.split()?;
                if split != (0, 0) {
                    return Ok(split);
                }
            }
        }
        Ok((0, 0))
    }

    /// The counts of a call whose log has none: the start of a stream has the input, its end the output.
    fn counts(&self, out: &mut Output) -> Result<Option<Counts>, Fault> {
        let mut all: Option<Counts> = None;
        for chunk in self.chunks() {
            let carried = [chunk.message, chunk.metadata]
                .into_iter()
                .flatten()
                .filter_map(|c| c.usage);
            for usage in carried.chain(chunk.usage) {
                let Some(shape) = usage.shape() else { continue };
                let tokens = usage.tokens(shape, false, out)?;
                let counts = all.get_or_insert_with(Counts::default);
                counts.input = counts.input.max(tokens.get(Bucket::InputUncached));
                counts.read = counts.read.max(tokens.get(Bucket::CacheRead));
                counts.write_5m = counts.write_5m.max(tokens.get(Bucket::CacheWrite5m));
                counts.write_1h = counts.write_1h.max(tokens.get(Bucket::CacheWrite1h));
                counts.output = counts.output.max(tokens.get(Bucket::Output));
            }
            if !(chunk.prompt_token_count.is_null() && chunk.generation_token_count.is_null()) {
                let counts = all.get_or_insert_with(Counts::default);
                counts.input = counts.input.max(chunk.prompt_token_count.count("prompt_token_count")?);
                counts.output = counts
                    .output
                    .max(chunk.generation_token_count.count("generation_token_count")?);
            }
            if let Some(metrics) = chunk.metrics {
                let counts = all.get_or_insert_with(Counts::default);
                counts.input = counts.input.max(metrics.input_token_count.count("inputTokenCount")?);
                counts.output = counts.output.max(metrics.output_token_count.count("outputTokenCount")?);
                let read = &metrics.cache_read_input_token_count;
                counts.read = counts.read.max(read.count("cacheReadInputTokenCount")?);
                let written = metrics
                    .cache_write_input_token_count
                    .count("cacheWriteInputTokenCount")?;
                counts.write_5m = counts.write_5m.max(written.saturating_sub(counts.write_1h));
            }
        }
        Ok(all)
    }
}
