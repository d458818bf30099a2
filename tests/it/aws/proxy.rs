//! A proxy that stands between the program and an emulator and breaks some of the calls: delays, 5xx, throttling, connections cut
//! before the call, and replies lost after it was carried out.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What can go wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Delay,
    Unavailable,
    Throttle,
    Cut,
    LostReply,
    Denied,
    Expired,
    /// No answer for longer than anyone waits in these tests.
    Hang,
    /// A transaction is cancelled, for this reason.
    Cancelled(&'static str),
}

/// A running proxy.
pub struct Proxy {
    pub url: String,
    /// Calls in a thousand that are broken, by one of these.
    rate: Arc<AtomicU64>,
    faults: Arc<Mutex<Vec<Fault>>>,
    /// Only requests with this in them are broken.
    only: Arc<Mutex<String>>,
    /// How many more are broken.
    left: Arc<AtomicU64>,
    /// Calls that were broken, by how.
    pub broken: Arc<Mutex<BTreeMap<Fault, u64>>>,
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

impl Proxy {
    /// In front of `upstream` (`http://host:port`).
    pub fn start(upstream: &str, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy {
            url: format!("http://{}", listener.local_addr().unwrap()),
            rate: Arc::default(),
            faults: Arc::default(),
            only: Arc::default(),
            left: Arc::new(AtomicU64::new(u64::MAX)),
            broken: Arc::default(),
        };
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let random = Arc::new(Mutex::new(Random(seed)));
        let (rate, faults, only, left, broken) = (
            Arc::clone(&proxy.rate),
            Arc::clone(&proxy.faults),
            Arc::clone(&proxy.only),
            Arc::clone(&proxy.left),
            Arc::clone(&proxy.broken),
        );
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let (upstream, random) = (upstream.clone(), Arc::clone(&random));
                let (rate, faults, broken) = (Arc::clone(&rate), Arc::clone(&faults), Arc::clone(&broken));
                let left = Arc::clone(&left);
                let only = only.lock().unwrap().clone();
                std::thread::spawn(move || {
                    let Ok(asked) = request(&mut stream) else { return };
                    let meant = only.is_empty() || String::from_utf8_lossy(&asked).contains(&only);
                    let fault = {
                        let mut random = random.lock().unwrap();
                        let faults = faults.lock().unwrap();
                        let hit = random.below(1000) < rate.load(Ordering::Relaxed) && !faults.is_empty();
                        let one_less = |left: u64| left.checked_sub(1);
                        let breaks =
                            hit && meant && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
                        breaks.then(|| faults[usize::try_from(random.below(faults.len() as u64)).unwrap()])
                    };
                    if let Some(fault) = fault {
                        *broken.lock().unwrap().entry(fault).or_default() += 1;
                    }
                    let _ = serve(&mut stream, &asked, &upstream, fault);
                });
            }
        });
        proxy
    }

    /// Breaks so many of a thousand calls from now on.
    pub fn set(&self, per_thousand: u64, faults: &[Fault]) {
        self.rate.store(per_thousand, Ordering::Relaxed);
        *self.faults.lock().unwrap() = faults.to_vec();
    }

    /// Breaks so many more and no further ones.
    pub fn times(&self, left: u64) {
        self.left.store(left, Ordering::SeqCst);
    }

    /// How many calls were broken so.
    pub fn count(&self, fault: Fault) -> u64 {
        self.broken.lock().unwrap().get(&fault).copied().unwrap_or(0)
    }

    /// Breaks nothing but requests that contain this.
    pub fn only(&self, text: &str) {
        text.clone_into(&mut self.only.lock().unwrap());
    }
}

/// One request with its body, as it came, but for the connection header.
fn request(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut reader = BufReader::new(stream);
    let (mut whole, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            whole.extend(b"connection: close\r\n\r\n");
            break;
        }
        if !lower.starts_with("connection:") {
            whole.extend(line.as_bytes());
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    whole.extend(body);
    Ok(whole)
}

fn error(stream: &mut TcpStream, asked: &[u8], status: u16, code: &str) -> std::io::Result<()> {
    // The query protocol of STS and SNS answers in XML, the others in JSON.
    let body = if asked.windows(7).any(|w| w == b"Action=") {
        format!("<ErrorResponse><Error><Code>{code}</Code><Message>by the proxy</Message></Error></ErrorResponse>")
    } else {
        format!(r#"{{"__type":"{code}","message":"by the proxy"}}"#)
    };
    answer(stream, status, &body)
}

fn answer(stream: &mut TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn serve(stream: &mut TcpStream, asked: &[u8], upstream: &str, fault: Option<Fault>) -> std::io::Result<()> {
    match fault {
        Some(Fault::Unavailable) => return error(stream, asked, 503, "InternalServerError"),
        Some(Fault::Throttle) => return error(stream, asked, 400, "ThrottlingException"),
        Some(Fault::Denied) => return error(stream, asked, 400, "AccessDeniedException"),
        Some(Fault::Expired) => return error(stream, asked, 400, "ExpiredTokenException"),
        Some(Fault::Cancelled(reason)) => {
            let body = format!(
                r#"{{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"Transaction cancelled, please refer cancellation reasons for specific reasons [None, {reason}]","CancellationReasons":[{{"Code":"None"}},{{"Code":"{reason}","Message":"by the proxy"}}]}}"#
            );
            return answer(stream, 400, &body);
        }
        Some(Fault::Cut) => return Ok(()),
        Some(Fault::Hang) => std::thread::sleep(Duration::from_secs(60)),
        Some(Fault::Delay) => std::thread::sleep(Duration::from_millis(300)),
        Some(Fault::LostReply) | None => {}
    }
    let mut there = TcpStream::connect(upstream)?;
    there.write_all(asked)?;
    let mut reply = Vec::new();
    there.read_to_end(&mut reply)?;
    if fault == Some(Fault::LostReply) {
        return Ok(());
    }
    stream.write_all(&reply)
}
