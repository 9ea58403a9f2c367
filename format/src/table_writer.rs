//! Writes one table's rows as Parquet parts, bounded in bytes, and counts and digests them on the way.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};

use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sha2::{Digest, Sha256};

use crate::digest::RowDigester;
use crate::part::FOOTER_BYTES;
use crate::physical::{BatchBuilder, Layout, frictionless_type};
use crate::writer::Output;
use crate::{Error, OwnedValue, Table, Value, hex, names};

/// Rows that are looked at before the columns' Parquet types are chosen.
const FIRST_ROWS: usize = 1024;
/// A batch is handed to the Parquet encoder when it holds so many bytes, or rows.
const BATCH_BYTES: usize = 4 << 20;
const BATCH_ROWS: usize = 8192;
/// A row group is closed when its values took so many bytes, or rows: what a reader must hold at once.
const GROUP_BYTES: usize = 16 << 20;
const GROUP_ROWS: usize = 131_072;
/// A part is closed when its file has so many bytes.
const PART_BYTES: u64 = 256 << 20;
/// What a column of a row group takes in a footer at the most, besides its name.
const FOOTER_COLUMN_BYTES: usize = 160;

/// Writes the rows of one table. [`TableWriter::finish`] completes it; a writer that is dropped without it makes
/// [`crate::BundleWriter::finish`] fail, so that a half-written table is never published.
pub struct TableWriter<'a> {
    output: &'a mut Output,
    /// Where the finished description goes.
    finished: &'a mut Vec<Table>,
    table: Table,
    /// Path of the parts below `data/`, without number and ending.
    stem: String,
    digester: RowDigester,
    /// Rows kept until the layout is chosen.
    first: Vec<Vec<OwnedValue>>,
    first_bytes: usize,
    batch: Option<BatchBuilder>,
    part: Option<Part>,
}

struct Part {
    writer: ArrowWriter<HashingFile>,
    group_bytes: usize,
    group_rows: usize,
    /// What its footer takes so far, at the most.
    footer_bytes: usize,
}

impl<'a> TableWriter<'a> {
    pub(crate) fn new(output: &'a mut Output, finished: &'a mut Vec<Table>, table: Table, stem: String) -> Self {
        let columns: Vec<String> = table.schema.fields.iter().map(|column| column.name.clone()).collect();
        TableWriter {
            digester: RowDigester::new(&columns),
            output,
            finished,
            table,
            stem,
            first: Vec::new(),
            first_bytes: 0,
            batch: None,
            part: None,
        }
    }

    /// Adds a row; its values come in the order of the table's columns.
    pub fn push(&mut self, row: &[Value<'_>]) -> Result<(), Error> {
        if row.len() != self.table.schema.fields.len() {
            return Err(Error::RowWidth { table: self.table.name.clone(), expected: self.table.schema.fields.len(), found: row.len() });
        }
        self.digester.row(row);
        for (column, value) in self.table.schema.fields.iter_mut().zip(row) {
            column.pannier.found.count(value);
        }
        if self.batch.is_none() {
            let bytes = row.iter().map(Value::bytes).sum::<usize>();
            if bytes >= BATCH_BYTES {
                // Too long to be kept: a copy of it would be one too many.
                self.choose_layout()?;
                return self.add(row);
            }
            self.first_bytes += bytes;
            self.first.push(row.iter().map(Value::to_owned).collect());
            if self.first.len() >= FIRST_ROWS || self.first_bytes >= BATCH_BYTES {
                self.choose_layout()?;
            }
            return Ok(());
        }
        self.add(row)
    }

    /// Completes the table and answers its description, with rows, digest and findings filled in.
    pub fn finish(mut self) -> Result<Table, Error> {
        if self.batch.is_none() {
            self.choose_layout()?;
        }
        self.write_batch()?;
        if self.part.is_none() && self.table.path.is_empty() {
            self.part = Some(self.open_part()?);
        }
        self.close_part()?;
        self.table.pannier.rows = self.digester.rows();
        self.table.pannier.digest = self.digester.finish();
        if let Some(batch) = &self.batch {
            self.table.pannier.odd = Some(batch.layout().odd.clone());
            for (column, class) in self.table.schema.fields.iter_mut().zip(&batch.layout().classes) {
                frictionless_type(*class).clone_into(&mut column.kind);
            }
        }
        self.output.table_finished();
        self.finished.push(self.table.clone());
        Ok(self.table)
    }

    fn choose_layout(&mut self) -> Result<(), Error> {
        let first = std::mem::take(&mut self.first);
        self.batch = Some(BatchBuilder::new(Layout::choose(&self.table.schema.fields)));
        for row in first {
            let row: Vec<Value<'_>> = row.iter().map(OwnedValue::as_value).collect();
            self.add(&row)?;
        }
        Ok(())
    }

    fn add(&mut self, row: &[Value<'_>]) -> Result<(), Error> {
        let Some(batch) = &mut self.batch else { return Ok(()) };
        batch.push(row);
        if batch.bytes() >= BATCH_BYTES || batch.rows() >= BATCH_ROWS {
            self.write_batch()?;
        }
        Ok(())
    }

    fn write_batch(&mut self) -> Result<(), Error> {
        let Some(batch) = self.batch.as_mut().filter(|batch| batch.rows() > 0) else { return Ok(()) };
        let (rows, bytes) = (batch.rows(), batch.bytes());
        let group_footer =
            batch.layout().columns.iter().map(|name| name.len() + FOOTER_COLUMN_BYTES).sum::<usize>() + 4 * FOOTER_COLUMN_BYTES;
        let batch = batch.take().map_err(|source| parquet_error(&self.output.path, &self.table.name, source.into()))?;
        let mut part = match self.part.take() {
            Some(part) => part,
            None => self.open_part()?,
        };
        let written = part.writer.write(&batch);
        drop(batch);
        part.group_rows += rows;
        part.group_bytes += bytes;
        let flushed = written.and_then(|()| {
            if part.group_bytes >= GROUP_BYTES || part.group_rows >= GROUP_ROWS {
                part.group_bytes = 0;
                part.group_rows = 0;
                part.footer_bytes += group_footer;
                return part.writer.flush();
            }
            Ok(())
        });
        flushed.map_err(|source| parquet_error(&self.output.path, &self.table.name, source))?;
        // A table of very many columns fills a footer before it fills a part.
        let full = part.writer.bytes_written() as u64 >= PART_BYTES || part.footer_bytes as u64 >= FOOTER_BYTES / 4;
        self.part = Some(part);
        if full { self.close_part() } else { Ok(()) }
    }

    fn open_part(&self) -> Result<Part, Error> {
        let Some(batch) = &self.batch else { return Err(Error::TableUnfinished { table: self.table.name.clone() }) };
        let level = ZstdLevel::try_new(1).map_err(|source| parquet_error(&self.output.path, &self.table.name, source))?;
        let properties = WriterProperties::builder()
            .set_created_by(format!("pannier-format {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::ZSTD(level))
            // Minimum and maximum of a 50 MiB cell would be copies of it; the descriptor has what a reader wants to know.
            .set_statistics_enabled(EnabledStatistics::None)
            .build();
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let file = HashingFile::new(self.output.spool()?);
        let writer = ArrowWriter::try_new_with_options(file, batch.layout().arrow_schema(), options)
            .map_err(|source| parquet_error(&self.output.path, &self.table.name, source))?;
        Ok(Part { writer, group_bytes: 0, group_rows: 0, footer_bytes: 0 })
    }

    fn close_part(&mut self) -> Result<(), Error> {
        let Some(part) = self.part.take() else { return Ok(()) };
        let file = part.writer.into_inner().map_err(|source| parquet_error(&self.output.path, &self.table.name, source))?;
        let (mut file, bytes, sha256) = file.finish().map_err(|source| self.output.write_error(source))?;
        let path = match self.table.path.len() {
            0 if !self.stem.contains('/') => format!("{}.parquet", self.stem),
            number => format!("{}-{number:05}.parquet", self.stem),
        };
        self.output.append(&format!("data/{path}"), bytes, sha256, &mut file)?;
        self.table.path.push(path);
        self.table.bytes += bytes;
        Ok(())
    }
}

/// An input/output error inside Parquet is a write error (a full disk), anything else the library's.
fn parquet_error(path: &std::path::Path, table: &str, source: ParquetError) -> Error {
    match source {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(source) => Error::Write { path: path.to_owned(), source: *source },
            Err(inner) => Error::Parquet { table: table.to_owned(), source: ParquetError::External(inner) },
        },
        source => Error::Parquet { table: table.to_owned(), source },
    }
}

/// A spool file that knows the length and hash of what was written to it.
pub(crate) struct HashingFile {
    file: BufWriter<File>,
    hasher: Sha256,
    bytes: u64,
}

impl HashingFile {
    pub fn new(file: File) -> Self {
        HashingFile { file: BufWriter::with_capacity(1 << 16, file), hasher: Sha256::new(), bytes: 0 }
    }

    /// The file, rewound, its length and its hash.
    pub fn finish(self) -> io::Result<(File, u64, String)> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok((file, self.bytes, hex(&self.hasher.finalize())))
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The folder of a table's parts, distinct from those given out before also where case does not count.
pub(crate) fn free_folder(name: &str, taken: &mut std::collections::HashSet<String>) -> String {
    let plain = names::folder(name);
    let mut folder = plain.clone();
    let mut number = 2;
    while !taken.insert(folder.to_ascii_lowercase()) {
        folder = format!("{plain}~~{number}");
        number += 1;
    }
    folder
}
