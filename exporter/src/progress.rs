//! What the data path says while it works. Who listens decides what is shown; the library itself prints nothing.

use crate::source::Holder;

/// What those who run the application have to know where a reader keeps writers out.
pub const WRITERS_WAIT: &str = "writers wait until the rows are read: stop the application, or expect 'database is locked' there";

/// Listens to an export.
pub trait Progress {
    /// How many bytes there will be to read in all, as far as can be told: the database's size and the files'.
    fn total_bytes(&mut self, bytes: u64);

    /// What is done now.
    fn phase(&mut self, phase: &Phase<'_>);

    /// So much more was read.
    fn advance(&mut self, rows: u64, bytes: u64);

    /// The tables are done: so many bytes of the total were theirs, however many were read.
    fn tables_done(&mut self, database_bytes: u64);
}

/// What is done now.
#[derive(Debug)]
pub enum Phase<'a> {
    /// The snapshot is held.
    Frozen {
        /// Who else has the source open.
        opened_by: &'a [Holder],
        /// Whoever wants to write waits until the rows are read.
        writers_wait: bool,
    },
    /// Rows of a table are read.
    Table {
        /// Its name.
        name: &'a str,
    },
    /// Files are read.
    Files {
        /// How many.
        files: u64,
    },
    /// Manifests are written, the bundle is synced and published.
    Finishing,
}

/// Listens to nothing.
pub struct Silent;

impl Progress for Silent {
    fn total_bytes(&mut self, _: u64) {}
    fn phase(&mut self, _: &Phase<'_>) {}
    fn advance(&mut self, _: u64, _: u64) {}
    fn tables_done(&mut self, _: u64) {}
}
