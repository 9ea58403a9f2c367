//! Finds every member of a bundle's tar and everything about the tar that a bundle may not have. Reads headers only.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::member::Slice;
use crate::{Problem, names};

/// The longest extension header that is read; ours are a few bytes, hostile ones may claim anything.
const EXTENSION_BYTES: u64 = 64 << 10;
/// How much after the last member is looked at.
const TRAILER_BYTES: u64 = 1 << 20;

/// What a tar holds.
pub(crate) struct TarIndex {
    /// The top folder; empty if there is no member.
    pub name: String,
    /// Members by their path below the top folder.
    pub members: BTreeMap<String, Slice>,
    /// Size of the file in bytes.
    pub bytes: u64,
}

/// Reads the headers of `file`. Problems go to `problem`; an `Err` is a system error while reading.
pub(crate) fn index(file: File, problem: &mut dyn FnMut(Problem)) -> io::Result<TarIndex> {
    let bytes = file.metadata()?.len();
    let file = Arc::new(file);
    let mut index = TarIndex { name: String::new(), members: BTreeMap::new(), bytes };
    if !extensions_are_small(&file, problem)? {
        return Ok(index);
    }
    let mut reader = &*file;
    reader.seek(SeekFrom::Start(0))?;
    let mut archive = tar::Archive::new(reader);
    let mut end = 0;
    for entry in archive.entries_with_seek()? {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                problem(Problem::new("tar-damaged", "the tar", format!("after byte {end}: {error}")));
                return Ok(index);
            }
        };
        let (offset, size) = (entry.raw_file_position(), entry.size());
        end = offset.saturating_add(size).div_ceil(512).saturating_mul(512);
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if offset.saturating_add(size) > bytes {
            problem(Problem::new("member-truncated", &path, format!("{size} bytes at {offset}, the file ends at {bytes}")));
            return Ok(index);
        }
        if kind.is_dir() {
            continue;
        }
        if kind == tar::EntryType::Regular {
            enter(&mut index, path, Slice { file: Arc::clone(&file), offset, bytes: size }, problem);
        } else {
            problem(Problem::new(
                "member-type",
                path,
                format!("is of type {:?}; only files and folders are allowed", char::from(kind.as_byte())),
            ));
        }
    }
    check_trailer(&file, end, bytes, problem)?;
    Ok(index)
}

fn enter(index: &mut TarIndex, path: String, slice: Slice, problem: &mut dyn FnMut(Problem)) {
    let Some((name, member)) = path.split_once('/') else {
        problem(Problem::new("member-path", path, "lies outside the bundle's folder"));
        return;
    };
    if index.name.is_empty() && names::is_bundle_name(name) {
        name.clone_into(&mut index.name);
    }
    if name != index.name || !names::is_member_path(member) {
        problem(Problem::new("member-path", path, "is not a path that a bundle may have"));
    } else if index.members.contains_key(member) {
        problem(Problem::new("member-duplicate", member, "stands twice in the tar"));
    } else {
        index.members.insert(member.to_owned(), slice);
    }
}

/// Whether no extension header is so long that reading it would take unbounded memory.
fn extensions_are_small(file: &File, problem: &mut dyn FnMut(Problem)) -> io::Result<bool> {
    let mut reader = file;
    reader.seek(SeekFrom::Start(0))?;
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries_with_seek()?.raw(true) {
        // A damaged header is named by the second reading, which knows the member before it.
        let Ok(entry) = entry else { return Ok(true) };
        let kind = entry.header().entry_type();
        let extension =
            kind.is_pax_global_extensions() || kind.is_pax_local_extensions() || kind.is_gnu_longname() || kind.is_gnu_longlink();
        if extension && entry.size() > EXTENSION_BYTES {
            problem(Problem::new("tar-damaged", "the tar", format!("an extension header claims {} bytes", entry.size())));
            return Ok(false);
        }
    }
    Ok(true)
}

/// After the last member come at least two blocks of zeros and nothing else.
fn check_trailer(file: &File, end: u64, bytes: u64, problem: &mut dyn FnMut(Problem)) -> io::Result<()> {
    if bytes < end.saturating_add(1024) {
        problem(Problem::new("tar-truncated", "the tar", format!("ends at byte {bytes} without its end mark")));
        return Ok(());
    }
    let mut reader = file;
    reader.seek(SeekFrom::Start(end))?;
    let mut trailer = Vec::new();
    reader.take(TRAILER_BYTES).read_to_end(&mut trailer)?;
    if trailer.iter().any(|byte| *byte != 0) {
        problem(Problem::new("tar-trailing", "the tar", format!("has data after its end mark at byte {end}")));
    }
    Ok(())
}
