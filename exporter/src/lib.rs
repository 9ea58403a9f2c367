//! The exporter: freezes a SQL source and its files, and writes one bundle. It knows nothing of PocketBase, prints nothing,
//! and never changes what it reads.

mod ddl;
mod error;
pub mod export;
pub mod files;
mod hint;
mod interrupt;
pub mod noticed;
pub mod plan;
pub mod profile;
pub mod progress;
pub mod source;
pub mod url;
mod writing;

pub use error::Error;
pub use export::{ExportReport, ExportRequest, export};
pub use interrupt::Interrupt;
pub use plan::{PlanReport, plan};
