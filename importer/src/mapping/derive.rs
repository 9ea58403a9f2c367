//! From table descriptions and a profile to collections.

use std::collections::{BTreeMap, HashMap, HashSet};

use pannier_format::{Table, TableKind};

use super::error::MappingError;
use super::facts::Facts;
use super::fields::{self, Fields};
use super::indexes;
use super::model::{
    AuthRule, CollectionKind, CollectionMapping, FieldSource, IdRule, IdSource, Mapping, Merge, ReferenceMapping, SkipReason, Skipped,
};
use super::names::{self, NameSet};
use super::order;
use super::profile::{Profile, TableEntry};

/// A table with what the profile says of it.
pub(super) struct TableContext<'t> {
    pub(super) table: &'t Table,
    pub(super) entry: &'t TableEntry,
    /// The table that is merged into it, with what the profile says of that.
    pub(super) merge: Option<(&'t Table, &'t TableEntry)>,
    /// Endings of column names that ask for an index.
    pub(super) index_suffixes: &'t [String],
    pub(super) references: &'t BTreeMap<String, String>,
    /// All tables of the bundle.
    pub(super) tables: &'t [Table],
}

impl TableContext<'_> {
    /// The position of a column of the table.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        column(self.table, name)
    }

    /// The collection can sign in.
    pub(super) fn is_auth(&self) -> bool {
        self.entry.auth.is_some()
    }

    /// A column as profiles write it: `COLUMN`, or `TABLE.COLUMN` for the merged table's.
    pub(super) fn source(&self, name: Option<&str>) -> Option<FieldSource> {
        let name = name?;
        if let Some(column) = self.column(name) {
            return Some(FieldSource::Column(column));
        }
        let (merged, _) = self.merge?;
        let own_name = name.strip_prefix(&merged.name)?.strip_prefix('.')?;
        column(merged, own_name).map(FieldSource::Merged)
    }
}

fn column(table: &Table, name: &str) -> Option<usize> {
    table.schema.fields.iter().position(|column| column.name == name)
}

impl Mapping {
    /// Derives the collections of a bundle. What the profile names and the bundle lacks is ignored; what the bundle has
    /// and the profile does not name is mapped by rule.
    pub fn derive(tables: &[Table], profile: &Profile) -> Result<Mapping, MappingError> {
        let (kept, mut skipped) = split(tables, profile);
        let names = collection_names(&kept, profile)?;
        let mut collections = Vec::new();
        let mut index_names = NameSet::default();
        for (context, name) in kept.iter().zip(&names) {
            collections.push(collection(context, name, &mut index_names));
            if let Some((merged, _)) = context.merge {
                let reason = SkipReason::MergedInto(name.clone());
                skipped.push(Skipped { table: merged.name.clone(), rows: merged.pannier.rows, reason });
            }
        }
        drop_dangling_relations(&mut collections);
        order::sort(&mut collections, &kept, &profile.data.order);
        skipped.sort_by(|a, b| a.table.cmp(&b.table));
        Ok(Mapping { profile: profile.name().to_owned(), collections, skipped })
    }

    /// Completes a collection with what a scan of its rows has shown: where ids are derived, the original key gets its
    /// field and index. Settling again with the same facts changes nothing.
    pub fn settle(&mut self, table: &str, facts: &Facts) {
        let Some(collection) = self.collections.iter_mut().find(|collection| collection.table == table) else {
            return;
        };
        if facts.derived_ids() == 0 || collection.id.has_key_field {
            return;
        }
        if let Some(field) = collection.id.pending_key_field.take() {
            collection.id.has_key_field = true;
            collection.fields.insert(0, *field);
            if let Some(index) = collection.id.pending_key_index.take() {
                collection.indexes.push(index);
            }
        }
    }
}

/// Tables that become collections, and those that do not.
fn split<'t>(tables: &'t [Table], profile: &'t Profile) -> (Vec<TableContext<'t>>, Vec<Skipped>) {
    static EMPTY: TableEntry = TableEntry::EMPTY;
    let entries = &profile.data.table;
    let entry_of = |table: &Table| entries.get(&table.name).unwrap_or(&EMPTY);
    let by_name: HashMap<&str, &Table> = tables.iter().map(|table| (table.name.as_str(), table)).collect();
    // A merged table is no collection of its own. Without the main table, or without a key to meet by, it is one.
    let merge_of = |table: &Table| {
        let merged = *by_name.get(entry_of(table).merge.as_deref()?)?;
        let meet = |table: &Table| matches!(id_source(table), IdSource::Column(_));
        (meet(table) && meet(merged)).then_some(merged)
    };
    let merged: HashSet<&str> = tables.iter().filter_map(merge_of).map(|table| table.name.as_str()).collect();
    let (mut kept, mut skipped) = (Vec::new(), Vec::new());
    for table in tables {
        let reason = match table.pannier.kind {
            TableKind::Shadow => Some(SkipReason::Shadow),
            TableKind::Internal => Some(SkipReason::Internal),
            TableKind::Table => profile.data.skip.get(&table.name).cloned().map(SkipReason::Profile),
        };
        if let Some(reason) = reason {
            skipped.push(Skipped { table: table.name.clone(), rows: table.pannier.rows, reason });
        } else if !merged.contains(table.name.as_str()) {
            let entry = entry_of(table);
            let merge = merge_of(table).map(|merged| (merged, entry_of(merged)));
            let index_suffixes = &profile.data.index_suffixes;
            kept.push(TableContext { table, entry, merge, index_suffixes, references: &profile.data.references, tables });
        }
    }
    (kept, skipped)
}

/// One name for each table: the profile's first, then those that can stay as they are, then the others.
fn collection_names(tables: &[TableContext<'_>], profile: &Profile) -> Result<Vec<String>, MappingError> {
    let mut taken: HashMap<String, &str> = HashMap::new();
    let mut names = NameSet::default();
    let mut result = vec![String::new(); tables.len()];
    for (context, result) in tables.iter().zip(&mut result) {
        let Some(name) = &context.entry.collection else { continue };
        if let Some(first) = taken.insert(name.to_ascii_lowercase(), &context.table.name) {
            return Err(MappingError::CollectionTwice {
                profile: profile.label.clone(),
                collection: name.clone(),
                first: first.to_owned(),
                second: context.table.name.clone(),
            });
        }
        *result = names.claim(name, &context.table.name);
    }
    for unchanged in [true, false] {
        for (context, result) in tables.iter().zip(&mut result) {
            let table = &context.table.name;
            let name = names::collection_name(table);
            if result.is_empty() && unchanged == (name == *table) {
                *result = names.claim(&name, table);
            }
        }
    }
    Ok(result)
}

fn collection(context: &TableContext<'_>, name: &str, index_names: &mut NameSet) -> CollectionMapping {
    let table = context.table;
    let id_source = id_source(table);
    let preferred = preferred(context, &id_source);
    let mixed = is_mixed(table, &id_source, preferred);
    let merge = merge(context, &id_source);
    let Fields { all: fields, relations, dropped, columns, key_field, pending_key_field, unique } =
        fields::derive(context, &id_source, preferred, merge.as_ref());
    let has_key_field = fields.iter().any(|field| field.name == key_field);
    let mut collection = CollectionMapping {
        name: name.to_owned(),
        kind: if context.is_auth() { CollectionKind::Auth } else { CollectionKind::Base },
        table: table.name.clone(),
        rows: table.pannier.rows,
        columns: table.schema.fields.iter().map(|column| column.name.clone()).collect(),
        id: IdRule {
            source: id_source,
            preferred,
            mixed,
            key_field,
            has_key_field,
            pending_key_field: pending_key_field.map(Box::new),
            pending_key_index: None,
        },
        fields,
        relations,
        indexes: Vec::new(),
        unmapped_indexes: Vec::new(),
        references: references(context),
        dropped,
        created: time_column(context, context.entry.created.as_deref(), CREATED),
        updated: None,
        merge,
        auth: auth_rule(context),
    };
    collection.updated = time_column(context, context.entry.updated.as_deref(), UPDATED).or(collection.created);
    indexes::derive(context, &mut collection, &columns, &unique, index_names);
    collection
}

/// The columns that name rows of other tables: by the profile, by declared foreign keys of one column.
fn references(context: &TableContext<'_>) -> Vec<ReferenceMapping> {
    let by_name = |name: &str| context.tables.iter().find(|table| table.name == name);
    let mut found: Vec<ReferenceMapping> = Vec::new();
    let mut add = |from: &str, table: &str, to: Option<&str>| {
        let Some((column, table)) = context.column(from).zip(by_name(table)) else { return };
        let key = to.or(table.schema.primary_key.first().map(String::as_str)).unwrap_or("id");
        let Some(target) = table.column(key) else { return };
        if !found.iter().any(|other| other.column == column) {
            found.push(ReferenceMapping { column, table: table.name.clone(), target });
        }
    };
    let own = context.entry.references.iter();
    for (column, table) in own.chain(context.references.iter()) {
        add(column, table, Some("id"));
    }
    for key in &context.table.schema.foreign_keys {
        if let [column] = &key.fields[..] {
            add(column, &key.reference.resource, key.reference.fields.first().map(String::as_str));
        }
    }
    found
}

/// Names of columns that feed `created`, by preference.
const CREATED: &[&str] = &["created_at", "created", "createdAt", "date_created", "timestamp"];
/// Names of columns that feed `updated`, by preference.
const UPDATED: &[&str] = &["updated_at", "updated", "updatedAt", "modified_at", "modified", "date_modified", "last_modified"];

fn time_column(context: &TableContext<'_>, wish: Option<&str>, names: &[&str]) -> Option<usize> {
    wish.and_then(|name| context.column(name)).or_else(|| names.iter().find_map(|name| context.column(name)))
}

/// The primary key, else UNIQUE(id), else the first unique key without NULL.
pub(super) fn id_source(table: &Table) -> IdSource {
    let positions = |names: &[String]| -> Option<Vec<usize>> {
        names.iter().map(|name| column(table, name)).collect::<Option<Vec<usize>>>().filter(|all| !all.is_empty())
    };
    let source = |columns: Vec<usize>| match columns[..] {
        [single] => IdSource::Column(single),
        _ => IdSource::Columns(columns),
    };
    if let Some(columns) = positions(&table.schema.primary_key) {
        return source(columns);
    }
    let no_nulls = |columns: &Vec<usize>| columns.iter().all(|&column| table.schema.fields[column].pannier.found.nulls == 0);
    let keys: Vec<Vec<usize>> = table.pannier.unique.iter().filter_map(|names| positions(names)).filter(no_nulls).collect();
    let is_id = |columns: &&Vec<usize>| columns.len() == 1 && table.schema.fields[columns[0]].name.eq_ignore_ascii_case("id");
    match keys.iter().find(is_id).or(keys.first()) {
        Some(columns) => source(columns.clone()),
        None => IdSource::Ordinal,
    }
}

/// Integers and texts in the column whose values become ids.
fn is_mixed(table: &Table, id_source: &IdSource, preferred: Option<usize>) -> bool {
    let column = match id_source {
        IdSource::Column(column) => Some(*column),
        IdSource::Columns(columns) => preferred.and_then(|position| columns.get(position).copied()),
        IdSource::Ordinal => None,
    };
    column.is_some_and(|column| {
        let found = &table.schema.fields[column].pannier.found;
        found.integers > 0 && found.texts > 0
    })
}

/// The profile's choice among the columns of a key of several.
fn preferred(context: &TableContext<'_>, id_source: &IdSource) -> Option<usize> {
    let IdSource::Columns(columns) = id_source else { return None };
    let wish = context.column(context.entry.id.as_deref()?)?;
    columns.iter().position(|&column| column == wish)
}

fn merge(context: &TableContext<'_>, id_rule: &IdSource) -> Option<Merge> {
    let (merged, _) = context.merge?;
    let (IdSource::Column(main_key), IdSource::Column(key)) = (id_rule, id_source(merged)) else {
        return None;
    };
    Some(Merge {
        table: merged.name.clone(),
        columns: merged.schema.fields.iter().map(|column| column.name.clone()).collect(),
        key,
        main_key: *main_key,
    })
}

fn auth_rule(context: &TableContext<'_>) -> Option<AuthRule> {
    let entry = context.entry.auth.as_ref()?;
    Some(AuthRule {
        email: context.source(entry.email.as_deref()),
        password: context.source(entry.password.as_deref()),
        oauth: context.source(entry.oauth.as_deref()),
        oauth_sub: context.source(entry.oauth_sub.as_deref()),
    })
}

/// A relation to a collection that the bundle does not have is left out, with its field.
fn drop_dangling_relations(collections: &mut [CollectionMapping]) {
    let names: Vec<String> = collections.iter().map(|collection| collection.name.clone()).collect();
    for collection in collections {
        let kept: Vec<_> = collection.relations.iter().filter(|relation| names.contains(&relation.collection)).cloned().collect();
        if kept.len() == collection.relations.len() {
            continue;
        }
        collection.fields.retain_mut(|field| match &mut field.source {
            FieldSource::Relation(index) => {
                let position = kept.iter().position(|relation| relation.field == field.name);
                *index = position.unwrap_or_default();
                position.is_some()
            }
            _ => true,
        });
        collection.relations = kept;
    }
}
