//! Rows that failed: one line of JSON each in `failures.ndjson`, written at once, so that a kill loses none.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::ImportError;

/// One row, or one field of it, that could not be imported.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The source's table.
    pub table: String,
    /// The row's key, as text.
    pub key: String,
    /// Where it should have gone.
    pub collection: String,
    /// The id that it should have got.
    pub id: String,
    /// The field that was refused, if one was.
    pub field: Option<String>,
    /// The server's or our word for it.
    pub code: String,
    /// Why.
    pub reason: String,
}

/// Writes and counts failures.
pub struct Failures {
    path: PathBuf,
    file: File,
    count: u64,
    limit: Option<u64>,
}

impl Failures {
    /// An empty list in `folder`, which is made if it is missing.
    pub fn create(folder: &Path, limit: Option<u64>) -> Result<Failures, ImportError> {
        fs::create_dir_all(folder).map_err(|source| ImportError::Report { path: folder.to_owned(), source })?;
        let path = folder.join("failures.ndjson");
        let file = crate::report::create_private(&path)?;
        Ok(Failures { path, file, count: 0, limit })
    }

    /// Records the failure of one row; an error if there are now more than allowed.
    pub fn row(&mut self, failures: &[Failure]) -> Result<(), ImportError> {
        for failure in failures {
            let mut line = serde_json::to_vec(failure).unwrap_or_default();
            line.push(b'\n');
            self.file.write_all(&line).map_err(|source| ImportError::Report { path: self.path.clone(), source })?;
        }
        self.count += 1;
        match self.limit {
            Some(limit) if self.count > limit => Err(ImportError::TooManyFailures { failures: self.count, limit }),
            _ => Ok(()),
        }
    }

    /// How many rows failed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Where they are listed.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
