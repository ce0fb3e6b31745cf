//! `cargo run --manifest-path scripts/idl/Cargo.toml` makes the code anew; with `-- --check` it only says what differs.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;

/// A folder with `.proto` files, and what is made of them.
struct Protocol {
    place: &'static str,
    /// Each with those it needs before it.
    files: &'static [&'static str],
    /// Whether the files are served by reflection, and we are a client of their services, too.
    whole: bool,
}

const PROTOCOLS: [Protocol; 2] = [
    Protocol {
        place: "src/health/idl",
        files: &["health.proto", "service.proto", "verdicts.proto"],
        whole: true,
    },
    Protocol {
        place: "src/traces/idl",
        files: &["trace_service.proto", "metrics_service.proto", "otlp.proto", "retry.proto"],
        whole: false,
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    let check = std::env::args().any(|argument| argument == "--check");
    let made = std::env::temp_dir().join(format!("skywatch-idl-{}", std::process::id()));
    for protocol in PROTOCOLS {
        fs::create_dir_all(&made)?;
        let outcome = make(&protocol, &made)
            .and_then(|()| if check { compare(&protocol, &made) } else { copy(&protocol, &made) });
        fs::remove_dir_all(&made)?;
        outcome?;
    }
    Ok(())
}

/// The folder of the checkout.
fn folder(protocol: &Protocol) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(protocol.place)
}

/// Writes what follows from the files of `protocol` to `made`.
fn make(protocol: &Protocol, made: &Path) -> Result<(), Box<dyn Error>> {
    let mut set = protox::compile(protocol.files, [folder(protocol)])?;
    for file in &mut set.file {
        file.source_code_info = None;
    }
    if protocol.whole {
        fs::write(made.join("descriptors.bin"), set.encode_to_vec())?;
    }
    let configured = tonic_prost_build::configure()
        .out_dir(made)
        .build_client(protocol.whole)
        // Maps in the order of their keys: the same message is always the same bytes and the same text.
        .btree_map(".")
        .emit_rerun_if_changed(false);
    // Parts that are unpacked later share the memory of the request.
    let configured = if protocol.whole { configured } else { configured.bytes(".") };
    configured.compile_fds(set)?;
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    found.sort();
    Ok(found)
}

fn copy(protocol: &Protocol, made: &Path) -> Result<(), Box<dyn Error>> {
    for (name, path) in files(made)? {
        fs::copy(path, folder(protocol).join(&name))?;
        println!("{}/{name}", protocol.place);
    }
    Ok(())
}

fn compare(protocol: &Protocol, made: &Path) -> Result<(), Box<dyn Error>> {
    for (name, path) in files(made)? {
        if fs::read(folder(protocol).join(&name)).ok() != Some(fs::read(path)?) {
            return Err(format!("`{}/{name}` is not what its `.proto` files say", protocol.place).into());
        }
    }
    Ok(())
}
