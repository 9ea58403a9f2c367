//! From rows to records: each rule of the mapping on small tables made for it.

use pannier_format::{Found, Table, Value};
use pannier_importer::mapping::{
    CollectionKind, Converter, ExternalAuth, Facts, FieldKind, FieldValue, FileContent, IdSet, Input, JsonEncoding, LossyKind, Mapping,
    Match, Profile, Record, RefusalReason, RelationConverter, Scanner, Secret, compare_field,
};
use serde_json::json;

/// A table with its rows.
struct Source {
    table: Table,
    rows: Vec<Vec<Value<'static>>>,
}

/// A table whose columns are `name TYPE` or `name TYPE!` for NOT NULL; its statistics are counted from the rows.
fn source(name: &str, columns: &[&str], primary_key: &[&str], rows: &[&[Value<'static>]]) -> Source {
    let fields: Vec<serde_json::Value> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let (name, declared) = column.split_once(' ').unwrap_or((column, ""));
            let mut found = Found::default();
            for row in rows {
                found.count(&row[index]);
            }
            let declared_type = declared.trim_end_matches('!');
            json!({"name": name, "type": "any", "pannier":
                {"declared_type": declared_type, "not_null": declared.ends_with('!'), "found": found}})
        })
        .collect();
    let table = json!({"name": name, "path": [], "format": "parquet", "mediatype": "", "bytes": 0,
        "schema": {"fields": fields, "primaryKey": primary_key},
        "pannier": {"kind": "table", "rows": rows.len(), "digest": ""}});
    let table = serde_json::from_value(table).expect("a table");
    Source { table, rows: rows.iter().map(|row| row.to_vec()).collect() }
}

/// A settled mapping with the facts of each collection, in its order.
fn settle(sources: &[Source], profile: &Profile) -> (Mapping, Vec<Facts>) {
    let tables: Vec<Table> = sources.iter().map(|source| source.table.clone()).collect();
    let mut mapping = Mapping::derive(&tables, profile).expect("a mapping");
    let rows = |name: &str| &sources.iter().find(|source| source.table.name == name).expect("a source").rows;
    let mut all = Vec::new();
    for collection in mapping.collections.clone() {
        let mut scanner = Scanner::new(&collection);
        if let Some(merge) = &collection.merge {
            for row in rows(&merge.table) {
                scanner.merged_row(row);
            }
        }
        rows(&collection.table).iter().enumerate().for_each(|(ordinal, row)| scanner.row(row, ordinal as u64));
        if scanner.needs_second_pass() {
            for row in rows(&collection.table) {
                scanner.row_again(row);
            }
        }
        let facts = scanner.finish();
        mapping.settle(&collection.table, &facts);
        all.push(facts);
    }
    (mapping, all)
}

/// The records of the first collection.
fn records(source: Source) -> (Mapping, Vec<serde_json::Value>) {
    records_with(&[source], &Profile::generic())
}

fn records_with(sources: &[Source], profile: &Profile) -> (Mapping, Vec<serde_json::Value>) {
    let (mapping, facts) = settle(sources, profile);
    let collection = &mapping.collections[0];
    let converter = Converter::new(collection, &facts[0]);
    let source = sources.iter().find(|source| source.table.name == collection.table).expect("a source");
    let bodies = source
        .rows
        .iter()
        .enumerate()
        .map(|(ordinal, row)| {
            let record = converter.convert(&Input { row, ordinal: ordinal as u64, file: None });
            body(&mapping, &record)
        })
        .collect();
    (mapping, bodies)
}

fn body(mapping: &Mapping, record: &Record<'_>) -> serde_json::Value {
    let mut out = Vec::new();
    record.write_body(&mapping.collections[0], None, &mut out);
    serde_json::from_slice(&out).expect("the body is JSON")
}

/// One column `v` of that type: what its values become, and what is lost.
fn values(declared: &str, profile: &Profile, values: &[Value<'static>]) -> (FieldKind, Vec<serde_json::Value>, Vec<Vec<LossyKind>>) {
    let rows: Vec<Vec<Value<'static>>> =
        values.iter().enumerate().map(|(id, value)| vec![Value::Integer(i64::try_from(id).expect("small")), *value]).collect();
    let rows: Vec<&[Value<'static>]> = rows.iter().map(Vec::as_slice).collect();
    let source = source("t", &["id INTEGER", &format!("v {declared}")], &["id"], &rows);
    let (mapping, facts) = settle(std::slice::from_ref(&source), profile);
    let converter = Converter::new(&mapping.collections[0], &facts[0]);
    let mut sent = Vec::new();
    let mut lost = Vec::new();
    for (ordinal, row) in source.rows.iter().enumerate() {
        let record = converter.convert(&Input { row, ordinal: ordinal as u64, file: None });
        assert_eq!(record.refused, Vec::new());
        sent.push(body(&mapping, &record)["v"].clone());
        lost.push(record.lossy.iter().map(|lossy| lossy.kind).collect());
    }
    (mapping.collections[0].fields[0].kind.clone(), sent, lost)
}

fn by_rule(declared: &str, given: &[Value<'static>]) -> (FieldKind, Vec<serde_json::Value>, Vec<Vec<LossyKind>>) {
    values(declared, &Profile::generic(), given)
}

fn text(text: &'static str) -> Value<'static> {
    Value::Text(text.as_bytes())
}

const JSON_VALUE: FieldKind = FieldKind::Json { max_bytes: 1 << 20, encoding: JsonEncoding::Value };
const JSON_DOCUMENT: FieldKind = FieldKind::Json { max_bytes: 1 << 20, encoding: JsonEncoding::Document };

#[test]
fn booleans() {
    let (kind, sent, lost) = by_rule("BOOLEAN", &[Value::Integer(0), Value::Integer(1), Value::Null, Value::Boolean(true)]);
    assert_eq!(kind, JSON_VALUE, "two classes are no bool");
    assert_eq!(sent, [json!("0"), json!("1"), json!(null), json!("true")]);
    assert!(lost.concat().is_empty());
    let (kind, sent, lost) = by_rule("BOOLEAN", &[Value::Integer(0), Value::Integer(1), Value::Null]);
    assert_eq!(kind, FieldKind::Bool);
    assert_eq!(sent, [json!(false), json!(true), json!(false)]);
    assert_eq!(lost.concat(), [LossyKind::NullAsFalse]);
    assert_eq!(by_rule("BOOLEAN", &[Value::Integer(2)]).0, FieldKind::Number);
    assert_eq!(by_rule("INTEGER", &[Value::Integer(1)]).0, FieldKind::Number);
}

#[test]
fn numbers() {
    let (kind, sent, lost) =
        by_rule("", &[Value::Integer(1 << 53), Value::Real(0.5), Value::Null, Value::Real(-0.0), Value::Real(f64::INFINITY)]);
    assert_eq!(kind, FieldKind::Number);
    assert_eq!(sent, [json!(1_u64 << 53), json!(0.5), json!(0), json!(0), json!(0)]);
    assert_eq!(lost.concat(), [LossyKind::NullAsZero, LossyKind::NumberSpelling, LossyKind::NotFinite]);
}

#[test]
fn big_integers_keep_their_digits() {
    let (kind, sent, lost) = by_rule("BIGINT", &[Value::Integer(1_700_000_000_123_456_789), Value::Integer(0), Value::Null]);
    assert_eq!(kind, JSON_VALUE);
    assert_eq!(sent, [json!("1700000000123456789"), json!("0"), json!(null)]);
    assert!(lost.concat().is_empty());
}

#[test]
fn exact_is_exact_whatever_the_data() {
    let profile = Profile::parse("p", "format = 1\nname = \"p\"\n[table.t]\nexact = [\"v\"]").expect("sound");
    let (kind, sent, _) = values("BIGINT", &profile, &[Value::Integer(5), Value::Null]);
    assert_eq!((kind, sent), (JSON_VALUE, vec![json!("5"), json!(null)]));
    assert_eq!(values("BIGINT", &profile, &[]).0, JSON_VALUE);
}

#[test]
fn texts() {
    let long: &'static str = "ö".repeat(4_000).leak();
    let (kind, sent, lost) = by_rule("TEXT", &[text(""), text(" a\0b\u{feff} "), Value::Null, Value::Text(b"a\xffb"), text(long)]);
    assert_eq!(kind, FieldKind::Text { max_chars: 16_384 });
    assert_eq!(sent[..4], [json!(""), json!(" a\0b\u{feff} "), json!(""), json!("a\u{fffd}b")]);
    assert_eq!(lost.concat(), [LossyKind::NullAsEmpty, LossyKind::NotUtf8]);
}

#[test]
fn blobs_are_encoded() {
    let (kind, sent, _) = by_rule("BLOB", &[Value::Blob(b"\0\xff"), Value::Blob(b"")]);
    assert_eq!((kind, sent), (FieldKind::Text { max_chars: 5_000 }, vec![json!("AP8="), json!("")]));
}

#[test]
fn mixed_classes_stay_apart() {
    let given =
        [text("12"), Value::Integer(12), Value::Real(1.5), Value::Real(f64::NEG_INFINITY), Value::Null, Value::Blob(b"a"), text("null")];
    let (kind, sent, lost) = by_rule("", &given);
    assert_eq!(kind, JSON_VALUE);
    // Each is the text of a JSON value: `"12"` with its quotes is a string, `12` a number.
    let expected = ["\"12\"", "12", "1.5", "\"-Infinity\"", "", "{\"$base64\":\"YQ==\"}", "\"null\""];
    for (sent, expected) in sent.iter().zip(expected) {
        assert_eq!(sent.as_str().unwrap_or_default(), expected);
    }
    assert_eq!(lost.concat(), [LossyKind::NotFinite]);
}

#[test]
fn json_text_stays_as_it_is() {
    let kept = [
        "null",
        "true",
        "{\"b\" : 1,\"a\":[5191566416123456789, 1.0]}",
        "\"12\"",
        "[\"\\ud83d\\ude00\"]",
        "{\"\":{\"$set\":-0.0}}",
        "0.30000000000000004",
        "-9223372036854775808",
    ];
    let (kind, sent, lost) = by_rule("JSON", &kept.map(text));
    assert_eq!(kind, JSON_DOCUMENT);
    assert_eq!(sent, kept.map(|kept| json!(kept)));
    assert!(lost.concat().is_empty(), "{lost:?}");
}

#[test]
fn what_is_not_json_becomes_a_string() {
    let cases: &[(&str, &str, LossyKind)] = &[
        ("{\"a\":NaN}", "\"{\\\"a\\\":NaN}\"", LossyKind::NotJson),
        ("", "\"\"", LossyKind::NotJson),
        ("{\"a\":1", "\"{\\\"a\\\":1\"", LossyKind::NotJson),
        ("{\"a\":1,\"a\":2}", "\"{\\\"a\\\":1,\\\"a\\\":2}\"", LossyKind::DuplicateKey),
        ("[1e400]", "\"[1e400]\"", LossyKind::NumberRange),
        ("18446744073709551617", "\"18446744073709551617\"", LossyKind::NumberDigits),
        ("1.2345678901234567e300", "\"1.2345678901234567e300\"", LossyKind::NumberDigits),
        ("1.0", "1.0", LossyKind::NumberSpelling),
        ("-0", "-0", LossyKind::NumberSpelling),
        ("\n {\"a\":1}\t", "{\"a\":1}", LossyKind::WhiteSpace),
        ("[\"\\ud800\"]", "[\"\\ud800\"]", LossyKind::LoneSurrogate),
    ];
    for (given, expected, loss) in cases {
        let (_, sent, lost) = by_rule("JSON", &[text(given)]);
        assert_eq!(sent, [json!(expected)], "{given}");
        assert_eq!(lost.concat(), [*loss], "{given}");
    }
    let deep: &'static str = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000)).leak();
    assert_eq!(by_rule("JSON", &[text(deep)]).2.concat(), [LossyKind::TooDeep]);
}

#[test]
fn json_columns_hold_other_classes_too() {
    let given = [Value::Integer(0), Value::Real(0.5), Value::Null, text("null")];
    let (kind, sent, lost) = by_rule("JSON", &given);
    assert_eq!((kind, sent), (JSON_DOCUMENT, vec![json!("0"), json!("0.5"), json!(null), json!("null")]));
    assert!(lost.concat().is_empty());
}

#[test]
fn a_wish_that_cannot_hold_the_data_is_noted() {
    let profile = Profile::parse("p", "format = 1\nname = \"p\"\n[table.t.columns.v]\ntype = \"bool\"").expect("sound");
    assert_eq!(values("INTEGER", &profile, &[Value::Integer(1)]).0, FieldKind::Bool);
    assert_eq!(values("INTEGER", &profile, &[Value::Integer(7)]).0, FieldKind::Number);
}

#[test]
fn keys_that_fit_are_the_ids() {
    let (mapping, bodies) = records(source("t", &["id TEXT", "a TEXT"], &["id"], &[&[text("a-B_1"), text("x")], &[text("b"), text("y")]]));
    assert_eq!(bodies[0]["id"], "a-B_1");
    assert!(mapping.collections[0].field("key").is_none());
}

#[test]
fn keys_that_do_not_are_kept_in_a_field() {
    let rows: &[&[Value<'static>]] = &[&[text("llama3.2:latest")], &[text("ok")], &[text("")], &[text("CON")], &[Value::Null]];
    let (mapping, bodies) = records(source("t", &["id TEXT"], &["id"], rows));
    let ids: Vec<&str> = bodies.iter().filter_map(|body| body["id"].as_str()).collect();
    assert_eq!(ids[1], "ok");
    assert!(ids.iter().enumerate().all(|(index, id)| index == 1 || id.len() == 26), "{ids:?}");
    assert_eq!(bodies[0]["key"], "llama3.2:latest");
    assert_eq!(bodies[1]["key"], "ok");
    assert!(mapping.collections[0].indexes.iter().any(|index| index.fields == ["key"]));
}

#[test]
fn keys_that_differ_in_case_are_all_derived() {
    let given = ["UPPER", "upper", "Mixed", "alone", "Upper", "mixedx"];
    let rows: Vec<Vec<Value<'static>>> = given.iter().map(|key| vec![text(key)]).collect();
    let rows: Vec<&[Value<'static>]> = rows.iter().map(Vec::as_slice).collect();
    let (_, bodies) = records(source("t", &["id TEXT"], &["id"], &rows));
    let kept: Vec<&str> = bodies.iter().filter_map(|body| body["id"].as_str()).filter(|id| id.len() < 26).collect();
    assert_eq!(kept, ["Mixed", "alone", "mixedx"]);
}

#[test]
fn a_twin_before_its_upper_case_partner_is_found() {
    let (_, bodies) = records(source("t", &["id TEXT"], &["id"], &[&[text("a")], &[text("A")]]));
    assert!(bodies.iter().all(|body| body["id"].as_str().is_some_and(|id| id.len() == 26)));
}

#[test]
fn an_integer_and_a_text_with_its_digits_are_two_keys() {
    let rows: &[&[Value<'static>]] = &[&[Value::Integer(1)], &[text("1")], &[text("x")]];
    let (_, bodies) = records(source("t", &["id ANY"], &["id"], rows));
    assert_eq!((&bodies[0]["id"], &bodies[2]["id"]), (&json!("1"), &json!("x")));
    assert_eq!(bodies[1]["id"].as_str().map(str::len), Some(26));
    assert_eq!((&bodies[0]["key"], &bodies[1]["key"]), (&json!("1"), &json!("\"1\"")));
}

#[test]
fn composite_keys_and_no_keys() {
    let rows: &[&[Value<'static>]] = &[&[text("a"), text("u")], &[text("a"), text("v")]];
    let (mapping, bodies) = records(source("t", &["id TEXT", "user TEXT"], &["id", "user"], rows));
    assert_eq!(mapping.collections[0].fields[0].name, "key");
    assert_ne!(bodies[0]["id"], bodies[1]["id"]);
    let (_, bodies) = records(source("t", &["a TEXT"], &[], &[&[text("x")], &[text("x")]]));
    assert_ne!(bodies[0]["id"], bodies[1]["id"]);
}

#[test]
fn one_column_of_a_longer_key() {
    let profile = Profile::parse("p", "format = 1\nname = \"p\"\n[table.t]\nid = \"id\"").expect("sound");
    let rows: &[&[Value<'static>]] = &[&[text("a"), text("u")], &[text("a"), text("v")], &[text("b"), text("u")]];
    let (mapping, bodies) = records_with(&[source("t", &["id TEXT", "user TEXT"], &["id", "user"], rows)], &profile);
    assert_eq!(bodies[2]["id"], "b");
    assert_eq!(bodies[0]["id"].as_str().map(str::len), Some(26));
    assert_ne!(bodies[0]["id"], bodies[1]["id"]);
    assert_eq!(bodies[0]["key"], "a");
    assert!(mapping.collections[0].indexes.iter().any(|index| index.fields == ["key"] && !index.unique));
}

#[test]
fn names_that_the_server_has_for_itself() {
    let columns = ["id TEXT", "created TEXT", "expand TEXT", "a.b TEXT", "a-b TEXT", "_x TEXT"];
    let row: &[Value<'static>] = &[text("i"), text("2020-01-01"), text("e"), text("1"), text("2"), text("3")];
    let (mapping, bodies) = records(source("_t", &columns, &["id"], &[row]));
    assert_eq!(mapping.collections[0].name, "t");
    assert_eq!(bodies[0]["created_raw"], "2020-01-01");
    assert_eq!(bodies[0]["expand_raw"], "e");
    assert_eq!(bodies[0]["a_b"], "1");
    assert_eq!(bodies[0]["x"], "3");
    assert_eq!(bodies[0].as_object().map(serde_json::Map::len), Some(6));
}

#[test]
fn created_and_updated() {
    let row: &[Value<'static>] = &[text("i"), Value::Integer(1_700_000_000_123_456_789), Value::Null];
    let source = source("t", &["id TEXT", "created_at BIGINT", "updated_at BIGINT"], &["id"], &[row]);
    let (mapping, facts) = settle(std::slice::from_ref(&source), &Profile::generic());
    let record = Converter::new(&mapping.collections[0], &facts[0]).convert(&Input { row, ordinal: 0, file: None });
    assert_eq!(record.created.as_deref(), Some("2023-11-14 22:13:20.123Z"));
    assert_eq!(record.updated, None);
    assert_eq!(record.values[0], FieldValue::Json("1700000000123456789".into()));
}

#[test]
fn what_is_sent_is_what_must_be_read() {
    let row: &[Value<'static>] = &[text("i"), text("{\"a\":\"<\\u00e9>\"}"), text("x\"y"), Value::Integer(7), Value::Null];
    let source = source("t", &["id TEXT", "j JSON", "t TEXT", "n INTEGER", "k JSON"], &["id"], &[row]);
    let (mapping, facts) = settle(std::slice::from_ref(&source), &Profile::generic());
    let record = Converter::new(&mapping.collections[0], &facts[0]).convert(&Input { row, ordinal: 0, file: None });
    let answers = ["{\"a\":\"\\u003c\u{e9}\\u003e\"}", "\"x\\\"y\"", "7", "null"];
    for (value, answer) in record.values.iter().zip(answers) {
        assert_eq!(compare_field(value, answer), Match::Same, "{answer}");
        assert_eq!(compare_field(value, "\"other\""), Match::Different, "{answer}");
    }
    assert_eq!(compare_field(&FieldValue::Json("null".into()), "null"), Match::Same);
}

#[test]
fn values_beyond_a_limit_are_foreseen() {
    let row: &[Value<'static>] = &[text("i"), text("abcdef")];
    let source = source("t", &["id TEXT", "a TEXT"], &["id"], &[row]);
    let (mut mapping, facts) = settle(std::slice::from_ref(&source), &Profile::generic());
    mapping.collections[0].fields[0].kind = FieldKind::Text { max_chars: 5 };
    let record = Converter::new(&mapping.collections[0], &facts[0]).convert(&Input { row, ordinal: 0, file: None });
    assert_eq!(record.refused[0].reason, RefusalReason::TooManyChars { chars: 6, max_chars: 5 });
}

const BCRYPT: &str = "$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234";

fn accounts() -> [Source; 2] {
    let columns = ["id TEXT", "email TEXT", "oauth JSON", "oauth_sub TEXT"];
    let rows: &[&[Value<'static>]] = &[
        &[text("u1"), text("a@example.com"), text("{\"google\":{\"sub\":\"1:\\u00e9\"},\"x\":{}}"), Value::Null],
        &[text("u2"), text("local@localhost"), text("null"), text("google@12@3")],
        &[text("u3"), text("a@example.com"), Value::Null, Value::Null],
        &[text("u4"), Value::Null, Value::Null, Value::Null],
    ];
    let user = source("user", &columns, &["id"], rows);
    let rows: &[&[Value<'static>]] = &[
        &[text("u1"), text("a@example.com"), text(BCRYPT), Value::Integer(1), text("secret")],
        &[text("u3"), text("a@example.com"), text("$argon2id$v=19$x"), Value::Integer(0), Value::Null],
        &[text("gone"), text("b@example.com"), text(BCRYPT), Value::Integer(1), Value::Null],
    ];
    let auth = source("auth", &["id TEXT", "email TEXT", "password TEXT", "active BOOLEAN", "mfa JSON"], &["id"], rows);
    [user, auth]
}

#[test]
fn accounts_come_from_two_tables() {
    let sources = accounts();
    let (mapping, facts) = settle(&sources, &Profile::open_webui().expect("sound"));
    let [users] = &mapping.collections[..] else { panic!("one collection: {:?}", mapping.collections.len()) };
    assert_eq!((users.name.as_str(), users.kind), ("users", CollectionKind::Auth));
    assert_eq!(facts[0].unmatched_keys(), ["gone"]);
    let converter = Converter::new(users, &facts[0]);
    let records: Vec<Record<'_>> = sources[0]
        .rows
        .iter()
        .enumerate()
        .map(|(ordinal, row)| converter.convert(&Input { row, ordinal: ordinal as u64, file: None }))
        .collect();
    let emails: Vec<serde_json::Value> = records.iter().map(|record| body(&mapping, record)["email"].clone()).collect();
    let placeholder = |id: &str| json!(format!("{id}@invalid-email.pannier.invalid"));
    assert_eq!(emails, [json!("a@example.com"), placeholder("u2"), placeholder("u3"), placeholder("u4")]);
    assert_eq!(body(&mapping, &records[2])["email_original"], "a@example.com");
    let secrets: Vec<Secret> = records.iter().filter_map(|record| record.secret.clone()).collect();
    assert_eq!(
        secrets,
        [Secret::Bcrypt(BCRYPT.to_owned()), Secret::Unsupported("none"), Secret::Unsupported("argon2"), Secret::Unsupported("none")]
    );
    let identity = |id: &str| vec![ExternalAuth { provider: "google".to_owned(), provider_id: id.to_owned() }];
    assert_eq!(records[0].external_auths, identity("1:é"));
    assert_eq!(records[1].external_auths, identity("12@3"));
    let mut out = Vec::new();
    records[0].write_body(users, Some("throw-away"), &mut out);
    let sent = String::from_utf8(out).expect("UTF-8");
    assert!(sent.contains("\"password\":\"throw-away\"") && sent.contains("\"verified\":true"));
    assert!(!sent.contains("$2b$") && !sent.contains("secret"), "{sent}");
    assert!(!format!("{records:?}").contains("$2b$"));
}

#[test]
fn tags_are_a_relation() {
    let tag_rows: &[&[Value<'static>]] =
        &[&[text("a/b"), text("A/B"), text("u")], &[text(""), text(""), text("u")], &[text("a/b"), text("x"), text("v")]];
    let tag = source("tag", &["id TEXT", "name TEXT", "user_id TEXT"], &["id", "user_id"], tag_rows);
    let row: &[Value<'static>] = &[text("c"), text("u"), text("{\"x\":1, \"tags\": [\"a/b\", \"\", \"gone\", \"a\\/b\"]}")];
    let broken: &[Value<'static>] = &[text("d"), text("u"), text("{\"tags\": [")];
    let none: &[Value<'static>] = &[text("e"), text("u"), text("{}")];
    let chat = source("chat", &["id TEXT", "user_id TEXT", "meta JSON"], &["id"], &[row, broken, none]);
    let (mapping, facts) = settle(&[tag, chat], &Profile::open_webui().expect("sound"));
    let names: Vec<&str> = mapping.collections.iter().map(|collection| collection.name.as_str()).collect();
    assert_eq!(names, ["tags", "chats"]);
    let (tags, chats) = (&mapping.collections[0], &mapping.collections[1]);
    let mut ids = IdSet::default();
    let converter = Converter::new(tags, &facts[0]);
    for (ordinal, row) in tag_rows.iter().enumerate() {
        let record = converter.convert(&Input { row, ordinal: ordinal as u64, file: None });
        let position = tags.fields.iter().position(|field| field.name == "id_comp").expect("a field");
        let id = row[0].as_str().unwrap_or_default();
        assert_eq!(record.values[position], FieldValue::Text(format!("{id}:{}", row[2].as_str().unwrap_or_default()).into()));
        ids.insert(&record.id);
    }
    let relation = RelationConverter::new(&chats.relations[0], tags, &facts[0], &ids);
    let update = relation.convert(row);
    assert_eq!((update.ids.len(), update.missing.as_slice()), (2, &["gone".to_owned()][..]));
    let mut out = Vec::new();
    update.write_body("tags", &mut out);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&out).expect("JSON"), json!({"tags": update.ids}));
    assert!(relation.convert(broken).unreadable);
    assert_eq!(relation.convert(none), pannier_importer::mapping::RelationUpdate::default());
}

#[test]
fn files_go_with_their_rows() {
    let row: &[Value<'static>] = &[text("f1"), text("a b.txt"), Value::Null];
    let file = source("file", &["id TEXT", "filename TEXT", "hash TEXT"], &["id"], &[row]);
    let (mapping, facts) = settle(std::slice::from_ref(&file), &Profile::open_webui().expect("sound"));
    let converter = Converter::new(&mapping.collections[0], &facts[0]);
    assert_eq!(converter.file_key(row, 0).as_deref(), Some("f1"));
    let content = FileContent { sha256: "00ff", bytes: 12 };
    let record = converter.convert(&Input { row, ordinal: 0, file: Some(content) });
    let sent = body(&mapping, &record);
    assert_eq!((&sent["sha256"], &sent["size"], sent.get("file")), (&json!("00ff"), &json!(12), None));
    let upload = record.upload.expect("a file");
    assert_eq!((upload.field.as_str(), upload.name.as_str(), upload.bytes), ("file", "a b.txt", 12));
    let without = converter.convert(&Input { row, ordinal: 0, file: None });
    assert_eq!((without.upload, body(&mapping, &without_file(&converter, row))["sha256"].clone()), (None, json!("")));
}

fn without_file<'a>(converter: &Converter<'a>, row: &'a [Value<'a>]) -> Record<'a> {
    converter.convert(&Input { row, ordinal: 0, file: None })
}
