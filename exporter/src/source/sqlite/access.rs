//! How an SQLite database can be opened so that neither its bytes nor the files beside it change.
//!
//! SQLite itself, opened read-only, leaves an empty `-wal` and a `-shm` behind where a WAL database had none. What is
//! decided here was measured in each state; `tests/unchanged.rs` compares all bytes before and after.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::AccessFlags;

use super::locks;
use crate::{Error, Interrupt};

/// The first 16 bytes of every database that is not encrypted.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Offset of the read version: 2 stands for WAL.
const READ_VERSION: usize = 19;

/// The way to open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// No WAL: `mode=ro`, SQLite's own locks.
    Rollback,
    /// A WAL with its index: `mode=ro&readonly_shm=1`, SQLite's own locks, nothing created.
    Wal,
    /// A WAL database at rest, no files beside it: SQLite creates them, and removes them again when a connection that may
    /// write closes last, under its own exclusive lock.
    WalAtRest,
    /// A WAL database at rest that we may not write beside, or that has no room beside it: `immutable=1`, no locks, watched for changes.
    Immutable,
    /// A WAL with content but without its index: the index is built in our memory, no locks, watched for changes.
    WalWithoutIndex,
    /// A transaction was cut off: recovered in a copy.
    HotJournal,
}

impl Access {
    /// The word for it in `report/freeze.json`.
    pub(super) fn held_by(self) -> &'static str {
        match self {
            Access::Rollback | Access::Wal | Access::WalAtRest => "read-transaction",
            Access::Immutable | Access::WalWithoutIndex => "watched-without-locks",
            Access::HotJournal => "recovered-copy",
        }
    }

    /// SQLite takes no locks this way, so that a change must be watched for, and ends the export.
    pub(super) fn without_locks(self) -> bool {
        matches!(self, Access::Immutable | Access::WalWithoutIndex)
    }
}

/// `database` with `suffix` appended to its name, as SQLite does for `-wal`, `-shm` and `-journal`.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(suffix);
    PathBuf::from(name)
}

/// Looks at the database and at what lies beside it. Opens and closes the file: not to be called while SQLite has it open,
/// because closing drops the process's POSIX locks.
pub(super) fn choose(database: &Path) -> Result<Access, Error> {
    let header = read_header(database)?;
    let unreadable = |path: PathBuf| move |source| Error::SourceUnreadable { path, source };
    if header[READ_VERSION] != 2 {
        let hot = is_hot_journal(database).map_err(unreadable(beside(database, "-journal")))?;
        return Ok(if hot { Access::HotJournal } else { Access::Rollback });
    }
    let wal_path = beside(database, "-wal");
    let wal_bytes = match std::fs::metadata(&wal_path) {
        Ok(metadata) => Some(metadata.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(wal_path)(error)),
    };
    let index_exists = beside(database, "-shm").exists();
    Ok(match (wal_bytes, index_exists) {
        (Some(_), true) => Access::Wal,
        (None, false) if may_write(database) => Access::WalAtRest,
        (None | Some(0), _) => Access::Immutable,
        (Some(_), false) => Access::WalWithoutIndex,
    })
}

fn read_header(database: &Path) -> Result<[u8; 100], Error> {
    let path = database.to_path_buf();
    let metadata = std::fs::metadata(database).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::NoSuchFile { path: path.clone() },
        _ => Error::SourceUnreadable { path: path.clone(), source },
    })?;
    if metadata.is_dir() {
        return Err(Error::SourceIsADirectory { candidate: database_in(database), path });
    }
    if !metadata.is_file() {
        return Err(Error::NotADatabase { path });
    }
    if metadata.len() == 0 {
        return Err(Error::NoTables { path });
    }
    let mut header = [0; 100];
    let mut file = File::open(database).map_err(|source| Error::SourceUnreadable { path: path.clone(), source })?;
    match file.read_exact(&mut header) {
        Ok(()) if header.starts_with(MAGIC) => Ok(header),
        Ok(()) => Err(Error::NotADatabase { path }),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(Error::NotADatabase { path }),
        Err(source) => Err(Error::SourceUnreadable { path, source }),
    }
}

/// The first file in `folder`, by name, that looks like a database by its extension.
fn database_in(folder: &Path) -> Option<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension().is_some_and(|e| e == "db" || e == "sqlite" || e == "sqlite3"))
        .collect();
    names.sort();
    names.into_iter().next()
}

/// A journal that SQLite would roll back: not empty, its header not zeroed, and nobody in the middle of a transaction.
///
/// Looked at several times: between a look at the journal and one at the lock a writer can end a transaction, and the next
/// can begin. A journal that somebody left behind stays the same.
fn is_hot_journal(database: &Path) -> std::io::Result<bool> {
    const LOOKS: u32 = 3;
    let first = left_journal(database)?;
    for _ in 1..LOOKS {
        if first.is_none() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
        if left_journal(database)? != first {
            return Ok(false);
        }
    }
    Ok(first.is_some())
}

/// What tells this journal from another, if there is one and nobody holds the lock of its writer.
fn left_journal(database: &Path) -> std::io::Result<Option<(u64, i64, i64, u64)>> {
    let mut first = [0];
    match File::open(beside(database, "-journal")) {
        Ok(mut journal) => {
            let metadata = journal.metadata()?;
            let is_journal = journal.read(&mut first)? == 1 && first[0] != 0 && !locks::is_reserved(database);
            Ok(is_journal.then(|| (metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len())))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// This process may write to the database and create files beside it.
pub(super) fn may_write(database: &Path) -> bool {
    let folder = match database.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    nix::unistd::access(database, AccessFlags::W_OK).is_ok() && nix::unistd::access(folder, AccessFlags::W_OK).is_ok()
}

/// What shows from outside that somebody wrote: of the database and of its WAL, size, time and inode. Never opens a file.
///
/// Not the time of the inode's change: SQLite sets the owner of a WAL that it opens as root, to what it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outside([Option<(u64, u64, i64, i64)>; 2]);

impl Outside {
    pub(super) fn look(database: &Path) -> Outside {
        Outside([database.to_path_buf(), beside(database, "-wal")].map(|path| {
            let m = std::fs::metadata(path).ok()?;
            Some((m.len(), m.ino(), m.mtime(), m.mtime_nsec()))
        }))
    }
}

/// Copies the database and its journal into `folder` for recovery there, under the same lock that a reader takes, so that
/// nobody rolls back or writes meanwhile; `exclusive` is a descriptor that holds the stronger lock already. Returns the
/// path of the copy.
pub(super) fn copy_with_journal(database: &Path, folder: &Path, exclusive: Option<&File>, interrupt: &Interrupt) -> Result<PathBuf, Error> {
    let failed = |source| Error::Copy { path: folder.to_path_buf(), source };
    let copy = folder.join("database");
    let journal = || std::fs::copy(beside(database, "-journal"), beside(&copy, "-journal")).map_err(failed);
    if let Some(file) = exclusive {
        copy_from(file, &copy, interrupt)?.map_err(failed)?;
        journal()?;
        return Ok(copy);
    }
    let file = File::open(database).map_err(|source| Error::SourceUnreadable { path: database.to_path_buf(), source })?;
    if !locks::share(&file).map_err(failed)? {
        return Err(Error::Locked { path: database.to_path_buf(), holders: Vec::new() });
    }
    copy_from(&file, &copy, interrupt)?.map_err(failed)?;
    journal()?;
    Ok(copy)
}

/// Reads through `file` itself: opening the path a second time and closing it would drop the lock. The outer error is an
/// interruption.
fn copy_from(file: &File, copy: &Path, interrupt: &Interrupt) -> Result<io::Result<()>, Error> {
    let mut piece = vec![0; 1 << 20];
    let mut offset = 0;
    let mut out = match File::create_new(copy) {
        Ok(out) => out,
        Err(error) => return Ok(Err(error)),
    };
    loop {
        interrupt.check()?;
        match file.read_at(&mut piece, offset).and_then(|bytes| out.write_all(&piece[..bytes]).map(|()| bytes)) {
            Ok(0) => return Ok(Ok(())),
            Ok(bytes) => offset += bytes as u64,
            Err(error) => return Ok(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_hears_an_interruption() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("source");
        std::fs::write(&path, vec![7; 3 << 20]).expect("written");
        let file = File::open(&path).expect("opened");
        let interrupt = Interrupt::new();
        assert!(matches!(copy_from(&file, &folder.path().join("whole"), &interrupt), Ok(Ok(()))));
        assert_eq!(std::fs::read(folder.path().join("whole")).expect("read"), vec![7; 3 << 20]);
        interrupt.ask();
        assert!(matches!(copy_from(&file, &folder.path().join("part"), &interrupt), Err(Error::Interrupted)));
    }
}
