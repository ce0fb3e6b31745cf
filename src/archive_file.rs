//! An archive of samples: one SQLite file of the state folder with a version of its own, written by one process and read by others.
//!
//! What is in it can be done without: a file that cannot be used is put aside and begun anew.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::files;

/// How long a writer waits for a reader, and a reader for the writer.
const WRITER_PATIENCE: Duration = Duration::from_secs(5);
const READER_PATIENCE: Duration = Duration::from_secs(2);

/// What an archive is.
#[derive(Debug)]
pub(crate) struct ArchiveForm {
    /// What it keeps, several of them: `traces`.
    pub(crate) what: &'static str,
    /// What is said where there is none yet: `no trace has been kept yet`.
    pub(crate) none: &'static str,
    /// The version of its tables; another one is begun anew.
    pub(crate) version: i64,
    /// What is set before there are tables, as SQL.
    pub(crate) pragmas: &'static str,
    /// The tables, as SQL.
    pub(crate) schema: &'static str,
}

/// Why an archive cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// There is none yet.
    #[error("{none} in `{}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What that means.
        none: &'static str,
    },
    /// Another version of ours has written it.
    #[error("`{}` has version {found} and not {version}", path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// The version it says it has.
        found: i64,
        /// The one that is read.
        version: i64,
    },
    /// The system's reason.
    #[error("cannot use `{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The library's reason.
    #[error("cannot use the {what} in `{}`: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it keeps.
        what: &'static str,
        /// Why.
        source: rusqlite::Error,
    },
    /// Something in it cannot be read.
    #[error("a {one} in `{}` cannot be read: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it is.
        one: &'static str,
        /// Why.
        why: String,
    },
}

impl ArchiveForm {
    /// Makes an error of the library's.
    pub(crate) fn failed(&self, path: &Path) -> impl Fn(rusqlite::Error) -> ArchiveError + use<> {
        let (path, what) = (path.to_owned(), self.what);
        move |source| ArchiveError::Sqlite {
            path: path.clone(),
            what,
            source,
        }
    }

    /// Opens the file for its one writer, or begins it, and asks it something. One that cannot be used is renamed to
    /// `NAME.broken`, which is logged.
    pub(crate) fn open_or_anew<T>(
        &self,
        path: &Path,
        ask: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<(Connection, T), ArchiveError> {
        self.open(path, &ask).or_else(|error| {
            let aside = path.with_extension("sqlite.broken");
            tracing::error!(
                "{} are kept anew, the old file is `{}` :: {error}",
                self.what,
                aside.display()
            );
            // What cannot be renamed is still in the way, and says so.
            let _ = files::rename_database(path, &aside);
            self.open(path, &ask)
        })
    }

    fn open<T>(
        &self,
        path: &Path,
        ask: &impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<(Connection, T), ArchiveError> {
        let of_file = |source| ArchiveError::File {
            path: path.to_owned(),
            source,
        };
        // Made for its owner only, and never through a link.
        drop(files::write(path).map_err(of_file)?);
        let failed = self.failed(path);
        let connection = Connection::open(path).map_err(&failed)?;
        let prepare = || {
            connection.busy_timeout(WRITER_PATIENCE)?;
            connection.execute_batch(self.pragmas)?;
            connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
            version(&connection)
        };
        match prepare().map_err(&failed)? {
            0 => {
                let (schema, version) = (self.schema, self.version);
                let begin = format!("BEGIN; {schema} PRAGMA user_version = {version}; COMMIT");
                connection.execute_batch(&begin).map_err(&failed)?;
            }
            found => self.check(path, found)?,
        }
        let answer = ask(&connection).map_err(&failed)?;
        Ok((connection, answer))
    }

    /// Opens the file for questions only.
    pub(crate) fn read(&self, path: &Path) -> Result<Connection, ArchiveError> {
        let missing = || ArchiveError::Missing {
            path: path.to_owned(),
            none: self.none,
        };
        if !path.exists() {
            return Err(missing());
        }
        let failed = self.failed(path);
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(&failed)?;
        connection.busy_timeout(READER_PATIENCE).map_err(&failed)?;
        match version(&connection).map_err(&failed)? {
            // Whoever begins it has not committed its tables yet.
            0 => Err(missing()),
            found => self.check(path, found).map(|()| connection),
        }
    }

    fn check(&self, path: &Path, found: i64) -> Result<(), ArchiveError> {
        if found == self.version {
            return Ok(());
        }
        Err(ArchiveError::OtherVersion {
            path: path.to_owned(),
            found,
            version: self.version,
        })
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}
