//! Reads one HTTP/1.1 request from a connection, within limits of size and time.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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

/// Memory for bodies, shared by all connections.
pub(super) struct Budget {
    free: AtomicUsize,
}

/// Memory taken from the budget; given back when dropped.
pub(super) struct Taken {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// So many bytes.
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Budget {
            free: AtomicUsize::new(bytes),
        })
    }

    /// Nothing, to be grown.
    pub fn nothing(self: &Arc<Self>) -> Taken {
        Taken {
            budget: Arc::clone(self),
            bytes: 0,
        }
    }
}

impl Taken {
    /// Takes more; whether there was enough.
    fn grow(&mut self, bytes: usize) -> bool {
        let free = &self.budget.free;
        let taken = free.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(bytes));
        if taken.is_ok() {
            self.bytes += bytes;
        }
        taken.is_ok()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.budget.free.fetch_add(self.bytes, Ordering::AcqRel);
    }
}

/// Why there is no request.
pub(super) enum Refusal {
    /// The peer went away or was too slow: there is nobody to answer.
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

/// What the headers say about the body and the connection.
struct Head {
    method: String,
    path: String,
    content_type: String,
    authorization: String,
    from_page: bool,
    keep_alive: bool,
    length: Option<usize>,
    chunked: bool,
    encoding: String,
    expects: bool,
}

/// A connection with what was read ahead.
pub(super) struct Connection {
    pub stream: TcpStream,
    ahead: Vec<u8>,
    deadline: Instant,
}

impl Connection {
    /// A fresh connection.
    pub fn new(stream: TcpStream) -> Self {
        Connection {
            stream,
            ahead: Vec::new(),
            deadline: Instant::now() + IDLE,
        }
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
            return Err(Refusal::Answer(408, "the request took too long"));
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut chunk = [0_u8; CHUNK];
        loop {
            match self.stream.read(chunk.get_mut(..most.min(CHUNK)).unwrap_or(&mut [])) {
                Ok(read) => {
                    self.ahead.extend_from_slice(chunk.get(..read).unwrap_or(&[]));
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn head(&mut self, idle: Duration) -> Result<Head, Refusal> {
        self.deadline = Instant::now() + idle;
        let mut began = !self.ahead.is_empty();
        loop {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS];
            let mut request = httparse::Request::new(&mut headers);
            match request.parse(&self.ahead) {
                Ok(httparse::Status::Complete(length)) => {
                    let head = Head::of(&request)?;
                    self.ahead.drain(..length);
                    return Ok(head);
                }
                Ok(httparse::Status::Partial) if self.ahead.len() >= HEAD_LIMIT => {
                    return Err(Refusal::Answer(431, "the headers are too long"));
                }
                Ok(httparse::Status::Partial) => {}
                Err(_) => return Err(Refusal::Answer(400, "this is no HTTP request")),
            }
            if self.more()? == 0 {
                return Err(Refusal::Gone);
            }
            if !std::mem::replace(&mut began, true) {
                self.deadline = Instant::now() + ARRIVAL;
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
        let head = self.head(idle)?;
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
                match httparse::parse_chunk_size(&self.ahead) {
                    Ok(httparse::Status::Complete((at, size))) => {
                        self.ahead.drain(..at);
                        break usize::try_from(size).unwrap_or(usize::MAX);
                    }
                    Ok(httparse::Status::Partial) if self.ahead.len() < HEAD_LIMIT => {
                        if self.more()? == 0 {
                            return Err(Refusal::Gone);
                        }
                    }
                    Ok(httparse::Status::Partial) | Err(_) => {
                        return Err(Refusal::Answer(400, "the body is not chunked as it says"));
                    }
                }
            };
            if size == 0 {
                // No trailers are expected: the line that ends them is all there is.
                let _ = self.exactly(2, taken)?;
                return Ok(body);
            }
            if body.len().saturating_add(size) > BODY_LIMIT {
                return Err(Refusal::Answer(413, "the body is too large"));
            }
            let part = self.exactly(size, taken)?;
            body.extend_from_slice(&part);
            if self.exactly(2, taken)? != b"\r\n" {
                return Err(Refusal::Answer(400, "the body is not chunked as it says"));
            }
        }
    }

    /// Passes over what the peer still sends: for a moment, and no more than the largest request.
    pub fn drain(&mut self) {
        self.deadline = Instant::now() + LINGER;
        let mut left = HEAD_LIMIT + BODY_LIMIT;
        while left > 0 {
            self.ahead.clear();
            match self.more() {
                Ok(read) if read > 0 => left = left.saturating_sub(read),
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

impl Head {
    fn of(request: &httparse::Request<'_, '_>) -> Result<Self, Refusal> {
        let wrong = |reason| Refusal::Answer(400, reason);
        let text = |name: &str| {
            let header = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
            header.map_or("", |h| std::str::from_utf8(h.value).unwrap_or("").trim())
        };
        let chunked = text("transfer-encoding");
        if !(chunked.is_empty() || chunked.eq_ignore_ascii_case("chunked")) {
            return Err(Refusal::Answer(501, "this transfer encoding is not understood"));
        }
        let lengths = request
            .headers
            .iter()
            .filter(|h| h.name.eq_ignore_ascii_case("content-length"));
        let length = match (lengths.count(), text("content-length")) {
            (0, _) => None,
            // Two lengths, or a length beside chunks, are how requests are smuggled.
            (1, length) if chunked.is_empty() => Some(length.parse().map_err(|_| wrong("the length is no number"))?),
            _ => return Err(wrong("the length is given twice")),
        };
        let closes = text("connection").eq_ignore_ascii_case("close") || request.version == Some(0);
        let path = request.path.unwrap_or("");
        Ok(Head {
            method: request.method.unwrap_or("").to_owned(),
            path: path.split('?').next().unwrap_or("").to_owned(),
            content_type: text("content-type")
                .split(';')
                .next()
                .unwrap_or("")
                .trim()
                .to_ascii_lowercase(),
            authorization: text("authorization").to_owned(),
            from_page: !text("origin").is_empty(),
            keep_alive: !closes,
            length,
            chunked: !chunked.is_empty(),
            encoding: text("content-encoding").to_ascii_lowercase(),
            expects: text("expect").eq_ignore_ascii_case("100-continue"),
        })
    }
}

/// Unpacks a body within the same limits.
fn unpacked(body: Vec<u8>, encoding: &str, taken: &mut Taken) -> Result<Vec<u8>, Refusal> {
    match encoding {
        "" | "identity" => return Ok(body),
        "gzip" | "x-gzip" => {}
        _ => return Err(Refusal::Answer(415, "only gzip is understood")),
    }
    let mut input = flate2::read::MultiGzDecoder::new(body.as_slice());
    let mut unpacked = Vec::new();
    let mut chunk = [0_u8; CHUNK];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return Ok(unpacked),
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
