//! What stops a reader or a writer of bundles. What is wrong *in* a bundle and does not stop is a [`crate::Problem`].

use std::io;
use std::path::PathBuf;

/// A broken precondition. The source's text is in `source()`, never repeated in the message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The output is there already; nothing was touched.
    #[error("the output {} exists already", path.display())]
    OutputExists {
        /// The output.
        path: PathBuf,
    },
    /// The output's folder is missing or refuses a new file.
    #[error("cannot create a file in {}", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Writing failed; a full disk is the usual reason.
    #[error("cannot write the bundle {}", path.display())]
    Write {
        /// The output.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The content of a blob could not be read; the bundle is as it was before.
    #[error("cannot read the content of a file")]
    ReadBlob {
        /// The system's reason.
        source: io::Error,
    },
    /// The source has so many columns that no descriptor has room for them (SPEC.md, 'The descriptor').
    #[error("{tables} tables with {columns} columns in all are more than a bundle can describe")]
    TooManyColumns {
        /// Tables of the source.
        tables: usize,
        /// Columns of all tables.
        columns: usize,
    },
    /// The bundle file cannot be opened or read.
    #[error("cannot read the bundle {}", path.display())]
    Read {
        /// The bundle.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not a tar, or not one of ours.
    #[error("{} is not a bundle: {reason}", path.display())]
    NotABundle {
        /// The file.
        path: PathBuf,
        /// What was missing or found instead.
        reason: String,
    },
    /// The bundle is cut short, edited or hostile; `verify` lists everything.
    #[error("the bundle {} is damaged: {reason}", path.display())]
    Damaged {
        /// The bundle.
        path: PathBuf,
        /// The first fault found.
        reason: String,
    },
    /// Written by a later major version.
    #[error("the bundle {} has format {found}, this program reads up to {}", path.display(), crate::FORMAT_VERSION)]
    NewerFormat {
        /// The bundle.
        path: PathBuf,
        /// The bundle's version.
        found: String,
    },
    /// A table's Parquet cannot be written or read.
    #[error("table {table}: its Parquet cannot be processed")]
    Parquet {
        /// The table.
        table: String,
        /// The library's reason.
        source: parquet::errors::ParquetError,
    },
    /// A row came with another number of values than its table has columns: a fault of the caller.
    #[error("table {table}: a row has {found} values, the table {expected} columns")]
    RowWidth {
        /// The table.
        table: String,
        /// Columns of the table.
        expected: usize,
        /// Values of the row.
        found: usize,
    },
    /// A member path that the format does not allow: a fault of the caller.
    #[error("{path:?} cannot be the path of a member")]
    MemberPath {
        /// The path.
        path: String,
    },
    /// A table writer was dropped without `finish`: a fault of the caller.
    #[error("table {table} was not finished")]
    TableUnfinished {
        /// The table.
        table: String,
    },
    /// The descriptor could not be encoded: our fault.
    #[error("the descriptor cannot be encoded")]
    Descriptor {
        /// The library's reason.
        source: serde_json::Error,
    },
}

/// Whose move it is after an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Something the user gave: a path, a disk.
    Input,
    /// The bundle is not whole.
    Bundle,
    /// A program error.
    Ours,
}

impl Error {
    /// Sorts an error by whose move it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Error::OutputExists { .. }
            | Error::Create { .. }
            | Error::Write { .. }
            | Error::ReadBlob { .. }
            | Error::TooManyColumns { .. }
            | Error::Read { .. } => Blame::Input,
            Error::NotABundle { .. } | Error::Damaged { .. } | Error::NewerFormat { .. } | Error::Parquet { .. } => Blame::Bundle,
            Error::RowWidth { .. } | Error::MemberPath { .. } | Error::TableUnfinished { .. } | Error::Descriptor { .. } => Blame::Ours,
        }
    }

    /// What to do now, as an imperative.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Error::OutputExists { .. } => "give another name, or move the file away: a bundle is never overwritten",
            Error::Create { .. } => "make the folder, or give one that you may write to",
            Error::Write { .. } => "free some space or give an output on another disk, then run it again: nothing was left behind",
            Error::ReadBlob { .. } => "check the file and its permissions, then run it again",
            Error::TooManyColumns { .. } => "report it with these numbers: nobody has met such a source yet",
            Error::Read { .. } => "check the path and its permissions",
            Error::NotABundle { .. } => "give a file that pannier-export wrote",
            Error::Damaged { .. } => "run pannier-import verify to list every fault, and copy the bundle again from where it was made",
            Error::NewerFormat { .. } => "use a pannier-import at least as new as the pannier-export that wrote it",
            Error::Parquet { .. } => "run pannier-import verify, and copy the bundle again from where it was made",
            Error::RowWidth { .. } | Error::MemberPath { .. } | Error::TableUnfinished { .. } | Error::Descriptor { .. } => {
                "this is a fault of Pannier: report it with the command that you ran"
            }
        }
    }
}
