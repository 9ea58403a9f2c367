//! The data path of an export, from top to bottom: open, freeze, tables, files, finish.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pannier_format::{BundleWriter, Problem, Summary, Table, WriterOptions};
use serde::Serialize;

use crate::files::{self, FilesReport, Listing, Location};
use crate::noticed::Noticed;
use crate::profile::Profile;
use crate::progress::{Phase, Progress};
use crate::source::{BrokenReference, Freeze, FreezeReport, Snapshot, Source, SourceTable};
use crate::writing::Writing;
use crate::{Error, Interrupt, ddl};

/// Rows and bytes that are read between two words to the progress.
const ADVANCE_ROWS: u64 = 512;
const ADVANCE_BYTES: u64 = 256 << 10;

/// What is to be exported, and where to.
pub struct ExportRequest<'a> {
    /// The database.
    pub source: &'a dyn Source,
    /// The directories with its files.
    pub locations: &'a [Location],
    /// The profile's name or file; none: the application is recognised.
    pub profile: Option<OsString>,
    /// Whether writers are kept out.
    pub freeze: Freeze,
    /// Where the bundle goes; nothing may be there.
    pub out: PathBuf,
    /// The bundle's name and time.
    pub options: WriterOptions,
}

/// What was exported.
#[derive(Clone, Debug)]
pub struct ExportReport {
    /// The bundle as published.
    pub summary: Summary,
    /// How many tables.
    pub tables: usize,
    /// Rows of all tables.
    pub rows: u64,
    /// Files by location.
    pub files: FilesReport,
    /// The evidence of the freeze.
    pub freeze: FreezeReport,
    /// What is worth knowing and no fault of the data.
    pub notes: Vec<String>,
    /// Problems recorded in the bundle, by code.
    pub problem_counts: BTreeMap<String, u64>,
    /// The first of them.
    pub first_problems: Vec<Problem>,
}

/// Exports a source into one bundle. On any error nothing is left under the output's name, and the source is unchanged.
pub fn export(request: ExportRequest<'_>, progress: &mut dyn Progress, interrupt: &Interrupt) -> Result<ExportReport, Error> {
    let mut bundle = BundleWriter::create(&request.out, request.options)?;
    let no_uploads = no_uploads(request.source, &request.out, bundle.temporary_path());
    let mut writing = Writing::new(&mut bundle);

    let mut snapshot = request.source.open(request.freeze, interrupt)?;
    progress.phase(&Phase::Frozen { opened_by: &request.source.opened_by(), writers_wait: snapshot.writers_wait() });
    let profile = choose_profile(request.profile.as_ref(), snapshot.tables())?;
    let listings = list(request.locations, &no_uploads, interrupt)?;
    progress.total_bytes(snapshot.database_bytes() + listings.iter().map(Listing::file_bytes).sum::<u64>());

    write_schema(&mut writing, snapshot.as_ref())?;
    for problem in snapshot.schema_problems() {
        writing.problem(problem)?;
    }
    let mut noticed = Noticed::new(&profile);
    let mut rows = 0;
    for table in snapshot.tables() {
        interrupt.check()?;
        progress.phase(&Phase::Table { name: &table.name });
        rows += export_table(&mut writing, snapshot.as_ref(), table, &mut noticed, progress, interrupt)?;
    }
    noticed.finish();
    let references = snapshot.broken_references()?;
    record(&mut writing, "report/foreign-keys.json", &references)?;
    let tables = snapshot.tables().len();
    let mut info = snapshot.info().clone();
    info.application = profile.recognises(snapshot.tables()).then(|| profile.name.clone());
    info.revision = noticed.revision.take();
    snapshot.end_reading()?;
    progress.tables_done(snapshot.database_bytes());

    // After the rows, so that a file which a row names was there when the row was. Listed again: since the first listing
    // some may have come.
    let listings = list(request.locations, &no_uploads, interrupt)?;
    progress.phase(&Phase::Files { files: listings.iter().map(Listing::files).sum() });
    let files = files::carry(&noticed.files, &listings, &mut writing, progress, interrupt)?;

    let freeze = snapshot.release()?;
    record_freeze(&mut writing, &freeze)?;
    let notes = references.iter().map(BrokenReference::note).collect();
    let (problem_counts, first_problems) = (std::mem::take(&mut writing.counts), std::mem::take(&mut writing.first));
    progress.phase(&Phase::Finishing);
    interrupt.check()?;
    let summary = bundle.finish(info)?;
    Ok(ExportReport { summary, tables, rows, files, freeze, notes, problem_counts, first_problems })
}

pub(crate) fn choose_profile(given: Option<&OsString>, tables: &[SourceTable]) -> Result<Profile, Error> {
    given.map_or_else(|| Profile::recognised(tables), |given| Profile::named(given))
}

/// Lists every location without the files that are no uploads.
pub(crate) fn list(locations: &[Location], no_uploads: &[PathBuf], interrupt: &Interrupt) -> Result<Vec<Listing>, Error> {
    locations.iter().map(|location| Listing::walk(location, no_uploads, interrupt)).collect()
}

/// The database's own files and the bundle's, of which both may lie under a location: the output, its temporary file, and
/// what exports that were killed left beside it.
fn no_uploads(source: &dyn Source, out: &Path, temporary: &Path) -> Vec<PathBuf> {
    let mut files = source.own_files();
    files.push(out.to_path_buf());
    files.push(temporary.to_path_buf());
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.extend(beside.filter(|entry| is_partial(&entry.file_name().to_string_lossy())).map(|entry| entry.path()));
    files
}

/// The name of an unfinished bundle: `.NAME.partial-` and what makes it unique.
fn is_partial(name: &str) -> bool {
    let unique = name.strip_prefix('.').and_then(|name| name.rsplit_once(".partial-")).map(|(_, unique)| unique);
    unique.is_some_and(|unique| !unique.is_empty() && unique.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn write_schema(writing: &mut Writing<'_>, snapshot: &dyn Snapshot) -> Result<(), Error> {
    writing.bundle().member("schema/schema.sql", ddl::script(snapshot.objects()).as_bytes())?;
    record(writing, "schema/objects.json", &snapshot.objects())
}

fn export_table(
    writing: &mut Writing<'_>,
    snapshot: &dyn Snapshot,
    table: &SourceTable,
    noticed: &mut Noticed<'_>,
    progress: &mut dyn Progress,
    interrupt: &Interrupt,
) -> Result<u64, Error> {
    let watch = noticed.watch(table);
    let mut writer = writing.bundle().table(declared(table))?;
    let (mut rows, mut bytes) = (0, 0);
    let problems = snapshot.read_table(table, &mut |row| {
        if let Some(watch) = &watch {
            noticed.row(watch, row);
        }
        rows += 1;
        bytes += row.iter().map(|value| value.bytes() as u64).sum::<u64>();
        if rows >= ADVANCE_ROWS || bytes >= ADVANCE_BYTES {
            interrupt.check()?;
            progress.advance(rows, bytes);
            (rows, bytes) = (0, 0);
        }
        Ok(writer.push(row)?)
    })?;
    progress.advance(rows, bytes);
    let total = writer.finish()?.pannier.rows;
    for problem in &problems {
        writing.problem(problem)?;
    }
    Ok(total)
}

fn declared(table: &SourceTable) -> Table {
    let mut declared = Table::declare(&table.name, table.kind, table.columns.clone());
    declared.schema.primary_key.clone_from(&table.primary_key);
    declared.schema.foreign_keys.clone_from(&table.foreign_keys);
    declared.pannier.unique.clone_from(&table.unique);
    declared.pannier.indexes.clone_from(&table.indexes);
    declared
}

fn record_freeze(writing: &mut Writing<'_>, freeze: &FreezeReport) -> Result<(), Error> {
    let when = match (freeze.written_while_reading_rows, freeze.written_while_reading_files) {
        (true, _) => Some("somebody committed while the rows were read; they are of the instant before, files may be newer"),
        (false, true) => Some("somebody committed while the files were read; files may be newer than the rows"),
        (false, false) => None,
    };
    if let Some(when) = when {
        writing.problem(&Problem::new("written-during-snapshot", "source", when))?;
    }
    record(writing, "report/freeze.json", freeze)
}

/// Writes a report of ours as a member.
fn record(writing: &mut Writing<'_>, path: &str, report: &impl Serialize) -> Result<(), Error> {
    let mut text = serde_json::to_vec_pretty(report).map_err(|source| Error::Report { source })?;
    text.push(b'\n');
    Ok(writing.bundle().member(path, &text)?)
}
