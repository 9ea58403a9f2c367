//! Rows straight from SQLite's statement into the sink: values are borrowed, nothing is converted.

use std::fmt::Write as _;

use pannier_format::{Problem, Value};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};

use super::schema::quoted;
use crate::Error;
use crate::source::{RowSink, SourceTable};

/// What reading a table needs to know of its database.
#[derive(Clone, Copy)]
pub(super) struct Encoding {
    /// The database stores UTF-16; its texts are converted by SQLite, which does not say where they were invalid.
    pub(super) utf16: Option<Utf16>,
}

/// What a table is called in its own statement.
const ALIAS: &str = "t";

/// Byte order of a UTF-16 database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Utf16 {
    Little,
    Big,
}

/// Pushes every row, in the order of the table's own b-tree: the rowid's, or the primary key's without one.
pub(super) fn read(
    connection: &Connection,
    table: &SourceTable,
    encoding: Encoding,
    sink: &mut RowSink<'_>,
) -> Result<Vec<Problem>, Error> {
    let mut row_number = 0;
    let mut invalid = vec![0_u64; table.columns.len()];
    let sqlite_error = |source: rusqlite::Error, rows: u64| read_error(&table.name, rows, source);
    let mut statement = connection.prepare(&select(table, encoding)).map_err(|source| sqlite_error(source, 0))?;
    let mut rows = statement.query([]).map_err(|source| sqlite_error(source, 0))?;
    let mut spare: Vec<Value<'static>> = Vec::with_capacity(table.columns.len());
    while let Some(row) = rows.next().map_err(|source| sqlite_error(source, row_number))? {
        let mut values = spare;
        for column in 0..table.columns.len() {
            values.push(value(row.get_ref(column).map_err(|source| sqlite_error(source, row_number))?));
        }
        if let Some(order) = encoding.utf16 {
            for (column, count) in invalid.iter_mut().enumerate() {
                let raw = row.get_ref(table.columns.len() + column).map_err(|source| sqlite_error(source, row_number))?;
                *count += u64::from(matches!(raw, ValueRef::Blob(bytes) if !is_utf16(bytes, order)));
            }
        }
        sink(&values)?;
        spare = emptied(values);
        row_number += 1;
    }
    Ok(utf16_problems(table, &invalid))
}

/// Whether SQLite takes the statement that [`read`] runs.
pub(super) fn check(connection: &Connection, table: &SourceTable, encoding: Encoding) -> Result<(), Error> {
    connection.prepare(&select(table, encoding)).map(|_| ()).map_err(|source| read_error(&table.name, 0, source))
}

/// An empty vector in the same memory: collecting in place makes it, so that no row allocates.
fn emptied(mut values: Vec<Value<'_>>) -> Vec<Value<'static>> {
    values.clear();
    values.into_iter().map(|_| Value::Null).collect()
}

fn value(value: ValueRef<'_>) -> Value<'_> {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(bytes) => Value::Text(bytes),
        ValueRef::Blob(bytes) => Value::Blob(bytes),
    }
}

/// Every column by its table's alias and its name, so that nothing else can be meant; `NOT INDEXED`, because a covering index would give its own order and could be damaged apart
/// from the table.
fn select(table: &SourceTable, encoding: Encoding) -> String {
    let mut sql = String::from("SELECT ");
    for (place, column) in table.columns.iter().enumerate() {
        let _ = write!(sql, "{}{ALIAS}.{}", if place == 0 { "" } else { ", " }, quoted(&column.name));
    }
    if encoding.utf16.is_some() {
        for column in &table.columns {
            let name = format!("{ALIAS}.{}", quoted(&column.name));
            let _ = write!(sql, ", CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) END");
        }
    }
    let _ = write!(sql, " FROM main.{} AS {ALIAS} NOT INDEXED", quoted(&table.name));
    // A column can take the rowid's name away; the natural order is the same, only not promised.
    let rowid = ["rowid", "_rowid_", "oid"].into_iter().find(|name| table.column(name).is_none());
    if let (false, Some(rowid)) = (table.without_rowid, rowid) {
        let _ = write!(sql, " ORDER BY {ALIAS}.{rowid}");
    }
    sql
}

/// Sorts what SQLite says in the middle of a table.
pub(super) fn read_error(table: &str, rows: u64, source: rusqlite::Error) -> Error {
    let table = table.to_string();
    match source.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => Error::Interrupted,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt { table, rows, source },
        _ => Error::ReadTable { table, rows, source },
    }
}

fn is_utf16(bytes: &[u8], order: Utf16) -> bool {
    let units = bytes.chunks_exact(2).map(|pair| match order {
        Utf16::Little => u16::from_le_bytes([pair[0], pair[1]]),
        Utf16::Big => u16::from_be_bytes([pair[0], pair[1]]),
    });
    bytes.len().is_multiple_of(2) && char::decode_utf16(units).all(|unit| unit.is_ok())
}

fn utf16_problems(table: &SourceTable, invalid: &[u64]) -> Vec<Problem> {
    table
        .columns
        .iter()
        .zip(invalid)
        .filter(|(_, count)| **count > 0)
        .map(|(column, count)| {
            let object = format!("{}.{}", table.name, column.name);
            Problem::new("invalid-utf-16", object, format!("{count} texts are not valid UTF-16; SQLite replaced what it could not convert"))
        })
        .collect()
}
