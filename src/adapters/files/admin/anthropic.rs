//! Anthropic's usage and cost reports, as pages of buckets. Input is what was neither read from nor written to a cache; amounts are cents.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::money::{Currency, mul_bounded};
use crate::domain::usage::Rank;

use super::super::bills::{BillRow, CostBucket};
use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::object;
use super::super::scalar::Scalar;
use super::super::tier;
use super::analytics::{flat, further};
use super::{About, Told};

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, default, deserialize_with = "object::given")]
    data: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    #[serde(borrow, default)]
    starting_at: Scalar<'a>,
    #[serde(borrow, default)]
    ending_at: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::given")]
    results: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow, default)]
    uncached_input_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    cache_creation: Option<Creation<'a>>,
    #[serde(borrow, default)]
    cache_read_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    server_tool_use: Option<Tools<'a>>,
    #[serde(borrow, default)]
    api_key_id: Scalar<'a>,
    #[serde(borrow, default)]
    workspace_id: Scalar<'a>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default)]
    service_tier: Scalar<'a>,
    #[serde(borrow, default)]
    context_window: Scalar<'a>,
    #[serde(borrow, default)]
    inference_geo: Scalar<'a>,
    #[serde(borrow, default)]
    speed: Scalar<'a>,
    #[serde(borrow, default)]
    account_id: Scalar<'a>,
    #[serde(borrow, default)]
    service_account_id: Scalar<'a>,
    /// A person in several groups is in the rows of each.
    #[serde(borrow, default)]
    rbac_group_id: Scalar<'a>,
    /// Of answers by person: who it was.
    #[serde(borrow, default, deserialize_with = "object::one")]
    actor: Option<Actor<'a>>,
    // Of costs.
    #[serde(borrow, default)]
    amount: Option<&'a RawValue>,
    #[serde(borrow, default)]
    currency: Scalar<'a>,
    #[serde(borrow, default)]
    cost_type: Scalar<'a>,
    #[serde(borrow, default)]
    description: Scalar<'a>,
}

impl Row<'_> {
    /// Whether it is one of costs, also where it does not say how much: that is unknown then, and no call of nothing.
    fn is_cost(&self, about: Option<About>) -> bool {
        let named = [&self.currency, &self.cost_type, &self.description];
        let counted = [&self.uncached_input_tokens, &self.output_tokens];
        let of_costs = self.amount.is_some() || about == Some(About::Costs);
        of_costs || named.iter().any(|key| !key.is_null()) && counted.iter().all(|count| count.is_null())
    }
}

#[derive(Deserialize, Default)]
struct Creation<'a> {
    #[serde(borrow, default)]
    ephemeral_5m_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    ephemeral_1h_input_tokens: Scalar<'a>,
}

#[derive(Deserialize)]
struct Actor<'a> {
    #[serde(borrow, default)]
    email_address: Scalar<'a>,
    #[serde(borrow, default)]
    user_id: Scalar<'a>,
    #[serde(borrow, default)]
    service_account_id: Scalar<'a>,
    #[serde(borrow, default)]
    api_key_id: Scalar<'a>,
    #[serde(borrow, default)]
    subject: Scalar<'a>,
}

#[derive(Deserialize)]
struct Tools<'a> {
    #[serde(borrow, default)]
    web_search_requests: Scalar<'a>,
}

/// Reads pages, and buckets out of pages.
#[derive(Default)]
pub(in super::super) struct AnthropicAdmin {
    about: Option<About>,
    /// The instant that counts as now, of a live answer.
    now: Option<DateTime<Utc>>,
    /// The buckets of a live answer.
    pub told: Vec<Told>,
}

impl AnthropicAdmin {
    /// A reader of live answers to a question about something.
    pub fn of(about: About, now: DateTime<Utc>) -> Self {
        AnthropicAdmin {
            about: Some(about),
            now: Some(now),
            told: Vec::new(),
        }
    }
}

impl LineFormat for AnthropicAdmin {
    fn record(&mut self, text: &str, line: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let page: Page<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        // As loops over pages collect them.
        let alone_told = page.data.is_none().then(|| serde_json::from_str::<&RawValue>(text));
        let alone_told = alone_told.and_then(Result::ok);
        for raw in page.data.into_iter().flatten().chain(alone_told) {
            let bucket: Bucket<'_> = serde_json::from_str(raw.get()).map_err(|e| Fault::json(&e))?;
            if alone_told.is_some() && bucket.starting_at.is_null() && bucket.results.is_none() {
                continue;
            }
            if self.about.is_none() && bucket.results.is_none() {
                // Of answers by person: a bucket of its own.
                if let Err(fault) = alone(raw, &bucket, line, context, out) {
                    out.faults.push(fault);
                }
                continue;
            }
            let start = context.time(&bucket.starting_at, "starting_at", out)?;
            let period = super::period(start, &bucket.ending_at, "ending_at")?;
            let faults_before = out.faults.len();
            let results = bucket.results.as_deref().unwrap_or_default();
            let mut costs = super::begun(self.about, bucket.results.is_some(), results.len())?;
            for raw in results {
                let row = serde_json::from_str::<Row<'_>>(raw.get()).map_err(|e| Fault::json(&e));
                let of_costs = row.as_ref().is_ok_and(|row| row.is_cost(self.about));
                let told = row.and_then(|row| {
                    let told = match of_costs {
                        true => cost(&row, start, context).map(|row| costs.get_or_insert_default().push(row)),
                        false => usage(raw, &row, &bucket, (line, self.now), context, out),
                    };
                    let whose = [
                        ("model", &row.model),
                        ("of", &row.description),
                        ("workspace", &row.workspace_id),
                    ];
                    told.map_err(|fault| match self.about {
                        Some(_) => super::placed(fault, start, &whose),
                        None => fault,
                    })
                });
                // A row that is not usable does not take the others of its page along.
                if let Err(fault) = told {
                    out.faults_of_usage += u64::from(!of_costs);
                    out.faults.push(fault);
                }
            }
            if self.about.is_some() {
                let faults = out.faults.len() - faults_before;
                self.told.push(Told { start, faults });
            }
            if let Some(rows) = costs {
                out.buckets.push(CostBucket {
                    account: "anthropic-costs",
                    period,
                    rows,
                    continues: false,
                });
            }
        }
        Ok(())
    }
}

/// A row that is a bucket itself.
fn alone(raw: &RawValue, bucket: &Bucket<'_>, line: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
    let flat = flat(raw)?;
    let raw = flat.as_deref().unwrap_or(raw);
    let row: Row<'_> = serde_json::from_str(raw.get()).map_err(|e| Fault::json(&e))?;
    if row.is_cost(None) {
        return Err(Fault::field(
            "results",
            "missing: costs are read from the cost report, not by person",
        ));
    }
    if row.uncached_input_tokens.is_null() && row.output_tokens.is_null() {
        return Err(Fault::field("results", "missing"));
    }
    out.faults_of_usage += 1;
    if bucket.starting_at.is_null() {
        return Err(Fault::field("starting_at", "missing: ask with `bucket_width=1d`"));
    }
    if !bucket.ending_at.is_null() {
        let start = context.time(&bucket.starting_at, "starting_at", out)?;
        super::period(start, &bucket.ending_at, "ending_at")?;
    }
    usage(raw, &row, bucket, (line, None), context, out)?;
    // Identities that the interface may not show have rows of their own, which say the same of themselves.
    if flat.is_some()
        && let Some((last, rest)) = out.events.split_last()
        && rest
            .iter()
            .any(|row| (row.id, row.rank.line) == (last.id, last.rank.line))
    {
        out.events.pop();
        let what = "a row says the same of itself as another one of its answer: ask without `group_by[]=actor`";
        return Err(Fault::field("group", what));
    }
    out.faults_of_usage -= 1;
    Ok(())
}

/// Groups overlap: a person in two of them is in the rows of both, which together are more than what was used.
fn refuse_groups(row: &Row<'_>) -> Result<(), Fault> {
    match row.rbac_group_id.is_null() {
        true => Ok(()),
        false => Err(Fault::field(
            "rbac_group_id",
            "groups overlap, so that their rows are more than what was used: ask without them",
        )),
    }
}

fn usage(
    raw: &RawValue,
    row: &Row<'_>,
    bucket: &Bucket<'_>,
    (line, now): (u64, Option<DateTime<Utc>>),
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    refuse_groups(row)?;
    let start = context.time(&bucket.starting_at, "starting_at", out)?;
    let none = Creation::default();
    let creation = row.cache_creation.as_ref().unwrap_or(&none);
    let counts = Counts {
        input: row.uncached_input_tokens.count("uncached_input_tokens")?,
        read: row.cache_read_input_tokens.count("cache_read_input_tokens")?,
        write_5m: creation
            .ephemeral_5m_input_tokens
            .count("cache_creation.ephemeral_5m_input_tokens")?,
        write_1h: creation
            .ephemeral_1h_input_tokens
            .count("cache_creation.ephemeral_1h_input_tokens")?,
        output: row.output_tokens.count("output_tokens")?,
        ..Counts::default()
    };
    let mut keys = vec![
        &bucket.starting_at,
        &bucket.ending_at,
        &row.api_key_id,
        &row.workspace_id,
        &row.model,
        &row.service_tier,
        &row.context_window,
        &row.inference_geo,
        &row.speed,
    ];
    // Answers that do not tell accounts keep their identity.
    let accounts = [&row.account_id, &row.service_account_id];
    if accounts.iter().any(|account| !account.is_null()) {
        keys.extend(accounts);
    }
    let who = row.actor.as_ref();
    if let Some(actor) = who {
        keys.push(&actor.user_id);
        // Who is no person: answers by person do not tell these.
        let others = [&actor.service_account_id, &actor.api_key_id, &actor.subject];
        keys.extend(others.into_iter().filter(|key| !key.is_null()));
    }
    let further = further(raw);
    keys.extend(&further);
    if row.model.is_null() {
        out.warnings.push(super::no_model(now.is_some()));
    }
    let names = (context.labels.get("anthropic"), context.label(&row.model, "model")?);
    let id = super::identity("anthropic-usage", &keys);
    let mut event = super::bucket_event(id, start, names, line, context);
    let end = bucket.ending_at.time("ending_at").ok();
    let day = Some(start).filter(|start| end.is_some_and(|(end, _)| super::is_day(*start, end)));
    super::stand(&mut event, day, now.or(context.fallback));
    if row.context_window.str() == "200k-1M" {
        event.rank.authority = Rank::REPORT_LONG;
    }
    event.tokens = counts.tokens(Input::Excludes, "Anthropic usage report", out);
    if let Some(tools) = &row.server_tool_use {
        event.requests.web_searches = tools.web_search_requests.small("server_tool_use.web_search_requests")?;
    }
    let tier = tier::of(&row.service_tier, "service_tier", context)?;
    event.dimensions.set(Dimension::Tier, tier);
    super::set(
        &mut event,
        Dimension::Project,
        &row.workspace_id,
        "workspace_id",
        context,
    )?;
    let user = accounts.into_iter().zip(["account_id", "service_account_id"]);
    let actor = who.map(|who| {
        [
            (&who.email_address, "actor.email_address"),
            (&who.user_id, "actor.user_id"),
            (&who.service_account_id, "actor.service_account_id"),
        ]
    });
    let mut user = user.chain(actor.into_iter().flatten());
    if let Some((account, field)) = user.find(|(account, _)| !account.is_null()) {
        super::set(&mut event, Dimension::User, account, field, context)?;
    }
    event.session = context.label(&row.api_key_id, "api_key_id")?;
    if row.speed.str() != "standard" {
        event.speed = context.label(&row.speed, "speed")?;
    }
    if !matches!(row.inference_geo.str(), "global" | "not_available") {
        event.geo = context.label(&row.inference_geo, "inference_geo")?;
    }
    out.events.push(event);
    Ok(())
}

fn cost(row: &Row<'_>, at: DateTime<Utc>, context: &mut Context) -> Result<BillRow, Fault> {
    refuse_groups(row)?;
    let wrong = |e: String| Fault::field("amount", e);
    let amount = row.amount.ok_or_else(|| wrong("missing".to_owned()))?;
    let cents = context
        .amount(amount.get().trim_matches('"'))
        .map_err(|e| wrong(e.to_string()))?;
    let value = mul_bounded(cents, Decimal::new(1, 2)).map_err(|e| wrong(e.to_string()))?;
    let currency: Currency = row
        .currency
        .str()
        .to_ascii_uppercase()
        .parse()
        .map_err(|_| Fault::field("currency", "not a currency code of three letters"))?;
    let mut dimensions = Dimensions::default();
    for (dimension, label) in [
        (Dimension::Provider, context.labels.get("anthropic")),
        (Dimension::Model, context.label(&row.model, "model")?),
        (Dimension::Service, context.labels.get("Claude API")),
        (Dimension::Category, context.labels.get("Usage")),
        (Dimension::Project, context.label(&row.workspace_id, "workspace_id")?),
        (Dimension::Tier, tier::of(&row.service_tier, "service_tier", context)?),
    ] {
        dimensions.set(dimension, label);
    }
    Ok(BillRow {
        tokens: crate::domain::spend::TokenSums::default(),
        at,
        currency,
        dimensions,
        billed: value,
        effective: value,
    })
}
