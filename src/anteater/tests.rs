use std::fmt::Write as _;
use std::path::Path;

use skywatch_settings::{KafkaSasl, Sources, load};

use super::{AnteaterFiles, import};
use crate::imported::{ImportOutcome, ImportedSettings};

/// As the user guide has it.
const CONFIGURATION: &str = r#"
Global:
  data_source: "prometheus"

Arangodb:
  url: "http://localhost:8529"
  db_name: "spider"

Kafka:
  server: "192.168.122.100"
  port: "9092"
  model_topic: "gala_anteater_hybrid_model"
  rca_topic: "my_causes"
  meta_topic: "gala_gopher_metadata"
  group_id: "gala_anteater_kafka"
  # auth_type: plaintext/sasl_plaintext, please set "" for no auth
  auth_type: "sasl_plaintext"
  username: "gala"
  password: "hunter2"

Prometheus:
  server: "localhost"
  port: "9090"
  steps: "5"

Aom:
  base_url: ""
  project_id: ""
  auth_type: "token"
  auth_info:
    iam_server: ""
    iam_domain: ""
    iam_user_name: ""
    iam_password: ""
    ssl_verify: 0

Schedule:
  duration: 1

Suppression:
  interval: 10

Extra:
  unknown: 1
"#;

/// Files of the original's size: a job of ten indicators and a hundred other metrics among eleven more, 800 metrics described.
fn write_files(folder: &Path) -> AnteaterFiles {
    let configuration = folder.join("gala-anteater.yaml");
    std::fs::write(&configuration, CONFIGURATION).expect("room");
    let metric_info = folder.join("metricinfo.json");
    let infos: Vec<_> = (0..800)
        .map(|number| {
            serde_json::json!({
                "metric": format!("gala_gopher_metric_{number}"), "entity_name": "sli", "data_type": "gauge",
                "en": format!("Metric {number}"), "zh": "指标", "data_classification": "",
                "aggregation": if number % 10 == 3 { "max" } else { "avg" },
            })
        })
        .collect();
    std::fs::write(&metric_info, serde_json::to_vec(&infos).expect("JSON")).expect("room");
    let jobs = folder.join("module");
    std::fs::create_dir(&jobs).expect("room");
    let list = |range: std::ops::Range<u32>| -> Vec<_> {
        range
            .map(|number| {
                serde_json::json!({
                    "metric": format!("gala_gopher_metric_{number}"), "entity_name": "sli", "description": "", "enable": number != 1,
                    "atrend": "rise", "params": {"obs_size": 25, "deep": {"er": 1}},
                })
            })
            .collect()
    };
    let job = |enable: bool, job_type: &str| {
        serde_json::json!({
            "name": "usad", "enable": enable, "job_type": job_type, "detector": "usad", "template": "net",
            "keywords": ["app"], "root_cause_num": 20, "kpis": list(0..10), "features": list(5..110),
            "model_config": {"name": "usad_model", "params": {"detect_type": "machine_id", "hidden_sizes": []}},
        })
    };
    let write = |name: &str, job: serde_json::Value| {
        std::fs::write(jobs.join(name), serde_json::to_vec_pretty(&job).expect("JSON")).expect("room");
    };
    write("usad_model.json", job(true, "anomaly_detection"));
    write("rca.job.json", job(true, "root_cause_analysis"));
    for number in 0..10 {
        write(&format!("other_{number}.json"), job(false, "anomaly_detection"));
    }
    std::fs::write(jobs.join("README.md"), "no job").expect("room");
    AnteaterFiles {
        configuration,
        metric_info: Some(metric_info),
        jobs: Some(jobs),
    }
}

fn outcome<'i>(imported: &'i ImportedSettings, key: &str) -> &'i ImportOutcome {
    let found = imported.notes.iter().find(|note| note.key == key);
    &found
        .unwrap_or_else(|| panic!("nothing is said of `{key}`"))
        .outcome
}

#[test]
fn a_configuration_of_the_originals_size_becomes_settings_that_are_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = write_files(folder.path());
    let imported = import(&files).expect("a configuration");
    let file = folder.path().join("skywatch.toml");
    // The password's file does not exist on this machine.
    let password = folder.path().join("password");
    std::fs::write(&password, "hunter2").expect("room");
    let place = password.display().to_string();
    std::fs::write(
        &file,
        imported.settings.replace("/etc/skywatch/kafka-password", &place),
    )
    .expect("room");
    let sources = Sources {
        file: Some(file),
        env: vec![("HOME".to_owned(), "/home/u".to_owned())],
        ..Sources::default()
    };
    let loaded = load(sources).unwrap_or_else(|error| panic!("{error}\n{}", imported.settings));
    let events = &loaded.settings.events;
    assert_eq!(events.kafka_brokers[0].to_string(), "192.168.122.100:9092");
    assert_eq!(events.kafka_cause_topic, "my_causes");
    assert_eq!(events.kafka_sasl, KafkaSasl::Plain);
    assert_eq!(events.kafka_username.as_deref(), Some("gala"));
    assert_eq!(events.repeat_after.as_secs(), 600);
    assert_eq!(events.metric_info_file, files.metric_info);
    let entities = &loaded.settings.entities;
    assert!(entities.enabled);
    assert_eq!(entities.step.as_secs(), 5);
    assert_eq!(entities.labels, ["machine_id"]);
    let job = files
        .jobs
        .as_ref()
        .map(|folder| folder.join("usad_model.json").display().to_string());
    assert_eq!(entities.jobs, Vec::from_iter(job));
    assert_eq!(entities.jobs_step.as_secs(), 5);
    assert_eq!(entities.jobs_each.as_secs(), 60);
    assert_eq!(loaded.settings.causes.database, "spider");
    assert!(!imported.settings.contains("hunter2"));
}

#[test]
fn of_every_key_is_said_what_became_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let imported = import(&write_files(folder.path())).expect("a configuration");
    let leaves = CONFIGURATION
        .lines()
        .filter(|line| line.contains(": ") && !line.trim_start().starts_with('#'));
    for leaf in leaves {
        let (key, _) = leaf.trim().split_once(':').expect("a key");
        let said = imported
            .notes
            .iter()
            .filter(|note| note.key.ends_with(&format!(".{key}")));
        assert!(said.count() >= 1, "nothing is said of `{leaf}`");
    }
    let carried = |setting: &str| ImportOutcome::Carried(setting.to_owned());
    assert_eq!(outcome(&imported, "Kafka.port"), &carried("events.kafka_brokers"));
    assert_eq!(outcome(&imported, "Prometheus.steps"), &carried("entities.step"));
    assert_eq!(outcome(&imported, "usad_model.json"), &carried("entities.jobs"));
    assert_eq!(outcome(&imported, "Arangodb.url"), &carried("causes.url"));
    for left in [
        "Extra.unknown",
        "usad_model.json: model_config",
        "other_3.json",
        "rca.job.json",
    ] {
        assert!(
            matches!(outcome(&imported, left), ImportOutcome::Left(_)),
            "{left}"
        );
    }
    let to_do = imported
        .notes
        .iter()
        .filter(|note| matches!(note.outcome, ImportOutcome::ToDo(_)));
    assert_eq!(to_do.count(), 2, "the password, and that it goes in the clear");
    let all = format!("{:?}", imported.notes);
    assert!(!all.contains("hunter2"));
}

#[test]
fn what_is_no_configuration_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gala-anteater.yaml");
    let files = AnteaterFiles {
        configuration: path.clone(),
        metric_info: None,
        jobs: None,
    };
    let mut bomb = "a: &a [x, x]\n".to_owned();
    for (name, before) in ('b'..='z').zip('a'..) {
        _ = writeln!(bomb, "{name}: &{name} [*{before}, *{before}]");
    }
    for (text, why) in [
        ("- a\n- b\n", "a table"),
        ("", "a table"),
        ("a: [", "line"),
        (bomb.as_str(), "aliases"),
        ("- ".repeat(100_000).as_str(), "64 deep"),
    ] {
        std::fs::write(&path, text).expect("room");
        let error = import(&files).expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
    std::fs::remove_file(&path).expect("it is there");
    assert!(
        import(&files)
            .expect_err("no file")
            .to_string()
            .contains("cannot read")
    );
    std::fs::write(
        &path,
        "Kafka:\n  server: [a, b]\n  port: x\nSuppression:\n  interval: soon\n",
    )
    .expect("room");
    let imported = import(&files).expect("odd values are no reason to refuse the file");
    assert!(matches!(
        outcome(&imported, "Suppression.interval"),
        ImportOutcome::Left(_)
    ));
}
