//! The plain format.

use finops::adapters::files::{FileSource, FileSourceOptions, PLAIN_KEYS};
use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, EventId};

use finops::ports::{Checkpoints, UsageSource};

use super::read_text;

const RECORD: &str = r#"{"id":"e1","ts":"2026-10-20T08:15:04.120Z","provider":"openai","model":"gpt-5","service_tier":"batch","input_tokens":10,"cache_read_tokens":20,"cache_write_5m_tokens":1,"cache_write_1h_tokens":2,"cache_write_30m_tokens":3,"cache_write_12h_tokens":4,"output_tokens":30,"reasoning_tokens":5,"web_searches":6,"team":"search","agent":"coder","workflow":"wf","user":"u","project":"p","account":"a","session":"s","cost_usd":0.100000000000000001,"x_note":"free","latency_ms":7,"status":"ok"}"#;

#[test]
fn every_field_has_its_place() {
    let call = read_text("a.jsonl", RECORD).only();
    assert_eq!(call.id, EventId::of(&[b"plain", b"e1"]));
    let counts: Vec<u64> = Bucket::TEXT.iter().map(|b| call.tokens.get(*b)).collect();
    assert_eq!(counts, [10, 20, 1, 2, 3, 4, 30]);
    assert_eq!((call.tokens.reasoning, call.requests.web_searches), (5, 6));
    let names = [
        "openai", "gpt-5", "", "a", "search", "coder", "wf", "u", "p", "", "batch", "",
    ];
    assert!(
        Dimension::ALL
            .iter()
            .zip(names)
            .all(|(d, n)| call.dimensions.get(*d).as_str() == n)
    );
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.100000000000000001");
}

#[test]
fn a_table_says_the_same() {
    let csv = "id,ts,provider,model,input_tokens,output_tokens,team,x_extra,cost_usd\r\ne1,2026-10-20 08:15:04Z,openai,gpt-5,10,30,\"a, b\",z,0.5\r\ne2,2026-10-20 08:15:04Z,openai,gpt-5,-1,30,,,\r\n";
    let kept = read_text("a.csv", csv);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (1, 1));
    let call = kept.calls[&EventId::of(&[b"plain", b"e1"])];
    assert_eq!(call.dimensions.get(Dimension::Team).as_str(), "a, b");
    let fault = &kept.rejected[0];
    assert_eq!((fault.line, fault.field.as_deref()), (3, Some("input_tokens")));
}

#[test]
fn an_unknown_key_is_named_with_its_nearest() {
    let kept = read_text("a.jsonl", RECORD.replace("output_tokens", "ouput_tokens"));
    assert_eq!(kept.rejected[0].field.as_deref(), Some("ouput_tokens"));
    assert!(
        kept.rejected[0].reason.contains("`output_tokens`"),
        "{}",
        kept.rejected[0].reason
    );
}

#[test]
fn records_without_id_are_told_apart_by_content() {
    let bare = RECORD.replace(r#""id":"e1","#, "");
    let reordered = bare
        .replace(r#""team":"search","#, "")
        .replace(r#""user":"u""#, r#""user":"u", "team":"search""#);
    let other = bare.replace(":10,", ":11,");
    let kept = read_text("a.jsonl", [&bare, &reordered, &other].map(String::as_str).join("\n"));
    assert_eq!((kept.calls.len(), kept.observed), (2, 3));
    assert_eq!(kept.warnings.values().sum::<u64>(), 3);
    // An empty or blank one is none, as in a table.
    for blank in ["", " "] {
        let blank = |text: &str| text.replace(r#""ts":"#, &format!(r#""id":"{blank}","ts":"#));
        let again = read_text("a.jsonl", [blank(&bare), blank(&other)].join("\n"));
        assert_eq!(again.warnings.values().sum::<u64>(), 2);
        let ids = |kept: &super::Kept| kept.calls.keys().copied().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(ids(&again), ids(&kept));
    }
}

#[test]
fn a_failed_call_without_tokens_is_no_spend() {
    let failed = r#"{"id":"f","ts":1792484104.25,"provider":"openai","model":"gpt-5","status":"error"}"#;
    let cut = failed
        .replace("\"f\"", "\"g\"")
        .replace("\"status\"", "\"output_tokens\":5,\"status\"");
    let kept = read_text("a.jsonl", [failed, &cut].join("\n"));
    assert_eq!((kept.calls.len(), kept.excluded.get("failed_calls")), (1, Some(&1)));
}

#[test]
fn the_schema_names_the_keys_that_the_parser_knows() {
    let text = include_str!("../../../docs/usage-format.schema.json");
    let schema: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut named: Vec<&str> = schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut known = PLAIN_KEYS.to_vec();
    named.sort_unstable();
    known.sort_unstable();
    assert_eq!(named, known);
    let guide = include_str!("../../../docs/usage-format.md");
    assert!(known.iter().all(|key| guide.contains(&format!("`{key}`"))));
}

#[test]
fn defaults_fill_what_a_record_leaves_open() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jsonl"), RECORD.replace(r#""team":"search","#, "")).unwrap();
    let mut kept = super::Kept::default();
    let mut source = FileSource::new(FileSourceOptions {
        name: "test".into(),
        format: Some("plain".parse().unwrap()),
        paths: vec!["~/*.jsonl".to_owned()],
        base: folder.path().to_owned(),
        defaults: vec![(Dimension::Team, "own".into()), (Dimension::Agent, "own".into())],
        columns: None,
        asked: None,
        latest: super::time("2026-12-01T00:00:00Z"),
        env: |_| Some(".".to_owned()),
    });
    source.read(&Checkpoints::new(), &mut kept).unwrap();
    let call = kept.only();
    let get = |dimension| call.dimensions.get(dimension).as_str();
    assert_eq!((get(Dimension::Team), get(Dimension::Agent)), ("own", "coder"));
}

#[test]
fn a_path_that_is_not_there_is_an_error_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = super::source(folder.path(), None, &["gone.jsonl"]);
    let error = source
        .read(&Checkpoints::new(), &mut super::Kept::default())
        .unwrap_err();
    assert_eq!(error.to_string(), "cannot read `gone.jsonl`: no such file or folder");
}

/// One cost that no call has would be in the way of every sum.
#[test]
fn a_cost_beyond_all_bounds_is_refused_and_digits_beyond_all_sums_are_rounded() {
    let with = |cost: &str| read_text("a.jsonl", RECORD.replace("0.100000000000000001", cost));
    for cost in ["1e25", "1e14", "1000000.1", "\"1e12\"", "1e300"] {
        let kept = with(cost);
        assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 1), "{cost}");
        assert_eq!(kept.rejected[0].field.as_deref(), Some("cost_usd"));
    }
    let tiny = with("7.5000000000000012e-07").only().reported_cost.unwrap();
    assert_eq!(tiny.to_string(), "0.000000750000000000");
    assert_eq!(with("1e6").only().reported_cost.unwrap().to_string(), "1000000");
}

#[test]
fn a_call_without_any_count_is_told() {
    let told = |rest: &str| {
        let text = format!(r#"{{"ts":"2026-10-20T08:15:04Z","id":"1","provider":"p","model":"m"{rest}}}"#);
        let kept = read_text("a.jsonl", text);
        (
            kept.calls.len(),
            kept.warnings
                .contains_key("successful calls without tokens: coverage gap"),
        )
    };
    for nothing in ["", r#","input_tokens":0,"output_tokens":0"#, r#","cost_usd":0.5"#] {
        assert_eq!(told(nothing), (1, true), "{nothing}");
    }
    for something in [
        r#","output_tokens":1"#,
        r#","web_searches":1"#,
        r#","units":"images_out=1""#,
        r#","video_in_tokens":1"#,
    ] {
        assert_eq!(told(something), (1, false), "{something}");
    }
    assert_eq!(told(r#","status":"error""#), (0, false));
    let table = "id,ts,provider,model,input_tokens,output_tokens\n1,2026-10-20T08:15:04Z,p,m,,\n";
    assert_eq!(read_text("a.csv", table).warnings.len(), 1);
}
