//! The service tier that a call was served at, as answers tell it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::label::Label;
use crate::domain::price::tier_name;

use super::line::{Context, Fault};
use super::scalar::Scalar;
use super::value::Value;

/// The tier of a text, for all formats: `default` is the standard one, and `auto` was asked for, which is not what was served.
#[inline]
pub(super) fn of<'v>(tier: impl Into<Value<'v>>, field: &str, context: &mut Context) -> Result<Label, Fault> {
    let tier = tier.into();
    match tier.str() {
        // Most records tell this one, or none.
        "standard" | "" => context.label(tier, field),
        own => named(own, field, context),
    }
}

fn named(own: &str, field: &str, context: &mut Context) -> Result<Label, Fault> {
    match tier_name(own) {
        "auto" => Ok(Label::EMPTY),
        // Prices do not ask how it is written, and neither do rows of a report.
        own if own.bytes().any(|byte| byte.is_ascii_uppercase()) => named(&own.to_ascii_lowercase(), field, context),
        own => context.label(Value::Text(own), field),
    }
}

/// The tier of Bedrock's `serviceTier`, an object around its name.
pub(super) fn of_bedrock(raw: Option<&RawValue>, context: &mut Context) -> Result<Label, Fault> {
    #[derive(Deserialize, Default)]
    struct ServiceTier<'a> {
        #[serde(borrow, default, rename = "type")]
        kind: Scalar<'a>,
    }
    let tier: ServiceTier<'_> = raw
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default();
    of(&tier.kind, "serviceTier.type", context)
}
