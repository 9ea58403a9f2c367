//! What can be wrong with a profile. Data is never an error here: what does not fit is mapped, counted and named.

use std::path::PathBuf;

/// A profile that cannot be used. Each variant names the file, the entry and the key that is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// The profile file cannot be read.
    #[error("cannot read the profile {}", path.display())]
    ProfileUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or a key or type that profiles do not have.
    #[error("the profile {profile} is not valid")]
    ProfileSyntax {
        /// The file, or the name of a built-in profile.
        profile: String,
        /// Line, column and what was expected there.
        source: Box<toml::de::Error>,
    },
    /// A profile of a later format.
    #[error("the profile {profile} has format {format}, this program reads format 1")]
    ProfileFormat {
        /// The file, or the name of a built-in profile.
        profile: String,
        /// Its format.
        format: u32,
    },
    /// A well-formed entry that makes no sense.
    #[error("the profile {profile} is not valid: [{entry}] {key}: {reason}")]
    ProfileEntry {
        /// The file, or the name of a built-in profile.
        profile: String,
        /// The TOML table, for instance `table.chat.fields.tags`.
        entry: String,
        /// The key in it.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two tables of the bundle are sent to one collection.
    #[error("the profile {profile} maps both table {first} and table {second} to collection {collection}")]
    CollectionTwice {
        /// The file, or the name of a built-in profile.
        profile: String,
        /// The collection.
        collection: String,
        /// One table.
        first: String,
        /// The other.
        second: String,
    },
}
