//! One channel's messages, one after the other: pace, pauses between attempts, and the time that is left.

use std::collections::BTreeSet;
use std::time::Duration;

use super::DeliveryLimits;
use crate::domain::notification::Notification;
use crate::ports::{Clock, DeliveryError, Notifier, Pending, Receipt, Retry};

/// The first pause before trying again; it doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// When it began, and how long it may take. Measured apart from the clock's date, which someone may set meanwhile.
pub struct Times<'a> {
    clock: &'a dyn Clock,
    limits: DeliveryLimits,
    started: Duration,
}

impl<'a> Times<'a> {
    pub fn new(clock: &'a dyn Clock, limits: DeliveryLimits) -> Self {
        Times {
            clock,
            limits,
            started: clock.elapsed(),
        }
    }

    fn left(&self) -> Duration {
        let passed = self.clock.elapsed().saturating_sub(self.started);
        self.limits.budget.saturating_sub(passed)
    }

    /// Waits, if an attempt after the pause would still have time.
    fn pause(&self, pause: Duration) -> bool {
        if pause >= self.left() {
            return false;
        }
        if !pause.is_zero() {
            self.clock.sleep(pause);
        }
        true
    }
}

/// How the attempts for one message ended.
pub struct Attempted<'a> {
    pub pending: &'a Pending,
    pub outcome: Result<Receipt, DeliveryError>,
}

/// One channel and what waits for it, in the order in which it is told.
pub struct Lane<'a> {
    channel: &'a dyn Notifier,
    messages: Vec<&'a Pending>,
    jitter: Jitter,
}

impl<'a> Lane<'a> {
    pub fn new(channel: &'a dyn Notifier, first: &'a Pending, jitter_seed: u64) -> Self {
        Lane {
            channel,
            messages: vec![first],
            jitter: Jitter(jitter_seed),
        }
    }

    pub fn channel(&self) -> &str {
        self.channel.channel()
    }

    pub fn push(&mut self, message: &'a Pending) {
        self.messages.push(message);
    }

    /// Delivers until the channel fails, `tell` says stop or the time is used up; answers how many messages had no time. One that is
    /// refused by itself holds back those of the same alert, so that people hear what happened in order, and no others; one that is set
    /// aside holds back none.
    pub fn run(mut self, times: &Times<'_>, tell: &mut dyn FnMut(Attempted<'a>) -> bool) -> u64 {
        let messages = std::mem::take(&mut self.messages);
        let mut last = None;
        let mut held: BTreeSet<&str> = BTreeSet::new();
        for (done, pending) in messages.iter().copied().enumerate() {
            let message = &pending.message;
            if held.contains(message.alert_id.as_str()) {
                continue;
            }
            let since = |at: Duration| times.clock.elapsed().saturating_sub(at);
            let pace = last.map_or(Duration::ZERO, |at| self.channel.pace().saturating_sub(since(at)));
            if !times.pause(pace) {
                let free = |p: &&&Pending| !held.contains(p.message.alert_id.as_str()) && !p.is_set_aside();
                return messages.iter().skip(done).filter(free).count() as u64;
            }
            let outcome = self.message(message, times);
            last = Some(times.clock.elapsed());
            let goes_on = match &outcome {
                Ok(_) => true,
                Err(error) => {
                    if !pending.is_set_aside() {
                        held.insert(&message.alert_id);
                    }
                    error.retry == Retry::Refused
                }
            };
            if !tell(Attempted { pending, outcome }) || !goes_on {
                break;
            }
        }
        0
    }

    fn message(&mut self, message: &Notification, times: &Times<'_>) -> Result<Receipt, DeliveryError> {
        let mut attempt = 1;
        loop {
            let timeout = times.limits.timeout.min(times.left());
            let error = match self.channel.deliver(message, timeout) {
                Ok(receipt) => return Ok(receipt),
                Err(error) => error,
            };
            let longest = FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(MAX_PAUSE);
            let pause = match error.retry {
                Retry::Refused | Retry::Never => return Err(error),
                Retry::Backoff => self.jitter.below(longest),
                // Who asks for no pause is not asked again at once all the same.
                Retry::After(pause) => pause.max(self.jitter.below(longest)),
            };
            if attempt >= times.limits.attempts || !times.pause(pause) {
                return Err(error);
            }
            attempt += 1;
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
