//! Coding agents are found where they keep their sessions, without any settings.

use std::path::Path;
use std::process::Output;

use crate::support::{err, json, now, out};

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

const GEMINI: &str = r#"{"sessionId":"s-1","projectHash":"46","startTime":"2026-11-20T08:00:00.000Z","kind":"main"}
{"id":"g-1","timestamp":"2026-11-20T08:00:02.000Z","type":"gemini","content":"","model":"gemini-2.5-pro","tokens":{"input":10001,"output":51,"cached":4001,"thoughts":21,"tool":0,"total":10073}}
"#;
const QWEN: &str = r#"{"uuid":"q-1","parentUuid":null,"sessionId":"s-2","timestamp":"2026-11-20T08:00:02.000Z","type":"assistant","cwd":"/srv/shop","model":"qwen3-coder-plus","message":{"role":"model","parts":[]},"usageMetadata":{"promptTokenCount":900,"candidatesTokenCount":30,"totalTokenCount":930}}
"#;
const PI: &str = r#"{"type":"session","version":3,"id":"s-3","timestamp":"2026-11-20T08:00:00.000Z","cwd":"/srv/shop"}
{"type":"message","id":"a2","parentId":null,"timestamp":"2026-11-20T08:00:02.900Z","message":{"role":"assistant","content":[],"provider":"anthropic","model":"claude-sonnet-4-6","usage":{"input":15,"output":25,"cacheRead":0,"cacheWrite":0},"timestamp":1795161602100,"stopReason":"stop","responseId":"msg_7"}}
"#;
const COPILOT: &str = r#"{"type":"session.start","data":{"sessionId":"s-4","version":1,"producer":"copilot-agent","context":{"cwd":"/srv/shop"}},"id":"e-0","timestamp":"2026-11-20T08:00:00.000Z","parentId":null}
{"type":"session.usage_record","data":{"usage":{"model":"claude-sonnet-4.5","inputTokens":30,"outputTokens":7,"cacheReadTokens":0,"cacheWriteTokens":0,"isByok":true,"modelProvider":"anthropic","providerType":"anthropic","apiCallId":"msg_8"}},"id":"e-1","timestamp":"2026-11-20T08:00:05.000Z","parentId":"e-0"}
"#;
const KIMI: &str = r#"{"type":"metadata","protocol_version":"1.9"}
{"timestamp": 1795161605.5, "message": {"type": "StatusUpdate", "payload": {"token_usage": {"input_other": 600, "output": 20, "input_cache_read": 0, "input_cache_creation": 0}, "message_id": "chatcmpl-1"}}}
"#;
const KIMI_CODE: &str = r#"{"type":"metadata","protocol_version":"1.5","created_at":1795161600000}
{"type":"llm.request","agentId":"main","provider":"openai","model":"kimi-k2-0905-preview","modelAlias":"k2","time":1795161606000}
{"type":"usage.record","agentId":"main","model":"k2","usage":{"inputOther":600,"output":20,"inputCacheRead":0,"inputCacheCreation":0},"usageScope":"turn","time":1795161606500}
"#;

const CLINE: &str = r#"[{"ts":1795161600000,"type":"say","say":"task","text":"go"},{"ts":1795161602000,"type":"say","say":"api_req_started","text":"{\"tokensIn\":12,\"tokensOut\":34,\"cost\":0.01}","modelInfo":{"providerId":"anthropic","modelId":"claude-sonnet-4-5","mode":"act"}}]"#;
const SESSION: &str = r#"{"version":1,"updated_at":"2026-11-20T08:00:09.000Z","agent":"lead","sessionId":"s-6","messages":[{"id":"msg_a","role":"assistant","content":[],"ts":1795161606000,"modelInfo":{"id":"gpt-5-mini","provider":"openai-native"},"metrics":{"inputTokens":70,"outputTokens":8,"cacheReadTokens":0,"cacheWriteTokens":0}}]}"#;
const AMP: &str = r#"{"v":1,"id":"T-7","created":1795161600000,"messages":[{"role":"assistant","messageId":1,"content":[],"usage":{"model":"gpt-5-mini","inputTokens":5,"outputTokens":6,"totalInputTokens":5,"timestamp":"2026-11-20T08:00:07.000Z"}}]}"#;
const DROID: &str = r#"{"model":"gpt-5-mini","providerLockTimestamp":"2026-11-20T08:00:08.000Z","tokenUsage":{"inputTokens":9,"outputTokens":9,"cacheCreationTokens":0,"cacheReadTokens":0,"thinkingTokens":0}}"#;
const DROID_SAID: &str = r#"{"type":"session_start","id":"s-8","version":2,"cwd":"/srv/shop"}
{"type":"message","id":"m-1","timestamp":"2026-11-20T08:00:08.000Z","message":{"role":"user","content":[]}}
{"type":"message","id":"m-2","timestamp":"2026-11-20T08:00:09.000Z","message":{"role":"assistant","content":[],"modelId":"gpt-5-mini"},"parentId":"m-1"}
"#;

fn message(second: u32) -> String {
    format!(
        r#""role":"assistant","mode":"build","path":{{"cwd":"/srv/shop"}},"cost":0.01,"tokens":{{"input":60,"output":15,"reasoning":0,"cache":{{"read":0,"write":0}}}},"modelID":"gpt-5","providerID":"openai","time":{{"created":17951616{second:02}000,"completed":17951616{second:02}900}}"#
    )
}

fn database(folder: &Path, name: &str, second: u32) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let conn = rusqlite::Connection::open(path).unwrap();
    let table = "PRAGMA journal_mode = WAL; CREATE TABLE message (id text PRIMARY KEY, session_id text NOT NULL, time_created integer NOT NULL, \
        time_updated integer NOT NULL, data text NOT NULL)";
    conn.execute_batch(table).unwrap();
    let data = format!("{{{}}}", message(second));
    conn.execute("INSERT INTO message VALUES ('msg_1', 'ses_1', 1, 1, ?1)", [data])
        .unwrap();
}

/// Goose's, with one call.
fn goose(folder: &Path, name: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.execute_batch(
        "CREATE TABLE sessions (id TEXT PRIMARY KEY, working_dir TEXT NOT NULL, created_at TIMESTAMP, updated_at TIMESTAMP,
            accumulated_input_tokens INTEGER, accumulated_output_tokens INTEGER, provider_name TEXT, model_config_json TEXT);
         INSERT INTO sessions VALUES ('20261120_1', '/srv/shop', '2026-11-20 08:00:00', '2026-11-20 08:00:05', 300, 20,
            'anthropic', '{\"model_name\":\"claude-sonnet-4-6\"}');",
    )
    .unwrap();
}

/// A project of Crush's, and the list that it is in.
fn crush(folder: &Path, list: &str, project: &str) {
    let data = folder.join(project).join(".crush");
    std::fs::create_dir_all(&data).unwrap();
    let conn = rusqlite::Connection::open(data.join("crush.db")).unwrap();
    conn.execute_batch(
        "CREATE TABLE sessions (id TEXT PRIMARY KEY, parent_session_id TEXT, message_count INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,
            completion_tokens INTEGER NOT NULL, cost REAL NOT NULL, updated_at INTEGER NOT NULL, created_at INTEGER NOT NULL);
         INSERT INTO sessions VALUES ('a', NULL, 2, 10, 10, 0.25, 1795161602, 1795161600);",
    )
    .unwrap();
    let projects = serde_json::json!({"projects": [{"path": folder.join(project), "data_dir": data}, {"path": "/gone", "data_dir": "/gone/.crush"}]});
    write(folder, list, &projects.to_string());
}

/// A home with a session of each, and what lies beside it.
fn home(folder: &Path) {
    write(folder, ".gemini/tmp/46/chats/session-1.jsonl", GEMINI);
    write(
        folder,
        ".gemini/tmp/46/logs.json",
        "[{\"type\":\"user\",\"message\":\"go\"}]",
    );
    write(folder, ".qwen/projects/-srv-shop/chats/s-2.jsonl", QWEN);
    // Of 2025.
    let old = GEMINI.replace("\"type\":\"gemini\"", "\"type\":\"qwen\"");
    write(folder, ".qwen/tmp/46/chats/session-2.json", &old);
    write(folder, ".pi/agent/sessions/--srv-shop--/a.jsonl", PI);
    write(
        folder,
        ".pi/agent/sessions/--srv-shop--/b.jsonl",
        PI.lines().next().unwrap(),
    );
    write(folder, ".copilot/session-state/4/events.jsonl", COPILOT);
    write(folder, ".kimi/sessions/ab/5/wire.jsonl", KIMI);
    // A subagent in the background.
    let background = KIMI.replace("chatcmpl-1", "chatcmpl-2");
    write(folder, ".kimi/sessions/ab/5/subagents/a1/wire.jsonl", &background);
    write(
        folder,
        ".kimi/sessions/ab/5/context.jsonl",
        "{\"role\":\"_usage\",\"token_count\":9}\n",
    );
    let storage = ".config/Cursor/User/globalStorage/saoudrizwan.claude-dev";
    write(folder, &format!("{storage}/tasks/18/ui_messages.json"), CLINE);
    write(
        folder,
        &format!("{storage}/tasks/18/api_conversation_history.json"),
        "[{\"role\":\"user\",\"content\":[]}]",
    );
    let roo = CLINE.replace("1795161602000", "1795161603000");
    let storage = ".vscode-server/data/User/globalStorage/rooveterinaryinc.roo-cline";
    write(folder, &format!("{storage}/tasks/a/ui_messages.json"), &roo);
    write(folder, ".cline/data/sessions/s-6/s-6.messages.json", SESSION);
    write(
        folder,
        ".cline/data/sessions/s-6/s-6.compaction.json",
        &SESSION.replace("msg_a", "msg_b"),
    );
    write(folder, "data/amp/threads/T-7.json", AMP);
    write(folder, ".factory/sessions/-srv-shop/s-8.settings.json", DROID);
    write(folder, ".factory/sessions/-srv-shop/s-8.jsonl", DROID_SAID);
    let code = ".kimi-code/sessions/wd_shop_1/session_6/agents/main/wire.jsonl";
    write(folder, code, KIMI_CODE);
    // What it notes of its sessions, in a file each.
    write(folder, ".kimi-code/sessions/.index-dirty/session_6.1", "");
    database(folder, "data/opencode/opencode.db", 1);
    database(folder, "data/kilo/kilo.db", 2);
    goose(folder, "data/goose/sessions/sessions.db");
    goose(folder, "root/data/sessions/sessions.db");
    crush(folder, "data/crush/projects.json", "shop");
    write(folder, "claw/agents/main/sessions/a.jsonl", PI);
    // Of a version whose sessions were files.
    let store = folder.join("claw/agents/main/agent/openclaw-agent.sqlite");
    std::fs::create_dir_all(store.parent().unwrap()).unwrap();
    let store = rusqlite::Connection::open(store).unwrap();
    store.execute_batch("CREATE TABLE auth_profiles (id TEXT)").unwrap();
    write(
        folder,
        "claw/agents/main/sessions/sessions.json",
        "{\"agent:main:main\":{\"inputTokens\":9}}",
    );
    let older = format!("{{\n\"id\":\"msg_3\",\"sessionID\":\"ses_0\",{}}}", message(3));
    write(folder, "data/opencode/storage/message/ses_0/msg_3.json", &older);
    write(
        folder,
        "data/opencode/storage/part/msg_3/prt_1.json",
        "{\n\"type\":\"step-finish\",\"tokens\":{\"input\":60}}",
    );
}

fn run(folder: &Path, variables: &[(&str, &Path)], args: &[&str]) -> Output {
    let mut command = now(folder);
    command.args(["--format", "json"]).args(args);
    command.envs(variables.iter().copied()).output().unwrap()
}

/// New calls, repeated ones and failures of a run.
fn recorded(output: &Output) -> [i64; 2] {
    assert_eq!(output.status.code(), Some(0), "{}{}", out(output), err(output));
    assert_eq!(err(output), "");
    ["recorded", "duplicates"].map(|key| json(output)[key].as_i64().unwrap())
}

#[test]
fn all_agents_of_a_home_are_found_and_nothing_is_said_of_those_that_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, ".pi/agent/sessions/--srv-shop--/a.jsonl", PI);
    assert_eq!(recorded(&run(path, &[], &["record"])), [1, 0]);
    home(path);
    assert_eq!(recorded(&run(path, &[], &["record"])), [17, 0]);
    assert_eq!(recorded(&run(path, &[], &["record"])), [0, 0]);
    let report = json(&run(path, &[], &["report", "--by", "source"]));
    let calls = |row: &serde_json::Value| {
        (
            row["source"].as_str().unwrap().to_owned(),
            row["events"].as_i64().unwrap(),
        )
    };
    let mut calls: Vec<_> = report["rows"].as_array().unwrap().iter().map(calls).collect();
    calls.sort();
    let expected = [
        ("amp", 1),
        ("cline", 3),
        ("copilot-cli", 1),
        ("crush", 1),
        ("droid", 1),
        ("gemini-cli", 3),
        ("goose", 1),
        ("kimi-cli", 3),
        ("opencode", 3),
        ("pi", 1),
    ];
    assert_eq!(calls, expected.map(|(name, calls)| (name.to_owned(), calls)));
    // A call of a database is found again in its row.
    let top = json(&run(path, &[], &["explain", "--top", "20"]));
    let of_opencode = |call: &&serde_json::Value| call["model"] == "gpt-5";
    let mut places: Vec<String> = top["calls"]
        .as_array()
        .unwrap()
        .iter()
        .filter(of_opencode)
        .map(|call| {
            let receipt = now(path)
                .args(["explain", call["id"].as_str().unwrap()])
                .output()
                .unwrap();
            let text = out(&receipt);
            let line = text.lines().find(|line| line.starts_with("file ")).unwrap();
            line.rsplit('/').next().unwrap().to_owned()
        })
        .collect();
    places.sort();
    assert_eq!(places, ["kilo.db:1", "msg_3.json:1", "opencode.db:1"]);
    // What is named, or was recorded by a source of one's own, is the same.
    for place in [
        ".gemini/tmp/46/chats",
        ".qwen",
        ".pi",
        ".copilot/session-state",
        ".kimi/sessions",
        ".kimi-code/sessions",
        "root",
        "shop",
        ".config",
        ".vscode-server",
        ".cline",
        ".factory",
        "data/amp",
    ] {
        let again = json(&run(path, &[], &["record", place]));
        assert_eq!(again["recorded"], 0, "{place}: {again}");
        assert_eq!(
            again["excluded_by_kind"]["calls_without_usage"],
            serde_json::Value::Null,
            "{place}: {again}"
        );
    }
    let again = json(&run(path, &[], &["record", "data/opencode", "data/kilo"]));
    assert_eq!(
        (&again["recorded"], &again["duplicates"]),
        (&0.into(), &3.into()),
        "{again}"
    );
}

#[test]
fn variables_of_the_agents_say_where_they_keep_their_sessions() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, other) = (folder.path(), other.path());
    home(other);
    let at = |name: &str| other.join(name);
    for (variable, place, calls) in [
        ("GEMINI_CLI_HOME", at(""), 1),
        ("QWEN_HOME", at(".qwen"), 2),
        ("QWEN_RUNTIME_DIR", at(".qwen"), 2),
        ("PI_CODING_AGENT_DIR", at(".pi/agent"), 1),
        ("PI_CODING_AGENT_SESSION_DIR", at(".pi/agent/sessions"), 1),
        ("COPILOT_HOME", at(".copilot"), 1),
        ("KIMI_SHARE_DIR", at(".kimi"), 2),
        ("KIMI_CODE_HOME", at(".kimi-code"), 1),
        ("CLINE_DIR", at(".cline"), 1),
        ("CLINE_DATA_DIR", at(".cline/data"), 1),
        ("CLINE_SESSION_DATA_DIR", at(".cline/data/sessions"), 1),
        ("FACTORY_HOME_OVERRIDE", at(""), 1),
        ("XDG_CONFIG_HOME", at(".config"), 1),
        ("XDG_DATA_HOME", at("data"), 6),
        ("OPENCODE_DB", at("data/kilo/kilo.db"), 1),
        ("KILO_DB", at("data/kilo/kilo.db"), 1),
        ("GOOSE_PATH_ROOT", at("root"), 1),
        ("OPENCLAW_STATE_DIR", at("claw"), 1),
        ("CRUSH_GLOBAL_DATA", at("data/crush"), 1),
    ] {
        let args = ["--store", "memory:", "record"];
        let read = run(path, &[(variable, &place)], &args);
        assert_eq!(recorded(&read), [calls, 0], "{variable}");
        if !["XDG_CONFIG_HOME", "XDG_DATA_HOME", "QWEN_HOME"].contains(&variable) {
            let missing = run(path, &[(variable, &at("nowhere"))], &args);
            assert_eq!(missing.status.code(), Some(3), "{variable}: {}", err(&missing));
            assert!(err(&missing).contains(variable), "{}", err(&missing));
        }
    }
}

#[test]
fn the_first_settings_read_all_agents_and_need_no_paths() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    home(path);
    assert_eq!(run(path, &[], &["init"]).status.code(), Some(0));
    let check = now(path).args(["config", "check"]).output().unwrap();
    assert_eq!(check.status.code(), Some(0), "{}", err(&check));
    assert!(
        out(&check).contains("source       opencode: opencode; 3 files"),
        "{}",
        out(&check)
    );
    assert_eq!(recorded(&run(path, &[], &["record"])), [18, 0]);
    // Those that one has not are passed over in silence.
    for gone in [
        ".gemini",
        ".qwen",
        ".pi",
        ".copilot",
        ".kimi",
        ".kimi-code",
        ".config",
        ".vscode-server",
        ".cline",
        ".factory",
        "data/amp",
    ] {
        std::fs::remove_dir_all(path.join(gone)).unwrap();
    }
    std::fs::remove_file(path.join("finops.db")).unwrap();
    assert_eq!(recorded(&run(path, &[], &["record"])), [5, 0]);
}

/// OpenClaw has Codex keep sessions in folders of its own, and sets aside what no session is known of any more.
#[test]
fn sessions_that_openclaw_keeps_elsewhere_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let agent = ".openclaw/agents/main";
    let archive = format!("{agent}/session-sqlite-import-archive/archive-tier.s-3.jsonl.imported-1788220800000");
    write(path, &archive, PI);
    let rollout = r#"{"timestamp":"2026-11-20T08:00:00.000Z","type":"session_meta","payload":{"id":"019aa000-0000-7000-8000-000000000001","timestamp":"2026-11-20T08:00:00.000Z","cwd":"/srv/claw","originator":"openclaw","cli_version":"0.153.0","model_provider":"openai"}}
{"timestamp":"2026-11-20T08:00:00.500Z","type":"turn_context","payload":{"cwd":"/srv/claw","model":"gpt-5.4"}}
{"timestamp":"2026-11-20T08:00:01.000Z","type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"input_tokens":50,"cached_input_tokens":0,"output_tokens":9,"reasoning_output_tokens":0,"total_tokens":59},"last_token_usage":{"input_tokens":50,"cached_input_tokens":0,"output_tokens":9,"reasoning_output_tokens":0,"total_tokens":59}}}}
"#;
    for (at, home) in ["codex-home", "cli-auth/codex/ab12"].into_iter().enumerate() {
        let name = format!(
            "{agent}/agent/{home}/sessions/2026/11/20/rollout-2026-11-20T08-00-00-019aa000-0000-7000-8000-00000000000{at}.jsonl"
        );
        let told = rollout.replace("8000-000000000001", &format!("8000-00000000000{at}"));
        write(
            path,
            &name,
            &told
                .replace(":50,", &format!(":5{at},"))
                .replace(":59", &format!(":6{at}")),
        );
    }
    assert_eq!(recorded(&run(path, &[], &["record"])), [3, 0]);
    assert_eq!(recorded(&run(path, &[], &["record"])), [0, 0]);
}

/// Who recorded sessions before the settings asked for a bill hears once that they end there.
#[test]
fn sessions_that_are_not_continued_are_told_once() {
    let bill = "[[source]]\nname = \"bill\"\nkind = \"focus\"\npaths = [\"bill.csv\"]\n";
    let agent = "[[source]]\nname = \"mine\"\nkind = \"codex\"\n";
    for (others, says) in [
        ("", true),
        (agent, true),
        (
            "[[source]]\nname = \"own\"\nkind = \"gemini-cli\"\npaths = [\"x\"]\n",
            false,
        ),
        ("[[source]]\nname = \"any\"\npaths = [\"x\"]\n", false),
        // One of another kind that goes by the name of an agent.
        (
            "[[source]]\nname = \"gemini-cli\"\nkind = \"plain\"\npaths = [\"x.jsonl\"]\n",
            false,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        write(path, ".gemini/tmp/46/chats/session-1.jsonl", GEMINI);
        write(
            path,
            "bill.csv",
            "BilledCost,BillingCurrency,ChargePeriodStart,ServiceName\n",
        );
        let store = "[store]\nurl = \"sqlite:l.db\"\n";
        write(path, "finops.toml", store);
        assert_eq!(recorded(&run(path, &[], &["record"])), [1, 0]);
        write(path, "finops.toml", &format!("{store}{bill}{others}"));
        // What is not said is not told, either.
        assert!(!err(&run(path, &[], &["-q", "record"])).contains("note: "));
        let told = ["record", "record", "run"].map(|command| {
            let said = err(&run(path, &[], &[command]));
            said.contains(
                "note: sessions of gemini-cli stay as they were recorded and are not read any more, since the settings name other sources \
                 alone; `[[source]]` with `kind = \"gemini-cli\"` reads those of gemini-cli again\n",
            )
        });
        assert_eq!(told, [says, false, false], "{others}");
    }
}

/// What somebody recorded by hand under the name of an agent ends by itself.
#[test]
fn sessions_that_were_recorded_by_hand_are_not_told_as_not_continued() {
    for (session, told) in [
        ("elsewhere/session-1.jsonl", false),
        (".gemini/tmp/46/chats/session-1.jsonl", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        write(path, session, GEMINI);
        write(
            path,
            "bill.csv",
            "BilledCost,BillingCurrency,ChargePeriodStart,ServiceName\n",
        );
        let bill = "[[source]]\nname = \"bill\"\nkind = \"focus\"\npaths = [\"bill.csv\"]\n";
        write(path, "finops.toml", &format!("[store]\nurl = \"sqlite:l.db\"\n{bill}"));
        let recorded_by_hand = run(path, &[], &["record", session, "--name", "gemini-cli"]);
        assert_eq!(recorded(&recorded_by_hand), [1, 0]);
        let said = err(&run(path, &[], &["run"]));
        assert_eq!(said.contains("are not read any more"), told, "{session}: {said}");
    }
}

/// Who asks for a bill alone does not mean the sessions of whoever asks.
#[test]
fn settings_that_ask_for_a_bill_read_no_coding_agents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, ".gemini/tmp/46/chats/session-1.jsonl", GEMINI);
    for (settings, found) in [("", true), ("[[cost_explorer]]\nname = \"bill\"\n", false)] {
        write(path, "finops.toml", settings);
        let mut check = now(path);
        check
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        let check = check.args(["config", "check"]).output().unwrap();
        let said = out(&check).contains("source       gemini-cli: at its usual place");
        assert_eq!(said, found, "{settings}: {}{}", out(&check), err(&check));
    }
}
