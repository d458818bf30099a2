//! Receives usage over HTTP: OTLP traces at `/v1/traces`, records at `/v1/usage`. A request is answered with success when what it holds is
//! durable, and with "later" when there is no room for it.

mod answers;
mod budget;
mod connections;
mod head;
mod refusals;
mod request;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::files::{Post, Posted};
use budget::Budget;
use connections::{Desk, Job, accept};
use refusals::Refusals;
use request::BODY_LIMIT;

pub use refusals::Refused;

/// Bodies that wait to be recorded.
const WAITING: usize = 256;
/// Bytes of all bodies together: what overload may cost in memory. While one is unpacked it is held in both forms, each of which may reach the limit.
const MEMORY: usize = 2 * BODY_LIMIT;
/// Bodies that are recorded in one transaction, and about how many bytes of them: what is read of them needs memory too.
const TOGETHER: usize = 64;
const TOGETHER_BYTES: usize = 4 << 20;
/// How often a stop is looked for.
const LOOK: Duration = Duration::from_millis(100);
/// Time for requests under way after a stop.
const GRACE: Duration = Duration::from_secs(10);

/// What is done with what comes.
pub trait Recorder {
    /// Records bodies, and answers for each what became of it when that is durable; a cause where none could be recorded.
    fn record(&mut self, posts: Vec<Post>) -> Result<Vec<Posted>, String>;

    /// Requests were refused.
    fn refused(&mut self, refused: Vec<Refused>);

    /// Time has passed, whether or not anything came.
    fn passes(&mut self);
}

/// A server that listens.
pub struct Server {
    address: SocketAddr,
    desk: Arc<Desk>,
    jobs: Receiver<Job>,
}

/// Why a server does not start.
#[derive(Debug, Error)]
pub enum NotStarted {
    /// The address cannot be listened at.
    #[error("cannot listen at `{address}`: {cause}")]
    Listen {
        /// As it was given.
        address: String,
        /// Why.
        cause: io::Error,
    },
    /// Others can reach it.
    #[error("`{0}` can be reached by others and no token is given")]
    Open(String),
}

/// What a server did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Requests that were recorded.
    pub requests: u64,
    /// Observations in them.
    pub accepted: u64,
    /// Parts that were not usable.
    pub rejected: u64,
}

impl Server {
    /// Listens at `address`. An address that others can reach needs a `token`.
    pub fn start(address: &str, token: Option<&SecretString>, stop: Arc<AtomicBool>) -> Result<Self, NotStarted> {
        let failed = |cause| NotStarted::Listen {
            address: address.to_owned(),
            cause,
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        if !bound.ip().to_canonical().is_loopback() && token.is_none() {
            return Err(NotStarted::Open(address.to_owned()));
        }
        let (sender, jobs) = sync_channel(WAITING);
        let desk = Arc::new(Desk {
            jobs: Mutex::new(Some(sender)),
            budget: Budget::new(MEMORY),
            token: token.map(|token| blake3::hash(token.expose_secret().as_bytes())),
            connections: AtomicUsize::new(0),
            turned_away: AtomicUsize::new(0),
            stop,
            refusals: Refusals::default(),
            failed: Mutex::new(None),
        });
        let shared = Arc::clone(&desk);
        std::thread::spawn(move || accept(&listener, &shared));
        Ok(Server {
            address: bound,
            desk,
            jobs,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands what comes to `recorder` until it is told to stop. Requests that were accepted by then are recorded and answered.
    pub fn run(self, recorder: &mut dyn Recorder) -> Served {
        let mut served = Served::default();
        let mut stopped: Option<Instant> = None;
        loop {
            let refused = self.desk.refusals.take();
            if !refused.is_empty() {
                recorder.refused(refused);
            }
            recorder.passes();
            if stopped.is_none() && self.desk.stop.load(Ordering::Acquire) {
                stopped = Some(Instant::now());
                // No further jobs: the channel ends when those under way are done.
                *self.desk.jobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
                // Wakes the thread that waits for connections.
                let _ = TcpStream::connect_timeout(&self.address, LOOK);
            }
            if stopped.is_some_and(|at| at.elapsed() > GRACE) {
                return served;
            }
            match self.jobs.recv_timeout(LOOK) {
                Ok(job) => {
                    let mut bytes = job.post.body.len();
                    let mut jobs = vec![job];
                    while jobs.len() < TOGETHER
                        && bytes < TOGETHER_BYTES
                        && let Ok(job) = self.jobs.try_recv()
                    {
                        bytes += job.post.body.len();
                        jobs.push(job);
                    }
                    let failing = *self.desk.failed.lock().unwrap_or_else(PoisonError::into_inner);
                    // Waiting for the ledger again would take the time in which those that wait can hear of it.
                    if stopped.is_some() && failing.is_some() {
                        continue;
                    }
                    batch(jobs, recorder, &mut served, &self.desk.failed);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.answered();
                    return served;
                }
            }
        }
    }

    /// Waits for the last answers to be sent.
    fn answered(&self) {
        let until = Instant::now() + Duration::from_secs(1);
        while self.desk.connections.load(Ordering::Acquire) > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Has bodies recorded and answers them. When that failed is known before anybody is answered.
fn batch(jobs: Vec<Job>, recorder: &mut dyn Recorder, served: &mut Served, failed: &Mutex<Option<Instant>>) {
    let (mut posts, mut answers) = (Vec::new(), Vec::new());
    for job in jobs {
        posts.push(job.post);
        answers.push((job.answer, job.taken));
    }
    let recorded = recorder.record(posts);
    *failed.lock().unwrap_or_else(PoisonError::into_inner) = recorded.is_err().then(Instant::now);
    match recorded {
        Ok(outcomes) => {
            let mut outcomes = outcomes.into_iter();
            for (answer, taken) in answers {
                let outcome = outcomes.next().unwrap_or_default();
                served.requests += 1;
                served.accepted += outcome.accepted;
                served.rejected += outcome.rejected;
                drop(taken);
                let _ = answer.send(Ok(outcome));
            }
        }
        Err(cause) => {
            for (answer, _) in answers {
                let _ = answer.send(Err(cause.clone()));
            }
        }
    }
}
