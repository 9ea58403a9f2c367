//! Fields that no column has: templates, relations, and what is known of a row's file.

use super::derive::TableContext;
use super::field_types::{file_limit, text_limit};
use super::model::{FieldKind, FieldMapping, FieldSource, RelationKeyPart, RelationMapping, TemplatePart};
use super::profile::{ComputedEntry, FilePart};

/// A template's parts, columns by name; `None` if its braces do not match.
pub(super) fn template_columns(template: &str) -> Option<Vec<(String, Option<String>)>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (column, tail) = after.split_once('}')?;
        if column.is_empty() || column.contains('{') || before.contains('}') {
            return None;
        }
        parts.push((before.to_owned(), Some(column.to_owned())));
        rest = tail;
    }
    if rest.contains('}') {
        return None;
    }
    parts.push((rest.to_owned(), None));
    Some(parts)
}

/// The field and, for a relation, what fills it; `None` if the bundle lacks a column that it needs.
pub(super) fn computed_field(
    context: &TableContext<'_>,
    name: &str,
    entry: &ComputedEntry,
    relations: &mut Vec<RelationMapping>,
) -> Option<FieldMapping> {
    if let Some(template) = &entry.template {
        return template_field(context, name, template);
    }
    if let Some(part) = entry.file {
        return Some(file_field(context, name, part, entry));
    }
    let relation = relation(context, name, entry)?;
    let kind = FieldKind::Relations { collection: relation.collection.clone() };
    relations.push(relation);
    Some(field(name, kind, FieldSource::Relation(relations.len() - 1)))
}

fn field(name: &str, kind: FieldKind, source: FieldSource) -> FieldMapping {
    FieldMapping { name: name.to_owned(), kind, source, hidden: false, losses: Vec::new(), notes: Vec::new() }
}

fn template_field(context: &TableContext<'_>, name: &str, template: &str) -> Option<FieldMapping> {
    let mut parts = Vec::new();
    let mut longest_bytes = 0;
    for (text, column) in template_columns(template)? {
        longest_bytes += text.len() as u64;
        if !text.is_empty() {
            parts.push(TemplatePart::Text(text));
        }
        if let Some(column) = column {
            let index = context.column(&column)?;
            longest_bytes += context.table.schema.fields[index].pannier.found.longest_bytes.max(24);
            parts.push(TemplatePart::Column(index));
        }
    }
    let kind = FieldKind::Text { max_chars: text_limit(longest_bytes) };
    Some(field(name, kind, FieldSource::Template(parts)))
}

fn file_field(context: &TableContext<'_>, name: &str, part: FilePart, entry: &ComputedEntry) -> FieldMapping {
    match part {
        FilePart::Content => {
            let name_column = entry.file_name.as_deref().and_then(|column| context.column(column));
            let kind = FieldKind::File { max_bytes: file_limit(0) };
            field(name, kind, FieldSource::File { name: name_column })
        }
        FilePart::Sha256 => field(name, FieldKind::Text { max_chars: text_limit(0) }, FieldSource::FileSha256),
        FilePart::Bytes => field(name, FieldKind::Number, FieldSource::FileBytes),
    }
}

fn relation(context: &TableContext<'_>, name: &str, entry: &ComputedEntry) -> Option<RelationMapping> {
    let mut key = Vec::new();
    for part in &entry.key {
        key.push(if part == "$item" { RelationKeyPart::Item } else { RelationKeyPart::Column(context.column(part)?) });
    }
    let pointer = entry.pointer.as_deref().unwrap_or_default();
    Some(RelationMapping {
        field: name.to_owned(),
        collection: entry.relation.clone()?,
        column: context.column(entry.from_json.as_deref()?)?,
        pointer: pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect(),
        key,
    })
}

#[cfg(test)]
mod tests {
    use super::template_columns;

    #[test]
    fn templates() {
        let parts = template_columns("{id}:{user_id}").expect("sound");
        let columns: Vec<&str> = parts.iter().filter_map(|(_, column)| column.as_deref()).collect();
        assert_eq!(columns, ["id", "user_id"]);
        assert_eq!(parts[1].0, ":");
        assert!(template_columns("plain").is_some());
        for broken in ["{id", "id}", "{}", "{a{b}", "a}b{c}"] {
            assert!(template_columns(broken).is_none(), "{broken}");
        }
    }
}
