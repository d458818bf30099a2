//! Two tables, row by row.

use std::collections::HashMap;
use std::io;

use rustc_hash::FxBuildHasher;

use super::{Table, each};

/// Rows of two tables that are remembered at once; of two with more, those of every second number, fourth, and so on.
const REMEMBERED: usize = 4 << 20;

/// How often a row is in each of two tables.
struct Times {
    of: [u32; 2],
    free: bool,
}

/// How the rows of two tables compare.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Compared {
    /// Whether each row of the first is in the second, and the other way round. Never where the columns differ, or where a row is in one of them
    /// more than once: what is equal within a table may be equal across tables, too, and be spent twice.
    pub(super) held: [bool; 2],
    /// Whether most rows of the smaller one are in the other, of those that cost something.
    pub(super) most: bool,
}

impl Table<'_> {
    /// By the columns that both have.
    pub(super) fn compare(&self, other: &Table<'_>) -> io::Result<Compared> {
        let shared: Vec<String> = self
            .names
            .iter()
            .filter(|name| other.names.contains(name))
            .cloned()
            .collect();
        let costs: Vec<String> = shared.iter().filter(|name| name.ends_with("cost")).cloned().collect();
        let mut rows: HashMap<u64, Times, FxBuildHasher> = HashMap::default();
        let mut mask = 0;
        for (side, table) in [self, other].into_iter().enumerate() {
            let costs = table.columns(&costs);
            each(table.path, &table.columns(&shared), |row, values| {
                if row & mask != 0 {
                    return true;
                }
                let times = rows.entry(row).or_insert_with(|| Times {
                    of: [0, 0],
                    free: !costs.is_empty() && costs.iter().all(|at| is_nothing(values.get(*at).unwrap_or_default())),
                });
                if let Some(slot) = times.of.get_mut(side) {
                    *slot = slot.saturating_add(1);
                }
                if rows.len() > REMEMBERED {
                    mask = (mask << 1) | 1;
                    rows.retain(|row, _| row & mask == 0);
                }
                true
            })?;
        }
        // Of rows that are left out nobody knows that the other one has them.
        let provable =
            mask == 0 && self.has_columns_of(other) && rows.values().all(|times| times.of.iter().all(|n| *n < 2));
        let has = |side: usize| rows.values().any(|times| times.of.get(side).is_some_and(|n| *n > 0));
        let lacks = |of: [u32; 2]| rows.values().any(|times| times.of == of);
        let mut both = 0_u64;
        let (mut all, mut repeated) = ([0_u64; 2], [0_u64; 2]);
        for Times { of, .. } in rows.values().filter(|times| !times.free) {
            both += u64::from(*of == [1, 1]);
            for ((times, all), repeated) in of.iter().zip(&mut all).zip(&mut repeated) {
                *all += u64::from(*times);
                *repeated += u64::from(*times) * u64::from(*times > 1);
            }
        }
        let few = all.iter().zip(&repeated).all(|(all, repeated)| repeated * 2 <= *all);
        Ok(Compared {
            held: [
                provable && has(0) && !lacks([1, 0]),
                provable && has(1) && !lacks([0, 1]),
            ],
            most: few && both * 2 > all.into_iter().min().unwrap_or_default(),
        })
    }
}

/// Whether a cost is none.
fn is_nothing(cost: &str) -> bool {
    let digits = cost.split(['e', 'E']).next().unwrap_or_default();
    digits.bytes().all(|b| matches!(b, b'0' | b'.' | b'-' | b'+'))
}
