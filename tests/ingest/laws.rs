//! The bytes kept for the fuzz targets of the ingest's readers: whole, cut at every byte, and changed for as long as there
//! is time.

use std::cell::Cell;

use skywatch::ingest::laws;

use crate::common::bytes;

/// The laws of pickles, counting how many the oracle could read.
fn pickle(bytes: &[u8], compared: &Cell<u32>) {
    laws::pickle(bytes, |bytes| {
        let oracle = serde_pickle::from_slice(bytes, serde_pickle::DeOptions::new().decode_strings()).ok();
        compared.set(compared.get() + u32::from(oracle.is_some()));
        oracle
    });
}

#[test]
fn kept_pickles_obey_the_laws() {
    let compared = Cell::new(0);
    bytes::hold_kept("pickle", 23, |bytes| pickle(bytes, &compared));
    assert!(compared.get() > 1_000, "the oracle has read {}", compared.get());
}

#[test]
fn kept_datagrams_obey_the_laws() {
    bytes::hold_kept("msgpack", 12, laws::msgpack);
}

#[test]
fn kept_lines_obey_the_laws() {
    bytes::hold_kept("line", 11, laws::line);
}

#[test]
fn kept_remote_writes_obey_the_laws() {
    bytes::hold_kept("remote_write", 10, laws::remote_write);
}

#[test]
fn changed_pickles_obey_the_laws() {
    let compared = Cell::new(0);
    bytes::hold("pickle", |bytes| pickle(bytes, &compared));
    assert!(compared.get() > 0, "the oracle has read none");
}

#[test]
fn changed_datagrams_obey_the_laws() {
    bytes::hold("msgpack", laws::msgpack);
}

#[test]
fn changed_lines_obey_the_laws() {
    bytes::hold("line", laws::line);
}

#[test]
fn changed_remote_writes_obey_the_laws() {
    bytes::hold("remote_write", laws::remote_write);
}
