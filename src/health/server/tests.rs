use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use skywatch_algorithms::verdicts::SECOND;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use super::*;
use crate::health::clock::now;
use crate::health::idl::panorama::health_service_client::HealthServiceClient;
use crate::health::idl::panorama::{self, *};
use crate::health::idl::verdicts::verdicts_client::VerdictsClient;
use crate::health::idl::verdicts::{GetVerdictRequest, State, SubmitBatchRequest, WatchRequest, watch_reply};
use crate::health::{DialOptions, HealthLimits, Options, Plane, Retention, convert};

type TestClient = HealthServiceClient<Channel>;

fn options(id: &str) -> ServerOptions {
    ServerOptions {
        id: id.to_owned(),
        address: String::new(),
        peers: BTreeMap::new(),
        dial: DialOptions::default(),
        subjects: Vec::new(),
        file: None,
        retention: Retention::default(),
        collection: None,
        plane: Options::default(),
    }
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

fn serve(listener: TcpListener, options: ServerOptions) -> (Arc<HealthServer>, tokio::task::AbortHandle) {
    let server = HealthServer::start(options).expect("a server");
    let routes = server.routes(None);
    let task = tokio::spawn(async move { axum::serve(listener, routes).await });
    (server, task.abort_handle())
}

async fn channel(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    endpoint.connect().await.expect("a connection")
}

async fn one(options: ServerOptions) -> (Arc<HealthServer>, Channel) {
    let (listener, address) = listener().await;
    let (server, _) = serve(listener, options);
    (server, channel(&address).await)
}

fn metric(status: panorama::Status, score: f32) -> Metric {
    Metric {
        name: "snapshot".to_owned(),
        value: Some(Value {
            status: status.into(),
            score,
        }),
    }
}

fn report(observer: &str, subject: &str, name: &str, status: panorama::Status) -> Report {
    Report {
        observer: observer.to_owned(),
        subject: subject.to_owned(),
        observation: Some(Observation {
            ts: Some(convert::timestamp(now())),
            metrics: [(name.to_owned(), metric(status, 30.0))].into(),
        }),
    }
}

async fn register(client: &mut TestClient, observer: &str) -> u64 {
    let request = RegisterRequest {
        module: "test".to_owned(),
        observer: observer.to_owned(),
    };
    client.register(request).await.expect("a handle").get_ref().handle
}

fn submission(handle: u64, report: Report) -> SubmitReportRequest {
    SubmitReportRequest {
        handle,
        report: Some(report),
    }
}

#[tokio::test]
async fn all_calls_of_the_original_are_answered() {
    let (_, channel) = one(ServerOptions {
        peers: [("a", "one:1"), ("b", "127.0.0.1:1")]
            .map(|(id, at)| (id.to_owned(), at.to_owned()))
            .into(),
        address: "one:1".to_owned(),
        ..options("a")
    })
    .await;
    let mut client = HealthServiceClient::new(channel);
    let subject = || ObserveRequest {
        subject: "s".to_owned(),
    };
    assert!(
        client
            .observe(subject())
            .await
            .expect("an answer")
            .get_ref()
            .success
    );
    assert!(
        !client
            .observe(subject())
            .await
            .expect("an answer")
            .get_ref()
            .success
    );
    // The server's own handle is the first.
    let handle = register(&mut client, "o").await;
    assert_eq!(handle, 10_001);
    let seen = report("o", "s", "snapshot", panorama::Status::Unhealthy);
    let reply = client
        .submit_report(submission(handle, seen.clone()))
        .await
        .expect("an answer");
    assert_eq!(reply.get_ref().result(), submit_report_reply::Status::Accepted);
    let learned = LearnReportRequest {
        source: Some(Peer::default()),
        report: Some(report("p", "s", "snapshot", panorama::Status::Healthy)),
        ..LearnReportRequest::default()
    };
    let nameless = client.learn_report(learned.clone()).await.expect_err("no source");
    assert_eq!(nameless.code(), Code::InvalidArgument);
    let learned = LearnReportRequest {
        source: Some(Peer {
            id: "b".to_owned(),
            addr: String::new(),
        }),
        ..learned
    };
    let reply = client.learn_report(learned).await.expect("an answer");
    assert_eq!(reply.get_ref().result(), learn_report_reply::Status::Accepted);
    let question = GetReportRequest {
        subject: "s".to_owned(),
    };
    assert_eq!(
        client
            .get_latest_report(question)
            .await
            .expect("a report")
            .get_ref()
            .observer,
        "p"
    );
    let question = GetViewRequest {
        subject: "s".to_owned(),
        observer: "o".to_owned(),
    };
    let view = client.get_view(question).await.expect("a view").into_inner();
    assert_eq!(
        view.observations,
        [seen.observation.clone().expect("it is there")]
    );
    let question = GetPanoramaRequest {
        subject: "s".to_owned(),
    };
    let panorama = client
        .get_panorama(question)
        .await
        .expect("a panorama")
        .into_inner();
    assert_eq!(panorama.views.keys().collect::<Vec<_>>(), ["o", "p"]);
    let question = GetInferenceRequest {
        subject: "s".to_owned(),
    };
    let inference = client
        .get_inference(question)
        .await
        .expect("a verdict")
        .into_inner();
    assert_eq!(inference.observers, ["o", "p"]);
    let verdict = inference
        .observation
        .as_ref()
        .and_then(|seen| seen.metrics["snapshot"].value);
    assert_eq!(
        verdict.map(|value| value.status()),
        Some(panorama::Status::Unhealthy)
    );
    let dump = client.dump_inference(Empty {}).await.expect("all").into_inner();
    assert_eq!(dump.inferences["s"], inference);
    let dump = client.dump_panorama(Empty {}).await.expect("all").into_inner();
    assert_eq!(dump.panoramas["s"], panorama);
    let watched = client
        .get_observed_subjects(Empty {})
        .await
        .expect("all")
        .into_inner();
    assert!(
        ["a", "o", "s"]
            .iter()
            .all(|subject| watched.subjects.contains_key(*subject))
    );
    let ping = PingRequest {
        source: None,
        time: Some(convert::timestamp(now())),
    };
    let pong = client.ping(ping).await.expect("an answer").into_inner();
    assert!(pong.result() == ping_reply::Status::Good && pong.time.is_some());
    let timeless = client.ping(PingRequest::default()).await.expect_err("no time");
    assert_eq!(
        (timeless.code(), timeless.message()),
        (Code::InvalidArgument, "timestamp: nil Timestamp")
    );
    let peers = client
        .get_peers(Empty {})
        .await
        .expect("peers")
        .into_inner()
        .peers;
    assert_eq!(peers.iter().map(|peer| &*peer.id).collect::<Vec<_>>(), ["a", "b"]);
    let own = client.get_id(Empty {}).await.expect("an id").into_inner();
    assert_eq!((&*own.id, &*own.addr), ("a", "one:1"));
    assert!(
        client
            .stop_observing(subject())
            .await
            .expect("an answer")
            .get_ref()
            .success
    );
    let gone = client
        .get_inference(GetInferenceRequest {
            subject: "s".to_owned(),
        })
        .await
        .expect_err("it is gone");
    assert_eq!(
        (gone.code(), gone.message()),
        (Code::NotFound, "inference does not exist for view")
    );
}

#[tokio::test]
async fn bad_input_gets_the_right_status_and_loses_nothing() {
    let mut tight = options("a");
    tight.plane.limits = HealthLimits {
        subjects: 5,
        ..HealthLimits::default()
    };
    let (server, channel) = one(tight).await;
    let mut client = HealthServiceClient::new(channel);
    let handle = register(&mut client, "o").await;
    let good = report("o", "s", "cpu", panorama::Status::Healthy);
    client
        .submit_report(submission(handle, good.clone()))
        .await
        .expect("an answer");
    let change = |change: &dyn Fn(&mut Report)| {
        let mut report = good.clone();
        change(&mut report);
        submission(handle, report)
    };
    let seen = |report: &mut Report| report.observation.clone().unwrap_or_default();
    let cases = [
        (
            SubmitReportRequest { handle, report: None },
            Code::InvalidArgument,
        ),
        (change(&|report| report.observation = None), Code::InvalidArgument),
        (
            change(&|report| {
                report.observation = Some(Observation {
                    ts: None,
                    ..seen(report)
                });
            }),
            Code::InvalidArgument,
        ),
        (
            change(&|report| report.subject = String::new()),
            Code::InvalidArgument,
        ),
        (
            change(&|report| report.subject = "s".repeat(1 << 20)),
            Code::InvalidArgument,
        ),
        (
            change(&|report| {
                let metrics =
                    (0..10_000).map(|number| (number.to_string(), metric(panorama::Status::Healthy, 1.0)));
                report.observation = Some(Observation {
                    metrics: metrics.collect(),
                    ..seen(report)
                });
            }),
            Code::InvalidArgument,
        ),
        (
            change(&|report| {
                report.observation = Some(Observation {
                    ts: Some(convert::timestamp(now() + 3_600 * SECOND)),
                    ..seen(report)
                });
            }),
            Code::InvalidArgument,
        ),
        (
            change(&|report| {
                report.observation = Some(Observation {
                    ts: Some(prost_types::Timestamp {
                        seconds: i64::MAX,
                        nanos: -1,
                    }),
                    ..seen(report)
                });
            }),
            Code::InvalidArgument,
        ),
        (
            change(&|report| {
                let value = Some(Value {
                    status: 99,
                    score: 1.0,
                });
                let unknown = Metric {
                    name: "cpu".to_owned(),
                    value,
                };
                report.observation = Some(Observation {
                    metrics: [("cpu".to_owned(), unknown)].into(),
                    ..seen(report)
                });
            }),
            Code::InvalidArgument,
        ),
        (
            change(&|report| {
                report.observation = Some(Observation {
                    metrics: [("cpu".to_owned(), metric(panorama::Status::Healthy, f32::NAN))].into(),
                    ..seen(report)
                });
            }),
            Code::InvalidArgument,
        ),
        (submission(77, good.clone()), Code::Unauthenticated),
        (
            change(&|report| report.observer = "p".to_owned()),
            Code::PermissionDenied,
        ),
    ];
    let count = cases.len();
    for (number, (request, code)) in cases.into_iter().enumerate() {
        let refused = client.submit_report(request).await.expect_err("refused");
        assert_eq!(refused.code(), code, "case {number}: {refused}");
    }
    let huge = change(&|report| report.subject = "s".repeat(5 << 20));
    assert_eq!(
        client.submit_report(huge).await.expect_err("refused").code(),
        Code::OutOfRange
    );
    // What there is no room for is answered in the original's way.
    let mut results = Vec::new();
    for subject in ["t", "u", "v", "w"] {
        let request = submission(handle, report("o", subject, "cpu", panorama::Status::Healthy));
        results.push(
            client
                .submit_report(request)
                .await
                .expect("an answer")
                .get_ref()
                .result(),
        );
    }
    assert_eq!(results.last(), Some(&submit_report_reply::Status::Failed));
    let counted = server.counters().all();
    let refused: u64 = counted
        .iter()
        .filter(|(name, _)| name.starts_with("refused."))
        .map(|(_, count)| count)
        .sum();
    let failed = results
        .iter()
        .filter(|result| **result == submit_report_reply::Status::Failed)
        .count();
    assert_eq!(refused, (count + failed) as u64, "{counted:?}");
    // Garbage and half a message on the port.
    let view = GetViewRequest {
        subject: "s".to_owned(),
        observer: "o".to_owned(),
    };
    assert_eq!(
        client
            .get_view(view)
            .await
            .expect("it is kept")
            .get_ref()
            .observations
            .len(),
        1
    );
}

#[tokio::test]
async fn batches_verdicts_and_watches() {
    let (_, channel) = one(options("a")).await;
    let mut client = HealthServiceClient::new(channel.clone());
    let mut ours = VerdictsClient::new(channel.clone());
    let handle = register(&mut client, "app").await;
    let mut watch = ours
        .watch(WatchRequest {
            subjects: vec!["redis:main".to_owned()],
        })
        .await
        .expect("a stream")
        .into_inner();
    let batch = SubmitBatchRequest {
        handle,
        reports: vec![
            report("app", "redis:main", "ping", panorama::Status::Healthy),
            report("nobody", "redis:main", "ping", panorama::Status::Healthy),
            report("app", "redis:main", "write", panorama::Status::Pending),
        ],
    };
    let results = ours
        .submit_batch(batch)
        .await
        .expect("an answer")
        .into_inner()
        .results;
    let accepted = submit_report_reply::Status::Accepted;
    assert_eq!(
        results
            .iter()
            .map(|result| result.status() == accepted)
            .collect::<Vec<_>>(),
        [true, false, true]
    );
    assert!(!results[1].reason.is_empty());
    // The request is overdue after three seconds, without any further report.
    let begun = Instant::now();
    let reply = tokio::time::timeout(Duration::from_secs(10), watch.message()).await;
    let Ok(Ok(Some(reply))) = reply else {
        panic!("{reply:?}")
    };
    let Some(watch_reply::Event::Change(change)) = reply.event else {
        panic!("{reply:?}")
    };
    assert_eq!((change.from(), change.to()), (State::Healthy, State::Gray));
    assert_eq!(change.evidence[0].metric, "write");
    assert!(begun.elapsed() < Duration::from_secs(7));
    let question = GetVerdictRequest {
        subject: "redis:main".to_owned(),
    };
    let verdict = ours.get_verdict(question).await.expect("a verdict").into_inner();
    assert_eq!(
        (
            verdict.state(),
            &*verdict.evidence[0].metric,
            &*verdict.evidence[1].metric
        ),
        (State::Gray, "write", "ping")
    );
    let well = submission(
        handle,
        report("app", "redis:main", "write", panorama::Status::Healthy),
    );
    client.submit_report(well).await.expect("an answer");
    let reply = watch.message().await.expect("a stream").expect("a change");
    let Some(watch_reply::Event::Change(change)) = reply.event else {
        panic!("{reply:?}")
    };
    assert_eq!(change.to(), State::Healthy);
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    let request = tonic_health::pb::HealthCheckRequest {
        service: "idl.HealthService".to_owned(),
    };
    assert_eq!(
        health.check(request).await.expect("an answer").get_ref().status,
        1
    );
}

/// A way through which nothing goes while it is cut, though connections stay open.
async fn proxy(to: String) -> (String, Arc<AtomicBool>) {
    let (listener, address) = listener().await;
    let cut = Arc::new(AtomicBool::new(false));
    let is_cut = Arc::clone(&cut);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (to, is_cut) = (to.clone(), Arc::clone(&is_cut));
            tokio::spawn(async move {
                let until_cut = async {
                    while !is_cut.load(Ordering::Relaxed) {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                };
                if is_cut.load(Ordering::Relaxed) {
                    return std::future::pending::<()>().await;
                }
                let Ok(mut far) = TcpStream::connect(&to).await else {
                    return;
                };
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => {}
                    () = until_cut => {}
                }
            });
        }
    });
    (address, cut)
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within 30 s: {what}");
}

/// The observations of one view, as scores.
fn seconds(server: &HealthServer, subject: &str, observer: &str) -> Vec<i64> {
    let view = server
        .look(|plane| plane.view(subject, observer))
        .unwrap_or_default();
    view.iter().map(|seen| seen.at()).collect()
}

#[tokio::test]
async fn views_converge_after_a_cut_and_a_restart() {
    let place = tempfile::tempdir().expect("a folder");
    let (at_a, at_b, at_c) = (listener().await, listener().await, listener().await);
    let (to_b, cut) = proxy(at_b.1.clone()).await;
    let with_peers = |id: &str| ServerOptions {
        peers: [("a", &at_a.1), ("b", &to_b), ("c", &at_c.1)]
            .map(|(id, at)| (id.to_owned(), at.clone()))
            .into(),
        file: Some(place.path().join(format!("{id}.sqlite"))),
        ..options(id)
    };
    let (a, _) = serve(at_a.0, with_peers("a"));
    let (b, _) = serve(at_b.0, with_peers("b"));
    let (c, serving_c) = serve(at_c.0, with_peers("c"));
    let mut client = HealthServiceClient::new(channel(&at_a.1).await);
    let handle = register(&mut client, "o").await;
    let submit = async |client: &mut TestClient, count: usize| {
        for _ in 0..count {
            let request = submission(handle, report("o", "s", "cpu", panorama::Status::Unhealthy));
            client.submit_report(request).await.expect("an answer");
        }
    };
    submit(&mut client, 3).await;
    let same = |one: &HealthServer, other: &HealthServer| {
        let expected = seconds(one, "s", "o");
        !expected.is_empty() && seconds(other, "s", "o") == expected
    };
    until("all know the same", || same(&a, &b) && same(&a, &c)).await;
    // Peers are subjects of each other.
    until("a knows how b is", || {
        a.look(|plane| plane.view("peer:b", "a")).is_some()
    })
    .await;
    // One is cut off and one killed; more happens than a view holds.
    cut.store(true, Ordering::Relaxed);
    serving_c.abort();
    drop(c);
    submit(&mut client, 25).await;
    assert!(!same(&a, &b));
    let gone = |plane: &Plane| {
        plane
            .verdict("peer:b", now())
            .is_some_and(|verdict| verdict.state.is_failing())
    };
    until("a sees that b is gone", || a.look(gone)).await;
    cut.store(false, Ordering::Relaxed);
    let again = loop {
        match TcpListener::bind(&at_c.1).await {
            Ok(listener) => break listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let file = place.path().join("c.sqlite.lock");
    until("the file is free", || {
        std::fs::File::open(&file).is_ok_and(|file| file.try_lock().is_ok())
    })
    .await;
    let (c, _) = serve(again, with_peers("c"));
    until("all know the same again", || same(&a, &b) && same(&a, &c)).await;
    until("a sees that b is there", || !a.look(gone)).await;
    assert_eq!(seconds(&c, "s", "o").len(), 10);
}

#[tokio::test]
async fn a_filtering_peer_is_told_once_it_is_interested() {
    let (at_a, at_b) = (listener().await, listener().await);
    let with_peers = |id: &str| {
        let mut made = options(id);
        made.peers = [("a", &at_a.1), ("b", &at_b.1)]
            .map(|(id, at)| (id.to_owned(), at.clone()))
            .into();
        made.plane.filter = true;
        made
    };
    let (a, _) = serve(at_a.0, with_peers("a"));
    let (b, _) = serve(at_b.0, with_peers("b"));
    let (mut at_a, mut at_b) = (
        HealthServiceClient::new(channel(&at_a.1).await),
        HealthServiceClient::new(channel(&at_b.1).await),
    );
    let handle = register(&mut at_a, "oa").await;
    let tell = |observer: &str| submission(handle, report(observer, "s", "cpu", panorama::Status::Healthy));
    at_a.submit_report(tell("oa")).await.expect("an answer");
    until("b is not interested", || {
        a.look(|plane| plane.is_ignored_by("s", "b"))
    })
    .await;
    for _ in 0..2 {
        at_a.submit_report(tell("oa")).await.expect("an answer");
    }
    assert_eq!(b.look(|plane| plane.views("s")), None);
    // Its own report brings back what was held, and all that was not sent.
    let own = register(&mut at_b, "ob").await;
    let request = submission(own, report("ob", "s", "cpu", panorama::Status::Unhealthy));
    at_b.submit_report(request).await.expect("an answer");
    until("b knows all of it", || seconds(&b, "s", "oa").len() == 3).await;
    until("a knows it, too", || seconds(&a, "s", "ob").len() == 1).await;
    assert!(!a.look(|plane| plane.is_ignored_by("s", "b")));
}

/// Counts calls of one path.
fn counted(router: axum::Router, path: &'static str) -> (axum::Router, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&calls);
    let count = move |request: axum::extract::Request, next: axum::middleware::Next| {
        if request.uri().path() == path {
            counting.fetch_add(1, Ordering::Relaxed);
        }
        next.run(request)
    };
    (router.layer(axum::middleware::from_fn(count)), calls)
}

#[tokio::test]
async fn what_waits_for_a_peer_goes_in_batches_to_ours_and_one_by_one_to_panoramas() {
    let (at_a, at_b, at_c) = (listener().await, listener().await, listener().await);
    let with_peers = |id: &str| ServerOptions {
        peers: [("a", &at_a.1), ("b", &at_b.1), ("c", &at_c.1)]
            .map(|(id, at)| (id.to_owned(), at.clone()))
            .into(),
        ..options(id)
    };
    let (a, _) = serve(at_a.0, with_peers("a"));
    let mut client = HealthServiceClient::new(channel(&at_a.1).await);
    let handle = register(&mut client, "o").await;
    let subjects = ["s", "t", "u"];
    for _ in 0..100 {
        for subject in subjects {
            let seen = report("o", subject, "cpu", panorama::Status::Unhealthy);
            client
                .submit_report(submission(handle, seen))
                .await
                .expect("an answer");
        }
    }
    // The others begin to answer only now; one of them has Panorama's service and no other.
    let b = HealthServer::start(with_peers("b")).expect("a server");
    let (routes, batches) = counted(b.routes(None), "/skywatch.health.v1.Verdicts/LearnBatch");
    tokio::spawn(async move { axum::serve(at_b.0, routes).await });
    let c = HealthServer::start(with_peers("c")).expect("a server");
    let theirs = HealthServiceServer::new(Compatible(Arc::clone(&c)));
    let (routes, single) = counted(
        Routes::new(theirs).into_axum_router(),
        "/idl.HealthService/LearnReport",
    );
    tokio::spawn(async move { axum::serve(at_c.0, routes).await });
    let knows_all = |server: &HealthServer| {
        let same = |subject: &&str| seconds(server, subject, "o") == seconds(&a, subject, "o");
        subjects.iter().all(same)
    };
    until("both know all of it", || knows_all(&b) && knows_all(&c)).await;
    assert!(b.counters().get("learned") >= 300 && c.counters().get("learned") >= 300);
    assert!(batches.load(Ordering::Relaxed) < 20, "{batches:?}");
    assert!(single.load(Ordering::Relaxed) >= 300, "{single:?}");
}
