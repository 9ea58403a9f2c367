//! Collections: read, create, change, delete. Their JSON is the server's own, because its fields differ by version.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::connect::Client;
use super::error::ClientError;
use super::transport::Call;

const COLLECTIONS: &str = "/api/collections";
/// The most that the server gives at once.
const PER_PAGE: &str = "500";

impl Client {
    /// All collections, the system's own among them, by name.
    pub async fn collections(&self) -> Result<Vec<Value>, ClientError> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<Value>,
        }
        let mut all = Vec::new();
        for page in 1_u32.. {
            let call = Call::get(COLLECTIONS).query("page", page.to_string()).query("perPage", PER_PAGE).query("sort", "name");
            let items = self.send(&call).await?.json::<Page>()?.items;
            if items.is_empty() {
                break;
            }
            all.extend(items);
        }
        Ok(all)
    }

    /// One collection by name or id, or nothing if there is none.
    pub async fn collection(&self, name: &str) -> Result<Option<Value>, ClientError> {
        match self.send(&Call::get(collection_path(name))).await {
            Ok(answer) => answer.json().map(Some),
            Err(ClientError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a collection and returns it as stored. After a lost answer the collection may be there:
    /// [`ClientError::may_have_been_applied`].
    pub async fn create_collection(&self, definition: &Value) -> Result<Value, ClientError> {
        self.send(&Call::new(Method::POST, COLLECTIONS).json(definition.to_string())).await?.json()
    }

    /// Changes a collection and returns it as stored. A list (`fields`, `indexes`) replaces the list of before:
    /// a field that is left out is dropped with its data.
    pub async fn update_collection(&self, name: &str, changes: &Value) -> Result<Value, ClientError> {
        self.send(&Call::new(Method::PATCH, collection_path(name)).json(changes.to_string())).await?.json()
    }

    /// Deletes a collection with all its records and files. One that is not there counts as deleted.
    pub async fn delete_collection(&self, name: &str) -> Result<(), ClientError> {
        match self.send(&Call::new(Method::DELETE, collection_path(name))).await {
            Ok(_) | Err(ClientError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes all records of a collection and keeps the collection.
    pub async fn truncate_collection(&self, name: &str) -> Result<(), ClientError> {
        let path = format!("{}/truncate", collection_path(name));
        self.send(&Call::new(Method::DELETE, path)).await.map(drop)
    }

    /// Creates and changes collections in one transaction, in any order of their relations. Collections that
    /// are not named stay as they are; so do fields that are not named.
    pub async fn import_collections(&self, definitions: &[Value]) -> Result<(), ClientError> {
        let body = json!({ "collections": definitions, "deleteMissing": false }).to_string();
        self.send(&Call::new(Method::PUT, format!("{COLLECTIONS}/import")).json(body)).await.map(drop)
    }
}

/// `/api/collections/{name}`
pub(super) fn collection_path(name: &str) -> String {
    format!("{COLLECTIONS}/{}", segment(name))
}

/// One segment of a path, percent-encoded.
pub(super) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_stay_segments() {
        assert_eq!(collection_path("a/b?c%"), "/api/collections/a%2Fb%3Fc%25");
        assert_eq!(segment("é"), "%C3%A9");
    }
}
