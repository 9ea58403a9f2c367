//! Many records in one request and one transaction.

use bytes::{BufMut, Bytes, BytesMut};
use reqwest::Method;

use super::connect::Client;
use super::error::ClientError;
use super::records::{record_path, records_path};
use super::settings::BatchSettings;
use super::transport::Call;

const BATCH: &str = "/api/batch";

/// The largest body of one request of a batch, whatever the settings say; larger records go as single creates.
/// The server itself stops at 26 MiB (0.36 and newer) or 42 MiB, and says nothing about the reason.
pub const BATCH_RECORD_MAX_BYTES: usize = 25 << 20;

/// What one request of a batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchMethod<'a> {
    /// Creates a record that must not be there.
    Create,
    /// Creates a record, or writes over the one with the body's id.
    Upsert,
    /// Changes fields of the record with this id.
    Update(&'a str),
    /// Deletes the record with this id; the body is not sent.
    Delete(&'a str),
}

/// One request of a batch. The body is a JSON object, sent as it is.
#[derive(Clone, Copy, Debug)]
pub struct BatchRequest<'a> {
    /// What to do.
    pub method: BatchMethod<'a>,
    /// Where.
    pub collection: &'a str,
    /// The record, as JSON.
    pub body: &'a [u8],
}

impl BatchRequest<'_> {
    /// How many bytes this request adds to a batch at most.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        let id = match self.method {
            BatchMethod::Update(id) | BatchMethod::Delete(id) => id.len() * 3,
            BatchMethod::Create | BatchMethod::Upsert => 0,
        };
        self.body.len() + self.collection.len() * 3 + id + ENVELOPE_BYTES
    }

    fn encode(&self, creates: Creates, out: &mut BytesMut) {
        let (method, path, with_body) = match self.method {
            BatchMethod::Create if creates == Creates::AsTheyAre => ("POST", records_path(self.collection), true),
            BatchMethod::Create | BatchMethod::Upsert => ("PUT", records_path(self.collection), true),
            BatchMethod::Update(id) => ("PATCH", record_path(self.collection, id), true),
            BatchMethod::Delete(id) => ("DELETE", record_path(self.collection, id), false),
        };
        // Paths are percent-encoded: nothing in them needs escaping in JSON. Of the answer nothing is wanted.
        out.put_slice(format!(r#"{{"method":"{method}","url":"{path}?fields=id""#).as_bytes());
        if with_body {
            out.put_slice(br#","body":"#);
            out.put_slice(self.body);
        }
        out.put_u8(b'}');
    }
}

/// `{"method":"DELETE","url":"/api/collections//records/?fields=id","body":},`, rounded up.
const ENVELOPE_BYTES: usize = 80;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Creates {
    AsTheyAre,
    AsUpserts,
}

impl Client {
    /// Applies all requests or none. Not repeated after a lost answer if there is a [`BatchMethod::Create`] among
    /// them: [`ClientError::may_have_been_applied`]. `limits` are the settings of the server.
    pub async fn batch(&self, requests: &[BatchRequest<'_>], limits: &BatchSettings) -> Result<(), ClientError> {
        self.send_batch(requests, limits, Creates::AsTheyAre).await
    }

    /// As [`Client::batch`]; after a lost answer the whole batch is sent again with its creates as upserts, so
    /// that every record is there once in the end. Creates must have an id in their body.
    pub async fn batch_or_confirm(&self, requests: &[BatchRequest<'_>], limits: &BatchSettings) -> Result<(), ClientError> {
        match self.send_batch(requests, limits, Creates::AsTheyAre).await {
            Err(error) if error.may_have_been_applied() => {
                self.pause_after_loss(format!("POST {BATCH}"), &error).await;
                self.send_batch(requests, limits, Creates::AsUpserts).await
            }
            other => other,
        }
    }

    async fn send_batch(&self, requests: &[BatchRequest<'_>], limits: &BatchSettings, creates: Creates) -> Result<(), ClientError> {
        if requests.is_empty() {
            return Ok(());
        }
        let body = encode(requests, creates);
        // The server would read a part of it and then cut the connection, which looks like a broken network.
        if body.len() as u64 > limits.body_limit_bytes() {
            return Err(ClientError::TooLarge { bytes: body.len() as u64 });
        }
        let has_create = requests.iter().any(|request| request.method == BatchMethod::Create);
        let call = Call::new(Method::POST, BATCH)
            .json(body)
            .idempotent(!has_create || creates == Creates::AsUpserts)
            .extra_time(Self::batch_time(limits));
        self.send(&call).await.map(drop)
    }
}

fn encode(requests: &[BatchRequest<'_>], creates: Creates) -> Bytes {
    let bytes = requests.iter().map(BatchRequest::encoded_bytes).sum::<usize>() + 32;
    let mut out = BytesMut::with_capacity(bytes);
    out.put_slice(br#"{"requests":["#);
    for (position, request) in requests.iter().enumerate() {
        if position > 0 {
            out.put_u8(b',');
        }
        request.encode(creates, &mut out);
    }
    out.put_slice(b"]}");
    out.freeze()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_not_touched_and_sizes_are_upper_bounds() {
        let body = br#"{"id":"x","n":1.0,"n":2}"#;
        let all = [
            BatchRequest { method: BatchMethod::Create, collection: "c", body },
            BatchRequest { method: BatchMethod::Upsert, collection: "c", body },
            BatchRequest { method: BatchMethod::Update("a-b"), collection: "ü", body },
            BatchRequest { method: BatchMethod::Delete("x"), collection: "c", body: b"" },
        ];
        let text = String::from_utf8(encode(&all, Creates::AsTheyAre).to_vec()).unwrap();
        assert!(text.starts_with(
            r#"{"requests":[{"method":"POST","url":"/api/collections/c/records?fields=id","body":{"id":"x","n":1.0,"n":2}},"#
        ));
        assert!(text.ends_with(r#"{"method":"DELETE","url":"/api/collections/c/records/x?fields=id"}]}"#));
        assert!(text.len() <= all.iter().map(BatchRequest::encoded_bytes).sum::<usize>() + 32);
        let again = String::from_utf8(encode(&all, Creates::AsUpserts).to_vec()).unwrap();
        assert!(!again.contains("POST"));
    }
}
