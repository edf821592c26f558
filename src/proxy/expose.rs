//! `k_query_bearer_token` (keycloak-adapter: `AuthenticatedActionsHandler.queryBearerToken`): the pages of the application ask for the
//! user's access token, to call services with it from scripts. Never for pages of another origin, unless CORS grants it.

use http::{HeaderValue, Method, StatusCode, header};

use super::cors::Sender;
use crate::{
    domain::SecretString,
    message::{Request, Response},
};

/// The last segment of the path, wherever the application is mounted.
const WORD: &str = "k_query_bearer_token";

/// Whether `request` asks for the token.
#[must_use]
pub fn asks_for_token(request: &Request) -> bool {
    let last = request.target.decoded_path().rsplit('/').next();
    request.method == Method::GET && last == Some(WORD)
}

/// Whether only this site will read the answer to `request`: it names no other origin, and by Fetch Metadata none is behind it.
#[must_use]
pub fn stays_here(request: &Request, sender: &Sender) -> bool {
    let mut sites = request.headers.get_all("sec-fetch-site").iter();
    *sender == Sender::Own && sites.all(|site| site == "same-origin" || site == "none")
}

/// The token as text; nothing for whom it is not.
#[must_use]
pub fn answer(token: Option<&SecretString>) -> Response {
    Response::new(StatusCode::OK)
        .with(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
        .with(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"))
        .with(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with_body(token.map(|token| token.expose().clone()).unwrap_or_default())
}
