//! Reads one HTTP/1.1 request from a connection, within limits of size and time.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answers::is_protobuf;
use super::budget::{Budget, Taken};
use super::head::Head;

/// Bytes of a request line with its headers.
const HEAD_LIMIT: usize = 16 << 10;
/// Headers of a request.
const HEADERS: usize = 64;
/// Bytes of a body, as sent and unpacked. The collector's own limit is 20 MiB.
pub(super) const BODY_LIMIT: usize = 20 << 20;
/// Time for a request to arrive once its first byte has.
const ARRIVAL: Duration = Duration::from_secs(30);
/// Time that a connection may be silent between requests.
pub(super) const IDLE: Duration = Duration::from_secs(60);
/// The same where there are many connections.
pub(super) const BRIEF: Duration = Duration::from_secs(5);
/// Time for a sender to take notice of a refusal.
const LINGER: Duration = Duration::from_secs(1);
const CHUNK: usize = 16 << 10;
/// How a connection begins that speaks HTTP/2.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n";
const GRPC: &str = "this is HTTP/2, as exporters of gRPC speak it: OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf";
const NOT_CHUNKED: Refusal = Refusal::Answer(400, "the body is not chunked as it says");

const SLOW: Refusal = Refusal::Answer(408, "the request took too long");

/// Why there is no request.
pub(super) enum Refusal {
    /// The peer went away, or asked for nothing: there is nobody to answer.
    Gone,
    /// To be answered with this status and reason.
    Answer(u16, &'static str),
}

impl From<io::Error> for Refusal {
    fn from(_: io::Error) -> Self {
        Refusal::Gone
    }
}

/// A request with its body unpacked.
pub(super) struct Request {
    pub method: String,
    pub path: String,
    pub content_type: String,
    pub keep_alive: bool,
    pub body: Vec<u8>,
    /// Memory of the body.
    pub taken: Taken,
}

/// A connection with what was read ahead.
pub(super) struct Connection {
    pub stream: TcpStream,
    ahead: Vec<u8>,
    /// How much of that was used.
    used: usize,
    deadline: Instant,
    /// That of the newest request, as far as it was read.
    pub path: String,
    /// Whether its body is said to be protobuf, and so is what it is answered with.
    pub in_protobuf: bool,
}

impl Connection {
    /// A fresh connection.
    pub fn new(stream: TcpStream) -> Self {
        Connection {
            stream,
            ahead: Vec::new(),
            used: 0,
            deadline: Instant::now() + IDLE,
            path: String::new(),
            in_protobuf: false,
        }
    }

    /// What was read and not used yet.
    fn ahead(&self) -> &[u8] {
        self.ahead.get(self.used..).unwrap_or_default()
    }

    /// Forgets what was used, which moves the rest to the front: before more is read, not with each small piece that is used.
    fn forget_used(&mut self) {
        self.ahead.drain(..self.used.min(self.ahead.len()));
        self.used = 0;
    }

    /// Reads more; nothing at the end of the stream. Time is counted over the whole request: a peer that sends a byte now and then
    /// does not hold a connection for ever.
    fn more(&mut self) -> Result<usize, Refusal> {
        self.more_of(CHUNK)
    }

    /// The same, so many bytes at most.
    fn more_of(&mut self, most: usize) -> Result<usize, Refusal> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(SLOW);
        }
        self.stream.set_read_timeout(Some(left))?;
        self.forget_used();
        let mut chunk = [0_u8; CHUNK];
        loop {
            match self.stream.read(chunk.get_mut(..most.min(CHUNK)).unwrap_or(&mut [])) {
                Ok(read) => {
                    self.ahead.extend_from_slice(chunk.get(..read).unwrap_or(&[]));
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The time to read is what is left until the deadline.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Err(SLOW);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn head(&mut self, idle: Duration) -> Result<Head, Refusal> {
        self.deadline = Instant::now() + idle;
        let mut began = !self.ahead().is_empty();
        loop {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS];
            let mut request = httparse::Request::new(&mut headers);
            match request.parse(self.ahead()) {
                Ok(httparse::Status::Complete(length)) => {
                    let head = Head::of(&request)?;
                    self.used += length;
                    return Ok(head);
                }
                Ok(httparse::Status::Partial) if self.ahead().len() >= HEAD_LIMIT => {
                    return Err(Refusal::Answer(431, "the headers are too long"));
                }
                Ok(httparse::Status::Partial) => {}
                Err(httparse::Error::TooManyHeaders) => return Err(Refusal::Answer(431, "there are too many headers")),
                Err(_) if self.ahead().starts_with(HTTP_2) => return Err(Refusal::Answer(400, GRPC)),
                Err(_) => return Err(Refusal::Answer(400, "this is no HTTP request")),
            }
            match self.more() {
                Ok(0) => return Err(Refusal::Gone),
                // Nobody has asked for anything.
                Err(_) if !began => return Err(Refusal::Gone),
                read => read?,
            };
            if !std::mem::replace(&mut began, true) {
                // No longer than between requests: where there are many connections a head has to come at once.
                self.deadline = Instant::now() + ARRIVAL.min(idle);
            }
        }
    }

    /// The next request, if it begins within `idle`. `allowed` looks at method, path and headers before anything of the body is kept.
    pub fn request(
        &mut self,
        idle: Duration,
        budget: &Arc<Budget>,
        allowed: impl FnOnce(&str, &str, &str, &str, bool) -> Result<(), (u16, &'static str)>,
    ) -> Result<Request, Refusal> {
        self.path.clear();
        self.in_protobuf = false;
        let head = self.head(idle)?;
        self.path.clone_from(&head.path);
        self.in_protobuf = is_protobuf(&head.content_type);
        self.deadline = Instant::now() + ARRIVAL;
        let (method, path, content_type) = (&head.method, &head.path, &head.content_type);
        allowed(method, path, content_type, &head.authorization, head.from_page)
            .map_err(|(status, reason)| Refusal::Answer(status, reason))?;
        if head.length.is_some_and(|length| length > BODY_LIMIT) {
            return Err(Refusal::Answer(413, "the body is too large"));
        }
        if head.expects {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut taken = budget.nothing();
        let body = if head.chunked {
            self.chunked(&mut taken)?
        } else {
            self.exactly(head.length.unwrap_or(0), &mut taken)?
        };
        let body = unpacked(body, &head.encoding, &mut taken)?;
        Ok(Request {
            method: head.method,
            path: head.path,
            content_type: head.content_type,
            keep_alive: head.keep_alive,
            body,
            taken,
        })
    }

    fn exactly(&mut self, length: usize, taken: &mut Taken) -> Result<Vec<u8>, Refusal> {
        if !taken.grow(length) {
            return Err(BUSY);
        }
        self.forget_used();
        // Grown step by step a buffer would take up to twice what the budget knows of.
        self.ahead.reserve_exact(length.saturating_sub(self.ahead.len()));
        while self.ahead.len() < length {
            if self.more_of(length - self.ahead.len())? == 0 {
                return Err(Refusal::Gone);
            }
        }
        let rest = self.ahead.split_off(length);
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    fn chunked(&mut self, taken: &mut Taken) -> Result<Vec<u8>, Refusal> {
        let mut body = Vec::new();
        loop {
            let size = loop {
                match httparse::parse_chunk_size(self.ahead()) {
                    Ok(httparse::Status::Complete((at, size))) => {
                        self.used += at;
                        break usize::try_from(size).unwrap_or(usize::MAX);
                    }
                    Ok(httparse::Status::Partial) if self.ahead().len() < HEAD_LIMIT => self.some_more()?,
                    Ok(httparse::Status::Partial) | Err(_) => return Err(NOT_CHUNKED),
                }
            };
            if size == 0 {
                self.trailers()?;
                return Ok(body);
            }
            if body.len().saturating_add(size) > BODY_LIMIT {
                return Err(Refusal::Answer(413, "the body is too large"));
            }
            if !taken.grow(size) {
                return Err(BUSY);
            }
            let end = body.len() + size;
            while body.len() < end {
                if self.ahead().is_empty() {
                    self.some_more()?;
                }
                let ahead = self.ahead();
                let part = ahead.get(..end - body.len()).unwrap_or(ahead);
                body.extend_from_slice(part);
                self.used += part.len();
            }
            while self.ahead().len() < 2 {
                self.some_more()?;
            }
            if !self.ahead().starts_with(b"\r\n") {
                return Err(NOT_CHUNKED);
            }
            self.used += 2;
        }
    }

    /// Passes over what may stand behind the last chunk: lines up to an empty one.
    fn trailers(&mut self) -> Result<(), Refusal> {
        let mut passed = 0;
        loop {
            match self.ahead().iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    let empty = matches!(self.ahead().get(..end), Some(b"" | b"\r"));
                    self.used += end + 1;
                    passed += end + 1;
                    if empty {
                        return Ok(());
                    }
                }
                None => self.some_more()?,
            }
            if passed + self.ahead().len() > HEAD_LIMIT + CHUNK {
                return Err(Refusal::Answer(431, "the trailers are too long"));
            }
        }
    }

    /// Reads more, of which there has to be some.
    fn some_more(&mut self) -> Result<(), Refusal> {
        match self.more()? {
            0 => Err(Refusal::Gone),
            _ => Ok(()),
        }
    }

    /// Passes over what the peer still sends, for a moment.
    pub fn drain(&mut self) {
        self.deadline = Instant::now() + LINGER;
        loop {
            self.used = self.ahead.len();
            match self.more() {
                Ok(read) if read > 0 => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Sends an answer.
    pub fn answer(&mut self, status: u16, headers: &str, body: &[u8], keep_alive: bool) -> io::Result<()> {
        self.head_of_answer(status, headers, body.len(), keep_alive)?;
        self.stream.write_all(body)
    }

    /// Sends an answer that is without its body.
    pub fn head_of_answer(&mut self, status: u16, headers: &str, length: usize, keep_alive: bool) -> io::Result<()> {
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let head = format!(
            "HTTP/1.1 {status} {}\r\ncontent-length: {length}\r\nconnection: {connection}\r\n{headers}\r\n",
            reason(status)
        );
        self.stream.set_write_timeout(Some(ARRIVAL))?;
        self.stream.write_all(head.as_bytes())
    }
}

/// There is no room for more bodies now.
pub(super) const BUSY: Refusal = Refusal::Answer(429, "too much at once");

/// Unpacks a body within the same limits.
fn unpacked(body: Vec<u8>, encoding: &str, taken: &mut Taken) -> Result<Vec<u8>, Refusal> {
    match encoding {
        "" | "identity" => return Ok(body),
        "gzip" | "x-gzip" => {}
        _ => return Err(Refusal::Answer(415, "only gzip is understood")),
    }
    let packed = body.len();
    let mut input = flate2::read::MultiGzDecoder::new(body.as_slice());
    let mut unpacked = Vec::new();
    let mut chunk = [0_u8; CHUNK];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => {
                drop(body);
                taken.shrink(packed);
                return Ok(unpacked);
            }
            Ok(read) => {
                if unpacked.len() + read > BODY_LIMIT {
                    return Err(Refusal::Answer(413, "the body is too large"));
                }
                if !taken.grow(read) {
                    return Err(BUSY);
                }
                unpacked.extend_from_slice(chunk.get(..read).unwrap_or(&[]));
            }
            Err(_) => return Err(Refusal::Answer(400, "the body is not gzip as it says")),
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Error",
    }
}
