use std::ops::ControlFlow;

use super::*;

/// Days of a metric with a daily wave, a point a minute.
fn wave(days: usize, seed: u64) -> (Vec<f64>, Vec<f64>) {
    let mut random = Random::new(seed);
    let unit = 10f64.powi((seed % 7) as i32 - 3);
    let times: Vec<f64> = (0..days * 1440).map(|n| 1.7e9 + 60.0 * n as f64).collect();
    let value =
        |time: f64, noise: f64| unit * (100.0 + 30.0 * (std::f64::consts::TAU * time / DAY).sin() + noise);
    let values = times.iter().map(|&time| value(time, random.normal())).collect();
    (times, values)
}

fn fitted(metrics: u64) -> (FittedFamily, FitReport) {
    let options = FamilyOptions {
        epochs: 6,
        ..FamilyOptions::default()
    };
    let mut family = FamilyAutoencoder::of(metrics as usize, options);
    for seed in 0..metrics {
        let (times, values) = wave(3, seed);
        assert!(family.add(&format!("m{seed}"), Window::new(&times, &values)));
    }
    family.fit(&mut |_| ControlFlow::Continue(())).unwrap()
}

fn forecast(family: &FittedFamily, name: &str, times: &[f64], values: &[f64]) -> Option<f64> {
    family.forecast(&family.scale(name).unwrap(), Window::new(times, values))
}

#[test]
fn every_variable_gets_a_gradient() {
    let layers = Variables::start(&shapes(), 1).unwrap();
    let mut random = Random::new(3);
    let samples: Vec<TrainingSample> = (0..64)
        .map(|_| TrainingSample {
            inputs: std::array::from_fn(|_| random.normal() as f32),
            outputs: std::array::from_fn(|_| random.normal() as f32),
        })
        .collect();
    let gradients = loss(&layers, &samples.iter().collect::<Vec<_>>())
        .unwrap()
        .backward()
        .unwrap();
    for (name, var) in &layers.0 {
        let gradient = gradients
            .get(var)
            .unwrap_or_else(|| panic!("`{name}` gets no gradient"));
        let size = gradient
            .abs()
            .unwrap()
            .sum_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap();
        assert!(size > 0.0, "`{name}` gets a gradient of zero");
    }
}

#[test]
fn it_says_what_should_have_been() {
    let (family, report) = fitted(8);
    assert!(report.epochs.last().unwrap().loss < report.epochs[0].loss);
    let (times, mut values) = wave(2, 3);
    let last = values.len() - 1;
    let expected = forecast(&family, "m3", &times, &values).unwrap();
    let unit = 10f64.powi(0);
    assert!(
        (expected - values[last]).abs() < 6.0 * unit,
        "{expected} for {}",
        values[last]
    );
    values[last] += 60.0 * unit;
    let again = forecast(&family, "m3", &times, &values);
    assert_eq!(again, Some(expected), "the newest value must not be seen");
}

#[test]
fn the_inference_is_the_network() {
    let layers = Variables::start(&shapes(), 9).unwrap();
    let dense = DenseInference::of(&layers).unwrap();
    let mut random = Random::new(3);
    for _ in 0..20 {
        let inputs: [f32; INPUTS] = std::array::from_fn(|_| random.normal() as f32);
        let x = Tensor::from_slice(&inputs, (1, INPUTS), &Device::Cpu).unwrap();
        let all: Vec<f32> = forward(&layers, &x)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        assert!((all[0] - dense.hidden(&inputs)).abs() < 1e-4 * (1.0 + all[0].abs()));
    }
}

#[test]
fn a_counter_is_forecast_by_its_growth() {
    let mut family = FamilyAutoencoder::of(1, FamilyOptions::default());
    let (times, rates) = wave(3, 3);
    let mut sum = 0.0;
    let counts: Vec<f64> = rates
        .iter()
        .map(|rate| {
            sum += 60.0 * rate;
            sum
        })
        .collect();
    assert!(family.add("counter", Window::new(&times, &counts)));
    let (family, _) = family.fit(&mut |_| ControlFlow::Continue(())).unwrap();
    let scale = family.scale("counter").unwrap();
    assert!(scale.is_rate);
    let last = times.len() - 1;
    let expected = forecast(&family, "counter", &times, &counts).unwrap();
    assert!(
        (expected - rates[last]).abs() < 6.0,
        "{expected} for {}",
        rates[last]
    );
    // The same as of the rates themselves, and a reset in between is left out.
    let as_rates = MetricScale {
        is_rate: false,
        ..scale
    };
    let of_rates = family.forecast(&as_rates, Window::new(&times, &rates)).unwrap();
    assert!((expected - of_rates).abs() < 1e-3);
    let mut reset = counts;
    reset[last - 5..].iter_mut().for_each(|count| *count -= sum / 2.0);
    let after = forecast(&family, "counter", &times, &reset).unwrap();
    assert!((after - expected).abs() < 6.0, "{after} and {expected}");
}

#[test]
fn a_fit_repeats_to_the_bit_and_survives_being_kept() {
    let ((one, _), (two, _)) = (fitted(3), fitted(3));
    let kept = one.weights().unwrap();
    assert_eq!(kept, two.weights().unwrap());
    let names: Vec<String> = one.names().map(str::to_owned).collect();
    let again = FittedFamily::from_weights(&names, &kept).unwrap();
    let (times, values) = wave(2, 1);
    assert_eq!(
        forecast(&one, "m1", &times, &values),
        forecast(&again, "m1", &times, &values)
    );
    let mut broken = kept.clone();
    broken.0.get_mut("metrics").unwrap().data[2] = 0.0;
    broken.0.get_mut("metrics").unwrap().data[3] = 0.0;
    assert!(FittedFamily::from_weights(&names, &broken).is_err());
    assert!(FittedFamily::from_weights(&names[1..], &kept).is_err());
}

#[test]
fn strange_windows_are_no_vote_and_no_panic() {
    let (family, _) = fitted(2);
    let (times, values) = wave(1, 1);
    for count in [0, 1, 5, 20] {
        assert_eq!(forecast(&family, "m1", &times[..count], &values[..count]), None);
    }
    let still = vec![5.0; 1440];
    assert!(forecast(&family, "m1", &times, &still).is_some());
    let huge = vec![1e308; 1440];
    assert!(forecast(&family, "m1", &times, &huge).is_none_or(f64::is_finite));
    let sparse: Vec<usize> = (0..1440).step_by(37).collect();
    let (times, values): (Vec<f64>, Vec<f64>) = sparse.iter().map(|&n| (times[n], values[n])).unzip();
    let _ = forecast(&family, "m1", &times, &values);
    let mut family = FamilyAutoencoder::of(1, FamilyOptions::default());
    assert!(!family.add("still", Window::new(&times, &vec![1.0; times.len()])));
    assert!(!family.add("empty", Window::new(&[], &[])));
    assert!(family.fit(&mut |_| ControlFlow::Continue(())).is_err());
}
