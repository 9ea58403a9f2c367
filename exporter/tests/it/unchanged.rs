//! The source and everything beside it stay as they were, to the last byte, in every state that SQLite leaves files in;
//! and what is read is complete in each.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pannier_format::OwnedValue;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{Run, as_nobody, bundle, contents, folder, rows, skip, snapshot, url};

const ROWS: &str = "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2),(3);";

/// A database in `sub/source.db`, made by `make`, in a folder that holds nothing else.
fn source(make: impl FnOnce(&Connection)) -> (TempDir, PathBuf) {
    let folder = folder();
    let place = folder.path().join("sub");
    std::fs::create_dir(&place).unwrap();
    let path = place.join("source.db");
    let connection = Connection::open(&path).unwrap();
    make(&connection);
    connection.close().unwrap();
    (folder, path)
}

/// The files of a WAL database as a killed process leaves them, without those that `except` names.
fn killed(except: &[&str]) -> (TempDir, PathBuf) {
    let folder = folder();
    let place = folder.path().join("sub");
    std::fs::create_dir(&place).unwrap();
    let original = tempfile::tempdir().unwrap();
    let connection = Connection::open(original.path().join("source.db")).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.execute_batch(ROWS).unwrap();
    for name in ["source.db", "source.db-wal", "source.db-shm"].into_iter().filter(|name| !except.contains(name)) {
        std::fs::copy(original.path().join(name), place.join(name)).unwrap();
    }
    (folder, place.join("source.db"))
}

fn wal(connection: &Connection) {
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.execute_batch(ROWS).unwrap();
}

fn three() -> Vec<Vec<OwnedValue>> {
    (1..=3).map(|integer| vec![OwnedValue::Integer(integer)]).collect()
}

/// Snapshots with both kinds of freeze, and compares all bytes and times before and after.
#[track_caller]
fn check(folder: &Path, source: &Path) {
    let place = source.parent().unwrap();
    let before = contents(place);
    for freeze in ["snapshot", "lock"] {
        let out = folder.join(format!("{freeze}.pannier"));
        let made = bundle(source, &out, &["--freeze", freeze]);
        assert_eq!(rows(&made, "t"), three(), "{freeze}");
        let mut after = contents(place);
        let mut before = before.clone();
        // A lock is written into an index that exists: that is what it is for.
        for files in [&mut before, &mut after] {
            if let Some(index) = files.get_mut("source.db-shm") {
                *index = (Vec::new(), std::time::UNIX_EPOCH);
            }
        }
        assert!(before == after, "{freeze} changed {:?} to {:?}", before.keys(), after.keys());
    }
}

#[test]
fn a_rollback_journal_at_rest() {
    let (folder, source) = source(|connection| connection.execute_batch(ROWS).unwrap());
    check(folder.path(), &source);
}

#[test]
fn a_wal_at_rest() {
    let (folder, source) = source(wal);
    check(folder.path(), &source);
}

#[test]
fn a_wal_with_content() {
    let (folder, source) = killed(&[]);
    check(folder.path(), &source);
}

#[test]
fn a_wal_with_content_and_no_index() {
    let (folder, source) = killed(&["source.db-shm"]);
    check(folder.path(), &source);
}

#[test]
fn an_empty_wal() {
    let (folder, source) = source(wal);
    std::fs::write(source.with_extension("db-wal"), "").unwrap();
    check(folder.path(), &source);
    std::fs::write(source.with_extension("db-shm"), vec![0; 32768]).unwrap();
    std::fs::remove_file(folder.path().join("snapshot.pannier")).unwrap();
    std::fs::remove_file(folder.path().join("lock.pannier")).unwrap();
    check(folder.path(), &source);
}

#[test]
fn an_index_without_a_wal() {
    let (folder, source) = source(wal);
    std::fs::write(source.with_extension("db-shm"), vec![0; 32768]).unwrap();
    check(folder.path(), &source);
}

#[test]
fn open_in_another_process() {
    let (folder, source) = source(wal);
    let other = Connection::open(&source).unwrap();
    other.execute_batch("UPDATE t SET a = a").unwrap();
    check(folder.path(), &source);
    drop(other);
    assert_eq!(contents(source.parent().unwrap()).len(), 1);
}

#[test]
fn a_cut_off_transaction() {
    let folder = folder();
    let place = folder.path().join("sub");
    std::fs::create_dir(&place).unwrap();
    let original = tempfile::tempdir().unwrap();
    let connection = Connection::open(original.path().join("source.db")).unwrap();
    connection.execute_batch(ROWS).unwrap();
    connection.execute_batch("PRAGMA cache_size = 1; PRAGMA synchronous = OFF; BEGIN; UPDATE t SET a = a + 10;").unwrap();
    connection
        .execute_batch("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO t SELECT i FROM n;")
        .unwrap();
    for name in ["source.db", "source.db-journal"] {
        std::fs::copy(original.path().join(name), place.join(name)).unwrap();
    }
    let source = place.join("source.db");
    assert!(source.metadata().unwrap().len() > 8192, "the transaction has to have reached the database");
    check(folder.path(), &source);
}

/// Mounted read-only, so to speak: another user, who may write neither to the database nor beside it.
#[test]
fn a_read_only_folder() {
    for (folder, source) in
        [source(|connection| connection.execute_batch(ROWS).unwrap()), source(wal), killed(&[]), killed(&["source.db-shm"])]
    {
        let Some(mut command) = as_nobody() else { return };
        let place = source.parent().unwrap();
        for entry in std::fs::read_dir(place).unwrap() {
            std::fs::set_permissions(entry.unwrap().path(), PermissionsExt::from_mode(0o444)).unwrap();
        }
        let out = folder.path().join("out");
        std::fs::create_dir(&out).unwrap();
        std::fs::set_permissions(&out, PermissionsExt::from_mode(0o777)).unwrap();
        let before = contents(place);
        let run: Run = command.args(["snapshot", "--source", &url(&source), "--out"]).arg(out.join("o")).output().unwrap().into();
        assert_eq!(run.code, Some(0), "{:?} {run:?}", before.keys());
        assert_eq!(rows(&pannier_format::Bundle::open(&out.join("o")).unwrap(), "t"), three());
        assert!(contents(place) == before);
    }
}

/// No room for the index that SQLite would make.
#[test]
fn a_wal_at_rest_on_a_full_disk() {
    let (folder, original) = source(wal);
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let mounted = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&small).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        return skip("needs the right to mount a tmpfs");
    }
    let source = small.join("source.db");
    std::fs::copy(original, &source).unwrap();
    let mut filler = std::fs::File::create(small.join("filler")).unwrap();
    while std::io::Write::write_all(&mut filler, &[7; 4096]).is_ok() {}
    drop(filler);
    let before = contents(&small);
    let outs = ["snapshot", "lock"].map(|freeze| {
        let out = folder.path().join(freeze);
        (snapshot(&source, &out, &["--freeze", freeze]), out)
    });
    let after = contents(&small);
    std::process::Command::new("umount").arg(&small).status().unwrap();
    assert!(before == after, "{:?}", after.keys());
    for (run, out) in outs {
        assert_eq!(run.code, Some(0), "{run:?}");
        let made = pannier_format::Bundle::open(&out).unwrap();
        assert_eq!(rows(&made, "t"), three());
        assert!(String::from_utf8(made.member("report/freeze.json").unwrap().unwrap()).unwrap().contains("watched-without-locks"));
    }
}

#[test]
fn failures_leave_nothing_either() {
    let (folder, source) = source(wal);
    let place = source.parent().unwrap();
    let before = contents(place);
    let missing = folder.path().join("no-such-profile.toml");
    let run = snapshot(&source, &folder.path().join("o"), &["--profile", &missing.display().to_string()]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(contents(place) == before, "{:?}", contents(place).keys());
}
