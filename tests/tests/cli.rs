//! What `pannier-import` says when something is wrong is tested text: bad input, the exact words, the exit code.
//!
//! Each case has a file in `tests/cli`. `PANNIER_ACCEPT=1 cargo nextest run cli` writes them anew: read what changed.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may panic")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use pannier_tests::pocketbase::{CURRENT, IDENTITY, PASSWORD, Pocketbase};
use pannier_tests::repository;
use pannier_tests::run::{finish, program};
use serde_json::json;
use tempfile::TempDir;

/// Runs cases and holds what they say against the files of one group.
struct Cases {
    group: &'static str,
    work: TempDir,
    bundle: PathBuf,
    servers: Vec<(String, &'static str)>,
    seen: Vec<String>,
    differ: Vec<String>,
}

impl Cases {
    fn new(group: &'static str) -> Cases {
        let work = tempfile::tempdir().unwrap();
        let bundle = work.path().join("bundle.tar");
        fs::copy(repository().join("tests/bundles/format-1.0/webui.tar"), &bundle).unwrap();
        Cases { group, work, bundle, servers: Vec::new(), seen: Vec::new(), differ: Vec::new() }
    }

    fn path(&self, name: &str) -> String {
        self.work.path().join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs one command line, in which `B` is a whole bundle, without credentials.
    fn run(&mut self, name: &str, arguments: &[&str]) {
        self.run_with(name, arguments, &[]);
    }

    fn run_with(&mut self, name: &str, arguments: &[&str], environment: &[(&str, &str)]) {
        let bundle = self.bundle.to_str().unwrap().to_owned();
        let arguments: Vec<&str> = arguments.iter().map(|argument| if *argument == "B" { bundle.as_str() } else { argument }).collect();
        let mut command = program("pannier-import", &arguments);
        command.envs(environment.iter().copied()).current_dir(self.work.path());
        self.check(name, &arguments, &mut command);
    }

    fn check(&mut self, name: &str, arguments: &[&str], command: &mut Command) {
        let ran = finish(command);
        let mut said = format!("$ pannier-import {}\n", arguments.join(" "));
        for (stream, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            if !text.is_empty() {
                said += &format!("--- {stream}\n{text}");
            }
        }
        said += &format!("--- exit code {}\n", ran.code);
        said = said.replace(self.work.path().to_str().unwrap(), "DIR");
        for (url, shown) in &self.servers {
            said = said.replace(url, shown);
        }
        let name = format!("{}-{name}.txt", self.group);
        let path = repository().join("tests/cli").join(&name);
        if std::env::var_os("PANNIER_ACCEPT").is_some() {
            fs::write(&path, &said).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if said != expected {
            self.differ.push(format!("tests/cli/{name} says\n{expected}\nbut it is\n{said}"));
        }
        self.seen.push(name);
    }

    /// Fails if a case differs, or if a file of the group has no case.
    fn end(mut self) {
        let files = fs::read_dir(repository().join("tests/cli")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = names.filter(|name| name.starts_with(&format!("{}-", self.group))).collect();
        files.sort();
        self.seen.sort();
        assert!(self.differ.is_empty(), "{}", self.differ.join("\n"));
        assert_eq!(files, self.seen);
    }
}

#[test]
fn arguments() {
    let mut cases = Cases::new("arguments");
    cases.run("none", &[]);
    cases.run("unknown-command", &["aply", "B"]);
    cases.run("unknown-option", &["apply", "B", "--target", "http://127.0.0.1:1", "--force"]);
    cases.run("no-target", &["apply", "B"]);
    cases.run("no-bundle", &["verify"]);
    cases.run("schema-nowhere", &["schema", "B"]);
    cases.run("target-of-another-kind", &["plan", "B", "--target", "pb_data"]);
    cases.run("target-without-scheme", &["plan", "B", "--target", "127.0.0.1:8090"]);
    cases.run("bad-blobs", &["apply", "B", "--target", "http://127.0.0.1:1", "--blobs", "maybe"]);
    cases.run("profile-unknown", &["schema", "B", "--emit", "out", "--profile", "open-webuy"]);
    cases.run("profile-missing-file", &["schema", "B", "--emit", "out", "--profile", "mine.toml"]);
    cases.file("broken.toml", b"format = 1\nname = \"mine\"\n[table.user\n");
    cases.run("profile-not-toml", &["schema", "B", "--emit", "out", "--profile", "broken.toml"]);
    cases.file("unknown-word.toml", b"format = 1\nname = \"mine\"\n[table.user]\ncolection = \"people\"\n");
    cases.run("profile-unknown-word", &["schema", "B", "--emit", "out", "--profile", "unknown-word.toml"]);
    cases
        .file("twice.toml", b"format = 1\nname = \"mine\"\n[table.user]\ncollection = \"people\"\n[table.chat]\ncollection = \"people\"\n");
    cases.run("profile-two-tables-one-collection", &["schema", "B", "--emit", "out", "--profile", "twice.toml"]);
    cases.file("newer.toml", b"format = 99\nname = \"mine\"\n");
    cases.run("profile-newer", &["schema", "B", "--emit", "out", "--profile", "newer.toml"]);
    cases.file("a-file", b"");
    cases.run("emit-not-a-folder", &["schema", "B", "--emit", "a-file/below"]);
    cases.end();
}

#[test]
fn bundles() {
    let mut cases = Cases::new("bundle");
    cases.run("missing", &["verify", "nothing.tar"]);
    cases.run("a-folder", &["verify", "."]);
    cases.file("empty.tar", b"");
    cases.run("empty", &["verify", "empty.tar"]);
    cases.file("notes.txt", b"These are my notes. They are no bundle.\n");
    cases.run("text", &["verify", "notes.txt"]);
    cases.file("zeros.tar", &[0; 4096]);
    cases.run("zeros", &["verify", "zeros.tar"]);
    let mut other = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(5);
    other.append_data(&mut header, "notes/a.txt", &b"notes"[..]).unwrap();
    cases.file("other.tar", &other.into_inner().unwrap());
    cases.run("other-tar", &["inspect", "other.tar"]);
    let whole = fs::read(&cases.bundle).unwrap();
    for tenths in 1..10 {
        // Not at the border of a block, where a cut is easier to see.
        cases.file("cut.tar", &whole[..whole.len() * tenths / 10 + 77]);
        cases.run(&format!("cut-at-{tenths}-tenths"), &["verify", "cut.tar"]);
    }
    cases.file("cut.tar", &whole[..whole.len() - 512]);
    cases.run("cut-at-the-last-block", &["verify", "cut.tar"]);
    cases.end();
}

#[test]
fn flipped_bytes() {
    let mut cases = Cases::new("flipped");
    let whole = fs::read(&cases.bundle).unwrap();
    for (name, position) in one_of_each_kind(&cases.bundle) {
        let mut damaged = whole.clone();
        damaged[position] ^= 1;
        cases.file("damaged.tar", &damaged);
        cases.run(&name, &["verify", "damaged.tar"]);
    }
    cases.end();
}

/// One member of each kind, and a place in the middle of its content; and one in a tar header.
fn one_of_each_kind(bundle: &Path) -> Vec<(String, usize)> {
    let kind = |path: &str| {
        let path = path.split_once('/').unwrap().1;
        match path {
            _ if path.starts_with("data/tables/") => "table".to_owned(),
            _ if path.starts_with("data/blobs/") => "blob".to_owned(),
            _ => path.rsplit('/').next().unwrap().replace('.', "-"),
        }
    };
    let mut kinds: Vec<(String, usize)> = Vec::new();
    let mut archive = tar::Archive::new(fs::File::open(bundle).unwrap());
    for member in archive.entries().unwrap() {
        let member = member.unwrap();
        let name = kind(member.path().unwrap().to_str().unwrap());
        if member.size() == 0 || kinds.iter().any(|(known, _)| *known == name) {
            continue;
        }
        if kinds.is_empty() {
            kinds.push(("header".to_owned(), usize::try_from(member.raw_header_position()).unwrap() + 30));
        }
        let middle = member.raw_file_position() + member.size() / 2;
        kinds.push((name, usize::try_from(middle).unwrap()));
    }
    kinds
}

#[test]
fn servers() {
    const SUPERUSER: [(&str, &str); 2] = [("PANNIER_PB_IDENTITY", IDENTITY), ("PANNIER_PB_PASSWORD", PASSWORD)];
    let mut cases = Cases::new("server");
    // A port that was free a moment ago: nobody answers.
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let down = format!("http://{down}");
    cases.servers.push((down.clone(), "http://DOWN"));
    // Quiet, since the pauses between its tries, which it says otherwise, are partly chance.
    cases.run_with("down", &["apply", "B", "--quiet", "--target", &down], &SUPERUSER);

    let server = Pocketbase::start(CURRENT);
    let url = server.url();
    cases.servers.push((url.clone(), "http://SERVER"));
    cases.run("no-credentials", &["plan", "B", "--target", &url]);
    cases.run_with("half-credentials", &["plan", "B", "--target", &url], &SUPERUSER[..1]);
    let wrong = [("PANNIER_PB_IDENTITY", IDENTITY), ("PANNIER_PB_PASSWORD", "not-it-at-all")];
    cases.run_with("wrong-password", &["plan", "B", "--target", &url], &wrong);
    let file = [("PANNIER_PB_IDENTITY", IDENTITY), ("PANNIER_PB_PASSWORD_FILE", "no-such-file")];
    cases.run_with("no-password-file", &["plan", "B", "--target", &url], &file);
    cases.run_with("bad-token", &["plan", "B", "--target", &url], &[("PANNIER_PB_TOKEN", "eyJhbGciOiJIUzI1NiJ9.e30.x")]);
    let token = a_user_that_is_no_superuser(&server);
    cases.run_with("not-a-superuser", &["plan", "B", "--target", &url], &[("PANNIER_PB_TOKEN", &token)]);
    cases.run_with("compare-before-schema", &["compare", "B", "--target", &url], &SUPERUSER);
    cases.file("a-file", b"");
    cases.run_with("report-not-writable", &["apply", "B", "--target", &url, "--report", "a-file/report"], &SUPERUSER);
    // The server before the bundle, and no write before the bundle is known to be whole.
    let whole = fs::read(&cases.bundle).unwrap();
    cases.file("cut.tar", &whole[..whole.len() / 2]);
    cases.run_with("apply-of-a-cut-bundle", &["apply", "cut.tar", "--target", &url], &SUPERUSER);
    assert_eq!(server.collections(), ["users"]);
    let other = json!({ "name": "chats", "type": "view", "viewQuery": "SELECT id FROM users" });
    assert_eq!(server.ask("POST", "/api/collections", Some(&other)).status, 200);
    cases.run_with("contradiction", &["schema", "B", "--target", &url], &SUPERUSER);

    let old = Pocketbase::start("0.22.27");
    cases.servers.push((old.url(), "http://OLD"));
    cases.run_with("too-old", &["plan", "B", "--target", &old.url()], &SUPERUSER);

    let page = serve("200 OK", "<html><body>It works!</body></html>");
    cases.servers.push((page.clone(), "http://PAGE"));
    cases.run_with("not-pocketbase", &["plan", "B", "--target", &page], &SUPERUSER);
    let nothing = serve("404 Not Found", "not found");
    cases.servers.push((nothing.clone(), "http://NOTHING"));
    cases.run_with("not-found", &["plan", "B", "--target", &nothing], &SUPERUSER);
    cases.end();
}

/// The token of an account that may log in and nothing else.
fn a_user_that_is_no_superuser(server: &Pocketbase) -> String {
    let user = json!({ "email": "user@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD });
    assert_eq!(server.ask("POST", "/api/collections/users/records", Some(&user)).status, 200);
    server.log_in("users", "user@example.com", PASSWORD).json()["token"].as_str().unwrap().to_owned()
}

/// A web server that is no PocketBase: the same answer to everything.
fn serve(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}
