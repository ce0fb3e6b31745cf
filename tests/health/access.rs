//! The health plane behind a certificate and a token: for clients of ours and others, and between peers.

use std::net::SocketAddr;

use super::{client, serve, setup, speak_every_call};
use crate::common::redis::free_port;
use crate::common::skywatch::Setup;
use crate::common::wait_for;

const TLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/tls");
const TOKEN: &str = "correct-horse-battery";

fn file(name: &str) -> String {
    format!("{TLS}/{name}")
}

/// With a certificate for this machine, and a token in a file, which is the second of two.
fn secured(setup: Setup) -> Setup {
    let token = setup.path("token");
    std::fs::write(&token, format!("an-older-one {TOKEN}\n")).unwrap();
    std::fs::write(setup.path("own"), format!("{TOKEN}\n")).unwrap();
    std::fs::write(setup.path("wrong"), "wrong").unwrap();
    setup
        .with("health.tls_cert_file", &file("server.pem"))
        .with("health.tls_key_file", &file("server.key"))
        .with("health.token_file", token.to_str().unwrap())
}

/// What a command of the client gets with the token of a file.
fn asked(setup: &Setup, server: &str, token: &str, words: &[&str]) -> (String, String, i32) {
    let (authority, token) = (file("ca.pem"), setup.path(token));
    let flags = ["-ca", &authority, "-token_file", token.to_str().unwrap()];
    client(setup, server, &[&flags, words].concat())
}

#[test]
fn with_a_certificate_and_a_token_only_who_has_the_token_reports_and_asks() {
    let setup = secured(setup());
    let (_server, address) = serve(&setup);
    speak_every_call(&setup, &address, &[&file("ca.pem"), TOKEN]);
    let https = format!("https://{address}");
    assert_eq!(
        asked(&setup, &https, "own", &["report", "s", "cpu:u:30"]).0,
        "Accepted\n"
    );
    let (out, err, code) = asked(&setup, &https, "wrong", &["report", "s", "cpu:u:30"]);
    assert_eq!((&*out, code), ("", 1));
    assert!(err.contains("a token is needed"), "{err}");
    assert_eq!(client(&setup, &https, &["ping"]).2, 1, "nobody vouches for it");
    assert_eq!(client(&setup, &address, &["ping"]).2, 1, "it speaks TLS only");
}

#[test]
fn peers_exchange_reports_over_tls_with_a_token() {
    let ports = [free_port(), free_port()];
    let peers = format!(
        "a=https://localhost:{},b=https://localhost:{}",
        ports[0], ports[1]
    );
    let start = |id: &str, port: u16, token: &str| {
        let setup = secured(Setup::new());
        let shown = setup.path(token).display().to_string();
        let setup = setup
            .with("health.id", id)
            .with(
                "health.listen",
                &SocketAddr::from(([127, 0, 0, 1], port)).to_string(),
            )
            .with("health.peers", &peers)
            .with("health.peer_ca_file", &file("ca.pem"))
            .with("health.peer_token_file", &shown);
        let (server, address) = serve(&setup);
        (setup, server, format!("https://{address}"))
    };
    // What `b` shows is no token, so `a` learns nothing from it.
    let (a, _a, at_a) = start("a", ports[0], "own");
    let (b, _b, at_b) = start("b", ports[1], "wrong");
    for (setup, address, subject) in [(&a, &at_a, "of-a"), (&b, &at_b, "of-b")] {
        assert_eq!(
            asked(setup, address, "own", &["report", subject, "cpu:u:30"]).0,
            "Accepted\n"
        );
    }
    wait_for("what a has told b", || {
        (asked(&b, &at_b, "own", &["get", "view", "client", "of-a"]).2 == 0).then_some(())
    });
    let verdict =
        |setup: &Setup, at: &str, subject: &str| asked(setup, at, "own", &["get", "verdict", subject]).0;
    wait_for("that a finds b answering, and b is turned away by a", || {
        let (well, ill) = (verdict(&a, &at_a, "peer:b"), verdict(&b, &at_b, "peer:a"));
        (well.starts_with("peer:b: healthy") && ill.starts_with("peer:a: unhealthy")).then_some(())
    });
    assert_eq!(asked(&a, &at_a, "own", &["get", "view", "client", "of-b"]).2, 1);
}
