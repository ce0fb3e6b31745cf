//! Points in, verdicts, mails, figures and keys out: series of the Numenta benchmark through the carbon
//! port into Redis, and everything that must come of them.

use redis::Commands as _;

use super::redis_world::{NAMES, key, points, put};
use crate::common::carbon;
use crate::common::graphite::Graphite;
use crate::common::mime;
use crate::common::redis::RedisServer;
use crate::common::series::{each_minute, loud, nab, now, quiet};
use crate::common::skywatch::Setup;
use crate::common::smtp::Smtp;

const DAY: usize = 1440;

/// Series of the benchmark: file, last row, and what the reference says of the day that ends there.
/// Those that are anomalous end within a labelled anomaly.
const REPLAYED: [(&str, usize, Expected); 9] = [
    ("realTweets/Twitter_volume_FB.csv", 10_321, Expected::Anomalous),
    (
        "realAWSCloudwatch/grok_asg_anomaly.csv",
        3_754,
        Expected::Anomalous,
    ),
    (
        "realAWSCloudwatch/rds_cpu_utilization_e47b3b.csv",
        2_586,
        Expected::Anomalous,
    ),
    ("realTweets/Twitter_volume_GOOG.csv", 12_538, Expected::Normal),
    (
        "realAWSCloudwatch/ec2_cpu_utilization_77c1ca.csv",
        2_198,
        Expected::Normal,
    ),
    (
        "realAWSCloudwatch/ec2_cpu_utilization_c6585a.csv",
        1_735,
        Expected::Normal,
    ),
    (
        "realKnownCause/ec2_request_latency_system_failure.csv",
        2_357,
        Expected::Normal,
    ),
    (
        "realAWSCloudwatch/ec2_disk_write_bytes_c0d644.csv",
        3_202,
        Expected::Boring,
    ),
    (
        "realKnownCause/rogue_agent_key_updown.csv",
        2_682,
        Expected::Boring,
    ),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    Anomalous,
    Normal,
    Boring,
}

fn metric(file: &str) -> String {
    format!("nab.{}", file.trim_end_matches(".csv").replace('/', "."))
}

fn anomalous() -> Vec<String> {
    let anomalous = REPLAYED
        .iter()
        .filter(|(.., expected)| *expected == Expected::Anomalous);
    let mut names: Vec<String> = anomalous.map(|(file, ..)| metric(file)).collect();
    names.sort();
    names
}

/// Settings that tell a mail server and a Graphite.
fn telling(redis: &RedisServer, smtp: &Smtp, graphite: &Graphite) -> Setup {
    Setup::new()
        .on(redis)
        .with("email.server", "127.0.0.1")
        .with("email.port", &smtp.port())
        .with("email.security", "none")
        .with("email.from", "Skywatch <watch@example.org>")
        .with("email.to", r#"["ops@example.org"]"#)
        .with("alerts.base_url", "https://watch.example.org/")
        .with("alerts.group_depth", "9")
        .with("graphite.address", &graphite.address())
        .with("graphite.prefix", "skytest.one")
}

#[test]
fn a_day_of_the_benchmark_becomes_mails_figures_and_keys() {
    let redis = RedisServer::start();
    let (smtp, graphite) = (Smtp::start(), Graphite::start());
    // What is expected is what the reference says.
    let setup = telling(&redis, &smtp, &graphite).with("analyzer.profile", "skyline");

    let end = now();
    let mut lines = String::new();
    for (file, last, _) in REPLAYED {
        lines += &carbon::lines(&metric(file), &each_minute(&nab(file, last, DAY), end));
    }
    // A counter, which must be judged by its rate, and is quiet by that.
    let counter: Vec<f64> = quiet(DAY)
        .iter()
        .scan(1e6, |sum, value| {
            *sum += value;
            Some(*sum)
        })
        .collect();
    lines += &carbon::lines("made.counter", &each_minute(&counter, end));
    setup.take_in(&lines);

    let (passes, ended) = setup.run_passes(2);
    for (index, pass) in passes.iter().enumerate() {
        assert_eq!(pass["pass"], index + 1, "{pass}");
        assert_eq!(pass["metrics"], 10, "{pass}");
        assert_eq!(pass["analyzed"], 8, "{pass}");
        assert_eq!(pass["anomalies"], 3, "{pass}");
        assert_eq!(
            pass["exceptions"],
            serde_json::json!({"Boring": 2, "DeletedByRoomba": 0, "Other": 0, "Stale": 0, "TooShort": 0})
        );
        // Nothing new came between the passes, so nothing cached was read again.
        assert_eq!(pass["refetched"], 0, "{pass}");
        let breakdown = pass["breakdown"].as_object().unwrap();
        assert_eq!(breakdown.len(), 9, "{pass}");
        assert_eq!(breakdown["ks_test"], 0, "a point a minute is too few for it");
        assert_eq!(breakdown["stddev_from_average"], 3, "{pass}");
        let seconds = &pass["seconds"];
        let total = seconds["total"].as_f64().unwrap();
        assert!(total > 0.0 && total < 30.0, "{pass}");
        for stage in ["names", "fetch", "judge"] {
            assert!(seconds[stage].as_f64().unwrap() <= total, "{pass}");
        }
    }

    // The log an operator of the original knows, and one line for each anomaly, once.
    assert!(
        ended.log.matches(":: total metrics :: 10\n").count() == 2,
        "{}",
        ended.log
    );
    assert!(
        ended.log.contains(":: exception stats :: {'Boring': 2}\n"),
        "{}",
        ended.log
    );
    for name in anomalous() {
        let line = ended.line(&format!(":: {name} is "));
        assert!(
            line.contains("WARNING") && line.contains("stddev_from_average"),
            "{line}"
        );
        assert!(line.contains("expected"), "{line}");
    }

    // One mail each over both passes, with all a reader needs.
    let subjects = smtp.subjects();
    assert_eq!(subjects.len(), 3, "{subjects:?}");
    for name in anomalous() {
        let mails = smtp.mails();
        let mut about = mails
            .iter()
            .filter(|mail| mime::part(mail, "text/plain").contains(&name));
        let mail = about
            .next()
            .unwrap_or_else(|| panic!("no mail about {name}: {subjects:?}"));
        assert!(about.next().is_none(), "two mails about {name}");
        let (headers, _) = mime::split(mail);
        assert_eq!(mime::header(&headers, "From"), "Skywatch <watch@example.org>");
        assert_eq!(mime::header(&headers, "To"), "ops@example.org");
        assert!(
            mime::header(&headers, "Subject").starts_with("[skywatch] nab."),
            "{subjects:?}"
        );
        let link = format!("https://watch.example.org/metric?name={name}");
        assert!(mime::part(mail, "text/plain").contains(&link), "{mail}");
    }

    // Redis: the sign of life, the points as Skyline reads them, the names, the counter's class.
    let mut store = redis.connection();
    let alive: f64 = store
        .get::<_, String>("skywatch.analyzer")
        .unwrap()
        .parse()
        .unwrap();
    assert!((0.0..60.0).contains(&(now() - alive)), "{alive}");
    let left: i64 = store.ttl("skywatch.analyzer").unwrap();
    assert!((60..=120).contains(&left), "{left}");
    let (file, last, _) = REPLAYED[0];
    assert_eq!(
        points(&mut store, &metric(file)),
        each_minute(&nab(file, last, DAY), end)
    );
    let mut names: Vec<String> = store.smembers(NAMES).unwrap();
    names.sort();
    let mut expected: Vec<String> = REPLAYED.iter().map(|(file, ..)| key(&metric(file))).collect();
    expected.push(key("made.counter"));
    expected.sort();
    assert_eq!(names, expected);
    let class: f64 = store
        .get::<_, String>("skywatch.counter.made.counter")
        .unwrap()
        .parse()
        .unwrap();
    assert!((0.0..60.0).contains(&(now() - class)), "{class}");
    let left: i64 = store.ttl("skywatch.counter.made.counter").unwrap();
    assert!((86_000..=86_400).contains(&left), "{left}");
    assert!(
        !store
            .exists::<_, bool>("skywatch.counter.nab.realTweets.Twitter_volume_FB")
            .unwrap()
    );
    let original: bool = store.exists("analyzer").unwrap();
    assert!(!original, "Skyline's own sign of life is Skyline's");

    self_metrics(&graphite);

    // What was told is remembered: it outlives the process.
    setup.run_passes(1);
    assert_eq!(smtp.subjects().len(), 3, "{:?}", smtp.subjects());
    let listed = setup.run(&["incidents"]);
    // Below the line that says that nobody runs.
    assert_eq!(listed.stdout.lines().count(), 4, "{}", listed.stdout);
    let life = setup.run(&["incidents", "1"]);
    assert!(life.stdout.contains(" to email sent\n"), "{}", life.stdout);
}

/// The names under which Skywatch tells of itself are what dashboards are built on: they change on
/// purpose only.
fn self_metrics(graphite: &Graphite) {
    let lines = graphite.lines();
    let mut names: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    insta::assert_snapshot!(names.join("\n"), @r"
    skytest.one.analyzer.algorithm_breakdown.first_hour_average.timing.median_time
    skytest.one.analyzer.algorithm_breakdown.first_hour_average.timing.times_run
    skytest.one.analyzer.algorithm_breakdown.first_hour_average.timing.total_time
    skytest.one.analyzer.algorithm_breakdown.grubbs.timing.median_time
    skytest.one.analyzer.algorithm_breakdown.grubbs.timing.times_run
    skytest.one.analyzer.algorithm_breakdown.grubbs.timing.total_time
    skytest.one.analyzer.algorithm_breakdown.histogram_bins.timing.median_time
    skytest.one.analyzer.algorithm_breakdown.histogram_bins.timing.times_run
    skytest.one.analyzer.algorithm_breakdown.histogram_bins.timing.total_time
    skytest.one.analyzer.algorithm_breakdown.ks_test.timing.median_time
    skytest.one.analyzer.algorithm_breakdown.ks_test.timing.times_run
    skytest.one.analyzer.algorithm_breakdown.ks_test.timing.total_time
    skytest.one.analyzer.algorithm_breakdown.least_squares.timing.median_time
    skytest.one.analyzer.algorithm_breakdown.least_squares.timing.times_run
    skytest.one.analyzer.algorithm_breakdown.least_squares.timing.total_time
    skytest.one.analyzer.algorithm_breakdown.mean_subtraction_cumulation.timing.median_time
    skytest.one.analyzer.algorithm_breakdown.mean_subtraction_cumulation.timing.times_run
    skytest.one.analyzer.algorithm_breakdown.mean_subtraction_cumulation.timing.total_time
    skytest.one.analyzer.algorithm_breakdown.median_absolute_deviation.timing.median_time
    skytest.one.analyzer.algorithm_breakdown.median_absolute_deviation.timing.times_run
    skytest.one.analyzer.algorithm_breakdown.median_absolute_deviation.timing.total_time
    skytest.one.analyzer.algorithm_breakdown.stddev_from_average.timing.median_time
    skytest.one.analyzer.algorithm_breakdown.stddev_from_average.timing.times_run
    skytest.one.analyzer.algorithm_breakdown.stddev_from_average.timing.total_time
    skytest.one.analyzer.algorithm_breakdown.stddev_from_moving_average.timing.median_time
    skytest.one.analyzer.algorithm_breakdown.stddev_from_moving_average.timing.times_run
    skytest.one.analyzer.algorithm_breakdown.stddev_from_moving_average.timing.total_time
    skytest.one.analyzer.anomaly_breakdown.first_hour_average
    skytest.one.analyzer.anomaly_breakdown.grubbs
    skytest.one.analyzer.anomaly_breakdown.histogram_bins
    skytest.one.analyzer.anomaly_breakdown.ks_test
    skytest.one.analyzer.anomaly_breakdown.least_squares
    skytest.one.analyzer.anomaly_breakdown.mean_subtraction_cumulation
    skytest.one.analyzer.anomaly_breakdown.median_absolute_deviation
    skytest.one.analyzer.anomaly_breakdown.stddev_from_average
    skytest.one.analyzer.anomaly_breakdown.stddev_from_moving_average
    skytest.one.analyzer.cached_bytes
    skytest.one.analyzer.duration
    skytest.one.analyzer.exceptions.Boring
    skytest.one.analyzer.exceptions.DeletedByRoomba
    skytest.one.analyzer.exceptions.Other
    skytest.one.analyzer.exceptions.Stale
    skytest.one.analyzer.exceptions.TooShort
    skytest.one.analyzer.held
    skytest.one.analyzer.late_points
    skytest.one.analyzer.memory_dropped
    skytest.one.analyzer.memory_failed
    skytest.one.analyzer.moved
    skytest.one.analyzer.nodes
    skytest.one.analyzer.projected
    skytest.one.analyzer.refetched
    skytest.one.analyzer.retried
    skytest.one.analyzer.run_time
    skytest.one.analyzer.shards
    skytest.one.analyzer.shards_acquired
    skytest.one.analyzer.shards_lost
    skytest.one.analyzer.total_analyzed
    skytest.one.analyzer.total_anomalies
    skytest.one.analyzer.total_metrics
    skytest.one.analyzer.troubles
    skytest.one.analyzer.unfinished
    skytest.one.analyzer.unlearnt
    skytest.one.analyzer.unusable_points
    skytest.one.analyzer.warming
    skytest.one.analyzer.without_room
    skytest.one.ingest.accepted
    skytest.one.ingest.accepts_failed
    skytest.one.ingest.binds_failed
    skytest.one.ingest.connections
    skytest.one.ingest.connections_evicted
    skytest.one.ingest.connections_refused
    skytest.one.ingest.dropped.bad_frame
    skytest.one.ingest.dropped.bad_name
    skytest.one.ingest.dropped.bad_time
    skytest.one.ingest.dropped.frame_too_long
    skytest.one.ingest.dropped.kernel_buffer_full
    skytest.one.ingest.dropped.line_too_long
    skytest.one.ingest.dropped.lost_at_stop
    skytest.one.ingest.dropped.malformed
    skytest.one.ingest.dropped.name_too_long
    skytest.one.ingest.dropped.not_finite
    skytest.one.ingest.dropped.not_utf8
    skytest.one.ingest.dropped.queue_full
    skytest.one.ingest.dropped.refused_by_store
    skytest.one.ingest.dropped.skipped
    skytest.one.ingest.dropped.stale_marker
    skytest.one.ingest.dropped.too_far_ahead
    skytest.one.ingest.dropped.too_many_metrics
    skytest.one.ingest.dropped.too_old
    skytest.one.ingest.dropped.turned_away
    skytest.one.ingest.dropped.unfinished
    skytest.one.ingest.dropped.unsupported
    skytest.one.ingest.listener.carbon.accepted
    skytest.one.ingest.listener.carbon.accepts_failed
    skytest.one.ingest.listener.carbon.binds_failed
    skytest.one.ingest.listener.carbon.connections
    skytest.one.ingest.listener.carbon.connections_evicted
    skytest.one.ingest.listener.carbon.connections_refused
    skytest.one.ingest.listener.carbon.received
    skytest.one.ingest.listener.carbon.retried
    skytest.one.ingest.listener.carbon.written
    skytest.one.ingest.oldest_waiting_ms
    skytest.one.ingest.received
    skytest.one.ingest.retried
    skytest.one.ingest.trim.bytes_freed
    skytest.one.ingest.trim.dead_removed
    skytest.one.ingest.trim.empty_removed
    skytest.one.ingest.trim.failed
    skytest.one.ingest.trim.looked_at
    skytest.one.ingest.trim.quarantined
    skytest.one.ingest.trim.raced
    skytest.one.ingest.trim.trimmed
    skytest.one.ingest.waiting
    skytest.one.ingest.written
    ");
    for line in &lines {
        let fields: Vec<&str> = line.split(' ').collect();
        assert_eq!(fields.len(), 3, "{line}");
        assert!(fields[1].parse::<f64>().unwrap().is_finite(), "{line}");
        let age = now() - fields[2].parse::<f64>().unwrap();
        assert!((-1.0..120.0).contains(&age), "{line}");
    }
    for (name, value) in [
        ("total_metrics", 10.0),
        ("total_analyzed", 8.0),
        ("total_anomalies", 3.0),
        ("exceptions.Boring", 2.0),
        ("anomaly_breakdown.stddev_from_average", 3.0),
    ] {
        assert_eq!(
            graphite.last(&format!("skytest.one.analyzer.{name}")),
            Some(value),
            "{name}"
        );
    }
    let duration = graphite.last("skytest.one.analyzer.duration").unwrap();
    assert!(
        (duration - 23.98).abs() < 0.01,
        "hours of the longest window: {duration}"
    );
}

#[test]
fn a_refused_mail_begins_no_quiet_time_and_is_sent_again() {
    let redis = RedisServer::start();
    let (smtp, graphite) = (Smtp::start(), Graphite::start());
    let setup = telling(&redis, &smtp, &graphite);
    let mut store = redis.connection();
    put(&mut store, "loud", &each_minute(&loud(200), now()));

    smtp.refuse(usize::MAX);
    let (_, ended) = setup.run_passes(1);
    assert!(smtp.refused() >= 1);
    assert!(smtp.mails().is_empty());
    let line = ended.line("notices to `email` wait for the next start");
    assert!(line.contains("1 notices"), "{line}");

    // Refused once more, then taken: the next start sends what the last one could not.
    smtp.refuse(1);
    let (_, ended) = setup.run_passes(1);
    let line = ended.line("to `email` waits");
    assert!(line.contains("451 not now"), "{line}");
    smtp.refuse(0);
    let (_, ended) = setup.run_passes(1);
    assert_eq!(smtp.mails().len(), 1);
    assert!(
        ended.log.contains(" sent to `email` :: [skywatch] loud is 500"),
        "{}",
        ended.log
    );

    setup.run_passes(1);
    assert_eq!(smtp.mails().len(), 1, "it was told");
}
