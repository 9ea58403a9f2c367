//! The command line's words.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pannier_exporter::source::Freeze;

/// Freezes a SQL source with its files and writes one bundle.
#[derive(Parser)]
#[command(name = "pannier-export", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed; 2 usage; 3 finished with problems in the data; 130 interrupted.\n\
    SOURCE_DATE_EPOCH, if set, stands for now: the same source then gives the same bundle to the last byte.";

#[derive(Subcommand)]
pub enum Command {
    /// Say what would be exported, who has the source open, and what looks wrong
    Plan(Common),
    /// Write the bundle
    Snapshot(SnapshotArguments),
}

const SOURCE_HELP: &str = "The database: sqlite:///relative.db or sqlite:////absolute.db, as in DATABASE_URL";

/// What both commands take.
#[derive(Args)]
pub struct Common {
    #[arg(long, value_name = "URL", help = SOURCE_HELP)]
    pub source: String,
    /// A directory with the application's files; may be given several times. NAME is its last component unless given
    #[arg(long, value_name = "[NAME=]LOCATION")]
    pub files: Vec<OsString>,
    /// open-webui, generic, or a TOML file; the application is recognised unless given
    #[arg(long, value_name = "PROFILE|FILE")]
    pub profile: Option<OsString>,
    /// Write one JSON document to stdout instead of a summary
    #[arg(long)]
    pub json: bool,
    /// No summary and no progress: only errors
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Args)]
pub struct SnapshotArguments {
    #[command(flatten)]
    pub common: Common,
    /// The bundle to write; never overwritten
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// snapshot: rows are of one instant; others may go on writing in journal mode wal, which is noticed, and wait until
    /// the rows are read in all others; lock: writers wait until the end
    #[arg(long, value_enum, default_value = "snapshot")]
    pub freeze: FreezeWord,
    /// The bundle's name, its top folder; the database's name unless given
    #[arg(long)]
    pub name: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum FreezeWord {
    Snapshot,
    Lock,
}

impl From<FreezeWord> for Freeze {
    fn from(word: FreezeWord) -> Freeze {
        match word {
            FreezeWord::Snapshot => Freeze::Snapshot,
            FreezeWord::Lock => Freeze::Lock,
        }
    }
}
