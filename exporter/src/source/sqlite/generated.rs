//! Generated columns that this SQLite cannot compute: with a function that only the application has, or that fails on a
//! row. Such a column holds nothing that the others do not say, so that it is left out, and the table is read.

use pannier_format::Problem;
use rusqlite::{Connection, ErrorCode};

use super::rows::read_error;
use super::schema::{Schema, quoted};
use crate::Error;
use crate::source::SourceTable;

/// Takes them out of their tables, each with a problem. Computes every generated column once.
pub(super) fn leave_out_unusable(connection: &Connection, schema: &mut Schema) -> Result<(), Error> {
    for table in &mut schema.tables {
        let generated = table.columns.iter().filter(|column| column.pannier.generated);
        for name in generated.map(|column| column.name.clone()).collect::<Vec<_>>() {
            let sql = format!("SELECT count(t.{}) FROM main.{} AS t NOT INDEXED", quoted(&name), quoted(&table.name));
            match connection.query_row(&sql, [], |_| Ok(())) {
                Ok(()) => {}
                // SQLite's word for what is wrong with an expression; all else is wrong with the database.
                Err(source) if matches!(source.sqlite_error_code(), Some(ErrorCode::Unknown)) => {
                    leave_out(table, &name);
                    let object = format!("{}.{name}", table.name);
                    let detail = format!("the column cannot be computed and is left out: {source}");
                    schema.problems.push(Problem::new("generated-column-unusable", object, detail));
                }
                Err(source) => return Err(read_error(&table.name, 0, source)),
            }
        }
    }
    Ok(())
}

/// Takes a column out of the table, its keys and its indexes, where it counts as an expression from now on.
fn leave_out(table: &mut SourceTable, name: &str) {
    let is_it = |other: &String| other.eq_ignore_ascii_case(name);
    table.columns.retain(|column| column.name != name);
    table.unique.retain(|columns| !columns.iter().any(is_it));
    table.foreign_keys.retain(|key| !key.fields.iter().any(is_it));
    for index in &mut table.indexes {
        for column in index.columns.iter_mut().filter(|column| column.as_ref().is_some_and(is_it)) {
            *column = None;
            index.partial = true;
        }
    }
}
