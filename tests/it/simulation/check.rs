//! What must be true after every month, whatever happened in it.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use finops::domain::alert::{Alert, State, message_id};
use finops::domain::budget::Budget;
use finops::domain::dimension::Dimension;
use finops::domain::label::Label;
use finops::domain::notification::{Notification, Told};
use finops::domain::period::{Hour, Period};
use finops::domain::spend::{Basis, Bill};
use finops::domain::usage::{Bucket, UsageEvent};
use finops::ports::{AlertStore, Ledger, Outbox};
use rust_decimal::Decimal;

use super::ports::World;

/// What was really spent, kept apart from the program: the full record of a call counts, else the partial one.
#[derive(Default)]
pub struct Truth {
    calls: HashMap<[u8; 16], UsageEvent>,
    bills: BTreeMap<String, Bill>,
}

type Days = BTreeMap<(Basis, i64, Label), (Decimal, Decimal)>;

impl Truth {
    pub fn call(&mut self, event: &UsageEvent) {
        let known = self.calls.entry(event.id.0).or_insert(*event);
        if event.rank.complete {
            *known = *event;
        }
    }

    pub fn bill(&mut self, bill: &Bill) {
        self.bills.insert(bill.identity.clone(), bill.clone());
    }

    /// Cost, and the worst case of what has no price, by basis, day and team.
    fn days(&self) -> Days {
        let mut days = Days::new();
        for event in self.calls.values() {
            let cents = Decimal::new(i64::try_from(event.tokens.get(Bucket::Output)).unwrap(), 2);
            let day = Hour::of(event.at).day().0;
            let slot = days
                .entry((Basis::Metered, day, event.dimensions.get(Dimension::Team)))
                .or_default();
            if event.model() == super::nobody() {
                slot.1 += cents;
            } else {
                slot.0 += cents;
            }
        }
        for (key, sums) in self.bills.values().flat_map(|bill| bill.rows.iter()) {
            days.entry((Basis::Billed, key.hour.day().0, Label::EMPTY))
                .or_default()
                .0 += sums.cost;
        }
        days.retain(|_, (cost, worst)| !cost.is_zero() || !worst.is_zero());
        days
    }

    /// What counts, and what it may be with what has no price.
    fn spent(&self, budget: &Budget, period: Period) -> (Decimal, Decimal) {
        let inside = |day: i64| period.contains(Hour(day).start());
        let counts = |basis: Basis, team: Label| {
            basis == budget.basis && (basis == Basis::Billed || team.as_str() == budget.name)
        };
        let days = self.days();
        let rows = days
            .iter()
            .filter(|((basis, day, team), _)| counts(*basis, *team) && inside(*day));
        let (cost, most) = rows.fold((Decimal::ZERO, Decimal::ZERO), |(spent, most), (_, (cost, worst))| {
            (spent + cost, most + cost + worst)
        });
        (if budget.count_unpriced { most } else { cost }, most)
    }
}

pub fn check(budgets: &[Budget], world: &mut World, truth: &Truth, now: DateTime<Utc>) {
    totals(world, truth);
    messages(world);
    turns(world);
    history(world);
    alerts(budgets, world, truth, now);
}

/// Every cent of every day is in the ledger once.
fn totals(world: &mut World, truth: &Truth) {
    let mut days = Days::new();
    let ever = Period::new(DateTime::UNIX_EPOCH, DateTime::<Utc>::MAX_UTC);
    let mut visit = |key: &finops::domain::spend::SpendKey, sums: &finops::domain::spend::Sums| {
        let team = key.dimensions.get(Dimension::Team);
        let slot = days.entry((key.basis, key.hour.day().0, team)).or_default();
        slot.0 += sums.cost;
        slot.1 += sums.unpriced_worst_case;
    };
    world.ledger.spend(ever, &mut visit).unwrap();
    days.retain(|_, (cost, worst)| !cost.is_zero() || !worst.is_zero());
    assert_eq!(days, truth.days(), "totals are exact");
}

/// Nothing is lost or invented, a repetition is the same message to the letter, and each channel hears those of each alert in order,
/// unless one of them was set aside. A reminder that waited may give way to what came after it.
fn messages(world: &mut World) {
    let aside = &world.aside;
    let decided = &world.decided;
    let by_id: HashMap<&str, &Notification> = decided.iter().map(|m| (m.id.as_str(), m)).collect();
    assert_eq!(by_id.len(), decided.len(), "an id is decided once");
    let order = |m: &'_ Notification| (m.channel.clone(), m.alert_id.clone());
    let mut heard: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    let mut known = HashSet::new();
    for message in &world.received {
        assert_eq!(by_id.get(message.id.as_str()), Some(&message), "received as decided");
        if known.insert(message.id.as_str()) {
            heard.entry(order(message)).or_default().push(&message.id);
        }
    }
    let mut said: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    let mut later = HashSet::new();
    for message in decided.iter().rev() {
        let is_last = later.insert(order(message));
        let gave_way = message.told == Told::Reminder && !is_last && !known.contains(message.id.as_str());
        if !gave_way {
            said.entry(order(message)).or_default().insert(0, &message.id);
        }
    }
    for all in [&mut heard, &mut said] {
        let late = all.iter_mut().filter(|((_, alert), _)| aside.contains(alert));
        late.for_each(|(_, ids)| ids.sort_unstable());
    }
    assert_eq!(heard, said, "each channel hears everything, in order");
    assert!(world.alerts.claim().unwrap().is_empty(), "nothing waits");
}

/// On each channel an alert is told as firing once, then as resolved once, and so on; every telling has one identity.
fn turns(world: &mut World) {
    let alerts = world.alerts.alerts(None).unwrap();
    let mut open: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for message in &world.decided {
        let open = open.entry((&message.alert_id, &message.channel)).or_default();
        match message.told {
            Told::Firing => assert!(!std::mem::replace(open, true), "firing told twice: {}", message.title),
            Told::Resolved => assert!(
                std::mem::replace(open, false),
                "resolved out of turn: {}",
                message.title
            ),
            Told::Reminder | Told::Acknowledged => assert!(*open, "{} out of turn", message.told),
        }
    }
    for alert in &alerts {
        let mine = world.decided.iter().filter(|m| m.alert_id == alert.id);
        let mut ids: HashSet<&str> = mine.map(|m| m.id.as_str()).collect();
        let mut telling = alert.clone();
        for number in 1..=alert.tellings {
            telling.tellings = number;
            let told = ["chat", "log"].map(|channel| ids.remove(message_id(&telling, channel).as_str()));
            assert!(
                told.contains(&true),
                "telling {number} of {} went to nobody",
                alert.title
            );
        }
        assert!(ids.is_empty(), "{} was told under another identity", alert.title);
        let believed = open.iter().any(|((id, _), open)| *id == alert.id && *open);
        assert_eq!(believed, alert.told_firing, "people believe otherwise: {}", alert.title);
    }
}

/// The history is one unbroken chain that ends where the alert stands.
fn history(world: &mut World) {
    for alert in world.alerts.alerts(None).unwrap() {
        let history = world.alerts.history(&alert.id).unwrap();
        assert_eq!(history.first().map(|t| t.from), Some(None));
        for pair in history.windows(2) {
            assert_eq!(pair[1].from, Some(pair[0].to));
        }
        assert_eq!(history.last().map(|t| t.to), Some(alert.state));
    }
}

/// Whether it stands below its threshold, and not far enough to be over, or not for certain: nobody is told anew of that.
fn wavers(alert: &Alert) -> bool {
    let number = |text: &str| text.split(' ').next().and_then(|number| number.parse::<u32>().ok());
    let told = |before: &str| alert.title.split(before).nth(1).and_then(number);
    let below = |found: u32, forecast: bool| {
        let threshold = number(&alert.threshold).unwrap_or(0);
        found < threshold || forecast && found == threshold
    };
    match told("course for ") {
        Some(course) => below(course, true),
        None => told(": ").is_some_and(|spent| below(spent, false)),
    }
}

/// In the end it is true, and everyone who should know does.
fn alerts(budgets: &[Budget], world: &mut World, truth: &Truth, now: DateTime<Utc>) {
    let alerts = world.alerts.alerts(None).unwrap();
    for alert in &alerts {
        let muted = alert.suppressed.is_some() && alert.period.contains(now);
        assert!(alert.owed.is_none() || muted, "{} is still to be told", alert.title);
        assert!(
            alert.period.contains(now) || alert.state == State::Resolved,
            "{} outlived its period",
            alert.title
        );
        let quiet = alert.state != State::Firing || alert.suppressed.is_some() || wavers(alert);
        assert!(quiet || alert.told_firing, "nobody was told of {}", alert.title);
    }
    for budget in budgets {
        let period = budget.period_at(now);
        let (spent, most) = truth.spent(budget, period.until(now));
        let mut mine = alerts.iter();
        let is = mine.any(|a| {
            let this = a.policy == budget.name && a.kind == "budget_actual" && a.period == period;
            this && (a.state.is_active() || a.dismissed)
        });
        let amount = budget.amount.amount();
        // What fired is not over while what has no price may have cost the rest.
        let held = is && most >= amount;
        assert!(
            is == (spent >= amount) || held,
            "{} has spent {spent} to {most}",
            budget.name
        );
    }
}
