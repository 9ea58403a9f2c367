//! Bad input → message → exit code, as exact text.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Run, as_nobody, database, folder, names, program, skip, url};

/// What a run said, with the test's folder as `DIR`.
fn said(run: &Run, folder: &Path) -> String {
    run.stderr.replace(&folder.display().to_string(), "DIR")
}

#[track_caller]
fn check(folder: &Path, arguments: &[&str], code: i32, expected: &str) {
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.replace("DIR", &folder.display().to_string())).collect();
    let run: Run = program().current_dir(folder).args(&arguments).output().unwrap().into();
    assert_eq!(said(&run, folder), expected);
    assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""));
}

const SOURCE: &str = "sqlite:///DIR/source.db";

#[test]
fn sources_that_are_none() {
    let folder = folder();
    let dir = folder.path();
    let with = |url: &str, code, expected: &str| check(dir, &["snapshot", "--source", url, "--out", "o.pannier"], code, expected);
    with(
        "DIR/source.db",
        2,
        "error: the source must be a URL, and DIR/source.db is none\nhint: write it as --source sqlite:///DIR/source.db\n",
    );
    with(
        "postgresql://u:secret@host/db",
        2,
        "error: postgresql sources are not yet in this version\nhint: give an SQLite database: sqlite:///relative.db or sqlite:////absolute.db\n",
    );
    with(
        "ftp://host/db",
        2,
        "error: no source has the scheme ftp\nhint: give an SQLite database: sqlite:///relative.db or sqlite:////absolute.db\n",
    );
    with(
        SOURCE,
        1,
        "error: there is no file DIR/source.db\nhint: check the path: sqlite:/// is followed by a relative one, sqlite://// by an absolute one\n",
    );
    std::fs::write(dir.join("text.db"), "not a database\n".repeat(100)).unwrap();
    with(
        "sqlite:///text.db",
        1,
        "error: DIR/text.db is not an SQLite database, or it is encrypted\nhint: check that this is the application's database; decrypt it first if it is encrypted\n",
    );
    std::fs::write(dir.join("short.db"), "SQLite format 3\0").unwrap();
    with(
        "sqlite:///short.db",
        1,
        "error: DIR/short.db is not an SQLite database, or it is encrypted\nhint: check that this is the application's database; decrypt it first if it is encrypted\n",
    );
    std::fs::write(dir.join("empty.db"), "").unwrap();
    let no_tables = "error: the database DIR/empty.db has no tables\nhint: check that this is the application's database, and not one that a wrong path has just created\n";
    with("sqlite:///empty.db", 1, no_tables);
    std::fs::remove_file(dir.join("empty.db")).unwrap();
    let connection = rusqlite::Connection::open(dir.join("empty.db")).unwrap();
    connection.execute_batch("CREATE VIEW v AS SELECT 1").unwrap();
    connection.close().unwrap();
    with("sqlite:///empty.db", 1, no_tables);
    std::fs::create_dir(dir.join("data")).unwrap();
    with("sqlite:///data", 1, "error: DIR/data is a directory, not a database\nhint: give the database file itself\n");
    std::fs::write(dir.join("data/webui.db"), "").unwrap();
    with("sqlite:///data", 1, "error: DIR/data is a directory, not a database\nhint: give the file in it, probably webui.db\n");
    assert!(!names(dir).iter().any(|name| name.contains("pannier")), "{:?}", names(dir));
}

#[test]
fn outputs_and_locations_that_cannot_be() {
    let folder = folder();
    let dir = folder.path();
    database(dir, "CREATE TABLE t(a)");
    std::fs::write(dir.join("there"), "precious").unwrap();
    let out = |out: &str, expected: &str| check(dir, &["snapshot", "--source", SOURCE, "--out", out], 1, expected);
    out(
        "DIR/there",
        "error: the output DIR/there exists already\nhint: give another name, or move the file away: a bundle is never overwritten\n",
    );
    out(
        "DIR/no/o",
        "error: cannot create a file in DIR/no: No such file or directory (os error 2)\nhint: make the folder, or give one that you may write to\n",
    );
    assert_eq!(std::fs::read(dir.join("there")).unwrap(), b"precious");
    let files = |files: &str, code, expected: &str| check(dir, &["plan", "--source", SOURCE, "--files", files], code, expected);
    files("DIR/there", 1, "error: DIR/there is not a directory\nhint: give the directory that holds the files\n");
    files("uploads=DIR/none", 1, "error: there is no directory DIR/none\nhint: check the path, and that the volume is mounted here\n");
    files(
        "s3://bucket/uploads",
        2,
        "error: locations of the kind s3:// are not yet in this version\nhint: copy the objects into a directory and give that\n",
    );
    check(
        dir,
        &["plan", "--source", SOURCE, "--profile", "webui"],
        2,
        "error: there is no profile webui\nhint: give open-webui, generic, or the path of a TOML file\n",
    );
    check(
        dir,
        &["snapshot", "--source", SOURCE, "--out", "o", "--name", "a/b"],
        2,
        "error: a/b cannot be the name of a bundle\nhint: use letters, digits, '.', '_' and '-' only, beginning with a letter or a digit\n",
    );
}

#[test]
fn an_unknown_option() {
    let folder = folder();
    check(
        folder.path(),
        &["snapshot", "--sauce", "x"],
        2,
        "error: unexpected argument '--sauce' found\n\n  tip: a similar argument exists: '--source'\n\n\
         Usage: pannier-export snapshot --source <URL> --out <FILE>\n\nFor more information, try '--help'.\n",
    );
}

#[test]
fn no_permission() {
    let Some(mut command) = as_nobody() else { return };
    let folder = folder();
    let source = database(folder.path(), "CREATE TABLE t(a)");
    std::fs::set_permissions(&source, PermissionsExt::from_mode(0o600)).unwrap();
    let run: Run = command.args(["plan", "--source", &url(&source)]).output().unwrap().into();
    assert_eq!(
        said(&run, folder.path()),
        "error: DIR/source.db cannot be read: Permission denied (os error 13)\nhint: run as the user that owns it, or give this user permission to read it\n"
    );
    assert_eq!(run.code, Some(1));
}

#[test]
fn a_damaged_page() {
    let folder = folder();
    let script = "CREATE TABLE a(x); INSERT INTO a VALUES(1); CREATE TABLE t(x);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT hex(zeroblob(100)) FROM n;";
    let source = database(folder.path(), script);
    let mut bytes = std::fs::read(&source).unwrap();
    let page = bytes.len() / 2 / 4096 * 4096;
    bytes[page..page + 4096].fill(0xff);
    std::fs::write(&source, bytes).unwrap();
    let run: Run =
        program().args(["snapshot", "--quiet", "--source", &url(&source), "--out"]).arg(folder.path().join("o")).output().unwrap().into();
    let said = said(&run, folder.path());
    let rows: String = said.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    assert_eq!(
        said,
        format!(
            "error: table t is damaged after {rows} rows: database disk image is malformed\n\
             hint: restore the database from its backup, or recover it with `sqlite3 DB .recover | sqlite3 NEW`, and export that\n"
        )
    );
    assert_eq!((run.code, names(folder.path())), (Some(1), vec!["source.db".to_string()]));
}

#[test]
fn a_full_disk() {
    let folder = folder();
    let source = database(folder.path(), "CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(4000000));");
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let mounted = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&small).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        return skip("needs the right to mount a tmpfs");
    }
    let run: Run =
        program().args(["snapshot", "--quiet", "--source", &url(&source), "--out"]).arg(small.join("o")).output().unwrap().into();
    let left = names(&small);
    std::process::Command::new("umount").arg(&small).status().unwrap();
    assert_eq!(
        said(&run, folder.path()),
        "error: cannot write the bundle DIR/small/o: No space left on device (os error 28)\n\
         hint: free some space or give an output on another disk, then run it again: nothing was left behind\n"
    );
    assert_eq!((run.code, left), (Some(1), vec![]));
}

#[test]
fn times_that_are_none() {
    let folder = folder();
    let source = database(folder.path(), "CREATE TABLE t(x)");
    for (value, code) in [("-1", 2), ("253402300800", 2), ("now", 2), ("0", 0), ("253402300799", 0)] {
        let out = folder.path().join(format!("o{value}"));
        let mut command = program();
        command.env("SOURCE_DATE_EPOCH", value).args(["snapshot", "--quiet", "--source", &url(&source), "--out"]).arg(out);
        let run: Run = command.output().unwrap().into();
        assert_eq!(run.code, Some(code), "{run:?}");
        let expected = format!(
            "error: SOURCE_DATE_EPOCH is {value}, which is no number of seconds from 1970 to the end of 9999\n\
             hint: set it to seconds since 1970, or unset it\n"
        );
        assert!(code == 0 || run.stderr == expected, "{run:?}");
    }
}
