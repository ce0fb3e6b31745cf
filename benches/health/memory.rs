//! A million observations: what they take, and how long it takes to read them again after a kill.

use std::time::Instant;

use serde_json::{Value, json};
use skywatch::health::idl::panorama::health_service_client::HealthServiceClient;
use skywatch::health::idl::panorama::{Empty, GetViewRequest, Status, submit_report_reply};
use skywatch::health::idl::verdicts::SubmitBatchRequest;
use skywatch::health::idl::verdicts::verdicts_client::VerdictsClient;

use crate::world::{Server, folder, free_port, number, register, report, runtime};

/// Observers of a subject, and observations of each: as many as a view holds.
const OBSERVERS: usize = 8;
const OBSERVATIONS: usize = 10;
/// Reports in a call.
const BATCH: usize = 500;
/// Starts that are timed.
const STARTS: usize = 3;

/// Fills a server over the network, and starts it again a few times.
pub(crate) fn memory() -> Value {
    let folder = folder();
    let subjects: Vec<String> = (0..number("SUBJECTS", 12_500))
        .map(|n| format!("service:checkout-{n}"))
        .collect();
    let port = free_port();
    let server = Server::start(folder.path(), port, &[]);
    let runtime = runtime(2);
    let begun = Instant::now();
    runtime.block_on(fill(&server, &subjects));
    let filled = begun.elapsed();
    let (now, most) = server.memory();
    drop(server);
    let file = folder.path().join("health.sqlite");
    let megabytes = std::fs::metadata(file).map_or(f64::NAN, |file| file.len() as f64 / 1e6);
    let mut starts = Vec::new();
    let mut again = (f64::NAN, f64::NAN);
    for _ in 0..STARTS {
        let begun = Instant::now();
        let server = Server::start(folder.path(), port, &[]);
        runtime.block_on(async {
            let mut client = HealthServiceClient::new(server.answers().await);
            starts.push(begun.elapsed().as_secs_f64());
            let asked = GetViewRequest {
                subject: subjects[subjects.len() / 2].clone(),
                observer: "client@3".to_owned(),
            };
            let view = client.get_view(asked).await.expect("a view").into_inner();
            assert_eq!(view.observations.len(), OBSERVATIONS);
            assert!(
                client
                    .get_observed_subjects(Empty {})
                    .await
                    .expect("all")
                    .get_ref()
                    .subjects
                    .len()
                    > subjects.len()
            );
        });
        again = server.memory();
    }
    starts.sort_by(f64::total_cmp);
    json!({
        "observations": subjects.len() * OBSERVERS * OBSERVATIONS,
        "memory_mb": now.round(), "most_memory_mb": most.round(), "file_mb": megabytes.round(),
        "seconds_to_fill": filled.as_secs_f64(),
        "seconds_to_start": starts, "memory_after_start_mb": again.0.round(), "most_memory_after_start_mb": again.1.round(),
    })
}

async fn fill(server: &Server, subjects: &[String]) {
    let channel = server.answers().await;
    let mut client = VerdictsClient::new(channel.clone());
    let mut handles = Vec::new();
    for number in 0..OBSERVERS {
        let observer = format!("client@{number}");
        let handle = register(&channel, &observer).await;
        handles.push((observer, handle));
    }
    for _ in 0..OBSERVATIONS {
        for (observer, handle) in &handles {
            for some in subjects.chunks(BATCH) {
                let reports = some
                    .iter()
                    .map(|subject| report(observer, subject, Status::Healthy));
                let request = SubmitBatchRequest {
                    handle: *handle,
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
            }
        }
    }
}
