//! What is known of traces, from run to run and from a mark back to it.

use std::collections::BTreeMap;

use super::super::node::Node;
use super::super::nodes::PART;
use super::super::saved::take;
use super::super::split::Splits;
use super::{Before, KEPT, REMEMBERED, Traces};
use crate::domain::label::Label;
use crate::ports::{Checkpoint, Checkpoints, OF_ALL};

/// How owners begin that are sources of a run.
pub(in super::super::super) const OF_RUN: &str = "run ";

impl Traces {
    /// What the ledger keeps for all sources, or for an owner that goes on by itself, is taken up.
    pub fn resume(owner: Label, known: &Checkpoints) -> Self {
        let mut traces = Traces {
            owner,
            ..Traces::default()
        };
        traces.load(known);
        traces
    }

    /// The same for the sources of a run. Where nothing is kept of these yet, since one was added or is called otherwise now, what runs of others
    /// keep is known to begin with.
    pub fn resume_run(owner: Label, known: &Checkpoints) -> Self {
        let mut traces = Self::resume(owner, known);
        if traces.stored.is_empty() {
            let of_runs = format!("{OF_ALL}spans/{OF_RUN}");
            let mut others: Vec<_> = known.iter().filter(|(key, _)| key.starts_with(&of_runs)).collect();
            others.sort_by_key(|(key, _)| *key);
            for (_, Checkpoint(body)) in others {
                // Behind the number of its first span.
                traces.load_formerly(body.get(8..).unwrap_or(&[]));
            }
        }
        traces
    }

    /// How the keys of the parts begin.
    fn keys(&self) -> String {
        format!("{OF_ALL}spans/{}/", self.owner)
    }

    /// Of the newest spans what has changed since this was asked last, as checkpoints: one for each part, empty where it is forgotten.
    pub fn save(&mut self) -> Vec<(String, Checkpoint)> {
        if !std::mem::take(&mut self.changed) {
            return Vec::new();
        }
        let (keys, newest) = (self.keys(), self.nodes.newest(KEPT));
        let key = |part: u64| format!("{keys}{part:016x}");
        let mut saved = Vec::new();
        for part in self.nodes.changed().into_iter().filter(|part| newest.contains(part)) {
            let (first, spans) = self.nodes.part(part);
            let (mut bytes, mut splits) = (first.to_le_bytes().to_vec(), Splits::default());
            for (span, node) in spans {
                node.save(*span, &mut splits, &mut bytes);
            }
            self.stored.insert(part);
            saved.push((key(part), Checkpoint(bytes)));
        }
        let forgotten = |part: &u64| !newest.contains(part);
        saved.extend(
            self.stored
                .iter()
                .filter(|part| forgotten(part))
                .map(|part| (key(*part), Checkpoint::NONE)),
        );
        self.stored.retain(|part| !forgotten(part));
        saved
    }

    /// Takes up what `save` gave. What is damaged is left out, and so is what another run wrote meanwhile and does not fit.
    fn load(&mut self, known: &Checkpoints) {
        let keys = self.keys();
        let number = |key: &str| u64::from_str_radix(key.strip_prefix(&keys)?, 16).ok();
        let parts: BTreeMap<u64, &[u8]> = known
            .iter()
            .filter_map(|(key, at)| Some((number(key)?, at.0.as_slice())))
            .collect();
        let mut whole = true;
        for (part, mut bytes) in parts {
            self.stored.insert(part);
            let first = take::<8>(&mut bytes).map(u64::from_le_bytes);
            let Some(first) = first.filter(|first| first / PART == part && first >> 48 == 0) else {
                whole = false;
                continue;
            };
            self.nodes.begin(first);
            whole &= self.nodes.next_number() == first;
            let mut splits = Splits::default();
            while let Some((key, node)) = Node::load(&mut splits, &mut bytes) {
                *self.node(key) = node;
            }
        }
        if whole {
            // All lies in the parts that it was read from.
            self.nodes.changed();
        }
        self.changed = false;
    }

    /// Takes up what an earlier version kept for one source, as far as it is not known.
    pub fn load_formerly(&mut self, mut bytes: &[u8]) {
        let mut splits = Splits::default();
        while let Some((key, node)) = Node::load(&mut splits, &mut bytes) {
            let (known, new) = self.nodes.of(key);
            if new {
                *known = node;
            }
        }
        self.changed = true;
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
            stored: self.stored.clone(),
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
            self.stored = before.stored;
        }
    }
}
