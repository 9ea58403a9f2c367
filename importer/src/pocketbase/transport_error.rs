//! Reads what `PocketBase` says when it says no.

use bytes::Bytes;
use reqwest::StatusCode;
use serde_json::Value;

use super::error::{ClientError, FieldError};
use super::transport::Call;

/// An answer that is neither a success nor worth another try.
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    fields: Vec<FieldError>,
    /// The failing request of a batch.
    in_batch: Option<(usize, u16)>,
}

impl Refusal {
    /// Whether the server takes us for a guest.
    pub fn is_about_authorization(&self) -> bool {
        let status = self.in_batch.map_or(self.status.as_u16(), |(_, status)| status);
        // A guest is told 403 about batches that are off, too; a new login does no harm then, and happens once.
        matches!(status, 401 | 403) && !self.message.starts_with(BATCH_OFF)
    }

    pub fn into_error(self, call: &Call<'_>) -> ClientError {
        let request = call.name();
        let Self { status, message, fields, in_batch } = self;
        if let Some((index, status)) = in_batch {
            return ClientError::BatchRefused { index, status, message, fields };
        }
        match status.as_u16() {
            401 => ClientError::TokenRefused,
            403 if message.starts_with(BATCH_OFF) => ClientError::BatchOff,
            400 if message.starts_with(BATCH_ROLLED_BACK) && fields.is_empty() => ClientError::BatchTimedOut,
            403 => ClientError::Forbidden { request, message },
            404 => ClientError::NotFound { request },
            413 => ClientError::TooLarge { bytes: call.body.bytes() },
            status => ClientError::Refused { request, status, message, fields },
        }
    }
}

const BATCH_OFF: &str = "Batch requests are not allowed";
const BATCH_ROLLED_BACK: &str = "Batch transaction failed";

/// Reads an answer of the form `{"data": {field: {code, message}}, "message": …, "status": …}`.
pub(super) fn refuse(status: StatusCode, body: &Bytes) -> Refusal {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let inner = answer
        .pointer("/data/requests")
        .and_then(Value::as_object)
        .and_then(|requests| requests.iter().find_map(|(index, failed)| Some((index.parse().ok()?, failed))));
    if let Some((index, failed)) = inner {
        let response = failed.get("response").unwrap_or(&Value::Null);
        let inner_status = response.get("status").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        return Refusal {
            status,
            message: sentence(response).or_else(|| sentence(failed)).unwrap_or_default().to_owned(),
            fields: field_errors(response),
            in_batch: Some((index, inner_status.unwrap_or(status.as_u16()))),
        };
    }
    Refusal { status, message: sentence(&answer).map_or_else(|| short(body), str::to_owned), fields: field_errors(&answer), in_batch: None }
}

/// The sentence of an error answer, or the beginning of whatever a proxy said instead.
pub(super) fn message(body: &Bytes) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    sentence(&answer).map_or_else(|| short(body), str::to_owned)
}

fn sentence(answer: &Value) -> Option<&str> {
    answer.get("message").and_then(Value::as_str)
}

/// Errors of fields, with the path of those that lie deeper (settings, the fields of a collection).
fn field_errors(answer: &Value) -> Vec<FieldError> {
    let mut found = Vec::new();
    if let Some(data) = answer.get("data") {
        collect(data, &mut String::new(), &mut found);
    }
    found
}

fn collect(value: &Value, path: &mut String, found: &mut Vec<FieldError>) {
    let Some(object) = value.as_object() else {
        return;
    };
    if let (Some(code), Some(message)) = (object.get("code").and_then(Value::as_str), object.get("message").and_then(Value::as_str)) {
        found.push(FieldError { field: path.clone(), code: code.to_owned(), message: message.to_owned() });
        return;
    }
    for (name, inner) in object {
        let before = path.len();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        collect(inner, path, found);
        path.truncate(before);
    }
}

fn short(body: &[u8]) -> String {
    const LONGEST_CHARS: usize = 120;
    let text = String::from_utf8_lossy(body);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > LONGEST_CHARS {
        return line.chars().take(LONGEST_CHARS).chain(['…']).collect();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_batch_names_request_and_fields() {
        // As 0.23.4, 0.28.4, 0.36.9 and 0.40.6 answer.
        let body = Bytes::from_static(
            br#"{"data":{"requests":{"1":{"code":"batch_request_failed","message":"Batch request failed.","response":{"data":{"e":{"code":"validation_is_email","message":"Must be a valid email address."},"id":{"code":"validation_invalid_format","message":"Invalid value format."}},"message":"Failed to create record.","status":400}}}},"message":"Batch transaction failed.","status":400}"#,
        );
        let call = Call::get("/api/batch");
        let error = refuse(StatusCode::BAD_REQUEST, &body).into_error(&call);
        assert!(matches!(error, ClientError::BatchRefused { index: 1, status: 400, .. }));
        assert_eq!(
            error.to_string(),
            "request 1 of the batch is refused: Failed to create record: \
             e: Must be a valid email address (validation_is_email); id: Invalid value format (validation_invalid_format)"
        );
    }

    #[test]
    fn an_answer_of_a_proxy_is_cut_short() {
        let body = Bytes::from(format!("<html>\n<body>{}</body>", "x".repeat(5000)));
        assert!(message(&body).chars().count() <= 121);
    }

    #[test]
    fn a_guest_is_recognised_inside_a_batch() {
        let body = Bytes::from_static(
            br#"{"data":{"requests":{"0":{"code":"batch_request_failed","message":"Batch request failed.","response":{"data":{},"message":"Only superusers can perform this action.","status":403}}}},"message":"Batch transaction failed.","status":400}"#,
        );
        assert!(refuse(StatusCode::BAD_REQUEST, &body).is_about_authorization());
    }
}
