//! From settings to how metrics are judged: by the analyzer, by `explain`, by a backtest.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use skywatch_algorithms::{self as algorithms, Ensemble};
use skywatch_settings::{Flavour, Profile, Settings};

use super::ProcessError;
#[cfg(feature = "learned")]
use super::voting;
use super::wiring::{self, workers};
use crate::analyzer::adaptive::{AdaptiveOptions, ModelSource, Saving};
use crate::analyzer::rule::{AlarmRule, AlarmRules};
use crate::analyzer::{Examiner, LiveEnsemble, SavedKnowledge, WorkerOptions};
use crate::baseline::{self, Baseline, States};
use crate::stop::Stop;
use crate::store::Connect;

/// Seconds in which the states of all metrics are saved once, if that is not more than [`SAVED_IN_WINDOW`]: a process that is killed
/// learns as much again out of the store. Of a million metrics it is 2 MB/s to the disk, and a fifth of what a look costs …
const SAVE_EACH: f64 = 1_800.0;
/// … a part each pass, in so many parts at most.
const MOST_PARTS: f64 = 32.0;
/// Part of the window in which all are saved: what came after a state was saved must still be there.
const SAVED_IN_WINDOW: f64 = 0.25;
/// How long a worker learns in a pass, so that the first one over a new store does not take minutes: some 4,000 windows of a
/// day.
const LEARNING: Duration = Duration::from_secs(2);

/// The options of every worker, and of everything that judges as workers do.
pub(crate) fn worker_options(settings: &Settings) -> WorkerOptions {
    let rules = rules(settings);
    WorkerOptions {
        full_duration: rules.full_duration,
        ensemble: LiveEnsemble::new(Ensemble::classic(rules)),
        counters_as_rates: wiring::counters_as_rates(settings),
        cache: settings.analyzer.cache,
        cache_bytes: match settings.analyzer.cache_bytes {
            0 => usize::MAX,
            all => all / wiring::workers(settings),
        },
        canary: settings.analyzer.canary_metric.clone().unwrap_or_default(),
        adaptive: None,
        seat: (0, 1),
    }
}

/// What the classic tests go by.
pub(crate) fn rules(settings: &Settings) -> algorithms::Rules {
    let analyzer = &settings.analyzer;
    algorithms::Rules {
        flavour: match analyzer.flavour {
            Flavour::Earthgecko => algorithms::ClassicFlavour::Earthgecko,
            Flavour::Etsy => algorithms::ClassicFlavour::Etsy,
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
pub(crate) fn adaptive(
    settings: &Settings,
    rules_in_force: &AlarmRules,
    stop: &Stop,
) -> Result<Option<AdaptiveOptions>, ProcessError> {
    if settings.analyzer.profile != Profile::Adaptive {
        return Ok(None);
    }
    let (memory, states) = (memory_folder(settings), states_folder(settings));
    let unusable = |path: &Path, source| ProcessError::StateDir {
        path: path.to_owned(),
        source,
    };
    let (hours, kept) = rayon::join(|| Baseline::open(&memory), || States::open(&states));
    let hours = hours.map_err(|source| unusable(&memory, source))?;
    let kept = Arc::new(kept.map_err(|source| unusable(&states, source))?);
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
    let each = SAVE_EACH.min(SAVED_IN_WINDOW * settings.store.full_duration.as_secs_f64());
    let parts = (each / pace).clamp(1.0, MOST_PARTS) as usize;
    let saver = kept
        .saver(parts * workers(settings))
        .map_err(|source| unusable(&states, source))?;
    Ok(Some(AdaptiveOptions {
        rules: rules_in_force.clone(),
        memory: hours,
        states: kept,
        learned: learned_for_passes(settings, stop)?,
        saving: Some(Saving { saver, parts }),
        learning: LEARNING,
    }))
}

#[cfg(feature = "learned")]
fn learned_for_passes(settings: &Settings, stop: &Stop) -> Result<Option<ModelSource>, ProcessError> {
    voting::for_passes(settings, stop)
}

#[cfg(not(feature = "learned"))]
fn learned_for_passes(settings: &Settings, _: &Stop) -> Result<Option<ModelSource>, ProcessError> {
    if settings.adaptive.learned {
        tracing::warn!(
            "`adaptive.learned` has no effect :: this Skywatch was built without learned detectors"
        );
    }
    Ok(None)
}

#[cfg(feature = "learned")]
fn learned_for_questions(settings: &Settings) -> Option<ModelSource> {
    voting::for_questions(settings).unwrap_or_else(|error| {
        tracing::warn!("people are told nothing of the learned vote :: {error}");
        None
    })
}

#[cfg(not(feature = "learned"))]
fn learned_for_questions(_: &Settings) -> Option<ModelSource> {
    None
}

/// What the adaptive profile calls anomalous: what is said of some metrics, and then what holds for all.
pub(crate) fn adaptive_rules(settings: &Settings) -> Vec<AlarmRule> {
    AlarmRule::of_settings(&settings.adaptive)
}

/// Where `explain` finds what the adaptive profile has learnt, if that is the profile.
pub(crate) fn knowledge(settings: &Settings, rules: AlarmRules) -> Option<SavedKnowledge> {
    long_memory(settings).map(|memory| SavedKnowledge {
        memory,
        states: states_folder(settings),
        rules,
        learned: learned_for_questions(settings),
    })
}

/// Where the hours of all metrics are kept, if the profile remembers any.
pub(crate) fn long_memory(settings: &Settings) -> Option<PathBuf> {
    (settings.analyzer.profile == Profile::Adaptive).then(|| memory_folder(settings))
}

/// Where the hours of all metrics are kept.
pub(crate) fn memory_folder(settings: &Settings) -> PathBuf {
    baseline::folder(&settings.state_dir)
}

/// Where the adaptive profile's states are kept.
pub(crate) fn states_folder(settings: &Settings) -> PathBuf {
    settings.state_dir.join("states")
}

/// Looks at single metrics as the analyzer does.
pub(crate) fn examiner_of<K: Connect>(connect: K, settings: &Settings) -> Examiner<K> {
    let rules = AlarmRules::new(adaptive_rules(settings));
    Examiner::new(connect, worker_options(settings), knowledge(settings, rules))
}
