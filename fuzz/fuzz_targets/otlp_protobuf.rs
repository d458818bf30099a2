//! Feeds the parser of OTLP export requests as protobuf.
#![no_main]

use finops::adapters::files::{Parser, probe};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(fault) = probe(Parser::Protobuf, bytes).fault() {
        panic!("{fault}");
    }
});
