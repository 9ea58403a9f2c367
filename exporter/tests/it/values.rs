//! Every value comes out as it went in: of each storage class, mixed in one column, at the edges of each.

use pannier_format::OwnedValue::{self, Blob, Integer, Null, Real, Text};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::support::{Bound, bundle, folder, problems, rows, snapshot};

fn values() -> Vec<OwnedValue> {
    vec![
        Null,
        Integer(0),
        Integer(-1),
        Integer(9_007_199_254_740_993),
        Integer(i64::MAX),
        Integer(i64::MIN),
        Real(0.0),
        Real(-0.0),
        Real(1.5),
        Real(1e300),
        Real(5e-324),
        Real(f64::MAX),
        Real(f64::INFINITY),
        Real(f64::NEG_INFINITY),
        Real(2.0),
        Text(b"".to_vec()),
        Text(b"plain".to_vec()),
        Text("Привет 😀 \u{202e}".into()),
        Text(b"a\0b\0".to_vec()),
        Text(b"\xff\xfe latin1 \xe9".to_vec()),
        Text(b"\xed\xa0\x80".to_vec()),
        Text(br#"{"a": NaN, "b": "\u0000"}"#.to_vec()),
        Text(b"null".to_vec()),
        Text(b"123".to_vec()),
        Blob(Vec::new()),
        Blob(b"text in a blob".to_vec()),
        Blob((0..=255).collect()),
    ]
}

/// Reals by their bits: `-0.0` is not `0.0`.
fn same(a: &OwnedValue, b: &OwnedValue) -> bool {
    match (a, b) {
        (Real(a), Real(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

#[test]
fn each_class_in_a_column_without_affinity() {
    let folder = folder();
    let path = folder.path().join("v.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE t(id INTEGER PRIMARY KEY, v)").unwrap();
    for (id, value) in values().iter().enumerate() {
        connection.execute("INSERT INTO t VALUES(?, ?)", (i64::try_from(id).unwrap(), Bound(value))).unwrap();
    }
    // NaN is stored as NULL: by SQLite, before anybody reads it.
    connection.execute("INSERT INTO t VALUES(?, ?)", (i64::try_from(values().len()).unwrap(), f64::NAN)).unwrap();
    connection.close().unwrap();
    let found = rows(&bundle(&path, &folder.path().join("o"), &[]), "t");
    let mut expected = values();
    expected.push(Null);
    assert_eq!(found.len(), expected.len());
    for (id, (row, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(row[0], Integer(id.try_into().unwrap()));
        assert!(same(&row[1], expected), "{:?} became {:?}", expected, row[1]);
    }
}

/// Columns whose declared types lie: what SQLite made of each value is what comes out, class and bits.
#[test]
fn each_class_in_columns_with_affinity() {
    let folder = folder();
    let path = folder.path().join("v.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE t(i INTEGER, r REAL, t TEXT, b BLOB, n JSON, d DATETIME, o BOOLEAN)").unwrap();
    for value in values() {
        connection.execute("INSERT INTO t SELECT ?1, ?1, ?1, ?1, ?1, ?1, ?1", [Bound(&value)]).unwrap();
    }
    let mut statement = connection.prepare("SELECT * FROM t ORDER BY rowid").unwrap();
    let mut expected: Vec<Vec<OwnedValue>> = Vec::new();
    let mut found = statement.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        expected.push(
            (0..7)
                .map(|column| match row.get_ref(column).unwrap() {
                    ValueRef::Null => Null,
                    ValueRef::Integer(integer) => Integer(integer),
                    ValueRef::Real(real) => Real(real),
                    ValueRef::Text(bytes) => Text(bytes.to_vec()),
                    ValueRef::Blob(bytes) => Blob(bytes.to_vec()),
                })
                .collect(),
        );
    }
    drop(found);
    drop(statement);
    connection.close().unwrap();
    let found = rows(&bundle(&path, &folder.path().join("o"), &[]), "t");
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        for (found, expected) in found.iter().zip(expected) {
            assert!(same(found, expected), "{expected:?} became {found:?}");
        }
    }
}

#[test]
fn fifty_mebibytes_in_one_cell() {
    let folder = folder();
    let path = folder.path().join("v.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE t(a, v)").unwrap();
    let large: Vec<u8> = (0..50_u32 << 20).map(|place| b"0123456789abcdef"[(place.wrapping_mul(2_654_435_761) >> 28) as usize]).collect();
    let large = Text(large);
    for a in 0..3 {
        connection.execute("INSERT INTO t VALUES(?, ?)", (a, Bound(if a == 1 { &large } else { &Null }))).unwrap();
    }
    connection.close().unwrap();
    let found = rows(&bundle(&path, &folder.path().join("o"), &[]), "t");
    assert_eq!(found.len(), 3);
    assert!(found[1][1] == large);
}

/// UTF-16 inside: the texts come as UTF-8; what SQLite cannot convert is counted.
#[test]
fn utf_16_databases() {
    for (encoding, lone) in [("UTF-16le", "x'00d8'"), ("UTF-16be", "x'd800'")] {
        let folder = folder();
        let path = folder.path().join("v.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(&format!(
                "PRAGMA encoding = '{encoding}'; CREATE TABLE t(a, b); INSERT INTO t VALUES('Привет 😀', x'61'); INSERT INTO t VALUES(CAST({lone} AS TEXT), 1);"
            ))
            .unwrap();
        connection.close().unwrap();
        let out = folder.path().join("o");
        let run = snapshot(&path, &out, &[]);
        assert_eq!(run.code, Some(3), "{run:?}");
        let made = pannier_format::Bundle::open(&out).unwrap();
        let found = rows(&made, "t");
        assert_eq!(found[0], [Text("Привет 😀".into()), Blob(b"a".to_vec())]);
        assert_eq!(problems(&made), [("invalid-utf-16".to_string(), "t.a".to_string())]);
        assert_eq!(made.package().pannier.source.settings["encoding"], encoding);
    }
}
