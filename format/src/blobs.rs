//! The index of files: one entry for every file and row that refers to it, in `data/blobs.parquet`.

use crate::structure::is_sha256;
use crate::{Class, Column, ColumnInfo, Table, TableKind, Value};

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobState {
    /// A row refers to it and its bytes are in the bundle.
    Present,
    /// A row refers to it and it was not there.
    Missing,
    /// No row refers to it; its bytes are in the bundle.
    Unreferenced,
    /// It was there and could not be read.
    Unreadable,
}

impl BlobState {
    /// The word in the bundle.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BlobState::Present => "present",
            BlobState::Missing => "missing",
            BlobState::Unreferenced => "unreferenced",
            BlobState::Unreadable => "unreadable",
        }
    }

    /// The state that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [BlobState::Present, BlobState::Missing, BlobState::Unreferenced, BlobState::Unreadable]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// One file, as one row refers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobEntry {
    /// Name of the location, for instance `uploads`.
    pub location: String,
    /// Path below the location, parts separated by `/`; raw bytes, any characters.
    pub path: Vec<u8>,
    /// What became of it.
    pub state: BlobState,
    /// Its size in bytes.
    pub bytes: Option<u64>,
    /// SHA-256 of its bytes, 64 hex digits; names the blob.
    pub sha256: Option<String>,
    /// When it was last modified, in nanoseconds since 1970.
    pub modified_ns: Option<i64>,
    /// The table of the row that refers to it.
    pub table: Option<String>,
    /// That row's key, as text.
    pub key: Option<String>,
    /// The column with the path.
    pub column: Option<String>,
    /// What that column held, verbatim.
    pub claimed_path: Option<Vec<u8>>,
}

/// Name of the index as a table, and of its columns.
pub(crate) const TABLE: &str = "blobs";
const COLUMNS: [(&str, Class); 10] = [
    ("location", Class::Text),
    ("path", Class::Text),
    ("state", Class::Text),
    ("bytes", Class::Integer),
    ("sha256", Class::Text),
    ("modified_ns", Class::Integer),
    ("table", Class::Text),
    ("key", Class::Text),
    ("column", Class::Text),
    ("claimed_path", Class::Text),
];

/// The description of the index, as of a table.
pub(crate) fn table() -> Table {
    let columns = COLUMNS
        .iter()
        .map(|(name, class)| Column {
            name: (*name).to_owned(),
            kind: crate::physical::frictionless_type(*class).to_owned(),
            pannier: ColumnInfo { declared_type: class.as_str().to_owned(), ..ColumnInfo::default() },
        })
        .collect();
    Table::declare(TABLE, TableKind::Internal, columns)
}

impl BlobEntry {
    /// The entry as a row of the index.
    pub(crate) fn to_row(&self) -> [Value<'_>; COLUMNS.len()] {
        fn text(text: Option<&String>) -> Value<'_> {
            text.map_or(Value::Null, |text| Value::Text(text.as_bytes()))
        }
        let integer = |integer: Option<i64>| integer.map_or(Value::Null, Value::Integer);
        [
            Value::Text(self.location.as_bytes()),
            Value::Text(&self.path),
            Value::Text(self.state.as_str().as_bytes()),
            integer(self.bytes.and_then(|bytes| i64::try_from(bytes).ok())),
            text(self.sha256.as_ref()),
            integer(self.modified_ns),
            text(self.table.as_ref()),
            text(self.key.as_ref()),
            text(self.column.as_ref()),
            self.claimed_path.as_ref().map_or(Value::Null, |path| Value::Text(path)),
        ]
    }

    /// The entry that a row of the index describes; the reason if it is none.
    pub(crate) fn from_row(row: &[Value<'_>]) -> Result<Self, String> {
        let [location, path, state, bytes, sha256, modified_ns, table, key, column, claimed_path] = row else {
            return Err("it has another number of columns".to_owned());
        };
        let entry = BlobEntry {
            location: text("location", location)?.ok_or("it has no location")?,
            path: raw("path", path)?.ok_or("it has no path")?,
            state: text("state", state)?.as_deref().and_then(BlobState::parse).ok_or("it has no state that is known")?,
            bytes: integer("bytes", bytes)?.map(u64::try_from).transpose().map_err(|_| "its size is negative")?,
            sha256: text("sha256", sha256)?,
            modified_ns: integer("modified_ns", modified_ns)?,
            table: text("table", table)?,
            key: text("key", key)?,
            column: text("column", column)?,
            claimed_path: raw("claimed_path", claimed_path)?,
        };
        entry.check().map(|()| entry)
    }

    /// An entry with a content says how long it is, and its path stays below its location: somebody will write it there.
    fn check(&self) -> Result<(), String> {
        let has_content = matches!(self.state, BlobState::Present | BlobState::Unreferenced);
        if self.sha256.as_deref().is_some_and(|sha256| !is_sha256(sha256)) {
            return Err("its hash is none".to_owned());
        }
        if has_content != self.sha256.is_some() || (has_content && self.bytes.is_none()) {
            return Err(format!("it is {} and {} a content", self.state.as_str(), if has_content { "lacks" } else { "has" }));
        }
        let leaves = |part: &[u8]| matches!(part, b"" | b"." | b"..") || part.contains(&0);
        if has_content && self.path.split(|byte| *byte == b'/').any(leaves) {
            return Err("its path leaves its location".to_owned());
        }
        Ok(())
    }
}

fn text(column: &str, value: &Value<'_>) -> Result<Option<String>, String> {
    let text = raw(column, value)?.map(String::from_utf8).transpose();
    text.map_err(|_| format!("its {column} is not UTF-8"))
}

fn raw(column: &str, value: &Value<'_>) -> Result<Option<Vec<u8>>, String> {
    match *value {
        Value::Null => Ok(None),
        Value::Text(bytes) => Ok(Some(bytes.to_vec())),
        _ => Err(format!("its {column} is no text")),
    }
}

fn integer(column: &str, value: &Value<'_>) -> Result<Option<i64>, String> {
    match *value {
        Value::Null => Ok(None),
        Value::Integer(integer) => Ok(Some(integer)),
        _ => Err(format!("its {column} is no integer")),
    }
}
