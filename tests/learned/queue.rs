//! The promises of a queue, asked of both.

use std::time::{Duration, Instant};

use skywatch::jobs::{JobOutcome, JobQueue, JobState, RedisQueue, SqliteQueue, Task, enqueue_due};
use skywatch::store::redis::{RedisConnect, RedisOptions};
use skywatch_settings::{Cron, Jobs};

use crate::common::redis::RedisServer;
use crate::common::redis_cluster::ServerCluster;
use crate::common::wait_for;

/// A lease of one second; in SQLite time is what the caller says, in Redis idleness is real.
fn limits() -> Jobs {
    Jobs {
        lease: Duration::from_secs(1),
        tries: 3,
        backoff: Duration::from_secs(10),
        backoff_max: Duration::from_secs(15),
        ..Jobs::default()
    }
}

fn redis_queue(server: &RedisServer, prefix: &str) -> Box<dyn JobQueue> {
    let connect = RedisConnect::new(RedisOptions {
        url: server.socket_url(),
        ..RedisOptions::default()
    })
    .unwrap();
    let jobs = Jobs {
        prefix: prefix.to_owned(),
        ..limits()
    };
    Box::new(RedisQueue::new(connect, jobs))
}

/// Asks `check` of both kinds; it gets a way to open handles.
fn both(check: impl Fn(&dyn Fn() -> Box<dyn JobQueue>)) {
    both_in_time(|open, _| check(open));
}

/// The same, with a way to let time pass.
fn both_in_time(check: impl Fn(&dyn Fn() -> Box<dyn JobQueue>, Pass)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.sqlite");
    check(
        &|| Box::new(SqliteQueue::open(&path, limits()).unwrap()),
        Pass { real: false },
    );
    let server = RedisServer::start();
    check(&|| redis_queue(&server, "test.jobs"), Pass { real: true });
}

/// How time passes for a queue.
#[derive(Clone, Copy)]
struct Pass {
    real: bool,
}

impl Pass {
    /// Asks again and again, with the seconds that have passed, until there is an answer.
    fn until<T>(self, what: &str, mut ask: impl FnMut(f64) -> Option<T>) -> T {
        if self.real {
            let begun = Instant::now();
            return wait_for(what, || ask(begun.elapsed().as_secs_f64()));
        }
        let found = (1..100).find_map(|step| ask(0.1 * f64::from(step)));
        found.unwrap_or_else(|| panic!("ten seconds in vain for {what}"))
    }
}

/// A task of a kind that only tests know.
fn task(milliseconds: u64) -> Task {
    serde_json::from_value(serde_json::json!({"kind": "wait", "milliseconds": milliseconds})).unwrap()
}

const NO_WAIT: Duration = Duration::ZERO;

#[test]
fn a_job_goes_from_hand_to_hand_once() {
    both(|open| {
        let (mut queue, mut other) = (open(), open());
        assert_eq!(queue.take("a", 100.0, NO_WAIT).unwrap(), None);
        let id = queue.enqueue(&task(1), None, 100.0).unwrap().unwrap();
        let second = queue.enqueue(&task(2), None, 101.0).unwrap().unwrap();
        let taken = queue.take("a", 102.0, NO_WAIT).unwrap().unwrap();
        assert_eq!((&taken.id, taken.tries, &taken.task), (&id, 1, &task(1)));
        let others = other.take("b", 102.0, NO_WAIT).unwrap().unwrap();
        assert_eq!(others.id, second);
        assert_eq!(other.take("b", 102.0, NO_WAIT).unwrap(), None);
        assert!(queue.beat(&taken, "a", 102.1).unwrap());
        assert!(
            !other.beat(&taken, "b", 102.1).unwrap(),
            "only its holder speaks for it"
        );
        assert!(
            !other
                .finish(&taken, "b", &JobOutcome::Done("stolen".to_owned()), 102.2)
                .unwrap()
        );
        assert!(
            queue
                .finish(&taken, "a", &JobOutcome::Done("well".to_owned()), 102.3)
                .unwrap()
        );
        assert!(
            !queue
                .finish(&taken, "a", &JobOutcome::Done("twice".to_owned()), 102.4)
                .unwrap()
        );
        let jobs = queue.list(10).unwrap();
        assert_eq!(jobs.len(), 2);
        assert_eq!(
            (jobs[0].state, jobs[1].state),
            (JobState::Running, JobState::Done)
        );
        assert_eq!(
            (jobs[1].outcome.as_str(), jobs[1].worker.as_str(), jobs[1].tries),
            ("well", "a", 1)
        );
    });
}

#[test]
fn a_tick_is_enqueued_once_however_many_schedulers_there_are() {
    both(|open| {
        let cron = Cron::parse("*/5 * * * *").unwrap();
        let start = 1_700_000_000.0 - 1_700_000_000.0 % 3600.0;
        let added: Vec<String> = std::thread::scope(|scope| {
            let nodes: Vec<_> = (0..4)
                .map(|_| {
                    let mut queue = open();
                    let cron = cron.clone();
                    scope.spawn(move || {
                        let minutes = (0..30).map(|minute| start + 60.0 * f64::from(minute));
                        let due = minutes.filter_map(|now| {
                            enqueue_due(&mut *queue, &cron, &task(1), now - 60.0, now).unwrap()
                        });
                        due.collect::<Vec<_>>()
                    })
                })
                .collect();
            nodes.into_iter().flat_map(|node| node.join().unwrap()).collect()
        });
        assert_eq!(added.len(), 6);
        assert_eq!(open().list(100).unwrap().len(), 6);
        // A node that slept does not make up for all it missed.
        let mut queue = open();
        assert!(
            enqueue_due(&mut *queue, &cron, &task(1), start, start + 7200.0)
                .unwrap()
                .is_some()
        );
        assert_eq!(queue.list(100).unwrap().len(), 7);
    });
}

#[test]
fn the_dead_are_robbed_and_the_slow_are_not() {
    both_in_time(|open, pass| {
        let (mut slow, mut other) = (open(), open());
        let (first, second) = (task(1), task(2));
        slow.enqueue(&first, None, 0.0).unwrap();
        other.enqueue(&second, None, 0.0).unwrap();
        let slow_has = slow.take("slow", 0.0, NO_WAIT).unwrap().unwrap();
        let dead_had = other.take("dead", 0.0, NO_WAIT).unwrap().unwrap();
        // A lease passes; only one of the two says that it is alive.
        let (taken, now) = pass.until("the job of the dead one", |now| {
            assert!(slow.beat(&slow_has, "slow", now).unwrap());
            Some((other.take("other", now, NO_WAIT).unwrap()?, now))
        });
        assert_eq!((&taken.id, taken.tries), (&dead_had.id, 2));
        assert_eq!(
            other.take("other", now, NO_WAIT).unwrap(),
            None,
            "the slow one keeps its own"
        );
        assert!(!other.beat(&dead_had, "dead", now).unwrap());
        assert!(
            !other
                .finish(&dead_had, "dead", &JobOutcome::Done("late".to_owned()), now)
                .unwrap()
        );
        assert!(
            other
                .finish(&taken, "other", &JobOutcome::Done("well".to_owned()), now)
                .unwrap()
        );
        assert!(
            slow.finish(&slow_has, "slow", &JobOutcome::Done("well".to_owned()), now)
                .unwrap()
        );
        assert!(slow.list(10).unwrap().iter().all(|job| job.outcome == "well"));
    });
}

#[test]
fn a_failure_is_tried_again_later_and_ends_with_the_dead() {
    both(|open| {
        let mut queue = open();
        let id = queue.enqueue(&task(1), None, 0.0).unwrap().unwrap();
        let failed = JobOutcome::Failed("no luck".to_owned());
        // Pauses of 10 and 15 seconds: doubled, and held at the longest.
        for (at, next, pause) in [(0.0, 1, 10.0), (10.0, 2, 15.0)] {
            let taken = queue.take("a", at, NO_WAIT).unwrap().unwrap();
            assert_eq!(taken.tries, next);
            assert!(queue.finish(&taken, "a", &failed, at).unwrap());
            assert_eq!(queue.list(1).unwrap()[0].state, JobState::Waiting);
            assert_eq!(queue.take("a", at + pause - 0.1, NO_WAIT).unwrap(), None);
        }
        let taken = queue.take("a", 25.0, NO_WAIT).unwrap().unwrap();
        assert!(queue.finish(&taken, "a", &failed, 25.0).unwrap());
        let job = &queue.list(1).unwrap()[0];
        assert_eq!((job.state, job.outcome.as_str()), (JobState::Dead, "no luck"));
        assert_eq!(queue.take("a", 1e6, NO_WAIT).unwrap(), None);
        assert!(queue.revive(&id, 30.0).unwrap() && !queue.revive(&id, 30.0).unwrap());
        assert_eq!(queue.take("a", 31.0, NO_WAIT).unwrap().unwrap().tries, 1);
    });
}

#[test]
fn a_job_that_kills_its_trainers_ends_with_the_dead() {
    both_in_time(|open, pass| {
        let mut queue = open();
        queue.enqueue(&task(1), None, 0.0).unwrap();
        let mut now = 0.0;
        queue.take("w0", now, NO_WAIT).unwrap().unwrap();
        for number in 1..3 {
            let begun = now;
            pass.until("the job", |after| {
                now = begun + after;
                queue.take(&format!("w{number}"), now, NO_WAIT).unwrap()
            });
        }
        let begun = now;
        pass.until("its end", |after| {
            assert_eq!(queue.take("last", begun + after, NO_WAIT).unwrap(), None);
            (queue.list(1).unwrap()[0].state == JobState::Dead).then_some(())
        });
        let job = &queue.list(1).unwrap()[0];
        assert_eq!((job.state, job.tries), (JobState::Dead, 3));
        assert!(job.outcome.contains("fell silent"), "{}", job.outcome);
    });
}

#[test]
fn what_is_given_back_costs_no_try() {
    both(|open| {
        let mut queue = open();
        queue.enqueue(&task(1), None, 0.0).unwrap();
        for _ in 0..5 {
            let taken = queue.take("a", 1.0, NO_WAIT).unwrap().unwrap();
            assert_eq!(taken.tries, 1);
            assert!(queue.finish(&taken, "a", &JobOutcome::Released, 1.0).unwrap());
        }
    });
}

#[test]
fn a_queue_survives_its_redis() {
    let mut server = RedisServer::start();
    let mut queue = redis_queue(&server, "test.jobs");
    queue.enqueue(&task(1), None, 0.0).unwrap();
    server.stop();
    assert!(queue.take("a", 1.0, NO_WAIT).is_err());
    server.start_again();
    assert!(queue.take("a", 1.0, NO_WAIT).unwrap().is_some());
    let mut flush = server.connection();
    let _: () = redis::cmd("FLUSHALL").query(&mut flush).unwrap();
    // The group is gone with everything else: said once, then made again.
    let _ = queue.take("a", 1.0, NO_WAIT);
    queue.enqueue(&task(2), None, 2.0).unwrap();
    assert_eq!(queue.take("a", 3.0, NO_WAIT).unwrap().unwrap().task, task(2));
}

/// All keys of a queue are in one slot, wherever that is, and move with it.
#[test]
fn a_queue_lies_together_in_a_cluster() {
    let cluster = ServerCluster::start();
    let connect = RedisConnect::new(RedisOptions {
        url: "redis://cluster.invalid".to_owned(),
        cluster: vec![skywatch_settings::HostPort {
            host: "127.0.0.1".to_owned(),
            port: cluster.servers[0].port(),
        }],
        ..RedisOptions::default()
    })
    .unwrap();
    let mut queue = RedisQueue::new(connect, limits());
    let id = queue.enqueue(&task(1), None, 0.0).unwrap().unwrap();
    let slot = cluster.slot("{skywatch.jobs}");
    let from = ServerCluster::first_owner(slot);
    let mut tries = 0;
    cluster.migrate(slot, from, (from + 1) % 3, || {
        // Scripts over several keys are refused while some of them have gone ahead.
        tries += u32::from(queue.list(10).is_ok());
    });
    assert!(tries > 0);
    let taken = wait_for("the job", || queue.take("a", 1.0, Duration::ZERO).ok()?);
    assert_eq!((&taken.id, taken.tries), (&id, 1));
    assert!(queue.beat(&taken, "a", 1.0).unwrap());
    assert!(
        queue
            .finish(&taken, "a", &JobOutcome::Done("well".to_owned()), 2.0)
            .unwrap()
    );
    assert_eq!(queue.list(10).unwrap()[0].state, JobState::Done);
}
