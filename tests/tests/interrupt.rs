//! Ctrl-C during apply: the server's settings are put back, and the next apply completes what was begun.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may panic")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pannier_tests::fixture::Fixture;
use pannier_tests::pipeline::{apply, assert_equal, compare, snapshot, total, with_server};
use pannier_tests::pocketbase::{CURRENT, Pocketbase};
use pannier_tests::run::importing;

#[test]
fn sigint_puts_the_settings_back() {
    interrupted_by(Signal::SIGINT);
}

#[test]
fn sigterm_puts_the_settings_back() {
    interrupted_by(Signal::SIGTERM);
}

fn interrupted_by(signal: Signal) {
    let fixture = Fixture::open("openwebui-0.12.4");
    let server = Pocketbase::start(CURRENT);
    let bundle = snapshot(&fixture);
    with_server(&server, "schema", &bundle, &[]).ended(&[0]);
    let before = server.batch_settings();
    assert_eq!(before["enabled"], false);

    let report = fixture.work().join("report");
    let mut command = importing(&server, "apply", &bundle);
    let child = command.arg("--report").arg(&report).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Accounts come first: once one is there, the settings are changed and most of the work is still to be done.
    let limit = Instant::now() + Duration::from_secs(60);
    while server.get("/api/collections/users/records?perPage=1")["totalItems"] == 0 {
        assert!(Instant::now() < limit, "apply does not begin");
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("error: interrupted\nhint: run the same command again"), "{stderr}");
    assert_eq!(server.batch_settings(), before);

    let second = apply(&server, &bundle, &[]);
    assert!(total(&second, "created") > 0, "apply was over before it was interrupted");
    assert_eq!(server.batch_settings(), before);
    assert_equal(&compare(&server, &bundle, &[]));
}
