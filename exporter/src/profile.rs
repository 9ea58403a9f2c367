//! What the exporter knows of an application: how to recognise it, where its revision stands, which table names its files.
//! Profiles are data (`profiles/*.toml`); everything else is found by introspection.

use std::ffi::OsStr;
use std::path::Path;

use serde::Deserialize;

use crate::Error;
use crate::source::SourceTable;

/// One application's profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name, as `--profile` takes it.
    pub name: String,
    /// The application's name for people.
    pub title: String,
    /// The application is recognised by having all of these tables; none: it is never recognised.
    #[serde(default)]
    pub recognise: Vec<String>,
    /// Where the migration revision stands; the first table that exists counts.
    #[serde(default)]
    pub revision: Vec<Revision>,
    /// Tables whose rows name files.
    #[serde(default)]
    pub files: Vec<FileTable>,
}

/// A table that holds the migration revision, in its last row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// The table.
    pub table: String,
    /// Its column.
    pub column: String,
}

/// A table whose rows name files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileTable {
    /// The table.
    pub table: String,
    /// The column that identifies a row.
    pub key: String,
    /// The column with the path or address of the bytes.
    pub path: String,
    /// The column with the name that the user gave.
    pub name: String,
    /// Name of the location that holds the bytes.
    pub location: String,
    /// The JSON column that holds the size of the file, if the application notes it.
    #[serde(default)]
    pub size_json: Option<String>,
    /// Where in it the number of bytes stands, as a JSON pointer.
    #[serde(default)]
    pub size_pointer: String,
    /// Where in it the SHA-256 of the bytes stands, as a JSON pointer.
    #[serde(default)]
    pub sha256_pointer: String,
    /// Names to try when the path leads nowhere; see `profiles/open-webui.toml`.
    #[serde(default)]
    pub names: Vec<String>,
}

const BUILT_IN: [(&str, &str); 2] =
    [("open-webui", include_str!("../profiles/open-webui.toml")), ("generic", include_str!("../profiles/generic.toml"))];

impl Profile {
    /// The profile called `given`, built in or in a file.
    pub fn named(given: &OsStr) -> Result<Profile, Error> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == given) {
            return parse(name, text);
        }
        let path = Path::new(given);
        let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => Error::UnknownProfile { given: given.to_string_lossy().into_owned() },
            _ => Error::ReadProfile { path: path.to_path_buf(), source },
        })?;
        parse(&path.display().to_string(), &text)
    }

    /// The first built-in profile that recognises these tables, or else `generic`.
    pub fn recognised(tables: &[SourceTable]) -> Result<Profile, Error> {
        let mut last = None;
        for (name, text) in BUILT_IN {
            let profile = parse(name, text)?;
            if profile.recognises(tables) {
                return Ok(profile);
            }
            last = Some(profile);
        }
        last.ok_or(Error::UnknownProfile { given: "generic".into() })
    }

    /// Whether these are the application's tables.
    #[must_use]
    pub fn recognises(&self, tables: &[SourceTable]) -> bool {
        !self.recognise.is_empty() && self.recognise.iter().all(|name| tables.iter().any(|table| table.name == *name))
    }
}

fn parse(name: &str, text: &str) -> Result<Profile, Error> {
    toml::from_str(text).map_err(|source| Error::BadProfile { name: name.to_string(), source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_profiles_parse() {
        for (name, text) in BUILT_IN {
            assert_eq!(parse(name, text).expect("it parses").name, name);
        }
    }

    #[test]
    fn unknown_names_are_named() {
        let error = Profile::named(OsStr::new("no-such")).expect_err("there is none");
        assert_eq!(error.to_string(), "there is no profile no-such");
    }
}
