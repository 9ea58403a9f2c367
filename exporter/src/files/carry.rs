//! Files into the bundle: each read once and hashed while it is read, one entry for every row that names it, then those
//! that no row names.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use pannier_format::{BlobEntry, BlobRef, BlobState, Problem};
use serde::Serialize;

use super::listing::{Kind, Listing};
use super::matching::{self, Found, Matching};
use crate::noticed::FileRow;
use crate::profile::FileTable;
use crate::progress::Progress;
use crate::writing::Writing;
use crate::{Error, Interrupt};

/// What became of the files.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FilesReport {
    /// One for each location given.
    pub locations: Vec<LocationReport>,
    /// Rows that name a file which is nowhere.
    pub missing: u64,
}

/// What became of the files of one location.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LocationReport {
    /// Its name.
    pub location: String,
    /// Regular files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows that name one of them.
    pub matched: u64,
    /// Files that no row names.
    pub unreferenced: u64,
    /// Entries that could not be read, or never are: links out of the location, pipes, devices.
    pub unreadable: u64,
}

impl FilesReport {
    /// Counts before anything is read.
    #[must_use]
    pub fn counted(listings: &[Listing], matchings: &[Matching]) -> FilesReport {
        let mut report = FilesReport::default();
        let mut seen: Vec<Vec<bool>> = listings.iter().map(|listing| vec![false; listing.entries.len()]).collect();
        report.locations =
            listings.iter().map(|l| LocationReport { location: l.location.name.clone(), ..LocationReport::default() }).collect();
        for found in matchings.iter().flat_map(|matching| &matching.found) {
            match found {
                Some(found) => {
                    seen[found.listing][found.entry] = true;
                    report.locations[found.listing].matched += 1;
                }
                None => report.missing += 1,
            }
        }
        for (place, listing) in listings.iter().enumerate() {
            let location = &mut report.locations[place];
            for (entry, seen) in listing.entries.iter().zip(&seen[place]) {
                match entry.kind {
                    Kind::File(_) => {
                        location.files += 1;
                        location.bytes += entry.bytes;
                        location.unreferenced += u64::from(!seen);
                    }
                    Kind::Refused(..) => location.unreadable += 1,
                    Kind::Directory => {}
                }
            }
        }
        report
    }
}

/// What reading a file came to.
#[derive(Clone)]
struct Carried {
    state: BlobState,
    blob: Option<BlobRef>,
    modified_ns: Option<i64>,
}

struct Carrier<'a, 'w> {
    listings: &'a [Listing],
    carried: HashMap<(usize, usize), Carried>,
    writing: &'a mut Writing<'w>,
    progress: &'a mut dyn Progress,
    interrupt: &'a Interrupt,
    failed: Vec<u64>,
}

/// Reads every file into the bundle: in the order of the rows that name them, then the rest in the order of their paths.
pub fn carry(
    tables: &[(&FileTable, Vec<FileRow>)],
    listings: &[Listing],
    writing: &mut Writing<'_>,
    progress: &mut dyn Progress,
    interrupt: &Interrupt,
) -> Result<FilesReport, Error> {
    let matchings: Vec<Matching> = tables.iter().map(|(table, rows)| Matching::new(table, rows, listings)).collect();
    let mut report = FilesReport::counted(listings, &matchings);
    for problem in listings.iter().flat_map(|listing| &listing.problems) {
        writing.problem(problem)?;
    }
    let failed = vec![0; listings.len()];
    let mut carrier = Carrier { listings, carried: HashMap::new(), writing, progress, interrupt, failed };
    for ((table, rows), matching) in tables.iter().zip(&matchings) {
        if listings.is_empty() && !rows.is_empty() {
            let detail = format!("{} rows name files, and no location was given with --files", rows.len());
            carrier.writing.problem(&Problem::new("files-not-given", table.table.clone(), detail))?;
        }
        for (number, (row, found)) in rows.iter().zip(&matching.found).enumerate() {
            if let Some(problem) = key_problem(table, row, number) {
                carrier.writing.problem(&problem)?;
            }
            carrier.row(table, row, *found)?;
        }
    }
    for (place, listing) in listings.iter().enumerate() {
        for entry in 0..listing.entries.len() {
            if listing.entries[entry].kind != Kind::Directory && !carrier.carried.contains_key(&(place, entry)) {
                carrier.unreferenced(place, entry)?;
            }
        }
    }
    for (location, failed) in report.locations.iter_mut().zip(&carrier.failed) {
        location.unreadable += failed;
    }
    Ok(report)
}

impl Carrier<'_, '_> {
    fn row(&mut self, table: &FileTable, row: &FileRow, found: Option<Found>) -> Result<(), Error> {
        // Without any location it is one problem, not one for every row.
        if !self.listings.is_empty() {
            for problem in row_problems(table, row, found, self.listings) {
                self.writing.problem(&problem)?;
            }
        }
        let (location, path, carried) = if let Some(found) = found {
            let listing = &self.listings[found.listing];
            let carried = self.carry(found.listing, found.entry)?;
            if let (Some(claimed), Some(blob)) = (&row.sha256, &carried.blob)
                && !claimed.eq_ignore_ascii_case(&blob.sha256)
            {
                let object = format!("{}/{}", table.table, super::printable(row.key.as_bytes()));
                let detail = format!("the row says SHA-256 {}, the file has {}", super::printable(claimed.as_bytes()), blob.sha256);
                self.writing.problem(&Problem::new("file-hash-differs", object, detail))?;
            }
            (listing.location.name.clone(), listing.entries[found.entry].path.clone(), carried)
        } else {
            let path = expected(table, row);
            (table.location.clone(), path, Carried { state: BlobState::Missing, blob: None, modified_ns: None })
        };
        self.writing.entry(&BlobEntry {
            table: Some(table.table.clone()),
            key: Some(row.key.clone()),
            column: Some(table.path.clone()),
            claimed_path: row.path.clone(),
            ..entry(location, path, carried)
        })
    }

    fn unreferenced(&mut self, place: usize, index: usize) -> Result<(), Error> {
        let listing = &self.listings[place];
        let mut carried = self.carry(place, index)?;
        if carried.state == BlobState::Present {
            carried.state = BlobState::Unreferenced;
        }
        self.writing.entry(&entry(listing.location.name.clone(), listing.entries[index].path.clone(), carried))
    }

    /// Reads a file, unless it was read before.
    fn carry(&mut self, place: usize, index: usize) -> Result<Carried, Error> {
        if let Some(carried) = self.carried.get(&(place, index)) {
            return Ok(carried.clone());
        }
        self.interrupt.check()?;
        let object = self.listings[place].object(index);
        let unreadable = Carried { state: BlobState::Unreadable, blob: None, modified_ns: None };
        let carried = match &self.listings[place].entries[index].kind {
            Kind::File(_) => match self.read(place, index, &object)? {
                Ok(carried) => carried,
                Err(error) => {
                    self.failed[place] += 1;
                    self.writing.problem(&Problem::new("file-unreadable", object, error.to_string()))?;
                    unreadable
                }
            },
            Kind::Directory => {
                self.writing.problem(&Problem::new("not-a-regular-file", object, "it is a directory"))?;
                unreadable
            }
            Kind::Refused(code, detail) => {
                self.writing.problem(&Problem::new(code, object, *detail))?;
                unreadable
            }
        };
        self.carried.insert((place, index), carried.clone());
        Ok(carried)
    }

    /// The outer error stops the export, the inner one is the file's.
    fn read(&mut self, place: usize, index: usize, object: &str) -> Result<io::Result<Carried>, Error> {
        let listing = &self.listings[place];
        let opened = super::open(&listing.full_path(index));
        let (file, before) = match opened.and_then(|file| file.metadata().map(|metadata| (file, metadata))) {
            Ok((_, metadata)) if !metadata.is_file() => return Ok(Err(io::Error::other("it is no longer a file"))),
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let mut reader = WatchedReader { file: &file, bytes: 0, progress: self.progress, interrupt: self.interrupt };
        let blob = match self.writing.blob(&mut reader) {
            Ok(blob) => blob,
            Err(pannier_format::Error::ReadBlob { source }) => {
                self.interrupt.check()?;
                return Ok(Err(source));
            }
            Err(error) => return Err(error.into()),
        };
        let unchanged = file.metadata().is_ok_and(|after| mark(&after) == mark(&before)) && blob.bytes == before.len();
        if !unchanged {
            self.writing.problem(&Problem::new("changed-while-read", object, "size or time of the file changed while it was read"))?;
        }
        let modified_ns = before.mtime().checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(before.mtime_nsec()));
        Ok(Ok(Carried { state: BlobState::Present, blob: Some(blob), modified_ns }))
    }
}

fn mark(metadata: &Metadata) -> (u64, i64, i64) {
    (metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

fn entry(location: String, path: Vec<u8>, carried: Carried) -> BlobEntry {
    BlobEntry {
        location,
        path,
        state: carried.state,
        bytes: carried.blob.as_ref().map(|blob| blob.bytes),
        sha256: carried.blob.map(|blob| blob.sha256),
        modified_ns: carried.modified_ns,
        table: None,
        key: None,
        column: None,
        claimed_path: None,
    }
}

/// The entry of this row does not tell which row it is of; `number` counts the table's rows from 0.
pub(crate) fn key_problem(table: &FileTable, row: &FileRow, number: usize) -> Option<Problem> {
    let object = format!("{}/{}", table.table, super::printable(row.key.as_bytes()));
    row.unclear.map(|why| Problem::new("file-key-unclear", object, format!("row {} of the table: {why}", number + 1)))
}

/// What is wrong with a row and the file that it means, as far as the listings tell.
pub(crate) fn row_problems(table: &FileTable, row: &FileRow, found: Option<Found>, listings: &[Listing]) -> Vec<Problem> {
    let object = format!("{}/{}", table.table, super::printable(row.key.as_bytes()));
    let Some(found) = found else {
        let detail = format!("no file like {} in {}", super::printable(&expected(table, row)), table.location);
        return vec![Problem::new("file-missing", object, detail)];
    };
    let mut problems = Vec::new();
    let taken = listings[found.listing].object(found.entry);
    if found.ambiguous {
        problems.push(Problem::new("file-ambiguous", object.clone(), format!("several files would do; {taken} was taken")));
    }
    let entry = &listings[found.listing].entries[found.entry];
    if let (Kind::File(_), Some(claimed)) = (&entry.kind, row.bytes.filter(|claimed| *claimed != entry.bytes)) {
        let detail = format!("the row says {claimed} bytes, {taken} has {}; it is carried as it is", entry.bytes);
        problems.push(Problem::new("file-size-differs", object, detail));
    }
    problems
}

/// Where a file that is nowhere should be.
fn expected(table: &FileTable, row: &FileRow) -> Vec<u8> {
    let base = row.path.as_deref().and_then(matching::base).map(<[u8]>::to_vec);
    base.or_else(|| table.names.iter().find_map(|pattern| matching::expanded(pattern, row))).unwrap_or_default()
}

/// Reads a file while the progress is told and an interruption heard.
struct WatchedReader<'a> {
    file: &'a File,
    bytes: u64,
    progress: &'a mut dyn Progress,
    interrupt: &'a Interrupt,
}

impl Read for WatchedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.interrupt.is_asked() {
            // Not `ErrorKind::Interrupted`: readers try again after that.
            return Err(io::Error::other("interrupted"));
        }
        let mut file = self.file;
        let read = file.read(buffer)?;
        self.bytes += read as u64;
        self.progress.advance(0, read as u64);
        Ok(read)
    }
}
