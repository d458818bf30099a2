//! Saved answers of providers' administration interfaces.

use finops::domain::dimension::Dimension;
use finops::domain::spend::Basis;
use finops::domain::usage::Bucket;

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
