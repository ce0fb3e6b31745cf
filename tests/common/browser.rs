//! A real browser, driven by the Chrome DevTools Protocol over pipes.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::skywatch::Setup;
use super::{PATIENCE, wait_for};

/// One page of a headless Chromium. It ends with this value.
pub(crate) struct Browser {
    process: Child,
    commands: File,
    messages: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// What was said that no command asked for.
    events: Vec<Value>,
}

impl Browser {
    /// Starts one with a profile of its own.
    pub(crate) fn start(setup: &Setup) -> Self {
        let program = ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find(|name| {
                let found = Command::new(name).arg("--version").stdout(Stdio::null()).status();
                found.is_ok()
            });
        let program = program.expect("these tests need a browser (Debian: `apt install chromium`)");
        let (to, from) = (setup.path("browser.to"), setup.path("browser.from"));
        let made = Command::new("mkfifo").args([&to, &from]).status();
        assert!(made.is_ok_and(|made| made.success()), "no pipes");
        let profile = setup.path("browser");
        // It reads commands from descriptor 3 and answers on 4, which only a shell can set without unsafe code.
        let process = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<\"$0.to\" 4>\"$0.from\""])
            .arg(setup.path("browser"))
            .args([
                program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args(["--remote-debugging-pipe", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .env("HOME", setup.path("home"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be run");
        let commands = OpenOptions::new().write(true).open(&to).expect("a pipe");
        let answers = File::open(&from).expect("a pipe");
        let (send, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(answers).split(0) {
                let Ok(message) = message else { return };
                let message = serde_json::from_slice(&message).expect("JSON from the browser");
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            process,
            commands,
            messages,
            session: None,
            last: 0,
            events: Vec::new(),
        };
        let target = browser.command("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.command("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Network.enable"] {
            browser.command(domain, json!({}));
        }
        browser
    }

    fn message(&mut self) -> Value {
        self.messages
            .recv_timeout(PATIENCE)
            .expect("the browser says something")
    }

    fn command(&mut self, method: &str, parameters: Value) -> Value {
        let answer = self.ask(method, parameters);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The whole answer, which may be an error.
    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut command = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        self.commands
            .write_all(format!("{command}\0").as_bytes())
            .expect("the browser reads");
        loop {
            let message = self.message();
            if message["id"] == self.last {
                return message;
            }
            self.events.push(message);
        }
    }

    /// The width and height of the screen, px.
    pub(crate) fn screen(&mut self, width: u32, height: u32) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.command("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Whether the reader likes it dark.
    pub(crate) fn dark(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Writes what is shown, from the top to the bottom of the page, as a picture (PNG).
    pub(crate) fn screenshot(&mut self, file: &Path) {
        let size =
            self.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollHeight]");
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let asked = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.command("Page.captureScreenshot", asked);
        let picture = BASE64_STANDARD.decode(picture["data"].as_str().expect("a picture"));
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(file, picture.expect("base64")).expect("the folder is writable");
    }

    /// Opens a page and waits until it is there.
    pub(crate) fn open(&mut self, from: SocketAddr, path: &str) {
        let before = self.events.len();
        self.command("Page.navigate", json!({ "url": format!("http://{from}{path}") }));
        let is_loaded = |event: &Value| event["method"] == "Page.loadEventFired";
        while !self.events[before..].iter().any(is_loaded) {
            let message = self.message();
            self.events.push(message);
        }
    }

    /// What an expression is in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.command("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page that is shown by then.
    pub(crate) fn wait_until(&mut self, expression: &str) {
        // Between two pages there may be no body yet.
        let guarded =
            format!("(() => {{ try {{ return Boolean({expression}) }} catch {{ return false }} }})()");
        let asked = json!({ "expression": guarded, "returnByValue": true });
        // An answer that is an error: the page has given way to another.
        wait_for(expression, || {
            let answer = self.ask("Runtime.evaluate", asked.clone());
            (answer["result"]["result"]["value"] == true).then_some(())
        });
    }

    /// Clicks the first element a selector finds.
    pub(crate) fn click(&mut self, selector: &str) {
        let found = self.evaluate(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); e?.click(); return e !== null }})()"
        ));
        assert!(found == true, "there is no {selector}");
    }

    /// What went wrong in the pages so far.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let complaints = self.events.iter().filter(|event| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => event["params"]["type"] == "error",
            Some("Log.entryAdded") => event["params"]["entry"]["level"] == "error",
            _ => false,
        });
        complaints.map(Value::to_string).collect()
    }

    /// The addresses asked for so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        let sent = self
            .events
            .iter()
            .filter(|event| event["method"] == "Network.requestWillBeSent");
        let addresses = sent.filter_map(|event| event["params"]["request"]["url"].as_str());
        addresses.map(str::to_owned).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
