//! Providers' administration interfaces, live, against servers on loopback.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use finops::adapters::admin::{Admin, AdminSource, AdminSourceOptions, Others, Shares};
use finops::domain::dimension::Dimension;
use finops::domain::label::Label;
use finops::domain::spend::Basis;
use finops::domain::usage::{EventId, UsageEvent};
use finops::ports::{Checkpoint, Clock, SourceError, UsageSource as _};
use secrecy::SecretString;

use crate::files::Kept;

const T0: DateTime<Utc> = DateTime::from_timestamp(1_792_584_000, 0).unwrap();

/// Time that passes only by sleeping.
#[derive(Clone, Default)]
struct Slept(Arc<Mutex<Vec<Duration>>>);

impl Clock for Slept {
    fn now(&self) -> DateTime<Utc> {
        let all: Duration = self.0.lock().unwrap().iter().sum();
        T0 + TimeDelta::from_std(all).unwrap()
    }
    fn elapsed(&self) -> Duration {
        self.0.lock().unwrap().iter().sum()
    }
    fn sleep(&self, duration: Duration) {
        self.0.lock().unwrap().push(duration);
    }
}

/// Answers by the path and query of a request: status line with headers, body.
pub fn serve(answer: impl Fn(&str, usize) -> (String, String) + Send + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        for peer in listener.incoming() {
            let mut peer = peer.unwrap();
            let mut head = String::new();
            let mut lines = BufReader::new(peer.try_clone().unwrap());
            while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head).unwrap() > 0 {}
            let mut seen = log.lock().unwrap();
            let path = head.split(' ').nth(1).unwrap().to_owned();
            let (status, body) = answer(&path, seen.len());
            seen.push(head);
            let text = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = peer.write_all(text.as_bytes());
            let _ = peer.shutdown(std::net::Shutdown::Write);
            let _ = lines.read_to_string(&mut String::new());
        }
    });
    (url, seen)
}

fn source(whose: Admin, url: &str, clock: &Slept) -> AdminSource {
    source_of(("live", Others::None), whose, url, clock)
}

fn source_of((name, others): (&str, Others), whose: Admin, url: &str, clock: &Slept) -> AdminSource {
    AdminSource::new(AdminSourceOptions {
        name: Label::new(name),
        whose,
        key: Ok(SecretString::from("sk-s3cret".to_owned())),
        url: format!("{url}/"),
        others,
        defaults: vec![(Dimension::Team, Label::new("docs"))],
        time: Shares::new(clock.elapsed(), Duration::from_secs(600), 1),
        now: T0,
        clock: Box::new(clock.clone()),
    })
    .unwrap()
}

fn read(source: &mut AdminSource, kept: &mut Kept) -> Result<(), SourceError> {
    source.read(&kept.checkpoints.clone(), kept)
}

fn usage(start: i64, next: Option<&str>) -> String {
    format!(
        r#"{{"object":"page","data":[{{"start_time":{start},"end_time":{},"results":[{{"object":"organization.usage.completions.result","input_tokens":10,"output_tokens":1,"model":"gpt-5-mini-2025-08-07"}}]}}],"has_more":{},"next_page":{}}}"#,
        start + 86_400,
        next.is_some(),
        next.map_or("null".to_owned(), |n| format!("{n:?}"))
    )
}

/// Empty buckets of so many days from where a question begins on, one page of either provider's.
fn days(path: &str, count: i64) -> String {
    let value = |key: &str| {
        path.split(key)
            .nth(1)
            .map(|rest| rest.split('&').next().unwrap().to_owned())
    };
    let first = match value("start_time=") {
        Some(seconds) => seconds.parse().unwrap(),
        None => crate::files::time(&value("starting_at=").unwrap()).timestamp(),
    };
    let text = |at: i64| {
        DateTime::from_timestamp(at, 0)
            .unwrap()
            .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    };
    let day = |day: i64| {
        let (start, end) = (first + day * 86_400, first + (day + 1) * 86_400);
        format!(
            r#"{{"start_time":{start},"end_time":{end},"starting_at":"{}","ending_at":"{}","results":[]}}"#,
            text(start),
            text(end)
        )
    };
    let days: Vec<String> = (0..count).map(day).collect();
    format!(r#"{{"data":[{}],"has_more":false,"next_page":null}}"#, days.join(","))
}

/// The same up to the day of an instant.
pub fn days_until(path: &str, until: DateTime<Utc>) -> String {
    let one = days(path, 1);
    let from = one.split("\"start_time\":").nth(1).unwrap()[..10]
        .parse::<i64>()
        .unwrap();
    days(path, (until.timestamp() - from) / 86_400 + 1)
}

/// The same up to the day that counts as this one, but for the last ones.
fn days_but(path: &str, less: i64) -> String {
    days_until(path, T0 - TimeDelta::days(less))
}

/// A page of empty days, with these before its end.
fn with(page: &str, buckets: &str) -> String {
    let (page, rest) = page.rsplit_once("],\"has_more\"").unwrap();
    format!("{page},{buckets}],\"has_more\"{rest}")
}

/// An empty bucket.
fn day(start: i64) -> String {
    format!(r#"{{"start_time":{start},"end_time":{},"results":[]}}"#, start + 86_400)
}

/// A clock that stands, wherever.
struct Stands(DateTime<Utc>);

impl Clock for Stands {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
    fn sleep(&self, _: Duration) {}
}

const NONE: &str = r#"{"object":"page","data":[],"has_more":false,"next_page":null}"#;

#[test]
fn pages_are_followed_and_the_next_run_asks_only_for_what_may_have_changed() {
    let (url, seen) = serve(|path, _| {
        let body = if path.contains("/costs") {
            let bucket = r#"{"start_time":1792454400,"end_time":1792540800,"results":[{"object":"organization.costs.result","amount":{"value":0.25,"currency":"usd"},"line_item":"x, input"}]}"#;
            with(&with(&days_but(path, 2), bucket), &day(1_792_540_800))
        } else if !path.contains("completions") {
            NONE.to_owned()
        } else if path.contains("page=p%2F2%3D") {
            usage(1_792_540_800, None)
        } else {
            let page = days_but(path, 2).replace("false,\"next_page\":null", "true,\"next_page\":\"p/2=\"");
            let bucket = usage(1_792_454_400, None);
            let (_, bucket) = bucket.split_once("\"data\":[").unwrap();
            with(&page, bucket.split_once("],\"has_more\"").unwrap().0)
        };
        ("200 OK".to_owned(), body)
    });
    let clock = Slept::default();
    let mut kept = Kept::default();
    read(&mut source(Admin::Openai, &url, &clock), &mut kept).unwrap();
    let told = |kept: &Kept| -> Vec<_> {
        let bills = kept.bills.iter().filter(|bill| !bill.rows.is_empty());
        bills.map(|bill| (bill.identity.clone(), bill.settled_before)).collect()
    };
    assert_eq!((kept.calls.len(), told(&kept).len()), (2, 1));
    // How far each question was answered, and of usage what may still be restated and where the answer stands.
    assert_eq!(kept.checkpoints.len(), 10);
    assert!(
        kept.calls
            .values()
            .all(|c| c.dimensions.get(Dimension::Team).as_str() == "docs")
    );
    assert_eq!(told(&kept)[0].0, "live/openai-costs/2026-10-20T00");
    let asked = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(asked.len(), 5);
    assert!(
        asked[0].contains("start_time=1789862400&") && asked[0].contains("group_by%5B%5D=model"),
        "{}",
        asked[0]
    );
    assert!(
        asked
            .iter()
            .all(|head| head.to_lowercase().contains("authorization: bearer sk-s3cret"))
    );
    read(&mut source(Admin::Openai, &url, &clock), &mut kept).unwrap();
    assert_eq!(kept.calls.len(), 2);
    // The day of the last answer was not over by then: what changes of it is no restatement.
    let settled = told(&kept);
    let settled = settled
        .iter()
        .map(|(_, until)| until.map(|hour| hour.start().to_rfc3339()));
    assert!(settled.eq([None, Some("2026-10-21T00:00:00+00:00".to_owned())]));
    assert!(seen.lock().unwrap()[0].contains("start_time=1791936000&"));
}

#[test]
fn pages_that_go_round_are_not_followed() {
    for round in [1, 3] {
        let (url, seen) = serve(move |_, n| {
            (
                "200 OK".to_owned(),
                usage(1_792_454_400, Some(&format!("p{}", n % round))),
            )
        });
        let mut kept = Kept::default();
        let error = read(&mut source(Admin::Openai, &url, &Slept::default()), &mut kept).unwrap_err();
        assert!(error.to_string().contains("names a page that was asked for"), "{error}");
        // Four questions, each until the first repetition.
        assert_eq!(seen.lock().unwrap().len(), 4 * (round + 1));
        assert!(
            kept.checkpoints
                .keys()
                .all(|key| !key.ends_with("completions") && !key.ends_with("costs"))
        );
    }
}

/// The bucket of a day with results of these service tiers and input tokens.
fn tiers(day: i64, results: &[(&str, u64)]) -> String {
    let results: Vec<String> = results
        .iter()
        .map(|(tier, input)| format!(r#"{{"object":"organization.usage.completions.result","input_tokens":{input},"model":"gpt-5-mini-2025-08-07","project_id":"p","api_key_id":"k","service_tier":{tier}}}"#))
        .collect();
    let start = 1_792_454_400 + day * 86_400;
    format!(
        r#"{{"start_time":{start},"end_time":{},"results":[{}]}}"#,
        start + 86_400,
        results.join(",")
    )
}

#[test]
fn usage_that_is_told_anew_under_other_values_counts_once() {
    let (unnamed, named) = (("null", 10), ("\"default\"", 12));
    // Each answer, and the tokens of both days after it.
    let answers = [
        (vec![tiers(0, &[unnamed]), tiers(-1, &[unnamed])], (10, 10)),
        (vec![tiers(0, &[named]), tiers(-1, &[unnamed])], (12, 10)),
        // A day that is left out is not one without usage, and one of which a part is not usable tells nothing of the others.
        (vec![tiers(0, &[("null", 11)])], (11, 10)),
        (vec![tiers(0, &[("\"default\"", 5), ("{}", 1)])], (16, 10)),
        // It keeps nothing from the days beside it.
        (vec![tiers(0, &[named, ("{}", 1)]), tiers(-1, &[named])], (23, 12)),
        (vec![tiers(0, &[named, ("\"flex\"", 1)]), tiers(-1, &[])], (13, 0)),
        (vec![tiers(0, &[]), tiers(-1, &[unnamed])], (0, 10)),
    ];
    let bodies: Vec<String> = answers
        .iter()
        .map(|(buckets, _)| format!(r#"{{"data":[{}],"has_more":false}}"#, buckets.join(",")))
        .collect();
    let round = Arc::new(Mutex::new(0));
    let at = Arc::clone(&round);
    let (url, _) = serve(move |path, _| {
        let body = match path.contains("completions") {
            true => bodies[*at.lock().unwrap()].clone(),
            false => NONE.to_owned(),
        };
        ("200 OK".to_owned(), body)
    });
    let (clock, mut kept) = (Slept::default(), Kept::default());
    for (number, (_, expected)) in answers.iter().enumerate() {
        *round.lock().unwrap() = number;
        clock.sleep(Duration::from_secs(60));
        read(&mut source(Admin::Openai, &url, &clock), &mut kept).unwrap();
        let of = |day: i64| -> u64 {
            let start = 1_792_454_400 + day * 86_400;
            let calls = kept
                .calls
                .values()
                .filter(|call| (start..start + 86_400).contains(&call.at.timestamp()));
            calls.map(|call| call.tokens.total()).sum()
        };
        assert_eq!((of(0), of(-1)), *expected, "answer {number}");
        // Whose it is stays known for what was taken back in between.
        let whose = |call: &UsageEvent| (call.dimensions.get(Dimension::Project).as_str(), call.session.as_str());
        assert!(
            kept.calls.values().all(|call| whose(call) == ("p", "k")),
            "answer {number}"
        );
    }
    let reason = &kept.rejected[0].reason;
    assert!(
        reason.ends_with("(2026-10-20, model `gpt-5-mini-2025-08-07`, project `p`)"),
        "{reason}"
    );
}

#[test]
fn what_an_answer_told_last_counts_whatever_the_clock_says() {
    let told = Arc::new(Mutex::new(String::new()));
    let at = Arc::clone(&told);
    let (url, _) = serve(move |path, _| {
        let body = match path.contains("completions") {
            true => with(&days_but(path, 2), &at.lock().unwrap()),
            false => NONE.to_owned(),
        };
        ("200 OK".to_owned(), body)
    });
    // By how many hours the clock of each run is wrong, where three hours lie between two.
    for wrong in [
        [0; 5],
        [9, 0, 0, 0, 0],
        [0, -9, 0, 0, 0],
        [240, 0, -240, 0, 9],
        [-99, 2400, 0, 0, 0],
    ] {
        let mut kept = Kept::default();
        let answers = [
            ("null", 10),
            ("\"default\"", 10),
            ("\"default\"", 14),
            ("null", 13),
            ("\"flex\"", 11),
        ];
        for (number, ((tier, input), hours)) in answers.into_iter().zip(wrong).enumerate() {
            *told.lock().unwrap() = tiers(0, &[(tier, input)]);
            let now = T0 + TimeDelta::hours(3 * i64::try_from(number).unwrap());
            let mut source = AdminSource::new(AdminSourceOptions {
                name: Label::new("live"),
                whose: Admin::Openai,
                key: Ok(SecretString::from("k".to_owned())),
                url: url.clone(),
                others: Others::None,
                defaults: Vec::new(),
                time: Shares::new(Duration::ZERO, Duration::from_secs(600), 1),
                now,
                clock: Box::new(Stands(now + TimeDelta::hours(hours))),
            })
            .unwrap();
            read(&mut source, &mut kept).unwrap();
            let tokens: u64 = kept.calls.values().map(|call| call.tokens.total()).sum();
            assert_eq!(tokens, input, "run {number} of {wrong:?}");
        }
    }
}

#[test]
fn days_that_an_answer_did_not_tell_are_asked_for_again() {
    const PATHS: [&str; 2] = ["/v1/organization/usage/completions", "/v1/organization/costs"];
    // The day of the question is 18 September after an outage, and it is 21 October.
    let from = 1_789_689_600;
    let all: Vec<i64> = (0..=33).collect();
    for (told, again) in [
        (all.clone(), "2026-10-14"),
        (Vec::new(), "2026-09-20"),
        // It ends early; it leaves a day out.
        ((0..=17).collect(), "2026-09-29"),
        (all.iter().copied().filter(|day| *day != 22).collect(), "2026-10-03"),
        // The days before are asked for again for a month.
        (vec![32, 33], "2026-09-20"),
        (vec![0, 33], "2026-09-20"),
        // In any order.
        (all.iter().rev().copied().collect(), "2026-10-14"),
    ] {
        let buckets: Vec<String> = told.iter().map(|number| day(from + number * 86_400)).collect();
        let (url, seen) = serve(move |_, n| {
            // On two pages, of the first run.
            let (first, second) = buckets.split_at(buckets.len() / 2);
            let (page, more) = match n % 2 {
                0 => (first, r#""has_more":true,"next_page":"p2""#),
                _ => (second, r#""has_more":false"#),
            };
            (
                "200 OK".to_owned(),
                format!(r#"{{"data":[{}],{more}}}"#, page.join(",")),
            )
        });
        let (clock, mut kept) = (Slept::default(), Kept::default());
        for path in PATHS {
            let at = Checkpoint(b"2026-09-25".to_vec());
            kept.checkpoints.insert(path.to_owned(), at);
        }
        for _ in 0..2 {
            read(&mut source(Admin::Openai, &url, &clock), &mut kept).unwrap();
        }
        let again = crate::files::time(&format!("{again}T00:00:00Z")).timestamp();
        let seen = seen.lock().unwrap();
        for path in PATHS {
            let mut asked = seen
                .iter()
                .filter(|head| head.contains(path) && !head.contains("page="));
            let mut next = || asked.next().unwrap().split("start_time=").nth(1).unwrap()[..10].to_owned();
            assert_eq!(
                (next(), next()),
                (from.to_string(), again.to_string()),
                "{path}, {told:?}"
            );
        }
    }
}

/// OpenAI's bucket of today ends where it was asked for.
#[test]
fn the_bucket_of_today_is_one_that_goes_on() {
    let clock = Slept::default();
    let now = clock.clone();
    let (url, _) = serve(move |path, _| {
        let end = now.now().timestamp();
        let body = match path.contains("completions") {
            true => format!(
                r#"{{"data":[{{"start_time":1792540800,"end_time":{end},"results":[{{"object":"organization.usage.completions.result","input_tokens":{},"model":"m","project_id":"p"}}]}}],"has_more":false}}"#,
                end - 1_792_540_800
            ),
            false => NONE.to_owned(),
        };
        ("200 OK".to_owned(), body)
    });
    let mut kept = Kept::default();
    for hour in 0..3 {
        read(&mut source(Admin::Openai, &url, &clock), &mut kept).unwrap();
        let call = kept.calls.values().next().unwrap();
        assert_eq!(
            (kept.calls.len(), call.tokens.total()),
            (1, (12 + hour) * 3600),
            "hour {hour}"
        );
        assert_eq!(call.at.to_rfc3339(), "2026-10-21T10:00:00+00:00");
        clock.sleep(Duration::from_secs(3600));
    }
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    // Versions before knew it by its end: what they noted is taken back.
    let old: EventId = "4bf943c57bf5b5424426234e6404b7f6".parse().unwrap();
    let mut call = *kept.calls.values().next().unwrap();
    call.id = old;
    kept.calls.insert(old, call);
    let open = format!(r#"[[1792540800,128,"openai","m","","{old}"]]"#);
    let key = "/v1/organization/usage/completions: open buckets".to_owned();
    kept.checkpoints.insert(key, Checkpoint(open.into_bytes()));
    read(&mut source(Admin::Openai, &url, &clock), &mut kept).unwrap();
    let tokens: u64 = kept.calls.values().map(|call| call.tokens.total()).sum();
    assert_eq!(tokens, 15 * 3600);
}

#[test]
fn a_question_about_decisions_that_nobody_knows_is_told_and_no_failure() {
    let (url, _) = serve(|path, _| match path.contains("decisions") {
        true => ("404 Not Found".to_owned(), "Invalid URL".to_owned()),
        false => ("200 OK".to_owned(), NONE.to_owned()),
    });
    let mut kept = Kept::default();
    read(&mut source(Admin::Openai, &url, &Slept::default()), &mut kept).unwrap();
    let told: Vec<&String> = kept.warnings.keys().collect();
    assert_eq!(
        told,
        ["usage of decisions is not told: the interface has no such question"]
    );
}

#[test]
fn rate_limits_are_waited_for_and_outages_are_retried_within_the_budget() {
    let (url, seen) = serve(|_, n| match n {
        0 => ("429 Too Many\r\nRetry-After: 17".to_owned(), String::new()),
        1 | 2 => ("503 Busy".to_owned(), String::new()),
        _ => ("200 OK".to_owned(), NONE.to_owned()),
    });
    let clock = Slept::default();
    read(&mut source(Admin::Anthropic, &url, &clock), &mut Kept::default()).unwrap();
    let waits = clock.0.lock().unwrap().clone();
    assert_eq!((waits.len(), waits[0]), (3, Duration::from_secs(17)));
    let (second, third) = (waits[1].as_millis(), waits[2].as_millis());
    assert!(
        (1000..=2000).contains(&second) && (2000..=4000).contains(&third),
        "{waits:?}"
    );
    assert!(seen.lock().unwrap()[0].to_lowercase().contains("x-api-key: sk-s3cret"));

    let (url, seen) = serve(|_, _| ("429 Too Many\r\nRetry-After: 3000".to_owned(), String::new()));
    let error = read(
        &mut source(Admin::Openai, &url, &Slept::default()),
        &mut Kept::default(),
    )
    .unwrap_err();
    assert!(error.to_string().contains("answered 429"), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 4, "each question once");
}

#[test]
fn a_refused_key_is_explained_and_never_shown() {
    let (url, _) = serve(|path, _| match path.contains("costs") {
        true => ("200 OK".to_owned(), NONE.to_owned()),
        false => ("401 Unauthorized".to_owned(), "no such key: sk-s3cret".to_owned()),
    });
    let mut kept = Kept::default();
    let error = read(&mut source(Admin::Openai, &url, &Slept::default()), &mut kept).unwrap_err();
    let SourceError::Read { cause, hint, .. } = error else {
        panic!()
    };
    assert!(cause.contains("401") && !cause.contains("s3cret"), "{cause}");
    assert!(hint.contains("admin key"), "{hint}");
    // What could be asked is kept.
    assert_eq!(kept.checkpoints.keys().collect::<Vec<_>>(), ["/v1/organization/costs"]);
}

#[test]
fn no_part_of_a_key_is_shown_where_an_answer_is_cut() {
    for before in 185..=200 {
        let (url, _) = serve(move |_, _| ("403 Forbidden".to_owned(), "-".repeat(before) + "sk-s3cret"));
        let mut source = source(Admin::Anthropic, &url, &Slept::default());
        let error = read(&mut source, &mut Kept::default()).unwrap_err().to_string();
        assert!(error.contains("answered 403 ---") && !error.contains("sk"), "{error}");
    }
}

#[test]
fn an_answer_that_asks_for_no_wait_is_waited_for_all_the_same() {
    for asked in ["0", "Wed, 21 Oct 2015 07:28:00 GMT"] {
        let (url, seen) = serve(move |_, _| {
            let date = "Date: Tue, 20 Oct 2026 12:00:00 GMT";
            (format!("429 Too Many\r\n{date}\r\nRetry-After: {asked}"), String::new())
        });
        let clock = Slept::default();
        read(&mut source(Admin::Anthropic, &url, &clock), &mut Kept::default()).unwrap_err();
        let waits = clock.0.lock().unwrap().clone();
        assert_eq!((waits.len(), seen.lock().unwrap().len()), (10, 12), "two questions");
        for (wait, grown) in waits.iter().zip([1, 2, 4, 8, 16, 1, 2, 4, 8, 16]) {
            let grown = Duration::from_secs(grown);
            assert!((grown / 2..=grown).contains(wait), "{waits:?}");
        }
    }
}

#[test]
fn answers_that_are_no_answers_and_addresses_without_tls_are_refused() {
    for whose in [Admin::Openai, Admin::Anthropic] {
        for (answer, why) in [
            ("<html>", "not a JSON object"),
            ("", "not a JSON object"),
            ("[]", "not a JSON object"),
            ("{", "EOF"),
            ("{}", "no `data`"),
            (r#"{"hello":"world"}"#, "no `data`"),
            (r#"{"data":null}"#, "no `data`"),
            (r#"{"data":{}}"#, "unexpected shape"),
            (r#"{"data":[{"hello":1}],"has_more":false}"#, "missing"),
            (
                r#"{"data":[{"start_time":1792454400,"end_time":1792540800}],"has_more":false}"#,
                "missing",
            ),
            (r#"{"data":[],"has_more":true,"next_page":null}"#, "`next_page`"),
            (r#"{"data":[],"has_more":true}"#, "`next_page`"),
        ] {
            let (url, _) = serve(move |_, _| ("200 OK".to_owned(), answer.to_owned()));
            let mut kept = Kept::default();
            let error = read(&mut source(whose, &url, &Slept::default()), &mut kept).unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains("is not understood") && error.contains(why),
                "{answer}: {error}"
            );
            // What was not answered is asked for again.
            assert!(kept.checkpoints.is_empty(), "{answer}");
        }
    }
    for url in [
        "http://example.com",
        "https://bob:PASSW0RD@example.com",
        "http://127.0.0.1:9/gw?token=PASSW0RD",
    ] {
        let options = AdminSourceOptions {
            name: Label::new("live"),
            whose: Admin::Openai,
            key: Err("the environment has no `X`".to_owned()),
            url: url.to_owned(),
            others: Others::None,
            defaults: Vec::new(),
            time: Shares::new(Duration::ZERO, Duration::from_secs(1), 1),
            now: T0,
            clock: Box::new(Slept::default()),
        };
        let refused = AdminSource::new(options).err();
        assert!(
            refused.as_ref().is_some_and(|why| !why.contains("PASSW0RD")),
            "{refused:?}"
        );
    }
}

/// A day of Anthropic's usage: results of a million input tokens each.
fn fast(results: &[&str]) -> String {
    let results: Vec<String> = results
        .iter()
        .map(|keys| format!(r#"{{"uncached_input_tokens":1000000,"output_tokens":0,"model":"claude-opus-4-6"{keys}}}"#))
        .collect();
    format!(
        r#"{{"data":[{{"starting_at":"2026-10-20T00:00:00Z","ending_at":"2026-10-21T00:00:00Z","results":[{}]}}],"has_more":false}}"#,
        results.join(",")
    )
}

#[test]
fn anthropic_is_asked_for_speed_and_users_as_far_as_it_tells_them() {
    // What is refused, the speeds and users that are told, and what is said of it.
    for (refused, told, about) in [
        ("", vec![("", "u-1"), ("fast", "sa-1")], ""),
        ("account_id", vec![("", ""), ("fast", "")], "told without its users"),
        (
            "speed",
            vec![("", "")],
            "calls in fast mode are charged at the price of standard ones",
        ),
    ] {
        let (url, seen) = serve(move |path, _| {
            if !refused.is_empty() && path.contains(refused) {
                return ("400 Bad Request".to_owned(), "no such group".to_owned());
            }
            let body = match (
                path.contains("usage_report"),
                path.contains("speed"),
                path.contains("account_id"),
            ) {
                (false, ..) => r#"{"data":[],"has_more":false}"#.to_owned(),
                (true, true, true) => fast(&[
                    r#","speed":"standard","account_id":"u-1","service_account_id":null"#,
                    r#","speed":"fast","account_id":null,"service_account_id":"sa-1""#,
                ]),
                (true, true, false) => fast(&[r#","speed":"standard""#, r#","speed":"fast""#]),
                (true, false, _) => fast(&[r#","speed":null"#]),
            };
            ("200 OK".to_owned(), body)
        });
        let mut kept = Kept::default();
        read(&mut source(Admin::Anthropic, &url, &Slept::default()), &mut kept).unwrap();
        let mut found: Vec<_> = kept
            .calls
            .values()
            .map(|call| (call.speed.as_str(), call.dimensions.get(Dimension::User).as_str()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, told, "{refused}");
        assert_eq!(
            kept.warnings.keys().any(|warning| warning.contains(about)),
            !about.is_empty(),
            "{:?}",
            kept.warnings
        );
        for head in seen.lock().unwrap().iter() {
            assert_eq!(
                head.contains("anthropic-beta: fast-mode-2026-02-01"),
                head.contains("speed"),
                "{head}"
            );
        }
    }
}

#[test]
fn costs_that_are_refused_are_unknown_and_asked_for_again() {
    let (url, seen) = serve(|path, _| {
        let amount = if path.contains("costs") { r#""much""# } else { "1" };
        let bucket = format!(
            r#"{{"start_time":1792454400,"end_time":1792540800,"results":[{{"object":"organization.costs.result","amount":{{"value":{amount},"currency":"usd"}},"line_item":"x, input"}}]}}"#
        );
        let body = match path.contains("costs") {
            true => with(&with(&days_but(path, 2), &bucket), &day(1_792_540_800)),
            false => days_but(path, 0),
        };
        ("200 OK".to_owned(), body)
    });
    let (clock, mut kept) = (Slept::default(), Kept::default());
    for _ in 0..2 {
        read(&mut source(Admin::Openai, &url, &clock), &mut kept).unwrap();
    }
    assert_eq!((kept.rejected.len(), kept.progress.unknown_costs), (2, 2));
    let seen = seen.lock().unwrap();
    let costs: Vec<&String> = seen.iter().filter(|head| head.contains("/costs")).collect();
    assert!(
        costs.iter().all(|head| head.contains("start_time=1789862400&")),
        "{costs:?}"
    );
    let usage: Vec<&String> = seen.iter().filter(|head| head.contains("/embeddings")).collect();
    assert!(usage[1].contains("start_time=1791936000&"), "{usage:?}");
    let reason = &kept.rejected[0].reason;
    assert!(reason.ends_with("(2026-10-20, of `x, input`)"), "{reason}");
}

#[test]
fn a_provider_that_does_not_answer_is_asked_twice_and_what_else_failed_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let held = Arc::clone(&asked);
    std::thread::spawn(move || {
        listener
            .incoming()
            .for_each(|peer| held.lock().unwrap().push(peer.unwrap()))
    });
    let mut hanging = AdminSource::new(AdminSourceOptions {
        name: Label::new("live"),
        whose: Admin::Openai,
        key: Ok(SecretString::from("sk-s3cret".to_owned())),
        url,
        others: Others::None,
        defaults: Vec::new(),
        // Its share is two seconds.
        time: Shares::new(Duration::ZERO, Duration::from_secs(6), 3),
        now: T0,
        clock: Box::new(Slept::default()),
    })
    .unwrap();
    let mut kept = Kept::default();
    let error = read(&mut hanging, &mut kept).unwrap_err().to_string();
    // What was not asked is what the next run begins with.
    let (url, seen) = serve(|path, _| ("200 OK".to_owned(), days_but(path, 0)));
    read(&mut source(Admin::Openai, &url, &Slept::default()), &mut kept).unwrap();
    let order = seen.lock().unwrap().join("");
    let places = ["/embeddings?", "/decisions?", "/costs?", "/completions?"].map(|path| order.find(path).unwrap());
    assert!(places.is_sorted(), "{order}");
    assert_eq!(asked.lock().unwrap().len(), 2, "{error}");
    assert!(
        error.contains("/v1/organization/usage/completions`: no answer in time"),
        "{error}"
    );
    assert!(
        error.contains("`/v1/organization/costs`: not asked, since the provider does not answer"),
        "{error}"
    );

    let (url, seen) = serve(|path, _| match path.contains("costs") {
        true => ("200 OK".to_owned(), " ".repeat((64 << 20) + 1)),
        false => ("403 Forbidden".to_owned(), "no".to_owned()),
    });
    let error = read(
        &mut source(Admin::Openai, &url, &Slept::default()),
        &mut Kept::default(),
    )
    .unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("usage/completions`: answered 403 no; `/v1/organization/usage/embeddings`: the same"),
        "{error}"
    );
    assert!(
        error.contains("`/v1/organization/costs`: answered with more than 64 MiB"),
        "{error}"
    );
    let seen = seen.lock().unwrap();
    let limits: Vec<&str> = seen[3..]
        .iter()
        .map(|head| head.split("limit=").nth(1).unwrap().split('&').next().unwrap())
        .collect();
    assert_eq!(
        limits,
        ["180", "7", "1"],
        "what is too long is asked for in smaller pages"
    );
}

#[test]
fn an_answer_that_is_too_large_for_a_page_or_takes_too_long_is_asked_for_in_smaller_ones() {
    let (url, seen) = serve(|path, _| {
        let body = match path {
            path if path.contains("completions") && path.contains("limit=31&") => " ".repeat((64 << 20) + 1),
            path if path.contains("completions") => usage(1_792_454_400, None),
            path if path.contains("embeddings") && !path.contains("limit=1&") => {
                return ("504 Gateway Timeout".to_owned(), String::new());
            }
            _ => NONE.to_owned(),
        };
        ("200 OK".to_owned(), body)
    });
    let mut kept = Kept::default();
    // As `OPENAI_BASE_URL` has it.
    let url = format!("{url}/v1");
    read(&mut source(Admin::Openai, &url, &Slept::default()), &mut kept).unwrap();
    assert_eq!(kept.calls.len(), 1);
    let seen = seen.lock().unwrap();
    assert!(
        seen.iter().all(|head| head.starts_with("GET /v1/organization/")),
        "{seen:?}"
    );
}

#[test]
fn a_question_that_was_answered_in_part_is_not_asked_anew_in_another_way() {
    let mended = Arc::new(Mutex::new(false));
    let is_mended = Arc::clone(&mended);
    let (url, seen) = serve(move |path, _| {
        let day = |day: u32, more: &str| {
            format!(
                r#"{{"data":[{{"starting_at":"2026-10-{day}T00:00:00Z","ending_at":"2026-10-{}T00:00:00Z","results":[{{"uncached_input_tokens":10,"output_tokens":0,"model":"claude-opus-4-6","api_key_id":"k"}}]}}],{more}}}"#,
                day + 1
            )
        };
        match (path.contains("usage_report"), path.contains("page=p2")) {
            (false, _) => ("200 OK".to_owned(), r#"{"data":[],"has_more":false}"#.to_owned()),
            (_, true) if !*is_mended.lock().unwrap() => {
                ("400 Bad Request".to_owned(), "the token has expired".to_owned())
            }
            (_, true) => ("200 OK".to_owned(), day(20, r#""has_more":false"#)),
            _ => ("200 OK".to_owned(), day(19, r#""has_more":true,"next_page":"p2""#)),
        }
    });
    let (clock, mut kept) = (Slept::default(), Kept::default());
    let error = read(&mut source(Admin::Anthropic, &url, &clock), &mut kept)
        .unwrap_err()
        .to_string();
    assert!(error.contains("answered 400 the token has expired"), "{error}");
    assert_eq!(
        (kept.calls.len(), seen.lock().unwrap().len()),
        (1, 3),
        "two pages, and the costs"
    );
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    *mended.lock().unwrap() = true;
    read(&mut source(Admin::Anthropic, &url, &clock), &mut kept).unwrap();
    assert_eq!(kept.calls.len(), 2);
}

/// Two organisations that tell alike whose usage it was: `key` of it all, and so many tokens.
fn organisation(key: &'static str, tokens: u64) -> String {
    let (url, _) = serve(move |path, _| {
        let body = match path.contains("usage_report") {
            true => format!(
                r#"{{"data":[{{"starting_at":"2026-10-20T00:00:00Z","ending_at":"2026-10-21T00:00:00Z","results":[{{"uncached_input_tokens":{tokens},"output_tokens":0,"model":"claude-opus-4-6","workspace_id":null,"api_key_id":{key}}}]}}],"has_more":false}}"#
            ),
            false => r#"{"data":[],"has_more":false}"#.to_owned(),
        };
        ("200 OK".to_owned(), body)
    });
    url
}

#[test]
fn what_two_organisations_tell_alike_is_counted_for_each_and_once() {
    use Others::{After, Before, None};
    const A: usize = 0;
    const B: usize = 1;
    // Runs: which sources are read in which order, each with its place in the settings.
    let both: &[(usize, Others)] = &[(A, After), (B, Before)];
    let swapped: &[(usize, Others)] = &[(B, After), (A, Before)];
    for (case, runs) in [
        // From the beginning; one of them goes; in another order; in another order of reading.
        vec![both, both, &[(B, None)], both, swapped],
        vec![&[(A, None)], both, swapped, both],
        vec![&[(A, None)], swapped, swapped, &[(B, After), (A, Before)], both],
        // Those that were taken for one.
        vec![&[(A, None)], &[(B, None)], both, both],
        vec![&[(A, None), (B, None)], &[(B, Before), (A, After)], swapped],
        vec![&[(B, None), (A, None)], swapped, swapped],
    ]
    .into_iter()
    .enumerate()
    {
        let urls = [organisation("null", 1), organisation("null", 3)];
        let (clock, mut kept) = (Slept::default(), Kept::default());
        let mut checkpoints = [kept.checkpoints.clone(), kept.checkpoints.clone()];
        let last = runs.len() - 1;
        for (number, run) in runs.into_iter().enumerate() {
            clock.sleep(Duration::from_secs(60));
            let sources: Vec<_> = run
                .iter()
                .map(|&(who, others)| {
                    (
                        who,
                        source_of((["a", "b"][who], others), Admin::Anthropic, &urls[who], &clock),
                    )
                })
                .collect();
            for (who, mut source) in sources {
                clock.sleep(Duration::from_secs(1));
                std::mem::swap(&mut kept.checkpoints, &mut checkpoints[who]);
                read(&mut source, &mut kept).unwrap();
                std::mem::swap(&mut kept.checkpoints, &mut checkpoints[who]);
            }
            let tokens: u64 = kept.calls.values().map(|call| call.tokens.total()).sum();
            let asked = run.iter().all(|(_, others)| *others != None) || number == last;
            assert!(!asked || tokens == 4, "case {case}, run {number}: {tokens}");
        }
    }
    // What tells whose it is is one call, whoever asks.
    let url = organisation("\"k\"", 5);
    let (clock, mut kept) = (Slept::default(), Kept::default());
    for who in [("a", After), ("b", Before)] {
        kept.checkpoints.clear();
        read(&mut source_of(who, Admin::Anthropic, &url, &clock), &mut kept).unwrap();
    }
    assert_eq!(kept.calls.len(), 1);
}

#[test]
fn costs_that_do_not_say_what_they_are_are_costs_where_costs_were_asked_for() {
    let (url, _) = serve(|path, _| {
        let results = r#"{"object":"organization.costs.result","amount":{"value":1,"currency":"usd"}},{"amount":{"value":5,"currency":"usd"}}"#;
        let body = match path.contains("costs") {
            true => format!(
                r#"{{"data":[{{"start_time":1792454400,"end_time":1792540800,"results":[{results}]}}],"has_more":false}}"#
            ),
            false => NONE.to_owned(),
        };
        ("200 OK".to_owned(), body)
    });
    let mut kept = Kept::default();
    read(&mut source(Admin::Openai, &url, &Slept::default()), &mut kept).unwrap();
    let billed = kept.bills[0].rows.iter().filter(|(key, _)| key.basis == Basis::Billed);
    assert_eq!(
        billed.map(|(_, sums)| sums.cost).sum::<rust_decimal::Decimal>(),
        6.into()
    );
    assert!(
        kept.excluded.is_empty() && kept.warnings.is_empty(),
        "{:?}",
        kept.warnings
    );
}

#[test]
fn the_latest_days_are_remembered_where_there_is_no_room_for_all() {
    // Users of a day, days of the first answer, and whether all that may be told anew is remembered.
    for (users, days, whole) in [(560, 32, true), (2100, 8, false)] {
        let later = Arc::new(Mutex::new(false));
        let is_later = Arc::clone(&later);
        let (url, _) = serve(move |path, _| {
            let named = *is_later.lock().unwrap();
            let day = |day: i64| {
                let tier = if named && day == -1 { "\"default\"" } else { "null" };
                let result = |user: u64| {
                    format!(
                        r#"{{"input_tokens":1,"output_tokens":0,"model":"m","user_id":"u{user}","service_tier":{tier}}}"#
                    )
                };
                let (start, results) = (1_792_540_800 + day * 86_400, (0..users).map(result).collect::<Vec<_>>());
                format!(
                    r#"{{"start_time":{start},"end_time":{},"results":[{}]}}"#,
                    start + 86_400,
                    results.join(",")
                )
            };
            let buckets: Vec<String> = (1 - days..=0).filter(|day| !named || *day >= -7).map(day).collect();
            let body = match path.contains("completions") {
                true => format!(r#"{{"data":[{}],"has_more":false}}"#, buckets.join(",")),
                false => NONE.to_owned(),
            };
            ("200 OK".to_owned(), body)
        });
        let (clock, mut kept) = (Slept::default(), Kept::default());
        for _ in 0..2 {
            clock.sleep(Duration::from_secs(60));
            read(&mut source(Admin::Openai, &url, &clock), &mut kept).unwrap();
            *later.lock().unwrap() = true;
        }
        let yesterday = kept
            .calls
            .values()
            .filter(|call| (1_792_454_400..1_792_540_800).contains(&call.at.timestamp()));
        assert_eq!(yesterday.map(|call| call.tokens.total()).sum::<u64>(), users);
        assert_eq!(
            kept.warnings
                .keys()
                .any(|about| about.contains("too many to be remembered")),
            !whole
        );
    }
}

#[test]
fn costs_whose_pages_are_not_all_read_are_asked_for_from_there_on() {
    let (url, seen) = serve(|path, n| {
        let (page, start) = match path.split_once("page=") {
            Some((_, start)) => (1, start.parse::<i64>().unwrap()),
            None => (0, path.split("start_time=").nth(1).unwrap()[..10].parse().unwrap()),
        };
        if !path.contains("/costs") {
            return ("200 OK".to_owned(), NONE.to_owned());
        }
        if page == 1 && n == 5 {
            return ("403 Forbidden".to_owned(), String::new());
        }
        let next = start + 10 * 86_400;
        let more = match next < T0.timestamp() {
            true => format!(r#""has_more":true,"next_page":"{next}""#),
            false => r#""has_more":false"#.to_owned(),
        };
        let buckets: Vec<String> = (0..10).map(|number| day(start + number * 86_400)).collect();
        (
            "200 OK".to_owned(),
            format!(r#"{{"data":[{}],{more}}}"#, buckets.join(",")),
        )
    });
    let (clock, mut kept) = (Slept::default(), Kept::default());
    read(&mut source(Admin::Openai, &url, &clock), &mut kept).unwrap_err();
    read(&mut source(Admin::Openai, &url, &clock), &mut kept).unwrap();
    let seen = seen.lock().unwrap();
    let asked: Vec<&str> = seen
        .iter()
        .filter(|head| head.contains("/costs") && !head.contains("page="))
        .map(|head| head.split("start_time=").nth(1).unwrap().split('&').next().unwrap())
        .collect();
    // The third page failed: it goes on after the days of the first two, twenty days on, and the seven before it, which may be restated.
    assert_eq!(asked, ["1789862400", "1790985600"]);
}
