//! Sixty days of the whole program in memory: crashes at every port call, runs at the same time, late, repeated and corrected
//! calls, bills issued anew, people who acknowledge, resolve and silence, a clock that jumps.
//!
//! `FINOPS_SIM_SEEDS` sets how many seeds are run, `FINOPS_SIM_SEED` runs one.

mod check;
mod ports;
mod renamed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use finops::adapters::admin::telling;
use finops::domain::alert::Silence;
use finops::domain::budget::Budget;
use finops::domain::dimension::{Dimension, Dimensions};
use finops::domain::label::Label;
use finops::domain::money::Currency;
use finops::domain::period::Hour;
use finops::domain::spend::{Basis, Bill, SpendKey, SpendRows, Sums};
use finops::domain::usage::{Bucket, EventId, UsageEvent};
use finops::engine::cycle::{Cycle, Parts, cycle};
use finops::engine::deed::{self, Deed};
use finops::engine::notify::{Delivery, DeliveryLimits, deliver_again};
use finops::engine::watch::{UnpricedPolicy, WatchPolicy};
use finops::ports::{AlertStore, Notifier, Retention, StoreError, UsageSource};
use rust_decimal::Decimal;

use super::alerts::{at, budget, for_team};
use check::Truth;
use ports::{Cents, Channel, Fate, Fault, Process, Random, Shared, SimulatedClock, Source, World};

const DAYS: i64 = 60;
const TEAMS: [&str; 2] = ["search", "support"];
const NAMES: [&str; 2] = ["chat", "log"];
const SEEDS: u64 = 2_000;
const LIMITS: DeliveryLimits = DeliveryLimits {
    attempts: 3,
    timeout: Duration::from_secs(10),
    budget: Duration::from_secs(600),
    at_once: 1,
};

/// Labels are interned behind a lock: once, not once per call.
fn label(at: usize) -> Label {
    static LABELS: OnceLock<[Label; 5]> = OnceLock::new();
    LABELS.get_or_init(|| ["search", "support", "anthropic", "claude", "nobody-1"].map(Label::new))[at]
}

fn nobody() -> Label {
    label(4)
}

fn budgets() -> &'static [Budget] {
    static BUDGETS: OnceLock<Vec<Budget>> = OnceLock::new();
    BUDGETS.get_or_init(|| {
        let mut narrow = for_team(budget("search", "400"), "search");
        narrow.channels = vec!["chat".to_owned()];
        let mut wide = for_team(budget("support", "250"), "support");
        wide.remind_every_hours = 48;
        wide.count_unpriced = true;
        let mut billed = budget("invoice", "300");
        (billed.basis, billed.remind_every_hours) = (Basis::Billed, 0);
        vec![narrow, wide, billed]
    })
}

/// How one run goes about it.
#[derive(Clone, Copy)]
struct Manner {
    now: DateTime<Utc>,
    /// Time that passes at each look at the clock.
    tick: Duration,
    /// What is configured.
    names: &'static [&'static str],
    /// How many of them can be used.
    usable: usize,
    /// Without its last budget.
    short: bool,
    /// With an alert on calls without a price.
    watch: bool,
    at_once: usize,
    detail_days: u32,
}

impl Manner {
    fn plain(now: DateTime<Utc>) -> Self {
        Manner {
            now,
            tick: Duration::ZERO,
            names: &NAMES,
            usable: NAMES.len(),
            short: false,
            watch: true,
            at_once: 1,
            detail_days: 400,
        }
    }
}

/// One `finops run` over the world.
fn run(shared: &Shared, manner: Manner) -> Result<Cycle, StoreError> {
    let mut sources: Vec<Box<dyn UsageSource>> = vec![Box::new(Source(label(2), shared.clone()))];
    let usable = manner.names.iter().take(manner.usable);
    let channels: Vec<Box<dyn Notifier>> = usable
        .map(|name| Box::new(Channel(name, shared.clone())) as Box<dyn Notifier>)
        .collect();
    let names: Vec<String> = manner.names.iter().map(|name| (*name).to_owned()).collect();
    let (mut ledger, mut alerts) = (shared.clone(), shared.clone());
    let done = cycle(
        Parts {
            sources: &mut sources,
            tells: telling,
            pricer: &Cents,
            ledger: &mut ledger,
            alerts: &mut alerts,
            budgets: if manner.short { &budgets()[..2] } else { budgets() },
            watch: &WatchPolicy {
                unpriced: manner.watch.then(UnpricedPolicy::default),
                ..WatchPolicy::default()
            },
            channels: &channels,
            channel_names: &names,
            clock: &SimulatedClock {
                start: manner.now,
                tick: manner.tick,
                passed: Mutex::default(),
            },
            limits: DeliveryLimits {
                at_once: manner.at_once,
                ..LIMITS
            },
            time_budget: Duration::from_secs(600),
            retention: Retention {
                detail_days: manner.detail_days,
            },
            observer: &mut |_| {},
        },
        manner.now,
    );
    let unsettled = shared.process().unsettled;
    assert!(
        done.is_err() || !unsettled,
        "a run ended well without knowing whether it recorded all"
    );
    shared.die();
    done
}

/// One month with its people, and what is true of it.
struct Month {
    random: Random,
    world: Arc<Mutex<World>>,
    truth: Truth,
    partial: Vec<(DateTime<Utc>, UsageEvent)>,
    start: DateTime<Utc>,
    now: DateTime<Utc>,
    detail_days: u32,
    threads: bool,
    watch: bool,
}

impl Month {
    fn new(seed: u64) -> Self {
        let start = at("2026-10-20T00:00:00Z");
        let world = World {
            refuses: !seed.is_multiple_of(2),
            aside: BTreeSet::new(),
            ..World::default()
        };
        Month {
            random: Random(seed),
            world: Arc::new(Mutex::new(world)),
            truth: Truth::default(),
            partial: Vec::new(),
            start,
            now: start,
            detail_days: if seed.is_multiple_of(8) { 30 } else { 400 },
            threads: seed.is_multiple_of(64),
            watch: seed.is_multiple_of(4),
        }
    }

    /// A day's calls: some at once in full, some first in part, some days late, some twice.
    fn calls(&mut self, midnight: DateTime<Utc>) {
        let random = &mut self.random;
        let mut new = Vec::new();
        self.partial.retain(|(due, full)| {
            let ripe = *due <= midnight;
            new.extend(ripe.then_some(*full));
            !ripe
        });
        for team in 0..TEAMS.len() {
            let late = if random.one_in(8) { random.below(20) } else { 0 };
            let when = midnight - TimeDelta::days(late) + TimeDelta::hours(i64::try_from(team).unwrap());
            let burst = if random.one_in(12) { 150 } else { 1 };
            let cents = u64::try_from(random.below(1500) * burst).unwrap();
            let id = EventId(u128::from(random.next()).to_le_bytes());
            let model = if random.one_in(20) { nobody() } else { label(3) };
            let mut full = UsageEvent::new(id, when, label(2), model);
            full.dimensions.set(Dimension::Team, label(team));
            full.tokens.set(Bucket::Output, cents);
            if random.one_in(5) {
                let mut part = full;
                part.rank.complete = false;
                part.tokens
                    .set(Bucket::Output, u64::try_from(random.below(90_000)).unwrap());
                new.push(part);
                let due = midnight + TimeDelta::days(random.below(4));
                self.partial.push((due, full));
            } else {
                new.push(full);
            }
        }
        let mut world = self.world.lock().unwrap();
        if random.one_in(3) && !world.feed.is_empty() {
            let old = random.below(i64::try_from(world.feed.len()).unwrap());
            new.insert(0, world.feed[usize::try_from(old).unwrap()]);
        }
        new.iter().for_each(|event| self.truth.call(event));
        world.feed.extend(new);
    }

    /// The bill of the current month, issued anew: a day more, and sometimes other figures for the days before.
    fn bill(&mut self, midnight: DateTime<Utc>) {
        let period = budgets()[2].period_at(midnight);
        let identity = format!("bill {}", period.start.format("%Y-%m"));
        let mut world = self.world.lock().unwrap();
        let (issue, before) = world
            .bills
            .remove(&identity)
            .map_or((0, SpendRows::default()), |(n, b)| (n, b.rows));
        let usage = Dimensions::default().with(Dimension::Category, "Usage");
        let mut days: BTreeMap<Hour, Decimal> = before.iter().map(|(key, sums)| (key.hour, sums.cost)).collect();
        for cost in days.values_mut() {
            if self.random.one_in(6) {
                *cost = Decimal::new(self.random.below(9_000), 2);
            }
        }
        days.insert(Hour::of(midnight), Decimal::new(self.random.below(9_000), 2));
        let row = |(hour, cost): (Hour, Decimal)| {
            let key = SpendKey {
                hour,
                basis: Basis::Billed,
                currency: Currency::USD,
                dimensions: usage,
            };
            let sums = Sums {
                events: 1,
                cost,
                ..Sums::default()
            };
            (key, sums)
        };
        let bill = Bill {
            identity: identity.clone(),
            period,
            rows: days.into_iter().map(row).collect(),
            settled_before: None,
            formerly: None,
        };
        self.truth.bill(&bill);
        world.bills.insert(identity, (issue + 1, bill));
    }

    fn shared(&mut self) -> Shared {
        let shared = Shared::new(&self.world, Fate::Chance, self.random.next());
        let rival = |world: &Arc<Mutex<World>>, seed| {
            let late = TimeDelta::minutes(i64::try_from(seed % 90).unwrap());
            let now = world.lock().unwrap().now + late;
            let _ = run(&Shared::new(world, Fate::Chance, seed), Manner::plain(now));
        };
        shared.process.lock().unwrap().rival = Some(rival);
        shared
    }

    fn run(&mut self) {
        self.world.lock().unwrap().now = self.now;
        let tick = Duration::from_secs(if self.random.one_in(10) { 100 } else { 0 });
        let short = self.random.one_in(25);
        let manner = Manner {
            now: self.now,
            tick,
            names: &NAMES,
            usable: if short { 1 } else { NAMES.len() },
            short,
            watch: self.watch,
            at_once: if self.threads { 2 } else { 1 },
            detail_days: self.detail_days,
        };
        let shared = self.shared();
        let _ = run(&shared, manner);
    }

    /// Someone looks at the alerts and does something about one.
    fn person(&mut self) {
        let hours = TimeDelta::hours(self.random.below(72) + 1);
        let (by, reason) = ("ann".to_owned(), "known".to_owned());
        let mut shared = self.shared();
        if self.random.one_in(3) {
            let policy = ["search", "s*", "invoice", "*"][usize::try_from(self.random.below(4)).unwrap()];
            let silence = Silence {
                id: format!("{}", self.random.next()),
                policy: policy.to_owned(),
                from: self.now,
                until: self.now + hours,
                by,
                reason,
            };
            let _ = deed::silence(&mut shared, &silence);
            return;
        }
        let mut open = self.world.lock().unwrap().alerts.alerts(None).unwrap();
        open.retain(|alert| alert.state.is_active());
        let Some(alert) = open.get(usize::try_from(self.random.below(4)).unwrap()) else {
            return;
        };
        let until = self.now + hours;
        let what = if self.random.one_in(2) {
            Deed::Resolve { by, reason }
        } else {
            Deed::Acknowledge { until, by, reason }
        };
        let _ = deed::act(&mut shared, &alert.id, &what, self.now);
    }

    fn day(&mut self, midnight: DateTime<Utc>) {
        self.calls(midnight);
        if self.random.one_in(4) {
            self.bill(midnight);
        }
        // On many days nobody runs it, on some it runs twice.
        for _ in 0..[0, 0, 0, 0, 0, 1, 1, 2][usize::try_from(self.random.below(8)).unwrap()] {
            self.now = midnight + TimeDelta::minutes(self.random.below(1440));
            if self.random.one_in(15) {
                self.now -= TimeDelta::hours(self.random.below(72));
            }
            self.run();
        }
        if self.random.one_in(6) {
            self.person();
        }
    }

    /// Nothing fails any more: what is late arrives, silences and acknowledgements end, everything is told.
    fn end(mut self) {
        for days in [4, 5, 9] {
            self.now = self.start + TimeDelta::days(DAYS + days);
            let rest: Vec<UsageEvent> = self.partial.drain(..).map(|(_, full)| full).collect();
            rest.iter().for_each(|event| self.truth.call(event));
            self.world.lock().unwrap().feed.extend(rest);
            run(
                &Shared::new(&self.world, Fate::Fine, days.unsigned_abs()),
                Manner::plain(self.now),
            )
            .unwrap();
        }
        self.again();
        let mut world = self.world.lock().unwrap();
        check::check(budgets(), &mut world, &self.truth, self.now);
    }

    /// Someone has what was set aside tried again.
    fn again(&self) {
        let mut shared = Shared::new(&self.world, Fate::Fine, 1);
        let channels: Vec<Box<dyn Notifier>> = vec![
            Box::new(Channel("chat", shared.clone())),
            Box::new(Channel("log", shared.clone())),
        ];
        let delivery = Delivery {
            channels: &channels,
            clock: &SimulatedClock {
                start: self.now,
                tick: Duration::ZERO,
                passed: Mutex::default(),
            },
            limits: LIMITS,
            jitter_seed: 1,
        };
        deliver_again(&mut shared, delivery).unwrap();
    }
}

fn simulate(seed: u64) {
    let mut month = Month::new(seed);
    for day in 0..DAYS {
        month.day(month.start + TimeDelta::days(day));
    }
    month.end();
}

#[test]
fn sixty_days_of_crashes_count_exactly_and_tell_everything_once() {
    let variable = |name| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let (first, end) = match variable("FINOPS_SIM_SEED") {
        Some(seed) => (seed, seed + 1),
        None => (0, variable("FINOPS_SIM_SEEDS").unwrap_or(SEEDS)),
    };
    let next = AtomicU64::new(first);
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8));
        for _ in 0..threads {
            scope.spawn(|| {
                while failed.lock().unwrap().is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    if std::panic::catch_unwind(|| simulate(seed)).is_err() {
                        failed.lock().unwrap().get_or_insert(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert_eq!(failed, None, "run it again with FINOPS_SIM_SEED set to that");
}

/// The same first day, again and again, with every fault at every call.
#[test]
fn a_fault_at_each_single_port_call_changes_nothing_in_the_end() {
    for fault in [Fault::Before, Fault::After, Fault::Refused, Fault::Lost, Fault::Rival] {
        let mut calls = 0;
        loop {
            let mut month = Month::new(7);
            for day in 0..4 {
                month.calls(month.start + TimeDelta::days(day));
                month.bill(month.start + TimeDelta::days(day));
            }
            let mut much = month.world.lock().unwrap().feed[0];
            much.id = EventId([9; 16]);
            much.tokens.set(Bucket::Output, 90_000);
            month.truth.call(&much);
            month.world.lock().unwrap().feed.push(much);
            month.now = month.start + TimeDelta::days(4);
            month.world.lock().unwrap().now = month.now;
            let shared = month.shared();
            let meets = {
                let mut process: std::sync::MutexGuard<'_, Process> = shared.process.lock().unwrap();
                process.fate = Fate::At(calls, fault);
                move |shared: &Shared| shared.process.lock().unwrap().calls > calls
            };
            let _ = run(&shared, Manner::plain(month.now));
            let met = meets(&shared);
            month.end();
            if !met {
                break;
            }
            calls += 1;
        }
        println!("{fault:?} at each of {calls} calls");
        assert!(calls >= 12, "a run makes more calls than {calls}");
    }
}
