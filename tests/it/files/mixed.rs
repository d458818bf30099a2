//! One file with records of several formats, and what each of them says about the same kinds of call.

use std::collections::BTreeMap;

use finops::adapters::files::FileFormat;
use finops::domain::usage::Bucket;
use finops::ports::UsageSource as _;

use super::{Kept, read_on, read_text};

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One call: uncached, read, written for 5 minutes, written for 1 hour, output.
struct Call {
    n: u64,
    tokens: [u64; 5],
}

impl Call {
    fn litellm(&self) -> String {
        let [plain, read, five, hour, output] = self.tokens;
        let prompt = plain + read + five + hour;
        let metadata = format!(
            r#"{{"usage_object":{{"prompt_tokens_details":{{"cached_tokens":{read},"cache_creation_tokens":{},"cache_creation_token_details":{{"ephemeral_5m_input_tokens":{five},"ephemeral_1h_input_tokens":{hour}}}}}}}}}"#,
            five + hour
        );
        format!(
            r#"{{"request_id":"r-{}","prompt_tokens":{prompt},"completion_tokens":{output},"total_tokens":{},"startTime":"2026-10-20 08:00:00+00:00","model":"m","custom_llm_provider":"anthropic","metadata":{},"status":"success"}}"#,
            self.n,
            prompt + output,
            serde_json::to_string(&metadata).unwrap()
        )
    }

    /// The same as the callback's payload.
    fn payload(&self) -> String {
        let [plain, read, five, hour, output] = self.tokens;
        let prompt = plain + read + five + hour;
        format!(
            r#"{{"id":"r-{}","trace_id":"t","litellm_call_id":"c","response_cost":0.25,"prompt_tokens":{prompt},"completion_tokens":{output},"startTime":1792483200.25,"model":"m","custom_llm_provider":"anthropic","cache_hit":null,"request_tags":["team:ads"],"metadata":{{"user_api_key_team_alias":"x"}},"response":{{"usage":{{"cache_read_input_tokens":{read},"cache_creation_input_tokens":{},"prompt_tokens_details":{{"cache_creation_token_details":{{"ephemeral_1h_input_tokens":{hour}}}}}}}}},"status":"success"}}"#,
            self.n,
            five + hour
        )
    }

    fn bedrock(&self) -> String {
        let [plain, read, five, hour, output] = self.tokens;
        format!(
            r#"{{"schemaType":"ModelInvocationLog","timestamp":"2026-10-20T08:00:00Z","accountId":"1","region":"r","requestId":"b-{}","modelId":"m","input":{{"inputTokenCount":{plain},"cacheReadInputTokenCount":{read},"cacheWriteInputTokenCount":{}}},"output":{{"outputTokenCount":{output},"outputBodyJson":{{"usage":{{"inputTokens":1,"cacheDetails":[{{"ttl":"1h","inputTokens":{hour}}}]}}}}}}}}"#,
            self.n,
            five + hour
        )
    }

    fn body(&self) -> String {
        let [plain, read, five, hour, output] = self.tokens;
        format!(
            r#"{{"created_at":1792483200,"id":"msg_{}","type":"message","role":"assistant","model":"m","usage":{{"input_tokens":{plain},"cache_read_input_tokens":{read},"cache_creation_input_tokens":{},"cache_creation":{{"ephemeral_5m_input_tokens":{five},"ephemeral_1h_input_tokens":{hour}}},"output_tokens":{output}}}}}"#,
            self.n,
            five + hour
        )
    }

    fn spans(&self) -> String {
        let [plain, read, five, hour, output] = self.tokens;
        let count = |key: &str, n: u64| format!(r#"{{"key":"gen_ai.usage.{key}","value":{{"intValue":"{n}"}}}}"#);
        let span = |id: &str, parent: &str, operation: &str| {
            format!(
                r#"{{"traceId":"{:032x}","spanId":"{id}","parentSpanId":"{parent}","startTimeUnixNano":"1792483200000000000","attributes":[{{"key":"gen_ai.operation.name","value":{{"stringValue":"{operation}"}}}},{}]}}"#,
                self.n,
                [
                    count("input_tokens", plain + read + five + hour),
                    count("output_tokens", output),
                    count("cache_read.input_tokens", read),
                    count("cache_creation.input_tokens", five + hour)
                ]
                .join(",")
            )
        };
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{},{}]}}]}}]}}"#,
            span("a", "", "invoke_agent"),
            span("c", "a", "chat")
        )
    }

    fn claude(&self) -> String {
        let [plain, read, five, hour, output] = self.tokens;
        format!(
            r#"{{"parentUuid":null,"sessionId":"s","type":"assistant","uuid":"u","timestamp":"2026-10-20T08:00:00Z","message":{{"id":"c-{}","role":"assistant","model":"m","stop_reason":"end_turn","usage":{{"input_tokens":{plain},"cache_read_input_tokens":{read},"cache_creation":{{"ephemeral_5m_input_tokens":{five},"ephemeral_1h_input_tokens":{hour}}},"output_tokens":{output}}}}}}}"#,
            self.n
        )
    }

    /// A session whose counter has grown to this call.
    fn codex(&self) -> [String; 2] {
        let [plain, read, five, hour, output] = self.tokens;
        [
            r#"{"timestamp":"2026-10-20T07:00:00Z","type":"session_meta","payload":{"id":"x","cwd":"/srv"}}"#
                .to_owned(),
            format!(
                r#"{{"timestamp":"2026-10-20T08:00:00Z","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":{},"cached_input_tokens":{read},"output_tokens":{output}}}}}}}}}"#,
                plain + read + five + hour
            ),
        ]
    }

    fn plain(&self) -> String {
        let [plain, read, five, hour, output] = self.tokens;
        format!(
            r#"{{"id":"p-{}","ts":"2026-10-20T08:00:00Z","provider":"anthropic","model":"m","input_tokens":{plain},"cache_read_tokens":{read},"cache_write_5m_tokens":{five},"cache_write_1h_tokens":{hour},"output_tokens":{output}}}"#,
            self.n
        )
    }
}

#[test]
fn records_of_all_formats_in_one_file_add_up_exactly() {
    let mut dice = Dice(7);
    let mut lines = Vec::new();
    let mut expected = [0_u64; 6];
    let mut splits = 0;
    for n in 0..600 {
        let mut tokens = [0; 5];
        tokens.iter_mut().for_each(|t| *t = dice.roll(100_000));
        let call = Call { n, tokens };
        let line = match n % 6 {
            0 => call.litellm(),
            1 => call.payload(),
            2 => call.bedrock(),
            3 => call.body(),
            4 => call.spans(),
            _ => call.plain(),
        };
        // Traces do not say for how long the cache was written.
        let unsplit = n % 6 == 4;
        splits += u64::from(unsplit) * tokens[3];
        expected.iter_mut().zip(tokens).for_each(|(sum, t)| *sum += t);
        lines.push(line.clone());
        if dice.roll(4) == 0 {
            lines.insert(usize::try_from(dice.roll(lines.len() as u64)).unwrap(), line);
        }
    }
    expected[2] += splits;
    expected[3] -= splits;
    let all = lines.join("\n");
    let kept = read_text("a.jsonl", &all);
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected.first());
    assert_eq!((kept.calls.len(), kept.totals()), (600, expected));
    assert_eq!(kept.excluded.get("parent_spans"), Some(&100));
    assert!(
        !kept.warnings.keys().any(|w| w.contains("excludes")),
        "{:?}",
        kept.warnings
    );
    let array = read_text("a.json", format!("[{}]", lines.join(",\n")));
    assert_eq!(array.totals(), expected);
    let pretty: Vec<String> = lines
        .iter()
        .map(|l| serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(l).unwrap()).unwrap())
        .collect();
    assert_eq!(read_text("a.json", pretty.join("\n")).totals(), expected);
}

#[test]
fn a_named_format_reads_its_own_records_and_leaves_the_others() {
    let call = Call {
        n: 1,
        tokens: [10, 0, 0, 0, 1],
    };
    let text = [call.litellm(), call.bedrock(), call.body(), call.spans()].join("\n");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jsonl"), text).unwrap();
    for format in [
        FileFormat::Litellm,
        FileFormat::Bedrock,
        FileFormat::Body,
        FileFormat::Otel,
    ] {
        let mut kept = Kept::default();
        super::source(folder.path(), Some(format), &["a.jsonl"])
            .read(&kept.checkpoints.clone(), &mut kept)
            .unwrap();
        assert_eq!(kept.only().tokens.get(Bucket::Output), 1, "{format}");
    }
}

#[test]
fn a_line_that_is_no_json_and_one_that_is_no_usage_do_not_stop_the_others() {
    let call = Call {
        n: 1,
        tokens: [10, 0, 0, 0, 1],
    };
    let text = [
        call.bedrock(),
        "{\"hello\":1}".into(),
        "hello".into(),
        "{\"a\":".into(),
        call.body(),
        String::new(),
    ]
    .join("\n");
    let kept = read_text("a.jsonl", text);
    assert_eq!(
        (kept.calls.len(), kept.excluded.get("records_without_usage")),
        (2, Some(&1))
    );
    assert_eq!(kept.rejected.iter().map(|r| r.line).collect::<Vec<_>>(), [3, 4]);
}

/// A session log holds lines that are no usage; what is a record of another format among them counts all the same.
#[test]
fn what_a_file_begins_with_does_not_decide_what_counts() {
    let call = Call {
        n: 1,
        tokens: [10, 0, 0, 0, 1],
    };
    let [meta, counter] = call.codex();
    let mut lines = [
        call.claude(),
        format!("{meta}\n{counter}"),
        call.litellm(),
        call.payload().replace("r-1", "r-2"),
        call.bedrock(),
        call.body(),
        call.spans(),
        call.plain(),
    ];
    for _ in 0..lines.len() {
        lines.rotate_left(1);
        let summary = r#"{"type":"summary","summary":"s","leafUuid":"l"}"#;
        let kept = read_text(
            "a.jsonl",
            format!("{}\n{summary}\n{}\n", lines[0], lines[1..].join("\n")),
        );
        assert_eq!((kept.calls.len(), kept.rejected.len()), (8, 0), "{}", lines[0]);
        assert_eq!(kept.totals(), [80, 0, 0, 0, 8, 0], "{}", lines[0]);
    }
}

#[test]
fn a_session_within_a_file_of_another_format_goes_on_where_it_stood() {
    let call = |output| Call {
        n: 1,
        tokens: [10, 0, 0, 0, output],
    };
    let [meta, counter] = call(5).codex();
    for first in [call(1).claude(), call(1).litellm(), call(1).plain()] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let mut kept = Kept::default();
        let mut text = format!("{first}\n{meta}\n{counter}\n");
        std::fs::write(&path, &text).unwrap();
        read_on(folder.path(), &["a.jsonl"], &mut kept);
        assert_eq!(kept.totals()[4], 6, "{first}");
        let [_, counter] = call(8).codex();
        text += &format!("{counter}\n");
        std::fs::write(&path, &text).unwrap();
        read_on(folder.path(), &["a.jsonl"], &mut kept);
        assert_eq!((kept.totals()[0], kept.totals()[4]), (20, 9), "{first}");
    }
}

/// A record's format is told by its keys, in any order and with any blanks, whatever stands before it.
#[test]
fn sessions_of_agents_count_alike_behind_any_other_format_and_however_they_are_written() {
    let seed = |path: &str| {
        let path = format!("{}/tests/corpus/{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let call = Call {
        n: 777,
        tokens: [10, 0, 0, 0, 1],
    };
    let [meta, counter] = call.codex();
    let claude = call.claude().replacen('{', r#"{"isSidechain":false,"#, 1);
    let stream = concat!(
        r#"{"type":"system","subtype":"init","session_id":"s","tools":[]}"#,
        "\n",
        r#"{"type":"assistant","message":{"id":"printed-1","type":"message","role":"assistant","model":"claude-sonnet-4-6","stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":3}},"parent_tool_use_id":null,"session_id":"s"}"#,
        "\n",
        r#"{"type":"result","subtype":"success","session_id":"s","total_cost_usd":0.5,"usage":{"input_tokens":7,"output_tokens":3}}"#,
        "\n",
    );
    let sessions = [
        seed("claude-code/seed"),
        seed("gemini-cli/seed"),
        seed("gemini-cli/qwen"),
        seed("pi/seed"),
        seed("copilot-cli/seed"),
        seed("kimi-cli/seed"),
        stream.to_owned(),
    ];
    let told = |text: &str| {
        let kept = read_text("a.jsonl", text);
        // Behind plain records what is none, and nobody's that is known, is refused.
        let plain = text.contains("\"p-777\"");
        assert!(plain || kept.rejected.is_empty(), "{:?} {text}", kept.rejected.first());
        (kept.calls.len(), kept.totals())
    };
    for session in &sessions {
        let alone = told(session);
        let values: Vec<serde_json::Value> = session.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let sorted: Vec<String> = values.iter().map(ToString::to_string).collect();
        let spaced: Vec<String> = values
            .iter()
            .map(|value| serde_json::to_string_pretty(value).unwrap())
            .collect();
        let written = [session.clone(), sorted.join("\n"), spaced.join("\n")];
        for text in &written {
            assert_eq!(told(text), alone, "{text}");
        }
        let fronts = [
            call.plain(),
            call.body(),
            call.litellm(),
            claude.clone(),
            format!("{meta}\n{counter}"),
        ];
        for front in fronts {
            for text in &written[..2] {
                let both = told(&format!("{front}\n{text}"));
                assert_eq!(both.0, alone.0 + 1, "{front} {text}");
                assert_eq!(
                    (both.1[0], both.1[4]),
                    (alone.1[0] + 10, alone.1[4] + 1),
                    "{front} {text}"
                );
            }
        }
    }
    // The other way round: what is no agent's stays what it is behind their sessions.
    let logged = [
        r#"{"response":{"id":"c-9","object":"chat.completion","created":1792483200,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":1}},"type":"message","parentId":"x","message":{"role":"assistant","content":"hi"},"timestamp":"2026-10-20T08:00:00Z"}"#,
        r#"{"sessionID":"s","role":"assistant","content":"x","timestamp":"2026-10-20T08:00:00Z","model":"gpt-4o","usage":{"prompt_tokens":10,"completion_tokens":1}}"#,
        r#"{"timestamp": "2026-10-20T08:00:00Z", "message": {"type": "message", "id": "msg_9", "role": "assistant", "model": "claude-sonnet-4-6", "usage": {"input_tokens": 10, "output_tokens": 1}}}"#,
        r#"{"timestamp":"2026-10-20T08:00:00Z","type":"call","payload":{"id":"c-8","object":"chat.completion","model":"gpt-4o","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":1}}}"#,
    ];
    let opencode = seed("opencode/message").replace('\n', "") + "\n";
    for session in sessions[1..6]
        .iter()
        .chain([&opencode, &format!("{meta}\n{counter}\n")])
    {
        let alone = told(session);
        for record in logged {
            assert_eq!(told(record).0, 1, "{record}");
            assert_eq!(
                told(&format!("{session}{record}\n")).0,
                alone.0 + 1,
                "{session} {record}"
            );
        }
    }
    let unknown = r#"{"id":"x","took":{"tokens":{"input":10,"output":1}}}"#;
    for front in [claude, call.plain()] {
        let kept = read_text("a.jsonl", format!("{front}\n{unknown}\n"));
        let told = kept.warnings.keys().any(|warning| warning.contains("coverage gap"));
        assert!(told || !kept.rejected.is_empty(), "{front}");
    }
}

/// How a service starts stands before its calls; text that a log has between them is no damaged record.
#[test]
fn a_log_that_begins_with_records_of_no_format_is_read_for_its_calls() {
    let call = |n| {
        let call = Call {
            n,
            tokens: [10, 0, 0, 0, 1],
        };
        call.body()
    };
    let session = Call {
        n: 9,
        tokens: [5, 0, 0, 0, 2],
    };
    let start: Vec<String> = (0..2000)
        .map(|n| format!(r#"{{"level":"info","msg":"the token of user {n} was refreshed"}}"#))
        .collect();
    let none = BTreeMap::from([("records_without_usage", 2000)]);
    let with = |calls: &[String]| [start.as_slice(), calls].concat();
    let calls = with(&[call(1), session.claude(), call(2)]);
    let pretty = calls
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|value| serde_json::to_string_pretty(&value).unwrap());
    for (name, text) in [
        ("a.jsonl", calls.join("\n")),
        ("a.json", format!("[{}]", calls.join(",\n"))),
        ("a.json", pretty.collect::<Vec<_>>().join("\n")),
    ] {
        let kept = read_text(name, text);
        assert_eq!(
            (kept.calls.len(), kept.totals()[4], kept.rejected.len()),
            (3, 4, 0),
            "{name}"
        );
        assert_eq!(kept.excluded, none, "{name}");
    }
    // It is read on as what it was, and only what was cut in it is refused.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let mut text = format!("Server is up\n{}\n", with(&[call(1)]).join("\n"));
    let mut kept = Kept::default();
    std::fs::write(&path, &text).unwrap();
    read_on(folder.path(), &["app.log"], &mut kept);
    text += &format!("Server goes down\n{}\n{{\"id\":\"c\n", call(2));
    std::fs::write(&path, &text).unwrap();
    read_on(folder.path(), &["app.log"], &mut kept);
    assert_eq!((kept.calls.len(), kept.observed), (2, 2));
    assert_eq!(kept.excluded.get("records_without_usage"), Some(&2002));
    assert_eq!(kept.rejected.iter().map(|one| one.line).collect::<Vec<_>>(), [2005]);
}

/// Wherever in it the first call is, and however the log was cut when it was set aside.
#[test]
fn a_log_that_tells_its_first_call_early_is_read_as_one_that_tells_it_late() {
    let call = Call {
        n: 1,
        tokens: [10, 0, 0, 0, 1],
    };
    let starts = [
        "starting server",
        "INFO up {\"port\":[80]}",
        "{\"level\":\"info\"}",
        "2026-10-20 [main] ready, said \"hello\"",
    ];
    for start in starts {
        for lines in [1, 2, 19, 20, 200] {
            let text = format!("{}{}\nbye\n", format!("{start}\n").repeat(lines), call.body());
            let kept = read_text("a.jsonl", text);
            let told = kept.excluded.get("records_without_usage").copied();
            assert_eq!(
                (kept.calls.len(), kept.rejected.len(), told),
                (1, 0, Some(lines as u64 + 1)),
                "{lines} {start}"
            );
        }
    }
    // The rest of a call that was cut, and the front of one.
    let (body, other) = (call.body(), Call { n: 2, ..call }.body());
    for cut in [&body[body.len() / 2..], &body[..body.len() / 2]] {
        let kept = read_text("a.jsonl", format!("{cut}\n{other}\n"));
        assert_eq!((kept.calls.len(), kept.rejected.len()), (1, 1), "{cut}");
    }
}

#[test]
fn a_log_without_a_call_is_of_no_format_and_told_by_its_name() {
    // Others have a key or two of a tool.
    let line = |n: u32| {
        let keys = if n < 100 {
            ""
        } else {
            r#","sessionId":"s","type":"auth""#
        };
        format!(r#"{{"level":"info","msg":"the token of user {n} was refreshed"{keys}}}"#)
    };
    let text: Vec<String> = (0..3000).map(line).collect();
    let kept = read_text("app.log", text.join("\n"));
    let refused = kept.rejected.first().unwrap();
    assert_eq!((kept.rejected.len(), refused.line), (1, 1));
    assert_eq!(
        (refused.reason.as_str(), refused.raw.as_slice()),
        ("no known usage format", text[0].as_bytes())
    );
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jsonl", "b.jsonl"] {
        std::fs::write(folder.path().join(name), text.join("\n")).unwrap();
    }
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    let (about, count) = kept.warnings.iter().next().unwrap();
    assert!(
        about.starts_with("files of no known usage format") && about.contains("a.jsonl`"),
        "{about}"
    );
    assert_eq!((*count, kept.rejected.len(), kept.excluded.len()), (2, 0, 0));
}

/// Texts of objects, as `jq` makes them, and objects that were cut out of an array.
#[test]
fn texts_of_records_and_records_behind_which_a_comma_stands_are_read() {
    let lines: Vec<String> = (0..3)
        .map(|n| {
            Call {
                n,
                tokens: [10, 0, 0, 0, 1],
            }
            .body()
        })
        .collect();
    let texts: Vec<String> = lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
    for (name, text) in [
        ("a.json", format!("[{}]", texts.join(","))),
        ("a.json", format!("[\n  {}\n]\n", texts.join(",\n  "))),
        ("a.jsonl", texts.join("\n")),
        ("a.jsonl", lines.join(",\n")),
        ("a.jsonl", format!("{},\n", lines.join(",\n"))),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), &text).unwrap();
        for format in [None, Some(FileFormat::Body)] {
            let mut kept = Kept::default();
            let mut source = super::source(folder.path(), format, &[name]);
            source.read(&kept.checkpoints.clone(), &mut kept).unwrap();
            assert_eq!(
                (kept.calls.len(), kept.totals()[4], kept.rejected.len()),
                (3, 3, 0),
                "{text}"
            );
            assert!(kept.warnings.is_empty(), "{:?} {text}", kept.warnings);
        }
    }
    let kept = read_text("a.json", format!("[\"a\",{},\"{{b\"]", texts[0]));
    // A text that is no record's takes none along.
    assert_eq!((kept.calls.len(), kept.rejected.len()), (1, 1));
    assert_eq!(kept.excluded.get("records_without_usage"), Some(&1));
}
