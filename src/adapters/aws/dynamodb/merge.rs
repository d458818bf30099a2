//! Merging of identity segments that became many, so that looking a call up stays a few reads.

use super::head::{Head, Segment, What};
use super::identities::{self, Chunk, Origin};
use super::store::{Draft, Store, Trouble};
use crate::ports::StoreError;

/// Segments of one size class that are merged into one when there are more.
const MAX_OF_CLASS: usize = 8;

/// Classes that are merged: up to half a million entries, which is 8 MB of memory.
const CLASSES: u32 = 3;

/// Each class is eight times the one below, from a thousand entries.
fn class(entries: u64) -> u32 {
    (entries / 1024).max(1).ilog(8)
}

/// How many segments at the end are to be merged; 0 for none.
fn run(segments: &[Segment]) -> usize {
    for limit in 0..CLASSES {
        let tail = segments.iter().rev().take_while(|s| class(s.entries) <= limit).count();
        if tail > MAX_OF_CLASS {
            return tail;
        }
    }
    0
}

/// Whether an origin's detail has expired.
pub fn expired(head: &Head, origin: &Origin) -> bool {
    origin.recorded_at < head.detail_before
}

/// Adds a segment of new entries (sorted, all of one origin) to the draft, merged with its small neighbours.
pub fn add_segment(
    store: &mut Store,
    draft: &mut Draft,
    ids: impl Iterator<Item = [u8; 16]>,
    origin: Origin,
) -> Result<(), Trouble> {
    let mut entries: Vec<([u8; 16], u32)> = ids.map(|id| (id, 0)).collect();
    let mut origins = vec![origin];
    let candidate = Segment {
        stamp: draft.stamp,
        bits: 0,
        entries: entries.len() as u64,
        oldest: origin.recorded_at,
        pieces: 0,
    };
    let mut all = draft.head.segments.clone();
    all.push(candidate);
    let merged = run(&all).saturating_sub(1);
    if merged > 0 {
        let kept = draft.head.segments.len() - merged;
        let old = draft.head.segments.split_off(kept);
        let bundles = old.iter().flat_map(|s| [s.chunks(), s.origins()]);
        let bodies = store.load(bundles)?;
        let mut all_origins: Vec<Origin> = Vec::new();
        let mut all_entries = Vec::new();
        for segment in &old {
            let broken = store.broken("a segment of identities");
            let (chunks, list) = (segment.chunks(), segment.origins());
            let shift = u32::try_from(all_origins.len()).unwrap_or(u32::MAX);
            let body = bodies.get(&(list, 0)).map(|b| b.as_slice()).unwrap_or_default();
            all_origins.extend(identities::unpack_origins(body).map_err(&broken)?);
            for part in 0..i64::from(chunks.parts) {
                let body = bodies.get(&(chunks, part)).map(|b| b.as_slice()).unwrap_or_default();
                let chunk: Chunk = identities::unpack(body).map_err(&broken)?;
                all_entries.extend(chunk.entries().map(|(id, origin)| (id, origin + shift)));
            }
            draft.drop(chunks);
            draft.drop(list);
        }
        let shift = u32::try_from(all_origins.len()).unwrap_or(u32::MAX);
        all_entries.extend(entries.iter().map(|(id, _)| (*id, shift)));
        all_origins.push(origin);
        entries = all_entries;
        origins = all_origins;
        forget(&draft.head, &mut origins, &mut entries);
        entries.sort_unstable();
    }
    let Some((bits, bodies)) = identities::cut(&entries) else {
        return Err(Trouble::Store(StoreError::Failed {
            path: format!("dynamodb:{}", store.table.name()),
            cause: "identities crowd on one prefix".to_owned(),
        }));
    };
    draft.add_parts(What::Ids, bodies, None);
    let list = draft.add(What::Origins, 0, &identities::pack_origins(&origins));
    let live = origins.iter().filter(|o| !expired(&draft.head, o));
    draft.head.segments.push(Segment {
        stamp: draft.stamp,
        bits,
        entries: entries.len() as u64,
        oldest: live.map(|o| o.recorded_at).min().unwrap_or(i64::MAX),
        pieces: list.pieces,
    });
    Ok(())
}

/// Makes one of the origins at the beginning whose detail has expired: they need no ranks any more. An expired origin behind
/// a live one stays apart, since its entries still win over those before it.
fn forget(head: &Head, origins: &mut Vec<Origin>, entries: &mut [([u8; 16], u32)]) {
    let gone = origins.iter().take_while(|o| expired(head, o)).count();
    if gone < 2 {
        return;
    }
    let calls = origins.iter().take(gone).map(|o| o.calls).sum();
    let one = Origin {
        stamp: 0,
        calls,
        block: 1,
        recorded_at: i64::MIN,
    };
    origins.splice(..gone, [one]);
    let shift = u32::try_from(gone - 1).unwrap_or(0);
    entries
        .iter_mut()
        .for_each(|(_, origin)| *origin = origin.saturating_sub(shift));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(entries: u64) -> Segment {
        Segment {
            stamp: 1,
            bits: 0,
            entries,
            oldest: 0,
            pieces: 1,
        }
    }

    #[test]
    fn small_neighbours_are_merged_and_large_ones_left() {
        let run_of = |sizes: &[u64]| run(&sizes.iter().map(|n| segment(*n)).collect::<Vec<_>>());
        assert_eq!(run_of(&[500; 8]), 0);
        assert_eq!(run_of(&[500; 9]), 9);
        assert_eq!(run_of(&[&[9_000; 3], [500; 9].as_slice()].concat()), 9);
        assert_eq!(run_of(&[&[9_000; 8], [500; 1].as_slice()].concat()), 9);
        assert_eq!(run_of(&[10_000_000; 50]), 0);
    }

    #[test]
    fn expired_origins_at_the_beginning_become_one() {
        let origin = |stamp, recorded_at| Origin {
            stamp,
            calls: 2,
            block: 8,
            recorded_at,
        };
        let head = Head {
            detail_before: 10,
            ..Head::default()
        };
        let mut origins = vec![origin(1, 5), origin(2, 6), origin(3, 20), origin(4, 7)];
        let mut entries = vec![([0; 16], 0), ([1; 16], 1), ([2; 16], 2), ([3; 16], 3)];
        forget(&head, &mut origins, &mut entries);
        let stamps: Vec<_> = origins.iter().map(|o| (o.stamp, o.calls)).collect();
        assert_eq!(stamps, [(0, 4), (3, 2), (4, 2)]);
        assert_eq!(entries.iter().map(|e| e.1).collect::<Vec<_>>(), [0, 0, 1, 2]);
    }
}
