//! 1,000 jobs, three trainers, one of them killed with kill -9 every one to three seconds.
//!
//! `cargo bench --bench jobs`; `JOBS`, `MILLISECONDS` (how long each job takes) and `LEASE` (seconds) may be set. Each trainer
//! is a process of its own over a real Redis: this binary, started with `QUEUE`. Counted: jobs done, jobs lost, and tries
//! beyond one a job.

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
use skywatch::jobs::GoOn;
use skywatch::jobs::{
    JobQueue as _, JobState, JobWork, OpenRedisQueue, RedisQueue, Task, Trainer, TrainerOptions,
};
use skywatch::stop::Stop;
use skywatch::store::redis::{RedisConnect, RedisOptions};
use skywatch_algorithms::random::Random;
use skywatch_settings::Jobs;

/// A job that takes so long and does nothing.
struct Waiting(Duration);

impl JobWork for Waiting {
    fn run(&self, _: &Task, _: &GoOn<'_>) -> Result<String, String> {
        std::thread::sleep(self.0);
        Ok("waited".to_owned())
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(usual)
}

fn connect(url: &str) -> RedisConnect {
    RedisConnect::new(RedisOptions {
        url: url.to_owned(),
        ..RedisOptions::default()
    })
    .unwrap()
}

fn train(url: &str, wait: Duration, lease: Duration) {
    let open = OpenRedisQueue {
        connect: connect(url),
        jobs: Jobs {
            lease,
            ..Jobs::default()
        },
    };
    let trainer = Trainer {
        open: &open,
        work: &Waiting(wait),
        options: TrainerOptions {
            worker: std::process::id().to_string(),
            lease,
            drain: false,
        },
    };
    trainer.run(&Stop::new()).unwrap();
}

fn main() {
    let (jobs, milliseconds) = (number("JOBS", 1_000) as usize, number("MILLISECONDS", 100));
    if let Ok(url) = std::env::var("QUEUE") {
        let lease = Duration::from_secs(number("LEASE", 5));
        return train(&url, Duration::from_millis(milliseconds), lease);
    }
    let server = RedisServer::start();
    let url = server.socket_url();
    let mut queue = RedisQueue::new(connect(&url), Jobs::default());
    for number in 0..jobs {
        queue.enqueue(&Task::default(), None, number as f64).unwrap();
    }
    let start = || -> Child {
        Command::new(std::env::current_exe().unwrap())
            .env("QUEUE", &url)
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
        let over = |state: JobState| matches!(state, JobState::Done | JobState::Dead);
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
    let done = list.iter().filter(|job| job.state == JobState::Done).count();
    let tries: usize = list.iter().map(|job| job.tries as usize).sum();
    println!(
        "{jobs} jobs of {milliseconds} ms, 3 trainers, {kills} kills in {:.0} s: {done} done, {} lost, {} begun again ({:.1} %)",
        begun.elapsed().as_secs_f64(),
        jobs - done,
        tries.saturating_sub(jobs),
        100.0 * tries.saturating_sub(jobs) as f64 / jobs as f64
    );
}
