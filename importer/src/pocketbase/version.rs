//! Which `PocketBase` is it? No header and no endpoint says; the admin UI that is built into the server does.

use std::fmt;

use super::connect::Client;
use super::error::ClientError;
use super::transport::Call;

/// A version of `PocketBase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 0 so far.
    pub major: u32,
    /// Changes with each set of breaking changes.
    pub minor: u32,
    /// The rest.
    pub patch: u32,
}

impl Version {
    /// The version with `POST /api/sql`.
    pub const FIRST_WITH_SQL: Self = Self { major: 0, minor: 39, patch: 0 };
    /// The oldest version that we work with.
    pub const OLDEST: Self = Self { major: 0, minor: 23, patch: 0 };
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What is known about the server's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerVersion {
    /// The version that the server's own admin UI shows.
    Exact(Version),
    /// The admin UI is not reachable: derived from what the server can do.
    Between {
        /// The oldest possible version.
        from: Version,
        /// The oldest version that it cannot be, if there is one.
        before: Option<Version>,
    },
}

impl ServerVersion {
    /// The oldest version that the server may be.
    #[must_use]
    pub fn at_least(&self) -> Version {
        match self {
            Self::Exact(version) => *version,
            Self::Between { from, .. } => *from,
        }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(version) => write!(f, "{version}"),
            Self::Between { from, before: None } => write!(f, "{from} or newer"),
            Self::Between { from, before: Some(before) } => write!(f, "{from} or newer, older than {before}"),
        }
    }
}

impl Client {
    pub(super) async fn find_version(&self) -> Result<ServerVersion, ClientError> {
        if let Some(version) = self.version_of_ui().await {
            return Ok(ServerVersion::Exact(version));
        }
        Ok(if self.has_sql().await? {
            ServerVersion::Between { from: Version::FIRST_WITH_SQL, before: None }
        } else {
            ServerVersion::Between { from: Version::OLDEST, before: Some(Version::FIRST_WITH_SQL) }
        })
    }

    /// Reads the version from the script of the admin UI. Whoever hides the UI behind a proxy has no exact version.
    async fn version_of_ui(&self) -> Option<Version> {
        let page = self.send(&Call::get("/_/").anonymous()).await.ok()?;
        let script = script_path(&String::from_utf8_lossy(&page.body))?;
        let script = self.send(&Call::get(format!("/_/{script}")).anonymous()).await.ok()?;
        version_in(&script.body)
    }
}

/// The path of the UI's main script, relative to the page: `assets/index-….js`.
fn script_path(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("src=\"./assets/index-")?;
    let (name, _) = rest.split_once(".js\"")?;
    // An address that leads elsewhere is not followed.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    name.chars().all(plain).then(|| format!("assets/index-{name}.js"))
}

/// The footer's text in the script: `PocketBase v0.40.6`.
fn version_in(script: &[u8]) -> Option<Version> {
    const MARK: &[u8] = b"PocketBase v";
    let found = script.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    found.map(|(start, _)| &script[start + MARK.len()..]).find_map(|rest| {
        let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
        let mut numbers = std::str::from_utf8(&rest[..end]).ok()?.splitn(3, '.').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Version { major: next()?, minor: next()?, patch: next()? })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_footer_is_found() {
        let script = br#"x="PocketBase vault",o.textContent="PocketBase v0.23.4",p(e)"#;
        assert_eq!(version_in(script), Some(Version { major: 0, minor: 23, patch: 4 }));
        assert_eq!(version_in(b"label:`PocketBase v0.40.6`}]").unwrap().to_string(), "0.40.6");
        assert_eq!(version_in(b"PocketBase v"), None);
    }

    #[test]
    fn only_a_script_beside_the_page_is_followed() {
        let page = r#"<script type="module" crossorigin src="./assets/index-B7vkkFa_.js"></script>"#;
        assert_eq!(script_path(page).as_deref(), Some("assets/index-B7vkkFa_.js"));
        assert_eq!(script_path(r#"src="./assets/index-/../../evil.js""#), None);
    }
}
