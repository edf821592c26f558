//! What an identity server posts to its clients behind the browser's back, byte for byte as Keycloak does it.

use std::net::SocketAddr;

use identity_server::http::{self, Request, Response};

/// An admin action as a request (keycloak-adapter: `ResourceAdminManager`).
pub(crate) fn pushed(target: &str, action: &str) -> Request {
    Request::new("POST", target).header("Content-Type", "text/plain; charset=ISO-8859-1").body(action)
}

/// Posts an admin action.
pub(crate) fn push(address: SocketAddr, target: &str, action: &str) -> Response {
    http::send(address, &pushed(target, action)).unwrap()
}

/// Posts a logout token to the site (OpenID Connect Back-Channel Logout 1.0, section 2.5).
pub(crate) fn push_logout_token(address: SocketAddr, target: &str, token: &str) -> Response {
    http::send(address, &Request::form(target, &[("logout_token", token)]).header("Host", "app.test")).unwrap()
}
