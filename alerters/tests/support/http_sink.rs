//! A web server for one test: speaks HTTP/1.1 on a real socket, keeps what it is told, and misbehaves on request.
//! A thread a connection, one request a connection; every wait ends within [`PATIENCE`].

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::certificate::certificate;

/// Longest wait for anything. Far above what a test needs, so that a slow machine fails none.
const PATIENCE: Duration = Duration::from_secs(120);

/// One request as the sink saw it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `POST /path`
    pub(crate) line: String,
    /// Names in lower case, in the order they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The only header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice: {self:?}");
        value
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Everything that matters, for a snapshot. The client's own headers are left out.
    pub(crate) fn shown(&self) -> String {
        const LEFT_OUT: [&str; 4] = ["host", "user-agent", "content-length", "accept-encoding"];
        let headers = self
            .headers
            .iter()
            .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
        let headers: String = headers
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        let body = match serde_json::from_slice::<Value>(&self.body) {
            Ok(json) => serde_json::to_string_pretty(&json).unwrap(),
            Err(_) => String::from_utf8_lossy(&self.body).into_owned(),
        };
        format!("{}\n{headers}\n{body}\n", self.line)
    }
}

/// What the sink does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// A well-formed answer.
    Say(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Reads on, as a hung server's kernel would, and answers nothing.
    Hang,
    /// Breaks off in the middle of a header.
    HangUp,
    /// Good headers, and the beginning of a longer body.
    Cut(String),
    /// A status line and headers a byte at a time, without end.
    Drip,
    /// Good headers, then a body a byte at a time, without end.
    DripBody(u16),
    /// Something that is not HTTP.
    Garbage,
    /// A body of 100 MB.
    Huge(u16),
}

impl Answer {
    pub(crate) fn ok(body: &str) -> Self {
        Self::Say(200, Vec::new(), body.as_bytes().to_vec())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Say(status, Vec::new(), Vec::new())
    }
}

type Respond = dyn Fn(&Request) -> Answer + Send + Sync;

/// A listening sink, which serves until it is dropped.
pub(crate) struct HttpSink {
    pub(crate) port: u16,
    /// The certificate in PEM, for a client to trust.
    pub(crate) ca: tempfile::NamedTempFile,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl HttpSink {
    pub(crate) fn start(respond: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(false, Arc::new(respond))
    }

    /// The same over TLS, for the name `localhost`.
    pub(crate) fn start_tls(respond: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(true, Arc::new(respond))
    }

    fn listen(tls: bool, respond: Arc<Respond>) -> Self {
        let (ca, config) = certificate();
        let tls = tls.then_some(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (requests, stop) = (Arc::clone(&requests), Arc::clone(&stop));
            move || {
                let began = Instant::now();
                let mut visits = Vec::new();
                while began.elapsed() < PATIENCE && !stop.load(Ordering::Relaxed) {
                    let Ok((stream, _)) = listener.accept() else {
                        std::thread::sleep(Duration::from_millis(2));
                        continue;
                    };
                    let (requests, stop) = (Arc::clone(&requests), Arc::clone(&stop));
                    let (respond, tls) = (Arc::clone(&respond), tls.clone());
                    visits.push(std::thread::spawn(move || {
                        // A client that hangs up is an ordinary end here; what was said until then counts.
                        _ = visit(stream, tls, &requests, &stop, &*respond);
                    }));
                }
                for visit in visits {
                    visit.join().unwrap();
                }
            }
        });
        Self {
            port,
            ca,
            requests,
            stop,
            thread: Some(thread),
        }
    }

    /// `http://127.0.0.1:port`
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The only request.
    pub(crate) fn only(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }
}

impl Drop for HttpSink {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn visit(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    requests: &Mutex<Vec<Request>>,
    stop: &AtomicBool,
    respond: &Respond,
) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let mut stream: Box<dyn Stream> = match tls {
        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)),
        None => Box::new(stream),
    };
    let request = read(&mut *stream)?;
    requests.lock().unwrap().push(request.clone());
    answer(&mut *stream, respond(&request), stop)
}

fn read(stream: &mut dyn Stream) -> io::Result<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("headers are ASCII");
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<(String, String)> = lines
        .map(|line| {
            line.split_once(": ")
                .unwrap_or_else(|| panic!("no header: {line:?}"))
        })
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut request = Request {
        line,
        headers,
        body: Vec::new(),
    };
    let length = match request.header("content-length") {
        None if request.line.starts_with("GET ") || request.line.starts_with("HEAD ") => 0,
        length => length.expect("a length").parse().unwrap(),
    };
    request.body = vec![0; length];
    stream.read_exact(&mut request.body)?;
    Ok(request)
}

fn answer(stream: &mut dyn Stream, answer: Answer, stop: &AtomicBool) -> io::Result<()> {
    match answer {
        Answer::Say(status, headers, body) => {
            let headers: String = headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect();
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} Said\r\n{headers}Content-Length: {length}\r\n\r\n"
            )?;
            stream.write_all(&body)?;
            stream.flush()
        }
        Answer::Hang => {
            let mut byte = [0];
            while stream.read(&mut byte)? == 1 {}
            Ok(())
        }
        Answer::HangUp => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le")?;
            stream.flush()
        }
        Answer::Cut(body) => {
            let length = body.len() + 1_000;
            write!(
                stream,
                "HTTP/1.1 200 Said\r\nContent-Length: {length}\r\n\r\n{body}"
            )?;
            stream.flush()
        }
        Answer::Drip => drip(stream, b"HTTP/1.1 200 OK\r\nX-Long: ", stop),
        Answer::DripBody(status) => {
            write!(
                stream,
                "HTTP/1.1 {status} Slow\r\nContent-Length: 1000000\r\n\r\n"
            )?;
            drip(stream, b"", stop)
        }
        Answer::Garbage => {
            stream.write_all(b"220 mail.example.org ESMTP \x00\xff ready\r\n\r\n")?;
            stream.flush()
        }
        Answer::Huge(status) => {
            write!(
                stream,
                "HTTP/1.1 {status} Large\r\nContent-Length: 100000000\r\n\r\n"
            )?;
            let piece = [b'x'; 10_000];
            for _ in 0..10_000 {
                stream.write_all(&piece)?;
            }
            stream.flush()
        }
    }
}

fn drip(stream: &mut dyn Stream, begin: &[u8], stop: &AtomicBool) -> io::Result<()> {
    let began = Instant::now();
    for byte in begin.iter().copied().chain(std::iter::repeat(b'x')) {
        if began.elapsed() > PATIENCE || stop.load(Ordering::Relaxed) {
            break;
        }
        stream.write_all(&[byte])?;
        stream.flush()?;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
