//! A mail server for one test: speaks SMTP on a real socket, keeps what it is told, and misbehaves
//! on request. Every wait ends within [`PATIENCE`].

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

mod certificate;
pub(crate) mod mime;

/// Longest wait for anything. Far above what a test needs, so that a slow machine fails none.
const PATIENCE: Duration = Duration::from_secs(10);

/// When the sink speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    Never,
    OnRequest,
    FromTheStart,
}

/// What the sink does when a line it reads begins with `at`. `connect` stands for the greeting and
/// `.` for the end of the message.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    Answer { at: &'static str, reply: &'static str },
    Stall { at: &'static str },
    HangUp { at: &'static str },
}

/// How a sink behaves.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    pub(crate) tls: Tls,
    /// What follows `250-AUTH`; no login is offered without it.
    pub(crate) mechanism: Option<&'static str>,
    pub(crate) fault: Option<Fault>,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            tls: Tls::Never,
            mechanism: None,
            fault: None,
        }
    }
}

/// One connection as the sink saw it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Visit {
    /// Every command line.
    pub(crate) commands: Vec<String>,
    /// Whether the last command came under TLS.
    pub(crate) encrypted: bool,
    pub(crate) login: Option<(String, String)>,
    /// The messages accepted, as they came, dots unstuffed.
    pub(crate) mails: Vec<String>,
}

/// A listening sink, which serves one connection after the other until it is dropped.
pub(crate) struct Sink {
    pub(crate) port: u16,
    /// The certificate in PEM, for a client to trust.
    pub(crate) ca: tempfile::NamedTempFile,
    visits: Arc<Mutex<Vec<Visit>>>,
    stop: Arc<Mutex<bool>>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    pub(crate) fn start(manners: Manners) -> Self {
        let (ca, server_config) = certificate::certificate();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let visits = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(Mutex::new(false));
        let thread = std::thread::spawn({
            let (visits, stop) = (Arc::clone(&visits), Arc::clone(&stop));
            move || serve(&listener, &manners, &server_config, &visits, &stop)
        });
        Self {
            port,
            ca,
            visits,
            stop,
            thread: Some(thread),
        }
    }

    /// The visits so far, after waiting for the present one to end.
    pub(crate) fn visits(mut self) -> Vec<Visit> {
        self.end();
        std::mem::take(&mut *self.visits.lock().unwrap())
    }

    /// The only mail of the only visit.
    pub(crate) fn only_mail(self) -> (Visit, String) {
        let mut visits = self.visits();
        assert_eq!(visits.len(), 1, "{visits:?}");
        let visit = visits.remove(0);
        assert_eq!(visit.mails.len(), 1, "{visit:?}");
        let mail = visit.mails[0].clone();
        (visit, mail)
    }

    fn end(&mut self) {
        *self.stop.lock().unwrap() = true;
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve(
    listener: &TcpListener,
    manners: &Manners,
    tls: &Arc<ServerConfig>,
    visits: &Mutex<Vec<Visit>>,
    stop: &Mutex<bool>,
) {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                let mut session = Session {
                    stream: Some(Stream::Plain(stream)),
                    manners: manners.clone(),
                    tls: Arc::clone(tls),
                    visit: Visit::default(),
                };
                // A client that hangs up is an ordinary end here; what was said until then counts.
                _ = session.run();
                visits.lock().unwrap().push(session.visit);
            }
            Err(_) if *stop.lock().unwrap() => return,
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

struct Session {
    /// Empty only while one stream is being wrapped in the other.
    stream: Option<Stream>,
    manners: Manners,
    tls: Arc<ServerConfig>,
    visit: Visit,
}

impl Session {
    fn run(&mut self) -> io::Result<()> {
        if self.misbehaves("connect")? {
            return Ok(());
        }
        if self.manners.tls == Tls::FromTheStart {
            self.wrap();
        }
        self.say("220 sink")?;
        loop {
            let line = self.line()?;
            self.visit.commands.push(line.clone());
            self.visit.encrypted = matches!(self.stream, Some(Stream::Tls(_)));
            let verb = line
                .split([' ', ':'])
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            if self.misbehaves(&line)? {
                continue;
            }
            match verb.as_str() {
                "EHLO" => self.introduce()?,
                "STARTTLS" => {
                    self.say("220 go ahead")?;
                    self.wrap();
                }
                "AUTH" => self.login(&line)?,
                "DATA" => self.data()?,
                "QUIT" => return self.say("221 bye"),
                "MAIL" | "RCPT" | "NOOP" | "RSET" => self.say("250 fine")?,
                _ => self.say("500 what?")?,
            }
        }
    }

    fn introduce(&mut self) -> io::Result<()> {
        if self.manners.tls == Tls::OnRequest && !self.visit.encrypted {
            self.say("250-STARTTLS")?;
        }
        if let Some(mechanism) = self.manners.mechanism {
            self.say(&format!("250-AUTH {mechanism}"))?;
        }
        self.say("250 8BITMIME")
    }

    fn login(&mut self, line: &str) -> io::Result<()> {
        let text = |coded: &str| String::from_utf8(mime::base64_decode(coded)).unwrap();
        if let Some(coded) = line.strip_prefix("AUTH PLAIN ") {
            let plain = text(coded);
            let mut parts = plain.split('\0').skip(1).map(str::to_owned);
            self.visit.login = parts.next().zip(parts.next());
        } else {
            self.say(&format!("334 {}", mime::base64_encode(b"Username:")))?;
            let user = text(&self.line()?);
            self.say(&format!("334 {}", mime::base64_encode(b"Password:")))?;
            self.visit.login = Some((user, text(&self.line()?)));
        }
        self.say("235 welcome")
    }

    fn data(&mut self) -> io::Result<()> {
        self.say("354 go ahead")?;
        let mut mail = String::new();
        loop {
            let line = self.line()?;
            if let Some(Fault::HangUp { at: "mid-data" }) = self.manners.fault {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if line == "." {
                break;
            }
            mail.push_str(line.strip_prefix('.').unwrap_or(&line));
            mail.push_str("\r\n");
        }
        if self.misbehaves(".")? {
            return Ok(());
        }
        self.visit.mails.push(mail);
        self.say("250 taken")
    }

    /// Commits the fault this line calls for, if any.
    fn misbehaves(&mut self, line: &str) -> io::Result<bool> {
        match self.manners.fault {
            Some(Fault::Answer { at, reply }) if line.starts_with(at) => {
                self.say(reply)?;
                Ok(true)
            }
            Some(Fault::Stall { at }) if line.starts_with(at) => {
                // Reads on, as a hung server's kernel would, and answers nothing.
                while self.byte()?.is_some() {}
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            Some(Fault::HangUp { at }) if line.starts_with(at) => {
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            _ => Ok(false),
        }
    }

    fn wrap(&mut self) {
        if let Some(Stream::Plain(stream)) = self.stream.take() {
            let connection = ServerConnection::new(Arc::clone(&self.tls)).unwrap();
            let wrapped = StreamOwned::new(connection, stream);
            self.stream = Some(Stream::Tls(Box::new(wrapped)));
        }
    }

    fn say(&mut self, reply: &str) -> io::Result<()> {
        let bytes = format!("{reply}\r\n").into_bytes();
        match self.stream.as_mut().unwrap() {
            Stream::Plain(stream) => stream.write_all(&bytes),
            Stream::Tls(stream) => stream.write_all(&bytes).and_then(|()| stream.flush()),
        }
    }

    /// One line without its CRLF. A bare LF does not end a line: that is what injection tries.
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.byte()?.ok_or(io::ErrorKind::UnexpectedEof)?);
        }
        line.truncate(line.len() - 2);
        Ok(String::from_utf8(line).expect("mail is ASCII"))
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        let read = match self.stream.as_mut().unwrap() {
            Stream::Plain(stream) => stream.read(&mut byte)?,
            Stream::Tls(stream) => stream.read(&mut byte)?,
        };
        Ok((read == 1).then_some(byte[0]))
    }
}
