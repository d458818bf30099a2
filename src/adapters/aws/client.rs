//! One connection to AWS: credentials, region, retries, time limits, and the runtime that the synchronous ports block on.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::failure::{Failure, Kind};
use super::permissions::Permission;
use super::traced::TracedClient;
use crate::adapters::clock::SystemClock;
use crate::adapters::traces::Tracer;
use crate::ports::Clock as _;

/// What taking a role calls.
pub const ASSUME_ROLE: Permission = Permission {
    sid: "OtherAccounts",
    actions: &["sts:AssumeRole"],
};

/// Time for a TCP and TLS connection.
const CONNECT: Duration = Duration::from_secs(3);

/// Time for one attempt. A page of Cost Explorer takes seconds.
const ATTEMPT: Duration = Duration::from_secs(20);

/// Time for a call with all its retries and pauses: a run is bounded by a multiple of this.
const OPERATION: Duration = Duration::from_secs(60);

/// Attempts of one call. Adaptive mode adds jitter and slows the whole client down while AWS throttles.
const ATTEMPTS: u32 = 4;

/// What is said of a call for which a run had no time left.
pub const LATE: &str = "this run had no time left for an answer";

/// The bounds of one call to AWS.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// For one attempt.
    pub attempt: Duration,
    /// For all attempts together.
    pub operation: Duration,
    /// How many attempts.
    pub attempts: u32,
}

impl Default for CallLimits {
    fn default() -> Self {
        CallLimits {
            attempt: ATTEMPT,
            operation: OPERATION,
            attempts: ATTEMPTS,
        }
    }
}

/// Credentials, region and runtime, shared by all clients of one account.
#[derive(Clone)]
pub struct Aws {
    runtime: Arc<tokio::runtime::Runtime>,
    config: SdkConfig,
    /// With whose credentials its role is taken.
    own: Option<Arc<Aws>>,
}

impl Aws {
    /// Connects with what the environment says: the SDK's own chain (environment, profile, container, instance), region and
    /// `AWS_ENDPOINT_URL`. `tracer` sees every attempt of a call.
    pub fn from_environment(region: Option<&str>, limits: CallLimits, tracer: &Tracer) -> Result<Self, Failure> {
        Self::connect(region, limits, None, tracer)
    }

    /// Connects to an emulator at `endpoint`, which accepts any credentials.
    pub fn at_emulator(endpoint: &str, limits: CallLimits) -> Result<Self, Failure> {
        Self::connect(Some("us-east-1"), limits, Some(endpoint), &Tracer::default())
    }

    fn connect(
        region: Option<&str>,
        limits: CallLimits,
        emulator: Option<&str>,
        tracer: &Tracer,
    ) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|e| Failure::new(Kind::Refused, format!("no runtime could be started: {e}")))?;
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let http = if tracer.is_on() {
            SharedHttpClient::new(TracedClient {
                client: http,
                tracer: tracer.clone(),
            })
        } else {
            http
        };
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT.min(limits.attempt))
            .operation_attempt_timeout(limits.attempt)
            .operation_timeout(limits.operation)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::adaptive().with_max_attempts(limits.attempts));
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        if let Some(endpoint) = emulator {
            let anyone = Credentials::new("emulator", "emulator", None, None, "emulator");
            loader = loader.endpoint_url(endpoint).credentials_provider(anyone);
        }
        let config = runtime.block_on(loader.load());
        if config.region().is_none() {
            return Err(Failure::new(
                Kind::Refused,
                "no region is set: give `region` in `[aws]`, or AWS_REGION in the environment",
            ));
        }
        Ok(Aws {
            runtime: Arc::new(runtime),
            config,
            own: None,
        })
    }

    /// The same with the credentials of a role, most often in another account. They are fetched at the first call.
    #[must_use]
    pub fn assume(&self, role: &str, external_id: Option<&str>) -> Self {
        let mut role = AssumeRoleProvider::builder(role)
            .session_name("finops")
            .configure(&self.config);
        if let Some(id) = external_id {
            role = role.external_id(id);
        }
        let provider = SharedCredentialsProvider::new(self.wait(role.build()));
        let config = self.config.to_builder().credentials_provider(provider).build();
        Aws {
            runtime: Arc::clone(&self.runtime),
            config,
            own: Some(Arc::new(self.clone())),
        }
    }

    /// The connection with whose credentials its role is taken, where it has one.
    #[must_use]
    pub fn own(&self) -> Option<&Aws> {
        self.own.as_deref()
    }

    /// What clients are made from.
    #[must_use]
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Waits for a call. The border between the synchronous ports and the SDK.
    pub fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    /// Waits for a call of `action`, and no longer than until then (see `Clock::elapsed`): what is under way is given up.
    ///
    /// # Errors
    /// That the time has come.
    pub fn wait_until<T>(
        &self,
        action: &str,
        until: Option<Duration>,
        call: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let Some(until) = until else { return Ok(self.wait(call)) };
        let left = until.saturating_sub(SystemClock.elapsed());
        // The timer needs the runtime when it is made.
        let answer = self.wait(async { tokio::time::timeout(left, call).await });
        answer.map_err(|_| Failure::new(Kind::Unreachable, format!("{action}: {LATE}")))
    }
}
