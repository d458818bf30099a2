//! Objects one behind the other without a line end between them, as Firehose joins what CloudWatch sends it.

use serde::de::IgnoredAny;
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::line::{Fault, LineFormat};
use super::read::Run;
use super::records::Record;
use super::stop::Whole;

/// What stands on a line that holds more than one object.
pub(super) struct Joined<'t> {
    /// The objects that end on it.
    pub objects: Vec<&'t str>,
    /// What stands behind them: nothing, or the beginning of one more.
    pub rest: &'t str,
}

impl<'t> Joined<'t> {
    /// The objects of a line; nothing where it holds one alone, or something else.
    pub fn of(text: &'t str) -> Option<Self> {
        let mut values = Deserializer::from_str(text).into_iter::<&RawValue>();
        let mut objects = Vec::new();
        let mut end = 0;
        while let Some(Ok(value)) = values.next() {
            if !value.get().starts_with('{') {
                return None;
            }
            objects.push(value.get());
            end = values.byte_offset();
        }
        let rest = text.get(end..).unwrap_or_default().trim();
        let several = objects.len() > 1 || (!objects.is_empty() && rest.starts_with('{'));
        several.then_some(Joined { objects, rest })
    }
}

impl Run<'_> {
    /// Reads one record, or the text of one; of one that is refused nothing is left.
    pub fn understand(&mut self, text: &str, line: u64, reader: &mut dyn LineFormat) -> Result<(), Fault> {
        let quoted = of_text(text);
        if quoted.is_some() {
            self.context.forms.forget_compared();
        }
        let text = quoted.as_deref().unwrap_or(text);
        let before = (self.out.events.len(), self.out.excluded.len());
        let read = reader.record(text, line, &mut self.context, &mut self.out);
        self.context.forms.forget_compared();
        read.inspect_err(|_| {
            self.out.events.truncate(before.0);
            self.out.excluded.truncate(before.1);
        })
    }

    /// Reads the objects of a line, each as a record.
    pub fn joined(
        &mut self,
        joined: &Joined<'_>,
        record: &Record<'_>,
        name: &str,
        reader: &mut dyn LineFormat,
    ) -> Whole {
        for object in &joined.objects {
            if let Err(fault) = self.understand(object, record.line, reader) {
                self.refuse(name, record.line, fault, object.as_bytes());
            }
            self.parts(name, record.line, object.as_bytes());
        }
        if joined.rest.is_empty() {
            return Whole::Complete;
        }
        if !record.ended {
            return Whole::Incomplete;
        }
        let reason = "behind the objects of this line stands something that is none";
        self.refuse(name, record.line, Fault::whole(reason), joined.rest.as_bytes());
        Whole::Complete
    }
}

/// The object whose text a record is, as `jq` writes it with `tostring`.
pub(super) fn of_text(text: &str) -> Option<String> {
    let quoted = text.starts_with("\"{").then(|| serde_json::from_str(text));
    quoted.and_then(Result::ok)
}

/// Whether bytes begin with an object behind which another one stands.
pub(super) fn is_joined(bytes: &[u8]) -> bool {
    let mut values = Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    let first = bytes.starts_with(b"{") && matches!(values.next(), Some(Ok(_)));
    let rest = bytes.get(values.byte_offset()..).unwrap_or_default();
    first && rest.trim_ascii_start().starts_with(b"{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_a_line_are_told_apart() {
        let of = |text: &'static str| Joined::of(text).map(|joined| (joined.objects, joined.rest));
        assert_eq!(
            of(r#"{"a":"}{"}{"b":2} "#),
            Some((vec![r#"{"a":"}{"}"#, r#"{"b":2}"#], ""))
        );
        assert_eq!(of(r#"{"a":1} {"b":"#), Some((vec![r#"{"a":1}"#], r#"{"b":"#)));
        assert_eq!(of(r#"{"a":1}{"b":2}x"#), Some((vec![r#"{"a":1}"#, r#"{"b":2}"#], "x")));
        for other in ["", "{", r#"{"a":1}"#, r#"{"a":1}x"#, r#"{"a":1}5"#, "1 2", "[1]{}"] {
            assert_eq!(of(other), None, "{other}");
            assert!(!is_joined(other.as_bytes()));
        }
        assert!(is_joined(br#"{"a":"}{"}{"b":"#));
    }
}
