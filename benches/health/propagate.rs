//! From a report at one server to the verdict of eight others, all nine on this machine.

use std::time::{Duration, Instant};

use serde_json::Value;
use skywatch::health::idl::panorama::health_service_client::HealthServiceClient;
use skywatch::health::idl::panorama::{Status, SubmitReportRequest};
use skywatch::health::idl::verdicts::verdicts_client::VerdictsClient;
use skywatch::health::idl::verdicts::{State, WatchRequest, watch_reply};
use tokio::sync::mpsc;
use tonic::transport::Channel;

use crate::world::{Server, folder, free_port, number, percentiles, register, report, runtime};

const PEERS: usize = 8;
/// Between two reports that are timed: a busy observer's pace, and no queue.
const PACE: Duration = Duration::from_millis(10);
/// How long a report may take.
const PATIENCE: Duration = Duration::from_secs(10);

fn subject(number: usize) -> String {
    format!("service:checkout-{number}")
}

/// Each subject is well first, everywhere; then a report says that it is not, and each peer's watch tells of the change.
pub(crate) fn propagate() -> Value {
    let subjects = number("PROPAGATED", 1_000);
    let ports: Vec<u16> = (0..=PEERS).map(|_| free_port()).collect();
    let peers: Vec<String> = ports
        .iter()
        .enumerate()
        .map(|(id, port)| format!("s{id}=127.0.0.1:{port}"))
        .collect();
    let peers = peers.join(",");
    let folder = folder();
    let servers: Vec<Server> = ports
        .iter()
        .enumerate()
        .map(|(id, port)| {
            let state = folder.path().join(id.to_string());
            Server::start(&state, *port, &[("id", &format!("s{id}")), ("peers", &peers)])
        })
        .collect();
    runtime(1).block_on(async {
        let channel = servers[0].answers().await;
        let (events, mut changes) = mpsc::unbounded_channel();
        for server in &servers[1..] {
            let watched = server.answers().await;
            tokio::spawn(watch(watched, events.clone()));
        }
        let handle = register(&channel, "client").await;
        let mut client = HealthServiceClient::new(channel);
        for number in 0..subjects {
            let request = SubmitReportRequest {
                handle,
                report: Some(report("client", &subject(number), Status::Healthy)),
            };
            client.submit_report(request).await.expect("an answer");
        }
        everywhere(&servers, &subject(subjects - 1)).await;
        let mut times = Vec::with_capacity(subjects * PEERS);
        for number in 0..subjects {
            tokio::time::sleep(PACE).await;
            let name = subject(number);
            let request = SubmitReportRequest {
                handle,
                report: Some(report("client", &name, Status::Unhealthy)),
            };
            let begun = Instant::now();
            client.submit_report(request).await.expect("an answer");
            let mut told = 0;
            while told < PEERS {
                let change = tokio::time::timeout(PATIENCE, changes.recv()).await;
                let (of, at): (String, Instant) = change.expect("in time").expect("a change");
                if of == name {
                    told += 1;
                    times.push(at - begun);
                }
            }
        }
        percentiles(times)
    })
}

/// Hands on each change to `unhealthy`, with the moment in which it was read.
async fn watch(channel: Channel, events: mpsc::UnboundedSender<(String, Instant)>) {
    let request = WatchRequest { subjects: Vec::new() };
    let mut client = VerdictsClient::new(channel);
    let mut replies = client.watch(request).await.expect("a watch").into_inner();
    while let Ok(Some(reply)) = replies.message().await {
        if let Some(watch_reply::Event::Change(change)) = reply.event
            && change.to() == State::Unhealthy
            && events.send((change.subject, Instant::now())).is_err()
        {
            return;
        }
    }
}

/// Waits until all servers know a subject, the last one reported on.
async fn everywhere(servers: &[Server], subject: &str) {
    for server in servers {
        let mut client = HealthServiceClient::new(server.answers().await);
        let begun = Instant::now();
        while !client
            .get_observed_subjects(skywatch::health::idl::panorama::Empty {})
            .await
            .expect("all")
            .get_ref()
            .subjects
            .contains_key(subject)
        {
            assert!(
                begun.elapsed() < PATIENCE,
                "{subject} does not reach {}",
                server.address
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
