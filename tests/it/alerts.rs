//! Budgets, forecasts and alerts: tables, properties and the seeded simulation.
