//! Taking traces in, judging them, keeping some.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::check::Check;
use crate::secret::Secret;
use crate::section::{SECOND, Section};

options! {
    /// Traces: spans come in, are put together, judged, and some are kept.
    pub Traces {
        /// Whether `skywatch run` takes traces in.
        enabled: bool = false,
        /// OTLP over gRPC; only this machine's own addresses unless there is a token or `insecure_listen` is set as well.
        otlp_grpc_listen: Option<SocketAddr> = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 4317))),
        /// OTLP over HTTP, and Jaeger's JSON and JSON lines under paths of their own.
        otlp_http_listen: Option<SocketAddr> = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 4318))),
        /// Zipkin's JSON.
        zipkin_listen: Option<SocketAddr> = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9411))),
        /// Says a second time that whoever reaches these addresses may send spans.
        insecure_listen: bool = false,
        /// Who has it may send, as a bearer token. Filled from `token_file` when that is set.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// The certificate (PEM) with those of its issuers behind it; with it all three speak TLS only.
        tls_cert_file: Option<PathBuf> = None,
        /// The certificate's key (PEM).
        tls_key_file: Option<PathBuf> = None,
        /// Connections open at once, over all three.
        max_connections: usize = 256 => 1..,
        /// Largest request, bytes, also after it is unpacked.
        max_request_bytes: usize = 16_777_216 => 65_536..,
        /// Attributes of a resource that become tags of the metrics that come over OTLP.
        metric_labels: Vec<String> = ["service.name", "service.namespace", "service.instance.id"].map(str::to_owned).to_vec(),
        /// A trace without a new span for so long is complete.
        quiet: Duration = Duration::from_secs(10) => SECOND..,
        /// A trace is complete after so long even if spans still come.
        longest: Duration = Duration::from_secs(120) => SECOND..,
        /// How often rates become points, and kinds of requests are held against what is usual.
        report_each: Duration = Duration::from_secs(60) => SECOND..,
        /// Spans of one trace; further ones are dropped.
        max_spans: usize = 20_000 => 1..,
        /// Traces that are not complete yet; beyond that senders are asked to come again.
        max_open: usize = 50_000 => 1..,
        /// Bytes of memory for them.
        max_bytes: usize = 268_435_456 => 1_048_576..,
        /// Share of the traces that are not anomalous which is kept, by their ids, 0 to 1.
        keep_normal: f64 = 0.01 => 0.0..=1.0,
        /// How long traces are kept on disk.
        keep: Duration = Duration::from_secs(7 * 86_400) => SECOND..,
        /// Bytes of traces kept on disk.
        keep_bytes: usize = 1_073_741_824 => 1_048_576..,
        /// Services whose rates, errors and latencies become metrics; 0 for none.
        max_services: usize = 500,
        /// Pairs of services, caller and called, of which the same is done; 0 for none.
        max_edges: usize = 2_000,
        /// Operations whose rate becomes a metric, over all services; 0 for none.
        max_operations: usize = 1_000,
    }
}

impl Section for Traces {
    fn check(&self, check: &mut Check<'_>) {
        let listens = [
            ("otlp_grpc_listen", self.otlp_grpc_listen),
            ("otlp_http_listen", self.otlp_http_listen),
            ("zipkin_listen", self.zipkin_listen),
        ];
        for (option, address) in listens {
            if let Some(address) = address.filter(|_| self.enabled) {
                check.listens(
                    option,
                    address,
                    self.insecure_listen || self.token.is_some(),
                    "a token",
                    "set `traces.token_file`, listen on `127.0.0.1`",
                );
            }
        }
        check.certificate(
            ["tls_cert_file", "tls_key_file"],
            [self.tls_cert_file.is_some(), self.tls_key_file.is_some()],
        );
        if self.longest < self.quiet {
            check.conflict(
                &["longest", "quiet"],
                "`traces.longest` is shorter than `traces.quiet`".to_owned(),
                "no trace is given up before it is complete",
            );
        }
    }
}
