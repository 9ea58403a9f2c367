//! Sends records: many in one batch where the server allows it, one by one where not; a row that is refused costs that
//! row only.

use bytes::Bytes;

use super::Import;
use super::load::Item;
use crate::ImportError;
use crate::cli::Blobs;
use crate::failures::Failure;
use crate::mapping::{CollectionMapping, Record, Upload};
use crate::pocketbase::{BatchMethod, BatchRequest, BatchSettings, ClientError, FileBody, FileUpload};

/// Records beyond this size go alone: a batch would only copy them once more.
pub(super) const ALONE_BYTES: usize = 4 << 20;
/// The most that goes with a file: servers take 26 MiB of JSON beside files (FACTS.md), whatever their settings say.
const PAYLOAD_BYTES: usize = 20 << 20;
/// A slice with so many refused rows is sent one by one: sending the rest again and again would cost more.
const REFUSALS: usize = 5;

impl Import<'_> {
    /// Creates records that are not there.
    pub(super) async fn create(&mut self, index: usize, collection: &CollectionMapping, items: Vec<Item<'_>>) -> Result<(), ImportError> {
        let Some(limits) = self.batch else {
            for item in items {
                self.create_one(index, collection, item).await?;
            }
            return Ok(());
        };
        let (mut together, mut alone) = (Vec::new(), Vec::new());
        for item in items {
            let uploads = item.record.upload.is_some() && self.options.blobs == Blobs::Upload;
            if uploads || item.body.len() > ALONE_BYTES { alone.push(item) } else { together.push(item) }
        }
        self.create_together(index, collection, together, &limits).await?;
        for item in alone {
            self.create_one(index, collection, item).await?;
        }
        Ok(())
    }

    /// A batch is applied whole or not at all. One that is refused is sent again without the row that the server names;
    /// one that is too much for the server is halved.
    async fn create_together(
        &mut self,
        index: usize,
        collection: &CollectionMapping,
        items: Vec<Item<'_>>,
        limits: &BatchSettings,
    ) -> Result<(), ImportError> {
        let mut waiting = vec![items];
        let mut refusals = 0;
        while let Some(mut items) = waiting.pop() {
            if items.is_empty() {
                continue;
            }
            let requests: Vec<BatchRequest<'_>> = items
                .iter()
                .map(|item| BatchRequest { method: BatchMethod::Create, collection: &collection.name, body: &item.body })
                .collect();
            match self.session.client.batch_or_confirm(&requests, limits).await {
                Ok(()) => self.counts[index].created += items.len() as u64,
                Err(ClientError::BatchRefused { index: at, .. }) if at < items.len() => {
                    // Alone once more: it may be there already, and the answer to a single request says more.
                    let refused = items.remove(at);
                    self.create_one(index, collection, refused).await?;
                    refusals += 1;
                    if refusals < REFUSALS {
                        waiting.push(items);
                        continue;
                    }
                    for item in items {
                        self.create_one(index, collection, item).await?;
                    }
                }
                Err(ClientError::BatchTimedOut | ClientError::TooLarge { .. } | ClientError::Refused { .. }) if items.len() > 1 => {
                    let half = items.len() / 2;
                    waiting.push(items.split_off(half));
                    waiting.push(items);
                }
                // Forbidden, not found, failed: alone it shows whether that is about one row.
                Err(error) if error.is_about_content() || error.may_be_about_one_record() => {
                    for item in items {
                        self.create_one(index, collection, item).await?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn create_one(&mut self, index: usize, collection: &CollectionMapping, item: Item<'_>) -> Result<(), ImportError> {
        let Item { record, body } = item;
        match self.send_one(&collection.name, &record, Bytes::from(body), true).await {
            Ok(files) => {
                self.counts[index].created += 1;
                self.counts[index].files += files;
                Ok(())
            }
            Err(error) if error.is_id_taken() && self.session.client.get(&collection.name, &record.id).await?.is_some() => {
                // Somebody, or an import that was killed, was quicker.
                self.change(index, collection, record).await
            }
            Err(error) => self.failed(index, collection, &record, error).await,
        }
    }

    /// Creates or changes one record, with its file if it has one; answers how many files were sent.
    async fn send_one(&self, collection: &str, record: &Record<'_>, body: Bytes, new: bool) -> Result<u64, ClientError> {
        let client = &self.session.client;
        let upload = record.upload.as_ref().filter(|_| self.options.blobs == Blobs::Upload);
        let apart = upload.is_none() || body.len() > PAYLOAD_BYTES;
        if apart && new {
            client.create_or_confirm(collection, &record.id, body.clone()).await?;
        } else if apart {
            client.update(collection, &record.id, body.clone()).await?;
        }
        let Some(upload) = upload else { return Ok(0) };
        let files = [self.file(upload)];
        let payload = if apart { Bytes::from_static(b"{}") } else { body };
        if new && !apart {
            client.create_with_files(collection, &record.id, payload, &files).await?;
        } else {
            client.update_with_files(collection, &record.id, payload, &files).await?;
        }
        Ok(1)
    }

    /// Writes over a record that is there and differs.
    pub(super) async fn change(&mut self, index: usize, collection: &CollectionMapping, record: Record<'_>) -> Result<(), ImportError> {
        // Without the throw-away password: the account may have a real one by now.
        let mut body = Vec::new();
        record.write_body(collection, None, &mut body);
        let changed = self.send_one(&collection.name, &record, Bytes::from(body), false).await;
        match changed {
            Ok(files) => {
                self.counts[index].changed += 1;
                self.counts[index].files += files;
                Ok(())
            }
            Err(error) => self.failed(index, collection, &record, error).await,
        }
    }

    fn file<'u>(&self, upload: &'u Upload) -> FileUpload<'u> {
        let path = self.prepared.bundle.path().to_owned();
        let (sha256, bytes) = (upload.sha256.clone(), upload.bytes);
        let bundle = std::sync::Arc::clone(&self.prepared.bundle);
        let open = move || match bundle.blob(&sha256) {
            Ok(Some(reader)) => Ok(reader.at_most(bytes)),
            Ok(None) => Err(std::io::Error::other(format!("{} has no content {sha256}", path.display()))),
            Err(error) => Err(std::io::Error::other(error.to_string())),
        };
        FileUpload { field: &upload.field, name: &upload.name, body: FileBody::blocking(upload.bytes, open) }
    }

    /// A refusal costs the row; anything else stops the import.
    async fn failed(
        &mut self,
        index: usize,
        collection: &CollectionMapping,
        record: &Record<'_>,
        error: ClientError,
    ) -> Result<(), ImportError> {
        if !self.costs_the_row(&collection.name, &error).await {
            return Err(error.into());
        }
        let failure = |field: Option<&str>, code: &str, reason: String| Failure {
            table: collection.table.clone(),
            key: record.key.clone(),
            collection: collection.name.clone(),
            id: record.id.clone(),
            field: field.map(str::to_owned),
            code: code.to_owned(),
            reason,
        };
        let mut failures: Vec<Failure> =
            error.field_errors().iter().map(|field| failure(Some(&field.field), &field.code, field.message.clone())).collect();
        if failures.is_empty() {
            failures.push(failure(None, "refused", error.to_string()));
        }
        self.counts[index].failed += 1;
        self.failed_ids.insert((index, record.id.clone()));
        self.failures.row(&failures)
    }

    /// Whether only the record that was sent is at fault. A server that forbids, does not find or fails may mean this one
    /// record, as hooks do, or everything: then it is not well.
    pub(super) async fn costs_the_row(&self, collection: &str, error: &ClientError) -> bool {
        error.is_about_content() || (error.may_be_about_one_record() && self.session.client.is_well(collection).await)
    }
}
