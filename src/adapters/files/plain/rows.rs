//! Rows of a table of the plain format: which column is which key is told once, by the header.

use super::super::line::{Context, Fault, Output};
use super::super::scalar::Scalar;
use super::super::table::given;
use super::{Parsed, observe, place, unknown};

/// Reads the rows of one table.
#[derive(Default)]
pub(in super::super) struct Rows {
    /// The place of each column's key in a record, none of one that is passed over; or what is wrong with the header.
    places: Option<Result<Vec<Option<usize>>, Fault>>,
}

impl Rows {
    /// Reads one row under the header.
    pub fn row(
        &mut self,
        header: &[String],
        row: &csv::StringRecord,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let places = self.places.get_or_insert_with(|| places(header));
        let places = places.as_ref().map_err(Fault::clone)?;
        let mut record = Parsed::default();
        for ((place, key), value) in places.iter().zip(header).zip(row.iter().map(given)) {
            let Some(slot) = place.and_then(|place| record.0.get_mut(place)) else {
                continue;
            };
            if value.is_empty() {
                continue;
            }
            if !slot.is_null() {
                return Err(Fault::field(key, "given twice"));
            }
            *slot = Scalar::Text(value.into());
        }
        observe(&record.record(), number, context, out)
    }
}

fn places(header: &[String]) -> Result<Vec<Option<usize>>, Fault> {
    let of_key = |key: &String| match place(key) {
        None if !key.starts_with("x_") => Err(unknown(key)),
        known => Ok(known),
    };
    header.iter().map(of_key).collect()
}
