//! Aligned tables that fit the terminal.

use std::collections::HashMap;

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a column's cells are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its header.
    pub header: String,
    /// How its cells are placed.
    pub align: Align,
    /// Which columns go first when the terminal is narrow: the greatest number; 0 never goes.
    pub drop_order: u8,
    /// Whether and how its cells may be cut.
    pub cut: Cut,
}

/// What a cell that is too long loses, in favour of an ellipsis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nothing.
    Never,
    /// What is in its first half: paths, ARNs and models differ at their end.
    Name,
    /// What is in its middle: who stands at the beginning, what happened at the end.
    Sentence,
}

impl Cut {
    /// Width that is kept by dropping other columns.
    fn good(self) -> usize {
        match self {
            Cut::Never => usize::MAX,
            Cut::Name => 26,
            Cut::Sentence => 32,
        }
    }
}

/// The columns of the terminal that a table may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// How many.
    pub width: usize,
    /// Whether what is wider is cut. Where nobody asked for a width (a pipe, a file, the log of a job), whole names count for more than
    /// lines that are not broken.
    pub cut: bool,
}

impl Room {
    /// Where there is no terminal, and nobody says how wide it is.
    pub const UNASKED: Room = Room { width: 120, cut: false };

    /// As many as it takes.
    pub const ANY: Room = Room {
        width: usize::MAX,
        cut: false,
    };
}

/// Narrowest column of names after cutting, where nothing else can give way.
const MIN_NAME: usize = 8;

/// Spaces between columns.
pub const GAP: usize = 2;

/// Columns of the terminal that a table takes when nothing is cut or dropped.
#[must_use]
pub fn natural_width(columns: &[Column], rows: &[Vec<String>]) -> usize {
    let widths = measured(columns, rows);
    widths.iter().map(|(_, width)| width).sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

fn measured(columns: &[Column], rows: &[Vec<String>]) -> Vec<(usize, usize)> {
    let measure = |(index, column): (usize, &Column)| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.width());
        (index, cells.max().unwrap_or(0).max(column.header.width()))
    };
    columns.iter().enumerate().map(measure).collect()
}

/// Draws rows under headers within the room that there is: drops columns that may go, then cuts names.
/// A line is drawn before the last `footer` rows.
#[must_use]
pub fn table(columns: &[Column], rows: &[Vec<String>], footer: usize, room: Room, unicode: bool) -> String {
    draw(columns, rows, &fitted(columns, rows, room), footer, unicode)
}

/// Which columns are kept, and how wide each is.
type Kept = Vec<(usize, usize)>;

/// Which columns fit into the room, and how wide each may be.
#[must_use]
pub fn fitted(columns: &[Column], rows: &[Vec<String>], room: Room) -> Kept {
    let mut kept = measured(columns, rows);
    while needed(columns, &kept, true) > room.width && drop_one(columns, &mut kept) {}
    if !room.cut {
        return kept;
    }
    let first = narrowed(columns, kept.clone(), room.width);
    let mut fitted = first.clone();
    // Figures give way to what tells rows apart; where that is not enough they stay.
    while !tells_apart(columns, rows, &fitted) {
        if !drop_one(columns, &mut kept) {
            return first;
        }
        fitted = narrowed(columns, kept.clone(), room.width);
    }
    fitted
}

/// Columns of the terminal that these take, with names as wide as they are or as is good enough.
fn needed(columns: &[Column], kept: &[(usize, usize)], good: bool) -> usize {
    let widths = kept.iter().map(|&(index, width)| match columns.get(index) {
        Some(column) if good => width.min(column.cut.good()),
        _ => width,
    });
    widths.sum::<usize>() + GAP * kept.len().saturating_sub(1)
}

/// Drops the column that goes next, if there is one.
fn drop_one(columns: &[Column], kept: &mut Kept) -> bool {
    let orders = kept.iter().enumerate();
    let next = orders.filter_map(|(at, &(index, _))| columns.get(index).map(|c| (c.drop_order, at)));
    match next.max() {
        Some((order, at)) if order > 0 => {
            kept.remove(at);
            true
        }
        _ => false,
    }
}

/// With names that are so narrow that all fits; the widest gives way first.
fn narrowed(columns: &[Column], mut kept: Kept, width: usize) -> Kept {
    while needed(columns, &kept, false) > width {
        let may = |index: usize| columns.get(index).is_some_and(|c| c.cut != Cut::Never);
        let widest = kept
            .iter_mut()
            .filter(|(index, width)| *width > MIN_NAME && may(*index))
            .max_by_key(|(_, width)| *width);
        match widest {
            Some((_, width)) => *width -= 1,
            None => break,
        }
    }
    kept
}

/// Whether no two rows of different names look the same.
fn tells_apart(columns: &[Column], rows: &[Vec<String>], kept: &[(usize, usize)]) -> bool {
    let names = columns.iter().enumerate().filter(|(_, c)| c.align == Align::Left);
    let names: Vec<usize> = names
        .filter(|(_, c)| c.drop_order == 0 || c.cut != Cut::Never)
        .map(|(at, _)| at)
        .collect();
    let mut seen: HashMap<Vec<String>, Vec<&str>> = HashMap::new();
    rows.iter().all(|row| {
        let cell = |at: usize| row.get(at).map_or("", String::as_str);
        let shown = kept.iter().filter(|(at, _)| names.contains(at));
        let shown: Vec<String> = shown
            .map(|&(at, width)| shorten(cell(at), width, true, cut(columns, at)))
            .collect();
        let whole: Vec<&str> = names.iter().map(|at| cell(*at)).collect();
        *seen.entry(shown).or_insert_with(|| whole.clone()) == whole
    })
}

/// How a column is cut.
#[must_use]
pub fn cut(columns: &[Column], index: usize) -> Cut {
    columns.get(index).map_or(Cut::Never, |column| column.cut)
}

fn draw(columns: &[Column], rows: &[Vec<String>], kept: &[(usize, usize)], footer: usize, unicode: bool) -> String {
    let rule: Vec<String> = kept
        .iter()
        .map(|&(_, width)| if unicode { "─" } else { "-" }.repeat(width))
        .collect();
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    let cells = |row: &dyn Fn(usize) -> String| -> Vec<Cell> {
        kept.iter()
            .map(|&(index, width)| {
                let right = columns.get(index).is_some_and(|c| c.align == Align::Right);
                let alignment = if right {
                    CellAlignment::Right
                } else {
                    CellAlignment::Left
                };
                Cell::new(shorten(&row(index), width, unicode, cut(columns, index))).set_alignment(alignment)
            })
            .collect()
    };
    table.add_row(cells(&|index| {
        columns.get(index).map(|c| c.header.clone()).unwrap_or_default()
    }));
    table.add_row(rule.clone());
    for (at, row) in rows.iter().enumerate() {
        if footer > 0 && at > 0 && at == rows.len().saturating_sub(footer) {
            table.add_row(rule.clone());
        }
        table.add_row(cells(&|index| row.get(index).cloned().unwrap_or_default()));
    }
    let last = kept.len().saturating_sub(1);
    for (at, column) in table.column_iter_mut().enumerate() {
        let right = if at == last { 0 } else { GAP };
        column.set_padding((0, u16::try_from(right).unwrap_or(0)));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// The text within `width` columns of a terminal.
#[must_use]
pub fn shorten(text: &str, width: usize, unicode: bool, cut: Cut) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mark = if unicode { "…" } else { "~" };
    let room = width.saturating_sub(1);
    let head = match cut {
        Cut::Never => room,
        Cut::Name => room / 3,
        Cut::Sentence => room / 2,
    };
    let from_end: Vec<char> = text.chars().rev().collect();
    let tail = fitting(&from_end, room - head);
    let tail: String = tail.iter().rev().collect();
    let from_start: Vec<char> = text.chars().collect();
    // What a wide character left of the tail's room.
    let head: String = fitting(&from_start, room.saturating_sub(tail.width())).iter().collect();
    format!("{head}{mark}{tail}")
}

/// The first characters, within so many columns.
fn fitting(text: &[char], width: usize) -> &[char] {
    let mut used = 0;
    let fits = text.iter().take_while(|c| {
        used += c.width().unwrap_or(0);
        used <= width
    });
    let count = fits.count();
    text.get(..count).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_count_twice() {
        for (text, width, unicode, cut, shown) in [
            ("東京都庁", 5, true, Cut::Never, "東京…"),
            ("東京都庁", 5, true, Cut::Name, "東…庁"),
            ("abcdef", 4, false, Cut::Never, "abc~"),
            ("abcdef", 4, false, Cut::Name, "a~ef"),
            ("abcdefgh", 5, true, Cut::Sentence, "ab…gh"),
            ("abcd", 4, false, Cut::Name, "abcd"),
        ] {
            assert_eq!(shorten(text, width, unicode, cut), shown);
        }
    }

    #[test]
    fn names_that_differ_somewhere_are_told_apart() {
        let column = |header: &str, align, drop_order, cut| Column {
            header: header.to_owned(),
            align,
            drop_order,
            cut,
        };
        let columns = [
            column("project", Align::Left, 0, Cut::Name),
            column("calls", Align::Right, 2, Cut::Never),
            column("tokens", Align::Right, 3, Cut::Never),
        ];
        let row = |name: &str| vec![name.to_owned(), "1234567".to_owned(), "1234567".to_owned()];
        let drawn = |names: [&str; 2], room| table(&columns, &names.map(row), 0, room, true);
        let room = |width| Room { width, cut: true };
        let ends = [
            "/home/ann/customers/acme/services/billing",
            "/home/ann/customers/acme/services/checkout",
        ];
        insta::assert_snapshot!(drawn(ends, room(46)), @r#"
        project                         calls   tokens
        ────────────────────────────  ───────  ───────
        /home/ann…e/services/billing  1234567  1234567
        /home/ann…/services/checkout  1234567  1234567
        "#);
        // Figures give way where the difference is elsewhere, and stay where that does not help.
        let within = [
            "/home/ann/acme/services/billing/eu",
            "/home/ann/beta/services/billing/eu",
        ];
        insta::assert_snapshot!(drawn(within, room(46)), @r#"
        project                               calls
        ──────────────────────────────────  ───────
        /home/ann/acme/services/billing/eu  1234567
        /home/ann/beta/services/billing/eu  1234567
        "#);
        let far = [
            "/home/ada.lovelace/acme/platform/services/billing/eu-1",
            "/home/ada.lovelace/beta/platform/services/billing/eu-1",
        ];
        insta::assert_snapshot!(drawn(far, room(46)), @r#"
        project                         calls   tokens
        ────────────────────────────  ───────  ───────
        /home/ada…vices/billing/eu-1  1234567  1234567
        /home/ada…vices/billing/eu-1  1234567  1234567
        "#);
        // Nobody asked for a width: nothing is cut.
        let unasked = Room { width: 46, cut: false };
        insta::assert_snapshot!(drawn(within, unasked), @r#"
        project                               calls   tokens
        ──────────────────────────────────  ───────  ───────
        /home/ann/acme/services/billing/eu  1234567  1234567
        /home/ann/beta/services/billing/eu  1234567  1234567
        "#);
    }
}
