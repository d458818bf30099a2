//! Aligned tables that fit the terminal.

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
    /// Whether its cells may be cut with an ellipsis.
    pub cut: bool,
}

/// Narrowest column of names after cutting, where nothing else can give way.
const MIN_NAME: usize = 8;

/// Width of names that is kept by dropping other columns: model names differ at their end.
const GOOD_NAME: usize = 26;

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

/// Draws rows under headers within `width` columns: drops columns that may go, then cuts names.
/// A line is drawn before the last `footer` rows.
#[must_use]
pub fn table(columns: &[Column], rows: &[Vec<String>], footer: usize, width: usize, unicode: bool) -> String {
    draw(columns, rows, &fitted(columns, rows, width), footer, unicode)
}

/// Which columns fit into `width`, and how wide each may be.
#[must_use]
pub fn fitted(columns: &[Column], rows: &[Vec<String>], width: usize) -> Vec<(usize, usize)> {
    let mut kept = measured(columns, rows);
    let column = |index: usize| columns.get(index);
    let needed = |kept: &[(usize, usize)], cut: bool| -> usize {
        let widths = kept.iter().map(|&(index, width)| match column(index) {
            Some(column) if cut && column.cut => width.min(GOOD_NAME),
            _ => width,
        });
        widths.sum::<usize>() + GAP * kept.len().saturating_sub(1)
    };
    while needed(&kept, true) > width {
        let next = kept
            .iter()
            .enumerate()
            .filter_map(|(at, &(index, _))| column(index).map(|c| (c.drop_order, at)))
            .max();
        match next {
            Some((order, at)) if order > 0 => {
                kept.remove(at);
            }
            _ => break,
        }
    }
    // The widest name gives way first.
    while needed(&kept, false) > width {
        let widest = kept
            .iter_mut()
            .filter(|(index, width)| *width > MIN_NAME && columns.get(*index).is_some_and(|c| c.cut))
            .max_by_key(|(_, width)| *width);
        match widest {
            Some((_, width)) => *width -= 1,
            None => break,
        }
    }
    kept
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
                Cell::new(shorten(&row(index), width, unicode)).set_alignment(alignment)
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
pub fn shorten(text: &str, width: usize, unicode: bool) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mark = if unicode { "…" } else { "~" };
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    out.push_str(mark);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(shorten("東京都庁", 5, true), "東京…");
        assert_eq!(shorten("abcdef", 4, false), "abc~");
        assert_eq!(shorten("abcd", 4, false), "abcd");
    }
}
