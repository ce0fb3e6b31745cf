//! `skywatch status`: is it working? From the files each process leaves in the state folder, so that the answer is there even
//! when nothing runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use skywatch_alerters::incident::{Incident, Phase};
use skywatch_alerters::{Subject, units};

use super::ask::{ago, meant, nobody, print_json};
use super::context::{CommandFailure, Context, say};
use crate::clock::unix_now;
use crate::dispatch::OWN_COMPONENTS;
use crate::events;
use crate::files;
use crate::history::{Filter, HistoryError, HistoryReader, history_path};
use crate::process;
use crate::status::{
    AnalyzerStatus, DispatchNode, DispatchStatus, IngestStatus, PassSummary, ProcessStatus, StatusFile,
};

/// Time between two looks at the ingest's counters, from which follows its rate: it writes them each second.
const RATE_OVER: Duration = Duration::from_millis(1_200);
/// A start has not gone well if no pass has ended by then, seconds.
const FIRST_PASS_WITHIN: f64 = 60.0;
/// An ingest silent for so long does not work, seconds: it says something each ten.
const INGEST_SILENT: f64 = 90.0;
/// Open incidents that are counted.
const MOST_INCIDENTS: usize = 10_000;
/// Notices that reached nobody that are counted.
const MOST_DEAD: usize = 1_000;
/// Clears a terminal and goes to its first line.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

#[derive(Debug, Args)]
pub(super) struct StatusArguments {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Again and again, each two seconds, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// How a Skywatch is.
#[derive(Debug, Serialize)]
struct RunReport {
    /// Unix seconds of this report.
    at: f64,
    state_dir: PathBuf,
    /// Whether a process runs over the state folder.
    running: bool,
    /// All that is wrong, each in a sentence; nothing if it works.
    ailments: Vec<String>,
    /// How far metrics are learnt, if not all are.
    warm_up: Option<String>,
    process: Option<ProcessStatus>,
    /// The last pass.
    pass: Option<PassSummary>,
    ingest: Option<IngestReport>,
    open_incidents: usize,
    /// Notices that wait, by receiver.
    waiting: BTreeMap<String, u64>,
    /// Notices that reached nobody.
    dead_letters: usize,
    /// Events that wait for other programs, and the like.
    events: BTreeMap<String, u64>,
    /// All nodes, where there may be several.
    nodes: Vec<DispatchNode>,
    #[serde(skip)]
    led_by: Option<String>,
}

/// How points come in.
#[derive(Debug, Serialize)]
struct IngestReport {
    /// Points a second that were accepted between two looks.
    rate: f64,
    /// Unix seconds of the last point that was accepted.
    last_point: Option<f64>,
    accepted: u64,
    written: u64,
    /// Dropped points, by reason, since the start.
    dropped: BTreeMap<String, u64>,
    /// Since when and why points wait because the store does not take them.
    held_up: Option<(f64, String)>,
}

/// Exit code 0 if it works, 1 if it runs and something is wrong, 3 if it does not run.
pub(super) fn run(context: &Context, arguments: &StatusArguments) -> Result<(), CommandFailure> {
    let state_dir = match meant(context)? {
        Some(running) => running.state_dir,
        None => context.loaded.settings.state_dir.clone(),
    };
    if !super::ask::has_ever_run(&state_dir)? {
        return Err(CommandFailure::NotRunning(nobody(context)));
    }
    loop {
        let report = look(&state_dir);
        if arguments.json {
            print_json(&report)?;
        } else {
            if arguments.watch {
                print_bare(CLEAR);
            }
            show(&report)?;
        }
        if arguments.watch {
            std::thread::sleep(Duration::from_secs(2).saturating_sub(RATE_OVER));
            continue;
        }
        return match (report.running, report.ailments.as_slice()) {
            (true, []) => Ok(()),
            (true, [_]) => Err(anyhow::anyhow!("it runs, and one thing is wrong").into()),
            (true, ailments) => {
                Err(anyhow::anyhow!("it runs, and {} things are wrong", ailments.len()).into())
            }
            (false, _) => Err(CommandFailure::NotRunning(format!(
                "no skywatch runs over `{}`",
                state_dir.display()
            ))),
        };
    }
}

fn print_bare(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    // A reader that is gone is noticed by the lines that follow.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn look(state_dir: &Path) -> RunReport {
    let running = process::is_claimed(state_dir);
    let ingest = ingest(state_dir, running);
    let now = unix_now();
    let analyzer: Option<AnalyzerStatus> = StatusFile::analyzer(state_dir).read();
    let last: Option<ProcessStatus> = StatusFile::process(state_dir).read();
    // One that cannot be asked is no fault of what runs there.
    let mut ailments: Vec<String> = files::lack_of_space(state_dir)
        .ok()
        .flatten()
        .into_iter()
        .collect();
    if let Some(why) = last.as_ref().and_then(|process| process.ended.as_ref())
        && !running
    {
        ailments.push(format!("it ended by itself: {why}"));
    }
    let process = last.filter(|_| running);
    for child in process.iter().flat_map(|process| &process.children) {
        if child.pid.is_none() {
            let why = child.ended.as_deref().unwrap_or("it was never started");
            ailments.push(format!(
                "child `{}` does not run: {why}; it is started again",
                child.name
            ));
        }
    }
    if running {
        let since = process
            .as_ref()
            .map_or(f64::NEG_INFINITY, |process| process.since);
        let says = analyzer
            .as_ref()
            .filter(|analyzer| has_begun(analyzer, since, now));
        ailments.extend(says.map(|analyzer| analyzer.ailments(now)).unwrap_or_default());
    }
    if let Some(ingest) = &ingest
        && let Some((since, why)) = &ingest.0.held_up
    {
        ailments.push(format!(
            "points wait for the store since {}: {why}",
            units::time(*since)
        ));
    }
    if let Some((ingest, _)) = &ingest
        && running
    {
        ailments.extend(ingest.nothing_taken());
    }
    if let Some((_, at)) = &ingest
        && running
        && now - at > INGEST_SILENT
    {
        ailments.push(format!(
            "the ingest has said nothing for {}",
            units::length(now - at)
        ));
    }
    let pass = analyzer.and_then(|analyzer| analyzer.pass);
    let dispatch: DispatchStatus = StatusFile::dispatch(state_dir).read().unwrap_or_default();
    let mut report = RunReport {
        at: now,
        state_dir: state_dir.to_owned(),
        running,
        warm_up: pass.as_ref().and_then(PassSummary::warm_up),
        ailments,
        process,
        pass,
        ingest: ingest.map(|(report, _)| report),
        open_incidents: 0,
        waiting: BTreeMap::new(),
        dead_letters: 0,
        events: events::figures(state_dir, now)
            .map(|figures| figures.into_iter().collect())
            .unwrap_or_default(),
        led_by: dispatch.led_by(now).filter(|_| running),
        nodes: dispatch.nodes,
    };
    of_history(state_dir, &mut report);
    report
}

/// Whether what the analyzer says is about this start, at `since`: before its first pass there is nothing to complain of yet, unless
/// that does not come, or the store does not answer. Unix seconds.
fn has_begun(analyzer: &AnalyzerStatus, since: f64, now: f64) -> bool {
    let has_passed = analyzer.pass.as_ref().is_some_and(|pass| pass.at >= since);
    let is_in_trouble = analyzer.trouble.is_some() || analyzer.silent.is_some();
    has_passed || is_in_trouble || now - since >= FIRST_PASS_WITHIN
}

impl IngestReport {
    /// What is wrong where points come and none of them is taken; what is to be skipped is no fault.
    fn nothing_taken(&self) -> Option<String> {
        let mut faults = self.dropped.clone();
        faults.retain(|reason, _| reason != "dropped.skipped");
        if self.accepted > 0 || faults.is_empty() {
            return None;
        }
        let clocks = match faults.keys().any(|reason| reason.starts_with("dropped.too_")) {
            true => "; are the clocks of this machine and of the senders right?",
            false => "",
        };
        Some(format!(
            "all points that came were dropped: {}{clocks}",
            reasons(&faults)
        ))
    }
}

/// Points that were dropped, by reason.
fn reasons(dropped: &BTreeMap<String, u64>) -> String {
    let plain = |reason: &String| reason.strip_prefix("dropped.").unwrap_or(reason).to_owned();
    counts(
        &dropped
            .iter()
            .map(|(reason, count)| (plain(reason), *count))
            .collect(),
    )
}

/// The counters, and when they were written.
fn ingest(state_dir: &Path, running: bool) -> Option<(IngestReport, f64)> {
    let file = StatusFile::ingest(state_dir);
    let first: IngestStatus = file.read()?;
    if running {
        std::thread::sleep(RATE_OVER);
    }
    let last: IngestStatus = file.read().unwrap_or_else(|| first.clone());
    let counter = |status: &IngestStatus, name: &str| {
        let found = status.counters.iter().find(|(known, _)| known == name);
        found.map_or(0, |(_, count)| *count)
    };
    let seconds = (last.at - first.at).max(0.0);
    let more = counter(&last, "accepted").saturating_sub(counter(&first, "accepted"));
    let dropped = last
        .counters
        .iter()
        .filter(|(name, count)| *count > 0 && name.starts_with("dropped."));
    let report = IngestReport {
        rate: if seconds > 0.0 { more as f64 / seconds } else { 0.0 },
        last_point: last.last_point,
        accepted: counter(&last, "accepted"),
        written: counter(&last, "written"),
        dropped: dropped.cloned().collect(),
        held_up: last.held_up.clone(),
    };
    Some((report, last.at))
}

fn of_history(state_dir: &Path, report: &mut RunReport) {
    let path = history_path(state_dir);
    if !path.exists() {
        return;
    }
    let open = Filter {
        phases: vec![Phase::Open, Phase::Acknowledged],
        ..Filter::default()
    };
    let read = HistoryReader::open(&path).and_then(|history| {
        let incidents = history.incidents(&open, MOST_INCIDENTS)?;
        report.open_incidents = incidents.len();
        report.of_ourselves(&incidents);
        report.waiting = history
            .depths()?
            .into_iter()
            .map(|depth| (depth.receiver, depth.waiting))
            .collect();
        report.dead_letters = history.dead_letters(MOST_DEAD)?.len();
        if report.running && report.dead_letters > 0 {
            let count = report.dead_letters;
            report.ailments.push(format!(
                "notices reached nobody: {count}; `skywatch notices` lists them"
            ));
        }
        Ok(())
    });
    let is_beginning = report
        .process
        .as_ref()
        .is_some_and(|process| report.running && report.at - process.since < FIRST_PASS_WITHIN);
    match read {
        Ok(()) => {}
        // Whoever has just started makes it, or brings its tables to this version.
        Err(HistoryError::Missing { .. }) if is_beginning => {}
        Err(HistoryError::Version { found, known, .. }) if is_beginning && found < known => {}
        Err(error) => report
            .ailments
            .push(format!("the history cannot be read: {error}")),
    }
}

impl RunReport {
    /// Adds what is open about Skywatch itself, as far as it is not said yet.
    fn of_ourselves(&mut self, incidents: &[Incident]) {
        let is_own = |incident: &&Incident| match &incident.subject {
            Subject::Component(name) => name.starts_with(OWN_COMPONENTS),
            _ => false,
        };
        for incident in incidents.iter().filter(is_own).filter(|_| self.running) {
            let (component, sentence) = (incident.subject.name(), &incident.anomaly.sentence);
            if !self.ailments.iter().any(|said| said.starts_with(component)) {
                self.ailments.push(format!("{component}: {sentence}"));
            }
        }
    }
}

fn show(report: &RunReport) -> anyhow::Result<()> {
    let line = |name: &str, text: &str| say(&format!("{name:<12} {text}"));
    let state = match (report.running, report.ailments.is_empty()) {
        (false, _) => "does NOT run",
        (true, true) => "works",
        (true, false) => "runs, and something is WRONG",
    };
    line(
        "skywatch",
        &format!("{state}, over `{}`", report.state_dir.display()),
    )?;
    for ailment in &report.ailments {
        line("  wrong", ailment)?;
    }
    if let Some(process) = &report.process {
        line(
            "process",
            &format!(
                "pid {}, for {}",
                process.pid,
                units::length(report.at - process.since)
            ),
        )?;
        for child in &process.children {
            let how = match child.pid {
                Some(pid) => format!(
                    "pid {pid}, for {}, start {}",
                    units::length(report.at - child.since),
                    child.starts
                ),
                None => "waits to be started again".to_owned(),
            };
            line(&format!("  {}", child.name), &how)?;
        }
    }
    if let Some(pass) = &report.pass {
        show_pass(pass)?;
    } else {
        line("last pass", "none yet")?;
    }
    if let Some(led_by) = &report.led_by {
        line("dispatch", led_by)?;
    }
    if let Some(warm_up) = &report.warm_up {
        line("warm-up", warm_up)?;
    }
    if let Some(ingest) = &report.ingest {
        let last = ingest.last_point.map_or("never".to_owned(), ago);
        line(
            "ingest",
            &format!(
                "{:.1} points/s, {} accepted, {} written, last {last}",
                ingest.rate, ingest.accepted, ingest.written
            ),
        )?;
        line("  dropped", &reasons(&ingest.dropped))?;
    }
    line("incidents", &format!("{} open", report.open_incidents))?;
    let notices = format!(
        "{} waiting ({}), {} reached nobody",
        report.waiting.values().sum::<u64>(),
        counts(&report.waiting),
        report.dead_letters
    );
    line("notices", &notices)?;
    if !report.events.is_empty() {
        line("events", &counts(&report.events))?;
    }
    Ok(())
}

fn show_pass(pass: &PassSummary) -> anyhow::Result<()> {
    let line = |name: &str, text: &str| say(&format!("{name:<12} {text}"));
    let seconds = &pass.seconds;
    line(
        "last pass",
        &format!(
            "{}, number {}, {} metrics, {} analyzed, {} anomalous",
            ago(pass.at),
            pass.pass,
            pass.metrics,
            pass.analyzed,
            pass.anomalies
        ),
    )?;
    line(
        "  took",
        &format!(
            "{:.2} s: names {:.2}, fetch {:.2}, judge {:.2}; {} unfinished, {} asked again",
            seconds.total, seconds.names, seconds.fetch, seconds.judge, pass.unfinished, pass.retried
        ),
    )?;
    line("  exceptions", &counts(&pass.exceptions))?;
    match pass.share() {
        Some(share) => line("  node", &share),
        None => Ok(()),
    }
}

/// `a 1, b 2`, or `none`.
fn counts(counts: &BTreeMap<String, u64>) -> String {
    let some = counts.iter().filter(|(_, count)| **count > 0);
    let some: Vec<_> = some.map(|(name, count)| format!("{name} {count}")).collect();
    if some.is_empty() {
        "none".to_owned()
    } else {
        some.join(", ")
    }
}
