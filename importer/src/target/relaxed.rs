//! Server settings that are changed for an import and put back whatever happens: batches on, rate limits off, a cheap
//! password cost.

use serde_json::{Value, json};

use crate::ImportError;
use crate::pocketbase::{BatchSettings, Client, ClientError};

/// Requests of one batch: more gains nothing, as measured (POCKETBASE.md).
const BATCH_REQUESTS: u64 = 100;
/// How long the server may take for one batch.
const BATCH_TIMEOUT_S: u64 = 120;
/// The lowest bcrypt cost; the password that is hashed with it is thrown away.
const CHEAP_COST: u64 = 4;

/// Settings as they were, to be put back by [`Relaxed::restore`]. Forgetting it leaves the server relaxed.
#[must_use = "the settings have to be put back"]
pub struct Relaxed {
    client: Client,
    batch_before: Option<BatchSettings>,
    rate_limits_before: bool,
    /// Collection and the password cost that it had.
    costs_before: Vec<(String, Value)>,
    batch: Option<BatchSettings>,
}

impl Relaxed {
    /// Changes the settings. Without the right to, records are created one by one, and [`Relaxed::batch`] is `None`.
    pub async fn relax(client: &Client, auth_collections: &[String]) -> Result<Relaxed, ImportError> {
        let mut relaxed =
            Relaxed { client: client.clone(), batch_before: None, rate_limits_before: false, costs_before: Vec::new(), batch: None };
        match relaxed.change(auth_collections).await {
            Ok(()) => Ok(relaxed),
            Err(error) => {
                // What was changed before the failure is put back; the failure itself is what is told.
                relaxed.restore().await?;
                Err(error.into())
            }
        }
    }

    /// The limits of a batch, if batches may be sent.
    #[must_use]
    pub fn batch(&self) -> Option<BatchSettings> {
        self.batch
    }

    async fn change(&mut self, auth_collections: &[String]) -> Result<(), ClientError> {
        let before = self.client.batch_settings().await?;
        let wanted = BatchSettings {
            enabled: true,
            max_requests: before.max_requests.max(BATCH_REQUESTS),
            timeout_s: before.timeout_s.max(BATCH_TIMEOUT_S),
            max_body_bytes: before.max_body_bytes,
        };
        if wanted == before {
            self.batch = Some(before);
        } else {
            // Noted before it is changed: should the answer be lost, it is put back all the same.
            self.batch_before = Some(before);
            match self.client.set_batch_settings(wanted).await {
                Ok(now) => self.batch = now.enabled.then_some(now),
                Err(ClientError::Forbidden { .. }) => self.batch = before.enabled.then_some(before),
                Err(error) => return Err(error),
            }
        }
        if self.client.rate_limits_on().await? {
            self.rate_limits_before = true;
            self.client.set_rate_limits(false).await?;
        }
        for collection in auth_collections {
            self.lower_cost(collection).await?;
        }
        Ok(())
    }

    async fn lower_cost(&mut self, collection: &str) -> Result<(), ClientError> {
        let Some(definition) = self.client.collection(collection).await? else { return Ok(()) };
        let Some(cost) = password_field(&definition).and_then(|field| field.get("cost").cloned()) else { return Ok(()) };
        if cost == json!(CHEAP_COST) {
            return Ok(());
        }
        self.costs_before.push((collection.to_owned(), cost));
        set_cost(&self.client, collection, json!(CHEAP_COST)).await
    }

    /// Puts everything back.
    pub async fn restore(self) -> Result<(), ImportError> {
        let before = json!({ "batch": self.batch_before, "rateLimits": self.rate_limits_before, "passwordCosts": self.costs_before });
        self.put_back().await.map_err(|source| ImportError::SettingsLeft { source, before: before.to_string() })
    }

    async fn put_back(&self) -> Result<(), ClientError> {
        for (collection, cost) in &self.costs_before {
            set_cost(&self.client, collection, cost.clone()).await?;
        }
        if self.rate_limits_before {
            self.client.set_rate_limits(true).await?;
        }
        if let Some(before) = self.batch_before {
            // As a patch of exactly what was: the server checks limits only while batches are on.
            self.client.patch_settings(&json!({ "batch": before })).await?;
        }
        Ok(())
    }
}

fn password_field(definition: &Value) -> Option<&Value> {
    definition.get("fields")?.as_array()?.iter().find(|field| field.get("type").and_then(Value::as_str) == Some("password"))
}

async fn set_cost(client: &Client, collection: &str, cost: Value) -> Result<(), ClientError> {
    let Some(definition) = client.collection(collection).await? else { return Ok(()) };
    let Some(mut fields) = definition.get("fields").and_then(Value::as_array).cloned() else { return Ok(()) };
    for field in &mut fields {
        if field.get("type").and_then(Value::as_str) == Some("password") {
            field["cost"] = cost.clone();
        }
    }
    client.update_collection(collection, &json!({ "fields": fields })).await.map(drop)
}
