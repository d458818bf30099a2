//! The attributes of OTLP/JSON, of which those that do not matter are passed over.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::scalar::Scalar;
use super::attributes::Attributes;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum InResource {
    Attributes,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum InPair {
    Key,
    Value,
    #[serde(other)]
    Other,
}

/// Reads the attributes of a resource.
pub(super) struct OfResource<'r, 'a>(pub &'r mut Attributes<'a>);

impl<'de> DeserializeSeed<'de> for OfResource<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OfResource<'_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a resource")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key()? {
            match field {
                InResource::Attributes => map.next_value_seed(Pairs(&mut *self.0))?,
                InResource::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Reads attributes.
pub(super) struct Pairs<'r, 'a>(pub &'r mut Attributes<'a>);

impl<'de> DeserializeSeed<'de> for Pairs<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pairs<'_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Pair(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

/// Reads one attribute.
struct Pair<'r, 'a>(&'r mut Attributes<'a>);

impl<'de> DeserializeSeed<'de> for Pair<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut key, mut early): (Option<Scalar<'de>>, Option<AnyValue<'de>>) = (None, None);
        while let Some(field) = map.next_key()? {
            match (field, &key) {
                (InPair::Key, _) => key = Some(map.next_value()?),
                (InPair::Value, None) => early = Some(map.next_value()?),
                (InPair::Value, Some(key)) => match self.0.slot(key.str()) {
                    Some(slot) => slot.give(map.next_value::<AnyValue<'de>>()?.0),
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                },
                (InPair::Other, _) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if let (Some(key), Some(value)) = (key, early)
            && let Some(slot) = self.0.slot(key.str())
        {
            slot.give(value.0);
        }
        Ok(())
    }
}

/// The types that JSON writes in a way of its own, or of which no value matters.
#[derive(Deserialize)]
#[serde(field_identifier)]
enum InValue {
    #[serde(rename = "intValue", alias = "int_value")]
    Int,
    #[serde(rename = "bytesValue", alias = "bytes_value")]
    Bytes,
    #[serde(other)]
    Other,
}

/// A value under the name of its type, the same as protobuf has it: a number that JSON writes as text is one, and what is no single value, or
/// bytes, is none.
#[derive(Default)]
struct AnyValue<'a>(Scalar<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for AnyValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Typed;
        impl<'de> Visitor<'de> for Typed {
            type Value = AnyValue<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyValue<'de>, A::Error> {
                let mut value = AnyValue::default();
                while let Some(of) = map.next_key()? {
                    match (of, map.next_value()?) {
                        (InValue::Bytes, _) | (_, Scalar::Other) => {}
                        (InValue::Int, Scalar::Text(text)) => value.0 = whole(text),
                        (_, known) => value.0 = known,
                    }
                }
                Ok(value)
            }
            fn visit_unit<E>(self) -> Result<AnyValue<'de>, E> {
                Ok(AnyValue::default())
            }
        }
        deserializer.deserialize_any(Typed)
    }
}

fn whole(text: Cow<'_, str>) -> Scalar<'_> {
    match (text.parse(), text.parse()) {
        (Ok(number), _) => Scalar::Whole(number),
        (_, Ok(number)) => Scalar::Negative(number),
        _ => Scalar::Text(text),
    }
}
