//! importer

pub mod mapping;
pub mod pocketbase;
