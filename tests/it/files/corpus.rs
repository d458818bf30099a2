//! The fuzz targets' seeds, replayed: whole, cut short and with single bytes changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use finops::adapters::files::{Columns, FileFormat, FileSource, FileSourceOptions, Parser, Probed, probe};
use finops::domain::label::Label;
use finops::ports::{Checkpoints, UsageSource};

use super::{source, time};

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

/// Seeds of targets that need a file or settings: read, whole and with single bytes changed.
#[test]
fn seeds_of_parquet_and_of_foreign_columns_are_read() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let folder = tempfile::tempdir().unwrap();
    let read = |bytes: &[u8], columns: Option<Arc<Columns>>| {
        fs::write(folder.path().join("seed"), bytes).unwrap();
        let mut source = source(folder.path(), None, &["seed"]);
        if columns.is_some() {
            source = FileSource::new(FileSourceOptions {
                name: Label::new("test"),
                format: Some(FileFormat::Plain),
                paths: vec!["seed".to_owned()],
                base: folder.path().to_owned(),
                defaults: Vec::new(),
                columns,
                asked: None,
                latest: time("2026-12-01T00:00:00Z"),
                env: |_| None,
            });
        }
        let mut probed = Probed::default();
        source.read(&Checkpoints::new(), &mut probed).unwrap();
        assert_eq!(probed.fault(), None);
        probed
    };
    let texts = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    let columns = texts(&[
        ("ts", "offset * 0.5"),
        ("model", "m"),
        ("team", "who"),
        ("input_tokens", "in"),
    ]);
    let columns = Columns::new(
        &columns,
        &texts(&[("provider", "openai")]),
        Some(time("2026-10-01T00:00:00Z")),
    );
    let columns = Arc::new(columns.unwrap());
    for name in ["table", "lines"] {
        let bytes = fs::read(seeds.join("columns").join(name)).unwrap();
        assert_eq!(read(&bytes, Some(Arc::clone(&columns))).events.len(), 2, "{name}");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] = BYTES[at % BYTES.len()];
            read(&changed, Some(Arc::clone(&columns)));
        }
    }
    if cfg!(feature = "parquet") {
        let mut bills = Vec::new();
        for name in ["decimals", "doubles", "plain", "map", "group"] {
            let bytes = fs::read(seeds.join("parquet").join(name).with_extension("parquet")).unwrap();
            bills.push(read(&bytes, None).bills);
            for at in (0..bytes.len()).step_by(29) {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                read(&changed, None);
            }
        }
        assert_eq!(bills[0].len(), 1);
        let (texts, nested) = bills.split_at(3);
        assert!(
            texts.iter().all(|bill| *bill == bills[0]),
            "the same rows, written in three ways"
        );
        assert_eq!(nested[0].len(), 1);
        assert_eq!(nested[0], nested[1], "the same tags as a map and as a group");
    }
}
