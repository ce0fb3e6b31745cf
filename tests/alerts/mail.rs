//! Mail through a server that insists on TLS and a login and misbehaves on the first tries.

use super::world::{Metrics, World};
use crate::common::redis::RedisServer;
use crate::common::smtp::{Mood, Smtp};
use crate::common::{mime, wait_for};

fn world(redis: &RedisServer, server: &Smtp) -> World {
    World::over(redis, "")
        .with("email.server", "localhost")
        .with("email.port", &server.port())
        .with("email.username", "watch")
        .with("email.password", "secret")
        .with("email.ca_file", &server.ca())
        .with("email.from", "watch@example.org")
        .with("email.to", r#"["ops@example.org"]"#)
        .with("email.timeout", "1s")
        .with("alerts.cooldown", "0s")
}

/// The subject lines' metrics and what they say, and the Message-IDs.
fn told(server: &Smtp) -> (Vec<String>, Vec<String>) {
    let mails = server.mails();
    let header = |name: &str| {
        let of = mails
            .iter()
            .map(|mail| mime::header(&mime::split(mail).0, name).to_owned());
        of.collect::<Vec<_>>()
    };
    (header("Subject"), header("Message-ID"))
}

#[test]
fn every_mail_arrives_once_and_in_order_through_a_server_in_bad_moods() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let server = Smtp::start_tls(&[Mood::Refuse("451 not now"), Mood::HangUp, Mood::Stall]);
    let world = world(&redis, &server);
    metrics.bad(&["one"]);
    let running = world.start();
    running.line("451 not now");
    // What comes meanwhile waits behind the one that is tried again.
    metrics.bad(&["two"]);
    running.nth_line(2, "to `email` waits");
    metrics.well(&["one"]);
    wait_for("four mails", || (server.mails().len() >= 3).then_some(()));
    metrics.bad(&["three"]);
    wait_for("four mails", || (server.mails().len() >= 4).then_some(()));
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let (subjects, ids) = told(&server);
    assert_eq!(subjects.len(), 4, "{subjects:?}");
    for (subject, name) in subjects
        .iter()
        .zip(["one is 500", "two is 500", "one", "three is 500"])
    {
        assert!(subject.contains(name), "{subjects:?}");
    }
    let mut distinct = ids.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 4, "{ids:?}");
    // The end answers the beginning.
    let mails = server.mails();
    let (headers, _) = mime::split(&mails[2]);
    assert_eq!(mime::header(&headers, "In-Reply-To"), ids[0]);
    assert_eq!(
        world.count("SELECT count(*) FROM notices WHERE state = 'sent'"),
        4
    );
}

#[test]
fn a_mail_refused_for_good_holds_up_nobody_and_can_be_tried_again() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let server = Smtp::start_tls(&[Mood::Refuse("554 looks like spam")]);
    let world = world(&redis, &server);
    metrics.bad(&["one"]);
    let running = world.start();
    let line = running.line("to `email` given up");
    assert!(line.contains("554 looks like spam"), "{line}");
    metrics.bad(&["two"]);
    wait_for("the next mail", || (server.mails().len() == 1).then_some(()));
    let listed = world.told(&["notices"]);
    assert!(
        listed.contains("to email") && listed.contains("554 looks like spam"),
        "{listed}"
    );
    assert!(listed.contains("one is 500"), "{listed}");
    assert_eq!(running.stop().code(), 0);
    // With none running it is put back, and the next start sends it.
    assert_eq!(
        world.told(&["notices", "retry", "--all"]),
        "1 notices wait again\n"
    );
    let running = world.start();
    wait_for("the mail that was refused", || {
        (server.mails().len() == 2).then_some(())
    });
    wait_for("both to be marked as sent", || {
        (world.count("SELECT count(*) FROM notices WHERE state = 'sent'") == 2).then_some(())
    });
    assert_eq!(running.stop().code(), 0);
    let (subjects, _) = told(&server);
    assert!(
        subjects[0].contains("two") && subjects[1].contains("one"),
        "{subjects:?}"
    );
    let left = world.told(&["notices"]);
    assert!(left.ends_with("\nno notice has been given up\n"), "{left}");
}
