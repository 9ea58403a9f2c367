//! The server's settings, as far as an import reads and changes them.

use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::connect::Client;
use super::error::ClientError;
use super::transport::Call;

const SETTINGS: &str = "/api/settings";

/// The body limit of a batch when the settings say 0.
pub const DEFAULT_BATCH_BODY_BYTES: u64 = 128 << 20;

/// `batch` in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchSettings {
    /// Whether batches are allowed at all; not as installed.
    pub enabled: bool,
    /// The most requests in one batch; 50 as installed.
    #[serde(rename = "maxRequests")]
    pub max_requests: u64,
    /// The longest time that a batch may take, in seconds; 3 as installed.
    #[serde(rename = "timeout")]
    pub timeout_s: u64,
    /// The largest body in bytes; 0 stands for [`DEFAULT_BATCH_BODY_BYTES`].
    #[serde(rename = "maxBodySize")]
    pub max_body_bytes: u64,
}

impl BatchSettings {
    /// The largest body in bytes, with the default filled in.
    #[must_use]
    pub fn body_limit_bytes(&self) -> u64 {
        if self.max_body_bytes == 0 { DEFAULT_BATCH_BODY_BYTES } else { self.max_body_bytes }
    }
}

impl Client {
    /// The settings as the server shows them; secrets are masked or left out by the server.
    pub async fn settings(&self) -> Result<Value, ClientError> {
        self.send(&Call::get(SETTINGS)).await?.json()
    }

    /// Changes the given settings and returns all of them. A top-level object is merged field by field,
    /// a list in it is replaced.
    pub async fn patch_settings(&self, changes: &Value) -> Result<Value, ClientError> {
        self.send(&Call::new(Method::PATCH, SETTINGS).json(changes.to_string())).await?.json()
    }

    /// The batch settings.
    pub async fn batch_settings(&self) -> Result<BatchSettings, ClientError> {
        #[derive(Deserialize)]
        struct Part {
            batch: BatchSettings,
        }
        self.send(&Call::get(SETTINGS)).await?.json::<Part>().map(|part| part.batch)
    }

    /// Sets the batch settings, and returns those that hold now.
    pub async fn set_batch_settings(&self, batch: BatchSettings) -> Result<BatchSettings, ClientError> {
        self.patch_settings(&json!({ "batch": batch })).await?;
        self.batch_settings().await
    }

    /// Whether the server limits the rate of requests.
    pub async fn rate_limits_on(&self) -> Result<bool, ClientError> {
        let settings = self.settings().await?;
        Ok(settings.pointer("/rateLimits/enabled").and_then(Value::as_bool).unwrap_or(false))
    }

    /// Switches the rate limits on or off; the rules stay as they are.
    pub async fn set_rate_limits(&self, on: bool) -> Result<(), ClientError> {
        self.patch_settings(&json!({ "rateLimits": { "enabled": on } })).await.map(drop)
    }

    /// The time that the server may take for a batch, for the client's own time-out.
    pub(super) fn batch_time(settings: &BatchSettings) -> Duration {
        Duration::from_secs(settings.timeout_s)
    }
}
