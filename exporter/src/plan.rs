//! `plan`: what an export would carry, who has the source open, and what looks wrong. Writes nothing anywhere.

use std::collections::BTreeMap;
use std::ffi::OsString;

use pannier_format::{Problem, SourceInfo, TableKind};
use serde::Serialize;

use crate::export::{choose_profile, list};
use crate::files::{self, FilesReport, Kind, Listing, Location, Matching};
use crate::noticed::Noticed;
use crate::progress::WRITERS_WAIT;
use crate::source::{BrokenReference, Freeze, Holder, Snapshot, Source};
use crate::{Error, Interrupt};

/// What an export would carry. `plan --json` is this, as one object.
#[derive(Clone, Debug, Serialize)]
pub struct PlanReport {
    /// Engine, version, application, revision, settings.
    pub source: SourceInfo,
    /// Bytes of the database, its free pages included.
    pub database_bytes: u64,
    /// Every table that holds rows.
    pub tables: Vec<TablePlan>,
    /// Objects that go into the bundle as DDL only, by their type.
    pub ddl_only: BTreeMap<String, u64>,
    /// Files by location.
    pub files: FilesReport,
    /// Who else has the database open.
    pub opened_by: Vec<Holder>,
    /// What is worth knowing and no fault of the data.
    pub notes: Vec<String>,
    /// What looks wrong.
    pub problems: Vec<Problem>,
}

/// One table.
#[derive(Clone, Debug, Serialize)]
pub struct TablePlan {
    /// Its name.
    pub name: String,
    /// Ordinary, shadow or internal.
    pub kind: TableKind,
    /// Rows.
    pub rows: u64,
    /// Bytes in the database, indexes included, if the engine can tell.
    pub bytes: Option<u64>,
}

/// Looks at a source as an export would, in one read transaction.
pub fn plan(source: &dyn Source, locations: &[Location], profile: Option<&OsString>, interrupt: &Interrupt) -> Result<PlanReport, Error> {
    let opened_by = source.opened_by();
    let locked_out_of_sight = opened_by.is_empty() && source.is_locked();
    let mut snapshot = source.open(Freeze::Snapshot, interrupt)?;
    let profile = choose_profile(profile, snapshot.tables())?;
    let recognised = profile.recognises(snapshot.tables());
    let mut problems = snapshot.schema_problems().to_vec();
    let tables = tables(snapshot.as_ref(), &mut problems)?;
    let mut notes: Vec<String> = snapshot.broken_references()?.iter().map(BrokenReference::note).collect();
    let mut noticed = Noticed::new(&profile);
    for table in snapshot.tables() {
        let readable = || !problems.iter().any(|problem| problem.code == "table-unreadable" && problem.object == table.name);
        if let Some(watch) = noticed.watch(table).filter(|_| readable()) {
            snapshot.read_table(table, &mut |row| {
                noticed.row(&watch, row);
                interrupt.check()
            })?;
        }
    }
    noticed.finish();
    let mut info = snapshot.info().clone();
    info.application = recognised.then(|| profile.name.clone());
    info.revision = noticed.revision.take();
    let database_bytes = snapshot.database_bytes();
    let ddl_only = ddl_only(snapshot.as_ref());
    let writers_wait = snapshot.writers_wait();
    snapshot.end_reading()?;
    let listings = list(locations, &source.own_files(), interrupt)?;
    let freeze = snapshot.release()?;
    let matchings: Vec<Matching> = noticed.files.iter().map(|(table, rows)| Matching::new(table, rows, &listings)).collect();
    let files = FilesReport::counted(&listings, &matchings);
    problems.extend(file_problems(&noticed, &listings, &matchings));
    if !recognised {
        let application = if profile.recognise.is_empty() { "any application" } else { profile.title.as_str() };
        notes.push(format!("the tables are not those of {application} that Pannier knows; every table is exported all the same"));
    }
    if writers_wait {
        notes.push(format!("the journal mode is not wal, so in a snapshot {WRITERS_WAIT}"));
    }
    if !opened_by.is_empty() {
        notes.push("other processes have the database open: rows are of one instant, files may be newer".into());
    }
    if locked_out_of_sight {
        notes.push("somebody out of sight, as in another container, holds a lock on the database: it is probably in use".into());
    }
    if freeze.held_by != "read-transaction" {
        notes.push(format!("the database cannot be read with its engine's locks, so it is held by: {}", freeze.held_by));
    }
    Ok(PlanReport { source: info, database_bytes, tables, ddl_only, files, opened_by, notes, problems })
}

/// A table that cannot be read would end a snapshot: here it is a problem, and the next one is looked at.
fn tables(snapshot: &dyn Snapshot, problems: &mut Vec<Problem>) -> Result<Vec<TablePlan>, Error> {
    let sizes = snapshot.table_bytes();
    let mut tables = Vec::new();
    for (table, bytes) in snapshot.tables().iter().zip(sizes) {
        let rows = match snapshot.check_table(table).and_then(|()| snapshot.count_rows(table)) {
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => {
                let detail = format!("a snapshot would fail: {}", error.chain());
                problems.push(Problem::new("table-unreadable", table.name.clone(), detail));
                0
            }
            Ok(rows) => rows,
        };
        tables.push(TablePlan { name: table.name.clone(), kind: table.kind, rows, bytes });
    }
    Ok(tables)
}

/// Views, virtual tables, indexes and triggers.
fn ddl_only(snapshot: &dyn Snapshot) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for object in snapshot.objects().iter().filter(|object| object.sql.is_some()) {
        let kind = match object.kind.as_str() {
            "table" if snapshot.tables().iter().any(|table| table.name == object.name) => continue,
            "table" => "virtual table",
            kind => kind,
        };
        *counts.entry(kind.to_string()).or_insert(0) += 1;
    }
    counts
}

fn file_problems(noticed: &Noticed<'_>, listings: &[Listing], matchings: &[Matching]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = listings.iter().flat_map(|listing| listing.problems.clone()).collect();
    let mut named = Vec::new();
    for ((table, rows), matching) in noticed.files.iter().zip(matchings) {
        if listings.is_empty() && !rows.is_empty() {
            let detail = format!("{} rows name files, and no location was given with --files", rows.len());
            problems.push(Problem::new("files-not-given", table.table.clone(), detail));
            problems.extend(rows.iter().enumerate().filter_map(|(number, row)| files::key_problem(table, row, number)));
            continue;
        }
        for (number, (row, found)) in rows.iter().zip(&matching.found).enumerate() {
            problems.extend(files::key_problem(table, row, number));
            problems.extend(files::row_problems(table, row, *found, listings));
            let directory = found.filter(|found| listings[found.listing].entries[found.entry].kind == Kind::Directory);
            named.extend(directory.map(|found| (found.listing, found.entry)));
        }
    }
    named.sort_unstable();
    named.dedup();
    problems.extend(
        named.iter().map(|(listing, entry)| Problem::new("not-a-regular-file", listings[*listing].object(*entry), "it is a directory")),
    );
    for listing in listings {
        problems.extend((0..listing.entries.len()).filter_map(|index| listing.unreadable(index)));
    }
    problems
}
