//! What is asked of bills, where not all of it is: columns that it does not need are not read.

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::spend::Basis;

/// A question that needs a part of a bill's columns. What is wrong in the others is then not told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// What spend is told apart by; everything else is summed.
    pub dimensions: Vec<Dimension>,
    /// The costs that are told; both where none is given.
    pub basis: Option<Basis>,
}

/// Columns of a FOCUS bill by the dimension that alone needs them. The category is not among them: it also tells what counts tokens.
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
    /// Whether a column of a FOCUS bill is needed.
    pub(super) fn needs(&self, column: &str) -> bool {
        let of = COLUMNS.iter().find(|(_, columns)| columns.contains(&column));
        of.is_none_or(|(dimensions, _)| dimensions.iter().any(|d| self.dimensions.contains(d)))
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
