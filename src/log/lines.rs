//! The queue of log lines and the thread that writes them.
//!
//! A thread of its own, because a pipe whose reader has stopped blocks whoever writes to it: then this thread waits, the
//! queue fills, and further lines are dropped.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::repeats;

/// Lines that may wait: more than a bad pass says.
const WAITING: usize = 4_096;
/// Bytes that may wait: the memory that a reader who has stopped may cost.
const WAITING_BYTES: usize = 4 << 20;
/// How often repeated warnings are looked through; their counts are due to the minute.
const LOOK_EACH: Duration = Duration::from_secs(1);
/// Longest wait for the last lines: an end must not hang on a reader who has stopped.
const LAST_LINES: Duration = Duration::from_secs(1);

enum LogCommand {
    Line(Vec<u8>),
    /// Dropped once everything before it is written.
    Flush(Sender<()>),
}

struct LogQueue {
    commands: Sender<LogCommand>,
    bytes: AtomicUsize,
    /// Lines dropped since one was written.
    lost: AtomicU64,
}

/// One a process, as there is one standard error.
static QUEUE: OnceLock<LogQueue> = OnceLock::new();

/// Starts the thread. If the system refuses it, lines are written by whoever has them.
pub(super) fn start() {
    if QUEUE.get().is_some() {
        return;
    }
    let (commands, written) = bounded(WAITING);
    let thread = std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || run(&written));
    if thread.is_ok() {
        let queue = LogQueue {
            commands,
            bytes: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
        };
        // Somebody else may have been first; then our thread ends with our end of its channel.
        let _ = QUEUE.set(queue);
    }
}

/// Waits until the lines so far are written, for a second at most.
pub(super) fn flush() {
    let Some(queue) = QUEUE.get() else { return };
    let due = Instant::now() + LAST_LINES;
    let (written, wait) = bounded(0);
    if queue
        .commands
        .send_deadline(LogCommand::Flush(written), due)
        .is_ok()
    {
        let _ = wait.recv_deadline(due);
    }
}

/// Where a formatted line goes; taking it never fails and never waits.
pub(super) struct LineWriter;

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match QUEUE.get() {
            Some(queue) => queue.take(line),
            None => {
                let _ = io::stderr().lock().write_all(line);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LogQueue {
    fn take(&self, line: &[u8]) {
        let before = self.bytes.fetch_add(line.len(), Ordering::Relaxed);
        if before + line.len() > WAITING_BYTES
            || self.commands.try_send(LogCommand::Line(line.to_vec())).is_err()
        {
            self.bytes.fetch_sub(line.len(), Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn run(commands: &Receiver<LogCommand>) {
    let mut looked = Instant::now();
    let mut why = None;
    loop {
        match commands.recv_timeout(LOOK_EACH) {
            Ok(LogCommand::Line(line)) => write(&line, &mut why),
            Ok(LogCommand::Flush(written)) => drop(written),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if looked.elapsed() >= LOOK_EACH {
            looked = Instant::now();
            repeats::tell(false);
        }
    }
}

/// Writes a line, and says afterwards how many before it could not be.
fn write(line: &[u8], why: &mut Option<io::Error>) {
    let outcome = io::stderr().lock().write_all(line);
    let Some(queue) = QUEUE.get() else { return };
    queue.bytes.fetch_sub(line.len(), Ordering::Relaxed);
    if let Err(error) = outcome {
        queue.lost.fetch_add(1, Ordering::Relaxed);
        *why = Some(error);
        return;
    }
    let lost = queue.lost.swap(0, Ordering::Relaxed);
    if lost > 0 {
        match why.take() {
            Some(error) => {
                tracing::warn!(target: repeats::EXEMPT, "{lost} lines of this log are lost :: {error}")
            }
            None => {
                tracing::warn!(target: repeats::EXEMPT, "{lost} lines of this log are lost :: nobody read it")
            }
        }
    }
}
