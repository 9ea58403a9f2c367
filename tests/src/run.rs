//! Our two programs, run as a person would run them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::pocketbase::{IDENTITY, PASSWORD, Pocketbase};

/// What a program left.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The exit code; -1 after a signal.
    pub code: i32,
    /// Its output.
    pub stdout: String,
    /// Its errors and progress.
    pub stderr: String,
}

impl Ran {
    /// The JSON document that it printed. Fails the test unless it ended with one of `codes`.
    #[must_use]
    pub fn json(&self, codes: &[i32]) -> Value {
        self.ended(codes);
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not one JSON document ({error}): {}", self.stdout))
    }

    /// Fails the test unless the program ended with one of `codes`.
    pub fn ended(&self, codes: &[i32]) {
        assert!(codes.contains(&self.code), "exit code {}, not {codes:?}\n{}\n{}", self.code, self.stderr, self.stdout);
    }
}

/// A command line of ours, without anything of the environment that could change what it does.
pub fn program<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(binary(name));
    command.args(arguments).stdin(Stdio::null());
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("PANNIER_") || variable == "SOURCE_DATE_EPOCH" {
            command.env_remove(variable);
        }
    }
    command.env("XDG_STATE_HOME", std::env::temp_dir().join("pannier-tests-state"));
    command
}

/// Runs a command to its end.
#[must_use]
pub fn finish(command: &mut Command) -> Ran {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs `pannier-export`.
pub fn export<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    finish(&mut program("pannier-export", arguments))
}

/// Runs `pannier-import` without a server.
pub fn import<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    finish(&mut program("pannier-import", arguments))
}

/// `pannier-import COMMAND BUNDLE --target …`, with the credentials of the server's superuser.
pub fn importing(server: &Pocketbase, command: &str, bundle: &Path) -> Command {
    let mut importing = program("pannier-import", [command]);
    importing.arg(bundle).args(["--target", &server.url()]);
    importing.env("PANNIER_PB_IDENTITY", IDENTITY).env("PANNIER_PB_PASSWORD", PASSWORD);
    importing
}

/// Where cargo put the program: beside the folder of the test that runs.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "deps")).and_then(Path::parent);
    let binary = folder.or(test.parent()).expect("a target folder").join(name);
    assert!(binary.is_file(), "{} is not built: run `cargo build --workspace` first", binary.display());
    binary
}
