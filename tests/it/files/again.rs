//! Files that are read again: grown, replaced, mended, or read as something else than before.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use finops::adapters::files::{CLOCK_SKEW, FileFormat, FileSource, FileSourceOptions};
use finops::domain::label::Label;
use finops::ports::{Checkpoint, UsageSource};

use super::{Kept, aged, read_on, read_text, source, time};

fn call(id: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"ts\":\"2026-09-01T00:01:00Z\",\"provider\":\"openai\",\"model\":\"gpt-4o\",\"input_tokens\":1000,\"output_tokens\":1000}}\n"
    )
}

fn calls(ids: impl IntoIterator<Item = u32>) -> String {
    ids.into_iter().map(|id| call(&format!("c{id}"))).collect()
}

/// What is newly read of a folder: bytes and lines.
fn read(base: &Path, format: Option<FileFormat>, kept: &mut Kept) -> (u64, u64) {
    let known = kept.checkpoints.clone();
    kept.progress = finops::ports::Progress::default();
    source(base, format, &["."]).read(&known, kept).unwrap();
    (kept.progress.bytes, kept.progress.lines)
}

#[test]
fn a_file_that_begins_like_the_one_before_is_read_from_its_front() {
    let folder = tempfile::tempdir().unwrap();
    let (base, log) = (folder.path(), folder.path().join("a.jsonl"));
    let mut kept = Kept::default();
    // Restored from a backup and written on, until it is longer than it was.
    fs::write(&log, calls(100..200)).unwrap();
    read(base, None, &mut kept);
    fs::write(&log, calls(100..160) + &calls(200..260)).unwrap();
    read(base, None, &mut kept);
    assert_eq!(kept.calls.len(), 160);
    // Set aside under another name; what follows it begins with the same thousand bytes.
    let blank = " ".repeat(1500);
    let wide = |ids: std::ops::Range<u32>| calls(ids).replace("{\"id\"", &format!("{{{blank}\"id\""));
    fs::write(&log, wide(300..310)).unwrap();
    read(base, None, &mut kept);
    fs::rename(&log, base.join("a-1.jsonl")).unwrap();
    fs::write(&log, wide(310..330)).unwrap();
    read(base, None, &mut kept);
    assert_eq!(kept.calls.len(), 160 + 30);
    assert_eq!(kept.rejected, []);
}

#[test]
fn of_a_file_that_grows_only_what_is_new_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (base, log) = (folder.path(), folder.path().join("a.jsonl"));
    let mut kept = Kept::default();
    let mut text = String::new();
    // Also where a line end alone comes, a part of a record, and lines that are longer than what is compared.
    let long = format!("{{\"x_note\":\"{}\",{}", "n".repeat(300_000), &call("long")[1..]);
    let parts = [
        calls(0..3),
        calls(3..500),
        call("open").trim_end().to_owned(),
        "\n".to_owned(),
        calls(500..501),
        long[..200_000].to_owned(),
        long[200_000..].to_owned(),
        calls(501..503),
    ];
    for (at, part) in parts.iter().enumerate() {
        text.push_str(part);
        fs::write(&log, &text).unwrap();
        let (bytes, _) = read(base, None, &mut kept);
        let begun = if at == 6 { 200_000 } else { 0 };
        let expected = if at == 5 { 0 } else { part.len() + begun };
        assert_eq!(bytes, expected as u64, "part {at}");
        assert_eq!(read(base, None, &mut kept), (0, 0), "part {at}");
    }
    assert_eq!((kept.calls.len(), kept.observed), (505, 505));
    // What an earlier version has kept stands: only what is new is read.
    for at in kept.checkpoints.values_mut() {
        let mut known: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&at.0).unwrap();
        known.retain(|key, _| !["tail", "tail_len", "read_as", "gave"].contains(&key.as_str()));
        *at = Checkpoint(serde_json::to_vec(&known).unwrap());
    }
    assert_eq!(read(base, None, &mut kept), (0, 0));
    let more = calls(503..504);
    text.push_str(&more);
    fs::write(&log, &text).unwrap();
    assert_eq!(read(base, None, &mut kept).0, more.len() as u64);
    assert_eq!((kept.calls.len(), kept.observed), (506, 506));
}

/// What calls are told apart by may depend on how they are read: where some were recorded, another kind would count them twice.
#[test]
fn what_calls_were_recorded_of_is_not_read_as_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    let both = r#"{"id":"i","request_id":"r","call_type":"completion","startTime":"2026-09-01T00:01:00Z","endTime":"2026-09-01T00:01:01Z","timestamp":"2026-09-01T00:01:00Z","model":"gpt-4o","custom_llm_provider":"openai","spend":0.1,"total_tokens":30,"prompt_tokens":10,"completion_tokens":20,"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}"#;
    fs::write(base.join("a.jsonl"), format!("{both}\n")).unwrap();
    let mut kept = Kept::default();
    read(base, Some(FileFormat::Body), &mut kept);
    assert_eq!(kept.calls.len(), 1);
    assert_eq!(read(base, Some(FileFormat::Litellm), &mut kept), (0, 0));
    assert_eq!(kept.calls.len(), 1);
}

#[test]
fn what_was_read_as_something_else_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    fs::write(base.join("a.jsonl"), calls(0..3)).unwrap();
    for wrong in [
        FileFormat::ClaudeCode,
        FileFormat::Otel,
        FileFormat::Bedrock,
        FileFormat::Litellm,
        FileFormat::OpenaiAdmin,
        FileFormat::AnthropicAdmin,
        FileFormat::CostExplorer,
    ] {
        let mut kept = Kept::default();
        read(base, Some(wrong), &mut kept);
        let about = format!(
            "files hold no record of the kind `{wrong}`, and look like `plain`, such as `{}`",
            base.join("a.jsonl").display()
        );
        assert_eq!(
            (kept.calls.len(), kept.warnings.get(&about)),
            (0, Some(&1)),
            "{:?}",
            kept.warnings
        );
        read(base, Some(FileFormat::Plain), &mut kept);
        assert_eq!(kept.calls.len(), 3);
        assert_eq!(read(base, Some(FileFormat::Plain), &mut kept), (0, 0));
    }
    // Sessions without an answer are no reason to warn.
    fs::write(
        base.join("a.jsonl"),
        "{\"type\":\"file-history-snapshot\",\"messageId\":\"m\"}\n",
    )
    .unwrap();
    let mut kept = Kept::default();
    read(base, Some(FileFormat::ClaudeCode), &mut kept);
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    // Nor is an answer that says that nothing was used, or a log with records of other kinds beside.
    let row = r#"{"request_id":"r","startTime":"2026-09-01T00:01:00Z","custom_llm_provider":"openai","model":"gpt-4o","prompt_tokens":1,"completion_tokens":1}"#;
    for (kind, text) in [
        (
            FileFormat::OpenaiAdmin,
            r#"{"object":"page","data":[{"object":"bucket","start_time":1790000000,"end_time":1790086400,"results":[]}],"has_more":false}"#,
        ),
        (
            FileFormat::AnthropicAdmin,
            r#"{"data":[{"starting_at":"2026-09-01T00:00:00Z","ending_at":"2026-09-02T00:00:00Z","results":[]}],"has_more":false}"#,
        ),
        (FileFormat::CostExplorer, r#"{"ResultsByTime":[]}"#),
        (FileFormat::Litellm, r#"{"data":[],"total":0}"#),
        (
            FileFormat::Litellm,
            r#"{"request_id":"r","call_type":"aget_models","startTime":"2026-09-01T00:01:00Z","model":"gpt-4o"}"#,
        ),
        (FileFormat::Litellm, &format!("{{\"message\":\"started\"}}\n{row}")),
        (
            FileFormat::OpenaiAdmin,
            r#"{"data":[{"start_time":1790000000,"end_time":1790086400,"results":[{"object":"organization.costs.result","amount":{"value":"1.5","currency":"usd"},"line_item":"x"}]}]}"#,
        ),
    ] {
        fs::write(base.join("a.jsonl"), format!("{text}\n")).unwrap();
        let mut kept = Kept::default();
        read(base, Some(kind), &mut kept);
        assert!(kept.warnings.is_empty(), "{kind}: {:?}", kept.warnings);
    }
}

fn at(base: &Path, latest: DateTime<Utc>) -> FileSource {
    FileSource::new(options(base, latest))
}

fn options(base: &Path, latest: DateTime<Utc>) -> FileSourceOptions {
    FileSourceOptions {
        name: Label::new("test"),
        format: None,
        paths: vec![".".to_owned()],
        base: base.to_owned(),
        defaults: Vec::new(),
        columns: None,
        asked: None,
        latest,
        env: |_| None,
    }
}

#[test]
fn what_was_refused_while_the_clock_was_behind_is_read_when_it_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    let far = call("far").replace("2026-09-01", "2090-01-01");
    fs::write(base.join("a.jsonl"), calls(0..3) + &far).unwrap();
    let mut kept = Kept::default();
    let read_at = |latest: &str, kept: &mut Kept| {
        kept.rejected.clear();
        kept.progress = finops::ports::Progress::default();
        let known = kept.checkpoints.clone();
        at(base, time(latest)).read(&known, kept).unwrap();
        (kept.calls.len(), kept.rejected.len(), kept.progress.files)
    };
    assert_eq!(read_at("2018-06-01T00:00:00Z", &mut kept), (0, 4, 1));
    assert_eq!(
        read_at("2018-06-02T00:00:00Z", &mut kept),
        (0, 0, 0),
        "nothing has changed"
    );
    assert_eq!(read_at("2026-11-01T00:00:00Z", &mut kept), (3, 1, 1));
    assert_eq!(read_at("2026-11-02T00:00:00Z", &mut kept), (3, 0, 0), "told once");
    fs::write(base.join("a.jsonl"), calls(0..3) + &far + &calls(3..4)).unwrap();
    assert_eq!(read_at("2026-11-02T00:00:00Z", &mut kept), (4, 0, 1));
    assert_eq!(read_at("2090-01-02T00:00:00Z", &mut kept), (5, 0, 1), "in some decades");
}

#[test]
fn what_was_refused_and_is_mended_where_it_stands_counts() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    let mut all = calls(0..60);
    let broken = all.replace("\"id\":\"c20\",\"ts\":\"2026", "\"id\":\"c20\",\"ts\":\"20x6");
    fs::write(base.join("a.jsonl"), &broken).unwrap();
    let mut kept = Kept::default();
    read(base, None, &mut kept);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (59, 1));
    // What grows alone is read on.
    fs::write(base.join("a.jsonl"), broken + &calls(60..61)).unwrap();
    assert_eq!(read(base, None, &mut kept).1, 1);
    all += &calls(60..62);
    fs::write(base.join("a.jsonl"), all).unwrap();
    assert_eq!(read(base, None, &mut kept).1, 62);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (62, 1));
}

#[test]
fn what_was_refused_and_stands_as_it_stood_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    // As a machine leaves it that lost its power.
    let torn = calls(0..20) + "\0\0\0\0\0{\"id\":broken\n" + &calls(20..29);
    fs::write(base.join("a.jsonl"), &torn).unwrap();
    let mut kept = Kept::default();
    read(base, None, &mut kept);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (29, 1));
    fs::write(base.join("a.jsonl"), torn + &calls(29..30)).unwrap();
    assert_eq!(read(base, None, &mut kept).1, 1);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (30, 1));
}

#[test]
fn what_was_refused_is_told_again_where_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    fs::write(base.join("a.jsonl"), calls(0..2) + "{broken\n" + &calls(2..3)).unwrap();
    fs::write(base.join("b.jsonl"), calls(5..6)).unwrap();
    let mut kept = Kept::default();
    read(base, None, &mut kept);
    assert_eq!(read(base, None, &mut kept), (0, 0));
    kept.keeps_rejections = true;
    assert_eq!(
        read(base, None, &mut kept).1,
        4,
        "of the other file nothing was refused"
    );
    assert_eq!((kept.rejected.len(), kept.calls.len()), (2, 4));
    assert_eq!(kept.rejected[0], kept.rejected[1]);
}

fn bedrock(id: u32) -> String {
    let log = format!(
        r#"{{"schemaType":"ModelInvocationLog","timestamp":"2026-10-20T08:15:04Z","accountId":"1","region":"us-east-1","requestId":"r{id}","operation":"Converse","modelId":"us.amazon.nova-lite-v1:0","input":{{"inputTokenCount":40}},"output":{{"outputTokenCount":9}}}}"#
    );
    let message = serde_json::Value::String(log);
    format!(
        r#"{{"messageType":"DATA_MESSAGE","logEvents":[{{"id":"{id}","timestamp":1792484104000,"message":{message}}}]}}"#
    )
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[test]
fn objects_without_a_line_end_between_them_are_records() {
    // Firehose joins what CloudWatch has packed.
    let joined: Vec<u8> = (0..3).flat_map(|id| gzip(&bedrock(id))).collect();
    let lines = (0..3).map(bedrock).collect::<String>();
    for (name, content) in [
        ("a.json.gz", joined),
        ("a.json", lines.clone().into_bytes()),
        ("a.json", format!("{lines}\n").into_bytes()),
        (
            "a.json",
            format!("{}\n{}{}\n", bedrock(0), bedrock(1), bedrock(2)).into_bytes(),
        ),
    ] {
        let kept = read_text(name, content);
        assert_eq!((kept.calls.len(), kept.rejected.len()), (3, 0), "{:?}", kept.rejected);
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
    // What is cut waits for its end where it may come, and is told where nothing can come.
    let cut = format!("{}\n{}{}", bedrock(0), bedrock(1), &bedrock(2)[..50]);
    let kept = read_text("a.json.gz", gzip(&cut));
    assert_eq!((kept.calls.len(), kept.rejected.len()), (2, 1));
    assert_eq!(kept.rejected[0].reason, "it ends in the middle of a record");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), &cut).unwrap();
    let now = DateTime::<Utc>::from(SystemTime::now());
    let mut kept = Kept::default();
    // Told once more as refused when nobody has written for an hour, and read when somebody has.
    for (later, told, refused) in [(0, 1, 0), (10, 2, 0), (70, 2, 1), (80, 2, 1)] {
        let known = kept.checkpoints.clone();
        at(folder.path(), now + TimeDelta::minutes(later) + CLOCK_SKEW)
            .read(&known, &mut kept)
            .unwrap();
        let about = "last records that are not complete yet";
        assert_eq!(kept.warnings.get(about), Some(&told), "{later}");
        assert_eq!((kept.calls.len(), kept.rejected.len()), (2, refused), "{later}");
    }
    fs::write(folder.path().join("a.json"), cut + &bedrock(2)[50..]).unwrap();
    read(folder.path(), None, &mut kept);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (3, 1));
    let kept = read_text("a.json", format!("{}{}x\n{}\n", bedrock(0), bedrock(1), bedrock(2)));
    assert_eq!((kept.calls.len(), kept.rejected.len()), (3, 1));
}

#[test]
fn a_last_row_without_a_line_end_waits_while_its_file_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (base, table) = (folder.path(), folder.path().join("a.csv"));
    let now = DateTime::<Utc>::from(SystemTime::now());
    let mut kept = Kept::default();
    let read_at = |at_time: DateTime<Utc>, kept: &mut Kept| {
        let known = kept.checkpoints.clone();
        at(base, at_time + CLOCK_SKEW).read(&known, kept).unwrap();
        kept.totals()[4]
    };
    let head = "ts,provider,model,input_tokens,output_tokens\n2026-09-01T00:01:00Z,openai,gpt-4o,1000,7\n";
    let row = "2026-09-01T00:02:00Z,openai,gpt-4o,1000,10";
    fs::write(&table, format!("{head}{row}")).unwrap();
    assert_eq!(read_at(now, &mut kept), 7);
    let about = "last rows without a line end in files that were changed within the hour: left for the next run";
    assert_eq!(kept.warnings.get(about), Some(&1), "{:?}", kept.warnings);
    fs::write(&table, format!("{head}{row}00\n")).unwrap();
    assert_eq!(read_at(now, &mut kept), 1007);
    assert_eq!(kept.calls.len(), 2);
    // Who ends his file so has it counted when the file is left alone.
    fs::write(&table, format!("{head}{row}00\n{}", row.replace("02:00", "03:00"))).unwrap();
    assert_eq!(read_at(now, &mut kept), 1007);
    assert_eq!(read_at(now + TimeDelta::minutes(70), &mut kept), 1017);
    // The same by a time of change of long ago, and of what is packed.
    for (name, content) in [
        ("b.csv", format!("{head}{row}").into_bytes()),
        ("c.csv.gz", gzip(&format!("{head}{}", row.replace("02:00", "04:00")))),
    ] {
        let path = base.join(name);
        fs::write(&path, content).unwrap();
        if name == "b.csv" {
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(7200))
                .unwrap();
        }
    }
    assert_eq!(read_at(now, &mut kept), 1037);
    assert_eq!(kept.rejected, []);
}

#[test]
fn zero_bytes_before_a_record_are_no_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (base, log) = (folder.path(), folder.path().join("a.jsonl"));
    let mut kept = Kept::default();
    let mut file = fs::File::create(&log).unwrap();
    file.write_all(calls(0..20).as_bytes()).unwrap();
    read(base, None, &mut kept);
    // Emptied under a writer that goes on at its old place.
    file.set_len(0).unwrap();
    file.write_all(calls(20..40).as_bytes()).unwrap();
    read(base, None, &mut kept);
    // A hole that is larger than what is read at once.
    file.seek(SeekFrom::Current(1 << 20)).unwrap();
    file.write_all(calls(40..60).as_bytes()).unwrap();
    read(base, None, &mut kept);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (60, 0), "{:?}", kept.rejected);
    assert_eq!(kept.warnings.values().sum::<u64>(), 2, "{:?}", kept.warnings);
    assert_eq!(read(base, None, &mut kept), (0, 0));
}

/// Room that was set aside for a log, or a page of it that is still to come.
#[test]
fn what_is_written_into_zero_bytes_at_the_end_is_read() {
    for room in [100_usize, 300_000] {
        let folder = tempfile::tempdir().unwrap();
        let (base, log) = (folder.path(), folder.path().join("a.jsonl"));
        let mut kept = Kept::default();
        let size = calls(0..60).len() as u64 + room as u64;
        let mut file = fs::File::create(&log).unwrap();
        file.set_len(size).unwrap();
        for (part, known) in [(0..30, 30), (30..32, 32), (32..33, 33), (33..60, 60)] {
            let text = calls(part);
            file.write_all(text.as_bytes()).unwrap();
            let now = SystemTime::now() + Duration::from_secs(known);
            file.set_modified(now).unwrap();
            let (bytes, _) = read(base, None, &mut kept);
            assert_eq!((kept.calls.len() as u64, kept.observed as u64), (known, known));
            assert_eq!((bytes, kept.rejected.len()), (text.len() as u64, 0), "{room}");
        }
        // Where the file grows behind it, too.
        file.seek(SeekFrom::End(0)).unwrap();
        file.write_all(calls(60..61).as_bytes()).unwrap();
        read(base, None, &mut kept);
        assert_eq!((kept.calls.len(), kept.observed), (61, 61));
    }
}

/// Nothing was used, or what was used is not in it.
#[test]
fn an_answer_without_a_call_says_nothing_of_the_kind() {
    let span = r#"{"data":[{"id":"s","traceId":"t","type":"SPAN","startTime":"2026-10-20T08:15:04Z"}]}"#;
    for (kind, text, warned) in [
        (
            FileFormat::Langfuse,
            r#"{"data":[],"meta":{"page":1,"totalItems":0}}"#,
            0,
        ),
        (FileFormat::Langfuse, span, 0),
        (FileFormat::Litellm, "[]\n", 0),
        (FileFormat::Plain, "[\n]\n", 0),
        (FileFormat::Helicone, "{\"data\":[]}\n{\"data\":[]}\n", 0),
        (FileFormat::Body, span, 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.json"), text).unwrap();
        let mut kept = Kept::default();
        read(folder.path(), Some(kind), &mut kept);
        assert_eq!(kept.warnings.len(), warned, "{kind} {text} {:?}", kept.warnings);
    }
}

#[test]
fn of_the_files_that_have_gone_those_changed_last_are_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    fs::write(base.join("a.jsonl"), calls(0..1)).unwrap();
    let mut kept = Kept::default();
    read(&base, None, &mut kept);
    let (path, here) = kept
        .checkpoints
        .iter()
        .next()
        .map(|(key, at)| (key.clone(), at.clone()))
        .unwrap();
    let known = String::from_utf8(here.0.clone()).unwrap();
    let changed = known
        .split_once("\"modified\":")
        .unwrap()
        .1
        .split_once(',')
        .unwrap()
        .0
        .to_owned();
    for n in 0..10_050 {
        let at = Checkpoint(known.replace(&changed, &format!("{}", 1000 + n)).into_bytes());
        kept.checkpoints
            .insert(base.join(format!("gone-{n}.jsonl")).to_string_lossy().into_owned(), at);
    }
    read(&base, None, &mut kept);
    let left = |n: u32| {
        let key = base.join(format!("gone-{n}.jsonl"));
        kept.checkpoints[key.to_str().unwrap()] != Checkpoint::NONE
    };
    assert_eq!((0..10_050).filter(|n| left(*n)).count(), 10_000);
    assert!(!left(49) && left(50));
    assert_eq!(kept.checkpoints[&path], here);
}

#[test]
fn a_folder_without_a_name_of_usage_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    for name in ["delivery-1-2026-10-20-uuid", "app.log"] {
        fs::write(base.join(name), calls(0..1)).unwrap();
    }
    let mut kept = Kept::default();
    read(base, None, &mut kept);
    let [(about, count)] = &kept.warnings.iter().collect::<Vec<_>>()[..] else {
        panic!("{:?}", kept.warnings)
    };
    assert!(about.contains("end in none of .jsonl") && **count == 2, "{about}");
    // What is hidden, and what lists a delivery, is nothing that anybody means.
    let others = tempfile::tempdir().unwrap();
    for name in [".gitkeep", ".DS_Store", "manifest.json", "a-manifest.json"] {
        fs::write(others.path().join(name), "").unwrap();
    }
    let mut kept = Kept::default();
    read(others.path(), None, &mut kept);
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    // With one that has such a name the others are what lies beside it.
    fs::write(base.join("app.jsonl.1"), calls(0..1)).unwrap();
    let mut kept = Kept::default();
    read_on(base, &["."], &mut kept);
    assert_eq!((kept.calls.len(), kept.warnings.len()), (1, 0));
}

/// A log that was just begun has no size where it is found, and one of the system's files never has.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_had_no_size_when_it_was_found_is_read_and_its_open_end_waits() {
    use std::os::unix::process::CommandExt as _;
    let open = call("a").trim_end().to_owned() + "  {\"id\":\"b\",\"ts\":\"2026-";
    let mut child = std::process::Command::new("sleep")
        .arg0(&open)
        .arg("60")
        .spawn()
        .unwrap();
    let path = format!("/proc/{}/cmdline", child.id());
    // Until then it is a copy of this program.
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while !fs::read_to_string(&path).unwrap().starts_with('{') {
        assert!(std::time::Instant::now() < until, "it does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut kept = Kept::default();
    for _ in 0..2 {
        kept.warnings.clear();
        let known = kept.checkpoints.clone();
        let mut source = FileSource::new(FileSourceOptions {
            paths: vec![path.clone()],
            ..options(Path::new("/"), Utc::now() + CLOCK_SKEW)
        });
        source.read(&known, &mut kept).unwrap();
        assert_eq!((kept.calls.len(), kept.rejected.len()), (1, 0));
        assert_eq!(kept.warnings.get("last records that are not complete yet"), Some(&1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Lines without a call take time as others do. Where reading stood it goes on, also within what is packed, and where it cannot it is said.
#[test]
fn the_time_for_reading_holds_also_where_no_call_is_read() {
    const LINES: usize = 10_000;
    let line = "{\"msg\":\"nothing here\",\"level\":\"info\"}\n";
    let none = line.repeat(LINES);
    let answer = |id: &str| {
        format!(
            "{{\"created_at\":1792483200,\"id\":\"msg_{id}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"usage\":{{\"input_tokens\":5,\"output_tokens\":1}}}}\n"
        )
    };
    let text = answer("first") + &none + &answer("last");
    let list = format!("[{}]", text.trim_end().replace('\n', ",\n"));
    for (name, content, goes_on) in [
        ("a.jsonl", text.clone().into_bytes(), true),
        ("a.jsonl.gz", gzip(&text), true),
        ("a.json", list.into_bytes(), false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), content).unwrap();
        let mut kept = Kept {
            enough: Some(Box::new(|| true)),
            ..Kept::default()
        };
        let mut lines = 0;
        for run in 1..=3 {
            let read = read(folder.path(), None, &mut kept).1;
            lines += read;
            // What can only be read from its front is read at once, or what lies behind it would never be.
            let most = if goes_on { 5_000 } else { LINES as u64 + 3 };
            assert!(read < most, "{name} {run}: {read}");
        }
        kept.enough = None;
        read(folder.path(), None, &mut kept);
        assert_eq!((kept.calls.len(), kept.observed), (2, 2), "{name}");
        assert_eq!(read(folder.path(), None, &mut kept), (0, 0), "{name}");
        assert!(lines <= LINES as u64 + 2, "{name}: {lines}");
        assert_eq!(kept.rejected.len(), 0, "{name}");
    }
}

#[test]
fn a_text_of_two_bytes_a_character_is_named_as_what_it_is() {
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        let text = format!("\u{feff}{}", call("a"));
        let wide: Vec<u8> = text.encode_utf16().flat_map(order).collect();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.jsonl"), wide).unwrap();
        for format in [Some(FileFormat::Plain), Some(FileFormat::Focus), None] {
            let mut kept = Kept::default();
            read(folder.path(), format, &mut kept);
            let named = |told: &str| told.contains("it is UTF-16") && told.contains("save it as UTF-8");
            let reasons: Vec<bool> = kept.rejected.iter().map(|one| named(&one.reason)).collect();
            let warned: Vec<bool> = kept
                .warnings
                .keys()
                .map(|told| named(told))
                .filter(|told| *told)
                .collect();
            match format {
                Some(_) => assert_eq!((reasons, kept.warnings.len()), (vec![true], 0)),
                // A folder may hold anything.
                None => assert_eq!((reasons, warned), (vec![], vec![true])),
            }
        }
    }
}

/// They are read from several places of a file: what is packed has no such places, and what it holds is unknown.
#[test]
fn a_packed_parquet_file_or_database_is_named_as_what_it_is() {
    let packed = |front: &[u8]| {
        let bytes = [front, &[7; 4096]].concat();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&bytes).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(&bytes[..], ruzstd::encoding::CompressionLevel::Fastest);
        [("gz", gzip.finish().unwrap()), ("zst", zstd)]
    };
    let bill = "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargeCategory,ServiceName,ProviderName,EffectiveCost\n\
        30,1,USD,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,2026-11-02T00:00:00Z,Usage,Amazon Bedrock,AWS,30\n";
    for (front, name, what, bills) in [
        (&b"PAR1"[..], "f.parquet", "a Parquet file", 0),
        (b"SQLite format 3\0", "opencode.json", "a database of SQLite", 1),
    ] {
        for (end, bytes) in packed(front) {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(format!("{name}.{end}")), bytes).unwrap();
            fs::write(folder.path().join("bill.csv"), bill).unwrap();
            aged(&folder.path().join("bill.csv"));
            for format in [None, Some(FileFormat::Focus)] {
                let mut kept = Kept::default();
                read(folder.path(), format, &mut kept);
                let reasons: Vec<&str> = kept.rejected.iter().map(|one| one.reason.as_str()).collect();
                let told = format!(
                    "cannot be read: it is {what}, packed or piped, and that is only read as the file itself: unpack it"
                );
                assert_eq!(reasons, [told], "{name}.{end} {format:?}");
                // A Parquet file may hold rows of the same bill.
                assert_eq!(kept.bills.len(), bills, "{name}.{end} {format:?}");
            }
        }
    }
}
