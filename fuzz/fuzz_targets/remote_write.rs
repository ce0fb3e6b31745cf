//! The reader of remote writes; the same laws run as property tests on stable.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skywatch::ingest::laws::remote_write(bytes));
