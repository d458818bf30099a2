//! Delivers what waits in the outbox: every message at least once, under one identity; channels side by side and apart.

mod lane;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use crate::ports::{Clock, Notifier, Outbox, Pending, StoreError};
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
    /// Channels that failed, with the last reason.
    pub failed: BTreeMap<String, String>,
}

/// Delivers everything that waits, oldest first per channel. A channel that has failed in this run gets nothing more; the
/// others do.
pub fn deliver_pending(
    outbox: &mut dyn Outbox,
    channels: &[Box<dyn Notifier>],
    clock: &dyn Clock,
    limits: DeliveryLimits,
    jitter_seed: u64,
) -> Result<DeliverySummary, StoreError> {
    let pending = outbox.claim()?;
    let outcome = deliver(outbox, &pending, channels, clock, limits, jitter_seed);
    // Given back also after a failure, which weighs more than a failure to give it back.
    let released = outbox.release();
    let summary = outcome?;
    released.map(|()| summary)
}

fn deliver(
    outbox: &mut dyn Outbox,
    pending: &[Pending],
    channels: &[Box<dyn Notifier>],
    clock: &dyn Clock,
    limits: DeliveryLimits,
    jitter_seed: u64,
) -> Result<DeliverySummary, StoreError> {
    let mut summary = DeliverySummary::default();
    let mut lanes: Vec<Lane<'_>> = Vec::new();
    for waiting in pending {
        let message = &waiting.message;
        if let Some(lane) = lanes.iter_mut().find(|lane| lane.channel() == message.channel) {
            lane.push(message);
        } else if let Some(channel) = channels.iter().find(|c| c.channel() == message.channel) {
            let seed = jitter_seed.wrapping_add(lanes.len() as u64);
            lanes.push(Lane::new(channel.as_ref(), message, seed));
        } else {
            summary.failed.insert(
                message.channel.clone(),
                "it is not configured, or cannot be used now; its messages wait".to_owned(),
            );
        }
    }
    let mut keeper = Keeper {
        outbox,
        clock,
        summary,
        failure: None,
    };
    let times = Times::new(clock, limits);
    let threads = limits.at_once.min(lanes.len());
    if threads > 1 {
        side_by_side(lanes, threads, &times, &mut keeper);
    } else {
        one_by_one(lanes, &times, &mut keeper);
    }
    let Keeper {
        mut summary, failure, ..
    } = keeper;
    summary.waiting = (pending.len() as u64).saturating_sub(summary.delivered);
    match failure {
        Some(error) => Err(error),
        None => Ok(summary),
    }
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
        let Attempted { message, outcome } = attempted;
        let (clock, outbox) = (self.clock, &mut *self.outbox);
        let kept = match outcome {
            Ok(receipt) => {
                let kept = stored(clock, || outbox.delivered(&message.id, receipt, clock.now()));
                self.summary.delivered += u64::from(kept.is_ok());
                kept
            }
            Err(error) => {
                self.summary
                    .failed
                    .insert(message.channel.clone(), error.message.clone());
                stored(clock, || outbox.failed(&message.id, &error.message, clock.now()))
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
