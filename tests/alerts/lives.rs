//! Lives of incidents, and what people do to them, beside a running watch and without one.

use std::os::unix::fs::PermissionsExt as _;

use super::hook::Hook;
use super::world::{Metrics, World};
use crate::common::redis::RedisServer;
use crate::common::wait_for;

#[test]
fn people_take_silence_and_ask_while_it_runs_and_when_it_does_not() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let hook = Hook::start();
    let world = World::over(
        &redis,
        &format!(
            "{}{}[[routes]]\nname = \"batch\"\nmetrics = [\"batch.**\"]\nreceivers = [\"nightly\"]\n\
             [[routes]]\nname = \"rest\"\nreceivers = [\"hook\"]\n",
            hook.receiver("hook"),
            hook.receiver("nightly")
        ),
    )
    .with("alerts.group_depth", "1");
    metrics.well(&["web.calm", "batch.job", "db.quiet"]);
    metrics.bad(&["web.cpu"]);

    // Where nothing ever ran there is nothing to be said.
    for question in ["incidents", "notices"] {
        let ended = world.ask(&[question]);
        assert_eq!((ended.code(), &*ended.stdout), (1, ""), "{}", ended.log);
        assert!(ended.log.contains("and none ever has"), "{}", ended.log);
    }

    let running = world.start();
    hook.wait_for("web.cpu", &["opened"]);
    let folder = world.path("state/control");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("socket"))), (0o700, 0o600));

    let listed = world.told(&["incidents"]);
    assert!(listed.contains("open") && listed.contains("web.cpu"), "{listed}");
    let life = world.told(&["incidents", "1"]);
    for part in ["web.cpu is 500", "open: anomalous", "to hook sent"] {
        assert!(life.contains(part), "{part} is not in {life}");
    }
    refuses(&world);

    // Taken: told, and told when it is over, but no more in between.
    assert!(world.told(&["ack", "1", "--by", "ann"]).contains("ann has it"));
    hook.wait_for("web.cpu", &["opened", "acknowledged"]);
    explains(&world);
    metrics.well(&["web.cpu"]);
    hook.wait_for("web.cpu", &["opened", "acknowledged", "resolved"]);
    let again = world.ask(&["ack", "1"]);
    assert_eq!(again.code(), 1);
    assert!(again.log.contains("there is no open incident 1"), "{}", again.log);
    metrics.bad(&["web.cpu"]);
    hook.wait_for("web.cpu", &["opened", "acknowledged", "resolved", "returned"]);

    // A silence: nothing is said of what begins under it, until it ends.
    let silence = world.told(&[
        "silence", "add", "db.**", "--for", "2h", "--reason", "deploy", "--author", "bob",
    ]);
    assert!(
        silence.contains("db.**") && silence.contains("by bob: deploy"),
        "{silence}"
    );
    assert!(world.told(&["silence", "list"]).contains("db.**"));
    metrics.bad(&["db.quiet", "web.calm"]);
    hook.wait_for("web.calm", &["opened"]);
    let listed = world.told(&["incidents", "--name", "db.*"]);
    assert!(listed.contains("silence 1"), "{listed}");
    assert!(!hook.of_metrics().contains_key("db.quiet"));
    world.told(&["silence", "end", "1"]);
    hook.wait_for("db.quiet", &["silence_ended"]);
    assert_eq!(world.told(&["silence", "list"]), "no silences\n");
    assert!(world.told(&["silence", "list", "--all"]).contains("ended"));

    let tested = world.told(&["alert-test", "rest"]);
    assert!(tested.contains("hook: taken in"), "{tested}");
    assert!(hook.told().iter().any(|told| told.body["kind"] == "test"));
    routes(&world);
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(!folder.join("socket").exists());

    // With none running the same commands open the files themselves.
    assert!(world.told(&["incidents"]).contains("db.quiet"));
    assert!(world.told(&["incidents", "1"]).contains("it came back"));
    let before = hook.told().len();
    let id = world
        .incidents()
        .iter()
        .find(|incident| incident["subject"]["name"] == "db.quiet")
        .unwrap()["id"]
        .as_u64()
        .unwrap();
    assert!(
        world
            .told(&["ack", &id.to_string(), "--by", "cem"])
            .contains("cem has it")
    );
    world.told(&["silence", "add", "web.**", "--until-resolved"]);
    assert!(world.told(&["silence", "list"]).contains("until resolved"));
    refuses(&world);
    routes(&world);
    assert!(world.told(&["explain", "web.calm"]).contains("silence: 2"));
    let tested = world.told(&["alert-test", "hook"]);
    assert!(tested.contains("hook: taken in"), "{tested}");
    assert_eq!(hook.told().len(), before + 1, "only the test was sent");

    // The next life knows what was done meanwhile.
    let running = world.start();
    hook.wait_for("db.quiet", &["silence_ended", "acknowledged"]);
    metrics.well(&["web.cpu", "web.calm", "db.quiet"]);
    hook.wait_for(
        "web.cpu",
        &["opened", "acknowledged", "resolved", "returned", "resolved"],
    );
    hook.wait_for("db.quiet", &["silence_ended", "acknowledged", "resolved"]);
    wait_for("the silence to end with what it was over", || {
        (world.told(&["silence", "list"]) == "no silences\n").then_some(())
    });
    assert_eq!(world.told(&["incidents"]), "no open incidents\n");
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let ids: Vec<String> = hook.told().iter().map(|told| told.id.clone()).collect();
    let mut distinct = ids.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len(), "an id was given twice: {ids:?}");
}

/// Numbers and words that mean nothing here: said, with an exit code, and nothing is done.
fn refuses(world: &World) {
    for (arguments, code, words) in [
        (&["incidents", "99"][..], 1, "there is no incident 99"),
        (&["incidents", "x"], 2, "invalid value"),
        (&["ack", "99"], 1, "there is no open incident 99"),
        (&["ack"], 2, "required"),
        (&["silence", "end", "99"], 1, "there is no silence 99"),
        (&["silence", "add"], 2, "nothing is selected"),
        (&["silence", "add", "web.**"], 2, "for how long?"),
        (
            &["silence", "add", "web.**", "--for", "soon"],
            2,
            "a length of time",
        ),
        (&["silence", "add", "~(", "--for", "1h"], 2, "~("),
        (
            &["silence", "add", "web.**", "--hours", "25:00-26:00"],
            2,
            "25:00",
        ),
        (
            &["silence", "add", "nothing.like.this", "--until-resolved"],
            1,
            "no open incident is selected",
        ),
        (
            &["alert-test", "nowhere"],
            1,
            "neither a route nor a receiver `nowhere`",
        ),
        (&["route-test"], 2, "required"),
        (&["route-test", "web.cpu", "--severity", "dire"], 2, "critical"),
        (&["notices", "drop"], 2, "which notices?"),
        (&["notices", "drop", "zz.1"], 1, "zz.1"),
    ] {
        let ended = world.ask(arguments);
        assert_eq!(ended.code(), code, "{arguments:?}: {}{}", ended.stdout, ended.log);
        assert!(ended.log.contains(words), "{arguments:?}: {}", ended.log);
        assert!(!ended.log.contains("panicked"), "{}", ended.log);
    }
    let found = world.ask(&["explain", "no.such.metric"]);
    assert_eq!(found.code(), 0, "{}", found.log);
    let words = "no.such.metric: DeletedByRoomba, the store has no points of it\n";
    assert!(found.stdout.contains(words), "{}", found.stdout);
}

/// Where metrics would go, and why.
fn routes(world: &World) {
    let told = world.told(&["route-test", "web.cpu"]);
    assert!(told.contains("· batch: ") && told.contains("→ rest: "), "{told}");
    let told = world.told(&["route-test", "batch.job"]);
    assert!(told.contains("→ batch: "), "{told}");
    let told = world.json(&["route-test", "batch.job"]);
    assert_eq!(told["tried"][0]["takes"], true, "{told}");
}

/// Everything about a metric somebody has taken.
fn explains(world: &World) {
    let told = world.told(&["explain", "web.cpu"]);
    for part in [
        "web.cpu: anomalous",
        "120 points",
        "by its values",
        "expected",
        "anomalous  grubbs",
        "incident: 1 is acknowledged",
        "silence: none",
        "→ rest",
        "hook by rest: told",
        "ann has it",
    ] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
    let told = world.json(&["explain", "web.cpu"]);
    assert_eq!(told["outlook"]["incident"]["id"], 1, "{told}");
    let judged = &told["examined"]["Ok"];
    assert_eq!(judged["points"], 120, "{told}");
    for vote in judged["judged"]["evidence"][0]["votes"].as_array().unwrap() {
        assert!(
            vote.get("measured").is_some() && vote.get("limit").is_some(),
            "{vote}"
        );
    }
    let told = world.told(&["explain", "web.calm"]);
    assert!(
        told.contains("incident: none") && told.contains("nothing is wrong"),
        "{told}"
    );
}
