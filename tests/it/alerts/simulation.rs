//! Sixty days in memory: crashes at every port call, runs at the same time, restated spend, a clock that jumps.
//! `FINOPS_SIM_SEEDS` sets how many seeds are run, `FINOPS_SIM_SEED` runs one.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use finops::adapters::memory::alerts::MemoryAlerts;
use finops::domain::alert::{Alert, Silence, State, Transition};
use finops::domain::budget::Budget;
use finops::domain::notification::{Notification, Told};
use finops::engine::evaluate::evaluate;
use finops::ports::{AlertCommit, AlertStore, Outbox, Receipt, StoreError};
use rust_decimal::Decimal;

use super::{FakeLedger, at, budget, for_team};

/// SplitMix64: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }
    fn one_in(&mut self, n: i64) -> bool {
        self.below(n) == 0
    }
}

fn crash() -> StoreError {
    StoreError::Failed {
        path: "memory".to_owned(),
        cause: "crashed".to_owned(),
    }
}

/// A store whose calls crash before or after their effect, and into whose decisions another run steps.
struct Faulty<'a> {
    inner: &'a mut MemoryAlerts,
    random: &'a mut Random,
    crashes: bool,
    rival: Option<(Vec<Budget>, FakeLedger, DateTime<Utc>)>,
    decided: &'a mut Vec<Notification>,
}

impl Faulty<'_> {
    fn call<T>(&mut self, effect: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let dice = if self.crashes { self.random.below(40) } else { 2 };
        if dice == 0 {
            return Err(crash());
        }
        let done = effect(self)?;
        if dice == 1 { Err(crash()) } else { Ok(done) }
    }
}

impl AlertStore for Faulty<'_> {
    fn alerts(&mut self, since: Option<DateTime<Utc>>) -> Result<Vec<Alert>, StoreError> {
        self.call(|s| s.inner.alerts(since))
    }
    fn history(&mut self, id: &str) -> Result<Vec<Transition>, StoreError> {
        self.call(|s| s.inner.history(id))
    }
    fn silences(&mut self) -> Result<Vec<Silence>, StoreError> {
        self.call(|s| s.inner.silences())
    }
    fn silence(&mut self, silence: &Silence) -> Result<(), StoreError> {
        self.call(|s| s.inner.silence(silence))
    }
    fn commit(&mut self, commit: &AlertCommit) -> Result<(), StoreError> {
        if let Some((budgets, mut ledger, now)) = self.rival.take() {
            let mut rival = Faulty {
                inner: self.inner,
                random: self.random,
                crashes: self.crashes,
                rival: None,
                decided: self.decided,
            };
            let _ = evaluate(&budgets, &channels(), &mut ledger, &mut rival, true, now);
        }
        self.call(|s| {
            s.inner.commit(commit)?;
            s.decided.extend(commit.messages.iter().cloned());
            Ok(())
        })
    }
}

impl Outbox for Faulty<'_> {
    fn claim(&mut self) -> Result<Vec<finops::ports::Pending>, StoreError> {
        self.call(|s| s.inner.claim())
    }
    fn delivered(&mut self, id: &str, receipt: &Receipt, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.call(|s| s.inner.delivered(id, receipt, at))
    }
    fn failed(&mut self, id: &str, reason: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.call(|s| s.inner.failed(id, reason, at))
    }
    fn release(&mut self) -> Result<(), StoreError> {
        self.call(|s| s.inner.release())
    }
}

fn channels() -> Vec<String> {
    vec!["chat".to_owned(), "log".to_owned()]
}

/// One run as `finops run` makes it: evaluate, then deliver what waits. Stops where it crashes.
fn run(
    store: &mut Faulty<'_>,
    world: (&[Budget], &mut FakeLedger),
    received: &mut Vec<Notification>,
    complete: bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    evaluate(world.0, &channels(), world.1, store, complete, now)?;
    for pending in store.claim()? {
        if store.crashes && store.random.one_in(6) {
            store.failed(&pending.message.id, "refused", now)?;
            continue;
        }
        received.push(pending.message.clone());
        let receipt = Receipt {
            answer: "ok".to_owned(),
        };
        store.delivered(&pending.message.id, &receipt, now)?;
    }
    store.release()
}

fn simulate(seed: u64) {
    let mut random = Random(seed);
    let mut narrow = for_team(budget("search", "400"), "search");
    narrow.channels = vec!["chat".to_owned()];
    let mut wide = for_team(budget("support", "250"), "support");
    wide.remind_every_hours = 48;
    let budgets = vec![narrow, wide];
    let mut inner = MemoryAlerts::new();
    let mut ledger = FakeLedger::default();
    let (mut decided, mut received) = (Vec::new(), Vec::new());
    let start = at("2026-10-20T00:00:00Z");
    let mut now = start;
    for day in 0..60 {
        let midnight = start + TimeDelta::days(day);
        for team in ["search", "support"] {
            let burst = if random.one_in(12) { 200 } else { 1 };
            let cents = random.below(1500) * burst / 2;
            ledger.set(midnight, team, Decimal::new(cents, 2));
            // A day of the last weeks turns out to have cost something else.
            if random.one_in(8) {
                let back = midnight - TimeDelta::days(random.below(20) + 1);
                ledger.set(back, team, Decimal::new(random.below(2000), 2));
            }
        }
        for _ in 0..=random.below(2) {
            now = midnight + TimeDelta::minutes(random.below(1440));
            if random.one_in(15) {
                now -= TimeDelta::hours(random.below(72));
            }
            let rival = random.one_in(4).then(|| (budgets.clone(), ledger.clone(), now));
            let complete = !random.one_in(10);
            for _ in 0..=i32::from(random.one_in(5)) {
                let mut store = Faulty {
                    inner: &mut inner,
                    random: &mut random,
                    crashes: true,
                    rival: rival.clone(),
                    decided: &mut decided,
                };
                let _ = run(&mut store, (&budgets, &mut ledger), &mut received, complete, now);
            }
        }
    }
    now = now.max(start + TimeDelta::days(60));
    for _ in 0..2 {
        let mut store = Faulty {
            inner: &mut inner,
            random: &mut random,
            crashes: false,
            rival: None,
            decided: &mut decided,
        };
        run(&mut store, (&budgets, &mut ledger), &mut received, true, now).unwrap();
    }
    check(&budgets, &ledger, &mut inner, &decided, &received, now);
}

fn check(
    budgets: &[Budget],
    ledger: &FakeLedger,
    store: &mut MemoryAlerts,
    decided: &[Notification],
    received: &[Notification],
    now: DateTime<Utc>,
) {
    // Nothing lost, nothing invented, and a repetition is the same message to the letter.
    let by_id: HashMap<&str, &Notification> = decided.iter().map(|m| (m.id.as_str(), m)).collect();
    assert_eq!(by_id.len(), decided.len(), "an id is decided once");
    for message in received {
        assert_eq!(by_id.get(message.id.as_str()), Some(&message), "received as decided");
    }
    for message in decided {
        assert!(
            received.iter().any(|r| r.id == message.id),
            "lost: {} {} at {}",
            message.title,
            message.told,
            message.decided_at
        );
    }
    assert!(store.claim().unwrap().is_empty());

    // On each channel, every alert is told as firing once, then as resolved once, and so on.
    let mut open: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for message in decided {
        let open = open.entry((&message.alert_id, &message.channel)).or_default();
        match message.told {
            Told::Firing => assert!(!std::mem::replace(open, true), "firing told twice: {}", message.title),
            Told::Resolved => assert!(
                std::mem::replace(open, false),
                "resolved out of turn: {}",
                message.title
            ),
            Told::Reminder | Told::Acknowledged => assert!(*open, "{} out of turn", message.told),
        }
    }

    // The history is one unbroken chain that ends where the alert stands.
    let alerts = store.alerts(None).unwrap();
    for alert in &alerts {
        let history = store.history(&alert.id).unwrap();
        assert_eq!(history.first().map(|t| t.from), Some(None));
        for pair in history.windows(2) {
            assert_eq!(pair[1].from, Some(pair[0].to));
        }
        assert_eq!(history.last().map(|t| t.to), Some(alert.state));
        let told_open = open.iter().any(|((id, _), is_open)| *id == alert.id && *is_open);
        assert!(
            !told_open || alert.state != State::Resolved,
            "nobody was told the end of {}",
            alert.title
        );
    }

    // And in the end it is true.
    for budget in budgets {
        let period = budget.period_at(now);
        let spent = ledger.total(period.until(now), &budget.name);
        let is = alerts
            .iter()
            .any(|a| a.policy == budget.name && a.kind == "budget_actual" && a.period == period && a.state.is_active());
        assert_eq!(is, spent >= budget.amount.amount(), "{} has spent {spent}", budget.name);
    }
}

#[test]
fn sixty_days_of_crashes_tell_everything_once() {
    let variable = |name| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let seeds = match variable("FINOPS_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("FINOPS_SIM_SEEDS").unwrap_or(60),
    };
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| simulate(seed));
        assert!(outcome.is_ok(), "failed with FINOPS_SIM_SEED={seed}");
    }
}
