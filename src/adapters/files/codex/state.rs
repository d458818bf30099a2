//! What later lines of a session depend on.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::usage::EventId;

use super::super::line::Output;
use super::forks::{Base, Sessions, Step};
use super::lines::{Answer, Counts, Line, Meta, Settings};

/// A copy is written at once. No model answers so soon.
const COPYING: TimeDelta = TimeDelta::seconds(1);

/// Answers that the counter has not grown by are compactions and such as were of no use to Codex: few behind each other.
const ANSWERS: usize = 16;

/// Lines that were sent one by one, or a file that was cut.
const APART: &str = "counters of Codex without the session that they belong to: what its lines tell (project, often the model) is not known, and with the whole session the same calls count again";

/// A compaction that neither an answer nor the counter tells.
const COMPACTED: &str = "compactions of Codex, whose calls the counter of these versions leaves away: coverage gap";

/// Kept from run to run: fields that came later have defaults, so that what earlier versions saved is taken up.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct State {
    pub session: String,
    parent: String,
    child: bool,
    pub cwd: String,
    pub model: String,
    total: Option<Counts>,
    /// Times that the counter began anew: the same counter after a reset is another call.
    resets: u64,
    /// The last event without a counter: its time and usage.
    lone: Option<(String, Counts)>,
    /// Events of the parent that were met again; none once the child's own events have begun.
    copied: Option<usize>,
    /// The service tier that is asked for.
    #[serde(default)]
    pub tier: String,
    /// When the session was begun.
    #[serde(default)]
    began: Option<DateTime<Utc>>,
    /// The number of the first line that is no copy.
    #[serde(default)]
    history_start: Option<u64>,
    /// Whether `total` has what was written to caches.
    #[serde(default)]
    writes: bool,
    /// Who is asked, as the session names it.
    #[serde(default)]
    pub provider: String,
    /// What answers used that were told since the counter last grew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    answers: Vec<Counts>,
    /// Whether `total` is what the answers of a parent sum up to, while its counter may have left some away.
    #[serde(default)]
    guessed: bool,
    /// What was dropped as a copy of the parent's lines.
    #[serde(default, skip_serializing_if = "Copied::is_none")]
    history: Copied,
    /// Where its parent's lines end, of which it holds none, until its counter is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<Base>,
    /// Whether the session was compacted since the last event, by a call that nothing has told so far.
    #[serde(default, skip_serializing_if = "is_false")]
    compacted: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The beginning of a fork that is its parent's: how many events, and how far the counter went in them.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Copied {
    pub events: u64,
    most: Counts,
}

impl Copied {
    fn is_none(&self) -> bool {
        self.events == 0
    }

    fn add(&mut self, total: &Counts) {
        self.events += 1;
        self.most = self.most.most(total);
    }

    /// Whether the event behind those met `so_far` is one of these. What goes beyond them is none, whatever file it stands in.
    fn has(&self, so_far: &Copied, total: &Counts) -> bool {
        so_far.events < self.events && self.most.most(total) == self.most
    }
}

/// An event that says nothing new.
fn repeated<T>(out: &mut Output) -> Option<T> {
    out.excluded.push("repeated_counters");
    None
}

/// A state that was saved by a reader that met other formats too.
#[derive(Deserialize)]
struct Among {
    usual: String,
}

impl State {
    /// Reads what was saved.
    pub fn parse(saved: &str) -> Option<Self> {
        let own = |text: &str| serde_json::from_str(text).ok();
        own(saved).or_else(|| own(&serde_json::from_str::<Among>(saved).ok()?.usual))
    }

    /// The session, and what it has of its parent; none where it has nothing.
    pub fn into_copied(self) -> Option<(String, Copied)> {
        (self.history.events > 0).then_some((self.session, self.history))
    }

    /// Takes up what a session tells of itself, and what the copy of a parent tells by bringing the parent's first line along.
    pub fn begin(&mut self, line: &Line<'_>, meta: &Meta<'_>) {
        if !self.session.is_empty() {
            let fresh = self.parent.is_empty() && self.total.is_none() && self.lone.is_none();
            if fresh && meta.id.str() != self.session {
                self.parent = meta.id.str().to_owned();
                self.child = true;
                self.copied = Some(0);
            }
            return;
        }
        self.session = meta.id.str().to_owned();
        self.cwd = meta.cwd.str().to_owned();
        self.parent = meta.parent();
        self.history_start = meta.history_start();
        self.child = !self.parent.is_empty() || meta.is_subagent() || self.history_start.is_some();
        self.copied = (self.child && meta.may_copy()).then_some(0);
        self.base = meta.base();
        meta.model_provider.str().clone_into(&mut self.provider);
        self.began = line.timestamp.time("timestamp").ok().map(|(at, _)| at);
    }

    /// Takes up the model of a turn, and its tier where it tells one.
    pub fn turn(&mut self, turn: &Settings<'_>) {
        if !turn.model.str().is_empty() {
            turn.model.str().clone_into(&mut self.model);
        }
        if !turn.service_tier.is_null() {
            self.set_tier(turn);
        }
    }

    /// Takes up all settings: where they tell no tier, it is the standard one.
    pub fn settings(&mut self, settings: &Settings<'_>) {
        self.turn(settings);
        self.set_tier(settings);
        if !settings.model_provider_id.is_null() {
            settings.model_provider_id.str().clone_into(&mut self.provider);
        }
    }

    fn set_tier(&mut self, settings: &Settings<'_>) {
        // Its name in the settings of earlier versions.
        self.tier = match settings.service_tier.str() {
            "fast" => "priority",
            tier => tier,
        }
        .to_owned();
    }

    /// Takes up that the session was compacted, by an answer that may have been told.
    pub fn compact(&mut self) {
        self.compacted = self.copied.is_none() && self.answers.is_empty();
    }

    /// What tells an answer apart, or nothing for one that is not this session's. It is what tells the step apart by which the counter grows
    /// next: of versions that did not read answers that step is recorded.
    pub fn answer(
        &mut self,
        answer: &Answer<'_>,
        (used, all): (Counts, Counts),
        sessions: &Sessions,
    ) -> Option<EventId> {
        let of = answer.thread_id.str();
        // Without its beginning nobody knows where the counter stood, and the lines around it are told as such.
        if self.session.is_empty() || (!of.is_empty() && of != self.session) || used == Counts::default() {
            return None;
        }
        self.copied = None;
        if self.child && self.total.is_none() {
            self.writes = true;
            self.take_over(sessions, None);
            if self.total.is_none() {
                self.total = all.since(&used);
                self.guessed = true;
            }
        }
        let total = self.total.unwrap_or_default().plus(&used);
        // The counter grows by one of them, or there is none any more.
        let apart = self.answers.len() >= ANSWERS || self.has_answer(&used);
        self.answers.truncate(ANSWERS - 1);
        self.answers.insert(0, used);
        let session = self.session.as_bytes();
        Some(if apart {
            let id = answer.response_id.str().as_bytes();
            EventId::of(&[b"codex-answer", session, id, &all.identity()])
        } else {
            EventId::of(&[b"codex", session, &total.identity(), &self.resets.to_le_bytes()])
        })
    }

    fn has_answer(&self, used: &Counts) -> bool {
        self.answers.iter().any(|told| told.identity() == used.identity())
    }

    /// Whether a growth is that of an answer, or of the last ones together.
    fn was_told(&self, growth: &Counts) -> bool {
        let mut sum = Counts::default();
        self.has_answer(growth)
            || self.answers.iter().any(|told| {
                sum = sum.plus(told);
                sum.identity() == growth.identity()
            })
    }

    /// The usage of an event and what tells it apart, or nothing for one that repeats or whose answer was told. `parent` keeps the steps of the parent.
    pub fn step(
        &mut self,
        (total, last): (Option<Counts>, Option<Counts>),
        (line, at): (&Line<'_>, DateTime<Utc>),
        (sessions, parent): (&Sessions, &mut Option<Vec<Step>>),
        out: &mut Output,
    ) -> Option<(Counts, EventId)> {
        let session = self.session.clone();
        let Some(total) = total else {
            let last = last?;
            let stamp = at.to_rfc3339();
            let id = EventId::of(&[b"codex-last", session.as_bytes(), stamp.as_bytes(), &last.identity()]);
            let lone = (stamp, last);
            if self.lone.as_ref() == Some(&lone) {
                return repeated(out);
            }
            self.lone = Some(lone);
            return Some((last, id));
        };
        self.learn_writes(&total, last.as_ref());
        if let Some(copied) = self.copied {
            let copy = match self.number_of_copy(line) {
                Some(copy) => copy.then_some(copied + 1),
                None => {
                    if parent.is_none() {
                        *parent = sessions.history(&self.parent);
                    }
                    let place = match parent {
                        Some(steps) => self.place_in(steps, copied, &(total, last)),
                        None => None,
                    };
                    let before = sessions.copied(&session);
                    if place.is_some() {
                        place
                    } else if before.is_some_and(|before| before.has(&self.history, &total)) {
                        Some(copied)
                    } else if parent.is_some() {
                        None
                    } else {
                        self.copied_unseen(copied, at, out)
                    }
                }
            };
            if copy.is_some() {
                self.history.add(&total);
                (self.copied, self.total) = (copy, Some(total));
                return repeated(out);
            }
            self.copied = None;
        }
        // What the counter held before the first event of a child was its parent's, of which no line needs to be copied.
        if self.child && self.total.is_none() {
            self.take_over(sessions, Some(&total));
            self.total = self.total.or_else(|| total.since(&last?));
        }
        if std::mem::take(&mut self.guessed) && !self.answers.is_empty() {
            self.answers.clear();
            self.total = Some(total);
            return None;
        }
        if self.session.is_empty() && self.total.is_none() {
            out.warnings.push(APART);
            // What it held before is of earlier lines, which were told apart from this one or not at all.
            self.total = last.and_then(|last| total.since(&last));
        }
        let before = self.total.replace(total).unwrap_or_default();
        let none = Counts::default();
        let used = match total.since(&before) {
            // A session that is resumed counted from nothing in versions before 0.80, and its first prompt may be larger than all before:
            // what the last request used is never all, unless it is the first.
            Some(growth) if growth != none && before != none && last == Some(total) => total,
            Some(growth) => growth,
            None => {
                self.resets += 1;
                last.unwrap_or(total)
            }
        };
        let compacted = std::mem::take(&mut self.compacted);
        if used == none {
            if compacted && last.is_some_and(|last| last == none) {
                // Copies of a session have it at the same time.
                let id = EventId::of(&[b"codex-compaction", line.timestamp.str().as_bytes()]);
                out.warnings.push(COMPACTED);
                out.excluded_once.push(("calls_without_usage", id));
                return None;
            }
            return repeated(out);
        }
        let told = self.was_told(&used);
        self.answers.clear();
        let resets = self.resets.to_le_bytes();
        let id = EventId::of(&[b"codex", session.as_bytes(), &total.identity(), &resets]);
        (!told).then_some((used, id))
    }

    /// Takes up the counter that a session went on from which holds no line of its parent: Codex tells it once more where nothing is answered
    /// first. Without the parent's file it is what was known when the session was read before.
    fn take_over(&mut self, sessions: &Sessions, now: Option<&Counts>) {
        let Some(base) = self.base.take() else { return };
        let known = || sessions.copied(&self.session).map(|copied| copied.most);
        let counter = sessions.counter_before(&base).or_else(known);
        self.total = counter.filter(|before| now.is_none_or(|now| now.since(before).is_some()));
        if let Some(before) = &self.total {
            self.history.add(before);
        }
    }

    /// What an earlier version saved of the counter is without writes: all but those of the last request were before.
    fn learn_writes(&mut self, total: &Counts, last: Option<&Counts>) {
        if let Some(before) = self.total.as_mut().filter(|_| !self.writes) {
            let same = before.identity() == total.identity();
            let fresh = last.filter(|_| !same).map_or(0, |last| last.written);
            before.written = total.written.saturating_sub(fresh);
        }
        self.writes = true;
    }

    /// Whether a line is a copy by its number; nothing where numbers do not tell.
    fn number_of_copy(&self, line: &Line<'_>) -> Option<bool> {
        Some(line.number()? < self.history_start?)
    }

    /// The place behind a step of the parent, where the event is a copy of that or of the one before it. The copy may leave older ones away.
    fn place_in(&self, steps: &[Step], copied: usize, event: &Step) -> Option<usize> {
        if self.total == Some(event.0) {
            return Some(copied);
        }
        let further = steps.get(copied..)?.iter().position(|step| step == event)?;
        Some(copied + further + 1)
    }

    /// The same where the parent's lines are not there: what was told before the child began, or at once, is a copy.
    fn copied_unseen(&self, copied: usize, at: DateTime<Utc>, out: &mut Output) -> Option<usize> {
        if copied == 0 && self.history.events == 0 {
            out.warnings
                .push("forked sessions whose parent is missing: history not verified");
        }
        self.began
            .filter(|began| at.signed_duration_since(*began) < COPYING)
            .map(|_| copied + 1)
    }
}
