//! Sorting numbers whose first bits are spread evenly over a known range.

/// Items below which a plain sort is as fast.
const FEW: usize = 512;

/// Sorts by value; `spare` is memory to use. `place` gives the bucket of a value out of so many, which must not fall when values rise.
pub fn sort_spread(values: &mut Vec<u128>, spare: &mut Vec<u128>, place: impl Fn(u128, usize) -> usize) {
    // As many buckets as values, counted in 32 bits.
    let buckets = values.len();
    if buckets < FEW || u32::try_from(buckets).is_err() {
        values.sort_unstable();
        return;
    }
    let mut ends = vec![0_u32; buckets + 1];
    let bucket = |value: u128| place(value, buckets).min(buckets - 1);
    for value in values.iter() {
        if let Some(count) = ends.get_mut(bucket(*value) + 1) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for end in &mut ends {
        sum += *end;
        *end = sum;
    }
    spare.clear();
    spare.resize(buckets, 0);
    for value in values.iter() {
        let Some(next) = ends.get_mut(bucket(*value)) else {
            continue;
        };
        if let Some(slot) = spare.get_mut(*next as usize) {
            *slot = *value;
        }
        *next += 1;
    }
    std::mem::swap(values, spare);
    finish(values);
}

/// Sorts what is nearly sorted: only the few that share a bucket may be in a wrong order.
fn finish(values: &mut [u128]) {
    let mut before = 0;
    for end in 0..values.len() {
        let Some(value) = values.get(end).copied() else { return };
        if value >= before {
            before = value;
            continue;
        }
        // Those that are larger go one place up.
        let mut place = end;
        while let Some([lesser, slot]) = place.checked_sub(1).and_then(|from| values.get_mut(from..=place)) {
            if *lesser <= value {
                break;
            }
            std::mem::swap(lesser, slot);
            place -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_sorts(mut values in prop::collection::vec(any::<u128>(), 0..3000), narrow in any::<bool>()) {
            if narrow {
                values.iter_mut().for_each(|v| *v %= 1000);
            }
            let mut expected = values.clone();
            expected.sort_unstable();
            sort_spread(&mut values, &mut Vec::new(), |value, buckets| usize::try_from(((value >> 64) * buckets as u128) >> 64).unwrap());
            prop_assert_eq!(values, expected);
        }
    }
}
