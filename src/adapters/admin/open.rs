//! Results of usage buckets that a provider may still restate: one that its bucket no longer holds was told anew under other values, and is
//! taken back.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::adapters::files::admin::Page;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::period::Hour;
use crate::domain::usage::{EventId, UsageEvent};
use crate::ports::{Checkpoint, Checkpoints};

/// Results that are remembered, over all open buckets of a question, the latest days first: half a megabyte. What comes beyond them is not
/// taken back.
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

/// Other live sources of the same provider in the settings. What tells neither a key nor a project nor a user is told alike by all
/// organisations: the name of the source tells it apart where there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// There are none.
    None,
    /// There are some, all after this one.
    After,
    /// There are some before this one.
    Before,
}

/// An answer at its end.
#[derive(Clone, Copy)]
pub(super) struct Answered {
    /// When its source was made: later than all answers of earlier runs, and earlier than those of other sources in this one.
    pub made: DateTime<Utc>,
    pub at: DateTime<Utc>,
    /// The first day that is asked for again.
    pub again: DateTime<Utc>,
}

/// Digits of an id.
const DIGITS: usize = 32;

/// The results of one question.
pub(super) struct Open {
    key: String,
    /// The name that tells results apart which all organisations tell alike.
    apart: Option<Label>,
    /// The key from now on, where the results were not told apart before.
    becomes: Option<String>,
    groups: BTreeMap<Group, BTreeSet<EventId>>,
    count: usize,
    /// Of this answer.
    seen: HashSet<EventId>,
    /// Starts of the buckets in this answer.
    told: HashSet<i64>,
    /// Of those in which something was refused.
    partial: HashSet<i64>,
    /// Whether all of this answer was told apart.
    whole: bool,
    /// The buckets of results for which there was no room.
    forgotten: Vec<i64>,
}

impl Open {
    /// What was told before in answer to a source's question; damaged notes are as good as none.
    ///
    /// Once told apart, always told apart, whatever comes into the settings or leaves them: the key of the notes says so. A question that
    /// was asked before there were others keeps its identities.
    pub fn known((name, path): (Label, &str), known: &Checkpoints, others: Others) -> Self {
        let [plain, own] = [
            format!("{path}: open buckets"),
            format!("{path}: open buckets of its own"),
        ];
        let is_new = !known.contains_key(path) && !known.contains_key(&plain);
        let (was_apart, wanted) = (
            known.contains_key(&own),
            match others {
                Others::None => false,
                Others::After => is_new,
                Others::Before => true,
            },
        );
        let (key, becomes) = match (was_apart || wanted && is_new, wanted) {
            (true, _) => (own, None),
            (false, true) => (plain, Some(own)),
            (false, false) => (plain, None),
        };
        let mut open = Open {
            key,
            apart: (was_apart || wanted).then_some(name),
            becomes,
            groups: BTreeMap::new(),
            count: 0,
            seen: HashSet::new(),
            told: HashSet::new(),
            partial: HashSet::new(),
            whole: true,
            forgotten: Vec::new(),
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
        self.count += usize::from(self.groups.entry(group).or_default().insert(id));
        if self.count <= REMEMBERED {
            return;
        }
        // The oldest make room.
        if let Some(mut oldest) = self.groups.first_entry() {
            oldest.get_mut().pop_first();
            self.forgotten.push(oldest.key().at);
            self.count -= 1;
            if oldest.get().is_empty() {
                oldest.remove();
            }
        }
    }

    /// How many results are not remembered.
    pub fn forgotten(&self) -> u64 {
        self.forgotten.len() as u64
    }

    /// The first day from one on that the answer does not tell so far.
    pub fn untold(&self, from: DateTime<Utc>) -> DateTime<Utc> {
        let mut day = from;
        while self.told.contains(&day.timestamp()) {
            day += TimeDelta::days(1);
        }
        day
    }

    /// The start of the last bucket that the answer tells.
    pub fn last_told(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(*self.told.iter().max()?, 0)
    }

    /// Notes a page of the answer, and tells its results apart from those of other organisations.
    pub fn note(&mut self, page: &mut Page) {
        self.whole &= self.seen.len() + page.events.len() <= TOLD;
        if !self.whole {
            self.seen.clear();
        }
        self.told.extend(page.told.iter().map(DateTime::timestamp));
        self.partial.extend(page.partial.iter().map(DateTime::timestamp));
        for event in &mut page.events {
            let owner = [
                event.dimensions.get(Dimension::Project),
                event.dimensions.get(Dimension::User),
                event.session,
            ];
            if let Some(name) = self.apart.filter(|_| owner.iter().all(|owner| owner.is_empty())) {
                event.id = EventId::of(&[b"of a source", name.as_str().as_bytes(), &event.id.0]);
            }
            let group = Group {
                // Usage of a day stands within it.
                at: Hour::of(event.at).day().start().timestamp(),
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
    /// keeps what it has, and so does one of which a part was not usable. Buckets that are not asked for again are closed.
    pub fn taken_back(&mut self, answer: Answered) -> Vec<UsageEvent> {
        let mut nothing = Vec::new();
        // What was not told apart before may be another organisation's too: it is taken back from earlier runs, not from this one.
        let at_latest = if self.becomes.is_some() { answer.made } else { answer.at };
        for (group, ids) in &mut self.groups {
            if !self.whole || !self.told.contains(&group.at) || self.partial.contains(&group.at) {
                continue;
            }
            let Some(at) = DateTime::from_timestamp(group.at, 0) else {
                continue;
            };
            ids.retain(|id| {
                let stays = self.seen.contains(id);
                if !stays {
                    // Where it was counted it stays.
                    let mut event = UsageEvent::new(*id, at + TimeDelta::seconds(1), group.provider, group.model);
                    event.dimensions.set(Dimension::Tier, group.tier);
                    event.rank.authority = group.authority;
                    event.rank.at = at_latest;
                    // Whose it was is known from before, and stays for the time that it is told again.
                    event.sidechain = true;
                    nothing.push(event);
                }
                stays
            });
        }
        let again = answer.again.timestamp();
        self.groups.retain(|group, ids| group.at >= again && !ids.is_empty());
        self.count = self.groups.values().map(BTreeSet::len).sum();
        self.forgotten.retain(|at| *at >= again);
        if let Some(key) = self.becomes.take() {
            self.key = key;
        }
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
