//! Record ids: the source's own keys where `PocketBase` takes them, else derived from them, the same every time.

use pannier_format::Value;
use sha2::{Digest, Sha256};

use super::model::IdSource;

/// The longest id that collections of ours take.
pub(super) const MAX_ID_CHARS: usize = 255;

/// Names that Windows keeps for devices: the server refuses them as ids, in any case.
const DEVICES: &[&str] = &[
    "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9", "LPT1", "LPT2", "LPT3", "LPT4",
    "LPT5", "LPT6", "LPT7", "LPT8", "LPT9",
];

/// A record's id and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordId {
    /// The id.
    pub id: String,
    /// It is not the key itself.
    pub derived: bool,
}

/// The text can be a record id as it stands: `^[A-Za-z0-9_\-]+$`, 1 to 255 characters, not a device of Windows.
#[must_use]
pub fn fits_record_id(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= MAX_ID_CHARS
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        && !DEVICES.iter().any(|device| device.eq_ignore_ascii_case(key))
}

/// The text of a single-column key that can be an id as it stands.
pub(super) fn natural_key(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Integer(integer) => Some(integer.to_string()),
        Value::Text(_) => value.as_str().filter(|text| fits_record_id(text)).map(str::to_owned),
        Value::Null | Value::Boolean(_) | Value::Real(_) | Value::Blob(_) => None,
    }
}

/// The id of a key that cannot be one as it stands; `None` for what is no key.
pub(super) fn derived_id(table: &str, key: &[Value<'_>]) -> Option<RecordId> {
    if key.is_empty() || key.iter().any(|value| matches!(value, Value::Null)) {
        return None;
    }
    let mut hash = hasher(table, b"key");
    for value in key {
        hash_value(&mut hash, value);
    }
    Some(RecordId { id: base32(&hash.finalize()), derived: true })
}

/// The id of a row without a usable key.
pub(super) fn ordinal_id(table: &str, ordinal: u64) -> RecordId {
    let mut hash = hasher(table, b"row");
    hash.update(ordinal.to_be_bytes());
    RecordId { id: base32(&hash.finalize()), derived: true }
}

/// A row's key values.
pub(super) fn key_values<'a>(source: &IdSource, row: &[Value<'a>]) -> Vec<Value<'a>> {
    let value = |&column: &usize| row.get(column).copied().unwrap_or(Value::Null);
    match source {
        IdSource::Column(column) => vec![value(column)],
        IdSource::Columns(columns) => columns.iter().map(value).collect(),
        IdSource::Ordinal => Vec::new(),
    }
}

/// A key as text for people.
pub(super) fn key_text(key: &[Value<'_>], ordinal: u64) -> String {
    if key.is_empty() {
        return format!("row {ordinal}");
    }
    let texts: Vec<String> = key.iter().map(|value| super::values::plain_text(value).into_owned()).collect();
    texts.join(", ")
}

/// The first 64 bits of SHA-256: stable between runs, unlike the standard library's hashes.
pub(super) fn hash64(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).fold(0, |hash, &byte| hash << 8 | u64::from(byte))
}

fn hasher(table: &str, kind: &[u8]) -> Sha256 {
    let mut hash = Sha256::new();
    hash.update(b"pannier record id 1\0");
    hash.update(kind);
    hash.update((table.len() as u64).to_be_bytes());
    hash.update(table.as_bytes());
    hash
}

/// Class, length and content, so that no two keys look alike.
fn hash_value(hash: &mut Sha256, value: &Value<'_>) {
    let integer;
    let bytes: &[u8] = match value {
        Value::Null => &[],
        Value::Boolean(boolean) => {
            if *boolean {
                b"1"
            } else {
                b"0"
            }
        }
        Value::Integer(number) => {
            integer = number.to_be_bytes();
            &integer
        }
        Value::Real(number) => {
            integer = number.to_bits().to_be_bytes();
            &integer
        }
        Value::Text(bytes) | Value::Blob(bytes) => bytes,
    };
    hash.update(value.class().as_str().as_bytes());
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

/// 26 characters, 130 bits.
fn base32(digest: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    const CHARS: usize = 26;
    let mut id = String::with_capacity(CHARS);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for &byte in digest {
        buffer = buffer << 8 | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            if id.len() == CHARS {
                return id;
            }
            id.push(char::from(ALPHABET[(buffer >> bits) as usize & 31]));
        }
        buffer &= (1 << bits) - 1;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_fit() {
        for key in ["1", "a-b_C", "fe22fd0a-a7f1-4448-ba18-19d8a5bf80c1", "-5", "CONS", "COM0", "COM10"] {
            assert!(fits_record_id(key), "{key}");
        }
        assert!(fits_record_id(&"x".repeat(255)));
    }

    #[test]
    fn keys_that_do_not() {
        for key in ["", "a.b", "a b", "a:b", "é", "con", "Nul", "LPT9", "a\0", "a/b", "a%", "llama3.2:latest"] {
            assert!(!fits_record_id(key), "{key}");
        }
        assert!(!fits_record_id(&"x".repeat(256)));
    }

    #[test]
    fn derived_ids_are_fixed_for_ever() {
        // Changing these breaks resuming an import that an earlier version began.
        let id = |key: &[Value<'_>]| derived_id("model", key).expect("a key").id;
        assert_eq!(id(&[Value::Text(b"llama3.2:latest")]), "bvncxv22gubom5uid427hgtwgf");
        assert_eq!(ordinal_id("log", 0).id, "njc3ojpo4alwfyjnrkm5uy5za7");
    }

    #[test]
    fn different_keys_have_different_ids() {
        let keys: Vec<Vec<Value<'_>>> = vec![
            vec![Value::Text(b"a"), Value::Text(b"b")],
            vec![Value::Text(b"ab"), Value::Text(b"")],
            vec![Value::Text(b""), Value::Text(b"ab")],
            vec![Value::Text(b"")],
            vec![Value::Blob(b"")],
            vec![Value::Blob(b"a")],
            vec![Value::Real(1.0)],
            vec![Value::Boolean(true)],
        ];
        let ids: std::collections::HashSet<String> = keys.iter().map(|key| derived_id("t", key).expect("a key").id).collect();
        assert_eq!(ids.len(), keys.len());
        assert!(ids.iter().all(|id| id.len() == 26 && fits_record_id(id)));
        assert_ne!(derived_id("t", &keys[0]), derived_id("u", &keys[0]));
    }

    #[test]
    fn null_is_no_key() {
        assert_eq!(derived_id("t", &[Value::Null]), None);
        assert_eq!(derived_id("t", &[Value::Text(b"a"), Value::Null]), None);
        assert_eq!(derived_id("t", &[]), None);
    }

    #[test]
    fn integers_are_ids_and_reals_are_not() {
        assert_eq!(natural_key(&Value::Integer(-7)), Some("-7".to_owned()));
        assert_eq!(natural_key(&Value::Real(7.0)), None);
        assert_eq!(natural_key(&Value::Blob(b"7")), None);
        assert_eq!(natural_key(&Value::Text(b"\xff")), None);
    }
}
