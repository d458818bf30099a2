//! What a line item costs when commitments are spread over what they cover, and where that stands.

use rust_decimal::Decimal;

use super::{Context, Fault, Row, Spread};
use crate::domain::money::{FINEST, MoneyError, add_exact};

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

/// Columns of how much of a savings plan's commitment there was, and was used. They are of before discounts.
const COMMITMENT: [&str; 2] = ["savings_plan_total_commitment_to_date", "savings_plan_used_commitment"];

/// Columns of a commitment after discounts and before them: of what recurs, and of what was paid at once.
const DISCOUNTED: [[&str; 2]; 2] = [
    [
        "savings_plan_net_recurring_commitment_for_billing_period",
        "savings_plan_recurring_commitment_for_billing_period",
    ],
    [
        "savings_plan_net_amortized_upfront_commitment_for_billing_period",
        "savings_plan_amortized_upfront_commitment_for_billing_period",
    ],
];

/// Columns of which the first that is given tells how much of a reservation's upfront fee was not used, and of its recurring one. The first
/// ones are of after discounts.
const RESERVED: [[&str; 2]; 2] = [
    [
        "reservation_net_unused_amortized_upfront_fee_for_billing_period",
        "reservation_unused_amortized_upfront_fee_for_billing_period",
    ],
    [
        "reservation_net_unused_recurring_fee",
        "reservation_unused_recurring_fee",
    ],
];

/// All columns that tell how much of a commitment was not used.
pub(super) fn unused_columns() -> impl Iterator<Item = &'static str> {
    let pairs = DISCOUNTED.into_iter().chain(RESERVED);
    COMMITMENT.into_iter().chain(pairs.flatten())
}

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
            let columns: &[&str] = match LISTS.get(list) {
                Some(list) => list,
                None => &[],
            };
            first(row, columns, context)?
        }
        None => unused(row, kind, context)?,
    };
    Ok(spread.or(net).unwrap_or(billed))
}

/// How much of a commitment was not used, after discounts.
fn unused(row: &Row<'_>, kind: &str, context: &mut Context) -> Result<Option<Decimal>, Fault> {
    if kind == "RIFee" {
        let [upfront, recurring] = RESERVED;
        let (upfront, unused) = (first(row, &upfront, context)?, first(row, &recurring, context)?);
        let sum = || add_exact(upfront.unwrap_or_default(), unused.unwrap_or_default());
        let sum = upfront.or(unused).map(|_| sum()).transpose();
        return sum.map_err(|e| Fault::field(recurring[1], e.to_string()));
    }
    let [total, used] = COMMITMENT;
    let (Some(commitment), of_it) = (amount(row, total, context)?, amount(row, used, context)?) else {
        return Ok(None);
    };
    let odd = |e: MoneyError| Fault::field(used, e.to_string());
    let unused = add_exact(commitment, -of_it.unwrap_or_default()).map_err(odd)?;
    for [net, gross] in DISCOUNTED {
        if let (Some(net), Some(gross)) = (amount(row, net, context)?, amount(row, gross, context)?)
            && !gross.is_zero()
        {
            // Discounts are told of the whole commitment: what is not used has its part of them.
            let part = unused.checked_mul(net).and_then(|part| part.checked_div(gross));
            let part = part.ok_or(MoneyError::Overflow).map_err(odd)?;
            return Ok(Some(part.round_dp(FINEST)));
        }
    }
    Ok(Some(unused))
}

/// The amount of the first column that has one.
fn first(row: &Row<'_>, columns: &[&str], context: &mut Context) -> Result<Option<Decimal>, Fault> {
    let mut columns = columns.iter();
    columns
        .find_map(|column| amount(row, column, context).transpose())
        .transpose()
}

/// The amount of a column, if it has one.
fn amount(row: &Row<'_>, column: &str, context: &mut Context) -> Result<Option<Decimal>, Fault> {
    match row.get(column) {
        "" => Ok(None),
        _ => row.money(column, context).map(Some),
    }
}

/// Kinds of lines that are use, as a Cost and Usage Report calls them and Cost Explorer its record types. What a savings plan covers stands
/// at its full price beside the negation of that: together they come to nothing.
pub(crate) const USAGE: [&str; 4] = [
    "Usage",
    "DiscountedUsage",
    "SavingsPlanCoveredUsage",
    "SavingsPlanNegation",
];

/// The FOCUS category of a line item or a record type.
pub(in super::super) fn category(kind: &str) -> &'static str {
    match kind {
        "RIFee" | "Fee" | "SavingsPlanRecurringFee" | "SavingsPlanUpfrontFee" => "Purchase",
        // What Cost Explorer calls the fees of reservations.
        "Recurring" | "Upfront" | "Purchase" => "Purchase",
        "Tax" => "Tax",
        "Credit" => "Credit",
        use_of if USAGE.contains(&use_of) => "Usage",
        // Refunds and the several kinds of discount.
        _ => "Adjustment",
    }
}
