use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::anomaly::{DetectorVote, Strength};
use crate::causes::{IncidentCauses, Nearness, RelatedMetric, SHOWN_RELATED, SharedCause};
use crate::notice::{Content, NewsKind, NoticeItem};
use crate::sample::{self, anomaly};

fn notice(name: &str) -> Notice {
    sample::notice(vec![sample::item(name, NewsKind::Opened)])
}

fn item(notice: &mut Notice) -> &mut NoticeItem {
    match &mut notice.content {
        Content::Incidents(news) => &mut news.items[0],
        _ => unreachable!("it is about an incident"),
    }
}

fn templates() -> Templates {
    Templates::embedded().unwrap()
}

#[test]
fn the_log_line_reads_like_a_sentence() {
    insta::assert_snapshot!(
        log_line(&anomaly("web1.cpu")),
        @"web1.cpu is 97.2, above the expected 20.1 to 40.3, at 2026-11-21 13:42 UTC; 2 of 3 detectors: grubbs, least_squares"
    );
    insta::assert_snapshot!(
        log_line(&item(&mut sample::bare()).anomaly),
        @"web1.cpu (change per step) is 97.2, at 2026-11-21 13:42 UTC; no detector voted"
    );
    insta::assert_snapshot!(
        log_line(&sample::component(NewsKind::Opened).anomaly),
        @"skywatch.store: the store at `redis:6379` has not answered for 7 min, at 2026-11-21 13:42 UTC"
    );
}

#[test]
fn an_anomaly_by_score_says_why() {
    let mut notice = notice("web1.cpu");
    let vote = |detector: &str, score: f64| DetectorVote {
        detector: detector.into(),
        answer: Some(score >= 1.0),
        measured: score,
        limit: 1.0,
    };
    let anomaly = &mut item(&mut notice).anomaly;
    *anomaly = anomaly.clone().with_votes(vec![
        vote("season", 1.734),
        vote("step", 1.02),
        vote("novelty", 0.4),
    ]);
    anomaly.sentence = "3.1 × the highest Tuesday 14:00 in 5 weeks".into();
    anomaly.strength = Some(Strength {
        score: 1.734,
        opens: true,
    });
    insta::assert_snapshot!(
        log_line(anomaly),
        @"web1.cpu is 97.2, above the expected 20.1 to 40.3, at 2026-11-21 13:42 UTC; 3.1 × the highest Tuesday 14:00 in 5 weeks; score 1.73, where 1 is the limit: season, step"
    );
    let templates = templates();
    let line = templates.line(&notice).unwrap();
    assert!(
        line.contains(
            "; 3.1 × the highest Tuesday 14:00 in 5 weeks; score 1.73, where 1 is the limit: season, step"
        ),
        "{line}"
    );
    let mail = templates.email(&notice).unwrap();
    for words in [
        "Finding:    3.1 × the highest Tuesday 14:00 in 5 weeks",
        "20.1 to 40.3",
        "season",
        "measured 1.73",
        "Judged:     score 1.73, where 1 is the limit",
    ] {
        assert!(mail.text.contains(words), "{words} in {}", mail.text);
    }
    let slack = templates.slack(&notice).unwrap();
    for text in [&line, &mail.text, &mail.html, &slack] {
        assert!(!text.contains("2 of 3"), "votes beside a score: {text}");
    }
    assert!(
        slack.contains("`3.1 × the highest Tuesday 14:00 in 5 weeks`"),
        "{slack}"
    );
}

#[test]
fn a_value_inside_its_range_is_not_called_above_it() {
    let mut anomaly = anomaly("m");
    anomaly.observed = 30.0;
    assert!(log_line(&anomaly).starts_with("m is 30, expected 20.1 to 40.3, at"));
    anomaly.observed = -5.0;
    assert!(log_line(&anomaly).starts_with("m is -5, below the expected 20.1 to 40.3, at"));
    anomaly.observed = 40.300_1;
    assert!(log_line(&anomaly).starts_with("m is 40.3, just above the expected 20.1 to 40.3, at"));
}

#[test]
fn every_message_in_every_medium() {
    let templates = templates();
    for (kind, notice) in sample::every_kind() {
        if kind.starts_with("hostile") {
            continue;
        }
        let mail = templates.email(&notice).unwrap();
        let all = format!(
            "--- subject\n{}\n--- line\n{}\n--- mail\n{}\n--- slack\n{}\n",
            mail.subject,
            templates.line(&notice).unwrap(),
            mail.text,
            templates.slack(&notice).unwrap(),
        );
        insta::assert_snapshot!(kind.clone(), all);
        if [
            "opened",
            "resolved",
            "digest_small",
            "component_opened",
            "silent",
            "daily",
            "test",
        ]
        .contains(&kind.as_str())
        {
            let first = notice.news().and_then(|news| news.items.first());
            let drawn = first.is_some_and(|item| !item.anomaly.window().values.is_empty());
            let picture = if drawn { "cid:chart" } else { "" };
            let mail = templates.email_with_picture(&notice, picture).unwrap();
            insta::assert_snapshot!(format!("{kind}_html"), mail.html);
        }
    }
}

#[test]
fn the_subject_says_how_much_and_how_much_was_expected() {
    assert_eq!(
        templates().email(&notice("web1.cpu")).unwrap().subject,
        "[skywatch] web1.cpu is 97.2, above the expected 20.1 to 40.3"
    );
}

#[test]
fn nothing_is_said_that_is_not_known() {
    let mail = templates().email(&sample::bare()).unwrap();
    assert!(
        !mail.html.contains("Next notice") && !mail.html.contains("href"),
        "{}",
        mail.html
    );
    assert!(
        !mail.text.contains("ncident") && !mail.text.contains("ack"),
        "{}",
        mail.text
    );
    for what in [NewsKind::Opened, NewsKind::Resolved] {
        let mail = templates()
            .email(&sample::notice(vec![sample::component(what)]))
            .unwrap();
        for word in ["NaN", "expected", "Votes", "Value", "detector", "<img"] {
            assert!(
                !mail.text.contains(word) && !mail.html.contains(word),
                "{word}: {}",
                mail.text
            );
        }
    }
}

#[test]
fn a_digest_lists_some_and_counts_all() {
    let digest = sample::digest(214, 3);
    let text = templates().email(&digest).unwrap().text;
    assert!(
        text.starts_with("214 metrics are anomalous, 12 critical, 3 resolved.\n"),
        "{text}"
    );
    assert!(
        text.contains("\nand 192 more: https://watch.example.org/incidents\n"),
        "{text}"
    );
    assert!(templates().slack(&digest).unwrap().contains("and 192 more"));
    assert_eq!(text.matches("skywatch ack ").count(), 22);
}

#[test]
fn hostile_names_are_text_in_every_message() {
    let templates = templates();
    for (_, notice) in sample::every_kind() {
        let mail = templates.email(&notice).unwrap();
        let line = templates.line(&notice).unwrap();
        let slack = templates.slack(&notice).unwrap();
        for text in [&mail.subject, &line, &summary(&notice)] {
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
        assert!(summary(&notice).chars().count() <= SUMMARY_COLUMNS);
        for text in [&mail.text, &slack, &mail.html] {
            assert!(!text.contains("\nBcc:") && !text.contains('\r'), "{text}");
            assert!(!text.contains("49"), "a name was run as a template: {text}");
            assert!(!text.contains('\u{202e}'));
        }
        assert!(
            mail.text.lines().all(|line| line.chars().count() < 1_500),
            "{}",
            mail.text
        );
        for markup in ["<script", "<!here", "<@", "<https"] {
            assert!(!mail.html.contains(markup), "{}", mail.html);
        }
        assert_slack_is_ours(&slack);
    }
}

/// Panics unless every link is to our pages and every foreign word is code.
fn assert_slack_is_ours(message: &str) {
    for (at, _) in message.match_indices('<') {
        assert!(
            message[at..].starts_with("<https://watch.example.org/"),
            "{message}"
        );
    }
    for line in message.lines() {
        // Addresses hold names too, but percent-encoded.
        let addresses = line.split('<').skip(1).filter_map(|link| link.split('|').next());
        let line = addresses.fold(line.to_owned(), |line, address| line.replace(address, ""));
        let pieces: Vec<&str> = line.split('`').collect();
        assert!(pieces.len() % 2 == 1, "code is left open: {line}");
        for bare in pieces.iter().step_by(2) {
            assert!(
                !["script", "Bcc", "bold", "channel", "click", "*", "~", "raw"]
                    .iter()
                    .any(|foreign| bare.contains(foreign)),
                "{bare}"
            );
        }
    }
}

#[test]
fn a_detectors_name_may_break_at_its_underscores_and_nowhere_else() {
    let mut hostile = notice("m");
    let anomaly = &mut item(&mut hostile).anomaly;
    let mut votes = anomaly.votes().to_vec();
    votes[0].detector = "a_<script>_b\n".into();
    *anomaly = anomaly.clone().with_votes(votes);
    let html = templates().email(&hostile).unwrap().html;
    assert!(html.contains("a_<wbr>&lt;script&gt;_<wbr>b␊"));
    let mail = templates().email(&notice("{{ 7 * 7 }}")).unwrap();
    assert!(mail.text.contains("{{ 7 * 7 }} is 97.2"));
}

#[test]
fn a_name_of_four_kilobytes_leaves_room_for_the_value() {
    let name = format!("stats.{}.p99", "x".repeat(4_096));
    let mail = templates().email(&notice(&name)).unwrap();
    assert!(mail.subject.chars().count() <= SUMMARY_COLUMNS);
    assert!(mail.subject.contains(".p99 is 97.2, above"), "{}", mail.subject);
    assert!(mail.text.lines().all(|line| line.chars().count() < 400));
}

/// Templates from a folder with these files.
fn loaded(files: &[(&str, &str)]) -> Result<Templates, Error> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    Templates::load(Some(folder.path()))
}

#[test]
fn the_embedded_templates_pass_their_own_check() {
    templates().check().unwrap();
}

#[test]
fn a_folder_replaces_what_it_holds_and_nothing_else() {
    let templates = loaded(&[
        ("email.subject", "{{ state }}:\n {{ headline }}\r\nBcc: x@y"),
        ("email.txt", "{% include \"line.txt\" %}"),
        (".hidden", "{% nonsense"),
    ])
    .unwrap();
    templates.check().unwrap();
    let mail = templates.email(&notice("web1.cpu")).unwrap();
    assert_eq!(
        mail.subject,
        "warning:␊ web1.cpu is 97.2, above the expected 20.1 to 40.3␍␊Bcc: x@y"
    );
    assert!(
        mail.text.starts_with("warning #17 web1.cpu is 97.2"),
        "{}",
        mail.text
    );
    assert!(mail.html.contains("</html>"));
}

#[test]
fn a_file_that_is_no_template_is_refused_by_name() {
    let error = loaded(&[("emial.txt", "")]).unwrap_err().to_string();
    assert!(
        error.contains("emial.txt") && error.contains("`email.txt`"),
        "{error}"
    );
    let error = loaded(&[("email.txt", "{% if %}")]).unwrap_err();
    assert!(matches!(error, Error::Template { .. }), "{error}");
    let error = loaded(&[("email.txt", &"x".repeat(300_000))]).unwrap_err();
    assert!(error.to_string().contains("300000 bytes"), "{error}");
    let missing = Templates::load(Some(Path::new("/nowhere/templates"))).unwrap_err();
    assert!(matches!(missing, Error::TemplateFile { .. }), "{missing}");
}

#[test]
fn a_link_may_not_lead_out_of_the_folder() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let folder = tempfile::tempdir().unwrap();
    symlink(outside.path().join("secret"), folder.path().join("line.txt")).unwrap();
    let error = Templates::load(Some(folder.path())).unwrap_err();
    assert!(error.to_string().contains("out of the folder"), "{error}");

    // As Kubernetes mounts a ConfigMap.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("..2026")).unwrap();
    fs::write(folder.path().join("..2026/line.txt"), "mounted").unwrap();
    symlink("..2026", folder.path().join("..data")).unwrap();
    symlink("..data/line.txt", folder.path().join("line.txt")).unwrap();
    let templates = Templates::load(Some(folder.path())).unwrap();
    assert_eq!(templates.line(&notice("m")).unwrap(), "mounted");
}

#[test]
fn a_broken_template_is_found_by_the_check_and_the_built_in_one_speaks() {
    for broken in [
        "{{ nonsense }}",
        "{{ items[0].nonsense }}",
        "{% include \"/etc/passwd\" %}",
        "{% include \"../email.txt\" %}",
        "{% include \"line.txt\" %}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{% for a in items[0].headline|list %}{% for b in items[0].headline|list %}{% for c in \
         items[0].headline|list %}{{ c }}{% endfor %}{% endfor %}{% endfor %}",
        "{{ \"x\" * 600000 }}",
        "{{ range(100000) }}",
        "{{ headline|pad(-1) }}",
    ] {
        let templates = loaded(&[("line.txt", broken)]).unwrap();
        let errors = templates.check().unwrap_err();
        assert_eq!(errors.len(), 1, "{broken}");
        assert!(
            errors[0].to_string().starts_with("template `line.txt`"),
            "{}",
            errors[0]
        );
        let line = templates.line(&notice("web1.cpu")).unwrap();
        assert!(
            line.starts_with("warning #17 web1.cpu is 97.2"),
            "{broken}: {line}"
        );
    }
}

#[test]
fn a_digest_is_folded_by_common_cause() {
    let mut items: Vec<NoticeItem> = (0..6)
        .map(|place| sample::item(&format!("Shop{place}.p99"), NewsKind::Opened))
        .collect();
    for item in &mut items[1..] {
        item.causes = Some(Box::new(IncidentCauses {
            shared: Some(SharedCause {
                metric: "DB.latency".into(),
                incidents: vec![17, 18],
            }),
            ..IncidentCauses::default()
        }));
    }
    let templates = Templates::embedded().expect("they parse");
    let notice = sample::notice(items);
    let mail = templates.email(&notice).expect("a mail");
    let slack = templates.slack(&notice).expect("a message");
    for text in [&mail.text, &mail.html, &slack] {
        assert_eq!(
            text.matches("Probably one cause, DB.latency: 5 incidents")
                .count(),
            1,
            "{text}"
        );
        assert!(!text.contains("with 1 other incident"), "{text}");
        // The first three of a cause are described, the others named.
        let names: Vec<usize> = (0..6)
            .map(|place| text.find(&format!("Shop{place}.p99")).expect("named"))
            .collect();
        assert!(names.is_sorted(), "{text}");
        let tail = &text[names[4]..];
        assert!(tail.contains("Shop5.p99") && !tail.contains("since"), "{text}");
    }
}

#[test]
fn what_moved_with_an_incident_is_in_every_long_form() {
    let related = |place: usize| RelatedMetric {
        metric: format!("db{place}.latency"),
        nearness: Nearness::Other,
        coefficient: 0.9,
        lead: 60.0,
        by_chance: 1e-6,
    };
    let mut item = sample::item("shop.p99", NewsKind::Opened);
    item.causes = Some(Box::new(IncidentCauses {
        related: (0..SHOWN_RELATED + 1).map(related).collect(),
        shared: Some(SharedCause {
            metric: "db0.latency".into(),
            incidents: vec![17, 18],
        }),
        ..IncidentCauses::default()
    }));
    let templates = Templates::embedded().expect("they parse");
    let notice = sample::notice(vec![item]);
    let mail = templates.email(&notice).expect("a mail");
    let slack = templates.slack(&notice).expect("a message");
    for text in [&mail.text, &mail.html, &slack] {
        assert!(
            text.contains("robably one cause with 1 other incident: db0.latency"),
            "{text}"
        );
        assert!(
            text.contains("db9.latency: 0.90, 60 s before")
                || text.contains("db9.latency: 0.90, 1 min before"),
            "{text}"
        );
        assert!(!text.contains("db10.latency"), "{text}");
    }
}
