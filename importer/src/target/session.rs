//! A connection to a server, and what the server can do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::ImportError;
use crate::pocketbase::{Client, ConnectOptions, Credentials, RetryLog};

/// A connected server.
pub struct Session {
    /// The client.
    pub client: Client,
    /// The server's version, as well as it can be told.
    pub version: String,
    /// It runs SQL: password hashes and the times of records can be set.
    pub has_sql: bool,
    retries: Arc<AtomicU64>,
}

/// The server, for reports.
#[derive(Clone, Debug, Serialize)]
pub struct TargetInfo {
    /// Its address.
    pub url: String,
    /// Its version.
    pub version: String,
    /// Whether it runs SQL.
    pub sql: bool,
}

impl Session {
    /// Connects to `target` with the credentials of the environment. Retries are told to `log`.
    pub async fn connect(target: &str, log: impl Fn(&str) + Send + Sync + 'static) -> Result<Session, ImportError> {
        if !target.starts_with("http://") && !target.starts_with("https://") {
            return Err(ImportError::Target { target: target.to_owned() });
        }
        let retries = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&retries);
        let log = RetryLog::new(move |event| {
            counter.fetch_add(1, Ordering::Relaxed);
            let pause = event.pause.as_secs_f64();
            log(&format!("{}: {}; try {} in {pause:.1} s", event.request, event.cause, event.tries + 1));
        });
        let options = ConnectOptions { log, ..ConnectOptions::default() };
        let client = Client::connect_with(target, Credentials::from_env()?, options).await?;
        let version = client.server_version().await?.to_string();
        let has_sql = client.has_sql().await?;
        Ok(Session { client, version, has_sql, retries })
    }

    /// How many requests were tried again so far.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// The server, for reports.
    #[must_use]
    pub fn info(&self) -> TargetInfo {
        TargetInfo { url: self.client.base_url().to_owned(), version: self.version.clone(), sql: self.has_sql }
    }
}
