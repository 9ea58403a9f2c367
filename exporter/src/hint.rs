//! The two lines in which every error comes to the user: the whole chain of reasons in one, and an imperative that names
//! the next action in the other.

use std::io;

use crate::Error;

impl Error {
    /// The error with its reasons, in one line, none said twice.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(reason) = cause {
            // A temporary file's name is nobody's business, and another one each time.
            let said = reason.to_string();
            let said = if reason.is::<io::Error>() { said.split(" at path \"").next().unwrap_or_default() } else { &said };
            // What the TOML reader says is a picture of several lines.
            let said = said
                .trim_end()
                .split_once('\n')
                .map_or(said.to_string(), |(first, rest)| format!("{first}: {}", rest.rsplit('\n').next().unwrap_or_default()));
            text = format!("{text}: {said}");
            // What stands behind SQLite's message is the same message with its number.
            cause = if reason.is::<rusqlite::Error>() { None } else { reason.source() };
        }
        text
    }

    /// What the user should do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Error::NotAUrl { meant, .. } => format!("write it as --source {meant}"),
            Error::NotYet { .. } | Error::UnknownScheme { .. } => {
                "give an SQLite database: sqlite:///relative.db or sqlite:////absolute.db".into()
            }
            Error::BadUrl { .. } => "write three slashes before a relative path, four before an absolute one".into(),
            Error::LocationNotYet { .. } => "copy the objects into a directory and give that".into(),
            Error::LocationTwice { name } => format!("give one of them another name, as in --files other-{name}=DIR"),
            Error::LocationNameless { given } => format!("name it, as in --files uploads={given}"),
            Error::LocationMissing { .. } => "check the path, and that the volume is mounted here".into(),
            Error::LocationNotADirectory { .. } => "give the directory that holds the files".into(),
            Error::UnknownProfile { .. } => "give open-webui, generic, or the path of a TOML file".into(),
            Error::BadProfile { .. } => "compare it with exporter/profiles/open-webui.toml".into(),
            Error::BadName { .. } => "use letters, digits, '.', '_' and '-' only, beginning with a letter or a digit".into(),
            Error::BadEpoch { .. } => "set it to seconds since 1970, or unset it".into(),
            Error::NoSuchFile { .. } => "check the path: sqlite:/// is followed by a relative one, sqlite://// by an absolute one".into(),
            Error::SourceIsADirectory { candidate: Some(name), .. } => format!("give the file in it, probably {name}"),
            Error::SourceIsADirectory { candidate: None, .. } => "give the database file itself".into(),
            Error::LocationUnreadable { .. } | Error::ReadProfile { .. } | Error::SourceUnreadable { .. } => {
                "run as the user that owns it, or give this user permission to read it".into()
            }
            Error::NotADatabase { .. } => "check that this is the application's database; decrypt it first if it is encrypted".into(),
            Error::NoTables { .. } => {
                "check that this is the application's database, and not one that a wrong path has just created".into()
            }
            Error::Locked { .. } => "stop the application or wait until its transaction ends, then run this again".into(),
            Error::CannotLock { .. } => "run as the user that owns the database, or use --freeze snapshot".into(),
            Error::ChangedWithoutLocks { .. } => {
                "stop the application, or give this user permission to write beside the database, then run this again".into()
            }
            Error::Copy { .. } => "set TMPDIR to a directory with room for a copy of the database".into(),
            Error::NameNotUtf8 { .. } => "rename it with ALTER TABLE in the sqlite3 program, or report it".into(),
            Error::Schema { .. } | Error::Corrupt { .. } => {
                "restore the database from its backup, or recover it with `sqlite3 DB .recover | sqlite3 NEW`, and export that".into()
            }
            Error::Open { source, .. } if source.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen) => {
                "give this user permission to read the database, and the -wal and -shm beside it".into()
            }
            Error::ReadTable { .. } | Error::Open { .. } => "check the database with `sqlite3 DB 'PRAGMA integrity_check'`".into(),
            Error::Bundle(source) => source.hint().into(),
            Error::Stdout { bundle: Some(_), .. } => "use the bundle as it is; `pannier-import verify` checks it".into(),
            Error::Stdout { bundle: None, .. } => "give stdout a place with room, then run this again".into(),
            Error::Report { .. } => "report this as a fault of pannier-export".into(),
            Error::Interrupted => "run it again; it starts from the beginning".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_said_once() {
        let connection = rusqlite::Connection::open_in_memory().expect("it opens");
        let source = connection.execute_batch("SELECT absent").expect_err("there is no such column");
        let error = Error::ReadTable { table: "t".into(), rows: 7, source };
        assert_eq!(error.chain(), "table t cannot be read after 7 rows: no such column: absent in SELECT absent at offset 7");
        let source = tempfile::NamedTempFile::new_in("/no/such/folder").expect_err("there is no such folder");
        let error = Error::LocationUnreadable { path: "/x".into(), source };
        assert_eq!(error.chain(), "the directory /x cannot be listed: No such file or directory (os error 2)");
    }
}
