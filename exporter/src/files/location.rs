//! A location: a named directory that holds files of the application.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::Error;

/// A named directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Its name in the bundle; how `restore --files NAME=DIR` finds it again.
    pub name: String,
    /// The directory.
    pub path: PathBuf,
}

impl Location {
    /// Understands `[NAME=]LOCATION` and checks that the directory is there. The name is the last component unless given.
    pub fn parse(given: &OsStr) -> Result<Location, Error> {
        let (name, place) = split(given);
        if let Some((scheme, _)) = place.to_str().and_then(|place| place.split_once("://")) {
            return Err(Error::LocationNotYet { scheme: scheme.to_string() });
        }
        let path = PathBuf::from(place);
        let name = match name {
            Some(name) => name,
            None => last_component(&path).ok_or_else(|| Error::LocationNameless { given: given.to_string_lossy().into_owned() })?,
        };
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => Ok(Location { name, path }),
            Ok(_) => Err(Error::LocationNotADirectory { path }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::LocationMissing { path }),
            Err(source) => Err(Error::LocationUnreadable { path, source }),
        }
    }

    /// All of them, each with a name of its own, in the order of the names: the bundle does not depend on how they are given.
    pub fn parse_all(given: &[OsString]) -> Result<Vec<Location>, Error> {
        let mut locations: Vec<Location> = Vec::new();
        for given in given {
            let location = Location::parse(given)?;
            if locations.iter().any(|other| other.name == location.name) {
                return Err(Error::LocationTwice { name: location.name });
            }
            locations.push(location);
        }
        locations.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(locations)
    }
}

/// A name before the first `=` is one only if it looks like one: a path may hold an `=` too.
fn split(given: &OsStr) -> (Option<String>, OsString) {
    let bytes = given.as_bytes();
    let Some(place) = bytes.iter().position(|byte| *byte == b'=') else { return (None, given.to_os_string()) };
    let name = &bytes[..place];
    if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)) {
        return (None, given.to_os_string());
    }
    (Some(String::from_utf8_lossy(name).into_owned()), OsStr::from_bytes(&bytes[place + 1..]).to_os_string())
}

/// `.` and `..` say nothing before they are resolved.
fn last_component(path: &Path) -> Option<String> {
    let name = match path.file_name() {
        Some(name) => name.to_os_string(),
        None => std::fs::canonicalize(path).ok()?.file_name()?.to_os_string(),
    };
    Some(name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let folder = tempfile::tempdir().expect("a folder");
        let uploads = folder.path().join("uploads");
        let odd = folder.path().join("a=b");
        std::fs::create_dir(&uploads).expect("made");
        std::fs::create_dir(&odd).expect("made");
        let name = |given: OsString| Location::parse(&given).map(|location| location.name).map_err(|error| error.to_string());
        assert_eq!(name(uploads.clone().into()), Ok("uploads".into()));
        assert_eq!(name(uploads.join("..").join("uploads/").into()), Ok("uploads".into()));
        assert_eq!(name(odd.into()), Ok("a=b".into()));
        let mut named = OsString::from("files=");
        named.push(&uploads);
        assert_eq!(name(named), Ok("files".into()));
        assert_eq!(name("s3://bucket/key".into()), Err("locations of the kind s3:// are not yet in this version".into()));
        assert!(Location::parse_all(&[uploads.clone().into(), uploads.into()]).is_err());
    }
}
