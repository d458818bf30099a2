//! What is remembered of a span: what lies below it, and whether it was priced.

use std::hash::{Hash, Hasher};

use crate::domain::usage::{Bucket, EventId, UsageEvent};

/// A span by its trace and its own id.
pub(in super::super) type SpanKey = u64;

/// The key of a span; 0 for none.
pub(super) fn span_key(trace: &str, span: &str) -> SpanKey {
    if span.is_empty() {
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
        match call.tokens.get(Bucket::Output) {
            0 => Below::Silent,
            _ => Below::Call,
        }
    }
}

/// What is remembered of a call: enough to see whether another is a view of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub id: EventId,
    /// Its output; its prompt where nothing was answered.
    size: u32,
    /// Of its model, whatever version or place the name has.
    family: u32,
    /// How much it tells of caches.
    detail: u8,
}

impl Default for Call {
    fn default() -> Self {
        Call {
            id: EventId([0; 16]),
            size: 0,
            family: 0,
            detail: 0,
        }
    }
}

impl Call {
    pub fn of(call: &UsageEvent) -> Self {
        let size = match call.tokens.get(Bucket::Output) {
            0 => call.tokens.prompt(),
            output => output,
        };
        let of = |buckets: &[Bucket]| buckets.iter().any(|bucket| call.tokens.get(*bucket) > 0);
        let split = of(&[Bucket::CacheWrite1h, Bucket::CacheWrite12h]);
        let cached = of(&[Bucket::CacheRead, Bucket::CacheWrite5m, Bucket::CacheWrite30m]);
        Call {
            id: call.id,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            family: family(call.model().as_str()),
            detail: u8::from(split) * 2 + u8::from(cached),
        }
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

    /// Makes of a call another observation of the one that it is a view of. The usage is that of the latter, unless only the view tells
    /// it of caches; who asked is told by the outer one, which began first.
    pub fn observe(self, call: &mut UsageEvent, of: Call) {
        call.id = of.id;
        if self.detail > of.detail {
            call.rank.authority = 1;
        } else {
            call.rank.complete = false;
        }
    }
}

/// The model without its maker, place, version and date; 0 for none.
fn family(model: &str) -> u32 {
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.strip_prefix("ft:").unwrap_or(name);
    let mut name = name.split(['@', ':']).next().unwrap_or(name);
    while let Some((front, rest)) = name.split_once('.')
        && !front.bytes().any(|b| b.is_ascii_digit())
    {
        name = rest;
    }
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mut hash: u32 = 0;
    for part in name.split(['-', '.', '_']) {
        if part.len() >= 4 && digits(part) {
            break;
        }
        if part.is_empty() || part == "latest" || part.strip_prefix('v').is_some_and(digits) {
            continue;
        }
        for byte in part.bytes().chain([b'-']) {
            hash = (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(16_777_619);
        }
    }
    hash
}

/// A span that was priced before what makes a repetition of it was met.
#[derive(Clone, Copy, Debug)]
pub(super) struct Priced {
    pub call: Call,
    pub nanos: i64,
    /// What makes a repetition of it.
    pub by_what: Below,
}

/// What is known of a span.
#[derive(Clone, Copy, Default)]
pub(super) struct Node {
    pub parent: SpanKey,
    pub below: Below,
    /// The call that lies below, the largest of several.
    pub by: Call,
    /// An agent or a tool.
    pub apart: bool,
    /// It was priced itself.
    pub priced: Option<Priced>,
}

/// The first bytes of an identity.
fn brief(id: EventId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = id.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Marks what this version saved: calls follow with their size, family and detail.
const WITH_CALLS: u8 = 32;

impl Node {
    /// Writes it as what is saved from run to run.
    pub fn save(&self, key: SpanKey, bytes: &mut Vec<u8>) {
        let rest = |call: Call, bytes: &mut Vec<u8>| {
            bytes.extend_from_slice(&call.size.to_le_bytes());
            bytes.extend_from_slice(&call.family.to_le_bytes());
            bytes.push(call.detail);
        };
        bytes.extend_from_slice(&key.to_le_bytes());
        bytes.extend_from_slice(&self.parent.to_le_bytes());
        let covered = self.below > Below::Nothing;
        let by_what = self.priced.map_or(Below::Apart, |priced| priced.by_what);
        bytes.push(
            u8::from(covered)
                | u8::from(self.priced.is_some()) << 1
                | ordinal(self.below, Below::Call) << 2
                | u8::from(self.apart) << 4
                | WITH_CALLS
                | ordinal(by_what, Below::Apart) << 6,
        );
        if let Some(priced) = self.priced {
            bytes.extend_from_slice(&priced.call.id.0);
            bytes.extend_from_slice(&priced.nanos.to_le_bytes());
            rest(priced.call, bytes);
        }
        if covered {
            bytes.extend_from_slice(&self.by.id.0);
            rest(self.by, bytes);
        }
    }

    /// Reads one and what follows it.
    pub fn load(bytes: &mut &[u8]) -> Option<(SpanKey, Node)> {
        fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
            let (front, rest) = bytes.split_first_chunk::<N>()?;
            *bytes = rest;
            Some(*front)
        }
        fn rest(id: EventId, bytes: &mut &[u8]) -> Option<Call> {
            let size = u32::from_le_bytes(take::<4>(bytes)?);
            let family = u32::from_le_bytes(take::<4>(bytes)?);
            let [detail] = take::<1>(bytes)?;
            Some(Call {
                id,
                size,
                family,
                detail,
            })
        }
        let key = u64::from_le_bytes(take::<8>(bytes)?);
        let parent = u64::from_le_bytes(take::<8>(bytes)?);
        let [flags] = take::<1>(bytes)?;
        let with_calls = flags & WITH_CALLS != 0;
        let priced = if flags & 2 == 0 {
            None
        } else {
            let id = EventId(take::<16>(bytes)?);
            let nanos = i64::from_le_bytes(take::<8>(bytes)?);
            let call = match with_calls {
                true => rest(id, bytes)?,
                false => Call { id, ..Call::default() },
            };
            Some(Priced {
                call,
                nanos,
                by_what: by_ordinal(flags >> 6, Below::Apart),
            })
        };
        let below = match flags & 1 {
            0 => Below::Nothing,
            _ => by_ordinal(flags >> 2, Below::Call),
        };
        let by = if with_calls && flags & 1 != 0 {
            let id = EventId(take::<16>(bytes)?);
            rest(id, bytes)?
        } else {
            Call::default()
        };
        let apart = flags & 16 != 0;
        let node = Node {
            parent,
            below,
            by,
            apart,
            priced,
        };
        Some((key, node))
    }
}

/// Two bits of what is saved, of which 0 is what earlier versions meant by writing none.
fn ordinal(below: Below, usual: Below) -> u8 {
    match below {
        _ if below == usual => 0,
        Below::Nothing | Below::Apart => 1,
        Below::Silent => 2,
        Below::Call => 3,
    }
}

fn by_ordinal(bits: u8, usual: Below) -> Below {
    match bits & 3 {
        0 => usual,
        1 => Below::Apart,
        2 => Below::Silent,
        _ => Below::Call,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_earlier_versions_saved_is_taken_up() {
        // A span that a call lies below, and an agent's that was priced.
        let mut bytes = [
            &7u64.to_le_bytes()[..],
            &[0; 8],
            &[1],
            &8u64.to_le_bytes(),
            &[0; 8],
            &[2],
            &[9; 24],
        ]
        .concat();
        bytes.push(1);
        let mut rest = bytes.as_slice();
        let (key, node) = Node::load(&mut rest).unwrap();
        assert_eq!(
            (key, node.below, node.by, node.apart),
            (7, Below::Call, Call::default(), false)
        );
        let (key, node) = Node::load(&mut rest).unwrap();
        let priced = node.priced.unwrap();
        assert_eq!(
            (key, node.below, priced.call.id, priced.by_what),
            (8, Below::Nothing, EventId([9; 16]), Below::Apart)
        );
        assert!(Node::load(&mut rest).is_none());
    }
    #[test]
    fn a_model_is_the_same_under_names_with_places_makers_and_dates() {
        let sonnet = family("claude-sonnet-4-5");
        for name in [
            "claude-sonnet-4-5-20250929",
            "anthropic/claude-sonnet-4.5",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude-sonnet-4-5@20250929",
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "Claude-Sonnet-4-5-latest",
        ] {
            assert_eq!(family(name), sonnet, "{name}");
        }
        assert_eq!(family("gpt-4.1-2025-04-14"), family("openai/gpt-4.1"));
        assert_ne!(family("gpt-5"), family("gpt-5-mini"));
        assert_ne!(family("claude-opus-4-5"), sonnet);
        assert_eq!(family(""), family("/"));
    }
}
