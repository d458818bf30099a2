//! How calls of one kind are charged on one day, and the plans made so far.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rustc_hash::FxHashMap;

use super::card::{Prepared, Segment};
use crate::domain::charge::UnpricedReason;
use crate::domain::label::Label;

/// What decides how a call is charged: provider, model, account, tier, speed, geography, day.
pub(super) type Key = (Label, Label, Label, Label, Label, Label, i64);

/// Plans that were made, and where the last ones are found fastest.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) plans: FxHashMap<Key, Arc<Plan>>,
    pub(super) recent: Vec<Option<(Key, Arc<Plan>)>>,
}

/// Places for the plans used last.
pub(super) const RECENT: usize = 64;

/// How calls of one kind are charged on one day.
#[derive(Debug)]
pub(super) struct Plan {
    /// Tried in order; the first whose hours contain the call's.
    pub(super) segments: Vec<Segment>,
    pub(super) reason: Option<UnpricedReason>,
    pub(super) label: Label,
    pub(super) book: String,
    pub(super) version: String,
    pub(super) provider: String,
    pub(super) entry: String,
    pub(super) matched: String,
    pub(super) source: String,
    pub(super) checked: String,
}

impl Plan {
    pub(super) fn at(&self, at: DateTime<Utc>) -> Result<(&Segment, &Prepared), UnpricedReason> {
        if let Some(reason) = self.reason {
            return Err(reason);
        }
        let segment = self
            .segments
            .iter()
            .find(|s| s.hours.as_ref().is_none_or(|h| h.contains(at)))
            .ok_or(UnpricedReason::NoPriceOnDate)?;
        match &segment.price {
            Ok(prepared) => Ok((segment, prepared)),
            Err(reason) => Err(*reason),
        }
    }
}
