//! Providers in one spelling.

use std::collections::HashMap;

use crate::domain::billed::billed_provider;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::price::provider_key;
use crate::domain::spend::SpendKey;

/// Found once per name: a ledger has many rows and few names.
#[derive(Default)]
pub struct Names {
    billed: HashMap<(Label, Label, bool), Option<Label>>,
    metered: HashMap<Label, Label>,
}

impl Names {
    /// The provider whose use a row of a bill charges; none where it is no use of models.
    pub fn billed(&mut self, key: &SpendKey) -> Option<Label> {
        let of = |d| key.dimensions.get(d);
        let name = (
            of(Dimension::Provider),
            of(Dimension::Service),
            of(Dimension::Model).is_empty(),
        );
        *self
            .billed
            .entry(name)
            .or_insert_with(|| billed_provider(&key.dimensions))
    }

    /// The provider of a metered row.
    pub fn metered(&mut self, key: &SpendKey) -> Label {
        let name = key.dimensions.get(Dimension::Provider);
        *self
            .metered
            .entry(name)
            .or_insert_with(|| Label::new(&provider_key(name.as_str())))
    }
}
