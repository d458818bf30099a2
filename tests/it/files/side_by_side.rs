//! Many large files are read by two threads: what comes of it is what comes of one file after another.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use finops::domain::dimension::Dimension;
use finops::domain::label::Label;
use finops::domain::spend::Bill;
use finops::domain::usage::UsageEvent;
use finops::ports::{Checkpoint, Progress, Rejection, Rest, Sink, SourceError, StoreError, UsageSource};

use super::{Kept, read_on, source};

const FILES: usize = 36;
const CALLS: usize = 64;

/// Session logs of a mebibyte each: every call stands in two files, once before it had ended; some lines are no records.
fn fill(base: &Path) {
    let long = "word ".repeat(3200);
    for file in 0..FILES {
        let mut text = String::new();
        for call in 0..CALLS {
            for (place, output, stop) in [(file, 7, "null"), ((file + 1) % FILES, 700 + call, "\"end_turn\"")] {
                let body = if place == file { &long } else { "short" };
                writeln!(
                    text,
                    r#"{{"type":"assistant","timestamp":"2026-10-{:02}T10:{:02}:00.000Z","sessionId":"s{file}","cwd":"/srv/p{}","requestId":"req_{place}_{call}","message":{{"id":"msg_{place}_{call}","model":"claude-sonnet-4-5","content":[{{"type":"text","text":"{body}"}}],"stop_reason":{stop},"usage":{{"input_tokens":{},"cache_read_input_tokens":{},"output_tokens":{output}}}}}}}"#,
                    1 + place % 28,
                    call % 60,
                    place % 3,
                    10 + call,
                    place * 1000,
                )
                .unwrap();
            }
            if file % 9 == 4 && call == 40 {
                text.push_str("{\"type\":\"assistant\",\"message\":{\"id\":\"bad\",\"usage\":{\"input_tokens\":-1}}}\n\n{broken\n");
            }
        }
        fs::write(base.join(format!("session-{file:02}.jsonl")), text).unwrap();
    }
    let plain: String = (0..500)
        .map(|n| {
            format!(
                "{{\"id\":\"e{n}\",\"ts\":\"2026-10-03T0{}:00:00Z\",\"provider\":\"openai\",\"model\":\"gpt-5\",\"input_tokens\":{n}}}\n",
                n % 10
            )
        })
        .collect();
    fs::write(base.join("a-plain.jsonl"), plain).unwrap();
    fs::create_dir(base.join("notes")).unwrap();
    fs::write(base.join("notes/notes.jsonl"), "nothing of use\n").unwrap();
    // What depends on other files is read in order: a bill over two files, and calls without spend that are told apart.
    for (name, cost) in [("m-bill-1.csv", "1.25"), ("z-bill-2.csv", "2.50")] {
        fs::write(
            base.join(name),
            format!(
                "BilledCost,EffectiveCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,BillingAccountId,ChargePeriodStart,ChargePeriodEnd,ServiceName,ProviderName,ChargeCategory\n\
                 {cost},{cost},USD,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,acc,2026-10-05T03:00:00Z,2026-10-05T04:00:00Z,Amazon Bedrock,AWS,Usage\n"
            ),
        )
        .unwrap();
    }
    for name in ["c-litellm.jsonl", "y-litellm.jsonl"] {
        fs::write(
            base.join(name),
            "{\"request_id\":\"r1\",\"call_type\":\"acompletion\",\"startTime\":\"2026-10-05T03:00:00Z\",\"endTime\":\"2026-10-05T03:00:02Z\",\"model\":\"gpt-5\",\"custom_llm_provider\":\"openai\",\"spend\":0.5,\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,\"cache_hit\":\"True\"}\n",
        )
        .unwrap();
    }
}

fn one_by_one(base: &Path) -> Kept {
    let mut names: Vec<String> = fs::read_dir(base)
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.contains("bill") && !name.contains("litellm") && !name.contains("notes"))
        .collect();
    names.sort();
    let mut kept = Kept::default();
    for name in &names {
        read_on(base, &[name], &mut kept);
    }
    read_on(base, &["notes", "c-*", "m-*", "y-*", "z-*"], &mut kept);
    kept
}

fn assert_same(kept: &Kept, expected: &Kept) {
    assert_eq!(kept.calls.len(), expected.calls.len());
    // Whose calls they are is set by whoever merges them: the engine, or the thread that reads.
    let named = |call: &UsageEvent| {
        let mut call = *call;
        call.dimensions.set(Dimension::Source, Label::new("test"));
        call
    };
    for (id, call) in &expected.calls {
        assert_eq!(kept.calls.get(id).map(named), Some(named(call)));
    }
    let sorted = |kept: &Kept| {
        let mut all: Vec<_> = kept
            .rejected
            .iter()
            .map(|r| (r.file.clone(), r.line, r.reason.clone()))
            .collect();
        all.sort();
        all
    };
    assert_eq!(sorted(kept), sorted(expected));
    assert_eq!(kept.checkpoints, expected.checkpoints);
    assert_eq!(
        (&kept.excluded, &kept.warnings),
        (&expected.excluded, &expected.warnings)
    );
    let read = |p: &Progress| (p.files, p.lines, p.bytes);
    assert_eq!(read(&kept.progress), read(&expected.progress));
    let bills = |kept: &Kept| {
        kept.bills
            .iter()
            .map(|b| (b.identity.clone(), b.rows.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(bills(kept), bills(expected));
}

/// Finds that the time is used up when so many files are read, or fails when so many calls are.
#[derive(Default)]
struct Limited {
    kept: Kept,
    files: u64,
    calls: Option<usize>,
    left: Rest,
}

impl Sink for Limited {
    fn usage(&mut self, events: &[UsageEvent]) -> Result<(), StoreError> {
        if self.calls.is_some_and(|most| self.kept.calls.len() >= most) {
            return Err(StoreError::Failed {
                path: "ledger".to_owned(),
                cause: "full".to_owned(),
            });
        }
        self.kept.usage(events)
    }
    fn bill(&mut self, bill: Bill) -> Result<(), StoreError> {
        self.kept.bill(bill)
    }
    fn checkpoint(&mut self, key: &str, at: Checkpoint) -> Result<(), StoreError> {
        self.kept.checkpoint(key, at)
    }
    fn reject(&mut self, rejection: Rejection) {
        self.kept.reject(rejection);
    }
    fn exclude(&mut self, kind: &'static str, count: u64) {
        self.kept.exclude(kind, count);
    }
    fn warn(&mut self, about: &str, count: u64) {
        self.kept.warn(about, count);
    }
    fn progress(&mut self, read: Progress) {
        self.kept.progress(read);
    }
    fn enough(&self) -> bool {
        self.kept.progress.files >= self.files
    }
    fn left(&mut self, rest: Rest) {
        self.left = rest;
    }
}

#[test]
fn what_two_threads_read_is_what_one_reads() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    fill(base);
    let expected = one_by_one(base);
    assert_eq!(expected.calls.len(), FILES * CALLS + 500);
    assert_eq!((expected.rejected.len(), expected.bills.len()), (8, 1));
    assert_eq!(expected.progress.files, FILES as u64 + 6);
    assert!(expected.progress.bytes > 33 << 20, "less is read by one thread");
    assert_eq!(expected.excluded.get("duplicate_records"), Some(&1));

    let mut kept = Kept::default();
    read_on(base, &["."], &mut kept);
    assert_same(&kept, &expected);
    let before = kept.progress;
    read_on(base, &["."], &mut kept);
    assert_eq!(kept.progress.lines, before.lines);

    // The time is used up after some files: the rest is told, and read by the next run.
    let mut short = Limited {
        files: 6,
        ..Limited::default()
    };
    source(base, None, &["."]).read(&kept_none(), &mut short).unwrap();
    let begun = short.kept.progress.files;
    assert!((6..12).contains(&begun), "{begun}");
    assert_eq!(short.left.files + begun, expected.progress.files);
    let mut whole = short.kept;
    read_on(base, &["."], &mut whole);
    assert_same(&whole, &expected);
}

fn kept_none() -> finops::ports::Checkpoints {
    finops::ports::Checkpoints::new()
}

#[test]
fn a_ledger_that_fails_ends_both_threads() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let mut failing = Limited {
        files: u64::MAX,
        calls: Some(0),
        ..Limited::default()
    };
    let read = source(folder.path(), None, &["."]).read(&kept_none(), &mut failing);
    assert!(matches!(read, Err(SourceError::Store(_))), "{read:?}");
    assert!(failing.kept.checkpoints.is_empty());
}
