//! The generated pages: the reference in `docs/` is what the program would write today, and packages get all they need.

use crate::common::skywatch::Setup;

#[test]
fn the_reference_says_what_the_program_does() {
    let setup = Setup::new();
    let folder = setup.path("generated");
    let ended = setup.run(&["generate", folder.to_str().unwrap()]);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let made = std::fs::read_to_string(folder.join("reference.md")).unwrap();
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference.md"))
        .unwrap_or_default();
    let differing = made.lines().zip(kept.lines()).find(|(made, kept)| made != kept);
    assert!(
        made == kept,
        "docs/reference.md is not what the program says: {differing:?}\n\
         hint: `cargo run -- generate target/generated && cp target/generated/reference.md docs/`"
    );
    for command in ["run", "status", "reload", "import-skyline", "health-serve"] {
        let page = folder.join(format!("man/skywatch-{command}.1"));
        let text =
            std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(text.contains(".SH NAME"), "{command}");
    }
    assert!(
        !folder.join("man/skywatch-child.1").exists(),
        "what is not meant to be typed has no page"
    );
    for completion in ["skywatch.bash", "_skywatch", "skywatch.fish"] {
        let text = std::fs::read_to_string(folder.join("completions").join(completion)).unwrap();
        assert!(text.contains("import-skyline"), "{completion}");
    }
}
