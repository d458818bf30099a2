//! Rows of spend, packed: all hours of a day, or all rows of a bill, in one body.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::bytes::{Broken, ColumnReader, ColumnWriter, unfold};
use crate::domain::charge::summable;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::money::Currency;
use crate::domain::period::Hour;
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::domain::usage::Bucket;

const VERSION: u8 = 3;

/// Spend by key.
pub type Rows = BTreeMap<SpendKey, Sums>;

const HOUR: usize = 0;
const BASIS: usize = 1;
const CURRENCY: usize = 2;
const DIMENSIONS: usize = 3;
const EVENTS: usize = DIMENSIONS + Dimension::ALL.len();
const TOKENS: usize = EVENTS + 1; // one column per bucket, then reasoning
const REQUESTS: usize = TOKENS + Bucket::ALL.len() + 1;
const COST: usize = REQUESTS + 4; // scale, digits
const REPORTED: usize = COST + 2;
const UNPRICED: usize = REPORTED + 2; // events, tokens, scale, digits
const COLUMNS: usize = UNPRICED + 4;

/// Packs rows.
pub fn pack<K: Borrow<SpendKey>, S: Borrow<Sums>>(rows: impl IntoIterator<Item = (K, S)>) -> Vec<u8> {
    let mut w = ColumnWriter::<COLUMNS>::new();
    let mut last = 0;
    for (key, sums) in rows {
        let (key, sums) = (key.borrow(), sums.borrow());
        w.put_signed(HOUR, key.hour.0 - last);
        last = key.hour.0;
        w.put(BASIS, key.basis as u8);
        w.put_name(CURRENCY, Label::new(key.currency.code()));
        for (dimension, label) in key.dimensions.iter() {
            w.put_name(DIMENSIONS + dimension as usize, label);
        }
        // Taken apart completely: a new measure does not compile until it is stored.
        let Sums {
            events,
            tokens,
            requests,
            cost,
            reported_cost,
            unpriced_events,
            unpriced_tokens,
            unpriced_worst_case,
        } = *sums;
        w.put_signed(EVENTS, events);
        for bucket in Bucket::ALL {
            w.put_signed(TOKENS + bucket as usize, tokens.get(bucket));
        }
        w.put_signed(TOKENS + Bucket::ALL.len(), tokens.reasoning);
        for (offset, count) in requests.into_iter().enumerate() {
            w.put_signed(REQUESTS + offset, count);
        }
        w.put_decimal(COST, cost);
        w.put_decimal(REPORTED, reported_cost);
        w.put_signed(UNPRICED, unpriced_events);
        w.put_signed(UNPRICED + 1, unpriced_tokens);
        w.put_decimal(UNPRICED + 2, unpriced_worst_case);
        w.end_row();
    }
    w.finish(VERSION)
}

/// Unpacks rows, in the order in which they were packed.
pub fn unpack(body: &[u8]) -> Result<Vec<(SpendKey, Sums)>, Broken> {
    let plain = unfold(body, VERSION)?;
    let mut r = ColumnReader::<COLUMNS>::new(&plain)?;
    let mut last = 0_i64;
    let mut rows = Vec::with_capacity(r.rows);
    for _ in 0..r.rows {
        let step: i64 = r.column(HOUR)?.fit_signed()?;
        last = last.checked_add(step).ok_or(Broken)?;
        let basis: usize = r.column(BASIS)?.fit()?;
        let currency: Currency = r.name(CURRENCY)?.as_str().parse().map_err(|_| Broken)?;
        let mut dimensions = Dimensions::default();
        for dimension in Dimension::ALL {
            dimensions.set(dimension, r.name(DIMENSIONS + dimension as usize)?);
        }
        let key = SpendKey {
            hour: Hour(last),
            basis: Basis::ALL.get(basis).copied().ok_or(Broken)?,
            currency,
            dimensions,
        };
        let mut sums = Sums {
            events: r.column(EVENTS)?.fit_signed()?,
            ..Sums::default()
        };
        for bucket in Bucket::ALL {
            sums.tokens.set(bucket, r.column(TOKENS + bucket as usize)?.signed()?);
        }
        sums.tokens.reasoning = r.column(TOKENS + Bucket::ALL.len())?.signed()?;
        for (offset, count) in sums.requests.iter_mut().enumerate() {
            *count = r.column(REQUESTS + offset)?.fit_signed()?;
        }
        sums.cost = r.decimal(COST)?;
        sums.reported_cost = r.decimal(REPORTED)?;
        sums.unpriced_events = r.column(UNPRICED)?.fit_signed()?;
        sums.unpriced_tokens = r.column(UNPRICED + 1)?.signed()?;
        sums.unpriced_worst_case = summable(r.decimal(UNPRICED + 2)?);
        rows.push((key, sums));
    }
    Ok(rows)
}
