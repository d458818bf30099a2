//! Two sources that tell the same calls and share no id.

use std::fmt::Write as _;
use std::fs;

use crate::support::{err, finops};

const CONFIG: &str = r#"
[store]
url = "sqlite:ledger.db"

[[source]]
name = "laptop"
kind = "claude-code"
paths = ["laptop"]

[[source]]
name = "gateway"
kind = "litellm"
paths = ["gateway"]
"#;

#[test]
fn calls_that_a_session_and_a_gateway_tell_under_other_ids_are_told() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    fs::write(folder.join("finops.toml"), CONFIG).unwrap();
    let (mut session, mut rows) = (String::new(), String::new());
    for n in 0..12 {
        let (minute, input) = (n * 3, 3000 + n * 17);
        writeln!(
            session,
            r#"{{"type":"assistant","uuid":"u{n}","sessionId":"s","cwd":"/srv/shop","version":"2.1.30","timestamp":"2026-11-20T10:{minute:02}:40Z","requestId":"req_{n}","message":{{"id":"msg_{n}","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"stop_reason":"end_turn","usage":{{"input_tokens":{input},"output_tokens":120}}}}}}"#
        )
        .unwrap();
        writeln!(
            rows,
            r#"{{"request_id":"chatcmpl-of-litellm-{n}","startTime":"2026-11-20T10:{minute:02}:04Z","model":"claude-sonnet-4-6","custom_llm_provider":"anthropic","prompt_tokens":{input},"completion_tokens":120,"total_tokens":{},"spend":0.01,"metadata":"{{}}","cache_hit":"None"}}"#,
            input + 120
        )
        .unwrap();
    }
    for (name, text) in [("laptop", session), ("gateway", rows)] {
        fs::create_dir_all(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("a.jsonl"), text).unwrap();
    }
    let run = finops(folder, &["run"]);
    let told = "calls of `gateway` and of `laptop` are as large as each other and of the same time";
    assert!(err(&run).contains(told), "{}", err(&run));
    assert!(err(&run).contains("(12 times)"), "{}", err(&run));
    let again = finops(folder, &["run"]);
    assert!(!err(&again).contains(told), "{}", err(&again));
}
