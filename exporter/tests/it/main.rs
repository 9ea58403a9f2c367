//! Tests of `pannier-export` as its users meet it: a source, a command line, what it says, what it leaves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod errors;
mod files;
mod freeze;
mod plan;
mod schema;
mod support;
mod unchanged;
mod values;
