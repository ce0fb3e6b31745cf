//! The pages: what is wrong now, why, and why it may be quiet; and what programs ask of them.
//!
//! Rendered on the server, working without JavaScript and a little better with ours. State comes from the status files the other
//! processes write, windows from the store; this process owns nothing. A group of pages is a file with its `routes`, and a
//! line in [`routes`].

mod actions;
mod api;
mod assets;
mod charts;
mod commands;
mod describe;
mod detectors;
mod entities;
mod error;
mod events;
mod figure_families;
mod figures;
mod find;
mod health;
mod history;
mod incidents;
mod metric;
#[cfg(feature = "learned")]
mod models;
mod names;
mod now;
mod pages;
mod reader;
mod rule_query;
mod rule_trials;
mod settings_page;
mod settings_table;
mod shared_page;
mod silences;
mod site;
mod status_page;
mod traces;
mod try_page;
mod waterfall;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use skywatch_settings::{Adaptive, Settings};

use crate::live_value::LiveValue;
use crate::net::TimeLimits;
use crate::net::access::ListenerAccess;
use crate::net::guard::Hosts;
use crate::net::http::{self, ConnectionLog, HttpListener};
use crate::net::listeners::Service;
use crate::net::routes::{HttpRoute, ListenerRules, compose};
use crate::net::slots::{self, ConnectionSlots};
use crate::net::throttle::Throttle;
use crate::net::tls::HTTP_1;
use crate::stop::Stop;
use crate::store::AnyConnect;
use site::Site;

pub use error::WebError;
pub use settings_table::{LiveSettingsTable, SettingsTable};

/// Threads that may block: three for pages, one that waits for the end, the others for programs that only ask for the state.
const BLOCKING_THREADS: usize = 12;
/// The setting that bounds how many connections are open.
const CONNECTIONS: &str = "web.max_connections";
/// Their part of the descriptors that may be connections; where everything is one process the ingest has most of them.
const CONNECTIONS_SHARE: f64 = 0.25;
/// Largest body of a request, bytes: nothing is sent to us but questions.
const MAX_BODY: usize = 64 << 10;
/// Pages are asked for in one piece, and the store may take its 30 seconds to answer.
const TIME_LIMITS: TimeLimits = TimeLimits {
    silence: Duration::from_secs(75),
    request: Duration::from_secs(60),
    reading_is_work: false,
};
/// Ports behind a taken one that the demo tries: somebody else's pages are on the first few at most.
const PORTS_NEAR: u16 = 100;

/// A bound but not yet serving web server.
pub struct Web {
    listener: std::net::TcpListener,
    access: ListenerAccess,
}

impl Web {
    /// Reads the certificate, if there is one, and binds the address.
    ///
    /// # Errors
    /// [`WebError::Tls`] and [`WebError::Listen`].
    pub fn bind(settings: &Settings) -> Result<Self, WebError> {
        Ok(Self {
            access: access(settings)?,
            listener: Service::WEB.bind_tcp(settings.web.listen)?,
        })
    }

    /// Binds the address or, if its port is taken, one of the next hundred.
    ///
    /// # Errors
    /// [`WebError::Listen`] of the first address.
    pub fn bind_near(address: SocketAddr) -> Result<Self, WebError> {
        let first = Service::WEB.bind_tcp(address);
        let listener = if first.is_ok() || address.port() == 0 {
            first
        } else {
            (1..=PORTS_NEAR)
                .filter_map(|n| Some(SocketAddr::new(address.ip(), address.port().checked_add(n)?)))
                .find_map(|address| Service::WEB.bind_tcp(address).ok())
                .map_or(first, Ok)
        };
        Ok(Self {
            access: ListenerAccess::default(),
            listener: listener?,
        })
    }

    /// Where it listens, as a browser wants it.
    pub fn url(&self) -> Option<String> {
        let scheme = if self.access.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let address = self.address()?;
        Some(format!("{scheme}://{address}"))
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves until `stop` is said; `shown` are the settings for people, `adaptive` the section as it is in force.
    ///
    /// # Errors
    /// [`WebError::Start`] and [`WebError::Template`].
    pub fn run(
        self,
        store: &AnyConnect,
        settings: &Settings,
        shown: LiveSettingsTable,
        adaptive: LiveValue<Adaptive>,
        stop: &Stop,
    ) -> Result<(), WebError> {
        let web = &settings.web;
        let site = Site::open(store, settings, shown, adaptive)?;
        let base_url = settings.alerts.base_url.as_ref();
        let base_url = base_url.map(|url| url.as_str()).unwrap_or_default();
        self.access.warn_if_readable("web", web.listen, "web.");
        let rules = ListenerRules {
            hosts: Some(Hosts::new(&web.hosts, base_url)),
            tokens: self.access.tokens,
            throttle: throttle(web.requests_per_second),
            max_body: MAX_BODY,
        };
        let app = compose(routes(&site), rules);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("web")
            .enable_all()
            .build()
            .map_err(WebError::Start)?;
        let slots = slots::affordable(web.max_connections, CONNECTIONS_SHARE, CONNECTIONS);
        let stopped = stop.clone();
        runtime
            .block_on(async {
                let clients = HttpListener {
                    listener: tokio::net::TcpListener::from_std(self.listener)?,
                    tls: self.access.tls,
                    slots: ConnectionSlots::new(slots),
                    limits: TIME_LIMITS,
                    events: ConnectionLog {
                        name: "web",
                        setting: CONNECTIONS,
                    },
                };
                let over = async {
                    let _ = tokio::task::spawn_blocking(move || stopped.wait()).await;
                };
                // Open connections are cut: pages hold nothing that could be lost.
                http::serve(clients, app, over, Duration::ZERO).await;
                Ok(())
            })
            .map_err(WebError::Start)?;
        runtime.shutdown_background();
        Ok(())
    }
}

/// How often one address may ask: so many a second, and twice that at once, as a page is several requests.
fn throttle(a_second: usize) -> Option<Throttle> {
    (a_second > 0).then(|| Throttle::new(a_second as f64, 2.0 * a_second as f64))
}

/// All that is served.
fn routes(site: &Arc<Site>) -> impl Iterator<Item = HttpRoute> {
    #[cfg(feature = "learned")]
    let models = models::routes(site);
    #[cfg(not(feature = "learned"))]
    let models: [HttpRoute; 0] = [];
    now::routes(site)
        .into_iter()
        .chain(incidents::routes(site))
        .chain(actions::routes(site))
        .chain(metric::routes(site))
        .chain(find::routes(site))
        .chain(try_page::routes(site))
        .chain(history::routes(site))
        .chain(detectors::routes(site))
        .chain(models)
        .chain(settings_page::routes(site))
        .chain(silences::routes(site))
        .chain(status_page::routes(site))
        .chain(entities::routes(site))
        .chain(traces::routes(site))
        .chain(health::routes(site))
        .chain(events::routes(site))
        .chain(assets::routes())
        .chain(api::routes(site))
}

/// Who may see the pages, and whether others can read on the way.
///
/// # Errors
/// [`WebError::Tls`].
pub(crate) fn access(settings: &Settings) -> Result<ListenerAccess, WebError> {
    let web = &settings.web;
    let files = [web.tls_cert_file.as_ref(), web.tls_key_file.as_ref()];
    let writers = web.token.as_ref();
    Ok(ListenerAccess::new(writers, files, &[HTTP_1])?.with_readers(writers, web.read_token.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_routes_go_together() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings {
            state_dir: folder.path().to_owned(),
            ..Settings::default()
        };
        let options = crate::store::embedded::EmbeddedOptions::new(folder.path().join("store"));
        let store = crate::store::embedded::EmbeddedConnect::open(&options).expect("a store");
        let site = Site::open(
            &AnyConnect::Embedded(store),
            &settings,
            LiveSettingsTable::default(),
            LiveValue::new(settings.adaptive.clone()),
        )
        .expect("a site");
        // Two of the same path and method would panic.
        let _ = compose(routes(&site), ListenerRules::default());
    }
}
