//! Bundles that somebody made to do harm. Their manifests are right, so that hashes alone find nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forge;

use forge::{Forged, PART, checksum, codes, header, member, pax, variant};
use pannier_format::{Bundle, Error};
use serde_json::{Value, json};

/// Writes what was forged and answers the codes that `verify` gives; `open` must refuse it unless `verify` finds it whole.
fn judge(forged: &Forged) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = forged.write(folder.path());
    assert_eq!(Bundle::open(&path).is_ok(), codes(&path) == "whole", "{}", codes(&path));
    codes(&path)
}

fn with_before(before: &[u8]) -> String {
    judge(&Forged { before: before.to_vec(), ..Forged::small() })
}

fn with_after(after: &[u8]) -> String {
    judge(&Forged { after: after.to_vec(), ..Forged::small() })
}

#[test]
fn what_is_sealed_again_is_whole() {
    let mut forged = Forged::small();
    assert_eq!(judge(&forged), "whole");
    forged.seal();
    assert_eq!(judge(&forged), "whole");
    forged.get("data/schema/more.sql").extend_from_slice(b"--");
    forged.seal();
    assert_eq!(judge(&forged), "whole");
}

#[test]
fn paths_that_leave_the_folder() {
    for path in
        ["small/../x", "/etc/passwd", "small//x", "small/a\\..\\x", "../small/x", "small/./x", "other/x", "x", "small/\u{fc}", "small/a\nb"]
    {
        assert_eq!(with_after(&member(path.as_bytes(), b'0', b"x")), "member-path", "{path:?}");
        assert_eq!(with_after(&member(path.as_bytes(), b'5', b"")), "member-path", "{path:?}");
    }
    for path in ["../../x", "/", "", "..", "small/../"] {
        assert_eq!(with_after(&member(path.as_bytes(), b'5', b"")), "member-path", "{path:?}");
    }
    // A file that is another's folder, and two folders at the top.
    assert_eq!(with_after(&member(b"small/bagit.txt/x", b'0', b"x")), "member-path member-unknown");
    let before = member(b"other/data/x", b'0', b"x");
    assert!(with_before(&before).contains("member-path"));
    assert!(with_before(&member(b"..", b'5', b"")).contains("member-path"));
}

#[test]
fn paths_that_extensions_give() {
    let hidden = [pax(&[("path", "../x")]), member(b"small/data/x", b'0', b"x")].concat();
    assert_eq!(with_after(&hidden), "member-path");
    let long = [member(b"././@LongLink", b'L', b"/etc/cron.d/x\0"), member(b"small/data/x", b'0', b"x")].concat();
    assert_eq!(with_after(&long), "member-path");
    // One program sees a path here, another none: the record's length counts, not its line end.
    let folded = [pax(&[("comment", "a\n10 path=x")]), member(b"small/data/x", b'0', b"x")].concat();
    assert_eq!(with_after(&folded), "member-unknown payload-oxum");
    let global = [member(b"g", b'g', b"16 path=small/x\n"), member(b"small/data/x", b'0', b"x")].concat();
    assert_eq!(with_after(&global), "tar-damaged");
    let sparse = [pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "99999999999")]), member(b"small/data/x", b'0', b"x")].concat();
    assert_eq!(with_after(&sparse), "member-type");
    for bad in [&b"99999999 path=x\n"[..], b"nonsense", b"14 size=-1000\n", b"18 size=0x10000\n\n\n", b"30 size=99999999999999999999\n"] {
        assert_eq!(with_after(&[member(b"x", b'x', bad), member(b"small/data/x", b'0', b"x")].concat()), "tar-damaged", "{bad:?}");
    }
}

#[test]
fn types_that_are_no_files() {
    for kind in *b"123467SDMVKA" {
        assert_eq!(with_after(&header(b"small/data/x", kind, 0)), "member-type", "{}", char::from(kind));
    }
    assert_eq!(with_after(&member(b"small/data", b'5', b"content")), "member-type");
}

#[test]
fn sizes_that_are_not_there() {
    let claims = |bytes| with_after(&header(b"small/data/x", b'0', bytes));
    assert_eq!(claims(7 << 30), "member-truncated");
    let mut base256 = header(b"small/data/x", b'0', 0);
    base256[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    checksum(&mut base256);
    assert_eq!(with_after(&base256), "member-truncated");
    base256[124..136].fill(0xff);
    checksum(&mut base256);
    assert_eq!(with_after(&base256), "member-truncated");
    let ten_gib = [pax(&[("size", "10737418240")]), member(b"small/data/x", b'0', b"x")].concat();
    assert_eq!(with_after(&ten_gib), "member-truncated");
    // Extension headers are refused by what they claim, before they are read.
    for kind in *b"xgL" {
        assert_eq!(with_after(&header(b"x", kind, 5 << 30)), "tar-damaged");
        assert_eq!(with_after(&member(b"x", kind, &vec![b'1'; 65 << 10])), "tar-damaged");
    }
    // The header says nothing follows, the extension says that this member swallows the next header.
    let swallowed =
        [pax(&[("size", "1024")]), header(b"small/data/x", b'0', 0).to_vec(), header(b"x", b'L', 1 << 40).to_vec(), vec![0; 512]];
    assert_eq!(with_after(&swallowed.concat()), "member-unknown payload-oxum");
}

#[test]
fn members_and_manifests_that_disagree() {
    assert_eq!(with_after(&member(b"small/data/x", b'0', b"x")), "member-unknown payload-oxum");
    assert_eq!(with_after(&member(b"small/x.txt", b'0', b"x")), "member-unknown");
    assert_eq!(with_after(&member(b"small/bagit.txt", b'0', b"x")), "member-duplicate");
    for (manifest, line, expected) in [
        ("manifest-sha256.txt", "data/x", "member-missing"),
        ("manifest-sha256.txt", "../../etc/passwd", "manifest-line"),
        ("manifest-sha256.txt", "/etc/passwd", "manifest-line"),
        ("manifest-sha256.txt", "fetch.txt", "manifest-line"),
        ("manifest-sha256.txt", PART, "manifest-line member-hash"),
        ("tagmanifest-sha256.txt", "../../etc/passwd", "manifest-line"),
        ("tagmanifest-sha256.txt", "fetch.txt", "member-missing"),
        ("tagmanifest-sha256.txt", PART, "manifest-line"),
    ] {
        let mut forged = Forged::small();
        let text = format!("{}  {line}\n", "0".repeat(64));
        forged.get(manifest).extend_from_slice(text.as_bytes());
        if manifest.starts_with('m') {
            forged.get("data/schema/x").push(b'x');
            let sealed = forged.get(manifest).clone();
            forged.remove("data/schema/x");
            forged.seal();
            *forged.get(manifest) = sealed;
            let tags = forged.get(manifest).clone();
            reseal_tag(&mut forged, manifest, &tags);
        }
        assert_eq!(judge(&forged), expected, "{manifest} {line}");
    }
    for text in [&b"\n"[..], b"no hash  data/x\n", &vec![b'a'; 1 << 20], b"\xff\xfe\n"] {
        let mut forged = Forged::small();
        forged.get("tagmanifest-sha256.txt").extend_from_slice(text);
        assert_eq!(judge(&forged), "manifest-line");
    }
}

/// Gives a tag file its right line in the tag manifest.
fn reseal_tag(forged: &mut Forged, name: &str, content: &[u8]) {
    use sha2::Digest;
    let tags = String::from_utf8(forged.get("tagmanifest-sha256.txt").clone()).unwrap();
    let lines = tags.lines().map(|line| {
        if line.ends_with(&format!("  {name}")) {
            format!("{}  {name}\n", pannier_format::hex(&sha2::Sha256::digest(content)))
        } else {
            format!("{line}\n")
        }
    });
    *forged.get("tagmanifest-sha256.txt") = lines.collect::<String>().into_bytes();
}

fn described(change: impl FnOnce(&mut Value)) -> String {
    let mut forged = Forged::small();
    forged.describe(change);
    forged.seal();
    judge(&forged)
}

#[test]
fn descriptors_that_lie() {
    type Change = fn(&mut Value);
    let cells: [(Change, &str); 17] = [
        (|it| it["resources"][0]["path"][0] = json!("../../x"), "descriptor part-missing part-unknown"),
        (|it| it["resources"][0]["path"][0] = json!("/etc/passwd"), "descriptor part-missing part-unknown"),
        (|it| it["resources"][0]["path"][0] = json!("schema/schema.sql"), "descriptor part-unknown table-unreadable"),
        (|it| it["resources"][0]["path"] = json!([]), "descriptor part-unknown table-bytes table-digest column-findings table-rows"),
        (|it| it["resources"][0]["path"][0] = json!("blobs.parquet"), "descriptor part-unknown table-unreadable"),
        (|it| it["resources"][0]["path"][0] = json!("tables/note/part-00001.parquet"), "part-missing part-unknown"),
        (
            |it| {
                let other = it["resources"][0].clone();
                it["resources"].as_array_mut().unwrap().push(other);
                it["resources"][1]["name"] = json!("other");
            },
            "descriptor",
        ),
        (
            |it| {
                let path = it["resources"][0]["path"][0].clone();
                it["resources"][0]["path"].as_array_mut().unwrap().push(path);
            },
            "column-findings descriptor table-bytes table-digest table-rows",
        ),
        (|it| it["resources"][0]["schema"]["fields"][1]["name"] = json!("id"), "descriptor table-unreadable"),
        (|it| it["resources"][0]["schema"]["fields"][0]["type"] = json!("number"), "table-unreadable"),
        (|it| it["resources"][0]["schema"]["fields"][0]["type"] = json!("list"), "descriptor table-unreadable"),
        (|it| it["resources"][0]["pannier"]["odd"] = json!("body"), "descriptor table-unreadable"),
        (|it| it["resources"][0]["pannier"]["digest"] = json!("x"), "descriptor table-digest"),
        (|it| it["resources"][0]["pannier"]["rows"] = json!(u64::MAX), "table-rows"),
        (|it| it["resources"][0]["bytes"] = json!(u64::MAX), "table-bytes"),
        (|it| it["name"] = json!("another"), "descriptor"),
        (|it| it["pannier"]["blobs"]["bytes"] = json!(u64::MAX), "blob-totals"),
    ];
    for (number, (change, expected)) in cells.into_iter().enumerate() {
        let mut expected: Vec<&str> = expected.split(' ').collect();
        expected.sort_unstable();
        let mut forged = Forged::small();
        forged.describe(change);
        forged.seal();
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(codes(&forged.write(folder.path())), expected.join(" "), "cell {number}");
    }
}

#[test]
fn descriptors_that_are_none() {
    for text in [&b""[..], b"null", b"[]", b"{}", b"\xff", b"{\"name\":1}", &b"[".repeat(1 << 20), &b"{\"a\":".repeat(1 << 18)] {
        let mut forged = Forged::small();
        *forged.get("data/datapackage.json") = text.to_vec();
        forged.seal();
        assert_eq!(judge(&forged), "descriptor");
    }
    assert_eq!(described(|it| it["unknown"] = json!({"deep": [[[[]]]]})), "whole");
    assert_eq!(described(|it| it["pannier"]["format"] = json!("1.7")), "whole");
    assert_eq!(described(|it| it["pannier"]["format"] = json!("next")), "descriptor");
}

#[test]
fn a_newer_format_says_so() {
    for package in [json!({"pannier": {"format": "2.0"}}), json!({"pannier": {"format": "10.0-beta", "more": 1}, "resources": 7})] {
        let mut forged = Forged::small();
        *forged.get("data/datapackage.json") = serde_json::to_vec(&package).unwrap();
        forged.seal();
        let folder = tempfile::tempdir().unwrap();
        let path = forged.write(folder.path());
        assert!(matches!(Bundle::open(&path), Err(Error::NewerFormat { .. })));
        assert_eq!(codes(&path), "NewerFormat");
    }
}

#[test]
fn blobs_that_are_something_else() {
    let mut forged = Forged::small();
    let packed = forged.packed_path();
    *forged.get(&packed) = b"not zstd".to_vec();
    forged.seal();
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(codes(&forged.write(folder.path())), "blob-content");
    // A window of 2 GiB: what unpacking it would take in memory.
    *forged.get(&packed) = b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00".to_vec();
    forged.seal();
    assert_eq!(codes(&forged.write(folder.path())), "blob-content");
    forged.remove(&packed);
    forged.get("data/blobs/sha256/00/x").push(b'x');
    forged.seal();
    assert_eq!(codes(&forged.write(folder.path())), "blob-content blob-missing blob-unknown");
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), folder.path(), "/dev/zero".as_ref()] {
        assert_eq!(variant(&Bundle::open(path).err().unwrap()), "NotABundle", "{}", path.display());
    }
    assert_eq!(variant(&Bundle::open(&folder.path().join("none")).err().unwrap()), "Read");
}
