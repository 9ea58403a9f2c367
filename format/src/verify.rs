//! Verifies a bundle: every member, every digest, every blob. It lists all problems and stops at none.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::digest::RowDigester;
use crate::member::{BlobReader, HashedReader, Slice};
use crate::reader::{Structure, inspect};
use crate::rows::TableReader;
use crate::writer::{BLOBS, TABLES};
use crate::{BlobEntry, BlobState, BlobTotals, Error, Found, Problem, Table};

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
    let mut report = VerifyReport::default();
    let structure = inspect(path, &mut |problem| report.problems.push(problem))?;
    report.identity.clone_from(&structure.identity);
    report.members = structure.index.members.len() as u64;
    let damaged = hash_members(&structure, &mut report, progress);
    if let Some(package) = &structure.package {
        let mut described = BTreeSet::new();
        for table in package.resources.iter().chain([&package.pannier.index]) {
            described.extend(table.path.iter().map(|path| format!("data/{path}")));
            if let Some(parts) = parts(&structure, table, &damaged, &mut report) {
                read_table(path, table, parts, &mut report);
            }
        }
        for member in structure.index.members.keys() {
            if member.starts_with(&format!("data/{TABLES}/")) && !described.contains(member) {
                report.problems.push(Problem::new("part-unknown", member, "belongs to no table of the descriptor"));
            }
        }
        if let Some(parts) = quiet_parts(&structure, &package.pannier.index, &damaged) {
            check_blobs(path, &structure, &package.pannier.index, parts, package.pannier.blobs, &mut report);
        }
    }
    Ok(report)
}

/// Hashes every payload member; answers those that are not what the manifest says.
fn hash_members(structure: &Structure, report: &mut VerifyReport, progress: &mut dyn FnMut(u64)) -> BTreeSet<String> {
    let mut damaged = BTreeSet::new();
    for (member, slice) in &structure.index.members {
        report.bytes += slice.bytes;
        let Some(expected) = structure.manifest.get(member) else { continue };
        let content = HashedReader::new(slice.reader(0), expected);
        if let Err(error) = drain(content, slice.bytes, progress) {
            damaged.insert(member.clone());
            let named = report.problems.iter().any(|problem| problem.object == *member && problem.code == "member-hash");
            if !named {
                report.problems.push(Problem::new("member-hash", member, error.to_string()));
            }
            continue;
        }
        if let Some(name) = member.strip_prefix(&format!("data/{BLOBS}/")) {
            report.blobs += 1;
            if let Err(reason) = check_blob(name, slice, expected) {
                report.problems.push(Problem::new("blob-content", member, reason));
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

/// A blob's name is `ab/HASH` of its content, or `ab/HASH.zst`.
fn check_blob(name: &str, slice: &Slice, member_sha256: &str) -> Result<(), String> {
    let (prefix, file) = name.split_once('/').ok_or("is not in a folder of its own")?;
    let sha256 = file.strip_suffix(".zst").unwrap_or(file);
    if sha256.len() != 64 || !sha256.starts_with(prefix) {
        return Err("is not named by a hash".to_owned());
    }
    if file == sha256 {
        return if sha256 == member_sha256 { Ok(()) } else { Err(format!("is named {sha256} and has SHA-256 {member_sha256}")) };
    }
    let mut content = BlobReader::packed(slice, sha256).map_err(|error| error.to_string())?;
    io::copy(&mut content, &mut io::sink()).map(|_| ()).map_err(|error| error.to_string())
}

/// The parts of a table, if all are there and whole. Those that are missing are named here, damaged ones were before.
fn parts(structure: &Structure, table: &Table, damaged: &BTreeSet<String>, report: &mut VerifyReport) -> Option<Vec<Slice>> {
    for path in &table.path {
        if !structure.index.members.contains_key(&format!("data/{path}")) && !structure.manifest.contains_key(&format!("data/{path}")) {
            report.problems.push(Problem::new(
                "part-missing",
                format!("table {}", table.name),
                format!("its part {path} is not in the bundle"),
            ));
        }
    }
    quiet_parts(structure, table, damaged)
}

fn quiet_parts(structure: &Structure, table: &Table, damaged: &BTreeSet<String>) -> Option<Vec<Slice>> {
    let part = |path: &String| {
        let path = format!("data/{path}");
        structure.index.members.get(&path).filter(|_| !damaged.contains(&path)).cloned()
    };
    table.path.iter().map(part).collect()
}

/// Reads a table's rows and holds rows, digest and findings against the descriptor.
fn read_table(bundle: &Path, table: &Table, parts: Vec<Slice>, report: &mut VerifyReport) {
    let object = format!("table {}", table.name);
    // The Parquet library may panic on a file that was made to deceive it; that must not end the verification.
    let read = catch_unwind(AssertUnwindSafe(|| digest_table(bundle, table, parts)));
    let (digester, found) = match read {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => {
            report.problems.push(Problem::new("table-unreadable", object, reason(&error)));
            return;
        }
        Err(_) => {
            report.problems.push(Problem::new("table-unreadable", object, "its Parquet made the reader fail"));
            return;
        }
    };
    report.tables += 1;
    report.rows += digester.rows();
    if digester.rows() != table.pannier.rows {
        let detail = format!("has {} rows, the descriptor says {}", digester.rows(), table.pannier.rows);
        report.problems.push(Problem::new("table-rows", &object, detail));
    }
    if digester.finish() != table.pannier.digest {
        report.problems.push(Problem::new("table-digest", &object, "its content digest is not what the descriptor says"));
    }
    for (column, found) in table.schema.fields.iter().zip(found) {
        if column.pannier.found != found {
            let detail = format!("column {:?} holds something else than the descriptor says", column.name);
            report.problems.push(Problem::new("column-findings", &object, detail));
        }
    }
}

fn digest_table(bundle: &Path, table: &Table, parts: Vec<Slice>) -> Result<(RowDigester, Vec<Found>), Error> {
    let columns: Vec<String> = table.schema.fields.iter().map(|column| column.name.clone()).collect();
    let mut digester = RowDigester::new(&columns);
    let mut found = vec![Found::default(); columns.len()];
    let mut reader = TableReader::new(bundle, table, parts);
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

/// Every entry that says so has its blob, every blob an entry, and the totals are right.
fn check_blobs(bundle: &Path, structure: &Structure, index: &Table, parts: Vec<Slice>, totals: BlobTotals, report: &mut VerifyReport) {
    let mut wanted = BTreeMap::new();
    let mut found = BlobTotals::default();
    let mut reader = TableReader::new(bundle, index, parts);
    loop {
        // An index that cannot be read was named when it was read as a table.
        let Ok(Ok(batch)) = catch_unwind(AssertUnwindSafe(|| reader.next_batch())) else { return };
        let Some(batch) = batch else { break };
        let mut row = Vec::new();
        for number in 0..batch.rows() {
            batch.row(number, &mut row);
            match BlobEntry::from_row(&row) {
                Err(reason) => report.problems.push(Problem::new("blob-entry", "data/blobs.parquet", reason)),
                Ok(entry) => {
                    count_entry(&entry, &mut found);
                    if let Some(sha256) = entry.sha256 {
                        wanted.insert(sha256, (String::from_utf8_lossy(&entry.path).into_owned(), entry.bytes));
                    }
                }
            }
        }
    }
    for (sha256, (path, bytes)) in &wanted {
        let member = format!("data/{BLOBS}/{}/{sha256}", sha256.get(..2).unwrap_or_default());
        let known = |path: &str| structure.index.members.contains_key(path) || structure.manifest.contains_key(path);
        if !known(&member) && !known(&format!("{member}.zst")) {
            report.problems.push(Problem::new("blob-missing", path, format!("its content {sha256} is not in the bundle")));
        }
        found.blobs += 1;
        found.bytes += bytes.unwrap_or(0);
    }
    for member in structure.index.members.keys() {
        let sha256 = member.strip_prefix(&format!("data/{BLOBS}/")).and_then(|name| name.get(3..));
        if sha256.is_some_and(|name| !wanted.contains_key(name.strip_suffix(".zst").unwrap_or(name))) {
            report.problems.push(Problem::new("blob-unknown", member, "belongs to no entry of blobs.parquet"));
        }
    }
    if found != totals {
        report.problems.push(Problem::new("blob-totals", "data/blobs.parquet", "its sums are not what the descriptor says"));
    }
}

fn count_entry(entry: &BlobEntry, totals: &mut BlobTotals) {
    totals.entries += 1;
    totals.missing += u64::from(entry.state == BlobState::Missing);
    totals.unreferenced += u64::from(entry.state == BlobState::Unreferenced);
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
