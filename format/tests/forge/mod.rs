//! Forges bundles for tests: takes an honest one apart, changes it, and seals it again with manifests that are right, so that
//! only the change itself can be found.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod parquet_file;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pannier_format::{
    BlobEntry, BlobState, BundleWriter, Column, ColumnInfo, Problem, SourceInfo, Table, TableKind, Value, WriterOptions, hex, verify,
};
use sha2::{Digest, Sha256};

/// Content of the blob that is stored as it is.
pub const PLAIN: &[u8] = b"\x89 plain";
/// Content of the blob that is stored compressed.
pub fn packed() -> Vec<u8> {
    b"compressible ".repeat(100)
}

/// Writes a small bundle with every kind of member: a table `note` with an odd value, two blobs, a schema, a problem.
pub fn write_small(folder: &Path) -> PathBuf {
    let path = folder.join("small.tar");
    let mut writer = BundleWriter::create(&path, WriterOptions { name: "small".to_owned(), epoch_s: Some(1_700_000_000) }).unwrap();
    let column = |name: &str, kind: &str| Column::declare(name, ColumnInfo { declared_type: kind.to_owned(), ..ColumnInfo::default() });
    let mut table = writer.table(Table::declare("note", TableKind::Table, vec![column("id", "INTEGER"), column("body", "TEXT")])).unwrap();
    for id in 0..20 {
        table.push(&[if id == 7 { Value::Text(b"odd") } else { Value::Integer(id) }, Value::Text(b"a note")]).unwrap();
    }
    table.finish().unwrap();
    for (name, content) in [("plain", PLAIN.to_vec()), ("packed", packed())] {
        let blob = writer.blob(&mut content.as_slice()).unwrap();
        writer.blob_entry(&entry(name.as_bytes(), blob.bytes, &blob.sha256)).unwrap();
    }
    writer.member("schema/schema.sql", b"CREATE TABLE note (id INTEGER, body TEXT);\n").unwrap();
    writer.problem(&Problem::new("file-missing", "x", "y")).unwrap();
    writer.finish(SourceInfo::default()).unwrap();
    path
}

pub fn entry(path: &[u8], bytes: u64, sha256: &str) -> BlobEntry {
    BlobEntry {
        location: "uploads".to_owned(),
        path: path.to_vec(),
        state: BlobState::Unreferenced,
        bytes: Some(bytes),
        sha256: Some(sha256.to_owned()),
        modified_ns: None,
        table: None,
        key: None,
        column: None,
        claimed_path: None,
    }
}

/// The codes of all problems, each once, in the order of the alphabet.
pub fn codes(path: &Path) -> String {
    match verify(path, &mut |_| {}) {
        Ok(report) => {
            let mut codes: Vec<String> = report.problems.into_iter().map(|problem| problem.code).collect();
            codes.sort();
            codes.dedup();
            if codes.is_empty() { "whole".to_owned() } else { codes.join(" ") }
        }
        Err(error) => variant(&error),
    }
}

/// The name of an error's variant.
pub fn variant(error: &pannier_format::Error) -> String {
    format!("{error:?}").split([' ', '{']).next().unwrap().to_owned()
}

/// Where a member stands in a tar.
#[derive(Clone, Debug)]
pub struct Place {
    pub path: String,
    pub header: usize,
    pub content: usize,
    pub bytes: usize,
}

impl Place {
    /// Where the padding ends and the next header is.
    pub fn end(&self) -> usize {
        (self.content + self.bytes).next_multiple_of(512)
    }
}

/// The members of a tar that has no extension headers.
pub fn places(tar: &[u8]) -> Vec<Place> {
    let mut places = Vec::new();
    let mut at = 0;
    while tar[at] != 0 {
        let header = tar::Header::from_byte_slice(&tar[at..at + 512]);
        let path = String::from_utf8(header.path_bytes().into_owned()).unwrap();
        let bytes = usize::try_from(header.entry_size().unwrap()).unwrap();
        let place = Place { path, header: at, content: at + 512, bytes };
        at = place.end();
        places.push(place);
    }
    places
}

/// A header as the writer makes it, of any type and for any path, allowed or not.
pub fn header(path: &[u8], kind: u8, bytes: u64) -> [u8; 512] {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(0o644);
    header.set_size(bytes);
    let mut block: [u8; 512] = header.as_bytes().to_owned();
    // The tar crate refuses the paths that are wanted here. Long ones are split at a slash, as ustar has it.
    let split = if path.len() <= 100 { None } else { (0..path.len()).find(|at| path[*at] == b'/' && path.len() - at <= 101) };
    let (prefix, name) = split.map_or((&b""[..], path), |at| (&path[..at], &path[at + 1..]));
    block[..name.len()].copy_from_slice(name);
    block[345..345 + prefix.len()].copy_from_slice(prefix);
    checksum(&mut block);
    block
}

/// Makes a header's checksum right again.
pub fn checksum(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
}

/// A member with its header and padding.
pub fn member(path: &[u8], kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(path, kind, content.len() as u64).to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A pax header for the next member.
pub fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut content = String::new();
    for (key, value) in records {
        let mut length = key.len() + value.len() + 3;
        length += length.to_string().len();
        while format!("{length} {key}={value}\n").len() != length {
            length += 1;
        }
        writeln!(content, "{length} {key}={value}").unwrap();
    }
    member(b"small/pax", b'x', content.as_bytes())
}

/// A bundle taken apart.
pub struct Forged {
    pub name: String,
    /// Members by their path below the bundle's folder, in order.
    pub members: Vec<(String, Vec<u8>)>,
    /// Bytes of tar that come before the members, between payload and tag files, and after all members.
    pub before: Vec<u8>,
    pub after: Vec<u8>,
}

impl Forged {
    pub fn small() -> Forged {
        let folder = tempfile::tempdir().unwrap();
        let tar = std::fs::read(write_small(folder.path())).unwrap();
        let members = places(&tar)
            .into_iter()
            .map(|place| (place.path.strip_prefix("small/").unwrap().to_owned(), tar[place.content..place.content + place.bytes].to_vec()));
        Forged { name: "small".to_owned(), members: members.collect(), before: Vec::new(), after: Vec::new() }
    }

    pub fn get(&mut self, path: &str) -> &mut Vec<u8> {
        if !self.members.iter().any(|(other, _)| other == path) {
            self.members.push((path.to_owned(), Vec::new()));
        }
        self.members.iter_mut().find(|(other, _)| other == path).map(|(_, content)| content).unwrap()
    }

    pub fn remove(&mut self, path: &str) {
        self.members.retain(|(other, _)| other != path);
    }

    /// The path of the blob that is stored compressed.
    pub fn packed_path(&self) -> String {
        let hash = hex(&Sha256::digest(packed()));
        self.members.iter().find(|(path, _)| path.contains(&hash)).unwrap().0.clone()
    }

    /// Changes the descriptor.
    pub fn describe(&mut self, change: impl FnOnce(&mut serde_json::Value)) {
        let content = self.get("data/datapackage.json");
        let mut value = serde_json::from_slice(content).unwrap();
        change(&mut value);
        *content = serde_json::to_vec(&value).unwrap();
    }

    /// Makes `bag-info.txt` and the manifests right.
    pub fn seal(&mut self) {
        let payload: Vec<_> = self.members.iter().filter(|(path, _)| path.starts_with("data/")).collect();
        let oxum = format!("{}.{}", payload.iter().map(|(_, content)| content.len()).sum::<usize>(), payload.len());
        let info = format!("Pannier-Format: 1.0\nPayload-Oxum: {oxum}\n");
        *self.get("bag-info.txt") = info.into_bytes();
        let manifest = self.manifest(|path| path.starts_with("data/"));
        *self.get("manifest-sha256.txt") = manifest;
        let tags = self.manifest(|path| !path.starts_with("data/") && path != "tagmanifest-sha256.txt");
        *self.get("tagmanifest-sha256.txt") = tags;
    }

    fn manifest(&self, wanted: impl Fn(&str) -> bool) -> Vec<u8> {
        let lines = self.members.iter().filter(|(path, _)| wanted(path));
        let lines: Vec<_> = lines.map(|(path, content)| format!("{}  {path}\n", hex(&Sha256::digest(content)))).collect();
        lines.concat().into_bytes()
    }

    /// The tar as it stands, sealed or not.
    pub fn tar(&self) -> Vec<u8> {
        let mut tar = self.before.clone();
        for (path, content) in &self.members {
            tar.extend(member(format!("{}/{path}", self.name).as_bytes(), b'0', content));
        }
        tar.extend_from_slice(&self.after);
        tar.resize(tar.len() + 1024, 0);
        tar
    }

    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("forged.tar");
        std::fs::write(&path, self.tar()).unwrap();
        path
    }

    /// Puts a Parquet file in the place of `note`'s part and describes it as one column `v` of texts.
    pub fn with_part(part: &[u8], rows: u64, longest_bytes: u64) -> Forged {
        let mut forged = Forged::small();
        forged.get(PART).clear();
        forged.get(PART).extend_from_slice(part);
        forged.describe(|package| {
            let table = &mut package["resources"][0];
            let mut column = table["schema"]["fields"][1].clone();
            column["name"] = "v".into();
            column["pannier"]["found"]["longest_bytes"] = longest_bytes.into();
            table["schema"]["fields"] = serde_json::Value::Array(vec![column]);
            table["bytes"] = part.len().into();
            table["pannier"]["rows"] = rows.into();
            table["pannier"].as_object_mut().unwrap().remove("odd");
        });
        forged.seal();
        forged
    }
}

/// The part of table `note`.
pub const PART: &str = "data/tables/note/part-00000.parquet";
