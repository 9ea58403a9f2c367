//! The data package descriptor: what a bundle says about its tables, columns, keys, files and source.
//!
//! It is a Frictionless Data Package (`data/datapackage.json`); what Frictionless has no word for stands under `pannier`.
//! Unknown fields are ignored on reading, so that a later minor version may add some.

use serde::{Deserialize, Serialize};

/// `data/datapackage.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DataPackage {
    /// The bundle's name: also its top folder in the tar.
    pub name: String,
    /// One per table, in the order of their names.
    pub resources: Vec<Table>,
    /// What Frictionless has no word for.
    pub pannier: PackageInfo,
}

/// What holds for the bundle as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackageInfo {
    /// `major.minor` of the format; see SPEC.md, 'Versions'.
    pub format: String,
    /// Where the rows came from.
    pub source: SourceInfo,
    /// How many files, and how many bytes of them, the bundle carries.
    pub blobs: BlobTotals,
    /// The index of files, `blobs.parquet`, described as a table; not a resource, since a source may have a table of that name.
    pub index: Table,
}

/// The engine and the application that the snapshot was taken from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SourceInfo {
    /// `sqlite` or `postgresql`.
    pub engine: String,
    /// The engine's version: of the library for SQLite, of the server for PostgreSQL.
    pub engine_version: String,
    /// Name of the database: for SQLite the file's name without its folder.
    pub database: String,
    /// The profile that recognised the application, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// The application's migration revision, as its own table has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Engine settings that belong to the data: for SQLite `encoding`, `user_version`, `application_id`, `page_size`,
    /// `journal_mode`, `auto_vacuum`.
    #[serde(default)]
    pub settings: std::collections::BTreeMap<String, String>,
}

/// Sums over `data/blobs.parquet`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobTotals {
    /// Entries of `blobs.parquet`.
    pub entries: u64,
    /// Distinct contents in the bundle.
    pub blobs: u64,
    /// Bytes of those, uncompressed.
    pub bytes: u64,
    /// Entries whose file was not there.
    pub missing: u64,
    /// Entries that no row refers to.
    pub unreferenced: u64,
}

/// One table: a Frictionless resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table {
    /// The table's name in the source, any characters.
    pub name: String,
    /// Its Parquet parts, relative to `data/`, in row order; at least one.
    pub path: Vec<String>,
    /// Always `parquet`.
    pub format: String,
    /// Always `application/vnd.apache.parquet`.
    pub mediatype: String,
    /// Sum of the parts' sizes in bytes.
    pub bytes: u64,
    /// Columns and keys.
    pub schema: TableSchema,
    /// What Frictionless has no word for.
    pub pannier: TableInfo,
}

/// A Frictionless Table Schema.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableSchema {
    /// The columns in the table's own order.
    pub fields: Vec<Column>,
    /// Columns of the primary key, in key order; empty: none declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary_key: Vec<String>,
    /// Declared foreign keys. The source may not have enforced them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
}

/// One column: a Frictionless field.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Column {
    /// The column's name in the source, any characters.
    pub name: String,
    /// Frictionless type of the Parquet column: `boolean`, `integer`, `number`, `string` or `any` (bytes).
    #[serde(rename = "type")]
    pub kind: String,
    /// What Frictionless has no word for.
    pub pannier: ColumnInfo,
}

/// A column's declaration and what was found in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// The declared type, verbatim; may be empty, may lie.
    pub declared_type: String,
    /// Declared NOT NULL.
    #[serde(default)]
    pub not_null: bool,
    /// The default's SQL text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The value is computed by the source: it can be read but not inserted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
    /// What was found in it.
    #[serde(default)]
    pub found: Found,
}

/// What a column held, counted while its rows were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Values that were NULL.
    pub nulls: u64,
    /// Booleans.
    pub booleans: u64,
    /// Integers.
    pub integers: u64,
    /// Reals.
    pub reals: u64,
    /// Texts, valid or not.
    pub texts: u64,
    /// Blobs.
    pub blobs: u64,
    /// Texts that were not UTF-8; counted in `texts` too.
    pub invalid_texts: u64,
    /// Length of the longest text or blob, in bytes.
    pub longest_bytes: u64,
    /// The smallest integer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest: Option<i64>,
    /// The largest integer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest: Option<i64>,
}

impl Found {
    /// Counts one value.
    pub fn count(&mut self, value: &crate::Value<'_>) {
        use crate::Value;
        match *value {
            Value::Null => self.nulls += 1,
            Value::Boolean(_) => self.booleans += 1,
            Value::Integer(integer) => {
                self.integers += 1;
                self.smallest = Some(self.smallest.map_or(integer, |smallest| smallest.min(integer)));
                self.largest = Some(self.largest.map_or(integer, |largest| largest.max(integer)));
            }
            Value::Real(_) => self.reals += 1,
            Value::Text(bytes) => {
                self.texts += 1;
                self.invalid_texts += u64::from(std::str::from_utf8(bytes).is_err());
                self.longest_bytes = self.longest_bytes.max(bytes.len() as u64);
            }
            Value::Blob(bytes) => {
                self.blobs += 1;
                self.longest_bytes = self.longest_bytes.max(bytes.len() as u64);
            }
        }
    }
}

/// A declared foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The columns that refer.
    pub fields: Vec<String>,
    /// What they refer to.
    pub reference: Reference,
}

/// The other end of a foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The table referred to; it may not exist.
    pub resource: String,
    /// Its columns; empty: its primary key.
    pub fields: Vec<String>,
}

/// A table's kind, digest and DDL.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TableInfo {
    /// What kind of table it is.
    pub kind: TableKind,
    /// How many rows.
    pub rows: u64,
    /// The order-independent content digest, 64 hex digits; see SPEC.md, 'The content digest'.
    pub digest: String,
    /// Name of the Parquet column that holds values which do not fit their column's type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd: Option<String>,
    /// UNIQUE constraints and unique indexes over whole columns, apart from the primary key.
    #[serde(default)]
    pub unique: Vec<Vec<String>>,
    /// The table's indexes, apart from those that its constraints make.
    #[serde(default)]
    pub indexes: Vec<Index>,
}

/// What kind of table it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TableKind {
    /// An ordinary table.
    #[default]
    Table,
    /// Storage of a virtual table: data that only its module reads.
    Shadow,
    /// The engine's own (`sqlite_sequence`, `sqlite_stat1`).
    Internal,
}

/// An index of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// It allows a key once.
    pub unique: bool,
    /// Its columns in order; an expression is `null`.
    pub columns: Vec<Option<String>>,
    /// It covers some of the rows only, or an expression, a collation or an order that its columns do not tell: see its DDL.
    #[serde(default)]
    pub partial: bool,
    /// Its DDL.
    pub sql: String,
}

impl Table {
    /// The description of a table before its rows are written. A column's `kind` may be left empty: it is then chosen
    /// from the first rows.
    #[must_use]
    pub fn declare(name: &str, kind: TableKind, columns: Vec<Column>) -> Table {
        Table {
            name: name.to_owned(),
            path: Vec::new(),
            format: "parquet".to_owned(),
            mediatype: "application/vnd.apache.parquet".to_owned(),
            bytes: 0,
            schema: TableSchema { fields: columns, ..TableSchema::default() },
            pannier: TableInfo { kind, ..TableInfo::default() },
        }
    }

    /// The index of a column by its name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.schema.fields.iter().position(|column| column.name == name)
    }
}

impl Column {
    /// A column before its values are seen.
    #[must_use]
    pub fn declare(name: &str, info: ColumnInfo) -> Column {
        Column { name: name.to_owned(), kind: String::new(), pannier: info }
    }
}
