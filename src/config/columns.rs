//! What the settings say of foreign columns.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// Where the value of a field comes from: a column or what is computed of columns, for `id` also several columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ColumnConfig {
    /// A column, a product or a difference of columns.
    One(String),
    /// Columns that together tell what a row is.
    Several(Vec<String>),
}

impl<'de> Deserialize<'de> for ColumnConfig {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Written)
    }
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = ColumnConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a column, or a list of such")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<ColumnConfig, E> {
        Ok(ColumnConfig::One(text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ColumnConfig, A::Error> {
        let mut several = Vec::new();
        while let Some(next) = list.next_element()? {
            several.push(next);
        }
        Ok(ColumnConfig::Several(several))
    }
}
