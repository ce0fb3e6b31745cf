//! From settings to the options of each room.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use skywatch_alerters::host;
use skywatch_settings::{Flavour, RedisUrl, Settings, Store, StoreUrl, TrimMode};

use super::ProcessError;
use crate::analyzer::SnapshotOptions;
use crate::cluster::{
    Coordinator, LeaseCoordinator, LeaseTerms, LocalCoordinator, RedisLeases, RedisSnapshots, node_name,
};
use crate::dispatch::SharedDispatchOptions;
use crate::dispatch::running;
use crate::files;
use crate::health::HealthError;
use crate::ingest::{IngestError, IngestOptions, IntakePolicy, TrimOptions};
#[cfg(feature = "learned")]
use crate::models::{Bucket, Folder, ModelRegistry};
use crate::net::access::ListenerAccess;
use crate::net::carbon_out::CarbonOut;
use crate::net::listeners::{self, Service};
use crate::net::tls::{HTTP_1, HTTP_2};
use crate::observer::Observer;
#[cfg(feature = "learned")]
use crate::outliers::OutliersError;
use crate::store::AnyConnect;
use crate::store::embedded::{EmbeddedConnect, EmbeddedOptions};
use crate::store::redis::{RedisConnect, RedisOptions, SentinelOptions};
use crate::traces::{TracesError, TracesOptions, archive_path};

/// Makes the state folder, and proves that it can be written.
pub(crate) fn prepare_state_dir(path: &Path) -> Result<(), ProcessError> {
    files::folder(&path.join("status")).map_err(|source| state_dir_error(path, source))
}

pub(super) fn state_dir_error(path: &Path, source: std::io::Error) -> ProcessError {
    ProcessError::StateDir {
        path: path.to_owned(),
        source,
    }
}

/// The embedded store, opened.
pub(crate) fn embedded(settings: &Settings) -> Result<EmbeddedConnect, ProcessError> {
    Ok(EmbeddedConnect::open(&EmbeddedOptions::new(
        settings.state_dir.join("store"),
    ))?)
}

/// The way to the Redis at `url`; nothing is connected yet.
pub(crate) fn redis(url: &RedisUrl, settings: &Settings) -> Result<RedisConnect, ProcessError> {
    let store = &settings.store;
    let options = RedisOptions {
        url: url.expose().to_owned(),
        username: store.username.clone(),
        password: store.password.as_ref().map(|secret| secret.expose().to_owned()),
        sentinels: sentinels(store),
        cluster: store.cluster.clone(),
        namespace: store.namespace.clone(),
        connect_timeout: store.connect_timeout,
        response_timeout: store.response_timeout,
        tls_ca_file: store.tls_ca_file.clone(),
        ..RedisOptions::default()
    };
    Ok(RedisConnect::new(options)?)
}

fn sentinels(store: &Store) -> Option<SentinelOptions> {
    let addresses = store.sentinels.iter();
    let addresses: Vec<_> = addresses.map(|one| (one.host.clone(), one.port)).collect();
    (!addresses.is_empty()).then(|| SentinelOptions {
        addresses,
        primary: store.sentinel_primary.clone(),
        username: store.sentinel_username.clone(),
        password: store
            .sentinel_password
            .as_ref()
            .map(|secret| secret.expose().to_owned()),
    })
}

/// The store that settings name. A Redis is not connected yet.
pub(crate) fn store(settings: &Settings) -> Result<AnyConnect, ProcessError> {
    Ok(match &settings.store.url {
        StoreUrl::Embedded => AnyConnect::Embedded(embedded(settings)?),
        StoreUrl::Redis(url) => AnyConnect::Redis(redis(url, settings)?),
    })
}

/// The Redis whose metrics are shared with other nodes, if they are.
fn shared_redis<'s>(settings: &Settings, store: &'s AnyConnect) -> Option<&'s RedisConnect> {
    match store {
        AnyConnect::Redis(connect) if settings.cluster.enabled => Some(connect),
        _ => None,
    }
}

/// Who says which metrics are this node's.
pub(crate) fn coordinator(
    settings: &Settings,
    store: &AnyConnect,
) -> Result<Arc<dyn Coordinator>, ProcessError> {
    let state_dir = &settings.state_dir;
    let node = node_name(state_dir, &host::name()).map_err(|source| state_dir_error(state_dir, source))?;
    let Some(connect) = shared_redis(settings, store) else {
        return Ok(Arc::new(LocalCoordinator::new(&node)));
    };
    let terms = LeaseTerms {
        ttl: settings.cluster.lease,
    };
    // An answer later than the next heartbeat is of no use.
    let leases = RedisLeases::new(connect, &settings.store.namespace, terms.renew_each());
    let coordinator = LeaseCoordinator::start(Box::new(leases), &node, terms);
    coordinator
        .map(|coordinator| Arc::new(coordinator) as Arc<dyn Coordinator>)
        .map_err(|source| ProcessError::Start {
            what: "the thread that keeps this node's leases",
            source,
        })
}

/// How the dispatch is shared with other nodes, if there may be any.
pub(crate) fn shared_dispatch(
    settings: &Settings,
    store: &AnyConnect,
) -> Result<Option<SharedDispatchOptions>, ProcessError> {
    let Some(connect) = shared_redis(settings, store) else {
        return Ok(None);
    };
    let state_dir = &settings.state_dir;
    let node = node_name(state_dir, &host::name()).map_err(|source| state_dir_error(state_dir, source))?;
    Ok(Some(SharedDispatchOptions {
        connect: connect.clone(),
        namespace: settings.store.namespace.clone(),
        node,
        terms: LeaseTerms {
            ttl: settings.cluster.lease,
        },
    }))
}

/// How what was learnt goes from node to node, if there may be others.
pub(crate) fn snapshots(settings: &Settings, store: &AnyConnect) -> Option<SnapshotOptions> {
    let (connect, namespace) = (
        shared_redis(settings, store)?.clone(),
        settings.store.namespace.clone(),
    );
    let limit = settings.store.response_timeout;
    Some(SnapshotOptions {
        open: Box::new(move || Box::new(RedisSnapshots::new(&connect, &namespace, limit))),
        // What has come since the last one must be in the store.
        each: settings
            .cluster
            .snapshot_each
            .min(settings.store.full_duration / 2),
    })
}

/// What the ingest lets in.
pub(crate) fn ingest_policy(settings: &Settings) -> IntakePolicy {
    IntakePolicy {
        settings: settings.ingest.clone(),
        max_age: settings.ingest.max_age.unwrap_or(settings.store.full_duration),
    }
}

/// Who may send remote writes, and whether others can read on the way.
pub(crate) fn remote_write_access(settings: &Settings) -> Result<ListenerAccess, IngestError> {
    let ingest = &settings.ingest;
    let files = [
        ingest.remote_write_tls_cert_file.as_ref(),
        ingest.remote_write_tls_key_file.as_ref(),
    ];
    Ok(ListenerAccess::new(
        ingest.remote_write_token.as_ref(),
        files,
        &[HTTP_1],
    )?)
}

/// Who may use the health plane, and whether others can read on the way.
pub(crate) fn health_access(settings: &Settings) -> Result<ListenerAccess, HealthError> {
    let health = &settings.health;
    let files = [health.tls_cert_file.as_ref(), health.tls_key_file.as_ref()];
    Ok(ListenerAccess::new(health.token.as_ref(), files, &[HTTP_2])?)
}

pub(crate) fn ingest_options(settings: &Settings, observer: &Observer) -> Result<IngestOptions, IngestError> {
    let trim = settings.ingest.trim;
    Ok(IngestOptions {
        remote_write: remote_write_access(settings)?,
        listeners: listeners::declared(settings)
            .filter(|listener| listener.service.takes_points)
            .collect(),
        policy: ingest_policy(settings),
        grace: grace(settings),
        observer: observer.clone(),
        watch_sources: settings.health.sources,
        trim: (trim != TrimMode::Off).then_some(TrimOptions {
            full_duration: settings.store.full_duration,
            grace: settings.store.grace,
            yields_to_horizon: trim == TrimMode::Auto,
        }),
    })
}

/// Who may send traces, and whether others can read on the way.
pub(crate) fn traces_access(settings: &Settings) -> Result<ListenerAccess, TracesError> {
    let traces = &settings.traces;
    let files = [traces.tls_cert_file.as_ref(), traces.tls_key_file.as_ref()];
    Ok(ListenerAccess::new(
        traces.token.as_ref(),
        files,
        &[HTTP_2, HTTP_1],
    )?)
}

/// Who may ask for outliers, and whether others can read on the way.
#[cfg(feature = "learned")]
pub(crate) fn outliers_access(settings: &Settings) -> Result<ListenerAccess, OutliersError> {
    let outliers = &settings.outliers;
    let files = [outliers.tls_cert_file.as_ref(), outliers.tls_key_file.as_ref()];
    Ok(ListenerAccess::new(outliers.token.as_ref(), files, &[HTTP_1])?)
}

/// How traces are taken in and kept.
pub(crate) fn traces_options(settings: &Settings) -> Result<TracesOptions, TracesError> {
    let own = [Service::OTLP_GRPC, Service::OTLP_HTTP, Service::ZIPKIN];
    Ok(TracesOptions {
        settings: settings.traces.clone(),
        listeners: listeners::declared(settings)
            .filter(|listener| own.contains(&listener.service))
            .collect(),
        access: traces_access(settings)?,
        archive: archive_path(&settings.state_dir),
        learnt: settings.state_dir.join("traces.learnt"),
        operations: settings.state_dir.join("traces.operations"),
    })
}

/// Etsy's analyzer judged counters as they stand.
pub(crate) fn counters_as_rates(settings: &Settings) -> bool {
    settings.analyzer.counters_as_rates && settings.analyzer.flavour == Flavour::Earthgecko
}

/// Worker threads: as set, or one a core.
pub(crate) fn workers(settings: &Settings) -> usize {
    match settings.analyzer.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    }
}

/// What a command begins with that is to reach the process over this state folder. A folder whose name cannot be printed on
/// a line is not named: the command then finds the process by itself, as long as it is the only one.
pub(crate) fn command(settings: &Settings) -> String {
    let usual = Settings::default().state_dir;
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let usual = usual
        .strip_prefix("~")
        .map_or(usual.clone(), |rest| home.join(rest));
    let folder = running::whole(&settings.state_dir);
    let bare = "skywatch".to_owned();
    match folder.to_str() {
        _ if folder == running::whole(&usual) => bare,
        Some(plain)
            if plain
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "/._-+@:=,".contains(c)) =>
        {
            format!("{bare} --state-dir {plain}")
        }
        Some(odd) if !odd.chars().any(|c| c.is_control() || c == '`' || c == '\'') => {
            format!("{bare} --state-dir '{odd}'")
        }
        _ => bare,
    }
}

/// What self-metrics of `role` begin with: the configured prefix with `{host}` filled in.
pub(crate) fn prefix(settings: &Settings, role: &str) -> String {
    let host = host::name().replace('.', "_");
    format!("{}.{role}", settings.graphite.prefix.replace("{host}", &host))
}

/// Where self-metrics go, if anywhere.
pub(crate) fn graphite(settings: &Settings, observer: &Observer) -> Result<Option<CarbonOut>, ProcessError> {
    let Some(address) = &settings.graphite.address else {
        return Ok(None);
    };
    let pushes = observer.metric(&format!("graphite:{address}"), "push");
    CarbonOut::start(address.to_string(), settings.graphite.timeout, pushes)
        .map(Some)
        .map_err(|source| ProcessError::Start {
            what: "the Graphite connection",
            source,
        })
}

/// The place of models that settings name.
#[cfg(feature = "learned")]
pub(crate) fn registry(settings: &Settings) -> Result<ModelRegistry, ProcessError> {
    Ok(match settings.models.place {
        None => ModelRegistry::new(Folder::new(settings.state_dir.join("models"))),
        Some(_) => ModelRegistry::new(Bucket::new(&settings.models)?),
    })
}

/// Time after stop in which the outside may still come back; the rest of the time to stop is for the last reads and
/// everything else.
pub(crate) fn grace(settings: &Settings) -> Duration {
    settings.process.stop_timeout * 3 / 5
}

/// Seconds after the last pass from which pages say that none comes: two paces and a deadline, at least five minutes.
pub(crate) fn quiet_after(settings: &Settings) -> f64 {
    let analyzer = &settings.analyzer;
    let late = analyzer.optimum_run_duration * 2 + analyzer.pass_deadline;
    late.max(Duration::from_secs(300)).as_secs_f64()
}

/// Public address of the pages without a slash at the end; empty for none.
pub(crate) fn base_url(settings: &Settings) -> String {
    let url = settings.alerts.base_url.as_ref();
    url.map(|url| url.as_str().to_owned()).unwrap_or_default()
}
