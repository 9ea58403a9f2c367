//! What `apply` and `compare` leave behind: `report.json` with stable names, and `report.md` for people.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use pannier_format::Bundle;
use serde::Serialize;

use crate::ImportError;
use crate::commands::Document;

/// Which bundle, for reports.
#[derive(Clone, Debug, Serialize)]
pub struct BundleInfo {
    /// Its file.
    pub path: String,
    /// Its name.
    pub name: String,
    /// SHA-256 of its tag manifest.
    pub identity: String,
    /// The version of its format.
    pub format: String,
    /// The engine that its rows came from.
    pub engine: String,
    /// The application's migration revision, if known.
    pub revision: Option<String>,
}

impl BundleInfo {
    /// The description of an open bundle.
    #[must_use]
    pub fn of(bundle: &Bundle) -> Self {
        let package = bundle.package();
        BundleInfo {
            path: bundle.path().display().to_string(),
            name: package.name.clone(),
            identity: bundle.identity().to_owned(),
            format: package.pannier.format.clone(),
            engine: format!("{} {}", package.pannier.source.engine, package.pannier.source.engine_version),
            revision: package.pannier.source.revision.clone(),
        }
    }
}

/// Values of one field that something was lost of, or that changed on the way.
#[derive(Clone, Debug, Serialize)]
pub struct LossyField {
    /// The collection.
    pub collection: String,
    /// The field.
    pub field: String,
    /// What happened.
    pub kind: String,
    /// To how many values.
    pub values: u64,
}

/// Counts lossy values by field and kind.
#[derive(Clone, Debug, Default)]
pub struct LossyCounts(BTreeMap<(String, String, &'static str), u64>);

impl LossyCounts {
    /// Counts one value.
    pub fn count(&mut self, collection: &str, field: &str, kind: &'static str) {
        // Looked up by reference first: this runs for every NULL of every row.
        *self.0.entry((collection.to_owned(), field.to_owned(), kind)).or_default() += 1;
    }

    /// The counts, by collection and field.
    #[must_use]
    pub fn fields(&self) -> Vec<LossyField> {
        let entry = |((collection, field, kind), values): (&(String, String, &'static str), &u64)| LossyField {
            collection: collection.clone(),
            field: field.clone(),
            kind: (*kind).to_owned(),
            values: *values,
        };
        self.0.iter().map(entry).collect()
    }
}

/// A new file that only its owner may read: reports hold addresses and values.
pub fn create_private(path: &Path) -> Result<File, ImportError> {
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.map_err(|source| ImportError::Report { path: path.to_owned(), source })
}

/// A value that looks like a password hash, a key or a token, without what makes it one; `None` if it does not.
#[must_use]
pub fn masked(value: &str) -> Option<&'static str> {
    const MARKS: [&str; 9] = ["$2a$", "$2b$", "$2y$", "$argon2", "$scrypt$", "$pbkdf2", "sk-", "ghp_", "-----BEGIN"];
    // A JSON Web Token begins with the base64 of `{"`.
    let found = MARKS.iter().any(|mark| value.contains(mark)) || value.contains("eyJ");
    found.then_some("(looks like a secret)")
}

/// Writes `report.json` and `report.md` into `folder`, which is made if it is missing.
pub fn write(folder: &Path, title: &str, document: &impl Document) -> Result<(), ImportError> {
    let failed = |path: &Path, source| ImportError::Report { path: path.to_owned(), source };
    fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    let json = serde_json::to_string_pretty(document).unwrap_or_default() + "\n";
    let markdown = format!("# {title}\n\n```text\n{}```\n", document.text());
    for (name, content) in [("report.json", json), ("report.md", markdown)] {
        let path = folder.join(name);
        create_private(&path)?.write_all(content.as_bytes()).map_err(|source| failed(&path, source))?;
    }
    Ok(())
}
