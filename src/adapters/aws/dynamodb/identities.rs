//! Who was counted already: sorted identities in segments, each cut into chunks by the first bits of the identity.
//!
//! A segment is written once, by the batch that brought its calls; segments that became many are merged. An entry names the
//! batch (the *origin*) that holds the call's detail; its place there is its rank among the entries of that origin, so that it
//! costs no bytes. Entries are never dropped, which keeps the ranks true: of two entries of one call the later origin wins.

use std::collections::BTreeMap;

use super::bytes::{Broken, Reader, deflate, inflate, put, put_bytes};
use crate::domain::usage::EventId;

const VERSION: u8 = 1;

/// Identities of one chunk, on average: 31 KB, so that looking up one call reads eight units.
const CHUNK: usize = 2048;

/// Most bits that a segment is cut by.
const MAX_BITS: u8 = 16;

/// Bytes of one chunk: below the 400 KB of an item.
const CHUNK_LIMIT: usize = 350_000;

/// A batch whose calls' detail is kept together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The batch.
    pub stamp: u64,
    /// Calls of it.
    pub calls: u64,
    /// Calls of one block of their detail.
    pub block: u32,
    /// When it was recorded, in microseconds.
    pub recorded_at: i64,
}

/// Where an identity was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The batch.
    pub origin: Origin,
    /// Its position among the calls of the batch.
    pub rank: u64,
}

/// A decoded chunk.
#[derive(Debug, Default)]
pub struct Chunk {
    ids: Vec<[u8; 16]>,
    origins: Vec<u32>,
    ranks: Vec<u64>,
}

impl Chunk {
    /// The entry of an identity: origin by number, and rank. The latest origin wins.
    pub fn find(&self, id: EventId) -> Option<(u32, u64)> {
        let first = self.ids.partition_point(|known| *known < id.0);
        let end = self.ids.partition_point(|known| *known <= id.0);
        (first..end)
            .filter_map(|at| Some((*self.origins.get(at)?, *self.ranks.get(at)?)))
            .max()
    }

    /// Entries in order: identity, origin by number, rank in it.
    pub fn places(&self) -> impl Iterator<Item = ([u8; 16], u32, u64)> + '_ {
        self.entries()
            .zip(self.ranks.iter())
            .map(|((id, origin), rank)| (id, origin, *rank))
    }

    /// Entries in order: identity, origin by number.
    pub fn entries(&self) -> impl Iterator<Item = ([u8; 16], u32)> + '_ {
        self.ids.iter().copied().zip(self.origins.iter().copied())
    }
}

/// The chunk of a segment cut by `bits` that an identity belongs to.
pub fn chunk_of(id: EventId, bits: u8) -> u32 {
    let [a, b, ..] = id.0;
    let prefix = u32::from(u16::from_be_bytes([a, b]));
    prefix >> (16 - u32::from(bits.min(MAX_BITS)))
}

/// Cuts sorted entries into packed chunks: the number of bits, then 2^bits bodies. `None` when identities crowd so much on one
/// prefix that no cut fits an item, which digests never do.
pub fn cut(entries: &[([u8; 16], u32)]) -> Option<(u8, Vec<Vec<u8>>)> {
    let mut bits = 0;
    while bits < MAX_BITS && entries.len() >> bits > CHUNK {
        bits += 1;
    }
    loop {
        let bodies = pack_all(entries, bits);
        if bodies.iter().all(|body| body.len() <= CHUNK_LIMIT) {
            return Some((bits, bodies));
        }
        if bits >= MAX_BITS {
            return None;
        }
        bits += 1;
    }
}

fn pack_all(entries: &[([u8; 16], u32)], bits: u8) -> Vec<Vec<u8>> {
    let mut ranks: BTreeMap<u32, u64> = BTreeMap::new();
    let mut rest = entries;
    let mut bodies = Vec::with_capacity(1 << bits);
    for number in 0..1_u32 << bits {
        let inside = rest.partition_point(|(id, _)| chunk_of(EventId(*id), bits) <= number);
        let (chunk, later) = rest.split_at_checked(inside).unwrap_or((rest, &[]));
        rest = later;
        bodies.push(pack(chunk, &mut ranks));
    }
    bodies
}

fn pack(entries: &[([u8; 16], u32)], ranks: &mut BTreeMap<u32, u64>) -> Vec<u8> {
    let mut out = vec![VERSION];
    put(&mut out, entries.len() as u128);
    let mut first_ranks: BTreeMap<u32, u64> = BTreeMap::new();
    let mut origins = Vec::new();
    for (_, origin) in entries {
        let rank = ranks.entry(*origin).or_insert(0);
        first_ranks.entry(*origin).or_insert(*rank);
        *rank += 1;
        put(&mut origins, u128::from(*origin));
    }
    put(&mut out, first_ranks.len() as u128);
    for (origin, rank) in first_ranks {
        put(&mut out, u128::from(origin));
        put(&mut out, u128::from(rank));
    }
    put_bytes(&mut out, &deflate(&origins));
    // Sorted and spread evenly: the step between the first halves is what is left to say of them.
    let mut last = 0;
    for (id, _) in entries {
        let (high, low) = halves(id);
        put(&mut out, u128::from(high - last));
        out.extend_from_slice(&low);
        last = high;
    }
    out
}

fn halves(id: &[u8; 16]) -> (u64, [u8; 8]) {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *id;
    (u64::from_be_bytes([a, b, c, d, e, f, g, h]), rest)
}

/// Reads a chunk.
pub fn unpack(body: &[u8]) -> Result<Chunk, Broken> {
    let mut reader = Reader(body);
    if reader.byte()? != VERSION {
        return Err(Broken);
    }
    let count: usize = reader.fit()?;
    if count > body.len() {
        return Err(Broken);
    }
    let mut ranks: BTreeMap<u32, u64> = BTreeMap::new();
    let known: usize = reader.fit()?;
    for _ in 0..known {
        let origin = reader.fit()?;
        ranks.insert(origin, reader.fit()?);
    }
    let origins = inflate(reader.bytes()?)?;
    let mut origins = Reader(&origins);
    let mut chunk = Chunk::default();
    let mut last = 0_u64;
    for _ in 0..count {
        let origin: u32 = origins.fit()?;
        let rank = ranks.get_mut(&origin).ok_or(Broken)?;
        chunk.origins.push(origin);
        chunk.ranks.push(*rank);
        *rank = rank.checked_add(1).ok_or(Broken)?;
        let step: u64 = reader.fit()?;
        last = last.checked_add(step).ok_or(Broken)?;
        let mut id = [0; 16];
        let low: [u8; 8] = reader.array()?;
        let bytes = last.to_be_bytes().into_iter().chain(low);
        id.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
        chunk.ids.push(id);
    }
    if reader.done() && origins.done() {
        Ok(chunk)
    } else {
        Err(Broken)
    }
}

/// Packs the origins of a segment, oldest first: their position is their number.
pub fn pack_origins(origins: &[Origin]) -> Vec<u8> {
    let mut out = vec![VERSION];
    put(&mut out, origins.len() as u128);
    for origin in origins {
        out.extend_from_slice(&origin.stamp.to_be_bytes());
        put(&mut out, u128::from(origin.calls));
        put(&mut out, u128::from(origin.block));
        super::bytes::put_signed(&mut out, i128::from(origin.recorded_at));
    }
    out
}

/// Reads the origins of a segment.
pub fn unpack_origins(body: &[u8]) -> Result<Vec<Origin>, Broken> {
    let mut reader = Reader(body);
    if reader.byte()? != VERSION {
        return Err(Broken);
    }
    let count: usize = reader.fit()?;
    let mut origins = Vec::new();
    for _ in 0..count {
        origins.push(Origin {
            stamp: u64::from_be_bytes(reader.array()?),
            calls: reader.fit()?,
            block: reader.fit()?,
            recorded_at: reader.fit_signed()?,
        });
    }
    if reader.done() { Ok(origins) } else { Err(Broken) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_found_with_its_rank_in_its_origin_and_the_later_origin_wins() {
        let id = |n: u32| EventId::of(&[&n.to_be_bytes()]).0;
        let mut entries: Vec<([u8; 16], u32)> = (0..10_000).map(|n| (id(n), n % 3)).collect();
        entries.push((id(7), 2)); // 7 % 3 = 1
        entries.sort_unstable();
        let (bits, bodies) = cut(&entries).unwrap();
        assert_eq!((bits, bodies.len()), (3, 8));
        let chunks: Vec<Chunk> = bodies.iter().map(|b| unpack(b).unwrap()).collect();
        let find = |n: u32| chunks[chunk_of(EventId(id(n)), bits) as usize].find(EventId(id(n)));
        let rank = |n: u32, origin: u32| entries.iter().filter(|e| e.1 == origin && e.0 < id(n)).count() as u64;
        for n in 0..10_000 {
            let origin = if n == 7 { 2 } else { n % 3 };
            assert_eq!(find(n), Some((origin, rank(n, origin))), "{n}");
        }
        assert_eq!(find(10_001), None);
        assert!(unpack(&bodies[0][..bodies[0].len() - 1]).is_err());
    }

    #[test]
    fn crowded_identities_are_cut_finer_or_refused() {
        let crowd: Vec<([u8; 16], u32)> = (0..30_000_u32)
            .map(|n| {
                let mut id = [0; 16];
                id[8..12].copy_from_slice(&n.to_be_bytes());
                (id, 0)
            })
            .collect();
        assert!(cut(&crowd).is_some(), "small steps are short");
        assert_eq!(cut(&[]).unwrap().1.len(), 1);
    }
}
