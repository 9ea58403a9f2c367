//! The superuser's token in the course of a run: kept, renewed before and after it expires, by one task at a time.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::connect::Client;
use super::credentials::Credentials;
use super::error::ClientError;

/// A token is renewed this long before it expires, so that it does not expire on the way.
const RENEW_BEFORE_S: u64 = 60;

/// As whom a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authorization {
    /// As nobody.
    None,
    /// As the superuser of the client's credentials.
    Superuser,
}

/// What a session holds. The lock of `turn` is held while a new token is obtained.
#[derive(Default)]
pub(super) struct Session {
    state: Mutex<State>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default, Clone)]
struct State {
    token: Option<String>,
    expires_s: Option<u64>,
    /// A given token that cannot be refreshed is not tried again with every request.
    refresh_refused: bool,
}

impl Session {
    pub fn set(&self, token: String) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.expires_s = expiry_s(&token);
        state.token = Some(token);
    }

    fn refuse_refresh(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).refresh_refused = true;
    }

    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl State {
    fn expires_soon(&self) -> bool {
        let Some(expires_s) = self.expires_s else {
            return false;
        };
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        !self.refresh_refused && expires_s < now_s + RENEW_BEFORE_S
    }
}

impl Client {
    /// The token to send, renewed if it expires soon.
    pub(super) async fn token(&self, authorization: Authorization) -> Result<Option<String>, ClientError> {
        if authorization == Authorization::None {
            return Ok(None);
        }
        let state = self.session().state();
        if state.token.is_some() && !state.expires_soon() {
            return Ok(state.token);
        }
        self.obtain(state.token.as_deref()).await?;
        Ok(self.session().state().token)
    }

    /// Gets another token than `refused`, which the server did not accept. Says whether there is one.
    pub(super) async fn renew(&self, refused: Option<&str>) -> Result<bool, ClientError> {
        // Requests without a token are refused for what they are, not for who sends them.
        let Some(refused) = refused else {
            return Ok(false);
        };
        if matches!(self.credentials(), Credentials::Token(_)) {
            return Ok(self.session().state().token.as_deref() != Some(refused));
        }
        self.obtain(Some(refused)).await?;
        Ok(true)
    }

    async fn obtain(&self, old: Option<&str>) -> Result<(), ClientError> {
        let _turn = self.session().turn.lock().await;
        if self.session().state().token.as_deref() != old {
            return Ok(());
        }
        // Boxed, because a login is itself a request.
        match self.credentials() {
            Credentials::Password { identity, password } => {
                let token = Box::pin(self.log_in(identity, password)).await?;
                self.session().set(token);
            }
            Credentials::Token(given) => match old {
                None => self.session().set(given.clone()),
                Some(old) => match Box::pin(self.refresh(old)).await {
                    Some(token) => self.session().set(token),
                    None => self.session().refuse_refresh(),
                },
            },
        }
        Ok(())
    }
}

/// When a token expires, in seconds since 1970: the claim `exp` of the JWT. The server alone verifies tokens.
fn expiry_s(token: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: u64,
    }
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&payload).ok().map(|claims| claims.exp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expiry_is_read_from_the_token() {
        let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(r#"{"exp":1795584966,"id":"x"}"#));
        assert_eq!(expiry_s(&token), Some(1_795_584_966));
        assert_eq!(expiry_s("not a token"), None);
    }
}
