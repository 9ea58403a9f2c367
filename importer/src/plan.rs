//! `plan`: what `apply` would do, said before anything is written. Every row is converted, so the counts are exact.

use serde::Serialize;

use crate::ImportError;
use crate::commands::{Document, shown, text_table};
use crate::failures::Failure;
use crate::import::{SkippedTable, lossy_text};
use crate::mapping::{CollectionMapping, IdSet, Record, RelationConverter, Secret};
use crate::monitor::Monitor;
use crate::orphans::{self, Orphans};
use crate::pocketbase::{BatchSettings, ClientError};
use crate::prepare::Prepared;
use crate::report::{BundleInfo, LossyCounts, LossyField};
use crate::target::collections::{CollectionChange, SchemaPlan};
use crate::target::relaxed::left_behind;
use crate::target::session::{Session, TargetInfo};

/// Rates of a server on two cores with 2 KiB records (POCKETBASE.md): good for an order of magnitude.
mod rates {
    pub const BATCH_PER_S: f64 = 3_000.0;
    pub const SINGLE_PER_S: f64 = 800.0;
    pub const ACCOUNTS_PER_S: f64 = 200.0;
    pub const FINISH_PER_S: f64 = 10_000.0;
    pub const FILE_BYTES_PER_S: f64 = 50e6;
}

/// Rows that are listed as refused; all are counted.
const SHOWN: usize = 100;

/// What `plan` says.
#[derive(Debug, Serialize)]
pub struct PlanReport {
    /// The bundle.
    pub bundle: BundleInfo,
    /// The server.
    pub target: TargetInfo,
    /// The profile.
    pub profile: String,
    /// Whether batches are on, and whether they may be switched on for the import.
    pub batch: BatchPlan,
    /// What becomes of the server's collections.
    pub schema: Vec<CollectionChange>,
    /// What cannot be brought together; apply would stop.
    pub contradictions: Vec<String>,
    /// What becomes of the tables.
    pub collections: Vec<CollectionPlan>,
    /// Tables that are in the bundle only, and why.
    pub skipped: Vec<SkippedTable>,
    /// Columns that are in the bundle only, and why.
    pub dropped: Vec<String>,
    /// What will not be stored as it is, by field.
    pub lossy: Vec<LossyField>,
    /// Fields whose values are stored in another form, and remarks of the mapping.
    pub notes: Vec<String>,
    /// Indexes of the source that have no equal.
    pub unmapped_indexes: Vec<String>,
    /// How many rows the server will refuse.
    pub refused: u64,
    /// The first of those.
    pub refusals: Vec<Failure>,
    /// Accounts whose password will work, and those that need a reset.
    pub accounts: AccountPlan,
    /// Relations that point to records which are not there.
    pub missing_relations: u64,
    /// What is wrong with the data.
    pub problems: Vec<pannier_format::Problem>,
    /// Rows that refer to nothing; normal where the source does not enforce foreign keys.
    pub orphans: Vec<Orphans>,
    /// What this server cannot do.
    pub costs: Vec<String>,
    /// About how long apply will take.
    pub about_s: u64,
}

/// Batches.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BatchPlan {
    /// They are on.
    pub enabled: bool,
    /// Requests of one batch at the most.
    pub max_requests: u64,
    /// The settings can be read, so they can be changed too.
    pub may_be_changed: bool,
}

/// One table.
#[derive(Clone, Debug, Serialize)]
pub struct CollectionPlan {
    /// The collection.
    pub collection: String,
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// Records that the collection has already.
    pub there: u64,
    /// Ids that are derived from the key.
    pub derived_ids: u64,
    /// Files that go along.
    pub files: u64,
    /// Bytes of those.
    pub file_bytes: u64,
    /// Values that something is lost of.
    pub lossy: u64,
    /// Rows that the server will refuse.
    pub refused: u64,
}

/// Accounts.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct AccountPlan {
    /// How many.
    pub accounts: u64,
    /// Those that will sign in with their old password.
    pub password_kept: u64,
    /// Those that will need a reset.
    pub need_reset: u64,
}

/// Plans an import.
pub async fn plan(session: &Session, prepared: &Prepared, monitor: &mut Monitor) -> Result<PlanReport, ImportError> {
    let schema = SchemaPlan::make(&session.client, &prepared.definitions()).await?;
    let batch = match session.client.batch_settings().await {
        Ok(BatchSettings { enabled, max_requests, .. }) => BatchPlan { enabled, max_requests, may_be_changed: true },
        Err(ClientError::Forbidden { .. }) => BatchPlan { enabled: false, max_requests: 0, may_be_changed: false },
        Err(error) => return Err(error.into()),
    };
    let rows = prepared.mapping.collections.iter().map(|collection| collection.rows).sum();
    monitor.phase("look at every row", rows, "rows");
    let mut looked = Looked::default();
    for index in 0..prepared.mapping.collections.len() {
        let collection = &prepared.mapping.collections[index];
        let there = match session.client.count(&collection.name).await {
            Ok(there) => there,
            Err(ClientError::NotFound { .. }) => 0,
            Err(error) => return Err(error.into()),
        };
        looked.look_at(prepared, index, there, session.has_sql, monitor)?;
    }
    monitor.end();
    let orphans = orphans::find(prepared, monitor)?;
    let mapping = &prepared.mapping;
    let skipped = mapping.skipped.iter();
    let about_s = about_s(&looked, batch.enabled || batch.may_be_changed);
    Ok(PlanReport {
        bundle: BundleInfo::of(&prepared.bundle),
        target: session.info(),
        profile: mapping.profile.clone(),
        batch,
        schema: schema.changes,
        contradictions: schema.contradictions,
        skipped: skipped
            .map(|skipped| SkippedTable { table: skipped.table.clone(), rows: skipped.rows, reason: skipped.reason.to_string() })
            .collect(),
        dropped: mapping.collections.iter().flat_map(dropped).collect(),
        lossy: looked.lossy.fields(),
        notes: mapping.collections.iter().flat_map(notes).collect(),
        unmapped_indexes: mapping.collections.iter().flat_map(unmapped).collect(),
        collections: looked.collections,
        refused: looked.refused,
        refusals: looked.refusals,
        accounts: looked.accounts,
        missing_relations: looked.missing_relations,
        problems: prepared.problems.clone(),
        orphans,
        costs: costs(session),
        about_s,
    })
}

fn dropped(collection: &CollectionMapping) -> Vec<String> {
    collection.dropped.iter().map(|dropped| format!("{}.{}: {}", dropped.table, dropped.column, dropped.reason)).collect()
}

fn notes(collection: &CollectionMapping) -> Vec<String> {
    let fields = collection.fields.iter();
    fields.flat_map(|field| field.notes.iter().map(|note| format!("{}.{}: {note}", collection.name, field.name))).collect()
}

fn unmapped(collection: &CollectionMapping) -> Vec<String> {
    collection.unmapped_indexes.iter().map(|index| format!("{}.{}: {}", collection.table, index.name, index.reason)).collect()
}

/// What a server without SQL costs, and what an import that was killed has left.
fn costs(session: &Session) -> Vec<String> {
    let mut costs = Vec::new();
    if !session.has_sql {
        costs.push("this server cannot run SQL (0.39 and newer can): every account needs a password reset".to_owned());
        costs.push("this server cannot run SQL (0.39 and newer can): created and updated will be the time of the import".to_owned());
    }
    if let Some(note) = left_behind(session.client.base_url()) {
        costs.push(format!("an import was killed before it put the server's settings back: apply does so ({})", note.display()));
    }
    costs
}

/// What a look at every row has shown.
#[derive(Default)]
struct Looked {
    collections: Vec<CollectionPlan>,
    lossy: LossyCounts,
    refused: u64,
    refusals: Vec<Failure>,
    accounts: AccountPlan,
    missing_relations: u64,
}

impl Looked {
    fn look_at(&mut self, prepared: &Prepared, index: usize, there: u64, has_sql: bool, monitor: &Monitor) -> Result<(), ImportError> {
        let collection = &prepared.mapping.collections[index];
        let mut plan = CollectionPlan {
            collection: collection.name.clone(),
            table: collection.table.clone(),
            rows: collection.rows,
            there,
            derived_ids: 0,
            files: 0,
            file_bytes: 0,
            lossy: 0,
            refused: 0,
        };
        let targets =
            collection.relations.iter().filter_map(|relation| prepared.index_of(&relation.collection).map(|target| (relation, target)));
        let targets: Vec<_> = targets
            .map(|(relation, target)| Ok((relation, target, prepared.ids(target, |_| true)?)))
            .collect::<Result<_, ImportError>>()?;
        let relations: Vec<RelationConverter<'_>> = targets
            .iter()
            .map(|(relation, target, ids): &(_, usize, IdSet)| {
                RelationConverter::new(relation, &prepared.mapping.collections[*target], &prepared.facts[*target], ids)
            })
            .collect();
        let converter = prepared.converter(index);
        let table = prepared.table(collection)?;
        let mut reader = prepared.bundle.rows(table)?;
        while let Some(batch) = reader.next_batch()? {
            let mut row = Vec::new();
            for at in 0..batch.rows() {
                batch.row(at, &mut row);
                let record = prepared.convert(&converter, &table.name, &row, batch.first_row() + at as u64);
                self.record(collection, &record, &mut plan, has_sql);
                self.missing_relations += relations.iter().map(|relation| relation.convert(&row).missing.len() as u64).sum::<u64>();
            }
            monitor.advance(batch.rows() as u64);
        }
        self.collections.push(plan);
        Ok(())
    }

    fn record(&mut self, collection: &CollectionMapping, record: &Record<'_>, plan: &mut CollectionPlan, has_sql: bool) {
        plan.derived_ids += u64::from(record.id_derived);
        if let Some(upload) = &record.upload {
            plan.files += 1;
            plan.file_bytes += upload.bytes;
        }
        for lossy in &record.lossy {
            plan.lossy += 1;
            self.lossy.count(&collection.name, &collection.fields[lossy.field].name, lossy.kind.as_str());
        }
        if let Some(secret) = &record.secret {
            let kept = has_sql && matches!(secret, Secret::Bcrypt(_));
            self.accounts.accounts += 1;
            self.accounts.password_kept += u64::from(kept);
            self.accounts.need_reset += u64::from(!kept);
        }
        if record.refused.is_empty() {
            return;
        }
        plan.refused += 1;
        self.refused += 1;
        for refusal in &record.refused {
            if self.refusals.len() < SHOWN {
                self.refusals.push(Failure {
                    table: collection.table.clone(),
                    key: record.key.clone(),
                    collection: collection.name.clone(),
                    id: record.id.clone(),
                    field: Some(collection.fields[refusal.field].name.clone()),
                    code: "will-be-refused".to_owned(),
                    reason: refusal.reason.to_string(),
                });
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate")]
fn about_s(looked: &Looked, batch: bool) -> u64 {
    let per_s = if batch { rates::BATCH_PER_S } else { rates::SINGLE_PER_S };
    let records: u64 = looked.collections.iter().map(|plan| plan.rows).sum();
    let files: u64 = looked.collections.iter().map(|plan| plan.files).sum();
    let file_bytes: u64 = looked.collections.iter().map(|plan| plan.file_bytes).sum();
    let seconds = records as f64 / per_s
        + records as f64 / rates::FINISH_PER_S
        + looked.accounts.accounts as f64 / rates::ACCOUNTS_PER_S
        + files as f64 / rates::SINGLE_PER_S
        + file_bytes as f64 / rates::FILE_BYTES_PER_S;
    seconds.ceil() as u64
}

impl Document for PlanReport {
    fn text(&self) -> String {
        let mut text = format!("bundle   {} ({})\n", self.bundle.name, self.bundle.identity);
        text += &format!("target   {}, PocketBase {}\n", self.target.url, self.target.version);
        text += &format!("profile  {}\n", self.profile);
        text += match (self.batch.enabled, self.batch.may_be_changed) {
            (true, _) => "batch    on\n",
            (false, true) => "batch    off; switched on for the import and off again afterwards\n",
            (false, false) => "batch    off, and the settings may not be changed: records go one by one\n",
        };
        text += "\n";
        let row = |c: &CollectionPlan| {
            let counts = [c.rows, c.there, c.derived_ids, c.files, c.lossy, c.refused];
            [c.collection.clone(), shown(&c.table)].into_iter().chain(counts.iter().map(u64::to_string)).collect()
        };
        let rows: Vec<Vec<String>> = self.collections.iter().map(row).collect();
        text += &text_table(&["collection", "table", "rows", "there", "derived ids", "files", "lossy", "refused"], &rows);
        text += &lossy_text(&self.lossy);
        let mut lines = |head: &str, items: &[String]| {
            for item in items {
                text += &format!("{head}: {}\n", shown(item));
            }
        };
        lines("contradiction", &self.contradictions);
        let changes: Vec<String> = self
            .schema
            .iter()
            .flat_map(|change| change.changes.iter().map(|what| format!("collection {}: {what}", change.collection)))
            .collect();
        lines("will change", &changes);
        let skipped: Vec<String> =
            self.skipped.iter().map(|skipped| format!("table {}, {} rows: {}", skipped.table, skipped.rows, skipped.reason)).collect();
        lines("in the bundle only", &skipped);
        lines("in the bundle only", &self.dropped);
        lines("note", &self.notes);
        lines("index without equal", &self.unmapped_indexes);
        let refusals: Vec<String> = self
            .refusals
            .iter()
            .map(|f| format!("{} {}, field {}: {}", f.table, f.key, f.field.as_deref().unwrap_or("?"), f.reason))
            .collect();
        lines("will be refused", &refusals);
        let problems: Vec<String> = self.problems.iter().map(|p| format!("{}: {}: {}", p.code, p.object, p.detail)).collect();
        lines("problem", &problems);
        lines("cost", &self.costs);
        text += &orphans::text(&self.orphans);
        let accounts = &self.accounts;
        if accounts.accounts > 0 {
            text += &format!(
                "\naccounts: {}; {} keep their password, {} need a reset\n",
                accounts.accounts, accounts.password_kept, accounts.need_reset
            );
        }
        if self.missing_relations > 0 {
            text += &format!("{} relations name records that are not there: they are left out and reported\n", self.missing_relations);
        }
        let rows: u64 = self.collections.iter().map(|c| c.rows).sum();
        text += &format!("\n{rows} records, {} to be refused; apply will take about {} s\n", self.refused, self.about_s);
        text
    }

    fn has_problems(&self) -> bool {
        self.refused > 0 || !self.contradictions.is_empty() || !self.problems.is_empty()
    }
}
