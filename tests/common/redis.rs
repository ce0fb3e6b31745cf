//! A real `redis-server` for a test: its own folder, a Unix socket and a free TCP port, ended with
//! the value that stands for it.
//!
//! It keeps its data over [`stop`](RedisServer::stop) and [`start_again`](RedisServer::start_again).
//! A machine without `redis-server` is an error, never a skipped test.
#![allow(
    clippy::allow_attributes,
    dead_code,
    unreachable_pub,
    reason = "every test target uses its own part"
)]

use std::fs::File;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const CA: &str = include_str!("../store/tls/ca.pem");
const CERTIFICATE: &str = include_str!("../store/tls/server.pem");
const KEY: &str = include_str!("../store/tls/server.key");

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server should be like.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// Password of the default user.
    pub password: Option<String>,
    /// ACL users, each as the words behind `user`: `reader on >secret ~metrics.* +@read`.
    pub users: Vec<String>,
    /// Whether there is also a port that speaks TLS, with the certificate of [`RedisServer::ca_file`].
    pub tls: bool,
    /// Most memory it may use, as Redis writes it: `3mb`.
    pub maxmemory: Option<String>,
    /// Further words of its command line.
    pub arguments: Vec<String>,
}

/// A running server; killed when dropped.
pub struct RedisServer {
    options: ServerOptions,
    folder: TempDir,
    port: u16,
    tls_port: u16,
    /// `None` while stopped.
    child: Option<Child>,
}

impl RedisServer {
    /// A server without password.
    pub fn start() -> Self {
        Self::start_with(ServerOptions::default())
    }

    /// A server with options of its own; returns once it answers.
    pub fn start_with(options: ServerOptions) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("redis-")
            .tempdir()
            .expect("a folder for the server");
        for (name, content) in [("ca.pem", CA), ("server.pem", CERTIFICATE), ("server.key", KEY)] {
            std::fs::write(folder.path().join(name), content).expect("the folder is writable");
        }
        let mut server = Self {
            options,
            folder,
            port: 0,
            tls_port: 0,
            child: None,
        };
        // A port that was free a moment ago may be taken by the next test.
        for _ in 0..5 {
            (server.port, server.tls_port) = (free_port(), free_port());
            if server.try_start() {
                return server;
            }
        }
        panic!("`redis-server` does not start; its log:\n{}", server.log());
    }

    /// Ends the server in an orderly way; it saves its data first.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let pid = child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(
            killed.expect("the command `kill`").success(),
            "no process {pid} to end"
        );
        let limit = Instant::now() + PATIENCE;
        while child.try_wait().expect("a child can be waited for").is_none() {
            assert!(
                Instant::now() < limit,
                "`redis-server` does not stop; its log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the server at once, as a crash does; what it had not saved is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child can be waited for");
        }
    }

    /// Starts a stopped server again, with its data, on the same addresses.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server runs");
        assert!(
            self.try_start(),
            "`redis-server` does not start again; its log:\n{}",
            self.log()
        );
    }

    /// Stops and starts.
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Address of its Unix socket.
    pub fn socket_url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Its TCP port, on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Address of its TCP port.
    pub fn tcp_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Address of its port that speaks TLS.
    pub fn tls_url(&self) -> String {
        format!("rediss://localhost:{}", self.tls_port())
    }

    /// Its port that speaks TLS.
    pub fn tls_port(&self) -> u16 {
        assert!(self.options.tls, "this server speaks no TLS");
        self.tls_port
    }

    /// The authority that signed its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// A plain connection as the default user, to look at what is stored and to put things there.
    pub fn connection(&self) -> redis::Connection {
        self.try_connection().expect("the server answers")
    }

    /// What it has written about itself.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("redis.log")).unwrap_or_default()
    }

    fn try_connection(&self) -> redis::RedisResult<redis::Connection> {
        let url = match &self.options.password {
            Some(password) => format!("{}?pass={password}", self.socket_url()),
            None => self.socket_url(),
        };
        let mut connection = redis::Client::open(url)?.get_connection()?;
        redis::cmd("PING").exec(&mut connection)?;
        Ok(connection)
    }

    /// Whether the server came up and answers.
    fn try_start(&mut self) -> bool {
        let mut child = self.spawn();
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            if child.try_wait().expect("a child can be waited for").is_some() {
                return false;
            }
            if self.try_connection().is_ok() {
                self.child = Some(child);
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }

    fn spawn(&self) -> Child {
        let folder = self.folder.path();
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("redis.log"));
        let log = log.expect("the folder is writable");
        let mut command = Command::new("redis-server");
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .stdout(log);
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        command.args(["--unixsocket", "redis.sock", "--unixsocketperm", "700"]);
        // One point in time so late that it never comes: enough for a save at the end.
        command.args(["--save", "86400 1", "--appendonly", "no", "--dir", "."]);
        if let Some(password) = &self.options.password {
            command.args(["--requirepass", password]);
        }
        for user in &self.options.users {
            command.arg("--user").args(user.split_whitespace());
        }
        if let Some(maxmemory) = &self.options.maxmemory {
            command.args(["--maxmemory", maxmemory, "--maxmemory-policy", "noeviction"]);
        }
        if self.options.tls {
            command.args([
                "--tls-port",
                &self.tls_port.to_string(),
                "--tls-auth-clients",
                "no",
            ]);
            command.args(["--tls-cert-file", "server.pem", "--tls-key-file", "server.key"]);
            command.args(["--tls-ca-cert-file", "ca.pem"]);
        }
        command.args(&self.options.arguments);
        match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!(
                    "`redis-server` is not installed; these tests need it (Debian: `apt install redis-server`)"
                )
            }
            Err(error) => panic!("`redis-server` cannot be run: {error}"),
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A TCP port nobody listens on at this moment.
pub fn free_port() -> u16 {
    // Below the ports the system gives to those who ask for none: whoever listens on one of those may be in the way a
    // moment later. Tests that run at the same time begin at places of their own.
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(37);
    loop {
        let step = TAKEN.fetch_add(1, Ordering::Relaxed);
        assert!(step < 22_000, "no port is free");
        let port = 10_000 + (first.wrapping_add(step) % 22_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The resident memory of a process at its highest, in bytes.
pub fn peak_memory(pid: u32) -> u64 {
    memory(pid, "VmHWM:")
}

/// What the system says of a process's memory on one line (`VmRSS:`: resident now), in bytes.
pub fn memory(pid: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"));
    let status = status.expect("the process runs");
    let found = status.lines().find_map(|known| known.strip_prefix(line));
    let kilobytes = found.expect("a known line").trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().expect("a number") * 1024
}
