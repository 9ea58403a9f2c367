//! Opens a bundle for reading. What is wrong with its structure is found by [`inspect`], which `open` and `verify` share:
//! `open` stops at the first fault, `verify` lists them all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::member::{BlobReader, HashedReader, Slice};
use crate::rows::{RowBatch, TableReader};
use crate::tar_index::{TarIndex, index};
use crate::writer::BLOBS;
use crate::{BlobEntry, DataPackage, Error, FORMAT_VERSION, Problem, Table, hex};

/// Tag files and the descriptor are read whole; larger ones are refused.
const SMALL_BYTES: u64 = 256 << 20;

/// A bundle whose structure is sound: every member is in the manifest and every line of the manifest has its member.
/// Members are checked against their hashes when they are read, Parquet parts by [`crate::verify`].
pub struct Bundle {
    path: PathBuf,
    members: BTreeMap<String, Slice>,
    manifest: BTreeMap<String, String>,
    package: DataPackage,
    identity: String,
    bytes: u64,
}

/// The structure of a bundle, as far as it could be read.
pub(crate) struct Structure {
    pub index: TarIndex,
    pub manifest: BTreeMap<String, String>,
    pub package: Option<DataPackage>,
    pub identity: String,
}

impl Bundle {
    /// Opens a bundle and checks its structure.
    pub fn open(path: &Path) -> Result<Bundle, Error> {
        let mut problems = Vec::new();
        let structure = inspect(path, &mut |problem| problems.push(problem))?;
        if let Some(first) = problems.first() {
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
            let slice = self.members.get(&format!("data/{path}")).cloned();
            slice.ok_or_else(|| self.damaged(format!("table {}: part {path} is not in the bundle", table.name)))
        });
        Ok(TableReader::new(&self.path, table, parts.collect::<Result<_, _>>()?))
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

/// Reads a bundle's structure and names everything that is wrong with it.
pub(crate) fn inspect(path: &Path, problem: &mut dyn FnMut(Problem)) -> Result<Structure, Error> {
    let read_error = |source| Error::Read { path: path.to_owned(), source };
    let not_ours = |reason: &str| Error::NotABundle { path: path.to_owned(), reason: reason.to_owned() };
    let file = File::open(path).map_err(read_error)?;
    if !file.metadata().map_err(read_error)?.is_file() {
        return Err(not_ours("it is not a file"));
    }
    let mut tar_problems = Vec::new();
    let index = index(file, &mut |problem| tar_problems.push(problem)).map_err(read_error)?;
    if index.members.is_empty() && index.name.is_empty() {
        return Err(not_ours(if index.bytes == 0 { "it is empty" } else { "it is not a tar with a bag in it" }));
    }
    tar_problems.into_iter().for_each(&mut *problem);
    let mut structure = Structure { index, manifest: BTreeMap::new(), package: None, identity: String::new() };
    check_bagit(&structure, problem);
    let tags = read_manifest(&structure, "tagmanifest-sha256.txt", problem);
    if let Some(text) = small(&structure, "tagmanifest-sha256.txt") {
        structure.identity = hex(&Sha256::digest(&text));
    }
    check_tags(&structure, &tags, problem);
    structure.manifest = read_manifest(&structure, "manifest-sha256.txt", problem);
    check_members(&structure, &tags, problem);
    check_oxum(&structure, problem);
    structure.package = read_package(path, &structure, problem)?;
    Ok(structure)
}

fn small(structure: &Structure, path: &str) -> Option<Vec<u8>> {
    let slice = structure.index.members.get(path).filter(|slice| slice.bytes <= SMALL_BYTES)?;
    let mut content = Vec::new();
    slice.reader(0).read_to_end(&mut content).ok()?;
    Some(content)
}

fn check_bagit(structure: &Structure, problem: &mut dyn FnMut(Problem)) {
    match small(structure, "bagit.txt") {
        None => problem(Problem::new("member-missing", "bagit.txt", "is missing: the bundle was not completed")),
        Some(text) if text != b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n" => {
            problem(Problem::new("bagit-version", "bagit.txt", "does not declare BagIt 1.0 in UTF-8"));
        }
        Some(_) => {}
    }
}

/// The lines of a manifest: path to hash.
fn read_manifest(structure: &Structure, name: &str, problem: &mut dyn FnMut(Problem)) -> BTreeMap<String, String> {
    let mut manifest = BTreeMap::new();
    let Some(text) = small(structure, name) else {
        problem(Problem::new("member-missing", name, "is missing: the bundle was not completed"));
        return manifest;
    };
    for (number, line) in String::from_utf8_lossy(&text).lines().enumerate() {
        let parts = line.split_once("  ").filter(|(hash, path)| {
            hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) && crate::names::is_member_path(path)
        });
        let Some((hash, path)) = parts else {
            problem(Problem::new("manifest-line", name, format!("line {} is not a hash and a path", number + 1)));
            continue;
        };
        if manifest.insert(path.to_owned(), hash.to_ascii_lowercase()).is_some() {
            problem(Problem::new("manifest-line", name, format!("names {path} twice")));
        }
    }
    manifest
}

fn check_tags(structure: &Structure, tags: &BTreeMap<String, String>, problem: &mut dyn FnMut(Problem)) {
    for (path, expected) in tags {
        match small(structure, path) {
            None => problem(Problem::new("member-missing", path, "is in the manifest and not in the tar")),
            Some(content) => {
                let found = hex(&Sha256::digest(&content));
                if found != *expected {
                    problem(Problem::new("member-hash", path, format!("SHA-256 is {found}, the manifest says {expected}")));
                }
            }
        }
    }
}

/// Every payload member has its line, every line its member, and nothing else is there.
fn check_members(structure: &Structure, tags: &BTreeMap<String, String>, problem: &mut dyn FnMut(Problem)) {
    if structure.manifest.is_empty() {
        return;
    }
    for path in structure.index.members.keys() {
        let known = structure.manifest.contains_key(path) || tags.contains_key(path) || path == "tagmanifest-sha256.txt";
        if !known {
            problem(Problem::new("member-unknown", path, "is in the tar and not in the manifest"));
        }
    }
    for path in structure.manifest.keys() {
        if !structure.index.members.contains_key(path) {
            problem(Problem::new("member-missing", path, "is in the manifest and not in the tar"));
        }
    }
}

fn check_oxum(structure: &Structure, problem: &mut dyn FnMut(Problem)) {
    let Some(text) = small(structure, "bag-info.txt") else { return };
    let payload = structure.index.members.iter().filter(|(path, _)| path.starts_with("data/"));
    let (bytes, members) = payload.fold((0_u64, 0_u64), |(bytes, members), (_, slice)| (bytes.saturating_add(slice.bytes), members + 1));
    let found = format!("{bytes}.{members}");
    let text = String::from_utf8_lossy(&text).into_owned();
    let claimed = text.lines().find_map(|line| line.strip_prefix("Payload-Oxum: ")).unwrap_or_default();
    if claimed != found {
        problem(Problem::new("payload-oxum", "bag-info.txt", format!("says {claimed}, the payload has {found}")));
    }
}

fn read_package(path: &Path, structure: &Structure, problem: &mut dyn FnMut(Problem)) -> Result<Option<DataPackage>, Error> {
    let name = "data/datapackage.json";
    let Some(text) = small(structure, name) else { return Ok(None) };
    // The version first: a newer descriptor may not even parse.
    let version = serde_json::from_slice::<serde_json::Value>(&text).ok();
    let version = version.as_ref().and_then(|value| value.pointer("/pannier/format")).and_then(serde_json::Value::as_str);
    if let Some(version) = version
        && major(version) > major(FORMAT_VERSION)
    {
        return Err(Error::NewerFormat { path: path.to_owned(), found: version.to_owned() });
    }
    if structure.manifest.get(name).is_some_and(|expected| *expected != hex(&Sha256::digest(&text))) {
        problem(Problem::new("member-hash", name, "SHA-256 is not what the manifest says"));
    }
    match serde_json::from_slice(&text) {
        Ok(package) => Ok(Some(package)),
        Err(error) => {
            problem(Problem::new("descriptor", name, format!("cannot be understood: {error}")));
            Ok(None)
        }
    }
}

fn major(version: &str) -> u64 {
    version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
}
