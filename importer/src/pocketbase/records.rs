//! Single records: create, change, delete, read, count.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;

use super::collections::{collection_path, segment};
use super::connect::Client;
use super::error::ClientError;
use super::page::RawRecord;
use super::retry::{RetryCause, RetryEvent};
use super::transport::{Answer, Call};

/// How often a record is sent to a server that answers 500 in its own words: that is a hook that does not want this
/// record, or the server's own fault with it, and seldom passes.
const TRIES_OF_OWN_FAILURE: u32 = 2;

impl Client {
    /// Creates a record from a JSON object. Not repeated after a lost answer: [`ClientError::may_have_been_applied`].
    pub async fn create(&self, collection: &str, body: Bytes) -> Result<(), ClientError> {
        self.send(&Call::new(Method::POST, records_path(collection)).query("fields", "id").json(body)).await?.is_record()
    }

    /// Creates the record `id`, which is `body`'s own id. After a lost answer the record is written over
    /// instead, so that it is there once in the end; see [`ClientError::may_have_been_applied`].
    pub async fn create_or_confirm(&self, collection: &str, id: &str, body: Bytes) -> Result<(), ClientError> {
        let create = Call::new(Method::POST, records_path(collection)).query("fields", "id").json(body.clone());
        let update = Call::new(Method::PATCH, record_path(collection, id)).query("fields", "id").json(body);
        self.create_until_known(&create, update).await
    }

    /// Changes the record `id`, or creates it if it is not there. `body` has the same id. Fields that are not in
    /// `body` keep their value. May be repeated.
    pub async fn upsert(&self, collection: &str, id: &str, body: Bytes) -> Result<(), ClientError> {
        match self.update(collection, id, body.clone()).await {
            Err(ClientError::NotFound { .. }) => self.create_or_confirm(collection, id, body).await,
            other => other,
        }
    }

    /// Changes fields of a record. May be repeated.
    pub async fn update(&self, collection: &str, id: &str, body: Bytes) -> Result<(), ClientError> {
        self.send_update(Call::new(Method::PATCH, record_path(collection, id)).query("fields", "id").json(body)).await?.is_record()
    }

    /// Sends `create` until its outcome is known, within the tries of the policy. After a lost answer `update`, with the
    /// same content, tells whether the record is there; not found means that nothing was applied. If nothing helps,
    /// the error is that of the create.
    pub(super) async fn create_until_known(&self, create: &Call<'_>, mut update: Call<'_>) -> Result<(), ClientError> {
        let (mut tries, mut paused) = (0, Duration::ZERO);
        loop {
            tries += 1;
            let error = match self.send(create).await.and_then(|answer| answer.is_record()) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            // Taken at a later try: an earlier one was applied after all, only late.
            let late = tries > 1 && error.is_id_taken();
            if !late && !error.may_have_been_applied() {
                return Err(error);
            }
            let again = self.pause_before_again(create, &error, tries, &mut paused).await;
            let (confirmed, call) = self.send_update_again(update).await;
            update = call;
            match confirmed.and_then(|answer| answer.is_record()) {
                Ok(()) => return Ok(()),
                Err(ClientError::NotFound { .. }) if again && !late => {}
                Err(refused @ ClientError::Refused { .. }) => return Err(refused),
                Err(_) => return Err(error),
            }
        }
    }

    /// Sends a request that may be repeated; seldom to a server that fails in its own words.
    pub(super) async fn send_update(&self, call: Call<'_>) -> Result<Answer, ClientError> {
        self.send_update_again(call).await.0
    }

    /// As [`Client::send_update`]; gives the call back.
    async fn send_update_again<'c>(&self, call: Call<'c>) -> (Result<Answer, ClientError>, Call<'c>) {
        let call = call.idempotent(false);
        let (mut tries, mut paused) = (0, Duration::ZERO);
        loop {
            tries += 1;
            match self.send(&call).await {
                Err(error) if error.is_servers_own_failure() => {
                    if !self.pause_before_again(&call, &error, tries, &mut paused).await {
                        return (Err(error), call);
                    }
                }
                Err(error) if error.may_have_been_applied() => {
                    // The way is at fault, not the record: now with all the patience there is.
                    if !self.pause_before_again(&call, &error, tries, &mut paused).await {
                        return (Err(error), call);
                    }
                    let call = call.idempotent(true);
                    return (self.send(&call).await, call);
                }
                other => return (other, call),
            }
        }
    }

    /// Waits before the next try; says no when there were enough.
    async fn pause_before_again(&self, call: &Call<'_>, error: &ClientError, tries: u32, paused: &mut Duration) -> bool {
        let Some(mut pause) = self.policy().pause(tries, *paused, None) else { return false };
        if error.is_servers_own_failure() {
            if tries >= TRIES_OF_OWN_FAILURE {
                return false;
            }
            pause /= 4;
        }
        let cause = match error {
            ClientError::ServerFailed { status, .. } => RetryCause::Status(*status),
            ClientError::TimedOut { .. } => RetryCause::TimedOut,
            _ => RetryCause::ConnectionLost,
        };
        self.log().report(&RetryEvent { request: call.name(), cause, tries, pause });
        tokio::time::sleep(pause).await;
        *paused += pause;
        true
    }

    /// Whether the server is well: it says so, and shows a superuser how many records a collection has.
    pub async fn is_well(&self, collection: &str) -> bool {
        self.send(&Call::get("/api/health").anonymous()).await.is_ok() && self.count(collection).await.is_ok()
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
