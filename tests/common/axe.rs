//! axe-core, which looks for what keeps people from using a page. It is fetched from the npm registry by npm at the first use
//! and lies in the target folder.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::browser::Browser;

/// Pinned, so that a new rule comes when we want it.
const PACKAGE: &str = "axe-core@4.10.3";
/// What WCAG 2.2 asks for at levels A and AA, and what axe-core calls good practice.
const RUN: &str = "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], \
                   resultTypes: ['violations'] }).then((found) => found.violations.map((one) => \
                   one.id + ': ' + one.nodes.map((node) => node.html.slice(0, 200) + ' ' + (node.any[0]?.message ?? '')).join(' | ')))";

/// The script.
pub(crate) fn script() -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axe-core");
    let script = folder.join("package/axe.min.js");
    if !script.exists() {
        std::fs::create_dir_all(&folder).expect("the target folder is writable");
        let packed = Command::new("npm")
            .args(["pack", PACKAGE, "--silent", "--pack-destination"])
            .arg(&folder)
            .current_dir(&folder)
            .output()
            .expect("these tests need npm (Debian: `apt install npm`)");
        assert!(
            packed.status.success(),
            "{}",
            String::from_utf8_lossy(&packed.stderr)
        );
        let archive = String::from_utf8_lossy(&packed.stdout).trim().to_owned();
        let unpacked = Command::new("tar")
            .args(["xzf", &archive])
            .current_dir(&folder)
            .status();
        assert!(
            unpacked.is_ok_and(|status| status.success()),
            "{archive} cannot be unpacked"
        );
    }
    std::fs::read_to_string(&script).expect("the package holds the script")
}

/// What it finds wrong with the page that is shown, a text a rule.
pub(crate) fn violations(browser: &mut Browser, script: &str) -> Vec<String> {
    browser.evaluate(&format!("{script}; typeof axe"));
    let found = browser.evaluate(RUN);
    let found = found.as_array().expect("a list").iter();
    found
        .map(|one| Value::as_str(one).unwrap_or_default().to_owned())
        .collect()
}
