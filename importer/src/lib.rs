//! importer

pub mod pocketbase;
