//! A run whose Cost Explorer takes connections and answers nothing: it ends in its time, and all else is recorded and told.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::command::{finops, text};
use super::emulator::Emulator;
use serde_json::{Value, json};

const WHO: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
    <Arn>arn:aws:iam::123456789012:user/a</Arn><UserId>A</UserId><Account>123456789012</Account></GetCallerIdentityResult>\
    <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>";

/// Says who asks, if it is to, and nothing else.
fn answer(mut stream: TcpStream, says_who: bool) {
    let (mut request, mut some) = (Vec::new(), [0; 4_096]);
    while let Ok(read) = stream.read(&mut some) {
        if read == 0 {
            return;
        }
        request.extend_from_slice(&some[..read]);
        if says_who && String::from_utf8_lossy(&request).contains("Action=GetCallerIdentity") {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\n";
            let _ = write!(stream, "{head}content-length: {}\r\n\r\n{WHO}", WHO.len());
            return;
        }
    }
}

fn silent(says_who: bool) -> Emulator {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || answer(stream, says_who));
        }
    });
    Emulator {
        name: "silent",
        url,
        data: None,
    }
}

/// Settings with a bill and all that AWS says, a source of usage, and a budget that it exceeds.
fn seed(folder: &Path) {
    let settings = "[store]\nurl = \"sqlite:ledger.db\"\n[limits]\ntime_budget_seconds = 8\n\
        [aws]\nanomalies = true\nbudgets = true\nforecast = true\n\
        [[source]]\nname = \"app\"\nkind = \"plain\"\npaths = [\"usage.jsonl\"]\n[[cost_explorer]]\nname = \"bill\"\n\
        [[notify]]\nname = \"file\"\nkind = \"file\"\npath = \"told.jsonl\"\n";
    std::fs::write(folder.join("finops.toml"), settings).unwrap();
    std::fs::create_dir_all(folder.join("policies/budgets")).unwrap();
    let budget = "[[budget]]\nname = \"ours\"\namount = \"1 USD\"\nperiod = \"month\"\n";
    std::fs::write(folder.join("policies/budgets/ours.toml"), budget).unwrap();
    let call = json!({"id": "1", "ts": "2026-11-24T10:00:00Z", "provider": "anthropic", "model": "claude-haiku-4-5-20251001",
        "input_tokens": 5_000_000, "output_tokens": 0});
    std::fs::write(folder.join("usage.jsonl"), call.to_string()).unwrap();
}

#[test]
fn where_cost_explorer_does_not_answer_a_run_keeps_its_time_and_tells_all_else() {
    for says_who in [true, false] {
        let emulator = silent(says_who);
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        seed(folder);
        let run = |now: &str| {
            let begun = Instant::now();
            let mut command = finops(folder, &emulator);
            let output = command
                .args(["--now", now, "run", "--format", "json"])
                .output()
                .unwrap();
            let words = text(&output);
            // Seven seconds; each of four questions took a minute.
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{:?} {words}",
                begun.elapsed()
            );
            let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{words}"));
            (said, words)
        };
        let (said, words) = run("2026-11-24T12:00:00Z");
        assert_eq!(
            (&said["collected"]["recorded"], &said["collected"]["failed_sources"]),
            (&json!(1), &json!(["bill"])),
            "{words}"
        );
        assert_eq!(said["alerts"]["active"][0]["kind"], "budget_actual", "{words}");
        let told = std::fs::read_to_string(folder.join("told.jsonl")).unwrap();
        assert!(told.contains("ours") && words.ends_with("Some(3)"), "{words}");
        let paid = said["collected"]["paid_requests"].as_u64().unwrap();
        let action = if says_who {
            "ce:GetCostAndUsage"
        } else {
            "sts:GetCallerIdentity"
        };
        assert!(words.contains(action), "{words}");
        for part in ["anomalies", "budgets", "forecast"] {
            assert!(
                words.contains(&format!("AWS could not be asked for {part}: ")),
                "{words}"
            );
        }
        let (said, words) = run("2026-11-24T13:00:00Z");
        if says_who {
            assert!((2..=3).contains(&paid), "{paid}");
            assert!(words.contains("raise `limits.time_budget_seconds`"), "{words}");
            // What was paid for in vain rests.
            assert!(words.contains("not asked before 2026-11-24T16:00:00Z"), "{words}");
        }
        assert_eq!(said["collected"]["paid_requests"], 0, "{words}");
    }
}
