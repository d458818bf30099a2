//! Which rows of a page have a value.

/// Which rows of a segment have a value.
#[derive(Default)]
pub(super) struct Present {
    pub rows: usize,
    /// How many of them.
    pub count: usize,
    /// 1 or 0 for each row, where not all are alike.
    pub levels: Vec<u32>,
}

impl Present {
    /// 1 or 0 for each row, if not all are alike. They are taken away.
    pub fn take_levels(&mut self, into: &mut Vec<u32>) {
        std::mem::swap(&mut self.levels, into);
    }

    /// Whether all have.
    pub fn all(&self) -> bool {
        self.count == self.rows
    }

    /// Where the value of a row stands among those that there are.
    pub fn place(&self, row: usize) -> Option<usize> {
        if self.all() {
            return Some(row);
        }
        let has = self.levels.get(row).is_some_and(|level| *level == 1);
        let before = self.levels.get(..row).filter(|_| has)?;
        Some(before.iter().fold(0, |sum, level| sum + *level as usize))
    }

    /// The rows that have.
    pub fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        let all = if self.all() { self.rows } else { 0 };
        let some = self.levels.iter().enumerate().filter(|(_, level)| **level == 1);
        (0..all).chain(some.map(|(row, _)| row))
    }

    /// Appends `values` where rows have one, and `none` where they have none.
    pub fn spread<T: Copy>(&self, values: &[T], none: T, out: &mut Vec<T>) {
        if self.count == self.rows {
            out.extend_from_slice(values);
        } else if self.count == 0 {
            out.resize(out.len() + self.rows, none);
        } else {
            let before = out.len();
            out.resize(before + self.rows, none);
            let (slots, last) = out.get_mut(before..).unwrap_or_default().as_chunks_mut::<8>();
            let (levels, last_levels) = self.levels.as_chunks::<8>();
            let mut rest = values;
            let each = |slots: &mut [T], levels: &[u32], rest: &mut &[T]| {
                for (slot, _) in slots.iter_mut().zip(levels).filter(|(_, level)| **level == 1) {
                    if let Some((value, more)) = rest.split_first() {
                        (*slot, *rest) = (*value, more);
                    }
                }
            };
            for (slots, levels) in slots.iter_mut().zip(levels) {
                // Most have one, and most of their neighbours too.
                match rest.split_first_chunk() {
                    Some((eight, more)) if *levels == [1; 8] => (*slots, rest) = (*eight, more),
                    _ => each(slots, levels, &mut rest),
                }
            }
            each(last, last_levels, &mut rest);
        }
    }
}
