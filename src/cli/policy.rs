//! `finops policy`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::config::notes;
use super::text::{clean, count, counted, money, paint};
use super::{CliError, Context, Exit, Format, wire};
use crate::adapters::memory::{MemoryAlerts, MemoryLedger};
use crate::adapters::policies::load_tests;
use crate::domain::budget::Budget;
use crate::domain::contract::Terms;
use crate::domain::glob::glob_matches;
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::policy_test::PolicyTest;
use crate::domain::price::Books;
use crate::domain::spend::Bill;
use crate::engine::evaluate::text::part;
use crate::engine::policy_test::{Outcome, run as run_test};
use crate::engine::view::View;
use crate::ports::Ledger as _;

/// The arguments of `finops policy`.
#[derive(Debug, clap::Args)]
pub struct PolicyArgs {
    /// What to do
    #[command(subcommand)]
    pub what: What,
}

/// What can be done with policies.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// Read every policy, run the tests beside them, and name the budgets that have none
    Check,
    /// Run the tests beside the policies: `policies/budgets/NAME.test.toml`
    Test {
        /// Only tests of budgets whose name matches, `*` and `?` allowed
        #[arg(value_name = "BUDGET")]
        budget: Option<String>,
    },
}

/// One test and what it found.
struct Ran<'a> {
    path: PathBuf,
    test: &'a PolicyTest,
    budget: &'a Budget,
    outcome: Outcome,
}

/// Runs `finops policy`.
pub fn run(ctx: &mut Context<'_>, args: &PolicyArgs) -> Result<Exit, CliError> {
    if matches!(ctx.format, Format::Csv | Format::Markdown | Format::Html) {
        return Err(CliError::usage("`finops policy` has no such format").hint("use `--format json` or `jsonl`"));
    }
    let wanted = match &args.what {
        What::Check => None,
        What::Test { budget } => budget.as_deref(),
    };
    let budgets = wire::budgets(ctx)?;
    if matches!(args.what, What::Check) {
        // Price books of the folder and of the settings: an error in one is told like any other.
        wire::pricer(ctx)?;
    }
    let folder = ctx.config.policies_dir();
    let files = load_tests(&folder, &budgets)?;
    let mut ran = Vec::new();
    for file in &files {
        for test in file
            .tests
            .iter()
            .filter(|t| wanted.is_none_or(|w| glob_matches(w, &t.budget)))
        {
            let Some(budget) = budgets.iter().find(|b| b.name == test.budget) else {
                continue;
            };
            ran.push(Ran {
                path: file.path.clone(),
                test,
                budget,
                outcome: outcome(test, budget)?,
            });
        }
    }
    if let Some(wanted) = wanted.filter(|_| ran.is_empty()) {
        return Err(
            CliError::usage(format!("no test is of a budget that matches `{wanted}`"))
                .hint("`finops policy check` names the budgets that have no test"),
        );
    }
    let untested: Vec<&str> = budgets
        .iter()
        .map(|b| b.name.as_str())
        .filter(|name| !ran.iter().any(|r| r.test.budget == *name))
        .collect();
    let check = matches!(args.what, What::Check);
    let told = |budget: &Budget| {
        notes(budget, ctx.now)
            .map(|told| format!("{}: {told}", budget.name))
            .collect::<Vec<_>>()
    };
    let notes: Vec<String> = budgets.iter().filter(|_| check).flat_map(told).collect();
    match ctx.format {
        Format::Json => writeln!(
            ctx.out,
            "{:#}",
            document(&ran, budgets.len(), &untested, wanted.is_none(), &notes)
        )?,
        Format::Jsonl => ran.iter().try_for_each(|r| writeln!(ctx.out, "{}", record(r)))?,
        Format::Table | Format::Csv | Format::Markdown | Format::Html => {
            for each in &ran {
                let text = shown(each, &folder, ctx.color);
                ctx.out.write_all(text.as_bytes())?;
            }
            let failed = failures(&ran);
            if check {
                let budgets = counted(budgets.len() as u64, "budget");
                writeln!(ctx.out, "{budgets} in {}", folder.display())?;
                for name in &untested {
                    writeln!(ctx.out, "no test: {}", clean(name))?;
                }
                for note in &notes {
                    writeln!(ctx.out, "note: {}", clean(note))?;
                }
            }
            writeln!(
                ctx.out,
                "{}, {} failed",
                counted(ran.len() as u64, "test"),
                count(failed)
            )?;
        }
    }
    Ok(if failures(&ran) > 0 { Exit::Findings } else { Exit::Fine })
}

fn failures(ran: &[Ran<'_>]) -> usize {
    ran.iter().filter(|r| !r.outcome.differences.is_empty()).count()
}

fn outcome(test: &PolicyTest, budget: &Budget) -> Result<Outcome, CliError> {
    let mut ledger = MemoryLedger::new();
    let first = test.spend.iter().map(|(key, _)| key.hour.start()).min();
    let last = test.evaluations.last().copied();
    if let Some((first, last)) = first.zip(last) {
        // As rows of a bill, so that they are taken as they are, whatever they are based on.
        let bill = Bill {
            identity: "test".to_owned(),
            period: Period::new(first, last),
            rows: test.spend.iter().copied().collect(),
            settled_before: None,
            formerly: None,
        };
        ledger.replace_bill(&bill, last)?;
    }
    // Spend of a bill, or that is metered, counts to the mixture of both as in a run; what is said to be of the mixture is taken as it is.
    let no_books = Box::new(|| Ok(Books::default()));
    let view = View::new(Box::new(ledger), Terms::default(), no_books, last.unwrap_or_default());
    let mut ledger = view.filling(wire::filling(std::slice::from_ref(budget)));
    Ok(run_test(test, budget, &mut ledger, &mut MemoryAlerts::new())?)
}

/// A line for a test that passed; for one that failed, where the budget stands and what is otherwise.
fn shown(ran: &Ran<'_>, folder: &Path, color: bool) -> String {
    let file = ran.path.strip_prefix(folder).unwrap_or(&ran.path).display();
    let name = clean(&ran.test.name);
    if ran.outcome.differences.is_empty() {
        return format!("{} {file}: {name}\n", paint("ok", 32, color));
    }
    let mut text = format!("{} {file}: {name}\n", paint("FAILED", 31, color));
    if let Some(status) = &ran.outcome.status {
        let currency = ran.budget.amount.currency();
        let forecast = status.forecast.as_ref().map_or_else(
            || "no forecast".to_owned(),
            |f| format!("forecast {}", money(Money::new(f.end, currency))),
        );
        text.push_str(&format!(
            "  {} at {}: {} of {} spent{}, {forecast}\n",
            clean(&ran.budget.name),
            status.now.format("%Y-%m-%dT%H:%M:%SZ"),
            money(Money::new(status.spent, currency)),
            money(ran.budget.amount),
            part(status.spent, status),
        ));
    }
    for difference in &ran.outcome.differences {
        let line = |sign: &str, value: &str| format!("  {sign} {}: {value}", difference.what);
        text.push_str(&paint(&line("-", &difference.expected), 31, color));
        text.push('\n');
        text.push_str(&paint(&line("+", &difference.found), 32, color));
        text.push('\n');
    }
    text
}

fn record(ran: &Ran<'_>) -> Value {
    let differences: Vec<Value> = ran
        .outcome
        .differences
        .iter()
        .map(|d| json!({ "what": d.what, "expected": d.expected, "found": d.found }))
        .collect();
    json!({
        "file": ran.path.display().to_string(),
        "test": ran.test.name,
        "budget": ran.test.budget,
        "passed": differences.is_empty(),
        "differences": differences,
    })
}

fn document(ran: &[Ran<'_>], budgets: usize, untested: &[&str], all: bool, notes: &[String]) -> Value {
    json!({
        "schema_version": 1,
        "budgets": budgets,
        "tests": ran.iter().map(record).collect::<Vec<_>>(),
        "failed": failures(ran),
        "untested": if all { untested } else { &[] },
        "notes": notes,
    })
}
