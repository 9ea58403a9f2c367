//! `apply`: the whole import, from the bundle to the finished records, in the order in which it happens.

mod accounts;
mod finish;
mod load;
mod send;
mod statement;

use std::path::Path;

use serde::Serialize;

use crate::ImportError;
use crate::cli::Blobs;
use crate::commands::{Document, shown, text_table};
use crate::failures::Failures;
use crate::interrupt::Interrupt;
use crate::monitor::{Monitor, Phase};
use crate::orphans::{self, Orphans};
use crate::prepare::Prepared;
use crate::report::{BundleInfo, LossyCounts, LossyField};
use crate::target::collections::{CollectionChange, SchemaPlan};
use crate::target::relaxed::Relaxed;
use crate::target::session::{Session, TargetInfo};

/// How to import.
#[derive(Clone, Copy, Debug)]
pub struct ApplyOptions<'a> {
    /// Where the reports go.
    pub report: &'a Path,
    /// What becomes of the bytes of files.
    pub blobs: Blobs,
    /// How many rows may fail.
    pub max_failures: Option<u64>,
}

/// What `apply` did.
#[derive(Debug, Serialize)]
pub struct ApplyReport {
    /// The bundle.
    pub bundle: BundleInfo,
    /// The server.
    pub target: TargetInfo,
    /// The profile.
    pub profile: String,
    /// What became of the collections.
    pub schema: Vec<CollectionChange>,
    /// What became of the records.
    pub collections: Vec<CollectionCounts>,
    /// Tables that are in the bundle only, and why.
    pub skipped: Vec<SkippedTable>,
    /// What was lost or changed on the way, by field.
    pub lossy: Vec<LossyField>,
    /// Accounts: how many keep their password, and how many need a reset.
    pub accounts: AccountCounts,
    /// Rows that failed; listed in failures.ndjson.
    pub failures: u64,
    /// What is wrong with the data and did not stop the import.
    pub problems: Vec<pannier_format::Problem>,
    /// Rows that refer to nothing, carried over as they are.
    pub orphans: Vec<Orphans>,
    /// Requests that had to be sent again.
    pub retries: u64,
    /// Whether batches could be used.
    pub batch: bool,
    /// How long each phase took.
    pub phases: Vec<Phase>,
    /// Why it ended early, if it did: the counts are those up to then.
    pub stopped: Option<String>,
}

/// What became of one collection's records.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CollectionCounts {
    /// The collection.
    pub collection: String,
    /// The table.
    pub table: String,
    /// Rows of the table.
    pub rows: u64,
    /// Records that were made.
    pub created: u64,
    /// Records that were there and differed.
    pub changed: u64,
    /// Records that were there and are the same.
    pub unchanged: u64,
    /// Rows that failed.
    pub failed: u64,
    /// Files that were uploaded.
    pub files: u64,
    /// Records whose relations were set.
    pub related: u64,
    /// Records whose times or password hash were set.
    pub finished: u64,
    /// Records whose id is derived from the key.
    pub derived_ids: u64,
}

/// A table that does not become a collection.
#[derive(Clone, Debug, Serialize)]
pub struct SkippedTable {
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// Why.
    pub reason: String,
}

/// What became of the passwords.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct AccountCounts {
    /// Accounts in auth collections.
    pub accounts: u64,
    /// Those that sign in with their old password.
    pub password_kept: u64,
    /// Those that need a reset; listed in accounts-to-reset.csv.
    pub need_reset: u64,
    /// Sign-ins with other services that were carried over.
    pub external: u64,
}

/// Everything that the steps of an import share.
struct Import<'a> {
    session: &'a Session,
    prepared: &'a Prepared,
    options: ApplyOptions<'a>,
    batch: Option<crate::pocketbase::BatchSettings>,
    monitor: &'a mut Monitor,
    failures: Failures,
    failed_ids: std::collections::HashSet<(usize, String)>,
    lossy: LossyCounts,
    counts: Vec<CollectionCounts>,
    accounts: AccountCounts,
    problems: Vec<pannier_format::Problem>,
    orphans: Vec<Orphans>,
}

/// Imports a prepared bundle. The server's settings are put back however it ends.
pub async fn apply(
    session: &Session,
    prepared: &Prepared,
    options: ApplyOptions<'_>,
    monitor: &mut Monitor,
) -> Result<ApplyReport, ImportError> {
    let mut interrupt = Interrupt::listen().map_err(|source| ImportError::Runtime { source })?;
    let failures = Failures::create(options.report, options.max_failures)?;
    let schema = SchemaPlan::make(&session.client, &prepared.definitions()).await?;
    schema.carry_out(&session.client).await?;
    let auth = prepared.mapping.collections.iter().filter(|collection| collection.auth.is_some()).map(|c| c.name.clone());
    let relaxed = Relaxed::relax(&session.client, &auth.collect::<Vec<_>>()).await?;
    let mut import = Import {
        session,
        prepared,
        options,
        batch: relaxed.batch(),
        monitor,
        failures,
        failed_ids: std::collections::HashSet::new(),
        lossy: LossyCounts::default(),
        counts: Vec::new(),
        accounts: AccountCounts::default(),
        problems: prepared.problems.clone(),
        orphans: Vec::new(),
    };
    let done = tokio::select! {
        done = import.run() => done,
        () = interrupt.wait() => Err(ImportError::Interrupted),
    };
    let restored = tokio::select! {
        restored = relaxed.restore() => restored,
        // Asked to stop once more: the note of the settings stays for the next import.
        () = interrupt.wait() => Err(ImportError::Interrupted),
    };
    let report = import.into_report(schema.changes, done.as_ref().err());
    crate::report::write(options.report, "What apply did", &report)?;
    match (done, restored) {
        (Ok(()), Ok(())) => Ok(report),
        (Err(error), Ok(())) | (Ok(()), Err(error)) => Err(error),
        (Err(error), Err(left)) => {
            crate::monitor::log(&format!("error: {left}\nhint: {}", left.hint()));
            Err(error)
        }
    }
}

impl Import<'_> {
    /// The steps: records in dependency order, then what needs all of them to be there.
    async fn run(&mut self) -> Result<(), ImportError> {
        let rows = self.prepared.mapping.collections.iter().map(|collection| collection.rows).sum();
        self.orphans = orphans::find(self.prepared, self.monitor)?;
        self.monitor.phase("load records", rows, "rows");
        for index in 0..self.prepared.mapping.collections.len() {
            self.load(index).await?;
        }
        self.monitor.phase("set relations", rows, "rows");
        for index in 0..self.prepared.mapping.collections.len() {
            self.relate(index).await?;
        }
        self.monitor.phase("set times, passwords", rows, "rows");
        for index in 0..self.prepared.mapping.collections.len() {
            self.finish(index).await?;
        }
        self.monitor.end();
        Ok(())
    }

    fn into_report(self, schema: Vec<CollectionChange>, stopped: Option<&ImportError>) -> ApplyReport {
        let skipped = self.prepared.mapping.skipped.iter();
        ApplyReport {
            bundle: BundleInfo::of(&self.prepared.bundle),
            target: self.session.info(),
            profile: self.prepared.mapping.profile.clone(),
            schema,
            collections: self.counts,
            skipped: skipped
                .map(|skipped| SkippedTable { table: skipped.table.clone(), rows: skipped.rows, reason: skipped.reason.to_string() })
                .collect(),
            lossy: self.lossy.fields(),
            accounts: self.accounts,
            failures: self.failures.count(),
            problems: self.problems,
            orphans: self.orphans,
            retries: self.session.retries(),
            batch: self.batch.is_some(),
            phases: self.monitor.phases(),
            stopped: stopped.map(ImportError::to_string),
        }
    }
}

impl Document for ApplyReport {
    fn text(&self) -> String {
        let mut text = format!("bundle   {} ({})\n", self.bundle.name, self.bundle.identity);
        text += &format!("target   {}, PocketBase {}\n", self.target.url, self.target.version);
        text += &format!("profile  {}\n\n", self.profile);
        let row = |c: &CollectionCounts| {
            let counts = [c.rows, c.created, c.changed, c.unchanged, c.failed, c.files, c.derived_ids];
            [c.collection.clone(), shown(&c.table)].into_iter().chain(counts.iter().map(u64::to_string)).collect()
        };
        let rows: Vec<Vec<String>> = self.collections.iter().map(row).collect();
        text += &text_table(&["collection", "table", "rows", "created", "changed", "unchanged", "failed", "files", "derived ids"], &rows);
        text += &lossy_text(&self.lossy);
        for skipped in &self.skipped {
            text += &format!("in the bundle only: table {}, {} rows: {}\n", shown(&skipped.table), skipped.rows, shown(&skipped.reason));
        }
        for problem in &self.problems {
            text += &format!("problem: {}: {}: {}\n", problem.code, shown(&problem.object), shown(&problem.detail));
        }
        text += &orphans::text(&self.orphans);
        if self.accounts.accounts > 0 {
            let accounts = &self.accounts;
            text += &format!(
                "\naccounts: {}; {} keep their password, {} need a reset (accounts-to-reset.csv), {} sign-ins elsewhere carried over\n",
                accounts.accounts, accounts.password_kept, accounts.need_reset, accounts.external
            );
        }
        if !self.target.sql {
            text += "created and updated are those of the import: this server cannot run SQL (0.39 and newer can)\n";
        }
        let sum = |count: fn(&CollectionCounts) -> u64| self.collections.iter().map(count).sum::<u64>();
        text += &format!(
            "\n{} created, {} changed, {} unchanged, {} failed{}; {} retries\n",
            sum(|c| c.created),
            sum(|c| c.changed),
            sum(|c| c.unchanged),
            self.failures,
            if self.failures > 0 { " (failures.ndjson)" } else { "" },
            self.retries
        );
        if let Some(reason) = &self.stopped {
            text += &format!("stopped early: {}\n", shown(reason));
        }
        text
    }

    fn has_problems(&self) -> bool {
        self.failures > 0 || !self.problems.is_empty()
    }
}

/// The lossy fields as text, or nothing if there are none.
#[must_use]
pub fn lossy_text(lossy: &[LossyField]) -> String {
    if lossy.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> =
        lossy.iter().map(|l| vec![format!("{}.{}", l.collection, l.field), l.kind.clone(), l.values.to_string()]).collect();
    format!("\nnot stored as they were (the bundle has them exactly):\n{}\n", text_table(&["field", "how", "values"], &rows))
}
