//! Parquet that lies: about its size, its shape, its types and its values. Every lie is `table-unreadable`, or what it says
//! instead differs from the descriptor; nothing panics, and [`memory`](../memory.rs) measures what the bombs take.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forge;

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{ArrayRef, BooleanArray, Int64Array, LargeStringArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Fields};
use forge::parquet_file::{Lies, Page, Thrift, file, levels, plain_page, seal};
use forge::{Forged, PART, codes};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{WriterProperties, WriterVersion};
use serde_json::json;

/// What `verify` says of a table that is described with one column of texts, `rows` rows, and digest and findings of another.
fn judge(part: &[u8], rows: u64) -> String {
    let forged = Forged::with_part(part, rows, 1 << 20);
    let folder = tempfile::tempdir().unwrap();
    codes(&forged.write(folder.path()))
}

/// Readable, though not what the descriptor describes.
const OTHER: &str = "column-findings table-digest";
const REFUSED: &str = "table-unreadable";

fn truth(rows: i64) -> Lies {
    Lies { rows, values: rows, total_bytes: 100, groups: 1 }
}

#[test]
fn the_forger_can_tell_the_truth() {
    let page = plain_page(&[b"a", b"b", b"c"]);
    assert_eq!(judge(&file(&[page], &truth(3)), 3), OTHER);
    let dictionary = Page::honest(true, 1, 0, b"\x03\0\0\0abc");
    let mut indexes = levels(5);
    // Bit width 1, one run of five zeros.
    indexes.extend_from_slice(&[1, 10, 0]);
    assert_eq!(judge(&file(&[dictionary, Page::honest(false, 5, 8, &indexes)], &truth(5)), 5), OTHER);
}

#[test]
fn pages_that_lie() {
    let honest = || plain_page(&[b"a", b"b", b"c"]);
    let lie = |change: fn(&mut Page)| {
        let mut page = honest();
        change(&mut page);
        judge(&file(&[page], &truth(3)), 3)
    };
    let lies: [fn(&mut Page); 18] = [
        |page| page.unpacked_bytes = i64::from(i32::MAX),
        |page| page.unpacked_bytes = 60 << 20,
        |page| page.unpacked_bytes = -1,
        |page| page.unpacked_bytes = 1,
        |page| page.packed_bytes = i64::from(i32::MAX),
        |page| page.packed_bytes = -1,
        |page| page.packed_bytes = 1,
        |page| page.values = i64::from(i32::MAX),
        |page| page.values = -1,
        |page| page.values = 4,
        |page| page.encoding = 7,
        |page| page.encoding = 5,
        |page| page.encoding = 99,
        |page| page.unpacked_bytes += 1 << 32,
        |page| page.values += 1 << 32,
        |page| page.dictionary = true,
        |page| page.body = b"not zstd at all......".to_vec(),
        |page| page.body.clear(),
    ];
    for (number, change) in lies.into_iter().enumerate() {
        assert_eq!(lie(change), REFUSED, "lie {number}");
    }
    // A page that no reader knows, a second version of one, an endless header, one that says everything twice.
    for kind in [1, 3, 4, -1] {
        let mut thrift = Thrift::default();
        thrift.open().i32(1, kind).i32(2, 10).i32(3, 10).inner(5).i32(1, 3).i32(2, 0).close().close();
        let page = Page { raw_header: Some(thrift.bytes), ..honest() };
        assert_eq!(judge(&file(&[page], &truth(3)), 3), REFUSED, "kind {kind}");
    }
    for raw in [vec![0x1c; 1 << 20], vec![0x15; 1 << 20], vec![0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], vec![], vec![0]] {
        let page = Page { raw_header: Some(raw), ..honest() };
        assert_eq!(judge(&file(&[page], &truth(3)), 3), REFUSED);
    }
}

#[test]
fn footers_that_lie() {
    let page = || plain_page(&[b"a", b"b", b"c"]);
    let lie = |lies: Lies| judge(&file(&[page()], &lies), 3);
    assert_eq!(lie(Lies { rows: 4, ..truth(3) }), REFUSED);
    assert_eq!(lie(Lies { rows: i64::MAX, ..truth(3) }), REFUSED);
    assert_eq!(lie(Lies { rows: -1, ..truth(3) }), REFUSED);
    assert_eq!(lie(Lies { groups: 3, ..truth(3) }), "column-findings table-digest table-rows");
    assert_eq!(lie(Lies { rows: 0, groups: 0, ..truth(3) }), "column-findings table-digest table-rows");
    // The length of a footer, and what its lists claim.
    let whole = file(&[page()], &truth(3));
    for claim in [0, 1, u32::MAX, 1 << 30, u32::try_from(whole.len()).unwrap(), u32::try_from(whole.len()).unwrap() - 8] {
        let mut lying = whole.clone();
        let at = lying.len() - 8;
        lying[at..at + 4].copy_from_slice(&claim.to_le_bytes());
        assert_eq!(judge(&lying, 3), REFUSED, "footer of {claim} bytes");
    }
    for kind in [5, 8, 9, 12] {
        let mut footer = Thrift::default();
        footer.open().i32(1, 1).list(2, kind, u64::from(u32::MAX >> 1));
        let mut lying = b"PAR1".to_vec();
        seal(&mut lying, &footer.bytes);
        assert_eq!(judge(&lying, 3), REFUSED);
    }
    let mut deep = b"PAR1".to_vec();
    seal(&mut deep, &vec![0x1c; 4 << 20]);
    assert_eq!(judge(&deep, 3), REFUSED);
}

#[test]
fn what_is_no_parquet() {
    for part in [&b""[..], b"PAR1", b"PAR1PAR1", b"PAR1\0\0\0\0PAR1", &b"SQLite format 3\0".repeat(100)] {
        assert_eq!(judge(part, 0), REFUSED);
    }
    let whole = file(&[plain_page(&[b"a"])], &truth(1));
    for length in 0..whole.len() {
        assert_eq!(judge(&whole[..length], 1), REFUSED, "cut at {length}");
    }
    let mut encrypted = whole.clone();
    let end = encrypted.len();
    encrypted[end - 4..].copy_from_slice(b"PARE");
    assert_eq!(judge(&encrypted, 1), REFUSED);
    // Text that is not UTF-8, in a column that says that it is.
    assert_eq!(judge(&file(&[plain_page(&[b"\xff"])], &truth(1)), 1), REFUSED);
}

/// A part that the Parquet library itself wrote.
fn written(columns: Vec<(&str, ArrayRef)>, properties: WriterProperties) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    let mut part = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut part, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    part
}

fn plain(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let zstd = Compression::ZSTD(parquet::basic::ZstdLevel::try_new(1).unwrap());
    written(columns, WriterProperties::builder().set_compression(zstd).build())
}

#[test]
fn columns_that_are_others() {
    let texts = || Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef;
    assert_eq!(judge(&plain(vec![("v", texts())]), 2), OTHER);
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let booleans: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
    let mut list = ListBuilder::new(StringBuilder::new());
    list.append_value([Some("a")]);
    list.append(false);
    let nested: ArrayRef = Arc::new(list.finish());
    for columns in [
        vec![("v", numbers)],
        vec![("v", booleans)],
        vec![("v", nested)],
        vec![("w", texts())],
        vec![("V", texts())],
        vec![("v", texts()), ("w", texts())],
    ] {
        assert_eq!(judge(&plain(columns), 2), REFUSED);
    }
    // The Arrow schema that a part may carry is not followed.
    assert_eq!(judge(&plain(vec![("v", Arc::new(LargeStringArray::from(vec!["a", "b"])))]), 2), OTHER);
}

#[test]
fn encodings_that_let_few_bytes_stand_for_many() {
    let long = "x".repeat(1000);
    let texts = || Arc::new(StringArray::from(vec![long.as_str(); 100])) as ArrayRef;
    let zstd = Compression::ZSTD(parquet::basic::ZstdLevel::try_new(1).unwrap());
    let base = || WriterProperties::builder().set_compression(zstd).set_dictionary_enabled(false);
    assert_eq!(judge(&written(vec![("v", texts())], base().build()), 100), OTHER);
    for encoding in [Encoding::DELTA_BYTE_ARRAY, Encoding::DELTA_LENGTH_BYTE_ARRAY] {
        assert_eq!(judge(&written(vec![("v", texts())], base().set_encoding(encoding).build()), 100), REFUSED);
    }
    let second = base().set_writer_version(WriterVersion::PARQUET_2_0).set_encoding(Encoding::PLAIN).build();
    assert_eq!(judge(&written(vec![("v", texts())], second), 100), REFUSED);
}

/// Column, class and value of an odd value.
type Item<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a [u8]>);

/// What `verify` says of a column of odd values with the given items in its first row.
fn judge_odd(items: &[Item<'_>], value: Option<&str>) -> String {
    let fields = Fields::from(vec![
        Field::new("column", DataType::Utf8, true),
        Field::new("class", DataType::Utf8, true),
        Field::new("value", DataType::Binary, true),
    ]);
    let mut odd = ListBuilder::new(StructBuilder::from_fields(fields, 4));
    for (column, class, value) in items {
        odd.values().field_builder::<StringBuilder>(0).unwrap().append_option(*column);
        odd.values().field_builder::<StringBuilder>(1).unwrap().append_option(*class);
        odd.values().field_builder::<BinaryBuilder>(2).unwrap().append_option(*value);
        odd.values().append(true);
    }
    odd.append(true);
    let values: ArrayRef = Arc::new(StringArray::from(vec![value]));
    let part = plain(vec![("v", values), ("pannier_odd", Arc::new(odd.finish()))]);
    let mut forged = Forged::with_part(&part, 1, 1 << 20);
    forged.describe(|package| package["resources"][0]["pannier"]["odd"] = json!("pannier_odd"));
    forged.seal();
    let folder = tempfile::tempdir().unwrap();
    codes(&forged.write(folder.path()))
}

#[test]
fn odd_values_that_cannot_be() {
    let item = |column: &'static str, class: &'static str, value: &'static [u8]| (Some(column), Some(class), Some(value));
    for whole in [
        item("v", "integer", b"-7"),
        item("v", "blob", b""),
        item("v", "boolean", b"true"),
        item("v", "real", &[0x7f, 0xf8, 0, 0, 0, 0, 0, 1]),
    ] {
        assert_eq!(judge_odd(&[whole], None), OTHER, "{whole:?}");
    }
    for bad in [
        item("w", "integer", b"7"),
        item("", "integer", b"7"),
        item("v", "int", b"7"),
        item("v", "null", b""),
        item("v", "integer", b"7.0"),
        item("v", "integer", b"9223372036854775808"),
        item("v", "integer", b"\xff"),
        item("v", "boolean", b"1"),
        item("v", "real", b"1.5"),
        (None, Some("text"), Some(b"x")),
        (Some("v"), None, Some(b"x")),
        (Some("v"), Some("text"), None),
    ] {
        assert_eq!(judge_odd(&[bad], None), REFUSED, "{bad:?}");
    }
    assert_eq!(judge_odd(&[item("v", "integer", b"7"), item("v", "integer", b"8")], None), REFUSED);
    assert_eq!(judge_odd(&[item("v", "integer", b"7")], Some("a value too")), REFUSED);
    // A column of odd values of another type.
    let texts = || Arc::new(StringArray::from(vec!["a"])) as ArrayRef;
    let mut forged = Forged::with_part(&plain(vec![("v", texts()), ("pannier_odd", texts())]), 1, 1);
    forged.describe(|package| package["resources"][0]["pannier"]["odd"] = json!("pannier_odd"));
    forged.seal();
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(codes(&forged.write(folder.path())), REFUSED);
}

#[test]
fn random_damage_to_a_part_never_ends_the_program() {
    // Panics inside the Parquet library are caught and reported; the test is about that, not about their text.
    std::panic::set_hook(Box::new(|_| {}));
    let folder = tempfile::tempdir().unwrap();
    let mut forged = Forged::small();
    let honest = forged.get(PART).clone();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let start = std::time::Instant::now();
    let mut rounds = 0;
    while rounds < 20_000 && start.elapsed().as_secs() < 12 {
        let mut part = honest.clone();
        for _ in 0..=next(3) {
            let at = next(part.len());
            match next(5) {
                0 => part[at] ^= 1 << next(8),
                1 => part[at] = u8::try_from(next(256)).unwrap(),
                2 => part[at] = [0, 1, 0x7f, 0x80, 0xff][next(5)],
                3 => drop(part.splice(at..(at + next(8)).min(part.len()), [])),
                _ => part.insert(at, u8::try_from(next(256)).unwrap()),
            }
        }
        *forged.get(PART) = part;
        forged.seal();
        let found = codes(&forged.write(folder.path()));
        assert!(!found.contains("member"), "{found}");
        rounds += 1;
    }
    drop(std::panic::take_hook());
    assert!(rounds > 500, "{rounds} rounds in {:?}", start.elapsed());
}
