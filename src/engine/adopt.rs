//! Tells when a price book is not the one of the run before, and what that does to the calls that it priced.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::domain::charge::Outcome;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::Period;
use crate::ports::{Checkpoint, Ledger, Pricer, RecordBatch, StoreError};

/// The checkpoints of price books; no source of the settings can have a name with a space at its end.
const SOURCE: &str = "price books ";

/// Days of calls that are looked at.
pub const DAYS: i64 = 62;

/// What another version of a book does to recorded calls that the former one priced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adopted {
    /// The book.
    pub book: String,
    /// Calls that it priced.
    pub calls: i64,
    /// Those that would cost nothing and cost something.
    pub newly_zero: i64,
    /// Those that would have no price.
    pub without_price: i64,
    /// Others that would cost something else.
    pub changed: i64,
    /// By how much all that would still have a price would change, USD.
    pub difference: Decimal,
}

/// Books, each with a text that is another one when its content is, that are not as they were when this was last asked. Remembers them.
pub fn adopted(
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    books: &[(String, String)],
    now: DateTime<Utc>,
) -> Result<Vec<Adopted>, StoreError> {
    if books.is_empty() {
        return Ok(Vec::new());
    }
    let known = ledger.checkpoints(SOURCE)?;
    let mut batch = RecordBatch::default();
    let mut other: BTreeMap<&str, Adopted> = BTreeMap::new();
    for (name, content) in books {
        let before = known.get(name).map(|Checkpoint(bytes)| bytes.as_slice());
        if before == Some(content.as_bytes()) {
            continue;
        }
        if before.is_some() {
            let book = name.clone();
            other.insert(
                name,
                Adopted {
                    book,
                    ..Adopted::default()
                },
            );
        }
        let checkpoint = Checkpoint(content.clone().into_bytes());
        batch.checkpoints.push((SOURCE.to_owned(), name.clone(), checkpoint));
    }
    if batch.checkpoints.is_empty() {
        return Ok(Vec::new());
    }
    let mut failed: Option<MoneyError> = None;
    if !other.is_empty() {
        let period = Period::new(now - TimeDelta::days(DAYS), now);
        ledger.events(period, &mut |event, charge| {
            let Outcome::Priced(entry) = charge.outcome else {
                return ControlFlow::Continue(());
            };
            // book/provider/entry@day
            let book = entry.as_str().split('/').next().unwrap_or_default();
            if let Some(adopted) = other.get_mut(book) {
                adopted.calls += 1;
                let new = pricer.price(event);
                let slot = match (new.is_priced(), new.cost) {
                    (false, _) => &mut adopted.without_price,
                    (true, cost) if cost == charge.cost => return ControlFlow::Continue(()),
                    (true, cost) if cost.is_zero() => &mut adopted.newly_zero,
                    (true, _) => &mut adopted.changed,
                };
                *slot += 1;
                if new.is_priced() {
                    let change = add_exact(new.cost, -charge.cost).and_then(|by| add_exact(adopted.difference, by));
                    match change {
                        Ok(sum) => adopted.difference = sum,
                        Err(error) => failed = Some(error),
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    ledger.record(&batch, pricer, now)?;
    Ok(other.into_values().collect())
}
