//! What bills say of the period of an export, which is of calls and flat costs: the same use is in both.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::domain::money::{Currency, MoneyError, add_exact};
use crate::domain::period::Period;
use crate::domain::spend::Basis;
use crate::ports::{Ledger, StoreError};

/// What is billed of a period; nothing where no bill has it.
pub fn billed(ledger: &mut dyn Ledger, period: Period) -> Result<BTreeMap<Currency, Decimal>, StoreError> {
    let mut billed: BTreeMap<Currency, Decimal> = BTreeMap::new();
    let mut failed: Option<MoneyError> = None;
    ledger.spend_by(period, &[], &mut |key, sums| {
        if key.basis == Basis::Billed && !sums.is_empty() {
            let slot = billed.entry(key.currency).or_default();
            match add_exact(*slot, sums.cost) {
                Ok(sum) => *slot = sum,
                Err(error) => failed = failed.take().or(Some(error)),
            }
        }
    })?;
    failed.map_or(Ok(billed), |error| Err(error.into()))
}
