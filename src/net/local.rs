//! Unix sockets for processes of this user on this machine.
//!
//! A socket lies in a folder that only its owner may enter and is readable by nobody else. When it is deleted while in use,
//! it is made again. Each connection is served by a thread of its own, a few at a time.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;

use crate::files;

/// How often it is looked whether the socket is still in its place: a command waits no longer than this for it.
const LOOK_EACH: Duration = Duration::from_secs(1);
/// Pause after the system refuses a connection, which it does when it has no descriptors left.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Makes the folder in which a socket lies, if need be; refuses one in which others could put theirs.
pub(crate) type MakeFolder = fn(&Path) -> io::Result<()>;
/// Serves one connection.
pub(crate) type Serve = Arc<dyn Fn(UnixStream) + Send + Sync>;

/// What a listener is told once.
pub(crate) struct LocalOptions {
    /// Where the socket lies.
    pub(crate) path: PathBuf,
    /// Makes its folder.
    pub(crate) make: MakeFolder,
    /// What the listening thread is called, and those that serve.
    pub(crate) threads: [&'static str; 2],
    /// Connections served at a time; what is more is closed at once.
    pub(crate) most: usize,
}

/// A listening socket and its thread. Dropping it ends the thread and removes the socket; connections go on.
pub(crate) struct LocalListener {
    path: PathBuf,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LocalListener {
    /// Listens.
    ///
    /// # Errors
    /// The socket or its folder cannot be made, or the system refuses a thread.
    pub(crate) fn start(options: LocalOptions, serve: Serve) -> io::Result<Self> {
        let listener = bind(&options.path, options.make)?;
        let path = options.path.clone();
        let ended = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name(options.threads[0].to_owned())
            .spawn({
                let ended = Arc::clone(&ended);
                move || listen(listener, &options, &serve, &ended)
            })?;
        Ok(Self {
            path,
            ended,
            thread: Some(thread),
        })
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // The thread waits for a connection: be one.
        if UnixStream::connect(&self.path).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes a folder that only its owner may enter.
pub(crate) fn private_folder(folder: &Path) -> io::Result<()> {
    files::folder(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

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

fn listen(mut listener: UnixListener, options: &LocalOptions, serve: &Serve, ended: &AtomicBool) {
    let LocalOptions {
        path,
        make,
        threads,
        most,
    } = options;
    let served = Arc::new(AtomicUsize::new(0));
    let mut file = files::identity(path);
    loop {
        let stream = listener.accept();
        if ended.load(Ordering::Relaxed) {
            return;
        }
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if files::identity(path) != file
                    && let Ok(again) = bind(path, *make)
                {
                    tracing::warn!("the {} socket was deleted while in use :: made anew", threads[0]);
                    file = files::identity(path);
                    listener = again;
                }
                continue;
            }
            Err(_) => {
                std::thread::sleep(REFUSED_PAUSE);
                continue;
            }
        };
        if served.fetch_add(1, Ordering::Relaxed) >= *most {
            served.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (serve, counted) = (Arc::clone(serve), Arc::clone(&served));
        let spawned = std::thread::Builder::new()
            .name(threads[1].to_owned())
            .spawn(move || {
                serve(stream);
                counted.fetch_sub(1, Ordering::Relaxed);
            });
        if spawned.is_err() {
            served.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
