//! How much memory the bodies of all connections may take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Memory for bodies, shared by all connections.
pub(super) struct Budget {
    free: AtomicUsize,
}

/// Memory taken from the budget; given back when dropped.
pub(super) struct Taken {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// So many bytes.
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Budget {
            free: AtomicUsize::new(bytes),
        })
    }

    /// Nothing, to be grown.
    pub fn nothing(self: &Arc<Self>) -> Taken {
        Taken {
            budget: Arc::clone(self),
            bytes: 0,
        }
    }
}

impl Taken {
    /// Takes more; whether there was enough.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let free = &self.budget.free;
        let taken = free.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(bytes));
        if taken.is_ok() {
            self.bytes += bytes;
        }
        taken.is_ok()
    }

    /// Gives some of it back.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.free.fetch_add(bytes, Ordering::AcqRel);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.budget.free.fetch_add(self.bytes, Ordering::AcqRel);
    }
}
