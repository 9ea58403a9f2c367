//! What stops a command of pannier-import. What is wrong with single rows is counted and listed instead.

use std::io;
use std::path::PathBuf;

use crate::mapping::MappingError;
use crate::pocketbase::ClientError;

/// A broken precondition. The source's text is in `source()`, never repeated in the message.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The bundle.
    #[error(transparent)]
    Bundle(#[from] pannier_format::Error),
    /// The server.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The profile.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// A target that is no server's address.
    #[error("{target} is not a target of this version")]
    Target {
        /// What was given.
        target: String,
    },
    /// `verify` found problems, so nothing is read from the bundle.
    #[error("the bundle {} has {problems} problems; the first: {first}", path.display())]
    BundleDamaged {
        /// The bundle.
        path: PathBuf,
        /// How many.
        problems: usize,
        /// The first one.
        first: String,
    },
    /// Collections on the server contradict the mapping.
    #[error("the server's collections do not fit: {}", contradictions.join("; "))]
    Contradictions {
        /// One sentence each.
        contradictions: Vec<String>,
    },
    /// The collections are not there yet.
    #[error("the server has no collection {collection}")]
    NoCollection {
        /// The first that is missing.
        collection: String,
    },
    /// More rows failed than `--max-failures` allows.
    #[error("{failures} rows failed, more than --max-failures {limit} allows")]
    TooManyFailures {
        /// How many failed.
        failures: u64,
        /// How many may.
        limit: u64,
    },
    /// A report cannot be written.
    #[error("cannot write {}", path.display())]
    Report {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The content of a file in the bundle cannot be read.
    #[error("cannot read the content of {object} from the bundle")]
    Blob {
        /// The file.
        object: String,
        /// Why.
        source: io::Error,
    },
    /// Ctrl-C, or a signal to end.
    #[error("interrupted")]
    Interrupted,
    /// The settings that were changed for the import could not be put back.
    #[error("the server's settings could not be put back")]
    SettingsLeft {
        /// Why.
        source: ClientError,
        /// Where it is noted what they were.
        note: PathBuf,
    },
    /// A runtime could not be made: our fault or the system's.
    #[error("cannot start")]
    Runtime {
        /// Why.
        source: io::Error,
    },
}

impl ImportError {
    /// What to do now, as an imperative.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            ImportError::Bundle(error) => error.hint().to_owned(),
            ImportError::Client(error) => error.hint().to_owned(),
            ImportError::Mapping(_) => "correct the profile, or leave --profile out to use the built-in one".to_owned(),
            ImportError::Target { .. } => "give the address of a PocketBase server, for instance http://127.0.0.1:8090".to_owned(),
            ImportError::BundleDamaged { .. } => {
                "run pannier-import verify to list every problem, and copy the bundle again from where it was made".to_owned()
            }
            ImportError::Contradictions { .. } => {
                "rename or delete these collections on the server, or change the profile, then run schema again".to_owned()
            }
            ImportError::NoCollection { .. } => "run pannier-import schema with the same bundle, target and profile first".to_owned(),
            ImportError::TooManyFailures { .. } => {
                "read failures.ndjson, mend what it names, and run apply again: what is done is not done twice".to_owned()
            }
            ImportError::Report { .. } => "give a folder that you may write to, on a disk with room".to_owned(),
            ImportError::Blob { .. } => "run pannier-import verify, and copy the bundle again from where it was made".to_owned(),
            ImportError::Interrupted => "run the same command again: it goes on where it was, and nothing is done twice".to_owned(),
            ImportError::SettingsLeft { note, .. } => {
                format!("run apply again when the server answers: it puts them back; {} says what they were", note.display())
            }
            ImportError::Runtime { .. } => "try again when the system is less loaded".to_owned(),
        }
    }
}
