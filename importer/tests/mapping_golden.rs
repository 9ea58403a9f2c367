//! The derived plans of three `Open WebUI` databases as tested text: what a change of rule or profile does shows here.
//!
//! `PANNIER_BLESS=1 cargo test --test mapping_golden` writes the texts anew; read the difference before committing it.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use pannier_format::Table;
use pannier_importer::mapping::{CollectionMapping, FieldSource, IdSource, Mapping, Profile, TemplatePart, collection_json};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn tables(version: &str) -> Result<Vec<Table>, Box<dyn std::error::Error>> {
    Ok(serde_json::from_str(&std::fs::read_to_string(data(&format!("openwebui-{version}.tables.json")))?)?)
}

fn describe(mapping: &Mapping) -> Result<String, std::fmt::Error> {
    let mut text = format!("profile {}\n", mapping.profile);
    for skipped in &mapping.skipped {
        writeln!(text, "skipped {} ({} rows): {}", skipped.table, skipped.rows, skipped.reason)?;
    }
    for collection in &mapping.collections {
        describe_collection(&mut text, collection)?;
    }
    Ok(text)
}

fn describe_collection(text: &mut String, collection: &CollectionMapping) -> std::fmt::Result {
    let column = |index: &usize| collection.columns[*index].clone();
    let merged = |index: &usize| collection.merge.as_ref().map(|merge| format!("{}.{}", merge.table, merge.columns[*index]));
    writeln!(text, "\n{} from {} ({} rows), {:?}", collection.name, collection.table, collection.rows, collection.kind)?;
    let key = match &collection.id.source {
        IdSource::Column(index) => column(index),
        IdSource::Columns(all) => all.iter().map(column).collect::<Vec<_>>().join(", "),
        IdSource::Ordinal => "none".to_owned(),
    };
    let field = if collection.id.has_key_field { "in field" } else { "if needed in field" };
    writeln!(text, "  id from {key}; {field} {}", collection.id.key_field)?;
    let time = |index: Option<usize>| index.as_ref().map_or("nothing".to_owned(), column);
    writeln!(text, "  created from {}, updated from {}", time(collection.created), time(collection.updated))?;
    for field in &collection.fields {
        let source = match &field.source {
            FieldSource::Column(index) => column(index),
            FieldSource::Merged(index) => merged(index).unwrap_or_default(),
            FieldSource::Template(parts) => parts
                .iter()
                .map(|part| match part {
                    TemplatePart::Text(text) => text.clone(),
                    TemplatePart::Column(index) => format!("{{{}}}", column(index)),
                })
                .collect(),
            other => format!("{other:?}"),
        };
        let hidden = if field.hidden { " hidden" } else { "" };
        write!(text, "  {}: {:?}{hidden} <- {source}", field.name, field.kind)?;
        for loss in field.losses.iter().filter(|loss| loss.values.is_some()) {
            write!(text, "; {} {}", loss.values.unwrap_or_default(), loss.kind)?;
        }
        for note in &field.notes {
            write!(text, "; {note}")?;
        }
        text.push('\n');
    }
    for dropped in &collection.dropped {
        writeln!(text, "  dropped {}.{}: {}", dropped.table, dropped.column, dropped.reason)?;
    }
    for index in &collection.indexes {
        writeln!(text, "  {}", index.sql)?;
    }
    for index in &collection.unmapped_indexes {
        writeln!(text, "  index {}: {}", index.name, index.reason)?;
    }
    Ok(())
}

fn golden(version: &str, profile: &Profile) -> Outcome {
    let mapping = Mapping::derive(&tables(version)?, profile)?;
    check(&mapping);
    let text = describe(&mapping)?;
    let path = data(&format!("openwebui-{version}.{}.txt", profile.name()));
    if std::env::var_os("PANNIER_BLESS").is_some() {
        std::fs::write(&path, &text)?;
    }
    let expected = std::fs::read_to_string(&path)?;
    for (line, (expected, actual)) in expected.lines().zip(text.lines()).enumerate() {
        assert_eq!(actual, expected, "{} line {}", path.display(), line + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count());
    Ok(())
}

/// What must hold for every mapping.
fn check(mapping: &Mapping) {
    let mut indexes = HashSet::new();
    let mut names = HashSet::new();
    for collection in &mapping.collections {
        assert!(names.insert(collection.name.to_lowercase()), "{}", collection.name);
        let mut fields = HashSet::new();
        for field in &collection.fields {
            assert!(fields.insert(field.name.to_lowercase()), "{}.{}", collection.name, field.name);
        }
        for index in &collection.indexes {
            assert!(indexes.insert(index.name.to_lowercase()), "{}", index.name);
            for field in &index.fields {
                assert!(field == "id" || collection.field(field).is_some(), "{} {field}", index.sql);
            }
        }
        let json = collection_json(collection);
        let ids: HashSet<&str> = json["fields"].as_array().into_iter().flatten().filter_map(|field| field["id"].as_str()).collect();
        assert_eq!(ids.len(), json["fields"].as_array().map_or(0, Vec::len), "{}", collection.name);
        // Every column has a place, or a reason why it has none.
        let used: HashSet<usize> = collection
            .fields
            .iter()
            .filter_map(|field| if let FieldSource::Column(index) = field.source { Some(index) } else { None })
            .collect();
        for (index, column) in collection.columns.iter().enumerate() {
            let dropped = collection.dropped.iter().any(|dropped| dropped.table == collection.table && dropped.column == *column);
            let is_key = match &collection.id.source {
                IdSource::Column(key) => *key == index,
                IdSource::Columns(key) => collection.id.preferred.is_some_and(|position| key[position] == index),
                IdSource::Ordinal => false,
            };
            let is_id = is_key && column.eq_ignore_ascii_case("id");
            assert!(used.contains(&index) || dropped || is_id, "{}.{column}", collection.table);
        }
    }
}

#[test]
fn open_webui_0_12_4() -> Outcome {
    golden("0.12.4", &Profile::open_webui()?)
}

#[test]
fn open_webui_0_6_43() -> Outcome {
    golden("0.6.43", &Profile::open_webui()?)
}

#[test]
fn open_webui_0_3_35() -> Outcome {
    golden("0.3.35", &Profile::open_webui()?)
}

#[test]
fn by_rule_alone() -> Outcome {
    golden("0.12.4", &Profile::generic())
}
