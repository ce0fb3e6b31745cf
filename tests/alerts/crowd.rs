//! Twenty thousand at once: few notices for people, all of them for machines, nothing forgotten.

use super::hook::Hook;
use super::world::{Metrics, World};
use crate::common::mime;
use crate::common::redis::RedisServer;
use crate::common::skywatch::summaries;
use crate::common::smtp::Smtp;
use crate::common::wait_for;

const CROWD: usize = 20_000;
/// Mails there may be about all of them, whatever becomes of them.
const FEW: usize = 5;
/// Incidents in one request to a machine.
const BATCH: usize = 200;

#[test]
fn twenty_thousand_anomalies_in_one_pass_are_few_notices_and_all_in_the_history() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let names: Vec<String> = (0..CROWD)
        .map(|number| format!("servers.web{:03}.cpu{number}.user", number % 500))
        .collect();
    metrics.bad(&names);
    let (hook, smtp) = (Hook::start(), Smtp::start());
    let world = World::over(
        &redis,
        &format!("{}[receivers.mail]\ntype = \"email\"\n", hook.receiver("hook")),
    )
    .with("email.server", "127.0.0.1")
    .with("email.port", &smtp.port())
    .with("email.security", "none")
    .with("email.from", "watch@example.org")
    .with("email.to", r#"["ops@example.org"]"#)
    .with("alerts.group_depth", "2")
    .with("analyzer.optimum_run_duration", "4s");
    let running = world.start();
    wait_for("the digest", || (!smtp.mails().is_empty()).then_some(()));
    let requests = |count: usize| (hook.sink.requests().len() >= count).then_some(());
    wait_for("each of them at the hook", || requests(CROWD / BATCH));
    let told = hook.of_metrics();
    assert_eq!(told.len(), CROWD);
    assert!(told.values().all(|said| *said == ["opened"]));
    let mails = smtp.mails();
    let text = mime::part(&mails[0], "text/plain");
    assert!(text.contains("20000"), "{text}");
    assert_eq!(
        world.count("SELECT count(*) FROM incidents WHERE phase = 'open'"),
        CROWD
    );

    metrics.well(&names);
    wait_for("the end of all of them", || {
        let left = world.count(
            "SELECT (SELECT count(*) FROM notices WHERE state = 'waiting')
                  + (SELECT count(*) FROM incidents WHERE phase = 'open')",
        );
        (left == 0 && smtp.mails().len() >= 2).then_some(())
    });
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let over = |said: &Vec<String>| *said == ["opened", "resolved"];
    assert!(hook.of_metrics().values().all(over));
    // A pass may see the end of some of a batch only.
    assert!(hook.told().len() <= 4 * CROWD / BATCH, "{}", hook.told().len());
    let mails = smtp.mails().len();
    assert!(mails <= FEW, "{mails} mails");
    assert_eq!(
        world.count("SELECT count(*) FROM incidents WHERE phase = 'resolved'"),
        CROWD
    );
    assert_eq!(
        world.count("SELECT count(*) FROM transitions WHERE after = 'open'"),
        CROWD
    );
    assert_eq!(
        world.count("SELECT count(*) FROM transitions WHERE after = 'resolved'"),
        CROWD
    );
    // Whichever notice told of it, it is on record for each of them.
    assert_eq!(
        world.count("SELECT count(DISTINCT incident) FROM incident_notices"),
        CROWD
    );
    let passes = summaries(&world.path("summary.jsonl"));
    assert_eq!(passes[0]["anomalies"], CROWD);
    let seconds = passes.iter().map(|pass| pass["seconds"]["total"].to_string());
    println!("seconds a pass: {}", seconds.collect::<Vec<_>>().join(", "));
}
