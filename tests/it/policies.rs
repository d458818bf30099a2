//! Tests beside policies: the real binary runs them and says what is otherwise; the schema describes every key.

use std::path::Path;
use std::process::Output;

use crate::support::program;

fn finops(folder: &Path, args: &[&str]) -> Output {
    program(folder).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const BUDGETS: &str = r#"
[[budget]]
name = "search"
scope = { team = "search" }
amount = "100 EUR"
period = "month"
time_zone = "Europe/Berlin"

[[budget]]
name = "everything"
amount = "500 USD"
period = "week"
"#;

fn with_test(test: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let budgets = folder.path().join("policies/budgets");
    std::fs::create_dir_all(&budgets).unwrap();
    std::fs::write(budgets.join("teams.toml"), BUDGETS).unwrap();
    std::fs::write(budgets.join("teams.test.toml"), test).unwrap();
    folder
}

#[test]
fn a_test_that_fails_says_where_the_budget_stands_and_what_is_otherwise() {
    let folder = with_test(
        r#"
        [[test]]
        name = "the first hour of a local day belongs to its month"
        budget = "search"
        now = "2026-11-30T23:30:00Z"
        spend = [{ day = "2026-12-01", cost = "7.25 EUR", where = { team = "search" } }]
        spent = "7.25"

        [[test]]
        name = "wrong on purpose"
        budget = "search"
        now = "2026-11-24T12:00:00Z"
        spend = [{ from = "2026-11-01", to = "2026-11-25", cost = "4.50", where = { team = "search" } }]
        spent = "107"
        forecast = "140"
        expect = [
            { threshold = "90 % actual", state = "firing" },
            { threshold = "80 % forecast", state = "firing" },
        ]
        "#,
    );
    let output = finops(folder.path(), &["policy", "test"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout), @r"
    ok budgets/teams.test.toml: the first hour of a local day belongs to its month
    FAILED budgets/teams.test.toml: wrong on purpose
      search at 2026-11-24T12:00:00Z: 108.00 EUR of 100.00 EUR spent (108.0 %), forecast 137.06 EUR
      - 80 % forecast: firing
      + 80 % forecast: pending
      - 100 % actual: none
      + 100 % actual: firing
      - spent: 107
      + spent: 108
      - forecast: 140
      + forecast: 137
      - 90 % actual: firing
      + 90 % actual: no such threshold: there are 80 % forecast, 100 % actual
    2 tests, 1 failed
    ");

    let output = finops(folder.path(), &["policy", "check", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["failed"], &document["budgets"]), (&1.into(), &2.into()));
    assert_eq!(document["untested"], serde_json::json!(["everything"]));
    assert_eq!(document["tests"][1]["differences"][0]["what"], "80 % forecast");

    let output = finops(folder.path(), &["policy", "test", "every*"]);
    assert_eq!(output.status.code(), Some(2), "no test is no success");
}

#[test]
fn a_test_that_makes_no_sense_is_pointed_at() {
    let test = |more: &str| format!("[[test]]\nname = \"x\"\nnow = \"2026-11-24T12:00:00Z\"\n{more}\n");
    let search = |more: &str| test(&format!("budget = \"search\"\n{more}"));
    for (wrong, why) in [
        (test(""), "name the `budget`: search, everything"),
        (test("budget = \"sales\""), "`sales` is not in the file beside it"),
        (search("expects = []"), "hint: did you mean `expect`?"),
        (search("whatever = 1"), "hint: known here: name, "),
        (search("spent = \"1 USD\""), "`spent`: the budget is in EUR"),
        (
            search("spend = [{ cost = \"1\" }]"),
            "`spend` needs either `day`, or `from` and `to`",
        ),
        (search("spend = [{ day = \"2026-11-01\" }]"), "`spend` needs a `cost`"),
        (
            search("spend = [{ from = \"2026-11-02\", to = \"2026-11-02\", cost = \"1\" }]"),
            "`to` is the day after the last",
        ),
        (
            search("expect = [{ threshold = \"all of it\", state = \"firing\" }]"),
            "is not of the form `100 % actual`",
        ),
    ] {
        let output = finops(with_test(&wrong).path(), &["policy", "test"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {said}");
        assert!(
            said.contains(why) && said.contains("teams.test.toml") && said.contains("hint: "),
            "{wrong}: {said}"
        );
    }
    let folder = with_test("");
    std::fs::rename(
        folder.path().join("policies/budgets/teams.test.toml"),
        folder.path().join("policies/budgets/gone.test.toml"),
    )
    .unwrap();
    let output = finops(folder.path(), &["policy", "check"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("gone.toml"), "{}", text(&output.stderr));
}

#[test]
fn spend_of_bills_and_of_calls_counts_in_a_test_as_in_a_run() {
    let budgets = BUDGETS.replace(
        "period = \"week\"",
        "period = \"month\"\nbasis = \"billed, metered where late\"",
    );
    let rows = [
        ("billed", "01", "03"),
        ("metered", "03", "06"),
        ("effective", "01", "06"),
    ];
    let rows = rows.map(|(basis, from, to)| {
        format!("{{ from = \"2026-11-{from}\", to = \"2026-11-{to}\", cost = \"90\", basis = \"{basis}\" }}")
    });
    let test = format!(
        "[[test]]\nname = \"x\"\nbudget = \"everything\"\nnow = [\"2026-11-04T12:00:00Z\", \"2026-11-05T12:00:00Z\"]\nspend = [{}, {{ day = \"2026-11-01\", cost = \"100\" }}]\nspent = \"550\"\nexpect = [{{ threshold = \"80 % forecast\", state = \"suppressed\" }}, {{ threshold = \"100 % actual\", state = \"firing\" }}]\n",
        rows.join(", ")
    );
    let folder = with_test(&test);
    let file = |name: &str| folder.path().join("policies/budgets").join(name);
    std::fs::write(file("teams.toml"), &budgets).unwrap();
    // What an editor or a system keeps beside a file is no policy.
    std::fs::write(file("._teams.toml"), "\0").unwrap();
    std::fs::create_dir(file("old.toml")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("ada@laptop.1234", file(".#teams.toml")).unwrap();
    let output = finops(folder.path(), &["policy", "test"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
}

#[test]
fn the_tests_that_are_shipped_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = finops(&root.join("examples/tour"), &["policy", "check"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    assert!(
        text(&output.stdout).ends_with(", 0 failed\n"),
        "{}",
        text(&output.stdout)
    );

    let fresh = tempfile::tempdir().unwrap();
    assert_eq!(finops(fresh.path(), &["init"]).status.code(), Some(0));
    let output = finops(fresh.path(), &["policy", "check"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    assert!(
        text(&output.stdout).ends_with("2 tests, 0 failed\n"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn the_schema_of_policies_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = finops(root, &["config", "schema", "--policies"]);
    let committed = std::fs::read_to_string(root.join("policies/schema.json")).unwrap();
    assert!(
        text(&output.stdout) == committed,
        "write it anew: finops config schema --policies --output policies/schema.json"
    );
    let schema: serde_json::Value = serde_json::from_str(&committed).unwrap();
    for key in [
        "BudgetPolicy",
        "TestPolicy",
        "SpendPolicy",
        "ExpectPolicy",
        "ThresholdPolicy",
    ] {
        assert!(schema["$defs"][key]["properties"].is_object(), "{key}");
    }
}
