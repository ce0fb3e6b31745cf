//! What people read when their settings are wrong. The texts are pinned; change them on purpose.

use std::path::Path;

use skywatch_settings::{Sources, load};

/// The error of a file with this text, the folder it lies in written as `/etc`.
fn error_of_file(text: &str) -> String {
    error_of(text, &[])
}

fn error_of(text: &str, env: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().expect("there is a temporary folder");
    let path = dir.path().join("skywatch.toml");
    std::fs::write(&path, text).expect("a temporary folder can be written");
    let mut env: Vec<_> = env
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    env.push(("HOME".to_owned(), "/home/u".to_owned()));
    match load(Sources {
        file: Some(path),
        env,
        flags: Vec::new(),
    }) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(error) => error
            .to_string()
            .replace(&dir.path().display().to_string(), "/etc"),
    }
}

fn error_of_env(env: &[(&str, &str)]) -> String {
    error_of("", env)
}

#[test]
fn unknown_key_names_file_line_key_and_the_nearest_one() {
    assert_eq!(
        error_of_file("# mine\n\n[analyzer]\nconsensus = 6\noptimum_run_duratoin = \"20s\"\n"),
        "unknown key `analyzer.optimum_run_duratoin` in /etc/skywatch.toml line 5\n\
         hint: did you mean `analyzer.optimum_run_duration`?"
    );
}

#[test]
fn unknown_key_may_belong_to_another_section_or_to_none() {
    assert_eq!(
        error_of_file("url = \"embedded\"\n[ingest]\nworkers = 4\nmonkey = 1\n[web.listen]\nx = 1\n"),
        "unknown key `url` in /etc/skywatch.toml line 1\n\
         hint: did you mean `store.url`?\n\
         \n\
         unknown key `ingest.workers` in /etc/skywatch.toml line 3\n\
         hint: did you mean `analyzer.workers`?\n\
         \n\
         unknown key `ingest.monkey` in /etc/skywatch.toml line 4\n\
         hint: known are `ingest.enabled`, `ingest.carbon_listen`, `ingest.carbon_udp_listen`, \
         `ingest.pickle_listen`, `ingest.msgpack_listen`, `ingest.remote_write_listen`, `ingest.remote_write_token`, \
         `ingest.remote_write_token_file`, `ingest.remote_write_tls_cert_file`, `ingest.remote_write_tls_key_file`, \
         `ingest.insecure_listen`, \
         `ingest.batch_points`, `ingest.flush_interval`, `ingest.queue_points`, `ingest.queue_bytes`, `ingest.idle_timeout`, \
         `ingest.max_connections`, `ingest.max_name_bytes`, `ingest.max_frame_bytes`, `ingest.max_request_bytes`, \
         `ingest.max_age`, `ingest.max_future`, `ingest.skip`, `ingest.do_not_skip`, `ingest.max_metrics`, \
         `ingest.trim`\n\
         \n\
         wrong value `a table` for `web.listen` in /etc/skywatch.toml line 5\n\
         hint: expected an IP address and a port, such as `\"127.0.0.1:2023\"` or `\"[::1]:2023\"`"
    );
}

#[test]
fn unknown_section_is_reported_once() {
    assert_eq!(
        error_of_file("store = 1\n[analyser]\nworkers = 4\ncache = true\n[monkey]\nx = 1\n"),
        "`store` is a section, not a value in /etc/skywatch.toml line 1\n\
         hint: write `[store]` and its keys below it\n\
         \n\
         unknown section `[analyser]` in /etc/skywatch.toml line 2\n\
         hint: did you mean `[analyzer]`?\n\
         \n\
         unknown section `[monkey]` in /etc/skywatch.toml line 5\n\
         hint: the sections are `[store]`, `[ingest]`, `[analyzer]`, `[adaptive]`, `[cluster]`, `[graphite]`, `[alerts]`, `[email]`, \
         `[models]`, `[jobs]`, `[training]`, `[health]`, `[templates]`, `[logs]`, `[causes]`, `[traces]`, `[entities]`, `[outliers]`, `[druid]`, `[sensors]`, `[consul]`, `[events]`, `[web]`, `[process]`, `[log]`, `[receivers.NAME]`, `[[routes]]`"
    );
}

#[test]
fn wrong_types_name_what_was_expected_with_an_example() {
    assert_eq!(
        error_of_file(
            "state_dir = 7\n[store]\nurl = \"redis://h/x\"\nfull_duration = 86400\n[ingest]\nenabled = \"yes\"\n\
             batch_points = -1\n[analyzer]\nworkers = 1.5\nflavour = \"Etsy\"\n[email]\nto = [\"a@b\", 3]\n\
             port = 99999\npassword = 5\n[graphite]\naddress = \"graphite\"\n[process]\nstop_timeout = \"5\"\n"
        ),
        "wrong value `7` for `state_dir` in /etc/skywatch.toml line 1\n\
         hint: expected a path in quotes, such as `\"/var/lib/skywatch\"`\n\
         \n\
         wrong value `\"redis://h/x\"` for `store.url` in /etc/skywatch.toml line 3\n\
         hint: its database is not a number; expected `\"embedded\"` or the address of a Redis such as \
         `\"redis://127.0.0.1:6379/0\"`, `\"rediss://redis.example.org\"` or `\"redis+unix:///run/redis.sock?db=0\"`\n\
         \n\
         wrong value `86400` for `store.full_duration` in /etc/skywatch.toml line 4\n\
         hint: expected a duration such as `\"90s\"`, `\"10m\"`, `\"24h\"` or `\"500ms\"`\n\
         \n\
         wrong value `\"yes\"` for `ingest.enabled` in /etc/skywatch.toml line 6\n\
         hint: expected `true` or `false`\n\
         \n\
         wrong value `-1` for `ingest.batch_points` in /etc/skywatch.toml line 7\n\
         hint: expected a whole number, such as `100`\n\
         \n\
         wrong value `1.5` for `analyzer.workers` in /etc/skywatch.toml line 9\n\
         hint: expected a whole number, such as `100`\n\
         \n\
         wrong value `\"Etsy\"` for `analyzer.flavour` in /etc/skywatch.toml line 10\n\
         hint: expected one of `\"earthgecko\"`, `\"etsy\"`; did you mean `\"etsy\"`?\n\
         \n\
         wrong value `[\"a@b\", 3]` for `email.to` in /etc/skywatch.toml line 12\n\
         hint: expected mail addresses, such as `[\"ops@example.org\"]`\n\
         \n\
         wrong value `99999` for `email.port` in /etc/skywatch.toml line 13\n\
         hint: expected a whole number from 0 to 65535, such as `25`\n\
         \n\
         wrong value `***` for `email.password` in /etc/skywatch.toml line 14\n\
         hint: expected text in quotes\n\
         \n\
         wrong value `\"graphite\"` for `graphite.address` in /etc/skywatch.toml line 16\n\
         hint: expected a host and a port, such as `\"graphite.example.org:2003\"`\n\
         \n\
         wrong value `\"5\"` for `process.stop_timeout` in /etc/skywatch.toml line 18\n\
         hint: expected a duration such as `\"90s\"`, `\"10m\"`, `\"24h\"` or `\"500ms\"`"
    );
}

#[test]
fn broken_toml_names_line_and_column() {
    assert_eq!(
        error_of_file("[store]\nurl = \"embedded\nnamespace = 5\n"),
        "broken TOML in /etc/skywatch.toml line 2 column 16: invalid basic string, expected `\"`"
    );
    assert_eq!(
        error_of_file("[store]\nurl = \"embedded\"\nurl = \"embedded\"\n"),
        "broken TOML in /etc/skywatch.toml line 3 column 1: duplicate key"
    );
}

#[test]
fn missing_file_is_named() {
    let error = load(Sources {
        file: Some("/nowhere/skywatch.toml".into()),
        ..Sources::default()
    });
    assert!(error.unwrap_err().to_string().starts_with(
        "cannot read settings file `/nowhere/skywatch.toml`: No such file or directory (os error 2)\n\
         hint: `--config` or `SKYWATCH_CONFIG` names the file"
    ));
}

#[test]
fn variables_and_flags_are_refused_like_the_file() {
    assert_eq!(
        error_of_env(&[
            ("SKYWATCH__STORE__ULR", "embedded"),
            ("SKYWATCH__ANALYZER__CONSENSUS", "six"),
            ("SKYWATCH__ANALYSER__FOO", "1"),
            ("SKYWATCH__STAET_DIR", "/x"),
        ]),
        "unknown key `analyser.foo` in environment variable `SKYWATCH__ANALYSER__FOO`\n\
         hint: did you mean `[analyzer]`?\n\
         \n\
         unknown key `staet_dir` in environment variable `SKYWATCH__STAET_DIR`\n\
         hint: did you mean `SKYWATCH__STATE_DIR`?\n\
         \n\
         unknown key `store.ulr` in environment variable `SKYWATCH__STORE__ULR`\n\
         hint: did you mean `SKYWATCH__STORE__URL`?\n\
         \n\
         wrong value `six` for `analyzer.consensus` in environment variable `SKYWATCH__ANALYZER__CONSENSUS`\n\
         hint: expected a whole number, such as `100`"
    );
    let flag = ("web.listen".to_owned(), "1500".to_owned(), "--listen".to_owned());
    let env = vec![("HOME".to_owned(), "/h".to_owned())];
    assert_eq!(
        load(Sources {
            file: None,
            env,
            flags: vec![flag]
        })
        .unwrap_err()
        .to_string(),
        "wrong value `1500` for `web.listen` in flag `--listen`\n\
         hint: expected an IP address and a port, such as `\"127.0.0.1:2023\"` or `\"[::1]:2023\"`"
    );
}

#[test]
fn a_wrong_value_is_refused_even_where_a_later_layer_wins() {
    assert_eq!(
        error_of("[log]\nlevel = \"inof\"\n", &[("SKYWATCH__LOG__LEVEL", "debug")]),
        "wrong value `\"inof\"` for `log.level` in /etc/skywatch.toml line 2\n\
         hint: expected one of `\"error\"`, `\"warn\"`, `\"info\"`, `\"debug\"`, `\"trace\"`; did you mean `\"info\"`?"
    );
}

#[test]
fn what_holds_for_some_metrics_only_is_read_with_care() {
    assert_eq!(
        error_of_env(&[("SKYWATCH__ADAPTIVE__OVERRIDES", "*.queue direktion=up")]),
        "wrong value `*.queue direktion=up` for `adaptive.overrides` in environment variable `SKYWATCH__ADAPTIVE__OVERRIDES`\n\
         hint: `*.queue direktion=up` is wrong: `direktion` is none of `sensitivity`, `direction`, `min_relative_change`, \
         `min_absolute_change`, `rest`"
    );
    assert_eq!(
        error_of_env(&[("SKYWATCH__ADAPTIVE__OVERRIDES", "*.queue sensitivity=0")]),
        "wrong value `[\"*.queue sensitivity=0.0\"]` for `adaptive.overrides` in environment variable `SKYWATCH__ADAPTIVE__OVERRIDES`\n\
         hint: expected sensitivities from `0.2` to `5` and changes of at least `0`"
    );
}

#[test]
fn limits_are_named() {
    assert_eq!(
        error_of_file(
            "[ingest]\nflush_interval = \"2s\"\nbatch_points = 0\n[analyzer]\nconsensus = 10\nup_key = \"a b\"\n\
             [graphite]\nprefix = \"my sky\"\n[alerts]\nbase_url = \"sky.example.org\"\n"
        ),
        "wrong value `\"sky.example.org\"` for `alerts.base_url` in /etc/skywatch.toml line 10\n\
         hint: expected an address with `http://` or `https://` and without a user, `?` and `#`, such as \
         `\"https://example.org:8443/path\"`\n\
         \n\
         wrong value `0` for `ingest.batch_points` in /etc/skywatch.toml line 3\n\
         hint: expected at least `1`\n\
         \n\
         wrong value `\"2s\"` for `ingest.flush_interval` in /etc/skywatch.toml line 2\n\
         hint: expected a value from `\"1ms\"` to `\"1s\"`\n\
         \n\
         wrong value `10` for `analyzer.consensus` in /etc/skywatch.toml line 5\n\
         hint: expected a value from `1` to `9`\n\
         \n\
         wrong value `\"a b\"` for `analyzer.up_key` in /etc/skywatch.toml line 6\n\
         hint: expected text without spaces, such as `\"skywatch.analyzer\"`\n\
         \n\
         wrong value `\"my sky\"` for `graphite.prefix` in /etc/skywatch.toml line 8\n\
         hint: expected a metric name without spaces, such as `\"skywatch\"` or `\"skywatch.{host}\"`"
    );
}

#[test]
fn the_grace_must_reach_the_stale_period() {
    assert_eq!(
        error_of_file("[store]\ngrace = \"60s\"\n"),
        "`store.grace` is `60s`, shorter than `analyzer.stale_period` with `500s`, in /etc/skywatch.toml line 2\n\
         hint: the trimmer would cut into the window of a metric that is not stale yet; raise `store.grace` or \
         lower `analyzer.stale_period`"
    );
    assert!(error_of_file("[analyzer]\nstale_period = \"601s\"\n").contains("/etc/skywatch.toml line 2\n"));
    // What was refused already is not judged again by its default.
    assert!(
        !error_of_file("[store]\ngrace = \"60\"\n[analyzer]\nstale_period = \"601s\"\n").contains("shorter")
    );
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    assert_eq!(
        error_of_file(
            "[store]\nurl = \"redis://:hunter2@h\"\npassword = \"hunter2\"\ntls_ca_file = \"/ca.pem\"\n\
             [ingest]\nqueue_points = 10\n[web]\nlisten = \"0.0.0.0:80\"\n\
             [process]\nrestart_backoff = \"60s\"\n"
        ),
        "`store.url` holds a password and another one is set in /etc/skywatch.toml line 3\n\
         hint: take the password out of `store.url`\n\
         \n\
         `store.tls_ca_file` is set, but `store.url` does not use TLS in /etc/skywatch.toml line 4\n\
         hint: write `rediss://` in `store.url`\n\
         \n\
         `ingest.queue_points` is `10`, less than `ingest.batch_points` with `10000`, in /etc/skywatch.toml line 6\n\
         hint: a queue must hold at least one batch\n\
         \n\
         `web.listen` is `0.0.0.0:80`, open to other machines without a login in /etc/skywatch.toml line 8\n\
         hint: set `web.token_file`, listen on `127.0.0.1` behind a proxy that asks for a login, or say it twice with \
         `web.insecure_listen = true`\n\
         \n\
         `process.restart_backoff_max` is `30s`, shorter than `process.restart_backoff` with `60s`, \
         in /etc/skywatch.toml line 10\n\
         hint: the wait grows from `restart_backoff` to `restart_backoff_max`"
    );
}

#[test]
fn nodes_of_a_cluster_have_addresses_and_one_database() {
    let said = |store: &str| error_of_file(&format!("[store]\n{store}\ncluster = [\"10.0.0.1:6379\"]\n"));
    for (store, words) in [
        ("", "`store.cluster` is set, but `store.url` is `embedded`"),
        (
            "url = \"unix:///run/r.sock\"",
            "`store.url` is a socket of this machine",
        ),
        ("url = \"redis://h/2\"", "a Redis Cluster has no database 2"),
        (
            "url = \"redis://h\"\nsentinels = [\"10.0.0.1:26379\"]",
            "`store.cluster` and `store.sentinels` are both set",
        ),
    ] {
        assert!(said(store).contains(words), "{}", said(store));
    }
}

#[test]
fn a_token_opens_the_listeners_that_ask_for_one() {
    let open = "[health]\nenabled = true\nlisten = \"0.0.0.0:6688\"\n[ingest]\nremote_write_listen = \"0.0.0.0:2026\"\n";
    let said = error_of_file(open);
    for option in ["health.listen", "ingest.remote_write_listen"] {
        assert!(said.contains(&format!("`{option}` is `0.0.0.0:")), "{said}");
    }
    assert!(said.contains("hint: set `health.token_file`"), "{said}");
    let with_tokens = format!("{open}remote_write_token = \"t\"\nremote_write_tls_key_file = \"/k\"\n")
        .replace(
            "[ingest]",
            "token = \"t\"\ntls_cert_file = \"/c\"\npeers = [\"b=ftp://c:1\"]\n[ingest]",
        );
    assert_eq!(
        error_of_file(&with_tokens),
        "of `ingest.remote_write_tls_cert_file` and `ingest.remote_write_tls_key_file` only one is set in \
         /etc/skywatch.toml line 10\n\
         hint: a certificate is of no use without its key\n\
         \n\
         wrong value `[\"b=ftp://c:1\"]` for `health.peers` in /etc/skywatch.toml line 6\n\
         hint: expected servers such as `\"b=10.0.0.2:6688\"` or `\"b=https://b.example.org:6688\"`\n\
         \n\
         of `health.tls_cert_file` and `health.tls_key_file` only one is set in /etc/skywatch.toml line 5\n\
         hint: a certificate is of no use without its key"
    );
}

#[test]
fn points_are_taken_from_other_machines_only_when_it_is_said_twice() {
    assert_eq!(
        error_of_file("[ingest]\ncarbon_listen = \"0.0.0.0:2023\"\nskip = [\"ok\", \"/a(/\"]\n"),
        "wrong value `[\"ok\", \"/a(/\"]` for `ingest.skip` in /etc/skywatch.toml line 3\n\
         hint: `/a(/` is wrong: unclosed group\n\
         \n\
         `ingest.carbon_listen` is `0.0.0.0:2023`, open to other machines without a login in \
         /etc/skywatch.toml line 2\n\
         hint: listen on `127.0.0.1` behind a relay or a firewall, or say it twice with \
         `ingest.insecure_listen = true`"
    );
}

#[test]
fn mail_needs_sender_recipients_and_a_safe_way_for_its_password() {
    assert_eq!(
        error_of_file("[email]\nserver = \"mail\"\nusername = \"u\"\n"),
        "`email.username` is set, but `email.password` is not in /etc/skywatch.toml line 3\n\
         hint: to log in takes both; to send without logging in, neither\n\
         \n\
         `email.server` is set, but `email.from` is not in /etc/skywatch.toml line 2\n\
         hint: name the sender, such as `from = \"skywatch@example.org\"`\n\
         \n\
         `email.server` is set, but `email.to` is empty in /etc/skywatch.toml line 2\n\
         hint: name who is told, such as `to = [\"ops@example.org\"]`"
    );
    let login =
        "from = \"a@b\"\nto = [\"c@d\"]\nusername = \"u\"\npassword = \"hunter2\"\nsecurity = \"none\"\n";
    assert_eq!(
        error_of_file(&format!("[email]\nserver = \"mail\"\n{login}")),
        "`email.password` would go to `mail` in the clear, for `email.security` is `none` in /etc/skywatch.toml line 7\n\
         hint: use `security = \"starttls\"` or `security = \"tls\"`"
    );
    assert_eq!(
        error_of_file("[email]\nserver = \"mail:25\"\nfrom = \"a\"\nto = [\"b@c\", \"d\"]\n"),
        "wrong value `\"a\"` for `email.from` in /etc/skywatch.toml line 3\n\
         hint: expected a mail address, such as `\"skywatch@example.org\"` or `\"Skywatch <skywatch@example.org>\"`\n\
         \n\
         wrong value `[\"b@c\", \"d\"]` for `email.to` in /etc/skywatch.toml line 4\n\
         hint: expected mail addresses, such as `[\"ops@example.org\"]`\n\
         \n\
         wrong value `\"mail:25\"` for `email.server` in /etc/skywatch.toml line 2\n\
         hint: expected a host without a port, such as `\"mail.example.org\"`"
    );
}

#[test]
fn a_secret_and_its_file_exclude_each_other_and_the_file_must_hold_one() {
    assert_eq!(
        error_of_file("[store]\npassword = \"hunter2\"\npassword_file = \"/nowhere\"\n"),
        "both `store.password` and `store.password_file` are set, the latter in /etc/skywatch.toml line 3\n\
         hint: keep one of them"
    );
    assert_eq!(
        error_of_file("[email]\npassword_file = \"/dev/null\"\n"),
        "cannot read the secret `email.password_file` from `/dev/null` in /etc/skywatch.toml line 2: the file is empty\n\
         hint: `email.password_file` names a file that holds the secret and nothing else"
    );
    assert!(error_of_file("[store]\npassword_file = \"/nowhere\"\n").contains("No such file or directory"));
}

#[test]
fn home_must_be_known_where_it_is_used() {
    assert_eq!(
        load(Sources::default()).unwrap_err().to_string(),
        "wrong value `\"~/.local/state/skywatch\"` for `state_dir`\n\
         hint: `~` stands for `HOME`, which is not set; write the whole path"
    );
}

#[test]
fn all_layers_report_at_once() {
    let error = load(Sources {
        file: Some(Path::new("/nowhere").to_owned()),
        env: vec![("SKYWATCH__X".to_owned(), String::new())],
        flags: vec![("web.lissten".to_owned(), String::new(), "--listen".to_owned())],
    })
    .unwrap_err();
    assert_eq!(error.problems.len(), 4, "{error}");
}

#[test]
fn events_refuse_what_would_not_reach_kafka_or_be_read_on_the_way() {
    let of = |lines: &str| error_of_file(&format!("[events]\nkafka_brokers = [\"kafka:9092\"]\n{lines}\n"));
    let login = "kafka_username = \"u\"\nkafka_password = \"hunter2\"";
    for (lines, words) in [
        (login.to_owned(), "of no use while `events.kafka_sasl` is `none`"),
        (
            "kafka_sasl = \"scram-sha-256\"".to_owned(),
            "not both user and password are set",
        ),
        (
            format!("{login}\nkafka_sasl = \"plain\""),
            "would go to other machines in the clear",
        ),
        (
            "kafka_ca_file = \"/ca\"".to_owned(),
            "of no use while `events.kafka_tls` is false",
        ),
        (
            "kafka_tls = true\nkafka_key_file = \"/k\"".to_owned(),
            "only one is set",
        ),
        ("kafka_topic = \"a b\"".to_owned(), "expected a topic"),
        (
            "webhook_url = \"http://hook/secret\"\nwebhook_token = \"hunter2\"".to_owned(),
            "`events.webhook_token` would go to `hook` in the clear",
        ),
    ] {
        let error = of(&lines);
        assert!(error.contains(words), "{lines}: {error}");
        assert!(
            !error.contains("hunter2") && !error.contains("/secret"),
            "{error}"
        );
    }
    // On this machine, over TLS, as a proof, or said twice.
    let taken = |lines: &str| {
        let text = format!("[events]\nkafka_brokers = [\"kafka:9092\"]\n{login}\n{lines}\n");
        let dir = tempfile::tempdir().expect("there is a temporary folder");
        let path = dir.path().join("skywatch.toml");
        std::fs::write(&path, text).expect("a temporary folder can be written");
        let loaded = load(Sources {
            file: Some(path),
            env: vec![("HOME".to_owned(), "/home/u".to_owned())],
            ..Sources::default()
        });
        assert!(
            loaded.is_ok(),
            "{lines}: {}",
            loaded.err().map(|error| error.to_string()).unwrap_or_default()
        );
    };
    taken("kafka_sasl = \"plain\"\nkafka_tls = true");
    taken("kafka_sasl = \"plain\"\nkafka_insecure = true");
    taken("kafka_sasl = \"scram-sha-512\"");
}

#[test]
fn a_login_for_entities_is_whole_and_not_for_all_to_read() {
    let refused = |more: &str| {
        let text = format!("[entities]\nprometheus = \"http://p.example.org:9090\"\n{more}");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("skywatch.toml");
        std::fs::write(&path, text).unwrap();
        let loaded = load(Sources {
            file: Some(path),
            env: vec![("HOME".to_owned(), "/home/u".to_owned())],
            ..Sources::default()
        });
        loaded.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused("token = \"t\"").contains("would go over plain HTTP"));
    assert_eq!(refused("token = \"t\"\ninsecure = true"), "");
    assert_eq!(refused(""), "");
    assert!(refused("username = \"u\"").contains("only one is set"));
    let login = "username = \"u\"\npassword = \"p\"\ninsecure = true";
    assert!(
        refused(&format!("{login}\niam_url = \"https://i\""))
            .contains("without `entities.username` and `entities.iam_domain`")
    );
    assert!(refused("enabled = true").contains("without a metric"));
    assert!(refused("metrics = [\"a\", \"max(a)\"]").contains("each metric once"));
    assert!(refused("series = [\"^(?<entity>a)$\"]").contains("two groups"));
}
