//! What two spans tell of one call together, of which each tells what the other does not.

use super::super::node::{Call, outrank};
use super::Split;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, Requests, UsageEvent};

impl Split {
    /// Adds to an observation what this one tells beside it. The counts are those of whichever tells more of caches, else of this one; of two
    /// tiers the standard one is what was answered, whatever was asked for.
    pub fn complete(&self, call: &mut UsageEvent) {
        let known = self.observation(EventId([0; 16]), call.at);
        let own = *call;
        let (mut base, mut other) = (known, own);
        if Call::of(&own).caches() > Call::of(&known).caches() {
            (base, other) = (own, known);
        }
        call.tokens = base.tokens;
        if !base.tokens.has_media() {
            for medium in Bucket::MEDIA {
                // It is a part of what the base tells as text.
                let text = if medium.is_output() {
                    Bucket::Output
                } else {
                    Bucket::InputUncached
                };
                let (all, part) = (call.tokens.get(text), other.tokens.get(medium));
                call.tokens.set(text, all - part.min(all));
                call.tokens.set(medium, part.min(all));
            }
        }
        for dimension in [Dimension::Provider, Dimension::Model] {
            call.dimensions.set(dimension, base.dimensions.get(dimension));
        }
        let tiers = [known.tier(), own.tier()];
        let standard = tiers.into_iter().find(|tier| tier.as_str() == "standard");
        let tier = standard.unwrap_or_else(|| first(tiers));
        call.dimensions.set(Dimension::Tier, tier);
        call.geo = first([known.geo, own.geo]);
        call.speed = first([known.speed, own.speed]);
        call.extras = first([known.extras, own.extras]);
        let nothing = known.requests == Requests::default();
        call.requests = if nothing { own.requests } else { known.requests };
        outrank(call);
        call.reported_cost = own.reported_cost.or(known.reported_cost);
    }
}

/// The first that is given.
fn first([one, other]: [Label; 2]) -> Label {
    if one.is_empty() { other } else { one }
}
