//! One request and its answer: sends, tries again where that is safe, logs in again when the token has expired.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::body::Upload;
use super::connect::Client;
use super::error::ClientError;
use super::retry::{RetryCause, RetryEvent};
use super::session::Authorization;
use super::transport_error::refuse;

/// Bytes a second that any connection is expected to carry, when a time-out is computed.
const SLOWEST_BYTES_PER_S: u64 = 64 * 1024;

/// What is sent: everything that is needed to send it again.
pub(super) struct Call<'a> {
    pub method: Method,
    /// From `/api/` on, already percent-encoded.
    pub path: String,
    pub query: Vec<(&'static str, String)>,
    pub body: CallBody<'a>,
    pub authorization: Authorization,
    /// Whether a second application changes nothing; only then is a lost answer no reason to stop.
    pub idempotent: bool,
    /// Time beyond the ordinary that the server may take.
    pub extra_time: Duration,
    /// Whether a server that cannot be reached is not waited for: its address may be wrong.
    pub first: bool,
}

pub(super) enum CallBody<'a> {
    Empty,
    Json(Bytes),
    Multipart(&'a Upload<'a>),
}

impl CallBody<'_> {
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Json(body) => body.len() as u64,
            Self::Multipart(upload) => upload.bytes(),
        }
    }
}

impl<'a> Call<'a> {
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let idempotent = method != Method::POST;
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body: CallBody::Empty,
            authorization: Authorization::Superuser,
            idempotent,
            extra_time: Duration::ZERO,
            first: false,
        }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub fn json(mut self, body: impl Into<Bytes>) -> Self {
        self.body = CallBody::Json(body.into());
        self
    }

    pub fn multipart(mut self, upload: &'a Upload<'a>) -> Self {
        self.body = CallBody::Multipart(upload);
        self
    }

    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = idempotent;
        self
    }

    pub fn anonymous(mut self) -> Self {
        self.authorization = Authorization::None;
        self
    }

    pub fn first(mut self) -> Self {
        self.first = true;
        self
    }

    pub fn extra_time(mut self, extra: Duration) -> Self {
        self.extra_time = extra;
        self
    }

    /// Method and path for messages. The query is left out: it may hold a file token.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// An answer with status 2xx.
pub(super) struct Answer {
    pub body: Bytes,
    pub request: String,
}

impl Answer {
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|source| ClientError::UnexpectedAnswer { request: self.request.clone(), source })
    }

    /// Checks that the answer is a record. Of what was written only the id is asked back: the rest would be as long as
    /// what was sent.
    pub fn is_record(&self) -> Result<(), ClientError> {
        #[derive(Deserialize)]
        struct Record {
            #[serde(rename = "id")]
            _id: String,
        }
        self.json::<Record>().map(drop)
    }
}

/// One try that failed on the way, as opposed to an answer that says no.
enum Lost {
    Connect(reqwest::Error),
    Broken(reqwest::Error),
    TimedOut(Duration),
    Status {
        status: StatusCode,
        message: String,
        retry_after: Option<Duration>,
    },
    /// The body could not be produced: no use in trying again.
    Body(ClientError),
}

impl Lost {
    fn cause(&self) -> RetryCause {
        match self {
            Self::Connect(_) => RetryCause::CannotConnect,
            Self::TimedOut(_) => RetryCause::TimedOut,
            Self::Status { status, .. } => RetryCause::Status(status.as_u16()),
            Self::Broken(_) | Self::Body(_) => RetryCause::ConnectionLost,
        }
    }

    /// Whether the server may have acted on the request.
    fn may_have_been_applied(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Body(_) => false,
            Self::Broken(_) | Self::TimedOut(_) => true,
            Self::Status { status, .. } => *status != StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn into_error(self, client: &Client, call: &Call<'_>, applied: bool) -> ClientError {
        let request = call.name();
        match self {
            Self::Connect(source) if !applied => ClientError::Unreachable { url: client.base_url().to_owned(), source },
            Self::Connect(source) | Self::Broken(source) => ClientError::ConnectionLost { request, may_have_been_applied: applied, source },
            Self::TimedOut(waited) => ClientError::TimedOut { request, waited, may_have_been_applied: applied },
            Self::Status { status: StatusCode::TOO_MANY_REQUESTS, retry_after, .. } if !applied => ClientError::RateLimited { retry_after },
            Self::Status { status, message, .. } => {
                ClientError::ServerFailed { request, status: status.as_u16(), message, may_have_been_applied: applied }
            }
            Self::Body(error) => error,
        }
    }
}

impl Client {
    /// Sends `call` and reads its whole answer.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Answer, ClientError> {
        let body = self.send_with(call, async |response, deadline| within(deadline, response.bytes()).await).await?;
        Ok(Answer { body, request: call.name() })
    }

    /// Sends `call` and hands out its answer unread.
    pub(super) async fn open(&self, call: &Call<'_>) -> Result<Response, ClientError> {
        self.send_with(call, async |response, _| Ok(response)).await
    }

    /// The loop around [`Client::try_once`]: pauses, new logins, the bookkeeping of what may have been applied.
    async fn send_with<T>(&self, call: &Call<'_>, read: impl AsyncFn(Response, Duration) -> Result<T, Lost>) -> Result<T, ClientError> {
        let policy = self.policy();
        let (mut tries, mut paused, mut applied, mut renewed) = (0, Duration::ZERO, false, false);
        loop {
            tries += 1;
            let token = self.token(call.authorization).await?;
            let lost = match self.try_once(call, token.as_deref(), &read).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(refusal)) => {
                    // A token that has expired makes us a guest, who is told 401, 403, or 400 by a batch.
                    if refusal.is_about_authorization() && !renewed && self.renew(token.as_deref()).await? {
                        renewed = true;
                        continue;
                    }
                    return Err(refusal.into_error(call));
                }
                Err(lost) => lost,
            };
            applied |= lost.may_have_been_applied();
            let asked = if let Lost::Status { retry_after, .. } = &lost { *retry_after } else { None };
            let wrong_address = call.first && tries > 1 && lost.cause() == RetryCause::CannotConnect;
            let hopeless = wrong_address || matches!(lost, Lost::Body(_)) || (applied && !call.idempotent);
            let pause = if hopeless { None } else { policy.pause(tries, paused, asked) };
            let Some(pause) = pause else {
                return Err(lost.into_error(self, call, applied));
            };
            self.log().report(&RetryEvent { request: call.name(), cause: lost.cause(), tries, pause });
            tokio::time::sleep(pause).await;
            paused += pause;
        }
    }

    /// The pause between a create whose answer was lost and its repetition as an upsert.
    pub(super) async fn pause_after_loss(&self, request: String, error: &ClientError) {
        let cause = match error {
            ClientError::ServerFailed { status, .. } => RetryCause::Status(*status),
            ClientError::TimedOut { .. } => RetryCause::TimedOut,
            _ => RetryCause::ConnectionLost,
        };
        if let Some(pause) = self.policy().pause(1, Duration::ZERO, None) {
            self.log().report(&RetryEvent { request, cause, tries: 1, pause });
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_once<T>(
        &self,
        call: &Call<'_>,
        token: Option<&str>,
        read: &impl AsyncFn(Response, Duration) -> Result<T, Lost>,
    ) -> Result<Result<T, super::transport_error::Refusal>, Lost> {
        let url = format!("{}{}", self.base_url(), call.path);
        let mut request = self.http().request(call.method.clone(), url).query(&call.query);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        let mut fault = None;
        request = match &call.body {
            CallBody::Empty => request,
            CallBody::Json(body) => request.header(CONTENT_TYPE, "application/json").body(body.clone()),
            CallBody::Multipart(upload) => {
                let (form, slot) = upload.form();
                fault = Some(slot);
                request.multipart(form)
            }
        };
        let deadline = self.policy().answer_timeout + call.extra_time + Duration::from_secs(call.body.bytes() / SLOWEST_BYTES_PER_S);
        let response = match within(deadline, request.send()).await {
            Ok(response) => response,
            Err(lost) => match fault.and_then(|slot| slot.take()) {
                Some(error) => return Err(Lost::Body(error)),
                None => return Err(lost),
            },
        };
        let status = response.status();
        if status.is_success() {
            return read(response, deadline).await.map(Ok);
        }
        let retry_after = retry_after(&response);
        let body = within(deadline, response.bytes()).await?;
        match status.as_u16() {
            429 | 500 | 502 | 503 | 504 => Err(Lost::Status { status, message: super::transport_error::message(&body), retry_after }),
            _ => Ok(Err(refuse(status, &body))),
        }
    }
}

async fn within<T>(deadline: Duration, work: impl Future<Output = Result<T, reqwest::Error>>) -> Result<T, Lost> {
    match tokio::time::timeout(deadline, work).await {
        Ok(Ok(done)) => Ok(done),
        // The URL of the error is dropped: its query may hold a file token.
        Ok(Err(error)) if error.is_connect() => Err(Lost::Connect(error.without_url())),
        Ok(Err(error)) => Err(Lost::Broken(error.without_url())),
        Err(_) => Err(Lost::TimedOut(deadline)),
    }
}

/// `Retry-After` in seconds; the form with a date is not used by `PocketBase` and read as absent.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
