//! Accounts: throw-away passwords, the list of those that need a reset, and identities with other services.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;

use crate::ImportError;

/// A password that nobody knows: it stands until the real hash takes its place, or until a reset.
pub(super) fn throw_away_password() -> Result<String, ImportError> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|error| ImportError::Runtime { source: std::io::Error::other(error.to_string()) })?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

/// `accounts-to-reset.csv`: the accounts whose password could not be carried over.
pub(super) struct ResetList {
    path: PathBuf,
    file: File,
}

impl ResetList {
    pub fn create(folder: &Path) -> Result<ResetList, ImportError> {
        let path = folder.join("accounts-to-reset.csv");
        let file = crate::report::create_private(&path)?;
        let mut list = ResetList { path, file };
        list.line(&["collection", "id", "email", "reason"])?;
        Ok(list)
    }

    pub fn line(&mut self, cells: &[&str]) -> Result<(), ImportError> {
        let cells: Vec<String> = cells.iter().map(|cell| csv_cell(cell)).collect();
        let line = cells.join(",") + "\r\n";
        self.file.write_all(line.as_bytes()).map_err(|source| ImportError::Report { path: self.path.clone(), source })
    }
}

/// A cell of RFC 4180. One that a spreadsheet would take for a formula gets an apostrophe before it.
fn csv_cell(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells() {
        for (text, cell) in [("a", "a"), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), ("=1+1", "'=1+1")] {
            assert_eq!(super::csv_cell(text), cell);
        }
    }
}
