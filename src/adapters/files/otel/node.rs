//! What is remembered of a span: what lies below it, and whether it was priced.

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

/// What is known of a span.
#[derive(Clone, Copy, Default)]
pub(super) struct Node {
    pub parent: SpanKey,
    pub below: Below,
    /// The beginning of the identity of the call that lies below.
    pub by: u64,
    /// An agent or a tool.
    pub apart: bool,
    /// It was priced itself, before what makes a repetition of it was met: its identity and time, and what does.
    pub priced: Option<(EventId, i64, Below)>,
}

/// The beginning of an identity.
pub(super) fn brief(id: EventId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = id.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl Node {
    /// Writes it as what is saved from run to run.
    pub fn save(&self, key: SpanKey, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&key.to_le_bytes());
        bytes.extend_from_slice(&self.parent.to_le_bytes());
        let covered = self.below > Below::Nothing;
        let by_what = self.priced.map_or(Below::Apart, |(.., by_what)| by_what);
        bytes.push(
            u8::from(covered)
                | u8::from(self.priced.is_some()) << 1
                | ordinal(self.below, Below::Call) << 2
                | u8::from(self.apart) << 4
                | u8::from(covered) << 5
                | ordinal(by_what, Below::Apart) << 6,
        );
        if let Some((id, nanos, _)) = self.priced {
            bytes.extend_from_slice(&id.0);
            bytes.extend_from_slice(&nanos.to_le_bytes());
        }
        if covered {
            bytes.extend_from_slice(&self.by.to_le_bytes());
        }
    }

    /// Reads one and what follows it.
    pub fn load(bytes: &mut &[u8]) -> Option<(SpanKey, Node)> {
        fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
            let (front, rest) = bytes.split_first_chunk::<N>()?;
            *bytes = rest;
            Some(*front)
        }
        let key = u64::from_le_bytes(take::<8>(bytes)?);
        let parent = u64::from_le_bytes(take::<8>(bytes)?);
        let [flags] = take::<1>(bytes)?;
        let priced = match flags & 2 {
            0 => None,
            _ => Some((
                EventId(take::<16>(bytes)?),
                i64::from_le_bytes(take::<8>(bytes)?),
                by_ordinal(flags >> 6, Below::Apart),
            )),
        };
        let below = match flags & 1 {
            0 => Below::Nothing,
            _ => by_ordinal(flags >> 2, Below::Call),
        };
        // Earlier versions did not tell.
        let by = match flags & 32 {
            0 => 0,
            _ => u64::from_le_bytes(take::<8>(bytes)?),
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
        assert_eq!((key, node.below, node.by, node.apart), (7, Below::Call, 0, false));
        let (key, node) = Node::load(&mut rest).unwrap();
        let (id, _, by_what) = node.priced.unwrap();
        assert_eq!(
            (key, node.below, id, by_what),
            (8, Below::Nothing, EventId([9; 16]), Below::Apart)
        );
        assert!(Node::load(&mut rest).is_none());
    }
}
