//! Commands for whoever is told: one that shows the figure, and one that stops the reminders.

use chrono::{DateTime, Utc};

use super::status::BudgetStatus;
use crate::domain::alert::Alert;
use crate::domain::budget::BudgetPeriod;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::period::{Calendar, midnight};
use crate::domain::spend::Basis;

/// The report whose total is what is spent; nothing where its days are no whole ones.
pub(super) fn report(status: &BudgetStatus) -> Option<String> {
    let budget = &status.budget;
    let day = |at: DateTime<Utc>| {
        let day = at.with_timezone(&budget.zone).date_naive();
        (midnight(day, budget.zone) == at).then_some(day)
    };
    let (from, to) = (day(status.period.start)?, day(status.period.end)?);
    let by = match budget.period {
        BudgetPeriod::Calendar(Calendar::Day) => "hour",
        BudgetPeriod::Calendar(Calendar::Year) => "month",
        BudgetPeriod::Calendar(_) | BudgetPeriod::Custom(_) => "day",
    };
    let mut command = format!("finops report --by {by} --from {from} --to {to}");
    match budget.basis {
        Basis::Metered => {}
        Basis::Billed => command.push_str(" --basis billed"),
        Basis::Effective => command.push_str(" --basis effective"),
        Basis::BilledFilled => command.push_str(" --basis billed-filled"),
    }
    // Bills count by days of UTC.
    if !matches!(budget.basis, Basis::Billed | Basis::Effective) {
        command.push_str(&format!(" --zone {}", budget.zone.name()));
    }
    let scope = &budget.scope.0;
    let asked = scope.get(&Dimension::Category);
    for (dimension, patterns) in scope.iter().filter(|(dimension, _)| **dimension != Dimension::Category) {
        for pattern in patterns {
            command.push_str(&format!(" --where {}", quoted(&format!("{dimension}={pattern}"))));
        }
    }
    // Beside metered use there is what is agreed, such as seats. Several of one dimension are any of them: of the categories those are
    // named that the scope asks for, too.
    let counts = |category: &&String| {
        let meant = |pattern: &String| Dimension::Category.is_like(pattern, Label::new(category));
        asked.is_none_or(|patterns| patterns.iter().any(meant))
    };
    for category in budget.categories.iter().filter(counts) {
        command.push_str(&format!(" --where {}", quoted(&format!("category={category}"))));
    }
    Some(command)
}

/// The command with which somebody says that they look after it.
pub(super) fn acknowledge(alert: &Alert) -> String {
    format!("finops alert ack {} --for 8h", alert.id)
}

/// One word for a shell.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '=' | '.' | '_' | '-' | '/' | ':' | '@' | '+');
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_stays_one_in_a_shell() {
        assert_eq!(quoted("team=search"), "team=search");
        assert_eq!(quoted("model=claude-*"), "'model=claude-*'");
        assert_eq!(quoted("user=o'neil; rm"), r"'user=o'\''neil; rm'");
    }
}
