//! pannier-import: replays a bundle into PocketBase and proves that nothing was lost.
//!
//! The way of a row from table to record reads from top to bottom in [`import`]; [`compare`] goes the same way back.

pub mod cli;
pub mod commands;
pub mod compare;
mod error;
mod external_auth;
pub mod failures;
pub mod import;
pub mod interrupt;
pub mod mapping;
pub mod monitor;
pub mod orphans;
pub mod plan;
pub mod pocketbase;
pub mod prepare;
pub mod report;
mod stored_file;
pub mod target;

pub use error::ImportError;
