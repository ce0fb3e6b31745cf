//! What moved with an incident: for who asks while it runs, in notices, and from the files afterwards.

use serde_json::Value;
use skywatch::store::codec;

use super::hook::Hook;
use super::world::World;
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
        let key = format!("metrics.{name}");
        let mut pipe = redis::pipe();
        pipe.set(&key, stream)
            .ignore()
            .sadd("metrics.unique_metrics", key)
            .ignore();
        pipe.exec(&mut connection).unwrap();
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
    let history = rusqlite::Connection::open(world.path("state/history.sqlite")).unwrap();
    history.execute("DELETE FROM causes", []).unwrap();
    drop(history);
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
