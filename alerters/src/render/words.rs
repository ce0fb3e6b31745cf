//! The parts of a message, made readable once for all templates.
//!
//! Every word is always there, empty or 0 when it does not apply, so that a template never asks for one
//! that is undefined. `docs/templates.md` lists them for whoever writes a template.

use serde::Serialize;

use super::folds::FoldWords;
use super::medium::{Medium, NAME_COLUMNS, SENTENCE_COLUMNS};
use super::sentences::{self, several};
use crate::anomaly::{DetectorVote, Direction};
use crate::causes::{SHOWN_RELATED, SHOWN_SUSPECTS};
use crate::chart::sparkline;
use crate::incident::Phase;
use crate::notice::{Content, Daily, News, Notice, NoticeItem, Silent};
use crate::units;

/// Widest name where many are listed.
const LISTED_NAME_COLUMNS: usize = 100;
/// Most detectors shown one by one.
const MOST_VOTES: usize = 40;
/// Most namespaces, and names in each, shown of those fallen silent.
const MOST_NAMESPACES: usize = 40;
const MOST_NAMES: usize = 10;
/// Longest address that mail programs and browsers follow without fail.
const LONGEST_ADDRESS: usize = 2_000;
/// Bars of the sparkline in a plain text message: fits 80 columns with its margin.
const SPARKLINE_COLUMNS: usize = 72;

/// Everything a template may name. A change here is a change for whoever wrote a template.
#[derive(Debug, Serialize)]
pub(super) struct Words {
    /// `incident`, `digest`, `silent`, `daily` or `test`.
    kind: &'static str,
    /// The whole in at most 120 columns.
    summary: String,
    /// The whole in a sentence, without its full stop.
    headline: String,
    /// `critical`, `warning`, `info`, `acknowledged`, `resolved`, `settled`, `gone` or `closed`.
    state: &'static str,
    /// When the notice was made.
    made: String,
    receiver: String,
    route: String,
    /// The incidents, worst first.
    items: Vec<ItemWords>,
    /// The same folded by common cause.
    folds: Vec<FoldWords>,
    /// How many incidents are not in `items`.
    more: u64,
    counts: CountWords,
    /// Sentences, or empty.
    group: String,
    held_back: String,
    still_open: String,
    /// Address of the page with all incidents, empty when there is none.
    incidents_page: String,
    /// Address of the chart in a mail, empty when there is none.
    picture: String,
    silent: SilentWords,
    daily: DailyWords,
    /// Who asked for the test.
    by: String,
}

/// The counts of a digest.
#[derive(Debug, Default, Serialize)]
struct CountWords {
    firing: u64,
    critical: u64,
    resolved: u64,
    acknowledged: u64,
    total: u64,
}

/// One incident.
#[derive(Debug, Serialize)]
struct ItemWords {
    /// 0 for an anomaly that has no number.
    incident: u64,
    /// `opened`, `returned`, `worse`, `silence_ended`, `reminder`, `lasts`, `acknowledged`, `resolved`, `settled`, `gone`,
    /// `closed`, `passed`.
    what: &'static str,
    firing: bool,
    headline: String,
    state: &'static str,
    severity: &'static str,
    /// `metric`, `entity`, `trace` or `component`.
    kind: &'static str,
    name: String,
    /// What its finder says, or empty.
    sentence: String,
    /// Whether there is a value: a component has none.
    measured: bool,
    value: String,
    /// `97.2, above the expected 20.1 to 40.3`
    findings: String,
    /// `20.1 to 40.3`, or `unknown`.
    expected: String,
    /// The most likely value, empty when unknown.
    centre: String,
    /// `up`, `down`, or empty when unknown.
    direction: &'static str,
    rate: bool,
    at: String,
    since: String,
    /// When it was over, empty while it lasts.
    until: String,
    /// How long it lasted, or has lasted so far.
    lasted: String,
    /// `3rd time in 30 days, last on …`, empty the first time.
    before: String,
    /// `settled at 60 (was 10)`: how it ended, with the value then; empty while it lasts.
    ending: String,
    /// `flapping, 4 times in an hour`, or empty.
    flapping: String,
    /// Who acknowledged it, which silence ended; or empty.
    remark: String,
    /// Time before which no further notice follows, or empty.
    not_before: String,
    /// `skywatch ack 17`, or empty when there is nothing to acknowledge.
    command: String,
    /// Address of the page, empty when there is none.
    page: String,
    /// `24 h, 1440 points`, empty without a window.
    window: String,
    sparkline: String,
    /// `2 of 3 detectors call it anomalous`
    vote_count: String,
    /// `2 of 3 detectors: grubbs, ks_test`
    voters: String,
    votes: Vec<VoteWords>,
    /// `db.latency 70 %, cart.errors 20 %`: what has a part in it, or empty.
    contributors: String,
    /// `root causes: db 70 %, cache 20 %`, or empty.
    ranking: String,
    /// `namespace=shop, zone=eu`, or empty.
    labels: String,
    /// What moved with it, the most likely first: `db.latency: 0.97, 2 min before, anomalous too`.
    related: Vec<String>,
    /// What of it broke first: `cart-db: cart-db.p95 moved 40 s before, 14 × its usual range (81 %)`.
    suspects: Vec<String>,
    /// `probably one cause with 20 other incidents: db.latency`, or empty.
    shared_cause: String,
}

/// One detector's vote.
#[derive(Debug, Serialize)]
struct VoteWords {
    detector: String,
    /// `anomalous`, `normal` or `no vote`.
    answer: &'static str,
    anomalous: bool,
    measured: String,
    limit: String,
}

/// Metrics that have fallen silent.
#[derive(Debug, Default, Serialize)]
struct SilentWords {
    metrics: u64,
    of: u64,
    back: u64,
    namespaces: Vec<NamespaceWords>,
    /// Metrics in namespaces that are not listed.
    more: u64,
}

#[derive(Debug, Serialize)]
struct NamespaceWords {
    name: String,
    metrics: u64,
    names: Vec<String>,
    /// Metrics of it that are not in `names`.
    more: u64,
}

/// A day.
#[derive(Debug, Default, Serialize)]
struct DailyWords {
    from: String,
    to: String,
    metrics: u64,
    passes: u64,
    opened: u64,
    resolved: u64,
    open: u64,
    notices: u64,
    dead: u64,
    busiest: Vec<BusyWords>,
}

#[derive(Debug, Serialize)]
struct BusyWords {
    name: String,
    incidents: u64,
}

impl Words {
    pub(super) fn of(notice: &Notice, medium: Medium, picture: &str) -> Self {
        let quote = |text: &str| medium.quote(text, NAME_COLUMNS);
        let mut words = Self {
            kind: "",
            summary: sentences::summary(notice),
            headline: String::new(),
            state: "info",
            made: units::time(notice.at),
            receiver: quote(&notice.receiver),
            route: quote(&notice.route),
            items: Vec::new(),
            folds: Vec::new(),
            more: 0,
            counts: CountWords::default(),
            group: String::new(),
            held_back: String::new(),
            still_open: String::new(),
            incidents_page: match notice.base_url.as_str() {
                "" => String::new(),
                base_url => format!("{base_url}/incidents"),
            },
            picture: picture.to_owned(),
            silent: SilentWords::default(),
            daily: DailyWords::default(),
            by: String::new(),
        };
        match &notice.content {
            Content::Incidents(news) => words.incidents(notice, news, medium),
            Content::Silent(silent) => {
                words.kind = "silent";
                words.headline = sentences::fallen_silent(silent);
                words.state = if silent.metrics > 0 { "warning" } else { "resolved" };
                words.silent = SilentWords::of(silent, medium);
            }
            Content::Daily(daily) => {
                words.kind = "daily";
                words.headline = sentences::a_day(daily);
                words.daily = DailyWords::of(daily, medium);
            }
            Content::Test { by } => {
                words.kind = "test";
                words.headline = sentences::a_test(by, &quote);
                words.by = quote(by);
            }
        }
        words
    }

    fn incidents(&mut self, notice: &Notice, news: &News, medium: Medium) {
        let single = notice.single();
        let columns = match single {
            Some(_) => NAME_COLUMNS,
            None => LISTED_NAME_COLUMNS,
        };
        self.items = (news.items.iter())
            .map(|item| ItemWords::of(notice, item, medium, columns))
            .collect();
        self.folds = FoldWords::of(news, medium, columns);
        self.more = news.counts.total().saturating_sub(news.items.len() as u64);
        self.counts = CountWords {
            firing: news.counts.firing,
            critical: news.counts.critical,
            resolved: news.counts.resolved,
            acknowledged: news.counts.acknowledged,
            total: news.counts.total(),
        };
        match single {
            Some(item) => {
                self.kind = "incident";
                self.headline =
                    sentences::told(item, notice.at, &|name| medium.quote(name, columns), &|says| {
                        medium.quote(says, SENTENCE_COLUMNS)
                    });
                self.state = sentences::state(item);
            }
            None => {
                self.kind = "digest";
                self.headline = sentences::counts(news);
                self.state = match notice.severity() {
                    Some(severity) => severity.as_str(),
                    None if news.counts.acknowledged > 0 => "acknowledged",
                    None => notice.outcome().unwrap_or(Phase::Resolved).as_str(),
                };
            }
        }
        if !news.group.is_empty() {
            self.group = medium.quote(&news.group, columns);
        }
        if news.held_back > 0 {
            let were = if news.held_back == 1 { "was" } else { "were" };
            self.held_back = format!(
                "{} {were} held back by the rate limit since the last one; what they were about is counted here",
                several(news.held_back, "notice")
            );
        }
        let told_open = news.counts.firing + news.counts.acknowledged;
        if news.still_open > told_open {
            let open = news.still_open - told_open;
            let verb = if open == 1 { "is" } else { "are" };
            self.still_open = format!(
                "{} of this conversation {verb} still open",
                several(open, "other incident")
            );
        } else if single.is_none() && notice.is_all_over() {
            self.still_open = "All of this conversation is over".into();
        }
    }
}

impl ItemWords {
    fn of(notice: &Notice, item: &NoticeItem, medium: Medium, columns: usize) -> Self {
        let anomaly = &item.anomaly;
        let window = anomaly.window();
        let measured = anomaly.is_measured();
        let quote = |text: &str| medium.quote(text, columns);
        let optional = |text: &str| {
            if text.is_empty() {
                String::new()
            } else {
                medium.quote(text, SENTENCE_COLUMNS)
            }
        };
        let (value, expected) = if measured {
            sentences::numbers(anomaly)
        } else {
            (String::new(), None)
        };
        Self {
            incident: item.incident,
            what: item.what.as_str(),
            firing: item.what.is_firing(),
            headline: sentences::told(item, notice.at, &quote, &|says| {
                medium.quote(says, SENTENCE_COLUMNS)
            }),
            state: sentences::state(item),
            severity: item.severity.as_str(),
            kind: anomaly.subject.kind().name,
            name: quote(anomaly.name()),
            sentence: optional(&anomaly.sentence),
            measured,
            value,
            findings: if measured {
                sentences::findings(anomaly)
            } else {
                String::new()
            },
            expected: expected.unwrap_or_else(|| "unknown".into()),
            centre: anomaly
                .expected
                .filter(|expected| measured && expected.centre.is_finite())
                .map(|expected| units::number(expected.centre))
                .unwrap_or_default(),
            direction: match anomaly.direction() {
                Some(Direction::Up) if measured => "up",
                Some(Direction::Down) if measured => "down",
                _ => "",
            },
            rate: window.rate,
            at: units::time(anomaly.at),
            since: units::time(item.since),
            until: item.until.map(units::time).unwrap_or_default(),
            lasted: units::length((item.until.unwrap_or(notice.at) - item.since).max(0.0)),
            before: sentences::before(item),
            ending: sentences::ending(item, &quote),
            flapping: sentences::flapping(item),
            remark: optional(&item.remark),
            not_before: item.not_before.map(units::time).unwrap_or_default(),
            command: if item.what.is_firing() && item.incident > 0 {
                format!("{} ack {}", notice.command, item.incident)
            } else {
                String::new()
            },
            page: page(notice, item),
            window: if measured && !window.values.is_empty() {
                format!(
                    "{}, {}",
                    units::length(window.covered()),
                    several(window.values.len() as u64, "point")
                )
            } else {
                String::new()
            },
            sparkline: if measured && !window.values.is_empty() {
                sparkline(&window.times, &window.values, SPARKLINE_COLUMNS)
            } else {
                String::new()
            },
            vote_count: match (anomaly.voters().count(), anomaly.cast()) {
                _ if !measured => String::new(),
                _ if anomaly.strength.is_some() => sentences::score_in_short(anomaly).unwrap_or_default(),
                (_, 0) => "no detector voted".into(),
                (anomalous, cast) => {
                    let call = if anomalous == 1 { "calls" } else { "call" };
                    format!(
                        "{anomalous} of {} {call} it anomalous",
                        several(cast as u64, "detector")
                    )
                }
            },
            voters: if measured {
                sentences::votes_in_short(anomaly, &quote)
            } else {
                String::new()
            },
            votes: (anomaly.votes().iter().take(MOST_VOTES))
                .map(|vote| VoteWords::of(vote, medium))
                .collect(),
            contributors: optional(&sentences::contributors(anomaly)),
            ranking: optional(&sentences::ranking(anomaly)),
            labels: optional(&sentences::labels(anomaly)),
            related: (item.causes.iter().flat_map(|causes| &causes.related))
                .take(SHOWN_RELATED)
                .map(|related| optional(&related.sentence()))
                .collect(),
            suspects: (item.causes.iter().flat_map(|causes| &causes.suspects))
                .take(SHOWN_SUSPECTS)
                .map(|suspect| optional(&suspect.sentence()))
                .collect(),
            shared_cause: (item.causes.as_ref())
                .map(|causes| optional(&causes.common()))
                .unwrap_or_default(),
        }
    }
}

/// Address of the subject's page. A name of kilobytes makes an address no program follows: then it is the page of all
/// incidents.
fn page(notice: &Notice, item: &NoticeItem) -> String {
    let page = notice.page_of(item);
    if page.len() <= LONGEST_ADDRESS {
        return page;
    }
    format!("{}/incidents", notice.base_url)
}

impl VoteWords {
    fn of(vote: &DetectorVote, medium: Medium) -> Self {
        let mut sides = units::distinct(&[vote.measured, vote.limit]).into_iter();
        let mut side = |value: f64| {
            let shown = sides.next().unwrap_or_default();
            if value.is_nan() { "-".into() } else { shown }
        };
        Self {
            detector: medium.quote(&vote.detector, LISTED_NAME_COLUMNS),
            answer: match vote.answer {
                Some(true) => "anomalous",
                Some(false) => "normal",
                None => "no vote",
            },
            anomalous: vote.answer == Some(true),
            measured: side(vote.measured),
            limit: side(vote.limit),
        }
    }
}

impl SilentWords {
    fn of(silent: &Silent, medium: Medium) -> Self {
        let quote = |text: &str| medium.quote(text, LISTED_NAME_COLUMNS);
        let listed = silent.namespaces.iter().take(MOST_NAMESPACES);
        let counted: u64 = listed.clone().map(|(_, metrics, _)| *metrics).sum();
        Self {
            metrics: silent.metrics,
            of: silent.of,
            back: silent.back,
            namespaces: listed
                .map(|(name, metrics, names)| NamespaceWords {
                    name: quote(name),
                    metrics: *metrics,
                    names: names.iter().take(MOST_NAMES).map(|name| quote(name)).collect(),
                    more: metrics.saturating_sub(names.len().min(MOST_NAMES) as u64),
                })
                .collect(),
            more: silent.metrics.saturating_sub(counted),
        }
    }
}

impl DailyWords {
    fn of(daily: &Daily, medium: Medium) -> Self {
        Self {
            from: units::time(daily.from),
            to: units::time(daily.to),
            metrics: daily.metrics,
            passes: daily.passes,
            opened: daily.opened,
            resolved: daily.resolved,
            open: daily.open,
            notices: daily.notices,
            dead: daily.dead,
            busiest: (daily.busiest.iter().take(MOST_NAMESPACES))
                .map(|(name, incidents)| BusyWords {
                    name: medium.quote(name, LISTED_NAME_COLUMNS),
                    incidents: *incidents,
                })
                .collect(),
        }
    }
}
