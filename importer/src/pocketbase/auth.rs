//! Logging in as an ordinary user: how an import proves that people keep their passwords.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::collections::collection_path;
use super::connect::Client;
use super::error::ClientError;
use super::page::RawRecord;
use super::transport::Call;

/// A user who has logged in.
#[derive(Clone, Deserialize)]
pub struct AuthRecord {
    /// The user's token. Secret.
    pub token: String,
    /// The user's record.
    pub record: RawRecord,
}

impl std::fmt::Debug for AuthRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthRecord").field("record", &self.record).finish_non_exhaustive()
    }
}

/// How the users of a collection can log in.
#[derive(Clone, Debug)]
pub struct AuthMethods {
    /// Whether with a password.
    pub password: bool,
    /// The fields that serve as identity, for instance `email`.
    pub identity_fields: Vec<String>,
    /// The names of the `OAuth2` providers.
    pub oauth2_providers: Vec<String>,
    /// The whole answer.
    pub answer: Value,
}

impl Client {
    /// Logs in as a user of `collection`; nothing if the server refuses identity or password.
    pub async fn auth_with_password(&self, collection: &str, identity: &str, password: &str) -> Result<Option<AuthRecord>, ClientError> {
        let path = format!("{}/auth-with-password", collection_path(collection));
        let body = json!({ "identity": identity, "password": password }).to_string();
        let call = Call::new(Method::POST, path).json(body).anonymous().idempotent(true);
        match self.send(&call).await {
            Ok(answer) => answer.json().map(Some),
            Err(ClientError::Refused { status: 400, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How the users of `collection` can log in.
    pub async fn auth_methods(&self, collection: &str) -> Result<AuthMethods, ClientError> {
        let path = format!("{}/auth-methods", collection_path(collection));
        let answer: Value = self.send(&Call::get(path).anonymous()).await?.json()?;
        let texts = |pointer: &str, key: Option<&str>| {
            let items = answer.pointer(pointer).and_then(Value::as_array);
            let text = |item: &Value| key.map_or(Some(item), |key| item.get(key))?.as_str().map(str::to_owned);
            items.into_iter().flatten().filter_map(text).collect()
        };
        Ok(AuthMethods {
            password: answer.pointer("/password/enabled").and_then(Value::as_bool).unwrap_or(false),
            identity_fields: texts("/password/identityFields", None),
            oauth2_providers: texts("/oauth2/providers", Some("name")),
            answer: answer.clone(),
        })
    }
}
