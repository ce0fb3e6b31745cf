//! `skywatch check`: configurations that are broken, each with the cause named and what mends it.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use crate::common::http_sink::{Answer, HttpSink};
use crate::common::redis::{RedisServer, ServerOptions, free_port};
use crate::common::skywatch::Setup;
use crate::common::smtp::Smtp;

/// A broken configuration, the line of its check, and words of its cause and of what mends it.
struct Broken {
    settings: Vec<(&'static str, String)>,
    /// What only a file can say.
    file: String,
    name: &'static str,
    cause: &'static str,
    mend: &'static str,
}

fn broken(
    settings: &[(&'static str, &str)],
    name: &'static str,
    cause: &'static str,
    mend: &'static str,
) -> Broken {
    Broken {
        settings: settings
            .iter()
            .map(|(key, value)| (*key, (*value).to_owned()))
            .collect(),
        file: String::new(),
        name,
        cause,
        mend,
    }
}

fn receiver(table: &str, cause: &'static str, mend: &'static str) -> Broken {
    Broken {
        file: format!("[receivers.ops]\n{table}\n"),
        ..broken(&[], "receivers.ops", cause, mend)
    }
}

fn check(broken: &Broken) {
    let mut setup = Setup::new();
    for (key, value) in &broken.settings {
        setup = setup.with(key, value);
    }
    let file = setup.path("skywatch.toml");
    std::fs::write(&file, &broken.file).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let ended = setup.run(&["check", "--config", file.to_str().unwrap()]);
    let said = format!("{}\n{}", ended.stdout, ended.log);
    assert_eq!(ended.code(), 1, "{}: {said}", broken.name);
    let mut lines = ended.stdout.lines();
    let row = lines.find(|line| line.starts_with("FAILED") && line.contains(broken.name));
    let row = row.unwrap_or_else(|| panic!("no {} fails in\n{said}", broken.name));
    assert!(row.contains(broken.cause), "{}: {row}", broken.name);
    let hint = lines.next().unwrap_or_default();
    assert!(
        hint.contains("hint: ") && hint.contains(broken.mend),
        "{}: {hint}",
        broken.name
    );
    assert!(!said.contains("hunter2"), "{said}");
    let failed = ended.stdout.lines().filter(|line| line.starts_with("FAILED"));
    assert_eq!(failed.count(), 1, "nothing else is wrong:\n{said}");
}

#[test]
fn of_each_broken_configuration_cause_and_mend_are_named() {
    let closed = format!("127.0.0.1:{}", free_port());
    let redis = format!("redis://{closed}");
    let guarded = RedisServer::start_with(ServerOptions {
        password: Some("right".to_owned()),
        ..ServerOptions::default()
    });
    let evicting = RedisServer::start_with(ServerOptions {
        arguments: ["--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb"]
            .map(str::to_owned)
            .to_vec(),
        ..ServerOptions::default()
    });
    let plain = Smtp::start();
    let refusing = HttpSink::start(|request| match request.line.split(' ').nth(1) {
        Some("/gone") => Answer::status(404),
        Some(path) if path.starts_with("/api/v2/") => Answer::status(401),
        Some(path) if path.starts_with("/other") => Answer::ok("a page for people"),
        _ => Answer::status(403),
    });
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let nothing = tempfile::NamedTempFile::new().unwrap();
    let a_file = nothing.path().to_str().unwrap();
    let url = refusing.url();
    let mail = |security: &str, port: &str| {
        format!(
            "[email]\nserver = \"127.0.0.1\"\nport = {port}\nsecurity = \"{security}\"\nfrom = \"a@b.org\"\nto = [\"c@d.org\"]\n"
        )
    };
    let by_mail = |security: &str, port: &str, cause, mend| Broken {
        file: mail(security, port),
        ..broken(&[], "receivers.email", cause, mend)
    };
    let closed_port = closed.rsplit(':').next().unwrap();
    for configuration in [
        broken(&[("store.url", &redis)], "store", "refused", "`store.url`"),
        broken(
            &[("store.url", &guarded.tcp_url()), ("store.password", "hunter2")],
            "store",
            "password",
            "`store.password`",
        ),
        broken(
            &[("store.url", &evicting.tcp_url())],
            "store",
            "throws keys away",
            "maxmemory-policy noeviction",
        ),
        broken(
            &[("state_dir", &format!("{a_file}/state"))],
            "state_dir",
            "cannot use the state folder",
            "state_dir",
        ),
        broken(
            &[("graphite.address", &closed)],
            "graphite",
            "refused",
            "`graphite.address`",
        ),
        broken(
            &[("ingest.carbon_listen", &taken)],
            "ingest.carbon_listen",
            "in use",
            "free address",
        ),
        by_mail("none", closed_port, "refused", "is the server running"),
        by_mail("starttls", &plain.port(), "STARTTLS", "plain SMTP"),
        receiver(
            &format!("type = \"webhook\"\nurl = \"{url}/gone\""),
            "404",
            "check the address",
        ),
        receiver(
            &format!("type = \"webhook\"\nurl = \"{url}/hook\"\ntoken = \"hunter2\""),
            "403",
            "check the token",
        ),
        receiver(
            &format!("type = \"alertmanager\"\nurl = \"{url}\""),
            "401",
            "check the token",
        ),
        receiver(
            &format!("type = \"slack\"\ntoken = \"hunter2\"\nchannel = \"#a\"\napi_url = \"{url}/other\""),
            "an answer we do not understand",
            "the service's own",
        ),
        receiver(
            "type = \"syslog\"\ntarget = \"unix:/nowhere/at/all\"",
            "takes nothing",
            "docs/alerting.md",
        ),
        broken(
            &[("events.kafka_brokers", &closed)],
            "events.kafka",
            &*Box::leak(closed.clone().into_boxed_str()),
            "advertised.listeners",
        ),
        broken(
            &[
                ("entities.enabled", "true"),
                ("entities.metrics", "up"),
                ("entities.prometheus", &format!("{url}/other")),
            ],
            "entities.prometheus",
            "not as a Prometheus does",
            "without, `/api/v1`",
        ),
        broken(
            &[
                ("causes.topology", "arangodb"),
                ("causes.url", &format!("http://{closed}")),
            ],
            "causes.topology",
            "refused",
            "[causes]",
        ),
        broken(
            &[("druid.url", &format!("{url}/other"))],
            "druid",
            "not as a Druid broker does",
            "`druid.url`",
        ),
        broken(
            &[("consul.url", &format!("http://{closed}"))],
            "consul",
            "no answer from",
            "[consul]",
        ),
        broken(
            &[
                ("health.enabled", "true"),
                ("health.listen", "127.0.0.1:0"),
                ("health.peers", &format!("other={closed}")),
            ],
            "health.peers.other",
            "no connection to peer",
            "health.enabled",
        ),
    ] {
        check(&configuration);
    }
}

#[test]
fn secrets_that_others_can_read_are_refused_with_the_chmod_that_mends_it() {
    let setup = Setup::new();
    let (file, secret) = (setup.path("skywatch.toml"), setup.path("token"));
    let path = file.to_str().unwrap();
    std::fs::write(&secret, "hunter2\n").unwrap();
    let text = format!(
        "[web]\ntoken_file = \"{}\"\n[store]\npassword = \"hunter2\"\n",
        secret.display()
    );
    std::fs::write(&file, text).unwrap();
    let mode = |path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&file, 0o644);
    mode(&secret, 0o604);
    let ended = setup.run(&["check", "--config", path]);
    assert_eq!(ended.code(), 1);
    for open in [&file, &secret] {
        let chmod = format!("`chmod o-rwx {}`", open.display());
        assert!(ended.stdout.contains(&chmod), "{}", ended.stdout);
    }
    assert!(!ended.stdout.contains("hunter2"));
    mode(&file, 0o640);
    mode(&secret, 0o600);
    let ended = setup.run(&["check", "--config", path]);
    assert_eq!(ended.code(), 0, "{}", ended.stdout);
}

#[test]
fn settings_that_are_refused_are_not_tried() {
    let ended = Setup::new().with("analyzer.consensus", "12").run(&["check"]);
    assert_eq!(ended.code(), 2);
    assert!(
        ended.log.contains("`analyzer.consensus`") && ended.log.contains("hint: "),
        "{}",
        ended.log
    );
}

#[test]
fn what_is_well_is_said_to_be_and_nothing_is_sent() {
    let (redis, smtp) = (RedisServer::start(), Smtp::start());
    let setup = Setup::new()
        .on(&redis)
        .with("email.server", "127.0.0.1")
        .with("email.port", &smtp.port())
        .with("email.security", "none")
        .with("email.from", "a@example.org")
        .with("email.to", "b@example.org");
    let ended = setup.run(&["check", "--json"]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.log);
    let rows: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let rows = rows.as_array().unwrap();
    let found = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name);
        row.unwrap_or_else(|| panic!("no {name} in {}", ended.stdout))["found"].to_string()
    };
    assert!(found("store").contains("0 metrics below `metrics.`"));
    assert!(found("receivers.email").contains("takes mail from a@example.org to b@example.org"));
    assert!(rows.iter().all(|row| row["ok"] == true));
    assert!(smtp.mails().is_empty());
}
