//! The control socket: how commands on this machine speak to the process that runs.
//!
//! Two Unix sockets: one in the state folder, in a folder of its own that only its owner may enter, and one where commands
//! find it that know of no state folder ([`running`](super::running)). One JSON object a line each way. Slow or silent
//! callers are cut off; there are few at a time.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use socket2::SockRef;

use super::office::{Answer, Call, Office};
use super::running::{self, Entry};
use crate::files;

/// Longest question, bytes; answers may be longer.
const LONGEST_CALL: u64 = 1 << 20;
/// How long a caller may take to ask, and to take the answer.
const CALLER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the running process may take to answer: trying a route waits for its receivers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// How often it is looked whether the socket is still in its place.
const LOOK_EACH: Duration = Duration::from_secs(1);
/// Callers at a time.
const CALLERS: usize = 8;

/// Where the socket lies.
pub fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("control").join("socket")
}

/// The listening sockets. Dropping it ends their threads, which let go of the store, and takes them out of their folders.
pub struct Control {
    doors: Vec<Door>,
    ended: Arc<AtomicBool>,
    /// Says to commands that we are here.
    entry: Option<Entry>,
}

/// One socket and the thread that listens at it.
struct Door {
    path: PathBuf,
    thread: JoinHandle<()>,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for Door { path, thread } in self.doors.drain(..) {
            // The thread waits for a caller: be one.
            if UnixStream::connect(&path).is_ok() {
                let _ = thread.join();
            }
            let _ = fs::remove_file(&path);
        }
        self.entry = None;
    }
}

impl Control {
    /// Listens for commands, and answers from threads of its own as long as the process lives. One of the two sockets is
    /// enough; that the other is missing is said in the log.
    ///
    /// # Errors
    /// Neither can be made.
    pub fn start(state_dir: &Path, office: Office) -> io::Result<Self> {
        let mut control = Self {
            doors: Vec::new(),
            ended: Arc::default(),
            entry: None,
        };
        let desk = Arc::new(office);
        let in_state_dir = control.open(socket_path(state_dir), of_state_dir, &desk);
        let known = Entry::of_answers(state_dir).and_then(|entry| {
            if let Some(socket) = entry.socket() {
                control.open(socket.to_owned(), running::make, &desk)?;
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

    fn open(&mut self, path: PathBuf, make: MakeFolder, office: &Arc<Office>) -> io::Result<()> {
        let listener = bind(&path, make)?;
        let (office, told) = (Arc::clone(office), Arc::clone(&self.ended));
        let thread = std::thread::Builder::new().name("control".to_owned()).spawn({
            let path = path.clone();
            move || listen(listener, &path, make, &office, &told)
        })?;
        self.doors.push(Door { path, thread });
        Ok(())
    }
}

/// Makes the folder in which a socket lies, if need be; refuses one in which others could put theirs.
type MakeFolder = fn(&Path) -> io::Result<()>;

/// Makes the folder of the socket in the state folder.
fn of_state_dir(folder: &Path) -> io::Result<()> {
    files::folder(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

/// Makes the folder and the socket in it.
fn bind(path: &Path, make: MakeFolder) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        make(folder)?;
    }
    // One left behind by a process that was killed.
    if UnixStream::connect(path).is_err() {
        let _ = fs::remove_file(path);
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    // Waiting ends now and then, to look whether the socket is still in its place.
    SockRef::from(&listener).set_read_timeout(Some(LOOK_EACH))?;
    Ok(listener)
}

fn listen(
    mut listener: UnixListener,
    path: &Path,
    make: MakeFolder,
    office: &Arc<Office>,
    ended: &AtomicBool,
) {
    let callers = Arc::new(AtomicUsize::new(0));
    let mut file = files::identity(path);
    loop {
        let stream = listener.accept();
        if ended.load(Ordering::Relaxed) {
            return;
        }
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // Somebody has deleted it, or the whole folder: callers find nobody.
                if files::identity(path) != file
                    && let Ok(again) = bind(path, make)
                {
                    tracing::warn!("the control socket was deleted while in use :: made anew");
                    file = files::identity(path);
                    listener = again;
                }
                continue;
            }
            Err(_) => {
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        if callers.fetch_add(1, Ordering::Relaxed) >= CALLERS {
            callers.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (office, counted) = (Arc::clone(office), Arc::clone(&callers));
        let spawned = std::thread::Builder::new()
            .name("caller".to_owned())
            .spawn(move || {
                if let Err(error) = serve(stream, &office) {
                    tracing::debug!("a caller of the control socket was not answered :: {error}");
                }
                counted.fetch_sub(1, Ordering::Relaxed);
            });
        if spawned.is_err() {
            callers.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn serve(stream: UnixStream, office: &Office) -> io::Result<()> {
    stream.set_read_timeout(Some(CALLER_TIMEOUT))?;
    stream.set_write_timeout(Some(CALLER_TIMEOUT))?;
    let answer = match read_line(&stream, LONGEST_CALL) {
        Ok(call) => office.answer(call),
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
