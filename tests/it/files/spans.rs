//! Spans of one trace that lie in several files and sources, read in several runs.

use std::fs;
use std::io::Write;
use std::path::Path;

use finops::adapters::files::FileSource;
use finops::domain::dimension::Dimension;
use finops::domain::label::Label;
use finops::ports::UsageSource;

use super::{Kept, aged, options, read_on};
use crate::support::{err, finops, json, out};

/// Seconds at which the first trace began.
const START: u64 = 1_792_484_100;

/// A span of a trace, below another one (0: below none that is known), with so much output.
fn span(trace: u64, (id, parent): (u64, u64), (operation, scope): (&str, &str), output: u64, response: bool) -> String {
    let (start, end) = (START + trace * 60 + id, START + trace * 60 + 50 - id);
    let response = match response {
        true => format!(r#"{{"key":"gen_ai.response.id","value":{{"stringValue":"chatcmpl-{trace:016}{id:04}"}}}},"#),
        false => String::new(),
    };
    let parent = if parent == 0 { 9 } else { parent };
    format!(
        concat!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"scope":{{"name":"{scope}"}},"spans":[{{"traceId":"{trace:032x}","spanId":"{id:016x}","#,
            r#""parentSpanId":"{parent:016x}","name":"n","startTimeUnixNano":"{start}000000000","endTimeUnixNano":"{end}000000000","attributes":[{response}"#,
            r#"{{"key":"gen_ai.operation.name","value":{{"stringValue":"{operation}"}}}},{{"key":"gen_ai.provider.name","value":{{"stringValue":"openai"}}}},"#,
            r#"{{"key":"gen_ai.response.model","value":{{"stringValue":"gpt-5-2025-08-07"}}}},{{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"2000"}}}},"#,
            r#"{{"key":"gen_ai.usage.cache_read.input_tokens","value":{{"intValue":"1536"}}}},"#,
            r#"{{"key":"gen_ai.usage.output_tokens","value":{{"intValue":"{output}"}}}}]}}]}}]}}]}}"#,
        ),
        scope = scope,
        trace = trace + 1,
        id = id,
        parent = parent,
        start = start,
        end = end,
        response = response,
        operation = operation,
        output = output,
    ) + "\n"
}

/// The spans of a trace of one of four forms. Those that are told side by side are one only where one run reads them.
fn trace(n: u64) -> (bool, Vec<String>) {
    let output = 10 * n + 1;
    let up = |operation| span(n, (1, 0), (operation, "app"), output, false);
    let low = |id, parent, output| span(n, (id, parent), ("chat", "library"), output, true);
    match n % 4 {
        0 => (false, vec![up("chat"), low(2, 1, output)]),
        1 => (
            false,
            vec![up("invoke_agent"), low(2, 1, output), low(3, 1, output + 1)],
        ),
        2 => (true, vec![up("chat"), low(2, 0, output)]),
        _ => (false, vec![up("chat")]),
    }
}

/// What counts: the output of each call.
fn counted(kept: &Kept) -> Vec<u64> {
    let calls = kept.calls.values().filter(|call| call.tokens.total() > 0);
    let mut outputs: Vec<u64> = calls.map(|call| call.tokens.total() - call.tokens.prompt()).collect();
    outputs.sort_unstable();
    outputs
}

fn append(path: &Path, text: &str) {
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
    aged(path);
}

/// Reads two sources as one run does, each with a team of its own.
fn read_both(base: &Path, kept: &mut Kept) {
    let source = |name: &str| {
        let mut options = options(base, None, &[name]);
        options.name = Label::new(name);
        options.defaults = vec![(Dimension::Team, Label::new(&format!("team of {name}")))];
        FileSource::new(options)
    };
    let mut sources = ["one", "two"].map(source);
    FileSource::acquaint(&mut sources);
    for source in &mut sources {
        let known = kept.checkpoints.clone();
        source.read(&known, kept).unwrap();
    }
}

#[test]
fn any_split_of_traces_over_sources_files_and_runs_counts_as_one_file_does() {
    const TRACES: u64 = 24;
    const RUNS: usize = 3;
    let one = tempfile::tempdir().unwrap();
    let whole: String = (0..TRACES).flat_map(|n| trace(n).1).collect();
    append(&one.path().join("a.jsonl"), &whole);
    let mut expected = Kept::default();
    read_on(one.path(), &["a.jsonl"], &mut expected);
    let expected = counted(&expected);
    assert_eq!(expected.len(), 24 + 6);
    for seed in 1..=12_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        let mut runs: [Vec<String>; RUNS] = Default::default();
        for n in 0..TRACES {
            let (together, spans) = trace(n);
            let run = random(RUNS);
            for span in spans {
                let run = if together { run } else { random(RUNS) };
                let place = random(runs[run].len() + 1);
                runs[run].insert(place, span);
            }
        }
        let folder = tempfile::tempdir().unwrap();
        for name in ["one", "two"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let mut kept = Kept::default();
        for spans in runs {
            for span in spans {
                let file = format!("{}/{}.jsonl", ["one", "two"][random(2)], random(2));
                append(&folder.path().join(file), &span);
            }
            read_both(folder.path(), &mut kept);
        }
        assert_eq!(counted(&kept), expected, "seed {seed}");
        for call in kept.calls.values().filter(|call| call.tokens.total() > 0) {
            let [source, team] = [Dimension::Source, Dimension::Team].map(|d| call.dimensions.get(d));
            assert_eq!(team.as_str(), format!("team of {source}"), "seed {seed}");
        }
    }
}

/// As a rotation of logs does it: both files are read again.
#[test]
fn spans_of_thousands_of_traces_are_known_again_in_files_that_were_renamed_and_packed() {
    const TRACES: u64 = 3000;
    for (operation, parent) in [("chat", 0), ("invoke_agent", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let [mut app, mut library] = [String::new(), String::new()];
        for n in 0..TRACES {
            app += &span(n, (1, 0), (operation, "app"), n + 1, false);
            library += &span(n, (2, parent), ("chat", "library"), n + 1, true);
        }
        append(&path("app.jsonl"), &app);
        append(&path("library.jsonl"), &library);
        let mut kept = Kept::default();
        read_on(folder.path(), &["."], &mut kept);
        let expected: Vec<u64> = (1..=TRACES).collect();
        assert_eq!(counted(&kept), expected, "{operation}");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(app.as_bytes()).unwrap();
        fs::write(path("app.jsonl.1.gz"), packed.finish().unwrap()).unwrap();
        aged(&path("app.jsonl.1.gz"));
        fs::remove_file(path("app.jsonl")).unwrap();
        read_on(folder.path(), &["."], &mut kept);
        assert_eq!(counted(&kept), expected, "{operation}, one is packed");
        fs::rename(path("library.jsonl"), path("library.jsonl.1")).unwrap();
        read_on(folder.path(), &["."], &mut kept);
        assert_eq!(counted(&kept), expected, "{operation}, the other is renamed");
    }
}

#[test]
fn calls_are_as_many_whichever_source_is_read_first() {
    for operation in ["chat", "invoke_agent"] {
        for upper in ["a", "b"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path();
            let lower = if upper == "a" { "b" } else { "a" };
            for n in 0..10 {
                append(&path.join(upper), &span(n, (1, 0), (operation, "app"), n + 1, false));
                append(&path.join(lower), &span(n, (2, 1), ("chat", "library"), n + 1, false));
            }
            let sources = ["a", "b"].map(|name| {
                format!("[[source]]\nname = \"{name}\"\nkind = \"otel\"\npaths = [\"{name}\"]\ndefaults = {{ team = \"t-{name}\" }}\n")
            });
            let config = format!("[store]\nurl = \"sqlite:ledger.db\"\n{}", sources.concat());
            fs::write(path.join("finops.toml"), config).unwrap();
            let about = format!("{operation}, the upper in {upper}");
            for _ in 0..2 {
                let recorded = finops(path, &["record"]);
                assert!(recorded.status.success(), "{about}: {}", err(&recorded));
                let report = finops(
                    path,
                    &[
                        "report",
                        "--from",
                        "2026-10-01",
                        "--by",
                        "source,team",
                        "--format",
                        "json",
                    ],
                );
                let told = json(&report);
                assert_eq!(told["total"]["events"], 10, "{about}: {}", out(&report));
                let rows = told["rows"].as_array().unwrap();
                assert_eq!(rows.len(), 1, "{about}: {}", out(&report));
            }
        }
    }
}
