//! `verify`: every member, every digest, every file; lists all problems and stops at none.

use std::path::Path;

use pannier_format::Problem;
use serde::Serialize;

use super::{Document, bytes_text, shown};
use crate::ImportError;
use crate::monitor::Monitor;

/// What `verify --json` prints.
#[derive(Debug, Serialize)]
pub struct VerifyDocument {
    /// The bundle's file.
    pub bundle: String,
    /// SHA-256 of its tag manifest; empty if it has none.
    pub identity: String,
    /// Members of the tar.
    pub members: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Tables whose rows were read and digested.
    pub tables: u64,
    /// Rows of those.
    pub rows: u64,
    /// Files whose content was hashed.
    pub files: u64,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
}

/// Verifies a bundle.
pub fn verify(path: &Path, monitor: &mut Monitor) -> Result<VerifyDocument, ImportError> {
    let bytes = path.metadata().map_or(0, |metadata| metadata.len());
    monitor.phase("verify", bytes, "bytes");
    let report = pannier_format::verify(path, &mut |bytes| monitor.advance(bytes))?;
    monitor.end();
    Ok(VerifyDocument {
        bundle: path.display().to_string(),
        identity: report.identity,
        members: report.members,
        bytes: report.bytes,
        tables: report.tables,
        rows: report.rows,
        files: report.blobs,
        problems: report.problems,
    })
}

/// Verifies a bundle before it is used: one that is not whole is not read.
pub fn require_whole(path: &Path, monitor: &mut Monitor) -> Result<(), ImportError> {
    let document = verify(path, monitor)?;
    match document.problems.first() {
        None => Ok(()),
        Some(first) => Err(ImportError::BundleDamaged {
            path: path.to_owned(),
            problems: document.problems.len(),
            first: format!("{} {}", first.object, first.detail),
        }),
    }
}

impl Document for VerifyDocument {
    fn text(&self) -> String {
        let mut text = String::new();
        for problem in &self.problems {
            text += &format!("problem: {}: {}: {}\n", problem.code, shown(&problem.object), shown(&problem.detail));
        }
        text += &format!(
            "{} members of {}, {} tables with {} rows, {} files\n",
            self.members,
            bytes_text(self.bytes),
            self.tables,
            self.rows,
            self.files
        );
        text += &match self.problems.len() {
            0 => format!("the bundle is whole; identity {}\n", self.identity),
            1 => "the bundle is damaged: 1 problem\n".to_owned(),
            problems => format!("the bundle is damaged: {problems} problems\n"),
        };
        text
    }

    fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }
}
