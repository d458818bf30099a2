//! Budgets, forecasts and alerts: tables, properties and the contract of their stores.

mod handover;
mod lifecycle;
mod providers;
mod store;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use finops::domain::budget::{Budget, BudgetPeriod, Scope};
use finops::domain::charge::Charge;
use finops::domain::dimension::{Dimension, Dimensions};
use finops::domain::money::{Currency, Money};
use finops::domain::period::{Calendar, Hour, Period};
use finops::domain::spend::{Basis, Bill, KnownBill, Restatement, SpendKey, Sums};
use finops::domain::usage::{EventId, UsageEvent};
use finops::ports::{Checkpoints, Ledger, Pricer, Recharged, RecordBatch, Recorded, Retention, StoreError};
use rust_decimal::Decimal;

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn budget(name: &str, amount: &str) -> Budget {
    Budget {
        name: name.to_owned(),
        scope: Scope::default(),
        amount: Money::usd(amount).unwrap(),
        period: BudgetPeriod::Calendar(Calendar::Month),
        zone: Tz::UTC,
        basis: Basis::Metered,
        categories: vec!["Usage".to_owned()],
        count_unpriced: false,
        thresholds: Budget::default_ladder(),
        owner: None,
        runbook: None,
        channels: Vec::new(),
        remind_every_hours: 24,
    }
}

pub fn for_team(mut budget: Budget, team: &str) -> Budget {
    budget.scope = Scope(BTreeMap::from([(Dimension::Team, vec![team.to_owned()])]));
    budget
}

/// Spend by hour and team, which anyone may set to anything. What the team `unpriced` may have spent at most has no price.
#[derive(Clone, Default)]
struct FakeLedger(BTreeMap<(i64, &'static str), Decimal>);

impl FakeLedger {
    fn set(&mut self, at: DateTime<Utc>, team: &'static str, cost: Decimal) {
        self.0.insert((Hour::of(at).0, team), cost);
    }
}

impl Ledger for FakeLedger {
    fn record(&mut self, _: &RecordBatch, _: &dyn Pricer, _: DateTime<Utc>) -> Result<Recorded, StoreError> {
        Ok(Recorded::default())
    }
    fn replace_bill(&mut self, _: &Bill, _: DateTime<Utc>) -> Result<Vec<Restatement>, StoreError> {
        Ok(Vec::new())
    }
    fn bills(&mut self) -> Result<Vec<KnownBill>, StoreError> {
        Ok(Vec::new())
    }
    fn checkpoints(&mut self, _: &str) -> Result<Checkpoints, StoreError> {
        Ok(Checkpoints::new())
    }
    fn spend(&mut self, period: Period, visit: &mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError> {
        // Interning takes a lock: once per team, not once per row.
        let mut by_team: BTreeMap<&str, Dimensions> = BTreeMap::new();
        for ((hour, team), cost) in &self.0 {
            if period.contains(Hour(*hour).start()) {
                let key = SpendKey {
                    hour: Hour(*hour),
                    basis: Basis::Metered,
                    currency: Currency::USD,
                    dimensions: *by_team.entry(team).or_insert_with(|| {
                        let usage = Dimensions::default().with(Dimension::Category, "Usage");
                        usage.with(Dimension::Team, team)
                    }),
                };
                let unpriced = *team == "unpriced";
                let sums = Sums {
                    events: 1,
                    cost: if unpriced { Decimal::ZERO } else { *cost },
                    unpriced_events: unpriced.into(),
                    unpriced_worst_case: if unpriced { *cost } else { Decimal::ZERO },
                    ..Sums::default()
                };
                visit(&key, &sums);
            }
        }
        Ok(())
    }
    fn span(&mut self) -> Result<Option<Period>, StoreError> {
        Ok(None)
    }
    fn event(&mut self, _: EventId) -> Result<Option<(UsageEvent, Charge)>, StoreError> {
        Ok(None)
    }
    fn events(
        &mut self,
        _: Period,
        _: &mut dyn FnMut(&UsageEvent, &Charge) -> std::ops::ControlFlow<()>,
    ) -> Result<(), StoreError> {
        Ok(())
    }
    fn recharge(&mut self, _: &[EventId], _: &dyn Pricer, _: DateTime<Utc>) -> Result<Recharged, StoreError> {
        Ok(Recharged::default())
    }
    fn restatements(&mut self) -> Result<Vec<Restatement>, StoreError> {
        Ok(Vec::new())
    }
    fn expire(&mut self, _: Retention, _: &BTreeSet<Hour>, _: DateTime<Utc>) -> Result<u64, StoreError> {
        Ok(0)
    }
}
