//! Calls that are metered twice: a provider tells sums of all calls of an account, and other sources tell the same calls one by one.
//!
//! No identity joins a sum and its calls. So what both tell of the same days, models and accounts is said, and whoever reads it decides
//! which of the two counts.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::report::{Filter, selects, wanted};
use crate::domain::budget::Budget;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::period::{Calendar, Hour, Period};
use crate::domain::price::{model_family, model_snapshot};
use crate::domain::spend::{Basis, metered_dimensions};
use crate::domain::usage::Rank;
use crate::ports::{Checkpoints, Ledger, StoreError, Telling};

/// Pairs of sources that are told; where there are more, these say enough.
const MOST: usize = 3;

/// What the checkpoints of a source say that it tells: adapters know.
pub type Tells = fn(&Checkpoints) -> Telling;

/// Two sources, or two parts of one, that tell metered spend of one provider on the same days: the one in sums, the other call by call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldTwice {
    /// The provider.
    pub provider: Label,
    /// The source of the sums.
    pub sums: Label,
    /// The source of the calls.
    pub calls: Label,
    /// The first UTC day that both tell.
    pub first: Hour,
    /// How many days both tell.
    pub days: u64,
    /// Whether somebody has decided: of the budgets that count either of them none counts both.
    pub is_decided: bool,
}

impl ToldTwice {
    /// What is so, in words.
    #[must_use]
    pub fn text(&self) -> String {
        let (sums, calls, provider) = (self.sums, self.calls, self.provider);
        let who = match sums == calls {
            true => format!("`{sums}` tells both sums of all calls to {provider} and single ones"),
            false => format!("`{sums}` tells sums of all calls to {provider} and `{calls}` tells single ones"),
        };
        let days = match self.days {
            1 => String::new(),
            2 => " and one more day".to_owned(),
            more => format!(" and {} more days", more - 1),
        };
        let first = self.first.start().format("%Y-%m-%d");
        format!("{who}, of {first}{days}, and metered spend adds them up")
    }

    /// The same with what to do about it, where it is recorded.
    #[must_use]
    pub fn advice(&self) -> String {
        let what = match self.sums == self.calls {
            true => "record each under a name of its own in a new ledger, so that budgets and reports can be given one of them".to_owned(),
            false => format!(
                "give budgets and reports one of them (`scope = {{ source = \"{0}\" }}`, `--where source={0}`), or take one out of the settings; \
                 where they are not, `defaults = {{ account = \"…\" }}` of each source tells them apart",
                self.calls
            ),
        };
        format!("{}: where they are the same calls, {what}", self.text())
    }

    /// The same below figures that hold both.
    #[must_use]
    pub fn note(&self) -> String {
        let what = match self.sums == self.calls {
            true => "",
            false => "; `--where source=NAME` counts one of them",
        };
        format!("{}: calls that are in both count twice{what}", self.text())
    }
}

/// The first of them in these words.
#[must_use]
pub fn first_of<'a>(pairs: impl IntoIterator<Item = &'a ToldTwice>, words: fn(&ToldTwice) -> String) -> Vec<String> {
    pairs.into_iter().take(MOST).map(words).collect()
}

/// The time that somebody who records looks at: this month, the one before, and what was met now.
#[must_use]
pub fn lately(met: Option<Period>, now: DateTime<Utc>) -> Period {
    let month = |at| Calendar::Month.around(at, chrono_tz::Tz::UTC);
    let before = month(month(now).start - TimeDelta::hours(1)).start;
    let lately = Period::new(before, now + TimeDelta::days(1));
    met.map_or(lately, |met| lately.with(met))
}

/// A model by what its names have in common, with the date of its snapshot where the name has one.
type Model = (Label, Option<NaiveDate>);

/// What a source tells of a day.
type Told = BTreeSet<(Model, Label, Label)>;

/// What one source tells of a provider in one of the two ways.
#[derive(Default)]
struct Side {
    /// Models with account and project, by UTC day.
    days: BTreeMap<Hour, Told>,
    projects: BTreeSet<Label>,
    /// The budgets that count any of it, by their places.
    budgets: BTreeSet<usize>,
}

/// What the sources of a provider tell, in sums and call by call.
#[derive(Default)]
struct Sides {
    sums: BTreeMap<Label, Side>,
    calls: BTreeMap<Label, Side>,
}

/// Whether any of these sources tells sums. Where none does, a run need not look through what is spent.
pub fn any_tells_sums(
    ledger: &mut dyn Ledger,
    tells: Tells,
    sources: impl IntoIterator<Item = Label>,
) -> Result<bool, StoreError> {
    for source in sources {
        if !tells(&ledger.checkpoints(source.as_str())?).sums.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What of a period is told twice, as far as `filters` select it. The budgets say where that was decided.
pub fn told_twice(
    ledger: &mut dyn Ledger,
    tells: Tells,
    period: Period,
    filters: &[Filter],
    budgets: &[Budget],
) -> Result<Vec<ToldTwice>, StoreError> {
    // Mostly no source at all tells sums, which the checkpoints say sooner than all that is spent.
    if let Some(sources) = ledger.sources()?
        && !any_tells_sums(ledger, tells, sources)?
    {
        return Ok(Vec::new());
    }
    let mut sources: BTreeSet<Label> = BTreeSet::new();
    ledger.spend_by(period, &[Dimension::Source], &mut |key, sums| {
        // What no source tells is a flat cost.
        let source = key.dimensions.get(Dimension::Source);
        if key.basis == Basis::Metered && !sums.cost.is_zero() && !source.is_empty() {
            sources.insert(source);
        }
    })?;
    let mut telling: BTreeMap<Label, Telling> = BTreeMap::new();
    for source in sources {
        telling.insert(source, tells(&ledger.checkpoints(source.as_str())?));
    }
    let providers: BTreeSet<Label> = telling.values().flat_map(|told| &told.sums).copied().collect();
    if providers.is_empty() {
        return Ok(Vec::new());
    }
    let mut gathered = Gathered {
        filters,
        budgets,
        models: BTreeMap::new(),
        sides: BTreeMap::new(),
    };
    let scopes = budgets.iter().flat_map(|budget| budget.scope.0.keys()).copied();
    let mut apart = vec![
        Dimension::Source,
        Dimension::Provider,
        Dimension::Model,
        Dimension::Account,
        Dimension::Project,
    ];
    apart.extend(wanted(&[], filters).into_iter().chain(scopes));
    let is_sum = |dimensions: &Dimensions| {
        let provider = dimensions.get(Dimension::Provider);
        let told = telling.get(&dimensions.get(Dimension::Source))?;
        providers
            .contains(&provider)
            .then(|| (told.sums.contains(&provider), told.calls))
    };
    let mut are_mixed = false;
    ledger.spend_by(period, &apart, &mut |key, sums| {
        if key.basis != Basis::Metered || sums.cost.is_zero() {
            return;
        }
        match is_sum(&key.dimensions) {
            None => {}
            Some((true, true)) => are_mixed = true,
            Some((is_sum, _)) => gathered.add(key.hour, &key.dimensions, is_sum),
        }
    })?;
    // Of a source that has both, each call says what it is, as long as its detail is kept.
    if are_mixed {
        ledger.events(period, &mut |event, charge| {
            if !charge.cost.is_zero() && is_sum(&event.dimensions) == Some((true, true)) {
                let is_sum = [Rank::REPORT, Rank::REPORT_LONG].contains(&event.rank.authority);
                gathered.add(Hour::of(event.at), &metered_dimensions(&event.dimensions), is_sum);
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(gathered.pairs())
}

struct Gathered<'a> {
    filters: &'a [Filter],
    budgets: &'a [Budget],
    /// The models by their names.
    models: BTreeMap<Label, Model>,
    sides: BTreeMap<Label, Sides>,
}

impl Gathered<'_> {
    fn add(&mut self, hour: Hour, dimensions: &Dimensions, is_sum: bool) {
        if !selects(self.filters, dimensions) {
            return;
        }
        let [source, provider, model, account, project] = [
            Dimension::Source,
            Dimension::Provider,
            Dimension::Model,
            Dimension::Account,
            Dimension::Project,
        ]
        .map(|dimension| dimensions.get(dimension));
        let of_name = || {
            (
                Label::new(&model_family(model.as_str())),
                model_snapshot(model.as_str()),
            )
        };
        let model = *self.models.entry(model).or_insert_with(of_name);
        let sides = self.sides.entry(provider).or_default();
        let side = if is_sum { &mut sides.sums } else { &mut sides.calls };
        let side = side.entry(source).or_default();
        let told = side.days.entry(hour.day()).or_default();
        told.insert((model, account, project));
        side.projects.insert(project);
        let counts = |budget: &Budget| budget.basis != Basis::Billed && budget.scope.matches(dimensions);
        let budgets = self.budgets.iter().enumerate().filter(|(_, budget)| counts(budget));
        side.budgets.extend(budgets.map(|(place, _)| place));
    }

    fn pairs(&self) -> Vec<ToldTwice> {
        let mut pairs = Vec::new();
        for (provider, sides) in &self.sides {
            for (sums, one) in &sides.sums {
                for (calls, other) in &sides.calls {
                    // Names of projects that nobody shares are of two kinds, as folders and workspaces are, and tell nothing apart.
                    let by_project = one.projects.intersection(&other.projects).any(|name| !name.is_empty());
                    let both = one.days.iter().filter(|(day, told)| {
                        let others = other.days.get(day);
                        others.is_some_and(|others| meet(told, others, by_project))
                    });
                    let mut both = both.map(|(day, _)| *day).peekable();
                    let Some(first) = both.peek().copied() else {
                        continue;
                    };
                    let counted = one.budgets.union(&other.budgets).next().is_some();
                    pairs.push(ToldTwice {
                        provider: *provider,
                        sums: *sums,
                        calls: *calls,
                        first,
                        days: both.map(|_| 1).sum(),
                        is_decided: counted && one.budgets.is_disjoint(&other.budgets),
                    });
                }
            }
        }
        pairs
    }
}

/// Whether the two may be of the same calls. What tells no model, account or project may be of any.
fn meet(told: &Told, others: &Told, by_project: bool) -> bool {
    let alike = |one: Label, other: Label| one == other || one.is_empty() || other.is_empty();
    told.iter().any(|((model, snapshot), account, project)| {
        others
            .iter()
            .any(|((other_model, other_snapshot), other_account, other_project)| {
                alike(*model, *other_model)
                    && snapshot.zip(*other_snapshot).is_none_or(|(one, other)| one == other)
                    && alike(*account, *other_account)
                    && (!by_project || alike(*project, *other_project))
            })
    })
}
