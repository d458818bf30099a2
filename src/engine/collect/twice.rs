//! Bills that two sources have of the same account: the same bill under two names counts twice, and nobody sees it in a sum.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::Basis;
use crate::ports::{Ledger, StoreError};

/// Pairs of sources that are told; where there are more, these say enough.
const MOST: usize = 10;

/// What is to be told of bills of this time.
pub(super) fn told(ledger: &mut dyn Ledger, billed: Period) -> Result<Vec<String>, StoreError> {
    let wanted = [Dimension::Source, Dimension::Provider, Dimension::Account];
    let mut sources: BTreeMap<(Label, Label, Hour), BTreeSet<Label>> = BTreeMap::new();
    ledger.spend_by(billed, &wanted, &mut |key, sums| {
        let [source, provider, account] = wanted.map(|dimension| key.dimensions.get(dimension));
        if key.basis == Basis::Billed && !sums.cost.is_zero() && !source.is_empty() && !provider.is_empty() {
            sources
                .entry((provider, account, key.hour.day()))
                .or_default()
                .insert(source);
        }
    })?;
    let mut pairs: BTreeMap<(Label, Label, Label, Label), (Hour, u64)> = BTreeMap::new();
    for ((provider, account, day), sources) in &sources {
        let mut names = sources.iter();
        if let (Some(first), Some(second)) = (names.next(), names.next()) {
            let slot = pairs.entry((*provider, *account, *first, *second)).or_insert((*day, 0));
            slot.1 += 1;
        }
    }
    let words = |((provider, account, first, second), (day, days)): (&(Label, Label, Label, Label), &(Hour, u64))| {
        let of = match account.is_empty() {
            true => String::new(),
            false => format!(" for `{account}`"),
        };
        let days = match days {
            1 => String::new(),
            more => format!(" and {} more days", more - 1),
        };
        format!(
            "`{first}` and `{second}` both have bills of {provider}{of}, of {}{days}, and are added up: if it is the same bill, `finops bill \
             list` shows both and `finops bill drop` takes one back",
            day.start().format("%Y-%m-%d")
        )
    };
    Ok(pairs.iter().take(MOST).map(words).collect())
}
