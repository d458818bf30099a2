//! Reads the wanted fields of a JSON record at the speed of its bytes, without building anything.
//!
//! A program writes its records in one form: only some values differ from one to the next. The form is learned from the
//! records before; a record of a known form is compared with it, and only the wanted values are read. A record of a new form
//! is walked through key by key.
//!
//! The walk knows the common shape of JSON only: plain keys, texts without escapes, natural numbers. On anything else it
//! gives up, and the general parser reads the record again and judges it: the two differ in speed, never in what a record
//! means. Text that is passed over is not checked for control characters.

mod block;
mod cursor;
mod form;
mod length;
mod lines;
mod steps;

use self::cursor::Cursor;
use self::form::{Kind, Token};
use super::value::Value;

pub(super) use self::form::Forms;
pub(super) use self::lines::{Line, Lines};

/// What to do with the value of a key.
pub(super) enum Want {
    /// Keep the simple value.
    Slot(u8),
    /// Keep the value's own text, whatever it is.
    Raw(u8),
    /// Look inside of the object.
    Object(&'static Keys),
    /// Leave the record to the general parser.
    Leave,
}

/// The keys of an object.
pub(super) struct Keys {
    /// The keys that matter.
    pub wanted: &'static [(&'static str, Want)],
    /// Whether other keys may be passed over; if not, the general parser judges them.
    pub others: fn(&str) -> bool,
}

/// Reads a record that is one object into `values`, which are null before, and after it where nothing was given; `None` when the general parser
/// has to read it. A raw value is a text.
pub(super) fn read<'a>(text: &'a str, keys: &Keys, forms: &mut Forms, values: &mut [Value<'a>]) -> Option<()> {
    if forms.read(text, values).is_some() {
        return Some(());
    }
    walk_record(text, keys, forms, values)
}

/// The same for a record of a form that is not known.
pub(super) fn walk_record<'a>(text: &'a str, keys: &Keys, forms: &mut Forms, values: &mut [Value<'a>]) -> Option<()> {
    values.fill(Value::Null);
    let mut cursor = Cursor::new(text);
    let mut tokens = Vec::with_capacity(32);
    walk(&mut cursor, keys, values, &mut tokens)?;
    let end = cursor.at;
    cursor.blank();
    if cursor.at < text.len() {
        return None;
    }
    forms.learn(text.get(..end)?, &tokens);
    Some(())
}

fn walk<'a>(cursor: &mut Cursor<'a>, keys: &Keys, values: &mut [Value<'a>], tokens: &mut Vec<Token>) -> Option<()> {
    cursor.items(b'{', b'}', |cursor| {
        let key = cursor.key()?;
        let wanted = keys.wanted.iter().find(|(name, _)| *name == key);
        let from = cursor.at;
        let kind = match wanted.map(|(_, want)| want) {
            Some(Want::Slot(slot)) => {
                let value = cursor.scalar()?;
                set(values, *slot, value)?;
                Kind::Slot(*slot)
            }
            Some(Want::Raw(slot)) => {
                cursor.skip()?;
                set(values, *slot, raw(cursor.text.get(from..cursor.at)?))?;
                Kind::Raw(*slot)
            }
            Some(Want::Object(inner)) if cursor.byte() == b'{' => return walk(cursor, inner, values, tokens),
            // No value of the form: a record that has an object here is of another one.
            Some(Want::Object(_)) if cursor.byte() == b'n' => return cursor.skip(),
            Some(Want::Object(_) | Want::Leave) => return None,
            None if (keys.others)(key) => {
                cursor.skip()?;
                Kind::Skip
            }
            None => return None,
        };
        tokens.push(Token {
            from,
            to: cursor.at,
            kind,
        });
        Some(())
    })
}

fn raw(text: &str) -> Value<'_> {
    match text {
        "null" => Value::Null,
        text => Value::Text(text),
    }
}

/// A key that is given twice is the general parser's business.
fn set<'a>(values: &mut [Value<'a>], slot: u8, value: Value<'a>) -> Option<()> {
    let place = values.get_mut(usize::from(slot))?;
    if !place.is_null() {
        return None;
    }
    *place = value;
    Some(())
}

#[cfg(test)]
mod tests;
