//! Questions about one metric, answered by the worker that watches it.
//!
//! What is saved on disk is minutes old, and what somebody works out anew may come to something else; so who wants to know
//! what the analyzer makes of a metric asks it. A worker answers between orders and between chunks of a pass: the question
//! costs it the copying of one window and one state, and the asker does all the rest.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use skywatch_algorithms::streaming::Adaptive;
use skywatch_algorithms::{Series, Verdict};

use super::counter_class::CounterClass;
use super::shard::shard_of;

/// Questions that may wait for one worker: more people than look at one instance at once.
const WAITING: usize = 16;
/// How long an answer is waited for. A worker that waits for the store gives none.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the analyzer knows of one metric.
#[derive(Debug, Default)]
pub struct MetricSnapshot {
    /// The last pass that was done with it; 0 when none has been yet.
    pub pass: u64,
    /// Its verdict, and the time of the last point that is in it, Unix seconds; `None` when it came to none.
    pub verdict: Option<(Verdict, f64)>,
    /// The canonical window it was judged by; `None` when that is not kept in memory, and whoever asks reads it.
    pub window: Option<Series>,
    /// Whether it is judged by its rate, as far as that is known.
    pub class: Option<CounterClass>,
    /// What the adaptive profile has learnt of it, as it would be saved at this moment.
    pub learnt: Option<(Adaptive, Vec<u8>)>,
}

/// A question on its way to a worker.
pub struct MetricQuestion {
    /// The metric's name.
    pub metric: String,
    /// Takes the answer: `None` if the worker does not have the metric.
    pub reply: Sender<Option<Box<MetricSnapshot>>>,
}

/// The way to ask. Cheap to clone.
#[derive(Clone)]
pub struct Inquiries(Vec<Sender<MetricQuestion>>);

impl Inquiries {
    /// The way to so many workers, and the other ends, one a worker in the order of their seats.
    pub fn new(workers: usize) -> (Self, Vec<Receiver<MetricQuestion>>) {
        let (send, receive) = (0..workers.max(1)).map(|_| bounded(WAITING)).unzip();
        (Self(send), receive)
    }

    /// What the analyzer knows of a metric; `None` if it does not watch it.
    ///
    /// # Errors
    /// Why there is no answer, for people.
    pub fn ask(&self, metric: &str) -> Result<Option<Box<MetricSnapshot>>, String> {
        let (reply, answer) = bounded(1);
        let question = MetricQuestion {
            metric: metric.to_owned(),
            reply,
        };
        let silent = || {
            format!(
                "the analyzer does not answer in {} s: it waits for the store, or is stopping",
                PATIENCE.as_secs()
            )
        };
        let worker = &self.0[shard_of(metric, self.0.len())];
        worker.send_timeout(question, PATIENCE).map_err(|_| silent())?;
        answer.recv_timeout(PATIENCE).map_err(|_| silent())
    }
}
