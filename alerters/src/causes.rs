//! What is known of why an incident is there: what moved with it, and what it shares a cause with.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{text, units};

/// Related metrics that a notice and a page show.
pub const SHOWN_RELATED: usize = 10;
/// Related metrics that are kept with an incident.
pub const KEPT_RELATED: usize = 100;
/// Suspects that a notice, a page and the history have.
pub const SHOWN_SUSPECTS: usize = 5;
/// Incidents of one cause that a list describes; the others are named.
pub const UNFOLDED: usize = 3;
/// Widest name in a sentence, characters.
const NAME_COLUMNS: usize = 100;

/// What moved with an incident, as it was worked out at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IncidentCauses {
    /// When it was worked out, Unix seconds.
    pub at: f64,
    /// The end of the time that was compared, Unix seconds; 0 where nothing could be.
    pub until: f64,
    /// How long that time is, seconds.
    pub length: f64,
    /// Metrics that were compared.
    pub compared: u64,
    /// Metrics with too few points in that time, or that stood still.
    pub left_out: u64,
    /// What moved with it, most likely first; at most [`KEPT_RELATED`].
    pub related: Vec<RelatedMetric>,
    /// How many more moved with it.
    #[serde(default)]
    pub more: u64,
    /// What of it broke first, by who depends on whom, the likeliest first; empty where nobody knows that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspects: Vec<SuspectNode>,
    /// Where it is known from who depends on whom and how old that is, or why there are no suspects; empty without a topology.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topology: String,
    /// The cause that it has in common with other incidents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedCause>,
    /// Why nothing was compared, for people; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Nobody has looked, as `note` says: whoever asks has it done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
}

/// A metric that moved with an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RelatedMetric {
    /// Its name.
    pub metric: String,
    /// Why it was looked at.
    pub nearness: Nearness,
    /// The correlation, −1 to 1; negative where one fell as the other rose.
    pub coefficient: f64,
    /// Seconds by which it moved before; negative for after.
    pub lead: f64,
    /// Share of the metrics named up to this one that are there by chance, 0 to 1.
    pub by_chance: f64,
}

/// Why a metric was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nearness {
    /// It is anomalous at the same time.
    Anomalous,
    /// Its name begins as that of the incident's metric.
    Namespace,
    /// It is there.
    Other,
}

/// A node of the topology that is likely to have broken first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuspectNode {
    /// Its name there.
    pub node: String,
    /// The metric of it that says so: the same as the incident's, of this node.
    pub metric: String,
    /// How far that changed, in its usual ranges.
    pub change: f64,
    /// Seconds by which it left its usual range before the incident's metric; negative for after, `None` if it did not leave it.
    pub lead: Option<f64>,
    /// Its share in the suspicion of all suspects, 0 to 1.
    pub confidence: f64,
    /// Nodes that changed and depend on it, most first.
    pub explains: Vec<String>,
    /// The way of the fault from it to the node of the incident, both included.
    pub path: Vec<String>,
}

/// A cause that several incidents have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedCause {
    /// The metric that explains them: it moved with each, and not after.
    pub metric: String,
    /// Their numbers, this incident's among them.
    pub incidents: Vec<u64>,
}

impl IncidentCauses {
    /// One where nothing could be compared.
    pub fn nothing(at: f64, note: impl Into<String>) -> Self {
        Self {
            at,
            note: note.into(),
            ..Self::default()
        }
    }

    /// One that nobody has looked at, and why.
    pub fn skipped(at: f64, why: impl Into<String>) -> Self {
        Self {
            skipped: true,
            ..Self::nothing(at, why)
        }
    }

    /// What there is to say beyond the list: how much was compared, or why nothing was.
    pub fn basis(&self) -> String {
        if !self.note.is_empty() {
            return self.note.clone();
        }
        let left_out = match self.left_out {
            0 => String::new(),
            left_out => format!(", {left_out} left out: too few points, or they stood still"),
        };
        format!(
            "{} metrics compared over {} up to {}{left_out}",
            self.compared,
            units::length(self.length),
            units::time(self.until)
        )
    }

    /// `one cause with 20 other incidents: db.latency`; empty where nothing is shared.
    pub fn common(&self) -> String {
        let Some(shared) = &self.shared else {
            return String::new();
        };
        let others = shared.incidents.len().saturating_sub(1);
        let plural = if others == 1 { "" } else { "s" };
        let name = text::shorten(&shared.metric, NAME_COLUMNS);
        format!("probably one cause with {others} other incident{plural}: {name}")
    }
}

/// Entries of a list that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CauseFold<'c> {
    /// The metric that explains them all; `None` of an entry that shares its cause with no other of the list.
    pub cause: Option<&'c str>,
    /// Their places in the list, rising.
    pub members: Vec<usize>,
}

/// Folds a list by common cause: entries of one cause stand together where the first of them stood. `shared` has what is known of each
/// entry's cause, in the order of the list.
pub fn fold<'c>(shared: impl IntoIterator<Item = Option<&'c SharedCause>>) -> Vec<CauseFold<'c>> {
    let mut folds: Vec<CauseFold<'c>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (member, shared) in shared.into_iter().enumerate() {
        let cause = shared.map(|shared| shared.metric.as_str());
        match cause.and_then(|cause| places.get(cause)) {
            Some(place) => folds[*place].members.push(member),
            None => {
                places.extend(cause.map(|cause| (cause, folds.len())));
                folds.push(CauseFold {
                    cause,
                    members: vec![member],
                });
            }
        }
    }
    for fold in &mut folds {
        fold.cause = fold.cause.filter(|_| fold.members.len() > 1);
    }
    folds
}

impl CauseFold<'_> {
    /// `Probably one cause, db.latency: 4 incidents`; `None` of an entry by itself.
    pub fn heading(&self) -> Option<String> {
        let name = text::shorten(self.cause?, NAME_COLUMNS);
        Some(format!(
            "Probably one cause, {name}: {} incidents",
            self.members.len()
        ))
    }

    /// The members that are described, and those that are only named.
    pub fn split(&self) -> (&[usize], &[usize]) {
        self.members.split_at(self.members.len().min(UNFOLDED))
    }
}

impl SuspectNode {
    /// `cart-db: traces.cart-db.p95 moved 40 s before, 14 × its usual range, by way of cart; explains shop, cart (81 %)`
    pub fn sentence(&self) -> String {
        let name = |name: &str| text::shorten(name, NAME_COLUMNS).into_owned();
        let when = self
            .lead
            .map_or(String::new(), |lead| format!(" {}", earlier(lead)));
        let between = self
            .path
            .get(1..self.path.len().saturating_sub(1))
            .unwrap_or_default();
        let way = match between {
            [] => String::new(),
            between => format!(", by way of {}", listed(between)),
        };
        let explains = match self.explains.as_slice() {
            [] => String::new(),
            explained => format!("; explains {}", listed(explained)),
        };
        format!(
            "{}: {} moved{when}, {} × its usual range{way}{explains} ({:.0} %)",
            name(&self.node),
            name(&self.metric),
            units::number((self.change * 10.0).round() / 10.0),
            100.0 * self.confidence
        )
    }
}

/// The first few of some names.
fn listed(names: &[String]) -> String {
    const FIRST: usize = 3;
    let shown: Vec<_> = names
        .iter()
        .take(FIRST)
        .map(|name| text::shorten(name, NAME_COLUMNS))
        .collect();
    match names.len().saturating_sub(FIRST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `2 min before`, `at the same time`, `30 s after`, of a lead in seconds.
fn earlier(lead: f64) -> String {
    if lead > 0.0 {
        format!("{} before", units::length(lead))
    } else if lead < 0.0 {
        format!("{} after", units::length(-lead))
    } else {
        "at the same time".to_owned()
    }
}

impl RelatedMetric {
    /// `db.latency: 0.97, 2 min before, anomalous too`
    pub fn sentence(&self) -> String {
        let name = text::shorten(&self.metric, NAME_COLUMNS);
        format!("{name}: {}", self.movement())
    }

    /// `0.97, 2 min before, anomalous too`
    pub fn movement(&self) -> String {
        let when = earlier(self.lead);
        let near = match self.nearness {
            Nearness::Anomalous => ", anomalous too",
            Nearness::Namespace => ", of the same namespace",
            Nearness::Other => "",
        };
        format!("{:.2}, {when}{near}", self.coefficient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_folded_where_the_first_of_a_cause_stands() {
        let cause = |metric: &str| SharedCause {
            metric: metric.to_owned(),
            incidents: vec![1, 2],
        };
        let (db, lone) = (cause("db"), cause("lone"));
        let list = [
            None,
            Some(&db),
            Some(&lone),
            None,
            Some(&db),
            Some(&db),
            Some(&db),
        ];
        let folds = fold(list);
        let members: Vec<&[usize]> = folds.iter().map(|fold| &*fold.members).collect();
        assert_eq!(members, [&[0][..], &[1, 4, 5, 6], &[2], &[3]]);
        assert_eq!(
            folds[1].heading().as_deref(),
            Some("Probably one cause, db: 4 incidents")
        );
        assert_eq!(folds[1].split(), (&[1, 4, 5][..], &[6][..]));
        // Of a cause that only one entry has there is nothing to fold.
        assert_eq!((folds[2].cause, folds[2].heading()), (None, None));
    }

    #[test]
    fn a_relation_reads_well() {
        let related = RelatedMetric {
            metric: "db.latency".to_owned(),
            nearness: Nearness::Anomalous,
            coefficient: -0.971,
            lead: 120.0,
            by_chance: 1e-9,
        };
        assert_eq!(
            related.sentence(),
            "db.latency: -0.97, 2 min before, anomalous too"
        );
        let suspect = SuspectNode {
            node: "cart-db".to_owned(),
            metric: "cart-db.p95".to_owned(),
            change: 14.04,
            lead: Some(40.0),
            confidence: 0.81,
            explains: vec!["shop".to_owned(), "cart".to_owned()],
            path: ["cart-db", "cart", "shop"].map(str::to_owned).to_vec(),
        };
        assert_eq!(
            suspect.sentence(),
            "cart-db: cart-db.p95 moved 40 s before, 14 × its usual range, by way of cart; explains shop, cart (81 %)"
        );
        let causes = IncidentCauses {
            suspects: vec![suspect],
            shared: Some(SharedCause {
                metric: "db.latency".to_owned(),
                incidents: vec![3, 4],
            }),
            ..IncidentCauses::default()
        };
        assert_eq!(
            causes.common(),
            "probably one cause with 1 other incident: db.latency"
        );
        let written = serde_json::to_string(&causes).expect("JSON");
        assert_eq!(
            serde_json::from_str::<IncidentCauses>(&written).expect("read"),
            causes
        );
    }
}
