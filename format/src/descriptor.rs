//! Reads the descriptor of a bundle that may be damaged or hostile, and holds it against itself: what it says about a table
//! must be something that a table can be.

use std::collections::HashSet;

use serde::Deserialize;

use crate::physical::class_of;
use crate::structure::is_sha256;
use crate::writer::TABLES;
use crate::{DataPackage, FORMAT_VERSION, Problem, Table, blobs, names};

/// Where the descriptor is.
pub(crate) const DESCRIPTOR: &str = "data/datapackage.json";
/// The longest descriptor: for some 30,000 columns as it is written, 50,000 without its spaces. Parsed, a hostile one takes ten
/// times as much memory.
pub(crate) const DESCRIPTOR_BYTES: u64 = 16 << 20;

/// The text of a descriptor, for people if there is room; `None` if it is too long even without spaces.
pub(crate) fn to_text(package: &DataPackage) -> serde_json::Result<Option<Vec<u8>>> {
    let fits = |text: &Vec<u8>| (text.len() as u64) < DESCRIPTOR_BYTES;
    let mut text = serde_json::to_vec_pretty(package)?;
    if !fits(&text) {
        text = serde_json::to_vec(package)?;
    }
    text.push(b'\n');
    Ok(Some(text).filter(fits))
}

/// As much as is needed to read a version, whatever else a later format may have.
#[derive(Deserialize)]
struct Version {
    pannier: VersionInfo,
}

#[derive(Deserialize)]
struct VersionInfo {
    format: String,
}

/// The version of a descriptor that this crate cannot read. It is looked at first: a newer descriptor may not even parse.
pub(crate) fn newer_format(text: &[u8]) -> Option<String> {
    let version = serde_json::from_slice::<Version>(text).ok()?.pannier.format;
    (major(&version)? > major(FORMAT_VERSION)?).then_some(version)
}

fn major(version: &str) -> Option<u64> {
    version.split('.').next()?.parse().ok()
}

/// Parses a descriptor and names what in it contradicts itself; the reason if it cannot be parsed.
pub(crate) fn parse(text: &[u8], bundle_name: &str, problem: &mut dyn FnMut(Problem)) -> Result<DataPackage, String> {
    let package: DataPackage = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let mut report = |reason: String| problem(Problem::new("descriptor", DESCRIPTOR, reason));
    if major(&package.pannier.format).is_none() {
        report(format!("has the format {:?}, which is no version", package.pannier.format));
    }
    if package.name != bundle_name.to_ascii_lowercase() {
        report(format!("is that of {:?}, not of this bundle", package.name));
    }
    let (mut tables, mut parts) = (HashSet::new(), HashSet::new());
    for table in &package.resources {
        if !tables.insert(&table.name) {
            report(format!("has two tables {:?}", table.name));
        }
        check_table(table, |path| path.starts_with(&format!("{TABLES}/")), &mut report);
    }
    check_table(&package.pannier.index, |path| path.starts_with(blobs::TABLE) && !path.contains('/'), &mut report);
    for (table, path) in
        package.resources.iter().chain([&package.pannier.index]).flat_map(|table| table.path.iter().map(move |path| (table, path)))
    {
        if !parts.insert(path) {
            report(format!("table {:?} has a part that is another's or named twice: {path:?}", table.name));
        }
    }
    Ok(package)
}

fn check_table(table: &Table, in_place: impl Fn(&str) -> bool, report: &mut dyn FnMut(String)) {
    let mut wrong = |what: &str| report(format!("table {:?} {what}", table.name));
    if table.path.is_empty() {
        wrong("has no part");
    }
    if !table.path.iter().all(|path| names::is_member_path(path) && in_place(path)) {
        wrong("has a part where there can be none");
    }
    if table.format != "parquet" {
        wrong("is not Parquet");
    }
    if !is_sha256(&table.pannier.digest) {
        wrong("has a digest that is none");
    }
    let mut columns: HashSet<&str> = HashSet::new();
    if !table.schema.fields.iter().all(|column| columns.insert(&column.name)) {
        wrong("has two columns of the same name");
    }
    if table.pannier.odd.as_ref().is_some_and(|odd| columns.contains(odd.as_str())) {
        wrong("has a column that is also the one for odd values");
    }
    if !table.schema.fields.iter().all(|column| class_of(&column.kind).is_some()) {
        wrong("has a column of a type that there is not");
    }
    if !table.schema.primary_key.iter().all(|name| columns.contains(name.as_str())) {
        wrong("has a key of columns that it has not");
    }
}
