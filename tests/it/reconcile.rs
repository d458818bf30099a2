//! Bills that metering does not cover, as their user meets them: the comparison, its exit code, the alert and its end.

use std::path::Path;

use crate::support::{err, finops, json, out, program};

const SETTINGS: &str = r#"
[store]
url = "sqlite:ledger.db"

[[source]]
name = "app"
paths = ["usage"]

[[source]]
name = "bill"
paths = ["bills"]

[reconcile]
min_coverage = "95 %"
"#;

/// Two days of one model, of which the second is metered by half and a day is not billed yet; a provider without a bill.
const USAGE: &str = r#"{"id":"a","ts":"2026-11-01T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":1000000,"cost_usd":"3.5"}
{"id":"b","ts":"2026-11-02T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":2000000,"cost_usd":"6"}
{"id":"c","ts":"2026-11-02T11:00:00Z","provider":"openai","model":"gpt-5","input_tokens":1000000,"cost_usd":"1.27"}
{"id":"d","ts":"2026-11-23T11:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":100000}
"#;

/// The other half, and the calls of a model that nobody metered.
const LATE: &str = r#"{"id":"e","ts":"2026-11-02T12:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":2000000}
{"id":"f","ts":"2026-11-03T12:00:00Z","provider":"anthropic","model":"claude-haiku-4-5","input_tokens":3000000}
"#;

fn bill() -> String {
    let mut text = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,\
        ChargeCategory,ProviderName,ServiceName,ConsumedQuantity,ConsumedUnit,SkuMeter,x_Model\n"
        .to_owned();
    for (day, cost, tokens, model) in [
        (1, "3", "1000000", "claude-sonnet-4-6"),
        (2, "12", "4000000", "claude-sonnet-4-6"),
        (3, "3", "3000000", "claude-haiku-4-5"),
    ] {
        text += &format!(
            "{cost},{cost},USD,1,2026-11-01,2026-12-01,2026-11-{day:02}T00:00:00Z,Usage,Anthropic,Claude API,{tokens},Tokens,input tokens,{model}\n"
        );
    }
    text
}

fn home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("finops.toml", SETTINGS);
    write("usage/app.jsonl", USAGE);
    write("bills/november.csv", &bill());
    folder
}

fn set(home: &Path, bound: &str) {
    let settings = SETTINGS.replace("min_coverage = \"95 %\"", bound);
    std::fs::write(home.join("finops.toml"), settings).unwrap();
}

#[test]
fn a_bill_that_metering_does_not_cover_is_found_told_once_and_over_when_it_is() {
    let home = home();
    let home = home.path();
    let check = finops(home, &["config", "check"]);
    assert!(out(&check).contains("app: any format; 1 file\n"), "{}", out(&check));

    let run = finops(home, &["run"]);
    assert_eq!(run.status.code(), Some(0), "{}", err(&run));
    insta::assert_snapshot!(out(&run), @r"
    [warning firing] anthropic: metering has seen 50 % of what is billed for 2026-11
      9.00 USD of 18.00 USD billed was not metered. `finops reconcile --period 2026-11` says on which days, and why.
      Billed               18.00 USD
      Metered              9.30 USD
      Missing calls        3.00 USD
      Token gap            6.00 USD
      Lag, not billed yet  -0.3000 USD
      as of 2026-11-24 12:00 UTC, alert 1e6d8dc9cd5cc4ff
    recorded 4 new calls, $10.55, from 7 lines in 2 files; 1 bill
    this month: $10.55 metered
    alerts: 1 active, 1 changed; messages: 1 delivered, 0 waiting
    ");
    assert!(!out(&finops(home, &["run"])).contains("metering"), "told once");

    let month = ["reconcile", "--period", "2026-11"];
    let found = finops(home, &month);
    assert_eq!(found.status.code(), Some(1));
    insta::assert_snapshot!(out(&found), @r"
    bill against meter, 2026-11-01 to 2026-11-30 (UTC), USD

    provider   metered  reported  billed  missing_calls  token_gap  price_gap  discount_credit  lag      coverage   billed_to
    anthropic     9.30      9.50   18.00           3.00       6.00                              -0.3000  50 %      2026-11-03
    openai        1.25      1.27                                                                -1.25    -
    total        10.55     10.77   18.00           3.00       6.00                              -1.55    50 %

           day  provider   model              calls  metered  reported  billed  missing_calls  token_gap  price_gap  discount_credit  lag
    2026-11-02  anthropic  claude-sonnet-4-6      1     6.00      6.00   12.00                      6.00
    2026-11-03  anthropic  claude-haiku-4-5       0                       3.00           3.00

    billed less metered: $7.45. Metering has seen 50 % of what is billed.
    calls with a cost of their own: 3, $10.77 in all where $10.25 was computed
    openai has no bill in this time: all its $1.25 count as lag
    ");
    insta::assert_snapshot!(
        err(&found),
        @"finding: anthropic: metering has seen 50 % of what is billed, less than the 95 % of `[reconcile] min_coverage`"
    );
    let document = json(&finops(home, &[&month[..], &["--format", "json"]].concat()));
    assert_eq!(document["min_coverage_percent"], "95");
    assert_eq!(document["providers"]["anthropic"]["coverage_percent"], "50");
    assert_eq!(document["providers"]["anthropic"]["reported_usd"], "9.5");

    // The alert keeps the figures that it told.
    let alerts = json(&finops(home, &["alert", "list", "--format", "json"]));
    let id = alerts["alerts"][0]["id"].as_str().unwrap();
    let shown = out(&finops(home, &["alert", "show", id]));
    for figure in [
        "Billed: 18.00 USD",
        "Missing calls: 3.00 USD",
        "Token gap: 6.00 USD",
        "the condition holds",
    ] {
        assert!(shown.contains(figure), "{shown}");
    }

    std::fs::write(home.join("usage/late.jsonl"), LATE).unwrap();
    let run = out(&finops(home, &["run"]));
    assert!(run.contains("[info resolved] coverage anthropic"), "{run}");
    let covered = finops(home, &month);
    assert_eq!((covered.status.code(), err(&covered)), (Some(0), String::new()));
    assert!(out(&covered).contains("Metering has seen 100 % of what is billed"));
}

#[test]
fn a_bound_holds_for_the_comparison_as_it_does_for_the_alert() {
    let home = home();
    let home = home.path();
    set(home, "min_coverage = \"95 %\"\nabove = \"100\"");
    let run = out(&finops(home, &["run"]));
    assert!(!run.contains("firing"), "{run}");
    let small = finops(home, &["reconcile"]);
    assert_eq!(
        (small.status.code(), err(&small)),
        (Some(0), String::new()),
        "a small bill"
    );

    let reconcile = |args: &[&str]| {
        let output = finops(home, &[&["reconcile"], args].concat());
        (output.status.code().unwrap(), err(&output))
    };
    // What is asked for by hand holds for bills of every size.
    let (code, said) = reconcile(&["--min-coverage", "95 %"]);
    assert_eq!(code, 1);
    assert_eq!(
        said,
        "finding: anthropic: metering has seen 50 % of what is billed, less than the 95 % of `--min-coverage`\n"
    );
    // One of the providers is not billed at all: of the other it can be told.
    let (code, said) = reconcile(&["--min-coverage", "50"]);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.starts_with("error: nothing is billed of openai in that time: "),
        "{said}"
    );
    assert_eq!(reconcile(&["--min-coverage", "50", "--provider", "anthropic"]).0, 0);
    for wrong in ["950", "-1", "most"] {
        let (code, said) = reconcile(&["--min-coverage", wrong]);
        assert!(code == 2 && said.contains(wrong), "{said}");
    }
    // Where nothing is billed nothing is known, and what is not known passes no check.
    for nothing in [
        &["--period", "2026-10"][..],
        &["--provider", "openai"],
        &["--provider", "nobody"],
    ] {
        let (code, said) = reconcile(&[nothing, &["--min-coverage", "95"]].concat());
        assert_eq!(code, 3, "{said}");
        assert!(said.starts_with("error: nothing is billed in that time: "), "{said}");
        assert_eq!(reconcile(nothing).0, 0, "who does not ask is not told");
    }
    let nobody = out(&finops(home, &["reconcile", "--provider", "nobody"]));
    assert!(
        nobody.contains("nothing of `nobody` is metered or billed in that time"),
        "{nobody}"
    );
}

#[test]
fn taxes_credits_and_other_currencies_do_not_say_how_far_use_is_billed() {
    let home = home();
    let home = home.path();
    let row = |cost: &str, currency: &str, day: u32, category: &str| {
        format!(
            "{cost},{cost},{currency},1,2026-11-01,2026-12-01,2026-11-{day:02}T00:00:00Z,{category},Anthropic,Claude API,,,,claude-sonnet-4-6\n"
        )
    };
    let more = row("1.5", "USD", 22, "Tax") + &row("-0.5", "USD", 21, "Credit") + &row("9", "EUR", 20, "Usage");
    std::fs::write(home.join("bills/november.csv"), bill() + &more).unwrap();
    finops(home, &["run"]);
    let found = json(&finops(home, &["reconcile", "--period", "2026-11", "--format", "json"]));
    assert_eq!(
        found["providers"]["anthropic"]["billed_through"],
        "2026-11-03T00:00:00Z"
    );
    assert_eq!(found["providers"]["anthropic"]["gap"]["token_gap_usd"], "6");
    assert_eq!(found["other_currencies"], serde_json::json!(["EUR"]));
    let told = out(&finops(home, &["reconcile", "--period", "2026-11"]));
    assert!(told.contains("bills in EUR are not compared"), "{told}");
    // Of one provider that is said whose bill it is, also where nothing else is known of it.
    let other = row("9", "EUR", 20, "Usage").replace("Anthropic,Claude API", "Mistral,API");
    std::fs::write(home.join("bills/november.csv"), bill() + &other).unwrap();
    finops(home, &["run"]);
    let of = |provider: &str| {
        out(&finops(
            home,
            &["reconcile", "--period", "2026-11", "--provider", provider],
        ))
    };
    let (mistral, anthropic) = (of("mistral"), of("anthropic"));
    assert!(
        mistral.contains(
            "nothing of `mistral` is metered or billed in dollars in that time\nbills in EUR are not compared"
        ),
        "{mistral}"
    );
    assert!(!anthropic.contains("EUR"), "{anthropic}");
}

/// What a bill takes back hides no calls that nobody metered, and is none of them.
#[test]
fn a_refund_hides_no_calls() {
    let million = "\"input_tokens\":1000000";
    let usage = call("a", "openai", "gpt-4o", million);
    let row = |cost, day| (cost, day, "OpenAI", "API", "", "", "");
    let mut rows = vec![row("2.5", 10), row("2.5", 11), row("5", 12)];
    let found = compared("", &usage, &rows, "2026-11");
    assert_eq!(said(&found), ["25", "7.5", "0", "0", "0", "0"], "{found:#}");
    rows.push(row("-9", 12));
    let found = compared("", &usage, &rows, "2026-11");
    assert_eq!(said(&found), ["50", "2.5", "0", "0", "-4", "0"], "{found:#}");
    assert_eq!(
        (&found["total"]["billed_usd"], &found["total"]["charged_usd"]),
        (&"1".into(), &"5".into())
    );
    // A refund of less than the day lowers what the day is billed at.
    let found = compared("", &usage, &[row("2.5", 10), row("2.5", 11), row("-1", 11)], "2026-11");
    assert_eq!(said(&found), ["62.5", "1.5", "0", "0", "0", "0"], "{found:#}");
}

/// What the comparison of November says of one provider.
fn compared(
    settings: &str,
    usage: &str,
    rows: &[(&str, u32, &str, &str, &str, &str, &str)],
    period: &str,
) -> serde_json::Value {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let mut bill = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,\
        ChargePeriodEnd,ChargeCategory,ProviderName,ServiceName,ConsumedQuantity,ConsumedUnit,SkuMeter,x_Model\n"
        .to_owned();
    for (cost, day, provider, service, model, tokens, meter) in rows {
        let unit = if tokens.is_empty() { "" } else { "Tokens" };
        bill += &format!(
            "{cost},{cost},USD,1,2026-11-01,2026-12-01,2026-11-{day:02}T00:00:00Z,2026-11-{:02}T00:00:00Z,Usage,{provider},{service},{tokens},{unit},{meter},{model}\n",
            day + 1
        );
    }
    std::fs::write(
        home.join("finops.toml"),
        format!("[store]\nurl = \"sqlite:ledger.db\"\n{settings}"),
    )
    .unwrap();
    std::fs::write(home.join("usage.jsonl"), usage).unwrap();
    std::fs::write(home.join("bill.csv"), bill).unwrap();
    let recorded = finops(home, &["record", "usage.jsonl", "bill.csv"]);
    assert!(recorded.status.success(), "{}", err(&recorded));
    let december = ["--now", "2026-12-02T12:00:00Z"];
    let asked = ["reconcile", "--period", period, "--format", "json"];
    json(&program(home).args(december).args(asked).output().unwrap())
}

fn call(id: &str, provider: &str, model: &str, more: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"ts\":\"2026-11-10T10:00:00Z\",\"provider\":\"{provider}\",\"model\":\"{model}\",{more}}}\n"
    )
}

/// Coverage, missing calls, token gap, price gap, discount and lag of the whole.
fn said(document: &serde_json::Value) -> [String; 6] {
    let total = &document["total"];
    let gap = |part: &str| total["gap"][format!("{part}_usd")].as_str().unwrap().to_owned();
    [
        total["coverage_percent"].as_str().unwrap_or("-").to_owned(),
        gap("missing_calls"),
        gap("token_gap"),
        gap("price_gap"),
        gap("discount_credit"),
        gap("lag"),
    ]
}

#[test]
fn the_sides_meet_by_model_whatever_each_calls_it_and_fees_stand_apart() {
    let million = "\"input_tokens\":1000000";
    let map = |account: &str, model: &str| {
        format!("[[price_map]]\nprovider = \"azure\"\nname = \"chat\"\naccount = \"{account}\"\nmodel = \"{model}\"\n")
    };
    let accounts = map("subA", "gpt-4o") + &map("subB", "gpt-4o-mini");
    let bedrock = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    for (what, settings, usage, rows) in [
        (
            "a snapshot of the family",
            "",
            call("a", "openai", "gpt-4o", million),
            vec![(
                "2.5",
                10,
                "OpenAI",
                "API",
                "gpt-4o-2024-08-06",
                "1000000",
                "input tokens",
            )],
        ),
        (
            "the edition on a bill of a cloud",
            "",
            call("a", "bedrock", bedrock, "\"input_tokens\":100000"),
            vec![(
                "0.33",
                10,
                "AWS",
                "Amazon Bedrock",
                "claude-sonnet-4-5",
                "100000",
                "input tokens",
            )],
        ),
        (
            "a name of one's own",
            "[[price_map]]\nname = \"search\"\nprovider = \"openai\"\nmodel = \"gpt-4o\"\n",
            call("a", "openai", "search", million),
            vec![(
                "2.5",
                10,
                "OpenAI",
                "API",
                "gpt-4o-2024-08-06",
                "1000000",
                "input tokens",
            )],
        ),
        (
            "a deployment of two accounts that means two models",
            &accounts,
            call("a", "azure", "chat", "\"input_tokens\":1000000,\"account\":\"subA\"")
                + &call("b", "azure", "chat", "\"input_tokens\":1000000,\"account\":\"subB\""),
            vec![
                (
                    "2.5",
                    10,
                    "Microsoft",
                    "Azure OpenAI",
                    "gpt-4o",
                    "1000000",
                    "input tokens",
                ),
                (
                    "0.15",
                    10,
                    "Microsoft",
                    "Azure OpenAI",
                    "gpt-4o-mini",
                    "1000000",
                    "input tokens",
                ),
            ],
        ),
        (
            "the same on a bill that says `chat`, too, of an account in other words",
            &accounts,
            call("a", "azure", "chat", "\"input_tokens\":1000000,\"account\":\"subA\"")
                + &call("b", "azure", "chat", "\"input_tokens\":1000000,\"account\":\"subB\""),
            vec![(
                "2.65",
                10,
                "Microsoft",
                "Azure OpenAI",
                "chat",
                "2000000",
                "input tokens",
            )],
        ),
        (
            "searches in a row of their own",
            "",
            call(
                "a",
                "anthropic",
                "claude-sonnet-4-6",
                "\"input_tokens\":100000,\"web_searches\":100",
            ),
            vec![
                (
                    "0.3",
                    10,
                    "Anthropic",
                    "API",
                    "claude-sonnet-4-6",
                    "100000",
                    "input tokens",
                ),
                ("1", 10, "Anthropic", "API", "", "", ""),
            ],
        ),
        (
            "a model that no row names, beside searches and a row that names one",
            "",
            call(
                "a",
                "anthropic",
                "claude-sonnet-4-6",
                "\"input_tokens\":100000,\"web_searches\":100",
            ) + &call(
                "b",
                "anthropic",
                "claude-haiku-4-5",
                "\"input_tokens\":1000000,\"web_searches\":100",
            ),
            vec![
                (
                    "0.3",
                    10,
                    "Anthropic",
                    "API",
                    "claude-sonnet-4-6",
                    "100000",
                    "input tokens",
                ),
                ("1", 10, "Anthropic", "API", "", "1000000", "input tokens"),
                ("2", 10, "Anthropic", "API", "", "", ""),
            ],
        ),
        (
            "no model on that day, models on others",
            "",
            call("a", "openai", "gpt-4o", million),
            vec![
                ("2.5", 10, "OpenAI", "API", "", "", ""),
                ("0", 11, "OpenAI", "API", "gpt-4o", "", ""),
            ],
        ),
        (
            "a service beside the models",
            "",
            call("a", "bedrock", bedrock, "\"input_tokens\":100000"),
            vec![
                (
                    "0.33",
                    10,
                    "AWS",
                    "Amazon Bedrock",
                    "claude-sonnet-4-5",
                    "100000",
                    "input tokens",
                ),
                ("500", 10, "AWS", "Amazon SageMaker", "", "", ""),
            ],
        ),
    ] {
        let found = compared(settings, &usage, &rows, "2026-11");
        assert_eq!(said(&found), ["100", "0", "0", "0", "0", "0"], "{what}: {found:#}");
    }
    // Two members of a family that both sides tell apart are compared one by one.
    let usage = call("a", "openai", "gpt-4o", million) + &call("b", "openai", "gpt-4o-2024-05-13", million);
    let rows = [
        ("2.5", 10, "OpenAI", "API", "gpt-4o", "1000000", "input tokens"),
        ("5", 10, "OpenAI", "API", "gpt-4o-2024-05-13", "1000000", "input tokens"),
    ];
    assert_eq!(
        compared("", &usage, &rows, "2026-11")["cells"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Where both sides name a snapshot, another one was called by nobody; a name without a date may be of any.
    let bill = |names: [&'static str; 2]| {
        [("2.5", names[0]), ("5", names[1])]
            .map(|(cost, name)| (cost, 10, "OpenAI", "API", name, "1000000", "input tokens"))
    };
    let dated = call("a", "openai", "gpt-4o-2024-08-06", million);
    let two = call("b", "openai", "gpt-4o-2024-11-20", million);
    for (what, usage, names, expected) in [
        (
            "not called",
            &dated,
            ["gpt-4o-2024-08-06", "gpt-4o-2024-05-13"],
            ["33.3", "5", "0", "0", "0", "0"],
        ),
        (
            "all by the family's name",
            &(dated.clone() + &two),
            ["gpt-4o", "gpt-4o"],
            ["100", "0", "0", "2.5", "0", "0"],
        ),
        (
            "one by it",
            &(dated.clone() + &two),
            ["gpt-4o-2024-08-06", "gpt-4o"],
            ["100", "0", "0", "2.5", "0", "0"],
        ),
        (
            "another one",
            &dated,
            ["gpt-4o-2024-11-20", "gpt-4o-2024-11-20"],
            ["50", "0", "2.5", "2.5", "0", "0"],
        ),
    ] {
        let found = compared("", usage, &bill(names), "2026-11");
        assert_eq!(said(&found), expected, "{what}: {found:#}");
    }
}

#[test]
fn a_gap_is_put_down_to_its_cause_at_the_price_that_was_paid() {
    let million = "\"input_tokens\":1000000";
    let edp = "[[contract]]\nname = \"edp\"\nprovider = \"openai\"\ndiscount = \"20 %\"\n";
    for (what, settings, more, bill, expected) in [
        // Coverage is of tokens where the bill counts them: half are missing, whatever they cost.
        (
            "half, at half the price",
            "",
            million,
            vec![("2.5", "2000000", "input tokens")],
            ["50", "0", "2.5", "-2.5", "0", "0"],
        ),
        (
            "all, at another price",
            "",
            million,
            vec![("2.75", "1000000", "input tokens")],
            ["100", "0", "0", "0.25", "0", "0"],
        ),
        (
            "half of a batch",
            "",
            "\"service_tier\":\"batch\",\"input_tokens\":1000000",
            vec![("2.5", "2000000", "input tokens")],
            ["50", "0", "1.25", "0", "0", "0"],
        ),
        (
            "half, by contract",
            edp,
            million,
            vec![("4", "2000000", "input tokens")],
            ["50", "0", "2", "0", "-0.5", "0"],
        ),
        (
            "a kind in words that nobody knows",
            "",
            "\"input_tokens\":1000000,\"output_tokens\":1000000",
            vec![("2.5", "1000000", "input tokens"), ("10", "1000000", "unheard of")],
            ["100", "0", "0", "0", "0", "0"],
        ),
        (
            "a kind that was not billed",
            "",
            "\"input_tokens\":1000000,\"output_tokens\":1000000",
            vec![("2.5", "1000000", "input tokens")],
            ["100", "0", "-10", "0", "0", "0"],
        ),
        (
            "cache reads that nobody metered",
            "",
            "\"input_tokens\":1000000,\"output_tokens\":100000",
            vec![
                ("2.5", "1000000", "input tokens"),
                ("1", "100000", "output tokens"),
                ("1.5", "1200000", "cache read tokens"),
            ],
            ["70", "0", "1.5", "0", "0", "0"],
        ),
        (
            "half, by contract, with a search",
            edp,
            "\"input_tokens\":1000000,\"web_searches\":1",
            vec![("4", "2000000", "input tokens"), ("0.008", "", "web searches")],
            ["50", "0", "2", "0", "-0.502", "0"],
        ),
        (
            "half, by contract, with a call that has no price",
            edp,
            "\"input_tokens\":1000000}\n{\"id\":\"u\",\"ts\":\"2026-11-10T11:00:00Z\",\"provider\":\"openai\",\"model\":\"gpt-4o\",\"audio_in_tokens\":1",
            vec![("4", "2000000", "input tokens")],
            ["50", "0", "2", "0", "-0.5", "0"],
        ),
    ] {
        // A bill of one model says the same whether it names it or not.
        for model in ["gpt-4o", ""] {
            let rows: Vec<_> = bill
                .iter()
                .map(|(cost, tokens, meter)| (*cost, 10, "OpenAI", "API", model, *tokens, *meter))
                .collect();
            let found = compared(settings, &call("a", "openai", "gpt-4o", more), &rows, "2026-11");
            assert_eq!(said(&found), expected, "{what}, `{model}`: {found:#}");
        }
    }
    // Of several models at their mean: a bill of all their tokens has no gap, whatever each costs.
    let of = |tokens: &str| format!("\"input_tokens\":{tokens}");
    let usage = call("a", "openai", "gpt-4o", &of("1000000")) + &call("b", "openai", "gpt-4o-mini", &of("3000000"));
    let row = |cost, tokens| [(cost, 10, "OpenAI", "API", "", tokens, "input tokens")];
    for (rows, expected) in [
        (row("2.95", "4000000"), ["100", "0", "0", "0", "0", "0"]),
        (row("5.9", "8000000"), ["50", "0", "2.95", "0", "0", "0"]),
    ] {
        let found = compared("", &usage, &rows, "2026-11");
        assert_eq!(said(&found), expected, "{found:#}");
    }
}

#[test]
fn a_day_says_what_its_month_says_and_a_part_of_a_billed_month_nothing() {
    let usage = call("a", "openai", "gpt-4o", "\"input_tokens\":1000000");
    // A row of the day before says that the bill had begun.
    let row = |cost, day, tokens| (cost, day, "OpenAI", "API", "gpt-4o", tokens, "input tokens");
    let later = [row("0", 9, ""), row("2", 11, "800000")];
    let parts = ["-", "0", "-2.5", "0", "0", "0"];
    assert_eq!(said(&compared("", &usage, &later, "2026-11-10")), parts);
    let month = compared("", &usage, &later, "2026-11");
    let day = &month["cells"][1];
    assert_eq!(
        (&day["day"], &day["gap"]["token_gap_usd"]),
        (&"2026-11-10T00:00:00Z".into(), &"-2.5".into())
    );

    let monthly = [("2.5", 1, "OpenAI", "API", "gpt-4o", "1000000", "input tokens")];
    assert_eq!(
        said(&compared("", &usage, &monthly, "2026-11")),
        ["100", "0", "0", "0", "0", "0"]
    );
    let part = compared("", &usage, &monthly, "2026-11-10");
    assert_eq!(
        (&part["cells"], &part["by_month"]),
        (&serde_json::json!([]), &serde_json::json!(["openai"]))
    );
}

/// A batch of each week that is billed by the day has rows a week apart, and so have the days on which it was not metered.
#[test]
fn rows_of_a_weekday_on_which_alone_something_is_used_are_of_that_day() {
    let day = |day: u32, more: u32| {
        call(&format!("{day}-{more}"), "openai", "gpt-4o", "\"input_tokens\":1000000")
            .replace("11-10T10", &format!("11-{:02}T10", day + more))
    };
    let rows = [5, 12, 19, 26].map(|day| ("2.5", day, "OpenAI", "API", "gpt-4o", "", ""));
    let of = |usage: String| {
        let found = compared("", &usage, &rows, "2026-11");
        (
            found["providers"]["openai"]["coverage_percent"].clone(),
            found["by_month"].clone(),
        )
    };
    let days: String = [5, 12, 19].map(|at| day(at, 0)).concat();
    assert_eq!(of(days), ("75".into(), serde_json::json!([])));
    // Rows of weeks: the last reaches into December.
    let weeks: String = [5, 12, 19, 26].map(|at| day(at, 1)).concat();
    assert_eq!(of(weeks), ("100".into(), serde_json::json!(["openai"])));
}

/// While a month goes on its row is of all of it so far, if the month before had one row too; a bill by days has no other row on the first.
#[test]
fn the_row_of_a_month_that_goes_on_is_compared_when_it_is_over() {
    let home = home();
    let home = home.path();
    let call = |month: u32, day: u32| {
        format!(
            "{{\"id\":\"{month}-{day}\",\"ts\":\"2026-{month:02}-{day:02}T10:00:00Z\",\"provider\":\"anthropic\",\"model\":\"claude-sonnet-4-6\",\"output_tokens\":1000000}}\n"
        )
    };
    let calls = (1..=31)
        .map(|day| call(10, day))
        .chain((1..=16).map(|day| call(11, day)));
    std::fs::write(home.join("m.jsonl"), calls.collect::<String>()).unwrap();
    let compared = |rows: &[(u32, u32, u32)]| {
        let row = |(month, day, cost): &(u32, u32, u32)| {
            let start = format!("2026-{month:02}-{day:02}T00:00:00Z");
            format!(
                "{cost},{cost},USD,1,2026-{month:02}-01,2026-{:02}-01,{start},Usage,Anthropic,Claude API\n",
                month + 1
            )
        };
        let header = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargeCategory,ProviderName,ServiceName\n";
        std::fs::write(
            home.join("m.csv"),
            format!("{header}{}", rows.iter().map(row).collect::<String>()),
        )
        .unwrap();
        let store = format!("sqlite:{}.db", rows.len());
        let run = |now: &str, args: &[&str]| {
            program(home)
                .args(["--store", &store, "--now", now])
                .args(args)
                .output()
                .unwrap()
        };
        assert!(
            run("2026-11-16T12:00:00Z", &["record", "m.jsonl", "m.csv"])
                .status
                .success()
        );
        json(&run(
            "2026-11-16T12:00:00Z",
            &["reconcile", "--period", "2026-11", "--format", "json"],
        ))
    };
    let months = compared(&[(10, 1, 465), (11, 1, 225)]);
    assert_eq!(
        (&months["cells"], &months["by_month"]),
        (&serde_json::json!([]), &serde_json::json!(["anthropic"]))
    );
    // Of weeks the rows stand beside all of their days, the last so far as it has come.
    let weeks = compared(&[(10, 26, 105), (11, 2, 105), (11, 9, 105), (11, 16, 8)]);
    assert_eq!(weeks["providers"]["anthropic"]["coverage_percent"], "100", "{weeks}");
    assert_eq!(
        weeks["cells"].as_array().unwrap().len(),
        3,
        "two weeks and the third; the first is of a week before: {weeks}"
    );
    // A week that reaches into the next month is of neither.
    let weeks = compared(&[(10, 12, 105), (10, 19, 105), (10, 26, 105), (11, 2, 105), (11, 9, 105)]);
    assert_eq!(weeks["providers"]["anthropic"]["coverage_percent"], "100", "{weeks}");
    let october = json(
        &program(home)
            .args(["--store", "sqlite:5.db", "--now", "2026-11-16T12:00:00Z"])
            .args(["reconcile", "--period", "2026-10", "--format", "json"])
            .output()
            .unwrap(),
    );
    assert_eq!(
        october["providers"]["anthropic"]["coverage_percent"], "100",
        "{october}"
    );
    assert_eq!(october["by_month"], serde_json::json!(["anthropic"]));
    // Where it is split between them, each has its part.
    let weeks = compared(&[
        (10, 12, 105),
        (10, 19, 105),
        (10, 26, 90),
        (11, 1, 15),
        (11, 2, 105),
        (11, 9, 105),
    ]);
    assert_eq!(weeks["providers"]["anthropic"]["coverage_percent"], "100", "{weeks}");
    assert_eq!(weeks["providers"]["anthropic"]["billed_usd"], "225", "{weeks}");
    assert_eq!(weeks["by_month"], serde_json::json!([]));
    let days = compared(&[(10, 1, 15), (10, 2, 15), (11, 1, 15)]);
    assert_eq!(days["by_month"], serde_json::json!([]));
    assert_eq!(days["providers"]["anthropic"]["coverage_percent"], "100", "{days}");
    let first = compared(&[(11, 1, 15)]);
    assert_eq!(
        first["by_month"],
        serde_json::json!([]),
        "the first day of a first bill"
    );
}

/// Of $10 a day from September on: coverage, lines, the gap but for lag, the lag and how far is billed, asked on 20 November.
fn by_days(rows: &[(&str, i64, &str)], period: &str) -> (String, usize, String, String, String, serde_json::Value) {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let first = chrono::NaiveDate::from_ymd_opt(2026, 9, 1).unwrap();
    let call = |day: chrono::NaiveDate| {
        format!(
            "{{\"id\":\"{day}\",\"ts\":\"{day}T10:00:00Z\",\"provider\":\"openai\",\"model\":\"gpt-4o\",\"input_tokens\":4000000}}\n"
        )
    };
    std::fs::write(
        home.join("u.jsonl"),
        first.iter_days().take(80).map(call).collect::<String>(),
    )
    .unwrap();
    let mut bill = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargeCategory,ProviderName,ServiceName\n".to_owned();
    for (start, count, cost) in rows {
        let start: chrono::NaiveDate = start.parse().unwrap();
        for day in start.iter_days().take(usize::try_from(*count).unwrap()) {
            let month = day.format("%Y-%m-01");
            bill += &format!("{cost},{cost},USD,1,{month},{month},{day}T00:00:00Z,Usage,OpenAI,API\n");
        }
    }
    std::fs::write(home.join("b.csv"), bill).unwrap();
    std::fs::write(home.join("finops.toml"), "[store]\nurl = \"sqlite:l.db\"\n").unwrap();
    let now = |args: &[&str]| {
        let args = [&["--now", "2026-11-20T00:00:00Z"], args].concat();
        program(home).args(args).output().unwrap()
    };
    let recorded = now(&["record", "u.jsonl", "b.csv"]);
    assert!(recorded.status.success(), "{}", err(&recorded));
    let found = json(&now(&["reconcile", "--period", period, "--format", "json"]));
    let [coverage, missing, tokens, price, discount, lag] = said(&found);
    let gap = [missing, tokens, price, discount].join(" ");
    let cells = found["cells"].as_array().unwrap().len();
    let through = found["providers"]["openai"]["billed_through"].as_str().unwrap_or("-");
    (
        coverage,
        cells,
        gap,
        lag,
        through.get(..10).unwrap_or("-").to_owned(),
        found["by_month"].clone(),
    )
}

/// A row on another day than the others is a correction, or the first of those that come by the day from then on.
#[test]
fn a_bill_by_months_or_weeks_is_none_by_days_because_of_a_later_row() {
    let (september, october) = (("2026-09-01", 1, "300"), ("2026-10-01", 1, "310"));
    let mondays: Vec<String> = (0..10)
        .map(|week| (chrono::NaiveDate::from_ymd_opt(2026, 8, 31).unwrap() + chrono::Days::new(7 * week)).to_string())
        .collect();
    let weeks = |more| {
        let weeks = mondays.iter().map(|day| (day.as_str(), 1, "70"));
        weeks.chain(more).collect::<Vec<_>>()
    };
    let none = "0 0 0 0";
    for (what, rows, period, expected) in [
        (
            "as it is",
            vec![september, october],
            "2026-10",
            ("100", 1, none, "0", "2026-10-31"),
        ),
        (
            "a refund",
            vec![september, october, ("2026-11-15", 1, "-1")],
            "2026-10",
            ("100", 1, none, "0", "2026-10-31"),
        ),
        (
            "use",
            vec![september, october, ("2026-11-15", 1, "1")],
            "2026-09",
            ("100", 1, none, "0", "2026-09-30"),
        ),
        (
            "by days since then",
            vec![september, october, ("2026-11-01", 19, "10")],
            "2026-10",
            ("100", 1, none, "0", "2026-10-31"),
        ),
        (
            "and those days",
            vec![september, october, ("2026-11-01", 19, "10")],
            "2026-11",
            ("100", 19, none, "0", "2026-11-19"),
        ),
        (
            "by days before",
            vec![("2026-09-01", 30, "10"), october],
            "2026-10",
            ("100", 1, none, "0", "2026-10-31"),
        ),
        (
            "in the month",
            vec![september, october, ("2026-10-15", 1, "1")],
            "2026-10",
            ("99.7", 1, "0 0 1 0", "0", "2026-10-31"),
        ),
        (
            "a refund in it",
            vec![september, october, ("2026-10-15", 1, "-1")],
            "2026-10",
            ("100", 1, "0 0 -1 0", "0", "2026-10-31"),
        ),
        ("weeks", weeks(vec![]), "2026-10", ("100", 3, none, "0", "2026-10-31")),
        (
            "weeks, a refund",
            weeks(vec![("2026-10-14", 1, "-1")]),
            "2026-10",
            ("100", 3, "0 0 -1 0", "0", "2026-10-31"),
        ),
        (
            "weeks, use",
            weeks(vec![("2026-10-14", 1, "1")]),
            "2026-10",
            ("99.5", 3, "0 0 1 0", "0", "2026-10-31"),
        ),
        // Days stay days: a first one that costs more than the others, one alone, few at the start, and few of use.
        (
            "days",
            vec![("2026-10-01", 1, "310"), ("2026-10-02", 40, "10")],
            "2026-10",
            ("50.8", 31, "0 0 300 0", "0", "2026-10-31"),
        ),
        (
            "days up to the middle, the first one large",
            vec![("2026-10-01", 1, "160"), ("2026-10-02", 11, "10")],
            "2026-10",
            ("44.4", 31, "0 0 150 0", "-190", "2026-10-12"),
        ),
        (
            "the first alone",
            vec![("2026-10-01", 1, "10"), ("2026-11-01", 19, "10")],
            "2026-10",
            ("100", 31, "0 -300 0 0", "0", "2026-10-31"),
        ),
        (
            "the first three",
            vec![("2026-10-01", 3, "10")],
            "2026-10",
            ("100", 31, none, "-280", "2026-10-03"),
        ),
        (
            "the first two, one with calls that nobody saw",
            vec![("2026-10-01", 1, "30"), ("2026-10-02", 1, "10")],
            "2026-10",
            ("50", 31, "0 0 20 0", "-290", "2026-10-02"),
        ),
    ] {
        let (coverage, cells, gap, lag, through, _) = by_days(&rows, period);
        assert_eq!(
            (coverage.as_str(), cells, gap.as_str(), lag.as_str(), through.as_str()),
            expected,
            "{what}"
        );
    }
    // A month that goes on is compared when it is over, whatever was corrected in it.
    for more in [("2026-11-15", 1, "1"), ("2026-11-15", 1, "-1"), ("2026-10-15", 1, "1")] {
        let (_, cells, .., by_month) = by_days(&[september, october, ("2026-11-01", 1, "150"), more], "2026-11");
        assert_eq!((cells, by_month), (0, serde_json::json!(["openai"])), "{more:?}");
    }
}

/// What a bill takes back does not say how far it has come.
#[test]
fn a_refund_behind_the_last_billed_day_moves_it_not() {
    let (coverage, _, gap, lag, through, _) = by_days(&[("2026-11-01", 7, "10"), ("2026-11-15", 1, "-1")], "2026-11");
    assert_eq!(
        (coverage.as_str(), gap.as_str(), lag.as_str(), through.as_str()),
        ("100", "0 0 0 -1", "-120", "2026-11-07")
    );
}

/// Calls and rows of a bill as of their accounts and models, compared at a time.
struct Case {
    home: tempfile::TempDir,
    usage: String,
    bill: String,
}

impl Case {
    fn new(settings: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let source = |name: &str, path: &str| format!("[[source]]\nname = \"{name}\"\npaths = [\"{path}\"]\n");
        let [usage, bill] = [source("app", "u.jsonl"), source("bill", "b.csv")];
        let text =
            format!("[store]\nurl = \"sqlite:l.db\"\n{usage}{bill}[reconcile]\nmin_coverage = \"95 %\"\n{settings}");
        std::fs::write(home.path().join("finops.toml"), text).unwrap();
        let bill = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,SubAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargeCategory,ProviderName,ServiceName,x_Model\n";
        Case {
            home,
            usage: String::new(),
            bill: bill.to_owned(),
        }
    }

    /// Calls of a million tokens on days of a month of 2026.
    fn calls(
        mut self,
        (provider, model): (&str, &str),
        account: &str,
        month: u32,
        days: std::ops::RangeInclusive<u32>,
    ) -> Self {
        for day in days {
            let id = self.usage.len();
            self.usage += &format!(
                "{{\"id\":\"{id}\",\"ts\":\"2026-{month:02}-{day:02}T10:00:00Z\",\"provider\":\"{provider}\",\"model\":\"{model}\",\"input_tokens\":1000000,\"account\":\"{account}\"}}\n"
            );
        }
        self
    }

    /// A row a day, of so much of a category.
    fn rows(
        mut self,
        (cost, what): (&str, &str),
        model: &str,
        account: &str,
        month: u32,
        days: std::ops::RangeInclusive<u32>,
    ) -> Self {
        let (category, currency) = what.split_once(' ').unwrap_or((what, "USD"));
        for day in days {
            self.bill += &format!(
                "{cost},{cost},{currency},{account},{account},2026-{month:02}-01,2026-{:02}-01,2026-{month:02}-{day:02}T00:00:00Z,{category},Anthropic,Claude API,{model}\n",
                month + 1
            );
        }
        self
    }

    fn finops(&self, now: &str, args: &[&str]) -> std::process::Output {
        let home = self.home.path();
        std::fs::write(home.join("u.jsonl"), &self.usage).unwrap();
        std::fs::write(home.join("b.csv"), &self.bill).unwrap();
        program(home).args(["--now", now]).args(args).output().unwrap()
    }

    /// Coverage and the gap without lag, the lag, and what `finops run` tells of coverage.
    fn said(&self, now: &str, period: &str) -> (String, String, String, bool) {
        let run = self.finops(now, &["run"]);
        assert!(run.status.success(), "{}", err(&run));
        let found = json(&self.finops(now, &["reconcile", "--period", period, "--format", "json"]));
        let [coverage, missing, tokens, price, discount, lag] = said(&found);
        let gap = [missing, tokens, price, discount].join(" ");
        (coverage, gap, lag, out(&run).contains("metering has seen"))
    }
}

const SONNET: (&str, &str) = ("anthropic", "claude-sonnet-4-6");
const HAIKU: (&str, &str) = ("anthropic", "claude-haiku-4-5");
const USE: &str = "Usage";

/// As where late bills are filled: each has its own last day where bill and calls tell it apart, and no account fills the hole of another.
#[test]
fn accounts_are_compared_each_with_its_own_bill() {
    let sonnet = SONNET.1;
    let two = |a: &str, b: &str| Case::new("").calls(SONNET, a, 11, 1..=20).calls(SONNET, b, 11, 1..=20);
    for (what, case, expected) in [
        (
            "one is late",
            two("A", "B")
                .rows(("3", USE), sonnet, "A", 11, 1..=19)
                .rows(("3", USE), sonnet, "B", 11, 1..=9),
            ("100", "0 0 0 0", "-36", false),
        ),
        (
            "half of one was metered by nobody, the other has no bill",
            two("A", "B").rows(("6", USE), sonnet, "A", 11, 1..=19),
            ("50", "0 0 57 0", "-63", true),
        ),
        (
            "the other is billed in another currency",
            two("A", "B")
                .rows(("3", USE), sonnet, "A", 11, 1..=19)
                .rows(("3", "Usage EUR"), sonnet, "B", 11, 1..=19),
            ("100", "0 0 0 0", "-63", false),
        ),
        (
            "the bill names none",
            two("A", "B").rows(("6", USE), sonnet, "", 11, 1..=19),
            ("100", "0 0 0 0", "-6", false),
        ),
        (
            "the bill names them in other words",
            two("A", "B")
                .rows(("3", USE), sonnet, "X", 11, 1..=19)
                .rows(("3", USE), sonnet, "Y", 11, 1..=19),
            ("100", "0 0 0 0", "-6", false),
        ),
        (
            "some rows name none",
            two("A", "B")
                .rows(("3", USE), sonnet, "A", 11, 1..=19)
                .rows(("3", USE), sonnet, "", 11, 1..=19),
            ("100", "0 0 0 0", "-6", false),
        ),
        (
            "calls name none",
            two("", "")
                .rows(("3", USE), sonnet, "A", 11, 1..=19)
                .rows(("3", USE), sonnet, "B", 11, 1..=19),
            ("100", "0 0 0 0", "-6", false),
        ),
        (
            "some calls name none, and the bill of the other account has stopped",
            two("A", "")
                .calls(SONNET, "B", 11, 1..=20)
                .rows(("6", USE), sonnet, "A", 11, 1..=19)
                .rows(("3", USE), sonnet, "B", 11, 1..=9),
            ("100", "0 0 0 0", "-39", false),
        ),
    ] {
        let (coverage, gap, lag, alert) = case.said("2026-11-21T12:00:00Z", "2026-11");
        assert_eq!(
            (coverage.as_str(), gap.as_str(), lag.as_str(), alert),
            expected,
            "{what}"
        );
    }
    let late = two("A", "B")
        .rows(("3", USE), sonnet, "A", 11, 1..=19)
        .rows(("3", USE), sonnet, "B", 11, 1..=9);
    let now = "2026-11-21T12:00:00Z";
    late.finops(now, &["record"]);
    let text = out(&late.finops(now, &["reconcile"]));
    for part in [
        "no billed day differs by a cent or more",
        "anthropic account A: $3.00 is metered and not billed yet\nanthropic account B: $33.00 is metered and not billed yet\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

/// What may still be billed is late, as where it is filled; a week later it is a gap.
#[test]
fn what_the_bill_has_not_yet_is_late_and_no_gap() {
    let begun = Case::new("")
        .calls(SONNET, "A", 11, 1..=20)
        .rows(("3", USE), SONNET.1, "A", 11, 10..=19)
        .rows(("1", USE), SONNET.1, "A", 11, 20..=20);
    let services = || {
        Case::new("")
            .calls(SONNET, "A", 11, 1..=20)
            .calls(HAIKU, "A", 11, 1..=20)
            .rows(("3", USE), SONNET.1, "A", 11, 1..=14)
            .rows(("1", USE), HAIKU.1, "A", 11, 1..=19)
    };
    for (what, case, now, expected) in [
        (
            "from the 10th to noon",
            begun,
            "2026-11-20T14:00:00Z",
            ("100", "0 0 0 0", "-29"),
        ),
        (
            "one model later",
            services(),
            "2026-11-21T12:00:00Z",
            ("100", "0 0 0 0", "-19"),
        ),
        (
            "and never",
            services(),
            "2026-12-02T12:00:00Z",
            ("100", "0 -15 0 0", "-4"),
        ),
    ] {
        let (coverage, gap, lag, alert) = case.said(now, "2026-11");
        assert_eq!(
            (coverage.as_str(), gap.as_str(), lag.as_str(), alert),
            (expected.0, expected.1, expected.2, false),
            "{what}"
        );
    }
}

#[test]
fn the_row_of_a_month_is_known_in_the_first_month_and_beside_rows_by_days() {
    let at = "2026-11-02T20:00:00Z";
    let first = |cost: &str, days| {
        Case::new("")
            .calls(SONNET, "A", 11, days)
            .rows((cost, USE), SONNET.1, "A", 11, 1..=1)
    };
    for (what, case, expected) in [
        ("a month so far", first("6", 1..=2), ("-", "0 0 0 0", "0", false)),
        ("its first day", first("3", 1..=2), ("100", "0 0 0 0", "-3", false)),
        (
            "twice what was used of it, whichever it is of",
            first("6", 1..=1),
            ("50", "0 0 3 0", "0", true),
        ),
    ] {
        let (coverage, gap, lag, alert) = case.said(at, "2026-11");
        assert_eq!(
            (coverage.as_str(), gap.as_str(), lag.as_str(), alert),
            expected,
            "{what}"
        );
    }
    let october = |settings| {
        Case::new(settings)
            .calls(SONNET, "A", 10, 1..=31)
            .calls(HAIKU, "A", 10, 1..=31)
            .rows(("3", USE), SONNET.1, "A", 10, 1..=31)
    };
    for (what, case, expected) in [
        (
            "a month of one model",
            october("").rows(("31", USE), HAIKU.1, "A", 10, 1..=1),
            ("100", "0 0 0 0", "0", false),
        ),
        (
            "its days, the first of which nobody saw",
            october("")
                .rows(("31", USE), HAIKU.1, "A", 10, 1..=1)
                .rows(("1", USE), HAIKU.1, "A", 10, 2..=31),
            ("80.5", "0 0 30 0", "0", true),
        ),
    ] {
        let (coverage, gap, lag, alert) = case.said("2026-11-05T20:00:00Z", "2026-10");
        assert_eq!(
            (coverage.as_str(), gap.as_str(), lag.as_str(), alert),
            expected,
            "{what}"
        );
    }
}

/// What a commitment pays for is taken off as what a contract takes off; if it is billed nevertheless, that is another price of what was seen.
#[test]
fn calls_that_a_commitment_pays_for_are_no_gap() {
    let covers = "[[commitment]]\nname = \"seats\"\nkind = \"other\"\ndimensions = { provider = \"anthropic\" }\namount = \"2 USD\"\nper = \"hour\"\nfrom = \"2026-10-01\"\ncovers = { provider = \"anthropic\", model = \"claude-sonnet-4-6\" }\n";
    let bought = || {
        Case::new(covers)
            .calls(SONNET, "A", 11, 1..=19)
            .calls(HAIKU, "A", 11, 1..=19)
            .rows(("1", USE), HAIKU.1, "A", 11, 1..=19)
            .rows(("48", "Purchase"), "", "A", 11, 1..=19)
    };
    for (case, expected) in [
        (bought(), ("100", "0 0 0 -57", "0", false)),
        (
            bought().rows(("3", USE), SONNET.1, "A", 11, 1..=19),
            ("100", "0 0 57 -57", "0", false),
        ),
    ] {
        let (coverage, gap, lag, alert) = case.said("2026-12-02T12:00:00Z", "2026-11");
        assert_eq!((coverage.as_str(), gap.as_str(), lag.as_str(), alert), expected);
    }
    let text = out(&bought().finops("2026-12-02T12:00:00Z", &["run"]));
    assert!(!text.contains("metering"), "{text}");
    let case = bought();
    case.finops("2026-12-02T12:00:00Z", &["record"]);
    let text = out(&case.finops("2026-12-02T12:00:00Z", &["reconcile", "--period", "2026-11"]));
    assert!(
        text.contains("taxes and purchases, $912.00, are no use of models and not compared"),
        "{text}"
    );
}

/// Calls without a price were seen: what they may have cost at most is not known to be covered, nor not to be.
#[test]
fn calls_without_a_price_are_not_told_as_not_metered() {
    let unheard = ("anthropic", "claude-unheard-of-9");
    let now = "2026-12-02T12:00:00Z";
    let case = Case::new("")
        .calls(unheard, "A", 11, 1..=19)
        .rows(("3", USE), unheard.1, "A", 11, 1..=19);
    assert_eq!(
        case.said(now, "2026-11"),
        ("-".to_owned(), "0 0 57 0".to_owned(), "0".to_owned(), false)
    );
    let asked = case.finops(now, &["reconcile", "--period", "2026-11", "--min-coverage", "95"]);
    assert_eq!(asked.status.code(), Some(3));
    assert!(
        err(&asked).contains("calls of anthropic have no price"),
        "{}",
        err(&asked)
    );
    // They hide no more than that.
    let case = Case::new("")
        .calls(unheard, "A", 11, 1..=1)
        .rows(("90000", USE), unheard.1, "A", 11, 1..=1);
    let (coverage, .., alert) = case.said(now, "2026-11");
    assert_eq!((coverage.as_str(), alert), ("0", true));
}

/// What sources told stays known when the calls' detail has expired; nothing is compared with it any more.
#[test]
fn what_sources_told_of_calls_whose_detail_has_expired_is_said() {
    let mut case = Case::new("").calls(SONNET, "A", 6, 1..=30);
    case.usage = case
        .usage
        .replace("\"input_tokens\"", "\"cost_usd\":6,\"input_tokens\"");
    let june = ["reconcile", "--period", "2026-06"];
    case.finops("2026-07-02T12:00:00Z", &["run"]);
    let found = case.finops("2026-07-02T12:00:00Z", &june);
    assert_eq!(found.status.code(), Some(1));
    assert!(!out(&found).contains("has expired"), "{}", out(&found));
    let case = case.calls(("openai", "gpt-5"), "A", 10, 8..=8);
    case.finops("2026-10-08T12:00:00Z", &["run"]);
    let text = out(&case.finops("2026-10-08T12:00:00Z", &june));
    let line = "of calls whose detail has expired the sources told $180.00, which is not compared";
    assert!(text.contains(line), "{text}");
}

/// Of a report of AWS: models sold by the Marketplace beside models that AWS sells itself, which types of usage tell.
#[test]
fn editions_and_types_of_usage_of_a_bill_meet_the_calls_of_bedrock() {
    let header = "bill_billing_period_start_date,bill_payer_account_id,line_item_usage_start_date,line_item_usage_account_id,\
        line_item_line_item_type,line_item_product_code,line_item_usage_type,line_item_usage_amount,pricing_unit,line_item_unblended_cost,product\n";
    let sonnet = (
        "x1",
        "USE1-MP:USE1_InputTokenCount-Units",
        "1",
        "Units",
        "3.3",
        "Claude Sonnet 4.6",
    );
    let llama = (
        "AmazonBedrock",
        "USE1-Llama3-3-70B-input-tokens",
        "1000",
        "1K tokens",
        "0.72",
        "",
    );
    let deepseek = (
        "AmazonBedrock",
        "USE1-DeepSeek-R1-input-tokens",
        "1000",
        "1K tokens",
        "1.35",
        "",
    );
    let cohere = (
        "x2",
        "USE1-MP:USE1_InputTokenCount-Units",
        "1",
        "Units",
        "3",
        "Cohere Command R+",
    );
    let [of_sonnet, of_llama, of_deepseek, of_cohere] = [
        "us.anthropic.claude-sonnet-4-6",
        "us.meta.llama3-3-70b-instruct-v1:0",
        "us.deepseek.r1-v1:0",
        "cohere.command-r-plus-v1:0",
    ];
    for (rows, models, expected) in [
        (
            vec![sonnet, llama, deepseek],
            vec![of_sonnet, of_llama, of_deepseek],
            ["100", "0", "0", "0", "0", "0"],
        ),
        // It has no price.
        (
            vec![sonnet, cohere],
            vec![of_sonnet, of_cohere],
            ["100", "0", "0", "3", "0", "0"],
        ),
        // Calls of one of these were not seen.
        (
            vec![sonnet, llama, deepseek],
            vec![of_sonnet, of_deepseek],
            ["86.6", "0.72", "0", "0", "0", "0"],
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let usage = models
            .iter()
            .map(|model| call(model, "bedrock", model, "\"input_tokens\":1000000"));
        let mut bill = header.to_owned();
        for (code, usage, amount, unit, cost, edition) in rows {
            let product = match edition {
                "" => String::new(),
                edition => format!("\"{{\"\"product_name\"\":\"\"{edition} (Amazon Bedrock Edition)\"\"}}\""),
            };
            bill += &format!(
                "2026-11-01T00:00:00Z,1,2026-11-10T00:00:00Z,1,Usage,{code},{usage},{amount},{unit},{cost},{product}\n"
            );
        }
        std::fs::write(home.join("finops.toml"), "[store]\nurl = \"sqlite:ledger.db\"\n").unwrap();
        std::fs::write(home.join("usage.jsonl"), usage.collect::<String>()).unwrap();
        std::fs::write(home.join("bill.csv"), bill).unwrap();
        let recorded = finops(home, &["record", "usage.jsonl", "bill.csv"]);
        assert!(recorded.status.success(), "{}", err(&recorded));
        let asked = ["--now", "2026-12-02T12:00:00Z", "reconcile", "--period", "2026-11"];
        let found = json(&program(home).args(asked).args(["--format", "json"]).output().unwrap());
        assert_eq!(said(&found), expected, "{models:?}: {found:#}");
    }
}
