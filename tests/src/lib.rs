//! What the tests of the whole share: fixtures, PocketBase servers, and our two programs run as a person would run them.
//!
//! Nothing here knows the insides of exporter or importer: what is tested goes through their command lines, and what
//! they did is read back by other means, with SQLite and a plain HTTP client.
#![allow(clippy::missing_panics_doc, reason = "a test that cannot go on says why and stops")]

pub mod fixture;
pub mod http;
pub mod pipeline;
pub mod pocketbase;
pub mod run;

use std::path::PathBuf;

/// The repository's root.
#[must_use]
pub fn repository() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().map(PathBuf::from).unwrap_or(tests)
}
