//! Where a call was answered and how fast, as far as prices depend on it.

use crate::domain::label::Label;
use crate::domain::price::region_of_answer;
use crate::domain::usage::UsageEvent;

use super::super::host;
use super::super::line::{Context, Fault};
use super::super::scalar::Scalar;
use super::row::{Breakdown, Row};
use super::usage::Usage;

/// Sets geography and speed: OpenAI's data residency, Vertex AI's location, else what the answer's usage says, at Bedrock the Region asked.
pub(super) fn set(
    row: &Row<'_>,
    cost: &Breakdown<'_>,
    usage: Option<&Usage<'_>>,
    event: &mut UsageEvent,
    context: &mut Context,
) -> Result<(), Fault> {
    let url = row.api_base.str();
    let told = |value: &Scalar<'_>| value.str().to_ascii_lowercase();
    event.geo = match event.provider().as_str() {
        "openai" => {
            let place = told(&cost.data_residency);
            let place = if place.is_empty() { host::residency(url) } else { &place };
            // Only these are endpoints with a price of their own.
            context
                .labels
                .get(if matches!(place, "us" | "eu") { place } else { "" })
        }
        "vertex" => {
            let place = told(&cost.vertex_location);
            let place = match place.is_empty() {
                true => host::location(url),
                false => &place,
            };
            context.labels.get(if place == "global" { "" } else { place })
        }
        _ => match usage.map(|u| &u.inference_geo) {
            Some(geo) if !matches!(geo.str(), "global" | "not_available") => {
                context.label(geo, "usage.inference_geo")?
            }
            _ => Label::EMPTY,
        },
    };
    if event.provider().as_str() == "bedrock" && event.geo.is_empty() {
        let region = region_of_answer(event.model().as_str(), host::region(url));
        event.geo = context.labels.get(region);
    }
    if let Some(speed) = usage.map(|u| &u.speed).filter(|speed| speed.str() != "standard") {
        event.speed = context.label(speed, "usage.speed")?;
    }
    Ok(())
}
