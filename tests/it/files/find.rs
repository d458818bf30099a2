//! The record of a call is found again in what its source was read from.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use finops::adapters::files::{FileFinder, FileFormat, FileSourceOptions};
use finops::domain::label::Label;
use finops::domain::usage::UsageEvent;
use finops::ports::{Located, RecordFinder};

use super::{Kept, read_on, time};

fn find(call: &UsageEvent, kept: &Kept, enough: &(dyn Fn() -> bool + Sync)) -> Located {
    let mut finder = FileFinder::new(FileSourceOptions {
        name: Label::new("test"),
        format: None,
        paths: Vec::new(),
        base: std::path::PathBuf::new(),
        defaults: Vec::new(),
        columns: None,
        asked: None,
        latest: time("2026-12-01T00:00:00Z"),
        env: |_| None,
    });
    finder.find(call, &kept.checkpoints, enough)
}

fn lies(located: &Located) -> Option<(&str, u64)> {
    let place = located.found.as_ref()?;
    Some((Path::new(&place.file).file_name()?.to_str()?, place.line))
}

#[test]
fn a_call_of_every_format_is_found_where_it_was_read() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let folder = tempfile::tempdir().unwrap();
    let mut formats = 0;
    for format in FileFormat::ALL {
        let seed = fs::read(corpus.join(format.name()).join("seed")).unwrap();
        let file = format!("{format}.jsonl");
        fs::write(folder.path().join(&file), &seed).unwrap();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, &seed).unwrap();
        fs::write(
            folder.path().join(format!("{format}.json.gz")),
            packed.finish().unwrap(),
        )
        .unwrap();
        for file in [file, format!("{format}.json.gz")] {
            let mut kept = Kept::default();
            read_on(folder.path(), &[&file], &mut kept);
            for call in kept.calls.values() {
                let located = find(call, &kept, &|| false);
                assert_eq!(lies(&located), Some((file.as_str(), call.rank.line)), "{call:?}");
                assert!(call.rank.line > 0);
            }
            formats += usize::from(!kept.calls.is_empty());
        }
    }
    assert_eq!(formats, 2 * 22, "all formats but those of bills");
}

fn plain(id: &str, output: u64) -> String {
    format!(
        "{{\"id\":\"{id}\",\"ts\":\"2026-10-20T08:00:00Z\",\"provider\":\"p\",\"model\":\"m\",\"output_tokens\":{output}}}\n"
    )
}

/// Files `0.jsonl` and so on with ten calls each, and the call `x` twice: the later line counts.
fn several(folder: &Path) -> (Kept, UsageEvent) {
    let mut kept = Kept::default();
    for file in 0..4 {
        let mut text: String = (0..10).map(|n| plain(&format!("{file}-{n}"), 1)).collect();
        match file {
            1 => text += &plain("x", 7),
            2 => text = text.clone() + &plain("y", 1) + &plain("x", 8),
            _ => {}
        }
        fs::write(folder.join(format!("{file}.jsonl")), text).unwrap();
    }
    read_on(folder, &["*.jsonl"], &mut kept);
    let call = kept.calls.values().find(|call| call.tokens.total() == 8).copied();
    (kept, call.unwrap())
}

#[test]
fn of_two_observations_the_one_that_counts_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, call) = several(folder.path());
    let located = find(&call, &kept, &|| false);
    assert_eq!(lies(&located), Some(("2.jsonl", 12)));
    assert_eq!(located.unreadable + located.left + located.elsewhere, 0);

    // Its file is gone: the other one is named.
    fs::remove_file(folder.path().join("2.jsonl")).unwrap();
    let located = find(&call, &kept, &|| false);
    assert_eq!(located.found, None);
    assert_eq!((located.searched, located.unreadable, located.others), (3, 1, 1));
    assert!(located.first_unreadable.unwrap().contains("2.jsonl: "));
    assert!(located.another.unwrap().file.ends_with("1.jsonl"));

    // Where it stood stands something else now.
    fs::write(folder.path().join("2.jsonl"), plain("z", 8).repeat(20)).unwrap();
    let located = find(&call, &kept, &|| false);
    assert_eq!((located.found, located.searched), (None, 4));
}

#[cfg(unix)]
#[test]
fn what_became_a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, call) = several(folder.path());
    let file = folder.path().join("2.jsonl");
    fs::remove_file(&file).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&file)
            .status()
            .unwrap()
            .success()
    );
    let located = find(&call, &kept, &|| false);
    assert_eq!((located.found, located.unreadable), (None, 1));
}

#[test]
fn the_search_ends_when_the_time_is_used_up() {
    let folder = tempfile::tempdir().unwrap();
    let (mut kept, call) = several(folder.path());
    let located = find(&call, &kept, &|| true);
    assert_eq!((located.found, located.searched, located.left), (None, 0, 4));

    // In the middle of one file, too: what has no end is not read to its end.
    fs::write(folder.path().join("long.jsonl"), "not a record\n".repeat(1 << 20)).unwrap();
    kept.checkpoints.retain(|path, _| path.ends_with("0.jsonl"));
    let (_, at) = kept.checkpoints.drain().next().unwrap();
    let long = folder.path().join("long.jsonl").to_str().unwrap().to_owned();
    kept.checkpoints.insert(long, at);
    let asked = AtomicUsize::new(0);
    let located = find(&call, &kept, &|| asked.fetch_add(1, Ordering::Relaxed) >= 8);
    assert_eq!((located.found, located.searched, located.left), (None, 0, 1));
    assert_eq!(located.unreadable, 0);
    assert!(asked.into_inner() < 20);
}
