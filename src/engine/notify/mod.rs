//! Delivers what waits in the outbox: every message at least once, under one identity; channels side by side and apart.

mod handover;
mod lane;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use crate::domain::notification::{Severity, Told};
use crate::ports::{AlertsAndOutbox, Clock, Notifier, Outbox, Pending, Retry, StoreError};
pub use handover::{Handed, Routes};
use lane::{Attempted, Lane, Times};

/// Pause before a locked store is tried again.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// How often a write to a locked store is tried.
const STORE_ATTEMPTS: u32 = 5;

/// Bounds of one delivery.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryLimits {
    /// Attempts per message within this run.
    pub attempts: u32,
    /// Time for one attempt.
    pub timeout: Duration,
    /// Time for all of them.
    pub budget: Duration,
    /// Channels delivered to at the same time, so that one that hangs does not keep the others waiting. With one, everything
    /// happens in the calling thread, in order.
    pub at_once: usize,
}

/// What delivering did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliverySummary {
    /// Messages accepted by their channel.
    pub delivered: u64,
    /// Messages that stay for the next run.
    pub waiting: u64,
    /// Those of them for which no time was left.
    pub late: u64,
    /// Messages that are set aside: their channel refused them for good again and again.
    pub set_aside: u64,
    /// Channels that failed, with the last reason.
    pub failed: BTreeMap<String, String>,
    /// Messages that their channel refused in this run while it may take others.
    pub refused: Vec<Refusal>,
    /// Whether another process has the right to deliver, so that nothing was tried.
    pub taken: bool,
    /// Messages for channels that are configured no more, and where they went.
    pub handed: Vec<Handed>,
}

/// A message that its channel refused for good.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Refusal {
    /// The channel.
    pub channel: String,
    /// The message.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What the channel said.
    pub reason: String,
    /// Whether it is set aside now; else it is tried again at the next run.
    pub set_aside: bool,
}

/// What is delivered to, within which bounds.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// The channels that can be used now.
    pub channels: &'a [Box<dyn Notifier>],
    /// Real time.
    pub clock: &'a dyn Clock,
    /// Bounds.
    pub limits: DeliveryLimits,
    /// Spreads the pauses of many installations.
    pub jitter_seed: u64,
}

/// Delivers everything that waits, per channel what is gravest first, then what is oldest. A channel that has failed in this run gets nothing more; the
/// others do.
pub fn deliver_pending(
    outbox: &mut dyn Outbox,
    channels: &[Box<dyn Notifier>],
    clock: &dyn Clock,
    limits: DeliveryLimits,
    jitter_seed: u64,
) -> Result<DeliverySummary, StoreError> {
    let delivery = Delivery {
        channels,
        clock,
        limits,
        jitter_seed,
    };
    let pending = outbox.claim()?;
    let outcome = delivery.deliver(outbox, pending, false);
    released(outbox, outcome)
}

/// The same, also to channels that asked to be left alone: someone says that they take it now.
pub fn deliver_again(outbox: &mut dyn Outbox, delivery: Delivery<'_>) -> Result<DeliverySummary, StoreError> {
    let pending = outbox.claim()?;
    let outcome = delivery.deliver(outbox, pending, true);
    released(outbox, outcome)
}

/// The same as [`deliver_pending`], after messages for channels that are configured no more were handed to those of now.
pub fn deliver_routed(
    store: &mut dyn AlertsAndOutbox,
    routes: &Routes<'_>,
    delivery: Delivery<'_>,
) -> Result<DeliverySummary, StoreError> {
    let pending = store.claim()?;
    let outcome = handover::hand_over(store, pending, routes, delivery.clock).and_then(|(pending, handed)| {
        let summary = delivery.deliver(store, pending, false)?;
        Ok(DeliverySummary { handed, ..summary })
    });
    released(store, outcome)
}

/// Gives the right to deliver back, also after a failure, which weighs more than a failure to give it back.
fn released(
    outbox: &mut dyn Outbox,
    outcome: Result<DeliverySummary, StoreError>,
) -> Result<DeliverySummary, StoreError> {
    let released = outbox.release();
    let summary = outcome?;
    released.map(|()| summary)
}

impl Delivery<'_> {
    /// Delivers what was claimed; `again`: also to channels that asked to be left alone.
    fn deliver(
        self,
        outbox: &mut dyn Outbox,
        pending: Vec<Pending>,
        again: bool,
    ) -> Result<DeliverySummary, StoreError> {
        let claimed = !pending.is_empty();
        // Nothing waits, or another process delivers it.
        let pending = if claimed {
            without_old_reminders(outbox, pending, self.clock)?
        } else {
            outbox.waiting()?
        };
        let aside = pending.iter().filter(|p| p.is_set_aside()).count() as u64;
        let waiting = pending.len() as u64 - aside;
        let mut summary = DeliverySummary {
            waiting,
            set_aside: aside,
            taken: !claimed && waiting > 0,
            ..DeliverySummary::default()
        };
        if !claimed {
            return Ok(summary);
        }
        let lanes = self.lanes(&pending, again, &mut summary);
        let mut keeper = Keeper {
            outbox,
            clock: self.clock,
            summary,
            failure: None,
        };
        let times = Times::new(self.clock, self.limits);
        let threads = self.limits.at_once.min(lanes.len());
        if threads > 1 {
            side_by_side(lanes, threads, &times, &mut keeper);
        } else {
            one_by_one(lanes, &times, &mut keeper);
        }
        let Keeper { summary, failure, .. } = keeper;
        failure.map_or(Ok(summary), Err)
    }

    /// What is due, by channel; of channels that get nothing now the summary says why.
    fn lanes<'p>(&self, pending: &'p [Pending], again: bool, summary: &mut DeliverySummary) -> Vec<Lane<'p>>
    where
        Self: 'p,
    {
        let now = self.clock.now();
        for waiting in pending.iter().filter(|_| !again) {
            if let Some(until) = waiting.rests_until(now) {
                let until = until.format("%Y-%m-%d %H:%M UTC");
                let why = format!("it asked to be left alone until {until} ({})", waiting.reason);
                summary.failed.insert(waiting.message.channel.clone(), why);
            }
        }
        let mut lanes: Vec<Lane<'p>> = Vec::new();
        for waiting in gravest_first(pending) {
            let name = &waiting.message.channel;
            if summary.failed.contains_key(name) {
                continue;
            }
            if let Some(lane) = lanes.iter_mut().find(|lane| lane.channel() == name) {
                lane.push(waiting);
            } else if let Some(channel) = self.channels.iter().find(|c| c.channel() == name) {
                let seed = self.jitter_seed.wrapping_add(lanes.len() as u64);
                lanes.push(Lane::new(channel.as_ref(), waiting, seed));
            } else {
                let why = "it is not configured, or cannot be used now; its messages wait";
                summary.failed.insert(name.clone(), why.to_owned());
            }
        }
        lanes
    }
}

/// What waits with the gravest alerts of a channel first, so that what is urgent does not wait behind what is not. The messages of one
/// alert stay in their order.
fn gravest_first(pending: &[Pending]) -> Vec<&Pending> {
    let mut gravest: BTreeMap<(&str, &str), Severity> = BTreeMap::new();
    for waiting in pending {
        let message = &waiting.message;
        let slot = gravest
            .entry((&message.channel, &message.alert_id))
            .or_insert(message.severity);
        *slot = message.severity.max(*slot);
    }
    let of = |p: &Pending| {
        let name = (p.message.channel.as_str(), p.message.alert_id.as_str());
        gravest.get(&name).copied()
    };
    let mut all: Vec<&Pending> = pending.iter().collect();
    all.sort_by_key(|waiting| std::cmp::Reverse(of(waiting)));
    all
}

/// What waits without reminders behind which a later message of the same alert waits for the same channel: that says how it stands now.
fn without_old_reminders(
    outbox: &mut dyn Outbox,
    mut pending: Vec<Pending>,
    clock: &dyn Clock,
) -> Result<Vec<Pending>, StoreError> {
    let mut later: BTreeSet<(String, String)> = BTreeSet::new();
    let mut old = BTreeSet::new();
    for Pending { message, .. } in pending.iter().rev() {
        let is_last = later.insert((message.channel.clone(), message.alert_id.clone()));
        if message.told == Told::Reminder && !is_last {
            old.insert(message.id.clone());
        }
    }
    for id in &old {
        outbox.withdrawn(id, "a later message of the same alert says how it stands", clock.now())?;
    }
    pending.retain(|waiting| !old.contains(&waiting.message.id));
    Ok(pending)
}

fn one_by_one(lanes: Vec<Lane<'_>>, times: &Times<'_>, keeper: &mut Keeper<'_>) {
    for lane in lanes {
        keeper.summary.late += lane.run(times, &mut |attempted| keeper.keep(&attempted));
        if keeper.failure.is_some() {
            return;
        }
    }
}

/// Each thread takes one channel after the other; what they learn is written by the calling thread alone. A lane goes on
/// when its last message is written: a store that fails stops all of them.
fn side_by_side(lanes: Vec<Lane<'_>>, threads: usize, times: &Times<'_>, keeper: &mut Keeper<'_>) {
    let queue = Mutex::new(lanes.into_iter());
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel::<Report<'_>>();
        for _ in 0..threads {
            let (tell, queue) = (tell.clone(), &queue);
            scope.spawn(move || {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(lane) = next else { break };
                    let late = lane.run(times, &mut |attempted| {
                        let (answer, kept) = mpsc::sync_channel(1);
                        tell.send(Report::Attempted(attempted, answer)).is_ok() && kept.recv().unwrap_or(false)
                    });
                    if tell.send(Report::Late(late)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(tell);
        for report in told {
            match report {
                Report::Attempted(attempted, answer) => {
                    // A lane that is gone needs no answer.
                    let _ = answer.send(keeper.keep(&attempted));
                }
                Report::Late(messages) => keeper.summary.late += messages,
            }
        }
    });
}

enum Report<'a> {
    Attempted(Attempted<'a>, mpsc::SyncSender<bool>),
    Late(u64),
}

/// Writes what the lanes learn.
struct Keeper<'a> {
    outbox: &'a mut dyn Outbox,
    clock: &'a dyn Clock,
    summary: DeliverySummary,
    failure: Option<StoreError>,
}

impl Keeper<'_> {
    /// Answers whether to go on. After a failure what was accepted is still tried to be written: else it is told twice.
    fn keep(&mut self, attempted: &Attempted<'_>) -> bool {
        let Attempted { pending, outcome } = attempted;
        let (clock, outbox, message) = (self.clock, &mut *self.outbox, &pending.message);
        let kept = match outcome {
            Ok(receipt) => {
                let kept = stored(clock, || outbox.delivered(&message.id, receipt, clock.now()));
                let slot = match pending.is_set_aside() {
                    true => &mut self.summary.set_aside,
                    false => &mut self.summary.waiting,
                };
                *slot -= u64::from(kept.is_ok());
                self.summary.delivered += u64::from(kept.is_ok());
                kept
            }
            // It was named when it was set aside; at each run only its being there is counted.
            Err(error) if error.retry == Retry::Refused && pending.is_set_aside() => {
                let after = Pending::clone(pending).failed(error, clock.now());
                stored(clock, || outbox.failed(&after))
            }
            Err(error) => {
                let after = Pending::clone(pending).failed(error, clock.now());
                let set_aside = after.is_set_aside() && !pending.is_set_aside();
                self.summary.set_aside += u64::from(set_aside);
                self.summary.waiting -= u64::from(set_aside);
                if error.retry == Retry::Refused {
                    self.summary.refused.push(Refusal {
                        channel: message.channel.clone(),
                        id: message.id.clone(),
                        title: message.title.clone(),
                        reason: error.message.clone(),
                        set_aside,
                    });
                } else {
                    self.summary
                        .failed
                        .insert(message.channel.clone(), error.message.clone());
                }
                stored(clock, || outbox.failed(&after))
            }
        };
        if let Err(error) = kept {
            self.failure.get_or_insert(error);
        }
        self.failure.is_none()
    }
}

/// Writes what happened, again while another process holds the lock: a message that was accepted and is not marked as such
/// would be told twice.
fn stored(clock: &dyn Clock, mut write: impl FnMut() -> Result<(), StoreError>) -> Result<(), StoreError> {
    let mut left = STORE_ATTEMPTS;
    loop {
        match write() {
            Err(StoreError::Locked { .. }) if left > 1 => {
                left -= 1;
                clock.sleep(STORE_PAUSE);
            }
            outcome => return outcome,
        }
    }
}
