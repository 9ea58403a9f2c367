//! Reading some records back by their ids.

use serde::Deserialize;

use super::connect::Client;
use super::error::ClientError;
use super::page::{RawRecord, quoted};
use super::records::records_path;
use super::transport::Call;

/// The server refuses filters over 3,500 characters (as measured on 0.23.4 to 0.40.6; a test notices a change).
const FILTER_CHARS: usize = 3_400;

impl Client {
    /// How many of `ids`, from the first on, fit into one [`Client::list_by_ids`]; at least one.
    #[must_use]
    pub fn ids_per_request<'i>(ids: impl Iterator<Item = &'i str>) -> usize {
        let mut chars = 0;
        let fitting = ids.take_while(|id| {
            chars += quoted(id).chars().count() + "id=||".len();
            chars <= FILTER_CHARS
        });
        fitting.count().max(1)
    }

    /// The records with these ids, in any order; those that are not there are left out. `fields` limits what is sent, in
    /// the server's own syntax; it must include `id`.
    pub async fn list_by_ids(&self, collection: &str, ids: &[&str], fields: Option<&str>) -> Result<Vec<RawRecord>, ClientError> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<RawRecord>,
        }
        let filter: Vec<String> = ids.iter().map(|id| format!("id={}", quoted(id))).collect();
        let mut call = Call::get(records_path(collection))
            .query("perPage", ids.len().max(1).to_string())
            .query("skipTotal", "1")
            .query("filter", filter.join("||"));
        if let Some(fields) = fields {
            call = call.query("fields", fields);
        }
        self.send(&call).await?.json::<Page>().map(|page| page.items)
    }
}
