//! Files of any kind and name: matched to their rows, carried once, never lost without a word.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use pannier_format::{BlobEntry, BlobState, Bundle, OwnedValue};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{Bound, as_nobody, bundle, folder, problems, program, snapshot, url};

/// A database of the application's shape, with these rows of (id, path, filename), and an empty `uploads` beside it.
fn webui(rows: &[(&str, Option<&[u8]>, &str)]) -> (TempDir, PathBuf, PathBuf) {
    let folder = folder();
    let source = folder.path().join("webui.db");
    let connection = Connection::open(&source).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE user(id); CREATE TABLE auth(id); CREATE TABLE chat(id); CREATE TABLE file(id TEXT, filename TEXT, path TEXT);
             CREATE TABLE alembic_version(version_num); INSERT INTO alembic_version VALUES('abc123');",
        )
        .unwrap();
    for (id, path, name) in rows {
        let path = path.map_or(OwnedValue::Null, |path| OwnedValue::Text(path.to_vec()));
        connection.execute("INSERT INTO file VALUES(?, ?, ?)", (id, name, Bound(&path))).unwrap();
    }
    connection.close().unwrap();
    let uploads = folder.path().join("uploads");
    std::fs::create_dir(&uploads).unwrap();
    (folder, source, uploads)
}

fn take(folder: &Path, source: &Path, uploads: &Path) -> Bundle {
    let out = folder.join("o");
    let run = snapshot(source, &out, &["--files", uploads.to_str().unwrap()]);
    assert!(matches!(run.code, Some(0 | 3)), "{run:?}");
    Bundle::open(&out).unwrap()
}

fn entries(bundle: &Bundle) -> Vec<BlobEntry> {
    bundle.blob_entries().unwrap().map(Result::unwrap).collect()
}

fn content(bundle: &Bundle, entry: &BlobEntry) -> Vec<u8> {
    let mut content = Vec::new();
    bundle.blob(entry.sha256.as_deref().unwrap()).unwrap().unwrap().read_to_end(&mut content).unwrap();
    content
}

#[test]
fn names_of_any_kind() {
    let long = vec![b'x'; 255];
    let names: [&[u8]; 9] = [
        b"plain",
        b"with space ",
        b"line\nbreak",
        b"q\"uo'te",
        "\u{202e}txt.exe".as_bytes(),
        b"back\\slash",
        b"latin1 \xe9",
        b"\xff\xfe",
        &long,
    ];
    let paths: Vec<Vec<u8>> = names.iter().map(|name| [b"/app/backend/data/uploads/", *name].concat()).collect();
    let keys: Vec<String> = (0..names.len()).map(|key| key.to_string()).collect();
    let rows: Vec<(&str, Option<&[u8]>, &str)> =
        keys.iter().zip(&paths).map(|(key, path)| (key.as_str(), Some(path.as_slice()), "name")).collect();
    let (folder, source, uploads) = webui(&rows);
    for name in names {
        std::fs::write(uploads.join(OsStr::from_bytes(name)), name).unwrap();
    }
    let made = take(folder.path(), &source, &uploads);
    assert_eq!(problems(&made), []);
    let entries = entries(&made);
    assert_eq!(entries.len(), names.len());
    for ((entry, name), path) in entries.iter().zip(names).zip(&paths) {
        assert_eq!((entry.state, entry.path.as_slice(), entry.claimed_path.as_ref()), (BlobState::Present, name, Some(path)));
        assert_eq!(content(&made, entry), name);
    }
}

#[test]
fn rows_and_files_that_do_not_pair_up() {
    let (folder, source, uploads) = webui(&[
        ("1", Some(b"/data/uploads/1_a.txt"), "a.txt"),
        ("2", Some(b"/data/uploads/1_a.txt"), "again.txt"),
        ("3", None, "c.txt"),
        ("4", Some(b"/data/uploads/4_gone.txt"), "gone.txt"),
        ("5", Some(b"/data/uploads/folder"), "folder"),
        ("6", Some(b"/data/uploads/sub/same.txt"), "same.txt"),
    ]);
    std::fs::create_dir_all(uploads.join("folder")).unwrap();
    std::fs::create_dir_all(uploads.join("sub")).unwrap();
    for (name, content) in [("1_a.txt", "one"), ("3_c.txt", "three"), ("sub/same.txt", "one"), ("same.txt", "other"), ("folder/x", "x")] {
        std::fs::write(uploads.join(name), content).unwrap();
    }
    let made = take(folder.path(), &source, &uploads);
    let found: Vec<(Option<String>, String, BlobState)> =
        entries(&made).into_iter().map(|entry| (entry.key, String::from_utf8(entry.path).unwrap(), entry.state)).collect();
    let entry = |key: &str, path: &str, state| ((!key.is_empty()).then(|| key.to_string()), path.to_string(), state);
    assert_eq!(
        found,
        [
            entry("1", "1_a.txt", BlobState::Present),
            entry("2", "1_a.txt", BlobState::Present),
            entry("3", "3_c.txt", BlobState::Present),
            entry("4", "4_gone.txt", BlobState::Missing),
            entry("5", "folder", BlobState::Unreadable),
            entry("6", "sub/same.txt", BlobState::Present),
            entry("", "folder/x", BlobState::Unreferenced),
            entry("", "same.txt", BlobState::Unreferenced),
        ]
    );
    assert_eq!(problems(&made), [("file-missing".into(), "file/4".into()), ("not-a-regular-file".into(), "uploads/folder".into())]);
    let totals = made.package().pannier.blobs;
    assert_eq!((totals.entries, totals.blobs, totals.missing, totals.unreferenced), (8, 4, 1, 2));
    let source_info = &made.package().pannier.source;
    assert_eq!((source_info.application.as_deref(), source_info.revision.as_deref()), (Some("open-webui"), Some("abc123")));
}

#[test]
fn what_is_no_file_is_never_opened() {
    let (folder, source, uploads) = webui(&[("1", Some(b"/data/uploads/out"), "out"), ("2", Some(b"/data/uploads/within"), "within")]);
    std::fs::write(uploads.join("real"), "real").unwrap();
    std::fs::write(folder.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("real", uploads.join("within")).unwrap();
    std::os::unix::fs::symlink("../secret", uploads.join("out")).unwrap();
    std::os::unix::fs::symlink("nowhere", uploads.join("dangling")).unwrap();
    std::os::unix::fs::symlink(".", uploads.join("loop")).unwrap();
    nix::unistd::mkfifo(&uploads.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(uploads.join("socket")).unwrap();
    let made = take(folder.path(), &source, &uploads);
    drop(socket);
    let mut problems = problems(&made);
    problems.sort();
    let expected = [
        ("not-a-regular-file", "uploads/loop"),
        ("not-a-regular-file", "uploads/pipe"),
        ("not-a-regular-file", "uploads/socket"),
        ("symlink-dangling", "uploads/dangling"),
        ("symlink-outside", "uploads/out"),
    ];
    assert_eq!(problems, expected.map(|(code, object)| (code.to_string(), object.to_string())));
    let entries = entries(&made);
    assert_eq!((entries[0].state, entries[1].state), (BlobState::Unreadable, BlobState::Present));
    assert_eq!(content(&made, &entries[1]), b"real");
    assert_eq!(made.package().pannier.blobs.blobs, 1);
}

#[test]
fn unreadable_files_are_named() {
    let Some(mut command) = as_nobody() else { return };
    let (folder, source, uploads) = webui(&[("1", Some(b"/data/uploads/closed"), "closed")]);
    std::fs::write(uploads.join("closed"), "x").unwrap();
    std::fs::create_dir(uploads.join("closed folder")).unwrap();
    for name in ["closed", "closed folder"] {
        std::fs::set_permissions(uploads.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    }
    let out = folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::set_permissions(&out, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let run = command.args(["snapshot", "--quiet", "--source", &url(&source), "--files"]).arg(&uploads).arg("--out").arg(out.join("o"));
    assert_eq!(run.status().unwrap().code(), Some(3));
    let made = Bundle::open(&out.join("o")).unwrap();
    assert_eq!(
        problems(&made),
        [("directory-unreadable".into(), "uploads/closed folder".into()), ("file-unreadable".into(), "uploads/closed".into())]
    );
    assert_eq!(entries(&made)[0].state, BlobState::Unreadable);
    let planned = as_nobody().unwrap().args(["plan", "--json", "--source", &url(&source), "--files"]).arg(&uploads).output().unwrap();
    let planned: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
    assert_eq!(
        (&planned["problems"][0]["code"], &planned["problems"][1]["code"]),
        (&"directory-unreadable".into(), &"file-unreadable".into())
    );
}

/// The whole data directory as location: the database in it is no upload, and is not opened a second time.
#[test]
fn the_database_among_the_files() {
    let (folder, source, uploads) = webui(&[]);
    std::fs::write(uploads.join("a"), "a").unwrap();
    let place = tempfile::tempdir().unwrap();
    let made = bundle(&source, &place.path().join("o"), &["--files", folder.path().to_str().unwrap()]);
    let paths: Vec<Vec<u8>> = entries(&made).into_iter().map(|entry| entry.path).collect();
    assert_eq!(paths, [b"uploads/a".to_vec()]);
}

#[test]
fn no_location_at_all() {
    let (folder, source, _) = webui(&[("1", Some(b"/data/uploads/1_a"), "a"), ("2", Some(b"/data/uploads/2_b"), "b")]);
    let out = folder.path().join("o");
    let run = snapshot(&source, &out, &[]);
    assert_eq!(run.code, Some(3));
    assert!(run.stdout.contains("  missing   2 rows name a file, not looked for without --files\n"), "{run:?}");
    let made = Bundle::open(&out).unwrap();
    assert_eq!(problems(&made), [("files-not-given".into(), "file".into())]);
    assert_eq!(entries(&made).iter().map(|entry| entry.state).collect::<Vec<_>>(), [BlobState::Missing, BlobState::Missing]);
}

/// A second location, moved there by hand; the row's path says so, or nothing does.
#[test]
fn two_locations() {
    let (folder, source, uploads) =
        webui(&[("1", Some(b"/data/uploads/1_a"), "a"), ("2", Some(b"/mnt/archive/2_b"), "b"), ("3", Some(b"/data/uploads/3_c"), "c")]);
    let archive = folder.path().join("archive");
    std::fs::create_dir(&archive).unwrap();
    for (place, name, content) in [(&uploads, "1_a", "1"), (&uploads, "2_b", "not this"), (&archive, "2_b", "2"), (&archive, "3_c", "3")] {
        std::fs::write(place.join(name), content).unwrap();
    }
    let out = folder.path().join("o");
    let made = bundle(&source, &out, &["--files", uploads.to_str().unwrap(), "--files", archive.to_str().unwrap()]);
    let found: Vec<(String, Vec<u8>)> = entries(&made).iter().map(|entry| (entry.location.clone(), content(&made, entry))).collect();
    // The same in another order.
    let again = folder.path().join("again");
    bundle(&source, &again, &["--files", archive.to_str().unwrap(), "--files", uploads.to_str().unwrap()]);
    assert!(std::fs::read(&again).unwrap() == std::fs::read(&out).unwrap());
    let expected = [("uploads", "1"), ("archive", "2"), ("archive", "3"), ("uploads", "not this")];
    assert_eq!(found, expected.map(|(location, content)| (location.to_string(), content.as_bytes().to_vec())));
}

/// The output below a location: the bundle does not carry itself, nor what a killed export left.
#[test]
fn the_bundle_among_the_files() {
    let (folder, source, uploads) = webui(&[]);
    std::fs::write(uploads.join("a"), "a").unwrap();
    std::fs::write(uploads.join(".o.partial-Ab12Cd"), "unfinished").unwrap();
    std::fs::write(uploads.join(".partial-notes"), "mine").unwrap();
    let made = |name: &str| bundle(&source, &uploads.join(name), &["--name", "same", "--files", folder.path().to_str().unwrap()]);
    let first = made("o");
    let paths: Vec<Vec<u8>> = entries(&first).into_iter().map(|entry| entry.path).collect();
    assert_eq!(paths, [b"uploads/.partial-notes".to_vec(), b"uploads/a".to_vec()]);
    let bytes = std::fs::read(uploads.join("o")).unwrap();
    std::fs::remove_file(uploads.join("o")).unwrap();
    made("o");
    assert!(std::fs::read(uploads.join("o")).unwrap() == bytes);
}

/// The location is not told by the path, and the size is not the row's: said, and carried all the same.
#[test]
fn what_only_the_name_tells() {
    let (folder, source, uploads) =
        webui(&[("1", Some(b"/srv/x/1_a"), "a"), ("2", Some(b"/srv/uploads/2_b"), "b"), ("3", Some(b"/srv/x/3_c"), "c")]);
    let connection = Connection::open(&source).unwrap();
    connection
        .execute_batch(
            r#"ALTER TABLE file ADD COLUMN meta JSON; UPDATE file SET meta = '{"size": 3}'; UPDATE file SET meta = '{' WHERE id = '1'"#,
        )
        .unwrap();
    connection.close().unwrap();
    let archive = folder.path().join("archive");
    std::fs::create_dir(&archive).unwrap();
    for (place, name, content) in
        [(&uploads, "1_a", "u"), (&archive, "1_a", "a"), (&uploads, "2_b", "four"), (&archive, "2_b", "x"), (&archive, "3_c", "two")]
    {
        std::fs::write(place.join(name), content).unwrap();
    }
    let files = ["--files", uploads.to_str().unwrap(), "--files", archive.to_str().unwrap()];
    let out = folder.path().join("o");
    assert_eq!(snapshot(&source, &out, &files).code, Some(3));
    let made = Bundle::open(&out).unwrap();
    let expected = [("file-ambiguous".to_string(), "file/1".to_string()), ("file-size-differs".to_string(), "file/2".to_string())];
    assert_eq!(problems(&made), expected);
    assert_eq!(content(&made, &entries(&made)[1]), b"four");
    let planned = program().args(["plan", "--json", "--source", &url(&source)]).args(files).output().unwrap();
    let planned: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
    assert_eq!((&planned["problems"][0]["code"], &planned["problems"][1]["code"]), (&"file-ambiguous".into(), &"file-size-differs".into()));
}

/// Rows that their key does not tell apart.
#[test]
fn keys_that_do_not_tell() {
    let (folder, source, uploads) = webui(&[]);
    let connection = Connection::open(&source).unwrap();
    connection
        .execute_batch(
            "DROP TABLE file; CREATE TABLE file(id, filename, path);
             INSERT INTO file(id) VALUES(1),('1'),(NULL),(x'31'),(CAST(x'ff' AS TEXT)),('fine'),(2.5);",
        )
        .unwrap();
    connection.close().unwrap();
    let made = take(folder.path(), &source, &uploads);
    let unclear: Vec<String> =
        problems(&made).into_iter().filter(|(code, _)| code == "file-key-unclear").map(|(_, object)| object).collect();
    assert_eq!(unclear, ["file/1", "file/", "file/31", "file/\u{fffd}"]);
    let planned = program().args(["plan", "--json", "--source", &url(&source)]).output().unwrap();
    let planned: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
    assert_eq!(planned["problems"][1]["detail"], "row 2 of the table: a row before has the same key");
}
