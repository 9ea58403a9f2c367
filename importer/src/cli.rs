//! The command line of pannier-import.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const TARGET_HELP: &str = "The PocketBase server, for instance http://127.0.0.1:8090";
const TARGET_LONG_HELP: &str = "The PocketBase server, for instance http://127.0.0.1:8090\n\nCredentials of a superuser come from \
    PANNIER_PB_IDENTITY with PANNIER_PB_PASSWORD (or PANNIER_PB_PASSWORD_FILE), or from PANNIER_PB_TOKEN.";

/// Replays a bundle into PocketBase and proves that nothing was lost.
#[derive(Debug, Parser)]
#[command(name = "pannier-import", version, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Print one JSON document on stdout instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what is in a bundle
    Inspect(BundleArgs),
    /// Check every member, every digest and every file; list all problems
    Verify(BundleArgs),
    /// Create the collections, on the server or as a migration
    Schema(SchemaArgs),
    /// Say what apply would do, what would be lossy and what would be refused; change nothing
    Plan(TargetArgs),
    /// Import the bundle; running it again creates nothing twice
    Apply(ApplyArgs),
    /// Read everything back and compare every record, field, relation and file; change nothing
    Compare(CompareArgs),
}

/// A bundle.
#[derive(Debug, Args)]
pub struct BundleArgs {
    /// The bundle file
    pub bundle: PathBuf,
}

/// Where a bundle goes and how.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// The bundle file
    pub bundle: PathBuf,
    /// Address of the PocketBase server.
    #[arg(long, value_name = "URL", help = TARGET_HELP, long_help = TARGET_LONG_HELP)]
    pub target: String,
    /// How tables become collections.
    #[command(flatten)]
    pub mapping: MappingArgs,
}

/// How tables become collections.
#[derive(Debug, Args)]
pub struct MappingArgs {
    /// A profile file, or `open-webui`, or `generic`; chosen by what the bundle holds unless given
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Option<String>,
}

/// `schema`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("to").required(true).args(["target", "emit"]))]
pub struct SchemaArgs {
    /// The bundle file
    pub bundle: PathBuf,
    /// Address of the PocketBase server.
    #[arg(long, value_name = "URL", help = TARGET_HELP, long_help = TARGET_LONG_HELP)]
    pub target: Option<String>,
    /// Folder for a migration.
    #[arg(long, value_name = "DIR", help = "Write a migration for pb_migrations into this folder instead")]
    pub emit: Option<PathBuf>,
    /// How tables become collections.
    #[command(flatten)]
    pub mapping: MappingArgs,
}

/// What becomes of the bytes of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Blobs {
    /// Put them into PocketBase's file field
    Upload,
    /// Leave them where they are: only names, hashes and sizes are imported
    Reuse,
}

/// `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Bundle, server and profile.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Where report.json, report.md, failures.ndjson and accounts-to-reset.csv go
    #[arg(long, value_name = "DIR", default_value = "pannier-report")]
    pub report: PathBuf,
    /// What becomes of the bytes of files
    #[arg(long, value_enum, default_value = "upload")]
    pub blobs: Blobs,
    /// Stop when more rows than this have failed
    #[arg(long, value_name = "N")]
    pub max_failures: Option<u64>,
}

/// `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Bundle, server and profile.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Where report.json and report.md go
    #[arg(long, value_name = "DIR", default_value = "pannier-report-compare")]
    pub report: PathBuf,
    /// Compare only so many records of each collection, evenly spread
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub sample: Option<u64>,
    /// Whether the import put the bytes of files into PocketBase
    #[arg(long, value_enum, default_value = "upload")]
    pub blobs: Blobs,
}
