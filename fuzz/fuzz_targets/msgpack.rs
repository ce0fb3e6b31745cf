//! The reader of Skyline's datagrams; the same laws run as property tests on stable.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skywatch::ingest::laws::msgpack(bytes));
