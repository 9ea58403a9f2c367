//! Which field type a column becomes: from its declared type and, where that lies, from what was found in it.

use pannier_format::{Column, Found};

use super::model::{FieldKind, JsonEncoding, LossyKind, PossibleLoss};
use super::profile::TypeName;

/// The largest integer that a float64 and every integer below it hold exactly.
pub(super) const EXACT_INTEGER: i64 = 1 << 53;
/// The largest limit that the server takes.
const MAX_LIMIT: u64 = (1 << 53) - 1;
/// The server's default for text: less is pointless.
const MIN_TEXT_CHARS: u64 = 5_000;
/// The server's default for JSON.
const MIN_JSON_BYTES: u64 = 1 << 20;
/// A file limit that no file of a bundle reaches before its size is known.
const MIN_FILE_BYTES: u64 = 1 << 30;
/// Bytes that one byte of text takes at most in a JSON string.
const MAX_ESCAPE_BYTES: u64 = 6;

/// A column's type with what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ColumnType {
    pub(super) kind: FieldKind,
    pub(super) losses: Vec<PossibleLoss>,
    pub(super) notes: Vec<&'static str>,
}

/// The type of a column; `wish` is the profile's.
pub(super) fn column_type(column: &Column, wish: Option<TypeName>) -> ColumnType {
    let found = &column.pannier.found;
    let mut notes = Vec::new();
    let ruled = rule(column);
    let name = match wish {
        Some(wish) if can_hold(wish, found) => wish,
        Some(_) => {
            notes.push("the profile's type cannot hold what was found: derived by rule instead");
            ruled
        }
        None => ruled,
    };
    let kind = kind(name, found);
    if found.blobs > 0 {
        notes.push(match kind {
            FieldKind::Json { .. } => "blobs are encoded as {\"$base64\": …}",
            _ => "blobs are encoded as base64",
        });
    }
    if name == TypeName::Exact {
        notes.push("integers are kept digit by digit in a json field");
    }
    let losses = losses(&kind, found);
    ColumnType { kind, losses, notes }
}

/// The type by rule.
fn rule(column: &Column) -> TypeName {
    let found = &column.pannier.found;
    let declared = column.pannier.declared_type.to_ascii_uppercase();
    if declared.starts_with("JSON") {
        return TypeName::Json;
    }
    let classes = [found.booleans, found.integers, found.reals, found.texts, found.blobs];
    match classes.iter().filter(|&&count| count > 0).count() {
        0 => return declared_rule(&declared),
        1 => {}
        2 if found.integers > 0 && found.reals > 0 => {
            return if is_exact_range(found) { TypeName::Number } else { TypeName::Any };
        }
        _ => return TypeName::Any,
    }
    if found.booleans > 0 {
        TypeName::Bool
    } else if found.integers > 0 {
        if declared.starts_with("BOOL") && can_hold(TypeName::Bool, found) {
            TypeName::Bool
        } else if is_exact_range(found) {
            TypeName::Number
        } else {
            TypeName::Exact
        }
    } else if found.reals > 0 {
        TypeName::Number
    } else {
        TypeName::Text
    }
}

/// The type of a column in which nothing was found but NULL, by `SQLite`'s own reading of type names.
fn declared_rule(declared: &str) -> TypeName {
    let has = |part: &&str| declared.contains(part);
    if declared.starts_with("BOOL") {
        TypeName::Bool
    } else if ["INT", "SERIAL", "REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL"].iter().any(has) {
        TypeName::Number
    } else {
        TypeName::Text
    }
}

/// The type can hold what was found without damage.
fn can_hold(name: TypeName, found: &Found) -> bool {
    match name {
        TypeName::Json | TypeName::Exact | TypeName::Any => true,
        TypeName::Text => found.reals == 0,
        TypeName::Number => found.texts == 0 && found.blobs == 0 && is_exact_range(found),
        TypeName::Bool => {
            found.texts == 0
                && found.blobs == 0
                && found.reals == 0
                && found.smallest.is_none_or(|smallest| smallest >= 0)
                && found.largest.is_none_or(|largest| largest <= 1)
        }
    }
}

fn is_exact_range(found: &Found) -> bool {
    found.smallest.is_none_or(|smallest| smallest >= -EXACT_INTEGER) && found.largest.is_none_or(|largest| largest <= EXACT_INTEGER)
}

fn kind(name: TypeName, found: &Found) -> FieldKind {
    let longest_bytes = found.longest_bytes;
    match name {
        // Base64 takes four bytes for three.
        TypeName::Text => {
            let encoded = if found.blobs > 0 { longest_bytes.div_ceil(3) * 4 } else { longest_bytes };
            FieldKind::Text { max_chars: text_limit(encoded) }
        }
        TypeName::Number => FieldKind::Number,
        TypeName::Bool => FieldKind::Bool,
        TypeName::Json => json(json_limit(longest_bytes), JsonEncoding::Document),
        TypeName::Exact | TypeName::Any => json(json_limit(longest_bytes.saturating_mul(MAX_ESCAPE_BYTES / 2)), JsonEncoding::Value),
    }
}

fn json(max_bytes: u64, encoding: JsonEncoding) -> FieldKind {
    FieldKind::Json { max_bytes, encoding }
}

/// A limit for text: twice the longest or more, a power of two.
pub(super) fn text_limit(longest_bytes: u64) -> u64 {
    limit(longest_bytes, MIN_TEXT_CHARS)
}

/// A limit for files.
pub(super) fn file_limit(longest_bytes: u64) -> u64 {
    limit(longest_bytes, MIN_FILE_BYTES)
}

fn json_limit(longest_bytes: u64) -> u64 {
    limit(longest_bytes, MIN_JSON_BYTES)
}

fn limit(longest: u64, least: u64) -> u64 {
    if longest.saturating_mul(2) <= least {
        return least;
    }
    longest.saturating_mul(2).checked_next_power_of_two().unwrap_or(MAX_LIMIT).min(MAX_LIMIT)
}

/// What the statistics say will, or may, be lost.
fn losses(kind: &FieldKind, found: &Found) -> Vec<PossibleLoss> {
    let mut losses = Vec::new();
    let mut certain = |kind, values| {
        if values > 0 {
            losses.push(PossibleLoss { kind, values: Some(values) });
        }
    };
    match kind {
        FieldKind::Text { .. } => certain(LossyKind::NullAsEmpty, found.nulls),
        FieldKind::Number => certain(LossyKind::NullAsZero, found.nulls),
        FieldKind::Bool => certain(LossyKind::NullAsFalse, found.nulls),
        _ => {}
    }
    certain(LossyKind::NotUtf8, found.invalid_texts);
    let mut possible = |kind| losses.push(PossibleLoss { kind, values: None });
    match kind {
        FieldKind::Number if found.reals > 0 => {
            possible(LossyKind::NotFinite);
            possible(LossyKind::NumberSpelling);
        }
        FieldKind::Json { encoding, .. } => {
            if *encoding == JsonEncoding::Document && found.texts > 0 {
                for kind in [
                    LossyKind::NotJson,
                    LossyKind::DuplicateKey,
                    LossyKind::NumberRange,
                    LossyKind::TooDeep,
                    LossyKind::NumberDigits,
                    LossyKind::WhiteSpace,
                    LossyKind::LoneSurrogate,
                ] {
                    possible(kind);
                }
            }
            if found.reals > 0 || (*encoding == JsonEncoding::Document && found.texts > 0) {
                possible(LossyKind::NumberSpelling);
            }
            if found.reals > 0 {
                possible(LossyKind::NotFinite);
            }
        }
        _ => {}
    }
    losses
}
