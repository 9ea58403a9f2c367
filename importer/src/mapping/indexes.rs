//! The indexes of a collection: the source's under the new names, what look-ups by `…_id` need, and the one that keeps
//! creating records fast.

use std::collections::HashMap;

use super::derive::TableContext;
use super::model::{CollectionMapping, FieldKind, FieldMapping, IdSource, IndexMapping, UnmappedIndex};
use super::names::NameSet;

/// An index as the source has it.
struct Wanted<'t> {
    name: String,
    columns: Vec<Option<&'t str>>,
    unique: bool,
    /// It says more than its columns tell.
    partial: bool,
}

/// Fills in the collection's indexes. `columns`: the field of each column; `unique`: computed fields that must be unique.
pub(super) fn derive(
    context: &TableContext<'_>,
    collection: &mut CollectionMapping,
    columns: &HashMap<usize, String>,
    unique: &[String],
    names: &mut NameSet,
) {
    let mut builder = Builder { context, columns, collection: &*collection, names, indexes: Vec::new(), unmapped: Vec::new() };
    builder.id_index();
    for wanted in wanted(context) {
        builder.map(&wanted);
    }
    for field in unique {
        builder.add(vec![field.clone()], true, &[]);
    }
    builder.lookups();
    let pending = builder.key_index();
    let (indexes, unmapped) = (builder.indexes, builder.unmapped);
    collection.indexes = indexes;
    collection.unmapped_indexes = unmapped;
    collection.id.pending_key_index = pending;
}

/// The primary key, the constraints and the indexes of a table.
fn wanted<'t>(context: &TableContext<'t>) -> Vec<Wanted<'t>> {
    let table = context.table;
    let constraint = |names: &'t [String]| Wanted {
        name: names.join(", "),
        columns: names.iter().map(|name| Some(name.as_str())).collect(),
        unique: true,
        partial: false,
    };
    let mut all = Vec::new();
    if !table.schema.primary_key.is_empty() {
        all.push(constraint(&table.schema.primary_key));
    }
    all.extend(table.pannier.unique.iter().map(|names| constraint(names)));
    all.extend(table.pannier.indexes.iter().map(|index| Wanted {
        name: index.name.clone(),
        columns: index.columns.iter().map(Option::as_deref).collect(),
        unique: index.unique,
        partial: index.partial,
    }));
    all
}

struct Builder<'b, 't> {
    context: &'b TableContext<'t>,
    columns: &'b HashMap<usize, String>,
    collection: &'b CollectionMapping,
    names: &'b mut NameSet,
    indexes: Vec<IndexMapping>,
    unmapped: Vec<UnmappedIndex>,
}

impl Builder<'_, '_> {
    /// Without it every create scans the whole table for an id that differs in case only.
    fn id_index(&mut self) {
        let table = &self.collection.name;
        let name = self.names.claim_index(table, &["id", "nocase"]);
        let sql = format!("CREATE UNIQUE INDEX `{name}` ON `{table}` (`id` COLLATE NOCASE)");
        self.indexes.push(IndexMapping { name, unique: true, fields: vec!["id".to_owned()], sql });
    }

    fn map(&mut self, wanted: &Wanted<'_>) {
        let mut fields = Vec::new();
        for column in &wanted.columns {
            let Some(column) = column else {
                return self.unmapped(wanted, "not carried over: it covers an expression");
            };
            match self.field_of(column) {
                Some(field) => fields.push(field),
                None => return self.unmapped(wanted, "not carried over: a column of it is no field"),
            }
        }
        if fields == ["id"] {
            return;
        }
        let mut unique = wanted.unique;
        if wanted.partial {
            unique = false;
            self.unmapped(wanted, "carried over as a plain index: its condition, order or collation is not");
        }
        let conditions = if unique { self.conditions(wanted, &fields) } else { Ok(Vec::new()) };
        match conditions {
            Ok(conditions) => self.add(fields, unique, &conditions),
            Err(reason) => {
                self.unmapped(wanted, reason);
                self.add(fields, false, &[]);
            }
        }
    }

    fn unmapped(&mut self, wanted: &Wanted<'_>, reason: &'static str) {
        self.unmapped.push(UnmappedIndex { name: wanted.name.clone(), reason });
    }

    /// The field that holds a column: the record id itself for a key called `id` without a field of its own.
    fn field_of(&self, column: &str) -> Option<String> {
        let index = self.context.column(column)?;
        if let Some(field) = self.columns.get(&index) {
            return Some(field.clone());
        }
        let rule = &self.collection.id;
        let is_id = match &rule.source {
            IdSource::Column(column) => *column == index,
            IdSource::Columns(columns) => rule.preferred.is_some_and(|position| columns.get(position) == Some(&index)),
            IdSource::Ordinal => false,
        };
        (is_id && column.eq_ignore_ascii_case("id")).then(|| "id".to_owned())
    }

    /// What keeps rows apart that SQL held apart because of a NULL, which here is `''` or 0 like any other; or why the
    /// index cannot be unique.
    fn conditions(&self, wanted: &Wanted<'_>, fields: &[String]) -> Result<Vec<String>, &'static str> {
        let mut conditions = Vec::new();
        for (column, field) in wanted.columns.iter().zip(fields) {
            let Some(index) = column.and_then(|column| self.context.column(column)) else { continue };
            let info = &self.context.table.schema.fields[index].pannier;
            if info.found.invalid_texts > 0 {
                return Err("carried over without UNIQUE: texts that are not UTF-8 may become equal");
            }
            let in_key = self.context.table.schema.primary_key.iter().any(|name| Some(name.as_str()) == *column);
            if info.not_null || field == "id" || (in_key && info.found.nulls == 0) {
                continue;
            }
            match self.collection.field(field).map(|field| &field.kind) {
                Some(FieldKind::Text { .. } | FieldKind::Email) => conditions.push(format!("`{field}` != ''")),
                Some(FieldKind::Number) => conditions.push(format!("`{field}` != 0")),
                Some(FieldKind::Bool) => {
                    return Err("carried over without UNIQUE: NULL and false cannot be told apart");
                }
                _ => {}
            }
        }
        Ok(conditions)
    }

    /// Adds an index unless there is one over the same fields; of two, the unique one stays.
    fn add(&mut self, fields: Vec<String>, unique: bool, conditions: &[String]) {
        let existing = self.indexes.iter().position(|index| index.fields == fields);
        if let Some(position) = existing {
            if self.indexes[position].unique || !unique {
                return;
            }
            let name = self.indexes.remove(position).name;
            let index = self.statement(name, fields, unique, conditions);
            self.indexes.insert(position, index);
            return;
        }
        let name = self.claim(&fields);
        let index = self.statement(name, fields, unique, conditions);
        self.indexes.push(index);
    }

    fn claim(&mut self, fields: &[String]) -> String {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        self.names.claim_index(&self.collection.name, &fields)
    }

    fn statement(&self, name: String, fields: Vec<String>, unique: bool, conditions: &[String]) -> IndexMapping {
        let kind = if unique { "UNIQUE INDEX" } else { "INDEX" };
        let columns: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
        let mut sql = format!("CREATE {kind} `{name}` ON `{}` ({})", self.collection.name, columns.join(", "));
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        IndexMapping { name, unique, fields, sql }
    }

    /// An index for each column that refers to something, if none begins with it.
    fn lookups(&mut self) {
        let keys: Vec<&str> = self
            .context
            .table
            .schema
            .foreign_keys
            .iter()
            .filter_map(|key| if let [single] = &key.fields[..] { Some(single.as_str()) } else { None })
            .collect();
        let columns: Vec<(usize, &str)> =
            self.context.table.schema.fields.iter().enumerate().map(|(index, column)| (index, column.name.as_str())).collect();
        for (index, column) in columns {
            let by_name = self.context.index_suffixes.iter().any(|suffix| column.ends_with(suffix.as_str()));
            let by_profile = self.context.entry.columns.get(column).is_some_and(|entry| entry.index);
            let Some(field) = self.columns.get(&index).cloned() else { continue };
            if (by_name || by_profile || keys.contains(&column)) && !self.indexes.iter().any(|index| index.fields.first() == Some(&field)) {
                self.add(vec![field], false, &[]);
            }
        }
    }

    /// The index of the key's field, should a scan show that it is needed.
    fn key_index(&mut self) -> Option<IndexMapping> {
        let field: &FieldMapping = self.collection.id.pending_key_field.as_deref()?;
        let fields = vec![field.name.clone()];
        let column = self.context.table.schema.fields.iter().find(|column| column.name.eq_ignore_ascii_case("id"))?;
        let found = &column.pannier.found;
        let alone = matches!(self.collection.id.source, IdSource::Column(_));
        let unique = alone && found.invalid_texts == 0 && found.nulls == 0;
        let name = self.claim(&fields);
        Some(self.statement(name, fields, unique, &[]))
    }
}
