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
        assert!(family.show(&format!("m{seed}"), Window::new(&times, &values)));
    }
    family.fit(&mut |_| ControlFlow::Continue(())).unwrap()
}

fn judged(family: &FittedFamily, name: &str, times: &[f64], values: &[f64]) -> Option<Said> {
    let mut said = Vec::new();
    let ask = Ask {
        scale: family.scale(name).unwrap(),
        window: Window::new(times, values),
    };
    family.judge(&[ask], &mut said).unwrap();
    said[0]
}

#[test]
fn every_variable_gets_a_gradient() {
    let layers = Variables::start(&shapes(), 1).unwrap();
    let mut random = Random::new(3);
    let lessons: Vec<Lesson> = (0..64)
        .map(|_| Lesson {
            inputs: std::array::from_fn(|_| random.normal() as f32),
            outputs: std::array::from_fn(|_| random.normal() as f32),
        })
        .collect();
    let gradients = loss(&layers, &lessons.iter().collect::<Vec<_>>())
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
    let usual = judged(&family, "m3", &times, &values).unwrap();
    let unit = 10f64.powi(0);
    assert!(
        (usual.expected - values[last]).abs() < 6.0 * unit,
        "{usual:?} for {}",
        values[last]
    );
    assert!(usual.score < 1.0, "{usual:?}");
    values[last] += 60.0 * unit;
    let odd = judged(&family, "m3", &times, &values).unwrap();
    assert_eq!(odd.expected, usual.expected, "the newest value must not be seen");
    assert!(odd.score > 1.0, "{odd:?}");
}

#[test]
fn alone_or_together_the_answer_is_the_same() {
    let (family, _) = fitted(4);
    let windows: Vec<_> = (0..4).map(|seed| wave(2, seed)).collect();
    let asks: Vec<Ask<'_>> = windows
        .iter()
        .zip(family.names())
        .map(|((times, values), name)| Ask {
            scale: family.scale(name).unwrap(),
            window: Window::new(times, values),
        })
        .collect();
    let mut together = Vec::new();
    family.judge(&asks, &mut together).unwrap();
    for (((times, values), name), said) in windows.iter().zip(family.names()).zip(together) {
        let (alone, said) = (judged(&family, name, times, values).unwrap(), said.unwrap());
        assert!((alone.score - said.score).abs() <= 1e-3 * (1.0 + said.score));
    }
}

#[test]
fn a_fit_repeats_to_the_bit_and_survives_being_kept() {
    let ((one, _), (two, _)) = (fitted(3), fitted(3));
    let kept = one.weights().unwrap();
    assert_eq!(kept, two.weights().unwrap());
    let names: Vec<String> = one.names().map(str::to_owned).collect();
    let again = FittedFamily::from_weights(&names, &kept).unwrap();
    let (times, values) = wave(2, 1);
    let (before, after) = (
        judged(&one, "m1", &times, &values),
        judged(&again, "m1", &times, &values),
    );
    let (before, after) = (before.unwrap(), after.unwrap());
    assert!((before.score - after.score).abs() < 1e-4 * (1.0 + before.score));
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
        assert_eq!(judged(&family, "m1", &times[..count], &values[..count]), None);
    }
    let still = vec![5.0; 1440];
    assert!(judged(&family, "m1", &times, &still).is_some());
    let huge = vec![1e300; 1440];
    let said = judged(&family, "m1", &times, &huge);
    assert!(said.is_none_or(|said| said.score.is_finite()));
    let sparse: Vec<usize> = (0..1440).step_by(37).collect();
    let (times, values): (Vec<f64>, Vec<f64>) = sparse.iter().map(|&n| (times[n], values[n])).unzip();
    let _ = judged(&family, "m1", &times, &values);
    let mut family = FamilyAutoencoder::of(1, FamilyOptions::default());
    assert!(!family.show("still", Window::new(&times, &vec![1.0; times.len()])));
    assert!(!family.show("empty", Window::new(&[], &[])));
    assert!(family.fit(&mut |_| ControlFlow::Continue(())).is_err());
}

#[test]
fn a_step_goes_to_its_slot() {
    assert_eq!((SLOTS[0], SLOTS[1], SLOTS[16], SLOTS[17]), (0, 0, 15, 16));
    assert_eq!((SLOTS[48], SLOTS[49], SLOTS[304]), (23, 24, 31));
}
