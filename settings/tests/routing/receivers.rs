//! What a file declares of receivers, and what follows from it.

use std::path::PathBuf;

use skywatch_settings::{
    AlertLabel, EXAMPLE, HostPort, MailAddress, Origin, ReceiverKind, ReceiverType, Secret, Settings,
    SyslogFacility, SyslogTarget,
};

use crate::{EVERYTHING, error_with, load_with, loaded, row, seconds};

fn address(text: &str) -> MailAddress {
    text.parse().expect("a mail address")
}

#[test]
fn a_file_with_everything_becomes_receivers() {
    let settings = loaded(EVERYTHING).settings;
    let receivers = settings.receivers();
    let names: Vec<&str> = receivers.iter().map(|receiver| receiver.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "mail", "night", "hooked", "bot", "pager", "phone", "am", "am-token", "hook", "Log_1"
        ]
    );
    let find = |name: &str| receivers.iter().find(|receiver| receiver.name == name).unwrap();

    let mail = find("mail");
    let ReceiverKind::Email(to) = &mail.kind else {
        panic!("{mail:?}")
    };
    assert_eq!(
        (&to.to, &to.from),
        (
            &vec![address("ops@example.org")],
            &Some(address("sky@example.org"))
        )
    );
    assert_eq!((mail.limits.resolved, mail.limits.max_notices), (true, 20));
    assert_eq!(
        (mail.limits.per, to.timeout, mail.limits.give_up_after),
        (seconds(600), Some(seconds(7)), seconds(86_400))
    );

    let night = find("night");
    let ReceiverKind::Email(to) = &night.kind else {
        panic!("{night:?}")
    };
    assert_eq!(
        (&to.to, &to.from),
        (
            &vec![address("night@example.org")],
            &Some(address("Night <night@example.org>"))
        )
    );
    assert_eq!(night.limits.fallback.as_deref(), Some("mail"));
    assert_eq!((night.limits.resolved, night.limits.max_notices), (false, 5));
    assert_eq!(
        (night.limits.per, to.timeout, night.limits.give_up_after),
        (seconds(60), Some(seconds(9)), seconds(43_200))
    );

    let ReceiverKind::Slack(slack) = &find("hooked").kind else {
        panic!()
    };
    let url = slack.webhook_url.as_ref().unwrap().expose();
    assert_eq!(url.as_str(), "https://hooks.slack.com/services/hunter2");
    assert!(slack.token.is_none() && slack.channel.is_none());

    let ReceiverKind::Slack(slack) = &find("bot").kind else {
        panic!()
    };
    assert_eq!(
        (
            slack.token.as_ref().map(Secret::expose),
            slack.channel.as_deref(),
            slack.api_url.as_str()
        ),
        (Some("hunter2"), Some("#ops"), "http://127.0.0.1:8080/api")
    );

    let ReceiverKind::PagerDuty(pager) = &find("pager").kind else {
        panic!()
    };
    assert_eq!(
        (
            pager.routing_key.as_ref().map(Secret::expose),
            pager.api_url.as_str(),
            pager.timeout
        ),
        (Some("hunter2"), "https://events.pagerduty.com", seconds(20))
    );
    assert_eq!(find("pager").receiver_type, ReceiverType::PagerDuty);

    let ReceiverKind::Ntfy(phone) = &find("phone").kind else {
        panic!()
    };
    assert_eq!(
        (
            phone.url.as_str(),
            phone.topic.as_ref().map(Secret::expose),
            phone.token.as_ref().map(Secret::expose)
        ),
        ("https://push.example.org", Some("hunter2"), Some("hunter2"))
    );

    let ReceiverKind::Alertmanager(am) = &find("am").kind else {
        panic!()
    };
    assert_eq!(
        (am.url.as_ref().unwrap().as_str(), am.valid_for),
        ("https://am.example.org/prefix", seconds(7_200))
    );
    let pairs = |labels: &[AlertLabel]| {
        let pair = |label: &AlertLabel| (label.name.clone(), label.value.clone());
        labels.iter().map(pair).collect::<Vec<_>>()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(pairs(&am.labels), [pair("team", "web"), pair("query", "a=b")]);
    assert_eq!(am.ca_file, Some(PathBuf::from("/ca.pem")));
    assert_eq!(
        (am.username.as_deref(), am.password.as_ref().map(Secret::expose)),
        (Some("u"), Some("hunter2"))
    );
    let ReceiverKind::Alertmanager(am) = &find("am-token").kind else {
        panic!()
    };
    assert_eq!(am.token.as_ref().map(Secret::expose), Some("hunter2"));

    let ReceiverKind::Webhook(hook) = &find("hook").kind else {
        panic!()
    };
    let url = hook.url.as_ref().unwrap().expose();
    assert_eq!(url.as_str(), "https://example.org/hook?x=1");
    assert_eq!(hook.secret.as_ref().unwrap().expose(), "hunter2");
    assert_eq!(hook.token.as_ref().unwrap().expose(), "hunter2");
    let headers: Vec<_> = hook
        .headers
        .iter()
        .map(|header| (header.name.as_str(), header.value.expose()))
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
        [
            "password",
            "token",
            "secret",
            "webhook_url",
            "routing_key",
            ".topic",
        ]
        .iter()
        .any(|word| key.ends_with(word))
    };
    assert_eq!(keys.iter().filter(secret).count(), 32);
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
        "type = \"ntfy\"\ntopic = \"hunter2 \"",
        "type = \"ntfy\"\ntopic = \"hunter2\"\nurl = \"http://a\"",
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
    assert_eq!(
        (slack.token.as_ref().map(Secret::expose), slack.channel.as_deref()),
        (Some("hunter2"), Some("#b"))
    );
    let ReceiverKind::PagerDuty(pager) = &pager.kind else {
        panic!()
    };
    assert_eq!(pager.routing_key.as_ref().map(Secret::expose), Some("hunter2"));
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
         `SKYWATCH__RECEIVERS__OPS__API_URL`, `SKYWATCH__RECEIVERS__OPS__CA_FILE`, \
         `SKYWATCH__RECEIVERS__OPS__INSECURE`, \
         `SKYWATCH__RECEIVERS__OPS__TIMEOUT`, `SKYWATCH__RECEIVERS__OPS__RESOLVED`, \
         `SKYWATCH__RECEIVERS__OPS__MAX_NOTICES`, `SKYWATCH__RECEIVERS__OPS__PER`, `SKYWATCH__RECEIVERS__OPS__FALLBACK`, \
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
    let loaded_mail = loaded(&format!("{mail}timeout = \"3s\"\n[alerts]\ncooldown = \"0s\"\n"));
    let [receiver] = &loaded_mail.settings.receivers()[..] else {
        panic!()
    };
    let ReceiverKind::Email(to) = &receiver.kind else {
        panic!("{receiver:?}")
    };
    assert_eq!((receiver.name.as_str(), to.timeout), ("email", Some(seconds(3))));
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
        .map(|receiver| receiver.receiver_type)
        .collect();
    assert_eq!(
        types,
        [
            ReceiverType::Email,
            ReceiverType::Slack,
            ReceiverType::PagerDuty,
            ReceiverType::Ntfy,
            ReceiverType::Alertmanager,
            ReceiverType::Webhook,
            ReceiverType::Syslog
        ]
    );
    // The least that each table can say: what it shows beside that is the default.
    let least = "[email]\nserver = \"mail\"\nfrom = \"a@b\"\n[receivers.mail]\ntype = \"email\"\nto = [\"x@y\"]\n\
                 [receivers.chat]\ntype = \"slack\"\nwebhook_url = \"https://x\"\n[receivers.pager]\ntype = \"pagerduty\"\nrouting_key = \"x\"\n\
                 [receivers.phone]\ntype = \"ntfy\"\ntopic = \"x\"\n[receivers.alertmanager]\ntype = \"alertmanager\"\nurl = \"https://x\"\n[receivers.hook]\ntype = \"webhook\"\nurl = \"https://x\"\n\
                 [receivers.syslog]\ntype = \"syslog\"\n[[routes]]\nname = \"x\"\nmetrics = [\"x\"]\nreceivers = [\"chat\"]\n";
    let least = loaded(least);
    let lines: Vec<&str> = text.lines().collect();
    let of_a_table = |key: &str| key.starts_with("receivers.") || key.starts_with("routes[1].");
    let common = ["resolved", "max_notices", "per", "fallback", "give_up_after"];
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
    assert_eq!(compared, 69);
}
