//! Stands between two that talk over TCP, and on request swallows every byte, as a network does that is cut: nobody is told.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A running proxy on the loopback address. Its threads end with their connections.
pub(crate) struct Partition {
    port: u16,
    is_cut: Arc<AtomicBool>,
}

impl Partition {
    /// To a server that need not be there yet.
    pub(crate) fn to(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let is_cut = Arc::new(AtomicBool::new(false));
        let kept = Arc::clone(&is_cut);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("a client");
                // A server that is not there refuses the client.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)) {
                    pass_on(&client, &server, &kept);
                    pass_on(&server, &client, &kept);
                }
            }
        });
        Self { port, is_cut }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Cuts, or heals. A connection that has lost bytes ends with the first that comes through again.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
    }
}

fn pass_on(from: &TcpStream, to: &TcpStream, is_cut: &Arc<AtomicBool>) {
    let mut from = from.try_clone().expect("a second handle");
    let mut to = to.try_clone().expect("a second handle");
    let is_cut = Arc::clone(is_cut);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut has_lost = false;
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if is_cut.load(Ordering::SeqCst) {
                has_lost = true;
            } else if has_lost || to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
