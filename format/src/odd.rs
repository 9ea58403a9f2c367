//! Odd values: those that do not fit the Parquet type of their column, such as a text in a column of integers or a text
//! that is not UTF-8. They stand in one list column per table; SPEC.md, 'Odd values', says how.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder, BinaryBuilder, ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{Array, ArrayRef, BinaryArray, ListArray, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields};

use crate::{Class, Value};

fn item_fields() -> Fields {
    Fields::from(vec![
        Field::new("column", DataType::Utf8, true),
        Field::new("class", DataType::Utf8, true),
        Field::new("value", DataType::Binary, true),
    ])
}

/// The Arrow type of the odd column: a list of `{column, class, value}`.
pub(crate) fn list_type() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Struct(item_fields()), true)))
}

/// Gathers the odd values of a batch.
pub(crate) struct OddBuilder {
    list: ListBuilder<StructBuilder>,
    in_row: bool,
}

impl OddBuilder {
    pub fn new() -> Self {
        let columns: Vec<Box<dyn ArrayBuilder>> =
            vec![Box::new(StringBuilder::new()), Box::new(StringBuilder::new()), Box::new(BinaryBuilder::new())];
        OddBuilder { list: ListBuilder::new(StructBuilder::new(item_fields(), columns)), in_row: false }
    }

    /// One odd value of the current row.
    pub fn value(&mut self, column: &str, value: &Value<'_>) {
        self.in_row = true;
        let item = self.list.values();
        if let Some(builder) = item.field_builder::<StringBuilder>(0) {
            builder.append_value(column);
        }
        if let Some(builder) = item.field_builder::<StringBuilder>(1) {
            builder.append_value(value.class().as_str());
        }
        if let Some(builder) = item.field_builder::<BinaryBuilder>(2) {
            match value {
                Value::Null => builder.append_null(),
                Value::Boolean(boolean) => builder.append_value(boolean.to_string()),
                Value::Integer(integer) => builder.append_value(integer.to_string()),
                Value::Real(real) => builder.append_value(real.to_bits().to_be_bytes()),
                Value::Text(bytes) | Value::Blob(bytes) => builder.append_value(bytes),
            }
        }
        item.append(true);
    }

    /// Ends the current row: NULL if nothing in it was odd.
    pub fn end_row(&mut self) {
        self.list.append(self.in_row);
        self.in_row = false;
    }

    pub fn finish(&mut self) -> ArrayRef {
        Arc::new(self.list.finish())
    }
}

/// The odd values of a batch that was read.
pub(crate) struct OddColumn {
    list: ListArray,
    columns: Arc<HashMap<String, usize>>,
}

impl OddColumn {
    /// The odd column of a batch; `columns` gives each column's index. `None` if it has another type.
    pub fn new(array: &dyn Array, columns: &Arc<HashMap<String, usize>>) -> Option<Self> {
        let list = array.as_any().downcast_ref::<ListArray>()?.clone();
        let items = list.values().as_any().downcast_ref::<StructArray>()?;
        let typed = items.num_columns() == 3
            && items.column(0).as_any().is::<StringArray>()
            && items.column(1).as_any().is::<StringArray>()
            && items.column(2).as_any().is::<BinaryArray>();
        typed.then(|| OddColumn { list, columns: Arc::clone(columns) })
    }

    /// Checks every odd value, so that [`OddColumn::overlay`] cannot meet a bad one; the reason if one is bad.
    pub fn check(&self) -> Result<(), String> {
        for row in 0..self.list.len() {
            for index in self.items(row) {
                self.item(index).ok_or_else(|| format!("row {row} of a batch has an odd value that cannot be read"))?;
            }
        }
        Ok(())
    }

    /// Puts the odd values of a row in their places.
    pub fn overlay<'a>(&'a self, row: usize, values: &mut [Value<'a>]) {
        for index in self.items(row) {
            if let Some((column, value)) = self.item(index) {
                values[column] = value;
            }
        }
    }

    fn items(&self, row: usize) -> std::ops::Range<usize> {
        if self.list.is_null(row) {
            return 0..0;
        }
        let offsets = self.list.value_offsets();
        let bound = |at: usize| usize::try_from(offsets[at]).unwrap_or(0);
        bound(row)..bound(row + 1)
    }

    fn item(&self, index: usize) -> Option<(usize, Value<'_>)> {
        let items = self.list.values().as_any().downcast_ref::<StructArray>()?;
        let column = items.column(0).as_any().downcast_ref::<StringArray>()?;
        let class = items.column(1).as_any().downcast_ref::<StringArray>()?;
        let value = items.column(2).as_any().downcast_ref::<BinaryArray>()?;
        if column.is_null(index) || class.is_null(index) || value.is_null(index) {
            return None;
        }
        let bytes = value.value(index);
        let value = match Class::parse(class.value(index))? {
            Class::Null => return None,
            Class::Boolean => Value::Boolean(std::str::from_utf8(bytes).ok()?.parse().ok()?),
            Class::Integer => Value::Integer(std::str::from_utf8(bytes).ok()?.parse().ok()?),
            Class::Real => Value::Real(f64::from_bits(u64::from_be_bytes(bytes.try_into().ok()?))),
            Class::Text => Value::Text(bytes),
            Class::Blob => Value::Blob(bytes),
        };
        Some((*self.columns.get(column.value(index))?, value))
    }
}
