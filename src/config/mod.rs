//! `finops.toml`: the settings, read once and checked once.

mod aws;
mod check;
mod columns;
mod contract;
mod kind;
mod load;
mod pricing;
mod store;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::table::table;
use crate::domain::written::optional_instant;

pub use aws::{AthenaConfig, AwsConfig, CostExplorerConfig, is_account};
pub use check::check;
pub use columns::ColumnConfig;
pub use contract::{CommitmentConfig, CommitmentKind, ContractConfig, CoversConfig, PerConfig};
pub use kind::SourceKind;
pub use load::ConfigError;
pub use pricing::{PriceMapConfig, ReconcileConfig, UnpricedConfig, coverage};
pub use store::{StoreUrl, default_ledger};

/// The whole of `finops.toml`. Every key is optional; unknown keys are errors.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How reports count, where nothing else is asked for.
    #[serde(deserialize_with = "table")]
    pub report: ReportConfig,
    /// Prefix of the names of everything that the engine owns in the cloud.
    pub namespace: String,
    /// The stage: `production`, `staging`, …
    pub environment: String,
    /// Where spend, alerts and deliveries are kept.
    #[serde(deserialize_with = "table")]
    pub store: StoreConfig,
    /// Where usage and bills are read. None given, no `[[cost_explorer]]` and no `[[athena]]`: the session logs of coding agents, where they usually
    /// are.
    #[serde(rename = "source")]
    pub sources: Vec<SourceConfig>,
    /// Who is told. None given: standard output of `finops run`.
    #[serde(rename = "notify")]
    pub channels: Vec<ChannelConfig>,
    /// Further price books, the most trusted first; the built-in book wins over them, `policies/prices` over that.
    #[serde(rename = "price_book")]
    pub price_books: Vec<PriceBookConfig>,
    /// Names in the logs that only you can explain, the first that fits wins.
    #[serde(rename = "price_map")]
    pub price_maps: Vec<PriceMapConfig>,
    /// What the account has agreed on list prices.
    #[serde(rename = "contract")]
    pub contracts: Vec<ContractConfig>,
    /// Capacity and seats at a flat cost.
    #[serde(rename = "commitment")]
    pub commitments: Vec<CommitmentConfig>,
    /// The alert about calls without a price.
    #[serde(deserialize_with = "table")]
    pub unpriced: UnpricedConfig,
    /// What accounts are charged, asked of AWS.
    #[serde(rename = "cost_explorer")]
    pub cost_explorers: Vec<CostExplorerConfig>,
    /// Bills in Athena.
    #[serde(rename = "athena")]
    pub athenas: Vec<AthenaConfig>,
    /// The alert about bills that metering does not cover.
    #[serde(deserialize_with = "table")]
    pub reconcile: ReconcileConfig,
    /// The job itself.
    #[serde(deserialize_with = "table")]
    pub runs: RunsConfig,
    /// The cloud account.
    #[serde(deserialize_with = "table")]
    pub aws: AwsConfig,
    /// The folder with `budgets/`, `prices/`, …, relative to the configuration file.
    pub policies: PathBuf,
    /// Whether the file says where the policies are: then they have to be there. Not a key of the file.
    #[serde(skip)]
    pub policies_named: bool,
    /// Bounds of one run.
    #[serde(deserialize_with = "table")]
    pub limits: LimitsConfig,
    /// The folder that relative paths start from: that of the configuration file. Not a key of the file.
    #[serde(skip)]
    pub base: PathBuf,
    /// The file that was read, if any. Not a key of the file.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            report: ReportConfig::default(),
            namespace: "finops".to_owned(),
            environment: "local".to_owned(),
            store: StoreConfig::default(),
            sources: Vec::new(),
            channels: Vec::new(),
            price_books: Vec::new(),
            price_maps: Vec::new(),
            contracts: Vec::new(),
            commitments: Vec::new(),
            unpriced: UnpricedConfig::default(),
            cost_explorers: Vec::new(),
            athenas: Vec::new(),
            reconcile: ReconcileConfig::default(),
            runs: RunsConfig::default(),
            aws: AwsConfig::default(),
            policies: PathBuf::from("policies"),
            policies_named: false,
            limits: LimitsConfig::default(),
            base: PathBuf::new(),
            file: None,
        }
    }
}

impl Config {
    /// Whether it names nothing that usage or bills are read from or asked of.
    #[must_use]
    pub fn names_no_source(&self) -> bool {
        self.sources.is_empty() && self.cost_explorers.is_empty() && self.athenas.is_empty()
    }
}

/// `[store]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `sqlite:PATH`, `dynamodb:` or `memory:`. Empty: `ledger.db` in the platform's data folder, which all settings without a `url` share.
    pub url: String,
    /// Days after recording for which calls and hourly sums are kept in detail. Daily totals are kept for good.
    pub detail_days: u32,
    /// Milliseconds that a `sqlite:` store waits for another process that writes to it, before it is told as locked.
    pub busy_timeout_ms: u64,
    /// Whether the address was given with the command. Not a key of the file.
    #[serde(skip)]
    pub named: bool,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig {
            url: String::new(),
            detail_days: 90,
            busy_timeout_ms: 30_000,
            named: false,
        }
    }
}

/// `[[source]]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Becomes the `source` dimension of what it reads.
    pub name: String,
    /// The format. Not given: told record by record.
    #[serde(default)]
    pub kind: Option<SourceKind>,
    /// Files, folders (searched for `.jsonl`, `.ndjson`, `.json`, `.csv` and `.parquet`, also `.gz` and `.zst`, and logs set aside such as
    /// `a.jsonl.1`) or globs; `~` is the home folder. With the feature `aws` also `s3://BUCKET/PREFIX`, all of them or none.
    /// Not given: where the format's tool keeps its logs.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Dimensions set on every record of this source that does not say: `team = "search"`.
    #[serde(default)]
    pub defaults: std::collections::BTreeMap<crate::domain::dimension::Dimension, String>,
    /// `plain`: which column of a foreign CSV or JSONL file is which field, `input_tokens = "ContextTokens"`; for counts, times and money
    /// also a product such as `"mean_tokens * requests * 600"`; `id = ["Date", "Model"]`. Columns that are not named are not read.
    #[serde(default)]
    pub columns: std::collections::BTreeMap<String, ColumnConfig>,
    /// `plain` with `columns`: fields that are the same in every record, `model = "gpt-4o"`.
    #[serde(default)]
    pub values: std::collections::BTreeMap<String, String>,
    /// `plain` with `columns`: the time that `ts` counts seconds from; not given, `ts` is a time.
    #[serde(default, deserialize_with = "optional_instant")]
    #[schemars(with = "Option<String>")]
    pub start: Option<chrono::DateTime<chrono::Utc>>,
    /// `openai-admin`, `anthropic-admin`: where the admin key is found: `env:NAME`, or with the feature `aws` `secret:NAME` in Secrets
    /// Manager (`secret:NAME#field` of a JSON secret). With it the interface is asked, without it `paths` are saved answers.
    #[serde(default)]
    pub key: Option<String>,
    /// `openai-admin`, `anthropic-admin`: the address before the path, for a gateway of one's own. https, or loopback.
    #[serde(default)]
    pub url: Option<String>,
    /// The region of the buckets that `paths` name. Not given: that of `[aws]`.
    #[serde(default)]
    pub region: Option<String>,
}

impl SourceConfig {
    /// Whether it is read from a bucket.
    #[must_use]
    pub fn is_in_bucket(&self) -> bool {
        self.paths.iter().any(|path| path.starts_with("s3://"))
    }
}

/// The kinds of channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelKind {
    /// Text on standard output.
    Stdout,
    /// One JSON document a line, appended to a file.
    File,
    /// A Slack incoming webhook.
    Slack,
    /// An HTTP POST of JSON, signed.
    Webhook,
    /// An SNS topic, for mail, queues, functions and chat.
    Sns,
}

/// `[[notify]]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelConfig {
    /// The name that policies send to.
    pub name: String,
    /// What it is.
    pub kind: ChannelKind,
    /// `file`: where it writes, relative to the configuration file.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// `slack`, `webhook`: where the address is found: `env:NAME`, or with the feature `aws` `secret:NAME`. A webhook address is a credential,
    /// so that it is never written here, except for loopback addresses.
    #[serde(default)]
    pub url: Option<String>,
    /// `webhook`: where the key of the HMAC-SHA256 signature is found: `env:NAME`, or with the feature `aws` `secret:NAME`.
    #[serde(default)]
    pub secret: Option<String>,
    /// `sns`: the ARN of the topic.
    #[serde(default)]
    pub topic: Option<String>,
    /// `slack`, `webhook`: hosts that messages may go to, beside `hooks.slack.com` and loopback.
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
}

/// The formats of price books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PriceBookKind {
    /// The TOML format of this program.
    Finops,
    /// LiteLLM's `model_prices_and_context_window.json`.
    Litellm,
    /// genai-prices' `data.json`, version 2.
    GenaiPrices,
}

/// `[[price_book]]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceBookConfig {
    /// The name in receipts.
    pub name: String,
    /// Its format.
    pub kind: PriceBookKind,
    /// The file, relative to the configuration file.
    pub path: PathBuf,
}

/// `[report]`: how `finops report` and the line of `finops run` count.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReportConfig {
    /// Whose days, weeks and months, where `--zone` says nothing: an IANA time zone. Of metered spend: bills count by UTC days.
    /// A budget has its own. Not given: UTC.
    pub time_zone: Option<String>,
}

impl ReportConfig {
    /// The zone, or what is wrong with it.
    pub fn zone(&self) -> Result<chrono_tz::Tz, String> {
        self.time_zone.as_deref().map_or(Ok(chrono_tz::Tz::UTC), time_zone)
    }
}

/// A time zone by its name in the IANA database.
pub fn time_zone(name: &str) -> Result<chrono_tz::Tz, String> {
    name.parse().map_err(|_| {
        let wanted = name.trim().replace(' ', "_").to_lowercase();
        let like = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).find(|known| {
            let known = known.to_lowercase();
            known == wanted || known.rsplit('/').next() == Some(wanted.as_str())
        });
        let hint = like.unwrap_or("Europe/Berlin");
        let how = if like.is_some() {
            "did you mean"
        } else {
            "write one such as"
        };
        format!("`{name}` is no time zone of the IANA database; {how} `{hint}`")
    })
}

/// `[runs]`: alerts about the job itself.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunsConfig {
    /// Runs come at least so often; a pause of twice that is told. 0: not watched (the function on AWS takes 24 for 0).
    pub expected_every_hours: u32,
    /// Spend is at most so old. 0: not watched (the function on AWS takes 48 for 0).
    pub stale_after_hours: u32,
}

/// `[limits]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Seconds for a whole run. Reading stops cleanly at three quarters of them and leaves the rest to the next run, so that
    /// there is time to evaluate and to tell.
    pub time_budget_seconds: u64,
    /// Seconds that one attempt to deliver a message may take.
    pub delivery_timeout_seconds: u64,
    /// Attempts to deliver a message within one run.
    pub delivery_attempts: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        LimitsConfig {
            time_budget_seconds: 600,
            delivery_timeout_seconds: 10,
            delivery_attempts: 4,
        }
    }
}
