//! Finds every member of a bundle's tar and everything about the tar that a bundle may not have. Reads headers and padding
//! only, and never more than a few of them at once.
//!
//! The tar crate's reader is not used here: it follows extensions of any length and skips padding unseen.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::member::Slice;
use crate::tar_header::{BLOCK_BYTES, Block, EXTENSION_BYTES, Extensions, Kind, TarHeader, read_block, tar_problem};
use crate::{Problem, names};

/// What may follow the last member, the end mark included: programs fill up to a block of their own, 10 KiB usually.
const TRAILER_BYTES: u64 = 1 << 20;

/// What a tar holds.
pub(crate) struct TarIndex {
    /// The top folder; empty if there is no member.
    pub name: String,
    /// Members by their path below the top folder.
    pub members: BTreeMap<String, Slice>,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// It starts with a header, right or wrong.
    pub is_tar: bool,
}

/// Reads the headers of `file`. Problems go to `problem`; an `Err` is a system error while reading.
pub(crate) fn index(file: File, problem: &mut dyn FnMut(Problem)) -> io::Result<TarIndex> {
    let bytes = file.metadata()?.len();
    let is_tar = read_block(&file, 0)?.is_some_and(|block| block[257..].starts_with(b"ustar"));
    let index = TarIndex { name: String::new(), members: BTreeMap::new(), bytes, is_tar };
    let mut scan = Scan { file: Arc::new(file), bytes, at: 0, extensions: Extensions::default(), index, problem };
    while scan.member()? {}
    scan.check_folders();
    Ok(scan.index)
}

/// A walk over a tar from header to header.
struct Scan<'a> {
    file: Arc<File>,
    /// Size of the file.
    bytes: u64,
    /// Where the next header is.
    at: u64,
    /// What was said about the next member.
    extensions: Extensions,
    index: TarIndex,
    problem: &'a mut dyn FnMut(Problem),
}

impl Scan<'_> {
    /// Reads one header and steps over its content; whether there is more.
    fn member(&mut self) -> io::Result<bool> {
        let Some(block) = read_block(&self.file, self.at)? else {
            (self.problem)(tar_problem("tar-truncated", format!("ends at byte {} without its end mark", self.bytes)));
            return Ok(false);
        };
        if block == [0; 512] {
            self.check_trailer()?;
            return Ok(false);
        }
        let header = match TarHeader::parse(&block) {
            Ok(header) => header,
            Err(reason) => {
                (self.problem)(tar_problem("tar-damaged", format!("at byte {}: {reason}", self.at)));
                return Ok(false);
            }
        };
        let offset = self.at + BLOCK_BYTES;
        match header.kind {
            Kind::Extension | Kind::GlobalExtension | Kind::LongPath => self.extension(&header, offset),
            Kind::File | Kind::Folder | Kind::Other => self.entry(header, offset),
        }
    }

    fn extension(&mut self, header: &TarHeader, offset: u64) -> io::Result<bool> {
        if header.bytes > EXTENSION_BYTES {
            (self.problem)(tar_problem("tar-damaged", format!("an extension header claims {} bytes", header.bytes)));
            return Ok(false);
        }
        if !self.step_over("an extension header", offset, header.bytes)? {
            return Ok(false);
        }
        let mut content = Vec::new();
        self.slice(offset, header.bytes).reader(0).read_to_end(&mut content)?;
        if let Err(reason) = self.extensions.add(header.kind, &content) {
            (self.problem)(tar_problem("tar-damaged", format!("at byte {offset}: {reason}")));
            return Ok(false);
        }
        Ok(true)
    }

    fn entry(&mut self, header: TarHeader, offset: u64) -> io::Result<bool> {
        let extensions = std::mem::take(&mut self.extensions);
        let path = String::from_utf8_lossy(&extensions.path.unwrap_or(header.path)).into_owned();
        let bytes = extensions.bytes.unwrap_or(header.bytes);
        if header.kind == Kind::Other || extensions.sparse {
            let kind = if extensions.sparse { "a sparse file".to_owned() } else { format!("of type {:?}", char::from(header.kind_byte)) };
            (self.problem)(Problem::new("member-type", &path, format!("is {kind}; only files and folders are allowed")));
        }
        if !self.step_over(&path, offset, bytes)? {
            return Ok(false);
        }
        match header.kind {
            Kind::Folder => self.enter_folder(&path, bytes),
            Kind::File if !extensions.sparse => self.enter(path, self.slice(offset, bytes)),
            _ => {}
        }
        Ok(true)
    }

    fn slice(&self, offset: u64, bytes: u64) -> Slice {
        Slice { file: Arc::clone(&self.file), offset, bytes }
    }

    /// Goes on behind a content, if the file has all of it, and looks at its padding.
    fn step_over(&mut self, path: &str, offset: u64, bytes: u64) -> io::Result<bool> {
        let end = offset.saturating_add(bytes);
        if end > self.bytes {
            (self.problem)(Problem::new("member-truncated", path, format!("{bytes} bytes at {offset}, the file ends at {}", self.bytes)));
            return Ok(false);
        }
        self.at = end.next_multiple_of(BLOCK_BYTES);
        let mut padding: Block = [0; 512];
        let padding = &mut padding[..usize::try_from(self.at - end).unwrap_or(0)];
        // Where the file ends within the padding, the missing end mark is named next.
        let read = self.file.read_at(padding, end)?;
        if padding[..read].iter().any(|byte| *byte != 0) {
            (self.problem)(Problem::new("tar-padding", path, "is followed by something other than zeros"));
        }
        Ok(true)
    }

    fn enter(&mut self, path: String, slice: Slice) {
        let Some((name, member)) = path.split_once('/') else {
            (self.problem)(Problem::new("member-path", path, "lies outside the bundle's folder"));
            return;
        };
        if !self.is_ours(name) || !names::is_member_path(member) {
            (self.problem)(Problem::new("member-path", path, "is not a path that a bundle may have"));
        } else if self.index.members.contains_key(member) {
            (self.problem)(Problem::new("member-duplicate", member, "stands twice in the tar"));
        } else {
            self.index.members.insert(member.to_owned(), slice);
        }
    }

    /// Folders carry nothing, but a program that unpacks the bundle will make them.
    fn enter_folder(&mut self, path: &str, bytes: u64) {
        let plain = path.strip_suffix('/').unwrap_or(path);
        let (name, below) = plain.split_once('/').unwrap_or((plain, ""));
        if !self.is_ours(name) || !(below.is_empty() && !plain.contains('/') || names::is_member_path(below)) {
            (self.problem)(Problem::new("member-path", path, "is not a path that a bundle may have"));
        } else if bytes > 0 {
            (self.problem)(Problem::new("member-type", path, "is a folder with a content"));
        }
    }

    /// Whether `name` is the bundle's folder; the first that could be one is.
    fn is_ours(&mut self, name: &str) -> bool {
        if self.index.name.is_empty() && names::is_bundle_name(name) {
            name.clone_into(&mut self.index.name);
        }
        name == self.index.name
    }

    /// After the last member come at least two blocks of zeros and nothing else.
    fn check_trailer(&mut self) -> io::Result<()> {
        let length = self.bytes - self.at;
        if length < 2 * BLOCK_BYTES || !length.is_multiple_of(BLOCK_BYTES) {
            (self.problem)(tar_problem("tar-truncated", format!("ends at byte {} within its end mark", self.bytes)));
        } else if length > TRAILER_BYTES {
            (self.problem)(tar_problem("tar-trailing", format!("has {length} bytes after its last member, {TRAILER_BYTES} are allowed")));
            return Ok(());
        }
        let mut trailer = Vec::new();
        self.slice(self.at, length).reader(0).read_to_end(&mut trailer)?;
        if trailer.iter().any(|byte| *byte != 0) {
            (self.problem)(tar_problem("tar-trailing", format!("has data after its end mark at byte {}", self.at)));
        }
        Ok(())
    }

    /// No member may be the folder of another: such a bundle cannot be unpacked.
    fn check_folders(&mut self) {
        for member in self.index.members.keys() {
            let is_file = |folder: &str| self.index.members.contains_key(folder);
            if member.match_indices('/').any(|(at, _)| is_file(&member[..at])) {
                (self.problem)(Problem::new("member-path", member, "lies below another member, which is no folder"));
            }
        }
    }
}
