//! A mail server that keeps what it takes: in the clear or under TLS with a login, and in bad moods on request.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::certificate::certificate;
use super::{PATIENCE, mime};

/// What the server does to one mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Reads it and answers this.
    Refuse(&'static str),
    /// Hangs up in the middle of it.
    HangUp,
    /// Reads on and never answers.
    Stall,
}

/// What the server knows, shared with its threads.
#[derive(Default)]
struct Inbox {
    mails: Mutex<Vec<String>>,
    /// What happens to the next mails; those after them are taken.
    moods: Mutex<VecDeque<Mood>>,
    /// Mails still to be refused for the moment, after those.
    refusing: AtomicUsize,
    refused: AtomicUsize,
    stopped: AtomicBool,
}

/// A running sink.
pub(crate) struct Smtp {
    port: u16,
    /// The certificate in PEM, for a client to trust.
    ca: tempfile::NamedTempFile,
    inbox: Arc<Inbox>,
    acceptor: Option<JoinHandle<()>>,
}

impl Smtp {
    /// Takes mail in the clear from anyone.
    pub(crate) fn start() -> Self {
        Self::listen(false, &[])
    }

    /// Takes mail under STARTTLS, for the name `localhost`, from the user `watch` with the password `secret`.
    pub(crate) fn start_tls(moods: &[Mood]) -> Self {
        Self::listen(true, moods)
    }

    fn listen(has_tls: bool, moods: &[Mood]) -> Self {
        let (ca, tls) = certificate();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let inbox = Arc::new(Inbox::default());
        inbox.moods.lock().unwrap().extend(moods);
        let shared = Arc::clone(&inbox);
        let acceptor = std::thread::spawn(move || {
            for client in listener.incoming() {
                if shared.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (client, inbox) = (client.expect("a client"), Arc::clone(&shared));
                let tls = has_tls.then(|| Arc::clone(&tls));
                // A client that hangs up ends its thread; what it had sent whole counts.
                std::thread::spawn(move || serve(client, tls, &inbox));
            }
        });
        Self {
            port,
            ca,
            inbox,
            acceptor: Some(acceptor),
        }
    }

    pub(crate) fn port(&self) -> String {
        self.port.to_string()
    }

    /// The file of the authority to trust.
    pub(crate) fn ca(&self) -> String {
        self.ca.path().display().to_string()
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
        self.inbox.mails.lock().unwrap().clone()
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

impl Inbox {
    fn next_mood(&self) -> Option<Mood> {
        let planned = self.moods.lock().unwrap().pop_front();
        planned.or_else(|| {
            let left = self
                .refusing
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            left.ok().map(|_| Mood::Refuse("451 not now"))
        })
    }
}

fn serve(client: TcpStream, tls: Option<Arc<ServerConfig>>, inbox: &Inbox) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut plain = BufReader::new(client);
    plain.get_mut().write_all(b"220 sink\r\n")?;
    let Some(tls) = tls else {
        return converse(&mut plain, inbox, true);
    };
    while let Some(line) = line(&mut plain)? {
        let reply: &[u8] = match verb(&line).as_str() {
            "EHLO" => b"250-STARTTLS\r\n250 8BITMIME\r\n",
            "STARTTLS" => {
                plain.get_mut().write_all(b"220 go ahead\r\n")?;
                let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
                let secured = StreamOwned::new(connection, plain.into_inner());
                return converse(&mut BufReader::new(secured), inbox, false);
            }
            "QUIT" => return plain.get_mut().write_all(b"221 bye\r\n"),
            _ => b"530 not without TLS\r\n",
        };
        plain.get_mut().write_all(reply)?;
    }
    Ok(())
}

/// The dialogue once the connection is as it has to be; `known` is whether no login is asked for.
fn converse<S: Read + Write>(stream: &mut BufReader<S>, inbox: &Inbox, mut known: bool) -> io::Result<()> {
    while let Some(line) = line(stream)? {
        let reply = match verb(&line).as_str() {
            "EHLO" if known => "250 8BITMIME",
            "EHLO" => "250-AUTH PLAIN\r\n250 8BITMIME",
            "AUTH" => {
                let login = line.strip_prefix("AUTH PLAIN ").unwrap_or_default();
                known = mime::base64_decode(login) == b"\0watch\0secret";
                if known { "235 welcome" } else { "535 who?" }
            }
            "QUIT" => {
                stream.get_mut().write_all(b"221 bye\r\n")?;
                return stream.get_mut().flush();
            }
            _ if !known => "530 not without a login",
            "DATA" => {
                stream.get_mut().write_all(b"354 go ahead\r\n")?;
                stream.get_mut().flush()?;
                let mood = inbox.next_mood();
                let Some(mail) = data(stream, mood)? else {
                    return Ok(());
                };
                if let Some(Mood::Refuse(reply)) = mood {
                    inbox.refused.fetch_add(1, Ordering::SeqCst);
                    reply
                } else {
                    inbox.mails.lock().unwrap().push(mail);
                    "250 taken"
                }
            }
            "MAIL" | "RCPT" | "NOOP" | "RSET" => "250 fine",
            _ => "500 what?",
        };
        write!(stream.get_mut(), "{reply}\r\n")?;
        stream.get_mut().flush()?;
    }
    Ok(())
}

/// A mail, dots unstuffed; `None` when it was not read to its end, on purpose or not.
fn data(stream: &mut BufReader<impl Read>, mood: Option<Mood>) -> io::Result<Option<String>> {
    let mut mail = String::new();
    while let Some(line) = line(stream)? {
        match mood {
            Some(Mood::HangUp) => return Ok(None),
            Some(Mood::Stall) if line == "." => {
                stream.read_to_end(&mut Vec::new())?;
                return Ok(None);
            }
            _ if line == "." => return Ok(Some(mail)),
            _ => {}
        }
        mail += line.strip_prefix('.').unwrap_or(&line);
        mail += "\r\n";
    }
    Ok(None)
}

fn verb(line: &str) -> String {
    let verb = line.split([' ', ':']).next().unwrap_or_default();
    verb.to_ascii_uppercase()
}

/// The next line without its end; `None` once there is none.
fn line(stream: &mut BufReader<impl Read>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    let whole = line.strip_suffix(b"\r\n");
    Ok(whole.map(|line| String::from_utf8_lossy(line).into_owned()))
}
