//! The connections that hold the instant, and how they are closed so that nothing is left behind.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::TempDir;

use super::access::{self, Access, Outside, beside};
use super::locks;
use crate::source::{Freeze, FreezeReport};
use crate::{Error, Interrupt};

/// How long a lock of somebody else is waited for.
const BUSY_MS: u64 = 5_000;

/// A database open in one read transaction, and locked if that was asked for.
///
/// Dropping it closes everything in the order of the fields: the reader first, and last what tidies up.
pub(super) struct Opened {
    reader: Connection,
    /// SQLite's exclusive lock, held by hand where SQLite reads without locks.
    _exclusive: Option<File>,
    _copy: Option<TempDir>,
    tidy: Tidy,
    freeze: Freeze,
    before: Outside,
    version: i64,
    written_while_reading_rows: bool,
}

/// Removes what SQLite created for us alone, and nothing else, when it is dropped after the reader.
struct Tidy {
    path: PathBuf,
    access: Access,
    locker: Option<Connection>,
}

impl Drop for Tidy {
    fn drop(&mut self) {
        let at_rest = || beside(&self.path, "-wal").metadata().is_ok_and(|wal| wal.len() == 0);
        if self.access == Access::WalAtRest && self.locker.is_none() && at_rest() {
            // The last connection that may write removes an empty WAL and its index under SQLite's own exclusive lock. If
            // somebody else has the database open by now, nothing happens, as it should.
            self.locker = touch(&self.path).ok();
            if self.locker.is_none() {
                discard_created(&self.path);
            }
        }
    }
}

impl Opened {
    /// Opens, locks, and begins the read transaction: from here on one instant is seen.
    pub(super) fn open(path: &Path, freeze: Freeze, interrupt: &Interrupt) -> Result<Opened, Error> {
        let access = access::choose(path)?;
        match Opened::open_as(path, freeze, access, interrupt) {
            // The files beside it cannot be made, on a full disk for instance: then without them.
            Err(Error::Open { source, .. }) if access == Access::WalAtRest && is_no_room(&source) => {
                discard_created(path);
                Opened::open_as(path, freeze, Access::Immutable, interrupt)
            }
            opened => opened,
        }
    }

    fn open_as(path: &Path, freeze: Freeze, access: Access, interrupt: &Interrupt) -> Result<Opened, Error> {
        let before = Outside::look(path);
        let open_error = |source| open_error(path, source);
        let (locker, exclusive) = match freeze {
            Freeze::Snapshot => (None, None),
            Freeze::Lock => lock(path, access)?,
        };
        // From here on also if something fails.
        let tidy = Tidy { path: path.to_path_buf(), access, locker };
        let copy = match access {
            Access::HotJournal => {
                let folder = tempfile::tempdir().map_err(|source| Error::Copy { path: std::env::temp_dir(), source })?;
                let copy = access::copy_with_journal(path, folder.path(), exclusive.as_ref(), interrupt)?;
                Some((folder, copy))
            }
            _ => None,
        };
        let reader = match &copy {
            Some((_, copy)) => recovered(copy),
            None => read_only(path, access),
        };
        let reader = reader.map_err(open_error)?;
        reader.execute_batch("BEGIN").map_err(open_error)?;
        // A read transaction begins with the first read.
        reader.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(open_error)?;
        let version = data_version(&reader).map_err(open_error)?;
        let opened = Opened {
            reader,
            _exclusive: exclusive,
            _copy: copy.map(|(folder, _)| folder),
            tidy,
            freeze,
            before,
            version,
            written_while_reading_rows: false,
        };
        opened.check_unlocked()?;
        Ok(opened)
    }

    /// The connection that rows are read with.
    pub(super) fn reader(&self) -> &Connection {
        &self.reader
    }

    /// The database's path.
    pub(super) fn path(&self) -> &Path {
        &self.tidy.path
    }

    /// `wal`, or `delete` for all that a database's header does not tell apart.
    pub(super) fn journal_mode(&self) -> &'static str {
        match self.tidy.access {
            Access::Rollback | Access::HotJournal => "delete",
            Access::Wal | Access::WalAtRest | Access::Immutable | Access::WalWithoutIndex => "wal",
        }
    }

    /// A reader's lock keeps commits out where there is no WAL.
    pub(super) fn writers_wait(&self) -> bool {
        self.tidy.access == Access::Rollback && self.freeze == Freeze::Snapshot
    }

    /// Where SQLite's locks do not protect what is read: fails if somebody wrote since the opening.
    pub(super) fn check_unlocked(&self) -> Result<(), Error> {
        if self.tidy.access.without_locks() && self.changed_outside() {
            return Err(Error::ChangedWithoutLocks { path: self.tidy.path.clone() });
        }
        Ok(())
    }

    fn changed_outside(&self) -> bool {
        Outside::look(&self.tidy.path) != self.before
            || (self.tidy.access == Access::WalWithoutIndex && beside(&self.tidy.path, "-shm").exists())
    }

    /// Ends the read transaction; a lock stays.
    pub(super) fn end_reading(&mut self) -> Result<(), Error> {
        self.check_unlocked()?;
        // Before the end, since SQLite tells of commits only after it: whoever commits in between does so while files are read.
        let changed = self.changed_outside();
        self.reader.execute_batch("COMMIT").map_err(|source| open_error(&self.tidy.path, source))?;
        // With a rollback journal nobody can commit while we read; whoever waited may have done so since.
        if changed && self.tidy.access != Access::Rollback && self.somebody_wrote()? {
            self.written_while_reading_rows = true;
            // What comes from here on is another writing.
            self.before = Outside::look(&self.tidy.path);
            self.version = data_version(&self.reader).unwrap_or(self.version);
        }
        Ok(())
    }

    /// Closes everything, removing what SQLite created for us alone.
    pub(super) fn release(self) -> Result<FreezeReport, Error> {
        let written = self.somebody_wrote()?;
        let report = FreezeReport {
            freeze: self.freeze,
            held_by: self.tidy.access.held_by(),
            written_while_reading_rows: self.written_while_reading_rows,
            written_while_reading_files: written,
        };
        Ok(report)
    }

    fn somebody_wrote(&self) -> Result<bool, Error> {
        match self.tidy.access {
            Access::Immutable | Access::WalWithoutIndex | Access::HotJournal => Ok(self.changed_outside()),
            Access::Rollback | Access::Wal | Access::WalAtRest => {
                match data_version(&self.reader) {
                    // With an index that nobody keeps and an empty WAL, SQLite counts every look as a change.
                    Ok(version) => Ok(version != self.version && self.changed_outside()),
                    // Somebody is writing at this very moment.
                    Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(true),
                    Err(source) => Err(open_error(&self.tidy.path, source)),
                }
            }
        }
    }
}

/// Counts commits by other connections, as far as `connection` has seen them.
fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}

fn read_only(path: &Path, access: Access) -> rusqlite::Result<Connection> {
    let query = match access {
        Access::Rollback | Access::WalAtRest | Access::HotJournal => "mode=ro",
        Access::Wal => "mode=ro&readonly_shm=1",
        Access::Immutable => "mode=ro&immutable=1",
        Access::WalWithoutIndex => "mode=ro&vfs=unix-none",
    };
    let connection = Connection::open_with_flags(
        uri(path, query),
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    distrust(&connection)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(Duration::from_millis(BUSY_MS))?;
    if access == Access::WalWithoutIndex {
        // Before the first read: SQLite then keeps the WAL's index in memory.
        connection.pragma_update(None, "locking_mode", "exclusive")?;
    }
    Ok(connection)
}

/// The files beside a WAL database cannot be made.
fn is_no_room(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::SystemIoFailure | ErrorCode::DiskFull | ErrorCode::CannotOpen))
}

/// Removes what a failed opening left beside a database that had neither WAL nor index before: never a WAL with content,
/// and only while nobody has the database open, which SQLite's exclusive lock says.
fn discard_created(path: &Path) {
    let wal = beside(path, "-wal");
    let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else { return };
    let is_empty = wal.metadata().map_or_else(|error| error.kind() == std::io::ErrorKind::NotFound, |wal| wal.len() == 0);
    if is_empty && matches!(locks::exclude(&file), Ok(true)) {
        // What cannot be removed stays, and does no harm: it is empty.
        let _ = std::fs::remove_file(wal);
        let _ = std::fs::remove_file(beside(path, "-shm"));
    }
}

/// Opens a copy for writing, so that SQLite rolls the cut-off transaction back in it.
fn recovered(copy: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(uri(copy, "mode=rw"), OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI)?;
    distrust(&connection)?;
    Ok(connection)
}

/// Nothing that the schema of a stranger's database names may run code or write; and a quoted name that SQLite does not
/// know is an error, not a text.
fn distrust(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    Ok(())
}

/// A connection that may write, and has read something, so that it takes part in SQLite's tidying up.
fn touch(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(uri(path, "mode=rw"), OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// Keeps writers out without writing: a write transaction of SQLite's, or its exclusive lock where SQLite takes none.
fn lock(path: &Path, access: Access) -> Result<(Option<Connection>, Option<File>), Error> {
    let cannot = || Error::CannotLock { path: path.to_path_buf() };
    let locked = || Error::Locked { path: path.to_path_buf(), holders: holder_names(path) };
    if matches!(access, Access::Immutable | Access::WalWithoutIndex | Access::HotJournal) {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|_| cannot())?;
        return match locks::exclude(&file) {
            Ok(true) => Ok((None, Some(file))),
            Ok(false) => Err(locked()),
            Err(_) => Err(cannot()),
        };
    }
    if !access::may_write(path) {
        return Err(cannot());
    }
    let connection = Connection::open_with_flags(uri(path, "mode=rw"), OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI)
        .and_then(|connection| {
            // A WAL with content stays as it is; one that we created is removed by SQLite at the end.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, access != Access::WalAtRest)?;
            connection.busy_timeout(Duration::from_millis(BUSY_MS))?;
            connection.execute_batch("BEGIN IMMEDIATE")?;
            Ok(connection)
        })
        .map_err(|source| match source.sqlite_error_code() {
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => cannot(),
            _ => open_error(path, source),
        })?;
    Ok((Some(connection), None))
}

/// Sorts what SQLite says when it opens a database.
pub(super) fn open_error(path: &Path, source: rusqlite::Error) -> Error {
    let path = path.to_path_buf();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Locked { holders: holder_names(&path), path },
        Some(ErrorCode::NotADatabase) => Error::NotADatabase { path },
        Some(ErrorCode::OperationInterrupted) => Error::Interrupted,
        Some(ErrorCode::DatabaseCorrupt) => Error::Schema { source },
        _ => Error::Open { path, source },
    }
}

fn holder_names(path: &Path) -> Vec<String> {
    locks::holders(path).iter().map(|holder| format!("{} {}", holder.pid, holder.command)).collect()
}

/// SQLite's own URI for a path, whatever characters it has.
fn uri(path: &Path, query: &str) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?" + query
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A commit is of the rows or of the files, or one is of each.
    #[test]
    fn commits_are_told_apart() {
        for (rows, files) in [(false, false), (true, false), (false, true), (true, true)] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("source.db");
            let writer = Connection::open(&path).expect("opened");
            writer.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE t(a);").expect("written");
            let write = |asked: bool| {
                // Times of files have a grain of some milliseconds.
                std::thread::sleep(Duration::from_millis(20));
                if asked {
                    writer.execute_batch("INSERT INTO t VALUES(1)").expect("written");
                }
            };
            let mut opened = Opened::open(&path, Freeze::Snapshot, &Interrupt::new()).expect("opened");
            write(rows);
            opened.end_reading().expect("ended");
            write(files);
            let report = opened.release().expect("released");
            assert_eq!((report.written_while_reading_rows, report.written_while_reading_files), (rows, files));
        }
    }

    /// Without SQLite's locks nobody is kept from writing, so that a write has to end the reading.
    #[test]
    fn a_change_without_locks_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, path) = (folder.path().join("first.db"), folder.path().join("copy.db"));
        let writer = Connection::open(&first).expect("opened");
        writer.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE t(a); INSERT INTO t VALUES(1);").expect("written");
        // As a killed process leaves it, and without the index.
        for suffix in ["", "-wal"] {
            std::fs::copy(beside(&first, suffix), beside(&path, suffix)).expect("copied");
        }
        let opened = Opened::open(&path, Freeze::Snapshot, &Interrupt::new()).expect("opened");
        assert_eq!(opened.tidy.access, Access::WalWithoutIndex);
        assert!(opened.check_unlocked().is_ok());
        Connection::open(&path).and_then(|other| other.execute_batch("INSERT INTO t VALUES(2)")).expect("written");
        assert!(matches!(opened.check_unlocked(), Err(Error::ChangedWithoutLocks { .. })));
    }
}
