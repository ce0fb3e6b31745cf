//! One message to one receiver, before it has the form of any medium.
//!
//! A notice is complete in itself and has a stable JSON form: it is written to the outbox before it is
//! sent, and what is sent after a crash is what was written, under the same id.

use serde::{Deserialize, Serialize};

use crate::anomaly::{Anomaly, Severity};
use crate::causes::IncidentCauses;
use crate::incident::{Ending, Phase};
use crate::text;

/// Incidents a notice for people describes one by one; the rest are in its counts.
pub const LISTED: usize = 25;

/// Namespaces of silent metrics a notice for people lists, and names of each.
const LISTED_NAMESPACES: usize = 20;
const LISTED_NAMES: usize = 5;

/// Incidents a notice for a machine holds, all of them described: what is more goes into further notices.
pub const BATCH: usize = 200;

/// What a [`Sender`](crate::senders::Sender) is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Names this notice and no other. A repeat after a crash carries the same id, so that the other
    /// side can tell a repeat from news: it becomes the Message-ID and the idempotency key. Letters,
    /// digits, `.` and `-` only.
    pub id: String,
    /// The id of the notice that began this conversation; the notice's own id when it begins one.
    /// Everything later about the same incidents goes to the same thread, which is the dedup key of
    /// pagers and the `References` of mail.
    pub thread: String,
    /// Name of the receiver it goes to.
    pub receiver: String,
    /// Name of the route that led there.
    pub route: String,
    /// When it was made, Unix seconds.
    pub at: f64,
    /// What it says.
    pub content: Content,
    /// Public address of the pages, without a slash at the end; empty for none.
    pub base_url: String,
    /// What a command begins with that is to reach the process that made it: `skywatch`, with its state folder unless that
    /// is the usual one.
    #[serde(default = "usual_command")]
    pub command: String,
}

/// What commands begin with for a process over the usual state folder.
pub fn usual_command() -> String {
    "skywatch".to_owned()
}

/// What a notice says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// Something about incidents.
    Incidents(News),
    /// Metrics that have fallen silent.
    Silent(Silent),
    /// What a day was like.
    Daily(Daily),
    /// Somebody asked whether notices arrive.
    Test {
        /// Who asked.
        by: String,
    },
}

/// What is new about one or many incidents.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct News {
    /// The incidents, worst first, at most [`LISTED`] for people and all of them for machines. Only the first few carry
    /// their window.
    pub items: Vec<NoticeItem>,
    /// How many there are of each kind, listed or not.
    pub counts: Counts,
    /// Incidents of this thread that are still open once this notice has been read.
    pub still_open: u64,
    /// Notices the receiver's rate cap held back since the last one; their incidents are counted here.
    pub held_back: u64,
    /// What the incidents have in common: a namespace such as `web1.cpu`, or empty.
    pub group: String,
}

/// How many incidents of a notice there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Anomalous now, told for the first time, for a second time, or again after a rest.
    pub firing: u64,
    /// Over.
    pub resolved: u64,
    /// Somebody has them.
    pub acknowledged: u64,
    /// Of those firing, how many are critical.
    pub critical: u64,
}

/// One incident in a notice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoticeItem {
    /// The incident's number, for `skywatch ack` and links.
    pub incident: u64,
    /// What there is to say.
    pub what: NewsKind,
    /// The latest anomaly of it; its window may be left out.
    pub anomaly: Anomaly,
    /// The worst it has been.
    pub severity: Severity,
    /// Unix seconds of the point that began it.
    pub since: f64,
    /// Unix seconds at which it was over; `None` while it lasts.
    pub until: Option<f64>,
    /// How it ended, with the value at that moment; `None` while it lasts.
    #[serde(default)]
    pub ending: Option<Ending>,
    /// How often it has begun within the last hour, when that is so often that it is flapping.
    #[serde(default)]
    pub flapping: Option<u32>,
    /// Earlier incidents of the same subject in the last 30 days.
    pub before: u64,
    /// When the latest of those began, Unix seconds.
    pub last_before: Option<f64>,
    /// Unix seconds before which nothing further is said about it while it lasts.
    pub not_before: Option<f64>,
    /// A remark: who acknowledged it, which silence ended.
    pub remark: String,
    /// What moved with it, as far as that was known when the notice was made: the first
    /// [`SHOWN_RELATED`](crate::causes::SHOWN_RELATED).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causes: Option<Box<IncidentCauses>>,
}

/// What there is to say about an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewsKind {
    /// It has begun.
    Opened,
    /// It was over and has come back within half an hour.
    Returned,
    /// It is worse than when it was last told of.
    Worse,
    /// It began under a silence, which has ended, and lasts.
    SilenceEnded,
    /// It lasts, as was said before.
    Reminder,
    /// It lasts, whoever has taken it: said to machines on a clock of their own, never to people.
    Lasts,
    /// Somebody has taken it.
    Acknowledged,
    /// It is over: back to what was expected.
    Resolved,
    /// It is over as a new level was accepted.
    Settled,
    /// It is over as its subject is there no longer.
    Gone,
    /// It is over as somebody closed it.
    Closed,
    /// It came and went before it was time to tell of it.
    Passed,
}

impl NewsKind {
    /// Every one, in the order of an incident's life.
    pub const ALL: [Self; 12] = [
        Self::Opened,
        Self::Returned,
        Self::Worse,
        Self::SilenceEnded,
        Self::Reminder,
        Self::Lasts,
        Self::Acknowledged,
        Self::Resolved,
        Self::Settled,
        Self::Gone,
        Self::Closed,
        Self::Passed,
    ];

    /// In one lower-case word, as in the JSON form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Returned => "returned",
            Self::Worse => "worse",
            Self::SilenceEnded => "silence_ended",
            Self::Reminder => "reminder",
            Self::Lasts => "lasts",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Settled => "settled",
            Self::Gone => "gone",
            Self::Closed => "closed",
            Self::Passed => "passed",
        }
    }

    /// Whether the incident lasts and, except for [`NewsKind::Lasts`], nobody has taken it.
    pub fn is_firing(self) -> bool {
        !self.is_over() && self != Self::Acknowledged
    }

    /// Whether the incident has ended.
    pub fn is_over(self) -> bool {
        matches!(
            self,
            Self::Resolved | Self::Settled | Self::Gone | Self::Closed | Self::Passed
        )
    }

    /// What there is to say of the end of one that was told of.
    pub(crate) fn of_end(outcome: Phase) -> Self {
        match outcome {
            Phase::Settled => Self::Settled,
            Phase::Gone => Self::Gone,
            Phase::Closed => Self::Closed,
            Phase::Resolved | Phase::Pending | Phase::Open | Phase::Acknowledged => Self::Resolved,
        }
    }
}

/// Metrics that have fallen silent, by namespace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Silent {
    /// How many in all.
    pub metrics: u64,
    /// How many are watched.
    pub of: u64,
    /// The first element of their names, how many there are of it, and the names: all for machines, the first few for
    /// people.
    pub namespaces: Vec<(String, u64, Vec<String>)>,
    /// Metrics that were silent when last told of and have spoken since.
    pub back: u64,
}

/// What a day was like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Daily {
    /// From when to when, Unix seconds.
    pub from: f64,
    /// See `from`.
    pub to: f64,
    /// Metrics watched at the end of it.
    pub metrics: u64,
    /// Passes finished.
    pub passes: u64,
    /// Incidents that opened.
    pub opened: u64,
    /// Incidents that ended, in whatever way.
    pub resolved: u64,
    /// Incidents open at the end of it.
    pub open: u64,
    /// Notices sent.
    pub notices: u64,
    /// Notices that reached nobody.
    pub dead: u64,
    /// The subjects with most incidents, and how many.
    pub busiest: Vec<(String, u64)>,
}

impl Silent {
    /// As people read it: the largest namespaces with their first few names.
    #[must_use]
    pub fn for_people(mut self) -> Self {
        self.namespaces.truncate(LISTED_NAMESPACES);
        for (_, _, names) in &mut self.namespaces {
            names.truncate(LISTED_NAMES);
        }
        self
    }
}

impl Notice {
    /// Whether it begins its conversation.
    pub fn is_first(&self) -> bool {
        self.id == self.thread
    }

    /// The news, when it is about incidents.
    pub fn news(&self) -> Option<&News> {
        match &self.content {
            Content::Incidents(news) => Some(news),
            _ => None,
        }
    }

    /// The single incident it is about, when it is about one only.
    pub fn single(&self) -> Option<&NoticeItem> {
        match self.news()?.items.as_slice() {
            [item] if self.news()?.counts.total() == 1 => Some(item),
            _ => None,
        }
    }

    /// Address of the page about an incident's subject, empty when pages have no public address.
    pub fn page_of(&self, item: &NoticeItem) -> String {
        match (self.base_url.as_str(), item.anomaly.subject.kind().page) {
            ("", _) => String::new(),
            (base_url, None) => format!("{base_url}/incidents"),
            (base_url, Some(page)) => {
                format!("{base_url}{page}{}", text::percent_encode(item.anomaly.name()))
            }
        }
    }

    /// How what it tells of ended, when all of it has: of several ends the one that is the least of a recovery.
    pub fn outcome(&self) -> Option<Phase> {
        let outcomes: Option<Vec<Phase>> = self.news()?.items.iter().map(NoticeItem::outcome).collect();
        outcomes?.into_iter().max_by_key(|outcome| match outcome {
            Phase::Settled => 3,
            Phase::Gone => 2,
            Phase::Closed => 1,
            _ => 0,
        })
    }

    /// The worst severity among what still fires; `None` when nothing does.
    pub fn severity(&self) -> Option<Severity> {
        let firing = self.news()?.items.iter().filter(|item| item.what.is_firing());
        firing.map(|item| item.severity).max()
    }

    /// Whether everything its thread was about is over.
    pub fn is_all_over(&self) -> bool {
        self.news().is_some_and(|news| {
            news.counts.firing == 0 && news.counts.acknowledged == 0 && news.still_open == 0
        })
    }
}

impl NoticeItem {
    /// As what it ended; `None` while it lasts. A notice of a version that did not write it down was of a recovery.
    pub fn outcome(&self) -> Option<Phase> {
        let written = self.ending.as_ref().map(|ending| ending.outcome);
        self.what.is_over().then(|| written.unwrap_or(Phase::Resolved))
    }
}

impl Counts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.firing + self.resolved + self.acknowledged
    }
}
