//! How tables are written: values that are none, rows as text, and headers that are none.

use csv::StringRecord;

use super::super::line::Fault;
use super::super::{FileFormat, detect};

/// What is said of tables as spreadsheets write them where a comma is for decimals.
pub const SEPARATED_OTHERWISE: &str = "tables with semicolons or tabs between their columns, or `sep=` before the header, are not read: save them with commas";

/// Characters of a line that are shown.
const SHOWN: usize = 60;

/// A value of a row; empty also where a database wrote that it has none.
pub fn given(cell: &str) -> &str {
    match cell.eq_ignore_ascii_case("null") {
        true => "",
        false => cell,
    }
}

/// Whether the columns of a table stand apart by something else than commas.
pub fn is_separated_otherwise(header: &[String]) -> bool {
    let has = |name: &String| name.contains([';', '\t']) || name.to_lowercase().starts_with("sep=");
    header
        .first()
        .is_some_and(|first| has(first) && header.iter().skip(1).all(String::is_empty))
}

/// Why a table is not of the kind that it should be; nothing where its header is that of a known one.
pub fn is_no_header(header: &[String], kind: Option<FileFormat>) -> Option<Fault> {
    let kind = kind.filter(|_| !header.is_empty() && detect::by_header(&header.join(",")).is_none())?;
    Some(Fault::whole(match is_separated_otherwise(header) {
        true => SEPARATED_OTHERWISE.to_owned(),
        false => format!(
            "a table of the kind `{kind}` begins with the names of its columns, in their capital and small letters, and this line has other ones"
        ),
    }))
}

/// What is wrong with a row that has another number of values than there are names.
pub fn of_another_width(row: &StringRecord, header: &[String]) -> Fault {
    let (values, names) = (row.len(), header.len());
    Fault::whole(match header {
        [title] if values > 1 => {
            let title: String = title.chars().take(SHOWN).collect();
            format!("{values} values under one name, `{title}`: the first line has to name the columns")
        }
        _ => format!("{values} values under {names} names"),
    })
}

/// A row as text, its values with commas between them.
pub fn text(row: &StringRecord) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = writer.write_record(row).is_ok();
    let mut text = writer.into_inner().ok().filter(|_| written).unwrap_or_default();
    text.pop_if(|last| *last == b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_text_that_says_the_same_when_it_is_read_again() {
        for values in [
            &["b", "2026-11-01T00:00:00Z", "", "x,3"][..],
            &["1,23", "4"],
            &["1", "23,4"],
            &["say \"so\"", "two\nlines", " "],
            &[""],
        ] {
            let row = StringRecord::from(values);
            let written = text(&row);
            let mut read = csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(written.as_slice());
            let again: Vec<StringRecord> = read.records().map(Result::unwrap).collect();
            assert_eq!(again, [row]);
        }
    }
}
