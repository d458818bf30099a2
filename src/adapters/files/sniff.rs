//! Tells by the first bytes of a stream how it is packed, how it is cut into records, and what they are.

mod further;

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use serde::de::IgnoredAny;

use super::database::SQLITE;
use super::joined::is_joined;
use super::packed::Packed;
use super::records::{Records, begins_value};
use super::{FileFormat, detect};

/// Any stream of bytes.
pub(super) type Input<'a> = Box<dyn Read + 'a>;

/// How far detection looks.
pub(super) const DETECT_BYTES: usize = 64 << 10;
/// How far is looked for a call where the first records are of no format: some thousand lines of a log, and a moment's work for a file
/// that has nothing to do with usage, at each run.
const LOOK_BYTES: usize = 4 << 20;
/// How a Parquet file begins.
pub(super) const PARQUET: &[u8] = b"PAR1";
const DETECT_RECORDS: usize = 20;

/// How a stream is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// One record a line.
    Lines,
    /// JSON values that may span lines.
    Values,
    /// Rows under a header.
    Table,
}

/// Decodes gzip and zstd, told by their first bytes; whether it did.
pub(super) fn unpack(mut input: Input<'_>) -> io::Result<(Input<'_>, bool)> {
    let mut magic = Vec::with_capacity(4);
    Read::by_ref(&mut input).take(4).read_to_end(&mut magic)?;
    let packed = Packed::begins(&magic);
    let input = Box::new(Cursor::new(magic).chain(input));
    Ok(match packed {
        true => (Box::new(Packed::new(input)), true),
        false => (input, false),
    })
}

/// An array, an object over several lines, objects on one line or one a line, or a table.
pub(super) fn framing(front: &[u8]) -> Framing {
    let mut lines = front
        .split(|b| *b == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or(&[]);
    match first.first() {
        Some(b'[') => Framing::Values,
        Some(b'{') => {
            let cut = serde_json::from_slice::<IgnoredAny>(first).is_err_and(|e| e.is_eof());
            // The line after a damaged record is a record; the line after `{` is a key.
            let whole = |line: &[u8]| std::str::from_utf8(line).is_ok_and(|l| detect::by_record(l).is_some());
            match lines.clone().next() {
                // A page may have a record on each line.
                Some(_) if cut && begins_value(front) => Framing::Values,
                Some(next) if cut && next.first() != Some(&b'{') && !lines.take(DETECT_RECORDS).any(whole) => {
                    Framing::Values
                }
                None if !cut && is_joined(first) => Framing::Values,
                _ => Framing::Lines,
            }
        }
        _ if std::str::from_utf8(first).is_ok_and(|line| detect::by_header(line).is_some()) => Framing::Table,
        _ => Framing::Lines,
    }
}

/// Whether it is a table whose header tells nothing: a foreign one, no line of which is an object, or one by its name that should be of a kind and is
/// not, and of which is told what is wrong with its header. In a log of another name lines that are no records may have commas.
pub(super) fn is_foreign(front: &[u8], name: &str, has_columns: bool, kind: Option<FileFormat>) -> bool {
    let in_tables = |kind: FileFormat| kind == FileFormat::Plain || kind.in_tables();
    match has_columns {
        // A cell may have such lines.
        true if is_named_as_table(name) => !front.trim_ascii_start().starts_with(b"{"),
        true => !holds_object(front),
        false => kind.is_some_and(in_tables) && is_named_as_table(name) && is_table(front),
    }
}

fn is_named_as_table(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = [".gz", ".zst"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(&name);
    [".csv", ".tsv"].iter().any(|end| name.ends_with(end))
}

/// Whether lines of no known format are those of a table: values stand beside each other in one of the first, and none of them is a record.
fn is_table(front: &[u8]) -> bool {
    let lines = front.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let mut lines = lines.filter(|line| !line.is_empty());
    let has_values = |line: &[u8]| line.iter().any(|byte| matches!(byte, b',' | b';' | b'\t'));
    // One line alone may be the rest of a record.
    lines.clone().nth(1).is_some()
        && lines.clone().take(DETECT_RECORDS).any(has_values)
        && !lines.any(|line| matches!(line.first(), Some(b'{' | b'[')))
}

/// Whether a line is, or begins, an object: the first, or one behind lines that are none.
fn holds_object(front: &[u8]) -> bool {
    let mut lines = front
        .split(|b| *b == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty());
    let is_object = |line: &[u8]| {
        line.starts_with(b"{") && line.contains(&b'"') && serde_json::from_slice::<IgnoredAny>(line).is_ok()
    };
    lines.next().is_some_and(|first| first.starts_with(b"{")) || lines.any(is_object)
}

/// Whether a stream begins with what a service says when it starts: a text, or a record of no format. What has more ends of objects than
/// beginnings is the rest of a record that was cut.
pub(super) fn begins_as_log(front: &[u8], framing: Framing) -> bool {
    let says = |line: &[u8]| {
        let count = |sign| line.iter().filter(|byte| **byte == sign).count();
        let text = String::from_utf8_lossy(line);
        let is_text = || !text.starts_with(['{', '[']) && count(b'}') <= count(b'{');
        detect::by_record(&text).is_none() && (is_text() || serde_json::from_str::<IgnoredAny>(&text).is_ok())
    };
    let mut lines = front.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    framing == Framing::Lines && lines.find(|line| !line.is_empty()).is_some_and(says)
}

/// Whether a file is usage or a bill by its beginning; one that is packed or cannot be read may be.
pub(super) fn may_be_spend(path: &Path) -> bool {
    let mut front = Vec::new();
    let read = File::open(path).and_then(|file| file.take(DETECT_BYTES as u64).read_to_end(&mut front));
    let text = front.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&front);
    let of_program = Packed::begins(&front) || front.starts_with(PARQUET) || front.starts_with(SQLITE);
    read.is_err() || of_program || recognise(text, framing(text)).is_some()
}

/// The format of the first record that tells.
pub(super) fn recognise(front: &[u8], framing: Framing) -> Option<FileFormat> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match framing {
        Framing::Table => front
            .split(|b| *b == b'\n')
            .next()
            .and_then(|l| detect::by_header(&text(l))),
        Framing::Lines => front
            .split(|b| *b == b'\n')
            .take(DETECT_RECORDS)
            .find_map(|line| detect::by_record(&text(line))),
        Framing::Values => {
            let mut values = Records::new(front, 0, 0);
            values.grows = true;
            (0..DETECT_RECORDS).find_map(|_| {
                let value = values.value().ok()??;
                detect::by_record(&text(value.bytes))
            })
        }
    }
}
