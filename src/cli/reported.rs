//! What sources say that their calls cost, against what the price books say.

use rust_decimal::Decimal;

use super::text::{clean, counted, money};
use super::{CliError, Context};
use crate::domain::label::Label;
use crate::domain::money::{Currency, Money};
use crate::engine::reconcile::{Reconciliation, Totals};

/// Below so many dollars a difference is no finding.
const LEAST: Decimal = Decimal::ONE;

/// A line for each provider whose calls say of themselves that they cost something else.
pub fn differing(ctx: &Context<'_>, found: &Reconciliation) -> Result<Vec<String>, CliError> {
    let tolerance = ctx.config.reconcile.tolerance().map_err(CliError::usage)?;
    let line = |(name, totals): (&Label, &Totals)| {
        let (told, computed) = (totals.reported.cost, totals.reported.computed);
        let difference = (told - computed).abs();
        let bound = computed.checked_mul(tolerance)?.checked_div(Decimal::ONE_HUNDRED)?;
        if totals.reported.calls == 0 || difference <= bound || told.max(computed) < LEAST {
            return None;
        }
        let usd = |amount| money(Money::new(amount, Currency::USD));
        Some(format!(
            "{}: {} tell a cost of their own, {} in all where {} was computed: more than {} % apart (`[reconcile] reported_tolerance`)",
            clean(name.as_str()),
            counted(totals.reported.calls.unsigned_abs(), "call"),
            usd(told),
            usd(computed),
            tolerance.normalize()
        ))
    };
    Ok(found.providers.iter().filter_map(line).collect())
}
