//! `[aws]`: which account, which region, and how much asking may cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::domain::billed::{TAX, billed_provider};
use crate::domain::dimension::{Dimension, Dimensions};

/// `[aws]`. Used by the store `dynamodb:`, sources, channels and the function on AWS.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsConfig {
    /// The region. Not given: that of the environment or the profile.
    pub region: Option<String>,
    /// The account ids that may be read or written; asked of AWS before anything else. Empty: any.
    pub allowed_accounts: Vec<String>,
    /// Paid requests (Cost Explorer, $0.01 each) that one run may make.
    pub paid_requests_per_run: u32,
    /// Paid requests that a calendar month (UTC) may see. What the bills of its rest need is kept for them.
    pub paid_requests_per_month: u32,
    /// Hours within which a paid question is not asked again.
    pub refresh_hours: u32,
    /// Whether Cost Anomaly Detection is asked (paid).
    pub anomalies: bool,
    /// Whether AWS Budgets is asked.
    pub budgets: bool,
    /// Whether Cost Explorer's forecast is asked (paid), to be shown beside ours.
    pub forecast: bool,
}

impl Default for AwsConfig {
    fn default() -> Self {
        AwsConfig {
            region: None,
            allowed_accounts: Vec::new(),
            paid_requests_per_run: 6,
            paid_requests_per_month: 500,
            refresh_hours: 8,
            anomalies: false,
            budgets: false,
            forecast: false,
        }
    }
}

impl AwsConfig {
    /// Times that everything paid is asked in the longest month; none known where each run asks.
    fn refreshes(&self) -> u32 {
        match self.refresh_hours {
            0 => 0,
            hours => (31 * 24_u32).div_ceil(hours),
        }
    }

    /// Requests beside those for bills, each time.
    fn beside(&self) -> u32 {
        u32::from(self.anomalies) + u32::from(self.forecast)
    }
}

impl super::Config {
    /// Paid requests for all bills each time that they are asked, where each answer has one page.
    #[must_use]
    pub fn bill_requests(&self) -> u32 {
        self.cost_explorers.iter().map(|bill| 2 + u32::from(bill.hourly)).sum()
    }

    /// Paid requests of a run that asks everything, where each answer has one page.
    #[must_use]
    pub fn paid_requests_a_run(&self) -> u32 {
        self.bill_requests().saturating_add(self.aws.beside())
    }

    /// Paid requests that the longest month needs, where each answer has one page and nothing is asked twice.
    #[must_use]
    pub fn paid_requests_a_month(&self) -> u32 {
        self.paid_requests_a_run().saturating_mul(self.aws.refreshes())
    }
}

/// Whether a text is an AWS account id.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// `[[cost_explorer]]`: what an account is charged, as Cost Explorer says it. Each request costs $0.01.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostExplorerConfig {
    /// Becomes the `source` dimension of its rows.
    pub name: String,
    /// Services that are recorded, as patterns. Not given: those that sell AI.
    #[serde(default = "ai_services")]
    pub services: Vec<String>,
    /// What usage is broken down by, at most two of `service`, `usage-type`, `account`, `tag:NAME`.
    #[serde(default = "by_service_and_usage_type")]
    pub group_by: Vec<String>,
    /// Whether the last two weeks are asked by the hour.
    #[serde(default)]
    pub hourly: bool,
    /// Whether discounts and credits are spread over what they belong to.
    #[serde(default)]
    pub net: bool,
    /// Months that the first run asks for, this one included.
    #[serde(default = "two")]
    pub months: u32,
    /// The role to take in another account. Not given: the own account.
    #[serde(default)]
    pub role: Option<String>,
    /// What that role asks for as `sts:ExternalId`.
    #[serde(default)]
    pub external_id: Option<String>,
}

impl CostExplorerConfig {
    /// What is wrong with it.
    pub(super) fn problems(&self) -> Vec<ConfigError> {
        let mut problems = Vec::new();
        let mut wrong = |what: &str, hint: &str| {
            let what = format!("`[[cost_explorer]]` `{}` {what}", self.name);
            problems.push(ConfigError::new(what, hint));
        };
        let grouped = self.group_by.len();
        if !(1..=2).contains(&grouped) {
            wrong(
                &format!("groups by {grouped} things"),
                "Cost Explorer groups by one or two",
            );
        }
        for (at, by) in self.group_by.iter().enumerate() {
            if !is_grouping(by) {
                wrong(
                    &format!("groups by `{by}`, which is nothing to group by"),
                    "use `service`, `usage-type`, `account` or `tag:NAME`",
                );
            } else if self.group_by.iter().take(at).any(|before| before == by) {
                wrong(&format!("groups by `{by}` twice"), "Cost Explorer takes each once");
            }
        }
        if grouped == 0 || self.group_by.iter().any(|by| by == "service") {
            return problems;
        }
        let sells_models = |service: &String| {
            let row = Dimensions::default().with(Dimension::Provider, "aws");
            billed_provider(&row.with(Dimension::Service, service)).is_some()
        };
        // Taxes are no use of anything, and come with what is told by record type.
        let services = self.services.iter().filter(|service| *service != TAX);
        let models = services.clone().filter(|service| sells_models(service)).count();
        if self.services.is_empty() || self.services.iter().any(|s| s.contains(['*', '?', '[', '{'])) {
            wrong(
                "picks services by pattern and does not group by `service`",
                "Cost Explorer would answer for all services: group by `service` too, or name in full services that sell models, or others",
            );
        } else if models > 0 && models < services.count() {
            wrong(
                "names services that sell models beside others and does not group by `service`",
                "nothing would say which of it is use of models: group by `service` too, or give the others a `[[cost_explorer]]` of their own",
            );
        }
        problems
    }
}

/// Whether Cost Explorer can be asked to group by this.
fn is_grouping(by: &str) -> bool {
    matches!(by, "service" | "usage-type" | "account") || by.strip_prefix("tag:").is_some_and(|name| !name.is_empty())
}

fn ai_services() -> Vec<String> {
    [
        "*Bedrock*",
        "Amazon SageMaker*",
        "Amazon Q*",
        "Amazon Kendra*",
        "Amazon Comprehend*",
        "Amazon Textract*",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn by_service_and_usage_type() -> Vec<String> {
    vec!["service".to_owned(), "usage-type".to_owned()]
}

fn two() -> u32 {
    2
}

/// `[[athena]]`: a Cost and Usage Report in Athena, summed up where it lies by one statement. Athena charges for the bytes that it scans.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AthenaConfig {
    /// Becomes the `source` dimension of its rows.
    pub name: String,
    /// The database.
    pub database: String,
    /// The table or view with the columns of CUR 2.0.
    pub table: String,
    /// The column of its partitions by month, `2026-10`.
    #[serde(default = "billing_period")]
    pub partition: String,
    /// The column with the names of products, `product_product_name` in tables without maps. Empty: there is none. Not given:
    /// `product['product_name']`, and none where a tag is a column of its own (`resource_tags_…`), as in tables without maps.
    #[serde(default)]
    pub product_name: Option<String>,
    /// Products that are read by code or name, such as `AmazonBedrock`; `%` stands for anything. None given: all.
    #[serde(default)]
    pub products: Vec<String>,
    /// Columns, or keys of one, that tell dimensions: `team = "resource_tags['user_team']"`.
    #[serde(default)]
    pub tags: std::collections::BTreeMap<Dimension, String>,
    /// Whether the table has the columns of savings plans and reservations.
    #[serde(default = "yes")]
    pub amortized: bool,
    /// Whether it has the columns of costs after discounts (`…_net_…`). Not given: as `amortized`.
    #[serde(default)]
    pub net: Option<bool>,
    /// The workgroup.
    #[serde(default = "primary")]
    pub workgroup: String,
    /// Where Athena keeps its answers: `s3://BUCKET/PREFIX`. Not given: what the workgroup says.
    #[serde(default)]
    pub output: Option<String>,
    /// Gigabytes that one statement may scan; beyond that it is stopped.
    #[serde(default = "ten")]
    pub max_scan_gb: u32,
    /// Months that the first run reads, this one included.
    #[serde(default = "two")]
    pub months: u32,
    /// Dimensions set on every row that does not say.
    #[serde(default)]
    pub defaults: std::collections::BTreeMap<crate::domain::dimension::Dimension, String>,
    /// The role to take in another account. Not given: the own account.
    #[serde(default)]
    pub role: Option<String>,
    /// What that role asks for as `sts:ExternalId`.
    #[serde(default)]
    pub external_id: Option<String>,
}

impl AthenaConfig {
    /// [`AthenaConfig::product_name`], or what it is where it is not given.
    #[must_use]
    pub fn product_name(&self) -> String {
        let flat = |column: &String| column.starts_with("resource_tags_");
        match &self.product_name {
            Some(given) => given.clone(),
            None if self.tags.values().any(flat) => String::new(),
            None => "product['product_name']".to_owned(),
        }
    }

    /// What is wrong with it.
    pub(super) fn problems(&self) -> Vec<ConfigError> {
        use Dimension::{
            Account, Agent, Category, Model, Project, Provider, Service, Source, Team, Tier, User, Workflow,
        };
        let mut problems = Vec::new();
        for dimension in self.tags.keys() {
            match dimension {
                Team | Agent | Workflow | User | Project | Account => {}
                Provider | Model | Service | Source | Tier | Category => problems.push(ConfigError::new(
                    format!(
                        "`[[athena]]` `{}` has a tag for `{}`, which the bill itself tells or nothing does",
                        self.name,
                        dimension.name()
                    ),
                    "tags tell `team`, `agent`, `workflow`, `user`, `project` and `account`",
                )),
            }
        }
        if self.max_scan_gb == 0 {
            problems.push(ConfigError::new(
                format!("`max_scan_gb` of `[[athena]]` `{}` is 0", self.name),
                "each statement would be stopped, and paid for; give a number above 0, or leave it out for 10",
            ));
        }
        problems
    }
}

fn billing_period() -> String {
    "billing_period".to_owned()
}

fn primary() -> String {
    "primary".to_owned()
}

fn yes() -> bool {
    true
}

fn ten() -> u32 {
    10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_no_row_would_carry_and_a_bound_of_nothing_are_refused() {
        let problems = |more: &str| {
            let given = "name = \"cur\"\ndatabase = \"b\"\ntable = \"t\"\n";
            let config: AthenaConfig = toml::from_str(&format!("{given}{more}")).unwrap();
            let problems = config.problems().into_iter();
            problems
                .map(|problem| problem.to_string())
                .collect::<Vec<_>>()
                .join("; ")
        };
        let fine =
            "tags = { team = \"a\", agent = \"b\", workflow = \"c\", user = \"d\", project = \"e\", account = \"f\" }";
        assert_eq!(problems(fine), "");
        for dimension in ["model", "service", "provider", "tier", "category", "source"] {
            let told = problems(&format!("tags = {{ {dimension} = \"a\" }}"));
            assert!(told.contains(&format!("has a tag for `{dimension}`")), "{told}");
        }
        assert!(problems("max_scan_gb = 0").contains("`max_scan_gb` of `[[athena]]` `cur` is 0"));
        assert_eq!(problems("max_scan_gb = 1"), "");
    }

    #[test]
    fn an_answer_that_does_not_tell_services_is_about_models_or_about_none() {
        let problems = |services: &str, group_by: &str| {
            let text = format!("name = \"ce\"\nservices = {services}\ngroup_by = {group_by}\n");
            let config: CostExplorerConfig = toml::from_str(&text).unwrap();
            let problems = config.problems().into_iter();
            problems
                .map(|problem| problem.to_string())
                .collect::<Vec<_>>()
                .join("; ")
        };
        let models = "[\"Amazon Bedrock\", \"Claude Sonnet 4.6 (Amazon Bedrock Edition)\"]";
        let (others, mixed) = (
            "[\"Amazon SageMaker\", \"Amazon Kendra\"]",
            "[\"Amazon Bedrock\", \"Amazon Kendra\"]",
        );
        for services in [models, others, mixed, "[\"*Bedrock*\"]"] {
            assert_eq!(problems(services, "[\"service\", \"account\"]"), "", "{services}");
        }
        assert_eq!(
            problems(models, "[\"account\"]") + &problems(others, "[\"account\"]"),
            ""
        );
        let taxed = "[\"Amazon Bedrock\", \"Tax\"]";
        assert_eq!(problems(taxed, "[\"account\"]"), "");
        let told = problems(mixed, "[\"account\"]");
        assert!(told.contains("names services that sell models beside others"), "{told}");
        for services in ["[\"*Bedrock*\"]", "[]"] {
            let told = problems(services, "[\"usage-type\"]");
            assert!(told.contains("picks services by pattern"), "{told}");
        }
        for group_by in ["[]", "[\"service\", \"account\", \"tag:team\"]"] {
            assert!(problems(models, group_by).contains("groups by"), "{group_by}");
        }
        // Each run would end with it, or be refused by AWS when it is paid for.
        for (by, told) in [
            ("region", "`ce` groups by `region`, which is nothing"),
            ("tag:", "`ce` groups by `tag:`, which is nothing"),
            ("service", "`ce` groups by `service` twice"),
        ] {
            let problems = problems(models, &format!("[\"service\", \"{by}\"]"));
            assert!(problems.contains(told), "{problems}");
        }
        assert_eq!(problems(models, "[\"tag:team\", \"tag:Team\"]"), "");
    }

    #[test]
    fn a_table_without_maps_is_not_asked_for_one() {
        let given = "name = \"cur\"\ndatabase = \"b\"\ntable = \"t\"\n";
        for (more, product) in [
            ("", "product['product_name']"),
            (
                "tags = { team = \"resource_tags['user_team']\" }",
                "product['product_name']",
            ),
            (
                "tags = { user = \"line_item_iam_principal\" }",
                "product['product_name']",
            ),
            ("tags = { team = \"resource_tags_user_team\" }", ""),
            (
                "tags = { team = \"resource_tags_user_team\" }\nproduct_name = \"product_product_name\"",
                "product_product_name",
            ),
        ] {
            let config: AthenaConfig = toml::from_str(&format!("{given}{more}")).unwrap();
            assert_eq!(config.product_name(), product, "{more}");
        }
    }
}
