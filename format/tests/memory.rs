//! What bombs take in memory. One test in a binary of its own: the peak of a process is that of all its tests.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forge;

use std::io::Read;

use forge::parquet_file::{Lies, Page, Thrift, file, levels, seal};
use forge::{Forged, codes};

const REFUSED: &str = "table-unreadable";

/// A figure of this process in MiB.
fn status_mib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

/// Many zeros in few bytes.
fn zeros(bytes: u64) -> Vec<u8> {
    zstd::encode_all(std::io::repeat(0).take(bytes), 1).unwrap()
}

/// Verifies what was forged and holds the peak against its bound; what forging took is not counted.
fn judge(name: &str, forged: Forged, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = forged.write(folder.path());
    drop(forged);
    // Starts the peak anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (before, start) = (status_mib("VmRSS"), std::time::Instant::now());
    assert_eq!(codes(&path), expected, "{name}");
    let rise = status_mib("VmHWM").saturating_sub(before);
    assert!(rise < 256, "{name}: the peak rose by {rise} MiB");
    assert!(start.elapsed().as_secs() < 60, "{name} took {:?}", start.elapsed());
}

fn page(dictionary: bool, values: i64, encoding: i64, unpacked_bytes: i64, body: Vec<u8>) -> Page {
    Page { dictionary, unpacked_bytes, packed_bytes: i64::try_from(body.len()).unwrap(), values, encoding, body, raw_header: None }
}

fn truth(rows: i64) -> Lies {
    Lies { rows, values: rows, total_bytes: 100, groups: 1 }
}

/// A page of many zeros, one that is told apart from its neighbours by its claim.
fn page_bombs() {
    let bomb = zeros(1 << 30);
    let cell = |pages: &[Page], rows: i64, longest: u64| Forged::with_part(&file(pages, &truth(rows)), rows.unsigned_abs(), longest);
    judge("a page that claims what it has", cell(&[page(false, 3, 0, 1 << 30, bomb.clone())], 3, 100), REFUSED);
    judge("a page that claims less", cell(&[page(false, 3, 0, 1 << 20, bomb.clone())], 3, 100), REFUSED);
    judge("a dictionary", cell(&[page(true, 3, 0, 1 << 30, bomb), page(false, 3, 8, 10, zeros(10))], 3, 100), REFUSED);
    let many: Vec<Page> = (0..100).map(|_| page(false, 1, 0, 32 << 20, zeros(32 << 20))).collect();
    judge("many pages within the bound each", cell(&many, 100, 100), REFUSED);
    let unpacked = Page { packed_bytes: i64::from(i32::MAX), ..page(false, 3, 0, 10, zeros(10)) };
    judge("a page that is claimed to be stored", cell(&[unpacked], 3, 100), REFUSED);
    // Honest about its bound, a page may fill it.
    judge("a page as large as allowed", cell(&[page(false, 3, 0, 64 << 20, zeros(64 << 20))], 3, 100), REFUSED);
}

/// One long text that a run of indexes repeats a million times.
fn dictionary_bombs() {
    let text = vec![b'x'; 32 << 20];
    let mut dictionary = u32::try_from(text.len()).unwrap().to_le_bytes().to_vec();
    dictionary.extend(text);
    let dictionary = page(true, 1, 0, i64::try_from(dictionary.len()).unwrap(), zstd::bulk::compress(&dictionary, 1).unwrap());
    let rows = 1 << 20;
    let mut indexes = levels(rows);
    let mut run = Thrift::default();
    run.varint(rows << 1).bytes.push(0);
    indexes.push(1);
    indexes.extend(run.bytes);
    let data = Page::honest(false, 1 << 20, 8, &indexes);
    judge("a dictionary bomb", Forged::with_part(&file(&[dictionary, data], &truth(1 << 20)), rows, 32 << 20), REFUSED);
    let nothing = Page::honest(false, i64::from(i32::MAX), 8, &indexes);
    judge("rows without end", Forged::with_part(&file(&[nothing], &truth(i64::from(i32::MAX))), 1 << 31, 100), REFUSED);
}

fn footer_bombs() {
    // As many row groups as a footer has room for; no page of theirs is ever right.
    let lies = Lies { groups: 130_000, ..truth(3) };
    judge("a footer of row groups", Forged::with_part(&file(&[page(false, 3, 0, 20, zeros(20))], &lies), 3, 100), REFUSED);
    let columns: u64 = 700_000;
    let mut footer = Thrift::default();
    footer.open().i32(1, 1).list(2, 12, columns + 1);
    footer.open().text(4, "s").i32(5, i64::try_from(columns).unwrap()).close();
    for _ in 0..columns {
        footer.open().i32(1, 6).i32(3, 1).text(4, "v").close();
    }
    footer.i64(3, 0).list(4, 12, 0).close();
    let mut part = b"PAR1".to_vec();
    seal(&mut part, &footer.bytes);
    judge("a footer of columns", Forged::with_part(&part, 0, 100), REFUSED);
}

/// A few megabytes that unpack to 100 GiB: reading stops where the index says that the content ends.
fn blob_bomb() {
    let mut forged = Forged::small();
    let member = forged.packed_path();
    *forged.get(&member) = zeros(64 << 20).repeat(1600);
    forged.seal();
    judge("a blob of 100 GiB", forged, "blob-content");
}

fn descriptor_bombs() {
    let column = r#"{"name":"a","type":"","pannier":{"declared_type":""}}"#;
    for (place, element, count, expected) in [
        ("\"fields\": [", column, 1_000_000, "descriptor"),
        ("\"fields\": [", column, 300_000, "descriptor table-unreadable"),
        ("\"unique\": [", "[]", 5_500_000, "whole"),
        ("\"path\": [", "\"\"", 5_500_000, "descriptor more-problems"),
        ("\"resources\": [", "1", 8_000_000, "descriptor"),
    ] {
        let mut forged = Forged::small();
        let descriptor = forged.get("data/datapackage.json");
        let text = String::from_utf8(std::mem::take(descriptor)).unwrap();
        let at = text.find(place).unwrap() + place.len();
        let comma = if text[at..].starts_with(']') { "" } else { "," };
        let elements = vec![element; count].join(",");
        *descriptor = [&text[..at], &elements, comma, &text[at..]].concat().into_bytes();
        drop(elements);
        forged.seal();
        judge(&format!("{count} of {element} in a descriptor"), forged, expected);
    }
}

/// A manifest of nothing but faults.
fn manifest_bomb() {
    let mut forged = Forged::small();
    forged.get("tagmanifest-sha256.txt").resize(100 << 20, b'\n');
    judge("a manifest of empty lines", forged, "manifest-line");
}

#[test]
fn bombs_stay_under_256_mib() {
    page_bombs();
    dictionary_bombs();
    footer_bombs();
    blob_bomb();
    descriptor_bombs();
    manifest_bomb();
}
