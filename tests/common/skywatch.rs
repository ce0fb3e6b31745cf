//! The binary under test: its settings, its process, what it says.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::redis::RedisServer;
use super::{PATIENCE, carbon, http, wait_for};

/// Settings for runs of the binary, and a folder for all they write. Outlives the runs.
pub(crate) struct Setup {
    folder: TempDir,
    settings: BTreeMap<String, String>,
    /// What a shell does before it becomes the binary; empty for nothing.
    before: String,
}

impl Setup {
    /// The defaults, with ports of the system's choice, short passes and a state folder of its own.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("skywatch-test-").tempdir();
        let folder = folder.expect("a folder");
        for name in ["home", "tmp", "run"] {
            std::fs::create_dir(folder.path().join(name)).expect("the folder is writable");
        }
        let state = folder.path().join("state").display().to_string();
        let setup = Self {
            folder,
            settings: BTreeMap::new(),
            before: String::new(),
        };
        setup
            .with("state_dir", &state)
            .with("ingest.carbon_listen", "127.0.0.1:0")
            .with("ingest.pickle_listen", "")
            .with("ingest.msgpack_listen", "")
            .with("ingest.remote_write_listen", "")
            // Points are stamped so as to be told apart, not to be fresh.
            .with("ingest.max_age", "3650d")
            .with("ingest.max_future", "3650d")
            .with("ingest.trim", "off")
            .with("web.listen", "127.0.0.1:0")
            .with("analyzer.workers", "2")
            .with("analyzer.optimum_run_duration", "1s")
            .with("process.restart_backoff", "200ms")
    }

    /// With one setting more, given through the environment.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.settings.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With the product's default of a setting that these tests have another one for.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.settings.remove(key);
        self
    }

    /// Started by a shell that has done something to itself before.
    pub(crate) fn after(mut self, before: &str) -> Self {
        before.clone_into(&mut self.before);
        self
    }

    /// With this Redis as the store.
    pub(crate) fn on(self, redis: &RedisServer) -> Self {
        self.with("store.url", &redis.socket_url())
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary with these settings and no other environment than a machine has.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare_command(arguments);
        for (key, value) in &self.settings {
            let name = format!("SKYWATCH__{}", key.to_uppercase().replace('.', "__"));
            command.env(name, value);
        }
        command
    }

    /// The binary as somebody runs it who knows none of these settings: same machine, same user.
    pub(crate) fn bare_command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_skywatch");
        let mut command = Command::new(if self.before.is_empty() { program } else { "sh" });
        if !self.before.is_empty() {
            command.args(["-c", &format!("{}\nexec \"$0\" \"$@\"", self.before), program]);
        }
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("XDG_RUNTIME_DIR", self.path("run"));
        command
    }

    /// Starts it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Skywatch {
        Skywatch::spawn(&mut self.command(arguments))
    }

    /// Starts it and waits for its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait()
    }

    /// Runs `passes` passes and gives their summaries; anything but a clean end is a failure.
    pub(crate) fn run_passes(&self, passes: usize) -> (Vec<Value>, Ended) {
        let file = self.path("summary.jsonl");
        let _ = std::fs::remove_file(&file);
        let (number, path) = (passes.to_string(), file.display().to_string());
        let ended = self.run(&["run", "--passes", &number, "--summary", &path]);
        assert_eq!(ended.code(), 0, "{}", ended.log);
        assert!(!ended.log.contains("did not end in"), "{}", ended.log);
        let summaries = summaries(&file);
        assert_eq!(summaries.len(), passes, "{}", ended.log);
        (summaries, ended)
    }

    /// Takes lines in over the carbon port until all are written, analyzing nothing.
    pub(crate) fn take_in(&self, lines: &str) {
        let taking = self.start(&["run", "--set", "analyzer.enabled=false"]);
        carbon::send(taking.carbon(), lines.as_bytes());
        let sent = lines.lines().count() as u64;
        wait_for("all points to be written", || {
            (taking.ingest("written") == sent).then_some(())
        });
        let ended = taking.stop();
        assert_eq!(ended.code(), 0, "{}", ended.log);
    }
}

/// The lines of a summary file.
pub(crate) fn summaries(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"));
    lines.collect()
}

/// Text that comes from a process, while it comes.
struct Heard {
    text: Arc<Mutex<String>>,
    listener: JoinHandle<()>,
}

impl Heard {
    fn from(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&text);
        let listener = std::thread::spawn(move || {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let mut kept = kept.lock().expect("no reader panics");
                kept.push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self { text, listener }
    }

    fn text(&self) -> String {
        self.text.lock().expect("no reader panics").clone()
    }

    /// All of it, once the last process that holds the other end has ended.
    fn until_end(self) -> String {
        let limit = Instant::now() + PATIENCE;
        while !self.listener.is_finished() {
            assert!(Instant::now() < limit, "somebody still writes:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.text()
    }
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) log: String,
    /// From the signal, or else from the call of `wait`, to the end.
    pub(crate) took: Duration,
}

impl Ended {
    /// The exit code; an end by a signal is a failure.
    pub(crate) fn code(&self) -> i32 {
        let code = self.status.code();
        code.unwrap_or_else(|| panic!("ended by a signal: {:?}\n{}", self.status, self.log))
    }

    /// The only log line that holds `words`.
    pub(crate) fn line(&self, words: &str) -> &str {
        let mut lines = self.log.lines().filter(|line| line.contains(words));
        let line = lines.next();
        let line = line.unwrap_or_else(|| panic!("no line with `{words}` in:\n{}", self.log));
        assert_eq!(lines.next(), None, "another line with `{words}`");
        line
    }
}

/// A running `skywatch`. Dropping it kills it and its children.
pub(crate) struct Skywatch {
    /// `None` once its end was waited for.
    child: Option<Child>,
    stdout: Option<Heard>,
    stderr: Option<Heard>,
}

impl Skywatch {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the binary can be run");
        let stdout = child.stdout.take().map(Heard::from);
        let stderr = child.stderr.take().map(Heard::from);
        Self {
            child: Some(child),
            stdout,
            stderr,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it was not waited for yet").id()
    }

    /// Standard error so far.
    pub(crate) fn log(&self) -> String {
        self.stderr.as_ref().expect("it was not waited for yet").text()
    }

    /// Waits for the `nth` log line (from 1) that holds `words`.
    pub(crate) fn nth_line(&self, nth: usize, words: &str) -> String {
        let limit = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            if let Some(line) = log.lines().filter(|line| line.contains(words)).nth(nth - 1) {
                return line.to_owned();
            }
            assert!(
                Instant::now() < limit,
                "waited {PATIENCE:?} in vain for line {nth} with `{words}` in:\n{log}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for a log line that holds `words`.
    pub(crate) fn line(&self, words: &str) -> String {
        self.nth_line(1, words)
    }

    /// Where the ingest that was started first takes carbon lines.
    pub(crate) fn carbon(&self) -> SocketAddr {
        self.nth_carbon(1)
    }

    /// Where the `nth` ingest, from 1, takes carbon lines.
    pub(crate) fn nth_carbon(&self, nth: usize) -> SocketAddr {
        address(
            &self.nth_line(nth, "taking carbon lines on "),
            "taking carbon lines on ",
        )
    }

    /// Where the pages are.
    pub(crate) fn pages(&self) -> SocketAddr {
        address(&self.line("pages on http://"), "pages on http://")
    }

    /// `/api/v1/status`.
    pub(crate) fn status(&self) -> Value {
        http::get(self.pages(), "/api/v1/status").json()
    }

    /// One of the ingest's counters.
    pub(crate) fn ingest(&self, counter: &str) -> u64 {
        self.ingest_at(self.pages(), counter)
    }

    /// The same, of one whose log does not tell where its pages are.
    pub(crate) fn ingest_at(&self, pages: SocketAddr, counter: &str) -> u64 {
        let status = http::get(pages, "/api/v1/status").json();
        let counters = status["ingest"]["counters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let found = counters.iter().find(|pair| pair[0] == counter);
        found.and_then(|pair| pair[1].as_u64()).unwrap_or(0)
    }

    /// The process id of the child of this role that was started `nth`, from 1.
    pub(crate) fn nth_child(&self, nth: usize, role: &str) -> u32 {
        let line = self.nth_line(nth, &format!("child `{role}` started :: pid "));
        let pid = line.rsplit(' ').next().expect("a last word");
        pid.parse().expect("a process id")
    }

    /// The process id of the child of this role.
    pub(crate) fn child(&self, role: &str) -> u32 {
        self.nth_child(1, role)
    }

    /// What `/healthz` answers, which must come within a second whatever else hangs.
    pub(crate) fn health(&self) -> (u16, String) {
        let asked = Instant::now();
        let answer = http::get(self.pages(), "/healthz");
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(1), "`/healthz` took {took:?}");
        (answer.status, answer.body)
    }

    /// Waits until `/healthz` is 503 with these words.
    pub(crate) fn is_ill(&self, words: &str) -> String {
        wait_for(&format!("`/healthz` to say `{words}`"), || {
            let (status, body) = self.health();
            (status == 503 && body.contains(words)).then_some(body)
        })
    }

    /// Waits until `/healthz` is 200.
    pub(crate) fn is_well(&self) {
        wait_for("`/healthz` to be well", || (self.health().0 == 200).then_some(()));
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn stop(self) -> Ended {
        signal(self.pid(), "TERM");
        self.wait()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let begun = Instant::now();
        let mut child = self.child.take().expect("it was not waited for yet");
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if begun.elapsed() >= PATIENCE {
                self.child = Some(child);
                panic!(
                    "waited {PATIENCE:?} in vain for its end; its log:\n{}",
                    self.log()
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let took = begun.elapsed();
        Ended {
            status,
            took,
            stdout: self.stdout.take().map(Heard::until_end).unwrap_or_default(),
            log: self.stderr.take().map(Heard::until_end).unwrap_or_default(),
        }
    }
}

impl Drop for Skywatch {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        let _ = child.kill();
        let _ = child.wait();
        let log = self.stderr.as_ref().map(Heard::text).unwrap_or_default();
        let children = log
            .lines()
            .filter_map(|line| line.split_once("started :: pid ")?.1.parse().ok());
        for pid in children.filter(|pid| is_running(*pid)) {
            signal(pid, "KILL");
        }
    }
}

fn address(line: &str, before: &str) -> SocketAddr {
    let (_, rest) = line.split_once(before).expect("the words looked for");
    let word = rest.split([',', ' ', '/']).next().expect("a first word");
    word.parse().unwrap_or_else(|_| panic!("no address in `{line}`"))
}

/// Sends a signal, by name, to a process.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(
        sent.expect("the command `kill`").success(),
        "no process {pid} for SIG{name}"
    );
}

/// Whether there is a process of ours with this id that has not ended.
pub(crate) fn is_running(pid: u32) -> bool {
    let proc = Path::new("/proc").join(pid.to_string());
    let command = std::fs::read(proc.join("cmdline")).unwrap_or_default();
    // A zombie has no command line.
    String::from_utf8_lossy(&command).contains("skywatch")
}
