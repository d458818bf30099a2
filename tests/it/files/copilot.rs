//! Sessions of GitHub Copilot CLI that tell what they used when they end, and its own file of spans.

use finops::domain::usage::{Bucket, EventId, Rank, UsageEvent};

use super::{Kept, read_on};

fn read(kept: &mut Kept, files: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    read_on(folder.path(), &["."], kept);
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
}

fn fresh(name: &str, text: &str) -> Kept {
    let mut kept = Kept::default();
    read(&mut kept, &[(name, text)]);
    kept
}

fn line(kind: &str, minute: u32, data: &str) -> String {
    format!(
        r#"{{"type":"{kind}","data":{{{data}}},"id":"e-{kind}-{minute}","timestamp":"2026-10-20T08:{minute:02}:00.000Z","parentId":null}}
"#
    )
}

fn begin(minute: u32) -> String {
    let kind = if minute == 0 { "session.start" } else { "session.resume" };
    line(
        kind,
        minute,
        r#""sessionId":"s-1","version":1,"context":{"cwd":"/srv/shop"}"#,
    )
}

fn answer(minute: u32, id: &str, output: u64) -> String {
    let data = format!(r#""messageId":"m","model":"gpt-5","outputTokens":{output},"apiCallId":"{id}""#);
    line("assistant.message", minute, &data)
}

/// What a process tells at its end: input, of that read from the cache, output.
fn end(minute: u32, calls: u64, [input, read, output]: [u64; 3]) -> String {
    let data = format!(
        r#""shutdownType":"routine","modelMetrics":{{"gpt-5":{{"requests":{{"count":{calls},"cost":0}},"usage":{{"inputTokens":{input},"outputTokens":{output},"cacheReadTokens":{read},"cacheWriteTokens":0,"reasoningTokens":1}}}}}}"#
    );
    line("session.shutdown", minute, &data)
}

fn record(minute: u32, id: &str, [input, read, output]: [u64; 3]) -> String {
    let data = format!(
        r#""usage":{{"model":"gpt-5","inputTokens":{input},"outputTokens":{output},"cacheReadTokens":{read},"isByok":true,"modelProvider":"other","providerType":"openai","apiCallId":"{id}"}}"#
    );
    line("session.usage_record", minute, &data)
}

/// Uncached, read and output of each call, in the order of time.
fn counts(kept: &Kept) -> Vec<[u64; 3]> {
    let mut calls: Vec<&UsageEvent> = kept.calls.values().collect();
    calls.sort_by_key(|call| call.at);
    let of = |call: &&UsageEvent| {
        [Bucket::InputUncached, Bucket::CacheRead, Bucket::Output].map(|bucket| call.tokens.get(bucket))
    };
    calls.iter().map(of).collect()
}

#[test]
fn the_end_of_a_session_counts_as_far_as_nothing_told_it() {
    let first =
        begin(0) + &answer(1, "chatcmpl-1", 201) + &answer(2, "chatcmpl-2", 9) + &end(3, 2, [300_000, 4000, 210]);
    let kept = fresh("events.jsonl", &first);
    assert_eq!(counts(&kept), [[296_000, 4000, 210]]);
    assert!(kept.excluded.is_empty(), "{:?}", kept.excluded);
    let call = kept.calls.values().next().unwrap();
    assert_eq!(
        (call.provider().as_str(), call.session.as_str()),
        ("github-copilot", "s-1")
    );
    assert_eq!(call.rank.authority, Rank::REPORT, "no prompt is as long as the sum");
    // The whole session again, or the next process alone.
    for told in [[310_000, 5000, 230], [10_000, 1000, 20]] {
        let calls = if told[0] > 300_000 { 3 } else { 1 };
        let text = first.clone() + &begin(4) + &answer(5, "chatcmpl-3", 20) + &end(6, calls, told);
        let kept = fresh("events.jsonl", &text);
        assert_eq!(counts(&kept), [[296_000, 4000, 210], [9000, 1000, 20]]);
        // Read on, and read again.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut kept = Kept::default();
        for part in [first.as_str(), &text, &text] {
            std::fs::write(&path, part).unwrap();
            read_on(folder.path(), &["."], &mut kept);
        }
        assert_eq!(counts(&kept), [[296_000, 4000, 210], [9000, 1000, 20]]);
    }
    // A later version goes on: its records tell each call, and its end the whole.
    let text = first.clone()
        + &begin(4)
        + &record(5, "chatcmpl-3", [10_000, 1000, 20])
        + &answer(5, "chatcmpl-3", 20)
        + &end(6, 3, [310_000, 5000, 230]);
    let kept = fresh("events.jsonl", &text);
    assert_eq!(counts(&kept), [[296_000, 4000, 210], [9000, 1000, 20]]);
    // One that was killed is told by its answers alone, each once whatever parts it has.
    let killed = begin(0) + &answer(1, "chatcmpl-1", 201) + &answer(2, "chatcmpl-1", 201) + &answer(3, "chatcmpl-2", 9);
    let kept = fresh("events.jsonl", &killed);
    assert_eq!(
        (kept.calls.len(), kept.excluded.get("calls_without_usage")),
        (0, Some(&2))
    );
    let kept = fresh(
        "events.jsonl",
        &(killed + &begin(4) + &answer(5, "chatcmpl-3", 7) + &end(6, 1, [50, 0, 7])),
    );
    assert_eq!(
        (counts(&kept), kept.excluded.get("calls_without_usage")),
        (vec![[50, 0, 7]], Some(&2))
    );
}

#[test]
fn spans_in_a_file_of_copilots_own_are_calls_and_those_of_its_records() {
    let span = |id: &str, parent: &str, attributes: &str| {
        format!(
            r#"{{"type":"span","traceId":"b1e45fa1d166206452e3eb49990e3e26","spanId":"{id}","parentSpanId":"{parent}","name":"chat gpt-5","kind":2,"startTime":[1792483299,797000000],"endTime":[1792483300,235000000],"attributes":{{{attributes}}},"status":{{"code":0}},"events":[],"resource":{{"attributes":{{"service.name":"github-copilot"}}}},"instrumentationScope":{{"name":"github.copilot","version":"1"}}}}
"#
        )
    };
    let used = r#""gen_ai.usage.input_tokens":10000,"gen_ai.usage.output_tokens":20"#;
    let chat = |seller: &str, id: &str| {
        format!(
            r#""gen_ai.operation.name":"chat","gen_ai.provider.name":"{seller}",{used},"gen_ai.usage.cache_read.input_tokens":1000,"gen_ai.response.finish_reasons":["stop"],"gen_ai.response.model":"gpt-5","gen_ai.response.id":"{id}""#
        )
    };
    let agent = format!(r#""gen_ai.operation.name":"invoke_agent","gen_ai.provider.name":"openai",{used}"#);
    let metric = r#"{"type":"metric","name":"gen_ai.client.inference.usage.input_tokens","dataPoints":[{"attributes":{"gen_ai.operation.name":"chat"},"startTime":[1792483299,797000000],"endTime":[1792483300,235000000],"value":10000}],"resource":{"attributes":{}}}
"#;
    let text = span("47f6c6fbd05380aa", "2b4b1bf5ab8ff190", &chat("openai", "chatcmpl-3"))
        + &span("2b4b1bf5ab8ff190", "", &agent)
        + metric;
    let mut kept = fresh("otel.jsonl", &text);
    assert_eq!(counts(&kept), [[9000, 1000, 20]]);
    let call = kept.calls[&EventId::of(&[b"response", b"chatcmpl-3"])];
    assert_eq!(call.at.timestamp_millis(), 1_792_483_299_797);
    assert_eq!((call.provider().as_str(), call.model().as_str()), ("openai", "gpt-5"));
    let session = begin(0) + &record(1, "chatcmpl-3", [10_000, 1000, 20]);
    read(&mut kept, &[("events.jsonl", &session)]);
    assert_eq!(counts(&kept), [[9000, 1000, 20]]);
    // Whatever the id is.
    let sold = fresh("otel.jsonl", &span("47f6c6fbd05380aa", "", &chat("github", "a-7")));
    let call = sold.calls[&EventId::of(&[b"response", b"a-7"])];
    assert_eq!(call.provider().as_str(), "github-copilot");
}
