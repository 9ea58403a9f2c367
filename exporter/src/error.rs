//! What stops an export. What is wrong with the data and does not stop is a [`pannier_format::Problem`].

use std::io;
use std::path::{Path, PathBuf};

/// A broken precondition. The source's own text is in `source()`, never repeated in the message; [`Error::hint`] names
/// what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A path was given where a URL is wanted.
    #[error("the source must be a URL, and {given} is none")]
    NotAUrl {
        /// What was given.
        given: String,
        /// The URL that was probably meant.
        meant: String,
    },
    /// A URL of a database that some later version will read.
    #[error("{engine} sources are not yet in this version")]
    NotYet {
        /// The scheme, without anything secret.
        engine: String,
    },
    /// A URL with a scheme that stands for no source.
    #[error("no source has the scheme {scheme}")]
    UnknownScheme {
        /// The scheme.
        scheme: String,
    },
    /// The URL has the right scheme and cannot be understood.
    #[error("the source URL cannot be understood: {reason}")]
    BadUrl {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// `--files` names an object store.
    #[error("locations of the kind {scheme}:// are not yet in this version")]
    LocationNotYet {
        /// The scheme.
        scheme: String,
    },
    /// Two locations have one name.
    #[error("two locations are called {name}")]
    LocationTwice {
        /// The name.
        name: String,
    },
    /// A location's name is empty or cannot be told from its path.
    #[error("the location {given} has no name")]
    LocationNameless {
        /// What was given.
        given: String,
    },
    /// A location is not there.
    #[error("there is no directory {}", path.display())]
    LocationMissing {
        /// The location.
        path: PathBuf,
    },
    /// A location is something else than a directory.
    #[error("{} is not a directory", path.display())]
    LocationNotADirectory {
        /// The location.
        path: PathBuf,
    },
    /// A location cannot be listed at all.
    #[error("the directory {} cannot be listed", path.display())]
    LocationUnreadable {
        /// The location.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The profile is neither built in nor a file.
    #[error("there is no profile {given}")]
    UnknownProfile {
        /// What was given.
        given: String,
    },
    /// The profile's file cannot be read.
    #[error("the profile {} cannot be read", path.display())]
    ReadProfile {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The profile's file is not a profile.
    #[error("the profile {name} cannot be understood")]
    BadProfile {
        /// Name or file of the profile.
        name: String,
        /// What the TOML reader says, with its line.
        source: Box<toml::de::Error>,
    },
    /// The bundle's name has characters that a name must not have.
    #[error("{name} cannot be the name of a bundle")]
    BadName {
        /// The name.
        name: String,
    },
    /// `SOURCE_DATE_EPOCH` is not a number, or not one of the years 1970 to 9999.
    #[error("SOURCE_DATE_EPOCH is {value}, which is no number of seconds from 1970 to the end of 9999")]
    BadEpoch {
        /// Its value.
        value: String,
    },
    /// The database file is not there.
    #[error("there is no file {}", path.display())]
    NoSuchFile {
        /// The database.
        path: PathBuf,
    },
    /// The database is a directory.
    #[error("{} is a directory, not a database", path.display())]
    SourceIsADirectory {
        /// What was given.
        path: PathBuf,
        /// A database file in it, if one was seen.
        candidate: Option<String>,
    },
    /// The database file, or one beside it, cannot be opened.
    #[error("{} cannot be read", path.display())]
    SourceUnreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file does not begin as an SQLite database does.
    #[error("{} is not an SQLite database, or it is encrypted", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The database has no table.
    #[error("the database {} has no tables", path.display())]
    NoTables {
        /// The file.
        path: PathBuf,
    },
    /// Another process holds a lock that does not go away.
    #[error("the database {} is locked{}", path.display(), held_by(holders))]
    Locked {
        /// The file.
        path: PathBuf,
        /// Who has it open, as `PID COMMAND`.
        holders: Vec<String>,
    },
    /// `--freeze lock` needs to open the database for writing, although it writes nothing.
    #[error("the database {} cannot be locked: it may not be opened for writing", path.display())]
    CannotLock {
        /// The file.
        path: PathBuf,
    },
    /// The database could only be read without SQLite's locks, and changed meanwhile: what was read may be torn.
    #[error("the database {} changed while it was read without locks", path.display())]
    ChangedWithoutLocks {
        /// The file.
        path: PathBuf,
    },
    /// A copy of the database for recovery could not be made.
    #[error("the database needs recovery, and no copy of it could be made in {}", path.display())]
    Copy {
        /// The folder for temporary files.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The schema cannot be read.
    #[error("the schema of the database cannot be read")]
    Schema {
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// A table, or a column or an index of it, has a name that cannot be written in a statement.
    #[error("table {table} has a name that is not UTF-8")]
    NameNotUtf8 {
        /// The table.
        table: String,
    },
    /// SQLite found a table's pages damaged.
    #[error("table {table} is damaged after {rows} rows")]
    Corrupt {
        /// The table.
        table: String,
        /// Rows read before the damage.
        rows: u64,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// A table cannot be read for another reason.
    #[error("table {table} cannot be read after {rows} rows")]
    ReadTable {
        /// The table.
        table: String,
        /// Rows read before.
        rows: u64,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// SQLite refused something that is neither schema nor rows.
    #[error("the database {} cannot be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// The bundle could not be written.
    #[error(transparent)]
    Bundle(#[from] pannier_format::Error),
    /// The JSON of a report cannot be made: a fault of this program.
    #[error("a report cannot be written as JSON")]
    Report {
        /// The library's reason.
        source: serde_json::Error,
    },
    /// The summary could not be written; a bundle that was made is there.
    #[error("the report cannot be written to stdout{}", and_the_bundle(bundle.as_deref()))]
    Stdout {
        /// The bundle, if one was made.
        bundle: Option<PathBuf>,
        /// The system's reason.
        source: io::Error,
    },
    /// SIGINT, SIGTERM or SIGHUP.
    #[error("interrupted; nothing was left behind")]
    Interrupted,
}

fn held_by(holders: &[String]) -> String {
    if holders.is_empty() { String::new() } else { format!("; it is open in {}", holders.join(", ")) }
}

fn and_the_bundle(bundle: Option<&Path>) -> String {
    bundle.map_or_else(String::new, |bundle| format!("; the bundle {} is complete", bundle.display()))
}

impl Error {
    /// The status that the process ends with: 130 after an interruption, 2 for what the command line got wrong, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Interrupted => 130,
            Error::NotAUrl { .. }
            | Error::NotYet { .. }
            | Error::UnknownScheme { .. }
            | Error::BadUrl { .. }
            | Error::LocationNotYet { .. }
            | Error::LocationTwice { .. }
            | Error::LocationNameless { .. }
            | Error::UnknownProfile { .. }
            | Error::BadName { .. }
            | Error::BadEpoch { .. } => 2,
            Error::LocationMissing { .. }
            | Error::LocationNotADirectory { .. }
            | Error::LocationUnreadable { .. }
            | Error::ReadProfile { .. }
            | Error::BadProfile { .. }
            | Error::NoSuchFile { .. }
            | Error::SourceIsADirectory { .. }
            | Error::SourceUnreadable { .. }
            | Error::NotADatabase { .. }
            | Error::NoTables { .. }
            | Error::Locked { .. }
            | Error::CannotLock { .. }
            | Error::ChangedWithoutLocks { .. }
            | Error::Copy { .. }
            | Error::Schema { .. }
            | Error::NameNotUtf8 { .. }
            | Error::Corrupt { .. }
            | Error::ReadTable { .. }
            | Error::Open { .. }
            | Error::Bundle(_)
            | Error::Report { .. }
            | Error::Stdout { .. } => 1,
        }
    }
}
