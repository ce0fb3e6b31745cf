//! Stands between a client and a Redis, passes everything on, and on request lets writes hang: what a server looks like whose
//! disk or memory is stuck and that answers pings and reads all the same.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Commands that change nothing.
const READS: [&str; 17] = [
    "PING", "HELLO", "AUTH", "CLIENT", "SELECT", "COMMAND", "INFO", "CONFIG", "GET", "MGET", "GETRANGE",
    "STRLEN", "EXISTS", "TYPE", "SCARD", "SSCAN", "TIME",
];

/// Whether writes hang, and who waits for that to end.
type Gate = Arc<(Mutex<bool>, Condvar)>;

/// A running proxy on the loopback address. Its threads end with their connections.
pub(crate) struct WriteStall {
    port: u16,
    gate: Gate,
}

impl WriteStall {
    pub(crate) fn to(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let gate = Gate::default();
        let kept = Arc::clone(&gate);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("a client");
                // A server that is gone refuses the client.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)) {
                    connect(&client, &server, &kept);
                }
            }
        });
        Self { port, gate }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on writes hang, or go on.
    pub(crate) fn stall(&self, stalled: bool) {
        *self.gate.0.lock().expect("no thread panics") = stalled;
        self.gate.1.notify_all();
    }
}

fn connect(client: &TcpStream, server: &TcpStream, gate: &Gate) {
    let both = || {
        (
            client.try_clone().expect("a handle"),
            server.try_clone().expect("a handle"),
        )
    };
    let ((from, mut to), gate) = (both(), Arc::clone(gate));
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        while let Ok((name, bytes)) = command(&mut from) {
            if !READS.contains(&&*name) {
                let stalled = gate.0.lock().expect("no thread panics");
                drop(
                    gate.1
                        .wait_while(stalled, |stalled| *stalled)
                        .expect("no thread panics"),
                );
            }
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let (mut to, mut from) = both();
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// The next command: its name in capitals, and its bytes.
fn command(from: &mut BufReader<TcpStream>) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let parts = header(from, b'*', &mut bytes)?;
    let mut name = String::new();
    for part in 0..parts {
        let length = header(from, b'$', &mut bytes)?;
        let begin = bytes.len();
        bytes.resize(begin + length + 2, 0);
        from.read_exact(&mut bytes[begin..])?;
        if part == 0 {
            name = String::from_utf8_lossy(&bytes[begin..begin + length]).to_uppercase();
        }
    }
    Ok((name, bytes))
}

fn header(from: &mut BufReader<TcpStream>, mark: u8, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let begin = bytes.len();
    from.read_until(b'\n', bytes)?;
    let line = std::str::from_utf8(&bytes[begin..]).unwrap_or_default();
    let number = line.trim_end().strip_prefix(char::from(mark));
    let number = number.and_then(|number| number.parse().ok());
    number.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
