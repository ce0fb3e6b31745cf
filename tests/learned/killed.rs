//! kill -9 of trainers at work: processes of their own, whose jobs are of a kind that only waits.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use skywatch::jobs::{
    GoOn, Job, JobQueue, JobState, JobWork, OpenQueue, OpenRedisQueue, OpenSqliteQueue, RedisQueue,
    SqliteQueue, Task, Trainer, TrainerOptions,
};
use skywatch::stop::Stop;
use skywatch::store::redis::{RedisConnect, RedisOptions};
use skywatch_algorithms::random::Random;
use skywatch_settings::Jobs;

use crate::common::redis::RedisServer;

/// Silence after which a job is taken from a trainer that was killed.
const LEASE: Duration = Duration::from_secs(1);

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

/// Where the trainer that this test's binary becomes finds its queue.
const QUEUE: &str = "SKYWATCH_TEST_QUEUE";
/// How long a job takes.
const WAIT: Duration = Duration::from_millis(20);

struct Waiting;

impl JobWork for Waiting {
    fn run(&self, _: &Task, _: &GoOn<'_>) -> Result<String, String> {
        std::thread::sleep(WAIT);
        Ok("waited".to_owned())
    }
}

#[test]
#[ignore = "a child of the other tests here"]
fn a_trainer() {
    let Ok(place) = std::env::var(QUEUE) else {
        return;
    };
    let jobs = Jobs {
        lease: LEASE,
        ..Jobs::default()
    };
    let open: Box<dyn OpenQueue> = if place.starts_with('/') {
        Box::new(OpenSqliteQueue {
            path: place.into(),
            jobs,
        })
    } else {
        Box::new(OpenRedisQueue {
            connect: connect(&place),
            jobs,
        })
    };
    let trainer = Trainer {
        open: &*open,
        work: &Waiting,
        options: TrainerOptions {
            worker: std::process::id().to_string(),
            lease: LEASE,
            drain: false,
        },
    };
    trainer.run(&Stop::new()).unwrap();
}

fn trainer(place: &str) -> Child {
    let (_, module) = module_path!().split_once("::").unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::a_trainer"), "--ignored"])
        .env(QUEUE, place)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn connect(url: &str) -> RedisConnect {
    RedisConnect::new(RedisOptions {
        url: url.to_owned(),
        ..RedisOptions::default()
    })
    .unwrap()
}

/// Lets `count` trainers do what is in the queue while one of them is killed now and then.
fn survive(queue: &mut dyn JobQueue, place: &str, jobs: usize, count: usize) -> Vec<Job> {
    for number in 0..jobs {
        queue.enqueue(&Task::default(), None, number as f64).unwrap();
    }
    let mut trainers = Trainers((0..count).map(|_| trainer(place)).collect());
    let mut random = Random::new(9);
    let limit = Instant::now() + Duration::from_secs(90);
    let mut kills = 0;
    loop {
        std::thread::sleep(Duration::from_millis(600));
        let list = queue.list(jobs).unwrap();
        let done = list.iter().filter(|job| job.state == JobState::Done).count();
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
            trainers.0[victim] = trainer(place);
            kills += 1;
        }
    }
}

#[test]
fn slow_trainers_killed_over_redis_lose_nothing() {
    let server = RedisServer::start();
    let url = server.socket_url();
    let mut queue = RedisQueue::new(connect(&url), Jobs::default());
    let jobs = survive(&mut queue, &url, 150, 3);
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
    let path = folder.path().join("jobs.sqlite");
    let mut queue = SqliteQueue::open(&path, Jobs::default()).unwrap();
    let jobs = survive(&mut queue, path.to_str().unwrap(), 60, 1);
    let tries: u32 = jobs.iter().map(|job| job.tries).sum();
    assert!(
        tries as usize <= 60 + 4,
        "only what was under way is done again: {tries}"
    );
}
