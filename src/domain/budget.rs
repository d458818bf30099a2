//! Budgets: what may be spent, by whom, until when.
