//! Bills that two sources have of the same account: the same bill under two names counts twice, and nobody sees it in a sum.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::billed::biller;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::Basis;
use crate::ports::{Ledger, StoreError};

/// Pairs of sources that are told; where there are more, these say enough.
const MOST: usize = 10;

/// The accounts of each source that bills one day of one provider, and the provider as one of them writes it.
type Day = (Label, BTreeMap<Label, BTreeSet<Label>>);

/// What is to be told of bills of this time.
pub(super) fn told(ledger: &mut dyn Ledger, billed: Period) -> Result<Vec<String>, StoreError> {
    if let Some(identities) = ledger.bill_identities()? {
        // Behind the source come provider, account and day; of what interfaces of cost tell, account and hour or month.
        let source = |identity: &String| {
            let (_, date) = identity.rsplit_once('/')?;
            let parts = if date.len() == "2026-11-01".len() { 4 } else { 3 };
            identity.rsplitn(parts, '/').last().map(str::to_owned)
        };
        let sources: BTreeSet<String> = identities.iter().filter_map(source).collect();
        if sources.len() < 2 {
            return Ok(Vec::new());
        }
    }
    let wanted = [Dimension::Source, Dimension::Provider, Dimension::Account];
    let mut billers: BTreeMap<Label, Label> = BTreeMap::new();
    let mut days: BTreeMap<(Label, Hour), Day> = BTreeMap::new();
    ledger.spend_by(billed, &wanted, &mut |key, sums| {
        let [source, provider, account] = wanted.map(|dimension| key.dimensions.get(dimension));
        if key.basis == Basis::Billed && !sums.cost.is_zero() && !source.is_empty() && !provider.is_empty() {
            // A cloud is called otherwise by each of its interfaces.
            let biller = *billers
                .entry(provider)
                .or_insert_with(|| Label::new(&biller(provider.as_str())));
            let (_, sources) = days
                .entry((biller, key.hour.day()))
                .or_insert_with(|| (provider, BTreeMap::new()));
            sources.entry(source).or_default().insert(account);
        }
    })?;
    let mut pairs: BTreeMap<(Label, Label, Label, Label), (Hour, u64)> = BTreeMap::new();
    for ((_, day), (provider, sources)) in &days {
        let mut rest = sources.iter();
        while let Some((first, accounts)) = rest.next() {
            for (second, others) in rest.clone() {
                if let Some(account) = shared(accounts, others) {
                    let slot = pairs.entry((*provider, account, *first, *second)).or_insert((*day, 0));
                    slot.1 += 1;
                }
            }
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

/// An account that both sides have. A side that tells no accounts may have any.
fn shared(one: &BTreeSet<Label>, other: &BTreeSet<Label>) -> Option<Label> {
    let tells_none = |side: &BTreeSet<Label>| side.iter().all(|account| account.is_empty());
    let named = |side: &BTreeSet<Label>| side.iter().copied().find(|account| !account.is_empty());
    match (tells_none(one), tells_none(other)) {
        (true, true) => Some(Label::EMPTY),
        (true, false) => named(other),
        (false, true) => named(one),
        (false, false) => one.intersection(other).copied().find(|account| !account.is_empty()),
    }
}
