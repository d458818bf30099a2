//! Feeds the reader of Parquet bills: whole files, and small good ones with some bytes changed, which get further than what is made up.
#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;

const SEEDS: [&[u8]; 5] = [
    include_bytes!("../seeds/parquet/decimals.parquet"),
    include_bytes!("../seeds/parquet/doubles.parquet"),
    include_bytes!("../seeds/parquet/group.parquet"),
    include_bytes!("../seeds/parquet/map.parquet"),
    include_bytes!("../seeds/parquet/plain.parquet"),
];

/// The first byte says which file; then the changes, each a place and a byte to add to what is there.
fn file(input: &[u8]) -> Vec<u8> {
    let Some((which, rest)) = input.split_first() else {
        return Vec::new();
    };
    let Some(seed) = SEEDS.get(usize::from(*which)) else {
        return rest.to_vec();
    };
    let mut bytes = seed.to_vec();
    for change in rest.chunks_exact(3) {
        let place = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[place] = bytes[place].wrapping_add(change[2]);
    }
    bytes
}

fuzz_target!(
    // What the decoder panics about is caught by the reader, and no fault of it.
    init: std::panic::set_hook(Box::new(|_| {})),
    |input: &[u8]| shared::read(&file(input), None)
);
