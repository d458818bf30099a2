//! Receives usage over HTTP: OTLP traces at `/v1/traces`, records at `/v1/usage`. A request is answered with success when what it holds is
//! durable, and with "later" when there is no room for it.

mod answers;
mod request;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::files::{Post, Posted};
use answers::{kind, refuse, success};
use request::{BRIEF, BUSY, Budget, Connection, IDLE, Refusal, Request, Taken};

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// Beyond these none is kept for a further request, so that senders that keep theirs do not shut others out.
const KEPT: usize = CONNECTIONS / 2;
/// Connections beyond them that are told so with patience, at a time.
const TURNED_AWAY: usize = 8;
/// Bodies that wait to be recorded.
const WAITING: usize = 256;
/// Bytes of all bodies together: what overload may cost in memory.
const MEMORY: usize = 32 << 20;
/// Bodies that are recorded in one transaction, and about how many bytes of them: what is read of them needs memory too.
const TOGETHER: usize = 64;
const TOGETHER_BYTES: usize = 4 << 20;
/// How often a stop is looked for.
const LOOK: Duration = Duration::from_millis(100);
/// Time for requests under way after a stop.
const GRACE: Duration = Duration::from_secs(10);

/// One body on its way to the ledger.
struct Job {
    post: Post,
    answer: SyncSender<Result<Posted, String>>,
    taken: Taken,
}

/// What all connections share.
struct Desk {
    jobs: Mutex<Option<SyncSender<Job>>>,
    budget: Arc<Budget>,
    /// Digest of the token that requests have to bear.
    token: Option<blake3::Hash>,
    connections: AtomicUsize,
    turned_away: AtomicUsize,
    stop: Arc<AtomicBool>,
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
        if !bound.ip().is_loopback() && token.is_none() {
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

    /// Hands bodies to `record`, which answers for each what became of it when that is durable, until it is told to stop. Requests
    /// that were accepted by then are recorded and answered.
    pub fn run(self, mut record: impl FnMut(Vec<Post>) -> Result<Vec<Posted>, String>) -> Served {
        let mut served = Served::default();
        let mut stopped: Option<Instant> = None;
        loop {
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
                    batch(jobs, &mut record, &mut served);
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

fn batch(jobs: Vec<Job>, record: &mut impl FnMut(Vec<Post>) -> Result<Vec<Posted>, String>, served: &mut Served) {
    let (mut posts, mut answers) = (Vec::new(), Vec::new());
    for job in jobs {
        posts.push(job.post);
        answers.push((job.answer, job.taken));
    }
    match record(posts) {
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

fn accept(listener: &TcpListener, desk: &Arc<Desk>) {
    for stream in listener.incoming() {
        if desk.stop.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else {
            // Out of descriptors, for instance: some connections have to end first.
            std::thread::sleep(LOOK);
            continue;
        };
        if desk.connections.fetch_add(1, Ordering::AcqRel) >= CONNECTIONS {
            desk.connections.fetch_sub(1, Ordering::AcqRel);
            turn_away(stream, desk);
            continue;
        }
        let shared = Arc::clone(desk);
        let serve = move || {
            converse(stream, &shared);
            shared.connections.fetch_sub(1, Ordering::AcqRel);
        };
        if std::thread::Builder::new().spawn(serve).is_err() {
            desk.connections.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Refuses a connection. A sender that is still writing hears the answer only if what it writes is taken, which needs a thread; where
/// there are too many of those it is answered and closed as it is.
fn turn_away(stream: TcpStream, desk: &Arc<Desk>) {
    let mut connection = Connection::new(stream);
    // So little fits into what the system buffers for a fresh connection: this does not wait.
    if refuse(&mut connection, 429, "too many connections").is_err() {
        return;
    }
    if desk.turned_away.fetch_add(1, Ordering::AcqRel) >= TURNED_AWAY {
        desk.turned_away.fetch_sub(1, Ordering::AcqRel);
        return;
    }
    let shared = Arc::clone(desk);
    let drain = move || {
        connection.drain();
        shared.turned_away.fetch_sub(1, Ordering::AcqRel);
    };
    if std::thread::Builder::new().spawn(drain).is_err() {
        desk.turned_away.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Answers the requests of one connection.
fn converse(stream: TcpStream, desk: &Desk) {
    let _ = stream.set_nodelay(true);
    let mut connection = Connection::new(stream);
    loop {
        let idle = if desk.crowded() { BRIEF } else { IDLE };
        let request = connection.request(
            idle,
            &desk.budget,
            |method, path, content_type, authorization, from_page| {
                desk.allowed(method, path, content_type, authorization, from_page)
            },
        );
        let request = match request {
            Ok(request) => request,
            Err(Refusal::Gone) => return,
            Err(Refusal::Answer(status, reason)) => {
                // What is left of the body is unread, so the connection cannot go on. It is passed over for a moment, since closing
                // on unread bytes would take the answer away from a sender that is still writing.
                if refuse(&mut connection, status, reason).is_ok() {
                    connection.drain();
                }
                return;
            }
        };
        let keep_alive = request.keep_alive && !desk.crowded() && !desk.stop.load(Ordering::Acquire);
        if desk.serve(request, &mut connection, keep_alive).is_err() || !keep_alive {
            return;
        }
    }
}

impl Desk {
    fn crowded(&self) -> bool {
        self.connections.load(Ordering::Acquire) > KEPT
    }

    fn allowed(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        authorization: &str,
        from_page: bool,
    ) -> Result<(), (u16, &'static str)> {
        if matches!(method, "GET" | "HEAD") && path == "/healthz" {
            return Ok(());
        }
        // A page in a browser on this machine could reach a port of it.
        if from_page {
            return Err((403, "requests of web pages are not taken"));
        }
        if let Some(token) = &self.token {
            let given = authorization
                .split_once(' ')
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .map_or("", |(_, token)| token.trim());
            // Comparing digests takes the same time whatever they are.
            if blake3::hash(given.as_bytes()) != *token {
                return Err((401, "a bearer token is needed"));
            }
        }
        if path == "/v1/metrics" {
            // Refused for good, so that an exporter does not try again.
            return Err((404, "metrics tell no calls apart: export traces to /v1/traces"));
        }
        if !matches!(path, "/v1/traces" | "/v1/usage") {
            return Err((404, "there are /v1/traces and /v1/usage"));
        }
        if method != "POST" {
            return Err((405, "POST it"));
        }
        match kind(path, content_type) {
            Some(_) => Ok(()),
            None => Err((
                415,
                "traces are application/json or application/x-protobuf, usage is application/x-ndjson or application/json",
            )),
        }
    }

    fn serve(&self, request: Request, connection: &mut Connection, keep_alive: bool) -> io::Result<()> {
        let Some(kind) = kind(&request.path, &request.content_type).filter(|_| request.method == "POST") else {
            let (headers, body) = ("content-type: text/plain\r\n", b"ok\n");
            return match request.method.as_str() {
                "HEAD" => connection.head_of_answer(200, headers, body.len(), keep_alive),
                _ => connection.answer(200, headers, body, keep_alive),
            };
        };
        let (answer, answered) = sync_channel(1);
        let job = Job {
            post: Post {
                kind,
                body: request.body,
            },
            answer,
            taken: request.taken,
        };
        let sent = match &*self.jobs.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(jobs) => jobs.try_send(job),
            None => return refuse(connection, 503, "the server stops").and(Err(io::ErrorKind::Other.into())),
        };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = sent {
            let Refusal::Answer(status, reason) = BUSY else {
                return Ok(());
            };
            return refuse(connection, status, reason).and(Err(io::ErrorKind::Other.into()));
        }
        match answered.recv() {
            Ok(Ok(posted)) if posted.unreadable => {
                let reason = posted.first.unwrap_or_default();
                refuse(connection, 400, &reason).and(Err(io::ErrorKind::Other.into()))
            }
            Ok(Ok(posted)) => {
                let (content_type, body) = success(kind, &posted);
                let headers = format!("content-type: {content_type}\r\n");
                connection.answer(200, &headers, &body, keep_alive)
            }
            // Nothing was recorded: the sender keeps it and tries again.
            Ok(Err(_)) | Err(_) => {
                refuse(connection, 503, "the ledger cannot be written now").and(Err(io::ErrorKind::Other.into()))
            }
        }
    }
}
