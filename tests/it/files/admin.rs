//! Saved answers of providers' administration interfaces.

use finops::domain::dimension::Dimension;
use finops::domain::spend::Basis;
use finops::domain::usage::{Bucket, UsageEvent};

use super::{Kept, read_on, read_text};

fn openai_usage(cached: u64, output: u64) -> String {
    format!(
        r#"{{"object":"page","data":[{{"object":"bucket","start_time":1792454400,"end_time":1792540800,"results":[{{"object":"organization.usage.completions.result","input_tokens":50000,"input_cached_tokens":{cached},"output_tokens":{output},"num_model_requests":61,"project_id":"proj_docs","user_id":null,"api_key_id":null,"model":"gpt-5-mini-2025-08-07","batch":false,"service_tier":"default"}},{{"object":"organization.usage.completions.result","input_tokens":9,"input_uncached_tokens":4,"input_cached_tokens":2,"input_cache_write_tokens":3,"output_tokens":1,"project_id":"proj_docs","model":"gpt-5-mini-2025-08-07","batch":true}},{{"object":"organization.usage.images.result","images":3}},{{"object":"organization.usage.completions.result","input_tokens":-1}}]}}],"has_more":false,"next_page":null}}"#
    )
}

fn openai_costs(value: &str, day: u64) -> String {
    let start = 1_792_454_400 + day * 86_400;
    format!(
        r#"{{"object":"page","data":[{{"object":"bucket","start_time":{start},"end_time":{},"results":[{{"object":"organization.costs.result","amount":{{"value":{value},"currency":"usd"}},"line_item":"gpt-5-mini-2025-08-07, output_tokens","project_id":"proj_docs"}},{{"object":"organization.costs.result","amount":{{"value":1e-2,"currency":"usd"}},"line_item":null}}]}}],"has_more":false}}"#,
        start + 86_400
    )
}

const ANTHROPIC_USAGE: &str = r#"{"data":[{"starting_at":"2026-10-20T00:00:00Z","ending_at":"2026-10-21T00:00:00Z","results":[{"uncached_input_tokens":2200,"cache_creation":{"ephemeral_5m_input_tokens":900,"ephemeral_1h_input_tokens":300},"cache_read_input_tokens":64000,"output_tokens":1800,"server_tool_use":{"web_search_requests":3},"api_key_id":"apikey_docs","workspace_id":null,"model":"claude-sonnet-4-6","service_tier":"standard","context_window":"0-200k"}]}],"has_more":false,"next_page":null}"#;
const ANTHROPIC_COSTS: &str = r#"{"data":[{"starting_at":"2026-10-20T00:00:00Z","ending_at":"2026-10-21T00:00:00Z","results":[{"currency":"USD","amount":"123.78912","workspace_id":"wrkspc_1","cost_type":"tokens","model":"claude-sonnet-4-6","service_tier":"standard","token_type":"output_tokens"},{"currency":"USD","amount":"x"}]}],"has_more":false,"next_page":null}"#;

#[test]
fn usage_buckets_have_disjoint_tokens_and_the_values_they_are_grouped_by() {
    let kept = read_text("a.json", openai_usage(32_768, 4100));
    assert_eq!((kept.calls.len(), kept.rejected.len()), (2, 1));
    // Pictures are no tokens, and yet they cost something.
    assert_eq!(kept.excluded.get("usage_without_tokens"), Some(&1));
    let told = "usage of `images` is not counted: only the costs tell what it costs";
    assert!(kept.warnings.contains_key(told), "{:?}", kept.warnings);
    let of = |tier: &str| *kept.calls.values().find(|c| c.tier().as_str() == tier).unwrap();
    let counts = |tier: &str| Bucket::TEXT.map(|b| of(tier).tokens.get(b));
    assert_eq!(counts("standard"), [17_232, 32_768, 0, 0, 0, 0, 4100]);
    assert_eq!(counts("batch"), [4, 2, 0, 0, 3, 0, 1]);
    assert_eq!(of("batch").dimensions.get(Dimension::Project).as_str(), "proj_docs");
    // Sixty calls together are longer than any of them.
    assert_eq!(
        (of("standard").tokens.prompt(), of("standard").prompt_size()),
        (50_000, 0)
    );

    let call = read_text("a.json", ANTHROPIC_USAGE).only();
    assert_eq!(
        Bucket::TEXT.map(|b| call.tokens.get(b)),
        [2200, 64_000, 900, 300, 0, 0, 1800]
    );
    assert_eq!((call.provider().as_str(), call.requests.web_searches), ("anthropic", 3));
    let long = read_text("a.json", ANTHROPIC_USAGE.replace("0-200k", "200k-1M")).only();
    assert!(long.id != call.id && long.prompt_size() > 200_000);
}

/// 3,000 of text and 2,000 of audio in, 110 and 300 out: whether the counts are those of all or of text alone.
#[test]
fn audio_of_a_usage_bucket_has_its_own_price() {
    let page = |tokens: &str| {
        format!(
            r#"{{"object":"page","data":[{{"object":"bucket","start_time":1792454400,"end_time":1792540800,"results":[{{"object":"organization.usage.completions.result",{tokens},"input_audio_tokens":2000,"output_audio_tokens":300,"model":"gpt-4o-audio-preview-2024-12-17","batch":null,"service_tier":"default"}}]}}],"has_more":false}}"#
        )
    };
    for tokens in [
        r#""input_tokens":5000,"input_cached_tokens":0,"output_tokens":410,"input_text_tokens":3000,"output_text_tokens":110"#,
        r#""input_tokens":3000,"output_tokens":110,"input_text_tokens":3000,"output_text_tokens":110"#,
        r#""input_tokens":3000,"output_tokens":110"#,
    ] {
        let call = read_text("a.json", page(tokens)).only();
        let buckets = [Bucket::InputUncached, Bucket::Output, Bucket::AudioIn, Bucket::AudioOut];
        assert_eq!(buckets.map(|b| call.tokens.get(b)), [3000, 110, 2000, 300], "{tokens}");
        assert_eq!(super::charged(&call), "0.1126");
    }
    let cached = r#""input_tokens":5000,"input_cached_tokens":1000,"input_cached_audio_tokens":600,"output_tokens":410,"input_text_tokens":3000,"output_text_tokens":110"#;
    let call = read_text("a.json", page(cached)).only();
    let buckets = [Bucket::InputUncached, Bucket::CacheRead, Bucket::AudioIn];
    assert_eq!(buckets.map(|b| call.tokens.get(b)), [2600, 1000, 1400]);
    // As the interface tells it today, of audio and text what was not read from the cache.
    let told = r#"{"object":"page","data":[{"object":"bucket","start_time":1792454400,"end_time":1792540800,"results":[{"object":"organization.usage.completions.result","input_tokens":1000000,UNCACHED"input_text_tokens":200000,"input_audio_tokens":400000,"input_image_tokens":0,"input_cached_tokens":400000,"input_cached_text_tokens":100000,"input_cached_audio_tokens":300000,"input_cache_write_tokens":0,"output_tokens":100000,"output_text_tokens":40000,"output_audio_tokens":60000,"model":"gpt-realtime-2025-08-28"}]}],"has_more":false}"#;
    for uncached in [r#""input_uncached_tokens":600000,"#, ""] {
        let call = read_text("a.json", told.replace("UNCACHED", uncached)).only();
        assert_eq!(buckets.map(|b| call.tokens.get(b)), [200_000, 400_000, 400_000]);
        assert_eq!(super::charged(&call), "18.24");
    }
}

#[test]
fn a_bucket_that_is_delivered_again_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String, minute: u64| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_792_600_000 + minute * 60);
        std::fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(at)
            .unwrap();
    };
    // The name of the later file sorts first.
    write("z.json", openai_usage(0, 9999), 0);
    write("a.json", openai_usage(32_768, 4100), 5);
    write(
        "costs-b.json",
        openai_costs("7.25", 0) + "\n" + &openai_costs("1.5", 1),
        0,
    );
    write(
        "costs-a.json",
        format!(
            "[{},\n{}]",
            openai_costs("0.0082", 0),
            ANTHROPIC_COSTS.replace("\"data\"", "\"x\"")
        ),
        5,
    );
    let mut kept = Kept::default();
    read_on(folder.path(), &["*.json"], &mut kept);
    assert_eq!((kept.calls.len(), kept.totals()[4]), (2, 4101));
    let billed: Vec<(String, String)> = kept
        .bills
        .iter()
        .map(|bill| {
            let rows = bill.rows.iter().filter(|(key, _)| key.basis == Basis::Billed);
            let sum: rust_decimal::Decimal = rows.map(|(_, sums)| sums.cost).sum();
            (bill.identity.clone(), sum.normalize().to_string())
        })
        .collect();
    let bill = |day: &str, sum: &str| (format!("test/openai-costs/{day}T00"), sum.to_owned());
    assert_eq!(billed, [bill("2026-10-20", "0.0182"), bill("2026-10-21", "1.51")]);
    let (key, _) = kept.bills[0]
        .rows
        .iter()
        .find(|(key, _)| !key.dimensions.get(Dimension::Model).is_empty())
        .unwrap();
    assert_eq!(key.dimensions.get(Dimension::Model).as_str(), "gpt-5-mini-2025-08-07");
    assert_eq!(key.dimensions.get(Dimension::Source).as_str(), "test");
    // Nothing new, nothing told; an older answer that comes late changes nothing.
    let bills = kept.bills.len();
    read_on(folder.path(), &["*.json"], &mut kept);
    assert_eq!(kept.bills.len(), bills);
    write("late.json", openai_costs("99", 0), 1);
    read_on(folder.path(), &["*.json"], &mut kept);
    let again = &kept.bills[bills];
    assert_eq!(
        (again.identity.as_str(), again.rows.len()),
        ("test/openai-costs/2026-10-20T00", 4)
    );
    assert!(again.rows.iter().all(|(_, sums)| sums.cost < 1.into()));
}

#[test]
fn amounts_in_cents_are_exact_and_a_bad_row_is_told() {
    let kept = read_text("a.json", ANTHROPIC_COSTS);
    assert_eq!((kept.bills.len(), kept.rejected.len()), (1, 1));
    assert_eq!(kept.rejected[0].field.as_deref(), Some("amount"));
    let costs: Vec<String> = kept.bills[0]
        .rows
        .iter()
        .map(|(_, s)| s.cost.normalize().to_string())
        .collect();
    assert_eq!(costs, ["1.2378912", "1.2378912"]);
}

/// A bucket is known by its start and end: with a wrong end it would count again when that is mended.
#[test]
fn a_bucket_that_does_not_end_after_its_start_is_refused() {
    for end in [
        "-1",
        "1792454400",
        "\"1969-12-31\"",
        "9007199254740993",
        "\"9999-01-01\"",
    ] {
        for text in [openai_usage(0, 1), openai_costs("1", 0)] {
            let kept = read_text("a.json", text.replace("1792540800", end));
            assert_eq!(
                (kept.calls.len(), kept.bills.len(), kept.rejected.len()),
                (0, 0, 1),
                "{end}"
            );
            assert_eq!(kept.rejected[0].field.as_deref(), Some("end_time"), "{end}");
        }
    }
    for text in [ANTHROPIC_USAGE, ANTHROPIC_COSTS] {
        let kept = read_text("a.json", text.replace("2026-10-21T", "2026-10-20T"));
        assert_eq!(
            (kept.calls.len(), kept.bills.len(), kept.rejected.len()),
            (0, 0, 1),
            "{text}"
        );
        assert_eq!(kept.rejected[0].field.as_deref(), Some("ending_at"));
    }
    // By person.
    let alone = r#"{"starting_at":"2026-10-20T00:00:00Z","ending_at":"END","uncached_input_tokens":1,"output_tokens":1,"model":"m","actor":{"user_id":"u"}}"#;
    for (end, calls) in [("2026-10-21T00:00:00Z", 1), ("2026-10-19T00:00:00Z", 0)] {
        let kept = read_text("a.json", format!(r#"{{"data":[{}]}}"#, alone.replace("END", end)));
        assert_eq!((kept.calls.len(), kept.rejected.len()), (calls, 1 - calls), "{end}");
    }
}

#[test]
fn a_cost_that_does_not_say_how_much_is_unknown_and_no_call() {
    for amount in ["\"amount\":null", "\"x\":1"] {
        let kept = read_text("a.json", ANTHROPIC_COSTS.replace("\"amount\":\"x\"", amount));
        assert_eq!(
            (kept.calls.len(), kept.bills.len(), kept.rejected.len()),
            (0, 1, 1),
            "{amount}"
        );
        let fault = &kept.rejected[0];
        assert_eq!(
            (fault.field.as_deref(), fault.reason.as_str()),
            (Some("amount"), "missing")
        );
        assert_eq!(kept.progress.unknown_costs, 1);
    }
}

#[test]
fn pages_among_other_records_are_refused() {
    let body = r#"{"id":"msg_1","type":"message","created_at":1792483200,"model":"m","usage":{"input_tokens":1,"output_tokens":1}}"#;
    let kept = read_text("a.jsonl", [body, &openai_costs("1", 0), ""].join("\n"));
    assert_eq!((kept.calls.len(), kept.bills.len(), kept.rejected.len()), (1, 0, 1));
    assert!(kept.rejected[0].reason.contains("needs a file of its own"));
}

/// A bucket of usage that begins and ends so many hours into 20 October, with so many tokens.
fn hours(from: i64, to: i64, tokens: u64) -> String {
    let [start, end] = [from, to].map(|hour| 1_792_454_400 + hour * 3600);
    format!(
        r#"{{"object":"bucket","start_time":{start},"end_time":{end},"results":[{{"object":"organization.usage.completions.result","input_tokens":{tokens},"output_tokens":0,"project_id":"p","user_id":null,"api_key_id":null,"model":"gpt-5-2025-08-07","batch":false,"service_tier":"default"}}]}}"#
    )
}

fn paged(buckets: &[String]) -> String {
    let buckets = buckets.join(",");
    format!(r#"{{"object":"page","data":[{buckets}],"has_more":false,"next_page":null}}"#)
}

/// Reads answers as files, of which the first is the oldest, and says how many tokens each day from 20 October on has.
fn by_day(answers: &[String], kept: &mut Kept) -> Vec<u64> {
    let folder = tempfile::tempdir().unwrap();
    for (number, text) in answers.iter().enumerate() {
        let path = folder.path().join(format!("{number}.json"));
        std::fs::write(&path, text).unwrap();
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_792_800_000 + number as u64 * 60);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(at).unwrap();
    }
    read_on(folder.path(), &["*.json"], kept);
    let mut days = Vec::new();
    for call in kept.calls.values() {
        let day = usize::try_from((call.at.timestamp() - 1_792_454_400).div_euclid(86_400)).unwrap();
        days.resize(days.len().max(day + 1), 0);
        days[day] += call.tokens.total();
    }
    days
}

/// OpenAI cuts the first bucket where the question begins and the last one where it was asked.
#[test]
fn a_part_of_a_bucket_and_the_whole_of_it_come_to_the_whole() {
    let cases: [(&str, Vec<Vec<String>>, &[u64]); 8] = [
        (
            "the days up to now, asked on each of them from the first on",
            vec![
                vec![hours(0, 24, 500), hours(24, 33, 300)],
                vec![hours(0, 24, 500), hours(24, 48, 1000), hours(48, 57, 200)],
                vec![
                    hours(0, 24, 500),
                    hours(24, 48, 1000),
                    hours(48, 72, 700),
                    hours(72, 81, 100),
                ],
            ],
            &[500, 1000, 700, 100],
        ),
        (
            "the last days, asked each day",
            vec![
                vec![hours(17, 24, 400), hours(24, 48, 1000), hours(48, 65, 50)],
                vec![hours(41, 48, 300), hours(48, 72, 900), hours(72, 89, 60)],
            ],
            &[400, 1000, 900, 60],
        ),
        (
            "the same day up to now, and a rest of it that begins earlier or later",
            vec![
                vec![hours(0, 9, 30)],
                vec![hours(0, 17, 80)],
                vec![hours(20, 24, 7), hours(24, 48, 1)],
                vec![hours(19, 24, 9), hours(24, 48, 1)],
            ],
            &[89, 1],
        ),
        (
            "the last 24 hours, asked each day",
            vec![
                vec![hours(9, 24, 10), hours(24, 33, 20)],
                vec![hours(33, 48, 30), hours(48, 57, 40)],
            ],
            &[10, 50, 40],
        ),
        (
            "on from where it was asked before, within a day",
            vec![
                vec![hours(0, 9, 1)],
                vec![hours(9, 10, 2)],
                vec![hours(10, 17, 4)],
                vec![hours(17, 30, 8)],
            ],
            // What is longer than to the end of its day is of no width.
            &[15],
        ),
        (
            "by the hour",
            vec![
                (0..24).map(|hour| hours(hour, hour + 1, 1)).collect(),
                (20..30).map(|hour| hours(hour, hour + 1, 1)).collect(),
            ],
            &[24, 6],
        ),
        (
            "bucket by bucket, as loops collect them",
            vec![
                vec![hours(0, 24, 5), hours(24, 48, 6)],
                vec![hours(24, 48, 7), hours(48, 49, 1)],
            ],
            &[5, 7, 1],
        ),
        (
            "the last hour of a day that begins",
            vec![vec![hours(0, 24, 5), hours(24, 25, 6)], vec![hours(24, 48, 7)]],
            &[5, 7],
        ),
    ];
    for (case, answers, expected) in cases {
        let newest_first = |buckets: &Vec<String>| paged(&buckets.iter().rev().cloned().collect::<Vec<_>>());
        let forms: [&dyn Fn(&Vec<String>) -> String; 3] = [
            &|buckets| paged(buckets),
            &|buckets| format!("[{}]", buckets.join(",\n")),
            &newest_first,
        ];
        for form in forms {
            let mut files: Vec<String> = answers.iter().map(form).collect();
            assert_eq!(by_day(&files, &mut Kept::default()), expected, "{case}");
            // Restatements aside the order of files decides nothing.
            if !case.starts_with("bucket by bucket") {
                files.reverse();
                assert_eq!(
                    by_day(&files, &mut Kept::default()),
                    expected,
                    "{case}, the other way round"
                );
            }
            let all = [files.clone(), files.clone()].concat();
            assert_eq!(
                by_day(&all, &mut Kept::default()).iter().sum::<u64>(),
                expected.iter().sum::<u64>(),
                "{case}, twice"
            );
        }
    }
}

/// Versions that knew buckets by their start and end have recorded a part under an identity of its own.
#[test]
fn a_part_of_a_bucket_that_an_older_version_recorded_counts_once_where_it_is_read_again() {
    let old: finops::domain::usage::EventId = "4bf943c57bf5b5424426234e6404b7f6".parse().unwrap();
    let mut kept = Kept::default();
    let at = chrono::DateTime::from_timestamp(1_792_540_800, 0).unwrap();
    let mut call = UsageEvent::new(old, at, "openai".into(), "gpt-5-2025-08-07".into());
    call.tokens.set(Bucket::InputUncached, 300);
    // Its file was newer, and the line further down.
    call.rank.authority = 128;
    (call.rank.at, call.rank.line) = (at + chrono::TimeDelta::days(90), 7);
    kept.calls.insert(old, call);
    let days = by_day(&[paged(&[hours(0, 24, 500), hours(24, 33, 300)])], &mut kept);
    assert_eq!(days, [500, 300]);
    assert_eq!(kept.calls[&old].tokens.total(), 0);
}

#[test]
fn the_usage_of_a_day_stands_at_an_hour_of_the_same_date_nearly_everywhere() {
    let midnight = chrono::DateTime::from_timestamp(1_792_454_400, 0).unwrap();
    let ten = midnight + chrono::TimeDelta::hours(10);
    let at = |kept: &Kept| kept.calls.values().map(|call| call.at).max().unwrap();
    for (text, expected) in [
        (paged(&[hours(0, 24, 1)]), ten),
        // What is told before ten stands there until it is told again.
        (paged(&[hours(0, 9, 1)]), midnight),
        (
            paged(&[hours(0, 24, 1), hours(24, 41, 1)]),
            ten + chrono::TimeDelta::days(1),
        ),
        (paged(&[hours(3, 4, 1)]), midnight + chrono::TimeDelta::hours(3)),
        (ANTHROPIC_USAGE.to_owned(), ten),
        (ANTHROPIC_USAGE.replace("2026-10-21T00", "2026-10-20T01"), midnight),
    ] {
        let kept = read_text("a.json", &text);
        let real = kept
            .calls
            .values()
            .filter(|call| call.tokens.total() > 0)
            .map(|call| call.at)
            .max();
        assert_eq!(real, Some(expected), "{text}");
    }
    // Where it was recorded at midnight it stays; where that was before ten it goes there.
    let mut kept = Kept::default();
    by_day(&[paged(&[hours(0, 9, 1)])], &mut kept);
    by_day(&[paged(&[hours(0, 24, 2)])], &mut kept);
    let whole = kept
        .calls
        .values()
        .find(|call| call.tokens.total() > 0)
        .copied()
        .unwrap();
    assert_eq!((whole.at, whole.sidechain, whole.tokens.total()), (ten, false, 2));
    let before = kept.calls.get_mut(&whole.id).unwrap();
    before.at = midnight;
    by_day(&[paged(&[hours(0, 24, 3)])], &mut kept);
    assert_eq!(
        (at(&kept), kept.calls[&whole.id].at),
        (midnight + chrono::TimeDelta::seconds(1), midnight)
    );
}

#[test]
fn buckets_out_of_their_pages_are_known() {
    let bucket = |page: &str| {
        let inner = page.split_once("\"data\":[").unwrap().1;
        inner[..inner.rfind("]").unwrap()].to_owned()
    };
    for (page, calls, bills) in [
        (paged(&[hours(0, 24, 1)]), 1, 0),
        (openai_costs("1", 0), 0, 1),
        (ANTHROPIC_USAGE.to_owned(), 1, 0),
        (ANTHROPIC_COSTS.to_owned(), 0, 1),
    ] {
        let of_page = read_text("a.json", &page);
        for text in [
            bucket(&page),
            format!("[{}]", bucket(&page)),
            format!("[\n{}\n]", bucket(&page)),
        ] {
            let kept = read_text("a.json", &text);
            assert_eq!((kept.calls.len(), kept.bills.len()), (calls, bills), "{text}");
            assert!(kept.calls.keys().all(|id| of_page.calls.contains_key(id)), "{text}");
        }
    }
}

fn openai(results: &str) -> Kept {
    let page = format!(
        r#"{{"object":"page","data":[{{"object":"bucket","start_time":1792454400,"end_time":1792540800,"results":[{results}]}}],"has_more":false,"next_page":null}}"#
    );
    read_text("a.json", page)
}

#[test]
fn searches_are_known_by_the_names_of_their_results_and_other_tokens_count() {
    let search = |kind: &str, count: u64, key: &str| {
        format!(r#"{{"object":"organization.usage.{kind}.result","num_requests":{count},"model":"gpt-4o",{key}}}"#)
    };
    let decisions = r#"{"object":"organization.usage.decisions.result","input_tokens":100000,"output_tokens":500,"model":"gpt-5-2025-08-07"}"#;
    let kept = openai(
        &[
            search("web_searches", 3, r#""context_level":"low""#),
            search("web_searches", 7, r#""context_level":"high""#),
            search("file_searches", 5, r#""vector_store_id":"vs_1""#),
            search("file_searches", 6, r#""vector_store_id":"vs_2""#),
            decisions.to_owned(),
        ]
        .join(","),
    );
    let requests = kept.calls.values().fold((0, 0), |(web, file), call| {
        (web + call.requests.web_searches, file + call.requests.file_searches)
    });
    assert_eq!((kept.calls.len(), requests), (5, (10, 11)));
    assert_eq!((kept.totals()[0], kept.totals()[4]), (100_000, 500));
    assert!(kept.warnings.is_empty() && kept.excluded.is_empty());
    // Where a model has prices of its own for decisions they count.
    let tiers = [r#""service_tier":"default""#, r#""batch":true"#, r#""x":1"#].map(|tier| {
        let luna = decisions.replace("gpt-5-2025-08-07", "gpt-6-luna");
        let kept = openai(&luna.replace(r#""output_tokens""#, &format!(r#"{tier},"output_tokens""#)));
        kept.only().tier().as_str().to_owned()
    });
    assert_eq!(tiers, ["decisions", "batch", "decisions"]);

    // What is grouped by something new is not lost in silence.
    let row =
        r#"{"object":"organization.usage.completions.result","input_tokens":1,"model":"m","data_residency":"eu"}"#;
    let kept = openai(&[row.to_owned(), row.replace("eu", "us")].join(","));
    assert!(
        kept.warnings
            .keys()
            .any(|about| about.contains("say the same of themselves")),
        "{:?}",
        kept.warnings
    );

    let contrary = r#"{"object":"organization.usage.completions.result","input_tokens":17232,"input_uncached_tokens":17232,"input_cached_tokens":32768,"output_tokens":1,"model":"gpt-5-2025-08-07"}"#;
    let kept = openai(contrary);
    assert_eq!(kept.totals()[..2], [17_232, 32_768]);
    assert!(
        kept.warnings
            .contains_key("input excludes cached tokens (OpenAI usage)")
    );
}

/// The tokens of a bill, by kind.
#[test]
fn quantities_of_costs_are_in_the_unit_that_is_told() {
    let cost = |item: &str, quantity: &str| {
        format!(
            r#"{{"object":"organization.costs.result","amount":{{"value":1,"currency":"usd"}},"line_item":"{item}",{quantity}}}"#
        )
    };
    for (item, quantity, expected) in [
        (
            "m, input_tokens",
            r#""quantity":4100"#,
            Some((Bucket::InputUncached, 4100)),
        ),
        (
            "m, input_tokens",
            r#""quantity":4100,"quantity_unit":null"#,
            Some((Bucket::InputUncached, 4100)),
        ),
        (
            "m, input_tokens",
            r#""quantity":4100.0,"quantity_unit":"tokens""#,
            Some((Bucket::InputUncached, 4100)),
        ),
        (
            "m, input_tokens",
            r#""quantity":4.1,"quantity_unit":"1000_tokens""#,
            Some((Bucket::InputUncached, 4100)),
        ),
        (
            "m, output_tokens",
            r#""quantity":"4","quantity_unit":"1000_tokens""#,
            Some((Bucket::Output, 4000)),
        ),
        ("m, input_tokens", r#""quantity":4,"quantity_unit":"images""#, None),
        (
            "m, cache_write_tokens",
            r#""quantity":9"#,
            Some((Bucket::CacheWrite30m, 9)),
        ),
        (
            "m, cache_write_12h_tokens",
            r#""quantity":9"#,
            Some((Bucket::CacheWrite12h, 9)),
        ),
        // A unit is enough, and a name of a model tells no kind.
        (
            "m, cached input",
            r#""quantity":9,"quantity_unit":"tokens""#,
            Some((Bucket::CacheRead, 9)),
        ),
        ("m, cached input", r#""quantity":9"#, None),
        (
            "m, cache writes",
            r#""quantity":9,"quantity_unit":"tokens""#,
            Some((Bucket::CacheWrite30m, 9)),
        ),
        (
            "priority | m, output, long context",
            r#""quantity":9,"quantity_unit":"tokens""#,
            Some((Bucket::Output, 9)),
        ),
        (
            "gpt-audio-mini, input",
            r#""quantity":9,"quantity_unit":"tokens""#,
            Some((Bucket::InputUncached, 9)),
        ),
        (
            "gpt-audio-mini audio, input",
            r#""quantity":9,"quantity_unit":"tokens""#,
            Some((Bucket::AudioIn, 9)),
        ),
        (
            "gpt-audio-mini audio, output",
            r#""quantity":9,"quantity_unit":"tokens""#,
            Some((Bucket::AudioOut, 9)),
        ),
        (
            "gpt-image-2 image, output",
            r#""quantity":9,"quantity_unit":"tokens""#,
            Some((Bucket::ImageOut, 9)),
        ),
        (
            "gpt-image-2 image, cached input",
            r#""quantity":9,"quantity_unit":"tokens""#,
            Some((Bucket::CacheRead, 9)),
        ),
        ("whisper-1, audio", r#""quantity":9,"quantity_unit":"seconds""#, None),
    ] {
        let kept = openai(&cost(item, quantity));
        assert_eq!((kept.bills.len(), kept.rejected.len()), (1, 0), "{quantity}");
        let billed = kept.bills[0]
            .rows
            .iter()
            .find(|(key, _)| key.basis == Basis::Billed)
            .unwrap();
        let told: Vec<_> = Bucket::ALL
            .iter()
            .map(|bucket| (*bucket, billed.1.tokens.get(*bucket)))
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(told, Vec::from_iter(expected), "{item} {quantity}");
    }
}

/// What a line item says beside the kind of token is no part of the model's name.
#[test]
fn line_items_tell_model_and_tier() {
    for (item, model, tier) in [
        ("gpt-5-2025-08-07, input_tokens", "gpt-5-2025-08-07", ""),
        (
            "priority | gpt-5.6-sol, output, long context",
            "gpt-5.6-sol",
            "priority",
        ),
        (
            "gpt-audio-mini-2025-12-15 audio, input",
            "gpt-audio-mini-2025-12-15",
            "",
        ),
        (
            "gpt-image-2.5-sunburst text, cached input",
            "gpt-image-2.5-sunburst",
            "",
        ),
        ("ft-gpt-4o-2024-08-06, input", "ft:gpt-4o-2024-08-06", ""),
        ("whisper-1, audio", "whisper-1", ""),
        ("web search tool calls", "", ""),
    ] {
        let kept = openai(&format!(
            r#"{{"object":"organization.costs.result","amount":{{"value":1,"currency":"usd"}},"line_item":"{item}"}}"#
        ));
        let (key, _) = kept.bills[0].rows.iter().next().unwrap();
        let told = [Dimension::Model, Dimension::Tier].map(|dimension| key.dimensions.get(dimension).as_str());
        assert_eq!(told, [model, tier], "{item}");
    }
}

/// The analytics of usage have what a row is grouped by, and its counts, in objects of their own; those of costs tell no bucket.
#[test]
fn rows_of_the_analytics_of_usage_count_and_those_of_costs_say_what_to_ask_for() {
    let row = |group: &str, usage: &str| {
        format!(
            r#"{{"starting_at":"2026-10-20T00:00:00Z","ending_at":"2026-10-21T00:00:00Z","group":{{"model":"claude-sonnet-4-6",{group}}},"usage":{{"uncached_input_tokens":{usage},"cache_creation":{{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":3}},"cache_read_input_tokens":2,"output_tokens":1,"total_tokens":9,"server_tool_use":{{"web_search_requests":4}},"requests":3}}}}"#
        )
    };
    let batch = row(r#""actor":null,"service_tier":"batch","product":"chat""#, "100");
    let person = row(
        r#""service_tier":"standard","actor":{"type":"user_actor","user_id":"u","email_address":"e"}"#,
        "50",
    );
    let machine = row(
        r#""service_tier":"standard","actor":{"type":"service_account_actor","service_account_id":"s"}"#,
        "20",
    );
    let page = |rows: &[&str]| format!(r#"{{"data":[{}],"has_more":false,"next_page":null}}"#, rows.join(","));
    let rows = [batch.as_str(), &person, &machine];
    let kept = read_text("a.jsonl", [page(&rows), page(&rows)].join("\n"));
    assert_eq!((kept.calls.len(), kept.rejected.len()), (3, 0), "{:?}", kept.rejected);
    assert_eq!(kept.totals(), [170, 6, 0, 9, 3, 0]);
    let mut told: Vec<_> = kept
        .calls
        .values()
        .map(|call| {
            (
                call.tier().as_str(),
                call.dimensions.get(Dimension::User).as_str(),
                call.requests.web_searches,
            )
        })
        .collect();
    told.sort_unstable();
    assert_eq!(told, [("batch", "", 4), ("standard", "e", 4), ("standard", "s", 4)]);
    // Whom the interface may not show has a row of his own, which no identity tells from others.
    let kept = read_text("a.json", page(&[&batch, &batch.replace("100", "200")]));
    assert_eq!((kept.calls.len(), kept.rejected.len()), (1, 1));
    let cost = r#"{"starting_at":"2026-10-20T00:00:00Z","ending_at":"2026-10-21T00:00:00Z","group":{"model":"claude-sonnet-4-6"},"cost":{"amount":"300","list_amount":"300","currency":"USD"}}"#;
    let kept = read_text("a.json", page(&[cost]));
    assert_eq!((kept.calls.len(), kept.bills.len(), kept.rejected.len()), (0, 0, 1));
    assert!(kept.rejected[0].reason.contains("`cost_report`"), "{:?}", kept.rejected);
}

#[test]
fn rows_of_anthropics_analytics_are_told_apart_by_all_that_they_are_grouped_by() {
    let row = |rest: &str| {
        format!(
            r#"{{"uncached_input_tokens":2200,"cache_read_input_tokens":64000,"output_tokens":1800,"model":"claude-sonnet-4-6",{rest}}}"#
        )
    };
    let page = |rows: &[String]| {
        let rows = rows.join(",");
        format!(
            r#"{{"data":[{{"starting_at":"2026-10-20T00:00:00Z","ending_at":"2026-10-21T00:00:00Z","results":[{rows}]}}],"has_more":false,"next_page":null}}"#
        )
    };
    let products = ["chat", "claude_code", "cowork"].map(|name| row(&format!(r#""product":"{name}","requests":3"#)));
    let kept = read_text("a.json", page(&products));
    assert_eq!((kept.calls.len(), kept.totals()), (3, [6600, 192_000, 0, 0, 5400, 0]));
    // Told again with other counts.
    let again = products
        .clone()
        .map(|row| row.replace(r#""requests":3"#, r#""requests":4"#));
    let kept = read_text("a.jsonl", [page(&products.clone()), page(&again)].join("\n"));
    assert_eq!(kept.calls.len(), 3);
    // As databases write numbers: what is told again, with other counts, replaces what was told before.
    let told = |counts: &str| {
        page(&[format!(
            r#"{{"output_tokens":"1000","model":"claude-sonnet-4-6",{counts}}}"#
        )])
    };
    let first =
        r#""uncached_input_tokens":"1000","requests":"3","list_amount":"1.25","read_at":"2026-10-21T01:00:00Z""#;
    let second =
        r#""uncached_input_tokens":"2000","requests":"4","list_amount":"1.5e1","read_at":"2026-10-21T02:00:00Z""#;
    let kept = read_text("a.jsonl", [told(first), told(second)].join("\n"));
    assert_eq!((kept.calls.len(), kept.totals()[0]), (1, 2000));
    let ids = [r#""organization_id":"7""#, r#""organization_id":"8""#].map(told);
    assert_eq!(read_text("a.jsonl", ids.join("\n")).calls.len(), 2);

    let grouped = [row(r#""rbac_group_id":"rbac_group_1""#), row(r#""rbac_group_id":null"#)];
    let kept = read_text("a.json", page(&grouped));
    let fields: Vec<_> = kept.rejected.iter().map(|r| r.field.as_deref()).collect();
    assert_eq!((kept.calls.len(), fields), (1, vec![Some("rbac_group_id")]));

    // By person: the rows are the buckets.
    let person = |user: &str, rest: &str| {
        let times = r#""starting_at":"2026-10-20T00:00:00Z","ending_at":"2026-10-21T00:00:00Z""#;
        row(&format!(
            r#"{times},"actor":{{"type":"user_actor","user_id":"{user}","email_address":"{user}@example.org"}}{rest}"#
        ))
    };
    let rows = [person("a", ""), person("b", r#","product":"chat""#), person("b", "")].join(",");
    let kept = read_text("a.json", format!(r#"{{"data":[{rows}],"has_more":false}}"#));
    assert_eq!((kept.calls.len(), kept.rejected.len()), (3, 0));
    let users = kept
        .calls
        .values()
        .filter(|c| c.dimensions.get(Dimension::User).as_str() == "b@example.org");
    assert_eq!(users.count(), 2);
    let kept = read_text(
        "a.json",
        r#"{"data":[{"starting_at":"2026-10-20T00:00:00Z","lines_of_code":3}]}"#,
    );
    assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 1));
    assert_eq!(kept.rejected[0].field.as_deref(), Some("results"));
}
