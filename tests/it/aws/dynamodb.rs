//! What only the ledger on DynamoDB can do wrong: two writers, crashes between its writes, cost.

use chrono::{DateTime, TimeDelta, Utc};
use finops::adapters::memory::MemoryLedger;
use finops::domain::charge::Charge;
use finops::domain::dimension::Dimension;
use finops::domain::label::Label;
use finops::domain::usage::{Bucket, EventId, Tokens, UsageEvent};
use finops::ports::{Ledger, Pricer, RecordBatch};
use rust_decimal::Decimal;

use super::{create_table, emulators, open};

struct Flat;

impl Pricer for Flat {
    fn price(&self, event: &UsageEvent) -> Charge {
        Charge::priced(
            Decimal::from(event.tokens.total()) * Decimal::new(3, 6),
            Label::new("test/flat"),
        )
    }
}

fn now() -> DateTime<Utc> {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// Calls as a busy team makes them: spread over a month, a few models, teams and agents, odd counts.
fn call(n: u64) -> UsageEvent {
    let mix = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let at = "2026-11-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap()
        + TimeDelta::milliseconds(i64::try_from(mix % (23 * 86_400_000)).unwrap());
    let pick = |names: &[&str], by: u64| Label::new(names[usize::try_from(by % names.len() as u64).unwrap()]);
    let model = pick(
        &["claude-sonnet-4-6", "claude-haiku-4-5", "gpt-5", "gemini-2.5-pro"],
        mix,
    );
    let mut event = UsageEvent::new(EventId::of(&[b"bulk", &n.to_le_bytes()]), at, "p".into(), model);
    event
        .dimensions
        .set(Dimension::Team, pick(&["search", "support", "growth"], mix >> 3));
    event.dimensions.set(
        Dimension::Agent,
        pick(&["planner", "writer", "critic", "router"], mix >> 5),
    );
    event.session = Label::new(&format!("session-{}", n / 40));
    event.tokens = Tokens::default()
        .with(Bucket::InputUncached, mix % 3_001)
        .with(Bucket::CacheRead, (mix >> 7) % 90_001)
        .with(Bucket::Output, (mix >> 13) % 1_501);
    event.rank.line = n % 5_000;
    event
}

fn batch(events: impl IntoIterator<Item = UsageEvent>) -> RecordBatch {
    let mut batch = RecordBatch::default();
    events.into_iter().for_each(|event| batch.events.push(&event));
    batch
}

fn rows(
    ledger: &mut dyn Ledger,
) -> std::collections::BTreeMap<finops::domain::spend::SpendKey, finops::domain::spend::Sums> {
    let always = finops::domain::period::Period::new(
        "2000-01-01T00:00:00Z".parse().unwrap(),
        "2100-01-01T00:00:00Z".parse().unwrap(),
    );
    let mut rows = std::collections::BTreeMap::new();
    ledger
        .spend(always, &mut |key, sums| {
            let slot: &mut finops::domain::spend::Sums = rows.entry(*key).or_default();
            slot.add(sums).unwrap();
        })
        .unwrap();
    rows
}

#[test]
fn a_bulk_load_costs_few_write_units() {
    for emulator in emulators() {
        let table = create_table(emulator);
        let mut ledger = open(emulator, &table, now());
        let events = 100_000;
        for first in (0..events).step_by(50_000) {
            ledger
                .record(&batch((first..first + 50_000).map(call)), &Flat, now())
                .unwrap();
        }
        let meter = ledger.meter();
        let per_thousand = meter.write_units * 1000 / events;
        println!(
            "{}: {meter:?}: {per_thousand} write units per 1,000 calls",
            emulator.name
        );
        assert!(per_thousand <= 38, "{}: {per_thousand}", emulator.name);
        let mut memory = MemoryLedger::new();
        memory.record(&batch((0..events).map(call)), &Flat, now()).unwrap();
        assert_eq!(rows(&mut ledger), rows(&mut memory), "{}", emulator.name);
    }
}

#[test]
fn two_writers_at_once_count_each_call_once() {
    for emulator in emulators() {
        let table = create_table(emulator);
        std::thread::scope(|scope| {
            for writer in 0..3_u64 {
                let table = &table;
                scope.spawn(move || {
                    let mut ledger = open(emulator, table, now());
                    for step in 0..6 {
                        let first = (step + writer * 2) % 6 * 200;
                        ledger
                            .record(&batch((first..first + 200).map(call)), &Flat, now())
                            .unwrap();
                    }
                });
            }
        });
        let mut memory = MemoryLedger::new();
        memory.record(&batch((0..1200).map(call)), &Flat, now()).unwrap();
        assert_eq!(
            rows(&mut open(emulator, &table, now())),
            rows(&mut memory),
            "{}",
            emulator.name
        );
    }
}

#[test]
fn many_small_batches_are_merged_and_stay_exact() {
    for emulator in emulators() {
        let table = create_table(emulator);
        let mut memory = MemoryLedger::new();
        let mut ledger = open(emulator, &table, now());
        for step in 0..40_u64 {
            // Overlapping batches, some calls better than before.
            let calls = (step * 30..step * 30 + 60).map(|n| {
                let mut event = call(n % 900);
                event.rank.line = step;
                event.tokens.set(Bucket::Output, step + n % 7);
                event
            });
            let calls = batch(calls);
            let later = now() + TimeDelta::hours(i64::try_from(step).unwrap());
            if step % 10 == 9 {
                // A fresh handle: nothing may live only in the handle.
                ledger = open(emulator, &table, later);
            }
            let (a, b) = (
                ledger.record(&calls, &Flat, later).unwrap(),
                memory.record(&calls, &Flat, later).unwrap(),
            );
            assert_eq!(
                (a.recorded, a.duplicates, a.cost),
                (b.recorded, b.duplicates, b.cost),
                "step {step}"
            );
        }
        assert_eq!(rows(&mut ledger), rows(&mut memory), "{}", emulator.name);
        for n in (0..900).step_by(61) {
            let id = call(n).id;
            assert_eq!(ledger.event(id).unwrap(), memory.event(id).unwrap());
        }
    }
}
