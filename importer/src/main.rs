//! The command line: runs one command, prints its document, and says how it ended by the exit code.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the program, not the library")]

use std::process::ExitCode;

use clap::Parser as _;
use pannier_importer::ImportError;
use pannier_importer::cli::{Cli, Command, TargetArgs};
use pannier_importer::commands::{Document, inspect, schema, shown, verify};
use pannier_importer::compare::{CompareOptions, compare};
use pannier_importer::import::{ApplyOptions, apply};
use pannier_importer::monitor::{Monitor, log};
use pannier_importer::plan::plan;
use pannier_importer::prepare::Prepared;
use pannier_importer::report;
use pannier_importer::target::session::Session;

/// Exit codes (DESIGN.md, 'The commands').
mod exit {
    pub const FAILED: u8 = 1;
    pub const PROBLEMS: u8 = 3;
    pub const INTERRUPTED: u8 = 130;
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(&cli)),
        Err(source) => Err(ImportError::Runtime { source }),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            print_error(&error);
            ExitCode::from(if matches!(error, ImportError::Interrupted) { exit::INTERRUPTED } else { exit::FAILED })
        }
    }
}

/// Two lines: what happened, and what to do now.
fn print_error(error: &ImportError) {
    let hint = error.hint();
    let mut line = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    eprintln!("error: {}\nhint: {hint}", shown(&line.replace('\n', " ")));
}

async fn run(cli: &Cli) -> Result<ExitCode, ImportError> {
    let monitor = &mut Monitor::new(cli.quiet);
    let code = match &cli.command {
        Command::Inspect(args) => print(cli, &inspect::inspect(&args.bundle)?),
        Command::Verify(args) => print(cli, &verify::verify(&args.bundle, monitor)?),
        Command::Schema(args) => {
            verify::require_whole(&args.bundle, monitor)?;
            let prepared = Prepared::open(&args.bundle, args.mapping.profile.as_deref(), monitor)?;
            match (&args.emit, &args.target) {
                (Some(folder), _) => print(cli, &schema::emit(folder, &prepared)?),
                (None, target) => {
                    let session = connect(cli, target.as_deref().unwrap_or_default()).await?;
                    print(cli, &schema::on_server(&session, &prepared).await?)
                }
            }
        }
        Command::Plan(args) => {
            let (session, prepared) = open(cli, args, monitor).await?;
            print(cli, &plan(&session, &prepared, monitor).await?)
        }
        Command::Apply(args) => {
            let (session, prepared) = open(cli, &args.target, monitor).await?;
            let options = ApplyOptions { report: &args.report, blobs: args.blobs, max_failures: args.max_failures };
            print(cli, &apply(&session, &prepared, options, monitor).await?)
        }
        Command::Compare(args) => {
            let (session, prepared) = open(cli, &args.target, monitor).await?;
            let options = CompareOptions { sample: args.sample, blobs: args.blobs };
            let document = compare(&session, &prepared, options, monitor).await?;
            report::write(&args.report, "What compare found", &document)?;
            print(cli, &document)
        }
    };
    Ok(code)
}

/// The server first: a wrong password should not cost the time that it takes to read a bundle.
async fn open(cli: &Cli, args: &TargetArgs, monitor: &mut Monitor) -> Result<(Session, Prepared), ImportError> {
    let session = connect(cli, &args.target).await?;
    verify::require_whole(&args.bundle, monitor)?;
    let prepared = Prepared::open(&args.bundle, args.mapping.profile.as_deref(), monitor)?;
    Ok((session, prepared))
}

async fn connect(cli: &Cli, target: &str) -> Result<Session, ImportError> {
    let quiet = cli.quiet;
    Session::connect(target, move |line| {
        if !quiet {
            log(&format!("retry: {line}"));
        }
    })
    .await
}

fn print(cli: &Cli, document: &impl Document) -> ExitCode {
    use std::io::Write as _;
    let text = if cli.json {
        serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
    } else if cli.quiet {
        String::new()
    } else {
        document.text()
    };
    // A reader that went away (`| head`) is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::from(if document.has_problems() { exit::PROBLEMS } else { 0 })
}
