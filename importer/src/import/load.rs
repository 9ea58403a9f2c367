//! Rows become records: converted, gathered into slices, held against what is there, sent.

use std::collections::HashMap;

use pannier_format::Value;

use super::send::ALONE_BYTES;
use super::{CollectionCounts, Import};
use crate::ImportError;
use crate::cli::Blobs;
use crate::mapping::{CollectionMapping, FieldValue, Record, compare_field};
use crate::pocketbase::{Client, RawRecord};
use crate::stored_file::StoredFile;

/// A slice is sent when its bodies have so many bytes, however few they are.
pub(super) const SLICE_BYTES: usize = 4 << 20;
/// Without a batch setting to go by: how many rows are held against the server at once.
pub(super) const SLICE_ROWS: usize = 100;

/// A record on its way.
pub(super) struct Item<'a> {
    pub record: Record<'a>,
    pub body: Vec<u8>,
}

impl Import<'_> {
    /// Loads one collection.
    pub(super) async fn load(&mut self, index: usize) -> Result<(), ImportError> {
        let prepared = self.prepared;
        let collection = &prepared.mapping.collections[index];
        let table = prepared.table(collection)?;
        self.counts.push(CollectionCounts {
            collection: collection.name.clone(),
            table: collection.table.clone(),
            rows: collection.rows,
            ..CollectionCounts::default()
        });
        // An empty collection needs no look-ups: everything is new.
        let known = self.session.client.count(&collection.name).await? > 0;
        let converter = prepared.converter(index);
        let mut reader = prepared.bundle.rows(table)?;
        while let Some(batch) = reader.next_batch()? {
            let mut slice: Vec<Item<'_>> = Vec::new();
            let mut slice_bytes = 0;
            let mut row: Vec<Value<'_>> = Vec::new();
            for at in 0..batch.rows() {
                batch.row(at, &mut row);
                let record = prepared.convert(&converter, &table.name, &row, batch.first_row() + at as u64);
                if known && text_bytes(&record) > ALONE_BYTES {
                    self.long(index, collection, record).await?;
                    continue;
                }
                let item = self.item(index, collection, record)?;
                if !slice.is_empty() && slice_bytes + item.body.len() > SLICE_BYTES {
                    self.slice(index, collection, std::mem::take(&mut slice), known).await?;
                    slice_bytes = 0;
                }
                slice_bytes += item.body.len();
                slice.push(item);
                if slice.len() >= self.slice_rows() {
                    self.slice(index, collection, std::mem::take(&mut slice), known).await?;
                    slice_bytes = 0;
                }
            }
            self.slice(index, collection, slice, known).await?;
        }
        Ok(())
    }

    fn slice_rows(&self) -> usize {
        self.batch.map_or(SLICE_ROWS, |batch| usize::try_from(batch.max_requests).unwrap_or(SLICE_ROWS).clamp(1, SLICE_ROWS))
    }

    fn item<'a>(&mut self, index: usize, collection: &CollectionMapping, record: Record<'a>) -> Result<Item<'a>, ImportError> {
        self.count(index, collection, &record);
        let password = if collection.auth.is_some() { Some(super::accounts::throw_away_password()?) } else { None };
        let mut body = Vec::new();
        record.write_body(collection, password.as_deref(), &mut body);
        Ok(Item { record, body })
    }

    /// Counts what conversion did to a row.
    fn count(&mut self, index: usize, collection: &CollectionMapping, record: &Record<'_>) {
        for lossy in &record.lossy {
            self.lossy.count(&collection.name, &collection.fields[lossy.field].name, lossy.kind.as_str());
        }
        self.counts[index].derived_ids += u64::from(record.id_derived);
    }

    async fn slice(&mut self, index: usize, collection: &CollectionMapping, items: Vec<Item<'_>>, known: bool) -> Result<(), ImportError> {
        let rows = items.len() as u64;
        let mut there = if known { self.there(collection, &items).await? } else { HashMap::new() };
        let mut fresh = Vec::new();
        for item in items {
            match there.remove(&item.record.id) {
                None => fresh.push(item),
                Some(found) => self.held_against(index, collection, item.record, found).await?,
            }
        }
        self.create(index, collection, fresh).await?;
        self.monitor.advance(rows);
        Ok(())
    }

    /// A long row of a collection that has records: it is looked up before it has a body, as the server's answer takes as
    /// much memory once more.
    async fn long(&mut self, index: usize, collection: &CollectionMapping, record: Record<'_>) -> Result<(), ImportError> {
        if let Some(found) = self.session.client.get(&collection.name, &record.id).await? {
            self.count(index, collection, &record);
            self.held_against(index, collection, record, found).await?;
        } else {
            let item = self.item(index, collection, record)?;
            self.create(index, collection, vec![item]).await?;
        }
        self.monitor.advance(1);
        Ok(())
    }

    /// Holds a row against the record that is there, and changes that if it differs.
    async fn held_against(
        &mut self,
        index: usize,
        collection: &CollectionMapping,
        record: Record<'_>,
        found: RawRecord,
    ) -> Result<(), ImportError> {
        if is_same(collection, &record, &found, self.options.blobs) && self.is_file_whole(collection, &record, &found).await? {
            self.counts[index].unchanged += 1;
            return Ok(());
        }
        drop(found);
        self.change(index, collection, record).await
    }

    /// Whether the file that a record names is there, byte by byte: the name alone says nothing about a disk that was full.
    async fn is_file_whole(&self, collection: &CollectionMapping, record: &Record<'_>, found: &RawRecord) -> Result<bool, ImportError> {
        let Some(upload) = record.upload.as_ref().filter(|_| self.options.blobs == Blobs::Upload) else { return Ok(true) };
        Ok(StoredFile::read(&self.session.client, collection, found).await?.is(&upload.sha256))
    }

    /// The records of a slice that the server has already. Asked for in pieces, so that no answer gets much larger than
    /// the slice itself.
    async fn there(&self, collection: &CollectionMapping, items: &[Item<'_>]) -> Result<HashMap<String, RawRecord>, ImportError> {
        let mut there = HashMap::new();
        let ids: Vec<&str> = items.iter().map(|item| item.record.id.as_str()).collect();
        let mut rest = &ids[..];
        while !rest.is_empty() {
            let (some, others) = rest.split_at(Client::ids_per_request(rest.iter().copied()));
            for record in self.session.client.list_by_ids(&collection.name, some, None).await? {
                there.insert(record.id(), record);
            }
            rest = others;
        }
        Ok(there)
    }
}

/// The bytes of a record's text and JSON: its body is at least as long.
fn text_bytes(record: &Record<'_>) -> usize {
    let bytes = |value: &FieldValue<'_>| match value {
        FieldValue::Text(text) | FieldValue::Json(text) => text.len(),
        _ => 0,
    };
    record.values.iter().map(bytes).sum()
}

/// Whether a record on the server is what the row says. Relations, times and passwords are the business of later steps.
fn is_same(collection: &CollectionMapping, record: &Record<'_>, found: &RawRecord, blobs: Blobs) -> bool {
    collection.fields.iter().zip(&record.values).all(|(field, value)| match (value, found.get(&field.name)) {
        (FieldValue::Later, _) => true,
        (FieldValue::File(_), _) if blobs == Blobs::Reuse => true,
        (_, Some(actual)) => compare_field(value, actual).is_same(),
        (_, None) => false,
    })
}
