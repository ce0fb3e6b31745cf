//! The parent: starts the children, watches them, starts them again.
//!
//! It does no work of its own, so there is nothing in it to crash. A child that ends is started again after
//! a pause that doubles each time it ends soon; a child that stops reporting is killed first, with the
//! metrics it was at named. Stopping means closing the children's standard inputs; who does not end in time
//! is killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{after, select};

use super::child::RELOAD;
use super::reload::{Reloader, log_reload};
use super::{ProcessError, Signals, Systemd};
use crate::backoff::Backoff;
use crate::clock::unix_now;
use crate::events::EVENT_MARK;
use crate::status::{ChildStatus, ProcessStatus, ReloadStatus, StatusFile};
use crate::stop::Stop;

/// A child silent for so long is hung. Children report each second; the rest is for a machine that swaps or is suspended.
const SILENCE: Duration = Duration::from_secs(20);
/// A child that lived so long starts again with the shortest pause: longer than what fails at a start takes to fail.
const LONG_LIFE: Duration = Duration::from_secs(60);
/// How often the children are looked at when nothing happens: a small part of the silence that counts as a hang.
const LOOK_EACH: Duration = Duration::from_secs(1);

/// A child to be kept alive.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// For the log.
    pub name: &'static str,
    /// Arguments of this same binary.
    pub arguments: Vec<String>,
    /// Whether the whole process ends when this child ends well.
    pub ends_all: bool,
    /// Whether it is asked to end only when the others have ended.
    pub stops_last: bool,
}

/// How the parent deals with its children.
#[derive(Debug, Clone, Copy)]
pub struct ParentOptions {
    /// First pause before a child is started again.
    pub restart_backoff: Duration,
    /// Longest pause.
    pub restart_backoff_max: Duration,
    /// Time a child has to end by itself.
    pub stop_timeout: Duration,
}

/// The children and what is known of them.
pub struct Parent {
    options: ParentOptions,
    /// Resolved once: after an upgrade the running binary has no path any more.
    binary: PathBuf,
    children: Vec<Supervised>,
    since: f64,
    /// Where others can see how the children are, and what was written there last.
    shown: Option<(StatusFile, ProcessStatus)>,
    reloader: Option<Reloader>,
    last_reload: Option<ReloadStatus>,
}

struct Supervised {
    spec: ChildSpec,
    /// `None` while waiting to be started again.
    running: Option<RunningChild>,
    backoff: Backoff,
    start_at: Instant,
    starts: u64,
    /// Since when it runs or waits, Unix seconds.
    since: f64,
    /// How it ended the last time.
    last_end: Option<String>,
}

struct RunningChild {
    child: Child,
    since: Instant,
    /// When the child spoke last and what it was at. Shared with the thread that listens to it; held for
    /// the moment of a read or a write.
    last_report: Arc<Mutex<(Instant, String)>>,
}

impl Parent {
    /// A parent of `specs`, none of them started.
    ///
    /// # Errors
    /// [`ProcessError::Start`] if the system does not say which binary this is.
    pub fn new(specs: Vec<ChildSpec>, options: ParentOptions) -> Result<Self, ProcessError> {
        let binary = std::env::current_exe().map_err(|source| ProcessError::Start {
            what: "a child",
            source,
        })?;
        let children = specs.into_iter().map(|spec| Supervised {
            spec,
            running: None,
            backoff: Backoff::new(options.restart_backoff, options.restart_backoff_max),
            start_at: Instant::now(),
            starts: 0,
            since: unix_now(),
            last_end: None,
        });
        Ok(Self {
            options,
            binary,
            children: children.collect(),
            since: unix_now(),
            shown: None,
            reloader: None,
            last_reload: None,
        })
    }

    /// The same, which shows in a file how its children are.
    #[must_use]
    pub fn with_status(self, file: StatusFile) -> Self {
        Self {
            shown: Some((file, ProcessStatus::default())),
            ..self
        }
    }

    /// The same, which reads settings anew when it is asked to, and has its children do so.
    #[must_use]
    pub fn with_reloader(self, reloader: Reloader) -> Self {
        Self {
            reloader: Some(reloader),
            ..self
        }
    }

    fn reload(&mut self) {
        let Some(reloader) = &mut self.reloader else {
            return;
        };
        let status = reloader.reload();
        log_reload(&status);
        if status.refused.is_none() {
            for child in &mut self.children {
                let name = child.spec.name;
                let stdin = child
                    .running
                    .as_mut()
                    .and_then(|running| running.child.stdin.as_mut());
                // One that has just ended reads them when it is started again.
                if let Some(Err(error)) = stdin.map(|stdin| writeln!(stdin, "{RELOAD}")) {
                    tracing::warn!("child `{name}` was not told of new settings :: {error}");
                }
            }
        }
        self.last_reload = Some(status);
    }

    /// Writes down how the children are if that has changed.
    fn show(&mut self) {
        let Some((file, shown)) = &mut self.shown else {
            return;
        };
        let children = self.children.iter().map(|child| ChildStatus {
            name: child.spec.name.to_owned(),
            pid: child.running.as_ref().map(|running| running.child.id()),
            since: child.since,
            starts: child.starts,
            ended: child.last_end.clone(),
        });
        let now = ProcessStatus {
            pid: std::process::id(),
            since: self.since,
            children: children.collect(),
            ended: None,
            reload: self.last_reload.clone(),
        };
        if now != *shown {
            file.write(&now);
            *shown = now;
        }
    }

    /// Keeps the children alive until `stop` is said or a child that ends all has ended well.
    ///
    /// # Errors
    /// [`ProcessError::Start`] if not even a process can be started at first.
    pub fn run(mut self, signals: &Signals, systemd: &mut Systemd, stop: &Stop) -> Result<(), ProcessError> {
        let mut ready = false;
        while !stop.is_said() {
            for child in &mut self.children {
                if child.running.is_none() && Instant::now() >= child.start_at {
                    child.start(&self.binary)?;
                }
            }
            self.show();
            // A child that hangs is killed here, so this loop going round is all the watchdog has to know.
            systemd.alive();
            // One that has had to be started again must not keep systemd waiting until it kills all.
            if !ready
                && self
                    .children
                    .iter()
                    .all(|child| child.has_reported() || child.starts > 1)
            {
                ready = true;
                systemd.ready();
            }
            let next_start = self
                .children
                .iter()
                .filter(|child| child.running.is_none())
                .map(|child| child.start_at);
            let pause = next_start.min().map_or(LOOK_EACH, |at| {
                at.saturating_duration_since(Instant::now()).min(LOOK_EACH)
            });
            let pause = systemd.patience().map_or(pause, |patience| pause.min(patience));
            select! {
                recv(signals.child_ended) -> _ => {}
                recv(signals.reload) -> _ => self.reload(),
                recv(stop.channel()) -> _ => {}
                recv(after(pause)) -> _ => {}
            }
            for child in &mut self.children {
                if child.check() {
                    stop.say();
                }
            }
        }
        systemd.stopping();
        self.end();
        Ok(())
    }

    /// Asks all children to end, and kills those that do not. Those that stop last have their own time for it.
    fn end(&mut self) {
        for last in [false, true] {
            self.end_those(last);
        }
    }

    fn end_those(&mut self, last: bool) {
        let running: Vec<_> = self
            .children
            .iter_mut()
            .filter(|child| child.spec.stops_last == last)
            .filter_map(|child| child.running.take().map(|running| (child.spec.name, running)))
            .collect();
        let due = Instant::now() + self.options.stop_timeout;
        let mut running: Vec<_> = running
            .into_iter()
            .map(|(name, mut running)| {
                drop(running.child.stdin.take());
                (name, running)
            })
            .collect();
        while !running.is_empty() && Instant::now() < due {
            running.retain_mut(|(_, running)| matches!(running.child.try_wait(), Ok(None)));
            std::thread::sleep(Duration::from_millis(10));
        }
        for (name, mut running) in running {
            tracing::error!(
                "child `{name}` did not end in {:?} :: killed",
                self.options.stop_timeout
            );
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

impl Supervised {
    /// Whether the child runs and has said so.
    fn has_reported(&self) -> bool {
        self.running.as_ref().is_some_and(|running| {
            let last_report = running.last_report.lock().unwrap_or_else(PoisonError::into_inner);
            last_report.0 > running.since
        })
    }

    /// Starts the child. Once it has run, a system that refuses it for the moment is asked again after the pause.
    fn start(&mut self, binary: &Path) -> Result<(), ProcessError> {
        match self.spawn(binary) {
            Ok(running) => {
                self.starts += 1;
                self.since = unix_now();
                tracing::info!("child `{}` started :: pid {}", self.spec.name, running.child.id());
                self.running = Some(running);
                Ok(())
            }
            Err(source) if self.starts == 0 => Err(ProcessError::Start {
                what: "a child",
                source,
            }),
            Err(error) => {
                tracing::error!("child `{}` cannot be started :: {error}", self.spec.name);
                self.put_off();
                Ok(())
            }
        }
    }

    fn spawn(&self, binary: &Path) -> std::io::Result<RunningChild> {
        let mut child = Command::new(binary)
            .args(&self.spec.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let last_report = Arc::new(Mutex::new((Instant::now(), String::new())));
        if let Some(stdout) = child.stdout.take() {
            let last_report = Arc::clone(&last_report);
            // Ends with the child, whose pipe then ends.
            let listen = move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if let Some(event) = line.strip_prefix(EVENT_MARK) {
                        pass_on(event);
                        continue;
                    }
                    *last_report.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), line);
                }
            };
            let name = format!("listen-{}", self.spec.name);
            if let Err(error) = std::thread::Builder::new().name(name).spawn(listen) {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        }
        Ok(RunningChild {
            child,
            since: Instant::now(),
            last_report,
        })
    }

    /// Looks whether the child has ended or fallen silent. Answers whether everything ends with it.
    fn check(&mut self) -> bool {
        let Some(running) = &mut self.running else {
            return false;
        };
        match running.child.try_wait() {
            Ok(None) => {
                let (last_report, at) = running
                    .last_report
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                if last_report.elapsed() > SILENCE {
                    tracing::error!(
                        "child `{}` is hung, silent for {} seconds :: killed while at {at:?}",
                        self.spec.name,
                        last_report.elapsed().as_secs()
                    );
                    let _ = running.child.kill();
                }
                false
            }
            Ok(Some(status)) if status.success() && self.spec.ends_all => {
                self.running = None;
                true
            }
            Ok(Some(status)) => {
                self.ended(&ending(status));
                false
            }
            Err(error) => {
                self.ended(&error.to_string());
                false
            }
        }
    }

    fn ended(&mut self, how: &str) {
        let Some(running) = self.running.take() else {
            return;
        };
        if running.since.elapsed() >= LONG_LIFE {
            self.backoff.reset();
        }
        let pause = self.put_off();
        self.last_end = Some(how.to_owned());
        self.since = unix_now();
        tracing::error!(
            "child `{}` (pid {}) ended: {how} :: starting it again in {:.1} seconds, start {}",
            self.spec.name,
            running.child.id(),
            pause.as_secs_f64(),
            self.starts + 1
        );
    }

    /// Puts off the next start, twice as long each time.
    fn put_off(&mut self) -> Duration {
        let pause = self.backoff.pause();
        self.start_at = Instant::now() + pause;
        pause
    }
}

fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown".to_owned(),
    }
}
/// Writes to our own standard output what a child has for it. Nobody is left to be told if that fails.
fn pass_on(event: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{event}").and_then(|()| out.flush());
}
