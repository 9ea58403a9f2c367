//! The server's own backups: zips of its whole data directory, without files that lie on S3.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::collections::segment;
use super::connect::Client;
use super::error::ClientError;
use super::transport::Call;

const BACKUPS: &str = "/api/backups";
/// Zipping a large data directory takes time, and the answer comes at the end.
const BACKUP_TIME: Duration = Duration::from_secs(3600);

/// One backup on the server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Backup {
    /// The name of the zip.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was made, as the server writes it.
    pub modified: String,
}

impl Client {
    /// Makes a backup and waits for it. The name is of the form `[a-z0-9_-].zip`.
    pub async fn create_backup(&self, name: &str) -> Result<(), ClientError> {
        let call = Call::new(Method::POST, BACKUPS).json(json!({ "name": name }).to_string()).extra_time(BACKUP_TIME);
        self.send(&call).await.map(drop)
    }

    /// The backups on the server.
    pub async fn backups(&self) -> Result<Vec<Backup>, ClientError> {
        self.send(&Call::get(BACKUPS)).await?.json()
    }

    /// Deletes a backup. One that is not there counts as deleted.
    pub async fn delete_backup(&self, key: &str) -> Result<(), ClientError> {
        if !self.backups().await?.iter().any(|backup| backup.key == key) {
            return Ok(());
        }
        self.send(&Call::new(Method::DELETE, format!("{BACKUPS}/{}", segment(key)))).await.map(drop)
    }

    /// Puts a backup in the place of the data directory. The server answers before it has done so, and restarts:
    /// wait until it answers again, with the superusers of the backup.
    ///
    /// When it starts, the server runs the files in `pb_migrations` that the backup does not know, and it has written
    /// such a file for every collection that was created or changed since: they come back, empty. Undo those changes
    /// over the Web API first.
    pub async fn restore_backup(&self, key: &str) -> Result<(), ClientError> {
        let path = format!("{BACKUPS}/{}/restore", segment(key));
        self.send(&Call::new(Method::POST, path).extra_time(BACKUP_TIME)).await.map(drop)
    }
}
