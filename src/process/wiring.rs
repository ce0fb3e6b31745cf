//! From settings to the options of each room.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use skywatch_alerters::host;
use skywatch_alerters::render::Templates;
use skywatch_alerters::senders::{EmailOptions, Security, SyslogOptions, SyslogSender, SyslogTarget};
use skywatch_algorithms as algorithms;
use skywatch_settings::{EmailSecurity, Flavour, Profile, RedisUrl, Settings, SyslogReceiver, TrimMode};

use super::ProcessError;
use crate::analyzer::Knowledge;
use crate::analyzer::adaptive::{AdaptiveOptions, Learned};
use crate::analyzer::rule::Rule;
use crate::baseline::{Baseline, States};
use crate::dispatch::running;
use crate::files;
use crate::ingest::{IngestOptions, Policy, TrimOptions};
use crate::net::listeners::{self, Service};
use crate::stop::Stop;
use crate::store::embedded::{EmbeddedConnect, EmbeddedOptions};
use crate::store::redis::{RedisConnect, RedisOptions};
use crate::web::WebOptions;

/// Seconds in which the states of all metrics are saved once …
const SAVE_EACH: f64 = 300.0;
/// … a part each pass, in so many parts at most.
const MOST_PARTS: f64 = 16.0;

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
        namespace: store.namespace.clone(),
        connect_timeout: store.connect_timeout,
        response_timeout: store.response_timeout,
        tls_ca_file: store.tls_ca_file.clone(),
        ..RedisOptions::default()
    };
    Ok(RedisConnect::new(options)?)
}

/// What the ingest lets in.
pub(crate) fn ingest_policy(settings: &Settings) -> Policy {
    let ingest = &settings.ingest;
    Policy {
        max_age: ingest.max_age.unwrap_or(settings.store.full_duration),
        max_future: ingest.max_future,
        skip: ingest.skip.clone(),
        do_not_skip: ingest.do_not_skip.clone(),
        max_metrics: ingest.max_metrics,
        max_name_bytes: ingest.max_name_bytes,
    }
}

pub(crate) fn ingest_options(settings: &Settings) -> IngestOptions {
    let ingest = &settings.ingest;
    IngestOptions {
        listeners: listeners::declared(settings)
            .into_iter()
            .filter(|listener| Service::OF_POINTS.contains(&listener.service))
            .collect(),
        policy: ingest_policy(settings),
        batch_points: ingest.batch_points,
        flush_interval: ingest.flush_interval,
        queue_points: ingest.queue_points,
        queue_bytes: ingest.queue_bytes,
        idle_timeout: ingest.idle_timeout,
        max_connections: ingest.max_connections,
        max_frame_bytes: ingest.max_frame_bytes,
        max_request_bytes: ingest.max_request_bytes,
        grace: grace(settings),
        trim: (ingest.trim != TrimMode::Off).then_some(TrimOptions {
            full_duration: settings.store.full_duration,
            grace: settings.store.grace,
            yields_to_horizon: ingest.trim == TrimMode::Auto,
        }),
    }
}

/// How pages are served.
pub(crate) fn web_options(settings: &Settings) -> WebOptions {
    WebOptions {
        full_duration: settings.store.full_duration.as_secs_f64(),
        max_connections: settings.web.max_connections,
        hosts: settings.web.hosts.clone(),
        base_url: settings.alerts.base_url.clone().unwrap_or_default(),
    }
}

pub(crate) fn rules(settings: &Settings) -> algorithms::Rules {
    let analyzer = &settings.analyzer;
    algorithms::Rules {
        flavour: match analyzer.flavour {
            Flavour::Earthgecko => algorithms::Flavour::Earthgecko,
            Flavour::Etsy => algorithms::Flavour::Etsy,
        },
        full_duration: settings.store.full_duration.as_secs_f64(),
        stale_period: analyzer.stale_period.as_secs_f64(),
        min_length: analyzer.min_length(),
        boredom_window: analyzer.max_tolerable_boredom,
        boredom_set_size: analyzer.boredom_set_size,
        consensus: analyzer.consensus,
    }
}

/// The adaptive profile, if it is the one asked for: its rules, and what it remembers in the state folder.
pub(crate) fn adaptive(settings: &Settings, stop: &Stop) -> Result<Option<AdaptiveOptions>, ProcessError> {
    if settings.analyzer.profile != Profile::Adaptive {
        return Ok(None);
    }
    let (memory, states) = (memory_folder(settings), states_folder(settings));
    let unusable = |path: &Path, source| ProcessError::StateDir {
        path: path.to_owned(),
        source,
    };
    let hours = Baseline::open(&memory).map_err(|source| unusable(&memory, source))?;
    let kept = Arc::new(States::open(&states).map_err(|source| unusable(&states, source))?);
    let found = kept.counts();
    if found.states > 0 {
        tracing::info!("states of {} metrics taken up", found.states);
    }
    if found.damaged + found.other_versions > 0 {
        tracing::warn!(
            "states in `{}` are learnt anew from windows and hours :: {} damaged, {} files of another version",
            states.display(),
            found.damaged,
            found.other_versions
        );
    }
    let pace = settings.analyzer.optimum_run_duration.as_secs_f64();
    let parts = (SAVE_EACH / pace).clamp(1.0, MOST_PARTS) as usize;
    let saver = kept
        .saver(parts * workers(settings))
        .map_err(|source| unusable(&states, source))?;
    Ok(Some(AdaptiveOptions {
        rules: adaptive_rules(settings),
        memory: hours,
        states: kept,
        saver,
        parts,
        learned: learned_for_passes(settings, stop)?,
    }))
}

#[cfg(feature = "learned")]
fn learned_for_passes(settings: &Settings, stop: &Stop) -> Result<Option<Learned>, ProcessError> {
    super::voting::for_passes(settings, stop)
}

#[cfg(not(feature = "learned"))]
fn learned_for_passes(settings: &Settings, _: &Stop) -> Result<Option<Learned>, ProcessError> {
    if settings.adaptive.learned {
        tracing::warn!(
            "`adaptive.learned` has no effect :: this Skywatch was built without learned detectors"
        );
    }
    Ok(None)
}

#[cfg(feature = "learned")]
fn learned_for_questions(settings: &Settings) -> Option<Learned> {
    super::voting::for_questions(settings).unwrap_or_else(|error| {
        tracing::warn!("people are told nothing of the learned vote :: {error}");
        None
    })
}

#[cfg(not(feature = "learned"))]
fn learned_for_questions(_: &Settings) -> Option<Learned> {
    None
}

/// What the adaptive profile calls anomalous: what is said of some metrics, and then what holds for all.
pub(crate) fn adaptive_rules(settings: &Settings) -> Vec<Rule> {
    let all = &settings.adaptive;
    let some = all.overrides.iter().map(|one| Rule {
        metrics: Some(one.metrics.clone()),
        sensitivity: one.sensitivity.unwrap_or(all.sensitivity) as f32,
        direction: one.direction.unwrap_or(all.direction),
        min_relative_change: one.min_relative_change.unwrap_or(all.min_relative_change),
        min_absolute_change: one.min_absolute_change.unwrap_or(all.min_absolute_change),
        rest: one.rest.unwrap_or(all.rest).as_secs_f64(),
    });
    let rest = Rule {
        metrics: None,
        sensitivity: all.sensitivity as f32,
        direction: all.direction,
        min_relative_change: all.min_relative_change,
        min_absolute_change: all.min_absolute_change,
        rest: all.rest.as_secs_f64(),
    };
    some.chain([rest]).collect()
}

/// What people are told the adaptive profile knows, if it is the one asked for.
pub(crate) fn knowledge(settings: &Settings) -> Option<Knowledge> {
    long_memory(settings).map(|memory| Knowledge {
        memory,
        states: states_folder(settings),
        rules: adaptive_rules(settings),
        learned: learned_for_questions(settings),
    })
}

/// Where the hours of all metrics are kept, if the profile remembers any.
pub(crate) fn long_memory(settings: &Settings) -> Option<PathBuf> {
    (settings.analyzer.profile == Profile::Adaptive).then(|| memory_folder(settings))
}

/// Where the hours of all metrics are kept.
pub(crate) fn memory_folder(settings: &Settings) -> PathBuf {
    settings.state_dir.join("memory")
}

/// Where the adaptive profile's states are kept.
pub(crate) fn states_folder(settings: &Settings) -> PathBuf {
    settings.state_dir.join("states")
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

/// The mail server, and who writes to whom over it.
pub(crate) fn email(settings: &Settings, from: String, to: Vec<String>, timeout: Duration) -> EmailOptions {
    let email = &settings.email;
    EmailOptions {
        host: email.server.clone().unwrap_or_default(),
        port: email.port,
        security: match email.security {
            EmailSecurity::None => Security::Plain,
            EmailSecurity::StartTls => Security::StartTls,
            EmailSecurity::Tls => Security::Tls,
        },
        username: email.username.clone(),
        password: email.password.clone(),
        from,
        to,
        timeout,
        ca_file: email.ca_file.clone(),
    }
}

/// A syslog, in the words of these templates.
pub(crate) fn syslog(
    syslog: SyslogReceiver,
    timeout: Duration,
    templates: Arc<Templates>,
) -> Result<SyslogSender, skywatch_alerters::Error> {
    let options = SyslogOptions {
        target: match syslog.target {
            skywatch_settings::SyslogTarget::Local => SyslogTarget::Local("/dev/log".into()),
            skywatch_settings::SyslogTarget::Unix(path) => SyslogTarget::Local(path),
            skywatch_settings::SyslogTarget::Udp(address) => SyslogTarget::Udp(address.to_string()),
            skywatch_settings::SyslogTarget::Tcp(address) => SyslogTarget::Tcp(address.to_string()),
        },
        facility: syslog.facility.as_str().parse()?,
        app_name: syslog.app,
        timeout,
        ..SyslogOptions::default()
    };
    SyslogSender::new(options, templates)
}
