//! Usage formats: fixtures and hostile input.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use finops::adapters::files::{FileFormat, FileSource, FileSourceOptions};
use finops::adapters::memory::MemoryLedger;
use finops::domain::charge::Charge;
use finops::domain::dimension::Dimension;
use finops::domain::label::Label;
use finops::domain::period::Period;
use finops::domain::spend::{Basis, SpendKey, Sums};
use finops::domain::usage::{Bucket, UsageEvent};
use finops::engine::collect::{Collection, collect};
use finops::ports::{Ledger, Pricer, UsageSource};

struct Free;

impl Pricer for Free {
    fn price(&self, _: &UsageEvent) -> Charge {
        Charge::priced(rust_decimal::Decimal::ZERO, Label::new("free"))
    }
}

fn read(ledger: &mut dyn Ledger, format: Option<FileFormat>, paths: &[&Path]) -> Collection {
    let source = FileSource::new(FileSourceOptions {
        name: "test".into(),
        format,
        paths: paths.iter().map(PathBuf::from).collect(),
        must_exist: true,
        defaults: Vec::new(),
        latest: "2026-11-25T00:00:00Z".parse().unwrap(),
    });
    let mut sources: Vec<Box<dyn UsageSource>> = vec![Box::new(source)];
    let now = "2026-11-24T00:00:00Z".parse().unwrap();
    collect(&mut sources, ledger, &Free, now, &mut |_| {}, None).unwrap()
}

fn rows(ledger: &mut dyn Ledger) -> Vec<(SpendKey, Sums)> {
    let mut rows = Vec::new();
    let always = Period::new(
        "2000-01-01T00:00:00Z".parse().unwrap(),
        "2100-01-01T00:00:00Z".parse().unwrap(),
    );
    ledger.spend(always, &mut |key, sums| rows.push((*key, *sums))).unwrap();
    rows
}

fn total(ledger: &mut dyn Ledger) -> Sums {
    let mut total = Sums::default();
    rows(ledger).iter().for_each(|(_, s)| total.add(s).unwrap());
    total
}

/// Events and the buckets input, read, write 5m, write 1h, output, then reasoning.
fn figures(sums: &Sums) -> [i128; 7] {
    let of = |bucket| sums.tokens.get(bucket);
    let buckets = [
        Bucket::InputUncached,
        Bucket::CacheRead,
        Bucket::CacheWrite5m,
        Bucket::CacheWrite1h,
        Bucket::Output,
    ];
    let [a, b, c, d, e] = buckets.map(of);
    [i128::from(sums.events), a, b, c, d, e, sums.tokens.reasoning]
}

fn file(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn claude(id: &str, minute: u32, session: &str, side: bool, stop: &str, input: u32, output: u32, more: &str) -> String {
    format!(
        r#"{{"isSidechain":{side},"cwd":"/srv/shop","sessionId":"{session}","type":"assistant","uuid":"{session}-{minute}","timestamp":"2026-10-20T08:{minute:02}:04.120Z","requestId":"req-{id}","message":{{"id":"{id}","role":"assistant","model":"claude-sonnet-4-6","content":[{{"type":"text","text":"\"usage\": {{\"input_tokens\": 999}}"}}],"stop_reason":{stop},"usage":{{"input_tokens":{input},"cache_read_input_tokens":50,"output_tokens":{output}{more}}}}}}}"#
    ) + "\n"
}

#[test]
fn claude_code_counts_a_call_once_over_all_of_its_copies() {
    let folder = tempfile::tempdir().unwrap();
    let end = r#""end_turn""#;
    let split = r#","cache_creation_input_tokens":900,"cache_creation":{"ephemeral_5m_input_tokens":300,"ephemeral_1h_input_tokens":500}"#;
    let advisor = r#","iterations":[{"type":"message","input_tokens":7,"output_tokens":9},{"type":"advisor_message","model":"claude-opus-4-8","input_tokens":900,"output_tokens":20}]"#;
    let main = claude("msg_1", 1, "s-1", false, "null", 12, 999, "")
        + &claude("msg_1", 2, "s-1", false, end, 10, 210, split)
        + &claude("msg_1", 2, "s-1", false, end, 10, 210, split)
        + &claude("msg_2", 3, "s-1", true, end, 5, 6, "")
        + &claude("msg_3", 4, "s-1", false, end, 7, 9, advisor)
        + r#"{"type":"user","message":{"role":"user","content":"hello"},"toolUseResult":{"usage":{"input_tokens":5}}}"#
        + "\n"
        + r#"{"type":"assistant","timestamp":"2026-10-20T08:15:04Z","uuid":"u","message":{"id":"x","model":"<synthetic>","usage":{"input_tokens":0}}}"#
        + "\n";
    file(folder.path(), ".claude/projects/p/s-1.jsonl", &main);
    file(
        folder.path(),
        ".claude/projects/p/s-2.jsonl",
        claude("msg_1", 2, "s-2", false, end, 10, 210, split),
    );
    let replay = claude("msg_1", 2, "s-1", true, end, 10, 210, split).replace("req-msg_1", "req-other");
    file(folder.path(), ".claude/projects/p/s-1/subagents/agent-1.jsonl", &replay);
    let wrapped = format!(
        r#"{{"type":"progress","timestamp":"2026-10-20T08:30:04Z","sessionId":"s-3","data":{{"type":"agent_progress","message":{}}}}}"#,
        claude("msg_4", 5, "s-3", false, end, 1, 2, "").trim()
    );
    file(folder.path(), ".claude/projects/p/s-3.jsonl", wrapped + "\n");
    let mut ledger = MemoryLedger::new();
    let read = read(&mut ledger, None, &[folder.path()]);
    assert_eq!(
        (read.rejected, read.excluded.get("synthetic")),
        (0, Some(&1)),
        "{read:?}"
    );
    // msg_1 10/50/400/500/210, msg_2 5/50/-/-/6, msg_3 7/50/-/-/9, its advisor 900/-/-/-/20, msg_4 1/50/-/-/2
    assert_eq!(figures(&total(&mut ledger)), [5, 923, 200, 400, 500, 247, 0]);
    let opus: Vec<_> = rows(&mut ledger)
        .into_iter()
        .filter(|(k, _)| k.dimensions.get(Dimension::Model) == "claude-opus-4-8".into())
        .collect();
    assert_eq!(opus.len(), 1, "the advisor is priced as its own model");
}

#[test]
fn codex_counts_the_growth_of_the_counter() {
    let folder = tempfile::tempdir().unwrap();
    let count = |minute: u32, total: [u32; 4], last: [u32; 4]| {
        let usage = |[i, c, o, r]: [u32; 4]| {
            format!(
                r#"{{"input_tokens":{i},"cached_input_tokens":{c},"output_tokens":{o},"reasoning_output_tokens":{r}}}"#
            )
        };
        format!(
            r#"{{"timestamp":"2026-10-20T08:{minute:02}:00.000Z","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{},"last_token_usage":{}}}}}}}"#,
            usage(total),
            usage(last)
        ) + "\n"
    };
    let meta = |id: &str, parent: &str| {
        format!(
            r#"{{"timestamp":"2026-10-20T08:00:00.000Z","type":"session_meta","payload":{{"id":"{id}","cwd":"/srv/shop"{parent}}}}}"#
        ) + "\n"
    };
    let model = r#"{"timestamp":"2026-10-20T08:00:01.000Z","type":"turn_context","payload":{"model":"gpt-5-codex"}}"#
        .to_owned()
        + "\n";
    let first = [4000, 1000, 300, 120];
    let second = [9000, 5000, 500, 180];
    let history = count(1, first, first) + &count(2, first, first) + &count(3, second, [5000, 4000, 200, 60]);
    let reset = count(9, [100, 0, 10, 0], [100, 0, 10, 0]);
    file(
        folder.path(),
        "sessions/a.jsonl",
        meta("s-1", "") + &model + &history + &reset,
    );
    // A fork repeats the history with other times, then goes on.
    let later = history.replace("T08:", "T09:") + &count(50, [9500, 5100, 510, 180], [500, 100, 10, 0]);
    file(
        folder.path(),
        "sessions/b.jsonl",
        meta("s-2", r#","forked_from_id":"s-1""#) + &model + &later,
    );
    let mut ledger = MemoryLedger::new();
    let read = read(&mut ledger, None, &[folder.path()]);
    assert_eq!(read.rejected, 0, "{read:?}");
    assert_eq!(
        figures(&total(&mut ledger)),
        [
            4,
            3000 + 1000 + 100 + 400,
            1000 + 4000 + 100,
            0,
            0,
            300 + 200 + 10 + 10,
            180
        ]
    );
}

#[test]
fn litellm_prompt_tokens_include_the_cache_and_hits_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let row = |id: &str, hit: &str, status: &str, prompt: u32| {
        format!(
            r#"{{"request_id":"{id}","spend":0.5,"prompt_tokens":{prompt},"completion_tokens":{},"startTime":"2026-10-20 08:15:04.120000+00:00","model":"claude-sonnet-4-6","custom_llm_provider":"anthropic","metadata":"{{\"user_api_key_team_alias\":\"docs\",\"usage_object\":{{\"prompt_tokens_details\":{{\"cached_tokens\":7000,\"cache_creation_tokens\":1500,\"cache_creation_token_details\":{{\"ephemeral_1h_input_tokens\":500}}}},\"cache_read_input_tokens\":7000,\"cache_creation_input_tokens\":1500}}}}","cache_hit":"{hit}","request_tags":"[\"agent:writer\"]","team_id":"t-docs","status":"{status}"}}"#,
            if prompt == 0 { 0 } else { 400 }
        )
    };
    let rows_text = [
        row("chatcmpl-1", "None", "success", 9000),
        row("chatcmpl-1", "None", "success", 9000),
        row("chatcmpl-1_cache_hit1792484104.25", "True", "success", 9000),
        row("chatcmpl-2", "False", "failure", 0),
    ];
    // The same rows as lines and as a pretty-printed array.
    let lines = file(folder.path(), "spend.jsonl", rows_text.join("\n") + "\n");
    let array: Vec<serde_json::Value> = rows_text.iter().map(|r| serde_json::from_str(r).unwrap()).collect();
    let array = file(
        folder.path(),
        "spend.json",
        serde_json::to_string_pretty(&array).unwrap(),
    );
    for path in [lines, array] {
        let mut ledger = MemoryLedger::new();
        let read = read(&mut ledger, None, &[&path]);
        assert_eq!((read.rejected, read.excluded_total()), (0, 2), "{read:?}");
        assert_eq!(
            figures(&total(&mut ledger)),
            [1, 500, 7000, 1000, 500, 400, 0],
            "{}",
            path.display()
        );
        let key = rows(&mut ledger)[0].0;
        assert_eq!(key.dimensions.get(Dimension::Team), "docs".into());
        assert_eq!(key.dimensions.get(Dimension::Agent), "writer".into());
    }
}

fn plain(id: &str, more: &str) -> String {
    format!(
        r#"{{"id":"{id}","ts":"2026-10-20T08:15:04Z","provider":"openai","model":"gpt-5","input_tokens":10,"output_tokens":2{more}}}"#
    )
}

#[test]
fn bad_records_are_rejected_by_line_and_field_and_the_rest_counts() {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<(Vec<u8>, Option<(&str, &str)>)> = vec![
        (format!("\u{feff}{}\r", plain("ok-1", "")).into_bytes(), None),
        (
            plain("ok-2", r#","x_note":{"free":[1]},"latency_ms":5,"cost_usd":0.1"#).into_bytes(),
            None,
        ),
        (plain("ok-3", r#","cache_read_tokens":"123""#).into_bytes(), None),
        (plain("ok-4", r#","cache_read_tokens":123.0"#).into_bytes(), None),
        (b"   ".to_vec(), None),
        (
            plain("bad", r#","cache_read_tokens":-5"#).into_bytes(),
            Some(("cache_read_tokens", "is negative")),
        ),
        (
            plain("bad", r#","cache_read_tokens":1.5"#).into_bytes(),
            Some(("cache_read_tokens", "is not a whole number")),
        ),
        (
            plain("bad", r#","cache_read_tokens":1e30"#).into_bytes(),
            Some(("cache_read_tokens", "is absurdly large")),
        ),
        (
            plain("bad", r#","cache_read_tokens":{"a":1}"#).into_bytes(),
            Some(("cache_read_tokens", "is not a whole number")),
        ),
        (
            plain("bad", r#","cache_read_token":7"#).into_bytes(),
            Some(("cache_read_token", "did you mean `cache_read_tokens`")),
        ),
        (
            plain("bad", "").replace("2026-10-20", "1970-01-01").into_bytes(),
            Some(("ts", "is before 2018")),
        ),
        (
            plain("bad", "").replace("2026-10-20", "2027-10-20").into_bytes(),
            Some(("ts", "is in the future")),
        ),
        (
            plain("bad", "").replace("2026-10-20T08", "20 October").into_bytes(),
            Some(("ts", "is not a time")),
        ),
        (
            plain("bad", "")
                .replace("\"id\"", "\"id\": \"\\uD800\", \"x\"")
                .into_bytes(),
            Some(("", "is not usable JSON")),
        ),
        (b"\xff\xfe{\"id\"".to_vec(), Some(("", "is not UTF-8"))),
        (b"{\"id\":\"cut\",\"ts\":".to_vec(), Some(("", "is cut off"))),
        (
            [b"[".repeat(20_000), b"]".repeat(20_000)].concat(),
            Some(("", "is not usable JSON")),
        ),
        (
            plain("ok-5", &format!(r#","team":"{}""#, "t".repeat(500))).into_bytes(),
            None,
        ),
        (
            plain("bad", &format!(r#","team":"{}""#, "t".repeat(600))).into_bytes(),
            Some(("team", "is longer than 512 bytes")),
        ),
        (
            plain("late", r#","status":"error""#)
                .replace(":10,", ":0,")
                .replace(":2,", ":0,")
                .into_bytes(),
            None,
        ),
    ];
    let text = lines
        .iter()
        .flat_map(|(line, _)| [line.as_slice(), b"\n"].concat())
        .collect::<Vec<u8>>();
    let path = file(folder.path(), "usage.jsonl", text);
    let mut ledger = MemoryLedger::new();
    let read = read(&mut ledger, Some(FileFormat::Plain), &[&path]);
    let expected: Vec<_> = lines
        .iter()
        .zip(1..)
        .filter_map(|((_, e), n)| e.map(|(field, reason)| (n, field, reason)))
        .collect();
    assert_eq!(read.rejected, expected.len() as u64, "{:#?}", read.first_rejections);
    for (rejection, (line, field, reason)) in read.first_rejections.iter().zip(&expected) {
        assert_eq!(rejection.line, *line, "{rejection:?}");
        assert_eq!(rejection.field.as_deref().unwrap_or_default(), *field, "{rejection:?}");
        assert!(rejection.reason.contains(reason), "{rejection:?} should say `{reason}`");
    }
    assert_eq!(figures(&total(&mut ledger)), [5, 50, 246, 0, 0, 10, 0]);
    assert_eq!(read.excluded.get("failed_calls"), Some(&1));
}

#[test]
fn files_are_read_on_from_where_they_were_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "usage.jsonl",
        plain("a", "") + "\n" + &plain("b", "")[..40],
    );
    let mut ledger = MemoryLedger::new();
    let first = read(&mut ledger, None, &[folder.path()]);
    assert_eq!(
        (first.recorded.recorded, first.rejected),
        (1, 0),
        "the half line waits: {first:?}"
    );
    let mut open = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    write!(open, "{}\n{}", &plain("b", "")[40..], plain("c", "")).unwrap();
    let second = read(&mut ledger, None, &[folder.path()]);
    assert_eq!(
        (second.recorded.recorded, second.lines),
        (2, 2),
        "only what is new is read, a whole last line counts: {second:?}"
    );
    let third = read(&mut ledger, None, &[folder.path()]);
    assert_eq!((third.files, third.lines), (0, 0), "nothing new, nothing opened");
    // Replaced by another file of the same name: read from its start, what is known counts once.
    file(
        folder.path(),
        "usage.jsonl",
        plain("z", "") + "\n" + &plain("a", "") + "\n",
    );
    let fourth = read(&mut ledger, None, &[folder.path()]);
    assert_eq!(
        (fourth.recorded.recorded, fourth.recorded.duplicates, fourth.lines),
        (1, 1, 2),
        "{fourth:?}"
    );
}

#[test]
fn compressed_copies_and_links_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = plain("a", "") + "\n" + &plain("b", "") + "\n";
    file(folder.path(), "usage.jsonl", &text);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all((text.clone() + &plain("c", "") + "\n").as_bytes())
        .unwrap();
    file(folder.path(), "old/usage.jsonl.gz", gz.finish().unwrap());
    let zst = ruzstd::encoding::compress_to_vec(
        (text + &plain("d", "") + "\n").as_bytes(),
        ruzstd::encoding::CompressionLevel::Fastest,
    );
    file(folder.path(), "old/usage.jsonl.zst", zst);
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("usage.jsonl"), folder.path().join("link.jsonl")).unwrap();
    let mut ledger = MemoryLedger::new();
    let glob = folder.path().join("*.jsonl");
    let read = read(&mut ledger, None, &[folder.path(), &glob]);
    assert_eq!(
        (read.files, read.recorded.recorded, read.rejected),
        (3, 4, 0),
        "{read:?}"
    );
}

#[test]
fn plain_csv_is_the_same_format() {
    let folder = tempfile::tempdir().unwrap();
    let text = "id,ts,provider,model,input_tokens,output_tokens,team\n\
                a,2026-10-20T08:15:04Z,openai,gpt-5,10,2,\"search, deep\"\n\
                b,2026-10-20T08:15:04Z,openai,gpt-5,x,2,search\n\
                c,2026-10-20T08:15:04Z,openai,gpt-5,10,2\n";
    let path = file(folder.path(), "usage.csv", text);
    let mut ledger = MemoryLedger::new();
    let read = read(&mut ledger, None, &[&path]);
    let problems: Vec<_> = read
        .first_rejections
        .iter()
        .map(|r| (r.line, r.reason.as_str()))
        .collect();
    assert_eq!(
        problems,
        [(3, "is not a whole number"), (4, "has 6 cells where the header has 7")]
    );
    assert_eq!(
        rows(&mut ledger)[0].0.dimensions.get(Dimension::Team),
        "search, deep".into()
    );
}

#[test]
fn focus_bills_keep_credits_apart_and_replace_their_period() {
    let folder = tempfile::tempdir().unwrap();
    let header = "BillingAccountId,BillingPeriodStart,BillingPeriodEnd,BillingCurrency,ChargePeriodStart,ChargeCategory,BilledCost,EffectiveCost,ProviderName,ServiceName,SubAccountId,Tags\n";
    let row = |day: u32, category: &str, cost: &str| {
        format!(
            r#""111",2026-10-01 00:00:00,2026-11-01 00:00:00,USD,2026-10-{day:02}T00:00:00Z,{category},{cost},NULL,AWS,Amazon Bedrock,222,"{{""user_team"": ""search""}}""#
        ) + "\n"
    };
    let bom = "\u{feff}".to_owned();
    let one = file(
        folder.path(),
        "part-1.csv",
        bom + header + &row(1, "Usage", "10.5") + &row(1, "Credit", "-4") + &row(2, "Usage", "oops"),
    );
    file(
        folder.path(),
        "part-2.csv",
        header.to_owned() + &row(2, "Usage", "1e-05"),
    );
    let mut ledger = MemoryLedger::new();
    let first = read(&mut ledger, None, &[folder.path()]);
    assert_eq!((first.rejected, first.bills), (1, 1), "{first:?}");
    assert_eq!(
        (
            first.first_rejections[0].line,
            first.first_rejections[0].field.as_deref()
        ),
        (4, Some("BilledCost"))
    );
    let billed = |ledger: &mut MemoryLedger| {
        let mut rows: Vec<_> = rows(ledger)
            .into_iter()
            .filter(|(k, _)| k.basis == Basis::Billed)
            .map(|(k, s)| {
                (
                    k.dimensions.get(Dimension::Category).to_string(),
                    s.cost.normalize().to_string(),
                )
            })
            .collect();
        rows.sort();
        rows
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        billed(&mut ledger),
        [pair("Credit", "-4"), pair("Usage", "0.00001"), pair("Usage", "10.5")]
    );
    // The credit is withdrawn in a new delivery of the first part; the second part, unchanged, stays in the sum.
    std::fs::write(&one, header.to_owned() + &row(1, "Usage", "10.75")).unwrap();
    let second = read(&mut ledger, None, &[folder.path()]);
    assert_eq!(billed(&mut ledger), [pair("Usage", "0.00001"), pair("Usage", "10.75")]);
    assert_eq!(
        second.restatements.len(),
        2,
        "billed and effective: {:?}",
        second.restatements
    );
}

/// Generated data with known totals, when the generator is there.
#[test]
fn generated_data_gives_the_expected_totals() {
    let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/bench/gen_usage.py");
    if !generator.exists() {
        println!("skipped: the data generator is not there");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for mode in ["claude", "neutral"] {
        let out = folder.path().join(mode);
        let name = if mode == "claude" {
            out.clone()
        } else {
            out.with_extension("jsonl")
        };
        let status = Command::new("python3")
            .arg(&generator)
            .args([mode, "3000"])
            .arg(&name)
            .args(["--seed", "7"])
            .output()
            .unwrap();
        assert!(status.status.success());
        let expected: serde_json::Value =
            serde_json::from_slice(&std::fs::read(format!("{}.expected.json", name.display())).unwrap()).unwrap();
        let mut ledger = MemoryLedger::new();
        let read = read(&mut ledger, None, &[&name]);
        assert_eq!(read.rejected, 0);
        assert_eq!(read.lines, expected["lines"].as_u64().unwrap());
        assert_eq!(read.events(), expected["events"].as_u64().unwrap());
        let totals = &expected["totals"];
        let want = [
            "input_uncached",
            "cache_read",
            "cache_write_5m",
            "cache_write_1h",
            "output",
            "reasoning",
        ];
        let got = figures(&total(&mut ledger));
        for (name, got) in want.into_iter().zip(&got[1..]) {
            if mode == "neutral" || name != "reasoning" {
                assert_eq!(*got, i128::from(totals[name].as_u64().unwrap()), "{mode} {name}");
            }
        }
    }
}
