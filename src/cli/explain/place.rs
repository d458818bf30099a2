//! Where the record of a call stands, in words and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::text::{clean, counted};
use crate::ports::{Located, RecordPlace};

/// Files named where the record was not looked for.
const NAMED: usize = 3;

fn shown(place: &RecordPlace) -> String {
    format!("{}:{}", clean(&place.file), place.line)
}

/// File and line, or why they are not known. `inputs` are what the record may have been read from.
pub fn text(inputs: &[String], located: Option<&Located>) -> String {
    let mut out = String::new();
    let Some(located) = located else {
        let _ = writeln!(
            out,
            "file     not looked for: one of {}",
            counted(inputs.len() as u64, "input")
        );
        for input in inputs.iter().take(NAMED) {
            let _ = writeln!(out, "         {}", clean(input));
        }
        return out;
    };
    if let Some(place) = &located.found {
        let others = match located.others {
            0 => String::new(),
            n => format!(", behind {} of the call", counted(n, "other observation")),
        };
        let _ = writeln!(out, "file     {}{others}", shown(place));
        return out;
    }
    let files = counted(located.searched + located.unreadable + located.left, "file");
    let first = || inputs.first().map_or_else(String::new, |input| clean(input));
    let _ = match (located.left, located.searched + located.unreadable, located.elsewhere) {
        (0, 0, 0) => writeln!(
            out,
            "file     none: it came by standard input, a request or an interface"
        ),
        (0, 0, _) => writeln!(out, "file     not looked for: `{}` is no file here", first()),
        (0, _, _) => writeln!(out, "file     not found in {files} of its source"),
        (left, _, _) => writeln!(
            out,
            "file     not found in time: {left} of {files} not read to the end; `--search-seconds` gives more"
        ),
    };
    if let Some(first) = &located.first_unreadable {
        let _ = match located.unreadable {
            1 => writeln!(out, "         1 cannot be read: {}", clean(first)),
            n => writeln!(out, "         {n} cannot be read, one of them: {}", clean(first)),
        };
    }
    if let Some(place) = &located.another {
        let _ = writeln!(out, "         another observation of the call: {}", shown(place));
    }
    out
}

/// A place for programs.
pub fn object(place: &RecordPlace) -> Value {
    json!({ "file": place.file, "line": place.line })
}

/// How it was looked for, for programs.
pub fn search(located: &Located) -> Value {
    json!({
        "files_read": located.searched,
        "files_unreadable": located.unreadable,
        "first_unreadable": located.first_unreadable,
        "files_left": located.left,
        "other_inputs": located.elsewhere,
        "other_observations": located.others,
        "another": located.another.as_ref().map(object),
    })
}
