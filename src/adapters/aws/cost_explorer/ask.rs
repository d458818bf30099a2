//! The paid questions: as few as possible, every page counted before it is asked.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_costexplorer::Client;
use aws_sdk_costexplorer::config::Builder;
use aws_sdk_costexplorer::types::{
    DateInterval, Dimension, DimensionValues, Expression, Granularity, GroupDefinition, ResultByTime,
};
use chrono::{DateTime, Days, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::rows::{self, Grouping, Told};
use super::{HOURLY_DAYS, Options, midnight};
use crate::adapters::aws::client::{Aws, LATE};
use crate::adapters::aws::failure::{Failure, Kind};
use crate::adapters::aws::paid::{PaidBudget, Purpose};
use crate::adapters::clock::SystemClock;
use crate::adapters::files::bills::BillRow;
use crate::adapters::files::cost_explorer::group::USAGE;
use crate::domain::billed::TAX;
use crate::domain::label::Label;
use crate::domain::money::Currency;
use crate::ports::Clock as _;

const ACTION: &str = "ce:GetCostAndUsage";

/// Attempts of one page. Each is paid for: the SDK's own retries are off.
const ATTEMPTS: u32 = 3;

/// Time without which no attempt is made: it would be paid for in vain.
const LEAST: Duration = Duration::from_secs(1);

/// Pages of one answer before it counts as endless.
const MAX_PAGES: u32 = 200;

/// One question.
#[derive(Clone, Debug)]
pub struct Question {
    /// First day.
    pub start: NaiveDate,
    /// First day after.
    pub end: NaiveDate,
    /// Whether usage is asked for, or everything else.
    pub usage: bool,
    /// By the hour.
    pub hourly: bool,
    /// What it is broken down by.
    pub by: Vec<Grouping>,
}

/// Everything that was answered.
#[derive(Debug, Default)]
pub struct Answer {
    /// Its rows.
    pub rows: Vec<BillRow>,
    /// How many of them have an amount of usage that cannot be read.
    pub unread: u64,
    /// Taxes that belong to no service that is recorded.
    pub taxes: BTreeMap<Currency, Decimal>,
    /// Rows that told of them.
    pub tax_rows: u64,
    /// The first day that AWS calls estimated.
    pub first_estimated: Option<NaiveDate>,
    /// How many days are.
    pub estimated_days: u64,
}

/// A client whose every attempt is one that we count.
pub fn client(aws: &Aws) -> Client {
    let config = Builder::from(aws.config())
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// Asks everything about `start..end`.
pub fn all(
    aws: &Aws,
    options: &Options,
    account: Label,
    start: NaiveDate,
    end: NaiveDate,
    paid: &mut PaidBudget,
) -> Result<Answer, Failure> {
    let client = client(aws);
    let hours_from = end
        .checked_sub_days(Days::new(HOURLY_DAYS + 1))
        .unwrap_or(start)
        .max(start);
    let daily_end = if options.hourly { hours_from } else { end };
    let question = |start, end, usage, hourly, by: &[Grouping]| Question {
        start,
        end,
        usage,
        hourly,
        by: by.to_vec(),
    };
    let mut questions = vec![question(
        start,
        end,
        false,
        false,
        &[Grouping::RecordType, Grouping::Service],
    )];
    if start < daily_end {
        questions.push(question(start, daily_end, true, false, &options.group_by));
    }
    if options.hourly {
        questions.push(question(hours_from, end, true, true, &options.group_by));
    }
    let mut answer = Answer::default();
    let mut estimated = std::collections::BTreeSet::new();
    for question in questions {
        let mut told = std::collections::BTreeSet::new();
        for result in ask(aws, &client, options, &question, paid)? {
            let period = result.time_period().ok_or_else(|| odd("a result has no period"))?;
            let at = instant(period.start())?;
            told.insert(at.date_naive());
            if result.estimated() {
                estimated.insert(at.date_naive());
            }
            for group in result.groups() {
                match rows::row(options, account, &question, at, group)? {
                    Told::Row { row, read } => {
                        answer.unread += u64::from(!read);
                        answer.rows.push(*row);
                    }
                    Told::Tax(currency, tax) => {
                        *answer.taxes.entry(currency).or_default() += tax;
                        answer.tax_rows += 1;
                    }
                    Told::Nothing => {}
                }
            }
        }
        // Days without costs are told too: one that is not told is unknown. The day that still runs may not be there yet.
        let over = options.now.date_naive().min(question.end);
        let untold = question
            .start
            .iter_days()
            .take_while(|day| *day < over)
            .find(|day| !told.contains(day));
        if let Some(day) = untold.or(told.is_empty().then_some(question.start)) {
            let untold = format!("ce:GetCostAndUsage: the answer does not tell of {day}");
            return Err(Failure::new(Kind::Unreachable, untold));
        }
    }
    answer.first_estimated = estimated.first().copied();
    answer.estimated_days = estimated.len() as u64;
    Ok(answer)
}

fn odd(what: &str) -> Failure {
    Failure::new(Kind::Refused, format!("ce:GetCostAndUsage: {what}"))
}

/// Days come as `2026-11-01`, hours as `2026-11-01T05:00:00Z`.
fn instant(text: &str) -> Result<DateTime<Utc>, Failure> {
    let day = || text.parse::<NaiveDate>().ok().map(midnight);
    let hour = || text.parse::<DateTime<Utc>>().ok();
    day().or_else(hour).ok_or_else(|| odd(&format!("`{text}` is no date")))
}

fn grouped(by: &Grouping) -> GroupDefinition {
    let (kind, key) = by.definition();
    GroupDefinition::builder().r#type(kind).key(key).build()
}

/// The filter: usage or not, and the services where they are named without patterns.
fn filter(options: &Options, usage: bool) -> Expression {
    let values = |key: Dimension, values: Vec<String>| {
        Expression::builder()
            .dimensions(DimensionValues::builder().key(key).set_values(Some(values)).build())
            .build()
    };
    let kinds = values(Dimension::RecordType, USAGE.iter().map(|u| (*u).to_owned()).collect());
    let kinds = if usage {
        kinds
    } else {
        Expression::builder().not(kinds).build()
    };
    let patterns = options.services.iter().any(|s| s.contains(['*', '?', '[', '{']));
    if patterns || options.services.is_empty() {
        return kinds;
    }
    let mut named = options.services.clone();
    // What is left out is told; of usage there is none.
    if !usage && !named.iter().any(|service| service == TAX) {
        named.push(TAX.to_owned());
    }
    let services = values(Dimension::Service, named);
    Expression::builder().and(kinds).and(services).build()
}

/// One question, over all pages.
fn ask(
    aws: &Aws,
    client: &Client,
    options: &Options,
    question: &Question,
    paid: &mut PaidBudget,
) -> Result<Vec<ResultByTime>, Failure> {
    let edge = |day: NaiveDate| {
        if question.hourly {
            format!("{day}T00:00:00Z")
        } else {
            day.to_string()
        }
    };
    let period = DateInterval::builder()
        .start(edge(question.start))
        .end(edge(question.end))
        .build();
    let period = period.map_err(|e| odd(&e.to_string()))?;
    let granularity = if question.hourly {
        Granularity::Hourly
    } else {
        Granularity::Daily
    };
    let metrics = rows::metrics(options, question);
    let metrics: Vec<String> = metrics.into_iter().map(str::to_owned).collect();
    let until = options.deadline.map(|deadline| deadline.calls);
    let mut results = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = retried(aws, paid, Purpose::Bill, options.now, until, || {
            let request = client
                .get_cost_and_usage()
                .time_period(period.clone())
                .granularity(granularity.clone())
                .set_metrics(Some(metrics.clone()))
                .set_group_by(Some(question.by.iter().map(grouped).collect()))
                .filter(filter(options, question.usage))
                .set_next_page_token(token.clone());
            let answer = aws.wait_until(ACTION, until, request.send())?;
            answer.map_err(|e| Failure::of(ACTION, &e))
        })?;
        results.extend(page.results_by_time.unwrap_or_default());
        token = page.next_page_token.filter(|t| !t.is_empty());
        if token.is_none() {
            return Ok(results);
        }
    }
    Err(odd("the answer has no end"))
}

/// Tries again what may succeed later, until then (see `Clock::elapsed`). Every attempt is taken from the budget before it is made.
pub fn retried<T>(
    aws: &Aws,
    paid: &mut PaidBudget,
    purpose: Purpose,
    now: DateTime<Utc>,
    until: Option<Duration>,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let is_late = |pause| until.is_some_and(|until| SystemClock.elapsed() + pause + LEAST > until);
    if is_late(Duration::ZERO) {
        return Err(Failure::new(
            Kind::Unreachable,
            format!("Cost Explorer was not asked any further: {LATE}"),
        ));
    }
    let mut round = 1;
    loop {
        paid.take(purpose, now)?;
        match attempt() {
            Err(e) if round < ATTEMPTS && matches!(e.kind, Kind::Throttled | Kind::Unavailable | Kind::Unreachable) => {
                let pause = Duration::from_millis(400 << round);
                if is_late(pause) {
                    return Err(e);
                }
                aws.wait(async { tokio::time::sleep(pause).await });
                round += 1;
            }
            outcome => return outcome,
        }
    }
}
