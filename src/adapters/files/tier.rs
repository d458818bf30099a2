//! The service tier that a call was served at, as answers tell it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::label::Label;

use super::line::{Context, Fault};
use super::scalar::Scalar;

/// The tier of a text: `default` is the standard one, and `auto` was asked for, which is not what was served.
pub(super) fn of(tier: &Scalar<'_>, field: &str, context: &mut Context) -> Result<Label, Fault> {
    match tier.str() {
        "auto" => Ok(Label::EMPTY),
        "default" => Ok(context.labels.get("standard")),
        // Prices do not ask how it is written, and neither do rows of a report.
        own if own.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            of(&Scalar::Text(own.to_ascii_lowercase().into()), field, context)
        }
        _ => context.label(tier, field),
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
