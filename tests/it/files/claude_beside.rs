//! What Claude Code tells beside the answers of its sessions: searches, compactions, subagents, and what it prints.

use std::io::Write;

use finops::adapters::files::FileFormat;
use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, EventId, UsageEvent};
use finops::ports::{Checkpoints, UsageSource};

use super::{Kept, charged, read_on, read_text, source};

const ANSWER: &str = r#"{"parentUuid":"u-0","isSidechain":false,"message":{"id":"msg_1","role":"assistant","model":"claude-sonnet-4-6","content":[{"type":"tool_use","id":"toolu_1","name":"WebSearch","input":{"query":"q"}}],"stop_reason":"tool_use","usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":900,"output_tokens":20}},"requestId":"req_1","type":"assistant","uuid":"u-1","timestamp":"2026-10-20T08:15:04.120Z","cwd":"/srv/shop","sessionId":"s-1","version":"2.1.197","gitBranch":"main"}"#;

/// A line that hands a tool's result to the session.
fn answered(uuid: &str, tool: &str, result: &str) -> String {
    format!(
        r#"{{"parentUuid":"u-1","isSidechain":false,"promptId":"p","type":"user","message":{{"role":"user","content":[{{"tool_use_id":"{tool}","type":"tool_result","content":"found"}}]}},"uuid":"{uuid}","timestamp":"2026-10-20T08:15:09.000Z","toolUseResult":{result},"sourceToolAssistantUUID":"u-1","userType":"external","cwd":"/srv/shop","sessionId":"s-1","version":"2.1.197","gitBranch":"main"}}"#
    )
}

fn searched(count: &str) -> String {
    format!(
        r#"{{"query":"q","results":[{{"tool_use_id":"srvtoolu_1","content":[{{"title":"t","url":"https://e.org"}}]}},"text",{{"tool_use_id":"srvtoolu_2","content":[]}}],"durationSeconds":0.15{count}}}"#
    )
}

fn search_of(kept: &Kept, tool: &str) -> UsageEvent {
    kept.calls[&EventId::of(&[b"claude-code-search", tool.as_bytes()])]
}

#[test]
fn searches_that_have_no_answer_of_their_own_are_charged_and_their_tokens_told() {
    let counted = answered("u-2", "toolu_1", &searched(",\"searchCount\":3"));
    let copied = counted.replace("\"u-2\"", "\"u-9\"").replace("\"s-1\"", "\"s-2\"");
    // Versions that do not count: one search stands in each object.
    let older = answered("u-3", "toolu_2", &searched(""));
    let none = answered("u-4", "toolu_3", &searched(",\"searchCount\":0"));
    // A line with usage teaches the form that the searches have, too.
    let agent = answered("u-5", "toolu_4", r#"{"agentId":"a","usage":{"input_tokens":5}}"#);
    let others = [
        answered(
            "u-6",
            "toolu_5",
            r#""{\"query\":\"q\",\"durationSeconds\":1,\"searchCount\":4}""#,
        ),
        answered("u-7", "toolu_6", r#"{"durationSeconds":2,"results":[{"a":1}]}"#),
    ];
    for taught in [String::new(), format!("{agent}\n{agent}\n")] {
        let text = [
            &taught, ANSWER, "\n", &counted, "\n", &copied, "\n", &older, "\n", &none, "\n",
        ]
        .concat();
        let kept = read_text("a.jsonl", text + &others.join("\n"));
        assert_eq!((kept.calls.len(), kept.rejected.len()), (3, 0), "{:?}", kept.rejected);
        let call = search_of(&kept, "toolu_1");
        assert_eq!((call.requests.web_searches, call.tokens.total()), (3, 0));
        assert_eq!(
            (call.provider().as_str(), call.model().as_str()),
            ("anthropic", "claude-sonnet-4-6")
        );
        assert_eq!(call.dimensions.get(Dimension::Project).as_str(), "/srv/shop");
        assert_eq!(
            (call.session.as_str(), call.at),
            ("s-1", super::time("2026-10-20T08:15:09Z"))
        );
        assert_eq!(charged(&call), "0.03");
        assert_eq!(search_of(&kept, "toolu_2").requests.web_searches, 2);
        assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1));
        let told: Vec<_> = kept
            .warnings
            .iter()
            .filter(|(about, _)| about.starts_with("Claude Code's searches"))
            .collect();
        assert!(matches!(told.as_slice(), [(_, 4)]), "{:?}", kept.warnings);
    }
}

#[test]
fn a_search_that_is_read_in_a_later_run_has_the_model_of_its_session() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let bedrock = ANSWER.replace("msg_1", "msg_vrtx_1");
    std::fs::write(&path, bedrock + "\n").unwrap();
    let mut kept = Kept::default();
    read_on(folder.path(), &["a.jsonl"], &mut kept);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    writeln!(file, "{}", answered("u-2", "toolu_1", &searched(",\"searchCount\":1"))).unwrap();
    read_on(folder.path(), &["a.jsonl"], &mut kept);
    let call = search_of(&kept, "toolu_1");
    assert_eq!((kept.observed, call.provider().as_str()), (2, "vertex"));
    assert_eq!(call.model().as_str(), "claude-sonnet-4-6");
}

#[test]
fn a_compaction_is_a_gap_once_whatever_copies_there_are() {
    let line = r#"{"parentUuid":null,"logicalParentUuid":"u-1","isSidechain":false,"type":"system","subtype":"compact_boundary","content":"Conversation compacted","isMeta":false,"timestamp":"2026-10-20T08:16:00.000Z","uuid":"c-1","level":"info","compactMetadata":{"trigger":"auto","preTokens":167189},"cwd":"/srv/shop","sessionId":"s-1"}"#;
    let copied = line.replace("c-1", "c-2").replace("s-1", "s-2");
    // This one asks no model.
    let cleared = line.replace("compact_boundary", "microcompact_boundary");
    let kept = read_text("a.jsonl", [ANSWER, line, &copied, &cleared].join("\n"));
    assert_eq!((kept.calls.len(), kept.rejected.len()), (1, 0));
    assert_eq!(
        kept.excluded.get("calls_without_usage"),
        Some(&1),
        "{:?}",
        kept.excluded
    );
    assert!(
        kept.warnings
            .keys()
            .any(|about| about.starts_with("Claude Code's compactions")),
        "{:?}",
        kept.warnings
    );
}

#[test]
fn a_subagent_is_named_and_the_file_beside_its_log_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let agents = folder.path().join("copied/s-1/subagents");
    std::fs::create_dir_all(&agents).unwrap();
    let line = ANSWER.replace(
        r#""type":"assistant","uuid""#,
        r#""attributionAgent":"general-purpose","type":"assistant","uuid""#,
    );
    // Twice, since the second line of a form is read in another way; the last one by the general parser.
    let again = |id: &str| line.replace("msg_1", id);
    let escaped = again("msg_3").replace("general-purpose", "general\\u002dpurpose");
    let text = [line.clone(), again("msg_2"), escaped].join("\n");
    std::fs::write(agents.join("agent-a1.jsonl"), text).unwrap();
    std::fs::write(
        agents.join("agent-a1.meta.json"),
        r#"{"agentType":"general-purpose","spawnDepth":1}"#,
    )
    .unwrap();
    let mut kept = Kept::default();
    read_on(folder.path(), &["copied"], &mut kept);
    assert_eq!(
        (kept.calls.len(), kept.rejected.len(), kept.warnings.len()),
        (3, 0, 0),
        "{:?}",
        kept.warnings
    );
    for call in kept.calls.values() {
        assert_eq!(call.dimensions.get(Dimension::Agent).as_str(), "general-purpose");
    }
}

#[test]
fn sessions_of_another_program_in_the_same_outline_are_gaps() {
    let line = |uuid: &str| {
        format!(
            r#"{{"uuid":"{uuid}","parentUuid":"u-0","sessionId":"s-1","timestamp":"2026-10-20T08:15:04.120Z","type":"assistant","cwd":"/srv/shop","model":"qwen3-coder-plus","message":{{"role":"model","parts":[]}},"usageMetadata":{{"promptTokenCount":10001,"candidatesTokenCount":201}}}}"#
        )
    };
    let text = [line("u-1"), line("u-2"), line("u-2")].join("\n");
    // Read as what the settings say that they are; by themselves they are known for what they are.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jsonl"), text).unwrap();
    let mut kept = Kept::default();
    let mut named = source(folder.path(), Some(FileFormat::ClaudeCode), &["a.jsonl"]);
    named.read(&Checkpoints::default(), &mut kept).unwrap();
    assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 0));
    assert_eq!(
        kept.excluded.get("calls_without_usage"),
        Some(&2),
        "{:?}",
        kept.excluded
    );
}

/// A result: what its prompt used (input, read, written, output), and by model what its process has used, with searches and cost.
fn result(uuid: &str, turn: [u64; 4], models: &[(&str, [u64; 5], &str)]) -> String {
    let models: Vec<String> = models
        .iter()
        .map(|(name, [input, read, written, output, searches], cost)| {
            format!(
                r#""{name}":{{"inputTokens":{input},"outputTokens":{output},"cacheReadInputTokens":{read},"cacheCreationInputTokens":{written},"webSearchRequests":{searches},"costUSD":{cost},"contextWindow":200000}}"#
            )
        })
        .collect();
    let [input, read, written, output] = turn;
    format!(
        r#"{{"type":"result","subtype":"success","is_error":false,"result":"fin","session_id":"s-1","total_cost_usd":0.1,"total_cost":0.1,"usage":{{"input_tokens":{input},"cache_creation_input_tokens":{written},"cache_read_input_tokens":{read},"output_tokens":{output},"server_tool_use":{{"web_search_requests":0}},"service_tier":"standard","cache_creation":{{"ephemeral_1h_input_tokens":{written},"ephemeral_5m_input_tokens":0}},"inference_geo":"","speed":"standard"}},"modelUsage":{{{}}},"uuid":"{uuid}"}}"#,
        models.join(",")
    )
}

fn part(id: &str) -> String {
    format!(
        r#"{{"type":"assistant","message":{{"id":"{id}","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"stop_reason":null,"usage":{{"input_tokens":3,"cache_read_input_tokens":20,"output_tokens":1}}}},"parent_tool_use_id":null,"session_id":"s-1","uuid":"{id}-u","request_id":"req_1"}}"#
    )
}

const INIT: &str =
    r#"{"type":"system","subtype":"init","cwd":"/srv/shop","session_id":"s-1","model":"claude-sonnet-4-6","uuid":"i"}"#;
const TASK: &str = r#"{"type":"system","subtype":"task_notification","usage":{"total_tokens":21400,"tool_uses":0},"uuid":"t","session_id":"s-1"}"#;
const USER: &str = r#"{"type":"user","message":{"role":"user","content":[]},"parent_tool_use_id":null,"session_id":"s-1","uuid":"v","timestamp":"2026-10-20T08:15:09.000Z","tool_use_result":{"query":"q","results":[{"tool_use_id":"x"}],"usage":{"input_tokens":5},"durationSeconds":0.1,"searchCount":1}}"#;
const EVENT: &str = r#"{"type":"stream_event","event":{"type":"message_delta","usage":{"output_tokens":5}},"session_id":"s-1","parent_tool_use_id":null,"uuid":"e"}"#;

#[test]
fn a_printed_result_counts_by_model_and_nothing_on_the_way_to_it() {
    // The main model also searched, and another one wrote titles.
    let models = [
        ("claude-haiku-4-5", [50, 0, 10, 9, 0], "0.0001"),
        ("claude-sonnet-4-6", [1598, 901_000, 600, 758, 2], "0.1006"),
    ];
    let told = result("r-1", [1052, 80_104, 400, 504], &models);
    let stream = [INIT, &part("m1"), TASK, USER, EVENT, &part("m2"), &told].join("\n");
    let read = |text: &str, format| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.jsonl"), text).unwrap();
        let mut kept = Kept::default();
        source(folder.path(), format, &["a.jsonl"])
            .read(&Checkpoints::new(), &mut kept)
            .unwrap();
        kept
    };
    let list = format!("[{}]", stream.replace('\n', ","));
    let pretty = told.replace(",\"", ",\n  \"");
    for (text, format) in [
        (&told, None),
        (&pretty, None),
        (&stream, None),
        (&list, None),
        (&format!("{told}\n{stream}"), None),
        (&stream, Some(FileFormat::ClaudeCode)),
    ] {
        let kept = read(text, format);
        assert_eq!(
            (kept.calls.len(), kept.rejected.len()),
            (2, 0),
            "{text} {:?}",
            kept.rejected
        );
        // Of the main model alone it is known what was to be cached for an hour.
        assert_eq!(kept.totals(), [1648, 901_000, 210, 400, 767, 0], "{text}");
        let id = EventId::of(&[b"claude-code-result", b"r-1", b"claude-sonnet-4-6"]);
        let call = kept.calls[&id];
        assert_eq!(
            (call.provider().as_str(), call.session.as_str(), call.tier().as_str()),
            ("anthropic", "s-1", "standard")
        );
        assert_eq!((call.requests.web_searches, call.prompt_size()), (2, 200_000));
        assert_eq!(call.reported_cost.unwrap().to_string(), "0.1006");
        assert_eq!(kept.excluded.get("calls_without_usage"), None, "{text}");
        assert!(
            kept.warnings.keys().any(|about| about.contains("count twice")),
            "{:?}",
            kept.warnings
        );
    }
    let kept = read(&stream, None);
    assert_eq!(kept.excluded.get("parts_of_results"), Some(&2), "{:?}", kept.excluded);
}

#[test]
fn results_of_one_process_grow_and_those_of_two_stand_beside_each_other() {
    let model = |counts, cost| ("claude-sonnet-4-6", counts, cost);
    let first = result(
        "r-1",
        [13, 20_001, 1001, 101],
        &[model([13, 20_001, 1001, 101, 0], "0.0122")],
    );
    let grown = result(
        "r-2",
        [23, 20_002, 1002, 102],
        &[model([36, 40_003, 2003, 203, 0], "0.0244")],
    );
    // The process that goes on with the session begins to count anew, and its prompts are longer.
    let other = result(
        "r-3",
        [33, 20_003, 1003, 103],
        &[model([33, 20_003, 1003, 103, 0], "0.0123")],
    );
    let totals = |lines: &[&str]| {
        let text = lines.to_vec();
        let kept = read_text("a.jsonl", text.join("\n"));
        assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
        let cost: rust_decimal::Decimal = kept.calls.values().filter_map(|call| call.reported_cost).sum();
        ([kept.totals()[0], kept.totals()[4]], cost.normalize().to_string())
    };
    assert_eq!(totals(&[&first, INIT, &grown]), ([36, 203], "0.0244".to_owned()));
    assert_eq!(totals(&[&first, INIT, &other]), ([46, 204], "0.0245".to_owned()));
    // Of a process each, whatever the second one used beside its prompt.
    assert_eq!(totals(&[&first, &grown]), ([49, 304], "0.0366".to_owned()));
    assert_eq!(totals(&[&first, &other]), ([46, 204], "0.0245".to_owned()));
    assert_eq!(
        totals(&[&first, INIT, &grown, &other]),
        ([69, 306], "0.0367".to_owned())
    );
    assert_eq!(
        totals(&[&first, &first]),
        ([13, 101], "0.0122".to_owned()),
        "the same line twice"
    );

    // In two runs.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, format!("{INIT}\n{first}\n")).unwrap();
    let mut kept = Kept::default();
    read_on(folder.path(), &["a.jsonl"], &mut kept);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    writeln!(file, "{INIT}\n{grown}").unwrap();
    read_on(folder.path(), &["a.jsonl"], &mut kept);
    assert_eq!((kept.observed, kept.totals()[0]), (2, 36));
}

#[test]
fn a_stream_without_its_result_is_a_gap_and_a_session_log_stays_one() {
    let model = ("claude-sonnet-4-6", [13, 20_001, 1001, 101, 0], "0.0122");
    let told = result("r-1", [13, 20_001, 1001, 101], &[model]);
    for (lines, gaps) in [
        (vec![INIT.to_owned(), part("m1"), part("m2")], 1),
        (
            vec![INIT.to_owned(), part("m1"), told.clone(), INIT.to_owned(), part("m2")],
            1,
        ),
        (vec![part("m1"), told], 0),
        (
            vec![INIT.to_owned(), part("m1").replace("claude-sonnet-4-6", "<synthetic>")],
            0,
        ),
    ] {
        let kept = read_text("a.jsonl", lines.join("\n"));
        let told = kept.excluded.get("calls_without_usage").copied().unwrap_or(0);
        assert_eq!((told, kept.rejected.len()), (gaps, 0), "{lines:?} {:?}", kept.excluded);
    }
    // Versions whose results name no model: the answers before it do, where there are any.
    let older = result("r-1", [13, 20_001, 1001, 101], &[]).replace(r#""modelUsage":{},"#, "");
    let parts = ["m1", "m2", "m3", "m4", "m5"].map(part).join("\n");
    let kept = read_text("a.jsonl", [INIT, &parts, &older].join("\n"));
    let call = kept.only();
    assert_eq!(
        (call.model().as_str(), call.tokens.total()),
        ("claude-sonnet-4-6", 21_116)
    );
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.1");
    assert_eq!(kept.excluded.get("calls_without_usage"), None);
    assert_eq!(read_text("a.jsonl", older).only().model().as_str(), "");

    let kept = read_text("a.jsonl", format!("{INIT}\n{ANSWER}\n"));
    assert_eq!(kept.only().tokens.get(Bucket::Output), 20);
    // An answer of Anthropic's that an application logs with names of its own.
    let own = part("msg_9")
        .replace("\"parent_tool_use_id\":null,", "")
        .replace("null", "\"end_turn\"");
    assert_eq!(
        read_text("a.jsonl", own).only().id,
        EventId::of(&[b"response", b"msg_9"])
    );
}
