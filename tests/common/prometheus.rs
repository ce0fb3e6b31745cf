//! A real Prometheus.

use std::path::Path;
use std::process::Command;

use super::program::Program;

/// Starts one on a port, over the data in `folder`, with this besides a look at its targets each quarter of a second: YAML.
pub(crate) fn start(folder: &Path, port: u16, configuration: &str) -> Program {
    let path = |name: &str| folder.join(name).display().to_string();
    let whole = format!("global: {{ scrape_interval: 250ms }}\n{configuration}");
    std::fs::write(path("prometheus.yml"), whole).unwrap();
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", path("prometheus.yml")))
        .arg(format!("--storage.tsdb.path={}", path("data")))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    Program::start(&mut command, folder, "prometheus")
}
