//! Tables, columns, keys and indexes of an SQLite database, by introspection; nothing is assumed of any application.

use pannier_format::{Column, ColumnInfo, ForeignKey, Index, Problem, Reference, TableKind};
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Row};

use crate::Error;
use crate::files::printable;
use crate::source::{SchemaObject, SourceTable};

type Result<T> = rusqlite::Result<T>;

/// What `sqlite_schema` and the pragmas say.
pub(super) struct Schema {
    pub(super) tables: Vec<SourceTable>,
    pub(super) objects: Vec<SchemaObject>,
    pub(super) problems: Vec<Problem>,
}

/// Reads the whole schema. Views and virtual tables are listed among the objects only: their rows are computed. A virtual
/// table whose module this SQLite does not know is no obstacle; tables that store its data then count as ordinary ones.
pub(super) fn read(connection: &Connection) -> std::result::Result<Schema, Error> {
    let listed = listed_tables(connection)?;
    let (mut objects, problems) = objects(connection).map_err(|source| Error::Schema { source })?;
    let mut tables = Vec::new();
    for Listed { name, kind, without_rowid } in listed {
        for object in objects.iter_mut().filter(|object| object.kind == "table" && object.name == name) {
            object.implicit = kind != TableKind::Table;
        }
        tables.push(table(connection, name.clone(), kind, without_rowid).map_err(|source| match source {
            rusqlite::Error::FromSqlConversionFailure(..) => Error::NameNotUtf8 { table: name },
            source => Error::Schema { source },
        })?);
    }
    Ok(Schema { tables, objects, problems })
}

/// An SQL identifier in quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

struct Listed {
    name: String,
    kind: TableKind,
    without_rowid: bool,
}

/// The tables of `main` that store rows, in the order of their names' bytes.
fn listed_tables(connection: &Connection) -> std::result::Result<Vec<Listed>, Error> {
    let mut listed = Vec::new();
    let mut unclear = None;
    each(connection, "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'", |row| {
        let bytes = bytes(row, 0)?;
        let name = String::from_utf8_lossy(bytes).into_owned();
        let kind = match text(row, 1)?.as_str() {
            "table" if name.starts_with("sqlite_") => TableKind::Internal,
            "table" => TableKind::Table,
            "shadow" => TableKind::Shadow,
            _ => return Ok(()),
        };
        if std::str::from_utf8(bytes).is_err() {
            unclear = Some(printable(bytes));
        } else if name != "sqlite_schema" && name != "sqlite_master" {
            listed.push(Listed { name, kind, without_rowid: row.get(2)? });
        }
        Ok(())
    })
    .map_err(|source| Error::Schema { source })?;
    if let Some(table) = unclear {
        return Err(Error::NameNotUtf8 { table });
    }
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(listed)
}

/// A DDL that is not UTF-8 is a problem, not an obstacle: rows are read without it.
fn objects(connection: &Connection) -> Result<(Vec<SchemaObject>, Vec<Problem>)> {
    let mut objects = Vec::new();
    let mut problems = Vec::new();
    each(connection, "SELECT type, name, tbl_name, sql FROM main.sqlite_schema ORDER BY rowid", |row| {
        let sql = if row.get_ref(3)? == ValueRef::Null { None } else { Some(text(row, 3)?) };
        if std::str::from_utf8(bytes(row, 3)?).is_err() || std::str::from_utf8(bytes(row, 1)?).is_err() {
            let detail = "its DDL is not UTF-8; every sequence that is none came as U+FFFD";
            problems.push(Problem::new("invalid-utf-8-ddl", printable(bytes(row, 1)?), detail));
        }
        objects.push(SchemaObject { kind: text(row, 0)?, name: text(row, 1)?, tbl_name: text(row, 2)?, sql, implicit: false });
        Ok(())
    })?;
    Ok((objects, problems))
}

fn table(connection: &Connection, name: String, kind: TableKind, without_rowid: bool) -> Result<SourceTable> {
    let (columns, primary_key) = columns(connection, &name)?;
    let foreign_keys = foreign_keys(connection, &name)?;
    let (unique, indexes) = indexes(connection, &name)?;
    Ok(SourceTable { name, kind, columns, primary_key, foreign_keys, unique, indexes, without_rowid })
}

fn columns(connection: &Connection, table: &str) -> Result<(Vec<Column>, Vec<String>)> {
    /// `hidden` of `table_xinfo`: of a virtual table only, so that it holds no value of a row.
    const VIRTUAL: i64 = 1;
    /// Generated when read, and generated when written.
    const GENERATED: [i64; 2] = [2, 3];
    let mut columns = Vec::new();
    let mut key: Vec<(i64, String)> = Vec::new();
    let sql = format!("SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo({})", literal(table));
    each(connection, &sql, |row| {
        let name = name(row, 0)?;
        let hidden: i64 = row.get(5)?;
        if hidden == VIRTUAL {
            return Ok(());
        }
        let place: i64 = row.get(4)?;
        if place > 0 {
            key.push((place, name.clone()));
        }
        let info = ColumnInfo {
            declared_type: text(row, 1)?,
            not_null: row.get(2)?,
            default: if row.get_ref(3)? == ValueRef::Null { None } else { Some(text(row, 3)?) },
            generated: GENERATED.contains(&hidden),
            ..ColumnInfo::default()
        };
        columns.push(Column::declare(&name, info));
        Ok(())
    })?;
    key.sort();
    Ok((columns, key.into_iter().map(|(_, name)| name).collect()))
}

/// SQLite numbers foreign keys from the last one declared to the first.
fn foreign_keys(connection: &Connection, table: &str) -> Result<Vec<ForeignKey>> {
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    let sql = format!("SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list({}) ORDER BY id DESC, seq", literal(table));
    each(connection, &sql, |row| {
        let id: i64 = row.get(0)?;
        if keys.last().is_none_or(|(last, _)| *last != id) {
            keys.push((id, ForeignKey { fields: Vec::new(), reference: Reference { resource: name(row, 1)?, fields: Vec::new() } }));
        }
        if let Some((_, key)) = keys.last_mut() {
            key.fields.push(name(row, 2)?);
            if row.get_ref(3)? != ValueRef::Null {
                key.reference.fields.push(name(row, 3)?);
            }
        }
        Ok(())
    })?;
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

fn indexes(connection: &Connection, table: &str) -> Result<(Vec<Vec<String>>, Vec<Index>)> {
    let mut listed: Vec<(String, bool, String, bool)> = Vec::new();
    let sql = format!("SELECT name, \"unique\", origin, partial FROM pragma_index_list({}) ORDER BY seq DESC", literal(table));
    each(connection, &sql, |row| {
        listed.push((name(row, 0)?, row.get(1)?, text(row, 2)?, row.get(3)?));
        Ok(())
    })?;
    let mut uniques = Vec::new();
    let mut indexes = Vec::new();
    for (name, unique, origin, partial) in listed {
        let (columns, plain) = index_columns(connection, &name)?;
        let whole: Option<Vec<String>> = columns.iter().cloned().collect();
        if let (true, false, true, Some(whole)) = (unique, partial, origin != "pk", whole) {
            uniques.push(whole);
        }
        if origin == "c" {
            let sql = index_sql(connection, &name)?;
            indexes.push(Index { name, unique, columns, partial: partial || !plain, sql });
        }
    }
    Ok((uniques, indexes))
}

/// Columns of an index, none for an expression; and whether they tell all: ascending, in the plain collation.
fn index_columns(connection: &Connection, index: &str) -> Result<(Vec<Option<String>>, bool)> {
    let mut columns = Vec::new();
    let mut plain = true;
    let sql = format!("SELECT name, cid, \"desc\", coll FROM pragma_index_xinfo({}) WHERE key = 1 ORDER BY seqno", literal(index));
    each(connection, &sql, |row| {
        /// `cid` of an expression; -1 stands for the rowid.
        const EXPRESSION: i64 = -2;
        let descending: bool = row.get(2)?;
        let is_expression = row.get::<_, i64>(1)? == EXPRESSION || row.get_ref(0)? == ValueRef::Null;
        plain &= !descending && !is_expression && text(row, 3)?.eq_ignore_ascii_case("binary");
        columns.push(if is_expression { None } else { Some(name(row, 0)?) });
        Ok(())
    })?;
    Ok((columns, plain))
}

fn index_sql(connection: &Connection, index: &str) -> Result<String> {
    let mut sql = String::new();
    let query = format!("SELECT sql FROM main.sqlite_schema WHERE type = 'index' AND name = {}", literal(index));
    each(connection, &query, |row| {
        sql = text(row, 0)?;
        Ok(())
    })?;
    Ok(sql)
}

/// A text literal. Bound parameters would do for table-valued pragmas, but not for names with a NUL in them.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn each(connection: &Connection, sql: &str, mut row: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(found) = rows.next()? {
        row(found)?;
    }
    Ok(())
}

/// A name; SQLite would not find what another name stands for.
fn name(row: &Row<'_>, column: usize) -> Result<String> {
    let name = std::str::from_utf8(bytes(row, column)?);
    name.map(str::to_owned).map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// The bytes of a catalogue's text; none for what is no text.
fn bytes<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8]> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => b"",
    })
}

/// The text of a catalogue's column; texts that are not UTF-8 come with replacement characters, NULL as empty.
fn text(row: &Row<'_>, column: usize) -> Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(real) => real.to_string(),
        ValueRef::Null => String::new(),
    })
}
