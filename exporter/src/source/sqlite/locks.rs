//! SQLite's POSIX locks seen from outside, and who has the files open.
//!
//! A process's POSIX locks on a file vanish when it closes *any* descriptor of it, so the functions that open the database
//! must not run while SQLite has it open in this process. Those that only look at `/proc` may.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::access::beside;
use crate::source::Holder;

/// `PENDING_BYTE` of SQLite's `os.h`: the lock bytes of the main file.
const PENDING_BYTE: i64 = 0x4000_0000;
const RESERVED_BYTE: i64 = PENDING_BYTE + 1;
const SHARED_FIRST: i64 = PENDING_BYTE + 2;
const SHARED_BYTES: i64 = 510;

#[expect(clippy::cast_possible_truncation, reason = "the constants fit their C type")]
fn range(kind: libc::c_int, start: i64, bytes: i64) -> libc::flock {
    libc::flock { l_type: kind as libc::c_short, l_whence: libc::SEEK_SET as libc::c_short, l_start: start, l_len: bytes, l_pid: 0 }
}

/// Somebody else is about to write: holds SQLite's RESERVED lock. An unreadable file counts as not.
pub(super) fn is_reserved(database: &Path) -> bool {
    is_held(database, RESERVED_BYTE, 1)
}

/// Somebody else holds any of SQLite's locks; whoever has a WAL database open does all the time.
pub(super) fn is_shared(database: &Path) -> bool {
    is_held(database, PENDING_BYTE, 2 + SHARED_BYTES)
}

fn is_held(database: &Path, start: i64, bytes: i64) -> bool {
    let Ok(file) = File::open(database) else { return false };
    let mut probe = range(libc::F_WRLCK, start, bytes);
    fcntl(&file, FcntlArg::F_GETLK(&mut probe)).is_ok() && i32::from(probe.l_type) != libc::F_UNLCK
}

/// Takes SQLite's SHARED lock; it lasts until `file` is closed. False: somebody is writing.
pub(super) fn share(file: &File) -> io::Result<bool> {
    let take = |lock| match fcntl(file, FcntlArg::F_SETLK(&lock)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(io::Error::from(error)),
    };
    let shared = take(range(libc::F_RDLCK, PENDING_BYTE, 1))? && take(range(libc::F_RDLCK, SHARED_FIRST, SHARED_BYTES))?;
    take(range(libc::F_UNLCK, PENDING_BYTE, 1))?;
    Ok(shared)
}

/// Takes SQLite's EXCLUSIVE lock, for databases that are read without SQLite's own; `file` must be open for writing, and
/// the lock lasts until *any* descriptor of the database is closed in this process. False: somebody has it open.
pub(super) fn exclude(file: &File) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_SETLK(&range(libc::F_WRLCK, PENDING_BYTE, 2 + SHARED_BYTES))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(io::Error::from(error)),
    }
}

/// The files that make up a database, whether they exist or not.
pub(super) fn own_files(database: &Path) -> Vec<PathBuf> {
    let mut files = vec![database.to_path_buf()];
    files.extend(["-wal", "-shm", "-journal"].map(|suffix| beside(database, suffix)));
    files
}

/// Every process but this one that has one of the database's files open, in order of process id.
pub(super) fn holders(database: &Path) -> Vec<Holder> {
    let own: Vec<(u64, u64, String)> = own_files(database)
        .into_iter()
        .filter_map(|path| {
            let metadata = std::fs::metadata(&path).ok()?;
            Some((metadata.dev(), metadata.ino(), path.file_name()?.to_string_lossy().into_owned()))
        })
        .collect();
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut holders: Vec<Holder> = processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| u32::try_from(*pid).ok() != Some(std::process::id()))
        .filter_map(|pid| holder(pid, &own))
        .collect();
    holders.sort_by_key(|holder| holder.pid);
    holders
}

fn holder(pid: i32, own: &[(u64, u64, String)]) -> Option<Holder> {
    let mut files = Vec::new();
    let mut writes = false;
    for descriptor in std::fs::read_dir(format!("/proc/{pid}/fd")).ok()? {
        let Ok(descriptor) = descriptor else { continue };
        // Follows the link without opening the file.
        let Ok(metadata) = std::fs::metadata(descriptor.path()) else { continue };
        let Some((_, _, name)) = own.iter().find(|(dev, ino, _)| *dev == metadata.dev() && *ino == metadata.ino()) else { continue };
        // The link's own permission bits say how it was opened: 0200 stands for writing.
        writes |= std::fs::symlink_metadata(descriptor.path()).is_ok_and(|link| link.mode() & 0o200 != 0);
        if !files.contains(name) {
            files.push(name.clone());
        }
    }
    if files.is_empty() {
        return None;
    }
    files.sort();
    let command = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_string();
    Some(Holder { pid, command, files, writes })
}
