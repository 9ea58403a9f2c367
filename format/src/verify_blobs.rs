//! Verifies blobs against the index of files: every entry that says so has its blob, every blob an entry and the content that
//! its name and its entry claim.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::member::{BlobReader, Slice};
use crate::problem::ProblemList;
use crate::rows::{RowBatch, TableReader};
use crate::structure::{Structure, is_sha256};
use crate::writer::BLOBS;
use crate::{BlobEntry, BlobState, BlobTotals, DataPackage, Problem};

/// What the index says, gathered.
pub(crate) struct BlobIndex {
    /// Every content that there must be, by its hash: a path that has it, and its size.
    wanted: BTreeMap<String, (String, u64)>,
    totals: BlobTotals,
    problems: ProblemList,
}

impl BlobIndex {
    /// Reads the index; `None` if it cannot be read, which is named when it is read as a table.
    pub fn read(bundle: &Path, package: &DataPackage, parts: Vec<Slice>) -> Option<BlobIndex> {
        let mut index = BlobIndex { wanted: BTreeMap::new(), totals: BlobTotals::default(), problems: ProblemList::default() };
        let mut reader = TableReader::new(bundle, &package.pannier.index, parts.into_iter().map(|part| (part, None)));
        while let Some(batch) = reader.next_batch().ok()? {
            index.add(&batch);
        }
        Some(index)
    }

    fn add(&mut self, batch: &RowBatch) {
        let mut row = Vec::new();
        for number in 0..batch.rows() {
            batch.row(number, &mut row);
            match BlobEntry::from_row(&row) {
                Ok(entry) => self.add_entry(entry),
                Err(reason) => {
                    let reason = format!("row {}: {reason}", batch.first_row() + number as u64);
                    self.problems.push(Problem::new("blob-entry", "data/blobs.parquet", reason));
                }
            }
        }
    }

    fn add_entry(&mut self, entry: BlobEntry) {
        self.totals.entries += 1;
        self.totals.missing += u64::from(entry.state == BlobState::Missing);
        self.totals.unreferenced += u64::from(entry.state == BlobState::Unreferenced);
        let (Some(sha256), Some(bytes)) = (entry.sha256, entry.bytes) else { return };
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        match self.wanted.get(&sha256) {
            None => {
                self.totals.blobs += 1;
                self.totals.bytes = self.totals.bytes.saturating_add(bytes);
                self.wanted.insert(sha256, (path, bytes));
            }
            Some((_, other)) if *other != bytes => {
                let reason = format!("{path:?} has {bytes} bytes, another entry with the same content {other}");
                self.problems.push(Problem::new("blob-entry", "data/blobs.parquet", reason));
            }
            Some(_) => {}
        }
    }

    /// What the index says about the size of a content.
    fn bytes(&self, sha256: &str) -> Option<u64> {
        self.wanted.get(sha256).map(|(_, bytes)| *bytes)
    }

    /// Holds the index against the members and the descriptor.
    pub fn check(self, structure: &Structure, totals: BlobTotals, problems: &mut ProblemList) {
        problems.append(self.problems);
        for (sha256, (path, _)) in &self.wanted {
            let member = format!("data/{BLOBS}/{}/{sha256}", &sha256[..2]);
            // A member that the manifest names was missed before.
            let known = |path: &str| structure.index.members.contains_key(path) || structure.manifest.contains_key(path);
            if !known(&member) && !known(&format!("{member}.zst")) {
                problems.push(Problem::new("blob-missing", path, format!("its content {sha256} is not in the bundle")));
            }
        }
        for member in structure.index.members.keys() {
            let sha256 = member.strip_prefix(&format!("data/{BLOBS}/")).and_then(|name| name.get(3..));
            if sha256.is_some_and(|name| !self.wanted.contains_key(name.strip_suffix(".zst").unwrap_or(name))) {
                problems.push(Problem::new("blob-unknown", member, "belongs to no entry of blobs.parquet"));
            }
        }
        if self.totals != totals {
            problems.push(Problem::new("blob-totals", "data/blobs.parquet", "its sums are not what the descriptor says"));
        }
    }
}

/// Checks that a blob's name is `ab/HASH` of its content, or `ab/HASH.zst`, and that it has the size that the index claims.
/// A content that the index does not know is not unpacked: nothing says where to stop.
pub(crate) fn check_blob(name: &str, slice: &Slice, member_sha256: &str, index: Option<&BlobIndex>) -> Result<(), String> {
    let (prefix, file) = name.split_once('/').ok_or("is not in a folder of its own")?;
    let sha256 = file.strip_suffix(".zst").unwrap_or(file);
    if !is_sha256(sha256) || prefix != &sha256[..2] {
        return Err("is not named by a hash".to_owned());
    }
    let expected = index.and_then(|index| index.bytes(sha256));
    let found = if file == sha256 {
        if sha256 != member_sha256 {
            return Err(format!("is named {sha256} and has SHA-256 {member_sha256}"));
        }
        slice.bytes
    } else {
        let Some(expected) = expected else { return Ok(()) };
        let content = BlobReader::packed(slice, sha256).map_err(|error| error.to_string())?;
        io::copy(&mut content.at_most(expected), &mut io::sink()).map_err(|error| error.to_string())?
    };
    match expected {
        Some(expected) if expected != found => Err(format!("has {found} bytes, the index says {expected}")),
        _ => Ok(()),
    }
}
