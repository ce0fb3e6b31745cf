//! `cargo run --manifest-path scripts/idl/Cargo.toml` makes the code anew; with `-- --check` it only says what differs.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;

/// The files, each with those it needs before it.
const FILES: [&str; 3] = ["health.proto", "service.proto", "verdicts.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/health/idl");
    let check = std::env::args().any(|argument| argument == "--check");
    let made = std::env::temp_dir().join(format!("skywatch-idl-{}", std::process::id()));
    fs::create_dir_all(&made)?;
    let outcome = make(&place, &made).and_then(|()| if check { compare(&place, &made) } else { copy(&place, &made) });
    fs::remove_dir_all(&made)?;
    outcome
}

/// Writes what follows from the files in `place` to `made`.
fn make(place: &Path, made: &Path) -> Result<(), Box<dyn Error>> {
    let mut set = protox::compile(FILES, [place])?;
    for file in &mut set.file {
        file.source_code_info = None;
    }
    fs::write(made.join("descriptors.bin"), set.encode_to_vec())?;
    tonic_prost_build::configure()
        .out_dir(made)
        // Maps in the order of their keys: the same message is always the same bytes and the same text.
        .btree_map(".")
        .emit_rerun_if_changed(false)
        .compile_fds(set)?;
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

fn copy(place: &Path, made: &Path) -> Result<(), Box<dyn Error>> {
    for (name, path) in files(made)? {
        fs::copy(path, place.join(&name))?;
        println!("src/health/idl/{name}");
    }
    Ok(())
}

fn compare(place: &Path, made: &Path) -> Result<(), Box<dyn Error>> {
    for (name, path) in files(made)? {
        if fs::read(place.join(&name)).ok() != Some(fs::read(path)?) {
            return Err(format!("`src/health/idl/{name}` is not what its `.proto` files say").into());
        }
    }
    Ok(())
}
