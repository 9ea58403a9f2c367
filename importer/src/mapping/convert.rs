//! From a row to a record.

use std::borrow::Cow;

use pannier_format::{OwnedValue, Value};

use super::email::is_acceptable_email;
use super::facts::Facts;
use super::ids;
use super::json;
use super::model::{AuthRule, CollectionMapping, FieldKind, FieldMapping, FieldSource, LossyKind, TemplatePart};
use super::record::{ExternalAuth, FieldValue, FileContent, Lossy, Record, Refusal, RefusalReason, Secret, Upload};
use super::time::to_pocketbase_time;
use super::values::{field_value, plain_text};

/// One row, and what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'i, 'a> {
    /// The values in column order.
    pub row: &'i [Value<'a>],
    /// Its position in the table, from 0.
    pub ordinal: u64,
    /// Its file, if the bundle has one for it ([`Converter::file_key`] is what to look for).
    pub file: Option<FileContent<'a>>,
}

/// Converts the rows of one collection.
#[derive(Clone, Copy, Debug)]
pub struct Converter<'m> {
    collection: &'m CollectionMapping,
    facts: &'m Facts,
}

impl<'m> Converter<'m> {
    /// `facts` must come from a whole scan of the same table, and the mapping must be settled with them.
    #[must_use]
    pub fn new(collection: &'m CollectionMapping, facts: &'m Facts) -> Converter<'m> {
        Converter { collection, facts }
    }

    /// The key by which the bundle's files name this row; `None` if the collection has no file field.
    #[must_use]
    pub fn file_key(&self, row: &[Value<'_>], ordinal: u64) -> Option<String> {
        let has_file = self.collection.fields.iter().any(|field| matches!(field.source, FieldSource::File { .. }));
        has_file.then(|| ids::key_text(&ids::key_values(&self.collection.id.source, row), ordinal))
    }

    /// The record's id and the key as text for reports.
    #[must_use]
    pub fn record_id(&self, row: &[Value<'_>], ordinal: u64) -> (ids::RecordId, String) {
        let collection = self.collection;
        let key = ids::key_values(&collection.id.source, row);
        let id =
            self.facts.record_id(&collection.table, &collection.id, &key).unwrap_or_else(|| ids::ordinal_id(&collection.table, ordinal));
        (id, ids::key_text(&key, ordinal))
    }

    /// Converts a row. The same row always gives the same record.
    #[must_use]
    pub fn convert<'a>(&self, input: &Input<'_, 'a>) -> Record<'a>
    where
        'm: 'a,
    {
        let (id, key) = self.record_id(input.row, input.ordinal);
        let mut record = Record { id: id.id, id_derived: id.derived, key, ..Record::default() };
        let row = Row { row: input.row, merged: self.merged(input.row) };
        for (index, field) in self.collection.fields.iter().enumerate() {
            let value = self.field(field, index, &row, input, &mut record);
            if let Some(reason) = refusal(&field.kind, &value) {
                record.refused.push(Refusal { field: index, reason });
            }
            record.values.push(value);
        }
        record.created = self.collection.created.and_then(|column| to_pocketbase_time(&row.column(column)));
        record.updated = self.collection.updated.and_then(|column| to_pocketbase_time(&row.column(column)));
        if let Some(auth) = &self.collection.auth {
            record.secret = Some(secret(auth, &row));
            record.external_auths = external_auths(auth, &row);
        }
        record
    }

    fn merged<'a>(&self, row: &[Value<'_>]) -> Option<&'a [OwnedValue]>
    where
        'm: 'a,
    {
        let merge = self.collection.merge.as_ref()?;
        self.facts.merged_row(row.get(merge.main_key)?)
    }

    fn field<'a>(
        &self,
        field: &FieldMapping,
        index: usize,
        row: &Row<'_, 'a>,
        input: &Input<'_, 'a>,
        record: &mut Record<'a>,
    ) -> FieldValue<'a> {
        let value = match &field.source {
            FieldSource::Column(column) => row.column(*column),
            FieldSource::Merged(column) => row.merged_column(*column),
            FieldSource::Template(_) if field.kind == FieldKind::Email => Value::Null,
            FieldSource::Template(parts) => return FieldValue::Text(template(parts, row)),
            FieldSource::FileSha256 => {
                return FieldValue::Text(Cow::Borrowed(input.file.map_or("", |file| file.sha256)));
            }
            FieldSource::FileBytes => return FieldValue::Number(input.file.map_or(0.0, file_bytes)),
            FieldSource::File { name } => {
                record.upload = input.file.map(|file| upload(field, *name, row, file));
                return FieldValue::File(record.upload.is_some());
            }
            FieldSource::Relation(_) => return FieldValue::Later,
            FieldSource::Login => return self.login(row, input.ordinal),
        };
        if field.kind == FieldKind::Email {
            return self.email(index, value, input.ordinal, record);
        }
        field_value(&field.kind, value, &mut |kind| record.lossy.push(Lossy { field: index, kind }))
    }

    /// The address, or a placeholder from the id: no account is lost for its address.
    fn email<'a>(&self, field: usize, value: Value<'a>, ordinal: u64, record: &mut Record<'a>) -> FieldValue<'a> {
        if let Some(address) = value.as_str()
            && is_acceptable_email(address)
            && self.facts.keeps_email(address, ordinal)
        {
            return FieldValue::Text(Cow::Borrowed(address));
        }
        record.lossy.push(Lossy { field, kind: LossyKind::EmailReplaced });
        FieldValue::Text(Cow::Owned(format!("{}@invalid-email.pannier.invalid", record.id)))
    }

    /// The address where a placeholder stands for it because the server refuses it. Of several accounts with one address
    /// the first has it: nobody could sign in to the others in the source either.
    fn login<'a>(&self, row: &Row<'_, 'a>, ordinal: u64) -> FieldValue<'a> {
        let source = self.collection.auth.as_ref().and_then(|auth| auth.email.as_ref());
        let address =
            row.source(source).as_str().filter(|address| !is_acceptable_email(address) && self.facts.keeps_email(address, ordinal));
        FieldValue::Text(Cow::Borrowed(address.unwrap_or_default()))
    }
}

/// A row with its partner from the merged table.
struct Row<'i, 'a> {
    row: &'i [Value<'a>],
    merged: Option<&'a [OwnedValue]>,
}

impl<'a> Row<'_, 'a> {
    fn column(&self, index: usize) -> Value<'a> {
        self.row.get(index).copied().unwrap_or(Value::Null)
    }

    fn merged_column(&self, index: usize) -> Value<'a> {
        self.merged.and_then(|row| row.get(index)).map_or(Value::Null, OwnedValue::as_value)
    }

    fn source(&self, source: Option<&FieldSource>) -> Value<'a> {
        match source {
            Some(FieldSource::Column(column)) => self.column(*column),
            Some(FieldSource::Merged(column)) => self.merged_column(*column),
            _ => Value::Null,
        }
    }
}

fn template<'a>(parts: &[TemplatePart], row: &Row<'_, '_>) -> Cow<'a, str> {
    let mut text = String::new();
    for part in parts {
        match part {
            TemplatePart::Text(literal) => text.push_str(literal),
            TemplatePart::Column(column) => text.push_str(&plain_text(&row.column(*column))),
        }
    }
    Cow::Owned(text)
}

#[allow(clippy::cast_precision_loss)] // no file has 2^53 bytes
fn file_bytes(file: FileContent<'_>) -> f64 {
    file.bytes as f64
}

fn upload(field: &FieldMapping, name: Option<usize>, row: &Row<'_, '_>, file: FileContent<'_>) -> Upload {
    let name = name.map(|column| plain_text(&row.column(column)).into_owned()).unwrap_or_default();
    let name = if name.is_empty() { "file".to_owned() } else { name };
    Upload { field: field.name.clone(), name, sha256: file.sha256.to_owned(), bytes: file.bytes }
}

/// Limits are set from the data, so this is rare: a profile's or an existing collection's limit, or text that grew.
fn refusal(kind: &FieldKind, value: &FieldValue<'_>) -> Option<RefusalReason> {
    match (kind, value) {
        (FieldKind::Text { max_chars }, FieldValue::Text(text)) if text.len() as u64 > *max_chars => {
            let chars = text.chars().count() as u64;
            (chars > *max_chars).then_some(RefusalReason::TooManyChars { chars, max_chars: *max_chars })
        }
        (FieldKind::Json { max_bytes, .. }, FieldValue::Json(text)) if text.len() as u64 > *max_bytes => {
            Some(RefusalReason::TooManyBytes { bytes: text.len() as u64, max_bytes: *max_bytes })
        }
        _ => None,
    }
}

fn secret(auth: &AuthRule, row: &Row<'_, '_>) -> Secret {
    let value = row.source(auth.password.as_ref());
    let Some(hash) = value.as_str().filter(|hash| !hash.is_empty()) else {
        return Secret::Unsupported("none");
    };
    let is_bcrypt = hash.len() == 60 && ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix));
    if is_bcrypt {
        Secret::Bcrypt(hash.to_owned())
    } else if hash.starts_with("$argon2") {
        Secret::Unsupported("argon2")
    } else {
        Secret::Unsupported("unknown")
    }
}

/// `{"google": {"sub": "…"}}`, or `google@…` as older versions have it; what is neither names no identity.
fn external_auths(auth: &AuthRule, row: &Row<'_, '_>) -> Vec<ExternalAuth> {
    let mut found = Vec::new();
    let value = row.source(auth.oauth.as_ref());
    for (provider, entry) in value.as_str().and_then(|text| json::entries(text).ok()).unwrap_or_default() {
        if let Ok(Some(raw)) = json::find(entry, &["sub".to_owned()]) {
            let provider_id = if raw.starts_with('"') { json::decode(raw) } else { raw.to_owned() };
            found.push(ExternalAuth { provider, provider_id });
        }
    }
    let value = row.source(auth.oauth_sub.as_ref());
    if let Some((provider, provider_id)) = value.as_str().and_then(|text| text.split_once('@')) {
        let known = found.iter().any(|known| known.provider == provider);
        if !known && !provider.is_empty() && !provider_id.is_empty() {
            found.push(ExternalAuth { provider: provider.to_owned(), provider_id: provider_id.to_owned() });
        }
    }
    found
}
