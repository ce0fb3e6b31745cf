//! The store of models, the same questions to a folder and to a bucket.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use skywatch::models::{
    BlobStore, Bucket, Card, Folder, Holdout, LiveModel, ModelError, ModelRegistry, Provenance, Refresh,
};
use skywatch_algorithms::Window;
use skywatch_algorithms::learned::{
    FamilyAutoencoder, FamilyOptions, FitReport, FittedFamilies, FittedSequence, SequenceAutoencoder,
    SequenceOptions, Table,
};
use skywatch_algorithms::streaming::Forecasts as _;

use super::moto::Moto;
use crate::common::http_sink::{Answer, HttpSink};

/// A place of models that tests may also reach behind the registry's back.
#[derive(Clone)]
struct Shared(Arc<dyn BlobStore>);

impl BlobStore for Shared {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ModelError> {
        self.0.get(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
        self.0.put(name, bytes)
    }

    fn remove(&self, name: &str) -> Result<(), ModelError> {
        self.0.remove(name)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, ModelError> {
        self.0.list(folder)
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

fn both(check: impl Fn(Shared)) {
    let folder = tempfile::tempdir().unwrap();
    check(Shared(Arc::new(Folder::new(folder.path().join("models")))));
    let moto = Moto::start();
    check(Shared(Arc::new(moto.bucket())));
}

fn table(rows: usize) -> Table {
    Table {
        times: (0..rows).map(|row| 1.7e9 + 60.0 * row as f64).collect(),
        columns: vec!["bytes".to_owned()],
        values: (0..rows).map(|row| 1e6 + 1e5 * (row % 7) as f64).collect(),
    }
}

fn made(seed: u64) -> (Provenance, FittedSequence) {
    let options = SequenceOptions {
        epochs: 1,
        seed,
        ..SequenceOptions::default()
    };
    let (network, fit): (_, FitReport) = SequenceAutoencoder::new(table(0).columns, options)
        .fit(&[table(64)], &mut |_| ControlFlow::Continue(()))
        .unwrap();
    let provenance = Provenance {
        trained: (1.7e9, 1.7e9 + 3780.0),
        made_at: 1.7e9,
        fits: vec![fit],
        holdout: Holdout {
            error: 0.1,
            previous: None,
            from: 1.7e9,
        },
        seed,
        cpu: Vec::new(),
        made_by: "a test".to_owned(),
    };
    (provenance, network)
}

fn publish(registry: &ModelRegistry, version: &str, seed: u64) -> Card {
    let (provenance, model) = made(seed);
    registry.publish("web", version, provenance, &model).unwrap()
}

/// What the serving model makes of a table.
fn answer(live: &LiveModel<FittedSequence>) -> Vec<f64> {
    let current = live.current().unwrap();
    current.model.reconstruct(&table(40)).unwrap().expected
}

#[test]
fn what_is_published_serves_and_can_be_taken_back() {
    both(|blobs| {
        let registry = ModelRegistry::new(blobs);
        let live = LiveModel::new(registry.clone(), "web".to_owned());
        assert_eq!(registry.names().unwrap(), [] as [String; 0]);
        assert!(matches!(live.refresh(), Ok(Refresh::Unchanged)));
        assert!(live.current().is_none());
        let first = publish(&registry, "v1", 1);
        assert!(matches!(live.refresh(), Ok(Refresh::Changed(version)) if version == "v1"));
        let of_first = answer(&live);
        assert_eq!(
            live.current().unwrap().card,
            first,
            "the card comes back as it was written"
        );
        let held = live.current().unwrap();
        publish(&registry, "v2", 2);
        assert!(matches!(live.refresh(), Ok(Refresh::Changed(version)) if version == "v2"));
        assert_eq!(held.card.version, "v1", "who had the old one keeps it whole");
        assert_ne!(answer(&live), of_first);
        assert!(matches!(live.refresh(), Ok(Refresh::Unchanged)));
        assert_eq!(registry.names().unwrap(), ["web"]);
        assert_eq!(registry.versions("web").unwrap(), ["v1", "v2"]);
        assert_eq!(registry.roll_back("web", None).unwrap(), "v1");
        live.refresh().unwrap();
        assert_eq!(answer(&live), of_first);
        assert!(
            matches!(registry.roll_back("web", None), Err(ModelError::Missing(_))),
            "there is none before it"
        );
        assert_eq!(registry.roll_back("web", Some("v2")).unwrap(), "v2");
        assert!(matches!(
            registry.roll_back("web", Some("v3")),
            Err(ModelError::Missing(_))
        ));
        assert!(matches!(
            registry.roll_back("other", None),
            Err(ModelError::Missing(_))
        ));
    });
}

#[test]
fn what_is_not_whole_is_refused_while_the_old_one_serves() {
    both(|blobs| {
        let registry = ModelRegistry::new(blobs.clone());
        let live = LiveModel::new(registry.clone(), "web".to_owned());
        publish(&registry, "v1", 1);
        live.refresh().unwrap();
        let of_first = answer(&live);
        publish(&registry, "v2", 2);
        let path = |file: &str| format!("web/versions/v2/{file}");
        let original = |file: &str| blobs.get(&path(file)).unwrap().unwrap();
        let (weights, card) = (original("model.safetensors"), original("card.json"));
        let mut flipped = weights.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let richer = String::from_utf8(card.clone())
            .unwrap()
            .replace("\"seed\": 2", "\"seed\": 3")
            .into_bytes();
        assert_ne!(richer, card);
        for (file, bytes) in [
            ("model.safetensors", &weights[..weights.len() / 2]),
            ("model.safetensors", &[]),
            ("model.safetensors", &flipped),
            ("card.json", &richer),
            ("card.json", &card[..card.len() / 2]),
        ] {
            blobs.put(&path(file), bytes).unwrap();
            // A newcomer tells each; one that has told it is quiet about it.
            let newcomer = LiveModel::<FittedSequence>::new(registry.clone(), "web".to_owned());
            assert!(matches!(newcomer.refresh(), Ok(Refresh::Refused(_))), "{file}");
            assert!(matches!(newcomer.refresh(), Ok(Refresh::Unchanged)));
            assert!(newcomer.current().is_none());
            live.refresh().unwrap();
            assert_eq!(answer(&live), of_first);
            blobs.put(&path("model.safetensors"), &weights).unwrap();
            blobs.put(&path("card.json"), &card).unwrap();
        }
        blobs
            .put("web/latest", b"{\"version\": \"../v1\", \"card_sha256\": \"\"}")
            .unwrap();
        assert!(matches!(live.refresh(), Ok(Refresh::Refused(_))));
        blobs.put("web/latest", b"{\"vers").unwrap();
        assert!(matches!(live.refresh(), Ok(Refresh::Refused(_))));
        assert_eq!(answer(&live), of_first);
        registry.roll_back("web", Some("v2")).unwrap_err();
    });
}

#[test]
fn a_version_without_a_pointer_is_no_version_in_use() {
    both(|blobs| {
        let registry = ModelRegistry::new(blobs.clone());
        publish(&registry, "v1", 1);
        let pointer = blobs.get("web/latest").unwrap().unwrap();
        publish(&registry, "v2", 2);
        // As if v2 had been broken off before its last step.
        blobs.put("web/latest", &pointer).unwrap();
        let live = LiveModel::<FittedSequence>::new(registry, "web".to_owned());
        assert!(matches!(live.refresh(), Ok(Refresh::Changed(version)) if version == "v1"));
    });
}

#[test]
fn a_model_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Folder::new(folder.path().to_owned());
    let registry = ModelRegistry::new(blobs.clone());
    publish(&registry, "v1", 1);
    let live = LiveModel::<FittedFamilies>::new(registry.clone(), "web".to_owned());
    let Ok(Refresh::Refused(error)) = live.refresh() else {
        panic!("a network of columns serves as families")
    };
    assert!(
        error.to_string().contains("`sequence`, not `families`"),
        "{error}"
    );
    // One of a kind that only a later version knows is not pointed at.
    let card = blobs.get("web/versions/v1/card.json").unwrap().unwrap();
    let card = String::from_utf8(card)
        .unwrap()
        .replace("\"sequence\"", "\"later\"");
    blobs.put("web/versions/v1/card.json", card.as_bytes()).unwrap();
    let error = registry.roll_back("web", Some("v1")).unwrap_err().to_string();
    assert!(error.contains("no models of the kind `later`"), "{error}");
}

#[test]
fn names_that_are_paths_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let registry = ModelRegistry::new(Folder::new(folder.path().to_owned()));
    for name in ["", "..", "a/b", "a.b", "a b", "ä", &"x".repeat(101)] {
        assert!(
            matches!(registry.pointer(name), Err(ModelError::Name(_))),
            "{name}"
        );
    }
    let (provenance, model) = made(1);
    assert!(matches!(
        registry.publish("web", "../../v1", provenance, &model),
        Err(ModelError::Name(_))
    ));
}

#[test]
fn slow_a_bucket_with_many_names_is_listed_whole_and_a_missing_one_is_said() {
    let moto = Moto::start();
    let bucket = moto.bucket();
    for number in 0..1_005 {
        bucket
            .put(&format!("web/versions/v{number:04}/card.json"), b"{}")
            .unwrap();
    }
    assert_eq!(bucket.list("web/versions").unwrap().len(), 1_005);
    let missing = Bucket::new(&skywatch_settings::Models {
        place: Some("s3://nowhere/sky/watch".to_owned()),
        ..moto.models()
    });
    let missing = missing.unwrap();
    let said = missing.get("web/latest").unwrap_err().to_string();
    assert!(said.contains("NoSuchBucket"), "{said}");
    assert!(
        !said.contains("Signature"),
        "an address with a signature is not shown"
    );
}

#[test]
fn the_vote_is_that_of_the_version_that_serves_and_only_on_metrics_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let registry = ModelRegistry::new(Folder::new(folder.path().to_owned()));
    let live = LiveModel::<FittedFamilies>::new(registry.clone(), "families".to_owned());
    let times: Vec<f64> = (0..1440).map(|n| 1.7e9 + 60.0 * f64::from(n)).collect();
    let wave = |unit: f64| -> Vec<f64> {
        times
            .iter()
            .map(|time| unit * (5.0 + (time / 600.0).sin() + (time / 77.0).cos()))
            .collect()
    };
    let (small, large) = (wave(1.0), wave(1e6));
    let families: Vec<_> = [("small", &small), ("large", &large)]
        .into_iter()
        .map(|(name, values)| {
            let mut family = FamilyAutoencoder::of(
                1,
                FamilyOptions {
                    epochs: 4,
                    ..FamilyOptions::default()
                },
            );
            assert!(family.add(name, Window::new(&times, values)));
            family.fit(&mut |_| ControlFlow::Continue(())).unwrap()
        })
        .collect();
    assert!(live.current().is_none(), "nothing serves yet");
    let (mut provenance, _) = made(1);
    provenance.fits = families.iter().map(|(_, fit)| fit.clone()).collect();
    let families: Vec<_> = families.into_iter().map(|(family, _)| family).collect();
    registry
        .publish("families", "v1", provenance, &FittedFamilies::from(families))
        .unwrap();
    assert!(matches!(live.refresh(), Ok(Refresh::Changed(_))));
    let serving = live.current().expect("it serves");
    let expected = |name: &str, count: usize, values: &[f64], is_rate: bool| {
        serving.forecast(name, Window::new(&times[..count], &values[..count]), is_rate)
    };
    let (of_large, of_small) = (
        expected("large", 1440, &large, false),
        expected("small", 1440, &small, false),
    );
    assert!(
        of_large.is_some_and(|value| (3e6..7e6).contains(&value)),
        "{of_large:?}"
    );
    assert!(
        of_small.is_some_and(|value| (3.0..7.0).contains(&value)),
        "{of_small:?}"
    );
    assert_eq!(expected("unknown", 1440, &small, false), None);
    assert_eq!(expected("small", 3, &small, false), None, "too short");
    assert_eq!(
        expected("small", 1440, &small, true),
        None,
        "learnt as it stands, and asked for its rate"
    );
}

#[test]
fn a_pointer_is_fetched_again_only_when_its_tag_has_changed() {
    let tag = Arc::new(Mutex::new("\"1\""));
    let current = Arc::clone(&tag);
    let server = HttpSink::start(move |request| {
        let tag = *current.lock().unwrap();
        let headers = vec![("ETag", tag.to_owned()), ("Connection", "close".to_owned())];
        match request.header("if-none-match") == Some(tag) {
            true => Answer::Say(304, headers, Vec::new()),
            false => Answer::Say(200, headers, tag.as_bytes().to_vec()),
        }
    });
    let bucket = Bucket::new(&skywatch_settings::Models {
        place: Some("s3://models".to_owned()),
        endpoint: Some(server.url()),
        access_key: Some("key".to_owned()),
        secret_key: Some(skywatch_settings::Secret::new("secret")),
        ..skywatch_settings::Models::default()
    })
    .unwrap();
    let get = || bucket.get("web/latest").unwrap();
    for _ in 0..3 {
        assert_eq!(get().as_deref(), Some(&b"\"1\""[..]));
    }
    *tag.lock().unwrap() = "\"2\"";
    assert_eq!(get().as_deref(), Some(&b"\"2\""[..]));
    let requests = server.requests();
    let asked: Vec<_> = requests
        .iter()
        .map(|request| request.header("if-none-match"))
        .collect();
    let (one, none) = (Some("\"1\""), None);
    assert_eq!(asked, [none, one, one, one]);
}

#[test]
fn a_pipe_or_a_device_is_no_model_and_nothing_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(folder.path().join("pipe"))
        .status();
    assert!(made.unwrap().success());
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("zero")).unwrap();
    for name in ["pipe", "zero"] {
        let blobs = Folder::new(folder.path().to_owned());
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || send.send(blobs.get(name).is_err()));
        let refused = receive.recv_timeout(std::time::Duration::from_secs(10));
        assert_eq!(refused, Ok(true), "{name}");
    }
}

#[test]
fn old_versions_go_and_the_one_that_serves_stays() {
    both(|blobs| {
        let registry = ModelRegistry::new(blobs);
        for number in 1..=4 {
            let (provenance, fitted) = made(number);
            registry
                .publish("m", &format!("v{number}"), provenance, &fitted)
                .unwrap();
        }
        registry.roll_back("m", Some("v1")).unwrap();
        registry.keep_newest("m", 2).unwrap();
        assert_eq!(registry.versions("m").unwrap(), ["v1", "v3", "v4"]);
        let pointer = registry.pointer("m").unwrap().unwrap();
        registry.load::<FittedSequence>("m", &pointer).unwrap();
        registry.keep_newest("m", 9).unwrap();
        assert_eq!(registry.versions("m").unwrap().len(), 3);
    });
}
