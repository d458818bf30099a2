//! What `finops reconcile` finds: what sources say that their calls cost against what the price books say, and what no bill tells.

use rust_decimal::Decimal;

use super::text::{clean, count, money};
use super::{CliError, Context, Exit};
use crate::domain::label::Label;
use crate::domain::money::{Currency, Money};
use crate::engine::reconcile::{Reconciliation, Totals};

/// Below so many dollars a difference is no finding.
const LEAST: Decimal = Decimal::ONE;

/// Accounts that are told one by one.
const ACCOUNTS: usize = 4;

/// How much of a bill has to be metered.
pub struct Bound {
    /// In percent.
    pub least: Decimal,
    /// Only of bills of so many dollars.
    above: Decimal,
    /// Who says so.
    by: &'static str,
}

impl Bound {
    /// As asked for, else as the settings say.
    pub fn of(ctx: &Context<'_>, asked: Option<Decimal>) -> Result<Option<Bound>, CliError> {
        if let Some(least) = asked {
            return Ok(Some(Bound {
                least,
                above: Decimal::ZERO,
                by: "--min-coverage",
            }));
        }
        let bound = ctx.config.reconcile.bound().map_err(CliError::usage)?;
        Ok(bound.map(|(least, above)| Bound {
            least,
            above,
            by: "[reconcile] min_coverage",
        }))
    }

    /// A line for each provider that has less.
    pub fn missed(&self, found: &Reconciliation) -> Vec<String> {
        let least = self.least.normalize();
        let line = |(name, totals): (&Label, &Totals)| {
            let percent = totals.short_of(self.least, self.above)?.normalize();
            let name = clean(name.as_str());
            Some(format!(
                "{name}: metering has seen {percent} % of what is billed, less than the {least} % of `{}`",
                self.by
            ))
        };
        found.providers.iter().filter_map(line).collect()
    }
}

/// What was found otherwise, and a line for each provider whose calls say of themselves that they cost something else.
pub fn findings(
    ctx: &Context<'_>,
    found: &Reconciliation,
    others: Option<Vec<String>>,
) -> Result<Vec<String>, CliError> {
    let tolerance = ctx.config.reconcile.tolerance().map_err(CliError::usage)?;
    let line = |(name, totals): (&Label, &Totals)| {
        // Calls without a price are told by themselves. A source may know of what was agreed, or not.
        let priced = &totals.reported.priced;
        let told = priced.cost;
        let difference = |computed: &Decimal| (told - *computed).abs();
        let computed = [priced.list, priced.contracted].into_iter().min_by_key(difference)?;
        let difference = difference(&computed);
        let bound = computed.checked_mul(tolerance)?.checked_div(Decimal::ONE_HUNDRED)?;
        if priced.calls == 0 || difference <= bound || told.max(computed) < LEAST {
            return None;
        }
        let usd = |amount| money(Money::new(amount, Currency::USD));
        Some(format!(
            "{}: calls with a cost of their own: {}, {} in all where {} was computed, more than {} % apart (`[reconcile] reported_tolerance`)",
            clean(name.as_str()),
            count(priced.calls),
            usd(told),
            usd(computed),
            tolerance.normalize()
        ))
    };
    let others = others.into_iter().flatten();
    Ok(others.chain(found.providers.iter().filter_map(line)).collect())
}

/// What `billed` means where there are bills that are not compared.
pub fn unit(found: &Reconciliation) -> &'static str {
    match found.other_currencies.is_empty() {
        true => "",
        false => " in dollars",
    }
}

/// What is not billed yet of accounts that are told apart.
pub fn late(found: &Reconciliation) -> String {
    let unit = unit(found);
    let line = |((provider, account), amount): (&(Label, Label), &Decimal)| {
        let (provider, account) = (clean(provider.as_str()), clean(account.as_str()));
        let amount = money(Money::new(*amount, Currency::USD));
        format!("{provider} account {account}: {amount} is metered and not billed{unit} yet\n")
    };
    let mut text: String = found.late.iter().take(ACCOUNTS).map(line).collect();
    let more = found.late.len().saturating_sub(ACCOUNTS);
    if more > 0 {
        text += &format!("further accounts with use that is not billed yet: {more}\n");
    }
    text
}

/// How a comparison ends that was asked for a coverage, with findings or without. What is not known passes no check: neither where nothing
/// is billed, nor where calls of a provider are not billed at all.
pub fn covered(found: &Reconciliation, total: &Totals, least: Decimal, is_short: bool) -> Result<Exit, CliError> {
    let hint = "record the bill, or choose another time with `--period` or one provider with `--provider`";
    let unpriced = found
        .providers
        .iter()
        .filter(|(_, totals)| totals.may_be_short_of(least));
    let unpriced: Vec<String> = unpriced.map(|(name, _)| clean(name.as_str())).collect();
    if !unpriced.is_empty() && !is_short {
        let error = format!(
            "calls of {} have no price: whether metering has seen {} % of its bill cannot be told",
            unpriced.join(", "),
            least.normalize()
        );
        return Err(CliError::incomplete(error).hint("`finops price missing` says what to write"));
    }
    let least = least.normalize();
    if total.coverage().is_none() {
        let unit = unit(found);
        let error =
            format!("nothing is billed{unit} in that time: whether metering has seen {least} % of it cannot be told");
        return Err(CliError::incomplete(error).hint("record the bill, or choose another time with `--period`"));
    }
    if is_short {
        return Ok(Exit::Findings);
    }
    let unbilled = found.providers.iter().filter(|(_, totals)| totals.is_unbilled());
    let unbilled: Vec<String> = unbilled.map(|(name, _)| clean(name.as_str())).collect();
    if unbilled.is_empty() {
        return Ok(Exit::Fine);
    }
    let error = format!(
        "nothing is billed of {} in that time: whether metering has seen {least} % of it cannot be told",
        unbilled.join(", ")
    );
    Err(CliError::incomplete(error).hint(hint))
}
