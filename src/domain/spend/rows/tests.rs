//! Rows side by side against the rows that they were made of.

use proptest::prelude::*;

use super::*;
use crate::domain::dimension::Dimension;

/// Mostly nothing, as in bills; then of any size.
fn number() -> impl Strategy<Value = i128> {
    prop_oneof![6 => Just(0), 2 => -3_i128..300, 1 => any::<i64>().prop_map(i128::from), 1 => any::<i128>()]
}

fn decimal() -> impl Strategy<Value = Decimal> {
    (number(), 0_u32..=28).prop_map(|(digits, scale)| {
        Decimal::try_from_i128_with_scale(digits, scale).unwrap_or_else(|_| Decimal::new(digits as i64, scale))
    })
}

fn row() -> impl Strategy<Value = (SpendKey, Sums)> {
    let key = (
        any::<i8>(),
        0..4_usize,
        prop::sample::select(vec!["USD", "EUR"]),
        0..4_u8,
        0..3_u8,
    );
    let key = key.prop_map(|(hour, basis, currency, model, team)| SpendKey {
        hour: Hour(i64::from(hour)),
        basis: Basis::ALL[basis],
        currency: currency.parse().unwrap(),
        dimensions: Dimensions::default()
            .with(Dimension::Model, &"m".repeat(usize::from(model)))
            .with(Dimension::Team, &"t".repeat(usize::from(team))),
    });
    let counts = prop::collection::vec(number(), Bucket::ALL.len() + 2);
    let small = [number(), number(), number(), number(), number(), number()];
    let sums = (counts, small, [decimal(), decimal(), decimal()]).prop_map(|(counts, small, costs)| {
        let [events, unpriced_events, requests @ ..] = small.map(|n| n as i64);
        let [cost, reported_cost, unpriced_worst_case] = costs;
        let mut sums = Sums {
            events,
            requests,
            cost,
            reported_cost,
            unpriced_events,
            unpriced_tokens: counts[Bucket::ALL.len()],
            unpriced_worst_case,
            ..Sums::default()
        };
        sums.tokens.reasoning = counts[Bucket::ALL.len() + 1];
        Bucket::ALL
            .into_iter()
            .zip(&counts)
            .for_each(|(b, n)| sums.tokens.set(b, *n));
        sums
    });
    (key, sums)
}

proptest! {
    #[test]
    fn what_comes_out_is_what_was_put_in(rows in prop::collection::vec(row(), 0..40), cut in 0..40_usize) {
        let mut packed: SpendRows = rows.iter().take(cut).copied().collect();
        packed.extend(rows.iter().skip(cut).copied());
        let mut pushed = SpendRows::default();
        rows.iter().for_each(|(key, sums)| pushed.push(key, sums));
        prop_assert_eq!(&pushed, &packed);
        let mut expected = rows;
        expected.sort_by_key(|(key, _)| key.hour);
        prop_assert_eq!(packed.len(), expected.len());
        prop_assert_eq!(packed.is_empty(), expected.is_empty());
        // Scales too, which comparing does not see.
        let told = |rows: &[(SpendKey, Sums)]| format!("{rows:?}");
        prop_assert_eq!(told(&packed.iter().collect::<Vec<_>>()), told(&expected));
        let by_hour: Vec<_> = packed.hours().flat_map(HourRows::iter).collect();
        prop_assert_eq!(&by_hour, &expected);
        for (one, other) in packed.hours().zip(packed.hours().skip(1)) {
            prop_assert!(one.hour() < other.hour());
            prop_assert!(one.iter().all(|(key, _)| Some(key.hour) == one.hour()));
        }
        for (row, (key, sums)) in packed.hours().flat_map(HourRows::packed).zip(&expected) {
            let same = (row.basis(), row.currency(), row.dimensions()) == (key.basis, key.currency, &key.dimensions);
            prop_assert!(same && row.is_empty() == sums.is_empty());
            let (events, digits, scale) = row.few();
            let few = Sums {
                events: events.into(),
                cost: Decimal::new(digits, scale.into()),
                ..Sums::default()
            };
            prop_assert!(row.has_more() || few == *sums);
        }
    }
}

#[test]
fn a_row_is_small() {
    assert!(size_of::<Row>() <= 40 && size_of::<Further>() <= 32);
}
