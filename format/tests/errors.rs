//! Errors are written for people: lower case, no full stop, a hint, and a chain in which nothing is said twice.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error as _;
use std::io;
use std::path::PathBuf;

use pannier_format::{Blame, Error};

/// One of every variant. The match makes a new variant fail to compile until it is here.
fn every_variant() -> Vec<Error> {
    let path = || PathBuf::from("folder/a.tar");
    let io = || io::Error::new(io::ErrorKind::StorageFull, "the disk is full");
    let text = || "chat".to_owned();
    let all = vec![
        Error::OutputExists { path: path() },
        Error::Create { path: path(), source: io() },
        Error::Write { path: path(), source: io() },
        Error::ReadBlob { source: io() },
        Error::TooManyColumns { tables: 1000, columns: 100_000 },
        Error::Read { path: path(), source: io() },
        Error::NotABundle { path: path(), reason: "it is empty".to_owned() },
        Error::Damaged { path: path(), reason: "data/x is missing".to_owned() },
        Error::NewerFormat { path: path(), found: "2.0".to_owned() },
        Error::Parquet { table: text(), source: parquet::errors::ParquetError::EOF("early".to_owned()) },
        Error::RowWidth { table: text(), expected: 2, found: 1 },
        Error::MemberPath { path: "../x".to_owned() },
        Error::TableUnfinished { table: text() },
        Error::Descriptor { source: serde_json::from_str::<u8>("x").unwrap_err() },
    ];
    for error in &all {
        match error {
            Error::OutputExists { .. }
            | Error::Create { .. }
            | Error::Write { .. }
            | Error::ReadBlob { .. }
            | Error::TooManyColumns { .. }
            | Error::Read { .. }
            | Error::NotABundle { .. }
            | Error::Damaged { .. }
            | Error::NewerFormat { .. }
            | Error::Parquet { .. }
            | Error::RowWidth { .. }
            | Error::MemberPath { .. }
            | Error::TableUnfinished { .. }
            | Error::Descriptor { .. } => {}
        }
    }
    all
}

#[test]
fn messages_and_hints_read_well() {
    for error in every_variant() {
        let (message, hint) = (error.to_string(), error.hint());
        for text in [message.as_str(), hint] {
            assert!(!text.is_empty() && !text.ends_with('.') && !text.contains('\n'), "{text:?}");
            assert!(!text.starts_with(char::is_uppercase), "{text:?}");
        }
        assert_ne!(message, hint);
    }
}

#[test]
fn a_chain_says_nothing_twice() {
    for error in every_variant() {
        let mut chain = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            chain.push(cause.to_string());
            source = cause.source();
        }
        for (number, link) in chain.iter().enumerate() {
            for later in &chain[number + 1..] {
                assert!(!link.contains(later.as_str()), "{link:?} repeats {later:?}");
            }
        }
    }
}

#[test]
fn the_chain_of_a_full_disk() {
    let error = Error::Write { path: PathBuf::from("a.tar"), source: io::Error::new(io::ErrorKind::StorageFull, "the disk is full") };
    assert_eq!(error.to_string(), "cannot write the bundle a.tar");
    assert_eq!(error.source().unwrap().to_string(), "the disk is full");
    assert_eq!(error.blame(), Blame::Input);
}
