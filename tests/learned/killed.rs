//! kill -9 of trainers at work, the real ones.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use skywatch::jobs::{Job, Queue, QueueOptions, RedisQueue, SqliteQueue, State, Task};
use skywatch::store::redis::{RedisConnect, RedisOptions};
use skywatch_algorithms::random::Random;

use crate::common::redis::RedisServer;

const PREFIX: &str = "skywatch.jobs";

/// Children that are killed when the test ends, however it ends.
struct Trainers(Vec<Child>);

impl Drop for Trainers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn trainer(store: &str, folder: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_skywatch"))
        .args(["child", "trainer", "--set", "jobs.lease=1s", "--store", store])
        .arg("--state-dir")
        .arg(folder)
        .env_clear()
        .env("HOME", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets `count` trainers do what is in the queue while one of them is killed now and then.
fn survive(
    queue: &mut dyn Queue,
    store: &str,
    folder: &std::path::Path,
    jobs: usize,
    count: usize,
) -> Vec<Job> {
    for number in 0..jobs {
        queue
            .enqueue(&Task::Wait { milliseconds: 20 }, None, number as f64)
            .unwrap();
    }
    let mut trainers = Trainers((0..count).map(|_| trainer(store, folder)).collect());
    let mut random = Random::new(9);
    let limit = Instant::now() + Duration::from_secs(90);
    let mut kills = 0;
    loop {
        std::thread::sleep(Duration::from_millis(600));
        let list = queue.list(jobs).unwrap();
        let done = list.iter().filter(|job| job.state == State::Done).count();
        if done == jobs {
            assert!(kills > 0, "nobody was killed");
            return list;
        }
        assert!(
            Instant::now() < limit,
            "{done} of {jobs} done after {kills} kills"
        );
        if done > 0 && kills < 4 {
            let victim = random.below(trainers.0.len());
            trainers.0[victim].kill().unwrap();
            trainers.0[victim].wait().unwrap();
            trainers.0[victim] = trainer(store, folder);
            kills += 1;
        }
    }
}

#[test]
fn slow_trainers_killed_over_redis_lose_nothing() {
    let server = RedisServer::start();
    let folder = tempfile::tempdir().unwrap();
    let url = server.socket_url();
    let connect = RedisConnect::new(RedisOptions {
        url: url.clone(),
        ..RedisOptions::default()
    })
    .unwrap();
    let mut queue = RedisQueue::new(connect, PREFIX.to_owned(), QueueOptions::default());
    let jobs = survive(&mut queue, &url, folder.path(), 150, 3);
    let workers: std::collections::BTreeSet<&str> = jobs.iter().map(|job| job.worker.as_str()).collect();
    assert!(workers.len() > 1, "they share the work: {workers:?}");
    let tries: u32 = jobs.iter().map(|job| job.tries).sum();
    assert!(
        tries as usize <= 150 + 4,
        "only what was under way is done again: {tries}"
    );
}

#[test]
fn slow_trainers_killed_over_sqlite_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = SqliteQueue::open(&folder.path().join("jobs.sqlite"), QueueOptions::default()).unwrap();
    let jobs = survive(&mut queue, "embedded", folder.path(), 60, 1);
    let tries: u32 = jobs.iter().map(|job| job.tries).sum();
    assert!(
        tries as usize <= 60 + 4,
        "only what was under way is done again: {tries}"
    );
}
