//! Where a call was answered, as names on Bedrock and records beside them tell it.

use super::name::{Candidate, ROUTES};
use super::seller::{bare, is_apart, names};
use crate::domain::label::Label;

pub(super) const GEOGRAPHIES: [&str; 14] = [
    "us", "eu", "apac", "jp", "au", "ca", "sa", "me", "af", "uk", "in", "us-gov", "global", "regional",
];

/// Whether a name begins with a geography, as Bedrock's do.
pub(super) fn names_a_place(name: &str) -> bool {
    let front = name.rsplit('/').next().unwrap_or(name).split_once('.');
    front.is_some_and(|(front, _)| GEOGRAPHIES.contains(&front))
}

/// Whether a place is a Region of AWS: `eu-west-2`.
pub(super) fn is_region(place: &str) -> bool {
    place.contains('-') && place.ends_with(|c: char| c.is_ascii_digit())
}

/// The Region of AWS in which Bedrock was asked, where the model answers there: a profile, a Region or a geography in its name tells another
/// place, or the same by itself.
#[must_use]
pub fn region_of_answer<'r>(model: &str, region: &'r str) -> &'r str {
    let mut name = model.trim();
    for front in ROUTES {
        name = name.strip_prefix(front).unwrap_or(name);
    }
    let elsewhere = name.contains('/') || name.starts_with("arn:") || names_a_place(&name.to_lowercase());
    if !name.is_empty() && !elsewhere && is_region(region) {
        region
    } else {
        ""
    }
}

/// Whether a name on Bedrock begins with this place: `eu-west-2/x`, `eu.x`.
pub(super) fn names_this_place(name: &str, place: &str) -> bool {
    let rest = name.strip_prefix(place).filter(|_| !place.is_empty());
    rest.is_some_and(|rest| rest.starts_with(['/', '.']))
}

/// The names that a model has where a record tells the place apart from it, on Bedrock before all others (`eu-west-2/x`, `eu.x`), on Azure
/// each before its own (`eu/x`): a zone has prices for some snapshots of a family only. Elsewhere places are no part of names.
fn in_place(provider: &str, place: &str, tries: Vec<Candidate>) -> Vec<Candidate> {
    let place = place.to_lowercase();
    let mark = match provider {
        _ if place.is_empty() => return tries,
        "bedrock" if !is_region(&place) => '.',
        "bedrock" | "azure" => '/',
        _ => return tries,
    };
    let there = |c: &Candidate| {
        let bare = c.geography.is_empty() && !c.name.contains(['/', ' ']) && !names_a_place(&c.name);
        bare.then(|| Candidate {
            name: format!("{place}{mark}{}", c.name),
            how: OF_PLACE,
            ..c.clone()
        })
    };
    if provider == "azure" {
        return tries
            .into_iter()
            .flat_map(|c| there(&c).into_iter().chain([c]))
            .collect();
    }
    tries.iter().filter_map(there).chain(tries.iter().cloned()).collect()
}

/// The place of a call and the names that its model has there. A zone of Azure's before a name (`eu/x`) is the same as one beside it.
pub(super) fn placed(provider: &str, seller: &str, place: Label, name: &str) -> (Label, Vec<Candidate>) {
    let Some((zone, rest)) = zone(provider, name) else {
        return (place, in_place(provider, place.as_str(), names(seller, name)));
    };
    // A zone that has a price for the family alone has it for snapshots that have none there.
    let mut tries = names(seller, name);
    tries.iter_mut().for_each(|c| c.how = OF_PLACE);
    tries.extend(in_place(provider, zone, names(seller, rest)));
    (Label::new(zone), tries)
}

/// The zone of Azure that stands before a name as gateways write it (`eu/x`, `azure/eu/x`), and the name without it.
fn zone<'n>(provider: &str, name: &'n str) -> Option<(&'n str, &'n str)> {
    let (zone, rest) = bare(provider, name).split_once('/')?;
    let lower = zone.to_lowercase();
    let is_zone = GEOGRAPHIES.contains(&lower.as_str()) || lower == "global-standard";
    (provider == "azure" && is_zone && !is_apart(name)).then_some((zone, rest))
}

/// How a name came about that has the place of the call before it.
pub(super) const OF_PLACE: &str = "price of the place";

/// The location that the whole name of a model on Vertex AI tells: `projects/p/locations/us-east5/publishers/…`.
pub(super) fn location(name: &str) -> Option<&str> {
    let (project, rest) = name.split_once("/locations/")?;
    let (location, _) = rest.split_once('/')?;
    project.contains("projects/").then_some(location)
}
