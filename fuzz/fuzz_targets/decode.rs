//! The reader of point streams; the same laws run as property tests on stable (`tests/store`).
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skywatch::store::codec::laws::check(bytes));
