//! Foreign columns read as fields of the plain format, and public traces of real services read through them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use finops::adapters::files::{Columns, FileFormat, FileSource, FileSourceOptions};
use finops::domain::dimension::Dimension;
use finops::domain::label::Label;
use finops::ports::{Checkpoints, UsageSource};

use super::{Kept, aged, shared, time};

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
    aged(&file);
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
        // A copy of its own, with which nobody goes on: the last row of some has no line end, and the files may have been brought just now.
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join(path.file_name().unwrap());
        std::fs::write(&copy, std::fs::read(&path).unwrap()).unwrap();
        aged(&copy);
        let kept = read(&copy, columns);
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

/// Settings for the usage of an OpenAI-like log.
fn of_log(input: &str, output: &str) -> Arc<Columns> {
    columns(
        &[
            ("id", "request"),
            ("ts", "at"),
            ("input_tokens", input),
            ("cache_read_tokens", "usage.cached"),
            ("output_tokens", output),
            ("cost_usd", "cost"),
            ("user", "meta.user"),
        ],
        MODEL,
        None,
    )
}

fn untold(kept: &Kept) -> Vec<&str> {
    let about = kept.warnings.keys().map(String::as_str);
    about
        .filter(|about| about.contains("no record of a file has"))
        .collect()
}

#[test]
fn keys_within_objects_are_named_with_dots() {
    let line =
        |id: u32, rest: &str| format!("{{\"request\":{id},\"at\":\"2026-10-20T08:00:00Z\",\"cost\":0.5,{rest}}}\n");
    let text = line(1, r#""usage":{"in":10,"cached":3,"out":2,"more":{"in":99}},"meta":{"user":"ada"}"#)
        // A key of the record itself comes first, wherever it stands.
        + &line(2, r#""usage":{"in":99,"out":2},"usage.in":20,"meta":null"#)
        + &line(3, r#""usage.in":20,"usage":{"in":99,"out":2}"#)
        // Names with dots within an object.
        + &line(4, r#""usage":{"in":40,"out":1},"meta":"text""#)
        + &line(5, r#""usage":{"in":{},"out":1}"#);
    let kept = read_text("a.jsonl", &text, &of_log("usage.in", "usage.out"));
    assert_eq!(kept.rejected.len(), 1);
    assert!(
        kept.rejected[0]
            .reason
            .contains("`usage.in` is neither text nor a number")
    );
    assert_eq!(kept.totals(), [90, 3, 0, 0, 7, 0]);
    assert_eq!(untold(&kept), Vec::<&str>::new());
    assert!(
        kept.calls
            .values()
            .any(|call| call.dimensions.get(Dimension::User).as_str() == "ada")
    );
    let flat = columns(&[("ts", "at"), ("input_tokens", "attributes.llm.count")], MODEL, None);
    let kept = read_text(
        "a.jsonl",
        "{\"at\":\"2026-10-20T08:00:00Z\",\"attributes\":{\"llm.count\":5}}\n",
        &flat,
    );
    assert_eq!(kept.totals(), [5, 0, 0, 0, 0, 0]);
}

#[test]
fn a_key_that_no_record_has_is_no_nought() {
    let line = |id: u32, usage: &str| {
        format!(
            "{{\"request\":{id},\"at\":\"2026-10-20T08:00:00Z\",\"cost\":0.5,\"meta\":{{\"user\":\"u\"}},\"usage\":{usage}}}\n"
        )
    };
    let both = line(1, r#"{"prompt":10,"out":2,"cached":1}"#) + &line(2, r#"{"prompt":10,"out":2,"cached":1}"#);
    // A slip is refused with what was meant.
    for (input, output, field) in [
        ("usage.promt", "usage.out", "usage.promt"),
        ("usage.prompt", "usage.outs", "usage.outs"),
    ] {
        let kept = read_text("a.jsonl", &both, &of_log(input, output));
        assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 2), "{field}");
        assert_eq!(kept.rejected[0].field.as_deref(), Some(field));
        assert!(
            kept.rejected[0].reason.contains("no such key, the nearest is `usage."),
            "{}",
            kept.rejected[0].reason
        );
    }
    // So is a call that would have no input by a key of another name.
    let kept = read_text(
        "a.jsonl",
        &both.replace(",\"cached\":1", ""),
        &of_log("tokens_in", "usage.out"),
    );
    assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 2));
    assert_eq!(kept.rejected[0].field.as_deref(), Some("tokens_in"));
    // What no record has is told, and counts nothing.
    let kept = read_text(
        "a.jsonl",
        &both.replace(",\"cached\":1", ""),
        &of_log("usage.prompt", "usage.out"),
    );
    assert_eq!((kept.totals(), kept.rejected.len()), ([20, 0, 0, 0, 4, 0], 0));
    assert!(untold(&kept)[0].ends_with(": `usage.cached`"), "{:?}", kept.warnings);
    let kept = read_text(
        "a.jsonl",
        &both,
        &columns(
            &[("ts", "at"), ("input_tokens", "usage.prompt"), ("team", "meta.usr")],
            MODEL,
            None,
        ),
    );
    assert!(
        untold(&kept)[0].ends_with("`meta.usr`, the nearest is `meta.user`"),
        "{:?}",
        kept.warnings
    );
    assert_eq!(kept.calls.len(), 2);
    // One that some record has is absent, or null, in others: before, behind, and where reading goes on.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.jsonl");
    let mut text = line(1, r#"{"prompt":10,"out":2}"#) + &line(2, r#"{"prompt":10,"out":2,"cached":null}"#);
    std::fs::write(&file, &text).unwrap();
    let columns = of_log("usage.prompt", "usage.out");
    let mut kept = read(&file, &columns);
    text += &line(3, r#"{"prompt":10,"out":2,"cache":7}"#);
    std::fs::write(&file, &text).unwrap();
    read_on(&file, &columns, &mut kept);
    assert_eq!((kept.totals(), kept.rejected.len()), ([30, 0, 0, 0, 6, 0], 0));
    assert_eq!(untold(&kept), Vec::<&str>::new());
    let end = "absent there: `usage.cached` (`usage.cache`)";
    assert!(
        kept.warnings.keys().any(|told| told.ends_with(end)),
        "{:?}",
        kept.warnings
    );
    // What a key is absent from is told once of a file, not with every line that is written to it.
    let mut text = line(1, r#"{"prompt":10,"out":2}"#);
    std::fs::write(&file, &text).unwrap();
    let mut kept = read(&file, &columns);
    assert_eq!(untold(&kept).len(), 1);
    kept.warnings.clear();
    text += &line(2, r#"{"prompt":10,"out":2}"#);
    std::fs::write(&file, &text).unwrap();
    read_on(&file, &columns, &mut kept);
    assert_eq!((kept.calls.len(), untold(&kept)), (2, Vec::<&str>::new()));
    // What a call is said to have cost takes no part in what it costs: a slip there refuses nothing.
    let kept = read_text(
        "a.jsonl",
        &both.replace("\"cost\"", "\"costs\""),
        &of_log("usage.prompt", "usage.out"),
    );
    assert_eq!((kept.calls.len(), kept.rejected.len()), (2, 0));
    assert!(untold(&kept)[0].contains("`cost`"), "{:?}", kept.warnings);
    // A table says which of its columns was meant.
    let kept = read_text(
        "a.csv",
        "request,at,usage.prompt,usage.out\n1,2026-10-20,1,1\n",
        &of_log("usage.promt", "usage.out"),
    );
    assert!(
        kept.rejected[0].reason.starts_with("no such column"),
        "{}",
        kept.rejected[0].reason
    );
}

#[test]
fn rows_of_a_day_count_to_its_date_and_once_with_what_was_recorded_at_its_midnight() {
    let by_id: Pairs<'_> = &[("id", "key"), ("ts", "day"), ("input_tokens", "in")];
    for settings in [by_id, &by_id[1..]] {
        let settings = columns(settings, MODEL, None);
        let mut kept = read_text("a.csv", "key,day,in\n1,2026-11-01,5\n", &settings);
        let call = kept.only();
        assert_eq!(call.at, time("2026-11-01T10:00:00Z"));
        assert!(
            !kept.warnings.keys().any(|about| about.contains("zone")),
            "{:?}",
            kept.warnings
        );
        // As an older version recorded it.
        let midnight = time("2026-11-01T00:00:00Z");
        let mut old = call;
        (old.at, old.rank.at) = (midnight, midnight);
        kept.calls.insert(old.id, old);
        let again = read_text("b.csv", "key,day,in\n1,2026-11-01,5\n", &settings).only();
        assert_eq!(again.id, old.id);
        assert_eq!(old.merge(again).tokens, call.tokens);
    }
    // A time of that day is that time.
    let settings = columns(&by_id[1..], MODEL, None);
    let kept = read_text("a.csv", "day,in\n2026-11-01 00:00:00,5\n", &settings);
    assert_eq!(kept.only().at, time("2026-11-01T00:00:00Z"));
    let plain = r#"{"id":"1","ts":"2026-11-01","provider":"openai","model":"gpt-4o","input_tokens":5}"#;
    assert_eq!(
        super::read_text("a.jsonl", plain).only().at,
        time("2026-11-01T10:00:00Z")
    );
    // What is told of a day that goes on is spent by now.
    let today = super::read_text("a.jsonl", plain.replace("2026-11-01", "2026-11-30"));
    assert_eq!(today.only().at, time("2026-11-30T00:00:00Z"));
    let later = super::read_text("a.jsonl", plain.replace("2026-11-01", "2027-11-01"));
    assert_eq!((later.calls.len(), later.rejected.len()), (0, 1));
}

#[test]
fn rows_of_one_file_that_their_id_does_not_tell_apart_are_told() {
    let map = |pairs: Pairs<'_>| -> BTreeMap<String, String> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    let of = |id: &[&str], provider: &str| {
        let id: Vec<String> = id.iter().map(|column| (*column).to_owned()).collect();
        let settings = map(&[("ts", "day"), ("input_tokens", "in"), ("model", "m")]);
        let built = Columns::new(&settings, &map(&[("provider", provider)]), None).unwrap();
        built.identified_by(&id).map(Arc::new)
    };
    let text = "day,m,key,in\n2026-11-01,a,x,5\n2026-11-01,a,y,7\n2026-11-01,a,y,7\n";
    let told = |kept: &Kept| kept.warnings.keys().any(|about| about.contains("the same `id`"));
    let short = read_text("a.csv", text, &of(&["day", "m"], "p").unwrap());
    assert_eq!((short.totals()[0], told(&short)), (7, true));
    let whole = of(&["day", "m", "key"], "p").unwrap();
    let kept = read_text("a.csv", text, &whole);
    assert_eq!((kept.totals()[0], told(&kept)), (12, false));
    // Another seller's rows are others; values do not run into each other.
    let other = read_text("a.csv", text, &of(&["day", "m", "key"], "q").unwrap());
    assert!(other.calls.keys().all(|id| !kept.calls.contains_key(id)));
    let joined = read_text("a.csv", "day,m,key,in\n2026-11-01,ax,,5\n2026-11-01,a,x,5\n", &whole);
    assert_eq!(joined.calls.len(), 2);
    assert_eq!(of(&[], "p").unwrap_err(), "`id` names no column");
}

/// A row of nothing but commas takes no memory for each of them, and the rows around it count.
#[test]
fn a_row_of_too_many_values_is_told_and_those_around_it_count() {
    let columns = columns(&[("ts", "when"), ("input_tokens", "in")], MODEL, None);
    let commas = ",".repeat(400_000);
    for end in ["\n", "\n2026-11-18T12:00:00Z,3\n", ""] {
        let text = format!("when,in\n2026-11-18T10:00:00Z,1\n{commas}{end}");
        let kept = read_text("a.csv", &text, &columns);
        assert_eq!(kept.totals()[0], if end.len() > 1 { 4 } else { 1 });
        assert_eq!(kept.rejected.len(), 1);
        assert_eq!(kept.rejected[0].reason, "400001 values under 2 names");
        assert_eq!(kept.rejected[0].line, 3);
    }
    // Commas in quotes are text.
    let text = format!("when,in,note\n2026-11-18T10:00:00Z,1,\"{commas}\"\n");
    assert_eq!(read_text("a.csv", &text, &columns).totals()[0], 1);
}

#[test]
fn a_table_of_no_known_format_says_how_it_is_read() {
    let refused = |name: &str, text: &str| super::read_text(name, text).rejected[0].reason.clone();
    assert!(refused("a.csv", "Date,Model,Tokens\n2026-11-01,a,5\n").contains("[source.columns]"));
    assert_eq!(refused("a.jsonl", "{\"a\":1,\"b\":2}\n"), "no known usage format");
}

/// A record without the key is a call without input, which would be a wrong 0; a key that stood beside it is another thing.
#[test]
fn a_key_that_gets_another_name_within_a_file_is_no_zero() {
    let columns = columns(
        &[
            ("ts", "t"),
            ("id", "id"),
            ("input_tokens", "prompt_tokens"),
            ("cache_read_tokens", "cached_tokens"),
            ("output_tokens", "told"),
        ],
        MODEL,
        None,
    );
    let line = |id: u32, keys: &str| format!("{{\"t\":\"2026-11-20T08:00:00Z\",\"id\":\"{id}\",\"told\":1{keys}}}\n");
    let right = |ids: std::ops::Range<u32>| -> String { ids.map(|id| line(id, ",\"prompt_tokens\":5")).collect() };
    for slip in ["promt_tokens", "promptTokens", "prompt_token"] {
        for before in [1, 100] {
            let wrong = line(1000, &format!(",\"{slip}\":5")) + &line(1001, &format!(",\"{slip}\":5"));
            let kept = read_text("a.jsonl", &(right(0..before) + &wrong + &right(2000..2001)), &columns);
            let reason = format!("no such key, the nearest is `{slip}`");
            assert_eq!(kept.calls.len(), before as usize + 1, "{slip}");
            assert!(
                kept.rejected.len() == 2 && kept.rejected.iter().all(|one| one.reason == reason),
                "{:?}",
                kept.rejected
            );
        }
    }
    // What may be absent is told where it seems to have another name.
    let renamed =
        right(0..1).replace('}', ",\"cached_tokens\":2}") + &line(1, ",\"prompt_tokens\":5,\"cachedTokens\":2");
    let kept = read_text("a.jsonl", &renamed, &columns);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (2, 0));
    let end = "absent there: `cached_tokens` (`cachedTokens`)";
    assert!(
        kept.warnings.keys().any(|told| told.ends_with(end)),
        "{:?}",
        kept.warnings
    );
    // Optional ones may be away, beside whatever stood beside them; so may all that is no count.
    let both = ",\"prompt_tokens\":5,\"cached_tokens\":2,\"cache_tokens\":9";
    let alone = ",\"prompt_tokens\":5,\"cache_tokens\":9";
    let kept = read_text("a.jsonl", &(line(0, both) + &line(1, alone) + &right(2..200)), &columns);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (200, 0), "{:?}", kept.rejected);
    assert!(
        kept.warnings.keys().all(|told| !told.contains("another name")),
        "{:?}",
        kept.warnings
    );
    // Also where reading goes on behind what it had.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.jsonl");
    let mut kept = Kept::default();
    std::fs::write(&file, right(0..3)).unwrap();
    read_on(&file, &columns, &mut kept);
    std::fs::write(&file, right(0..3) + &line(9, ",\"promt_tokens\":5")).unwrap();
    read_on(&file, &columns, &mut kept);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (3, 1));
}

#[test]
fn a_row_that_says_nothing_is_no_call_that_something_is_missing_of() {
    let columns = columns(
        &[("ts", "t"), ("input_tokens", "asked"), ("output_tokens", "told")],
        MODEL,
        None,
    );
    let kept = read_text(
        "a.csv",
        "t,asked,told\n2026-11-20T08:00:00Z,0,0\n2026-11-20T08:00:01Z,,\n2026-11-20T08:00:02Z,5,1\n",
        &columns,
    );
    assert_eq!(
        (kept.calls.len(), kept.excluded.get("records_without_usage")),
        (1, Some(&2))
    );
    assert!(
        kept.warnings.keys().all(|told| !told.contains("coverage gap")),
        "{:?}",
        kept.warnings
    );
}

/// A dot of thousands is no decimal point in a difference either; only what is multiplied may be a fraction.
#[test]
fn a_column_of_a_difference_is_a_count() {
    let read = |field: &str, text: &str, input: &str, cached: &str| {
        let columns = columns(&[("ts", "t"), (field, text), ("output_tokens", "out")], MODEL, None);
        let text = format!("t,in,cached,out\n2026-11-01,{input},{cached},7\n");
        read_text("a.csv", &text, &columns)
    };
    let whole = "in - cached";
    for (input, cached, expected) in [("12345", "", 12_345), ("1.0E3", "250.0", 750), ("1000", "NULL", 1000)] {
        let kept = read("input_tokens", whole, input, cached);
        assert_eq!(
            (kept.only().tokens.prompt(), kept.rejected.len()),
            (expected, 0),
            "{input} {cached}"
        );
    }
    for (input, cached, field) in [
        ("12.345", "", "in"),
        ("1.234", "0", "in"),
        ("12.000", "0", "in"),
        ("12345", "1.234", "cached"),
        ("12345", "-5", "cached"),
    ] {
        let kept = read("input_tokens", whole, input, cached);
        assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 1), "{input} {cached}");
        assert_eq!(kept.rejected[0].field.as_deref(), Some(field), "{input} {cached}");
    }
    let kept = read("input_tokens", "in - cached * 0.5", "100", "12.345");
    assert_eq!(kept.only().tokens.prompt(), 94);
    let kept = read("cost_usd", whole, "12.345", "0.345");
    assert_eq!(kept.only().reported_cost.unwrap().normalize().to_string(), "12");
}

/// What only differs by its case is surely meant.
#[test]
fn a_column_in_another_case_is_the_nearest() {
    let columns = columns(&[("ts", "t"), ("input_tokens", "Cached")], MODEL, None);
    let kept = read_text("a.csv", "t,CACHED\n2026-11-01,5\n", &columns);
    assert_eq!(kept.rejected[0].reason, "no such column, the nearest is `CACHED`");
    let kept = read_text("a.csv", "Usage of November\nt,Cached\n2026-11-01,5\n", &columns);
    let title = "2 values under one name, `Usage of November`: the first line has to name the columns";
    assert!(
        kept.rejected.iter().all(|one| one.reason == title),
        "{:?}",
        kept.rejected
    );
}

/// Of two downloads the later one counts, also where it says that nothing was used.
#[test]
fn a_row_of_nothing_takes_back_what_an_older_download_told_of_it() {
    let settings = Columns::new(
        &[("ts", "day"), ("input_tokens", "in"), ("output_tokens", "out")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .into(),
        &MODEL.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        None,
    );
    let id = ["day".to_owned(), "key".to_owned()];
    let settings = Arc::new(settings.unwrap().identified_by(&id).unwrap());
    let row = |count: u32| format!("2026-11-01,k,{count},{count}\n");
    // The files in the order in which they were changed, and what the newest that tells the row says.
    for (files, expected) in [
        (&[&[1000][..], &[0]][..], 0),
        (&[&[1000], &[0], &[7]], 7),
        (&[&[0], &[1000]], 1000),
        (&[&[1000], &[0, 5]], 5),
        (&[&[1000], &[5, 0]], 5),
        (&[&[0], &[0]], 0),
    ] {
        for backwards in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let mut paths: Vec<_> = (0_u64..)
                .zip(files)
                .map(|(n, rows)| {
                    let file = folder.path().join(format!("{n}.csv"));
                    let rows: String = rows.iter().map(|count| row(*count)).collect();
                    std::fs::write(&file, format!("day,key,in,out\n{rows}")).unwrap();
                    let changed = std::time::SystemTime::from(time("2026-11-20T12:00:00Z"));
                    let opened = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
                    opened
                        .set_modified(changed + std::time::Duration::from_secs(n))
                        .unwrap();
                    file
                })
                .collect();
            if backwards {
                paths.reverse();
            }
            let mut kept = Kept::default();
            for path in &paths {
                read_on(path, &settings, &mut kept);
            }
            assert_eq!(kept.totals()[0], expected, "{files:?} {backwards}");
            let calls = kept.calls.values().filter(|call| !call.is_taken_back());
            assert_eq!(calls.count(), usize::from(expected > 0), "{files:?} {backwards}");
            let zeros = files.iter().flat_map(|rows| rows.iter()).filter(|count| **count == 0);
            let told = kept.excluded.get("records_without_usage").copied().unwrap_or(0);
            assert_eq!(told, zeros.count() as u64, "{files:?}");
        }
    }
}

/// The rest of a line that was cut when its file was emptied, or what a program says when it starts, is no header of a table.
#[test]
fn records_behind_a_line_that_is_none_count() {
    let columns = columns(&[("ts", "when"), ("input_tokens", "in")], MODEL, None);
    let line = |day: u32| format!("{{\"when\":\"2026-11-{day}T08:00:00Z\",\"in\":100}}\n");
    let records: String = (10..20).map(line).collect();
    for (name, first) in [
        ("a.jsonl", "service started, version 3\n"),
        ("a.log", "\n16T10:00:00Z\", \"in\": 100}\n"),
    ] {
        let kept = read_text(name, &(first.to_owned() + &records), &columns);
        assert_eq!((kept.calls.len(), kept.rejected.len()), (10, 1), "{:?}", kept.rejected);
        assert_eq!(kept.rejected[0].line, if first.starts_with('\n') { 2 } else { 1 });
    }
    // A table may have objects in its rows, and lines that are one in its cells.
    let cells = "note,when,in\n\"say\n{}\n{\"\"a\"\":1}\nend\",2026-11-18T10:00:00Z,5\n";
    assert_eq!(read_text("a.csv", cells, &columns).totals()[0], 5);
    let table = "note,when,in\n{},2026-11-18T10:00:00Z,5\n{a,2026-11-19T10:00:00Z,6\n";
    assert_eq!(read_text("a.csv", table, &columns).totals()[0], 11);
}

/// What a call without an id is told apart by are the columns: a file that was moved since is read as a whole.
#[test]
fn a_file_that_was_moved_since_its_columns_changed_may_count_twice_which_is_told() {
    let before = columns(&[("ts", "when"), ("input_tokens", "in")], MODEL, None);
    let team = columns(&[("ts", "when"), ("input_tokens", "in"), ("team", "who")], MODEL, None);
    let line = |day: u32| format!("{{\"when\":\"2026-11-{day}T08:00:00Z\",\"in\":100,\"who\":\"docs\"}}\n");
    let lines = |days: std::ops::Range<u32>| -> String { days.map(line).collect() };
    for (later, told) in [(&team, 1), (&before, 0)] {
        let folder = tempfile::tempdir().unwrap();
        let (file, aside) = (folder.path().join("a.jsonl"), folder.path().join("a.jsonl.1"));
        let mut kept = Kept::default();
        std::fs::write(&file, lines(10..20)).unwrap();
        read_on(&file, &before, &mut kept);
        std::fs::write(&file, lines(10..23)).unwrap();
        read_on(&file, later, &mut kept);
        let count = |kept: &Kept| {
            kept.warnings
                .keys()
                .filter(|about| about.contains("may count twice"))
                .count()
        };
        assert_eq!((kept.calls.len(), count(&kept)), (13, 0));
        std::fs::rename(&file, &aside).unwrap();
        std::fs::write(&file, lines(23..25)).unwrap();
        read_on(folder.path(), later, &mut kept);
        assert_eq!(count(&kept), told, "{:?}", kept.warnings);
        // It is told once.
        kept.warnings.clear();
        std::fs::rename(&aside, folder.path().join("a.jsonl.2")).unwrap();
        read_on(folder.path(), later, &mut kept);
        assert_eq!(count(&kept), 0, "{:?}", kept.warnings);
    }
}

/// Seconds, pictures and pages are use, whatever else a row tells; how much a search reads is none.
#[test]
fn a_row_that_tells_units_alone_is_a_call() {
    let text = "when,m,u\n2026-11-20T10:00:00Z,whisper-1,audio_in_second=600\n2026-11-20T10:01:00Z,gpt-image-1,images_out:1024x1024=2\n\
        2026-11-20T10:02:00Z,sonar,search_context=high\n2026-11-20T10:03:00Z,whisper-1,audio_in_second=0\n2026-11-20T10:04:00Z,whisper-1,\n";
    let pairs = [("ts", "when"), ("model", "m"), ("units", "u")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let provider = [("provider".to_owned(), "openai".to_owned())].into();
    let alone = Columns::new(&pairs.into(), &provider, None).unwrap();
    let together = alone
        .clone()
        .identified_by(&["when".to_owned(), "m".to_owned()])
        .unwrap();
    for settings in [alone, together] {
        let kept = read_text("a.csv", text, &Arc::new(settings));
        let calls = kept.calls.values().filter(|call| !call.is_taken_back());
        let mut units: Vec<&str> = calls.map(|call| call.extras.as_str()).collect();
        units.sort_unstable();
        assert_eq!(units, ["audio_in_second=600", "images_out:1024x1024=2"]);
        assert_eq!(kept.excluded.get("records_without_usage"), Some(&3));
        assert_eq!(kept.rejected.len(), 0, "{:?}", kept.rejected);
        let told: Vec<&String> = kept
            .warnings
            .keys()
            .filter(|told| told.contains("coverage gap"))
            .collect();
        assert!(told.is_empty(), "{told:?}");
    }
}
