//! Plain HTTP requests.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers, as they came.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The body read as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in:\n{}", self.body))
    }
}

/// Asks for `path`; a server that does not answer is a failure.
pub(crate) fn get(from: SocketAddr, path: &str) -> Answer {
    try_get(from, path).unwrap_or_else(|error| panic!("GET {path} of {from}: {error}"))
}

/// Asks for `path`.
pub(crate) fn try_get(from: SocketAddr, path: &str) -> std::io::Result<Answer> {
    request(from, "GET", path, &[], "")
}

/// Sends a request with further headers and a body.
pub(crate) fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    // In one piece: a server that answers before it has read the body may reset what is still to come.
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Answer {
        status: status.ok_or(std::io::ErrorKind::InvalidData)?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}
