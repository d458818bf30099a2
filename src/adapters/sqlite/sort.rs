//! Sorting numbers whose first bits are spread evenly over a known range.

/// Items below which a plain sort is as fast.
const FEW: usize = 512;
/// Items of a bucket on average.
const BUCKET: usize = 32;

/// Sorts by value; `spare` is memory to use. `place` gives the bucket, out of the number given to it, of a value; it must not fall when values rise.
pub fn sort_spread(values: &mut Vec<u128>, spare: &mut Vec<u128>, place: impl Fn(u128, usize) -> usize) {
    if values.len() < FEW {
        values.sort_unstable();
        return;
    }
    let buckets = values.len() / BUCKET;
    // Counting sort by bucket, then each bucket by itself: close to linear, where comparing everything is not.
    let mut ends = vec![0_usize; buckets + 1];
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
    spare.resize(values.len(), 0);
    for value in values.iter() {
        let Some(next) = ends.get_mut(bucket(*value)) else {
            continue;
        };
        if let Some(slot) = spare.get_mut(*next) {
            *slot = *value;
        }
        *next += 1;
    }
    // Each entry has moved on to where its bucket ends.
    let mut rest = spare.as_mut_slice();
    let mut start = 0;
    for end in ends.iter().take(buckets) {
        let Some((bucket, later)) = std::mem::take(&mut rest).split_at_mut_checked(end - start) else {
            break;
        };
        bucket.sort_unstable();
        rest = later;
        start = *end;
    }
    std::mem::swap(values, spare);
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
