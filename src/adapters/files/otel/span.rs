//! One span of the GenAI conventions, whatever encoding it came in, as a call.

use std::borrow::Cow;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::price::region_of_answer;
use crate::domain::usage::{EventId, Rank, UsageEvent};

use super::super::line::{Context, Fault, Output};
use super::super::scalar::Scalar;
use super::super::{host, seller, tags, tier};
use super::attributes::{Attributes, Role, name, or};
use super::families::family;
use super::node::{SpanKey, span_key, trace_key};
use super::traces::{Found, Gap, Traces};
use super::twins::Told;

/// A span as its encoding gives it.
pub(in super::super) struct Span<'s, 'a> {
    /// Identity of its trace, in hexadecimal digits.
    pub trace: Cow<'a, str>,
    /// Its own identity within the trace.
    pub id: Cow<'a, str>,
    /// That of its parent; empty for a root.
    pub parent: Cow<'a, str>,
    /// When it began.
    pub start: Scalar<'a>,
    /// When it ended.
    pub end: Scalar<'a>,
    /// Whether its status is an error.
    pub failed: bool,
    /// Its attributes.
    pub attributes: &'s mut Attributes<'a>,
}

/// What surrounds a span.
pub(in super::super) struct Around<'s, 'a> {
    /// Attributes of the resource, for what the span itself does not say.
    pub resource: &'s Attributes<'a>,
    /// The instrumentation scope.
    pub scope: &'s str,
    /// Line of the record.
    pub line: u64,
}

/// What a span is by itself.
pub(in super::super) struct Observed {
    key: SpanKey,
    parent: SpanKey,
    /// What Codex says of the model.
    codex: Option<Label>,
    what: What,
}

enum What {
    /// Nothing that uses tokens; whether it is an agent or a tool.
    Other(bool),
    /// A tool, or the like, that says tokens.
    Tool(bool, EventId),
    /// A call that used nothing, under the name of why.
    Without(&'static str, EventId),
    /// A call that tells no usage.
    Gap(Gap),
    /// Something that repeats what is below it; whether it is an agent or a tool.
    Sum(bool, Box<UsageEvent>),
    /// A call.
    Call(Box<(UsageEvent, Told)>),
}

/// Reads one span; nothing where it matters to none. What is wrong with it is told with its id and its service: of many senders it is one whose
/// clock is ahead.
pub(in super::super) fn observe(
    mut span: Span<'_, '_>,
    around: &Around<'_, '_>,
    context: &mut Context,
    out: &mut Output,
) -> Result<Option<Observed>, Fault> {
    understand(&mut span, around, context, out).map_err(|fault| {
        let which = match &*span.id {
            "" => "a span".to_owned(),
            id => format!("span `{}`", short(id)),
        };
        let service = match around.resource.service.str() {
            "" => String::new(),
            service => format!(" of service `{}`", short(service)),
        };
        Fault {
            reason: format!("{}, in {which}{service}", fault.reason),
            ..fault
        }
    })
}

fn understand(
    span: &mut Span<'_, '_>,
    around: &Around<'_, '_>,
    context: &mut Context,
    out: &mut Output,
) -> Result<Option<Observed>, Fault> {
    let own = &mut *span.attributes;
    own.take_over(around.scope);
    let role = own.role();
    let codex = own.of_codex(context)?;
    if role == Role::Other && codex.is_none() && (span.parent.is_empty() || span.id.is_empty()) {
        return Ok(None);
    }
    let key = span_key(&span.trace, &span.id);
    let parent = span_key(&span.trace, &span.parent);
    if role == Role::Other && (key == 0 || (parent == 0 && codex.is_none())) {
        return Ok(None);
    }
    let observed = |what| {
        Ok(Some(Observed {
            key,
            parent,
            codex,
            what,
        }))
    };
    let by_span = || span_identity(&span.trace, &span.id);
    if role == Role::Other {
        return observed(What::Other(own.is_apart()));
    }
    if role == Role::Tool {
        return observed(What::Tool(own.is_apart(), by_span()));
    }
    if key == 0 {
        return Err(Fault::field("spanId", "a span without identity"));
    }
    let known = match role {
        Role::Call => known_response(own, &span.trace, around.scope),
        Role::Agent | Role::Unknown | Role::Tool | Role::Other => None,
    };
    let named = known.map(|(_, form)| form);
    let id = known.map_or_else(by_span, |(id, _)| id);
    let failed = span.failed || !own.error.is_null();
    let told = context.label(name(&own.provider, &own.system), "gen_ai.provider.name")?;
    // Spelled once, before anything is compared with it.
    let told = context.sellers.of(told);
    let provider = match told.name {
        // A framework, which sells nothing.
        "" | "strands-agents" => match own.gateway() {
            "" => own
                .models()
                .map(seller::by_model)
                .find(|name| !name.is_empty())
                .unwrap_or(""),
            asked => asked,
        },
        name => name,
    };
    let asked = own.sold(provider);
    // How usage is told is told by the client, whoever answered it.
    let (mut counts, declared) = own.used(around.scope, asked, out)?;
    let provider = match own.sold_at_host(asked, &mut counts) {
        sold if sold == told.name => told.label,
        sold => context.labels.get(sold),
    };
    let quantities = match own.has_usage() {
        true => Label::EMPTY,
        false => own.quantities()?,
    };
    let without = !own.has_usage() && quantities.is_empty();
    if role == Role::Call
        && (without || (failed && counts.input + counts.output + counts.read == 0 && quantities.is_empty()))
    {
        let model = own.models().next().unwrap_or("");
        return observed(match failed {
            true => What::Without("failed_calls", id),
            false => What::Gap(Gap::of(id, model)),
        });
    }
    if role == Role::Call && own.is_refused(around.scope, provider.as_str(), &counts) {
        return observed(What::Without("refused_calls", id));
    }
    let at = context.time(or(&span.start, &span.end), "startTimeUnixNano", out)?;
    // Emitters that stream write an empty one.
    let model = match own.response_model.str() {
        "" => name(&own.request_model, &own.response_model),
        _ => &own.response_model,
    };
    let model = context.label(model, "gen_ai.response.model")?;
    let mut event = UsageEvent::new(id, at, provider, model);
    (event.rank.authority, event.rank.line) = (Rank::SPAN, around.line);
    let place = match (provider.as_str(), own.server.str()) {
        (_, "") => "",
        ("bedrock", host) => {
            let region = host::region(host);
            let there = own.models().all(|model| !region_of_answer(model, region).is_empty());
            if there { region } else { "" }
        }
        ("openai", host) => host::residency(host),
        ("vertex", host) => Some(host::location(host)).filter(|l| *l != "global").unwrap_or(""),
        _ => "",
    };
    event.geo = context.labels.get(place);
    let emitter = match around.scope {
        "" => around.resource.service.str(),
        scope => scope,
    };
    event.tokens = counts.tokens(declared, short(emitter), out);
    describe(own, around.resource, &mut event, context)?;
    event.reported_cost = own.reported_cost();
    event.speed = own.speed(around.scope, context)?;
    own.tell_beside(&mut event, context)?;
    own.tell(around.scope, &event.tokens, out);
    own.tell_overwritten(around.scope, out);
    own.tell_on_agent(around.scope, out);
    own.tell_of_gateway(out);
    if role == Role::Call {
        out.tell_empty(&event);
    }
    if matches!(role, Role::Agent | Role::Unknown) {
        return observed(What::Sum(own.is_apart(), Box::new(event)));
    }
    let told = Told {
        trace: trace_key(&span.trace),
        emitter: context.labels.get(short(emitter)),
        provider: context.labels.get(asked),
        end: span.end.time("endTimeUnixNano").ok().map(|(end, _)| end),
        named,
        answer: if own.response_model.str().is_empty() {
            Label::EMPTY
        } else {
            model
        },
        asked: family(own.request_model.str()),
    };
    observed(What::Call(Box::new((event, told))))
}

impl Observed {
    /// Tells what it is among the spans of its trace.
    pub fn meet(self, traces: &mut Traces, out: &mut Output) {
        let Observed {
            key,
            parent,
            codex,
            what,
        } = self;
        let mut found = Found::default();
        if let Some(model) = codex {
            traces.name(key, model);
        }
        match what {
            What::Other(apart) => traces.link(key, parent, apart, None, &mut found),
            What::Tool(apart, id) => {
                traces.link(key, parent, apart, None, &mut found);
                out.warnings
                    .push("spans of tools and retrievals say tokens, which are not charged");
                out.excluded_once.push(("tool_spans", id));
            }
            What::Without(kind, id) => {
                traces.link(key, parent, false, None, &mut found);
                out.excluded_once.push((kind, id));
            }
            What::Gap(gap) => {
                traces.link(key, parent, false, None, &mut found);
                traces.gap(key, gap);
            }
            What::Sum(apart, mut event) => {
                traces.place(&mut event);
                traces.link(key, parent, apart, Some(*event), &mut found);
            }
            What::Call(mut call) => {
                let (event, told) = &mut *call;
                traces.place(event);
                let counts = traces.call(key, parent, event, Some(told), &mut found);
                if let Some(other) = found.suspected.filter(|_| found.taken_back.is_empty()) {
                    let (one, two) = (other.min(told.emitter), other.max(told.emitter));
                    let about = format!(
                        "calls that look like one told by two instrumentations, and count twice ({one}, {two})"
                    );
                    out.warnings.push(Label::new(&about).as_str());
                }
                out.events.extend(counts);
            }
        }
        found.tell(out);
    }
}

/// The identity of a call that goes by its span.
pub(in super::super) fn span_identity(trace: &str, span: &str) -> EventId {
    EventId::of(&[b"otel", trace.as_bytes(), span.as_bytes()])
}

/// The identity of a response that other logs of the same call name, too, and of which form it is: whatever its id is, Copilot CLI's sessions
/// have it. Of an answer of AWS without an id it is that of the request. A trace and a conversation are of several calls.
fn known_response(own: &Attributes<'_>, trace: &str, scope: &str) -> Option<(EventId, u8)> {
    let id = own.response_id.str();
    let of_several = || {
        [trace, own.conversation.str()]
            .iter()
            .any(|several| same_digits(id, several))
    };
    let google = || {
        let seller = name(&own.provider, &own.system).str().to_lowercase();
        ["google", "gemini", "vertex", "gcp"]
            .iter()
            .any(|part| seller.contains(part))
    };
    let form = match tags::form_of_response(id) {
        None if scope == "github.copilot" => id.bytes().next(),
        None if google() => tags::form_of_google(id),
        form => form,
    };
    if let Some(form) = form.filter(|_| !of_several()) {
        return Some((tags::shared_identity(id), form));
    }
    let request = own.aws_request.str();
    tags::request_identity(request)
        .filter(|_| id.is_empty())
        .map(|id| (id, b'a'))
}

/// Whether two ids are the same, in whichever way they are written.
fn same_digits(one: &str, other: &str) -> bool {
    let digits = |id: &'_ str| {
        id.bytes()
            .filter(|byte| *byte != b'-')
            .map(|byte| byte.to_ascii_lowercase())
            .collect::<Vec<_>>()
    };
    digits(one) == digits(other)
}

/// Emitters are named by strangers: a name is cut before it goes into a text.
fn short(emitter: &str) -> &str {
    let end = emitter.char_indices().nth(60).map_or(emitter.len(), |(at, _)| at);
    match emitter.get(..end).unwrap_or("") {
        "" => "OpenTelemetry",
        name => name,
    }
}

fn describe(
    own: &Attributes<'_>,
    resource: &Attributes<'_>,
    event: &mut UsageEvent,
    context: &mut Context,
) -> Result<(), Fault> {
    let agent = name(name(&own.agent, &resource.agent), name(&resource.service, &own.service));
    for (dimension, value, field) in [
        (Dimension::Team, name(&own.team, &resource.team), "team"),
        (Dimension::Agent, agent, "gen_ai.agent.name"),
        (
            Dimension::Workflow,
            name(&own.workflow, &resource.workflow),
            "gen_ai.workflow.name",
        ),
        (Dimension::User, name(&own.user, &resource.user), "user.id"),
        (
            Dimension::Project,
            name(name(&own.project, &resource.project), &own.key_name),
            "project",
        ),
        (
            Dimension::Account,
            name(&own.account, &resource.account),
            "cloud.account.id",
        ),
    ] {
        event.dimensions.set(dimension, context.label(value, field)?);
    }
    event.session = context.label(name(&own.conversation, &Scalar::Null), "gen_ai.conversation.id")?;
    let tier = tier::of(&own.service_tier(), "openai.response.service_tier", context)?;
    event.dimensions.set(Dimension::Tier, tier);
    Ok(())
}
