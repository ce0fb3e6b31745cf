//! One connection: keeping two chunks of commands in flight, dropping the connection
//! whenever requests and replies may have lost step.
//!
//! What is read in bulk has a connection of its own ([`plain`](super::plain)) where there is no TLS.

use std::time::Instant;

use ::redis::{Connection, Value};

use super::connect::{ASKED_LATELY, RESTED};
use super::plain::{Plain, PlainReply};
use super::{RedisConnect, StoreError, failure, resp};

/// A reply larger than this leaves behind a read buffer as large, which only a new connection
/// gives back.
const KEPT_REPLY_BYTES: usize = 8 << 20;

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const ASKING: &[u8] = b"*1\r\n$6\r\nASKING\r\n";

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

/// A connection between two exchanges.
struct OpenLink<C> {
    link: C,
    /// When it was used last.
    used: Instant,
    /// How often sentinels had named another primary before it was opened.
    changes: u64,
}

impl<C> OpenLink<C> {
    fn open(
        connect: &RedisConnect,
        open: impl FnOnce(&RedisConnect) -> Result<C, StoreError>,
    ) -> Result<Self, StoreError> {
        let changes = connect.primary_changes();
        Ok(Self {
            link: open(connect)?,
            used: Instant::now(),
            changes,
        })
    }

    /// As it is kept after an exchange.
    fn used_now(self) -> Self {
        Self {
            used: Instant::now(),
            ..self
        }
    }
}

pub(super) struct Wire {
    connect: RedisConnect,
    /// `None` before the first use and after anything went wrong.
    connection: Option<OpenLink<Connection>>,
    /// The one for reading in bulk; likewise.
    plain: Option<OpenLink<Plain>>,
    out: Vec<u8>,
    /// Whether each command has ASKING in front of it: the server is to be asked for keys of a slot that is on its way to it.
    pub(super) asking: bool,
}

impl Wire {
    pub(super) fn new(connect: RedisConnect) -> Self {
        Self {
            connect,
            connection: None,
            plain: None,
            out: Vec::new(),
            asking: false,
        }
    }

    pub(super) fn connect(&self) -> &RedisConnect {
        &self.connect
    }

    /// Runs an exchange to its end. While it runs the connection is out of `self`: an error, or a
    /// panic in a caller's callback, drops it together with the replies still to come.
    pub(super) fn run(&mut self, exchange: &mut impl Exchange) -> Result<(), StoreError> {
        // Before it is asked whether the connection is open still: that may take as long as a server stands still.
        let begun = Instant::now();
        let mut open = self.open()?;
        let connection = &mut open.link;
        let mut oversized = false;
        let mut awaited = 0;
        loop {
            let packed = self.pack(exchange);
            if packed > 0 {
                connection
                    .send_packed_command(&self.out)
                    .map_err(|error| self.failure(&error))?;
            }
            for _ in 0..awaited {
                if self.asking {
                    let asked = connection.recv_response().map_err(|error| self.failure(&error))?;
                    self.may_ask(&asked)?;
                }
                let reply = connection.recv_response().map_err(|error| self.failure(&error))?;
                oversized |= bytes_of(&reply) > KEPT_REPLY_BYTES;
                exchange.reply(reply)?;
            }
            if packed == 0 {
                break;
            }
            awaited = packed;
        }
        self.connect.counts(open.changes, begun)?;
        if !oversized {
            self.connection = Some(open.used_now());
        }
        Ok(())
    }

    /// The connection, opened if there is none or if the other side has closed it while it rested.
    fn open(&mut self) -> Result<OpenLink<Connection>, StoreError> {
        if let Some(open) = self.connection.take()
            && self.connect.stands(open.changes, ASKED_LATELY)
            && let Some(link) = self.connect.rested(open.link, open.used)?
        {
            return Ok(OpenLink { link, ..open });
        }
        OpenLink::open(&self.connect, RedisConnect::open)
    }

    /// Runs an exchange that reads much, to its end: as [`run`](Self::run) does, over the connection for that.
    pub(super) fn read(&mut self, exchange: &mut impl Exchange) -> Result<(), StoreError> {
        if !self.connect.is_plain() {
            return self.run(exchange);
        }
        let begun = Instant::now();
        let is_fit = |open: &OpenLink<Plain>| {
            (open.used.elapsed() < RESTED || open.link.is_open())
                && self.connect.stands(open.changes, ASKED_LATELY)
        };
        let mut open = match self.plain.take().filter(is_fit) {
            Some(open) => open,
            None => OpenLink::open(&self.connect, RedisConnect::open_plain)?,
        };
        let plain = &mut open.link;
        let mut awaited = 0;
        loop {
            let packed = self.pack(exchange);
            if packed > 0 {
                plain.send(&self.out).map_err(|error| self.failure(&error))?;
            }
            for _ in 0..awaited {
                if self.asking
                    && let PlainReply::Other(asked) = plain.reply().map_err(|error| self.failure(&error))?
                {
                    self.may_ask(&asked)?;
                }
                match plain.reply().map_err(|error| self.failure(&error))? {
                    PlainReply::Bytes(bytes) => exchange.bytes(bytes)?,
                    PlainReply::Other(reply) => exchange.reply(reply)?,
                }
            }
            if packed == 0 {
                break;
            }
            awaited = packed;
        }
        self.connect.counts(open.changes, begun)?;
        self.plain = Some(open.used_now());
        Ok(())
    }

    /// Packs the next chunk of an exchange, and says how many commands of its own it has.
    fn pack(&mut self, exchange: &mut impl Exchange) -> usize {
        self.out.clear();
        let packed = exchange.pack(&mut self.out);
        if self.asking {
            self.out = resp::each_behind(ASKING, &self.out);
        }
        packed
    }

    fn may_ask(&self, asked: &Value) -> Result<(), StoreError> {
        match asked {
            Value::ServerError(error) => Err(failure::of_server(self.connect.server(), error)),
            _ => Ok(()),
        }
    }

    /// Sends packed commands and returns their replies, among which no error is left.
    pub(super) fn request(&mut self, packed: &[u8], commands: usize) -> Result<Vec<Value>, StoreError> {
        let replies = self.replies(packed, commands)?;
        let error = replies.iter().find_map(|reply| match reply {
            Value::ServerError(error) => Some(failure::of_server(self.connect.server(), error)),
            _ => None,
        });
        match error {
            Some(error) => {
                // Behind the same address there may be another server by now.
                self.connection = None;
                Err(error)
            }
            None => Ok(replies),
        }
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

    /// Lets go of the connections: the next use makes new ones.
    pub(super) fn disconnect(&mut self) {
        self.connection = None;
        self.plain = None;
    }

    /// Asks for a sign of life. A connection that has died since its last use is replaced.
    pub(super) fn ping(&mut self) -> Result<(), StoreError> {
        if self.connection.is_some() {
            match self.request(PING, 1) {
                // Dead, or not allowed to ping: opening one shows which.
                Err(StoreError::Unavailable { .. } | StoreError::Denied { .. }) => {}
                other => return other.map(|_| ()),
            }
        }
        self.connection = Some(OpenLink::open(&self.connect, RedisConnect::open)?);
        Ok(())
    }

    fn failure(&self, error: &::redis::RedisError) -> StoreError {
        failure::of_client(self.connect.server(), error)
    }
}

fn bytes_of(reply: &Value) -> usize {
    match reply {
        Value::BulkString(bytes) => bytes.len(),
        _ => 0,
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
