//! Feeds the parser of files of the format droid.
#![no_main]

use finops::adapters::files::{FileFormat, Parser, probe};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(fault) = probe(Parser::File(Some(FileFormat::Droid)), bytes).fault() {
        panic!("{fault}");
    }
});
