//! Notices about things that never happened: for checking templates, for trying receivers, for tests.

use crate::anomaly::{Anomaly, DetectorVote, Expected, JudgedWindow, Severity, Subject, Votes};
use crate::incident::{Ending, Phase};
use crate::notice::{Content, Counts, Daily, LISTED, News, NewsKind, Notice, NoticeItem, Silent};

/// An hour at which the samples play, Unix seconds: 2026-11-21 13:42 UTC.
pub const AT: f64 = 1_795_268_520.0;

/// A day of a quiet metric with one point far outside at its end.
pub fn anomaly(name: &str) -> Anomaly {
    let times: Vec<f64> = (0..1_440).map(|i| AT + f64::from(i - 1_439) * 60.0).collect();
    let mut values: Vec<f64> = times
        .iter()
        .map(|time| 30.0 + 8.0 * (time / 13_750.0).sin())
        .collect();
    values[1_439] = 97.2;
    let vote = |detector: &str, answer, measured, limit| DetectorVote {
        detector: detector.into(),
        answer,
        measured,
        limit,
    };
    let expected = Expected {
        low: 20.1,
        high: 40.3,
        centre: 30.2,
    };
    let votes = vec![
        vote("grubbs", Some(true), 8.123, 3.98),
        vote("ks_test", Some(false), 3.000_1, 3.0),
        vote("least_squares", Some(true), 61.0, 24.5),
        vote("histogram_bins", None, f64::NAN, f64::NAN),
    ];
    Anomaly::new(Subject::Metric(name.into()), Severity::Warning, AT)
        .with_value(97.2, Some(expected))
        .with_votes(votes)
        .with_window(JudgedWindow {
            times,
            values,
            rate: false,
        })
}

/// An incident about [`anomaly`].
pub fn item(name: &str, what: NewsKind) -> NoticeItem {
    NoticeItem {
        incident: 17,
        what,
        anomaly: anomaly(name),
        severity: Severity::Warning,
        since: AT,
        until: what.is_over().then_some(AT + 1_320.0),
        ending: what.is_over().then(|| ending(what)),
        flapping: None,
        before: 0,
        last_before: None,
        not_before: what.is_firing().then_some(AT + 1_800.0),
        remark: String::new(),
        causes: None,
    }
}

fn ending(what: NewsKind) -> Ending {
    let of = |outcome, value: f64| Ending {
        outcome,
        value: Some(value),
        before: None,
        by: String::new(),
    };
    match what {
        NewsKind::Settled => Ending {
            before: Some(30.2),
            ..of(Phase::Settled, 96.8)
        },
        NewsKind::Gone => of(Phase::Gone, 97.2),
        NewsKind::Closed => Ending {
            by: "anna".into(),
            ..of(Phase::Closed, 97.2)
        },
        _ => of(Phase::Resolved, 31.4),
    }
}

/// A notice about these incidents.
pub fn notice(items: Vec<NoticeItem>) -> Notice {
    let count =
        |wanted: &dyn Fn(&NoticeItem) -> bool| items.iter().filter(|item| wanted(item)).count() as u64;
    let counts = Counts {
        firing: count(&|item| item.what.is_firing()),
        resolved: count(&|item| item.what.is_over()),
        acknowledged: count(&|item| item.what == NewsKind::Acknowledged),
        critical: count(&|item| item.what.is_firing() && item.severity == Severity::Critical),
    };
    Notice {
        id: "7f3a.17".into(),
        thread: "7f3a.17".into(),
        receiver: "ops".into(),
        route: "default".into(),
        at: AT + 5.0,
        content: Content::Incidents(News {
            still_open: counts.firing + counts.acknowledged,
            counts,
            items,
            ..News::default()
        }),
        base_url: "https://watch.example.org".into(),
        command: crate::notice::usual_command(),
    }
}

/// Names that try to be more than names: markup, another header, a pattern, another template's words, a
/// mention, a link, a direction mark, nothing at all, and four kilobytes.
pub fn hostile_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "<script>alert(1)</script>",
        "a\nBcc: x@y",
        "a\r\n.\r\nMAIL FROM:<x@y>",
        "*.{}",
        "{{ 7*7 }}{% raw %}",
        "@channel <!here> <!channel> <@U123>",
        "<https://example.org|click here>",
        "*bold* _it_ ~gone~ `code` ```",
        "\" ] \\ '",
        "🔥 temp\u{202e}",
        " ",
        "",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push(format!("stats.{}.p99", "x".repeat(4_096)));
    names
}

/// An incident about a part of Skywatch.
pub fn component(what: NewsKind) -> NoticeItem {
    let mut item = item("skywatch.store", what);
    item.severity = Severity::Critical;
    if let Some(ending) = &mut item.ending {
        (ending.value, ending.before) = (None, None);
    }
    let subject = Subject::Component("skywatch.store".into());
    item.anomaly = Anomaly::new(subject, Severity::Critical, AT)
        .with_sentence("the store at `redis:6379` has not answered for 7 min");
    item
}

/// A notice about more incidents than are listed: `firing` anomalous ones, a few of them critical, and
/// `resolved` that are over.
pub fn digest(firing: u64, resolved: u64) -> Notice {
    let named = |i: u64, what| item(&format!("web{}.cpu.user", i + 1), what);
    let mut items: Vec<NoticeItem> = (0..firing.min(LISTED as u64 - resolved.min(3)))
        .map(|i| named(i, NewsKind::Opened))
        .chain((0..resolved.min(3)).map(|i| named(firing + i, NewsKind::Resolved)))
        .collect();
    for (i, item) in items.iter_mut().enumerate() {
        item.incident += i as u64;
        if i < 4 && item.what.is_firing() {
            item.severity = Severity::Critical;
        }
        if i >= 3 {
            item.anomaly = item.anomaly.without_window();
        }
    }
    let mut notice = notice(items);
    if let Content::Incidents(news) = &mut notice.content {
        news.counts.firing = firing;
        news.counts.resolved = resolved;
        news.counts.critical = news.counts.critical.max(firing.div_ceil(18));
        news.still_open = firing;
    }
    notice
}

/// A notice of this content.
pub fn about(content: Content) -> Notice {
    Notice {
        content,
        ..notice(Vec::new())
    }
}

/// Metrics fallen silent, some of them with the names given.
pub fn silent(names: &[String]) -> Notice {
    let mut namespaces = vec![
        (
            "web1".to_owned(),
            9,
            vec!["web1.cpu".to_owned(), "web1.load".into()],
        ),
        ("db".to_owned(), 3, vec!["db.reads".to_owned()]),
    ];
    for name in names {
        namespaces.push((name.clone(), 1, vec![name.clone()]));
    }
    about(Content::Silent(Silent {
        metrics: 12 + names.len() as u64,
        of: 30_000,
        namespaces,
        back: 3,
    }))
}

/// A day, with these names among the busiest.
pub fn daily(names: &[String]) -> Notice {
    let mut busiest = vec![("web1.cpu".to_owned(), 4), ("db.reads".to_owned(), 2)];
    busiest.extend(names.iter().map(|name| (name.clone(), 1)));
    about(Content::Daily(Daily {
        from: AT - 86_400.0,
        to: AT,
        metrics: 30_000,
        passes: 1_440,
        opened: 9,
        resolved: 7,
        open: 2,
        notices: 18,
        dead: 1,
        busiest,
    }))
}

/// Every kind of notice there is, and each again with every hostile name, by a name to find it by.
pub fn every_kind() -> Vec<(String, Notice)> {
    let mut kinds = Vec::new();
    for what in NewsKind::ALL {
        let name = what.as_str();
        let mut item = item("web1.cpu", what);
        if what != NewsKind::Opened {
            item.before = 2;
            item.last_before = Some(AT - 194_000.0);
            item.since = AT - 5_400.0;
        }
        match what {
            NewsKind::Worse => item.severity = Severity::Critical,
            NewsKind::Returned => item.flapping = Some(4),
            NewsKind::Acknowledged => item.remark = "acknowledged by anna until it is resolved".into(),
            NewsKind::SilenceEnded => item.remark = "silence 4 by anna has ended".into(),
            _ => {}
        }
        kinds.push((name.to_owned(), notice(vec![item])));
        kinds.push((format!("component_{name}"), notice(vec![component(what)])));
    }
    let mut held_back = digest(214, 3);
    if let Content::Incidents(news) = &mut held_back.content {
        news.held_back = 4;
        news.group = "web.cpu".into();
    }
    kinds.push(("digest".into(), held_back));
    kinds.push(("digest_small".into(), digest(2, 1)));
    kinds.push(("digest_over".into(), digest(0, 3)));
    kinds.push(("silent".into(), silent(&[])));
    kinds.push(("daily".into(), daily(&[])));
    kinds.push(("test".into(), about(Content::Test { by: "anna".into() })));
    kinds.push(("bare".into(), bare()));
    let names = hostile_names();
    for (i, name) in names.iter().enumerate() {
        kinds.extend(hostile(name).map(|notice| (format!("hostile_{i}"), notice)));
    }
    kinds.push(("hostile_silent".into(), silent(&names)));
    kinds.push(("hostile_daily".into(), daily(&names)));
    kinds
}

/// An incident of which as little is known as can be.
pub fn bare() -> Notice {
    let mut item = item("web1.cpu", NewsKind::Opened);
    item.incident = 0;
    item.not_before = None;
    let window = JudgedWindow {
        times: vec![0.0],
        values: vec![1.0],
        rate: true,
    };
    item.anomaly = item
        .anomaly
        .with_value(97.2, None)
        .with_votes(Votes::default())
        .with_window(window);
    Notice {
        base_url: String::new(),
        ..notice(vec![item])
    }
}

/// Notices with this name wherever a name can be.
fn hostile(name: &str) -> [Notice; 4] {
    let mut item = item(name, NewsKind::Acknowledged);
    item.remark = name.to_owned();
    item.anomaly.sentence = name.to_owned();
    let mut votes = item.anomaly.votes().to_vec();
    votes
        .iter_mut()
        .for_each(|vote| name.clone_into(&mut vote.detector));
    item.anomaly = item.anomaly.with_votes(votes);
    let mut of_ours = component(NewsKind::Opened);
    of_ours.anomaly.subject = Subject::Component(name.to_owned());
    of_ours.anomaly.sentence = name.to_owned();
    let mut many = notice(vec![item.clone(), of_ours.clone()]);
    if let Content::Incidents(news) = &mut many.content {
        news.group = name.to_owned();
    }
    let mut test = about(Content::Test { by: name.to_owned() });
    test.receiver = name.to_owned();
    test.route = name.to_owned();
    [notice(vec![item]), notice(vec![of_ours]), many, test]
}
