//! The client against a real PocketBase, with a proxy in between that loses answers, limits rates and cuts connections.
//! `PANNIER_POCKETBASE` names the server's binary; it may be of any version that we support.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pannier_importer::pocketbase::{
    BATCH_RECORD_MAX_BYTES, BatchMethod, BatchRequest, BatchSettings, Client, ClientError, ConnectOptions, Credentials, FileBody,
    FileUpload, RawRecord, RetryCause, RetryLog, RetryPolicy, SQL_MAX_BYTES, ServerVersion, Version,
};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

const IDENTITY: &str = "admin@example.com";
const PASSWORD: &str = "password123";

/// A PocketBase on a free port with a data directory of its own; killed when dropped.
struct Server {
    child: Child,
    url: String,
    _data: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let binary = support::binary();
        let data = tempfile::tempdir().unwrap();
        // Beside its data directory the server keeps pb_migrations, and runs what it finds there.
        let dir = data.path().join("pb_data");
        let dir = dir.to_str().unwrap();
        let made = Command::new(&binary).args(["superuser", "upsert", IDENTITY, PASSWORD, "--dir", dir]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        // Somebody else may take the free port before the server does: then it says nothing, ends, and gets another.
        loop {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
            let mut serve = Command::new(&binary);
            serve.args(["serve", "--http", &address, "--dir", dir]).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = serve.spawn().unwrap();
            let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
            if said.any(|line| line.contains("Server started")) {
                std::thread::spawn(move || said.for_each(drop));
                return Self { child, url: format!("http://{address}"), _data: data };
            }
            child.wait().unwrap();
        }
    }

    async fn client(&self) -> Client {
        Client::connect(&self.url, credentials()).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn credentials() -> Credentials {
    Credentials::Password { identity: IDENTITY.into(), password: PASSWORD.into() }
}

/// What the proxy does with one request, instead of passing it on.
#[derive(Clone, Copy)]
enum Turn {
    /// Status, header line and body of an answer of its own.
    Answer(&'static str, &'static str, &'static str),
    /// Passes the request on, and cuts the connection instead of passing the answer back.
    LoseAnswer,
    /// Reads the request and cuts the connection.
    Cut,
}

type Turns = Arc<Mutex<VecDeque<(&'static str, Turn)>>>;

/// Passes requests on to `upstream`, except those whose first line contains the path of the next turn.
struct Proxy {
    url: String,
    turns: Turns,
}

impl Proxy {
    fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let turns = Turns::default();
        let shared = Arc::clone(&turns);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (upstream, turns) = (upstream.clone(), Arc::clone(&shared));
                std::thread::spawn(move || pass_on(stream.unwrap(), &upstream, &turns));
            }
        });
        Self { url, turns }
    }

    fn plan(&self, path: &'static str, turns: impl IntoIterator<Item = Turn>) {
        self.turns.lock().unwrap().extend(turns.into_iter().map(|turn| (path, turn)));
    }

    fn left(&self) -> usize {
        self.turns.lock().unwrap().len()
    }
}

fn pass_on(mut client: TcpStream, upstream: &str, turns: &Turns) {
    let Some((head, body)) = read_request(&mut client) else { return };
    let line = head.lines().next().unwrap_or_default();
    let next = {
        let mut turns = turns.lock().unwrap();
        let meant = turns.front().is_some_and(|(path, _)| line.contains(*path));
        if meant { turns.pop_front() } else { None }
    };
    match next {
        Some((_, Turn::Cut)) => {}
        Some((_, Turn::Answer(status, header, body))) => {
            let length = body.len();
            let text = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{header}\r\n{body}");
            client.write_all(text.as_bytes()).unwrap_or_default();
        }
        Some((_, Turn::LoseAnswer)) => drop(ask(upstream, &head, &body)),
        None => client.write_all(&ask(upstream, &head, &body)).unwrap_or_default(),
    }
}

fn ask(upstream: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let mut server = TcpStream::connect(upstream).unwrap();
    server.write_all(head.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes()).unwrap();
    server.write_all(body).unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).unwrap_or_default();
    answer
}

fn read_request(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// A client that does not wait long, and what it has reported.
async fn impatient(url: &str) -> (Client, Arc<Mutex<Vec<RetryCause>>>) {
    let causes: Arc<Mutex<Vec<RetryCause>>> = Arc::default();
    let shared = Arc::clone(&causes);
    let retry = RetryPolicy { first_pause: Duration::from_millis(5), ..RetryPolicy::default() };
    let log = RetryLog::new(move |event| shared.lock().unwrap().push(event.cause.clone()));
    let client = Client::connect_with(url, credentials(), ConnectOptions { retry, log }).await.unwrap();
    (client, causes)
}

async fn make_collection(client: &Client) -> Value {
    let id = json!({ "name": "id", "type": "text", "system": true, "required": true, "primaryKey": true, "min": 1, "max": 255,
        "pattern": "^[A-Za-z0-9_\\-]+$", "autogeneratePattern": "[a-z0-9]{15}" });
    let most = 9_007_199_254_740_991_u64;
    let definition = json!({ "name": "c", "type": "base", "fields": [id,
        { "name": "t", "type": "text", "max": most }, { "name": "e", "type": "email" }, { "name": "j", "type": "json", "maxSize": most },
        { "name": "f", "type": "file", "maxSelect": 1, "maxSize": most, "protected": true }],
        "indexes": ["CREATE UNIQUE INDEX `idx_c_id_nocase` ON `c` (`id` COLLATE NOCASE)"] });
    client.create_collection(&definition).await.unwrap()
}

const BATCHES: BatchSettings = BatchSettings { enabled: true, max_requests: 500, timeout_s: 60, max_body_bytes: 0 };

fn creates(bodies: &[String]) -> Vec<BatchRequest<'_>> {
    bodies.iter().map(|body| BatchRequest { method: BatchMethod::Create, collection: "c", body: body.as_bytes() }).collect()
}

fn with_id(id: &str) -> String {
    json!({ "id": id }).to_string()
}

#[tokio::test]
async fn connects_and_says_what_the_server_is() {
    let server = Server::start();
    let client = Client::connect(&format!("{}/_/", server.url), credentials()).await.unwrap();
    let version = client.server_version().await.unwrap();
    assert!(matches!(version, ServerVersion::Exact(_)), "{version}");
    if std::env::var_os("PANNIER_POCKETBASE").is_none() {
        assert_eq!(version.to_string(), "0.40.6");
    }
    assert_eq!(client.has_sql().await.unwrap(), version.at_least() >= Version::FIRST_WITH_SQL);
    assert!(!format!("{client:?}").contains(PASSWORD));

    let installed = client.batch_settings().await.unwrap();
    assert_eq!(installed, BatchSettings { enabled: false, max_requests: 50, timeout_s: 3, max_body_bytes: 0 });
    assert!(matches!(client.batch(&creates(&["{}".into()]), &installed).await, Err(ClientError::BatchOff)));
    assert_eq!(client.set_batch_settings(BATCHES).await.unwrap(), BATCHES);
    let refused = client.patch_settings(&json!({ "batch": { "enabled": true, "timeout": -1 } })).await.unwrap_err();
    assert!(refused.field_errors().iter().any(|error| error.field == "batch.timeout"), "{refused}");

    assert!(!client.rate_limits_on().await.unwrap());
    client.set_rate_limits(true).await.unwrap();
    assert!(client.rate_limits_on().await.unwrap());
    assert!(client.auth_methods("users").await.unwrap().password);
}

#[tokio::test]
async fn without_an_admin_ui_the_version_is_a_range() {
    let server = Server::start();
    let proxy = Proxy::start(&server.url);
    let (client, _) = impatient(&proxy.url).await;
    proxy.plan("GET /_/", [Turn::Answer("404 Not Found", "", "")]);
    let expected = if client.has_sql().await.unwrap() { "0.39.0 or newer" } else { "0.23.0 or newer, older than 0.39.0" };
    assert_eq!(client.server_version().await.unwrap().to_string(), expected);
}

#[tokio::test]
async fn every_refusal_has_its_own_error() {
    let server = Server::start();
    let admin = server.client().await;
    let wrong = Credentials::Password { identity: IDENTITY.into(), password: "wrong".into() };
    let wrong = Client::connect(&server.url, wrong).await.unwrap_err();
    assert!(matches!(wrong, ClientError::WrongPassword { .. }), "{wrong}");
    let garbage = Client::connect(&server.url, Credentials::Token("garbage".into())).await.unwrap_err();
    assert!(matches!(garbage, ClientError::TokenRefused), "{garbage}");

    let user = json!({ "email": "u@example.com", "password": "12345678", "passwordConfirm": "12345678" });
    admin.create("users", user.to_string().into()).await.unwrap();
    let user = admin.auth_with_password("users", "u@example.com", "12345678").await.unwrap().unwrap();
    assert!(admin.auth_with_password("users", "u@example.com", "wrong").await.unwrap().is_none());
    let normal = Client::connect(&server.url, Credentials::Token(user.token)).await.unwrap_err();
    assert!(matches!(normal, ClientError::NotSuperuser), "{normal}");

    let nobody = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let once = ConnectOptions { retry: RetryPolicy::never(), ..ConnectOptions::default() };
    let unreachable = Client::connect_with(&nobody, credentials(), once).await.unwrap_err();
    assert!(matches!(unreachable, ClientError::Unreachable { .. }), "{unreachable}");

    let other = Proxy::start("");
    other.plan("/api/health", [Turn::Answer("200 OK", "", "<html>hello</html>")]);
    let found = Client::connect(&other.url, credentials()).await.unwrap_err();
    assert!(matches!(found, ClientError::NotPocketBase { .. }), "{found}");
    other.plan("/api/health", [Turn::Answer("301 Moved", "Location: https://example.com/\r\n", "")]);
    let found = Client::connect(&other.url, credentials()).await.unwrap_err();
    assert!(matches!(found, ClientError::NotPocketBase { .. }) && found.to_string().contains("301"), "{found}");

    // As 0.22 answers.
    other.plan("/api/health", [Turn::Answer("200 OK", "", r#"{"message":"API is healthy.","code":200,"data":{"canBackup":true}}"#)]);
    other.plan("/_superusers/", [Turn::Answer("404 Not Found", "", r#"{"code":404,"message":"Not found.","data":{}}"#)]);
    other.plan("/api/admins/", [Turn::Answer("400 Bad Request", "", r#"{"code":400,"message":"Failed to authenticate.","data":{}}"#)]);
    let old = Client::connect(&other.url, credentials()).await.unwrap_err();
    assert!(matches!(old, ClientError::TooOld { .. }), "{old}");
    for error in [wrong, garbage, normal, unreachable, found, old] {
        assert!(!error.hint().is_empty() && !error.to_string().ends_with('.'));
    }
}

#[tokio::test]
async fn records_keep_their_text() {
    let server = Server::start();
    let client = server.client().await;
    let made = make_collection(&client).await;
    assert_eq!(client.collection("c").await.unwrap().unwrap()["id"], made["id"]);
    assert_eq!(client.collection("nope").await.unwrap(), None);
    assert!(client.collections().await.unwrap().iter().any(|one| one["name"] == "c"));

    let text = r#"{"z":1,"a":5191566416123456789,"h":"é","f":1.10}"#;
    client.create("c", json!({ "id": "A-1", "t": "null", "j": text }).to_string().into()).await.unwrap();
    let record = client.get("c", "A-1").await.unwrap().unwrap();
    assert_eq!(record.get("j"), Some(text));
    assert_eq!((record.id().as_str(), record.text("t").as_deref()), ("A-1", Some("null")));
    for id in ["A-1", "a-1"] {
        let taken = client.create("c", with_id(id).into()).await.unwrap_err();
        assert!(taken.is_id_taken() && !taken.may_have_been_applied(), "{taken}");
    }
    let bad = client.create("c", Bytes::from_static(br#"{"id":"b","e":"x"}"#)).await.unwrap_err();
    assert_eq!((bad.field_errors()[0].field.as_str(), bad.field_errors()[0].code.as_str()), ("e", "validation_is_email"));
    assert!(!bad.is_id_taken());

    client.update("c", "A-1", Bytes::from_static(br#"{"t":"new"}"#)).await.unwrap();
    client.upsert("c", "A-1", Bytes::from_static(br#"{"id":"A-1","e":"x@example.com"}"#)).await.unwrap();
    client.upsert("c", "B", with_id("B").into()).await.unwrap();
    let record = client.get("c", "A-1").await.unwrap().unwrap();
    assert_eq!((record.text("t").as_deref(), record.get("j")), (Some("new"), Some(text)));
    assert_eq!(client.count("c").await.unwrap(), 2);
    client.delete("c", "B").await.unwrap();
    client.delete("c", "B").await.unwrap();
    assert!(client.get("c", "B").await.unwrap().is_none());
    client.truncate_collection("c").await.unwrap();
    assert_eq!(client.count("c").await.unwrap(), 0);
    client.update_collection("c", &json!({ "listRule": "" })).await.unwrap();
    client.delete_collection("c").await.unwrap();
    client.delete_collection("c").await.unwrap();
    assert!(matches!(client.count("c").await, Err(ClientError::NotFound { .. })));
}

#[tokio::test]
async fn batches_and_pages() {
    let server = Server::start();
    let client = server.client().await;
    make_collection(&client).await;
    client.set_batch_settings(BATCHES).await.unwrap();
    let ids = ["A", "b", "-y", "_x", "10", "9", "1e3", "null", "0x1"];
    let bodies: Vec<String> = ids.iter().map(|id| with_id(id)).collect();
    client.batch(&creates(&bodies), &BATCHES).await.unwrap();

    let mut found: Vec<String> = Vec::new();
    loop {
        let page = client.list_page("c", found.last().map(String::as_str), 4, None).await.unwrap();
        found.extend(page.iter().map(RawRecord::id));
        if page.len() < 4 {
            break;
        }
    }
    let mut sorted = ids.map(str::to_owned);
    sorted.sort_unstable();
    assert_eq!(found, sorted);

    let bad = [with_id("n1"), r#"{"id":"n2","e":"x"}"#.to_owned(), with_id("A")];
    let error = client.batch(&creates(&bad), &BATCHES).await.unwrap_err();
    assert!(matches!(&error, ClientError::BatchRefused { index: 1, fields, .. } if fields[0].field == "e"), "{error}");
    assert_eq!(client.count("c").await.unwrap(), 9);
    let mixed = [
        BatchRequest { method: BatchMethod::Upsert, collection: "c", body: br#"{"id":"A","t":"1"}"# },
        BatchRequest { method: BatchMethod::Update("b"), collection: "c", body: br#"{"t":"2"}"# },
        BatchRequest { method: BatchMethod::Delete("9"), collection: "c", body: b"" },
    ];
    client.batch(&mixed, &BATCHES).await.unwrap();
    assert_eq!(client.get("c", "b").await.unwrap().unwrap().text("t").as_deref(), Some("2"));
}

#[tokio::test]
async fn large_records_fit_or_are_refused_before_they_are_sent() {
    let server = Server::start();
    let client = server.client().await;
    make_collection(&client).await;
    client.set_batch_settings(BATCHES).await.unwrap();
    let large = [format!(r#"{{"id":"large","t":"{}"}}"#, "x".repeat(BATCH_RECORD_MAX_BYTES - 100))];
    client.batch(&creates(&large), &BATCHES).await.unwrap();
    let small = BatchSettings { max_body_bytes: 1000, ..BATCHES };
    assert!(matches!(client.batch(&creates(&large), &small).await, Err(ClientError::TooLarge { .. })));
    client.create("c", format!(r#"{{"id":"huge","t":"{}"}}"#, "x".repeat(60 << 20)).into()).await.unwrap();

    let small = json!({ "name": "small", "type": "base", "fields": [{ "name": "t", "type": "text" }] });
    client.create_collection(&small).await.unwrap();
    let error = client.create("small", format!(r#"{{"t":"{}"}}"#, "x".repeat(80 << 20)).into()).await.unwrap_err();
    assert!(matches!(error, ClientError::TooLarge { .. }), "{error}");

    let hasty = BatchSettings { max_requests: 20_000, timeout_s: 1, ..BATCHES };
    client.set_batch_settings(hasty).await.unwrap();
    let many: Vec<String> = (0..15_000).map(|n| format!(r#"{{"id":"n{n}","t":"{}"}}"#, "x".repeat(2000))).collect();
    let late = client.batch(&creates(&many), &hasty).await.unwrap_err();
    assert!(matches!(late, ClientError::BatchTimedOut), "{late}");
    assert_eq!(client.count("c").await.unwrap(), 2);
}

#[tokio::test]
async fn files_arrive_whole() {
    let server = Server::start();
    let client = server.client().await;
    make_collection(&client).await;
    let content: Arc<[u8]> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let shared = Arc::clone(&content);
    let bodies = [
        ("memory", "日本 \"語\".png", FileBody::memory(content.to_vec())),
        ("async", "a/b.txt", FileBody::reader(1_000_000, || Ok(tokio::io::repeat(7).take(1_000_000)))),
        ("blocking", "x\0.bin", FileBody::blocking(1_000_000, move || Ok(Cursor::new(Arc::clone(&shared))))),
        ("empty", "", FileBody::memory(Bytes::new())),
    ];
    let token = client.file_token().await.unwrap();
    for (id, name, body) in bodies {
        let bytes = body.bytes();
        let files = [FileUpload { field: "f", name, body }];
        client.create_with_files("c", id, with_id(id).into(), &files).await.unwrap();
        let record = client.get("c", id).await.unwrap().unwrap();
        let mut download = client.download("c", id, &record.text("f").unwrap(), &token).await.unwrap();
        let mut found = Vec::new();
        while let Some(chunk) = download.chunk().await.unwrap() {
            found.extend_from_slice(&chunk);
        }
        assert_eq!(found.len() as u64, bytes, "{id}");
        assert!(if id == "async" { found.iter().all(|byte| *byte == 7) } else { content.starts_with(&found) }, "{id}");
    }
    let empty = Bytes::from_static(b"{}");
    for bytes in [10, 1_000_000] {
        let files = [FileUpload { field: "f", name: "n", body: FileBody::blocking(bytes, || Ok(Cursor::new([0; 999]))) }];
        let error = client.update_with_files("c", "memory", empty.clone(), &files).await.unwrap_err();
        assert!(matches!(error, ClientError::FileLength { promised_bytes, .. } if promised_bytes == bytes), "{error}");
    }
    let gone = || Err::<std::fs::File, _>(std::io::ErrorKind::NotFound.into());
    let files = [FileUpload { field: "f", name: "n", body: FileBody::blocking(5, gone) }];
    let error = client.update_with_files("c", "memory", empty, &files).await.unwrap_err();
    assert!(matches!(error, ClientError::FileUnreadable { .. }), "{error}");
    assert!(matches!(client.download("c", "memory", "nope.bin", &token).await, Err(ClientError::NotFound { .. })));
}

#[tokio::test]
async fn sql_sets_hashes_and_a_lost_token_is_renewed() {
    let server = Server::start();
    let client = server.client().await;
    if !client.has_sql().await.unwrap() {
        assert!(matches!(client.sql("select 1").await, Err(ClientError::SqlUnsupported)));
        return;
    }
    let answer = client.sql("select 1 as a, null as b, 'x' as c").await.unwrap();
    assert_eq!(answer.rows, [[Some("1".into()), None, Some("x".into())]]);
    assert_eq!(answer.columns[1].name, "b");
    client.sql(&format!("select '{}'", "é".repeat((SQL_MAX_BYTES - 9) / 2))).await.unwrap();
    let long = client.sql(&format!("select '{}'", "é".repeat(SQL_MAX_BYTES / 2))).await;
    assert!(matches!(long, Err(ClientError::SqlTooLong { .. })));
    assert!(matches!(client.sql("select * from nope").await, Err(ClientError::Refused { .. })));

    let user = json!({ "id": "u00000000000001", "email": "u@example.com", "password": "throw-away", "passwordConfirm": "throw-away" });
    client.create("users", user.to_string().into()).await.unwrap();
    // The bcrypt of "secret", with the prefix that Python writes.
    let hash = "$2b$04$TXJXZVCUJg0dq0nSZ64hKeK.DE4vodC.5uReGX4ylDvmqIz0r/5U2";
    let set = client.sql(&format!("update users set password='{hash}' where id='u00000000000001'")).await.unwrap();
    assert_eq!(set.affected_rows, 1);
    assert!(client.auth_with_password("users", "u@example.com", "throw-away").await.unwrap().is_none());
    assert!(client.auth_with_password("users", "u@example.com", "secret").await.unwrap().is_some());

    // What the server does when a password is changed: all tokens of before are refused.
    let revoke = "update _superusers set tokenKey = lower(hex(randomblob(25)))";
    client.sql_idempotent(revoke).await.unwrap();
    client.collections().await.unwrap();
    make_collection(&client).await;
    client.set_batch_settings(BATCHES).await.unwrap();
    client.sql(revoke).await.unwrap();
    client.batch(&creates(&["{}".into()]), &BATCHES).await.unwrap();
    client.sql(revoke).await.unwrap();
    client.create("c", Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(client.count("c").await.unwrap(), 2);
}

#[tokio::test]
async fn what_is_lost_is_tried_again_and_done_once() {
    let server = Server::start();
    let proxy = Proxy::start(&server.url);
    let (client, causes) = impatient(&proxy.url).await;
    make_collection(&client).await;
    client.set_batch_settings(BATCHES).await.unwrap();

    let busy = Turn::Answer("503 Unavailable", "", "<html>busy</html>");
    proxy.plan("GET /api/settings", [Turn::Answer("429 Too Many", "Retry-After: 1\r\n", "{}"), busy, Turn::Cut, Turn::LoseAnswer]);
    let start = Instant::now();
    client.settings().await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
    let lost = RetryCause::ConnectionLost;
    assert_eq!(*causes.lock().unwrap(), [RetryCause::Status(429), RetryCause::Status(503), lost.clone(), lost]);

    // A create whose answer is lost is not simply sent again.
    proxy.plan("POST /api/collections/c/records", [Turn::LoseAnswer]);
    let error = client.create("c", with_id("one").into()).await.unwrap_err();
    assert!(matches!(error, ClientError::ConnectionLost { may_have_been_applied: true, .. }), "{error}");
    for (id, turn) in [("two", Turn::LoseAnswer), ("three", Turn::Cut), ("four", busy)] {
        proxy.plan("POST /api/collections/c/records", [turn]);
        client.create_or_confirm("c", id, with_id(id).into()).await.unwrap();
    }
    let upload = [FileUpload { field: "f", name: "a.txt", body: FileBody::memory("content") }];
    for (id, turn) in [("five", Turn::LoseAnswer), ("six", Turn::Cut)] {
        proxy.plan("POST /api/collections/c/records", [turn]);
        client.create_with_files("c", id, with_id(id).into(), &upload).await.unwrap();
    }
    for (id, turn) in [("seven", Turn::LoseAnswer), ("eight", Turn::Cut)] {
        proxy.plan("POST /api/batch", [turn, busy]);
        client.batch_or_confirm(&creates(&[with_id(id)]), &BATCHES).await.unwrap();
    }
    assert_eq!(client.count("c").await.unwrap(), 8);
    assert_eq!(proxy.left(), 0);

    proxy.plan("GET /api/settings", [busy; 6]);
    let error = client.settings().await.unwrap_err();
    assert!(matches!(&error, ClientError::ServerFailed { status: 503, message, .. } if message == "<html>busy</html>"), "{error}");
    proxy.plan("GET /api/settings", [Turn::Answer("429 Too Many", "Retry-After: 3600\r\n", "{}")]);
    let error = client.settings().await.unwrap_err();
    assert!(matches!(error, ClientError::RateLimited { retry_after: Some(_) }), "{error}");
    assert!(!error.may_have_been_applied());
}

#[tokio::test]
async fn a_create_that_is_lost_more_than_once_is_sent_until_it_is_there() {
    let server = Server::start();
    let proxy = Proxy::start(&server.url);
    let (client, causes) = impatient(&proxy.url).await;
    make_collection(&client).await;
    let create = "POST /api/collections/c/records";
    let page = Turn::Answer("500 Internal Server Error", "", "<html>oops</html>");
    let own = Turn::Answer("500 Internal Server Error", "", r#"{"data":{},"message":"No.","status":500}"#);
    let upload = [FileUpload { field: "f", name: "a.txt", body: FileBody::memory("content") }];

    proxy.plan(create, [page, page]);
    client.create_or_confirm("c", "one", with_id("one").into()).await.unwrap();
    proxy.plan(create, [page, Turn::Cut, page, Turn::LoseAnswer]);
    client.create_with_files("c", "two", with_id("two").into(), &upload).await.unwrap();
    proxy.plan(create, [Turn::Cut, Turn::LoseAnswer]);
    client.upsert("c", "three", with_id("three").into()).await.unwrap();
    assert_eq!((client.count("c").await.unwrap(), proxy.left()), (3, 0));

    // All tries are used up; the error is that of the create, not that of the look whether it is there.
    causes.lock().unwrap().clear();
    proxy.plan(create, [page; 6]);
    let error = client.create_or_confirm("c", "four", with_id("four").into()).await.unwrap_err();
    assert!(matches!(&error, ClientError::ServerFailed { request, .. } if request.starts_with("POST")), "{error}");
    assert_eq!((causes.lock().unwrap().len(), proxy.left()), (5, 0));
    // The server's own word is asked for once more only.
    proxy.plan(create, [own; 2]);
    let error = client.create_with_files("c", "five", with_id("five").into(), &upload).await.unwrap_err();
    assert!(error.is_servers_own_failure() && error.to_string().ends_with("with status 500: No"), "{error}");
    proxy.plan("PATCH /api/collections/c/records/one", [own; 2]);
    let error = client.update("c", "one", with_id("one").into()).await.unwrap_err();
    assert!(error.is_servers_own_failure(), "{error}");
    proxy.plan("PATCH /api/collections/c/records/one", [own, page, Turn::Cut, page]);
    client.update("c", "one", with_id("one").into()).await.unwrap();
    assert_eq!((client.count("c").await.unwrap(), proxy.left()), (3, 0));
    assert!(client.is_well("c").await && !client.is_well("nope").await);
}

#[tokio::test]
async fn a_backup_is_made_and_put_back() {
    let server = Server::start();
    let client = server.client().await;
    make_collection(&client).await;
    client.create("c", with_id("kept").into()).await.unwrap();
    client.create_backup("before.zip").await.unwrap();
    assert_eq!(client.backups().await.unwrap()[0].key, "before.zip");
    client.delete("c", "kept").await.unwrap();
    client.restore_backup("before.zip").await.unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while !matches!(client.get("c", "kept").await, Ok(Some(_))) {
        assert!(Instant::now() < until, "the backup does not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    client.delete_backup("before.zip").await.unwrap();
    client.delete_backup("before.zip").await.unwrap();
}
