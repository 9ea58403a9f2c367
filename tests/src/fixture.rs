//! The databases of `tests/fixtures`, unpacked; and small ones made from SQL text.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

use crate::repository;

/// Every fixture that `Open WebUI` made.
pub const OPEN_WEBUI: [&str; 4] = ["openwebui-0.3.35", "openwebui-0.6.43", "openwebui-0.12.4", "openwebui-0.6.43-to-0.12.4"];

/// One database with its files, in a temporary folder.
pub struct Fixture {
    work: TempDir,
    folder: PathBuf,
    database: PathBuf,
    locations: Vec<String>,
}

impl Fixture {
    /// Unpacks `tests/fixtures/{name}.tar.zst`.
    #[must_use]
    pub fn open(name: &str) -> Fixture {
        let work = tempfile::tempdir().expect("a temporary folder");
        unpack(name, work.path());
        let folder = work.path().join(name);
        let locations = ["uploads", "archive"].iter().filter(|location| folder.join(location).is_dir());
        let locations = locations.map(|location| format!("{location}={}", folder.join(location).display())).collect();
        Fixture { work, database: folder.join("webui.db"), folder, locations }
    }

    /// A database made by the SQL text of a file in `tests/fixtures`.
    #[must_use]
    pub fn from_sql(file: &str) -> Fixture {
        let path = repository().join("tests/fixtures").join(file);
        let sql = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let work = tempfile::tempdir().expect("a temporary folder");
        let folder = work.path().to_owned();
        let database = folder.join("source.db");
        let connection = Connection::open(&database).expect("a new database");
        connection.execute_batch(&sql).unwrap_or_else(|error| panic!("{file}: {error}"));
        connection.close().map_err(|(_, error)| error).expect("the database closes");
        Fixture { work, folder, database, locations: Vec::new() }
    }

    /// A folder for what the test makes.
    #[must_use]
    pub fn work(&self) -> &Path {
        self.work.path()
    }

    /// The folder with database and files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database file.
    #[must_use]
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// What `--source` takes.
    #[must_use]
    pub fn source(&self) -> String {
        format!("sqlite:///{}", self.database.display())
    }

    /// `--source …` and `--files …` for the exporter.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--source".to_owned(), self.source()];
        for location in &self.locations {
            arguments.extend(["--files".to_owned(), location.clone()]);
        }
        arguments
    }

    /// `truth.json`: what the script that made the fixture knows to be in it.
    #[must_use]
    pub fn truth(&self) -> Value {
        let path = self.folder.join("truth.json");
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&text).expect("truth.json is JSON")
    }

    /// The database, to be looked at.
    #[must_use]
    pub fn connect(&self) -> Connection {
        Connection::open_with_flags(&self.database, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the database opens")
    }
}

/// Unpacks `tests/fixtures/{name}.tar.zst` into a folder.
pub fn unpack(name: &str, folder: &Path) {
    let path = repository().join("tests/fixtures").join(format!("{name}.tar.zst"));
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let content = zstd::stream::read::Decoder::new(file).expect("a zstd stream");
    tar::Archive::new(content).unpack(folder).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
