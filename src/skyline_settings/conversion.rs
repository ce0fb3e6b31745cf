//! Settings under way: the values of the original, what has become of them, and where secrets go.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use skywatch_settings::{Problem, Secret, Sources};

use super::python::{Assignment, PythonValue};
use crate::imported::{ImportOutcome, ImportedSettings, SettingsDraft, quoted};

/// What became of a `settings.py`.
#[derive(Debug)]
pub struct SkylineImport {
    /// Settings, and what became of each name.
    pub imported: ImportedSettings,
    /// Passwords and tokens by the names of their files, which the settings look for in the folder of secrets.
    pub secrets: Vec<(String, Secret)>,
}

/// Settings under way.
pub(super) struct SkylineConversion {
    assignments: Vec<Assignment>,
    pub(super) draft: SettingsDraft,
    /// What became of names, with their parts: by the name's place in the file.
    outcomes: Vec<(usize, String, ImportOutcome)>,
    secrets_folder: PathBuf,
    secrets: Vec<(String, Secret)>,
    /// By name, place in `assignments`.
    places: HashMap<String, usize>,
}

impl SkylineConversion {
    pub(super) fn new(assignments: Vec<Assignment>, secrets_folder: &Path) -> Self {
        let places = assignments.iter().enumerate();
        Self {
            places: places.map(|(at, one)| (one.name.clone(), at)).collect(),
            assignments,
            draft: SettingsDraft::default(),
            outcomes: Vec::new(),
            secrets_folder: std::path::absolute(secrets_folder).unwrap_or_else(|_| secrets_folder.to_owned()),
            secrets: Vec::new(),
        }
    }

    /// The names in the order of the file.
    pub(super) fn names(&self) -> Vec<String> {
        self.assignments.iter().map(|one| one.name.clone()).collect()
    }

    /// The value of a name, however it looks.
    pub(super) fn value(&self, name: &str) -> Option<&PythonValue> {
        let place = self.places.get(name)?;
        self.assignments.get(*place).map(|one| &one.value)
    }

    /// The text of a name; none for one that is empty or an example of the original's.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = self.value(name)?.text()?;
        (!text.is_empty() && !is_placeholder(text)).then(|| text.to_owned())
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            PythonValue::Int(number) => Some(*number),
            PythonValue::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Whether a name is set and true; `default` where it is not set or computed.
    pub(super) fn is_on(&self, name: &str, default: bool) -> bool {
        match self.value(name) {
            None | Some(PythonValue::Computed(_)) => default,
            Some(value) => value.is_true(),
        }
    }

    /// Sets `setting` if it takes the text. Else says what it expects.
    pub(super) fn set_text(&mut self, setting: &str, text: &str) -> Result<(), String> {
        accepts(setting, text)?;
        self.draft.set(setting, quoted(text));
        Ok(())
    }

    /// As [`set_text`](Self::set_text), for what stands in TOML without quotation marks.
    pub(super) fn set_plain(&mut self, setting: &str, value: &str) -> Result<(), String> {
        accepts(setting, value)?;
        self.draft.set(setting, value.to_owned());
        Ok(())
    }

    /// Where a secret is looked for: `NAME` in the folder of secrets. What becomes of it is said.
    pub(super) fn secret(&mut self, key: &str, name: &str, secret: &str) -> String {
        let path = self.secrets_folder.join(name).display().to_string();
        self.left_to_do(
            key,
            &format!("it belongs into `{path}`, readable by Skywatch alone; `--secrets DIR` writes it"),
        );
        self.secrets.push((name.to_owned(), Secret::new(secret)));
        quoted(&path)
    }

    pub(super) fn carried(&mut self, key: &str, setting: &str) {
        self.say(key, ImportOutcome::Carried(setting.to_owned()));
    }

    pub(super) fn left(&mut self, key: &str, why: &str) {
        self.say(key, ImportOutcome::Left(why.to_owned()));
    }

    pub(super) fn left_to_do(&mut self, key: &str, what: &str) {
        self.say(key, ImportOutcome::ToDo(what.to_owned()));
    }

    /// Carried over, or why not.
    pub(super) fn said(&mut self, key: &str, setting: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.carried(key, setting),
            Err(why) => self.left(key, &format!("`{setting}` does not take it: {why}")),
        }
    }

    /// What became of `NAME`, `NAME[0]` or `NAME['key']`, if the file has the name.
    fn say(&mut self, key: &str, outcome: ImportOutcome) {
        let name = key.split('[').next().unwrap_or_default();
        if let Some(place) = self.places.get(name) {
            self.outcomes.push((*place, key.to_owned(), outcome));
        }
    }

    pub(super) fn is_said(&self, name: &str) -> bool {
        let place = self.places.get(name);
        self.outcomes.iter().any(|(said, ..)| Some(said) == place)
    }

    pub(super) fn finish(mut self) -> SkylineImport {
        // The order of the file, and of what was said of one name.
        self.outcomes.sort_by_key(|(place, ..)| *place);
        for (_, key, outcome) in self.outcomes {
            self.draft.note(&key, outcome);
        }
        let mut imported = self.draft.finish("import-skyline");
        for problem in problems(&imported.settings) {
            imported.notes.push(crate::imported::ImportNote {
                key: "skywatch.toml".to_owned(),
                outcome: ImportOutcome::ToDo(problem),
            });
        }
        SkylineImport {
            imported,
            secrets: self.secrets,
        }
    }
}

/// Whether a text is one of those by which the original's file shows how to fill it in; the original takes them for nothing, too.
pub(super) fn is_placeholder(text: &str) -> bool {
    let lower = text.to_lowercase();
    lower.is_empty()
        || ["example.com", "your_domain", "no_email"]
            .iter()
            .any(|part| lower.contains(part))
        || lower.starts_with("your_")
}

/// Whether an option takes a value by itself.
fn accepts(setting: &str, value: &str) -> Result<(), String> {
    let sources = Sources {
        flags: vec![(setting.to_owned(), value.to_owned(), "import".to_owned())],
        env: home(),
        ..Sources::default()
    };
    let Err(error) = skywatch_settings::load(sources) else {
        return Ok(());
    };
    // That it does not go together with the default of another one is seen at the end.
    let wrong = error.problems.into_iter().find_map(|problem| match problem {
        Problem::WrongValue { key, expected, .. } if key == setting => Some(expected),
        _ => None,
    });
    wrong.map_or(Ok(()), Err)
}

fn home() -> Vec<(String, String)> {
    vec![("HOME".to_owned(), "/".to_owned())]
}

/// What is wrong with the settings as a whole, apart from secrets that do not lie in their files yet.
fn problems(settings: &str) -> Vec<String> {
    let written = tempfile::NamedTempFile::new().and_then(|mut file| {
        file.write_all(settings.as_bytes())?;
        Ok(file)
    });
    let file = match written {
        Ok(file) => file,
        Err(error) => return vec![format!("they were not tried: {error}")],
    };
    let sources = Sources {
        file: Some(file.path().to_owned()),
        env: home(),
        ..Sources::default()
    };
    let Err(error) = skywatch_settings::load(sources) else {
        return Vec::new();
    };
    let misses_secret = error
        .problems
        .iter()
        .any(|problem| matches!(problem, Problem::UnreadableSecret { .. }));
    let is_consequence = |problem: &Problem| match problem {
        Problem::UnreadableSecret { .. } => true,
        // Without its secret a receiver, or an address that asks for a login, is not complete.
        Problem::Conflict { .. } => misses_secret,
        _ => false,
    };
    let others = error
        .problems
        .into_iter()
        .filter(|problem| !is_consequence(problem));
    others
        .map(|problem| problem.to_string().replace('\n', "; "))
        .collect()
}
