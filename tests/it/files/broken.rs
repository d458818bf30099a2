//! Broken records and rows: they are told with file and line, and what stands around them counts.

use finops::domain::usage::Bucket;
use std::fmt::Write as _;
use std::fs;
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use finops::adapters::files::{CLOCK_SKEW, FileSource, FileSourceOptions};
use finops::domain::label::Label;
use finops::ports::UsageSource as _;

use super::{Kept, read_on, read_text};

fn record(n: usize) -> String {
    format!(
        r#"{{"id":"g-{n}","ts":"2026-10-20T08:15:04Z","provider":"anthropic","model":"claude-sonnet-4-6","output_tokens":1,"x_y":[{{"z":"}}"}}]}}"#
    )
}

fn pretty(text: &str) -> String {
    let parsed: serde_json::Value = serde_json::from_str(text).unwrap();
    serde_json::to_string_pretty(&parsed).unwrap()
}

/// Ways in which a record is broken.
const BREAKS: [(&str, &str); 5] = [
    (r#""provider":""#, r#""provider:""#),
    (r#""provider": ""#, r#""provider: ""#),
    ("]}", "]"),
    ("]\n}", "]\n"),
    (r#","x_y":[{"z":"}"}]}"#, r#","x_y":[{"z":"#),
];

#[test]
fn behind_a_broken_value_reading_goes_on_at_the_next_line_that_begins_one() {
    let compact: Vec<String> = (0..30).map(record).collect();
    let indented: Vec<String> = compact.iter().map(|text| pretty(text)).collect();
    let shifted: Vec<String> = indented
        .iter()
        .map(|text| {
            text.lines()
                .map(|line| format!("  {line}"))
                .collect::<Vec<_>>()
                .join("\n")
        })
        .collect();
    for (records, open, between, close) in [
        (&compact, "[\n", ",\n", "\n]\n"),
        (&compact, "[", ", \n ", "]"),
        (&indented, "", "\n", "\n"),
        (&shifted, "[\n", ",\n", "\n]\n"),
        (&indented, "[", ", ", "]"),
    ] {
        let mut tried = 0;
        for (sound, broken) in BREAKS {
            for at in [0, 3, 28] {
                let mut records = records.clone();
                let whole = std::mem::take(&mut records[at]);
                records[at] = whole.replace(sound, broken);
                if records[at] == whole {
                    continue;
                }
                tried += 1;
                let before = open.matches('\n').count() + records[..at].join(between).matches('\n').count();
                let line = before + if at > 0 { between.matches('\n').count() } else { 0 } + 1;
                let kept = read_text("a.json", open.to_owned() + &records.join(between) + close);
                assert_eq!(kept.calls.len(), 29, "{at} {broken}: {:?}", kept.rejected);
                // What is left over of it may be told by the line.
                let told: Vec<usize> = kept.rejected.iter().map(|r| r.line as usize).collect();
                assert_eq!(told[0], line, "{at} {broken}");
                let lines = line..=line + records[at].matches('\n').count();
                assert!(told.iter().all(|told| lines.contains(told)), "{at} {broken}: {told:?}");
                assert!(kept.rejected[0].raw.starts_with(b"{"));
                assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
            }
        }
        assert!(tried >= 3);
    }
}

#[test]
fn what_is_broken_on_a_line_of_many_is_told_and_no_longer_waited_for() {
    let flat = |n| record(n).replace(r#","x_y":[{"z":"}"}]"#, "");
    let mut records: Vec<String> = (0..5).map(flat).collect();
    records[2] = records[2].replace(r#""provider":""#, r#""provider:""#);
    let kept = read_text("a.json", format!("[{}]", records.join(",")));
    assert_eq!(kept.calls.len(), 2);
    let told = &kept.rejected[0];
    assert!(
        told.line == 1 && told.reason.ends_with("; nothing behind it could be read"),
        "{told:?}"
    );
}

fn at(folder: &tempfile::TempDir, latest: DateTime<Utc>) -> FileSource {
    FileSource::new(FileSourceOptions {
        name: Label::new("test"),
        format: None,
        paths: vec![".".to_owned()],
        base: folder.path().to_owned(),
        defaults: Vec::new(),
        columns: None,
        asked: None,
        latest: latest + CLOCK_SKEW,
        env: |_| None,
    })
}

#[test]
fn what_is_not_complete_yet_waits_and_what_begins_lines_within_a_sound_value_is_no_other() {
    // Not indented at all: objects of a list look as if they were records.
    let flat: Vec<String> = (0..3)
        .map(|n| pretty(&record(n)).lines().map(str::trim).collect::<Vec<_>>().join("\n"))
        .collect();
    let whole = format!("[\n{}\n]\n", flat.join(",\n"));
    let kept = read_text("a.json", &whole);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (3, 0), "{:?}", kept.rejected);
    let now = DateTime::<Utc>::from(SystemTime::now());
    for cut in 1..flat[2].len() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.json"), &whole[..whole.len() - 3 - cut]).unwrap();
        let mut kept = Kept::default();
        let read = |later: i64, kept: &mut Kept| {
            let known = kept.checkpoints.clone();
            at(&folder, now + TimeDelta::minutes(later)).read(&known, kept).unwrap();
            (kept.calls.len(), kept.rejected.len())
        };
        assert_eq!(read(0, &mut kept), (2, 0), "{cut}");
        fs::write(folder.path().join("a.json"), &whole).unwrap();
        assert_eq!(read(0, &mut kept), (3, 0), "{cut}");
    }
}

#[test]
fn a_page_with_a_record_on_each_line_is_one_value() {
    let records: Vec<String> = (0..3)
        .map(|n| {
            format!(
                r#"{{"id":"o{n}","traceId":"t","type":"GENERATION","name":"a","startTime":"2026-11-02T00:00:00Z","model":"gpt-4o","usageDetails":{{"input":5,"output":7}}}}"#
            )
        })
        .collect();
    for text in [
        format!(
            "{{\"data\": [\n{}\n],\n\"meta\": {{\"page\": 1}}}}\n",
            records.join(",\n")
        ),
        format!("{}\n{}\n{}\n", pretty(&records[0]), records[1], records[2]),
    ] {
        let kept = read_text("page.json", text);
        assert_eq!((kept.calls.len(), kept.rejected.len()), (3, 0), "{:?}", kept.rejected);
    }
}

const HEADER: &str = "id,ts,provider,model,output_tokens,x_note";

fn rows(count: usize) -> Vec<String> {
    let row = |n| format!("c-{n},2026-10-20T08:15:04Z,anthropic,claude-sonnet-4-6,1,\"a \"\"b\"\", c\"");
    (0..count).map(row).collect()
}

#[test]
fn a_quote_that_is_never_closed_swallows_no_row_behind_it() {
    for end in ["\n", "\r\n"] {
        let whole = rows(40);
        let several = |row: &str| row.replace("c\"", &format!("c{end}d, e{end}{end}f\""));
        for (broken, sound) in [
            // Where nothing closes it, and where the quotes of the next row seem to.
            (whole[3].replace("c\"", "c"), rows(0)),
            (whole[3].replace("c\"", "c"), whole[4..].to_vec()),
            (
                whole[3].replace("anthropic", "\"anthropic"),
                whole[4..].iter().map(|row| several(row)).collect(),
            ),
            (
                whole[3].replace("c\"", "c"),
                whole[4..]
                    .iter()
                    .map(|row| row.replace('"', ""))
                    .map(|row| row.replace(", c", ""))
                    .collect(),
            ),
        ] {
            let mut all: Vec<String> = vec![HEADER.to_owned()];
            all.extend(whole[..2].iter().cloned());
            all.extend([several(&whole[2]), broken]);
            let calls = if sound.is_empty() { 4 } else { 3 + sound.len() };
            let refused: Vec<u64> = if sound.is_empty() { vec![] } else { vec![8] };
            all.extend(sound);
            let kept = read_text("a.csv", all.join(end) + end);
            let told: Vec<u64> = kept.rejected.iter().map(|r| r.line).collect();
            assert_eq!((kept.calls.len(), told), (calls, refused), "{:?}", kept.rejected);
        }
    }
}

#[test]
fn a_bill_with_a_quote_that_is_never_closed_is_none() {
    let head = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ProviderName,ServiceName,ChargeDescription";
    let row = "1,1,USD,a,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,2026-10-20T00:00:00Z,2026-10-21T00:00:00Z,Usage,AWS,s,text";
    for (broken, ends) in [
        (vec![3], "\n"),
        (vec![3], ""),
        (vec![3, 20], "\n"),
        (vec![29], "\n"),
        (vec![], "\n"),
    ] {
        let mut rows = vec![row.to_owned(); 30];
        broken
            .iter()
            .for_each(|at: &usize| rows[*at] = row.replace("text", "\"text"));
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("bill.csv"),
            format!("{head}\n{}{ends}", rows.join("\n")),
        )
        .unwrap();
        let mut kept = Kept::default();
        read_on(folder.path(), &["."], &mut kept);
        let sound = broken.is_empty();
        assert_eq!(
            (kept.bills.len(), kept.rejected.len()),
            (usize::from(sound), usize::from(!sound)),
            "{broken:?}"
        );
        assert!(
            kept.rejected.iter().all(|r| r.reason.contains("row")),
            "{:?}",
            kept.rejected
        );
    }
}

#[test]
fn files_that_are_broken_on_every_line_take_time_in_proportion() {
    let mut values = "[\n".to_owned();
    let mut table = HEADER.to_owned() + "\n";
    for n in 0..150_000 {
        values += ["{\n", "{\"a\":[\n", "{\"\n"][n % 3];
        writeln!(table, "x\"y,\"b").unwrap();
    }
    values += &format!("{}\n]\n", record(1));
    writeln!(table, "{}", rows(1)[0]).unwrap();
    for (name, text) in [("a.json", values), ("a.csv", table)] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        let mut kept = Kept::default();
        super::source(folder.path(), Some(finops::adapters::files::FileFormat::Plain), &["."])
            .read(&Default::default(), &mut kept)
            .unwrap();
        assert_eq!(kept.calls.len(), 1, "{name}");
        assert!(!kept.rejected.is_empty(), "{name}");
    }
}

#[test]
fn of_a_stream_in_two_files_the_end_counts() {
    let gemini = |id: &str, output: u64, end: &str| {
        format!(
            r#"{{"responseId":"{id}","modelVersion":"gemini-2.5-flash","createTime":"2026-11-02T00:00:00Z","candidates":[{{"content":{{"parts":[{{"text":"x"}}]}}{end}}}],"usageMetadata":{{"promptTokenCount":10,"candidatesTokenCount":{output}}}}}"#
        )
    };
    let chunk = |id: &str, output: u64, choices: &str| {
        format!(
            r#"{{"id":"{id}","object":"chat.completion.chunk","created":1792484104,"model":"gpt-4o","choices":[{choices}],"usage":{{"prompt_tokens":10,"completion_tokens":{output},"total_tokens":{}}}}}"#,
            output + 10
        )
    };
    let (stop, going) = (r#","finishReason":"STOP""#, r#"{"delta":{},"finish_reason":null}"#);
    let end = r#"{"delta":{},"finish_reason":"stop"}"#;
    for (before, last) in [
        ([gemini("o", 0, stop), gemini("s", 950, "")], gemini("s", 900, stop)),
        ([chunk("o", 0, end), chunk("s", 950, going)], chunk("s", 900, end)),
        ([chunk("o", 0, end), chunk("s", 5, going)], chunk("s", 900, "")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.jsonl.1"), before.join("\n") + "\n").unwrap();
        fs::write(folder.path().join("a.jsonl"), last + "\n").unwrap();
        let mut kept = Kept::default();
        read_on(folder.path(), &["."], &mut kept);
        assert_eq!((kept.calls.len(), kept.totals()[4]), (2, 900), "{before:?}");
    }
}

#[test]
fn answers_whose_usage_nobody_here_knows_are_told() {
    let line = r#"{"type":"assistant","timestamp":"2026-10-20T08:15:04.120Z","sessionId":"s","uuid":"u","requestId":"r","message":{"id":"msg_1","model":"claude-haiku-4-5","stop_reason":"end_turn","usage":{"inputTokens":500,"outputTokens":3}}}"#;
    for told in [
        line,
        r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-6","stop_reason":"end_turn","usage":{"inputTokenz":5}}"#,
        r#"{"responseId":"g","modelVersion":"gemini-2.5-pro","createTime":"2026-10-20T08:15:04Z","candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokens":60}}"#,
    ] {
        let kept = read_text("a.jsonl", told);
        assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1), "{told}");
        assert_eq!(
            kept.warnings.get("calls without usage: coverage gap"),
            Some(&1),
            "{told}"
        );
    }
    let going = read_text("a.jsonl", line.replace(r#""end_turn""#, "null"));
    assert_eq!((going.excluded.len(), going.warnings.len()), (0, 0));
}

/// What looks like another tool's record at a glance is read as what it is.
#[test]
fn keys_that_others_use_too_take_no_answer_away() {
    let answer = r#""id":"c-1","object":"chat.completion","created":1792484104,"model":"gpt-5","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}"#;
    for beside in [
        r#""meta":{"completion_tokens":10,"prompt_tokens":100,"latency":3}"#,
        r#""stats":{"models":{"gpt-5":{"input_tokens":100,"output_tokens":10}}}"#,
    ] {
        let kept = read_text("a.jsonl", format!("{{{answer},{beside}}}"));
        let call = kept.only();
        assert_eq!(
            (call.provider().as_str(), call.tokens.prompt()),
            ("openai", 100),
            "{beside}"
        );
    }
    let portal = "TimeGenerated [UTC],CorrelationId,PromptTokens,CompletionTokens,TotalTokens\n\"11/20/2026, 8:00:00.000 AM\",c1,100,10,110\n";
    assert_eq!(read_text("a.csv", portal).only().tokens.prompt(), 100);
    // That a prompt was cached does not make it an answer that AutoGen kept.
    let cached = r#"{"timestamp":"2026-11-20T00:00:00Z","request_id":"a1","model":"gpt-4o","cached":true,"finish_reason":"stop","usage":{"prompt_tokens":1000,"completion_tokens":1,"total_tokens":1001,"prompt_tokens_details":{"cached_tokens":900}}}"#;
    assert_eq!(read_text("a.jsonl", cached).only().tokens.prompt(), 1000);
    // Claude's input never holds what caches do.
    let claude = r#"{"timestamp":"2026-11-20T00:00:00Z","model":"claude-sonnet-4-5","usage":{"input_tokens":1000,"cached_tokens":900,"output_tokens":5}}"#;
    let call = read_text("a.jsonl", claude).only();
    assert_eq!(call.tokens.get(Bucket::InputUncached), 1000);
    // A dot of thousands is one only where three digits at most stand before it.
    let counts = |input: &str| {
        let text = format!("id,ts,provider,model,input_tokens\na,2026-11-20T00:00:00Z,openai,gpt-4o,{input}\n");
        let kept = read_text("a.csv", text);
        (kept.calls.len(), kept.rejected.len())
    };
    assert_eq!(counts("12345.000"), (1, 0));
    assert_eq!(counts("250.000"), (0, 1));
}
