//! What a line item costs when commitments are spread over what they cover, and where that stands.

use rust_decimal::Decimal;

use super::{Context, Fault, Row, Spread};
use crate::domain::money::add_exact;

/// The cost after discounts, which is the effective one where nothing else is.
pub(super) const NET: &str = "line_item_net_unblended_cost";

/// The reservation that a line item is about.
pub(super) const RESERVATION: &str = "reservation_reservation_a_r_n";

/// Columns of which the first that is given is the effective cost of what a savings plan covers, and a reservation.
pub(super) const LISTS: [[&str; 2]; 2] = [
    [
        "savings_plan_net_savings_plan_effective_cost",
        "savings_plan_savings_plan_effective_cost",
    ],
    ["reservation_net_effective_cost", "reservation_effective_cost"],
];

/// Columns that tell how much of a commitment was not used.
pub(super) const UNUSED: [&str; 4] = [
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_recurring_fee",
];

/// Where the effective cost of a line item stands; none where it is a sum of columns.
pub(super) fn spread(row: &Row<'_>, kind: &str) -> Option<Spread> {
    match kind {
        "SavingsPlanCoveredUsage" => Some(Spread::Listed(0)),
        "DiscountedUsage" => Some(Spread::Listed(1)),
        // What the plan covers is charged with the usage that it covers.
        "SavingsPlanNegation" | "SavingsPlanUpfrontFee" => Some(Spread::Nothing),
        "Fee" if !row.get(RESERVATION).is_empty() => Some(Spread::Nothing),
        "SavingsPlanRecurringFee" | "RIFee" => None,
        _ => Some(Spread::Own),
    }
}

/// What a row costs when commitments are spread over what they cover.
pub(super) fn effective(row: &Row<'_>, kind: &str, billed: Decimal, context: &mut Context) -> Result<Decimal, Fault> {
    let net = amount(row, NET, context)?;
    let spread = match spread(row, kind) {
        Some(Spread::Nothing) => return Ok(Decimal::ZERO),
        Some(Spread::Own) => None,
        Some(Spread::Listed(list)) => {
            let mut columns = LISTS.get(list).into_iter().flatten();
            columns
                .find_map(|column| amount(row, column, context).transpose())
                .transpose()?
        }
        None => unused(row, kind, context)?,
    };
    Ok(spread.or(net).unwrap_or(billed))
}

/// How much of a commitment was not used.
fn unused(row: &Row<'_>, kind: &str, context: &mut Context) -> Result<Option<Decimal>, Fault> {
    let [total, used, upfront, recurring] = UNUSED;
    let (a, b, last, told) = if kind == "RIFee" {
        let (upfront, unused) = (amount(row, upfront, context)?, amount(row, recurring, context)?);
        (upfront, unused, recurring, upfront.or(unused))
    } else {
        let (total, of_it) = (amount(row, total, context)?, amount(row, used, context)?);
        (total, of_it.map(|of_it| -of_it), used, total)
    };
    let sum = || add_exact(a.unwrap_or_default(), b.unwrap_or_default());
    told.map(|_| sum().map_err(|e| Fault::field(last, e.to_string())))
        .transpose()
}

/// The amount of a column, if it has one.
fn amount(row: &Row<'_>, column: &str, context: &mut Context) -> Result<Option<Decimal>, Fault> {
    match row.get(column) {
        "" => Ok(None),
        _ => row.money(column, context).map(Some),
    }
}

/// The FOCUS category of a line item.
pub(in super::super) fn category(kind: &str) -> &'static str {
    match kind {
        "RIFee" | "Fee" | "SavingsPlanRecurringFee" | "SavingsPlanUpfrontFee" => "Purchase",
        "Tax" => "Tax",
        "Credit" => "Credit",
        "Usage" | "DiscountedUsage" | "SavingsPlanCoveredUsage" | "SavingsPlanNegation" => "Usage",
        // Refunds and the several kinds of discount.
        _ => "Adjustment",
    }
}
