//! The bytes of a file on their way to the server: streamed, counted, and opened anew for each try.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use reqwest::multipart::{Form, Part};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

use super::error::ClientError;
use super::files::FileUpload;

const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks read ahead of the network.
const CHUNKS_AHEAD: usize = 4;

type AsyncOpener = dyn Fn() -> io::Result<Pin<Box<dyn AsyncRead + Send>>> + Send + Sync;
type BlockingOpener = dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync;

/// The content of a file, of known length. It is opened for every try, so that a broken upload can be repeated.
#[derive(Clone)]
pub struct FileBody {
    bytes: u64,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Memory(Bytes),
    Async(Arc<AsyncOpener>),
    Blocking(Arc<BlockingOpener>),
}

impl FileBody {
    /// A file in memory.
    pub fn memory(content: impl Into<Bytes>) -> Self {
        let content = content.into();
        Self { bytes: content.len() as u64, content: Content::Memory(content) }
    }

    /// A file of `bytes` bytes that `open` opens for reading.
    pub fn reader<R: AsyncRead + Send + 'static>(bytes: u64, open: impl Fn() -> io::Result<R> + Send + Sync + 'static) -> Self {
        let opener = move || open().map(|reader| Box::pin(reader) as Pin<Box<dyn AsyncRead + Send>>);
        Self { bytes, content: Content::Async(Arc::new(opener)) }
    }

    /// As [`FileBody::reader`], for a reader that blocks: it is opened and read on a thread of its own.
    pub fn blocking<R: Read + Send + 'static>(bytes: u64, open: impl Fn() -> io::Result<R> + Send + Sync + 'static) -> Self {
        let opener = move || open().map(|reader| Box::new(reader) as Box<dyn Read + Send>);
        Self { bytes, content: Content::Blocking(Arc::new(opener)) }
    }

    /// The length.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn part(&self, name: &str, fault: &Fault) -> Part {
        let feed = match &self.content {
            Content::Memory(content) => {
                return Part::stream_with_length(content.clone(), self.bytes);
            }
            Content::Async(open) => self.feed_async(Arc::clone(open), name, fault),
            Content::Blocking(open) => self.feed_blocking(Arc::clone(open), name, fault),
        };
        Part::stream_with_length(reqwest::Body::wrap_stream(feed), self.bytes)
    }

    fn feed_async(&self, open: Arc<AsyncOpener>, name: &str, fault: &Fault) -> Feed {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let mut count = Count::new(self.bytes, name, fault);
        tokio::spawn(async move {
            let mut reader = match open() {
                Ok(reader) => reader,
                Err(source) => return drop(sender.send(Err(count.unreadable(source))).await),
            };
            loop {
                let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
                let read = reader.read_buf(&mut chunk).await;
                let Some(item) = count.item(read.map(|_| chunk.freeze())) else {
                    return;
                };
                let failed = item.is_err();
                if sender.send(item).await.is_err() || failed {
                    return;
                }
            }
        });
        Feed(receiver)
    }

    fn feed_blocking(&self, open: Arc<BlockingOpener>, name: &str, fault: &Fault) -> Feed {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let mut count = Count::new(self.bytes, name, fault);
        tokio::task::spawn_blocking(move || {
            let mut reader = match open() {
                Ok(reader) => reader,
                Err(source) => return drop(sender.blocking_send(Err(count.unreadable(source)))),
            };
            loop {
                let mut chunk = Vec::with_capacity(CHUNK_BYTES);
                let read = reader.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk);
                let Some(item) = count.item(read.map(|_| Bytes::from(chunk))) else {
                    return;
                };
                let failed = item.is_err();
                if sender.blocking_send(item).is_err() || failed {
                    return;
                }
            }
        });
        Feed(receiver)
    }
}

impl std::fmt::Debug for FileBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileBody").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// The chunks of a file, as the HTTP client wants them.
struct Feed(mpsc::Receiver<io::Result<Bytes>>);

impl Stream for Feed {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

/// Where a reader's own failure is kept: the HTTP client would only say that the connection broke.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<ClientError>>>);

impl Fault {
    pub fn take(&self) -> Option<ClientError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, error: ClientError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// Compares what is read with what was promised.
struct Count {
    left: u64,
    promised: u64,
    name: String,
    fault: Fault,
}

impl Count {
    fn new(promised: u64, name: &str, fault: &Fault) -> Self {
        Self { left: promised, promised, name: name.to_owned(), fault: fault.clone() }
    }

    /// What to send for what was read; nothing at the right end.
    fn item(&mut self, read: io::Result<Bytes>) -> Option<io::Result<Bytes>> {
        let chunk = match read {
            Ok(chunk) => chunk,
            Err(source) => return Some(Err(self.unreadable(source))),
        };
        if chunk.is_empty() && self.left == 0 {
            return None;
        }
        match self.left.checked_sub(chunk.len() as u64) {
            Some(left) if !chunk.is_empty() => {
                self.left = left;
                Some(Ok(chunk))
            }
            _ => {
                let promised_bytes = self.promised;
                self.fault.set(ClientError::FileLength { name: self.name.clone(), promised_bytes });
                Some(Err(io::ErrorKind::InvalidData.into()))
            }
        }
    }

    fn unreadable(&self, source: io::Error) -> io::Error {
        let kind = source.kind();
        self.fault.set(ClientError::FileUnreadable { name: self.name.clone(), source });
        kind.into()
    }
}

/// One multipart request: the record's JSON and its files.
pub(super) struct Upload<'a> {
    pub payload: Bytes,
    pub files: &'a [FileUpload<'a>],
}

impl Upload<'_> {
    pub fn bytes(&self) -> u64 {
        self.payload.len() as u64 + self.files.iter().map(|file| file.body.bytes()).sum::<u64>()
    }

    /// A form for one try, and where a reader's failure will be found.
    pub fn form(&self) -> (Form, Fault) {
        let fault = Fault::default();
        let payload = Part::stream_with_length(self.payload.clone(), self.payload.len() as u64);
        let mut form = Form::new().part("@jsonPayload", payload);
        for file in self.files {
            let part = file.body.part(file.name, &fault).file_name(wire_name(file.name));
            form = form.part(file.field.to_owned(), part);
        }
        (form, fault)
    }
}

/// A name that a multipart header can carry: without control characters, separators and quotes, never empty
/// (the server takes a file without a name for text) and at most 100 characters long, the extension among them.
fn wire_name(name: &str) -> String {
    const LONGEST_CHARS: usize = 100;
    let replaced = |c: char| if c.is_control() || matches!(c, '"' | '/' | '\\') { '_' } else { c };
    let chars: Vec<char> = name.chars().map(replaced).collect();
    // The end is kept: it holds the extension, from which the server derives nothing but which people want to see.
    let wire: String = chars[chars.len().saturating_sub(LONGEST_CHARS)..].iter().collect();
    if wire.chars().all(|c| matches!(c, '.' | ' ')) { "file".to_owned() } else { wire }
}

#[cfg(test)]
mod tests {
    use super::wire_name;

    #[test]
    fn names_fit_into_a_header() {
        assert_eq!(wire_name("My File (1).PDF"), "My File (1).PDF");
        assert_eq!(wire_name("a/b\\c\"d\r\n\0.txt"), "a_b_c_d___.txt");
        assert_eq!(wire_name(""), "file");
        assert_eq!(wire_name(".."), "file");
        let long = wire_name(&format!("{}.tar.gz", "é".repeat(300)));
        assert!(long.ends_with("é.tar.gz") && long.chars().count() == 100);
    }
}
