//! The mapping itself: which collection each table becomes, field by field, as data that `plan` can print.

use std::fmt;

/// Where every table of a bundle goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// The profile's name.
    pub profile: String,
    /// The collections in load order.
    pub collections: Vec<CollectionMapping>,
    /// The tables that do not become a collection of their own.
    pub skipped: Vec<Skipped>,
}

/// A table that does not become a collection of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// Why.
    pub reason: SkipReason,
}

/// Why a table does not become a collection of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// Storage of a virtual table.
    Shadow,
    /// The engine's own.
    Internal,
    /// The profile says so, for this reason.
    Profile(String),
    /// Its rows complete those of this collection.
    MergedInto(String),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SkipReason::Shadow => f.write_str("storage of a virtual table"),
            SkipReason::Internal => f.write_str("the engine's own"),
            SkipReason::Profile(reason) => f.write_str(reason),
            SkipReason::MergedInto(collection) => write!(f, "merged into {collection}"),
        }
    }
}

/// What kind of collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectionKind {
    /// Plain records.
    Base,
    /// Records that can sign in.
    Auth,
}

/// One table, and the collection it becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectionMapping {
    /// The collection's name.
    pub name: String,
    /// Its kind.
    pub kind: CollectionKind,
    /// The table.
    pub table: String,
    /// Its rows, as the bundle counts them.
    pub rows: u64,
    /// Its columns, in row order.
    pub columns: Vec<String>,
    /// How a row gets its record id.
    pub id: IdRule,
    /// The fields, apart from `id`, `created`, `updated` and the system fields of auth collections other than `email`.
    pub fields: Vec<FieldMapping>,
    /// Relations, filled in a second pass when every collection is loaded; each has its field in `fields`.
    pub relations: Vec<RelationMapping>,
    /// The indexes, as SQL.
    pub indexes: Vec<IndexMapping>,
    /// Indexes of the source that have no equal here, or a weaker one.
    pub unmapped_indexes: Vec<UnmappedIndex>,
    /// Columns that name rows of other tables: what points nowhere is reported, and carried over all the same.
    pub references: Vec<ReferenceMapping>,
    /// Columns that are in the bundle only.
    pub dropped: Vec<DroppedColumn>,
    /// Column whose time becomes `created`.
    pub created: Option<usize>,
    /// Column whose time becomes `updated`.
    pub updated: Option<usize>,
    /// A second table whose rows complete these.
    pub merge: Option<Merge>,
    /// What an auth collection needs besides fields.
    pub auth: Option<AuthRule>,
}

/// A second table whose rows complete those of the first: same key, one row each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The second table.
    pub table: String,
    /// Its columns, in row order.
    pub columns: Vec<String>,
    /// Its key column.
    pub key: usize,
    /// The key column of the first table.
    pub main_key: usize,
}

/// Where an account's secrets and outside identities stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthRule {
    /// Column with the e-mail address; without one every account gets a placeholder.
    pub email: Option<FieldSource>,
    /// Column with the password's hash; without one every account needs a reset.
    pub password: Option<FieldSource>,
    /// Column with a JSON object `{"provider": {"sub": "…"}}`.
    pub oauth: Option<FieldSource>,
    /// Column with the text `provider@sub`.
    pub oauth_sub: Option<FieldSource>,
}

/// How a row gets its record id.
#[derive(Clone, Debug, PartialEq)]
pub struct IdRule {
    /// The key it comes from.
    pub source: IdSource,
    /// Position in a key of several columns whose value is the id where no other row has it; else ids are derived.
    pub preferred: Option<usize>,
    /// The key column holds integers and texts: the text `1` is another key than the integer, and its id is derived.
    pub mixed: bool,
    /// Name for the field that holds the column called `id`, should ids have to be derived.
    pub key_field: String,
    /// `key_field` exists: it is in the mapping's fields.
    pub has_key_field: bool,
    /// The field to add when a scan finds keys that are no ids.
    pub(super) pending_key_field: Option<Box<FieldMapping>>,
    /// The index to add with it.
    pub(super) pending_key_index: Option<IndexMapping>,
}

/// The key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdSource {
    /// One column: its text or digits are the id where `PocketBase` takes them, else the id is derived from them.
    Column(usize),
    /// Several columns: ids are derived from all, unless one is preferred.
    Columns(Vec<usize>),
    /// No usable key: ids are derived from the row's position in the bundle.
    Ordinal,
}

/// One field of a collection.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldMapping {
    /// The field's name.
    pub name: String,
    /// Its type and limits.
    pub kind: FieldKind,
    /// Where its value comes from.
    pub source: FieldSource,
    /// Only superusers see it.
    pub hidden: bool,
    /// What may be lost, and how often where the bundle's statistics tell.
    pub losses: Vec<PossibleLoss>,
    /// Remarks for `plan`: how values are encoded, or that the profile's wish could not be granted.
    pub notes: Vec<&'static str>,
}

/// A loss that the statistics of the bundle show or allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PossibleLoss {
    /// What is lost.
    pub kind: LossyKind,
    /// How many values; `None`: only a look at the values tells.
    pub values: Option<u64>,
}

/// A field's type and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Text of at most so many characters.
    Text {
        /// The limit in Unicode characters.
        max_chars: u64,
    },
    /// A float64.
    Number,
    /// True or false.
    Bool,
    /// JSON text of at most so many bytes.
    Json {
        /// The limit in bytes.
        max_bytes: u64,
        /// How values become JSON.
        encoding: JsonEncoding,
    },
    /// The e-mail address of an auth collection (a system field).
    Email,
    /// One protected file.
    File {
        /// The limit in bytes.
        max_bytes: u64,
    },
    /// Any number of records of another collection.
    Relations {
        /// That collection.
        collection: String,
    },
}

/// How values become JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonEncoding {
    /// Text is JSON already and is kept as it is; other classes as in `Value`.
    Document,
    /// Text becomes a JSON string, an integer its digits, a blob `{"$base64": "…"}`, NULL stays NULL.
    Value,
}

/// Where a field's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldSource {
    /// A column of the table.
    Column(usize),
    /// A column of the merged table.
    Merged(usize),
    /// Columns and literal text, joined.
    Template(Vec<TemplatePart>),
    /// The SHA-256 of the row's file, in hexadecimal.
    FileSha256,
    /// The size of the row's file in bytes.
    FileBytes,
    /// The row's file; its name stands in this column.
    File {
        /// Column with the name.
        name: Option<usize>,
    },
    /// Filled in the second pass: index into the collection's relations.
    Relation(usize),
    /// The e-mail address of the row where the server refuses it as one: what the account signs in with instead.
    Login,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePart {
    /// This text.
    Text(String),
    /// A column's value as text; nothing for NULL.
    Column(usize),
}

/// A relation that is computed from a list of keys in a JSON column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationMapping {
    /// The field's name.
    pub field: String,
    /// The collection it points to.
    pub collection: String,
    /// The column with the JSON text.
    pub column: usize,
    /// Where the list stands in it (a JSON pointer's unescaped parts).
    pub pointer: Vec<String>,
    /// The target's key, in the order of its key columns.
    pub key: Vec<RelationKeyPart>,
}

/// One column of a relation target's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelationKeyPart {
    /// The item of the list.
    Item,
    /// This column of the row.
    Column(usize),
}

/// A column that names a row of another table, declared or by the profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceMapping {
    /// The column that refers.
    pub column: usize,
    /// The table referred to.
    pub table: String,
    /// The column of that table.
    pub target: usize,
}

/// An index of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexMapping {
    /// Its name, unique in the database.
    pub name: String,
    /// It allows a key once.
    pub unique: bool,
    /// Its fields.
    pub fields: Vec<String>,
    /// The statement.
    pub sql: String,
}

/// An index of the source that has no equal in the collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmappedIndex {
    /// Its name, or its columns for a constraint.
    pub name: String,
    /// What became of it.
    pub reason: &'static str,
}

/// A column that stays in the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedColumn {
    /// Its table: the collection's own or the merged one.
    pub table: String,
    /// The column.
    pub column: String,
    /// The profile's reason.
    pub reason: String,
}

/// What a conversion loses or changes. The bundle keeps the value in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LossyKind {
    /// NULL in a text field reads as empty text.
    NullAsEmpty,
    /// NULL in a number field reads as 0.
    NullAsZero,
    /// NULL in a bool field reads as false.
    NullAsFalse,
    /// Text that is not UTF-8: U+FFFD stands for each broken sequence.
    NotUtf8,
    /// Text in a JSON column that is not JSON (`NaN`, truncated …): kept as a JSON string holding the text.
    NotJson,
    /// JSON with a repeated key, which newer servers refuse: kept as a JSON string holding the text.
    DuplicateKey,
    /// JSON with a number beyond the range of a float64, which newer servers refuse: kept as a JSON string.
    NumberRange,
    /// JSON nested so deep that servers cannot read it back: kept as a JSON string.
    TooDeep,
    /// A bare number with more digits than the server keeps: kept as a JSON string holding the digits.
    NumberDigits,
    /// A number whose spelling changes (`1.0` reads as `1`, `-0.0` as `0`); its value does not.
    NumberSpelling,
    /// White space before or after a JSON text is cut.
    WhiteSpace,
    /// A lone surrogate escape in JSON: stored as it is, but newer servers show U+FFFD in its place.
    LoneSurrogate,
    /// ±Infinity or NaN: 0 in a number field, the word as a JSON string in a json field.
    NotFinite,
    /// A number that float64 cannot hold or a text that is none, in a field that the profile made a number: stored as 0.
    NotANumber,
    /// An e-mail address that the server refuses, or a second account with the same one: a placeholder stands for it.
    EmailReplaced,
}

impl LossyKind {
    /// The word for reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LossyKind::NullAsEmpty => "null-as-empty",
            LossyKind::NullAsZero => "null-as-zero",
            LossyKind::NullAsFalse => "null-as-false",
            LossyKind::NotUtf8 => "not-utf8",
            LossyKind::NotJson => "not-json",
            LossyKind::DuplicateKey => "duplicate-key",
            LossyKind::NumberRange => "number-range",
            LossyKind::TooDeep => "too-deep",
            LossyKind::NumberDigits => "number-digits",
            LossyKind::NumberSpelling => "number-spelling",
            LossyKind::WhiteSpace => "white-space",
            LossyKind::LoneSurrogate => "lone-surrogate",
            LossyKind::NotFinite => "not-finite",
            LossyKind::NotANumber => "not-a-number",
            LossyKind::EmailReplaced => "email-replaced",
        }
    }
}

impl fmt::Display for LossyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Mapping {
    /// The collection of that name.
    #[must_use]
    pub fn collection(&self, name: &str) -> Option<&CollectionMapping> {
        self.collections.iter().find(|collection| collection.name == name)
    }

    /// The collection that a table becomes.
    #[must_use]
    pub fn of_table(&self, table: &str) -> Option<&CollectionMapping> {
        self.collections.iter().find(|collection| collection.table == table)
    }
}

impl CollectionMapping {
    /// The field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldMapping> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Raises the limit of the file fields to what the bundle's largest file needs.
    pub fn set_largest_file(&mut self, largest_bytes: u64) {
        for field in &mut self.fields {
            if let FieldKind::File { max_bytes } = &mut field.kind {
                *max_bytes = super::field_types::file_limit(largest_bytes);
            }
        }
    }
}
