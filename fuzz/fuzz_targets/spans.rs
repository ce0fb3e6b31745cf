//! The readers of spans and of metrics over OTLP; the same laws run as property tests on stable.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skywatch::traces::laws::spans(bytes));
