//! The restricted reader of pickles, beside serde-pickle; the same laws run as property tests on stable.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    skywatch::ingest::laws::pickle(bytes, |bytes| {
        serde_pickle::from_slice(bytes, serde_pickle::DeOptions::new().decode_strings()).ok()
    });
});
