//! Every page in a real browser: read by axe-core in light and dark, as wide as a phone, with a picture of each.

use std::path::Path;

use super::redis_world::put;
use crate::common::browser::Browser;
use crate::common::redis::RedisServer;
use crate::common::series::{each_minute, loud, now, quiet};
use crate::common::skywatch::Setup;
use crate::common::{axe, http, wait_for};

/// A name longer than any screen is wide, without a place to break it.
const LONG: &str = "averyveryveryveryveryveryveryverylongnameofametricwithoutanyplacetobreakit.cpu";

/// Every page that leads somewhere, and what its picture is called.
const PAGES: [(&str, &str); 22] = [
    ("now", "/"),
    ("incidents", "/incidents?all=1"),
    ("incident", "/incidents/1"),
    ("history", "/history"),
    ("notices", "/history/notices"),
    ("metric", "/metric?name=web1.cpu"),
    ("metric-quiet", "/metric?name=web1.disk&range=1h"),
    ("metric-35d", "/metric?name=web1.disk&range=35d"),
    ("find", "/find"),
    ("found", "/find?q=cpu"),
    ("try", "/try"),
    ("tried", "/try?metrics=%3Dweb1.cpu&direction=down&sensitivity=0.5"),
    ("tried-many", "/try?metrics=*.cpu&min_absolute_change=10000"),
    ("silences", "/silences"),
    ("detectors", "/detectors"),
    ("models", "/models"),
    ("status", "/status"),
    ("settings", "/settings?q=web."),
    ("entities", "/entities"),
    ("traces", "/traces?all=1"),
    ("health", "/health"),
    ("nothing", "/incidents/99"),
];

#[test]
fn every_page_can_be_read_by_everybody_on_every_screen() {
    let redis = RedisServer::start();
    let mut store = redis.connection();
    put(&mut store, "web1.cpu", &each_minute(&loud(200), now()));
    put(&mut store, LONG, &each_minute(&loud(200), now()));
    put(&mut store, "web1.disk", &each_minute(&quiet(200), now()));
    let setup = Setup::new().on(&redis);
    let running = setup.start(&["run"]);
    let pages = running.pages();
    wait_for("the incidents", || {
        let open = http::get(pages, "/api/v1/incidents").json();
        (open["incidents"].as_array()?.len() == 2).then_some(())
    });
    let silenced = setup.run(&["silence", "add", "db.*", "--for", "2h", "--reason", "deploy"]);
    assert_eq!(silenced.code(), 0, "{}", silenced.log);
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    let script = axe::script();
    let mut browser = Browser::start(&setup);
    let mut wrong = Vec::new();
    for (name, path) in PAGES {
        if let Some(query) = path.strip_prefix("/try?") {
            // A page without the answer would ask for itself again while it is looked at.
            wait_for("the answer", || {
                (http::get(pages, &format!("/api/v1/try?{query}")).status == 200).then_some(())
            });
        }
        browser.screen(360, 800);
        browser.dark(true);
        browser.open(pages, path);
        let wide = browser.evaluate("document.documentElement.scrollWidth");
        if wide.as_u64() > Some(360) {
            wrong.push(format!("{name} is {wide} px wide on a phone"));
        }
        browser.screenshot(&pictures.join(format!("{name}-phone-dark.png")));
        let dark = axe::violations(&mut browser, &script);
        wrong.extend(dark.iter().map(|one| format!("{name}, dark: {one}")));
        browser.dark(false);
        browser.screen(1_200, 800);
        let light = axe::violations(&mut browser, &script);
        wrong.extend(light.iter().map(|one| format!("{name}, light: {one}")));
        browser.screenshot(&pictures.join(format!("{name}-desktop-light.png")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // That an incident is not there is answered by 404 and that no health plane runs by 503, which a browser notes in its log.
    let complaints: Vec<String> = browser.complaints();
    let is_noted = |text: &&String| !text.contains("404") && !text.contains("503");
    let complaints: Vec<&String> = complaints.iter().filter(is_noted).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    let own = format!("http://{pages}/");
    // A picture within a style sheet of the browser's own leaves nothing.
    let elsewhere =
        |url: &String| !url.starts_with(&own) && !url.starts_with("data:") && url != "about:blank";
    let elsewhere: Vec<String> = browser.requests().into_iter().filter(elsewhere).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    drop(browser);
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn a_chart_says_what_is_under_the_keys_and_looks_closer() {
    let redis = RedisServer::start();
    put(
        &mut redis.connection(),
        "web1.cpu",
        &each_minute(&loud(200), now()),
    );
    let setup = Setup::new().on(&redis);
    let running = setup.start(&["run"]);
    let mut browser = Browser::start(&setup);
    browser.open(running.pages(), "/metric?name=web1.cpu");
    browser.wait_until("document.querySelector('svg[data-plot]') !== null");
    let key = |browser: &mut Browser, key: &str| {
        browser.evaluate(&format!(
            "document.querySelector('svg[data-plot]').dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}' }}))"
        ));
    };
    key(&mut browser, "End");
    // The last point is the spike: its value, within what it would have been no alarm, and its score.
    browser.wait_until(
        "/: 500 · no alarm from .* to .* · score 1[.]/.test(document.querySelector('.readout').textContent)",
    );
    key(&mut browser, "Enter");
    browser.wait_until("new URL(location.href).searchParams.has('from')");
    browser.wait_until("document.querySelector('svg[data-plot]') !== null");
    assert_eq!(browser.complaints(), [""; 0]);
    drop(browser);
    assert_eq!(running.stop().code(), 0);
}
