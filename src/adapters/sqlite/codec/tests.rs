//! Packed calls and rows against what they were made of.

use std::collections::HashMap;

use chrono::DateTime;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::domain::charge::{Charge, UnpricedReason};
use crate::domain::period::Hour;
use crate::domain::spend::{SpendKey, SpendRows, Sums, metered_key};
use crate::domain::usage::{EventId, Tokens, UsageEvent};

use super::call::put_tokens;

/// A name table that gives out numbers as names come, and has them at hand.
#[derive(Default)]
struct Table(Vec<Label>, HashMap<Label, u64>, Vec<u64>);

impl Names for Table {
    type Error = Broken;
    fn known(&self, label: Label) -> u64 {
        match label {
            Label::EMPTY => 0,
            label => self.1.get(&label).copied().unwrap_or(UNKNOWN),
        }
    }
    fn first(&self) -> &[u64] {
        &self.2
    }
    fn number(&mut self, label: Label) -> Result<u64, Broken> {
        if self.known(label) == UNKNOWN {
            self.0.push(label);
            self.1.insert(label, self.0.len() as u64);
            self.2.resize(self.2.len().max(label.index() + 1), UNKNOWN);
            self.2[0] = 0;
            self.2[label.index()] = self.0.len() as u64;
        }
        Ok(self.known(label))
    }
    fn label(&mut self, number: u64) -> Result<Label, Broken> {
        match number {
            0 => Ok(Label::EMPTY),
            n => self.0.get(n as usize - 1).copied().ok_or(Broken),
        }
    }
}

/// A table whose numbers take up to five bytes, or one, so that what tells rows apart may not fit into one number.
struct Spread(bool);

impl Spread {
    const NAMES: [(&str, u64); 5] = [
        ("", 0),
        ("packed-a", 1),
        ("packed-b", 0x1234_5678),
        ("packed-c", 9 << 32),
        ("Usage", 77),
    ];
}

impl Names for Spread {
    type Error = Broken;
    fn known(&self, label: Label) -> u64 {
        let place = Self::NAMES
            .iter()
            .position(|(name, _)| *name == label.as_str())
            .unwrap();
        if self.0 { Self::NAMES[place].1 } else { place as u64 }
    }
    fn number(&mut self, label: Label) -> Result<u64, Broken> {
        Ok(self.known(label))
    }
    fn label(&mut self, number: u64) -> Result<Label, Broken> {
        let names = Self::NAMES.map(|(name, _)| Label::new(name));
        names.into_iter().find(|name| self.known(*name) == number).ok_or(Broken)
    }
}

/// A table that is full.
struct Full;

impl Names for Full {
    type Error = Broken;
    fn known(&self, _: Label) -> u64 {
        UNKNOWN
    }
    fn number(&mut self, _: Label) -> Result<u64, Broken> {
        Err(Broken)
    }
    fn label(&mut self, _: u64) -> Result<Label, Broken> {
        Ok(Label::EMPTY)
    }
}

/// Mostly nothing, so that columns come and go from one call to the next.
fn count() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0), 2 => 0..300_u64, 1 => any::<u64>().prop_map(|n| n >> 2), 1 => Just(u64::MAX)]
}

fn label() -> impl Strategy<Value = Label> {
    prop_oneof![3 => Just(""), 1 => Just("packed-a"), 1 => Just("packed-b"), 1 => Just("packed-c")]
        .prop_map(Label::from)
}

fn amount() -> impl Strategy<Value = Decimal> {
    let digits = prop_oneof![
        Just(0),
        -1000..1000_i128,
        any::<i64>().prop_map(i128::from),
        (0..1_i128 << 95)
    ];
    (digits, 0..20_u32).prop_map(|(digits, scale)| Decimal::from_i128_with_scale(digits, scale))
}

fn charged() -> impl Strategy<Value = (UsageEvent, Charge)> {
    let labels = prop::collection::vec(label(), Dimension::ALL.len() + 4);
    let counts = prop::collection::vec(count(), Bucket::ALL.len());
    let times = (
        -2_000_000_000_000_000..4_000_000_000_000_000_i64,
        prop_oneof![Just(0), -9_000_000_000..9_000_000_000_i64],
    );
    let requests = prop_oneof![3 => Just([0; 4]), 1 => any::<[u32; 4]>()];
    let cost = (
        amount(),
        prop::option::weighted(0.2, amount()),
        prop::option::weighted(0.2, 0..UnpricedReason::ALL.len()),
    );
    (
        any::<[u8; 16]>(),
        labels,
        counts,
        times,
        requests,
        cost,
        any::<(u8, u16, bool, bool)>(),
    )
        .prop_map(
            |(
                id,
                labels,
                counts,
                (micros, offset),
                requests,
                (cost, reported, reason),
                (authority, line, one, two),
            )| {
                let at = |micros| DateTime::from_timestamp_micros(micros).unwrap();
                let mut event = UsageEvent::new(EventId(id), at(micros), Label::EMPTY, Label::EMPTY);
                let mut labels = labels.into_iter();
                Dimension::ALL
                    .into_iter()
                    .zip(&mut labels)
                    .for_each(|(d, label)| event.dimensions.set(d, label));
                [event.session, event.speed, event.geo, event.extras] = std::array::from_fn(|_| labels.next().unwrap());
                Bucket::ALL
                    .into_iter()
                    .zip(counts)
                    .for_each(|(b, n)| event.tokens.set(b, n));
                event.tokens.reasoning = event.tokens.get(Bucket::Output) / 2;
                let [searches, fetches, executions, files] = requests;
                event.requests.web_searches = searches;
                event.requests.web_fetches = fetches;
                event.requests.code_executions = executions;
                event.requests.file_searches = files;
                event.rank.at = at(micros + offset);
                event.rank.authority = authority;
                event.rank.line = u64::from(line);
                (event.sidechain, event.rank.complete) = (one, two);
                event.reported_cost = reported;
                let charge = match reason {
                    Some(reason) => Charge::unpriced(UnpricedReason::ALL[reason], cost),
                    None => Charge::priced(cost, "packed-entry".into()),
                };
                (event, charge)
            },
        )
}

fn refs(calls: &[(UsageEvent, Charge)]) -> Vec<Charged<'_>> {
    calls.iter().map(|(event, charge)| (event, *charge)).collect()
}

fn unpacked(calls: &mut Calls, names: &mut Table) -> Vec<(UsageEvent, Charge)> {
    let mut body = Vec::new();
    calls.put(&mut body);
    let packed = PackedCalls::parse(&body).unwrap();
    (0..packed.ids().len())
        .map(|row| packed.get(row, names).unwrap())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn calls_come_back_however_they_were_added(
        calls in prop::collection::vec(charged(), 1..40), cut in 0..40_usize, again in 0..40_usize, other in charged(),
    ) {
        let (mut names, mut packed) = (Table::default(), Calls::default());
        let (first, second) = calls.split_at(cut.min(calls.len()));
        // What was there before leaves nothing behind.
        packed.extend(&refs(&[other]), &mut names).unwrap();
        prop_assert!(packed.extend(&refs(&calls), &mut Full).is_err() || calls.iter().all(|(e, _)| e.dimensions == Dimensions::default()));
        packed.clear();
        packed.extend(&refs(first), &mut names).unwrap();
        packed.extend(&refs(second), &mut names).unwrap();
        prop_assert_eq!(unpacked(&mut packed, &mut names), calls.clone());

        let mut body = Vec::new();
        packed.put(&mut body);
        let mut resumed = Calls::default();
        resumed.resume(&PackedCalls::parse(&body).unwrap());
        resumed.extend(&refs(first), &mut names).unwrap();
        let place = again.min(calls.len() - 1);
        let better = UsageEvent { id: calls[place].0.id, ..other.0 };
        resumed.replace(place, &better, &other.1, &mut names).unwrap();
        let mut expected = [&calls[..], first].concat();
        expected[place] = (better, other.1);
        prop_assert_eq!(unpacked(&mut resumed, &mut names), expected);
    }

    #[test]
    fn rows_of_calls_are_those_of_their_sums(calls in prop::collection::vec(charged(), 1..40), plain in any::<bool>()) {
        let mut calls = calls;
        if plain {
            for (event, charge) in &mut calls {
                event.requests = Default::default();
                event.reported_cost = None;
                event.tokens = Tokens::default().with(Bucket::Output, event.tokens.get(Bucket::Output) >> 3);
                *charge = Charge::priced(Decimal::new(charge.cost.mantissa() as i64, charge.cost.scale()), "packed-entry".into());
            }
        }
        let mut names = Table::default();
        let rows = |rows: &mut Rows, names: &mut Table| -> (Vec<(SpendKey, Sums)>, Vec<u8>) {
            let mut body = Vec::new();
            rows.put(&mut body);
            let packed = PackedRows::parse(&body).unwrap();
            ((0..packed.len()).map(|row| packed.get(row, Hour(0), names).unwrap()).collect(), body)
        };
        let mut together = Rows::default();
        let usual: Vec<_> = calls.iter().filter_map(|(event, charge)| PlainRow::of(event, charge)).collect();
        together.extend(&usual, &mut names).unwrap();
        let mut one_by_one = Rows::default();
        for (event, charge) in calls.iter().filter(|(event, charge)| PlainRow::of(event, charge).is_some()) {
            one_by_one.push(&metered_key(event), &Sums::of(event, charge), &mut names).unwrap();
        }
        prop_assert_eq!(rows(&mut together, &mut names), rows(&mut one_by_one, &mut names));
    }

    #[test]
    fn rows_are_summed_by_column_as_one_by_one(
        calls in prop::collection::vec(charged(), 1..60), many in prop::bool::ANY, wanted in 0..1_u16 << Dimension::ALL.len(),
    ) {
        let wanted = |d: Dimension| wanted >> d as usize & 1 != 0;
        let mut rows = Rows::default();
        let mut names = Spread(many);
        for (event, charge) in &calls {
            let mut sums = Sums::of(event, charge);
            for cost in [&mut sums.cost, &mut sums.reported_cost, &mut sums.unpriced_worst_case] {
                *cost = Decimal::from_i128_with_scale(cost.mantissa() >> 40, cost.scale().min(9));
            }
            rows.push(&metered_key(event), &sums, &mut names).unwrap();
        }
        let mut body = Vec::new();
        rows.put(&mut body);
        let packed = PackedRows::parse(&body).unwrap();
        let mut expected: HashMap<(SpendKey, bool), Sums> = HashMap::new();
        for row in 0..packed.len() {
            let (mut key, sums) = packed.get(row, Hour(0), &mut names).unwrap();
            Dimension::ALL.into_iter().filter(|d| !wanted(*d)).for_each(|d| key.dimensions.set(d, Label::EMPTY));
            expected.entry((key, sums.requests[0] != 0)).or_default().add(&sums).map_err(|_| TestCaseError::reject("too many digits"))?;
        }
        let (mut found, mut memory): (HashMap<(SpendKey, bool), Sums>, _) = (HashMap::new(), Summing::default());
        // What was summed before leaves nothing behind.
        for _ in 0..2 {
            found.clear();
            packed.summed(Hour(0), wanted, &mut names, &mut memory, |key, sums| {
                let slot = found.entry((key, sums.requests[0] != 0)).or_default();
                slot.add(&sums).map_err(|_| Broken)
            }).unwrap();
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn rows_of_a_bill_are_packed_as_one_by_one(calls in prop::collection::vec(charged(), 1..40), second in 0..40_usize) {
        let calls = calls.iter().map(|(event, charge)| {
            let key = SpendKey { hour: Hour(7), ..metered_key(event) };
            (key, Sums::of(event, charge))
        });
        let all: SpendRows = calls.collect();
        let mut names = Table::default();
        let (mut together, mut one_by_one) = (Rows::default(), Rows::default());
        // Behind rows that are there.
        for (key, sums) in all.iter().take(second) {
            together.push(&key, &sums, &mut names).unwrap();
            one_by_one.push(&key, &sums, &mut names).unwrap();
        }
        for hour in all.hours() {
            together.extend_from(hour, &mut names).unwrap();
        }
        for (key, sums) in all.iter() {
            one_by_one.push(&key, &sums, &mut names).unwrap();
        }
        let bytes = [&mut together, &mut one_by_one].map(|rows| {
            let mut body = Vec::new();
            rows.put(&mut body);
            body
        });
        prop_assert_eq!(&bytes[0], &bytes[1]);
        let packed = PackedRows::parse(&bytes[0]).unwrap();
        let back = (0..packed.len()).map(|row| packed.get(row, Hour(7), &mut names).unwrap());
        prop_assert!(back.skip(second.min(all.len())).eq(all.iter()));
        for hour in all.hours() {
            let given = all.iter().any(|(key, _)| key.dimensions != Default::default());
            prop_assert_eq!(together.extend_from(hour, &mut Full).is_err(), given);
        }
    }
}

/// A table without names.
struct Nameless;
impl Names for Nameless {
    type Error = Broken;
    fn known(&self, _: Label) -> u64 {
        UNKNOWN
    }
    fn number(&mut self, _: Label) -> Result<u64, Broken> {
        Ok(0)
    }
    fn label(&mut self, _: u64) -> Result<Label, Broken> {
        Ok(Label::EMPTY)
    }
}

#[test]
fn tokens_of_a_call_are_packed_as_sums_are() {
    for counts in [[0; 7], [1, 0, 300, 0, 0, u64::MAX, 127], [u64::MAX / 2; 7]] {
        let mut tokens = Tokens::default();
        Bucket::TEXT.into_iter().zip(counts).for_each(|(b, n)| tokens.set(b, n));
        tokens.reasoning = counts[6];
        let (mut short, mut long) = (Vec::new(), Vec::new());
        put_tokens(&mut short, &tokens);
        put_counts(&mut long, counts.into_iter().map(i128::from), i128::from(counts[6]));
        assert_eq!(short, long);
    }
}

proptest! {
    #[test]
    fn numbers_come_back(value in any::<i128>(), small in any::<u64>(), mantissa in any::<i64>(), scale in 0_u32..28) {
        let mut out = Vec::new();
        put_signed(&mut out, value);
        put(&mut out, u128::from(small));
        put_decimal(&mut out, Decimal::new(mantissa, scale));
        let mut from = Reader(&out);
        prop_assert_eq!(from.signed().unwrap(), value);
        prop_assert_eq!(from.u64().unwrap(), small);
        prop_assert_eq!(from.decimal().unwrap(), Decimal::new(mantissa, scale));
        prop_assert!(from.done());
    }

    #[test]
    fn hostile_bytes_are_an_error_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(get_event(&mut Reader(&bytes), &mut Nameless));
        drop(get_spend(&mut Reader(&bytes), Hour(0), &mut Nameless));
    }
}
