//! What a file declares of routes, what follows from it, and what the table shows of both.

use skywatch_settings::{AlertDirection, MinSeverity, ResolvedRoute, TagRule, Week};

use crate::{EVERYTHING, error, loaded, row, seconds};

#[test]
fn routes_have_what_they_leave_open_from_above() {
    let loaded = loaded(EVERYTHING);
    let routes = loaded.settings.routes();
    let [audit, web, rest] = &routes[..] else {
        panic!("{routes:#?}")
    };

    assert_eq!(
        audit.receivers,
        ["hook", "am", "am-token"],
        "named twice is told once"
    );
    assert!(audit.go_on && audit.routes.is_empty());
    assert_eq!((audit.cooldown, audit.repeat), (seconds(900), None));
    assert_eq!(
        (audit.direction, audit.min_value, audit.min_change),
        (AlertDirection::Both, None, Some(2.0))
    );
    assert_eq!((audit.zone.name(), &audit.hours), ("Europe/Berlin", &None));
    assert_eq!(
        (audit.group_depth, audit.group_wait, audit.group_interval),
        (2, seconds(0), seconds(60))
    );

    let patterns: Vec<&str> = web
        .metrics
        .iter()
        .map(skywatch_settings::Pattern::as_str)
        .collect();
    assert_eq!(patterns, ["web.*.cpu", "=web", "~web[.].*"]);
    let tags: Vec<&str> = web.tags.iter().map(TagRule::as_str).collect();
    assert_eq!(tags, ["dc=eu", "dc!=us", "dc=~e.*", "dc!~u.*"]);
    assert_eq!(
        (web.severity, &web.detectors[..]),
        (Some(MinSeverity::Warning), &["grubbs".to_owned()][..])
    );
    let days = ["mon-fri".to_owned(), "sun".to_owned()];
    let hours = Week::read(&days, "08:00-18:00", "Europe/Berlin").unwrap();
    assert_eq!(web.hours, Some(hours));
    assert_eq!((web.cooldown, web.repeat), (seconds(600), Some(seconds(14_400))));
    assert_eq!((web.direction, web.min_value), (AlertDirection::Up, Some(0.5)));
    assert_eq!(
        (web.min_change, web.min_relative_change),
        (Some(10.0), Some(0.25))
    );
    assert_eq!(
        (web.group_depth, web.group_wait, web.group_interval),
        (3, seconds(30), seconds(300))
    );

    let night = &web.routes[0];
    assert!(
        night.metrics.is_empty() && night.tags.is_empty() && night.severity.is_none(),
        "matchers are its own"
    );
    assert!(night.hours.is_none() && night.detectors.is_empty() && !night.go_on);
    assert_eq!(
        (night.zone.name(), &night.receivers[..]),
        ("America/New_York", &["night".to_owned(), "pager".to_owned()][..])
    );
    assert_eq!(
        (night.cooldown, night.repeat, night.group_depth),
        (seconds(600), Some(seconds(3_600)), 3)
    );

    let deep = &night.routes[0];
    let expected = ResolvedRoute {
        name: "web deep in the night".to_owned(),
        cooldown: seconds(0),
        min_change: Some(20.5),
        routes: Vec::new(),
        ..night.clone()
    };
    assert_eq!(*deep, expected);
    assert_eq!((rest.receivers.len(), rest.go_on), (3, false));
    assert_eq!(loaded.notes(), [""; 0]);
}

#[test]
fn the_table_shows_what_is_in_force_and_who_said_so() {
    let loaded = loaded(EVERYTHING);
    let line = |text: &str| {
        let lines = || EVERYTHING.lines().enumerate().filter(|(_, line)| *line == text);
        assert_eq!(lines().count(), 1, "{text}");
        format!("line {}", lines().next().unwrap().0 + 1)
    };
    let text = |text: &str| format!("\"{text}\"");
    for (key, value, origin) in [
        ("receivers.mail.type", text("email"), "line 14".to_owned()),
        (
            "receivers.mail.to",
            "[\"ops@example.org\"]".to_owned(),
            line("to = [\"ops@example.org\"]"),
        ),
        ("receivers.mail.timeout", text("7s"), line("timeout = \"7s\"")),
        ("receivers.night.timeout", text("9s"), line("timeout = \"9s\"")),
        ("receivers.bot.timeout", text("20s"), "default".to_owned()),
        ("receivers.bot.token", "***".to_owned(), "line 33".to_owned()),
        ("receivers.bot.token_file", text(""), "default".to_owned()),
        (
            "receivers.hook.headers",
            "[\"X-Team: ***\", \"X-Api-Key: ***\"]".to_owned(),
            line("headers = [\"X-Team: web\", \"X-Api-Key:hunter2\"]"),
        ),
        (
            "receivers.Log_1.target",
            text("udp://[::1]:514"),
            line("target = \"udp://[::1]:514\""),
        ),
        ("routes[1].name", text("audit"), line("name = \"audit\"")),
        ("routes[1].continue", "true".to_owned(), line("continue = true")),
        ("routes[1].cooldown", text("15m"), line("cooldown = \"15m\"")),
        ("routes[1].group_depth", "2".to_owned(), "default".to_owned()),
        ("routes[1].hours", text(""), "default".to_owned()),
        ("routes[2].min_change", "10.0".to_owned(), line("min_change = 10")),
        (
            "routes[2].routes[1].receivers",
            "[\"night\", \"pager\"]".to_owned(),
            line("receivers = [\"night\", \"pager\"]"),
        ),
        (
            "routes[2].routes[1].routes[1].receivers",
            "[\"night\", \"pager\"]".to_owned(),
            line("receivers = [\"night\", \"pager\"]"),
        ),
        (
            "routes[2].routes[1].routes[1].cooldown",
            text("0s"),
            line("cooldown = \"0s\""),
        ),
        (
            "routes[2].routes[1].routes[1].group_wait",
            text("30s"),
            line("group_wait = \"30s\""),
        ),
        (
            "routes[2].routes[1].routes[1].tags",
            "[]".to_owned(),
            "default".to_owned(),
        ),
        ("routes[3].min_value", text(""), "default".to_owned()),
    ] {
        assert_eq!(row(&loaded, key), (value, origin), "{key}");
    }
}

#[test]
fn routes_nest_to_eight_levels() {
    let nested = |levels: usize| {
        let mut text = "[receivers.a]\ntype = \"syslog\"\n".to_owned();
        for level in 1..=levels {
            let header = vec!["routes"; level].join(".");
            text += &format!("[[{header}]]\nname = \"{level}\"\nreceivers = [\"a\"]\n");
        }
        text
    };
    let settings = loaded(&nested(8)).settings;
    let mut depth = 0;
    let mut routes = settings.routes();
    while let Some(route) = routes.pop() {
        depth += 1;
        routes = route.routes;
    }
    assert_eq!(depth, 8);
    assert_eq!(
        error(&nested(9)),
        "routes nest deeper than 8 levels in skywatch.toml line 27\n\
         hint: take the matchers of two levels together"
    );
}

#[test]
fn what_is_hardly_meant_is_noted() {
    let loaded = loaded(
        "[email]\nserver = \"mail\"\nfrom = \"a@b\"\nto = [\"a@b\"]\n\
         [receivers.a]\ntype = \"syslog\"\n[receivers.b]\ntype = \"syslog\"\n\
         [[routes]]\nname = \"goes on\"\ncontinue = true\nreceivers = [\"a\"]\n\
         [[routes]]\nname = \"all\"\nreceivers = [\"a\"]\nseverity = \"info\"\n\
         [[routes]]\nname = \"never\"\nreceivers = [\"a\"]\nmetrics = [\"x\"]\n",
    );
    assert_eq!(
        loaded.notes(),
        [
            "no route leads to receiver `b`, so it is never told\nhint: name it in the `receivers` of a route",
            "`email.server` is set, but none of the `[receivers]` has the type `email`, so no mail is sent\n\
             hint: add `[receivers.mail]` with `type = \"email\"`",
            "route `never` is never reached, for `all` before it takes everything\n\
             hint: put it before `all`, or let `all` go on with `continue = true`",
        ]
    );
}
