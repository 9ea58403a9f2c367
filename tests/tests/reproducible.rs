//! The same source gives the same bundle: to the last byte where the time is given, to the payload otherwise.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may panic")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use pannier_tests::fixture::{Fixture, OPEN_WEBUI};
use pannier_tests::pipeline::DONE;
use pannier_tests::run::{finish, program};

fn snapshot(fixture: &Fixture, name: &str, epoch: Option<&str>) -> PathBuf {
    let bundle = fixture.work().join(name);
    let mut command = program("pannier-export", [OsStr::new("snapshot"), OsStr::new("--out"), bundle.as_os_str()]);
    command.args(fixture.arguments());
    if let Some(epoch) = epoch {
        command.env("SOURCE_DATE_EPOCH", epoch);
    }
    finish(&mut command).ended(&DONE);
    bundle
}

fn manifest(bundle: &Path) -> String {
    let ran = finish(Command::new("tar").arg("-xOf").arg(bundle).args(["--wildcards", "*/manifest-sha256.txt"]));
    ran.ended(&[0]);
    assert!(ran.stdout.lines().count() > 10);
    ran.stdout
}

#[test]
fn with_a_given_time_the_bytes_are_the_same() {
    for name in OPEN_WEBUI {
        let fixture = Fixture::open(name);
        let first = snapshot(&fixture, "first.tar", Some("1700000000"));
        let second = snapshot(&fixture, "second.tar", Some("1700000000"));
        assert!(std::fs::read(first).unwrap() == std::fs::read(second).unwrap(), "{name}");
    }
}

#[test]
fn without_it_the_payload_is_the_same() {
    for fixture in [Fixture::open("openwebui-0.12.4"), Fixture::from_sql("torture.sql")] {
        let first = snapshot(&fixture, "first.tar", Some("1"));
        let second = snapshot(&fixture, "second.tar", None);
        assert_eq!(manifest(&first), manifest(&second));
    }
}
