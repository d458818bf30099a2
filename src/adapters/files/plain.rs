//! The plain format of our own: one call a line with disjoint token buckets, as JSON Lines or CSV (docs/usage-format.md).

mod content;
mod rows;

use std::fmt;

use serde::Deserializer;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::similar::nearest;
use crate::domain::usage::{Bucket, EventId, Extras, Rank, Requests, Tokens, UsageEvent};

use self::content::content_id;
use super::line::{Context, Fault, LineFormat, Output};
use super::object::KeyText;
use super::scalar::{Scalar, reported};
use super::scan::{self, Keys, Lines, Want};
use super::value::Value;

pub(super) use rows::Rows;

macro_rules! keys {
    ($($name:ident),* $(,)?) => {
        /// A key of a record.
        #[derive(Clone, Copy)]
        #[expect(non_camel_case_types, reason = "the variants are spelled as the keys are")]
        #[expect(dead_code, reason = "a key may be known and of no use here")]
        enum Key { $($name),* }

        /// Every key that a record may have, in the order of the documentation.
        pub const KNOWN_KEYS: &[&str] = &[$(stringify!($name)),*];
    };
}

keys!(
    id,
    ts,
    provider,
    model,
    service_tier,
    input_tokens,
    cache_read_tokens,
    cache_write_5m_tokens,
    cache_write_1h_tokens,
    cache_write_30m_tokens,
    cache_write_12h_tokens,
    output_tokens,
    reasoning_tokens,
    audio_in_tokens,
    audio_out_tokens,
    image_in_tokens,
    image_out_tokens,
    video_in_tokens,
    web_searches,
    web_fetches,
    code_executions,
    speed,
    geo,
    team,
    agent,
    workflow,
    user,
    project,
    account,
    session,
    cost_usd,
    latency_ms,
    status,
    units,
);

/// The values of a record by key.
struct Record<'a>([Value<'a>; KNOWN_KEYS.len()]);

impl<'a> AsMut<[Value<'a>]> for Record<'a> {
    fn as_mut(&mut self) -> &mut [Value<'a>] {
        &mut self.0
    }
}

impl<'a> Record<'a> {
    #[inline]
    fn get(&self, key: Key) -> Value<'a> {
        self.0.get(key as usize).copied().unwrap_or_default()
    }

    fn each(&self) -> impl Iterator<Item = (&'static str, Value<'a>)> {
        KNOWN_KEYS.iter().copied().zip(self.0)
    }
}

/// Where the value of a key stands in a record.
fn place(key: &str) -> Option<usize> {
    KNOWN_KEYS.iter().position(|known| *known == key)
}

/// The same, owned where the text has escapes.
struct Parsed<'a>([Scalar<'a>; KNOWN_KEYS.len()]);

impl Default for Parsed<'_> {
    fn default() -> Self {
        Parsed(std::array::from_fn(|_| Scalar::Null))
    }
}

impl<'a> Parsed<'a> {
    fn slot(&mut self, key: &str) -> Option<&mut Scalar<'a>> {
        self.0.get_mut(place(key)?)
    }

    fn record(&self) -> Record<'_> {
        Record(self.0.each_ref().map(Value::from))
    }
}

/// Reads plain records.
pub(super) struct Plain;

impl LineFormat for Plain {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        // Some hundred bytes: filled where it is read.
        let mut record = Record([Value::Null; KNOWN_KEYS.len()]);
        if scan::read(text, &KEYS, &mut context.forms.plain, &mut record.0).is_some() {
            return observe(&record, number, context, out);
        }
        let mut fault = None;
        let mut parser = serde_json::Deserializer::from_str(text);
        let parsed = parser
            .deserialize_map(Fields { fault: &mut fault })
            .and_then(|parsed| parser.end().map(|()| parsed))
            .map_err(|e| Fault::json(&e))?;
        match fault {
            Some(fault) => Err(fault),
            None => observe(&parsed.record(), number, context, out),
        }
    }

    fn calls(&mut self, lines: &mut Lines<'_>, most: usize, context: &mut Context, out: &mut Output) {
        let record = Record([Value::Null; KNOWN_KEYS.len()]);
        lines.calls(
            most,
            |forms| &mut forms.plain,
            record,
            context,
            out,
            |record, line, context, out| observe(record, line.number, context, out),
        );
    }
}

/// Keys that are not known need to be judged, money needs its digits.
static KEYS: Keys = Keys {
    wanted: &WANTED,
    others: |key| key.starts_with("x_"),
};

static WANTED: [(&str, Want); KNOWN_KEYS.len()] = wanted();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn wanted() -> [(&'static str, Want); KNOWN_KEYS.len()] {
    let mut wanted = [const { ("", Want::Leave) }; KNOWN_KEYS.len()];
    let mut n = 0;
    while n < KNOWN_KEYS.len() {
        wanted[n] = match n == Key::cost_usd as usize {
            true => (KNOWN_KEYS[n], Want::Raw(n as u8)),
            false => (KNOWN_KEYS[n], Want::Slot(n as u8)),
        };
        n += 1;
    }
    wanted
}

/// Reads a record that was put together from another one; empty texts are absent.
pub(super) fn of_values(
    values: &[(&'static str, std::borrow::Cow<'_, str>)],
    number: u64,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let mut record = Parsed::default();
    for (key, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
        if let Some(slot) = record.slot(key) {
            *slot = Scalar::Text(value.as_ref().into());
        }
    }
    observe(&record.record(), number, context, out)
}

struct Fields<'f> {
    fault: &'f mut Option<Fault>,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Parsed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parsed<'de>, A::Error> {
        let mut record = Parsed::default();
        while let Some(key) = map.next_key_seed(KeyText)? {
            // Money keeps its digits: a float would not.
            if key == "cost_usd" {
                let raw: &'de RawValue = map.next_value()?;
                if let (text, Some(slot)) = (raw.get(), record.slot(&key))
                    && text != "null"
                {
                    *slot = Scalar::Text(text.into());
                }
                continue;
            }
            match record.slot(&key) {
                Some(slot) if slot.is_null() => *slot = map.next_value()?,
                Some(_) => return Err(A::Error::custom(format!("`{key}` is given twice"))),
                None => {
                    map.next_value::<IgnoredAny>()?;
                    if !key.starts_with("x_") && self.fault.is_none() {
                        *self.fault = Some(unknown(&key));
                    }
                }
            }
        }
        Ok(record)
    }
}

fn unknown(key: &str) -> Fault {
    let shown: String = key.chars().take(60).collect();
    let hint = match nearest(&shown, KNOWN_KEYS) {
        Some(known) => format!("the nearest known one is `{known}`"),
        None => "keys of your own begin with `x_`".to_owned(),
    };
    Fault::field(&shown, format!("unknown key, {hint}"))
}

const BUCKETS: [(Bucket, Key); Bucket::ALL.len()] = [
    (Bucket::InputUncached, Key::input_tokens),
    (Bucket::CacheRead, Key::cache_read_tokens),
    (Bucket::CacheWrite5m, Key::cache_write_5m_tokens),
    (Bucket::CacheWrite1h, Key::cache_write_1h_tokens),
    (Bucket::CacheWrite30m, Key::cache_write_30m_tokens),
    (Bucket::CacheWrite12h, Key::cache_write_12h_tokens),
    (Bucket::Output, Key::output_tokens),
    (Bucket::AudioIn, Key::audio_in_tokens),
    (Bucket::AudioOut, Key::audio_out_tokens),
    (Bucket::ImageIn, Key::image_in_tokens),
    (Bucket::ImageOut, Key::image_out_tokens),
    (Bucket::VideoIn, Key::video_in_tokens),
];

const DIMENSIONS: [(Dimension, Key); 6] = [
    (Dimension::Team, Key::team),
    (Dimension::Agent, Key::agent),
    (Dimension::Workflow, Key::workflow),
    (Dimension::User, Key::user),
    (Dimension::Project, Key::project),
    (Dimension::Account, Key::account),
];

/// The key as it is spelled in a record.
fn name(key: Key) -> &'static str {
    KNOWN_KEYS.get(key as usize).copied().unwrap_or("")
}

fn observe(r: &Record<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
    let at = context.time_or_date(r.get(Key::ts), "ts", out)?;
    let provider = context.seller(r.get(Key::provider), "provider")?;
    let model = context.label(r.get(Key::model), "model")?;
    let id = match r.get(Key::id) {
        Value::Null => content_id(r, out),
        // Whoever has none to give writes an empty one.
        Value::Text(text) if text.trim_ascii_start().is_empty() => content_id(r, out),
        Value::Text(text) if super::tags::is_shared(text) => out.pending.of(b"response", text.as_bytes()),
        Value::Text(text) => out.pending.of(b"plain", text.as_bytes()),
        Value::Whole(n) => EventId::of(&[b"plain", n.to_string().as_bytes()]),
        Value::Negative(_) | Value::Float(_) | Value::Bool(_) | Value::Other => {
            return Err(Fault::field("id", "expected text"));
        }
    };
    let mut tokens = Tokens::default();
    let mut used = 0;
    for (bucket, key) in BUCKETS {
        let value = r.get(key);
        if !value.is_null() {
            let count = value.count(name(key))?;
            used |= count;
            tokens.set(bucket, count);
        }
    }
    tokens.reasoning = r.get(Key::reasoning_tokens).count("reasoning_tokens")?;
    if tokens.reasoning > tokens.get(Bucket::Output) {
        return Err(Fault::field(
            "reasoning_tokens",
            "larger than `output_tokens`, of which it is a part",
        ));
    }
    let requests = Requests {
        web_searches: r.get(Key::web_searches).small("web_searches")?,
        web_fetches: r.get(Key::web_fetches).small("web_fetches")?,
        code_executions: r.get(Key::code_executions).small("code_executions")?,
        ..Requests::default()
    };
    let mut dimensions = Dimensions::default();
    dimensions.set(Dimension::Provider, provider);
    dimensions.set(Dimension::Model, model);
    let tier = super::tier::of(r.get(Key::service_tier), "service_tier", context)?;
    dimensions.set(Dimension::Tier, tier);
    for (dimension, key) in DIMENSIONS {
        let value = r.get(key);
        if !value.is_null() {
            dimensions.set(dimension, context.label(value, name(key))?);
        }
    }
    let session = context.label(r.get(Key::session), "session")?;
    let speed = context.label(r.get(Key::speed), "speed")?;
    let geo = context.label(r.get(Key::geo), "geo")?;
    let given = r.get(Key::units);
    let extras = if given.is_null() { Label::EMPTY } else { units(given)? };
    let reported_cost = match r.get(Key::cost_usd) {
        Value::Text(cost) => reported(Some(cost), "cost_usd")?,
        Value::Null | Value::Whole(_) | Value::Negative(_) | Value::Float(_) | Value::Bool(_) | Value::Other => None,
    };
    // Written once, where it is handed over from: a call is larger than what is read of its line.
    out.events.push(UsageEvent {
        dimensions,
        session,
        tokens,
        requests,
        speed,
        geo,
        extras,
        rank: Rank {
            authority: 0,
            complete: true,
            at,
            line: number,
        },
        reported_cost,
        id,
        at,
        sidechain: false,
    });
    let failed = match r.get(Key::status).str() {
        "" => !r.get(Key::status).is_null() && !matches!(r.get(Key::status), Value::Text(_)),
        status => !matches!(status, "ok" | "success"),
    };
    if used == 0 {
        of_nothing(failed, out);
    }
    Ok(())
}

/// A call that tells no tokens: one that failed is none, of another something may be missing.
#[cold]
fn of_nothing(failed: bool, out: &mut Output) {
    if failed {
        out.events.pop();
        out.excluded.push("failed_calls");
    } else if let Some(call) = out.events.last().copied() {
        out.tell_empty(&call);
    }
}

/// Quantities that are no tokens: `audio_in_second=12.5 search_context=high`.
#[cold]
fn units(value: Value<'_>) -> Result<Label, Fault> {
    let wrong = || {
        Fault::field(
            "units",
            "not amounts such as `audio_in_second=12.5 images_out:1024x1024=2`",
        )
    };
    let Value::Text(text) = value else {
        return Err(wrong());
    };
    let extras = Extras::parse(text).ok_or_else(wrong)?;
    extras.label().ok_or_else(wrong)
}
