//! What is remembered of a span: what lies below it, and whether it was priced.

use std::hash::{Hash, Hasher};

use chrono::DateTime;

use super::families::{family, in_front};
use super::names::Who;
use super::split::Split;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, Rank, Requests, Tokens, UsageEvent};

/// A span by its trace and its own id.
pub(in super::super) type SpanKey = u64;

/// The key of a span; 0 for none. An identity of zeros is none; of a trace, whose spans have their own, it is as good as another.
pub(super) fn span_key(trace: &str, span: &str) -> SpanKey {
    if trace.is_empty() || span.bytes().all(|digit| digit == b'0') {
        return 0;
    }
    brief(EventId::of(&[b"span", trace.as_bytes(), span.as_bytes()])).max(1)
}

/// The key of a trace, known while the program runs.
pub(super) fn trace_key(trace: &str) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    trace.hash(&mut hasher);
    hasher.finish()
}

/// What lies below a span. Each makes a repetition of what those before it do, and of more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Below {
    #[default]
    Nothing,
    /// A call of an agent or a tool in between, which is no view of a call above that.
    Apart,
    /// A call without output, such as an embedding: what answers may look something up with it.
    Silent,
    Call,
}

impl Below {
    /// What a call is for those above it, and what makes a repetition of it.
    pub fn of(call: &UsageEvent) -> Self {
        match answer(&call.tokens) {
            0 => Below::Silent,
            _ => Below::Call,
        }
    }
}

/// All that was answered: not every instrumentation tells what of it is audio.
pub(super) fn answer(tokens: &Tokens) -> u64 {
    tokens.total().saturating_sub(tokens.prompt())
}

/// What is remembered of a call: enough to see whether another is a view of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub id: EventId,
    /// Its output; its prompt where nothing was answered.
    pub size: u32,
    /// Of its model, whatever version or place the name has.
    pub family: u32,
    /// What it tells beside the counts of text, as a set of what follows.
    pub detail: u8,
    /// The span that tells it; 0 where that is not known.
    pub key: SpanKey,
    /// Its model, where that is the one of the response and not only what was asked for.
    pub answer: Label,
}

/// How much it tells of caches.
const CACHES: u8 = 3;
/// Audio, images and video.
const MEDIA: u8 = 4;
/// A service tier, and that it is the standard one: who asked for another may have been answered at that.
const TIER: u8 = 8;
const STANDARD: u8 = 16;
/// Where it was answered, and how fast.
const PLACE: u8 = 32;
/// Searches and rare quantities.
const QUANTITIES: u8 = 64;

impl Default for Call {
    fn default() -> Self {
        Call {
            id: EventId([0; 16]),
            size: 0,
            family: 0,
            detail: 0,
            key: 0,
            answer: Label::EMPTY,
        }
    }
}

impl Call {
    /// A call that a span tells.
    pub fn of_span(key: SpanKey, call: &UsageEvent) -> Self {
        Call { key, ..Call::of(call) }
    }

    /// A call, told by whatever span.
    pub fn of(call: &UsageEvent) -> Self {
        let size = match answer(&call.tokens) {
            0 => call.tokens.prompt(),
            output => output,
        };
        let tier = call.tier();
        let mut detail = caches(&call.tokens);
        for (told, what) in [
            (call.tokens.has_media(), MEDIA),
            (!tier.is_empty(), TIER),
            (!tier.is_empty() && tier.as_str() == "standard", STANDARD),
            (!(call.geo.is_empty() && call.speed.is_empty()), PLACE),
            (
                call.requests != Requests::default() || !call.extras.is_empty(),
                QUANTITIES,
            ),
        ] {
            detail |= if told { what } else { 0 };
        }
        Call {
            id: call.id,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            family: family(call.model().as_str()),
            detail,
            key: 0,
            answer: Label::EMPTY,
        }
    }

    /// Gives what it tells of another call, and tells more of than that, the model of the response, where only one of both names it.
    pub fn name(self, told: &mut UsageEvent, of: Call) {
        let answer = match (self.answer.is_empty(), of.answer.is_empty()) {
            (true, false) => of.answer,
            (false, true) => self.answer,
            (true, true) | (false, false) => return,
        };
        let [known, answer_name] = [told.model(), answer].map(|model| model.as_str());
        // What was asked for may say more of it: where it runs, which has a price of its own.
        if in_front(known) > in_front(answer_name) && family(known) == family(answer_name) {
            return;
        }
        told.dimensions.set(Dimension::Model, answer);
    }

    /// Whether neither size nor model is known: it was saved by an earlier version.
    fn is_vague(self) -> bool {
        self.size == 0 && self.family == 0
    }

    /// Whether one may be a view of the other: as large, or of the same model. A smaller one of another model is something else,
    /// such as what a gateway asks about the call.
    pub fn is_like(self, other: Self) -> bool {
        self.size == other.size || self.is_of(other) || self.is_vague() || other.is_vague()
    }

    /// Whether both are the whole of one call, and not one the sum of several.
    pub fn is_same(self, other: Self) -> bool {
        self.size == other.size && !self.is_vague()
    }

    /// Whether both are of one model, whatever version or place its names have.
    pub fn is_of(self, other: Self) -> bool {
        self.family == other.family && self.family != 0
    }

    /// Whether it is the larger of two.
    pub fn is_larger(self, other: Self) -> bool {
        self.size > other.size
    }

    /// What it tells, as another call.
    pub fn of_id(self, id: EventId) -> Self {
        Call { id, ..self }
    }

    /// Whether it tells what the other does not. Of a call that an earlier version saved only the caches are known.
    pub fn tells_more(self, other: Self) -> bool {
        let known = other.key != 0 || !other.tells();
        self.caches() > other.caches() || (known && self.detail & !other.detail & !CACHES != 0)
    }

    /// Whether it tells anything beside counts of text.
    pub fn tells(self) -> bool {
        self.detail > 0
    }

    /// How much it tells of caches.
    pub fn caches(self) -> u8 {
        self.detail & CACHES
    }

    /// Itself, with what the other tells too.
    pub fn with(self, other: Self) -> Self {
        let caches = self.caches().max(other.caches());
        let detail = caches | ((self.detail | other.detail) & !CACHES);
        Call { detail, ..self }
    }

    /// Makes of a call another observation of the one that it is a view of. The usage is that of the latter, `known` as far as it is, with what
    /// only the view tells; who asked is told by the outer one, which began first. Answers as what it tells from now on.
    pub fn observe(self, call: &mut UsageEvent, of: Call, known: Option<&Split>) -> Self {
        let mut what = self;
        if self.tells_more(of) {
            if let Some(known) = known {
                known.complete(call);
                what = self.with(of);
            }
            outrank(call);
        } else if call.id != of.id {
            call.rank.complete = false;
        }
        call.id = of.id;
        what
    }
}

/// How much is told of caches.
fn caches(tokens: &Tokens) -> u8 {
    let of = |buckets: &[Bucket]| buckets.iter().any(|bucket| tokens.get(*bucket) > 0);
    let split = of(&[Bucket::CacheWrite1h, Bucket::CacheWrite12h]);
    let cached = of(&[Bucket::CacheRead, Bucket::CacheWrite5m, Bucket::CacheWrite30m]);
    u8::from(split) * 2 + u8::from(cached)
}

/// Has an observation count instead of what a call tells itself. Of several those that tell of caches come first: one that only adds a tier or a
/// place has no better counts than others.
pub(super) fn outrank(call: &mut UsageEvent) {
    call.rank.authority = Rank::SPAN_RAISED;
    call.rank.complete = caches(&call.tokens) > 0;
}

/// Whether an observation is to count in place of others of its call.
pub(super) fn is_raised(call: &UsageEvent) -> bool {
    matches!(call.rank.authority, Rank::SPAN_RAISED | Rank::SPAN_NOTHING)
}

/// Whether a span tells of another call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lent {
    /// It is its own.
    #[default]
    No,
    /// It is its own, and what was told beside it counts as it.
    Shared,
    /// Of one beside it, whose identity it has: its own was never told.
    Beside,
    /// Of one below it.
    Below,
}

/// A span that was priced before what makes a repetition of it was met.
#[derive(Clone, Debug)]
pub(super) struct Priced {
    pub call: Call,
    pub nanos: i64,
    /// What makes a repetition of it.
    pub by_what: Below,
    /// Whether it is an observation of another call, whose identity this is. Of one below it only where it tells the usage of that.
    pub lent: Lent,
    /// Its tokens, where it tells more of them than counts of text.
    pub split: Option<Box<Split>>,
    /// Whether another, told beside it, counted in its place, though it may count elsewhere by now.
    pub outdone: bool,
    /// Whether it was priced in an earlier run or came before, so that the ledger may have it.
    pub recorded: bool,
    /// Whether what it told was to count in place of other observations.
    pub raised: bool,
    /// Who asked, as far as that is told by this span and by those above it.
    pub who: Who,
}

impl Priced {
    /// Whether the identity is its own.
    pub fn is_own(&self) -> bool {
        matches!(self.lent, Lent::No | Lent::Shared)
    }

    /// What it tells of another call, where it tells more than that.
    pub fn observation(&self, of: Call) -> Option<UsageEvent> {
        let split = self.split.as_ref()?;
        Some(split.observation(of.id, DateTime::from_timestamp_nanos(self.nanos)))
    }
}

/// What a call asked whom for: its provider and its model.
pub(super) type Names = (Label, Label);

/// Calls of several models. Boxed, few spans have any.
#[derive(Clone, Default)]
pub(super) struct Others(pub Vec<(Call, Names)>);

/// How many other models are remembered of a span.
pub(super) const OTHERS: usize = 7;

/// What is known of a span.
#[derive(Clone, Default)]
pub(super) struct Node {
    pub parent: SpanKey,
    pub below: Below,
    /// The call that lies below, the largest of several.
    pub by: Call,
    /// What that asked whom for: its provider and its model.
    pub names: Names,
    /// The largest of each other model that lies below as it does: it may be a view of one of these.
    pub others: Option<Box<Others>>,
    /// An agent or a tool.
    pub apart: bool,
    /// It was priced itself.
    pub priced: Option<Priced>,
    /// The model that Codex names for the calls below, an empty one at a call that names none. Known while the program runs.
    pub codex: Option<Label>,
    /// The run in which it was met last, counted over all that keep spans for sources.
    pub run: u32,
}

impl Node {
    /// The calls that are known to lie below, each with its names, the largest first.
    pub fn calls(&self) -> impl Iterator<Item = (Call, Names)> {
        let others = self.others.iter().flat_map(|others| others.0.iter().copied());
        std::iter::once((self.by, self.names)).chain(others)
    }

    /// The call below that one of this span would be a view of, if there is one; else the largest.
    pub fn seen_by(&self, what: Call) -> Call {
        let like = self.calls().map(|(by, _)| by).find(|by| what.is_like(*by));
        like.unwrap_or(self.by)
    }

    /// Only this call lies below, as far as is known.
    pub fn lies_below(&mut self, below: Below, by: Call, names: Names) {
        (self.below, self.by, self.names, self.others) = (below, by, names, None);
    }

    /// One more call lies below, as deep in what they are for it as those known, of which one may be gone. Whether it is the largest of
    /// its model.
    pub fn lies_beside(&mut self, by: Call, names: Names, gone: Option<EventId>) -> bool {
        if let Some(others) = &mut self.others {
            others.0.retain(|(known, _)| gone != Some(known.id));
        }
        let first = by.is_larger(self.by) || gone == Some(self.by.id);
        if !first && by.family == self.by.family {
            return false;
        }
        if !first {
            return self.keep(by, names);
        }
        let before = (self.by, self.names);
        (self.by, self.names) = (by, names);
        if let Some(others) = &mut self.others {
            others.0.retain(|(known, _)| known.family != by.family);
        }
        if before.0.family != by.family && gone != Some(before.0.id) && !before.0.is_vague() {
            self.keep(before.0, before.1);
        }
        true
    }

    fn keep(&mut self, by: Call, names: Names) -> bool {
        let others = &mut self.others.get_or_insert_default().0;
        if let Some(known) = others.iter_mut().find(|(known, _)| known.family == by.family) {
            let larger = by.is_larger(known.0);
            if larger {
                *known = (by, names);
            }
            return larger;
        }
        let room = others.len() < OTHERS;
        if room {
            others.push((by, names));
        }
        room
    }

    /// What lay below it as one call is another.
    pub fn becomes(&mut self, from: EventId, to: EventId) {
        let others = self.others.iter_mut().flat_map(|others| others.0.iter_mut());
        let others = others.map(|(known, _)| known);
        for known in others.chain([&mut self.by]).filter(|known| known.id == from) {
            known.id = to;
        }
    }
}

/// The first bytes of an identity.
fn brief(id: EventId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = id.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
