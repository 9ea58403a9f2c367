//! How a superuser's token is obtained, refreshed and checked.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::connect::Client;
use super::error::ClientError;
use super::transport::Call;

const LOGIN: &str = "/api/collections/_superusers/auth-with-password";
const REFRESH: &str = "/api/collections/_superusers/auth-refresh";

#[derive(Deserialize)]
struct TokenAnswer {
    token: String,
}

impl Client {
    /// Logs in as a superuser.
    pub(super) async fn log_in(&self, identity: &str, password: &str) -> Result<String, ClientError> {
        let body = json!({ "identity": identity, "password": password }).to_string();
        // A login that is applied twice only makes a second token.
        let call = Call::new(Method::POST, LOGIN).json(body).anonymous().idempotent(true);
        let identity = || identity.to_owned();
        match self.send(&call).await {
            Ok(answer) => answer.json::<TokenAnswer>().map(|answer| answer.token),
            Err(ClientError::Refused { status: 400, .. }) => Err(ClientError::WrongPassword { identity: identity() }),
            Err(ClientError::TokenRefused) => Err(ClientError::SecondFactorRequired { identity: identity() }),
            Err(error) => Err(error),
        }
    }

    /// A fresh token for a token that is still valid, or nothing if the server does not give one
    /// (tokens made by impersonation cannot be refreshed).
    pub(super) async fn refresh(&self, token: &str) -> Option<String> {
        let request = self.http().post(format!("{}{REFRESH}", self.base_url())).header("authorization", token);
        let refreshed = async { request.send().await?.error_for_status()?.json::<TokenAnswer>().await };
        let answer = tokio::time::timeout(self.policy().answer_timeout, refreshed).await.ok()?.ok()?;
        Some(answer.token)
    }

    /// Checks that the credentials are those of a superuser, by a request that is open to nobody else.
    pub(super) async fn check_superuser(&self) -> Result<(), ClientError> {
        let call = Call::get("/api/collections").query("perPage", "1").query("fields", "id");
        match self.send(&call).await {
            Err(ClientError::Forbidden { .. }) => Err(ClientError::NotSuperuser),
            other => other.map(drop),
        }
    }
}
