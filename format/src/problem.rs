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

/// How many problems are listed, so that a bundle that is nothing but problems does not fill the memory.
const LISTED: usize = 10_000;

/// Problems as they are found: the first ones are listed, all are counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProblemList {
    listed: Vec<Problem>,
    unlisted: u64,
}

impl ProblemList {
    pub fn push(&mut self, problem: Problem) {
        if self.listed.len() < LISTED {
            self.listed.push(problem);
        } else {
            self.unlisted += 1;
        }
    }

    pub fn append(&mut self, other: ProblemList) {
        other.listed.into_iter().for_each(|problem| self.push(problem));
        self.unlisted += other.unlisted;
    }

    /// What was found; the last one says how many are not listed, if any are not.
    pub fn finish(mut self) -> Vec<Problem> {
        if self.unlisted > 0 {
            let detail = format!("{} more problems were found and are not listed", self.unlisted);
            self.listed.push(Problem::new("more-problems", "the bundle", detail));
        }
        self.listed
    }
}
