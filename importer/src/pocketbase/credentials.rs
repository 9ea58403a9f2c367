//! Who we are to the server: a superuser's token, or identity and password. Secrets come from the environment
//! or a file and are never printed, not even by `{:?}`.

use std::env::VarError;
use std::fmt;
use std::path::PathBuf;

use super::error::ClientError;

/// Environment variable with a superuser's token.
pub const TOKEN_VAR: &str = "PANNIER_PB_TOKEN";
/// Environment variable with a superuser's e-mail address.
pub const IDENTITY_VAR: &str = "PANNIER_PB_IDENTITY";
/// Environment variable with the superuser's password.
pub const PASSWORD_VAR: &str = "PANNIER_PB_PASSWORD";
/// Environment variable with the path of a file that holds the superuser's password.
pub const PASSWORD_FILE_VAR: &str = "PANNIER_PB_PASSWORD_FILE";

/// The credentials of a superuser.
#[derive(Clone)]
pub enum Credentials {
    /// A token that was obtained elsewhere. It cannot be renewed after it has expired.
    Token(String),
    /// Identity and password: a token is obtained, and obtained again when it expires.
    Password {
        /// The superuser's e-mail address.
        identity: String,
        /// The superuser's password.
        password: String,
    },
}

impl Credentials {
    /// Reads the credentials from the environment: the token if it is set, else identity with password
    /// or password file. Of a password file, one line end at the end is not part of the password.
    pub fn from_env() -> Result<Self, ClientError> {
        Self::from_lookup(|name| match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(ClientError::CredentialsNotText { variable: name }),
        })
    }

    /// As [`Credentials::from_env`], with the environment given by `lookup`. An empty variable counts as not set.
    pub fn from_lookup(lookup: impl Fn(&'static str) -> Result<Option<String>, ClientError>) -> Result<Self, ClientError> {
        let set = |name| lookup(name).map(|value| value.filter(|text| !text.is_empty()));
        if let Some(token) = set(TOKEN_VAR)? {
            return Ok(Self::Token(token.trim().to_owned()));
        }
        let identity = set(IDENTITY_VAR)?;
        let password = match set(PASSWORD_VAR)? {
            Some(password) => Some(password),
            None => match set(PASSWORD_FILE_VAR)? {
                Some(path) => Some(read_password(path.into())?),
                None => None,
            },
        };
        match (identity, password) {
            (Some(identity), Some(password)) => Ok(Self::Password { identity, password }),
            (None, None) => Err(ClientError::CredentialsMissing),
            (Some(_), None) => Err(ClientError::CredentialsIncomplete { missing: PASSWORD_VAR }),
            (None, Some(_)) => Err(ClientError::CredentialsIncomplete { missing: IDENTITY_VAR }),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(hidden)"),
            Self::Password { identity, .. } => {
                write!(f, "Password {{ identity: {identity:?}, password: hidden }}")
            }
        }
    }
}

fn read_password(path: PathBuf) -> Result<String, ClientError> {
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let line = text.strip_suffix('\n').unwrap_or(&text);
            Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
        }
        Err(source) => Err(ClientError::PasswordFile { path, source }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn env(vars: &[(&str, &str)]) -> Result<Credentials, ClientError> {
        Credentials::from_lookup(|name| Ok(vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())))
    }

    #[test]
    fn the_token_wins_and_is_never_shown() {
        let found = env(&[(TOKEN_VAR, "secret\n"), (IDENTITY_VAR, "a@b.c")]).unwrap();
        assert!(matches!(&found, Credentials::Token(token) if token == "secret"));
        assert!(!format!("{found:?}").contains("secret"));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(matches!(env(&[]), Err(ClientError::CredentialsMissing)));
        assert!(matches!(env(&[(TOKEN_VAR, "")]), Err(ClientError::CredentialsMissing)));
        assert!(matches!(env(&[(IDENTITY_VAR, "a@b.c")]), Err(ClientError::CredentialsIncomplete { missing: PASSWORD_VAR })));
        assert!(matches!(env(&[(PASSWORD_VAR, "x")]), Err(ClientError::CredentialsIncomplete { missing: IDENTITY_VAR })));
    }

    #[test]
    fn a_password_file_loses_only_its_line_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " pass word \r\n").unwrap();
        let path = file.path().to_str().unwrap();
        let found = env(&[(IDENTITY_VAR, "a@b.c"), (PASSWORD_FILE_VAR, path)]).unwrap();
        assert!(matches!(&found, Credentials::Password { password, .. } if password == " pass word "));
        assert!(!format!("{found:?}").contains("pass word"));
        let missing = env(&[(IDENTITY_VAR, "a@b.c"), (PASSWORD_FILE_VAR, "/nonexistent/x")]);
        assert!(matches!(missing, Err(ClientError::PasswordFile { .. })));
    }
}
