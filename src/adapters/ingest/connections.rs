//! The connections: which are taken, what is asked of each request, and what each hears.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::LOOK;
use super::answers::{kind, refuse, success};
use super::budget::{Budget, Taken};
use super::refusals::Refusals;
use super::request::{BRIEF, BUSY, Connection, IDLE, Refusal, Request};
use crate::adapters::files::{Post, Posted};

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// Beyond these none is kept for a further request, so that senders that keep theirs do not shut others out.
const KEPT: usize = CONNECTIONS / 2;
/// Connections beyond them that are told so with patience, at a time.
const TURNED_AWAY: usize = 8;
/// How long after a failure to record whoever asks for health is told of it: senders that were sent elsewhere do not show that it is over.
const UNWELL: Duration = Duration::from_secs(30);

/// One body on its way to the ledger.
pub(super) struct Job {
    pub post: Post,
    pub answer: SyncSender<Result<Posted, String>>,
    pub taken: Taken,
}

/// What all connections share.
pub(super) struct Desk {
    pub jobs: Mutex<Option<SyncSender<Job>>>,
    pub budget: Arc<Budget>,
    /// Digest of the token that requests have to bear.
    pub token: Option<blake3::Hash>,
    pub connections: AtomicUsize,
    pub turned_away: AtomicUsize,
    pub stop: Arc<AtomicBool>,
    pub refusals: Refusals,
    /// When what came last could not be recorded.
    pub failed: Mutex<Option<Instant>>,
}

/// Takes connections.
pub(super) fn accept(listener: &TcpListener, desk: &Arc<Desk>) {
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
    desk.refusals.add(429, "too many connections", "");
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
                desk.refusals.add(status, reason, &connection.path);
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
    /// Whether what came last could not be recorded, just now.
    fn is_failing(&self) -> bool {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|at| at.elapsed() < UNWELL)
    }

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
            return Err((
                404,
                "metrics tell no calls apart: export traces to /v1/traces, and set OTEL_METRICS_EXPORTER=none (Codex: `metrics_exporter = \"none\"` in `[otel]`)",
            ));
        }
        if path == "/v1/logs" {
            return Err((
                404,
                "log records are not read: export traces to /v1/traces, and set OTEL_LOGS_EXPORTER=none (Codex: `exporter = \"none\"` in `[otel]`; Gemini CLI sends them whatever is set)",
            ));
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
            let headers = "content-type: text/plain\r\n";
            let (status, body) = match self.is_failing() {
                false => (200, &b"ok\n"[..]),
                true => (503, &b"the ledger cannot be written\n"[..]),
            };
            return match request.method.as_str() {
                "HEAD" => connection.head_of_answer(status, headers, body.len(), keep_alive),
                _ => connection.answer(status, headers, body, keep_alive),
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
            self.refusals.add(status, reason, &connection.path);
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
