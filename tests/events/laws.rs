//! Whatever stands in a configuration of gala-anteater, what is made of it is settings.

use skywatch::anteater::{AnteaterFiles, import};
use skywatch_settings::{Problem, Sources, load};

use crate::common::bytes;

#[test]
fn changed_configurations_become_settings_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (configuration, settings) = (folder.path().join("in.yaml"), folder.path().join("out.toml"));
    let files = AnteaterFiles {
        configuration: configuration.clone(),
        metric_info: None,
        jobs: None,
    };
    for kept in bytes::kept("anteater") {
        std::fs::write(&configuration, kept).unwrap();
        import(&files).unwrap();
    }
    let became = std::cell::Cell::new(0);
    bytes::hold("anteater", |bytes| {
        std::fs::write(&configuration, bytes).unwrap();
        let Ok(imported) = import(&files) else { return };
        became.set(became.get() + 1);
        std::fs::write(&settings, &imported.settings).unwrap();
        let loaded = load(Sources {
            file: Some(settings.clone()),
            env: vec![("HOME".to_owned(), "/home/u".to_owned())],
            ..Sources::default()
        });
        // A value may be one that we refuse; a key that is none, or no TOML, is our mistake.
        for problem in loaded.err().map(|error| error.problems).unwrap_or_default() {
            let is_value = matches!(
                problem,
                Problem::WrongValue { .. } | Problem::Conflict { .. } | Problem::UnreadableSecret { .. }
            );
            assert!(is_value, "{problem:?}\n{}", imported.settings);
        }
    });
    assert!(became.get() > 10, "some changes leave it a configuration");
}
