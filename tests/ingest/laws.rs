//! The bytes kept for the fuzz targets of the ingest's readers, whole and cut at every byte.

use skywatch::ingest::laws;

fn kept(target: &str, least: usize, check: impl Fn(&[u8])) {
    let corpus = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for file in std::fs::read_dir(corpus).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        (0..=bytes.len()).for_each(|end| check(&bytes[..end]));
        // And with each byte turned into others, which cuts do not reach.
        for at in 0..bytes.len() {
            for flip in [0x01, 0x10, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= flip;
                check(&bytes);
            }
        }
        count += 1;
    }
    assert!(count >= least, "{count} files in the corpus");
}

#[test]
fn kept_pickles_obey_the_laws() {
    let compared = std::cell::Cell::new(0);
    kept("pickle", 20, |bytes| {
        laws::pickle(bytes, |bytes| {
            let oracle =
                serde_pickle::from_slice(bytes, serde_pickle::DeOptions::new().decode_strings()).ok();
            compared.set(compared.get() + usize::from(oracle.is_some()));
            oracle
        });
    });
    assert!(compared.get() > 1_000, "the oracle has read {}", compared.get());
}

#[test]
fn kept_datagrams_obey_the_laws() {
    kept("msgpack", 11, laws::msgpack);
}

#[test]
fn kept_lines_obey_the_laws() {
    kept("line", 11, laws::line);
}

#[test]
fn kept_remote_writes_obey_the_laws() {
    kept("remote_write", 10, laws::remote_write);
}
