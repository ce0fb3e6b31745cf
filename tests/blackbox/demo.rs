//! `skywatch demo`, as somebody tries it first.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::common::http;
use crate::common::skywatch::{Ended, Setup, Skywatch, signal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    planted: BTreeSet<String>,
    found: BTreeSet<String>,
    metrics: usize,
    passes: u64,
}

fn outcome(ended: &Ended) -> Outcome {
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let line = ended.stdout.strip_suffix('\n').expect("a whole line");
    assert!(!line.contains('\n'), "all else goes to standard error:\n{line}");
    let places = [
        "{\"planted\":[",
        "],\"found\":[",
        "],\"metrics\":",
        ",\"passes\":",
    ]
    .map(|key| line.find(key));
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?} in {line}"
    );
    serde_json::from_str(line).unwrap()
}

/// Where the demo says that its pages are.
fn pages(running: &Skywatch) -> std::net::SocketAddr {
    let line = running.line("pages          http://");
    let (_, address) = line.split_once("http://").unwrap();
    address.parse().unwrap()
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn the_demo_finds_what_it_planted_and_leaves_nothing() {
    let setup = Setup::new();
    let running = setup.start(&["demo", "--json", "--listen", "127.0.0.1:0"]);
    let pages = pages(&running);
    running.line("pass 1: ");
    let front = http::get(pages, "/").body;
    assert!(!is_empty(&setup.path("tmp")), "it works in a folder of its own");
    // Interrupted, not left to its seconds: on a busy machine those are over before the page was asked for.
    signal(running.pid(), "INT");
    let ended = running.wait();
    let outcome = outcome(&ended);
    assert!(outcome.planted.len() >= 5, "{:?}", outcome.planted);
    assert!(outcome.metrics >= 200, "{}", outcome.metrics);
    assert!(outcome.passes >= 1);
    let missed: Vec<_> = outcome.planted.difference(&outcome.found).collect();
    assert!(missed.is_empty(), "missed {missed:?}");
    let others: Vec<_> = outcome.found.difference(&outcome.planted).collect();
    let allowed = (outcome.metrics - outcome.planted.len()) / 50;
    assert!(others.len() <= allowed, "more than 2 %: {others:?}");
    for name in &outcome.planted {
        assert!(
            ended.log.contains(&format!("  {name}   ")),
            "{name} is not shown:\n{}",
            ended.log
        );
        assert!(
            front.contains(&format!(">{name}</a>")),
            "{name} is not on the page"
        );
    }
    assert!(front.matches("<svg").count() >= outcome.planted.len());
    assert!(
        ended.log.contains('▁') || ended.log.contains('█'),
        "a sparkline:\n{}",
        ended.log
    );
    assert!(is_empty(&setup.path("tmp")), "its folder is gone");
    assert!(is_empty(&setup.path("home")), "and it was nowhere else");
}

#[test]
fn a_taken_port_is_replaced_by_the_next_free_one() {
    // If another process has the port already, it is taken all the same.
    let _taken = TcpListener::bind("127.0.0.1:1500");
    let setup = Setup::new();
    let running = setup.start(&["demo", "--seconds", "1"]);
    let ended = running.wait();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let (_, rest) = ended
        .stdout
        .split_once("pages          http://127.0.0.1:")
        .unwrap();
    let port: u16 = rest.lines().next().unwrap().parse().unwrap();
    assert!((1501..=1600).contains(&port), "{port}");
    assert!(
        ended.stdout.contains("found "),
        "without --json the sum is for people:\n{}",
        ended.stdout
    );
}

#[test]
fn an_interrupt_ends_it_cleanly() {
    for words in ["making ", "pass 1: "] {
        let setup = Setup::new();
        let running = setup.start(&["demo", "--json", "--listen", "127.0.0.1:0"]);
        running.line(words);
        signal(running.pid(), "INT");
        let ended = running.wait();
        let outcome = outcome(&ended);
        assert!(ended.took < Duration::from_secs(5), "{words}: {:?}", ended.took);
        assert!(!outcome.planted.is_empty());
        assert!(is_empty(&setup.path("tmp")), "{words}: its folder is gone");
    }
}

#[test]
fn the_demo_listens_on_this_machine_only() {
    let ended = Setup::new().run(&["demo", "--listen", "0.0.0.0:1500"]);
    assert_eq!(ended.code(), 2);
    assert!(
        ended.log.contains("is not a loopback address\nhint: "),
        "{}",
        ended.log
    );
}
