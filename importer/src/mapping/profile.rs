//! Profiles: what is known of one application's tables, as data. What a profile does not name is derived by rule.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::error::MappingError;
use super::names;

/// The built-in profile for `Open WebUI` 0.3 to 0.12.
const OPEN_WEBUI: &str = include_str!("../../profiles/open-webui.toml");

/// The format of profiles that this program reads.
const FORMAT: u32 = 1;

/// A profile, read and checked. Entries for tables and columns that a bundle does not have are ignored.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    pub(super) label: String,
    pub(super) data: ProfileData,
}

/// The TOML document.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileData {
    format: u32,
    pub(super) name: String,
    /// Collections in load order, as far as foreign keys leave it open; the others follow by name.
    #[serde(default)]
    pub(super) order: Vec<String>,
    /// Columns whose names end so get an index.
    #[serde(default)]
    pub(super) index_suffixes: Vec<String>,
    /// Columns that name a row of another table by its `id`, in whatever table they stand: column to table.
    #[serde(default)]
    pub(super) references: BTreeMap<String, String>,
    /// Tables that stay in the bundle, with the reason.
    #[serde(default)]
    pub(super) skip: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) table: BTreeMap<String, TableEntry>,
}

/// `[table.NAME]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableEntry {
    /// The collection's name.
    pub(super) collection: Option<String>,
    /// The collection can sign in.
    pub(super) auth: Option<AuthEntry>,
    /// A table whose rows complete these, by the same key.
    pub(super) merge: Option<String>,
    /// One column of a key of several: its values are the ids, as far as they are unique.
    pub(super) id: Option<String>,
    /// The name of the field for the original key, where ids are derived.
    pub(super) key: Option<String>,
    /// The original key has a field even if no id is derived.
    #[serde(default)]
    pub(super) always_key: bool,
    /// The column that feeds `created`.
    pub(super) created: Option<String>,
    /// The column that feeds `updated`.
    pub(super) updated: Option<String>,
    /// Columns whose integers are kept digit by digit.
    #[serde(default)]
    pub(super) exact: Vec<String>,
    /// Columns whose text is JSON whatever their declared type.
    #[serde(default)]
    pub(super) json: Vec<String>,
    /// Columns whose integers 0 and 1 are false and true whatever their declared type.
    #[serde(default)]
    pub(super) bool: Vec<String>,
    /// Columns that only superusers may see.
    #[serde(default)]
    pub(super) hidden: Vec<String>,
    /// Columns of this table that name a row of another by its `id`: column to table.
    #[serde(default)]
    pub(super) references: BTreeMap<String, String>,
    /// Columns that stay in the bundle, with the reason.
    #[serde(default)]
    pub(super) drop: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) columns: BTreeMap<String, ColumnEntry>,
    #[serde(default)]
    pub(super) fields: BTreeMap<String, ComputedEntry>,
}

/// `[table.NAME.auth]`: columns, `TABLE.COLUMN` for the merged table's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthEntry {
    pub(super) email: Option<String>,
    pub(super) password: Option<String>,
    pub(super) oauth: Option<String>,
    pub(super) oauth_sub: Option<String>,
}

/// `[table.NAME.columns.COLUMN]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnEntry {
    /// The field's name.
    pub(super) field: Option<String>,
    /// The field's type.
    #[serde(rename = "type")]
    pub(super) kind: Option<TypeName>,
    /// The field has an index.
    #[serde(default)]
    pub(super) index: bool,
}

/// A type that a profile can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TypeName {
    Text,
    Number,
    Bool,
    Json,
    Exact,
    Any,
}

/// `[table.NAME.fields.FIELD]`: a field that no column has. One of `template`, `relation` and `file`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ComputedEntry {
    /// Text with columns in braces.
    pub(super) template: Option<String>,
    /// No two records have the same.
    #[serde(default)]
    pub(super) unique: bool,
    /// The collection that a relation points to.
    pub(super) relation: Option<String>,
    /// The JSON column with the list of keys.
    pub(super) from_json: Option<String>,
    /// Where the list stands in it.
    pub(super) pointer: Option<String>,
    /// The target's key columns: `$item` for the list's item, else a column of this table.
    #[serde(default)]
    pub(super) key: Vec<String>,
    /// Something of the row's file.
    pub(super) file: Option<FilePart>,
    /// The column with the file's name.
    pub(super) file_name: Option<String>,
}

/// What of a file a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FilePart {
    Content,
    Sha256,
    Bytes,
}

impl TableEntry {
    /// What holds for a table that the profile does not name.
    pub(super) const EMPTY: TableEntry = TableEntry {
        collection: None,
        auth: None,
        merge: None,
        id: None,
        key: None,
        always_key: false,
        created: None,
        updated: None,
        exact: Vec::new(),
        json: Vec::new(),
        bool: Vec::new(),
        hidden: Vec::new(),
        references: BTreeMap::new(),
        drop: BTreeMap::new(),
        columns: BTreeMap::new(),
        fields: BTreeMap::new(),
    };

    /// The type that the profile asks for.
    pub(super) fn wish(&self, column: &str) -> Option<TypeName> {
        let named = |list: &[String]| list.iter().any(|name| name == column);
        if let Some(kind) = self.columns.get(column).and_then(|entry| entry.kind) {
            Some(kind)
        } else if named(&self.exact) {
            Some(TypeName::Exact)
        } else if named(&self.json) {
            Some(TypeName::Json)
        } else if named(&self.bool) {
            Some(TypeName::Bool)
        } else {
            None
        }
    }
}

impl Profile {
    /// The built-in profile for `Open WebUI`.
    pub fn open_webui() -> Result<Profile, MappingError> {
        Profile::parse("open-webui", OPEN_WEBUI)
    }

    /// The empty profile: everything by rule.
    #[must_use]
    pub fn generic() -> Profile {
        let data = ProfileData { format: FORMAT, name: "generic".to_owned(), ..ProfileData::default() };
        Profile { label: "generic".to_owned(), data }
    }

    /// The built-in profile of that name.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Result<Profile, MappingError>> {
        match name {
            "open-webui" => Some(Profile::open_webui()),
            "generic" => Some(Ok(Profile::generic())),
            _ => None,
        }
    }

    /// Reads a profile from a file.
    pub fn read(path: &Path) -> Result<Profile, MappingError> {
        let text = std::fs::read_to_string(path).map_err(|source| MappingError::ProfileUnreadable { path: path.to_owned(), source })?;
        Profile::parse(&path.display().to_string(), &text)
    }

    /// Reads a profile from its text; `label` names it in errors.
    pub fn parse(label: &str, text: &str) -> Result<Profile, MappingError> {
        let data: ProfileData =
            toml::from_str(text).map_err(|source| MappingError::ProfileSyntax { profile: label.to_owned(), source: Box::new(source) })?;
        let profile = Profile { label: label.to_owned(), data };
        profile.check()?;
        Ok(profile)
    }

    /// The name that reports and the command line use.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.data.name
    }

    fn check(&self) -> Result<(), MappingError> {
        if self.data.format != FORMAT {
            return Err(MappingError::ProfileFormat { profile: self.label.clone(), format: self.data.format });
        }
        for (table, entry) in &self.data.table {
            self.check_table(&format!("table.{table}"), entry)?;
        }
        Ok(())
    }

    fn check_table(&self, path: &str, entry: &TableEntry) -> Result<(), MappingError> {
        let auth = entry.auth.is_some();
        if let Some(collection) = &entry.collection {
            self.require(names::is_word(collection), path, "collection", "not a name that PocketBase takes")?;
            self.require(
                auth || !collection.eq_ignore_ascii_case("users"),
                path,
                "collection",
                "users is an auth collection: it needs [auth]",
            )?;
        }
        if let Some(key) = &entry.key {
            self.check_field_name(path, "key", key, auth)?;
        }
        self.require(entry.merge.is_none() || auth, path, "merge", "only a table with [auth] can have another merged")?;
        let mut typed: Vec<&String> = entry.exact.iter().chain(&entry.json).chain(&entry.bool).collect();
        typed.sort();
        let unique = typed.windows(2).all(|pair| pair[0] != pair[1]);
        self.require(unique, path, "exact, json, bool", "a column is in more than one of them, or twice in one")?;
        for (column, column_entry) in &entry.columns {
            let path = format!("{path}.columns.{column}");
            if let Some(field) = &column_entry.field {
                self.check_field_name(&path, "field", field, auth)?;
            }
            let dropped = entry.drop.contains_key(column);
            self.require(!dropped, &path, "field", "the column is in drop")?;
        }
        for (field, computed) in &entry.fields {
            let path = format!("{path}.fields.{field}");
            self.check_field_name(&path, "name", field, auth)?;
            self.check_computed(&path, computed)?;
        }
        Ok(())
    }

    fn check_computed(&self, path: &str, entry: &ComputedEntry) -> Result<(), MappingError> {
        let kinds = usize::from(entry.template.is_some()) + usize::from(entry.relation.is_some()) + usize::from(entry.file.is_some());
        self.require(kinds == 1, path, "template", "a field needs one of template, relation and file")?;
        if let Some(template) = &entry.template {
            let sound = super::computed::template_columns(template).is_some();
            self.require(sound, path, "template", "a brace is not closed, or there is nothing in it")?;
        }
        if entry.relation.is_some() {
            self.require(entry.from_json.is_some(), path, "from_json", "a relation needs it")?;
            let pointer = entry.pointer.as_deref().unwrap_or_default();
            self.require(pointer.is_empty() || pointer.starts_with('/'), path, "pointer", "does not start with /")?;
            let items = entry.key.iter().filter(|part| *part == "$item").count();
            self.require(items == 1, path, "key", "$item must be in it once")?;
        }
        Ok(())
    }

    fn check_field_name(&self, path: &str, key: &str, name: &str, auth: bool) -> Result<(), MappingError> {
        self.require(names::is_word(name), path, key, "not a name that PocketBase takes")?;
        self.require(!names::is_reserved(name, auth), path, key, "PocketBase has a field of this name")
    }

    fn require(&self, sound: bool, entry: &str, key: &str, reason: &'static str) -> Result<(), MappingError> {
        if sound {
            return Ok(());
        }
        Err(MappingError::ProfileEntry { profile: self.label.clone(), entry: entry.to_owned(), key: key.to_owned(), reason })
    }
}
