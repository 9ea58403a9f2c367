//! The way from a source to proven records, step by step, each with what must be true of it whatever the source.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::fixture::Fixture;
use crate::pocketbase::Pocketbase;
use crate::run::{self, Ran};

/// Exit codes of a step that went well: done, or finished with problems in the data.
pub const DONE: [i32; 2] = [0, 3];

/// Writes a bundle of a fixture; its path.
#[must_use]
pub fn snapshot(fixture: &Fixture) -> PathBuf {
    let bundle = fixture.work().join("bundle.tar");
    let out = bundle.to_string_lossy().into_owned();
    let mut arguments = vec!["snapshot".to_owned(), "--json".to_owned(), "--out".to_owned(), out];
    arguments.extend(fixture.arguments());
    let report = run::export(arguments).json(&DONE);
    assert_eq!(report["bundle"].as_str(), bundle.to_str());
    bundle
}

/// `verify`, which must find nothing.
#[must_use]
pub fn verify(bundle: &Path) -> Value {
    let report = run::import([Path::new("verify"), bundle, Path::new("--json")]).json(&[0]);
    assert_eq!(report["problems"], serde_json::json!([]));
    report
}

/// `inspect`.
#[must_use]
pub fn inspect(bundle: &Path) -> Value {
    run::import([Path::new("inspect"), bundle, Path::new("--json")]).json(&[0])
}

/// A command with a server, run to its end.
#[must_use]
pub fn with_server(server: &Pocketbase, command: &str, bundle: &Path, arguments: &[&str]) -> Ran {
    run::finish(run::importing(server, command, bundle).args(arguments))
}

/// `apply`, its report beside the bundle.
#[must_use]
pub fn apply(server: &Pocketbase, bundle: &Path, arguments: &[&str]) -> Value {
    let report = bundle.with_file_name("report");
    let report = report.to_string_lossy();
    let ran = with_server(server, "apply", bundle, &[&["--json", "--report", &report], arguments].concat());
    let document = ran.json(&DONE);
    let is_clean = document["failures"] == 0 && document["problems"] == serde_json::json!([]);
    assert_eq!(ran.code, if is_clean { 0 } else { 3 }, "the exit code says whether there are problems");
    document
}

/// `compare`, its report beside the bundle.
#[must_use]
pub fn compare(server: &Pocketbase, bundle: &Path, arguments: &[&str]) -> Value {
    let report = bundle.with_file_name("report-compare");
    let report = report.to_string_lossy();
    with_server(server, "compare", bundle, &[&["--json", "--report", &report], arguments].concat()).json(&DONE)
}

/// The sum of one count over all collections of a report.
#[must_use]
pub fn total(report: &Value, count: &str) -> u64 {
    let collections = report["collections"].as_array().unwrap_or_else(|| panic!("no collections in {report}"));
    let one = |collection: &Value| collection[count].as_u64().unwrap_or_else(|| panic!("no {count} in {collection}"));
    collections.iter().map(one).sum()
}

/// `compare` must find every record, and nothing that differs.
pub fn assert_equal(report: &Value) {
    for count in ["missing", "extra", "differing", "differences"] {
        assert_eq!(total(report, count), 0, "{count}: {}", report["differences"]);
    }
    // A server without SQL has no way to hold times and password hashes, and compare says so, in one line.
    let all_compared = report["target"]["sql"].as_bool();
    assert_eq!(report["not_compared"].as_array().map(Vec::is_empty), all_compared, "{}", report["not_compared"]);
    assert_eq!(total(report, "rows"), total(report, "records"));
    assert_eq!(total(report, "rows"), total(report, "compared"));
}

/// The whole way: snapshot, verify, schema, plan, apply, compare, and apply again, which must do nothing. Returns the bundle and
/// the report of the first apply.
#[must_use]
pub fn whole_way(fixture: &Fixture, server: &Pocketbase, profile: &[&str]) -> (PathBuf, Value) {
    let bundle = snapshot(fixture);
    let _ = verify(&bundle);
    let schema = with_server(server, "schema", &bundle, &[&["--json"], profile].concat()).json(&[0]);
    let plan = with_server(server, "plan", &bundle, &[&["--json"], profile].concat()).json(&DONE);
    assert_eq!(plan["refused"], 0, "{}", plan["refusals"]);
    assert_eq!(plan["contradictions"], serde_json::json!([]));
    let batch = server.batch_settings();

    let first = apply(server, &bundle, profile);
    assert_eq!(first["failures"], 0, "failures: {}", failures(&bundle));
    assert_eq!(total(&first, "created"), total(&first, "rows"));
    assert_eq!(total(&first, "created"), total(&plan, "rows"));
    assert_eq!(schema["collections"].as_array().map(Vec::len), first["collections"].as_array().map(Vec::len));
    let skipped: u64 = first["skipped"].as_array().into_iter().flatten().filter_map(|skipped| skipped["rows"].as_u64()).sum();
    assert_eq!(
        inspect(&bundle)["rows"].as_u64(),
        Some(total(&first, "rows") + skipped),
        "every row is a record or in a table that is skipped"
    );
    assert_eq!(server.batch_settings(), batch, "the server's settings are what they were");
    assert_equal(&compare(server, &bundle, profile));

    let second = apply(server, &bundle, profile);
    for count in ["created", "changed", "failed", "files", "related", "finished"] {
        assert_eq!(total(&second, count), 0, "the second apply: {count}");
    }
    assert_eq!(total(&second, "unchanged"), total(&first, "rows"));
    assert_equal(&compare(server, &bundle, profile));
    (bundle, first)
}

/// What the last apply wrote into `failures.ndjson`.
#[must_use]
pub fn failures(bundle: &Path) -> String {
    std::fs::read_to_string(bundle.with_file_name("report").join("failures.ndjson")).unwrap_or_default()
}
