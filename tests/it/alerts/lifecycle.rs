//! Given this spend and these evaluations, then these messages.

use finops::adapters::memory::alerts::MemoryAlerts;
use finops::domain::alert::{Alert, Behaviour, State, Verdict, acknowledge, step};
use finops::domain::budget::Budget;
use finops::domain::notification::{Severity, Told};
use finops::domain::period::Period;
use finops::engine::evaluate::evaluate;
use finops::ports::{AlertStore, Outbox};
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
            complete,
            at(now),
        )
        .unwrap();
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
    assert_eq!(scene.run("2026-11-03T14:00:00Z"), ["budget_actual resolved out"]);
    scene.spend("2026-11-03", 60);
    assert_eq!(
        scene.run("2026-11-03T15:00:00Z"),
        ["budget_actual firing out"],
        "it comes back"
    );
    assert_eq!(scene.store.alerts(None).unwrap().len(), 1, "as the same alert");
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
        prop_assert!(open == (alert.told_firing && alert.state.is_active()) || alert.state == State::Resolved);
    }
}

#[test]
fn an_alert_resolved_by_a_person_comes_back_only_if_seen_anew() {
    use finops::domain::alert::resolve;
    use finops::ports::AlertCommit;
    let mut scene = Scene::new(to_out("100"));
    scene.spend("2026-11-02", 120);
    assert_eq!(scene.run("2026-11-02T12:00:00Z"), ["budget_actual firing out"]);
    let alert = scene.store.alerts(None).unwrap().remove(0);
    let done = resolve(&alert, "ann", "agreed", at("2026-11-02T13:00:00Z")).unwrap();
    scene
        .store
        .commit(&AlertCommit {
            alerts: vec![done.alert],
            transitions: done.transitions,
            messages: Vec::new(),
        })
        .unwrap();
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
