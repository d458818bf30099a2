//! `finops serve`.

mod received;

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::record::sentence;
use super::text::counted;
use super::{CliError, Context, Exit, wire};
use crate::adapters::clock::SystemClock;
use crate::adapters::files::Inbox;
use crate::adapters::ingest::{NotStarted, Server};
use crate::adapters::secret;
use crate::config::StoreUrl;
use crate::domain::label::Label;
use crate::engine::collect::collect;
use crate::ports::Clock;
use received::Received;

/// The arguments of `finops serve`.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Receive usage over HTTP: OTLP traces at /v1/traces, records at /v1/usage
    #[arg(long, required = true)]
    pub ingest: bool,
    /// Where to listen; another address than loopback needs a token
    #[arg(long, default_value = "127.0.0.1:4318", value_name = "ADDRESS")]
    pub listen: String,
    /// Where the bearer token is found that requests have to bear: env:NAME
    #[arg(long, value_name = "env:NAME")]
    pub token: Option<String>,
    /// The `source` dimension of what is received
    #[arg(long, default_value = "ingest")]
    pub name: String,
}

/// What helps against what kept it from starting.
fn hint(cause: &NotStarted) -> &'static str {
    match cause {
        NotStarted::Open(_) => "`--listen 127.0.0.1:PORT`, or `--token env:NAME`",
        NotStarted::Listen { cause, .. } if cause.kind() == ErrorKind::AddrInUse => {
            "another program listens there; `--listen 127.0.0.1:PORT` takes another port"
        }
        NotStarted::Listen { cause, .. } if cause.kind() == ErrorKind::PermissionDenied => {
            "low ports are not for every user; `--listen 127.0.0.1:PORT` takes another port"
        }
        NotStarted::Listen { .. } => "`--listen` takes an address of this machine and a port, such as 127.0.0.1:4318",
    }
}

/// Receives until SIGTERM or SIGINT.
pub fn run(ctx: &mut Context<'_>, args: &ServeArgs) -> Result<Exit, CliError> {
    let token = match &args.token {
        None => None,
        Some(spec) if spec.starts_with("env:") => Some(
            secret::resolve(spec, &|name| std::env::var(name).ok())
                .map_err(|cause| CliError::usage(cause).hint("put the token into the environment"))?,
        ),
        Some(_) => {
            return Err(CliError::usage("`--token` is a token in the open")
                .hint("write `--token env:NAME` and put the token into the environment"));
        }
    };
    if ctx.config.store_url()? == StoreUrl::Memory {
        return Err(CliError::usage(
            "`memory:` is gone with the process, and what is received would be acknowledged as kept",
        )
        .hint("`--store sqlite:PATH` keeps it"));
    }
    let pricer = wire::pricer(ctx)?;
    let mut ledger = wire::durable_ledger(ctx)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|cause| CliError::incomplete(format!("cannot wait for signals: {cause}")))?;
    }
    let server = Server::start(&args.listen, token.as_ref(), stop)
        .map_err(|cause| CliError::usage(cause.to_string()).hint(hint(&cause)))?;
    writeln!(ctx.err, "listening at http://{}", server.address())?;
    ctx.err.flush()?;
    let name = Label::new(&args.name);
    let known = ledger.checkpoints(name.as_str())?;
    let mut inbox = Inbox::new(name, Vec::new());
    let err = &mut *ctx.err;
    let quiet = ctx.verbosity == 0;
    let mut received = Received::default();
    let mut failing = false;
    let served = server.run(|posts| {
        let now = SystemClock.now();
        let (source, outcome) = inbox.source(posts, now, &known);
        let (ledger, pricer) = (ledger.as_mut(), pricer.as_ref());
        let recorded = collect(&mut [source], ledger, pricer, now, &mut |_| {}, None, &|| false);
        let failure = match recorded {
            Ok(collection) => match collection.failed_sources.first() {
                Some(failed) => Some(failed.message.clone()),
                None => {
                    let told: &mut dyn Write = if quiet { &mut io::sink() } else { err };
                    // Whoever reads it may have gone away.
                    let _ = received.add(&collection, now, told);
                    None
                }
            },
            Err(error) => Some(error.to_string()),
        };
        // Told once, not with every request.
        match failure {
            Some(cause) => {
                if !std::mem::replace(&mut failing, true) {
                    let _ = writeln!(err, "error: {cause}; senders are asked to try again");
                }
                Err(cause)
            }
            None => {
                failing = false;
                Ok(std::mem::take(
                    &mut *outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
                ))
            }
        }
    });
    if !quiet {
        received.end(ctx.err)?;
    }
    let requests = counted(served.requests, "request");
    writeln!(ctx.out, "{}", sentence(&received.total, &requests))?;
    Ok(Exit::Fine)
}
