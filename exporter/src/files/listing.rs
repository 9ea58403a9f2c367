//! Everything under a location, listed before anything is read. Memory grows with the number of files, about 150 bytes
//! and the path for each: a million files take some 250 MB.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use pannier_format::Problem;

use super::printable;
use crate::files::Location;
use crate::{Error, Interrupt};

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file, or a symbolic link to one within the location, which is then named.
    File(Option<PathBuf>),
    /// A directory.
    Directory,
    /// What is never opened: the problem's code and its text.
    Refused(&'static str, &'static str),
}

/// One entry of a listing.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Path below the location, raw bytes, parts separated by `/`.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Size in bytes when it was listed.
    pub bytes: u64,
}

impl Entry {
    /// The last part of its path.
    #[must_use]
    pub fn base(&self) -> &[u8] {
        self.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }
}

/// A location's entries in the order of their raw paths.
#[derive(Debug)]
pub struct Listing {
    /// The location.
    pub location: Location,
    /// Its directory, resolved.
    pub root: PathBuf,
    /// In the order of their raw paths.
    pub entries: Vec<Entry>,
    /// Indexes of `entries` in the order of their last parts.
    by_base: Vec<usize>,
    /// Directories that could not be listed.
    pub problems: Vec<Problem>,
}

impl Listing {
    /// Walks a location. `own` are the files of the database itself: they are no uploads, and opening and closing one
    /// would drop the locks that hold the snapshot.
    pub fn walk(location: &Location, own: &[PathBuf], interrupt: &Interrupt) -> Result<Listing, Error> {
        let unreadable = |source| Error::LocationUnreadable { path: location.path.clone(), source };
        let root = std::fs::canonicalize(&location.path).map_err(unreadable)?;
        let own: Vec<(u64, u64)> = own.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|m| (m.dev(), m.ino())).collect();
        let mut listing = Listing { location: location.clone(), root, entries: Vec::new(), by_base: Vec::new(), problems: Vec::new() };
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            interrupt.check()?;
            let children = match std::fs::read_dir(listing.root.join(&folder)) {
                Ok(children) => children,
                Err(source) if folder.as_os_str().is_empty() => return Err(unreadable(source)),
                Err(error) => {
                    listing.problem("directory-unreadable", folder.as_os_str(), &error.to_string());
                    continue;
                }
            };
            for child in children {
                let child = match child {
                    Ok(child) => folder.join(child.file_name()),
                    Err(error) => {
                        listing.problem("directory-unreadable", folder.as_os_str(), &error.to_string());
                        break;
                    }
                };
                listing.add(child, &own, &mut folders);
            }
        }
        listing.entries.sort_by(|a, b| a.path.cmp(&b.path));
        listing.by_base = (0..listing.entries.len()).collect();
        let entries = &listing.entries;
        listing.by_base.sort_by(|a, b| entries[*a].base().cmp(entries[*b].base()).then(a.cmp(b)));
        listing.problems.sort_by(|a, b| a.object.cmp(&b.object));
        Ok(listing)
    }

    fn add(&mut self, child: PathBuf, own: &[(u64, u64)], folders: &mut Vec<PathBuf>) {
        let full = self.root.join(&child);
        let metadata = match full.symlink_metadata() {
            Ok(metadata) => metadata,
            // Deleted since its name was read: it is not there.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return self.problem("file-unreadable", child.as_os_str(), &error.to_string()),
        };
        let (kind, metadata) = self.kind(&full, metadata);
        if matches!(kind, Kind::File(_)) && own.contains(&(metadata.dev(), metadata.ino())) {
            return;
        }
        if kind == Kind::Directory {
            folders.push(child.clone());
        }
        self.entries.push(Entry { path: child.into_os_string().into_vec(), kind, bytes: metadata.len() });
    }

    fn kind(&self, full: &Path, metadata: Metadata) -> (Kind, Metadata) {
        let file_type = metadata.file_type();
        if file_type.is_file() {
            return (Kind::File(None), metadata);
        }
        if file_type.is_dir() {
            return (Kind::Directory, metadata);
        }
        if !file_type.is_symlink() {
            let what = match () {
                () if file_type.is_fifo() => "it is a pipe",
                () if file_type.is_socket() => "it is a socket",
                () => "it is a device",
            };
            return (Kind::Refused("not-a-regular-file", what), metadata);
        }
        let Ok(target) = std::fs::canonicalize(full) else {
            return (Kind::Refused("symlink-dangling", "it is a symbolic link to nothing"), metadata);
        };
        if !target.starts_with(&self.root) {
            return (Kind::Refused("symlink-outside", "it is a symbolic link out of the location"), metadata);
        }
        match std::fs::metadata(&target) {
            Ok(behind) if behind.is_file() => (Kind::File(Some(target)), behind),
            _ => (Kind::Refused("not-a-regular-file", "it is a symbolic link to something that is no file"), metadata),
        }
    }

    fn problem(&mut self, code: &str, path: &OsStr, detail: &str) {
        let object = format!("{}/{}", self.location.name, printable(path.as_bytes()));
        self.problems.push(Problem::new(code, object, detail));
    }

    /// The entry at exactly this path below the location.
    #[must_use]
    pub fn at(&self, path: &[u8]) -> Option<usize> {
        self.entries.binary_search_by(|entry| entry.path.as_slice().cmp(path)).ok()
    }

    /// Entries with this last part, in the order of their paths.
    #[must_use]
    pub fn with_base(&self, base: &[u8]) -> &[usize] {
        &self.by_base[self.base_range(|other| other < base, |other| other <= base)]
    }

    /// Entries whose last part begins so.
    #[must_use]
    pub fn with_base_prefix(&self, prefix: &[u8]) -> &[usize] {
        &self.by_base[self.base_range(|other| other < prefix, |other| other < prefix || other.starts_with(prefix))]
    }

    fn base_range(&self, before: impl Fn(&[u8]) -> bool, within: impl Fn(&[u8]) -> bool) -> Range<usize> {
        let start = self.by_base.partition_point(|index| before(self.entries[*index].base()));
        let end = self.by_base.partition_point(|index| within(self.entries[*index].base()));
        start..end
    }

    /// How many regular files there are.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.entries.iter().filter(|entry| matches!(entry.kind, Kind::File(_))).count() as u64
    }

    /// Bytes of all regular files.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.entries.iter().filter(|entry| matches!(entry.kind, Kind::File(_))).map(|entry| entry.bytes).sum()
    }

    /// Where an entry's bytes are.
    #[must_use]
    pub fn full_path(&self, index: usize) -> PathBuf {
        match &self.entries[index].kind {
            Kind::File(Some(target)) => target.clone(),
            _ => self.root.join(OsStr::from_bytes(&self.entries[index].path)),
        }
    }

    /// What keeps an entry from being read, as far as that shows without reading it.
    #[must_use]
    pub fn unreadable(&self, index: usize) -> Option<Problem> {
        match &self.entries[index].kind {
            Kind::Refused(code, detail) => Some(Problem::new(code, self.object(index), *detail)),
            Kind::File(_) => {
                let error = super::open(&self.full_path(index)).err()?;
                Some(Problem::new("file-unreadable", self.object(index), error.to_string()))
            }
            Kind::Directory => None,
        }
    }

    /// How an entry is called in problems.
    #[must_use]
    pub fn object(&self, index: usize) -> String {
        format!("{}/{}", self.location.name, printable(&self.entries[index].path))
    }
}
