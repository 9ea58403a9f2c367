//! Which file a row means. Paths are from inside a container, of another operating system, or addresses in an object
//! store, so that only their end can be trusted.

use super::listing::{Kind, Listing};
use crate::noticed::FileRow;
use crate::profile::FileTable;

/// The entry that a row means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which listing.
    pub listing: usize,
    /// Which of its entries.
    pub entry: usize,
    /// Others would have done as well, in this location or in another that the path does not name either; the first by
    /// path was taken.
    pub ambiguous: bool,
}

/// For every row the entry that it means, in the order of the rows.
#[derive(Debug)]
pub struct Matching {
    /// By row.
    pub found: Vec<Option<Found>>,
}

impl Matching {
    /// Matches the rows of one file table. First come locations whose name is a part of the row's path, then the one that
    /// the profile names, then all others.
    #[must_use]
    pub fn new(table: &FileTable, rows: &[FileRow], listings: &[Listing]) -> Matching {
        let found = rows
            .iter()
            .map(|row| {
                let is_named = |listing: usize| is_part(row.path.as_deref(), &listings[listing].location.name);
                let mut candidates: Vec<usize> = (0..listings.len()).collect();
                candidates.sort_by_key(|candidate| (!is_named(*candidate), listings[*candidate].location.name != table.location));
                let mut found = candidates.into_iter().filter_map(|listing| Some((listing, find(table, row, &listings[listing])?)));
                let (listing, (entry, ambiguous)) = found.next()?;
                // Where the path names the location, namesakes elsewhere are others' files.
                let ambiguous = ambiguous || (!is_named(listing) && found.next().is_some());
                Some(Found { listing, entry, ambiguous })
            })
            .collect();
        Matching { found }
    }
}

/// A part of the path, its last one apart, has this name.
fn is_part(path: Option<&[u8]>, name: &str) -> bool {
    let mut parts = path.unwrap_or_default().rsplit(|byte| *byte == b'/' || *byte == b'\\').skip(1);
    parts.any(|part| part == name.as_bytes())
}

/// The last part of a path of any kind; none if it ends in a separator.
pub(super) fn base(path: &[u8]) -> Option<&[u8]> {
    let base = path.rsplit(|byte| *byte == b'/').next().filter(|base| !base.is_empty())?;
    if is_windows(path) { base.rsplit(|byte| *byte == b'\\').next().filter(|base| !base.is_empty()) } else { Some(base) }
}

fn is_windows(path: &[u8]) -> bool {
    path.starts_with(b"\\\\") || (path.len() > 2 && path[0].is_ascii_alphabetic() && path[1] == b':' && path[2] == b'\\')
}

/// The entry that a row means, and whether there were others.
fn find(table: &FileTable, row: &FileRow, listing: &Listing) -> Option<(usize, bool)> {
    if let Some(path) = row.path.as_deref().filter(|path| !path.is_empty()) {
        let found = by_suffix(path, listing).map(|entry| (entry, false));
        let found = found.or_else(|| {
            let turned: Vec<u8> = path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect();
            is_windows(path).then(|| by_suffix(&turned, listing)).flatten().map(|entry| (entry, false))
        });
        let found = found.or_else(|| first(listing, listing.with_base(base(path)?)));
        if found.is_some() {
            return found;
        }
    }
    table.names.iter().find_map(|pattern| by_pattern(pattern, row, listing))
}

/// The longest end of the path that is an entry: a file in a sub-directory is preferred to its namesake at the top.
fn by_suffix(path: &[u8], listing: &Listing) -> Option<usize> {
    let mut rest = path;
    loop {
        if let Some(entry) = listing.at(rest).filter(|_| !rest.is_empty()) {
            return Some(entry);
        }
        rest = &rest[rest.iter().position(|byte| *byte == b'/')? + 1..];
    }
}

/// The first file of these, else the first of anything.
fn first(listing: &Listing, entries: &[usize]) -> Option<(usize, bool)> {
    let files: Vec<usize> = entries.iter().copied().filter(|entry| matches!(listing.entries[*entry].kind, Kind::File(_))).collect();
    let first = files.first().or(entries.first())?;
    Some((*first, files.len() > 1))
}

fn by_pattern(pattern: &str, row: &FileRow, listing: &Listing) -> Option<(usize, bool)> {
    let (pattern, open) = pattern.strip_suffix('*').map_or((pattern, false), |pattern| (pattern, true));
    let wanted = expanded(pattern, row)?;
    if !open {
        return first(listing, listing.with_base(&wanted));
    }
    let entries: Vec<usize> = listing
        .with_base_prefix(&wanted)
        .iter()
        .copied()
        .filter(|entry| matches!(listing.entries[*entry].base().get(wanted.len()), None | Some(b'_' | b'.')))
        .collect();
    first(listing, &entries)
}

/// A pattern with the row's values in it; none if it asks for one that the row does not have.
pub(super) fn expanded(pattern: &str, row: &FileRow) -> Option<Vec<u8>> {
    let name = row.name.as_deref().filter(|name| !name.is_empty());
    let mut expanded = Vec::new();
    let mut rest = pattern;
    while let Some(start) = rest.find('{') {
        let end = start + rest[start..].find('}')?;
        expanded.extend_from_slice(&rest.as_bytes()[..start]);
        match &rest[start + 1..end] {
            "key" if !row.key.is_empty() => expanded.extend_from_slice(row.key.as_bytes()),
            "name" => expanded.extend_from_slice(name?),
            "ext" => {
                let name = name?;
                expanded.extend_from_slice(&name[name.iter().rposition(|byte| *byte == b'.')? + 1..]);
            }
            _ => return None,
        }
        rest = &rest[end + 1..];
    }
    expanded.extend_from_slice(rest.as_bytes());
    Some(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Interrupt;
    use crate::files::Location;

    fn listing(names: &[&str]) -> (tempfile::TempDir, Listing) {
        let folder = tempfile::tempdir().expect("a folder");
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, name).expect("written");
        }
        let location = Location { name: "uploads".into(), path: folder.path().to_path_buf() };
        let listing = Listing::walk(&location, &[], &Interrupt::new()).expect("listed");
        (folder, listing)
    }

    #[test]
    fn paths_of_all_kinds() {
        let (_folder, listing) = listing(&["1_a.txt", "2.txt", "sub/3_c", "4_renamed", "c", "back\\slash", "10_x"]);
        let profile = crate::profile::Profile::named("open-webui".as_ref()).expect("built in");
        let found = |key: &str, path: Option<&str>, name: Option<&str>| {
            let row = FileRow {
                key: key.into(),
                path: path.map(Into::into),
                name: name.map(Into::into),
                bytes: None,
                sha256: None,
                unclear: None,
            };
            find(&profile.files[0], &row, &listing).map(|(entry, _)| String::from_utf8_lossy(&listing.entries[entry].path).into_owned())
        };
        let some = |path: &str| Some(path.to_string());
        assert_eq!(found("1", Some("/app/backend/data/uploads/1_a.txt"), None), some("1_a.txt"));
        assert_eq!(found("1", Some("s3://bucket/prefix/1_a.txt"), None), some("1_a.txt"));
        assert_eq!(found("1", Some("https://x.blob.core.windows.net/c/1_a.txt"), None), some("1_a.txt"));
        assert_eq!(found("1", Some("C:\\webui\\uploads\\1_a.txt"), None), some("1_a.txt"));
        assert_eq!(found("3", Some("C:\\webui\\uploads\\sub\\3_c"), None), some("sub/3_c"));
        assert_eq!(found("3", Some("/data/uploads/sub/3_c"), None), some("sub/3_c"));
        assert_eq!(found("3", Some("/elsewhere/3_c"), None), some("sub/3_c"));
        assert_eq!(found("9", Some("/data/back\\slash"), None), some("back\\slash"));
        assert_eq!(found("1", None, Some("a.txt")), some("1_a.txt"));
        assert_eq!(found("2", Some("/gone"), Some("long name.txt")), some("2.txt"));
        assert_eq!(found("4", Some("/gone"), Some("other")), some("4_renamed"));
        assert_eq!(found("1", None, None), some("1_a.txt"));
        assert_eq!(found("", None, Some("a.txt")), None);
        assert_eq!(found("5", Some("/data/uploads/"), None), None);
        assert_eq!(found("5", Some("/data/uploads/../../etc/passwd"), None), None);
        assert_eq!(found("6", Some("/data/sub"), None), some("sub"));
    }
}
