//! What is known of traces, from run to run and from a mark back to it.

use std::collections::BTreeMap;

use super::super::node::Node;
use super::super::nodes::PART;
use super::super::split::Splits;
use super::parts::Part;
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

    /// The same for the sources of a run. What runs of others kept since is known, too: a source may have been added, left out or called otherwise
    /// meanwhile. Where nothing is kept of these yet, all of it is.
    pub fn resume_run(owner: Label, known: &Checkpoints) -> Self {
        let mut traces = Self::resume(owner, known);
        let (own, of_runs) = (traces.keys(), format!("{OF_ALL}spans/{OF_RUN}"));
        let others = known
            .iter()
            .filter(|(key, _)| key.starts_with(&of_runs) && !key.starts_with(&own));
        let mut others: Vec<_> = others
            .filter_map(|(key, at)| Some((key, Part::begin(&at.0)?)))
            .collect();
        others.sort_by_key(|(key, _)| *key);
        let last = others.iter().map(|(_, part)| part.last_run()).max();
        traces.take_up(others.into_iter().map(|(_, part)| part).collect());
        let before = traces.nodes.run.saturating_sub(1);
        traces.nodes.run = last.unwrap_or_default().max(before).saturating_add(1);
        traces
    }

    /// Takes up of others' parts what was met after all that is known itself.
    fn take_up(&mut self, others: Vec<Part<'_>>) {
        let (all, before) = (self.stored.is_empty(), self.nodes.run.saturating_sub(1));
        let mut newer: Vec<_> = others
            .into_iter()
            .filter(|part| all || part.last_run() > before)
            .flat_map(Part::spans)
            .filter(|(_, node)| all || node.run > before)
            .collect();
        // What was met last is what is known.
        newer.sort_by_key(|(_, node)| node.run);
        self.changed |= !newer.is_empty();
        for (key, node) in newer {
            *self.nodes.of(key).0 = node;
        }
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
            saved.push((key(part), Checkpoint(Part::save(first, spans))));
            self.stored.insert(part);
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
        let (mut whole, mut last) = (true, 0);
        for (number, bytes) in parts {
            self.stored.insert(number);
            let part = Part::begin(bytes).filter(|part| part.first / PART == number);
            let Some(part) = part else {
                whole = false;
                continue;
            };
            self.nodes.begin(part.first);
            whole &= self.nodes.next_number() == part.first;
            last = last.max(part.last_run());
            for (key, node) in part.spans() {
                *self.node(key) = node;
            }
        }
        self.nodes.run = last.saturating_add(1);
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
