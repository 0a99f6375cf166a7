//! A proxy before a server that lets requests come to grief as it is told.

use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use flate2::read::GzDecoder;

use crate::http1::Message;

/// How long either side may say nothing before its connection is given up.
const SILENCE: Duration = Duration::from_secs(120);

/// What a request meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status, and the seconds of `Retry-After` if any. The server never hears of the request.
    Status(u16, Option<u32>),
    /// 200 with a page for people, as a proxy with a login answers. The server never hears of the request.
    Page,
    /// The connection is reset before the request was read.
    Reset,
    /// The server does its part, and half of its answer's bytes come back.
    Half,
    /// The server does its part, and its answer comes a byte at a time with this pause.
    Slow(Duration),
    /// The request waits for so long before it is passed on.
    Delay(Duration),
}

/// Says what a request meets; none: nothing.
pub type Plan = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

/// A request on its way.
pub struct Request {
    message: Message,
}

impl Request {
    /// Whether it brings traces.
    pub fn is_batch(&self) -> bool {
        self.message.second() == "/v1/traces"
    }

    /// Its body without compression, as far as it is text.
    pub fn text(&self) -> String {
        let mut plain = Vec::new();
        let body = self.message.body.as_slice();
        let unpacked = GzDecoder::new(body).read_to_end(&mut plain);
        let bytes = if unpacked.is_ok() { &plain } else { body };
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// The proxy; it ends when this is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: SocketAddr,
    plan: Mutex<Option<Plan>>,
    faults: AtomicUsize,
    requests: AtomicUsize,
    ended: AtomicBool,
}

impl Proxy {
    /// Listens, and passes everything on.
    pub fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server,
            plan: Mutex::new(None),
            faults: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.ended.load(SeqCst) {
                    return;
                }
                let (Ok(stream), shared) = (stream, accepting.clone()) else {
                    continue;
                };
                // Whatever goes wrong, the client hears of it by the end of its connection.
                std::thread::spawn(move || drop(shared.serve(&stream)));
            }
        });
        Ok(Self { address, shared })
    }

    /// Its address as a base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From here on requests meet what the plan says.
    pub fn plan(&self, plan: impl FnMut(&Request) -> Option<Fault> + Send + 'static) {
        *self.shared.lock() = Some(Box::new(plan));
    }

    /// From here on all is passed on.
    pub fn heal(&self) {
        *self.shared.lock() = None;
    }

    /// How many requests have met a fault.
    pub fn faults(&self) -> usize {
        self.shared.faults.load(SeqCst)
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
        // Wakes the thread that accepts, which then ends.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Plan>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(SILENCE))?;
        let mut reader = BufReader::new(client);
        let Some(message) = Message::request(&mut reader)? else {
            return Ok(());
        };
        self.requests.fetch_add(1, SeqCst);
        let request = Request { message };
        let fault = self.lock().as_mut().and_then(|plan| plan(&request));
        self.faults.fetch_add(usize::from(fault.is_some()), SeqCst);
        let mut client = client;
        match fault {
            None => client.write_all(&self.pass(request)?.bytes()),
            Some(Fault::Status(status, after)) => client.write_all(&refusal(status, after)),
            Some(Fault::Page) => client.write_all(&page()),
            Some(Fault::Reset) => reset(client),
            Some(Fault::Half) => {
                let answer = self.pass(request)?.bytes();
                client.write_all(&answer[..answer.len() / 2])
            }
            Some(Fault::Slow(pause)) => {
                let answer = self.pass(request)?.bytes();
                answer.chunks(1).try_for_each(|byte| {
                    std::thread::sleep(pause);
                    client.write_all(byte)
                })
            }
            Some(Fault::Delay(time)) => {
                std::thread::sleep(time);
                client.write_all(&self.pass(request)?.bytes())
            }
        }
    }

    /// Has the server answer.
    fn pass(&self, request: Request) -> io::Result<Message> {
        let mut message = request.message;
        message.headers.retain(|(name, _)| name != "host");
        let host = self.server.to_string();
        message.headers.push(("host".to_owned(), host));
        let server = TcpStream::connect(self.server)?;
        server.set_read_timeout(Some(SILENCE))?;
        message.write(&mut &server)?;
        Message::response(&mut BufReader::new(&server))
    }
}

fn refusal(status: u16, after: Option<u32>) -> Vec<u8> {
    let headers = after.map(|seconds| ("retry-after".to_owned(), seconds.to_string()));
    let message = Message {
        first: format!("HTTP/1.1 {status} Injected"),
        headers: headers.into_iter().collect(),
        body: b"{\"detail\":\"injected by the test\"}".to_vec(),
    };
    message.bytes()
}

fn page() -> Vec<u8> {
    let html = ("content-type".to_owned(), "text/html".to_owned());
    let message = Message {
        first: "HTTP/1.1 200 OK".to_owned(),
        headers: vec![html],
        body: b"<!doctype html><title>Sign in</title>".to_vec(),
    };
    message.bytes()
}

/// Has the client see a reset: with `SO_LINGER` at zero, a close discards and resets.
fn reset(client: &TcpStream) -> io::Result<()> {
    rustix::net::sockopt::set_socket_linger(client, Some(Duration::ZERO))?;
    client.shutdown(std::net::Shutdown::Read)
}
