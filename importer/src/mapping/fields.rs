//! The fields of one collection: a table's columns, the merged table's columns, and computed ones.

use std::collections::HashMap;

use pannier_format::{Column, Table};

use super::computed::computed_field;
use super::derive::TableContext;
use super::field_types::column_type;
use super::model::{DroppedColumn, FieldKind, FieldMapping, FieldSource, IdSource, LossyKind, Merge, PossibleLoss, RelationMapping};
use super::names::{self, NameSet};
use super::profile::TableEntry;

/// The outcome of deriving a collection's fields.
pub(super) struct Fields {
    pub(super) all: Vec<FieldMapping>,
    pub(super) relations: Vec<RelationMapping>,
    pub(super) dropped: Vec<DroppedColumn>,
    /// The field of each column of the main table that has one.
    pub(super) columns: HashMap<usize, String>,
    /// The name for the field that holds the column called `id`.
    pub(super) key_field: String,
    /// That field, if only a scan of the rows tells whether it is needed.
    pub(super) pending_key_field: Option<FieldMapping>,
    /// Computed fields that must be unique.
    pub(super) unique: Vec<String>,
}

/// Derives the fields.
pub(super) fn derive(context: &TableContext<'_>, id_source: &IdSource, preferred: Option<usize>, merge: Option<&Merge>) -> Fields {
    let mut names = NameSet::default();
    for name in context.entry.fields.keys() {
        names.claim(name, name);
    }
    let id_column = context.table.schema.fields.iter().position(|column| column.name.eq_ignore_ascii_case("id"));
    let password = password_columns(context);
    let mut own =
        columns_of(context.table, context.entry, |index| Some(index) != id_column && !password.contains(&FieldSource::Column(index)));
    name_columns(&mut own, context.entry, None, context.is_auth(), &mut names);
    let mut merged = Vec::new();
    if let Some((table, entry)) = context.merge {
        // Both rows have the same key: once is enough.
        let key = merge.map(|merge| merge.key);
        merged = columns_of(table, entry, |index| Some(index) != key && !password.contains(&FieldSource::Merged(index)));
        name_columns(&mut merged, entry, Some(&table.name), context.is_auth(), &mut names);
    }
    let key_field = key_field_name(context, &mut names);
    let mut fields = Vec::new();
    if context.is_auth() {
        fields.push(email_field(context));
        fields.push(login_field(&mut names));
    }
    let mut columns = HashMap::new();
    for named in own {
        columns.insert(named.index, named.name.clone());
        fields.push(named.into_field(context.entry, FieldSource::Column));
    }
    if let Some((_, entry)) = context.merge {
        fields.extend(merged.into_iter().map(|named| named.into_field(entry, FieldSource::Merged)));
    }
    let mut relations = Vec::new();
    let mut unique = Vec::new();
    for (name, entry) in &context.entry.fields {
        if let Some(field) = computed_field(context, name, entry, &mut relations) {
            if entry.unique {
                unique.push(name.clone());
            }
            fields.push(field);
        }
    }
    let pending_key_field =
        key_field_of(context, id_is_key(id_source, preferred, id_column), id_column, &key_field, &mut fields, &mut columns);
    Fields { all: fields, relations, dropped: dropped(context, &password), columns, key_field, pending_key_field, unique }
}

/// The values of the column `id` become the record ids, as far as they can.
fn id_is_key(id_source: &IdSource, preferred: Option<usize>, id_column: Option<usize>) -> bool {
    match id_source {
        IdSource::Column(column) => Some(*column) == id_column,
        IdSource::Columns(columns) => preferred.is_some_and(|position| columns.get(position).copied() == id_column),
        IdSource::Ordinal => false,
    }
}

/// Puts the field of the column `id` first if it is certain to be needed, else returns it.
fn key_field_of(
    context: &TableContext<'_>,
    id_is_key: bool,
    id_column: Option<usize>,
    name: &str,
    fields: &mut Vec<FieldMapping>,
    columns: &mut HashMap<usize, String>,
) -> Option<FieldMapping> {
    let index = id_column?;
    if context.entry.drop.contains_key(&context.table.schema.fields[index].name) {
        return None;
    }
    let named = NamedColumn { index, column: &context.table.schema.fields[index], name: name.to_owned() };
    let field = named.into_field(context.entry, FieldSource::Column);
    if id_is_key && !context.entry.always_key {
        return Some(field);
    }
    columns.insert(index, name.to_owned());
    fields.insert(0, field);
    None
}

/// A column on its way to becoming a field.
struct NamedColumn<'t> {
    index: usize,
    column: &'t Column,
    name: String,
}

impl NamedColumn<'_> {
    fn into_field(self, entry: &TableEntry, source: impl Fn(usize) -> FieldSource) -> FieldMapping {
        let derived = column_type(self.column, entry.wish(&self.column.name));
        FieldMapping {
            name: self.name,
            kind: derived.kind,
            source: source(self.index),
            hidden: entry.hidden.contains(&self.column.name) || names::names_a_secret(&self.column.name),
            losses: derived.losses,
            notes: derived.notes,
        }
    }
}

fn columns_of<'t>(table: &'t Table, entry: &TableEntry, wanted: impl Fn(usize) -> bool) -> Vec<NamedColumn<'t>> {
    let columns = table.schema.fields.iter().enumerate();
    columns
        .filter(|(index, column)| wanted(*index) && !entry.drop.contains_key(&column.name))
        .map(|(index, column)| NamedColumn { index, column, name: String::new() })
        .collect()
}

/// Names the profile's first, then what can stay as it is, then the others.
fn name_columns(columns: &mut [NamedColumn<'_>], entry: &TableEntry, merged: Option<&str>, auth: bool, names: &mut NameSet) {
    for column in &mut *columns {
        let wish = entry.columns.get(&column.column.name).and_then(|entry| entry.field.as_ref());
        if let Some(wish) = wish {
            column.name = names.claim(wish, &column.column.name);
        }
    }
    for unchanged in [true, false] {
        for column in columns.iter_mut().filter(|column| column.name.is_empty()) {
            let source = &column.column.name;
            let name = names::field_name(source, auth);
            if unchanged != (name == *source) {
                continue;
            }
            // What a merged table has too is told apart by the table's name.
            let taken = merged.filter(|_| !names.is_free(&name) || names::is_reserved(source, auth));
            column.name = match taken {
                Some(table) => names.claim(&names::field_name(&format!("{table}_{source}"), auth), source),
                None => names.claim(&name, source),
            };
        }
    }
}

/// The name of the field that holds the column called `id`.
fn key_field_name(context: &TableContext<'_>, names: &mut NameSet) -> String {
    let wish = context.entry.key.as_deref().unwrap_or("key");
    let name = if names.is_free(wish) { wish } else { "id_original" };
    names.claim(name, "id")
}

fn email_field(context: &TableContext<'_>) -> FieldMapping {
    let source = context.entry.auth.as_ref().and_then(|auth| auth.email.as_deref());
    // Without a column every account gets a placeholder: a template with nothing in it is no address.
    let source = source.and_then(|name| context.column(name)).map_or_else(|| FieldSource::Template(Vec::new()), FieldSource::Column);
    let losses = vec![PossibleLoss { kind: LossyKind::EmailReplaced, values: None }];
    FieldMapping { name: "email".to_owned(), kind: FieldKind::Email, source, hidden: false, losses, notes: Vec::new() }
}

/// The way in for accounts whose address the server refuses (`admin@localhost`): they sign in with it all the same.
fn login_field(names: &mut NameSet) -> FieldMapping {
    let kind = FieldKind::Text { max_chars: super::field_types::text_limit(0) };
    FieldMapping {
        name: names.claim("login", "login"),
        kind,
        source: FieldSource::Login,
        hidden: false,
        losses: Vec::new(),
        notes: Vec::new(),
    }
}

fn password_columns(context: &TableContext<'_>) -> Vec<FieldSource> {
    let wish = context.entry.auth.as_ref().and_then(|auth| auth.password.as_deref());
    context.source(wish).into_iter().collect()
}

fn dropped(context: &TableContext<'_>, password: &[FieldSource]) -> Vec<DroppedColumn> {
    const PASSWORD: &str = "it becomes the account's password, not a field";
    let mut dropped = Vec::new();
    let mut add = |table: &Table, entry: &TableEntry, source: &dyn Fn(usize) -> FieldSource| {
        for (index, column) in table.schema.fields.iter().enumerate() {
            let is_password = password.contains(&source(index));
            let reason = entry.drop.get(&column.name).map(String::as_str);
            if let Some(reason) = reason.or(is_password.then_some(PASSWORD)) {
                dropped.push(DroppedColumn { table: table.name.clone(), column: column.name.clone(), reason: reason.to_owned() });
            }
        }
    };
    add(context.table, context.entry, &FieldSource::Column);
    if let Some((table, entry)) = context.merge {
        add(table, entry, &FieldSource::Merged);
    }
    dropped
}
