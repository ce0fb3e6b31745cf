//! The outlier service: which points of a Druid timeseries are outliers, asked over HTTP.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::check::Check;
use crate::choice::choice;
use crate::secret::Secret;
use crate::section::{SECOND, Section};

/// Who answers where no model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ShallowDetector {
    /// Distance from the usual on three scales of time.
    #[default]
    Scales,
    /// rb-aioutliers' own: an isolation forest over what its smoother leaves.
    Forest,
}
choice!(ShallowDetector { "scales" => Scales, "forest" => Forest });

options! {
    /// The outlier service: which points of a Druid timeseries are outliers, asked over HTTP.
    pub Outliers {
        /// Whether `skywatch run` serves it; `skywatch serve` does in any case.
        enabled: bool = false,
        /// Where it listens; only this machine's own addresses unless there is a token or `insecure_listen` is set as well.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 39_091)),
        /// Says a second time that whoever reaches `listen` may ask.
        insecure_listen: bool = false,
        /// Who has it may ask, as a bearer token. Filled from `token_file` when that is set.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// The certificate (PEM) with those of its issuers behind it; with it requests are taken over TLS only.
        tls_cert_file: Option<PathBuf> = None,
        /// The certificate's key (PEM).
        tls_key_file: Option<PathBuf> = None,
        /// Connections open at once.
        max_connections: usize = 256 => 1..,
        /// Largest request, bytes.
        max_request_bytes: usize = 16_777_216 => 1_024..,
        /// Points of one request, times columns of one answer of Druid.
        max_points: usize = 100_000 => 32..=10_000_000,
        /// The column whose expected values are told where a request names none.
        metric: String = "bytes".to_owned(),
        /// Who answers where no model does.
        detector: ShallowDetector = ShallowDetector::Scales,
        /// Of the detector `forest`: 1 leaves its limit where `contamination` puts it, 0 finds nothing.
        sensitivity: f64 = 0.95 => 0.0..=1.0,
        /// Of the detector `forest`: the share of points that is taken to be odd.
        contamination: f64 = 0.01 => 0.0..=0.5,
        /// The dimension of a query's filter whose value names the model.
        dimension: String = "sensor_name".to_owned(),
        /// Data sources that queries may name.
        data_sources: Vec<String> = vec!["rb_flow".to_owned(), "rb_monitor".to_owned()],
        /// The longest stretch of time of a query, all its intervals together.
        max_interval: Duration = Duration::from_secs(35 * 86_400) => SECOND..,
        /// A folder with files `NAME.csv`, each a data source `csv:NAME`.
        csv_folder: Option<PathBuf> = None,
        /// Whether the data source `store` is there, whose fields are the metrics of the store.
        store_source: bool = false,
        /// Whether every answer has the status 200, errors too, as those of rb-aioutliers have.
        always_200: bool = false,
        /// Whether the addresses that caused an outlier are answered as a JSON text that holds JSON, as rb-aioutliers does.
        ips_as_text: bool = false,
    }
}

impl Section for Outliers {
    fn check(&self, check: &mut Check<'_>) {
        // Also where it is not enabled, as `skywatch serve` serves it then.
        check.listens(
            "listen",
            self.listen,
            self.insecure_listen || self.token.is_some(),
            "a token",
            "set `outliers.token_file`, listen on `127.0.0.1`",
        );
        check.certificate(
            ["tls_cert_file", "tls_key_file"],
            [self.tls_cert_file.is_some(), self.tls_key_file.is_some()],
        );
    }
}
