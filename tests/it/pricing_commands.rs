//! Commands about prices over a recorded ledger, through the real binary.

use std::path::Path;
use std::process::Output;

use crate::support::{NOW, err, program};

pub(crate) struct Home(tempfile::TempDir);

impl Home {
    /// A ledger with this usage and these settings.
    pub(crate) fn new(settings: &str, usage: &str) -> Self {
        let home = Home(tempfile::tempdir().unwrap());
        home.write("finops.toml", &format!("[store]\nurl = \"sqlite:x.db\"\n{settings}"));
        home.write("usage.jsonl", usage);
        let output = home.run(&["record", "usage.jsonl", "--now", NOW]);
        assert!(output.status.success(), "{}", err(&output));
        home
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        program(self.path()).args(args).output().unwrap()
    }

    pub(crate) fn json(&self, args: &[&str]) -> serde_json::Value {
        let mut args = args.to_vec();
        args.extend(["--format", "json", "--now", NOW]);
        let output = self.run(&args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str(&text).unwrap_or_else(|cause| panic!("{args:?}: {cause}: {text}{}", err(&output)))
    }
}

/// What was written to standard output.
pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Calls of two days, of a model that only the overlay knows, and of one that all books know.
const USAGE: &str = r#"{"id":"a","ts":"2026-11-03T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":1000000,"output_tokens":1000}
{"id":"b","ts":"2026-11-03T11:00:00Z","provider":"acme","model":"acme-1","input_tokens":1000000,"output_tokens":1000000}
{"id":"c","ts":"2026-11-04T11:00:00Z","provider":"acme","model":"acme-1","input_tokens":2000000,"output_tokens":0}
"#;

const OWN: &str = r#"
providers = ["acme"]
version = "2026-11-20"
[[entry]]
model = "acme-1"
[[entry.price]]
to = "2026-11-15"
rates = { input = 2, output = 6 }
[[entry.price]]
from = "2026-11-15"
known_from = "2026-11-20"
rates = { input = 3, output = 6 }
"#;

/// A model may be asked for with its provider, as gateways write it, whatever the report has as columns.
#[test]
fn a_model_is_found_with_its_provider_before_it() {
    let budget =
        "[[budget]]\nname = \"b\"\namount = \"100 USD\"\nperiod = \"month\"\nscope = { model = \"anthropic/*\" }\n";
    let home = Home::new("", USAGE);
    home.write("policies/budgets/b.toml", budget);
    for by in ["model", "provider", "team"] {
        for (pattern, calls) in [("anthropic/*", 1), ("acme/acme-*", 2), ("acme-*", 2), ("openai/*", 0)] {
            let filter = format!("model={pattern}");
            let report = home.json(&["report", "--by", by, "--where", &filter]);
            assert_eq!(report["total"]["events"], calls, "{by} {pattern}");
        }
    }
    assert_eq!(home.json(&["budget"])["budgets"][0]["spent"], "3.015");
}

/// Before they were one provider, two spellings of it needed a price each: who wrote those goes on with the one that books write.
#[test]
fn an_own_price_for_two_spellings_of_a_provider_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let prices = folder.path().join("prices");
    std::fs::create_dir(&prices).unwrap();
    let write = |name: &str, providers: &str, input: &str| {
        let text = format!(
            "providers = [{providers}]\n[[entry]]\nmodel = \"m\"\n[[entry.price]]\nrates = {{ input = \"{input}\", output = \"2\" }}\n"
        );
        std::fs::write(prices.join(name), text).unwrap();
    };
    let cost = || -> Result<String, String> {
        let pricer = finops::adapters::prices::load(Some(folder.path()), &[]).map_err(|error| error.to_string())?;
        let at = "2026-10-20T08:00:00Z".parse().unwrap();
        let id = finops::domain::usage::EventId([1; 16]);
        let mut call = finops::domain::usage::UsageEvent::new(id, at, "google_genai".into(), "m".into());
        call.tokens.set(finops::domain::usage::Bucket::InputUncached, 1_000_000);
        Ok(pricer.books().quote(&call).charge.cost.normalize().to_string())
    };
    write("own-google-genai.toml", "\"google_genai\"", "3");
    assert_eq!(cost().as_deref(), Ok("3"));
    write("own-google.toml", "\"google\"", "5");
    assert_eq!(
        cost().as_deref(),
        Ok("5"),
        "as price books spell it, whichever is read first"
    );
    write("own-google-genai.toml", "\"Google GenAI\", \"google\"", "3");
    assert!(
        cost().is_err_and(|error| error.contains("there already")),
        "told twice under one name"
    );
    std::fs::remove_file(prices.join("own-google.toml")).unwrap();
    assert_eq!(cost().as_deref(), Ok("3"));
}

/// Books are compared by what calls pay: here a factor on the rates of calls that name no place, there rates that have it in them.
#[test]
fn books_that_charge_the_same_do_not_disagree() {
    let home = Home::new("", USAGE);
    home.write(
        "finops.toml",
        "[[price_book]]\nname = \"map\"\nkind = \"litellm\"\npath = \"map.json\"\n",
    );
    let model = |key: &str, input: &str, output: &str, batch: &str| {
        format!(
            r#""{key}": {{"litellm_provider": "bedrock", "input_cost_per_token": {input}, "output_cost_per_token": {output}, "input_cost_per_token_batches": {batch}}}"#
        )
    };
    let models = [
        model("openai.gpt-5.6-sol", "4.4e-06", "2.2e-05", "2.2e-06"),
        model("anthropic.claude-sonnet-4-6", "3e-06", "1.5e-05", "1.5e-06"),
        model("amazon.nova-micro-v1:0", "3.5e-08", "1.4e-07", "1.75e-08"),
    ];
    home.write("map.json", &format!("{{{}}}", models.join(",")));
    let output = home.run(&["price", "check", "--format", "csv", "--now", NOW]);
    let text = text(&output);
    let told: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(
        told,
        [
            "map disagrees with built-in,bedrock,anthropic.claude-sonnet-4-6,batch input_uncached,1.65,1.5",
            "map disagrees with built-in,bedrock,anthropic.claude-sonnet-4-6,input_uncached,3.3,3",
            "map disagrees with built-in,bedrock,anthropic.claude-sonnet-4-6,output,16.5,15",
        ]
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn repricing_restates_once_and_only_what_changed() {
    let home = Home::new("", USAGE);
    let total = || home.json(&["report"])["total"].clone();
    assert_eq!(
        (&total()["cost_usd"], &total()["unpriced_events"]),
        (&"3.015".into(), &2.into())
    );
    home.write("policies/prices/own.toml", OWN);
    let dry = home.json(&["reprice", "--from", "2026-11-01", "--dry-run"]);
    assert_eq!((&dry["changed"], &dry["cost_change_usd"]), (&2.into(), &"12".into()));
    assert_eq!(total()["cost_usd"], "3.015", "a dry run stores nothing");
    let real = home.json(&["reprice", "--from", "2026-11-01"]);
    assert_eq!((&real["changed"], &real["cost_change_usd"]), (&2.into(), &"12".into()));
    let restated = real["restatements"].as_array().unwrap();
    let figures: Vec<_> = restated
        .iter()
        .map(|r| (r["old"].as_str().unwrap(), r["new"].as_str().unwrap()))
        .collect();
    assert_eq!(figures.len(), 2);
    assert_eq!((figures[0].1, figures[1].1), ("11.015", "4"));
    assert_eq!(
        (&total()["cost_usd"], &total()["unpriced_events"]),
        (&"15.015".into(), &0.into())
    );
    let again = home.json(&["reprice", "--from", "2026-11-01"]);
    assert_eq!(
        (&again["changed"], &again["restatements"]),
        (&0.into(), &serde_json::json!([]))
    );
    // Another book first, for one day and one model only.
    home.write("other.toml", &OWN.replace("input = 2", "input = 4"));
    let args = [
        "reprice",
        "--from",
        "2026-11-04",
        "--to",
        "2026-11-05",
        "--book",
        "other.toml",
        "--where",
        "model=acme-*",
    ];
    assert_eq!(home.json(&args)["cost_change_usd"], "4");
    assert_eq!(total()["cost_usd"], "19.015");
    // A price that is gone is no price of zero.
    std::fs::remove_file(home.path().join("policies/prices/own.toml")).unwrap();
    let kept = home.json(&["reprice", "--from", "2026-11-01"]);
    assert_eq!(
        (&kept["changed"], &kept["kept_prices"]["calls"]),
        (&0.into(), &2.into()),
        "no price is lost unless that is asked for"
    );
    assert_eq!(total()["cost_usd"], "19.015");
    let gone = ["reprice", "--from", "2026-11-01", "--dry-run", "--drop-prices"];
    let told = text(&home.run(&gone));
    assert!(
        told.contains("had a price and have none now; their cost is unknown, not zero"),
        "{told}"
    );
    let changes = home.json(&gone)["changes"].as_array().unwrap().clone();
    assert!(
        !changes.is_empty() && changes.iter().all(|change| change["cost_after_usd"].is_null()),
        "{changes:?}"
    );
    let wrong = home.run(&["reprice", "--from", "2026-11-04", "--to", "2026-11-04"]);
    assert_eq!(wrong.status.code(), Some(2));
    let wrong = home.run(&["reprice", "--from", "2026-11-04", "--book", "nowhere"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", err(&wrong));
}

#[test]
fn calls_are_asked_for_by_the_conditions_that_an_alert_names() {
    let home = Home::new("", USAGE);
    let said = |args: &[&str]| text(&home.run(&[args, &["--where", "category=Usage", "--now", NOW]].concat()));
    assert!(said(&["explain", "--top", "5", "--where", "model=claude*"]).contains("claude-sonnet-4-6"));
    let missing = home.json(&["price", "missing", "--where", "category=usage"]);
    assert_eq!(missing["missing"].as_array().map(Vec::len), Some(1), "{missing}");
    assert!(!said(&["price", "missing"]).contains("expired"));
    home.write("policies/prices/acme.toml", OWN);
    let args = ["reprice", "--from", "2026-11-01", "--where", "category=Usage"];
    let dry = said(&[&args[..], &["--dry-run"]].concat());
    assert!(dry.contains("3 calls") && !dry.contains("expired"), "{dry}");
    let none = text(&home.run(&[
        "reprice",
        "--from",
        "2026-11-01",
        "--where",
        "category=Tax",
        "--now",
        NOW,
    ]));
    assert!(none.contains("0 of 0 calls"), "{none}");
    let unknown = home.run(&["price", "list", "--provider", "anthropc"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        err(&unknown).contains("no price book has prices of `anthropc`"),
        "{}",
        err(&unknown)
    );
}

#[test]
fn what_is_said_to_be_written_for_calls_without_a_price_works_as_it_stands() {
    let usage = USAGE.to_owned()
        + r#"{"id":"d","ts":"2026-11-04T12:00:00Z","provider":"acme","model":"acme-2","input_tokens":5}
{"id":"e","ts":"2026-11-04T12:00:00Z","provider":"other.ai","model":"o \"1\"","input_tokens":5}
{"id":"f","ts":"2026-11-04T12:00:00Z","provider":"openai","model":"gpt-4o","input_tokens":5,"service_tier":"ultrafast"}
{"id":"g","ts":"2026-11-05T12:00:00Z","provider":"openai","model":"gpt-4o","input_tokens":5,"audio_in_tokens":7}
{"id":"h","ts":"2026-11-05T12:00:00Z","provider":"groq","model":"whisper-huge","units":"audio_in_second=100"}
{"id":"i","ts":"2026-11-05T12:00:00Z","provider":"anthropic","model":"claude-zeta","input_tokens":5,"web_searches":2,"geo":"moon"}
{"id":"k","ts":"2026-11-05T12:00:00Z","provider":"google","model":"gemini-9","input_tokens":5}
{"id":"l","ts":"2026-11-05T12:00:00Z","provider":"gemini","model":"gemini-9","input_tokens":5,"web_searches":2}
{"id":"m","ts":"2026-11-05T12:00:00Z","provider":"gemini","model":"Gemini-9","input_tokens":5}
"#;
    let home = Home::new("", &usage);
    let told = text(&home.run(&["price", "missing"]));
    let mut file = None;
    let mut files: std::collections::BTreeMap<&str, String> = std::collections::BTreeMap::new();
    for line in told.lines() {
        if let Some(name) = line.strip_prefix("# in ") {
            file = name.strip_suffix(':');
        } else if line.is_empty() || line.starts_with('#') {
            file = None;
        } else if let Some(file) = file {
            // The prices, which only the owner knows.
            *files.entry(file).or_default() += &(line.replace("\"\"", "\"1.5\"") + "\n");
        }
    }
    assert_eq!(files.len(), 6, "{told}");
    assert_eq!(
        told.matches("model = \"gemini-9\"").count() + told.matches("model = \"Gemini-9\"").count(),
        1,
        "{told}"
    );
    for (name, text) in files {
        home.write(name, &text);
    }
    let check = home.run(&["config", "check"]);
    assert!(check.status.success(), "{}", err(&check));
    assert_eq!(home.json(&["reprice", "--from", "2026-11-01"])["changed"], 11);
    assert!(home.run(&["price", "missing"]).status.success());
    // What is there already is added to.
    let more = r#"{"id":"j","ts":"2026-11-06T12:00:00Z","provider":"openai","model":"gpt-4o","input_tokens":5,"service_tier":"slow"}"#;
    home.write("more.jsonl", more);
    assert!(home.run(&["record", "more.jsonl", "--now", NOW]).status.success());
    let told = text(&home.run(&["price", "missing"]));
    assert!(
        told.contains("the file has an entry of this model") && !told.contains("providers = "),
        "{told}"
    );
    // A price of nobody would be one for all that lack their provider.
    home.write(
        "more.jsonl",
        r#"{"id":"n","ts":"2026-11-06T12:00:00Z","provider":"","model":"gpt-5","input_tokens":5}"#,
    );
    assert!(home.run(&["record", "more.jsonl", "--now", NOW]).status.success());
    let told = text(&home.run(&["price", "missing"]));
    assert!(
        told.contains("# (no provider) gpt-5: its records name no provider: set it at the source"),
        "{told}"
    );
    assert!(!told.contains("own-.toml"), "{told}");
}

/// A slip in what is agreed or mapped takes effect nowhere, so that only the check of the settings can tell.
#[test]
fn what_is_agreed_and_mapped_is_explained_with_what_no_book_knows() {
    let usage = r#"{"id":"a","ts":"2026-11-03T10:00:00Z","provider":"azure","model":"prod-chat","input_tokens":1000}
{"id":"b","ts":"2026-11-03T10:00:00Z","provider":"azure","model":"gpt-nil","input_tokens":1000}
"#;
    let agreed = r#"
[[contract]]
name = "edp"
provider = "PROVIDER"
tier = "standard"
discount = "12.5 %"
from = "2026-01-01"
[[contract]]
name = "own gateway"
provider = "gateway"
margin = "8 %"
[[commitment]]
name = "ptu"
kind = "ptu"
amount = "2 USD"
units = 3
per = "hour"
from = "2026-11-01"
covers = { provider = "vllm", model = "gpt-4o*" }
[[price_map]]
provider = "azure"
name = "prod-chat"
model = "MODEL"
[[price_map]]
provider = "gateway"
name = "*"
model = "claude-sonnet-4-6"
as_provider = "anthropic"
[[price_map]]
name = "local-*"
free = true
"#;
    let settings = |provider: &str, model: &str| agreed.replace("PROVIDER", provider).replace("MODEL", model);
    let home = Home::new(&settings("antropic", "gpt4o"), usage);
    let check = home.run(&["config", "check"]);
    assert_eq!(check.status.code(), Some(1), "{}", err(&check));
    for line in [
        "contract     edp: 12.5 % discount on provider=antropic tier=standard, from 2026-01-01 (NOT KNOWN: no price book has a provider `antropic`)\n",
        "contract     own gateway: 8 % margin on provider=gateway\n",
        "flat cost    ptu: $6.00 per hour from 2026-11-01, covers provider=vllm model=gpt-4o*\n",
        "price map    prod-chat of provider azure: gpt4o (NOT KNOWN: no price book has it)\n",
        "price map    * of provider gateway: claude-sonnet-4-6\n",
        "price map    local-*: free\n",
    ] {
        assert!(text(&check).contains(line), "{line}{}", text(&check));
    }
    let told = text(&home.run(&["price", "missing"]));
    assert!(
        told.contains("# azure prod-chat: your map takes it for `gpt4o`, which no price book knows"),
        "{told}"
    );
    assert!(told.contains("# azure gpt-nil: no price book knows it"), "{told}");
    assert!(
        !told.contains("model = \"prod-chat\""),
        "an entry of that name would not be asked: {told}"
    );
    let quote = text(&home.run(&[
        "price",
        "quote",
        "--provider",
        "azure",
        "--model",
        "prod-chat",
        "--input",
        "9",
    ]));
    assert!(quote.contains("takes it for `gpt4o`"), "{quote}");
    let rest = format!("[store]\nurl = \"sqlite:x.db\"\n{}", settings("anthropic", "gpt-4o"));
    home.write("finops.toml", &rest);
    let check = home.run(&["config", "check"]);
    assert!(
        check.status.success() && !text(&check).contains("NOT KNOWN"),
        "{}",
        text(&check)
    );
    let told = text(&home.run(&["price", "missing"]));
    assert!(
        told.contains("1 of them has a price by now") && !told.contains("takes it for"),
        "{told}"
    );
}

#[test]
fn what_is_to_be_written_is_where_the_settings_in_force_read_it() {
    let home = Home::new("", USAGE);
    home.write(
        "etc/finops.toml",
        "policies = \"pol\"\n[store]\nurl = \"sqlite:l.db\"\n",
    );
    home.write("etc/pol/prices/own-acme.toml", "# mine\n");
    let run = |args: &[&str]| home.run(&[&["--config", "etc/finops.toml", "--now", NOW], args].concat());
    assert!(run(&["record", "usage.jsonl"]).status.success());
    let told = text(&run(&["price", "missing"]));
    let written = "put this at its top\n# in etc/pol/prices/own-acme.toml:\nproviders = [\"acme\"]\n[[entry]]";
    assert!(told.contains(written), "{told}");
    // An entry of one of the models in a file of another name: a second one would be an error.
    let other = "providers=[\"acme\"]\n[[entry]]\nmodel=\"acme-1\"\n[[entry.price]]\nfrom=\"2099-01-01\"\nrates={input=3, output=15}\n";
    home.write("etc/pol/prices/mine.toml", other);
    let told = text(&run(&["price", "missing"]));
    let written =
        "the file has an entry of this model: add to that one what it lacks of this\n# in etc/pol/prices/mine.toml:";
    assert!(told.contains(written), "{told}");
}

#[test]
fn a_broken_book_is_an_error_of_the_settings_wherever_it_is_met() {
    // A report asks the books about searches, of which some may be free.
    let search = r#"{"id":"s","ts":"2026-11-03T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":5,"web_searches":2}"#;
    let home = Home::new("", search);
    home.write("policies/prices/own.toml", "providers = [\"acme\"]\nnonsense = 1\n");
    for args in [&["report"][..], &["config", "check"], &["price", "list"], &["run"]] {
        let output = home.run(args);
        let told = err(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(
            told.contains("own.toml") && told.contains("hint: mend the file"),
            "{args:?}: {told}"
        );
    }
}

#[test]
fn two_runs_at_once_reprice_each_call_once() {
    let usage: String = (0..3000)
        .map(|n| {
            let minute = n % 60;
            format!("{{\"id\":\"c{n}\",\"ts\":\"2026-11-03T10:{minute:02}:00Z\",\"provider\":\"acme\",\"model\":\"acme-1\",\"input_tokens\":1000000,\"output_tokens\":0}}\n")
        })
        .collect();
    let home = Home::new("", &usage);
    home.write("policies/prices/own.toml", OWN);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| home.json(&["reprice", "--from", "2026-11-01"])))
            .collect();
        let told: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
        let changed: i64 = told.iter().map(|run| run["changed"].as_i64().unwrap()).sum();
        assert_eq!(changed, 3000, "each run tells what it did itself: {told:?}");
    });
    let total = &home.json(&["report"])["total"];
    assert_eq!((&total["cost_usd"], &total["events"]), (&"6000".into(), &3000.into()));
}

#[test]
fn a_price_change_is_shown_as_what_it_does_to_the_month() {
    let home = Home::new("", USAGE);
    home.write("policies/prices/own.toml", OWN);
    // 3 M input and 1 M output of the last 30 days: 3·2 + 6 then, 3·3 + 6 now.
    let diff = home.json(&["price", "diff", "--since", "2026-11-10"]);
    assert_eq!(
        (&diff["cost_then_usd"], &diff["cost_now_usd"], &diff["change_usd"]),
        (&"12".into(), &"15".into(), &"3".into())
    );
    let models = diff["models"].as_array().unwrap();
    assert_eq!(models.len(), 1, "the other model costs the same");
    assert_eq!(models[0]["now"]["entries"]["policies/acme/acme-1@2026-11-15"], 2);
    let lines = models[0]["then"]["receipt"].as_array().unwrap();
    assert!(
        lines
            .iter()
            .any(|l| l["what"] == "input_uncached" && l["quantity"] == 3_000_000 && l["amount_usd"] == "6")
    );
    // It held on the 16th already, but nobody knew.
    assert_eq!(
        home.json(&["price", "diff", "--since", "2026-11-16"])["change_usd"],
        "3"
    );
    assert_eq!(
        home.json(&["price", "diff", "--since", "2026-11-20"])["change_usd"],
        "0"
    );
    assert_eq!(
        home.json(&["price", "diff", "--since", "2026-11-20", "--until", "2026-11-14"])["change_usd"],
        "-3"
    );
    // Two versions of a book.
    home.write("new.toml", &OWN.replace("output = 6", "output = 7"));
    home.write("old.toml", OWN);
    let versions = home.json(&["price", "diff", "--book", "old.toml", "--book", "new.toml"]);
    assert_eq!(versions["change_usd"], "1");
    assert_eq!(
        home.run(&["price", "diff", "--book", "old.toml"]).status.code(),
        Some(2)
    );
    let table = home.run(&["price", "diff", "--since", "2026-11-10", "--now", NOW]);
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(text.contains("12 USD then, 15 USD now, +3 USD"), "{text}");
    assert!(text.contains("input_uncached: 3000000 × 3 / 1000000 = 9 USD"), "{text}");
}

/// Two models that share three free searches a day.
pub(crate) const SEARCHES: &str = r#"
providers = ["acme"]
[[entry]]
model = "s-1"
[[entry.price]]
rates = { input = 1 }
web_search_1000 = 10
free_searches = { count = 3, per = "day", group = "s" }
[[entry]]
model = "s-2"
[[entry.price]]
rates = { input = 1 }
web_search_1000 = 20
free_searches = { count = 3, per = "day", group = "s" }
"#;

fn searching(id: &str, at: &str, model: &str, searches: u32) -> String {
    format!(
        "{{\"id\":\"{id}\",\"ts\":\"{at}\",\"provider\":\"acme\",\"model\":\"{model}\",\"input_tokens\":1000000,\"output_tokens\":0,\"web_searches\":{searches}}}\n"
    )
}

#[test]
fn the_first_searches_of_a_day_are_free_whatever_the_order_of_recording() {
    let day = "2026-11-03";
    let lines = [
        searching("a", &format!("{day}T08:10:00Z"), "s-1", 2),
        searching("b", &format!("{day}T09:10:00Z"), "s-2", 2),
        searching("c", &format!("{day}T10:10:00Z"), "s-1", 2),
        searching("d", "2026-11-04T00:10:00Z", "s-2", 4),
    ];
    let mut totals = Vec::new();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0]] {
        let home = Home::new("", "");
        home.write("policies/prices/own.toml", SEARCHES);
        for n in order {
            // Each in a run of its own, twice.
            home.write("more.jsonl", &format!("{}{}", lines[n], lines[n]));
            assert!(home.run(&["record", "more.jsonl", "--now", NOW]).status.success());
        }
        let cost = |args: &[&str]| {
            let mut all = vec!["report"];
            all.extend(args);
            home.json(&all)["total"]["cost_usd"].as_str().unwrap().to_owned()
        };
        // 4 dollars of tokens. Day one: 2 free, then 1 of 2 free, then none: 0.02 + 0.02; day two: 3 of 4 free: 0.02.
        assert_eq!(cost(&[]), "4.06");
        assert_eq!(cost(&["--from", "2026-11-03", "--to", "2026-11-04"]), "3.04");
        assert_eq!(cost(&["--from", "2026-11-04", "--to", "2026-11-05"]), "1.02");
        totals.push(home.json(&["report", "--by", "hour,model"])["rows"].clone());
        let id = |at: &str| {
            let calls = home.json(&["explain", "--top", "9"]);
            let calls = calls["calls"].as_array().unwrap().clone();
            let call = calls
                .iter()
                .find(|c| c["at"].as_str().unwrap().starts_with(at))
                .unwrap();
            call["id"].as_str().unwrap().to_owned()
        };
        let second = home.json(&["explain", &id("2026-11-03T09")]);
        assert_eq!(second["price"]["cost_usd"], "1.04", "the fee of the call is whole");
        let free = &second["free_searches"];
        assert_eq!(
            (&free["used_before"], &free["free"], &free["amount_usd"]),
            (&2.into(), &1.into(), &"-0.02".into())
        );
        assert_eq!(second["hour"]["sums"]["cost_usd"], "1.02", "the sum has it taken off");
    }
    assert_eq!(totals[0], totals[1]);
}

/// Four days of one model: 1 M input tokens a day at 3 dollars, the third day metered with half of them, none on the fourth.
const METERED: &str = r#"{"id":"a","ts":"2026-11-01T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":1000000,"output_tokens":0}
{"id":"b","ts":"2026-11-02T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":1000000,"output_tokens":0}
{"id":"c","ts":"2026-11-03T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":500000,"output_tokens":0}
{"id":"e","ts":"2026-11-05T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":1000000,"output_tokens":0}
{"id":"f","ts":"2026-11-06T10:00:00Z","provider":"openai","model":"gpt-5","input_tokens":1000000,"output_tokens":0,"cost_usd":"1.5"}
"#;

pub(crate) const BILL: &str = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,\
ChargePeriodEnd,ChargeCategory,ProviderName,ServiceName,ConsumedQuantity,ConsumedUnit,SkuMeter,x_Model\n";

fn billed(day: u32, cost: &str, category: &str, tokens: &str) -> String {
    format!(
        "{cost},{cost},USD,1,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,2026-11-{day:02}T00:00:00Z,2026-11-{:02}T00:00:00Z,{category},Anthropic,Claude API,{tokens},Tokens,input tokens,claude-sonnet-4-6\n",
        day + 1
    )
}

#[test]
fn the_gap_between_bill_and_meter_is_split_into_its_causes() {
    let contract = "[[contract]]\nname = \"edp\"\nprovider = \"anthropic\"\ndiscount = \"10 %\"\n";
    let home = Home::new(&format!("{contract}[reconcile]\nmin_coverage = \"95 %\"\n"), METERED);
    let bill: String = [
        billed(1, "2.7", "Usage", "1000000"),
        billed(2, "3.2", "Usage", "1000000"),
        billed(3, "2.7", "Usage", "1000000"),
        billed(4, "2.7", "Usage", "1000000"),
        billed(4, "-0.5", "Credit", ""),
    ]
    .concat();
    home.write("bill.csv", &format!("{BILL}{bill}"));
    assert!(home.run(&["record", "bill.csv", "--now", NOW]).status.success());
    let found = home.json(&["reconcile", "--period", "2026-11"]);
    let gap = |day: usize| -> Vec<String> {
        let gap = &found["cells"][day]["gap"];
        [
            "missing_calls",
            "token_gap",
            "price_gap",
            "discount_credit",
            "lag",
            "total",
        ]
        .map(|part| gap[format!("{part}_usd")].as_str().unwrap().to_owned())
        .to_vec()
    };
    // missing, tokens, price, discount, lag, total: billed with credits less metered at list price.
    assert_eq!(gap(0), ["0", "0", "0", "-0.3", "0", "-0.3"], "as agreed");
    assert_eq!(gap(1), ["0", "0", "0.5", "-0.3", "0", "0.2"], "a dearer price");
    // Both sides pay what was agreed: the missing tokens too, so that no gap of prices is left.
    assert_eq!(gap(2), ["0", "1.35", "0", "-0.15", "0", "1.2"], "half of the tokens");
    assert_eq!(
        gap(3),
        ["2.7", "0", "0", "-0.5", "0", "2.2"],
        "no call seen, and a credit"
    );
    assert_eq!(gap(4), ["0", "0", "0", "0", "-3", "-3"], "not billed yet");
    let anthropic = &found["providers"]["anthropic"];
    // Covered: 2.7 + 3.2 (all tokens, at a dearer price) + 1.35 of 11.3.
    assert_eq!(anthropic["coverage_percent"], "64.2");
    assert_eq!(anthropic["billed_through"], "2026-11-04T00:00:00Z");
    let openai = &found["providers"]["openai"];
    assert_eq!(
        (&openai["reported_usd"], &openai["reported_computed_usd"]),
        (&"1.5".into(), &"1.25".into())
    );
    assert_eq!(openai["coverage_percent"], serde_json::Value::Null);
    for part in ["metered_usd", "billed_usd", "credits_usd"] {
        assert!(found["total"][part].is_string());
    }
    let table = home.run(&["reconcile", "--period", "2026-11", "--now", NOW]);
    assert_eq!(table.status.code(), Some(1), "below the bound of the settings");
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(text.contains("Metering has seen 64.2 % of what is billed"), "{text}");

    // The same bound raises an alert in a run, once, and a full bill ends it.
    let alerts = |run: &serde_json::Value| -> Vec<String> {
        let changed = run["alerts"]["changed"].as_array().unwrap();
        changed
            .iter()
            .map(|a| format!("{} {}", a["title"].as_str().unwrap(), a["state"].as_str().unwrap()))
            .collect()
    };
    home.write("empty.jsonl", "");
    let settings = "[store]\nurl = \"sqlite:x.db\"\n[reconcile]\nmin_coverage = \"95 %\"\n[[source]]\nname = \"u\"\npaths = [\"empty.jsonl\"]\n";
    home.write("finops.toml", &format!("{contract}{settings}"));
    let run = home.json(&["run"]);
    assert_eq!(
        alerts(&run),
        ["anthropic: metering has seen 64.2 % of what is billed for 2026-11 firing"]
    );
    assert_eq!(alerts(&home.json(&["run"])), [""; 0]);
    home.write(
        "finops.toml",
        &format!("{contract}{}", settings.replace("95 %", "50 %")),
    );
    assert_eq!(alerts(&home.json(&["run"])).len(), 1, "over");
}

#[test]
fn a_late_bill_is_filled_with_metered_spend_as_the_two_compared_last() {
    let budget = "[[budget]]\nname = \"claude\"\nscope = { provider = [\"anthropic\"] }\namount = \"100 USD\"\nperiod = \"month\"\nbasis = \"billed, metered where late\"\n";
    let home = Home::new("", METERED);
    home.write("policies/budgets/b.toml", budget);
    let bill = [
        billed(1, "2.7", "Usage", "1000000"),
        billed(2, "2.7", "Usage", "1000000"),
    ]
    .concat();
    home.write("bill.csv", &format!("{BILL}{bill}"));
    assert!(home.run(&["record", "bill.csv", "--now", NOW]).status.success());
    // Billed 5.4 where 6 was metered: 0.9. The tail: (1.5 + 3) × 0.9 = 4.05; openai has no bill: 1.25.
    let total = |which: &str| {
        let args = [
            "report",
            "--basis",
            "billed-filled",
            "--where",
            which,
            "--by",
            "provider",
        ];
        home.json(&args)["total"]["cost_usd"].as_str().unwrap().to_owned()
    };
    assert_eq!(total("provider=anthropic"), "9.45");
    assert_eq!(total("provider=openai"), "1.25");
    let status = &home.json(&["budget"])["budgets"][0];
    assert_eq!(status["spent"], "9.45");
    let note = status["notes"][0].as_str().unwrap();
    assert!(
        note.starts_with("anthropic is billed to 2026-11-02; since then metered × 0.9"),
        "{note}"
    );
    let text = home.run(&["budget", "--now", NOW]);
    assert!(
        String::from_utf8_lossy(&text.stdout).contains("note: anthropic is billed to"),
        "the text says so"
    );
    // What is scaled is told so in every form, beside the rows where those have no place for it.
    for format in ["table", "json", "jsonl", "csv", "markdown", "html"] {
        let report = ["report", "--basis", "billed-filled", "--now", NOW, "--format", format];
        let output = home.run(&report);
        let aside = matches!(format, "jsonl" | "csv");
        let text = if aside { output.stderr } else { output.stdout };
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(text.contains("anthropic is billed to 2026-11-02"), "{format}: {text}");
    }
}

#[test]
fn a_bill_by_months_is_compared_by_the_month_and_counts_once() {
    let usage = METERED.replace("2026-11", "2026-10");
    let contract = "[[contract]]\nname = \"edp\"\nprovider = \"anthropic\"\ndiscount = \"10 %\"\n";
    let home = Home::new(contract, &usage);
    let row = "9.45,9.45,USD,1,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,Usage,Anthropic,Claude API,3500000,Tokens,input tokens,\n";
    home.write("bill.csv", &format!("{BILL}{row}"));
    assert!(home.run(&["record", "bill.csv", "--now", NOW]).status.success());
    let found = home.json(&["reconcile", "--period", "2026-10", "--provider", "anthropic"]);
    assert_eq!(
        found["cells"].as_array().unwrap().len(),
        1,
        "one month, all models together"
    );
    assert_eq!(found["providers"]["anthropic"]["coverage_percent"], "100");
    let gap = &found["cells"][0]["gap"];
    assert_eq!(
        (
            &gap["price_gap_usd"],
            &gap["token_gap_usd"],
            &gap["discount_credit_usd"]
        ),
        (&"0".into(), &"0".into(), &"-1.05".into())
    );
    for basis in ["effective", "billed-filled"] {
        let args = [
            "report",
            "--basis",
            basis,
            "--where",
            "provider=anthropic",
            "--from",
            "2026-10-01",
            "--to",
            "2026-11-01",
        ];
        assert_eq!(home.json(&args)["total"]["cost_usd"], "9.45", "{basis}: the bill alone");
    }
}
