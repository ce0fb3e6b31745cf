//! What only the embedded store promises: one process, dropping by the day, no thread left behind.

use std::process::{Command, Stdio};

use skywatch::store::embedded::{Dropped, EmbeddedConnect, EmbeddedOptions};
use skywatch::store::{Connect, Keys, Names, StoreError, Tail};

use super::Embedded;
use super::backends::{Backend, Read, append, fetch, points, tail, whole};

const DAY: f64 = 86_400.0;
/// Midnight of some day.
const MIDNIGHT: f64 = 19_700.0 * DAY;

/// Set for the child of `a_second_process_is_told_so`: the folder to open.
const FOLDER: &str = "SKYWATCH_TEST_STORE_FOLDER";

#[test]
fn a_second_opening_is_told_so() {
    let backend = Embedded::start();
    let error = EmbeddedConnect::open(&EmbeddedOptions::new(backend.folder.path()))
        .map(|_| ())
        .expect_err("in use");
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains("another process") && error.hint().is_some());
}

#[test]
fn a_second_process_is_told_so() {
    if let Ok(folder) = std::env::var(FOLDER) {
        let error = EmbeddedConnect::open(&EmbeddedOptions::new(folder))
            .map(|_| ())
            .expect_err("in use");
        assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
        return;
    }
    let backend = Embedded::start();
    let mut store = backend.store();
    append(&mut store, "a", &[(MIDNIGHT, 1.0)]);
    let this = std::env::current_exe().expect("a test binary");
    let child = Command::new(this)
        .args(["--exact", "embedded_only::a_second_process_is_told_so"])
        .env(FOLDER, backend.folder.path())
        .stdout(Stdio::null())
        .status();
    assert!(child.expect("the test binary runs").success());
    assert_eq!(points(&whole(&mut store, "a").0), [(MIDNIGHT, 1.0)]);
}

#[test]
fn days_are_dropped_whole_with_the_names_they_leave_empty() {
    let mut backend = Embedded::start();
    let mut store = backend.store();
    let last = |days: f64| (MIDNIGHT + days * DAY - 1.0, days);
    append(&mut store, "old", &[last(1.0), last(2.0)]);
    append(&mut store, "both", &[last(1.0), last(2.0), last(3.0)]);
    assert_eq!(
        backend
            .connect()
            .drop_before(MIDNIGHT + DAY - 1.0)
            .expect("a write"),
        Dropped::default()
    );
    let dropped = backend
        .connect()
        .drop_before(MIDNIGHT + 2.5 * DAY)
        .expect("a write");
    assert_eq!(dropped, Dropped { days: 2, names: 1 });
    assert!(matches!(fetch(&mut store, &["old"])[..], [Read::Missing]));
    assert_eq!(points(&whole(&mut store, "both").0), [last(3.0)]);
    append(&mut store, "new", &[last(3.0)]);
    drop(store);
    backend.reopen();
    let mut store = backend.store();
    assert_eq!(points(&whole(&mut store, "both").0), [last(3.0)]);
    assert_eq!(store.count().expect("a count"), 2);
}

#[test]
fn a_name_that_comes_back_does_not_get_its_old_points() {
    let mut backend = Embedded::start();
    let mut store = backend.store();
    append(&mut store, "a", &[(MIDNIGHT, 1.0)]);
    let (_, cursor) = whole(&mut store, "a");
    store.change(&[], &["a"]).expect("a removal");
    drop(store);
    // The number of the last name must not be free again after this.
    backend.reopen();
    let mut store = backend.store();
    append(&mut store, "b", &[(MIDNIGHT + 60.0, 2.0)]);
    append(&mut store, "a", &[(MIDNIGHT + 120.0, 3.0)]);
    assert_eq!(points(&whole(&mut store, "b").0), [(MIDNIGHT + 60.0, 2.0)]);
    assert_eq!(points(&whole(&mut store, "a").0), [(MIDNIGHT + 120.0, 3.0)]);
    assert!(matches!(tail(&mut store, "a", &cursor).0, Tail::Lost));
}

#[test]
fn expired_keys_are_purged_when_days_are_dropped() {
    let backend = Embedded::start();
    let mut store = backend.store();
    store
        .set(&[("gone", b"1")], Some(std::time::Duration::from_millis(1)))
        .expect("a write");
    store.set(&[("kept", b"1")], None).expect("a write");
    std::thread::sleep(std::time::Duration::from_millis(5));
    backend.connect().drop_before(MIDNIGHT).expect("a write");
    assert_eq!(
        store.get(&["gone", "kept"]).expect("a read"),
        [None, Some(b"1".to_vec())]
    );
}

#[test]
fn the_last_handle_closes_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..3 {
        let connect = EmbeddedConnect::open(&EmbeddedOptions::new(folder.path())).expect("it was closed");
        let mut store = connect.connect().expect("open");
        drop(connect);
        append(&mut store, "a", &[(MIDNIGHT + f64::from(round), 1.0)]);
    }
}
