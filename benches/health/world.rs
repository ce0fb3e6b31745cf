//! Servers as processes, clients of them, and figures.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use skywatch::health::convert::timestamp;
use skywatch::health::idl::panorama::health_service_client::HealthServiceClient;
use skywatch::health::idl::panorama::{
    Empty, Metric, Observation, RegisterRequest, Report, Status, Value as MetricValue,
};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

/// How long a server may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A number from the environment.
pub(crate) fn number(name: &str, default: usize) -> usize {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runnable tasks of the last minute, all of the machine's.
pub(crate) fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first.and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

/// A folder on the disk that is measured.
pub(crate) fn folder() -> TempDir {
    let made = match std::env::var_os("FOLDER") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    made.expect("a folder")
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// `skywatch health serve`; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Server {
    /// Starts one over a state folder, with options of `[health]`. It may not answer yet.
    pub(crate) fn start(folder: &Path, port: u16, options: &[(&str, &str)]) -> Self {
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_skywatch"));
        command
            .args(["health", "serve"])
            .env("SKYWATCH__STATE_DIR", folder)
            .env("SKYWATCH__HEALTH__LISTEN", &address)
            .env("SKYWATCH__LOG__LEVEL", "error")
            .stdout(Stdio::null());
        for (option, value) in options {
            command.env(format!("SKYWATCH__HEALTH__{}", option.to_uppercase()), value);
        }
        Self {
            child: command.spawn().expect("the binary starts"),
            address,
        }
    }

    /// Waits until it answers, and gives the connection.
    pub(crate) async fn answers(&self) -> Channel {
        let begun = Instant::now();
        loop {
            let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).expect("an address");
            if let Ok(channel) = endpoint.tcp_nodelay(true).connect().await
                && HealthServiceClient::new(channel.clone())
                    .get_id(Empty {})
                    .await
                    .is_ok()
            {
                return channel;
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Resident megabytes (10⁶ bytes): now, and the most so far.
    pub(crate) fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let of = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
            kilobytes.map_or(f64::NAN, |kilobytes| kilobytes * 1_024.0 / 1e6)
        };
        (of("VmRSS"), of("VmHWM"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Something to run calls on: one thread, as a client has, or one a core.
pub(crate) fn runtime(threads: usize) -> tokio::runtime::Runtime {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build().expect("a runtime")
}

/// The handle of an observer.
pub(crate) async fn register(channel: &Channel, observer: &str) -> u64 {
    let request = RegisterRequest {
        module: "bench".to_owned(),
        observer: observer.to_owned(),
    };
    let reply = HealthServiceClient::new(channel.clone()).register(request).await;
    reply.expect("a handle").into_inner().handle
}

/// A report of three metrics, seen now.
pub(crate) fn report(observer: &str, subject: &str, status: Status) -> Report {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let metrics = ["read", "write", "ping"].map(|name| {
        let value = MetricValue {
            status: status.into(),
            score: 75.0,
        };
        let metric = Metric {
            name: name.to_owned(),
            value: Some(value),
        };
        (name.to_owned(), metric)
    });
    Report {
        observer: observer.to_owned(),
        subject: subject.to_owned(),
        observation: Some(Observation {
            ts: Some(timestamp(since.as_nanos() as i64)),
            metrics: BTreeMap::from(metrics),
        }),
    }
}

/// Percentiles of durations, in microseconds.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |share: f64| {
        let index = ((times.len() - 1) as f64 * share) as usize;
        (times[index].as_secs_f64() * 1e8).round() / 100.0
    };
    json!({"count": times.len(), "p50_us": at(0.5), "p90_us": at(0.9), "p99_us": at(0.99), "most_us": at(1.0)})
}
