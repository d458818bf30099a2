//! Feeds the reader of records of a foreign form, as CSV or as JSON lines, under settings that use all that there is.
#![no_main]

mod shared;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use finops::adapters::files::Columns;
use libfuzzer_sys::fuzz_target;

fn columns() -> Arc<Columns> {
    static COLUMNS: OnceLock<Arc<Columns>> = OnceLock::new();
    let texts = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(field, text)| ((*field).to_owned(), (*text).to_owned()))
            .collect()
    };
    let made = COLUMNS.get_or_init(|| {
        let columns = texts(&[
            ("ts", "offset * 0.5"),
            ("model", "m"),
            ("team", "who"),
            ("input_tokens", "in"),
            ("output_tokens", "out * n"),
            ("cost_usd", "cost * 0.01"),
        ]);
        let start = chrono::DateTime::from_timestamp(1_785_000_000, 0);
        Arc::new(Columns::new(&columns, &texts(&[("provider", "openai")]), start).unwrap())
    });
    Arc::clone(made)
}

fuzz_target!(|input: &[u8]| shared::read(input, Some(columns())));
