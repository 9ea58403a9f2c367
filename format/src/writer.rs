//! Writes a bundle: members in order, manifests last, published by rename in [`BundleWriter::finish`] and never before.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::descriptor::{self, DESCRIPTOR};
use crate::table_writer::{HashingFile, TableWriter, free_folder};
use crate::{
    BlobEntry, BlobState, BlobTotals, DataPackage, Error, FORMAT_VERSION, PackageInfo, Problem, SourceInfo, Table, blobs, hex, names,
};

/// Folder of the tables' parts, below `data/`.
pub(crate) const TABLES: &str = "tables";
/// Folder of the blobs, below `data/`.
pub(crate) const BLOBS: &str = "blobs/sha256";
/// Contents up to this size are held in memory, and compressed if that pays; larger ones go through a spool file as they are.
const BLOB_MEMORY_BYTES: u64 = 8 << 20;
/// Where ustar's octal size field ends.
const USTAR_BYTES: u64 = 8 << 30;

/// How a bundle is written.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// The bundle's name, its top folder: ASCII letters, digits, `_`, `-`, `.`; at most 64.
    pub name: String,
    /// `SOURCE_DATE_EPOCH`: seconds since 1970 that stand for now wherever the bundle holds a time.
    pub epoch_s: Option<i64>,
}

/// A blob in the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRef {
    /// SHA-256 of its bytes, 64 hex digits.
    pub sha256: String,
    /// How many bytes.
    pub bytes: u64,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The published bundle.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its identity: SHA-256 of its `tagmanifest-sha256.txt`.
    pub identity: String,
    /// Its descriptor.
    pub package: DataPackage,
}

/// The tar under its temporary name, and the manifest of what is in it.
pub(crate) struct Output {
    pub(crate) path: PathBuf,
    folder: PathBuf,
    name: String,
    mtime_s: u64,
    tar: tar::Builder<BufWriter<NamedTempFile>>,
    manifest: BTreeMap<String, String>,
    payload_bytes: u64,
    payload_members: u64,
    unfinished: Option<String>,
}

/// Writes one bundle. Dropping it before [`BundleWriter::finish`] removes everything that it wrote.
pub struct BundleWriter {
    output: Output,
    tables: Vec<Table>,
    folders: HashSet<String>,
    entries: HashingFile,
    totals: BlobTotals,
    stored: HashSet<[u8; 32]>,
    problems: Vec<u8>,
}

impl BundleWriter {
    /// Starts a bundle that will be published as `out`. The folder of `out` also takes the temporary files.
    pub fn create(out: &Path, options: WriterOptions) -> Result<Self, Error> {
        if out.symlink_metadata().is_ok() {
            return Err(Error::OutputExists { path: out.to_owned() });
        }
        if !names::is_bundle_name(&options.name) {
            return Err(Error::MemberPath { path: options.name });
        }
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let prefix = format!(".{}.partial-", out.file_name().unwrap_or_default().to_string_lossy());
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .tempfile_in(&folder)
            .map_err(|source| Error::Create { path: folder.clone(), source })?;
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let output = Output {
            path: out.to_owned(),
            folder,
            name: options.name,
            mtime_s: options.epoch_s.map_or(now_s, |epoch_s| u64::try_from(epoch_s).unwrap_or(0)),
            tar: tar::Builder::new(BufWriter::with_capacity(1 << 18, file)),
            manifest: BTreeMap::new(),
            payload_bytes: 0,
            payload_members: 0,
            unfinished: None,
        };
        let entries = HashingFile::new(output.spool()?);
        Ok(BundleWriter {
            output,
            tables: Vec::new(),
            folders: HashSet::new(),
            entries,
            totals: BlobTotals::default(),
            stored: HashSet::new(),
            problems: Vec::new(),
        })
    }

    /// Starts a table. Its rows, parts, digest and findings are filled in by the writer.
    pub fn table(&mut self, declared: Table) -> Result<TableWriter<'_>, Error> {
        self.output.check_finished()?;
        let folder = free_folder(&declared.name, &mut self.folders);
        self.output.unfinished = Some(declared.name.clone());
        Ok(TableWriter::new(&mut self.output, &mut self.tables, declared, format!("{TABLES}/{folder}/part")))
    }

    /// Stores a content, once however often it comes.
    pub fn blob(&mut self, content: &mut dyn Read) -> Result<BlobRef, Error> {
        self.output.check_finished()?;
        let read_error = |source| Error::ReadBlob { source };
        let mut head = Vec::new();
        content.take(BLOB_MEMORY_BYTES + 1).read_to_end(&mut head).map_err(read_error)?;
        let small = head.len() as u64 <= BLOB_MEMORY_BYTES;
        let (hash, bytes, spool) = if small {
            (Sha256::digest(&head), head.len() as u64, None)
        } else {
            let (spool, bytes, hash) = self.spool_blob(&head, content)?;
            (hash, bytes, Some(spool))
        };
        let blob = BlobRef { sha256: hex(&hash), bytes };
        if !self.stored.insert(hash.into()) {
            return Ok(blob);
        }
        let path = format!("data/{BLOBS}/{}/{}", &blob.sha256[..2], blob.sha256);
        match (spool, compress(&head).filter(|_| small)) {
            (Some(mut spool), _) => self.output.append(&path, bytes, blob.sha256.clone(), &mut spool)?,
            (None, Some(packed)) => self.output.append_bytes(&format!("{path}.zst"), &packed)?,
            (None, None) => self.output.append(&path, bytes, blob.sha256.clone(), &mut head.as_slice())?,
        }
        self.totals.blobs += 1;
        self.totals.bytes += bytes;
        Ok(blob)
    }

    fn spool_blob(&self, head: &[u8], rest: &mut dyn Read) -> Result<(File, u64, sha2::digest::Output<Sha256>), Error> {
        let mut spool = self.output.spool()?;
        let mut hasher = Sha256::new();
        let mut bytes = head.len() as u64;
        hasher.update(head);
        spool.write_all(head).map_err(|source| self.output.write_error(source))?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            let read = rest.read(&mut buffer).map_err(|source| Error::ReadBlob { source })?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            spool.write_all(&buffer[..read]).map_err(|source| self.output.write_error(source))?;
            bytes += read as u64;
        }
        spool.rewind().map_err(|source| self.output.write_error(source))?;
        Ok((spool, bytes, hasher.finalize()))
    }

    /// Enters a file into the index. Entries keep the order in which they come.
    pub fn blob_entry(&mut self, entry: &BlobEntry) -> Result<(), Error> {
        self.totals.entries += 1;
        self.totals.missing += u64::from(entry.state == BlobState::Missing);
        self.totals.unreferenced += u64::from(entry.state == BlobState::Unreferenced);
        // The index is a table, and tables are written one at a time: entries wait in a spool, not in memory.
        let row: Vec<EntryValue> = entry.to_row().iter().map(EntryValue::from).collect();
        let line = serde_json::to_vec(&row).map_err(|source| Error::Descriptor { source })?;
        self.entries.write_all(&line).and_then(|()| self.entries.write_all(b"\n")).map_err(|source| self.output.write_error(source))
    }

    /// Adds a small member below `data/`.
    pub fn member(&mut self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.output.check_finished()?;
        self.output.append_bytes(&format!("data/{path}"), content)
    }

    /// Records a problem; it goes into `data/report/problems.ndjson`.
    pub fn problem(&mut self, problem: &Problem) -> Result<(), Error> {
        serde_json::to_writer(&mut self.problems, problem).map_err(|source| Error::Descriptor { source })?;
        self.problems.push(b'\n');
        Ok(())
    }

    /// The bundle under its temporary name, beside where it will be published.
    #[must_use]
    pub fn temporary_path(&self) -> &Path {
        self.output.tar.get_ref().get_ref().path()
    }

    /// How many bytes the bundle has so far.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.output.payload_bytes
    }

    /// Writes the index, the descriptor and the manifests, syncs, and publishes the bundle under its name, never over
    /// a file that came there meanwhile.
    pub fn finish(mut self, source: SourceInfo) -> Result<Summary, Error> {
        self.output.check_finished()?;
        let index = self.write_index()?;
        let problems = std::mem::take(&mut self.problems);
        self.output.append_bytes("data/report/problems.ndjson", &problems)?;
        let mut resources = self.tables;
        resources.sort_by(|a, b| a.name.cmp(&b.name));
        let package = DataPackage {
            name: self.output.name.to_ascii_lowercase(),
            resources,
            pannier: PackageInfo { format: FORMAT_VERSION.to_owned(), source, blobs: self.totals, index },
        };
        let text = descriptor::to_text(&package).map_err(|source| Error::Descriptor { source })?;
        let text = text.ok_or_else(|| Error::TooManyColumns {
            tables: package.resources.len(),
            columns: package.resources.iter().map(|table| table.schema.fields.len()).sum(),
        })?;
        self.output.append_bytes(DESCRIPTOR, &text)?;
        let identity = self.output.write_tag_files()?;
        let (path, bytes) = self.output.publish()?;
        Ok(Summary { path, bytes, identity, package })
    }

    fn write_index(&mut self) -> Result<Table, Error> {
        let spool = self.output.spool()?;
        let entries = std::mem::replace(&mut self.entries, HashingFile::new(spool));
        let (file, _, _) = entries.finish().map_err(|source| self.output.write_error(source))?;
        let mut finished = Vec::new();
        let mut writer = TableWriter::new(&mut self.output, &mut finished, blobs::table(), blobs::TABLE.to_owned());
        for line in io::BufRead::lines(io::BufReader::new(file)) {
            let line = line.map_err(|source| Error::ReadBlob { source })?;
            let row: Vec<EntryValue> = serde_json::from_str(&line).map_err(|source| Error::Descriptor { source })?;
            let row: Vec<crate::Value<'_>> = row.iter().map(EntryValue::as_value).collect();
            writer.push(&row)?;
        }
        writer.finish()
    }
}

/// A value of an index row while it waits in the spool.
#[derive(serde::Serialize, serde::Deserialize)]
enum EntryValue {
    #[serde(rename = "n")]
    Null,
    #[serde(rename = "i")]
    Integer(i64),
    #[serde(rename = "t")]
    Text(Vec<u8>),
}

impl From<&crate::Value<'_>> for EntryValue {
    fn from(value: &crate::Value<'_>) -> Self {
        match *value {
            crate::Value::Integer(integer) => EntryValue::Integer(integer),
            crate::Value::Text(bytes) => EntryValue::Text(bytes.to_vec()),
            _ => EntryValue::Null,
        }
    }
}

impl EntryValue {
    fn as_value(&self) -> crate::Value<'_> {
        match self {
            EntryValue::Null => crate::Value::Null,
            EntryValue::Integer(integer) => crate::Value::Integer(*integer),
            EntryValue::Text(bytes) => crate::Value::Text(bytes),
        }
    }
}

/// The content compressed, if that saves a tenth or more.
fn compress(content: &[u8]) -> Option<Vec<u8>> {
    let packed = zstd::bulk::compress(content, 1).ok()?;
    (packed.len() + content.len() / 10 < content.len()).then_some(packed)
}

impl Output {
    /// An unnamed temporary file beside the output; it vanishes with its handle.
    pub(crate) fn spool(&self) -> Result<File, Error> {
        tempfile::tempfile_in(&self.folder).map_err(|source| Error::Create { path: self.folder.clone(), source })
    }

    pub(crate) fn write_error(&self, source: io::Error) -> Error {
        Error::Write { path: self.path.clone(), source }
    }

    pub(crate) fn table_finished(&mut self) {
        self.unfinished = None;
    }

    fn check_finished(&self) -> Result<(), Error> {
        self.unfinished.as_ref().map_or(Ok(()), |table| Err(Error::TableUnfinished { table: table.clone() }))
    }

    /// Appends a member whose length and hash are known.
    pub(crate) fn append(&mut self, path: &str, bytes: u64, sha256: String, content: &mut dyn Read) -> Result<(), Error> {
        if !names::is_member_path(path) || self.manifest.contains_key(path) {
            return Err(Error::MemberPath { path: path.to_owned() });
        }
        let full = format!("{}/{path}", self.name);
        let mut header = tar::Header::new_ustar();
        header.set_path(&full).map_err(|_| Error::MemberPath { path: full.clone() })?;
        header.set_size(bytes);
        header.set_mode(0o644);
        header.set_mtime(self.mtime_s);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        let sized = bytes.to_string();
        let extended = if bytes >= USTAR_BYTES { self.tar.append_pax_extensions([("size", sized.as_bytes())]) } else { Ok(()) };
        extended.and_then(|()| self.tar.append(&header, content)).map_err(|source| self.write_error(source))?;
        if path.starts_with("data/") {
            self.payload_bytes += bytes;
            self.payload_members += 1;
        }
        self.manifest.insert(path.to_owned(), sha256);
        Ok(())
    }

    fn append_bytes(&mut self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.append(path, content.len() as u64, hex(&Sha256::digest(content)), &mut &content[..])
    }

    /// Writes bagit.txt, bag-info.txt and the manifests; answers the bundle's identity.
    fn write_tag_files(&mut self) -> Result<String, Error> {
        let manifest = manifest_text(&self.manifest);
        self.append_bytes("bagit.txt", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")?;
        let info = format!(
            "Bag-Software-Agent: pannier-format {}\nBagging-Date: {}\nExternal-Identifier: {}\nPannier-Format: {FORMAT_VERSION}\nPayload-Oxum: {}.{}\n",
            env!("CARGO_PKG_VERSION"),
            date(self.mtime_s),
            self.name,
            self.payload_bytes,
            self.payload_members,
        );
        self.append_bytes("bag-info.txt", info.as_bytes())?;
        self.append_bytes("manifest-sha256.txt", manifest.as_bytes())?;
        let tags: BTreeMap<String, String> =
            self.manifest.iter().filter(|(path, _)| !path.starts_with("data/")).map(|(path, hash)| (path.clone(), hash.clone())).collect();
        let tags = manifest_text(&tags);
        self.append_bytes("tagmanifest-sha256.txt", tags.as_bytes())?;
        Ok(hex(&Sha256::digest(tags.as_bytes())))
    }

    /// Ends the tar, syncs it, renames it into place and syncs the folder.
    fn publish(self) -> Result<(PathBuf, u64), Error> {
        let Output { path, folder, tar, .. } = self;
        let write_error = |source| Error::Write { path: path.clone(), source };
        let file = tar.into_inner().and_then(|buffer| buffer.into_inner().map_err(io::IntoInnerError::into_error)).map_err(write_error)?;
        file.as_file().sync_all().map_err(write_error)?;
        let bytes = file.as_file().metadata().map_err(write_error)?.len();
        file.persist_noclobber(&path).map_err(|failed| match failed.error.kind() {
            io::ErrorKind::AlreadyExists => Error::OutputExists { path: path.clone() },
            _ => write_error(failed.error),
        })?;
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(write_error)?;
        Ok((path, bytes))
    }
}

/// `HASH  PATH` lines in the order of the paths, as `sha256sum -c` and BagIt read them.
fn manifest_text(manifest: &BTreeMap<String, String>) -> String {
    manifest.iter().fold(String::new(), |mut text, (path, hash)| {
        text.push_str(hash);
        text.push_str("  ");
        text.push_str(path);
        text.push('\n');
        text
    })
}

/// `YYYY-MM-DD` of a moment in seconds since 1970, UTC; 1970 for moments beyond what a calendar has.
fn date(epoch_s: u64) -> String {
    let moment = i64::try_from(epoch_s).ok().and_then(|epoch_s| chrono::DateTime::from_timestamp(epoch_s, 0));
    moment.unwrap_or_default().format("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates() {
        assert_eq!(super::date(0), "1970-01-01");
        assert_eq!(super::date(951_782_400), "2000-02-29");
        assert_eq!(super::date(1_795_392_000), "2026-11-23");
    }
}
