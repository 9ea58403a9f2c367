//! The structure of a bundle: its members, its manifests, its descriptor. [`inspect`] names everything that is wrong with it;
//! `open` stops at the first fault, `verify` lists them all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::descriptor::{self, DESCRIPTOR, DESCRIPTOR_BYTES};
use crate::member::HashedReader;
use crate::problem::ProblemList;
use crate::tar_index::{TarIndex, index};
use crate::{DataPackage, Error, Problem, hex, names};

/// The manifests.
const MANIFEST: &str = "manifest-sha256.txt";
const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// The longest manifest: for more than a million members.
const MANIFEST_BYTES: u64 = 256 << 20;
/// A manifest with so many lines that are none is not read further: it is something else.
const MANIFEST_FAULTS: u32 = 1000;
/// The longest line of a manifest: a hash, two spaces, a path.
const LINE_BYTES: u64 = 64 + 2 + 255 + 1;
/// The longest `bagit.txt` and `bag-info.txt`.
const TAG_BYTES: u64 = 1 << 20;

/// The structure of a bundle, as far as it could be read.
pub(crate) struct Structure {
    pub index: TarIndex,
    pub manifest: BTreeMap<String, String>,
    pub package: Option<DataPackage>,
    pub identity: String,
}

/// Reads a bundle's structure and names everything that is wrong with it.
pub(crate) fn inspect(path: &Path, problem: &mut dyn FnMut(Problem)) -> Result<Structure, Error> {
    let read_error = |source| Error::Read { path: path.to_owned(), source };
    let not_ours = |reason: &str| Error::NotABundle { path: path.to_owned(), reason: reason.to_owned() };
    let metadata = std::fs::metadata(path).map_err(read_error)?;
    // Asked before opening: to open a pipe is to wait for its other end.
    if !metadata.is_file() {
        return Err(not_ours("it is not a file"));
    }
    let file = File::open(path).map_err(read_error)?;
    let mut tar_problems = ProblemList::default();
    let index = index(file, &mut |problem| tar_problems.push(problem)).map_err(read_error)?;
    if index.bytes == 0 {
        return Err(not_ours("it is empty"));
    }
    // A tar whose first header is damaged is a damaged bundle; it may have been one.
    if index.members.is_empty() && index.name.is_empty() && !index.is_tar {
        return Err(not_ours("it is not a tar with a bag in it"));
    }
    tar_problems.finish().into_iter().for_each(&mut *problem);
    let mut structure = Structure { index, manifest: BTreeMap::new(), package: None, identity: String::new() };
    check_bagit(&structure, problem);
    let tags = read_manifest(&structure, TAG_MANIFEST, problem);
    if let Some(slice) = structure.index.members.get(TAG_MANIFEST) {
        structure.identity = slice.sha256().map_err(read_error)?;
    }
    check_tags(&structure, &tags, problem);
    structure.manifest = read_manifest(&structure, MANIFEST, problem);
    check_members(&structure, &tags, problem);
    check_oxum(&structure, problem);
    structure.package = read_package(path, &structure, problem)?;
    Ok(structure)
}

/// A member's content, if it is there; the reason if it is too long.
fn small(structure: &Structure, path: &str, most_bytes: u64) -> Option<Result<Vec<u8>, String>> {
    let slice = structure.index.members.get(path)?;
    if slice.bytes > most_bytes {
        return Some(Err(format!("has {} bytes, {most_bytes} are allowed", slice.bytes)));
    }
    let mut content = Vec::new();
    Some(slice.reader(0).read_to_end(&mut content).map(|_| content).map_err(|error| error.to_string()))
}

fn check_bagit(structure: &Structure, problem: &mut dyn FnMut(Problem)) {
    match small(structure, "bagit.txt", TAG_BYTES) {
        None => problem(Problem::new("member-missing", "bagit.txt", "is missing: the bundle was not completed")),
        Some(Ok(text)) if text == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n" => {}
        Some(_) => problem(Problem::new("bagit-version", "bagit.txt", "does not declare BagIt 1.0 in UTF-8")),
    }
}

/// The lines of a manifest: path to hash.
fn read_manifest(structure: &Structure, name: &str, problem: &mut dyn FnMut(Problem)) -> BTreeMap<String, String> {
    let mut manifest = BTreeMap::new();
    let Some(slice) = structure.index.members.get(name) else {
        problem(Problem::new("member-missing", name, "is missing: the bundle was not completed"));
        return manifest;
    };
    if slice.bytes > MANIFEST_BYTES {
        problem(Problem::new("manifest-line", name, format!("has {} bytes, {MANIFEST_BYTES} are allowed", slice.bytes)));
        return manifest;
    }
    let mut content = BufReader::new(slice.reader(0));
    let (mut line, mut faults) = (Vec::new(), 0);
    for number in 1_u64.. {
        line.clear();
        // A read error shows up as a short manifest, and its hash as wrong.
        let read = content.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line).unwrap_or(0);
        if read == 0 {
            break;
        }
        let Some((hash, path)) = manifest_line(&line) else {
            problem(Problem::new("manifest-line", name, format!("line {number} is not a hash and a path")));
            faults += 1;
            if faults == MANIFEST_FAULTS {
                problem(Problem::new("manifest-line", name, format!("was not read further than line {number}")));
                break;
            }
            continue;
        };
        if manifest.insert(path.to_owned(), hash.to_owned()).is_some() {
            problem(Problem::new("manifest-line", name, format!("names {path} twice")));
        }
    }
    manifest
}

fn manifest_line(line: &[u8]) -> Option<(&str, &str)> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (hash, path) = line.split_once("  ")?;
    (is_sha256(hash) && names::is_member_path(path)).then_some((hash, path))
}

/// Whether a text is a SHA-256 as the format writes it: 64 lower-case hex digits.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn check_tags(structure: &Structure, tags: &BTreeMap<String, String>, problem: &mut dyn FnMut(Problem)) {
    for name in ["bagit.txt", "bag-info.txt", MANIFEST] {
        if structure.index.members.contains_key(TAG_MANIFEST) && !tags.contains_key(name) {
            problem(Problem::new("member-unknown", name, "is not in the tag manifest"));
        }
    }
    for (path, expected) in tags {
        if path.starts_with("data/") || path == TAG_MANIFEST {
            problem(Problem::new("manifest-line", TAG_MANIFEST, format!("names {path}, which is no tag file")));
            continue;
        }
        let Some(slice) = structure.index.members.get(path) else {
            problem(Problem::new("member-missing", path, "is in the manifest and not in the tar"));
            continue;
        };
        let read = std::io::copy(&mut HashedReader::new(slice.reader(0), expected), &mut std::io::sink());
        if let Err(error) = read {
            problem(Problem::new("member-hash", path, error.to_string()));
        }
    }
}

/// Every payload member has its line, every line its member, and nothing else is there.
fn check_members(structure: &Structure, tags: &BTreeMap<String, String>, problem: &mut dyn FnMut(Problem)) {
    if !structure.index.members.contains_key(MANIFEST) {
        return;
    }
    for path in structure.index.members.keys() {
        let manifest = if path.starts_with("data/") { &structure.manifest } else { tags };
        // The three tag files that there must be were looked for before.
        if !manifest.contains_key(path) && !["bagit.txt", "bag-info.txt", MANIFEST, TAG_MANIFEST].contains(&path.as_str()) {
            problem(Problem::new("member-unknown", path, "is in the tar and not in the manifest"));
        }
    }
    for path in structure.manifest.keys() {
        if !path.starts_with("data/") {
            problem(Problem::new("manifest-line", MANIFEST, format!("names {path}, which is no payload")));
        } else if !structure.index.members.contains_key(path) {
            problem(Problem::new("member-missing", path, "is in the manifest and not in the tar"));
        }
    }
}

fn check_oxum(structure: &Structure, problem: &mut dyn FnMut(Problem)) {
    let text = match small(structure, "bag-info.txt", TAG_BYTES) {
        // A missing one is named by the tag manifest.
        None => return,
        Some(text) => text.unwrap_or_default(),
    };
    let payload = structure.index.members.iter().filter(|(path, _)| path.starts_with("data/"));
    let (bytes, members) = payload.fold((0_u64, 0_u64), |(bytes, members), (_, slice)| (bytes.saturating_add(slice.bytes), members + 1));
    let found = format!("{bytes}.{members}");
    let text = String::from_utf8_lossy(&text).into_owned();
    let claimed = text.lines().find_map(|line| line.strip_prefix("Payload-Oxum: ")).unwrap_or_default();
    if claimed != found {
        problem(Problem::new("payload-oxum", "bag-info.txt", format!("says {claimed:.40}, the payload has {found}")));
    }
}

fn read_package(path: &Path, structure: &Structure, problem: &mut dyn FnMut(Problem)) -> Result<Option<DataPackage>, Error> {
    let text = match small(structure, DESCRIPTOR, DESCRIPTOR_BYTES) {
        None => {
            // Named by the manifest, if that is whole and has it.
            if !structure.manifest.contains_key(DESCRIPTOR) {
                problem(Problem::new("descriptor", DESCRIPTOR, "is missing"));
            }
            return Ok(None);
        }
        Some(Err(reason)) => {
            problem(Problem::new("descriptor", DESCRIPTOR, reason));
            return Ok(None);
        }
        Some(Ok(text)) => text,
    };
    if let Some(found) = descriptor::newer_format(&text) {
        return Err(Error::NewerFormat { path: path.to_owned(), found });
    }
    if let Some(expected) = structure.manifest.get(DESCRIPTOR) {
        let found = hex(&Sha256::digest(&text));
        if *expected != found {
            problem(Problem::new("member-hash", DESCRIPTOR, format!("SHA-256 is {found}, the bundle says {expected}")));
        }
    }
    match descriptor::parse(&text, &structure.index.name, problem) {
        Ok(package) => Ok(Some(package)),
        Err(reason) => {
            problem(Problem::new("descriptor", DESCRIPTOR, format!("cannot be understood: {reason}")));
            Ok(None)
        }
    }
}
