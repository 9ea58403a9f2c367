//! A file on its way from the server.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;

use super::error::ClientError;

/// The body of a stored file, chunk by chunk. Hashing is left to the caller; the length is checked if the server
/// announced one.
#[derive(Debug)]
pub struct Download {
    response: Response,
    request: String,
    chunk_timeout: Duration,
}

impl Download {
    pub(super) fn new(response: Response, request: String, chunk_timeout: Duration) -> Self {
        Self { response, request, chunk_timeout }
    }

    /// The length that the server announced, if it did.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The next piece; nothing at the end. A connection that breaks before the announced end is an error.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        let lost = |source: reqwest::Error| ClientError::ConnectionLost {
            request: self.request.clone(),
            may_have_been_applied: false,
            source: source.without_url(),
        };
        match tokio::time::timeout(self.chunk_timeout, self.response.chunk()).await {
            Ok(chunk) => chunk.map_err(lost),
            Err(_) => {
                Err(ClientError::TimedOut { request: self.request.clone(), waited: self.chunk_timeout, may_have_been_applied: false })
            }
        }
    }
}
