use super::*;
use crate::random::Random;
use crate::verdicts::{HealthObservation, SECOND, VIEW_LENGTH};

const H: Status = Status::Healthy;
const P: Status = Status::Pending;
const U: Status = Status::Unhealthy;

fn view(history: &[(&str, Status, f32)]) -> HealthView {
    let mut view = HealthView::default();
    for (second, (name, status, score)) in history.iter().enumerate() {
        let metric = HealthMetric {
            name: Arc::from(*name),
            status: *status,
            score: *score,
        };
        view.push(HealthObservation::new(second as i64 * SECOND, vec![metric]));
    }
    view
}

fn verdict(views: &[(&str, HealthView)], name: &str) -> Option<(Status, f32)> {
    let named: Vec<_> = views
        .iter()
        .map(|(observer, view)| (Arc::from(*observer), view))
        .collect();
    let inference = infer(named.iter().map(|(observer, view)| (observer, *view)))?;
    let metric = inference
        .metrics
        .into_iter()
        .find(|metric| &*metric.name == name)?;
    Some((metric.status, metric.score))
}

#[test]
fn pending_requests_below_their_success_are_skipped() {
    let one = |history: &[(&str, Status, f32)]| verdict(&[("o", view(history))], history[0].0);
    assert_eq!(
        one(&[("dispatch", P, 50.0), ("dispatch", H, 90.0)]),
        Some((H, 90.0))
    );
    let request = [("r", H, 60.0), ("r", P, 30.0), ("r", P, 40.0), ("r", H, 80.0)];
    assert_eq!(one(&request), Some((H, 70.0)));
    let request = [("r", H, 80.0), ("r", P, 40.0), ("r", P, 20.0), ("r", P, 30.0)];
    assert_eq!(one(&request), Some((P, 25.0)));
}

#[test]
fn the_majority_wins_and_of_a_tie_the_worse() {
    let mut views = vec![
        ("FE_1", view(&[("cpu", U, 60.0), ("mem", U, 30.0)])),
        (
            "FE_2",
            view(&[("cpu", H, 100.0), ("cpu", H, 70.0), ("cpu", H, 70.0)]),
        ),
        (
            "FE_4",
            view(&[("cpu", H, 80.0), ("cpu", U, 20.0), ("mem", H, 60.0)]),
        ),
        ("FE_5", view(&[("disk", H, 90.0), ("net", H, 90.0)])),
    ];
    assert_eq!(verdict(&views, "cpu"), Some((U, 50.0)));
    assert_eq!(verdict(&views, "mem"), Some((U, 45.0)));
    views[1].1.push(HealthObservation::new(
        9 * SECOND,
        vec![HealthMetric {
            name: "sync".into(),
            status: H,
            score: 1.0,
        }],
    ));
    views.push(("FE_3", HealthView::default()));
    let named: Vec<_> = views
        .iter()
        .map(|(observer, view)| (Arc::from(*observer), view))
        .collect();
    let inference = infer(named.iter().map(|(observer, view)| (observer, *view))).expect("views");
    // An empty view is no observer.
    assert_eq!(
        inference.observers.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["FE_1", "FE_2", "FE_4", "FE_5"]
    );
    assert_eq!(inference.metrics.len(), 5);
    assert_eq!(inference.at, 9 * SECOND);
    assert_eq!(infer([]), None);
}

#[test]
fn looking_again_changes_nothing() {
    let views = [("o", view(&[("m", U, 30.0), ("m", H, 60.0), ("m", H, 80.0)]))];
    for _ in 0..100 {
        assert_eq!(verdict(&views, "m"), Some((H, 70.0)));
    }
    let scores: Vec<_> = views[0].1.iter().map(|seen| seen.metrics()[0].score).collect();
    assert_eq!(scores, [30.0, 60.0, 80.0]);
}

/// One arrival: observer, metric, status, score, time.
type Arrival = (usize, usize, Status, f32, i64);

/// The definition, word for word: positions instead of walks, sets instead of counters.
fn by_definition(history: &[Arrival], metric: usize) -> Option<(Status, f64)> {
    let mut votes = Vec::new();
    for observer in 0..4 {
        // x₁ … xₙ: the last ten of this observer, whatever their metric.
        let x: Vec<_> = history.iter().filter(|arrival| arrival.0 == observer).collect();
        let x = &x[x.len().saturating_sub(VIEW_LENGTH)..];
        let with_metric: Vec<_> = x.iter().rev().filter(|arrival| arrival.1 == metric).collect();
        let Some(newest) = with_metric.first() else {
            continue;
        };
        let absorbed = |status| newest.2 == H && status == P;
        // The run at the top: absorbed ones drop out, the first other status ends it.
        let run = with_metric
            .iter()
            .filter(|arrival| !absorbed(arrival.2))
            .take_while(|arrival| arrival.2 == newest.2);
        let scores: Vec<f64> = run.take(2).map(|arrival| f64::from(arrival.3)).collect();
        votes.push((newest.2, scores.iter().sum::<f64>() / scores.len() as f64));
    }
    let count = |status| votes.iter().filter(|vote| vote.0 == status).count();
    let most = votes.iter().map(|vote| count(vote.0)).max()?;
    let winner = votes
        .iter()
        .map(|vote| vote.0)
        .filter(|status| count(*status) == most)
        .max()?;
    Some((
        winner,
        votes.iter().map(|vote| vote.1).sum::<f64>() / votes.len() as f64,
    ))
}

#[test]
fn a_hundred_thousand_histories_agree_with_the_definition() {
    let mut random = Random::new(16);
    let names: Vec<Arc<str>> = ["a", "b", "c"].map(Arc::from).to_vec();
    for number in 0..100_000 {
        let mut history: Vec<Arrival> = Vec::new();
        for _ in 0..random.below(40) {
            // Few statuses make ties and runs likely.
            let status = if number % 2 == 0 {
                [H, P, U][random.below(3)]
            } else {
                Status::ALL[random.below(8)]
            };
            let score = random.below(101) as f32;
            history.push((
                random.below(4),
                random.below(3),
                status,
                score,
                random.below(1_000) as i64,
            ));
        }
        let mut views = vec![HealthView::default(); 4];
        for (observer, metric, status, score, at) in &history {
            let metric = HealthMetric {
                name: Arc::clone(&names[*metric]),
                status: *status,
                score: *score,
            };
            views[*observer].push(HealthObservation::new(*at, vec![metric]));
        }
        let observers: Vec<Arc<str>> = (0..4).map(|index| Arc::from(format!("o{index}"))).collect();
        let inference = infer(observers.iter().zip(&views));
        for (index, name) in names.iter().enumerate() {
            let found = inference.as_ref().and_then(|inference| {
                let found = inference.metrics.iter().find(|metric| metric.name == *name)?;
                Some((found.status, f64::from(found.score)))
            });
            match (found, by_definition(&history, index)) {
                (None, None) => {}
                (Some((status, score)), Some((expected, mean))) => {
                    assert_eq!(status, expected, "{history:?}");
                    // Scores of 100 in 32 bits.
                    assert!((score - mean).abs() < 1e-4, "{score} {mean} {history:?}");
                }
                (found, expected) => panic!("{found:?} {expected:?} {history:?}"),
            }
        }
        let last = observers
            .iter()
            .zip(&views)
            .filter_map(|(_, view)| view.newest())
            .map(HealthObservation::at)
            .max();
        assert_eq!(inference.map(|inference| inference.at), last);
    }
}
