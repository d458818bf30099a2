//! Observations of a call that differ in nothing that may be taken over: what most that come again are.

use std::cmp::Ordering;

use super::super::{Extras, UsageEvent};
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;

impl UsageEvent {
    /// Whether two differ in nothing that may be taken over, nor in whose they are.
    pub(super) fn agrees(&self, other: &UsageEvent) -> bool {
        self.dimensions == other.dimensions
            && (self.session, self.sidechain) == (other.session, other.sidechain)
            && (self.speed, self.geo) == (other.speed, other.geo)
            && self.reported_cost == other.reported_cost
            && self.is_part() == other.is_part()
    }

    /// Takes up another observation of the same call, one of a source, if both agree in all that may be taken over. Nothing is to be kept
    /// beside the call then, and nothing is moved but what counts of it.
    pub(in super::super) fn take_up(&mut self, other: &UsageEvent, source: Label) -> bool {
        let mut dimensions = other.dimensions;
        dimensions.set(Dimension::Source, source);
        let agree = self.dimensions.are(&dimensions)
            && (self.session, self.sidechain) == (other.session, other.sidechain)
            && (self.speed, self.geo) == (other.speed, other.geo)
            && self.reported_cost.is_none()
            && other.reported_cost.is_none()
            && self.is_part() == other.is_part();
        if !agree {
            return false;
        }
        let order = self.usage_order(other);
        (self.requests, self.extras) = match (self.is_part(), order) {
            (true, _) => (
                self.requests.most(other.requests),
                Extras::most(self.extras, other.extras),
            ),
            (false, Ordering::Less) => (other.requests, other.extras),
            (false, Ordering::Equal | Ordering::Greater) => (self.requests, self.extras),
        };
        self.at = self.at.min(other.at);
        match order {
            Ordering::Less => (self.tokens, self.rank) = (other.finer(self), other.rank),
            Ordering::Equal | Ordering::Greater => self.tokens = self.finer(other),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::arbitrary;
    use super::super::{Observed, joined};
    use super::*;

    proptest! {
        /// Whoever agrees with whom: what a batch makes of both in place is what is made of both apart.
        #[test]
        fn what_is_taken_up_is_what_is_joined(a in arbitrary(), b in arbitrary(), alike in prop::bool::weighted(0.7), named in any::<bool>()) {
            let (mut a, mut b, source) = (a, b, Label::new("a source"));
            a.dimensions.set(Dimension::Source, source);
            if alike {
                a.reported_cost = None;
                (b.session, b.sidechain, b.speed, b.geo) = (a.session, a.sidechain, a.speed, a.geo);
                (b.dimensions, b.reported_cost) = (a.dimensions, None);
            }
            b.dimensions.set(Dimension::Source, if named { source } else { Label::EMPTY });
            let mut call = a;
            let taken = call.take_up(&b, source);
            b.dimensions.set(Dimension::Source, source);
            let (expected, beside) = joined(Observed::alone(&a), Observed::alone(&b), false);
            match taken {
                true => {
                    prop_assert_eq!(call, expected);
                    prop_assert!(beside.is_none());
                }
                false => prop_assert_eq!(call, a),
            }
            prop_assert!(taken || !alike || a.is_part() != b.is_part());
        }
    }
}
