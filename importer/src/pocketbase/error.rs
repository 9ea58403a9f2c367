//! What can go wrong between us and a `PocketBase` server, one variant for each situation, each with its next action.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What the server says about one field of a refused record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field, or a dotted path into the settings or the collection (`fields.2.pattern`).
    pub field: String,
    /// `PocketBase`'s code, for instance `validation_not_unique`.
    pub code: String,
    /// `PocketBase`'s sentence.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message.strip_suffix('.').unwrap_or(&self.message);
        write!(f, "{}: {message} ({})", self.field, self.code)
    }
}

/// A failure of the client. The texts never contain a secret, and never repeat the text of their source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The base URL is not `http(s)://host…`.
    #[error("not the address of a server: {url}")]
    BadUrl {
        /// The URL as given, without user and password.
        url: String,
    },
    /// Neither token nor password in the environment.
    #[error("no credentials for the PocketBase server")]
    CredentialsMissing,
    /// Half of identity and password is missing.
    #[error("the credentials are incomplete: {missing} is not set")]
    CredentialsIncomplete {
        /// The variable that is not set.
        missing: &'static str,
    },
    /// A variable of the environment is not UTF-8.
    #[error("the environment variable {variable} is not text")]
    CredentialsNotText {
        /// The variable.
        variable: &'static str,
    },
    /// The password file cannot be read.
    #[error("cannot read the password file {}", path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The HTTP client cannot be set up (TLS roots, for instance).
    #[error("cannot set up the HTTP client")]
    Setup {
        /// Why.
        source: reqwest::Error,
    },
    /// No connection: name, port, TLS or network. Nothing was sent.
    #[error("cannot reach {url}")]
    Unreachable {
        /// The server.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// Something answers, but it is not `PocketBase`.
    #[error("{url} is not a PocketBase server: {found}")]
    NotPocketBase {
        /// The server.
        url: String,
        /// What was found instead.
        found: String,
    },
    /// `PocketBase` 0.22 or older.
    #[error("the PocketBase at {url} is older than 0.23")]
    TooOld {
        /// The server.
        url: String,
    },
    /// Identity or password is wrong; the server does not say which.
    #[error("the server refuses the identity or password of {identity}")]
    WrongPassword {
        /// Who tried.
        identity: String,
    },
    /// The superuser has multi-factor authentication.
    #[error("{identity} needs a second factor to log in")]
    SecondFactorRequired {
        /// Who tried.
        identity: String,
    },
    /// The token is not valid: expired, revoked or mistyped, and there is no password to get another.
    #[error("the server does not accept the token")]
    TokenRefused,
    /// The credentials are those of somebody who is not a superuser.
    #[error("the credentials do not belong to a superuser")]
    NotSuperuser,
    /// The server refuses a superuser this action (`superuserIPs` in its settings, or a proxy).
    #[error("the server forbids {request}: {message}")]
    Forbidden {
        /// Method and path.
        request: String,
        /// The server's sentence.
        message: String,
    },
    /// Still 429 after all tries. Nothing was applied.
    #[error("the server limits the rate of requests")]
    RateLimited {
        /// How long the server asks us to wait.
        retry_after: Option<Duration>,
    },
    /// There is no such record, collection, file, backup or route.
    #[error("{request} found nothing")]
    NotFound {
        /// Method and path.
        request: String,
    },
    /// The server refuses what was sent; nothing was applied.
    #[error("the server refuses {request}: {}", refusal(message, fields))]
    Refused {
        /// Method and path.
        request: String,
        /// The HTTP status, mostly 400.
        status: u16,
        /// The server's sentence.
        message: String,
        /// What it says about single fields; may be empty.
        fields: Vec<FieldError>,
    },
    /// One request of a batch was refused, and with it the whole batch: nothing was applied.
    #[error("request {index} of the batch is refused: {}", refusal(message, fields))]
    BatchRefused {
        /// The first failing request, counted from 0. Those after it were not tried.
        index: usize,
        /// The status of that request.
        status: u16,
        /// The server's sentence.
        message: String,
        /// What it says about single fields; may be empty.
        fields: Vec<FieldError>,
    },
    /// Batches are switched off in the server's settings.
    #[error("batch requests are switched off on the server")]
    BatchOff,
    /// The server rolled a batch back without blaming one of its requests. That is what it says when a batch takes
    /// longer than the settings allow; nothing was applied.
    #[error("the server rolled the batch back, most likely because it took too long")]
    BatchTimedOut,
    /// 413, from the server or a proxy before it.
    #[error("the request of {bytes} bytes is too large for the server")]
    TooLarge {
        /// The size of the body.
        bytes: u64,
    },
    /// The server has no `POST /api/sql`: it is older than 0.39.
    #[error("the server cannot run SQL")]
    SqlUnsupported,
    /// More than [`super::SQL_MAX_BYTES`] bytes.
    #[error("the SQL text has {bytes} bytes, {} are allowed", super::SQL_MAX_BYTES)]
    SqlTooLong {
        /// How many.
        bytes: usize,
    },
    /// The server fails (5xx) although it was tried several times.
    #[error("the server fails at {request} with status {status}{}", said(message))]
    ServerFailed {
        /// Method and path.
        request: String,
        /// The HTTP status.
        status: u16,
        /// The server's sentence, or empty.
        message: String,
        /// Whether the request may have taken effect all the same.
        may_have_been_applied: bool,
    },
    /// The connection broke before the whole answer had come.
    #[error("the connection was lost during {request}")]
    ConnectionLost {
        /// Method and path.
        request: String,
        /// Whether the request may have taken effect all the same.
        may_have_been_applied: bool,
        /// Why.
        source: reqwest::Error,
    },
    /// No answer came in time.
    #[error("no answer to {request} within {} s", waited.as_secs())]
    TimedOut {
        /// Method and path.
        request: String,
        /// How long the last try was waited for.
        waited: Duration,
        /// Whether the request may have taken effect all the same.
        may_have_been_applied: bool,
    },
    /// A 2xx answer that is not what `PocketBase` sends.
    #[error("the answer to {request} is not what PocketBase sends")]
    UnexpectedAnswer {
        /// Method and path.
        request: String,
        /// Where the text went wrong.
        source: serde_json::Error,
    },
    /// The file to be uploaded cannot be read.
    #[error("cannot read the file to upload as {name}")]
    FileUnreadable {
        /// The name it was to get.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The file to be uploaded is longer or shorter than announced.
    #[error("the file to upload as {name} is not {promised_bytes} bytes long")]
    FileLength {
        /// The name it was to get.
        name: String,
        /// The length that was announced.
        promised_bytes: u64,
    },
}

impl ClientError {
    /// The next action of whoever reads the error, as an imperative.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::BadUrl { .. } => "give the server as http://host:port or https://host",
            Self::CredentialsMissing => "set PANNIER_PB_IDENTITY and PANNIER_PB_PASSWORD, or PANNIER_PB_TOKEN, to those of a superuser",
            Self::CredentialsIncomplete { .. } => "set both PANNIER_PB_IDENTITY and PANNIER_PB_PASSWORD",
            Self::CredentialsNotText { .. } => "set the variable to text in UTF-8",
            Self::PasswordFile { .. } => "point PANNIER_PB_PASSWORD_FILE to a file that you can read",
            Self::Setup { .. } => "check that the system has TLS root certificates",
            Self::Unreachable { .. } => "check the address, and that the server is running",
            Self::NotPocketBase { .. } => "give the address that PocketBase itself shows when it starts, without /_/",
            Self::TooOld { .. } => "upgrade the server to PocketBase 0.23 or newer",
            Self::WrongPassword { .. } => "check identity and password, or set them on the server with `pocketbase superuser upsert`",
            Self::SecondFactorRequired { .. } => "use PANNIER_PB_TOKEN, or a superuser without multi-factor authentication",
            Self::TokenRefused => "get a new token and set PANNIER_PB_TOKEN, or use identity and password",
            Self::NotSuperuser => "use the credentials of a superuser",
            Self::Forbidden { .. } => "check the superuser IPs in the server's settings, and the proxy before it",
            Self::RateLimited { .. } => "switch off the rate limits in the server's settings for the import, or wait",
            Self::NotFound { .. } => "check that the collection or record still exists",
            Self::Refused { .. } | Self::BatchRefused { .. } => "correct the named fields",
            Self::BatchOff => "switch on batch requests in the server's settings",
            Self::BatchTimedOut => "raise the batch timeout in the server's settings, or send smaller batches",
            Self::TooLarge { .. } => "send smaller batches, or raise the body limit of the server and its proxy",
            Self::SqlUnsupported => "upgrade the server to PocketBase 0.39 or newer, or import into its data directory",
            Self::SqlTooLong { .. } => "send fewer rows per statement",
            Self::ServerFailed { .. } => "look into the server's log, then run the command again",
            Self::ConnectionLost { .. } | Self::TimedOut { .. } => {
                "check the network and the proxy, then run the command again: what is done is not done twice"
            }
            Self::UnexpectedAnswer { .. } => "check that no proxy changes the answers, and report the version",
            Self::FileUnreadable { .. } => "check that the file can be read, then run the command again",
            Self::FileLength { .. } => "verify the bundle",
        }
    }

    /// Whether the request may have taken effect although it is reported as failed.
    #[must_use]
    pub fn may_have_been_applied(&self) -> bool {
        match self {
            Self::ServerFailed { may_have_been_applied, .. }
            | Self::ConnectionLost { may_have_been_applied, .. }
            | Self::TimedOut { may_have_been_applied, .. } => *may_have_been_applied,
            Self::UnexpectedAnswer { .. } => true,
            _ => false,
        }
    }

    /// Whether `PocketBase` itself answered 500, with a sentence of its own, as it does when a hook throws: proxies send
    /// other statuses, or a page.
    #[must_use]
    pub fn is_servers_own_failure(&self) -> bool {
        matches!(self, Self::ServerFailed { status: 500, message, .. } if message.ends_with(['.', '!', '?']) && !message.starts_with('<'))
    }

    /// Whether what was sent is at fault, and not the server or the way to it.
    #[must_use]
    pub fn is_about_content(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::BatchRefused { .. }
                | Self::BatchTimedOut
                | Self::BatchOff
                | Self::TooLarge { .. }
                | Self::FileUnreadable { .. }
        )
    }

    /// Whether a hook can be the reason, which does not want this one record, on a server that is well otherwise.
    #[must_use]
    pub fn may_be_about_one_record(&self) -> bool {
        matches!(self, Self::TokenRefused | Self::Forbidden { .. } | Self::NotFound { .. } | Self::ServerFailed { .. })
    }

    /// What the server says about single fields; empty for most errors.
    #[must_use]
    pub fn field_errors(&self) -> &[FieldError] {
        match self {
            Self::Refused { fields, .. } | Self::BatchRefused { fields, .. } => fields,
            _ => &[],
        }
    }

    /// Whether the server says that there is a record with this id already, or one whose id differs only in case.
    #[must_use]
    pub fn is_id_taken(&self) -> bool {
        self.field_errors().iter().any(|error| error.field == "id" && error.code == "validation_pk_invalid")
    }
}

/// The server's sentence after a colon, if there is one.
fn said(message: &str) -> String {
    let message = message.strip_suffix('.').unwrap_or(message);
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// The server's sentence and what it says about fields, without its full stop.
fn refusal(message: &str, fields: &[FieldError]) -> String {
    let mut text = message.strip_suffix('.').unwrap_or(message).to_owned();
    for (position, field) in fields.iter().enumerate() {
        text.push_str(if position == 0 { ": " } else { "; " });
        text.push_str(&field.to_string());
    }
    text
}
