//! Pages behind a certificate and a token, asked for by a real client.

use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::common::skywatch::{Setup, Skywatch};
use crate::common::{http, wait_for};

const TOKEN: &str = "correct-horse-battery";
const SAYS: &str = "pages on https://";

fn pem(file: &Path, what: &str, der: &[u8]) {
    let body = BASE64_STANDARD.encode(der);
    let text = format!("-----BEGIN {what}-----\n{body}\n-----END {what}-----\n");
    std::fs::write(file, text).unwrap();
}

/// A certificate for `localhost` and its key, as files; answers what a client is to trust.
fn certificate(setup: &Setup) -> Certificate<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    pem(&setup.path("cert.pem"), "CERTIFICATE", made.cert.der());
    pem(
        &setup.path("key.pem"),
        "PRIVATE KEY",
        &made.key_pair.serialize_der(),
    );
    Certificate::from_der(made.cert.der()).to_owned()
}

fn secured(setup: Setup) -> Setup {
    let (cert, key) = (setup.path("cert.pem"), setup.path("key.pem"));
    let token = setup.path("token");
    std::fs::write(&token, format!("an-older-one {TOKEN}\n")).unwrap();
    setup
        .with("web.tls_cert_file", cert.to_str().unwrap())
        .with("web.tls_key_file", key.to_str().unwrap())
        .with("web.token_file", token.to_str().unwrap())
}

fn address(running: &Skywatch) -> SocketAddr {
    let line = running.line(SAYS);
    let (_, address) = line.split_once(SAYS).unwrap();
    address.trim().parse().unwrap()
}

fn client(trusts: &Certificate<'static>) -> ureq::Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(std::slice::from_ref(trusts)))
        .build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .build();
    config.into()
}

#[test]
fn with_a_certificate_and_a_token_only_who_has_the_token_reads_and_nobody_listens_in() {
    let setup = Setup::new();
    let trusted = certificate(&setup);
    let setup = secured(setup);
    let running = setup.start(&["run"]);
    let port = address(&running).port();
    let agent = client(&trusted);
    let get = |path: &str, authorization: Option<String>| {
        let mut request = agent.get(format!("https://localhost:{port}{path}"));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        request.call().unwrap()
    };

    for path in ["/", "/metric?name=a", "/incidents", "/metrics", "/api/v1/status"] {
        let refused = get(path, None);
        assert_eq!(refused.status(), 401, "{path}");
        let asked: Vec<_> = refused.headers().get_all("www-authenticate").iter().collect();
        assert_eq!(asked.len(), 2, "{path}: {asked:?}");
        assert_eq!(get(path, Some("Bearer correct-horse".to_owned())).status(), 401);
        let given = get(path, Some(format!("Bearer {TOKEN}"))).status();
        assert!(given == 200 || path.starts_with("/metric?"), "{path}: {given}");
        assert_ne!(given, 401);
    }
    let password = BASE64_STANDARD.encode(format!("anybody:{TOKEN}"));
    let front = get("/", Some(format!("Basic {password}")));
    assert_eq!(front.status(), 200);
    assert_eq!(front.headers()["x-content-type-options"], "nosniff");
    assert_eq!(get("/", Some("Bearer an-older-one".to_owned())).status(), 200);
    wait_for("a supervisor's answer without a token", || {
        (get("/healthz", None).status() != 401).then_some(())
    });

    let plain = http::try_get(SocketAddr::from(([127, 0, 0, 1], port)), "/healthz");
    assert!(plain.is_err(), "nothing is said without TLS");
    let stranger = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let stranger = Certificate::from_der(stranger.cert.der()).to_owned();
    let other = client(&stranger).get(format!("https://localhost:{port}/healthz"));
    assert!(other.call().is_err(), "it is the certificate of the file");
}

#[test]
fn a_key_that_does_not_fit_is_told_at_the_start() {
    let setup = Setup::new();
    certificate(&setup);
    let key = setup.path("key.pem");
    let setup = secured(setup);
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    pem(&key, "PRIVATE KEY", &other.key_pair.serialize_der());
    let ended = setup.run(&["run"]);
    assert!(!ended.status.success());
    assert!(ended.log.contains("cert.pem` for TLS"), "{}", ended.log);
    std::fs::remove_file(&key).unwrap();
    let ended = setup.run(&["run"]);
    assert!(ended.log.contains("key.pem` for TLS"), "{}", ended.log);
    assert!(ended.log.contains("hint: `web.tls_cert_file`"), "{}", ended.log);
}

#[test]
fn a_reader_changes_nothing_and_who_guesses_is_told_to_wait() {
    let elsewhere = Setup::new();
    let hash = given(elsewhere.command(&["settings", "hash-token"]), "look-only\n");
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let setup = Setup::new()
        .with("web.token", "may-do-all never-sent-from-here")
        .with("web.read_token", hash.trim());
    let running = setup.start(&["run"]);
    let pages = running.pages();
    let ask = |method: &str, path: &str, token: &str, more: &[&str]| {
        let authorization = format!("Authorization: Bearer {token}");
        let mut headers = vec![authorization.as_str(), "Content-Type: application/json"];
        headers.extend(more);
        http::request(pages, method, path, &headers, "{\"by\": \"ann\"}")
            .unwrap()
            .status
    };
    assert_eq!(ask("GET", "/api/v1/silences", "look-only", &[]), 200);
    assert_eq!(ask("POST", "/api/v1/incidents/1/close", "look-only", &[]), 403);
    assert_eq!(ask("POST", "/incidents/1/close", "look-only", &[]), 403);
    let buttons = |token: &str| {
        let authorization = format!("Authorization: Bearer {token}");
        let page = http::request(pages, "GET", "/silences", &[&authorization], "").unwrap();
        page.body.contains("<form method=\"post\"")
    };
    assert!(!buttons("look-only") && buttons("may-do-all"));
    // There is no such incident, which only who may change it is told.
    assert_eq!(ask("POST", "/api/v1/incidents/1/close", "may-do-all", &[]), 409);
    let foreign = ["Sec-Fetch-Site: cross-site"];
    assert_eq!(
        ask("POST", "/api/v1/incidents/1/close", "may-do-all", &foreign),
        403
    );
    let answers: Vec<u16> = (0..12)
        .map(|guess| ask("GET", "/", &format!("guess-{guess}"), &[]))
        .collect();
    assert_eq!(answers[0], 401);
    assert_eq!(answers[11], 429, "{answers:?}");
    // Who was let in before a guesser came goes on; what was never sent from there is a guess like others.
    assert_eq!(ask("GET", "/", "may-do-all", &[]), 200);
    assert_eq!(ask("GET", "/", "look-only", &[]), 200);
    assert_eq!(ask("GET", "/", "never-sent-from-here", &[]), 429);
}

/// What a command prints that is given `input`.
fn given(mut command: std::process::Command, input: &str) -> String {
    use std::io::Write as _;
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let ended = child.wait_with_output().unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    String::from_utf8(ended.stdout).unwrap()
}
