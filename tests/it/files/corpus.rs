//! The fuzz targets' seeds, replayed: whole, cut short and with single bytes changed.

use std::path::Path;

use finops::adapters::files::{FileFormat, Parser, probe};

/// Bytes that matter to some parser or other.
const BYTES: [u8; 12] = *b"\0\"\\{}[],:-9\xFF";

fn check(parser: Parser, bytes: &[u8]) {
    if let Some(fault) = probe(parser, bytes).fault() {
        panic!("{fault}\n{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn no_seed_and_nothing_near_one_breaks_a_parser() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut seen = 0;
    for folder in std::fs::read_dir(&corpus).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let parser = match name.as_str() {
            "otlp-protobuf" => Parser::Protobuf,
            name => Parser::File(Some(name.parse::<FileFormat>().unwrap())),
        };
        for seed in std::fs::read_dir(&folder).unwrap() {
            let bytes = std::fs::read(seed.unwrap().path()).unwrap();
            let read = probe(parser, &bytes);
            assert!(
                !read.events.is_empty() || !read.bills.is_empty(),
                "{name}: a seed that yields nothing"
            );
            if parser != Parser::Protobuf {
                // Told by its content, it is the same.
                assert_eq!(
                    probe(Parser::File(None), &bytes).events.len(),
                    read.events.len(),
                    "{name}"
                );
            }
            // A step that meets every position of short seeds and many of long ones.
            let step = (bytes.len() / 250).max(1);
            for at in (0..bytes.len()).step_by(step) {
                check(parser, &bytes[..at]);
                let mut changed = bytes.clone();
                changed[at] = BYTES[at / step % BYTES.len()];
                check(parser, &changed);
                check(Parser::File(None), &changed);
                changed.truncate(bytes.len() - at);
                check(Parser::File(None), &changed);
            }
            seen += 1;
        }
    }
    let formats = FileFormat::ALL.len() + 1;
    assert!(seen >= formats, "{seen} seeds for {formats} parsers");
}

#[test]
fn every_parser_has_a_fuzz_target() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    for format in FileFormat::ALL {
        let file = targets.join(format!("{}.rs", format.name().replace('-', "_")));
        assert!(file.is_file(), "{} is missing", file.display());
    }
}
