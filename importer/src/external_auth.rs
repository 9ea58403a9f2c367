//! Sign-ins with other services, as `PocketBase` keeps them: records of `_externalAuths` that name the account.

use pannier_format::hex;
use sha2::{Digest as _, Sha256};

use crate::mapping::{CollectionMapping, ExternalAuth, Record, collection_id};
use crate::pocketbase::RawRecord;

/// The server's own collection of them.
pub(crate) const EXTERNAL_AUTHS: &str = "_externalAuths";

/// One sign-in of one account, as a record.
pub(crate) struct ExternalAuthRecord {
    /// The record's id: derived from everything else, so that every run finds it again.
    pub id: String,
    fields: [(&'static str, String); 4],
}

impl ExternalAuthRecord {
    /// The record for one of an account's sign-ins.
    pub fn new(collection: &CollectionMapping, record: &Record<'_>, external: &ExternalAuth) -> ExternalAuthRecord {
        let hash = Sha256::digest(format!("{}\n{}\n{}\n{}", collection.name, record.id, external.provider, external.provider_id));
        ExternalAuthRecord {
            id: hex(&hash)[..15].to_owned(),
            fields: [
                ("collectionRef", collection_id(collection)),
                ("recordRef", record.id.clone()),
                ("provider", external.provider.clone()),
                ("providerId", external.provider_id.clone()),
            ],
        }
    }

    /// The body of a create or an update.
    pub fn body(&self) -> String {
        let mut body = serde_json::Map::from_iter([("id".to_owned(), self.id.clone().into())]);
        body.extend(self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())));
        serde_json::Value::Object(body).to_string()
    }

    /// Whether a record that was read back is this one.
    pub fn is(&self, found: &RawRecord) -> bool {
        self.fields.iter().all(|(name, value)| found.text(name).as_ref() == Some(value))
    }

    /// All fields, for people.
    pub fn text(&self) -> String {
        self.fields.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
    }

    /// The same fields of a record that was read back.
    pub fn found_text(&self, found: &RawRecord) -> String {
        self.fields.iter().map(|(name, _)| format!("{name} {}", found.text(name).unwrap_or_default())).collect::<Vec<_>>().join(", ")
    }
}
