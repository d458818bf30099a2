//! The sockets: every trait that the engine needs from the world, on one page.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use thiserror::Error;

use crate::domain::alert::{Alert, Silence, Transition};
use crate::domain::charge::Charge;
pub use crate::domain::delivery::{DeliveryError, Pending, Receipt, Retry};
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::MoneyError;
use crate::domain::notification::Notification;
use crate::domain::period::{Hour, Period};
use crate::domain::price::FreeSearches;
pub use crate::domain::reading::{
    ALL_SOURCES, Checkpoint, Located, OF_ALL, Progress, RecordPlace, Rejection, Rest, Telling,
};
use crate::domain::signal::Signals;
use crate::domain::spend::{Bill, KnownBill, Restatement, SpendKey, Sums};
use crate::domain::usage::{EventBatch, EventId, UsageEvent};

// ---------------------------------------------------------------- reading usage

/// The checkpoints of one source by the adapter's own key.
pub type Checkpoints = HashMap<String, Checkpoint>;

/// Reads usage or bills from somewhere, in a thread of its own.
pub trait UsageSource: Send {
    /// The configured name; becomes the `source` dimension.
    fn name(&self) -> Label;

    /// Hands everything that `known` does not cover to the sink, in any order, each input's events before the checkpoint
    /// that covers them. Bad records are rejected into the sink; only a failure of the source as a whole is an error.
    fn read(&mut self, known: &Checkpoints, sink: &mut dyn Sink) -> Result<(), SourceError>;
}

/// Takes what a source reads. Threads that read side by side use it in turns.
pub trait Sink: Send {
    /// Observations of calls, repetitions allowed.
    fn usage(&mut self, events: &[UsageEvent]) -> Result<(), StoreError>;
    /// Calls of this source that were merged already, each once, and what is covered by them; ends when they are recorded and the batch is
    /// empty. For a thread that collects on its own.
    fn batch(&mut self, events: &mut EventBatch, checkpoints: Vec<(String, Checkpoint)>) -> Result<(), StoreError> {
        self.usage(events.events())?;
        events.clear();
        checkpoints
            .into_iter()
            .try_for_each(|(key, at)| self.checkpoint(&key, at))
    }
    /// Whether what was handed over is still being recorded, so that handing over more would wait for it.
    fn is_recording(&self) -> bool {
        false
    }
    /// A complete billing period of a bill.
    fn bill(&mut self, bill: Bill) -> Result<(), StoreError>;
    /// Everything handed over before from the input `key` is covered by `at`.
    fn checkpoint(&mut self, key: &str, at: Checkpoint) -> Result<(), StoreError>;
    /// The checkpoints that are of all sources, as they were recorded last; none where nothing is kept.
    fn of_all(&self) -> Result<Checkpoints, StoreError> {
        Ok(Checkpoints::new())
    }
    /// Whether all records that are not usable are kept somewhere, so that those told before are told again.
    fn keeps_rejections(&self) -> bool {
        false
    }
    /// A record that is not usable.
    fn reject(&mut self, rejection: Rejection);
    /// A record that is understood and is no spend, by kind: `failed_calls`, `response_cache_hits`, `synthetic`, …
    fn exclude(&mut self, kind: &'static str, count: u64);
    /// Something worth telling once, with how often it occurred: `input excludes cached tokens`, …
    fn warn(&mut self, about: &str, count: u64);
    /// Lines and bytes read since the last call, and files begun: for counts and progress.
    fn progress(&mut self, read: Progress);
    /// Whether the time for reading is used up. A source asks where it could go on later, and says with [`Sink::left`] what it leaves.
    fn enough(&self) -> bool {
        false
    }
    /// What is left for the next run.
    fn left(&mut self, _rest: Rest) {}
}

/// Looks again at what a source was read from.
pub trait RecordFinder {
    /// Looks in the inputs of a call's source for the record that its usage was read from, until it is found or `enough` says that the time is used up.
    fn find(&mut self, call: &UsageEvent, inputs: &Checkpoints, enough: &(dyn Fn() -> bool + Sync)) -> Located;
}

/// A source failed as a whole.
#[derive(Debug, Error)]
pub enum SourceError {
    /// Could not be read.
    #[error("cannot read `{what}`: {cause}")]
    Read {
        /// File or address.
        what: String,
        /// Why.
        cause: String,
        /// What to do.
        hint: String,
    },
    /// The ledger refused what was read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Prices calls.
pub trait Pricer: Sync {
    /// The charge of a call: priced, or unpriced with a reason.
    fn price(&self, event: &UsageEvent) -> Charge;

    /// Appends the charges of several calls, each as [`Pricer::price`] gives it.
    fn price_all(&self, events: &[&UsageEvent], charges: &mut Vec<Charge>) {
        charges.extend(events.iter().map(|event| self.price(event)));
    }
}

/// Asks a provider what it says itself: anomalies, budgets, forecast.
pub trait ProviderSignals {
    /// Names the account that is asked.
    fn name(&self) -> &str;
    /// The parts that the settings want no answer to.
    fn off(&self) -> Vec<String>;
    /// Asks, but for the parts in `known`. Each part fails alone and is then named as unknown.
    fn ask(&mut self, known: &[&str], now: DateTime<Utc>) -> Signals;
}

// ---------------------------------------------------------------- the ledger

/// What goes into the ledger in one transaction.
#[derive(Clone, Debug, Default)]
pub struct RecordBatch {
    /// Observations, each call once.
    pub events: EventBatch,
    /// Checkpoints that the events reach, by source name and key.
    pub checkpoints: Vec<(String, String, Checkpoint)>,
}

/// What recording did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Calls that the ledger did not know.
    pub recorded: u64,
    /// Distinct calls that it knew from before this handle was opened and met again through it.
    pub known: u64,
    /// Observations that repeated a call, whether they changed it or not.
    pub duplicates: u64,
    /// Calls among the newly recorded that have no price.
    pub unpriced: u64,
    /// Change of the ledger's total cost, in USD.
    pub cost: Decimal,
}

/// What pricing recorded calls anew did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recharged {
    /// Calls whose charge is another one now.
    pub changed: u64,
    /// Change of the ledger's total cost, in USD.
    pub cost: Decimal,
    /// Days whose metered cost is another one now; kept by the store.
    pub restatements: Vec<Restatement>,
}

/// How long detail is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Days after recording for which a call's own record and hourly sums are kept. Daily totals stay.
    pub detail_days: u32,
}

/// The record of what was spent. Every method is atomic; two processes may use one ledger at the same time.
pub trait Ledger: Send {
    /// Begins a run: the order of what it records makes no difference, but what was recorded before keeps its names.
    fn begin(&mut self) {}

    /// Records observations: each call once, by identity, whatever was recorded before, priced after merging. All or nothing, with the checkpoints.
    fn record(&mut self, batch: &RecordBatch, pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recorded, StoreError>;

    /// The same, where a store may still be writing when this returns: what is asked of it next waits for that.
    /// [`Ledger::settle`] tells whether all of it was recorded; so does whatever else is asked first.
    fn record_ahead(
        &mut self,
        batch: &RecordBatch,
        pricer: &dyn Pricer,
        now: DateTime<Utc>,
    ) -> Result<Recorded, StoreError> {
        self.record(batch, pricer, now)
    }

    /// Waits until what was recorded ahead is recorded.
    fn settle(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether there is nothing to wait for.
    fn is_settled(&self) -> bool {
        true
    }

    /// While it is `held`, all reads see one moment, whatever others record, where a store can do that; this handle records nothing then.
    fn hold(&mut self, _held: bool) -> Result<(), StoreError> {
        Ok(())
    }

    /// Records a bill in place of an earlier one of the same identity; what changed on days recorded before is kept as restatements.
    fn replace_bill(&mut self, bill: &Bill, now: DateTime<Utc>) -> Result<Vec<Restatement>, StoreError>;

    /// The bills that have rows, in order of their identities.
    fn bills(&mut self) -> Result<Vec<KnownBill>, StoreError>;

    /// The identities of all bills, where they are known without reading the bills.
    fn bill_identities(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        Ok(None)
    }
    /// The sources that have checkpoints, where they are known without more.
    fn sources(&mut self) -> Result<Option<Vec<Label>>, StoreError> {
        Ok(None)
    }

    /// The checkpoints of a source.
    fn checkpoints(&mut self, source: &str) -> Result<Checkpoints, StoreError>;

    /// Visits the rows of spend whose hour starts within the period, in any order, each key once.
    fn spend(&mut self, period: Period, visit: &mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError>;

    /// The same, where only some dimensions matter: rows may be summed over those that are not wanted, which are then empty; a row with web
    /// searches never together with one without. A key may come more than once. A store that cannot sum by itself visits what [`Ledger::spend`] does.
    fn spend_by(
        &mut self,
        period: Period,
        _wanted: &[Dimension],
        visit: &mut dyn FnMut(&SpendKey, &Sums),
    ) -> Result<(), StoreError> {
        self.spend(period, visit)
    }

    /// The rows of spend of a period whose searches an allowance may pay for, with what of their fees is therefore left out of them. Calls have their whole fees.
    fn free_searches(&mut self, _: Period) -> Result<Vec<(SpendKey, FreeSearches)>, StoreError> {
        Ok(Vec::new())
    }

    /// The metered rows of what is agreed at a flat cost, hour by hour of a period, also of hours to come; none where nothing is agreed.
    fn agreed(&mut self, _: Period) -> Result<Vec<(SpendKey, Sums)>, StoreError> {
        Ok(Vec::new())
    }

    /// The span of hours that have spend; `None` when nothing is recorded.
    fn span(&mut self) -> Result<Option<Period>, StoreError>;

    /// One call with its charge, while its detail is kept.
    fn event(&mut self, id: EventId) -> Result<Option<(UsageEvent, Charge)>, StoreError>;

    /// Visits every call of the period whose detail is kept, but for those [taken back](UsageEvent::is_taken_back), until told to stop.
    fn events(
        &mut self,
        period: Period,
        visit: &mut dyn FnMut(&UsageEvent, &Charge) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Prices these calls anew and moves the sums by the differences; days whose cost changes become restatements. A call whose detail is gone, or whose
    /// charge is the same, is left alone. Priced as stored at that moment, within the one transaction, so that one recorded better meanwhile is priced as that.
    fn recharge(&mut self, ids: &[EventId], pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recharged, StoreError>;

    /// Restatements, oldest first.
    fn restatements(&mut self) -> Result<Vec<Restatement>, StoreError>;

    /// Drops detail that has outlived its retention and folds its hours into days. Totals do not change, and a call whose
    /// detail is gone is still counted once. The hours of the days that begin at those `kept` stay.
    fn expire(&mut self, retention: Retention, kept: &BTreeSet<Hour>, now: DateTime<Utc>) -> Result<u64, StoreError>;
}

/// What a store can answer instead of what was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process holds the write lock for longer than the time allowed.
    #[error("the ledger `{path}` is locked by another process")]
    Locked {
        /// The store.
        path: String,
    },
    /// The file is no ledger or is damaged. Nothing was written.
    #[error("the ledger `{path}` cannot be used: {cause}")]
    Damaged {
        /// The store.
        path: String,
        /// What is wrong.
        cause: String,
    },
    /// Written by a later version.
    #[error("the ledger `{path}` has schema version {found}, this program knows up to {known}")]
    TooNew {
        /// The store.
        path: String,
        /// Its version.
        found: i64,
        /// The newest known one.
        known: i64,
    },
    /// Someone else changed what this change was based on: read again and decide again.
    #[error("`{what}` was changed by another run in the meantime")]
    Conflict {
        /// What.
        what: String,
    },
    /// The store failed: disk full, no permission, network.
    #[error("the ledger `{path}` failed: {cause}")]
    Failed {
        /// The store.
        path: String,
        /// Why.
        cause: String,
    },
    /// A sum needs more digits than money has.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

// ---------------------------------------------------------------- telling people

/// Messages on their way. They enter it in the same transaction as the alert step that they tell
/// (see the alert store), and leave it only when their channel has accepted them.
pub trait Outbox {
    /// Takes the sole right to deliver and answers what waits, oldest first; nothing while another process holds the right.
    /// The right ends with [`Outbox::release`] or with the process.
    fn claim(&mut self) -> Result<Vec<Pending>, StoreError>;
    /// What waits, oldest first, whoever has the right to deliver it.
    fn waiting(&mut self) -> Result<Vec<Pending>, StoreError>;
    /// The channel accepted the message: it leaves the outbox, the receipt stays.
    fn delivered(&mut self, id: &str, receipt: &Receipt, at: DateTime<Utc>) -> Result<(), StoreError>;
    /// An attempt failed: the message stays, as [`Pending::failed`] makes it.
    fn failed(&mut self, after: &Pending) -> Result<(), StoreError>;
    /// The message leaves the outbox though nobody accepted it, since its channel is gone; instead of a receipt stays why.
    fn withdrawn(&mut self, id: &str, why: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        let answer = format!("not delivered: {why}");
        self.delivered(id, &Receipt { answer }, at)
    }
    /// Gives the right to deliver back.
    fn release(&mut self) -> Result<(), StoreError>;
}

/// What one evaluation or one person's deed changes: stored whole or not at all.
#[derive(Clone, Debug, Default)]
pub struct AlertCommit {
    /// Alerts as they are afterwards; their `version` is the one they were read with (0: new). Stores count it up.
    pub alerts: Vec<Alert>,
    /// Changes of state.
    pub transitions: Vec<Transition>,
    /// Messages, into the outbox.
    pub messages: Vec<Notification>,
}

/// Keeps alerts, their history and silences. Every method is atomic.
pub trait AlertStore {
    /// Alerts that are open ([`Alert::is_open`]) or whose period ends after `since`; all of them when it is not given.
    fn alerts(&mut self, since: Option<DateTime<Utc>>) -> Result<Vec<Alert>, StoreError>;
    /// The transitions of an alert, oldest first.
    fn history(&mut self, alert_id: &str) -> Result<Vec<Transition>, StoreError>;
    /// All silences.
    fn silences(&mut self) -> Result<Vec<Silence>, StoreError>;
    /// Stores a silence, replacing one of the same id.
    fn silence(&mut self, silence: &Silence) -> Result<(), StoreError>;
    /// Stores a change, with the messages that tell it, in one transaction. [`StoreError::Conflict`] if an alert was changed since it was read.
    fn commit(&mut self, commit: &AlertCommit) -> Result<(), StoreError>;
}

/// A store of alerts with its outbox.
pub trait AlertsAndOutbox: AlertStore + Outbox {}

impl<T: AlertStore + Outbox> AlertsAndOutbox for T {}

/// Delivers messages to one channel. Channels are delivered to side by side, each from one thread at a time.
pub trait Notifier: Send + Sync {
    /// The configured name of the channel.
    fn channel(&self) -> &str;

    /// The least time between two messages to this channel.
    fn pace(&self) -> Duration {
        Duration::ZERO
    }

    /// Makes one attempt. `timeout` bounds it. Success means that the channel has accepted the message for good.
    fn deliver(&self, message: &Notification, timeout: Duration) -> Result<Receipt, DeliveryError>;
}

// ---------------------------------------------------------------- the world

/// Tells and passes time.
pub trait Clock: Send + Sync {
    /// The current instant. It may jump: someone sets the clock.
    fn now(&self) -> DateTime<Utc>;
    /// Time since some fixed instant: for measuring spans. It never goes back, whatever happens to the clock.
    fn elapsed(&self) -> Duration;
    /// Waits.
    fn sleep(&self, duration: Duration);
}
