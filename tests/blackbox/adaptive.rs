//! The adaptive profile over a real Redis: what it learns outlives the process.

use std::path::Path;

use crate::common::redis::RedisServer;
use crate::common::series::{each_minute, ending_at, field, loud, now, quiet};
use crate::common::skywatch::{Setup, summaries};
use crate::common::{carbon, http};

const METRICS: usize = 5;

/// Points of a minute each up to now; of fewer no state is made, and with these nothing is judged yet.
const POINTS: u32 = 20;

fn lines() -> String {
    lines_of(POINTS)
}

/// As many points of a minute each up to now.
fn lines_of(points: u32) -> String {
    let until = (now() / 60.0).floor() * 60.0;
    let points = (0..points).flat_map(|minute| {
        (0..METRICS).map(move |metric| {
            let value = 100 + (minute as usize * 7 + metric * 13) % 23;
            format!(
                "learn.{metric} {value} {}\n",
                until - 60.0 * f64::from(points - 1 - minute)
            )
        })
    });
    points.collect()
}

fn over(redis: &RedisServer) -> Setup {
    Setup::new().on(redis).with("analyzer.profile", "adaptive")
}

fn files(folder: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

#[test]
fn what_was_learnt_is_taken_up_again_and_what_is_damaged_learnt_anew() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    setup.take_in(&lines());
    let (passes, ended) = setup.run_passes(2);
    assert_eq!(passes[1]["metrics"], METRICS);
    assert_eq!(passes[1]["warming"], METRICS, "{}", passes[1]);
    assert_eq!(
        passes[1]["exceptions"]["TooShort"], METRICS,
        "no other judge serves meanwhile"
    );
    assert_eq!(passes[1]["memory_dropped"], 0);
    let line = format!("warm-up :: {METRICS} of {METRICS} metrics have too few points to be judged");
    assert!(ended.log.contains(&line), "{}", ended.log);
    assert!(!ended.log.contains("taken up"), "{}", ended.log);
    let explained = setup.run(&["explain", "learn.3"]);
    assert_eq!(explained.code(), 0, "{}", explained.log);
    let learnt = explained
        .stdout
        .lines()
        .find(|line| line.starts_with("  learnt     "));
    assert!(
        learnt.is_some_and(|line| line.ends_with("; not judged yet")),
        "{}",
        explained.stdout
    );

    let (_, ended) = setup.run_passes(1);
    assert!(
        ended
            .log
            .contains(&format!("states of {METRICS} metrics taken up")),
        "{}",
        ended.log
    );
    assert!(!ended.log.contains("learnt anew"), "{}", ended.log);

    let states = setup.path("state/states");
    let mut cut = 0;
    for path in files(&states, "states") {
        let bytes = std::fs::read(&path).unwrap();
        if bytes.len() > 40 {
            std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
            cut += 1;
        }
    }
    assert!(cut > 0);
    let (passes, ended) = setup.run_passes(1);
    let line = ended.line("learnt anew from windows and hours");
    assert!(
        line.contains(&format!(":: {cut} damaged, 0 files of another version")),
        "{line}"
    );
    assert_eq!(passes[0]["memory_dropped"], cut);
    assert_eq!(passes[0]["warming"], METRICS, "learnt anew from the window");
}

#[test]
fn killed_it_goes_on_with_what_it_had_saved() {
    let redis = RedisServer::start();
    let setup = over(&redis)
        .with("process.single_process", "true")
        .with("analyzer.optimum_run_duration", "100ms");
    setup.take_in(&lines());
    let running = setup.start(&["run", "--set", "ingest.enabled=false"]);
    let states = setup.path("state/states");
    crate::common::wait_for("all parts to be saved", || {
        // Two workers, 32 parts each.
        let saved = states.is_dir() && files(&states, "states").len() == 64;
        saved.then_some(())
    });
    drop(running);
    let (_, ended) = setup.run_passes(1);
    assert!(
        ended
            .log
            .contains(&format!("states of {METRICS} metrics taken up")),
        "{}",
        ended.log
    );
}

#[test]
fn pages_say_how_far_it_has_learnt() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    setup.take_in(&lines());
    let running = setup.start(&["run", "--set", "ingest.enabled=false"]);
    let pages = running.pages();
    let front = crate::common::wait_for("a pass", || {
        let front = http::get(pages, "/").body;
        front.contains("Warm-up: ").then_some(front)
    });
    assert!(
        front.contains("Warm-up: 5 of 5 metrics have too few points to be judged"),
        "{front}"
    );
    let metric = http::get(pages, "/metric?name=learn.3").body;
    assert!(
        metric.contains("Learnt to ") && metric.contains(" %; not judged "),
        "{metric}"
    );
    let figures = http::get(pages, "/metrics").body;
    assert!(figures.contains("skywatch_analyzer_warming 5"), "{figures}");
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn a_backfill_fills_the_long_memory() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    let until = (now() / 3_600.0).floor() * 3_600.0;
    let file = setup.path("old.csv");
    let points: String = (0..10 * 24 * 6)
        .map(|step| {
            format!(
                "old.metric,{},{}\n",
                until - 600.0 * f64::from(10 * 24 * 6 - step),
                step % 7
            )
        })
        .collect();
    std::fs::write(&file, points).unwrap();
    let filled = setup.run(&["backfill", "--csv", &file.display().to_string(), "--from", "-20d"]);
    assert_eq!(filled.code(), 0, "{}", filled.log);
    assert!(
        filled.log.contains("hours      240 for the long memory"),
        "{}",
        filled.log
    );
    let memory = setup.path("state/memory");
    assert_eq!(files(&memory.join("inbox"), "inbox").len(), 1);
    let (_, ended) = setup.run_passes(1);
    assert!(
        ended
            .log
            .contains("hours of 1 metrics taken into the long memory")
            || ended.log.contains("hours of 2 metrics"),
        "{}",
        ended.log
    );
    assert_eq!(files(&memory.join("inbox"), "inbox").len(), 0);
    assert!(
        files(&memory, "hours").len() >= 10,
        "{:?}",
        files(&memory, "hours")
    );
}

/// What the analyzer says of a metric.
fn explained(setup: &Setup, metric: &str) -> serde_json::Value {
    let told = setup.run(&["explain", metric, "--json"]);
    assert_eq!(told.code(), 0, "{}", told.log);
    let answer: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    answer["examined"]["Ok"].clone()
}

#[test]
fn what_people_are_told_of_a_metric_is_what_the_running_analyzer_knows() {
    let redis = RedisServer::start();
    let setup = over(&redis).with("store.full_duration", "30h");
    let until = (now() / 60.0).floor() * 60.0;
    let minutes = 26 * 60;
    let points: Vec<(f64, f64)> = (0..minutes)
        .map(|minute| {
            let time = until - 60.0 * f64::from(minutes - 1 - minute);
            (time, f64::from(100 + minute * 7 % 23))
        })
        .collect();
    let mut store = redis.connection();
    for name in ["long.a", "long.b"] {
        super::redis_world::put(&mut store, name, &points);
    }
    let running = setup.start(&["run", "--set", "ingest.enabled=false"]);
    crate::common::wait_for("all to be learnt", || {
        let pass = running.status()["analyzer"]["pass"].clone();
        (pass["analyzed"] == 2 && pass["warming"] == 0).then_some(())
    });
    let known = explained(&setup, "long.a");
    assert_eq!(known["warmth"], 1.0, "{known}");
    // Neither the store nor the disk can tell any more what it knows, which goes back further than they do.
    std::fs::remove_dir_all(setup.path("state/states")).unwrap();
    let packed = super::redis_world::stream(&points[points.len() - 120..]);
    let _: () = redis::Commands::set(&mut store, super::redis_world::key("long.a"), packed).unwrap();
    let passes = running.log().matches("total metrics").count();
    running.nth_line(passes + 2, "total metrics");
    let told = setup.run(&["explain", "long.a"]).stdout;
    assert!(told.contains("  learnt     enough to be judged"), "{told}");
    assert!(
        told.contains("  answer of  the running analyzer, as of its pass "),
        "{told}"
    );
    let known = explained(&setup, "long.a");
    assert_eq!(known["verdict"], "normal", "{known}");
    assert_eq!(
        known["points"], 120,
        "the window is read when somebody asks: {known}"
    );
    let told = setup.run(&["explain", "long.none"]).stdout;
    assert!(told.contains("which does not watch it"), "{told}");
    assert_eq!(running.stop().code(), 0);
    let told = setup.run(&["explain", "long.b"]).stdout;
    assert!(told.starts_with("no skywatch runs over "), "{told}");
}

#[test]
fn what_was_learnt_outlives_the_loss_of_all_names() {
    for is_killed in [false, true] {
        let redis = RedisServer::start();
        let setup = over(&redis)
            .with("process.single_process", "true")
            .with("analyzer.optimum_run_duration", "100ms");
        setup.take_in(&lines_of(300));
        let start = || setup.start(&["run", "--set", "ingest.enabled=false"]);
        let mut running = start();
        let pass = |running: &crate::common::skywatch::Skywatch,
                    what: &str,
                    is: &dyn Fn(&serde_json::Value) -> bool| {
            crate::common::wait_for(what, || is(&running.status()["analyzer"]["pass"]).then_some(()));
        };
        pass(&running, "a pass", &|pass| pass["analyzed"] == METRICS);
        let before = explained(&setup, "learn.3")["warmth"].as_f64().unwrap();
        assert!(before > 0.0, "{before}");
        running.is_well();
        redis::cmd("FLUSHALL").exec(&mut redis.connection()).unwrap();
        pass(&running, "a pass over nothing", &|pass| pass["metrics"] == 0);
        let unclaimed = setup.path("state/states/unclaimed.states");
        crate::common::wait_for("the states to be put aside", || unclaimed.exists().then_some(()));
        if is_killed {
            drop(running);
            running = start();
        }
        // Longer than it takes to save every part once.
        pass(&running, "many passes", &|pass| pass["pass"].as_u64() > Some(40));
        running.is_ill("the store holds no metric any more; there were 5");
        let until = (now() / 60.0).floor() * 60.0;
        let mut store = redis.connection();
        for metric in 0..METRICS {
            let points = [(until - 60.0, 101.0), (until, 103.0)];
            super::redis_world::put(&mut store, &format!("learn.{metric}"), &points);
        }
        pass(&running, "the metrics to be judged again", &|pass| {
            pass["analyzed"] == METRICS
        });
        crate::common::wait_for("what was learnt to be used again", || {
            let after = explained(&setup, "learn.3");
            (after["points"] == 2 && after["warmth"].as_f64() >= Some(before)).then_some(())
        });
        assert_eq!(running.stop().code(), 0);
    }
}

/// `days` of points each five minutes up to now.
fn history(setup: &Setup, name: &str, days: u32) -> String {
    let until = (now() / 300.0).floor() * 300.0;
    let steps = days * 288;
    let points: String = (0..steps)
        .map(|step| {
            let hour = f64::from(step % 288) / 12.0;
            let value = 100.0 + 20.0 * (hour / 24.0 * std::f64::consts::TAU).sin() + f64::from(step * 7 % 5);
            format!("taught,{},{value}\n", until - 300.0 * f64::from(steps - 1 - step))
        })
        .collect();
    let path = setup.path(name);
    std::fs::write(&path, points).unwrap();
    path.display().to_string()
}

/// Since when `explain` says that the metric is known, days ago.
fn known_for(setup: &Setup) -> f64 {
    let explained = setup.run(&["explain", "taught", "--json"]);
    assert_eq!(explained.code(), 0, "{}", explained.log);
    let said: serde_json::Value = serde_json::from_str(&explained.stdout).unwrap();
    let text = said.to_string();
    let at = text.find("\"known_since\":").unwrap_or_else(|| panic!("{text}"));
    let number = &text[at + "\"known_since\":".len()..];
    let end = number.find([',', '}']).unwrap();
    (now() - number[..end].parse::<f64>().unwrap()) / 86_400.0
}

#[test]
fn a_backfill_teaches_though_the_store_keeps_a_day() {
    let redis = RedisServer::start();
    let setup = over(&redis).with("ingest.max_age", "");
    let file = history(&setup, "month.csv", 30);
    let filled = setup.run(&["backfill", "--csv", &file, "--from", "-34d"]);
    assert_eq!(filled.code(), 0, "{}", filled.log);
    assert!(filled.log.contains("taught     1 metrics"), "{}", filled.log);
    let points = filled
        .log
        .lines()
        .find(|line| line.starts_with("points"))
        .unwrap();
    assert!(
        points.contains("288 stored") || points.contains("287 stored"),
        "{points}"
    );
    // Nobody has watched yet, and it is known all the same.
    assert!((29.9..30.1).contains(&known_for(&setup)));
    let (passes, ended) = setup.run_passes(2);
    assert_eq!(passes[1]["warming"], 0, "{}", passes[1]);
    assert_eq!(passes[1]["analyzed"], 1, "{} {}", passes[1], ended.log);
    assert!((29.9..30.1).contains(&known_for(&setup)));
    // The state that was saved is the one that was taught: it is not needed any more.
    std::fs::remove_dir_all(setup.path("state/states/inbox")).unwrap();
    assert!((29.9..30.1).contains(&known_for(&setup)));
    let explained = setup.run(&["explain", "taught"]);
    assert!(
        explained.stdout.contains("\n  known      since "),
        "{}",
        explained.stdout
    );
}

#[test]
fn a_running_watch_takes_up_what_a_backfill_has_learnt_and_is_not_set_back() {
    let redis = RedisServer::start();
    let setup = over(&redis)
        .with("ingest.max_age", "")
        .with("process.single_process", "true")
        .with("analyzer.optimum_run_duration", "200ms");
    // What the watch has seen itself: a day.
    let day = history(&setup, "day.csv", 1);
    let filled = setup.run(&["backfill", "--csv", &day]);
    assert_eq!(filled.code(), 0, "{}", filled.log);
    std::fs::remove_dir_all(setup.path("state/states/inbox")).unwrap();
    let running = setup.start(&["run", "--set", "ingest.enabled=false"]);
    running.nth_line(2, "total metrics :: 1");
    let speak = |value: f64| {
        let mut point = Vec::new();
        skywatch::store::codec::encode(now().floor(), value, &mut point);
        let _: () = redis::Commands::append(&mut redis.connection(), "metrics.taught", point).unwrap();
    };
    let month = history(&setup, "month.csv", 30);
    let filled = setup.run(&["backfill", "--csv", &month, "--from", "-34d"]);
    assert_eq!(filled.code(), 0, "{}", filled.log);
    running.line("a backfill has taught 1 metrics");
    speak(101.0);
    let passes = running.log().matches("total metrics :: 1").count();
    running.nth_line(passes + 3, "total metrics :: 1");
    // Less than is known already changes nothing.
    let week = history(&setup, "week.csv", 7);
    let filled = setup.run(&["backfill", "--csv", &week, "--from", "-34d"]);
    assert_eq!(filled.code(), 0, "{}", filled.log);
    running.nth_line(2, "a backfill has taught 1 metrics");
    speak(102.0);
    let passes = running.log().matches("total metrics :: 1").count();
    running.nth_line(passes + 3, "total metrics :: 1");
    assert_eq!(running.stop().code(), 0);
    std::fs::remove_dir_all(setup.path("state/states/inbox")).unwrap();
    assert!((29.9..30.1).contains(&known_for(&setup)));
}

/// A file of the field, one point each quarter of an hour, the last far out: moved to now, as lines of that metric.
fn quarter_hours(metric: &str) -> String {
    let points = field("quarter_hourly_spike.csv");
    let points = ending_at(&points, now() - 5.0);
    points
        .iter()
        .map(|(time, value)| format!("{metric} {value} {time}\n"))
        .collect()
}

#[test]
fn a_metric_of_quarter_hours_or_hours_is_judged_with_default_settings() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    let mut lines = quarter_hours("slow.spike");
    // Two days of hours; the last point is older than any metric of minutes may be.
    for hour in 0..48_u32 {
        let time = now() - 2_900.0 - 3_600.0 * f64::from(47 - hour);
        lines.push_str(&format!("slow.quiet {} {time}\n", 50 + hour * 7 % 5));
    }
    setup.take_in(&lines);
    let (passes, ended) = setup.run_passes(1);
    assert_eq!(passes[0]["analyzed"], 2, "{}", ended.log);
    let explained = setup.run(&["explain", "slow.quiet"]);
    assert!(explained.stdout.contains("normal"), "{}", explained.stdout);
}

#[test]
fn a_spike_of_a_metric_of_quarter_hours_is_found() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    setup.take_in(&quarter_hours("slow.spike"));
    let (passes, ended) = setup.run_passes(1);
    assert_eq!(passes[0]["anomalies"], 1, "{}", ended.log);
    let explained = setup.run(&["explain", "slow.spike"]);
    assert!(explained.stdout.contains("anomalous"), "{}", explained.stdout);
}

#[test]
fn a_point_ahead_of_the_clock_hides_nothing() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    let until = (now() / 60.0).floor() * 60.0;
    let mut lines = String::new();
    for (metric, ahead) in [("m", 60.0), ("ten_m", 600.0), ("day", 86_400.0)] {
        let time = until + ahead + 60.0;
        lines.push_str(&format!("ahead.{metric} 105 {time}\n"));
        for (time, value) in each_minute(&loud(1_440), until) {
            lines.push_str(&format!("ahead.{metric} {value} {time}\n"));
        }
    }
    setup.take_in(&lines);
    let (passes, ended) = setup.run_passes(1);
    assert_eq!(passes[0]["analyzed"], 3, "{}", ended.log);
    assert_eq!(passes[0]["anomalies"], 3, "{}", ended.log);
}

/// The newest value is corrected between two passes, as an aggregator does that sends a part of a sum first.
#[test]
fn a_corrected_newest_value_is_judged_again() {
    let redis = RedisServer::start();
    let setup = over(&redis).with("process.single_process", "true");
    let until = (now() / 60.0).floor() * 60.0;
    let mut lines = String::new();
    for (time, value) in each_minute(&quiet(1_440), until) {
        lines.push_str(&format!("sum.late {value} {time}\n"));
    }
    setup.take_in(&format!("{lines}sum.late 5 {until}\n"));
    let summary = setup.path("summary.jsonl");
    let running = setup.start(&["run", "--summary", &summary.display().to_string()]);
    let anomalies = |wanted: u64| {
        crate::common::wait_for("a pass", || {
            let last = summaries(&summary).pop()?;
            (last["anomalies"] == wanted).then_some(())
        });
    };
    anomalies(1);
    carbon::send(running.carbon(), format!("sum.late 104 {until}\n").as_bytes());
    anomalies(0);
    carbon::send(running.carbon(), format!("sum.late 9000 {until}\n").as_bytes());
    anomalies(1);
    assert_eq!(running.stop().code(), 0);
}
