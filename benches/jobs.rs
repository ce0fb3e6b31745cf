//! 1,000 jobs, three trainers, one of them killed with kill -9 every one to three seconds.
//!
//! `cargo bench --bench jobs`; `JOBS`, `MILLISECONDS` (how long each job takes) and `LEASE` (seconds) may be set. Real
//! children of the real binary over a real Redis. Counted: jobs done, jobs lost, and tries beyond one a job.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench talks and may fail"
)]

#[path = "../tests/common/redis.rs"]
mod redis_server;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis_server::RedisServer;
use skywatch::jobs::{Queue as _, QueueOptions, RedisQueue, State, Task};
use skywatch::store::redis::{RedisConnect, RedisOptions};
use skywatch_algorithms::random::Random;

fn main() {
    let number = |name: &str, usual: u64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(usual)
    };
    let (jobs, milliseconds, lease) = (
        number("JOBS", 1_000) as usize,
        number("MILLISECONDS", 100),
        number("LEASE", 5),
    );
    let server = RedisServer::start();
    let folder = tempfile::tempdir().unwrap();
    let url = server.socket_url();
    let connect = RedisConnect::new(RedisOptions {
        url: url.clone(),
        ..RedisOptions::default()
    })
    .unwrap();
    let mut queue = RedisQueue::new(connect, "skywatch.jobs".to_owned(), QueueOptions::default());
    for number in 0..jobs {
        queue
            .enqueue(&Task::Wait { milliseconds }, None, number as f64)
            .unwrap();
    }
    let start = || -> Child {
        Command::new(env!("CARGO_BIN_EXE_skywatch"))
            .args([
                "child",
                "trainer",
                "--set",
                &format!("jobs.lease={lease}s"),
                "--store",
                &url,
            ])
            .arg("--state-dir")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let begun = Instant::now();
    let mut trainers: Vec<Child> = (0..3).map(|_| start()).collect();
    let mut random = Random::new(7);
    let mut kills = 0;
    let list = loop {
        std::thread::sleep(Duration::from_secs_f64(1.0 + 2.0 * random.unit()));
        let list = queue.list(jobs).unwrap();
        let over = |state: State| matches!(state, State::Done | State::Dead);
        if list.iter().all(|job| over(job.state)) || begun.elapsed() > Duration::from_secs(600) {
            break list;
        }
        let victim = random.below(trainers.len());
        trainers[victim].kill().unwrap();
        trainers[victim].wait().unwrap();
        trainers[victim] = start();
        kills += 1;
    };
    for trainer in &mut trainers {
        let _ = trainer.kill();
        let _ = trainer.wait();
    }
    let done = list.iter().filter(|job| job.state == State::Done).count();
    let tries: usize = list.iter().map(|job| job.tries as usize).sum();
    println!(
        "{jobs} jobs of {milliseconds} ms, 3 trainers, {kills} kills in {:.0} s: {done} done, {} lost, {} begun again ({:.1} %)",
        begun.elapsed().as_secs_f64(),
        jobs - done,
        tries.saturating_sub(jobs),
        100.0 * tries.saturating_sub(jobs) as f64 / jobs as f64
    );
}
