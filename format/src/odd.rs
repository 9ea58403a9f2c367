//! Odd values: those that do not fit the Parquet type of their column, such as a text in a column of integers or a text
//! that is not UTF-8. They stand in one list column per table; SPEC.md, 'Odd values', says how.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder, BinaryBuilder, ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{Array, ArrayRef, BinaryViewArray, ListArray, StringViewArray, StructArray};
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

/// Whether a Parquet column has the type of the odd column, as far as it matters to a reader.
pub(crate) fn is_list_type(kind: &DataType) -> bool {
    let DataType::List(item) = kind else { return false };
    let DataType::Struct(fields) = item.data_type() else { return false };
    let names_and_types =
        |fields: &Fields| fields.iter().map(|field| (field.name().clone(), field.data_type().clone())).collect::<Vec<_>>();
    names_and_types(fields) == names_and_types(&item_fields())
}

/// The odd values of a batch that was read.
pub(crate) struct OddColumn {
    list: ListArray,
    names: StringViewArray,
    classes: StringViewArray,
    values: BinaryViewArray,
    columns: Arc<HashMap<String, usize>>,
}

impl OddColumn {
    /// The odd column of a batch; `columns` gives each column's index. `None` if it has another type.
    pub fn new(array: &dyn Array, columns: &Arc<HashMap<String, usize>>) -> Option<Self> {
        let list = array.as_any().downcast_ref::<ListArray>()?.clone();
        let items = list.values().as_any().downcast_ref::<StructArray>()?;
        let text = |index: usize| items.columns().get(index)?.as_any().downcast_ref::<StringViewArray>().cloned();
        let (names, classes) = (text(0)?, text(1)?);
        let values = items.columns().get(2)?.as_any().downcast_ref::<BinaryViewArray>()?.clone();
        Some(OddColumn { list, names, classes, values, columns: Arc::clone(columns) })
    }

    /// Checks every odd value, so that [`OddColumn::overlay`] cannot meet a bad one; the reason if one is bad. `is_null` says
    /// whether a row has NULL in a column, as it must where the odd value stands for it.
    pub fn check(&self, is_null: impl Fn(usize, usize) -> bool) -> Result<(), String> {
        let mut seen = Vec::new();
        for row in 0..self.list.len() {
            seen.clear();
            for index in self.items(row) {
                let (column, _) = self.item(index).ok_or_else(|| format!("row {row} of a batch has an odd value that cannot be read"))?;
                if !is_null(row, column) {
                    return Err(format!("row {row} of a batch has an odd value for a column that has a value"));
                }
                seen.push(column);
            }
            let items = seen.len();
            seen.sort_unstable();
            seen.dedup();
            if seen.len() < items {
                return Err(format!("row {row} of a batch has two odd values for one column"));
            }
        }
        Ok(())
    }

    /// What names and values take.
    pub fn bytes(&self) -> u64 {
        self.names.lengths().chain(self.values.lengths()).map(u64::from).sum()
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
        if self.list.values().is_null(index) || self.names.is_null(index) || self.classes.is_null(index) || self.values.is_null(index) {
            return None;
        }
        let bytes = self.values.value(index);
        let value = match Class::parse(self.classes.value(index))? {
            Class::Null => return None,
            Class::Boolean => Value::Boolean(std::str::from_utf8(bytes).ok()?.parse().ok()?),
            Class::Integer => Value::Integer(std::str::from_utf8(bytes).ok()?.parse().ok()?),
            Class::Real => Value::Real(f64::from_bits(u64::from_be_bytes(bytes.try_into().ok()?))),
            Class::Text => Value::Text(bytes),
            Class::Blob => Value::Blob(bytes),
        };
        Some((*self.columns.get(self.names.value(index))?, value))
    }
}
