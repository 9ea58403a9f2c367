//! One header of a tar, and the extension headers before it, read as strictly as the format allows: every byte of a header is
//! covered by its checksum, and the checksum field itself has two forms only.

use std::io;

use crate::Problem;

/// Headers and contents start at multiples of this.
pub(crate) const BLOCK_BYTES: u64 = 512;
/// One such block.
pub(crate) type Block = [u8; 512];
/// The longest extension header that is read; ours are a few bytes, hostile ones may claim anything.
pub(crate) const EXTENSION_BYTES: u64 = 64 << 10;

/// What a header describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    /// A pax header for the next member.
    Extension,
    /// A pax header for all that follow.
    GlobalExtension,
    /// GNU tar's way of saying a path that the header has no room for.
    LongPath,
    /// Links, devices, sparse files and what else there is.
    Other,
}

/// A header whose checksum was right.
pub(crate) struct TarHeader {
    pub kind: Kind,
    /// The byte that stands for the type.
    pub kind_byte: u8,
    pub path: Vec<u8>,
    /// Bytes of content that follow, without their padding.
    pub bytes: u64,
}

impl TarHeader {
    /// Reads a header; the reason if it is none.
    pub fn parse(block: &Block) -> Result<TarHeader, String> {
        let header = tar::Header::from_byte_slice(block);
        let unsigned = block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) });
        if checksum(&block[148..156]) != Some(unsigned.sum()) {
            return Err("a header's checksum is wrong".to_owned());
        }
        let kind_byte = block[156];
        let kind = match kind_byte {
            b'0' | 0 => Kind::File,
            b'5' => Kind::Folder,
            b'x' => Kind::Extension,
            b'g' => Kind::GlobalExtension,
            b'L' => Kind::LongPath,
            _ => Kind::Other,
        };
        let bytes = header.entry_size().map_err(|error| error.to_string())?;
        Ok(TarHeader { kind, kind_byte, path: header.path_bytes().into_owned(), bytes })
    }
}

/// The value of a checksum field: seven octal digits and NUL, or six, NUL and a space. Programs that write other forms have
/// not been met, and with these two no single flipped bit goes unnoticed.
fn checksum(field: &[u8]) -> Option<u32> {
    let ([digits @ .., 0, b' '] | [digits @ .., 0]) = field else { return None };
    digits.iter().try_fold(0, |value, byte| matches!(byte, b'0'..=b'7').then(|| value * 8 + u32::from(byte - b'0')))
}

/// What extension headers say about the member after them.
#[derive(Default)]
pub(crate) struct Extensions {
    pub path: Option<Vec<u8>>,
    pub bytes: Option<u64>,
    /// GNU tar's sparse files look like plain ones but for their extensions.
    pub sparse: bool,
}

impl Extensions {
    /// Takes in the content of an extension header; the reason if it cannot be understood.
    pub fn add(&mut self, kind: Kind, content: &[u8]) -> Result<(), String> {
        if kind == Kind::LongPath {
            self.path = Some(content.strip_suffix(b"\0").unwrap_or(content).to_owned());
            return Ok(());
        }
        for record in PaxRecords(content) {
            let (key, value) = record.ok_or("an extension header cannot be understood")?;
            match key {
                b"path" | b"size" if kind == Kind::GlobalExtension => return Err("one path or size is claimed for all members".to_owned()),
                b"path" => self.path = Some(value.to_owned()),
                b"size" => self.bytes = Some(decimal(value).ok_or("an extension header has a size that is no number")?),
                _ => self.sparse |= key.starts_with(b"GNU.sparse."),
            }
        }
        Ok(())
    }
}

/// The records of a pax header: `LENGTH KEY=VALUE\n`, where the length counts the whole record. `None` for what is no record.
///
/// The tar crate's own iterator splits at line ends and so reads a value with a line end in it as two records, which other
/// programs do not: a hostile bundle would look one way to us and another way to them.
struct PaxRecords<'a>(&'a [u8]);

impl<'a> Iterator for PaxRecords<'a> {
    type Item = Option<(&'a [u8], &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let record = self.split();
        if record.is_none() {
            self.0 = &[];
        }
        Some(record)
    }
}

impl<'a> PaxRecords<'a> {
    fn split(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let space = self.0.iter().take(8).position(|byte| *byte == b' ')?;
        let length = usize::try_from(decimal(&self.0[..space])?).ok()?;
        let record = self.0.get(space + 1..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        self.0 = &self.0[length..];
        Some((&record[..equals], &record[equals + 1..]))
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

/// A problem with the tar as a whole.
pub(crate) fn tar_problem(code: &str, detail: impl Into<String>) -> Problem {
    Problem::new(code, "the tar", detail)
}

/// Reads exactly one block at `offset`; `None` if the file ends before the block does.
pub(crate) fn read_block(file: &std::fs::File, offset: u64) -> io::Result<Option<Block>> {
    use std::os::unix::fs::FileExt;
    let mut block: Block = [0; 512];
    match file.read_exact_at(&mut block, offset) {
        Ok(()) => Ok(Some(block)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pax_records_count_their_own_bytes() {
        let records: Vec<_> = PaxRecords(b"20 comment=a\n7 b=c\n\n7 a=bc\n").collect();
        assert_eq!(records, [Some((&b"comment"[..], &b"a\n7 b=c\n"[..])), Some((&b"a"[..], &b"bc"[..]))]);
        for bad in [&b"x"[..], b"9999 a=b\n", b"5 a=b", b"6 a=b", b"-6 a=b\n", b"3 \n", b"99999999999999999999 a=b\n"] {
            assert!(PaxRecords(bad).any(|record| record.is_none()), "{bad:?}");
        }
    }

    #[test]
    fn checksums_have_two_forms() {
        assert_eq!(checksum(b"0012345\0"), Some(0o12345));
        assert_eq!(checksum(b"012345\0 "), Some(0o12345));
        for bad in [b" 012345\0", b"012345  ", b"0123456 ", b"012345 \0", b"01234\0\0 ", b"012348\0 "] {
            assert_eq!(checksum(bad), None, "{bad:?}");
        }
    }
}
