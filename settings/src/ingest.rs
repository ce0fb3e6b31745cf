//! How points come in.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::check::Check;
use crate::choice::choice;
use crate::pattern::Pattern;
use crate::secret::Secret;
use crate::section::{MILLISECOND, SECOND, Section};

/// Who removes points that no window reaches any more from a Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrimMode {
    /// Skyline's Horizon where one is alive, else the ingest.
    Auto,
    /// The ingest.
    On,
    /// Somebody else.
    Off,
}

choice!(TrimMode { "auto" => Auto, "on" => On, "off" => Off });

/// Our own metrics, and the original's: what they say about themselves must not be judged and said again.
const SKIP: [&str; 5] = [
    // As we send them to Graphite, and as a Prometheus that scrapes us sends them back.
    "/^skywatch[._]/",
    "skyline.analyzer.",
    "skyline.boundary.",
    "skyline.ionosphere.",
    "skyline.mirage.",
];

/// Those of them that are worth watching.
const DO_NOT_SKIP: [&str; 4] = [
    "analyzer.run_time",
    "analyzer.total_analyzed",
    "analyzer.total_anomalies",
    "ingest.received",
];

/// Patterns that are known to be right.
fn patterns(written: &[&str]) -> Vec<Pattern> {
    written
        .iter()
        .filter_map(|written| Pattern::parse(written).ok())
        .collect()
}

fn loopback(port: u16) -> Option<SocketAddr> {
    Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

options! {
    /// How points come in, and how many may wait.
    pub Ingest {
        /// Whether `skywatch run` starts the ingest child.
        enabled: bool = true,
        /// Where carbon plaintext lines are taken over TCP; `None` is off.
        carbon_listen: Option<SocketAddr> = loopback(2023),
        /// Where carbon plaintext lines are taken as UDP datagrams; `None` is off.
        carbon_udp_listen: Option<SocketAddr> = None,
        /// Where frames of pickled points are taken over TCP, as carbon's relay sends them; `None` is off.
        pickle_listen: Option<SocketAddr> = None,
        /// Where points as msgpack datagrams are taken, as Skyline's own clients send them; `None` is off.
        msgpack_listen: Option<SocketAddr> = None,
        /// Where Prometheus' remote write is taken, under `/api/v1/write`; `None` is off.
        remote_write_listen: Option<SocketAddr> = None,
        /// Who has it may write there: as a bearer token, or as a password. Filled from `remote_write_token_file` when that is
        /// set. Several, as while one is replaced, have blanks between them.
        remote_write_token: Option<Secret> = None,
        /// A file with the token.
        remote_write_token_file: Option<PathBuf> = None,
        /// The certificate (PEM) with those of its issuers behind it; with it remote writes are taken over TLS only.
        remote_write_tls_cert_file: Option<PathBuf> = None,
        /// The certificate's key (PEM).
        remote_write_tls_key_file: Option<PathBuf> = None,
        /// Says a second time that points are taken, without a login, from whoever reaches a listener.
        insecure_listen: bool = false,
        /// Points written to the store at once, at most.
        batch_points: usize = 10_000 => 1..,
        /// How long a point waits for its batch to fill, at most one second.
        flush_interval: Duration = Duration::from_millis(500) => MILLISECOND..=SECOND,
        /// Points that may wait for the store; beyond that readers stop reading.
        queue_points: usize = 500_000,
        /// Bytes that may wait for the store, in the same way.
        queue_bytes: usize = 134_217_728 => 1 << 20..,
        /// A connection that sends nothing for so long is closed.
        idle_timeout: Duration = Duration::from_secs(300) => SECOND..,
        /// Connections open at once, over all listeners.
        max_connections: usize = 2_000 => 1..,
        /// The longest metric name taken, in bytes.
        max_name_bytes: usize = 4_096 => 1..=65_535,
        /// The longest frame of pickled points taken, in bytes.
        max_frame_bytes: usize = 1_048_576 => 1_024..=64 << 20,
        /// The largest remote write taken, in bytes, before and after decompression.
        max_request_bytes: usize = 16_777_216 => 1_024..=256 << 20,
        /// Points older than this are dropped; `None` is `store.full_duration`.
        max_age: Option<Duration> = None,
        /// Points further ahead of the clock than this are dropped.
        max_future: Duration = Duration::from_secs(600),
        /// Metrics that are not taken.
        skip: Vec<Pattern> = patterns(&SKIP),
        /// Metrics that are taken though `skip` picks them.
        do_not_skip: Vec<Pattern> = patterns(&DO_NOT_SKIP),
        /// Distinct metrics taken; points of further ones are dropped.
        max_metrics: usize = 1_000_000 => 1..,
        /// Who removes points that no window reaches any more from a Redis.
        trim: TrimMode = TrimMode::Auto,
    }
}

impl Ingest {
    /// Every listener under its key.
    pub fn listeners(&self) -> [(&'static str, Option<SocketAddr>); 5] {
        [
            ("ingest.carbon_listen", self.carbon_listen),
            ("ingest.carbon_udp_listen", self.carbon_udp_listen),
            ("ingest.pickle_listen", self.pickle_listen),
            ("ingest.msgpack_listen", self.msgpack_listen),
            ("ingest.remote_write_listen", self.remote_write_listen),
        ]
    }
}

impl Section for Ingest {
    fn check(&self, check: &mut Check<'_>) {
        for (key, address) in self.listeners() {
            if let (true, Some(address)) = (self.enabled, address) {
                let has_login = key == "ingest.remote_write_listen" && self.remote_write_token.is_some();
                check.listens(
                    key.trim_start_matches("ingest."),
                    address,
                    self.insecure_listen || has_login,
                    "a login",
                    if key == "ingest.remote_write_listen" {
                        "set `ingest.remote_write_token_file`, listen on `127.0.0.1` behind a proxy that asks for a login"
                    } else {
                        "listen on `127.0.0.1` behind a relay or a firewall"
                    },
                );
            }
        }
        check.certificate(
            ["remote_write_tls_cert_file", "remote_write_tls_key_file"],
            [
                self.remote_write_tls_cert_file.is_some(),
                self.remote_write_tls_key_file.is_some(),
            ],
        );
        if self.queue_points < self.batch_points {
            check.conflict(
                &["queue_points", "batch_points"],
                format!(
                    "`ingest.queue_points` is `{}`, less than `ingest.batch_points` with `{}`,",
                    self.queue_points, self.batch_points
                ),
                "a queue must hold at least one batch",
            );
        }
    }
}
