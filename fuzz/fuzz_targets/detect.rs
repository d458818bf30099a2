//! Feeds the parser of files of a format that is detected.
#![no_main]

use finops::adapters::files::{Parser, probe};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(fault) = probe(Parser::File(None), bytes).fault() {
        panic!("{fault}");
    }
});
