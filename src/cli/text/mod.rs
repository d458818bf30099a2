//! Tables, bars, sparklines and numbers as people read them.

mod number;
mod table;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::domain::screen::shown;

pub use number::{count, counted, money, money_to, tokens};
pub use table::{Align, Column, Cut, GAP, Room, cut, fitted, natural_width, shorten, table};

/// Whether the locale of the environment can show more than ASCII.
#[must_use]
pub fn unicode_locale() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    is_unicode(locale.as_deref())
}

fn is_unicode(locale: Option<&str>) -> bool {
    locale.is_some_and(|text| {
        let text = text.to_ascii_lowercase();
        text.contains("utf-8") || text.contains("utf8")
    })
}

/// The text without anything that a terminal would obey, each with `?` in its place.
#[must_use]
pub fn clean(text: &str) -> String {
    shown(text, '?')
}

/// A cell of a CSV table: what a spreadsheet would run as a formula gets an apostrophe in front. Amounts with their sign stay as they
/// are: nothing but digits and their punctuation is a formula that does no harm.
#[must_use]
pub fn csv_cell(text: &str) -> String {
    let number = |rest: &str| rest.chars().all(|c| c.is_ascii_digit() || " .,%$".contains(c));
    let amount = text.strip_prefix(['+', '-']).is_some_and(number);
    // Apostrophes that stand before such a sign already get one more, so that two names stay two.
    if text
        .trim_start_matches('\'')
        .starts_with(['=', '+', '-', '@', '\t', '\r'])
        && !amount
    {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

const SPARKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_SPARKS: [char; 8] = ['.', ':', '-', '=', '+', '*', '#', '@'];

/// What stands in a line of small bars for what is below zero: they have no room for it.
#[must_use]
pub fn below_zero(unicode: bool) -> char {
    if unicode { '-' } else { 'v' }
}

/// A line of small bars, one per value, scaled to the largest; a blank where there is nothing, a mark where it is less.
#[must_use]
pub fn sparkline(values: &[Decimal], unicode: bool) -> String {
    let max = values.iter().copied().max().unwrap_or_default();
    let steps = if unicode { SPARKS } else { ASCII_SPARKS };
    values
        .iter()
        .map(|value| {
            if *value < Decimal::ZERO {
                return below_zero(unicode);
            }
            if value.is_zero() {
                return ' ';
            }
            // Division may round: this is a picture.
            let level = (*value * Decimal::from(steps.len() - 1)).checked_div(max);
            let level = level.and_then(|level| level.round().to_usize()).unwrap_or(0);
            steps.get(level).copied().unwrap_or(' ')
        })
        .collect()
}

/// A bar of `width` characters that is filled to `part` of `whole`; more than full stays full, and nothing is filled by anything.
#[must_use]
pub fn bar(part: Decimal, whole: Decimal, width: usize, unicode: bool) -> String {
    let (full, empty) = if unicode { ("█", "░") } else { ("#", ".") };
    let filled = (part.max(Decimal::ZERO) * Decimal::from(width))
        .checked_div(whole)
        .map_or(if part > Decimal::ZERO { width } else { 0 }, |cells| {
            cells.round().to_usize().unwrap_or(0)
        })
        .min(width);
    format!("{}{}", full.repeat(filled), empty.repeat(width - filled))
}

/// The text in `color` (an SGR number) where `on`.
#[must_use]
pub fn paint(text: &str, color: u8, on: bool) -> String {
    if on {
        format!("\u{1b}[{color}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn pictures_have_an_ascii_form() {
        let values = ["0", "1", "4", "8"].map(d);
        assert_eq!(sparkline(&values, true), " ▂▅█");
        assert_eq!(sparkline(&values, false), " :+@");
        let credit = ["-9", "0", "4", "8"].map(d);
        assert_eq!(sparkline(&credit, true), "- ▅█");
        assert_eq!(sparkline(&credit, false), "v +@");
        assert_eq!(sparkline(&["-1", "0"].map(d), true), "- ");
        assert_eq!(bar(d("0.5"), d("1"), 4, true), "██░░");
        assert_eq!(bar(d("9"), d("1"), 4, false), "####");
        assert_eq!(bar(d("9"), d("0"), 2, false), "##");
        assert_eq!(bar(d("0"), d("0"), 2, false), "..");
    }

    #[test]
    fn names_cannot_command_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\r\n\u{202e}c\u{9b}d"), "a?[31mb???c?d");
    }

    #[test]
    fn locales_say_whether_they_are_unicode() {
        assert!(is_unicode(Some("en_US.UTF-8")) && is_unicode(Some("C.utf8")));
        assert!(!is_unicode(Some("C")) && !is_unicode(None));
    }
}
