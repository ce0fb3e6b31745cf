//! Stands between client and server, and cuts the connection in the middle of a reply.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What is left to pass on before the cut; this, if no cut is planned.
const NO_CUT: i64 = i64::MAX;

/// A running proxy on the loopback address.
pub(crate) struct Proxy {
    port: u16,
    /// Bytes from the server still to be passed on; the connection that uses them up is cut.
    left: Arc<AtomicI64>,
    /// Milliseconds of rest before each piece from the server.
    pause: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    pub(crate) fn to(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let left = Arc::new(AtomicI64::new(NO_CUT));
        let stopped = Arc::new(AtomicBool::new(false));
        let pause = Arc::new(AtomicU64::new(0));
        let rest = Arc::clone(&pause);
        let (budget, stop) = (Arc::clone(&left), Arc::clone(&stopped));
        let acceptor = thread::spawn(move || {
            for client in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let client = client.expect("a client");
                let server = TcpStream::connect(("127.0.0.1", server_port)).expect("the server");
                pass_on(&client, &server, None, None);
                pass_on(
                    &server,
                    &client,
                    Some(Arc::clone(&budget)),
                    Some(Arc::clone(&rest)),
                );
            }
        });
        Self {
            port,
            left,
            pause,
            stopped,
            acceptor: Some(acceptor),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Rests so long before each piece from the server, of four kilobytes at most.
    pub(crate) fn pause_each(&self, pause: Duration) {
        let millis = u64::try_from(pause.as_millis()).expect("a short pause");
        self.pause.store(millis, Ordering::SeqCst);
    }

    /// Cuts the connection once so many bytes more have come from the server; the next one is whole.
    pub(crate) fn cut_after(&self, bytes: i64) {
        self.left.store(bytes, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Copies from one to the other on a thread that ends when either of them does.
fn pass_on(from: &TcpStream, to: &TcpStream, budget: Option<Arc<AtomicI64>>, pause: Option<Arc<AtomicU64>>) {
    let mut from = from.try_clone().expect("a second handle");
    let mut to = to.try_clone().expect("a second handle");
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if let Some(pause) = &pause {
                thread::sleep(Duration::from_millis(pause.load(Ordering::SeqCst)));
            }
            let left = budget
                .as_ref()
                .map_or(NO_CUT, |budget| budget.load(Ordering::SeqCst));
            let passed = read.min(usize::try_from(left).unwrap_or(0));
            if to.write_all(&buffer[..passed]).is_err() {
                break;
            }
            if passed < read {
                if let Some(budget) = &budget {
                    budget.store(NO_CUT, Ordering::SeqCst);
                }
                break;
            }
            if let Some(budget) = &budget
                && left != NO_CUT
            {
                budget.store(left - passed as i64, Ordering::SeqCst);
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
