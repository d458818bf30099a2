//! What bills name of what a scope asks for: a bill seldom names teams, and its rows are then of all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::standing::Standing;
use super::{Fill, Values, is_usage};
use crate::domain::budget::Scope;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::period::Hour;
use crate::domain::spend::SpendKey;

/// Accounts of a provider that are told one by one.
const ACCOUNTS: usize = 4;

impl Fill {
    /// The accounts of a provider that a scope may be about, of many those that are billed least far, and what has to be said of the others.
    pub(super) fn accounts(
        &self,
        provider: Label,
        scope: &Scope,
        alone: bool,
    ) -> (Vec<(Label, &Standing)>, Option<String>) {
        let asked = scope.0.get(&Dimension::Account);
        let is_asked = |account: Label| {
            let like = |patterns: &Vec<String>| patterns.iter().any(|p| Dimension::Account.is_like(p, account));
            account.is_empty() || asked.is_none_or(like)
        };
        let all = self.standings.of_provider(provider);
        let mut told: Vec<_> = all.filter(|(account, _)| is_asked(*account)).collect();
        if told.len() <= ACCOUNTS {
            return (told, None);
        }
        // First what is the provider's own, and what has more to be said of it.
        told.sort_by_cached_key(|(account, standing)| {
            let is_whole = standing.parts().next().is_none();
            (!account.is_empty(), is_whole, standing.through(), account.as_str())
        });
        let others = told.split_off(ACCOUNTS);
        let range = |first: String, last: String| match first == last {
            true => first,
            false => format!("{first} … {last}"),
        };
        let days = || others.iter().map(|(_, standing)| standing.through());
        let through = days().min().zip(days().max()).map(|(first, last)| range(first, last));
        let all = || others.iter().map(|(_, standing)| standing.factor().normalize());
        let factors = all().min().zip(all().max());
        let factors = factors.map(|(least, most)| range(least.to_string(), most.to_string()));
        let since = match alone {
            true => "no metered use is of this scope, so that what was used since then is not in it".to_owned(),
            false => format!("since then metered × {}", factors.unwrap_or_default()),
        };
        let through = through.unwrap_or_default();
        let more = format!(
            "{provider}: {} more accounts are billed to {through}; {since}",
            others.len()
        );
        (told, Some(more))
    }

    /// Whether a scope asks for something that the bill of a provider never names. Where it names one of several values, use of the
    /// others may be in the rows of that one.
    pub(super) fn is_untold(&self, provider: Label, scope: &Scope) -> bool {
        if !asks_for_use(scope) {
            return false;
        }
        let told = |pattern: &String, dimension| names_any(self.told.get(&provider), provider, dimension, pattern);
        let mut asked = scope.0.iter();
        let is_told = |(dimension, patterns): (&Dimension, &Vec<String>)| {
            // A bare `*` meets whatever is used, of which there may be much.
            let all = patterns.iter().any(|p| p == "*");
            let meets = |value: Label| patterns.iter().any(|p| dimension.is_like_of(provider, p, value));
            patterns.iter().any(|p| told(p, *dimension))
                // Where it names nothing of the kind, its rows are of all that there is.
                && (all || self.names(provider, *dimension) || self.used(provider, *dimension).all(|(value, _)| meets(value)))
        };
        self.has_bill(provider) && !asked.all(is_told)
    }

    /// Whether the bill of a provider tells values of a dimension apart.
    fn names(&self, provider: Label, dimension: Dimension) -> bool {
        let values = self.told.get(&provider).and_then(|values| values.get(&dimension));
        values.is_some_and(|values| values.keys().any(|value| !value.is_empty()))
    }

    /// What is metered of a provider by the values of a dimension, each with its first hour.
    fn used(&self, provider: Label, dimension: Dimension) -> impl Iterator<Item = (Label, Hour)> + '_ {
        let values = self.metered.get(&provider).and_then(|values| values.get(&dimension));
        values.into_iter().flatten().map(|(value, first)| (*value, *first))
    }

    /// The providers whose bills never name something that a scope asks for.
    pub(in crate::engine::view) fn untold_by(&self, scope: &Scope) -> BTreeSet<Label> {
        let billed = self.told.keys().copied();
        billed.filter(|provider| self.is_untold(*provider, scope)).collect()
    }

    /// Whether a row of a bill is within a scope only by what that bill does not name: nobody can divide it.
    #[must_use]
    pub fn is_undivided(&self, provider: Label, key: &SpendKey, scope: &Scope) -> bool {
        is_usage(key) && scope.matches(&key.dimensions) && self.is_untold(provider, scope)
    }

    /// The values of metered use that a scope asks for beside others, which alone the bill of the provider names.
    pub(super) fn untold_beside(&self, provider: Label, scope: &Scope) -> Option<(Dimension, Vec<Label>)> {
        if !self.has_bill(provider) || self.is_untold(provider, scope) {
            return None;
        }
        let is_billed = |first| {
            self.standings
                .of_provider(provider)
                .any(|(_, standing)| standing.reaches(first))
        };
        let mut apart = scope
            .0
            .iter()
            .filter(|(dimension, _)| self.names(provider, **dimension));
        apart.find_map(|(dimension, patterns)| {
            let told = |pattern: &&String| names_any(self.told.get(&provider), provider, *dimension, pattern);
            let (told, untold): (Vec<&String>, Vec<&String>) = patterns.iter().partition(told);
            let asks = |patterns: &[&String], value| patterns.iter().any(|p| dimension.is_like_of(provider, p, value));
            let values = self.used(provider, *dimension).filter(|(_, first)| is_billed(*first));
            let values = values.map(|(value, _)| value);
            let beside: Vec<Label> = values.filter(|v| asks(&untold, *v) && !asks(&told, *v)).collect();
            (!beside.is_empty()).then_some((*dimension, beside))
        })
    }

    /// Whether use under a value began behind the bill of a provider: no bill can have named it, nor can one name it otherwise.
    #[must_use]
    pub fn is_new(&self, provider: Label, dimension: Dimension, value: Label) -> bool {
        let first = self
            .metered
            .get(&provider)
            .and_then(|values| values.get(&dimension)?.get(&value));
        let reaches = |first| {
            self.standings
                .of_provider(provider)
                .any(|(_, standing)| standing.reaches(first))
        };
        first.is_some_and(|first| !reaches(*first))
    }

    /// Whether rows of the bill of a provider are within a scope, and none of its metered use is: nothing stands for what comes behind.
    pub(super) fn is_billed_alone(&self, provider: Label, scope: &Scope) -> bool {
        let has = |values: Option<&Values>| {
            values.is_some_and(|values| {
                let mut asked = scope.0.iter();
                asked.all(|(dimension, patterns)| {
                    patterns
                        .iter()
                        .any(|p| names_any(Some(values), provider, *dimension, p))
                })
            })
        };
        !self.is_untold(provider, scope) && has(self.told.get(&provider)) && !has(self.metered.get(&provider))
    }
}

/// Whether use is within a scope at all: taxes, credits and purchases stand beside it, and are told in rows of their own.
fn asks_for_use(scope: &Scope) -> bool {
    let category = Dimension::Category;
    let meets = |pattern: &String| {
        [Label::EMPTY, Label::new("Usage")]
            .iter()
            .any(|use_| category.is_like(pattern, *use_))
    };
    scope.0.get(&category).is_none_or(|patterns| patterns.iter().any(meets))
}

/// Whether a pattern meets one of these values of a dimension.
fn names_any(values: Option<&Values>, provider: Label, dimension: Dimension, pattern: &str) -> bool {
    let values = values.and_then(|values| values.get(&dimension)).into_iter();
    values
        .flat_map(BTreeMap::keys)
        .any(|value| dimension.is_like_of(provider, pattern, *value))
}
