//! `finops bill`: the bills of the ledger, and taking one back.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use rust_decimal::Decimal;

use super::price::{put, put_rows};
use super::text::{clean, counted, money};
use super::{CliError, Context, Exit, Format, wire};
use crate::adapters::files::taken_back;
use crate::domain::glob::glob_matches;
use crate::domain::money::{Currency, Money};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, Bill, KnownBill, SpendRows};
use crate::ports::{Ledger, RecordBatch};

/// The arguments of `finops bill`.
#[derive(Debug, clap::Args)]
pub struct BillArgs {
    /// What to do; `list` if not given
    #[command(subcommand)]
    pub what: Option<What>,
}

/// What to do with bills.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// The bills of the ledger with what they come to
    List,
    /// Take bills back: their rows no longer count
    ///
    /// A bill is recorded again when its source is read anew after a file of it has changed.
    Drop {
        /// Bills as `finops bill list` names them, or patterns: `files/*`
        #[arg(required = true, value_name = "BILL")]
        bills: Vec<String>,
        /// Say what would be taken back and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// Lists bills or takes some back.
pub fn run(ctx: &mut Context<'_>, args: &BillArgs) -> Result<Exit, CliError> {
    match &args.what {
        Some(What::Drop { bills, dry_run }) => take_back(ctx, bills, *dry_run),
        Some(What::List) | None => list(ctx),
    }
}

fn list(ctx: &mut Context<'_>) -> Result<Exit, CliError> {
    let bills = wire::ledger_to_read(ctx)?.bills()?;
    if bills.is_empty() && ctx.format == Format::Table {
        return put(ctx, "no bill is recorded\n").map(|()| Exit::Fine);
    }
    let mut rows = Vec::new();
    for bill in &bills {
        let day = |hour: Hour| hour.start().format("%Y-%m-%d").to_string();
        let mut currencies: BTreeMap<Currency, [Decimal; 2]> = BTreeMap::new();
        for ((basis, currency), cost) in &bill.costs {
            let [billed, effective] = currencies.entry(*currency).or_default();
            match basis {
                Basis::Billed => *billed = *cost,
                Basis::Effective | Basis::Metered | Basis::BilledFilled => *effective = *cost,
            }
        }
        for (currency, [billed, effective]) in currencies {
            rows.push(vec![
                bill.identity.clone(),
                day(bill.days.0),
                day(bill.days.1),
                billed.normalize().to_string(),
                effective.normalize().to_string(),
                currency.to_string(),
            ]);
        }
    }
    put_rows(
        ctx,
        &["bill", "first_day", "last_day", "billed", "effective", "currency"],
        &rows,
        "bills",
    )?;
    Ok(Exit::Fine)
}

fn take_back(ctx: &mut Context<'_>, wanted: &[String], dry_run: bool) -> Result<Exit, CliError> {
    let now = ctx.now;
    let mut ledger = wire::ledger(ctx)?;
    let known = ledger.bills()?;
    let of = |name: &String| -> Vec<&KnownBill> {
        let exact = known.iter().filter(|bill| bill.identity == *name);
        let exact: Vec<_> = exact.collect();
        match exact.is_empty() {
            true => known.iter().filter(|bill| glob_matches(name, &bill.identity)).collect(),
            false => exact,
        }
    };
    let mut chosen: BTreeMap<&str, &KnownBill> = BTreeMap::new();
    for name in wanted {
        let found = of(name);
        if found.is_empty() {
            return Err(CliError::usage(format!("no bill is named `{}`", clean(name)))
                .hint("`finops bill list` names the bills of the ledger"));
        }
        chosen.extend(found.into_iter().map(|bill| (bill.identity.as_str(), bill)));
    }
    for bill in chosen.values() {
        if !dry_run {
            ledger.replace_bill(&nothing(&bill.identity), now)?;
        }
        let costs = bill.costs.iter().filter(|((basis, _), _)| *basis == Basis::Billed);
        let costs: Vec<String> = costs
            .map(|((_, currency), cost)| money(Money::new(*cost, *currency)))
            .collect();
        writeln!(
            ctx.out,
            "{} `{}`: {} billed in {}",
            if dry_run { "would take back" } else { "took back" },
            clean(&bill.identity),
            costs.join(", "),
            counted(bill.rows, "row")
        )?;
    }
    let left = known.iter().map(|bill| bill.identity.as_str());
    let left: BTreeSet<&str> = left.filter(|bill| !chosen.contains_key(bill)).collect();
    if !dry_run {
        let sources = chosen.keys().filter_map(|bill| bill.split('/').next());
        let configured = ctx.config.sources.iter().map(|source| source.name.as_str());
        miss_none(ctx, ledger.as_mut(), sources.chain(configured).collect(), &left)?;
    }
    Ok(Exit::Fine)
}

/// Notes of files that told none of the bills that are `left` that nothing is missing where they are gone: else no alert would end for them.
fn miss_none(
    ctx: &Context<'_>,
    ledger: &mut dyn Ledger,
    sources: BTreeSet<&str>,
    left: &BTreeSet<&str>,
) -> Result<(), CliError> {
    let mut batch = RecordBatch::default();
    for source in sources {
        let known = ledger.checkpoints(source)?;
        let noted = taken_back(&known, |bill| !left.contains(bill));
        let noted = noted.into_iter().map(|(key, at)| (source.to_owned(), key, at));
        batch.checkpoints.extend(noted);
    }
    if !batch.checkpoints.is_empty() {
        ledger.record(&batch, wire::pricer(ctx)?.as_ref(), ctx.now)?;
    }
    Ok(())
}

/// A bill of nothing, which takes the place of the one that there is.
fn nothing(identity: &str) -> Bill {
    Bill {
        identity: identity.to_owned(),
        period: Period::new(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH),
        rows: SpendRows::default(),
        settled_before: None,
        formerly: None,
    }
}
