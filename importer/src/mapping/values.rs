//! One value of the source as the value of a field, and what is lost by that.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pannier_format::Value;

use super::field_types::EXACT_INTEGER;
use super::json::{self, Fault};
use super::model::{FieldKind, JsonEncoding, LossyKind};
use super::record::FieldValue;

/// Reports losses as they happen.
pub(super) type Losses<'l> = &'l mut dyn FnMut(LossyKind);

/// Converts a value for a field of that kind.
pub(super) fn field_value<'a>(kind: &FieldKind, value: Value<'a>, losses: Losses<'_>) -> FieldValue<'a> {
    match kind {
        FieldKind::Text { .. } | FieldKind::Email => FieldValue::Text(text(value, losses)),
        FieldKind::Number => FieldValue::Number(number(value, losses)),
        FieldKind::Bool => FieldValue::Bool(boolean(value, losses)),
        FieldKind::Json { encoding, .. } => json_value(*encoding, value, losses),
        FieldKind::File { .. } => FieldValue::File(false),
        FieldKind::Relations { .. } => FieldValue::Later,
    }
}

/// A value as text: for keys in reports, templates and text fields. NULL is empty.
pub(super) fn plain_text<'a>(value: &Value<'a>) -> Cow<'a, str> {
    match *value {
        Value::Null => Cow::Borrowed(""),
        Value::Boolean(true) => Cow::Borrowed("true"),
        Value::Boolean(false) => Cow::Borrowed("false"),
        Value::Integer(integer) => Cow::Owned(integer.to_string()),
        Value::Real(real) => Cow::Owned(real_text(real)),
        Value::Text(bytes) => String::from_utf8_lossy(bytes),
        Value::Blob(bytes) => Cow::Owned(BASE64.encode(bytes)),
    }
}

fn text<'a>(value: Value<'a>, losses: Losses<'_>) -> Cow<'a, str> {
    if matches!(value, Value::Null) {
        losses(LossyKind::NullAsEmpty);
    }
    note_broken_text(&value, losses);
    plain_text(&value)
}

fn note_broken_text(value: &Value<'_>, losses: Losses<'_>) {
    if matches!(value, Value::Text(_)) && value.as_str().is_none() {
        losses(LossyKind::NotUtf8);
    }
}

#[allow(clippy::cast_precision_loss)] // integers beyond the exact range are caught before
fn number(value: Value<'_>, losses: Losses<'_>) -> f64 {
    let (number, loss) = match value {
        Value::Null => (0.0, Some(LossyKind::NullAsZero)),
        Value::Boolean(boolean) => (f64::from(u8::from(boolean)), None),
        Value::Integer(integer) if integer.unsigned_abs() <= EXACT_INTEGER.unsigned_abs() => (integer as f64, None),
        Value::Real(real) if !real.is_finite() => (0.0, Some(LossyKind::NotFinite)),
        Value::Real(real) if real == 0.0 && real.is_sign_negative() => (0.0, Some(LossyKind::NumberSpelling)),
        Value::Real(real) => (real, None),
        Value::Integer(_) | Value::Text(_) | Value::Blob(_) => (0.0, Some(LossyKind::NotANumber)),
    };
    if let Some(loss) = loss {
        losses(loss);
    }
    number
}

fn boolean(value: Value<'_>, losses: Losses<'_>) -> bool {
    match value {
        Value::Boolean(boolean) => boolean,
        Value::Integer(0) => false,
        Value::Integer(1) => true,
        Value::Null => {
            losses(LossyKind::NullAsFalse);
            false
        }
        Value::Integer(_) | Value::Real(_) | Value::Text(_) | Value::Blob(_) => {
            losses(LossyKind::NotANumber);
            false
        }
    }
}

fn json_value<'a>(encoding: JsonEncoding, value: Value<'a>, losses: Losses<'_>) -> FieldValue<'a> {
    let text = match value {
        Value::Null => return FieldValue::Null,
        Value::Boolean(true) => Cow::Borrowed("true"),
        Value::Boolean(false) => Cow::Borrowed("false"),
        Value::Integer(integer) => Cow::Owned(integer.to_string()),
        Value::Real(real) => Cow::Owned(json_real(real, losses)),
        Value::Text(bytes) => {
            note_broken_text(&value, losses);
            let text = String::from_utf8_lossy(bytes);
            match encoding {
                JsonEncoding::Document => document(text, losses),
                JsonEncoding::Value => Cow::Owned(quoted(&text)),
            }
        }
        Value::Blob(bytes) => Cow::Owned(format!("{{\"$base64\":\"{}\"}}", BASE64.encode(bytes))),
    };
    FieldValue::Json(text)
}

fn real_text(real: f64) -> String {
    if real.is_nan() {
        "NaN".to_owned()
    } else if real.is_infinite() {
        if real > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        json::number_text(real)
    }
}

fn json_real(real: f64, losses: Losses<'_>) -> String {
    if !real.is_finite() {
        losses(LossyKind::NotFinite);
        return quoted(&real_text(real));
    }
    // The server's database keeps a bare number as a number: a real without a fraction becomes an integer.
    if real == 0.0 && real.is_sign_negative() {
        losses(LossyKind::NumberSpelling);
    }
    let text = real_text(real);
    if survives(&text, real) {
        return text;
    }
    losses(LossyKind::NumberDigits);
    quoted(&text)
}

fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    json::write_string(&mut out, text);
    // Escaping adds ASCII to what was UTF-8.
    String::from_utf8(out).unwrap_or_default()
}

/// JSON text as it is, where the server takes it; else a JSON string that holds the text.
fn document<'a>(text: Cow<'a, str>, losses: Losses<'_>) -> Cow<'a, str> {
    const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];
    let summary = match json::check(&text) {
        Ok(summary) => summary,
        Err(fault) => {
            losses(match fault {
                Fault::NotJson => LossyKind::NotJson,
                Fault::DuplicateKey => LossyKind::DuplicateKey,
                Fault::NumberRange => LossyKind::NumberRange,
                Fault::TooDeep => LossyKind::TooDeep,
            });
            return Cow::Owned(quoted(&text));
        }
    };
    if summary.lone_surrogate {
        losses(LossyKind::LoneSurrogate);
    }
    let trimmed_bytes = text.trim_matches(SPACE).len();
    let text = if trimmed_bytes == text.len() {
        text
    } else {
        // Leading white space makes the server take the whole text for a string.
        losses(LossyKind::WhiteSpace);
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(SPACE)),
            Cow::Owned(text) => Cow::Owned(text.trim_matches(SPACE).to_owned()),
        }
    };
    if summary.bare_number { bare_number(text, losses) } else { text }
}

/// A number that is the whole document: the server's database makes an integer or a float64 of it.
fn bare_number<'a>(text: Cow<'a, str>, losses: Losses<'_>) -> Cow<'a, str> {
    if text.parse::<i64>().is_ok_and(|integer| integer.to_string() == text) {
        return text;
    }
    let number = text.parse::<f64>().unwrap_or_default();
    let is_real = text.contains(['.', 'e', 'E']);
    if is_real && json::number_text(number) == text && survives(&text, number) {
        return text;
    }
    if significant_digits(&text) <= SURE_DIGITS {
        losses(LossyKind::NumberSpelling);
        return text;
    }
    losses(LossyKind::NumberDigits);
    Cow::Owned(quoted(&text))
}

/// Decimal digits that any float64 keeps.
const SURE_DIGITS: usize = 15;

/// The databases of older servers (0.36.9 and before) read the last digit of very large and very small numbers wrong.
/// Measured: none within 10^±45.
fn survives(text: &str, number: f64) -> bool {
    number == 0.0 || significant_digits(text) <= SURE_DIGITS || (1e-45..1e45).contains(&number.abs())
}

fn significant_digits(text: &str) -> usize {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_start_matches('0').trim_end_matches('0').len()
}
