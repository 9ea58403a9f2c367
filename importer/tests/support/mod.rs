//! What the tests of this crate share.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::Command;

/// The PocketBase binary to test with: the one in the environment, else that of the default version.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("PANNIER_POCKETBASE") {
        return path.into();
    }
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/lib/pocketbase.sh");
    let output = Command::new(script).arg("0.40.6").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}
