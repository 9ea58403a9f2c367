//! Older servers: what they cannot do is said beforehand, and everything else is as complete as on the current one.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may panic")]

use std::ffi::OsStr;

use pannier_tests::fixture::Fixture;
use pannier_tests::pipeline::{DONE, snapshot, whole_way, with_server};
use pannier_tests::pocketbase::Pocketbase;
use pannier_tests::run::import;

#[test]
fn pocketbase_0_23_4() {
    an_older_server("0.23.4");
}

#[test]
fn pocketbase_0_28_4() {
    an_older_server("0.28.4");
}

#[test]
fn pocketbase_0_36_9() {
    an_older_server("0.36.9");
}

fn an_older_server(version: &str) {
    let fixture = Fixture::open("openwebui-0.12.4");
    let server = Pocketbase::start(version);
    let (bundle, report) = whole_way(&fixture, &server, &[]);
    assert_eq!(report["accounts"]["password_kept"], 0, "no SQL, no password hashes");
    assert_eq!(report["accounts"]["accounts"], report["accounts"]["need_reset"]);
    let plan = with_server(&server, "plan", &bundle, &["--json"]).json(&DONE);
    assert_eq!(plan["target"]["sql"], false);
    assert_eq!(plan["costs"].as_array().unwrap().len(), 2, "{}", plan["costs"]);
}

#[test]
fn a_migration_is_applied_by_the_server_itself() {
    let fixture = Fixture::open("openwebui-0.12.4");
    let bundle = snapshot(&fixture);
    let folder = fixture.work().join("pb_migrations");
    let emitted = import([OsStr::new("schema"), bundle.as_os_str(), OsStr::new("--emit"), folder.as_os_str()]);
    emitted.ended(&[0]);
    for version in ["0.23.4", "0.40.6"] {
        let server = Pocketbase::start_with(version, |data| {
            std::fs::create_dir(data.join("pb_migrations")).unwrap();
            for entry in std::fs::read_dir(&folder).unwrap() {
                let entry = entry.unwrap();
                std::fs::copy(entry.path(), data.join("pb_migrations").join(entry.file_name())).unwrap();
            }
        });
        let schema = with_server(&server, "schema", &bundle, &["--json"]).json(&[0]);
        for collection in schema["collections"].as_array().unwrap() {
            assert_eq!(collection["action"], "keep", "{version}: {collection}");
        }
    }
}
