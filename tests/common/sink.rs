//! A Graphite or a Prometheus on a socket: answers as it is told to, and remembers what it was asked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One answer.
pub(crate) enum Answer {
    /// Status 200 and JSON.
    Json(String),
    /// Another status, and some text.
    Status(u16, &'static str),
    /// A redirect.
    To(String),
    /// The beginning of an answer, of which more was announced.
    Cut(String),
    /// Nothing, for as long as the client waits.
    Nothing,
}

/// A request: its path, and the values of its query by name.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// What the header of that name says.
    pub(crate) authorization: String,
}

impl Request {
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }
}

/// A running server; its thread ends with the process.
pub(crate) struct Sink {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Sink {
    /// Answers each request as `answer` says, which gets the request and how many came before it.
    pub(crate) fn start(answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                // A client that is kept waiting does not keep others waiting.
                std::thread::spawn(move || serve(stream, &seen, &*answer));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The targets that were asked for, in order.
    pub(crate) fn rendered(&self) -> Vec<String> {
        let requests = self.requests();
        let renders = requests.iter().filter(|request| request.path == "/render");
        renders.map(|request| request.get("target").to_owned()).collect()
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request, usize) -> Answer) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut request = parse(&line);
        let mut header = String::new();
        while reader.read_line(&mut header).unwrap_or(0) > 0 && header.trim() != "" {
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("authorization")
            {
                value.trim().clone_into(&mut request.authorization);
            }
            header.clear();
        }
        let before = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        let (head, body, length) = match answer(&request, before) {
            Answer::Json(body) => ("200 OK".to_owned(), body.clone(), body.len()),
            Answer::Status(status, text) => (format!("{status} Said So"), text.to_owned(), text.len()),
            Answer::To(url) => (format!("302 Found\r\nLocation: {url}"), String::new(), 0),
            Answer::Cut(body) => ("200 OK".to_owned(), body.clone(), body.len() + 1_000),
            Answer::Nothing => {
                std::thread::sleep(Duration::from_secs(60));
                return;
            }
        };
        let sent = write!(
            stream,
            "HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        if sent.is_err() || length != body.len() {
            return;
        }
    }
}

fn parse(line: &str) -> Request {
    let target = line.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key), decoded(value))
    };
    Request {
        path: path.to_owned(),
        query: query.split('&').map(pair).collect(),
        authorization: String::new(),
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// A series as Graphite renders it; a value that is no number is null.
pub(crate) fn rendered(target: &str, points: &[(f64, f64)]) -> String {
    let points: Vec<String> = points
        .iter()
        .map(|(time, value)| match value.is_finite() {
            true => format!("[{value}, {time}]"),
            false => format!("[null, {time}]"),
        })
        .collect();
    format!(
        "{{\"target\": {target:?}, \"tags\": {{\"name\": {target:?}}}, \"datapoints\": [{}]}}",
        points.join(", ")
    )
}
