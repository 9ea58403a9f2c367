//! Brings the server's collections to what a mapping asks for. A collection that is there already is held against it
//! field by field: what fits is adopted, what is missing or too narrow is added or widened, what contradicts is named.

use serde::Serialize;
use serde_json::{Value, json};

use crate::ImportError;
use crate::pocketbase::Client;

/// What has to be done to one collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CollectionChange {
    /// The collection.
    pub collection: String,
    /// What becomes of it.
    pub action: Action,
    /// What changes in one that is there already.
    pub changes: Vec<String>,
}

/// What becomes of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// It is there and lacks something.
    Change,
    /// It is there and fits.
    Keep,
}

/// The way from the server's collections to those of a mapping.
#[derive(Clone, Debug, Default)]
pub struct SchemaPlan {
    /// One entry for each collection of the mapping.
    pub changes: Vec<CollectionChange>,
    /// One sentence for each thing that cannot be brought together.
    pub contradictions: Vec<String>,
    /// The definitions to send.
    definitions: Vec<Value>,
}

impl SchemaPlan {
    /// Holds the wanted definitions against the server's collections; changes nothing.
    pub async fn make(client: &Client, wanted: &[Value]) -> Result<SchemaPlan, ImportError> {
        let there = client.collections().await?;
        Ok(Self::against(&there, wanted))
    }

    /// Holds the wanted definitions against those that are there.
    #[must_use]
    pub fn against(there: &[Value], wanted: &[Value]) -> SchemaPlan {
        let mut plan = SchemaPlan { contradictions: foreign_indexes(there, wanted), ..SchemaPlan::default() };
        for definition in wanted {
            let name = text(definition, "name");
            // PocketBase tells collections apart without regard to case.
            match there.iter().find(|other| text(other, "name").eq_ignore_ascii_case(name)) {
                None => {
                    plan.changes.push(CollectionChange { collection: name.to_owned(), action: Action::Create, changes: Vec::new() });
                    plan.definitions.push(definition.clone());
                }
                Some(existing) => plan.adopt(existing, definition),
            }
        }
        plan
    }

    fn adopt(&mut self, existing: &Value, wanted: &Value) {
        let name = text(wanted, "name").to_owned();
        if text(existing, "name") != name || text(existing, "type") != text(wanted, "type") {
            self.contradictions.push(format!(
                "collection {name} is there as {} of type {}, not {}",
                text(existing, "name"),
                text(existing, "type"),
                text(wanted, "type")
            ));
            return;
        }
        let mut merge = Merge { collection: name.clone(), merged: existing.clone(), changes: Vec::new(), contradictions: Vec::new() };
        merge.fields(existing, wanted);
        merge.indexes(wanted);
        merge.rules(wanted);
        merge.identities(wanted);
        let action = if merge.changes.is_empty() { Action::Keep } else { Action::Change };
        if action == Action::Change {
            self.definitions.push(merge.merged);
        }
        self.changes.push(CollectionChange { collection: name, action, changes: merge.changes });
        self.contradictions.extend(merge.contradictions);
    }

    /// Whether the server's collections are as wanted.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.definitions.is_empty() && self.contradictions.is_empty()
    }

    /// Carries the plan out, all of it or nothing.
    pub async fn carry_out(&self, client: &Client) -> Result<(), ImportError> {
        if !self.contradictions.is_empty() {
            return Err(ImportError::Contradictions { contradictions: self.contradictions.clone() });
        }
        if !self.definitions.is_empty() {
            client.import_collections(&self.definitions).await?;
        }
        Ok(())
    }
}

/// Names of indexes are one for the whole database: those that another collection has cannot be made.
fn foreign_indexes(there: &[Value], wanted: &[Value]) -> Vec<String> {
    let names =
        |collection: &Value| list(collection, "indexes").iter().filter_map(Value::as_str).filter_map(index_name).collect::<Vec<_>>();
    let mut contradictions = Vec::new();
    for definition in wanted {
        let mine = names(definition);
        for other in there.iter().filter(|other| !text(other, "name").eq_ignore_ascii_case(text(definition, "name"))) {
            for name in names(other).into_iter().filter(|name| mine.contains(name)) {
                contradictions.push(format!("index {name} of {} belongs to {} already", text(definition, "name"), text(other, "name")));
            }
        }
    }
    contradictions
}

/// An existing definition on its way to the wanted one.
struct Merge {
    collection: String,
    merged: Value,
    changes: Vec<String>,
    contradictions: Vec<String>,
}

impl Merge {
    fn fields(&mut self, existing: &Value, wanted: &Value) {
        let mut fields = list(existing, "fields").to_vec();
        for field in list(wanted, "fields") {
            let name = text(field, "name");
            match fields.iter_mut().find(|other| text(other, "name").eq_ignore_ascii_case(name)) {
                None => {
                    self.changes.push(format!("field {name} is added"));
                    let mut field = field.clone();
                    // An id that is taken by another field of this collection would replace that field.
                    if let Some(object) = field.as_object_mut() {
                        object.remove("id");
                    }
                    fields.push(field);
                }
                Some(other) if text(other, "name") != name => {
                    self.contradictions.push(format!("field {}.{name} is there as {}", self.collection, text(other, "name")));
                }
                Some(other) if text(other, "type") != text(field, "type") => self.contradictions.push(format!(
                    "field {}.{name} is of type {}, not {}",
                    self.collection,
                    text(other, "type"),
                    text(field, "type")
                )),
                Some(other) => self.changes.extend(widen(other, field)),
            }
        }
        let needed = |name: &str| list(wanted, "fields").iter().any(|field| text(field, "name") == name);
        for field in &fields {
            let name = text(field, "name");
            let required = field.get("required").and_then(Value::as_bool).unwrap_or(false);
            let system = field.get("system").and_then(Value::as_bool).unwrap_or(false);
            if required && !system && !needed(name) {
                self.contradictions.push(format!("field {}.{name} is required, and the bundle has nothing for it", self.collection));
            }
        }
        self.merged["fields"] = Value::Array(fields);
    }

    fn indexes(&mut self, wanted: &Value) {
        let mut indexes = list(&self.merged, "indexes").to_vec();
        for index in list(wanted, "indexes").iter().filter_map(Value::as_str) {
            let Some(name) = index_name(index) else { continue };
            let there = indexes.iter().filter_map(Value::as_str).any(|other| index_name(other).as_deref() == Some(name.as_str()));
            if !there {
                self.changes.push(format!("index {name} is added"));
                indexes.push(json!(index));
            }
        }
        self.merged["indexes"] = Value::Array(indexes);
    }

    /// What anybody was allowed to do is no longer: the mapping says who may, and by default nobody but a superuser.
    fn rules(&mut self, wanted: &Value) {
        for rule in ["listRule", "viewRule", "createRule", "updateRule", "deleteRule", "manageRule"] {
            let Some(value) = wanted.get(rule) else { continue };
            let before = self.merged.get(rule).cloned().unwrap_or(Value::Null);
            if before != *value {
                self.changes.push(format!("{rule} was {before}, is {value}"));
                self.merged[rule] = value.clone();
            }
        }
    }

    /// Accounts sign in with what the mapping says, besides what they could sign in with before.
    fn identities(&mut self, wanted: &Value) {
        let Some(wanted) = wanted.pointer("/passwordAuth/identityFields").and_then(Value::as_array) else { return };
        let mut identities = self.merged.pointer("/passwordAuth/identityFields").and_then(Value::as_array).cloned().unwrap_or_default();
        for field in wanted {
            if !identities.contains(field) {
                self.changes.push(format!("accounts sign in with {} too", field.as_str().unwrap_or_default()));
                identities.push(field.clone());
            }
        }
        if self.merged.pointer("/passwordAuth/enabled") != Some(&json!(true)) {
            self.changes.push("accounts may sign in with a password".to_owned());
        }
        self.merged["passwordAuth"] = json!({ "enabled": true, "identityFields": identities });
    }
}

/// Brings a field's options to what is wanted; limits are only ever raised. Answers what changed.
fn widen(field: &mut Value, wanted: &Value) -> Vec<String> {
    let name = text(field, "name").to_owned();
    let mut changes = Vec::new();
    let Some(options) = wanted.as_object() else { return changes };
    for (option, value) in options {
        if ["id", "name", "type", "system", "presentable", "cost", "autogeneratePattern"].contains(&option.as_str()) {
            continue;
        }
        let before = field.get(option).cloned().unwrap_or(Value::Null);
        let fits = match option.as_str() {
            "max" | "maxSize" | "maxSelect" => limit(field, option, &before) >= limit(wanted, option, value),
            "min" => before.as_f64().unwrap_or(0.0) <= value.as_f64().unwrap_or(0.0),
            // Stricter than wanted is fine for what nobody but a superuser should see.
            "hidden" | "protected" => before == json!(true) || before == *value,
            _ => before == *value || (before.is_null() && is_zero(value)),
        };
        if !fits {
            changes.push(format!("field {name}: {option} was {before}, is {value}"));
            field[option] = value.clone();
        }
    }
    for option in RESTRICTIONS.iter().filter(|option| wanted.get(**option).is_none()) {
        let before = field.get(*option).cloned().unwrap_or(Value::Null);
        if !is_zero(&before) {
            let cleared = cleared(field, &before);
            changes.push(format!("field {name}: {option} was {before}, is {cleared}"));
            field[*option] = cleared;
        }
    }
    changes
}

/// Options that make a field refuse values, and that the mapping does not ask for.
const RESTRICTIONS: [&str; 8] = ["required", "pattern", "min", "max", "onlyInt", "onlyDomains", "exceptDomains", "mimeTypes"];

/// The value of an option that restricts nothing.
fn cleared(field: &Value, before: &Value) -> Value {
    match before {
        Value::Bool(_) => json!(false),
        Value::Array(_) => json!([]),
        Value::Number(_) if text(field, "type") != "number" => json!(0),
        Value::String(_) if text(field, "type") != "number" => json!(""),
        _ => Value::Null,
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(boolean) => !boolean,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
    }
}

/// A limit with PocketBase's default in the place of 0 (POCKETBASE.md: 5,000 characters, 1 MiB, 5 MiB).
fn limit(field: &Value, option: &str, value: &Value) -> f64 {
    let given = value.as_f64().unwrap_or(0.0);
    if given > 0.0 {
        return given;
    }
    match (text(field, "type"), option) {
        ("text" | "editor" | "url" | "email", _) => 5_000.0,
        ("json", _) => 1_048_576.0,
        ("file", "maxSize") => 5_242_880.0,
        ("number" | "date", _) => f64::INFINITY,
        _ => 1.0,
    }
}

/// The name in `CREATE [UNIQUE] INDEX [IF NOT EXISTS] name ON …`, without its quotes and in lower case.
fn index_name(sql: &str) -> Option<String> {
    let upper = sql.to_ascii_uppercase();
    let before = upper.find(" ON ").filter(|_| upper.starts_with("CREATE"))?;
    let name = sql[..before].split_ascii_whitespace().last()?;
    Some(name.trim_matches(['`', '"', '[', ']']).to_ascii_lowercase())
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Value {
        json!({"name": "chats", "type": "base", "createRule": null, "indexes": ["CREATE INDEX `i` ON `chats` (title)"],
            "fields": [{"name": "title", "type": "text", "max": 10_000}, {"name": "meta", "type": "json", "maxSize": 2_000_000}]})
    }

    #[test]
    fn absent_collections_are_created_and_fitting_ones_kept() {
        let plan = SchemaPlan::against(&[], &[wanted()]);
        assert_eq!((plan.changes[0].action, plan.definitions.len()), (Action::Create, 1));
        let plan = SchemaPlan::against(&[wanted()], &[wanted()]);
        assert_eq!(plan.changes[0].action, Action::Keep);
        assert!(plan.is_done());
    }

    #[test]
    fn narrow_ones_are_widened_and_open_ones_locked() {
        let there = json!({"name": "chats", "type": "base", "createRule": "", "indexes": [],
            "fields": [{"name": "title", "type": "text", "max": 0}, {"name": "own", "type": "bool"}]});
        let plan = SchemaPlan::against(&[there], &[wanted()]);
        assert_eq!(
            plan.changes[0].changes,
            ["field title: max was 0, is 10000", "field meta is added", "index i is added", "createRule was \"\", is null"]
        );
        assert_eq!(plan.definitions[0]["fields"].as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn contradictions_are_named() {
        let there = json!({"name": "Chats", "type": "base", "fields": []});
        assert_eq!(SchemaPlan::against(&[there], &[wanted()]).contradictions.len(), 1);
        let there = json!({"name": "chats", "type": "base", "fields": [{"name": "title", "type": "number"}, {"name": "x", "type": "text", "required": true}]});
        let plan = SchemaPlan::against(&[there], &[wanted()]);
        assert_eq!(
            plan.contradictions,
            ["field chats.title is of type number, not text", "field chats.x is required, and the bundle has nothing for it"]
        );
        assert!(!plan.is_done());
    }
}
