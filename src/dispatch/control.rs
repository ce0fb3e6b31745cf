//! The control socket: how commands on this machine speak to the process that runs.
//!
//! A Unix socket in the state folder, in a folder of its own that only its owner may enter. One JSON object a line each
//! way. Slow or silent callers are cut off; there are few at a time.

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

/// The listening socket. Dropping it ends its thread, which lets go of the store, and takes it out of the folder.
pub struct Control {
    path: PathBuf,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // The thread waits for a caller: be one.
        let woken = UnixStream::connect(&self.path).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}

impl Control {
    /// Listens in `state_dir`, and answers from a thread of its own as long as the process lives.
    ///
    /// # Errors
    /// The folder or the socket cannot be made.
    pub fn start(state_dir: &Path, office: Office) -> io::Result<Self> {
        let path = socket_path(state_dir);
        let listener = bind(&path)?;
        let office = Arc::new(office);
        let ended = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ended);
        let thread = std::thread::Builder::new().name("control".to_owned()).spawn({
            let path = path.clone();
            move || listen(listener, &path, &office, &told)
        })?;
        Ok(Self {
            path,
            ended,
            thread: Some(thread),
        })
    }
}

/// Makes the folder and the socket in it.
fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        files::folder(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
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

fn listen(mut listener: UnixListener, path: &Path, office: &Arc<Office>, ended: &AtomicBool) {
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
                    && let Ok(again) = bind(path)
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

/// Asks the process that runs over `state_dir`. `None` when there is none.
///
/// # Errors
/// It runs, and did not answer.
pub fn call(state_dir: &Path, call: &Call) -> io::Result<Option<Answer>> {
    let stream = match UnixStream::connect(socket_path(state_dir)) {
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
