//! From knowing nothing to a verdict, across a restart, and with something new.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use skywatch_algorithms::traces::{Misfit, SpanPredictor, SpanSequence};

use super::*;
use crate::traces::assembler::ClosedTrace;
use crate::traces::ids::TraceId;
use crate::traces::span::{CallSide, ReceivedSpan};
use crate::traces::testing::span;

const NOW: f64 = 1_700_000_000.0;

/// A page that calls a shop, which asks a store twice. How long that takes is somewhat different each time.
fn spans(number: u64) -> Vec<ReceivedSpan> {
    let random = |salt: u64| xxhash_rust::xxh3::xxh3_64(&(number * 100 + salt).to_le_bytes());
    let mut id = [7; 16];
    id[..8].copy_from_slice(&random(0).to_be_bytes());
    let trace = TraceId::of_bytes(&id).unwrap();
    let made = |place: u64, above: u64, service: &str, operation: &str, ms: u64| {
        // Of three numbers the product: few are large.
        let share = |part: u64| (random(place * 3 + part) >> 40) as f64 / (1u64 << 24) as f64;
        let factor = 1.0 + share(0) * share(1) * share(2);
        ReceivedSpan {
            trace,
            service: service.into(),
            operation: operation.into(),
            kind: CallSide::Server,
            duration: (ms as f64 * 1e6 * factor) as u64,
            ..span(1, place, above)
        }
    };
    vec![
        made(1, 0, "page", "GET /cart", 60),
        made(2, 1, "shop", "GET /items", 25),
        made(3, 2, "store", "SELECT items", 4),
        made(8, 2, "store", "SELECT prices", 4),
    ]
}

fn assembled(spans: Vec<ReceivedSpan>, partial: bool) -> AssembledTrace {
    let id = spans[0].trace;
    AssembledTrace::assemble(ClosedTrace { id, spans, partial })
}

/// A watch over `path` that has seen so many normal traces and fitted its detectors.
fn fitted(path: &Path, traces: u64) -> TraceWatch {
    let mut watch = TraceWatch::open(path.to_owned(), None, NOW);
    for number in 0..traces {
        let watched = watch.judge(&assembled(spans(number), false), NOW);
        assert!(
            matches!(watched.judgement, TraceJudgement::Unjudged { .. }),
            "{watched:?}"
        );
    }
    watch.tick(NOW + 1.0);
    until_fitted(&mut watch, NOW + 1.0);
    assert!(watch.detector.is_some());
    watch
}

fn until_fitted(watch: &mut TraceWatch, now: f64) {
    let due = Instant::now() + Duration::from_secs(60);
    while watch.fit.is_some() {
        assert!(Instant::now() < due, "no detectors");
        std::thread::sleep(Duration::from_millis(5));
        watch.tick(now);
    }
}

fn word(watched: &WatchedTrace) -> &'static str {
    watched.judgement.word()
}

#[test]
fn what_is_unlike_the_others_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.model");
    let mut watch = fitted(&path, ENOUGH);
    let normal: Vec<_> = (300..340)
        .map(|number| watch.judge(&assembled(spans(number), false), NOW))
        .collect();
    assert!(
        normal.iter().filter(|watched| word(watched) == "normal").count() >= 34,
        "{normal:?}"
    );
    assert_eq!(normal[0].kind.as_deref(), Some("page GET /cart"));
    // A call that takes sixty times as long.
    let mut slow = spans(400);
    slow[2].duration *= 60;
    for above in [0, 1] {
        slow[above].duration += slow[2].duration;
    }
    let found = watch.judge(&assembled(slow.clone(), false), NOW);
    assert_eq!(word(&found), "anomalous", "{found:?}");
    let TraceJudgement::Anomalous { sentences, .. } = &found.judgement else {
        panic!()
    };
    assert!(
        sentences.iter().any(|sentence| sentence.contains("store")),
        "{sentences:?}"
    );
    assert!(found.findings.iter().any(|(place, _)| *place == 2), "{found:?}");
    // A call that nobody has made before; the root fails as well, and is of the same kind all the same.
    let mut foreign = spans(401);
    foreign[3].operation = "DROP prices".into();
    foreign[0].failed = true;
    let found = watch.judge(&assembled(foreign, false), NOW);
    assert_eq!(
        (word(&found), found.kind.as_deref()),
        ("anomalous", Some("page GET /cart")),
        "{found:?}"
    );
    assert_eq!(
        word(&watch.judge(&assembled(spans(402), true), NOW)),
        "unjudged",
        "spans are missing"
    );
    // What was learnt is there after a restart.
    watch.save(NOW + 2.0);
    let mut watch = TraceWatch::open(path, None, NOW + 3.0);
    assert_eq!(word(&watch.judge(&assembled(slow, false), NOW)), "anomalous");
}

/// Judges traces of a new release, 30 seconds apart. The words that were said of them.
fn after_deploy(
    watch: &mut TraceWatch,
    begin: f64,
    change: impl Fn(&mut [ReceivedSpan]),
) -> Vec<&'static str> {
    let words = (0..240u64).map(|number| {
        let now = begin + number as f64 * 30.0;
        let mut spans = spans(500 + number);
        change(&mut spans);
        let word = word(&watch.judge(&assembled(spans, false), now));
        watch.tick(now);
        until_fitted(watch, now);
        word
    });
    words.collect()
}

#[test]
fn what_a_deploy_has_brought_is_usual_after_an_hour_and_an_outage_never() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = fitted(&folder.path().join("traces.model"), ENOUGH);
    // Not by number of traces, so that nothing else is fitted.
    watch.fit_at = u64::MAX;
    let words = after_deploy(&mut watch, NOW, |spans| {
        spans[3].operation = "SELECT prices_v2".into()
    });
    let anomalous = |words: &[&str]| words.iter().filter(|word| **word == "anomalous").count();
    assert_eq!(
        (words[0], anomalous(&words[..100])),
        ("anomalous", 100),
        "{words:?}"
    );
    assert!(anomalous(&words[150..]) <= 9, "{words:?}");
    assert_eq!(watch.take_settled(), ["page GET /cart"]);
    let words = after_deploy(&mut watch, NOW + 10_000.0, |spans| spans[3].failed = true);
    assert!(anomalous(&words) >= words.len() - 5, "{words:?}");
    assert!(watch.take_settled().is_empty());
}

#[test]
fn a_new_call_is_said_to_be_new_and_how_often_it_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = fitted(&folder.path().join("traces.model"), ENOUGH);
    let sentences: Vec<_> = (500..560)
        .map(|number| {
            let mut spans = spans(number);
            spans[3].operation = "DROP prices".into();
            sentence(&watch.judge(&assembled(spans, false), NOW))
        })
        .collect();
    assert!(
        sentences[0].contains("`store DROP prices`, which is new: never seen before"),
        "{}",
        sentences[0]
    );
    assert!(
        sentences[59].contains("which is new: seen 59 times"),
        "{}",
        sentences[59]
    );
}

#[test]
fn what_varies_in_names_is_one_operation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.model");
    let of_user = |number: u64| {
        let name = |salt: u64| {
            char::from(b'a' + (xxhash_rust::xxh3::xxh3_64(&(number * 10 + salt).to_le_bytes()) % 26) as u8)
        };
        let user: String = [name(1), name(2), name(3), name(4), name(5)].iter().collect();
        let mut spans = spans(number);
        spans[0].operation = format!("GET /users/{user}/cart").into();
        spans[3].operation = format!("HSET {user}").into();
        spans
    };
    let mut watch = TraceWatch::open(path, None, NOW);
    (0..ENOUGH).for_each(|number| {
        watch.judge(&assembled(of_user(number), false), NOW);
    });
    watch.tick(NOW + 1.0);
    until_fitted(&mut watch, NOW + 1.0);
    let words: Vec<_> = (300..400)
        .map(|number| word(&watch.judge(&assembled(of_user(number), false), NOW)))
        .collect();
    assert!(
        words.iter().filter(|word| **word == "normal").count() >= 90,
        "{words:?}"
    );
    let mut slow = of_user(400);
    for place in [0, 1, 3] {
        slow[place].duration += 4_000_000_000;
    }
    let found = watch.judge(&assembled(slow, false), NOW);
    assert_eq!(found.kind.as_deref(), Some("page GET /users/<*>/cart"));
    assert!(sentence(&found).contains("`HSET <*>`"), "{found:?}");
}

/// All that was said of an unusual trace.
fn sentence(watched: &WatchedTrace) -> String {
    match &watched.judgement {
        TraceJudgement::Anomalous { sentences, .. } => sentences.join("; "),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_kind_of_request_says_nothing_before_some_have_come() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = fitted(&folder.path().join("traces.model"), ENOUGH);
    let other = |number: u64| {
        let mut spans = spans(number);
        spans[0].operation = "GET /help".into();
        assembled(spans, false)
    };
    let words: Vec<_> = (700..760)
        .map(|number| word(&watch.judge(&other(number), NOW)))
        .collect();
    assert!(words[..40].iter().all(|word| *word == "unjudged"), "{words:?}");
    assert!(words[40..].iter().all(|word| *word != "unjudged"), "{words:?}");
}

/// Finds fault with nothing, but must be there for the detectors that were fitted with it.
#[derive(Debug)]
struct NoMisfit;

impl SpanPredictor for NoMisfit {
    fn worst(&self, _: &SpanSequence) -> Option<Misfit> {
        Some(Misfit {
            span: None,
            surprise: 0.1,
            expected: Vec::new(),
        })
    }
}

/// What a trainer makes of the traces that it got.
fn taught(chosen: &ChosenTraces, version: &str) -> TaughtDetector {
    let mut fit = |_: usize, _: &[SpanSequence]| Ok(Arc::new(NoMisfit) as Arc<dyn SpanPredictor>);
    let detector = TraceDetector::fit(&chosen.traces, TraceOptions::default(), Some(&mut fit));
    TaughtDetector {
        detector: detector.unwrap(),
        predictor: Some(Arc::new(NoMisfit)),
        version: version.to_owned(),
        at: chosen.at,
    }
}

#[test]
fn detectors_of_the_trainer_take_over_and_those_of_older_traces_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.model");
    let (teacher, end) = Teacher::pair();
    let mut watch = TraceWatch::open(path.clone(), Some(teacher), NOW);
    for number in 0..ENOUGH_TO_TEACH as u64 {
        watch.judge(&assembled(spans(number), false), NOW);
        watch.tick(NOW);
        until_fitted(&mut watch, NOW);
    }
    let has_network = |watch: &TraceWatch| {
        watch
            .detector
            .as_ref()
            .is_some_and(TraceDetector::needs_predictor)
    };
    assert!(!has_network(&watch));
    let chosen = end.chosen.try_recv().expect("as many as a network needs");
    assert_eq!(chosen.traces.len(), ENOUGH_TO_TEACH);
    let learnt = |watch: &TraceWatch| watch.detector.as_ref().unwrap().baseline().traces();
    // Some come while the trainer works; what it has fitted learns them.
    for number in 1_000..1_010 {
        watch.judge(&assembled(spans(number), false), NOW + 1.0);
    }
    let made = taught(&chosen, "7");
    let fitted = made.detector.baseline().traces();
    end.taught.send(made).unwrap();
    watch.tick(NOW + 2.0);
    assert!(has_network(&watch));
    assert_eq!(learnt(&watch), fitted + 10);

    // Another process: detectors are as they were, the network comes with the version they are of.
    let (teacher, end) = Teacher::pair();
    let mut watch = TraceWatch::open(path, Some(teacher), NOW + 3.0);
    end.taught.send(taught(&chosen, "7")).unwrap();
    watch.tick(NOW + 3.0);
    assert_eq!((has_network(&watch), learnt(&watch)), (true, fitted + 10));

    // What was fitted here since, as something has changed for an hour, is not given up for what knows nothing of that.
    let changed = after_deploy(&mut watch, NOW + 10.0, |spans| {
        spans[3].operation = "SELECT prices_v2".into()
    });
    assert_eq!((changed[0], has_network(&watch)), ("anomalous", false));
    end.taught.send(taught(&chosen, "8")).unwrap();
    watch.tick(NOW + 8_000.0);
    assert!(!has_network(&watch));
    let newer = ChosenTraces {
        at: NOW + 8_000.0,
        ..chosen
    };
    end.taught.send(taught(&newer, "9")).unwrap();
    watch.tick(NOW + 8_001.0);
    assert!(has_network(&watch));
}
