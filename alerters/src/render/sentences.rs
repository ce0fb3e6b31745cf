//! Sentences: what a message says before it says anything in detail.
//!
//! Pure Rust and never a template, so that a pager, a log line and a subject can rely on them.

use super::medium::{NAME_COLUMNS, SENTENCE_COLUMNS};
use crate::anomaly::{Anomaly, Contributor, Evidence};
use crate::incident::Phase;
use crate::notice::{Content, Counts, Daily, News, NewsKind, Notice, NoticeItem, Silent};
use crate::{text, units};

/// Widest summary. Phones show about 40 columns, so what matters comes first; servers and list software
/// start to mangle beyond this.
pub(super) const SUMMARY_COLUMNS: usize = 120;
/// Widest name in a summary, so that the value is always seen beside it.
const SUMMARY_NAME_COLUMNS: usize = 60;
/// Contributors named in a message; what has a smaller part than these explains little.
const CONTRIBUTORS: usize = 5;

/// The notice in one line without control characters, at most 120 columns:
/// `[skywatch] web1.cpu is 97.2, above the expected 20.1 to 40.3`
pub fn summary(notice: &Notice) -> String {
    let short = |name: &str| text::shorten(name, SUMMARY_NAME_COLUMNS).into_owned();
    let says = match &notice.content {
        Content::Incidents(news) => match notice.single() {
            Some(item) => told(item, notice.at, &short, &|says| text::one_line(says).into_owned()),
            None => many(news, &short),
        },
        Content::Silent(silent) => fallen_silent(silent),
        Content::Daily(daily) => a_day(daily),
        Content::Test { by } => a_test(by, &short),
    };
    text::shorten(&format!("[skywatch] {says}"), SUMMARY_COLUMNS).into_owned()
}

/// One line a person can read: what, how much, how much was expected, when, and who says so.
///
/// ```text
/// web1.cpu is 97.2, above the expected 20.1 to 40.3, at 2026-11-21 13:42 UTC; 2 of 3 detectors: grubbs, ks_test
/// ```
pub fn log_line(anomaly: &Anomaly) -> String {
    let name = text::shorten(anomaly.name(), NAME_COLUMNS);
    let at = units::time(anomaly.at);
    if !anomaly.is_measured() {
        let says = text::shorten(finder_says(anomaly), SENTENCE_COLUMNS);
        return format!("{name}: {says}, at {at}");
    }
    let rate = if anomaly.window().rate {
        " (change per step)"
    } else {
        ""
    };
    let findings = findings(anomaly);
    let votes = judged(anomaly);
    let says = match anomaly.sentence.as_str() {
        "" => String::new(),
        sentence => format!("; {}", text::shorten(sentence, SENTENCE_COLUMNS)),
    };
    format!("{name}{rate} is {findings}, at {at}{says}; {votes}")
}

/// What there is to say about one incident, in a sentence without its full stop. `name` and `sentence` make
/// the subject's name and its finder's words fit for the medium.
pub(super) fn told(
    item: &NoticeItem,
    now: f64,
    name: &dyn Fn(&str) -> String,
    sentence: &dyn Fn(&str) -> String,
) -> String {
    let anomaly = &item.anomaly;
    let quote = name;
    let name = quote(anomaly.name());
    let lasted = units::length((item.until.unwrap_or(now) - item.since).max(0.0));
    if !anomaly.is_measured() {
        let says = sentence(finder_says(anomaly));
        return match item.what {
            NewsKind::Opened => format!("{name}: {says}"),
            NewsKind::Returned if item.flapping.is_some() => format!("{name} is {}: {says}", flapping(item)),
            NewsKind::Returned => format!("{name} again: {says}"),
            NewsKind::Worse => format!("{name} is worse: {says}"),
            NewsKind::SilenceEnded => format!("{name}, now that the silence is over: {says}"),
            NewsKind::Reminder | NewsKind::Lasts => format!("{name}, still after {lasted}: {says}"),
            NewsKind::Acknowledged => format!("{name} is acknowledged: {says}"),
            NewsKind::Resolved | NewsKind::Settled => format!("{name} is well again after {lasted}"),
            NewsKind::Gone => format!("{name} is watched no longer, after {lasted}: {says}"),
            NewsKind::Closed => {
                let by = closed_by(item, quote);
                format!("{name} was closed{by} after {lasted}: {says}")
            }
            NewsKind::Passed => format!("{name} was not well for {lasted}: {says}"),
        };
    }
    let findings = findings(anomaly);
    match item.what {
        NewsKind::Opened => format!("{name} is {findings}"),
        NewsKind::Returned if item.flapping.is_some() => format!("{name} is {}: {findings}", flapping(item)),
        NewsKind::Returned => format!("{name} is anomalous again: {findings}"),
        NewsKind::Worse => format!("{name} is worse: {findings}"),
        NewsKind::SilenceEnded => format!("{name} is anomalous, now that the silence is over: {findings}"),
        NewsKind::Reminder | NewsKind::Lasts => {
            format!("{name} is still anomalous after {lasted}: {findings}")
        }
        NewsKind::Acknowledged => format!("{name} is acknowledged: {findings}"),
        NewsKind::Passed => {
            format!(
                "{name} was anomalous for {lasted} and {}",
                how_it_ended(item, quote)
            )
        }
        NewsKind::Gone => match item.ending.as_ref().and_then(|ending| ending.value) {
            Some(value) => format!("{name} is gone after {lasted}, last at {}", units::number(value)),
            None => format!("{name} is gone after {lasted}"),
        },
        NewsKind::Resolved | NewsKind::Settled | NewsKind::Closed => {
            format!("{name} {} after {lasted}", how_it_ended(item, quote))
        }
    }
}

/// One line about an incident that has ended, for a person: `web1.cpu settled at 60 (was 10) after 12 min`.
pub fn ended(item: &NoticeItem) -> String {
    let name = |name: &str| text::shorten(name, NAME_COLUMNS).into_owned();
    let sentence = |says: &str| text::shorten(says, SENTENCE_COLUMNS).into_owned();
    told(item, item.until.unwrap_or(item.since), &name, &sentence)
}

/// `flapping, 4 times in an hour`, or empty.
pub fn flapping(item: &NoticeItem) -> String {
    let times = |times| format!("flapping, {times} times in an hour");
    item.flapping.map_or_else(String::new, times)
}

/// `is back to normal at 31.4`; `settled at 60 (was 10)`; `is gone, last at 97.2`; `was closed by anna at 97.2`.
///
/// A green word is said of a recovery alone.
fn how_it_ended(item: &NoticeItem, quote: &dyn Fn(&str) -> String) -> String {
    let ending = item.ending.as_ref();
    let value = ending.and_then(|ending| ending.value);
    let before = ending.and_then(|ending| ending.before);
    let at = |words: &str| match value {
        Some(value) => format!("{words}{}", units::number(value)),
        None => String::new(),
    };
    match item.outcome().unwrap_or(Phase::Resolved) {
        Phase::Settled => {
            let shown = units::distinct(&[value.unwrap_or(f64::NAN), before.unwrap_or(f64::NAN)]);
            let level = value.map_or(" at a new level".to_owned(), |_| format!(" at {}", shown[0]));
            let was = before.map_or(String::new(), |_| format!(" (was {})", shown[1]));
            format!("settled{level}{was}")
        }
        Phase::Gone => format!("is gone{}", at(", last at ")),
        Phase::Closed => format!("was closed{}{}", closed_by(item, quote), at(" at ")),
        _ => format!("is back to normal{}", at(" at ")),
    }
}

/// ` by anna`, or empty.
fn closed_by(item: &NoticeItem, quote: &dyn Fn(&str) -> String) -> String {
    match item.ending.as_ref().map(|ending| ending.by.as_str()) {
        None | Some("") => String::new(),
        Some(by) => format!(" by {}", quote(&text::shorten(by, SUMMARY_NAME_COLUMNS))),
    }
}

/// The end and the value at that moment, for a line of its own: `settled at 60 (was 10)`; empty while it lasts.
pub(super) fn ending(item: &NoticeItem, quote: &dyn Fn(&str) -> String) -> String {
    if item.outcome().is_none() || !item.anomaly.is_measured() {
        return String::new();
    }
    let says = how_it_ended(item, quote);
    let bare = says.strip_prefix("is ").or(says.strip_prefix("was "));
    bare.unwrap_or(&says).to_owned()
}

/// `214 metrics are anomalous, 12 critical, 3 resolved`, with the group they are in or else the worst.
pub(super) fn many(news: &News, name: &dyn Fn(&str) -> String) -> String {
    let counts = counts(news);
    match (news.group.as_str(), news.items.first()) {
        ("", Some(worst)) if news.counts.firing > 0 => {
            format!("{counts}; the worst is {}", name(worst.anomaly.name()))
        }
        ("", _) => counts,
        (group, _) => format!("{}: {counts}", name(group)),
    }
}

/// `214 metrics are anomalous, 12 critical, 3 resolved`
pub(super) fn counts(news: &News) -> String {
    let Counts {
        firing,
        resolved,
        acknowledged,
        critical,
    } = news.counts;
    let [noun, nouns] = nouns(news);
    let several = |count| format!("{count} {}", if count == 1 { noun } else { nouns });
    let mut parts = Vec::new();
    if firing > 0 {
        let verb = if firing == 1 { "is" } else { "are" };
        parts.push(format!("{} {verb} anomalous", several(firing)));
        if critical > 0 {
            parts.push(format!("{critical} critical"));
        }
    }
    // "Resolved" is said only where all of them are.
    let mut outcomes = news.items.iter().filter_map(NoticeItem::outcome);
    let over = if outcomes.all(|outcome| outcome == Phase::Resolved) {
        "resolved"
    } else {
        "over"
    };
    for (count, word) in [(resolved, over), (acknowledged, "acknowledged")] {
        if count > 0 && parts.is_empty() {
            let are = match (word, count) {
                ("over", 1) => "is ",
                ("over", _) => "are ",
                _ => "",
            };
            parts.push(format!("{} {are}{word}", several(count)));
        } else if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    if parts.is_empty() {
        return "nothing new".into();
    }
    parts.join(", ")
}

/// `12 of 30000 metrics have fallen silent, 3 are back`
pub(super) fn fallen_silent(silent: &Silent) -> String {
    let are = |count| if count == 1 { "is" } else { "are" };
    let back = format!("{} {} back", silent.back, are(silent.back));
    let have = if silent.metrics == 1 { "has" } else { "have" };
    match (silent.metrics, silent.back) {
        (0, 0) => "no metric is silent".into(),
        (0, 1) => "1 metric that was silent is back".into(),
        (0, back) => format!("{back} metrics that were silent are back"),
        (metrics, 0) => format!(
            "{metrics} of {} {have} fallen silent",
            several(silent.of, "metric")
        ),
        (metrics, _) => format!(
            "{metrics} of {} {have} fallen silent, {back}",
            several(silent.of, "metric")
        ),
    }
}

/// `the day: 5 incidents opened, 4 over, 2 open; 30000 metrics watched`
pub(super) fn a_day(daily: &Daily) -> String {
    let mut says = format!(
        "the day: {} opened, {} over, {} open; {} watched",
        several(daily.opened, "incident"),
        daily.resolved,
        daily.open,
        several(daily.metrics, "metric")
    );
    if daily.dead > 0 {
        says.push_str(&format!("; {} reached nobody", several(daily.dead, "notice")));
    }
    says
}

/// `a test, asked for by anna: notices arrive`
pub(super) fn a_test(by: &str, name: &dyn Fn(&str) -> String) -> String {
    if by.is_empty() {
        return "a test: notices arrive".into();
    }
    format!("a test, asked for by {}: notices arrive", name(by))
}

/// `97.2, above the expected 20.1 to 40.3`; `97.2, expected 20 to 100` for a value inside its
/// range; `97.2` without one.
pub(super) fn findings(anomaly: &Anomaly) -> String {
    let (value, range) = numbers(anomaly);
    let (Some(expected), Some(range)) = (anomaly.expected, range) else {
        return value;
    };
    // Four digits may not tell them apart, and more would claim to know what nobody does.
    let just = |bound: f64| {
        let shown = units::distinct(&[anomaly.observed, bound]);
        if shown[0] == shown[1] { "just " } else { "" }
    };
    if anomaly.observed > expected.high {
        format!("{value}, {}above the expected {range}", just(expected.high))
    } else if anomaly.observed < expected.low {
        format!("{value}, {}below the expected {range}", just(expected.low))
    } else {
        format!("{value}, expected {range}")
    }
}

/// The value and the expected range, in digits enough to tell them apart.
pub(super) fn numbers(anomaly: &Anomaly) -> (String, Option<String>) {
    let Some(expected) = anomaly.expected else {
        return (units::number(anomaly.observed), None);
    };
    let shown = units::distinct(&[anomaly.observed, expected.low, expected.high]);
    let range = expected.in_words(&shown[1], &shown[2]);
    (shown[0].clone(), Some(range))
}

/// `2 of 3 detectors: grubbs, ks_test`
pub(super) fn votes_in_short(anomaly: &Anomaly, name: &dyn Fn(&str) -> String) -> String {
    let voters: Vec<String> = anomaly.voters().map(name).collect();
    if let Some(score) = score_in_short(anomaly) {
        // Votes say nothing where a score decides.
        return match voters.as_slice() {
            [] => score,
            voters => format!("{score}: {}", voters.join(", ")),
        };
    }
    match (voters.len(), anomaly.cast()) {
        (_, 0) => "no detector voted".into(),
        (0, cast) => format!("0 of {}", several(cast as u64, "detector")),
        (anomalous, cast) => format!(
            "{anomalous} of {}: {}",
            several(cast as u64, "detector"),
            voters.join(", ")
        ),
    }
}

/// `db.latency 70 %, cart.errors 20 %`: what has a part in it; empty where nothing is known of that.
pub fn contributors(anomaly: &Anomaly) -> String {
    shares(&anomaly.contributors)
}

/// `root causes: db 70 %, cache 20 %`; empty where nothing is ranked.
pub(super) fn ranking(anomaly: &Anomaly) -> String {
    let mut evidence = anomaly.evidence.iter();
    let ranking = evidence.find_map(|evidence| match evidence {
        Evidence::Ranking { of, ranked } => Some(format!("{of}: {}", shares(ranked))),
        _ => None,
    });
    ranking.unwrap_or_default()
}

/// `namespace=shop, zone=eu`; empty without labels.
pub(super) fn labels(anomaly: &Anomaly) -> String {
    let labels = anomaly.labels.iter();
    let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
    labels.join(", ")
}

fn shares(contributors: &[Contributor]) -> String {
    let share = |of: &Contributor| {
        let name = text::shorten(&of.name, SUMMARY_NAME_COLUMNS);
        format!("{name} {:.0} %", of.weight * 100.0)
    };
    let shares: Vec<String> = contributors.iter().take(CONTRIBUTORS).map(share).collect();
    shares.join(", ")
}

/// Who or what called it anomalous: `2 of 3 detectors: grubbs, ks_test`, or the score where one decides.
pub fn judged(anomaly: &Anomaly) -> String {
    votes_in_short(anomaly, &|detector| text::one_line(detector).into_owned())
}

/// `score 1.8, where 1 is the limit`, of an anomaly that has a score; what counts then is not votes.
pub(super) fn score_in_short(anomaly: &Anomaly) -> Option<String> {
    let score = anomaly.strength?.score;
    Some(format!("score {}, where 1 is the limit", units::number(score)))
}

/// `3rd time in 30 days, last on 2026-11-19 08:00 UTC`; empty the first time.
pub(super) fn before(item: &NoticeItem) -> String {
    if item.before == 0 {
        return String::new();
    }
    let time = ordinal(item.before + 1);
    match item.last_before {
        Some(last) => format!("{time} time in 30 days, last on {}", units::time(last)),
        None => format!("{time} time in 30 days"),
    }
}

/// What is wrong, in its finder's words.
fn finder_says(anomaly: &Anomaly) -> &str {
    if anomaly.sentence.is_empty() {
        return "not well";
    }
    &anomaly.sentence
}

/// One of what the notice is about, and several.
fn nouns(news: &News) -> [&'static str; 2] {
    let mut kinds = news.items.iter().map(|item| item.anomaly.subject.kind());
    match kinds.next() {
        None => ["metric", "metrics"],
        Some(first) if kinds.all(|kind| kind.name == first.name) => [first.name, first.plural],
        Some(_) => ["subject", "subjects"],
    }
}

/// `1 metric`, `5 metrics`
pub(super) fn several(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// `critical` where something is left to do, `resolved`, `settled`, `gone` or `closed` where nothing is.
pub(super) fn state(item: &NoticeItem) -> &'static str {
    match (item.outcome(), item.what) {
        (Some(outcome), _) => outcome.as_str(),
        (None, NewsKind::Acknowledged) => "acknowledged",
        (None, _) => item.severity.as_str(),
    }
}

fn ordinal(count: u64) -> String {
    let ending = match (count % 10, count % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{count}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals() {
        let shown: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111, 113].map(ordinal).to_vec();
        assert_eq!(
            shown,
            [
                "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th", "113th"
            ]
        );
    }

    #[test]
    fn counts_leave_out_what_there_is_none_of() {
        let says = |firing, critical, resolved, acknowledged| {
            counts(&News {
                counts: Counts {
                    firing,
                    resolved,
                    acknowledged,
                    critical,
                },
                ..News::default()
            })
        };
        assert_eq!(
            says(214, 12, 3, 0),
            "214 metrics are anomalous, 12 critical, 3 resolved"
        );
        assert_eq!(says(1, 0, 0, 2), "1 metric is anomalous, 2 acknowledged");
        assert_eq!(says(0, 0, 2, 1), "2 metrics resolved, 1 acknowledged");
        assert_eq!(says(0, 0, 0, 0), "nothing new");
    }
}
