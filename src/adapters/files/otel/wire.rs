//! The fields of a protobuf message, as they lie in its bytes.

use std::borrow::Cow;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken(pub &'static str);

/// A field's value, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'b> {
    /// A number of as many bytes as it needs.
    Number(u64),
    /// Eight bytes.
    Fixed(u64),
    /// Text, bytes, or a message.
    Bytes(&'b [u8]),
    /// Four bytes, which nothing here is made of.
    Small,
}

const OTHER: Broken = Broken("a field of another type than it has");
const SHORT: Broken = Broken("it ends within a field");

impl<'b> Field<'b> {
    /// What is written as bytes.
    pub fn bytes(self) -> Result<&'b [u8], Broken> {
        match self {
            Field::Bytes(bytes) => Ok(bytes),
            Field::Number(_) | Field::Fixed(_) | Field::Small => Err(OTHER),
        }
    }

    /// Text. What is no character in it, as where it was cut within one, does not take the call along that it describes.
    pub fn text(self) -> Result<Cow<'b, str>, Broken> {
        Ok(String::from_utf8_lossy(self.bytes()?))
    }

    /// A number.
    pub fn number(self) -> Result<u64, Broken> {
        match self {
            Field::Number(number) => Ok(number),
            Field::Fixed(_) | Field::Bytes(_) | Field::Small => Err(OTHER),
        }
    }

    /// Eight bytes.
    pub fn fixed(self) -> Result<u64, Broken> {
        match self {
            Field::Fixed(bits) => Ok(bits),
            Field::Number(_) | Field::Bytes(_) | Field::Small => Err(OTHER),
        }
    }
}

/// The fields of a message with their numbers, in the order in which they lie.
pub(super) struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    /// Those of this message.
    pub fn of(message: &'b [u8]) -> Self {
        Fields(message)
    }

    fn number(&mut self) -> Result<u64, Broken> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(SHORT)?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Broken("a number that is too long"))
    }

    fn next_field(&mut self) -> Result<(u32, Field<'b>), Broken> {
        let tag = self.number()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0);
        let number = number.ok_or(Broken("a field without a number"))?;
        let field = match tag & 7 {
            0 => Field::Number(self.number()?),
            1 => {
                let (bytes, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
                self.0 = rest;
                Field::Fixed(u64::from_le_bytes(*bytes))
            }
            2 => {
                let length = usize::try_from(self.number()?).map_err(|_| SHORT)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(SHORT)?;
                self.0 = rest;
                Field::Bytes(bytes)
            }
            5 => {
                self.0 = self.0.get(4..).ok_or(SHORT)?;
                Field::Small
            }
            _ => return Err(Broken("a field of an unknown type")),
        };
        Ok((number, field))
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = Result<(u32, Field<'b>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.next_field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Some4 {
        #[prost(uint64, tag = "1")]
        number: u64,
        #[prost(fixed64, tag = "2")]
        fixed: u64,
        #[prost(string, tag = "300")]
        text: String,
        #[prost(fixed32, tag = "4")]
        small: u32,
    }

    proptest! {
        #[test]
        fn fields_are_read_as_they_were_written(number in 1_u64.., fixed in 1_u64.., text in ".+", small in 1_u32.., end in 0..40_usize) {
            let bytes = Some4 { number, fixed, text: text.clone(), small }.encode_to_vec();
            let fields: Result<Vec<_>, _> = Fields::of(&bytes).collect();
            let expected = [(1, Field::Number(number)), (2, Field::Fixed(fixed)), (4, Field::Small), (300, Field::Bytes(text.as_bytes()))];
            prop_assert_eq!(fields.unwrap(), expected);
            // Cut anywhere they are read up to there or are broken.
            let read = Fields::of(&bytes[..end.min(bytes.len())]).filter(Result::is_ok).count();
            prop_assert!(read <= 4);
        }

        #[test]
        fn whatever_the_bytes_are_reading_ends(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let ours: Result<Vec<_>, _> = Fields::of(&bytes).collect();
            if ours.is_ok() && let Ok(known) = Some4::decode(bytes.as_slice()) {
                prop_assert!(ours.unwrap().iter().all(|(at, field)| *at != 1 || field.number().is_ok()), "{:?}", known);
            }
        }
    }
}
