//! Response bodies of providers as applications log them: OpenAI (chat, responses; also Azure OpenAI, OpenRouter and what is
//! compatible), Anthropic Messages, Bedrock Converse, Gemini, Cohere; bare or in an envelope, batch output files included. OpenAI's and Gemini's
//! input includes cached tokens, Anthropic's and Converse's
//! excludes them, Cohere bills none. Identity is the body's id (content without one); of several
//! bodies with one id the last of a stream counts.

mod agents;
mod ends;
mod events;
mod keepers;
mod marks;
mod names;
mod outer;
mod record;
mod sold;
mod time;
mod unknown;

use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, Rank, Requests, Tokens, UsageEvent};

use self::events::{End, OF_SOME, Streams};
use self::keepers::Kept;
use self::outer::Outer;
use self::record::Record;
use self::sold::{provider, vertex_tier};
use self::time::instant;
use super::counts::Input;
use super::extras::{self, Seconds};
use super::gemini::Metadata;
use super::hosted::Hosted;
use super::iterations;
use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::scalar::Scalar;
use super::usage::{Shape, Usage};
use super::value::Value;
use super::{bedrock, litellm, mixed, tags, tier};

/// What is told of a stream without an id: nothing says which of its parts belong together.
const PARTS_WITHOUT_ID: &str =
    "parts of streams without an id are charged as calls each: the prompts of such streams count several times";

/// Envelopes in envelopes that are opened.
const DEEPEST: u32 = 4;

/// Streams of Azure's whose usage may still follow.
const STREAMS: usize = 64;

/// Reads response bodies.
#[derive(Default)]
pub(super) struct Body {
    /// Streams that are Azure's by what they said so far; the part with the usage does not tell.
    azure: Vec<EventId>,
    /// Streams of Anthropic's.
    claude: Streams,
}

impl LineFormat for Body {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        one(text, Outer::default(), number, self, context, out)
    }

    fn save(&self) -> String {
        let ids: Vec<String> = self.azure.iter().map(EventId::to_string).collect();
        ids.join(" ") + &self.claude.save()
    }

    fn load(&mut self, state: &str) {
        let (ids, claude) = state.split_at(state.find('[').unwrap_or(state.len()));
        self.azure = ids.split(' ').filter_map(|id| id.parse().ok()).collect();
        self.claude.load(claude);
    }
}

fn one(
    text: &str,
    outer: Outer<'_, '_>,
    number: u64,
    state: &mut Body,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let record = Record::parse(text).map_err(|e| Fault::json(&e))?;
    match keepers::kept(&record, text)? {
        Kept::Itself => {}
        Kept::Sum => {
            out.warnings.push(keepers::SUM);
            out.excluded.push("parts_of_results");
            return Ok(());
        }
        Kept::Failed(id) => {
            out.excluded_once
                .push(("failed_calls", tags::response_identity("body", &id)));
            return Ok(());
        }
        Kept::Untold(id) => {
            out.warnings.push(NO_USAGE);
            out.excluded_once
                .push(("calls_without_usage", tags::response_identity("body", &id)));
            return Ok(());
        }
        Kept::Call(call) => {
            let before = out.events.len();
            let outer = if call.around { outer.and(&record, text) } else { outer };
            one(&call.body, outer, number, state, context, out)?;
            out.warnings.extend(call.told);
            if let Some(event) = out.events.get_mut(before..).and_then(<[_]>::last_mut) {
                event.reported_cost = event.reported_cost.or(call.cost);
            }
            return Ok(());
        }
    }
    match state.claude.end(&record, text) {
        End::Of(message) => return one(&message, outer, number, state, context, out),
        End::OfSome(message) => {
            out.warnings.push(OF_SOME);
            return one(&message, outer, number, state, context, out);
        }
        End::Unknown => state.claude.begin(&record),
    }
    let own = record.model();
    // Answers of Converse and of some other interfaces name none; who logged them may.
    let around = if own.is_null() { outer.model() } else { Scalar::Null };
    let shape = record.shape_around(around.str());
    let gemini = record.usage_metadata.as_ref().filter(|m| m.is_usage());
    let (mut units, mut native) = (Label::EMPTY, None);
    if record.is_sum_so_far() && own.is_null() && record.inner(text).is_none() {
        out.warnings.push(agents::SUMS_SO_FAR);
        out.excluded.push("parts_of_results");
        return Ok(());
    }
    let beside = [
        (record.is_step(), "parts_of_results"),
        (record.is_from_cache(), "response_cache_hits"),
    ];
    if let Some((_, kind)) = beside.into_iter().find(|(is, _)| *is) {
        let id = outer.identity(&record, text, out);
        out.excluded_once.push((kind, id));
        return Ok(());
    }
    if shape.is_none() && gemini.is_none() {
        if outer.depth < DEEPEST
            && let Some(inner) = record.inner(text)
        {
            return one(&inner, outer.and(&record, text), number, state, context, out);
        }
        units = extras::of(text, Seconds::Heard)?;
        if outer.cloud == "bedrock" {
            native = bedrock::counts_of(text, out)?;
        }
    }
    if shape.is_none() && gemini.is_none() && units.is_empty() && native.is_none() {
        let failed = record.failed() || outer.record.is_some_and(Record::failed);
        without_usage(&record, text, outer, failed, &mut state.azure, out);
        return Ok(());
    }
    let at = instant(&record, outer, context, out)?;
    let profile = outer.profile(&record, own.str());
    let named = if own.is_null() { &around } else { own };
    let named = profile.as_deref().map_or(Value::from(named), Value::Text);
    let model = context.label(named, "model")?;
    let id = outer.identity(&record, text, out);
    if record.is_turn() {
        out.warnings.push(TURN);
    }
    let vertex = vertex_tier(&record, text);
    let provider = match outer.cloud {
        "" if vertex.is_some() || gemini.is_some_and(Metadata::is_of_vertex) => "vertex",
        "" => provider(
            &record,
            shape,
            model.as_str(),
            state.azure.contains(&id),
            outer.seller,
            context.seller,
        ),
        cloud => cloud,
    };
    let mut event = UsageEvent::new(id, at, context.labels.get(provider), model);
    event.rank.line = number;
    event.rank.complete = !record.goes_on();
    if !event.rank.complete && record.own_id().is_empty() {
        out.warnings.push(PARTS_WITHOUT_ID);
    }
    event.extras = units;
    let tier = if outer.batch || record.is_batch() {
        context.labels.get("batch")
    } else if let Some(tier) = vertex {
        context.label(&Scalar::Text(tier.into()), "traffic_type")?
    } else {
        tier(&record, provider == "openai", context)?
    };
    event.dimensions.set(Dimension::Tier, tier);
    describe(&record, &mut event, context)?;
    if let Some(outer) = outer.record {
        describe(outer, &mut event, context)?;
    }
    match (shape, &record.usage, gemini) {
        (Some(shape), Some(usage), _) => {
            event.tokens = usage.tokens_of(shape, (provider, model.as_str()), record.is_answer(), out)?;
            if usage.has_unknown() || usage.has_others(shape, &event.tokens) {
                out.warnings.push(unknown::BESIDE);
            }
            // Anthropic charges nothing for it.
            if provider == "anthropic" && record.is_refused(shape, &event.tokens) {
                out.excluded_once.push(("refused_calls", id));
                return Ok(());
            }
            event.requests = usage.requests()?;
            let hosted = Hosted {
                output: record.output,
                used: record.tool_usage,
                drawn: record.svg_usage,
            };
            hosted.read(text, &mut event, context, out)?;
            event.reported_cost = extras::reported_cost(usage.told_cost().map(RawValue::get))?;
            extras::search_and_units(text, provider, &mut event)?;
            litellm::ground(text, &mut event)?;
            speed_and_place(usage, &mut event, context)?;
            if shape == Shape::Converse {
                event.speed = context.labels.get(bedrock::speed_of(text));
            }
            // In OpenAI's shape they come from a gateway, which adds them up.
            let each = match shape == Shape::Chat {
                true => iterations::each_of_sum,
                false => iterations::each,
            };
            each(usage.iterations, record.id.str(), &mut event, context, out)?;
        }
        (_, _, Some(gemini)) => {
            gemini.fill(&mut event, record.candidates, context, out)?;
            if gemini.has_unknown() {
                out.warnings.push(unknown::BESIDE);
            }
        }
        (Some(_) | None, _, None) => {}
    }
    if record.is_session() {
        event.rank.authority = Rank::REPORT;
        out.warnings.push(agents::SESSION);
    }
    if record.is_batch() {
        // It is asked for until it has ended.
        if event.tokens.total() == 0 {
            out.excluded.push("records_without_usage");
            return Ok(());
        }
        // None of its calls is longer than a price threshold, as far as is known.
        event.rank.authority = Rank::REPORT;
        out.warnings.push(BATCH);
    }
    if let Some(native) = native {
        event.tokens = native.tokens(Input::Excludes, "Bedrock batch", out);
    }
    if event.tokens.total() == 0 && marks::failed_at_minimax(text) {
        out.excluded_once.push(("failed_calls", id));
        return Ok(());
    }
    out.tell_empty(&event);
    out.events.push(event);
    Ok(())
}

/// The sum of a turn's calls shares nothing with these but the session.
const TURN: &str = "turns that `codex exec --json` printed: its session files tell their calls too, and where both are read they count twice";

/// Nor has a batch anything in common with the lines of its output.
const BATCH: &str = "batches with the sum of their calls (`object: \"batch\"`): their output files tell the same calls, and where both are read they count twice";

/// Says of a call that its record has no usage; a part of a stream may be followed by one that has it.
fn without_usage(
    record: &Record<'_>,
    text: &str,
    outer: Outer<'_, '_>,
    failed: bool,
    azure: &mut Vec<EventId>,
    out: &mut Output,
) {
    let part = matches!(record.object.str(), "chat.completion.chunk" | "text_completion");
    let answered = record.is_end();
    let response = record.object.str() == "response" && !record.id.str().is_empty();
    // Others use things, too.
    let names_model = !record.model().is_null() || outer.record.is_some_and(|outer| !outer.model().is_null());
    let gap = match record.object.str() {
        _ if answered => true,
        "chat.completion" | "chat.completion.chunk" | "text_completion" => true,
        "response" if response => record.may_have_used(),
        "response" => matches!(record.status.str(), "completed" | "incomplete"),
        // A model whose answers tell their usage in a way that nobody here knows.
        _ => outer.cloud == "bedrock",
    };
    let untold = || names_model && record.usage.is_some() && unknown::is_told(text);
    if !(failed || gap || untold()) {
        mixed::untold(outer.whole(text), out);
        return;
    }
    let id = outer.identity(record, text, out);
    if part && !record.id.str().is_empty() && !azure.contains(&id) && record.is_of_azure() {
        azure.truncate(STREAMS - 1);
        azure.insert(0, id);
    }
    if failed {
        if response {
            out.unended.retain(|waits| *waits != id);
            out.ended.push(id);
        }
        out.excluded_once.push(("failed_calls", id));
    } else if (response && gap)
        || (part && !record.id.str().is_empty())
        || (answered && !record.response_id.str().is_empty())
    {
        // Other parts may have it, or what is told when it is asked for later.
        out.unended.push(id);
    } else if gap {
        out.warnings.push(NO_USAGE);
        out.excluded_once.push(("calls_without_usage", id));
    } else {
        out.warnings.push(unknown::UNKNOWN);
        out.excluded_once.push(("calls_without_usage", id));
    }
}

fn tier(record: &Record<'_>, of_openai: bool, context: &mut Context) -> Result<Label, Fault> {
    let own = &record.service_tier;
    let tier = match &record.usage {
        Some(usage) if own.is_null() => &usage.service_tier,
        Some(_) | None => own,
    };
    if tier.is_null() && of_openai && record.decides() {
        return Ok(context.labels.get("decisions"));
    }
    match tier.is_null() {
        true => tier::of_bedrock(record.bedrock_tier, context),
        false => tier::of(tier, "service_tier", context),
    }
}

fn describe(record: &Record<'_>, event: &mut UsageEvent, context: &mut Context) -> Result<(), Fault> {
    tags::set_all(event, record.metadata, context)?;
    tags::set(event, "user", &record.user, context)
}

fn speed_and_place(usage: &Usage<'_>, event: &mut UsageEvent, context: &mut Context) -> Result<(), Fault> {
    if usage.speed.str() != "standard" {
        event.speed = context.label(&usage.speed, "usage.speed")?;
    }
    if !matches!(usage.inference_geo.str(), "global" | "not_available") {
        event.geo = context.label(&usage.inference_geo, "usage.inference_geo")?;
    }
    Ok(())
}

/// The buckets of a response body, for whoever has one at hand: nothing where it holds no usage.
pub fn read_body(text: &str) -> Result<Option<(Tokens, Requests)>, String> {
    let record = Record::parse(text).map_err(|e| e.to_string())?;
    let mut out = Output::default();
    let told = |fault: Fault| format!("{}: {}", fault.field.unwrap_or_default(), fault.reason);
    if let Some(usage) = &record.usage
        && let Some(shape) = record.shape()
    {
        let provider = provider(&record, Some(shape), record.model.str(), false, "", "");
        let tokens = usage
            .tokens_of(shape, (provider, record.model.str()), record.is_answer(), &mut out)
            .map_err(told)?;
        return Ok(Some((tokens, usage.requests().map_err(told)?)));
    }
    match record.usage_metadata.as_ref().filter(|m| m.is_usage()) {
        Some(gemini) => Ok(Some((gemini.tokens(&mut out).map_err(told)?, Requests::default()))),
        None => Ok(None),
    }
}
