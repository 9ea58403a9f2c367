//! Profiles: what is refused, in which words; and names and order of what is derived.

use pannier_format::Table;
use pannier_importer::mapping::{Mapping, MappingError, Profile, SkipReason, collection_json};
use serde_json::json;

fn refused(text: &str) -> String {
    let error = Profile::parse("my.toml", &format!("format = 1\nname = \"x\"\n{text}")).expect_err(text);
    let mut chain = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        assert!(!chain.contains(&source.to_string()), "{chain}");
        chain.push_str(&format!(": {source}"));
    }
    chain
}

#[test]
fn errors_name_file_entry_and_key() {
    let cases = [
        ("[table.t]\ncollection = \"a b\"", "my.toml is not valid: [table.t] collection: not a name that PocketBase takes"),
        ("[table.t]\ncollection = \"users\"", "[table.t] collection: users is an auth collection: it needs [auth]"),
        ("[table.t.columns.c]\nfield = \"id\"", "[table.t.columns.c] field: PocketBase has a field of this name"),
        ("[table.t]\nexact = [\"a\"]\njson = [\"a\"]", "[table.t] exact, json, bool: a column is in more than one of them"),
        ("[table.t]\nmerge = \"u\"", "[table.t] merge: only a table with [auth] can have another merged"),
        ("[table.t.fields.f]\nunique = true", "[table.t.fields.f] template: a field needs one of template, relation and file"),
        ("[table.t.fields.f]\ntemplate = \"{a\"", "[table.t.fields.f] template: a brace is not closed"),
        ("[table.t.fields.f]\nrelation = \"r\"", "[table.t.fields.f] from_json: a relation needs it"),
        ("[table.t.fields.f]\nrelation = \"r\"\nfrom_json = \"m\"\npointer = \"tags\"", "pointer: does not start with /"),
        ("[table.t.fields.f]\nrelation = \"r\"\nfrom_json = \"m\"\nkey = [\"a\"]", "key: $item must be in it once"),
        ("[table.t.drop]\nc = \"r\"\n[table.t.columns.c]\nfield = \"d\"", "[table.t.columns.c] field: the column is in drop"),
        ("[table.t]\ncolour = 1", "unknown field `colour`"),
        ("[table.t.columns.c]\ntype = \"date\"", "unknown variant `date`"),
        ("[table", "the profile my.toml is not valid: TOML parse error"),
    ];
    for (text, expected) in cases {
        let message = refused(text);
        assert!(message.contains(expected), "{text}\n{message}");
        assert!(message.contains("my.toml"), "{message}");
    }
    let later = Profile::parse("my.toml", "format = 2\nname = \"x\"").expect_err("later");
    assert_eq!(later.to_string(), "the profile my.toml has format 2, this program reads format 1");
    assert!(matches!(Profile::read("/nowhere/p.toml".as_ref()), Err(MappingError::ProfileUnreadable { .. })));
}

#[test]
fn built_in_profiles() {
    assert_eq!(Profile::built_in("open-webui").expect("there").expect("sound").name(), "open-webui");
    assert_eq!(Profile::built_in("generic").expect("there").expect("sound").name(), "generic");
    assert!(Profile::built_in("other").is_none());
}

fn table(name: &str, kind: &str, refers_to: &[&str]) -> Table {
    let keys: Vec<serde_json::Value> =
        refers_to.iter().map(|other| json!({"fields": ["other"], "reference": {"resource": other, "fields": ["id"]}})).collect();
    let field = |name: &str| json!({"name": name, "type": "any", "pannier": {"declared_type": "TEXT"}});
    serde_json::from_value(json!({"name": name, "path": [], "format": "", "mediatype": "", "bytes": 0,
        "schema": {"fields": [field("id"), field("other")], "primaryKey": ["id"], "foreignKeys": keys},
        "pannier": {"kind": kind, "rows": 1, "digest": ""}}))
    .expect("a table")
}

fn order(tables: &[Table], profile: &Profile) -> Vec<String> {
    let mapping = Mapping::derive(tables, profile).expect("a mapping");
    mapping.collections.into_iter().map(|collection| collection.name).collect()
}

#[test]
fn what_others_refer_to_comes_first() {
    let tables = [table("a", "table", &["b"]), table("b", "table", &["c", "b"]), table("c", "table", &["gone"]), table("d", "table", &[])];
    assert_eq!(order(&tables, &Profile::generic()), ["c", "b", "a", "d"]);
    let profile = Profile::parse("p", "format = 1\nname = \"p\"\norder = [\"d\", \"a\"]").expect("sound");
    assert_eq!(order(&tables, &profile), ["d", "c", "b", "a"]);
}

#[test]
fn cycles_are_broken() {
    let tables = [table("a", "table", &["c"]), table("b", "table", &["a"]), table("c", "table", &["b"])];
    assert_eq!(order(&tables, &Profile::generic()), ["a", "b", "c"]);
}

#[test]
fn some_tables_are_no_collections() {
    let tables = [table("t", "table", &[]), table("s", "shadow", &[]), table("i", "internal", &[]), table("alembic_version", "table", &[])];
    let mapping = Mapping::derive(&tables, &Profile::open_webui().expect("sound")).expect("a mapping");
    let reasons: Vec<&SkipReason> = mapping.skipped.iter().map(|skipped| &skipped.reason).collect();
    assert!(matches!(reasons[..], [SkipReason::Profile(_), SkipReason::Internal, SkipReason::Shadow]));
    assert_eq!(mapping.collections.len(), 1);
}

#[test]
fn names_do_not_collide() {
    let tables = [table("a-b", "table", &[]), table("a_b", "table", &[]), table("A_B", "table", &[]), table("users", "table", &[])];
    let names = order(&tables, &Profile::generic());
    let mut folded: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    folded.sort();
    folded.dedup();
    assert_eq!(folded.len(), 4, "{names:?}");
    assert!(names.contains(&"a_b".to_owned()) && names.contains(&"table_users".to_owned()));
}

#[test]
fn two_tables_for_one_collection_are_an_error() {
    let profile =
        Profile::parse("p.toml", "format = 1\nname = \"p\"\n[table.a]\ncollection = \"x\"\n[table.b]\ncollection = \"X\"").expect("sound");
    let error = Mapping::derive(&[table("a", "table", &[]), table("b", "table", &[])], &profile).expect_err("twice");
    assert_eq!(error.to_string(), "the profile p.toml maps both table a and table b to collection X");
    assert!(Mapping::derive(&[table("a", "table", &[])], &profile).is_ok(), "an absent table is no error");
}

#[test]
fn collections_are_locked() {
    let mapping = Mapping::derive(&[table("t", "table", &[])], &Profile::generic()).expect("a mapping");
    let collection = collection_json(&mapping.collections[0]);
    for rule in ["listRule", "viewRule", "createRule", "updateRule", "deleteRule"] {
        assert_eq!(collection.get(rule), Some(&serde_json::Value::Null), "{rule}");
    }
    assert_eq!(collection["fields"][0]["pattern"], "^[A-Za-z0-9_\\-]+$");
    assert_eq!(collection["indexes"][0], "CREATE UNIQUE INDEX `idx_t_id_nocase` ON `t` (`id` COLLATE NOCASE)");
}
