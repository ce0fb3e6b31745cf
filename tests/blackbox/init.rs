//! `skywatch init`: what it writes was tried, and is taken.

use std::os::unix::fs::PermissionsExt as _;

use crate::common::redis::{RedisServer, free_port};
use crate::common::redis_cluster::ServerCluster;
use crate::common::skywatch::Setup;
use crate::common::smtp::Smtp;

#[test]
fn what_works_is_written_and_what_does_not_is_named_and_nothing_written() {
    let (redis, smtp) = (RedisServer::start(), Smtp::start());
    let setup = Setup::new();
    let file = setup.path("skywatch.toml");
    let place = file.to_str().unwrap();
    let closed = format!("redis://127.0.0.1:{}", free_port());
    let run = |store: &str, more: &[&str]| {
        let server = format!("127.0.0.1:{}", smtp.port());
        let fixed = [
            "init",
            place,
            "--store",
            store,
            "--mail-server",
            &server,
            "--mail-security",
            "none",
            "--mail-from",
            "a@example.org",
            "--mail-to",
            "b@example.org",
        ];
        setup.run(&[&fixed, more].concat())
    };
    let wrong = run(&closed, &[]);
    assert_eq!(wrong.code(), 1, "{}", wrong.stdout);
    assert!(
        wrong.log.contains("refused") && wrong.log.contains("hint: "),
        "{}",
        wrong.log
    );
    assert!(!file.exists());

    std::fs::write(&file, "# only words\n").unwrap();
    let url = redis.tcp_url();
    let right = run(&url, &[]);
    assert_eq!(right.code(), 0, "{}{}", right.stdout, right.log);
    for words in [
        "takes mail from a@example.org to b@example.org",
        "skywatch run --config",
        "alert-test",
    ] {
        assert!(right.stdout.contains(words), "no {words:?} in {}", right.stdout);
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains(&format!("url = \"{url}\"")) && text.contains("to = [\"b@example.org\"]"),
        "{text}"
    );
    assert!(smtp.mails().is_empty(), "a try is no mail");
    let checked = setup.run(&["check", "--config", place]);
    assert_eq!(checked.code(), 0, "{}", checked.stdout);

    let again = run(&url, &[]);
    assert!(
        again.code() == 2 && again.log.contains("--force"),
        "{}",
        again.log
    );
    assert_eq!(run(&url, &["--force"]).code(), 0);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o007, 0);
}

/// Who names one node of a Redis Cluster has the others named for him; without them nothing says that all is well.
#[test]
fn a_node_of_a_redis_cluster_leads_to_settings_for_all_of_it() {
    let cluster = ServerCluster::start();
    let setup = Setup::new();
    let file = setup.path("skywatch.toml");
    let place = file.to_str().unwrap();
    let url = cluster.servers[2].tcp_url();
    let run =
        |store: &str, more: &[&str]| setup.run(&[&["init", place, "--yes", "--store", store], more].concat());
    let written = run(&url, &[]);
    assert_eq!(written.code(), 0, "{}{}", written.stdout, written.log);
    for words in ["a node of a Redis Cluster", "`redis-cluster://127.0.0.1:"] {
        assert!(
            written.stdout.contains(words),
            "no {words:?} in {}",
            written.stdout
        );
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(&format!("url = \"{url}\"")), "{text}");
    for server in &cluster.servers {
        assert!(
            text.contains(&format!("\"127.0.0.1:{}\"", server.port())),
            "{text}"
        );
    }
    let checked = setup.run(&["check", "--config", place]);
    assert_eq!(checked.code(), 0, "{}", checked.stdout);

    // Settings that name the one node only.
    let checked = Setup::new().with("store.url", &url).run(&["check"]);
    assert_eq!(checked.code(), 1, "{}", checked.stdout);
    for words in ["is a node of a Redis Cluster", "store.cluster = [\"127.0.0.1:"] {
        assert!(
            checked.stdout.contains(words),
            "no {words:?} in {}",
            checked.stdout
        );
    }

    let socket = run(&cluster.servers[0].socket_url(), &["--force"]);
    assert_eq!(socket.code(), 1, "{}", socket.stdout);
    assert!(
        socket.log.contains("is a socket of this machine"),
        "{}",
        socket.log
    );
    let database = run(&format!("{url}/3"), &["--force"]);
    assert_eq!(database.code(), 1, "{}", database.stdout);

    // A Redis of its own that is named instead has no nodes.
    let redis = RedisServer::start();
    assert_eq!(run(&redis.tcp_url(), &["--force"]).code(), 0);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("cluster"), "{text}");
}
