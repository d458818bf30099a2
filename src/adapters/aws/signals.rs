//! What AWS itself says about an account: Cost Anomaly Detection, AWS Budgets, Cost Explorer's forecast.

mod budget;

use std::time::Duration;

use aws_sdk_costexplorer::types::{
    Anomaly, AnomalyDateInterval, AnomalyFeedbackType, DateInterval, Granularity, Metric, RootCause,
};
use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, Utc};
use rust_decimal::Decimal;

use super::client::Aws;
use super::cost_explorer::{client, hint, retried};
use super::failure::{Failure, Kind};
use super::paid::{PaidBudget, Purpose, SharedBudget};
use super::permissions::Permission;
use crate::adapters::clock::SystemClock;
use crate::domain::money::{Currency, parse_decimal};
use crate::domain::period::Period;
use crate::domain::signal::{
    ANOMALIES as ANOMALIES_PART, BUDGETS as BUDGETS_PART, FORECAST as FORECAST_PART, ProviderAnomaly, ProviderBudget,
    ProviderForecast, Signals,
};
use crate::ports::{Clock as _, ProviderSignals};

/// What reading anomalies calls.
pub const ANOMALIES: Permission = Permission {
    sid: "AnomalyDetection",
    actions: &["ce:GetAnomalies"],
};

/// What forecast and feedback call.
pub const FORECAST: Permission = Permission {
    sid: "CostExplorer",
    actions: &["ce:GetCostForecast", "ce:ProvideAnomalyFeedback"],
};

/// What reading budgets calls.
pub const BUDGETS: Permission = Permission {
    sid: "Budgets",
    actions: &["budgets:ViewBudget"],
};

/// Days of anomalies that are looked at.
const ANOMALY_DAYS: u64 = 60;

/// Pages of one answer before it counts as endless.
const MAX_PAGES: u32 = 100;

/// Which of the three are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Cost Anomaly Detection.
    pub anomalies: bool,
    /// AWS Budgets.
    pub budgets: bool,
    /// Cost Explorer's forecast.
    pub forecast: bool,
}

impl Wanted {
    /// The parts that are not asked.
    #[must_use]
    pub fn off(self) -> Vec<String> {
        let parts = [
            (ANOMALIES_PART, self.anomalies),
            (BUDGETS_PART, self.budgets),
            (FORECAST_PART, self.forecast),
        ];
        let off = parts.into_iter().filter(|(_, wanted)| !wanted);
        off.map(|(part, _)| part.to_owned()).collect()
    }
}

/// The signals of one account.
pub struct AwsSignals {
    aws: Aws,
    account: String,
    wanted: Wanted,
    paid: SharedBudget,
    until: Option<Duration>,
}

fn day_start(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// Impacts are estimates that AWS gives as floating-point numbers: to the cent, by their text.
fn cents(estimate: f64) -> Decimal {
    format!("{estimate:.2}").parse().unwrap_or_default()
}

impl AwsSignals {
    /// Of the account that the credentials belong to.
    #[must_use]
    pub fn new(aws: Aws, account: String, wanted: Wanted, paid: SharedBudget) -> Self {
        AwsSignals {
            aws,
            account,
            wanted,
            paid,
            until: None,
        }
    }

    /// The same in a run that has to go on by then (see `Clock::elapsed`), whether there is an answer or not.
    #[must_use]
    pub fn until(self, until: Option<Duration>) -> Self {
        AwsSignals { until, ..self }
    }

    /// When a part is given up after which others are asked: one that does not answer leaves them half of the time.
    fn share(&self, others: bool) -> Option<Duration> {
        let now = SystemClock.elapsed();
        let until = self.until?;
        Some(if others {
            now + until.saturating_sub(now) / 2
        } else {
            until
        })
    }

    fn anomalies(&self, now: DateTime<Utc>, until: Option<Duration>) -> Result<Vec<ProviderAnomaly>, Failure> {
        let client = client(&self.aws);
        let today = now.date_naive();
        // Both dates are inclusive here, unlike everywhere else in Cost Explorer.
        let interval = AnomalyDateInterval::builder()
            .start_date((today - Days::new(ANOMALY_DAYS)).to_string())
            .end_date(today.to_string())
            .build()
            .map_err(|e| Failure::new(Kind::Refused, e.to_string()))?;
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let page = retried(&self.aws, &mut self.paid.hold(), Purpose::Beside, now, until, || {
                let request = client
                    .get_anomalies()
                    .date_interval(interval.clone())
                    .set_next_page_token(token.clone());
                self.aws
                    .wait_until("ce:GetAnomalies", until, request.send())?
                    .map_err(|e| Failure::of("ce:GetAnomalies", &e))
            })?;
            found.extend(page.anomalies.iter().map(|a| self.anomaly(a)));
            token = page.next_page_token.filter(|t| !t.is_empty());
            if token.is_none() {
                found.sort_by(|a, b| b.start.cmp(&a.start).then_with(|| a.id.cmp(&b.id)));
                return Ok(found);
            }
        }
        Err(Failure::new(Kind::Refused, "ce:GetAnomalies: the answer has no end"))
    }

    fn anomaly(&self, anomaly: &Anomaly) -> ProviderAnomaly {
        let day = |text: Option<&str>| {
            let text = text.unwrap_or_default();
            text.get(..10).unwrap_or(text).parse::<NaiveDate>().ok()
        };
        let impact = anomaly.impact();
        let mut causes: Vec<(Decimal, String)> = anomaly.root_causes().iter().map(cause).collect();
        causes.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        ProviderAnomaly {
            id: anomaly.anomaly_id().to_owned(),
            account: self.account.clone(),
            start: day(anomaly.anomaly_start_date()).map(day_start).unwrap_or_default(),
            end: day(anomaly.anomaly_end_date()).map(|last| day_start(last + Days::new(1))),
            impact: impact.map(|i| cents(i.total_impact())).unwrap_or_default(),
            actual: impact.and_then(|i| i.total_actual_spend()).map(cents),
            expected: impact.and_then(|i| i.total_expected_spend()).map(cents),
            causes: causes.into_iter().map(|(_, text)| text).collect(),
            feedback: anomaly.feedback().map(|f| f.as_str().to_owned()),
        }
    }

    fn budgets(&self, now: DateTime<Utc>, until: Option<Duration>) -> Result<Vec<ProviderBudget>, Failure> {
        let client = aws_sdk_budgets::Client::new(self.aws.config());
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let request = client
                .describe_budgets()
                .account_id(&self.account)
                // Without it the filter is left out of budgets that were made since there are expressions.
                .show_filter_expression(true)
                .set_next_token(token.clone());
            let page = self.aws.wait_until("budgets:ViewBudget", until, request.send())?;
            let page = page.map_err(|e| Failure::of("budgets:ViewBudget", &e))?;
            for budget in page.budgets() {
                found.extend(budget::read(budget, &self.account, now));
            }
            token = page.next_token.filter(|t| !t.is_empty());
            if token.is_none() {
                found.sort_by(|a, b| a.name.cmp(&b.name));
                return Ok(found);
            }
        }
        Err(Failure::new(Kind::Refused, "budgets:ViewBudget: the answer has no end"))
    }

    fn forecast(&self, now: DateTime<Utc>, until: Option<Duration>) -> Result<Option<ProviderForecast>, Failure> {
        let client = client(&self.aws);
        let today = now.date_naive();
        let end = today.with_day(1).unwrap_or(today) + Months::new(1);
        let interval = DateInterval::builder()
            .start(today.to_string())
            .end(end.to_string())
            .build();
        let interval = interval.map_err(|e| Failure::new(Kind::Refused, e.to_string()))?;
        let answer = retried(&self.aws, &mut self.paid.hold(), Purpose::Beside, now, until, || {
            let request = client
                .get_cost_forecast()
                .time_period(interval.clone())
                .metric(Metric::UnblendedCost)
                .granularity(Granularity::Monthly)
                .prediction_interval_level(80);
            match self.aws.wait_until("ce:GetCostForecast", until, request.send())? {
                Ok(answer) => Ok(Some(answer)),
                // What it has seen so far is too little: there is none yet, and that is an answer.
                Err(e) if e.as_service_error().is_some_and(|e| e.is_data_unavailable_exception()) => Ok(None),
                Err(e) => Err(Failure::of("ce:GetCostForecast", &e)),
            }
        })?;
        let Some(answer) = answer else { return Ok(None) };
        let number = |text: Option<&str>| text.and_then(|t| parse_decimal(t).ok());
        let Some(total) = answer.total() else { return Ok(None) };
        let first = answer.forecast_results_by_time().first();
        let bounds = first.and_then(|f| {
            let low = number(f.prediction_interval_lower_bound())?;
            Some((low, number(f.prediction_interval_upper_bound())?))
        });
        Ok(number(total.amount()).map(|mean| ProviderForecast {
            account: self.account.clone(),
            mean,
            bounds,
            currency: total.unit().and_then(|u| u.parse().ok()).unwrap_or(Currency::USD),
            period: Period::new(day_start(today), day_start(end)),
        }))
    }
}

impl ProviderSignals for AwsSignals {
    fn name(&self) -> &str {
        &self.account
    }

    fn off(&self) -> Vec<String> {
        self.wanted.off()
    }

    fn ask(&mut self, known: &[&str], now: DateTime<Utc>) -> Signals {
        let before = self.paid.hold().taken();
        let mut signals = Signals {
            asked_at: now,
            off: self.off(),
            ..Signals::default()
        };
        let parts = [
            (ANOMALIES_PART, self.wanted.anomalies),
            (BUDGETS_PART, self.wanted.budgets),
            (FORECAST_PART, self.wanted.forecast),
        ];
        let [anomalies, budgets, forecast] = parts.map(|(part, wanted)| wanted && !known.contains(&part));
        if anomalies {
            match self.anomalies(now, self.share(budgets || forecast)) {
                Ok(found) => signals.anomalies = found,
                Err(failure) => signals_unknown(&mut signals.unknown, ANOMALIES_PART, &failure),
            }
        }
        if budgets {
            match self.budgets(now, self.share(forecast)) {
                Ok(found) => signals.budgets = found,
                Err(failure) => signals_unknown(&mut signals.unknown, BUDGETS_PART, &failure),
            }
        }
        if forecast {
            match self.forecast(now, self.share(false)) {
                Ok(found) => signals.forecast = found,
                Err(failure) => signals_unknown(&mut signals.unknown, FORECAST_PART, &failure),
            }
        }
        signals.paid_requests = u64::from(self.paid.hold().taken() - before);
        signals
    }
}

fn signals_unknown(unknown: &mut Vec<String>, part: &str, failure: &Failure) {
    unknown.push(format!("{part}: {failure}; {}", hint(failure)));
}

fn cause(cause: &RootCause) -> (Decimal, String) {
    let parts = [
        cause.service(),
        cause.region(),
        cause.linked_account(),
        cause.usage_type(),
    ];
    let text = parts
        .into_iter()
        .flatten()
        .filter(|p| !p.is_empty())
        .collect::<Vec<_>>()
        .join(" · ");
    let impact = cause.impact().map(|i| cents(i.contribution()));
    match impact {
        Some(impact) => (impact, format!("{text} · ${impact}")),
        None => (Decimal::ZERO, text),
    }
}

/// What a person says about an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// It was one.
    Yes,
    /// It was none.
    No,
    /// It was planned.
    Planned,
}

/// Tells AWS what a person says about an anomaly.
pub fn give_feedback(
    aws: &Aws,
    id: &str,
    feedback: Feedback,
    paid: &mut PaidBudget,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let feedback = match feedback {
        Feedback::Yes => AnomalyFeedbackType::Yes,
        Feedback::No => AnomalyFeedbackType::No,
        Feedback::Planned => AnomalyFeedbackType::PlannedActivity,
    };
    let client = client(aws);
    retried(aws, paid, Purpose::Bill, now, None, || {
        let request = client
            .provide_anomaly_feedback()
            .anomaly_id(id)
            .feedback(feedback.clone());
        let answer = aws.wait(request.send());
        answer
            .map(|_| ())
            .map_err(|e| Failure::of("ce:ProvideAnomalyFeedback", &e))
    })
}
