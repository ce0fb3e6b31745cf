use super::*;
use crate::anomaly::Evidence;
use crate::notice::{Content, Item, What};
use crate::sample::{self, anomaly};

fn notice(name: &str) -> Notice {
    sample::notice(vec![sample::item(name, What::Opened)])
}

fn item(notice: &mut Notice) -> &mut Item {
    match &mut notice.content {
        Content::Incidents(news) => &mut news.items[0],
        _ => unreachable!("it is about an incident"),
    }
}

fn bare_notice() -> Notice {
    let mut notice = notice("web1.cpu");
    notice.base_url.clear();
    let item = item(&mut notice);
    item.not_before = None;
    item.anomaly.expected = None;
    item.anomaly.votes.clear();
    item.anomaly.evidence = Evidence {
        times: vec![0.0],
        values: vec![1.0],
        rate: true,
    };
    notice
}

const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "a\r\nBcc: x@y",
    "*.{}",
    "{{ 7 * 7 }}{% raw %}",
    "🔥\u{202e}",
];

#[test]
fn the_log_line_reads_like_a_sentence() {
    insta::assert_snapshot!(
        log_line(&anomaly("web1.cpu")),
        @"web1.cpu is 97.2, above the expected 20.1 to 40.3, at 2026-11-21 13:42 UTC; 2 of 3 detectors: grubbs, least_squares"
    );
    insta::assert_snapshot!(
        log_line(&item(&mut bare_notice()).anomaly),
        @"web1.cpu (change per step) is 97.2, at 2026-11-21 13:42 UTC; no detector voted"
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
    assert!(log_line(&anomaly).starts_with("m is 40.3001, above the expected 20.1 to 40.3, at"));
}

#[test]
fn the_mail_in_full() {
    let mail = Templates::embedded().unwrap().email(&notice("web1.cpu")).unwrap();
    insta::assert_snapshot!(
        mail.subject,
        @"[skywatch] web1.cpu is 97.2, above the expected 20.1 to 40.3"
    );
    insta::assert_snapshot!("mail_text", mail.text);
    insta::assert_snapshot!("mail_html", mail.html);
}

#[test]
fn the_mail_with_everything_optional_missing() {
    let mail = Templates::embedded().unwrap().email(&bare_notice()).unwrap();
    insta::assert_snapshot!("mail_text_bare", mail.text);
    assert!(!mail.html.contains("Next notice") && !mail.html.contains("href"));
}

#[test]
fn hostile_names_are_text_in_every_message() {
    let templates = Templates::embedded().unwrap();
    for name in HOSTILE {
        let line = log_line(&anomaly(name));
        let mail = templates.email(&notice(name)).unwrap();
        for text in [&line, &mail.subject] {
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
        assert!(
            !mail.text.contains("\nBcc:") && !mail.text.contains('\r'),
            "{}",
            mail.text
        );
        assert!(
            !mail.html.contains("<script") && !mail.html.contains("\nBcc:"),
            "{}",
            mail.html
        );
        assert!(!mail.text.contains("49 is"), "a name was run as a template");
    }
    let mut hostile = notice("m");
    item(&mut hostile).anomaly.votes[0].detector = "a_<script>_b\n".into();
    assert!(
        templates
            .email(&hostile)
            .unwrap()
            .html
            .contains("a_<wbr>&lt;script&gt;_<wbr>b␊")
    );
    let mail = templates.email(&notice("{{ 7 * 7 }}")).unwrap();
    assert!(mail.text.contains("{{ 7 * 7 }} is 97.2"));
}

#[test]
fn a_name_of_four_kilobytes_leaves_room_for_the_value() {
    let name = format!("stats.{}.p99", "x".repeat(4_096));
    let mail = Templates::embedded().unwrap().email(&notice(&name)).unwrap();
    assert!(mail.subject.chars().count() <= SUBJECT_COLUMNS);
    assert!(mail.subject.contains(".p99 is 97.2, above"), "{}", mail.subject);
    assert!(mail.text.lines().all(|line| line.chars().count() < 400));
}
