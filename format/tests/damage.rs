//! Breaks a small bundle on purpose: every kind of member, in every way, and looks at what each way of reading says.
//! `damage_grid.txt` names the exact answer of every cell.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forge;

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;

use forge::{PART, Place, checksum, codes, places, variant};
use pannier_format::{Bundle, Error, hex};
use sha2::{Digest, Sha256};

/// What each way of reading says, on one line.
fn answers(path: &Path) -> String {
    let mut line = codes(path);
    let bundle = match Bundle::open(path) {
        Ok(bundle) => bundle,
        Err(error) => {
            write!(line, " | open {}", variant(&error)).unwrap();
            return line;
        }
    };
    let rows = read_rows(&bundle).map_or_else(|error| variant(&error), |rows| format!("{rows}"));
    let blob = |content: &[u8]| {
        let Some(mut reader) = bundle.blob(&hex(&Sha256::digest(content))).unwrap() else { return "none" };
        let mut read = Vec::new();
        match reader.read_to_end(&mut read) {
            Ok(_) => {
                assert_eq!(read, content, "a blob was read and is another");
                "read"
            }
            Err(_) => "error",
        }
    };
    let member = match bundle.member("schema/schema.sql") {
        Ok(Some(_)) => "read".to_owned(),
        Ok(None) => "none".to_owned(),
        Err(error) => variant(&error),
    };
    write!(line, " | rows {rows}, plain {}, packed {}, member {member}", blob(forge::PLAIN), blob(&forge::packed())).unwrap();
    line
}

fn read_rows(bundle: &Bundle) -> Result<usize, Error> {
    let mut reader = bundle.rows(&bundle.tables()[0])?;
    let mut rows = 0;
    while let Some(batch) = reader.next_batch()? {
        rows += batch.rows();
    }
    Ok(rows)
}

/// A short name for a member that is the same for every content.
fn label(place: &Place) -> &str {
    match place.path.strip_prefix("small/").unwrap() {
        PART => "part",
        path if path.contains(".zst") => "packed-blob",
        path if path.contains("/sha256/") => "plain-blob",
        path => path.rsplit('/').next().unwrap(),
    }
}

/// Every way of breaking a member: its name and the broken tar.
fn breakages(tar: &[u8], place: &Place) -> Vec<(&'static str, Vec<u8>)> {
    let Place { header, content, bytes, .. } = *place;
    let end = place.end();
    let flip = |at: usize| {
        let mut tar = tar.to_vec();
        tar[at] ^= 1;
        tar
    };
    let splice = |range: std::ops::Range<usize>, with: &[u8]| [&tar[..range.start], with, &tar[range.end..]].concat();
    let edit_header = |edit: &dyn Fn(&mut [u8])| {
        let mut block = tar[header..content].to_vec();
        edit(&mut block);
        checksum(&mut block);
        block
    };
    let mut all = vec![
        ("flip first", flip(content)),
        ("flip middle", flip(content + bytes / 2)),
        ("flip last", flip(content + bytes - 1)),
        ("flip in name", flip(header + 8)),
        ("flip in mode", flip(header + 104)),
        ("flip in size", flip(header + 134)),
        ("flip in mtime", flip(header + 144)),
        ("flip in checksum", flip(header + 150)),
        ("flip in type", flip(header + 156)),
        ("flip in magic", flip(header + 258)),
        ("cut before header", tar[..header].to_vec()),
        ("cut in header", tar[..header + 100].to_vec()),
        ("cut after header", tar[..content].to_vec()),
        ("cut in content", tar[..content + bytes / 2].to_vec()),
        ("cut after content", tar[..content + bytes].to_vec()),
        ("delete", splice(header..end, b"")),
        ("empty", splice(header..end, &edit_header(&|block| block[124..135].fill(b'0')))),
        ("duplicate", splice(end..end, &tar[header..end])),
        ("rename", splice(header..content, &edit_header(&|block| block[place.path.len().min(99) - 1] = b'X'))),
        ("claim one byte more", splice(header..content, &edit_header(&|block| block[134] ^= 1))),
    ];
    if end > content + bytes {
        all.push(("flip in padding", flip(end - 1)));
    }
    all
}

fn end_breakages(tar: &[u8], end: usize) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = [0, 511, 512, 1023]
        .map(|at| {
            let mut tar = tar.to_vec();
            tar[end + at] ^= 1;
            (format!("flip byte {at}"), tar)
        })
        .into();
    all.extend([0, 1, 511, 512, 513, 1023].map(|at| (format!("cut at byte {at}"), tar[..end + at].to_vec())));
    all.push(("append zeros".to_owned(), [tar, &[0; 9216]].concat()));
    all.push(("append half a block".to_owned(), [tar, &[0; 256]].concat()));
    all.push(("append data".to_owned(), [tar, &[1; 512]].concat()));
    all.push(("append a mebibyte of zeros".to_owned(), [tar, &vec![0; 1 << 20]].concat()));
    all
}

#[test]
fn every_breakage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let whole = forge::write_small(folder.path());
    let tar = std::fs::read(&whole).unwrap();
    let broken = folder.path().join("broken.tar");
    let mut grid = format!("whole: {}\n", answers(&whole));
    let mut cell = |place: &str, change: &str, tar: &[u8]| {
        std::fs::write(&broken, tar).unwrap();
        writeln!(grid, "{place}, {change}: {}", answers(&broken)).unwrap();
    };
    let places = places(&tar);
    for place in &places {
        for (change, tar) in breakages(&tar, place) {
            cell(label(place), change, &tar);
        }
    }
    for (change, tar) in end_breakages(&tar, places.last().unwrap().end()) {
        cell("end mark", &change, &tar);
    }
    cell("file", "empty", b"");
    cell("file", "not a tar", &b"SQLite format 3\0".repeat(1000));
    cell("file", "only zeros", &[0; 10240]);
    if let Some(path) = std::env::var_os("PANNIER_WRITE_GRID") {
        std::fs::write(path, &grid).unwrap();
    }
    let expected = include_str!("damage_grid.txt");
    if grid != expected {
        for (found, expected) in grid.lines().zip(expected.lines()) {
            assert_eq!(found, expected);
        }
    }
    assert_eq!(grid, expected);
}

#[test]
fn no_flipped_byte_goes_unnoticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = forge::write_small(folder.path());
    let tar = std::fs::read(&path).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let mut unnoticed = Vec::new();
    // All bytes take a minute; a third of them every time, all of them when asked.
    let step = if std::env::var_os("PANNIER_EVERY_BYTE").is_some() { 1 } else { 3 };
    for (at, byte) in tar.iter().enumerate().step_by(step) {
        // Every bit has its turn, though not in every byte.
        file.write_all_at(&[byte ^ (1 << (at % 8))], at as u64).unwrap();
        if codes(&path) == "whole" {
            unnoticed.push(at);
        }
        file.write_all_at(&[*byte], at as u64).unwrap();
    }
    assert_eq!(codes(&path), "whole");
    assert_eq!(unnoticed, [0_usize; 0], "of {} bytes", tar.len());
}

#[test]
fn no_cut_goes_unnoticed() {
    let folder = tempfile::tempdir().unwrap();
    let whole = forge::write_small(folder.path());
    let tar = std::fs::read(&whole).unwrap();
    let path = folder.path().join("cut.tar");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(&tar).unwrap();
    for length in (0..tar.len()).rev().step_by(37).chain((0..tar.len()).rev().filter(|length| length % 512 == 0)) {
        std::fs::write(&path, &tar[..length]).unwrap();
        assert_ne!(codes(&path), "whole", "cut at {length}");
        assert!(Bundle::open(&path).is_err(), "cut at {length}");
    }
}
