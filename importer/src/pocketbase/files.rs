//! Files of records: sent as multipart beside the record's JSON, fetched with a short-lived token.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;

use super::body::{FileBody, Upload};
use super::collections::segment;
use super::connect::Client;
use super::download::Download;
use super::error::ClientError;
use super::records::{record_path, records_path};
use super::transport::Call;

/// One file for one field of a record.
#[derive(Clone, Debug)]
pub struct FileUpload<'a> {
    /// The file field.
    pub field: &'a str,
    /// The name. The server stores the file under a name derived from it, which the record shows; the name itself
    /// belongs into a text field. Characters that the server cannot take are replaced on the way.
    pub name: &'a str,
    /// The content.
    pub body: FileBody,
}

/// A token that opens protected files for a few minutes. Secret.
#[derive(Clone)]
pub struct FileToken(Arc<str>);

impl fmt::Debug for FileToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileToken(hidden)")
    }
}

impl Client {
    /// Creates the record `id` (also in `payload`, the record's JSON) with its files. After a lost answer it is
    /// changed instead, so that it is there once in the end.
    pub async fn create_with_files(&self, collection: &str, id: &str, payload: Bytes, files: &[FileUpload<'_>]) -> Result<(), ClientError> {
        let upload = Upload { payload, files };
        let create = Call::new(Method::POST, records_path(collection)).query("fields", "id").multipart(&upload);
        let update = Call::new(Method::PATCH, record_path(collection, id)).query("fields", "id").multipart(&upload);
        self.create_until_known(&create, update).await
    }

    /// Changes the record `id` and the given files of it. The files of a named field are replaced by those given.
    pub async fn update_with_files(&self, collection: &str, id: &str, payload: Bytes, files: &[FileUpload<'_>]) -> Result<(), ClientError> {
        let upload = Upload { payload, files };
        let call = Call::new(Method::PATCH, record_path(collection, id)).query("fields", "id").multipart(&upload);
        self.send_update(call).await?.is_record()
    }

    /// A token for protected files. It is valid for a few minutes: get one for each batch of downloads.
    pub async fn file_token(&self) -> Result<FileToken, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            token: String,
        }
        let call = Call::new(Method::POST, "/api/files/token").idempotent(true);
        self.send(&call).await?.json::<Answer>().map(|answer| FileToken(answer.token.into()))
    }

    /// Opens a stored file for reading. `name` is the stored name, as the record shows it.
    pub async fn download(&self, collection: &str, id: &str, name: &str, token: &FileToken) -> Result<Download, ClientError> {
        let path = format!("/api/files/{}/{}/{}", segment(collection), segment(id), segment(name));
        let call = Call::get(path).query("token", &*token.0);
        let request = call.name();
        let response = self.open(&call).await?;
        Ok(Download::new(response, request, self.policy().answer_timeout))
    }
}
