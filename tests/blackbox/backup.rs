//! A copy of the state folder taken while a process works in it, and brought back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::common::redis::RedisServer;
use crate::common::skywatch::Setup;
use crate::common::wait_for;

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    files
}

#[test]
fn what_was_kept_comes_back_and_what_was_there_is_moved_aside() {
    let redis = RedisServer::start();
    let setup = Setup::new().on(&redis);
    let skywatch = setup.start(&["run"]);
    let done = |arguments: &[&str]| {
        let ended = setup.run(arguments);
        assert_eq!(ended.code(), 0, "{arguments:?}: {}{}", ended.stdout, ended.log);
        ended.stdout
    };
    wait_for("the dispatch", || {
        let ended = setup.run(&["silence", "add", "kept.*", "--for", "2h", "--reason", "a backup"]);
        (ended.code() == 0).then_some(())
    });
    let copy = setup.path("copy");
    let place = copy.to_str().unwrap();
    let said = done(&["backup", place]);
    assert!(said.contains("files"), "{said}");
    let again = setup.run(&["backup", place]);
    assert!(
        again.code() == 1 && again.log.contains("is not empty"),
        "{}",
        again.log
    );
    let busy = setup.run(&["restore", place]);
    assert!(busy.code() == 1 && busy.log.contains("in use by"), "{}", busy.log);
    done(&["silence", "add", "lost.*", "--for", "2h"]);
    assert_eq!(skywatch.stop().code(), 0);

    let copied = files(&copy);
    assert!(copied.contains(Path::new("history.sqlite")) && copied.contains(Path::new("backup.json")));
    assert!(
        !copied
            .iter()
            .any(|path| path.starts_with("status") || path.ends_with("lock"))
    );

    let occupied = setup.run(&["restore", place]);
    assert!(
        occupied.code() == 1 && occupied.log.contains("--replace"),
        "{}",
        occupied.log
    );
    let said = done(&["restore", place, "--replace"]);
    assert!(said.contains("what was there is in"), "{said}");
    let silences = done(&["silence", "list"]);
    assert!(
        silences.contains("kept.*") && !silences.contains("lost.*"),
        "{silences}"
    );
    let state = setup.path("state");
    let before = std::fs::read_dir(&state)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let before = before.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("before-"));
    assert_eq!(before.count(), 1);

    // One byte that is another: nothing is restored.
    let history = copy.join("history.sqlite");
    let mut bytes = std::fs::read(&history).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&history, bytes).unwrap();
    let was = files(&state);
    let damaged = setup.run(&["restore", place, "--replace"]);
    assert!(
        damaged.code() == 1 && damaged.log.contains("is not as it was backed up"),
        "{}",
        damaged.log
    );
    assert_eq!(files(&state), was);
}
