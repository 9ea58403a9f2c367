//! importer
pub mod mapping;
