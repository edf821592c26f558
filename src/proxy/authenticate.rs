//! Stage 2: who claims to be? Reads a [`Credential`] from a request on a route that asks for one; on public routes `Authorization` is the
//! application's own. In the order of Keycloak's adapters (`RequestAuthenticator`): bearer token, `access_token` in the query where that is
//! wanted, Basic where that is wanted; without any of them the session. What was presented is final: a bad credential never falls back to
//! the session. Nothing is verified here.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};

use super::{Access, route::Route};
use crate::{
    domain::SecretString,
    message::Request,
    respond::{Challenge, Refusal},
};

/// Which credentials count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The `realm` of challenges (RFC 6750, section 3).
    pub realm: String,
    /// Whether sessions and sign-in exist besides bearer tokens.
    pub sign_in: SignIn,
    /// Ask the identity server about users and passwords (`enable-basic-auth`).
    pub basic: bool,
    /// Read the query parameter `access_token` (`ignore-oauth-query-parameter: false`).
    pub query_parameter: bool,
}

/// What becomes of a request without a bearer token where a login is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// The session counts, and browsers are sent to sign in.
    Offered,
    /// The session counts; who looks like a program gets a bearer challenge (`autodetect-bearer-only`).
    OfferedToBrowsers,
    /// There is neither session nor sign-in (`bearer-only`).
    Never,
}

/// What a request presents.
#[derive(Debug)]
pub enum Credential {
    /// A user's name and password.
    Basic {
        /// Before the first colon.
        username: String,
        /// Behind it.
        password: SecretString,
    },
    /// A bearer token.
    Bearer(SecretString),
}

/// The query parameter of RFC 6750, section 2.3.
const PARAMETER: &str = "access_token";

impl Config {
    /// The route as this site knows it: where nobody can sign in, a token is needed where a login would be.
    #[must_use]
    pub fn narrow<'a>(&self, route: Route<'a>) -> Route<'a> {
        match (self.sign_in, route.access) {
            (SignIn::Never, Access::Login) => Route { access: Access::Bearer, ..route },
            _ => route,
        }
    }

    /// Takes the credential of `request`; none means that the session decides. A token in the query is taken out of it, so that it is not
    /// passed on, and Basic that is ours out of the headers.
    ///
    /// # Errors
    /// 400 for more than one, 401 for one that cannot be read.
    pub fn credential(&self, request: &mut Request) -> Result<Option<Credential>, Refusal> {
        let by_header = self.by_header(&mut request.headers)?;
        let mut by_query = Vec::new();
        if self.query_parameter {
            by_query = request.target.take_parameters(PARAMETER);
            by_query.retain(|token| !token.trim().is_empty());
        }
        let mut all = by_header.into_iter().chain(by_query.into_iter().map(bearer));
        match (all.next(), all.next()) {
            (_, Some(_)) => Err(Refusal::BadRequest(
                "There must be one credential: the header Authorization, or the parameter access_token.".into(),
            )),
            (one, None) => Ok(one),
        }
    }

    fn by_header(&self, headers: &mut HeaderMap) -> Result<Option<Credential>, Refusal> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), more) = (values.next(), values.next()) else { return Ok(None) };
        if more.is_some() {
            return Err(Refusal::BadRequest("There must be one header Authorization.".into()));
        }
        let (scheme, rest) = scheme(value);
        if scheme.eq_ignore_ascii_case(b"bearer") {
            let token = std::str::from_utf8(rest).ok().filter(|token| is_token(token));
            let malformed = || self.refused("The header Authorization holds no bearer token.");
            return token.map(|token| Some(bearer(token.to_owned()))).ok_or_else(malformed);
        }
        if self.basic && scheme.eq_ignore_ascii_case(b"basic") {
            let malformed = || self.refused_basic("The header Authorization holds no user and password.");
            let credential = basic(rest).ok_or_else(malformed)?;
            headers.remove(header::AUTHORIZATION);
            return Ok(Some(credential));
        }
        Ok(None)
    }

    /// 401: a token is needed, and there is none.
    #[must_use]
    pub fn token_needed(&self) -> Refusal {
        Refusal::TokenNeeded(Challenge { realm: self.realm.clone(), error: None })
    }

    /// 401: the token is not believed (RFC 6750, section 3.1).
    #[must_use]
    pub fn refused(&self, why: impl Into<String>) -> Refusal {
        Refusal::TokenNeeded(Challenge { realm: self.realm.clone(), error: Some(("invalid_token", why.into())) })
    }

    /// 401: user and password brought no token (keycloak-adapter: `BasicAuthRequestAuthenticator`).
    #[must_use]
    pub fn refused_basic(&self, why: impl Into<String>) -> Refusal {
        Refusal::TokenNeeded(Challenge { realm: self.realm.clone(), error: Some(("no_token", why.into())) })
    }

    /// Whether a request without a session is not to be sent to sign in, but told that a token is needed.
    #[must_use]
    pub fn challenges(&self, headers: &HeaderMap) -> bool {
        self.sign_in == SignIn::OfferedToBrowsers && is_program(headers)
    }
}

fn bearer(token: String) -> Credential {
    Credential::Bearer(SecretString::new(token))
}

/// The first word of a field, and what follows the blanks behind it.
fn scheme(value: &HeaderValue) -> (&[u8], &[u8]) {
    let value = value.as_bytes().trim_ascii();
    let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    (scheme, rest.trim_ascii())
}

/// One word of visible US-ASCII; what it means is the verifier's matter.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// RFC 7617, section 2: base64 of user and password with a colon between, in UTF-8.
fn basic(encoded: &[u8]) -> Option<Credential> {
    let decoded = SecretString::new(String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?);
    let (username, password) = decoded.expose().split_once(':')?;
    Some(Credential::Basic { username: username.to_owned(), password: SecretString::new(password) })
}

/// The four signs of a program (keycloak-adapter: `RequestAuthenticator.isAutodetectedBearerOnly`): a script of a page, a partial request
/// of JSF, SOAP, and whoever does not take HTML.
fn is_program(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let takes_html = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut takes_html =
        takes_html.filter(|accept| ["text/html", "text/*", "*/*"].iter().any(|html| accept.contains(html)));
    text("x-requested-with").is_some_and(|with| with.eq_ignore_ascii_case("XMLHttpRequest"))
        || text("faces-request").is_some_and(|request| request.starts_with("partial/"))
        || headers.contains_key("soapaction")
        || takes_html.next().is_none()
}

#[cfg(test)]
mod tests;
