//! PocketBase servers of any version, each with a data directory of its own, gone when dropped.

use std::cell::OnceCell;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Answer, request};
use crate::repository;

/// The superuser of every server that is started here.
pub const IDENTITY: &str = "root@example.com";
/// Its password.
pub const PASSWORD: &str = "correct-horse-battery";
/// The version that most tests use.
pub const CURRENT: &str = "0.40.6";

/// A running server.
pub struct Pocketbase {
    child: Child,
    address: String,
    data: TempDir,
    binary: PathBuf,
    token: OnceCell<String>,
}

impl Pocketbase {
    /// Starts a server of `version` with [`IDENTITY`] as its superuser.
    #[must_use]
    pub fn start(version: &str) -> Pocketbase {
        Pocketbase::start_with(version, |_| ())
    }

    /// As [`Pocketbase::start`]; `prepare` gets the folder that is to hold `pb_data` and `pb_migrations` before the server does.
    #[must_use]
    pub fn start_with(version: &str, prepare: impl FnOnce(&Path)) -> Pocketbase {
        let binary = binary(version);
        let data = tempfile::tempdir().expect("a temporary folder");
        prepare(data.path());
        let superuser: &[&str] = if version.starts_with("0.22") { &["admin", "create"] } else { &["superuser", "upsert"] };
        let made = command(&binary, data.path()).args(superuser).args([IDENTITY, PASSWORD]).output().expect("PocketBase runs");
        assert!(made.status.success(), "the superuser could not be made: {made:?}");
        let (child, address) = serve(&binary, data.path());
        Pocketbase { child, address, data, binary, token: OnceCell::new() }
    }

    /// `http://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The folder that holds `pb_data` and `pb_migrations`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.data.path()
    }

    /// Ends the server and starts it again, at another address.
    pub fn restart(&mut self) {
        self.stop();
        (self.child, self.address) = serve(&self.binary, self.data.path());
    }

    /// Ends the server.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Logs an account of `collection` in; the answer as it came.
    #[must_use]
    pub fn log_in(&self, collection: &str, identity: &str, password: &str) -> Answer {
        let body = json!({ "identity": identity, "password": password });
        request(&self.address, "POST", &format!("/api/collections/{collection}/auth-with-password"), None, Some(&body))
    }

    /// A token of the superuser: fetched once, since the server makes every log-in slow.
    #[must_use]
    pub fn token(&self) -> &str {
        self.token.get_or_init(|| {
            let answer = self.log_in("_superusers", IDENTITY, PASSWORD);
            answer.json()["token"].as_str().unwrap_or_else(|| panic!("the superuser cannot log in: {answer:?}")).to_owned()
        })
    }

    /// Asks as the superuser.
    #[must_use]
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        request(&self.address, method, path, Some(self.token()), body)
    }

    /// The JSON answer to a GET as the superuser, which must succeed.
    #[must_use]
    pub fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, None);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// The rows of a query; values are text, NULL is null. The server must know SQL (0.39).
    #[must_use]
    pub fn sql(&self, query: &str) -> Vec<Vec<Option<String>>> {
        let answer = self.ask("POST", "/api/sql", Some(&json!({ "query": query })));
        assert_eq!(answer.status, 200, "{query}: {}", String::from_utf8_lossy(&answer.body));
        let answer = answer.json();
        let rows = answer["rows"].as_array().cloned().unwrap_or_default();
        let cell = |cell: &Value| cell.as_str().map(str::to_owned);
        rows.iter().map(|row| row.as_array().into_iter().flatten().map(cell).collect()).collect()
    }

    /// The names of the collections that are not PocketBase's own.
    #[must_use]
    pub fn collections(&self) -> Vec<String> {
        let page = self.get("/api/collections?perPage=500");
        let names = page["items"].as_array().into_iter().flatten().filter_map(|item| item["name"].as_str());
        names.filter(|name| !name.starts_with('_')).map(str::to_owned).collect()
    }

    /// The server's settings of batch requests.
    #[must_use]
    pub fn batch_settings(&self) -> Value {
        self.get("/api/settings")["batch"].clone()
    }
}

impl Drop for Pocketbase {
    fn drop(&mut self) {
        self.stop();
    }
}

fn command(binary: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    // The data directory is named, and so are the folders beside it, which would otherwise be looked for beside the binary.
    command.arg("--dir").arg(folder.join("pb_data")).arg("--migrationsDir").arg(folder.join("pb_migrations")).current_dir(folder);
    command
}

/// Starts serving at a free port; the address.
fn serve(binary: &Path, folder: &Path) -> (Child, String) {
    // Somebody else may take the port that was free: then the server says nothing, ends, and gets another one.
    for _ in 0..20 {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").to_string();
        let mut serve = command(binary, folder);
        serve.args(["serve", "--http", &address]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = serve.spawn().expect("PocketBase runs");
        let output = child.stdout.take().expect("its output");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        if lines.any(|line| line.contains("Server started")) {
            // Read on, so that the server never waits for us.
            std::thread::spawn(move || lines.for_each(drop));
            return (child, address);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    panic!("PocketBase ({}) does not start", binary.display());
}

/// The server's program. A test without it fails, it is not skipped: `scripts/test` fetches it beforehand.
fn binary(version: &str) -> PathBuf {
    let script = repository().join("scripts/lib/pocketbase.sh");
    let output = Command::new(script).arg(version).output().expect("scripts/lib/pocketbase.sh runs");
    assert!(output.status.success(), "no PocketBase {version}: {}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}
