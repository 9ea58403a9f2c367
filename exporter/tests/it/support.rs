//! What the tests share: running the program, looking at what it left.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pannier_format::{Bundle, OwnedValue};
use rusqlite::types::{ToSql, ToSqlOutput, Value as SqlValue, ValueRef};
use tempfile::TempDir;

/// The program.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pannier-export"));
    command.env("SOURCE_DATE_EPOCH", "1700000000").env_remove("TMPDIR");
    command
}

/// What a run said.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A folder that other users may enter, as the tests that give up root need.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

pub fn url(path: &Path) -> String {
    format!("sqlite:///{}", path.display())
}

/// Makes a database with this script.
pub fn database(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("source.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    // As the application does it: declared, never enforced.
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    connection.execute_batch(script).unwrap();
    connection.close().unwrap();
    path
}

/// Takes a snapshot with these further arguments.
pub fn snapshot(source: &Path, out: &Path, more: &[&str]) -> Run {
    program().args(["snapshot", "--source", &url(source), "--out"]).arg(out).args(more).output().unwrap().into()
}

/// Takes a snapshot that must succeed without problems, and opens it.
pub fn bundle(source: &Path, out: &Path, more: &[&str]) -> Bundle {
    let run = snapshot(source, out, more);
    assert_eq!(run.code, Some(0), "{run:?}");
    Bundle::open(out).unwrap()
}

/// All rows of a table.
pub fn rows(bundle: &Bundle, table: &str) -> Vec<Vec<OwnedValue>> {
    let table = bundle.table(table).unwrap();
    let mut reader = bundle.rows(table).unwrap();
    let mut rows = Vec::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        for index in 0..batch.rows() {
            let mut row = Vec::new();
            batch.row(index, &mut row);
            rows.push(row.iter().map(pannier_format::Value::to_owned).collect());
        }
    }
    rows
}

/// The codes and objects of the problems that a bundle records.
pub fn problems(bundle: &Bundle) -> Vec<(String, String)> {
    let text = bundle.member("report/problems.ndjson").unwrap().unwrap();
    String::from_utf8(text)
        .unwrap()
        .lines()
        .map(|line| {
            let problem: pannier_format::Problem = serde_json::from_str(line).unwrap();
            (problem.code, problem.object)
        })
        .collect()
}

/// Every file of a folder with its bytes, and its time of modification.
pub fn contents(folder: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let bytes = std::fs::read(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), (bytes, entry.metadata().unwrap().modified().unwrap()))
        })
        .collect()
}

/// The names in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A command that runs the program as nobody; none where that cannot be done, with the reason on stderr.
pub fn as_nobody() -> Option<Command> {
    let command = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_pannier-export")]);
        command.env("SOURCE_DATE_EPOCH", "1700000000");
        command
    };
    if command().arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Some(command());
    }
    skip("needs root and setpriv, to give root up, and a build folder that everybody may enter");
    None
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// A value to be bound as it is, texts that are not UTF-8 included.
pub struct Bound<'a>(pub &'a OwnedValue);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            OwnedValue::Null => ToSqlOutput::Owned(SqlValue::Null),
            OwnedValue::Integer(integer) => ToSqlOutput::Owned(SqlValue::Integer(*integer)),
            OwnedValue::Real(real) => ToSqlOutput::Owned(SqlValue::Real(*real)),
            OwnedValue::Text(bytes) => ToSqlOutput::Borrowed(ValueRef::Text(bytes)),
            OwnedValue::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            OwnedValue::Boolean(_) => unreachable!("SQLite has no booleans"),
        })
    }
}
