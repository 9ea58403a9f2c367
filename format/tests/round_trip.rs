//! What is written comes back: every storage class, mixed ones, long ones, many parts' worth of rows, blobs of every size.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read;

use pannier_format::{
    BlobEntry, BlobState, Bundle, BundleWriter, Column, ColumnInfo, Error, OwnedValue, Problem, SourceInfo, Table, TableKind, Value,
    WriterOptions, verify,
};

fn columns(names: &[(&str, &str)]) -> Vec<Column> {
    names
        .iter()
        .map(|(name, kind)| Column::declare(name, ColumnInfo { declared_type: (*kind).to_owned(), ..ColumnInfo::default() }))
        .collect()
}

fn options() -> WriterOptions {
    WriterOptions { name: "test".to_owned(), epoch_s: Some(1_700_000_000) }
}

fn read_all(bundle: &Bundle, name: &str) -> Vec<Vec<OwnedValue>> {
    let mut reader = bundle.rows(bundle.table(name).unwrap()).unwrap();
    let mut rows = Vec::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        assert_eq!(batch.first_row(), rows.len() as u64);
        let mut row = Vec::new();
        for index in 0..batch.rows() {
            batch.row(index, &mut row);
            rows.push(row.iter().map(Value::to_owned).collect());
        }
    }
    rows
}

fn assert_whole(path: &std::path::Path) {
    let report = verify(path, &mut |_| {}).unwrap();
    assert_eq!(report.problems, [], "{:?}", report.problems);
}

#[test]
fn every_class_in_every_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let values = [
        Value::Null,
        Value::Boolean(true),
        Value::Integer(i64::MAX),
        Value::Integer(i64::MIN),
        Value::Real(-0.0),
        Value::Real(f64::INFINITY),
        Value::Real(f64::from_bits(0x7ff8_0000_0000_0001)),
        Value::Text(b""),
        Value::Text("nul\0 und ünïcode".as_bytes()),
        Value::Text(b"\xff\xfe not utf-8"),
        Value::Blob(b""),
        Value::Blob(b"\0\x01"),
    ];
    // Every value in every column, so that each column is mostly something else than this value.
    let names = [("b", "BOOLEAN"), ("i", "INTEGER"), ("r", "REAL"), ("t", "TEXT"), ("x", "BLOB"), ("pannier_odd", "")];
    let rows: Vec<Vec<Value<'_>>> =
        (0..values.len() * 6).map(|row| (0..6).map(|column| values[(row + column * 5) % values.len()]).collect()).collect();
    let mut writer = BundleWriter::create(&path, options()).unwrap();
    let mut table = writer.table(Table::declare("mixed/.. таблица", TableKind::Table, columns(&names))).unwrap();
    for row in &rows {
        table.push(row).unwrap();
    }
    let written = table.finish().unwrap();
    assert_eq!(written.pannier.odd.as_deref(), Some("pannier_odd_"));
    writer.finish(SourceInfo::default()).unwrap();
    assert_whole(&path);
    let bundle = Bundle::open(&path).unwrap();
    let read = read_all(&bundle, "mixed/.. таблица");
    for (row, (expected, found)) in rows.iter().zip(&read).enumerate() {
        for (column, (expected, found)) in expected.iter().zip(found).enumerate() {
            // Canonical encodings are compared, since NaN is unequal to itself.
            assert_eq!(
                pannier_format::digest::encode(&[*expected]),
                pannier_format::digest::encode(&[found.as_value()]),
                "row {row}, column {column}"
            );
        }
    }
    assert_eq!(rows.len(), read.len());
}

#[test]
fn long_cells_and_many_rows_stay_in_order_and_in_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let long = vec![b'x'; 20 << 20];
    let mut writer = BundleWriter::create(&path, options()).unwrap();
    let mut table = writer.table(Table::declare("t", TableKind::Table, columns(&[("id", "INTEGER"), ("text", "TEXT")]))).unwrap();
    for id in 0..200_000_i64 {
        let text: &[u8] = if id % 50_000 == 7 { &long } else { b"short" };
        table.push(&[Value::Integer(id), Value::Text(text)]).unwrap();
    }
    table.finish().unwrap();
    let mut empty = writer.table(Table::declare("empty", TableKind::Table, columns(&[("id", "INTEGER")]))).unwrap();
    assert!(matches!(empty.push(&[]), Err(Error::RowWidth { expected: 1, found: 0, .. })));
    empty.finish().unwrap();
    let summary = writer.finish(SourceInfo::default()).unwrap();
    let found = summary.package.resources[1].schema.fields[0].pannier.found;
    assert_eq!((found.integers, found.smallest, found.largest), (200_000, Some(0), Some(199_999)));
    assert_whole(&path);
    let bundle = Bundle::open(&path).unwrap();
    assert_eq!(bundle.identity(), summary.identity);
    let mut reader = bundle.rows(bundle.table("t").unwrap()).unwrap();
    let mut next = 0;
    while let Some(batch) = reader.next_batch().unwrap() {
        let mut row = Vec::new();
        for index in 0..batch.rows() {
            batch.row(index, &mut row);
            assert_eq!(row[0], Value::Integer(next));
            assert_eq!(row[1].bytes(), if next % 50_000 == 7 { 20 << 20 } else { 5 });
            next += 1;
        }
    }
    assert_eq!(next, 200_000);
    assert!(read_all(&bundle, "empty").is_empty());
}

#[test]
fn blobs_are_stored_once_and_indexed_with_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let text = "compressible ".repeat(1000).into_bytes();
    let large: Vec<u8> = (0..9_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).take(9 << 20).collect();
    let mut writer = BundleWriter::create(&path, options()).unwrap();
    let mut expected = Vec::new();
    for (name, content) in [(&b"a"[..], &text[..]), (b"copy \xff\n", &text), (b"large", &large), (b"empty", b""), (b"small", b"xyz")] {
        let blob = writer.blob(&mut &*content).unwrap();
        assert_eq!(blob.bytes, content.len() as u64);
        let entry = BlobEntry {
            location: "uploads".to_owned(),
            path: name.to_vec(),
            state: BlobState::Present,
            bytes: Some(blob.bytes),
            sha256: Some(blob.sha256),
            modified_ns: Some(-1),
            table: Some("file".to_owned()),
            key: Some(String::new()),
            column: None,
            claimed_path: Some(b"/app/\xfe".to_vec()),
        };
        writer.blob_entry(&entry).unwrap();
        expected.push((entry, content));
    }
    writer.problem(&Problem::new("file-missing", "x", "y")).unwrap();
    let summary = writer.finish(SourceInfo::default()).unwrap();
    assert_eq!(summary.package.pannier.blobs.blobs, 4);
    assert_whole(&path);
    let bundle = Bundle::open(&path).unwrap();
    let entries: Vec<BlobEntry> = bundle.blob_entries().unwrap().map(Result::unwrap).collect();
    assert_eq!(entries.len(), expected.len());
    for (found, (entry, content)) in entries.iter().zip(expected) {
        assert_eq!(*found, entry);
        let mut read = Vec::new();
        bundle.blob(found.sha256.as_ref().unwrap()).unwrap().unwrap().read_to_end(&mut read).unwrap();
        assert!(read == content);
    }
    assert!(bundle.blob(&"0".repeat(64)).unwrap().is_none());
    assert!(bundle.member("report/problems.ndjson").unwrap().unwrap().starts_with(b"{\"code\":\"file-missing\""));
}

#[test]
fn nothing_is_published_before_finish_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let mut writer = BundleWriter::create(&path, options()).unwrap();
    let table = writer.table(Table::declare("t", TableKind::Table, columns(&[("id", "")]))).unwrap();
    drop(table);
    assert!(matches!(writer.finish(SourceInfo::default()), Err(Error::TableUnfinished { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let writer = BundleWriter::create(&path, options()).unwrap();
    std::fs::write(&path, "somebody else's").unwrap();
    assert!(matches!(writer.finish(SourceInfo::default()), Err(Error::OutputExists { .. })));
    assert!(matches!(BundleWriter::create(&path, options()), Err(Error::OutputExists { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"somebody else's");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_same_rows_make_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let path = folder.path().join(name);
        let mut writer = BundleWriter::create(&path, options()).unwrap();
        let mut table = writer.table(Table::declare("t", TableKind::Table, columns(&[("id", ""), ("x", "")]))).unwrap();
        for id in 0..10_000 {
            table.push(&[Value::Integer(id), if id % 3 == 0 { Value::Null } else { Value::Real(0.5) }]).unwrap();
        }
        table.finish().unwrap();
        writer.finish(SourceInfo::default()).unwrap();
        std::fs::read(path).unwrap()
    };
    assert!(write("a.tar") == write("b.tar"));
}
