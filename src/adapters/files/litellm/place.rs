//! Where a call was answered and how fast, as far as prices depend on it.

use crate::domain::label::Label;
use crate::domain::price::region_of_answer;
use crate::domain::usage::UsageEvent;

use super::super::line::{Context, Fault};
use super::super::scalar::Scalar;
use super::super::seller;
use super::row::{Metadata, Row};
use super::usage::Usage;

/// Sets geography and speed: OpenAI's data residency, Vertex AI's location, else what the answer's usage says, at Bedrock the Region asked.
pub(super) fn set(
    row: &Row<'_>,
    metadata: &Metadata<'_>,
    usage: Option<&Usage<'_>>,
    event: &mut UsageEvent,
    context: &mut Context,
) -> Result<(), Fault> {
    let cost = metadata.cost_breakdown.as_ref();
    let host = host(row.api_base.str());
    let told = |value: Option<&Scalar<'_>>| value.map_or(String::new(), |v| v.str().to_ascii_lowercase());
    event.geo = match event.provider().as_str() {
        "openai" => {
            let place = told(cost.map(|c| &c.data_residency));
            let place = if place.is_empty() {
                before(host, ".api.openai.com")
            } else {
                &place
            };
            // Only these are endpoints with a price of their own.
            context
                .labels
                .get(if matches!(place, "us" | "eu") { place } else { "" })
        }
        "vertex" => {
            let place = told(cost.map(|c| &c.vertex_location));
            let place = match place.is_empty() {
                true => vertex(row.api_base.str()),
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
        let region = region_of_answer(event.model().as_str(), seller::region(host));
        event.geo = context.labels.get(region);
    }
    if let Some(speed) = usage.map(|u| &u.speed).filter(|speed| speed.str() != "standard") {
        event.speed = context.label(speed, "usage.speed")?;
    }
    Ok(())
}

/// The location of an endpoint of Vertex AI: `us-east5-aiplatform.googleapis.com`, of two continents `aiplatform.eu.rep.googleapis.com`, and
/// what a path behind any host tells, a proxy's too.
fn vertex(url: &str) -> &str {
    let host = host(url);
    let region = before(host, "-aiplatform.googleapis.com");
    if !region.is_empty() {
        return region;
    }
    let continent = host
        .strip_prefix("aiplatform.")
        .map(|rest| before(rest, ".rep.googleapis.com"));
    if let Some(continent) = continent.filter(|c| !c.is_empty()) {
        return continent;
    }
    let path = url.split_once("/locations/").map_or("", |(_, rest)| rest);
    path.split(['/', ':', '?']).next().unwrap_or("")
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':', '?']).next().unwrap_or("")
}

/// What stands before the end of a host's name; nothing where it ends otherwise.
fn before<'h>(host: &'h str, end: &str) -> &'h str {
    host.strip_suffix(end)
        .filter(|front| !front.contains('.'))
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_location_of_vertex_ai_is_read_from_its_hosts_and_from_the_path() {
        let path = "/v1/projects/p/locations/asia-east1/publishers/google/models/x:predict";
        for (host, location) in [
            ("us-east5-aiplatform.googleapis.com", "us-east5"),
            ("aiplatform.eu.rep.googleapis.com", "eu"),
            ("aiplatform.us.rep.googleapis.com:443", "us"),
            ("aiplatform.googleapis.com", "asia-east1"),
            ("proxy.example.com", "asia-east1"),
        ] {
            assert_eq!(vertex(&format!("https://{host}{path}")), location, "{host}");
        }
        let global = "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/x";
        assert_eq!(vertex(global), "global");
        for nowhere in [
            "",
            "https://aiplatform.googleapis.com",
            "https://aiplatform.rep.googleapis.com/v1",
        ] {
            assert_eq!(vertex(nowhere), "", "{nowhere}");
        }
    }
}
