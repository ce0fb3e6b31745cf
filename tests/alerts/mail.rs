//! Mail through a server that insists on TLS and a login and misbehaves on the first tries.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::world::{Metrics, World};
use crate::common::certificate::certificate;
use crate::common::redis::RedisServer;
use crate::common::{PATIENCE, mime, wait_for};

/// What the server does to one mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// Refuses it with this reply once it is whole.
    Refuse(&'static str),
    /// Hangs up in the middle of it.
    HangUp,
    /// Reads on and never answers.
    Stall,
}

#[derive(Default)]
struct Inbox {
    /// What happens to the next mails; those after them are taken.
    moods: Mutex<Vec<Mood>>,
    taken: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

/// A mail server with STARTTLS and AUTH PLAIN; it takes mail under TLS from who has logged in.
struct Server {
    port: u16,
    ca: tempfile::NamedTempFile,
    inbox: Arc<Inbox>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    fn start(moods: &[Mood]) -> Self {
        let (ca, tls) = certificate();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inbox = Arc::new(Inbox::default());
        inbox.moods.lock().unwrap().extend(moods.iter().rev());
        let shared = Arc::clone(&inbox);
        let acceptor = std::thread::spawn(move || {
            for client in listener.incoming() {
                if shared.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (inbox, tls) = (Arc::clone(&shared), Arc::clone(&tls));
                // A client that hangs up is an ordinary end; what it had sent whole counts.
                std::thread::spawn(move || client.and_then(|client| serve(client, tls, &inbox)));
            }
        });
        Self {
            port,
            ca,
            inbox,
            acceptor: Some(acceptor),
        }
    }

    fn taken(&self) -> Vec<String> {
        self.inbox.taken.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.inbox.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn serve(client: TcpStream, tls: Arc<ServerConfig>, inbox: &Inbox) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut plain = BufReader::new(client);
    plain.get_mut().write_all(b"220 sink\r\n")?;
    loop {
        let mut line = String::new();
        plain.read_line(&mut line)?;
        let reply: &[u8] = match line.split([' ', '\r']).next().unwrap_or_default() {
            "EHLO" => b"250-STARTTLS\r\n250 8BITMIME\r\n",
            "STARTTLS" => {
                plain.get_mut().write_all(b"220 go ahead\r\n")?;
                break;
            }
            "QUIT" | "" => return plain.get_mut().write_all(b"221 bye\r\n"),
            _ => b"530 not without TLS\r\n",
        };
        plain.get_mut().write_all(reply)?;
    }
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    converse(&mut StreamOwned::new(connection, plain.into_inner()), inbox)
}

fn converse(stream: &mut (impl Read + Write), inbox: &Inbox) -> io::Result<()> {
    let mut known = false;
    loop {
        let line = line(stream)?;
        let reply: &[u8] = match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => b"250-AUTH PLAIN\r\n250 8BITMIME\r\n",
            "AUTH" => {
                let login = line.strip_prefix("AUTH PLAIN ").unwrap_or_default();
                known = mime::base64_decode(login) == b"\0watch\0secret";
                if known {
                    b"235 welcome\r\n"
                } else {
                    b"535 who?\r\n"
                }
            }
            "QUIT" => return stream.write_all(b"221 bye\r\n"),
            _ if !known => b"530 not without a login\r\n",
            "DATA" => {
                stream.write_all(b"354 go ahead\r\n")?;
                let mood = inbox.moods.lock().unwrap().pop();
                let Some(mail) = data(stream, mood)? else {
                    return Ok(());
                };
                match mood {
                    Some(Mood::Refuse(reply)) => stream.write_all(format!("{reply}\r\n").as_bytes())?,
                    _ => {
                        inbox.taken.lock().unwrap().push(mail);
                        stream.write_all(b"250 taken\r\n")?;
                    }
                }
                stream.flush()?;
                continue;
            }
            _ => b"250 fine\r\n",
        };
        stream.write_all(reply)?;
        stream.flush()?;
    }
}

/// A mail, dots unstuffed; `None` when it was not read to its end on purpose.
fn data(stream: &mut (impl Read + Write), mood: Option<Mood>) -> io::Result<Option<String>> {
    let mut mail = String::new();
    loop {
        let line = line(stream)?;
        if mood == Some(Mood::HangUp) {
            return Ok(None);
        }
        if line == "." {
            if mood == Some(Mood::Stall) {
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest)?;
                return Ok(None);
            }
            return Ok(Some(mail));
        }
        mail += line.strip_prefix('.').unwrap_or(&line);
        mail += "\r\n";
    }
}

fn line(stream: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    line.truncate(line.len() - 2);
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn world(redis: &RedisServer, server: &Server) -> World {
    World::over(redis, "")
        .with("email.server", "localhost")
        .with("email.port", &server.port.to_string())
        .with("email.username", "watch")
        .with("email.password", "secret")
        .with("email.ca_file", &server.ca.path().display().to_string())
        .with("email.from", "watch@example.org")
        .with("email.to", r#"["ops@example.org"]"#)
        .with("email.timeout", "1s")
        .with("alerts.cooldown", "0s")
}

/// The subject lines' metrics and what they say, and the Message-IDs.
fn told(server: &Server) -> (Vec<String>, Vec<String>) {
    let mails = server.taken();
    let header = |name: &str| {
        let of = mails
            .iter()
            .map(|mail| mime::header(&mime::split(mail).0, name).to_owned());
        of.collect::<Vec<_>>()
    };
    (header("Subject"), header("Message-ID"))
}

#[test]
fn every_mail_arrives_once_and_in_order_through_a_server_in_bad_moods() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let server = Server::start(&[Mood::Refuse("451 not now"), Mood::HangUp, Mood::Stall]);
    let world = world(&redis, &server);
    metrics.bad(&["one"]);
    let running = world.start();
    running.line("451 not now");
    // What comes meanwhile waits behind the one that is tried again.
    metrics.bad(&["two"]);
    running.nth_line(2, "to `email` waits");
    metrics.well(&["one"]);
    wait_for("four mails", || (server.taken().len() >= 3).then_some(()));
    metrics.bad(&["three"]);
    wait_for("four mails", || (server.taken().len() >= 4).then_some(()));
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let (subjects, ids) = told(&server);
    assert_eq!(subjects.len(), 4, "{subjects:?}");
    for (subject, name) in subjects
        .iter()
        .zip(["one is 500", "two is 500", "one", "three is 500"])
    {
        assert!(subject.contains(name), "{subjects:?}");
    }
    let mut distinct = ids.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 4, "{ids:?}");
    // The end answers the beginning.
    let mails = server.taken();
    let (headers, _) = mime::split(&mails[2]);
    assert_eq!(mime::header(&headers, "In-Reply-To"), ids[0]);
    assert_eq!(
        world.count("SELECT count(*) FROM notices WHERE state = 'sent'"),
        4
    );
}

#[test]
fn a_mail_refused_for_good_holds_up_nobody_and_can_be_tried_again() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let server = Server::start(&[Mood::Refuse("554 looks like spam")]);
    let world = world(&redis, &server);
    metrics.bad(&["one"]);
    let running = world.start();
    let line = running.line("to `email` given up");
    assert!(line.contains("554 looks like spam"), "{line}");
    metrics.bad(&["two"]);
    wait_for("the next mail", || (server.taken().len() == 1).then_some(()));
    let listed = world.told(&["notices"]);
    assert!(
        listed.contains("to email") && listed.contains("554 looks like spam"),
        "{listed}"
    );
    assert!(listed.contains("one is 500"), "{listed}");
    assert_eq!(running.stop().code(), 0);
    // With none running it is put back, and the next start sends it.
    assert_eq!(
        world.told(&["notices", "retry", "--all"]),
        "1 notices wait again\n"
    );
    let running = world.start();
    wait_for("the mail that was refused", || {
        (server.taken().len() == 2).then_some(())
    });
    wait_for("both to be marked as sent", || {
        (world.count("SELECT count(*) FROM notices WHERE state = 'sent'") == 2).then_some(())
    });
    assert_eq!(running.stop().code(), 0);
    let (subjects, _) = told(&server);
    assert!(
        subjects[0].contains("two") && subjects[1].contains("one"),
        "{subjects:?}"
    );
    let left = world.told(&["notices"]);
    assert!(left.ends_with("\nno notice has been given up\n"), "{left}");
}
