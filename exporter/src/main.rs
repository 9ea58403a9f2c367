//! `pannier-export`: the command line. Errors come as two lines, `error:` and `hint:`, and an exit code.

mod arguments;
mod show;
mod terminal;

use std::io::Write as _;
use std::process::ExitCode;

use arguments::{Arguments, Command, Common, SnapshotArguments};
use clap::Parser;
use nix::sys::signal::{SigSet, Signal};
use pannier_exporter::files::{Location, shown};
use pannier_exporter::source::sqlite::SqliteSource;
use pannier_exporter::url::{self, SourceUrl};
use pannier_exporter::{Error, ExportRequest, Interrupt, export, plan};
use pannier_format::WriterOptions;
use terminal::Terminal;

/// Finished, with problems in the data.
const EXIT_PROBLEMS: u8 = 3;
/// What a second signal leaves to be said: nothing was tidied up.
const STOPPED_AT_ONCE: &str = "stopped at once: an unfinished bundle '.NAME.partial-…' may remain beside the output, \
    and an empty -wal and -shm beside the database";
/// Ended by SIGINT, SIGTERM or SIGHUP.
const EXIT_INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let interrupt = Interrupt::new();
    listen(interrupt.clone());
    let outcome = match &arguments.command {
        Command::Plan(common) => run_plan(common, &interrupt),
        Command::Snapshot(snapshot) => run_snapshot(snapshot, &interrupt),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        // An error that an interruption caused is that interruption.
        Err(_) if interrupt.is_asked() => fail(&Error::Interrupted),
        Err(error) => fail(&error),
    }
}

fn fail(error: &Error) -> ExitCode {
    // Without a stderr there is nobody to tell; the exit code says it.
    let _ = writeln!(std::io::stderr(), "error: {}\nhint: {}", shown(&error.chain()), shown(&error.hint()));
    ExitCode::from(error.exit_code())
}

/// Waits for signals in a thread of its own: the first asks the export to stop, the second ends the process.
fn listen(interrupt: Interrupt) {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    // The terminal was closed; under nohup that is nothing to us.
    if !is_hangup_ignored() {
        signals.add(Signal::SIGHUP);
    }
    // Before any other thread starts, so that all inherit the mask and only the one below receives them.
    if signals.thread_block().is_err() {
        return;
    }
    std::thread::spawn(move || {
        while signals.wait().is_ok() {
            if interrupt.is_asked() {
                let _ = writeln!(std::io::stderr(), "{STOPPED_AT_ONCE}");
                std::process::exit(EXIT_INTERRUPTED);
            }
            interrupt.ask();
        }
    });
}

/// The process was started with SIGHUP ignored, as nohup does. A blocked signal would be received all the same.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 != 0)
}

fn source(given: &str) -> Result<SqliteSource, Error> {
    match url::parse(given)? {
        SourceUrl::Sqlite(path) => Ok(SqliteSource::new(&path)),
    }
}

fn run_plan(common: &Common, interrupt: &Interrupt) -> Result<u8, Error> {
    let source = source(&common.source)?;
    let locations = Location::parse_all(&common.files)?;
    let report = plan(&source, &locations, common.profile.as_ref(), interrupt)?;
    if common.json {
        show::to_stdout(None, |out| show::json(out, &report))?;
    } else if !common.quiet {
        show::to_stdout(None, |out| show::plan(out, &report))?;
    }
    Ok(if report.problems.is_empty() { 0 } else { EXIT_PROBLEMS })
}

fn run_snapshot(arguments: &SnapshotArguments, interrupt: &Interrupt) -> Result<u8, Error> {
    let common = &arguments.common;
    let SourceUrl::Sqlite(path) = url::parse(&common.source)?;
    let source = SqliteSource::new(&path);
    let locations = Location::parse_all(&common.files)?;
    let request = ExportRequest {
        source: &source,
        locations: &locations,
        profile: common.profile.clone(),
        freeze: arguments.freeze.into(),
        out: arguments.out.clone(),
        options: WriterOptions { name: bundle_name(arguments, &path)?, epoch_s: epoch_s()? },
    };
    let mut terminal = Terminal::new(common.quiet);
    let report = export(request, &mut terminal, interrupt);
    terminal.clear();
    let report = report?;
    let view = show::SnapshotView::new(&report, terminal.elapsed());
    let bundle = Some(report.summary.path.as_path());
    if common.json {
        show::to_stdout(bundle, |out| show::json(out, &view))?;
    } else if !common.quiet {
        show::to_stdout(bundle, |out| show::snapshot(out, &view))?;
    }
    Ok(if report.problem_counts.is_empty() { 0 } else { EXIT_PROBLEMS })
}

fn bundle_name(arguments: &SnapshotArguments, database: &std::path::Path) -> Result<String, Error> {
    let name = arguments.name.clone().unwrap_or_else(|| url::bundle_name(database));
    if pannier_format::names::is_bundle_name(&name) { Ok(name) } else { Err(Error::BadName { name }) }
}

fn epoch_s() -> Result<Option<i64>, Error> {
    let Some(value) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(None) };
    let value = value.to_string_lossy();
    /// The end of the year 9999: dates have four digits.
    const LAST_S: i64 = 253_402_300_799;
    let epoch_s = value.parse().ok().filter(|epoch_s| (0..=LAST_S).contains(epoch_s));
    epoch_s.map(Some).ok_or_else(|| Error::BadEpoch { value: value.into_owned() })
}
