//! A secret is seen nowhere but through `expose`.

use skywatch_settings::{Secret, Sources, load};

const SECRET: &str = "hunter2";

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

#[test]
fn settings_never_print_a_secret() {
    let loaded = load(Sources {
        env: pairs(&[
            ("HOME", "/h"),
            ("SKYWATCH__STORE__URL", "redis://user:hunter2@redis:6379/1"),
            ("SKYWATCH__EMAIL__USERNAME", "u"),
            ("SKYWATCH__EMAIL__PASSWORD", SECRET),
        ]),
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(
        loaded.settings.email.password.as_ref().map(Secret::expose),
        Some(SECRET)
    );
    assert!(!format!("{loaded:?} {:#?}", loaded.settings).contains(SECRET));
    let table: String = loaded
        .table()
        .map(|(key, value, origin)| format!("{key} {value} {origin}\n"))
        .collect();
    assert!(!table.contains(SECRET), "{table}");
    assert!(table.contains("email.password *** environment SKYWATCH__EMAIL__PASSWORD\n"));
    assert!(table.contains("store.url \"redis://user:***@redis:6379/1\" environment SKYWATCH__STORE__URL\n"));
    assert!(table.contains("store.password \"\" default\n"));
}

#[test]
fn errors_never_print_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("skywatch.toml");
    for text in [
        "[store]\npassword = [\"hunter2\"]\n",
        "[store]\npassword = \"hunter2",
        "[store]\npassword = \"hunter2\"\npassword = \"hunter2\"",
        "[store]\nurl = \"redis://:hunter2@h:x\"\n",
        "[store]\nurl = \"redis:/:hunter2@h\"\n",
        "[store]\nurl = \"unix:///s?db=x&pass=hunter2\"\n",
        "[email]\nserver = \"mail\"\npassword = \"hunter2\"\nsecurity = \"none\"\n",
        "[store]\npassword = \"hunter2\"\npassword_file = \"/dev/null\"\n",
        "[store]\npasword = \"hunter2\"\n",
    ] {
        std::fs::write(&path, text).unwrap();
        let env = pairs(&[("HOME", "/h")]);
        let error = load(Sources {
            file: Some(path.clone()),
            env,
            flags: Vec::new(),
        })
        .unwrap_err();
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
    }
}

#[test]
fn every_secret_has_a_file_beside_it() {
    let loaded = load(Sources {
        env: pairs(&[("HOME", "/h")]),
        ..Sources::default()
    })
    .unwrap();
    let keys: Vec<&str> = loaded.table().map(|(key, _, _)| key).collect();
    let secret = |key: &&&str| {
        ["password", "token", "secret"]
            .iter()
            .any(|word| key.ends_with(word))
    };
    for key in keys.iter().filter(secret) {
        assert!(
            keys.contains(&format!("{key}_file").as_str()),
            "`{key}` has no `_file`"
        );
    }
}

#[test]
fn secret_prints_as_stars() {
    assert_eq!(format!("{0} {0:?}", Secret::new(SECRET)), "*** ***");
}
