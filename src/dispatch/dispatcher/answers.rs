//! What the dispatcher answers to people: commands by the control socket, or over the files with no process running.
//!
//! Questions are read from the history with what is only in memory; what changes something goes the way of every event.

use skywatch_alerters::causes::SharedCause;
use skywatch_alerters::incident::Phase;
use skywatch_alerters::state::IncidentEvent;
use skywatch_alerters::{Anomaly, Subject, Votes, render};
use skywatch_settings::Pattern;

use super::{Dispatcher, SHOWN};
use crate::clock::unix_now;
use crate::dispatch::request::{NoticeLine, Reply, Request, Which};
use crate::history::{DeadLetters, Filter, HistoryBatch, HistoryError, HistoryReader, NoticeRecord};

impl Dispatcher {
    /// Answers what people ask. Works without queues, too.
    pub fn answer(&mut self, request: Request) -> Reply {
        let now = unix_now();
        let known = self.buffer.ask(|history| {
            Ok(read_request(history, &request, || self.anomalous_metrics(now), now))
        });
        match known {
            Some(Ok(Some(Ok(reply)))) => return reply,
            Some(Ok(Some(Err(error))) | Err(error)) => return refused(error.to_string()),
            Some(Ok(None)) => {}
            None if request.is_of_history() => {
                let why = self.buffer.trouble().unwrap_or_default();
                return refused(format!("no history :: {why}"));
            }
            None => {}
        }
        match request {
            // Answered above.
            Request::Incidents { .. }
            | Request::Incident { .. }
            | Request::Causes { .. }
            | Request::Silences { .. }
            | Request::DeadLetters { .. } => refused("the history does not answer".to_owned()),
            Request::Acknowledge {
                id,
                by,
                until_resolved,
            } => {
                let event = IncidentEvent::Acknowledge {
                    incident: id,
                    by,
                    until_resolved,
                };
                match self.event(event, now, HistoryBatch::new(now)) {
                    Ok(()) => self.answer(Request::Incident { id }),
                    Err(error) => refused(error.to_string()),
                }
            }
            Request::Close { id, by } => {
                match self.event(
                    IncidentEvent::Close { incident: id, by },
                    now,
                    HistoryBatch::new(now),
                ) {
                    Ok(()) => self.answer(Request::Incident { id }),
                    Err(error) => refused(error.to_string()),
                }
            }
            Request::Silence { silence } => {
                let before: Vec<u64> = self.state.silences().map(|silence| silence.id).collect();
                match self.event(IncidentEvent::Silence(silence), now, HistoryBatch::new(now)) {
                    Ok(()) => Reply::Silences {
                        silences: self
                            .state
                            .silences()
                            .filter(|silence| !before.contains(&silence.id))
                            .cloned()
                            .collect(),
                    },
                    Err(error) => refused(error.to_string()),
                }
            }
            Request::EndSilence { id } => {
                match self.event(
                    IncidentEvent::EndSilence { silence: id },
                    now,
                    HistoryBatch::new(now),
                ) {
                    Ok(()) => Reply::Done { count: 1 },
                    Err(error) => refused(error.to_string()),
                }
            }
            Request::RouteTest {
                metric,
                severity,
                detectors,
            } => self.route_test(&metric, severity, &detectors, now),
            Request::Outlook { metric } => {
                let outlook = self
                    .state
                    .outlook(&self.options.policy, &Subject::Metric(metric), now);
                Reply::Outlook {
                    outlook: Box::new(outlook),
                }
            }
            Request::Notices { which, retry } => self.letters(&which, retry, now),
            Request::TestOf { route } => self.test_of(&route, now),
        }
    }

    fn route_test(
        &self,
        metric: &str,
        severity: skywatch_alerters::Severity,
        detectors: &[String],
        now: f64,
    ) -> Reply {
        let votes = detectors.iter().map(|detector| skywatch_alerters::DetectorVote {
            detector: detector.clone(),
            answer: Some(true),
            measured: f64::NAN,
            limit: f64::NAN,
        });
        let anomaly = Anomaly::new(Subject::Metric(metric.to_owned()), severity, now);
        let anomaly = anomaly.with_votes(votes.collect::<Votes>());
        let about = skywatch_alerters::matcher::About {
            name: metric,
            severity,
            anomaly: (!detectors.is_empty()).then_some(&anomaly),
        };
        let subject = Subject::Metric(metric.to_owned());
        let outlook = self.state.outlook(&self.options.policy, &subject, now);
        Reply::Route {
            tried: self.options.policy.routes.explain(&about, now),
            prospects: outlook.prospects,
        }
    }

    fn letters(&mut self, which: &Which, retry: bool, now: f64) -> Reply {
        let letters = match which {
            Which::One(id) => DeadLetters::One(id),
            Which::Of(receiver) => DeadLetters::Of(receiver),
            Which::All => DeadLetters::All,
        };
        let reply = match self.buffer.change_letters(letters, retry, now) {
            Some(Ok(0)) if matches!(which, Which::One(_)) => match which {
                Which::One(id) => refused(format!("no notice `{id}` has been given up")),
                Which::Of(_) | Which::All => Reply::Done { count: 0 },
            },
            Some(Ok(count)) => Reply::Done { count },
            Some(Err(error)) => refused(error.to_string()),
            None => refused(format!("no history :: {}", self.buffer.trouble().unwrap_or_default())),
        };
        if retry {
            let names: Vec<String> = self.queues.keys().cloned().collect();
            for name in names {
                self.refill(&name, now);
                if let Some(queue) = self.queues.get_mut(&name) {
                    queue.hurry();
                }
            }
        }
        reply
    }

    /// Whom a route leads to, and an id for the notice that tries them.
    fn test_of(&mut self, route: &str, now: f64) -> Reply {
        let receivers = match self.options.policy.routes.find(route) {
            Some(route) => route.receivers.clone(),
            None => {
                let receivers = &self.options.policy.receivers;
                let named = receivers.iter().find(|receiver| receiver.name == route);
                match named {
                    Some(receiver) => vec![receiver.name.clone()],
                    None => return refused(format!("there is neither a route nor a receiver `{route}`")),
                }
            }
        };
        let id = self.state.new_notice_id();
        let mut batch = HistoryBatch::new(now);
        let next = serde_json::to_value(self.state.next()).ok();
        batch.meta.push(("next".to_owned(), next));
        self.buffer.keep(batch);
        Reply::Test { id, receivers }
    }
}

/// Answers what the history knows; `None` of anything else. `anomalous` gives metrics that are so at `now`, Unix seconds.
pub(in crate::dispatch) fn read_request(
    history: &HistoryReader,
    request: &Request,
    anomalous: impl FnOnce() -> Vec<String>,
    now: f64,
) -> Option<Result<Reply, HistoryError>> {
    Some(match request {
        Request::Incidents { all, name, limit } => incidents(history, *all, name.as_deref(), *limit),
        Request::Incident { id } => history.incident(*id).map(|found| match found {
            Some(life) => Reply::Incident {
                incident: Box::new(life.incident),
                transitions: life.transitions,
                notices: life.notices.into_iter().map(NoticeLine::of).collect(),
            },
            None => refused(format!("there is no incident {id}")),
        }),
        Request::Causes { id } => causes(history, *id, anomalous),
        Request::Silences { all } => history.silences(*all).map(|silences| {
            let in_time = |silence: &skywatch_alerters::silence::Silence| {
                *all || silence.until.is_none_or(|until| until > now)
            };
            Reply::Silences {
                silences: silences.into_iter().filter(in_time).collect(),
            }
        }),
        Request::DeadLetters { limit } => {
            let notices = history.dead_letters((*limit).min(SHOWN));
            notices.map(|notices| Reply::Notices {
                notices: notices.into_iter().map(NoticeLine::of).collect(),
            })
        }
        _ => return None,
    })
}

fn incidents(
    history: &HistoryReader,
    all: bool,
    name: Option<&str>,
    limit: usize,
) -> Result<Reply, HistoryError> {
    let phases = if all {
        Vec::new()
    } else {
        vec![Phase::Open, Phase::Acknowledged]
    };
    let name = match name.map(Pattern::parse).transpose() {
        Ok(name) => name,
        Err(why) => return Ok(refused(format!("the pattern of names is wrong: {why}"))),
    };
    let filter = Filter {
        phases,
        name,
        ..Filter::default()
    };
    let incidents = history.incidents(&filter, limit.min(SHOWN))?;
    let numbers: Vec<u64> = incidents.iter().map(|incident| incident.id).collect();
    let mut causes: Vec<SharedCause> = Vec::new();
    for shared in history.shared_causes(&numbers)?.into_values() {
        if !causes.contains(&shared) {
            causes.push(shared);
        }
    }
    Ok(Reply::Incidents { incidents, causes })
}

fn causes(
    history: &HistoryReader,
    id: u64,
    anomalous: impl FnOnce() -> Vec<String>,
) -> Result<Reply, HistoryError> {
    let Some(life) = history.incident(id)? else {
        return Ok(refused(format!("there is no incident {id}")));
    };
    let causes = history.causes(&[id])?.remove(&id).map(Box::new);
    Ok(Reply::Causes {
        since: life.incident.since,
        at: life.incident.last_anomalous,
        subject: life.incident.subject,
        anomalous: match &causes {
            Some(known) if !known.skipped => Vec::new(),
            _ => anomalous(),
        },
        causes,
    })
}

impl NoticeLine {
    fn of(record: NoticeRecord) -> Self {
        Self {
            summary: render::summary(&record.notice),
            id: record.notice.id,
            receiver: record.notice.receiver,
            route: record.notice.route,
            at: record.notice.at,
            state: record.state.as_str().to_owned(),
            tries: record.tries,
            error: record.last_error,
        }
    }
}

fn refused(why: String) -> Reply {
    Reply::Refused { why }
}
