//! Opens a bundle for reading. One whose structure has a fault is not opened; what is read is checked while it is read.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::member::{BlobReader, HashedReader, Slice};
use crate::rows::{RowBatch, TableReader};
use crate::structure::{Structure, inspect};
use crate::writer::BLOBS;
use crate::{BlobEntry, DataPackage, Error, Table};

/// Members that are asked for by name are read whole; larger ones are refused.
const SMALL_BYTES: u64 = 256 << 20;

/// A bundle whose structure is sound: every member is in the manifest and every line of the manifest has its member.
/// Members are checked against their hashes when they are read; only [`crate::verify`] looks at all of them.
pub struct Bundle {
    path: PathBuf,
    members: BTreeMap<String, Slice>,
    manifest: BTreeMap<String, String>,
    package: DataPackage,
    identity: String,
    bytes: u64,
}

impl Bundle {
    /// Opens a bundle and checks its structure.
    pub fn open(path: &Path) -> Result<Bundle, Error> {
        let mut first = None;
        let structure = inspect(path, &mut |problem| {
            first.get_or_insert(problem);
        })?;
        if let Some(first) = first {
            return Err(Error::Damaged { path: path.to_owned(), reason: format!("{} {}", first.object, first.detail) });
        }
        let Structure { index, manifest, package, identity } = structure;
        let package = package.ok_or_else(|| Error::Damaged { path: path.to_owned(), reason: "it has no descriptor".to_owned() })?;
        Ok(Bundle { path: path.to_owned(), members: index.members, manifest, package, identity, bytes: index.bytes })
    }

    /// The descriptor.
    #[must_use]
    pub fn package(&self) -> &DataPackage {
        &self.package
    }

    /// SHA-256 of `tagmanifest-sha256.txt`: it covers every byte of the bundle and so names it.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Where the bundle lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the bundle's file in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The tables, in the order of their names.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.package.resources
    }

    /// A table by its name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.package.resources.iter().find(|table| table.name == name)
    }

    /// The rows of a table.
    pub fn rows(&self, table: &Table) -> Result<TableReader, Error> {
        let parts = table.path.iter().map(|path| {
            let path = format!("data/{path}");
            match (self.members.get(&path), self.manifest.get(&path)) {
                (Some(slice), Some(sha256)) => Ok((slice.clone(), Some(sha256.clone()))),
                _ => Err(self.damaged(format!("table {}: {path} is not in the bundle", table.name))),
            }
        });
        Ok(TableReader::new(&self.path, table, parts.collect::<Result<Vec<_>, _>>()?))
    }

    /// The content of a blob by its SHA-256; `None` if the bundle does not have it.
    pub fn blob(&self, sha256: &str) -> Result<Option<BlobReader>, Error> {
        let Some(prefix) = sha256.get(..2) else { return Ok(None) };
        let path = format!("data/{BLOBS}/{prefix}/{sha256}");
        if let Some(slice) = self.members.get(&path) {
            return Ok(Some(BlobReader::plain(slice, sha256)));
        }
        let Some(slice) = self.members.get(&format!("{path}.zst")) else { return Ok(None) };
        BlobReader::packed(slice, sha256).map(Some).map_err(|source| Error::Read { path: self.path.clone(), source })
    }

    /// The index of files.
    pub fn blob_entries(&self) -> Result<BlobEntries, Error> {
        Ok(BlobEntries { bundle: self.path.clone(), rows: self.rows(&self.package.pannier.index)?, batch: None, next: 0 })
    }

    /// A small member below `data/`, for instance `schema/schema.sql`, its hash checked.
    pub fn member(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = format!("data/{path}");
        let (Some(slice), Some(sha256)) = (self.members.get(&path), self.manifest.get(&path)) else { return Ok(None) };
        if slice.bytes > SMALL_BYTES {
            return Err(self.damaged(format!("{path} is too large")));
        }
        let mut content = Vec::new();
        HashedReader::new(slice.reader(0), sha256).read_to_end(&mut content).map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => self.damaged(format!("{path}: {error}")),
            _ => Error::Read { path: self.path.clone(), source: error },
        })?;
        Ok(Some(content))
    }

    fn damaged(&self, reason: String) -> Error {
        Error::Damaged { path: self.path.clone(), reason }
    }
}

/// Reads the entries of the index of files.
pub struct BlobEntries {
    bundle: PathBuf,
    rows: TableReader,
    batch: Option<RowBatch>,
    next: usize,
}

impl Iterator for BlobEntries {
    type Item = Result<BlobEntry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.batch.as_ref().filter(|batch| self.next < batch.rows()) {
                let mut row = Vec::new();
                batch.row(self.next, &mut row);
                self.next += 1;
                let entry = BlobEntry::from_row(&row);
                return Some(
                    entry.map_err(|reason| Error::Damaged { path: self.bundle.clone(), reason: format!("blobs.parquet: {reason}") }),
                );
            }
            self.next = 0;
            match self.rows.next_batch() {
                Ok(Some(batch)) => self.batch = Some(batch),
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
