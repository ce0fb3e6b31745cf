//! Settings out of a `settings.py`: the result is taken, and says what the original said.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use skywatch_settings::{
    EmailSecurity, Loaded, Pattern, Profile, ReceiverKind, ReceiverTable, ResolvedRoute, Sources, load,
};

use crate::common::skywatch::Setup;

/// Of the original's size and shape: 350 settings, each with its description.
const ORIGINAL: &str = include_str!("skyline_settings.py");

fn names() -> Vec<&'static str> {
    let assigned = ORIGINAL.lines().filter_map(|line| line.split_once(" = "));
    let upper = |name: &&str| {
        name.chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    assigned.map(|(name, _)| name).filter(upper).collect()
}

/// Imports `source`, secrets into `secrets` of the folder; gives what was said of each name, too.
fn import(setup: &Setup, source: &str) -> (Loaded, String) {
    let file = setup.path("settings.py");
    std::fs::write(&file, source).unwrap();
    let secrets = setup.path("secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    let arguments = [
        "import-skyline",
        file.to_str().unwrap(),
        "--secrets",
        secrets.to_str().unwrap(),
    ];
    let ended = setup.run(&arguments);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    (loaded(&setup.path("skywatch.toml"), &ended.stdout), ended.log)
}

fn loaded(file: &Path, text: &str) -> Loaded {
    std::fs::write(file, text).unwrap();
    let sources = Sources {
        file: Some(file.to_owned()),
        env: vec![("HOME".to_owned(), "/home/u".to_owned())],
        ..Sources::default()
    };
    load(sources).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Who is told of a metric, and how often at most, as routes are walked: the first that fits takes, unless it goes on.
fn told(routes: &[ResolvedRoute], metric: &str) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for route in routes {
        let is_about = |pattern: &Pattern| pattern.matches(metric);
        if !route.metrics.is_empty() && !route.metrics.iter().any(is_about) {
            continue;
        }
        let below = told(&route.routes, metric);
        if below.is_empty() {
            let one = |name: &String| (name.clone(), route.cooldown.as_secs());
            all.extend(route.receivers.iter().map(one));
        } else {
            all.extend(below);
        }
        if !route.go_on {
            break;
        }
    }
    all
}

fn receiver<'r>(receivers: &'r [ReceiverTable], name: &str) -> &'r ReceiverTable {
    let found = receivers.iter().find(|receiver| receiver.name == name);
    found.unwrap_or_else(|| panic!("no receiver `{name}`"))
}

#[test]
fn a_file_of_the_originals_size_becomes_settings_that_mean_the_same() {
    let setup = Setup::new();
    let (loaded, said) = import(&setup, ORIGINAL);
    let settings = &loaded.settings;
    assert_eq!(settings.store.url.to_string(), "redis+unix:///tmp/redis.sock");
    assert_eq!(
        settings.store.password.as_ref().unwrap().expose(),
        "redis-hunter2"
    );
    assert_eq!(settings.store.full_duration.as_secs(), 86_400);
    assert_eq!(settings.analyzer.pass_deadline.as_secs(), 56, "60 - 4");
    assert_eq!(settings.analyzer.profile, Profile::Skyline);
    assert_eq!(
        settings.analyzer.canary_metric.as_deref(),
        Some("stats.canary.count")
    );
    assert_eq!(settings.ingest.pickle_listen.unwrap().to_string(), "0.0.0.0:2024");
    assert_eq!(settings.ingest.max_age.unwrap().as_secs(), 1_000);
    let graphite = settings.graphite.address.as_ref().unwrap();
    assert_eq!(
        graphite.to_string(),
        "graphite.shop.test:2003",
        "by a name for a name"
    );
    assert_eq!(settings.graphite.prefix, "skywatch.skyline-1");
    assert_eq!(settings.web.token.as_ref().unwrap().expose(), "pages-hunter2");
    assert_eq!(
        settings.alerts.base_url, None,
        "the original's example is no address"
    );
    assert_eq!(settings.email.security, EmailSecurity::StartTls);
    let skips = |name: &str| settings.ingest.skip.iter().any(|pattern| pattern.matches(name));
    assert!(skips("skywatch.analyzer.run_time") && skips("a.stats.test") && skips("debug[1].x"));
    assert!(!skips("stats.web1.requests") && !skips("debug1"));

    let secret = setup.path("secrets").join("smtp-password");
    let mode = std::fs::metadata(&secret).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let written = std::fs::read_to_string(setup.path("skywatch.toml")).unwrap();
    assert!(!written.contains("hunter2") && !said.contains("hunter2"));
}

#[test]
fn rules_lead_to_whom_they_led_as_often_as_they_did() {
    let setup = Setup::new();
    let (loaded, said) = import(&setup, ORIGINAL);
    let routes = loaded.settings.routes();
    let receivers = loaded.settings.receivers();
    let of = |metric: &str| told(&routes, metric);
    let is = |told: &[(&str, u64)]| -> Vec<(String, u64)> {
        told.iter()
            .map(|(name, seconds)| ((*name).to_owned(), *seconds))
            .collect()
    };
    let syslog = ("syslog", 1_800);
    assert_eq!(
        of("stats.checkout.orders"),
        is(&[
            ("smtp-stats_checkout", 600),
            ("slack-stats_checkout__checkout", 900),
            ("slack-stats_checkout_ops", 900),
            ("pagerduty", 1_800),
            ("http-tickets", 3_600),
            syslog,
        ])
    );
    assert_eq!(
        of("stats.web12.cpu"),
        is(&[("smtp", 1_200), ("slack", 3_600), ("http-tickets", 3_600), syslog])
    );
    assert_eq!(of("skyline.host.x"), is(&[("smtp-skyline", 1_800), syslog]));
    assert_eq!(of("other"), is(&[syslog]));
    let ourselves = of("skywatch.store");
    assert!(ourselves.iter().any(|(name, _)| name == "smtp"), "{ourselves:?}");

    match &receiver(&receivers, "smtp-skyline").kind {
        ReceiverKind::Email(mail) => {
            let to: Vec<_> = mail.to.iter().map(|address| address.as_str()).collect();
            assert_eq!(to, ["ops@shop.test", "lead@shop.test"]);
        }
        other => panic!("{other:?}"),
    }
    match &receiver(&receivers, "slack").kind {
        ReceiverKind::Slack(slack) => assert_eq!(slack.channel.as_deref(), Some("C00000001")),
        other => panic!("{other:?}"),
    }
    assert!(
        !receiver(&receivers, "smtp").limits.resolved,
        "the original never says that it is over"
    );
    assert!(
        said.contains("skywatch silence add 'stats.canary'"),
        "nobody was told of it:\n{said}"
    );
    assert!(
        said.contains("NOT carried over: ALERTS[11] :: in line"),
        "a computed one is named:\n{said}"
    );
}

#[test]
fn of_every_name_is_said_what_became_of_it() {
    let names = names();
    assert!(names.len() >= 350, "{}", names.len());
    let setup = Setup::new();
    let (_, said) = import(&setup, ORIGINAL);
    for name in &names {
        let mut lines = said.lines().filter_map(|line| line.split_once(": "));
        let is_said = lines.any(|(_, of)| of.split([' ', '[']).next() == Some(name));
        assert!(is_said, "nothing is said of {name}:\n{said}");
    }
    for rule in [
        "ALERTS[2] ::",
        "ALERTS[2][3] ::",
        "ALERTS[8] ::",
        "BOUNDARY_METRICS[2] :: `stats.queue.length` greater_than 1000.5",
    ] {
        assert!(said.contains(rule), "{rule}\n{said}");
    }
    assert!(said.contains("NOT carried over: MAX_AIRGAP_PERIOD :: "));
    assert!(said.contains("`int(21600)`"), "a call is named:\n{said}");
    assert!(said.contains("SHOP_OWN_SWITCH :: no Skyline that is known here"));
    assert!(
        !said.contains("skywatch.toml ::"),
        "the settings are taken as they are:\n{said}"
    );
}

#[test]
fn nothing_in_it_is_executed_and_what_is_no_python_is_refused() {
    let setup = Setup::new();
    let there = setup.path("executed");
    let source = format!(
        "__import__('os').system('touch {0}')\nFULL_DURATION = __import__('os').system('touch {0}')\n",
        there.display()
    );
    let (loaded, said) = import(&setup, &source);
    assert!(!there.exists());
    assert_eq!(
        loaded.settings.store.full_duration.as_secs(),
        86_400,
        "the default"
    );
    assert!(said.contains("FULL_DURATION :: in line 2"), "{said}");

    let file = setup.path("broken.py");
    std::fs::write(&file, "A = 1\nB = {'a': 'b\n").unwrap();
    let ended = setup.run(&["import-skyline", file.to_str().unwrap()]);
    assert_eq!(ended.code(), 1);
    assert!(
        ended.log.contains("line 2: a text does not end in its line"),
        "{}",
        ended.log
    );
}
