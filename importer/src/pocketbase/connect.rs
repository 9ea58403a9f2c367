//! The client, and the way from an address and credentials to a client that is known to work.

use std::fmt;
use std::sync::{Arc, Once};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::credentials::Credentials;
use super::error::ClientError;
use super::retry::{RetryLog, RetryPolicy};
use super::session::Session;
use super::transport::Call;
use super::version::ServerVersion;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How a client behaves when the server or the network does not.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// When and how long requests are tried again.
    pub retry: RetryPolicy,
    /// Where retries are reported.
    pub log: RetryLog,
}

/// A client of one `PocketBase` server, logged in as a superuser. Cloning is cheap, and clones share the
/// token and the connections; any number of requests may run at once.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    base_url: String,
    credentials: Credentials,
    options: ConnectOptions,
    session: Session,
    has_sql: OnceCell<bool>,
    version: OnceCell<ServerVersion>,
}

impl Client {
    /// Connects to the server at `base_url` (`http(s)://host[:port][/path]`) and checks that it is a `PocketBase`
    /// of at least 0.23 and that the credentials are those of a superuser.
    pub async fn connect(base_url: &str, credentials: Credentials) -> Result<Self, ClientError> {
        Self::connect_with(base_url, credentials, ConnectOptions::default()).await
    }

    /// As [`Client::connect`], with a retry policy and a log.
    pub async fn connect_with(base_url: &str, credentials: Credentials, options: ConnectOptions) -> Result<Self, ClientError> {
        let inner = Inner {
            http: http_client()?,
            base_url: clean_url(base_url)?,
            credentials,
            options,
            session: Session::default(),
            has_sql: OnceCell::new(),
            version: OnceCell::new(),
        };
        let client = Self { inner: Arc::new(inner) };
        client.check_server().await?;
        client.check_superuser().await?;
        Ok(client)
    }

    /// The address of the server, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.inner.base_url
    }

    /// Whether the server runs SQL ([`Client::sql`]): `PocketBase` 0.39 and newer do. Asked once.
    pub async fn has_sql(&self) -> Result<bool, ClientError> {
        self.inner.has_sql.get_or_try_init(|| self.probe_sql()).await.copied()
    }

    /// The version of the server, exact if its admin UI is reachable, else a range. Asked once.
    pub async fn server_version(&self) -> Result<ServerVersion, ClientError> {
        self.inner.version.get_or_try_init(|| self.find_version()).await.copied()
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.inner.http
    }

    pub(super) fn policy(&self) -> &RetryPolicy {
        &self.inner.options.retry
    }

    pub(super) fn log(&self) -> &RetryLog {
        &self.inner.options.log
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.inner.credentials
    }

    pub(super) fn session(&self) -> &Session {
        &self.inner.session
    }

    /// Tells `PocketBase` from other servers, and 0.23 from those before: only it has `_superusers`.
    async fn check_server(&self) -> Result<(), ClientError> {
        let not_pocketbase = |found: &str| ClientError::NotPocketBase { url: self.base_url().to_owned(), found: found.to_owned() };
        let health = match self.send(&Call::get("/api/health").anonymous().first()).await {
            Ok(answer) => answer.json::<Value>().unwrap_or_default(),
            Err(ClientError::NotFound { .. }) => {
                return Err(not_pocketbase("there is no /api/health"));
            }
            Err(ClientError::Refused { status, .. }) => {
                return Err(not_pocketbase(&format!("/api/health answers {status}")));
            }
            Err(ClientError::TokenRefused | ClientError::Forbidden { .. }) => {
                return Err(not_pocketbase("/api/health asks for a login"));
            }
            Err(error) => return Err(error),
        };
        if health.get("code").and_then(Value::as_u64) != Some(200) || health.get("data").is_none() {
            return Err(not_pocketbase("the answer of /api/health is another one"));
        }
        let superusers = Call::get("/api/collections/_superusers/auth-methods").anonymous();
        match self.send(&superusers).await {
            Err(ClientError::NotFound { .. }) => {}
            other => return other.map(drop),
        }
        let admins = Call::new(Method::POST, "/api/admins/auth-with-password").json("{}").anonymous().idempotent(true);
        match self.send(&admins).await {
            Err(ClientError::Refused { .. }) => Err(ClientError::TooOld { url: self.base_url().to_owned() }),
            _ => Err(not_pocketbase("it has no superusers")),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.inner.base_url)
            .field("credentials", &self.inner.credentials)
            .finish_non_exhaustive()
    }
}

fn http_client() -> Result<reqwest::Client, ClientError> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Fails only if the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        // A redirected POST would arrive as a GET.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|source| ClientError::Setup { source })
}

/// Removes what people copy along: the slash at the end, the path of the admin UI. User and password are refused,
/// because they would be shown.
fn clean_url(given: &str) -> Result<String, ClientError> {
    let bad = |shown: &str| ClientError::BadUrl { url: shown.to_owned() };
    let Ok(url) = reqwest::Url::parse(given) else {
        let shown = given.rsplit('@').next().unwrap_or_default();
        return Err(bad(shown));
    };
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err(bad(&format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default())));
    }
    let mut url = url;
    url.set_query(None);
    url.set_fragment(None);
    let text = url.as_str().trim_end_matches('/');
    Ok(text.strip_suffix("/_").unwrap_or(text).trim_end_matches('/').to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cleaned() {
        assert_eq!(clean_url("http://localhost:8090/").unwrap(), "http://localhost:8090");
        assert_eq!(clean_url("https://example.com/pb/_/#/login").unwrap(), "https://example.com/pb");
        for bad in ["localhost:8090", "ftp://x", "", "https://u:secret@example.com", "//u:secret@x"] {
            let error = clean_url(bad).unwrap_err();
            assert!(matches!(error, ClientError::BadUrl { .. }), "{bad}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
