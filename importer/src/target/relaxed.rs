//! Server settings that are changed for an import and put back whatever happens: batches on, rate limits off, a cheap
//! password cost.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::ImportError;
use crate::pocketbase::{BatchSettings, Client, ClientError};

/// Requests of one batch: more gains nothing, as measured (POCKETBASE.md).
const BATCH_REQUESTS: u64 = 100;
/// How long the server may take for one batch.
const BATCH_TIMEOUT_S: u64 = 120;
/// The lowest bcrypt cost; the password that is hashed with it is thrown away.
const CHEAP_COST: u64 = 4;

/// What has to be put back. Kept in a file while the server is relaxed: should the program be killed, the next one knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Before {
    batch: Option<BatchSettings>,
    /// Rate limits were on.
    rate_limits: bool,
    /// Collections and the password cost that they had.
    costs: Vec<(String, Value)>,
}

/// Settings as they were, to be put back by [`Relaxed::restore`]. Forgetting it leaves the server relaxed until the next import.
#[must_use = "the settings have to be put back"]
pub struct Relaxed {
    client: Client,
    note: PathBuf,
    before: Before,
    batch: Option<BatchSettings>,
}

impl Relaxed {
    /// Changes the settings. Without the right to, records are created one by one, and [`Relaxed::batch`] is `None`.
    pub async fn relax(client: &Client, auth_collections: &[String]) -> Result<Relaxed, ImportError> {
        let note = note_path(client.base_url());
        // What an import that was killed left behind is what was before; what holds now is its doing.
        let mut before = read_note(&note).unwrap_or_default();
        let now = client.batch_settings().await?;
        let wanted = BatchSettings {
            enabled: true,
            max_requests: now.max_requests.max(BATCH_REQUESTS),
            timeout_s: now.timeout_s.max(BATCH_TIMEOUT_S),
            max_body_bytes: now.max_body_bytes,
        };
        if wanted != now && before.batch.is_none() {
            before.batch = Some(now);
        }
        before.rate_limits |= client.rate_limits_on().await?;
        for collection in auth_collections {
            if let Some(cost) = password_cost(client, collection).await?.filter(|cost| *cost != json!(CHEAP_COST))
                && !before.costs.iter().any(|(other, _)| other == collection)
            {
                before.costs.push((collection.clone(), cost));
            }
        }
        if before != Before::default() {
            write_note(&note, &before).map_err(|source| ImportError::Report { path: note.clone(), source })?;
        }
        let mut relaxed = Relaxed { client: client.clone(), note, before, batch: None };
        match relaxed.change(now, wanted).await {
            Ok(()) => Ok(relaxed),
            Err(error) => {
                // What was changed before the failure is put back; the failure itself is what is told.
                if let Err(left) = relaxed.restore().await {
                    crate::monitor::log(&format!("error: {left}\nhint: {}", left.hint()));
                }
                Err(error.into())
            }
        }
    }

    /// The limits of a batch, if batches may be sent.
    #[must_use]
    pub fn batch(&self) -> Option<BatchSettings> {
        self.batch
    }

    async fn change(&mut self, now: BatchSettings, wanted: BatchSettings) -> Result<(), ClientError> {
        self.batch = if wanted == now {
            Some(now)
        } else {
            match self.client.set_batch_settings(wanted).await {
                Ok(now) => now.enabled.then_some(now),
                Err(ClientError::Forbidden { .. }) => now.enabled.then_some(now),
                Err(error) => return Err(error),
            }
        };
        if self.before.rate_limits {
            self.client.set_rate_limits(false).await?;
        }
        for (collection, _) in &self.before.costs {
            set_cost(&self.client, collection, json!(CHEAP_COST)).await?;
        }
        Ok(())
    }

    /// Puts everything back.
    pub async fn restore(self) -> Result<(), ImportError> {
        let put_back = self.put_back().await;
        put_back.map_err(|source| ImportError::SettingsLeft { source, note: self.note.clone() })?;
        let _ = std::fs::remove_file(&self.note);
        Ok(())
    }

    async fn put_back(&self) -> Result<(), ClientError> {
        for (collection, cost) in &self.before.costs {
            set_cost(&self.client, collection, cost.clone()).await?;
        }
        if self.before.rate_limits {
            self.client.set_rate_limits(true).await?;
        }
        if let Some(before) = self.before.batch {
            // As a patch of exactly what was: the server checks limits only while batches are on.
            self.client.patch_settings(&json!({ "batch": before })).await?;
        }
        Ok(())
    }
}

/// Where it is noted what an import that was killed has left changed on a server, if it has.
#[must_use]
pub fn left_behind(base_url: &str) -> Option<PathBuf> {
    let note = note_path(base_url);
    read_note(&note).map(|_| note)
}

/// `$XDG_STATE_HOME/pannier` or its default, since neither the bundle's folder nor the report's is the same every time.
fn note_path(base_url: &str) -> PathBuf {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let folder = state.or_else(home).unwrap_or_else(std::env::temp_dir).join("pannier");
    let hash = pannier_format::hex(&Sha256::digest(base_url.as_bytes()));
    folder.join(format!("settings-before-{}.json", &hash[..16]))
}

fn read_note(path: &Path) -> Option<Before> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Durable before the first change is made.
fn write_note(path: &Path, before: &Before) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(serde_json::to_string_pretty(before)?.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    std::fs::File::open(folder)?.sync_all()
}

async fn password_cost(client: &Client, collection: &str) -> Result<Option<Value>, ClientError> {
    let definition = client.collection(collection).await?;
    Ok(definition.as_ref().and_then(password_field).and_then(|field| field.get("cost").cloned()))
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
