//! What can be asked from outside: of the dispatcher, of the store, of the receivers.
//!
//! The same command service answers in the process that runs, for callers of the control socket, and in a command that found
//! none running and opens the files itself.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use skywatch_alerters::causes::IncidentCauses;
use skywatch_alerters::notice::Content;
use skywatch_alerters::senders::Sender;
use skywatch_alerters::state::Outlook;
use skywatch_alerters::{Notice, Subject};

use super::causes::{CauseQuestion, FindCauses};
use super::destination::Destination;
use super::request::{Reply, Request};
use crate::clock::unix_now;
use crate::inlet::FinderAnswer;
use crate::status::{Examination, ReloadStatus};

/// Models of one list: each is asked for three times at the place where they lie.
#[cfg(feature = "learned")]
pub(crate) const MODELS_LISTED: usize = 200;

/// What a command asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum Call {
    /// Something of the dispatcher.
    Dispatcher {
        /// What.
        request: Request,
    },
    /// Everything about a metric.
    Explain {
        /// Its name.
        metric: String,
    },
    /// What moved with an incident.
    Causes {
        /// Its number.
        incident: u64,
    },
    /// Something about trainings or models.
    #[cfg(feature = "learned")]
    Study {
        /// What.
        study: Study,
    },
    /// Settings are to be read anew.
    Reload,
    /// A test notice to everybody a route, or a receiver, of this name leads to.
    AlertTest {
        /// The name.
        route: String,
        /// Who asks.
        by: String,
    },
}

/// What is asked about trainings and models.
#[cfg(feature = "learned")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "study", rename_all = "snake_case")]
pub enum Study {
    /// What trainers have done, do and are to do.
    Jobs {
        /// At most so many.
        limit: usize,
    },
    /// A job that was given up is to be tried again.
    RetryJob {
        /// Its id.
        id: String,
    },
    /// A training is to be enqueued.
    Train {
        /// The model's name; all families, unless said.
        model: Option<String>,
        /// The metrics it is made of.
        metrics: Vec<String>,
    },
    /// All versions of all models, a line each.
    Models,
    /// Models with what serves of each.
    Listings {
        /// Only this one.
        only: Option<String>,
        /// At most so many.
        limit: usize,
    },
    /// The card of one.
    Model {
        /// Its name.
        model: String,
        /// The version; the one that serves, unless said.
        version: Option<String>,
    },
    /// An earlier version is to serve again.
    RollBack {
        /// The model's name.
        model: String,
        /// The version; the one before the one that serves, unless said.
        version: Option<String>,
    },
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Answer {
    /// The dispatcher's reply.
    Dispatcher {
        /// The reply.
        reply: Reply,
    },
    /// Everything about a metric.
    Explained {
        /// What a look at it shows; or why there is none.
        examined: Result<Box<Examination>, String>,
        /// Its incident, silences, routes.
        outlook: Box<Outlook>,
        /// What moved with its incident, if that was worked out.
        #[serde(default)]
        causes: Option<Box<IncidentCauses>>,
    },
    /// What moved with an incident.
    Causes {
        /// The incident's number.
        incident: u64,
        /// What it is about.
        subject: Subject,
        /// What moved with it.
        causes: Box<IncidentCauses>,
        /// Whether it was worked out for this question, from what the store holds now.
        is_new: bool,
    },
    /// Jobs of training.
    #[cfg(feature = "learned")]
    Jobs {
        /// Where they are kept, for people.
        place: String,
        /// Newest first.
        jobs: Vec<crate::jobs::Job>,
    },
    /// Models.
    #[cfg(feature = "learned")]
    Models {
        /// Where they lie, for people.
        place: String,
        /// By name.
        models: Vec<crate::models::ModelListing>,
        /// How many more there are than were asked for.
        more: usize,
    },
    /// What there is to say, for people.
    Lines {
        /// A line each.
        lines: Vec<String>,
    },
    /// Settings were read anew, or are wrong.
    Reloaded {
        /// What became of them.
        reload: ReloadStatus,
    },
    /// How the test went.
    Tested {
        /// Each receiver.
        receivers: Vec<Tested>,
    },
}

/// How a test notice to one receiver went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tested {
    /// The receiver.
    pub receiver: String,
    /// The notice's id.
    pub id: String,
    /// Seconds it took.
    pub seconds: f64,
    /// Why it was not taken; `None` when it was.
    pub error: Option<String>,
    /// What can be done about it, where that is known.
    pub hint: Option<String>,
}

impl Answer {
    /// Nothing was done.
    pub fn refused(why: String) -> Self {
        Self::Dispatcher {
            reply: Reply::Refused { why },
        }
    }
}

/// Asks the dispatcher.
pub(crate) type AskDispatcher = Box<dyn Fn(Request) -> Reply + Send + Sync>;
/// Looks at one metric at a moment, Unix seconds.
pub type Examine = Box<dyn Fn(&str, f64) -> FinderAnswer + Send + Sync>;

/// Answers what is asked about trainings and models.
#[cfg(feature = "learned")]
pub type AnswerStudy = Box<dyn Fn(&Study) -> Answer + Send + Sync>;

/// Has this process, and those beside it, read settings anew.
pub type ReloadSettings = Box<dyn Fn() -> Result<ReloadStatus, String> + Send + Sync>;

/// The senders of all receivers by name, which change when settings do.
pub type SharedSenders = Arc<RwLock<BTreeMap<String, Arc<dyn Sender>>>>;

/// The senders of these receivers.
pub fn senders(destinations: &[Destination]) -> BTreeMap<String, Arc<dyn Sender>> {
    let named = |destination: &Destination| (destination.name.clone(), Arc::clone(&destination.sender));
    destinations.iter().map(named).collect()
}

/// Who answers.
pub struct CommandService {
    dispatcher: AskDispatcher,
    examine: Examine,
    #[cfg(feature = "learned")]
    study: Option<AnswerStudy>,
    causes: Option<Arc<dyn FindCauses>>,
    senders: SharedSenders,
    reload: Option<ReloadSettings>,
    base_url: String,
    command: String,
}

impl CommandService {
    /// A command service over a dispatcher, a store and receivers.
    pub fn new(
        dispatcher: AskDispatcher,
        examine: Examine,
        destinations: &[Destination],
        base_url: String,
        command: String,
    ) -> Self {
        Self {
            dispatcher,
            examine,
            #[cfg(feature = "learned")]
            study: None,
            causes: None,
            senders: Arc::new(RwLock::new(senders(destinations))),
            reload: None,
            base_url,
            command,
        }
    }

    /// Where its senders can be replaced.
    pub fn senders(&self) -> SharedSenders {
        Arc::clone(&self.senders)
    }

    /// The same, which also has settings read anew.
    #[must_use]
    pub fn with_reload(self, reload: ReloadSettings) -> Self {
        Self {
            reload: Some(reload),
            ..self
        }
    }

    /// The same, which also works out what moved with an incident.
    #[must_use]
    pub fn with_causes(self, causes: Option<Arc<dyn FindCauses>>) -> Self {
        Self { causes, ..self }
    }

    /// The same, which also answers what is asked about trainings and models.
    #[cfg(feature = "learned")]
    #[must_use]
    pub fn with_study(self, study: AnswerStudy) -> Self {
        Self {
            study: Some(study),
            ..self
        }
    }

    /// Answers one call. May take as long as the store and the receivers take.
    pub fn answer(&self, call: Call) -> Answer {
        match call {
            Call::Dispatcher { request } => Answer::Dispatcher {
                reply: (self.dispatcher)(request),
            },
            Call::Explain { metric } => self.explain(&metric),
            Call::Causes { incident } => self.causes(incident),
            #[cfg(feature = "learned")]
            Call::Study { study } => match &self.study {
                Some(answer) => answer(&study),
                None => Answer::refused("nothing is known of trainings here".to_owned()),
            },
            Call::Reload => match self.reload.as_ref().map(|reload| reload()) {
                Some(Ok(reload)) => Answer::Reloaded { reload },
                Some(Err(why)) => Answer::refused(why),
                None => Answer::refused("no process runs that could".to_owned()),
            },
            Call::AlertTest { route, by } => self.alert_test(route, &by),
        }
    }

    fn explain(&self, metric: &str) -> Answer {
        let outlook = match (self.dispatcher)(Request::Outlook {
            metric: metric.to_owned(),
        }) {
            Reply::Outlook { outlook } => outlook,
            Reply::Refused { why } => return Answer::refused(why),
            _ => return Answer::refused("the dispatch answered something else".to_owned()),
        };
        let known = outlook
            .incident
            .as_ref()
            .map(|incident| (self.dispatcher)(Request::Causes { id: incident.id }));
        let causes = known.and_then(|reply| match reply {
            Reply::Causes { causes, .. } => causes,
            _ => None,
        });
        Answer::Explained {
            examined: (self.examine)(metric, unix_now()),
            outlook,
            causes,
        }
    }

    /// As it was worked out when the incident opened, or else now.
    fn causes(&self, incident: u64) -> Answer {
        let (subject, since, at, causes, anomalous) =
            match (self.dispatcher)(Request::Causes { id: incident }) {
                Reply::Causes {
                    subject,
                    since,
                    at,
                    causes,
                    anomalous,
                } => (subject, since, at, causes, anomalous),
                reply => return Answer::Dispatcher { reply },
            };
        let (causes, is_new) = match (causes, &self.causes) {
            (Some(causes), None) => (causes, false),
            (Some(causes), Some(_)) if !causes.skipped => (causes, false),
            (None, None) => return Answer::refused("causes are not looked for here".to_owned()),
            (_, Some(finder)) => {
                let question = CauseQuestion {
                    incident,
                    subject: subject.clone(),
                    since,
                    at,
                };
                let found = finder.find(&[question], &anomalous).pop();
                (Box::new(found.unwrap_or_default()), true)
            }
        };
        Answer::Causes {
            incident,
            subject,
            causes,
            is_new,
        }
    }

    fn alert_test(&self, route: String, by: &str) -> Answer {
        let (id, receivers) = match (self.dispatcher)(Request::TestOf { route: route.clone() }) {
            Reply::Test { id, receivers } => (id, receivers),
            reply => return Answer::Dispatcher { reply },
        };
        let several = receivers.len() > 1;
        let test = |(place, receiver): (usize, String)| {
            let id = if several {
                format!("{id}-{}", place + 1)
            } else {
                id.clone()
            };
            let begun = Instant::now();
            let notice = Notice {
                thread: id.clone(),
                id: id.clone(),
                receiver: receiver.clone(),
                route: route.clone(),
                at: unix_now(),
                content: Content::Test { by: by.to_owned() },
                base_url: self.base_url.clone(),
                command: self.command.clone(),
            };
            let senders = self.senders.read().unwrap_or_else(PoisonError::into_inner);
            let sender = senders.get(&receiver).cloned();
            drop(senders);
            let outcome = sender.map(|sender| sender.send(&notice, None));
            let (error, hint) = match outcome {
                None => (Some("it is not configured".to_owned()), None),
                Some(Ok(sent)) => (
                    sent.refused
                        .first()
                        .map(|error| format!("not taken by all: {error}")),
                    None,
                ),
                Some(Err(error)) => (Some(error.to_string()), error.hint().map(str::to_owned)),
            };
            Tested {
                receiver,
                id,
                seconds: begun.elapsed().as_secs_f64(),
                error,
                hint,
            }
        };
        Answer::Tested {
            receivers: receivers.into_iter().enumerate().map(test).collect(),
        }
    }
}
