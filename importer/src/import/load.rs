//! Rows become records: converted, gathered into slices, held against what is there, sent.

use std::collections::HashMap;

use pannier_format::Value;

use super::{CollectionCounts, Import};
use crate::ImportError;
use crate::cli::Blobs;
use crate::mapping::{CollectionMapping, FieldValue, Record, compare_field};
use crate::pocketbase::{Client, RawRecord};

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
        for lossy in &record.lossy {
            self.lossy.count(&collection.name, &collection.fields[lossy.field].name, lossy.kind.as_str());
        }
        self.counts[index].derived_ids += u64::from(record.id_derived);
        let password = if collection.auth.is_some() { Some(super::accounts::throw_away_password()?) } else { None };
        let mut body = Vec::new();
        record.write_body(collection, password.as_deref(), &mut body);
        Ok(Item { record, body })
    }

    async fn slice(&mut self, index: usize, collection: &CollectionMapping, items: Vec<Item<'_>>, known: bool) -> Result<(), ImportError> {
        let rows = items.len() as u64;
        let there = if known { self.there(collection, &items).await? } else { HashMap::new() };
        let mut fresh = Vec::new();
        for item in items {
            match there.get(&item.record.id) {
                None => fresh.push(item),
                Some(found) if is_same(collection, &item.record, found, self.options.blobs) => self.counts[index].unchanged += 1,
                Some(_) => self.change(index, collection, item.record).await?,
            }
        }
        self.create(index, collection, fresh).await?;
        self.monitor.advance(rows);
        Ok(())
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

/// Whether a record on the server is what the row says. Relations, times and passwords are the business of later steps.
fn is_same(collection: &CollectionMapping, record: &Record<'_>, found: &RawRecord, blobs: Blobs) -> bool {
    collection.fields.iter().zip(&record.values).all(|(field, value)| match (value, found.get(&field.name)) {
        (FieldValue::Later, _) => true,
        (FieldValue::File(_), _) if blobs == Blobs::Reuse => true,
        (_, Some(actual)) => compare_field(value, actual).is_same(),
        (_, None) => false,
    })
}
