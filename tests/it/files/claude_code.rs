//! Claude Code session logs.

use std::io::Write;
use std::path::PathBuf;

use finops::adapters::files::{FileFormat, FileSource};
use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, EventId};
use finops::ports::{Checkpoints, UsageSource};

use super::{Kept, read_on, read_text};

/// A line with every part that tells copies apart.
struct Copy<'a> {
    id: &'a str,
    request: &'a str,
    session: &'a str,
    at: &'a str,
    side: bool,
    stop: &'a str,
    output: u64,
}

const FINAL: Copy<'static> = Copy {
    id: "msg_1",
    request: "req_1",
    session: "s-1",
    at: "2026-10-20T08:15:04.120Z",
    side: false,
    stop: "\"end_turn\"",
    output: 210,
};

fn line(c: &Copy<'_>) -> String {
    format!(
        r#"{{"parentUuid":null,"isSidechain":{},"cwd":"/srv/shop","sessionId":"{}","type":"assistant","uuid":"u","timestamp":"{}","requestId":"{}","message":{{"id":"{}","role":"assistant","model":"claude-sonnet-4-6","content":[],"stop_reason":{},"usage":{{"input_tokens":12,"cache_creation_input_tokens":900,"cache_read_input_tokens":41000,"cache_creation":{{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":600}},"output_tokens":{},"service_tier":"standard","speed":"fast","inference_geo":"global","server_tool_use":{{"web_search_requests":2}}}}}}}}"#,
        c.side, c.session, c.at, c.request, c.id, c.stop, c.output
    )
}

#[test]
fn one_response_becomes_one_call_with_every_field() {
    let kept = read_text("a.jsonl", line(&FINAL) + "\n");
    let call = kept.only();
    assert_eq!(call.id, EventId::of(&[b"response", b"msg_1"]));
    assert_eq!(call.provider().as_str(), "anthropic");
    assert_eq!(call.dimensions.get(Dimension::Project).as_str(), "/srv/shop");
    assert_eq!(
        (call.tier().as_str(), call.speed.as_str(), call.geo.as_str()),
        ("standard", "fast", "")
    );
    assert_eq!(call.requests.web_searches, 2);
    // 900 written, of which the split explains 800: the rest has the default time to live.
    assert_eq!(kept.totals(), [12, 41000, 300, 600, 210, 0]);
}

/// Versions before 1.0 copy a session that goes on into a new file, with the time of then and a cost of nothing.
#[test]
fn what_a_call_cost_is_what_its_first_line_says() {
    let cost = |at: &str, cost: &str| {
        let line = line(&Copy { at, ..FINAL });
        line.replacen("\"uuid\"", &format!("\"costUSD\":{cost},\"uuid\""), 1) + "\n"
    };
    let first = cost("2025-03-20T08:15:04.120Z", "0.0307");
    let copy = cost("2025-03-21T09:00:00.000Z", "0");
    for text in [format!("{first}{copy}"), format!("{copy}{first}")] {
        let call = read_text("a.jsonl", text).only();
        assert_eq!(call.reported_cost, Some("0.0307".parse().unwrap()));
        assert_eq!(call.at.to_rfc3339(), "2025-03-20T08:15:04.120+00:00");
    }
    let alone = read_text("a.jsonl", copy).only();
    assert_eq!((alone.reported_cost, alone.tokens.get(Bucket::Output)), (None, 210));
}

#[test]
fn the_id_of_a_response_tells_the_cloud_that_sold_it() {
    for (id, provider) in [
        ("msg_bdrk_1", "bedrock"),
        ("msg_vrtx_1", "vertex"),
        ("msg_1", "anthropic"),
    ] {
        let text = line(&Copy { id, ..FINAL });
        // Twice, since the second line of a form is read in another way.
        let call = read_text("a.jsonl", format!("{text}\n{text}\n")).only();
        assert_eq!(
            (call.provider().as_str(), call.model().as_str()),
            (provider, "claude-sonnet-4-6")
        );
    }
}

/// Behind another address than Anthropic's the name of the model tells who sells it, and OpenRouter's ids and costs.
#[test]
fn what_others_sell_through_claude_code_is_theirs() {
    for (model, provider) in [
        ("glm-4.6", "zai"),
        ("z-ai/glm-4.6", "openrouter"),
        ("anthropic/claude-sonnet-4.6", "openrouter"),
        ("deepseek-chat", "deepseek"),
        ("gpt-5", "openai"),
        ("MiniMax-M2", "minimax"),
        ("my-own", ""),
    ] {
        let text = line(&FINAL).replace("claude-sonnet-4-6", model);
        let call = read_text("a.jsonl", format!("{text}\n{text}\n")).only();
        assert_eq!((call.provider().as_str(), call.model().as_str()), (provider, model));
    }
    let text = line(&Copy {
        id: "gen-1795860000-abc",
        ..FINAL
    });
    let text = text.replacen("\"input_tokens\"", "\"cost\":0.303,\"input_tokens\"", 1);
    let call = read_text("a.jsonl", format!("{text}\n{text}\n")).only();
    assert_eq!(call.provider().as_str(), "openrouter");
    assert_eq!(call.reported_cost, Some("0.303".parse().unwrap()));
}

/// What Claude Code prints in versions that say little of it counts alike with the kind and without.
#[test]
fn what_old_versions_print_counts_alike_with_and_without_the_kind() {
    let init = r#"{"type":"system","subtype":"init","session_id":"s","tools":[]}"#;
    let answer = r#"{"type":"assistant","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-6","stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":3}},"session_id":"s"}"#;
    let cost =
        r#"{"type":"result","subtype":"success","cost_usd":0.5,"is_error":false,"total_cost":0.5,"session_id":"s"}"#;
    let alone = r#"{"type":"result","subtype":"success","session_id":"s","total_cost_usd":0.5,"usage":{"input_tokens":7,"output_tokens":3}}"#;
    for (text, calls, reported, gaps) in [
        (format!("{init}\n{answer}\n{cost}\n"), 1, None, 0),
        (format!("{alone}\n"), 1, Some("0.5"), 0),
        (format!("{cost}\n"), 0, None, 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.jsonl"), &text).unwrap();
        for kind in [None, Some(FileFormat::ClaudeCode)] {
            let mut kept = Kept::default();
            super::source(folder.path(), kind, &["a.jsonl"])
                .read(&Checkpoints::default(), &mut kept)
                .unwrap();
            assert!(kept.rejected.is_empty(), "{kind:?} {text} {:?}", kept.rejected);
            let told = kept.calls.values().find_map(|call| call.reported_cost);
            let gap = kept.excluded.get("calls_without_usage").copied().unwrap_or(0);
            assert_eq!(
                (kept.calls.len(), told, gap),
                (calls, reported.map(|r| r.parse().unwrap()), gaps),
                "{kind:?} {text}"
            );
            if let Some(call) = kept.calls.values().next() {
                assert_eq!(
                    (call.tokens.total(), call.reported_cost.is_some()),
                    (10, reported.is_some())
                );
            }
        }
    }
}

#[test]
fn every_kind_of_copy_counts_once_whatever_the_order() {
    let partial = line(&Copy {
        at: "2026-10-20T08:15:03.000Z",
        stop: "null",
        output: 900,
        ..FINAL
    });
    let repeat = line(&FINAL);
    let resumed = line(&Copy {
        session: "s-2",
        ..FINAL
    });
    let sidechain = line(&Copy {
        side: true,
        request: "req_s",
        at: "2026-10-20T08:15:02.000Z",
        ..FINAL
    });
    let gateway = line(&Copy { request: "", ..FINAL });
    let own_side = line(&Copy {
        id: "msg_2",
        side: true,
        output: 1,
        ..FINAL
    });
    let mut lines = [partial, repeat.clone(), repeat, resumed, sidechain, gateway, own_side];
    let forward = read_text("a.jsonl", lines.join("\n"));
    lines.reverse();
    let backward = read_text("a.jsonl", lines.join("\n"));
    for kept in [forward, backward] {
        assert_eq!((kept.calls.len(), kept.observed), (2, 7));
        let call = kept.calls[&EventId::of(&[b"response", b"msg_1"])];
        assert_eq!(call.tokens.get(Bucket::Output), 210);
        assert_eq!(call.session.as_str(), "s-1");
        assert_eq!(
            call.at,
            super::time("2026-10-20T08:15:03Z"),
            "earliest copy on the main track"
        );
    }
}

#[test]
fn what_is_no_call_is_told_apart() {
    let synthetic = line(&FINAL).replace("claude-sonnet-4-6", "<synthetic>");
    let error = r#"{"type":"assistant","sessionId":"s","isApiErrorMessage":true,"message":{"id":"x","content":[]}}"#;
    let quoted = r#"{"type":"user","sessionId":"s","message":{"content":"{\"usage\":{\"input_tokens\":5}}"}}"#;
    let summary = r#"{"type":"user","sessionId":"s","toolUseResult":{"usage":{"input_tokens":5}},"message":{"role":"user","content":"x"}}"#;
    let kept = read_text("a.jsonl", [&synthetic, error, quoted, summary].join("\n"));
    assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 0));
    assert_eq!(kept.excluded.get("synthetic"), Some(&1));
    assert_eq!(kept.excluded.get("failed_calls"), Some(&1));
}

#[test]
fn wrapped_messages_and_extra_iterations_count() {
    let advised = line(&FINAL).replace(
        r#""service_tier""#,
        r#""iterations":[{"type":"message","input_tokens":12,"output_tokens":210},{"type":"advisor_message","model":"claude-opus-4-8","input_tokens":900,"output_tokens":20}],"service_tier""#,
    );
    let inner = line(&Copy { id: "msg_3", ..FINAL });
    let wrapped = format!(
        r#"{{"type":"progress","sessionId":"s-1","timestamp":"2026-10-20T08:15:09.000Z","data":{{"type":"agent_progress","message":{inner}}}}}"#
    );
    let kept = read_text("a.jsonl", [advised, wrapped].join("\n"));
    assert_eq!(kept.calls.len(), 3, "{:?}", kept.rejected);
    let advisor = kept.calls[&EventId::of(&[b"response", b"msg_1", b"iteration", b"1"])];
    assert_eq!(
        (advisor.model().as_str(), advisor.tokens.total()),
        ("claude-opus-4-8", 920)
    );
}

#[test]
fn bad_lines_are_rejected_by_name_and_the_rest_counts() {
    let good = line(&FINAL);
    let mut text = Vec::new();
    let mut add = |bytes: &[u8]| {
        text.extend_from_slice(bytes);
        text.extend_from_slice(b"\r\n");
    };
    add("\u{feff}"
        .as_bytes()
        .iter()
        .chain(good.as_bytes())
        .copied()
        .collect::<Vec<_>>()
        .as_slice());
    add(b"");
    add(b"not json");
    add(b"{\"sessionId\":\"\xff\xfe\"}");
    add(good.replace(":12,", ":-12,").as_bytes());
    add(good.replace(":12,", ":12.5,").as_bytes());
    add(good.replace(":12,", ":\"many\",").as_bytes());
    add(good.replace(":12,", ":99999999999999999,").as_bytes());
    add(good.replace("2026-10-20", "1970-01-01").as_bytes());
    add(good.replace("2026-10-20", "2027-10-20").as_bytes());
    add(good.replace("\"claude-sonnet-4-6\"", "[\"m\"]").as_bytes());
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    add(good
        .replace("\"content\":[]", &format!("\"content\":{deep}"))
        .as_bytes());
    add(good.replace("msg_1", "msg_2").replace(":12,", ":\"12\",").as_bytes());
    add(good.replace("msg_1", "msg_3").replace(":12,", ":12.0,").as_bytes());
    let kept = read_text("a.jsonl", text);
    assert_eq!(kept.calls.len(), 3);
    let faults: Vec<(u64, Option<&str>)> = kept.rejected.iter().map(|r| (r.line, r.field.as_deref())).collect();
    let input = Some("message.usage.input_tokens");
    let expected = [
        (3, None),
        (4, None),
        (5, input),
        (6, input),
        (7, input),
        (8, input),
        (9, Some("timestamp")),
        (10, Some("timestamp")),
        (11, Some("message.model")),
    ];
    assert_eq!(faults, expected, "{:?}", kept.rejected);
}

#[test]
fn names_that_are_too_long_are_cut_and_the_call_counts() {
    let folder = |last: &str| format!("/srv/{}{last}", "größer/".repeat(100));
    let text = |id: &str, cwd: &str, model: &str| {
        let line = line(&Copy { id, ..FINAL }).replace("/srv/shop", cwd);
        let line = line.replace(r#""speed":"fast""#, r#""speed":"standard""#);
        line.replace("claude-sonnet-4-6", model) + "\n"
    };
    let usual = "claude-sonnet-4-6";
    // A name with escapes is read by the general parser.
    let escaped = folder("a").replace("größer", "gr\\u00f6\\u00dfer");
    // What it is priced by stands behind the last slash, and at the cut stands another model.
    let long = format!("{}/gpt-4o@{}/{usual}", "x".repeat(480), "y".repeat(80));
    let plain = format!(
        r#"{{"id":"5","ts":"2026-10-20T08:15:04Z","provider":"openai","model":"gpt-4o","input_tokens":5,"project":"{}"}}"#,
        folder("a")
    );
    let lines = [
        text("msg_1", &folder("a"), usual),
        text("msg_2", &escaped, usual),
        text("msg_3", &folder("b"), usual),
        text("msg_4", "/srv/shop", &long),
        plain,
    ];
    let kept = read_text("a.jsonl", lines.concat());
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
    assert_eq!(kept.warnings.values().collect::<Vec<_>>(), [&5], "{:?}", kept.warnings);
    let call = |id: &str| kept.calls[&EventId::of(&[b"response", id.as_bytes()])];
    let project = |id: &str| call(id).dimensions.get(Dimension::Project);
    assert_eq!(project("msg_1"), project("msg_2"));
    assert!(project("msg_1").as_str().starts_with("/srv/größer/größer/") && project("msg_1").as_str().len() <= 512);
    assert_ne!(project("msg_1"), project("msg_3"), "they differ behind the cut");
    let of_plain = kept.calls.values().find(|call| call.model().as_str() == "gpt-4o");
    assert_eq!(of_plain.unwrap().dimensions.get(Dimension::Project), project("msg_1"));
    let books = finops::adapters::prices::load(None, &[]).unwrap();
    assert!(!books.books().quote(&call("msg_4")).charge.is_priced());
    assert!(books.books().quote(&call("msg_1")).charge.is_priced());
}

#[test]
fn growing_truncated_and_rotated_logs_are_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let named = |n: u32| line(&FINAL).replace("msg_1", &format!("msg_{n}")) + "\n";
    let mut kept = Kept::default();
    let read_aged = |kept: &mut Kept| {
        super::aged(&path);
        read_on(folder.path(), &["a.jsonl"], kept);
    };
    let cut = named(2);
    std::fs::write(&path, named(1) + &cut[..80]).unwrap();
    read_aged(&mut kept);
    // By this clock the file is an old one, with which nobody goes on.
    assert_eq!((kept.observed, kept.rejected.len()), (1, 1), "the cut line is told");
    kept.rejected.clear();

    read_aged(&mut kept);
    assert_eq!(kept.progress.files, 1, "an unchanged file is not opened");

    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    write!(file, "{}{}", &cut[80..], named(3).trim_end()).unwrap();
    read_aged(&mut kept);
    assert_eq!((kept.observed, kept.calls.len()), (3, 3), "only what is new is read");

    write!(file, "\nbad\n").unwrap();
    read_aged(&mut kept);
    assert_eq!((kept.observed, kept.rejected[0].line), (3, 4), "lines are counted on");

    std::fs::write(&path, named(4)).unwrap();
    read_aged(&mut kept);
    assert_eq!(kept.calls.len(), 4, "a shorter file is another file");

    std::fs::write(&path, named(5).replace("/srv/shop", "/srv/other-shop") + &named(6)).unwrap();
    read_aged(&mut kept);
    assert_eq!(kept.calls.len(), 6, "another beginning is another file");
}

#[test]
fn one_file_by_two_names_hidden_folders_and_compression() {
    let home = tempfile::tempdir().unwrap();
    let projects = home.path().join(".claude/projects/p");
    std::fs::create_dir_all(&projects).unwrap();
    std::fs::write(projects.join("a.jsonl"), line(&FINAL)).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(projects.join("a.jsonl"), projects.join("b.jsonl")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed
        .write_all(line(&Copy { id: "msg_9", ..FINAL }).as_bytes())
        .unwrap();
    std::fs::write(projects.join("c.jsonl.gz"), packed.finish().unwrap()).unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let text = line(&Copy { id: "msg_8", ..FINAL });
    std::fs::write(
        projects.join("d.jsonl.zst"),
        ruzstd::encoding::compress_to_vec(text.as_bytes(), level),
    )
    .unwrap();
    // Links to folders and folders below them, a link in a circle, and a link that leads nowhere.
    #[cfg(unix)]
    for (from, to) in [
        (".claude", "linked"),
        (".claude/projects", "one/two"),
        (".", "one/home"),
        ("gone", "nowhere"),
    ] {
        let to = home.path().join(to);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(home.path().join(from), to).unwrap();
    }
    let mut kept = Kept::default();
    for _ in 0..2 {
        let paths = [
            ".",
            ".claude/projects/**/*.jsonl",
            "linked",
            "one/*/p/*.gz",
            "one/home/one/two/p",
        ];
        read_on(home.path(), &paths, &mut kept);
        assert_eq!(
            (kept.observed, kept.calls.len(), kept.rejected.len()),
            (3, 3, 0),
            "{:?}",
            kept.warnings
        );
        let real = home.path().canonicalize().unwrap().join(".claude/projects/p");
        let mut read: Vec<_> = kept.checkpoints.keys().map(PathBuf::from).collect();
        read.sort();
        assert_eq!(
            read,
            ["a.jsonl", "c.jsonl.gz", "d.jsonl.zst"].map(|name| real.join(name))
        );
    }
}

#[test]
fn an_array_and_objects_over_several_lines_are_read() {
    let pretty = line(&FINAL).replace(",\"", ",\n  \"");
    let second = line(&Copy { id: "msg_2", ..FINAL });
    for text in [
        format!("[{pretty},\n{second}]"),
        format!("[\n{second},\n{pretty}\n]\n"),
        format!("{pretty}\n{second}\n"),
    ] {
        let kept = read_text("a.json", &text);
        assert_eq!(
            (kept.calls.len(), kept.rejected.len()),
            (2, 0),
            "{text} {:?}",
            kept.warnings
        );
    }
}

#[test]
fn a_cut_first_line_does_not_swallow_the_rest() {
    let good = line(&FINAL);
    let kept = read_text("a.jsonl", format!("{}\nnoise\n{good}\n", &good[..100]));
    assert_eq!((kept.calls.len(), kept.rejected.len()), (1, 2), "{:?}", kept.warnings);
}

#[test]
fn the_usual_folders_are_found() {
    let home = tempfile::tempdir().unwrap();
    let name = || finops::domain::label::Label::new("claude-code");
    let found = |env| {
        let latest = super::time("2026-12-01T00:00:00Z");
        let format = FileFormat::ClaudeCode;
        let source = FileSource::at_usual_place(format, name(), home.path().to_owned(), latest, env);
        source.unwrap().paths().to_vec()
    };
    for folder in ["x/projects", "y/projects"] {
        std::fs::create_dir_all(home.path().join(folder)).unwrap();
    }
    assert_eq!(
        found(|key| (key == "CLAUDE_CONFIG_DIR").then(|| "x, y/projects,z".to_owned())).len(),
        2
    );
    assert!(found(|key| (key == "HOME").then(|| "/nonexistent".to_owned())).is_empty());
    // Notes stay where the sessions have gone: nothing is missing.
    let notes = home.path().join("x/projects/p/memory");
    std::fs::create_dir_all(&notes).unwrap();
    std::fs::write(notes.join("MEMORY.md"), "# Notes").unwrap();
    let env = |key: &str| (key == "CLAUDE_CONFIG_DIR").then(|| "x".to_owned());
    let latest = super::time("2026-12-01T00:00:00Z");
    let mut kept = Kept::default();
    let format = FileFormat::ClaudeCode;
    let source = FileSource::at_usual_place(format, name(), home.path().to_owned(), latest, env);
    let mut source = source.unwrap();
    source.read(&Checkpoints::new(), &mut kept).unwrap();
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
}
