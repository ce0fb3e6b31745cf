//! Looks at every metric, and hands on what is found.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use skywatch_alerters::Subject;
use skywatch_algorithms::Ensemble;
use skywatch_settings::Settings;

use super::role::{self, Needs, Role, RoleContext, RunOptions};
use crate::analyzer::rule::AlarmRules;
use crate::analyzer::store_canary::StoreCanary;
use crate::analyzer::store_probe::StoreProbe;
use crate::analyzer::{AnalyzerOptions, Examiner, Inquiries, PassOutputs, Supervisor, WorkerOptions};
use crate::inlet::{Answers, Finder, FinderReport, InletAddress};
use crate::observer::Observer;
use crate::process::{ProcessError, judging, wiring};
use crate::status::{AnalyzerStatusFile, Liveness};
use crate::stop::Stop;
use crate::store::{AnyConnect, Connect};

/// How long the first pass waits for a dispatch to say which metrics it follows; it starts within a second.
const DISPATCH_PATIENCE: Duration = Duration::from_secs(5);

/// The role of that name.
#[derive(Debug)]
pub(super) struct AnalyzerRole;

impl Role for AnalyzerRole {
    fn name(&self) -> &'static str {
        "analyzer"
    }

    fn is_wanted(&self, settings: &Settings) -> bool {
        settings.analyzer.enabled
    }

    fn finds(&self) -> bool {
        true
    }

    fn observes(&self) -> bool {
        true
    }

    fn needs(&self, _: &RunOptions) -> Needs {
        Needs { store: true }
    }

    /// Without a number of passes it has no reason to end: it is started again.
    fn ends_all(&self, run: &RunOptions) -> bool {
        run.passes.is_some()
    }

    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError> {
        watch(
            context.store()?,
            context.inlet.clone(),
            &context.observer,
            context.settings,
            context.run,
            context.liveness.clone(),
            context.stop,
        )
    }
}

/// Looks at every metric, and hands on what is found.
pub(crate) fn watch(
    store: &AnyConnect,
    inlet: InletAddress,
    observer: &Observer,
    settings: &Settings,
    run: &RunOptions,
    liveness: Liveness,
    stop: &Stop,
) -> Result<(), ProcessError> {
    let rules = AlarmRules::new(judging::adaptive_rules(settings));
    let plain = judging::worker_options(settings);
    run.live.on_change("analyzer", {
        let (rules, ensemble) = (rules.clone(), plain.ensemble.clone());
        move |settings| {
            rules.replace(judging::adaptive_rules(settings));
            let new = Ensemble::classic(judging::rules(settings));
            // Another one has every verdict worked out anew.
            if ensemble.current().rules() != new.rules() {
                ensemble.replace(new);
            }
            Ok(())
        }
    });
    let examiner = Examiner::new(
        store.clone(),
        plain.clone(),
        judging::knowledge(settings, rules.clone()),
    );
    let worker = WorkerOptions {
        adaptive: judging::adaptive(settings, &rules, stop)?.map(Arc::new),
        ..plain
    };
    let workers = wiring::workers(settings);
    let (inquiries, questions) = Inquiries::new(workers);
    let answers: Answers = Arc::new(move |metric, at| examiner.ask(&inquiries, metric, at).map(Box::new));
    let finder = Finder::new("analyzer", Some(Subject::METRIC));
    let client = role::connect(inlet, finder, Some(answers))?;
    let status = AnalyzerStatusFile::open(Path::new(&settings.state_dir), wiring::quiet_after(settings));
    let status = Arc::new(status);
    let inlet = client.inlet();
    let on_answer = Box::new(move |silent: Option<(String, f64)>| {
        inlet.report(
            silent.map_or(FinderReport::StoreAnswers, |(why, since)| FinderReport::NoPass {
                why,
                since,
            }),
        );
    });
    let asks = |source| ProcessError::Start {
        what: "the thread that asks the store",
        source,
    };
    let probe = StoreProbe::start(store, Arc::clone(&status), observer, on_answer).map_err(asks)?;
    let canary = StoreCanary::start(store, observer).map_err(asks)?;
    let outputs = PassOutputs {
        status,
        liveness,
        graphite: wiring::graphite(settings, observer)?
            .map(|out| (out, wiring::prefix(settings, "analyzer"))),
        inlet: client.inlet(),
        followed: client.followed(),
    };
    let options = AnalyzerOptions {
        worker,
        workers,
        optimum_run_duration: settings.analyzer.optimum_run_duration,
        pass_deadline: settings.analyzer.pass_deadline,
        up_key: settings.analyzer.up_key.clone(),
        passes: run.passes,
        summary: run.summary.clone(),
        questions,
        coordinator: wiring::coordinator(settings, store)?,
        snapshots: wiring::snapshots(settings, store),
    };
    tracing::info!(
        "watching metrics in {} with {} workers, a pass each {} seconds",
        store.describe(),
        options.workers,
        options.optimum_run_duration.as_secs_f64()
    );
    client.wait_until_connected(DISPATCH_PATIENCE);
    // Here and not further in: workers are hot.
    let outcome = match store.clone() {
        AnyConnect::Redis(connect) => Supervisor::new(connect, options, outputs, stop.clone())?.run(),
        AnyConnect::Embedded(connect) => Supervisor::new(connect, options, outputs, stop.clone())?.run(),
    };
    drop((probe, canary));
    client.finish(role::CONFIRM_PATIENCE);
    Ok(outcome?)
}
