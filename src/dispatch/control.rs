//! The control socket: how commands on this machine speak to the process that runs.
//!
//! Two Unix sockets: one in the state folder, in a folder of its own that only its owner may enter, and one where commands
//! find it that know of no state folder ([`running`](super::running)). One JSON object a line each way. Slow or silent
//! callers are cut off; there are few at a time.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::commands::{Answer, Call, CommandService};
use super::running::{self, Entry};
use crate::net::local::{self, LocalListener, LocalOptions, MakeFolder, Serve};

/// Longest question, bytes; answers may be longer.
const LONGEST_CALL: u64 = 1 << 20;
/// How long a caller may take to ask, and to take the answer.
const CALLER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the running process may take to answer: trying a route waits for its receivers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Callers at a time.
const CALLERS: usize = 8;

/// Where the socket lies.
pub fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("control").join("socket")
}

/// The listening sockets. Dropping it ends their threads, which let go of the store, and takes them out of their folders.
pub struct Control {
    listeners: Vec<LocalListener>,
    /// Says to commands that we are here.
    entry: Option<Entry>,
}

impl Control {
    /// Listens for commands, and answers from threads of its own as long as the process lives. One of the two sockets is
    /// enough; that the other is missing is said in the log.
    ///
    /// # Errors
    /// Neither can be made.
    pub fn start(state_dir: &Path, commands: CommandService) -> io::Result<Self> {
        let mut control = Self {
            listeners: Vec::new(),
            entry: None,
        };
        let answers: Serve = Arc::new(move |stream| {
            if let Err(error) = serve(stream, &commands) {
                tracing::debug!("a caller of the control socket was not answered :: {error}");
            }
        });
        let in_state_dir = control.open(socket_path(state_dir), local::private_folder, &answers);
        let known = Entry::of_answers(state_dir).and_then(|entry| {
            if let Some(socket) = entry.socket() {
                control.open(socket.to_owned(), running::make, &answers)?;
            }
            control.entry = Some(entry);
            Ok(())
        });
        match (in_state_dir, known) {
            (Err(error), Err(_)) => return Err(error),
            (Ok(()), Err(error)) => tracing::warn!(
                "commands find this process only by `--state-dir {}` :: {error}",
                state_dir.display()
            ),
            (Err(error), Ok(())) => {
                tracing::warn!("no control socket in `{}` :: {error}", state_dir.display());
            }
            (Ok(()), Ok(())) => {}
        }
        Ok(control)
    }

    fn open(&mut self, path: PathBuf, make: MakeFolder, answers: &Serve) -> io::Result<()> {
        let options = LocalOptions {
            path,
            make,
            threads: ["control", "caller"],
            most: CALLERS,
        };
        self.listeners
            .push(LocalListener::start(options, Arc::clone(answers))?);
        Ok(())
    }
}

fn serve(stream: UnixStream, commands: &CommandService) -> io::Result<()> {
    stream.set_read_timeout(Some(CALLER_TIMEOUT))?;
    stream.set_write_timeout(Some(CALLER_TIMEOUT))?;
    let answer = match read_line(&stream, LONGEST_CALL) {
        Ok(call) => commands.answer(call),
        Err(error) => Answer::refused(format!("not understood: {error}")),
    };
    write_line(&stream, &answer)
}

/// Asks the process that listens at this socket. `None` when there is none.
///
/// # Errors
/// It runs, and did not answer.
pub fn call(socket: &Path, call: &Call) -> io::Result<Option<Answer>> {
    let stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.set_write_timeout(Some(CALLER_TIMEOUT))?;
    write_line(&stream, call)?;
    read_line(&stream, u64::MAX).map(Some)
}

fn read_line<T: DeserializeOwned>(stream: &UnixStream, longest: u64) -> io::Result<T> {
    let mut line = Vec::new();
    BufReader::new(stream.take(longest)).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}

fn write_line(mut stream: &UnixStream, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line)
}
