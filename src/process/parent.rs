//! The parent: starts the children, watches them, starts them again.
//!
//! It does no work of its own, so there is nothing in it to crash. A child that ends is started again after
//! a pause that doubles with each short life; a child that falls silent is killed first, with the
//! metrics it was at named. Stopping means closing the children's standard inputs; who does not end in time
//! is killed.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{after, select};

use super::{ProcessError, Signals, Systemd};
use crate::backoff::Backoff;
use crate::stop::Stop;

/// A child silent for so long is hung. Children speak each second.
const SILENCE: Duration = Duration::from_secs(20);
/// A child that lived so long starts again with the shortest pause.
const LONG_LIFE: Duration = Duration::from_secs(60);
/// How often the children are looked at when nothing happens.
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
    kept: Vec<Kept>,
}

struct Kept {
    spec: ChildSpec,
    /// `None` while waiting to be started again.
    running: Option<Running>,
    backoff: Backoff,
    start_at: Instant,
    starts: u64,
}

struct Running {
    child: Child,
    since: Instant,
    /// When the child spoke last and what it was at. Shared with the thread that listens to it; held for
    /// the moment of a read or a write.
    heard: Arc<Mutex<(Instant, String)>>,
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
        let kept = specs.into_iter().map(|spec| Kept {
            spec,
            running: None,
            backoff: Backoff::new(options.restart_backoff, options.restart_backoff_max),
            start_at: Instant::now(),
            starts: 0,
        });
        Ok(Self {
            options,
            binary,
            kept: kept.collect(),
        })
    }

    /// Keeps the children alive until `stop` is said or a child that ends all has ended well.
    ///
    /// # Errors
    /// [`ProcessError::Start`] if not even a process can be started at first.
    pub fn run(mut self, signals: &Signals, systemd: &mut Systemd, stop: &Stop) -> Result<(), ProcessError> {
        let mut ready = false;
        while !stop.is_said() {
            for kept in &mut self.kept {
                if kept.running.is_none() && Instant::now() >= kept.start_at {
                    kept.start(&self.binary)?;
                }
            }
            // A child that hangs is killed here, so that this loop going round is what there is to be told.
            systemd.alive();
            // One that has had to be started again must not cost the others their life.
            if !ready && self.kept.iter().all(|kept| kept.has_spoken() || kept.starts > 1) {
                ready = true;
                systemd.ready();
            }
            let next_start = self
                .kept
                .iter()
                .filter(|kept| kept.running.is_none())
                .map(|kept| kept.start_at);
            let pause = next_start.min().map_or(LOOK_EACH, |at| {
                at.saturating_duration_since(Instant::now()).min(LOOK_EACH)
            });
            let pause = systemd.patience().map_or(pause, |patience| pause.min(patience));
            select! {
                recv(signals.child_ended) -> _ => {}
                recv(stop.channel()) -> _ => {}
                recv(after(pause)) -> _ => {}
            }
            for kept in &mut self.kept {
                if kept.look() {
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
            .kept
            .iter_mut()
            .filter(|kept| kept.spec.stops_last == last)
            .filter_map(|kept| kept.running.take().map(|running| (kept.spec.name, running)))
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

impl Kept {
    /// Whether the child runs and has said so.
    fn has_spoken(&self) -> bool {
        self.running.as_ref().is_some_and(|running| {
            let heard = running.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.0 > running.since
        })
    }

    /// Starts the child. Once it has run, a system that refuses it for the moment is asked again after the pause.
    fn start(&mut self, binary: &Path) -> Result<(), ProcessError> {
        match self.spawn(binary) {
            Ok(running) => {
                self.starts += 1;
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

    fn spawn(&self, binary: &Path) -> std::io::Result<Running> {
        let mut child = Command::new(binary)
            .args(&self.spec.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let heard = Arc::new(Mutex::new((Instant::now(), String::new())));
        if let Some(stdout) = child.stdout.take() {
            let heard = Arc::clone(&heard);
            // Ends with the child, whose pipe then ends.
            let hear = move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    *heard.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), line);
                }
            };
            let name = format!("hear-{}", self.spec.name);
            if let Err(error) = std::thread::Builder::new().name(name).spawn(hear) {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        }
        Ok(Running {
            child,
            since: Instant::now(),
            heard,
        })
    }

    /// Looks whether the child has ended or fallen silent. Answers whether everything ends with it.
    fn look(&mut self) -> bool {
        let Some(running) = &mut self.running else {
            return false;
        };
        match running.child.try_wait() {
            Ok(None) => {
                let (heard, at) = running
                    .heard
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                if heard.elapsed() > SILENCE {
                    tracing::error!(
                        "child `{}` is hung, silent for {} seconds :: killed while at {at:?}",
                        self.spec.name,
                        heard.elapsed().as_secs()
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
                self.ended(&how(status));
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

fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown".to_owned(),
    }
}
