//! `finops serve`.

mod prices;
mod received;

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};

use secrecy::{ExposeSecret, SecretString};

use super::record::sentence;
use super::text::counted;
use super::{CliError, Context, Exit, wire};
use crate::adapters::clock::SystemClock;
use crate::adapters::files::{Inbox, Post, Posted};
use crate::adapters::ingest::{NotStarted, Recorder, Refused, Server};
use crate::adapters::secret;
use crate::config::StoreUrl;
use crate::domain::label::Label;
use crate::engine::collect::collect;
use crate::engine::watch::remember_received;
use crate::ports::{ALL_SOURCES, Checkpoints, Clock, Ledger};
use prices::Prices;
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
    #[arg(long, default_value = "ingest", value_parser = super::args::source_name)]
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

/// The token that requests have to bear.
fn token(spec: &str) -> Result<SecretString, CliError> {
    if !spec.starts_with("env:") {
        return Err(CliError::usage("`--token` is a token in the open")
            .hint("write `--token env:NAME` and put the token into the environment"));
    }
    secret::resolve(spec, &|name| std::env::var(name).ok())
        .and_then(|token| secret::for_header(spec, token))
        .and_then(|token| match token.expose_secret() {
            text if text.trim() != text || text.is_empty() => Err(format!("`{spec}` begins or ends with a blank")),
            _ => Ok(token),
        })
        .map_err(|cause| CliError::usage(cause).hint("put the token into the environment"))
}

/// Records what is received.
struct Recording<'a> {
    inbox: Inbox,
    name: Label,
    known: Checkpoints,
    ledger: Box<dyn Ledger>,
    prices: Prices,
    received: Received,
    /// It is remembered that this source is received.
    noted: bool,
    /// The last batch could not be recorded.
    failing: bool,
    err: &'a mut dyn Write,
    quiet: bool,
}

impl Recorder for Recording<'_> {
    fn record(&mut self, posts: Vec<Post>) -> Result<Vec<Posted>, String> {
        let now = SystemClock.now();
        self.follow_prices();
        let (source, outcome) = self.inbox.source(posts, now, &self.known);
        let (ledger, pricer) = (self.ledger.as_mut(), self.prices.pricer());
        let recorded = collect(&mut [source], ledger, pricer, now, &mut |_| {}, None, &|| false);
        let recorded = recorded.map_err(|error| error.to_string());
        let recorded = recorded.and_then(|collection| match collection.failed_sources.first() {
            Some(failed) => Err(failed.message.clone()),
            None => Ok(collection),
        });
        match recorded {
            Ok(collection) => {
                self.failing = false;
                self.inbox.recorded();
                if !self.noted && collection.recorded.recorded > 0 {
                    // If that fails, the next batch has it remembered.
                    self.noted = remember_received(self.name, self.ledger.as_mut(), self.prices.pricer(), now).is_ok();
                }
                let told: &mut dyn Write = if self.quiet { &mut io::sink() } else { self.err };
                // Whoever reads it may have gone away.
                let _ = self.received.add(&collection, now, told);
                let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(std::mem::take(&mut *outcome))
            }
            Err(cause) => {
                // Told once, not with every request.
                if !std::mem::replace(&mut self.failing, true) {
                    let _ = writeln!(self.err, "error: {cause}; senders are asked to try again");
                }
                Err(cause)
            }
        }
    }

    fn refused(&mut self, refused: Vec<Refused>) {
        let told: &mut dyn Write = if self.quiet { &mut io::sink() } else { self.err };
        let _ = self.received.refused(&refused, SystemClock.now(), told);
    }

    fn passes(&mut self) {
        let told: &mut dyn Write = if self.quiet { &mut io::sink() } else { self.err };
        let _ = self.received.passes(SystemClock.now(), told);
    }
}

impl Recording<'_> {
    /// Takes changed prices, and tells so. Whoever reads it may have gone away.
    fn follow_prices(&mut self) {
        match self.prices.follow() {
            None => {}
            Some(Ok(())) if self.quiet => {}
            Some(Ok(())) => drop(writeln!(
                self.err,
                "prices are read anew, since a file of theirs has changed"
            )),
            Some(Err(cause)) => drop(writeln!(
                self.err,
                "error: changed prices cannot be used: {cause}; those of before hold until they can"
            )),
        }
    }
}

/// Receives until SIGTERM or SIGINT.
pub fn run(ctx: &mut Context<'_>, args: &ServeArgs) -> Result<Exit, CliError> {
    let token = args.token.as_deref().map(token).transpose()?;
    if ctx.config.store_url()? == StoreUrl::Memory {
        return Err(CliError::usage(
            "`memory:` is gone with the process, and what is received would be acknowledged as kept",
        )
        .hint("`--store sqlite:PATH` keeps it"));
    }
    let prices = Prices::read(&ctx.config)?;
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
    let mut known = ledger.checkpoints(name.as_str())?;
    known.extend(ledger.checkpoints(ALL_SOURCES)?);
    let mut recording = Recording {
        inbox: Inbox::new(name, Vec::new()),
        name,
        known,
        ledger,
        prices,
        received: Received::default(),
        noted: false,
        failing: false,
        err: &mut *ctx.err,
        quiet: ctx.verbosity == 0,
    };
    let served = server.run(&mut recording);
    let (quiet, received) = (recording.quiet, recording.received);
    if !quiet {
        received.end(ctx.err)?;
    }
    let requests = counted(served.requests, "request");
    writeln!(ctx.out, "{}", sentence(&received.total, &requests))?;
    Ok(Exit::Fine)
}
