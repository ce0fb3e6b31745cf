//! Three planes that tell each other what they hear: one is killed, one cut off, and all know the same once that is over.

use std::net::TcpListener;

use serde_json::Value;

use super::{client, serve};
use crate::common::partition::Partition;
use crate::common::skywatch::{Setup, Skywatch};
use crate::common::wait_for;

/// One of them: its settings and what it is reached by.
struct Member {
    setup: Setup,
    port: u16,
    running: Option<Skywatch>,
}

impl Member {
    fn start(&mut self) {
        self.running = Some(serve(&self.setup).0);
    }

    fn ask(&self, words: &[&str]) -> Value {
        let address = format!("127.0.0.1:{}", self.port);
        let (out, _, _) = client(&self.setup, &address, &[&["-json"], words].concat());
        serde_json::from_str(&out).unwrap_or_default()
    }

    fn hears(&self, observer: &str, metric: &str) {
        let address = format!("127.0.0.1:{}", self.port);
        let session = format!("me {observer}\nreport s {metric}\nexit\n");
        let mut told = self
            .setup
            .bare_command(&["health", "client", "-server", &address])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut told.stdin.take().unwrap(), session.as_bytes()).unwrap();
        let output = told.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("Accepted"), "{said}");
    }

    /// Who has said something about `s`, as far as this one knows.
    fn observers(&self) -> Vec<String> {
        let views = self.views();
        let names = views
            .iter()
            .map(|view| view["observer"].as_str().unwrap().to_owned());
        names.collect()
    }

    /// The views of `s`, by observer.
    fn views(&self) -> Vec<Value> {
        let panorama = self.ask(&["get", "panorama", "s"]);
        let mut views = panorama["views"].as_array().cloned().unwrap_or_default();
        views.sort_by_key(|view| view["observer"].to_string());
        views
    }

    fn state(&self, subject: &str) -> String {
        let verdict = self.ask(&["get", "verdict", subject]);
        verdict["state"].as_str().unwrap_or_default().to_owned()
    }
}

/// A port that nobody has now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn views_converge_after_one_was_killed_and_one_cut_off() {
    let ports = [free_port(), free_port(), free_port()];
    // Whatever goes to or comes from the third goes through a proxy.
    let [to_a, to_b, to_c] = ports.map(Partition::to);
    let direct = |port: u16| format!("127.0.0.1:{port}");
    let peers = [
        format!("b={},c={}", direct(ports[1]), to_c.address()),
        format!("a={},c={}", direct(ports[0]), to_c.address()),
        format!("a={},b={}", to_a.address(), to_b.address()),
    ];
    let mut members: Vec<Member> = (0..3)
        .map(|number| Member {
            setup: Setup::new()
                .with("health.id", ["a", "b", "c"][number])
                .with("health.listen", &direct(ports[number]))
                .with("health.peers", &peers[number]),
            port: ports[number],
            running: None,
        })
        .collect();
    members.iter_mut().for_each(Member::start);
    members[0].hears("app@1", "write:h:100");
    for member in &members {
        wait_for("all to hear of it", || {
            (member.observers() == ["app@1"]).then_some(())
        });
    }

    for proxy in [&to_a, &to_b, &to_c] {
        proxy.cut(true);
    }
    // A kill, not a stop.
    members[0].running = None;
    members[1].hears("app@2", "write:u:0");
    members[2].hears("app@3", "write:u:0");
    for (member, peer) in [(1, "peer:a"), (1, "peer:c"), (2, "peer:a"), (2, "peer:b")] {
        // Another one may have seen it work a moment before.
        wait_for("peers that are missed", || {
            let state = members[member].state(peer);
            ["gray", "unhealthy"].contains(&&*state).then_some(())
        });
    }
    assert_eq!(members[1].observers(), ["app@1", "app@2"]);
    assert_eq!(members[2].observers(), ["app@1", "app@3"]);

    for proxy in [&to_a, &to_b, &to_c] {
        proxy.cut(false);
    }
    members[0].start();
    for member in &members {
        wait_for("all to know the same", || {
            (member.observers() == ["app@1", "app@2", "app@3"]).then_some(())
        });
    }
    let all: Vec<_> = members.iter().map(Member::views).collect();
    assert_eq!(all[0], all[1]);
    assert_eq!(all[1], all[2]);
    // Two of three of one kind see it fail.
    assert_eq!(members[0].state("s"), "unhealthy");
    for (member, peer) in [(1, "peer:a"), (1, "peer:c"), (2, "peer:a"), (2, "peer:b")] {
        wait_for("peers that are back", || {
            (members[member].state(peer) == "healthy").then_some(())
        });
    }
}
