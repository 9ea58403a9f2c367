//! SQL on the server's own database, for servers that allow it (0.39 and newer).

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::connect::Client;
use super::error::ClientError;
use super::transport::Call;

/// The longest text that `POST /api/sql` takes. The server's message speaks of a length of 5000; it counts bytes.
pub const SQL_MAX_BYTES: usize = 5000;

/// The most rows that a SELECT gives; the server leaves the others out without a word.
pub const SQL_MAX_ROWS: usize = 1000;

const SQL: &str = "/api/sql";

/// What a statement gave. Values come as text, whatever their type; NULL is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SqlAnswer {
    /// Rows written; 0 for a SELECT.
    #[serde(default, rename = "affectedRows")]
    pub affected_rows: u64,
    /// The columns of the result.
    #[serde(default)]
    pub columns: Vec<SqlColumn>,
    /// The rows of the result, at most [`SQL_MAX_ROWS`].
    #[serde(default)]
    pub rows: Vec<Vec<Option<String>>>,
}

/// One column of a result.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SqlColumn {
    /// Its name.
    pub name: String,
    /// Its declared type, empty for expressions.
    #[serde(default, rename = "type")]
    pub declared_type: String,
}

impl Client {
    /// Runs one statement or several, in one transaction; of several the last one's result is given. Not tried again after a lost answer unless the statement only reads: see
    /// [`ClientError::may_have_been_applied`].
    pub async fn sql(&self, statement: &str) -> Result<SqlAnswer, ClientError> {
        self.run_sql(statement, false).await
    }

    /// As [`Client::sql`], for statements that may be applied twice: the request is repeated after a lost answer.
    pub async fn sql_idempotent(&self, statement: &str) -> Result<SqlAnswer, ClientError> {
        self.run_sql(statement, true).await
    }

    async fn run_sql(&self, statement: &str, idempotent: bool) -> Result<SqlAnswer, ClientError> {
        let bytes = statement.len();
        if bytes > SQL_MAX_BYTES {
            return Err(ClientError::SqlTooLong { bytes });
        }
        let body = json!({ "query": statement }).to_string();
        match self.send(&Call::new(Method::POST, SQL).json(body).idempotent(idempotent)).await {
            Ok(answer) => answer.json(),
            Err(ClientError::NotFound { .. }) => Err(ClientError::SqlUnsupported),
            Err(error) => Err(error),
        }
    }

    /// Sends an empty statement: refused by those who know SQL, unknown to the others.
    pub(super) async fn probe_sql(&self) -> Result<bool, ClientError> {
        match self.send(&Call::new(Method::POST, SQL).json(r#"{"query":""}"#).idempotent(true)).await {
            Ok(_) | Err(ClientError::Refused { .. }) => Ok(true),
            Err(ClientError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
