//! What one call costs: priced, by a named entry of a named book, or unpriced, with a reason. Never zero for "unknown".

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::label::Label;

/// Why a call has no honest price.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum UnpricedReason {
    /// No book knows the model under this provider.
    UnknownModel,
    /// The name says nothing about the model (an application inference profile, a deployment): it needs a map.
    OpaqueName,
    /// The model is known, but not at the time of the call.
    NoPriceOnDate,
    /// The service tier, speed or geography has no rate.
    UnknownTier,
    /// The source gives no cache split or no usage at all.
    UsageIncomplete,
    /// A bucket of the call has no rate in the entry.
    NoRate,
    /// The record does not name a model.
    ModelMissing,
    /// The exact price needs more digits than money has.
    OutOfRange,
}

impl UnpricedReason {
    /// All of them; the position is what stores keep.
    pub const ALL: [UnpricedReason; 8] = [
        UnpricedReason::UnknownModel,
        UnpricedReason::OpaqueName,
        UnpricedReason::NoPriceOnDate,
        UnpricedReason::UnknownTier,
        UnpricedReason::UsageIncomplete,
        UnpricedReason::NoRate,
        UnpricedReason::ModelMissing,
        UnpricedReason::OutOfRange,
    ];

    /// The reason in words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            UnpricedReason::UnknownModel => "unknown model",
            UnpricedReason::OpaqueName => "opaque name, needs a map",
            UnpricedReason::NoPriceOnDate => "no price on that date",
            UnpricedReason::UnknownTier => "no rate for that tier, speed or geography",
            UnpricedReason::UsageIncomplete => "usage incomplete",
            UnpricedReason::NoRate => "a kind of token, unit or request has no rate",
            UnpricedReason::ModelMissing => "model missing",
            UnpricedReason::OutOfRange => "price out of range",
        }
    }
}

impl fmt::Display for UnpricedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// How a call was priced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Priced by this entry: `book/provider/entry@valid-from`.
    Priced(Label),
    /// Not priced, and why.
    Unpriced(UnpricedReason),
}

/// What a call is told to cost at most where that is out of range: more than any call costs, and so little that many of them can be added up.
pub const MOST: Decimal = Decimal::from_parts(TEN_BILLION as u32, (TEN_BILLION >> 32) as u32, 0, false, 0);
const TEN_BILLION: u64 = 10_000_000_000;

/// An amount of worst cases as it can be added up. Earlier builds took the greatest decimal there is for what is out of range, of which no
/// two have a sum.
#[must_use]
pub fn summable(worst_case: Decimal) -> Decimal {
    if worst_case == Decimal::MAX {
        MOST
    } else if worst_case == Decimal::MIN {
        -MOST
    } else {
        worst_case
    }
}

/// The cost of one call in USD.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Charge {
    /// Exact cost; zero when unpriced, which the outcome tells apart from a price of zero.
    pub cost: Decimal,
    /// What it may cost at most: the cost when priced, else the highest rates of the same provider's entries.
    pub worst_case: Decimal,
    /// How it was priced.
    pub outcome: Outcome,
}

impl Charge {
    /// A priced call.
    #[must_use]
    pub fn priced(cost: Decimal, entry: Label) -> Self {
        Charge {
            cost,
            worst_case: cost,
            outcome: Outcome::Priced(entry),
        }
    }

    /// A call without an honest price.
    #[must_use]
    pub fn unpriced(reason: UnpricedReason, worst_case: Decimal) -> Self {
        Charge {
            cost: Decimal::ZERO,
            worst_case: summable(worst_case),
            outcome: Outcome::Unpriced(reason),
        }
    }

    /// Whether there is a price.
    #[must_use]
    pub fn is_priced(&self) -> bool {
        matches!(self.outcome, Outcome::Priced(_))
    }
}
