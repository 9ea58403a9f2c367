//! Reads one member of a bundle; length and hash are checked at its end, so that to read is to verify.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use sha2::{Digest, Sha256};

use crate::hex;

/// Where a member's bytes lie in the tar.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub file: Arc<File>,
    pub offset: u64,
    pub bytes: u64,
}

impl Slice {
    /// Reads the slice from a place in it on.
    pub fn reader(&self, start: u64) -> SliceReader {
        SliceReader { slice: self.clone(), at: start }
    }

    /// The hash of its bytes.
    pub fn sha256(&self) -> io::Result<String> {
        let mut hasher = Sha256::new();
        let mut content = self.reader(0);
        let mut buffer = vec![0; 1 << 18];
        loop {
            match content.read(&mut buffer)? {
                0 => return Ok(hex(&hasher.finalize())),
                read => hasher.update(&buffer[..read]),
            }
        }
    }
}

/// Sequential reader of a [`Slice`].
pub(crate) struct SliceReader {
    slice: Slice,
    at: u64,
}

impl Read for SliceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.slice.bytes.saturating_sub(self.at);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.slice.file.read_at(&mut buffer[..wanted], self.slice.offset + self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Length for Slice {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Slice {
    type T = io::BufReader<SliceReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(io::BufReader::new(self.reader(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start.saturating_add(length as u64) > self.bytes {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} of {}", self.bytes)));
        }
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, self.offset + start)?;
        Ok(Bytes::from(buffer))
    }
}

/// Checks the hash of everything that is read through it when the end is reached.
pub(crate) struct HashedReader<R> {
    inner: R,
    hasher: Option<Sha256>,
    expected: String,
}

impl<R: Read> HashedReader<R> {
    pub fn new(inner: R, expected: &str) -> Self {
        HashedReader { inner, hasher: Some(Sha256::new()), expected: expected.to_owned() }
    }
}

impl<R: Read> Read for HashedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read > 0 {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buffer[..read]);
            }
        } else if !buffer.is_empty()
            && let Some(hasher) = self.hasher.take()
        {
            let found = hex(&hasher.finalize());
            if found != self.expected {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("SHA-256 is {found}, the bundle says {}", self.expected)));
            }
        }
        Ok(read)
    }
}

/// The largest window of a zstd frame that is read: 8 MiB, which RFC 8878 asks of every decoder. A frame may claim far more.
const WINDOW_LOG: u32 = 23;

/// Reads a blob's content. Its hash is checked at its end: a read that returns 0 has seen all of it, unchanged.
pub struct BlobReader {
    source: BlobSource,
    bytes_left: u64,
}

enum BlobSource {
    Plain(HashedReader<SliceReader>),
    Packed(Box<HashedReader<zstd::Decoder<'static, io::BufReader<SliceReader>>>>),
}

impl BlobReader {
    pub(crate) fn plain(slice: &Slice, sha256: &str) -> Self {
        BlobReader { source: BlobSource::Plain(HashedReader::new(slice.reader(0), sha256)), bytes_left: u64::MAX }
    }

    pub(crate) fn packed(slice: &Slice, sha256: &str) -> io::Result<Self> {
        let mut decoder = zstd::Decoder::new(slice.reader(0))?;
        decoder.window_log_max(WINDOW_LOG)?;
        Ok(BlobReader { source: BlobSource::Packed(Box::new(HashedReader::new(decoder, sha256))), bytes_left: u64::MAX })
    }

    /// Makes a read fail when the content turns out longer than `bytes`, which its entry in the index claims: a few bytes of
    /// zstd can stand for very many, and the hash is known to be wrong only at their end.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Self {
        self.bytes_left = bytes;
        self
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.source {
            BlobSource::Plain(reader) => reader.read(buffer),
            BlobSource::Packed(reader) => reader.read(buffer),
        }?;
        self.bytes_left = self
            .bytes_left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the content is longer than the index says"))?;
        Ok(read)
    }
}
