//! Verifies a bundle: every member, every digest, every blob. It lists all problems and stops at none.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Read};
use std::path::Path;

use crate::descriptor::DESCRIPTOR;
use crate::digest::RowDigester;
use crate::member::{HashedReader, Slice};
use crate::problem::ProblemList;
use crate::rows::TableReader;
use crate::structure::{Structure, inspect};
use crate::verify_blobs::{BlobIndex, check_blob};
use crate::writer::{BLOBS, TABLES};
use crate::{DataPackage, Error, Found, Problem, Table};

/// What `verify` found.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    /// Everything that is wrong; empty: the bundle is whole.
    pub problems: Vec<Problem>,
    /// Members of the tar.
    pub members: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Tables whose rows were read and digested.
    pub tables: u64,
    /// Rows of those.
    pub rows: u64,
    /// Blobs whose content was hashed.
    pub blobs: u64,
    /// SHA-256 of `tagmanifest-sha256.txt`.
    pub identity: String,
}

/// Verifies the bundle at `path`; `progress` is told how many bytes were hashed since it was told last. An `Err` means that
/// there is no bundle to speak of, not that it is damaged.
pub fn verify(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<VerifyReport, Error> {
    let mut problems = ProblemList::default();
    let structure = inspect(path, &mut |problem| problems.push(problem))?;
    let mut report =
        VerifyReport { identity: structure.identity.clone(), members: structure.index.members.len() as u64, ..VerifyReport::default() };
    // The index comes first, since it says how long each blob may get when it is unpacked.
    let package = structure.package.as_ref();
    let index =
        package.and_then(|package| BlobIndex::read(path, package, whole_parts(&structure, &package.pannier.index, &BTreeSet::new())?));
    let damaged = hash_members(&structure, index.as_ref(), &mut report, &mut problems, progress);
    if let Some(package) = package {
        let mut tables = (0, 0);
        for table in package.resources.iter().chain([&package.pannier.index]) {
            // The index is read like a table, last, and counts as none: the source does not have it.
            tables = (report.tables, report.rows);
            name_missing_parts(&structure, table, &mut problems);
            if let Some(parts) = whole_parts(&structure, table, &damaged) {
                read_table(path, table, parts, &mut report, &mut problems);
            }
        }
        (report.tables, report.rows) = tables;
        check_parts_known(&structure, package, &mut problems);
        if let Some(index) = index.filter(|_| whole_parts(&structure, &package.pannier.index, &damaged).is_some()) {
            index.check(&structure, package.pannier.blobs, &mut problems);
        }
    }
    report.problems = problems.finish();
    Ok(report)
}

/// Hashes every payload member; answers those that are not what the manifest says.
fn hash_members(
    structure: &Structure,
    index: Option<&BlobIndex>,
    report: &mut VerifyReport,
    problems: &mut ProblemList,
    progress: &mut dyn FnMut(u64),
) -> BTreeSet<String> {
    let mut damaged = BTreeSet::new();
    for (member, slice) in &structure.index.members {
        report.bytes += slice.bytes;
        let Some(expected) = structure.manifest.get(member) else { continue };
        let content = HashedReader::new(slice.reader(0), expected);
        if let Err(error) = drain(content, slice.bytes, progress) {
            damaged.insert(member.clone());
            // The descriptor was hashed when it was read.
            if member != DESCRIPTOR {
                problems.push(Problem::new("member-hash", member, error.to_string()));
            }
            continue;
        }
        if let Some(name) = member.strip_prefix(&format!("data/{BLOBS}/")) {
            report.blobs += 1;
            if let Err(reason) = check_blob(name, slice, expected, index) {
                problems.push(Problem::new("blob-content", member, reason));
            }
        }
    }
    damaged
}

fn drain(mut content: impl Read, bytes: u64, progress: &mut dyn FnMut(u64)) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 18];
    let mut total = 0;
    loop {
        match content.read(&mut buffer)? {
            0 if total == bytes => return Ok(()),
            0 => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "is cut short")),
            read => {
                total += read as u64;
                progress(read as u64);
            }
        }
    }
}

/// Names the parts that are nowhere; those that the manifest has were missed before.
fn name_missing_parts(structure: &Structure, table: &Table, problems: &mut ProblemList) {
    for path in &table.path {
        let member = format!("data/{path}");
        if !structure.index.members.contains_key(&member) && !structure.manifest.contains_key(&member) {
            let detail = format!("its part {path:?} is not in the bundle");
            problems.push(Problem::new("part-missing", format!("table {}", table.name), detail));
        }
    }
}

/// The parts of a table, if all are there and none is damaged.
fn whole_parts(structure: &Structure, table: &Table, damaged: &BTreeSet<String>) -> Option<Vec<Slice>> {
    let part = |path: &String| {
        let path = format!("data/{path}");
        structure.index.members.get(&path).filter(|_| !damaged.contains(&path)).cloned()
    };
    table.path.iter().map(part).collect()
}

fn check_parts_known(structure: &Structure, package: &DataPackage, problems: &mut ProblemList) {
    let described: HashSet<&str> = package.resources.iter().flat_map(|table| &table.path).map(String::as_str).collect();
    for member in structure.index.members.keys() {
        let part = member.strip_prefix("data/").filter(|path| path.starts_with(&format!("{TABLES}/")));
        if part.is_some_and(|path| !described.contains(path)) {
            problems.push(Problem::new("part-unknown", member, "belongs to no table of the descriptor"));
        }
    }
}

/// Reads a table's rows and holds rows, digest and findings against the descriptor.
fn read_table(bundle: &Path, table: &Table, parts: Vec<Slice>, report: &mut VerifyReport, problems: &mut ProblemList) {
    let object = format!("table {}", table.name);
    let bytes = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.bytes));
    let (digester, found) = match digest_table(bundle, table, parts) {
        Ok(read) => read,
        Err(error) => {
            problems.push(Problem::new("table-unreadable", object, reason(&error)));
            return;
        }
    };
    report.tables += 1;
    report.rows += digester.rows();
    if bytes != table.bytes {
        let detail = format!("its parts have {bytes} bytes, the descriptor says {}", table.bytes);
        problems.push(Problem::new("table-bytes", &object, detail));
    }
    if digester.rows() != table.pannier.rows {
        let detail = format!("has {} rows, the descriptor says {}", digester.rows(), table.pannier.rows);
        problems.push(Problem::new("table-rows", &object, detail));
    }
    if digester.finish() != table.pannier.digest {
        problems.push(Problem::new("table-digest", &object, "its content digest is not what the descriptor says"));
    }
    for (column, found) in table.schema.fields.iter().zip(found) {
        if column.pannier.found != found {
            let detail = format!("column {:?} holds something else than the descriptor says", column.name);
            problems.push(Problem::new("column-findings", &object, detail));
        }
    }
}

fn digest_table(bundle: &Path, table: &Table, parts: Vec<Slice>) -> Result<(RowDigester, Vec<Found>), Error> {
    let columns: Vec<String> = table.schema.fields.iter().map(|column| column.name.clone()).collect();
    let mut digester = RowDigester::new(&columns);
    let mut found = vec![Found::default(); columns.len()];
    let mut reader = TableReader::new(bundle, table, parts.into_iter().map(|part| (part, None)));
    while let Some(batch) = reader.next_batch()? {
        let mut row = Vec::with_capacity(columns.len());
        for index in 0..batch.rows() {
            batch.row(index, &mut row);
            digester.row(&row);
            for (found, value) in found.iter_mut().zip(&row) {
                found.count(value);
            }
        }
    }
    Ok((digester, found))
}

/// An error and its causes on one line.
fn reason(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
