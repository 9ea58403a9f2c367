//! A converted row: what is sent to `PocketBase`, what must be read back, what was lost on the way.

use std::borrow::Cow;
use std::fmt;

use super::json::{self, Match};
use super::model::{CollectionKind, CollectionMapping, LossyKind};

/// A row as a record. Values borrow from the row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record<'a> {
    /// The record's id.
    pub id: String,
    /// The id is not the source's key but derived from it.
    pub id_derived: bool,
    /// The source's key as text, for reports: `a` or `a, b`, or `row 7` where there is none.
    pub key: String,
    /// One value for each of the collection's fields, in their order.
    pub values: Vec<FieldValue<'a>>,
    /// The time for `created`, if the row has one.
    pub created: Option<String>,
    /// The time for `updated`, if the row has one.
    pub updated: Option<String>,
    /// The file to send along.
    pub upload: Option<Upload>,
    /// The account's password; auth collections only. Never part of the body.
    pub secret: Option<Secret>,
    /// The account's identities elsewhere.
    pub external_auths: Vec<ExternalAuth>,
    /// What was lost.
    pub lossy: Vec<Lossy>,
    /// Why the server will refuse it.
    pub refused: Vec<Refusal>,
}

/// A field's value: what is sent, and what must be read back.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// A number.
    Number(f64),
    /// True or false.
    Bool(bool),
    /// JSON, as the text of one JSON value.
    Json(Cow<'a, str>),
    /// SQL NULL in a JSON field.
    Null,
    /// The name of an uploaded file, which the server makes up from [`Upload::name`]; empty if there is none.
    File(bool),
    /// Not sent with the record: the second pass fills it.
    Later,
}

/// A file that goes with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The file field.
    pub field: String,
    /// The name to send.
    pub name: String,
    /// SHA-256 of the content, in hexadecimal: names the blob in the bundle.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// The file that belongs to a row, as the bundle has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileContent<'b> {
    /// SHA-256 in hexadecimal.
    pub sha256: &'b str,
    /// Size in bytes.
    pub bytes: u64,
}

/// The password of an account, as the source kept it.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A bcrypt hash: `PocketBase` takes it as it is.
    Bcrypt(String),
    /// Another kind of hash, or none: the account needs a reset. The word says what it was.
    Unsupported(&'static str),
}

impl fmt::Debug for Secret {
    /// Hides the hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Bcrypt(_) => f.write_str("Bcrypt(…)"),
            Secret::Unsupported(kind) => write!(f, "Unsupported({kind})"),
        }
    }
}

/// An identity that an account has with another service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalAuth {
    /// The service.
    pub provider: String,
    /// The account's name there.
    pub provider_id: String,
}

/// One value that changed on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lossy {
    /// Index of the field in the collection's fields.
    pub field: usize,
    /// What happened to it.
    pub kind: LossyKind,
}

/// Why the server will refuse a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Index of the field in the collection's fields.
    pub field: usize,
    /// Why.
    pub reason: RefusalReason,
}

/// Why the server will refuse a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// More characters than the field takes.
    TooManyChars {
        /// How many there are.
        chars: u64,
        /// How many it takes.
        max_chars: u64,
    },
    /// More bytes than the field takes.
    TooManyBytes {
        /// How many there are.
        bytes: u64,
        /// How many it takes.
        max_bytes: u64,
    },
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RefusalReason::TooManyChars { chars, max_chars } => write!(f, "{chars} characters, the field takes {max_chars}"),
            RefusalReason::TooManyBytes { bytes, max_bytes } => write!(f, "{bytes} bytes, the field takes {max_bytes}"),
        }
    }
}

impl Record<'_> {
    /// Appends the record as a JSON object: the body of a create or update request.
    ///
    /// `password` is for auth collections: a throw-away one, to be replaced by [`Record::secret`] afterwards. Without one
    /// (an update) the password stays what it is. Files are not part of it, relations neither.
    pub fn write_body(&self, collection: &CollectionMapping, password: Option<&str>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":");
        json::write_string(out, &self.id);
        for (field, value) in collection.fields.iter().zip(&self.values) {
            if matches!(value, FieldValue::Later | FieldValue::File(_)) {
                continue;
            }
            out.push(b',');
            json::write_string(out, &field.name);
            out.push(b':');
            write_value(out, value);
        }
        if collection.kind == CollectionKind::Auth {
            out.extend_from_slice(b",\"emailVisibility\":false,\"verified\":true");
            if let Some(password) = password {
                out.extend_from_slice(b",\"password\":");
                json::write_string(out, password);
                out.extend_from_slice(b",\"passwordConfirm\":");
                json::write_string(out, password);
            }
        }
        out.push(b'}');
    }
}

/// Appends a value as it is sent. JSON goes as a string holding the text: sent as an object it would be reordered and its
/// big integers damaged.
fn write_value(out: &mut Vec<u8>, value: &FieldValue<'_>) {
    match value {
        FieldValue::Text(text) | FieldValue::Json(text) => json::write_string(out, text),
        FieldValue::Number(number) => out.extend_from_slice(json::number_text(*number).as_bytes()),
        FieldValue::Bool(true) => out.extend_from_slice(b"true"),
        FieldValue::Bool(false) => out.extend_from_slice(b"false"),
        FieldValue::Null | FieldValue::File(_) | FieldValue::Later => out.extend_from_slice(b"null"),
    }
}

/// Compares a field's value, as the server answered it (`actual`: its raw JSON text), with what it must be.
///
/// White space outside strings does not count, nor how a string's characters are escaped; spelling of numbers inside
/// objects and arrays, order of keys and repeated keys do. A bare number in a json field is compared by value, because
/// the server's database keeps it as one. [`FieldValue::Later`] and the name of a file cannot be compared here.
#[must_use]
pub fn compare_field(expected: &FieldValue<'_>, actual: &str) -> Match {
    match expected {
        FieldValue::Text(text) => json::compare_text(text, actual),
        FieldValue::Number(number) => Match::when(actual.trim().parse::<f64>().is_ok_and(|actual| same_number(actual, *number))),
        FieldValue::Bool(boolean) => Match::when(actual.trim() == if *boolean { "true" } else { "false" }),
        FieldValue::Json(text) => json::compare(text, actual),
        FieldValue::Null => Match::when(actual.trim() == "null"),
        FieldValue::File(present) => Match::when((actual.trim() != "\"\"") == *present),
        FieldValue::Later => Match::Same,
    }
}

/// Equal as numbers; a float64 that is read back has exactly the same bits, apart from the sign of zero.
#[allow(clippy::float_cmp)] // exactness is the point
fn same_number(left: f64, right: f64) -> bool {
    left == right
}
