//! What moved with an incident: for who asks while it runs, in notices, and from the files afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use skywatch::store::codec;

use super::hook::Hook;
use super::world::World;
use crate::common::http_sink::{Answer, HttpSink, Request};
use crate::common::redis::RedisServer;
use crate::common::series::now;
use crate::common::wait_for;

const POINTS: usize = 140;
const STEP: f64 = 10.0;

/// Numbers that have nothing to do with each other, from −1 to 1.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// Stores a metric's points as they are packed, and its name.
fn put_bytes(connection: &mut redis::Connection, name: &str, stream: &[u8]) {
    let key = format!("metrics.{name}");
    let mut pipe = redis::pipe();
    pipe.set(&key, stream)
        .ignore()
        .sadd("metrics.unique_metrics", key)
        .ignore();
    pipe.exec(connection).unwrap();
}

/// A database that breaks, two services that follow it a point later, and a hundred metrics beside them.
fn store(redis: &RedisServer) {
    let mut numbers = Numbers(7);
    let end = now() - 15.0;
    let mut database: Vec<f64> = (0..=POINTS).map(|_| 100.0 + 10.0 * numbers.next()).collect();
    for value in &mut database[POINTS - 4..] {
        *value += 900.0;
    }
    let mut connection = redis.connection();
    let mut put = |name: &str, values: &[f64]| {
        let mut stream = Vec::new();
        for (index, value) in values.iter().rev().take(POINTS).rev().enumerate() {
            codec::encode(end - STEP * (POINTS - 1 - index) as f64, *value, &mut stream);
        }
        put_bytes(&mut connection, name, &stream);
    };
    for service in ["cart.seconds", "shop.seconds"] {
        let late: Vec<f64> = database[..POINTS]
            .iter()
            .map(|value| 0.02 * value + 0.02 * numbers.next())
            .collect();
        put(service, &late);
    }
    for beside in 0..100 {
        let noise: Vec<f64> = (0..POINTS).map(|_| numbers.next()).collect();
        put(&format!("beside.{beside}"), &noise);
    }
    put("db.seconds", &database);
}

#[test]
fn what_moved_with_an_incident_is_said_by_the_process_its_notices_and_its_files() {
    let redis = RedisServer::start();
    store(&redis);
    let hook = Hook::start();
    let world = World::over(&redis, &hook.receiver("hook"));
    let running = world.start();
    hook.wait_for("cart.seconds", &["opened"]);
    // The first notice has waited for it.
    let told = hook.told();
    let mut items = (told.iter()).flat_map(|told| told.body["incidents"]["items"].as_array().unwrap());
    let opened = items.find(|item| item["subject"]["name"] == "cart.seconds");
    related(&opened.unwrap()["causes"], "db.seconds");
    let incidents = world.incidents();
    let cart = incidents
        .iter()
        .find(|incident| incident["subject"]["name"] == "cart.seconds");
    let id = cart.unwrap()["id"].as_u64().unwrap().to_string();

    // Three incidents of one cause, which is said of each once all have been seen together.
    let answer = wait_for("one cause of three", || {
        let answer = world.json(&["causes", &id]);
        let incidents = answer["causes"]["shared"]["incidents"].as_array()?;
        (answer["is_new"] == false && incidents.len() == 3).then_some(answer)
    });
    let causes = &answer["causes"];
    assert_eq!(causes["shared"]["metric"], "db.seconds", "{causes}");
    assert_eq!(causes["compared"], 102, "{causes}");
    let database = related(causes, "db.seconds");
    let how = (&database["lead"], &database["nearness"]);
    assert_eq!(how, (&Value::from(10.0), &Value::from("anomalous")), "{causes}");
    assert!(database["coefficient"].as_f64().unwrap() > 0.9, "{causes}");

    // A machine was told at once; what came later is in its next notice.
    world.told(&["ack", &id, "--by", "ann"]);
    hook.wait_for("cart.seconds", &["opened", "acknowledged"]);
    let told = hook.told();
    let items = told
        .iter()
        .flat_map(|told| told.body["incidents"]["items"].as_array().unwrap());
    let acknowledged: Vec<&Value> = items.filter(|item| item["what"] == "acknowledged").collect();
    let told = acknowledged.last().unwrap();
    assert_eq!(related(&told["causes"], "db.seconds"), database, "{told}");

    let shown = world.told(&["causes", &id, "--limit", "1"]);
    for part in [
        "probably one cause with 2 other incidents: db.seconds",
        "102 metrics compared",
        "and 1 more",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    let explained = world.told(&["explain", "cart.seconds"]);
    assert!(explained.contains("db.seconds: "), "{explained}");
    let missing = world.ask(&["causes", "4711"]);
    assert_eq!(missing.code(), 1);
    assert!(
        missing.log.contains("there is no incident 4711"),
        "{}",
        missing.log
    );

    // With nobody running the files answer; what was never worked out is worked out from the store.
    running.stop();
    let shown = world.told(&["causes", &id]);
    assert!(
        shown.contains("no skywatch runs over") && shown.contains("db.seconds: "),
        "{shown}"
    );
    forget_causes(&world);
    let shown = world.told(&["causes", &id]);
    assert!(
        shown.contains("worked out now") && shown.contains("db.seconds: "),
        "{shown}"
    );
}

fn related<'c>(causes: &'c Value, metric: &str) -> &'c Value {
    let related = causes["related"]
        .as_array()
        .unwrap_or_else(|| panic!("nothing in {causes}"));
    let found = related.iter().find(|related| related["metric"] == metric);
    found.unwrap_or_else(|| panic!("no {metric} in {causes}"))
}

/// An ArangoDB with three calls in two batches; asked for anything else it says so.
fn arangodb(request: &Request, is_there: &AtomicBool) -> Answer {
    let say = |status: u16, body: Value| {
        let headers = vec![("Content-Type", "application/json".to_owned())];
        Answer::Say(status, headers, body.to_string().into_bytes())
    };
    if !is_there.load(Ordering::Relaxed) {
        return say(503, json!({"error": true}));
    }
    // `gala:secret`
    if request.header("authorization") != Some("Basic Z2FsYTpzZWNyZXQ=") {
        return say(401, json!({"error": true}));
    }
    let body = request.json();
    let (query, bound) = (body["query"].as_str().unwrap_or_default(), &body["bindVars"]);
    match request.line.as_str() {
        "POST /_db/spider/_api/cursor" if query.contains("IN @@moments") => {
            let is_now = bound["now"].as_f64().is_some_and(|at| (at - now()).abs() < 120.0);
            assert!(bound["@moments"] == "Timestamps" && is_now, "{body}");
            say(201, json!({"result": [1_700_000_000], "hasMore": false}))
        }
        "POST /_db/spider/_api/cursor" if query.contains("IN @@edges") => {
            assert!(
                bound["@edges"] == "connect" && bound["at"] == 1_700_000_000.0,
                "{body}"
            );
            let edges = [
                ["host/a_pod_shop", "host/b_pod_cart"],
                ["host/b_pod_cart", "host/c_pod_db"],
            ];
            say(201, json!({"result": edges, "hasMore": true, "id": "77"}))
        }
        "POST /_db/spider/_api/cursor/77" => say(
            200,
            json!({"result": [["host/a_pod_shop", "host/d_pod_mail"]], "hasMore": false}),
        ),
        other => say(404, json!({"error": true, "errorMessage": other})),
    }
}

/// Services of which the database breaks, then the cart, then the shop; mail does not.
fn broken_services(redis: &RedisServer) {
    let mut numbers = Numbers(11);
    let end = now() - 15.0;
    let mut connection = redis.connection();
    for (service, broken) in [("db", 8), ("cart", 7), ("shop", 6), ("mail", 0)] {
        let mut stream = Vec::new();
        for index in 0..POINTS {
            let extra = if index + broken >= POINTS { 80.0 } else { 0.0 };
            let time = end - STEP * (POINTS - 1 - index) as f64;
            codec::encode(time, 10.0 + extra + numbers.next(), &mut stream);
        }
        put_bytes(&mut connection, &format!("svc.{service}.p95"), &stream);
    }
}

/// What `skywatch causes` says of the service's incident, once that has suspects.
fn suspects_of(world: &World, service: &str) -> Option<Value> {
    let incidents = world.incidents();
    let name = format!("svc.{service}.p95");
    let incident = incidents
        .iter()
        .find(|incident| incident["subject"]["name"] == *name)?;
    let answer = world.json(&["causes", &incident["id"].to_string()]);
    (answer["causes"]["suspects"].is_array()).then_some(answer)
}

/// Has the causes of all incidents worked out anew by whoever asks.
fn forget_causes(world: &World) {
    let history = rusqlite::Connection::open(world.path("state/history.sqlite")).unwrap();
    history.execute("DELETE FROM causes", []).unwrap();
}

#[test]
fn a_topology_comes_over_http_with_a_token_and_what_is_no_topology_leaves_the_last_one() {
    let redis = RedisServer::start();
    broken_services(&redis);
    let document = Arc::new(Mutex::new(
        r#"{"nodes": [], "edges": [["shop", "cart"], ["cart", "db"]]}"#.to_owned(),
    ));
    let served = Arc::clone(&document);
    let server = HttpSink::start(move |request| {
        let body = match request.header("authorization") {
            Some("Bearer letmein") if request.line == "GET /graph.json" => served.lock().unwrap().clone(),
            _ => return Answer::status(401),
        };
        let headers = vec![("Content-Type", "application/json".to_owned())];
        Answer::Say(200, headers, body.into_bytes())
    });
    let world = World::over(&redis, "")
        .with("causes.topology", "http")
        .with("causes.url", &format!("{}/graph.json", server.url()))
        .with("causes.token", "letmein")
        .with("causes.refresh", "1s");
    let running = world.start();
    running.line("svc.shop.p95 is");
    let answer = wait_for("an incident with suspects", || suspects_of(&world, "shop"));
    assert_eq!(
        answer["causes"]["suspects"][0]["path"],
        json!(["db", "cart", "shop"]),
        "{answer}"
    );
    running.stop();

    // What it says now is no topology; the last one is used on, with its age and the reason.
    *document.lock().unwrap() = r#"{"edges": [["shop"]]}"#.to_owned();
    forget_causes(&world);
    let answer = wait_for("an older topology", || {
        forget_causes(&world);
        let answer = suspects_of(&world, "shop")?;
        let said = answer["causes"]["topology"].as_str()?;
        said.contains("an edge is no pair").then_some(answer)
    });
    assert_eq!(answer["causes"]["suspects"][0]["node"], "db", "{answer}");

    // A new one is read once the last is older than `causes.refresh`.
    *document.lock().unwrap() = r#"{"edges": [["shop", "cart"]]}"#.to_owned();
    let answer = wait_for("the new topology", || {
        forget_causes(&world);
        suspects_of(&world, "shop").filter(|answer| answer["causes"]["suspects"][0]["node"] == "cart")
    });
    let suspects = answer["causes"]["suspects"].as_array().unwrap();
    assert!(suspects.iter().all(|suspect| suspect["node"] != "db"), "{answer}");
}

#[test]
fn with_a_topology_the_node_that_broke_first_is_named_however_old_it_is() {
    let redis = RedisServer::start();
    broken_services(&redis);
    let is_there = Arc::new(AtomicBool::new(true));
    let known = Arc::clone(&is_there);
    let database = HttpSink::start(move |request| arangodb(request, &known));
    let world = World::over(&redis, "")
        .with("causes.topology", "arangodb")
        .with("causes.url", &database.url())
        .with("causes.username", "gala")
        .with("causes.password", "secret");
    let running = world.start();
    let causes_of = |service: &str| suspects_of(&world, service);
    running.line("svc.shop.p95 is");
    let answer = wait_for("an incident with suspects", || causes_of("shop"));
    let first = &answer["causes"]["suspects"][0];
    assert_eq!(first["node"], "db", "{answer}");
    assert_eq!(first["path"], json!(["db", "cart", "shop"]), "{answer}");
    assert_eq!(first["lead"], 20.0, "{answer}");
    let suspects = answer["causes"]["suspects"].as_array().unwrap();
    assert!(
        suspects.iter().all(|suspect| suspect["node"] != "mail"),
        "{answer}"
    );

    // The database of the topology goes away; what was known of it is used on, and its age is said.
    is_there.store(false, Ordering::Relaxed);
    running.stop();
    forget_causes(&world);
    let answer = causes_of("shop").expect("suspects");
    assert_eq!(answer["causes"]["suspects"][0]["node"], "db", "{answer}");
    let said = answer["causes"]["topology"].as_str().unwrap();
    assert!(
        said.starts_with("4 nodes of ") && said.contains(" ago, as ") && said.contains("status 503"),
        "{said}"
    );

    // As gala-anteater ranks, every way leads to the shop, too.
    forget_causes(&world);
    let walked = world.with("causes.ranking", "walk");
    let answer = walked.json(&["causes", &answer["incident"].to_string()]);
    let suspects = answer["causes"]["suspects"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"));
    assert!(!suspects.is_empty(), "{answer}");
    for suspect in suspects {
        assert_eq!(
            suspect["path"].as_array().unwrap().last().unwrap(),
            "shop",
            "{answer}"
        );
    }
}
