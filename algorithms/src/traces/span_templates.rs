//! Span templates: the symbols that traces are sequences of.
//!
//! A template is a service, an operation with what varies in it as `<*>`, and whether the span failed: a call that fails
//! where calls succeed is another symbol, so every structural detector sees it. What varies an [`OperationMiner`] for each
//! service finds out. Services are never folded, since the same operation in another service is another thing.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::TraceSpan;
use super::operation::{OperationMiner, masked};
use crate::templates::{ClusterId, MinerSnapshot, TemplateChange, TemplateError};

/// Number of a template.
pub type TemplateId = u32;

/// The id of templates that were never learnt.
pub const UNKNOWN_TEMPLATE: TemplateId = u32::MAX;

/// Templates that are told apart at most; an instrumentation that writes ids into names in a way nothing folds would
/// otherwise grow without bound. Further ones stay unknown.
const MOST_TEMPLATES: usize = 65_536;

/// A template seen fewer times is called new.
const NEW_TEMPLATE: u64 = 20;

/// All templates that were learnt.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "SavedTemplates", into = "SavedTemplates")]
pub struct SpanTemplates {
    known: Vec<KnownTemplate>,
    services: HashMap<String, ServiceOperations>,
    /// How often several have become one.
    folds: u64,
    /// Templates below this are those that detectors were fitted to.
    fitted: TemplateId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KnownTemplate {
    /// `service operation`.
    name: String,
    seen: u64,
    /// The template it has become part of, which is itself part of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part_of: Option<TemplateId>,
}

/// The operations of a service.
#[derive(Debug, Clone)]
struct ServiceOperations {
    /// Its number, in the order of first spans.
    number: u32,
    miner: OperationMiner,
    /// Templates by cluster of the operation and whether the span failed.
    ids: HashMap<(ClusterId, bool), TemplateId>,
}

impl ServiceOperations {
    fn new(number: u32) -> Self {
        Self {
            number,
            miner: OperationMiner::default(),
            ids: HashMap::new(),
        }
    }
}

impl SpanTemplates {
    /// How many ids there are; all are below this.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none was learnt.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The template of a span, if it was learnt.
    #[must_use]
    pub fn find(&self, span: &TraceSpan) -> TemplateId {
        let found = || {
            let service = self.services.get(&span.service)?;
            let cluster = service.miner.find(&span.operation)?;
            service.ids.get(&(cluster, span.failed)).copied()
        };
        found().unwrap_or(UNKNOWN_TEMPLATE)
    }

    /// The template of a span, learnt if it is new, and counted as seen once more. Templates that prove to be one by it have one id
    /// from then on, that of the operation that was seen first.
    pub fn learn(&mut self, span: &TraceSpan) -> TemplateId {
        if self.known.len() >= MOST_TEMPLATES && self.find(span) == UNKNOWN_TEMPLATE {
            return UNKNOWN_TEMPLATE;
        }
        if !self.services.contains_key(&span.service) {
            let operations = ServiceOperations::new(self.services.len() as u32);
            self.services.insert(span.service.clone(), operations);
        }
        let service = self.services.get_mut(&span.service).expect("it was put there");
        let update = service.miner.learn(&span.operation);
        if let Some(evicted) = &update.evicted {
            for failed in [false, true] {
                service.ids.remove(&(evicted.cluster, failed));
            }
        }
        self.folds += update.absorbed.len() as u64;
        for absorbed in update.absorbed {
            for failed in [false, true] {
                if let Some(id) = service.ids.remove(&(absorbed, failed)) {
                    join(&mut self.known, &mut service.ids, id, (update.cluster, failed));
                }
            }
        }
        let text = |failed: bool| name(&span.service, &service.miner.template(&span.operation), failed);
        if update.change == TemplateChange::Changed {
            for failed in [false, true] {
                if let Some(id) = service.ids.get(&(update.cluster, failed)) {
                    self.known[*id as usize].name = text(failed);
                }
            }
        }
        let next = self.known.len() as TemplateId;
        let id = *service.ids.entry((update.cluster, span.failed)).or_insert(next);
        if id == next {
            self.known.push(KnownTemplate {
                name: text(span.failed),
                seen: 0,
                part_of: None,
            });
        }
        self.known[id as usize].seen += 1;
        id
    }

    /// Takes those that are known for the ones that detectors are fitted to: ids of templates that have become part of others are
    /// taken out, so no other may have used an id yet, and what comes later is new.
    pub(super) fn settle(&mut self) {
        let mut numbers = Vec::with_capacity(self.known.len());
        let mut next = 0;
        for template in &self.known {
            numbers.push(next);
            next += TemplateId::from(template.part_of.is_none());
        }
        self.known.retain(|template| template.part_of.is_none());
        for id in self
            .services
            .values_mut()
            .flat_map(|service| service.ids.values_mut())
        {
            *id = numbers[*id as usize];
        }
        self.fitted = self.known.len() as TemplateId;
    }

    /// Whether detectors were fitted without it, or with a few of it only.
    pub(super) fn is_new(&self, id: TemplateId) -> bool {
        let id = self.current(id);
        id >= self.fitted || self.seen(id) < NEW_TEMPLATE
    }

    /// How often templates have become part of others.
    pub(super) fn folds(&self) -> u64 {
        self.folds
    }

    /// The template that this one is part of by now; mostly itself.
    pub(super) fn current(&self, id: TemplateId) -> TemplateId {
        let part_of = |template: &KnownTemplate| template.part_of;
        self.known.get(id as usize).and_then(part_of).unwrap_or(id)
    }

    fn known(&self, id: TemplateId) -> Option<&KnownTemplate> {
        self.known.get(self.current(id) as usize)
    }

    /// Its text, `service operation`; `?` for one that is unknown.
    #[must_use]
    pub fn text(&self, id: TemplateId) -> &str {
        self.known(id).map_or("?", |template| &template.name)
    }

    /// How often it was seen.
    #[must_use]
    pub fn seen(&self, id: TemplateId) -> u64 {
        self.known(id).map_or(0, |template| template.seen)
    }

    /// The number of a service, if a template of it was learnt.
    pub(super) fn service(&self, name: &str) -> u32 {
        self.services
            .get(name)
            .map_or(UNKNOWN_TEMPLATE, |service| service.number)
    }

    /// The text of a span's template, whether it was learnt or not.
    pub(super) fn name(&self, span: &TraceSpan) -> String {
        name(&span.service, &self.operation(span), span.failed)
    }

    /// The operation of a span with what varies in it as `<*>`.
    pub(super) fn operation(&self, span: &TraceSpan) -> String {
        match self.services.get(&span.service) {
            Some(service) => service.miner.template(&span.operation),
            None => masked(&span.operation).into_owned(),
        }
    }
}

/// Makes a template part of the one at `place`, or puts it there if there is none yet.
fn join(
    known: &mut [KnownTemplate],
    ids: &mut HashMap<(ClusterId, bool), TemplateId>,
    id: TemplateId,
    place: (ClusterId, bool),
) {
    let whole = *ids.entry(place).or_insert(id);
    if whole == id {
        return;
    }
    known[whole as usize].seen += known[id as usize].seen;
    // What was part of this one is part of the whole now, so nobody has to follow a chain.
    for (template, other) in known.iter_mut().zip(0..) {
        if other == id || template.part_of == Some(id) {
            template.part_of = Some(whole);
        }
    }
}

/// The text of a template.
fn name(service: &str, template: &str, failed: bool) -> String {
    let failed = if failed { " (error)" } else { "" };
    format!("{service} {template}{failed}")
}

/// What is kept.
#[derive(Serialize, Deserialize)]
struct SavedTemplates {
    known: Vec<KnownTemplate>,
    /// In the order of their numbers.
    services: Vec<SavedService>,
    folds: u64,
    fitted: TemplateId,
}

#[derive(Serialize, Deserialize)]
struct SavedService {
    name: String,
    operations: MinerSnapshot,
    /// Cluster, whether the span failed, template; sorted.
    ids: Vec<(ClusterId, bool, TemplateId)>,
}

impl From<SpanTemplates> for SavedTemplates {
    fn from(templates: SpanTemplates) -> Self {
        let mut services: Vec<_> = templates.services.into_iter().collect();
        services.sort_by_key(|(_, service)| service.number);
        let saved = |(name, service): (String, ServiceOperations)| {
            let ids = service.ids.into_iter();
            let mut ids: Vec<_> = ids.map(|((cluster, failed), id)| (cluster, failed, id)).collect();
            ids.sort_unstable();
            SavedService {
                name,
                operations: service.miner.snapshot(),
                ids,
            }
        };
        Self {
            known: templates.known,
            services: services.into_iter().map(saved).collect(),
            folds: templates.folds,
            fitted: templates.fitted,
        }
    }
}

impl TryFrom<SavedTemplates> for SpanTemplates {
    type Error = TemplateError;

    fn try_from(saved: SavedTemplates) -> Result<Self, TemplateError> {
        let known = saved.known.len() as TemplateId;
        let refuse = |reason: &str| Err(TemplateError::Snapshot(reason.to_owned()));
        let is_whole = |id: TemplateId| {
            saved
                .known
                .get(id as usize)
                .is_some_and(|whole| whole.part_of.is_none())
        };
        if !saved
            .known
            .iter()
            .filter_map(|template| template.part_of)
            .all(is_whole)
        {
            return refuse("a template is part of one that is not there");
        }
        let mut services = HashMap::with_capacity(saved.services.len());
        for (number, service) in (0..).zip(saved.services) {
            if service.ids.iter().any(|(_, _, id)| *id >= known) {
                return refuse("an operation has a template that is not there");
            }
            let ids = service.ids.into_iter();
            let operations = ServiceOperations {
                number,
                miner: OperationMiner::restore(&service.operations)?,
                ids: ids.map(|(cluster, failed, id)| ((cluster, failed), id)).collect(),
            };
            services.insert(service.name, operations);
        }
        Ok(Self {
            known: saved.known,
            services,
            folds: saved.folds,
            fitted: saved.fitted,
        })
    }
}

#[cfg(test)]
#[path = "span_templates_tests.rs"]
mod tests;
