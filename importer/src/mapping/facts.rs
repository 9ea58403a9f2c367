//! What only a look at all rows tells: which keys cannot be ids, which differ in case only, which e-mail addresses are
//! taken twice, and the rows of a merged table.
//!
//! Memory: 8 bytes for each key with an upper-case letter (each key at all where ids are one column of a longer key); for auth collections, which are small beside their data, a
//! hash per account and the rows of the merged table.

use std::collections::{HashMap, HashSet};

use pannier_format::{OwnedValue, Value};

use super::ids::{self, RecordId};
use super::model::{CollectionMapping, FieldSource, IdRule, IdSource};

/// What a scan has shown of one collection's rows.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    derived: u64,
    /// Hashes of the folded text of keys that differ in case only.
    twins: HashSet<u64>,
    /// For each address that several accounts have: the row that keeps it.
    email_keepers: HashMap<u64, u64>,
    merged: HashMap<String, Vec<OwnedValue>>,
    unmatched: HashSet<String>,
}

impl Facts {
    /// How many records get an id that is not their key; a few more if three keys or more differ in case only.
    #[must_use]
    pub fn derived_ids(&self) -> u64 {
        self.derived
    }

    /// Keys of the merged table that no row of the main table has: their rows go nowhere.
    #[must_use]
    pub fn unmatched_keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = self.unmatched.iter().map(String::as_str).collect();
        keys.sort_unstable();
        keys
    }

    /// The merged table's row for this key.
    pub(super) fn merged_row(&self, key: &Value<'_>) -> Option<&[OwnedValue]> {
        self.merged.get(&merge_key(key)?).map(Vec::as_slice)
    }

    /// The row is the one that keeps an address which others have too, or the only one.
    pub(super) fn keeps_email(&self, address: &str, ordinal: u64) -> bool {
        self.email_keepers.is_empty() || self.email_keepers.get(&ids::hash64(address)).is_none_or(|&keeper| keeper == ordinal)
    }

    /// The id of a record with this key.
    pub(super) fn record_id(&self, table: &str, rule: &IdRule, key: &[Value<'_>]) -> Option<RecordId> {
        match natural_part(rule, key).filter(|natural| self.twins.is_empty() || !self.twins.contains(&fold(natural))) {
            Some(id) => Some(RecordId { id, derived: false }),
            None => ids::derived_id(table, key),
        }
    }
}

/// Collects [`Facts`]: first all rows of the merged table, then all rows of the table, in the bundle's order, then, only
/// if [`Scanner::needs_second_pass`], all rows of the table once more.
#[derive(Debug)]
pub struct Scanner<'m> {
    collection: &'m CollectionMapping,
    facts: Facts,
    /// Hashes of the folded text of keys with upper-case letters.
    upper: HashSet<u64>,
    /// Addresses: the first row that has each, and whether there is another.
    emails: HashMap<u64, (u64, bool)>,
}

impl<'m> Scanner<'m> {
    /// Starts a scan.
    #[must_use]
    pub fn new(collection: &'m CollectionMapping) -> Scanner<'m> {
        Scanner { collection, facts: Facts::default(), upper: HashSet::new(), emails: HashMap::new() }
    }

    /// Takes a row of the merged table. Of two rows with one key the first counts.
    pub fn merged_row(&mut self, row: &[Value<'_>]) {
        let Some(merge) = &self.collection.merge else { return };
        if let Some(key) = row.get(merge.key).and_then(merge_key)
            && !self.facts.merged.contains_key(&key)
        {
            self.facts.unmatched.insert(key.clone());
            self.facts.merged.insert(key, row.iter().map(Value::to_owned).collect());
        }
    }

    /// Takes a row of the table; `ordinal` counts them from 0.
    pub fn row(&mut self, row: &[Value<'_>], ordinal: u64) {
        self.key(row);
        if let Some(merge) = &self.collection.merge
            && let Some(key) = row.get(merge.main_key).and_then(merge_key)
        {
            self.facts.unmatched.remove(&key);
        }
        if let Some(auth) = &self.collection.auth
            && let Some(FieldSource::Column(column)) = auth.email
            && let Some(address) = row.get(column).and_then(Value::as_str)
        {
            let entry = self.emails.entry(ids::hash64(address)).or_insert((ordinal, false));
            entry.1 |= entry.0 != ordinal;
        }
    }

    fn key(&mut self, row: &[Value<'_>]) {
        let rule = &self.collection.id;
        match natural_part(rule, &ids::key_values(&rule.source, row)) {
            None => self.facts.derived += 1,
            // Part of a key need not be unique: all of them are remembered.
            Some(key) if rule.preferred.is_some() || key.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                let folded = fold(&key);
                if !self.upper.insert(folded) {
                    // Whole keys are unique: another one with this hash differs in case.
                    self.facts.twins.insert(folded);
                }
            }
            Some(_) => {}
        }
    }

    /// Keys with upper-case letters were seen: their lower-case partners may have come before them.
    #[must_use]
    pub fn needs_second_pass(&self) -> bool {
        !self.upper.is_empty() && self.collection.id.preferred.is_none()
    }

    /// Takes a row of the table for the second time.
    pub fn row_again(&mut self, row: &[Value<'_>]) {
        let rule = &self.collection.id;
        let Some(key) = natural_part(rule, &ids::key_values(&rule.source, row)) else { return };
        let folded = fold(&key);
        if !key.bytes().any(|byte| byte.is_ascii_uppercase()) && self.upper.contains(&folded) {
            self.facts.twins.insert(folded);
        }
    }

    /// Ends the scan.
    #[must_use]
    pub fn finish(mut self) -> Facts {
        // Each pair of twins has two members at least; what counts is that there are some.
        self.facts.derived += 2 * self.facts.twins.len() as u64;
        self.facts.email_keepers =
            self.emails.into_iter().filter(|(_, (_, shared))| *shared).map(|(address, (keeper, _))| (address, keeper)).collect();
        self.facts
    }
}

/// The record ids of a collection, to tell whether a relation has something to point to. 16 bytes for each.
#[derive(Clone, Debug, Default)]
pub struct IdSet {
    hashes: HashSet<u64>,
}

impl IdSet {
    /// Adds an id.
    pub fn insert(&mut self, id: &str) {
        self.hashes.insert(ids::hash64(id));
    }

    /// It was added.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.hashes.contains(&ids::hash64(id))
    }
}

/// The part of a key that can be the id as it stands: the only column of it, or the preferred one.
fn natural_part(rule: &IdRule, key: &[Value<'_>]) -> Option<String> {
    let value = match rule.source {
        IdSource::Column(_) => key.first()?,
        IdSource::Columns(_) => key.get(rule.preferred?)?,
        IdSource::Ordinal => return None,
    };
    let natural = ids::natural_key(value)?;
    let looks_like_integer = rule.mixed && matches!(value, Value::Text(_)) && natural.parse::<i64>().is_ok();
    (!looks_like_integer).then_some(natural)
}

fn fold(key: &str) -> u64 {
    ids::hash64(&key.to_ascii_lowercase())
}

/// A key under which rows of two tables meet; NULL meets nothing.
fn merge_key(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Null => None,
        _ => Some(super::values::plain_text(value).into_owned()),
    }
}
