//! Reads one table's rows from its Parquet parts, a bounded batch at a time.

use std::collections::VecDeque;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, BinaryViewArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringViewArray};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::member::Slice;
use crate::odd::OddColumn;
use crate::part::{Part, TableShape};
use crate::{Error, Table, Value};

/// A part that is still to be read, and the hash that it must have; without one if that was checked before.
pub(crate) type UnreadPart = (Slice, Option<String>);

/// Reads the rows of one table in the order in which they were written. A part's hash is checked before its rows are given out,
/// so that to read is to verify.
pub struct TableReader {
    table: TableShape,
    parts: VecDeque<UnreadPart>,
    part: Option<Part>,
    groups: VecDeque<usize>,
    group: Option<ParquetRecordBatchReader>,
    /// What the values of the current row group may still take.
    group_bytes_left: u64,
    /// Rows that the current row group claims and has not shown.
    group_rows_left: i64,
    rows: u64,
}

impl TableReader {
    pub(crate) fn new(bundle: &std::path::Path, table: &Table, parts: impl IntoIterator<Item = UnreadPart>) -> Self {
        TableReader {
            table: TableShape::new(bundle, table),
            parts: parts.into_iter().collect(),
            part: None,
            groups: VecDeque::new(),
            group: None,
            group_bytes_left: 0,
            group_rows_left: 0,
            rows: 0,
        }
    }

    /// The next rows: at most 1,024, and never more than one row group, whose size the format bounds. After an error there
    /// are no more.
    pub fn next_batch(&mut self) -> Result<Option<RowBatch>, Error> {
        let batch = self.read_batch();
        if batch.is_err() {
            // What the Parquet library left behind when it failed is in an unknown state.
            self.group = None;
            self.part = None;
            self.groups.clear();
            self.parts.clear();
        }
        batch
    }

    fn read_batch(&mut self) -> Result<Option<RowBatch>, Error> {
        loop {
            if let Some(group) = &mut self.group {
                if let Some(batch) = self.table.guarded(|| group.next().transpose())? {
                    return self.take_batch(&batch).map(Some);
                }
                self.group = None;
                if self.group_rows_left != 0 {
                    return Err(self.table.damaged("a row group lies about the number of its rows"));
                }
            }
            if let (Some(group), Some(part)) = (self.groups.pop_front(), &self.part) {
                self.group = Some(part.group(&self.table, group)?);
                self.group_bytes_left = self.table.group_bytes();
                self.group_rows_left = part.group_rows(group);
                continue;
            }
            let Some((slice, sha256)) = self.parts.pop_front() else { return Ok(None) };
            if let Some(expected) = sha256 {
                self.table.check_hash(&slice, &expected)?;
            }
            let part = self.table.open(slice)?;
            self.groups = (0..part.groups()).collect();
            self.part = Some(part);
        }
    }

    fn take_batch(&mut self, batch: &RecordBatch) -> Result<RowBatch, Error> {
        let first_row = self.rows;
        self.rows += batch.num_rows() as u64;
        self.group_rows_left = self.group_rows_left.saturating_sub_unsigned(batch.num_rows() as u64);
        let batch = RowBatch::new(&self.table, batch, first_row)?;
        // A dictionary can make few bytes stand for very many: no danger to memory, but to whoever waits for the end.
        let left = self.group_bytes_left.checked_sub(batch.bytes());
        self.group_bytes_left = left.ok_or_else(|| self.table.damaged("a row group holds more than the format allows"))?;
        Ok(batch)
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
        let columns = table.fields.iter().map(|(name, _)| {
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
                odd.check(|row, column| columns[column].is_null(row)).map_err(|reason| table.damaged(&reason))?;
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

    /// What the texts and blobs of all rows take.
    fn bytes(&self) -> u64 {
        let columns = self.columns.iter().map(|column| match column {
            ColumnArray::Text(array) => array.lengths().map(u64::from).sum(),
            ColumnArray::Blob(array) => array.lengths().map(u64::from).sum(),
            ColumnArray::Boolean(_) | ColumnArray::Integer(_) | ColumnArray::Real(_) => 0_u64,
        });
        columns.fold(0, u64::saturating_add).saturating_add(self.odd.as_ref().map_or(0, OddColumn::bytes))
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

    fn is_null(&self, index: usize) -> bool {
        self.value(index) == Value::Null
    }
}
