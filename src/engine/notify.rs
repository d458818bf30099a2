//! Delivers what waits in the outbox: every message at least once, under one identity; channels fail apart.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;

use crate::ports::{Clock, Notifier, Outbox, Retry, StoreError};

/// The first pause before trying again; it doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(30);

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
}

/// What delivering did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliverySummary {
    /// Messages accepted by their channel.
    pub delivered: u64,
    /// Messages that stay for the next run.
    pub waiting: u64,
    /// Channels that failed, with the last reason.
    pub failed: BTreeMap<String, String>,
}

/// Delivers everything that waits, oldest first per channel. A channel that has failed for good in this run gets nothing
/// more; the others do.
pub fn deliver_pending(
    outbox: &mut dyn Outbox,
    channels: &[Box<dyn Notifier>],
    clock: &dyn Clock,
    limits: DeliveryLimits,
    jitter_seed: u64,
) -> Result<DeliverySummary, StoreError> {
    let pending = outbox.claim()?;
    let started = clock.now();
    let budget = TimeDelta::from_std(limits.budget).unwrap_or(TimeDelta::MAX);
    let mut jitter = Jitter(jitter_seed);
    let mut summary = DeliverySummary::default();
    let mut result = Ok(());
    let mut told: BTreeMap<String, chrono::DateTime<chrono::Utc>> = BTreeMap::new();
    for waiting in pending {
        let message = &waiting.message;
        let Some(channel) = channels.iter().find(|c| c.channel() == message.channel) else {
            summary.waiting += 1;
            summary.failed.insert(
                message.channel.clone(),
                "it is not configured, or cannot be used now; its messages wait".to_owned(),
            );
            continue;
        };
        if summary.failed.contains_key(&message.channel) {
            summary.waiting += 1;
            continue;
        }
        if let Some(last) = told.get(&message.channel) {
            let next = *last + TimeDelta::from_std(channel.pace()).unwrap_or(TimeDelta::MAX);
            let pause = (next - clock.now()).to_std().unwrap_or_default();
            if next - started > budget {
                summary.waiting += 1;
                continue;
            }
            if !pause.is_zero() {
                clock.sleep(pause);
            }
        }
        let mut attempt = 1;
        let outcome = loop {
            match channel.deliver(message, limits.timeout) {
                Ok(receipt) => break Ok(receipt),
                Err(error) => {
                    let pause = match error.retry {
                        Retry::Never => break Err(error),
                        Retry::Backoff => jitter.below(FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(MAX_PAUSE)),
                        Retry::After(pause) => pause,
                    };
                    let until = clock.now() + TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX);
                    if attempt >= limits.attempts || until - started > budget {
                        break Err(error);
                    }
                    clock.sleep(pause);
                    attempt += 1;
                }
            }
        };
        let kept = match outcome {
            Ok(receipt) => {
                summary.delivered += 1;
                told.insert(message.channel.clone(), clock.now());
                stored(clock, || outbox.delivered(&message.id, &receipt, clock.now()))
            }
            Err(error) => {
                summary.waiting += 1;
                summary.failed.insert(message.channel.clone(), error.message.clone());
                stored(clock, || outbox.failed(&message.id, &error.message, clock.now()))
            }
        };
        if kept.is_err() {
            result = kept;
            break;
        }
    }
    outbox.release()?;
    result.map(|()| summary)
}

/// Writes what happened, again while another process holds the lock: a message that was accepted and is not marked as such
/// would be told twice.
fn stored(clock: &dyn Clock, mut write: impl FnMut() -> Result<(), StoreError>) -> Result<(), StoreError> {
    let mut left = STORE_ATTEMPTS;
    loop {
        match write() {
            Err(StoreError::Locked { .. }) if left > 1 => {
                left -= 1;
                clock.sleep(FIRST_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// Evenly spread pauses from a seed (SplitMix64): many clients that failed together do not come back together.
struct Jitter(u64);

impl Jitter {
    fn below(&mut self, bound: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis((z ^ (z >> 31)) % bound)
    }
}
