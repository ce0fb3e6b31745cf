//! A connection of our own for what is read in bulk: whole series and tails, over a Unix socket or plain TCP.
//!
//! The decision a reader would question: the client library reads well, but in steps of 8 kB that it clears before and
//! copies after, into a buffer a value. Here the socket is read into one buffer that stays, as much as is there, and a
//! value is decoded where it lies; `docs/performance.md` has the gain. Only what GETRANGE and STRLEN answer is
//! understood, and TLS is left to the library.

use std::io::{self, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ::redis::{ConnectionAddr, ConnectionInfo, ErrorKind, ProtocolVersion, RedisError, Value};
use socket2::SockRef;

use super::options::RedisOptions;
use super::resp;

/// What is read from the socket at once, at most; a Unix socket holds a little less by default.
const BUFFER_BYTES: usize = 256 << 10;
/// A buffer that a larger reply made larger than this is given back after it.
const KEPT_BUFFER_BYTES: usize = 8 << 20;
/// Redis has no larger string.
const MOST_BYTES: usize = 512 << 20;
/// A line that is longer than this is no RESP: codes, lengths and messages are short.
const MOST_LINE_BYTES: usize = 64 << 10;

/// One reply.
pub(super) enum PlainReply<'a> {
    /// A string, where it was read to.
    Bytes(&'a [u8]),
    /// A number, an error, nil or a status.
    Other(Value),
}

enum PlainSocket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl PlainSocket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(socket) => socket.read(into),
            Self::Tcp(socket) => socket.read(into),
        }
    }

    /// Whether the other side has neither closed the connection nor sent what was not asked for.
    fn is_open(&self) -> bool {
        let socket = match self {
            Self::Unix(socket) => SockRef::from(socket),
            Self::Tcp(socket) => SockRef::from(socket),
        };
        let quiet = socket.set_nonblocking(true);
        let answer = socket.peek(&mut [MaybeUninit::uninit()]);
        let loud = socket.set_nonblocking(false);
        let waiting = matches!(&answer, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        waiting && quiet.is_ok() && loud.is_ok()
    }

    fn set_timeouts(&self, limit: Duration) -> io::Result<()> {
        match self {
            Self::Unix(socket) => {
                socket.set_read_timeout(Some(limit))?;
                socket.set_write_timeout(Some(limit))
            }
            Self::Tcp(socket) => {
                socket.set_read_timeout(Some(limit))?;
                socket.set_write_timeout(Some(limit))
            }
        }
    }
}

/// An open connection. After an error it is good for nothing more: replies may still be on their way.
pub(super) struct Plain {
    socket: PlainSocket,
    /// What was read and is not taken yet lies in `buffer[begin..end]`.
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Plain {
    /// Whether a server at such an address can be read in this way.
    pub(super) fn serves(info: &ConnectionInfo) -> bool {
        matches!(info.addr(), ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_))
            && matches!(info.redis_settings().protocol(), ProtocolVersion::RESP2)
    }

    /// Connects, says who we are, and chooses the database.
    pub(super) fn open(info: &ConnectionInfo, options: &RedisOptions) -> Result<Self, RedisError> {
        let socket = match info.addr() {
            ConnectionAddr::Unix(path) => PlainSocket::Unix(UnixStream::connect(path)?),
            ConnectionAddr::Tcp(host, port) => {
                PlainSocket::Tcp(connect(host, *port, options.connect_timeout)?)
            }
            _ => return Err(wrong("an address that is not read in this way")),
        };
        socket.set_timeouts(options.connect_timeout)?;
        let mut plain = Self {
            socket,
            buffer: vec![0; BUFFER_BYTES],
            begin: 0,
            end: 0,
        };
        let redis = info.redis_settings();
        if let Some(password) = redis.password() {
            let name = redis.username();
            let words = ["AUTH"].into_iter().chain(name).chain([password]);
            plain.say(words)?;
        }
        if redis.db() != 0 {
            plain.say(["SELECT", &redis.db().to_string()].into_iter())?;
        }
        plain.socket.set_timeouts(options.response_timeout)?;
        Ok(plain)
    }

    /// Sends one command that answers with a status.
    fn say<'w>(&mut self, words: impl Iterator<Item = &'w str> + Clone) -> Result<(), RedisError> {
        let mut packed = Vec::new();
        resp::pack_header(&mut packed, words.clone().count());
        for word in words {
            resp::pack_bulk(&mut packed, &[word.as_bytes()]);
        }
        self.send(&packed)?;
        match self.reply()? {
            PlainReply::Other(Value::ServerError(error)) => Err(error.into()),
            PlainReply::Other(_) | PlainReply::Bytes(_) => Ok(()),
        }
    }

    /// Whether the server has left the connection open, as far as that shows without asking.
    pub(super) fn is_open(&self) -> bool {
        self.socket.is_open()
    }

    /// Sends packed commands.
    pub(super) fn send(&mut self, packed: &[u8]) -> Result<(), RedisError> {
        match &mut self.socket {
            PlainSocket::Unix(socket) => socket.write_all(packed)?,
            PlainSocket::Tcp(socket) => socket.write_all(packed)?,
        }
        Ok(())
    }

    /// Waits for the next reply.
    pub(super) fn reply(&mut self) -> Result<PlainReply<'_>, RedisError> {
        if self.begin == self.end && self.buffer.len() > KEPT_BUFFER_BYTES {
            self.buffer = vec![0; BUFFER_BYTES];
            (self.begin, self.end) = (0, 0);
        }
        let line = self.line()?;
        if self.buffer[self.begin] != b'$' {
            // The library reads what is short and seldom.
            let reply = match self.buffer[self.begin] {
                b'+' | b'-' | b':' => {
                    ::redis::parse_redis_value(&self.buffer[self.begin..self.begin + line])?
                }
                _ => return Err(wrong("a reply that no such command gives")),
            };
            self.begin += line;
            return Ok(PlainReply::Other(reply));
        }
        let length = &self.buffer[self.begin + 1..self.begin + line - 2];
        if length == b"-1" {
            self.begin += line;
            return Ok(PlainReply::Other(Value::Nil));
        }
        let length = decimal(length).ok_or_else(|| wrong("a length that is none"))?;
        self.fill(line + length + 2)?;
        let from = self.begin + line;
        let after = from + length;
        if self.buffer[after..after + 2] != *b"\r\n" {
            return Err(wrong("a string of another length than was said"));
        }
        self.begin = after + 2;
        Ok(PlainReply::Bytes(&self.buffer[from..after]))
    }

    /// Length of the line that comes next, with its end; it is in the buffer then.
    fn line(&mut self) -> Result<usize, RedisError> {
        let mut seen = 0;
        loop {
            let there = &self.buffer[self.begin..self.end];
            if let Some(at) = memchr::memchr(b'\n', &there[seen..]) {
                let line = seen + at + 1;
                return if line >= 3 && there[line - 2] == b'\r' {
                    Ok(line)
                } else {
                    Err(wrong("a line that ends in no RESP way"))
                };
            }
            seen = there.len();
            if seen > MOST_LINE_BYTES {
                return Err(wrong("a line without an end"));
            }
            self.fill(seen + 1)?;
        }
    }

    /// Reads until `needed` bytes are there that were not taken yet.
    fn fill(&mut self, needed: usize) -> Result<(), RedisError> {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        if self.begin + needed > self.buffer.len() {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
            if needed > self.buffer.len() {
                self.buffer.resize(needed, 0);
            }
        }
        while self.end - self.begin < needed {
            match self.socket.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn connect(host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The length of a string; `None` for what is no number, or longer than any string.
fn decimal(digits: &[u8]) -> Option<usize> {
    let number: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (number <= MOST_BYTES).then_some(number)
}

fn wrong(what: &'static str) -> RedisError {
    (ErrorKind::Parse, what).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A connection that reads `stream`, written in pieces.
    fn reading(pieces: Vec<Vec<u8>>) -> Plain {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
        std::thread::spawn(move || {
            for piece in pieces {
                // Whoever stops reading early is not waited for.
                if theirs.write_all(&piece).is_err() {
                    break;
                }
            }
        });
        Plain {
            socket: PlainSocket::Unix(ours),
            buffer: vec![0; 64],
            begin: 0,
            end: 0,
        }
    }

    fn all(mut plain: Plain) -> (Vec<Value>, RedisError) {
        let mut replies = Vec::new();
        loop {
            match plain.reply() {
                Ok(PlainReply::Bytes(bytes)) => replies.push(Value::BulkString(bytes.to_vec())),
                Ok(PlainReply::Other(value)) => replies.push(value),
                Err(end) => return (replies, end),
            }
        }
    }

    #[test]
    fn what_is_no_reply_is_an_error_and_no_wait() {
        for stream in [
            &b"$x\r\n"[..],
            b"$-2\r\n",
            b"$999999999999\r\n",
            b"$3\r\nabcd\r\n",
            b"\n",
            b"*1\r\n$1\r\na\r\n",
            b"!",
            &[b'+'; MOST_LINE_BYTES + 2],
        ] {
            let (replies, end) = all(reading(vec![stream.to_vec()]));
            assert!(replies.is_empty());
            let expected = if stream == b"!" {
                ErrorKind::Io
            } else {
                ErrorKind::Parse
            };
            assert_eq!(end.kind(), expected, "{:?}", &stream[..stream.len().min(20)]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However a stream is cut into pieces, and wherever the buffer ends, the replies are those the library reads.
        #[test]
        fn replies_are_those_of_the_library(
            lengths in prop::collection::vec((0u8..6, 0usize..400), 0..20),
            cuts in prop::collection::vec(1usize..200, 1..40),
        ) {
            let mut stream = Vec::new();
            let mut expected = Vec::new();
            for (kind, length) in lengths {
                let text = "x\r\n$1\r".chars().cycle().take(length).collect::<String>();
                let reply = match kind {
                    0 => b"$-1\r\n".to_vec(),
                    1 => format!(":{length}\r\n").into_bytes(),
                    2 => b"-WRONGTYPE no string\r\n".to_vec(),
                    _ => format!("${length}\r\n{text}\r\n").into_bytes(),
                };
                expected.push(::redis::parse_redis_value(&reply).expect("it is RESP"));
                stream.extend(reply);
            }
            let mut pieces = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece.to_vec());
                rest = after;
            }
            let (replies, end) = all(reading(pieces));
            prop_assert_eq!(replies, expected);
            prop_assert_eq!(end.kind(), ErrorKind::Io);
        }
    }
}
