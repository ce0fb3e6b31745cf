//! Answers as text, as the original prints them.

use std::cmp::Ordering;

use prost_types::Timestamp;
use skywatch_algorithms::verdicts::Status;

use crate::health::idl::panorama::{Inference, Metric, Observation, Panorama, Report, View};
use crate::health::idl::verdicts;

/// Date, time and fraction of a second of a time in UTC, without zeros at its end; `separator` stands before the time.
fn moment(time: &Timestamp, separator: char) -> String {
    let found = jiff::Timestamp::new(time.seconds, time.nanos);
    let Ok(found) = found else {
        return format!("{}.{:09}", time.seconds, time.nanos);
    };
    let civil = jiff::tz::Offset::UTC.to_datetime(found);
    let fraction = format!(".{:09}", civil.subsec_nanosecond());
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!(
        "{}{separator}{}{fraction}",
        civil.date(),
        civil.time().strftime("%H:%M:%S")
    )
}

/// A time as `2017-05-21T08:00:39.367133633Z`.
pub(super) fn rfc3339(time: &Timestamp) -> String {
    format!("{}Z", moment(time, 'T'))
}

/// A time as `2017-05-21 08:00:39.367133633 +0000 UTC`.
pub(super) fn go_time(time: &Timestamp) -> String {
    format!("{} +0000 UTC", moment(time, ' '))
}

/// The name of a status number.
pub(super) fn status_name(number: i32) -> String {
    Status::from_number(number).map_or_else(|| number.to_string(), |status| status.name().to_owned())
}

/// An observation as `2017-05-19T08:13:15.385767379Z {snapshot: UNHEALTHY, 30.0; }`.
pub(super) fn observation(seen: Option<&Observation>) -> String {
    let Some(Observation {
        ts: Some(ts),
        metrics,
    }) = seen
    else {
        return "{}".to_owned();
    };
    if metrics.is_empty() {
        return "{}".to_owned();
    }
    let metrics = metrics.iter().map(|(name, metric)| {
        let value = metric.value.unwrap_or_default();
        format!("{name}: {}, {:.1}; ", status_name(value.status), value.score)
    });
    format!("{} {{{}}}", rfc3339(ts), metrics.collect::<String>())
}

/// The lines of a view, oldest first.
pub(super) fn view(view: &View) -> String {
    let lines = view
        .observations
        .iter()
        .map(|seen| format!("  |{}| {}\n", view.observer, observation(Some(seen))));
    lines.collect()
}

/// The views of a subject, each under its head.
pub(super) fn panorama(panorama: &Panorama) -> String {
    let mut views: Vec<_> = panorama.views.values().collect();
    views.sort_by(|a, b| natural(&a.observer, &b.observer));
    let parts = views.into_iter().map(|found| {
        let count = found.observations.len();
        format!(
            "[[... {}->{} ({count} observations) ...]]\n{}",
            found.observer,
            found.subject,
            view(found)
        )
    });
    parts.collect()
}

/// A verdict as `[peer@9] ==> peer@1: 2017-05-21T08:00:39Z {RecvWorker: UNHEALTHY, 20.0; }`.
pub(super) fn inference(inference: &Inference) -> String {
    format!(
        "[{}] ==> {}: {}\n",
        inference.observers.join(" "),
        inference.subject,
        observation(inference.observation.as_ref())
    )
}

/// The head of a subject in a dump.
pub(super) fn head(subject: &str) -> String {
    format!("============={subject}=============\n")
}

/// Our verdict: the state, then a line each vote.
pub(super) fn verdict(verdict: &verdicts::Verdict) -> String {
    let since = verdict.since.as_ref().map(rfc3339).unwrap_or_default();
    let state = state_name(verdict.state());
    let flapping = if verdict.flapping { " (flapping)" } else { "" };
    let mut text = format!("{}: {state}{flapping} since {since}\n", verdict.subject);
    for vote in &verdict.evidence {
        let at = vote.ts.as_ref().map(rfc3339).unwrap_or_default();
        let standing = vote.standing().as_str_name().to_lowercase();
        text.push_str(&format!(
            "  |{}| {}: {}, {:.1} at {at}: {standing}\n",
            vote.observer,
            vote.metric,
            status_name(vote.status),
            vote.score
        ));
    }
    text
}

/// A change of a state, in a line.
pub(super) fn transition(change: &verdicts::Transition) -> String {
    let at = change.ts.as_ref().map(rfc3339).unwrap_or_default();
    let (from, to) = (state_name(change.from()), state_name(change.to()));
    let why = change.evidence.first().map(|vote| {
        format!(
            " ({} of {} by {})",
            status_name(vote.status),
            vote.metric,
            vote.observer
        )
    });
    format!(
        "{at} {}: {from} -> {to}{}\n",
        change.subject,
        why.unwrap_or_default()
    )
}

/// The name of a state, in lower case.
pub(super) fn state_name(state: verdicts::State) -> String {
    state.as_str_name().to_lowercase()
}

/// A report in protobuf's text format on one line, with a blank after each field.
pub(super) fn report(report: &Report) -> String {
    let mut text = String::new();
    text_field(&mut text, "observer", &report.observer);
    text_field(&mut text, "subject", &report.subject);
    if let Some(seen) = &report.observation {
        text.push_str("observation:<");
        if let Some(ts) = &seen.ts {
            text.push_str("ts:<");
            number_field(&mut text, "seconds", ts.seconds);
            number_field(&mut text, "nanos", i64::from(ts.nanos));
            text.push_str("> ");
        }
        for (name, metric) in &seen.metrics {
            text.push_str("metrics:<");
            text_field(&mut text, "key", name);
            metric_field(&mut text, metric);
            text.push_str("> ");
        }
        text.push_str("> ");
    }
    text
}

fn metric_field(text: &mut String, metric: &Metric) {
    text.push_str("value:<");
    text_field(text, "name", &metric.name);
    if let Some(value) = &metric.value {
        text.push_str("value:<");
        if value.status != 0 {
            text.push_str(&format!("status:{} ", status_name(value.status)));
        }
        if value.score != 0.0 {
            text.push_str(&format!("score:{} ", value.score));
        }
        text.push_str("> ");
    }
    text.push_str("> ");
}

fn number_field(text: &mut String, name: &str, number: i64) {
    if number != 0 {
        text.push_str(&format!("{name}:{number} "));
    }
}

fn text_field(text: &mut String, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    text.push_str(name);
    text.push_str(":\"");
    for byte in value.bytes() {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            other => text.push_str(&format!("\\{other:03o}")),
        }
    }
    text.push_str("\" ");
}

/// Orders names so that `peer@9` comes before `peer@10`.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        let (part_a, part_b) = (run(a), run(b));
        let is_digit = |part: &str| part.starts_with(|first: char| first.is_ascii_digit());
        let order = if is_digit(part_a) && is_digit(part_b) {
            let (digits_a, digits_b) = (part_a.trim_start_matches('0'), part_b.trim_start_matches('0'));
            let order = digits_a
                .len()
                .cmp(&digits_b.len())
                .then_with(|| digits_a.cmp(digits_b));
            // Of equal numbers the one with fewer zeros before it.
            order.then(part_a.len().cmp(&part_b.len()))
        } else {
            part_a.cmp(part_b)
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (&a[part_a.len()..], &b[part_b.len()..]);
    }
}

/// The digits, or what is none, at the start.
fn run(text: &str) -> &str {
    let is_digit = text.starts_with(|first: char| first.is_ascii_digit());
    let end = text.find(|next: char| next.is_ascii_digit() != is_digit);
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::idl::panorama::{self, Value};

    fn sample() -> Report {
        let metric = Metric {
            name: "snapshot".to_owned(),
            value: Some(Value {
                status: panorama::Status::Unhealthy.into(),
                score: 30.0,
            }),
        };
        Report {
            observer: "peer@2".to_owned(),
            subject: "peer@1".to_owned(),
            observation: Some(Observation {
                ts: Some(Timestamp {
                    seconds: 1_495_181_595,
                    nanos: 385_767_379,
                }),
                metrics: [("snapshot".to_owned(), metric)].into(),
            }),
        }
    }

    #[test]
    fn answers_are_the_originals() {
        let sample = sample();
        assert_eq!(
            report(&sample),
            "observer:\"peer@2\" subject:\"peer@1\" observation:<ts:<seconds:1495181595 nanos:385767379 > \
             metrics:<key:\"snapshot\" value:<name:\"snapshot\" value:<status:UNHEALTHY score:30 > > > > "
        );
        let seen = sample.observation.clone().expect("it is there");
        assert_eq!(
            observation(Some(&seen)),
            "2017-05-19T08:13:15.385767379Z {snapshot: UNHEALTHY, 30.0; }"
        );
        assert_eq!(observation(None), "{}");
        assert_eq!(
            observation(Some(&Observation {
                metrics: Default::default(),
                ..seen.clone()
            })),
            "{}"
        );
        let views = View {
            observer: "peer@2".to_owned(),
            subject: "peer@1".to_owned(),
            observations: vec![seen.clone()],
        };
        let all = Panorama {
            subject: "peer@1".to_owned(),
            views: [("peer@2".to_owned(), views)].into(),
        };
        assert_eq!(
            panorama(&all),
            "[[... peer@2->peer@1 (1 observations) ...]]\n  |peer@2| 2017-05-19T08:13:15.385767379Z {snapshot: UNHEALTHY, 30.0; }\n"
        );
        let inferred = Inference {
            subject: "peer@1".to_owned(),
            observers: vec!["peer@2".to_owned(), "peer@3".to_owned()],
            observation: Some(seen),
        };
        assert_eq!(
            inference(&inferred),
            "[peer@2 peer@3] ==> peer@1: 2017-05-19T08:13:15.385767379Z {snapshot: UNHEALTHY, 30.0; }\n"
        );
        let time = |seconds, nanos| go_time(&Timestamp { seconds, nanos });
        assert_eq!(
            time(1_495_353_639, 367_133_630),
            "2017-05-21 08:00:39.36713363 +0000 UTC"
        );
        assert_eq!(time(1_495_353_639, 0), "2017-05-21 08:00:39 +0000 UTC");
    }

    #[test]
    fn foreign_text_is_escaped() {
        let mut text = String::new();
        text_field(&mut text, "observer", "a\"b\\\n\u{1b}ä");
        assert_eq!(text, "observer:\"a\\\"b\\\\\\n\\033\\303\\244\" ");
    }

    #[test]
    fn numbers_in_names_are_numbers() {
        let mut names = ["peer@10", "peer@9", "a", "peer@1x", "peer", "10", "9", "peer@09"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["9", "10", "a", "peer", "peer@1x", "peer@9", "peer@09", "peer@10"]
        );
    }
}
