//! The Pannier bundle: a BagIt bag in one tar, Parquet tables and content-addressed blobs. `SPEC.md` is the text; this
//! crate writes it, reads it and verifies it. Nothing here knows of a database driver, a network or a runtime.

pub mod blobs;
mod descriptor;
pub mod digest;
mod error;
mod member;
pub mod names;
mod odd;
mod package;
mod page_guard;
mod part;
mod physical;
mod problem;
mod reader;
mod rows;
mod structure;
mod table_writer;
mod tar_header;
mod tar_index;
mod thrift;
mod value;
mod verify;
mod verify_blobs;
mod writer;

pub use blobs::{BlobEntry, BlobState};
pub use error::{Blame, Error};
pub use member::BlobReader;
pub use package::{
    BlobTotals, Column, ColumnInfo, DataPackage, ForeignKey, Found, Index, PackageInfo, Reference, SourceInfo, Table, TableInfo, TableKind,
    TableSchema,
};
pub use problem::Problem;
pub use reader::{BlobEntries, Bundle};
pub use rows::{RowBatch, TableReader};
pub use table_writer::TableWriter;
pub use value::{Class, OwnedValue, Value};
pub use verify::{VerifyReport, verify};
pub use writer::{BlobRef, BundleWriter, Summary, WriterOptions};

/// The version of the format that this crate writes: `major.minor`. A higher major cannot be read, a higher minor can.
pub const FORMAT_VERSION: &str = "1.0";

/// Lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
