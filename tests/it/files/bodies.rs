//! Response bodies as people save them: in envelopes, beside sums of the same calls, under the names of other sellers and libraries.

use finops::adapters::files::FileFormat;
use finops::domain::usage::{Bucket, EventId};
use finops::ports::UsageSource as _;

use super::{Kept, charged, read_text};

const CONVERSE: &str = r#"{"output":{"message":{"role":"assistant","content":[{"text":"positive"}]}},"stopReason":"end_turn","usage":{"inputTokens":100,"outputTokens":2,"totalTokens":102}}"#;
const EMBEDDED: &str = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":1000,"total_tokens":1000}}"#;
const CHAT: &str = r#"{"id":"chatcmpl-one1","object":"chat.completion","created":1792484104,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}"#;

/// Reads one file of which the settings say that it holds answers.
fn read_as_body(text: &str) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jsonl"), text).unwrap();
    let mut kept = Kept::default();
    let mut source = super::source(folder.path(), Some(FileFormat::Body), &["a.jsonl"]);
    source.read(&kept.checkpoints.clone(), &mut kept).unwrap();
    kept
}

/// Each table has a row of the same number.
#[test]
fn a_row_is_told_by_its_number_with_its_time_and_its_model() {
    let row = |id: &str, day: u32, model: &str, rest: &str| {
        format!(
            r#"{{"id":{id},"created_at":"2026-11-2{day}T00:00:00Z","model":"{model}","usage":{{"prompt_tokens":10,"completion_tokens":1}}{rest}}}"#
        )
    };
    let calls = |rows: &[String]| read_text("a.jsonl", rows.join("\n")).calls.len();
    let first = row("\"1\"", 0, "gpt-4o", "");
    for (other, expected) in [
        (row("\"1\"", 1, "gpt-4o", ""), 2),
        (row("\"1\"", 0, "gpt-4o-mini", ""), 2),
        (row("\"2\"", 0, "gpt-4o", ""), 2),
        // The same row, told again with what came to it since.
        (row("\"1\"", 0, "gpt-4o", r#","rating":5"#), 1),
    ] {
        assert_eq!(calls(&[first.clone(), other.clone()]), expected, "{other}");
    }
    // Without a time it is its content; what was made to be unique is an id by itself, as that of parts of one answer is.
    let timeless = |id: &str, model: &str| row(id, 0, model, "").replace(r#""created_at":"2026-11-20T00:00:00Z","#, "");
    let [one, two] = ["gpt-4o", "gpt-4o-mini"].map(|model| timeless("\"1\"", model));
    assert_eq!(calls(&[one.clone(), two, one]), 2);
    assert_eq!(
        calls(&[
            row("\"8268673426450482176\"", 0, "glm-4.6", ""),
            row("\"8268673426450482176\"", 1, "glm-4.6", "")
        ]),
        1
    );
    let part = |day| {
        row(
            "\"1\"",
            day,
            "gpt-4o",
            r#","object":"chat.completion.chunk","choices":[]"#,
        )
    };
    assert_eq!(calls(&[part(0), part(1)]), 1);
}

/// A batch of classifications answers thousands of records in the same few words.
#[test]
fn equal_answers_without_an_id_are_told_apart_by_what_stands_around_them() {
    let batch = |n: u32| format!(r#"{{"modelInput":{{"messages":[]}},"modelOutput":{CONVERSE},"recordId":"R{n}"}}"#);
    let log = |n: u32| format!(r#"{{"timestamp":"2026-11-01T10:00:0{n}Z","model":"m","response":{CONVERSE}}}"#);
    let asked = |n: u32| format!(r#"{{"level":"info","request_id":"r{n}","message":{{"response":{CONVERSE}}}}}"#);
    let line = |n: u32| {
        format!(
            r#"{{"id":"batch_req_{n}","custom_id":"r{n}","response":{{"status_code":200,"request_id":"q{n}","body":{EMBEDDED}}},"error":null}}"#
        )
    };
    for form in [&batch as &dyn Fn(u32) -> String, &log, &asked, &line] {
        // Told again they are the same calls, whatever the order of their keys.
        let text = [form(0), form(1), form(2), form(1), form(0)].join("\n");
        let kept = read_text("a.jsonl", &text);
        assert_eq!((kept.calls.len(), kept.observed), (3, 5), "{text}");
    }
    // Nothing tells these apart, and who they are is what it was without the envelope.
    let bare = read_text("a.json", CONVERSE).only().id;
    let nameless = |level: &str| format!(r#"{{"level":"{level}","response":{CONVERSE}}}"#);
    let kept = read_text("a.jsonl", [nameless("info"), nameless("debug")].join("\n"));
    assert_eq!(kept.only().id, bare);
    // An id of its own says who an answer is, wherever it stands.
    let kept = read_text(
        "a.jsonl",
        [CHAT, &line(0).replace(EMBEDDED, CHAT), &log(1).replace(CONVERSE, CHAT)].join("\n"),
    );
    assert_eq!(kept.only().id, EventId::of(&[b"response", b"chatcmpl-one1"]));
}

#[test]
fn a_batch_that_is_asked_for_until_it_ends_is_one_sum_at_its_tier() {
    let polled = |status: &str, input: u32, output: u32| {
        format!(
            r#"{{"id":"batch_1","object":"batch","endpoint":"/v1/chat/completions","model":"gpt-5-2025-08-07","status":"{status}","created_at":1792484104,"usage":{{"input_tokens":{input},"input_tokens_details":{{"cached_tokens":0}},"output_tokens":{output},"output_tokens_details":{{"reasoning_tokens":0}},"total_tokens":{}}}}}"#,
            input + output
        )
    };
    let text = [
        polled("validating", 0, 0),
        polled("in_progress", 1000, 100),
        polled("completed", 2000, 200),
    ]
    .join("\n");
    let kept = read_text("a.jsonl", &text);
    let call = kept.only();
    assert_eq!((call.tier().as_str(), charged(&call).as_str()), ("batch", "0.00225"));
    let told = |about: &&String| about.contains("count twice");
    assert_eq!(kept.warnings.keys().filter(told).count(), 1, "{:?}", kept.warnings);
    assert_eq!(kept.warnings.len(), 1, "{:?}", kept.warnings);
    assert_eq!(kept.excluded.get("records_without_usage"), Some(&1));
    // Thousands of short prompts are no long one.
    let call = read_text(
        "a.json",
        polled("completed", 2_000_000, 200).replace("gpt-5-2025-08-07", "gpt-5.4"),
    )
    .only();
    assert_eq!(call.prompt_size(), 0);
}

/// What loggers write beside an answer names its seller; OpenRouter writes there whom it asked.
#[test]
fn the_name_of_a_provider_beside_an_answer_is_its_sellers() {
    let log = |told: &str, model: &str| {
        format!(
            r#"{{"timestamp":"2026-11-01T10:00:00Z",{told}"model":"{model}","usage":{{"prompt_tokens":1000,"completion_tokens":100}}}}"#
        )
    };
    let cost =
        |model: &str| log("", model).replace(r#""completion_tokens":100"#, r#""completion_tokens":100,"cost":0.0035"#);
    let around = |told: &str| format!(r#"{{{told}"timestamp":"2026-11-01T10:00:00Z","response":{CHAT}}}"#);
    let filtered = CHAT.replace(r#""choices":[]"#, r#""prompt_filter_results":[],"choices":[]"#);
    for (text, provider) in [
        (log(r#""provider":"anthropic","#, "claude-sonnet-4-5"), "anthropic"),
        (log(r#""provider":"azure","#, "gpt-4o"), "azure"),
        (log(r#""provider":"Azure OpenAI","#, "gpt-4o"), "azure"),
        (log(r#""provider":"openai.chat","#, "gpt-4o"), "openai"),
        (log(r#""provider":"together_ai","#, "gpt-oss-120b"), "together"),
        (log(r#""provider":"groq","#, "openai/gpt-oss-120b"), "groq"),
        (log(r#""provider":"acme","#, "gpt-4o"), "acme"),
        (log(r#""provider":"google","#, "claude-sonnet-4-5@20250929"), "vertex"),
        (log(r#""provider":{"name":"x"},"#, "gpt-4o"), "openai"),
        (cost("gpt-4o"), "openai"),
        (around(""), "openai"),
        (around(r#""provider":"azure","#), "azure"),
        (around(r#""provider":"acme","#), "openai"),
        (around(r#""provider":"unknown","#), "openai"),
        (around(r#""provider":"ChatOpenAI","#), "openai"),
        (around(r#""provider":"Databricks","#), "Databricks"),
        (around(r#""provider":"deepinfra","#), "deepinfra"),
        (around(r#""provider":"AzureOpenAI","#), "azure"),
        (around(r#""provider":"openai","#).replace(CHAT, &filtered), "azure"),
        // Those of OpenRouter's own.
        (
            log(r#""provider":"Google AI Studio","#, "google/gemini-2.5-flash"),
            "openrouter",
        ),
        (log(r#""provider":"Azure","#, "openai/gpt-4o"), "openrouter"),
        (
            log(r#""provider":"Anthropic","id":"gen-1","#, "claude-sonnet-4-5"),
            "openrouter",
        ),
        (log(r#""provider":"openrouter","#, "openai/gpt-4o"), "openrouter"),
        (cost("openai/gpt-4o"), "openrouter"),
        (
            cost("openai/gpt-4o").replace("0.0035", r#"{"currency":"USD","total_cost":0.0035}"#),
            "perplexity",
        ),
        (cost("gpt-4o").replace("0.0035", r#"{"total_cost":0.0035}"#), "openai"),
        (
            around(r#""provider":"openai","#).replace("chatcmpl-one1", "gen-1"),
            "openrouter",
        ),
    ] {
        assert_eq!(
            read_text("a.jsonl", &text).only().provider().as_str(),
            provider,
            "{text}"
        );
    }
    let call = read_text("a.jsonl", log(r#""provider":"azure","#, "gpt-4o")).only();
    assert_eq!(charged(&call), "0.0035");
}

/// Its names are Converse's, its input is what the provider's is: before version 6 Claude's, else one that holds what was cached.
#[test]
fn usage_of_the_vercel_ai_sdk_is_not_that_of_converse() {
    let log = |model: &str, usage: &str| {
        format!(r#"{{"timestamp":"2026-11-01T10:00:00Z","model":"{model}","usage":{{{usage}}}}}"#)
    };
    let six = r#""inputTokens":100000,"inputTokenDetails":{"noCacheTokens":10000,"cacheReadTokens":90000},"outputTokens":100,"outputTokenDetails":{"textTokens":100},"totalTokens":100100,"cachedInputTokens":90000"#;
    let five = r#""inputTokens":10000,"outputTokens":100,"totalTokens":10100,"cachedInputTokens":90000"#;
    let less = r#""inputTokens":100000,"outputTokens":100,"totalTokens":100100,"cachedInputTokens":9000"#;
    let gpt =
        r#""inputTokens":1000,"outputTokens":100,"totalTokens":1100,"reasoningTokens":40,"cachedInputTokens":500"#;
    let plain = r#""inputTokens":1000,"outputTokens":100,"totalTokens":1100"#;
    let caches = r#""inputTokens":1000,"outputTokens":100,"totalTokens":1100,"cacheReadInputTokens":0"#;
    for (model, usage, provider, buckets, reasoning) in [
        ("claude-sonnet-4-5", six, "anthropic", [10_000, 90_000, 100], 0),
        ("claude-sonnet-4-5", five, "anthropic", [10_000, 90_000, 100], 0),
        ("claude-sonnet-4-5", less, "anthropic", [100_000, 9000, 100], 0),
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            five,
            "bedrock",
            [10_000, 90_000, 100],
            0,
        ),
        ("amazon.nova-pro-v1:0", less, "bedrock", [100_000, 9000, 100], 0),
        ("gpt-4o", gpt, "openai", [500, 500, 100], 40),
        ("gemini-2.5-pro", gpt, "google", [500, 500, 100], 40),
        ("gpt-4o", plain, "openai", [1000, 0, 100], 0),
        ("nova-lite", plain, "bedrock", [1000, 0, 100], 0),
        ("claude-sonnet-4-5", caches, "bedrock", [1000, 0, 100], 0),
    ] {
        let text = log(model, usage);
        let kept = read_text("a.jsonl", &text);
        assert_eq!(kept.warnings.len(), 1, "{text} {:?}", kept.warnings);
        let call = kept.only();
        let counts = [Bucket::InputUncached, Bucket::CacheRead, Bucket::Output].map(|bucket| call.tokens.get(bucket));
        let seen = (call.provider().to_string(), counts, call.tokens.reasoning);
        assert_eq!(seen, (provider.to_owned(), buckets, reasoning), "{text}");
    }
    let call = |model: &str, usage: &str| read_text("a.jsonl", log(model, usage)).only();
    assert_eq!(charged(&call("claude-sonnet-4-5", six)), "0.0585");
    assert_eq!(charged(&call("gpt-4o", gpt)), "0.002875");
    // An envelope may name the model, and what Converse itself answers is Bedrock's, whatever that is called.
    let logged = |answer: &str| format!(r#"{{"timestamp":"2026-11-01T10:00:00Z","model":"gpt-4o","result":{answer}}}"#);
    let call = read_text("a.jsonl", logged(&format!(r#"{{"usage":{{{gpt}}}}}"#))).only();
    assert_eq!((call.provider().as_str(), call.tokens.prompt()), ("openai", 1000));
    assert_eq!(
        read_text("a.jsonl", logged(CONVERSE)).only().provider().as_str(),
        "bedrock"
    );
}

#[test]
fn steps_of_a_run_are_no_calls_beside_it() {
    let step = |n: u32| {
        format!(
            r#"{{"id":"step_{n}","object":"thread.run.step","created_at":1792484104,"run_id":"run_1","status":"completed","usage":{{"prompt_tokens":500,"completion_tokens":50,"total_tokens":550}}}}"#
        )
    };
    let run = r#"{"id":"run_1","object":"thread.run","created_at":1792484104,"status":"completed","model":"gpt-4o","usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}"#;
    let event = format!(r#"{{"event":"thread.run.step.completed","data":{}}}"#, step(2));
    let kept = read_text("a.jsonl", [&step(1), run, &event].join("\n"));
    assert_eq!(kept.only().tokens.total(), 1100);
    assert_eq!(kept.excluded.get("parts_of_results"), Some(&2));
}

const GAP: &str = "calls without usage: coverage gap";

#[test]
fn a_response_that_never_ends_is_a_gap_and_one_that_does_is_none() {
    let event = |name: &str, status: &str, usage: &str| {
        format!(
            r#"{{"type":"response.{name}","sequence_number":0,"response":{{"id":"resp_1","object":"response","created_at":1792484104,"status":"{status}","model":"gpt-5","output":[],"usage":{usage}}}}}"#
        )
    };
    let used = r#"{"input_tokens":10,"output_tokens":5,"total_tokens":15}"#;
    let delta =
        r#"{"type":"response.output_text.delta","sequence_number":1,"delta":"x","item_id":"i","output_index":0}"#;
    let begun = event("created", "in_progress", "null");
    let ended = event("completed", "completed", used);
    for (lines, calls, gaps) in [
        (vec![&begun, &begun], 0, 1),
        (vec![&begun, &event("cancelled", "cancelled", "null")], 0, 1),
        (vec![&begun, &event("incomplete", "incomplete", "null")], 0, 1),
        (vec![&begun, &ended], 1, 0),
        (vec![&begun, &event("failed", "failed", "null")], 0, 0),
        (
            vec![&begun.replace(r#""status":"in_progress","#, r#""deleted":true,"#)],
            0,
            0,
        ),
    ] {
        let mut text = lines.iter().map(|line| line.as_str()).collect::<Vec<_>>();
        text.insert(1, delta);
        let text = text.join("\n");
        let kept = read_text("a.jsonl", &text);
        let told = kept.excluded.get("calls_without_usage").copied().unwrap_or(0);
        let warned = kept.warnings.get(GAP).copied().unwrap_or(0);
        assert_eq!((kept.calls.len(), told, warned), (calls, gaps, gaps), "{text}");
    }
}

/// Names that other things have, too, are opened where an answer itself stands there; what else counts tokens is told.
#[test]
fn answers_are_found_where_loggers_put_them_and_other_usage_is_told() {
    let known = r#"{"id":"c0","object":"chat.completion","created":1792484104,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
    let quoted = serde_json::to_string(CHAT).unwrap();
    let shipped = serde_json::to_string(&format!("{CHAT}\n")).unwrap();
    let response = r#"{"type":"response.completed","response":{"id":"resp_1","object":"response","created_at":1792484104,"status":"completed","model":"gpt-5","output":[],"usage":{"input_tokens":1000,"output_tokens":100,"total_tokens":1100}}}"#;
    for line in [
        format!(r#"{{"event":"response.completed","data":{response}}}"#),
        format!(r#"{{"msg":"llm","completion":{CHAT}}}"#),
        format!(r#"{{"message":{{"text":"hi"}},"payload":{CHAT}}}"#),
        format!(r#"{{"level":"info","response":{quoted}}}"#),
        format!(r#"{{"level":"info","message":{quoted}}}"#),
        format!(r#"{{"level":"info","output":{{"status":200,"body":{CHAT}}}}}"#),
        format!(r#"{{"response":{CHAT},"message":{{"text":"hi"}}}}"#),
        format!(r#"{{"log":{shipped},"stream":"stdout","time":"2026-10-20T08:15:04.1Z"}}"#),
        format!(r#"{{"level":"info","msg":{quoted}}}"#),
        format!(r#"{{"MESSAGE":{quoted},"PRIORITY":"6"}}"#),
        format!(r#"{{"line":{quoted},"labels":{{"app":"a"}}}}"#),
        format!(r#"{{"insertId":"i","textPayload":{quoted},"timestamp":"2026-10-20T08:15:04Z"}}"#),
        format!(r#"{{"insertId":"i","jsonPayload":{{"message":"hi","response":{CHAT}}}}}"#),
        format!(r#"{{"_index":"logs","_id":"1","_source":{{"level":"info","message":{quoted}}}}}"#),
        r#"{"_id":"1","_source":{"id":"s1","timestamp":"2026-10-20T08:15:04Z","model":"gpt-4o","usage":{"prompt_tokens":1000,"completion_tokens":100}}}"#
            .to_owned(),
        format!(
            r#"{{"log":{},"stream":"stdout"}}"#,
            serde_json::to_string(&format!(r#"{{"level":"info","response":{CHAT}}}"#)).unwrap()
        ),
        format!(r#"{{"level":"info","msg":"llm","llm_response":{CHAT}}}"#),
    ] {
        assert_eq!(read_text("a.jsonl", &line).only().tokens.total(), 1100, "{line}");
        assert_eq!(read_as_body(&line).only().tokens.total(), 1100, "{line}");
        let kept = read_text("a.jsonl", format!("{known}\n{line}\n"));
        assert_eq!((kept.calls.len(), kept.warnings.len()), (2, 0), "{line}");
    }
    let unread = "not read, a coverage gap";
    let warned = |line: &str| {
        let kept = read_text("a.jsonl", format!("{known}\n{line}\n"));
        assert_eq!((kept.calls.len(), kept.rejected.len()), (1, 0), "{line}");
        kept.warnings.keys().any(|about| about.contains(unread))
    };
    for line in [
        r#"{"level":"info","llm":{"model":"gpt-4o","usage":{"prompt_tokens":1000}}}"#,
        r#"{"data":[{"model":"gpt-4o","usage":{"totalTokens":1000}}]}"#,
        r#"{"level":"info","msg":"{\"llm\":{\"usage\":{\"prompt_tokens\":1000}}}"}"#,
        r#"{"level":"info","Llm":{"Usage":{"InputTokenCount":1000,"OutputTokenCount":1}}}"#,
        r#"{"level":"info","llm":{"tokens":{"prompt":1000,"completion":1}}}"#,
        r#"{"hits":{"hits":[{"_source":{"model":"gpt-4o","usage":{"prompt_tokens":1000}}}]}}"#,
        r#"{"jsonPayload":{"host":"a","llm":{"usage":{"prompt_tokens":1000}}}}"#,
    ] {
        assert!(warned(line), "{line}");
        // Where the settings name the kind, too.
        let kept = read_as_body(line);
        assert_eq!(
            (kept.calls.len(), kept.excluded.get("records_without_usage")),
            (0, Some(&1)),
            "{line}"
        );
        assert!(kept.warnings.keys().any(|about| about.contains(unread)), "{line}");
        assert!(
            !kept.warnings.keys().any(|about| about.contains("told apart")),
            "{:?}",
            kept.warnings
        );
    }
    for line in [
        r#"{"level":"info","content":"{\"usage\":{\"prompt_tokens\":1000}}"}"#,
        r#"{"level":"info","host":{"usage":{"cpu":1000}}}"#,
        r#"{"level":"info","llm":{"usage":{"prompt_tokens":0}}}"#,
        r#"{"level":"info","event":"{not json","data":{"usage":"high"}}"#,
        r#"{"level":"info","msg":"{not json: \"usage\"","jsonPayload":{"usage":"high"}}"#,
        r#"{"level":"info","line":17,"log":{"level":"info"},"_source":{"tokens":["a"]}}"#,
    ] {
        assert!(!warned(line), "{line}");
        assert_eq!(
            read_as_body(line).excluded.get("records_without_usage"),
            Some(&1),
            "{line}"
        );
    }
    for line in [
        r#"{"model":"gpt-4o","usage":null}"#,
        r#"{"model":"gpt-4o","usage":{}}"#,
        r#"{"custom_id":"c","result":{"type":"expired"}}"#,
    ] {
        assert_eq!(
            read_as_body(line).excluded.get("records_without_usage"),
            Some(&1),
            "{line}"
        );
    }
}

#[test]
fn geminis_interactions_are_known_by_their_usage_and_in_their_events() {
    let used = r#""created":"2026-10-20T00:00:00Z","status":"completed","usage":{"total_input_tokens":1000000,"total_output_tokens":10000,"total_thought_tokens":5000,"total_tokens":1015000}"#;
    let answer = format!(r#"{{"id":"int_1","model":"gemini-3.5-flash",{used}}}"#);
    let events = [
        r#"{"event_type":"interaction.created","event_id":"1","interaction":{"id":"int_1","object":"interaction","status":"in_progress","model":"gemini-3.5-flash","created":"2026-10-20T00:00:00Z"}}"#.to_owned(),
        format!(r#"{{"event_type":"interaction.completed","event_id":"9","interaction":{}}}"#, answer.replace("{\"id\"", r#"{"object":"interaction","id""#)),
    ];
    for text in [
        answer.clone(),
        events.join("\n"),
        events.join("\n").replace(r#""object":"interaction","id""#, r#""id""#),
    ] {
        let call = read_text("a.jsonl", &text).only();
        assert_eq!(
            (call.provider().as_str(), charged(&call).as_str()),
            ("google", "1.635"),
            "{text}"
        );
    }
    let live = read_text("a.jsonl", format!(r#"{{"event_type":"interaction.completed",{used}}}"#));
    assert_eq!(live.only().tokens.total(), 1_015_000);
}

#[test]
fn what_an_answer_does_not_tell_who_logged_it_may() {
    let chat = CHAT.replace("1792484104", "0");
    let log = |time: &str, rest: &str, answer: &str| format!(r#"{{{time}{rest}"response":{answer}}}"#);
    let time = r#""@timestamp":"2026-10-20T08:15:04Z","#;
    let embedded = r#"{"id":"e","meta":{"billed_units":{"input_tokens":1000}}}"#;
    for (rest, answer, provider, model) in [
        ("", chat.as_str(), "openai", "gpt-4o"),
        (
            r#""request":{"model":"gpt-4o-mini"},"#,
            chat.as_str(),
            "openai",
            "gpt-4o",
        ),
        (
            r#""request":{"modelId":"us.amazon.nova-lite-v1:0"},"#,
            CONVERSE,
            "bedrock",
            "us.amazon.nova-lite-v1:0",
        ),
        (
            r#""model":"m","request":{"model":"embed-v4.0"},"#,
            embedded,
            "cohere",
            "m",
        ),
        (r#""request":{"model":"embed-v4.0"},"#, embedded, "cohere", "embed-v4.0"),
        (r#""request":"POST /","#, embedded, "cohere", ""),
    ] {
        let text = log(time, rest, answer);
        let call = read_text("a.jsonl", &text).only();
        assert_eq!(
            (call.provider().as_str(), call.model().as_str()),
            (provider, model),
            "{text}"
        );
        assert_eq!(call.at, super::time("2026-10-20T08:15:04Z"), "{text}");
    }
    let kept = read_text("a.jsonl", &chat);
    assert!(
        kept.warnings.keys().any(|about| about.contains("time of change")),
        "{:?}",
        kept.warnings
    );
    assert_eq!(kept.only().tokens.total(), 1100);
}
