//! Reads one table's rows from its Parquet parts, a bounded batch at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, BinaryViewArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringViewArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ParquetMetaData;

use crate::member::Slice;
use crate::odd::OddColumn;
use crate::{Error, Table, Value};

/// Rows of a batch at the most.
const BATCH_ROWS: usize = 1024;
/// What a row group may take uncompressed, apart from its longest row (SPEC.md, 'Parquet').
const GROUP_BYTES: u64 = 64 << 20;
/// What a footer may take: ours have some hundred bytes per row group and column.
const FOOTER_BYTES: u64 = 64 << 20;

/// Reads the rows of one table in the order in which they were written.
pub struct TableReader {
    table: Arc<TableShape>,
    parts: VecDeque<Slice>,
    part: Option<OpenPart>,
    groups: VecDeque<usize>,
    batches: Option<ParquetRecordBatchReader>,
    rows: u64,
}

/// What every batch needs to know of the table.
struct TableShape {
    bundle: std::path::PathBuf,
    name: String,
    columns: Arc<HashMap<String, usize>>,
    names: Vec<String>,
    odd: Option<String>,
    longest_row_bytes: u64,
}

struct OpenPart {
    slice: Slice,
    metadata: ArrowReaderMetadata,
}

impl TableReader {
    pub(crate) fn new(bundle: &std::path::Path, table: &Table, parts: Vec<Slice>) -> Self {
        let names: Vec<String> = table.schema.fields.iter().map(|column| column.name.clone()).collect();
        let shape = TableShape {
            bundle: bundle.to_owned(),
            name: table.name.clone(),
            columns: Arc::new(names.iter().cloned().zip(0..).collect()),
            names,
            odd: table.pannier.odd.clone(),
            longest_row_bytes: table
                .schema
                .fields
                .iter()
                .fold(0, |sum: u64, column| sum.saturating_add(column.pannier.found.longest_bytes)),
        };
        TableReader { table: Arc::new(shape), parts: parts.into(), part: None, groups: VecDeque::new(), batches: None, rows: 0 }
    }

    /// The next rows: at most 1,024, and never more than one row group, whose size the format bounds.
    pub fn next_batch(&mut self) -> Result<Option<RowBatch>, Error> {
        loop {
            if let Some(batches) = &mut self.batches {
                if let Some(batch) = batches.next() {
                    let batch = batch.map_err(|error| self.table.parquet(error.into()))?;
                    let first_row = self.rows;
                    self.rows += batch.num_rows() as u64;
                    return RowBatch::new(&self.table, &batch, first_row).map(Some);
                }
                self.batches = None;
            }
            if let (Some(group), Some(part)) = (self.groups.pop_front(), &self.part) {
                let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(part.slice.clone(), part.metadata.clone());
                let batches = builder.with_row_groups(vec![group]).with_batch_size(BATCH_ROWS).build();
                self.batches = Some(batches.map_err(|source| self.table.parquet(source))?);
                continue;
            }
            let Some(slice) = self.parts.pop_front() else { return Ok(None) };
            let metadata = self.open(&slice)?;
            self.groups = (0..metadata.metadata().num_row_groups()).collect();
            self.part = Some(OpenPart { slice, metadata });
        }
    }

    fn open(&self, slice: &Slice) -> Result<ArrowReaderMetadata, Error> {
        self.table.check_footer(slice)?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(slice, options.clone()).map_err(|source| self.table.parquet(source))?;
        self.table.check_groups(metadata.metadata(), slice.bytes)?;
        let schema = self.table.reading_schema(metadata.schema())?;
        ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options.with_schema(schema))
            .map_err(|source| self.table.parquet(source))
    }
}

impl TableShape {
    fn parquet(&self, source: parquet::errors::ParquetError) -> Error {
        Error::Parquet { table: self.name.clone(), source }
    }

    fn damaged(&self, reason: &str) -> Error {
        Error::Damaged { path: self.bundle.clone(), reason: format!("table {}: {reason}", self.name) }
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
        Ok(())
    }

    /// Row groups say what they take; one that would take unbounded memory is refused.
    fn check_groups(&self, metadata: &ParquetMetaData, part_bytes: u64) -> Result<(), Error> {
        for group in metadata.row_groups() {
            let bytes = u64::try_from(group.total_byte_size()).map_err(|_| self.damaged("a row group has a negative size"))?;
            if bytes > GROUP_BYTES.saturating_add(self.longest_row_bytes) {
                return Err(self.damaged("a row group is larger than the format allows"));
            }
            for column in group.columns() {
                let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
                let length = column.compressed_size();
                let inside = start >= 0 && length >= 0 && start.saturating_add(length).unsigned_abs() <= part_bytes;
                if !inside {
                    return Err(self.damaged("a column chunk lies outside its part"));
                }
            }
        }
        Ok(())
    }

    /// The part's schema with texts and blobs read as views, which refer to the decompressed pages instead of copying them.
    fn reading_schema(&self, found: &SchemaRef) -> Result<SchemaRef, Error> {
        for name in &self.names {
            if found.fields().find(name).is_none() {
                return Err(self.damaged(&format!("a part has no column {name:?}")));
            }
        }
        let fields: Vec<Field> = found
            .fields()
            .iter()
            .map(|field| match field.data_type() {
                DataType::Utf8 => field.as_ref().clone().with_data_type(DataType::Utf8View),
                DataType::Binary => field.as_ref().clone().with_data_type(DataType::BinaryView),
                _ => field.as_ref().clone(),
            })
            .collect();
        Ok(Arc::new(Schema::new(fields)))
    }
}

enum ColumnArray {
    Boolean(BooleanArray),
    Integer(Int64Array),
    Real(Float64Array),
    Text(StringViewArray),
    Blob(BinaryViewArray),
}

/// Some consecutive rows of a table.
pub struct RowBatch {
    columns: Vec<ColumnArray>,
    odd: Option<OddColumn>,
    rows: usize,
    first_row: u64,
}

impl RowBatch {
    fn new(table: &TableShape, batch: &RecordBatch, first_row: u64) -> Result<Self, Error> {
        let columns = table.names.iter().map(|name| {
            let array = batch.column_by_name(name).ok_or_else(|| table.damaged(&format!("a part has no column {name:?}")))?;
            Ok(match array.data_type() {
                DataType::Boolean => ColumnArray::Boolean(array.as_boolean().clone()),
                DataType::Int64 => ColumnArray::Integer(array.as_primitive::<Int64Type>().clone()),
                DataType::Float64 => ColumnArray::Real(array.as_primitive::<Float64Type>().clone()),
                DataType::Utf8View => ColumnArray::Text(array.as_string_view().clone()),
                DataType::BinaryView => ColumnArray::Blob(array.as_binary_view().clone()),
                other => return Err(table.damaged(&format!("column {name:?} has the Parquet type {other}"))),
            })
        });
        let columns = columns.collect::<Result<Vec<_>, Error>>()?;
        let odd = match &table.odd {
            None => None,
            Some(name) => {
                let array = batch.column_by_name(name).ok_or_else(|| table.damaged("a part has no column of odd values"))?;
                let odd = OddColumn::new(array.as_ref(), &table.columns)
                    .ok_or_else(|| table.damaged("the column of odd values has another type"))?;
                odd.check().map_err(|reason| table.damaged(&reason))?;
                Some(odd)
            }
        };
        Ok(RowBatch { columns, odd, rows: batch.num_rows(), first_row })
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The ordinal, in the table, of the first of them.
    #[must_use]
    pub fn first_row(&self) -> u64 {
        self.first_row
    }

    /// Puts the values of row `index` of this batch into `row`, in the order of the table's columns.
    pub fn row<'a>(&'a self, index: usize, row: &mut Vec<Value<'a>>) {
        row.clear();
        row.extend(self.columns.iter().map(|column| column.value(index)));
        if let Some(odd) = &self.odd {
            odd.overlay(index, row);
        }
    }
}

impl ColumnArray {
    fn value(&self, index: usize) -> Value<'_> {
        match self {
            ColumnArray::Boolean(array) if array.is_valid(index) => Value::Boolean(array.value(index)),
            ColumnArray::Integer(array) if array.is_valid(index) => Value::Integer(array.value(index)),
            ColumnArray::Real(array) if array.is_valid(index) => Value::Real(array.value(index)),
            ColumnArray::Text(array) if array.is_valid(index) => Value::Text(array.value(index).as_bytes()),
            ColumnArray::Blob(array) if array.is_valid(index) => Value::Blob(array.value(index)),
            _ => Value::Null,
        }
    }
}
