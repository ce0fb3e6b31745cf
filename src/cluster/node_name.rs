//! The name of a node: the host's, and eight digits that are drawn once and kept in the state folder.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::Path;

use crate::files;

/// The file in the state folder that holds the name.
const FILE: &str = "node";

/// The name of the node whose state folder that is; drawn and kept there if it has none yet. `host`: the machine's name.
///
/// # Errors
/// The file cannot be read or written.
pub fn node_name(state_dir: &Path, host: &str) -> io::Result<String> {
    let path = state_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(kept) if is_name(kept.trim()) => return Ok(kept.trim().to_owned()),
        // What is there is no name.
        Ok(_) => std::fs::remove_file(&path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let plain: String = host.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let name = format!("{plain}-{:08x}", random() as u32);
    files::folder(state_dir)?;
    // Several processes begin over a new folder at once: the name is that of the first, and is there whole or not at all.
    let drawn = state_dir.join(format!("{FILE}.{:08x}", random() as u32));
    files::replace(&drawn, format!("{name}\n").as_bytes(), files::Durability::Durable)?;
    let linked = std::fs::hard_link(&drawn, &path);
    std::fs::remove_file(&drawn)?;
    match linked {
        Ok(()) => return Ok(name),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Ok(std::fs::read_to_string(&path)?.trim().to_owned());
        }
        // A file system without links.
        Err(_) => files::replace(&path, format!("{name}\n").as_bytes(), files::Durability::Durable)?,
    }
    Ok(name)
}

/// A number that no other call on any machine gives: the library seeds each hasher by the system's randomness.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 300 && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_keeps_its_name_and_no_other_has_it() {
        let (one, other) = (
            tempfile::tempdir().expect("room"),
            tempfile::tempdir().expect("room"),
        );
        let name = node_name(one.path(), "web 1/a").expect("it is written");
        assert!(name.starts_with("web_1_a-"), "{name}");
        assert_eq!(node_name(one.path(), "another host").expect("it is read"), name);
        assert_ne!(node_name(other.path(), "web 1/a").expect("it is written"), name);
        std::fs::write(one.path().join(FILE), "two words\n").expect("room");
        assert_ne!(
            node_name(one.path(), "web").expect("it is drawn anew"),
            "two words"
        );
    }
}
