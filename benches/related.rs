//! What moved with a metric, among 100,000 metrics in a real Redis: from the question to the answer, and the reading alone.
//!
//! `scripts/bench causes`; `METRICS` (100,000) and `ROUNDS` (3) may be set. Planted: a cause that wanders and breaks a quarter of an hour
//! before the end, and 20 metrics that follow it by up to four steps; all others are noise. Each has 132 points a minute apart. The
//! reading alone is that of the same points by the same client, without a comparison. One thread, as it is in the dispatch.

#![expect(clippy::print_stdout, reason = "a bench talks")]

mod harness;

use std::time::{Instant, SystemTime};

use skywatch::causes::{IncidentMetric, RelatedMetrics, Suspects};
use skywatch::store::redis::{RedisConnect, RedisOptions};
use skywatch::store::{AnyConnect, Connect as _, Names as _, Points as _, codec};
use skywatch::topology::TopologyCache;
use skywatch_alerters::Subject;
use skywatch_algorithms::Series;
use skywatch_algorithms::causes::TAIL_POINTS;
use skywatch_algorithms::random::Random;
use skywatch_settings::{Causes, SuspectRanking, TopologySource};

const DEPENDENTS: usize = 20;
/// Points of each metric, and those that are read of it: as the search reads them.
const POINTS: usize = TAIL_POINTS + 12;
const STEP: f64 = 60.0;
/// Names asked for at a time: as the search does.
const CHUNK: usize = 10_000;
const DAY: f64 = 86_400.0;

fn number(name: &str, usual: usize) -> usize {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn main() {
    let (metrics, rounds) = (number("METRICS", 100_000), number("ROUNDS", 3));
    let server = harness::RedisServer::start();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs_f64().floor();
    fill(&mut server.connection(), metrics, now);
    let options = RedisOptions {
        url: server.socket_url(),
        ..RedisOptions::default()
    };
    let connect = AnyConnect::Redis(RedisConnect::new(options).expect("an address"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let causes = Causes {
        topology: TopologySource::None,
        ..Causes::default()
    };
    let suspects = Suspects::new(
        TopologyCache::new(&causes, folder.path()),
        SuspectRanking::Explained,
    );
    let search = RelatedMetrics::new(&connect, DAY, suspects);
    let subject = Subject::Metric("app.cause".to_owned());
    for round in 1..=rounds {
        let incident = IncidentMetric {
            subject: &subject,
            since: now - 15.0 * STEP,
            at: now,
        };
        let begun = Instant::now();
        let found = search.find(&[incident], &[]);
        let all = begun.elapsed().as_secs_f64();
        let reading = read(&connect);
        let first = found[0].related.iter().take(DEPENDENTS);
        let hits = first.filter(|one| one.metric.starts_with("app.follows.")).count();
        println!(
            "round {round}: {} metrics compared in {all:.2} s, reading included; reading alone {reading:.2} s, so comparing {:.2} s; \
             {hits} of {DEPENDENTS} planted among the first {DEPENDENTS}",
            found[0].compared,
            all - reading
        );
    }
}

/// Seconds to read the names and the newest points of all metrics.
fn read(connect: &AnyConnect) -> f64 {
    let mut store = connect.connect().expect("a connection");
    let begun = Instant::now();
    let mut names: Vec<String> = Vec::new();
    let listed = store.list(&mut |name| names.push(name.to_owned()));
    listed.expect("the server answers");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut buffer, mut points) = (Series::default(), 0);
    for chunk in names.chunks(CHUNK) {
        let read = store.fetch_last(chunk, POINTS, &mut buffer, &mut |_, series, _| {
            series.canonicalise(DAY);
            points += series.len();
        });
        read.expect("the server answers");
    }
    assert!(points >= names.len() * TAIL_POINTS, "{points} points");
    begun.elapsed().as_secs_f64()
}

fn fill(connection: &mut redis::Connection, metrics: usize, now: f64) {
    let mut random = Random::new(1);
    let mut level = 0.0;
    let cause: Vec<f64> = (0..POINTS + 4)
        .map(|at| {
            level = 0.8 * level + random.normal();
            level + if at + 15 > POINTS { 8.0 } else { 0.0 }
        })
        .collect();
    let mut all: Vec<(String, Vec<f64>)> = vec![("app.cause".to_owned(), cause[4..].to_vec())];
    for follower in 0..DEPENDENTS {
        let (gain, lag) = (1.0 + random.unit() * 1e3, random.below(5));
        let values = (0..POINTS).map(|at| gain * (cause[at + 4 - lag] + 0.5 * random.normal()));
        all.push((format!("app.follows.{follower}"), values.collect()));
    }
    all.extend((all.len()..metrics).map(|other| {
        let values = (0..POINTS).map(|_| random.normal());
        (format!("other{}.{other}", other % 300), values.collect())
    }));
    for chunk in all.chunks(500) {
        let mut pipe = redis::pipe();
        for (name, values) in chunk {
            let mut stream = Vec::with_capacity(values.len() * 15);
            for (at, value) in values.iter().enumerate() {
                codec::encode(now - STEP * (values.len() - 1 - at) as f64, *value, &mut stream);
            }
            let key = format!("metrics.{name}");
            pipe.set(&key, stream)
                .ignore()
                .sadd("metrics.unique_metrics", key)
                .ignore();
        }
        pipe.exec(connection).expect("the server takes it");
    }
}
