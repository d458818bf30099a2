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

/// Whether a value fits a rule of the schema, as far as that one has rules.
fn fits(schema: &serde_json::Value, rule: &serde_json::Value, value: &serde_json::Value) -> bool {
    use serde_json::Value;
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_number() && value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    let holds = |(key, of): (&String, &Value)| match (key.as_str(), value) {
        ("$ref", _) => fits(
            schema,
            schema.pointer(of.as_str().unwrap().trim_start_matches('#')).unwrap(),
            value,
        ),
        ("anyOf", _) => of.as_array().unwrap().iter().any(|rule| fits(schema, rule, value)),
        ("type", _) if of.is_array() => of.as_array().unwrap().iter().any(is),
        ("type", _) => is(of),
        ("minimum", Value::Number(n)) => n.as_f64() >= of.as_f64(),
        // Exact where floats are not.
        ("maximum", Value::Number(n)) if n.is_u64() => n.as_u64() <= of.as_u64(),
        ("maximum", Value::Number(n)) => n.as_f64() <= of.as_f64(),
        ("maxLength", Value::String(text)) => text.chars().count() as u64 <= of.as_u64().unwrap(),
        ("pattern", Value::String(text)) => regex_lite::Regex::new(of.as_str().unwrap()).unwrap().is_match(text),
        ("minimum" | "maximum" | "maxLength" | "pattern" | "description" | "examples", _) => true,
        (other, _) => panic!("{other}"),
    };
    rule.as_object().unwrap().iter().all(holds)
}

/// The schema, the page and the program say the same of a value.
#[test]
fn the_schema_takes_what_the_parser_takes() {
    use serde_json::{Value, json};
    let schema: Value = serde_json::from_str(include_str!("../../../docs/usage-format.schema.json")).unwrap();
    let long = "x".repeat(600);
    for (field, taken, refused) in [
        (
            "input_tokens",
            json!([
                null,
                7,
                123.0,
                1.0e7,
                10_000_000_000_000_000_u64,
                "",
                "  ",
                "007",
                "123.0",
                "250.",
                "250.000000",
                "0.000",
                "1234.000",
                "1.0E7",
                "1e+05",
                "0E-10",
                "10000000000000000",
                " 5 "
            ]),
            json!([
                -1,
                123.5,
                10_000_000_000_000_001_u64,
                "-1",
                "123.5",
                "123.000",
                "1.000.000",
                "10000000000000001",
                "12345678901234567",
                "1,5",
                "x",
                true,
                [],
                {}
            ]),
        ),
        (
            "web_searches",
            json!([
                null,
                0,
                4_294_967_295_u64,
                "4294967295",
                "4294967289",
                "4294967200.0",
                "999999999",
                ""
            ]),
            json!([
                4_294_967_296_u64,
                "4294967296",
                "4294967300",
                "4300000000",
                "5000000000",
                "10000000000",
                "1.000",
                -1,
                false
            ]),
        ),
        (
            "cost_usd",
            json!([
                null,
                0,
                0.5,
                1_000_000,
                "",
                "0.5",
                ".5",
                "5.",
                "1e-7",
                "3E-07",
                "1000000",
                "1000000.00",
                "00012.5",
                " 1 "
            ]),
            json!([
                1_000_001,
                -1,
                "1.2.3",
                ".",
                "-1",
                "1000000.1",
                "1000001",
                "12345678",
                "abc",
                "1,5",
                true,
                [],
                {}
            ]),
        ),
        (
            "id",
            json!([null, "", "a", 5, 18_446_744_073_709_551_615_u64, long]),
            json!([-5, 1.5, true, [], {}]),
        ),
        (
            "units",
            json!([null, "", "page=2", "images_out:1024x1024/hd=2 search_context=high"]),
            json!([7, 0, true, 1.5, {}, {"page": 1000}, [], ["images_out=3"]]),
        ),
        ("team", json!([null, "", "a", 7, -7, long]), json!([1.5, true, [], {}])),
        ("status", json!([null, "", "ok", "error", 200, true]), json!([])),
        ("latency_ms", json!([null, 7, 12.5, "12"]), json!([])),
    ] {
        let rule = &schema["properties"][field];
        for (values, expected) in [(taken, true), (refused, false)] {
            for value in values.as_array().unwrap() {
                let record = json!({
                    "id": "e1", "ts": "2026-10-20T08:15:04Z", "provider": "openai", "model": "gpt-5", "output_tokens": 3, field: value
                });
                let kept = read_text("a.jsonl", record.to_string());
                assert_eq!(
                    kept.rejected.is_empty(),
                    expected,
                    "{field} {value}: {:?}",
                    kept.rejected
                );
                assert!(
                    kept.rejected.iter().all(|one| one.field.as_deref() == Some(field)),
                    "{:?}",
                    kept.rejected
                );
                assert_eq!(fits(&schema, rule, value), expected, "{field} {value}");
            }
        }
    }
}

/// Each row has the same slip.
#[test]
fn an_unknown_column_refuses_every_row() {
    let rows = "1,2026-11-01T00:00:00Z,openai,gpt-5,5,\n2,2026-11-01T00:00:00Z,openai,gpt-5,5,x\n";
    for (column, refused) in [("output_token", 2), ("x_output", 0)] {
        let kept = read_text("a.csv", format!("id,ts,provider,model,input_tokens,{column}\n{rows}"));
        assert_eq!((kept.rejected.len(), kept.calls.len()), (refused, 2 - refused));
        let reason = "unknown key, the nearest known one is `output_tokens`";
        assert!(
            kept.rejected.iter().all(|one| one.reason == reason),
            "{:?}",
            kept.rejected
        );
    }
    let kept = read_text(
        "a.csv",
        format!("id,ts,provider,model,input_tokens,input_tokens\n{rows}"),
    );
    assert_eq!((kept.rejected.len(), kept.calls.len()), (1, 1), "{:?}", kept.rejected);
    assert_eq!(kept.rejected[0].reason, "given twice");
}
