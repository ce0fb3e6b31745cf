//! A Graphite or a Prometheus on a socket: answers as it is told to, and remembers what it was asked.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::http_sink::{self, HttpSink};

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
    fn of(request: &http_sink::Request) -> Self {
        let target = request.line.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), decoded(value))
        };
        Self {
            path: path.to_owned(),
            query: query.split('&').map(pair).collect(),
            authorization: request.header("authorization").unwrap_or_default().to_owned(),
        }
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }
}

/// A running server.
pub(crate) struct Sink(HttpSink);

impl Sink {
    /// Answers each request as `answer` says, which gets the request and how many came before it.
    pub(crate) fn start(answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Self {
        let before = AtomicUsize::new(0);
        Self(HttpSink::start(move |request| {
            let before = before.fetch_add(1, Ordering::SeqCst);
            let close = vec![("Connection", "close".to_owned())];
            match answer(&Request::of(request), before) {
                Answer::Json(body) => http_sink::Answer::Say(200, close, body.into_bytes()),
                Answer::Status(status, text) => http_sink::Answer::Say(status, close, text.into()),
                Answer::To(url) => http_sink::Answer::Say(302, vec![("Location", url)], Vec::new()),
                Answer::Cut(body) => http_sink::Answer::Cut(body),
                Answer::Nothing => http_sink::Answer::Hang,
            }
        }))
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.0.requests().iter().map(Request::of).collect()
    }

    /// The targets that were asked for, in order.
    pub(crate) fn rendered(&self) -> Vec<String> {
        let requests = self.requests();
        let renders = requests.iter().filter(|request| request.path == "/render");
        renders.map(|request| request.get("target").to_owned()).collect()
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
