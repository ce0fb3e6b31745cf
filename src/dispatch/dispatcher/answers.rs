//! What the dispatcher answers to people: commands by the control socket, or over the files with no process running.
//!
//! Questions are read from the history with what is only in memory; what changes something goes the way of every event.

use skywatch_alerters::state::IncidentEvent;
use skywatch_alerters::{Anomaly, Subject, Votes};

use super::Dispatcher;
use crate::clock::unix_now;
use crate::dispatch::reading::{read_request, refused};
use crate::dispatch::request::{Reply, Request, Which};
use crate::history::{DeadLetters, HistoryBatch};

impl Dispatcher {
    /// Answers what people ask. Works without queues, too.
    pub fn answer(&mut self, request: Request) -> Reply {
        let now = unix_now();
        let known = self.buffer.ask(|history| {
            Ok(read_request(
                history,
                &request,
                || self.anomalous_metrics(now),
                now,
            ))
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
            None => refused(format!(
                "no history :: {}",
                self.buffer.trouble().unwrap_or_default()
            )),
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
