//! The mapping engine: from a bundle's table descriptions and a profile to collections, and from a row to a record.
//!
//! It is pure: no network, no files, no clock. `schema`, `plan`, `apply` and `compare` all ask the same functions, so they
//! cannot disagree. The order of use:
//!
//! 1. [`Profile::open_webui`], [`Profile::generic`] or [`Profile::parse`], then [`Mapping::derive`];
//! 2. for each collection one pass over its rows with a [`Scanner`] (sometimes two), then [`Mapping::settle`] with the
//!    [`Facts`] found: now the collections are final ([`collection_json`]);
//! 3. a [`Converter`] per collection turns rows into [`Record`]s: [`Record::write_body`] is what is sent,
//!    [`Record::values`] is what must be read back ([`compare_field`]);
//! 4. when all collections are loaded, a [`RelationConverter`] per [`RelationMapping`] yields the relations.

mod collection_json;
mod computed;
mod convert;
mod derive;
mod email;
mod error;
mod facts;
mod field_types;
mod fields;
mod ids;
mod indexes;
pub mod json;
mod model;
mod names;
mod order;
mod profile;
mod record;
mod relation;
mod time;
mod values;

pub use collection_json::{collection_id, collection_json};
pub use convert::{Converter, Input};
pub use email::is_acceptable_email;
pub use error::MappingError;
pub use facts::{Facts, IdSet, Scanner};
pub use ids::{RecordId, fits_record_id};
pub use json::Match;
pub use model::{
    AuthRule, CollectionKind, CollectionMapping, DroppedColumn, FieldKind, FieldMapping, FieldSource, IdRule, IdSource, IndexMapping,
    JsonEncoding, LossyKind, Mapping, Merge, PossibleLoss, ReferenceMapping, RelationKeyPart, RelationMapping, SkipReason, Skipped,
    TemplatePart, UnmappedIndex,
};
pub use profile::Profile;
pub use record::{ExternalAuth, FieldValue, FileContent, Lossy, Record, Refusal, RefusalReason, Secret, Upload, compare_field};
pub use relation::{RelationConverter, RelationUpdate};
pub use time::to_pocketbase_time;
