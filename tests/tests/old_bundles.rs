//! Bundles that released versions wrote stay readable, and say today what they said then.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pannier_tests::fixture::Fixture;
use pannier_tests::pipeline::{apply, assert_equal, compare, inspect, snapshot, total, verify};
use pannier_tests::pocketbase::{CURRENT, Pocketbase};
use pannier_tests::repository;
use serde_json::Value;

/// Every frozen bundle. One that is not listed here is not tested, and that is a failure.
const BUNDLES: [&str; 2] = ["format-1.0/generic", "format-1.0/webui"];

fn folder() -> PathBuf {
    repository().join("tests/bundles")
}

fn bundle(name: &str) -> PathBuf {
    folder().join(format!("{name}.tar"))
}

/// `tar` and `json` of every bundle that is there.
fn names() -> Vec<String> {
    let mut names = Vec::new();
    for format in std::fs::read_dir(folder()).unwrap().map(Result::unwrap) {
        let format_name = format.file_name().into_string().unwrap();
        if !format_name.starts_with("format-") {
            continue;
        }
        for file in std::fs::read_dir(format.path()).unwrap().map(Result::unwrap) {
            let path = file.path();
            if path.extension().is_some_and(|extension| extension == "tar") {
                names.push(format!("{format_name}/{}", path.file_stem().unwrap().to_str().unwrap()));
            }
        }
    }
    names.sort();
    names
}

#[test]
fn the_folder_is_the_tested_list() {
    assert_eq!(names(), BUNDLES);
}

#[test]
fn they_are_whole_and_hold_what_they_held() {
    for name in BUNDLES {
        let _ = verify(&bundle(name));
        let mut said = inspect(&bundle(name));
        let then = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
        let then: Value = serde_json::from_str(&then).unwrap();
        said["bundle"] = then["bundle"].clone();
        // Newer versions may say more, never less or something else.
        assert_contains(&said, &then, name);
    }
}

fn assert_contains(now: &Value, then: &Value, at: &str) {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            for (key, value) in then {
                assert_contains(now.get(key).unwrap_or_else(|| panic!("{at}.{key} is gone")), value, &format!("{at}.{key}"));
            }
        }
        (Value::Array(now), Value::Array(then)) => {
            assert_eq!(now.len(), then.len(), "{at}");
            now.iter().zip(then).enumerate().for_each(|(index, (now, then))| assert_contains(now, then, &format!("{at}[{index}]")));
        }
        _ => assert_eq!(now, then, "{at}"),
    }
}

/// The digests of the tables that the same source gives today are those of then.
#[test]
fn the_same_source_has_the_same_digests() {
    for name in BUNDLES {
        let source = format!("../bundles/source/{}.sql", Path::new(name).file_name().unwrap().to_str().unwrap());
        let fixture = Fixture::from_sql(&source);
        assert_eq!(digests(&inspect(&snapshot(&fixture))), digests(&inspect(&bundle(name))), "{name}");
    }
}

fn digests(inspected: &Value) -> BTreeMap<String, Value> {
    let tables = inspected["tables"].as_array().unwrap();
    tables.iter().map(|table| (table["name"].as_str().unwrap().to_owned(), table["digest"].clone())).collect()
}

#[test]
fn they_can_be_imported() {
    for name in BUNDLES {
        let server = Pocketbase::start(CURRENT);
        let work = tempfile::tempdir().unwrap();
        let copy = work.path().join("bundle.tar");
        std::fs::copy(bundle(name), &copy).unwrap();
        let report = apply(&server, &copy, &[]);
        assert_eq!(report["failures"], 0, "{name}");
        assert!(total(&report, "created") > 0);
        assert_equal(&compare(&server, &copy, &[]));
    }
}
