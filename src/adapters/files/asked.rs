//! What is asked of bills, where not all of it is: columns that it does not need are not read.

use super::focus_tokens;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::period::Hour;
use crate::domain::spend::Basis;

/// A question that needs a part of a bill's columns. What is wrong in the others is then not told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// What spend is told apart by; everything else is summed.
    pub dimensions: Vec<Dimension>,
    /// The costs that are told; both where none is given.
    pub basis: Option<Basis>,
    /// Whether tokens are told.
    pub tokens: bool,
    /// The days that are told as a whole; none where hours are told apart.
    pub days: Option<WholeDays>,
}

/// Days in UTC of which no part is told: the hours of a bill are summed within them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WholeDays {
    /// All others before it, where there is an end to them.
    pub before: Option<Hour>,
    /// Days that are cut somewhere, by their first hour.
    pub except: Vec<Hour>,
}

/// Columns of a FOCUS bill by the dimension that alone needs them. The category is not among them: it also tells what
/// counts tokens.
const COLUMNS: [(&[Dimension], &[&str]); 5] = [
    (&[Dimension::Provider], &["ProviderName", "ServiceProviderName"]),
    (&[Dimension::Model], &["x_Model", "x_model", "x_ModelId"]),
    (&[Dimension::Service], &["ServiceName"]),
    (&[Dimension::Account], &["SubAccountId"]),
    (
        &[
            Dimension::Team,
            Dimension::Agent,
            Dimension::Workflow,
            Dimension::User,
            Dimension::Project,
        ],
        &["Tags"],
    ),
];

impl Asked {
    /// Everything that a bill tells.
    #[must_use]
    pub fn everything() -> Self {
        Asked {
            dimensions: Dimension::ALL.to_vec(),
            basis: None,
            tokens: true,
            days: None,
        }
    }

    /// Whether a column of a FOCUS bill is needed.
    pub(super) fn needs(&self, column: &str) -> bool {
        if !self.tokens {
            let counted = focus_tokens::COUNTED.iter().any(|(_, unit)| *unit == column);
            if counted || focus_tokens::READ.contains(&column) {
                return false;
            }
            if column == "ChargeCategory" {
                return self.dimensions.contains(&Dimension::Category);
            }
        }
        let of = COLUMNS.iter().find(|(_, columns)| columns.contains(&column));
        of.is_none_or(|(dimensions, _)| dimensions.iter().any(|d| self.dimensions.contains(d)))
    }

    /// The hour that spend of an hour is summed under.
    #[inline]
    pub(super) fn hour(&self, hour: Hour) -> Hour {
        let Some(days) = &self.days else { return hour };
        let day = hour.day();
        match days.before.is_none_or(|end| day < end) && !days.except.contains(&day) {
            true => day,
            false => hour,
        }
    }

    /// Leaves only the values that are asked for.
    pub(super) fn narrow(&self, dimensions: &mut Dimensions) {
        for dimension in Dimension::ALL {
            if !self.dimensions.contains(&dimension) {
                dimensions.set(dimension, Label::EMPTY);
            }
        }
    }
}
