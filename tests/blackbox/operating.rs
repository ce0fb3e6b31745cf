//! What an operator does at the pages, in a real browser.

use super::redis_world::put;
use crate::common::browser::Browser;
use crate::common::redis::{RedisServer, free_port};
use crate::common::series::{each_minute, loud, now, quiet};
use crate::common::skywatch::{Setup, Skywatch};
use crate::common::smtp::Smtp;
use crate::common::{http, mime, wait_for};

/// A name longer than any screen is wide, without a place to break it.
const LONG: &str = "averyveryveryveryveryveryveryverylongnameofametricwithoutanyplacetobreakit.cpu";

fn world(redis: &RedisServer) -> Setup {
    let mut store = redis.connection();
    put(&mut store, "web1.cpu", &each_minute(&loud(200), now()));
    put(&mut store, LONG, &each_minute(&loud(200), now()));
    put(&mut store, "web1.disk", &each_minute(&quiet(200), now()));
    Setup::new().on(redis)
}

fn wait_for_incidents(running: &Skywatch, count: usize) {
    wait_for("the incidents", || {
        let page = http::get(running.pages(), "/incidents").body;
        (page.matches(">open</span>").count() == count).then_some(())
    });
}

#[test]
fn from_the_front_page_to_acknowledge_silence_and_close() {
    let redis = RedisServer::start();
    let setup = world(&redis);
    let running = setup.start(&["run"]);
    wait_for_incidents(&running, 2);
    let pages = running.pages();
    let mut browser = Browser::start(&setup);

    browser.open(pages, "/");
    browser.wait_until("document.querySelectorAll('.card svg path, .card svg polyline').length >= 2");
    assert!(
        browser.evaluate("document.querySelector('time[data-at]').title") != "",
        "times are in the reader's zone, with UTC beside"
    );
    let first = browser.evaluate("document.querySelector('.card form').getAttribute('action')");
    let id: u64 = first
        .as_str()
        .unwrap()
        .split('/')
        .nth(2)
        .unwrap()
        .parse()
        .unwrap();
    browser.click(".card form button");
    browser.wait_until("document.body.textContent.includes('somebody at the pages has it')");

    // The other one by its page, and under a name.
    browser.open(pages, "/?unclaimed=1");
    browser.wait_until("document.querySelectorAll('.card').length === 1");
    let path = browser.evaluate("document.querySelector('.card h3 a').getAttribute('href')");
    browser.open(pages, path.as_str().unwrap());
    browser.evaluate("document.querySelector('[name=by]').value = 'ann'");
    browser.evaluate("document.querySelector('[name=reason]').value = 'a <b>deploy</b>'");
    browser.click("[formaction$='/silence']");
    browser.wait_until("document.body.textContent.includes('silence 1')");
    browser.open(pages, "/silences");
    browser.wait_until("document.body.textContent.includes('by ann: a <b>deploy</b>')");
    browser.click("form[action='/silences/1/end'] button");
    browser.wait_until("document.body.textContent.includes('None in force.')");

    browser.open(pages, &format!("/incidents/{id}"));
    browser.click("[formaction$='/close']");
    browser.wait_until("document.querySelector('main').textContent.includes('closed by')");
    let told = setup.run(&["incidents", "--all"]).stdout;
    assert!(told.contains("closed"), "the command sees it, too: {told}");

    assert_eq!(browser.complaints(), [""; 0]);
    let own = format!("http://{pages}/");
    let others: Vec<String> = browser.requests();
    let others: Vec<&String> = others.iter().filter(|url| !url.starts_with(&own)).collect();
    assert!(others.iter().all(|url| *url == "about:blank"), "{others:?}");
    drop(browser);
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn from_the_link_in_a_mail_to_acknowledge_silence_and_close() {
    let redis = RedisServer::start();
    put(
        &mut redis.connection(),
        "web1.cpu",
        &each_minute(&loud(200), now()),
    );
    let smtp = Smtp::start();
    let listen = format!("127.0.0.1:{}", free_port());
    let base = format!("http://{listen}");
    let setup = Setup::new()
        .on(&redis)
        .with("email.server", "127.0.0.1")
        .with("email.port", &smtp.port())
        .with("email.security", "none")
        .with("email.from", "watch@example.org")
        .with("email.to", r#"["ops@example.org"]"#)
        .with("web.listen", &listen)
        .with("alerts.base_url", &base);
    let running = setup.start(&["run"]);
    let mail = wait_for("the mail", || smtp.mails().into_iter().next());
    let text = mime::part(&mail, "text/plain");
    let mut links = text
        .split_whitespace()
        .filter_map(|word| word.strip_prefix(&*base));
    let path = links.next().unwrap_or_else(|| panic!("no link in {text}"));

    let pages = running.pages();
    let mut browser = Browser::start(&setup);
    browser.open(pages, path);
    browser.wait_until("document.querySelector('.chart svg path, .chart svg polyline') !== null");
    browser.click("main a[href='/incidents/1']");
    browser.wait_until("document.querySelector('form.actions') !== null");
    browser.evaluate("document.querySelector('[name=by]').value = 'ann'");
    browser.click("form.actions button");
    browser.wait_until("document.body.textContent.includes('ann has it')");
    browser.evaluate("document.querySelector('[name=length]').value = 'change'");
    browser.click("[formaction$='/silence']");
    browser.wait_until("document.body.textContent.includes('silence 1')");
    browser.open(pages, "/silences");
    browser.wait_until("document.body.textContent.includes('until incident 1 changes')");
    browser.open(pages, "/incidents/1");
    browser.click("[formaction$='/close']");
    browser.wait_until("document.querySelector('main').textContent.includes('closed by')");
    browser.open(pages, "/silences?all=1");
    browser.wait_until("document.body.textContent.includes('as the incident is over')");
    assert_eq!(browser.complaints(), [""; 0]);
    drop(browser);
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn what_changes_shows_without_reloading() {
    let redis = RedisServer::start();
    let setup = world(&redis).with("analyzer.optimum_run_duration", "1s");
    let running = setup.start(&["run"]);
    wait_for_incidents(&running, 2);
    let mut browser = Browser::start(&setup);
    browser.open(running.pages(), "/");
    browser.evaluate("window.isTheSamePage = true");
    put(
        &mut redis.connection(),
        "web2.cpu",
        &each_minute(&loud(200), now()),
    );
    browser.wait_until("document.querySelector('h1').textContent.startsWith('3 anomalous')");
    assert_eq!(browser.evaluate("window.isTheSamePage"), true);
    drop(browser);
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn no_page_is_wider_than_a_phone_nor_complains() {
    let redis = RedisServer::start();
    let setup = world(&redis);
    let running = setup.start(&["run"]);
    wait_for_incidents(&running, 2);
    let mut browser = Browser::start(&setup);
    let metric = format!("/metric?name={LONG}");
    let mut paths = vec![
        "/",
        "/incidents?all=1",
        "/incidents/1",
        "/find",
        "/find?q=cpu",
        "/find?below=web1.",
    ];
    paths.extend([
        "/silences",
        "/status",
        "/incidents/99",
        &metric,
        "/metric?name=web1.disk&range=35d",
    ]);
    for width in [360, 1_200] {
        browser.screen(width, 800);
        for path in &paths {
            browser.open(running.pages(), path);
            let wide = browser.evaluate("document.documentElement.scrollWidth");
            assert!(
                wide.as_u64().unwrap() <= u64::from(width),
                "{path} is {wide} px wide at {width}"
            );
            let unlabelled = browser.evaluate(
                "[...document.querySelectorAll('input:not([type=hidden]), select')].filter(e => e.labels.length === 0).length",
            );
            assert_eq!(unlabelled, 0, "{path}");
            assert_eq!(
                browser.evaluate("document.querySelectorAll('h1').length"),
                1,
                "{path}"
            );
        }
    }
    // That an incident or a metric is not there is answered by 404, which a browser notes in its log.
    let complaints: Vec<String> = browser.complaints();
    let complaints: Vec<&String> = complaints.iter().filter(|text| !text.contains("404")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    drop(browser);
    assert_eq!(running.stop().code(), 0);
}
