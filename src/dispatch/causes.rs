//! What moved with incidents, worked out beside everything else: a thread of its own that gives way to all others, and a queue with an end.
//!
//! A notice waits for it, but only for `causes.notice_wait`; what comes later is in the next one, on the page and in `skywatch causes`.
//! Where more incidents open at once than are worth the work, the worst are looked at; the rest is counted by reason, said of each incident,
//! and worked out when somebody asks.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use skywatch_alerters::Subject;
use skywatch_alerters::causes::{IncidentCauses, SharedCause};
use skywatch_algorithms::causes::{IncidentRelations, shared_causes};

use super::cause_search::{FoundCauses, SkipReason};
use super::inbox::DispatchMessage;

/// Incidents looked at together; each costs a quarter of a second among 100,000 metrics.
pub(super) const MOST_AT_ONCE: usize = 32;
/// Batches that may wait.
const WAITING: usize = 4;
/// Incidents whose relations are remembered, to see what they have in common.
const REMEMBERED: usize = 256;
/// Seconds between two incidents that may have one cause.
const TOGETHER: f64 = 900.0;
/// How long a batch may wait for its turn: what is found later comes after the notice, and after whoever has asked.
const LATE: Duration = Duration::from_secs(300);
/// How long the dispatcher may take to take an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// By how much the thread gives way to others.
const NICE: i32 = 10;

/// Looks for what moved with incidents.
pub trait FindCauses: Send + Sync {
    /// What moved with each of these incidents, in their order. `anomalous` are metrics that are so at present. Blocks as long as the
    /// store and the comparing take.
    fn find(&self, asked: &[CauseQuestion], anomalous: &[String]) -> Vec<IncidentCauses>;
}

/// An incident to find causes for.
#[derive(Debug, Clone, PartialEq)]
pub struct CauseQuestion {
    /// Its number.
    pub incident: u64,
    /// What it is about.
    pub subject: Subject,
    /// When it was first anomalous, Unix seconds.
    pub since: f64,
    /// When it was last anomalous, Unix seconds.
    pub at: f64,
}

/// A batch for the thread.
struct CauseJob {
    asked: Vec<CauseQuestion>,
    anomalous: Vec<String>,
    /// When it was asked.
    at: Instant,
}

/// What became of a question.
pub(super) struct AskedCauses {
    /// Incidents that are looked at.
    pub(super) taken: Vec<u64>,
    /// Incidents that are not.
    pub(super) skipped: Vec<(u64, SkipReason)>,
}

/// What the incident says of one that was not looked at.
pub(super) fn skipped(reason: SkipReason, now: f64) -> IncidentCauses {
    IncidentCauses::skipped(now, reason.note())
}

/// The thread, as the dispatcher has it. It ends with its queue, after the batch it is at.
pub(super) struct CauseWorker {
    jobs: Sender<CauseJob>,
    /// Not joined at the end: it may be waiting for a store that does not answer, and holds nothing that would be lost.
    _thread: JoinHandle<()>,
}

impl CauseWorker {
    /// Starts the thread; what it finds goes to `found`.
    ///
    /// # Errors
    /// The system refuses one.
    pub(super) fn start(finder: Arc<dyn FindCauses>, found: Sender<DispatchMessage>) -> io::Result<Self> {
        let (jobs, receive) = bounded(WAITING);
        let thread = std::thread::Builder::new()
            .name("causes".to_owned())
            .spawn(move || work(&*finder, &receive, &found))?;
        Ok(Self {
            jobs,
            _thread: thread,
        })
    }

    /// Hands over incidents that have opened, the worst first, with the metrics that are anomalous.
    pub(super) fn ask(
        &self,
        mut asked: Vec<CauseQuestion>,
        anomalous: impl FnOnce() -> Vec<String>,
    ) -> AskedCauses {
        let crowd = asked.split_off(asked.len().min(MOST_AT_ONCE));
        let numbers: Vec<u64> = asked.iter().map(|one| one.incident).collect();
        let mut answer = AskedCauses {
            taken: Vec::new(),
            skipped: (crowd.iter())
                .map(|one| (one.incident, SkipReason::Crowd))
                .collect(),
        };
        if asked.is_empty() {
            return answer;
        }
        let job = CauseJob {
            asked,
            anomalous: anomalous(),
            at: Instant::now(),
        };
        match self.jobs.try_send(job) {
            Ok(()) => answer.taken = numbers,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                let skipped = numbers.into_iter().map(|number| (number, SkipReason::Queue));
                answer.skipped.extend(skipped);
            }
        }
        answer
    }
}

fn work(finder: &dyn FindCauses, jobs: &Receiver<CauseJob>, found: &Sender<DispatchMessage>) {
    // On Linux this is the thread's own.
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!("the search for causes cannot give way to others: {error}");
    }
    let mut lately: VecDeque<CauseFinding> = VecDeque::new();
    for job in jobs {
        let answer = if job.at.elapsed() > LATE {
            let late = job.asked.iter().map(|one| (one.incident, SkipReason::Late));
            FoundCauses {
                news: Vec::new(),
                skipped: late.collect(),
            }
        } else {
            let causes = finder.find(&job.asked, &job.anomalous);
            let unread = job.asked.iter().zip(&causes);
            let unread = unread.filter(|(_, causes)| causes.skipped);
            FoundCauses {
                skipped: unread.map(|(one, _)| (one.incident, SkipReason::Store)).collect(),
                news: join(&mut lately, job.asked, causes),
            }
        };
        let _ = found.send_timeout(DispatchMessage::CausesFound(answer), PATIENCE);
    }
}

/// What was found for an incident.
struct CauseFinding {
    question: CauseQuestion,
    causes: IncidentCauses,
}

/// Adds what was found to what was found lately, and answers everything that is new: the findings, and those that now share a cause.
fn join(
    lately: &mut VecDeque<CauseFinding>,
    asked: Vec<CauseQuestion>,
    causes: Vec<IncidentCauses>,
) -> Vec<(u64, IncidentCauses)> {
    let newest = asked
        .iter()
        .fold(f64::NEG_INFINITY, |newest, one| newest.max(one.at));
    lately.retain(|known| newest - known.question.at <= TOGETHER);
    lately.retain(|known| !asked.iter().any(|one| one.incident == known.question.incident));
    let old = lately.len();
    lately.extend(
        asked
            .into_iter()
            .zip(causes)
            .map(|(question, causes)| CauseFinding { question, causes }),
    );
    let relations: Vec<IncidentRelations<'_>> = lately
        .iter()
        .filter(|known| matches!(known.question.subject, Subject::Metric(_)))
        .map(|known| IncidentRelations {
            incident: known.question.incident,
            metric: known.question.subject.name(),
            related: (known.causes.related.iter())
                .map(|related| (related.metric.as_str(), related.coefficient.abs(), related.lead))
                .collect(),
        })
        .collect();
    let groups = shared_causes(&relations);
    let mut news = Vec::new();
    for (place, known) in lately.iter_mut().enumerate() {
        let group = groups
            .iter()
            .find(|group| group.incidents.contains(&known.question.incident));
        let shared = group.map(|group| SharedCause {
            metric: group.cause.clone(),
            incidents: group.incidents.clone(),
        });
        if place >= old || known.causes.shared != shared {
            known.causes.shared = shared;
            news.push((known.question.incident, known.causes.clone()));
        }
    }
    while lately.len() > REMEMBERED {
        lately.pop_front();
    }
    news
}

#[cfg(test)]
mod tests {
    use skywatch_alerters::causes::{Nearness, RelatedMetric};

    use super::*;

    fn asked(incident: u64, metric: &str, at: f64) -> CauseQuestion {
        CauseQuestion {
            incident,
            subject: Subject::Metric(metric.to_owned()),
            since: at,
            at,
        }
    }

    fn moved_with(metric: &str, lead: f64) -> IncidentCauses {
        IncidentCauses {
            related: vec![RelatedMetric {
                metric: metric.to_owned(),
                nearness: Nearness::Other,
                coefficient: -0.9,
                lead,
                by_chance: 1e-6,
            }],
            ..IncidentCauses::default()
        }
    }

    #[test]
    fn incidents_of_one_cause_find_each_other_also_when_one_comes_later() {
        let mut lately = VecDeque::new();
        let news = join(
            &mut lately,
            vec![asked(1, "shop", 0.0)],
            vec![moved_with("db", 60.0)],
        );
        assert_eq!((news.len(), &news[0].1.shared), (1, &None));
        let news = join(
            &mut lately,
            vec![asked(2, "cart", 60.0)],
            vec![moved_with("db", 0.0)],
        );
        let shared = Some(SharedCause {
            metric: "db".to_owned(),
            incidents: vec![1, 2],
        });
        assert!(
            news.len() == 2 && news.iter().all(|(_, causes)| causes.shared == shared),
            "{news:?}"
        );
        // The day after it is another one.
        let news = join(
            &mut lately,
            vec![asked(3, "mail", 9e4)],
            vec![moved_with("db", 0.0)],
        );
        assert_eq!((news.len(), &news[0].1.shared), (1, &None));
    }
}
