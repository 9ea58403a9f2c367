//! `compare`: reads everything back and holds it against what the bundle and the profile say it must be. It changes nothing.

mod record;

use std::collections::HashMap;

use pannier_format::Value;
use serde::Serialize;

use self::record::RecordComparer;
use crate::ImportError;
use crate::cli::Blobs;
use crate::commands::{Document, shown, text_table};
use crate::mapping::{CollectionMapping, IdSet, Record};
use crate::monitor::{Monitor, Phase};
use crate::pocketbase::{Client, MAX_PER_PAGE, RawRecord};
use crate::prepare::Prepared;
use crate::report::{BundleInfo, LossyCounts, LossyField};
use crate::target::session::{Session, TargetInfo};

/// Differences that are kept to be shown; all are counted.
const SHOWN: usize = 1_000;
/// How much of a value is shown.
const SHOWN_CHARS: usize = 200;
/// How much of the server's answer is asked for at once, by the size of the rows.
const SLICE_BYTES: usize = 4 << 20;

/// How to compare.
#[derive(Clone, Copy, Debug)]
pub struct CompareOptions {
    /// Records of each collection, evenly spread; all if not given.
    pub sample: Option<u64>,
    /// Whether the files' bytes are in PocketBase.
    pub blobs: Blobs,
}

/// What `compare` found.
#[derive(Debug, Serialize)]
pub struct CompareReport {
    /// The bundle.
    pub bundle: BundleInfo,
    /// The server.
    pub target: TargetInfo,
    /// The profile.
    pub profile: String,
    /// How many records of each collection, if not all.
    pub sample: Option<u64>,
    /// One entry for each collection.
    pub collections: Vec<CompareCounts>,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// What is not stored as it was, by field, and compared as what it became.
    pub lossy: Vec<LossyField>,
    /// Values with lone surrogates, which newer servers show as U+FFFD.
    pub shown_differently: u64,
    /// What could not be compared, and why.
    pub not_compared: Vec<String>,
    /// How long each phase took.
    pub phases: Vec<Phase>,
}

/// The counts of one collection.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CompareCounts {
    /// The collection.
    pub collection: String,
    /// The table.
    pub table: String,
    /// Rows of the table.
    pub rows: u64,
    /// Records of the collection.
    pub records: u64,
    /// Records that were compared, field by field.
    pub compared: u64,
    /// Fields of those.
    pub fields: u64,
    /// Rows without a record.
    pub missing: u64,
    /// Records without a row.
    pub extra: u64,
    /// Records of which a field, a file, a time or a password differs.
    pub differing: u64,
    /// Files that were downloaded and hashed.
    pub files: u64,
    /// Relations to other records that were held against those that are there.
    pub relations: u64,
    /// Differences, all of them: fields, files, times, passwords, whole records.
    pub differences: u64,
}

/// One field of one record that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The collection.
    pub collection: String,
    /// The record's id.
    pub id: String,
    /// The row's key.
    pub key: String,
    /// The field; `(record)` for one that is missing or extra.
    pub field: String,
    /// What it must be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// Everything that the comparison of one collection needs.
pub(crate) struct Comparison<'a> {
    session: &'a Session,
    prepared: &'a Prepared,
    options: CompareOptions,
    monitor: &'a mut Monitor,
    counts: CompareCounts,
    differences: Vec<Difference>,
    lossy: LossyCounts,
    shown_differently: u64,
}

/// Compares every record of every collection.
pub async fn compare(
    session: &Session,
    prepared: &Prepared,
    options: CompareOptions,
    monitor: &mut Monitor,
) -> Result<CompareReport, ImportError> {
    let rows = prepared.mapping.collections.iter().map(|collection| collection.rows).sum();
    monitor.phase("compare", rows, "rows");
    let mut comparison = Comparison {
        session,
        prepared,
        options,
        monitor,
        counts: CompareCounts::default(),
        differences: Vec::new(),
        lossy: LossyCounts::default(),
        shown_differently: 0,
    };
    let mut collections = Vec::new();
    for index in 0..prepared.mapping.collections.len() {
        comparison.collection(index).await?;
        collections.push(std::mem::take(&mut comparison.counts));
    }
    let mut not_compared = Vec::new();
    if !session.has_sql {
        not_compared.push("created, updated and password hashes: this server cannot run SQL (0.39 and newer can)".to_owned());
    }
    if options.blobs == Blobs::Reuse {
        not_compared.push("the bytes of files: they were left where they are (--blobs reuse)".to_owned());
    }
    let Comparison { differences, lossy, shown_differently, monitor, .. } = comparison;
    Ok(CompareReport {
        bundle: BundleInfo::of(&prepared.bundle),
        target: session.info(),
        profile: prepared.mapping.profile.clone(),
        sample: options.sample,
        collections,
        differences,
        lossy: lossy.fields(),
        shown_differently,
        not_compared,
        phases: monitor.phases(),
    })
}

impl Comparison<'_> {
    async fn collection(&mut self, index: usize) -> Result<(), ImportError> {
        let prepared = self.prepared;
        let collection = &prepared.mapping.collections[index];
        if self.session.client.collection(&collection.name).await?.is_none() {
            return Err(ImportError::NoCollection { collection: collection.name.clone() });
        }
        self.counts = CompareCounts {
            collection: collection.name.clone(),
            table: collection.table.clone(),
            rows: collection.rows,
            records: self.session.client.count(&collection.name).await?,
            ..CompareCounts::default()
        };
        let targets = self.relation_targets(collection)?;
        let comparer = RecordComparer::new(prepared, index, &targets);
        let stride = self.options.sample.map_or(1, |sample| collection.rows.div_ceil(sample.max(1)).max(1));
        let converter = prepared.converter(index);
        let table = prepared.table(collection)?;
        let mut reader = prepared.bundle.rows(table)?;
        let mut found = 0;
        while let Some(batch) = reader.next_batch()? {
            let mut slice = Vec::new();
            let mut slice_bytes = 0;
            let mut row: Vec<Value<'_>> = Vec::new();
            for at in 0..batch.rows() {
                let ordinal = batch.first_row() + at as u64;
                if !ordinal.is_multiple_of(stride) {
                    continue;
                }
                batch.row(at, &mut row);
                slice_bytes += row.iter().map(Value::bytes).sum::<usize>();
                let relations = comparer.relations(&row);
                slice.push((prepared.convert(&converter, &table.name, &row, ordinal), relations));
                if slice_bytes >= SLICE_BYTES {
                    found += self.slice(collection, &comparer, &slice).await?;
                    slice.clear();
                    slice_bytes = 0;
                }
            }
            found += self.slice(collection, &comparer, &slice).await?;
            self.monitor.advance(batch.rows() as u64);
        }
        self.extra(index, collection, found).await
    }

    /// The ids that the collections have to which this one's relations point.
    fn relation_targets(&self, collection: &CollectionMapping) -> Result<HashMap<usize, IdSet>, ImportError> {
        let mut targets = HashMap::new();
        for relation in &collection.relations {
            if let Some(target) = self.prepared.index_of(&relation.collection) {
                targets.insert(target, self.prepared.ids(target, |_| true)?);
            }
        }
        Ok(targets)
    }

    /// Compares some records; answers how many of them are there.
    async fn slice(
        &mut self,
        collection: &CollectionMapping,
        comparer: &RecordComparer<'_>,
        slice: &[(Record<'_>, Vec<String>)],
    ) -> Result<u64, ImportError> {
        let ids: Vec<&str> = slice.iter().map(|(record, _)| record.id.as_str()).collect();
        let mut found = 0;
        let mut start = 0;
        while start < ids.len() {
            let end = start + Client::ids_per_request(ids[start..].iter().copied());
            let records = self.session.client.list_by_ids(&collection.name, &ids[start..end], None).await?;
            let records: HashMap<String, RawRecord> = records.into_iter().map(|record| (record.id(), record)).collect();
            let hashes = self.password_hashes(collection, &ids[start..end]).await?;
            let externals = self.external_auths(collection, &slice[start..end]).await?;
            for (record, relations) in &slice[start..end] {
                for lossy in &record.lossy {
                    self.lossy.count(&collection.name, &collection.fields[lossy.field].name, lossy.kind.as_str());
                }
                let Some(actual) = records.get(&record.id) else {
                    self.counts.missing += 1;
                    self.differ(record, "(record)", "a record", "none");
                    continue;
                };
                found += 1;
                self.counts.compared += 1;
                let before = self.counts.differences;
                comparer.compare(self, record, relations, actual);
                self.compare_secret(record, hashes.as_ref());
                self.compare_external(collection, record, &externals);
                self.compare_file(collection, record, actual).await?;
                self.counts.differing += u64::from(self.counts.differences > before);
            }
            start = end;
        }
        Ok(found)
    }

    /// Records that no row stands for: only looked for if there are more records than rows were found.
    async fn extra(&mut self, index: usize, collection: &CollectionMapping, found: u64) -> Result<(), ImportError> {
        let expected = if self.options.sample.is_some() { collection.rows } else { found };
        self.counts.extra = self.counts.records.saturating_sub(expected);
        if self.options.sample.is_none() && self.counts.records < found {
            // Each row found its record: then some rows share one, and what they held apart is lost.
            self.counts.missing += found - self.counts.records;
            self.differ(&Record::default(), "(record)", "a record for each row", "rows that share a record");
        }
        if self.counts.extra == 0 || self.options.sample.is_some() {
            return Ok(());
        }
        let ids = self.prepared.ids(index, |_| true)?;
        let mut after: Option<String> = None;
        loop {
            let page = self.session.client.list_page(&collection.name, after.as_deref(), MAX_PER_PAGE, Some("id")).await?;
            for record in &page {
                let id = record.id();
                if !ids.contains(&id) {
                    let nobody = Record { id, ..Record::default() };
                    self.differ(&nobody, "(record)", "none", "a record");
                }
            }
            after = page.last().map(RawRecord::id);
            if page.len() < MAX_PER_PAGE {
                return Ok(());
            }
        }
    }

    /// Notes one difference.
    pub(crate) fn differ(&mut self, record: &Record<'_>, field: &str, expected: &str, found: &str) {
        self.counts.differences += 1;
        if self.differences.len() < SHOWN {
            self.differences.push(Difference {
                collection: self.counts.collection.clone(),
                id: record.id.clone(),
                key: record.key.clone(),
                field: field.to_owned(),
                expected: shortened(expected),
                found: shortened(found),
            });
        }
    }
}

/// The beginning of a long value, and nothing of one that looks like a secret.
fn shortened(value: &str) -> String {
    if let Some(masked) = crate::report::masked(value) {
        return masked.to_owned();
    }
    match value.char_indices().nth(SHOWN_CHARS) {
        None => value.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes)", &value[..end], value.len()),
    }
}

impl CompareReport {
    /// Rows without record, records without row, records that differ.
    #[must_use]
    pub fn totals(&self) -> (u64, u64, u64) {
        let sum = |count: fn(&CompareCounts) -> u64| self.collections.iter().map(count).sum();
        (sum(|c| c.missing), sum(|c| c.extra), sum(|c| c.differing))
    }
}

impl Document for CompareReport {
    fn text(&self) -> String {
        let mut text = format!("bundle   {} ({})\n", self.bundle.name, self.bundle.identity);
        text += &format!("target   {}, PocketBase {}\n", self.target.url, self.target.version);
        text += &format!("profile  {}\n\n", self.profile);
        for difference in &self.differences {
            text += &format!(
                "differs: {} {} ({}), {}: expected {}, found {}\n",
                difference.collection,
                difference.id,
                shown(&difference.key),
                difference.field,
                shown(&difference.expected),
                shown(&difference.found)
            );
        }
        text += &crate::import::lossy_text(&self.lossy);
        if self.shown_differently > 0 {
            text += &format!("{} values hold lone surrogates, which this server shows as U+FFFD\n", self.shown_differently);
        }
        for what in &self.not_compared {
            text += &format!("not compared: {what}\n");
        }
        let row = |c: &CompareCounts| {
            let counts = [c.rows, c.records, c.compared, c.fields, c.relations, c.files, c.missing, c.extra, c.differing];
            std::iter::once(c.collection.clone()).chain(counts.iter().map(u64::to_string)).collect()
        };
        let rows: Vec<Vec<String>> = self.collections.iter().map(row).collect();
        let header = ["collection", "rows", "records", "compared", "fields", "relations", "files", "missing", "extra", "differing"];
        text += "\n";
        text += &text_table(&header, &rows);
        let (missing, extra, differing) = self.totals();
        text += &format!("\n{missing} missing, {extra} extra, {differing} differing");
        text += &self.sample.map_or_else(|| "\n".to_owned(), |sample| format!(" in a sample of {sample} per collection\n"));
        text
    }

    fn has_problems(&self) -> bool {
        self.totals() != (0, 0, 0)
    }
}
