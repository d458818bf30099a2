//! Identities of many calls, eight at a time: the hash of one short block is a chain of steps of which each waits for the one before. What libraries
//! hash side by side are blocks that are full.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u32x8};

use super::EventId;

/// Bytes of a block of the hash.
const BLOCK: usize = 64;
/// Blocks that are hashed at a time.
const LANES: usize = 8;

/// What BLAKE3 begins with.
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// That a block is the first, the last and the only one of its text.
const WHOLE: u32 = 1 | 2 | 8;

/// A text of one block: its bytes, and zeros behind them.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub bytes: [u8; BLOCK],
    pub length: u32,
}

impl Block {
    const EMPTY: Block = Block {
        bytes: [0; BLOCK],
        length: 0,
    };

    #[inline(always)]
    fn word(&self, place: usize) -> u32 {
        let word = self.bytes.as_chunks::<4>().0.get(place);
        word.map_or(0, |word| u32::from_le_bytes(*word))
    }

    /// What the identity of a name space and an id within it is computed of: both, each behind its length. Nothing where it does not fit.
    #[inline(always)]
    pub fn of<const SPACE: usize>(space: &[u8; SPACE], id: &[u8]) -> Option<Block> {
        let mut block = Block::EMPTY;
        let (front, room) = block.bytes.split_first_chunk_mut::<8>()?;
        *front = (SPACE as u64).to_le_bytes();
        let (name, room) = room.split_first_chunk_mut::<SPACE>()?;
        *name = *space;
        let (front, room) = room.split_first_chunk_mut::<8>()?;
        *front = (id.len() as u64).to_le_bytes();
        let room = room.get_mut(..id.len())?;
        match (id.first_chunk::<16>(), id.last_chunk::<16>()) {
            // Most ids are as long as two such pieces that may lie over each other.
            (Some(first), Some(last)) if id.len() <= 32 => {
                *room.first_chunk_mut()? = *first;
                *room.last_chunk_mut()? = *last;
            }
            _ => room.copy_from_slice(id),
        }
        block.length = (16 + SPACE + id.len()) as u32;
        Some(block)
    }
}

/// The identities of texts of one block, one behind the other, and of the empty ones that fill the last group.
pub(super) fn hash_each(blocks: &mut Vec<Block>, ids: &mut Vec<EventId>) {
    let level = Level::new();
    blocks.resize(blocks.len().next_multiple_of(LANES), Block::EMPTY);
    for group in blocks.as_chunks::<LANES>().0 {
        let [a, b, c, d] = dispatch!(level, simd => hash(simd, group));
        for lane in 0..LANES {
            let word = |words: &[u32; LANES]| words.get(lane).copied().map_or(0, u128::from);
            let id = word(&a) | word(&b) << 32 | word(&c) << 64 | word(&d) << 96;
            ids.push(EventId(id.to_le_bytes()));
        }
    }
}

/// The first four words of the hash of each.
#[inline(always)]
fn hash<S: Simd>(simd: S, blocks: &[Block; LANES]) -> [[u32; LANES]; 4] {
    simd.vectorize(
        #[inline(always)]
        || rounds(simd, blocks),
    )
}

// Arrays are taken apart by hand here: what maps them is a function that is not always inlined, and then knows nothing of the processor.
#[inline(always)]
fn rounds<S: Simd>(simd: S, blocks: &[Block; LANES]) -> [[u32; LANES]; 4] {
    let [q, r, s, t, u, v, w, x] = blocks;
    macro_rules! all {
        ($word:expr) => {
            u32x8::splat(simd, $word)
        };
    }
    // What stands at one place of all blocks.
    macro_rules! lanes {
        ($of:expr) => {
            u32x8::from_slice(
                simd,
                &[$of(q), $of(r), $of(s), $of(t), $of(u), $of(v), $of(w), $of(x)],
            )
        };
    }
    macro_rules! words {
        ($($place:literal)*) => {
            [$(lanes!(|block: &Block| block.word($place))),*]
        };
    }
    let [a, b, c, d, e, f, g, h] = START;
    let [a, b, c, d] = [all!(a), all!(b), all!(c), all!(d)];
    let [e, f, g, h] = [all!(e), all!(f), all!(g), all!(h)];
    let [lengths, none, kind] = [lanes!(|block: &Block| block.length), all!(0), all!(WHOLE)];
    let state = [a, b, c, d, e, f, g, h, a, b, c, d, none, none, lengths, kind];
    let message = words!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    // Seven rounds, one behind the other: the order of the words costs nothing then.
    let (state, message) = (round(state, message), permuted(message));
    let (state, message) = (round(state, message), permuted(message));
    let (state, message) = (round(state, message), permuted(message));
    let (state, message) = (round(state, message), permuted(message));
    let (state, message) = (round(state, message), permuted(message));
    let (state, message) = (round(state, message), permuted(message));
    let [a, b, c, d, _, _, _, _, e, f, g, h, ..] = round(state, message);
    [(a ^ e).into(), (b ^ f).into(), (c ^ g).into(), (d ^ h).into()]
}

type Words<S> = [u32x8<S>; 16];

#[inline(always)]
fn round<S: Simd>(state: Words<S>, message: Words<S>) -> Words<S> {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = state;
    let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15] = message;
    let [a, e, i, m] = mix([a, e, i, m], w0, w1);
    let [b, f, j, n] = mix([b, f, j, n], w2, w3);
    let [c, g, k, o] = mix([c, g, k, o], w4, w5);
    let [d, h, l, p] = mix([d, h, l, p], w6, w7);
    let [a, f, k, p] = mix([a, f, k, p], w8, w9);
    let [b, g, l, m] = mix([b, g, l, m], w10, w11);
    let [c, h, i, n] = mix([c, h, i, n], w12, w13);
    let [d, e, j, o] = mix([d, e, j, o], w14, w15);
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

#[inline(always)]
fn mix<S: Simd>([a, b, c, d]: [u32x8<S>; 4], x: u32x8<S>, y: u32x8<S>) -> [u32x8<S>; 4] {
    let a = a + b + x;
    let d = turned::<S, 16, 16>(d ^ a);
    let c = c + d;
    let b = turned::<S, 12, 20>(b ^ c);
    let a = a + b + y;
    let d = turned::<S, 8, 24>(d ^ a);
    let c = c + d;
    let b = turned::<S, 7, 25>(b ^ c);
    [a, b, c, d]
}

/// Each word turned to the right by so many bits of 32, of which the others are left.
#[inline(always)]
fn turned<S: Simd, const BITS: u32, const LEFT: u32>(words: u32x8<S>) -> u32x8<S> {
    (words >> BITS) | (words << LEFT)
}

/// The words in the order in which the next round takes them.
#[inline(always)]
fn permuted<S: Simd>(message: Words<S>) -> Words<S> {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = message;
    [c, g, d, k, h, a, e, n, b, l, m, f, j, o, p, i]
}
