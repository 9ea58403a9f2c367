//! `plan` and the summaries, as text and as JSON.

use rusqlite::Connection;

use crate::support::{Run, as_nobody, database, folder, names, program, snapshot, url};

fn plan(source: &std::path::Path, more: &[&str]) -> Run {
    program().args(["plan", "--source", &url(source)]).args(more).output().unwrap().into()
}

#[test]
fn a_plan_says_what_looks_wrong() {
    let folder = folder();
    let source = database(
        folder.path(),
        "PRAGMA foreign_keys = OFF; CREATE TABLE p(id PRIMARY KEY); CREATE TABLE c(p REFERENCES p); INSERT INTO c VALUES(1),(2),(NULL); CREATE VIEW v AS SELECT 1;",
    );
    let other = Connection::open(&source).unwrap();
    other.query_row("SELECT count(*) FROM p", [], |_| Ok(())).unwrap();
    let run = plan(&source, &["--json"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["tables"][0], serde_json::json!({"name": "c", "kind": "table", "rows": 3, "bytes": 4096}));
    assert_eq!(report["problems"], serde_json::json!([]));
    let note = "2 rows of c refer by p to a row of p that is not there";
    assert_eq!(report["notes"][0], note);
    assert_eq!(report["ddl_only"]["view"], 1);
    assert_eq!(report["opened_by"][0]["pid"], std::process::id());
    assert_eq!(report["opened_by"][0]["writes"], true);
    assert_eq!(report["source"]["settings"]["journal_mode"], "delete");
    assert_eq!(names(folder.path()), ["source.db"]);
    drop(other);
    let run = snapshot(&source, &folder.path().join("o"), &[]);
    assert!(run.code == Some(0) && run.stdout.contains(&format!("  note      {note}\n")), "{run:?}");
    let made = pannier_format::Bundle::open(&folder.path().join("o")).unwrap();
    let keys: serde_json::Value = serde_json::from_slice(&made.member("report/foreign-keys.json").unwrap().unwrap()).unwrap();
    assert_eq!(keys, serde_json::json!([{"table": "c", "columns": ["p"], "parent": "p", "rows": 2, "unusable": null}]));
}

/// A process of somebody else's, whose open files this user may not see, is told from its lock.
#[test]
fn a_lock_out_of_sight() {
    let Some(mut command) = as_nobody() else { return };
    let folder = folder();
    let source = database(folder.path(), "PRAGMA journal_mode = wal; CREATE TABLE t(a); INSERT INTO t VALUES(1);");
    let other = Connection::open(&source).unwrap();
    other.execute_batch("INSERT INTO t VALUES(2)").unwrap();
    let run: Run = command.args(["plan", "--source", &url(&source)]).output().unwrap().into();
    assert!(run.stdout.contains("note      somebody out of sight"), "{run:?}");
    assert!(run.stdout.contains("1 with 2 rows"), "{run:?}");
}

#[test]
fn summaries() {
    let folder = folder();
    let source = database(folder.path(), "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2);");
    let out = folder.path().join("o");
    let run = snapshot(&source, &out, &["--json"]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (Some(0), "writers wait until the rows are read: stop the application, or expect 'database is locked' there\ntables: 2 rows\n")
    );
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&report["tables"], &report["rows"]), (&1.into(), &2.into()));
    assert_eq!(report["bytes"], std::fs::metadata(&out).unwrap().len());
    assert_eq!(report["problem_counts"], serde_json::json!({}));
    assert_eq!(report["freeze"]["held_by"], "read-transaction");
    let quiet = snapshot(&source, &folder.path().join("o2"), &["--quiet"]);
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (Some(0), "", ""));
    let text = plan(&source, &[]);
    assert!(text.stdout.contains("  tables    1 with 2 rows\n"), "{}", text.stdout);
    assert!(text.stdout.contains("  note      the journal mode is not wal, so in a snapshot writers wait"), "{}", text.stdout);
    assert_eq!(text.code, Some(0));
    Connection::open(&source).unwrap().pragma_update(None, "journal_mode", "wal").unwrap();
    assert!(!plan(&source, &[]).stdout.contains("writers wait"));
}

/// Nobody reads, or there is no room: no panic, and the bundle is there.
#[test]
fn a_stdout_that_does_not_take_it() {
    let folder = folder();
    let source = database(folder.path(), "CREATE TABLE t(a);");
    let run = |out: &str, stdout: std::process::Stdio| -> Run {
        let out = folder.path().join(out);
        program().args(["snapshot", "--source", &url(&source), "--out"]).arg(out).stdout(stdout).output().unwrap().into()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(run("closed", writer.into()).code, Some(0));
    let full = run("full", std::fs::File::options().write(true).open("/dev/full").unwrap().into());
    let expected = format!(
        "error: the report cannot be written to stdout; the bundle {}/full is complete: No space left on device (os error 28)\n\
         hint: use the bundle as it is; `pannier-import verify` checks it\n",
        folder.path().display()
    );
    assert!(full.stderr.ends_with(&expected), "{full:?}");
    assert_eq!((full.code, names(folder.path()).len()), (Some(1), 3));
}

/// Names in the data are a stranger's: none of them reaches the terminal as more than text.
#[test]
fn nothing_in_the_data_moves_the_terminal() {
    let folder = folder();
    let source = database(
        folder.path(),
        "CREATE TABLE user(id); CREATE TABLE auth(id); CREATE TABLE chat(id); CREATE TABLE \"\u{1b}[2J\u{202e}t\"(a);
         CREATE TABLE file(id TEXT, filename TEXT, path TEXT); INSERT INTO file VALUES('\u{1b}]0;x', 'n', '/u/\u{202e}gone');",
    );
    let uploads = folder.path().join("up\u{1b}[1m\u{202e}");
    std::fs::create_dir(&uploads).unwrap();
    for (index, command) in ["plan", "snapshot"].into_iter().enumerate() {
        let mut program = program();
        program.args([command, "--source", &url(&source), "--files"]).arg(&uploads);
        if index == 1 {
            program.arg("--out").arg(folder.path().join("o\u{1b}[1m"));
        }
        let run: Run = program.output().unwrap().into();
        assert_eq!(run.code, Some(3), "{run:?}");
        let said = run.stdout + &run.stderr;
        assert!(said.contains("\\u{1b}[1m") && !said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
    }
    let run = plan(&folder.path().join("no\u{1b}[1m\nhint: x"), &[]);
    assert!(run.stderr.contains("no\\u{1b}[1m\\nhint: x\nhint: "), "{run:?}");
}
