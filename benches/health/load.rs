//! Reports over the network: one after the other, and as many as a server takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skywatch::health::idl::panorama::health_service_client::HealthServiceClient;
use skywatch::health::idl::panorama::{Status, SubmitReportRequest, submit_report_reply};
use skywatch::health::idl::verdicts::SubmitBatchRequest;
use skywatch::health::idl::verdicts::verdicts_client::VerdictsClient;
use tonic::transport::Channel;

use crate::world::{Server, folder, free_port, number, percentiles, register, report, runtime};

/// Subjects that are reported on in turn.
const SUBJECTS: usize = 1_000;
/// Calls under way on a connection.
const UNDER_WAY: usize = 64;
/// Reports in a batch, where batches are sent.
const BATCH: usize = 100;

fn subject(number: usize) -> String {
    format!("service:checkout-{}", number % SUBJECTS)
}

/// One observer that waits for each answer.
pub(crate) fn submit() -> Value {
    let folder = folder();
    let server = Server::start(folder.path(), free_port(), &[]);
    let reports = number("REPORTS", 20_000);
    let times = runtime(1).block_on(async {
        let channel = server.answers().await;
        let handle = register(&channel, "client").await;
        let mut client = HealthServiceClient::new(channel);
        let mut times = Vec::with_capacity(reports);
        for number in 0..reports {
            let request = SubmitReportRequest {
                handle,
                report: Some(report("client", &subject(number), Status::Healthy)),
            };
            let begun = Instant::now();
            let reply = client.submit_report(request).await.expect("an answer");
            times.push(begun.elapsed());
            assert_eq!(reply.get_ref().result(), submit_report_reply::Status::Accepted);
        }
        times
    });
    percentiles(times)
}

/// A pool of connections, each with many calls under way: single reports, then batches.
pub(crate) fn sustained() -> Value {
    let single = many(false);
    let batches = many(true);
    json!({"single": single, "batches_of_100": batches})
}

fn many(in_batches: bool) -> Value {
    let folder = folder();
    let server = Server::start(folder.path(), free_port(), &[]);
    let (seconds, connections) = (number("SECONDS", 10), number("CONNECTIONS", 4));
    let taken = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds as u64);
    runtime(2).block_on(async {
        let mut senders = tokio::task::JoinSet::new();
        for connection in 0..connections {
            let channel = server.answers().await;
            let observer = format!("client@{connection}");
            let handle = register(&channel, &observer).await;
            let under_way = if in_batches { 2 } else { UNDER_WAY };
            for sender in 0..under_way {
                let sender = Sender {
                    channel: channel.clone(),
                    handle,
                    observer: observer.clone(),
                    taken: Arc::clone(&taken),
                    first: sender * SUBJECTS / under_way,
                };
                senders.spawn(async move {
                    if in_batches {
                        sender.batches(end).await;
                    } else {
                        sender.single(end).await;
                    }
                });
            }
        }
        while let Some(ended) = senders.join_next().await {
            ended.expect("a sender ends well");
        }
    });
    let rate = taken.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    json!({"reports_s": rate.round(), "connections": connections, "seconds": seconds, "memory_mb": server.memory().1})
}

struct Sender {
    channel: Channel,
    handle: u64,
    observer: String,
    taken: Arc<AtomicU64>,
    first: usize,
}

impl Sender {
    async fn single(self, end: Instant) {
        let mut client = HealthServiceClient::new(self.channel.clone());
        for number in self.first.. {
            if Instant::now() >= end {
                return;
            }
            let request = SubmitReportRequest {
                handle: self.handle,
                report: Some(report(&self.observer, &subject(number), Status::Healthy)),
            };
            let reply = client.submit_report(request).await.expect("an answer");
            assert_eq!(reply.get_ref().result(), submit_report_reply::Status::Accepted);
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn batches(self, end: Instant) {
        let mut client = VerdictsClient::new(self.channel.clone());
        for number in (self.first..).step_by(BATCH) {
            if Instant::now() >= end {
                return;
            }
            let reports =
                (number..number + BATCH).map(|n| report(&self.observer, &subject(n), Status::Healthy));
            let request = SubmitBatchRequest {
                handle: self.handle,
                reports: reports.collect(),
            };
            let reply = client.submit_batch(request).await.expect("an answer");
            for result in &reply.get_ref().results {
                assert_eq!(
                    result.status(),
                    submit_report_reply::Status::Accepted,
                    "{result:?}"
                );
            }
            self.taken.fetch_add(BATCH as u64, Ordering::Relaxed);
        }
    }
}
