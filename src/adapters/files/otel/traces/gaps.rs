//! Calls that tell no usage: a gap, unless a call of that model below them tells it.

use super::super::families::family;
use super::super::node::{Below, Node, SpanKey};
use super::{Found, Traces};
use crate::domain::usage::EventId;

/// A call without usage.
#[derive(Clone, Copy)]
pub(in super::super::super) struct Gap {
    id: EventId,
    /// Of its model; 0 where it names none.
    family: u32,
}

impl Gap {
    pub fn of(id: EventId, model: &str) -> Self {
        let family = family(model);
        Gap { id, family }
    }

    /// Whether what lies below it is that call.
    fn is_told_by(self, node: &Node) -> bool {
        match self.family {
            0 => node.below == Below::Call,
            family => node.below > Below::Apart && node.calls().any(|(by, _)| by.family == family),
        }
    }
}

impl Traces {
    /// A call without usage: what lies below it may come later.
    pub fn gap(&mut self, key: SpanKey, gap: Gap) {
        self.gaps.insert(key, gap);
    }

    /// How many spans wait for the calls below them, of those without usage and of agents.
    pub fn unsettled(&self) -> u64 {
        (self.gaps.len() + self.held.len()) as u64
    }

    /// Which of them nothing tells, at the end of what there is to read.
    pub(super) fn settle_gaps(&mut self, found: &mut Found) {
        for (key, gap) in self.gaps.drain() {
            let told = self.nodes.get(key).is_some_and(|node| gap.is_told_by(node));
            let kind = if told { &mut found.repeats } else { &mut found.gaps };
            kind.push(gap.id);
        }
    }
}
