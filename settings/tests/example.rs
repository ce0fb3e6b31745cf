//! The commented example file and the defaults are the same thing, told twice. This holds them together.

use std::path::Path;

use skywatch_settings::{EXAMPLE, Origin, Settings, Sources, load};

fn example() -> Sources {
    Sources {
        file: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("skywatch.toml")),
        env: vec![("HOME".to_owned(), "~".to_owned())],
        flags: Vec::new(),
    }
}

#[test]
fn example_file_sets_every_option_to_its_default_in_order() {
    let loaded = load(example()).unwrap();
    assert_eq!(loaded.settings, Settings::default());
    let mut last = 0;
    for (key, _, origin) in loaded.table() {
        let Origin::File { line, .. } = origin else {
            panic!("`{key}` is missing from the example file")
        };
        assert!(*line > last, "`{key}` stands in line {line}, out of order");
        last = *line;
    }
}

#[test]
fn every_option_and_section_of_the_example_file_is_explained() {
    let mut above = "";
    for (index, line) in EXAMPLE.lines().enumerate() {
        if !line.starts_with('#') && !line.is_empty() {
            assert!(
                above.starts_with("# "),
                "line {} has no comment above it: {line}",
                index + 1
            );
        }
        assert!(line.chars().count() <= 120, "line {} is too long", index + 1);
        above = line;
    }
}

#[test]
fn example_file_shows_values_as_the_table_does() {
    let loaded = load(example()).unwrap();
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    for (key, value, origin) in loaded.table() {
        let Origin::File { line, .. } = origin else {
            panic!("`{key}` is missing from the example file")
        };
        let name = key.rsplit('.').next().unwrap();
        assert_eq!(lines[line - 1], format!("{name} = {value}"));
    }
}
