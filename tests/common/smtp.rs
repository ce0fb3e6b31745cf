//! A mail server that keeps what it takes, and refuses when told to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::{PATIENCE, mime};

/// What the server does, shared with its threads.
#[derive(Default)]
struct Inbox {
    mails: Mutex<Vec<String>>,
    /// Mails still to be refused for the moment.
    refusing: AtomicUsize,
    refused: AtomicUsize,
    stopped: AtomicBool,
}

/// A running sink.
pub(crate) struct Smtp {
    port: u16,
    inbox: Arc<Inbox>,
    acceptor: Option<JoinHandle<()>>,
}

impl Smtp {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let inbox = Arc::new(Inbox::default());
        let shared = Arc::clone(&inbox);
        let acceptor = std::thread::spawn(move || {
            for client in listener.incoming() {
                if shared.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (client, inbox) = (client.expect("a client"), Arc::clone(&shared));
                // A client that hangs up ends its thread; what it had sent whole counts.
                std::thread::spawn(move || serve(client, &inbox));
            }
        });
        Self {
            port,
            inbox,
            acceptor: Some(acceptor),
        }
    }

    pub(crate) fn port(&self) -> String {
        self.port.to_string()
    }

    /// Answers the next mails with "451 not now".
    pub(crate) fn refuse(&self, mails: usize) {
        self.inbox.refusing.store(mails, Ordering::SeqCst);
    }

    /// How many mails were refused.
    pub(crate) fn refused(&self) -> usize {
        self.inbox.refused.load(Ordering::SeqCst)
    }

    /// The mails taken, as they came, dots unstuffed.
    pub(crate) fn mails(&self) -> Vec<String> {
        self.inbox.mails.lock().expect("no session panics").clone()
    }

    /// The subjects of the mails taken, sorted.
    pub(crate) fn subjects(&self) -> Vec<String> {
        let subject = |mail: &String| mime::header(&mime::split(mail).0, "Subject").to_owned();
        let mut subjects: Vec<String> = self.mails().iter().map(subject).collect();
        subjects.sort();
        subjects
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.inbox.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn serve(mut client: TcpStream, inbox: &Inbox) -> std::io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let reader = BufReader::new(client.try_clone()?);
    let mut mail: Option<String> = None;
    client.write_all(b"220 sink\r\n")?;
    for line in reader.lines() {
        let line = line?;
        if let Some(text) = &mut mail {
            if line == "." {
                let text = mail.take().unwrap_or_default();
                let refuse = inbox
                    .refusing
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                if refuse.is_ok() {
                    inbox.refused.fetch_add(1, Ordering::SeqCst);
                    client.write_all(b"451 not now\r\n")?;
                } else {
                    inbox.mails.lock().expect("no session panics").push(text);
                    client.write_all(b"250 taken\r\n")?;
                }
            } else {
                text.push_str(line.strip_prefix('.').unwrap_or(&line));
                text.push_str("\r\n");
            }
            continue;
        }
        let verb = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        let reply: &[u8] = match verb.as_str() {
            "EHLO" => b"250 8BITMIME\r\n",
            "DATA" => {
                mail = Some(String::new());
                b"354 go ahead\r\n"
            }
            "MAIL" | "RCPT" | "NOOP" | "RSET" => b"250 fine\r\n",
            "QUIT" => return client.write_all(b"221 bye\r\n"),
            _ => b"500 what?\r\n",
        };
        client.write_all(reply)?;
    }
    Ok(())
}
