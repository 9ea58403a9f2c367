//! Tools that know nothing of Pannier check a bundle: tar, sha256sum, bagit.py and DuckDB.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use pannier_tests::fixture::Fixture;
use pannier_tests::pipeline::{inspect, snapshot};
use pannier_tests::repository;
use pannier_tests::run::finish;
use serde_json::Value;
use tempfile::TempDir;

/// A bundle of the largest fixture, and the bag that `tar` takes out of it.
struct Bag {
    _fixture: Fixture,
    bundle: PathBuf,
    folder: PathBuf,
}

impl Bag {
    fn unpack(fixture: Fixture, into: &TempDir) -> Bag {
        let bundle = snapshot(&fixture);
        finish(Command::new("tar").arg("xf").arg(&bundle).arg("-C").arg(into.path())).ended(&[0]);
        let name = inspect(&bundle)["name"].as_str().unwrap().to_owned();
        Bag { _fixture: fixture, bundle, folder: into.path().join(name) }
    }
}

/// Runs Python with the packages that `scripts/lib/strangers.sh` installs. A test without them fails, it is not skipped.
fn python(arguments: &[&str], folder: &Path) -> String {
    let installed = finish(&mut Command::new(repository().join("scripts/lib/strangers.sh")));
    installed.ended(&[0]);
    let ran = finish(Command::new("python3").args(arguments).env("PYTHONPATH", installed.stdout.trim()).current_dir(folder));
    ran.ended(&[0]);
    ran.stdout + &ran.stderr
}

#[test]
fn sha256sum_checks_the_manifests() {
    let work = tempfile::tempdir().unwrap();
    let bag = Bag::unpack(Fixture::open("openwebui-0.12.4"), &work);
    for manifest in ["manifest-sha256.txt", "tagmanifest-sha256.txt"] {
        let lines = std::fs::read_to_string(bag.folder.join(manifest)).unwrap().lines().count();
        let ran = finish(Command::new("sha256sum").args(["--check", "--strict", manifest]).current_dir(&bag.folder).env("LC_ALL", "C"));
        ran.ended(&[0]);
        assert_eq!(ran.stdout.lines().filter(|line| line.ends_with(": OK")).count(), lines);
    }
}

#[test]
fn bagit_validates_the_bag() {
    let work = tempfile::tempdir().unwrap();
    let bag = Bag::unpack(Fixture::open("openwebui-0.12.4"), &work);
    let said = python(&["-m", "bagit", "--validate", bag.folder.to_str().unwrap()], work.path());
    assert!(said.contains("is valid"), "{said}");
}

#[test]
fn duckdb_counts_the_same_rows_of_open_webui() {
    duckdb_counts_the_same_rows(Fixture::open("openwebui-0.12.4"));
}

#[test]
fn duckdb_counts_the_same_rows_of_any_schema() {
    duckdb_counts_the_same_rows(Fixture::from_sql("torture.sql"));
}

fn duckdb_counts_the_same_rows(fixture: Fixture) {
    const COUNT: &str = "import duckdb, json, sys\n\
        parts = json.load(open('parts.json'))\n\
        count = lambda part: duckdb.sql('SELECT count(*) FROM read_parquet(?)', params=[part]).fetchone()[0]\n\
        print(json.dumps([sum(count(part) for part in table) for table in parts]))\n";
    let work = tempfile::tempdir().unwrap();
    let bag = Bag::unpack(fixture, &work);
    let inspected = inspect(&bag.bundle);
    let tables = inspected["tables"].as_array().unwrap();
    let parts: Vec<Vec<String>> = tables
        .iter()
        .map(|table| table["parts"].as_array().unwrap().iter().map(|part| format!("data/{}", part.as_str().unwrap())).collect())
        .collect();
    std::fs::write(bag.folder.join("parts.json"), serde_json::to_vec(&parts).unwrap()).unwrap();
    let counted: Vec<Value> = serde_json::from_str(python(&["-c", COUNT], &bag.folder).trim()).unwrap();
    let said: Vec<Value> = tables.iter().map(|table| table["rows"].clone()).collect();
    assert_eq!(counted, said);
    assert!(counted.len() > 40);
}
