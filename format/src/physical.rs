//! How a table's columns lie in Parquet: one column each, of the class that most of its first values have, and one more
//! for the values that do not fit (see [`crate::odd`]).

use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use crate::odd::OddBuilder;
use crate::{Class, Column, Value};

/// What an odd value takes besides itself and its column's name.
const ODD_BYTES: usize = 32;

/// The Parquet layout of one table.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The class of each column's Parquet type.
    pub classes: Vec<Class>,
    /// Name of the Parquet column for odd values.
    pub odd: String,
}

impl Layout {
    /// Chooses the classes: what `kind` asks for, else the most frequent found so far, else what the declared type suggests.
    pub fn choose(columns: &[Column]) -> Layout {
        let classes = columns.iter().map(choose_class).collect();
        Layout { columns: columns.iter().map(|column| column.name.clone()).collect(), classes, odd: odd_name(columns) }
    }

    /// The Arrow schema of the Parquet parts.
    pub fn arrow_schema(&self) -> SchemaRef {
        let mut fields: Vec<Field> =
            self.columns.iter().zip(&self.classes).map(|(name, class)| Field::new(name, arrow_type(*class), true)).collect();
        fields.push(Field::new(&self.odd, crate::odd::list_type(), true));
        Arc::new(Schema::new(fields))
    }
}

/// The Frictionless type of a class.
pub(crate) fn frictionless_type(class: Class) -> &'static str {
    match class {
        Class::Boolean => "boolean",
        Class::Integer => "integer",
        Class::Real => "number",
        Class::Null | Class::Text => "string",
        Class::Blob => "any",
    }
}

/// The class that a Frictionless type stands for.
pub(crate) fn class_of(kind: &str) -> Option<Class> {
    [Class::Boolean, Class::Integer, Class::Real, Class::Text, Class::Blob].into_iter().find(|class| frictionless_type(*class) == kind)
}

/// The Parquet type of a class, as Arrow calls it.
pub(crate) fn arrow_type(class: Class) -> DataType {
    match class {
        Class::Boolean => DataType::Boolean,
        Class::Integer => DataType::Int64,
        Class::Real => DataType::Float64,
        Class::Null | Class::Text => DataType::Utf8,
        Class::Blob => DataType::Binary,
    }
}

fn choose_class(column: &Column) -> Class {
    if let Some(class) = class_of(&column.kind) {
        return class;
    }
    let wanted = [Class::Boolean, Class::Integer, Class::Real, Class::Text, Class::Blob];
    let found = column.pannier.found;
    let counts = [found.booleans, found.integers, found.reals, found.texts, found.blobs];
    let most = counts.iter().max().copied().unwrap_or(0);
    if most > 0 {
        // Ties go to text, then blob, then the earlier class: a text column shows the most to a reader of the file.
        return [Class::Text, Class::Blob, Class::Boolean, Class::Integer, Class::Real]
            .into_iter()
            .find(|class| wanted.iter().position(|wanted| wanted == class).is_some_and(|index| counts[index] == most))
            .unwrap_or(Class::Text);
    }
    let declared = column.pannier.declared_type.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if has(&["INT", "BOOL"]) {
        Class::Integer
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Class::Real
    } else if has(&["BLOB", "BYTEA"]) {
        Class::Blob
    } else {
        Class::Text
    }
}

/// `pannier_odd`, made longer until no column has that name in any case.
fn odd_name(columns: &[Column]) -> String {
    let mut name = "pannier_odd".to_owned();
    while columns.iter().any(|column| column.name.eq_ignore_ascii_case(&name)) {
        name.push('_');
    }
    name
}

enum ColumnBuilder {
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Real(Float64Builder),
    Text(StringBuilder),
    Blob(BinaryBuilder),
}

impl ColumnBuilder {
    fn new(class: Class) -> Self {
        match class {
            Class::Boolean => ColumnBuilder::Boolean(BooleanBuilder::new()),
            Class::Integer => ColumnBuilder::Integer(Int64Builder::new()),
            Class::Real => ColumnBuilder::Real(Float64Builder::new()),
            Class::Null | Class::Text => ColumnBuilder::Text(StringBuilder::new()),
            Class::Blob => ColumnBuilder::Blob(BinaryBuilder::new()),
        }
    }

    /// Appends the value, or NULL if it does not fit; says whether it fitted.
    fn push(&mut self, value: &Value<'_>) -> bool {
        match (self, value) {
            (ColumnBuilder::Boolean(builder), Value::Boolean(boolean)) => builder.append_value(*boolean),
            (ColumnBuilder::Integer(builder), Value::Integer(integer)) => builder.append_value(*integer),
            (ColumnBuilder::Real(builder), Value::Real(real)) => builder.append_value(*real),
            (ColumnBuilder::Blob(builder), Value::Blob(bytes)) => builder.append_value(bytes),
            (ColumnBuilder::Text(builder), Value::Text(bytes)) => {
                let Ok(text) = std::str::from_utf8(bytes) else {
                    builder.append_null();
                    return false;
                };
                builder.append_value(text);
            }
            (builder, value) => {
                builder.push_null();
                return matches!(value, Value::Null);
            }
        }
        true
    }

    fn push_null(&mut self) {
        match self {
            ColumnBuilder::Boolean(builder) => builder.append_null(),
            ColumnBuilder::Integer(builder) => builder.append_null(),
            ColumnBuilder::Real(builder) => builder.append_null(),
            ColumnBuilder::Text(builder) => builder.append_null(),
            ColumnBuilder::Blob(builder) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            ColumnBuilder::Boolean(builder) => ArrayBuilder::finish(builder),
            ColumnBuilder::Integer(builder) => ArrayBuilder::finish(builder),
            ColumnBuilder::Real(builder) => ArrayBuilder::finish(builder),
            ColumnBuilder::Text(builder) => ArrayBuilder::finish(builder),
            ColumnBuilder::Blob(builder) => ArrayBuilder::finish(builder),
        }
    }
}

/// Gathers rows into record batches of one layout.
pub(crate) struct BatchBuilder {
    layout: Layout,
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    odd: OddBuilder,
    rows: usize,
    bytes: usize,
}

impl BatchBuilder {
    pub fn new(layout: Layout) -> Self {
        let columns = layout.classes.iter().map(|class| ColumnBuilder::new(*class)).collect();
        BatchBuilder { schema: layout.arrow_schema(), layout, columns, odd: OddBuilder::new(), rows: 0, bytes: 0 }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub fn push(&mut self, row: &[Value<'_>]) {
        for (index, (builder, value)) in self.columns.iter_mut().zip(row).enumerate() {
            if !builder.push(value) {
                self.odd.value(&self.layout.columns[index], value);
                // So that the odd values of a row group are bounded in number too (SPEC.md, 'Parquet').
                self.bytes += ODD_BYTES + self.layout.columns[index].len();
            }
            self.bytes += value.bytes();
        }
        self.odd.end_row();
        self.rows += 1;
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of the values held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut arrays: Vec<ArrayRef> = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        arrays.push(self.odd.finish());
        self.rows = 0;
        self.bytes = 0;
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
    }
}
