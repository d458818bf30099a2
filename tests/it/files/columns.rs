//! Foreign columns read as fields of the plain format, and public traces of real services read through them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use finops::adapters::files::{Columns, FileFormat, FileSource, FileSourceOptions};
use finops::domain::dimension::Dimension;
use finops::domain::label::Label;
use finops::ports::{Checkpoints, UsageSource};

use super::{Kept, shared, time};

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn columns(columns: Pairs<'_>, values: Pairs<'_>, start: Option<&str>) -> Arc<Columns> {
    let map = |pairs: Pairs<'_>| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(field, text)| ((*field).to_owned(), (*text).to_owned()))
            .collect()
    };
    Arc::new(Columns::new(&map(columns), &map(values), start.map(time)).unwrap())
}

fn read_on(file: &Path, columns: &Arc<Columns>, kept: &mut Kept) {
    let known: Checkpoints = kept.checkpoints.clone();
    let mut source = FileSource::new(FileSourceOptions {
        name: Label::new("trace"),
        format: Some(FileFormat::Plain),
        paths: vec![file.to_string_lossy().into_owned()],
        base: "/".into(),
        defaults: Vec::new(),
        columns: Some(Arc::clone(columns)),
        asked: None,
        latest: time("2026-12-01T00:00:00Z"),
        env: |_| None,
    });
    source.read(&known, kept).unwrap();
}

fn read(file: &Path, columns: &Arc<Columns>) -> Kept {
    let mut kept = Kept::default();
    read_on(file, columns, &mut kept);
    kept
}

fn read_text(name: &str, text: &str, columns: &Arc<Columns>) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    read(&file, columns)
}

const MODEL: Pairs<'_> = &[("provider", "openai"), ("model", "gpt-4o")];

#[test]
fn a_foreign_table_is_read_by_the_names_of_its_columns() {
    let columns = columns(
        &[
            ("ts", "When"),
            ("input_tokens", "Asked"),
            ("output_tokens", "Told"),
            ("team", "Who"),
        ],
        MODEL,
        None,
    );
    let text = "When,Note,Asked,Told,Who\r\n\
        2026-10-20 08:00:00.1234567,x,100,20,search\r\n\
        2026-10-20 08:00:00.1234567,x,100,20,search\r\n\
        2026-10-20 08:00:01,x,1.5,2,search\r\n\
        2026-10-20 08:00:02,x,,NULL,search\r\n";
    let kept = read_text("a.csv", text, &columns);
    assert_eq!(kept.calls.len(), 2, "equal rows are calls of their own");
    assert_eq!(kept.totals(), [200, 0, 0, 0, 40, 0]);
    assert_eq!(kept.rejected.len(), 1);
    assert_eq!(
        (kept.rejected[0].line, kept.rejected[0].field.as_deref()),
        (4, Some("input_tokens"))
    );
    assert_eq!(kept.excluded.get("records_without_usage"), Some(&1));
    let call = kept.calls.values().next().unwrap();
    assert_eq!(call.dimensions.get(Dimension::Team).as_str(), "search");
    assert_eq!(call.dimensions.get(Dimension::Model).as_str(), "gpt-4o");
    assert_eq!(call.at, time("2026-10-20T08:00:00.1234567Z"));

    let other = read_text("b.csv", "When,Asked\n2026-10-20,1\n", &columns);
    assert_eq!(
        other.rejected[0].field.as_deref(),
        Some("Told"),
        "a column that is not there"
    );
}

#[test]
fn cached_tokens_are_taken_out_of_an_input_that_includes_them() {
    let columns = columns(
        &[
            ("ts", "at"),
            ("input_tokens", "input - cached - written * 2"),
            ("cache_read_tokens", "cached"),
            ("output_tokens", "out-put"),
        ],
        MODEL,
        None,
    );
    let text = "at,input,cached,written,out-put\n\
        2026-10-20,1000,300,50,7\n\
        2026-10-20,1000,,,7\n\
        2026-10-20,,300,,7\n\
        2026-10-20,100,300,,7\n";
    let kept = read_text("a.csv", text, &columns);
    assert_eq!(kept.totals(), [1600, 600, 0, 0, 21, 0]);
    assert_eq!(kept.rejected.len(), 1);
    let reason = format!("{:?}", kept.rejected[0]);
    assert!(reason.contains("more is taken away than there is: -200"), "{reason}");
}

#[test]
fn times_are_counted_from_a_start_and_counts_are_products() {
    let columns = columns(
        &[
            ("ts", "ms * 0.001"),
            ("input_tokens", "mean * rate * 600"),
            ("output_tokens", "out"),
            ("cost_usd", "cents * 0.01"),
        ],
        MODEL,
        Some("2026-10-20T00:00:00Z"),
    );
    let line = |ms: &str, mean: &str| {
        format!("{{\"ms\": {ms}, \"mean\": {mean}, \"rate\": 0.25, \"out\": 3, \"cents\": 1.25, \"ids\": [1, {{}}]}}\n")
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.jsonl");
    std::fs::write(&file, line("1500", "10.01") + &line("0", "null")).unwrap();
    let mut kept = read(&file, &columns);
    assert_eq!(kept.rejected, []);
    // 10.01 × 0.25 × 600 = 1501.5: to the even one.
    assert_eq!(kept.totals(), [1502, 0, 0, 0, 6, 0]);
    let first = kept.calls.values().find(|c| c.tokens.total() > 100).unwrap();
    assert_eq!(first.at, time("2026-10-20T00:00:01.5Z"));
    assert_eq!(first.reported_cost.unwrap().to_string(), "0.0125");

    // What is appended is read on, and what is read again is the same call.
    let more = std::fs::read_to_string(&file).unwrap() + &line("1500", "10.01");
    std::fs::write(&file, more).unwrap();
    read_on(&file, &columns, &mut kept);
    assert_eq!((kept.calls.len(), kept.observed), (3, 3));
    kept.checkpoints.clear();
    read_on(&file, &columns, &mut kept);
    assert_eq!((kept.calls.len(), kept.observed), (3, 6));

    for wrong in [
        "{\"ms\": \"x\"}",
        "{\"ms\": [1]}",
        "{\"ms\": 1, \"ms\": 2}",
        "{\"ms\": 99999999999999999999999}",
        "{\"ms\": -99999999999999}",
    ] {
        let kept = read_text("a.jsonl", &format!("{wrong}\n"), &columns);
        assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 1), "{wrong}");
    }
}

#[test]
fn public_traces_have_the_totals_that_they_publish() {
    let azure = columns(
        &[
            ("ts", "TIMESTAMP"),
            ("input_tokens", "ContextTokens"),
            ("output_tokens", "GeneratedTokens"),
        ],
        MODEL,
        None,
    );
    let mooncake = columns(
        &[
            ("ts", "timestamp * 0.001"),
            ("input_tokens", "input_length"),
            ("output_tokens", "output_length"),
        ],
        MODEL,
        Some("2026-10-20T08:00:00Z"),
    );
    let servegen = columns(
        &[
            ("ts", "window_start_s"),
            ("input_tokens", "requests_per_s * 600 * mean_input_tokens"),
            ("output_tokens", "requests_per_s * 600 * mean_output_tokens"),
            ("team", "client"),
        ],
        MODEL,
        Some("2026-10-01T00:00:00Z"),
    );
    // Calls, and the mean of input and output where the data set's description gives it.
    for (file, columns, calls, mean) in [
        (
            "azure-llm-2023/AzureLLMInferenceTrace_conv.csv",
            &azure,
            19_366,
            Some((1155, 211)),
        ),
        (
            "azure-llm-2023/AzureLLMInferenceTrace_code.csv",
            &azure,
            8_819,
            Some((2048, 28)),
        ),
        (
            "mooncake/conversation_trace.jsonl",
            &mooncake,
            12_031,
            Some((12_035, 343)),
        ),
        ("mooncake/synthetic_trace.jsonl", &mooncake, 3_993, None),
        ("servegen/m-large_top12_10min.csv", &servegen, 24_192, None),
    ] {
        let Some(path) = shared(&format!("data/{file}")) else {
            return;
        };
        let kept = read(&path, columns);
        assert_eq!(kept.rejected, [], "{file}");
        let empty = kept.excluded.get("records_without_usage").copied().unwrap_or(0);
        assert_eq!(kept.calls.len() as u64 + empty, calls, "{file}");
        let [input, .., output, _] = kept.totals();
        if let Some(mean) = mean {
            let rounded = |sum: u64| (sum + calls / 2) / calls;
            assert_eq!((rounded(input), rounded(output)), mean, "{file}");
        }
        assert!(input > output && output > 0, "{file}: {input} {output}");
        println!("{file}: {} calls, {input} in, {output} out", kept.calls.len());
    }
}

#[test]
fn a_table_that_grows_under_other_columns_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.csv");
    let of = |input, output| {
        columns(
            &[("ts", "when"), ("input_tokens", input), ("output_tokens", output)],
            MODEL,
            None,
        )
    };
    let (wrong, right) = (of("out", "in"), of("in", "out"));
    let mut text = "when,in,out\n2026-11-18T10:00:00Z,1000,100\n".to_owned();
    let mut kept = Kept::default();
    for (columns, told) in [(&wrong, 0), (&wrong, 0), (&right, 1), (&right, 1)] {
        text += "2026-11-18T11:00:00Z,1000,100\n";
        std::fs::write(&file, &text).unwrap();
        read_on(&file, columns, &mut kept);
        let about = kept
            .warnings
            .iter()
            .filter(|(about, _)| about.contains("may count twice"));
        assert_eq!(about.map(|(_, count)| count).sum::<u64>(), told, "{:?}", kept.warnings);
    }
}
