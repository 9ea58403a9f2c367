//! A record's file as the server has it: downloaded and hashed, never kept.

use pannier_format::hex;
use sha2::{Digest as _, Sha256};

use crate::mapping::{CollectionMapping, FieldSource};
use crate::pocketbase::{Client, ClientError, RawRecord};

/// How often a download is begun that breaks half-way.
const DOWNLOAD_TRIES: u32 = 3;

/// What stands where a record's file should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoredFile {
    /// The record names no file.
    Unnamed,
    /// The record names a file, and the server does not have it.
    Gone,
    /// The file's SHA-256 in hexadecimal.
    Sha256(String),
}

impl StoredFile {
    /// Downloads and hashes the file of a record that was read from the server.
    pub async fn read(client: &Client, collection: &CollectionMapping, record: &RawRecord) -> Result<StoredFile, ClientError> {
        let field = collection.fields.iter().find(|field| matches!(field.source, FieldSource::File { .. }));
        let Some(name) = field.and_then(|field| record.text(&field.name)).filter(|name| !name.is_empty()) else {
            return Ok(StoredFile::Unnamed);
        };
        let mut tries = 1;
        loop {
            match Self::download(client, &collection.name, &record.id(), &name).await {
                Err(ClientError::ConnectionLost { .. } | ClientError::TimedOut { .. }) if tries < DOWNLOAD_TRIES => tries += 1,
                done => return done,
            }
        }
    }

    async fn download(client: &Client, collection: &str, id: &str, name: &str) -> Result<StoredFile, ClientError> {
        let token = client.file_token().await?;
        let mut download = match client.download(collection, id, name, &token).await {
            Ok(download) => download,
            Err(ClientError::NotFound { .. }) => return Ok(StoredFile::Gone),
            Err(error) => return Err(error),
        };
        let mut hasher = Sha256::new();
        while let Some(chunk) = download.chunk().await? {
            hasher.update(&chunk);
        }
        Ok(StoredFile::Sha256(hex(&hasher.finalize())))
    }

    /// Whether it is the content that the bundle has.
    pub fn is(&self, sha256: &str) -> bool {
        matches!(self, StoredFile::Sha256(found) if found == sha256)
    }
}
