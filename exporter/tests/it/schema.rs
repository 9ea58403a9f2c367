//! Tables, keys and indexes by introspection; views, virtual tables and the engine's own tables do not trip it.

use pannier_format::{OwnedValue, TableKind};
use rusqlite::Connection;

use crate::support::{bundle, database, folder, names, problems, program, rows, snapshot, url};

const SCRIPT: &str = r#"
    CREATE TABLE parent(id TEXT PRIMARY KEY, "odd ""name""" TEXT NOT NULL DEFAULT 'x''y', UNIQUE(id, "odd ""name"""));
    CREATE TABLE child(a INTEGER, b TEXT REFERENCES parent, c TEXT, FOREIGN KEY(a, c) REFERENCES nowhere(x, y));
    CREATE INDEX child_c ON child(c);
    CREATE UNIQUE INDEX child_partial ON child(a) WHERE a > 0;
    CREATE UNIQUE INDEX child_ab ON child(a, b);
    CREATE INDEX child_expression ON child(lower(c), b);
    CREATE INDEX child_nocase ON child(c COLLATE NOCASE DESC);
    CREATE TABLE pairs(k2 TEXT, k1 TEXT, v, PRIMARY KEY(k1, k2)) WITHOUT ROWID;
    CREATE TABLE made(a INTEGER, twice AS (a * 2), thrice INTEGER GENERATED ALWAYS AS (a * 3) STORED, b);
    CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, rowid TEXT);
    CREATE TABLE "it's?a*b%c$d#e"(x);
    CREATE TABLE "таблица"(x);
    CREATE VIEW v AS SELECT * FROM child; -- a comment
    CREATE TRIGGER tr AFTER INSERT ON child BEGIN INSERT INTO "таблица" VALUES(new.a); SELECT 1; END;
    CREATE VIRTUAL TABLE search USING fts5(body);
    INSERT INTO parent VALUES('p', 'q');
    INSERT INTO child VALUES(1, 'p', 'c');
    INSERT INTO pairs VALUES('b', 'a', 1), ('a', 'b', 2), ('a', 'a', 3);
    INSERT INTO made(a, b) VALUES(5, 'x');
    INSERT INTO counted VALUES(7, 'seven'), (3, 'three');
    INSERT INTO search VALUES('some words');
    ANALYZE;
"#;

#[test]
fn tables_of_every_kind() {
    let folder = folder();
    let source = database(folder.path(), SCRIPT);
    let made = bundle(&source, &folder.path().join("o"), &[]);
    let kind = |name: &str| made.table(name).map(|table| table.pannier.kind);
    assert_eq!(kind("parent"), Some(TableKind::Table));
    assert_eq!(kind("it's?a*b%c$d#e"), Some(TableKind::Table));
    assert_eq!(kind("search_content"), Some(TableKind::Shadow));
    assert_eq!(kind("sqlite_sequence"), Some(TableKind::Internal));
    assert_eq!(kind("sqlite_stat1"), Some(TableKind::Internal));
    assert_eq!((kind("search"), kind("v"), kind("sqlite_schema")), (None, None, None));
    let integer = OwnedValue::Integer;
    let text = |text: &str| OwnedValue::Text(text.into());
    // Without a rowid the order is the key's; with one, the rowid's, also where a column has taken its name.
    assert_eq!(rows(&made, "pairs").iter().map(|row| row[2].clone()).collect::<Vec<_>>(), [integer(3), integer(1), integer(2)]);
    assert_eq!(rows(&made, "counted"), [vec![integer(3), text("three")], vec![integer(7), text("seven")]]);
    assert_eq!(rows(&made, "made"), [vec![integer(5), integer(10), integer(15), text("x")]]);
    assert_eq!(rows(&made, "таблица"), [vec![integer(1)]]);
}

#[test]
fn keys_and_indexes() {
    let folder = folder();
    let source = database(folder.path(), SCRIPT);
    let made = bundle(&source, &folder.path().join("o"), &[]);
    let parent = made.table("parent").unwrap();
    assert_eq!(parent.schema.primary_key, ["id"]);
    assert_eq!(parent.pannier.unique, [["id", "odd \"name\""]]);
    let odd = &parent.schema.fields[1];
    assert_eq!((odd.name.as_str(), odd.pannier.not_null, odd.pannier.default.as_deref()), ("odd \"name\"", true, Some("'x''y'")));
    let child = made.table("child").unwrap();
    let keys: Vec<(Vec<String>, String, Vec<String>)> = child
        .schema
        .foreign_keys
        .iter()
        .map(|key| (key.fields.clone(), key.reference.resource.clone(), key.reference.fields.clone()))
        .collect();
    assert_eq!(
        keys,
        [(vec!["b".into()], "parent".into(), vec![]), (vec!["a".into(), "c".into()], "nowhere".into(), vec!["x".into(), "y".into()]),]
    );
    assert_eq!(child.pannier.unique, [["a", "b"]]);
    let indexes: Vec<(&str, bool, bool, usize)> =
        child.pannier.indexes.iter().map(|index| (index.name.as_str(), index.unique, index.partial, index.columns.len())).collect();
    assert_eq!(
        indexes,
        [
            ("child_c", false, false, 1),
            ("child_partial", true, true, 1),
            ("child_ab", true, false, 2),
            ("child_expression", false, true, 2),
            ("child_nocase", false, true, 1),
        ]
    );
    assert_eq!(made.table("pairs").unwrap().schema.primary_key, ["k1", "k2"]);
    let generated: Vec<bool> = made.table("made").unwrap().schema.fields.iter().map(|column| column.pannier.generated).collect();
    assert_eq!(generated, [false, true, true, false]);
}

/// The script in the bundle makes the same schema again.
#[test]
fn the_script_runs() {
    let folder = folder();
    let source = database(folder.path(), SCRIPT);
    let made = bundle(&source, &folder.path().join("o"), &[]);
    let script = String::from_utf8(made.member("schema/schema.sql").unwrap().unwrap()).unwrap();
    let again = Connection::open_in_memory().unwrap();
    again.execute_batch(&script).unwrap();
    let schema = |connection: &Connection| -> Vec<(String, String, Option<String>)> {
        let mut statement =
            connection.prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY 1, 2").unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(schema(&again), schema(&Connection::open(&source).unwrap()));
    let objects: Vec<serde_json::Value> = serde_json::from_slice(&made.member("schema/objects.json").unwrap().unwrap()).unwrap();
    assert!(objects.iter().any(|object| object["type"] == "trigger" && object["name"] == "tr" && object["tbl_name"] == "child"));
}

#[test]
fn a_module_that_nobody_knows() {
    let folder = folder();
    let source =
        database(folder.path(), "CREATE TABLE t(a); INSERT INTO t VALUES(1); CREATE TABLE vec_data(x); INSERT INTO vec_data VALUES(2);");
    let connection = Connection::open(&source).unwrap();
    connection
        .execute_batch(
            "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES('table', 'vec', 'vec', 0, 'CREATE VIRTUAL TABLE vec USING vec0(embedding float[4])');",
        )
        .unwrap();
    connection.close().unwrap();
    let made = bundle(&source, &folder.path().join("o"), &[]);
    assert_eq!(rows(&made, "vec_data"), [[OwnedValue::Integer(2)]]);
    assert!(made.table("vec").is_none());
    assert!(String::from_utf8(made.member("schema/schema.sql").unwrap().unwrap()).unwrap().contains("USING vec0"));
}

/// Changes the DDL of `t` as nobody but a stranger would.
fn with_ddl(folder: &std::path::Path, script: &str, ddl: &[u8]) -> std::path::PathBuf {
    let source = database(folder, script);
    let connection = Connection::open(&source).unwrap();
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
    connection.execute_batch("PRAGMA writable_schema = ON").unwrap();
    connection.execute("UPDATE sqlite_schema SET sql = CAST(? AS TEXT) WHERE name = 't'", [ddl]).unwrap();
    connection.close().unwrap();
    source
}

#[test]
fn a_name_that_is_not_utf_8() {
    let folder = folder();
    let source = with_ddl(folder.path(), "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 'real value');", b"CREATE TABLE t(a, \"b\xff\")");
    let run = snapshot(&source, &folder.path().join("o"), &[]);
    let expected = "error: table t has a name that is not UTF-8\n\
                    hint: rename it with ALTER TABLE in the sqlite3 program, or report it\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), expected));
    assert_eq!(names(folder.path()), ["source.db"]);
}

#[test]
fn a_ddl_that_is_not_utf_8() {
    let folder = folder();
    let source = with_ddl(folder.path(), "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 2);", b"CREATE TABLE t(a, b DEFAULT '\xff')");
    let run = snapshot(&source, &folder.path().join("o"), &[]);
    assert_eq!(run.code, Some(3), "{run:?}");
    let made = pannier_format::Bundle::open(&folder.path().join("o")).unwrap();
    assert_eq!(problems(&made), [("invalid-utf-8-ddl".to_string(), "t".to_string())]);
    assert_eq!(rows(&made, "t"), [[OwnedValue::Integer(1), OwnedValue::Integer(2)]]);
}

/// Old schemas with texts in double quotes stay readable.
#[test]
fn a_text_in_double_quotes() {
    let folder = folder();
    let source = database(
        folder.path(),
        r#"CREATE TABLE t(a, b DEFAULT "x", c AS (a || "y"), CHECK(a <> "z")); INSERT INTO t(a) VALUES('a'); CREATE INDEX i ON t(a) WHERE a <> "w";"#,
    );
    let text = |text: &str| OwnedValue::Text(text.into());
    assert_eq!(rows(&bundle(&source, &folder.path().join("o"), &[]), "t"), [[text("a"), text("x"), text("ay")]]);
}

/// With a function that nobody has here, and with one that fails on a row.
#[test]
fn generated_columns_that_cannot_be_computed() {
    let folder = folder();
    let source = with_ddl(
        folder.path(),
        "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, '{');
         CREATE TABLE j(a); INSERT INTO j VALUES('{');
         ALTER TABLE j ADD COLUMN b AS (json_extract(a, '$.x')); ALTER TABLE j ADD COLUMN c AS (a || '!');",
        b"CREATE TABLE t(a, b, c AS (mine(a)), d AS (a + 1) STORED)",
    );
    let out = folder.path().join("o");
    let run = snapshot(&source, &out, &[]);
    assert_eq!(run.code, Some(3), "{run:?}");
    let made = pannier_format::Bundle::open(&out).unwrap();
    let unusable = |object: &str| ("generated-column-unusable".to_string(), object.to_string());
    assert_eq!(problems(&made), [unusable("j.b"), unusable("t.c")]);
    let text = |text: &str| OwnedValue::Text(text.into());
    assert_eq!(rows(&made, "j"), [[text("{"), text("{!")]]);
    assert_eq!(rows(&made, "t")[0][..2], [OwnedValue::Integer(1), text("{")]);
}

/// `plan` says what would end a snapshot, and looks at the other tables all the same.
#[test]
fn a_table_that_cannot_be_read() {
    let folder = folder();
    let columns: Vec<String> = (0..1100).map(|number| format!("c{number}")).collect();
    // The texts of UTF-16 databases are read twice, and SQLite answers with 2000 columns at most.
    let script =
        format!("PRAGMA encoding = 'UTF-16le'; CREATE TABLE wide({}); CREATE TABLE z(a); INSERT INTO z VALUES(1);", columns.join(","));
    let source = database(folder.path(), &script);
    let run = program().args(["plan", "--json", "--source", &url(&source)]).output().unwrap();
    assert_eq!(run.status.code(), Some(3));
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    let problem = serde_json::json!({"code": "table-unreadable", "object": "wide", "detail": report["problems"][0]["detail"]});
    assert_eq!(report["problems"], serde_json::json!([problem]));
    assert!(
        problem["detail"].as_str().unwrap().starts_with("a snapshot would fail: table wide cannot be read after 0 rows: too many columns")
    );
    assert_eq!(report["tables"][1]["rows"], 1);
    assert_eq!(snapshot(&source, &folder.path().join("o"), &[]).code, Some(1));
}
