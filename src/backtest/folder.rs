//! Which files are replayed, and where what comes of them goes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use super::error::BacktestError;

/// A file to be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReplayFile {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// Its path below the folder, with `/` between: what labels call it.
    pub(super) name: String,
    /// Its length in bytes, to begin with the longest.
    pub(super) length: u64,
}

/// The file itself, or all `*.csv` below the folder, by name.
pub(super) fn csv_files(input: &Path) -> Result<Vec<ReplayFile>, BacktestError> {
    let unreadable = |path: &Path, source| BacktestError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let known = std::fs::metadata(input).map_err(|source| unreadable(input, source))?;
    if !known.is_dir() {
        let name = input.file_name().unwrap_or_default().to_string_lossy();
        return Ok(vec![ReplayFile {
            path: input.to_owned(),
            name: name.into_owned(),
            length: known.len(),
        }]);
    }
    let mut jobs = Vec::new();
    let mut seen = BTreeSet::new();
    let mut folders = vec![input.to_owned()];
    while let Some(folder) = folders.pop() {
        // A link may lead back to where we come from.
        let real = folder
            .canonicalize()
            .map_err(|source| unreadable(&folder, source))?;
        if !seen.insert(real) {
            continue;
        }
        for entry in std::fs::read_dir(&folder).map_err(|source| unreadable(&folder, source))? {
            let path = entry.map_err(|source| unreadable(&folder, source))?.path();
            let Ok(known) = std::fs::metadata(&path) else {
                tracing::warn!("`{}` leads nowhere and is left out", path.display());
                continue;
            };
            let is_csv = path
                .extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
            if known.is_dir() {
                folders.push(path);
            } else if is_csv {
                let name = below(&path, input);
                jobs.push(ReplayFile {
                    path,
                    name,
                    length: known.len(),
                });
            }
        }
    }
    if jobs.is_empty() {
        return Err(BacktestError::NoFiles {
            path: input.to_owned(),
        });
    }
    jobs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(jobs)
}

fn below(path: &Path, folder: &Path) -> String {
    let rest = path.strip_prefix(folder).unwrap_or(path);
    let names = rest
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    names.collect::<Vec<_>>().join("/")
}

/// Makes the folder for the output, and refuses one that lies in the input or would overwrite it.
pub(super) fn prepare(output: &Path, input: Option<&Path>) -> Result<(), BacktestError> {
    let unwritable = |source| BacktestError::Unwritable {
        path: output.to_owned(),
        source,
    };
    if let Some(input) = input {
        let is_within = match (real(output), real(input)) {
            (Some(output), Some(input)) if input.is_dir() => output.starts_with(input),
            (Some(output), Some(input)) => input.parent() == Some(&output),
            _ => false,
        };
        if is_within {
            return Err(BacktestError::OutputInInput {
                output: output.to_owned(),
                input: input.to_owned(),
            });
        }
    }
    std::fs::create_dir_all(output).map_err(unwritable)
}

/// The path without links and `..`, as far as it is there.
fn real(path: &Path) -> Option<PathBuf> {
    let whole = std::path::absolute(path).ok()?;
    let mut there = whole.as_path();
    loop {
        if let Ok(real) = there.canonicalize() {
            let rest = whole.strip_prefix(there).ok()?;
            let mut real = real;
            for part in rest.components() {
                match part {
                    Component::ParentDir => {
                        real.pop();
                    }
                    part => real.push(part),
                }
            }
            return Some(real);
        }
        there = there.parent()?;
    }
}

/// Where the output of a file goes; makes the folders on the way.
pub(super) fn place(output: &Path, name: &str) -> Result<PathBuf, BacktestError> {
    let path = output.join(name);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|source| BacktestError::Unwritable {
            path: folder.to_owned(),
            source,
        })?;
    }
    Ok(path)
}

/// The file for a metric's rows. What a file name cannot hold everywhere is written as `%` and its two digits.
pub(super) fn file_of(metric: &str) -> String {
    let mut name = String::new();
    for byte in metric.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'.'
            | b'-'
            | b'_'
            | b'='
            | b';'
            | b'+'
            | b'@'
            | b',' => {
                name.push(char::from(byte));
            }
            byte => {
                // Writing to memory does not fail.
                let _ = write!(name, "%{byte:02X}");
            }
        }
    }
    // Room for the ending, and for the one a file has before it is whole.
    if name.len() > 240 {
        name = format!("{}%{:016x}", &name[..200], crate::hash::hash(metric));
    }
    format!("{name}.csv")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_a_file_wherever_its_name_points() {
        assert_eq!(file_of("a.b;host=web-1"), "a.b;host=web-1.csv");
        assert_eq!(file_of("../x"), "..%2Fx.csv");
        assert_eq!(file_of(".."), "...csv");
        assert_eq!(file_of("a b"), "a%20b.csv");
        assert!(file_of(&"é/".repeat(300)).len() < 250);
        assert_ne!(file_of(&"x".repeat(300)), file_of(&"x".repeat(301)));
    }

    #[test]
    fn csv_files_in_all_folders_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.csv", "a/z.CSV", "a/deep/x.csv", "truth.json"] {
            let path = place(folder.path(), name).expect("room");
            std::fs::write(path, "1,1\n").expect("room");
        }
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/back")).expect("a link");
        let names: Vec<String> = csv_files(folder.path())
            .expect("files")
            .into_iter()
            .map(|job| job.name)
            .collect();
        assert_eq!(names, ["a/deep/x.csv", "a/z.CSV", "b.csv"]);
        let alone = csv_files(&folder.path().join("b.csv")).expect("a file");
        assert_eq!(
            (alone.len(), alone[0].name.as_str(), alone[0].length),
            (1, "b.csv", 4)
        );
        let empty = tempfile::tempdir().expect("a folder");
        assert!(matches!(
            csv_files(empty.path()),
            Err(BacktestError::NoFiles { .. })
        ));
        assert!(matches!(
            csv_files(&empty.path().join("no")),
            Err(BacktestError::Unreadable { .. })
        ));
    }

    #[test]
    fn output_does_not_go_where_input_comes_from() {
        let folder = tempfile::tempdir().expect("a folder");
        let input = folder.path().join("in");
        std::fs::create_dir(&input).expect("room");
        std::fs::write(input.join("x.csv"), "").expect("room");
        let refused = |output: &str, input: &Path| prepare(&folder.path().join(output), Some(input)).is_err();
        assert!(refused("in", &input) && refused("in/new/deep", &input) && refused("other/../in/x", &input));
        assert!(refused("in", &input.join("x.csv")));
        assert!(!input.join("new").exists());
        assert!(!refused("inner", &input) && !refused("out/deep", &input));
        assert!(!refused("in/out", &input.join("x.csv")));
    }
}
