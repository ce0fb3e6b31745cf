//! Serving a plane until it is told to stop.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::dial::DialError;
use super::figures::FigureSinks;
use super::findings::{self, PlaneFindings};
use super::journal::JournalError;
use super::local::LocalClients;
use super::server::{HealthServer, ServerOptions};
use crate::net::TimeLimits;
use crate::net::access::ListenerAccess;
use crate::net::http::{self, ConnectionLog, HttpListener};
use crate::net::listeners::ListenError;
use crate::net::slots::{self, ConnectionSlots};
use crate::net::tls::TlsError;
use crate::stop::Stop;

/// The setting that bounds them.
const CONNECTIONS: &str = "health.max_connections";
/// Its part of the descriptors that may be connections.
const CONNECTIONS_SHARE: f64 = 0.25;
/// Clients keep a connection open between reports, and a watch sends a sign of life each minute.
const TIME_LIMITS: TimeLimits = TimeLimits {
    silence: Duration::from_secs(900),
    request: Duration::from_secs(900),
    reading_is_work: false,
};
/// How long calls under way may take once it is to stop.
const END: Duration = Duration::from_secs(2);
/// Threads that work on calls: they wait for the disk and not for each other.
const WORKERS: usize = 2;

/// Why the plane is not served.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The address is taken or not ours.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// What is kept cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The certificate or its key.
    #[error(
        "{0}\nhint: `health.tls_cert_file` is the certificate with those of its issuers, `health.tls_key_file` its key, both PEM"
    )]
    Tls(#[from] TlsError),
    /// The way to peers.
    #[error("{0}\nhint: `health.peer_ca_file` and `health.peer_token_file` say how peers are reached")]
    Peers(#[from] DialError),
    /// The system refuses.
    #[error("cannot serve the health plane: {0}")]
    Start(#[source] std::io::Error),
}

/// What is served, to whom.
pub struct ServeOptions {
    /// The plane.
    pub server: ServerOptions,
    /// Who may come to the address.
    pub access: ListenerAccess,
    /// Connections open at once.
    pub max_connections: usize,
    /// The state folder, if processes of this user are served there.
    pub state_dir: Option<PathBuf>,
    /// Where what it finds wrong is handed over, if anybody wants it.
    pub findings: Option<PlaneFindings>,
    /// Where figures go, if anywhere.
    pub figures: Option<FigureSinks>,
}

/// Serves at a bound address until `stop` is said, and in the state folder if there is one, for processes of this user; blocks.
/// What was answered is kept by then.
///
/// # Errors
/// When the file or the system says no.
pub fn serve(listener: TcpListener, options: ServeOptions, stop: &Stop) -> Result<(), HealthError> {
    let access = options.access;
    listener.set_nonblocking(true).map_err(HealthError::Start)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("health")
        .enable_all()
        .build()
        .map_err(HealthError::Start)?;
    let stopped = stop.clone();
    let outcome = runtime.block_on(async {
        let clients = HttpListener {
            listener: tokio::net::TcpListener::from_std(listener).map_err(HealthError::Start)?,
            tls: access.tls,
            slots: ConnectionSlots::new(slots::affordable(
                options.max_connections,
                CONNECTIONS_SHARE,
                CONNECTIONS,
            )),
            limits: TIME_LIMITS,
            events: ConnectionLog {
                name: "health",
                setting: CONNECTIONS,
            },
        };
        let server = HealthServer::start(options.server)?;
        let reporting = options.figures.map(|figures| {
            let (server, stop) = (Arc::clone(&server), stop.clone());
            let thread = std::thread::Builder::new().name("health-figures".to_owned());
            thread.spawn(move || figures.run(&server, &stop))
        });
        let reporting = reporting.transpose().map_err(HealthError::Start)?;
        let over = async {
            // It ends with the stop, or with the runtime.
            let _ = tokio::task::spawn_blocking(move || stopped.wait()).await;
        };
        match options.state_dir.as_deref().map(LocalClients::listen).transpose() {
            // It ends with the runtime: who is local has no other to go to meanwhile.
            Ok(local) => drop(local.map(|local| {
                // Whoever may open it is this user, and needs no token.
                let app = server.routes(None);
                tokio::spawn(async move { axum::serve(local, app).await })
            })),
            Err(error) => tracing::error!("health :: Skywatch's own observers cannot report :: {error}"),
        }
        if let Some(findings) = options.findings {
            tokio::spawn(findings::hand_over(Arc::clone(&server), findings));
        }
        http::serve(clients, server.routes(access.tokens), over, END).await;
        Ok::<_, HealthError>(reporting)
    });
    runtime.shutdown_timeout(END);
    if let Some(reporting) = outcome? {
        // It ends with the stop.
        let _ = reporting.join();
    }
    Ok(())
}
