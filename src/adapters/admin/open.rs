//! Results of usage buckets that a provider may still restate: one that its bucket no longer holds was told anew under other values, and is
//! taken back.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};

use crate::adapters::files::admin::Page;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, UsageEvent};
use crate::ports::{Checkpoint, Checkpoints};

/// Results that are remembered, over all open buckets of a question: half a megabyte. What comes beyond them is not taken back.
const REMEMBERED: usize = 1 << 14;

/// Results of one answer that are told apart: 16 MB. Of a larger one nothing is taken back.
const TOLD: usize = 1 << 20;

/// What results have in common.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    /// The start of the bucket.
    at: i64,
    authority: u8,
    provider: Label,
    model: Label,
    tier: Label,
}

/// As a checkpoint holds it, with the ids behind each other.
type Saved = Vec<(i64, u8, String, String, String, String)>;

/// Digits of an id.
const DIGITS: usize = 32;

/// The results of one question.
pub(super) struct Open {
    key: String,
    groups: BTreeMap<Group, BTreeSet<EventId>>,
    count: usize,
    /// Of this answer.
    seen: HashSet<EventId>,
    /// Starts of the buckets in this answer.
    told: HashSet<i64>,
    /// Whether all of this answer was usable so far.
    whole: bool,
}

impl Open {
    /// What was told before in answer to a question; damaged notes are as good as none.
    pub fn known(path: &str, known: &Checkpoints) -> Self {
        let mut open = Open {
            key: format!("{path}: open buckets"),
            groups: BTreeMap::new(),
            count: 0,
            seen: HashSet::new(),
            told: HashSet::new(),
            whole: true,
        };
        let saved = known.get(&open.key).map(|at| serde_json::from_slice::<Saved>(&at.0));
        for (at, authority, provider, model, tier, ids) in saved.and_then(Result::ok).unwrap_or_default() {
            let group = Group {
                at,
                authority,
                provider: Label::new(&provider),
                model: Label::new(&model),
                tier: Label::new(&tier),
            };
            let mut rest = ids.as_str();
            while let Some((id, after)) = rest.split_at_checked(DIGITS) {
                id.parse().into_iter().for_each(|id| open.insert(group, id));
                rest = after;
            }
        }
        open
    }

    fn insert(&mut self, group: Group, id: EventId) {
        if self.count < REMEMBERED && self.groups.entry(group).or_default().insert(id) {
            self.count += 1;
        }
    }

    /// Notes a page of the answer.
    pub fn note(&mut self, page: &Page) {
        self.whole &= page.faults.is_empty() && self.seen.len() + page.events.len() <= TOLD;
        if !self.whole {
            self.seen.clear();
        }
        self.told.extend(page.told.iter().map(DateTime::timestamp));
        for event in &page.events {
            let group = Group {
                at: event.at.timestamp(),
                authority: event.rank.authority,
                provider: event.provider(),
                model: event.model(),
                tier: event.tier(),
            };
            if self.whole {
                self.seen.insert(event.id);
            }
            self.insert(group, event.id);
        }
    }

    /// At the end of an answer: what its buckets held before and do not hold now, as calls of nothing. A bucket that the answer leaves out
    /// keeps what it has, and so do all where part of the answer was not usable. Buckets before `from` are closed.
    pub fn taken_back(&mut self, from: DateTime<Utc>, answered: DateTime<Utc>) -> Vec<UsageEvent> {
        let mut nothing = Vec::new();
        for (group, ids) in &mut self.groups {
            if !self.whole || !self.told.contains(&group.at) {
                continue;
            }
            let Some(at) = DateTime::from_timestamp(group.at, 0) else {
                continue;
            };
            ids.retain(|id| {
                let stays = self.seen.contains(id);
                if !stays {
                    let mut event = UsageEvent::new(*id, at, group.provider, group.model);
                    event.dimensions.set(Dimension::Tier, group.tier);
                    event.rank.authority = group.authority;
                    event.rank.at = answered;
                    // Whose it was is known from before, and stays for the time that it is told again.
                    event.sidechain = true;
                    nothing.push(event);
                }
                stays
            });
        }
        self.groups
            .retain(|group, ids| group.at >= from.timestamp() && !ids.is_empty());
        self.count = self.groups.values().map(BTreeSet::len).sum();
        nothing
    }

    /// The checkpoint of what is known now.
    pub fn save(&self) -> (&str, Checkpoint) {
        let groups = self.groups.iter().map(|(group, ids)| {
            let names = [group.provider, group.model, group.tier].map(|name| name.as_str().to_owned());
            let [provider, model, tier] = names;
            let ids = ids.iter().map(EventId::to_string).collect();
            (group.at, group.authority, provider, model, tier, ids)
        });
        let saved: Saved = groups.collect();
        // Numbers and text can always be written.
        (&self.key, Checkpoint(serde_json::to_vec(&saved).unwrap_or_default()))
    }
}
