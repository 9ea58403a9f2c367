//! A collection as `PocketBase` 0.23 and newer want it: for the API, and for `pb_migrations`.

use serde_json::{Map, Value, json};

use super::ids::MAX_ID_CHARS;
use super::model::{CollectionKind, CollectionMapping, FieldKind, FieldMapping, FieldSource};

/// The collection for `POST /api/collections`: every rule null, so that only superusers get in. Field ids are those that
/// the server itself would give (type and CRC-32 of the name): fields that exist already keep their ids.
///
/// The auth collection `users` exists on every new server; its id is the fixed one.
#[must_use]
pub fn collection_json(collection: &CollectionMapping) -> Value {
    let mut fields = vec![id_field()];
    if collection.kind == CollectionKind::Auth {
        fields.extend(auth_fields());
    }
    let own = collection.fields.iter().filter(|field| field.kind != FieldKind::Email);
    fields.extend(own.map(field_json));
    fields.push(autodate("created", false));
    fields.push(autodate("updated", true));
    let mut indexes: Vec<&str> = collection.indexes.iter().map(|index| index.sql.as_str()).collect();
    let system = system_indexes(collection);
    indexes.extend(system.iter().map(String::as_str));
    let mut object = json!({
        "id": collection_id(collection),
        "name": collection.name,
        "type": match collection.kind { CollectionKind::Base => "base", CollectionKind::Auth => "auth" },
        "system": false,
        "listRule": null,
        "viewRule": null,
        "createRule": null,
        "updateRule": null,
        "deleteRule": null,
        "fields": fields,
        "indexes": indexes,
    });
    if let (CollectionKind::Auth, Some(object)) = (collection.kind, object.as_object_mut()) {
        // An empty rule lets every account of the collection sign in; null would let none.
        object.insert("authRule".to_owned(), json!(""));
        object.insert("manageRule".to_owned(), Value::Null);
        let mut identity = vec!["email"];
        identity.extend(login_field(collection));
        object.insert("passwordAuth".to_owned(), json!({ "enabled": true, "identityFields": identity }));
    }
    object
}

/// The collection's id: the one that the server itself would give.
#[must_use]
pub fn collection_id(collection: &CollectionMapping) -> String {
    collection_id_of(collection.kind, &collection.name)
}

fn collection_id_of(kind: CollectionKind, name: &str) -> String {
    match kind {
        CollectionKind::Auth if name == "users" => "_pb_users_auth_".to_owned(),
        CollectionKind::Auth => format!("pbc_{}", crc32(format!("auth{name}").as_bytes())),
        CollectionKind::Base => format!("pbc_{}", crc32(format!("base{name}").as_bytes())),
    }
}

fn field_json(field: &FieldMapping) -> Value {
    let (kind, options) = match &field.kind {
        FieldKind::Text { max_chars } => ("text", json!({ "max": max_chars })),
        FieldKind::Number => ("number", json!({})),
        FieldKind::Bool => ("bool", json!({})),
        FieldKind::Json { max_bytes, .. } => ("json", json!({ "maxSize": max_bytes })),
        FieldKind::Email => ("email", json!({})),
        FieldKind::File { max_bytes } => ("file", json!({ "maxSize": max_bytes, "maxSelect": 1, "protected": true })),
        FieldKind::Relations { collection } => (
            "relation",
            json!({
                "collectionId": collection_id_of(CollectionKind::Base, collection),
                "maxSelect": MAX_RELATIONS,
                "cascadeDelete": false,
            }),
        ),
    };
    let mut object = base_field(&field.name, kind);
    object.insert("hidden".to_owned(), json!(field.hidden));
    if let Value::Object(options) = options {
        object.extend(options);
    }
    Value::Object(object)
}

/// More than one makes a relation hold a list; the server has no word for 'any number'.
const MAX_RELATIONS: u32 = 1_000_000;

fn base_field(name: &str, kind: &str) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("id".to_owned(), json!(format!("{kind}{}", crc32(name.as_bytes()))));
    object.insert("name".to_owned(), json!(name));
    object.insert("type".to_owned(), json!(kind));
    object
}

fn id_field() -> Value {
    let mut object = base_field("id", "text");
    let options = json!({
        "system": true,
        "required": true,
        "primaryKey": true,
        "min": 1,
        "max": MAX_ID_CHARS,
        "pattern": "^[A-Za-z0-9_\\-]+$",
        "autogeneratePattern": "[a-z0-9]{15}",
    });
    if let Value::Object(options) = options {
        object.extend(options);
    }
    Value::Object(object)
}

fn autodate(name: &str, on_update: bool) -> Value {
    let mut object = base_field(name, "autodate");
    object.insert("onCreate".to_owned(), json!(true));
    object.insert("onUpdate".to_owned(), json!(on_update));
    Value::Object(object)
}

/// The fields that every auth collection has, as the server makes them.
fn auth_fields() -> Vec<Value> {
    let field = |name: &str, kind: &str, options: Value| {
        let mut object = base_field(name, kind);
        object.insert("system".to_owned(), json!(true));
        if let Value::Object(options) = options {
            object.extend(options);
        }
        Value::Object(object)
    };
    vec![
        field("password", "password", json!({ "hidden": true, "required": true, "min": 8 })),
        field(
            "tokenKey",
            "text",
            json!({ "hidden": true, "required": true, "min": 30, "max": 60, "autogeneratePattern": "[a-zA-Z0-9]{50}" }),
        ),
        field("email", "email", json!({ "required": true })),
        field("emailVisibility", "bool", json!({})),
        field("verified", "bool", json!({})),
    ]
}

/// The field for addresses that the server refuses.
fn login_field(collection: &CollectionMapping) -> Option<&str> {
    collection.fields.iter().find(|field| field.source == FieldSource::Login).map(|field| field.name.as_str())
}

/// The indexes that the server demands of auth collections, under the names that it gives them.
fn system_indexes(collection: &CollectionMapping) -> Vec<String> {
    if collection.kind == CollectionKind::Base {
        return Vec::new();
    }
    let (id, name) = (collection_id(collection), &collection.name);
    let mut indexes = vec![
        format!("CREATE UNIQUE INDEX `idx_tokenKey_{id}` ON `{name}` (`tokenKey`)"),
        format!("CREATE UNIQUE INDEX `idx_email_{id}` ON `{name}` (`email`) WHERE `email` != ''"),
    ];
    // A field that identifies must have a unique index.
    indexes.extend(
        login_field(collection)
            .map(|field| format!("CREATE UNIQUE INDEX `idx_{field}_{id}` ON `{name}` (`{field}`) WHERE `{field}` != ''")),
    );
    indexes
}

/// CRC-32 (IEEE 802.3), bit by bit: the inputs are names.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_server() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b"id"), 3_208_210_256);
        assert_eq!(collection_id_of(CollectionKind::Base, "j"), "pbc_1158710011");
    }
}
