//! A client for the Web API of `PocketBase` 0.23 and newer: what an import needs of it and nothing more.
//!
//! What real servers answer, version by version, is written down in `FACTS.md` beside this file.
//! Bodies are sent as the caller assembled them and answers are handed out as their own text, because
//! a JSON value that is parsed and written again is no longer the same value.

mod auth;
mod backups;
mod batch;
mod body;
mod by_id;
mod collections;
mod connect;
mod credentials;
mod download;
mod error;
mod files;
mod login;
mod page;
mod records;
mod retry;
mod session;
mod settings;
mod sql;
mod transport;
mod transport_error;
mod version;

pub use auth::{AuthMethods, AuthRecord};
pub use backups::Backup;
pub use batch::{BATCH_RECORD_MAX_BYTES, BatchMethod, BatchRequest};
pub use body::FileBody;
pub use connect::{Client, ConnectOptions};
pub use credentials::{Credentials, IDENTITY_VAR, PASSWORD_FILE_VAR, PASSWORD_VAR, TOKEN_VAR};
pub use download::Download;
pub use error::{ClientError, FieldError};
pub use files::{FileToken, FileUpload};
pub use page::{MAX_PER_PAGE, RawRecord};
pub use retry::{RetryCause, RetryEvent, RetryLog, RetryPolicy};
pub use settings::{BatchSettings, DEFAULT_BATCH_BODY_BYTES};
pub use sql::{SQL_MAX_BYTES, SQL_MAX_ROWS, SqlAnswer, SqlColumn};
pub use version::{ServerVersion, Version};
