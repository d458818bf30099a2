//! Whether a period is known that another one is compared with: what was spent before a ledger begins is not nothing.

use chrono::TimeDelta;

use super::view::fill::is_purchase;
use crate::domain::dimension::Dimension;
use crate::domain::period::Period;
use crate::domain::spend::{Basis, SpendKey};
use crate::ports::{Ledger, StoreError};

/// What may be without spend at the beginning of a period: who begins to record does so within a day.
pub(super) const BEGINNING: TimeDelta = TimeDelta::days(1);

/// Days before a period in which spend is looked for where there is none at its beginning.
const DAYS: i64 = 62;

/// Whether a row says that spend of a basis is recorded at its time: what is agreed is known of any time.
pub(super) fn tells(basis: Basis, key: &SpendKey) -> bool {
    match basis {
        Basis::Metered | Basis::Billed => key.basis == basis && !(is_purchase(key) && basis == Basis::Metered),
        Basis::Effective | Basis::BilledFilled => !is_purchase(key),
    }
}

/// Whether spend of a basis was recorded when a period began, whatever is asked for of it.
pub(super) fn is_known(ledger: &mut dyn Ledger, basis: Basis, period: Period) -> Result<bool, StoreError> {
    let first_day = Period::new(period.start, period.end.min(period.start + BEGINNING));
    let earlier = Period::new(period.start - TimeDelta::days(DAYS), period.start);
    // After a longer pause it is known by what the ledger begins with.
    let begins = ledger.span()?.filter(|span| span.start < earlier.start);
    let beginning = begins.map(|span| Period::new(span.start, span.start + BEGINNING));
    for part in [Some(first_day), Some(earlier), beginning].into_iter().flatten() {
        let mut any = false;
        ledger.spend_by(part, &[Dimension::Category], &mut |key, _| any |= tells(basis, key))?;
        if any {
            return Ok(true);
        }
    }
    Ok(false)
}
