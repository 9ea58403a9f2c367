//! What every command needs before it can look at a target: the bundle, the mapping settled with what its rows show, and
//! the files by the rows that refer to them.
//!
//! Memory: one entry per file (some 200 bytes), and what [`crate::mapping::Facts`] names. Rows are read batch by batch.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use pannier_format::{BlobState, Bundle, Problem, Table, Value};

use crate::ImportError;
use crate::mapping::{CollectionMapping, Converter, Facts, FieldSource, FileContent, IdSet, Input, Mapping, Profile, Record};
use crate::monitor::Monitor;

/// A bundle and where its tables go.
pub struct Prepared {
    /// The bundle; shared with uploads, which read from it on threads of their own.
    pub bundle: Arc<Bundle>,
    /// The settled mapping.
    pub mapping: Mapping,
    /// What the rows of each collection's table have shown, in the mapping's order.
    pub facts: Vec<Facts>,
    /// Files without bytes, and rows of a merged table that go nowhere.
    pub problems: Vec<Problem>,
    files: HashMap<(String, String), FileEntry>,
}

struct FileEntry {
    sha256: String,
    bytes: u64,
}

impl Prepared {
    /// Opens a bundle, chooses the profile and scans the keys of all rows.
    pub fn open(path: &Path, profile: Option<&str>, monitor: &mut Monitor) -> Result<Prepared, ImportError> {
        let bundle = Arc::new(Bundle::open(path)?);
        let profile = choose_profile(&bundle, profile)?;
        let mapping = Mapping::derive(bundle.tables(), &profile)?;
        let mut prepared = Prepared { bundle, mapping, facts: Vec::new(), problems: Vec::new(), files: HashMap::new() };
        prepared.index_files()?;
        let rows = prepared.mapping.collections.iter().map(|collection| collection.rows).sum();
        monitor.phase("read keys", rows, "rows");
        for index in 0..prepared.mapping.collections.len() {
            prepared.scan(index, monitor)?;
        }
        monitor.end();
        Ok(prepared)
    }

    fn index_files(&mut self) -> Result<(), ImportError> {
        let mut largest = 0;
        for entry in self.bundle.blob_entries()? {
            let entry = entry?;
            let name = format!("{}/{}", entry.location, String::from_utf8_lossy(&entry.path));
            match entry.state {
                BlobState::Missing => self.problems.push(Problem::new("file-missing", name, "its row is imported without a file")),
                BlobState::Unreadable => self.problems.push(Problem::new("file-unreadable", name, "its row is imported without a file")),
                BlobState::Unreferenced => {
                    self.problems.push(Problem::new("file-unreferenced", name, "no row knows it: it stays in the bundle"));
                }
                BlobState::Present => {}
            }
            if let (Some(table), Some(key), Some(sha256), Some(bytes)) = (entry.table, entry.key, entry.sha256, entry.bytes) {
                largest = largest.max(bytes);
                self.files.insert((table, key), FileEntry { sha256, bytes });
            }
        }
        for collection in &mut self.mapping.collections {
            collection.set_largest_file(largest);
        }
        Ok(())
    }

    fn scan(&mut self, index: usize, monitor: &Monitor) -> Result<(), ImportError> {
        let facts = {
            let collection = &self.mapping.collections[index];
            let mut scanner = crate::mapping::Scanner::new(collection);
            if let Some(merge) = &collection.merge
                && let Some(table) = self.bundle.table(&merge.table)
            {
                self.each_row(table, |row, _| scanner.merged_row(row))?;
            }
            let Some(table) = self.bundle.table(&collection.table) else { return Ok(()) };
            self.each_row(table, |row, ordinal| {
                scanner.row(row, ordinal);
                monitor.advance(1);
            })?;
            if scanner.needs_second_pass() {
                self.each_row(table, |row, _| scanner.row_again(row))?;
            }
            scanner.finish()
        };
        let collection = &self.mapping.collections[index];
        if let Some(merge) = &collection.merge {
            for key in facts.unmatched_keys() {
                let detail = format!("no row of {} has this key: it stays in the bundle", collection.table);
                self.problems.push(Problem::new("merge-unmatched", format!("{} {key}", merge.table), detail));
            }
        }
        let table = collection.table.clone();
        self.mapping.settle(&table, &facts);
        self.facts.push(facts);
        Ok(())
    }

    /// Calls `each` for every row of a table, with its ordinal.
    pub fn each_row(&self, table: &Table, mut each: impl FnMut(&[Value<'_>], u64)) -> Result<(), ImportError> {
        let mut reader = self.bundle.rows(table)?;
        while let Some(batch) = reader.next_batch()? {
            let mut row = Vec::new();
            for index in 0..batch.rows() {
                batch.row(index, &mut row);
                each(&row, batch.first_row() + index as u64);
            }
        }
        Ok(())
    }

    /// The converter of a collection.
    #[must_use]
    pub fn converter(&self, index: usize) -> Converter<'_> {
        Converter::new(&self.mapping.collections[index], &self.facts[index])
    }

    /// The bundle's table of a collection; a mapping names only tables that the bundle has.
    pub fn table(&self, collection: &CollectionMapping) -> Result<&Table, ImportError> {
        self.bundle.table(&collection.table).ok_or_else(|| {
            ImportError::Bundle(pannier_format::Error::Damaged {
                path: self.bundle.path().to_owned(),
                reason: format!("table {} is gone", collection.table),
            })
        })
    }

    /// Converts a row together with its file.
    #[must_use]
    pub fn convert<'a>(&'a self, converter: &Converter<'a>, table: &str, row: &[Value<'a>], ordinal: u64) -> Record<'a> {
        let key = converter.file_key(row, ordinal);
        let entry = key.and_then(|key| self.files.get(&(table.to_owned(), key)));
        let file = entry.map(|entry| FileContent { sha256: &entry.sha256, bytes: entry.bytes });
        converter.convert(&Input { row, ordinal, file })
    }

    /// The ids that the records of a collection get, without those that `keep` rejects.
    pub fn ids(&self, index: usize, keep: impl Fn(&str) -> bool) -> Result<IdSet, ImportError> {
        let mut ids = IdSet::default();
        let converter = self.converter(index);
        let table = self.table(&self.mapping.collections[index])?;
        self.each_row(table, |row, ordinal| {
            let (id, _) = converter.record_id(row, ordinal);
            if keep(&id.id) {
                ids.insert(&id.id);
            }
        })?;
        Ok(ids)
    }

    /// The index of a collection by its name.
    #[must_use]
    pub fn index_of(&self, collection: &str) -> Option<usize> {
        self.mapping.collections.iter().position(|other| other.name == collection)
    }

    /// The definitions of all collections, as the server takes them.
    #[must_use]
    pub fn definitions(&self) -> Vec<serde_json::Value> {
        self.mapping.collections.iter().map(crate::mapping::collection_json).collect()
    }

    /// Whether a collection has a file field, and its records are sent one by one therefore.
    #[must_use]
    pub fn has_files(collection: &CollectionMapping) -> bool {
        collection.fields.iter().any(|field| matches!(field.source, FieldSource::File { .. }))
    }
}

/// The profile that is asked for: a built-in one by its name, else a file; without a wish the one of the application that
/// the exporter recognised, else `generic`.
fn choose_profile(bundle: &Bundle, wish: Option<&str>) -> Result<Profile, ImportError> {
    let recognised = bundle.package().pannier.source.application.as_deref();
    let name = wish.or(recognised).unwrap_or("generic");
    if let Some(profile) = Profile::built_in(name) {
        return Ok(profile?);
    }
    match wish {
        Some(file) => Ok(Profile::read(Path::new(file))?),
        // A bundle of an application that a newer exporter knows: the rules alone do.
        None => Ok(Profile::generic()),
    }
}
