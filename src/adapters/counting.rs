//! What ledgers hand over of the calls that they keep.

use std::ops::ControlFlow;

use crate::domain::charge::Charge;
use crate::domain::usage::UsageEvent;

/// Passes over calls that were taken back: they are kept, so that they do not come again, and count as none in any sum.
pub(super) fn counting(
    visit: &mut dyn FnMut(&UsageEvent, &Charge) -> ControlFlow<()>,
) -> impl FnMut(&UsageEvent, &Charge) -> ControlFlow<()> {
    move |event, charge| match event.is_taken_back() {
        true => ControlFlow::Continue(()),
        false => visit(event, charge),
    }
}
