//! Takes traces in.

use std::sync::Arc;

use skywatch_alerters::Subject;
use skywatch_settings::Settings;

use super::role::{self, Needs, Role, RoleContext, RunOptions};
use crate::ingest::{EntranceOptions, PointEntrance};
use crate::inlet::Finder;
use crate::net::listeners::Service;
#[cfg(feature = "learned")]
use crate::process::trainer;
use crate::process::{ProcessError, wiring};
use crate::store::{AnyConnect, Sample};
#[cfg(feature = "learned")]
use crate::traces::TeachingPlace;
use crate::traces::{NamedPoint, PointSink, TraceReporter, TraceServer};

/// The role of that name.
#[derive(Debug)]
pub(super) struct TracesRole;

impl Role for TracesRole {
    fn name(&self) -> &'static str {
        "traces"
    }

    fn is_wanted(&self, settings: &Settings) -> bool {
        settings.traces.enabled
    }

    fn finds(&self) -> bool {
        true
    }

    fn observes(&self) -> bool {
        true
    }

    /// For the points that come along, and those that are made of traces.
    fn needs(&self, _: &RunOptions) -> Needs {
        Needs { store: true }
    }

    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError> {
        let (settings, stop) = (context.settings, context.stop);
        let traces = TraceServer::bind(wiring::traces_options(settings)?)?;
        #[cfg(feature = "learned")]
        let traces = taught(traces, settings)?;
        for (service, address) in traces.addresses() {
            tracing::info!("taking {} on {address}", service.what);
        }
        let options = EntranceOptions {
            service: Service::OTLP_HTTP,
            policy: wiring::ingest_policy(settings),
            grace: wiring::grace(settings),
            observer: context.observer.clone(),
        };
        // Here and not further in: the writer is hot.
        let entrance = match context.store()?.clone() {
            AnyConnect::Redis(connect) => PointEntrance::open(connect, options, stop),
            AnyConnect::Embedded(connect) => PointEntrance::open(connect, options, stop),
        }?;
        let change = entrance.changing();
        context.run.live.on_change("traces", move |settings| {
            change(wiring::ingest_policy(settings));
            Ok(())
        });
        let entrance = Arc::new(entrance);
        let graphite = wiring::graphite(settings, &context.observer)?;
        let prefix = wiring::prefix(settings, "traces");
        let graphite = graphite.as_ref().map(|graphite| (graphite, prefix.as_str()));
        let points = Arc::new(StoredPoints(Arc::clone(&entrance)));
        let finder = Finder::new("traces", Some(Subject::TRACE));
        let client = role::connect(context.inlet.clone(), finder, None)?;
        let reporter = TraceReporter {
            inlet: client.inlet(),
            followed: client.followed(),
        };
        let outcome = traces.run(points, reporter, &settings.state_dir, graphite, stop);
        client.finish(role::CONFIRM_PATIENCE);
        if let Some(entrance) = Arc::into_inner(entrance) {
            entrance.close();
        }
        Ok(outcome?)
    }
}

/// With a trainer, its detectors, which have a network, take the place of those that count.
#[cfg(feature = "learned")]
fn taught(traces: TraceServer, settings: &Settings) -> Result<TraceServer, ProcessError> {
    if !settings.training.enabled {
        return Ok(traces);
    }
    Ok(traces.with_teaching(TeachingPlace {
        queue: trainer::queue(settings)?,
        registry: wiring::registry(settings)?,
    }))
}

/// Points of traces go the way of all points.
struct StoredPoints(Arc<PointEntrance>);

impl PointSink for StoredPoints {
    fn take(&self, points: &[NamedPoint]) -> Option<u64> {
        let samples = points.iter().map(|point| Sample {
            metric: &point.metric,
            time: point.time,
            value: point.value,
        });
        self.0.take(samples).ok().map(|taken| taken.dropped)
    }

    fn counters(&self) -> Vec<(String, u64)> {
        self.0.counters()
    }
}
