//! Evaluates budgets and moves alerts.
