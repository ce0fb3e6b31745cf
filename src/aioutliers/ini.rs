//! INI files as Python's `configparser` reads them, as far as rb-aioutliers writes them: sections, `key = value` or
//! `key: value`, comments in lines of their own, values that go on in indented lines. Keys are the same in any case.

use std::path::Path;

use super::AioutliersError;

/// The largest file that is read, bytes: one has a few kilobytes.
const MOST_BYTES: u64 = 1 << 20;

/// Sections, keys and values, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ini {
    entries: Vec<(String, String, String)>,
}

impl Ini {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, AioutliersError> {
        Self::parse(path, &text(path)?)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, AioutliersError> {
        let mut ini = Self::default();
        let mut section = None;
        for (at, line) in text.lines().enumerate() {
            let wrong = |why| AioutliersError::Ini {
                path: path.to_owned(),
                line: at + 1,
                why,
            };
            let bare = line.trim();
            if bare.is_empty() || bare.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with([' ', '\t'])
                && let Some((_, _, value)) = ini.entries.last_mut()
            {
                value.push('\n');
                value.push_str(bare);
                continue;
            }
            if let Some(name) = bare.strip_prefix('[') {
                let name = name
                    .strip_suffix(']')
                    .ok_or_else(|| wrong("a section without `]`"))?;
                section = Some(name.trim().to_owned());
                continue;
            }
            let (key, value) = bare
                .split_once(['=', ':'])
                .ok_or_else(|| wrong("neither section nor `key = value`"))?;
            let section = section.clone().ok_or_else(|| wrong("a key before any section"))?;
            let entry = (section, key.trim().to_lowercase(), value.trim().to_owned());
            ini.entries.push(entry);
        }
        Ok(ini)
    }

    /// The last value of a key, if it is not empty.
    pub(super) fn get(&self, section: &str, key: &str) -> Option<&str> {
        let mut found = self.entries.iter().rev();
        let found = found.find(|(own, name, _)| own == section && name == key);
        found
            .map(|(_, _, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// All keys with their sections, in the order of the file.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(section, key, _)| (section.as_str(), key.as_str()))
    }
}

/// The text of a file of bounded length.
pub(super) fn text(path: &Path) -> Result<String, AioutliersError> {
    let failure = |source| AioutliersError::Unreadable {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(failure)?.len() > MOST_BYTES {
        return Err(failure(std::io::ErrorKind::FileTooLarge.into()));
    }
    std::fs::read_to_string(path).map_err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_keys_and_values_are_read() {
        let text = "# first\n[Columns]\nMetrics = a, b\n  c\ntimestamp: minute\n; more\n[General]\navg_loss=0.5\nempty =\n";
        let ini = Ini::parse(Path::new("x.ini"), text).unwrap();
        assert_eq!(ini.get("Columns", "metrics"), Some("a, b\nc"));
        assert_eq!(ini.get("Columns", "timestamp"), Some("minute"));
        assert_eq!(
            (ini.get("General", "avg_loss"), ini.get("General", "empty")),
            (Some("0.5"), None)
        );
        assert_eq!(ini.keys().count(), 4);
        for wrong in ["a = 1\n", "[x\n", "[x]\nwords\n"] {
            assert!(Ini::parse(Path::new("x.ini"), wrong).is_err(), "{wrong}");
        }
    }
}
