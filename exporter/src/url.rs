//! The forms that a source's URL has in the wild, above all in `DATABASE_URL` as `SQLAlchemy` reads it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::Error;

/// Where the rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceUrl {
    /// An SQLite database file.
    Sqlite(PathBuf),
}

/// Understands a URL: `sqlite:///relative.db`, `sqlite:////absolute.db`, a driver after a plus, a query (of which only the
/// path matters, since the source is read-only anyway), percent-encoding.
pub fn parse(given: &str) -> Result<SourceUrl, Error> {
    let Some((scheme, rest)) = given.split_once("://") else {
        return Err(not_a_url(given));
    };
    let engine = scheme.split('+').next().unwrap_or(scheme).to_ascii_lowercase();
    match engine.as_str() {
        "sqlite" | "sqlite3" => sqlite(rest),
        "postgresql" | "postgres" => Err(Error::NotYet { engine: "postgresql".into() }),
        "mysql" | "mariadb" | "oracle" | "mssql" => Err(Error::NotYet { engine }),
        _ => Err(Error::UnknownScheme { scheme: masked(scheme) }),
    }
}

/// A text that may be a mistyped URL, without what stands where credentials do: from the first colon to the last `@`.
fn masked(given: &str) -> String {
    let place = given.rfind('@').and_then(|at| Some((given[..at].find(':')?, at)));
    place.map_or_else(|| given.to_string(), |(colon, at)| format!("{}:…{}", &given[..colon], &given[at..]))
}

fn not_a_url(given: &str) -> Error {
    if masked(given) != given {
        return Error::NotAUrl { given: masked(given), meant: "sqlite:////absolute.db".into() };
    }
    let path = given.strip_prefix("sqlite:").or_else(|| given.strip_prefix("file:")).unwrap_or(given);
    let path = path.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    Error::NotAUrl { given: given.to_string(), meant: format!("sqlite:///{path}") }
}

fn sqlite(rest: &str) -> Result<SourceUrl, Error> {
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let Some(path) = rest.strip_prefix('/') else {
        return Err(Error::BadUrl { reason: if rest.is_empty() { "it names no file" } else { "a host stands where none can be" } });
    };
    if path.is_empty() || path == ":memory:" {
        return Err(Error::BadUrl { reason: "it names no file" });
    }
    let bytes = percent_decoded(path).ok_or(Error::BadUrl { reason: "a % is not followed by two hex digits" })?;
    if bytes.contains(&0) {
        return Err(Error::BadUrl { reason: "a file name cannot hold a NUL" });
    }
    Ok(SourceUrl::Sqlite(PathBuf::from(OsString::from_vec(bytes))))
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

/// A bundle's name from a database's path: its stem, with everything that a bundle's name may not have as `-`.
#[must_use]
pub fn bundle_name(database: &Path) -> String {
    let stem = database.file_stem().unwrap_or_default().to_string_lossy();
    let name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' }).collect();
    let name = name.trim_matches(['.', '-', '_']).to_string();
    if name.is_empty() { "database".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(given: &str) -> String {
        match parse(given) {
            Ok(SourceUrl::Sqlite(path)) => path.display().to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn forms_in_the_wild() {
        assert_eq!(path("sqlite:///data/webui.db"), "data/webui.db");
        assert_eq!(path("sqlite:////app/backend/data/webui.db"), "/app/backend/data/webui.db");
        assert_eq!(path("sqlite+aiosqlite:////d/w.db"), "/d/w.db");
        assert_eq!(path("SQLite:////d/w.db?mode=ro&cache=private"), "/d/w.db");
        assert_eq!(path("sqlite:////d/a%20b%3Fc%25.db"), "/d/a b?c%.db");
        assert_eq!(path("sqlite:////d/a b.db"), "/d/a b.db");
    }

    #[test]
    fn refusals() {
        assert_eq!(path("postgresql://u:secret@h/db"), "postgresql sources are not yet in this version");
        assert_eq!(path("postgresql+psycopg2://u:secret@h/db"), "postgresql sources are not yet in this version");
        assert_eq!(path("sqlite://"), "the source URL cannot be understood: it names no file");
        assert_eq!(path("sqlite://webui.db"), "the source URL cannot be understood: a host stands where none can be");
        assert_eq!(path("sqlite:///%zz"), "the source URL cannot be understood: a % is not followed by two hex digits");
        assert_eq!(path("webui.db"), "the source must be a URL, and webui.db is none");
        assert!(matches!(parse("/d/w.db"), Err(Error::NotAUrl { meant, .. }) if meant == "sqlite:////d/w.db"));
    }

    #[test]
    fn credentials_are_not_repeated() {
        for given in ["postgres:secret@h/db", "postgresql:u:secret@h/db", "postgres//u:se@cret@h/db", "u:secret@h://x"] {
            let error = parse(given).expect_err("it is none");
            let said = format!("{error} {}", error.hint());
            assert!(!said.contains("cret") && said.contains(":…@h"), "{said}");
        }
        assert_eq!(path("a@b:c.db"), "the source must be a URL, and a@b:c.db is none");
    }

    #[test]
    fn names_of_bundles() {
        assert_eq!(bundle_name(Path::new("/d/webui.db")), "webui");
        assert_eq!(bundle_name(Path::new("/d/my data (1).sqlite3")), "my-data--1");
        assert_eq!(bundle_name(Path::new("/d/данные.db")), "database");
    }
}
