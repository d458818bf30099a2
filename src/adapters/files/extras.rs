//! Seconds, pictures, pages and searches of providers' answers and gateway rows. A record is looked through for them only where it
//! has no tokens or did search, so that all others cost nothing more.

use std::collections::HashSet;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::label::Label;
use crate::domain::money::parse_decimal;
use crate::domain::usage::{Extras, SearchContext, Unit, UnitKey, UsageEvent};

use super::line::Fault;
use super::scalar::{Scalar, reported};
use super::searches;

/// A number kept as its text, so that it is exact.
type Number<'a> = Option<&'a RawValue>;

#[derive(Deserialize, Default)]
struct Answer<'a> {
    #[serde(borrow, default)]
    usage: Option<Used<'a>>,
    /// Mistral's pages.
    #[serde(borrow, default)]
    usage_info: Option<Used<'a>>,
    /// Cohere's searches.
    #[serde(borrow, default)]
    meta: Option<Used<'a>>,
    #[serde(borrow, default)]
    tools: Option<&'a RawValue>,
    #[serde(borrow, default)]
    web_search_options: Option<Search<'a>>,
    /// Of a gateway's payload.
    #[serde(borrow, default)]
    standard_built_in_tools_params: Option<Tools<'a>>,
    #[serde(borrow, default)]
    model_parameters: Option<&'a RawValue>,
    /// The pictures.
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Used<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Scalar<'a>,
    #[serde(borrow, default)]
    seconds: Number<'a>,
    #[serde(borrow, default)]
    duration_seconds: Number<'a>,
    #[serde(borrow, default)]
    pages_processed: Number<'a>,
    #[serde(borrow, default)]
    search_units: Number<'a>,
    #[serde(borrow, default)]
    search_context_size: Scalar<'a>,
    #[serde(borrow, default)]
    billed_units: Option<Billed<'a>>,
    #[serde(borrow, default)]
    prompt_tokens_details: Option<Parts<'a>>,
}

#[derive(Deserialize)]
struct Billed<'a> {
    #[serde(borrow, default)]
    search_units: Number<'a>,
    #[serde(borrow, default)]
    pages: Number<'a>,
    #[serde(borrow, default)]
    images: Number<'a>,
    /// Where these are told, they are what images cost.
    #[serde(borrow, default)]
    image_tokens: Scalar<'a>,
}

/// A gateway's counts beside the tokens of a prompt.
#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow, default)]
    character_count: Number<'a>,
    #[serde(borrow, default)]
    image_count: Number<'a>,
    #[serde(borrow, default)]
    audio_length_seconds: Number<'a>,
    #[serde(borrow, default)]
    video_length_seconds: Number<'a>,
}

#[derive(Deserialize)]
struct Tools<'a> {
    #[serde(borrow, default)]
    web_search_options: Option<Search<'a>>,
}

#[derive(Deserialize)]
struct Search<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Scalar<'a>,
    #[serde(borrow, default)]
    search_context_size: Scalar<'a>,
}

/// What a call asked for.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Parameters {
    size: Option<String>,
    quality: Option<String>,
    web_search_options: Option<Asked>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    search_context_size: Option<String>,
}

/// Which side of a call its seconds are on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seconds {
    /// Audio that was heard.
    Heard,
    /// Video that was made, in this resolution or size.
    Filmed,
}

/// The rare quantities of an answer or row; a text without any gives the empty label. A shape that is not known is not judged here.
pub(super) fn of(text: &str, seconds: Seconds) -> Result<Label, Fault> {
    read(text, &parameters(text), seconds, false)
}

/// What was asked for, where a row says so: size and quality of pictures.
fn parameters(text: &str) -> Parameters {
    let answer: Answer<'_> = serde_json::from_str(text).unwrap_or_default();
    let raw = answer.model_parameters.map(RawValue::get);
    raw.and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default()
}

/// The rare quantities of an answer to what was asked for; `images`: its data are pictures.
fn read(text: &str, parameters: &Parameters, seconds: Seconds, images: bool) -> Result<Label, Fault> {
    let answer: Answer<'_> = serde_json::from_str(text).unwrap_or_default();
    let mut extras = Extras::default();
    let (size, quality) = (
        parameters.size.as_deref().unwrap_or(""),
        parameters.quality.as_deref().unwrap_or(""),
    );
    let variant = match (size, quality) {
        (size, "") => size.to_owned(),
        ("", quality) => quality.to_owned(),
        (size, quality) => format!("{size}/{quality}"),
    };
    for used in [&answer.usage, &answer.usage_info, &answer.meta].into_iter().flatten() {
        let unit = match seconds {
            Seconds::Heard => UnitKey::new(Unit::AudioInSecond, ""),
            Seconds::Filmed => UnitKey::new(Unit::VideoOutSecond, size),
        };
        if used.kind.is_null() || used.kind.str() == "duration" {
            add(&mut extras, unit, used.seconds.or(used.duration_seconds), "seconds")?;
        }
        let plain = |unit| UnitKey::new(unit, "");
        add(&mut extras, plain(Unit::Page), used.pages_processed, "pages_processed")?;
        let billed = used.billed_units.as_ref();
        let searches = used.search_units.or(billed.and_then(|b| b.search_units));
        add(&mut extras, plain(Unit::RankQuery), searches, "search_units")?;
        if let Some(billed) = billed {
            add(&mut extras, plain(Unit::Page), billed.pages, "pages")?;
            let images = billed.images.filter(|_| billed.image_tokens.is_null());
            add(&mut extras, plain(Unit::ImageIn), images, "images")?;
        }
        if let Some(parts) = &used.prompt_tokens_details {
            for (unit, number, name) in [
                (Unit::CharacterIn, parts.character_count, "character_count"),
                (Unit::ImageIn, parts.image_count, "image_count"),
                (Unit::AudioInSecond, parts.audio_length_seconds, "audio_length_seconds"),
                (Unit::VideoInSecond, parts.video_length_seconds, "video_length_seconds"),
            ] {
                add(&mut extras, plain(unit), number, name)?;
            }
        }
        extras.search_context = SearchContext::of(used.search_context_size.str()).or(extras.search_context);
    }
    if images {
        let made: Vec<&RawValue> = answer
            .data
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or_default();
        let made = u32::try_from(made.len()).unwrap_or(u32::MAX);
        if !extras.add(UnitKey::new(Unit::ImageOut, &variant), Decimal::from(made)) {
            return Err(Fault::field("data", "more pictures than any call makes"));
        }
    }
    let options = [
        answer.web_search_options,
        answer.standard_built_in_tools_params.and_then(|t| t.web_search_options),
    ];
    let asked = parameters
        .web_search_options
        .as_ref()
        .and_then(|o| o.search_context_size.as_deref());
    let told = options.iter().flatten().map(|option| option.search_context_size.str());
    for size in told.chain(asked) {
        extras.search_context = extras.search_context.or(SearchContext::of(size));
    }
    if extras.search_context.is_none() {
        let tools: Vec<Search<'_>> = answer
            .tools
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or_default();
        // The name of the older tool may have a date behind it.
        extras.search_context = tools.iter().find_map(|tool| match tool.kind.str() {
            kind if kind.starts_with("web_search_preview") => Some(SearchContext::Preview),
            _ => SearchContext::of(tool.search_context_size.str()),
        });
    }
    extras.label().ok_or_else(|| Fault::field("usage", "too many units"))
}

/// OpenRouter gives a number, Perplexity an object with a total.
pub(super) fn reported_cost(raw: Option<&str>) -> Result<Option<Decimal>, Fault> {
    #[derive(Deserialize)]
    struct Parts<'a> {
        #[serde(borrow, default)]
        total_cost: Option<&'a RawValue>,
    }
    match raw {
        Some(text) if text.starts_with('{') => {
            let parts: Parts<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
            reported(parts.total_cost.map(RawValue::get), "usage.cost.total_cost")
        }
        _ => reported(raw, "usage.cost"),
    }
}

/// Quantities that only some answers have.
pub(super) fn search_and_units(text: &str, provider: &str, event: &mut UsageEvent) -> Result<(), Fault> {
    match provider {
        "perplexity" => searches::of_perplexity(text, event)?,
        "xai" => searches::of_xai(text, event)?,
        // A name of one's own for a model.
        "" if text.contains("\"cost_in_usd_ticks\"") => searches::of_xai(text, event)?,
        _ => searches::of_model(event),
    }
    if event.requests.web_searches > 0 || event.tokens.total() == 0 {
        event.extras = of(text, Seconds::Heard)?;
    }
    Ok(())
}

/// What an answer of Gemini was looked up in.
#[derive(Default)]
pub(super) struct LookedUp {
    /// Searches of the web.
    pub queries: u32,
    /// Whether there was a map.
    pub maps: bool,
}

impl LookedUp {
    /// Together with what is told elsewhere of the same answer.
    pub fn with(self, other: &LookedUp) -> Self {
        LookedUp {
            queries: self.queries.max(other.queries),
            maps: self.maps || other.maps,
        }
    }

    /// Searches that are charged: from generation 3 on each query, before that the answer.
    pub fn web_searches(&self, model: &str) -> u32 {
        let before = ["gemini-1", "gemini-2"].iter().any(|front| model.contains(front));
        if before { self.queries.min(1) } else { self.queries }
    }

    /// The map, if there was one: the answer is charged, however many places it names.
    pub fn extras(&self) -> Label {
        let mut extras = Extras::default();
        if self.maps {
            let _ = extras.add(UnitKey::new(Unit::MapQuery, ""), Decimal::ONE);
        }
        extras.label().unwrap_or_default()
    }
}

/// What the answers to a prompt were looked up in; a shape that is not known is not judged here.
pub(super) fn looked_up(candidates: Option<&RawValue>) -> LookedUp {
    #[derive(Deserialize)]
    struct Candidate<'a> {
        #[serde(borrow, default, rename = "groundingMetadata", alias = "grounding_metadata")]
        grounding: Option<Grounding<'a>>,
    }
    #[derive(Deserialize)]
    struct Grounding<'a> {
        #[serde(borrow, default, rename = "webSearchQueries", alias = "web_search_queries")]
        queries: Option<Vec<Scalar<'a>>>,
        #[serde(borrow, default, rename = "groundingChunks", alias = "grounding_chunks")]
        chunks: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Chunk<'a> {
        #[serde(borrow, default)]
        maps: Option<&'a RawValue>,
    }
    let text = candidates.map(RawValue::get).filter(|t| {
        ["groundingMetadata", "grounding_metadata"]
            .iter()
            .any(|key| t.contains(key))
    });
    let all: Vec<Candidate<'_>> = text.and_then(|t| serde_json::from_str(t).ok()).unwrap_or_default();
    let grounding = || all.iter().filter_map(|candidate| candidate.grounding.as_ref());
    // What is billed: empty ones are none, and equal ones are one.
    let queries: HashSet<&str> = grounding()
        .filter_map(|g| g.queries.as_ref())
        .flatten()
        .map(|query| query.str().trim())
        .filter(|query| !query.is_empty())
        .collect();
    let queries = u32::try_from(queries.len()).unwrap_or(u32::MAX);
    let mut chunks = grounding().filter_map(|g| serde_json::from_str::<Vec<Chunk<'_>>>(g.chunks?.get()).ok());
    LookedUp {
        queries,
        maps: chunks.any(|chunks| chunks.iter().any(|chunk| chunk.maps.is_some())),
    }
}

/// What a gateway's row, its usage object and its answer say of quantities that are no tokens.
pub(super) fn of_row(call: &str, line: &str, metadata: Option<&str>, answer: Option<&str>) -> Result<Label, Fault> {
    let seconds = if call.contains("video") {
        Seconds::Filmed
    } else {
        Seconds::Heard
    };
    // In the metadata the usage stands under a name of its own.
    let usage = metadata.and_then(|text| {
        let object: std::collections::BTreeMap<&str, &RawValue> = serde_json::from_str(text).ok()?;
        Some(format!("{{\"usage\":{}}}", object.get("usage_object")?.get()))
    });
    let mut all = of(line, seconds)?;
    if let Some(usage) = usage {
        all = joined(all, of(&usage, seconds)?);
    }
    if let Some(answer) = answer {
        // Size and quality of pictures stand beside the answer.
        all = joined(all, read(answer, &parameters(line), seconds, call.contains("image"))?);
    }
    Ok(all)
}

/// Both of a row and of what stands inside it.
fn joined(one: Label, other: Label) -> Label {
    if one.is_empty() || one == other {
        return other;
    }
    let (mut all, more) = (Extras::of(one), Extras::of(other));
    for (key, amount) in more.units() {
        // The same amount may stand in both.
        if !all.units().iter().any(|(known, _)| known.unit == key.unit) {
            let _ = all.add(key.clone(), *amount);
        }
    }
    all.search_context = all.search_context.or(more.search_context);
    all.label().unwrap_or(one)
}

fn add(extras: &mut Extras, key: UnitKey, number: Number<'_>, field: &str) -> Result<(), Fault> {
    let text = number.map_or("", RawValue::get).trim_matches('"');
    if matches!(text, "" | "null") {
        return Ok(());
    }
    let amount = parse_decimal(text).map_err(|_| Fault::field(field, "not a decimal number"))?;
    if !extras.add(key, amount) {
        return Err(Fault::field(field, "negative, absurd or finer than a billionth"));
    }
    Ok(())
}
