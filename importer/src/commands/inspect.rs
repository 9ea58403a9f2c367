//! `inspect`: what is in a bundle, from its descriptor; no row is read.

use std::path::Path;

use pannier_format::{BlobTotals, Bundle, SourceInfo, TableKind};
use serde::Serialize;

use super::{Document, bytes_text, shown, text_table};
use crate::ImportError;

/// What `inspect --json` prints.
#[derive(Debug, Serialize)]
pub struct InspectReport {
    /// The bundle's file.
    pub bundle: String,
    /// Its name.
    pub name: String,
    /// SHA-256 of its tag manifest.
    pub identity: String,
    /// The version of its format.
    pub format: String,
    /// Its size.
    pub bytes: u64,
    /// Where the rows came from.
    pub source: SourceInfo,
    /// Sum over the tables.
    pub rows: u64,
    /// The tables by name.
    pub tables: Vec<InspectTable>,
    /// The files.
    pub files: BlobTotals,
    /// Problems that the exporter met.
    pub export_problems: Vec<pannier_format::Problem>,
}

/// One table.
#[derive(Debug, Serialize)]
pub struct InspectTable {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: TableKind,
    /// Its rows.
    pub rows: u64,
    /// Its columns.
    pub columns: usize,
    /// Size of its Parquet parts.
    pub bytes: u64,
    /// Its primary key.
    pub primary_key: Vec<String>,
    /// Its content digest.
    pub digest: String,
    /// Its parts, relative to `data/`.
    pub parts: Vec<String>,
}

/// Reads the descriptor of a bundle.
pub fn inspect(path: &Path) -> Result<InspectReport, ImportError> {
    let bundle = Bundle::open(path)?;
    let package = bundle.package();
    let tables: Vec<InspectTable> = bundle
        .tables()
        .iter()
        .map(|table| InspectTable {
            name: table.name.clone(),
            kind: table.pannier.kind,
            rows: table.pannier.rows,
            columns: table.schema.fields.len(),
            bytes: table.bytes,
            primary_key: table.schema.primary_key.clone(),
            digest: table.pannier.digest.clone(),
            parts: table.path.clone(),
        })
        .collect();
    let problems = bundle.member("report/problems.ndjson")?.unwrap_or_default();
    let export_problems = problems.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    Ok(InspectReport {
        bundle: path.display().to_string(),
        name: package.name.clone(),
        identity: bundle.identity().to_owned(),
        format: package.pannier.format.clone(),
        bytes: bundle.bytes(),
        source: package.pannier.source.clone(),
        rows: tables.iter().map(|table| table.rows).sum(),
        tables,
        files: package.pannier.blobs,
        export_problems,
    })
}

impl Document for InspectReport {
    fn text(&self) -> String {
        let source = &self.source;
        let mut text = format!("bundle    {} ({}, format {})\n", self.name, bytes_text(self.bytes), self.format);
        text += &format!("identity  {}\n", self.identity);
        text += &format!("source    {} {}, database {}\n", source.engine, source.engine_version, shown(&source.database));
        if let Some(application) = &source.application {
            let revision = source.revision.as_deref().unwrap_or("unknown");
            text += &format!("profile   {application}, migration revision {revision}\n");
        }
        let files = &self.files;
        text += &format!(
            "files     {} entries, {} contents of {}; {} missing, {} that no row knows\n",
            files.entries,
            files.blobs,
            bytes_text(files.bytes),
            files.missing,
            files.unreferenced
        );
        text += &format!("problems  {} met by the exporter\n\n", self.export_problems.len());
        let rows: Vec<Vec<String>> = self
            .tables
            .iter()
            .map(|table| {
                let kind = match table.kind {
                    TableKind::Table => "table",
                    TableKind::Shadow => "shadow",
                    TableKind::Internal => "internal",
                };
                vec![shown(&table.name), kind.to_owned(), table.rows.to_string(), table.columns.to_string(), table.bytes.to_string()]
            })
            .collect();
        text += &text_table(&["table", "kind", "rows", "columns", "bytes"], &rows);
        text += &format!("\n{} tables, {} rows\n", self.tables.len(), self.rows);
        for problem in &self.export_problems {
            text += &format!("problem: {}: {}: {}\n", problem.code, shown(&problem.object), shown(&problem.detail));
        }
        text
    }

    fn has_problems(&self) -> bool {
        false
    }
}
