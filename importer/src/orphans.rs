//! Orphans: rows that refer to a row which is not there. They are carried over as they are, and reported.
//!
//! Memory: 8 bytes for each row of a table that others refer to (a hash of its key).

use std::collections::{HashMap, HashSet};

use pannier_format::{Table, Value};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::ImportError;
use crate::mapping::ReferenceMapping;
use crate::monitor::Monitor;
use crate::prepare::Prepared;

/// Keys that are shown of each kind of orphan.
const SHOWN: usize = 5;

/// The orphans of one column.
#[derive(Clone, Debug, Serialize)]
pub struct Orphans {
    /// The table with the rows.
    pub table: String,
    /// The column that refers.
    pub column: String,
    /// The table referred to.
    pub refers_to: String,
    /// How many rows refer to nothing.
    pub rows: u64,
    /// Some of what they name.
    pub examples: Vec<String>,
}

/// The columns of a table that are looked up: position, hashes of the keys by value.
type Keys = HashMap<(String, usize), HashSet<u64>>;

/// Finds the orphans of all tables.
pub fn find(prepared: &Prepared, monitor: &mut Monitor) -> Result<Vec<Orphans>, ImportError> {
    let collections = &prepared.mapping.collections;
    let referring = || collections.iter().filter(|collection| !collection.references.is_empty());
    monitor.phase("check references", referring().map(|collection| collection.rows).sum(), "rows");
    let mut keys: Keys = HashMap::new();
    for reference in referring().flat_map(|collection| &collection.references) {
        let wanted = (reference.table.clone(), reference.target);
        if !keys.contains_key(&wanted)
            && let Some(table) = prepared.bundle.table(&reference.table)
        {
            let mut hashes = HashSet::new();
            prepared.each_row(table, |row, _| hashes.extend(row.get(reference.target).and_then(hash)))?;
            keys.insert(wanted, hashes);
        }
    }
    let mut found = Vec::new();
    for collection in referring() {
        let table = prepared.table(collection)?;
        found.extend(of_table(prepared, table, &collection.references, &keys)?);
        monitor.advance(collection.rows);
    }
    monitor.end();
    Ok(found)
}

fn of_table(prepared: &Prepared, table: &Table, references: &[ReferenceMapping], keys: &Keys) -> Result<Vec<Orphans>, ImportError> {
    let mut found: Vec<Orphans> = references
        .iter()
        .map(|reference| Orphans {
            table: table.name.clone(),
            column: table.schema.fields.get(reference.column).map_or_else(String::new, |column| column.name.clone()),
            refers_to: reference.table.clone(),
            rows: 0,
            examples: Vec::new(),
        })
        .collect();
    let targets: Vec<Option<&HashSet<u64>>> =
        references.iter().map(|reference| keys.get(&(reference.table.clone(), reference.target))).collect();
    prepared.each_row(table, |row, _| {
        for ((reference, keys), orphans) in references.iter().zip(&targets).zip(&mut found) {
            let Some((value, keys)) = row.get(reference.column).zip(*keys) else { continue };
            if hash(value).is_some_and(|hash| !keys.contains(&hash)) {
                orphans.rows += 1;
                let text = value.as_str().map_or_else(|| format!("{value:?}"), str::to_owned);
                if orphans.examples.len() < SHOWN && !orphans.examples.contains(&text) {
                    orphans.examples.push(text);
                }
            }
        }
    })?;
    found.retain(|orphans| orphans.rows > 0);
    Ok(found)
}

/// A key's hash; NULL and empty text name nothing.
fn hash(value: &Value<'_>) -> Option<u64> {
    if matches!(value, Value::Null | Value::Text(b"")) {
        return None;
    }
    let digest = Sha256::digest(pannier_format::digest::encode(std::slice::from_ref(value)));
    Some(digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte)))
}

/// The orphans as lines of text.
#[must_use]
pub fn text(orphans: &[Orphans]) -> String {
    let line = |orphans: &Orphans| {
        let examples: Vec<String> = orphans.examples.iter().map(|example| crate::commands::shown(example)).collect();
        format!(
            "orphans: {} rows of {} whose {} names no row of {}, for instance {}; they are carried over as they are\n",
            orphans.rows,
            crate::commands::shown(&orphans.table),
            crate::commands::shown(&orphans.column),
            crate::commands::shown(&orphans.refers_to),
            examples.join(", ")
        )
    };
    orphans.iter().map(line).collect()
}
