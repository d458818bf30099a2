//! The other switch: an event of the scheduler in, the summary of a run out. Decides nothing.
//!
//! The function asks the Lambda runtime API for one event after the other and runs the job for each, within the time that the
//! event allows. Settings come from `FINOPS_CONFIG`, else from `finops.toml` beside the program.

mod job;
mod log;
mod metrics;
mod runtime;
mod traces;

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::config::Config;

pub use job::{Answer, Invocation};

/// Answers events until the runtime goes away. Everything that is said goes to `out`, one JSON document a line.
pub fn main(env: &dyn Fn(&str) -> Option<String>, out: &mut dyn Write) -> Result<(), String> {
    let api = env("AWS_LAMBDA_RUNTIME_API")
        .ok_or("AWS_LAMBDA_RUNTIME_API is not set: this program runs as a Lambda function")?;
    let runtime = runtime::Runtime::new(&api);
    let settings = env("FINOPS_CONFIG").map(PathBuf::from).or_else(|| {
        let beside = Path::new(&env("LAMBDA_TASK_ROOT")?).join("finops.toml");
        beside.exists().then_some(beside)
    });
    let config = match Config::find(settings.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            let message = error.to_string();
            log::line(out, "error", "", &message);
            runtime.init_error(&message)?;
            return Err(message);
        }
    };
    let mut traces = traces::Traces::new(env, out);
    loop {
        let Some(event) = runtime.next()? else { return Ok(()) };
        let tracer = traces.begin(&event);
        let result = job::run(&config, &event, tracer, out);
        match &result {
            Ok(answer) => runtime.answer(&event.request_id, &answer.summary)?,
            Err(message) => {
                log::line(out, "error", &event.request_id, message);
                runtime.error(&event.request_id, message)?;
            }
        }
        // The answer is given: a slow receiver of traces delays nobody.
        traces.end(&event, &result, out);
    }
}
