//! The spans that are remembered, the oldest first, each found by its key.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::node::{Node, SpanKey};

/// Spans by key and by age. What is known of one lies beside its key, once: a table of nodes would be half empty.
#[derive(Default)]
pub(super) struct Nodes {
    by_age: VecDeque<(SpanKey, Node)>,
    /// Of each span its number, counted from the first that there ever was.
    numbers: HashTable<u64>,
    /// The number of the oldest.
    oldest: u64,
    /// Of no span.
    none: Node,
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
        let node = self.by_age.get_mut(place).map(|(_, node)| node);
        (node.unwrap_or(&mut self.none), known.is_none())
    }

    /// Forgets the oldest.
    pub fn forget(&mut self) {
        let Some((key, _)) = self.by_age.pop_front() else {
            return;
        };
        let oldest = self.oldest;
        if let Ok(entry) = self.numbers.find_entry(key, |number| *number == oldest) {
            entry.remove();
        }
        self.oldest += 1;
    }

    /// The newest, so many of them, the oldest of these first.
    pub fn newest(&self, many: usize) -> impl Iterator<Item = &(SpanKey, Node)> {
        self.by_age.iter().skip(self.by_age.len().saturating_sub(many))
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

    proptest! {
        #[test]
        fn what_is_remembered_is_found_and_what_was_forgotten_is_not(steps in prop::collection::vec(prop::option::of(1..40_u64), 0..200)) {
            let mut nodes = Nodes::default();
            let mut expected: Vec<(SpanKey, SpanKey)> = Vec::new();
            for (step, n) in (0..).zip(steps) {
                match n {
                    None => {
                        nodes.forget();
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
                let known: Vec<_> = nodes.newest(1000).map(|(key, node)| (*key, node.parent)).collect();
                prop_assert_eq!(&known, &expected);
                for key in 0..40 {
                    let parent = expected.iter().find(|(known, _)| *known == key).map(|(_, parent)| *parent);
                    prop_assert_eq!(nodes.get(key).map(|node| node.parent), parent);
                }
            }
        }
    }
}
