//! Opens one Parquet part of a table, and believes nothing that it says about its own size and shape before checking it.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use crate::member::Slice;
use crate::physical::class_of;
use crate::{Error, Table, odd, page_guard, physical};

/// Rows of a batch at the most.
const BATCH_ROWS: usize = 1024;
/// What a row group may take uncompressed, apart from its longest row (SPEC.md, 'Parquet').
const GROUP_BYTES: u64 = 64 << 20;
/// What a row may take: no source has longer ones, and a descriptor may claim anything.
const ROW_BYTES: u64 = 2 << 30;
/// What a footer may take: ours have some hundred bytes per row group and column.
pub(crate) const FOOTER_BYTES: u64 = 8 << 20;

/// What is needed to know of a table to read its parts.
pub(crate) struct TableShape {
    bundle: std::path::PathBuf,
    name: String,
    /// Index of each column by its name.
    pub columns: Arc<HashMap<String, usize>>,
    /// Names and Parquet types of the columns.
    pub fields: Vec<(String, Option<DataType>)>,
    /// Name of the Parquet column for odd values.
    pub odd: Option<String>,
    longest_row_bytes: u64,
}

/// A part whose footer was checked.
pub(crate) struct Part {
    slice: Slice,
    metadata: ArrowReaderMetadata,
}

impl TableShape {
    pub fn new(bundle: &std::path::Path, table: &Table) -> Self {
        let columns = &table.schema.fields;
        let longest = columns.iter().fold(0, |sum: u64, column| sum.saturating_add(column.pannier.found.longest_bytes));
        TableShape {
            bundle: bundle.to_owned(),
            name: table.name.clone(),
            columns: Arc::new(columns.iter().map(|column| column.name.clone()).zip(0..).collect()),
            fields: columns.iter().map(|column| (column.name.clone(), class_of(&column.kind).map(physical::arrow_type))).collect(),
            odd: table.pannier.odd.clone(),
            longest_row_bytes: longest.min(ROW_BYTES),
        }
    }

    /// What a row group may take, decoded.
    pub fn group_bytes(&self) -> u64 {
        GROUP_BYTES + self.longest_row_bytes
    }

    pub fn damaged(&self, reason: &str) -> Error {
        Error::Damaged { path: self.bundle.clone(), reason: format!("table {}: {reason}", self.name) }
    }

    /// Runs a piece of the Parquet library, which fails with an error or, on files that were made to deceive it, with a panic.
    /// What it worked on must not be used afterwards.
    pub fn guarded<T, E: Into<ParquetError>>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, Error> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Error::Parquet { table: self.name.clone(), source: error.into() }),
            Err(_) => Err(self.damaged("its Parquet made the reader fail")),
        }
    }

    /// Whether a part is the one that was written.
    pub fn check_hash(&self, slice: &Slice, expected: &str) -> Result<(), Error> {
        let found = slice.sha256().map_err(|source| Error::Read { path: self.bundle.clone(), source })?;
        if found == expected { Ok(()) } else { Err(self.damaged("a part is not what the manifest says")) }
    }

    /// Opens a part.
    pub fn open(&self, slice: Slice) -> Result<Part, Error> {
        self.check_footer(&slice)?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = self.guarded(|| ArrowReaderMetadata::load(&slice, options.clone()))?;
        let schema = self.reading_schema(metadata.schema())?;
        let metadata = self.guarded(|| ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options.with_schema(schema)))?;
        Ok(Part { slice, metadata })
    }

    /// A footer says its own length; it is checked before it is believed.
    fn check_footer(&self, slice: &Slice) -> Result<(), Error> {
        use std::io::Read as _;
        if slice.bytes < 12 {
            return Err(self.damaged("a part is too short to be Parquet"));
        }
        let mut tail = [0; 8];
        slice.reader(slice.bytes - 8).read_exact(&mut tail).map_err(|source| Error::Read { path: self.bundle.clone(), source })?;
        let footer_bytes = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
        if footer_bytes > FOOTER_BYTES || footer_bytes + 8 > slice.bytes {
            return Err(self.damaged("a part lies about the size of its footer"));
        }
        page_guard::check_footer(slice, slice.bytes - 8 - footer_bytes, footer_bytes, self.columns.len())
            .map_err(|error| self.damaged(&format!("a part's footer is not allowed: {error}")))
    }

    /// The part's schema, if it has the table's columns and no others, with texts and blobs read as views, which refer to the
    /// decompressed pages instead of copying them: a value that a dictionary names a thousand times is in memory once.
    fn reading_schema(&self, found: &SchemaRef) -> Result<SchemaRef, Error> {
        let names: HashSet<&String> = found.fields().iter().map(|field| field.name()).collect();
        let expected = self.columns.len() + usize::from(self.odd.is_some());
        if names.len() != found.fields().len() || self.columns.len() != self.fields.len() {
            return Err(self.damaged("two columns have the same name"));
        }
        for (name, kind) in &self.fields {
            let field = found.field_with_name(name).map_err(|_| self.damaged(&format!("a part has no column {name:?}")))?;
            if kind.as_ref() != Some(field.data_type()) {
                return Err(self.damaged(&format!("column {name:?} has the Parquet type {}", field.data_type())));
            }
        }
        if let Some(name) = &self.odd {
            let field = found.field_with_name(name).map_err(|_| self.damaged("a part has no column of odd values"))?;
            if !odd::is_list_type(field.data_type()) {
                return Err(self.damaged("the column of odd values has another type"));
            }
        }
        if names.len() != expected {
            return Err(self.damaged("a part has columns that the table has not"));
        }
        Ok(Arc::new(Schema::new(found.fields().iter().map(|field| viewed(field)).collect::<Vec<_>>())))
    }
}

/// The field with texts and blobs, also those in lists, read as views.
fn viewed(field: &Field) -> Field {
    let kind = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::List(item) => DataType::List(Arc::new(viewed(item))),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| Arc::new(viewed(field))).collect::<Fields>()),
        other => other.clone(),
    };
    field.clone().with_data_type(kind)
}

impl Part {
    pub fn groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// How many rows a row group says it has; negative: it lies.
    pub fn group_rows(&self, group: usize) -> i64 {
        self.metadata.metadata().row_group(group).num_rows()
    }

    /// A reader of one row group, after a look at what its pages claim.
    pub fn group(&self, table: &TableShape, group: usize) -> Result<ParquetRecordBatchReader, Error> {
        let metadata = self.metadata.metadata().row_group(group);
        page_guard::check_group(&self.slice, metadata, table.columns.len(), table.group_bytes())
            .map_err(|reason| table.damaged(&reason))?;
        table.guarded(|| {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.slice.clone(), self.metadata.clone());
            builder.with_row_groups(vec![group]).with_batch_size(BATCH_ROWS).build()
        })
    }
}
