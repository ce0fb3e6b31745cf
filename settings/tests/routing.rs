//! Receivers and routes: what a file declares, what follows from it, and what people read when it is wrong.

use std::path::PathBuf;
use std::time::Duration;

use skywatch_settings::{
    AlertDirection, AlertmanagerLogin, EXAMPLE, HostPort, Loaded, MinSeverity, Origin, ReceiverKind,
    ReceiverType, Route, Settings, SettingsError, SlackAccess, Sources, SyslogFacility, SyslogTarget, load,
};

fn load_with(text: &str, env: &[(&str, &str)]) -> Result<Loaded, SettingsError> {
    let dir = tempfile::tempdir().expect("there is a temporary folder");
    let path = dir.path().join("skywatch.toml");
    std::fs::write(&path, text).expect("a temporary folder can be written");
    let env = env
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    load(Sources {
        file: Some(path),
        env: env.chain([("HOME".to_owned(), "/home/u".to_owned())]).collect(),
        flags: Vec::new(),
    })
}

fn loaded(text: &str) -> Loaded {
    load_with(text, &[]).unwrap_or_else(|error| panic!("refused: {error}"))
}

/// What people read, the file's folder left out.
fn error_with(text: &str, env: &[(&str, &str)]) -> String {
    let error = load_with(text, env).expect_err("the file is wrong").to_string();
    let words = error.split(' ').map(|word| match word.rfind("/skywatch.toml") {
        Some(at) => &word[at + 1..],
        None => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

fn error(text: &str) -> String {
    error_with(text, &[])
}

fn row(loaded: &Loaded, key: &str) -> (String, String) {
    let row = loaded.rows().iter().find(|row| row.key == key);
    let row = row.unwrap_or_else(|| panic!("no row `{key}`"));
    let origin = match &row.origin {
        Origin::File { line, .. } => format!("line {line}"),
        other => other.to_string(),
    };
    (row.value.clone(), origin)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const EVERYTHING: &str = r##"
[alerts]
cooldown = "15m"
zone = "Europe/Berlin"
min_change = 2

[email]
server = "mail"
from = "sky@example.org"
to = ["ops@example.org"]
timeout = "7s"

[receivers.mail]
type = "email"

[receivers.night]
type = "email"
to = ["night@example.org"]
from = "Night <night@example.org>"
timeout = "9s"
resolved = false
max_notices = 5
per = "60s"
give_up_after = "12h"

[receivers.hooked]
type = "slack"
webhook_url = "https://hooks.slack.com/services/hunter2"

[receivers.bot]
type = "slack"
token = "hunter2"
channel = "#ops"
api_url = "http://127.0.0.1:8080/api/"

[receivers.pager]
type = "pagerduty"
routing_key = "hunter2"

[receivers.am]
type = "alertmanager"
url = "https://am.example.org/prefix/"
username = "u"
password = "hunter2"
labels = ["team=web", "query=a=b"]
valid_for = "2h"
ca_file = "/ca.pem"

[receivers.am-token]
type = "alertmanager"
url = "http://am.example.org:9093"
token = "hunter2"
insecure = true

[receivers.hook]
type = "webhook"
url = "https://example.org/hook?x=1"
secret = "hunter2"
token = "hunter2"
headers = ["X-Team: web", "X-Api-Key:hunter2"]
include_window = true

[receivers.Log_1]
type = "syslog"
target = "udp://[::1]:514"
facility = "daemon"
app = "sky"

[[routes]]
name = "audit"
receivers = ["hook", "am", "am-token", "hook"]
continue = true
repeat = "0s"

[[routes]]
name = "web"
metrics = ["web.*.cpu", "=web", "~web[.].*"]
tags = ["dc=eu", "dc!=us", "dc=~e.*", "dc!~u.*"]
severity = "warning"
detectors = ["grubbs"]
days = ["mon-fri", "sun"]
hours = "08:00-18:00"
receivers = ["hooked", "bot"]
cooldown = "10m"
direction = "up"
min_value = 0.5
min_change = 10
min_relative_change = 0.25
group_depth = 3
group_wait = "30s"
group_interval = "5m"

[[routes.routes]]
name = "web in the night"
zone = "America/New_York"
receivers = ["night", "pager"]
repeat = "60m"

[[routes.routes.routes]]
name = "web deep in the night"
cooldown = "0s"
min_change = 20.5

[[routes]]
name = "rest"
receivers = ["mail", "Log_1"]
"##;

#[test]
fn a_file_with_everything_becomes_receivers() {
    let settings = loaded(EVERYTHING).settings;
    let receivers = settings.receivers();
    let names: Vec<&str> = receivers.iter().map(|receiver| receiver.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "mail", "night", "hooked", "bot", "pager", "am", "am-token", "hook", "Log_1"
        ]
    );
    let find = |name: &str| receivers.iter().find(|receiver| receiver.name == name).unwrap();

    let mail = find("mail");
    let ReceiverKind::Email(to) = &mail.kind else {
        panic!("{mail:?}")
    };
    assert_eq!(
        (&to.to[..], to.from.as_str()),
        (&["ops@example.org".to_owned()][..], "sky@example.org")
    );
    assert_eq!((mail.resolved, mail.max_notices), (true, 20));
    assert_eq!(
        (mail.per, mail.timeout, mail.give_up_after),
        (seconds(600), seconds(7), seconds(86_400))
    );

    let night = find("night");
    let ReceiverKind::Email(to) = &night.kind else {
        panic!("{night:?}")
    };
    assert_eq!(
        (&to.to[..], to.from.as_str()),
        (&["night@example.org".to_owned()][..], "Night <night@example.org>")
    );
    assert_eq!((night.resolved, night.max_notices), (false, 5));
    assert_eq!(
        (night.per, night.timeout, night.give_up_after),
        (seconds(60), seconds(9), seconds(43_200))
    );

    let ReceiverKind::Slack(slack) = &find("hooked").kind else {
        panic!()
    };
    let SlackAccess::Webhook { url, channel: None } = &slack.access else {
        panic!("{slack:?}")
    };
    assert_eq!(url.expose(), "https://hooks.slack.com/services/hunter2");

    let ReceiverKind::Slack(slack) = &find("bot").kind else {
        panic!()
    };
    let SlackAccess::Bot {
        token,
        channel,
        api_url,
    } = &slack.access
    else {
        panic!("{slack:?}")
    };
    assert_eq!(
        (token.expose(), channel.as_str(), api_url.as_str()),
        ("hunter2", "#ops", "http://127.0.0.1:8080/api")
    );

    let ReceiverKind::PagerDuty(pager) = &find("pager").kind else {
        panic!()
    };
    assert_eq!(
        (pager.routing_key.expose(), pager.api_url.as_str()),
        ("hunter2", "https://events.pagerduty.com")
    );
    assert_eq!(find("pager").timeout, seconds(20));
    assert_eq!(find("pager").kind.receiver_type(), ReceiverType::PagerDuty);

    let ReceiverKind::Alertmanager(am) = &find("am").kind else {
        panic!()
    };
    assert_eq!(
        (am.url.as_str(), am.valid_for),
        ("https://am.example.org/prefix", seconds(7_200))
    );
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(am.labels, [pair("team", "web"), pair("query", "a=b")]);
    assert_eq!(am.ca_file, Some(PathBuf::from("/ca.pem")));
    let Some(AlertmanagerLogin::Basic { username, password }) = &am.login else {
        panic!("{am:?}")
    };
    assert_eq!((username.as_str(), password.expose()), ("u", "hunter2"));
    let ReceiverKind::Alertmanager(am) = &find("am-token").kind else {
        panic!()
    };
    assert!(matches!(&am.login, Some(AlertmanagerLogin::Token(token)) if token.expose() == "hunter2"));

    let ReceiverKind::Webhook(hook) = &find("hook").kind else {
        panic!()
    };
    assert_eq!(hook.url.expose(), "https://example.org/hook?x=1");
    assert_eq!(hook.secret.as_ref().unwrap().expose(), "hunter2");
    assert_eq!(hook.token.as_ref().unwrap().expose(), "hunter2");
    let headers: Vec<_> = hook
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    assert_eq!(headers, [("X-Team", "web"), ("X-Api-Key", "hunter2")]);
    assert!(hook.include_window);

    let ReceiverKind::Syslog(log) = &find("Log_1").kind else {
        panic!()
    };
    let address = HostPort {
        host: "::1".to_owned(),
        port: 514,
    };
    assert_eq!(
        (&log.target, log.facility, log.app.as_str()),
        (&SyslogTarget::Udp(address), SyslogFacility::Daemon, "sky")
    );
    assert_eq!(log.facility.code(), 3);
}

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
    assert_eq!((audit.zone.as_str(), audit.hours.as_str()), ("Europe/Berlin", ""));
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
    assert_eq!(web.tags, ["dc=eu", "dc!=us", "dc=~e.*", "dc!~u.*"]);
    assert_eq!(
        (web.severity, &web.detectors[..]),
        (Some(MinSeverity::Warning), &["grubbs".to_owned()][..])
    );
    assert_eq!(
        (&web.days[..], web.hours.as_str()),
        (&["mon-fri".to_owned(), "sun".to_owned()][..], "08:00-18:00")
    );
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
    assert!(night.days.is_empty() && night.hours.is_empty() && night.detectors.is_empty() && !night.go_on);
    assert_eq!(
        (night.zone.as_str(), &night.receivers[..]),
        ("America/New_York", &["night".to_owned(), "pager".to_owned()][..])
    );
    assert_eq!(
        (night.cooldown, night.repeat, night.group_depth),
        (seconds(600), Some(seconds(3_600)), 3)
    );

    let deep = &night.routes[0];
    let expected = Route {
        name: "web deep in the night".to_owned(),
        cooldown: seconds(0),
        min_change: Some(20.5),
        routes: Vec::new(),
        ..night.clone()
    };
    assert_eq!(*deep, expected);
    assert_eq!((rest.receivers.len(), rest.go_on), (2, false));
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
        ("receivers.bot.token", "***".to_owned(), "line 32".to_owned()),
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
fn secrets_of_receivers_are_seen_nowhere() {
    let loaded = loaded(EVERYTHING);
    let settings = &loaded.settings;
    let debug = format!("{loaded:?} {:?} {:?}", settings.receivers(), settings.routes());
    let table: String = loaded
        .table()
        .map(|(key, value, _)| format!("{key} {value}\n"))
        .collect();
    assert!(
        !debug.contains("hunter2") && !table.contains("hunter2"),
        "{table}"
    );

    let keys: Vec<&str> = loaded.table().map(|(key, _, _)| key).collect();
    let secret = |key: &&&str| {
        ["password", "token", "secret", "webhook_url", "routing_key"]
            .iter()
            .any(|word| key.ends_with(word))
    };
    assert_eq!(keys.iter().filter(secret).count(), 13);
    for key in keys.iter().filter(secret) {
        assert!(
            keys.contains(&format!("{key}_file").as_str()),
            "`{key}` has no `_file`"
        );
    }

    for wrong in [
        "type = \"slack\"\nwebhook_url = \"hunter2\"",
        "type = \"slack\"\nwebhook_url = \"http://a/hunter2\"",
        "type = \"slack\"\nwebhook_url = 5\ntoken = [\"hunter2\"]",
        "type = \"slack\"\nwebhook_url = \"https://a/hunter2\"\ntoken = \"hunter2\"",
        "type = \"slack\"\ntokne = \"hunter2\"",
        "type = \"pagerduty\"\nrouting_key = \"hunter2\"\nrouting_key_file = \"/dev/null\"",
        "type = \"pagerduty\"\nrouting_key = \"hunter2\"\napi_url = \"http://a\"",
        "type = \"webhook\"\nurl = \"ftp://a/hunter2\"",
        "type = \"webhook\"\nurl = \"https://a/hunter2#x\"",
        "type = \"webhook\"\nurl = [\"https://a/hunter2\"]",
        "type = \"alertmanager\"\nurl = \"http://u:hunter2@a\"",
        "type = \"alertmanager\"\nurl = \"http://a/?key=hunter2\"",
        "type = \"webhook\"\nurl = \"http://a\"\nheaders = [\"X: hunter2\"]",
        "type = \"webhook\"\nurl = \"https://a\"\nheaders = [\"hunter2\"]",
        "type = \"webhook\"\nurl = \"https://a\"\nheaders = \"hunter2\"",
        "type = \"pager\"\nrouting_key = \"hunter2\"",
        "routing_key = \"hunter2\"",
    ] {
        let error = load_with(&format!("[receivers.a]\n{wrong}\n"), &[]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    let error = load_with("[alerts]\nheartbeat_url = \"hc/hunter2\"\n", &[]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}

#[test]
fn variables_set_options_of_receivers_that_the_file_declares() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    let text = "[receivers.ops]\ntype = \"slack\"\nchannel = \"#a\"\n[receivers.On-Call__2]\ntype = \"pagerduty\"\n\
                [[routes]]\nname = \"all\"\nreceivers = [\"ops\", \"On-Call__2\"]\n";
    let loaded = load_with(
        text,
        &[
            ("SKYWATCH__RECEIVERS__OPS__TOKEN", "hunter2"),
            ("SKYWATCH__RECEIVERS__OPS__CHANNEL", "#b"),
            (
                "SKYWATCH__RECEIVERS__ON_CALL__2__ROUTING_KEY_FILE",
                secret.to_str().unwrap(),
            ),
        ],
    )
    .unwrap();
    let [ops, pager] = &loaded.settings.receivers()[..] else {
        panic!()
    };
    let ReceiverKind::Slack(slack) = &ops.kind else {
        panic!()
    };
    assert!(
        matches!(&slack.access, SlackAccess::Bot { token, channel, .. } if token.expose() == "hunter2" && channel == "#b")
    );
    let ReceiverKind::PagerDuty(pager) = &pager.kind else {
        panic!()
    };
    assert_eq!(pager.routing_key.expose(), "hunter2");
    let by_file = "environment SKYWATCH__RECEIVERS__ON_CALL__2__ROUTING_KEY_FILE".to_owned();
    assert_eq!(
        row(&loaded, "receivers.On-Call__2.routing_key"),
        ("***".to_owned(), by_file)
    );

    assert_eq!(
        error_with(
            "[receivers.ops]\ntype = \"slack\"\nwebhook_url = \"https://a\"\n",
            &[
                ("SKYWATCH__RECEIVERS__OPS__TOKNE", "x"),
                ("SKYWATCH__RECEIVERS__OPS__MONKEY", "x"),
                ("SKYWATCH__RECEIVERS__OSP__TOKEN", "x"),
                ("SKYWATCH__RECEIVERS__PAGER__TOKEN", "x"),
                ("SKYWATCH__RECEIVERS__OPS__TYPE", "email"),
                ("SKYWATCH__RECEIVERS__OPS__INSECURE", "maybe"),
            ]
        ),
        "unknown key `receivers.ops.monkey` in environment variable `SKYWATCH__RECEIVERS__OPS__MONKEY`\n\
         hint: known are `SKYWATCH__RECEIVERS__OPS__TYPE`, `SKYWATCH__RECEIVERS__OPS__WEBHOOK_URL`, \
         `SKYWATCH__RECEIVERS__OPS__WEBHOOK_URL_FILE`, `SKYWATCH__RECEIVERS__OPS__TOKEN`, \
         `SKYWATCH__RECEIVERS__OPS__TOKEN_FILE`, `SKYWATCH__RECEIVERS__OPS__CHANNEL`, \
         `SKYWATCH__RECEIVERS__OPS__API_URL`, `SKYWATCH__RECEIVERS__OPS__INSECURE`, \
         `SKYWATCH__RECEIVERS__OPS__TIMEOUT`, `SKYWATCH__RECEIVERS__OPS__RESOLVED`, \
         `SKYWATCH__RECEIVERS__OPS__MAX_NOTICES`, `SKYWATCH__RECEIVERS__OPS__PER`, \
         `SKYWATCH__RECEIVERS__OPS__GIVE_UP_AFTER`\n\
         \n\
         unknown key `receivers.ops.tokne` in environment variable `SKYWATCH__RECEIVERS__OPS__TOKNE`\n\
         hint: did you mean `SKYWATCH__RECEIVERS__OPS__TOKEN`?\n\
         \n\
         wrong value `email` for `receivers.ops.type` in environment variable `SKYWATCH__RECEIVERS__OPS__TYPE`\n\
         hint: only the settings file says what type a receiver has\n\
         \n\
         unknown key `receivers.osp.token` in environment variable `SKYWATCH__RECEIVERS__OSP__TOKEN`\n\
         hint: did you mean `SKYWATCH__RECEIVERS__OPS__TOKEN`?\n\
         \n\
         unknown key `receivers.pager.token` in environment variable `SKYWATCH__RECEIVERS__PAGER__TOKEN`\n\
         hint: variables and flags set options of receivers and routes that the settings file declares\n\
         \n\
         wrong value `maybe` for `receivers.ops.insecure` in environment variable `SKYWATCH__RECEIVERS__OPS__INSECURE`\n\
         hint: expected `true` or `false`"
    );
}

#[test]
fn without_receivers_and_routes_there_are_those_that_email_stands_for() {
    let nothing = Settings::default();
    assert!(nothing.receivers().is_empty());
    let [route] = &nothing.routes()[..] else { panic!() };
    assert_eq!(
        (route.name.as_str(), route.receivers.len(), route.cooldown),
        ("default", 0, seconds(1_800))
    );

    let mail = "[email]\nserver = \"mail\"\nfrom = \"a@b\"\nto = [\"c@d\"]\n";
    let loaded_mail = loaded(&format!("{mail}cooldown = \"0s\"\ntimeout = \"3s\"\n"));
    let [receiver] = &loaded_mail.settings.receivers()[..] else {
        panic!()
    };
    assert_eq!((receiver.name.as_str(), receiver.timeout), ("email", seconds(3)));
    let [route] = &loaded_mail.settings.routes()[..] else {
        panic!()
    };
    assert_eq!(
        (&route.receivers[..], route.cooldown),
        (&["email".to_owned()][..], seconds(0))
    );
    assert_eq!(loaded(mail).settings.routes()[0].cooldown, seconds(1_800));

    let routed = loaded(&format!(
        "{mail}[[routes]]\nname = \"a\"\nreceivers = [\"email\"]\n"
    ));
    assert_eq!(routed.settings.routes()[0].receivers, ["email"]);

    // `email.to` and `email.from` are not needed where every receiver has its own.
    let own = loaded(
        "[email]\nserver = \"mail\"\n[receivers.x]\ntype = \"email\"\nfrom = \"a@b\"\nto = [\"c@d\"]\n",
    );
    assert_eq!(own.settings.routes()[0].receivers, ["x"]);
    assert_eq!(own.settings.receivers().len(), 1);
    assert_eq!(loaded("[receivers]\n").settings.receivers().len(), 0);
    assert_eq!(loaded("routes = []\n").settings.routes()[0].name, "default");
}

#[test]
fn the_old_cooldown_of_mail_is_refused_beside_receivers_and_routes() {
    assert_eq!(
        error("[email]\ncooldown = \"10m\"\n[receivers.a]\ntype = \"syslog\"\n"),
        "`email.cooldown` is `10m`, but holds only where there are no `[receivers]` and no `[[routes]]`, \
         in skywatch.toml line 2\n\
         hint: set `alerts.cooldown`, or `cooldown` of a route"
    );
    // The example's line, left as it is, harms nobody; nor does one that says the same twice.
    loaded("[email]\ncooldown = \"30m\"\n[receivers.a]\ntype = \"syslog\"\n");
    loaded("[alerts]\ncooldown = \"5m\"\n[receivers.a]\ntype = \"syslog\"\n");

    let mail = "[email]\nserver = \"mail\"\nfrom = \"a@b\"\nto = [\"c@d\"]\n";
    let moved = loaded(&format!("[alerts]\ncooldown = \"20m\"\n{mail}"));
    assert_eq!(moved.settings.routes()[0].cooldown, seconds(1_200));
    assert_eq!(
        row(&moved, "email.cooldown"),
        ("\"20m\"".to_owned(), "line 2".to_owned())
    );
    let both = loaded(&format!(
        "[alerts]\ncooldown = \"20m\"\n{mail}cooldown = \"30m\"\n"
    ));
    assert_eq!(both.settings.routes()[0].cooldown, seconds(1_800));
}

#[test]
fn a_receivers_type_decides_which_keys_it_has() {
    assert_eq!(
        error(
            "receivers.c = 1\n[receivers.a]\ntype = \"slack\"\nchanel = \"#x\"\nwebhook_url = \"https://a\"\n[receivers.b]\nto = [\"a@b\"]\n\
             [receivers.d]\ntype = \"pager\"\n[receivers.e]\ntype = 3\n[receivers.\"f g\"]\ntype = \"syslog\"\n\
             [receivers.A]\ntype = \"syslog\"\n[receivers.h]\ntype = \"pagerduty\"\nrouting_key = \"x\"\nto = [\"a@b\"]\n"
        ),
        "`receivers.c` is a section, not a value in skywatch.toml line 1\n\
         hint: write `[receivers.c]` and its keys below it\n\
         \n\
         unknown key `receivers.a.chanel` in skywatch.toml line 4\n\
         hint: did you mean `receivers.a.channel`?\n\
         \n\
         receiver `b` has no `type` in skywatch.toml line 6\n\
         hint: expected one of `\"email\"`, `\"slack\"`, `\"pagerduty\"`, `\"alertmanager\"`, `\"webhook\"`, `\"syslog\"`\n\
         \n\
         wrong value `\"pager\"` for `receivers.d.type` in skywatch.toml line 9\n\
         hint: expected one of `\"email\"`, `\"slack\"`, `\"pagerduty\"`, `\"alertmanager\"`, `\"webhook\"`, `\"syslog\"`\n\
         \n\
         wrong value `3` for `receivers.e.type` in skywatch.toml line 11\n\
         hint: expected one of `\"email\"`, `\"slack\"`, `\"pagerduty\"`, `\"alertmanager\"`, `\"webhook\"`, `\"syslog\"`\n\
         \n\
         `f g` is no name for a receiver in skywatch.toml line 12\n\
         hint: a name has letters, digits, `-` and `_`, at most 60 of them\n\
         \n\
         the receivers `a` and `A` have the same environment variables, the latter in skywatch.toml line 14\n\
         hint: variables do not tell capitals from small letters, nor `-` from `_`; choose another name\n\
         \n\
         unknown key `receivers.h.to` in skywatch.toml line 19\n\
         hint: known are `receivers.h.type`, `receivers.h.routing_key`, `receivers.h.routing_key_file`, \
         `receivers.h.api_url`, `receivers.h.insecure`, `receivers.h.timeout`, `receivers.h.resolved`, \
         `receivers.h.max_notices`, `receivers.h.per`, `receivers.h.give_up_after`"
    );
    // Of a receiver whose type is not known nothing more is said, and routes may name it.
    assert_eq!(
        error_with(
            "[receivers.a]\nx = 1\n[[routes]]\nname = \"r\"\nreceivers = [\"a\"]\n",
            &[("SKYWATCH__RECEIVERS__A__TOKEN", "x")]
        )
        .matches("hint")
        .count(),
        1
    );
}

#[test]
fn tables_that_are_no_tables_are_named() {
    assert_eq!(
        error("receivers = 1\nroutes = 2\n[receiver.a]\n[[route]]\n"),
        "`receivers` holds tables, one for each receiver, in skywatch.toml line 1\n\
         hint: write `[receivers.NAME]` and its keys below it\n\
         \n\
         `routes` is a list of tables, in skywatch.toml line 2\n\
         hint: write `[[routes]]`, with two brackets, for each\n\
         \n\
         unknown section `[receiver]` in skywatch.toml line 3\n\
         hint: did you mean `[receivers.NAME]`?\n\
         \n\
         unknown section `[route]` in skywatch.toml line 4\n\
         hint: did you mean `[[routes]]`?"
    );
    assert_eq!(
        error(
            "[receivers.a]\ntype = \"syslog\"\n[[routes]]\nname = \"a\"\nreceivers = [\"a\"]\n[routes.routes]\nname = \"b\"\n"
        ),
        "`routes[1].routes` is a list of tables, in skywatch.toml line 6\n\
         hint: write `[[routes.routes]]`, with two brackets, for each"
    );
    assert!(
        error("routes = [1]\n").starts_with("`routes[1]` is a table, not a value, in skywatch.toml line 1\n")
    );
}

#[test]
fn every_type_says_what_it_lacks() {
    assert_eq!(
        error(
            "[receivers.a]\ntype = \"email\"\n[receivers.b]\ntype = \"slack\"\n[receivers.c]\ntype = \"pagerduty\"\n\
             [receivers.d]\ntype = \"alertmanager\"\n[receivers.e]\ntype = \"webhook\"\n\
             [receivers.f]\ntype = \"slack\"\ntoken = \"x\"\n"
        ),
        "receiver `a` is sent mail, but `email.server` is not set in skywatch.toml line 1\n\
         hint: name the mail server in `[email]`, such as `server = \"mail.example.org\"`\n\
         \n\
         receiver `a` has no `to` in skywatch.toml line 1\n\
         hint: name who is told, such as `to = [\"ops@example.org\"]`\n\
         \n\
         receiver `b` has no `token` and no `webhook_url` in skywatch.toml line 3\n\
         hint: set one of them: the address of an incoming webhook, or a bot's token and a `channel`\n\
         \n\
         receiver `c` has no `routing_key` in skywatch.toml line 5\n\
         hint: it is the integration key of a service, which PagerDuty shows under Events API V2\n\
         \n\
         receiver `d` has no `url` in skywatch.toml line 7\n\
         hint: such as `url = \"http://alertmanager.example.org:9093\"`\n\
         \n\
         receiver `e` has no `url` in skywatch.toml line 9\n\
         hint: such as `url = \"https://example.org/hooks/skywatch\"`\n\
         \n\
         receiver `f` has no `channel` in skywatch.toml line 11\n\
         hint: a token needs one, such as `channel = \"#ops\"`"
    );
    // What was refused already is not missed as well.
    assert_eq!(
        error("[receivers.c]\ntype = \"pagerduty\"\nrouting_key_file = \"/nowhere\"\n")
            .matches("hint")
            .count(),
        1
    );
    assert_eq!(
        error("[email]\nserver = \"mail\"\n[receivers.a]\ntype = \"email\"\nto = [\"a@b\"]\n"),
        "`email.server` is set, but `email.from` is not in skywatch.toml line 2\n\
         hint: name the sender, such as `from = \"skywatch@example.org\"`"
    );
}

#[test]
fn logins_and_ways_exclude_each_other() {
    assert_eq!(
        error(
            "[receivers.a]\ntype = \"slack\"\nwebhook_url = \"https://x\"\ntoken = \"x\"\n\
             [receivers.b]\ntype = \"alertmanager\"\nurl = \"https://x\"\nusername = \"u\"\n\
             [receivers.c]\ntype = \"alertmanager\"\nurl = \"https://x\"\nusername = \"u\"\ntoken = \"x\"\n\
             [receivers.d]\ntype = \"webhook\"\nurl = \"https://x\"\ntoken = \"x\"\nheaders = [\"authorization: x\"]\n\
             [receivers.e]\ntype = \"webhook\"\nurl = \"https://x\"\ntoken = \"x\"\ntoken_file = \"/dev/null\"\n"
        ),
        "both `receivers.e.token` and `receivers.e.token_file` are set, the latter in skywatch.toml line 23\n\
         hint: keep one of them\n\
         \n\
         receiver `a` has both `webhook_url` and `token` in skywatch.toml line 4\n\
         hint: keep one of them: a webhook writes to its own channel, a token to `channel`\n\
         \n\
         receiver `b` has a `username`, but no `password` in skywatch.toml line 8\n\
         hint: to log in takes both; to send without logging in, neither\n\
         \n\
         receiver `c` has both a `token` and a user in skywatch.toml line 13\n\
         hint: keep one of them\n\
         \n\
         receiver `d` has both a `token` and a header `Authorization` in skywatch.toml line 18\n\
         hint: keep one of them: a token is sent as that header"
    );
}

#[test]
fn secrets_do_not_travel_in_the_clear_unless_it_is_said_twice() {
    assert_eq!(
        error(
            "[receivers.a]\ntype = \"slack\"\nwebhook_url = \"http://chat/x\"\n\
             [receivers.b]\ntype = \"slack\"\ntoken = \"x\"\nchannel = \"#x\"\napi_url = \"http://chat\"\n\
             [receivers.c]\ntype = \"alertmanager\"\nurl = \"http://am:9093\"\nusername = \"u\"\npassword = \"x\"\n\
             [receivers.d]\ntype = \"webhook\"\nurl = \"http://hook\"\ntoken = \"x\"\nheaders = [\"X-Key: x\"]\n"
        ),
        "`receivers.a.webhook_url` is a secret that would travel in the clear, for it begins with `http://` \
         in skywatch.toml line 3\n\
         hint: use `https://`, or say it twice with `receivers.a.insecure = true`\n\
         \n\
         `receivers.b.token` would go to `chat` in the clear, for `receivers.b.api_url` begins with `http://` \
         in skywatch.toml line 8\n\
         hint: use `https://`, or say it twice with `receivers.b.insecure = true`\n\
         \n\
         `receivers.c.password` would go to `am` in the clear, for `receivers.c.url` begins with `http://` \
         in skywatch.toml line 11\n\
         hint: use `https://`, or say it twice with `receivers.c.insecure = true`\n\
         \n\
         `receivers.d.token` would go to `hook` in the clear, for `receivers.d.url` begins with `http://` \
         in skywatch.toml line 16\n\
         hint: use `https://`, or say it twice with `receivers.d.insecure = true`\n\
         \n\
         `receivers.d.headers` would go to `hook` in the clear, for `receivers.d.url` begins with `http://` \
         in skywatch.toml line 16\n\
         hint: use `https://`, or say it twice with `receivers.d.insecure = true`"
    );
    for right in [
        "type = \"slack\"\nwebhook_url = \"http://localhost/x\"",
        "type = \"slack\"\nwebhook_url = \"http://chat/x\"\ninsecure = true",
        "type = \"webhook\"\nurl = \"http://hook\"\nsecret = \"what signs does not travel\"",
        "type = \"alertmanager\"\nurl = \"http://am:9093\"",
    ] {
        loaded(&format!("[receivers.a]\n{right}\n"));
    }
}

#[test]
fn values_of_receivers_are_judged() {
    assert_eq!(
        error(
            "[email]\nserver = \"mail\"\nfrom = \"a@b\"\n\
             [receivers.a]\ntype = \"email\"\nto = [\"ops\"]\nfrom = \"x\"\ntimeout = \"0s\"\nmax_notices = 0\nper = \"500ms\"\ngive_up_after = \"0s\"\n\
             [receivers.b]\ntype = \"alertmanager\"\nurl = \"https://u@am\"\nlabels = [\"1=x\"]\nvalid_for = \"30s\"\n\
             [receivers.c]\ntype = \"webhook\"\nurl = \"ftp://x\"\nheaders = [\"Host: x\"]\n\
             [receivers.d]\ntype = \"syslog\"\ntarget = \"udp://x\"\nfacility = \"local8\"\napp = \"my sky\"\n\
             [receivers.e]\ntype = \"slack\"\nwebhook_url = \"https://x/#y\"\napi_url = \"https://x?y\"\n"
        ),
        "wrong value `***` for `receivers.c.headers` in skywatch.toml line 20\n\
         hint: expected headers as `Name: value`, such as `[\"X-Team: web\"]`; `connection`, `content-length`, \
         `content-type`, `host`, `transfer-encoding` are set already\n\
         \n\
         wrong value `\"udp://x\"` for `receivers.d.target` in skywatch.toml line 23\n\
         hint: expected `\"local\"`, `\"unix:/path\"`, or host and port such as `\"udp://syslog.example.org:514\"` or \
         `\"tcp://syslog.example.org:601\"`\n\
         \n\
         wrong value `\"local8\"` for `receivers.d.facility` in skywatch.toml line 24\n\
         hint: expected one of `\"kern\"`, `\"user\"`, `\"mail\"`, `\"daemon\"`, `\"auth\"`, `\"syslog\"`, `\"lpr\"`, `\"news\"`, \
         `\"uucp\"`, `\"cron\"`, `\"authpriv\"`, `\"ftp\"`, `\"local0\"`, `\"local1\"`, `\"local2\"`, `\"local3\"`, `\"local4\"`, \
         `\"local5\"`, `\"local6\"`, `\"local7\"`; did you mean `\"local0\"`?\n\
         \n\
         wrong value `[\"ops\"]` for `receivers.a.to` in skywatch.toml line 6\n\
         hint: expected mail addresses, such as `[\"ops@example.org\"]`\n\
         \n\
         wrong value `\"x\"` for `receivers.a.from` in skywatch.toml line 7\n\
         hint: expected a mail address, such as `\"skywatch@example.org\"` or `\"Skywatch <skywatch@example.org>\"`\n\
         \n\
         wrong value `\"0s\"` for `receivers.a.timeout` in skywatch.toml line 8\n\
         hint: expected at least `\"1ms\"`\n\
         \n\
         wrong value `0` for `receivers.a.max_notices` in skywatch.toml line 9\n\
         hint: expected at least `1`\n\
         \n\
         wrong value `\"500ms\"` for `receivers.a.per` in skywatch.toml line 10\n\
         hint: expected at least `\"1s\"`\n\
         \n\
         wrong value `\"0s\"` for `receivers.a.give_up_after` in skywatch.toml line 11\n\
         hint: expected at least `\"1s\"`\n\
         \n\
         wrong value `\"30s\"` for `receivers.b.valid_for` in skywatch.toml line 16\n\
         hint: expected at least `\"60s\"`\n\
         \n\
         wrong value `[\"1=x\"]` for `receivers.b.labels` in skywatch.toml line 15\n\
         hint: expected labels as `name=value`, such as `[\"team=web\"]`; a name has letters, digits and `_`\n\
         \n\
         wrong value `\"https://***@am\"` for `receivers.b.url` in skywatch.toml line 14\n\
         hint: expected an address with `http://` or `https://` and without a user, `?` and `#`, such as \
         `\"http://alertmanager.example.org:9093\"`\n\
         \n\
         wrong value `***` for `receivers.c.url` in skywatch.toml line 19\n\
         hint: expected an address with `http://` or `https://` and without a user and `#`, such as \
         `\"https://example.org/hooks/skywatch\"`\n\
         \n\
         wrong value `\"my sky\"` for `receivers.d.app` in skywatch.toml line 25\n\
         hint: expected at most 48 letters without spaces, such as `\"skywatch\"`\n\
         \n\
         wrong value `***` for `receivers.e.webhook_url` in skywatch.toml line 28\n\
         hint: expected an address with `http://` or `https://` and without a user and `#`, such as \
         `\"https://hooks.slack.com/services/…\"`\n\
         \n\
         wrong value `\"https://x?***\"` for `receivers.e.api_url` in skywatch.toml line 29\n\
         hint: expected an address with `http://` or `https://` and without a user, `?` and `#`, such as \
         `\"https://slack.com/api\"`"
    );
}

#[test]
fn values_of_routes_are_judged() {
    assert_eq!(
        error(
            "[receivers.a]\ntype = \"syslog\"\n[[routes]]\nname = \" x\"\nreceivers = [\"a\"]\nmetrics = [\"~(\"]\ntags = [\"dc\", \"dc=~(\"]\n\
             severity = \"fatal\"\ndetectors = [\"a b\"]\ndays = [\"mon-\"]\nhours = \"8-18\"\nzone = \"Europe/Berln\"\n\
             direction = \"upp\"\nmin_value = inf\nmin_change = -1\nmin_relative_change = \"x\"\ncooldwon = \"1s\"\nroute = 1\n"
        ),
        "unknown key `routes[1].cooldwon` in skywatch.toml line 17\n\
         hint: did you mean `routes[1].cooldown`?\n\
         \n\
         unknown key `routes[1].route` in skywatch.toml line 18\n\
         hint: did you mean `routes[1].routes`?\n\
         \n\
         wrong value `[\"~(\"]` for `routes[1].metrics` in skywatch.toml line 6\n\
         hint: the pattern `~(` is wrong: unclosed group\n\
         \n\
         wrong value `\"fatal\"` for `routes[1].severity` in skywatch.toml line 8\n\
         hint: expected one of `\"info\"`, `\"warning\"`, `\"critical\"`\n\
         \n\
         wrong value `\"upp\"` for `routes[1].direction` in skywatch.toml line 13\n\
         hint: expected one of `\"up\"`, `\"down\"`, `\"both\"`; did you mean `\"up\"`?\n\
         \n\
         wrong value `inf` for `routes[1].min_value` in skywatch.toml line 14\n\
         hint: expected a number, such as `0.5` or `100`\n\
         \n\
         wrong value `\"x\"` for `routes[1].min_relative_change` in skywatch.toml line 16\n\
         hint: expected a number, such as `0.5` or `100`\n\
         \n\
         wrong value `\" x\"` for `routes[1].name` in skywatch.toml line 4\n\
         hint: expected at most 100 characters without spaces around them, such as `\"web\"`\n\
         \n\
         wrong value `[\"dc\", \"dc=~(\"]` for `routes[1].tags` in skywatch.toml line 7\n\
         hint: the rule `dc` is wrong: it is none of `dc=eu`, `dc!=eu`, `dc=~eu.*`, `dc!~eu.*`\n\
         \n\
         wrong value `[\"dc\", \"dc=~(\"]` for `routes[1].tags` in skywatch.toml line 7\n\
         hint: the rule `dc=~(` is wrong: unclosed group\n\
         \n\
         wrong value `[\"a b\"]` for `routes[1].detectors` in skywatch.toml line 9\n\
         hint: expected names of detectors, such as `[\"grubbs\", \"ks_test\"]`\n\
         \n\
         wrong value `[\"mon-\"]` for `routes[1].days` in skywatch.toml line 10\n\
         hint: expected days, such as `[\"mon-fri\", \"sun\"]`\n\
         \n\
         wrong value `\"8-18\"` for `routes[1].hours` in skywatch.toml line 11\n\
         hint: expected hours, such as `\"08:00-18:00\"`, or over midnight `\"22:00-06:00\"`\n\
         \n\
         wrong value `\"Europe/Berln\"` for `routes[1].zone` in skywatch.toml line 12\n\
         hint: expected the name of a time zone, such as `\"Europe/Berlin\"` or `\"UTC\"`; did you mean \
         `\"Europe/Berlin\"`?\n\
         \n\
         wrong value `-1.0` for `routes[1].min_change` in skywatch.toml line 15\n\
         hint: expected at least `0.0`"
    );
}

#[test]
fn routes_have_names_of_their_own_and_somebody_to_tell() {
    assert_eq!(
        error(
            "[receivers.ops]\ntype = \"syslog\"\n\n[[routes]]\nreceivers = [\"osp\"]\n[[routes.routes]]\nname = \"a\"\n\
             [[routes]]\nname = \"a\"\nreceivers = [\"monkey\"]\n[[routes]]\nname = \"b\"\n[[routes.routes]]\nname = \"c\"\n\
             [[routes.routes]]\nname = \"d\"\nreceivers = [\"ops\"]\n"
        ),
        "`routes[1]` has no `name` in skywatch.toml line 4\n\
         hint: name it, such as `name = \"web\"`; its name stands in notices and on the pages\n\
         \n\
         `routes[1]` tells `osp`, but there is no such receiver, in skywatch.toml line 5\n\
         hint: did you mean `\"ops\"`?\n\
         \n\
         two routes are named `a`, `routes[1].routes[1]` and `routes[2]`; the latter in skywatch.toml line 9\n\
         hint: give each its own name\n\
         \n\
         route `a` tells `monkey`, but there is no such receiver, in skywatch.toml line 10\n\
         hint: the receivers are `\"ops\"`\n\
         \n\
         route `b` tells nobody: it has no `receivers`, and no route above it has any, in skywatch.toml line 11\n\
         hint: the receivers are `\"ops\"`\n\
         \n\
         route `c` tells nobody: it has no `receivers`, and no route above it has any, in skywatch.toml line 13\n\
         hint: the receivers are `\"ops\"`"
    );
    assert_eq!(
        error("[[routes]]\nname = \"a\"\n"),
        "route `a` tells nobody: it has no `receivers`, and no route above it has any, in skywatch.toml line 1\n\
         hint: there are no receivers; declare one with `[receivers.NAME]`, or set `email.server` and `email.to`"
    );
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
fn alerts_have_limits() {
    assert_eq!(
        error(
            "[alerts]\nseen = 4\nof = 3\ndigest_from = 0\ndaily_digest = \"8\"\nzone = \"\"\nkeep_history = \"60m\"\n\
             min_relative_change = -0.1\nheartbeat_url = \"hc\"\n"
        ),
        "`alerts.seen` is `4`, more than `alerts.of` with `3`, in skywatch.toml line 2\n\
         hint: `seen` of the last `of` judged points must be anomalous\n\
         \n\
         wrong value `-0.1` for `alerts.min_relative_change` in skywatch.toml line 8\n\
         hint: expected at least `0.0`\n\
         \n\
         wrong value `0` for `alerts.digest_from` in skywatch.toml line 4\n\
         hint: expected at least `1`\n\
         \n\
         wrong value `\"8\"` for `alerts.daily_digest` in skywatch.toml line 5\n\
         hint: expected a time of day, such as `\"08:00\"`\n\
         \n\
         wrong value `\"\"` for `alerts.zone` in skywatch.toml line 6\n\
         hint: expected the name of a time zone, such as `\"Europe/Berlin\"` or `\"UTC\"`\n\
         \n\
         wrong value `***` for `alerts.heartbeat_url` in skywatch.toml line 9\n\
         hint: expected an address with `http://` or `https://` and without a user and `#`, such as \
         `\"https://hc-ping.com/…\"`\n\
         \n\
         wrong value `\"60m\"` for `alerts.keep_history` in skywatch.toml line 7\n\
         hint: expected at least `\"24h\"`"
    );
    assert!(error("[alerts]\nseen = 65\nof = 65\n").contains("expected a value from `1` to `64`"));
    assert!(error("[alerts]\nseen = 0\n").contains("expected a value from `1` to `64`"));
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

/// The example's tables with their marks taken off: lines that begin with # and no space.
fn uncommented() -> String {
    let bare = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    EXAMPLE.lines().map(bare).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_explains_every_option_of_every_type_and_route_with_its_default() {
    let text = uncommented().replacen("server = \"\"", "server = \"mail\"", 1);
    let text = text.replacen("from = \"\"", "from = \"a@b\"", 1);
    let example = loaded(&text);
    let types: Vec<ReceiverType> = example
        .settings
        .receivers()
        .iter()
        .map(|receiver| receiver.kind.receiver_type())
        .collect();
    assert_eq!(
        types,
        [
            ReceiverType::Email,
            ReceiverType::Slack,
            ReceiverType::PagerDuty,
            ReceiverType::Alertmanager,
            ReceiverType::Webhook,
            ReceiverType::Syslog
        ]
    );
    // The least that each table can say: what it shows beside that is the default.
    let least = "[email]\nserver = \"mail\"\nfrom = \"a@b\"\n[receivers.mail]\ntype = \"email\"\nto = [\"x@y\"]\n\
                 [receivers.chat]\ntype = \"slack\"\nwebhook_url = \"https://x\"\n[receivers.pager]\ntype = \"pagerduty\"\nrouting_key = \"x\"\n\
                 [receivers.alertmanager]\ntype = \"alertmanager\"\nurl = \"https://x\"\n[receivers.hook]\ntype = \"webhook\"\nurl = \"https://x\"\n\
                 [receivers.syslog]\ntype = \"syslog\"\n[[routes]]\nname = \"x\"\nmetrics = [\"x\"]\nreceivers = [\"chat\"]\n";
    let least = loaded(least);
    let lines: Vec<&str> = text.lines().collect();
    let of_a_table = |key: &str| key.starts_with("receivers.") || key.starts_with("routes[1].");
    let common = ["resolved", "max_notices", "per", "give_up_after"];
    let mut compared = 0;
    for row in least.rows().iter().filter(|row| of_a_table(&row.key)) {
        let (table, name) = row.key.rsplit_once('.').unwrap();
        if table != "receivers.mail" && common.contains(&name) {
            continue;
        }
        let header = if table == "routes[1]" {
            "[[routes]]".to_owned()
        } else {
            format!("[{table}]")
        };
        let begin = lines.iter().position(|line| *line == header).unwrap();
        let body = lines[begin + 1..]
            .iter()
            .enumerate()
            .take_while(|(_, line)| !line.starts_with('['));
        let (offset, line) = body
            .filter(|(_, line)| line.split(" = ").next() == Some(name))
            .last()
            .unwrap_or_else(|| panic!("the example lacks `{}`", row.key));
        assert!(
            lines[begin + offset].starts_with("# "),
            "`{}` is not explained",
            row.key
        );
        let said = matches!(&row.origin, Origin::File { line, .. } if *line > 3);
        if !said {
            // What a table has from elsewhere is shown as left open.
            let elsewhere = table == "receivers.mail" || table == "routes[1]";
            let open = [format!("{name} = \"\""), format!("{name} = []")];
            let shown = format!("{name} = {}", row.value);
            assert!(
                *line == shown || (elsewhere && open.iter().any(|open| line == open)),
                "{line} but {shown}"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 57);
}
