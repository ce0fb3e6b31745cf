//! A Graphite that keeps every line it is sent.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A running sink.
pub(crate) struct Graphite {
    address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    stopped: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Graphite {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (kept, stop) = (Arc::clone(&lines), Arc::clone(&stopped));
        let acceptor = std::thread::spawn(move || {
            for client in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let client = client.expect("a client");
                let kept = Arc::clone(&kept);
                // Ends with its client.
                std::thread::spawn(move || {
                    for line in BufReader::new(client).lines().map_while(Result::ok) {
                        kept.lock().expect("no reader panics").push(line);
                    }
                });
            }
        });
        Self {
            address,
            lines,
            stopped,
            acceptor: Some(acceptor),
        }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Every line so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no reader panics").clone()
    }

    /// The last value sent under a name.
    pub(crate) fn last(&self, name: &str) -> Option<f64> {
        let lines = self.lines();
        let line = lines
            .iter()
            .rev()
            .find(|line| line.split(' ').next() == Some(name))?;
        line.split(' ').nth(1)?.parse().ok()
    }
}

impl Drop for Graphite {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}
