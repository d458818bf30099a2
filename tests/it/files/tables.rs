//! Tables of usage as programs and people write them: blank lines, values that are none, columns named twice, and headers of nobody.

use std::path::Path;
use std::time::SystemTime;

use finops::adapters::files::FileFormat;
use finops::domain::dimension::Dimension;
use finops::ports::UsageSource;

use super::{Kept, aged, read_text, source, time};

fn read_as(kind: FileFormat, name: &str, text: &str) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    aged(&folder.path().join(name));
    let mut kept = Kept::default();
    let mut source = source(folder.path(), Some(kind), &[name]);
    source.read(&Default::default(), &mut kept).unwrap();
    kept
}

/// Changed a moment ago, by the clock of these tests.
fn fresh(file: &Path) {
    let changed = SystemTime::from(time("2026-11-29T23:59:00Z"));
    let file = std::fs::OpenOptions::new().append(true).open(file).unwrap();
    file.set_modified(changed).unwrap();
}

const HEADER: &str = "id,ts,provider,model,team,input_tokens";
const GOOD: &str = "a,2026-11-01T00:00:00Z,anthropic,claude-sonnet-4-6,\"x,\ny\",3";
const BAD: [&str; 3] = [
    "b,2026-11-01T00:00:00Z,anthropic,claude-sonnet-4-6,,\"1,23\"",
    "c,2026-11-01T00:00:00Z,anthropic,claude-sonnet-4-6,\"two\nlines\",x",
    "d,2026-11-01T00:00:00Z,anthropic",
];

/// Whatever lines end with, wherever blank ones stand, and whether the file may still be written.
#[test]
fn a_refused_row_is_told_with_its_line_and_as_it_stands() {
    for end in ["\n", "\r\n", "\r", "\r\r\n"] {
        for gaps in 0..16 {
            let mut text = String::new();
            let mut expected = Vec::new();
            for (n, row) in [HEADER, GOOD, BAD[0], GOOD, BAD[1], BAD[2]].into_iter().enumerate() {
                let blanks = if gaps >> (n % 4) & 1 == 1 { 1 + n % 3 } else { 0 };
                text.push_str(&end.repeat(blanks));
                let line = match end {
                    "\r" => text.matches('\r').count(),
                    _ => text.matches('\n').count(),
                };
                if BAD.contains(&row) && end != "\r" {
                    expected.push((line as u64 + 1, row.to_owned()));
                } else if BAD.contains(&row) {
                    // Within quotes there is no other line end in such a file.
                    expected.push((line as u64 + 1, row.replace('\n', "\r")));
                }
                let row = if end == "\r" {
                    row.replace('\n', "\r")
                } else {
                    row.to_owned()
                };
                text += &(row + end);
            }
            if gaps % 2 == 0 {
                text.truncate(text.trim_end().len());
            }
            for fresh_one in [false, true] {
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join("a.csv");
                std::fs::write(&file, &text).unwrap();
                if fresh_one {
                    fresh(&file)
                } else {
                    aged(&file)
                }
                let mut kept = Kept::default();
                let mut source = source(folder.path(), Some(FileFormat::Plain), &["a.csv"]);
                source.read(&Default::default(), &mut kept).unwrap();
                let told: Vec<(u64, String)> = kept
                    .rejected
                    .iter()
                    .map(|one| (one.line, String::from_utf8(one.raw.clone()).unwrap()))
                    .collect();
                // The last row may still be written, and what follows a carriage return alone.
                let left = usize::from(fresh_one && (gaps % 2 == 0 || end == "\r"));
                assert_eq!(told, expected[..expected.len() - left], "{text:?} {fresh_one}");
                assert_eq!(kept.calls.len(), 1, "{text:?}");
            }
        }
    }
}

/// Rows that are told apart by their place have the number that they had when older builds recorded them: a table that grows counts once.
#[test]
fn a_blank_line_does_not_move_what_rows_without_an_id_are_known_by() {
    let settings = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        pairs.collect::<std::collections::BTreeMap<_, _>>()
    };
    let columns = finops::adapters::files::Columns::new(
        &settings(&[("ts", "t"), ("input_tokens", "in")]),
        &settings(&[("provider", "openai"), ("model", "gpt-4o")]),
        None,
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.csv");
    std::fs::write(&file, "t,in\n2026-11-01T00:00:00Z,1\n\n\n2026-11-01T00:00:00Z,1\n").unwrap();
    aged(&file);
    let mut options = super::options(folder.path(), Some(FileFormat::Plain), &["a.csv"]);
    options.columns = Some(std::sync::Arc::new(columns.unwrap()));
    let mut kept = Kept::default();
    let mut source = finops::adapters::files::FileSource::new(options);
    source.read(&Default::default(), &mut kept).unwrap();
    let content = |number: u32| format!("1:1;20:2026-11-01T00:00:00Z;{number}");
    let known =
        |number: u32| {
            let id = read_text("b.jsonl", format!(
            r#"{{"id":"{}","ts":"2026-11-01T00:00:00Z","provider":"openai","model":"gpt-4o","input_tokens":1}}"#,
            content(number)
        ))
        .only()
        .id;
            kept.calls.contains_key(&id)
        };
    assert_eq!((kept.calls.len(), known(2), known(3), known(5)), (2, true, true, false));
}

/// What a join of two tables of a database writes: a column of each under one name.
#[test]
fn a_column_that_stands_twice_with_different_values_is_refused() {
    let litellm = "request_id,call_type,spend,prompt_tokens,completion_tokens,startTime,model,custom_llm_provider,metadata,team_id";
    let usage = "\"{\"\"usage_object\"\":{\"\"cache_read_input_tokens\"\":7000}}\"";
    let call = format!(
        "req-1,acompletion,0.0152,9000,400,2026-11-20 08:15:04.12+00,claude-sonnet-4-6,anthropic,{usage},t-docs"
    );
    let helicone = "request_id,request_created_at,response_model,provider,prompt_tokens,completion_tokens";
    let request = "h-1,2026-10-20 08:15:04.120,gpt-4o,OPENAI,1000,80";
    let langfuse = "id,trace_id,type,start_time,provided_model_name,usage_details";
    let observation = "o1,t,GENERATION,2026-11-02 00:00:00.000000,gpt-4o,\"{\"\"input\"\":1000}\"";
    let apim = "TimeGenerated [UTC],CorrelationId,ModelName,PromptTokens,CompletionTokens,TotalTokens";
    let logged = "\"11/20/2026, 8:00:00.000 AM\",c1,gpt-4o,1000,10,1010";
    for (header, row, name, value) in [
        (litellm, call.as_str(), "spend", "812.5"),
        (litellm, &call, "metadata", "{}"),
        (litellm, &call, "prompt_tokens", "5"),
        (helicone, request, "prompt_tokens", "7"),
        (langfuse, observation, "usage_details", "\"{\"\"input\"\":3}\""),
        (apim, logged, "PromptTokens", "5"),
    ] {
        let alone = read_text("a.csv", format!("{header}\n{row}\n")).only();
        let twice = |first: &str, second: &str| {
            let text = format!("{name},{header},{name}\n{first},{row},{second}\n");
            // The first column of that name is the one of the row, or has nothing.
            read_text("a.csv", text)
        };
        let kept = twice("NULL", value);
        assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 1), "{name}: {value}");
        assert_eq!(kept.rejected[0].field.as_deref(), Some(name));
        assert!(
            kept.rejected[0].reason.starts_with("given twice"),
            "{:?}",
            kept.rejected
        );
        let kept = twice("", "null").only();
        assert_eq!(
            (kept.tokens, kept.reported_cost),
            (alone.tokens, alone.reported_cost),
            "{name}"
        );
    }
    let same = format!("{litellm},team_id\n{call},t-docs\n");
    assert_eq!(read_text("a.csv", same).only().tokens.prompt(), 9000);
}

/// As SQL Server, BigQuery and MySQL write it.
#[test]
fn a_value_that_a_database_has_not_is_nothing() {
    let row = |day: u32, null: &str| {
        format!("{null},2026-11-0{day}T00:00:00Z,anthropic,claude-sonnet-4-6,{day}000,{null},100,{null},{null}\n")
    };
    let header = "id,ts,provider,model,input_tokens,cache_read_tokens,output_tokens,cost_usd,team\n";
    let read = |null: &str| {
        let rows: String = (1..=5).map(|day| row(day, null)).collect();
        read_text("a.csv", format!("{header}{rows}"))
    };
    let empty = read("");
    for null in ["NULL", "null", "Null"] {
        let kept = read(null);
        assert_eq!((kept.calls.len(), kept.rejected.len()), (5, 0), "{null}");
        assert_eq!(kept.totals(), [15_000, 0, 0, 0, 500, 0], "{null}");
        assert!(kept.calls.keys().all(|id| empty.calls.contains_key(id)), "{null}");
        assert_eq!(kept.warnings, empty.warnings);
        let named = |call: &finops::domain::usage::UsageEvent| !call.dimensions.get(Dimension::Team).is_empty();
        assert!(!kept.calls.values().any(named), "{null}");
    }
}

/// What a service says when it starts may have commas, and be longer than what is looked at to tell a format.
#[test]
fn records_behind_many_lines_with_commas_count() {
    let said = "2026-11-20 10:00:00,123 INFO app started worker 7\n".repeat(4000);
    let record = |n: u32| {
        format!(
            "{{\"id\":\"call-{n}\",\"ts\":\"2026-11-20T10:00:00Z\",\"provider\":\"anthropic\",\"model\":\"m\",\"input_tokens\":{n}}}\n"
        )
    };
    let kept = read_as(FileFormat::Plain, "a.jsonl", &(said + &record(1) + &record(2)));
    assert_eq!((kept.calls.len(), kept.totals()[0]), (2, 3));
}

/// Each is one sentence that says what to do, not a row that is no JSON.
#[test]
fn a_table_that_is_not_written_as_its_kind_is_says_what_to_do() {
    let plain = format!("{HEADER}\na,2026-11-01T00:00:00Z,anthropic,claude-sonnet-4-6,x,3\n");
    let rows = "b,2026-11-01T00:00:00Z,anthropic,claude-sonnet-4-6,x,4\n";
    let litellm = "request_id,spend,prompt_tokens,completion_tokens,startTime,model,custom_llm_provider\nr,0.1,9,4,2026-11-20 08:15:04.12+00,claude-sonnet-4-6,anthropic\n";
    let plain = plain + rows;
    let names = |kind: &str| format!("a table of the kind `{kind}` begins with the names of its columns");
    let commas = || "save them with commas".to_owned();
    for (kind, text, said, line) in [
        (FileFormat::Plain, plain.replace(',', ";"), commas(), 1),
        (FileFormat::Plain, plain.replace(',', "\t"), commas(), 1),
        (FileFormat::Plain, format!("sep=,\r\n{plain}"), commas(), 1),
        (FileFormat::Plain, plain.replace("id,ts", "ID,TS"), names("plain"), 1),
        (
            FileFormat::Plain,
            format!("\nUsage of November\n{plain}"),
            names("plain"),
            2,
        ),
        (FileFormat::Litellm, litellm.replace(',', ";"), commas(), 1),
        (FileFormat::Litellm, litellm.to_uppercase(), names("litellm"), 1),
        (FileFormat::Litellm, litellm.to_lowercase(), names("litellm"), 1),
        (
            FileFormat::Helicone,
            format!("# as of today\n{litellm}"),
            names("helicone"),
            1,
        ),
        (FileFormat::Langfuse, litellm.replace(',', "\t"), commas(), 1),
    ] {
        let kept = read_as(kind, "a.csv", &text);
        assert_eq!(
            (kept.calls.len(), kept.rejected.len()),
            (0, 1),
            "{text}: {:?}",
            kept.rejected
        );
        assert!(kept.rejected[0].reason.contains(&said), "{text}: {:?}", kept.rejected);
        assert_eq!(kept.rejected[0].line, line, "{text}");
        assert_eq!(kept.excluded.len(), 0, "{text}");
    }
    assert_eq!(read_as(FileFormat::Plain, "a.csv", &plain).calls.len(), 2);
    assert_eq!(read_as(FileFormat::Litellm, "a.csv", litellm).calls.len(), 1);
    // A log that begins with text is none.
    let record = r#"{"id":"e1","ts":"2026-10-20T08:15:04Z","provider":"p","model":"m","input_tokens":10}"#;
    let log = read_as(
        FileFormat::Plain,
        "a.jsonl",
        &format!("starting, as asked\nready, in 3 s\n{record}\n"),
    );
    assert_eq!((log.calls.len(), log.rejected.len()), (1, 2));
}
