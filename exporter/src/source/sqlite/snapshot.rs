//! A frozen SQLite database.

use std::collections::{BTreeMap, HashMap};

use pannier_format::{Problem, SourceInfo};
use rusqlite::Connection;

use super::generated;
use super::opened::{Opened, open_error};
use super::rows::{self, Encoding, Utf16};
use super::schema::{self, Schema, quoted};
use crate::Error;
use crate::source::{BrokenReference, FreezeReport, RowSink, SchemaObject, Snapshot, SourceTable};

/// See [`Snapshot`].
pub(super) struct SqliteSnapshot {
    opened: Opened,
    info: SourceInfo,
    schema: Schema,
    encoding: Encoding,
}

impl SqliteSnapshot {
    /// Reads settings and schema within the transaction.
    pub(super) fn read(opened: Opened) -> Result<SqliteSnapshot, Error> {
        let (mut settings, encoding) = settings(opened.reader()).map_err(|source| open_error(opened.path(), source))?;
        settings.insert("journal_mode".into(), opened.journal_mode().into());
        let mut schema = schema::read(opened.reader())?;
        generated::leave_out_unusable(opened.reader(), &mut schema)?;
        if schema.tables.is_empty() {
            return Err(Error::NoTables { path: opened.path().to_path_buf() });
        }
        let info = SourceInfo {
            engine: "sqlite".into(),
            engine_version: rusqlite::version().into(),
            database: opened.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
            settings,
            ..SourceInfo::default()
        };
        Ok(SqliteSnapshot { opened, info, schema, encoding })
    }
}

/// The settings that belong to the data.
fn settings(connection: &Connection) -> rusqlite::Result<(BTreeMap<String, String>, Encoding)> {
    let mut settings = BTreeMap::new();
    for name in ["application_id", "auto_vacuum", "encoding", "page_size", "user_version"] {
        let value = connection.query_row(&format!("PRAGMA {name}"), [], |row| match row.get_ref(0)? {
            rusqlite::types::ValueRef::Integer(integer) => Ok(integer.to_string()),
            other => Ok(other.as_str().unwrap_or_default().to_string()),
        })?;
        settings.insert(name.to_string(), value);
    }
    let utf16 = match settings.get("encoding").map(String::as_str) {
        Some("UTF-16le") => Some(Utf16::Little),
        Some("UTF-16be") => Some(Utf16::Big),
        _ => None,
    };
    Ok((settings, Encoding { utf16 }))
}

impl Snapshot for SqliteSnapshot {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn writers_wait(&self) -> bool {
        self.opened.writers_wait()
    }

    fn tables(&self) -> &[SourceTable] {
        &self.schema.tables
    }

    fn objects(&self) -> &[SchemaObject] {
        &self.schema.objects
    }

    fn schema_problems(&self) -> &[Problem] {
        &self.schema.problems
    }

    fn check_table(&self, table: &SourceTable) -> Result<(), Error> {
        rows::check(self.opened.reader(), table, self.encoding)
    }

    fn count_rows(&self, table: &SourceTable) -> Result<u64, Error> {
        let sql = format!("SELECT count(*) FROM main.{} NOT INDEXED", quoted(&table.name));
        self.opened
            .reader()
            .query_row(&sql, [], |row| row.get::<_, i64>(0))
            .map(|rows| u64::try_from(rows).unwrap_or(0))
            .map_err(|source| rows::read_error(&table.name, 0, source))
    }

    fn table_bytes(&self) -> Vec<Option<u64>> {
        let sizes = sizes(self.opened.reader()).unwrap_or_default();
        self.schema.tables.iter().map(|table| sizes.get(&table.name).copied()).collect()
    }

    fn database_bytes(&self) -> u64 {
        let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
        self.opened.reader().query_row(sql, [], |row| row.get::<_, i64>(0)).ok().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0)
    }

    fn read_table(&self, table: &SourceTable, row: &mut RowSink<'_>) -> Result<Vec<Problem>, Error> {
        let read = rows::read(self.opened.reader(), table, self.encoding, row);
        // Damage that a writer made under our hands is no damage.
        self.opened.check_unlocked()?;
        read
    }

    fn broken_references(&self) -> Result<Vec<BrokenReference>, Error> {
        let mut found = Vec::new();
        for table in self.schema.tables.iter().filter(|table| !table.foreign_keys.is_empty()) {
            match broken(self.opened.reader(), &table.name) {
                Ok(broken) => found.extend(broken.into_iter().rev().map(|((id, parent), rows)| {
                    // SQLite numbers them from the last one declared.
                    let declared = usize::try_from(id).ok().and_then(|id| table.foreign_keys.iter().rev().nth(id));
                    let columns = declared.map(|key| key.fields.clone()).unwrap_or_default();
                    BrokenReference { table: table.name.clone(), columns, parent, rows, unusable: None }
                })),
                Err(source) => match rows::read_error(&table.name, 0, source) {
                    Error::ReadTable { source, .. } => found.push(BrokenReference {
                        table: table.name.clone(),
                        columns: Vec::new(),
                        parent: String::new(),
                        rows: 0,
                        unusable: Some(source.to_string()),
                    }),
                    error => return Err(error),
                },
            }
        }
        self.opened.check_unlocked()?;
        Ok(found)
    }

    fn end_reading(&mut self) -> Result<(), Error> {
        self.opened.end_reading()
    }

    fn release(self: Box<Self>) -> Result<FreezeReport, Error> {
        self.opened.release()
    }
}

/// Rows that break a foreign key, by the key's number and its parent.
fn broken(connection: &Connection, table: &str) -> rusqlite::Result<BTreeMap<(i64, String), u64>> {
    let mut statement = connection.prepare(&format!("PRAGMA main.foreign_key_check({})", quoted(table)))?;
    let mut rows = statement.query([])?;
    let mut broken = BTreeMap::new();
    while let Some(row) = rows.next()? {
        *broken.entry((row.get(3)?, row.get(2)?)).or_insert(0) += 1;
    }
    Ok(broken)
}

/// Bytes by table, its indexes included. Reads all of the database.
fn sizes(connection: &Connection) -> rusqlite::Result<HashMap<String, u64>> {
    let mut statement = connection.prepare(
        "SELECT coalesce(o.tbl_name, s.name), sum(s.pgsize) FROM dbstat AS s LEFT JOIN main.sqlite_schema AS o \
         ON o.name = s.name AND o.type IN ('table', 'index') WHERE s.aggregate = TRUE GROUP BY 1",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0))))?;
    rows.collect()
}
