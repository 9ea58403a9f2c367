//! What the profile wants to know of rows as they pass: the application's revision, and the rows that name files.
//! Memory grows with the number of rows of the file tables: three short texts for each.

use std::collections::HashSet;

use pannier_format::{Value, hex};

use crate::profile::{FileTable, Profile};
use crate::source::SourceTable;

/// A row that names a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    /// The row's key, as text; empty for NULL.
    pub key: String,
    /// Why the key does not tell which row it is.
    pub unclear: Option<&'static str>,
    /// What the path column holds; none for NULL.
    pub path: Option<Vec<u8>>,
    /// What the name column holds; none for NULL.
    pub name: Option<Vec<u8>>,
    /// How many bytes the file has, as the row says.
    pub bytes: Option<u64>,
    /// The SHA-256 of the file, as the row says.
    pub sha256: Option<String>,
}

/// Collects while rows pass by.
pub struct Noticed<'p> {
    profile: &'p Profile,
    /// The application's migration revision.
    pub revision: Option<String>,
    revision_rank: usize,
    /// Rows that name files, by file table in the profile's order.
    pub files: Vec<(&'p FileTable, Vec<FileRow>)>,
}

/// Where in one table's rows the wanted columns are.
pub struct Watch {
    revision: Option<(usize, usize)>,
    file: Option<(usize, [Option<usize>; 4])>,
}

impl<'p> Noticed<'p> {
    /// Nothing noticed yet.
    #[must_use]
    pub fn new(profile: &'p Profile) -> Noticed<'p> {
        let files = profile.files.iter().map(|table| (table, Vec::new())).collect();
        Noticed { profile, revision: None, revision_rank: usize::MAX, files }
    }

    /// What to look at in a table; none if nothing.
    #[must_use]
    pub fn watch(&self, table: &SourceTable) -> Option<Watch> {
        let revision = self
            .profile
            .revision
            .iter()
            .enumerate()
            .find(|(_, revision)| revision.table == table.name)
            .and_then(|(rank, revision)| Some((rank, table.column(&revision.column)?)));
        let file = self.files.iter().position(|(files, _)| files.table == table.name).map(|place| {
            let files = self.files[place].0;
            let size = files.size_json.as_ref();
            (place, [Some(&files.key), Some(&files.path), Some(&files.name), size].map(|column| table.column(column?)))
        });
        (revision.is_some() || file.is_some()).then_some(Watch { revision, file })
    }

    /// To be called when all rows have passed.
    pub fn finish(&mut self) {
        self.files.iter_mut().for_each(|(_, rows)| repeated_keys(rows));
    }

    /// Looks at one row.
    pub fn row(&mut self, watch: &Watch, row: &[Value<'_>]) {
        if let Some((rank, column)) = watch.revision
            && rank <= self.revision_rank
        {
            self.revision_rank = rank;
            self.revision = row.get(column).and_then(as_text).or(self.revision.take());
        }
        if let Some((place, columns)) = &watch.file {
            let table = self.files[*place].0;
            let [key, path, name, size] = columns.map(|column| column.and_then(|column| row.get(column)));
            let file = FileRow {
                key: key.and_then(as_text).unwrap_or_default(),
                unclear: unclear(key),
                path: path.and_then(bytes),
                name: name.and_then(bytes),
                bytes: size.and_then(|claims| claim(claims, &table.size_pointer)?.as_u64()),
                sha256: size.and_then(|claims| claim(claims, &table.sha256_pointer)?.as_str().map(str::to_owned)),
            };
            self.files[*place].1.push(file);
        }
    }
}

/// A key as text: what is not text comes in the one way that leaves it recognisable.
fn as_text(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Boolean(boolean) => Some(boolean.to_string()),
        Value::Integer(integer) => Some(integer.to_string()),
        Value::Real(real) => Some(real.to_string()),
        Value::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Blob(bytes) => Some(hex(bytes)),
    }
}

/// Why a key as text does not stand for its value; of keys that come twice see [`repeated_keys`].
fn unclear(key: Option<&Value<'_>>) -> Option<&'static str> {
    match key {
        None | Some(Value::Null) => Some("its key is NULL"),
        Some(Value::Text(b"")) => Some("its key is empty"),
        Some(Value::Text(text)) if std::str::from_utf8(text).is_err() => Some("its key is not UTF-8"),
        Some(Value::Blob(_)) => Some("its key is a blob, and comes as hex digits"),
        Some(_) => None,
    }
}

/// Marks rows with the key of a row before, as text: also a number and its digits are one key.
fn repeated_keys(rows: &mut [FileRow]) {
    let mut seen: HashSet<&str> = HashSet::with_capacity(rows.len());
    for FileRow { key, unclear, .. } in rows {
        if !seen.insert(key) && unclear.is_none() {
            *unclear = Some("a row before has the same key");
        }
    }
}

/// What stands at `pointer` in a JSON text; nothing without a pointer, and for what is no JSON.
fn claim(value: &Value<'_>, pointer: &str) -> Option<serde_json::Value> {
    let Value::Text(text) = value else { return None };
    if pointer.is_empty() {
        return None;
    }
    serde_json::from_slice::<serde_json::Value>(text).ok()?.pointer_mut(pointer).map(serde_json::Value::take)
}

fn bytes(value: &Value<'_>) -> Option<Vec<u8>> {
    match value {
        Value::Text(bytes) | Value::Blob(bytes) => Some(bytes.to_vec()),
        _ => None,
    }
}
