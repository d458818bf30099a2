//! Agents that write a file anew as a whole: tasks and sessions of Cline, Roo Code and Kilo Code, threads of Amp, sums of Droid's sessions.

use finops::adapters::files::FileFormat;
use finops::domain::dimension::Dimension;
use finops::domain::usage::Rank;
use finops::ports::UsageSource;

use super::agents::{counts, fresh, names, read};
use super::{Kept, source, time};

/// 2026-10-20T08:00:00Z.
const BEGUN: u64 = 1_792_483_200_000;

fn say(second: u64, say: &str, text: &str, more: &str) -> String {
    let (ts, text) = (BEGUN + 1000 * second, serde_json::to_string(text).unwrap());
    format!(r#"{{"ts":{ts},"type":"say","say":"{say}","text":{text}{more}}}"#)
}

/// The messages of a task, whose first is what it is to do.
fn task(messages: &[String]) -> String {
    format!("[{},{}]", say(0, "task", "mend it", ""), messages.join(","))
}

fn request(second: u64, text: &str) -> String {
    say(second, "api_req_started", text, "")
}

const USED: &str =
    r#"{"request":"<task>","tokensIn":12,"tokensOut":340,"cacheWrites":1500,"cacheReads":20000,"cost":0.0123}"#;
const METADATA: &str = r#"{"files_in_context":[],"model_usage":[
  {"ts":1792483200500,"model_id":"claude-sonnet-4-5","model_provider_id":"anthropic","mode":"plan"},
  {"ts":1792483205000,"model_id":"gpt-5","model_provider_id":"openai-native","mode":"act"}
]}"#;
const HISTORY: &str = r#"[{"id":"17","cwdOnTaskInitialization":"/srv/other"},{"id":"18","ts":1792483200000,"cwdOnTaskInitialization":"/srv/shop"}]"#;

#[test]
fn a_request_of_cline_counts_once_however_often_its_task_is_written() {
    let beside = [
        ("tasks/18/task_metadata.json", METADATA),
        ("state/taskHistory.json", HISTORY),
    ];
    let with = |text: &str, folder: &str| {
        let file = format!("{folder}tasks/18/ui_messages.json");
        let mut kept = Kept::default();
        let beside = beside.map(|(name, text)| (format!("{folder}{name}"), text));
        let mut files: Vec<(&str, &str)> = beside.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        files.push((&file, text));
        read(&mut kept, &files);
        kept
    };
    let asked = with(&task(&[request(1, r#"{"request":"<task>"}"#)]), "");
    assert!(asked.calls.is_empty());
    assert_eq!(
        asked.excluded.get("calls_without_usage"),
        Some(&1),
        "it was never answered"
    );

    let answered = with(&task(&[request(1, USED)]), "");
    assert_eq!(counts(&answered), [[12, 20000, 1500, 340, 0]]);
    let call = answered.only();
    assert_eq!(names(&call), ["anthropic", "claude-sonnet-4-5", "18", "/srv/shop"]);
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.0123");
    assert_eq!(call.at, time("2026-10-20T08:00:01Z"));

    // It goes on with another model, is moved to where another editor keeps its own, and says so itself in later versions.
    let more = r#","modelInfo":{"providerId":"gemini","modelId":"gemini-2.5-pro","mode":"act"}"#;
    let text = task(&[
        request(1, USED),
        request(9, USED),
        say(12, "api_req_started", USED, more),
    ]);
    let later = with(&text, "elsewhere/");
    assert!(later.calls.contains_key(&call.id), "the same call");
    let mut models: Vec<_> = later.calls.values().map(|call| (call.at, names(call))).collect();
    models.sort();
    let models: Vec<[&str; 2]> = models
        .iter()
        .map(|(_, names)| [names[0].as_str(), names[1].as_str()])
        .collect();
    let expected = [
        ["anthropic", "claude-sonnet-4-5"],
        ["openai", "gpt-5"],
        ["google", "gemini-2.5-pro"],
    ];
    assert_eq!(models, expected);
    let acted = later
        .calls
        .values()
        .filter(|call| call.dimensions.get(Dimension::Agent).as_str() == "act");
    assert_eq!(acted.count(), 1);

    // Without what lies beside it the calls are the same, and their models are not known.
    let alone = fresh(&[("ui_messages.json", &text)]);
    assert_eq!(alone.calls.len(), 3);
    assert_eq!(names(&alone.calls[&call.id])[..2], ["", ""]);
}

#[test]
fn whether_input_includes_cached_tokens_is_told_by_the_provider_or_the_interface() {
    let of = |provider: &str, more: &str| {
        let text = format!(r#"{{"tokensIn":1000,"tokensOut":7{more}}}"#);
        let asked = format!(r#","modelInfo":{{"providerId":"{provider}","modelId":"m","mode":"act"}}"#);
        let kept = fresh(&[("ui_messages.json", &task(&[say(1, "api_req_started", &text, &asked)]))]);
        assert!(kept.warnings.is_empty(), "{provider}: {:?}", kept.warnings);
        counts(&kept)
    };
    let cached = r#","cacheWrites":0,"cacheReads":400"#;
    for (provider, more, expected) in [
        ("anthropic", cached, [1000, 400, 0, 7, 0]),
        ("openrouter", cached, [1000, 400, 0, 7, 0]),
        ("openai", cached, [600, 400, 0, 7, 0]),
        ("xai", cached, [600, 400, 0, 7, 0]),
        // What was not found in the cache is no more than input.
        ("openai", r#","cacheWrites":600,"cacheReads":400"#, [600, 400, 0, 7, 0]),
        (
            "deepseek",
            r#","cacheWrites":600,"cacheReads":400"#,
            [1600, 400, 0, 7, 0],
        ),
        (
            "litellm",
            r#","cacheWrites":500,"cacheReads":400"#,
            [100, 400, 500, 7, 0],
        ),
        // Roo Code tells the interface and includes them, but for its older versions.
        (
            "",
            r#","cacheReads":400,"cacheWrites":100,"apiProtocol":"anthropic""#,
            [500, 400, 100, 7, 0],
        ),
        (
            "",
            r#","cacheReads":9000,"cacheWrites":100,"apiProtocol":"anthropic""#,
            [1000, 9000, 100, 7, 0],
        ),
        (
            "",
            r#","cacheReads":400,"cacheWrites":600,"apiProtocol":"openai""#,
            [600, 400, 0, 7, 0],
        ),
        ("", cached, [1000, 400, 0, 7, 0]),
    ] {
        assert_eq!(of(provider, more), [expected], "{provider} {more}");
    }
}

#[test]
fn requests_that_tell_no_tokens_and_sums_of_others_say_so() {
    let asked = |provider: &str| format!(r#","modelInfo":{{"providerId":"{provider}","modelId":"m","mode":"act"}}"#);
    for (message, kind, gap) in [
        (
            request(1, r#"{"request":"x","cancelReason":"streaming_failed"}"#),
            "failed_calls",
            false,
        ),
        (
            request(
                1,
                r#"{"tokensIn":0,"tokensOut":0,"cost":0,"cancelReason":"streaming_failed"}"#,
            ),
            "failed_calls",
            false,
        ),
        (
            request(1, r#"{"request":"x","cancelReason":"user_cancelled"}"#),
            "calls_without_usage",
            true,
        ),
        (say(1, "deleted_api_reqs", USED, ""), "calls_without_usage", true),
        (
            say(
                1,
                "condense_context",
                "",
                r#","contextCondense":{"cost":0.1,"summary":"s","newContextTokens":9}"#,
            ),
            "calls_without_usage",
            true,
        ),
        (
            say(1, "api_req_started", USED, &asked("claude-code")),
            "parts_of_results",
            false,
        ),
    ] {
        let kept = fresh(&[("ui_messages.json", &task(std::slice::from_ref(&message)))]);
        assert!(kept.calls.is_empty(), "{message}");
        assert_eq!(kept.excluded.get(kind), Some(&1), "{message}: {:?}", kept.excluded);
        assert_eq!(!kept.warnings.is_empty(), gap, "{:?}", kept.warnings);
    }
    // What was given up in part counts as far as it came; what subagents used is told as one sum.
    let given_up = USED.replace("\"cost\"", "\"cancelReason\":\"user_cancelled\",\"cost\"");
    let kept = fresh(&[(
        "ui_messages.json",
        &task(&[request(1, &given_up), say(3, "subagent_usage", USED, "")]),
    )]);
    assert_eq!(counts(&kept), [[12, 20000, 1500, 340, 0]; 2]);
    let summed: Vec<_> = kept
        .calls
        .values()
        .filter(|call| call.rank.authority == Rank::REPORT)
        .collect();
    assert_eq!(summed.len(), 1);
    assert_eq!(summed[0].dimensions.get(Dimension::Agent).as_str(), "subagents");
}

#[test]
fn the_model_of_roo_code_is_what_it_told_the_model_of_itself() {
    let asked = |second: u64, model: &str| {
        let ts = BEGUN + 1000 * second;
        let text = format!(
            "<environment_details>\n<slug>code</slug>\n<name>Code</name>\n<model>{model}</model>\n</environment_details>"
        );
        let text = serde_json::to_string(&text).unwrap();
        format!(
            r#"{{"role":"user","content":[{{"type":"text","text":"see <model>x</model>"}},{{"type":"text","text":{text}}}],"ts":{ts}}}"#
        )
    };
    let said = r#"{"role":"assistant","content":[{"type":"text","text":"done"}],"ts":1792483204000}"#;
    let history = format!(
        "[{},{said},{}]",
        asked(2, "claude-sonnet-4-5"),
        asked(9, "openai/gpt-5")
    );
    let used = r#"{"apiProtocol":"anthropic","tokensIn":21512,"tokensOut":340,"cacheWrites":1500,"cacheReads":20000,"cost":0.0123}"#;
    let text = task(&[request(1, used), request(8, used)]);
    let kept = fresh(&[
        ("tasks/a-1/ui_messages.json", &text),
        ("tasks/a-1/api_conversation_history.json", &history),
        (
            "tasks/a-1/history_item.json",
            r#"{"id":"a-1","workspace":"/srv/shop","tokensIn":43024}"#,
        ),
    ]);
    assert_eq!(counts(&kept), [[12, 20000, 1500, 340, 0]; 2]);
    let mut calls: Vec<_> = kept.calls.values().map(|call| (call.at, names(call))).collect();
    calls.sort();
    assert_eq!(calls[0].1, ["anthropic", "claude-sonnet-4-5", "a-1", "/srv/shop"]);
    assert_eq!(calls[1].1, ["openai", "openai/gpt-5", "a-1", "/srv/shop"]);
}

#[test]
fn thoughts_of_gemini_that_nobody_counts_are_told() {
    for (provider, model, gaps) in [
        ("gemini", "gemini-2.5-pro", 1),
        ("openrouter", "google/gemini-2.5-pro", 0),
        ("", "gpt-5", 0),
    ] {
        let asked = format!(r#","modelInfo":{{"providerId":"{provider}","modelId":"{model}","mode":"act"}}"#);
        let kept = fresh(&[("ui_messages.json", &task(&[say(1, "api_req_started", USED, &asked)]))]);
        assert_eq!(
            (kept.calls.len(), kept.warnings.len()),
            (1, gaps),
            "{:?}",
            kept.warnings
        );
    }
}

/// What others keep under names like these is not theirs.
#[test]
fn records_with_names_like_theirs_are_told_as_before() {
    let body = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1792483200,"model":"gpt-5","usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}"#;
    let used = r#"{"role":"assistant","usage":{"inputTokens":7}}"#;
    for record in [
        format!(r#"{{"sessionId":"s","updated_at":"2026-10-20T08:00:00Z","messages":[{used}]}}"#),
        format!(r#"{{"id":"T-1","title":"t","messages":[{used}]}}"#),
        r#"{"id":"x","tokenUsage":{"inputTokens":7}}"#.to_owned(),
    ] {
        let kept = fresh(&[("a.jsonl", &format!("{body}\n{record}\n"))]);
        assert_eq!(kept.calls.len(), 1, "{record}");
        assert_eq!(kept.warnings.len(), 1, "{record}: {:?}", kept.warnings);
    }
    for beside in [
        r#""ts":1792483200000,"type":"say","say":"x""#,
        r#""sessionId":"s","updated_at":"x","agent":"lead","messages":[]"#,
        r#""id":"T-1","v":1,"messages":[]"#,
        r#""tokenUsage":{"inputTokens":7,"cacheCreationTokens":0}"#,
    ] {
        let kept = fresh(&[("a.jsonl", &format!("{{{beside},\"response\":{body}}}\n"))]);
        assert_eq!(counts(&kept), [[7, 0, 0, 3, 0]], "{beside}");
    }
}

fn answer(id: &str, second: u64, model: &str, metrics: &str) -> String {
    let ts = BEGUN + 1000 * second;
    format!(
        r#"{{"id":"{id}","role":"assistant","content":[{{"type":"text","text":"Done."}}],"ts":{ts},"modelInfo":{model},"metrics":{{{metrics}}}}}"#
    )
}

fn session(id: &str, agent: &str, messages: &[String]) -> String {
    let messages = messages.join(",\n");
    format!(
        "{{\n\"version\": 1,\n\"updated_at\": \"2026-10-20T08:00:09.000Z\",\n\"agent\": \"{agent}\",\n\"sessionId\": \"{id}\",\n\
         \"messages\": [\n{{\"id\":\"u\",\"role\":\"user\",\"content\":[],\"ts\":1792483200000}},\n{messages}\n],\n\"system_prompt\": \"p\"\n}}\n"
    )
}

const METRICS: &str =
    r#""inputTokens":10009,"outputTokens":209,"cacheReadTokens":4009,"cacheWriteTokens":1000,"cost":0.5"#;

#[test]
fn an_answer_of_a_session_of_cline_counts_once_in_forks_and_when_it_is_compacted() {
    let claude = r#"{"id":"claude-sonnet-4-5","provider":"anthropic"}"#;
    let one = answer("msg_a", 2, claude, METRICS);
    let old = answer("msg_b", 1, r#"{"id":"m","provider":"unknown"}"#, METRICS);
    let without = one
        .replace("msg_a", "msg_c")
        .replace(METRICS, "")
        .replace(",\"metrics\":{}", "");
    let first = session("s-1", "lead", &[old, without, one.clone()]);
    let manifest =
        r#"{"version":1,"session_id":"s-1","cwd":"/srv/shop","model":"m","metadata":{"usage":{"inputTokens":10009}}}"#;
    let mut kept = fresh(&[
        ("sessions/s-1/s-1.messages.json", &first),
        ("sessions/s-1/s-1.json", manifest),
        (
            "sessions/s-1/s-1.compaction.json",
            &session("s-1", "lead", &[answer("msg_z", 3, claude, METRICS)]),
        ),
    ]);
    assert_eq!(counts(&kept), [[5000, 4009, 1000, 209, 0]]);
    let call = kept.only();
    assert_eq!(names(&call), ["anthropic", "claude-sonnet-4-5", "s-1", "/srv/shop"]);
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.5");
    assert_eq!(
        kept.excluded.get("parts_of_results"),
        Some(&1),
        "the sum of an older task"
    );

    // Other agents' programs, whose own sessions tell the same calls.
    for (number, agent) in ["claude-code", "openai-codex-cli", "opencode"].into_iter().enumerate() {
        let asked = format!(r#"{{"id":"m","provider":"{agent}"}}"#);
        let told = answer(&format!("msg_{number}"), 3, &asked, METRICS);
        let kept = fresh(&[("s-3.messages.json", &session("s-3", "lead", &[told]))]);
        assert_eq!(
            (kept.calls.len(), kept.excluded.get("parts_of_results")),
            (0, Some(&1)),
            "{agent}"
        );
    }

    let own = answer(
        "msg_d",
        5,
        r#"{"id":"anthropic/claude-opus-4.8","provider":"cline"}"#,
        METRICS,
    );
    let fork = session("s-2", "subagent", &[one, own]);
    read(&mut kept, &[("sessions/s-2/s-2.messages.json", &fork)]);
    assert_eq!(kept.calls.len(), 2);
    let own = kept
        .calls
        .values()
        .find(|call| call.provider().as_str() == "cline")
        .unwrap();
    assert_eq!(names(own), ["cline", "anthropic/claude-opus-4.8", "s-2", ""]);
    assert_eq!(own.dimensions.get(Dimension::Agent).as_str(), "subagent");
}

fn thread(id: &str, more: &str) -> String {
    format!(r#"{{"v":9,"id":"T-{id}","created":1792483200000,"title":"mend it",{more}}}"#)
}

fn message(id: u32, second: u32, model: &str, used: &str) -> String {
    format!(
        r#"{{"role":"assistant","messageId":{id},"content":[],"state":{{"type":"complete","stopReason":"end_turn"}},"usage":{{"model":"{model}","maxInputTokens":168000,{used},"timestamp":"2026-10-20T08:00:{second:02}.123Z"}}}}"#
    )
}

const AMP_CLAUDE: &str = r#""inputTokens":10,"outputTokens":178,"cacheCreationInputTokens":986,"cacheReadInputTokens":11372,"totalInputTokens":12368"#;
const AMP_GPT: &str = r#""inputTokens":0,"outputTokens":90,"cacheCreationInputTokens":600,"cacheReadInputTokens":400,"totalInputTokens":1000"#;
const AMP_WHOLE: &str = r#""inputTokens":1000,"outputTokens":90,"cacheCreationInputTokens":null,"cacheReadInputTokens":400,"totalInputTokens":1000"#;

#[test]
fn a_message_of_amp_counts_once_in_each_thread_that_begins_with_it() {
    let asked = r#"{"role":"user","messageId":0,"content":[]}"#.to_owned();
    let streaming = message(5, 8, "gpt-5", AMP_GPT).replace("complete", "streaming");
    let messages = [
        asked,
        message(1, 2, "claude-opus-4-5", AMP_CLAUDE),
        message(3, 4, "gpt-5", AMP_GPT),
        message(4, 6, "gpt-5", AMP_WHOLE),
        streaming,
    ];
    // Its older versions noted the same calls in a ledger, too.
    let ledger = r#"{"id":"e-1","timestamp":"2026-10-20T08:00:02.000Z","model":"claude-opus-4-5","credits":1.5,"tokens":{"input":10,"output":178},"operationType":"inference","fromMessageId":0,"toMessageId":1}"#;
    let both = format!(
        r#""messages":[{}],"usageLedger":{{"events":[{ledger}]}}"#,
        messages.join(",")
    );
    let mut kept = fresh(&[("T-1.json", &thread("1", &both))]);
    assert_eq!(
        counts(&kept),
        [[10, 11372, 986, 178, 0], [600, 400, 0, 90, 0], [600, 400, 0, 90, 0]]
    );
    assert_eq!(
        kept.excluded.get("calls_without_usage"),
        Some(&1),
        "it was never answered to its end"
    );
    assert!(
        kept.calls
            .values()
            .all(|call| names(call)[0] == "amp" && names(call)[2] == "T-1")
    );
    // A fork has its messages, under numbers of its own.
    let fork = format!(
        r#""messages":[{}]"#,
        messages[..4].join(",").replace("\"messageId\":1,", "\"messageId\":11,")
    );
    read(&mut kept, &[("T-2.json", &thread("2", &fork))]);
    assert_eq!(kept.calls.len(), 3);

    let noted = format!(r#""messages":[{}],"usageLedger":{{"events":[{ledger}]}}"#, messages[0]);
    let kept = fresh(&[("T-3.json", &thread("3", &noted))]);
    assert_eq!(counts(&kept), [[10, 0, 0, 178, 0]]);
    assert_eq!(kept.only().at, time("2026-10-20T08:00:02Z"));
}

fn sum(input: u64, output: u64) -> String {
    format!(
        "{{\n  \"model\": \"claude-opus-4-5-20251101\",\n  \"providerLock\": \"anthropic\",\n  \"providerLockTimestamp\": \"2026-10-20T08:00:03.000Z\",\n  \
         \"tokenUsage\": {{\n    \"inputTokens\": {input},\n    \"outputTokens\": {output},\n    \"cacheCreationTokens\": 20,\n    \"cacheReadTokens\": 10,\n    \
         \"thinkingTokens\": 5,\n    \"factoryCredits\": 9\n  }},\n  \"inclusiveTokenUsage\": {{\n    \"inputTokens\": 99999\n  }}\n}}\n"
    )
}

fn lines(id: &str, parent: &str, next: &str) -> String {
    format!(
        "{{\"type\":\"session_start\",\"id\":\"{id}\",\"title\":\"t\"{parent},\"version\":2,\"cwd\":\"/srv/shop\"}}\n{next}\n\
         {{\"type\":\"message\",\"id\":\"m\",\"timestamp\":\"2026-10-20T08:00:09.000Z\",\"message\":{{\"role\":\"user\",\"content\":[]}}}}\n"
    )
}

#[test]
fn the_sum_of_a_session_of_droid_grows_and_goes_on_when_it_is_compacted() {
    let asked =
        r#"{"type":"message","id":"m0","timestamp":"2026-10-20T08:00:01.000Z","message":{"role":"user","content":[]}}"#;
    let compacted = r#"{"type":"compaction_state","id":"c0","timestamp":"2026-10-21T09:00:00.000Z","summaryText":"s"}"#;
    let first = lines("s-1", "", asked);
    let mut kept = Kept::default();
    let at = |id: &str| [format!("-srv-shop/{id}.settings.json"), format!("-srv-shop/{id}.jsonl")];
    let [sums, told] = at("s-1");
    read(&mut kept, &[(&sums, &sum(100, 50)), (&told, &first)]);
    assert_eq!(counts(&kept), [[100, 10, 20, 50, 5]]);
    let call = kept.only();
    assert_eq!(
        names(&call),
        ["factory", "claude-opus-4-5-20251101", "s-1", "/srv/shop"]
    );
    assert_eq!(
        (call.at, call.rank.authority),
        (time("2026-10-20T08:00:01Z"), Rank::REPORT)
    );
    read(&mut kept, &[(&sums, &sum(300, 70)), (&told, &first)]);
    assert_eq!(counts(&kept), [[300, 10, 20, 70, 5]]);

    // It was compacted twice; another one was forked from it, and has a sum of its own.
    let [next, next_told] = at("s-2");
    let [last, last_told] = at("s-3");
    let [fork, fork_told] = at("s-4");
    let second = lines("s-2", ",\"parent\":\"s-1\"", compacted);
    let third = lines("s-3", ",\"parent\":\"s-2\"", compacted);
    let forked = lines("s-4", ",\"parent\":\"s-1\"", asked);
    let files = [
        (sums.as_str(), &sum(300, 70)),
        (&told, &first),
        (&next, &sum(400, 80)),
        (&next_told, &second),
        (&last, &sum(500, 90)),
        (&last_told, &third),
        (&fork, &sum(7, 1)),
        (&fork_told, &forked),
    ];
    let files = files.map(|(name, text)| (name, text.as_str()));
    read(&mut kept, &files);
    assert_eq!(counts(&kept), [[7, 10, 20, 1, 1], [500, 10, 20, 90, 5]]);
    assert_eq!(names(&kept.calls[&call.id])[2], "s-1", "where it began");
    assert_eq!(counts(&fresh(&files)).len(), 2, "also when all are met at once");
    // Where its messages, which begin before what the sum tells, came later: as in folders that are copied.
    let mut kept = Kept::default();
    let [sums, told] = at("s-5");
    read(&mut kept, &[(&sums, &sum(100, 50))]);
    read(&mut kept, &[(&sums, &sum(200, 60)), (&told, &first)]);
    assert_eq!(counts(&kept), [[200, 10, 20, 60, 5]]);
    // A key of one's own.
    let own = sum(1, 1).replace("claude-opus-4-5-20251101", "custom:My Opus [x]");
    let kept = fresh(&[("s-9.settings.json", &own)]);
    assert_eq!(names(&kept.only())[..2], ["anthropic", "My Opus [x]"]);
    assert_eq!(kept.only().at, time("2026-10-20T08:00:03Z"));
    // Settings of a program, and a session in which nothing was asked.
    let none =
        r#"{"model":"m","tokenUsage":{"inputTokens":0,"outputTokens":0,"cacheCreationTokens":0,"cacheReadTokens":0}}"#;
    assert!(fresh(&[("s-8.settings.json", none)]).calls.is_empty());
}

/// Programs that clean up delete old sessions first, which others went on from.
#[test]
fn sessions_of_droid_count_as_the_first_one_when_those_between_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Kept::default();
    let compacted = r#"{"type":"compaction_state","id":"c0","summaryText":"s"}"#;
    let write = |id: &str, parent: &str, input: u64| {
        let parent = if parent.is_empty() {
            String::new()
        } else {
            format!(",\"parent\":\"{parent}\"")
        };
        std::fs::write(folder.path().join(format!("{id}.settings.json")), sum(input, 50)).unwrap();
        std::fs::write(folder.path().join(format!("{id}.jsonl")), lines(id, &parent, compacted)).unwrap();
    };
    let mut read = || {
        let known = kept.checkpoints.clone();
        source(folder.path(), Some(FileFormat::Droid), &["."])
            .read(&known, &mut kept)
            .unwrap();
        // The messages of a session are no sum, and beside one.
        assert!(
            kept.warnings.is_empty() && kept.rejected.is_empty(),
            "{:?}",
            kept.warnings
        );
        counts(&kept)
    };
    write("s-1", "", 1000);
    assert_eq!(read(), [[1000, 10, 20, 50, 5]]);
    write("s-2", "s-1", 2000);
    write("s-3", "s-2", 3000);
    assert_eq!(read(), [[3000, 10, 20, 50, 5]]);
    for gone in ["s-1", "s-2"] {
        for end in ["settings.json", "jsonl"] {
            std::fs::remove_file(folder.path().join(format!("{gone}.{end}"))).unwrap();
        }
    }
    write("s-3", "s-2", 3500);
    assert_eq!(read(), [[3500, 10, 20, 50, 5]]);
    // What goes on from one that is there, and from one that is not.
    for (id, parent, input) in [("s-4", "s-3", 4000), ("s-5", "s-2", 5000)] {
        write(id, parent, input);
        assert_eq!(read(), [[input, 10, 20, 50, 5]]);
    }
}
