//! `apply` to a `PocketBase` whose hooks do not want some records: each costs its row, with the hook's words where the
//! server passes them on, and the rest arrives. `PANNIER_POCKETBASE` names the server's binary.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const IDENTITY: &str = "admin@example.com";
const PASSWORD: &str = "password123";

/// Takes turns among five ways to say no, and yes, by the sum of an id's characters.
const HOOKS: &str = r#"
onRecordCreate((e) => {
  if (e.record.collection().name.startsWith("_")) return e.next();
  let sum = 0;
  for (const c of e.record.id) sum += c.charCodeAt(0);
  switch (sum % 10) {
    case 0: throw new ForbiddenError("no, forbidden");
    case 1: throw new NotFoundError("no, not found");
    case 2: throw new InternalServerError("no, internal");
    case 3: throw new UnauthorizedError("no, unauthorized");
    case 4: throw new Error("no");
  }
  e.next();
});
"#;

struct Server {
    child: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Server {
    fn start(hooks: &str) -> Server {
        let binary = support::binary();
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("pb_data");
        std::fs::create_dir(folder.path().join("pb_hooks")).unwrap();
        std::fs::write(folder.path().join("pb_hooks/no.pb.js"), hooks).unwrap();
        let made = Command::new(&binary).args(["superuser", "upsert", IDENTITY, PASSWORD, "--dir"]).arg(&data).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        // Somebody else may take the free port before the server does: then it says nothing, ends, and gets another.
        loop {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
            let mut serve = Command::new(&binary);
            serve.args(["serve", "--http", &address, "--dir"]).arg(&data).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = serve.spawn().unwrap();
            let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
            if said.any(|line| line.contains("Server started")) {
                std::thread::spawn(move || said.for_each(drop));
                return Server { child, url: format!("http://{address}"), folder };
            }
            child.wait().unwrap();
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let bundle = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/bundles/format-1.0/webui.tar");
        Command::new(env!("CARGO_BIN_EXE_pannier-import"))
            .arg(arguments[0])
            .arg(bundle)
            .args(["--target", &self.url])
            .args(&arguments[1..])
            .env("PANNIER_PB_IDENTITY", IDENTITY)
            .env("PANNIER_PB_PASSWORD", PASSWORD)
            .env("XDG_STATE_HOME", self.folder.path())
            .output()
            .unwrap()
    }

    fn apply(&self, report: &Path) -> Output {
        self.run(&["apply", "--report", report.to_str().unwrap()])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_hooks_refuse_costs_rows_and_nothing_else() {
    let server = Server::start(HOOKS);
    let report = server.folder.path().join("report");
    let output = server.apply(&report);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let failures = std::fs::read_to_string(report.join("failures.ndjson")).unwrap();
    let failures: Vec<Value> = failures.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Old servers (0.23.4) make a 400 of most that a hook throws.
    let old = !failures.iter().any(|failure| failure["reason"].as_str().unwrap().contains("status 500"));
    let mut classes = BTreeSet::new();
    for failure in &failures {
        let id = failure["id"].as_str().unwrap();
        let reason = failure["reason"].as_str().unwrap();
        let class = id.bytes().map(u32::from).sum::<u32>() % 10;
        let words = ["No, forbidden", "found nothing", "status 500: No, internal", "does not accept the token", "Failed to create"];
        let wrapped = old && reason.contains("Failed to create");
        assert!(wrapped || words.get(class as usize).is_some_and(|words| reason.contains(words)), "{class}: {failure}");
        classes.insert(class);
    }
    assert!(classes.contains(&0) && classes.contains(&2), "too few rows to show anything: {classes:?}");

    // Everything else is there.
    let compared = server.run(&["compare", "--report", report.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&compared.stdout).into_owned();
    assert!(text.contains(&format!("{} missing, 0 extra", failures.len())), "{text}");
}

/// Closes all records with the first attempt to write one.
const CLOSING_HOOKS: &str = r#"
routerUse((e) => {
  const path = e.request.url.path;
  const isRecords = path.endsWith("/records") || path == "/api/batch";
  if (isRecords && e.request.method == "POST") $app.store().set("closed", true);
  if (isRecords && $app.store().get("closed")) throw new ForbiddenError("closed");
  return e.next();
});
"#;

#[test]
fn a_server_that_refuses_everything_stops_the_import() {
    let server = Server::start(CLOSING_HOOKS);
    let report = server.folder.path().join("report");
    let output = server.apply(&report);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the server forbids POST") && text.contains("Closed"), "{text}");
    assert_eq!(std::fs::read_to_string(report.join("failures.ndjson")).unwrap(), "");
}
