//! Given this spend and these evaluations, then these messages.

use finops::adapters::memory::alerts::MemoryAlerts;
use finops::domain::alert::{Alert, Behaviour, Silence, State, Transition, Verdict, acknowledge, step};
use finops::domain::budget::{Budget, BudgetPeriod, Threshold, ThresholdKind};
use finops::domain::notification::{Severity, Told};
use finops::domain::period::{Calendar, Period};
use finops::engine::collect::Complete;
use finops::engine::deed::{self, Deed, DeedError, act};
use finops::engine::evaluate::evaluate;
use finops::ports::{AlertCommit, AlertStore, Outbox, StoreError};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{FakeLedger, at, budget};

struct Scene {
    ledger: FakeLedger,
    store: MemoryAlerts,
    budgets: Vec<Budget>,
    seen: usize,
}

impl Scene {
    fn new(budget: Budget) -> Self {
        Scene {
            ledger: FakeLedger::default(),
            store: MemoryAlerts::new(),
            budgets: vec![budget],
            seen: 0,
        }
    }

    fn spend(&mut self, day: &str, dollars: i64) {
        self.ledger
            .set(at(&format!("{day}T10:00:00Z")), "search", Decimal::from(dollars));
    }

    /// Evaluates and answers what is told anew: `kind told channel`.
    fn run(&mut self, now: &str) -> Vec<String> {
        self.run_with(now, true)
    }

    fn run_with(&mut self, now: &str, complete: bool) -> Vec<String> {
        let channels = ["out".to_owned(), "other".to_owned()];
        evaluate(
            &self.budgets,
            &channels,
            &mut self.ledger,
            &mut self.store,
            Complete {
                usage: complete,
                bills: complete,
            },
            at(now),
        )
        .unwrap();
        self.told()
    }

    /// What a person does, and what is told anew.
    fn act(&mut self, now: &str, deed: Deed) -> Vec<String> {
        let id = self.store.alerts(None).unwrap().remove(0).id;
        act(&mut self.store, &id, &deed, at(now)).unwrap();
        self.told()
    }

    fn silence(&mut self, from: &str, until: &str) {
        let silence = Silence {
            id: "s".to_owned(),
            policy: "tot*".to_owned(),
            from: at(from),
            until: at(until),
            by: "ann".to_owned(),
            reason: "migration".to_owned(),
        };
        deed::silence(&mut self.store, &silence).unwrap();
    }

    fn told(&mut self) -> Vec<String> {
        let all = self.store.claim().unwrap();
        let new = all.iter().skip(self.seen);
        let told = new
            .map(|p| format!("{} {} {}", p.message.kind, p.message.told, p.message.channel))
            .collect();
        self.seen = all.len();
        told
    }
}

fn to_out(amount: &str) -> Budget {
    let mut budget = budget("total", amount);
    budget.channels = vec!["out".to_owned()];
    budget
}

const NOTHING: [&str; 0] = [];

#[test]
fn spend_above_the_budget_is_told_once_and_a_restatement_ends_it() {
    let mut scene = Scene::new(to_out("100"));
    scene.spend("2026-11-02", 120);
    assert_eq!(scene.run("2026-11-02T12:00:00Z"), ["budget_actual firing out"]);
    assert_eq!(scene.run("2026-11-02T12:00:00Z"), NOTHING);
    assert_eq!(scene.run("2026-11-02T18:00:00Z"), NOTHING);
    assert_eq!(scene.run("2026-11-03T12:00:00Z"), ["budget_actual reminder out"]);
    scene.spend("2026-11-02", 50);
    assert_eq!(
        scene.run_with("2026-11-03T13:00:00Z", false),
        NOTHING,
        "data is missing: nothing is over"
    );
    assert_eq!(
        scene.run_with("2026-11-04T13:30:00Z", false),
        NOTHING,
        "nor is anybody reminded of what is below its threshold"
    );
    assert_eq!(scene.run("2026-11-04T14:00:00Z"), ["budget_actual resolved out"]);
    scene.spend("2026-11-04", 60);
    assert_eq!(
        scene.run("2026-11-04T15:00:00Z"),
        ["budget_actual firing out"],
        "it comes back"
    );
    assert_eq!(scene.store.alerts(None).unwrap().len(), 1, "as the same alert");
}

/// What has no price may be what is missing: it holds what was told, and neither what was called over nor what was not confirmed.
#[test]
fn calls_without_a_price_hold_nothing_but_what_was_told() {
    let dismiss = || Deed::Resolve {
        by: "ann".to_owned(),
        reason: "known".to_owned(),
    };
    let mut scene = Scene::new(actual("100"));
    scene
        .ledger
        .set(at("2026-11-01T10:00:00Z"), "unpriced", Decimal::from(1000));
    scene.spend("2026-11-02", 120);
    assert_eq!(scene.run("2026-11-02T12:00:00Z"), ["budget_actual firing out"]);
    scene.spend("2026-11-02", 50);
    assert_eq!(scene.run("2026-11-03T12:00:00Z"), NOTHING, "held");
    assert_eq!(
        scene.act("2026-11-03T13:00:00Z", dismiss()),
        ["budget_actual resolved out"]
    );
    assert_eq!(scene.run("2026-11-03T14:00:00Z"), NOTHING);
    scene.spend("2026-11-04", 60);
    assert_eq!(
        scene.run("2026-11-04T12:00:00Z"),
        ["budget_actual firing out"],
        "it comes back"
    );

    // On course for 102 %, 70 % and 102 % of it.
    let daily = |scene: &mut Scene, dollars: i64| {
        for day in 1..=12 {
            scene.spend(&format!("2026-11-{day:02}"), dollars);
        }
    };
    let mut scene = Scene::new(to_out("3000"));
    scene
        .ledger
        .set(at("2026-11-01T10:00:00Z"), "unpriced", Decimal::from(1000));
    daily(&mut scene, 102);
    assert_eq!(scene.run("2026-11-13T00:00:00Z"), NOTHING, "once");
    daily(&mut scene, 70);
    assert_eq!(scene.run("2026-11-13T06:00:00Z"), NOTHING);
    daily(&mut scene, 102);
    assert_eq!(scene.run("2026-11-13T07:00:00Z"), NOTHING, "not in a row");
    assert_eq!(scene.run("2026-11-13T08:00:00Z"), ["budget_forecast firing out"]);
    daily(&mut scene, 70);
    assert_eq!(scene.run("2026-11-13T09:00:00Z"), NOTHING, "held");
    assert_eq!(
        scene.act("2026-11-13T10:00:00Z", dismiss()),
        ["budget_forecast resolved out"]
    );
    assert_eq!(scene.run("2026-11-13T11:00:00Z"), NOTHING);
    daily(&mut scene, 102);
    assert_eq!(scene.run("2026-11-13T12:00:00Z"), NOTHING);
    assert_eq!(scene.run("2026-11-13T13:00:00Z"), ["budget_forecast firing out"]);
}

#[test]
fn a_new_period_ends_the_alert_for_those_who_were_told() {
    let mut scene = Scene::new(to_out("100"));
    scene.spend("2026-11-30", 120);
    assert_eq!(scene.run("2026-11-30T12:00:00Z"), ["budget_actual firing out"]);
    assert_eq!(scene.run("2026-12-01T00:00:00Z"), ["budget_actual resolved out"]);
    assert_eq!(scene.run("2026-12-01T06:00:00Z"), NOTHING);
}

#[test]
fn a_period_that_begins_like_another_has_an_alert_of_its_own() {
    let by = || "ann".to_owned();
    let acknowledge = || Deed::Acknowledge {
        until: at("2026-12-30T00:00:00Z"),
        by: by(),
        reason: by(),
    };
    let resolve = || Deed::Resolve { by: by(), reason: by() };
    for (calendar, deed) in [
        (Calendar::Day, None),
        (Calendar::Week, None),
        (Calendar::Week, Some(acknowledge())),
        (Calendar::Week, Some(resolve())),
    ] {
        // 1 June 2026 is a Monday.
        let mut short = actual("100");
        short.period = BudgetPeriod::Calendar(calendar);
        let mut scene = Scene::new(short.clone());
        scene.spend("2026-06-01", 120);
        assert_eq!(scene.run("2026-06-01T12:00:00Z"), ["budget_actual firing out"]);
        let is_over = deed.as_ref().is_some_and(|deed| *deed == resolve());
        if let Some(deed) = deed {
            scene.act("2026-06-01T13:00:00Z", deed);
        }
        // The shorter period is over, or the budget is changed within it.
        scene.budgets = vec![actual("110")];
        let mut told = scene.run("2026-06-02T01:00:00Z");
        told.sort();
        let both = ["budget_actual firing out", "budget_actual resolved out"];
        assert_eq!(told, both[..if is_over { 1 } else { 2 }], "{calendar:?}");
        // Long after what was told first it is still the same alert, which a restatement ends.
        assert_eq!(scene.run("2026-06-20T01:00:00Z"), ["budget_actual reminder out"]);
        assert_eq!(scene.run("2026-06-20T02:00:00Z"), NOTHING);
        scene.spend("2026-06-01", 105);
        assert_eq!(scene.run("2026-06-20T03:00:00Z"), ["budget_actual resolved out"]);
        let ends: Vec<String> = scene
            .store
            .alerts(None)
            .unwrap()
            .iter()
            .map(|a| a.period.end.to_rfc3339())
            .collect();
        assert!(
            ends.len() == 2 && ends.contains(&"2026-07-01T00:00:00+00:00".to_owned()),
            "{ends:?}"
        );
    }

    // What was over long ago, and seems new: the first alert of the longer period comes after ten days.
    let mut short = actual("100");
    short.period = BudgetPeriod::Calendar(Calendar::Day);
    let mut scene = Scene::new(short);
    scene.spend("2026-06-01", 120);
    assert_eq!(scene.run("2026-06-01T12:00:00Z"), ["budget_actual firing out"]);
    assert_eq!(scene.run("2026-06-02T01:00:00Z"), ["budget_actual resolved out"]);
    scene.budgets = vec![actual("110")];
    assert_eq!(scene.run("2026-06-20T18:00:00Z"), ["budget_actual firing out"]);
    assert_eq!(scene.run("2026-06-20T19:00:00Z"), NOTHING);

    // A budget of which only the amount is another one has the alert that was stored, under the identity that it had.
    let mut scene = Scene::new(actual("100"));
    scene.spend("2026-06-01", 120);
    assert_eq!(scene.run("2026-06-01T12:00:00Z"), ["budget_actual firing out"]);
    scene.budgets = vec![actual("90")];
    assert_eq!(scene.run("2026-06-01T13:00:00Z"), NOTHING);
    let period = Period::new(at("2026-06-01T00:00:00Z"), at("2026-07-01T00:00:00Z"));
    let (kind, rung, now) = ("budget_actual", "100 % actual".to_owned(), at("2026-06-01T12:00:00Z"));
    let known = Alert::new(
        "total",
        kind,
        rung,
        "everything",
        "metered",
        period,
        Severity::Critical,
        now,
    );
    assert_eq!(scene.store.alerts(None).unwrap()[0].id, known.id);
}

#[test]
fn a_policy_that_is_gone_ends_its_alert_for_those_who_were_told() {
    let mut scene = Scene::new(to_out("100"));
    scene.spend("2026-11-20", 120);
    assert_eq!(scene.run("2026-11-20T12:00:00Z"), ["budget_actual firing out"]);
    scene.budgets.clear();
    assert_eq!(scene.run("2026-11-20T13:00:00Z"), ["budget_actual resolved out"]);
}

#[test]
fn a_forecast_needs_three_days_and_two_evaluations_and_the_spent_budget_mutes_it() {
    let mut scene = Scene::new(to_out("300"));
    for day in 1..=9 {
        scene.spend(&format!("2026-11-{day:02}"), 10);
    }
    scene.spend("2026-11-10", 250);
    assert_eq!(
        scene.run("2026-11-03T12:00:00Z"),
        NOTHING,
        "two complete days are no pattern"
    );
    assert_eq!(scene.run("2026-11-06T12:00:00Z"), NOTHING);
    assert_eq!(
        scene.run("2026-11-06T12:00:00Z"),
        NOTHING,
        "the same instant is the same evaluation"
    );
    assert_eq!(scene.run("2026-11-07T12:00:00Z"), ["budget_forecast firing out"]);
    let told = scene.run("2026-11-10T12:00:00Z");
    assert_eq!(
        told,
        ["budget_actual firing out"],
        "the reminder of the forecast is muted"
    );
}

proptest! {
    #[test]
    fn people_hear_firing_and_resolved_in_turn(
        verdicts in proptest::collection::vec((0_u8..6, any::<bool>(), -3_i64..40), 1..60),
        confirmations in 1_u32..3,
    ) {
        let mut now = at("2026-11-01T00:00:00Z");
        let period = Period::new(now, at("2026-12-01T00:00:00Z"));
        let mut alert = Alert::new("p", "k", "t".to_owned(), "s", "b", period, Severity::Warning, now);
        let behaviour = Behaviour { confirmations, remind_after: Some(chrono::TimeDelta::hours(24)) };
        let (mut open, mut tellings) = (false, 0);
        for (verdict, muted, hours) in verdicts {
            now += chrono::TimeDelta::hours(hours);
            let silence = muted.then(|| "silenced".to_owned());
            let next = match verdict {
                0 | 1 => step(&alert, &Verdict::Above, silence, behaviour, now),
                2 => step(&alert, &Verdict::Within, silence, behaviour, now),
                3 => step(&alert, &Verdict::Clear("clear"), silence, behaviour, now),
                4 => step(&alert, &Verdict::Unknown, silence, behaviour, now),
                _ => acknowledge(&alert, now + chrono::TimeDelta::hours(24), "ann", "", now),
            };
            let Some(next) = next else { continue };
            prop_assert!(next.tell.is_none() || next.alert.suppressed.is_none(), "told though it is suppressed");
            if verdict == 4 && alert.state.is_active() {
                prop_assert!(next.alert.state.is_active(), "not knowing resolves nothing");
            }
            let mut state = alert.state;
            for t in &next.transitions {
                prop_assert!(t.from.is_none() || t.from == Some(state));
                state = t.to;
            }
            prop_assert_eq!(state, next.alert.state);
            match next.tell {
                Some(Told::Firing) => {
                    prop_assert!(!open && !muted);
                    open = true;
                }
                Some(Told::Resolved) => {
                    prop_assert!(open && next.alert.state == State::Resolved);
                    open = false;
                }
                Some(Told::Reminder | Told::Acknowledged) => prop_assert!(open),
                None => {}
            }
            tellings += u64::from(next.tell.is_some());
            prop_assert_eq!(next.alert.tellings, tellings, "messages are numbered without gaps");
            alert = next.alert;
            alert.version += 1;
        }
        prop_assert_eq!(open, alert.told_firing, "the alert knows what people believe");
        prop_assert!(open || alert.owed.is_none());
        prop_assert!(!open || alert.state != State::Resolved || alert.owed == Some(Told::Resolved), "an end is owed");
    }
}

#[test]
fn an_alert_resolved_by_a_person_comes_back_only_if_seen_anew() {
    let mut scene = Scene::new(to_out("100"));
    scene.spend("2026-11-02", 120);
    assert_eq!(scene.run("2026-11-02T12:00:00Z"), ["budget_actual firing out"]);
    let by = || "ann".to_owned();
    let resolved = scene.act("2026-11-02T13:00:00Z", Deed::Resolve { by: by(), reason: by() });
    assert_eq!(resolved, ["budget_actual resolved out"]);
    assert_eq!(scene.run("2026-11-02T14:00:00Z"), NOTHING, "still the same condition");
    assert_eq!(scene.run("2026-11-04T14:00:00Z"), NOTHING, "and no reminder");
    scene.spend("2026-11-02", 50);
    assert_eq!(scene.run_with("2026-11-04T15:00:00Z", false), NOTHING);
    scene.spend("2026-11-02", 120);
    assert_eq!(
        scene.run("2026-11-04T16:00:00Z"),
        NOTHING,
        "it was not known to be over"
    );
    scene.spend("2026-11-02", 50);
    assert_eq!(scene.run("2026-11-04T17:00:00Z"), NOTHING);
    scene.spend("2026-11-02", 130);
    assert_eq!(scene.run("2026-11-04T18:00:00Z"), ["budget_actual firing out"]);
}

#[test]
fn a_look_at_the_past_ends_nothing_of_later_periods() {
    let mut scene = Scene::new(to_out("100"));
    scene.spend("2026-11-02", 120);
    assert_eq!(scene.run("2026-11-02T12:00:00Z"), ["budget_actual firing out"]);
    assert_eq!(scene.run("2026-10-31T23:00:00Z"), NOTHING);
    assert_eq!(scene.run("2026-11-02T13:00:00Z"), NOTHING);
}

#[test]
fn a_rung_or_a_budget_given_twice_is_one_alert() {
    let mut budget = to_out("100");
    budget.thresholds.extend(Budget::default_ladder());
    let mut scene = Scene::new(budget.clone());
    scene.budgets.push(budget);
    scene.spend("2026-11-02", 120);
    assert_eq!(scene.run("2026-11-02T12:00:00Z"), ["budget_actual firing out"]);
    assert_eq!(scene.run("2026-11-02T13:00:00Z"), NOTHING);
}

#[test]
fn an_acknowledgement_that_expires_is_told_also_where_reminders_are_off() {
    let mut budget = to_out("100");
    budget.remind_every_hours = 0;
    let mut scene = Scene::new(budget);
    scene.spend("2026-11-02", 120);
    assert_eq!(scene.run("2026-11-02T12:00:00Z"), ["budget_actual firing out"]);
    assert_eq!(scene.run("2026-11-09T12:00:00Z"), NOTHING, "reminders are off");
    let deed = Deed::Acknowledge {
        until: at("2026-11-10T12:00:00Z"),
        by: "ann".to_owned(),
        reason: String::new(),
    };
    assert_eq!(
        scene.act("2026-11-09T13:00:00Z", deed),
        ["budget_actual acknowledged out"]
    );
    assert_eq!(scene.run("2026-11-10T11:59:00Z"), NOTHING);
    assert_eq!(scene.run("2026-11-10T12:00:00Z"), ["budget_actual reminder out"]);
    assert_eq!(scene.run("2026-11-20T12:00:00Z"), NOTHING, "once");
}

#[test]
fn a_silence_tells_nothing_and_an_end_that_it_hid_is_told_after_it() {
    let mut scene = Scene::new(to_out("100"));
    scene.spend("2026-11-02", 120);
    assert_eq!(scene.run("2026-11-02T12:00:00Z"), ["budget_actual firing out"]);
    scene.silence("2026-11-02T13:00:00Z", "2026-12-03T00:00:00Z");
    assert_eq!(scene.run("2026-11-05T12:00:00Z"), NOTHING);
    scene.spend("2026-11-02", 50);
    assert_eq!(scene.run("2026-11-06T12:00:00Z"), NOTHING, "it is over");
    scene.spend("2026-11-02", 120);
    assert_eq!(scene.run("2026-11-07T12:00:00Z"), NOTHING, "it is back");
    assert_eq!(scene.run("2026-12-01T12:00:00Z"), NOTHING, "the month is over");
    assert_eq!(scene.run("2026-12-03T00:00:00Z"), ["budget_actual resolved out"]);
    assert_eq!(scene.run("2026-12-04T00:00:00Z"), NOTHING);
}

#[test]
fn what_came_and_went_within_a_silence_is_never_told() {
    let mut scene = Scene::new(to_out("100"));
    scene.silence("2026-11-01T00:00:00Z", "2026-11-04T00:00:00Z");
    scene.spend("2026-11-02", 120);
    assert_eq!(scene.run("2026-11-02T12:00:00Z"), NOTHING);
    let (by, reason) = ("ann".to_owned(), "known".to_owned());
    assert_eq!(scene.act("2026-11-02T13:00:00Z", Deed::Resolve { by, reason }), NOTHING);
    assert_eq!(scene.run("2026-11-05T12:00:00Z"), NOTHING);
}

/// A store that another run changes between a person's look and deed, so many times.
struct Contended(MemoryAlerts, u32);

impl AlertStore for Contended {
    fn alerts(&mut self, since: Option<chrono::DateTime<chrono::Utc>>) -> Result<Vec<Alert>, StoreError> {
        self.0.alerts(since)
    }
    fn history(&mut self, id: &str) -> Result<Vec<Transition>, StoreError> {
        self.0.history(id)
    }
    fn silences(&mut self) -> Result<Vec<Silence>, StoreError> {
        self.0.silences()
    }
    fn silence(&mut self, silence: &Silence) -> Result<(), StoreError> {
        self.0.silence(silence)
    }
    fn commit(&mut self, commit: &AlertCommit) -> Result<(), StoreError> {
        if self.1 > 0 {
            self.1 -= 1;
            let alerts = self.0.alerts(None)?;
            self.0.commit(&AlertCommit {
                alerts,
                ..AlertCommit::default()
            })?;
        }
        self.0.commit(commit)
    }
}

#[test]
fn a_deed_is_decided_anew_when_a_run_was_faster() {
    let mut scene = Scene::new(to_out("100"));
    scene.spend("2026-11-02", 120);
    scene.run("2026-11-02T12:00:00Z");
    let id = scene.store.alerts(None).unwrap().remove(0).id;
    let (by, reason) = ("ann".to_owned(), "agreed".to_owned());
    let deed = Deed::Resolve { by, reason };
    let now = at("2026-11-02T13:00:00Z");
    let mut store = Contended(scene.store, 9);
    let hopeless = act(&mut store, &id, &deed, now);
    assert!(
        matches!(hopeless, Err(DeedError::Store(StoreError::Conflict { .. }))),
        "{hopeless:?}"
    );
    let done = act(&mut store, &id, &deed, now).unwrap();
    assert_eq!((done.state, store.1), (State::Resolved, 0));
    assert_eq!(store.history(&id).unwrap().len(), 2, "once");
    let again = act(&mut store, &id, &deed, now);
    assert!(matches!(again, Err(DeedError::Resolved { .. })), "{again:?}");
}

/// A budget that is told when it is spent, and not when that is to be expected.
fn actual(amount: &str) -> Budget {
    let mut budget = to_out(amount);
    budget.thresholds.retain(|t| t.kind == ThresholdKind::Actual);
    budget
}

#[test]
fn a_day_that_is_read_on_the_next_morning_is_told_then_once() {
    let mut scene = Scene::new(Budget {
        period: BudgetPeriod::Calendar(Calendar::Day),
        ..actual("20")
    });
    for day in 10..14 {
        scene.spend(&format!("2026-11-{day}"), 100);
        let told = scene.run(&format!("2026-11-{}T06:00:00Z", day + 1));
        let over = told.iter().filter(|t| *t == "budget_actual resolved out").count();
        assert_eq!((told.len() - over, over), (1, usize::from(day > 10)), "{told:?}");
        assert!(told.contains(&"budget_actual firing out".to_owned()));
    }
    let title = scene.store.claim().unwrap().remove(0).message.title;
    assert_eq!(title, "total: 500 % of the budget of 2026-11-10 was spent");
    assert_eq!(scene.run("2026-11-14T12:00:00Z"), ["budget_actual resolved out"]);
    assert_eq!(scene.run("2026-11-15T12:00:00Z"), NOTHING);
}

#[test]
fn what_comes_in_after_the_end_of_a_month_is_told_while_it_is_news() {
    let mut scene = Scene::new(actual("100"));
    scene.spend("2026-11-15", 50);
    assert_eq!(scene.run("2026-11-30T18:00:00Z"), NOTHING);
    assert_eq!(scene.run("2026-12-01T00:05:00Z"), NOTHING, "50 %");
    scene.spend("2026-11-30", 500);
    assert_eq!(
        scene.run_with("2026-12-02T00:05:00Z", false),
        ["budget_actual firing out"]
    );
    let alert = scene.store.alerts(None).unwrap().remove(0);
    assert_eq!(alert.title, "total: 550 % of the budget of November 2026 was spent");
    assert_eq!(scene.run("2026-12-02T00:10:00Z"), ["budget_actual resolved out"]);
    scene.spend("2026-11-29", 500);
    assert_eq!(scene.run("2026-12-05T00:00:00Z"), NOTHING, "once");

    let mut late = Scene::new(actual("100"));
    late.spend("2026-11-30", 500);
    assert_eq!(late.run("2026-12-12T00:00:00Z"), NOTHING, "that is history");
    late.spend("2026-11-29", 500);
    assert_eq!(late.run("2026-12-09T00:00:00Z"), ["budget_actual firing out"]);
}

#[test]
fn what_fired_within_its_period_is_not_told_anew_after_it() {
    let mut scene = Scene::new(actual("100"));
    scene.spend("2026-11-20", 120);
    assert_eq!(scene.run("2026-11-20T12:00:00Z"), ["budget_actual firing out"]);
    scene.spend("2026-11-20", 50);
    assert_eq!(scene.run("2026-11-21T12:00:00Z"), ["budget_actual resolved out"]);
    scene.spend("2026-11-30", 120);
    assert_eq!(
        scene.run("2026-12-01T12:00:00Z"),
        ["budget_actual firing out"],
        "it came back late"
    );
    assert_eq!(scene.run("2026-12-01T13:00:00Z"), ["budget_actual resolved out"]);
    assert_eq!(scene.run("2026-12-02T12:00:00Z"), NOTHING);

    let end = at("2026-11-20T00:00:00Z");
    let mut once = Scene::new(Budget {
        period: BudgetPeriod::Custom(Period::new(at("2026-11-01T00:00:00Z"), end)),
        ..actual("100")
    });
    once.spend("2026-11-19", 970);
    assert_eq!(
        once.run("2026-11-21T00:00:00Z"),
        ["budget_actual firing out"],
        "looked at after its end only"
    );
    assert_eq!(once.run("2026-11-21T01:00:00Z"), ["budget_actual resolved out"]);
    assert_eq!(once.run("2026-11-22T00:00:00Z"), NOTHING);
}

#[test]
fn of_several_rungs_passed_at_once_the_highest_is_told() {
    let mut budget = to_out("100");
    budget.thresholds = [50, 80, 100]
        .map(|percent| Threshold {
            percent: Decimal::from(percent),
            kind: ThresholdKind::Actual,
            severity: Severity::Warning,
        })
        .to_vec();
    let mut scene = Scene::new(budget);
    scene.spend("2026-11-02", 60);
    assert_eq!(scene.run("2026-11-02T12:00:00Z"), ["budget_actual firing out"], "50 %");
    scene.spend("2026-11-03", 440);
    assert_eq!(
        scene.run("2026-11-03T12:00:00Z"),
        ["budget_actual firing out"],
        "100 % and not 80 %"
    );
    assert_eq!(
        scene.run("2026-11-04T12:00:00Z"),
        ["budget_actual reminder out"],
        "of the highest"
    );
    scene.spend("2026-11-03", 25);
    let told = scene.run("2026-11-04T13:00:00Z");
    assert_eq!(
        told,
        ["budget_actual resolved out", "budget_actual firing out"],
        "80 % now"
    );
}

#[test]
fn a_budget_that_is_raised_is_no_spend_that_was_restated() {
    let mut scene = Scene::new(to_out("100"));
    scene.spend("2026-11-02", 120);
    assert_eq!(scene.run("2026-11-02T12:00:00Z"), ["budget_actual firing out"]);
    scene.budgets = vec![to_out("1000")];
    assert_eq!(scene.run("2026-11-02T13:00:00Z"), ["budget_actual resolved out"]);
    let title = scene.store.claim().unwrap().pop().unwrap().message.title;
    assert_eq!(title, "total: resolved, the budget was raised");
    // Also where a run in between could not see all.
    let mut scene = Scene::new(to_out("100"));
    scene.spend("2026-11-02", 120);
    scene.run("2026-11-02T12:00:00Z");
    scene.budgets = vec![to_out("1000")];
    assert_eq!(scene.run_with("2026-11-02T13:00:00Z", false), NOTHING);
    assert_eq!(scene.run("2026-11-02T14:00:00Z"), ["budget_actual resolved out"]);
    let title = scene.store.claim().unwrap().pop().unwrap().message.title;
    assert_eq!(title, "total: resolved, the budget was raised");
}

#[test]
fn a_forecast_is_over_when_all_of_it_is_taken_back_and_not_while_that_is_unknown() {
    for fires in [true, false] {
        let mut scene = Scene::new(to_out("300"));
        for day in 1..=10 {
            scene.spend(&format!("2026-11-{day:02}"), 18);
        }
        assert_eq!(scene.run("2026-11-10T12:00:00Z"), NOTHING);
        if fires {
            assert_eq!(scene.run("2026-11-10T13:00:00Z"), ["budget_forecast firing out"]);
        }
        scene.ledger.0.clear();
        assert_eq!(scene.run_with("2026-11-10T14:00:00Z", false), NOTHING);
        let told = scene.run("2026-11-10T15:00:00Z");
        let expected: &[&str] = if fires { &["budget_forecast resolved out"] } else { &[] };
        assert_eq!(told, expected);
        let alerts = scene.store.alerts(None).unwrap();
        assert!(alerts.iter().all(|alert| alert.state == State::Resolved), "{alerts:?}");
    }
}

#[test]
fn a_clock_that_was_ahead_once_holds_nothing_back() {
    let mut scene = Scene::new(to_out("300"));
    for day in 1..=10 {
        scene.spend(&format!("2026-11-{day:02}"), 18);
    }
    assert_eq!(scene.run("2026-11-12T12:00:00Z"), NOTHING, "two days ahead, once");
    assert_eq!(scene.run("2026-11-10T13:00:00Z"), ["budget_forecast firing out"]);
    assert_eq!(
        scene.run("2026-11-12T13:00:00Z"),
        ["budget_forecast reminder out"],
        "ahead again"
    );
    assert_eq!(scene.run("2026-11-10T14:00:00Z"), NOTHING);
    assert_eq!(scene.run("2026-11-11T14:00:00Z"), ["budget_forecast reminder out"]);
}

#[test]
fn a_run_of_the_past_ends_nothing_and_reminds_of_nothing() {
    let mut scene = Scene::new(actual("100"));
    scene.spend("2026-11-02", 60);
    scene.spend("2026-11-15", 60);
    assert_eq!(scene.run("2026-11-20T12:00:00Z"), ["budget_actual firing out"]);
    // Below the threshold by then, and above it: once, and again by seconds as of two hosts.
    for past in ["2026-11-12T09:00:00Z", "2026-11-16T09:00:00Z", "2026-11-20T12:14:59Z"] {
        assert_eq!(scene.run(past), NOTHING, "{past}");
        assert_eq!(scene.run("2026-11-20T12:15:00Z"), NOTHING, "after {past}");
    }
    assert_eq!(scene.run("2026-11-21T12:00:00Z"), ["budget_actual reminder out"]);
    // Nor is what a person called over seen to be gone.
    let (by, reason) = ("ann".to_owned(), "known".to_owned());
    let told = scene.act("2026-11-21T13:00:00Z", Deed::Resolve { by, reason });
    assert_eq!(told, ["budget_actual resolved out"]);
    for now in ["2026-11-12T09:00:00Z", "2026-11-21T14:00:00Z"] {
        assert_eq!(scene.run(now), NOTHING, "{now}");
    }
}

#[test]
fn a_clock_that_goes_on_from_an_earlier_time_is_believed_after_a_day() {
    let mut scene = Scene::new(actual("100"));
    scene.spend("2026-11-02", 120);
    assert_eq!(scene.run("2026-11-28T12:00:00Z"), ["budget_actual firing out"]);
    scene.spend("2026-11-02", 50);
    for held in ["2026-11-03T09:00:00Z", "2026-11-03T18:00:00Z", "2026-11-04T08:00:00Z"] {
        assert_eq!(scene.run(held), NOTHING, "{held}");
    }
    assert_eq!(scene.run("2026-11-04T09:00:00Z"), ["budget_actual resolved out"]);
}

#[test]
fn nobody_hears_for_the_first_time_of_a_forecast_below_its_threshold() {
    let forecast = |percent: i64| Threshold {
        percent: percent.into(),
        kind: ThresholdKind::Forecast,
        severity: Severity::Warning,
    };
    let mut ladder = to_out("3000");
    ladder.thresholds = vec![forecast(80), forecast(100)];
    // On course for 102 % within a silence, and after it for 97 %, 81 %, 79 % and 81 % again.
    let daily = |scene: &mut Scene, dollars: i64| {
        for day in 1..=12 {
            scene.spend(&format!("2026-11-{day:02}"), dollars);
        }
    };
    let mut scene = Scene::new(ladder);
    scene.silence("2026-11-01T00:00:00Z", "2026-11-12T00:00:00Z");
    daily(&mut scene, 102);
    for now in ["2026-11-11T12:00:00Z", "2026-11-11T18:00:00Z"] {
        assert_eq!(scene.run(now), NOTHING, "silenced");
    }
    daily(&mut scene, 97);
    assert_eq!(
        scene.run("2026-11-13T00:00:00Z"),
        ["budget_forecast firing out"],
        "80 %, of which 100 % tells nobody"
    );
    let told = scene.store.claim().unwrap().pop().unwrap().message;
    assert!(told.summary.ends_with("threshold 80 % forecast."), "{}", told.summary);
    daily(&mut scene, 102);
    assert_eq!(
        scene.run("2026-11-13T01:00:00Z"),
        ["budget_forecast firing out"],
        "100 %"
    );

    let mut scene = Scene::new(to_out("3000"));
    scene.silence("2026-11-01T00:00:00Z", "2026-11-12T00:00:00Z");
    daily(&mut scene, 81);
    for now in ["2026-11-11T12:00:00Z", "2026-11-11T18:00:00Z"] {
        assert_eq!(scene.run(now), NOTHING, "silenced");
    }
    daily(&mut scene, 79);
    assert_eq!(scene.run("2026-11-13T00:00:00Z"), NOTHING, "79 %");
    daily(&mut scene, 81);
    assert_eq!(scene.run("2026-11-13T01:00:00Z"), ["budget_forecast firing out"]);
}
