//! Any SQL schema: a database with everything that SQLite allows, through the profile that is derived from the schema alone.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may panic")]

use pannier_tests::fixture::Fixture;
use pannier_tests::pipeline::{inspect, whole_way};
use pannier_tests::pocketbase::{CURRENT, Pocketbase};

#[test]
fn a_schema_with_everything_that_sqlite_allows() {
    let fixture = Fixture::from_sql("torture.sql");
    let server = Pocketbase::start(CURRENT);
    let (bundle, report) = whole_way(&fixture, &server, &["--profile", "generic"]);
    assert_eq!(report["profile"], "generic");

    // Every table that SQLite knows is in the bundle, with as many rows.
    let source = fixture.connect();
    let mut names = source.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let inspected = inspect(&bundle);
    let tables = inspected["tables"].as_array().unwrap();
    assert!(names.len() > 50);
    for name in names {
        let count = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        let rows: i64 = source.query_row(&count, [], |row| row.get(0)).unwrap();
        let table = tables.iter().find(|table| table["name"] == name.as_str()).unwrap_or_else(|| panic!("no table {name:?}"));
        assert_eq!(table["rows"].as_i64(), Some(rows), "{name:?}");
    }
}
