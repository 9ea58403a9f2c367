//! Reports on stdout: a summary for people, or one JSON document whose field names are stable.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{BinaryBytes, HumanCount};
use pannier_exporter::files::{FilesReport, shown};
use pannier_exporter::source::FreezeReport;
use pannier_exporter::{Error, ExportReport, PlanReport};
use pannier_format::{BlobTotals, Problem, SourceInfo, TableKind};
use serde::Serialize;

/// `snapshot --json`, as one object.
#[derive(Serialize)]
pub struct SnapshotView<'a> {
    /// The bundle's path.
    bundle: String,
    /// Its size in bytes.
    bytes: u64,
    /// SHA-256 of its tag manifest.
    identity: &'a str,
    source: &'a SourceInfo,
    /// How many tables.
    tables: usize,
    /// Rows of all tables.
    rows: u64,
    files: &'a FilesReport,
    blobs: BlobTotals,
    freeze: &'a FreezeReport,
    /// What is worth knowing and no fault of the data.
    notes: &'a [String],
    /// How many problems are recorded in the bundle, by code.
    problem_counts: &'a BTreeMap<String, u64>,
    /// The first of them; all are in the bundle's `data/report/problems.ndjson`.
    problems: &'a [Problem],
    /// Wall time in seconds.
    seconds: f64,
}

impl<'a> SnapshotView<'a> {
    pub fn new(report: &'a ExportReport, elapsed: Duration) -> SnapshotView<'a> {
        let package = &report.summary.package;
        SnapshotView {
            bundle: report.summary.path.display().to_string(),
            bytes: report.summary.bytes,
            identity: &report.summary.identity,
            source: &package.pannier.source,
            tables: report.tables,
            rows: report.rows,
            files: &report.files,
            blobs: package.pannier.blobs,
            freeze: &report.freeze,
            notes: &report.notes,
            problem_counts: &report.problem_counts,
            problems: &report.first_problems,
            seconds: elapsed.as_secs_f64(),
        }
    }
}

/// Writes a report to stdout. Whoever reads it may stop in the middle, as `head` does; any other failure is an error, which
/// names the bundle that is there all the same.
pub fn to_stdout(bundle: Option<&Path>, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            // What is buffered would be tried once more.
            let _ = out.into_parts();
            Err(Error::Stdout { bundle: bundle.map(Path::to_path_buf), source })
        }
        _ => Ok(()),
    }
}

/// One document.
pub fn json(out: &mut dyn Write, report: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

/// One line of a summary. Names and texts in it are a stranger's, and none of them gets at the terminal.
fn line(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", shown(text))
}

/// The summary of a snapshot.
pub fn snapshot(out: &mut dyn Write, view: &SnapshotView<'_>) -> io::Result<()> {
    line(out, &format!("{}: {}", view.bundle, BinaryBytes(view.bytes)))?;
    line(out, &format!("  source    {}", source_line(view.source)))?;
    line(out, &format!("  tables    {} with {} rows", view.tables, HumanCount(view.rows)))?;
    files_lines(out, view.files)?;
    line(out, &format!("  blobs     {} with {}", HumanCount(view.blobs.blobs), BinaryBytes(view.blobs.bytes)))?;
    line(out, &format!("  identity  {}", view.identity))?;
    line(out, &format!("  time      {:.1} s", view.seconds))?;
    note_lines(out, view.notes)?;
    let total: u64 = view.problem_counts.values().sum();
    problem_lines(out, total, view.problems)
}

/// The summary of a plan.
pub fn plan(out: &mut dyn Write, report: &PlanReport) -> io::Result<()> {
    line(out, &format!("{}: {}", report.source.database, BinaryBytes(report.database_bytes)))?;
    line(out, &format!("  source    {}", source_line(&report.source)))?;
    let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
    line(out, &format!("  tables    {} with {} rows", report.tables.len(), HumanCount(rows)))?;
    let width = report.tables.iter().map(|table| table.name.chars().count()).max().unwrap_or(0).min(40);
    for table in &report.tables {
        let kind = match table.kind {
            TableKind::Table => "",
            TableKind::Shadow => "  (storage of a virtual table)",
            TableKind::Internal => "  (the engine's own)",
        };
        let size = table.bytes.map(|bytes| BinaryBytes(bytes).to_string()).unwrap_or_default();
        let name = shown(&table.name);
        line(out, &format!("    {name:width$}  {:>9} rows  {size:>12}{kind}", HumanCount(table.rows).to_string()))?;
    }
    for (kind, count) in &report.ddl_only {
        line(out, &format!("  DDL only  {count} of type {kind}"))?;
    }
    files_lines(out, &report.files)?;
    for holder in &report.opened_by {
        let how = if holder.writes { "for writing" } else { "for reading" };
        line(out, &format!("  open in   process {} ({}), {how}: {}", holder.pid, holder.command, holder.files.join(", ")))?;
    }
    note_lines(out, &report.notes)?;
    problem_lines(out, report.problems.len() as u64, &report.problems)
}

fn note_lines(out: &mut dyn Write, notes: &[String]) -> io::Result<()> {
    notes.iter().try_for_each(|note| line(out, &format!("  note      {note}")))
}

fn source_line(source: &SourceInfo) -> String {
    let mut line = format!("{} {}", source.engine, source.engine_version);
    if let Some(mode) = source.settings.get("journal_mode") {
        line = format!("{line}, journal mode {mode}");
    }
    match (&source.application, &source.revision) {
        (Some(application), Some(revision)) => format!("{line}, application {application}, revision {revision}"),
        (Some(application), None) => format!("{line}, application {application}"),
        _ => line,
    }
}

fn files_lines(out: &mut dyn Write, files: &FilesReport) -> io::Result<()> {
    for location in &files.locations {
        line(
            out,
            &format!(
                "  files     {}: {} files with {}, {} rows matched, {} unreferenced, {} unreadable",
                location.location,
                HumanCount(location.files),
                BinaryBytes(location.bytes),
                HumanCount(location.matched),
                HumanCount(location.unreferenced),
                HumanCount(location.unreadable),
            ),
        )?;
    }
    if files.missing > 0 && files.locations.is_empty() {
        line(out, &format!("  missing   {} rows name a file, not looked for without --files", HumanCount(files.missing)))?;
    } else if files.missing > 0 {
        line(out, &format!("  missing   {} rows name a file that is nowhere", HumanCount(files.missing)))?;
    }
    Ok(())
}

fn problem_lines(out: &mut dyn Write, total: u64, problems: &[Problem]) -> io::Result<()> {
    /// More than this many would push the summary off the screen.
    const SHOWN: usize = 20;
    if total == 0 {
        return Ok(());
    }
    line(out, &format!("  problems  {}", HumanCount(total)))?;
    for problem in problems.iter().take(SHOWN) {
        line(out, &format!("    {}  {}  {}", problem.code, problem.object, problem.detail))?;
    }
    if total > SHOWN as u64 {
        line(
            out,
            &format!(
                "    … and {} more; --json of plan, or data/report/problems.ndjson in the bundle, has all",
                HumanCount(total - SHOWN as u64)
            ),
        )?;
    }
    Ok(())
}
