//! The bundle being written, with a count of the problems that go into it.

use std::collections::BTreeMap;
use std::io::Read;

use pannier_format::{BlobEntry, BlobRef, BundleWriter, Problem};

use crate::Error;

/// How many problems are kept in memory to be shown at the end. All of them are in the bundle.
pub const SHOWN_PROBLEMS: usize = 20;

/// Wraps the writer so that no problem is recorded without being counted.
pub struct Writing<'w> {
    bundle: &'w mut BundleWriter,
    /// How many problems, by code.
    pub counts: BTreeMap<String, u64>,
    /// The first of them.
    pub first: Vec<Problem>,
}

impl<'w> Writing<'w> {
    /// Nothing counted yet.
    pub fn new(bundle: &'w mut BundleWriter) -> Writing<'w> {
        Writing { bundle, counts: BTreeMap::new(), first: Vec::new() }
    }

    /// The writer itself.
    pub fn bundle(&mut self) -> &mut BundleWriter {
        self.bundle
    }

    /// Records a problem.
    pub fn problem(&mut self, problem: &Problem) -> Result<(), Error> {
        *self.counts.entry(problem.code.clone()).or_insert(0) += 1;
        if self.first.len() < SHOWN_PROBLEMS {
            self.first.push(problem.clone());
        }
        Ok(self.bundle.problem(problem)?)
    }

    /// Stores a file's content. A failing read leaves the bundle as it was.
    pub fn blob(&mut self, content: &mut dyn Read) -> Result<BlobRef, pannier_format::Error> {
        self.bundle.blob(content)
    }

    /// Enters a file into the index.
    pub fn entry(&mut self, entry: &BlobEntry) -> Result<(), Error> {
        Ok(self.bundle.blob_entry(entry)?)
    }
}
