//! Calls above calls of several models, in every order.

use super::*;

#[test]
fn a_call_above_calls_of_several_models_is_a_view_of_any_of_them_in_any_order() {
    let (mini, same) = (answer(2, "mini", 200), answer(3, "m", 100));
    for upper in [300, 90, 50] {
        let upper = answer(1, "m", upper);
        always(
            &[(1, 0, Ok(upper)), (2, 1, Ok(mini)), (3, 1, Ok(same))],
            &[(2, 200), (3, 100)],
        );
        let between = (4, 1, Err(false));
        always(
            &[(1, 0, Ok(upper)), between, (2, 4, Ok(mini)), (3, 4, Ok(same))],
            &[(2, 200), (3, 100)],
        );
        // One below the other.
        always(
            &[(1, 0, Ok(upper)), (2, 1, Ok(mini)), (3, 2, Ok(same))],
            &[(2, 200), (3, 100)],
        );
    }
    let other = answer(1, "other", 300);
    let all = [(1, 300), (2, 200), (3, 100)];
    always(&[(1, 0, Ok(other)), (2, 1, Ok(mini)), (3, 1, Ok(same))], &all);
    // What a tool asks is no view of what was asked above it.
    let upper = answer(1, "m", 300);
    let tool = (4, 1, Err(true));
    always(&[(1, 0, Ok(upper)), tool, (2, 4, Ok(mini)), (3, 4, Ok(same))], &all);
    // Delivered again.
    let spans = [(1, 0, Ok(upper)), (2, 1, Ok(mini)), (3, 1, Ok(same))];
    for runs in [false, true] {
        let seen = spend(&spans, &[2, 1, 0, 0, 1, 2, 0], runs);
        assert_eq!(seen.iter().map(|(id, _, _)| *id).collect::<Vec<_>>(), [2, 3]);
    }
}

#[test]
fn what_counts_of_a_tree_of_calls_of_three_models_depends_on_no_order() {
    for seed in 1..400_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut next = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let spans: Vec<_> = (1..=5_u8)
            .map(|n| {
                let parent = if n == 1 { 0 } else { 1 + next(u64::from(n) - 1) };
                let what = match next(6) {
                    0 => Err(next(2) == 0),
                    // No two answers are of one length.
                    _ => Ok(answer(
                        n,
                        ["a", "b", "c"][usize::try_from(next(3)).unwrap()],
                        100 * (1 + next(5)) + u64::from(n),
                    )),
                };
                (u64::from(n), parent, what)
            })
            .collect();
        let expected: Vec<_> = spend(&spans, &[0, 1, 2, 3, 4], false);
        for order in orders(5).iter().step_by(7) {
            for runs in [false, true] {
                let about = || {
                    let of = |what: &Result<UsageEvent, bool>| match what {
                        Ok(call) => format!("{} {}", call.model(), call.tokens.total()),
                        Err(tool) => format!("tool {tool}"),
                    };
                    let spans: Vec<_> = spans
                        .iter()
                        .map(|(key, parent, what)| format!("{key} below {parent}: {}", of(what)))
                        .collect();
                    format!("seed {seed}, {order:?}, runs: {runs}, {spans:?}")
                };
                assert_eq!(spend(&spans, order, runs), expected, "{}", about());
            }
        }
    }
}
