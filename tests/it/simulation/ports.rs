//! The ports of a process that may die at any call, over a world that outlives it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use finops::adapters::memory::{MemoryAlerts, MemoryLedger};
use finops::domain::alert::{Alert, Silence, Transition};
use finops::domain::charge::{Charge, UnpricedReason};
use finops::domain::label::Label;
use finops::domain::notification::{Notification, Told};
use finops::domain::period::{Hour, Period};
use finops::domain::spend::{Bill, KnownBill, Restatement, SpendKey, Sums};
use finops::domain::usage::{Bucket, EventId, UsageEvent};
use finops::ports::{
    AlertCommit, AlertStore, Checkpoint, Checkpoints, Clock, DeliveryError, Ledger, Notifier, Outbox, Pending, Pricer,
    Receipt, Recharged, RecordBatch, Recorded, Rest, Retention, Retry, Sink, SourceError, StoreError, UsageSource,
};
use rust_decimal::Decimal;

/// SplitMix64: small, and the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }
    pub fn one_in(&mut self, n: i64) -> bool {
        self.below(n) == 0
    }
}

/// What outlives every process: the stores, the logs that grow, the bills, and what people received.
#[derive(Default)]
pub struct World {
    pub ledger: MemoryLedger,
    pub alerts: MemoryAlerts,
    pub now: DateTime<Utc>,
    pub feed: Vec<UsageEvent>,
    /// By identity, with the number of the issue.
    pub bills: BTreeMap<String, (u64, Bill)>,
    /// The process that may deliver, if one lives that may.
    pub holder: Option<u64>,
    pub decided: Vec<Notification>,
    pub received: Vec<Notification>,
    /// Whether channels refuse single messages for good.
    pub refuses: bool,
    /// Alerts of which a message was set aside: it may be accepted after later ones.
    pub aside: BTreeSet<String>,
}

/// What a process may meet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing bad.
    Fine,
    /// Anything at any call, by chance.
    Chance,
    /// Exactly this at the call of this number, from 0.
    At(u32, Fault),
}

/// What happens at one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The process dies before the call has had its effect.
    Before,
    /// The process dies after it.
    After,
    /// The port refuses once: the store is locked, the source cannot be read, the channel says no.
    Refused,
    /// The port fails once after its effect: the reply is lost.
    Lost,
    /// Another process runs from its beginning to its end.
    Rival,
}

/// One run of the program. After its death no call of it has an effect.
pub struct Process {
    pub id: u64,
    pub random: Random,
    pub fate: Fate,
    pub calls: u32,
    pub dead: bool,
    /// Whether something was recorded ahead of which nobody knows yet whether all of it was.
    pub unsettled: bool,
    /// Runs a rival over the same world.
    pub rival: Option<fn(&Arc<Mutex<World>>, u64)>,
    silences: Vec<Silence>,
}

/// What all ports of one process share.
#[derive(Clone)]
pub struct Shared {
    pub world: Arc<Mutex<World>>,
    pub process: Arc<Mutex<Process>>,
}

impl Shared {
    pub fn new(world: &Arc<Mutex<World>>, fate: Fate, seed: u64) -> Self {
        let process = Process {
            id: seed,
            random: Random(seed),
            fate,
            calls: 0,
            dead: false,
            unsettled: false,
            rival: None,
            silences: Vec::new(),
        };
        Shared {
            world: Arc::clone(world),
            process: Arc::new(Mutex::new(process)),
        }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap()
    }

    /// What happens at the next call; a rival has run when this returns.
    fn fault(&self) -> Option<Fault> {
        let mut process = self.process();
        if process.dead {
            return Some(Fault::Before);
        }
        let call = process.calls;
        process.calls += 1;
        let fault = match process.fate {
            Fate::Fine => None,
            Fate::At(at, fault) => (at == call).then_some(fault),
            Fate::Chance => match process.random.below(160) {
                0 => Some(Fault::Before),
                1 => Some(Fault::After),
                2 | 3 => Some(Fault::Refused),
                4 => Some(Fault::Lost),
                5 => Some(Fault::Rival),
                _ => None,
            },
        };
        if fault == Some(Fault::Rival) {
            let (rival, seed) = (process.rival.take(), process.random.next());
            drop(process);
            if let Some(rival) = rival {
                rival(&self.world, seed);
            }
            return None;
        }
        fault
    }

    /// The process ends, one way or another; the right to deliver ends with it.
    pub fn die(&self) {
        let mut process = self.process();
        process.dead = true;
        let mut world = self.world();
        world.holder = world.holder.filter(|holder| *holder != process.id);
    }

    /// A call of a store: its effect, or what happens instead.
    fn store<T>(&self, effect: impl FnOnce(&mut World) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let path = || "memory".to_owned();
        let failed = || StoreError::Failed {
            path: path(),
            cause: "crashed".to_owned(),
        };
        match self.fault() {
            Some(Fault::Before) => {
                self.die();
                Err(failed())
            }
            Some(Fault::After) => {
                let _ = effect(&mut self.world());
                self.die();
                Err(failed())
            }
            Some(Fault::Refused) => Err(StoreError::Locked { path: path() }),
            Some(Fault::Lost) => effect(&mut self.world()).and_then(|_| Err(failed())),
            Some(Fault::Rival) | None => effect(&mut self.world()),
        }
    }
}

impl Ledger for Shared {
    fn begin(&mut self) {
        self.world().ledger.begin();
    }
    fn record(&mut self, batch: &RecordBatch, pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recorded, StoreError> {
        self.store(|w| w.ledger.record(batch, pricer, now))
    }
    fn record_ahead(
        &mut self,
        batch: &RecordBatch,
        pricer: &dyn Pricer,
        now: DateTime<Utc>,
    ) -> Result<Recorded, StoreError> {
        self.process().unsettled = true;
        self.record(batch, pricer, now)
    }
    fn settle(&mut self) -> Result<(), StoreError> {
        self.store(|_| Ok(()))?;
        self.process().unsettled = false;
        Ok(())
    }
    fn replace_bill(&mut self, bill: &Bill, now: DateTime<Utc>) -> Result<Vec<Restatement>, StoreError> {
        self.store(|w| w.ledger.replace_bill(bill, now))
    }
    fn bills(&mut self) -> Result<Vec<KnownBill>, StoreError> {
        self.store(|w| w.ledger.bills())
    }
    fn checkpoints(&mut self, source: &str) -> Result<Checkpoints, StoreError> {
        self.store(|w| w.ledger.checkpoints(source))
    }
    fn spend(&mut self, period: Period, visit: &mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError> {
        self.store(|w| w.ledger.spend(period, visit))
    }
    fn span(&mut self) -> Result<Option<Period>, StoreError> {
        self.store(|w| w.ledger.span())
    }
    fn event(&mut self, id: EventId) -> Result<Option<(UsageEvent, Charge)>, StoreError> {
        self.store(|w| w.ledger.event(id))
    }
    fn events(
        &mut self,
        period: Period,
        visit: &mut dyn FnMut(&UsageEvent, &Charge) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.store(|w| w.ledger.events(period, visit))
    }
    fn recharge(&mut self, ids: &[EventId], pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recharged, StoreError> {
        self.store(|w| w.ledger.recharge(ids, pricer, now))
    }
    fn restatements(&mut self) -> Result<Vec<Restatement>, StoreError> {
        self.store(|w| w.ledger.restatements())
    }
    fn expire(&mut self, retention: Retention, kept: &BTreeSet<Hour>, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.store(|w| w.ledger.expire(retention, kept, now))
    }
}

impl AlertStore for Shared {
    fn alerts(&mut self, since: Option<DateTime<Utc>>) -> Result<Vec<Alert>, StoreError> {
        self.store(|w| w.alerts.alerts(since))
    }
    fn history(&mut self, id: &str) -> Result<Vec<Transition>, StoreError> {
        self.store(|w| w.alerts.history(id))
    }
    fn silences(&mut self) -> Result<Vec<Silence>, StoreError> {
        let read = self.store(|w| w.alerts.silences())?;
        self.process().silences.clone_from(&read);
        Ok(read)
    }
    fn silence(&mut self, silence: &Silence) -> Result<(), StoreError> {
        self.store(|w| w.alerts.silence(silence))
    }
    fn commit(&mut self, commit: &AlertCommit) -> Result<(), StoreError> {
        let silences = self.process().silences.clone();
        self.store(|w| {
            w.alerts.commit(commit)?;
            // Nothing is told to those who asked for silence, as far as the process could know.
            for message in &commit.messages {
                let alert = commit.alerts.iter().find(|a| a.id == message.alert_id).unwrap();
                let muted = silences.iter().any(|s| s.mutes(&alert.policy, message.decided_at));
                assert!(!muted, "told though silenced: {} {}", message.title, message.told);
                let forecast = alert.kind == "budget_forecast" && message.told != Told::Resolved;
                let graver = |a: &Alert| {
                    a.kind == "budget_actual"
                        && a.policy == alert.policy
                        && a.period == alert.period
                        && a.state.is_active()
                };
                let muted = forecast && message.told != Told::Acknowledged && commit.alerts.iter().any(graver);
                assert!(!muted, "told though inhibited: {} {}", message.title, message.told);
            }
            w.decided.extend(commit.messages.iter().cloned());
            Ok(())
        })
    }
}

impl Outbox for Shared {
    fn claim(&mut self) -> Result<Vec<Pending>, StoreError> {
        let id = self.process().id;
        self.store(|w| {
            if w.holder.is_some_and(|holder| holder != id) {
                return Ok(Vec::new());
            }
            w.holder = Some(id);
            w.alerts.claim()
        })
    }
    fn waiting(&mut self) -> Result<Vec<Pending>, StoreError> {
        self.store(|w| w.alerts.waiting())
    }
    fn delivered(&mut self, id: &str, receipt: &Receipt, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.store(|w| w.alerts.delivered(id, receipt, at))
    }
    fn failed(&mut self, after: &Pending) -> Result<(), StoreError> {
        self.store(|w| {
            if after.is_set_aside() {
                w.aside.insert(after.message.alert_id.clone());
            }
            w.alerts.failed(after)
        })
    }
    fn release(&mut self) -> Result<(), StoreError> {
        let id = self.process().id;
        self.store(|w| {
            w.holder = w.holder.filter(|holder| *holder != id);
            Ok(())
        })
    }
}

/// A channel that loses messages, refuses them, or takes them and loses its reply.
pub struct Channel(pub &'static str, pub Shared);

impl Notifier for Channel {
    fn channel(&self) -> &str {
        self.0
    }
    fn pace(&self) -> Duration {
        Duration::from_secs(1)
    }
    fn deliver(&self, message: &Notification, _: Duration) -> Result<Receipt, DeliveryError> {
        let receive = || self.1.world().received.push(message.clone());
        let failed = |retry| {
            let message = "refused".to_owned();
            Err(DeliveryError { message, retry })
        };
        let chance = self.1.process().fate == Fate::Chance;
        let refuses = self.1.world().refuses;
        let worse = if chance { self.1.process().random.below(12) } else { 11 };
        match self.1.fault() {
            Some(Fault::Before) => {
                self.1.die();
                failed(Retry::Never)
            }
            Some(Fault::After) => {
                receive();
                self.1.die();
                failed(Retry::Never)
            }
            Some(Fault::Refused) => failed(Retry::Never),
            Some(Fault::Lost) => {
                receive();
                failed(Retry::Backoff)
            }
            Some(Fault::Rival) | None => match worse {
                0 => failed(Retry::Never),
                1 => failed(Retry::Backoff),
                2 => failed(Retry::After(Duration::from_secs(30))),
                3 => failed(Retry::After(Duration::from_secs(86_400))),
                4 => {
                    receive();
                    failed(Retry::Backoff)
                }
                5 if refuses => failed(Retry::Refused),
                _ => {
                    receive();
                    let answer = "ok".to_owned();
                    Ok(Receipt { answer })
                }
            },
        }
    }
}

/// The log, read from where its checkpoint stands, and the bill, read when it was issued anew.
pub struct Source(pub Label, pub Shared);

impl UsageSource for Source {
    fn name(&self) -> Label {
        self.0
    }

    fn read(&mut self, known: &Checkpoints, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let unreadable = || SourceError::Read {
            what: "log".to_owned(),
            cause: "no permission".to_owned(),
            hint: String::new(),
        };
        let fault = self.1.fault();
        match fault {
            Some(Fault::Before) => {
                self.1.die();
                return Err(unreadable());
            }
            Some(Fault::Refused) => return Err(unreadable()),
            Some(Fault::After | Fault::Lost | Fault::Rival) | None => {}
        }
        let at = |key: &str| {
            known
                .get(key)
                .map_or(0, |c| u64::from_le_bytes(c.0.as_slice().try_into().unwrap()))
        };
        let here = |n: u64| Checkpoint(n.to_le_bytes().to_vec());
        let mut bills = self.1.world().bills.clone();
        bills.retain(|identity, (issue, _)| at(identity) < *issue);
        for (identity, (issue, bill)) in bills {
            sink.bill(bill)?;
            sink.checkpoint(&identity, here(issue))?;
        }
        let read = at("log");
        let mut new = self.1.world().feed[usize::try_from(read).unwrap()..].to_vec();
        let end = read + new.len() as u64;
        while !new.is_empty() {
            let rest = new.split_off(new.len().min(8));
            sink.usage(&new)?;
            sink.checkpoint("log", here(end - rest.len() as u64))?;
            new = rest;
            if !new.is_empty() && sink.enough() {
                let bytes = new.len() as u64;
                sink.left(Rest { files: 1, bytes });
                return Ok(());
            }
        }
        match fault {
            None => Ok(()),
            Some(Fault::After) => {
                self.1.die();
                Err(unreadable())
            }
            Some(_) => Err(unreadable()),
        }
    }
}

/// A cent per token of output; a model that nobody has a price for.
pub struct Cents;

impl Pricer for Cents {
    fn price(&self, event: &UsageEvent) -> Charge {
        let tokens = i64::try_from(event.tokens.get(Bucket::Output)).unwrap();
        let cost = Decimal::new(tokens, 2);
        if event.model() == super::nobody() {
            Charge::unpriced(UnpricedReason::UnknownModel, cost)
        } else {
            Charge::priced(cost, super::nobody())
        }
    }
}

/// Passes by sleeping, and a little at each look.
pub struct SimulatedClock {
    pub start: DateTime<Utc>,
    pub tick: Duration,
    pub passed: Mutex<Duration>,
}

impl Clock for SimulatedClock {
    fn now(&self) -> DateTime<Utc> {
        self.start + TimeDelta::from_std(*self.passed.lock().unwrap()).unwrap()
    }
    fn elapsed(&self) -> Duration {
        let mut passed = self.passed.lock().unwrap();
        *passed += self.tick;
        *passed
    }
    fn sleep(&self, duration: Duration) {
        *self.passed.lock().unwrap() += duration;
    }
}
