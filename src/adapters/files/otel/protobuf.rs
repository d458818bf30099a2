//! OTLP traces as protobuf: the few messages and fields that usage needs, numbered as in `opentelemetry/proto/trace/v1`, one span at a time.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::super::line::{Context, Fault, Output};
use super::super::scalar::Scalar;
use super::Lengths;
use super::attributes::Attributes;
use super::span::{Around, Observed, Span, observe};
use super::traces::Traces;
use super::wire::{Broken, Field, Fields};

/// Reads one export request.
pub(in super::super) fn read(
    bytes: &[u8],
    traces: &mut Traces,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let before = Lengths::of(out);
    let mut request = Request {
        context,
        out,
        spans: Vec::new(),
    };
    if let Err(Broken(why)) = request.read(bytes) {
        before.restore(out);
        return Err(Fault::whole(format!("not valid protobuf: {why}")));
    }
    for observed in request.spans {
        observed.meet(traces, out);
    }
    Ok(())
}

struct Request<'c> {
    context: &'c mut Context,
    out: &'c mut Output,
    /// What was made of its spans.
    spans: Vec<Observed>,
}

impl Request<'_> {
    fn read(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let mut own = Attributes::default();
        for field in Fields::of(bytes) {
            if let (1, group) = field? {
                let mut resource = Attributes::default();
                let group = group.bytes()?;
                for field in Fields::of(group) {
                    if let (1, field) = field? {
                        pairs(field.bytes()?, 1, &mut resource)?;
                    }
                }
                for field in Fields::of(group) {
                    if let (2, scoped) = field? {
                        self.scoped(scoped.bytes()?, &resource, &mut own)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn scoped<'b>(
        &mut self,
        scoped: &'b [u8],
        resource: &Attributes<'b>,
        own: &mut Attributes<'b>,
    ) -> Result<(), Broken> {
        let mut scope = Cow::Borrowed("");
        for field in Fields::of(scoped) {
            if let (1, field) = field? {
                for field in Fields::of(field.bytes()?) {
                    if let (1, name) = field? {
                        scope = name.text()?;
                    }
                }
            }
        }
        let around = Around {
            resource,
            scope: &scope,
            line: 1,
        };
        for field in Fields::of(scoped) {
            if let (2, span) = field? {
                own.clear();
                let span = span_of(span.bytes()?, own)?;
                match observe(span, &around, self.context, self.out) {
                    Ok(observed) => self.spans.extend(observed),
                    Err(fault) => self.out.faults.push(fault),
                }
            }
        }
        Ok(())
    }
}

fn span_of<'s, 'b>(bytes: &'b [u8], own: &'s mut Attributes<'b>) -> Result<Span<'s, 'b>, Broken> {
    let (mut trace, mut id, mut parent) = (&b""[..], &b""[..], &b""[..]);
    let (mut start, mut end, mut failed) = (0, 0, false);
    for field in Fields::of(bytes) {
        match field? {
            (1, field) => trace = field.bytes()?,
            (2, field) => id = field.bytes()?,
            (4, field) => parent = field.bytes()?,
            (7, field) => start = field.fixed()?,
            (8, field) => end = field.fixed()?,
            (9, field) => pair(field.bytes()?, own)?,
            (15, field) => {
                for field in Fields::of(field.bytes()?) {
                    if let (3, code) = field? {
                        failed = code.number()? == 2;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(Span {
        trace: hex(trace).into(),
        id: hex(id).into(),
        parent: hex(parent).into(),
        start: nanos(start),
        end: nanos(end),
        failed,
        attributes: own,
    })
}

/// The attributes of a message that has them under this number.
fn pairs<'b>(bytes: &'b [u8], number: u32, attributes: &mut Attributes<'b>) -> Result<(), Broken> {
    for field in Fields::of(bytes) {
        let (at, field) = field?;
        if at == number {
            pair(field.bytes()?, attributes)?;
        }
    }
    Ok(())
}

fn pair<'b>(bytes: &'b [u8], attributes: &mut Attributes<'b>) -> Result<(), Broken> {
    let (mut key, mut value) = (Cow::Borrowed(""), None);
    for field in Fields::of(bytes) {
        match field? {
            (1, field) => key = field.text()?,
            (2, field) => value = Some(field.bytes()?),
            _ => {}
        }
    }
    let (Some(slot), Some(value)) = (attributes.slot(&key), value) else {
        return Ok(());
    };
    let mut given = Scalar::Null;
    for field in Fields::of(value) {
        given = match field? {
            (1, field) => Scalar::Text(field.text()?),
            (2, field) => Scalar::Bool(field.number()? != 0),
            (3, field) => {
                let number = field.number()?.cast_signed();
                u64::try_from(number).map_or(Scalar::Negative(number), Scalar::Whole)
            }
            (4, field) => Scalar::Float(f64::from_bits(field.fixed()?)),
            (_, Field::Number(_) | Field::Fixed(_) | Field::Bytes(_) | Field::Small) => continue,
        };
    }
    slot.give(given);
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn nanos(time: u64) -> Scalar<'static> {
    match time {
        0 => Scalar::Null,
        time => Scalar::Whole(time),
    }
}
