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
use crate::history::{DeadLetters, Filter, History, HistoryBatch, HistoryError, HistoryReader, NoticeRecord};

impl Dispatcher {
    /// Answers what people ask. Works without queues, too.
    pub fn answer(&mut self, request: Request) -> Reply {
        let now = unix_now();
        match request {
            Request::Incidents { all, name, limit } => {
                let phases = if all {
                    Vec::new()
                } else {
                    vec![Phase::Open, Phase::Acknowledged]
                };
                let name = match name.map(|text| Pattern::parse(&text)).transpose() {
                    Ok(name) => name,
                    Err(why) => return refused(format!("the pattern of names is wrong: {why}")),
                };
                let filter = Filter {
                    phases,
                    name,
                    ..Filter::default()
                };
                self.with_reader(|history| {
                    let incidents = history.incidents(&filter, limit.min(SHOWN))?;
                    let numbers: Vec<u64> = incidents.iter().map(|incident| incident.id).collect();
                    let mut causes: Vec<SharedCause> = Vec::new();
                    for shared in history.shared_causes(&numbers)?.into_values() {
                        if !causes.contains(&shared) {
                            causes.push(shared);
                        }
                    }
                    Ok(Reply::Incidents { incidents, causes })
                })
            }
            Request::Incident { id } => self.with_reader(|history| {
                Ok(match history.incident(id)? {
                    Some(life) => Reply::Incident {
                        incident: Box::new(life.incident),
                        transitions: life.transitions,
                        notices: life.notices.into_iter().map(NoticeLine::of).collect(),
                    },
                    None => refused(format!("there is no incident {id}")),
                })
            }),
            Request::Causes { id } => {
                let anomalous = self.anomalous_metrics(now);
                self.with_reader(|history| {
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
                            _ => anomalous,
                        },
                        causes,
                    })
                })
            }
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
            Request::Silences { all } => self.with_reader(|history| {
                let silences = history.silences(all)?;
                let in_time = |silence: &skywatch_alerters::silence::Silence| {
                    all || silence.until.is_none_or(|until| until > now)
                };
                Ok(Reply::Silences {
                    silences: silences.into_iter().filter(in_time).collect(),
                })
            }),
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
            Request::DeadLetters { limit } => self.with_reader(|history| {
                let notices = history.dead_letters(limit.min(SHOWN))?;
                Ok(Reply::Notices {
                    notices: notices.into_iter().map(NoticeLine::of).collect(),
                })
            }),
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
        let reply = self.with_history(|history| {
            let count = if retry {
                history.retry(letters)?
            } else {
                history.dismiss(letters, now)?
            };
            Ok(match which {
                Which::One(id) if count == 0 => refused(format!("no notice `{id}` has been given up")),
                _ => Reply::Done { count },
            })
        });
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

    /// Answers a question, with what is only in memory.
    fn with_reader(&self, ask: impl FnOnce(&HistoryReader) -> Result<Reply, HistoryError>) -> Reply {
        match self.buffer.ask(ask) {
            Some(answer) => answer.unwrap_or_else(|error| refused(error.to_string())),
            None => refused(format!(
                "no history :: {}",
                self.buffer.trouble().unwrap_or_default()
            )),
        }
    }

    fn with_history(&mut self, ask: impl FnOnce(&mut History) -> Result<Reply, HistoryError>) -> Reply {
        let trouble = self.buffer.trouble().map(str::to_owned);
        let Some(history) = self.buffer.history() else {
            return refused(format!("no history :: {}", trouble.unwrap_or_default()));
        };
        ask(history).unwrap_or_else(|error| refused(error.to_string()))
    }
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
