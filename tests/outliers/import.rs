//! Models that Keras has written: equal answers, broken files, and the command that brings them in.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use skywatch::aioutliers::read_model;
use skywatch_algorithms::learned::{Table, rescale};
use skywatch_algorithms::random::Random;

use super::world::{base64, post, setup, start};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/keras")
        .join(name)
}

fn answers(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}

fn numbers(of: &Value) -> Vec<f64> {
    let rows = of.as_array().unwrap().iter();
    let cells = rows.flat_map(|row| row.as_array().cloned().unwrap_or_else(|| vec![row.clone()]));
    cells.map(|cell| cell.as_f64().unwrap()).collect()
}

/// Both layouts of weights and bare HDF5, as `scripts/measures/keras_golden` has had Keras write them.
#[test]
fn models_say_what_keras_says() {
    for (file, answer) in [
        ("keras2.keras", "keras2.json"),
        ("keras2.h5", "keras2.json"),
        ("keras3.keras", "keras3.json"),
    ] {
        let imported = read_model(&golden(file)).unwrap_or_else(|error| panic!("{error}"));
        let answer = answers(answer);
        let columns: Vec<String> = serde_json::from_value(answer["columns"].clone()).unwrap();
        assert_eq!(imported.model.columns(), columns);
        // Mean and five spreads, as the `.ini` has them.
        assert!((imported.model.limits().all - (0.004_971_5 + 5.0 * 0.007_315_2)).abs() < 1e-12);
        let table = Table {
            times: numbers(&answer["times"]),
            columns,
            values: numbers(&answer["values"]),
        };
        let said = imported.model.reconstruct(&table).unwrap();
        let expected = numbers(&answer["expected"]);
        assert_eq!(said.expected.len(), expected.len());
        let worst = said
            .expected
            .iter()
            .zip(&expected)
            .map(|(ours, keras)| (rescale(*ours) - keras).abs())
            .fold(0.0, f64::max);
        assert!(worst < 1e-4, "{file}: {worst}");
        // A network that says the same of everything would be as near to itself.
        let spread = expected.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            - expected.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(spread > 0.3, "{file}: {spread}");
    }
}

#[test]
fn broken_files_are_refused_by_name_and_never_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(3);
    for file in ["keras2.keras", "keras2.h5", "keras3.keras"] {
        let whole = std::fs::read(golden(file)).unwrap();
        let path = folder.path().join(file);
        std::fs::copy(golden(file).with_extension("ini"), path.with_extension("ini")).unwrap();
        let refused = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read_model(&path).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(refused(&whole), Ok(()));
        for length in [0, 8, 100, 2_000, whole.len() / 2, whole.len() - 1] {
            let why = refused(&whole[..length]);
            // The last byte of bare HDF5 may be part of nothing.
            if length + 1 < whole.len() || file.ends_with("keras") {
                let why = why.expect_err("half a file is no model");
                assert!(why.contains(path.to_str().unwrap()), "{why}");
            }
        }
        // Whatever is changed, the outcome is a model or an error.
        for _ in 0..300 {
            let mut changed = whole.clone();
            for _ in 0..3 {
                let at = random.below(changed.len());
                changed[at] = random.below(256) as u8;
            }
            let _ = refused(&changed);
        }
    }
    let nothing = folder.path().join("nothing.keras");
    std::fs::write(&nothing, "").unwrap();
    assert!(read_model(&nothing).is_err());
}

#[test]
fn imported_models_serve_and_broken_ones_are_named() {
    let setup = setup();
    let folder = setup.path("ai");
    std::fs::create_dir(&folder).unwrap();
    let put = |from: &str, to: &str| std::fs::copy(golden(from), folder.join(to)).unwrap();
    put("keras2.keras", "traffic.keras");
    put("keras2.ini", "traffic.ini");
    let filter = json!({"type": "selector", "dimension": "sensor_name", "value": "ASR"});
    std::fs::write(folder.join("traffic_filter.json"), filter.to_string()).unwrap();
    let models = folder.display().to_string();
    let ended = setup.run(&["import-aioutliers", "--models", &models]);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(
        ended.log.contains("imported: traffic, ASR :: version"),
        "{}",
        ended.log
    );
    let (_server, to) = start(&setup);
    let answer = answers("keras2.json");
    let names = answer["columns"].as_array().unwrap();
    let row = |(time, cells): (&Value, &Value)| {
        let result: serde_json::Map<String, Value> = names
            .iter()
            .zip(cells.as_array().unwrap())
            .map(|(name, cell)| (name.as_str().unwrap().to_owned(), cell.clone()))
            .collect();
        json!({"timestamp": time, "result": result})
    };
    let rows = answer["times"]
        .as_array()
        .unwrap()
        .iter()
        .zip(answer["values"].as_array().unwrap());
    let rows: Value = rows.map(row).collect();
    let said = post(
        to,
        "/api/v1/outliers",
        &json!({"data": rows, "model": base64("traffic")}),
    );
    assert_eq!(said.status, 200, "{}", said.body);
    let said = said.json();
    assert_eq!(
        (&said["model"]["name"], &said["model"]["chosen_by"]),
        (&"traffic".into(), &"name".into())
    );
    // The second column of the table is the bytes of a second, the third the bytes.
    let forecast = said["predicted"][40]["forecast"].as_f64().unwrap();
    let expected = answer["expected"][40][2].as_f64().unwrap();
    assert!(
        (rescale(forecast) - expected).abs() < 1e-4,
        "{forecast} {expected}"
    );
    std::fs::write(folder.join("half.keras"), b"PK\x03\x04 and no more").unwrap();
    let ended = setup.run(&["import-aioutliers", "--models", &models]);
    assert_eq!(ended.code(), 1, "{}", ended.log);
    assert!(
        ended.log.contains("half.keras") && ended.log.contains("imported: traffic"),
        "{}",
        ended.log
    );
    assert!(ended.log.contains("1 of 2 models"), "{}", ended.log);
}
