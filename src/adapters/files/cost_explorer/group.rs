//! What a group of Cost Explorer's is about. Saved answers and those that are asked live are read by this, and by what reads a Cost and Usage
//! Report: one bill is the same whichever way it comes.

use std::borrow::Cow;

use super::super::{cur, tags};
use crate::domain::dimension::Dimension;
use crate::domain::spend::TokenSums;

#[cfg(feature = "aws")]
pub(crate) use super::super::cur::USAGE;

/// The metric that tells how much was used.
pub(crate) const QUANTITY: &str = "UsageQuantity";

/// The service of what a type of usage says to be use of models, where the answer tells no services.
const MODELS: &str = "Amazon Bedrock";

/// What the keys of a group say.
pub(crate) struct Named<'a> {
    /// The service.
    pub service: &'a str,
    /// Those that it may be of, where the answer does not tell.
    among: &'a [String],
    usage: &'a str,
    account: &'a str,
    record: &'a str,
    tags: Vec<((Dimension, u8), &'a str)>,
}

impl Default for Named<'_> {
    fn default() -> Self {
        Named {
            service: "",
            among: &[],
            usage: "",
            account: "",
            record: "Usage",
            tags: Vec::new(),
        }
    }
}

impl<'a> Named<'a> {
    /// Of an answer that is about these services alone, and does not tell them apart.
    #[cfg(feature = "aws")]
    pub fn among(services: &'a [String]) -> Self {
        let service = match services {
            [one] => one,
            _ => "",
        };
        Named {
            service,
            among: services,
            ..Named::default()
        }
    }

    /// Takes the key of one of the things that the answer is grouped by, which the interface calls by this kind and name.
    pub fn take(&mut self, kind: &str, name: &str, key: &'a str) {
        match (kind, name) {
            ("TAG" | "COST_CATEGORY", name) => {
                // The answer is `name$value`; no value: the tag is not set.
                let value = key.split_once('$').map_or(key, |(_, value)| value);
                let named = tags::named_of_bill(name, &["user_", "user:", "aws_", "aws:"]);
                // Whoever groups by a tag of another name wants to see it.
                let named = named.unwrap_or((Dimension::Project, u8::MAX));
                self.tags.extend((!value.is_empty()).then_some((named, value)));
            }
            (_, "SERVICE") => self.service = key,
            (_, "USAGE_TYPE") => self.usage = key,
            (_, "LINKED_ACCOUNT") => self.account = key,
            (_, "RECORD_TYPE") => self.record = key,
            _ => {}
        }
    }

    /// What the row of the group is summed by.
    pub fn names(&self) -> impl Iterator<Item = (Dimension, Cow<'_, str>)> {
        let model = cur::named_model(self.usage, self.service).unwrap_or_default();
        let own = [
            (Dimension::Provider, Cow::Borrowed("aws")),
            (Dimension::Service, self.service()),
            (Dimension::Model, Cow::Owned(model)),
            (Dimension::Account, Cow::Borrowed(self.account)),
            (Dimension::Category, Cow::Borrowed(cur::category(self.record))),
        ];
        let tags = tags::preferred(self.tags.clone()).map(|(dimension, value)| (dimension, Cow::Borrowed(value)));
        own.into_iter().chain(tags)
    }

    fn service(&self) -> Cow<'_, str> {
        let is_model = || {
            let tokens = cur::Counted::of(self.usage, "");
            tokens.is_some() || cur::named_model(self.usage, "").is_some()
        };
        match self.among {
            _ if !self.service.is_empty() => Cow::Borrowed(self.service),
            [] if is_model() => Cow::Borrowed(MODELS),
            among => Cow::Owned(among.join(", ")),
        }
    }

    /// The tokens of an amount of usage, or what is wrong with it.
    pub fn tokens(&self, amount: &str, unit: &str) -> Result<TokenSums, String> {
        match cur::category(self.record) {
            "Usage" => cur::usage_tokens(self.usage, amount, unit),
            _ => Ok(TokenSums::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(keys: &[(&str, &str, &str)], dimension: Dimension) -> String {
        let mut named = Named::default();
        keys.iter().for_each(|(kind, name, key)| named.take(kind, name, key));
        let name = named.names().find(|(known, _)| *known == dimension);
        name.map_or_else(String::new, |(_, name)| name.into_owned())
    }

    #[test]
    fn record_types_are_categories_as_kinds_of_lines_are() {
        for (record, expected) in [
            ("Usage", "Usage"),
            ("DiscountedUsage", "Usage"),
            ("SavingsPlanCoveredUsage", "Usage"),
            ("SavingsPlanNegation", "Usage"),
            ("Recurring", "Purchase"),
            ("Upfront", "Purchase"),
            ("RIFee", "Purchase"),
            ("SavingsPlanRecurringFee", "Purchase"),
            ("Credit", "Credit"),
            ("Tax", "Tax"),
            ("Refund", "Adjustment"),
            ("EdpDiscount", "Adjustment"),
        ] {
            let found = named(&[("DIMENSION", "RECORD_TYPE", record)], Dimension::Category);
            assert_eq!(found, expected, "{record}");
        }
    }

    #[test]
    fn a_tag_names_what_it_names_in_every_bill() {
        for (name, dimension) in [
            ("Team", Dimension::Team),
            ("team_name", Dimension::Team),
            ("app", Dimension::Agent),
            ("userId", Dimension::User),
            ("user:user_id", Dimension::User),
            ("CostCenter", Dimension::Project),
            ("account", Dimension::Project),
        ] {
            for kind in ["TAG", "COST_CATEGORY"] {
                let found = named(&[(kind, name, &format!("{name}$x"))], dimension);
                assert_eq!(found, "x", "{name}");
                assert_eq!(named(&[(kind, name, &format!("{name}$"))], dimension), "");
            }
        }
        let both = [("TAG", "team_id", "team_id$7"), ("TAG", "team", "team$ads")];
        assert_eq!(named(&both, Dimension::Team), "ads");
        let two = [("TAG", "team", "team$ads"), ("TAG", "app", "app$bot")];
        assert_eq!(
            (named(&two, Dimension::Team), named(&two, Dimension::Agent)),
            ("ads".into(), "bot".into())
        );
        let account = [("DIMENSION", "LINKED_ACCOUNT", "1"), ("TAG", "account", "account$prod")];
        assert_eq!(named(&account, Dimension::Account), "1");
        assert_eq!(
            named(&[("DIMENSION", "REGION", "us-east-1")], Dimension::Project),
            "",
            "a place is no project"
        );
    }

    #[test]
    fn a_type_of_usage_tells_that_it_is_of_models() {
        for (usage, expected) in [
            ("USE1-MP:USE1_InputTokenCount-Units", MODELS),
            ("USE1-NovaLite-output-tokens", MODELS),
            ("BoxUsage:m5.large", ""),
            ("", ""),
        ] {
            let found = named(&[("DIMENSION", "USAGE_TYPE", usage)], Dimension::Service);
            assert_eq!(found, expected, "{usage}");
        }
        let told = [
            ("DIMENSION", "SERVICE", "EC2 - Other"),
            ("DIMENSION", "USAGE_TYPE", "USE1-input-tokens"),
        ];
        assert_eq!(named(&told, Dimension::Service), "EC2 - Other");
    }
}
