//! Held against statsmodels and numpy (`scripts/measures/inference_vectors`), and a fault that goes through a small shop.

use serde_json::Value;

use super::*;
use crate::random::Random;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/data/inference.json")).expect("JSON")
}

fn numbers(of: &Value) -> Vec<f64> {
    of.as_array()
        .expect("a list")
        .iter()
        .map(|one| one.as_f64().expect("a number"))
        .collect()
}

fn lists(of: &Value) -> Vec<Vec<f64>> {
    of.as_array().expect("a list").iter().map(numbers).collect()
}

#[test]
fn the_f_test_is_that_of_statsmodels() {
    let vectors = vectors();
    let series = lists(&vectors["series"]);
    let tests = vectors["granger"].as_array().expect("tests");
    assert_eq!(tests.len(), 6);
    for test in tests {
        let whole = |key: &str| test[key].as_u64().expect("a number") as usize;
        let length = whole("length");
        let found = granger(
            &series[whole("source")][..length],
            &series[whole("target")][..length],
            2,
        )
        .expect("a test");
        for (found, wanted) in found.iter().zip(numbers(&test["chances"])) {
            assert!(
                (found - wanted).abs() <= 1e-9 * wanted.max(1e-6),
                "{found} instead of {wanted} of {test}"
            );
        }
    }
}

#[test]
fn the_walk_is_that_of_numpy() {
    let vectors = vectors();
    let (series, walk) = (lists(&vectors["series"]), &vectors["walk"]);
    let edges = lists(&walk["edges"]);
    let graph = CausalGraph {
        nodes: numbers(&walk["scores"])
            .into_iter()
            .zip(&series)
            .map(|(score, values)| (score, values.as_slice()))
            .collect(),
        edges: edges
            .iter()
            .map(|edge| (edge[0] as usize, edge[1] as usize))
            .collect(),
    };
    let front = walk["front"].as_u64().expect("a number") as usize;
    for (found, wanted) in graph
        .transitions(front)
        .concat()
        .iter()
        .zip(lists(&walk["transitions"]).concat())
    {
        assert!((found - wanted).abs() < 1e-9, "{found} instead of {wanted}");
    }
    for (found, wanted) in graph.shares(front).iter().zip(numbers(&walk["shares"])) {
        assert!((found - wanted).abs() < 1e-6, "{found} instead of {wanted}");
    }
}

/// Five entities in a row, of which the last is the front; the fault begins in `ill` and comes a moment later to each that follows.
fn shop(ill: usize) -> (FaultWays, Vec<ScoredEntity>) {
    let names = ["disk", "db", "cart", "web", "shop"];
    let mut random = Random::new(9);
    let mut fault = 0.0;
    let faults: Vec<f64> = std::iter::repeat_with(|| {
        fault = 0.7 * fault + random.normal();
        fault
    })
    .take(120)
    .collect();
    let entity = |(place, name): (usize, &&str)| {
        let late = |at: usize| at.checked_sub(2 * place).map_or(0.0, |then| faults[then]);
        let value = |at: usize| if place >= ill { 10.0 * late(at) } else { 0.0 } + random.normal();
        ScoredEntity {
            entity: (*name).to_owned(),
            metrics: vec![ScoredSeries {
                metric: "latency".to_owned(),
                score: if place == ill {
                    0.9
                } else if place > ill {
                    0.4
                } else {
                    0.01
                },
                values: (0..100).map(value).collect(),
            }],
        }
    };
    let entities = names.iter().enumerate().map(entity).collect();
    let ways = names
        .windows(2)
        .flat_map(|pair| [(pair[0], pair[1]), (pair[1], pair[0])]);
    (FaultWays::new(ways), entities)
}

#[test]
fn the_entity_that_began_is_among_the_first_two_with_the_way_of_its_fault() {
    for (ill, wanted) in [(1, "db"), (2, "cart"), (3, "web")] {
        let (ways, entities) = shop(ill);
        let question = InferenceQuestion {
            front: ("shop", "latency"),
            ways: &ways,
            entities: &entities,
            indicators: &["sli_"],
            most: 3,
        };
        let found = infer(&question);
        // The walk likes what is beside the front, too.
        let began = found.iter().take(2).find(|cause| cause.entity == wanted);
        let began = began.unwrap_or_else(|| panic!("no {wanted} in {found:?}"));
        let path: Vec<&str> = began.path.iter().map(String::as_str).collect();
        assert_eq!(path, ["disk", "db", "cart", "web", "shop"][ill..], "{found:?}");
    }
}

#[test]
fn what_is_missing_loses_nothing() {
    let (ways, mut entities) = shop(2);
    // The web tier is in the graph, and nobody measures it; the cart stands still.
    entities.retain(|entity| entity.entity != "web");
    let question = |entities: &[ScoredEntity]| {
        let question = InferenceQuestion {
            front: ("shop", "latency"),
            ways: &ways,
            entities,
            indicators: &[],
            most: 3,
        };
        infer(&question)
    };
    let found = question(&entities);
    assert_eq!(
        (found.len(), found[0].entity.as_str(), found[0].path.len()),
        (1, "shop", 1),
        "{found:?}"
    );
    entities.retain(|entity| entity.entity != "shop");
    assert_eq!(question(&entities), []);
}
