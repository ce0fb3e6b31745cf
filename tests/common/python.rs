//! A Python with packages of others (gRPC and OpenTelemetry's exporters, a client of Kafka), in an environment of its own that
//! is made once and kept.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What shows that all of it is there; `scripts/test` asks the same.
const IMPORTS: &str =
    "import grpc_tools, opentelemetry.exporter.otlp.proto.grpc, opentelemetry.exporter.otlp.proto.http";
/// What it is made of.
const PACKAGES: [&str; 5] = [
    "grpcio",
    "grpcio-tools",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry-exporter-otlp-proto-http",
];

/// Its interpreter. Made by `scripts/test`, or here.
pub(crate) fn python() -> PathBuf {
    environment("grpc", IMPORTS, &PACKAGES)
}

/// The interpreter of an environment with these packages, which is made if the imports show that something is missing.
pub(crate) fn environment(name: &str, imports: &str, packages: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let python = folder.join("bin/python");
    // Tests of one run are processes of their own.
    let lock = std::fs::File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !folder.join("bin/pip").exists() || !run(Command::new(&python).args(["-c", imports])) {
        assert!(run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder)));
        assert!(run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet"])
            .args(packages)));
    }
    python
}

fn run(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
