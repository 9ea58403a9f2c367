//! One instant: what others do meanwhile is kept out or noticed, an interruption leaves nothing, and the same source gives
//! the same bytes.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pannier_format::Bundle;
use rusqlite::Connection;

use crate::support::{Run, bundle, database, folder, names, problems, program, rows, snapshot, url};

/// Sparse, so that it costs nothing to make and long to read.
fn large_file(path: &Path) {
    std::fs::File::create(path).unwrap().set_len(3 << 30).unwrap();
}

/// Starts a snapshot that has read all rows and is reading files for a while.
fn started(folder: &Path, source: &Path, more: &[&str]) -> Child {
    let uploads = folder.join("uploads");
    std::fs::create_dir(&uploads).unwrap();
    large_file(&uploads.join("large"));
    let mut command = program();
    command.args(["snapshot", "--source", &url(source), "--files"]).arg(&uploads).arg("--out").arg(folder.join("o")).args(more);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Plain progress says when the rows are done.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.as_mut().unwrap()));
    while !lines.next().unwrap().unwrap().starts_with("tables: ") {}
    child
}

fn stop(mut child: Child, signal: Signal) -> Option<i32> {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
    child.wait().unwrap().code()
}

#[test]
fn interruptions_leave_nothing() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let folder = folder();
        let source = database(folder.path(), "PRAGMA journal_mode = wal; CREATE TABLE t(a); INSERT INTO t VALUES(1);");
        let child = started(folder.path(), &source, &[]);
        let asked = Instant::now();
        assert_eq!(stop(child, signal), Some(130));
        assert!(asked.elapsed() < Duration::from_secs(5));
        assert_eq!(names(folder.path()), ["source.db", "uploads"]);
    }
}

#[test]
fn a_lock_keeps_writers_out() {
    for mode in ["delete", "wal"] {
        let folder = folder();
        let source = database(folder.path(), &format!("PRAGMA journal_mode = {mode}; CREATE TABLE t(a); INSERT INTO t VALUES(1);"));
        let child = started(folder.path(), &source, &["--freeze", "lock"]);
        let writer = Connection::open(&source).unwrap();
        writer.busy_timeout(Duration::from_millis(50)).unwrap();
        let refused = writer.execute_batch("INSERT INTO t VALUES(2)").unwrap_err();
        assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy), "{mode}");
        assert_eq!(stop(child, Signal::SIGINT), Some(130));
        writer.execute_batch("INSERT INTO t VALUES(2)").unwrap();
    }
}

#[test]
fn a_lock_that_cannot_be_had() {
    let folder = folder();
    let source = database(folder.path(), "CREATE TABLE t(a)");
    let writer = Connection::open(&source).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let run = snapshot(&source, &folder.path().join("o"), &["--freeze", "lock"]);
    // Test threads have a name of their own, which is what the system calls the process by.
    let command = std::fs::read_to_string("/proc/self/comm").unwrap();
    let expected = format!(
        "error: the database {} is locked; it is open in {} {}\n\
         hint: stop the application or wait until its transaction ends, then run this again\n",
        source.display(),
        std::process::id(),
        command.trim()
    );
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), expected.as_str()));
}

#[test]
fn a_writer_is_noticed() {
    for mode in ["delete", "wal"] {
        let folder = folder();
        let source = database(folder.path(), &format!("PRAGMA journal_mode = {mode}; CREATE TABLE t(a); INSERT INTO t VALUES(1);"));
        let mut child = started(folder.path(), &source, &[]);
        let uploads = folder.path().join("uploads");
        Connection::open(&source).unwrap().execute_batch("INSERT INTO t VALUES(2)").unwrap();
        // Shorter by now, so that the reading ends at once.
        std::fs::File::options().write(true).open(uploads.join("large")).unwrap().set_len(1000).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3));
        let made = Bundle::open(&folder.path().join("o")).unwrap();
        assert_eq!(made.table("t").unwrap().pannier.rows, 1);
        let mut codes: Vec<String> = problems(&made).into_iter().map(|(code, _)| code).collect();
        codes.sort();
        assert_eq!(codes, ["changed-while-read", "written-during-snapshot"], "{mode}");
        let freeze: serde_json::Value = serde_json::from_slice(&made.member("report/freeze.json").unwrap().unwrap()).unwrap();
        assert_eq!(freeze["written_while_reading_files"], true);
        assert_eq!(freeze["held_by"], "read-transaction");
    }
}

/// Every commit moves an amount from one table to another, so that only rows of one instant add up.
#[test]
fn rows_of_one_instant_add_up() {
    for mode in ["delete", "wal"] {
        let folder = folder();
        let source = database(
            folder.path(),
            &format!(
                "PRAGMA journal_mode = {mode}; CREATE TABLE a(n INTEGER, filler); CREATE TABLE z(n INTEGER, filler);
                 WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 3000) INSERT INTO a SELECT 10, hex(zeroblob(200)) FROM i;
                 INSERT INTO z SELECT * FROM a;"
            ),
        );
        let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (writer_done, path) = (done.clone(), source.clone());
        let writer = std::thread::spawn(move || {
            let connection = Connection::open(path).unwrap();
            connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 20;").unwrap();
            connection.busy_timeout(Duration::from_secs(30)).unwrap();
            let mut commits = 0;
            while !writer_done.load(std::sync::atomic::Ordering::Relaxed) {
                let row = commits % 3000 + 1;
                let moves = format!(
                    "BEGIN IMMEDIATE; UPDATE a SET n = n - 1 WHERE rowid = {row}; UPDATE z SET n = n + 1 WHERE rowid = {row}; COMMIT;"
                );
                connection.execute_batch(&moves).unwrap();
                commits += 1;
                // Room for the reader to get its lock in, in the mode in which it has to wait for that.
                std::thread::sleep(Duration::from_micros(200));
            }
            commits
        });
        for round in 0..5 {
            let out = folder.path().join(format!("{mode}{round}"));
            let run = snapshot(&source, &out, &[]);
            assert!(matches!(run.code, Some(0 | 3)), "{run:?}");
            let made = Bundle::open(&out).unwrap();
            let sum: i64 = ["a", "z"].iter().flat_map(|table| rows(&made, table)).map(|row| row[0].as_value().as_integer().unwrap()).sum();
            assert_eq!(sum, 60_000, "{mode}, round {round}");
            // A commit that waited for the rows comes after them.
            let freeze: serde_json::Value = serde_json::from_slice(&made.member("report/freeze.json").unwrap().unwrap()).unwrap();
            assert!(mode == "wal" || freeze["written_while_reading_rows"] == false, "{freeze}");
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(writer.join().unwrap() > 10);
    }
}

#[test]
fn the_same_source_gives_the_same_bytes() {
    let folder = folder();
    let source =
        database(folder.path(), "PRAGMA journal_mode = wal; CREATE TABLE t(a); INSERT INTO t VALUES(1),('x'),(NULL); CREATE TABLE u(b);");
    let uploads = folder.path().join("uploads");
    std::fs::create_dir(&uploads).unwrap();
    for name in ["b", "a", "c"] {
        std::fs::write(uploads.join(name), name).unwrap();
    }
    let outs: Vec<Vec<u8>> = ["1", "2"]
        .into_iter()
        .map(|name| {
            let out = folder.path().join(name);
            bundle(&source, &out, &["--files", uploads.to_str().unwrap()]);
            std::fs::read(out).unwrap()
        })
        .collect();
    assert!(outs[0] == outs[1]);
    let out = folder.path().join("3");
    let run: Run = program()
        .env_remove("SOURCE_DATE_EPOCH")
        .args(["snapshot", "--source", &url(&source), "--files"])
        .arg(&uploads)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap()
        .into();
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[test]
fn a_second_signal_ends_it_with_a_word() {
    let folder = folder();
    let source = database(folder.path(), "PRAGMA journal_mode = delete; CREATE TABLE t(a);");
    let writer = Connection::open(&source).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut command = program();
    command.args(["snapshot", "--source", &url(&source), "--out"]).arg(folder.path().join("o"));
    // It waits for the lock for some seconds, deaf to the first signal.
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    std::thread::sleep(Duration::from_millis(500));
    for _ in 0..2 {
        kill(pid, Signal::SIGTERM).unwrap();
        std::thread::sleep(Duration::from_millis(300));
    }
    let run: Run = child.wait_with_output().unwrap().into();
    assert_eq!(run.code, Some(130));
    assert!(run.stderr.starts_with("stopped at once: an unfinished bundle '.NAME.partial-…' may remain"), "{run:?}");
}

/// Under nohup a closed terminal is nothing.
#[test]
fn an_ignored_hangup_stays_ignored() {
    let folder = folder();
    let source = database(folder.path(), "CREATE TABLE t(a);");
    let writer = Connection::open(&source).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let script = format!("trap '' HUP; exec \"$0\" snapshot --quiet --source {} --out {}/o", url(&source), folder.path().display());
    let mut child = std::process::Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_pannier-export")]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGHUP).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    writer.execute_batch("ROLLBACK").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
