//! Lines that are read together against the same lines read one by one.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::super::otel::Traces;
use super::super::readers::Shared;
use super::super::{FileFormat, FileSourceOptions};
use super::*;
use crate::domain::label::Label;
use crate::domain::spend::Bill;
use crate::domain::usage::UsageEvent;
use crate::ports::{Checkpoint, Progress, Rejection, Sink, StoreError};

/// All that is told of a file.
#[derive(Default, Debug, PartialEq)]
struct Told {
    calls: Vec<UsageEvent>,
    rejected: Vec<(u64, Option<String>, String, Vec<u8>)>,
    /// Sorted: what is told of calls that are handed over together has no order.
    beside: std::collections::BTreeMap<String, u64>,
    lines: u64,
    bytes: u64,
    checkpoint: Vec<u8>,
}

impl Sink for Told {
    fn usage(&mut self, events: &[UsageEvent]) -> Result<(), StoreError> {
        self.calls.extend_from_slice(events);
        Ok(())
    }
    fn bill(&mut self, _: Bill) -> Result<(), StoreError> {
        Ok(())
    }
    fn checkpoint(&mut self, _: &str, at: Checkpoint) -> Result<(), StoreError> {
        self.checkpoint = at.0;
        Ok(())
    }
    fn reject(&mut self, r: Rejection) {
        self.rejected.push((r.line, r.field, r.reason, r.raw));
    }
    fn exclude(&mut self, kind: &'static str, count: u64) {
        *self.beside.entry(kind.to_owned()).or_default() += count;
    }
    fn warn(&mut self, about: &str, count: u64) {
        *self.beside.entry(about.to_owned()).or_default() += count;
    }
    fn progress(&mut self, read: Progress) {
        self.lines += read.lines;
        self.bytes += read.bytes;
    }
}

/// Gives a byte at a time, so that no line is read ahead.
struct Dripping<'t>(&'t [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let one = to.get_mut(..1).unwrap_or_default();
        self.0.read(one)
    }
}

fn read(input: Input<'_>, format: FileFormat) -> Told {
    // As one that is gone on with: nothing of it is looked at before.
    read_as(input, Some(format))
}

fn read_as(input: Input<'_>, resumed: Option<FileFormat>) -> Told {
    let latest: DateTime<Utc> = "2026-11-20T00:00:00Z".parse().unwrap();
    let options = FileSourceOptions {
        name: Label::new("lines"),
        format: None,
        paths: Vec::new(),
        base: PathBuf::new(),
        defaults: Vec::new(),
        columns: None,
        asked: None,
        latest,
        env: |_| None,
    };
    let shared = Shared::new(Vec::new(), Arc::new(Mutex::new(Traces::default())), None);
    let mut told = Told::default();
    let mut run = Run::new(&options, shared, &mut told);
    let position = Position {
        resumable: true,
        ..Position::default()
    };
    let read = run.stream(input, "a.jsonl", true, Some(position), resumed);
    assert!(read.is_ok());
    run.tell(true);
    told
}

fn claude(n: u32, kind: u32) -> String {
    let id = n.wrapping_mul(2_654_435_761);
    let model = ["claude-sonnet-4-6", "claude-opus-4-6", "é", "<synthetic>"][usize::from(kind == 9) * (n as usize % 4)];
    let text = match kind {
        1 => r#"a \"quote\" and an end \\"#.to_owned(),
        2 => "ü".repeat(40),
        3 => "line\nend".to_owned(),
        4 => format!("{}\n", "x".repeat(90)),
        5 => "x\\\n".to_owned(),
        _ => "ok".to_owned(),
    };
    let stop = if n.is_multiple_of(5) { "null" } else { "\"end_turn\"" };
    let time = match kind {
        6 => "2026-13-01",
        24 => "2026-08-01T00:00:05",
        _ => "2026-08-01T00:00:05.390Z",
    };
    let session = if kind == 7 {
        "null".to_owned()
    } else {
        format!("\"s-{}\"", n / 7)
    };
    let input = if kind == 8 {
        "-1".to_owned()
    } else {
        (id % 9_999).to_string()
    };
    let more = match kind {
        10 => r#","costUSD":0.25"#,
        11 => r#","isApiErrorMessage":true"#,
        12 => r#","x":[1, {"y" : null}]"#,
        _ => "",
    };
    let r#type = if kind == 13 { "user" } else { "assistant" };
    // OpenRouter's tell what they cost.
    let (space, cost) = if kind == 23 {
        ("gen-", r#","cost":1"#)
    } else {
        ("msg_", "")
    };
    let iterations = match kind {
        25 => {
            r#","iterations":[{"type":"message","input_tokens":1,"output_tokens":2},{"type":"advisor_message","model":"claude-opus-4-6","input_tokens":3,"output_tokens":4}]"#
        }
        _ => "",
    };
    let twice = if kind == 26 {
        r#""requestId":null,"requestId":7,"#
    } else {
        ""
    };
    format!(
        r#"{{"parentUuid":null,"isSidechain":false,"cwd":"/srv/repo","sessionId":{session},"type":"{type}",{twice}"uuid":"u{id:010}","timestamp":"{time}","message":{{"id":"{space}{id:010}","model":"{model}","content":[{{"type":"text","text":"{text}"}}],"note":"{text}","stop_reason":{stop},"usage":{{"input_tokens":{input},"cache_creation_input_tokens":{},"output_tokens":{},"service_tier":"standard"{cost}{iterations}}}}}{more}}}"#,
        n % 1_000,
        id % 100_000,
    )
}

fn plain(n: u32, kind: u32) -> String {
    let id = n.wrapping_mul(2_654_435_761);
    let ts = match kind {
        6 => "yesterday",
        7 | 24 => "2026-08-01T00:00:05",
        _ => "2026-08-01T00:00:05.390Z",
    };
    let user = match kind {
        1 => "a\\\"b".to_owned(),
        2 => "ü".repeat(20),
        3 => "a\nb".to_owned(),
        4 => "long".repeat(200),
        _ => format!("u{}", n % 9),
    };
    let output = if kind == 8 {
        "1.5".to_owned()
    } else {
        (id % 5_000).to_string()
    };
    let (output, status) = if kind == 9 {
        ("0".to_owned(), "failed")
    } else {
        (output, "ok")
    };
    let input = if kind == 9 { 0 } else { id % 77 };
    let more = match kind {
        10 => r#","x_own":"\\""#,
        11 => r#","cost_usd":0.50"#,
        12 => r#","unknown":1"#,
        13 => r#", "team" : "data""#,
        _ => "",
    };
    format!(
        r#"{{"id":"e{id:010}","ts":"{ts}","provider":"openai","model":"gpt-5-mini","input_tokens":{input},"output_tokens":{output},"user":"{user}","status":"{status}"{more}}}"#
    )
}

fn line(format: FileFormat, n: u32, kind: u32) -> Vec<u8> {
    let record = if format == FileFormat::ClaudeCode {
        claude(n, kind)
    } else {
        plain(n, kind)
    };
    let line = match kind {
        14 => String::new(),
        15 => format!("  {record} "),
        16 => format!("{record},"),
        17 => record + &claude(n + 1, 0),
        18 => serde_json::to_string(&record).unwrap(),
        19 => format!("\0\0{record}"),
        20 => record[..record.len() / 2].to_owned(),
        21 => plain(n, 0),
        22 => claude(n, 0),
        _ => record,
    };
    line.into_bytes()
}

/// Mostly lines of one form.
fn kind() -> impl Strategy<Value = u32> {
    prop_oneof![6 => Just(0_u32), 1 => 0..23_u32, 1 => prop_oneof![Just(10_u32), Just(13)]]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever stands in a file, it is read as one that comes slowly.
    #[test]
    fn lines_that_are_there_are_read_as_those_that_come_one_by_one(
        is_claude in any::<bool>(),
        lines in prop::collection::vec((0..400_u32, kind(), 0..12_u32), 1..90),
        usual in prop_oneof![3 => Just(0_u32), 1 => 23..27_u32],
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![Just(b'\n'), Just(b'\r'), Just(0xff_u8), Just(0), Just(b'"'), Just(b'\\'), any::<u8>()]), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let format = if is_claude { FileFormat::ClaudeCode } else { FileFormat::Plain };
        let mut file = Vec::new();
        for (n, kind, end) in lines {
            file.extend(line(format, n, if kind == 0 { usual } else { kind }));
            file.extend_from_slice(if end == 0 { b"\r\n" } else { b"\n" });
        }
        for (at, byte) in damage {
            *at.get_mut(&mut file) = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        let together = read(Box::new(file.as_slice()), format);
        let alone = read(Box::new(Dripping(&file)), format);
        prop_assert_eq!(together, alone);
    }
}

#[test]
fn damaged_lines_in_a_large_file_are_told_where_they_are() {
    for format in [FileFormat::ClaudeCode, FileFormat::Plain] {
        let mut file = Vec::new();
        for n in 0..2_000 {
            let mut line = line(format, n, 0);
            match n % 700 {
                100 => line.extend_from_slice(b"\xff"),
                200 => line.truncate(40),
                300 => line.insert(0, 0),
                _ => {}
            }
            file.extend(line);
            file.push(b'\n');
        }
        let together = read(Box::new(file.as_slice()), format);
        let lines: Vec<u64> = together.rejected.iter().map(|(line, ..)| *line).collect();
        assert_eq!(lines, [101, 201, 801, 901, 1501, 1601]);
        assert_eq!((together.calls.len(), together.lines), (1_994, 2_000));
        assert_eq!(together, read(Box::new(Dripping(&file)), format));
    }
}

#[test]
fn zero_bytes_are_told_for_each_place_that_they_stand_at() {
    for format in [FileFormat::ClaudeCode, FileFormat::Plain] {
        for places in ["x", "0", "x0x0", "0x0xx0", "00"] {
            let mut file = Vec::new();
            for (n, place) in (0..).zip(places.chars()) {
                file.extend_from_slice(if place == '0' { b"\0\0" } else { b"" });
                file.extend(line(format, n, 0));
                file.push(b'\n');
            }
            let told = read_as(Box::new(file.as_slice()), None);
            let zeros = told.beside.iter().filter(|(about, _)| about.contains("zero bytes"));
            let count: u64 = zeros.map(|(_, count)| count).sum();
            assert_eq!(count, places.matches('0').count() as u64, "{places}");
            assert_eq!(told.calls.len(), places.len());
        }
    }
}

/// Nothing but what is null may be given twice, and that as often as anyone likes.
#[test]
fn keys_that_come_again_and_again_are_read_as_those_of_a_line_alone() {
    let twice = |first: &str, again: &str| {
        let mut file = Vec::new();
        for n in 0..80 {
            let many = format!(r#""uuid":{},"#, if n == 0 { first } else { again }).repeat(300);
            let text = claude(n, 0).replace(r#""uuid":"#, &format!(r#"{many}"uuid":"#));
            file.extend(text.into_bytes());
            file.push(b'\n');
        }
        file
    };
    for (first, again) in [("null", "null"), ("null", "2"), ("2", "2")] {
        let file = twice(first, again);
        let together = read(Box::new(file.as_slice()), FileFormat::ClaudeCode);
        assert_eq!(together, read(Box::new(Dripping(&file)), FileFormat::ClaudeCode));
    }
}
