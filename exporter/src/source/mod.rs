//! What an export reads from: a source, frozen at one instant into a snapshot, from which alone rows are read.

pub mod sqlite;

use std::path::PathBuf;

use pannier_format::{Column, ForeignKey, Index, Problem, SourceInfo, TableKind, Value};
use serde::Serialize;

use crate::{Error, Interrupt};

/// How others are kept from changing the source while it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Freeze {
    /// One read transaction, which does not see what others write. With a WAL they may go on writing; with a rollback
    /// journal they wait until the rows are read, see [`Snapshot::writers_wait`].
    #[default]
    Snapshot,
    /// Writers wait, or fail, until the snapshot is released.
    Lock,
}

/// A database that can be frozen.
pub trait Source {
    /// Freezes it. Everything that the snapshot yields is of this one instant.
    fn open(&self, freeze: Freeze, interrupt: &Interrupt) -> Result<Box<dyn Snapshot>, Error>;

    /// Who has it open at this moment, this process apart. Best effort: another user's processes may be out of sight.
    fn opened_by(&self) -> Vec<Holder>;

    /// Somebody holds the engine's lock on it, also somebody out of this process's sight, as in another container. Not to
    /// be asked while a snapshot is held: looking drops the snapshot's own locks.
    fn is_locked(&self) -> bool;

    /// The files that make up the database, so that nobody takes them for uploads.
    fn own_files(&self) -> Vec<PathBuf>;
}

/// A source frozen at one instant.
///
/// The order of calls is: everything that reads rows, then [`Snapshot::end_reading`], then [`Snapshot::release`]. One that
/// is dropped before leaves the source unchanged too, but may leave empty files of the engine beside it.
pub trait Snapshot {
    /// Engine, version, settings; application and revision are the profile's business.
    fn info(&self) -> &SourceInfo;

    /// Whoever wants to commit waits, or fails, until [`Snapshot::end_reading`], although no lock was asked for.
    fn writers_wait(&self) -> bool;

    /// Every table that holds rows, in the order of their names.
    fn tables(&self) -> &[SourceTable];

    /// Every object of the schema, in the order of its creation.
    fn objects(&self) -> &[SchemaObject];

    /// What is wrong with the schema, and does not keep the tables from being read.
    fn schema_problems(&self) -> &[Problem];

    /// What would keep a table from being read, as far as the engine says beforehand.
    fn check_table(&self, table: &SourceTable) -> Result<(), Error>;

    /// Rows of a table, counted by the engine.
    fn count_rows(&self, table: &SourceTable) -> Result<u64, Error>;

    /// Bytes that each table takes in the source with its indexes, where the engine can tell; in the order of `tables`.
    fn table_bytes(&self) -> Vec<Option<u64>>;

    /// Bytes that all of the database takes: what progress is measured against.
    fn database_bytes(&self) -> u64;

    /// Pushes every row of a table into `row`, values in the order of the table's columns, rows in an order that is the
    /// same every time. What `row` returns as error ends the reading. Returns problems that it met in the values.
    fn read_table(&self, table: &SourceTable, row: &mut RowSink<'_>) -> Result<Vec<Problem>, Error>;

    /// Declared foreign keys that rows break or that the engine cannot check, by table and in the order of declaration.
    fn broken_references(&self) -> Result<Vec<BrokenReference>, Error>;

    /// Ends the read transaction. A lock that was asked for stays.
    fn end_reading(&mut self) -> Result<(), Error>;

    /// Lets others write again, and says whether anybody did while the snapshot was held.
    fn release(self: Box<Self>) -> Result<FreezeReport, Error>;
}

/// Takes one row; see [`Snapshot::read_table`].
pub type RowSink<'a> = dyn FnMut(&[Value<'_>]) -> Result<(), Error> + 'a;

/// A table as the source declares it.
#[derive(Clone, Debug)]
pub struct SourceTable {
    /// Its name.
    pub name: String,
    /// Ordinary, shadow or internal.
    pub kind: TableKind,
    /// Its columns that hold values, in its own order.
    pub columns: Vec<Column>,
    /// Columns of the primary key, in key order.
    pub primary_key: Vec<String>,
    /// Declared foreign keys, in order of declaration.
    pub foreign_keys: Vec<ForeignKey>,
    /// UNIQUE constraints and unique indexes over whole columns, apart from the primary key.
    pub unique: Vec<Vec<String>>,
    /// Indexes apart from those that constraints make.
    pub indexes: Vec<Index>,
    /// Declared WITHOUT ROWID.
    pub without_rowid: bool,
}

impl SourceTable {
    /// Position of a column; names of columns are compared without regard to ASCII case, as SQL does.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// A foreign key that does not hold: `report/foreign-keys.json` has them all. No problem of the data: applications that
/// declare keys without enforcing them are full of such rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrokenReference {
    /// The table whose rows refer.
    pub table: String,
    /// Its columns; none if no key of the table can be checked.
    pub columns: Vec<String>,
    /// The table that they refer to.
    pub parent: String,
    /// How many rows refer to nothing.
    pub rows: u64,
    /// Why the engine cannot check the table's keys.
    pub unusable: Option<String>,
}

impl BrokenReference {
    /// It in a sentence.
    #[must_use]
    pub fn note(&self) -> String {
        match &self.unusable {
            Some(reason) => format!("the foreign keys of {} cannot be checked: {reason}", self.table),
            None => {
                let columns = self.columns.join(", ");
                format!("{} rows of {} refer by {columns} to a row of {} that is not there", self.rows, self.table, self.parent)
            }
        }
    }
}

/// One row of the source's own catalogue.
#[derive(Clone, Debug, Serialize)]
pub struct SchemaObject {
    /// `table`, `index`, `view`, `trigger`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The table it belongs to.
    pub tbl_name: String,
    /// Its DDL; none for what a constraint made.
    pub sql: Option<String>,
    /// The engine makes it by itself, so that its DDL must not be run: internal tables, storage of virtual tables.
    #[serde(skip)]
    pub implicit: bool,
}

/// Somebody who has the source open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Process id.
    pub pid: i32,
    /// Its command's name.
    pub command: String,
    /// Which of the source's files, by their last component.
    pub files: Vec<String>,
    /// It may write to them.
    pub writes: bool,
}

/// The evidence of the freeze: `report/freeze.json`. The same for two snapshots of a source at rest.
#[derive(Clone, Debug, Serialize)]
pub struct FreezeReport {
    /// What was asked for.
    pub freeze: Freeze,
    /// How the one instant was held: see [`sqlite`].
    pub held_by: &'static str,
    /// Somebody committed while the rows were read. The rows are of the instant before.
    pub written_while_reading_rows: bool,
    /// Somebody committed after that, until the last file was read. Files and rows may be of two instants.
    pub written_while_reading_files: bool,
}
