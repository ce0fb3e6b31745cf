//! The finder's side: keeps reports until they are confirmed, and connects again as often as needed.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, never, select, unbounded};

use super::link::{ANSWERS, InletLink};
use super::{ConnectionId, Finder, FinderAnswer, FinderReport, FromFinder, ToFinder, socket};
use crate::backoff::Backoff;
use crate::status::Followed;

/// Reports that are kept unconfirmed: so many passes may a dispatch be behind, or be away.
const KEPT: usize = 12;
/// First and longest pause before the dispatch is tried again. It is started again within a second or two.
const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];
/// Questions answered at a time: each reads a window.
const QUESTIONS: usize = 4;
/// How long a report waits for a client that is busy writing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the thread waits when there is nothing to do.
const LONG: Duration = Duration::from_secs(60);

/// Answers what is asked about a metric at a moment, Unix seconds.
pub type Answers = Arc<dyn Fn(&str, f64) -> FinderAnswer + Send + Sync>;

/// The way to the dispatch.
#[derive(Debug, Clone)]
pub enum InletAddress {
    /// It is a thread of this process.
    Thread(Sender<FromFinder>),
    /// It is another process over this state folder.
    Socket(PathBuf),
}

impl InletAddress {
    fn open(&self, finder: &Finder) -> io::Result<(Box<dyn InletLink>, Receiver<ToFinder>)> {
        match self {
            Self::Socket(state_dir) => socket::connect(state_dir, finder),
            Self::Thread(to) => {
                let (answers, receive) = bounded(ANSWERS);
                let finder = finder.clone();
                let mut link = to.clone();
                InletLink::send(
                    &mut link,
                    FromFinder::Connected {
                        finder,
                        connection: ConnectionId::next(),
                        answers,
                    },
                )?;
                Ok((Box::new(link), receive))
            }
        }
    }
}

/// Hands reports over. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Inlet(Sender<ClientCommand>);

enum ClientCommand {
    Report(FinderReport),
    /// No more comes; what is not confirmed by then is left.
    Finish(Instant),
}

impl Inlet {
    /// Hands a report over. It is kept until the dispatch has committed it, and a bounded number of later ones with it.
    pub fn report(&self, report: FinderReport) {
        if self
            .0
            .send_timeout(ClientCommand::Report(report), PATIENCE)
            .is_err()
        {
            tracing::error!("dispatch takes nothing :: a report was given up");
        }
    }
}

/// A finder's connection to the dispatch, and the thread that keeps it.
pub struct InletClient {
    inlet: Inlet,
    /// Subjects to report on even when they are well.
    followed: Followed,
    connected: Receiver<()>,
    thread: JoinHandle<usize>,
}

impl InletClient {
    /// Begins to connect.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(way: InletAddress, finder: Finder, answers: Option<Answers>) -> io::Result<Self> {
        let (commands, receive) = bounded(KEPT);
        let (connected, wait) = bounded(1);
        let (answered, answers_made) = unbounded();
        let followed = Followed::default();
        let mut keeper = Keeper {
            way,
            finder: Arc::new(finder),
            followed: followed.clone(),
            connected,
            answers,
            answering: Arc::default(),
            answered,
            kept: VecDeque::new(),
            next: 1,
            sent: 0,
            link: None,
            backoff: Backoff::new(BACKOFF[0], BACKOFF[1]),
            try_at: Instant::now(),
            is_away: false,
        };
        let thread = std::thread::Builder::new()
            .name("inlet".to_owned())
            .spawn(move || keeper.run(&receive, &answers_made))?;
        Ok(Self {
            inlet: Inlet(commands),
            followed,
            connected: wait,
            thread,
        })
    }

    /// Where reports are handed over.
    pub fn inlet(&self) -> Inlet {
        self.inlet.clone()
    }

    /// What the dispatch follows.
    pub fn followed(&self) -> Followed {
        self.followed.clone()
    }

    /// Waits until the dispatch has said what it follows, `patience` at most.
    pub fn wait_until_connected(&self, patience: Duration) {
        if self.connected.recv_timeout(patience).is_err() {
            tracing::warn!("dispatch is not there yet :: findings are kept for it");
        }
    }

    /// Waits until all reports are confirmed, `patience` at most, and ends the connection.
    pub fn finish(self, patience: Duration) {
        let due = Instant::now() + patience;
        let _ = self.inlet.0.send_deadline(ClientCommand::Finish(due), due);
        drop(self.inlet);
        if let Ok(left @ 1..) = self.thread.join() {
            tracing::warn!("dispatch has not confirmed the last {left} reports :: left behind");
        }
    }
}

/// A report that is not confirmed yet.
struct Unconfirmed {
    number: u64,
    report: Arc<FinderReport>,
}

/// The thread's own.
struct Keeper {
    way: InletAddress,
    finder: Arc<Finder>,
    followed: Followed,
    connected: Sender<()>,
    answers: Option<Answers>,
    /// Questions that are being answered.
    answering: Arc<AtomicUsize>,
    answered: Sender<FromFinder>,
    /// Not confirmed, oldest first.
    kept: VecDeque<Unconfirmed>,
    /// The number of the next report.
    next: u64,
    /// The last number that was handed over on this link.
    sent: u64,
    link: Option<(Box<dyn InletLink>, Receiver<ToFinder>)>,
    backoff: Backoff,
    try_at: Instant,
    /// Whether the log says that the dispatch is away.
    is_away: bool,
}

impl Keeper {
    /// Works until told to finish, or nobody is left who could report. Answers how many reports are not confirmed.
    fn run(&mut self, commands: &Receiver<ClientCommand>, answered: &Receiver<FromFinder>) -> usize {
        let mut due = None;
        loop {
            self.connect();
            self.hand_over();
            // A dispatch that is away at the end is not started again.
            let is_over = |due: Instant| self.kept.is_empty() || self.link.is_none() || Instant::now() >= due;
            if due.is_some_and(is_over) {
                return self.kept.len();
            }
            let nothing = never();
            let from_dispatch = self.link.as_ref().map_or(&nothing, |(_, answers)| answers);
            let wait = match (&self.link, due) {
                (None, _) => self.try_at.saturating_duration_since(Instant::now()),
                (_, Some(due)) => due.saturating_duration_since(Instant::now()),
                _ => LONG,
            };
            select! {
                recv(from_dispatch) -> message => match message {
                    Ok(message) => self.heard(message),
                    Err(_) => self.lost("it has ended"),
                },
                recv(commands) -> command => match command {
                    Ok(ClientCommand::Report(report)) => self.keep(report),
                    Ok(ClientCommand::Finish(at)) => {
                        self.try_at = Instant::now();
                        due = Some(at);
                    }
                    Err(_) => return self.kept.len(),
                },
                recv(answered) -> message => if let (Ok(message), Some((link, _))) = (message, &mut self.link)
                    && let Err(error) = link.send(message)
                {
                    self.lost(&error.to_string());
                },
                default(wait) => {}
            }
        }
    }

    fn connect(&mut self) {
        if self.link.is_some() || Instant::now() < self.try_at {
            return;
        }
        match self.way.open(&self.finder) {
            Ok(link) => {
                self.link = Some(link);
                self.sent = 0;
            }
            Err(error) => self.lost(&error.to_string()),
        }
    }

    fn lost(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_away, true) {
            tracing::warn!("dispatch cannot be reached :: {why} :: findings are kept for it");
        }
        self.link = None;
        self.try_at = Instant::now() + self.backoff.pause();
    }

    /// Hands over what was not on this link yet.
    fn hand_over(&mut self) {
        let Some((link, _)) = &mut self.link else { return };
        let sent = self.sent;
        for kept in self.kept.iter().filter(|kept| kept.number > sent) {
            let message = FromFinder::Report {
                finder: Arc::clone(&self.finder),
                number: kept.number,
                report: Arc::clone(&kept.report),
            };
            if let Err(error) = link.send(message) {
                return self.lost(&error.to_string());
            }
            self.sent = kept.number;
        }
    }

    fn keep(&mut self, report: FinderReport) {
        if self.kept.len() >= KEPT {
            // What says no more than a later one goes first; of passes the oldest, which later ones have superseded.
            let brief = self.kept.iter().position(|kept| kept.report.is_brief());
            if let Some(lost) = self.kept.remove(brief.unwrap_or(0))
                && let FinderReport::Seen(seen) = &*lost.report
            {
                tracing::error!(
                    "dispatch is too far behind :: report {} with {} observations given up",
                    lost.number,
                    seen.seen.len()
                );
            }
        }
        let number = self.next;
        self.next += 1;
        self.kept.push_back(Unconfirmed {
            number,
            report: Arc::new(report),
        });
    }

    fn heard(&mut self, message: ToFinder) {
        // A node that follows takes connections before it knows who leads, and lets go of them.
        if std::mem::take(&mut self.is_away) {
            tracing::info!("dispatch is there :: {} reports wait for it", self.kept.len());
        }
        match message {
            ToFinder::Taken { up_to } => {
                self.kept.retain(|kept| kept.number > up_to);
                self.backoff.reset();
            }
            ToFinder::Followed { names } => {
                self.followed.replace(names.into_iter().collect::<HashSet<_>>());
                // Nobody may be waiting, or have been told already.
                let _ = self.connected.try_send(());
            }
            ToFinder::Examine { question, metric, at } => self.examine(question, metric, at),
        }
    }

    /// Answers from a thread of its own: the answer may take as long as the store does.
    fn examine(&self, question: u64, metric: String, at: f64) {
        let refuse = |why: &str| {
            let answer = Err(why.to_owned());
            let _ = self.answered.send(FromFinder::Answered { question, answer });
        };
        let Some(answers) = self.answers.clone() else {
            return refuse("it answers no questions");
        };
        if self.answering.fetch_add(1, Ordering::Relaxed) >= QUESTIONS {
            self.answering.fetch_sub(1, Ordering::Relaxed);
            return refuse("it answers too many questions at present");
        }
        let (answered, answering) = (self.answered.clone(), Arc::clone(&self.answering));
        let spawned = std::thread::Builder::new()
            .name("examine".to_owned())
            .spawn(move || {
                let answer = answers(&metric, at);
                let _ = answered.send(FromFinder::Answered { question, answer });
                answering.fetch_sub(1, Ordering::Relaxed);
            });
        if spawned.is_err() {
            self.answering.fetch_sub(1, Ordering::Relaxed);
            refuse("the system refuses it a thread");
        }
    }
}
