//! Parity with the originals: what earthgecko/skyline and etsy/skyline answered, test by test and as an ensemble,
//! and the statistics behind the answers. The files lie beside the workspace, in `../shared/golden`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use skywatch_algorithms::statistics::student::{grubbs_limit, upper_quantile};
use skywatch_algorithms::statistics::{
    Ewm, EwmWeights, LeastSquaresLine, Moments, adf, extent, histogram, ks, median,
};
use skywatch_algorithms::{BallotMark, ClassicFlavour, Ensemble, Exception, Rules, Scratch, Verdict, Window};

/// One line of a golden file.
struct Golden {
    record: Value,
    times: Vec<f64>,
    values: Vec<f64>,
}

impl Golden {
    fn name(&self) -> &str {
        self.record["name"].as_str().expect("a record has a name")
    }

    fn now(&self) -> f64 {
        self.record["now"].as_f64().expect("a record has a clock")
    }

    fn window(&self) -> Window<'_> {
        Window::new(&self.times, &self.values)
    }

    fn is_fragile(&self, detector: &str) -> bool {
        self.record["fragile"].get(detector).is_some()
    }

    /// A number of `stats`, by path; `None` where the record has none.
    fn stat(&self, path: &str) -> Option<f64> {
        number(self.record["stats"].pointer(path)?)
    }

    /// The largest value there is, without its sign: what rounding errors are relative to.
    fn size(&self) -> f64 {
        self.values.iter().fold(0.0, |most: f64, v| most.max(v.abs()))
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            other => panic!("no number: {other}"),
        },
        value => value.as_f64(),
    }
}

fn golden() -> Vec<Golden> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden"));
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!(
            "the golden answers are missing: {}: {error}\nthey belong beside the workspace",
            folder.display()
        )
    });
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    assert!(!files.is_empty(), "no .jsonl file in {}", folder.display());
    let texts = files
        .iter()
        .map(|path| fs::read_to_string(path).expect("a readable file"));
    texts
        .flat_map(|text| text.lines().map(parse).collect::<Vec<_>>())
        .collect()
}

fn parse(line: &str) -> Golden {
    let record: Value = serde_json::from_str(line).expect("a line is a record");
    let points = record["series"].as_array().expect("a record has a series");
    let column = |i: usize| {
        points
            .iter()
            .map(|point| point[i].as_f64().expect("a number"))
            .collect()
    };
    Golden {
        times: column(0),
        values: column(1),
        record,
    }
}

fn rules(flavour: ClassicFlavour) -> Rules {
    match flavour {
        ClassicFlavour::Earthgecko => Rules::earthgecko(),
        ClassicFlavour::Etsy => Rules::etsy(),
    }
}

const FLAVOURS: [(ClassicFlavour, &str, &str); 2] = [
    (ClassicFlavour::Earthgecko, "results", "/consensus/earthgecko"),
    (ClassicFlavour::Etsy, "results_etsy", "/consensus/etsy"),
];

/// `true`, `false` or `null`, as the file writes it.
fn as_golden(mark: BallotMark) -> Value {
    match mark {
        BallotMark::Anomalous => Value::Bool(true),
        BallotMark::Normal => Value::Bool(false),
        BallotMark::Failed => Value::Null,
        BallotMark::NotCast => Value::String("not cast".into()),
    }
}

#[test]
fn every_detector_votes_as_the_original_did() {
    let (mut scratch, mut wrong, mut compared) = (Scratch::new(), Vec::new(), 0);
    for golden in golden() {
        for (flavour, results, _) in FLAVOURS {
            let ensemble = Ensemble::classic(rules(flavour));
            let ballot = ensemble.ballot(golden.window(), golden.now(), &mut scratch);
            for (name, mark) in ensemble.names().zip(ballot.marks()) {
                let expected = &golden.record[results][name];
                compared += 1;
                if as_golden(mark) != *expected && !golden.is_fragile(name) {
                    wrong.push(format!(
                        "{} {flavour} {name}: {mark:?}, not {expected}",
                        golden.name()
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(compared >= 18, "hardly anything was compared");
}

#[test]
fn the_ensemble_comes_to_the_same_verdict() {
    let (mut scratch, mut wrong) = (Scratch::new(), Vec::new());
    for golden in golden() {
        for (flavour, results, consensus) in FLAVOURS {
            let ensemble = Ensemble::classic(rules(flavour));
            let (window, now) = (golden.window(), golden.now());
            let expected = golden
                .record
                .pointer(consensus)
                .expect("a record has a consensus");
            let found = match ensemble.exclude(window, now) {
                Some(Exception::TooShort) if flavour == ClassicFlavour::Earthgecko && window.is_empty() => {
                    "EmptyTimeseries"
                }
                Some(exception) => exception.name(),
                None => match ensemble.ballot(window, now, &mut scratch).errors() {
                    1.. if flavour == ClassicFlavour::Etsy => "AlgorithmError",
                    _ => "ok",
                },
            };
            let verdict = ensemble.judge(window, now, &mut scratch);
            let same = expected["outcome"] == found && expected["anomalous"] == verdict.is_anomalous();
            let certain = golden.record[results]
                .as_object()
                .is_some_and(|r| !r.keys().any(|k| golden.is_fragile(k)));
            if !same && (certain || expected["outcome"] != found) {
                wrong.push(format!(
                    "{} {flavour}: {found} {verdict:?}, not {expected}",
                    golden.name()
                ));
            }
            if let Verdict::Judged {
                anomalous: true,
                ballot,
            } = verdict
            {
                assert!(
                    ballot.is_full(),
                    "{}: the ballot of an anomaly is complete",
                    golden.name()
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Collects what is out of tolerance.
#[derive(Default)]
struct Differences {
    found: Vec<String>,
    compared: BTreeMap<String, usize>,
}

impl Differences {
    /// Equal within `relative` of the expected value or within `absolute`; NaN equals NaN. Nothing is compared where
    /// the record has nothing.
    fn check(&mut self, golden: &Golden, path: &str, actual: f64, relative: f64, absolute: f64) {
        let Some(expected) = golden.stat(path) else {
            return;
        };
        *self.compared.entry(path.to_owned()).or_default() += 1;
        let close = (actual - expected).abs() <= (relative * expected.abs()).max(absolute);
        if !(close || actual == expected || (actual.is_nan() && expected.is_nan())) {
            self.found
                .push(format!("{} {path}: {actual:e}, not {expected:e}", golden.name()));
        }
    }

    fn finish(self) {
        assert!(
            self.found.is_empty(),
            "{}:\n{}",
            self.found.len(),
            self.found.join("\n")
        );
        assert!(
            self.compared.len() > 3,
            "hardly anything was compared: {:?}",
            self.compared
        );
    }
}

/// Fifteen digits are written; sums of up to a few thousand terms of the size of the largest value lose two.
const RELATIVE: f64 = 1e-12;

/// What the originals themselves lose, in parts of the largest value: the mean of n values is off by some 2⁻⁵³ of it.
const ROUNDING: f64 = 1e-15;

#[test]
fn moments_median_and_moving_average_agree() {
    let mut differences = Differences::default();
    let (mut weights, mut buffer) = (EwmWeights::default(), Vec::new());
    for golden in golden() {
        let values = &golden.values;
        let absolute = ROUNDING * golden.size();
        let mut check = |path: &str, actual| differences.check(&golden, path, actual, RELATIVE, absolute);
        check("/tail_avg", golden.window().tail_mean());
        for moments in [Moments::of(values), Moments::plain(values)] {
            check("/mean", moments.mean());
            check("/std_sample", moments.sd_sample());
            check("/std_pop", moments.sd_population());
        }
        let middle = median(values, &mut buffer);
        check("/mad/median", middle);
        check(
            "/mad/mad",
            skywatch_algorithms::statistics::median_absolute_deviation(values, middle, &mut buffer),
        );
        if let [head @ .., last] = values.as_slice() {
            let moments = Moments::of(head);
            check("/msc/mean_excl_last", moments.mean());
            check("/msc/dev_last", moments.deviation(*last));
            check("/msc/std_pop_excl_last", moments.sd_population());
            check("/msc/std_sample_excl_last", moments.sd_sample());
            let n = values.len();
            for ewm in [Ewm::of(weights.of(n), values), Ewm::plain(weights.of(n), values)] {
                check("/ewm/mean", last - ewm.deviation);
                check("/ewm/std", ewm.sd);
            }
        }
        let n = values.len();
        if n > 2 {
            let n_f = n as f64;
            check("/grubbs/t_crit", upper_quantile(0.05 / (2.0 * n_f), n_f - 2.0));
            check("/grubbs/G", grubbs_limit(n));
        }
    }
    differences.finish();
}

#[test]
fn lines_agree_with_the_fit_in_extended_precision() {
    let mut differences = Differences::default();
    for golden in golden() {
        if golden.values.len() < 3
            || golden.is_fragile("least_squares") && golden.stat("/least_squares/rank") == Some(1.0)
        {
            continue;
        }
        for line in [
            LeastSquaresLine::of(golden.window(), &Moments::of(&golden.values)),
            LeastSquaresLine::plain(golden.window()),
        ] {
            let absolute = ROUNDING * golden.size();
            let mut check =
                |path: &str, actual, absolute| differences.check(&golden, path, actual, 1e-11, absolute);
            check("/least_squares/rank", f64::from(line.rank), 0.0);
            if line.rank == 2 {
                let span = golden.times[golden.times.len() - 1] - golden.times[0];
                check("/least_squares/exact_m", line.slope, 10.0 * absolute / span);
                check("/least_squares/exact_t", line.tail, 4.0 * absolute);
                check(
                    "/least_squares/exact_std_sample",
                    line.sd_sample(),
                    4.0 * absolute,
                );
            } else {
                check("/least_squares/m", line.slope, 0.0);
                check("/least_squares/t", line.tail, 1e-9 * golden.size());
                check(
                    "/least_squares/std_sample",
                    line.sd_sample(),
                    1e-9 * golden.size(),
                );
            }
        }
    }
    differences.finish();
}

#[test]
fn histograms_agree() {
    let mut compared = 0;
    for golden in golden() {
        let Some(counts) = golden.record["stats"].pointer("/histogram/counts") else {
            continue;
        };
        let bins = histogram::Bins::truncated(extent(&golden.values));
        let found: Vec<usize> = (0..15).map(|bin| bins.count(bin, &golden.values)).collect();
        assert_eq!(serde_json::json!(found), *counts, "{}", golden.name());
        compared += 1;
    }
    assert!(compared > 100);
}

#[test]
fn kolmogorov_smirnov_and_dickey_fuller_agree() {
    let mut differences = Differences::default();
    let mut buffers = adf::Buffers::default();
    for golden in golden() {
        let between = |from: f64, to: f64| -> Vec<f64> {
            let points = golden.times.iter().zip(&golden.values);
            points
                .filter(|&(&t, _)| t >= golden.now() - from && t < golden.now() - to)
                .map(|(_, &v)| v)
                .collect()
        };
        let (hour, mut probe) = (between(3600.0, 600.0), between(600.0, f64::NEG_INFINITY));
        let mut reference = hour.clone();
        reference.sort_by(f64::total_cmp);
        probe.sort_by(f64::total_cmp);
        let mut check =
            |path: &str, actual, relative| differences.check(&golden, path, actual, relative, 0.0);
        check("/ks/n_ref", reference.len() as f64, 0.0);
        check("/ks/n_probe", probe.len() as f64, 0.0);
        if reference.len() >= 20 && probe.len() >= 20 {
            let found = ks::two_sample(&reference, &probe, &mut Vec::new());
            check("/ks/d", found.d, 1e-14);
            check("/ks/p", found.p, 1e-9);
            if let Ok(found) = adf::test(&hour, &mut buffers) {
                check("/ks/adf_stat", found.statistic, 1e-9);
                check("/ks/adf_p", found.p, 1e-7);
                check("/ks/adf_usedlag", found.lag as f64, 0.0);
                check("/ks/adf_nobs", found.observations as f64, 0.0);
            }
        }
    }
    differences.finish();
}

#[test]
fn comparisons_agree() {
    let mut differences = Differences::default();
    let mut scratch = Scratch::new();
    let ensemble = Ensemble::classic(Rules::earthgecko());
    for golden in golden() {
        if golden.values.is_empty() {
            continue;
        }
        // The originals take differences of rounded means.
        let absolute = 4.0 * ROUNDING * golden.size();
        for explained in ensemble.explain(golden.window(), golden.now(), &mut scratch) {
            // LAPACK on raw timestamps is worse than the rest.
            let (relative, absolute) = match explained.detector.as_str() {
                "least_squares" => (1e-6, 1e-9 * golden.size()),
                _ => (RELATIVE, absolute),
            };
            if golden.is_fragile(&explained.detector) && explained.detector == "least_squares" {
                continue;
            }
            for (side, actual) in [
                (0, explained.comparison.measured),
                (1, explained.comparison.limit),
            ] {
                let path = format!("/compare/{}/{side}", explained.detector);
                differences.check(&golden, &path, actual, relative, absolute);
            }
        }
    }
    differences.finish();
}
