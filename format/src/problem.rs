//! A problem: something wrong with the data. Problems are counted and listed, never hidden; they do not stop the work.

use serde::{Deserialize, Serialize};

/// One problem. `code` is stable, so that scripts may depend on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of problem, in kebab-case.
    pub code: String,
    /// What it is about: a member, a table, a file.
    pub object: String,
    /// The particulars, for people.
    pub detail: String,
}

impl Problem {
    /// A problem of kind `code` with `object`.
    pub fn new(code: &str, object: impl Into<String>, detail: impl Into<String>) -> Self {
        Problem { code: code.to_owned(), object: object.into(), detail: detail.into() }
    }
}
