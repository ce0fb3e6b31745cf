//! One connection: packing commands, keeping two chunks of them in flight, dropping the connection
//! whenever requests and replies may have lost step.
//!
//! What is read in bulk has a connection of its own ([`plain`](super::plain)) where there is no TLS.

use std::time::{Duration, Instant};

use ::redis::{Connection, Value};

use super::plain::{Plain, Reply};
use super::{RedisConnect, StoreError, failure};

/// A reply larger than this leaves behind a read buffer as large, which only a new connection
/// gives back.
const KEPT_REPLY_BYTES: usize = 8 << 20;

/// A connection that has rested so long may have been closed meanwhile: Redis has a time-out for idle clients, of a second
/// at least, and so have proxies. Asking costs less than taking what is no fault for one.
const RESTED: Duration = Duration::from_millis(900);

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// An exchange of many commands and their replies.
pub(super) trait Exchange {
    /// Packs the next chunk of commands and says how many they are; 0 ends the exchange.
    fn pack(&mut self, out: &mut Vec<u8>) -> usize;

    /// Takes one reply; they come in the order of the commands. An error ends the exchange and
    /// costs the connection, as replies are still on their way.
    fn reply(&mut self, reply: Value) -> Result<(), StoreError>;

    /// Takes a reply that is a string, where it lies.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.reply(Value::BulkString(bytes.to_vec()))
    }
}

pub(super) struct Wire {
    connect: RedisConnect,
    /// `None` before the first use and after anything went wrong.
    connection: Option<Connection>,
    /// The one for reading in bulk; likewise.
    plain: Option<Plain>,
    /// When each of them was used last.
    used: Instant,
    plain_used: Instant,
    out: Vec<u8>,
}

impl Wire {
    pub(super) fn new(connect: RedisConnect) -> Self {
        Self {
            connect,
            connection: None,
            plain: None,
            used: Instant::now(),
            plain_used: Instant::now(),
            out: Vec::new(),
        }
    }

    pub(super) fn connect(&self) -> &RedisConnect {
        &self.connect
    }

    /// Runs an exchange to its end. While it runs the connection is out of `self`: an error, or a
    /// panic in a caller's callback, drops it together with the replies nobody will read.
    pub(super) fn run(&mut self, exchange: &mut impl Exchange) -> Result<(), StoreError> {
        let mut connection = self.open()?;
        let mut oversized = false;
        let mut awaited = 0;
        loop {
            self.out.clear();
            let packed = exchange.pack(&mut self.out);
            if packed > 0 {
                connection
                    .send_packed_command(&self.out)
                    .map_err(|error| self.failure(&error))?;
            }
            for _ in 0..awaited {
                let reply = connection.recv_response().map_err(|error| self.failure(&error))?;
                oversized |= bytes_of(&reply) > KEPT_REPLY_BYTES;
                exchange.reply(reply)?;
            }
            if packed == 0 {
                break;
            }
            awaited = packed;
        }
        if !oversized {
            self.connection = Some(connection);
            self.used = Instant::now();
        }
        Ok(())
    }

    /// The connection, opened if there is none or if the other side has closed it while it rested.
    fn open(&mut self) -> Result<Connection, StoreError> {
        if let Some(mut connection) = self.connection.take() {
            if self.used.elapsed() < RESTED {
                return Ok(connection);
            }
            let answer = connection
                .send_packed_command(PING)
                .and_then(|()| connection.recv_response());
            match answer {
                // Also "you may not ping" comes from somebody who is there.
                Ok(_) => return Ok(connection),
                // It is open and silent: another one would be, too.
                Err(error) if error.is_timeout() => return Err(self.failure(&error)),
                Err(_) => {}
            }
        }
        self.connect.open()
    }

    /// Runs an exchange that reads much, to its end: as [`run`](Self::run) does, over the connection for that.
    pub(super) fn read(&mut self, exchange: &mut impl Exchange) -> Result<(), StoreError> {
        if !self.connect.is_plain() {
            return self.run(exchange);
        }
        let mut plain = match self.plain.take() {
            Some(plain) if self.plain_used.elapsed() < RESTED || plain.is_open() => plain,
            _ => self.connect.open_plain()?,
        };
        let mut awaited = 0;
        loop {
            self.out.clear();
            let packed = exchange.pack(&mut self.out);
            if packed > 0 {
                plain.send(&self.out).map_err(|error| self.failure(&error))?;
            }
            for _ in 0..awaited {
                match plain.reply().map_err(|error| self.failure(&error))? {
                    Reply::Bytes(bytes) => exchange.bytes(bytes)?,
                    Reply::Other(reply) => exchange.reply(reply)?,
                }
            }
            if packed == 0 {
                break;
            }
            awaited = packed;
        }
        self.plain = Some(plain);
        self.plain_used = Instant::now();
        Ok(())
    }

    /// Sends packed commands and returns their replies, among which no error is left.
    pub(super) fn request(&mut self, packed: &[u8], commands: usize) -> Result<Vec<Value>, StoreError> {
        let mut request = Request {
            connect: self.connect.clone(),
            packed,
            commands,
            replies: Vec::with_capacity(commands),
        };
        self.run(&mut request)?;
        Ok(request.replies)
    }

    /// Sends packed commands and returns their replies, errors among them.
    pub(super) fn replies(&mut self, packed: &[u8], commands: usize) -> Result<Vec<Value>, StoreError> {
        let mut request = Replies {
            packed,
            commands,
            replies: Vec::with_capacity(commands),
        };
        self.run(&mut request)?;
        Ok(request.replies)
    }

    /// Asks for a sign of life. A connection that has died since its last use is replaced.
    pub(super) fn ping(&mut self) -> Result<(), StoreError> {
        if self.connection.is_some() {
            match self.request(PING, 1) {
                // Dead, or not allowed to ping: opening one tells which.
                Err(StoreError::Unavailable { .. } | StoreError::Denied { .. }) => {}
                other => return other.map(|_| ()),
            }
        }
        self.connection = Some(self.connect.open()?);
        self.used = Instant::now();
        Ok(())
    }

    fn failure(&self, error: &::redis::RedisError) -> StoreError {
        failure::of_client(&self.connect, error)
    }
}

fn bytes_of(reply: &Value) -> usize {
    match reply {
        Value::BulkString(bytes) => bytes.len(),
        _ => 0,
    }
}

struct Request<'a> {
    connect: RedisConnect,
    packed: &'a [u8],
    commands: usize,
    replies: Vec<Value>,
}

impl Exchange for Request<'_> {
    fn pack(&mut self, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(self.packed);
        self.packed = &[];
        std::mem::take(&mut self.commands)
    }

    fn reply(&mut self, reply: Value) -> Result<(), StoreError> {
        if let Value::ServerError(error) = &reply {
            return Err(failure::of_server(&self.connect, error));
        }
        self.replies.push(reply);
        Ok(())
    }
}

struct Replies<'a> {
    packed: &'a [u8],
    commands: usize,
    replies: Vec<Value>,
}

impl Exchange for Replies<'_> {
    fn pack(&mut self, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(self.packed);
        self.packed = &[];
        std::mem::take(&mut self.commands)
    }

    fn reply(&mut self, reply: Value) -> Result<(), StoreError> {
        self.replies.push(reply);
        Ok(())
    }
}

/// Packs one command: its words, one key put together from prefix and name, its arguments.
pub(super) fn pack(out: &mut Vec<u8>, words: &[&[u8]], prefix: &str, name: &str, arguments: &[&[u8]]) {
    pack_header(out, words.len() + 1 + arguments.len());
    for word in words {
        pack_bulk(out, &[word]);
    }
    pack_bulk(out, &[prefix.as_bytes(), name.as_bytes()]);
    for argument in arguments {
        pack_bulk(out, &[argument]);
    }
}

/// Packs the line that says how many words a command has.
pub(super) fn pack_header(out: &mut Vec<u8>, words: usize) {
    pack_length(out, b'*', words);
}

/// Packs one word, given in pieces.
pub(super) fn pack_bulk(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    pack_length(out, b'$', pieces.iter().map(|piece| piece.len()).sum());
    for piece in pieces {
        out.extend_from_slice(piece);
    }
    out.extend_from_slice(b"\r\n");
}

fn pack_length(out: &mut Vec<u8>, sigil: u8, length: usize) {
    out.push(sigil);
    pack_decimal(out, length);
    out.extend_from_slice(b"\r\n");
}

/// Appends a number as text, without going through `fmt`: this runs several times a sample.
pub(super) fn pack_decimal(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_packed_as_redis_reads_it() {
        let mut out = Vec::new();
        pack(&mut out, &[b"GETRANGE"], "metrics.", "a.b", &[b"0", b"-1"]);
        assert_eq!(
            out,
            b"*4\r\n$8\r\nGETRANGE\r\n$11\r\nmetrics.a.b\r\n$1\r\n0\r\n$2\r\n-1\r\n"
        );
    }

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 9, 10, 12_345, usize::MAX] {
            let mut out = Vec::new();
            pack_decimal(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
