//! One record: its fields, times, relations, password and file.

use std::collections::HashMap;

use pannier_format::Value;

use super::Comparison;
use crate::ImportError;
use crate::cli::Blobs;
use crate::external_auth::{EXTERNAL_AUTHS, ExternalAuthRecord};
use crate::mapping::{CollectionMapping, FieldValue, IdSet, Match, Record, RelationConverter, Secret, compare_field};
use crate::pocketbase::{Client, RawRecord};
use crate::prepare::Prepared;
use crate::stored_file::StoredFile;

/// Compares the records of one collection.
pub(super) struct RecordComparer<'a> {
    collection: &'a CollectionMapping,
    relations: Vec<(&'a str, RelationConverter<'a>)>,
}

impl<'a> RecordComparer<'a> {
    pub fn new(prepared: &'a Prepared, index: usize, targets: &'a HashMap<usize, IdSet>) -> Self {
        let collection = &prepared.mapping.collections[index];
        let relations = collection.relations.iter().filter_map(|relation| {
            let target = prepared.index_of(&relation.collection)?;
            let (mapping, facts) = (&prepared.mapping.collections[target], &prepared.facts[target]);
            Some((relation.field.as_str(), RelationConverter::new(relation, mapping, facts, targets.get(&target)?)))
        });
        RecordComparer { collection, relations: relations.collect() }
    }

    /// What the relations of a row must be, as JSON, in the order of the collection's relations.
    pub fn relations(&self, row: &[Value<'_>]) -> Vec<String> {
        self.relations.iter().map(|(_, relation)| relation.convert(row).expected()).collect()
    }

    /// Compares fields, times and relations.
    pub fn compare(&self, comparison: &mut Comparison<'_>, record: &Record<'_>, relations: &[String], actual: &RawRecord) {
        for (field, value) in self.collection.fields.iter().zip(&record.values) {
            let skipped = match value {
                FieldValue::Later => true,
                FieldValue::File(_) => comparison.options.blobs == Blobs::Reuse,
                _ => false,
            };
            if skipped {
                continue;
            }
            comparison.counts.fields += 1;
            let found = actual.get(&field.name);
            match found.map_or(Match::Different, |found| compare_field(value, found)) {
                Match::Same => {}
                Match::SameButSurrogates => comparison.shown_differently += 1,
                Match::Different if field.hidden => comparison.differ(record, &field.name, "(secret)", "(another secret)"),
                Match::Different => comparison.differ(record, &field.name, &value_text(value), found.unwrap_or("no such field")),
            }
        }
        times(comparison, record, actual);
        for ((field, _), expected) in self.relations.iter().zip(relations) {
            let found = actual.get(field).unwrap_or("no such field");
            comparison.counts.relations += expected.matches(',').count() as u64 + u64::from(expected != "[]");
            if !compare_field(&FieldValue::Json(expected.as_str().into()), found).is_same() {
                comparison.differ(record, field, expected, found);
            }
        }
    }
}

/// `created` and `updated` are what the row's own times say, where the server let us set them.
fn times(comparison: &mut Comparison<'_>, record: &Record<'_>, actual: &RawRecord) {
    if !comparison.session.has_sql {
        return;
    }
    let Some(created) = record.created.as_ref().or(record.updated.as_ref()) else { return };
    let updated = record.updated.as_ref().unwrap_or(created);
    for (field, expected) in [("created", created), ("updated", updated)] {
        let found = actual.text(field).unwrap_or_default();
        comparison.counts.fields += 1;
        if found != *expected {
            comparison.differ(record, field, expected, &found);
        }
    }
}

fn value_text(value: &FieldValue<'_>) -> String {
    match value {
        FieldValue::Text(text) => format!("{text:?}"),
        FieldValue::Json(text) => text.to_string(),
        FieldValue::Number(number) => number.to_string(),
        FieldValue::Bool(boolean) => boolean.to_string(),
        FieldValue::Null => "null".to_owned(),
        FieldValue::File(true) => "a file".to_owned(),
        FieldValue::File(false) => "no file".to_owned(),
        FieldValue::Later => String::new(),
    }
}

impl Comparison<'_> {
    /// The password hashes of some accounts, where the server lets us read them.
    pub(super) async fn password_hashes(
        &self,
        collection: &CollectionMapping,
        ids: &[&str],
    ) -> Result<Option<HashMap<String, String>>, ImportError> {
        if collection.auth.is_none() || !self.session.has_sql {
            return Ok(None);
        }
        let list: Vec<String> = ids.iter().map(|id| format!("'{}'", id.replace('\'', "''"))).collect();
        let sql = format!("SELECT id, password FROM \"{}\" WHERE id IN ({})", collection.name, list.join(","));
        let answer = self.session.client.sql_idempotent(&sql).await?;
        let pair = |row: Vec<Option<String>>| {
            let mut cells = row.into_iter().flatten();
            Some((cells.next()?, cells.next()?))
        };
        Ok(Some(answer.rows.into_iter().filter_map(pair).collect()))
    }

    pub(super) fn compare_secret(&mut self, record: &Record<'_>, hashes: Option<&HashMap<String, String>>) {
        if let (Some(hashes), Some(Secret::Bcrypt(expected))) = (hashes, &record.secret) {
            self.counts.fields += 1;
            if hashes.get(&record.id) != Some(expected) {
                self.differ(record, "password", "(secret)", "(another secret)");
            }
        }
    }

    /// The sign-ins with other services that the server has of some accounts, by their ids.
    pub(super) async fn external_auths(
        &self,
        collection: &CollectionMapping,
        slice: &[(Record<'_>, Vec<String>)],
    ) -> Result<HashMap<String, RawRecord>, ImportError> {
        let of_record = |record| move |external| ExternalAuthRecord::new(collection, record, external).id;
        let ids: Vec<String> = slice.iter().flat_map(|(record, _)| record.external_auths.iter().map(of_record(record))).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut found = HashMap::new();
        let mut rest = &ids[..];
        while !rest.is_empty() {
            let (some, others) = rest.split_at(Client::ids_per_request(rest.iter().copied()));
            let records = self.session.client.list_by_ids(EXTERNAL_AUTHS, some, None).await?;
            found.extend(records.into_iter().map(|record| (record.id(), record)));
            rest = others;
        }
        Ok(found)
    }

    /// Compares the sign-ins of one account with those that the server has.
    pub(super) fn compare_external(&mut self, collection: &CollectionMapping, record: &Record<'_>, there: &HashMap<String, RawRecord>) {
        for external in &record.external_auths {
            let expected = ExternalAuthRecord::new(collection, record, external);
            self.counts.fields += 1;
            match there.get(&expected.id) {
                Some(found) if expected.is(found) => {}
                Some(found) => self.differ(record, EXTERNAL_AUTHS, &expected.text(), &expected.found_text(found)),
                None => self.differ(record, EXTERNAL_AUTHS, &expected.text(), "none"),
            }
        }
    }

    /// Downloads and hashes the record's file.
    pub(super) async fn compare_file(
        &mut self,
        collection: &CollectionMapping,
        record: &Record<'_>,
        actual: &RawRecord,
    ) -> Result<(), ImportError> {
        let Some(upload) = record.upload.as_ref().filter(|_| self.options.blobs == Blobs::Upload) else { return Ok(()) };
        match StoredFile::read(&self.session.client, collection, actual).await? {
            // The field comparison has said so.
            StoredFile::Unnamed => {}
            StoredFile::Gone => self.differ(record, &upload.field, "a file", "a name without a file"),
            StoredFile::Sha256(found) => {
                self.counts.files += 1;
                if found != upload.sha256 {
                    self.differ(record, &upload.field, &format!("SHA-256 {}", upload.sha256), &format!("SHA-256 {found}"));
                }
            }
        }
        Ok(())
    }
}
