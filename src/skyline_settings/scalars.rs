//! Names whose value is one setting: addresses, lengths of time, numbers, skip lists.

use std::net::IpAddr;

use super::conversion::{SkylineConversion, is_placeholder};
use super::patterns;
use super::python::PythonValue;
use crate::imported::quoted_list;

/// What a name's value is.
enum Scalar {
    Text,
    /// Whole seconds.
    Seconds,
    /// A whole number.
    Count,
    Flag,
}
use Scalar::{Count, Flag, Seconds, Text};

#[rustfmt::skip] // A table, a name a line.
const SCALARS: &[(&str, Scalar, &str)] = &[
    ("FULL_NAMESPACE", Text, "store.namespace"),
    ("FULL_DURATION", Seconds, "store.full_duration"),
    ("ROOMBA_GRACE_TIME", Seconds, "store.grace"),
    ("MAX_RESOLUTION", Seconds, "ingest.max_age"),
    ("ANALYZER_OPTIMUM_RUN_DURATION", Seconds, "analyzer.optimum_run_duration"),
    ("MAX_ANALYZER_PROCESS_RUNTIME", Seconds, "analyzer.pass_deadline"),
    ("STALE_PERIOD", Seconds, "analyzer.stale_period"),
    ("MIN_TOLERABLE_LENGTH", Count, "analyzer.min_tolerable_length"),
    ("MAX_TOLERABLE_BOREDOM", Count, "analyzer.max_tolerable_boredom"),
    ("BOREDOM_SET_SIZE", Count, "analyzer.boredom_set_size"),
    ("CONSENSUS", Count, "analyzer.consensus"),
    ("CANARY_METRIC", Text, "analyzer.canary_metric"),
    ("ALERT_ON_STALE_METRICS", Flag, "alerts.stale_digest"),
    ("SKYLINE_URL", Text, "alerts.base_url"),
    ("WEBAPP_FIXED_TIMEZONE", Text, "alerts.zone"),
];

/// The nine tests, by the names both Skylines have for them.
const ALGORITHMS: [&str; 9] = [
    "first_hour_average",
    "grubbs",
    "histogram_bins",
    "ks_test",
    "least_squares",
    "mean_subtraction_cumulation",
    "median_absolute_deviation",
    "stddev_from_average",
    "stddev_from_moving_average",
];

/// Names that only earthgecko's Skyline has.
const EARTHGECKO: [&str; 4] = [
    "ENABLE_MIRAGE",
    "PANORAMA_ENABLED",
    "MIRAGE_PROCESSES",
    "DO_NOT_SKIP_LIST",
];

pub(super) fn convert(conversion: &mut SkylineConversion) {
    for (name, scalar, setting) in SCALARS {
        if let Some(outcome) = one(conversion, name, scalar, setting) {
            conversion.said(name, setting, outcome);
        }
    }
    keep_grace(conversion);
    store(conversion);
    graphite(conversion);
    horizon(conversion);
    analyzer(conversion);
    skip_lists(conversion);
    webapp(conversion);
}

/// `None` where there is nothing that could be carried over.
fn one(
    conversion: &mut SkylineConversion,
    name: &str,
    scalar: &Scalar,
    setting: &str,
) -> Option<Result<(), String>> {
    Some(match scalar {
        Text => {
            let text = conversion.text(name)?;
            conversion.set_text(setting, &text)
        }
        Seconds => {
            let seconds = conversion.number(name)?;
            conversion.set_text(setting, &format!("{seconds}s"))
        }
        Count => {
            let number = conversion.number(name)?.to_string();
            conversion.set_plain(setting, &number)
        }
        Flag => {
            let flag = match conversion.value(name)? {
                PythonValue::Computed(_) => return None,
                value => value.is_true().to_string(),
            };
            conversion.set_plain(setting, &flag)
        }
    })
}

/// The trimmer must leave alone what a metric that is not stale yet may still need.
fn keep_grace(conversion: &mut SkylineConversion) {
    let grace = conversion.number("ROOMBA_GRACE_TIME").unwrap_or(600);
    let stale = conversion.number("STALE_PERIOD").unwrap_or(500);
    if grace < stale && conversion.set_text("store.grace", &format!("{stale}s")).is_ok() {
        conversion.left_to_do(
            "ROOMBA_GRACE_TIME",
            "`store.grace` was raised to STALE_PERIOD, as a trim would else cut into windows that are still judged",
        );
    }
}

fn store(conversion: &mut SkylineConversion) {
    const SOCKET: &str = "REDIS_SOCKET_PATH";
    // Where both Skylines look if nothing else is said.
    let path = conversion
        .text(SOCKET)
        .unwrap_or_else(|| "/tmp/redis.sock".to_owned());
    let outcome = conversion.set_text("store.url", &format!("redis+unix://{path}"));
    if conversion.text(SOCKET).is_some() {
        conversion.said(SOCKET, "store.url", outcome);
    }
    if let Some(password) = conversion.text("REDIS_PASSWORD") {
        let file = conversion.secret("REDIS_PASSWORD", "redis-password", &password);
        conversion.draft.set("store.password_file", file);
        conversion.carried("REDIS_PASSWORD", "store.password_file");
    }
}

/// Where the original's own metrics go.
fn graphite(conversion: &mut SkylineConversion) {
    let first = |names: [&'static str; 2]| {
        let text = |name| conversion.text(name).map(|text| (name, text));
        names.into_iter().find_map(text)
    };
    let host = first(["SKYLINE_METRICS_CARBON_HOST", "GRAPHITE_HOST"]);
    let ports = ["SKYLINE_METRICS_CARBON_PORT", "CARBON_PORT"];
    let port = ports
        .into_iter()
        .find_map(|name| Some((name, conversion.number(name)?)));
    if let Some((name, host)) = host {
        let address = format!("{host}:{}", port.map_or(2003, |(_, port)| port));
        let outcome = conversion.set_text("graphite.address", &address);
        if let (Ok(()), Some((port, _))) = (&outcome, port) {
            conversion.carried(port, "graphite.address");
        }
        conversion.said(name, "graphite.address", outcome);
    }
    if let Some(server) = conversion.text("SERVER_METRICS_NAME") {
        let outcome = conversion.set_text("graphite.prefix", &format!("skywatch.{server}"));
        conversion.said("SERVER_METRICS_NAME", "graphite.prefix", outcome);
    }
}

/// Where points come in.
fn horizon(conversion: &mut SkylineConversion) {
    let host = conversion
        .text("HORIZON_IP")
        .unwrap_or_else(|| "127.0.0.1".to_owned());
    let mut is_open = false;
    for (name, setting) in [
        ("PICKLE_PORT", "ingest.pickle_listen"),
        ("UDP_PORT", "ingest.msgpack_listen"),
    ] {
        let Some(port) = conversion.number(name) else {
            continue;
        };
        let outcome = conversion.set_text(setting, &format!("{host}:{port}"));
        is_open |= outcome.is_ok();
        conversion.said(name, setting, outcome);
    }
    if !is_open {
        return;
    }
    conversion.left_to_do(
        "PICKLE_PORT",
        "while Horizon runs it has this address; to look on beside it, set `enabled = false` below `[ingest]`",
    );
    conversion.carried("HORIZON_IP", "ingest.pickle_listen, ingest.msgpack_listen");
    if !host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback()) {
        conversion.draft.set("ingest.insecure_listen", "true".to_owned());
        conversion.left_to_do(
            "HORIZON_IP",
            "as with Horizon, whoever reaches these addresses can send points, which `ingest.insecure_listen` says; \
             better listen on 127.0.0.1 behind a relay",
        );
    }
}

fn analyzer(conversion: &mut SkylineConversion) {
    let flavour = if EARTHGECKO.iter().any(|name| conversion.value(name).is_some()) {
        "earthgecko"
    } else {
        "etsy"
    };
    let _known_words = conversion
        .set_text("analyzer.profile", "skyline")
        .and_then(|()| conversion.set_text("analyzer.flavour", flavour));
    let Some(algorithms) = conversion.value("ALGORITHMS").and_then(PythonValue::items) else {
        return;
    };
    let named: Vec<&str> = algorithms.iter().filter_map(PythonValue::text).collect();
    let missing: Vec<&str> = ALGORITHMS
        .into_iter()
        .filter(|name| !named.contains(name))
        .collect();
    let foreign: Vec<&str> = named
        .iter()
        .copied()
        .filter(|name| !ALGORITHMS.contains(name))
        .collect();
    if missing.is_empty() && foreign.is_empty() {
        conversion.carried(
            "ALGORITHMS",
            &format!("analyzer.profile = \"skyline\", analyzer.flavour = \"{flavour}\""),
        );
        conversion.left_to_do(
            "ALGORITHMS",
            "this votes as before; `profile = \"adaptive\"` learns each metric and is the better judge (docs/algorithms/adaptive.md)",
        );
        return;
    }
    let why = format!(
        "always all nine vote ({})",
        [("left out there", missing), ("unknown here", foreign)]
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {}", names.join(", ")))
            .collect::<Vec<_>>()
            .join("; ")
    );
    conversion.left("ALGORITHMS", &why);
}

fn skip_lists(conversion: &mut SkylineConversion) {
    let defaults = skywatch_settings::Settings::default().ingest;
    // Ours must not be judged either, whatever the original skips.
    let own: Vec<String> = defaults.skip.iter().take(1).map(ToString::to_string).collect();
    for (name, setting, mut list) in [
        ("SKIP_LIST", "ingest.skip", own),
        ("DO_NOT_SKIP_LIST", "ingest.do_not_skip", Vec::new()),
    ] {
        let Some(items) = conversion.value(name).and_then(PythonValue::items) else {
            continue;
        };
        let texts: Vec<String> = items
            .iter()
            .filter_map(|item| item.text().map(str::to_owned))
            .collect();
        let others = items.len() - texts.len();
        list.extend(
            texts
                .iter()
                .filter(|text| !text.is_empty())
                .map(|text| patterns::skipped(text)),
        );
        conversion.draft.set(setting, quoted_list(&list));
        conversion.carried(name, &format!("{setting} ({} patterns)", texts.len()));
        if others > 0 {
            conversion.left(name, &format!("{others} of its elements are no texts"));
        }
    }
}

fn webapp(conversion: &mut SkylineConversion) {
    if let Some(port) = conversion.number("WEBAPP_PORT") {
        let host = conversion
            .text("WEBAPP_IP")
            .unwrap_or_else(|| "127.0.0.1".to_owned());
        let outcome = conversion.set_text("web.listen", &format!("{host}:{port}"));
        let is_open = outcome.is_ok() && !host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback());
        if outcome.is_ok() {
            conversion.carried("WEBAPP_IP", "web.listen");
        }
        conversion.said("WEBAPP_PORT", "web.listen", outcome);
        let has_login = login(conversion);
        if is_open && !has_login {
            conversion.draft.set("web.insecure_listen", "true".to_owned());
            conversion.left_to_do(
                "WEBAPP_IP",
                "as before, whoever reaches the pages sees them, which `web.insecure_listen` says; better set `web.token_file`",
            );
        }
    }
}

/// The password of the pages becomes their token, which a browser takes as a password under any name.
fn login(conversion: &mut SkylineConversion) -> bool {
    const PASSWORD: &str = "WEBAPP_AUTH_USER_PASSWORD";
    if !conversion.is_on("WEBAPP_AUTH_ENABLED", false) {
        return false;
    }
    let password = conversion
        .text(PASSWORD)
        .filter(|password| !is_placeholder(password));
    let Some(password) = password else { return false };
    if password.contains(char::is_whitespace) {
        conversion.left(PASSWORD, "a token has no blanks; set `web.token_file`");
        return false;
    }
    let file = conversion.secret(PASSWORD, "web-token", &password);
    conversion.draft.set("web.token_file", file);
    conversion.carried(PASSWORD, "web.token_file");
    conversion.carried("WEBAPP_AUTH_ENABLED", "web.token_file");
    true
}

/// Whether a name becomes a setting where it has a value that one takes.
pub(super) fn is_carried(name: &str) -> bool {
    const OTHERS: [&str; 18] = [
        "ALERTS",
        "ALGORITHMS",
        "DO_NOT_SKIP_LIST",
        "ENABLE_ALERTS",
        "GRAPHITE_HOST",
        "HORIZON_IP",
        "HTTP_ALERTERS_OPTS",
        "PAGERDUTY_OPTS",
        "PICKLE_PORT",
        "REDIS_PASSWORD",
        "REDIS_SOCKET_PATH",
        "SERVER_METRICS_NAME",
        "SKIP_LIST",
        "SKYLINE_METRICS_CARBON_HOST",
        "SLACK_OPTS",
        "SMTP_OPTS",
        "UDP_PORT",
        "WEBAPP_PORT",
    ];
    OTHERS.contains(&name) || SCALARS.iter().any(|(known, ..)| *known == name)
}
