//! Reading a collection back in the order of its ids, every value as the server's own text.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::connect::Client;
use super::error::ClientError;
use super::records::records_path;
use super::transport::Call;

/// The most records that the server gives at once.
pub const MAX_PER_PAGE: usize = 1000;

/// A record as the server sent it: the JSON text of each field, not parsed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct RawRecord {
    fields: BTreeMap<String, Box<RawValue>>,
}

impl RawRecord {
    /// The JSON text of a field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(|value| value.get())
    }

    /// The value of a field that holds a JSON string.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<String> {
        serde_json::from_str(self.get(field)?).ok()
    }

    /// The id of the record; empty if it was not asked for.
    #[must_use]
    pub fn id(&self) -> String {
        self.text("id").unwrap_or_default()
    }

    /// All fields by name.
    #[must_use]
    pub fn fields(&self) -> &BTreeMap<String, Box<RawValue>> {
        &self.fields
    }
}

impl Client {
    /// The next `per_page` records (at most [`MAX_PER_PAGE`]) after the id `after_id`, in the byte order of ids;
    /// from the first if it is absent. Fewer records than asked for: there are no more.
    ///
    /// `fields` limits what is sent, in the server's own syntax (`id,name`); it must include `id`. **Not for JSON
    /// fields:** with it the server parses and writes JSON values anew, sorts their keys and damages big integers.
    pub async fn list_page(
        &self,
        collection: &str,
        after_id: Option<&str>,
        per_page: usize,
        fields: Option<&str>,
    ) -> Result<Vec<RawRecord>, ClientError> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<RawRecord>,
        }
        // Keyset paging: the time of a page does not grow with its number, and records that are added or deleted
        // meanwhile move no others.
        let mut call = Call::get(records_path(collection))
            .query("perPage", per_page.min(MAX_PER_PAGE).to_string())
            .query("skipTotal", "1")
            .query("sort", "id");
        if let Some(after_id) = after_id {
            call = call.query("filter", format!("id > {}", quoted(after_id)));
        }
        if let Some(fields) = fields {
            call = call.query("fields", fields);
        }
        self.send(&call).await?.json::<Page>().map(|page| page.items)
    }
}

/// A string in the server's filter language.
pub(super) fn quoted(text: &str) -> String {
    // No server allows a quote or a backslash in an id; should one appear, it must not end the string.
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
