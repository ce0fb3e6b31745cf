//! Where networks are learnt: rows go to the place of models and a job into the trainer's queue, and what is published comes back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use crate::clock::unix_now;
use crate::jobs::{EntityExamples, EntityNetworkJob, OpenQueue, Task};
use crate::models::kinds::EntityNetworkModel;
use crate::models::{LiveModel, LiveVersion, ModelRegistry, Refresh};

/// Time between two looks at which versions serve.
const LOOK_EACH: Duration = Duration::from_secs(5);
/// Orders that wait: each holds a copy of what is learnt from.
const WAITING: usize = 2;

/// Where rows and jobs go, and networks come from.
pub struct NetworkPlace {
    /// The queue that trainers work off.
    pub queue: Box<dyn OpenQueue>,
    /// The place of models.
    pub registry: ModelRegistry,
}

/// What the thread is told.
enum LearningOrder {
    /// Look after the model of this name.
    Follow(String),
    /// Do so no longer.
    Forget(String),
    /// Have it learnt.
    Learn(Box<(EntityNetworkJob, EntityExamples)>),
}

/// A version of a network that serves from now on.
pub(super) struct CameNetwork {
    pub(super) model: String,
    pub(super) version: Arc<LiveVersion<EntityNetworkModel>>,
}

/// The thread beside the role, as that has it. It ends when this is dropped, and is not waited for: a place of models may hang.
pub(super) struct NetworkLearning {
    orders: Sender<LearningOrder>,
    learn: Sender<LearningOrder>,
    came: Receiver<CameNetwork>,
}

impl NetworkLearning {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses it.
    pub(super) fn start(place: NetworkPlace) -> std::io::Result<Self> {
        // Names are few and small; rows are not.
        let (orders, receive) = unbounded();
        let (learn, receive_learn) = bounded(WAITING);
        let (send, came) = unbounded();
        std::thread::Builder::new()
            .name("entities-networks".to_owned())
            .spawn(move || run(&place, &receive, &receive_learn, &send))?;
        Ok(Self { orders, learn, came })
    }

    /// Looks after a model: its version that serves comes, and each later one.
    pub(super) fn follow(&self, model: &str) {
        let _ = self.orders.send(LearningOrder::Follow(model.to_owned()));
    }

    /// Does so no longer.
    pub(super) fn forget(&self, model: &str) {
        let _ = self.orders.send(LearningOrder::Forget(model.to_owned()));
    }

    /// Has a network learnt; false if others wait for that, and it is to be asked for again.
    pub(super) fn learn(&self, job: EntityNetworkJob, examples: EntityExamples) -> bool {
        let order = LearningOrder::Learn(Box::new((job, examples)));
        self.learn.try_send(order).is_ok()
    }

    /// Whether there is a place for another.
    pub(super) fn has_place(&self) -> bool {
        !self.learn.is_full()
    }

    /// Versions that have come since this was last asked.
    pub(super) fn came(&self) -> Vec<CameNetwork> {
        self.came.try_iter().collect()
    }
}

fn run(
    place: &NetworkPlace,
    orders: &Receiver<LearningOrder>,
    learn: &Receiver<LearningOrder>,
    came: &Sender<CameNetwork>,
) {
    let mut followed: BTreeMap<String, LiveModel<EntityNetworkModel>> = BTreeMap::new();
    loop {
        match orders.recv_timeout(LOOK_EACH) {
            Ok(LearningOrder::Follow(model)) => {
                let live = LiveModel::new(place.registry.clone(), model.clone());
                look(&model, &live, came);
                followed.insert(model, live);
                continue;
            }
            Ok(LearningOrder::Forget(model)) => {
                followed.remove(&model);
                continue;
            }
            Ok(LearningOrder::Learn(_)) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        for order in learn.try_iter() {
            if let LearningOrder::Learn(ordered) = order {
                let (job, examples) = *ordered;
                let (entity, of_job) = (&examples.of.entity, &examples.of.job);
                match enqueue(place, &job, &examples) {
                    Ok(()) => tracing::info!(
                        "entities :: job `{of_job}` :: `{entity}` goes to the trainer: {} rows × {} metrics",
                        examples.rows.len(),
                        examples.of.metrics.len()
                    ),
                    Err(why) => {
                        tracing::error!("entities :: job `{of_job}` :: `{entity}` is not learnt :: {why}");
                    }
                }
            }
        }
        for (model, live) in &followed {
            look(model, live, came);
        }
    }
}

/// Hands on the version that serves, if it is another one.
fn look(model: &str, live: &LiveModel<EntityNetworkModel>, came: &Sender<CameNetwork>) {
    match live.refresh() {
        Ok(Refresh::Unchanged) => {}
        Ok(Refresh::Changed(_)) => {
            if let Some(version) = live.current() {
                let model = model.to_owned();
                // Whoever waits may have ended.
                let _ = came.send(CameNetwork { model, version });
            }
        }
        Ok(Refresh::Refused(error)) | Err(error) => {
            tracing::warn!("entities :: the network `{model}` goes on as it is :: {error}");
        }
    }
}

fn enqueue(place: &NetworkPlace, job: &EntityNetworkJob, examples: &EntityExamples) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let packed = examples.pack().map_err(|error| text(&error))?;
    let kept = place.registry.keep_examples(&job.model, &packed);
    kept.map_err(|error| text(&error))?;
    let mut queue = place.queue.open().map_err(|error| text(&error))?;
    let added = queue.enqueue(&Task::of(job), None, unix_now());
    added.map(drop).map_err(|error| text(&error))
}
