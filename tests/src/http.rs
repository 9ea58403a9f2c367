//! The plainest HTTP client that can talk to a server on this machine: independent of the one that is under test.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// No answer takes longer: a server on this machine that says nothing for so long hangs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}), status {}: {}", self.status, String::from_utf8_lossy(&self.body)))
    }
}

/// Sends one request to `address` (`host:port`) and reads the whole answer.
///
/// HTTP/1.0, so that the server closes the connection at the end and never chunks.
#[must_use]
pub fn request(address: &str, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
    let body = body.map(Value::to_string).unwrap_or_default();
    let token = token.map(|token| format!("Authorization: {token}\r\n")).unwrap_or_default();
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n{token}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    let mut stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
    let asked = stream
        .set_read_timeout(Some(TIMEOUT))
        .and_then(|()| stream.write_all(head.as_bytes()))
        .and_then(|()| stream.write_all(body.as_bytes()));
    asked.unwrap_or_else(|error| panic!("cannot send {method} {path}: {error}"));
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap_or_else(|error| panic!("cannot read the answer to {method} {path}: {error}"));
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_else(|| panic!("no answer to {method} {path}"));
    let line = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer { status: status.unwrap_or_else(|| panic!("not an answer: {line}")), body: answer.split_off(end + 4) }
}
