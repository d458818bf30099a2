//! OpenAI's organization usage and costs, as pages of buckets. Input includes cached tokens unless the uncached count is given beside it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::period::Period;
use crate::domain::price::is_standard_tier;
use crate::domain::usage::{EventId, Extras, Unit, UnitKey};

use super::super::bills::CostBucket;
use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::scalar::Scalar;
use super::super::{object, tier};
use super::cuts::{self, Cuts, Known};
use super::openai_costs::cost;
use super::{About, Told};

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, default, deserialize_with = "object::given")]
    data: Option<Vec<Bucket<'a>>>,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    #[serde(borrow, default)]
    start_time: Scalar<'a>,
    #[serde(borrow, default)]
    end_time: Scalar<'a>,
    #[serde(borrow, default, alias = "result", deserialize_with = "object::given")]
    results: Option<Vec<Row<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Row<'a> {
    #[serde(borrow, default)]
    object: Scalar<'a>,
    #[serde(borrow, default)]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    input_uncached_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    input_cached_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    input_cache_write_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    input_cache_write_30m_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    input_cache_write_12h_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    input_text_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    input_audio_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    input_image_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    input_cached_audio_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    input_cached_image_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_text_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_audio_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_image_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    num_requests: Scalar<'a>,
    #[serde(borrow, default)]
    num_sessions: Scalar<'a>,
    #[serde(borrow, default)]
    seconds: Scalar<'a>,
    #[serde(borrow, default)]
    characters: Scalar<'a>,
    #[serde(borrow, default)]
    pub project_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub user_id: Scalar<'a>,
    #[serde(borrow, default)]
    api_key_id: Scalar<'a>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default)]
    batch: Scalar<'a>,
    #[serde(borrow, default)]
    service_tier: Scalar<'a>,
    #[serde(borrow, default)]
    api_source: Scalar<'a>,
    // Of searches, on the web and in files.
    #[serde(borrow, default)]
    context_level: Scalar<'a>,
    #[serde(borrow, default)]
    vector_store_id: Scalar<'a>,
    // Of costs.
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub amount: Option<Amount<'a>>,
    #[serde(borrow, default)]
    pub line_item: Scalar<'a>,
    #[serde(borrow, default)]
    pub quantity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub quantity_unit: Scalar<'a>,
}

#[derive(Deserialize)]
pub(super) struct Amount<'a> {
    #[serde(borrow, default)]
    pub value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub currency: Scalar<'a>,
}

/// Reads pages, and buckets out of pages.
#[derive(Default)]
pub(in super::super) struct OpenaiAdmin {
    about: Option<About>,
    /// The instant that counts as now, of a live answer.
    now: Option<DateTime<Utc>>,
    cuts: Cuts,
    /// The buckets of a live answer.
    pub told: Vec<Told>,
}

impl OpenaiAdmin {
    /// A reader of live answers to a question about something by days.
    pub fn of(about: About, now: DateTime<Utc>) -> Self {
        OpenaiAdmin {
            about: Some(about),
            now: Some(now),
            cuts: Cuts::of_days(),
            told: Vec::new(),
        }
    }
}

impl LineFormat for OpenaiAdmin {
    fn record(&mut self, text: &str, line: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let page: Page<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        let buckets = match page.data {
            Some(buckets) => buckets,
            // As loops over pages collect them.
            None => {
                let alone: Bucket<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
                Vec::from_iter(alone.results.is_some().then_some(alone))
            }
        };
        // The cut one may stand behind the whole ones: first how wide they are, then which of them is cut.
        let timed = buckets.iter().filter_map(|bucket| {
            let (start, _) = bucket.start_time.time("start_time").ok()?;
            Some((bucket, super::period(start, &bucket.end_time, "end_time").ok()?))
        });
        timed.clone().for_each(|(_, period)| self.cuts.note(period));
        for (bucket, period) in timed {
            self.cuts.told(&bucket.start_time, &bucket.end_time, period);
        }
        for bucket in &buckets {
            let start = context.time(&bucket.start_time, "start_time", out)?;
            let period = super::period(start, &bucket.end_time, "end_time")?;
            let told = self.cuts.told(&bucket.start_time, &bucket.end_time, period);
            let place = Place {
                told,
                bucket,
                line,
                now: self.now,
            };
            let faults_before = out.faults.len();
            let results = bucket.results.as_deref().unwrap_or_default();
            let mut costs = super::begun(self.about, bucket.results.is_some(), results.len())?;
            let first = out.events.len();
            for row in results {
                let of_costs = row.is_cost(self.about);
                let told = if of_costs {
                    cost(row, start, context).map(|row| costs.get_or_insert_default().push(row))
                } else {
                    usage(row, &place, context, out)
                };
                // A row that is not usable does not take the others of its page along.
                if let Err(fault) = told {
                    out.faults_of_usage += u64::from(!of_costs);
                    let whose = [
                        ("model", &row.model),
                        ("of", &row.line_item),
                        ("project", &row.project_id),
                    ];
                    out.faults.push(match self.about {
                        Some(_) => super::placed(fault, start, &whose),
                        None => fault,
                    });
                }
            }
            let told = out.events.get(first..).unwrap_or_default();
            let alike = told.len() - told.iter().map(|event| event.id).collect::<HashSet<_>>().len();
            out.warnings.extend(std::iter::repeat_n(ALIKE, alike));
            if self.about.is_some() {
                let faults = out.faults.len() - faults_before;
                self.told.push(Told { start, faults });
            }
            if let Some(rows) = costs {
                out.buckets.push(CostBucket {
                    account: "openai-costs",
                    period,
                    rows,
                    continues: false,
                });
            }
        }
        Ok(())
    }
}

/// Told of results that nothing known here tells apart.
const ALIKE: &str = "results of one bucket say the same of themselves, so that one of them counts: they are grouped by something that is not read here";

/// Where results stand.
struct Place<'p, 'a> {
    told: cuts::Told<'a>,
    bucket: &'p Bucket<'a>,
    line: u64,
    now: Option<DateTime<Utc>>,
}

/// What a result of a bucket is known by.
fn identity(row: &Row<'_>, known: &Known<'_, '_>) -> EventId {
    let mut keys = vec![
        &row.object,
        known.start,
        known.end,
        &row.project_id,
        &row.user_id,
        &row.api_key_id,
        &row.model,
        &row.batch,
        &row.service_tier,
        &row.api_source,
    ];
    // Answers that do not tell these keep their identity.
    for key in [&row.context_level, &row.vector_store_id] {
        if !key.is_null() {
            keys.push(key);
        }
    }
    super::identity(known.space, &keys)
}

fn usage(row: &Row<'_>, place: &Place<'_, '_>, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
    let kind = row.object.str();
    let kind = kind
        .strip_prefix("organization.usage.")
        .and_then(|k| k.strip_suffix(".result"))
        .unwrap_or(kind);
    let requests = row.num_requests.small("num_requests")?;
    let model = context.label(&row.model, "model")?;
    let names = (context.labels.get("openai"), model);
    let (told, known) = (&place.told, place.told.known());
    let mut event = super::bucket_event(identity(row, &known), told.period.start, names, place.line, context);
    let Period { start, end } = told.period;
    let day = told.is_of_day().then_some(start);
    super::stand(&mut event, day, place.now.or(context.fallback).map(|at| at.min(end)));
    match kind {
        // The results have other names than their addresses.
        "web_searches" | "web_search_calls" => event.requests.web_searches = requests,
        "file_searches" | "file_search_calls" => event.requests.file_searches = requests,
        "audio_transcriptions" | "audio_speeches" => {
            let (unit, value, field) = if kind == "audio_speeches" {
                (Unit::CharacterIn, &row.characters, "characters")
            } else {
                (Unit::AudioInSecond, &row.seconds, "seconds")
            };
            let mut extras = Extras::default();
            let counted = extras.add(UnitKey::new(unit, ""), value.count(field)?.into());
            event.extras = extras
                .label()
                .filter(|_| counted)
                .ok_or_else(|| Fault::field(field, "absurd"))?;
        }
        "code_interpreter_sessions" => event.requests.code_executions = row.num_sessions.small("num_sessions")?,
        // Completions, embeddings, and whatever else comes to tell tokens.
        _ if row.has_tokens() => {
            if row.model.is_null() {
                out.warnings.push(super::no_model(place.now.is_some()));
            }
            event.tokens = counts(row, out)?.tokens(declared(row), "OpenAI usage", out);
        }
        // Of images the quality is missing, storage is no call.
        _ => {
            let told = format!(
                "usage of `{}` is not counted: only the costs tell what it costs",
                super::short(kind)
            );
            // Interned: there are as many texts as kinds of usage.
            out.warnings.push(Label::new(&told).as_str());
            out.excluded.push("usage_without_tokens");
            return Ok(());
        }
    }
    let tier = if row.batch.is_true() {
        context.labels.get("batch")
    } else {
        match tier::of(&row.service_tier, "service_tier", context)? {
            // Some models have prices of their own there.
            tier if kind == "decisions" && is_standard_tier(tier.as_str()) => context.labels.get("decisions"),
            tier => tier,
        }
    };
    event.dimensions.set(Dimension::Tier, tier);
    super::set(&mut event, Dimension::Project, &row.project_id, "project_id", context)?;
    super::set(&mut event, Dimension::User, &row.user_id, "user_id", context)?;
    event.session = context.label(&row.api_key_id, "api_key_id")?;
    // A live answer is known to be newer, and what it holds no longer is taken back.
    if place.now.is_none() {
        told.rank(&mut event.rank, context.fallback);
        let held = told.holds(&place.bucket.start_time, &place.bucket.end_time);
        let held = held.map(|known| super::nothing(&event, identity(row, &known)));
        out.events.extend(held);
    }
    out.events.push(event);
    Ok(())
}

impl Row<'_> {
    /// Whether it is one of costs, also where it does not say what it is: an answer to a question about costs has nothing else.
    fn is_cost(&self, about: Option<About>) -> bool {
        let named = self.object.str() == "organization.costs.result";
        named || about == Some(About::Costs) || about.is_none() && self.object.is_null() && self.amount.is_some()
    }

    fn has_tokens(&self) -> bool {
        let told = [&self.input_tokens, &self.input_uncached_tokens, &self.output_tokens];
        told.into_iter().any(|count| !count.is_null())
    }
}

fn declared(row: &Row<'_>) -> Input {
    if row.input_uncached_tokens.is_null() {
        Input::Includes
    } else {
        Input::Excludes
    }
}

fn counts(row: &Row<'_>, out: &mut Output) -> Result<Counts, Fault> {
    let told = row.input_tokens.count("input_tokens")?;
    let read = row.input_cached_tokens.count("input_cached_tokens")?;
    let mut input = if row.input_uncached_tokens.is_null() {
        told
    } else {
        let uncached = row.input_uncached_tokens.count("input_uncached_tokens")?;
        if !row.input_tokens.is_null() && read > 0 && told == uncached {
            out.warnings.push("input excludes cached tokens (OpenAI usage)");
        }
        uncached
    };
    let half = row.input_cache_write_30m_tokens.count("input_cache_write_30m_tokens")?;
    let twelve = row.input_cache_write_12h_tokens.count("input_cache_write_12h_tokens")?;
    let written = row.input_cache_write_tokens.count("input_cache_write_tokens")?;
    let count = |value: &Scalar<'_>, field: &str| value.count(field);
    let mut heard = count(&row.input_audio_tokens, "input_audio_tokens")?;
    let mut seen = count(&row.input_image_tokens, "input_image_tokens")?;
    let said = count(&row.output_audio_tokens, "output_audio_tokens")?;
    let drawn = count(&row.output_image_tokens, "output_image_tokens")?;
    let mut output = count(&row.output_tokens, "output_tokens")?;
    if is_of_all(&row.input_tokens, &row.input_text_tokens)? {
        // As documented these are what was not read from the cache. They are of all where they are more than that.
        let uncached = match declared(row) {
            Input::Includes => input.saturating_sub(read + written.max(half + twelve)),
            Input::Excludes => input,
        };
        if count(&row.input_text_tokens, "input_text_tokens")? + heard + seen > uncached {
            heard = heard.saturating_sub(count(&row.input_cached_audio_tokens, "input_cached_audio_tokens")?);
            seen = seen.saturating_sub(count(&row.input_cached_image_tokens, "input_cached_image_tokens")?);
        }
    } else {
        input += heard + seen;
    }
    if !is_of_all(&row.output_tokens, &row.output_text_tokens)? {
        output += said + drawn;
    }
    Ok(Counts {
        input,
        read,
        // What the split does not explain was written at the default time to live.
        write_30m: half + written.saturating_sub(half + twelve),
        write_12h: twelve,
        output,
        media: [heard, said, seen, drawn, 0],
        ..Counts::default()
    })
}

/// Whether a count is one of text, audio and images. As documented it is one of text; it is of all where the text told beside it is less.
fn is_of_all(all: &Scalar<'_>, text: &Scalar<'_>) -> Result<bool, Fault> {
    Ok(!text.is_null() && text.count("text tokens")? < all.count("tokens")?)
}
