//! What a provider says about its own anomalies and budgets, switched off, of another month, or not known; and sources that fail for long.

use chrono::{DateTime, TimeDelta, Utc};
use finops::adapters::memory::{MemoryAlerts, MemoryLedger};
use finops::domain::alert::{Alert, State};
use finops::domain::charge::{Charge, UnpricedReason};
use finops::domain::dimension::{Dimension, Dimensions};
use finops::domain::money::Currency;
use finops::domain::notification::Severity;
use finops::domain::period::{Calendar, Hour, Period};
use finops::domain::signal::{ProviderAnomaly, ProviderBudget, ProviderForecast, Signals};
use finops::domain::spend::{Basis, Bill, SpendKey, Sums};
use finops::domain::usage::{EventId, UsageEvent};
use finops::engine::collect::{Collection, Complete, FailedSource};
use finops::engine::signals::current;
use finops::engine::watch::{
    RunPolicy, WatchPolicy, remember, remember_received, second_witness, watch_all, watch_sources,
};
use finops::ports::{AlertCommit, AlertStore as _, Ledger as _, Outbox as _, Pricer, ProviderSignals, RecordBatch};
use rust_decimal::Decimal;

use super::at;

struct Nothing;

impl Pricer for Nothing {
    fn price(&self, _: &UsageEvent) -> Charge {
        Charge::unpriced(UnpricedReason::UnknownModel, Decimal::ZERO)
    }
}

/// Messages that were not seen before: what was told, and how urgently.
fn told(store: &mut MemoryAlerts, seen: &mut usize) -> Vec<String> {
    let all = store.claim().unwrap();
    let new = all.iter().skip(*seen);
    let new = new
        .map(|p| format!("{} {} {}", p.message.told, p.message.severity, p.message.title))
        .collect();
    *seen = all.len();
    new
}

fn aws_budget(name: &str, actual: Option<i64>, now: DateTime<Utc>) -> ProviderBudget {
    ProviderBudget {
        name: name.to_owned(),
        account: "1".to_owned(),
        limit: 100.into(),
        actual: actual.map(Decimal::from),
        forecast: None,
        currency: Currency::USD,
        period: Some(Calendar::Month.around(now, chrono_tz::Tz::UTC)),
        calendar: None,
        changed_at: None,
        services: Vec::new(),
        filtered: false,
        gross: false,
    }
}

fn anomaly() -> ProviderAnomaly {
    ProviderAnomaly {
        id: "a-1".to_owned(),
        account: "1".to_owned(),
        start: at("2026-11-20T00:00:00Z"),
        end: None,
        impact: 600.into(),
        actual: None,
        expected: None,
        causes: Vec::new(),
        feedback: None,
    }
}

fn signals(now: &str, anomalies: Vec<ProviderAnomaly>, budgets: Vec<ProviderBudget>, off: &[&str]) -> Signals {
    Signals {
        asked_at: at(now),
        anomalies,
        budgets,
        off: off.iter().map(|part| (*part).to_owned()).collect(),
        ..Signals::default()
    }
}

type Row = (&'static str, &'static str, &'static str, &'static str);

struct Scene {
    ledger: MemoryLedger,
    store: MemoryAlerts,
    seen: usize,
}

impl Scene {
    /// With a dollar of Bedrock billed on each of the first days of November.
    fn new() -> Self {
        Scene::billed(&[("aws", "1", "Usage", "1")])
    }

    /// With rows of Bedrock on each of the first days of November: provider, account, category, amount.
    fn billed(rows: &[Row]) -> Self {
        Scene::billed_on(0..9, rows)
    }

    /// The same on some days, from 0.
    fn billed_on(days: std::ops::Range<i64>, rows: &[Row]) -> Self {
        let mut ledger = MemoryLedger::new();
        let period = Calendar::Month.around(at("2026-11-10T00:00:00Z"), chrono_tz::Tz::UTC);
        let row = |(day, (provider, account, category, amount)): (i64, Row)| {
            let dimensions = Dimensions::default()
                .with(Dimension::Provider, provider)
                .with(Dimension::Account, account)
                .with(Dimension::Category, category)
                .with(Dimension::Service, "Amazon Bedrock");
            let key = SpendKey {
                hour: Hour::of(period.start + TimeDelta::days(day)),
                basis: Basis::Billed,
                currency: Currency::USD,
                dimensions,
            };
            let cost = amount.parse().unwrap();
            (
                key,
                Sums {
                    cost,
                    ..Sums::default()
                },
            )
        };
        let bill = Bill {
            identity: "bill".to_owned(),
            period,
            rows: days
                .flat_map(|day| rows.iter().map(move |row| (day, *row)))
                .map(row)
                .collect(),
            settled_before: None,
            formerly: None,
        };
        ledger.replace_bill(&bill, at("2026-11-10T00:00:00Z")).unwrap();
        let store = MemoryAlerts::new();
        Scene { ledger, store, seen: 0 }
    }

    fn watch(&mut self, now: &str, signals: Vec<Signals>) -> Vec<String> {
        let policy = WatchPolicy {
            signals,
            ..WatchPolicy::default()
        };
        let (ledger, store) = (&mut self.ledger, &mut self.store);
        watch_all(
            &policy,
            &Nothing,
            &["out".to_owned()],
            ledger,
            store,
            Complete::ALL,
            at(now),
        )
        .unwrap();
        told(&mut self.store, &mut self.seen)
    }
}

#[test]
fn what_is_not_asked_any_more_is_not_called_over() {
    let now = "2026-11-24T12:00:00Z";
    let spent = || vec![aws_budget("b", Some(145), at(now))];
    let mut scene = Scene::new();
    let first = scene.watch(now, vec![signals(now, vec![anomaly()], spent(), &[])]);
    assert_eq!(first.len(), 2, "{first:?}");
    // One part is switched off, then all of them: nobody says that anything has ended.
    let off = scene.watch(now, vec![signals(now, Vec::new(), spent(), &["anomalies"])]);
    let unasked = "AWS is no longer asked about it, so that nobody knows";
    assert_eq!(
        off,
        [format!(
            "resolved info AWS sees an anomaly of 600.00 USD: several services: resolved, {unasked}"
        )]
    );
    assert_eq!(
        scene.watch(now, Vec::new()),
        [format!("resolved info b: resolved, {unasked}")]
    );
}

#[test]
fn only_an_alert_that_all_is_spent_speaks_for_a_budget_of_aws() {
    let now = "2026-11-24T12:00:00Z";
    let said = || signals(now, Vec::new(), vec![aws_budget("b", Some(130), at(now))], &[]);
    let mut scene = Scene::new();
    let ours = |scene: &mut Scene, threshold: &str| {
        let period = Calendar::Month.around(at(now), chrono_tz::Tz::UTC);
        let severity = Severity::Critical;
        let threshold = threshold.to_owned();
        let mut alert = Alert::new(
            "b",
            "budget_actual",
            threshold,
            "everything",
            "metered",
            period,
            severity,
            at(now),
        );
        alert.state = State::Firing;
        let commit = AlertCommit {
            alerts: vec![alert],
            ..AlertCommit::default()
        };
        scene.store.commit(&commit).unwrap();
        second_witness(&said(), &scene.store.alerts(None).unwrap())
    };
    assert!(
        ours(&mut scene, "50 % actual").is_empty(),
        "half of it is not all of it"
    );
    assert_eq!(
        scene.watch(now, vec![said()]),
        ["firing warning AWS budget b is spent: 130.00 USD of 100.00 USD"]
    );
    assert_eq!(ours(&mut scene, "120 % actual"), ["b"]);
    let over = scene.watch("2026-11-24T13:00:00Z", vec![said()]);
    assert_eq!(over.len(), 1, "{over:?}");
    assert!(over[0].starts_with("resolved info b: resolved"), "{over:?}");
}

#[test]
fn a_budget_is_called_dead_only_where_that_is_known() {
    let now = "2026-11-24T12:00:00Z";
    let budget = |name: &str, actual, services: &[&str], filtered| ProviderBudget {
        services: services.iter().map(|s| (*s).to_owned()).collect(),
        filtered,
        ..aws_budget(name, actual, at(now))
    };
    let mut scene = Scene::new();
    let budgets = vec![
        budget("dead", Some(0), &["Amazon Bedrock"], false),
        budget("of a team", Some(0), &[], true),
        budget("not computed", None, &["Amazon Bedrock"], false),
        budget(
            "other service",
            Some(0),
            &["Amazon Elastic Compute Cloud - Compute"],
            false,
        ),
    ];
    let first = scene.watch(now, vec![signals(now, Vec::new(), budgets, &[])]);
    assert_eq!(
        first,
        [
            "firing warning AWS budget dead sees nothing while there is spend",
            "firing info AWS budget of a team has seen nothing since its period began, while there is spend",
        ]
    );
}

#[test]
fn what_a_budget_cannot_see_or_counts_as_nothing_does_not_make_it_dead() {
    const DEAD: &str = "firing warning AWS budget b sees nothing while there is spend";
    const ASKED: &str = "firing info AWS budget b has seen nothing since its period began, while there is spend";
    type Change = fn(&mut ProviderBudget);
    const USAGE: Row = ("aws", "1", "Usage", "1");
    let cases: [(&str, &[Row], Change, &str); 22] = [
        ("its own usage", &[USAGE], |_| (), DEAD),
        (
            "as FOCUS names AWS",
            &[("amazon web services", "1", "Usage", "1")],
            |_| (),
            DEAD,
        ),
        (
            "its code in reports",
            &[USAGE],
            |b| b.services = vec!["AmazonBedrock".to_owned()],
            DEAD,
        ),
        (
            "another service",
            &[USAGE],
            |b| b.services = vec!["Amazon Kendra".to_owned()],
            "",
        ),
        ("another provider", &[("openai", "1", "Usage", "1")], |_| (), ""),
        ("another account", &[("aws", "2", "Usage", "1")], |_| (), ""),
        (
            "an account that is not told",
            &[("aws", "", "Usage", "1")],
            |_| (),
            DEAD,
        ),
        // An account that pays for others sees what its filter leaves of theirs.
        (
            "another account, filtered",
            &[("aws", "2", "Usage", "1")],
            |b| b.filtered = true,
            ASKED,
        ),
        (
            "another provider, filtered",
            &[("openai", "1", "Usage", "1")],
            |b| b.filtered = true,
            "",
        ),
        ("no usage", &[("aws", "1", "Tax", "1")], |_| (), ""),
        ("nothing to speak of", &[("aws", "1", "Usage", "0.001")], |_| (), ""),
        ("credits for all", &[USAGE, ("aws", "1", "Credit", "-1")], |_| (), ASKED),
        (
            "credits for all, which it leaves out",
            &[USAGE, ("aws", "1", "Credit", "-1")],
            |b| b.gross = true,
            DEAD,
        ),
        (
            "credits for half",
            &[USAGE, ("aws", "1", "Credit", "-0.5")],
            |_| (),
            DEAD,
        ),
        (
            "discounts on all",
            &[USAGE, ("aws", "1", "Adjustment", "-1")],
            |b| b.gross = true,
            ASKED,
        ),
        (
            "a debit beside credits",
            &[USAGE, ("aws", "1", "Credit", "-1"), ("aws", "1", "Adjustment", "5")],
            |_| (),
            ASKED,
        ),
        (
            "begun later",
            &[USAGE],
            |b| b.period = Some(Period::new(at("2026-11-10T00:00:00Z"), at("2026-12-01T00:00:00Z"))),
            "",
        ),
        (
            "not begun",
            &[USAGE],
            |b| b.period = Some(Period::new(at("2026-12-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))),
            "",
        ),
        (
            "ended",
            &[USAGE],
            |b| b.period = Some(Period::new(at("2026-11-01T00:00:00Z"), at("2026-11-20T00:00:00Z"))),
            "",
        ),
        (
            "just made",
            &[USAGE],
            |b| b.changed_at = Some(at("2026-11-22T00:00:00Z")),
            "",
        ),
        (
            "made long ago",
            &[USAGE],
            |b| b.changed_at = Some(at("2026-11-20T00:00:00Z")),
            DEAD,
        ),
        (
            "changed after what is looked at",
            &[USAGE],
            |b| b.changed_at = Some(at("2026-12-20T00:00:00Z")),
            DEAD,
        ),
    ];
    let now = "2026-11-24T12:00:00Z";
    for (case, rows, change, expected) in cases {
        let mut budget = aws_budget("b", Some(0), at(now));
        change(&mut budget);
        let told = Scene::billed(rows).watch(now, vec![signals(now, Vec::new(), vec![budget], &[])]);
        assert_eq!(told.join("\n"), expected, "{case}");
    }
    // AWS answers nothing while it has not counted: in the first days of a period, and of what was used in the last two.
    for (days, asked, expected) in [
        (0..9, "2026-11-03T23:00:00Z", ""),
        (0..9, "2026-11-04T00:00:00Z", DEAD),
        (8..9, "2026-11-10T23:00:00Z", ""),
        (8..9, "2026-11-12T00:00:00Z", DEAD),
    ] {
        let budget = aws_budget("b", Some(0), at(asked));
        let said = signals(asked, Vec::new(), vec![budget], &[]);
        let told = Scene::billed_on(days, &[USAGE]).watch(asked, vec![said]);
        assert_eq!(told.join("\n"), expected, "{asked}");
    }
}

#[test]
fn a_dead_budget_is_called_over_for_the_reason_that_is_so() {
    let then = "2026-11-24T12:00:00Z";
    let dead = |now: &str| aws_budget("b", Some(0), at(now));
    let sees = |now: &str| aws_budget("b", Some(5), at(now));
    let soon = "2026-11-25T12:00:00Z";
    let later = "2026-12-01T13:00:00Z";
    for (now, budgets, over) in [
        (soon, vec![sees(soon)], "the budget sees spend now"),
        (soon, vec![], "AWS tells of no such budget any more"),
        (later, vec![dead(later)], "its period has ended"),
        (
            soon,
            vec![ProviderBudget {
                services: vec!["Amazon Kendra".to_owned()],
                ..dead(soon)
            }],
            "the budget was changed, or of what it is about nothing is known to be billed any more",
        ),
    ] {
        let mut scene = Scene::new();
        let first = scene.watch(then, vec![signals(then, Vec::new(), vec![dead(then)], &[])]);
        assert_eq!(first.len(), 1, "{first:?}");
        assert_eq!(
            scene.watch(now, vec![signals(now, Vec::new(), budgets, &[])]),
            [format!("resolved info b: resolved, {over}")]
        );
    }
}

#[test]
fn an_ended_budget_of_aws_is_neither_spent_nor_a_witness() {
    let now = "2026-11-24T12:00:00Z";
    let mut budget = aws_budget("b", Some(150), at(now));
    budget.period = Some(Calendar::Month.around(at("2026-10-10T00:00:00Z"), chrono_tz::Tz::UTC));
    let said = signals(now, Vec::new(), vec![budget], &[]);
    let mut scene = Scene::new();
    assert!(scene.watch(now, vec![said.clone()]).is_empty());
    let period = Calendar::Month.around(at(now), chrono_tz::Tz::UTC);
    let mut ours = Alert::new(
        "b",
        "budget_actual",
        "100 % actual".to_owned(),
        "everything",
        "metered",
        period,
        Severity::Critical,
        at(now),
    );
    ours.state = State::Firing;
    assert!(second_witness(&said, &[ours]).is_empty());
}

#[test]
fn each_anomaly_that_is_over_is_told_by_what_it_was_and_why() {
    let begun = |id: &str, impact: i64, cause: &str| ProviderAnomaly {
        id: id.to_owned(),
        impact: impact.into(),
        causes: vec![cause.to_owned()],
        ..anomaly()
    };
    let mut all = vec![
        begun("a-1", 600, "Amazon Bedrock · us-east-1"),
        begun("a-2", 70, "Amazon Kendra"),
        begun("a-3", 8, "Amazon Polly"),
    ];
    let mut scene = Scene::new();
    let now = "2026-11-24T12:00:00Z";
    assert_eq!(
        scene.watch(now, vec![signals(now, all.clone(), Vec::new(), &[])]).len(),
        3
    );
    all[0].end = Some(at("2026-11-20T00:00:00Z"));
    all[1].feedback = Some("PLANNED_ACTIVITY".to_owned());
    all[2].feedback = Some("NO".to_owned());
    let now = "2026-11-25T12:00:00Z";
    let mut over = scene.watch(now, vec![signals(now, all, Vec::new(), &[])]);
    over.sort();
    assert_eq!(
        over,
        [
            "resolved info AWS sees an anomaly of 600.00 USD: Amazon Bedrock · us-east-1: resolved, the anomaly has ended",
            "resolved info AWS sees an anomaly of 70.00 USD: Amazon Kendra: resolved, a person said at AWS that it was planned",
            "resolved info AWS sees an anomaly of 8.00 USD: Amazon Polly: resolved, a person said at AWS that it was none",
        ]
    );
    let sent = scene.store.claim().unwrap();
    let facts = |id: &str| {
        let of = |p: &&finops::ports::Pending| p.message.facts.iter().any(|f| f.label == "Anomaly" && f.value == id);
        sent.iter().filter(of).count()
    };
    assert_eq!(
        ["a-1", "a-2", "a-3"].map(facts),
        [2; 3],
        "when it began and when it was over"
    );
}

/// Whoever is woken by many at once reads first what they come to.
#[test]
fn many_anomalies_at_once_are_told_with_their_sum() {
    let anomalies = |count: i64| -> Vec<ProviderAnomaly> {
        let one = |n: i64| ProviderAnomaly {
            id: format!("a-{n}"),
            impact: Decimal::new(n * 1050, 2),
            causes: vec![format!("Service {n}")],
            ..anomaly()
        };
        (1..=count).map(one).collect()
    };
    let now = "2026-11-24T12:00:00Z";
    let few = Scene::new().watch(now, vec![signals(now, anomalies(10), Vec::new(), &[])]);
    assert_eq!(few.len(), 10, "{few:?}");
    let mut scene = Scene::new();
    let many = scene.watch(now, vec![signals(now, anomalies(11), Vec::new(), &[])]);
    assert_eq!(many, ["firing warning AWS sees 11 anomalies of 693.00 USD in all"]);
    let sent = scene.store.claim().unwrap();
    let message = &sent[0].message;
    let facts: Vec<_> = message
        .facts
        .iter()
        .map(|f| (f.label.as_str(), f.value.as_str()))
        .collect();
    assert_eq!(facts, [("Alerts", "11"), ("Impact", "693.00 USD")]);
    assert_eq!(message.lines.len(), 11);
    assert_eq!(message.lines[1], "AWS sees an anomaly of 105.00 USD: Service 10");
    // They end without one: nothing of it is spent anew.
    let mut over = anomalies(11);
    over.iter_mut().for_each(|a| a.feedback = Some("NO".to_owned()));
    let later = "2026-11-25T12:00:00Z";
    let told = scene.watch(later, vec![signals(later, over, Vec::new(), &[])]);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("resolved info 11 alerts are resolved, the first: "),
        "{told:?}"
    );
}

/// AWS also sees where less was spent than it expected.
#[test]
fn many_anomalies_below_what_was_expected_are_told_as_such() {
    let now = "2026-11-24T12:00:00Z";
    let told = |impact: fn(i64) -> i64| {
        let one = |n: i64| ProviderAnomaly {
            id: format!("a-{n}"),
            impact: impact(n).into(),
            causes: vec![format!("Service {n}")],
            ..anomaly()
        };
        let mut scene = Scene::new();
        scene.watch(now, vec![signals(now, (1..=11).map(one).collect(), Vec::new(), &[])]);
        let message = scene.store.claim().unwrap().remove(0).message;
        let impact = message.facts.into_iter().find(|fact| fact.label == "Impact");
        (message.title, message.lines[0].clone(), impact.map(|fact| fact.value))
    };
    let expected = |title: &str, first: &str, impact: Option<&str>| {
        let first = format!("AWS sees an anomaly of {first}");
        (title.to_owned(), first, impact.map(str::to_owned))
    };
    assert_eq!(
        told(|n| -10 * n),
        expected(
            "AWS sees 11 anomalies, 660.00 USD below what was expected in all",
            "-110.00 USD: Service 11",
            Some("-660.00 USD")
        )
    );
    // Of both kinds the most expensive comes first.
    assert_eq!(
        told(|n| if n == 1 { 50 } else { -10 * n }),
        expected(
            "AWS sees 11 anomalies, 600.00 USD below what was expected in all",
            "50.00 USD: Service 1",
            Some("-600.00 USD")
        )
    );
    assert_eq!(
        told(|n| if n > 10 { -550 } else { 10 * n }),
        expected("AWS sees 11 anomalies", "100.00 USD: Service 10", None)
    );
}

/// Answers with what was spent in November, whenever it is asked, as AWS does for some hours.
struct Provider {
    asked: Vec<Vec<String>>,
    fails: bool,
}

impl ProviderSignals for Provider {
    fn name(&self) -> &str {
        "1"
    }
    fn off(&self) -> Vec<String> {
        Vec::new()
    }
    fn ask(&mut self, known: &[&str], now: DateTime<Utc>) -> Signals {
        self.asked.push(known.iter().map(|part| (*part).to_owned()).collect());
        let month = Calendar::Month.around(now, chrono_tz::Tz::UTC);
        let forecast = ProviderForecast {
            account: "1".to_owned(),
            mean: 50.into(),
            bounds: None,
            currency: Currency::USD,
            period: Period::new(now, month.end),
        };
        Signals {
            forecast: (!self.fails).then_some(forecast),
            unknown: self.fails.then(|| "forecast: no data".to_owned()).into_iter().collect(),
            ..signals(
                &now.to_rfc3339(),
                Vec::new(),
                vec![aws_budget("bill", Some(145), now)],
                &[],
            )
        }
    }
}

#[test]
fn an_answer_of_last_month_alerts_on_nothing_in_this_one() {
    let mut scene = Scene::new();
    let mut provider = Provider {
        asked: Vec::new(),
        fails: false,
    };
    let run = |scene: &mut Scene, provider: &mut Provider, now: &str| {
        let refresh = TimeDelta::hours(8);
        let (said, _) = current(provider, &mut scene.ledger, &Nothing, refresh, at(now)).unwrap();
        (scene.watch(now, vec![said.clone()]), said)
    };
    let (told, _) = run(&mut scene, &mut provider, "2026-11-30T20:00:00Z");
    assert_eq!(
        told,
        ["firing warning AWS budget bill is spent: 145.00 USD of 100.00 USD"]
    );
    // The month turns within the refresh interval: all is asked anew, and what AWS still counts is not taken for December's.
    provider.fails = true;
    let (told, said) = run(&mut scene, &mut provider, "2026-12-01T00:30:00Z");
    assert_eq!(provider.asked.len(), 2);
    assert!(told.iter().all(|told| told.starts_with("resolved")), "{told:?}");
    assert!(said.forecast.is_none() && second_witness(&said, &[]).is_empty());
    // What failed is asked again alone, later, and what was answered is not paid for twice.
    run(&mut scene, &mut provider, "2026-12-01T01:30:00Z");
    assert_eq!(provider.asked.len(), 2);
    run(&mut scene, &mut provider, "2026-12-01T04:30:00Z");
    assert_eq!(provider.asked.last().unwrap(), &["anomalies", "budgets"]);
    let (told, _) = run(&mut scene, &mut provider, "2026-12-01T12:30:00Z");
    assert_eq!(
        told,
        ["firing warning AWS budget bill is spent: 145.00 USD of 100.00 USD"]
    );
}

const POLICY: RunPolicy = RunPolicy {
    every: None,
    stale_after: Some(TimeDelta::hours(48)),
    by_days: Vec::new(),
};

fn watch_run(scene: &mut Scene, fails: bool, now: &str) -> Vec<String> {
    let failed = FailedSource {
        source: "bill".into(),
        message: "access denied".to_owned(),
        hint: "allow it".to_owned(),
    };
    let collection = Collection {
        failed_sources: fails.then_some(failed).into_iter().collect(),
        ..Collection::default()
    };
    let policy = WatchPolicy {
        runs: POLICY,
        ..WatchPolicy::default()
    };
    let (ledger, store, names) = (&mut scene.ledger, &mut scene.store, ["bill".into(), "gateway".into()]);
    let out = ["out".to_owned()];
    let now = at(now);
    let complete = collection.complete();
    watch_all(&policy, &Nothing, &out, ledger, store, complete, now).unwrap();
    watch_sources(&POLICY, &names, &collection, &out, ledger, &Nothing, store, now).unwrap();
    remember(ledger, &Nothing, now).unwrap();
    told(&mut scene.store, &mut scene.seen)
}

fn call(scene: &mut Scene, source: &str, time: &str) {
    let mut event = UsageEvent::new(
        EventId::of(&[source.as_bytes(), time.as_bytes()]),
        at(time),
        "p".into(),
        "m".into(),
    );
    event.dimensions = event.dimensions.with(Dimension::Source, source);
    let batch = RecordBatch {
        events: vec![event].into_iter().collect(),
        ..RecordBatch::default()
    };
    scene.ledger.record(&batch, &Nothing, at(time)).unwrap();
}

#[test]
fn a_source_that_fails_at_every_run_is_told_beside_one_that_works() {
    let mut scene = Scene::new();
    for (day, fails, expected) in [
        ("11", true, vec![]),
        ("12", false, vec![]),
        ("13", true, vec![]),
        ("14", true, vec![]),
        (
            "15",
            true,
            vec!["firing warning the source bill has not been readable for 48 h"],
        ),
        ("16", true, vec![]),
        (
            "17",
            false,
            vec!["resolved info source bill: resolved, it can be read again"],
        ),
    ] {
        call(&mut scene, "gateway", &format!("2026-11-{day}T10:00:00Z"));
        assert_eq!(
            watch_run(&mut scene, fails, &format!("2026-11-{day}T12:00:00Z")),
            expected,
            "{day}"
        );
    }
}

#[test]
fn a_source_that_falls_silent_is_told_though_another_one_goes_on() {
    let mut scene = Scene::new();
    for day in 1..=30 {
        let time = format!("2026-11-{day:02}T10:00:00Z");
        call(&mut scene, "bill", &time);
        if day <= 20 {
            call(&mut scene, "gateway", &time);
        }
        let told = watch_run(&mut scene, false, &format!("2026-11-{day:02}T12:00:00Z"));
        match day {
            24 => assert_eq!(
                told,
                ["firing info nothing has come from the source gateway for 3 days"]
            ),
            _ => assert!(told.is_empty(), "{day}: {told:?}"),
        }
    }
}

#[test]
fn a_source_that_is_silent_stays_so_until_something_comes() {
    let mut scene = Scene::new();
    let day = |n: i64| at("2026-11-01T00:00:00Z") + chrono::TimeDelta::days(n);
    let mut told = Vec::new();
    let time = |n: i64, hour: &str| format!("{}T{hour}:00:00Z", day(n).format("%Y-%m-%d"));
    // The gateway falls silent, for longer than anything is looked at; then the other one, too; then both come back.
    for n in 0..130 {
        if !(100..110).contains(&n) {
            call(&mut scene, "bill", &time(n, "10"));
        }
        if !(20..125).contains(&n) {
            call(&mut scene, "gateway", &time(n, "10"));
        }
        let new = watch_run(&mut scene, false, &time(n, "12"));
        told.extend(new.into_iter().map(|title| format!("{n} {title}")));
    }
    assert_eq!(
        told,
        [
            "23 firing info nothing has come from the source gateway for 3 days",
            "101 firing warning the newest spend is 49 h old",
            "110 resolved info stale data: resolved, new spend has come in",
            "125 resolved info source gateway: resolved, new spend has come in",
        ]
    );
}

/// Nothing in the settings ends the alert on a source that is received no more.
#[test]
fn a_source_that_was_received_long_ago_is_forgotten() {
    let mut scene = Scene::new();
    let mut told = Vec::new();
    let time = |n: i64, hour: &str| {
        let day = at("2026-11-01T00:00:00Z") + chrono::TimeDelta::days(n);
        format!("{}T{hour}:00:00Z", day.format("%Y-%m-%d"))
    };
    remember_received("otel".into(), &mut scene.ledger, &Nothing, at("2026-11-01T00:00:00Z")).unwrap();
    for n in 0..110 {
        call(&mut scene, "bill", &time(n, "10"));
        if n < 10 || (20..30).contains(&n) {
            call(&mut scene, "otel", &time(n, "10"));
        }
        let new = watch_run(&mut scene, false, &time(n, "12"));
        told.extend(new.into_iter().map(|title| format!("{n} {title}")));
    }
    assert_eq!(
        told,
        [
            "13 firing info nothing has come from the source otel for 3 days",
            "20 resolved info source otel: resolved, new spend has come in",
            "63 firing info nothing has come from the source otel for 33 days",
            "91 resolved info source otel: resolved, nothing of it has been received for two months",
        ]
    );
}

/// A bill tells of days: its newest row stands at the beginning of the 9th.
#[test]
fn a_bill_is_stale_when_its_newest_day_ended_too_long_ago() {
    for (now, expected) in [
        ("2026-11-11T02:00:00Z", &[][..]),
        ("2026-11-12T00:00:00Z", &[]),
        ("2026-11-12T01:00:00Z", &["the newest spend is 49 h old"]),
    ] {
        let mut scene = Scene::new();
        let policy = WatchPolicy {
            runs: POLICY,
            ..WatchPolicy::default()
        };
        let (ledger, store, out) = (&mut scene.ledger, &mut scene.store, ["out".to_owned()]);
        watch_all(&policy, &Nothing, &out, ledger, store, Complete::ALL, at(now)).unwrap();
        let told = told(&mut scene.store, &mut scene.seen);
        let expected = expected.iter().map(|title| format!("firing warning {title}"));
        assert_eq!(told, expected.collect::<Vec<_>>(), "{now}");
    }
}

/// The same row of a bill by the hour is one of its first hour: the bill stopped then.
#[test]
fn a_bill_by_the_hour_is_stale_when_its_newest_hour_ended_too_long_ago() {
    let title = |now: &str, rows: &[(&str, &str)]| {
        let mut ledger = MemoryLedger::new();
        let row = |(account, hour): &(&str, &str)| {
            let key = SpendKey {
                hour: Hour::of(at(hour)),
                basis: Basis::Billed,
                currency: Currency::USD,
                dimensions: Dimensions::default()
                    .with(Dimension::Provider, "aws")
                    .with(Dimension::Account, account),
            };
            let cost = Decimal::ONE;
            (
                key,
                Sums {
                    cost,
                    ..Sums::default()
                },
            )
        };
        let bill = Bill {
            identity: "bill".to_owned(),
            period: Calendar::Month.around(at("2026-11-10T00:00:00Z"), chrono_tz::Tz::UTC),
            rows: rows.iter().map(row).collect(),
            settled_before: None,
            formerly: None,
        };
        ledger.replace_bill(&bill, at("2026-11-10T00:00:00Z")).unwrap();
        let mut scene = Scene { ledger, ..Scene::new() };
        let policy = WatchPolicy {
            runs: POLICY,
            ..WatchPolicy::default()
        };
        let (ledger, store, out) = (&mut scene.ledger, &mut scene.store, ["out".to_owned()]);
        watch_all(&policy, &Nothing, &out, ledger, store, Complete::ALL, at(now)).unwrap();
        told(&mut scene.store, &mut scene.seen)
    };
    // So many hours of a day, of which the one that folded days stand at counts for none.
    let hours = |account: &'static str, day: u32, count: u32| -> Vec<(&'static str, String)> {
        (1..=count)
            .map(|hour| (account, format!("2026-11-{day:02}T{hour:02}:00:00Z")))
            .collect()
    };
    let one = |at: &str| vec![("1", at.to_owned())];
    let midnight = one("2026-11-09T00:00:00Z");
    let stale = ["firing warning the newest spend is 49 h old"];
    for (others, of_hours) in [
        (vec![], false),
        (hours("1", 8, 23), true),
        (hours("1", 8, 13), true),
        // A bill by days with fees at the second at which they were due.
        (hours("1", 8, 12), false),
        (one("2026-11-08T14:00:00Z"), false),
        // Rows of the same day, of another account, of long ago, and of a day that is folded.
        ([hours("1", 8, 23), one("2026-11-09T01:00:00Z")].concat(), true),
        (hours("2", 8, 23), false),
        (hours("1", 6, 23), false),
        (one("2026-11-08T10:00:00Z"), false),
        // What is dated ahead, such as a fee of the year to come, hides nothing.
        ([hours("1", 8, 23), one("2026-12-09T00:00:00Z")].concat(), true),
    ] {
        let rows = [midnight.clone(), others.clone()].concat();
        let rows: Vec<(&str, &str)> = rows.iter().map(|(account, hour)| (*account, hour.as_str())).collect();
        let later = others.iter().any(|(_, hour)| hour == "2026-11-09T01:00:00Z");
        let now = if later {
            "2026-11-11T03:00:00Z"
        } else {
            "2026-11-11T02:00:00Z"
        };
        let expected = if of_hours { &stale[..] } else { &[] };
        assert_eq!(title(now, &rows), expected, "{others:?}");
        assert_eq!(title("2026-11-12T01:00:00Z", &rows).len(), 1, "{others:?}");
    }
}

/// What a source of whole days tells of today stands at its first hour.
#[test]
fn a_source_of_whole_days_is_as_new_as_its_day() {
    for (by_days, expected) in [
        (
            vec!["bill".into()],
            vec!["02 firing warning the newest spend is 13 h old"],
        ),
        (
            vec![],
            vec![
                "00 firing warning the newest spend is 14 h old",
                "02 firing warning the newest spend is 36 h old",
            ],
        ),
    ] {
        let policy = RunPolicy {
            stale_after: Some(TimeDelta::hours(12)),
            by_days,
            ..POLICY
        };
        let mut scene = Scene {
            ledger: MemoryLedger::new(),
            ..Scene::new()
        };
        let mut found = Vec::new();
        // The last one is of the second day; another source tells of hours.
        for (n, now) in ["2026-11-01T15:30:00Z", "2026-11-02T08:00:00Z", "2026-11-03T13:30:00Z"]
            .into_iter()
            .enumerate()
        {
            let day = &now[..10];
            if n < 2 {
                call(&mut scene, "bill", &format!("{day}T00:00:00Z"));
                call(&mut scene, "gateway", &format!("{day}T00:00:00Z"));
            }
            let watch = WatchPolicy {
                runs: policy.clone(),
                ..WatchPolicy::default()
            };
            let (ledger, store, out) = (&mut scene.ledger, &mut scene.store, ["out".to_owned()]);
            watch_all(&watch, &Nothing, &out, ledger, store, Complete::ALL, at(now)).unwrap();
            let new = told(&mut scene.store, &mut scene.seen);
            found.extend(
                new.into_iter()
                    .filter(|title| title.starts_with("firing"))
                    .map(|title| format!("0{n} {title}")),
            );
        }
        assert_eq!(found, expected);
    }
}

#[test]
fn a_source_that_is_always_late_is_no_longer_silent_when_it_goes_on() {
    let mut scene = Scene::new();
    let mut told = Vec::new();
    let time = |n: i64, hour: &str| {
        let day = at("2026-11-01T00:00:00Z") + chrono::TimeDelta::days(n);
        format!("{}T{hour}:00:00Z", day.format("%Y-%m-%d"))
    };
    // The gateway tells of each day three days later; it tells nothing for a while, twice.
    for n in 0..90 {
        call(&mut scene, "bill", &time(n, "10"));
        if !(20..40).contains(&n) && n < 60 {
            call(&mut scene, "gateway", &time(n - 3, "10"));
        }
        let new = watch_run(&mut scene, false, &time(n, "12"));
        told.extend(new.into_iter().map(|title| format!("{n} {title}")));
    }
    let ends: Vec<&String> = told.iter().filter(|t| t.contains("resolved")).collect();
    assert_eq!(
        ends,
        ["40 resolved info source gateway: resolved, new spend has come in"],
        "{told:?}"
    );
    let last = told.last().unwrap();
    assert!(
        last.contains("firing info nothing has come from the source gateway"),
        "{told:?}"
    );
}

#[test]
fn an_installation_that_never_worked_says_so_and_a_row_dated_ahead_hides_nothing() {
    let mut scene = Scene {
        ledger: MemoryLedger::new(),
        ..Scene::new()
    };
    assert!(watch_run(&mut scene, false, "2026-11-10T12:00:00Z").is_empty());
    assert!(watch_run(&mut scene, false, "2026-11-11T12:00:00Z").is_empty());
    assert_eq!(
        watch_run(&mut scene, false, "2026-11-12T13:00:00Z"),
        ["firing warning no spend has come in since the first run, 49 h ago"]
    );
    call(&mut scene, "bill", "2026-11-13T10:00:00Z");
    assert_eq!(
        watch_run(&mut scene, false, "2026-11-13T12:00:00Z").len(),
        1,
        "resolved"
    );
    call(&mut scene, "bill", "2026-12-31T10:00:00Z");
    assert_eq!(
        watch_run(&mut scene, false, "2026-11-20T12:00:00Z"),
        ["firing warning the newest spend is 7 days old"]
    );
}
