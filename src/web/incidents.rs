//! The page of incidents, read from the history that the dispatch writes.

use std::path::Path;

use minijinja::{Value, context};
use skywatch_alerters::incident::{Incident, Phase};
use skywatch_alerters::text::{percent_encode, shorten};
use skywatch_alerters::units;

use crate::history::{Filter, HistoryError, HistoryReader};

/// Incidents on one page: some hundred kilobytes of HTML.
const A_PAGE: usize = 200;
/// Widest name, characters: what fits beside the other columns on a wide screen.
const NAME_COLUMNS: usize = 120;

/// What the page shows.
pub(super) struct IncidentsPage {
    /// Those that are over, too.
    pub(super) all: bool,
    incidents: Vec<Incident>,
    dead: usize,
    unreadable: Option<String>,
}

impl IncidentsPage {
    /// Reads a page; `before` is the number the page before it ended with.
    pub(super) fn read(history: &Path, all: bool, before: Option<u64>) -> Self {
        let mut shown = Self {
            all,
            incidents: Vec::new(),
            dead: 0,
            unreadable: None,
        };
        if let Err(error) = shown.fill(history, before) {
            // Nothing has been written yet: there were no incidents.
            if !matches!(error, HistoryError::Missing { .. }) {
                shown.unreadable = Some(error.to_string());
            }
        }
        shown
    }

    fn fill(&mut self, history: &Path, before: Option<u64>) -> Result<(), HistoryError> {
        let reader = HistoryReader::open(history)?;
        let phases = if self.all {
            Vec::new()
        } else {
            vec![Phase::Open, Phase::Acknowledged]
        };
        let filter = Filter {
            phases,
            before,
            ..Filter::default()
        };
        self.incidents = reader.incidents(&filter, A_PAGE)?;
        self.dead = reader.dead_letters(A_PAGE)?.len();
        Ok(())
    }

    /// What the template may name.
    pub(super) fn context(&self) -> Value {
        let more = (self.incidents.len() == A_PAGE).then(|| self.incidents.last().map(|last| last.id));
        context! {
            all => self.all,
            incidents => self.incidents.iter().map(described).collect::<Vec<_>>(),
            dead => self.dead,
            unreadable => self.unreadable.as_deref(),
            more => more.flatten(),
        }
    }
}

fn described(incident: &Incident) -> Value {
    let mut notes = Vec::new();
    if let Some(ack) = &incident.ack {
        notes.push(format!("{} has it", shorten(&ack.by, 40)));
    }
    if let Some(silence) = incident.silenced_by {
        notes.push(format!("silence {silence}"));
    }
    if let Some(since) = incident.unknown_since.filter(|_| incident.phase.is_open()) {
        notes.push(format!("unknown since {}", units::time(since)));
    }
    if let Some(at) = incident.closed_at.filter(|_| !incident.phase.is_open()) {
        notes.push(format!("over {}", units::time(at)));
    }
    if let Some(ending) = &incident.ending {
        if let Some(value) = ending.value {
            let before = ending
                .before
                .map(|before| format!(" (was {})", units::number(before)));
            notes.push(format!(
                "at {}{}",
                units::number(value),
                before.unwrap_or_default()
            ));
        }
        if !ending.by.is_empty() {
            notes.push(format!("by {}", shorten(&ending.by, 40)));
        }
    }
    if let Some(times) = incident.flapping(crate::clock::unix_now()) {
        notes.push(format!("flapping, {times} times in an hour"));
    }
    let name = incident.subject.name();
    let value = if incident.anomaly.sentence.is_empty() {
        units::number(incident.anomaly.observed)
    } else {
        incident.anomaly.sentence.clone()
    };
    context! {
        id => incident.id,
        phase => incident.phase.as_str(),
        open => incident.phase.is_open(),
        severity => incident.severity.as_str(),
        name => shorten(name, NAME_COLUMNS),
        link => incident.subject.kind().page.map(|page| format!("{page}{}", percent_encode(name))),
        value,
        since => units::time(incident.since),
        note => notes.join(", "),
    }
}
