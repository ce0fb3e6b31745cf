//! Sentences: what a message says before it says anything in detail.
//!
//! Pure Rust and never a template, so that a pager, a log line and a subject can rely on them.

use crate::anomaly::{Anomaly, Severity, Subject};
use crate::notice::{Content, Counts, Daily, Item, News, Notice, Silent, What};
use crate::{text, units};

/// Widest summary. Phones show about 40 columns, so what matters comes first; servers and list software
/// start to mangle beyond this.
pub(super) const SUMMARY_COLUMNS: usize = 120;
/// Widest name in a summary, so that the value is always seen beside it.
const SUMMARY_NAME_COLUMNS: usize = 60;

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
    let name = text::shorten(anomaly.name(), super::words::NAME_COLUMNS);
    let at = units::time(anomaly.at);
    if is_component(anomaly) {
        let says = text::shorten(component_says(anomaly), super::words::SENTENCE_COLUMNS);
        return format!("{name}: {says}, at {at}");
    }
    let rate = if anomaly.evidence.rate {
        " (change per step)"
    } else {
        ""
    };
    let findings = findings(anomaly);
    let votes = votes_in_short(anomaly, &|detector| text::one_line(detector).into_owned());
    let says = match anomaly.sentence.as_str() {
        "" => String::new(),
        sentence => format!("; {}", text::shorten(sentence, super::words::SENTENCE_COLUMNS)),
    };
    format!("{name}{rate} is {findings}, at {at}{says}; {votes}")
}

/// What there is to say about one incident, in a sentence without its full stop. `name` and `sentence` make
/// the subject's name and its finder's words fit for the medium.
pub(super) fn told(
    item: &Item,
    now: f64,
    name: &dyn Fn(&str) -> String,
    sentence: &dyn Fn(&str) -> String,
) -> String {
    let anomaly = &item.anomaly;
    let name = name(anomaly.name());
    let lasted = units::length((item.until.unwrap_or(now) - item.since).max(0.0));
    if is_component(anomaly) {
        let says = sentence(component_says(anomaly));
        return match item.what {
            What::Opened => format!("{name}: {says}"),
            What::Returned => format!("{name} again: {says}"),
            What::Worse => format!("{name} is worse: {says}"),
            What::SilenceEnded => format!("{name}, now that the silence is over: {says}"),
            What::Reminder => format!("{name}, still after {lasted}: {says}"),
            What::Acknowledged => format!("{name} is acknowledged: {says}"),
            What::Resolved => format!("{name} is well again after {lasted}"),
            What::Passed => format!("{name} was not well for {lasted}: {says}"),
        };
    }
    let findings = findings(anomaly);
    match item.what {
        What::Opened => format!("{name} is {findings}"),
        What::Returned => format!("{name} is anomalous again: {findings}"),
        What::Worse => format!("{name} is worse: {findings}"),
        What::SilenceEnded => format!("{name} is anomalous, now that the silence is over: {findings}"),
        What::Reminder => format!("{name} is still anomalous after {lasted}: {findings}"),
        What::Acknowledged => format!("{name} is acknowledged: {findings}"),
        What::Resolved => format!("{name} is back to normal after {lasted}"),
        What::Passed => format!("{name} was anomalous for {lasted} and is back to normal"),
    }
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
    let metrics_only = news
        .items
        .iter()
        .all(|item| matches!(item.anomaly.subject, Subject::Metric(_)));
    let noun = if metrics_only { "metric" } else { "subject" };
    let mut parts = Vec::new();
    if firing > 0 {
        let verb = if firing == 1 { "is" } else { "are" };
        parts.push(format!("{} {verb} anomalous", several(firing, noun)));
        if critical > 0 {
            parts.push(format!("{critical} critical"));
        }
    }
    for (count, word) in [(resolved, "resolved"), (acknowledged, "acknowledged")] {
        if count > 0 && parts.is_empty() {
            parts.push(format!("{} {word}", several(count, noun)));
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

/// `the day: 5 incidents opened, 4 resolved, 2 are open; 30000 metrics watched`
pub(super) fn a_day(daily: &Daily) -> String {
    let mut says = format!(
        "the day: {} opened, {} resolved, {} open; {} watched",
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
    if anomaly.observed > expected.high {
        format!("{value}, above the expected {range}")
    } else if anomaly.observed < expected.low {
        format!("{value}, below the expected {range}")
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

/// `3rd time in 30 days, last on 2026-11-19 08:00 UTC`; empty the first time.
pub(super) fn before(item: &Item) -> String {
    if item.before == 0 {
        return String::new();
    }
    let time = ordinal(item.before + 1);
    match item.last_before {
        Some(last) => format!("{time} time in 30 days, last on {}", units::time(last)),
        None => format!("{time} time in 30 days"),
    }
}

/// What a component of ours suffers from, in its finder's words.
fn component_says(anomaly: &Anomaly) -> &str {
    if anomaly.sentence.is_empty() {
        return "not well";
    }
    &anomaly.sentence
}

/// Whether it is about a part of Skywatch: nothing was measured, nobody voted, there is nothing to draw.
pub(super) fn is_component(anomaly: &Anomaly) -> bool {
    matches!(anomaly.subject, Subject::Component(_))
}

/// `1 metric`, `5 metrics`
pub(super) fn several(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// `critical` where something is left to do, `resolved` where nothing is.
pub(super) fn state(what: What, severity: Severity) -> &'static str {
    match what {
        What::Resolved | What::Passed => "resolved",
        What::Acknowledged => "acknowledged",
        _ => severity.as_str(),
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
