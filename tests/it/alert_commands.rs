//! What people do about alerts and their messages, with the real program.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};

use finops::adapters::sqlite::SqliteAlerts;
use finops::ports::Outbox;

use super::support::{err, json, out, program};

const BUDGETS: [&str; 3] = ["b1", "b2", "b3"];

/// A folder with three budgets that are spent, and one channel as these lines say.
fn home(channel: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    settings(home.path(), channel);
    std::fs::create_dir_all(home.path().join("policies/budgets")).unwrap();
    let (mut budgets, mut usage) = (String::new(), String::new());
    for name in BUDGETS {
        budgets += &format!(
            "[[budget]]\nname = \"{name}\"\namount = \"1 USD\"\nperiod = \"month\"\nscope = {{ team = \"{name}\" }}\n"
        );
        usage += &format!(
            "{{\"id\":\"{name}\",\"ts\":\"2025-11-10T12:00:00Z\",\"provider\":\"openai\",\"model\":\"gpt-4o\",\
             \"output_tokens\":500000,\"team\":\"{name}\"}}\n"
        );
    }
    std::fs::write(home.path().join("policies/budgets/b.toml"), budgets).unwrap();
    std::fs::write(home.path().join("u.jsonl"), usage).unwrap();
    home
}

fn settings(home: &Path, channel: &str) {
    let text = format!(
        "[store]\nurl = \"sqlite:l.db\"\n[limits]\ndelivery_attempts = 1\n[[source]]\nname = \"g\"\nkind = \"plain\"\n\
         paths = [\"u.jsonl\"]\n[[notify]]\n{channel}\n"
    );
    std::fs::write(home.join("finops.toml"), text).unwrap();
}

fn finops(home: &Path, now: &str, args: &[&str]) -> Output {
    program(home).args(["--now", now]).args(args).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// A receiver that refuses what tells of a budget; answers its address and what it was asked to take.
fn refusing(budget: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        while let Ok((mut peer, _)) = listener.accept() {
            let (mut request, mut chunk) = (String::new(), [0; 4096]);
            while !request.contains("\"schema_version\"") {
                match peer.read(&mut chunk) {
                    Ok(read) if read > 0 => request += &String::from_utf8_lossy(&chunk[..read]),
                    _ => break,
                }
            }
            let told = BUDGETS
                .iter()
                .find(|name| request.contains(&format!("\"budget\":\"{name}\"")));
            log.lock().unwrap().push((*told.unwrap_or(&"?")).to_owned());
            let status = if told == Some(&budget) { "400 Bad" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = peer.write_all(answer.as_bytes());
        }
    });
    (url, seen)
}

#[test]
fn a_message_that_is_refused_keeps_no_other_waiting_and_ends_as_set_aside() {
    let (url, seen) = refusing("b1");
    let channel = format!("name = \"hook\"\nkind = \"webhook\"\nurl = \"{url}\"");
    let home = home(&channel);
    let run = |now| {
        let output = finops(home.path(), now, &["--format", "json", "run"]);
        (code(&output), json(&output)["delivery"].clone(), err(&output))
    };
    let (exit, delivery, said) = run("2025-11-11T12:00:00Z");
    assert_eq!(
        (exit, &delivery["delivered"], &delivery["waiting"]),
        (3, &2.into(), &1.into()),
        "{said}"
    );
    assert!(
        said.contains("refused the message") && said.contains("answered 400; the next run tries it again"),
        "{said}"
    );
    assert_eq!(*seen.lock().unwrap(), BUDGETS);

    // The clock of deliveries is the real one: by then the message is old enough.
    let (_, delivery, _) = run("2025-11-11T13:00:00Z");
    assert_eq!((&delivery["waiting"], &delivery["set_aside"]), (&1.into(), &0.into()));
    let (exit, delivery, said) = run("2025-11-11T14:00:00Z");
    assert_eq!(
        (exit, &delivery["waiting"], &delivery["set_aside"]),
        (3, &0.into(), &1.into())
    );
    assert!(said.contains("it is set aside: still tried at each run"), "{said}");
    let (exit, delivery, said) = run("2025-11-11T15:00:00Z");
    assert_eq!(
        (exit, &delivery["waiting"], &delivery["set_aside"]),
        (0, &0.into(), &1.into()),
        "{said}"
    );
    assert_eq!(seen.lock().unwrap().len(), 6, "the others once, this one at each run");

    let listed = out(&finops(home.path(), "2025-12-11T12:00:00Z", &["alert", "waiting"]));
    assert!(
        listed.contains("set aside") && listed.contains("answered 400"),
        "{listed}"
    );
    let (url, seen) = refusing("");
    settings(
        home.path(),
        &format!("name = \"hook\"\nkind = \"webhook\"\nurl = \"{url}\""),
    );
    let tried = finops(home.path(), "2025-12-11T12:00:00Z", &["alert", "retry"]);
    assert_eq!(code(&tried), 0, "{}", err(&tried));
    assert_eq!(out(&tried), "messages: 1 delivered, 0 waiting, 0 set aside\n");
    assert_eq!(*seen.lock().unwrap(), ["b1"]);
}

#[test]
fn a_channel_that_is_renamed_takes_what_waited_for_the_old_one() {
    let home = home("name = \"old\"\nkind = \"file\"\npath = \"none/a.jsonl\"");
    let first = finops(home.path(), "2025-11-11T12:00:00Z", &["run"]);
    assert_eq!(code(&first), 3, "{}", err(&first));
    settings(home.path(), "name = \"new\"\nkind = \"file\"\npath = \"a.jsonl\"");
    let second = finops(home.path(), "2025-11-11T13:00:00Z", &["run"]);
    assert_eq!(code(&second), 0, "{}", err(&second));
    let said = "warning: channel `old` is not configured any more: 3 messages for it handed to `new`";
    assert!(err(&second).contains(said), "{}", err(&second));
    // Nobody that was told is left, and nothing waits: whoever looks after it tells those of now.
    settings(home.path(), "name = \"newer\"\nkind = \"file\"\npath = \"a.jsonl\"");
    let open = json(&finops(
        home.path(),
        "2025-11-11T14:00:00Z",
        &["--format", "json", "alert", "list"],
    ));
    let id = open["alerts"][0]["id"].as_str().unwrap();
    let acted = finops(home.path(), "2025-11-11T14:00:00Z", &["alert", "ack", id]);
    assert_eq!(code(&acted), 0, "{}", err(&acted));
    let third = finops(home.path(), "2025-12-02T12:00:00Z", &["run"]);
    assert_eq!(
        (code(&third), err(&third).contains("`old`")),
        (0, false),
        "{}",
        err(&third)
    );
    let told = std::fs::read_to_string(home.path().join("a.jsonl")).unwrap();
    assert_eq!(told.matches("\"told\":\"firing\"").count(), 3, "{told}");
    assert_eq!(told.matches("\"told\":\"acknowledged\"").count(), 1, "{told}");
    assert_eq!(told.matches("\"told\":\"resolved\"").count(), 3, "{told}");
}

#[test]
fn a_test_says_that_it_waits_while_another_run_delivers() {
    let home = home("name = \"log\"\nkind = \"file\"\npath = \"a.jsonl\"");
    finops(home.path(), "2025-11-11T12:00:00Z", &["alert", "list"]);
    let mut other = SqliteAlerts::open(&home.path().join("l.db")).unwrap();
    other.claim().unwrap();
    let test = finops(home.path(), "2025-11-11T12:00:00Z", &["alert", "test"]);
    assert_eq!(code(&test), 3, "{}", err(&test));
    assert!(
        err(&test).contains("waits") && !err(&test).contains("accepted"),
        "{}",
        err(&test)
    );
    assert!(err(&test).contains("another run is delivering"), "{}", err(&test));
    let run = finops(home.path(), "2025-11-11T12:00:01Z", &["run"]);
    assert_eq!(code(&run), 3, "{}", err(&run));
    assert!(
        out(&run).ends_with("messages: 0 delivered, 4 waiting\n"),
        "{}",
        out(&run)
    );
    drop(other);
    let test = finops(
        home.path(),
        "2025-11-11T12:00:02Z",
        &["alert", "test", "--format", "json"],
    );
    assert_eq!(
        (code(&test), err(&test).contains("accepted")),
        (0, true),
        "{}",
        err(&test)
    );
    let told: serde_json::Value = serde_json::from_slice(&test.stdout).unwrap();
    let message = &told["messages"][0];
    assert_eq!(
        (&message["channel"], &message["state"]),
        (&"log".into(), &"accepted".into())
    );
}

#[test]
fn silences_are_listed_and_taken_back_and_one_of_nothing_says_so() {
    let home = home("name = \"log\"\nkind = \"file\"\npath = \"a.jsonl\"");
    let now = "2025-11-11T12:00:00Z";
    let silence = |budget| {
        let args = [
            "alert", "silence", "--budget", budget, "--for", "30d", "--reason", "x", "--by", "ann",
        ];
        let output = finops(home.path(), now, &args);
        assert_eq!(code(&output), 0, "{}", err(&output));
        let id = out(&output).split(['(', ')']).nth(1).unwrap().to_owned();
        (id, err(&output))
    };
    assert_eq!(silence("b1").1, "");
    let (all, said) = silence("b*");
    assert_eq!(said, "");
    let (nothing, said) = silence("serch");
    assert_eq!(
        said,
        format!(
            "warning: no budget and no open alert matches `serch`; `finops alert unsilence {nothing}` takes it back\n"
        )
    );
    let list = |all: &[&str]| {
        let args = [&["--format", "json", "alert", "silences"], all].concat();
        json(&finops(home.path(), now, &args))["silences"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(list(&[]), 3);
    let listed = out(&finops(home.path(), now, &["alert", "silences"]));
    assert!(
        listed.contains("serch") && listed.contains("2025-12-11 12:00"),
        "{listed}"
    );

    let back = |id: &str| finops(home.path(), "2025-11-11T13:00:00Z", &["alert", "unsilence", id]);
    for id in [&nothing[..6], &all] {
        assert_eq!(code(&back(id)), 0, "{}", err(&back(id)));
    }
    let twice = back(&all);
    assert_eq!(code(&twice), 2);
    assert!(
        err(&twice).contains("has ended already") && err(&twice).contains("hint: "),
        "{}",
        err(&twice)
    );
    assert!(err(&back("ffff")).contains("no silence has the id `ffff`"));
    let run = finops(home.path(), "2025-11-11T14:00:00Z", &["run"]);
    assert!(
        out(&run).ends_with("messages: 2 delivered, 0 waiting\n"),
        "only `b1` is silenced: {}",
        out(&run)
    );
    let left = json(&finops(
        home.path(),
        "2025-11-11T14:00:00Z",
        &["--format", "json", "alert", "silences"],
    ));
    assert_eq!(left["silences"][0]["policy"], "b1", "{left}");

    // A policy file that is broken keeps nobody from silencing an alert that is open.
    std::fs::write(home.path().join("policies/budgets/b.toml"), "[[budget]\n").unwrap();
    assert_eq!(silence("b2").1, "");
    assert!(silence("b9").1.contains("no budget that can be read and no open alert"));
}

/// The title is of the newest evaluation, the figures are those that people were told.
#[test]
fn figures_of_an_alert_say_as_of_when_they_are() {
    let home = home("name = \"out\"\nkind = \"file\"\npath = \"a.jsonl\"");
    let show = |now: &str| {
        assert_eq!(code(&finops(home.path(), now, &["run"])), 0);
        let all = json(&finops(home.path(), now, &["alert", "list", "--format", "json"]));
        let id = all["alerts"][0]["id"].as_str().unwrap().to_owned();
        out(&finops(home.path(), now, &["alert", "show", &id]))
    };
    let first = show("2025-11-11T12:00:00Z");
    assert!(
        first.contains("  Spent: $5.00 of $1.00") && !first.contains("as told"),
        "{first}"
    );
    let usage = std::fs::read_to_string(home.path().join("u.jsonl")).unwrap();
    std::fs::write(
        home.path().join("u.jsonl"),
        usage.clone() + &usage.replace("\"id\":\"", "\"id\":\"2"),
    )
    .unwrap();
    let second = show("2025-11-11T13:00:00Z");
    let title = second.lines().next().unwrap();
    assert!(title.contains("1000 %"), "{second}");
    let told = "  as of 2025-11-11 13:00 UTC; as told 2025-11-11 12:00 UTC:\n  Spent: $5.00 of $1.00 (500.0 %)";
    assert!(second.contains(told), "{second}");
}

#[test]
fn a_test_without_any_channel_names_none() {
    let home = home("name = \"hook\"\nkind = \"webhook\"\nurl = \"env:NOT_SET\"");
    for (args, cause) in [
        (&["alert", "test"][..], "no channel can be used"),
        (&["alert", "test", "--channel", "hook"], "no channel `hook` can be used"),
    ] {
        let tried = finops(home.path(), "2025-11-11T12:00:00Z", args);
        assert!(code(&tried) == 2 && err(&tried).contains(cause), "{}", err(&tried));
    }
}

#[test]
fn a_test_of_one_channel_says_nothing_of_another() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let both = format!(
        "name = \"out\"\nkind = \"webhook\"\nurl = \"http://{nobody}/\"\n[[notify]]\nname = \"log\"\nkind = \"file\"\npath = \"a.jsonl\""
    );
    let home = home(&both);
    for (args, expected) in [
        (&["alert", "test", "--channel", "out"][..], 3),
        (&["alert", "test", "--channel", "log"], 0),
        (&["alert", "test"], 3),
    ] {
        let tried = finops(home.path(), "2025-11-11T12:00:00Z", args);
        assert_eq!(code(&tried), expected, "{args:?}: {}", err(&tried));
        assert_eq!(err(&tried).contains("did not accept"), expected == 3, "{}", err(&tried));
    }
}

/// What a person does is done at once, and said before any channel has answered.
#[test]
fn a_deed_is_said_before_the_channels_are_told_and_waits_for_none_that_asks_for_minutes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let home = home("name = \"out\"\nkind = \"file\"\npath = \"a.jsonl\"");
    let at = "2025-11-11T12:00:00Z";
    assert_eq!(code(&finops(home.path(), at, &["run"])), 0);
    let told = std::fs::read_to_string(home.path().join("a.jsonl")).unwrap();
    let told: serde_json::Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    settings(
        home.path(),
        &format!("name = \"out\"\nkind = \"webhook\"\nurl = \"{url}\""),
    );
    let three = std::fs::read_to_string(home.path().join("finops.toml")).unwrap();
    let three = three.replace("delivery_attempts = 1", "delivery_attempts = 3");
    std::fs::write(home.path().join("finops.toml"), three).unwrap();
    let (said, hears) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        while let Ok((mut peer, _)) = listener.accept() {
            let mut request = [0; 4096];
            let _ = peer.read(&mut request);
            let early = hears.recv_timeout(std::time::Duration::from_secs(20)).is_err();
            let wait = if early { 0 } else { 120 };
            let answer =
                format!("HTTP/1.1 429 Slow\r\nRetry-After: {wait}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = peer.write_all(answer.as_bytes());
        }
    });
    let mut ack = program(home.path());
    ack.args([
        "--now",
        at,
        "alert",
        "ack",
        told["alert_id"].as_str().unwrap(),
        "--for",
        "2h",
    ]);
    ack.stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null());
    let began = std::time::Instant::now();
    let mut ack = ack.spawn().unwrap();
    let mut first = String::new();
    let mut lines = std::io::BufReader::new(ack.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut first).unwrap();
    assert!(
        first.starts_with("acknowledged until 2025-11-11 14:00 UTC: b"),
        "{first}"
    );
    let _ = said.send(());
    assert_eq!(
        ack.wait().unwrap().code(),
        Some(3),
        "the channel is to be told by the next run"
    );
    assert!(
        began.elapsed() < std::time::Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_file_that_cannot_be_written_is_named_and_what_never_ends_has_no_end() {
    let home = home("name = \"f\"\nkind = \"file\"\npath = \"no/such/a.jsonl\"");
    let at = "2025-11-11T12:00:00Z";
    let check = finops(home.path(), at, &["config", "check"]);
    assert_ne!(code(&check), 0, "{}", out(&check));
    assert!(out(&check).contains("no/such/a.jsonl` is not there"), "{}", out(&check));
    let unpriced = "{\"id\":\"u\",\"ts\":\"2025-11-10T12:00:00Z\",\"provider\":\"openai\",\"model\":\"none\",\"output_tokens\":5}\n";
    let usage = std::fs::read_to_string(home.path().join("u.jsonl")).unwrap();
    std::fs::write(home.path().join("u.jsonl"), usage + unpriced).unwrap();
    let run = finops(home.path(), at, &["--format", "json", "run"]);
    let said = err(&run);
    assert!(
        said.contains("no/such/a.jsonl`: No such file or directory (os error 2); the folder is not there"),
        "{said}"
    );
    let run = json(&run);
    let active = run["alerts"]["active"].as_array().unwrap();
    let unpriced = active.iter().find(|alert| alert["kind"] == "unpriced").unwrap();
    assert!(unpriced["period"]["end"].is_null(), "{unpriced}");
    assert!(!run["alerts"].to_string().contains("+10000"), "{run}");
}
