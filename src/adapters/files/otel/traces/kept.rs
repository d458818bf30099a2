//! What is known of traces, from run to run and from a mark back to it.

use super::super::node::Node;
use super::super::split::Splits;
use super::{Before, KEPT, REMEMBERED, Traces};

impl Traces {
    /// The newest spans as bytes, if anything changed since this was asked last.
    pub fn save(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let (mut bytes, mut splits) = (Vec::new(), Splits::default());
        for (key, node) in self.nodes.newest(KEPT) {
            node.save(*key, &mut splits, &mut bytes);
        }
        Some(bytes)
    }

    /// Takes up what `save` gave; damaged bytes end it early.
    pub fn load(&mut self, mut bytes: &[u8]) {
        let mut splits = Splits::default();
        while let Some((key, node)) = Node::load(&mut splits, &mut bytes) {
            *self.node(key) = node;
        }
        self.changed = false;
    }

    /// Marks what is known now: it can be gone back to.
    pub fn mark(&mut self) {
        self.nodes.mark();
        self.twins.mark();
        self.before = Some(Before {
            held: self.held.clone(),
            gaps: self.gaps.clone(),
            nameless: self.nameless.clone(),
            changed: self.changed,
        });
    }

    /// Stays with what has changed since the mark.
    pub fn keep(&mut self) {
        self.nodes.keep();
        self.twins.keep();
        self.before = None;
        self.nodes.forget(REMEMBERED);
    }

    /// Goes back to the mark, if there is one.
    pub fn undo(&mut self) {
        self.nodes.undo();
        self.twins.undo();
        if let Some(before) = self.before.take() {
            (self.held, self.gaps) = (before.held, before.gaps);
            (self.nameless, self.changed) = (before.nameless, before.changed);
        }
    }
}
