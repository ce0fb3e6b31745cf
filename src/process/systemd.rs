//! Tells systemd, when it started this process, that it is ready, alive or stopping (`sd_notify(3)`).
//!
//! A datagram to the socket that `NOTIFY_SOCKET` names; a name that begins with `@` is abstract. Without that variable
//! nothing is sent.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// The service manager, if one started this process.
pub struct Systemd {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// How often a sign of life is wanted; `None` is not at all.
    each: Option<Duration>,
    said: Instant,
}

impl Systemd {
    /// As the environment says: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` for this process (`WATCHDOG_PID`).
    pub fn from_environment() -> Self {
        let own = std::process::id().to_string();
        let for_us = std::env::var("WATCHDOG_PID").map_or(true, |pid| pid == own);
        let micros = std::env::var("WATCHDOG_USEC")
            .ok()
            .and_then(|text| text.parse().ok());
        Self::new(std::env::var_os("NOTIFY_SOCKET"), micros.filter(|_| for_us))
    }

    fn new(socket: Option<OsString>, watchdog_micros: Option<u64>) -> Self {
        let address = socket.filter(|socket| !socket.is_empty()).map(|socket| {
            match socket.as_bytes().strip_prefix(b"@") {
                Some(name) => SocketAddr::from_abstract_name(name),
                None => SocketAddr::from_pathname(&socket),
            }
        });
        let to = match address.transpose().and_then(|address| {
            let socket = UnixDatagram::unbound()?;
            socket.set_write_timeout(Some(Duration::from_secs(1)))?;
            Ok(address.map(|address| (socket, address)))
        }) {
            Ok(to) => to,
            Err(error) => {
                tracing::warn!("systemd cannot be told how we are :: {error}");
                None
            }
        };
        Self {
            to,
            // Twice as often as wanted, as the manual asks.
            each: watchdog_micros
                .filter(|micros| *micros > 0)
                .map(|micros| Duration::from_micros(micros / 2)),
            said: Instant::now(),
        }
    }

    /// Everything has been started.
    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// All is well; said when it is time.
    pub fn alive(&mut self) {
        if self.each.is_some_and(|each| self.said.elapsed() >= each) {
            self.said = Instant::now();
            self.say("WATCHDOG=1");
        }
    }

    /// How long a caller may sleep before [`Systemd::alive`] is due again.
    pub fn patience(&self) -> Option<Duration> {
        self.each.map(|each| each.saturating_sub(self.said.elapsed()))
    }

    fn say(&self, word: &str) {
        if let Some((socket, address)) = &self.to
            && let Err(error) = socket.send_to_addr(word.as_bytes(), address)
        {
            tracing::debug!("systemd was not told {word} :: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_systemd_wants_to_hear() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("a socket");
        manager
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("a timeout");
        let mut systemd = Systemd::new(Some(path.into()), Some(2));
        let hear = || {
            let mut word = [0; 64];
            let length = manager.recv(&mut word).expect("a word");
            String::from_utf8_lossy(&word[..length]).into_owned()
        };
        systemd.ready();
        assert_eq!(hear(), "READY=1");
        std::thread::sleep(Duration::from_millis(1));
        systemd.alive();
        assert_eq!(hear(), "WATCHDOG=1");
        systemd.stopping();
        assert_eq!(hear(), "STOPPING=1");
    }

    #[test]
    fn without_systemd_nothing_is_said() {
        let mut systemd = Systemd::new(None, None);
        systemd.ready();
        systemd.alive();
        assert_eq!(systemd.patience(), None);
    }
}
