//! Rows of a Cost and Usage Report that come from elsewhere than a file, such as the answer of a query: the same columns, the same bills.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use csv::StringRecord;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::spend::Bill;

use super::bills::Bills;
use super::cur;
use super::focus::Row;
use super::line::{Context, Fault};

/// Bills being put together from rows.
pub struct CurRows {
    columns: HashMap<String, usize>,
    bills: Bills,
    context: Context,
    source: Label,
    defaults: Vec<(Dimension, Label)>,
}

impl CurRows {
    /// For rows with these columns.
    #[must_use]
    pub fn new(names: &[String], source: Label, defaults: Vec<(Dimension, Label)>, latest: DateTime<Utc>) -> Self {
        let columns = names.iter().enumerate();
        let mut columns = columns.map(|(at, name)| (cur::column(name), at)).collect();
        cur::keep_tags(&mut columns, names);
        CurRows {
            columns,
            bills: Bills::default(),
            context: Context::new(latest),
            source,
            defaults,
        }
    }

    /// Adds a row; what is wrong with it otherwise.
    pub fn add(&mut self, values: &[String]) -> Result<(), String> {
        let values = StringRecord::from(values);
        let row = Row {
            columns: &self.columns,
            values: &values,
        };
        match cur::add(&mut self.bills, &row, &self.defaults, self.source, &mut self.context) {
            // More tokens than can be counted: what a sum of amounts costs is right all the same.
            Err(fault) if !fault.costs_count => Err(words(&fault)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// What is to be told of amounts that were rounded, and of how many.
    pub fn rounded(&mut self) -> Option<(String, u64)> {
        self.context.rounded.told()
    }

    /// The bills.
    pub fn finish(self) -> Result<Vec<Bill>, String> {
        let (bills, told) = self.bills.finish(self.source);
        told.faults
            .first()
            .map_or_else(|| Ok(bills.collect()), |fault| Err(words(fault)))
    }
}

fn words(fault: &Fault) -> String {
    match &fault.field {
        Some(field) => format!("`{field}`: {}", fault.reason),
        None => fault.reason.clone(),
    }
}
