//! The spans that are remembered, the oldest first, each found by its key.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Range;

use hashbrown::HashTable;

use super::node::{Node, SpanKey};

/// How far up a call below spans is looked at.
pub(super) const FURTHER: usize = 16;

/// How many spans above one are looked at. More than there are, unless they go round.
const ABOVE: usize = 128;

/// Spans that are saved together, by their numbers.
pub(super) const PART: u64 = 1024;

/// Spans by key and by age. What is known of one lies beside its key, once: a table of nodes would be half empty.
#[derive(Default)]
pub(super) struct Nodes {
    by_age: VecDeque<(SpanKey, Node)>,
    /// Of each span its number, counted from the first that there ever was.
    numbers: HashTable<u64>,
    /// The number of the oldest.
    oldest: u64,
    /// The run that is under way.
    pub run: u32,
    /// Of no span.
    none: Node,
    /// The parts that have changed since they were saved.
    changed: BTreeSet<u64>,
    before: Option<Before>,
}

/// What was known at a mark, of what has changed since.
struct Before {
    /// The number of the first span that was not known.
    new: u64,
    /// Nodes that were known, by their numbers.
    nodes: HashMap<u64, Node, rustc_hash::FxBuildHasher>,
    /// The parts that had changed since they were saved.
    changed: BTreeSet<u64>,
}

impl Nodes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_age.len()
    }

    /// What is known of a span.
    pub fn get(&self, key: SpanKey) -> Option<&Node> {
        let place = self.place(key)?;
        self.by_age.get(place).map(|(_, node)| node)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: SpanKey) -> Option<&mut Node> {
        let place = self.place(key)?;
        self.note(place);
        self.by_age.get_mut(place).map(|(_, node)| node)
    }

    /// What is known of a span, which is remembered from now on, and whether it was not before.
    pub fn of(&mut self, key: SpanKey) -> (&mut Node, bool) {
        let known = self.place(key);
        let place = known.unwrap_or_else(|| {
            let (oldest, by_age) = (self.oldest, &self.by_age);
            let place = by_age.len();
            let hash = |number: &u64| key_of(by_age, number - oldest).unwrap_or(0);
            // Keys are hashes.
            self.numbers.insert_unique(key, oldest + place as u64, hash);
            self.by_age.push_back((key, Node::default()));
            place
        });
        self.note(place);
        let node = self.by_age.get_mut(place).map(|(_, node)| node);
        (node.unwrap_or(&mut self.none), known.is_none())
    }

    /// The spans above one, itself first, as far as they are known.
    pub fn ancestors(&self, from: SpanKey) -> impl Iterator<Item = SpanKey> {
        let up = |at: &SpanKey| self.get(*at).map(|node| node.parent).filter(|parent| *parent != 0);
        std::iter::successors(Some(from).filter(|from| *from != 0), up).take(ABOVE)
    }

    /// The spans above one, itself first, up to an agent or a tool.
    pub fn views(&self, from: SpanKey) -> impl Iterator<Item = SpanKey> {
        let apart = |key: &SpanKey| self.get(*key).is_some_and(|node| node.apart);
        self.ancestors(from).take_while(move |key| !apart(key))
    }

    /// Whether one may be a view of the other.
    pub fn is_view(&self, upper: SpanKey, lower: SpanKey) -> bool {
        self.views(lower).any(|above| above == upper)
    }

    /// Forgets the oldest where there are more than so many. Since a mark nothing is forgotten.
    pub fn forget(&mut self, but: usize) {
        while self.before.is_none() && self.by_age.len() > but {
            if let Some((key, _)) = self.by_age.pop_front() {
                self.unnumber(key, self.oldest);
            }
            self.oldest += 1;
        }
    }

    fn unnumber(&mut self, key: SpanKey, number: u64) {
        if let Ok(entry) = self.numbers.find_entry(key, |known| *known == number) {
            entry.remove();
        }
    }

    /// Marks what is known now: it can be gone back to.
    pub fn mark(&mut self) {
        self.before = Some(Before {
            new: self.oldest + self.by_age.len() as u64,
            nodes: HashMap::default(),
            changed: self.changed.clone(),
        });
    }

    /// Stays with what has changed since the mark.
    pub fn keep(&mut self) {
        self.before = None;
    }

    /// Goes back to the mark, if there is one.
    pub fn undo(&mut self) {
        let Some(before) = self.before.take() else {
            return;
        };
        while self.oldest + self.by_age.len() as u64 > before.new
            && let Some((key, _)) = self.by_age.pop_back()
        {
            self.unnumber(key, self.oldest + self.by_age.len() as u64);
        }
        self.changed = before.changed;
        for (number, node) in before.nodes {
            let place = usize::try_from(number - self.oldest).ok();
            if let Some((_, changed)) = place.and_then(|place| self.by_age.get_mut(place)) {
                *changed = node;
            }
        }
    }

    /// Notes what is known before it changes, and that it does.
    fn note(&mut self, place: usize) {
        let number = self.oldest + place as u64;
        self.changed.insert(number / PART);
        let Some((_, node)) = self.by_age.get_mut(place) else {
            return;
        };
        if let Some(before) = &mut self.before
            && number < before.new
        {
            before.nodes.entry(number).or_insert_with(|| node.clone());
        }
        node.run = self.run;
    }

    /// The parts that have changed since this was asked last.
    pub fn changed(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.changed)
    }

    /// The parts of the newest spans, so many of them and those that are saved with them.
    pub fn newest(&self, many: u64) -> Range<u64> {
        let next = self.next_number();
        let first = next.saturating_sub(many).max(self.oldest);
        first / PART..next.div_ceil(PART)
    }

    /// The number of the first span of a part, and all of them that are known.
    pub fn part(&self, part: u64) -> (u64, impl Iterator<Item = &(SpanKey, Node)>) {
        let (first, end) = ((part * PART).max(self.oldest), (part + 1) * PART);
        let place = |number: u64| {
            let place = usize::try_from(number.saturating_sub(self.oldest));
            place.map_or(self.by_age.len(), |place| place.min(self.by_age.len()))
        };
        (first, self.by_age.range(place(first)..place(end)))
    }

    /// The number that the next new span gets.
    pub fn next_number(&self) -> u64 {
        self.oldest + self.by_age.len() as u64
    }

    /// Begins to count at a number, where no span is known.
    pub fn begin(&mut self, number: u64) {
        if self.by_age.is_empty() {
            self.oldest = number;
        }
    }

    fn place(&self, key: SpanKey) -> Option<usize> {
        let same = |number: &u64| key_of(&self.by_age, number - self.oldest) == Some(key);
        let number = self.numbers.find(key, same)?;
        usize::try_from(number - self.oldest).ok()
    }
}

fn key_of(by_age: &VecDeque<(SpanKey, Node)>, place: u64) -> Option<SpanKey> {
    let place = usize::try_from(place).ok()?;
    by_age.get(place).map(|(key, _)| *key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known(nodes: &Nodes) -> Vec<(SpanKey, SpanKey)> {
        let parts = nodes.newest(1000).flat_map(|part| nodes.part(part).1);
        parts.map(|(key, node)| (*key, node.parent)).collect()
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_found_and_what_was_forgotten_is_not(steps in prop::collection::vec(prop::option::of(1..40_u64), 0..200)) {
            let mut nodes = Nodes::default();
            let mut expected: Vec<(SpanKey, SpanKey)> = Vec::new();
            for (step, n) in (0..).zip(steps) {
                match n {
                    None => {
                        nodes.forget(expected.len().saturating_sub(1));
                        expected.splice(..expected.len().min(1), []);
                    }
                    Some(key) => {
                        let (node, new) = nodes.of(key);
                        node.parent = step;
                        if new {
                            expected.push((key, 0));
                        }
                        expected.iter_mut().find(|(known, _)| *known == key).unwrap().1 = step;
                    }
                }
                prop_assert_eq!(&known(&nodes), &expected);
                for key in 0..40 {
                    let parent = expected.iter().find(|(known, _)| *known == key).map(|(_, parent)| *parent);
                    prop_assert_eq!(nodes.get(key).map(|node| node.parent), parent);
                }
            }
        }

        #[test]
        fn what_changed_since_a_mark_can_be_undone(before in prop::collection::vec(1..20_u64, 0..40), after in prop::collection::vec(1..40_u64, 0..40)) {
            let mut nodes = Nodes::default();
            for (step, key) in (0..).zip(&before) {
                nodes.of(*key).0.parent = step;
            }
            nodes.forget(10);
            let expected = known(&nodes);
            for _ in 0..2 {
                nodes.mark();
                for (step, key) in (100..).zip(&after) {
                    nodes.of(*key).0.parent = step;
                    nodes.get_mut(*key).unwrap().apart = true;
                    nodes.forget(5);
                }
                nodes.undo();
                prop_assert_eq!(&known(&nodes), &expected);
                for key in 0..40 {
                    let parent = expected.iter().find(|(known, _)| *known == key).map(|(_, parent)| *parent);
                    prop_assert_eq!(nodes.get(key).map(|node| node.parent), parent);
                }
            }
        }
    }
}
