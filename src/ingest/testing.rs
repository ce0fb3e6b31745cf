//! What the tests of several protocols need.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::arrivals::Arrivals;
use super::batch::PointBatch;
use super::gate::{Gate, IntakePolicy};
use super::intake::{BatchBuilder, Intake};
use super::stream::{Framer, read_client};
use crate::clock::unix_now;
use crate::net::listeners::Service;
use crate::net::slots::{Admitted, ConnectionSlots};
use crate::observer::Observer;

/// A time that is neither too old nor too far ahead.
pub(super) fn time() -> u64 {
    unix_now() as u64
}

/// An intake for names of up to 100 bytes and points up to an hour old, and the queue behind it.
pub(super) fn intake() -> (Intake, crossbeam_channel::Receiver<PointBatch>) {
    let (queue, receive) = crossbeam_channel::unbounded();
    let policy = IntakePolicy {
        settings: skywatch_settings::Ingest {
            skip: vec![skywatch_settings::Pattern::parse("/^skywatch[.]/").expect("a pattern")],
            do_not_skip: Vec::new(),
            max_metrics: 1_000,
            max_name_bytes: 100,
            ..Default::default()
        },
        max_age: Duration::from_secs(3_600),
    };
    let intake = Intake {
        service: Service::CARBON,
        peer: None,
        arrivals: Arc::new(Arrivals::new(Observer::off())),
        queue,
        room: Arc::new(Semaphore::new(1_000_000)),
        bound: 1_000_000,
        room_bytes: Arc::new(Semaphore::new(100_000)),
        bound_kilobytes: 100_000,
        unpacking: Arc::new(Semaphore::new(2)),
        counters: Arc::default(),
        gate: Arc::new(Gate::new(policy)),
        connections: ConnectionSlots::new(10),
        idle_timeout: Duration::from_secs(5),
        max_frame: 100_000,
        max_request: 100_000,
    };
    (intake, receive)
}

pub(super) fn counter(intake: &Intake, name: &str) -> u64 {
    let all = intake.counters.snapshot(&[], 0.0);
    all.iter().find(|(n, _)| n == name).map_or(0, |(_, value)| *value)
}

pub(super) fn points(batch: &PointBatch) -> Vec<(String, f64, f64)> {
    batch
        .samples()
        .map(|s| (s.metric.to_owned(), s.time, s.value))
        .collect()
}

/// What one read yields.
pub(super) fn read_once(read: impl FnOnce(&mut BatchBuilder<'_>)) -> (Vec<(String, f64, f64)>, Intake) {
    let (intake, _) = intake();
    let batch = {
        let mut builder = intake.begin();
        read(&mut builder);
        builder.finish()
    };
    (points(&batch), intake)
}

/// What a stream that comes in `pieces` yields.
pub(super) fn read_stream<C: Framer>(
    pieces: &[&[u8]],
    framer: impl Fn(&Intake) -> C,
) -> (Vec<(String, f64, f64)>, Intake) {
    let (intake, receive) = intake();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let Admitted::Free(slot) = intake.connections.admit() else {
        panic!("no slot");
    };
    runtime.block_on(async {
        let reading = read_client(server, &intake, framer(&intake), slot, std::future::pending());
        let writing = async {
            for piece in pieces {
                // A reader that has had enough is what some tests are about.
                let _ = tokio::io::AsyncWriteExt::write_all(&mut client, piece).await;
                tokio::task::yield_now().await;
            }
            drop(client);
        };
        tokio::join!(reading, writing);
    });
    let all = receive.try_iter().flat_map(|batch| points(&batch)).collect();
    (all, intake)
}
