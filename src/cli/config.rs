//! `finops config`.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use chrono_tz::Tz;
use clap::Subcommand;

use super::{CliError, Context, Exit, Format, price, text, wire};
use crate::adapters::policies::{not_read, schema};
use crate::adapters::prices::BookPricer;
use crate::config::{ChannelKind, Config, SourceConfig, SourceKind, StoreUrl};
use crate::domain::budget::{Budget, BudgetPeriod};
use crate::domain::contract::Per;
use crate::domain::period::{Hour, minutes_before_an_hour};
use crate::domain::price::Books;
use crate::domain::which::Which;
use crate::ports::UsageSource;

/// The arguments of `finops config`.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    /// What to do
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What can be done with settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the settings and explain them
    Check,
    /// Print the JSON Schema of finops.toml
    Schema {
        /// Of the files below `policies/` instead
        #[arg(long)]
        policies: bool,
    },
    /// Print the settings in force, defaults included
    Show,
}

impl ConfigArgs {
    /// Whether the settings are read.
    #[must_use]
    pub fn needs_config(&self) -> bool {
        !matches!(self.command, ConfigCommand::Schema { .. })
    }
}

/// Runs `finops config`.
pub fn run(ctx: &mut Context<'_>, args: &ConfigArgs) -> Result<Exit, CliError> {
    if !matches!(ctx.format, Format::Table) && args.needs_config() {
        return Err(CliError::usage("`finops config` has no such format").hint(
            "leave `--format` out: `check` writes text and says by its exit code what it found, `show` writes TOML",
        ));
    }
    match args.command {
        ConfigCommand::Check => check(ctx),
        ConfigCommand::Schema { policies } => {
            let schema = if policies {
                schema()
            } else {
                schemars::schema_for!(Config).to_value()
            };
            writeln!(ctx.out, "{schema:#}")?;
            Ok(Exit::Fine)
        }
        ConfigCommand::Show => {
            let text = toml::to_string_pretty(&ctx.config)
                .map_err(|cause| CliError::incomplete(format!("cannot write the settings: {cause}")))?;
            write!(ctx.out, "{text}")?;
            Ok(Exit::Fine)
        }
    }
}

fn check(ctx: &mut Context<'_>) -> Result<Exit, CliError> {
    let config = &ctx.config;
    let mut sound = true;
    let lacking = wire::cloud::lacking();
    let mut lines = vec![match &config.file {
        Some(file) => format!("settings     {}", file.display()),
        None => "settings     none found: the defaults".to_owned(),
    }];
    lines.push(match config.store_url()? {
        StoreUrl::Memory => "store        memory, gone when the command ends".to_owned(),
        StoreUrl::Dynamodb => format!(
            "store        the DynamoDB tables {0}-ai-costs-{1} and {0}-cost-alerts-{1}{2}",
            config.namespace,
            config.environment,
            unusable(lacking.clone(), &mut sound)
        ),
        StoreUrl::Sqlite(path) => {
            let state = if path.exists() { "" } else { " (not there yet)" };
            format!("store        {}{state}", path.display())
        }
    });
    if config.file.is_some() && config.store.url.is_empty() {
        lines.push(
            "note         settings without `[store] url` share this ledger, and call each other's alerts over; \
             `url = \"sqlite:finops.db\"` is a new one beside the file"
                .to_owned(),
        );
    }
    for source in wire::configured(ctx)? {
        let name = source.name();
        let kind = config.sources.iter().find(|given| given.name == name.as_str());
        let kind = match kind.map(|given| given.kind) {
            Some(Some(kind)) => word(&kind),
            Some(None) => "any format".to_owned(),
            None => "at its usual place, since no source is configured".to_owned(),
        };
        let found = match source.found() {
            Ok(0) if !source.places().is_empty() => {
                let places = source.places().iter().map(|place| place.display().to_string());
                format!("0 files in {}", places.collect::<Vec<_>>().join(", "))
            }
            Ok(files) => {
                let told = source.told().map(|told| format!("; {told}"));
                text::counted(files as u64, "file") + &told.unwrap_or_default()
            }
            Err(cause) => {
                sound = false;
                format!("NOT READABLE: {cause}")
            }
        };
        lines.push(format!("source       {name}: {kind}; {found}"));
    }
    for source in config.sources.iter().filter(|s| s.key.is_some()) {
        let kind = source.kind.as_ref().map_or_else(String::new, word);
        let key = source.key.as_deref().unwrap_or_default();
        // What is kept in the account is asked for when it is needed.
        let state = match key.strip_prefix("env:").map(std::env::var) {
            Some(Ok(_)) => String::new(),
            None if key.starts_with("secret:") => unusable(lacking.clone(), &mut sound),
            Some(Err(_)) | None => {
                sound = false;
                " (NOT FOUND)".to_owned()
            }
        };
        lines.push(format!(
            "source       {}: {kind}; asked with the key in {key}{state}",
            source.name
        ));
    }
    for source in config.sources.iter().filter(|s| s.is_in_bucket()) {
        let kind = source.kind.as_ref().map_or_else(|| "any format".to_owned(), word);
        lines.push(format!(
            "source       {}: {kind}; {}{}",
            source.name,
            source.paths.join(", "),
            unusable(lacking.clone(), &mut sound)
        ));
    }
    for explorer in &config.cost_explorers {
        let state = unusable(lacking.clone(), &mut sound);
        lines.push(format!("source       {}: Cost Explorer{state}", explorer.name));
    }
    for athena in &config.athenas {
        let (name, database, table) = (&athena.name, &athena.database, &athena.table);
        let cause = lacking.clone().or_else(|| wire::cloud::query(athena).err());
        let state = unusable(cause, &mut sound);
        lines.push(format!("source       {name}: Athena, `{database}.{table}`{state}"));
    }
    if wire::asks_aws(config) && lacking.is_some() {
        let state = unusable(lacking.clone(), &mut sound);
        lines.push(format!("aws          what it says of the account{state}"));
    }
    let (needed, cap) = (config.paid_requests_a_run(), config.aws.paid_requests_per_run);
    if needed > cap {
        sound = false;
        lines.push(format!(
            "paid         {} a run of at most {cap} (NOT ENOUGH: raise `aws.paid_requests_per_run`; what comes last is never asked)",
            text::counted(u64::from(needed), "request")
        ));
    }
    let (needed, cap) = (config.paid_requests_a_month(), config.aws.paid_requests_per_month);
    if needed > 0 {
        sound &= needed <= cap;
        let state = match needed <= cap {
            true => "",
            false => " (NOT ENOUGH: raise `aws.paid_requests_per_month` or `aws.refresh_hours`)",
        };
        lines.push(format!(
            "paid         {} a month of at most {cap}, a cent each{state}",
            text::counted(u64::from(needed), "request")
        ));
    }
    if config.channels.is_empty() {
        lines.push("channel      standard output of `finops run`".to_owned());
    }
    for channel in &config.channels {
        let in_aws = channel.kind == ChannelKind::Sns || wire::is_kept(channel);
        let cause = lacking.clone().filter(|_| in_aws);
        let state = unusable(cause.or_else(|| wire::unusable(ctx, channel)), &mut sound);
        lines.push(format!("channel      {}: {}{state}", channel.name, word(&channel.kind)));
    }
    for book in &config.price_books {
        let path = config.resolve(&book.path);
        sound &= path.is_file();
        let state = if path.is_file() { "" } else { " (NOT FOUND)" };
        lines.push(format!("price book   {}: {}{state}", book.name, path.display()));
    }
    let books = price::load(ctx);
    lines.extend(agreed(ctx, books.as_ref().ok().map(BookPricer::books), &mut sound)?);
    lines.extend(budgets(ctx)?);
    let zone = config.report.zone().ok().and_then(|zone| split_hour(zone, ctx.now));
    lines.extend(zone.map(|told| format!("note         [report] time_zone: {told}")));
    for line in lines {
        writeln!(ctx.out, "{}", text::clean(&line))?;
    }
    if !sound {
        return Ok(Exit::Findings);
    }
    // A book that cannot be used stops every run.
    books?;
    Ok(Exit::Fine)
}

/// What is agreed and what names stand for, with what no price book knows of it: it would never apply, and nothing would say so.
fn agreed(ctx: &Context<'_>, books: Option<&Books>, sound: &mut bool) -> Result<Vec<String>, CliError> {
    let terms = wire::terms(ctx)?;
    let mut of = |which: &Which| {
        // A pattern may be of spellings of a provider that no book has.
        let pattern = which.provider.is_empty() || which.provider.contains(['*', '?']);
        let known = pattern || books.is_none_or(|books| books.sells(&which.provider));
        *sound &= known;
        let state = match known {
            true => String::new(),
            false => format!(" (NOT KNOWN: no price book has a provider `{}`)", which.provider),
        };
        (which.text(), state)
    };
    let mut lines = Vec::new();
    for contract in &terms.contracts {
        let (which, state) = of(&contract.which);
        let day = |word: &str, day: Option<NaiveDate>| day.map_or(String::new(), |day| format!(", {word} {day}"));
        lines.push(format!(
            "contract     {}: {} % {} on {which}{}{}{state}",
            contract.name,
            contract.percent.normalize(),
            contract.kind.name(),
            day("from", contract.from),
            day("before", contract.to),
        ));
    }
    for commitment in &terms.commitments {
        // It also covers calls that have no price.
        let covers = commitment.covers.as_ref();
        let covers = covers.map_or(String::new(), |which| format!(", covers {}", which.text()));
        let per = match commitment.per {
            Per::Hour => "hour",
            Per::Month => "month",
        };
        let to = commitment
            .to
            .map_or(String::new(), |to| format!(", before {}", to.date_naive()));
        lines.push(format!(
            "flat cost    {}: {} per {per} from {}{to}{covers}",
            commitment.name,
            text::money(commitment.amount),
            commitment.from.date_naive(),
        ));
    }
    for map in books.into_iter().flat_map(Books::maps) {
        let known = books.is_none_or(|books| books.knows(map));
        *sound &= known;
        let state = if known {
            ""
        } else {
            " (NOT KNOWN: no price book has it)"
        };
        let target = if map.free { "free" } else { map.model.as_str() };
        let of = [("provider", &map.provider), ("account", &map.account)];
        let of = of.into_iter().filter(|(_, name)| !name.is_empty());
        let of: String = of.map(|(what, name)| format!(" of {what} {name}")).collect();
        lines.push(format!("price map    {}{of}: {target}{state}", map.name));
    }
    Ok(lines)
}

/// What is written behind what cannot be used, and why.
fn unusable(cause: Option<String>, sound: &mut bool) -> String {
    *sound &= cause.is_none();
    cause.map_or_else(String::new, |cause| format!(" (NOT USABLE: {cause})"))
}

/// The budgets with where they tell; a channel that does not exist would be found out only when it matters.
fn budgets(ctx: &Context<'_>) -> Result<Vec<String>, CliError> {
    let folder = ctx.config.policies_dir();
    let budgets = wire::budgets(ctx)?;
    let mut lines = Vec::new();
    for path in not_read(&folder).map_err(|cause| CliError::usage(cause.to_string()))? {
        lines.push(format!("budget       {} (NOT READ)", path.display()));
    }
    if budgets.is_empty() {
        let folder = folder.join("budgets");
        lines.push(format!("budget       none in {}", folder.display()));
    }
    for budget in budgets {
        let told = if budget.channels.is_empty() {
            "all channels".to_owned()
        } else {
            budget.channels.join(", ")
        };
        lines.push(format!(
            "budget       {}: {} per {} for {}, {}, tells {told}",
            budget.name,
            text::money(budget.amount),
            budget.period_name(),
            budget.about(),
            budget.basis.name(),
        ));
        let notes = notes(&budget, ctx.now);
        let notes = notes.chain(told_by_days(&budget, &ctx.config));
        lines.extend(notes.map(|told| format!("note         {}: {told}", budget.name)));
    }
    Ok(lines)
}

/// What has to be said of a budget to which no call counts, or whose days or period begin within an hour of UTC.
pub(super) fn notes(budget: &Budget, now: DateTime<Utc>) -> impl Iterator<Item = String> + use<> {
    let period = match budget.period {
        BudgetPeriod::Custom(period) => split_start(period.start),
        BudgetPeriod::Calendar(_) => None,
    };
    let currency = budget.counts_no_calls();
    currency.into_iter().chain(split_hour(budget.zone, now)).chain(period)
}

/// What has to be said of days elsewhere where a source tells its usage by days of UTC.
fn told_by_days(budget: &Budget, config: &Config) -> Option<String> {
    let by_days = [SourceKind::OpenaiAdmin, SourceKind::AnthropicAdmin];
    let tells = |source: &&SourceConfig| source.kind.is_some_and(|kind| by_days.contains(&kind));
    let source = config.sources.iter().find(tells)?;
    let is_elsewhere = budget.zone != Tz::UTC && matches!(budget.period, BudgetPeriod::Calendar(_));
    let told = format!(
        "usage of `{}` is told by days of UTC, and counts to the day of their date in {}",
        source.name, budget.zone
    );
    is_elsewhere.then_some(told)
}

fn split_start(start: DateTime<Utc>) -> Option<String> {
    let hour = Hour::of(start);
    let [hour, next] = [hour, Hour(hour.0 + 1)].map(|hour| hour.start().to_rfc3339_opts(SecondsFormat::Secs, true));
    (Hour::of(start).start() != start).then(|| {
        format!("spend is summed by whole hours of UTC, so that its period counts from {next} on; let it start with an hour, such as {hour}")
    })
}

/// What has to be said of a zone whose days begin within an hour of UTC.
fn split_hour(zone: Tz, now: DateTime<Utc>) -> Option<String> {
    let minutes = minutes_before_an_hour(zone, now)?;
    Some(format!(
        "spend is summed by whole hours of UTC, so that the first {minutes} minutes of a day in {zone} count to the day before"
    ))
}

/// The name of a unit variant as the file spells it.
fn word(kind: &impl serde::Serialize) -> String {
    serde_json::to_value(kind)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
