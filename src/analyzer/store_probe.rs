//! Whether the store answers, asked beside the passes.
//!
//! A pass that waits for a hung store learns of it when its own patience ends, which is long because a loaded store may be
//! slow. The probe asks for nothing but a sign of life, over a connection of its own, and has little patience.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::unix_now;
use crate::observer::{ObservedMetric, Observer};
use crate::status::AnalyzerStatusFile;
use crate::stop::Stop;
use crate::store::{Connect, Store as _};

/// Time between two questions.
const ASK_EACH: Duration = Duration::from_secs(2);
/// How long an answer may take. One that does not come is asked for once more, over a new connection.
const PATIENCE: Duration = Duration::from_secs(3);

/// OnAnswer why the store does not answer and since when (Unix seconds), each time it does not; and `None` once it does again.
pub type OnAnswer = Box<dyn Fn(Option<(String, f64)>) + Send>;

/// The thread that asks. Dropping it ends the thread, which is not waited for.
pub struct StoreProbe {
    stop: Stop,
    _thread: JoinHandle<()>,
}

impl StoreProbe {
    /// Begins to ask.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(
        connect: &impl Connect,
        status: Arc<AnalyzerStatusFile>,
        observer: &Observer,
        on_answer: OnAnswer,
    ) -> std::io::Result<Self> {
        let connect = connect.within(PATIENCE);
        let pings = observer.metric(&connect.describe(), "ping");
        let stop = Stop::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("store-probe".to_owned())
            .spawn(move || ask(&connect, &status, &pings, &on_answer, &stopped))?;
        Ok(Self {
            stop,
            _thread: thread,
        })
    }
}

impl Drop for StoreProbe {
    fn drop(&mut self) {
        self.stop.say();
    }
}

fn ask(
    connect: &impl Connect,
    status: &AnalyzerStatusFile,
    pings: &ObservedMetric,
    on_answer: &OnAnswer,
    stop: &Stop,
) {
    let mut store = None;
    let mut silent_since = None;
    loop {
        let asked = unix_now();
        let answer = pings.watch(|| match &mut store {
            None => connect.connect().map(|new| store = Some(new)),
            Some(store) => store.ping(),
        });
        if stop.is_said() {
            return;
        }
        match answer {
            Ok(()) => {
                if silent_since.take().is_some() {
                    tracing::info!("the store answers again");
                    status.silent(None);
                    on_answer(None);
                }
            }
            // What waiting does not mend is for the passes to tell.
            Err(error) if !error.is_retryable() => store = None,
            Err(error) => {
                store = None;
                let since = *silent_since.get_or_insert(asked);
                let why = error.to_string();
                status.silent(Some(&why));
                on_answer(Some((why, since)));
            }
        }
        if stop.sleep(ASK_EACH) {
            return;
        }
    }
}
