//! The second pass: relations that a JSON list of keys stands for.

use std::borrow::Cow;

use pannier_format::Value;

use super::facts::{Facts, IdSet};
use super::json;
use super::model::{CollectionMapping, RelationKeyPart, RelationMapping};

/// What a row's relation must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelationUpdate {
    /// The record ids, in the list's order, each once.
    pub ids: Vec<String>,
    /// Keys in the list that no record has.
    pub missing: Vec<String>,
    /// The column holds something, but not JSON that can be read.
    pub unreadable: bool,
}

impl RelationUpdate {
    /// Appends the body of the update request.
    pub fn write_body(&self, field: &str, out: &mut Vec<u8>) {
        out.push(b'{');
        json::write_string(out, field);
        out.push(b':');
        self.write_value(out);
        out.push(b'}');
    }

    /// The list as a JSON array: what must be read back.
    #[must_use]
    pub fn expected(&self) -> String {
        let mut out = Vec::new();
        self.write_value(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    fn write_value(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (position, id) in self.ids.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            json::write_string(out, id);
        }
        out.push(b']');
    }
}

/// Converts one relation of one collection.
#[derive(Clone, Copy, Debug)]
pub struct RelationConverter<'m> {
    relation: &'m RelationMapping,
    target: &'m CollectionMapping,
    facts: &'m Facts,
    ids: &'m IdSet,
}

impl<'m> RelationConverter<'m> {
    /// `facts` and `ids` are those of the target collection; `ids` must hold every record that is there.
    #[must_use]
    pub fn new(relation: &'m RelationMapping, target: &'m CollectionMapping, facts: &'m Facts, ids: &'m IdSet) -> RelationConverter<'m> {
        RelationConverter { relation, target, facts, ids }
    }

    /// The relation of one row.
    #[must_use]
    pub fn convert(&self, row: &[Value<'_>]) -> RelationUpdate {
        let mut update = RelationUpdate::default();
        let value = row.get(self.relation.column).copied().unwrap_or(Value::Null);
        let Value::Text(bytes) = value else { return update };
        let text = String::from_utf8_lossy(bytes);
        let list = json::find(&text, &self.relation.pointer).and_then(|list| list.map_or(Ok(Vec::new()), json::items));
        let Ok(items) = list else {
            update.unreadable = true;
            return update;
        };
        for raw in items {
            let item = if raw.starts_with('"') { Cow::Owned(json::decode(raw)) } else { Cow::Borrowed(raw) };
            match self.record_id(&item, row) {
                Some(id) if self.ids.contains(&id) => {
                    if !update.ids.contains(&id) {
                        update.ids.push(id);
                    }
                }
                _ => update.missing.push(item.into_owned()),
            }
        }
        update
    }

    fn record_id(&self, item: &str, row: &[Value<'_>]) -> Option<String> {
        let key: Vec<Value<'_>> = self
            .relation
            .key
            .iter()
            .map(|part| match part {
                RelationKeyPart::Item => Value::Text(item.as_bytes()),
                RelationKeyPart::Column(column) => row.get(*column).copied().unwrap_or(Value::Null),
            })
            .collect();
        self.facts.record_id(&self.target.table, &self.target.id, &key).map(|id| id.id)
    }
}
