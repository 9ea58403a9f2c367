//! SQLite databases: opened read-only, read in one transaction on one connection, and left as they were to the last byte.
//!
//! One instant is held in one of three ways, named in `report/freeze.json`:
//!
//! | `held_by` | when | what a writer meets |
//! |---|---|---|
//! | `read-transaction` | always when possible | with a WAL nothing; with a rollback journal it waits until the rows are read |
//! | `watched-without-locks` | the files beside a WAL database are missing and cannot be made | nothing, but the export ends with an error |
//! | `recovered-copy` | a transaction was cut off: it is rolled back in a copy | waits while the copy is made |

mod access;
mod generated;
mod locks;
mod opened;
mod rows;
mod schema;
mod snapshot;

use std::path::{Path, PathBuf};

use crate::source::{Freeze, Holder, Snapshot, Source};
use crate::{Error, Interrupt};

/// An SQLite database file.
#[derive(Clone, Debug)]
pub struct SqliteSource {
    path: PathBuf,
}

impl SqliteSource {
    /// Names the file; it is looked at when it is opened.
    #[must_use]
    pub fn new(path: &Path) -> SqliteSource {
        // The files beside it belong to what a symbolic link points to, as SQLite sees it.
        SqliteSource { path: std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()) }
    }
}

impl Source for SqliteSource {
    fn open(&self, freeze: Freeze, interrupt: &Interrupt) -> Result<Box<dyn Snapshot>, Error> {
        let opened = opened::Opened::open(&self.path, freeze, interrupt)?;
        interrupt.watch(opened.reader());
        Ok(Box::new(snapshot::SqliteSnapshot::read(opened)?))
    }

    fn opened_by(&self) -> Vec<Holder> {
        locks::holders(&self.path)
    }

    fn is_locked(&self) -> bool {
        locks::is_shared(&self.path)
    }

    fn own_files(&self) -> Vec<PathBuf> {
        locks::own_files(&self.path)
    }
}
