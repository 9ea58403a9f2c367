//! `schema`: the collections, on the server or as a migration that a server applies by itself when it starts.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::{Document, shown, text_table};
use crate::ImportError;
use crate::mapping::CollectionKind;
use crate::prepare::Prepared;
use crate::target::collections::{Action, CollectionChange, SchemaPlan};
use crate::target::session::{Session, TargetInfo};

/// What `schema` did.
#[derive(Debug, Serialize)]
pub struct SchemaReport {
    /// The profile.
    pub profile: String,
    /// The server, if it was one.
    pub target: Option<TargetInfo>,
    /// The migration, if one was written.
    pub migration: Option<String>,
    /// What became of each collection.
    pub collections: Vec<CollectionChange>,
    /// Indexes of the source that have no equal, and why.
    pub unmapped_indexes: Vec<String>,
}

/// Brings the collections of a server to what the mapping asks for.
pub async fn on_server(session: &Session, prepared: &Prepared) -> Result<SchemaReport, ImportError> {
    let plan = SchemaPlan::make(&session.client, &prepared.definitions()).await?;
    plan.carry_out(&session.client).await?;
    Ok(SchemaReport {
        profile: prepared.mapping.profile.clone(),
        target: Some(session.info()),
        migration: None,
        collections: plan.changes,
        unmapped_indexes: unmapped(prepared),
    })
}

/// Writes a migration into `folder`. Its name depends on the bundle only: written twice, it is applied once.
pub fn emit(folder: &Path, prepared: &Prepared) -> Result<SchemaReport, ImportError> {
    let definitions = prepared.definitions();
    let path = folder.join(format!("1000000000_pannier_{}.js", &prepared.bundle.identity()[..12]));
    let failed = |source| ImportError::Report { path: path.clone(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    fs::write(&path, migration(&definitions, prepared)).map_err(failed)?;
    let change = |definition: &Value| CollectionChange {
        collection: definition["name"].as_str().unwrap_or_default().to_owned(),
        action: Action::Create,
        changes: Vec::new(),
    };
    Ok(SchemaReport {
        profile: prepared.mapping.profile.clone(),
        target: None,
        migration: Some(path.display().to_string()),
        collections: definitions.iter().map(change).collect(),
        unmapped_indexes: unmapped(prepared),
    })
}

fn migration(definitions: &[Value], prepared: &Prepared) -> String {
    let collections = serde_json::to_string_pretty(definitions).unwrap_or_default();
    // Auth collections stay: one called `users` was there before, and its accounts are nobody's to delete here.
    let base = prepared.mapping.collections.iter().filter(|collection| collection.kind == CollectionKind::Base);
    let mut names: Vec<&str> = base.map(|collection| collection.name.as_str()).collect();
    names.reverse();
    let names = serde_json::to_string(&names).unwrap_or_default();
    format!(
        "// Collections for the bundle {}, profile {}. Written by pannier-import schema.\n\
         migrate((app) => {{\n  const collections = {collections};\n  app.importCollections(collections, false);\n}}, (app) => {{\n  \
         for (const name of {names}) {{\n    try {{ app.delete(app.findCollectionByNameOrId(name)); }} catch (_) {{ /* gone already */ }}\n  }}\n}});\n",
        prepared.bundle.identity(),
        prepared.mapping.profile,
    )
}

fn unmapped(prepared: &Prepared) -> Vec<String> {
    let collections = prepared.mapping.collections.iter();
    collections
        .flat_map(|collection| {
            collection.unmapped_indexes.iter().map(|index| format!("{}.{}: {}", collection.table, index.name, index.reason))
        })
        .collect()
}

impl Document for SchemaReport {
    fn text(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .collections
            .iter()
            .map(|change| {
                let action = match change.action {
                    Action::Create if self.migration.is_some() => "in the migration",
                    Action::Create => "created",
                    Action::Change => "changed",
                    Action::Keep => "fits",
                };
                vec![change.collection.clone(), action.to_owned(), shown(&change.changes.join("; "))]
            })
            .collect();
        let mut text = text_table(&["collection", "", "changes"], &rows);
        for index in &self.unmapped_indexes {
            text += &format!("index without equal: {index}\n");
        }
        if let Some(migration) = &self.migration {
            text +=
                &format!("\nwritten: {migration}\nput it into the server's pb_migrations folder: it is applied when the server starts\n");
        }
        text
    }

    fn has_problems(&self) -> bool {
        false
    }
}
