//! The store of models, the same questions to a folder and to a bucket.

use std::ops::ControlFlow;
use std::sync::Arc;

use skywatch::models::{
    Bucket, Card, Folder, Holdout, Kind, Library, Model, ModelError, Served, Shelf, Turn,
};
use skywatch_algorithms::Window;
use skywatch_algorithms::learned::{
    FamilyAutoencoder, FamilyOptions, FitReport, SequenceAutoencoder, SequenceOptions, Table, WINDOW,
};
use skywatch_algorithms::streaming::Forecasts as _;

use super::moto::Moto;

/// A shelf that tests may also reach behind the library's back.
#[derive(Clone)]
struct Shared(Arc<dyn Shelf>);

impl Shelf for Shared {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ModelError> {
        self.0.get(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
        self.0.put(name, bytes)
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

fn made(version: &str, seed: u64) -> (Card, Model) {
    let options = SequenceOptions {
        epochs: 1,
        seed,
        ..SequenceOptions::default()
    };
    let (network, fit): (_, FitReport) = SequenceAutoencoder::new(table(0).columns, options)
        .fit(&[table(64)], &mut |_| ControlFlow::Continue(()))
        .unwrap();
    let card = Card {
        format: 0,
        model: "web".to_owned(),
        version: version.to_owned(),
        kind: Kind::Sequence {
            columns: network.columns().to_vec(),
            scaling: "tanh(ln(1 + x) / 32)".to_owned(),
            window: WINDOW,
            limits: network.limits().clone(),
        },
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
        bytes: 0,
        sha256: String::new(),
    };
    (card, Model::Sequence(network))
}

fn publish(library: &Library, version: &str, seed: u64) -> Card {
    let (mut card, model) = made(version, seed);
    library.publish(&mut card, &model).unwrap();
    card
}

/// What the serving model makes of a table.
fn answer(served: &Served) -> Vec<f64> {
    let current = served.current().unwrap();
    let Model::Sequence(network) = &current.model else {
        panic!()
    };
    network.reconstruct(&table(40)).unwrap().expected
}

#[test]
fn what_is_published_serves_and_can_be_taken_back() {
    both(|shelf| {
        let library = Library::new(shelf);
        let served = Served::new(library.clone(), "web".to_owned());
        assert_eq!(library.names().unwrap(), [] as [String; 0]);
        assert!(matches!(served.refresh(), Ok(Turn::Unchanged)));
        assert!(served.current().is_none());
        let first = publish(&library, "v1", 1);
        assert!(matches!(served.refresh(), Ok(Turn::Changed(version)) if version == "v1"));
        let of_first = answer(&served);
        assert_eq!(
            served.current().unwrap().card,
            first,
            "the card comes back as it was written"
        );
        let held = served.current().unwrap();
        publish(&library, "v2", 2);
        assert!(matches!(served.refresh(), Ok(Turn::Changed(version)) if version == "v2"));
        assert_eq!(held.card.version, "v1", "who had the old one keeps it whole");
        assert_ne!(answer(&served), of_first);
        assert!(matches!(served.refresh(), Ok(Turn::Unchanged)));
        assert_eq!(library.names().unwrap(), ["web"]);
        assert_eq!(library.versions("web").unwrap(), ["v1", "v2"]);
        assert_eq!(library.roll_back("web", None).unwrap(), "v1");
        served.refresh().unwrap();
        assert_eq!(answer(&served), of_first);
        assert!(
            matches!(library.roll_back("web", None), Err(ModelError::Missing(_))),
            "there is none before it"
        );
        assert_eq!(library.roll_back("web", Some("v2")).unwrap(), "v2");
        assert!(matches!(
            library.roll_back("web", Some("v3")),
            Err(ModelError::Missing(_))
        ));
        assert!(matches!(
            library.roll_back("other", None),
            Err(ModelError::Missing(_))
        ));
    });
}

#[test]
fn what_is_not_whole_is_refused_while_the_old_one_serves() {
    both(|shelf| {
        let library = Library::new(shelf.clone());
        let served = Served::new(library.clone(), "web".to_owned());
        publish(&library, "v1", 1);
        served.refresh().unwrap();
        let of_first = answer(&served);
        publish(&library, "v2", 2);
        let path = |file: &str| format!("web/versions/v2/{file}");
        let original = |file: &str| shelf.get(&path(file)).unwrap().unwrap();
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
            shelf.put(&path(file), bytes).unwrap();
            // A newcomer tells each; one that has told it is quiet about it.
            let newcomer = Served::new(library.clone(), "web".to_owned());
            assert!(matches!(newcomer.refresh(), Ok(Turn::Refused(_))), "{file}");
            assert!(matches!(newcomer.refresh(), Ok(Turn::Unchanged)));
            assert!(newcomer.current().is_none());
            served.refresh().unwrap();
            assert_eq!(answer(&served), of_first);
            shelf.put(&path("model.safetensors"), &weights).unwrap();
            shelf.put(&path("card.json"), &card).unwrap();
        }
        shelf
            .put("web/latest", b"{\"version\": \"../v1\", \"card_sha256\": \"\"}")
            .unwrap();
        assert!(matches!(served.refresh(), Ok(Turn::Refused(_))));
        shelf.put("web/latest", b"{\"vers").unwrap();
        assert!(matches!(served.refresh(), Ok(Turn::Refused(_))));
        assert_eq!(answer(&served), of_first);
        library.roll_back("web", Some("v2")).unwrap_err();
    });
}

#[test]
fn a_version_without_a_pointer_is_no_version_in_use() {
    both(|shelf| {
        let library = Library::new(shelf.clone());
        publish(&library, "v1", 1);
        let pointer = shelf.get("web/latest").unwrap().unwrap();
        publish(&library, "v2", 2);
        // As if v2 had been broken off before its last step.
        shelf.put("web/latest", &pointer).unwrap();
        let served = Served::new(library, "web".to_owned());
        assert!(matches!(served.refresh(), Ok(Turn::Changed(version)) if version == "v1"));
    });
}

#[test]
fn names_that_are_paths_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::new(Folder::new(folder.path().to_owned()));
    for name in ["", "..", "a/b", "a.b", "a b", "ä", &"x".repeat(101)] {
        assert!(
            matches!(library.pointer(name), Err(ModelError::Name(_))),
            "{name}"
        );
    }
    let (mut card, model) = made("v1", 1);
    card.version = "../../v1".to_owned();
    assert!(matches!(
        library.publish(&mut card, &model),
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
    let options = |bucket: &str| skywatch::models::BucketOptions {
        bucket: bucket.to_owned(),
        ..moto.options()
    };
    let missing = Bucket::new(options("nowhere")).unwrap();
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
    let library = Library::new(Folder::new(folder.path().to_owned()));
    let served = Served::new(library.clone(), "families".to_owned());
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
            assert!(family.show(name, Window::new(&times, values)));
            family.fit(&mut |_| ControlFlow::Continue(())).unwrap()
        })
        .collect();
    assert!(served.current().is_none(), "nothing serves yet");
    let (mut card, _) = made("v1", 1);
    card.model = "families".to_owned();
    card.fits = families.iter().map(|(_, fit)| fit.clone()).collect();
    let families: Vec<_> = families.into_iter().map(|(family, _)| family).collect();
    card.kind = Kind::Families {
        metrics: families
            .iter()
            .map(|family| family.names().map(str::to_owned).collect())
            .collect(),
        window: 32,
    };
    library
        .publish(&mut card, &Model::Families(families.into()))
        .unwrap();
    assert!(matches!(served.refresh(), Ok(Turn::Changed(_))));
    let serving = served.current().expect("it serves");
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
fn a_pipe_or_a_device_is_no_model_and_nothing_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(folder.path().join("pipe"))
        .status();
    assert!(made.unwrap().success());
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("zero")).unwrap();
    for name in ["pipe", "zero"] {
        let shelf = Folder::new(folder.path().to_owned());
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || send.send(shelf.get(name).is_err()));
        let refused = receive.recv_timeout(std::time::Duration::from_secs(10));
        assert_eq!(refused, Ok(true), "{name}");
    }
}
