//! Single records: create, change, delete, read, count.

use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;

use super::collections::{collection_path, segment};
use super::connect::Client;
use super::error::ClientError;
use super::page::RawRecord;
use super::transport::Call;

impl Client {
    /// Creates a record from a JSON object. Not repeated after a lost answer: [`ClientError::may_have_been_applied`].
    pub async fn create(&self, collection: &str, body: Bytes) -> Result<(), ClientError> {
        self.send(&Call::new(Method::POST, records_path(collection)).query("fields", "id").json(body)).await?.is_record()
    }

    /// Creates the record `id`, which is `body`'s own id. After a lost answer the record is written over
    /// instead, so that it is there once in the end.
    pub async fn create_or_confirm(&self, collection: &str, id: &str, body: Bytes) -> Result<(), ClientError> {
        match self.create(collection, body.clone()).await {
            Err(error) if error.may_have_been_applied() => {
                self.pause_after_loss(format!("POST {}", records_path(collection)), &error).await;
                self.upsert(collection, id, body).await
            }
            other => other,
        }
    }

    /// Changes the record `id`, or creates it if it is not there. `body` has the same id. Fields that are not in
    /// `body` keep their value. May be repeated.
    pub async fn upsert(&self, collection: &str, id: &str, body: Bytes) -> Result<(), ClientError> {
        match self.update(collection, id, body.clone()).await {
            Err(ClientError::NotFound { .. }) => {}
            other => return other,
        }
        match self.create(collection, body.clone()).await {
            Err(error) if error.may_have_been_applied() => self.update(collection, id, body).await,
            other => other,
        }
    }

    /// Changes fields of a record. May be repeated.
    pub async fn update(&self, collection: &str, id: &str, body: Bytes) -> Result<(), ClientError> {
        self.send(&Call::new(Method::PATCH, record_path(collection, id)).query("fields", "id").json(body)).await?.is_record()
    }

    /// Deletes a record with its files. One that is not there counts as deleted.
    pub async fn delete(&self, collection: &str, id: &str) -> Result<(), ClientError> {
        match self.send(&Call::new(Method::DELETE, record_path(collection, id))).await {
            Ok(_) | Err(ClientError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// One record, or nothing if it is not there.
    pub async fn get(&self, collection: &str, id: &str) -> Result<Option<RawRecord>, ClientError> {
        match self.send(&Call::get(record_path(collection, id))).await {
            Ok(answer) => answer.json().map(Some),
            Err(ClientError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How many records a collection has.
    pub async fn count(&self, collection: &str) -> Result<u64, ClientError> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(rename = "totalItems")]
            total_items: u64,
        }
        let call = Call::get(records_path(collection)).query("perPage", "1").query("fields", "id");
        self.send(&call).await?.json::<Page>().map(|page| page.total_items)
    }
}

/// `/api/collections/{collection}/records`
pub(super) fn records_path(collection: &str) -> String {
    format!("{}/records", collection_path(collection))
}

/// `/api/collections/{collection}/records/{id}`
pub(super) fn record_path(collection: &str, id: &str) -> String {
    format!("{}/{}", records_path(collection), segment(id))
}
