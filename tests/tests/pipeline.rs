//! Real Open WebUI databases, the whole way into PocketBase, and then looked at by other means than our own compare.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may panic")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use pannier_tests::fixture::Fixture;
use pannier_tests::http::request;
use pannier_tests::pipeline::{inspect, total, whole_way};
use pannier_tests::pocketbase::{CURRENT, Pocketbase};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

#[test]
fn open_webui_0_3_35() {
    the_whole_way("openwebui-0.3.35");
}

#[test]
fn open_webui_0_6_43() {
    the_whole_way("openwebui-0.6.43");
}

#[test]
fn open_webui_0_12_4() {
    the_whole_way("openwebui-0.12.4");
}

#[test]
fn open_webui_0_6_43_upgraded_to_0_12_4() {
    the_whole_way("openwebui-0.6.43-to-0.12.4");
}

fn the_whole_way(name: &str) {
    let fixture = Fixture::open(name);
    let server = Pocketbase::start(CURRENT);
    let (bundle, report) = whole_way(&fixture, &server, &[]);
    let truth = fixture.truth();
    assert_eq!(report["profile"], "open-webui");
    row_counts(&bundle, &truth);
    files_of_the_bundle(&bundle, &truth);
    passwords(&server, &truth);
    chats(&fixture, &server);
    nanoseconds(&fixture, &server);
    files(&server, &truth);
    assert_eq!(total(&report, "files"), present(&truth).count() as u64);
}

/// The bundle has the rows that the script which made the fixture counted.
fn row_counts(bundle: &Path, truth: &Value) {
    let inspected = inspect(bundle);
    let tables = inspected["tables"].as_array().unwrap();
    let found: BTreeMap<&str, u64> =
        tables.iter().map(|table| (table["name"].as_str().unwrap(), table["rows"].as_u64().unwrap())).collect();
    let expected = truth["row_counts"].as_object().unwrap();
    for (table, rows) in expected {
        assert_eq!(found.get(table.as_str()).copied(), rows.as_u64(), "{table}");
    }
    let sum: u64 = expected.values().map(|rows| rows.as_u64().unwrap()).sum();
    assert_eq!(truth["total_rows"].as_u64(), Some(sum));
}

/// Rows of `file` whose bytes are there.
fn present(truth: &Value) -> impl Iterator<Item = &Value> {
    truth["files"].as_array().unwrap().iter().filter(|file| !file["sha256"].is_null())
}

/// Every content that is on disk is in the bundle under its hash, whether a row knows it or not.
fn files_of_the_bundle(bundle: &Path, truth: &Value) {
    let bundle = pannier_format::Bundle::open(bundle).unwrap();
    let strays = truth["uploads_on_disk_without_row"].as_array().unwrap();
    for file in present(truth).chain(strays) {
        let hash = file["sha256"].as_str().unwrap();
        let mut content = bundle.blob(hash).unwrap().unwrap_or_else(|| panic!("no blob for {file}"));
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).unwrap();
        assert_eq!(hex(&Sha256::digest(&bytes)), hash, "{file}");
    }
}

/// Three people sign in with the password that they had.
fn passwords(server: &Pocketbase, truth: &Value) {
    let accounts = truth["accounts"].as_array().unwrap();
    let plain =
        |account: &&Value| account["hash"] == "bcrypt" && account["email"].as_str().is_some_and(|email| email.ends_with("@example.com"));
    // An empty password is none: PocketBase takes none of these, and neither does Open WebUI's form.
    let with_password = accounts.iter().filter(plain).filter(|account| account["password"].as_str().is_some_and(|word| !word.is_empty()));
    let mut signed_in = 0;
    for account in with_password.take(3) {
        let (email, password) = (account["email"].as_str().unwrap(), account["password"].as_str().unwrap());
        let answer = server.log_in("users", email, password);
        assert_eq!(answer.status, 200, "{email}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.json()["record"]["id"], account["id"]);
        assert_eq!(server.log_in("users", email, "not the password").status, 400);
        signed_in += 1;
    }
    assert_eq!(signed_in, 3);
}

/// The text of every chat that is JSON comes back byte for byte.
fn chats(fixture: &Fixture, server: &Pocketbase) {
    let stored: BTreeMap<String, String> = hexes(server, "SELECT id, hex(chat) FROM chats");
    let source = fixture.connect();
    let mut statement = source.prepare("SELECT id, CAST(chat AS BLOB) FROM chat").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<Vec<u8>>>(1)?))).unwrap();
    let mut equal = 0;
    for (id, chat) in rows.map(Result::unwrap) {
        let Some(chat) = chat else { continue };
        let strict = serde_json::from_slice::<Box<serde_json::value::RawValue>>(&chat).is_ok();
        if let (true, Some(stored)) = (strict, stored.get(&id)) {
            assert_eq!(*stored, hex(&chat).to_uppercase(), "chat {id}");
            equal += 1;
        }
    }
    assert!(equal >= 10, "only {equal} chats were compared");
}

/// Times in nanoseconds, which a number of PocketBase cannot hold, come back digit for digit over the Web API.
fn nanoseconds(fixture: &Fixture, server: &Pocketbase) {
    let source = fixture.connect();
    let has_messages = source.table_exists(None, "message").unwrap();
    if !has_messages {
        return;
    }
    let query = "SELECT id, created_at FROM message WHERE created_at > 9007199254740992 AND id NOT GLOB '*[^0-9A-Za-z_-]*'";
    let mut statement = source.prepare(query).unwrap();
    let rows: Vec<(String, i64)> = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    assert!(fixture.folder().ends_with("openwebui-0.6.43-to-0.12.4") || rows.iter().any(|(_, time)| *time == 1_700_000_000_123_456_789));
    for (id, time) in rows {
        // Not with `?fields=created_at`: to pick fields PocketBase reads its own JSON as floats, and the digits are gone.
        let answer = server.ask("GET", &format!("/api/collections/messages/records/{id}"), None);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(text.contains(&time.to_string()), "message {id}: {time} is not in {text}");
    }
}

/// Every upload is downloaded again, and has the hash that the bytes had on disk.
fn files(server: &Pocketbase, truth: &Value) {
    let token = server.ask("POST", "/api/files/token", None).json()["token"].as_str().unwrap().to_owned();
    for file in present(truth) {
        let id = file["id"].as_str().unwrap();
        let record = server.get(&format!("/api/collections/files/records/{id}"));
        assert_eq!(record["sha256"], file["sha256"], "{record}");
        assert_eq!(record["size"], file["size_on_disk"], "{record}");
        assert_eq!(record["filename"], file["filename"], "{record}");
        assert_eq!(record["hash"].as_str().unwrap(), file["hash"].as_str().unwrap_or_default(), "{record}");
        let name = record["file"].as_str().unwrap();
        let path = format!("/api/files/files/{id}/{name}");
        let content = request(server.address(), "GET", &format!("{path}?token={token}"), None, None);
        assert_eq!(content.status, 200, "{path}");
        assert_eq!(hex(&Sha256::digest(&content.body)), file["sha256"].as_str().unwrap(), "{path}");
        assert_eq!(request(server.address(), "GET", &path, None, None).status, 404, "{path} is protected");
    }
}

fn hexes(server: &Pocketbase, query: &str) -> BTreeMap<String, String> {
    let rows = server.sql(query);
    rows.into_iter()
        .filter_map(|row| <[Option<String>; 2]>::try_from(row).ok())
        .map(|[id, hex]| (id.unwrap(), hex.unwrap_or_default()))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
