//! The Lambda runtime API over plain HTTP: next event, answer, error.

use std::time::Duration;

use super::job::Invocation;

/// Bytes of an event; those of a scheduler have a few hundred.
const EVENT_LIMIT: u64 = 6 << 20;

/// Time for giving an answer: the API is on this machine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The API of one function.
pub struct Runtime {
    base: String,
    agent: ureq::Agent,
}

impl Runtime {
    /// At `api`, host and port.
    pub fn new(api: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .build();
        Runtime {
            base: format!("http://{api}/2018-06-01/runtime"),
            agent: agent.into(),
        }
    }

    /// Waits for the next event, for as long as it takes; `None` when the runtime says that there will be none.
    pub fn next(&self) -> Result<Option<Invocation>, String> {
        let url = format!("{}/invocation/next", self.base);
        let mut answer = self.agent.get(&url).call().map_err(|e| format!("no next event: {e}"))?;
        if answer.status().as_u16() == 410 {
            return Ok(None);
        }
        let header = |name: &str| {
            answer
                .headers()
                .get(name)
                .and_then(|v| v.to_str().ok())
                .map(str::to_owned)
        };
        let request_id = header("lambda-runtime-aws-request-id").ok_or("the event has no request id")?;
        let deadline_ms = header("lambda-runtime-deadline-ms").and_then(|text| text.parse().ok());
        let function_arn = header("lambda-runtime-invoked-function-arn").unwrap_or_default();
        let trace = header("lambda-runtime-trace-id").unwrap_or_default();
        let reader = answer.body_mut().with_config().limit(EVENT_LIMIT);
        let body = reader
            .read_to_string()
            .map_err(|e| format!("an event could not be read: {e}"))?;
        Ok(Some(Invocation {
            request_id,
            deadline_ms,
            function_arn,
            trace,
            event: serde_json::from_str(&body).unwrap_or(serde_json::Value::Null),
        }))
    }

    /// Gives the answer to an event.
    pub fn answer(&self, request_id: &str, summary: &serde_json::Value) -> Result<(), String> {
        self.post(
            &format!("/invocation/{request_id}/response"),
            &summary.to_string(),
            None,
        )
    }

    /// Says that an event could not be answered.
    pub fn error(&self, request_id: &str, message: &str) -> Result<(), String> {
        let body = failure("RunFailed", message);
        self.post(
            &format!("/invocation/{request_id}/error"),
            &body,
            Some("Function.RunFailed"),
        )
    }

    /// Says that the function cannot begin.
    pub fn init_error(&self, message: &str) -> Result<(), String> {
        self.post(
            "/init/error",
            &failure("SettingsWrong", message),
            Some("Runtime.SettingsWrong"),
        )
    }

    fn post(&self, path: &str, body: &str, error_type: Option<&str>) -> Result<(), String> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.base))
            .config()
            .timeout_global(Some(ANSWER_TIMEOUT))
            .build()
            .header("content-type", "application/json");
        if let Some(kind) = error_type {
            request = request.header("lambda-runtime-function-error-type", kind);
        }
        let answer = request
            .send(body)
            .map_err(|e| format!("the answer was not taken: {e}"))?;
        match answer.status().as_u16() {
            200..=299 => Ok(()),
            status => Err(format!("the answer was not taken: {status}")),
        }
    }
}

fn failure(kind: &str, message: &str) -> String {
    serde_json::json!({ "errorType": kind, "errorMessage": message }).to_string()
}
